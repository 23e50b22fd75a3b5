"""Seq2seq: one recurrent network reads a sequence, another writes a sequence (Sutskever, Vinyals and Le 2014).

    encoder     h_i = f(x_i, h_{i-1})                    over the source; its last state is the context vector,
    decoder     s_t = g(y_{t-1}, s_{t-1})                from which the decoder starts: s_0 = h_S
    output      ŷ_t = s_t W_y + b_y

With attention the decoder looks at all h_i again at each step, in the lecture's way, which is the global attention of
Luong, Pham and Manning (2015): scores between s_t and every h_i, a softmax, and the context C_t = Σ_i w_i h_i.

    output      ŷ_t = [s_t, C_t] W_y + b_y
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq import functional as F
from tinygrad_seq.data import plain
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes
from tinygrad_seq.rng import generator

from .attention import Attention, Memory, attention_of_kind, padding_mask_of
from .recurrent import Recurrent
from .recurrent.lengths import as_lengths
from .sequences import as_array, total
from .translating import Translating

__all__ = ["Bridge", "Seq2Seq"]


class Decoded(NamedTuple):
    """One step of the decoder."""

    t: int
    y: Tensor  # ŷ_t (batch, classes)
    w: Tensor | None  # the weights of attention (batch, source)


class SearchState(NamedTuple):
    """Where search stands: a row for each beginning of a target."""

    decoder: Any  # the state of the decoder
    memory: Memory | None  # what attention looks at
    source: np.ndarray  # (rows) which source each row belongs to


class Bridge(nn.Module):
    """The decoder's first state from the encoder's last, where one cannot be the other.

        s_0 = tanh([h→_S, h←_1] W + b)

    As in Bahdanau, Cho and Bengio (2015), but of both directions.  An LSTM's C has a bridge of its own without the
    tanh, since C is a sum and not bounded.  Each layer has its own W and b.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        self.directions, self.num_layers = 2 if encoder.bidirectional else 1, decoder.num_layers
        sizes_, dtype = (encoder.output_size, decoder.hidden_size), decoder.dtype
        self.h = nn.ModuleList([nn.Linear(*sizes_, dtype=dtype) for _ in range(self.num_layers)])
        with_C = decoder.parts > 1
        self.C = nn.ModuleList([nn.Linear(*sizes_, dtype=dtype) for _ in range(self.num_layers)]) if with_C else None

    def forward(self, state: Any) -> Any:
        """The first state of the decoder from the last of the encoder."""
        states = [state] if self.num_layers * self.directions == 1 else list(state)
        made: list[Any] = []
        for k in range(self.num_layers):
            directions = states[k * self.directions : (k + 1) * self.directions]
            if self.C is None:
                made.append(self.first_h(k, directions))
            else:
                C = self.C[k](F.concat([C for _, C in directions], -1)).named("C")
                made.append((self.first_h(k, [h for h, _ in directions]), C))
        return made[0] if len(made) == 1 else tuple(made)

    def first_h(self, k: int, directions: list[Any]) -> Tensor:
        """tanh([h→_S, h←_1] W + b) of layer k."""
        return F.tanh(self.h[k](F.concat(directions, -1))).named("h")


class Seq2Seq(nn.Module, Translating):
    """An encoder and a decoder, any recurrent layers: a sequence of tokens becomes another, of another length.

    encoder: may read in both directions; the decoder in one.  They have as many layers and the same kind of state.
    The last state of the encoder starts the decoder as it is, or where it has another size, as it has with both
    directions, through a `Bridge`.  The numbers that the layers take are those of embeddings, which are made.
    source_tokens, target_tokens: how many tokens there are on either side.
    attention: None, or "dot", "scaled_dot", "general" or "additive", or an attention of your own.
    padding, begin, end: the tokens that fill up the shorter sequences (source and target alike), that stands before a
    target, and that ends it.
    teacher_forcing: what share of the decoder's inputs is the token that should have come before; for the others it is
    what the model itself finds most likely, which passes no gradient (scheduled sampling, Bengio et al. 2015).  Each
    token of each target is drawn for, with the library's generator, and in training only: with eval() it is always 1.

    Time is the first axis: source (S, batch), target (T, batch), which ends with `end` and does not begin with
    `begin`.  lengths: (batch), how long each source is; what comes after changes nothing.  None: they end before the
    padding.  In the record the parts are the scopes "encoder", "decoder" and "attention"; what belongs to a step of the
    decoder is marked with its t, from 1 to T.

    >>> from tinygrad_seq.models import GRU, Seq2Seq
    >>> model = Seq2Seq(GRU(8, 16), GRU(8, 16), source_tokens=20, target_tokens=10, attention="dot")
    >>> source, target = [[5, 3], [7, 4], [6, 0]], [[4, 5], [6, 2], [2, 0]]       # two of each, padded with 0
    >>> logits, w = model(source, [3, 2], target, return_weights=True)
    >>> logits.shape, w.shape                                        # (T, batch, classes), (batch, target, source)
    ((3, 2, 10), (2, 3, 3))
    >>> best, other = model.translate(source, [3, 2], beam=4, max_length=5)
    """

    def __init__(
        self,
        encoder: Recurrent,
        decoder: Recurrent,
        *,
        source_tokens: int,
        target_tokens: int,
        attention: str | Attention | None = None,
        padding: int = 0,
        begin: int = 1,
        end: int = 2,
        teacher_forcing: float = 1.0,
    ) -> None:
        super().__init__()
        check_pair(encoder, decoder)
        sizes("Seq2Seq", source_tokens=source_tokens, target_tokens=target_tokens)
        for name, token in (("begin", begin), ("end", end)):
            if not 0 <= token < target_tokens:
                raise DataError(f"Seq2Seq: {name} must be one of {target_tokens} target tokens, got {token}")
        if len({padding, begin, end}) < 3:
            raise DataError(f"Seq2Seq: padding, begin and end must be three tokens, got {padding}, {begin} and {end}")
        self.padding, self.begin, self.end = padding, begin, end
        self.teacher_forcing = checked_share(teacher_forcing)
        self.source_embedding = nn.Embedding(source_tokens, encoder.input_size, dtype=encoder.dtype)
        self.encoder = encoder
        as_it_is = not encoder.bidirectional and encoder.hidden_size == decoder.hidden_size
        self.bridge = None if as_it_is else Bridge(encoder, decoder)
        self.target_embedding = nn.Embedding(target_tokens, decoder.input_size, dtype=decoder.dtype)
        self.decoder = decoder
        if isinstance(attention, str):
            attention = attention_of_kind(attention, decoder.hidden_size, encoder.output_size, dtype=decoder.dtype)
        self.attention = attention
        features = decoder.hidden_size + (0 if attention is None else encoder.output_size)
        bound = 1 / sqrt(features)
        self.W_y = nn.init.uniform_(new_parameter(features, target_tokens, dtype=decoder.dtype), -bound, bound)
        self.b_y = nn.init.uniform_(new_parameter(target_tokens, dtype=decoder.dtype), -bound, bound)

    # ---- the equations ----

    def encode(self, source: Any, lengths: Any = None) -> tuple[Any, Memory | None]:
        """The state that the decoder starts from, and what attention looks at."""
        source, lengths = self.as_source(source, lengths)
        unrolled = list(self.encoder.unroll(source, embed=self.source_embedding, lengths=lengths))
        *_, (_, _, state) = unrolled
        if self.bridge is not None:
            state = self.bridge(state)
        if self.attention is None:
            return state, None
        padding_mask = padding_mask_of(lengths, len(source)) if lengths.min() < len(source) else None
        return state, self.attention.memory(F.stack([h for _, h, _ in unrolled], axis=1), padding_mask)

    def output(self, s: Any, memory: Memory | None) -> tuple[Tensor, Tensor | None]:
        """ŷ_t of s_t, (batch, hidden) → (batch, classes), and the weights of attention."""
        w = None
        if self.attention is not None:
            C, w = self.attention(s, memory)
            s = F.concat([s, C], -1)
        return F.affine(s, self.W_y, self.b_y).named("ŷ"), w

    def decode(self, source: Any, lengths: Any, target: np.ndarray, teacher_forcing: float) -> Iterator[Decoded]:
        """Step by step, each reading the token before, of the target or of its own."""
        state, memory = self.encode(source, lengths)
        T, batch = target.shape
        read = np.concatenate([np.full((1, batch), self.begin), target[:-1]])
        read[read == self.padding] = self.begin  # what comes after the end is read too, and never counts
        told = np.ones((T, batch), bool) if teacher_forcing == 1 else generator().random((T, batch)) < teacher_forcing
        for t, s, _ in self.decoder.unroll(read, state, embed=self.target_embedding):
            y, w = self.output(s, memory)
            yield Decoded(t, y, w)
            if t < T:  # the next step reads what stands in the next row then
                read[t] = np.where(told[t], read[t], y.data.argmax(axis=-1))

    # ---- training ----

    def forward(self, source: Any, lengths: Any, target: Any, return_weights: bool = False) -> Any:
        """The logits of all steps, (T, batch, classes); with return_weights also the weights of attention.

        The weights are (batch, target, source).
        """
        if return_weights:
            self.check_attention()
        decoded = list(self.decode(source, lengths, *self.as_taught(source, target)))
        logits = F.stack([step.y for step in decoded])
        return (logits, F.stack([step.w for step in decoded], axis=1)) if return_weights else logits

    def losses(self, source: Any, lengths: Any, target: Any) -> list[Tensor]:
        """[L_1, …, L_T]: what each step adds to the loss, in nats."""
        target, teacher_forcing = self.as_taught(source, target)
        n = int((target != self.padding).sum())
        found = []
        for t, y, _ in self.decode(source, lengths, target, teacher_forcing):
            summed = F.cross_entropy(y, target[t - 1], ignore_index=self.padding, reduction="sum")
            found.append((summed / n).named("L"))
        return found

    def loss(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """The cross-entropy in nats, the mean over all tokens of the targets that are no padding: L_1 + … + L_T."""
        return total(self.losses(source, lengths, target))

    def align(self, source: Any, lengths: Any, target: Any) -> Tensor:
        """Where each step of a known target looks: the weights of attention, (batch, target, source)."""
        self.check_attention()
        target = self.as_target(source, target)
        return F.stack([step.w for step in self.decode(source, lengths, target, 1.0)], axis=1)

    # ---- search: what `SequenceModel` asks for ----

    def start(self, source: Any, lengths: Any = None) -> SearchState:
        """The state before the first token."""
        state, memory = self.encode(source, lengths)
        return SearchState(state, memory, np.arange(np.shape(source)[1]))

    def step(self, tokens: np.ndarray, state: SearchState) -> tuple[Tensor, SearchState]:
        """Read a token for each row: the log-probabilities of the next, (rows, classes), and the new state."""
        ((_, s, after),) = self.decoder.unroll(tokens[None], state.decoder, embed=self.target_embedding)
        y, _ = self.output(s, state.memory)
        return F.log_softmax(y), state._replace(decoder=after)

    def select(self, state: SearchState, index: np.ndarray) -> SearchState:
        """The state of those rows."""
        source, memory = state.source[index], state.memory
        if memory is not None and not np.array_equal(source, state.source):
            memory = memory.select(index)
        return SearchState(self.decoder.select(state.decoder, index), memory, source)

    # ---- what it is given, checked ----

    def as_source(self, source: Any, lengths: Any) -> tuple[np.ndarray, np.ndarray]:
        """The tokens of the source (S, batch), all alike after their ends, and the lengths (batch)."""
        source = as_tokens("source", source)
        if lengths is None:
            lengths = ends(source != self.padding)
        lengths = as_lengths("Seq2Seq", lengths, len(source), source.shape[1:])
        real = np.arange(len(source))[:, None] < lengths
        check_tokens("source", source, real, self.source_embedding.num_embeddings, self.padding)
        return np.where(real, source, 0), lengths

    def as_target(self, source: Any, target: Any) -> np.ndarray:
        """The tokens of the target (T, batch)."""
        source, target = as_tokens("source", source), as_tokens("target", target)
        if target.shape[1:] != source.shape[1:]:
            raise ShapeError(
                f"Seq2Seq needs a target for each source, got a source of shape {source.shape} and a target of "
                f"{target.shape} ({here()}): (S, batch) and (T, batch)"
            )
        length = as_lengths("Seq2Seq, target", ends(target != self.padding), len(target), target.shape[1:])
        real = np.arange(len(target))[:, None] < length
        check_tokens("target", target, real, self.target_embedding.num_embeddings, self.padding)
        return target

    def as_taught(self, source: Any, target: Any) -> tuple[np.ndarray, float]:
        """The target, and how much of it is told to the decoder: all of it where the model does not train."""
        return self.as_target(source, target), checked_share(self.teacher_forcing) if self.training else 1.0

    def check_attention(self) -> None:
        """Raise DataError for a model that has no weights of attention to show."""
        if self.attention is None:
            raise DataError("this Seq2Seq was made without attention, so it has no weights: give it attention='dot'")


# ---- what the model is made of and fed with --------------------------------------------


def check_pair(encoder: Any, decoder: Any) -> None:
    """Raise DataError unless the state of one can start the other."""
    for name, layer in (("encoder", encoder), ("decoder", decoder)):
        if not isinstance(layer, Recurrent):
            raise DataError(f"Seq2Seq: {name} must be an RNN, an LSTM or a GRU, got {type(layer).__name__}")
    if encoder is decoder:
        raise DataError("Seq2Seq: encoder and decoder are one layer: make two, each with weights of its own")
    if decoder.bidirectional:
        raise DataError("Seq2Seq: the decoder writes from the first token to the last: it cannot be bidirectional")
    if encoder.num_layers != decoder.num_layers:
        raise DataError(
            f"Seq2Seq: each layer of the encoder starts one of the decoder, got num_layers={encoder.num_layers} and "
            f"{decoder.num_layers}: they must be equal"
        )
    if encoder.parts != decoder.parts:
        raise DataError(
            f"Seq2Seq: the state of {type(encoder).__name__} cannot start {type(decoder).__name__}: an LSTM has h and "
            "C, the others only h; take both of a kind"
        )
    if encoder.dtype != decoder.dtype:
        raise DataError(f"Seq2Seq: encoder and decoder need one dtype, got {encoder.dtype} and {decoder.dtype}")


def checked_share(teacher_forcing: Any) -> float:
    """Raise DataError for what is no share from 0 to 1."""
    if not isinstance(teacher_forcing, int | float | np.number) or not 0 <= teacher_forcing <= 1:
        raise DataError(f"Seq2Seq: teacher_forcing must be a share from 0 to 1, got {teacher_forcing!r}")
    return float(teacher_forcing)


def as_tokens(role: str, tokens: Any) -> np.ndarray:
    """Tokens as integers (steps, batch), of at least one step and one sequence."""
    array = as_array("Seq2Seq", plain(tokens))
    if array.ndim != 2:
        raise ShapeError(
            f"Seq2Seq: the {role} must have the shape (steps, batch), got {array.shape} ({here()}): "
            f"{role}[:, None] is a batch of one"
        )
    if not array.size:
        raise SequenceError(f"Seq2Seq: the {role} is empty, of shape {array.shape} ({here()})")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"Seq2Seq: the {role} must be tokens, which are integers, got {array.dtype} ({here()})")
    return array


def ends(real: np.ndarray) -> np.ndarray:
    """How long each sequence is without the padding at its end.  real: (steps, batch) booleans."""
    return np.where(real.any(axis=0), len(real) - real[::-1].argmax(axis=0), 0)


def check_tokens(role: str, tokens: np.ndarray, real: np.ndarray, count: int, padding: int) -> None:
    """Raise DataError for padding before the end of a sequence, IndexError for what is none of so many tokens."""
    filled = np.argwhere(real & (tokens == padding))
    if len(filled):
        t, row = filled[0]
        raise DataError(
            f"Seq2Seq: {role} number {row} has length {real[:, row].sum()}, but padding ({padding}) at t={t + 1} "
            f"({here()}): lengths that count the padding, or padding that does not stand at the end"
        )
    wrong = np.argwhere(real & ((tokens < 0) | (tokens >= count)))
    if len(wrong):
        t, row = wrong[0]
        raise IndexError(
            f"Seq2Seq: {role} token {tokens[t, row]} (at t={t + 1}, in number {row}) is not one of {count}, 0 to "
            f"{count - 1} ({here()})"
        )
