"""What cells and layers are made of: PyTorch's weights, and inputs that fit them."""

from __future__ import annotations

from math import sqrt
from typing import Any

from tinygrad_seq import Tensor, nn
from tinygrad_seq.errors import ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter

from .equations import Weights

__all__ = ["as_input", "new_weights"]


def new_weights(input_size: int, hidden_size: int, gates: int, *, bias: bool, dtype: Any) -> Weights:
    """New parameters of one layer in one direction, evenly within ±1/√hidden, as in PyTorch."""
    bound, rows = 1 / sqrt(hidden_size), gates * hidden_size
    shapes = [(rows, input_size), (rows, hidden_size)] + [(rows,)] * 2 * bool(bias)
    return Weights(*[nn.init.uniform_(new_parameter(*shape, dtype=dtype), -bound, bound) for shape in shapes])


def as_input(layer: str, x: Any, input_size: int, dtype: Any) -> Tensor:
    """x_t as a node called "x", checked; a plain array takes the dtype of the weights."""
    x = x if isinstance(x, Tensor) else Tensor(x, dtype=dtype)
    if x.ndim == 0 or x.shape[-1] != input_size:
        raise ShapeError(
            f"{layer} with input_size={input_size} cannot take x of shape {x.shape} ({here()}): "
            f"its last axis must have {input_size} numbers"
        )
    return x if x.name else x.named("x")
