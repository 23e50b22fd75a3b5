"""A function of tensors or values, as a check sees it: run anew on any numbers, and recorded once at the point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...backprop import walk
from ...errors import GradientError
from ...graph import Graph, Node, enable_grad
from ...ops.parts import Part
from ...rng import generator
from ...tensor import Tensor
from ...value import Value

__all__ = ["Recorded", "as_inputs"]


class Recorded:
    """A function, its arguments, and its record at them.

    arguments: floating-point numbers, arrays, tensors or values; those are differentiated by.  Anything else is handed
    on as it is: integers, masks, None, and tensors that require no gradient.  A leaf that is given is used itself, so
    that its name stands in messages.  What the library draws at random (dropout) is the same at every run.
    """

    def __init__(self, fn: Callable[..., Any], arguments: Sequence[Any]) -> None:
        self.fn = fn
        self.name = getattr(fn, "__name__", type(fn).__name__)
        self.arguments = [as_leaf(x) for x in arguments]
        self.by = [i for i, x in enumerate(self.arguments) if isinstance(x, Node) and x.requires_grad]
        if not self.by:
            raise GradientError(
                f"gradcheck of {self.name} needs an input of floating-point numbers to differentiate by, got "
                + (", ".join(map(shortly, arguments)) or "none")
                + " (integers, and tensors that require no gradient, are handed on as they are: write 1.0 for 1)"
            )
        self.leaves: list[Any] = [self.arguments[i] for i in self.by]
        self.labels = [f"input {i}" + (f", {x.name}" if x.name else "") for i, x in zip(self.by, self.leaves)]
        self.inputs = [np.asarray(x.data) for x in self.leaves]
        self.complex_ok = not any(x.scalar for x in self.leaves)
        self.dice = generator().bit_generator.state
        self.outs = self.run(self.leaves)
        self.numbers = [np.asarray(plain(y)) for y in self.outs]

    def run(self, leaves: Sequence[Any]) -> list[Any]:
        """The results for other leaves, in the order of the function: nodes, or plain arrays."""
        arguments = self.with_leaves(leaves)
        generator().bit_generator.state = self.dice
        with enable_grad():
            made = list(results(self.fn(*arguments)))
        if not made:
            raise GradientError(f"{self.name} returned nothing of floating-point numbers to differentiate")
        return made

    def at(self, arrays: Sequence[ndarray]) -> list[Any]:
        """Leaves of the same kinds and names for other numbers; constants for complex ones."""
        made: list[Any] = []
        for leaf, array in zip(self.leaves, arrays):
            if leaf.scalar:
                made.append(Value(float(array), name=leaf.name))
            elif array.dtype.kind == "c":
                made.append(Tensor.constant(array))
            else:
                made.append(Tensor(array, requires_grad=True, name=leaf.name))
        return made

    def arguments_at(self, arrays: Sequence[ndarray]) -> list[Any]:
        """All arguments of the function, with other numbers for those that are differentiated by."""
        return self.with_leaves(self.at(arrays))

    def with_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments of the function, with other leaves in their places."""
        arguments = list(self.arguments)
        for i, x in zip(self.by, leaves):
            arguments[i] = x
        return arguments

    def values(self, arrays: Sequence[ndarray]) -> list[ndarray]:
        """The results as plain arrays, of the function run anew."""
        return [np.asarray(plain(y)) for y in self.run(self.at(arrays))]

    def pull(self, weights: Sequence[ndarray]) -> list[Any]:
        """d Σ⟨weights, results⟩ / d(leaf) by the sweep over the record."""
        found = gradients(self.outs, weights)
        return [found.get(x) for x in self.leaves]

    def graph(self) -> Graph:
        """The record of the results."""
        return Graph(*[y for y in self.outs if isinstance(y, Node)])


def gradients(outs: Sequence[Any], weights: Sequence[Any], create_graph: bool = False) -> dict[Node, Any]:
    """The gradient of every node that one reaches from the results with these weights."""
    roots = []
    for y, w in zip(outs, weights):
        if isinstance(y, Node) and y.requires_grad:
            seed: Any = float(w) if y.scalar else np.asarray(w, y.data.dtype)
            roots.append((y, y.constant(seed) if create_graph else seed))
    return {node: g.array() if isinstance(g, Part) else g for node, g, _ in walk(roots, create_graph)}


def results(y: Any) -> Iterator[Any]:
    """What a function returned, out of tuples, lists and dictionaries: nodes, and plain floating-point numbers."""
    if isinstance(y, Node):
        if y.scalar or y.data.dtype.kind in "fc":
            yield y
    elif isinstance(y, dict):
        for part in y.values():
            yield from results(part)
    elif isinstance(y, tuple | list):
        for part in y:
            yield from results(part)
    elif isinstance(y, float | complex | np.ndarray | np.generic) and np.asarray(y).dtype.kind in "fc":
        yield np.asarray(y)


def as_inputs(inputs: Any) -> list[Any]:
    """The arguments of a function, from a list of them or a single one."""
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def as_leaf(x: Any) -> Any:
    """A leaf to differentiate by, of numbers that can be; anything else as it is."""
    if isinstance(x, Node):
        kind: Any = type(x)
        return x if x.is_leaf or not x.requires_grad else kind(x.data, requires_grad=True, name=x.name)
    if isinstance(x, bool | int | str | None) or callable(x):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        return x
    return Tensor(array, requires_grad=True) if array.dtype.kind == "f" else x


def plain(y: Any) -> Any:
    """The numbers of a result."""
    return y.data if isinstance(y, Node) else y


def shortly(x: Any) -> str:
    """An argument in a word."""
    shape = f" of shape {np.shape(plain(x))}" if isinstance(x, Node | np.ndarray) else ""
    return f"{type(x).__name__}{shape}"
