"""Ragged batches: sequences of different lengths, filled up at their end."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DtypeError, SequenceError, ShapeError
from tinygrad_seq.graph import here

__all__ = ["as_lengths", "without_padding"]


def as_lengths(name: str, lengths: Any, T: int, batch: tuple[int, ...]) -> np.ndarray:
    """Lengths as integers (batch), each from 1 to T.

    Raises ShapeError where they disagree with the data, SequenceError for a sequence that is all padding.
    """
    array = np.asarray(lengths.data if isinstance(lengths, Tensor) else lengths)
    if array.shape != batch or not batch:
        raise ShapeError(
            f"{name} needs one length for each sequence, shape {batch or '(batch,)'}, got {array.shape} ({here()})"
        )
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{name}: lengths are integers, got {array.dtype} ({here()})")
    for row, length in enumerate(array.tolist()):
        if length < 1:
            raise SequenceError(
                f"{name}: sequence number {row} has length {length} ({here()}): it is all padding, leave it out"
            )
        if length > T:
            raise ShapeError(f"{name}: sequence number {row} has length {length}, the data has {T} steps ({here()})")
    return array


def without_padding(xs: Any, lengths: np.ndarray) -> Any:
    """Vectors (T, batch, features) with zeros for padding, so that not even a NaN there can reach a gradient."""
    if lengths.min() == len(xs):
        return xs
    real = (np.arange(len(xs))[:, None] < lengths)[..., None]
    if isinstance(xs, Tensor) and xs.requires_grad:
        return F.where(real, xs, 0.0)
    return np.where(real, xs.data if isinstance(xs, Tensor) else xs, 0)
