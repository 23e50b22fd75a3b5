"""Something for every time step: numbers in the order of time, and first of all the gradient that reaches each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..backprop import seed, walk
from ..graph import Node
from .quantities import Quantity, quantity
from .trend import Verdict, verdict

__all__ = ["PerStep", "Series", "magnitude", "per_step"]


class Series:
    """Something for every time step: `t`, the steps, and `norms`, its magnitude at each, also given by `np.asarray`.

    nodes: the node of each step, where it has one, by which a drawing can be coloured.
    """

    sign = "{name}"

    def __init__(self, name: str, t: Iterable[int], norms: Any, nodes: Sequence[Node] = ()) -> None:
        self.name = name
        self.t = np.array(list(t), int)
        self.norms = np.asarray(norms, float)
        self.nodes = list(nodes)

    @property
    def by_node(self) -> dict[Node, float]:
        """The magnitude at the node of each step: to colour a drawing."""
        return dict(zip(self.nodes, self.norms.tolist()))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.norms, dtype)

    def __len__(self) -> int:
        return len(self.t)

    def verdict(self, *, what: str = "the gradient") -> Verdict:
        """Whether it vanishes, explodes or stays, going back in time: see `trend.verdict`."""
        return verdict(self, what=what)

    def __repr__(self) -> str:
        shown = [f"{t}: {norm:.3g}" for t, norm in zip(self.t, self.norms, strict=True)]
        if len(shown) > 12:
            shown[6:-6] = ["…"]
        return f"{type(self).__name__}({self.sign.format(name=self.name)}, {', '.join(shown)})"


class PerStep(Series):
    """The gradient of one named quantity at every time step.

    t: the steps.  norms: ‖∂L/∂h_t‖₂ of each, also given by `np.asarray`.  gradients: the gradients themselves.
    """

    sign = "‖∂L/∂{name}_t‖"

    def __init__(self, over: Quantity, gradients: list[Any]) -> None:
        super().__init__(over.name, over.t.tolist(), magnitudes(gradients), () if over.along else over.nodes)
        self.gradients = gradients


def per_step(loss: Node, name: Any, *, gradient: Any = None) -> PerStep:
    """‖∂L/∂h_t‖ of a quantity at every time step, through all later steps, from one sweep.

    name: of a series, as in `Trace`: "h", or where several have that name "l1/h"; or the nodes, or one node whose
    first axis is time.  gradient: to start from where the loss is no scalar.
    A step that the gradient does not reach has gradient 0.  Raises UnknownNameError where no node with a time step has
    the name, GradientError for a loss that requires no gradient, such as one made under `no_grad`.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import per_step
    >>> h = Tensor([1.0], requires_grad=True)
    >>> for t, x in steps([0.5, 0.5, 0.5]):
    ...     h = (h * x).named("h")
    >>> per_step(h.sum(), "h")
    PerStep(‖∂L/∂h_t‖, 1: 0.25, 2: 0.5, 3: 1)
    """
    start = seed(loss, gradient, False)
    over = quantity(loss, name)
    found: dict[Node, Any] = dict.fromkeys(over.nodes)
    oldest = min(node.birth for node in found)
    for node, g, _ in walk([(loss, start)]):
        if node in found:
            found[node] = g
        if node.birth <= oldest:
            break  # what is older, such as the weights, takes no part
    gradients = [np.zeros_like(node.data) if found[node] is None else found[node] for node in over.nodes]
    return PerStep(over, over.pieces(gradients))


def magnitudes(arrays: Sequence[Any]) -> list[float]:
    """The Euclidean norm of each: of arrays of one shape all at once, as a call for each takes as long as a rule."""
    rows = np.stack(arrays).reshape(len(arrays), -1) if len({np.shape(array) for array in arrays}) == 1 else None
    if rows is None or rows.dtype.kind != "f" or not rows.size:
        return [magnitude(array) for array in arrays]
    largest = np.abs(rows).max(axis=1)
    power = np.frexp(np.where(np.isfinite(largest), largest, 1.0))[1]  # to be near 1 while they are squared: exactly
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.ldexp(rows, -power[:, None])
        norms = np.ldexp(np.sqrt(np.einsum("ij,ij->i", scaled, scaled)), power)
    return np.where(np.isfinite(largest), norms, largest).tolist()


def magnitude(values: object) -> float:
    """The Euclidean norm, without overflow or underflow on the way to it."""
    array = values if isinstance(values, np.ndarray) else np.asarray(getattr(values, "data", values))
    flat = array.ravel()
    if flat.dtype == np.float64 or flat.dtype == np.float32:
        with np.errstate(over="ignore"):
            square = float(np.dot(flat, flat))
        if 1e-30 < square < 1e30 and flat.size:
            return math.sqrt(square)
    size = np.abs(flat).astype(float)
    largest = float(size.max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.sum((size / largest) ** 2)))
