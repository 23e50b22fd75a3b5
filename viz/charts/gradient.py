"""A chart of how much gradient reaches each time step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tinygrad_seq import gradflow
from tinygrad_seq.graph import Node

from .chart import Chart
from .lines import INK, MANY, finish, limits, mark_exceptions, new_axes, style, typeset

__all__ = ["plot_gradient_flow"]


def plot_gradient_flow(
    source: Any,
    *,
    name: str = "h",
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Chart:
    """Plot how much gradient reaches each time step, on a logarithmic axis.

    source: a loss, whose record is read for the nodes called `name`; or what `gradflow.per_step` gives (anything with
    `t` and norms as an array); or a mapping of labels to several of either, drawn into one chart.
    tokens: one for each step, written under the axis.  ax: where to draw; a figure of its own by default.  Exact zeros
    stand at the lower edge as hollow triangles, NaN and Inf at the upper as crosses.
    data: label (of several), t, token (where given), norm.

    >>> import numpy as np
    >>> from tinygrad_seq import Tensor, steps
    >>> h = Tensor([1.0], requires_grad=True)
    >>> for t, x in steps(np.zeros((4, 1))):
    ...     h = (h * 0.1 + x).named("h")
    >>> chart = plot_gradient_flow(h.sum())
    >>> chart.get_yscale(), chart.data["norm"].round(9).tolist()
    ('log', [0.001, 0.01, 0.1, 1.0])
    """
    many = isinstance(source, Mapping)
    series = {str(label): read(one, name) for label, one in (source.items() if many else [("", source)])}
    if not series:
        raise ValueError("plot_gradient_flow needs at least one series, got an empty mapping")
    ax = new_axes() if ax is None else ax
    floor, ceiling = limits([norms for _, norms in series.values()])
    for n, (label, (t, norms)) in enumerate(series.items()):
        draw_series(ax, t, norms, floor, ceiling, n, label)
    finish(ax, next(iter(series.values()))[0], tokens, title, floor, ceiling)
    sign, mathematics = typeset(said(next(iter(source.values())) if many else source, name))
    ax.set_ylabel(sign, color=INK, parse_math=mathematics)
    return Chart(ax, table(series, tokens, many), title)


def draw_series(ax: Axes, t: np.ndarray, norms: np.ndarray, floor: float, ceiling: float, n: int, label: str) -> None:
    """One line, through what is positive, down to the floor where it is 0, and with a gap where it is not finite."""
    good = np.isfinite(norms) & (norms > 0)
    line = np.where(good, norms.clip(floor, ceiling), np.where(norms == 0, floor, np.nan))
    looks = style(n)
    ax.plot(t, line, linewidth=1.8, zorder=2, label=label or None, markersize=5.0 if len(t) <= MANY else 2.0,
            markevery=list(np.flatnonzero(good)), **looks)  # fmt: skip
    mark_exceptions(ax, t, norms, floor, ceiling, looks["color"])


def table(
    series: Mapping[str, tuple[np.ndarray, np.ndarray]], tokens: Sequence[object] | None, many: bool
) -> dict[str, Any]:
    """The numbers of all series, one under the other."""
    columns: dict[str, Any] = {"label": [label for label, (t, _) in series.items() for _ in t]} if many else {}
    columns["t"] = np.concatenate([t for t, _ in series.values()])
    if tokens is not None:
        columns["token"] = [str(token) for _ in series for token in tokens]
    return columns | {"norm": np.concatenate([norms for _, norms in series.values()])}


def said(source: Any, name: str) -> str:
    """What the magnitudes are called: as the series says itself, else the gradient of what has that name."""
    sign, own = getattr(source, "sign", "{name}"), getattr(source, "name", name)
    return str(sign).format(name=own) if sign != "{name}" else f"‖∂L/∂{name}_t‖"


def read(source: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Time steps and magnitudes of one series."""
    if isinstance(source, Node):
        source = gradflow.per_step(source, name)
    if not hasattr(source, "t"):
        raise TypeError(
            "a chart needs a loss, or time steps `t` with their norms such as gradflow.per_step gives, "
            f"got {type(source).__name__}"
        )
    t, norms = np.asarray(source.t), np.asarray(source, float)
    if t.shape != norms.shape or t.ndim != 1 or not t.size:
        raise ValueError(f"a chart needs one magnitude for each time step, got shapes {t.shape} and {norms.shape}")
    return t, norms
