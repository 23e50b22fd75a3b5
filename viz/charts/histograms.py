"""How the numbers of each parameter, and of its gradient, are distributed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from tinygrad_seq.data import plain
from tinygrad_seq.graph import Node

from ..errors import PictureTooLargeError
from ..pictures.labels import number
from ..pictures.palette import BROKEN, DARK, FAINT, LIGHT, QUIET, ZERO, Theme, weight
from .chart import Chart
from .panels import (
    HEAD,
    POINTS,
    SIZE,
    SMALL,
    Margins,
    fitted,
    heading_font,
    length,
    new_figure,
    panels,
    size_of,
    write_title,
)

__all__ = ["plot_histograms"]

WIDTH, HEIGHT = 3.4, 1.25  # inches of one histogram, with what stands around it
EACH = Margins(left=0.65, right=0.15, top=0.25, bottom=0.42)  # inches of it
SIDE_BY_SIDE = 8  # parameters in one column; of more there are two
MOST = 100  # parameters in a picture
FEWEST, MOST_BINS = 8, 60
STEEP = 30.0  # times that the highest bar is as high as the middle one; above it counts are logarithmic
EDGE = 1e150  # further, matplotlib's ticks overflow


def plot_histograms(
    parameters: Any,
    *,
    log: bool | None = None,
    title: str | None = None,
    dark: bool = False,
    figure: Figure | SubFigure | None = None,
) -> Chart:
    """Plot how the numbers of each parameter are distributed, and beside it those of its gradient.

    parameters: a model, anything with `named_parameters()`; or a mapping of names to tensors or arrays.  The gradient
    is the one that `backward` left; where there is none it says so.  What is exactly 0 is the grey part of a bar; NaN
    and Inf are counted and have no bar.  Under each histogram stand mean and standard deviation of what is finite.
    log: counts on a logarithmic scale; None: where one bar is far above the others.
    figure: where to draw, also a SubFigure; one of its own by default.  data: a row for each bar: parameter, of
    ("value" or "gradient"), the edges low and high, the count, and how many of it are exactly 0 (zeros).
    Raises ValueError for no parameter at all, PictureTooLargeError for more than 100.

    >>> from tinygrad_seq import nn
    >>> model = nn.Linear(3, 2)
    >>> chart = plot_histograms(model)
    >>> [ax.get_title("left") for ax in chart.axes]
    ['weight (2, 3)', 'gradient', 'bias (2)', 'gradient']
    """
    named = read(parameters)
    if len(named) > MOST:
        raise PictureTooLargeError(
            f"{len(named):,} parameters are more than the {MOST} that fit into a picture: give a part of the model, or "
            "a mapping of the names to the parameters that matter"
        )
    theme = DARK if dark else LIGHT
    beside = 1 if len(named) <= SIDE_BY_SIDE else 2
    rows = math.ceil(len(named) / beside)
    around = Margins(top=HEAD if title else 0.05)
    if figure is None:
        figure = new_figure(2 * WIDTH * beside, HEIGHT * rows + around.top, theme)
    grid = panels(figure, [1.0] * rows, 2 * beside, around, EACH).reshape(rows * beside, 2)
    room = POINTS * size_of(figure)[0] / (2 * beside) - SIZE
    bars: list[tuple[Any, ...]] = []
    for ax in grid[len(named) :].flat:
        ax.remove()
    for (name, parameter), (left, right) in zip(named.items(), grid[: len(named)], strict=True):
        values = np.asarray(plain(parameter))
        shape = f" ({', '.join(map(str, values.shape))})" if values.ndim else ""
        called = fitted(name, room - length(shape)) + shape
        bars += [(name, "value", *bar) for bar in draw_histogram(left, values, weight(3), log, theme)]
        left.set_title(called, loc="left", pad=4, **heading_font(theme))
        bars += [(name, "gradient", *bar) for bar in draw_gradient(right, parameter, log, theme)]
        right.set_title("gradient", loc="left", pad=4, color=theme.hex(QUIET), fontsize=SIZE)
    write_title(figure, title, theme)
    names = ("parameter", "of", "low", "high", "count", "zeros")
    return Chart(figure, {name: [bar[n] for bar in bars] for n, name in enumerate(names)}, title)


def read(parameters: Any) -> dict[str, Any]:
    """Parameters by their names.  Raises TypeError for what has none, ValueError where there is not one."""
    pairs = parameters.named_parameters() if hasattr(parameters, "named_parameters") else parameters
    try:
        named = {str(name): parameter for name, parameter in dict(pairs).items()}
        kinds = {name: np.asarray(plain(parameter)).dtype.kind for name, parameter in named.items()}
    except (TypeError, ValueError):
        raise TypeError(
            "plot_histograms needs a model with named_parameters(), or a mapping of names to tensors, got "
            f"{type(parameters).__name__}"
        ) from None
    for name, kind in kinds.items():
        if kind not in "fiub":
            raise TypeError(f"plot_histograms needs real numbers, {name!r} is {type(named[name]).__name__}")
    if not named:
        raise ValueError("plot_histograms needs at least one parameter, got none")
    return named


Bar = tuple[float, float, int, int]  # from, to, how many numbers, how many of them are 0


def draw_gradient(ax: Axes, parameter: Any, log: bool | None, theme: Theme) -> list[Bar]:
    """The gradient of a parameter, or why there is none; and its bars."""
    gradient = getattr(parameter, "grad", None)
    if gradient is not None:
        return draw_histogram(ax, np.asarray(plain(gradient)), weight(0), log, theme)
    if isinstance(parameter, Node) and parameter.requires_grad:
        say(ax, "none: no backward has reached it", theme)
    else:
        say(ax, "none: it asks for no gradient", theme)
    return []


def draw_histogram(ax: Axes, values: np.ndarray, colour: str, log: bool | None, theme: Theme) -> list[Bar]:
    """One histogram, and under it its numbers; its bars."""
    values = values.ravel().astype(float)
    finite = values[np.isfinite(values)].clip(-EDGE, EDGE)
    if not finite.size:
        say(ax, f"no finite number{broken(values)}" if values.size else "empty", theme)
        return []
    edges = edges_for(finite)
    zeros = np.histogram(finite[finite == 0], edges)[0]
    others = np.histogram(finite[finite != 0], edges)[0]
    counts = zeros + others
    ax.stairs(others, edges, fill=True, color=theme.hex(colour))
    if zeros.any():
        ax.stairs(counts, edges, baseline=others, fill=True, color=theme.hex(ZERO))
    logarithmic = counts.max() > STEEP * np.median(counts[counts > 0]) if log is None else log
    frame(ax, int(counts.max()), bool(logarithmic), theme)
    ax.set_xlabel(told(values), fontsize=SMALL, color=theme.hex(QUIET if finite.size == values.size else BROKEN))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), zeros.tolist(), strict=True))


def edges_for(values: np.ndarray) -> np.ndarray:
    """The edges of the bins from the least to the greatest value; a single value stands in the middle of them.

    >>> from tinygrad_seq.viz.charts.histograms import edges_for
    >>> edges_for(np.array([0.0, 4.0, 8.0]))
    array([0., 1., 2., 3., 4., 5., 6., 7., 8.])
    >>> edges_for(np.full(3, 2.0))[[0, -1]]
    array([1., 3.])
    """
    bins = min(max(math.ceil(2 * values.size ** (1 / 3)), FEWEST), MOST_BINS)
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, bins + 1)
    if high - low < max(1 / EDGE, 1e-12 * max(-low, high)):  # too near for edges between them
        apart = max(abs(low), abs(high)) / 2
        apart = apart if apart > 1 / EDGE else 0.5
        edges = np.linspace(low - apart, high + apart, FEWEST)
    return edges


def told(values: np.ndarray) -> str:
    """Mean and standard deviation of what is finite, the share of what is exactly 0, and what is broken."""
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) or 1.0
    scaled = finite / largest  # whose squares are numbers
    zero = np.count_nonzero(values == 0) / values.size
    if finite.size == values.size and finite.min() == finite.max():
        return f"all {values.size:,} are {number(float(finite[0]))}" if values.size > 1 else number(float(finite[0]))
    said = f"mean {short(largest * float(scaled.mean()))}, std {short(largest * float(scaled.std()))}"
    return said + (f", {100 * zero:.3g} % zero" if zero else "") + broken(values)


def short(value: float) -> str:
    """A number of three digits."""
    return number(float(f"{value:.3g}"))


def broken(values: np.ndarray) -> str:
    """How many numbers are NaN or infinite."""
    counts = {"NaN": np.isnan(values).sum(), "Inf": np.isinf(values).sum()}
    return "".join(f", {count:,} {name}" for name, count in counts.items() if count)


def frame(ax: Axes, highest: int, log: bool, theme: Theme) -> None:
    """The axes: few numbers, and no line but the lowest."""
    plain_sides(ax, theme)
    if log:
        ax.set_yscale("log", nonpositive="clip")
        ax.set_ylim(0.5, 1.3 * highest)
        ax.set_ylabel("log", fontsize=SMALL, color=theme.hex(QUIET))
    else:
        ax.set_ylim(0, 1.05 * highest)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticks(sorted({1 if log else 0, highest}), [f"{n:,}" for n in sorted({1 if log else 0, highest})])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def say(ax: Axes, words: str, theme: Theme) -> None:
    """Words in the place of a histogram."""
    plain_sides(ax, theme)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=SMALL, color=theme.hex(QUIET))


def plain_sides(ax: Axes, theme: Theme) -> None:
    """A faint line below, none at the other sides."""
    ax.set_facecolor("none")
    ax.tick_params(colors=theme.hex(QUIET), labelsize=SMALL, length=2)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.hex(FAINT))
