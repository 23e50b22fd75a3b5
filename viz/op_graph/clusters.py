"""The parts that an op graph falls into: forward and backward passes, scopes as they were entered, time steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tinygrad_seq.graph import Node, Place
from tinygrad_seq.tensor import Parameter

FORWARD, BACKWARD, SCOPE, STEP = "forward", "backward", "scope", "step"
Kind = tuple[str, object, int]  # forward or backward; which call of the user's; which pass of that call


@dataclass(frozen=True, slots=True)
class Cluster:
    """A part of the graph, inside another or none."""

    label: str
    kind: str
    outer: int | None  # its place in the list of clusters, where every outer one comes first


class Clusters:
    """The clusters of a record's nodes, and which of them is the innermost around each node."""

    def __init__(self, nodes: list[Node]) -> None:
        self.list: list[Cluster] = []
        self.home: list[int | None] = []
        self.known: dict[tuple[int | None, int], int | None] = {}  # a pass and a place → the cluster of that call
        kinds = read_kinds(nodes)
        passes = self.passes(kinds)
        called: dict[tuple[str, int | None], Place] = {}  # where the forward nodes of a scope and step were made
        for node, kind in zip(nodes, kinds, strict=True):
            if kind[0] == FORWARD:
                called[node.scope, node.t] = node.place
        for node, around in zip(nodes, passes, strict=True):
            place = called.get((node.scope, node.t), node.place) if made_by_rule(node) else node.place
            self.home.append(self.of_place(around, place))
        self.settle(nodes)

    def passes(self, kinds: list[Kind]) -> list[int | None]:
        """For each node its pass as a cluster: the stretches of the program's history, forward and backward."""
        if all(kind[0] == FORWARD for kind in kinds):
            return [None] * len(kinds)
        stretches = [n == 0 or kinds[n] != kinds[n - 1] for n in range(len(kinds))]
        total = Counter(kind[0] for kind, begins in zip(kinds, stretches, strict=True) if begins)
        count: Counter[str] = Counter()
        found: list[int | None] = []
        for (name, _, _), begins in zip(kinds, stretches, strict=True):
            if begins:
                count[name] += 1
                self.list.append(Cluster(f"{name} {count[name]}" if total[name] > 1 else name, name, None))
            found.append(len(self.list) - 1)
        return found

    def of_place(self, around: int | None, place: Place) -> int | None:
        """The cluster for a place of the program, inside the cluster of its pass."""
        entered: list[Place] = []
        at: Place | None = place
        while at is not None and (around, id(at)) not in self.known:
            entered.append(at)
            at = at.outer
        cluster = around if at is None else self.known[around, id(at)]
        for inner in reversed(entered):
            outer = inner.outer
            path = "" if outer is None else outer.scope
            if inner.scope != path:
                name = inner.scope.removeprefix(path + "/") if path else inner.scope
                self.list.append(Cluster(name, SCOPE, cluster))
                cluster = len(self.list) - 1
            if inner.t is not None and (outer is None or inner.t != outer.t):
                self.list.append(Cluster(f"t = {inner.t}", STEP, cluster))
                cluster = len(self.list) - 1
            self.known[around, id(inner)] = cluster
        return cluster

    def settle(self, nodes: list[Node]) -> None:
        """Move each parameter, and each number used once, into the innermost cluster of its pass with all its uses."""
        place = {id(node): i for i, node in enumerate(nodes)}
        users: dict[int, list[int | None]] = {}
        for i, node in enumerate(nodes):
            for x in node.inputs:
                if id(x) in place:
                    users.setdefault(place[id(x)], []).append(self.home[i])
        for i, node in enumerate(nodes):
            if node.op is None and node.requires_grad:
                home = self.home[i]
                used = [at for at in users.get(i, []) if home is None or home in around(self.list, at)]
                if isinstance(node, Parameter) or (node.scalar and len(used) == 1):
                    self.home[i] = self.common(used) if used else home

    def common(self, clusters: Iterable[int | None]) -> int | None:
        """The innermost cluster that holds all of the given."""
        shared: list[int] | None = None
        for cluster in dict.fromkeys(clusters):
            path = around(self.list, cluster)
            shared = path if shared is None else [at for at in shared if at in path]
        return shared[0] if shared else None


def around(clusters: list[Cluster], cluster: int | None) -> list[int]:
    """A cluster and those around it, from the inside out."""
    found = []
    while cluster is not None:
        found.append(cluster)
        cluster = clusters[cluster].outer
    return found


def made_by_rule(node: Node) -> bool:
    """Whether a rule of a backward pass made the node: the sweep's places are of its own, no block opened them."""
    return node.place.block is None and node.place.outer is not None


def read_kinds(nodes: list[Node]) -> list[Kind]:
    """For each node, oldest first, whether it was made forward or backward, and in which of the backward passes."""
    calls = {node.origin for node in nodes if made_by_rule(node)}
    backward: set[int] = set()
    seeds: Counter[object] = Counter()
    kinds: list[Kind] = []
    for node in nodes:
        seed = node.op is None and not node.requires_grad and not made_by_rule(node)
        summed = any(id(x) in backward for x in node.inputs)  # where two gradients meet
        if node.origin in calls and (made_by_rule(node) or seed or summed):
            seeds[node.origin] += seed
            backward.add(id(node))
            kinds.append((BACKWARD, node.origin, seeds[node.origin]))
        else:
            kinds.append((FORWARD, None, 0))
    return kinds
