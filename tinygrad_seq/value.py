"""`Value`: one number that remembers how it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from . import record as writer
from .data import as_float, plain
from .errors import ShapeError
from .graph import Node, here
from .numpy_functions import WITHOUT_GRADIENT, no_derivative, numpy_functions
from .ops import table
from .record import value1, value2
from .tensor import Recorded

__all__ = ["Value"]


class Value(Recorded):
    """One number that remembers how it was made: micrograd's class, on Python floats and the same rules as `Tensor`.

    >>> from tinygrad_seq import Value
    >>> x = Value(2.0)
    >>> y = (x * x + 1).tanh()
    >>> y.backward()
    >>> round(x.grad, 6)
    0.000726
    """

    __slots__ = ()

    scalar = True

    def __init__(self, data: float, requires_grad: bool = True, name: str | None = None) -> None:
        self._born(as_float(data), requires_grad, name)

    @classmethod
    def constant(cls, data: Any, dtype: Any = None) -> Value:
        """A leaf that requires no gradient."""
        leaf = writer.new(Value)
        leaf._born(data if data.__class__ is float else as_float(data), False, None)
        return leaf

    @property
    def data(self) -> float:
        """The number.  A leaf can be given another: `w.data -= 0.1 * w.grad`."""
        return self._data

    @data.setter
    def data(self, new: float) -> None:
        self._replace(as_float(new))

    @property
    def grad(self) -> Any:
        """d(loss)/d(this) after `backward` (a Value after create_graph=True); 0.0 before, as in micrograd."""
        g = self._grad
        return 0.0 if g is None else g if isinstance(g, Value) else float(g)

    @grad.setter
    def grad(self, g: Any) -> None:
        self._grad = g if isinstance(g, Value) or g is None else float(g)

    # ---- the operators again, without a detour: on single numbers every call counts ----

    def __add__(self, y: Any) -> Value:
        return value2(table.add, self, y)

    def __sub__(self, y: Any) -> Value:
        return value2(table.sub, self, y)

    def __mul__(self, y: Any) -> Value:
        return value2(table.mul, self, y)

    def __truediv__(self, y: Any) -> Value:
        return value2(table.div, self, y)

    def __neg__(self) -> Value:
        return value1(table.neg, self)

    def relu(self) -> Value:
        """max(x, 0)."""
        return value1(table.relu, self)

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        return value1(table.tanh, self)

    def exp(self) -> Value:
        """e to the power x."""
        return value1(table.exp, self)

    def log(self) -> Value:
        """The natural logarithm."""
        return value1(table.log, self)

    @property
    def _prev(self) -> set[Node]:
        """The values it was made from (micrograd's name)."""
        return set(self.inputs)

    @property
    def _op(self) -> str:
        """What made it (micrograd's name): "+", "*", "**2", "ReLU", …, "" for a leaf."""
        if self.op is None:
            return ""
        name = self.op.name
        return f"**{self.fixed['exponent']}" if name == "pow" else MICROGRAD.get(name, name)

    def item(self) -> float:
        """The number."""
        return self._data

    def __float__(self) -> float:
        return self._data

    def __bool__(self) -> bool:
        return bool(self._data)

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    def __eq__(self, y: object) -> bool:
        return self is y or self._data == plain(y)

    __hash__ = object.__hash__

    def _shown(self) -> str:
        return f"data={self._data:.6g}, grad={self.grad if isinstance(self._grad, Value) else format(self.grad, '.6g')}"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = numpy_functions.get(ufunc)
        if method == "__call__" and function is not None and not kwargs:
            if any(isinstance(x, ndarray) and x.ndim for x in inputs):
                raise ShapeError(f"a Value is one number ({here()}): with arrays use Tensor")
            return function(*inputs)
        if ufunc in WITHOUT_GRADIENT:
            return getattr(ufunc, method)(*[plain(x) for x in inputs], **kwargs)
        raise no_derivative(f"np.{ufunc.__name__}")

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.where and len(args) == 3 and not np.ndim(args[0]):
            return args[1] if args[0] else args[2]
        if function in WITHOUT_GRADIENT:
            return function(*[plain(x) for x in args], **kwargs)
        raise no_derivative(f"np.{function.__name__} of a Value")


MICROGRAD = {"add": "+", "sub": "-", "mul": "*", "div": "/", "neg": "neg", "power": "**", "relu": "ReLU"}
