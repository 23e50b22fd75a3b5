"""The layers of the Transformer: attention, then a small network at every position; around each a residual and a norm.

    norm first   x = x + attention(norm(x))    x = x + network(norm(x))     Xiong et al. 2020, and most since
    norm last    x = norm(x + attention(x))    x = norm(x + network(x))     Vaswani et al. 2017

The gradient has a way back on which nothing is multiplied: the sum.  Names, arguments, parameters and their start are
PyTorch's.  What time is to a recurrent network, an axis is here: all positions are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_seq import Tensor, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from ..attention.masks import finite_padding
from ..attention.multihead import KeysValues, MultiheadAttention, scope_of

__all__ = ["TransformerDecoderLayer", "TransformerEncoderLayer"]

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": F.relu, "gelu": F.gelu}


class Layer(nn.Module):
    """What the two layers have in common: self-attention, the network, and what is around them."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes(type(self).__name__, d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward)
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise DataError(
                f'{type(self).__name__}: activation must be "relu", "gelu" or a function, got {activation!r}'
            )
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        self.norm_first, self.batch_first, self.d_model = norm_first, batch_first, d_model

        def attention() -> MultiheadAttention:
            return MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)

        def norm() -> nn.LayerNorm:
            return nn.LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.self_attn = attention()
        if self.looks_across:
            self.multihead_attn = attention()
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm1, self.norm2 = norm(), norm()
        if self.looks_across:
            self.norm3 = norm()
        self.dropout1, self.dropout2 = nn.Dropout(dropout), nn.Dropout(dropout)
        if self.looks_across:
            self.dropout3 = nn.Dropout(dropout)

    looks_across = False

    def residual(self, x: Tensor, norm: nn.Module, part: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what a part of the layer adds to it."""
        return x + part(norm(x)) if self.norm_first else norm(x + part(x))

    def network(self, x: Tensor) -> Tensor:
        """Two linear layers at every position: W_2 activation(W_1 x)."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def tensor(self, x: Any, padding_mask: Any) -> Tensor:
        """An input, checked, with nothing in its padding that is not finite."""
        x = x if isinstance(x, Tensor) else Tensor(x, dtype=self.linear1.weight.dtype)
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            layout = "(batch, T, " if self.batch_first else "(T, batch, "
            raise ShapeError(
                f"{type(self).__name__} takes inputs of shape {layout}{self.d_model}), or (T, {self.d_model}), got "
                f"{x.shape} ({here()})"
            )
        return x if padding_mask is None else finite_padding(x, padding_mask, 0 if self.batch_first else 1)

    def extra_repr(self) -> str:
        """How the norms stand."""
        return "norm_first=True" if self.norm_first else ""


class TransformerEncoderLayer(Layer):
    """Self-attention and a network at every position, as `torch.nn.TransformerEncoderLayer`.

    d_model: features of x; nhead: heads; dim_feedforward: inside the network; activation: "relu", "gelu" or a function;
    norm_first: see above.  x: (T, batch, d_model), with batch_first (batch, T, d_model), or (T, d_model).
    Masks, True is BLOCKED: src_mask (T, T) or (batch · nhead, T, T), src_key_padding_mask (batch, T); is_causal=True
    hides the future.  The weights are in the record, "w", of shape (batch, heads, T, T).

    >>> import numpy as np
    >>> from tinygrad_seq import Graph
    >>> from tinygrad_seq.models import TransformerEncoderLayer
    >>> y = TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16)(np.ones((5, 3, 8)), is_causal=True)
    >>> y.shape, [w.shape for w in Graph(y).named("w")]
    ((5, 3, 8), [(3, 2, 5, 5)])
    """

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """What comes out at every position, of the shape of src."""

        def attention(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout1(y)

        x = self.residual(self.tensor(src, src_key_padding_mask), self.norm1, attention)
        return self.residual(x, self.norm2, lambda x: self.dropout2(self.network(x)))

    def extend(self, x: Tensor, past: KeysValues | None = None) -> tuple[Tensor, KeysValues]:
        """Go on reading, causally: x (T, batch, d_model) are the new rows, past is what an earlier call gave."""

        def attention(x: Tensor) -> Tensor:
            nonlocal past
            y, _, past = self.self_attn.extend(x, past)
            return self.dropout1(y)

        with scope_of(self):
            x = self.residual(x, self.norm1, attention)
            x = self.residual(x, self.norm2, lambda x: self.dropout2(self.network(x)))
        assert past is not None
        return x, past


class TransformerDecoderLayer(Layer):
    """Self-attention, attention to the encoder's output, and a network, as `torch.nn.TransformerDecoderLayer`.

    Arguments as in `TransformerEncoderLayer`.  tgt: (target, batch, d_model).  memory: (source, batch, d_model), the
    encoder's output.  Masks, True is BLOCKED: tgt_mask (target, target), memory_mask (target, source),
    tgt_key_padding_mask (batch, target), memory_key_padding_mask (batch, source); tgt_is_causal=True hides the future.

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerDecoderLayer
    >>> layer = TransformerDecoderLayer(d_model=8, nhead=2, dim_feedforward=16)
    >>> layer(np.ones((4, 3, 8)), np.ones((6, 3, 8)), tgt_is_causal=True).shape
    (4, 3, 8)
    """

    looks_across = True

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """What comes out at every position, of the shape of tgt."""
        memory = self.tensor(memory, memory_key_padding_mask)

        def attention(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)
            return self.dropout1(y)

        def across(x: Tensor) -> Tensor:
            y, _ = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )
            return self.dropout2(y)

        x = self.residual(self.tensor(tgt, tgt_key_padding_mask), self.norm1, attention)
        x = self.residual(x, self.norm2, across)
        return self.residual(x, self.norm3, lambda x: self.dropout3(self.network(x)))

    def memory(self, memory: Tensor) -> KeysValues:
        """What the layer looks at in the encoder's output, (source, batch, d_model), projected once."""
        with scope_of(self):
            return self.multihead_attn.keys_values(memory)

    def extend(
        self, x: Tensor, past: KeysValues | None, memory: KeysValues, blocked: Any = None
    ) -> tuple[Tensor, KeysValues]:
        """Go on writing: x (T, batch, d_model) are the new rows, past is what an earlier call gave, None at first.

        memory: what `memory` made of the encoder's output.  blocked: of it, (batch, 1, 1, source), True is BLOCKED.
        """

        def attention(x: Tensor) -> Tensor:
            nonlocal past
            y, _, past = self.self_attn.extend(x, past)
            return self.dropout1(y)

        def across(x: Tensor) -> Tensor:
            return self.dropout2(self.multihead_attn.across(x, memory, blocked)[0])

        with scope_of(self):
            x = self.residual(x, self.norm1, attention)
            x = self.residual(x, self.norm2, across)
            x = self.residual(x, self.norm3, lambda x: self.dropout3(self.network(x)))
        assert past is not None
        return x, past
