"""Gradient flow: how much gradient reaches each time step, and what each step adds to a shared weight.

Readers of the record and the sweep; they know no model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backprop import Visit, rule, sweep
from .errors import GradientError
from .graph import Graph, Node

__all__ = ["Parts", "PerStep", "parts", "per_step"]


class Series:
    """Something for every time step: `t`, the steps, and `norms`, its magnitude at each, also given by `np.asarray`."""

    sign = "{name}"

    def __init__(self, name: str, t: list[int], values: Any) -> None:
        self.name = name
        self.t = np.array(t, int)
        self.norms = np.array([np.linalg.norm(value) for value in values])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.norms, dtype)

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        shown = ", ".join(f"{t}: {norm:.3g}" for t, norm in zip(self.t, self.norms, strict=True))
        return f"{type(self).__name__}({self.sign.format(name=self.name)}, {shown})"


class PerStep(Series):
    """The gradient of one named quantity at every time step.

    t: the steps.  norms: ‖∂L/∂h_t‖₂ of each, also given by `np.asarray`.  gradients: the gradients themselves.
    """

    sign = "‖∂L/∂{name}_t‖"

    def __init__(self, name: str, t: list[int], gradients: list[Any]) -> None:
        super().__init__(name, t, gradients)
        self.gradients = gradients


class Parts(Series):
    """The gradient of a shared weight as a sum over time: ∂L/∂W = Σ_t (what step t adds).

    t: the steps that use the weight.  by_step: (T, *W.shape), one contribution each.  norms: their lengths.
    total: their sum, which is ∂L/∂W.
    """

    sign = "‖∂L/∂{name} at step t‖"

    def __init__(self, name: str, t: list[int], by_step: np.ndarray) -> None:
        super().__init__(name, t, by_step)
        self.by_step = by_step
        self.total = by_step.sum(axis=0)

    @property
    def shares(self) -> np.ndarray:
        """How much of the total's length each step brings, along the total: they add up to 1."""
        flat, whole = self.by_step.reshape(len(self.t), -1), self.total.ravel()
        length = whole @ whole
        return flat @ whole / length if length else np.zeros(len(self.t))


def per_step(loss: Node, name: str) -> PerStep:
    """‖∂L/∂h_t‖ of the nodes of that name for every time step, through all later steps, from one sweep.

    A step that the gradient does not reach has gradient 0.  Raises GradientError where no node with a time step has
    the name.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import per_step
    >>> h = Tensor([1.0], requires_grad=True)
    >>> for t, x in steps([0.5, 0.5, 0.5]):
    ...     h = (h * x).named("h")
    >>> per_step(h.sum(), "h")
    PerStep(‖∂L/∂h_t‖, 1: 0.25, 2: 0.5, 3: 1)
    """
    nodes = [node for node in Graph(loss).nodes if node.name == name and node.t is not None]
    if not nodes:
        named = sorted({node.name for node in Graph(loss).nodes if node.name and node.t is not None})
        raise GradientError(
            f"no node named {name!r} with a time step in the record of {loss!r}, only "
            f"{', '.join(named) or 'none at all'}: name it with .named({name!r}) in a loop over steps(…)"
        )
    found = dict.fromkeys(nodes)
    for visit in sweep(loss):
        if visit.node in found:
            found[visit.node] = visit.grad
    pairs = sorted(found.items(), key=lambda pair: (pair[0].t, pair[0].birth))
    gradients = [np.zeros_like(node.data) if g is None else g for node, g in pairs]
    return PerStep(name, [node.t or 0 for node, _ in pairs], gradients)


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
