"""A chart of what one step does to the gradient: the singular values of ∂h_t/∂h_{t-1}, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .chart import Chart
from .fonts import families
from .lines import INK, LINES, MANY, QUIET, finish, limits, mark_exceptions, new_axes

__all__ = ["plot_singular_values"]

FEW = 8  # singular values of a step that are drawn as lines; of more the band of all and that of the middle half
WHOLE, HALF = 0.12, 0.22  # how much of the colour the bands have


def plot_singular_values(
    source: Any,
    *,
    batch: int = 0,
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Chart:
    """Plot the singular values of every step's Jacobian ∂h_t/∂h_{t-1}, on a logarithmic axis.

    source: what `gradflow.step_jacobians` gives (anything with `t` and `singular_values`; `spectral_radius` and
    `bounds` where it has them).  batch: which sequence of a batch.
    The largest is a thick line; of up to eight others each is a thin one, of more a band holds all and a darker one
    the middle half.  Above 1 a direction grows on its way back, below it shrinks.  The spectral radius has dots; the
    upper bound is dashed, and its largest is the γ of Pascanu, Mikolov and Bengio (2013).
    tokens, title, ax: as in plot_gradient_flow.  data: t, token (where given), kind ("singular value", "spectral
    radius" or "bound"), order (1 for the largest; 0 for what is no singular value), value.
    Raises TypeError, ValueError for no step at all, IndexError for a sequence that the batch has not.

    >>> from types import SimpleNamespace
    >>> made = SimpleNamespace(name="h", t=np.array([2, 3]), singular_values=np.array([[0.9, 0.5], [0.8, 0.1]]))
    >>> plot_singular_values(made).data["value"].tolist()
    [0.9, 0.5, 0.8, 0.1]
    """
    t, values, radius, bounds = read(source, batch)
    if tokens is not None and len(tokens) != len(t):
        raise ValueError(f"tokens must have one entry for each of the {len(t)} steps, got {len(tokens)}")
    order = np.argsort(t)
    words = None if tokens is None else [tokens[n] for n in order.tolist()]
    t, values = t[order], values[order]
    lines = {name: line[order] for name, line in (("spectral radius", radius), ("bound", bounds)) if line is not None}
    own = ax is None
    ax = new_axes() if ax is None else ax
    floor, ceiling = limits([values.ravel(), *lines.values(), np.ones(1)])
    small = 4.5 if len(t) <= MANY else 2.0
    draw_values(ax, t, values, floor, ceiling, small)
    if "spectral radius" in lines:
        ax.plot(t, on_axis(lines["spectral radius"], floor, ceiling), linestyle=(0, (1.2, 1.4)), marker="s", zorder=4,
                color=LINES[1], linewidth=1.6, markersize=small, label="spectral radius")  # fmt: skip
    if "bound" in lines:
        ax.plot(t, on_axis(lines["bound"], floor, ceiling), linestyle=(0, (6, 2)), color=LINES[3], linewidth=1.6,
                zorder=3, label=f"upper bound, at most γ = {np.max(lines['bound']):.3g}")  # fmt: skip
    ax.axhline(1.0, color=QUIET, linewidth=0.8, zorder=1)
    mark_exceptions(ax, t, values[:, 0], floor, ceiling, LINES[0])
    finish(ax, t, words, title, floor, ceiling)
    name = str(getattr(source, "name", "h"))
    sign = f"∂${name}_t$/∂${name}_{{t-1}}$" if name.isalpha() else f"∂({name})/∂({name} a step before)"
    ax.set_ylabel(f"singular values of {sign}", color=INK, parse_math=name.isalpha(), fontfamily=families())
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if own else {"loc": "best"}
    ax.legend(frameon=False, prop={"family": families(), "size": 9}, **place)
    return Chart(ax, table(t, values, lines, words), title)


def read(source: Any, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Steps (S,), singular values (S, n) the largest first, spectral radius (S,) and bounds (S,) of one sequence."""
    if not hasattr(source, "singular_values") or not hasattr(source, "t"):
        raise TypeError(
            "plot_singular_values needs what gradflow.step_jacobians gives, with `t` and `singular_values`, got "
            f"{type(source).__name__}"
        )
    t, values = np.asarray(source.t), np.asarray(source.singular_values, float)
    if values.ndim < 2 or not values.size or len(values) != len(t):
        raise ValueError(f"plot_singular_values needs values (steps, …, n) of {len(t)} steps, got shape {values.shape}")
    values = values.reshape(len(t), -1, values.shape[-1])
    size = values.shape[1]
    if not -size <= batch < size:
        raise IndexError(f"these Jacobians are of {size} sequences, which have no sequence {batch}")
    others = []
    for name in ("spectral_radius", "bounds"):
        given = getattr(source, name, None)
        others.append(None if given is None else np.asarray(given, float).reshape(len(t), -1)[:, batch])
    return t, np.sort(values[:, batch])[:, ::-1], *others  # type: ignore[return-value]


def on_axis(values: np.ndarray, floor: float, ceiling: float) -> np.ndarray:
    """Values that a logarithmic axis has; gaps where one is not finite."""
    return np.where(np.isfinite(values), values.clip(floor, ceiling), np.nan)


def draw_values(ax: Axes, t: np.ndarray, values: np.ndarray, floor: float, ceiling: float, small: float) -> None:
    """The largest as a thick line, the others as thin ones or as bands."""
    shown = on_axis(values, floor, ceiling)
    if values.shape[1] <= FEW:
        for n in range(1, values.shape[1]):
            ax.plot(t, shown[:, n], color=LINES[0], linewidth=0.8, alpha=0.6, zorder=2,
                    label="the others" if n == 1 else None)  # fmt: skip
    else:
        low, upper, middle, high = np.quantile(shown, (0.0, 0.25, 0.5, 0.75), axis=1)
        ax.fill_between(t, low, shown[:, 0], color=LINES[0], alpha=WHOLE, linewidth=0, zorder=1, label="all of them")
        ax.fill_between(t, upper, high, color=LINES[0], alpha=HALF, linewidth=0, zorder=1, label="the middle half")
        ax.plot(t, middle, color=LINES[0], linewidth=0.8, zorder=2, label="median")
    ax.plot(t, shown[:, 0], color=LINES[0], linewidth=2.2, marker="o", markersize=small, zorder=4, label="the largest")


def table(
    t: np.ndarray, values: np.ndarray, lines: dict[str, np.ndarray], tokens: Sequence[object] | None
) -> dict[str, Any]:
    """A row for each singular value of each step, then the other lines."""
    n = values.shape[1]
    steps = np.concatenate([np.repeat(t, n), *([t] * len(lines))])
    columns: dict[str, Any] = {"t": steps}
    if tokens is not None:
        token_of = {step: str(token) for step, token in zip(t.tolist(), tokens, strict=True)}
        columns["token"] = [token_of[step] for step in steps.tolist()]
    columns["kind"] = ["singular value"] * values.size + [name for name in lines for _ in t]
    columns["order"] = np.concatenate([np.tile(np.arange(1, n + 1), len(t)), np.zeros(len(t) * len(lines), int)])
    return columns | {"value": np.concatenate([values.ravel(), *lines.values()])}
