"""The node that backprop is at, for conditions in a debugger: `b tanh_vjp, node.t == 3`."""

from __future__ import annotations

from sys import _getframe
from typing import Any

__all__ = ["VisitedNode", "node"]

SWEEP = __name__.split(".")[0] + ".backprop"


class VisitedNode:
    """Stands for the node whose rule is being applied: `node.t`, `node.name`, `node.scope`, `node.inputs`, `node.op`.

    `node.itself` is the node.  It is looked up when somebody asks, in the frame of the sweep that is down the stack; a
    sweep takes no notice.  Raises AttributeError where no sweep is.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        found = visited()
        if found is None:
            raise AttributeError("there is a node only while backprop applies a rule: break in a VJP")
        return found if name == "itself" else getattr(found, name)

    def __dir__(self) -> list[str]:
        found = visited()
        return sorted({"itself", *object.__dir__(self)} | {*(() if found is None else dir(found))})

    def __repr__(self) -> str:
        found = visited()
        return "<no node: backprop applies no rule>" if found is None else repr(found)


def visited() -> Any:
    """The node of the innermost sweep on the stack, or None."""
    frame: Any = _getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == SWEEP and "node" in frame.f_locals:
            return frame.f_locals["node"]
        frame = frame.f_back
    return None


node = VisitedNode()
