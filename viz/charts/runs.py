"""Several runs of each model as a line with a band: what charts that compare models are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ..pictures.labels import visible
from .fonts import ESCAPES, families
from .lines import BROKEN, EXACTLY_0, NOT_FINITE, QUIET, style
from .panels import POINTS, SIZE, fitted, length, size_of

BANDS = {"range": (0.0, 1.0), "quartiles": (0.25, 0.75)}  # of the runs, from which to which quantile
SIGNS = 8  # along one line, at most
APART = 1.25  # heights of a letter between two labels
SHAPES = "●■◆▲▼✚"  # of `lines.MARKERS`, before a label
ROOM = 120.0  # points of a label at the end of a line; what is longer is shortened
SHADE = 0.16  # how much of a band's colour covers what is behind it


class Runs(NamedTuple):
    """One model: a value for each run and place, where the places are distances, delays or lengths."""

    label: str
    at: np.ndarray  # (K,), ascending
    values: np.ndarray  # (runs, K)

    def summary(self, band: str) -> dict[str, np.ndarray]:
        """Median and band over the runs that are finite at each place, and how many runs there are."""
        good = np.isfinite(self.values)
        rows: list[np.ndarray] = []
        for column, finite in zip(self.values.T, good.T, strict=True):
            low, high = BANDS[band]
            rows.append(np.quantile(column[finite], (0.5, low, high)) if finite.any() else np.full(3, np.nan))
        median, lower, upper = np.array(rows).T
        runs = np.full(len(self.at), len(self.values))
        return {"median": median, "low": lower, "high": upper, "finite": good.sum(axis=0), "runs": runs}


def check_band(band: str) -> None:
    """Raises ValueError for a band that is not known."""
    if band not in BANDS:
        raise ValueError(f"band must be one of {', '.join(map(repr, BANDS))}, got {band!r}")


def table(panels: Mapping[str, Sequence[Runs]], at: str, band: str) -> dict[str, Any]:
    """The numbers of all lines, one under the other."""
    rows = [(panel, runs, runs.summary(band)) for panel, lines in panels.items() for runs in lines]
    columns: dict[str, Any] = {}
    if len(panels) > 1:
        columns["panel"] = [panel for panel, runs, _ in rows for _ in runs.at]
    columns["label"] = [runs.label for _, runs, _ in rows for _ in runs.at]
    columns[at] = np.concatenate([runs.at for _, runs, _ in rows])
    return columns | {name: np.concatenate([summary[name] for *_, summary in rows]) for name in rows[0][2]}


def draw_runs(ax: Axes, runs: Runs, n: int, band: str, floor: float, ceiling: float) -> None:
    """The n-th model: the median of its runs as a line, and their band.

    On a logarithmic axis an exact 0 stands at the floor, which is above 0; on an even one there is no floor, -∞.  A
    place where a run is not finite is marked at the ceiling.
    """
    found = runs.summary(band)
    looks = style(n)
    middle, low, high = (found[name].clip(floor, ceiling) for name in ("median", "low", "high"))
    if len(runs.values) > 1:
        ax.fill_between(runs.at, low, high, color=looks["color"], alpha=SHADE, linewidth=0, zorder=1)
    every = max(1, -(-len(runs.at) // SIGNS))
    good = np.flatnonzero(found["median"] > 0 if floor > 0 else np.isfinite(found["median"]))
    ax.plot(runs.at, middle, linewidth=1.8, markersize=4.5, zorder=3, label=runs.label, clip_on=False,
            markevery=good[n % every :: every].tolist(), **looks)  # fmt: skip
    zero, broken = (found["median"] == 0) & (floor > 0), found["finite"] < found["runs"]
    for where, height, sign, colour in ((zero, floor, "v", looks["color"]), (broken, ceiling, "X", BROKEN)):
        if where.any():
            ax.plot(runs.at[where], np.full(where.sum(), height), sign, color=colour, clip_on=False, zorder=4,
                    markersize=6, markerfacecolor="white" if sign == "v" else colour)  # fmt: skip


def exceptions(runs: Sequence[Runs], band: str, floor: float) -> list[Line2D]:
    """For a legend, the signs of what has no place on the axis."""
    found = [one.summary(band) for one in runs]
    signs = []
    if floor > 0 and any((one["median"] == 0).any() for one in found):
        signs.append(Line2D([], [], marker="v", color=QUIET, markerfacecolor="white", linestyle="", label=EXACTLY_0))
    if any((one["finite"] < one["runs"]).any() for one in found):
        signs.append(Line2D([], [], marker="X", color=BROKEN, linestyle="", label=NOT_FINITE))
    return signs


def label_room(runs: Sequence[Runs]) -> float:
    """Inches beside a chart for the labels at the ends of its lines."""
    return (max(length(f"● {called(one)}") for one in runs) + 12) / POINTS


def called(runs: Runs) -> str:
    """A label as it is drawn: all that is in it can be seen."""
    return fitted(visible(runs.label).translate(ESCAPES), ROOM)


def label_ends(ax: Axes, runs: Sequence[Runs], band: str) -> bool:
    """Write the label of each line beside its end, apart from each other; False where there is no room for all."""
    height = POINTS * size_of(ax.figure)[1] * ax.get_position().height
    if len(runs) * APART * SIZE > height:
        return False
    ends = []
    for n, one in enumerate(runs):
        middle = one.summary(band)["median"]
        there = np.flatnonzero(np.isfinite(middle))
        low, high = ax.get_ylim()
        x, y = (one.at[there[-1]], float(np.clip(middle[there[-1]], low, high))) if there.size else (one.at[-1], high)
        fraction = ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[1]
        ends.append((fraction * height, x, y, n))
    ends.sort()
    beside: Any = ax.transAxes + ScaledTranslation(8 / POINTS, 0, ax.figure.dpi_scale_trans)
    for (wanted, x, y, n), place in zip(ends, spread([end[0] for end in ends], APART * SIZE, height), strict=True):
        colour = style(n)["color"]
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3}
        led = abs(wanted - place) > 2 or x < max(ax.get_xlim()) - 1
        ax.annotate(
            f"{SHAPES[n % len(SHAPES)]} {called(runs[n])}", (x, y), (1, place / height), textcoords=beside, va="center",
            color=colour, fontsize=SIZE, fontfamily=families(), parse_math=False, annotation_clip=False,
            arrowprops=line if led else None,
        )  # fmt: skip
    return True


def spread(wanted: Sequence[float], gap: float, room: float) -> list[float]:
    """Places in [0, room] as near as can be to those wanted, which ascend, and at least a gap apart.

    >>> from tinygrad_seq.viz.charts.runs import spread
    >>> spread([1.0, 1.0, 9.0], 2.0, 10.0)
    [0.0, 2.0, 9.0]
    """
    blocks: list[list[float]] = []  # of labels that touch: the mean that they want, and how many they are
    for n, place in enumerate(wanted):
        blocks.append([place - n * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            upper, many = blocks.pop()
            lower, few = blocks.pop()
            blocks.append([(lower * few + upper * many) / (few + many), few + many])
    firsts = [mean for mean, count in blocks for _ in range(int(count))]
    last = room - gap * (len(wanted) - 1)
    return [min(max(first, 0.0), last) + n * gap for n, first in enumerate(firsts)]
