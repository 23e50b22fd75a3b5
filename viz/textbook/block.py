"""A cell as a block: its parts on a grid, wired, and everything in pixels from its upper left corner."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from ..pictures.picture import Point
from .cell import FLAT, FROM_BELOW, FROM_LEFT, STATE_BELOW, TO_ABOVE, TO_RIGHT, Cell, End, Part, arrange
from .parts import POINTWISE
from .wires import DOWN, LEFT, RIGHT, UP, Grid, Port, Vertex

CLEAR, TRACK, GAP = 12.0, 9.0, 17.0  # from a part to a wire beside it, from wire to wire, between parts without any
MOST_TRACKS = 12
HALF = 14.0  # of the breadth of a part, until that is known
FEET = 11.0  # between the wires that enter a gate from below


@dataclass
class Block:
    """A cell laid out."""

    width: float = 0.0
    height: float = 0.0
    centres: dict[Part, Point] = field(default_factory=dict)
    ways: dict[tuple[Part, Part], list[Point]] = field(default_factory=dict)  # along right angles, by source and end


def lay_block(cell: Cell) -> Block | None:
    """Arrange the parts of a cell and wire them; None where there are too many wires."""
    arrange(cell)
    for tracks in (2, 4, 7, MOST_TRACKS):
        frame = Frame(cell, tracks)
        paths = frame.wire()
        if paths is not None:
            return frame.block(paths)
    return None


class Frame:
    """The grid of a cell: a line for each row and each stack, and tracks for wires between them."""

    def __init__(self, cell: Cell, tracks: int) -> None:
        self.cell, self.tracks = cell, tracks
        self.stack = {part: n for n, stack in enumerate(cell.stacks) for part in stack}
        self.rows = sorted({*cell.rows.values(), *cell.lanes.values()}, reverse=True)  # from the top
        taking: dict[Part, set[Part]] = defaultdict(set)
        for a, b in cell.edges:
            taking[b].add(a)
        self.feet = [max((self.feet_of(p, len(taking[p])) for p in stack), default=1) for stack in cell.stacks]
        self.columns: list[list[int]] = []  # the lines of each stack, its middle line in their middle
        self.xs = self.lay_lines([FEET * (feet - 1) for feet in self.feet], self.feet, self.columns)
        heights: list[list[int]] = []
        self.ys = self.lay_lines([0.0] * len(self.rows), [1] * len(self.rows), heights)
        self.line = {row: heights[n][0] for n, row in enumerate(self.rows)}
        self.grid = Grid(self.xs, self.ys)
        for part in cell.parts:
            lines, y = self.columns[self.stack[part]], self.line[cell.rows[part]]
            self.grid.taken.update((x, y) for x in lines)
            self.grid.fronts.update([(lines[0] - 1, y), (lines[-1] + 1, y)])
            self.grid.fronts.update((x, y + n) for x in lines for n in (-1, 1))

    def feet_of(self, part: Part, taken: int) -> int:
        """How many lines a part needs for the wires that enter it from below: an odd number."""
        if self.cell.kinds[part] in (POINTWISE, *FLAT) or taken < 2:
            return 1
        return taken + 1 - taken % 2

    def lay_lines(self, breadths: list[float], counts: list[int], found: list[list[int]]) -> list[float]:
        """Where the lines are for now: tracks, the lines of what stands there, tracks, …"""
        places = [0.0]
        for breadth, count in zip(breadths, counts, strict=True):
            self.add_tracks(places)
            first = places[-1] + CLEAR + HALF
            found.append(list(range(len(places), len(places) + count)))
            places += [first + breadth * n / max(1, count - 1) for n in range(count)]
        self.add_tracks(places)
        return [*places, places[-1] + CLEAR]

    def add_tracks(self, places: list[float]) -> None:
        """Lines for wires beside each other."""
        first = places[-1] + CLEAR + (HALF if len(places) > 1 else 0)
        places += [first + TRACK * n for n in range(self.tracks)]

    def middle(self, part: Part) -> Vertex:
        """Where a part stands."""
        lines = self.columns[self.stack[part]]
        return lines[len(lines) // 2], self.line[self.cell.rows[part]]

    def sources(self, part: Part) -> list[Port]:
        """Where a wire may leave a part, or enter the cell."""
        if isinstance(part, End) and part.kind == FROM_LEFT:
            return [Port((0, self.line[self.cell.lanes[part.key]]), RIGHT)]
        if isinstance(part, End) and part.kind in (FROM_BELOW, STATE_BELOW):
            begun = part in self.grid.wires
            return [] if begun else [Port((x, len(self.ys) - 1), UP) for x in range(1, len(self.xs) - 1)]
        x, y = self.middle(part)
        lines = self.columns[self.stack[part]]
        kind = self.cell.kinds[part]
        right, up, down, left = (0.0, 4.0, 34.0, 60.0) if kind in (POINTWISE, *FLAT) else (14.0, 0.0, 90.0, 60.0)
        ports = [Port((lines[-1], y), RIGHT, right), Port((x, y), UP, up), Port((x, y), DOWN, down)]
        return [*ports, Port((lines[0], y), LEFT, left)]

    def goals(self, part: Part) -> list[Port]:
        """Where a wire may enter a part, or leave the cell."""
        if isinstance(part, End) and part.kind == TO_RIGHT:
            return [Port((len(self.xs) - 1, self.line[self.cell.lanes[part.key]]), RIGHT)]
        if isinstance(part, End) and part.kind == TO_ABOVE:
            return [Port((x, 0), UP) for x in range(1, len(self.xs) - 1)]
        x, y = self.middle(part)
        lines = self.columns[self.stack[part]]
        if self.cell.kinds[part] in (POINTWISE, *FLAT):
            return [Port((x, y), UP), Port((x, y), DOWN), Port((lines[0], y), RIGHT), Port((lines[-1], y), LEFT, 40.0)]
        ports = [Port((line, y), UP, 0.5 * abs(line - x)) for line in lines]
        ports += [Port((line, y), DOWN, 60.0) for line in lines]
        return [*ports, Port((lines[0], y), RIGHT, 25.0), Port((lines[-1], y), LEFT, 60.0)]

    def wire(self) -> dict[tuple[Part, Part], list[Vertex]] | None:
        """Lay all wires; None where one finds no way."""
        paths: dict[tuple[Part, Part], list[Vertex]] = {}
        for a, b in self.in_turn():
            path = self.grid.connect(a, self.sources(a), self.goals(b))
            if path is None:
                return None
            paths[a, b] = path
        return paths

    def in_turn(self) -> list[tuple[Part, Part]]:
        """The wires in the order in which they are laid: conveyors, then stacks, then the short ones first."""
        along = set()
        for state, way in zip(self.cell.states, self.cell.conveyors, strict=True):
            along.update([(End(FROM_LEFT, state), way[0]), *pairwise(way), (way[-1], End(TO_RIGHT, state))])
        stacked = {pair for stack in self.cell.stacks for pair in [*pairwise(stack), *pairwise(stack[::-1])]}

        def turn(pair: tuple[Part, Part]) -> tuple[int, float]:
            if pair in along:
                return 0, 0.0
            if pair in stacked:
                return 1, 0.0
            a, b = pair
            ends = [p for p in pair if isinstance(p, End) and p not in self.cell.kinds]
            if not ends:
                (x1, y1), (x2, y2) = self.middle(a), self.middle(b)
                return 2, abs(self.xs[x1] - self.xs[x2]) + abs(self.ys[y1] - self.ys[y2])
            if ends[0].kind == FROM_LEFT:
                return 2, self.xs[self.middle(b)[0]]
            if ends[0].kind in (FROM_BELOW, STATE_BELOW):
                return 3, self.xs[self.middle(b)[0]]
            return (4 if ends[0].kind == TO_RIGHT else 5), 0.0

        return sorted(self.cell.edges, key=turn)

    def block(self, paths: dict[tuple[Part, Part], list[Vertex]]) -> Block:
        """The cell in pixels: no wider than its parts and its wires need."""
        upright, level = self.grid.tracks()
        sizes = self.cell.sizes
        widths = [max(sizes[p][0] for p in stack) for stack in self.cell.stacks]
        rows: dict[int, float] = defaultdict(float)
        for part in self.cell.parts:
            rows[self.cell.rows[part]] = max(rows[self.cell.rows[part]], sizes[part][1])
        xs = self.settle(len(self.xs), self.columns, widths, upright)
        ys = self.settle(len(self.ys), [[self.line[r]] for r in self.rows], [rows[r] for r in self.rows], level)
        block = Block(xs[-1], ys[-1])
        for part in self.cell.parts:
            x, y = self.middle(part)
            block.centres[part] = xs[x], ys[y]
        for (a, b), path in paths.items():
            block.ways[a, b] = self.trimmed(a, b, [(xs[x], ys[y]) for x, y in path], block.centres)
        return block

    def settle(self, count: int, lines: list[list[int]], breadths: list[float], used: set[int]) -> list[float]:
        """Where each line is in the end: `breadths` of what stands on the lines, and tracks only where wires run."""
        places = [0.0] * count
        at, line = 0.0, 1
        for own, breadth in [*zip(lines, breadths, strict=True), ([count - 1], 0.0)]:
            tracks = [n for n in range(line, own[0]) if n in used]
            for n in range(line, own[0]):
                places[n] = at + CLEAR + TRACK * sum(m < n for m in tracks)
            at += 2 * CLEAR + TRACK * (len(tracks) - 1) if tracks else GAP
            middle = at + breadth / 2
            foot = min(FEET, (breadth - 12) / max(1, len(own) - 1))
            for n, own_line in enumerate(own):
                places[own_line] = middle + foot * (n - len(own) // 2)
            at, line = at + breadth, own[-1] + 1
        return [round(place, 2) for place in places]

    def trimmed(self, a: Part, b: Part, points: list[Point], centres: dict[Part, Point]) -> list[Point]:
        """A way from the edge of one part to the edge of the other."""
        points = list(points)
        for part, end, beside in ((a, 0, 1), (b, -1, -2)):
            if part in centres:
                points[end] = edge_of(centres[part], self.cell.sizes[part], points[end], points[beside])
        return points


def edge_of(centre: Point, size: tuple[float, float], inside: Point, outside: Point) -> Point:
    """Where a level or upright way from a point inside a box to one outside crosses the box's edge."""
    (cx, cy), (width, height) = centre, size
    if abs(outside[1] - inside[1]) > abs(outside[0] - inside[0]):
        return inside[0], cy + (height / 2 if outside[1] > inside[1] else -height / 2)
    return cx + (width / 2 if outside[0] > inside[0] else -width / 2), inside[1]
