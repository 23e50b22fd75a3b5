"""A part of a record: what is near to some of its nodes, and what of the rest it takes from and goes on to."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tinygrad_seq.graph import Node

__all__ = ["nearby", "takers_elsewhere"]


def nearby(nodes: Sequence[Node], around: Collection[Node], distance: int) -> list[Node]:
    """Of a record's nodes those that `around` was made from or that were made of it, within so many ops; oldest first.

    What is made of `around` has other inputs too: those are no part of it.
    """
    ids = {id(node) for node in nodes}
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for x in node.inputs:
            users.setdefault(id(x), []).append(node)
    found = {id(node) for node in around}
    above, below = list(around), list(around)
    for _ in range(distance):
        above = [x for node in above for x in unique(node.inputs) if id(x) in ids]
        below = [user for node in below for user in unique(users.get(id(node), ()))]
        above, below = unique(above), unique(below)
        found |= {id(node) for node in (*above, *below)}
    return [node for node in nodes if id(node) in found]


def takers_elsewhere(nodes: Sequence[Node], drawn: Collection[Node]) -> dict[int, tuple[Node, ...]]:
    """For each node that is drawn, by its id, those of the record that take it and are not drawn, oldest first."""
    ids = {id(node) for node in drawn}
    takers: dict[int, list[Node]] = {}
    for node in nodes:
        if id(node) not in ids:
            for x in unique(node.inputs):
                if id(x) in ids:
                    takers.setdefault(id(x), []).append(node)
    return {key: tuple(found) for key, found in takers.items()}


def unique(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, each once."""
    return list({id(node): node for node in nodes}.values())
