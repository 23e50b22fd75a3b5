"""The grid of a column: a line through every level, lines through what stands in it, and tracks between."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..layout.graphviz_program import Size
from ..reading.lines import Key
from ..reading.templates import Template
from .block import CLEAR, FEET, TRACK
from .cell import FROM_BELOW, FROM_LEFT, STATE_BELOW, TO_ABOVE, TO_RIGHT, End, Part
from .rows import Level, Placed, find_levels, place_across
from .wires import CLOSE, LEFT, RIGHT, UP, Grid, Port, Vertex

LEVEL, LOOKING = 18.0, 30.0  # between levels; more below what lines of attention lead up to


class Ground:
    """Where everything in a column stands, and where wires may run."""

    def __init__(
        self,
        template: Template,
        sizes: Mapping[Part, Size],
        joints: Collection[Key],
        cells: Sequence[Placed],
        tracks: int,
    ) -> None:
        self.template, self.sizes, self.joints, self.cells, self.tracks = template, sizes, joints, cells, tracks
        self.levels = find_levels(template, cells)
        self.width, self.across = place_across(template, cells, self.levels, sizes, tracks)
        self.xs = self.upright_lines()
        self.ys = self.level_lines()
        self.grid = Grid(self.xs, self.ys)
        self.at: dict[Part, Vertex] = {}
        self.sides: dict[Part, tuple[int, int]] = {}  # the first and the last upright line that a node covers
        self.settle_in()

    def upright_lines(self) -> list[float]:
        """Where wires may run up and down: through the ends of cells and nodes, and beside them where there is room."""
        needed, others = {0.0, self.width}, list[float]()
        for cell in self.cells:
            needed.update([cell.left, cell.left + cell.width])
            needed.update(cell.left + cell.terminal(end)[0] for end in cell.ends(FROM_BELOW, STATE_BELOW, TO_ABOVE))
            for n in range(self.tracks):
                others += [cell.left - CLEAR - TRACK * n, cell.left + cell.width + CLEAR + TRACK * n]
        for part, x in self.across.items():
            half = self.sizes[part][0] / 2
            needed.update(self.feet(part))
            for n in range(self.tracks):
                others += [x - half - CLEAR - TRACK * n, x + half + CLEAR + TRACK * n]
        lines = {round(x, 2) for x in needed}
        for x in others:
            if all(abs(x - line) >= CLOSE for line in lines):
                lines.add(round(x, 2))
        return sorted(x for x in lines if 0 <= x <= self.width)

    def level_lines(self) -> list[float]:
        """Where wires may run from left to right, for now: through what stands in a level, and between levels."""
        ys = [0.0]
        for level in self.levels:
            ys += [ys[-1] + CLEAR + TRACK * n for n in range(self.tracks)]
            own = level.cell.lines() if level.cell else [self.height_of(level) / 2]
            level.lines = list(range(len(ys), len(ys) + len(own)))
            ys += [ys[-1] + CLEAR + y for y in own]
        ys += [ys[-1] + CLEAR + TRACK * n for n in range(self.tracks)]
        return [*ys, ys[-1] + CLEAR]

    def settle_in(self) -> None:
        """Note where the grid is taken."""
        for level in self.levels:
            for part in level.parts:
                x, half = self.across[part], self.sizes[part][0] / 2
                self.at[part] = self.line(x), level.lines[0]
                near = [n for n, line in enumerate(self.xs) if abs(line - x) < half + 5]
                self.sides[part] = near[0], near[-1]
                self.grid.taken.update((n, level.lines[0]) for n in near)
            if level.cell is not None:
                left, right = self.line(level.cell.left), self.line(level.cell.left + level.cell.width)
                self.grid.taken.update((x, y) for x in range(left, right + 1) for y in level.lines)
                for end in level.cell.ends(FROM_BELOW, STATE_BELOW, TO_ABOVE):
                    x = self.line(level.cell.left + level.cell.terminal(end)[0])
                    above = end.kind == TO_ABOVE
                    self.grid.kept.add((x, level.lines[0] - 1 if above else level.lines[-1] + 1))

    def height_of(self, level: Level) -> float:
        """How high a level is."""
        return level.cell.height if level.cell else max(self.sizes[part][1] for part in level.parts)

    def feet(self, part: Part) -> list[float]:
        """Where wires may enter a node from below."""
        x, width = self.across[part], self.sizes[part][0]
        taken = sum(b == part for _, b in [*self.template.edges, *self.template.arriving, *self.template.returning])
        most = 1 if part in self.joints else 2 * int((width - 12) / FEET / 2) + 1
        count = 1 if taken < 2 else max(1, min(taken + 1 - taken % 2, most))
        apart = min(FEET, (width - 12) / max(1, count - 1))
        return [round(x + apart * (n - count // 2), 2) for n in range(count)]

    def line(self, x: float) -> int:
        """The upright line at a place."""
        return self.xs.index(round(x, 2))

    def rim(self, right: bool) -> int:
        """The line at an edge of the column."""
        return len(self.xs) - 1 if right else 0

    def line_of(self, cell: Placed, end: End) -> int:
        """The line on which a state enters or leaves a cell."""
        return self.level_of(cell).lines[cell.lines().index(cell.terminal(end)[1])]

    def level_of(self, cell: Placed) -> Level:
        """The level that a cell is."""
        return next(level for level in self.levels if level.cell is cell)

    def lane_line(self, key: Key) -> int | None:
        """The line of a state; None where its node is not in the column."""
        for cell in self.cells:
            for end in cell.ends(FROM_LEFT, TO_RIGHT):
                if end.key == key:
                    return self.line_of(cell, end)
        return self.at[key][1] if key in self.at else None

    def settled_lines(self) -> list[float]:
        """The height of each level line in the end: tracks only where wires run."""
        _, used = self.grid.tracks()
        places, at, line = [0.0] * len(self.ys), 0.0, 1
        for level in [*self.levels, None]:
            first = level.lines[0] if level else len(self.ys) - 1
            tracks = [n for n in range(line, first) if n in used]
            for n in range(line, first):
                places[n] = at + CLEAR + TRACK * sum(m < n for m in tracks)
            if tracks:
                at += 2 * CLEAR + TRACK * (len(tracks) - 1)
            elif level is not None and level is not self.levels[0]:
                at += LEVEL
            if level is None:
                places[first] = at
                break
            own = level.cell.lines() if level.cell else [self.height_of(level) / 2]
            for n, y in zip(level.lines, own, strict=True):
                places[n] = at + y
            at, line = at + self.height_of(level), level.lines[-1] + 1
            at += LOOKING * any(part in self.template.spaced for part in level.parts)
        return places

    # ---- where wires begin and end ----

    def rim_port(self, key: Key, *, right: bool, way: int) -> Port | None:
        """Where a state crosses an edge of the column; None where its node is not in the column."""
        y = self.lane_line(key)
        return None if y is None else Port((self.rim(right), y), way)

    def side_port(self, cell: Placed, end: End, *, right: bool) -> Port:
        """Where a state crosses a side of a cell."""
        x = cell.left + cell.width if right else cell.left
        return Port((self.line(x), self.line_of(cell, end)), LEFT if cell.reverse else RIGHT)

    def upper_port(self, cell: Placed, end: End) -> Port:
        """Where a wire leaves a cell upward."""
        return Port((self.line(cell.left + cell.terminal(end)[0]), self.level_of(cell).lines[0]), UP)

    def lower_port(self, cell: Placed, end: End) -> Port:
        """Where a wire enters a cell from below."""
        return Port((self.line(cell.left + cell.terminal(end)[0]), self.level_of(cell).lines[-1]), UP)

    def ports_out(self, part: Part) -> list[Port]:
        """Where a wire may leave a node, or the circle above a cell."""
        (x, y), (left, right) = self.at[part], self.sides[part]
        return [Port((x, y), UP), Port((right, y), RIGHT, 25.0), Port((left, y), LEFT, 35.0)]

    def ports_in(self, part: Part) -> list[Port]:
        """Where a wire may enter a node."""
        (x, y), (left, right) = self.at[part], self.sides[part]
        ports = [Port((self.line(foot), y), UP, 0.5 * abs(foot - self.xs[x])) for foot in self.feet(part)]
        aside = 0.0 if part in self.joints else 40.0
        return [*ports, Port((left, y), RIGHT, aside), Port((right, y), LEFT, aside)]
