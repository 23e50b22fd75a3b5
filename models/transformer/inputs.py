"""How a sequence enters a Transformer: as vectors that know their positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from ..attention.positions import positions_of_kind
from ..recurrent.lengths import as_lengths, without_padding
from ..sequences import as_sequence, is_vectors

__all__ = ["SequenceInput"]


class SequenceInput(nn.Module):
    """Tokens become rows of a table, vectors are multiplied by a matrix; to both their positions are added.

    num_tokens: for tokens (T, batch), the size of their table; input_size: for vectors (T, batch, input_size); one of
    the two.  positions: "learned", for at most max_length steps, or "sinusoidal".  Returns x, (T, batch, d_model).
    """

    def __init__(
        self,
        d_model: int,
        *,
        num_tokens: int | None = None,
        input_size: int | None = None,
        positions: str = "learned",
        max_length: int | None = None,
        dropout: float = 0.0,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if (num_tokens is None) == (input_size is None):
            raise DataError("a Transformer reads tokens or vectors: give it one of num_tokens and input_size")
        self.embedding = self.linear = None
        if num_tokens is not None:
            sizes("SequenceInput", num_tokens=num_tokens, d_model=d_model)
            self.embedding = nn.Embedding(num_tokens, d_model, dtype=dtype)
        else:
            sizes("SequenceInput", input_size=input_size, d_model=d_model)
            self.linear = nn.Linear(input_size or 0, d_model, dtype=dtype)
        self.positions = positions_of_kind(positions, max_length, d_model, dtype=dtype)
        self.dropout = nn.Dropout(dropout)

    def check(self, xs: Any, lengths: Any = None) -> tuple[Any, np.ndarray | None]:
        """The sequence as it can be read, and what in it is padding, (batch, T), True is BLOCKED, or None.

        What stands in the padding, even NaN or a token that there is not, is read as zeros.
        """
        xs = as_sequence("a Transformer", xs)
        vectors = self.linear is not None
        if is_vectors(xs) != vectors or xs.ndim != (3 if vectors else 2):
            need = f"vectors (T, batch, {self.linear.in_features})" if self.linear else "tokens (T, batch), integers"
            raise ShapeError(f"this Transformer reads {need}, got {xs.dtype} of shape {xs.shape} ({here()})")
        if not xs.shape[1]:
            raise SequenceError(f"a Transformer needs a batch of at least one sequence, got {xs.shape} ({here()})")
        if lengths is None:
            return xs, None
        checked = as_lengths("a Transformer", lengths, len(xs), xs.shape[1:2])
        padding = np.arange(len(xs)) >= checked[:, None]
        return without_padding(xs, checked) if vectors else np.where(padding.T, 0, xs), padding

    def forward(self, xs: Any, start: int = 0) -> Tensor:
        """x, (T, batch, d_model), of tokens or vectors that `check` has seen.  start: the first position, from 0."""
        if self.embedding is not None:
            x = self.embedding(xs)
        else:
            assert self.linear is not None
            x = self.linear(xs if isinstance(xs, Tensor) else Tensor(xs, dtype=self.linear.weight.dtype))
        return self.dropout(self.positions(x, start)).named("x")
