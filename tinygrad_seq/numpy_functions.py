"""What NumPy's functions mean for tensors: which op each is, and which only answer about the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import functional as F
from .errors import NoDerivativeError
from .graph import here

__all__ = ["WITHOUT_GRADIENT", "no_derivative", "numpy_functions", "numpy_reductions"]


def no_derivative(name: str) -> NoDerivativeError:
    """The error for a function that would drop a gradient."""
    return NoDerivativeError(
        f"{name} has no derivative here ({here()}): give it plain data with .data or .detach(), or make an op of "
        "it with Op(forward, vjp)"
    )


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (None, 2) or (ord == 2 and axis is None and np.ndim(x) == 2):
        raise no_derivative(f"np.linalg.norm with ord={ord!r}")
    return F.norm(x, axis, keepdims)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Any:
    if mode != "constant":
        raise no_derivative(f"np.pad with mode={mode!r}")
    return F.pad(x, pad_width, constant_values)


def _reduce(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Any, axis: Any = 0, keepdims: bool = False) -> Any:
        return function(x, axis, keepdims)

    return reduce


numpy_functions: dict[Any, Callable[..., Any]] = {
    np.add: F.add, np.subtract: F.sub, np.multiply: F.mul, np.true_divide: F.div, np.negative: F.neg, np.power: F.pow,
    np.float_power: F.pow, np.exp: F.exp, np.log: F.log, np.log1p: F.log1p, np.expm1: F.expm1, np.sqrt: F.sqrt,
    np.absolute: F.abs, np.fabs: F.abs, np.sign: F.sign, np.sin: F.sin, np.cos: F.cos, np.tanh: F.tanh,
    np.maximum: F.maximum, np.minimum: F.minimum, np.matmul: F.matmul, np.square: lambda x: F.pow(x, 2),
    np.reciprocal: lambda x: F.div(1.0, x), np.positive: lambda x: x,
    np.sum: F.sum, np.mean: F.mean, np.var: F.var, np.std: F.std, np.prod: F.prod, np.cumsum: F.cumsum,
    np.max: F.max, np.min: F.min, np.amax: F.max, np.amin: F.min, np.linalg.norm: _norm,
    np.where: F.where, np.clip: lambda a, a_min=None, a_max=None: F.clip(a, a_min, a_max),
    np.dot: F.dot, np.outer: F.outer, np.einsum: F.einsum,
    np.reshape: lambda a, shape: F.reshape(a, shape), np.transpose: lambda a, axes=None: F.transpose(a, axes),
    np.ravel: F.flatten, np.swapaxes: F.swapaxes, np.squeeze: F.squeeze, np.expand_dims: F.unsqueeze,
    np.broadcast_to: F.broadcast_to, np.concatenate: F.concat, np.stack: F.stack, np.split: F.split,
    np.flip: F.flip, np.roll: F.roll, np.tril: F.tril, np.triu: F.triu, np.repeat: F.repeat, np.take: F.take,
    np.pad: _pad, np.take_along_axis: lambda x, indices, axis: F.gather(x, axis, indices),
    np.argmax: F.argmax, np.argmin: F.argmin,
}  # fmt: skip
numpy_reductions: dict[Any, Callable[..., Any]] = {
    (np.add, "reduce"): _reduce(F.sum),
    (np.multiply, "reduce"): _reduce(F.prod),
    (np.maximum, "reduce"): _reduce(F.max),
    (np.minimum, "reduce"): _reduce(F.min),
}
WITHOUT_GRADIENT = {  # what answers about the values, or needs only the shape
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.isfinite, np.isnan, np.isinf,
    np.signbit, np.logical_and, np.logical_or, np.logical_not,
    np.shape, np.ndim, np.size, np.allclose, np.isclose, np.array_equal, np.argsort, np.any, np.all,
    np.count_nonzero, np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.array_str, np.array_repr,
    np.array2string, np.result_type, np.argwhere, np.nonzero,
}  # fmt: skip
