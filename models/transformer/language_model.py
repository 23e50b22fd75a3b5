"""The decoder alone: a Transformer that predicts the next token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Tensor, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.graph import here

from ..attention import KeysValues
from ..sequences import as_labels, as_sequence
from .readers import TransformerReader

__all__ = ["ReadSoFar", "TransformerLM"]


class ReadSoFar(NamedTuple):
    """What a language model keeps of the tokens that it has read: the keys and values of every layer."""

    length: int
    past: tuple[KeysValues, ...]

    def select(self, index: Any) -> ReadSoFar:
        """Those rows of the batch, one often or not at all."""
        return ReadSoFar(self.length, tuple(kv.select(index) for kv in self.past))


class TransformerLM(TransformerReader):
    """A decoder-only Transformer: from the tokens up to t it predicts the token at t + 1 (Radford et al. 2018).

    d_model, nhead, num_layers, dim_feedforward, norm_first, dropout, activation: of the layers, as in
    `TransformerEncoderLayer`, each with the future hidden.  positions: "learned", for at most max_length tokens, or
    "sinusoidal".  ignore_index: the target that counts as no loss.
    Calling it gives the logits of all steps at once, (T, batch, tokens).  `generate` asks it token by token: what was
    read is kept, as keys and values, so that each new token costs one row.

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerLM, Vocabulary, generate
    >>> letters = Vocabulary.characters("HELLO")
    >>> model = TransformerLM(len(letters), d_model=8, nhead=2, num_layers=1, max_length=16)
    >>> model(letters.encode("HELL")[:, None]).shape
    (4, 1, 4)
    >>> len(letters.decode(generate(model, letters.encode("HE"), 10)))
    10
    """

    def __init__(
        self,
        num_tokens: int,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int | None = None,
        max_length: int | None = None,
        *,
        positions: str = "learned",
        norm_first: bool = True,
        dropout: float = 0.0,
        activation: str | Callable[[Any], Any] = "relu",
        ignore_index: int = -100,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_tokens, d_model, nhead, num_layers, dim_feedforward, max_length, num_tokens=num_tokens, causal=True,
            positions=positions, norm_first=norm_first, dropout=dropout, activation=activation, dtype=dtype,
        )  # fmt: skip
        self.ignore_index = ignore_index

    def forward(self, tokens: Any) -> Tensor:
        """The logits of all steps, (T, batch, tokens), or (T, tokens) of one sequence (T)."""
        tokens = as_sequence("TransformerLM", tokens)
        h, _ = self.states(tokens[:, None] if tokens.ndim == 1 else tokens)
        y = self.output(h[:, 0] if tokens.ndim == 1 else h)
        return y.named("ŷ")

    def loss(self, tokens: Any, targets: Any) -> Tensor:
        """The cross-entropy, in nats, mean over all targets that count.  tokens, targets: (T, batch), or (T)."""
        targets, y = as_labels("TransformerLM", targets), self(tokens)
        if targets.shape != y.shape[:-1]:
            raise ShapeError(
                f"TransformerLM needs a target for each token, shape {y.shape[:-1]}, got {targets.shape} ({here()})"
            )
        return F.cross_entropy(y, targets, ignore_index=self.ignore_index, axis=-1).named("loss")

    def begin(self, prompt: Any) -> tuple[np.ndarray, None]:
        """How to generate after a prompt, (T) tokens: what to read first, and from which state on."""
        tokens = as_sequence("generating", prompt)
        if tokens.ndim != 1:
            raise ShapeError(f"generating needs one prompt of shape (T), got {tokens.shape} ({here()})")
        return tokens, None

    def unroll(self, tokens: Any, state: ReadSoFar | None = None) -> Iterator[tuple[int, Tensor, ReadSoFar]]:
        """(t, ŷ_t, the state after it), token by token: the same numbers as calling it, computed one row at a time.

        tokens: (T, batch), or (T).  state: of an earlier unroll, to go on from there.
        """
        tokens = as_sequence("TransformerLM", tokens)
        alone = tokens.ndim == 1
        tokens, _ = self.input.check(tokens[:, None] if alone else tokens)
        length, past = state if state is not None else (0, None)
        if past is not None and past[0].k.shape[0] != tokens.shape[1]:
            raise ShapeError(
                f"TransformerLM: the state is of {past[0].k.shape[0]} rows, got tokens for {tokens.shape[1]} ({here()})"
            )
        for t, token in steps(tokens, start=length + 1):
            h, past = self.encoder.extend(self.input(token[None], t - 1), past)
            y = self.output(h[0, 0] if alone else h[0])
            yield t, y.named("ŷ"), ReadSoFar(t, past)

    # ---- for search, with the prompt as the source ----

    def start(self, source: Any, lengths: Any = None) -> ReadSoFar | None:
        """The state after all of the prompts (T, batch) but their last tokens, with which the search is to begin."""
        tokens = as_sequence("TransformerLM", source)
        if lengths is not None and np.any(np.asarray(lengths) != len(tokens)):
            raise DataError(f"TransformerLM goes on from prompts of one length, got lengths {lengths} ({here()})")
        if len(tokens) == 1:
            return None
        *_, (_, _, state) = self.unroll(tokens[:-1])
        return state

    def step(self, tokens: Any, state: ReadSoFar | None) -> tuple[np.ndarray, ReadSoFar]:
        """Read a token for each row: the log-probabilities of the next, (batch, tokens), and the new state."""
        ((_, y, after),) = self.unroll(np.asarray(tokens)[None], state)
        return F.log_softmax(y).data, after

    def select(self, state: ReadSoFar | None, index: Any) -> ReadSoFar | None:
        """The state of those rows of the batch."""
        return None if state is None else state.select(index)
