"""A chart of what happened in training: loss, gradient norm or any metric, over the updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .chart import Chart
from .fonts import families
from .lines import BROKEN, INK, LINES, NOT_FINITE, new_axes, quiet_frame

UPDATES = ("loss", "gradient_norm", "learning_rate", "seconds")  # series with an entry for each update
WORDS = {
    "loss": "loss",
    "gradient_norm": "‖gradient‖",
    "learning_rate": "learning rate",
    "seconds": "seconds for an update",
    "bits_per_character": "bits per character",
}
DECADES = 2.0  # where values differ by so many, the axis is logarithmic
EDGE = 1e150  # further, matplotlib's ticks overflow
POINTS = 40  # of a smooth line: each is the mean of a stretch of updates


def plot_history(history: Any, metric: str = "loss", *, title: str | None = None, ax: Axes | None = None) -> Chart:
    """Plot one metric over the updates of a training: as a line, and where it was validated as points.

    history: what `train` gives back, or anything with the list `loss` (and `gradient_norm`, `learning_rate`,
    `seconds`), an entry for each update, and `validation`, a list of dicts with "update" and metrics; or a mapping of
    labels to several, drawn into one chart.
    metric: one of those lists, or a metric of the validations.  Of many updates the line goes through the means of
    stretches, and every one is there, pale, behind it.  NaN and Inf stand at the upper edge as crosses.
    ax: where to draw; a figure of its own by default.  data: label (of several), of ("training" or "validation"),
    update, and the metric.
    Raises ValueError for a metric that the history does not have, saying which it has.

    >>> from types import SimpleNamespace
    >>> rows = [{"update": 2, "loss": 1.4, "accuracy": 0.5}, {"update": 4, "loss": 1.1, "accuracy": 1.0}]
    >>> history = SimpleNamespace(loss=[2.0, 1.5, 1.2, 1.0], validation=rows)
    >>> [line.get_label() for line in plot_history(history).lines]
    ['training', 'validation']
    >>> plot_history(history, "accuracy").get_ylabel()
    'accuracy'
    """
    several = isinstance(history, Mapping)
    histories = {str(label): one for label, one in (history.items() if several else [("", history)])}
    if not histories:
        raise ValueError("plot_history needs at least one history, got an empty mapping")
    series = {label: read(one, metric) for label, one in histories.items()}
    ax = new_axes() if ax is None else ax
    every = np.concatenate([values for pair in series.values() for _, values in pair])
    good = every[np.isfinite(every)]
    if good.size and good.min() > 1 / EDGE and np.log10(good.max()) - np.log10(good.min()) >= DECADES:
        ax.set_yscale("log")
    for n, (label, (trained, validated)) in enumerate(series.items()):
        both = bool(trained[0].size and validated[0].size)
        kinds = ("training", "validation")
        names = [f"{label}, {kind}" if both else label for kind in kinds] if several else kinds
        colour, second = LINES[n % len(LINES)], LINES[(n + (both and not several)) % len(LINES)]
        if trained[0].size:
            draw_line(ax, *trained, colour, names[0])
        if validated[0].size:
            ax.plot(*finite(*validated), "o" if both else "o-", color=second, markersize=4.5, linewidth=1.6, zorder=4,
                    label=names[1])  # fmt: skip
    finish(ax, metric, title)
    for trained, validated in series.values():  # when the scale is settled
        mark_broken(ax, np.concatenate([trained[0], validated[0]]), np.concatenate([trained[1], validated[1]]))
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, prop={"family": families()})
    return Chart(ax, table(series, metric, several), title)


Series = tuple[np.ndarray, np.ndarray]  # updates, values


def read(history: Any, metric: str) -> tuple[Series, Series]:
    """A metric over the updates, and over the validations; either may be empty, not both."""
    if not hasattr(history, "loss"):
        raise TypeError(f"plot_history needs what `train` gives back, or its like, got a {type(history).__name__}")
    rows = [row for row in getattr(history, "validation", ()) if metric in row and metric != "update"]
    values = np.asarray(getattr(history, metric, ()) if metric in UPDATES else (), float)
    validated = np.array([row["update"] for row in rows], float), np.array([row[metric] for row in rows], float)
    if not values.size and not validated[0].size:
        measured = dict.fromkeys(name for row in getattr(history, "validation", ()) for name in row if name != "update")
        there = [*(name for name in UPDATES if len(getattr(history, name, ()))), *measured]
        raise ValueError(
            f"this history has no {metric!r}: it has {', '.join(dict.fromkeys(there)) or 'no update at all'}"
        )
    return (np.arange(1, len(values) + 1), values), validated


def table(series: Mapping[str, tuple[Series, Series]], metric: str, several: bool) -> dict[str, Any]:
    """The numbers of all histories, one under the other."""
    stretches = [
        (label, of, *one) for label, pair in series.items() for of, one in zip(("training", "validation"), pair)
    ]
    columns: dict[str, Any] = {"label": [label for label, _, t, _ in stretches for _ in t]} if several else {}
    columns["of"] = [of for _, of, t, _ in stretches for _ in t]
    columns["update"] = np.concatenate([t for _, _, t, _ in stretches]).astype(int)
    return columns | {metric: np.concatenate([values for *_, values in stretches])}


def draw_line(ax: Axes, updates: np.ndarray, values: np.ndarray, colour: str, label: str) -> None:
    """Every value, and of many the means of stretches before it."""
    many = len(values) > 3 * POINTS
    ax.plot(*finite(updates, values), color=colour, linewidth=0.7 if many else 1.8, alpha=0.3 if many else 1.0,
            zorder=2, label=None if many else label)  # fmt: skip
    if many:
        good = [stretch[np.isfinite(values[stretch])] for stretch in np.array_split(np.arange(len(values)), POINTS)]
        middles = [(updates[stretch].mean(), values[stretch].mean()) for stretch in good if stretch.size]
        ax.plot(*np.reshape(middles, (-1, 2)).T, color=colour, linewidth=1.8, zorder=3, label=label)


def finite(updates: np.ndarray, values: np.ndarray) -> Series:
    """With gaps where a value is not finite."""
    return updates, np.where(np.isfinite(values), values.clip(-EDGE, EDGE), np.nan)


def mark_broken(ax: Axes, updates: np.ndarray, values: np.ndarray) -> None:
    """NaN and infinity, at the upper edge."""
    broken = ~np.isfinite(values)
    if broken.any():
        said = NOT_FINITE if NOT_FINITE not in ax.get_legend_handles_labels()[1] else None
        ax.plot(updates[broken], np.ones(broken.sum()), "X", color=BROKEN, markersize=8, clip_on=False, zorder=5,
                label=said, transform=ax.get_xaxis_transform())  # fmt: skip


def finish(ax: Axes, metric: str, title: str | None) -> None:
    """Words, whole numbers of updates, and the quiet frame of all charts."""
    ax.set_xlabel("update", color=INK)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(WORDS.get(metric, metric.replace("_", " ")), color=INK, fontfamily=families(), parse_math=False)
    quiet_frame(ax, title)
