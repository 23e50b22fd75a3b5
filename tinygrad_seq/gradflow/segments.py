"""A segment of a record: what lies between some nodes and those that they were made from, and its Jacobian.

The gradient goes back through a segment as in the sweep, newest node first, but for many gradients at once, and no
further than its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from operator import attrgetter

import numpy as np

from ..backprop import stale
from ..graph import Node
from .lifting import contributions

__all__ = ["Segment"]


class Segment:
    """The nodes on any way from some nodes back to others, its ends.

    starts: where the gradient comes in.  ends: where it goes out; it never goes through one.  passes: whether it may go
    through a node.  nodes: what it goes through, newest first; empty where no way leads to an end.
    """

    def __init__(self, starts: Iterable[Node], ends: Collection[Node], passes: Callable[[Node], bool]) -> None:
        starts = list(starts)
        seen, stack = set(starts), list(starts)
        oldest = min([end.birth for end in ends], default=0)
        while stack:
            node = stack.pop()
            for x in node.inputs:
                if x.birth > node.birth:
                    raise stale(node, x)
                if x not in seen and x not in ends and x.requires_grad and x.birth > oldest and passes(x):
                    seen.add(x)
                    stack.append(x)
        self.ends: list[Node] = []
        leading: set[Node] = set()
        for node in sorted(seen, key=attrgetter("birth")):
            reached = [x for x in node.inputs if x in ends and x not in leading]
            self.ends += dict.fromkeys(reached)
            leading.update(reached)
            if any([x in leading for x in node.inputs]):
                leading.add(node)
        self.nodes = sorted(leading - {*self.ends}, key=attrgetter("birth"), reverse=True)
        self._leading = leading

    def leads(self, node: Node) -> bool:
        """Whether a node is an end, or on a way to one."""
        return node in self._leading

    def pull(self, gradients: dict[Node, np.ndarray]) -> dict[Node, np.ndarray]:
        """The gradients of the ends, (K, *shape) each, from K of the starts; only of ends that any reaches."""
        pending = dict(gradients)
        for node in self.nodes:
            G = pending.pop(node, None)
            if G is None:
                continue
            wanted = [i for i, x in enumerate(node.inputs) if x in self._leading]
            for i, c in zip(wanted, contributions(node, G, wanted)):
                if c is not None:
                    x = node.inputs[i]
                    pending[x] = pending[x] + c if x in pending else c
        return {end: pending[end] for end in self.ends if end in pending}
