"""Fewer and larger nodes: several nodes of a step drawn as one, or as none.

A record is large and a page is small.  `contract` lets one node stand for others; `dissolve` leaves a node out and
gives what it took to those that took it.  Both change what is drawn, not the record.
"""

from __future__ import annotations

from .columns import AFTER, BADGE, BETWEEN, HIDDEN, MEMORY, NUMBER, STEP, Timeline
from .formulas import formula


def contract(timeline: Timeline, home: dict[int, int]) -> None:
    """Draw every node of `home` as part of the node that it maps to, which maps to itself.

    The one that stands for all takes what any of them took from elsewhere.  Its formula says what they compute.
    """
    parts: dict[int, list[int]] = {}
    for i in sorted(home):
        parts.setdefault(home[i], []).append(i)
    for i, members in parts.items():
        if len(members) > 1:
            timeline.formulas[i] = formula(timeline, i, set(members))
            timeline.parts[i] = members
    for i, xs in enumerate(timeline.inputs):
        if timeline.role[i] == HIDDEN or home.get(i, i) != i:
            continue
        taken = [x for member in parts.get(i, [i]) for x in timeline.inputs[member]] if i in parts else xs
        drawn = [home.get(x, x) for x in taken if i not in timeline.parts or timeline.role[x] != NUMBER]
        timeline.inputs[i] = [x for x in dict.fromkeys(drawn) if x != i] if i in timeline.parts else drawn
    for i, to in home.items():
        if to != i:
            timeline.home[i] = to
            timeline.role[i] = HIDDEN


def dissolve(timeline: Timeline, gone: set[int]) -> None:
    """Leave nodes out: those that took one of them take what it took."""
    for i, xs in enumerate(timeline.inputs):  # inputs first: what is left out has taken over from what it took
        if any(x in gone for x in xs):
            taken = [y for x in xs for y in (timeline.inputs[x] if x in gone else [x])]
            timeline.inputs[i] = list(dict.fromkeys(taken))
    for i in gone:
        timeline.role[i] = HIDDEN


def users_of(timeline: Timeline) -> list[list[int]]:
    """For each node those that take it and are drawn."""
    users: list[list[int]] = [[] for _ in timeline.nodes]
    for i, xs in enumerate(timeline.inputs):
        if timeline.role[i] in (STEP, AFTER, BETWEEN, MEMORY, BADGE):
            for x in dict.fromkeys(xs):
                users[x].append(i)
    return users
