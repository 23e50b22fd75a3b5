"""Steps compared: which time steps are the same computation, and one template for each family of them.

The steps of a loop run the same lines, so a node is known again at the next step by its op, name, scope, source line
and the weights it uses. Steps with the same nodes and edges are of one kind. Kinds that are nearly the same (the first
step, whose state comes from outside; the last, which alone has a loss) share a template that has the nodes of all of
them, so that every node stands at the same place in every step that has it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .columns import AFTER, BADGE, BETWEEN, MEMORY, STEP, Timeline
from .lines import Key


@dataclass
class Template:
    """The nodes and edges that a family of steps has between them, by key."""

    keys: dict[Key, None] = field(default_factory=dict)  # in order
    edges: dict[tuple[Key, Key], None] = field(default_factory=dict)
    arriving: dict[tuple[Key, Key], None] = field(default_factory=dict)  # (key one step earlier, key here)
    returning: dict[tuple[Key, Key], None] = field(default_factory=dict)  # (key one step later, key here)
    leaving: dict[Key, None] = field(default_factory=dict)  # what the next step takes
    going_back: dict[Key, None] = field(default_factory=dict)  # what the step before takes
    spaced: set[Key] = field(default_factory=set)  # what lines of attention lead up to: they need room below
    columns: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """What a step consists of, apart from its values: equal for steps that are alike."""

    keys: tuple[Key, ...]
    edges: tuple[tuple[Key, Key], ...]
    arriving: tuple[tuple[Key, Key], ...]
    returning: tuple[tuple[Key, Key], ...]
    leaving: tuple[Key, ...]
    going_back: tuple[Key, ...]


def read_templates(
    timeline: Timeline, columns: list[int], further: dict[int, set[int]]
) -> tuple[list[Template], dict[int, Key]]:
    """The templates of the given columns, and the key of every node in the columns."""
    keys = member_keys(timeline)
    kinds = {c: kind_of(timeline, c, keys, further) for c in columns}
    counts = Counter(kinds.values())
    templates: list[Template] = []
    home: dict[Kind, Template] = {}
    for kind in sorted(counts, key=lambda k: (-counts[k], -len(k.keys))):
        best = max(templates, key=lambda template: overlap(template, kind), default=None)
        if best is None or overlap(best, kind) < 0.5:
            best = Template()
            templates.append(best)
        merge(best, kind)
        home[kind] = best
    for c in columns:
        home[kinds[c]].columns.append(c)
    return templates, keys


def member_keys(timeline: Timeline) -> dict[int, Key]:
    """What each node in a column is known by at every step: unique within its column."""
    shared: dict[int, Key] = {}
    first_user: dict[int, tuple[int, int]] = {}
    for i, xs in enumerate(timeline.inputs):
        shared[i] = tuple(x for x in xs if timeline.role[x] in (BADGE, MEMORY))
        for position, x in enumerate(xs):
            first_user.setdefault(x, (i, position))
    keys: dict[int, Key] = {}
    for members in timeline.members:
        seen: Counter[Key] = Counter()
        for i in members:
            node = timeline.nodes[i]
            if node.op is not None:
                key: Key = (node.op.name, timeline.stems[i], node.scope, node.origin, shared[i])
            else:
                user, position = first_user.get(i, (i, 0))
                op = timeline.nodes[user].op
                key = ("", timeline.stems[i], op.name if op else "", position, shared[user])
            keys[i] = (*key, seen[key])
            seen[key] += 1
    return keys


def exits(timeline: Timeline) -> dict[int, set[int]]:
    """For each node that other columns use: how many columns further they are."""
    further: dict[int, set[int]] = {}
    lasts = {columns[-1] for columns in timeline.stretches}
    for i, xs in enumerate(timeline.inputs):
        here = timeline.column[i]
        for x in xs:
            there = timeline.column[x]
            if here is not None and there is not None and here != there:
                further.setdefault(x, set()).add(here - there)
        taken = {timeline.column[x] for x in xs} - {None}
        if timeline.role[i] in (AFTER, BETWEEN, MEMORY) and len(taken) == 1 and taken <= lasts:
            for x in xs:  # what comes after time takes up the last state
                if timeline.column[x] is not None:
                    further.setdefault(x, set()).add(1)
    return further


def kind_of(timeline: Timeline, c: int, keys: dict[int, Key], next_to: dict[int, set[int]]) -> Kind:
    """What the step of column c consists of."""
    members = timeline.members[c]
    edges, arriving, returning = [], [], []
    for i in members:
        for x in timeline.inputs[i]:
            there = timeline.column[x]
            if there is None or timeline.role[x] != STEP or timeline.stretch[there] != timeline.stretch[c]:
                continue
            if there == c:
                edges.append((keys[x], keys[i]))
            elif there == c - 1:
                arriving.append((keys[x], keys[i]))
            elif there == c + 1:
                returning.append((keys[x], keys[i]))
    return Kind(
        tuple(keys[i] for i in members),
        tuple(edges),
        tuple(arriving),
        tuple(returning),
        tuple(keys[i] for i in members if 1 in next_to.get(i, ())),
        tuple(keys[i] for i in members if -1 in next_to.get(i, ())),
    )


def overlap(template: Template, kind: Kind) -> float:
    """How much of the smaller of the two the other has, from 0 to 1."""
    common = sum(key in template.keys for key in kind.keys)
    return common / max(1, min(len(template.keys), len(kind.keys)))


def merge(template: Template, kind: Kind) -> None:
    """Give a template the nodes and edges of one more kind."""
    for part in ("keys", "edges", "arriving", "returning", "leaving", "going_back"):
        getattr(template, part).update(dict.fromkeys(getattr(kind, part)))
