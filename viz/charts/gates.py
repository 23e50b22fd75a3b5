"""Gates over time: for each unit and each step, how far a gate is open, or how much gradient reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from tinygrad_seq.errors import UnknownNameError
from tinygrad_seq.graph import Node
from tinygrad_seq.trace import Trace

from ..errors import PictureTooLargeError
from ..pictures.palette import DARK, LIGHT, QUIET, Theme
from .chart import Chart
from .heat_map import (
    add_bar,
    cell_lines,
    colours,
    decades,
    hatch_cells,
    label_cells,
    plain_frame,
    round_steps,
    upright,
    words,
    zero_sign,
)
from .panels import (
    HEAD,
    POINTS,
    SMALL,
    Margins,
    fitted,
    heading_font,
    legend_font,
    length,
    new_figure,
    panels,
    size_of,
    write_title,
)

__all__ = ["plot_gates"]

OPEN = ("sigmoid", "tanh")  # ops that make a gate
CELL, NARROW, THIN = 0.3, 0.15, 0.1  # inches of a step: at most, side by side, and so that its token can be read
WIDE, LARGEST = 11.0, 23.5  # inches of all steps without tokens, and of any side of a figure
UNIT, LOW, HIGH = 0.12, 0.45, 1.6  # inches of a unit; of all of them at least and at most
BESIDE, BAR = 0.5, 0.8  # inches for the numbers of units, and for the bar of colours
FOOT = 0.25  # inches below for a legend
MAPS = 40  # one under the other
LINED = 0.08  # inches of a cell that has lines around it


class Gate(NamedTuple):
    """One gate of one layer over time: what one map shows."""

    name: str
    t: np.ndarray  # (T)
    values: np.ndarray  # (units, T)
    signed: bool


def plot_gates(
    source: Node | Trace,
    names: Sequence[str] | None = None,
    *,
    tokens: Sequence[object] | None = None,
    scope: str = "",
    batch: int = 0,
    of: str = "value",
    title: str | None = None,
    dark: bool = False,
    figure: Figure | SubFigure | None = None,
) -> Chart:
    """Plot gates over time: a map for each, a row for each unit, a column for each step.

    source: a loss, or a `Trace` of several.  names: as a Trace takes them, "f" or "l0/f"; None: all that sigmoid or
    tanh has made in the loop.  scope: only in that part of the model, such as "l0".  batch: which sequence of a batch.
    of: "value" is coloured from 0 to 1, with negative values from -1 to 1 (further where they go further); "grad" is
    |∂L/∂gate| as the last `backward` left it, on a logarithmic scale, exactly 0 hatched.  NaN and Inf are counted.
    tokens: one for each step, under the lowest map.
    figure: where to draw, also a SubFigure; one of its own by default.  data: gate, unit (from 1), t, token (where
    given), and the value or |gradient|.
    Raises UnknownNameError where the record has no such gate, GradientError before `backward`, IndexError for a
    sequence that the batch has not, ValueError for tokens that are not as many as the steps, PictureTooLargeError for
    more than 40 maps.

    >>> from tinygrad_seq import Tensor, steps
    >>> h = Tensor([0.5, -0.5], requires_grad=True)
    >>> for t, x in steps([1.0, 2.0, 3.0]):
    ...     z = (h * x).sigmoid().named("z")
    ...     h = (z * h).named("h")
    >>> chart = plot_gates(h.sum(), tokens="abc")
    >>> chart.ax.images[0].get_array().shape, len(chart.data["value"])
    ((2, 3), 6)
    """
    if of not in ("value", "grad"):
        raise ValueError(f'of must be "value" or "grad", got {of!r}')
    trace = source if isinstance(source, Trace) else Trace(source)
    found = paths(trace, names, scope)
    if len(found) > MAPS:
        raise PictureTooLargeError(
            f"{len(found)} gates are more than the {MAPS} that fit into a picture: give names=… or scope=…"
        )
    gates = [read(trace, path, name, batch, of) for path, name in zip(found, short(found), strict=True)]
    below = None if tokens is None else checked(tokens, gates)
    theme = DARK if dark else LIGHT
    longest = max(len(gate.t) for gate in gates)
    table = arranged(gates, int(WIDE / (NARROW * longest + BESIDE)))
    heights = [min(max(UNIT * max(len(gate.values) for gate in row), LOW), HIGH) for row in table]
    cell = min(CELL, WIDE / len(table[0]) / longest)
    if below is not None:
        cell = max(cell, min(THIN, (LARGEST - BESIDE - BAR) / longest))
    around, each = margins(gates, below, cell, title, of)
    if figure is None:
        width = (cell * longest + each.left + each.right) * len(table[0]) + around.right
        height = sum(heights) + (each.top + each.bottom) * len(table) + around.top + around.bottom
        figure = new_figure(max(width, 3.0), min(height, LARGEST), theme)
    grid = panels(figure, heights, len(table[0]), around, each)
    draw(figure, grid, table, below, theme, of)
    write_title(figure, title, theme)
    return Chart(figure, table_of(gates, tokens, of), title)


# ---- what is read ---------------------------------------------------------------------


def paths(trace: Trace, names: Sequence[str] | None, scope: str) -> list[str]:
    """The series that are asked for, or all gates of the scope.  Raises UnknownNameError where there is none."""
    if names is not None:
        asked = [names] if isinstance(names, str) else list(names)
        if not asked:
            raise ValueError("plot_gates needs at least one name, or None for all gates")
        return [f"{scope}/{name}" if scope else name for name in asked]
    gates = [path for path in trace if all(made_by(node) in OPEN for node in trace.nodes(path))]
    found = [path for path in gates if not scope or f"/{path.rpartition('/')[0]}".endswith(f"/{scope}")]
    if not found:
        where = f" in the scope {scope!r}" if scope else ""
        raise UnknownNameError(
            f"the record has no gate{where}, nothing with a name and a time step that sigmoid or tanh has made: it has "
            f"{', '.join(gates or trace) or 'no series at all'}; say which with names=[…]"
        )
    return found


def made_by(node: Node) -> str:
    """The name of the op that made a node."""
    return node.op.name if node.op is not None else ""


def short(found: list[str]) -> list[str]:
    """Paths without the scopes that all of them begin with.

    >>> from tinygrad_seq.viz.charts.gates import short
    >>> short(["rnn/l0/f", "rnn/l0/i"]), short(["rnn/l0/f", "rnn/l1/f"])
    (['f', 'i'], ['l0/f', 'l1/f'])
    """
    parts = [path.split("/") for path in found]
    common = 0
    while all(len(part) > common + 1 and part[common] == parts[0][common] for part in parts):
        common += 1
    return ["/".join(part[common:]) for part in parts]


def arranged(gates: list[Gate], columns: int) -> list[list[Gate]]:
    """The gates in rows: a column for each layer, where all have the same gates and there is room; else only one.

    >>> from tinygrad_seq.viz.charts.gates import Gate, arranged
    >>> four = [Gate(name, np.ones(2), np.ones((1, 2)), False) for name in ("l0/f", "l0/i", "l1/f", "l1/i")]
    >>> [[gate.name for gate in row] for row in arranged(four, 2)]
    [['l0/f', 'l1/f'], ['l0/i', 'l1/i']]
    """
    layers: dict[str, list[Gate]] = {}
    for gate in gates:
        layers.setdefault(gate.name.rpartition("/")[0], []).append(gate)
    kinds = {tuple(gate.name.rpartition("/")[2] for gate in layer) for layer in layers.values()}
    if len(kinds) == 1 and len(layers) <= columns:
        return [list(row) for row in zip(*layers.values(), strict=True)]
    return [[gate] for gate in gates]


def read(trace: Trace, path: str, name: str, batch: int, of: str) -> Gate:
    """One gate of one sequence of the batch.  Raises IndexError."""
    values = np.asarray(trace.grad(path) if of == "grad" else trace[path], float)
    if values.ndim > 2:
        size = values.shape[1]
        if not -size <= batch < size:
            raise IndexError(f"{path!r} has a batch of {size}, which has no sequence {batch}")
        values = values[:, batch]
    units = values.reshape(len(values), -1).T
    finite = units[np.isfinite(units)]
    signed = (finite < 0).any() or made_by(trace.nodes(path)[0]) == "tanh"
    return Gate(name, trace.t(path), units, bool(signed))


def checked(tokens: Sequence[object], gates: list[Gate]) -> list[str]:
    """Tokens as they are written, one for each step.  Raises ValueError where they are not as many."""
    lengths = {len(gate.t): gate.name for gate in gates}
    if set(lengths) != {len(tokens)}:
        said = " and ".join(f"{steps} ({name})" for steps, name in lengths.items())
        raise ValueError(f"tokens must have one entry for each step, got {len(tokens)} for {said} steps")
    return words(tokens)


def table_of(gates: list[Gate], tokens: Sequence[object] | None, of: str) -> dict[str, Any]:
    """The numbers of all gates, one under the other: for each unit all steps."""
    columns: dict[str, Any] = {
        "gate": [gate.name for gate in gates for _ in range(gate.values.size)],
        "unit": np.concatenate([np.repeat(np.arange(1, len(gate.values) + 1), len(gate.t)) for gate in gates]),
        "t": np.concatenate([np.tile(gate.t, len(gate.values)) for gate in gates]),
    }
    if tokens is not None:
        columns["token"] = [str(token) for gate in gates for _ in gate.values for token in tokens]
    values = np.concatenate([gate.values.ravel() for gate in gates])
    return columns | ({"gradient": np.abs(values)} if of == "grad" else {"value": values})


# ---- what is drawn --------------------------------------------------------------------


def alike(gates: list[Gate]) -> bool:
    """Whether all have the same steps, so that time is written once."""
    return all(np.array_equal(gate.t, gates[0].t) for gate in gates)


def margins(
    gates: list[Gate], below: list[str] | None, cell: float, title: str | None, of: str
) -> tuple[Margins, Margins]:
    """Inches around all maps, and around each."""
    foot = 0.42
    if below is not None:
        foot = max(map(length, below)) / POINTS + 0.15 if upright(below, POINTS * cell) else 0.3
    above = 0.2 if below is not None else 0.0  # for the steps, where tokens stand below
    once = alike(gates)
    legend = FOOT if of == "grad" and any((gate.values == 0).any() for gate in gates) else 0.0
    around = Margins(right=BAR, top=0.05 + (HEAD if title else 0.0) + above * once, bottom=foot * once + legend)
    return around, Margins(left=BESIDE, top=0.27 + above * (not once), bottom=0.02 + foot * (not once))


def draw(
    figure: Figure | SubFigure,
    grid: np.ndarray,
    table: list[list[Gate]],
    below: list[str] | None,
    theme: Theme,
    of: str,
) -> None:
    """The maps in rows and columns; where all have the same steps, time is written once in each column."""
    gates = [gate for row in table for gate in row]
    once = alike(gates)
    scale = decades(np.concatenate([gate.values.ravel() for gate in gates])) if of == "grad" else None
    for n, row in enumerate(table):
        scales = scale or whole(row)
        for ax, gate in zip(grid[n], row, strict=True):
            box = ax.get_position()
            cell = box.width * size_of(figure)[0] / len(gate.t)
            image = draw_gate(ax, gate, scales, cell, box.height * size_of(figure)[1], theme)
            label_time(ax, gate.t, below, cell, theme, not once or n == 0, not once or n == len(table) - 1)
        grid[n, 0].set_ylabel("unit", fontsize=SMALL)
        if scale is None:
            low, high = image.get_clim()
            add_bar(grid[n, -1], image, theme, ticks=[low, 0, high] if low < 0 else [low, high])
    if scale is not None:
        add_bar(grid[0, -1], image, theme, label="|∂L/∂gate|")
        if any((gate.values == 0).any() for gate in gates):
            figure.legend(handles=[zero_sign(theme)], loc="lower left", **legend_font(theme))


def draw_gate(ax: Axes, gate: Gate, scale: Normalize, cell: float, height: float, theme: Theme) -> AxesImage:
    """One map: its colours, its name, and the numbers of its units."""
    units, steps = gate.values.shape
    finite = np.isfinite(gate.values)
    shown = np.ma.masked_where(~finite, np.abs(gate.values) if isinstance(scale, LogNorm) else gate.values)
    image = ax.imshow(shown, colours(theme, signed=(scale.vmin or 0) < 0), aspect="auto", norm=scale)
    if isinstance(scale, LogNorm):
        hatch_cells(ax, gate.values == 0, theme)
    if min(height / units, cell) >= LINED:
        cell_lines(ax, units, steps, theme)
    ax.set_yticks([0, units - 1] if units > 1 else [0], ["1", str(units)] if units > 1 else ["1"], fontsize=SMALL)
    plain_frame(ax, theme)
    ax.tick_params(axis="y", colors=theme.hex(QUIET))
    broken = f"   {(~finite).sum():,} NaN or Inf" if not finite.all() else ""
    ax.set_title(fitted(gate.name, POINTS * max(cell * steps, 1.0)) + broken, loc="left", pad=4, **heading_font(theme))
    return image


def label_time(
    ax: Axes, t: np.ndarray, below: list[str] | None, cell: float, theme: Theme, first: bool, last: bool
) -> None:
    """Tokens under the lowest map and the steps above the first; without tokens the steps below."""
    places = round_steps(t, POINTS * cell)
    if below is None and last:
        ax.set_xticks(places, [str(t[n]) for n in places], fontsize=SMALL)
        ax.set_xlabel("time step t", fontsize=SMALL)
    else:
        label_cells(ax.xaxis, below if below and last else [], POINTS * cell, theme)
    if below is not None and first:
        above: Any = ax.secondary_xaxis("top")
        above.set_xticks(places, [str(t[n]) for n in places], fontsize=SMALL)
        plain_frame(above, theme)


def whole(gates: list[Gate]) -> Normalize:
    """From 0 to 1, or from -1 to 1; further where a value goes further."""
    sizes = np.abs(np.concatenate([gate.values.ravel() for gate in gates]))
    high = float(np.max(sizes, initial=1.0, where=np.isfinite(sizes)))
    return Normalize(-high if any(gate.signed for gate in gates) else 0.0, high)
