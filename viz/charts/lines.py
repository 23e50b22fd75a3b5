"""What charts of lines and bars over time share: axes, colours and signs, tokens under them, a logarithmic scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..pictures.labels import token_text
from ..pictures.palette import LIGHT
from .fonts import ESCAPES, families

INK, QUIET, BROKEN, GRID = LIGHT.hex("ink"), LIGHT.hex("quiet"), LIGHT.hex("broken"), LIGHT.hex("column-edge")
LINES = ("#1f62a8", "#b4530a", "#00735c", "#a3457f", "#7a6400", "#4b5aa8")
MARKERS = "osD^vP"
FAINT_LINE = LIGHT.hex("faint")
DASHES: tuple[Any, ...] = ("-", (0, (6, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1)), (0, (8, 3)))
SYMBOL = re.compile(r"(?<![\w^])([A-Za-z]+)_([A-Za-z0-9])(?!\w)")  # names that Matplotlib can typeset: h_t, W_x
FURTHEST = 150  # power of ten at an edge of an axis: beyond it Matplotlib's ticks overflow
MANY = 40  # tokens under one axis
EXACTLY_0, NOT_FINITE = "exactly 0", "NaN or Inf"  # what their signs are called in a legend


def style(n: int) -> dict[str, Any]:
    """How the n-th line of a chart is told from the others, also in grey: its colour, its dashes, its sign."""
    return {"color": LINES[n % len(LINES)], "linestyle": DASHES[n % len(DASHES)], "marker": MARKERS[n % len(MARKERS)]}


def typeset(text: str) -> tuple[str, bool]:
    """A text with its symbols in italics, and whether Matplotlib must read it as mathematics.

    >>> from tinygrad_seq.viz.charts.lines import typeset
    >>> typeset("‖∂L/∂h_t‖"), typeset("‖∂L/∂weight_ih_l0‖")
    (('‖∂L/∂$h_t$‖', True), ('‖∂L/∂weight_ih_l0‖', False))
    """
    new = text if "$" in text else SYMBOL.sub(r"$\1_\2$", text)
    return new, new != text


def new_axes() -> Axes:
    """Axes of a figure that pyplot knows nothing of."""
    figure = Figure(figsize=(7.2, 3.6), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def limits(norms: list[np.ndarray]) -> tuple[float, float]:
    """The lower and upper edge of the axis; zeros have a decade of their own below all others."""
    values = np.concatenate(norms)
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 0.1, 10.0
    low, high = np.floor(np.log10(positive.min()) - 0.1), np.ceil(np.log10(positive.max()) + 0.1)
    if (values == 0).any():
        low -= 1
    low, high = np.clip(low, -FURTHEST, FURTHEST - 1), np.clip(high, 1 - FURTHEST, FURTHEST)
    return float(10.0**low), float(10.0**high)


def mark_exceptions(ax: Axes, t: np.ndarray, norms: np.ndarray, floor: float, ceiling: float, colour: str) -> None:
    """Zeros at the lower edge, what is not finite at the upper: neither has a place on a logarithmic axis."""
    zero, broken = norms == 0, ~np.isfinite(norms)
    if zero.any():
        ax.plot(t[zero], np.full(zero.sum(), floor), "v", markerfacecolor="white", markeredgecolor=colour, markersize=7,
                clip_on=False, zorder=4, label=EXACTLY_0)  # fmt: skip
    if broken.any():
        ax.plot(t[broken], np.full(broken.sum(), ceiling), "X", color=BROKEN, markersize=8, clip_on=False, zorder=4,
                label=NOT_FINITE)  # fmt: skip


def finish(
    ax: Axes, t: np.ndarray, tokens: Sequence[object] | None, title: str | None, floor: float, ceiling: float
) -> None:
    """Scale, ticks, tokens and the quiet frame that all charts share."""
    if tokens is not None and len(tokens) != len(t):
        raise ValueError(f"tokens must have one entry for each of the {len(t)} steps, got {len(tokens)}")
    ax.set_yscale("log")
    ax.set_ylim(floor, ceiling)
    ax.set_xlim(t[0] - 0.6, t[-1] + 0.6)
    every = max(1, -(-len(t) // MANY))
    if tokens is not None:
        words = [shortened(token_text(token).translate(ESCAPES)) for token in tokens]
        long = max(map(len, words)) > 6 and len(t) > 8
        ax.set_xticks(t[::every], [f"{word}\n{k}" for word, k in zip(words, t, strict=True)][::every], parse_math=False,
                      fontfamily=families(), rotation=60 if long else 0)  # fmt: skip
    elif len(t) <= 20:
        ax.set_xticks(t)
    ax.set_xlabel("time step t", color=INK)
    quiet_frame(ax, title)
    tell(ax)


def tell(ax: Axes, **place: Any) -> None:
    """The legend, where anything has a name: each once, and the signs of what has no place on the axis last."""
    handles, labels = ax.get_legend_handles_labels()
    named = dict(reversed([*zip(labels, handles, strict=True)]))  # the first of each name
    order = sorted(dict.fromkeys(labels), key=lambda label: label in (EXACTLY_0, NOT_FINITE))
    if order:
        ax.legend([named[label] for label in order], order, frameon=False, prop={"family": families()}, **place)


def quiet_frame(ax: Axes, title: str | None) -> None:
    """The title, a grid of faint lines, and no more of a frame than two sides."""
    if title:
        ax.set_title(title, loc="left", color=INK, fontfamily=families(), parse_math=False)
    ax.grid(axis="y", color=GRID, linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#c3ccd4")
    ax.tick_params(colors=QUIET, labelcolor=INK)


def shortened(word: str) -> str:
    """At most twelve characters of a token, for an axis."""
    return word if len(word) <= 12 else word[:11] + "…"
