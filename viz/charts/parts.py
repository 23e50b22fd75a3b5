"""A chart of the gradient of a shared weight as the sum that it is: by step, by gate, by use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from tinygrad_seq import gradflow
from tinygrad_seq.graph import Node

from ..pictures.labels import number, visible
from .chart import Chart
from .fonts import ESCAPES, families
from .gradient import draw_series, read
from .lines import INK, LINES, QUIET, finish, limits, mark_exceptions, new_axes, quiet_frame, shortened, tell, typeset

__all__ = ["plot_parts"]

HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")  # which tell bars apart in grey
NUMBERED = 12  # bars with their numbers over them
NAMED = 40  # bars with names under them


def plot_parts(
    source: Any,
    weight: Node | None = None,
    *,
    by: str = "step",
    of: str = "norm",
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Chart:
    """Plot what each time step adds to the gradient of a shared weight: ∂L/∂W = Σ_t (the part of step t).

    source: a loss, together with the weight; or what `gradflow.parts` gives (for `by="step"` anything with `t` and
    norms as an array).  by: "step"; "gate", what comes through each gate at each step; "use", each place in the code.
    of: "norm", the length of each part, on a logarithmic axis.  Lengths do not add up, as parts can point against each
    other, so gates are lines then and not stacked.  "share" is what each part brings along the whole gradient,
    ⟨part, total⟩ / ‖total‖²; shares have a sign, add up to 1, and are stacked.
    tokens, title, ax: as in plot_gradient_flow.  data: t, token (where given), gate or use, norm or share.
    Raises ValueError for shares of a gradient that is exactly 0 or not finite.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter, steps
    >>> W, h = Parameter([[0.5]], name="W"), np.ones((1, 1))
    >>> for t, x in steps(np.ones((3, 1, 1))):
    ...     h = (h @ W + x).named("h")
    >>> len(plot_parts(h.sum(), W, tokens="abc").patches)
    3
    >>> plot_parts(h.sum(), W, of="share").data["share"].sum().round(9)
    np.float64(1.0)
    """
    for name, given, allowed in (("by", by, ("step", "gate", "use")), ("of", of, ("norm", "share"))):
        if given not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {given!r}")
    if isinstance(source, Node):
        if weight is None:
            raise TypeError("plot_parts needs a weight beside the loss: plot_parts(loss, model.W_x)")
        source = gradflow.parts(source, weight)
    t, norms = read(source, "")
    if tokens is not None and len(tokens) != len(t):
        raise ValueError(f"tokens must have one entry for each of the {len(t)} steps, got {len(tokens)}")
    ax = new_axes() if ax is None else ax
    words = None if tokens is None else [str(token) for token in tokens]
    if by == "use":
        data = draw_uses(ax, source, of, dict(zip(t.tolist(), words or [], strict=False)), title)
    elif of == "share":
        data = draw_shares(ax, source, t, by, tokens, title)
    elif by == "gate":
        data = draw_gates(ax, source, t, tokens, title)
    else:
        floor, ceiling = limits([norms])
        draw_bars(ax, t, norms, floor, ceiling, [0] * len(t))
        finish(ax, t, tokens, title, floor, ceiling)
        data = {"t": t, "norm": norms}
    called = getattr(source, "name", "") or "W"
    said = f"‖part of ∂L/∂{called}‖" if of == "norm" else f"share of ∂L/∂{called}"
    sign, mathematics = typeset(said.replace("∂W‖", "∂$W$‖") if called == "W" else said)
    ax.set_ylabel(sign, color=INK, parse_math=mathematics or "$W$" in sign)
    if words is not None:
        token_of = dict(zip(t.tolist(), words, strict=True))
        at = {"t": data["t"], "token": [token_of[step] for step in np.asarray(data["t"]).tolist()]}
        data = at | {name: values for name, values in data.items() if name != "t"}
    return Chart(ax, data, title)


# ---- lengths --------------------------------------------------------------------------


def draw_bars(
    ax: Axes, places: np.ndarray, norms: np.ndarray, floor: float, ceiling: float, kinds: Sequence[int]
) -> None:
    """A bar for each length, with its number where there are few; kinds: which of several each is of."""
    good = np.isfinite(norms) & (norms > 0)
    heights = np.where(good, norms.clip(floor, ceiling), floor)
    colours = [LINES[kind % len(LINES)] for kind in kinds]
    bars = ax.bar(places, heights, bottom=0, width=0.68, color=colours, zorder=2)
    for bar, kind in zip(bars, kinds, strict=True):
        dress(bar, kind)
    if len(places) <= NUMBERED:
        for place, norm in zip(places[good], norms[good], strict=True):
            ax.annotate(
                number(norm), (place, norm), (0, 3), textcoords="offset points", ha="center", color=QUIET, size=9
            )
    mark_exceptions(ax, places, norms, floor, ceiling, LINES[0])


def draw_gates(
    ax: Axes, source: Any, t: np.ndarray, tokens: Sequence[object] | None, title: str | None
) -> dict[str, Any]:
    """A line for each gate."""
    norms = gates_of(source, "gate_norms", t)
    floor, ceiling = limits(list(norms.values()))
    for n, (gate, line) in enumerate(norms.items()):
        draw_series(ax, t, line, floor, ceiling, n, gate)
    finish(ax, t, tokens, title, floor, ceiling)
    return long(t, norms, "norm")


def gates_of(source: Any, what: str, t: np.ndarray) -> dict[str, np.ndarray]:
    """An array of all steps for each gate.  Raises TypeError and ValueError."""
    if not hasattr(source, what):
        raise TypeError(f'by="gate" needs what gradflow.parts gives, with `{what}`, got {type(source).__name__}')
    found = {str(gate) or "(no name)": np.asarray(values, float) for gate, values in getattr(source, what).items()}
    if not found or any(values.shape != t.shape for values in found.values()):
        shapes = ", ".join(f"{gate} {values.shape}" for gate, values in found.items()) or "no gate at all"
        raise ValueError(f"each gate needs a number for each of the {len(t)} steps, got {shapes}")
    return found


def long(t: np.ndarray, of_gate: Mapping[str, np.ndarray], what: str) -> dict[str, Any]:
    """The numbers of all gates, one under the other."""
    return {
        "t": np.tile(t, len(of_gate)),
        "gate": [gate for gate in of_gate for _ in t],
        what: np.concatenate(list(of_gate.values())),
    }


# ---- shares ---------------------------------------------------------------------------


def draw_shares(
    ax: Axes, source: Any, t: np.ndarray, by: str, tokens: Sequence[object] | None, title: str | None
) -> dict[str, Any]:
    """Bars from 0 upwards and downwards, those of gates on top of each other."""
    if by == "gate":
        shares = gates_of(source, "gate_shares", t)
    else:
        if not hasattr(source, "shares"):
            raise TypeError(f'of="share" needs what gradflow.parts gives, with `shares`, got {type(source).__name__}')
        shares = {"": np.asarray(source.shares, float)}
    check_shares(shares.values())
    up, down = np.zeros(len(t)), np.zeros(len(t))
    for n, (gate, values) in enumerate(shares.items()):
        bars = ax.bar(t, values, bottom=np.where(values < 0, down, up), width=0.68, color=LINES[n % len(LINES)],
                      zorder=2, label=gate or None)  # fmt: skip
        for bar in bars:
            dress(bar, n)
        up, down = up + values.clip(0), down + values.clip(max=0)
    finish(ax, t, tokens, title, 0.1, 1.0)
    level(ax, [*up, *down], np.sum(list(shares.values())))
    return long(t, shares, "share") if by == "gate" else {"t": t, "share": shares[""]}


def check_shares(shares: Any) -> None:
    """Raises ValueError where there is nothing to be shares of."""
    values = np.concatenate([np.ravel(one) for one in shares])
    if not np.isfinite(values).all() or not values.any():
        what = "exactly 0" if np.isfinite(values).all() else "not finite"
        raise ValueError(f'the gradient or all of its shares are {what}, which has no parts to stack: use of="norm"')


def level(ax: Axes, heights: Sequence[float], whole: float) -> None:
    """An even axis around 0, and where shares in time are not all of the gradient, how much they are."""
    ax.set_yscale("linear")
    low, high = min(0.0, *heights), max(0.0, *heights)
    ax.set_ylim(low - 0.04 * (high - low) * (low < 0), high + 0.08 * (high - low))
    ax.axhline(0, color=QUIET, linewidth=0.8, zorder=3)
    if abs(whole - 1) > 1e-6:
        ax.text(0.99, 0.97, f"outside of time: {1 - whole:.3g}", transform=ax.transAxes, ha="right", va="top",
                color=QUIET, fontsize=9)  # fmt: skip


def dress(bar: Any, n: int) -> None:
    """Lines through a bar of the n-th kind, which tell it apart in grey."""
    if n % len(HATCHES):
        bar.set(hatch=HATCHES[n % len(HATCHES)], edgecolor="white", linewidth=0)


# ---- uses -----------------------------------------------------------------------------


def draw_uses(ax: Axes, source: Any, of: str, token_of: Mapping[int, str], title: str | None) -> dict[str, Any]:
    """A bar for each place where the weight is used, in the order in which they were made."""
    if not hasattr(source, "uses"):
        raise TypeError(f'by="use" needs what gradflow.parts gives, with `uses`, got {type(source).__name__}')
    uses = list(source.uses)
    if of == "norm":
        values = np.asarray(getattr(source, "use_norms", [gradflow.magnitude(g) for g in source.by_use]), float)
    else:
        total = np.asarray(source.total, float)
        square = gradflow.magnitude(total) ** 2
        values = np.array([np.vdot(part, total) for part in source.by_use]) / square if square else np.zeros(len(uses))
        check_shares([values])
    names = [f"{use.scope}/{use.op}" if use.scope else str(use.op) for use in uses]
    kinds = {name: n for n, name in enumerate(dict.fromkeys(names))}
    places = np.arange(len(uses))
    of_kind = [kinds[name] for name in names]
    if of == "norm":
        floor, ceiling = limits([values])
        draw_bars(ax, places, values, floor, ceiling, of_kind)
        finish(ax, places, None, title, floor, ceiling)
    else:
        for bar, kind in zip(ax.bar(places, values, width=0.68, zorder=2), of_kind, strict=True):
            bar.set_facecolor(LINES[kind % len(LINES)])
            dress(bar, kind)
        finish(ax, places, None, title, 0.1, 1.0)
        level(ax, values.tolist(), values.sum())
    for name, kind in kinds.items() if len(kinds) > 1 else []:
        (key,) = ax.bar([places[0]], [0], color=LINES[kind % len(LINES)], label=visible(name))
        dress(key, kind)
    tell(ax)
    every = max(1, -(-len(uses) // NAMED))
    said = [f"{shortened(visible(token_of[use.t]).translate(ESCAPES))}\n{use.t}" if use.t in token_of else str(use.t)
            for use in uses]  # fmt: skip
    ax.set_xticks(places[::every], said[::every], parse_math=False, fontfamily=families())
    ax.set_xlabel("each use, at its time step t", color=INK)
    quiet_frame(ax, title)
    sources = [str(use.source) for use in uses]
    return {"t": [use.t for use in uses], "use": names, "source": sources, of: values}
