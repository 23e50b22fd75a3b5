"""The steps of a loop laid on top of each other: which node of one step is the same thing as which node of another.

Every thing that a step may have is a *spot*. First steps are sorted into kinds, by numbers that stand for each node
with what it is made from, and with what is made of it, within its step; steps of one kind correspond node by node. The
most common kind gives the first spots, the *body*. The nodes of each further kind are then put on the spots that they
fit best; what fits nowhere becomes a further spot. Where one node is changed, what lies below it is known by what it
is made from, and what lies above it by what is made of it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from ..reading.columns import BADGE, MEMORY, NUMBER, STEP, Timeline
from ..reading.lines import Key

OUTSIDE, SHARED, GIVEN = ("outside",), ("shared",), ("number",)
NEAR = 16  # spots that are compared for a node that fits several


@dataclass
class Alignment:
    """The steps of one loop on top of each other. Steps are counted from 0, nodes are places in the record."""

    columns: list[int]  # of each step
    times: list[int]  # the t of each step
    rows: list[list[int]]  # the nodes of each step, oldest first
    row_of: dict[int, int]  # node → its step
    own: dict[int, int] = field(default_factory=dict)  # node → a number for what it is by itself
    keys: list[Key] = field(default_factory=list)  # that number → op, scope, name and line
    spot: dict[int, int] = field(default_factory=dict)  # node → its spot
    at: list[dict[int, int]] = field(default_factory=list)  # of each spot: step → its node
    kinds: list[list[int]] = field(default_factory=list)  # steps of one kind, the most common first
    body: int = 0  # how many spots the most common kind has: the first ones

    def sample(self, spot: int) -> int:
        """A node on a spot: that of the first of the steps which have it and are of the most common kind among them."""
        nodes = self.at[spot]
        return nodes.get(self.kinds[0][0], next(iter(nodes.values())))


@dataclass
class Shapes:
    """How each node hangs together with the others of its step."""

    taken: dict[int, tuple[object, ...]]  # what it takes, one entry for neighbours from outside the step
    users: dict[int, list[tuple[int, int]]]  # what takes it, and as which entry
    upward: dict[int, int]  # a number for itself and all that it is made from
    downward: dict[int, int]  # a number for itself and all that is made of it
    both: dict[int, int]  # a number for the two


def align(timeline: Timeline, columns: list[int]) -> Alignment:
    """Lay the steps in the given columns on top of each other."""
    index = {c: n for n, c in enumerate(columns)}
    rows: list[list[int]] = [[] for _ in columns]
    row_of: dict[int, int] = {}
    for i, c in enumerate(timeline.column):
        if c in index and timeline.role[i] in (STEP, NUMBER):
            row_of[i] = index[c]
            rows[index[c]].append(i)
    aligned = Alignment(columns, [timeline.steps[c] for c in columns], rows, row_of)
    read_own(timeline, aligned)
    shapes = read_shapes(timeline, aligned)
    kinds: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        row.sort()
        kinds[tuple(sorted(shapes.both[i] for i in row))].append(n)
    aligned.kinds = sorted(kinds.values(), key=lambda steps: (-len(steps), -len(rows[steps[0]]), steps[0]))
    fitting = Fitting(timeline, aligned, shapes)
    for kind in aligned.kinds:
        fitting.add(kind[0])
        first = ordered(rows[kind[0]], shapes)
        for n in kind[1:]:
            for i, other in zip(first, ordered(rows[n], shapes), strict=True):
                aligned.spot[other] = aligned.spot[i]
                aligned.at[aligned.spot[i]][n] = other
        aligned.body = aligned.body or len(aligned.at)
    return aligned


def ordered(row: list[int], shapes: Shapes) -> list[int]:
    """The nodes of a step in an order in which those of a step of the same kind correspond."""
    return sorted(row, key=lambda i: (shapes.both[i], i))


def read_own(timeline: Timeline, aligned: Alignment) -> None:
    """Note what each node is by itself: op, scope, name and line; of a leaf the name, or else what it is given to."""
    first: dict[int, tuple[str, int]] = {}  # of a leaf
    numbers: dict[Key, int] = {}
    for i in aligned.row_of:
        op = timeline.nodes[i].op
        for place, x in enumerate(timeline.inputs[i]):
            if timeline.nodes[x].op is None:
                first.setdefault(x, (op.name if op is not None else "", place))
        if op is not None:
            aligned.own[i] = numbers.setdefault(timeline.lines[i][:-1], len(numbers))
    for i in aligned.row_of:
        if timeline.nodes[i].op is None:
            aligned.own[i] = numbers.setdefault(("", "", timeline.stems[i] or first.get(i)), len(numbers))
    aligned.keys = list(numbers)


def read_shapes(timeline: Timeline, aligned: Alignment) -> Shapes:
    """Read how the nodes of each step hang together."""
    taken: dict[int, tuple[object, ...]] = {}
    users: dict[int, list[tuple[int, int]]] = defaultdict(list)
    numbers: dict[Hashable, int] = {}
    upward: dict[int, int] = {}
    downward: dict[int, int] = {}
    for i, step in aligned.row_of.items():  # oldest first
        entries: list[object] = []
        for x in timeline.inputs[i]:
            if aligned.row_of.get(x) == step:
                users[x].append((i, len(entries)))
                entries.append(x)
            elif timeline.role[x] in (BADGE, MEMORY):
                entries.append(SHARED)
            elif timeline.role[x] == NUMBER:
                entries.append(GIVEN)
            elif not entries or entries[-1] != OUTSIDE:  # however many steps it looks at
                entries.append(OUTSIDE)
        taken[i] = tuple(entries)
        known = tuple([upward[x] if isinstance(x, int) else x for x in entries])
        upward[i] = numbers.setdefault((aligned.own[i], known), len(numbers))
    for i in reversed(aligned.row_of):
        uses = tuple(sorted((downward[user], place) for user, place in users[i]))
        downward[i] = numbers.setdefault((aligned.own[i], "used by", uses), len(numbers))
    both = {i: numbers.setdefault(("both", upward[i], downward[i]), len(numbers)) for i in aligned.row_of}
    return Shapes(taken, users, upward, downward, both)


class Fitting:
    """Puts steps on spots, one of each kind."""

    def __init__(self, timeline: Timeline, aligned: Alignment, shapes: Shapes) -> None:
        self.timeline, self.aligned, self.shapes = timeline, aligned, shapes
        self.sample: list[int] = []  # of each spot the node that made it
        self.passes: list[Callable[[int], Hashable]] = [
            lambda i: ("both", shapes.both[i]),
            lambda i: ("downward", shapes.downward[i]),
            lambda i: ("upward", shapes.upward[i]),
            lambda i: ("own", aligned.own[i]),
            lambda i: ("elsewhere", aligned.keys[aligned.own[i]][:3]),  # the same on another line
            lambda i: ("otherwise", nameless(aligned.keys[aligned.own[i]])),  # on the same line by another name
        ]
        self.spots: dict[Hashable, list[int]] = defaultdict(list)  # those of one key

    def add(self, step: int) -> None:
        """Put the nodes of a step on the spots that they fit, and make spots for the others."""
        row = self.aligned.rows[step]
        found: dict[int, int] = {}
        used: set[int] = set()
        for alone in (True, False):
            for key in self.passes:
                self.match(row, key, found, used, alone)
        self.match_in_place(row, found, used)
        for i in row:
            if i not in found:
                found[i] = len(self.sample)
                self.sample.append(i)
                self.aligned.at.append({})
                for key in self.passes:
                    self.spots[key(i)].append(found[i])
            self.aligned.spot[i] = found[i]
            self.aligned.at[found[i]][step] = i

    def match(
        self, row: list[int], key: Callable[[int], Hashable], found: dict[int, int], used: set[int], alone: bool
    ) -> None:
        """Put nodes on free spots of their key: those that are alone in having it, or each on the one it fits best."""
        keys = {i: key(i) for i in row if i not in found}
        count = Counter(keys.values())
        free = {k: [spot for spot in self.spots.get(k, ()) if spot not in used] for k in count}
        for i, k in keys.items():
            if free[k] and not (alone and (count[k] > 1 or len(free[k]) > 1)):
                near = free[k][:NEAR]
                best = near[0] if len(near) == 1 else max(near, key=lambda spot: self.fit(i, spot, found))
                free[k].remove(best)
                found[i] = best
                used.add(best)

    def fit(self, i: int, spot: int, found: dict[int, int]) -> int:
        """How many neighbours of node i are on the spots next to that one."""
        shapes, spot_of, other = self.shapes, self.aligned.spot, self.sample[spot]
        good = 0
        for x, y in zip(shapes.taken[i], shapes.taken[other], strict=False):
            good += found.get(x) == spot_of.get(y) if isinstance(x, int) and isinstance(y, int) else x == y
        theirs = {(spot_of.get(user), place) for user, place in shapes.users[other]}
        good += sum((found.get(user, -1), place) in theirs for user, place in shapes.users[i])
        return good + (shared(self.timeline, i) == shared(self.timeline, other))

    def match_in_place(self, row: list[int], found: dict[int, int], used: set[int]) -> None:
        """Put a node on the free spot whose place it takes in what is made of it: another op, another name."""
        for i in reversed(row):
            if i in found:
                continue
            for user, place in self.shapes.users[i]:
                if user in found:
                    theirs = self.shapes.taken[self.sample[found[user]]]
                    x = theirs[place] if place < len(theirs) else None
                    spot = self.aligned.spot.get(x) if isinstance(x, int) else None
                    if spot is not None and spot not in used:
                        found[i] = spot
                        used.add(spot)
                        break


def nameless(key: Key) -> Key:
    """What an op is by itself, without its name; leaves are known by nothing but theirs."""
    return (*key[:2], *key[3:]) if key[0] else key


def shared(timeline: Timeline, i: int) -> list[int]:
    """The weights that a node uses."""
    return [x for x in timeline.inputs[i] if timeline.role[x] in (BADGE, MEMORY)]
