"""The functions behind layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from ..graph import Node, here
from ..ops import table
from ..record import record1, record3
from ..rng import generator
from .index import indices
from .products import shape_of

_affine = table.affine


def affine(x: Any, W: Any, b: Any) -> Any:
    """x W + b, in one op.  x: (…, inputs).  W: (inputs, outputs).  b: (outputs).  Returns (…, outputs).

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.affine(Tensor([1.0, 2.0]), Tensor([[3.0], [4.0]]), Tensor([5.0])).data
    array([16.])
    """
    return record3(_affine, x, W, b)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """x Wᵀ + b.  x: (…, in_features).  weight: (out_features, in_features).  bias: (out_features)."""
    W = weight.T
    return x @ W if bias is None else affine(x, W, bias)


def embedding(index: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """The rows of the weight that the index names.

    index: integers in [0, rows), of any shape.  weight: (rows, features).  Returns (*index.shape, features).
    padding_idx: a row that gets no gradient.  Raises IndexError for a negative index too: -1 is no word.
    """
    rows = shape_of(weight)[0]
    index = indices(index, "embedding")
    if index.size and not 0 <= index.min() <= index.max() < rows:
        wrong = index[(index < 0) | (index >= rows)].flat[0]
        raise IndexError(f"embedding: index {wrong} is not one of the {rows} rows, 0 to {rows - 1} ({here()})")
    return record1(table.embedding, weight, {"indices": index, "padding_idx": padding_idx})


def one_hot(index: Any, num_classes: int, dtype: Any = float) -> np.ndarray:
    """An array with 1 where the index says and 0 elsewhere.  index: (…) integers.  Returns (…, num_classes).

    >>> from tinygrad_seq import functional as F
    >>> F.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    index = indices(index, "one_hot", num_classes)
    if index.size and index.min() < 0:
        raise IndexError(f"one_hot: index {index.min()} is not one of the {num_classes} classes ({here()})")
    result = np.zeros((*index.shape, num_classes), dtype)
    np.put_along_axis(result, index[..., None], 1, axis=-1)
    return result


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Each element 0 with probability p, else divided by 1 - p; x itself outside of training.

    The mask comes from the library's generator, see `manual_seed` (Srivastava et al. 2014).
    """
    if not 0 <= p <= 1:
        raise DataError(f"dropout: p must be between 0 and 1, got {p} ({here()})")
    if not training or p == 0:
        return x
    data = x._data if isinstance(x, Node) else np.asarray(x)
    keep = (generator().random(data.shape) >= p) / (1 - p if p < 1 else 1)
    return record1(table.dropout, x, {"keep": keep.astype(data.dtype)})


def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """(x - mean) / sqrt(var + eps) over the last axes, times weight plus bias (Ba, Kiros and Hinton 2016).

    normalized_shape: the sizes of those axes; the variance is divided by n, not n - 1.
    """
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    shape = shape_of(x)
    if not sizes or shape[-len(sizes) :] != sizes:
        raise ShapeError(f"layer_norm over {sizes} cannot take {shape} ({here()}): its last axes must be those")
    y = record1(table.layer_norm, x, {"axis": tuple(range(-len(sizes), 0)), "eps": eps})
    y = y if weight is None else y * weight
    return y if bias is None else y + bias
