"""What a recurrent network carries from step to step: h, or (h, C); a tuple of these where there are several layers.

A state is opaque to who only passes it on; here is what one can do with any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.errors import ShapeError
from tinygrad_seq.graph import here

__all__ = ["check_batch", "hold", "map_state", "tensors_of", "zero_state"]

NAMES = ("h", "C")


def zero_state(shape: tuple[int, ...], parts: int, dtype: Any) -> Any:
    """The state before the first step.  It requires a gradient, so that ∂L/∂h_0 can be looked at."""
    made = tuple([Tensor(np.zeros(shape, dtype), requires_grad=True, name=name) for name in NAMES[:parts]])
    return made if parts > 1 else made[0]


def tensors_of(state: Any) -> Iterator[Any]:
    """All the h and C of a state."""
    if isinstance(state, tuple):
        for part in state:
            yield from tensors_of(part)
    else:
        yield state


def map_state(change: Callable[..., Any], *states: Any) -> Any:
    """change(…) of every h and C of states that are built alike."""
    if isinstance(states[0], tuple):
        return tuple([map_state(change, *parts) for parts in zip(*states, strict=True)])
    return change(*states)


def hold(active: np.ndarray, new: Any, old: Any) -> Any:
    """The new state of the sequences that go on, the old one of those that have ended.  active: (batch) booleans."""

    def one(new: Any, old: Any) -> Any:
        return take_name(F.where(active[:, None], new, old), new)

    return map_state(one, new, old)


def take_name(node: Any, before: Any) -> Any:
    """Give a node the name of the one it stands for, so that a name is there once for each step."""
    node.name, before.name = before.name, None
    return node


def check_batch(layer: str, state: Any, shape: tuple[int, ...]) -> None:
    """Raise ShapeError where an h or C has not that shape."""
    for part in tensors_of(state):
        if np.shape(part) != shape:
            raise ShapeError(
                f"{layer} needs a state of shape {shape} here, got {np.shape(part)} ({here()}): "
                "as many rows as there are sequences, as many numbers as hidden units"
            )
