"""A chart of gradient against distance: how much of it is left so many steps back from the loss, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..pictures.palette import LIGHT
from .chart import Chart
from .fonts import families
from .gradient import read
from .lines import INK, limits, quiet_frame, typeset
from .panels import HEAD, SIZE, Margins, fitted, heading_font, legend_font, new_figure, panels, size_of, write_title
from .runs import Runs, check_band, draw_runs, exceptions, label_ends, label_room, table

__all__ = ["plot_distance"]

WIDE, SIDE_BY_SIDE, HIGH = 5.2, 3.9, 3.7  # inches of one panel, of each of several, and of the height of all
LEFT, NEXT, FOOT, EDGE = 0.75, 0.2, 0.75, 0.15  # inches beside the first panel, each other, below, and at the edge
HEADING = 0.25  # inches over a panel, for its name


def plot_distance(
    source: Mapping[Any, Any],
    *,
    band: str = "range",
    relative: bool = False,
    ylabel: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Chart:
    """Plot how much gradient reaches a step against its distance from the last one, T − t, for several models.

    source: a mapping of labels to runs, one for each seed: an array (seeds, T) or (T) in the order of time, or what
    `gradflow.per_step` gives, or a list of such.  A mapping of names to such mappings draws panels side by side, such
    as {"at initialisation": {…}, "after training on recall": {…}}, which share their axes.
    A line is the median over runs, on a logarithmic axis.  band: "range", from the least to the greatest run, or
    "quartiles", the middle half.  relative: each run as a multiple of its own value at distance 0.
    Medians that are exactly 0 stand at the lower edge as hollow triangles; places where a run is NaN or Inf are marked
    by crosses at the upper, and median and band are those of the finite runs.
    ylabel: what is measured; by default what a series says of itself.  ax: where to draw a single panel.
    data: panel (of several), label, distance, median, low, high, finite (how many of the runs), runs.
    Raises ValueError for runs of different lengths, and for relative=True where there is nothing at distance 0.

    >>> rnn, lstm = 0.5 ** np.arange(10)[::-1], [0.9 ** np.arange(10)[::-1], 0.8 ** np.arange(10)[::-1]]
    >>> chart = plot_distance({"RNN": rnn, "LSTM": lstm})
    >>> chart.data["distance"][:3].tolist(), chart.data["median"][:3].tolist()
    ([0, 1, 2], [1.0, 0.5, 0.25])
    """
    check_band(band)
    named, kinds = grouped(source)
    lines = {panel: [read_runs(label, runs, relative) for label, runs in models.items()] for panel, models in named}
    said = kinds[0] if ylabel is None else ylabel
    said = f"{said}, multiple of that at distance 0" if relative and ylabel is None else said
    summaries = [runs.summary(band) for models in lines.values() for runs in models]
    floor, ceiling = limits([one[name] for one in summaries for name in ("median", "low", "high")])
    if ax is not None and len(lines) > 1:
        raise ValueError(f"ax is for one panel, got {len(lines)}: leave it out, or draw each panel by itself")
    axes = [ax] if ax is not None else own_axes(lines, title)
    for panel_ax, (panel, models) in zip(axes, lines.items(), strict=True):
        for n, runs in enumerate(models):
            draw_runs(panel_ax, runs, n, band, floor, ceiling)
        panel_ax.set_yscale("log")
        panel_ax.set_ylim(floor, ceiling)
        furthest = max(runs.at[-1] for models in lines.values() for runs in models)
        panel_ax.set_xlim(-0.02 * furthest - 0.1, furthest * 1.02 + 0.1)
        panel_ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
        quiet_frame(panel_ax, title if ax is not None else None)
        panel_ax.tick_params(labelsize=SIZE - 1)
        heading = panel if len(lines) > 1 else ""
        if heading:
            room = 72 * size_of(panel_ax.figure)[0] * panel_ax.get_position().width
            panel_ax.set_title(fitted(heading, room), loc="left", **heading_font(LIGHT))
        panel_ax.set_xlabel("distance T − t, steps back from the last", color=INK, fontsize=SIZE)
        legend(panel_ax, models, band, floor, own=ax is None)
    sign, mathematics = typeset(said)
    axes[0].set_ylabel(sign, color=INK, fontsize=SIZE, parse_math=mathematics, fontfamily=families())
    for other in axes[1:]:
        other.tick_params(labelleft=False)
    if ax is None:
        write_title(axes[0].figure, title, LIGHT)
    return Chart(axes[0] if ax is not None else axes[0].figure, table(lines, "distance", band), title)


def legend(ax: Axes, runs: Sequence[Runs], band: str, floor: float, own: bool) -> None:
    """Labels at the ends of the lines, or where there is no room a legend; and the signs of what has no place."""
    handles: list[Any] = [*exceptions(runs, band, floor)]
    if not own or not label_ends(ax, runs, band):
        handles = [*ax.get_legend_handles_labels()[0], *handles]
    if handles:
        font = legend_font(LIGHT) | {"prop": {"family": families(), "size": SIZE - 1}}
        font.pop("fontsize")
        ax.legend(handles=handles, loc="best" if not own else "lower left", **font)


def own_axes(lines: Mapping[str, Sequence[Runs]], title: str | None) -> list[Axes]:
    """A panel for each, with room for the labels at its right."""
    room = max(label_room(runs) for runs in lines.values())
    wide = WIDE if len(lines) == 1 else SIDE_BY_SIDE
    top = EDGE + HEAD * bool(title) + HEADING * (len(lines) > 1)
    figure = new_figure(LEFT + len(lines) * (wide + room + NEXT), HIGH + top, LIGHT)
    around = Margins(left=LEFT, top=top, bottom=FOOT - 0.15)
    return list(panels(figure, [1.0], len(lines), around, Margins(right=room + NEXT))[0])


def grouped(source: Mapping[Any, Any]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    """Panels with their models, and what the models' series call themselves.  Raises TypeError and ValueError."""
    if not isinstance(source, Mapping):
        raise TypeError(f"plot_distance needs a mapping of labels to runs, got a {type(source).__name__}")
    nested = [isinstance(runs, Mapping) for runs in source.values()]
    if any(nested) != all(nested):
        raise TypeError("plot_distance needs runs for every label, or for every panel a mapping: here are both")
    panels_of = source if any(nested) else {"": source}
    found = [(str(panel), {str(label): runs for label, runs in models.items()}) for panel, models in panels_of.items()]
    if not source or not all(models for _, models in found):
        raise ValueError("plot_distance needs at least one model in each panel, got an empty mapping")
    kinds = []
    for _, models in found:
        for runs in models.values():
            one = runs[0] if isinstance(runs, list | tuple) and runs else runs
            kinds.append(str(getattr(one, "sign", "‖gradient‖")).format(name=getattr(one, "name", "")))
    return found, kinds


def read_runs(label: str, given: Any, relative: bool) -> Runs:
    """The runs of one model by distance, the last step first.  Raises ValueError."""
    several = isinstance(given, list | tuple) and any(hasattr(one, "t") for one in given)
    if several or hasattr(given, "t"):
        series = [read(one, label) for one in (given if several else [given])]
        if any(not np.array_equal(t, series[0][0]) for t, _ in series):
            lengths = [len(t) for t, _ in series]
            raise ValueError(f"the runs of {label!r} must have the same steps, got {lengths} of them")
        t, norms = series[0][0], np.stack([one for _, one in series])
    else:
        try:
            norms = np.atleast_2d(np.asarray(given, float))
        except (TypeError, ValueError):
            raise ValueError(
                f"the runs of {label!r} must be one array (seeds, T), got a {type(given).__name__} of different "
                "lengths or of what is no number"
            ) from None
        t = np.arange(1, norms.shape[-1] + 1)
    if norms.ndim != 2 or not norms.size:
        raise ValueError(f"the runs of {label!r} must be an array (seeds, T), at least one of each, got {norms.shape}")
    if (norms < 0).any():
        raise ValueError(f"the runs of {label!r} must be magnitudes, got {np.nanmin(norms):.3g}")
    order = np.argsort(-t)
    t, norms = t[order], norms[:, order]
    if relative:
        start = norms[:, :1]
        if not (np.isfinite(start) & (start > 0)).all():
            raise ValueError(f"the runs of {label!r} have {start.ravel()} at distance 0: nothing to be a multiple of")
        norms = norms / start
    return Runs(label, t[0] - t, norms)
