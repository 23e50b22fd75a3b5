"""Several maps of attention side by side: the heads of a layer, or one map over the training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure, SubFigure

from ..errors import PictureTooLargeError
from ..pictures.palette import DARK, LIGHT
from .attention_map import (
    BAR,
    FOOT,
    LARGEST,
    NAME,
    TICKS,
    cells,
    checked,
    draw_map,
    margins,
    name_sides,
    with_numbers,
    write_numbers,
)
from .chart import Chart
from .heat_map import LONGEST, add_bar, words, zero_sign
from .panels import (
    HEAD,
    POINTS,
    Margins,
    fitted,
    heading_font,
    legend_font,
    length,
    new_figure,
    panels,
    size_of,
    write_title,
)

__all__ = ["plot_attention_heads", "plot_attention_over_training"]

CELL, GAP = 0.2, 0.25  # inches of a cell, and between maps
WIDE = 1.6  # how much wider than high all of them are
MAPS = 100  # side by side


def plot_attention_heads(
    weights: Any,
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    *,
    names: Sequence[object] | None = None,
    numbers: bool | str = "auto",
    title: str | None = None,
    dark: bool = False,
    figure: Figure | SubFigure | None = None,
) -> Chart:
    """Plot the weights of several heads side by side, one map for each, as `plot_attention` draws it.

    weights: (heads, target, source), such as the node "w" of a record has for one sequence of a batch, `w.data[0]`.
    names: what stands over each map; "head 1", "head 2", … by default.
    figure: where to draw, also a SubFigure; one of its own by default.  data: as of `plot_attention`, after the head.
    Raises ValueError as `plot_attention` does, PictureTooLargeError for more than 100 maps.

    >>> chart = plot_attention_heads([[[1, 0], [0.5, 0.5]], [[1, 0], [0.9, 0.1]]], "AB", "AB")
    >>> [ax.get_title("left") for ax in chart.axes][:2]
    ['head 1', 'head 2']
    """
    w = checked("plot_attention_heads", weights, source_tokens, target_tokens, maps=True)
    names = numbered(names, len(w), "head {}")
    drawn = side_by_side(w, names, source_tokens, target_tokens, numbers, title, dark, figure)
    return Chart(drawn, {"head": each(names, w)} | cells(w, source_tokens, target_tokens), title)


def plot_attention_over_training(
    maps: Any,
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    *,
    over: Sequence[int] | None = None,
    numbers: bool | str = "auto",
    title: str | None = None,
    dark: bool = False,
    figure: Figure | SubFigure | None = None,
) -> Chart:
    """Plot how attention came about: the maps of one example side by side, after so many updates each.

    maps: pairs (update, weights), or a mapping of updates to weights, each weights (target, source); or all in one,
    (updates, target, source), and the updates as `over`.
    numbers, title, dark, figure: as in `plot_attention_heads`.  data: as of `plot_attention`, after the update.
    Raises ValueError as `plot_attention` does, PictureTooLargeError for more than 100 maps.

    >>> maps = {0: [[0.5, 0.5], [0.5, 0.5]], 1000: [[0.9, 0.1], [0.2, 0.8]]}
    >>> chart = plot_attention_over_training(maps, "AB", "XY")
    >>> [ax.get_title("left") for ax in chart.axes][:2]
    ['update 0', 'update 1,000']
    """
    if over is None:
        pairs = list(maps.items() if isinstance(maps, Mapping) else maps)
        over, maps = [update for update, _ in pairs], [one for _, one in pairs]
    w = checked("plot_attention_over_training", maps, source_tokens, target_tokens, maps=True)
    names = numbered([f"update {update:,}" for update in over], len(w), "{}")
    drawn = side_by_side(w, names, source_tokens, target_tokens, numbers, title, dark, figure)
    return Chart(drawn, {"update": each(over, w)} | cells(w, source_tokens, target_tokens), title)


def each(names: Sequence[Any], w: np.ndarray) -> list[Any]:
    """What stands over a map, for each of its cells."""
    return [name for name in names for _ in range(w[0].size)]


def numbered(names: Sequence[object] | None, count: int, form: str) -> list[str]:
    """The names of so many maps, or numbers for them.  Raises ValueError where they are not as many."""
    if names is None:
        return [form.format(n) for n in range(1, count + 1)]
    if len(names) != count:
        raise ValueError(f"{count} maps need as many names, got {len(names)}")
    return [str(name) for name in names]


def side_by_side(
    w: np.ndarray,
    names: Sequence[str],
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    numbers: bool | str,
    title: str | None,
    dark: bool,
    figure: Figure | SubFigure | None,
) -> Figure | SubFigure:
    """Several maps in rows, all of one size; only the outer ones bear the tokens."""
    if len(w) > MAPS:
        raise PictureTooLargeError(
            f"{len(w):,} maps are more than the {MAPS} that fit into a picture: give some of them, such as "
            f"[::{-(-len(w) // MAPS)}]"
        )
    theme = DARK if dark else LIGHT
    across, down = words(source_tokens), words(target_tokens)
    beside, above = margins(across, down, CELL)
    foot = max(FOOT if (w == 0).any() else 0.1, (NAME - CELL * w.shape[1]) / 2)
    around = Margins(left=beside, right=BAR, top=above + (HEAD if title else 0.0), bottom=foot)
    each = Margins(right=GAP, top=GAP)
    heading = min(max(map(length, names)) / POINTS, LONGEST / POINTS)
    height, width = w.shape[1] * CELL, max(w.shape[2] * CELL, heading)
    rows, columns = arrangement(len(w), height + GAP, width + GAP)
    if figure is None:
        small = min(1.0, (LARGEST - around.left - around.right) / columns / (width + GAP),
                    (LARGEST - around.top - around.bottom) / rows / (height + GAP))  # fmt: skip
        wide, high = (width + GAP) * columns * small, (height + GAP) * rows * small
        figure = new_figure(around.left + around.right + wide, around.top + around.bottom + high, theme)
    grid = panels(figure, [1.0] * rows, columns, around, each)
    box = grid[0, 0].get_position()
    wide, high = box.width * size_of(figure)[0], box.height * size_of(figure)[1]
    cell = min(wide / w.shape[2], high / w.shape[1])
    shown = with_numbers(numbers, w[0], cell)
    for n, ax in enumerate(grid.flat):
        if n >= len(w):
            ax.remove()
            continue
        image = draw_map(ax, w[n], across if n < columns else [], down if n % columns == 0 else [], cell, theme)
        ax.set_anchor("NW")
        ax.set_title(fitted(names[n], POINTS * (wide + GAP / 2)), loc="left", pad=4, **heading_font(theme))
        if shown:
            write_numbers(ax, image, numbers, cell, theme)
    name_sides(grid[0], grid[:, 0] if high > NAME else grid[:1, 0], source_tokens, target_tokens)
    if not shown:
        add_bar(grid[0, -1], image, theme, ticks=TICKS, label="weight")
    if (w == 0).any():
        figure.legend(handles=[zero_sign(theme)], loc="lower left", **legend_font(theme))
    write_title(figure, title, theme)
    return figure


def arrangement(count: int, height: float, width: float) -> tuple[int, int]:
    """Rows and columns for so many things of one size, in a picture that is wider than high."""
    columns = min(count, max(1, round(math.sqrt(count * WIDE * height / width))))
    rows = math.ceil(count / columns)
    return rows, math.ceil(count / rows)
