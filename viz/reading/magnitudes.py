"""How large things are: the gradient at every node and along every edge, from one walk of the sweep; any measure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_seq.backprop import sweep
from tinygrad_seq.gradflow import magnitude
from tinygrad_seq.graph import Node

from .columns import BADGE, HIDDEN, NUMBER, Timeline

LANE = -1  # stands for all that takes a state at another step
Measure = Callable[[Node], float | None]


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


def size_of_value(node: Node) -> float:
    """‖node‖₂, the length of its value."""
    return magnitude(node.data)
