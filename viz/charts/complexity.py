"""The complexity table as a picture: how the work of layers, their sequential operations and their paths grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from ..errors import PictureTooLargeError
from ..pictures.labels import visible
from ..pictures.palette import LIGHT
from .chart import Chart
from .fonts import ESCAPES, families
from .lines import GRID, INK, QUIET, quiet_frame, style
from .panels import HEAD, SIZE, SMALL, Margins, fitted, heading_font, new_figure, panels, write_title

__all__ = ["plot_complexity"]

COLUMNS = {
    "multiply-adds of a layer": "multiply_adds",
    "sequential operations": "sequential",
    "maximum path length": "maximum_path",
}
WIDE, ROW, HIGH = 9.6, 0.3, 2.2  # inches of the whole, of a row of the table, and of the panels below
EACH = Margins(left=0.62, right=0.12, top=0.42, bottom=0.5)  # inches around a panel
AT = (0.0, 0.24, 0.60, 0.81)  # where the columns of the table begin, of its width
LAYERS = 30  # rows
NAME = 130.0  # points of a layer's name; what is longer is shortened


class Grown(NamedTuple):
    """One count of one layer: n, d and the count of each record, and the exponents fitted to it."""

    n: np.ndarray
    d: np.ndarray
    counts: np.ndarray
    law: Any  # with the exponents n and d; None where nothing is counted


def plot_complexity(source: Mapping[Any, Any], *, title: str | None = None) -> Chart:
    """Plot how layers grow with the length n and the width d, as Table 1 of "Attention Is All You Need" tells it.

    source: a mapping of labels to what `gradflow.complexity` gives, or one of those.
    Above stands a row for each layer with the exponents that were fitted: of its multiply-adds, term by term, and of n
    for its sequential operations and its longest path.  Below are the counts themselves against n, at the largest d,
    on logarithmic axes: a slope is an exponent.
    data: label, measure, n, d, count, and the fitted exponents n_exponent and d_exponent (NaN where there is none).
    Raises TypeError, ValueError for no layer, PictureTooLargeError for more than 30.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import complexity
    >>> def recurrent(n, d):
    ...     h, W = Tensor(np.zeros(d)), Tensor(np.eye(d), requires_grad=True)
    ...     for t, x in steps(np.ones((n, d))):
    ...         h = (h @ W + Tensor(x).named("x")).named("h")
    ...     return h
    >>> chart = plot_complexity({"recurrent": complexity(recurrent, (4, 8), (4, 8), targets="h")})
    >>> chart.data["n_exponent"].round(2)[0], chart.data["d_exponent"].round(2)[0]
    (np.float64(1.0), np.float64(2.0))
    """
    layers = {str(label): one for label, one in (source.items() if isinstance(source, Mapping) else [("", source)])}
    if not layers:
        raise ValueError("plot_complexity needs at least one layer, got an empty mapping")
    if len(layers) > LAYERS:
        raise PictureTooLargeError(f"{len(layers)} layers are more than the {LAYERS} rows that fit into a picture")
    grown = {label: read(one) for label, one in layers.items()}
    head, rows = 0.1 + HEAD * bool(title), ROW * (len(layers) + 1)
    figure = new_figure(WIDE, head + rows + HIGH + EACH.top, LIGHT)
    above, below = Margins(0.2, 0.2, head, HIGH + EACH.top), Margins(top=head + rows)
    draw_table(panels(figure, [1.0], 1, above, Margins())[0, 0], layers)
    drawn = panels(figure, [1.0], len(COLUMNS), below, EACH)[0]
    for ax, (heading, name) in zip(drawn, COLUMNS.items(), strict=True):
        draw_counts(ax, [counts[name] for counts in grown.values()])
        ax.set_title(heading, loc="left", **heading_font(LIGHT, SIZE - 1))
    write_title(figure, title, LIGHT)
    return Chart(figure, table(grown), title)


def read(source: Any) -> dict[str, Grown]:
    """The counts of one layer, by name.  Raises TypeError and ValueError."""
    if not hasattr(source, "counts") or not hasattr(source, "terms"):
        raise TypeError(f"plot_complexity needs what gradflow.complexity gives, got {type(source).__name__}")
    n, d = np.asarray(source.counts["n"]), np.asarray(source.counts["d"])
    if not len(n):
        raise ValueError("plot_complexity needs counts of at least one record, got none")
    return {
        name: Grown(n, d, np.asarray(source.counts[name], float), getattr(source, name)) for name in COLUMNS.values()
    }


def draw_table(ax: Axes, layers: Mapping[str, Any]) -> None:
    """A row for each layer: its sign in the panels, its name, and how it grows."""
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(len(layers) + 1, 0)
    for x, heading in zip(AT, ("layer", *COLUMNS), strict=True):
        ax.text(x, 0.5, heading, color=QUIET, fontsize=SIZE - 1, va="center")
    for n, (label, source) in enumerate(layers.items()):
        looks, y = style(n), n + 1.5
        ax.add_line(Line2D([0, 1], [n + 1, n + 1], color=GRID, linewidth=0.8))
        ax.add_line(Line2D([0.002, 0.021, 0.04], [y, y, y], markevery=[1], markersize=5, linewidth=1.6, **looks))
        ax.text(AT[0] + 0.05, y, fitted(visible(label).translate(ESCAPES), NAME), color=INK, fontfamily=families(),
                fontsize=SIZE, parse_math=False, va="center")  # fmt: skip
        terms = list(dict.fromkeys(both(term.law) for term in source.terms))
        said = (" + ".join(terms) or "none", length(source.sequential), length(source.maximum_path))
        for x, text in zip(AT[1:], said, strict=True):
            ax.text(x, y, text, color=INK, fontsize=SIZE, va="center")


def both(law: Any) -> str:
    """How a count grows with n and with d."""
    return rf"$n^{{\,{law.n}}}\;d^{{\,{law.d}}}$"


def length(law: Any) -> str:
    """How a count grows with n."""
    return rf"$n^{{\,{law.n}}}$"


def draw_counts(ax: Axes, layers: Sequence[Grown]) -> None:
    """The counts of all layers against n, at the largest d."""
    heights = []
    for n, grown in enumerate(layers):
        at = np.flatnonzero((grown.d == grown.d.max()) & (grown.counts > 0))
        at = at[np.argsort(grown.n[at])]
        ax.plot(grown.n[at], grown.counts[at], linewidth=1.6, markersize=4.5, **style(n))
        heights += grown.counts[at].tolist()
    ax.set_xscale("log")
    ax.set_yscale("log")
    if heights:
        low, high = np.floor(np.log10(min(heights)) - 0.02), np.ceil(np.log10(max(heights)) + 0.02)
        ax.set_ylim(10.0**low, 10.0**high)
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color=QUIET)
    lengths = sorted({int(n) for grown in layers for n in grown.n})
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(NullFormatter())
    every = max(1, -(-len(lengths) // 6))
    ax.set_xticks(lengths[::every], [str(n) for n in lengths[::every]])
    quiet_frame(ax, None)
    ax.tick_params(labelsize=SMALL)
    widths = sorted({int(grown.d.max()) for grown in layers})
    ax.set_xlabel(f"length n, at d = {', '.join(map(str, widths))}", color=INK, fontsize=SIZE - 1)


def table(grown: Mapping[str, Mapping[str, Grown]]) -> dict[str, Any]:
    """A row for each count of each record."""
    rows = [(label, heading, counts[name]) for label, counts in grown.items() for heading, name in COLUMNS.items()]
    columns: dict[str, Any] = {
        "label": [label for label, _, one in rows for _ in one.n],
        "measure": [heading for _, heading, one in rows for _ in one.n],
    }
    for name, at in (("n", "n"), ("d", "d"), ("count", "counts")):
        columns[name] = np.concatenate([getattr(one, at) for *_, one in rows])
    for size in ("n", "d"):
        fits = [getattr(one.law, size).exponent if one.law is not None else np.nan for *_, one in rows]
        columns[f"{size}_exponent"] = np.concatenate([np.full(len(r[2].n), fit) for r, fit in zip(rows, fits)])
    return columns
