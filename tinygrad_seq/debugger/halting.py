"""`breakpoint_on`: Python's own debugger, whichever it is, at the rule of chosen nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backprop import Visit
from ..gradflow import magnitude
from ..graph import Graph, Node
from ..hooks import HALTS, Handle
from .breakpoints import parse, path_of
from .tape import Moment

__all__ = ["breakpoint_on"]


def breakpoint_on(where: str | Callable[[Node, Any], object]) -> Handle:
    """Call `breakpoint()` in every sweep right before the rule of each node that matches.

    The debugger then stands at the line that calls the VJP: one `step` leads into it, or two where Python is 3.13 or
    newer.  `node` and `g`, the node's complete gradient, are at hand there, and `up` leads to the sweep.
    where: what must hold, in the words of the backprop debugger's breakpoints, such as "h t=3" or "tanh norm<1e-3", all
    of the gradient; or a function of (node, g).  A leaf has no rule: for leaves use `register_hook`.  Returns a handle
    with `remove()`; in a `with` block the breakpoint is there until its end.  Raises DataError for words that make no
    sense; of names it cannot know whether a record will have them.

    >>> from tinygrad_seq import Tensor, breakpoint_on, steps
    >>> h = Tensor([0.5], requires_grad=True)
    >>> for t, x in steps([1.0, 2.0, 3.0]):
    ...     h = (h * x).tanh().named("h")
    >>> with breakpoint_on("h t=2"):
    ...     h.sum().backward()                          # doctest: +SKIP
    > tinygrad_seq/backprop.py(220)applied()
    -> return node.op.vjp(g, out, *inputs, **node.fixed)
    (Pdb) step
    > tinygrad_seq/ops/elementwise.py(121)tanh_vjp()
    -> def tanh_vjp(g, out, x):
    """
    if callable(where):
        return Handle(HALTS, where)
    walked = Passing()
    tests = parse(where, walked)

    def holds(node: Node, g: Any) -> bool:
        moment = walked.come_to(node, g)
        return all(test(moment, walked) for test in tests)

    return Handle(HALTS, holds)


class Passing:
    """What breakpoints ask of a walk, answered in a sweep that is going on: of each quantity it knows the latest."""

    graph: Graph | None = None

    def __init__(self) -> None:
        self._latest: dict[str, Moment] = {}
        self._earlier: Moment | None = None
        self._birth = 0

    def come_to(self, node: Node, g: Any) -> Moment:
        """The moment of a node, which is the next of the sweep or the first of another."""
        if node.birth >= self._birth:
            self._latest.clear()
        self._birth = node.birth
        g = g._data if isinstance(g, Node) else g
        moment = Moment(0, node, g, Visit(node, g, ()))
        self._earlier = None
        if node.name and node.t is not None:
            self._earlier = self._latest.get(path_of(node))
            self._latest[path_of(node)] = moment
        return moment

    def norm(self, moment: Moment) -> float:
        """‖gradient‖₂."""
        return magnitude(moment.value)

    def before(self, moment: Moment) -> Moment | None:
        """The moment of the same quantity one time step later, if the sweep has come from there."""
        earlier, t = self._earlier, moment.node.t
        return earlier if earlier is not None and t is not None and earlier.node.t == t + 1 else None

    def flipped(self, moment: Moment) -> bool:
        """Whether the gradient points against that of the same quantity one time step later."""
        other = self.before(moment)
        if other is None or np.shape(other.value) != np.shape(moment.value):
            return False
        return bool(np.vdot(other.value, moment.value) < 0)
