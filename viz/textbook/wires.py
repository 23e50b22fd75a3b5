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
        self.fronts: set[Vertex] = set()  # before the ends of wires still to come: no other wire has a corner here
        self.wires: dict[Hashable, Wire] = {}
        self.used: dict[Vertex, dict[Hashable, int]] = {}  # which wires are there, and to which sides they lead
        self.edges: set[tuple[Vertex, int]] = set()  # first vertex, level or upright
        self.ports: set[tuple[Vertex, int]] = set()  # those in use
        self.near = [[m for m, other in enumerate(xs) if m != n and abs(x - other) < CLOSE] for n, x in enumerate(xs)]

    def connect(self, name: Hashable, sources: Iterable[Port], goals: Iterable[Port]) -> list[Vertex] | None:
        """Lead a wire on to one of the goals, from its sources or from what is laid of it; the whole way, or None.

        The search is A* (Hart, Nilsson and Raphael 1968): no way is shorter than straight to where the goals are.
        """
        wire, sources, goals = self.wires.setdefault(name, Wire()), list(sources), list(goals)
        targets = {(goal.at, goal.way): goal.cost for goal in goals if (goal.at, goal.way) not in self.ports}
        own = {*(beside(port.at, port.way) for port in sources), *(beside(port.at, port.way + 2) for port in goals)}
        ends = {at for at, _ in targets}
        if not ends:
            return None
        left, right = min(self.xs[x] for x, _ in ends), max(self.xs[x] for x, _ in ends)
        top, bottom = min(self.ys[y] for _, y in ends), max(self.ys[y] for _, y in ends)

        def ahead_of(at: Vertex) -> float:
            x, y = self.xs[at[0]], self.ys[at[1]]
            return max(left - x, x - right, 0.0) + max(top - y, y - bottom, 0.0)

        waiting: list[tuple[float, int, float, Vertex, int, State | None, Vertex]] = []
        for cost, at, way in self.starts(name, wire, sources, self.fronts - own):
            step = self.ahead(at, way, name, ends)
            if step:
                cost += step[0]
                heappush(waiting, (cost + ahead_of(step[1]), len(waiting), cost, step[1], way, None, at))
        before: dict[State, tuple[State | None, Vertex]] = {}
        count = len(waiting)
        best: tuple[float, State] | None = None
        while waiting:
            least, _, cost, at, way, came, start = heappop(waiting)
            if best is not None and least >= best[0]:
                break
            if (at, way) in before:
                continue
            before[at, way] = came, start
            if at in ends:
                if (at, way) in targets and (best is None or cost + targets[at, way] < best[0]):
                    best = cost + targets[at, way], (at, way)
                continue
            straight_on = at in self.used or (at in self.fronts and at not in own)  # no corner on another wire
            for turn in (way,) if straight_on else (way, (way + 1) % 4, (way + 3) % 4):
                step = self.ahead(at, turn, name, ends)
                if step and (step[1], turn) not in before:
                    count += 1
                    total = cost + step[0] + (CORNER if turn != way else 0.0)
                    heappush(waiting, (total + ahead_of(step[1]), count, total, step[1], turn, (at, way), start))
        return None if best is None else self.lay(name, wire, before, best[1])

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

    def ahead(self, at: Vertex, way: int, name: Hashable, ends: Collection[Vertex]) -> tuple[float, Vertex] | None:
        """The cost of going one vertex further, and that vertex; None where there is no way."""
        x, y = to = beside(at, way)
        if not (0 <= x < len(self.xs) and 0 <= y < len(self.ys)):
            return None
        if (at if way < LEFT else to, way % 2) in self.edges or (to in self.taken and to not in ends):
            return None
        cost = abs(self.xs[x] - self.xs[at[0]]) + abs(self.ys[y] - self.ys[at[1]])
        if to in self.used and to not in ends:
            for other, sides in self.used[to].items():
                if other == name or sides != STRAIGHT[1 - way % 2]:
                    return None
                cost += CROSSING
        return cost, to

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
