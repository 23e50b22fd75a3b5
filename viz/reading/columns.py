"""A record read as columns of time: which node stands in which column, and which stand beside time.

Roles of the nodes:
    step      made, or used only, at one time step: drawn in its column
    badge     shared by the steps (a weight, or what is made of weights alone): drawn as its name where it is used
    memory    outside time, made from many steps and used by many: a badge at its uses, and a node between stretches
    number    an unnamed constant of one element: written into the node that uses it
    before    outside time, and leading into it: initial states
    between   outside time, made from one stretch of steps and leading into the next: a bridge, a context
    after     outside time, and made from what is in it: the sum of the losses
    hidden    what only badges are made of, sums folded into one, and what a level of detail leaves out
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from tinygrad_seq.graph import Graph, Node

from ..errors import NoTimeStepsError, PictureTooLargeError
from ..pictures.labels import Label
from .lines import Key, line_keys, stems_of
from .memories import Memories
from .stretches import find_stretches

STEP, BADGE, MEMORY, NUMBER = "step", "badge", "memory", "number"
BEFORE, BETWEEN, AFTER, HIDDEN = "before", "between", "after", "hidden"


@dataclass
class Timeline:
    """A record in columns. Nodes are known by their place in `nodes`, which is their order of birth."""

    nodes: list[Node]
    inputs: list[list[int]]  # of each node, by place
    steps: list[int]  # the time step of each column
    stretch: list[int]  # of each column: an encoder's steps are one stretch, its decoder's the next
    column: list[int | None]
    role: list[str]
    lines: list[Key]  # equal for what the same line of the model makes at each step
    stems: list[str]  # names without the step's own number: "h" for "h_3" at step 3
    memories: Memories
    members: list[list[int]] = field(default_factory=list)  # the nodes of each column
    taken: list[list[int]] = field(default_factory=list)  # the inputs as they are in the record
    same: list[int] = field(default_factory=list)  # for each node the one that is drawn for it and its like
    home: dict[int, int] = field(default_factory=dict)  # drawn as part of another → that one
    parts: dict[int, list[int]] = field(default_factory=dict)  # drawn as one: the node that stands for all → all
    formulas: dict[int, Label] = field(default_factory=dict)  # what these compute
    units: dict[int, str] = field(default_factory=dict)  # those that stand for a cell or a scope → which
    cuts: set[int] = field(default_factory=set)  # states that go on to the next step, and get no gradient back
    sums: set[int] = field(default_factory=set)  # additions that stand for a whole sum
    stands: dict[int, int] = field(default_factory=dict)  # nodes between stretches: after which one each stands

    @property
    def root(self) -> int:
        return len(self.nodes) - 1

    @property
    def stretches(self) -> list[list[int]]:
        """The columns of each stretch."""
        count = max(self.stretch) + 1
        return [[c for c, s in enumerate(self.stretch) if s == n] for n in range(count)]


def read_columns(loss: Node, max_nodes: int | None = None) -> Timeline:
    """The record of `loss`, sorted into columns.

    Raises NoTimeStepsError where nothing carries a time mark, PictureTooLargeError for more than max_nodes nodes.
    """
    nodes = list(Graph(loss).nodes)
    if max_nodes is not None and len(nodes) > max_nodes:
        raise PictureTooLargeError(
            f"the record of {described(loss)} has {len(nodes):,} nodes, more than the {max_nodes:,} that are drawn "
            f"unasked: say max_nodes={len(nodes)} and wait, draw an earlier loss, or detach the state now and then "
            "(truncated_bptt)"
        )
    place = {id(node): i for i, node in enumerate(nodes)}
    taken = [[place[id(x)] for x in node.inputs] for node in nodes]
    inputs = [list(xs) for xs in taken]
    times = [node.t for node in nodes]
    if all(t is None for t in times):
        raise NoTimeStepsError(
            f"draw_unrolled needs time steps, and none of the {len(nodes)} nodes behind {described(loss)} carries one: "
            "step through the sequence with `for t, x_t in steps(xs): …`, or draw the ops with draw_graph(…)"
        )
    stems = stems_of(nodes)
    lines = line_keys(nodes, stems, times)
    memories = Memories(nodes, inputs, times, lines)
    for i, source in memories.picks.items():
        if source is not None:
            inputs[i] = [source]  # h_3, stacked and picked out again, is h_3
        elif not stems[i]:
            stems[i] = root_name(nodes, taken, i)  # a row of x is called as x is
    stretch_of = find_stretches(lines, inputs, times)
    marks = sorted({(s, t) for s, t in zip(stretch_of, times, strict=True) if s is not None and t is not None})
    index = {mark: c for c, mark in enumerate(marks)}
    column = [None if s is None or t is None else index[s, t] for s, t in zip(stretch_of, times, strict=True)]
    steps, stretch = [t for _, t in marks], [s for s, _ in marks]
    timeline = Timeline(nodes, inputs, steps, stretch, column, [STEP] * len(nodes), lines, stems, memories)
    timeline.taken = taken
    assign_roles(timeline)
    pass_boundaries(timeline)
    merge_badges(timeline)
    fold_sums(timeline)
    return timeline


def sort_members(timeline: Timeline) -> None:
    """List what is drawn in each column."""
    timeline.members = [[] for _ in timeline.steps]
    for i, c in enumerate(timeline.column):
        if c is not None and timeline.role[i] == STEP:
            timeline.members[c].append(i)


def root_name(nodes: list[Node], inputs: list[list[int]], i: int) -> str:
    """The name of what a node is a slice of."""
    while not nodes[i].name and len(inputs[i]) == 1:
        (i,) = inputs[i]
    return nodes[i].name or ""


def described(node: Node) -> str:
    """A node in a few words, for a message."""
    name = f" {node.name!r}" if node.name else ""
    return f"{node.op.name if node.op else 'the leaf'}{name}" + (f" ({node.source})" if node.source else "")


def assign_roles(timeline: Timeline) -> None:
    """Give each node its role; leaves used at a single step move into that step's column."""
    nodes, inputs, column, role = timeline.nodes, timeline.inputs, timeline.column, timeline.role
    users: list[list[tuple[int, int]]] = [[] for _ in nodes]  # (user, which of its inputs)
    timed = [c is not None for c in column]  # in time, or made from what is
    for i, xs in enumerate(inputs):
        for position, x in enumerate(xs):
            users[x].append((i, position))
            timed[i] |= timed[x]
    leading = [False] * len(nodes)  # outside time, and used by what is in it
    for i in reversed(range(len(nodes))):
        leading[i] = column[i] is None and any(column[user] is not None or leading[user] for user, _ in users[i])
    lines = timeline.lines
    carried = {
        (lines[i], position)
        for i, xs in enumerate(inputs)
        if column[i] is not None
        for position, x in enumerate(xs)
        if column[x] is not None and column[x] != column[i]
    }
    feeders: dict[tuple[Key, int], set[int]] = defaultdict(set)  # lone leaves, by the place that they feed
    columns_of = [{column[user] for user, _ in users[i]} for i in range(len(nodes))]
    for i, node in enumerate(nodes):
        if node.op is None and column[i] is None and len(columns_of[i]) == 1:
            for user, position in users[i]:
                feeders[lines[user], position].add(i)

    for i, node in enumerate(nodes):
        if is_number(node) and users[i] and (len(users[i]) == 1 or column[i] is None):
            role[i] = NUMBER
        elif column[i] is not None:
            role[i] = STEP
        elif timed[i] and leading[i]:
            role[i] = MEMORY if len(columns_of[i] - {None}) > 1 else BETWEEN
        elif timed[i]:
            role[i] = AFTER if users[i] or i == timeline.root else HIDDEN
        else:
            role[i] = BADGE if weightlike(i, timeline, users, columns_of, carried, feeders) else BEFORE
    for i, node in enumerate(nodes):
        (only,) = columns_of[i] if len(columns_of[i]) == 1 else (None,)
        if role[i] != BEFORE or node.op is not None:
            continue
        if only is None:  # used after the steps, or by what leads into them
            if users[i] and all(role[user] == AFTER for user, _ in users[i]):
                role[i] = AFTER
        elif not any((lines[user], position) in carried for user, position in users[i]):
            role[i], column[i] = STEP, only
    for i in reversed(range(len(nodes))):  # what only badges are made of is not drawn
        if role[i] in (BADGE, NUMBER, BEFORE) and users[i]:
            if all(role[user] in (BADGE, HIDDEN) for user, _ in users[i]):
                role[i] = HIDDEN
    place_between(timeline, users)


def place_between(timeline: Timeline, users: list[list[tuple[int, int]]]) -> None:
    """Find the stretch after which a node between stretches stands; inside of a stretch there is no place for it."""
    role, latest = timeline.role, [-1] * len(timeline.nodes)
    first = [len(timeline.steps)] * len(timeline.nodes)
    for i, xs in enumerate(timeline.inputs):
        c = timeline.column[i]
        latest[i] = timeline.stretch[c] if c is not None else max((latest[x] for x in xs), default=-1)
    for i in reversed(range(len(timeline.nodes))):
        for user, _ in users[i]:
            c = timeline.column[user]
            first[i] = min(first[i], first[user] if c is None else timeline.stretch[c])
    for i, r in enumerate(role):
        if r in (BETWEEN, MEMORY):
            if latest[i] < first[i]:
                timeline.stands[i] = latest[i]
            elif r == BETWEEN:
                role[i] = HIDDEN


def pass_boundaries(timeline: Timeline) -> None:
    """Take out what a state only passes on its way to the next step; where it is a cut, remember so.

    Truncated backpropagation marks its boundaries by identities called "carry" and "cut".
    """
    users: dict[int, list[int]] = defaultdict(list)
    for i, xs in enumerate(timeline.inputs):
        for x in xs:
            users[x].append(i)
    for i, node in enumerate(timeline.nodes):
        if node.op is None or node.op.name not in ("carry", "cut") or timeline.role[i] != STEP:
            continue
        (x,), c = timeline.inputs[i], timeline.column[i]
        onward = {timeline.column[user] for user in users[i]}
        if timeline.column[x] == c and onward and None not in onward and c not in onward:
            timeline.role[i], timeline.home[i] = HIDDEN, x
            if node.op.name == "cut":
                timeline.cuts.add(x)
            for user in users[i]:
                timeline.inputs[user] = [x if y == i else y for y in timeline.inputs[user]]
            users[x] += users[i]


def weightlike(
    i: int,
    timeline: Timeline,
    users: list[list[tuple[int, int]]],
    columns_of: list[set[int | None]],
    carried: set[tuple[Key, int]],
    feeders: dict[tuple[Key, int], set[int]],
) -> bool:
    """Whether a node outside time is shared by the steps, rather than leading into one of them."""
    node = timeline.nodes[i]
    if any((timeline.lines[user], position) in carried for user, position in users[i]) and len(columns_of[i]) == 1:
        return False  # the initial value of a state, learnt or not
    if len(columns_of[i] - {None}) > 1:
        return True
    if node.op is not None:
        return all(timeline.role[x] in (BADGE, NUMBER) for x in timeline.inputs[i])
    fed = any(len(feeders[timeline.lines[user], position]) > 1 for user, position in users[i])
    return bool(node.requires_grad) and not fed and bool(users[i])


def is_number(node: Node) -> bool:
    """Whether a node is a plain constant such as the 1 of 1 - z."""
    return node.op is None and not node.requires_grad and not node.name and np.size(node.data) == 1


def merge_badges(timeline: Timeline) -> None:
    """Show what is made of the same weights in the same way as one: Wᵀ, made anew at every call of a layer."""
    role, same = timeline.role, list(range(len(timeline.nodes)))
    first: dict[Key, int] = {}
    for i, node in enumerate(timeline.nodes):
        if node.op is None or role[i] not in (BADGE, HIDDEN):
            continue
        fixed = tuple((name, comparable(value)) for name, value in node.fixed.items())
        try:
            same[i] = first.setdefault((node.op, node.name, fixed, *(same[x] for x in timeline.inputs[i])), i)
        except TypeError:  # an array is among the fixed arguments
            continue
        if same[i] != i:
            role[same[i]], role[i] = role[i] if role[i] == BADGE else role[same[i]], HIDDEN
    timeline.inputs = [[same[x] for x in xs] for xs in timeline.inputs]
    timeline.same = same


def comparable(x: object) -> object:
    """A fixed argument, as something that can be a key where it holds no array."""
    if isinstance(x, slice):
        return slice, x.start, x.stop, x.step
    return tuple([comparable(part) for part in x]) if isinstance(x, tuple | list) else x


def fold_sums(timeline: Timeline) -> None:
    """Draw `L_1 + L_2 + … + L_T` after the steps as one sum: its inner additions are taken out."""
    inputs, role = timeline.inputs, timeline.role
    uses = Counter(x for xs in inputs for x in xs)
    for i, node in enumerate(timeline.nodes):
        if role[i] != AFTER or node.op is None or node.op.name != "add":
            continue
        terms: list[int] = []
        for x in inputs[i]:  # a list is handed on, not copied: a thousand losses are one sum of a thousand terms
            inner = timeline.nodes[x]
            zero = role[x] == NUMBER and not np.any(inner.data)
            if role[x] == AFTER and inner.op is not None and inner.op.name == "add" and not inner.name and uses[x] == 1:
                role[x] = HIDDEN
                inputs[x].extend(terms)
                terms, inputs[x] = inputs[x], []
            elif not zero:
                terms.append(x)
        inputs[i] = terms
        if len(terms) != len(node.inputs):
            timeline.sums.add(i)
    for i in reversed(range(len(role))):  # an inner addition is part of the sum in the end
        for x in timeline.taken[i]:
            if role[i] in (AFTER, HIDDEN) and role[x] == HIDDEN and is_addition(timeline.nodes[x]) and uses[x] == 1:
                timeline.home[x] = timeline.home.get(i, i)


def is_addition(node: Node) -> bool:
    """Whether a node is the sum of two."""
    return node.op is not None and node.op.name == "add"


def is_sum(timeline: Timeline, i: int) -> bool:
    """Whether node i stands for a folded sum."""
    return i in timeline.sums
