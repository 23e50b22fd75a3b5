"""Picking elements by their place, and putting them there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, DtypeError, ShapeError
from ..graph import Node, here
from ..ops import table
from ..record import record1, record2

_getitem = table.getitem


def indices(x: Any, name: str, size: int | None = None) -> np.ndarray:
    """A private array of integers; checked to lie within [-size, size) where a size is given."""
    array = np.array(x._data if isinstance(x, Node) else x)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(int)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{name} needs integers as indices, got {array.dtype} ({here()})")
    if size is not None and array.size:
        wrong = (array < -size) | (array >= size)
        if wrong.any():
            raise IndexError(f"{name}: index {array[wrong].flat[0]} is out of range for size {size} ({here()})")
    return array


def getitem(x: Any, index: Any) -> Any:
    """x[index], with all of NumPy's indexing; a place that is named twice gets the gradients of both.

    >>> from tinygrad_seq import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad
    array([2., 0., 1.])
    """
    return record1(_getitem, x, {"index": _keys(index)})


def _keys(index: Any) -> Any:
    """An index with lists and tensors in it as arrays, copied: an array may name a place twice."""
    kind = index.__class__
    if kind is tuple:
        return tuple([i if i.__class__ is slice or i.__class__ is int else _key(i) for i in index])
    return index if kind is int or kind is slice else _key(index)


def _key(i: Any) -> Any:
    """One part of an index, arrays copied."""
    if i is None or i is Ellipsis or isinstance(i, (slice, int, np.integer)):
        return i
    array = np.array(i._data if isinstance(i, Node) else i)
    return array.astype(int) if array.size == 0 and array.dtype.kind == "f" else array


def take(x: Any, index: Any, axis: int | None = None, *, dim: int | None = None) -> Any:
    """The elements (of the flattened x, or along an axis) at the indices, as in `numpy.take`."""
    axis = axis if dim is None else dim
    if axis is None:
        x = record1(table.reshape, x, {"shape": (-1,)})
        axis = 0
    shape = np.shape(x._data if isinstance(x, Node) else x)
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"take along axis {axis} cannot take {shape} ({here()}): it has {len(shape)} axes")
    index = indices(index, "take", shape[axis])
    return record1(_getitem, x, {"index": (*(slice(None),) * (axis % len(shape)), index)})


def along(index: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """The index of x[..., index[i, j, k], ...] for every place (i, j, k) of the index."""
    mesh = np.ogrid[tuple(slice(n) for n in index.shape)]
    return (*mesh[:axis], index, *mesh[axis + 1 :])


def gather(x: Any, axis: Any = None, index: Any = None, *, dim: int | None = None) -> Any:
    """out[i][j] = x[index[i][j]][j] for axis 0, and so on, as in `torch.gather(x, dim, index)`.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.gather(Tensor([[1.0, 2.0], [3.0, 4.0]]), 1, [[1], [0]]).data
    array([[2.],
           [3.]])
    """
    shape = np.shape(x._data if isinstance(x, Node) else x)
    index, axis = _checked("gather", shape, index, axis if dim is None else dim)
    return record1(_getitem, x, {"index": along(index, axis)})


def scatter_add(x: Any, axis: Any = None, index: Any = None, source: Any = None, *, dim: int | None = None) -> Any:
    """x with the source added at the places that the index names along an axis, as in `torch.scatter_add`."""
    shape = np.shape(x._data if isinstance(x, Node) else x)
    index, axis = _checked("scatter_add", shape, index, axis if dim is None else dim)
    whole = np.shape(source._data if isinstance(source, Node) else source)
    if len(whole) != index.ndim or any(m > n for m, n in zip(index.shape, whole)):
        text = f"scatter_add needs a source at least as large as the index {index.shape}, got {whole} ({here()})"
        raise ShapeError(text)
    if whole != index.shape:
        source = getitem(source, tuple(slice(n) for n in index.shape))
    return record2(table.scatter_add, x, source, {"index": along(index, axis)})


def _checked(name: str, shape: tuple[int, ...], index: Any, axis: Any) -> tuple[np.ndarray, int]:
    if index is None or axis is None:
        raise DataError(f"{name} needs an axis and an index ({here()})")
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{name} along axis {axis} cannot take {shape} ({here()}): it has {len(shape)} axes")
    axis %= len(shape)
    index = indices(index, name, shape[axis])
    if index.ndim != len(shape) or any(m > n for a, (m, n) in enumerate(zip(index.shape, shape)) if a != axis):
        raise ShapeError(
            f"{name} of {shape} needs an index of {len(shape)} axes, none larger than x, got {index.shape} "
            f"({here()})"
        )
    return index, axis


def scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of that shape, but for g at the index: what `getitem` does, backwards, so a place named twice adds up.

    >>> scatter([1.0, 2.0, 4.0], [0, 0, 2], (3,)).data
    array([3., 0., 4.])
    """
    return record1(table.scatter, g, {"index": _keys(index), "shape": shape})
