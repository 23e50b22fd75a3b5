"""Hooks: see a gradient as it flows, or put another in its place."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["EVERY", "OF_NODE", "Handle", "on_visit"]

Hook = Callable[..., Any]
OF_NODE: dict[int, list[Hook]] = {}  # by birth of the node
EVERY: list[Hook] = []


class Handle:
    """What `register_hook` and `on_visit` give back: `remove()` takes the hook away, and so does the end of `with`."""

    def __init__(self, hooks: list[Hook], hook: Hook, last: Callable[[], object] | None = None) -> None:
        self._hooks, self._hook, self._last = hooks, hook, last
        hooks.append(hook)

    def remove(self) -> None:
        """Take the hook away; once is enough."""
        self._hooks[:] = [hook for hook in self._hooks if hook is not self._hook]
        if not self._hooks and self._last is not None:
            self._last()

    def __enter__(self) -> Handle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


def on_visit(hook: Hook) -> Handle:
    """Call hook(node, g) for every node of every sweep, when its gradient is complete and before its rule is applied.

    What it returns, if not None, is the gradient from there on.  Returns a handle with `remove()`; in a `with` block
    the hook is there until its end.

    >>> from tinygrad_seq import Value, on_visit
    >>> x = Value(3.0)
    >>> with on_visit(lambda node, g: print(node.op and node.op.name, g)):
    ...     (x * x).backward()
    mul 1.0
    None 6.0
    """
    return Handle(EVERY, hook)
