"""A scene read as rows: for each stretch of time which nodes stand in which row, and what the rows are called.

A row holds what is the same thing at every step.  Rows lie in the order of computation, inputs at the bottom, those
that can be computed side by side in one group; the rows of a cell that a state runs through lie together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeVar

from ..reading.columns import AFTER, BEFORE, BETWEEN, MEMORY, STEP
from ..reading.cycles import strong_components
from ..reading.elision import gaps
from ..unrolled.scene import Scene

Name = tuple[Any, ...]  # what a row is known by; the number of its stretch first
K = TypeVar("K", bound=Hashable)
FORTH, BACK = 1, -1


@dataclass
class Row:
    """What is the same thing at every step."""

    cells: dict[int, int] = field(default_factory=dict)  # column → node
    scope: str = ""

    @cached_property
    def node(self) -> int:
        """The node of the last step that has one."""
        return self.cells[max(self.cells)]


@dataclass(frozen=True)
class Place:
    """A place along the time axis: the column of a step, or one for all the steps passed over."""

    first: int
    last: int
    passed: bool


@dataclass
class Group:
    """Rows that need not wait for each other; named where they belong to a cell among several."""

    rows: list[Name]
    cell: str = ""


@dataclass
class Stretch:
    """A stretch of time, read as rows and places."""

    number: int
    places: list[Place]
    rows: dict[Name, Row]
    groups: list[Group]  # from the bottom
    above: list[int]  # nodes outside of time that are made from it, from the bottom
    gathered: dict[int, list[int]]  # node above → the columns that it gathers from, apart from the last alone
    rising: dict[int, list[Name]]  # node above → the rows of the last column that it takes
    entering: dict[tuple[Name, int], list[int]]  # (row, direction) → the first values of a state
    crossing: set[tuple[int, int, Name]]  # (column on the left, direction, row) of each state that is handed on
    cuts: set[tuple[int, int, Name]]  # those that no gradient comes back through
    leaving: dict[Name, int]  # state → the stretch that takes it up


class Rows:
    """The rows of all stretches, and for each node the row that it stands in."""

    def __init__(self, scene: Scene, columns: list[int]) -> None:
        self.scene = scene
        self.row: dict[int, Name] = {}
        self.slots: dict[tuple[Name, int], Name] = {}  # row and input → the row of the state that it takes up
        timeline = scene.timeline
        for c, members in enumerate(timeline.members):
            seen: Counter[Name] = Counter()
            for i in members:
                name: Name = scene.keys[i]
                if timeline.stems[i] or i in timeline.units:
                    name = (timeline.stems[i] or timeline.units[i], timeline.nodes[i].scope)
                self.row[i] = (timeline.stretch[c], *name, seen[name])
                seen[name] += 1
        self.users: dict[int, list[int]] = defaultdict(list)
        for i, xs in enumerate(timeline.inputs):
            if timeline.role[i] in (STEP, AFTER, BETWEEN, MEMORY):
                for position, x in enumerate(xs):
                    self.users[x].append(i)
                    if i in self.row and x in self.row and abs(self.distance(x, i)) == 1:
                        self.slots.setdefault((self.row[i], position), self.row[x])
        self.backward = {
            self.row[x] for i in self.row for x in timeline.inputs[i] if x in self.row and self.distance(x, i) < 0
        }
        self.stretches = [
            self.read(number, [c for c in columns if timeline.stretch[c] == number])
            for number in range(len(timeline.stretches))
        ]

    def stretch_of(self, name: Name) -> Stretch:
        """The stretch of time that a row belongs to."""
        return next(stretch for stretch in self.stretches if stretch.number == name[0])

    def distance(self, x: int, i: int) -> int:
        """How many columns node i stands further on than node x; 0 too where they are not in one stretch of time."""
        there, here = self.scene.timeline.column[x], self.scene.timeline.column[i]
        if there is None or here is None:
            return 0
        return here - there if self.scene.timeline.stretch[there] == self.scene.timeline.stretch[here] else 0

    def taken_up(self, x: int, i: int) -> Name | None:
        """The row of the state whose first value x is, where node i takes it up."""
        if i not in self.row or self.distance(x, i) or self.scene.timeline.column[x] == self.scene.timeline.column[i]:
            return None
        return self.slots.get((self.row[i], self.scene.timeline.inputs[i].index(x)))

    def read(self, number: int, columns: list[int]) -> Stretch:
        """One stretch of time, of which those columns are shown."""
        timeline = self.scene.timeline
        whole = [c for c, s in enumerate(timeline.stretch) if s == number]
        places = places_of(columns, whole)
        rows: dict[Name, Row] = {}
        for c in columns:
            for i in timeline.members[c]:
                row = rows.setdefault(self.row[i], Row(scope=timeline.nodes[i].scope))
                row.cells[c] = i
        for c in set(whole).difference(columns):
            for i in timeline.members[c]:
                if self.row[i] in rows:
                    rows[self.row[i]].cells[c] = i
        stretch = Stretch(number, places, rows, [], [], {}, {}, {}, set(), set(), {})
        self.read_states(stretch)
        stretch.groups = self.group(stretch, columns)
        self.read_above(stretch, whole)
        return stretch

    def read_states(self, stretch: Stretch) -> None:
        """What is handed on from place to place, where it begins and whether it goes on in the next stretch."""
        timeline = self.scene.timeline
        for one, other in pairwise(stretch.places):
            for here, there, direction in ((one.last, other.first, FORTH), (other.first, one.last, BACK)):
                takers: dict[Name, list[int]] = defaultdict(list)
                for i in timeline.members[there]:
                    for x in timeline.inputs[i]:
                        if timeline.column[x] == here and self.row.get(x) in stretch.rows:
                            takers[self.row[x]].append(i)
                for name, takes in takers.items():
                    stretch.crossing.add((one.last, direction, name))
                    if all(is_cut(self.scene, i) for i in takes):
                        stretch.cuts.add((one.last, direction, name))
        first, last = stretch.places[0].first, stretch.places[-1].last
        for c, direction in dict.fromkeys(((first, FORTH), (last, BACK))):
            for i in timeline.members[c]:
                for x in timeline.inputs[i]:
                    state = self.begins(x, i)
                    if state not in stretch.rows or (BACK if state in self.backward else FORTH) != direction:
                        continue
                    begun = stretch.entering.setdefault((state, direction), [])
                    if x not in begun:
                        begun.append(x)
        for i in timeline.members[last]:
            later = [self.row[u][0] for u in self.users[i] if u in self.row and self.row[u][0] > stretch.number]
            if self.row[i] in stretch.rows and later:
                stretch.leaving[self.row[i]] = min(later)

    def begins(self, x: int, i: int) -> Name | None:
        """The row at which x enters the first step of a stretch; None where it does not only lead into that step."""
        timeline = self.scene.timeline
        inside = timeline.column[x] == timeline.column[i] or self.distance(x, i)
        if inside or timeline.role[x] not in (BEFORE, BETWEEN, STEP):
            return None
        state = self.taken_up(x, i)
        if state is None and len({timeline.column[user] for user in self.users[x] if user in self.row}) == 1:
            state = self.row[i]
        return state

    def group(self, stretch: Stretch, columns: list[int]) -> list[Group]:
        """The rows in groups, from the bottom."""
        timeline = self.scene.timeline
        edges: dict[tuple[Name, Name], None] = {}
        for c in columns:
            for i in timeline.members[c]:
                for x in timeline.inputs[i]:
                    if timeline.column[x] == c and x in self.row:
                        edges[self.row[x], self.row[i]] = None
        unit, among = self.units(stretch, list(edges))
        rows: dict[object, list[Name]] = defaultdict(list)
        for name in stretch.rows:
            rows[unit[name]].append(name)
        raised = {unit[name] for name, row in stretch.rows.items() if timeline.nodes[row.node].op is not None}
        ranks = ranked(list(rows), among, raised)
        groups: list[Group] = []
        for rank in sorted(set(ranks.values())):
            here = [u for u in rows if ranks[u] == rank]
            alone = [name for u in here if not isinstance(u, str) for name in rows[u]]
            groups += [Group(alone)] if alone else []
            for cell in here:
                if isinstance(cell, str):
                    names = rows[cell]
                    inner = ranked(names, [(a, b) for a, b in edges if unit[a] == unit[b] == cell], set())
                    levels = sorted(set(inner.values()))
                    groups += [Group([name for name in names if inner[name] == level], cell) for level in levels]
        return groups

    def units(
        self, stretch: Stretch, edges: list[tuple[Name, Name]]
    ) -> tuple[dict[Name, object], list[tuple[object, object]]]:
        """For each row the cell that it lies in, where states run through several, else itself; and edges between."""
        cells = {stretch.rows[name].scope for _, _, name in stretch.crossing} - {""}
        cells = cells if len(cells) > 1 else set()
        unit: dict[Name, object] = {name: cell_of(row.scope, cells) or name for name, row in stretch.rows.items()}
        between = list(dict.fromkeys((unit[a], unit[b]) for a, b in edges if unit[a] != unit[b]))
        if all(len(component) == 1 for component in strong_components(list(set(unit.values())), between)):
            return unit, between
        return {name: name for name in stretch.rows}, list(edges)

    def read_above(self, stretch: Stretch, whole: list[int]) -> None:
        """What stands outside of time, made from this stretch."""
        timeline = self.scene.timeline
        final = len(timeline.stretches) - 1
        for i, role in enumerate(timeline.role):
            if role == AFTER and stretch.number == final:
                stretch.above.append(i)
            elif role in (BETWEEN, MEMORY) and timeline.stands.get(i) == stretch.number:
                stretch.above.append(i)
        rows = stretch.rows
        for i in stretch.above:
            sources = [x for x in timeline.inputs[i] if x in self.row and self.row[x] in rows]
            last = [x for x in sources if timeline.column[x] == whole[-1]]
            if len(last) == len(sources):
                stretch.rising[i] = list(dict.fromkeys(self.row[x] for x in last))
            else:
                stretch.gathered[i] = sorted({c for x in sources if (c := timeline.column[x]) is not None})


def places_of(columns: list[int], whole: list[int]) -> list[Place]:
    """The places of a stretch of which some columns are shown, in the order of time."""
    first, shown = whole[0], set(columns)
    passed = gaps([c - first for c in columns], [0] * len(whole))
    both = [(c, c) for c in columns] + [(a + first, b + first) for a, b in passed]
    return [Place(a, b, a not in shown) for a, b in sorted(both)]


def is_cut(scene: Scene, i: int) -> bool:
    """Whether a node hands on a value and no gradient."""
    op = scene.timeline.nodes[i].op
    return op is not None and op.name == "cut"


def cell_of(scope: str, cells: set[str]) -> str:
    """The innermost of the cells that a scope belongs to."""
    return max((cell for cell in cells if f"{scope}/".startswith(f"{cell}/")), key=len, default="")


def ranked(nodes: list[K], edges: list[tuple[K, K]], raised: set[K]) -> dict[K, int]:
    """For each node how many others must come before it, one after the other; at least one for those raised."""
    before: dict[K, set[K]] = {node: set() for node in nodes}
    for a, b in edges:
        if a != b:
            before[b].add(a)
    ranks: dict[K, int] = {}
    waiting = list(nodes)
    while waiting:
        free = [node for node in waiting if before[node] <= ranks.keys()] or waiting[:1]  # in a circle: the oldest
        for node in free:
            ranks[node] = max([ranks[a] + 1 for a in before[node] if a in ranks] + [int(node in raised)])
        waiting = [node for node in waiting if node not in ranks]
    return ranks
