"""Hooks: see a gradient as it flows, or put another in its place."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["EVERY", "HALTS", "OF_NODE", "Handle", "on_visit"]

OF_NODE: dict[int, list[Handle]] = {}  # by the node's id(); the node's end takes its entry away
EVERY: list[Handle] = []
HALTS: list[Handle] = []  # those that say of (node, g) whether to halt before the rule is applied


class Handle:
    """What `register_hook` and `on_visit` give back: `remove()` takes the hook away, and so does the end of `with`.

    call: the hook itself.
    """

    __slots__ = ("_hooks", "_last", "call")

    def __init__(
        self, hooks: list[Handle], call: Callable[..., Any], last: Callable[[list[Handle]], object] | None = None
    ) -> None:
        self._hooks, self.call, self._last = hooks, call, last
        hooks.append(self)

    def remove(self) -> None:
        """Take the hook away; once is enough."""
        if self in self._hooks:
            self._hooks.remove(self)
            if not self._hooks and self._last is not None:
                self._last(self._hooks)

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        there = "there" if self in self._hooks else "removed"
        return f"<hook {getattr(self.call, '__qualname__', repr(self.call))}, {there}>"


def on_visit(hook: Callable[[Any, Any], Any]) -> Handle:
    """Call hook(node, g) for every node of every sweep, when its gradient is complete and before its rule is applied.

    What it returns, if not None, is the gradient from there on; hooks come in the order they were registered in, after
    those of the node itself.  g is a read-only array, or a float of a Value, or a recorded node under create_graph.
    Returns a handle with `remove()`; in a `with` block the hook is there until its end.

    >>> from tinygrad_seq import Value, on_visit
    >>> x = Value(3.0)
    >>> with on_visit(lambda node, g: print(node.op and node.op.name, g)):
    ...     (x * x).backward()
    mul 1.0
    None 6.0
    """
    return Handle(EVERY, hook)
