"""Attention read from a record: which step looks at which, with what weight, by the nodes that are drawn."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from .columns import HIDDEN, STEP, Timeline


@dataclass(frozen=True)
class Look:
    """One step looking at others: the node that the lines lead to, and for each node looked at its weight."""

    target: int
    sources: dict[int, float]


def read_looks(timeline: Timeline) -> list[Look]:
    """Every attention in the record, by the nodes that are drawn."""
    users: dict[int, list[int]] = defaultdict(list)
    for i, xs in enumerate(timeline.taken):
        for x in xs:
            users[x].append(i)
    looks = []
    for attending in timeline.memories.attending():
        target = drawn(timeline, context_of(timeline, attending.weights, users))
        sources: dict[int, float] = defaultdict(float)
        for source, weight in attending.sources:
            sources[drawn(timeline, source)] += weight
        sources.pop(target, None)
        kept = {x: w for x, w in sources.items() if timeline.role[x] == STEP}
        if timeline.role[target] == STEP and kept:
            looks.append(Look(target, kept))
    return looks


def context_of(timeline: Timeline, weights: int, users: dict[int, list[int]]) -> int:
    """The node in which the weights of an attention meet what is looked at."""
    column, at, labels = timeline.column[weights], weights, timeline.memories.labels
    for _ in range(6):  # a dropout, a reshape, a slice may come between
        following = [i for i in users[at] if timeline.column[i] == column]
        if not following:
            return weights
        at = following[0]
        others = [x for x in timeline.taken[at] if x in labels and x != weights and timeline.column[x] is None]
        sliced = [x for x in timeline.taken[at] if x in labels and labels[x].ndim > 1 and x < weights]
        if others or (sliced and len(timeline.taken[at]) > 1):
            return at
    return weights


def drawn(timeline: Timeline, i: int) -> int:
    """The node that is drawn for node i."""
    i = timeline.same[i]
    while timeline.role[i] == HIDDEN and i in timeline.home:
        i = timeline.home[i]
    return i
