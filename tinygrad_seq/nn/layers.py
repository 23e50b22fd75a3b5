"""Layers, with PyTorch's names, arguments, parameters and ways to start."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from .. import functional as F
from ..errors import DataError
from ..tensor import Parameter
from . import init
from .module import Module

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "new_parameter", "sizes"]


def new_parameter(*shape: int, dtype: Any = None) -> Parameter:
    """A parameter of zeros, for an initialiser to fill."""
    return Parameter(np.zeros(shape, float if dtype is None else dtype))


def sizes(layer: str, **given: Any) -> None:
    """Check that each of the sizes is a positive integer."""
    for name, n in given.items():
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or n <= 0:
            raise DataError(f"{layer}: {name} must be a positive integer, got {n!r}")


class Linear(Module):
    """y = x Wᵀ + b.

    x: (…, in_features).  Returns (…, out_features).  weight: (out_features, in_features) and bias: (out_features),
    both evenly within ±1/√in_features at the start, as in PyTorch.  dtype: float64 by default.

    >>> from tinygrad_seq import Tensor, nn
    >>> nn.Linear(3, 2)(Tensor([[1.0, 2.0, 3.0]])).shape
    (1, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None) -> None:
        super().__init__()
        sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        bound = 1 / sqrt(in_features)
        self.weight = init.uniform_(new_parameter(out_features, in_features, dtype=dtype), -bound, bound)
        self.bias = init.uniform_(new_parameter(out_features, dtype=dtype), -bound, bound) if bias else None

    def forward(self, x: Any) -> Any:
        """x Wᵀ + b."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Embedding(Module):
    """A table of vectors, one row for each token.

    Takes integers of any shape, gives (…, embedding_dim).  weight: (num_embeddings, embedding_dim), normally
    distributed at the start.  padding_idx: a row that starts as zeros and gets no gradient.

    >>> from tinygrad_seq import nn
    >>> nn.Embedding(10, 4)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, *, dtype: Any = None
    ) -> None:
        super().__init__()
        sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise DataError(f"Embedding: padding_idx must be a row of {num_embeddings}, got {padding_idx}")
            padding_idx %= num_embeddings
        self.num_embeddings, self.embedding_dim, self.padding_idx = num_embeddings, embedding_dim, padding_idx
        self.weight = init.normal_(new_parameter(num_embeddings, embedding_dim, dtype=dtype))
        if padding_idx is not None:
            rows = self.weight.data.copy()
            rows[padding_idx] = 0
            self.weight.data = rows

    def forward(self, index: Any) -> Any:
        """The rows that the index names."""
        return F.embedding(index, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Its sizes."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class LayerNorm(Module):
    """(x - mean) / √(var + eps) over the last axes, times weight plus bias (Ba, Kiros and Hinton 2016).

    normalized_shape: the sizes of those axes.  weight starts as ones and bias as zeros; elementwise_affine=False does
    without them.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        sizes("LayerNorm", **{f"normalized_shape[{i}]": n for i, n in enumerate(shape)})
        self.normalized_shape, self.eps = shape, eps
        self.weight = init.ones_(new_parameter(*shape, dtype=dtype)) if elementwise_affine else None
        self.bias = new_parameter(*shape, dtype=dtype) if elementwise_affine and bias else None

    def forward(self, x: Any) -> Any:
        """x, normalised."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape that is normalised."""
        return f"{self.normalized_shape}"


class Dropout(Module):
    """In training each element is 0 with probability p, else divided by 1 - p; in use nothing happens."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise DataError(f"Dropout: p must be between 0 and 1, got {p}")
        self.p = p

    def forward(self, x: Any) -> Any:
        """x, with holes."""
        return F.dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"
