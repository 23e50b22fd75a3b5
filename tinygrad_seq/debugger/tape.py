"""The moments of a walk over a record, each of which can be gone back to: of backprop, or of the computation itself.

A sweep goes one way.  The tape walks it as far as somebody asks and keeps what it saw, so that going back is looking
again at what was there, and never a second computation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..backprop import Visit, sweep
from ..gradflow import magnitude
from ..graph import Graph, Node

__all__ = ["Arrival", "Moment", "Tape"]


class Moment(NamedTuple):
    """One node, when its turn comes.

    number: from 0.  grad: d(loss)/d(node), complete; None on the way forward.  visit: what the node sends to its
    inputs; None on the way forward.
    """

    number: int
    node: Node
    grad: Any = None
    visit: Visit | None = None

    @property
    def value(self) -> Any:
        """What is looked at: the gradient, or going forward the value."""
        return self.node.data if self.visit is None else self.grad


class Arrival(NamedTuple):
    """What one node sent to another: the moment, and which of its inputs the other is."""

    moment: Moment
    i: int

    @property
    def contribution(self) -> Any:
        """The part of the gradient that was sent."""
        assert self.moment.visit is not None
        return self.moment.visit.contribution(self.i)


class Tape:
    """The moments of one walk, newest node first; going forward the oldest first.

    loss: where backprop begins.  forward: go through the computation instead.  gradient: to begin with, where the loss
    is no scalar.
    """

    def __init__(self, loss: Node, *, forward: bool = False, gradient: Any = None) -> None:
        self.loss = loss
        self.forward = forward
        self.graph = Graph(loss)
        self._seen: list[Moment] = []
        self._norms: list[float] = []
        self._arrivals: dict[Node, list[Arrival]] = {}
        self._coming = self._through() if forward else self._back(gradient)
        if not forward:
            self._load(0)  # raises here where the loss requires no gradient

    def _through(self) -> Iterator[Moment]:
        for number, node in enumerate(self.graph.nodes):
            yield Moment(number, node)

    def _back(self, gradient: Any) -> Iterator[Moment]:
        for number, visit in enumerate(sweep(self.loss, gradient)):
            yield Moment(number, visit.node, visit.grad, visit)

    def _load(self, number: int) -> bool:
        """Walk as far as the moment of that number; False where the walk is over before."""
        while len(self._seen) <= number:
            moment = next(self._coming, None)
            if moment is None:
                return False
            self._seen.append(moment)
            self._norms.append(magnitude(moment.value))
            if moment.visit is not None:
                for i, x in enumerate(moment.node.inputs):
                    if moment.visit.part(i) is not None:
                        self._arrivals.setdefault(x, []).append(Arrival(moment, i))
        return True

    def at(self, number: int) -> Moment | None:
        """The moment of that number, from 0; None after the end."""
        return self._seen[number] if number >= 0 and self._load(number) else None

    def norm(self, moment: Moment) -> float:
        """‖gradient‖₂, or going forward ‖value‖₂."""
        return self._norms[moment.number]

    def arrivals(self, node: Node, until: Moment) -> list[Arrival]:
        """What was sent to a node up to a moment, in the order of its coming."""
        return [a for a in self._arrivals.get(node, ()) if a.moment.number <= until.number]

    def total(self, node: Node, until: Moment) -> Any:
        """What the gradient of a node has come to, after that moment; None before anything arrived."""
        parts = [a.contribution for a in self.arrivals(node, until)]
        return sum(parts[1:], parts[0]) if parts else None

    def __len__(self) -> int:
        """How many moments there are; walks to the end."""
        self._load(len(self.graph.nodes))
        return len(self._seen)

    @property
    def seen(self) -> int:
        """How many moments have been walked through."""
        return len(self._seen)

    @cached_property
    def times(self) -> list[int]:
        """The time steps of the record, in ascending order."""
        return sorted({node.t for node in self.graph.nodes if node.t is not None})

    @cached_property
    def series(self) -> dict[str, dict[int, Node]]:
        """The nodes that have a name and a time step: by path and name, then by t; of several at a step the last."""
        found: dict[str, dict[int, Node]] = {}
        for node in self.graph.nodes:
            if node.name and node.t is not None:
                found.setdefault(f"{node.scope}/{node.name}" if node.scope else node.name, {})[node.t] = node
        return found

    @cached_property
    def _number_of(self) -> dict[Node, int]:
        return {}

    def moment_of(self, node: Node) -> Moment | None:
        """The moment of a node among those walked through, or None."""
        known = self._number_of
        for moment in self._seen[len(known) :]:
            known[moment.node] = moment.number
        return self._seen[known[node]] if node in known else None

    def before(self, moment: Moment) -> Moment | None:
        """The moment of the same quantity one step earlier on the walk: of h_3 that of h_4, going forward of h_2."""
        other = self._neighbours.get(moment.node)
        found = None if other is None else self.moment_of(other)
        return found if found is not None and found.number < moment.number else None

    @cached_property
    def _neighbours(self) -> dict[Node, Node]:
        """Of each node of a series the one that the walk comes to a step earlier."""
        one = -1 if self.forward else 1
        return {node: of[t + one] for of in self.series.values() for t, node in of.items() if t + one in of}

    def flipped(self, moment: Moment) -> bool:
        """Whether it points against that of the same quantity one step earlier on the walk."""
        other = self.before(moment)
        if other is None or np.shape(other.value) != np.shape(moment.value):
            return False
        return bool(np.vdot(other.value, moment.value) < 0)
