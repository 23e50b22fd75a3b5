"""A map of saturation: the share of units that are squashed flat, gate by gate and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ..pictures.palette import DARK, LIGHT, Theme
from .attention_map import with_numbers, write_numbers
from .chart import Chart
from .heat_map import (
    add_bar,
    cell_lines,
    colours,
    hatch_cells,
    hatched,
    label_cells,
    label_steps,
    plain_frame,
    quiet_bar,
    upright,
    words,
)
from .panels import (
    HEAD,
    POINTS,
    SIZE,
    SMALL,
    TITLE,
    Margins,
    fitted,
    heading_font,
    legend_font,
    length,
    new_figure,
    panels,
    size_of,
)

__all__ = ["plot_saturation"]

CELL, HIGH, WIDEST, WORD = 0.36, 0.32, 9.0, 0.11  # inches of a cell at most, its height, all of them, beside a token
LINED = 0.08  # inches of a cell that has lines around it
BAR = 0.9  # inches for the bar of colours
TICKS = [0, 0.5, 1]


def plot_saturation(
    source: Any,
    *,
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    dark: bool = False,
    ax: Axes | None = None,
) -> Chart:
    """Plot the share of units past the threshold: a row for each gate, a column for each step.

    source: what `gradflow.saturation` gives (anything with `names`, `t` and `share` (names, T)).  NaN, as where a gate
    has no such step, is grey and hatched.
    tokens: one for each step.  ax: where to draw; a figure of its own by default.
    data: gate, t, token (where given), share, and low and high where the source has them.
    Raises TypeError and ValueError for what is no such measure, or has no gate or no step.

    >>> from types import SimpleNamespace
    >>> chart = plot_saturation(SimpleNamespace(names=["f", "i"], t=[1, 2], share=[[0.0, 0.5], [1.0, 0.25]]))
    >>> chart.data["gate"].tolist(), chart.data["share"].tolist()
    (['f', 'f', 'i', 'i'], [0.0, 0.5, 1.0, 0.25])
    """
    names, t, share = read(source)
    if tokens is not None and len(tokens) != len(t):
        raise ValueError(f"tokens must have one entry for each of the {len(t)} steps, got {len(tokens)}")
    theme = DARK if dark else LIGHT
    beside, below = words(names), None if tokens is None else words(tokens)
    own = ax is None
    if ax is None:
        ax, cell = own_axes(share, beside, below, title, theme)
    else:
        cell = ax.get_window_extent().width / share.shape[1] / ax.figure.dpi
    image = ax.imshow(np.ma.masked_invalid(share), colours(theme), vmin=0, vmax=1, aspect="auto")
    height = size_of(ax.figure)[1] * ax.get_position().height / len(names)
    label_cells(ax.yaxis, beside, POINTS * height, theme)
    if below is None:
        label_steps(ax.xaxis, t, POINTS * cell, theme)
        ax.set_xlabel("time step t", fontsize=SMALL)
    else:
        label_cells(ax.xaxis, below, POINTS * cell, theme)
    if min(cell, height) >= LINED:
        cell_lines(ax, len(names), len(t), theme)
    plain_frame(ax, theme)
    if with_numbers("auto", share, min(cell, height)):
        write_numbers(ax, image, "auto", min(cell, height), theme)
    said = "share of units past the threshold"
    if own:
        add_bar(ax, image, theme, ticks=TICKS)
    else:
        quiet_bar(ax.figure.colorbar(image, ax=ax, ticks=TICKS, label=said), theme)
    if not np.isfinite(share).all():
        hatch_cells(ax, ~np.isfinite(share), theme)
        sign = Patch(**hatched(theme), label="no such unit at this step, or NaN")
        ax.legend(handles=[sign], loc="lower left", bbox_to_anchor=(0, 1), **legend_font(theme))
    size = TITLE if title else SIZE
    heading = fitted(title or said, POINTS * size_of(ax.figure)[0] * (1 - ax.get_position().x0), size)
    ax.set_title(heading, loc="left", pad=6 if np.isfinite(share).all() else 20, **heading_font(theme, size))
    return Chart(ax, table(source, names, t, share, tokens), title)


def read(source: Any) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of gates, steps, and shares (names, T).  Raises TypeError and ValueError."""
    for name in ("names", "t", "share"):
        if not hasattr(source, name):
            raise TypeError(
                f"plot_saturation needs what gradflow.saturation gives, with `names`, `t` and `share`, got "
                f"{type(source).__name__}"
            )
    names, t, share = [str(name) for name in source.names], np.asarray(source.t), np.asarray(source.share, float)
    if share.shape != (len(names), len(t)) or not share.size:
        raise ValueError(
            f"plot_saturation needs a share for each of {len(names)} gates at each of {len(t)} steps, at least one, "
            f"got shape {share.shape}"
        )
    return names, t, share


def own_axes(
    share: np.ndarray, beside: list[str], below: list[str] | None, title: str | None, theme: Theme
) -> tuple[Axes, float]:
    """Axes in a figure that has room for the map, the names of its gates and its steps; and the inches of a step."""
    rows, columns = share.shape
    cell = min(CELL, max(WIDEST / columns, WORD * (below is not None)))
    left = max(map(length, beside)) / POINTS + 0.15
    foot = 0.45
    if below is not None:
        foot = max(map(length, below)) / POINTS + 0.15 if upright(below, POINTS * cell) else 0.3
    top = HEAD + 0.15 + 0.2 * (not np.isfinite(share).all())
    wide = max(cell * columns, 0.5)
    right = max(BAR, min(length(title or "share of units past the threshold", TITLE) / POINTS - wide, 6.0))
    figure = new_figure(left + wide + right, top + HIGH * rows + foot, theme)
    around = Margins(left=left, right=right, top=top, bottom=foot)
    return panels(figure, [1.0], 1, around, Margins())[0, 0], cell


def table(
    source: Any, names: list[str], t: np.ndarray, share: np.ndarray, tokens: Sequence[object] | None
) -> dict[str, Any]:
    """A row for each gate and step."""
    columns: dict[str, Any] = {"gate": [name for name in names for _ in t], "t": np.tile(t, len(names))}
    if tokens is not None:
        columns["token"] = [str(token) for _ in names for token in tokens]
    columns["share"] = share.ravel()
    for side in ("low", "high"):
        values = np.asarray(getattr(source, side, np.nan), float)
        if values.shape == share.shape:
            columns[side] = values.ravel()
    return columns
