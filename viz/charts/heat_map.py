"""Cells of colour with tokens beside them: what maps of attention and of gates are made of."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from ..pictures.labels import shorten, token_text
from ..pictures.palette import BROKEN, FAINT, INK, NUMBER, PAPER, QUIET, Theme, scale_for
from .fonts import ESCAPES, families
from .panels import SIZE, SMALL, SMALLEST, length, size_of

__all__ = ["standing_alone"]

BAR, SPAN, BESIDE = 0.1, 2.0, 0.12  # inches of a bar of colours: across, along, and from its map
LONGEST = 120.0  # points of a token; what is longer is shortened
APART = 1.1  # of a word's width
ROUND = [k * 10**n for n in range(9) for k in (1, 2, 5)]  # every so many steps there is a number
JAMO = re.compile("HANGUL (?:CHO|JUNG|JONG)SEONG (.+)")


def colours(theme: Theme, *, signed: bool = False) -> Colormap:
    """From the ground's own colour to much; with `signed` one hue below zero, another above."""
    stops = theme.signed if signed else (theme.hex(PAPER), *theme.ramp)
    return LinearSegmentedColormap.from_list("cells", stops).with_extremes(bad=theme.hex(BROKEN))


def hatch_cells(ax: Axes, where: np.ndarray, theme: Theme) -> None:
    """Grey, with fine lines through it, over the cells (rows, columns) that are marked."""
    boxes = [
        [(first - 0.5, row - 0.5), (end - 0.5, row - 0.5), (end - 0.5, row + 0.5), (first - 0.5, row + 0.5)]
        for row, marked in enumerate(where)
        for first, end in stretches(marked)
    ]
    if boxes:
        ax.add_collection(PolyCollection(boxes, **hatched(theme)), autolim=False)


def hatched(theme: Theme) -> dict[str, Any]:
    """What cells without a value look like."""
    return {"facecolor": theme.hex(NUMBER), "edgecolor": theme.hex(FAINT), "linewidth": 0, "hatch": "/////"}


def zero_sign(theme: Theme) -> Patch:
    """The sign of the cells that are hatched, for a legend."""
    return Patch(**hatched(theme), label="exactly 0")


def stretches(marked: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and end of each stretch of neighbours that are marked.

    >>> from tinygrad_seq.viz.charts.heat_map import stretches
    >>> list(stretches(np.array([True, True, False, True])))
    [(0, 2), (3, 4)]
    """
    changes = np.flatnonzero(np.diff(marked.astype(int), prepend=0, append=0))
    return zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)


def decades(values: np.ndarray) -> LogNorm:
    """The scale of all magnitudes that are positive and finite, in whole decades."""
    sizes = np.abs(values.ravel())
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    scale = scale_for([min(max(size, 1e-150), 1e150) for size in (sizes.min(), sizes.max())] if sizes.size else [])
    return LogNorm(10.0**scale.low, 10.0**scale.high)


def plain_frame(ax: Axes, theme: Theme) -> None:
    """No box around the cells, no marks beside them, quiet letters."""
    ax.set_facecolor("none")
    ax.tick_params(which="both", length=0, colors=theme.hex(INK))
    ax.xaxis.label.set_color(theme.hex(QUIET))
    ax.yaxis.label.set_color(theme.hex(QUIET))
    for spine in ax.spines.values():
        spine.set_visible(False)


def cell_lines(ax: Axes, rows: int, columns: int, theme: Theme) -> None:
    """Faint lines between the cells."""
    right, lowest = columns - 0.5, rows - 0.5
    across = [[(-0.5, row - 0.5), (right, row - 0.5)] for row in range(rows + 1)]
    down = [[(column - 0.5, -0.5), (column - 0.5, lowest)] for column in range(columns + 1)]
    ax.add_collection(LineCollection(across + down, colors=theme.hex("column-edge"), linewidths=0.6), autolim=False)


def add_bar(ax: Axes, image: AxesImage, theme: Theme, *, ticks: Sequence[float] | None = None, label: str = "") -> None:
    """What the colours mean, beside a map that stands where it stands."""
    box = ax.get_position()
    wide, high = box.width * size_of(ax.figure)[0], box.height * size_of(ax.figure)[1]
    span = SPAN if label else min(SPAN, high)
    place = ax.inset_axes((1 + BESIDE / wide, 1 - span / high, BAR / wide, span / high))
    quiet_bar(ax.figure.colorbar(image, cax=place, ticks=ticks, label=label), theme)


def quiet_bar(bar: Colorbar, theme: Theme) -> None:
    """A bar of colours without a frame."""
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=theme.hex(QUIET), length=0, labelsize=SMALL)
    bar.ax.minorticks_off()
    bar.ax.yaxis.label.set_color(theme.hex(QUIET))


# ---- the tokens beside the cells ------------------------------------------------------


def words(tokens: Sequence[object]) -> list[str]:
    """Tokens as they stand beside their cells: nothing in them is invisible, and none is long."""
    return [shorten(token_text(standing_alone(str(token))).translate(ESCAPES), LONGEST, SIZE) for token in tokens]


def upright(texts: Sequence[str], cell: float) -> bool:
    """Whether words over columns of `cell` points must stand upright."""
    return APART * max(map(length, texts)) > max(cell, 1.5 * SIZE)


def label_cells(axis: Axis, texts: Sequence[str], cell: float, theme: Theme) -> None:
    """A word beside every cell of `cell` points; where they would run into each other, beside every second or n-th."""
    if not texts:
        axis.set_ticks([])
        return
    across = isinstance(axis, XAxis) and not upright(texts, cell)
    extent = max(APART * max(map(length, texts)) / SIZE, 0.1) if across else APART
    size = max(min(SIZE, cell / extent), SMALLEST)
    every = max(1, math.ceil(size * extent / cell - 1e-9))
    font: Any = {"color": theme.hex(INK), "fontfamily": families(), "parse_math": False, "fontsize": size}
    font["rotation"] = 90 if isinstance(axis, XAxis) and not across else 0
    axis.set_ticks(range(0, len(texts), every), texts[::every], **font)


def round_steps(t: np.ndarray, cell: float) -> list[int]:
    """Which steps, in cells of so many points, have a number beside them: every second, fifth, tenth, …

    >>> from tinygrad_seq.viz.charts.heat_map import round_steps
    >>> round_steps(np.arange(1, 13), 5.0)
    [4, 9]
    """
    every = next(n for n in ROUND if n * cell >= 2 * SIZE)
    return [n for n, step in enumerate(t.tolist()) if step % every == 0 or len(t) <= every]


def label_steps(axis: Axis, t: np.ndarray, cell: float, theme: Theme) -> None:
    """Step numbers beside cells of so many points."""
    places = round_steps(t, cell)
    axis.set_ticks(places, [str(t[n]) for n in places], color=theme.hex(INK), fontsize=SMALL)


def standing_alone(text: str) -> str:
    """Letters of Hangul that stand alone, in the form that is drawn by itself (ㅎ, not the half of a syllable).

    >>> from tinygrad_seq.viz.charts.heat_map import standing_alone
    >>> standing_alone("\\u1112"), standing_alone("\\u1112\\u1161\\u11ab")
    ('ㅎ', '한')
    """
    return "".join(map(letter, unicodedata.normalize("NFC", text)))


def letter(character: str) -> str:
    """The character itself, or of a part of a Hangul syllable the letter."""
    part = JAMO.fullmatch(unicodedata.name(character, ""))
    try:
        return unicodedata.lookup(f"HANGUL LETTER {part[1]}") if part else character
    except KeyError:  # an old letter that has only one form
        return character
