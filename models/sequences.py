"""What models take: sequences, lengths and labels, checked; and the sum of the losses of the steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq.errors import DataError, DtypeError, SequenceError

__all__ = ["as_array", "as_labels", "as_sequence", "is_vectors", "total"]


def total(losses: list[Tensor]) -> Tensor:
    """L_1 + … + L_T."""
    loss = losses[0]
    for L in losses[1:]:
        loss = loss + L
    return loss.named("loss") if len(losses) > 1 else loss


def is_vectors(xs: Any) -> bool:
    """Whether inputs are vectors, not tokens."""
    return isinstance(xs, Tensor) or xs.dtype.kind == "f"


def as_sequence(head: str, xs: Any) -> Any:
    """Inputs as a tensor, or as an array of numbers, of at least one step."""
    xs = xs.data if isinstance(xs, Tensor) and xs.dtype.kind != "f" else xs
    xs = xs if isinstance(xs, Tensor) else as_array(head, xs)
    if xs.ndim == 0 or not len(xs):
        raise SequenceError(f"{head} needs a sequence of at least one step, got shape {xs.shape}")
    if not is_vectors(xs) and xs.dtype.kind not in "iu":
        raise DtypeError(f"{head} takes tokens, which are integers (see Vocabulary.encode), or vectors, got {xs.dtype}")
    return xs


def as_labels(head: str, targets: Any, kind: str = "target") -> np.ndarray:
    """Targets as integers, of at least one."""
    array = as_array(head, targets.data if isinstance(targets, Tensor) else targets)
    if not array.size:
        raise SequenceError(f"{head} needs at least one {kind}, got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{head} needs integers as {kind}s, got {array.dtype}")
    return array


def as_array(head: str, data: Any) -> np.ndarray:
    """An array of what may be a list, but not of rows of different lengths."""
    try:
        return np.asarray(data)
    except ValueError:
        raise DataError(
            f"{head} needs rows of equal length: fill up the shorter ones, as Vocabulary.encode_all does"
        ) from None
