"""The lecture's last model, a step before the Transformer: self-attention without projections on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Tensor, nn, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

from ..attention.lecture import look, self_attention
from ..attention.positions import positions_of_kind
from ..recurrent.lengths import as_lengths
from ..sequences import as_labels, as_sequence, total
from ..translating import Translating

__all__ = ["LectureSeq2Seq", "LectureState"]


class LectureState(NamedTuple):
    """What the decoder keeps: how many steps it made, its states, the encoder's new states, and their padding."""

    t: int
    S: Tensor | None  # (batch, t, D)
    H: Tensor  # (batch, source, D)
    blocked: np.ndarray | None  # (batch, source)
    recurrent: Any  # the state of the recurrent layer that makes s_t, if there is one


class LectureSeq2Seq(nn.Module, Translating):
    """The lecture's last model: encoder states among themselves, decoder states among themselves masked, then across.

        h_i = embedding of the source's word i         h_i_new = Σ_j <h_i, h_j> h_j
        s_t = embedding of the target's word t - 1     s_t_new = Σ_{j ≤ t} <s_t, s_j> s_j
        C_t_new = Σ_i <s_t_new, h_i_new> h_i_new       ŷ_t = [s_t_new, C_t_new] W_y + b_y

    where <·,·> stands for the softmax of the inner products; normalize=False takes them as they are.  The slides do not
    say what makes h and s once attention has taken the place of recurrence ("the idea of distance is given up"): here
    it is an embedding alone, which does not know the order of the words, as nothing in the equations does.  Order comes
    back by positions="learned", for at most max_length steps, or by recurrent layers `encoder` and `decoder` of one
    direction, from d_model to d_model numbers, whose states are then h and s.  positions="sinusoidal" is there to see
    it fail: without projections nothing turns fixed vectors towards the place to look at.  Beside the Transformer it
    lacks projections to queries, keys and values, scaling, several heads, residuals, layer norm and the network.

    source_tokens, target_tokens: how many there are.  d_model: numbers in a state.  begin: the token that stands before
    each target; end: that ends it; padding: after it.  W_y: (2 d_model, target_tokens), at the start evenly within
    ±1/√(2 d_model), b_y zeros; embeddings normally distributed with deviation 1/√d_model, so that <h, h> is near 1.
    In the record "h", "h_new", "s" ("h" too, where a recurrent layer makes it), "s_new", "C_new", "ŷ" and "L" know
    their t.

    >>> import numpy as np
    >>> from tinygrad_seq.models import LectureSeq2Seq
    >>> model = LectureSeq2Seq(9, 7, d_model=8, begin=0, end=1, padding=2)
    >>> L = model.losses(np.zeros((6, 4), int), [6, 1, 2, 3], np.ones((3, 4), int))
    >>> [(node.name, node.t) for node in L]
    [('L', 1), ('L', 2), ('L', 3)]
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        d_model: int,
        *,
        begin: int,
        end: int,
        padding: int,
        encoder: Any = None,
        decoder: Any = None,
        positions: str | None = None,
        max_length: int | None = None,
        normalize: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes("LectureSeq2Seq", source_tokens=source_tokens, target_tokens=target_tokens, d_model=d_model)
        for name, token in {"begin": begin, "end": end, "padding": padding}.items():
            if not 0 <= token < target_tokens:
                raise DataError(
                    f"LectureSeq2Seq: {name} must be one of the target's tokens, 0 to {target_tokens - 1}, got {token}"
                )
        for name, layer in {"encoder": encoder, "decoder": decoder}.items():
            if layer is not None and (layer.input_size, layer.hidden_size) != (d_model, d_model):
                raise ShapeError(
                    f"LectureSeq2Seq: the {name} must go from {d_model} to {d_model} numbers, as d_model says, got "
                    f"{layer.input_size} and {layer.hidden_size}"
                )
        self.begin, self.end, self.padding = begin, end, padding
        self.d_model, self.max_length, self.normalize = d_model, max_length, normalize
        self.source = nn.Embedding(source_tokens, d_model, dtype=dtype)
        self.target = nn.Embedding(target_tokens, d_model, dtype=dtype)
        for table in (self.source, self.target):
            nn.init.normal_(table.weight, std=1 / sqrt(d_model))
        self.encoder, self.decoder = encoder, decoder
        self.source_positions = self.target_positions = None
        if positions is not None:
            self.source_positions = positions_of_kind(positions, max_length, d_model, dtype=dtype)
            self.target_positions = positions_of_kind(positions, max_length, d_model, dtype=dtype)
        bound = 1 / sqrt(2 * d_model)
        self.W_y = nn.init.uniform_(new_parameter(2 * d_model, target_tokens, dtype=dtype), -bound, bound)
        self.b_y = new_parameter(target_tokens, dtype=dtype)

    # ---- the encoder ----

    def start(self, source: Any, lengths: Any = None) -> LectureState:
        """What the decoder looks at: h_1_new … h_S_new of source (S, batch), lengths (batch) or None."""
        tokens = as_batch(source)
        blocked = None
        if lengths is not None:
            lengths = as_lengths("LectureSeq2Seq", lengths, len(tokens), tokens.shape[1:])
            blocked = np.arange(len(tokens)) >= lengths[:, None]
            tokens = np.where(blocked.T, 0, tokens)
        if self.encoder is None:
            with scope("encoder"):
                hs = [self.word(self.source, self.source_positions, x, t).named("h") for t, x in steps(tokens)]
        else:
            hs = [h for _, h, _ in self.encoder.unroll(tokens, embed=self.source, lengths=lengths)]
        with scope("encoder"):
            H, _ = self_attention(F.stack(hs), blocked, normalize=self.normalize)
        return LectureState(0, None, H.swapaxes(0, 1), blocked, None)

    def word(self, table: nn.Module, positions: nn.Module | None, x: Any, t: int) -> Tensor:
        """The vectors of words x, (batch), at step t."""
        vectors = table(x)
        return vectors if positions is None else positions(vectors[None], t - 1)[0]

    # ---- the decoder ----

    def unroll(self, tokens: Any, state: LectureState) -> Iterator[tuple[int, Tensor, LectureState]]:
        """(t, ŷ_t, the state after it), reading tokens (T, batch) one after the other."""
        tokens = as_batch(tokens)
        _, S, H, blocked, recurrent = state
        if len(H) != tokens.shape[1]:
            raise ShapeError(f"LectureSeq2Seq: the state is of {len(H)} rows, got {tokens.shape[1]} tokens ({here()})")
        for t, s, after in self.states(tokens, state.t + 1, recurrent):
            with scope("decoder"):
                S = s.unsqueeze(1) if S is None else F.concat([S, s.unsqueeze(1)], axis=1)  # (batch, t, D): no future
                s_new = look(s, S, None, self.normalize)[0].named("s_new")
                C_new = look(s_new, H, blocked, self.normalize)[0].named("C_new")
                y = F.affine(F.concat([s_new, C_new], axis=-1), self.W_y, self.b_y).named("ŷ")
            yield t, y, LectureState(t, S, H, blocked, after)

    def states(self, tokens: np.ndarray, start: int, recurrent: Any) -> Iterator[tuple[int, Tensor, Any]]:
        """(t, s_t, the state of the recurrent layer)."""
        if self.decoder is None:
            for t, x in steps(tokens, start=start):
                with scope("decoder"):
                    s = self.word(self.target, self.target_positions, x, t).named("s")
                yield t, s, None
        else:
            for t, s, after in self.decoder.unroll(tokens, recurrent, embed=self.target, start=start):
                yield t, s, after

    def outputs(self, source: Any, lengths: Any, target: np.ndarray) -> Iterator[tuple[int, Tensor, LectureState]]:
        """(t, ŷ_t, the state after it), each step reading the target before it."""
        if target.ndim != 2 or target.shape[1] != np.shape(source)[1]:
            raise ShapeError(
                f"LectureSeq2Seq needs targets (T, batch) for a source of shape {np.shape(source)}, got {target.shape} "
                f"({here()})"
            )
        before = np.concatenate([np.full_like(target[:1], self.begin), target[:-1]])
        return self.unroll(before, self.start(source, lengths))

    def forward(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """The logits of all steps, (T, batch, target tokens), each step reading the targets before it."""
        target = as_labels("LectureSeq2Seq", target)
        return F.stack([y for _, y, _ in self.outputs(as_batch(source), lengths, target)])

    def losses(self, source: Any, lengths: Any, target: Any) -> list[Tensor]:
        """L_1, …, L_T, in nats: what each step adds to the mean over all targets but padding."""
        target = as_labels("LectureSeq2Seq", target)
        count = np.count_nonzero(target != self.padding)
        if not count:
            raise DataError(f"LectureSeq2Seq: there is no mean of no losses: every target is padding ({here()})")
        return [
            (F.cross_entropy(y, target[t - 1], ignore_index=self.padding, reduction="sum") / count).named("L")
            for t, y, _ in self.outputs(as_batch(source), lengths, target)
        ]

    def loss(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """The cross-entropy, in nats, mean over all targets but padding: L_1 + … + L_T.

        source: (S, batch), lengths: (batch) or None, target: (T, batch), each ending in the end token.
        """
        return total(self.losses(source, lengths, target))

    # ---- for search ----

    def step(self, tokens: Any, state: LectureState) -> tuple[np.ndarray, LectureState]:
        """Read a token for each row: the log-probabilities of the next, (batch, target tokens), and the new state."""
        ((_, y, after),) = self.unroll(np.asarray(tokens)[None], state)
        return F.log_softmax(y).data, after

    def select(self, state: LectureState, index: Any) -> LectureState:
        """The state of those rows of the batch."""
        t, S, H, blocked, recurrent = state
        recurrent = self.decoder.select(recurrent, index) if recurrent is not None else None
        blocked = None if blocked is None else blocked[index]
        return LectureState(t, None if S is None else S[index], H[index], blocked, recurrent)


def as_batch(tokens: Any) -> np.ndarray:
    """Tokens as integers of shape (T, batch), checked."""
    array = as_sequence("LectureSeq2Seq", tokens)
    if isinstance(array, Tensor) or array.dtype.kind not in "iu" or array.ndim != 2 or not array.size:
        raise ShapeError(
            f"LectureSeq2Seq reads tokens (T, batch), integers, of at least one sequence, got {array.shape} ({here()})"
        )
    return array
