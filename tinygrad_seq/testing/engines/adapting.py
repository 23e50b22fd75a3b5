"""Functions of other engines, checked as ours are: of PyTorch, of HIPS autograd, and NumPy with a gradient by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...errors import VjpError
from ...graph import Node
from ..faults import Fault
from .foreign import Function, Part, blamed, labelled, rule_line

__all__ = ["Function", "Handwritten", "adapted"]

Arrays = Sequence[ndarray]


def adapted(
    fn: Any, inputs: Any, *, gradient: Callable[..., Any] | None = None, engine: str | None = None
) -> Function | None:
    """A function of another engine as checks see it; None where it is one of ours.

    gradient: a function of the same inputs that gives the gradients of a scalar fn: an array, or a tuple of them.
    engine: "torch" (also known by its tensors among the inputs), or "autograd".  Raises TypeError for what is neither.

    >>> import numpy as np
    >>> cube = adapted(lambda x: np.sum(x**3), [np.array([1.0, 2.0])], gradient=lambda x: 3 * x**2)
    >>> cube.gradients(cube.inputs, [np.array(1.0)])
    [array([ 3., 12.])]
    """
    if not callable(fn):
        raise TypeError(f"gradcheck needs a function, got {type(fn).__name__}")
    if engine not in (None, "torch", "autograd"):
        raise TypeError(f'engine must be "torch" or "autograd" (or None, for our own and NumPy), got {engine!r}')
    if gradient is not None and not callable(gradient):
        raise TypeError(
            f"gradient must be a function of the inputs that gives their gradients, got {type(gradient).__name__}"
        )
    theirs = isinstance(inputs, (list, tuple)) and any(is_torch(x) for x in inputs)
    if gradient is None and engine is None and not theirs and not is_torch(inputs):
        return None
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(f"inputs must be a list with one entry for each argument, got {type(inputs).__name__}")
    if gradient is not None and (theirs or engine is not None):
        raise TypeError("a gradient by hand is for a function of NumPy arrays: leave out either gradient or engine")
    if theirs and engine == "autograd":
        raise TypeError('engine="autograd" is for NumPy arrays, but there is a torch tensor among the inputs')
    arrays = [x if is_torch(x) else as_given(x) for x in inputs]
    if theirs or engine == "torch":
        return of_torch(fn, arrays)
    if not any(isinstance(x, ndarray) and x.dtype.kind == "f" for x in arrays):
        raise TypeError("gradcheck needs at least one input of floating-point numbers to differentiate by")
    return Handwritten(fn, arrays, gradient) if gradient is not None else of_autograd(fn, arrays)


def is_torch(x: Any) -> bool:
    """Whether this is a tensor of torch, which need not be installed."""
    return any(kind.__module__ == "torch" and kind.__name__ == "Tensor" for kind in type(x).__mro__)


def as_given(x: Any) -> Any:
    """Numbers as an array, also those of a node; what has no numbers, as it is."""
    data = x.data if isinstance(x, Node) else x
    array = np.array(data)
    if array.dtype.kind == "f":
        return array.astype(float) if array.dtype.itemsize < 4 or array.dtype.itemsize > 8 else array
    return data


def of_torch(fn: Any, given: Sequence[Any]) -> Function:
    """A function of torch tensors.  Raises ImportError that says what to install."""
    try:
        from .torch_functions import TorchFunction
    except ModuleNotFoundError as error:
        raise missing("torch", error) from error
    return TorchFunction(fn, given)


def of_autograd(fn: Any, given: Sequence[Any]) -> Function:
    """A function written with autograd.numpy.  Raises ImportError that says what to install."""
    try:
        from .hips_functions import HipsFunction
    except ModuleNotFoundError as error:
        raise missing("autograd", error) from error
    return HipsFunction(fn, given)


def missing(name: str, error: ModuleNotFoundError) -> ImportError:
    """What to say where an engine is not installed."""
    return ImportError(f'engine="{name}" needs {name}, which cannot be imported ({error}): pip install {name}')


class Handwritten:
    """A scalar function of arrays whose gradient somebody wrote by hand.

    Differentiated are the inputs of floating-point numbers; the others are passed as they are.
    """

    complex_ok = True

    def __init__(self, fn: Callable[..., Any], given: Sequence[Any], gradient: Callable[..., Any]) -> None:
        self.fn = fn
        self.gradient = gradient
        self.name = getattr(fn, "__name__", None) or type(fn).__name__
        self.given = list(given)
        self.numbers = [n for n, x in enumerate(given) if isinstance(x, ndarray) and x.dtype.kind == "f"]
        self.labels = labelled(fn, self.numbers)
        self.inputs = [np.array(given[n]) for n in self.numbers]
        shape = np.shape(fn(*self.arguments(self.inputs)))
        if shape != ():
            raise TypeError(
                f"a gradient by hand is for a function that gives one number, {self.name} gives shape {shape}: sum it "
                "up, or give check_op the pair of the function and its vector-Jacobian product"
            )

    def values(self, arrays: Arrays) -> list[ndarray]:
        """Run the function anew; its number, as an array."""
        return [np.asarray(self.fn(*self.arguments(arrays)))]

    def gradients(self, arrays: Arrays, weights: Arrays) -> list[ndarray | None]:
        """What the function written by hand gives, times the weight.  Raises VjpError for a wrong number of them."""
        found: Any = self.gradient(*self.arguments(arrays))
        several = isinstance(found, tuple) or (isinstance(found, list) and len(self.given) > 1)
        gradients = list(found) if several else [found]
        if len(gradients) not in (len(self.given), len(self.numbers)):
            raise VjpError(
                f"the gradient of {self.name} must give one gradient for each of its {len(self.given)} inputs, as a "
                f"tuple; got {len(gradients)}"
            )
        if len(gradients) > len(self.numbers):
            gradients = [gradients[n] for n in self.numbers]
        return [None if g is None else np.asarray(g) * weights[0] for g in gradients]

    def second(self) -> None:
        """None: what is written by hand is not recorded, so there is no gradient of it."""
        return None

    def blame(self, arrays: Arrays, rng: np.random.Generator) -> list[Fault]:
        """What is wrong with the gradient by hand: by which input, at which element, in which line."""
        given = self.arguments(arrays)
        self.gradient(*given)
        changed = [n for n, x in zip(self.numbers, arrays) if not np.array_equal(given[n], x, equal_nan=True)]
        rule = rule_line(self.gradient)
        faults = [
            Fault("mutates", f"the gradient of {self.name} changes its input {n}", (f"rule: {rule}",), input=n)
            for n in changed
        ]
        inputs = [np.array(x) for x in arrays]
        whole = Part(
            self.name, "", rule, inputs, self.numbers, self.values(arrays), self.values, self.gradients, analytic=True
        )
        return faults + blamed([whole], rng)

    def arguments(self, arrays: Arrays) -> list[Any]:
        """All the arguments, with copies of these arrays among them: the function may write into them."""
        args = [np.array(x) if isinstance(x, ndarray) else x for x in self.given]
        for n, x in zip(self.numbers, arrays, strict=True):
            args[n] = np.array(x)
        return args
