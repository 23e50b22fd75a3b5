"""Figures of several charts: where each stands, what is written over it, and how much text there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from ..pictures.labels import text_width, visible
from ..pictures.palette import INK, PAPER, QUIET, Theme
from .fonts import ESCAPES, families

POINTS = 72  # in an inch
TITLE, SIZE, SMALL, SMALLEST = 12.0, 10.0, 8.0, 5.0  # of letters, in points
LONGEST = 200  # characters of a title
HEAD = 0.27  # inches that the title of a figure takes
WIDER = 1.12  # how much wider Matplotlib's own font is than those that `labels` measures


class Margins(NamedTuple):
    """Inches at each side of something."""

    left: float = 0.0
    right: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """A figure of so many inches that pyplot knows nothing of."""
    figure = Figure(figsize=(width, height), dpi=144, facecolor=theme.hex(PAPER))
    FigureCanvasAgg(figure)
    return figure


def size_of(figure: Figure | SubFigure) -> tuple[float, float]:
    """Width and height in inches."""
    return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi


def panels(
    figure: Figure | SubFigure, heights: Sequence[float], columns: int, around: Margins, each: Margins
) -> np.ndarray:
    """Axes in rows of these heights, relative to each other, and in columns of one width.

    around: inches around all of them.  each: inches around every single one.
    Matplotlib's own layouts measure all that is written, which takes many seconds for a hundred axes.
    """
    wide, high = size_of(figure)
    width = (wide - around.left - around.right) / columns - each.left - each.right
    room = high - around.top - around.bottom - len(heights) * (each.top + each.bottom)
    grid = np.empty((len(heights), columns), object)
    top = high - around.top
    for row, share in enumerate(heights):
        height = max(room * share / sum(heights), 0.01)
        bottom = top - each.top - height
        for column in range(columns):
            left = around.left + column * (width + each.left + each.right) + each.left
            grid[row, column] = figure.add_axes((left / wide, bottom / high, max(width, 0.01) / wide, height / high))
        top = bottom - each.bottom
    return grid


def write_title(figure: Figure | SubFigure, title: str | None, theme: Theme) -> None:
    """The title over all, at the left edge."""
    if title:
        wide, high = size_of(figure)
        figure.suptitle(fitted(title, POINTS * (wide - 0.2), TITLE), x=0.1 / wide, y=1 - 0.08 / high, ha="left",
                        va="top", **heading_font(theme, TITLE))  # fmt: skip


def heading_font(theme: Theme, size: float = SIZE) -> dict[str, Any]:
    """How a title is written."""
    return {"color": theme.hex(INK), "fontfamily": families(), "fontsize": size, "parse_math": False}


def legend_font(theme: Theme) -> dict[str, Any]:
    """How a legend is written."""
    return {"frameon": False, "fontsize": SMALL, "labelcolor": theme.hex(QUIET), "borderpad": 0.2}


def fitted(text: str, room: float, size: float = SIZE) -> str:
    """A title as it is drawn, or as much of it as fits into so many points followed by an ellipsis.

    >>> from tinygrad_seq.viz.charts.panels import fitted
    >>> fitted("gates of the decoder", 300), fitted("gates of the decoder", 80)
    ('gates of the decoder', 'gates of the …')
    """
    text = visible(text).translate(ESCAPES)
    if len(text) <= LONGEST and length(text, size) <= room:
        return text
    room -= length("…", size)
    kept = sum(width <= room for width in accumulate(length(character, size) for character in text[:LONGEST]))
    while kept and (text[kept - 1] == "\u200d" or not length(text[kept])):  # accents and joined emoji stay whole
        kept -= 1
    return text[:kept] + "…"


def length(text: str, size: float = SIZE) -> float:
    """Points that a word takes."""
    return WIDER * text_width(text, size)
