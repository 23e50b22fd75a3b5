"""Wires: ways with right angles on a grid of lines, around what stands there, forking where they lead to several ends.

A wire is laid to one end after the other.  Each way is the cheapest there is: short, with few corners, and across as
few other wires as can be.  Two wires meet only where one crosses the other, straight and at a right angle.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import pairwise

from ..pictures.courses import Course, straight
from ..pictures.picture import Point

Vertex = tuple[int, int]  # which line from the left, which from the top
State = tuple[Vertex, int]  # a vertex, and the direction in which a way arrives there
RIGHT, DOWN, LEFT, UP = range(4)
STEP = ((1, 0), (0, 1), (-1, 0), (0, -1))
STRAIGHT = (1 << RIGHT | 1 << LEFT, 1 << DOWN | 1 << UP)  # what a wire does that runs level, or upright
CORNER, CROSSING, FORK, TURN = 26.0, 80.0, 6.0, 70.0  # what they cost beside the length; a turn: leaving sideways
CLOSE = 7.0  # wires on lines nearer than this look like one
ROUND = 7.0  # the radius of a corner


@dataclass(frozen=True)
class Port:
    """Where a wire may begin or end, in which direction it runs there, and what that costs."""

    at: Vertex
    way: int
    cost: float = 0.0


@dataclass
class Wire:
    """The ways laid so far: to every vertex on them the way from the beginning."""

    ways: dict[Vertex, list[Vertex]] = field(default_factory=dict)
    ends: set[Vertex] = field(default_factory=set)


class Grid:
    """Lines from left to right at the heights `ys` and from top to bottom at the places `xs`, and the wires on them."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.xs, self.ys = xs, ys
        self.taken: set[Vertex] = set()  # where something stands; the rim of the grid too
        self.taken.update((x, y) for x in range(len(xs)) for y in (0, len(ys) - 1))
        self.taken.update((x, y) for x in (0, len(xs) - 1) for y in range(len(ys)))
        self.fronts: set[Vertex] = set()  # before places where wires begin and end: no other wire has a corner there
        self.kept: set[Vertex] = set()  # and where no other wire even passes
        self.wires: dict[Hashable, Wire] = {}
        self.used: dict[Vertex, dict[Hashable, int]] = {}  # which wires are there, and to which sides they lead
        self.edges: set[tuple[Vertex, int]] = set()  # first vertex, level or upright
        self.ports: set[tuple[Vertex, int]] = set()  # those in use
        self.near = [[m for m, other in enumerate(xs) if m != n and abs(x - other) < CLOSE] for n, x in enumerate(xs)]

    def connect(self, name: Hashable, sources: Iterable[Port], goals: Iterable[Port]) -> list[Vertex] | None:
        """Lead a wire on to one of the goals, from its sources or from what is laid of it; the whole way, or None."""
        wire, begins = self.wires.setdefault(name, Wire()), list(sources)
        ends = [goal for goal in goals if (goal.at, goal.way) not in self.ports]
        if not ends:
            return None
        own = {*(beside(port.at, port.way) for port in begins), *(beside(port.at, port.way + 2) for port in ends)}
        search = Search(self, name, ends, self.fronts - own, self.kept - own)
        for cost, at, way in self.starts(name, wire, begins, search.corners):
            search.begin(cost, at, way)
        end = search.run()
        return None if end is None else self.lay(name, wire, search.before, end)

    def starts(
        self, name: Hashable, wire: Wire, sources: Iterable[Port], closed: Collection[Vertex]
    ) -> Iterator[tuple[float, Vertex, int]]:
        """Where a way may begin: cost, vertex, direction.  closed: where no fork may be."""
        for source in sources:
            if (source.at, (source.way + 2) % 4) not in self.ports:
                yield source.cost + (CORNER if wire.ways else 0.0), source.at, source.way
        for at in wire.ways:
            if at not in self.taken and at not in wire.ends and at not in closed and len(self.used[at]) == 1:
                for way in range(4):
                    yield FORK + TURN * (not self.used[at][name] >> (way + 2) % 4 & 1), at, way

    def lay(
        self,
        name: Hashable,
        wire: Wire,
        before: Mapping[State, tuple[State | None, Vertex]],
        end: State,
    ) -> list[Vertex]:
        """Note a way that was found; returns the whole way to its end."""
        path, state = [end[0]], end
        while True:
            came, start = before[state]
            if came is None:
                break
            path.append(came[0])
            state = came
        path.append(start)
        path.reverse()
        whole = list(wire.ways.get(start, [start]))
        if start in self.taken:
            whole = [start]
            self.ports.add((start, (way_of(path[0], path[1]) + 2) % 4))
        self.ports.add(end)
        for a, b in pairwise(path):
            way = way_of(a, b)
            self.edges.add((min(a, b), way % 2))
            if way % 2:
                self.edges.update(((x, min(a, b)[1]), 1) for x in self.near[a[0]])
            for at, side in ((a, way), (b, (way + 2) % 4)):
                if at not in self.taken:
                    sides = self.used.setdefault(at, {})
                    sides[name] = sides.get(name, 0) | 1 << side
            whole.append(b)
            wire.ways.setdefault(b, list(whole))
        wire.ways.setdefault(start, [start])
        wire.ends.add(end[0])
        return whole

    def tracks(self) -> tuple[set[int], set[int]]:
        """The lines that wires run along: those from top to bottom, and those from left to right."""
        upright = {at[0] for at, way in self.edges if way == DOWN % 2}
        level = {at[1] for at, way in self.edges if way == RIGHT % 2}
        return upright, level


class Search:
    """The search for the cheapest way to one of several ends, A* (Hart, Nilsson and Raphael 1968).

    No way is shorter than straight to the rectangle where the ends are.  corners, closed: where this wire may have no
    corner, and where it may not be.
    """

    def __init__(
        self, grid: Grid, name: Hashable, ends: Sequence[Port], corners: Collection[Vertex], closed: Collection[Vertex]
    ) -> None:
        self.grid, self.name, self.corners, self.closed = grid, name, corners, closed
        self.targets = {(end.at, end.way): end.cost for end in ends}
        self.ends = {end.at for end in ends}
        xs, ys = [grid.xs[x] for x, _ in self.ends], [grid.ys[y] for _, y in self.ends]
        self.left, self.right, self.top, self.bottom = min(xs), max(xs), min(ys), max(ys)
        self.before: dict[State, tuple[State | None, Vertex]] = {}  # where a way came from, and where it began
        self.waiting: list[tuple[float, int, float, Vertex, int, State | None, Vertex]] = []
        self.count = 0

    def begin(self, cost: float, at: Vertex, way: int) -> None:
        """Let ways begin at a vertex."""
        self.go_on(cost, at, way, None, at)

    def go_on(self, cost: float, at: Vertex, way: int, came: State | None, start: Vertex) -> None:
        """Take one vertex further what has come to `at`, where there is a way."""
        to = beside(at, way)
        more = self.cost_to(at, to, way)
        if more is not None and (to, way) not in self.before:
            self.count += 1
            (x, y), cost = to, cost + more
            left, up = self.grid.xs[x], self.grid.ys[y]
            ahead = max(self.left - left, left - self.right, 0.0) + max(self.top - up, up - self.bottom, 0.0)
            heappush(self.waiting, (cost + ahead, self.count, cost, to, way, came, start))

    def cost_to(self, at: Vertex, to: Vertex, way: int) -> float | None:
        """The cost of going one vertex further; None where there is no way."""
        grid, (x, y) = self.grid, to
        if not (0 <= x < len(grid.xs) and 0 <= y < len(grid.ys)) or to in self.closed:
            return None
        if (at if way < LEFT else to, way % 2) in grid.edges or (to in grid.taken and to not in self.ends):
            return None
        cost = abs(grid.xs[x] - grid.xs[at[0]]) + abs(grid.ys[y] - grid.ys[at[1]])
        if to in grid.used and to not in self.ends:
            for other, sides in grid.used[to].items():
                if other == self.name or sides != STRAIGHT[1 - way % 2]:
                    return None
                cost += CROSSING
        return cost

    def run(self) -> State | None:
        """The end of the cheapest way, and how it arrives there; None where there is no way."""
        best: tuple[float, State] | None = None
        while self.waiting:
            least, _, cost, at, way, came, start = heappop(self.waiting)
            if best is not None and least >= best[0]:
                break
            if (at, way) in self.before:
                continue
            self.before[at, way] = came, start
            if at in self.ends:
                if (at, way) in self.targets and (best is None or cost + self.targets[at, way] < best[0]):
                    best = cost + self.targets[at, way], (at, way)
                continue
            self.go_on(cost, at, way, (at, way), start)
            if at not in self.grid.used and at not in self.corners:  # no corner on another wire
                for turn in ((way + 1) % 4, (way + 3) % 4):
                    self.go_on(cost + CORNER, at, turn, (at, way), start)
        return None if best is None else best[1]


def beside(at: Vertex, way: int) -> Vertex:
    """The next vertex in a direction."""
    dx, dy = STEP[way % 4]
    return at[0] + dx, at[1] + dy


def way_of(a: Vertex, b: Vertex) -> int:
    """The direction from a vertex to the next."""
    return STEP.index(((b[0] > a[0]) - (b[0] < a[0]), (b[1] > a[1]) - (b[1] < a[1])))


def corners(points: Iterable[Point]) -> list[Point]:
    """The points without those that lie between two others on one line."""
    kept: list[Point] = []
    for point in points:
        if kept and abs(kept[-1][0] - point[0]) < 0.01 and abs(kept[-1][1] - point[1]) < 0.01:
            continue
        while len(kept) > 1 and in_line(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept


def in_line(a: Point, b: Point, c: Point) -> bool:
    """Whether three points lie on one level or upright line."""
    return any(abs(a[k] - b[k]) < 0.01 and abs(b[k] - c[k]) < 0.01 for k in (0, 1))


def rounded(points: Iterable[Point], sharp: Collection[Point] = ()) -> Course:
    """A way with right angles as a course with rounded corners, but for the sharp ones."""
    bends = corners(points)
    if len(bends) < 2:
        return ()
    course = [bends[0]]
    for a, b, c in zip(bends, bends[1:], bends[2:], strict=False):
        first, last = length(a, b), length(b, c)
        r = 0.0 if b in sharp else min(ROUND, first / 2, last / 2)
        start, end = toward(b, a, r), toward(b, c, r)
        course += straight(course[-1], start)[1:]
        course += [toward(b, a, r * 0.45), toward(b, c, r * 0.45), end]
    course += straight(course[-1], bends[-1])[1:]
    return tuple(course)


def length(a: Point, b: Point) -> float:
    """From one point to another on the same line."""
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def toward(a: Point, b: Point, r: float) -> Point:
    """The point that is r from a on the way to b."""
    share = r / max(length(a, b), 1e-9)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
