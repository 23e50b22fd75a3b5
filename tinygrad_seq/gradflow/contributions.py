"""The gradient of a shared weight as the sum that it is: what each time step adds to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backprop import Visit, rule, sweep
from ..errors import GradientError
from ..graph import Node
from .series import Series, magnitude

__all__ = ["Parts", "parts"]


class Parts(Series):
    """The gradient of a shared weight as a sum over time: ∂L/∂W = Σ_t (what step t adds).

    t: the steps that use the weight.  by_step: (T, *W.shape), one contribution each.  norms: their lengths.
    total: their sum, which is ∂L/∂W.
    """

    sign = "‖∂L/∂{name} at step t‖"

    def __init__(self, name: str, t: list[int], by_step: np.ndarray) -> None:
        super().__init__(name, t, [magnitude(part) for part in by_step])
        self.by_step = by_step
        self.total = by_step.sum(axis=0)

    @property
    def shares(self) -> np.ndarray:
        """How much of the total's length each step brings, along the total: they add up to 1."""
        flat, whole = self.by_step.reshape(len(self.t), -1), self.total.ravel()
        length = whole @ whole
        return flat @ whole / length if length else np.zeros(len(self.t))


def parts(loss: Node, weight: Node) -> Parts:
    """∂L/∂W of a shared weight, split into what each time step adds: the lecture's ∂L_4/∂W_x = H + E + L + L.

    A step's part is what its nodes send to the weight, also where it passes nodes outside of time on the way, such
    as a transposition before the loop.  Memory: T × the weight.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import parts
    >>> w, h = Tensor([0.5], requires_grad=True, name="w"), Tensor([1.0])
    >>> for t, x in steps([1.0, 2.0]):
    ...     h = h * w + x
    >>> parts(h.sum(), w).by_step.tolist()
    [[0.5], [1.5]]
    """
    arrived: dict[Node, dict[int, Any]] = {}
    for visit in sweep(loss):
        node = visit.node
        if node.t is None and node in arrived:  # outside of time: what each step sent goes on, step by step
            if node is not weight:
                for t, g in arrived.pop(node).items() if node.op else ():
                    onward = Visit(node, g, rule(node, g))
                    for i, x in enumerate(node.inputs):
                        _add(arrived, x, t, onward.contribution(i))
        elif node.t is not None:
            for i, x in enumerate(node.inputs):
                if x.t is None:
                    _add(arrived, x, node.t, visit.contribution(i))
    steps_of = arrived.get(weight)
    if not steps_of:
        raise GradientError(f"no time step of the record of {loss!r} uses {weight!r}: loop over steps(…)")
    times = sorted(steps_of)
    return Parts(weight.name or "W", times, np.stack([steps_of[t] for t in times]))


def _add(arrived: dict[Node, dict[int, Any]], x: Node, t: int, g: Any) -> None:
    if g is not None:
        of_x = arrived.setdefault(x, {})
        of_x[t] = of_x[t] + g if t in of_x else g
