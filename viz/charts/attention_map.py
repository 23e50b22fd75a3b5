"""A map of attention: for each token that is written, at which tokens of the source the model looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage

from tinygrad_seq.data import plain

from ..pictures.palette import DARK, LIGHT, Theme
from .chart import Chart
from .heat_map import (
    add_bar,
    cell_lines,
    colours,
    hatch_cells,
    label_cells,
    plain_frame,
    quiet_bar,
    standing_alone,
    upright,
    words,
    zero_sign,
)
from .panels import (
    HEAD,
    POINTS,
    SIZE,
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

__all__ = ["plot_attention", "standing_alone"]

CELL, BAR = 0.3, 0.9  # inches of a cell, and beside the map for the bar of colours
FOOT, NAME = 0.25, 0.85  # inches below for a legend, and along for the name of a side
HEADING = 6.0  # inches of a title over a small map
LARGEST = 23.5  # inches of a figure's side; above it cells get smaller
LINES = 150  # cells in a row or column; of more there is no line between them
MANY = 900  # cells with numbers in them
NUMBER, LEGIBLE = 2.7, 6.0  # a cell's width for each point of its number; the least points that can be read
TELLING = 0.005  # a weight that two places tell from 0
TICKS = [0, 0.5, 1]
SIDES = ("read", "written")  # what the tokens are, above and beside
WITHIN = ("looked at", "looking")  # where a sequence looks at itself


def plot_attention(
    weights: Any,
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    *,
    numbers: bool | str = "auto",
    title: str | None = None,
    dark: bool = False,
    ax: Axes | None = None,
) -> Chart:
    """Plot weights of attention: a row for each token that is written, a column for each that is read.

    weights: (target, source), from 0 to 1, such as `model.align(source, lengths, target)[0]`.  The stronger the colour,
    the larger; the scale is the same in every map.  A weight of exactly 0, as a mask leaves it, is grey and hatched.
    numbers: True writes every weight into its cell, False none; "auto" those that are at least 0.005, where cells are
    large enough.  Where no number tells, a bar of colours does.
    ax: where to draw; a figure of its own by default.  data: row and column of each cell, from 1, with its token
    and the one that is read, and the weight.
    Raises ValueError where the weights are not one for each pair of tokens.

    >>> chart = plot_attention([[0.9, 0.1], [0.2, 0.8]], ["일", "월"], ["S", "M"])
    >>> [label.get_text() for label in chart.get_yticklabels()]
    ['S', 'M']
    >>> [text.get_text() for text in chart.texts]
    ['0.90', '0.10', '0.20', '0.80']
    """
    w = checked("plot_attention", weights, source_tokens, target_tokens)
    theme = DARK if dark else LIGHT
    across, down = words(source_tokens), words(target_tokens)
    beside, above = margins(across, down, CELL)
    own = ax is None
    if ax is None:
        ax, cell = own_axes(w, beside, above, title, numbers, theme)
    else:
        box = ax.get_window_extent()
        cell = min(box.width / w.shape[1], box.height / w.shape[0]) / ax.figure.dpi
    image = draw_map(ax, w, across, down, cell, theme)
    name_sides([ax], [ax], source_tokens, target_tokens)
    if with_numbers(numbers, w, cell):
        write_numbers(ax, image, numbers, cell, theme)
    elif own:
        add_bar(ax, image, theme, ticks=TICKS, label="weight")
    else:
        quiet_bar(ax.figure.colorbar(image, ax=ax, label="weight", ticks=TICKS, shrink=0.8), theme)
    if (w == 0).any():
        ax.legend(handles=[zero_sign(theme)], loc="upper left", bbox_to_anchor=(0, 0), **legend_font(theme))
    if title:
        room = POINTS * (size_of(ax.figure)[0] - beside)
        ax.set_title(fitted(title, room, TITLE), loc="left", **heading_font(theme, TITLE))
    return Chart(ax, cells(w, source_tokens, target_tokens), title)


def checked(
    asking: str, weights: Any, source_tokens: Sequence[object], target_tokens: Sequence[object], *, maps: bool = False
) -> np.ndarray:
    """The weights as an array, (target, source), or of several maps (maps, target, source).  Raises ValueError."""
    shape = (len(target_tokens), len(source_tokens))
    given = [np.asarray(plain(one), float) for one in weights] if maps else [np.asarray(plain(weights), float)]
    for one in given or [np.zeros(0)]:
        if one.shape != shape or not one.size:
            what = "weights (target, source)" + " of each map" * maps
            raise ValueError(
                f"{asking} needs {what}, at least one, got shape {one.shape} for {shape[0]} target and {shape[1]} "
                "source tokens: of a batch give one, weights[0]"
            )
        if not np.isfinite(one).all():
            raise ValueError(f"{asking} needs weights that are numbers, got NaN or Inf")
    return np.stack(given) if maps else given[0]


def cells(w: np.ndarray, source_tokens: Sequence[object], target_tokens: Sequence[object]) -> dict[str, Any]:
    """The numbers of a map, or of several one under the other: a row for each cell."""
    *_, row, column = (axis.ravel() for axis in np.indices(w.shape))
    written, source = [str(token) for token in target_tokens], [str(token) for token in source_tokens]
    tokens = {"token": [written[n] for n in row.tolist()], "read": [source[n] for n in column.tolist()]}
    return {"row": row + 1, "column": column + 1, **tokens, "weight": w.ravel()}


def own_axes(
    w: np.ndarray, beside: float, above: float, title: str | None, numbers: bool | str, theme: Theme
) -> tuple[Axes, float]:
    """Axes in a figure that has room for one map, its tokens and its title; and the inches of a cell."""
    rows, columns = w.shape
    top, bottom = above + (HEAD if title else 0.05), FOOT if (w == 0).any() else 0.15
    cell = min(CELL, (LARGEST - beside - BAR) / columns, (LARGEST - top - bottom) / rows)
    bottom = max(bottom, (NAME - cell * rows) / 2)
    bar = 0.1 if with_numbers(numbers, w, cell) else BAR
    heading = min(length(title or "", TITLE) / POINTS + 0.1, HEADING)
    right = max(bar, heading - cell * columns, (NAME - cell * columns) / 2)
    figure = new_figure(beside + cell * columns + right, top + cell * rows + bottom, theme)
    around = Margins(left=beside, right=right, top=top, bottom=bottom)
    return panels(figure, [1.0], 1, around, Margins())[0, 0], cell


def margins(across: Sequence[str], down: Sequence[str], cell: float) -> tuple[float, float]:
    """Inches that the tokens take: beside the cells, and above."""
    beside = max(map(length, down))
    above = max(map(length, across)) if upright(across, POINTS * cell) else 1.5 * SIZE
    return beside / POINTS + 0.35, above / POINTS + 0.28


def draw_map(
    ax: Axes, w: np.ndarray, across: Sequence[str], down: Sequence[str], cell: float, theme: Theme
) -> AxesImage:
    """One map, with tokens and lines."""
    rows, columns = w.shape
    image = ax.imshow(w, colours(theme), vmin=0, vmax=1)
    hatch_cells(ax, w == 0, theme)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    label_cells(ax.xaxis, across, POINTS * cell, theme)
    label_cells(ax.yaxis, down, POINTS * cell, theme)
    if max(rows, columns) <= LINES:
        cell_lines(ax, rows, columns, theme)
    plain_frame(ax, theme)
    return image


def with_numbers(numbers: bool | str, w: np.ndarray, cell: float) -> bool:
    """Whether there are numbers in cells of that many inches."""
    if numbers not in (True, False, "auto"):
        raise ValueError(f'numbers must be "auto", True or False, got {numbers!r}')
    if numbers == "auto":
        return w.size <= MANY and POINTS * cell / NUMBER >= LEGIBLE
    return bool(numbers)


def write_numbers(ax: Axes, image: AxesImage, numbers: bool | str, cell: float, theme: Theme) -> None:
    """The weights in their cells, but for those that a mask has blocked; of "auto" those that two places can tell."""
    w = np.asarray(image.get_array())
    size = min(SIZE - 1.5, POINTS * cell / NUMBER)
    colour: Any = image.to_rgba
    for row, column in np.argwhere(np.abs(w) >= TELLING if numbers == "auto" else w != 0):
        ink = theme.ink_on(to_hex(colour(w[row, column])))
        ax.text(column, row, f"{w[row, column]:.2f}", ha="center", va="center", fontsize=size, color=ink)


def name_sides(upper: Iterable[Axes], left: Iterable[Axes], source: Sequence[object], target: Sequence[object]) -> None:
    """What the tokens are, over the upper maps and beside the left ones."""
    across, down = WITHIN if list(source) == list(target) else SIDES
    for ax in upper:
        ax.set_xlabel(across)
    for ax in left:
        ax.set_ylabel(down)
