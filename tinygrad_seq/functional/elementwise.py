"""Functions of one element at a time, of tensors, values, arrays and numbers.  Two arguments broadcast as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, DtypeError, NoDerivativeError, ShapeError
from ..graph import Node, here
from ..ops import table
from ..record import record, record1, record2

_add, _sub, _mul, _div, _neg = table.add, table.sub, table.mul, table.div, table.neg
_exp, _log, _tanh, _sigmoid, _relu = table.exp, table.log, table.tanh, table.sigmoid, table.relu


def add(x: Any, y: Any) -> Any:
    """x + y."""
    return record2(_add, x, y)


def sub(x: Any, y: Any) -> Any:
    """x - y."""
    return record2(_sub, x, y)


def mul(x: Any, y: Any) -> Any:
    """x * y, element by element."""
    return record2(_mul, x, y)


def div(x: Any, y: Any) -> Any:
    """x / y."""
    return record2(_div, x, y)


def neg(x: Any) -> Any:
    """-x."""
    return record1(_neg, x)


def pow(x: Any, y: Any) -> Any:
    """x to the power y.  With a number for y the derivative is y x^(y-1), also where x is negative.

    With a tensor for y its own derivative is x^y log x: NaN where x is negative, 0 at x = 0.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.pow(Tensor([-2.0, 3.0]), 2).data
    array([4., 9.])
    """
    if isinstance(y, Node):
        return record2(table.power, x, y)
    if isinstance(y, np.ndarray) and y.ndim:
        return record2(table.power, x, y)
    exponent = y.item() if isinstance(y, (np.generic, np.ndarray)) else y
    if not isinstance(exponent, (int, float)):
        raise DataError(f"pow needs a number or a tensor as exponent, got {y!r} ({here()})")
    return record1(table.pow, x, {"exponent": exponent})


def exp(x: Any) -> Any:
    """e to the power x."""
    return record1(_exp, x)


def log(x: Any) -> Any:
    """The natural logarithm: -inf at 0 and NaN below, as in NumPy."""
    return record1(_log, x)


def log1p(x: Any) -> Any:
    """log(1 + x), exact for small x."""
    return record1(table.log1p, x)


def expm1(x: Any) -> Any:
    """exp(x) - 1, exact for small x."""
    return record1(table.expm1, x)


def sqrt(x: Any) -> Any:
    """The square root; its derivative at 0 is infinite."""
    return record1(table.sqrt, x)


def abs(x: Any) -> Any:
    """|x|; its derivative at 0 is 0, as in PyTorch."""
    return record1(table.abs, x)


def sign(x: Any) -> Any:
    """-1, 0 or 1; flat, so that no gradient goes through."""
    return record1(table.sign, x)


def sin(x: Any) -> Any:
    """The sine."""
    return record1(table.sin, x)


def cos(x: Any) -> Any:
    """The cosine."""
    return record1(table.cos, x)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent; its derivative 1 - tanh² is at most 1.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> x = Tensor(0.0, requires_grad=True)
    >>> F.tanh(x).backward()
    >>> x.grad
    array(1.)
    """
    return record1(_tanh, x)


def sigmoid(x: Any) -> Any:
    """σ(x) = 1 / (1 + e^-x), finite for any x; its derivative σ(1 - σ) is at most 1/4.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.sigmoid(Tensor([-1e4, 0.0, 1e4])).data.round(6)
    array([0. , 0.5, 1. ])
    """
    return record1(_sigmoid, x)


def relu(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0, as in PyTorch."""
    return record1(_relu, x)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where it is positive, negative_slope * x elsewhere."""
    return record1(table.leaky_relu, x, {"negative_slope": negative_slope})


def gelu(x: Any, approximate: str = "none") -> Any:
    """x Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016); approximate="tanh" for their formula."""
    if approximate == "none":
        return record1(table.gelu, x)
    if approximate != "tanh":
        raise DataError(f'gelu: approximate must be "none" or "tanh", got {approximate!r} ({here()})')
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x**3)))


def silu(x: Any) -> Any:
    """x σ(x), also called swish."""
    return record1(table.silu, x)


def softplus(x: Any) -> Any:
    """log(1 + e^x), finite for any x.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.softplus(Tensor([-1e4, 1e4])).data
    array([    0., 10000.])
    """
    return record1(table.softplus, x)


def erf(x: Any) -> Any:
    """The error function, exact to rounding (Cody 1969)."""
    return record1(table.erf, x)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element; where they are equal each gets half of the gradient, as in PyTorch."""
    return record2(table.maximum, x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element; where they are equal each gets half of the gradient, as in PyTorch."""
    return record2(table.minimum, x, y)


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x kept between min and max (numbers or arrays, None for no bound).

    The gradient passes within the bounds and at them, and is 0 outside, as in PyTorch.
    """
    if min is None and max is None:
        raise DataError(f"clip needs a lower bound, an upper bound, or both ({here()})")
    dtype = x._data.dtype if isinstance(x, Node) and not x.scalar and x._data.dtype.kind == "f" else None
    return record1(table.clip, x, {"low": fixed(min, "clip", dtype), "high": fixed(max, "clip", dtype)})


def clip_gradient(x: Any, max_norm: float) -> Any:
    """x itself, but the gradient that goes back through it is shortened to a length of at most max_norm.

    Put at the state of every time step it keeps a gradient from exploding on its way (Pascanu, Mikolov and Bengio
    2013 clip at the end instead, see `optim.clip_grad_norm_`).  The clipped gradient is no derivative of the loss.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> x = Tensor([3.0, 4.0], requires_grad=True)
    >>> (F.clip_gradient(x, 1.0) ** 2).sum().backward()
    >>> x.grad
    array([0.6, 0.8])
    """
    if not max_norm > 0:
        raise DataError(f"clip_gradient: max_norm must be a number above 0, got {max_norm!r} ({here()})")
    return record1(table.clip_gradient, x, {"max_norm": float(max_norm)})


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, y elsewhere.  condition: booleans, broadcast with x and y.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.where(Tensor([1.0, -1.0]) > 0, 1.0, Tensor([5.0, 6.0])).data
    array([1., 6.])
    """
    return record(table.where, x, y, condition=_mask(condition))


def masked_fill(x: Any, mask: Any, value: float) -> Any:
    """x with `value` wherever the mask is True; the mask must broadcast to the shape of x."""
    mask = _mask(mask)
    shape = np.shape(x._data if isinstance(x, Node) else x)
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"masked_fill needs a mask that broadcasts to the shape {shape}, got {mask.shape} ({here()})"
        )
    value = fixed(value, "masked_fill")
    if np.ndim(value):
        raise DataError(f"masked_fill fills in one number, got an array ({here()}): use where")
    return record1(table.masked_fill, x, {"mask": mask, "value": value})


def cast(x: Any, dtype: Any) -> Any:
    """x in another floating dtype; the gradient comes back in the dtype of x."""
    dtype = np.dtype(dtype)
    if dtype.kind != "f" and isinstance(x, Node) and x.requires_grad:
        raise DtypeError(f"no gradient comes back from {dtype} ({here()}): take a floating dtype, or detach first")
    return record1(table.cast, x, {"dtype": dtype})


def fixed(x: Any, name: str, dtype: Any = None) -> Any:
    """An argument that is not differentiable: a plain number, or a private copy of an array."""
    if isinstance(x, Node):
        if x.requires_grad:
            raise NoDerivativeError(f"{name} takes this argument as a constant ({here()}): give it {x!r} detached")
        x = x._data
    if isinstance(x, (np.ndarray, np.generic, list)):
        array = np.array(x)
        return array.astype(dtype or array.dtype) if array.ndim else array.item()
    return x


def _mask(condition: Any) -> np.ndarray:
    mask = np.array(condition._data if isinstance(condition, Node) else condition)
    if mask.dtype != bool:
        raise DataError(
            f"a mask must be made of booleans, got {mask.dtype} ({here()}): compare first, for example mask > 0"
        )
    return mask
