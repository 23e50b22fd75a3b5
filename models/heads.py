"""What an RNN is used for: its three shapes, over any recurrent layer.

    one-to-many    a vector → a sequence             OneToMany    captions, spelling
    many-to-one    a sequence → a class              ManyToOne    sentiment, spam
    many-to-many   a sequence → a class at each step ManyToMany   tagging, the next token

The output is ŷ = h W_y + b_y everywhere, W_y (hidden, classes) and b_y (classes).  Inputs are tokens, integers that
become one-hot vectors, or rows of an `embedding`; or vectors of your own.  Time is the first axis, the batch (which may
be left out) the second.  lengths: (batch), where the sequences of a ragged batch end; what comes after changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn, no_grad
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

from .attention import Attention, attention_of_kind
from .recurrent import Recurrent
from .recurrent.lengths import as_lengths
from .sequences import as_labels, as_sequence, is_vectors, total

__all__ = ["ManyToMany", "ManyToOne", "OneToMany"]


class Head(nn.Module):
    """What the three shapes have in common: how inputs are read, and the output ŷ = h W_y + b_y.

    reduction: of the losses of the steps; "sum", the lecture's L = L_1 + … + L_T, or "mean", over all targets of all
    steps that count, which makes long and short sequences weigh alike.  num_features: how many numbers ŷ is made of,
    by default what the layer puts out.
    """

    def __init__(
        self,
        rnn: Recurrent,
        num_classes: int,
        embedding: nn.Embedding | None = None,
        *,
        ignore_index: int | None = None,
        reduction: str = "sum",
        num_features: int | None = None,
    ) -> None:
        super().__init__()
        sizes(type(self).__name__, num_classes=num_classes)
        if embedding is not None and embedding.embedding_dim != rnn.input_size:
            raise ShapeError(
                f"{type(self).__name__}: the embedding gives vectors of {embedding.embedding_dim} numbers, the "
                f"recurrent layer takes {rnn.input_size}: the two must be equal"
            )
        if reduction not in ("sum", "mean"):
            raise DataError(f'{type(self).__name__}: reduction must be "sum" or "mean", got {reduction!r}')
        self.num_classes, self.ignore_index, self.reduction = num_classes, ignore_index, reduction
        self.embedding = embedding
        self.rnn = rnn
        features = rnn.output_size if num_features is None else num_features
        bound = 1 / sqrt(features)
        self.W_y = nn.init.uniform_(new_parameter(features, num_classes, dtype=rnn.dtype), -bound, bound)
        self.b_y = nn.init.uniform_(new_parameter(num_classes, dtype=rnn.dtype), -bound, bound)

    def output(self, h: Any) -> Tensor:
        """ŷ, a number for each class: (batch, hidden) → (batch, classes)."""
        return F.affine(h, self.W_y, self.b_y).named("ŷ")

    def step_losses(self, outputs: Iterator[tuple[int, Tensor, Any]], targets: np.ndarray) -> list[Tensor]:
        """[L_1, …, L_T]: the cross-entropy of each step, in nats.

        With reduction="sum" each is a mean over the batch, where what is ignored counts as 0; with "mean" each is
        its part of the mean over all targets.
        """
        ignored = -100 if self.ignore_index is None else self.ignore_index
        counted = targets.size if self.ignore_index is None else int((targets != ignored).sum())
        if not counted:
            raise DataError(f"{type(self).__name__}: there is nothing to learn, every target is ignored ({here()})")
        share = counted if self.reduction == "mean" else targets[0].size
        losses = []
        for target, (_, y, _) in zip(targets, outputs, strict=True):
            L = F.cross_entropy(y, target, ignore_index=ignored, reduction="sum")
            losses.append((L / share if share > 1 else L).named("L"))
        return losses

    @property
    def num_tokens(self) -> int:
        """How many tokens it can read."""
        return self.rnn.input_size if self.embedding is None else self.embedding.num_embeddings

    def states(
        self, xs: Any, state: Any = None, *, lengths: Any = None, start: int = 1
    ) -> Iterator[tuple[int, Any, Any]]:
        """(t, h_t, the state after it) for each step of tokens (T, …) or vectors (T, …, input)."""
        name = type(self).__name__
        xs = as_sequence(name, xs)
        if is_vectors(xs):
            return self.rnn.unroll(xs, state, lengths=lengths, start=start)
        if lengths is not None:
            lengths = as_lengths(name, lengths, len(xs), xs.shape[1:])
            xs = np.where(np.arange(len(xs))[:, None] < lengths, xs, 0)  # what stands in the padding is never read
        wrong = (xs < 0) | (xs >= self.num_tokens)
        if wrong.any():
            t = int(np.argwhere(wrong)[0][0]) + start
            raise IndexError(
                f"{name}: token {xs[wrong].flat[0]} (at t={t}) is not one of the {self.num_tokens} that it reads, "
                f"0 to {self.num_tokens - 1}"
            )
        if self.embedding is not None:
            return self.rnn.unroll(xs, state, embed=self.embedding, lengths=lengths, start=start)
        one_hot = Tensor(F.one_hot(xs, self.num_tokens, self.W_y.dtype))
        return self.rnn.unroll(one_hot, state, lengths=lengths, start=start)

    def unroll(
        self, xs: Any, state: Any = None, *, lengths: Any = None, start: int = 1
    ) -> Iterator[tuple[int, Tensor, Any]]:
        """(t, ŷ_t, the state after it), step by step.  state: of an earlier unroll, to go on from there."""
        for t, h, after in self.states(xs, state, lengths=lengths, start=start):
            yield t, self.output(h), after


class ManyToMany(Head):
    """A prediction at each step: ŷ_t = h_t W_y + b_y, for tagging, or for the token that comes next.

    rnn: the recurrent layer.  num_classes: how many tags, or tokens, there are.  embedding: for tokens; without one
    they become one-hot vectors of the layer's input size.  ignore_index: the target that counts as no loss, such as
    padding.  reduction: see `Head`.  Calling it gives the logits of all steps, (T, batch, classes).

    >>> from tinygrad_seq.models import RNN, ManyToMany, Vocabulary
    >>> letters = Vocabulary.characters("HELLO")
    >>> model = ManyToMany(RNN(len(letters), 16), len(letters))
    >>> L = model.losses(letters.encode("HELL"), letters.encode("ELLO"))     # L_1, L_2, L_3, L_4
    >>> [(node.name, node.t) for node in L]
    [('L', 1), ('L', 2), ('L', 3), ('L', 4)]
    """

    def begin(self, prompt: Any) -> tuple[np.ndarray, Any]:
        """How to generate after a prompt, (T) tokens: what to read first, and from which state on."""
        tokens = np.asarray(prompt)
        if tokens.size == 0:
            raise SequenceError("generating needs a prompt of at least one token to start from, got an empty one")
        if tokens.ndim != 1:
            raise ShapeError(f"generating needs one prompt of shape (T), got {tokens.shape}")
        return tokens, None

    def forward(self, xs: Any, lengths: Any = None, state: Any = None) -> Tensor:
        """The logits of all steps, (T, batch, classes)."""
        return F.stack([y for _, y, _ in self.unroll(xs, state, lengths=lengths)])

    def losses(self, xs: Any, targets: Any, lengths: Any = None, state: Any = None) -> list[Tensor]:
        """The cross-entropy of every step, in nats: [L_1, …, L_T].  targets: classes, (T) or (T, batch)."""
        xs = as_sequence(type(self).__name__, xs)
        targets = as_labels(type(self).__name__, targets)
        if len(targets) != len(xs):
            raise ShapeError(f"ManyToMany needs a target for each step, got {len(xs)} steps and {len(targets)} targets")
        return self.step_losses(self.unroll(xs, state, lengths=lengths), targets)

    def loss(self, xs: Any, targets: Any, lengths: Any = None, state: Any = None) -> Tensor:
        """L = L_1 + … + L_T."""
        return total(self.losses(xs, targets, lengths, state))

    def predict(self, xs: Any, lengths: Any = None) -> np.ndarray:
        """The most likely class of each step, (T, batch)."""
        with no_grad():
            return self(xs, lengths).data.argmax(axis=-1)


class ManyToOne(Head):
    """One prediction for a whole sequence: ŷ = h_T W_y + b_y, or with attention ŷ = [h_T, C] W_y + b_y.

    rnn, num_classes, embedding: as in `ManyToMany`; with both directions h_T is joined by h_1 of the way back.
    attention: None, "dot", "scaled_dot", "general" or "additive", or one of your own.  In the end the last state looks
    back at all of them, C = Σ_t w_t h_t, so that no step is farther away than another.
    regression: the label is a number, not a class, and the loss the squared error.
    Calling it gives the logits, (batch, classes), or numbers, (batch, 1).

    >>> from tinygrad_seq.models import RNN, ManyToOne, Vocabulary
    >>> letters = Vocabulary.characters("spam")
    >>> ManyToOne(RNN(4, 8), 2)(letters.encode("spam")).shape
    (2,)
    """

    def __init__(
        self,
        rnn: Recurrent,
        num_classes: int,
        embedding: nn.Embedding | None = None,
        *,
        attention: str | Attention | None = None,
        regression: bool = False,
    ) -> None:
        size = rnn.output_size
        super().__init__(rnn, num_classes, embedding, num_features=size if attention is None else 2 * size)
        if regression and num_classes != 1:
            raise DataError(f"ManyToOne: a regression has one output, got num_classes={num_classes}")
        self.regression = regression
        if isinstance(attention, str):
            attention = attention_of_kind(attention, size, size, dtype=rnn.dtype)
        self.attention = attention

    def forward(self, xs: Any, lengths: Any = None) -> Tensor:
        """The logits, (batch, classes)."""
        return self.output(self.read(xs, lengths)[0])

    def weights(self, xs: Any, lengths: Any = None) -> Tensor:
        """How much attention gives to each step, (batch, T).  Raises DataError where there is none."""
        if self.attention is None:
            raise DataError('ManyToOne has no attention, so no weights: make it with attention="additive"')
        return self.read(xs, lengths)[1]

    def read(self, xs: Any, lengths: Any = None) -> tuple[Tensor, Any]:
        """What ŷ is made of, (batch, features), and the weights of attention, or None."""
        read = list(self.states(xs, lengths=lengths))
        h = self.rnn.last(read[-1][2])
        if self.attention is None:
            return h, None
        hs = F.stack([h for _, h, _ in read], axis=-2)  # (batch, T, hidden)
        mask = None if lengths is None else np.arange(len(read)) >= np.asarray(lengths)[:, None]
        C, w = self.attention(h, hs, mask)
        return F.concat([h, C], -1), w

    def loss(self, xs: Any, labels: Any, lengths: Any = None) -> Tensor:
        """The cross-entropy, in nats, or squared error; mean over the batch.

        labels: classes, (batch), or one number without a batch; numbers of that shape for a regression.
        """
        if self.regression:
            y = self(xs, lengths).squeeze(-1)
            return F.mse_loss(y, np.asarray(labels, y.dtype)).named("L")
        labels = as_labels(type(self).__name__, labels, "label")
        return F.cross_entropy(self(xs, lengths), labels).named("L")

    def predict(self, xs: Any, lengths: Any = None) -> np.ndarray:
        """The most likely class, or the number, of each sequence, (batch)."""
        with no_grad():
            y = self(xs, lengths).data
        return y[..., 0] if self.regression else y.argmax(axis=-1)


class OneToMany(Head):
    """A sequence from one vector: h_0 = tanh(v W_v + b_v), and each token is the input that makes the next.

    rnn: the recurrent layer, in one direction; each of its layers starts from h_0, an LSTM's with C_0 = 0.
    num_classes: how many tokens there are.  vector_size: of v.  start: the token that stands before the first.
    embedding, ignore_index, reduction: as in `ManyToMany`.

    >>> import numpy as np
    >>> from tinygrad_seq.models import RNN, OneToMany, Vocabulary
    >>> letters = Vocabulary(["<start>", *"one"])
    >>> model = OneToMany(RNN(4, 8), 4, vector_size=10, start=letters["<start>"])
    >>> len(model.losses(np.eye(10)[1], letters.encode("one")))
    3
    """

    def __init__(
        self,
        rnn: Recurrent,
        num_classes: int,
        vector_size: int,
        *,
        start: int,
        embedding: nn.Embedding | None = None,
        ignore_index: int | None = None,
        reduction: str = "sum",
    ) -> None:
        super().__init__(rnn, num_classes, embedding, ignore_index=ignore_index, reduction=reduction)
        if rnn.bidirectional:
            raise DataError("OneToMany writes from left to right: it needs a recurrent layer with one direction")
        sizes("OneToMany", vector_size=vector_size)
        if not 0 <= start < self.num_tokens:
            raise DataError(f"OneToMany: start must be one of the tokens, 0 to {self.num_tokens - 1}, got {start}")
        self.vector_size, self.start = vector_size, start
        dtype, bound = self.W_y.dtype, 1 / sqrt(vector_size)
        self.W_v = nn.init.uniform_(new_parameter(vector_size, rnn.hidden_size, dtype=dtype), -bound, bound)
        self.b_v = nn.init.uniform_(new_parameter(rnn.hidden_size, dtype=dtype), -bound, bound)

    def initial(self, v: Any) -> Any:
        """The state of the vector, (batch, vector): h_0, (batch, hidden), for each layer."""
        if np.shape(v)[-1:] != (self.vector_size,):
            raise ShapeError(f"OneToMany takes vectors of {self.vector_size} numbers, got shape {np.shape(v)}")
        v = v if isinstance(v, Tensor) else Tensor(v, dtype=self.W_v.dtype, name="v")
        return self.rnn.starting(F.tanh(F.affine(v, self.W_v, self.b_v)).named("h"))

    def begin(self, v: Any) -> tuple[np.ndarray, Any]:
        """How to generate from a vector: what to read first, and from which state on."""
        if np.ndim(v) != 1:
            raise ShapeError(f"generating needs one vector of shape ({self.vector_size}), got {np.shape(v)}")
        return np.array([self.start]), self.initial(v)

    def forward(self, v: Any, targets: Any) -> Tensor:
        """The logits of all steps, (T, batch, classes), each step reading the target before it."""
        return F.stack([y for _, y, _ in self.spell(v, targets)])

    def spell(self, v: Any, targets: Any) -> Iterator[tuple[int, Tensor, Any]]:
        """(t, ŷ_t, the state after it); the input of each step is the target before it (teacher forcing)."""
        targets = as_labels("OneToMany", targets)
        if targets.ndim != np.ndim(v) or targets.shape[1:] != np.shape(v)[:-1]:
            raise ShapeError(
                f"OneToMany needs a sequence for each vector, got vectors {np.shape(v)} and targets {targets.shape}: "
                "(batch, vector) and (T, batch), or (vector) and (T)"
            )
        before = np.concatenate([np.full_like(targets[:1], self.start), targets[:-1]])
        before = np.where(before == self.ignore_index, self.start, before)  # read after the end, and never counted
        return self.unroll(before, self.initial(v))

    def losses(self, v: Any, targets: Any) -> list[Tensor]:
        """[L_1, …, L_T] of the targets, (T) or (T, batch), given v, (vector) or (batch, vector)."""
        targets = as_labels("OneToMany", targets)
        return self.step_losses(self.spell(v, targets), targets)

    def loss(self, v: Any, targets: Any) -> Tensor:
        """L = L_1 + … + L_T."""
        return total(self.losses(v, targets))

    def predict(self, v: Any, length: int, end: int | None = None) -> np.ndarray:
        """The most likely tokens, one after the other, (length, batch); after `end` there is nothing but `end`.

        v: (batch, vector).
        """
        with no_grad():
            state = self.initial(v)
            tokens = [np.full(np.shape(v)[:-1], self.start)]
            for t in range(1, length + 1):
                *_, (_, y, state) = self.unroll(tokens[-1][None], state, start=t)
                chosen = y.data.argmax(axis=-1)
                tokens.append(chosen if end is None else np.where(tokens[-1] == end, end, chosen))
        return np.stack(tokens[1:])
