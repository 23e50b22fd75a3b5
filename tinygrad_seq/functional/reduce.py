"""Functions along an axis: sums, extrema, softmax.

`axis` and `keepdims` as in NumPy; PyTorch's `dim` and `keepdim` are accepted too.  axis: an integer, a tuple of
integers, or None for all axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Node, here
from ..ops import Primitive, table
from ..record import record1

Axis = int | tuple[int, ...] | list[int] | None


def reduction(op: Primitive, x: Any, axis: Axis, keepdims: bool, dim: Axis, keepdim: bool | None, **fixed: Any) -> Any:
    """op along an axis, recorded, with the axis checked and both spellings of the arguments accepted."""
    axis = one_axis(op.name, x, axis if dim is None else dim)
    return record1(op, x, {"axis": axis, "keepdims": keepdims if keepdim is None else keepdim, **fixed})


def one_axis(name: str, x: Any, axis: Axis) -> Any:
    """The axis as an integer, a tuple or None, checked against the shape of x."""
    if isinstance(axis, list):
        axis = tuple(axis)
    shape = np.shape(x._data if isinstance(x, Node) else x)
    for a in () if axis is None else axis if isinstance(axis, tuple) else (axis,):
        if not -len(shape) <= a < len(shape):
            raise ShapeError(f"{name} along axis {a} cannot take {shape} ({here()}): it has {len(shape)} axes")
    return axis


def sum(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The sum.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).data
    array([4., 6.])
    """
    return reduction(table.sum, x, axis, keepdims, dim, keepdim)


def mean(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The mean; NaN of no elements, as in NumPy."""
    return reduction(table.mean, x, axis, keepdims, dim, keepdim)


def var(
    x: Any,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    ddof: int = 0,
    correction: int | None = None,
    dim: Axis = None,
    keepdim: bool | None = None,
) -> Any:
    """The variance, divided by n - ddof.  ddof is 0 as in NumPy; PyTorch's own default is correction=1."""
    return reduction(table.var, x, axis, keepdims, dim, keepdim, ddof=ddof if correction is None else correction)


def std(
    x: Any,
    axis: Axis = None,
    keepdims: bool = False,
    *,
    ddof: int = 0,
    correction: int | None = None,
    dim: Axis = None,
    keepdim: bool | None = None,
) -> Any:
    """The standard deviation, see `var`; where all are equal its derivative is 0, as in PyTorch."""
    return reduction(table.std, x, axis, keepdims, dim, keepdim, ddof=ddof if correction is None else correction)


def max(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The largest; elements that tie share the gradient evenly, as in `torch.amax`."""
    return reduction(table.max, x, axis, keepdims, dim, keepdim)


def min(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The smallest; elements that tie share the gradient evenly, as in `torch.amin`."""
    return reduction(table.min, x, axis, keepdims, dim, keepdim)


def prod(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The product; the derivative is right also where elements are 0."""
    return reduction(table.prod, x, axis, keepdims, dim, keepdim)


def cumsum(x: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """The sum of all elements so far, along an axis; without one, of the flattened array, as in NumPy."""
    axis = axis if dim is None else dim
    if axis is None:
        return cumsum(record1(table.reshape, x, {"shape": (-1,)}), 0)
    return record1(table.cumsum, x, {"axis": one_axis("cumsum", x, axis)})


def norm(x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None) -> Any:
    """The Euclidean length ‖x‖₂; its derivative at the origin is 0, as in PyTorch."""
    return reduction(table.norm, x, axis, keepdims, dim, keepdim)


def logsumexp(
    x: Any, axis: Axis = None, keepdims: bool = False, *, dim: Axis = None, keepdim: bool | None = None
) -> Any:
    """log Σ exp(x), finite for any finite x.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.logsumexp(Tensor([1e4, 1e4])).data.round(3)
    np.float64(10000.693)
    """
    return reduction(table.logsumexp, x, axis, keepdims, dim, keepdim)


def softmax(x: Any, axis: int = -1, *, dim: int | None = None) -> Any:
    """exp(x) / Σ exp(x) along an axis.

    A row of nothing but -inf, one that is masked whole, gives zeros and zero gradient, where PyTorch gives NaN.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.softmax(Tensor([[0.0, 0.0], [-float("inf"), -float("inf")]])).data
    array([[0.5, 0.5],
           [0. , 0. ]])
    """
    return record1(table.softmax, x, {"axis": one_axis("softmax", x, axis if dim is None else dim)})


def log_softmax(x: Any, axis: int = -1, *, dim: int | None = None) -> Any:
    """log softmax(x) along an axis, without ever taking the logarithm of 0."""
    return record1(table.log_softmax, x, {"axis": one_axis("log_softmax", x, axis if dim is None else dim)})


def argmax(x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None) -> np.ndarray:
    """Where the largest element is: plain integers, which have no gradient."""
    return np.argmax(x._data if isinstance(x, Node) else x, axis=axis if dim is None else dim, keepdims=keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False, *, dim: int | None = None) -> np.ndarray:
    """Where the smallest element is: plain integers, which have no gradient."""
    return np.argmin(x._data if isinstance(x, Node) else x, axis=axis if dim is None else dim, keepdims=keepdims)
