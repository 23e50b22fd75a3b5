"""What a measure is asked about: something that a record has at every time step, under a name or along an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import GradientError, ShapeError
from ..graph import Graph, Node
from ..trace import Trace

__all__ = ["Quantity", "quantity"]


class Quantity(NamedTuple):
    """Something for every time step: nodes, one for each step, or one node whose first axis is time.

    name: what to call it.  t: the steps, in ascending order.  nodes: one for each, or the one.  along: whether it is
    the one.
    """

    name: str
    t: np.ndarray
    nodes: list[Node]
    along: bool = False

    def pieces(self, arrays: Sequence[Any]) -> list[Any]:
        """What belongs to each step of one array for each node, such as a gradient."""
        return list(arrays[0]) if self.along else list(arrays)

    def places(self) -> Iterator[tuple[Node, int | None]]:
        """Where each step is: its node, and the place along the first axis of it, or None where it is all of it."""
        for i in range(len(self.t)):
            yield (self.nodes[0], i) if self.along else (self.nodes[i], None)


def quantity(graph: Graph | Node | Sequence[Node], what: Any) -> Quantity:
    """What is meant by a name, a sequence of nodes, or a node whose first axis is time (its steps are 1 … T).

    graph: the record in which a name is looked up as in `Trace`, which adds what to do to the error; or the outputs
    that it is read from.
    Raises UnknownNameError, ShapeError for a node without an axis, and GradientError for no node at all.
    """
    if isinstance(what, str):
        trace = Trace(*(graph.outputs if isinstance(graph, Graph) else [graph] if isinstance(graph, Node) else graph))
        nodes = trace.nodes(what)
        return Quantity(what.rpartition("/")[2].partition("#")[0], np.array([node.t for node in nodes]), nodes)
    if isinstance(what, Node):
        if not np.ndim(what.data):
            raise ShapeError(
                f"{what!r} has no axis that could be time: give a name, a list of nodes, or a tensor of (T, …)"
            )
        return Quantity(what.name or "x", np.arange(1, len(what.data) + 1), [what], True)
    nodes = list(what)
    if not nodes or not all(isinstance(node, Node) for node in nodes):
        kinds = ", ".join(sorted({type(node).__name__ for node in nodes})) or "nothing"
        raise GradientError(f"a measure over time needs a name, nodes, or a node whose first axis is time; got {kinds}")
    times = [node.t for node in nodes]
    known = None not in times and len({*times}) == len(times)
    return Quantity(nodes[0].name or "x", np.array(times if known else range(1, len(nodes) + 1)), nodes)
