"""From a sequence to another by attention alone: encoder, decoder, and what search needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Graph, Tensor, enable_grad, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from ..attention import KeysValues
from ..sequences import as_labels
from ..translating import Translating
from .inputs import SequenceInput
from .layers import TransformerDecoderLayer, TransformerEncoderLayer
from .stacks import TransformerDecoder, TransformerEncoder, start_as_transformer

__all__ = ["TransformerSeq2Seq", "WrittenSoFar"]


class WrittenSoFar(NamedTuple):
    """What the decoder keeps: keys and values of what it wrote, those of the source, and what is padding there."""

    length: int
    past: tuple[KeysValues, ...] | None
    memories: tuple[KeysValues, ...]
    blocked: np.ndarray | None  # (batch, 1, 1, source)

    def select(self, index: Any) -> WrittenSoFar:
        """Those rows of the batch, one often or not at all."""
        return WrittenSoFar(
            self.length,
            None if self.past is None else tuple(kv.select(index) for kv in self.past),
            tuple(kv.select(index) for kv in self.memories),
            None if self.blocked is None else self.blocked[index],
        )


class TransformerSeq2Seq(nn.Module, Translating):
    """An encoder–decoder Transformer over tokens, trained with teacher forcing.

    source_tokens, target_tokens: how many there are.  d_model, nhead, num_layers (of the encoder, and of the decoder
    unless num_decoder_layers says otherwise), dim_feedforward (4 d_model by default), activation, norm_first, dropout:
    of the layers; with norm_first there is a norm at the end of both.  positions: "learned", for at most max_length
    steps, or "sinusoidal".  begin: the token that stands before each target; end: that ends it; padding: after it.
    Calling it gives the logits of all steps, (T, batch, target tokens).

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerSeq2Seq
    >>> model = TransformerSeq2Seq(9, 7, d_model=8, nhead=2, num_layers=1, max_length=6, begin=0, end=1, padding=2)
    >>> model(np.zeros((6, 4), int), [6, 1, 2, 3], np.zeros((5, 4), int)).shape
    (5, 4, 7)
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int | None = None,
        max_length: int | None = None,
        *,
        begin: int,
        end: int,
        padding: int,
        num_decoder_layers: int | None = None,
        positions: str = "learned",
        norm_first: bool = True,
        dropout: float = 0.0,
        activation: str | Callable[[Any], Any] = "relu",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes("TransformerSeq2Seq", source_tokens=source_tokens, target_tokens=target_tokens)
        for name, token in {"begin": begin, "end": end, "padding": padding}.items():
            if not 0 <= token < target_tokens:
                raise DataError(
                    f"TransformerSeq2Seq: {name} must be one of the target's tokens, 0 to {target_tokens - 1}, "
                    f"got {token}"
                )
        self.target_tokens, self.max_length = target_tokens, max_length
        self.begin, self.end, self.padding = begin, end, padding
        made = (d_model, nhead, dim_feedforward or 4 * d_model, dropout, activation, 1e-5, False, norm_first)

        def entry(num_tokens: int) -> SequenceInput:
            return SequenceInput(
                d_model, num_tokens=num_tokens, positions=positions, max_length=max_length, dropout=dropout, dtype=dtype
            )

        def norm() -> nn.LayerNorm | None:
            return nn.LayerNorm(d_model, dtype=dtype) if norm_first else None

        self.source, self.target = entry(source_tokens), entry(target_tokens)
        self.encoder = TransformerEncoder(TransformerEncoderLayer(*made, dtype=dtype), num_layers, norm())
        self.decoder = TransformerDecoder(
            TransformerDecoderLayer(*made, dtype=dtype), num_decoder_layers or num_layers, norm()
        )
        start_as_transformer(self.encoder)
        start_as_transformer(self.decoder)
        self.output = nn.Linear(d_model, target_tokens, dtype=dtype)

    def encode(self, source: Any, lengths: Any = None) -> tuple[Tensor, np.ndarray | None]:
        """What the encoder makes of source (S, batch), (S, batch, d_model), and what is padding, (batch, S)."""
        source, blocked = self.source.check(source, lengths)
        return self.encoder(self.source(source), src_key_padding_mask=blocked), blocked

    def forward(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """The logits of all steps, (T, batch, target tokens), each step reading the targets before it."""
        target = as_labels("TransformerSeq2Seq", target)
        memory, blocked = self.encode(source, lengths)
        if target.ndim != 2 or target.shape[1] != memory.shape[1]:
            raise ShapeError(
                f"TransformerSeq2Seq needs targets (T, batch) for a source of batch {memory.shape[1]}, got "
                f"{target.shape} ({here()})"
            )
        before = np.concatenate([np.full_like(target[:1], self.begin), target[:-1]])
        before, _ = self.target.check(before)
        h = self.decoder(self.target(before), memory, memory_key_padding_mask=blocked, tgt_is_causal=True)
        return self.output(h).named("ŷ")

    def loss(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """The cross-entropy, in nats, mean over all targets but padding.

        source: (S, batch), lengths: (batch) or None, target: (T, batch), each ending in the end token.
        """
        target = as_labels("TransformerSeq2Seq", target)
        y = self(source, lengths, target)
        return F.cross_entropy(y, target, ignore_index=self.padding, axis=-1).named("loss")

    def align(self, source: Any, lengths: Any, target: Any) -> np.ndarray:
        """Where each step of the target looks, (batch, T, S): weights of the last layer, mean over its heads."""
        with enable_grad():
            record = Graph(self(source, lengths, target))
        return [w for w in record.named("w") if w.scope.endswith("multihead_attn")][-1].data.mean(axis=1)

    # ---- for search ----

    def start(self, source: Any, lengths: Any = None) -> WrittenSoFar:
        """The state before the first token is written."""
        memory, blocked = self.encode(source, lengths)
        return WrittenSoFar(
            0, None, self.decoder.memories(memory), None if blocked is None else blocked[:, None, None]
        )

    def step(self, tokens: Any, state: WrittenSoFar) -> tuple[np.ndarray, WrittenSoFar]:
        """Read a token for each row: the log-probabilities of the next, (batch, target tokens), and the new state."""
        rows = state.memories[0].k.shape[0]
        tokens, _ = self.target.check(np.asarray(tokens)[None])
        if tokens.shape[1] != rows:
            raise ShapeError(
                f"TransformerSeq2Seq: the state is of {rows} rows, got tokens for {tokens.shape[1]} ({here()})"
            )
        h, past = self.decoder.extend(self.target(tokens, state.length), state.past, state.memories, state.blocked)
        log_p = F.log_softmax(self.output(h[0])).data
        return log_p, WrittenSoFar(state.length + 1, past, state.memories, state.blocked)

    def select(self, state: WrittenSoFar, index: Any) -> WrittenSoFar:
        """The state of those rows of the batch."""
        return state.select(index)
