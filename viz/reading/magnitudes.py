"""How large things are: the gradient at every node and along every edge, from one walk of the sweep; any measure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tinygrad_seq.backprop import sweep
from tinygrad_seq.gradflow import magnitude
from tinygrad_seq.graph import Node

from .columns import BADGE, HIDDEN, NUMBER, Timeline

LANE = -1  # stands for all that takes a state at another step
Measure = Callable[[Node], float | None]


class Measured(Protocol):
    """A result that has a number for each of its nodes: `nodes`, and the numbers by `np.asarray`."""

    nodes: Sequence[Node]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray: ...


@dataclass
class Flow:
    """A number for each node, and where gradients flow one for each edge that is drawn, (from, to), by place."""

    nodes: list[float | None]
    edges: dict[tuple[int, int], float] = field(default_factory=dict)

    def carried(self, i: int) -> float | None:
        """What other steps bring to node i along the lane of its state."""
        return self.edges.get((i, LANE))


def gradient_magnitudes(loss: Node, nodes: list[Node]) -> list[float | None]:
    """‖∂loss/∂node‖₂ for each node in the order given; None for what the gradient never asks for.

    The record is only read: no node's `grad` changes.
    """
    place = {id(node): i for i, node in enumerate(nodes)}
    norms: list[float | None] = [0.0 if node.requires_grad else None for node in nodes]
    for visit in sweep(loss):
        i = place.get(id(visit.node))
        if i is not None and norms[i] is not None:
            norms[i] = magnitude(visit.grad)
    return norms


def gradient_flow(loss: Node, timeline: Timeline, columns: Collection[int]) -> Flow:
    """‖∂loss/∂node‖₂ for each node, and what each edge in the given columns brings of it."""
    nodes, home, role = timeline.nodes, timeline.home, timeline.role
    place = {id(node): i for i, node in enumerate(nodes)}
    norms: list[float | None] = [0.0 if node.requires_grad else None for node in nodes]
    shown = {*columns, None}
    users = Counter(x for i, xs in enumerate(timeline.taken) for x in xs)
    flow = Flow(norms)
    several: dict[tuple[int, int], Any] = {}
    for visit in sweep(loss):
        i = place[id(visit.node)]
        norms[i] = magnitude(visit.grad)
        if timeline.column[i] not in shown:
            continue
        to = home.get(i, i)
        for k, x in enumerate(timeline.taken[i]):
            source = home.get(timeline.same[x], timeline.same[x])
            if source == to or role[source] in (HIDDEN, NUMBER) or not nodes[x].requires_grad:
                continue
            if users[x] == 1 and source == x and role[x] != BADGE:
                flow.edges[x, to] = math.nan  # all that arrives there: known when the walk comes to it
                if timeline.column[x] not in (None, timeline.column[to]):
                    flow.edges[x, LANE] = math.nan
                continue
            part = visit.contribution(k)
            if part is None:
                continue
            for end in (to, LANE) if timeline.column[source] not in (None, timeline.column[to]) else (to,):
                key = source, end
                several[key] = several[key] + part if key in several and same_shape(several[key], part) else part
                flow.edges[key] = math.nan
    for (source, to), value in flow.edges.items():
        if math.isnan(value):
            known = several.get((source, to))
            flow.edges[source, to] = norms[source] or 0.0 if known is None else magnitude(known)
    return flow


def same_shape(one: Any, other: Any) -> bool:
    """Whether two contributions go to nodes of one shape."""
    return np.shape(one) == np.shape(other)


def measured(timeline: Timeline, measure: Measure) -> Flow:
    """Any measure of each node: a number, or None for what has none."""
    found: list[float | None] = []
    for node in timeline.nodes:
        value = measure(node)
        found.append(None if value is None else float(value))
    return Flow(found)


def as_measure(given: Any) -> tuple[Measure, str]:
    """A measure as a function of a node, and what it is called.

    given: such a function; a mapping of nodes to numbers; or a result that has one number for each of its nodes, such
    as `gradflow.per_step` gives: `nodes`, and the numbers by `np.asarray`; or `by_node`, a mapping.
    A node that has several numbers, since it is there several times, has the largest.  Raises TypeError and ValueError.

    >>> from tinygrad_seq import Tensor
    >>> from tinygrad_seq.viz.reading.magnitudes import as_measure
    >>> x = Tensor([1.0])
    >>> measure, name = as_measure({x: 0.5})
    >>> measure(x), measure(x + 1), name
    (0.5, None, 'measure')
    """
    kind = type(given).__name__
    if callable(given):
        return given, getattr(given, "__name__", "measure").replace("<lambda>", "measure")
    name = str(getattr(given, "name", "")) or ("measure" if isinstance(given, Mapping) else kind.lower())
    called = str(getattr(given, "sign", "{name}")).format(name=name)
    pairs = pairs_of(given)
    if not pairs or not all(isinstance(node, Node) for node, _ in pairs):
        raise ValueError(f"colour needs a number for at least one node, and for nothing else, got it from a {kind}")
    found: dict[int, tuple[Node, float]] = {}  # by identity: nodes compare by their numbers
    for node, value in pairs:
        number, (_, known) = float(value), found.get(id(node), (node, 0.0))
        found[id(node)] = node, number if math.isnan(number) or abs(number) > abs(known) else known
    return lambda node: found[id(node)][1] if id(node) in found else None, called


def pairs_of(given: Any) -> list[tuple[Any, Any]]:
    """Nodes with their numbers.  Raises TypeError and ValueError."""
    kind = type(given).__name__
    for mapping in (given, getattr(given, "by_node", None), getattr(given, "of", None)):
        if isinstance(mapping, Mapping) and (mapping or mapping is given):
            return list(mapping.items())
    if not hasattr(given, "nodes"):
        raise TypeError(
            "colour must be a function of a node, a mapping of nodes to numbers, or a measure that has a number for "
            f"each of its nodes, got {kind}"
        )
    nodes, values = flat(given.nodes), np.asarray(given, float).ravel()
    if not nodes:
        raise ValueError(f"this {kind} has numbers for places within nodes, not for nodes: measure the states by name")
    if len(nodes) != len(values):
        raise ValueError(f"colour needs one number for each node, got {len(values)} for {len(nodes)} from a {kind}")
    return list(zip(nodes, values.tolist(), strict=True))


def flat(nodes: Any) -> list[Any]:
    """Nodes, also of lists of them, in their order."""
    return [one for node in nodes for one in (flat(node) if isinstance(node, list | tuple) else [node])]


def size_of_value(node: Node) -> float:
    """‖node‖₂, the length of its value."""
    return magnitude(node.data)
