"""Which boxes an op graph has and what joins them: no edge so long that nobody could follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tinygrad_seq.graph import Node

from .clusters import SCOPE, STEP, Clusters, around
from .order import parting

VALUE, OP, COPY, FAR, ON = "value", "op", "copy", "far", "on"
OFTEN = 6  # a leaf with more uses is drawn at each of them
NONE: Mapping[int, tuple[Node, ...]] = {}
NEAREST, LONGEST = 12, 6_000  # ops that an edge may pass by: the fewer the more nodes there are, but at least so many


@dataclass(frozen=True, slots=True)
class Item:
    """One box: a value, its op, a copy of a leaf, the names of what comes from far off, or of what it goes on to."""

    kind: str
    node: Node  # of FAR: the one that takes them; of ON: the one that they take
    at: int  # the node whose cluster it stands in
    sources: tuple[Node, ...] = ()


def wire(
    nodes: list[Node], clusters: Clusters, *, ops: bool, takers: Mapping[int, tuple[Node, ...]] = NONE
) -> tuple[list[Item], list[tuple[int, int]]]:
    """The boxes of some of a record's nodes, oldest first, and the edges between them.

    ops: each op has a box of its own in front of its value's.  takers: by the id of a node those that take it and are
    not drawn.
    """
    place = {id(node): i for i, node in enumerate(nodes)}
    inputs = [list(dict.fromkeys(place[id(x)] for x in node.inputs if id(x) in place)) for node in nodes]
    often = shown_at_each_use(nodes, inputs, clusters)
    depth, before = depths(inputs, clusters)
    reach = max(NEAREST, LONGEST // len(nodes))
    items: list[Item] = []
    edges: list[tuple[int, int]] = []
    box: dict[int, int] = {}
    for i, node in enumerate(nodes):
        if i in often:
            continue
        entry = len(items) + (ops and node.op is not None)  # where its edges arrive
        box[i] = len(items)
        items.append(Item(VALUE, node, i))
        if entry != box[i]:
            items.append(Item(OP, node, i))
            edges.append((entry, box[i]))
        far = list({id(x): x for x in node.inputs if id(x) not in place}.values())
        for x in inputs[i]:
            if x in often:
                edges.append((len(items), entry))
                items.append(Item(COPY, nodes[x], i))
            elif depth[i] - depth[x] > reach and not follows(clusters, before, x, i):
                far.append(nodes[x])
            else:
                edges.append((box[x], entry))
        if far:
            edges.append((len(items), entry))
            items.append(Item(FAR, node, i, tuple(far)))
        if takers.get(id(node)):
            edges.append((box[i], len(items)))
            items.append(Item(ON, node, i, takers[id(node)]))
    return items, edges


def shown_at_each_use(nodes: list[Node], inputs: list[list[int]], clusters: Clusters) -> set[int]:
    """The leaves of which each use gets a copy: those with many uses, and weights that several steps share."""
    uses: Counter[int] = Counter()
    steps: dict[int, set[int | None]] = {}
    for i, xs in enumerate(inputs):
        step = next((c for c in around(clusters.list, clusters.home[i]) if clusters.list[c].kind == STEP), None)
        for x in xs:
            if nodes[x].op is None:
                uses[x] += 1
                steps.setdefault(x, set()).add(step)
    return {x for x, n in uses.items() if n > OFTEN or (nodes[x].requires_grad and len(steps[x]) > 1)}


def follows(clusters: Clusters, before: dict[int, int], x: int, i: int) -> bool:
    """Whether node i is of the step, or scope, that comes directly after the one of x."""
    pair = parting(around(clusters.list, clusters.home[x]), around(clusters.list, clusters.home[i]))
    return pair is not None and before.get(pair[1]) == pair[0]


def depths(inputs: list[list[int]], clusters: Clusters) -> tuple[list[int], dict[int, int]]:
    """How far from the beginning each node is drawn, in ops; and for each cluster that stands behind another which.

    A cluster begins behind the last one it takes from.  What is made of one leaf alone is as near as can be to its
    first use.
    """
    depth: list[int] = []
    lone: list[bool] = []
    floor: dict[int, int] = {}
    before: dict[int, int] = {}
    ceiling: dict[int, int] = {}
    paths = [around(clusters.list, home) for home in clusters.home]
    for i, xs in enumerate(inputs):
        lone.append(len(xs) < 2 and all(lone[x] for x in xs))
        for pair in [parting(paths[x], paths[i]) for x in xs]:
            if pair is not None and clusters.list[pair[0]].kind in (SCOPE, STEP):
                a, b = pair
                if ceiling.get(a, -1) >= floor.get(b, 0):
                    floor[b], before[b] = ceiling[a] + 1, a
        depth.append(max([depth[x] + 1 for x in xs] + [floor.get(c, 0) for c in paths[i]], default=0))
        for c in paths[i]:
            ceiling[c] = max(ceiling.get(c, 0), depth[i])
    first = [len(inputs)] * len(inputs)  # the depth of a node's first use
    for i in range(len(inputs) - 1, -1, -1):
        if lone[i] and first[i] < len(inputs):
            depth[i] = first[i] - 1
        for x in inputs[i]:
            first[x] = min(first[x], depth[i])
    return depth, before
