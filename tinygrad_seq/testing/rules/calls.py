"""One application of an op at given values: a function of plain arrays, and what its rule returns for it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ...errors import ShapeError
from ...graph import Node
from ...ops import Primitive, table
from ...ops.mathematics import rule_of
from ...ops.parts import Part
from ..faults import Fault

__all__ = ["Call", "Findings", "fault"]


class Call(NamedTuple):
    """An op at some values of its inputs.  by: the inputs to differentiate by.  node: where in a record it was met."""

    op: Primitive
    xs: tuple[ndarray, ...]
    fixed: dict[str, Any]
    by: tuple[int, ...]
    node: Node | None = None

    @classmethod
    def of(cls, node: Node) -> Call:
        """What made a node of a record."""
        by = tuple(i for i, x in enumerate(node.inputs) if x.requires_grad)
        return cls(node.op, tuple(np.asarray(x.data) for x in node.inputs), node.fixed, by, node)

    @classmethod
    def at(cls, op: Primitive, *xs: Any, **fixed: Any) -> Call:
        """An op at arrays; by all of them that are floating-point numbers."""
        arrays = tuple(np.asarray(x) for x in xs)
        return cls(op, arrays, fixed, tuple(i for i, x in enumerate(arrays) if x.dtype.kind == "f"))

    @property
    def dtype(self) -> Any:
        """Of its inputs."""
        return np.result_type(*[self.xs[i] for i in self.by]) if self.by else np.dtype(float)

    def forward(self, xs: Sequence[ndarray]) -> ndarray:
        """The function itself; a cast is no mathematics, and would drop an imaginary part."""
        return xs[0] if self.op is table.cast else self.op.forward(*xs, **self.fixed)

    def vjp(self, g: Any, out: Any, xs: Sequence[Any]) -> Any:
        """What the rule returns, as it returns it."""
        return self.op.vjp(g, out, *xs, **self.fixed)


@dataclass
class Findings:
    """What is wrong with a rule, what could not be decided, and how many numbers were compared.

    pointless: there is no derivative here, or none is meant to be, so that nothing can be said of the whole.
    """

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checks: int = 0
    pointless: bool = False

    def add(self, other: Findings) -> None:
        """Take in what was found elsewhere."""
        self.faults += other.faults
        self.notes += [note for note in other.notes if note not in self.notes]
        self.checks += other.checks
        self.pointless |= other.pointless


def read_only(array: Any) -> ndarray:
    """A view that cannot be written into, as what stands in a record."""
    view = np.asarray(array).view()
    view.setflags(write=False)
    return view


def as_given(call: Call, xs: Sequence[ndarray]) -> list[ndarray]:
    """Moved inputs; those that are no floating-point numbers as they were."""
    return [x if given.dtype.kind == "f" else given for x, given in zip(xs, call.xs)]


def gradients_of(call: Call, w: Any, out: Any, xs: Sequence[Any]) -> list[Any]:
    """The gradients of all inputs, each in the shape of its input, None where there is none."""
    sent = call.vjp(w, out, xs)
    return [None if c is None else shaped(call, c, np.shape(xs[i])) for i, c in enumerate(sent)]


def shaped(call: Call, c: Any, shape: tuple[int, ...]) -> ndarray:
    """What a rule returned for an input, as an array, with broadcasting undone where the sweep undoes it.

    Raises ShapeError for a shape that the input cannot have been broadcast to.
    """
    g = np.asarray(c.array() if isinstance(c, Part) else c)
    if g.shape == shape or not call.op.broadcasts:
        return g
    extra = g.ndim - len(shape)
    if extra < 0 or any(m not in (1, n) and n != 1 for m, n in zip(g.shape[extra:], shape)):
        raise ShapeError(f"{shape} is not broadcast to {g.shape}")
    stretched = tuple(i for i in range(g.ndim) if i < extra or shape[i - extra] == 1)
    return g.sum(axis=stretched).reshape(tuple(1 if g.shape[extra + i] == 1 else n for i, n in enumerate(shape)))


# ---- in words ------------------------------------------------------------------------


def fault(call: Call, kind: str, message: str, *details: str, by: int | None = None) -> Fault:
    """A fault of this op, saying where it was met and where its rule is written."""
    return Fault(kind, message + at(call), (*details, *rule_lines(call, by)), call.op, by, call.node)


def at(call: Call) -> str:
    """Where in a record, if it was in one."""
    return f" ({call.node.where})" if call.node is not None and call.node.where else ""


def called(call: Call, i: int) -> str:
    """The letter of an input, and the name of the node that it was."""
    words = [letter(call, i), call.node.inputs[i].name if call.node is not None else None]
    return f", {' = '.join(dict.fromkeys(word for word in words if word))}" if any(words) else ""


def letter(call: Call, i: int) -> str | None:
    """What the op's own function calls an input; None where it takes any number of them."""
    letters = rule_of(call.op).inputs
    return letters[i] if len(letters) == len(call.xs) else None


def element(place: tuple[int, ...]) -> str:
    """An index in words."""
    return f"element {place if len(place) > 1 else place[0]}"


def rule_lines(call: Call, i: int | None) -> tuple[str, ...]:
    """The source line of a rule: of what it returns for input i where that can be told."""
    return (f"rule: {found}",) if (found := rule_line(call.op, i)) else ()


def rule_line(op: Primitive, i: int | None) -> str:
    """The line of a rule's source that returns the gradient of input i: "my_ops.py:9  return (g / y,)"."""
    try:
        lines, start = inspect.getsourcelines(op.vjp)
        filename = os.path.basename(inspect.getsourcefile(op.vjp) or "")
    except (OSError, TypeError):
        return ""
    returns = [n for n, line in enumerate(lines) if line.lstrip().startswith("return")]
    n = returns[-1] if returns else 0
    return f"{filename}:{start + n}  {lines[n].strip()}"


def arrays_of(sent: Sequence[Any]) -> list[ndarray | None]:
    """What a rule returned, as arrays."""
    return [None if c is None else np.asarray(c.array() if isinstance(c, Part) else c) for c in sent]


def same(a: ndarray, b: ndarray) -> bool:
    """Equal to the bit, NaN too."""
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


def signs_like(out: ndarray, rng: np.random.Generator) -> ndarray:
    """Weights for a result, of its dtype."""
    w = rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1.0, 1.0], out.shape)
    return np.asarray(w, out.dtype if out.dtype.kind == "f" else float)
