"""A record read as columns of time: which node stands in which column, and which stand beside time.

Roles of the nodes:
    step      made, or used only, at one time step: drawn in its column
    badge     shared by the steps (a weight, or what is made of weights alone): drawn as its name where it is used
    number    an unnamed constant of one element: written into the node that uses it
    before    outside time, and leading into it: initial states, the context of an encoder
    after     outside time, and made from what is in it: the sum of the losses
    hidden    what only badges are made of, and sums folded into one
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from tinygrad_seq.graph import Graph, Node

from .errors import NoTimeStepsError

Key = tuple[object, ...]

STEP, BADGE, NUMBER, BEFORE, AFTER, HIDDEN = "step", "badge", "number", "before", "after", "hidden"


@dataclass
class Timeline:
    """A record in columns. Nodes are known by their place in `nodes`, which is their order of birth."""

    nodes: list[Node]
    inputs: list[list[int]]  # of each node, by place
    steps: list[int]  # the time step of each column
    column: list[int | None]
    role: list[str]
    sources: list[str]  # the source line of each node in time
    stems: list[str]  # names without the step's own number: "h" for "h_3" at step 3
    members: list[list[int]]  # the nodes of each column

    @property
    def root(self) -> int:
        return len(self.nodes) - 1


def read_columns(loss: Node) -> Timeline:
    """The record of `loss`, sorted into columns.  Raises NoTimeStepsError where nothing carries a time mark."""
    nodes = list(Graph(loss).nodes)
    place = {id(node): i for i, node in enumerate(nodes)}
    inputs = [[place[id(x)] for x in node.inputs] for node in nodes]
    steps = sorted({node.t for node in nodes if node.t is not None})
    if not steps:
        raise NoTimeStepsError(
            f"draw_unrolled needs time steps, and none of the {len(nodes)} nodes behind {described(loss)} carries one: "
            "step through the sequence with `for t, x_t in steps(xs): …`, or draw the ops with draw_graph(…)"
        )
    index = {t: c for c, t in enumerate(steps)}
    column = [None if node.t is None else index[node.t] for node in nodes]
    sources = ["" if c is None else node.source for node, c in zip(nodes, column, strict=True)]
    timeline = Timeline(nodes, inputs, steps, column, [STEP] * len(nodes), sources, stems_of(nodes), [])
    assign_roles(timeline)
    merge_badges(timeline)
    fold_sums(timeline)
    timeline.members = [[] for _ in steps]
    for i, c in enumerate(timeline.column):
        if c is not None and timeline.role[i] == STEP:
            timeline.members[c].append(i)
    return timeline


def described(node: Node) -> str:
    """A node in a few words, for a message."""
    name = f" {node.name!r}" if node.name else ""
    return f"{node.op.name if node.op else 'the leaf'}{name}" + (f" ({node.source})" if node.source else "")


def stems_of(nodes: list[Node]) -> list[str]:
    """Names without the number of their own step, where all nodes of that name carry their step's number."""
    split: list[tuple[str, bool]] = []
    agreeing: dict[str, set[int]] = defaultdict(set)
    disagreeing: set[str] = set()
    for node in nodes:
        name = node.name or ""
        stem = name.rstrip("0123456789")
        digits = name[len(stem) :]
        stem = stem.rstrip("_") or stem
        numbered = bool(digits and stem and node.t is not None and int(digits) == node.t)
        split.append((stem, numbered))
        if numbered:
            agreeing[stem].add(node.t)  # type: ignore[arg-type]
        elif digits and node.t is not None:
            disagreeing.add(stem)
    taken = {stem for stem, ts in agreeing.items() if len(ts) > 1 and stem not in disagreeing}
    return [
        stem if numbered and stem in taken else node.name or ""
        for node, (stem, numbered) in zip(nodes, split, strict=True)
    ]


def assign_roles(timeline: Timeline) -> None:
    """Give each node its role; leaves used at a single step move into that step's column."""
    nodes, inputs, column, role = timeline.nodes, timeline.inputs, timeline.column, timeline.role
    users: list[list[tuple[int, int]]] = [[] for _ in nodes]  # (user, which of its inputs)
    timed = [c is not None for c in column]  # in time, or made from what is
    for i, xs in enumerate(inputs):
        for position, x in enumerate(xs):
            users[x].append((i, position))
            timed[i] |= timed[x]
    rough = rough_keys(timeline)
    carried = {
        (rough[i], position)
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
                feeders[rough[user], position].add(i)

    for i, node in enumerate(nodes):
        if is_number(node) and users[i] and (len(users[i]) == 1 or column[i] is None):
            role[i] = NUMBER
        elif column[i] is not None:
            role[i] = STEP
        elif timed[i]:
            role[i] = AFTER
        else:
            role[i] = BADGE if weightlike(i, timeline, users, columns_of, carried, feeders, rough) else BEFORE
    for i, node in enumerate(nodes):
        (only,) = columns_of[i] if len(columns_of[i]) == 1 else (None,)
        if role[i] != BEFORE or node.op is not None:
            continue
        if only is None:  # used after the steps, or by what leads into them
            if all(role[user] == AFTER for user, _ in users[i]):
                role[i] = AFTER
        elif not any((rough[user], position) in carried for user, position in users[i]):
            role[i], column[i] = STEP, only
    for i in reversed(range(len(nodes))):  # what only badges are made of is not drawn
        if role[i] in (BADGE, NUMBER, BEFORE) and users[i]:
            if all(role[user] in (BADGE, HIDDEN) for user, _ in users[i]):
                role[i] = HIDDEN


def weightlike(
    i: int,
    timeline: Timeline,
    users: list[list[tuple[int, int]]],
    columns_of: list[set[int | None]],
    carried: set[tuple[Key, int]],
    feeders: dict[tuple[Key, int], set[int]],
    rough: list[Key],
) -> bool:
    """Whether a node outside time is shared by the steps, rather than leading into one of them."""
    node = timeline.nodes[i]
    if any((rough[user], position) in carried for user, position in users[i]) and len(columns_of[i]) == 1:
        return False  # the initial value of a state, learnt or not
    if len(columns_of[i] - {None}) > 1:
        return True
    if node.op is not None:
        return all(timeline.role[x] in (BADGE, NUMBER) for x in timeline.inputs[i])
    fed = any(len(feeders[rough[user], position]) > 1 for user, position in users[i])
    return bool(node.requires_grad) and not fed and bool(users[i])


def rough_keys(timeline: Timeline) -> list[Key]:
    """What a node is, without regard to what it is made from: equal for the same line of the model at each step."""
    seen: Counter[tuple[object, ...]] = Counter()
    keys: list[Key] = []
    for i, node in enumerate(timeline.nodes):
        kind = (node.op.name if node.op else "", node.scope, timeline.stems[i], timeline.sources[i])
        keys.append((*kind, seen[timeline.column[i], kind]))
        seen[timeline.column[i], kind] += 1
    return keys


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
                terms = inputs[x]
            elif not zero:
                terms.append(x)
        inputs[i] = terms


def is_sum(timeline: Timeline, i: int) -> bool:
    """Whether node i stands for a folded sum."""
    return len(timeline.inputs[i]) != len(timeline.nodes[i].inputs)
