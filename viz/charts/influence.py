"""A map of influence: how much each input, or state, moves each output, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from ..pictures.palette import BROKEN, DARK, LIGHT, Theme
from .attention_map import BAR, FOOT, HEADING, LINES, NAME
from .chart import Chart
from .fonts import families
from .heat_map import (
    add_bar,
    cell_lines,
    colours,
    decades,
    hatch_cells,
    label_cells,
    label_steps,
    plain_frame,
    quiet_bar,
    upright,
    words,
    zero_sign,
)
from .lines import NOT_FINITE, typeset
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

__all__ = ["plot_influence"]

CELL, WIDEST, LEAST = 0.3, 6.5, 2.0  # inches of a cell at most, of a map at most, and of its side at least
WORD = 0.11  # inches of a cell beside which a token can be read


def plot_influence(
    source: Any,
    *,
    tokens: Sequence[object] | None = None,
    outputs: Sequence[object] | None = None,
    title: str | None = None,
    dark: bool = False,
    ax: Axes | None = None,
) -> Chart:
    """Plot how much each input moves each output: a row for each output step t, a column for each input step s.

    source: what `gradflow.influence` gives (anything with `t`, `s` and `norms`), or an array (outputs, inputs).
    Colours are logarithmic, over twelve decades at most.  What is exactly 0, as above the diagonal of a causal model,
    is grey and hatched; NaN and Inf have a colour of their own and are counted.
    tokens: one for each input step, above.  outputs: one for each output step, beside; tokens, if they are as many.
    ax: where to draw; a figure of its own by default.  data: t, output (where given), s, token (where given), norm.
    Raises ValueError for an array without cells, and for tokens that are not as many as the steps.

    >>> chart = plot_influence([[1.0, 0.0], [0.1, 1.0]], tokens="ab")
    >>> chart.data["t"].tolist(), chart.data["s"].tolist(), chart.data["norm"].tolist()
    ([1, 1, 2, 2], [1, 2, 1, 2], [1.0, 0.0, 0.1, 1.0])
    """
    norms, t, s = read(source)
    if outputs is None and tokens is not None and len(tokens) == len(t) and np.array_equal(t, s):
        outputs = tokens
    across, down = checked(tokens, len(s), "tokens"), checked(outputs, len(t), "outputs")
    theme = DARK if dark else LIGHT
    own = ax is None
    if ax is None:
        ax, cell = own_axes(norms, across, down, title, theme)
    else:
        box = ax.get_window_extent()
        cell = min(box.width / norms.shape[1], box.height / norms.shape[0]) / ax.figure.dpi
    image = draw(ax, norms, t, s, across, down, cell, theme)
    y, x = names_of(source)
    ax.set_xlabel(typeset(f"{x}_s")[0], fontfamily=families(), parse_math=typeset(f"{x}_s")[1])
    ax.set_ylabel(typeset(f"{y}_t")[0], fontfamily=families(), parse_math=typeset(f"{y}_t")[1])
    sign = typeset(f"‖∂{y}_t/∂{x}_s‖")[0]
    if (np.isfinite(norms) & (norms > 0)).any():
        if own:
            add_bar(ax, image, theme, label=sign)
        else:
            quiet_bar(ax.figure.colorbar(image, ax=ax, label=sign, shrink=0.8), theme)
    signs = [zero_sign(theme)] if (norms == 0).any() else []
    if not np.isfinite(norms).all():
        said = f"{NOT_FINITE} ({(~np.isfinite(norms)).sum():,})"
        signs.append(Patch(facecolor=theme.hex(BROKEN), label=said))
    if signs:
        ax.legend(handles=signs, loc="upper left", bbox_to_anchor=(0, 0), ncols=2, **legend_font(theme))
    if title:
        room = POINTS * size_of(ax.figure)[0] * (1 - ax.get_position().x0)
        ax.set_title(fitted(title, room, TITLE), loc="left", **heading_font(theme, TITLE))
    return Chart(ax, table(norms, t, s, tokens, outputs), title)


def read(source: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Magnitudes (outputs, inputs) and the steps of both.  Raises ValueError."""
    norms = np.asarray(getattr(source, "norms", source), float)
    if norms.ndim != 2 or not norms.size:
        raise ValueError(f"plot_influence needs magnitudes (outputs, inputs), at least one, got shape {norms.shape}")
    t, s = (np.asarray(getattr(source, name, np.arange(1, size + 1))) for name, size in zip("ts", norms.shape))
    if (len(t), len(s)) != norms.shape:
        raise ValueError(f"plot_influence needs a step for each row and column of {norms.shape}: {len(t)}, {len(s)}")
    if (norms < 0).any():
        raise ValueError(f"plot_influence needs magnitudes, got {np.nanmin(norms):.3g}")
    return norms, t, s


def names_of(source: Any) -> tuple[str, str]:
    """What outputs and inputs are called."""
    names = getattr(source, "names", None)
    return (str(names[0]), str(names[1])) if names is not None and len(names) == 2 else ("y", "x")


def checked(tokens: Sequence[object] | None, steps: int, name: str) -> list[str] | None:
    """Tokens as they are written.  Raises ValueError where they are not as many as the steps."""
    if tokens is not None and len(tokens) != steps:
        raise ValueError(f"{name} must have one entry for each of the {steps} steps, got {len(tokens)}")
    return None if tokens is None else words(tokens)


def own_axes(
    norms: np.ndarray, across: list[str] | None, down: list[str] | None, title: str | None, theme: Theme
) -> tuple[Axes, float]:
    """Axes in a figure that has room for the map, its steps or tokens and its title; and the inches of a cell."""
    rows, columns = norms.shape
    cell = min(CELL, max(WIDEST / max(rows, columns), WORD * (across is not None or down is not None)))
    beside = (max(map(length, down)) / POINTS if down else 0.25) + 0.35
    above = 0.25
    if across:
        above = max(map(length, across)) / POINTS if upright(across, POINTS * cell) else 1.5 * SIZE / POINTS
    top = above + 0.28 + (HEAD if title else 0.05)
    wide, high = max(cell * columns, 0.3), max(cell * rows, 0.3)
    heading = min(length(title or "", TITLE) / POINTS + 0.1, HEADING)
    bottom = max(FOOT + 0.1, (NAME - high) / 2, LEAST - high - top)
    right = max(BAR, heading - wide, LEAST - wide)
    figure = new_figure(beside + wide + right, top + high + bottom, theme)
    around = Margins(left=beside, right=right, top=top, bottom=bottom)
    return panels(figure, [1.0], 1, around, Margins())[0, 0], cell


def draw(
    ax: Axes,
    norms: np.ndarray,
    t: np.ndarray,
    s: np.ndarray,
    across: list[str] | None,
    down: list[str] | None,
    cell: float,
    theme: Theme,
) -> AxesImage:
    """The cells, with steps or tokens beside them."""
    scale = decades(norms)
    shown = np.ma.masked_where(~np.isfinite(norms), norms.clip(scale.vmin or 0.0, None))
    image = ax.imshow(shown, colours(theme), norm=scale, interpolation="nearest")
    hatch_cells(ax, norms == 0, theme)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    for axis, steps, texts in ((ax.xaxis, s, across), (ax.yaxis, t, down)):
        if texts is None:
            label_steps(axis, steps, POINTS * cell, theme)
        else:
            label_cells(axis, texts, POINTS * cell, theme)
    if max(norms.shape) <= LINES // 2:
        cell_lines(ax, len(t), len(s), theme)
    plain_frame(ax, theme)
    ax.tick_params(pad=2, labelsize=None if across else SMALL)
    return image


def table(
    norms: np.ndarray,
    t: np.ndarray,
    s: np.ndarray,
    tokens: Sequence[object] | None,
    outputs: Sequence[object] | None,
) -> dict[str, Any]:
    """A row for each cell."""
    columns: dict[str, Any] = {"t": np.repeat(t, len(s))}
    if outputs is not None:
        columns["output"] = [str(token) for token in outputs for _ in s]
    columns["s"] = np.tile(s, len(t))
    if tokens is not None:
        columns["token"] = [str(token) for _ in t for token in tokens]
    return columns | {"norm": norms.ravel()}
