"""A map of attention: for each token that is written, at which tokens of the source the model looked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from .charts import INK, QUIET, families
from .labels import shorten, text_width, token_text
from .palette import RAMP

__all__ = ["plot_attention", "standing_alone"]

CELL = 0.3  # inches
LARGEST = 24.0  # inches of a figure's side; above it cells get smaller
JAMO = re.compile("HANGUL (?:CHO|JUNG|JONG)SEONG (.+)")


def plot_attention(
    weights: Any,
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot weights of attention: a row for each token that is written, a column for each that is read.

    weights: (target, source), from 0 to 1, such as `model.align(source, lengths, target)[0]`.  The darker, the larger;
    the scale is the same in every map.  ax: where to draw; a figure of its own by default, which is `ax.figure`.
    Raises ValueError where the weights are not one for each pair of tokens.

    >>> ax = plot_attention([[0.9, 0.1], [0.2, 0.8]], ["일", "월"], ["S", "M"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['S', 'M']
    """
    w = np.asarray(getattr(weights, "data", weights), float)
    rows, columns = len(target_tokens), len(source_tokens)
    if w.shape != (rows, columns) or not w.size:
        raise ValueError(
            f"plot_attention needs weights (target, source), at least one, got shape {w.shape} for {rows} target and "
            f"{columns} source tokens: of a batch give one, weights[0]"
        )
    if not np.isfinite(w).all():
        raise ValueError("plot_attention needs weights that are numbers, got NaN or Inf")
    ax = new_axes(rows, columns) if ax is None else ax
    image = ax.imshow(w, LinearSegmentedColormap.from_list("attention", ["#ffffff", *RAMP]), vmin=0, vmax=1)
    font: Any = {"color": INK, "fontfamily": families(), "parse_math": False}
    across, down = ([token_text(standing_alone(str(x))) for x in side] for side in (source_tokens, target_tokens))
    upright = max(text_width(x, 10) for x in across) > 72 * CELL
    ax.set_xticks(range(columns), across, rotation=90 if upright else 0, **font)
    ax.set_yticks(range(rows), down, **font)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("read", color=QUIET)
    ax.set_ylabel("written", color=QUIET)
    ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#e3e8ed", linewidth=0.6)
    ax.tick_params(which="both", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title:
        title = shorten(title, 60 * ax.figure.get_figwidth(), 12)  # type: ignore[union-attr]
        ax.set_title(title, loc="left", color=INK, fontfamily=families(), parse_math=False)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, label="weight", ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    return ax


def new_axes(rows: int, columns: int) -> Axes:
    """Axes of a figure that has room for so many cells."""
    width, height = min(CELL * columns + 2.0, LARGEST), min(CELL * rows + 1.4, LARGEST)
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def standing_alone(text: str) -> str:
    """Letters of Hangul that stand alone, in the form that is drawn by itself (ㅎ, not the half of a syllable).

    >>> from tinygrad_seq.viz.attention_map import standing_alone
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
