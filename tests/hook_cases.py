"""Hooks on the states and leaves of a net, PyTorch's or ours: their `register_hook` is called alike."""

from collections.abc import Callable
from typing import Any

__all__ = ["CASES", "hang_on_leaves", "hang_on_state"]

CASES = ("see", "halve", "two on one", "removed", "on leaves", "second derivative")


def hang_on_state(case: str, t: int, h: Any, hook: Callable[..., Any]) -> None:
    """The hooks of a case on h_t.  hook(t, change): a hook that notes down what it sees, and returns change(g)."""
    if case == "see":
        h.register_hook(hook(t, lambda g: None))
    elif case == "halve":
        h.register_hook(hook(t, lambda g: g / 2))
    elif case == "two on one" and t == 2:
        h.register_hook(hook(t, lambda g: 2 * g))
        h.register_hook(hook(t, lambda g: g + 1))
    elif case == "removed" and t == 3:
        h.register_hook(hook(t, lambda g: g * 0)).remove()
        h.register_hook(hook(t, lambda g: -g))
    elif case == "second derivative" and t == 2:
        h.register_hook(hook(t, lambda g: g * g))


def hang_on_leaves(case: str, W: Any, h0: Any) -> None:
    """The hooks of a case on what the net begins with."""
    if case == "on leaves":
        W.register_hook(lambda g: g + 1)
        h0.register_hook(lambda g: 3 * g)
