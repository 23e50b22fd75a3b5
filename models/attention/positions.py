"""Where in the sequence a vector stands: attention itself does not know."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq.errors import DataError, SequenceError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

__all__ = ["LearnedPositions", "SinusoidalPositions", "positions_of_kind", "sinusoidal_positions"]


def sinusoidal_positions(length: int, d_model: int, *, start: int = 0) -> np.ndarray:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d)) (Vaswani et al. 2017).

    pos counts from `start`.  Returns (length, d_model).

    >>> from tinygrad_seq.models import sinusoidal_positions
    >>> sinusoidal_positions(2, 4).round(2)
    array([[0.  , 1.  , 0.  , 1.  ],
           [0.84, 0.54, 0.01, 1.  ]])
    """
    pos = np.arange(start, start + length)[:, None]
    angle = pos / 10000 ** (np.arange(0, d_model, 2) / d_model)
    pe = np.empty((length, d_model))
    pe[:, 0::2] = np.sin(angle)
    pe[:, 1::2] = np.cos(angle[:, : d_model // 2])
    return pe


class SinusoidalPositions(nn.Module):
    """x + PE: nothing is learnt, and no sequence is too long.

    x: (T, batch, d_model).  start: the position of the first row, counted from 0.
    """

    def __init__(self, d_model: int) -> None:
        super().__init__()
        sizes("SinusoidalPositions", d_model=d_model)
        self.d_model = d_model

    def forward(self, x: Any, start: int = 0) -> Tensor:
        """x, with its positions added."""
        pe = sinusoidal_positions(len(x), self.d_model, start=start).astype(x.dtype)
        return x + pe.reshape(len(x), *(1,) * (x.ndim - 2), self.d_model)

    def extra_repr(self) -> str:
        """Its size."""
        return f"{self.d_model}"


class LearnedPositions(nn.Module):
    """x + P, a learnt vector for each of max_length positions, normally distributed with deviation 0.1 at the start.

    x: (T, batch, d_model).  start: the position of the first row, counted from 0.  Raises SequenceError beyond
    max_length.
    """

    def __init__(self, max_length: int, d_model: int, *, dtype: Any = None) -> None:
        super().__init__()
        sizes("LearnedPositions", max_length=max_length, d_model=d_model)
        self.weight = nn.init.normal_(new_parameter(max_length, d_model, dtype=dtype), std=0.1)

    def forward(self, x: Any, start: int = 0) -> Tensor:
        """x, with its positions added."""
        longest, d_model = self.weight.shape
        if start + len(x) > longest:
            raise SequenceError(
                f"positions are learnt for max_length={longest} steps, got a sequence of {start + len(x)} ({here()}): "
                'cut it, or make the model longer, or with positions="sinusoidal"'
            )
        return x + self.weight[start : start + len(x)].reshape(len(x), *(1,) * (x.ndim - 2), d_model)

    def extra_repr(self) -> str:
        """Its sizes."""
        return ", ".join(map(str, self.weight.shape))


def positions_of_kind(kind: str, max_length: int | None, d_model: int, *, dtype: Any = None) -> nn.Module:
    """The positions of that name, "learned" or "sinusoidal".  max_length: of learned ones, not used by the other."""
    if kind == "sinusoidal":
        return SinusoidalPositions(d_model)
    if kind != "learned":
        raise DataError(f'positions must be "learned" or "sinusoidal", got {kind!r}')
    if max_length is None:
        raise DataError('learned positions need a max_length; or take positions="sinusoidal"')
    return LearnedPositions(max_length, d_model, dtype=dtype)
