"""Functions written with HIPS autograd's `autograd.numpy`, seen as functions of arrays; and every primitive in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, add_outgrads, backward_pass, primitive_vjps
from autograd.tracer import Node, isbox, new_box, notrace_primitives, trace_stack
from autograd.util import subvals
from numpy import ndarray

from ..faults import Fault
from .foreign import Part, blamed, caller, labelled, rule_line

__all__ = ["HipsFunction"]

Arrays = Sequence[ndarray]


class HipsFunction:
    """A function of arrays written with `autograd.numpy`, as a check sees it: by its floating-point arguments."""

    def __init__(self, fn: Callable[..., Any], given: Sequence[Any], first: HipsFunction | None = None) -> None:
        self.fn = fn
        self.first = first  # the function whose gradient this one is
        self.complex_ok = first is None
        self.name: str = first.name if first else getattr(fn, "__name__", None) or type(fn).__name__
        self.given = list(given)
        self.numbers = [n for n, x in enumerate(given) if np.asarray(x).dtype.kind == "f"]
        self.labels: list[str] = first.labels if first else labelled(fn, self.numbers)
        self.inputs = [np.array(given[n]) for n in self.numbers]

    def values(self, arrays: Arrays) -> list[ndarray]:
        """Run the function anew; one array for each output."""
        return [np.asarray(y) for y in self.outputs([np.array(x) for x in arrays])]

    def gradients(self, arrays: Arrays, weights: Arrays) -> list[ndarray | None]:
        """d Σ⟨weight, output⟩ / d(input), by autograd; None where it traces no way to the input."""
        return [None if g is None else np.asarray(g) for g in self.pulled([np.array(x) for x in arrays], weights)]

    def pulled(self, xs: Sequence[Any], weights: Arrays) -> list[Any]:
        """The gradients of a weighted sum, one trace for each input; of boxes, themselves traced."""
        found = []
        for i, x in enumerate(xs):
            with trace_stack.new_trace() as trace:
                box = new_box(x, trace, VJPNode.new_root())
                total = weighed(self.outputs([*xs[:i], box, *xs[i + 1 :]]), weights)
                mine = isbox(total) and total._trace == trace
            found.append(backward_pass(1.0, total._node) if mine else None)
        return found

    def second(self) -> HipsFunction:
        """The gradient of a random sum of the outputs, along a random direction, as a function of its own."""
        rng = np.random.default_rng(0)
        vs = [rng.normal(size=x.shape) for x in self.inputs]
        weights = [rng.normal(size=y.shape) for y in self.values(self.inputs)]

        def along(*xs: Any) -> Any:
            found = self.pulled(xs, weights)
            return sum([anp.sum(g * v) for g, v in zip(found, vs) if g is not None], 0.0)

        return HipsFunction(along, self.inputs, self)

    def blame(self, arrays: Arrays, rng: np.random.Generator) -> list[Fault]:
        """The primitives inside whose vector-Jacobian product is wrong.

        Of the gradient of a function: the primitives in the function, whose product has a wrong derivative.
        """
        if self.first:
            return blamed(filter(None, [part.twofold() for part in self.first.recorded(arrays)]), rng)
        return blamed(self.recorded(arrays), rng)

    def recorded(self, arrays: Arrays) -> list[Part]:
        """The calls of primitives inside, at these inputs."""
        parts: list[Part] = []
        with trace_stack.new_trace() as trace:
            self.outputs([new_box(np.array(x), trace, Recorded.new_root(parts)) for x in arrays])
        return parts

    def outputs(self, xs: Sequence[Any]) -> list[Any]:
        """What the function gives for these arrays or boxes: a list."""
        args = list(self.given)
        for n, x in zip(self.numbers, xs, strict=True):
            args[n] = x
        found = self.fn(*args)
        return list(found) if isinstance(found, (tuple, list)) else [found]


def weighed(outputs: Sequence[Any], weights: Arrays) -> Any:
    """Σ⟨weight, output⟩."""
    return sum([anp.sum(w * y) for w, y in zip(weights, outputs, strict=True)], 0.0)


class Recorded(Node):
    """What autograd makes for each call of a primitive: it notes the call as a part, in the list of the roots."""

    __slots__ = ["parts"]

    def __init__(
        self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any
    ) -> None:
        self.parts = parents[0].parts
        numbers = [n for n in parent_argnums if np.asarray(args[n]).dtype.kind == "f"]
        if len(numbers) < len(parent_argnums) or np.asarray(value).dtype.kind != "f":
            return  # tuples on their way, and complex numbers
        rule = next((line for line in map(rule_line, rules(fun, numbers)) if line), "")
        inputs = [np.array(args[n]) for n in numbers]
        name, where = getattr(fun, "__name__", str(fun)), caller("autograd")
        alone = called_alone(fun, args, kwargs, tuple(numbers))
        self.parts.append(Part(name, where, rule, inputs, numbers, [np.array(value)], analytic=True, **alone))

    def initialize_root(self, parts: list[Part]) -> None:
        self.parts = parts


notrace_primitives[Recorded] = notrace_primitives[VJPNode]  # what has no gradient needs no check


def called_alone(fun: Any, args: Any, kwargs: Any, numbers: tuple[int, ...]) -> dict[str, Any]:
    """A recorded call as functions of other values of the arguments of these numbers, for a Part."""

    def call(*xs: Any) -> Any:
        return fun(*subvals(args, zip(numbers, xs)), **kwargs)

    def values(arrays: Arrays) -> list[ndarray]:
        return [np.asarray(call(*arrays))]

    def gradients(arrays: Arrays, weights: Arrays) -> list[Any]:
        given, out = subvals(args, zip(numbers, arrays)), call(*arrays)
        g = weights[0] if isinstance(out, ndarray) else float(weights[0])
        sent = primitive_vjps[fun](numbers, out, given, kwargs)(g)
        return [add_outgrads(None, gx)[0] for gx in sent]  # as an array, what indexing leaves sparse

    def again() -> HipsFunction:
        return HipsFunction(call, [np.array(args[n]) for n in numbers]).second()

    return {"values": values, "gradients": gradients, "again": again}


def rules(fun: Any, numbers: Sequence[int]) -> list[Any]:
    """The functions that `defvjp` was given for a primitive: it keeps them where only its own function sees them."""
    found: list[Any] = []
    for cell in getattr(primitive_vjps.get(fun), "__closure__", None) or ():
        kept = cell.cell_contents
        found += [kept[n] for n in numbers if n in kept] if isinstance(kept, dict) else [kept] if callable(kept) else []
    return [rule for rule in found if rule is not fun]
