"""A chart of memory: how well what went in k steps ago can still be read off the state, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..pictures.palette import LIGHT
from .chart import Chart
from .fonts import families
from .lines import INK, QUIET, quiet_frame, style
from .panels import HEAD, SIZE, Margins, legend_font, new_figure, panels, write_title
from .runs import Runs, check_band, draw_runs, exceptions, label_ends, label_room, table

__all__ = ["plot_memory"]

WIDE, HIGH, LEFT, FOOT, EDGE = 5.2, 3.0, 0.75, 0.6, 0.15  # inches of the panel, and around it
DELAY = "delay k, steps ago"


def plot_memory(
    source: Any,
    *,
    band: str = "range",
    ylabel: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Chart:
    """Plot how well the input of k steps ago can be read off the state, for one model or several.

    source: what `gradflow.memory` gives (anything with `delays`, and `scores` or an array), a list of such for several
    seeds, or a mapping of labels to those.
    A line is the median over seeds; band: "range" or "quartiles", as in plot_distance.  What chance reaches is dashed,
    once where it is the same for all.
    ylabel: what is scored.  ax: where to draw; a figure of its own by default.
    data: label, delay, median, low, high, finite, runs, chance (NaN where it is not known).
    Raises TypeError and ValueError for what has no delays, or seeds with different ones.

    >>> from types import SimpleNamespace
    >>> rnn = SimpleNamespace(delays=[0, 1, 2], scores=[1.0, 0.8, 0.2], chance=0.1)
    >>> chart = plot_memory({"RNN": rnn})
    >>> chart.data["delay"].tolist(), chart.data["median"].tolist()
    ([0, 1, 2], [1.0, 0.8, 0.2])
    """
    check_band(band)
    many = isinstance(source, Mapping)
    models = {str(label): given for label, given in (source.items() if many else [("", source)])}
    if not models:
        raise ValueError("plot_memory needs at least one model, got an empty mapping")
    found = {label: given if isinstance(given, list | tuple) else [given] for label, given in models.items()}
    runs = [read(label, one) for label, one in found.items()]
    chances = [chance_of(one) for one in found.values()]
    own = ax is None
    ax = own_axes(runs, title) if ax is None else ax
    top = max(1.0, *(np.nanmax(one.values, initial=0.0, where=np.isfinite(one.values)) for one in runs))
    low = min(0.0, *(np.nanmin(one.values, initial=0.0, where=np.isfinite(one.values)) for one in runs))
    for n, one in enumerate(runs):
        draw_runs(ax, one, n, band, -np.inf, 1.03 * top)
    known = sorted({round(chance, 12) for chance in chances if np.isfinite(chance)})
    for n, chance in enumerate(chances) if len(known) > 1 else [(-1, chance) for chance in known]:
        colour = QUIET if n < 0 else style(n)["color"]
        ax.axhline(chance, color=colour, linestyle=(0, (4, 3)), linewidth=1.0, zorder=1,
                   label=f"chance, {chance:.3g}" if n < 0 else f"chance of {runs[n].label}, {chance:.3g}")  # fmt: skip
    ax.set_ylim(low, 1.03 * top)
    ax.set_xlim(min(one.at[0] for one in runs) - 0.3, max(one.at[-1] for one in runs) + 0.3)
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    quiet_frame(ax, None if own else title)
    ax.set_xlabel(DELAY, color=INK, fontsize=SIZE)
    first = next(iter(found.values()))[0]
    said = ylabel if ylabel is not None else scored(first)
    ax.set_ylabel(said, color=INK, fontsize=SIZE, fontfamily=families(), parse_math=False)
    named = own and many and label_ends(ax, runs, band)
    handles, labels = ax.get_legend_handles_labels()
    kept = [h for h, label in zip(handles, labels, strict=True) if label.startswith("chance") or (many and not named)]
    handles = [*kept, *exceptions(runs, band, -np.inf)]
    if handles:
        font = {name: value for name, value in legend_font(LIGHT).items() if name != "fontsize"}
        ax.legend(handles=handles, loc="best", prop={"family": families(), "size": SIZE - 1}, **font)
    if own:
        write_title(ax.figure, title, LIGHT)
    data = table({"": runs}, "delay", band)
    data["chance"] = np.concatenate([np.full(len(one.at), chance) for one, chance in zip(runs, chances, strict=True)])
    return Chart(ax if not own else ax.figure, data, title)


def own_axes(runs: Sequence[Runs], title: str | None) -> Axes:
    """A panel with room for the labels at its right."""
    room, top = label_room(runs), EDGE + HEAD * bool(title)
    figure = new_figure(LEFT + WIDE + room, top + HIGH + FOOT, LIGHT)
    return panels(figure, [1.0], 1, Margins(left=LEFT, right=room, top=top, bottom=FOOT), Margins())[0, 0]


def read(label: str, given: Sequence[Any]) -> Runs:
    """The runs of one model by delay.  Raises TypeError and ValueError."""
    scores, delays = [], []
    for one in given:
        if not hasattr(one, "delays"):
            kind = type(one).__name__
            raise TypeError(f"plot_memory needs what gradflow.memory gives, with `delays` and `scores`, got {kind}")
        delays.append(np.asarray(one.delays))
        scores.append(np.asarray(getattr(one, "scores", one), float))
    if not given or any(not np.array_equal(k, delays[0]) for k in delays):
        lengths = [len(k) for k in delays]
        raise ValueError(f"the runs of {label!r} must be at least one, with the same delays, got {lengths} of them")
    if any(one.shape != delays[0].shape or one.ndim != 1 or not one.size for one in scores):
        shapes = [one.shape for one in scores]
        raise ValueError(f"plot_memory needs a score for each of the {len(delays[0])} delays, got shapes {shapes}")
    order = np.argsort(delays[0])
    return Runs(label, delays[0][order], np.stack(scores)[:, order])


def chance_of(given: Sequence[Any]) -> float:
    """What chance reaches, the median over all runs; NaN where it is not known."""
    known = [np.mean(np.asarray(one.chance, float)) for one in given if getattr(one, "chance", None) is not None]
    return float(np.median(known)) if known else float("nan")


def scored(memory: Any) -> str:
    """What the scores are."""
    if getattr(memory, "capacity", None) is not None:
        return "squared correlation with the input"
    return "share of inputs that are read off right" if getattr(memory, "accuracy", None) is not None else "score"
