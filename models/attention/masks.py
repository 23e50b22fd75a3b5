"""Masks: what may not be looked at.  In all modules here True is BLOCKED, as in `torch.nn.MultiheadAttention`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq.errors import DtypeError, SequenceError, ShapeError
from tinygrad_seq.graph import here

from ..recurrent.lengths import as_lengths

__all__ = ["as_padding_mask", "causal_mask", "check_states", "finite_padding", "padding_mask_of"]


def causal_mask(size: int) -> np.ndarray:
    """(size, size) booleans that hide the future: True, BLOCKED, where source > target.

    >>> from tinygrad_seq.models import causal_mask
    >>> causal_mask(3).astype(int)
    array([[0, 1, 1],
           [0, 0, 1],
           [0, 0, 0]])
    """
    return np.triu(np.ones((size, size), bool), 1)


def padding_mask_of(lengths: Any, T: int) -> np.ndarray:
    """(batch, T) booleans, True, BLOCKED, where a sequence has ended and padding stands.

    lengths: (batch) integers from 1 to T; others raise ShapeError, or SequenceError where a sequence is all padding.

    >>> from tinygrad_seq.models import padding_mask_of
    >>> padding_mask_of([3, 1], 3).astype(int)
    array([[0, 0, 0],
           [0, 1, 1]])
    """
    return np.arange(T) >= as_lengths("padding_mask_of", lengths, T, np.shape(lengths))[:, None]


def finite_padding(x: Tensor, padding_mask: Any, batch_axis: int = 1) -> Tensor:
    """x, (T, batch, features), with zeros for what is not finite in its padding: 0 · NaN is NaN, and would spread.

    padding_mask: (batch, T), True is padding; of floats, or of another shape, it is left to others to judge.
    """
    mask = np.asarray(padding_mask.data if isinstance(padding_mask, Tensor) else padding_mask)
    mask = mask.T if x.ndim == 3 and batch_axis == 1 else mask
    if mask.dtype != bool or mask.shape != x.shape[:-1] or np.isfinite(x.data[mask]).all():
        return x
    return x.masked_fill(mask[..., None] & ~np.isfinite(x.data), 0.0)


def as_padding_mask(module: str, mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The mask as booleans of that shape, checked and copied."""
    array = np.array(mask.data if isinstance(mask, Tensor) else mask)
    if array.dtype != bool:
        raise DtypeError(
            f"{module}: padding_mask must be made of booleans, True where there is padding, got {array.dtype} "
            f"({here()})"
        )
    if array.shape != shape:
        raise ShapeError(f"{module}: padding_mask must have the shape {shape}, got {array.shape} ({here()})")
    return array


def check_states(module: str, hs: Tensor) -> None:
    """Raise SequenceError or ShapeError unless hs is (batch, source, D), or (source, D), with at least one state."""
    if hs.ndim not in (2, 3):
        raise ShapeError(f"{module} takes states of shape (batch, source, D), got {hs.shape} ({here()})")
    if not hs.size:
        raise SequenceError(f"{module} needs at least one state to look at, got shape {hs.shape} ({here()})")
