"""Layers on top of each other: the encoder, the decoder, and the Transformer made of both."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq.errors import ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from ..attention import KeysValues, causal_mask
from ..attention.multihead import scope_of
from .layers import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder", "start_as_transformer"]


class TransformerEncoder(nn.Module):
    """num_layers copies of an encoder layer, one after the other, and a norm at the end if there is one.

    The copies start with the same weights, as in PyTorch.  src, masks: as in `TransformerEncoderLayer`.
    enable_nested_tensor, mask_check: PyTorch's words, without effect.

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerEncoder, TransformerEncoderLayer
    >>> encoder = TransformerEncoder(TransformerEncoderLayer(d_model=8, nhead=2, dim_feedforward=16), num_layers=2)
    >>> encoder(np.ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: nn.Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        sizes("TransformerEncoder", num_layers=num_layers)
        self.layers: Any = nn.ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

    def forward(self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Tensor:
        """What comes out at every position, of the shape of src."""
        x = src
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, is_causal)
        return x if self.norm is None else self.norm(x)

    def extend(self, x: Tensor, past: tuple[KeysValues, ...] | None = None) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Go on reading, causally: x (T, batch, d_model) are the new rows, past is what an earlier call gave."""
        kept = []
        with scope_of(self):
            for layer, before in zip(self.layers, past or (None,) * self.num_layers, strict=True):
                x, after = layer.extend(x, before)
                kept.append(after)
            return x if self.norm is None else self.norm(x), tuple(kept)


class TransformerDecoder(nn.Module):
    """num_layers copies of a decoder layer, one after the other, and a norm at the end if there is one.

    The copies start with the same weights, as in PyTorch.  Arguments as in `TransformerDecoderLayer`.
    """

    def __init__(
        self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: nn.Module | None = None
    ) -> None:
        super().__init__()
        sizes("TransformerDecoder", num_layers=num_layers)
        self.layers: Any = nn.ModuleList(deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers, self.norm = num_layers, norm

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
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                tgt_is_causal,
                memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)

    def memories(self, memory: Tensor) -> tuple[KeysValues, ...]:
        """What each layer looks at in the encoder's output, (source, batch, d_model), projected once."""
        with scope_of(self):
            return tuple(layer.memory(memory) for layer in self.layers)

    def extend(
        self, x: Tensor, past: tuple[KeysValues, ...] | None, memories: tuple[KeysValues, ...], blocked: Any = None
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Go on writing: x (T, batch, d_model) are the new rows, past is what an earlier call gave, None at first.

        blocked: of the source, (batch, 1, 1, source), True is BLOCKED.
        """
        kept = []
        with scope_of(self):
            for layer, before, memory in zip(self.layers, past or (None,) * self.num_layers, memories, strict=True):
                x, after = layer.extend(x, before, memory, blocked)
                kept.append(after)
            return x if self.norm is None else self.norm(x), tuple(kept)


class Transformer(nn.Module):
    """Encoder and decoder (Vaswani et al. 2017), as `torch.nn.Transformer`, each with a norm at the end.

    Matrices start evenly by Xavier and Glorot.  custom_encoder, custom_decoder: modules to take in place of those made
    here.  Masks, True is BLOCKED: src_mask, tgt_mask and memory_mask, of the positions, and …_key_padding_mask, (batch,
    positions); …_is_causal=True hides the future.

    >>> import numpy as np
    >>> from tinygrad_seq.models import Transformer
    >>> model = Transformer(8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> model(np.ones((6, 3, 8)), np.ones((4, 3, 8)), tgt_mask=model.generate_square_subsequent_mask(4)).shape
    (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Any], Any] = "relu",
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> nn.LayerNorm:
            return nn.LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder
        if self.encoder is None:
            self.encoder = TransformerEncoder(
                TransformerEncoderLayer(*made, dtype=dtype), num_encoder_layers, norm()
            )
        self.decoder = custom_decoder
        if self.decoder is None:
            self.decoder = TransformerDecoder(
                TransformerDecoderLayer(*made, dtype=dtype), num_decoder_layers, norm()
            )
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        start_as_transformer(self)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """What comes out at every position, of the shape of tgt."""
        batch_axis = 0 if self.batch_first else 1
        if np.ndim(src) != np.ndim(tgt) or (
            np.ndim(src) == 3 and np.shape(src)[batch_axis] != np.shape(tgt)[batch_axis]
        ):
            raise ShapeError(
                f"Transformer cannot take src {np.shape(src)} and tgt {np.shape(tgt)} ({here()}): "
                f"both must have the same batch, along axis {batch_axis}, or none"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> np.ndarray:
        """(sz, sz) booleans that hide the future: True is BLOCKED.

        PyTorch's own gives floats, 0 and -inf, which are added; they are taken here too, and mean the same.
        """
        return causal_mask(sz)


def start_as_transformer(module: nn.Module) -> None:
    """Start all matrices evenly by Xavier and Glorot, as `torch.nn.Transformer` does."""
    for p in module.parameters():
        if p.ndim > 1:
            nn.init.xavier_uniform_(p)
