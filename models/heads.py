"""What an RNN is used for: its three shapes, over any recurrent layer.

    one-to-many    a vector → a sequence             OneToMany    captions, spelling
    many-to-one    a sequence → a class              ManyToOne    sentiment, spam
    many-to-many   a sequence → a class at each step ManyToMany   tagging, the next token

The output is ŷ = h W_y + b_y everywhere, W_y (hidden, classes) and b_y (classes).  Inputs are tokens, integers that
become one-hot vectors, or rows of an `embedding`; or vectors of your own.  Time is the first axis, the batch (which may
be left out) the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.nn.layers import new_parameter, sizes

from .recurrent import RNN

__all__ = ["ManyToMany", "ManyToOne", "OneToMany"]


class Head(nn.Module):
    """What the three shapes have in common: how inputs are read, and the output ŷ = h W_y + b_y."""

    def __init__(
        self, rnn: RNN, num_classes: int, embedding: nn.Embedding | None = None, *, ignore_index: int | None = None
    ) -> None:
        super().__init__()
        sizes(type(self).__name__, num_classes=num_classes)
        if embedding is not None and embedding.embedding_dim != rnn.input_size:
            raise ShapeError(
                f"{type(self).__name__}: the embedding gives vectors of {embedding.embedding_dim} numbers, the "
                f"recurrent layer takes {rnn.input_size}: the two must be equal"
            )
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.embedding = embedding
        self.rnn = rnn
        dtype, bound = next(rnn.parameters()).dtype, 1 / sqrt(rnn.hidden_size)
        self.W_y = nn.init.uniform_(new_parameter(rnn.hidden_size, num_classes, dtype=dtype), -bound, bound)
        self.b_y = nn.init.uniform_(new_parameter(num_classes, dtype=dtype), -bound, bound)

    def output(self, h: Any) -> Tensor:
        """ŷ, a number for each class: (batch, hidden) → (batch, classes)."""
        return (h @ self.W_y + self.b_y).named("ŷ")

    def step_loss(self, y: Tensor, target: Any) -> Tensor:
        """L_t: the cross-entropy of one step, mean over the batch, where what is ignored counts as 0."""
        if self.ignore_index is None:
            return F.cross_entropy(y, target).named("L")
        summed = F.cross_entropy(y, target, ignore_index=self.ignore_index, reduction="sum")
        return (summed / max(1, np.size(target))).named("L")

    @property
    def num_tokens(self) -> int:
        """How many tokens it can read."""
        return self.rnn.input_size if self.embedding is None else self.embedding.num_embeddings

    def states(self, xs: Any, state: Any = None) -> Iterator[tuple[int, Any, Any]]:
        """(t, h_t, the state after it) for each step of tokens (T, …) or vectors (T, …, input)."""
        xs = as_sequence(type(self).__name__, xs)
        if is_vectors(xs):
            return self.rnn.unroll(xs, state)
        wrong = (xs < 0) | (xs >= self.num_tokens)
        if wrong.any():
            t = int(np.argwhere(wrong)[0][0]) + 1
            raise IndexError(
                f"{type(self).__name__}: token {xs[wrong].flat[0]} (at t={t}) is not one of the {self.num_tokens} that "
                f"it reads, 0 to {self.num_tokens - 1}"
            )
        if self.embedding is not None:
            return self.rnn.unroll(xs, state, embed=self.embedding)
        return self.rnn.unroll(Tensor(F.one_hot(xs, self.num_tokens, self.W_y.dtype)), state)

    def unroll(self, xs: Any, state: Any = None) -> Iterator[tuple[int, Tensor, Any]]:
        """(t, ŷ_t, the state after it), step by step.  state: of an earlier unroll, to go on from there."""
        for t, h, after in self.states(xs, state):
            yield t, self.output(h), after


class ManyToMany(Head):
    """A prediction at each step: ŷ_t = h_t W_y + b_y, for tagging, or for the token that comes next.

    rnn: the recurrent layer.  num_classes: how many tags, or tokens, there are.  embedding: for tokens; without one
    they become one-hot vectors of the layer's input size.  ignore_index: the target that counts as no loss, such as
    padding.  Calling it gives the logits of all steps, (T, batch, classes).

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

    def forward(self, xs: Any, state: Any = None) -> Tensor:
        """The logits of all steps, (T, batch, classes)."""
        return F.stack([y for _, y, _ in self.unroll(xs, state)])

    def losses(self, xs: Any, targets: Any, state: Any = None) -> list[Tensor]:
        """The cross-entropy of every step, in nats, mean over the batch: [L_1, …, L_T].

        targets: classes, (T) or (T, batch).
        """
        xs = as_sequence(type(self).__name__, xs)
        targets = as_labels(type(self).__name__, targets)
        if len(targets) != len(xs):
            raise ShapeError(f"ManyToMany needs a target for each step, got {len(xs)} steps and {len(targets)} targets")
        return [self.step_loss(y, targets[t - 1]) for t, y, _ in self.unroll(xs, state)]

    def loss(self, xs: Any, targets: Any, state: Any = None) -> Tensor:
        """L = L_1 + … + L_T."""
        return total(self.losses(xs, targets, state))


class ManyToOne(Head):
    """One prediction for a whole sequence, from the last state: ŷ = h_T W_y + b_y.

    rnn, num_classes, embedding: as in `ManyToMany`.  Calling it gives the logits, (batch, classes).

    >>> from tinygrad_seq.models import RNN, ManyToOne, Vocabulary
    >>> letters = Vocabulary.characters("spam")
    >>> ManyToOne(RNN(4, 8), 2)(letters.encode("spam")).shape
    (2,)
    """

    def forward(self, xs: Any) -> Tensor:
        """The logits, (batch, classes)."""
        *_, (_, h, _) = self.states(xs)
        return self.output(h)

    def loss(self, xs: Any, labels: Any) -> Tensor:
        """The cross-entropy, in nats, mean over the batch.  labels: classes, (batch), or one number without a batch."""
        labels = as_labels(type(self).__name__, labels, "label")
        return F.cross_entropy(self(xs), labels).named("L")


class OneToMany(Head):
    """A sequence from one vector: h_0 = tanh(v W_v + b_v), and each token is the input that makes the next.

    rnn: the recurrent layer.  num_classes: how many tokens there are.  vector_size: of v.  start: the token that
    stands before the first.  embedding, ignore_index: as in `ManyToMany`.

    >>> import numpy as np
    >>> from tinygrad_seq.models import RNN, OneToMany, Vocabulary
    >>> letters = Vocabulary(["<start>", *"one"])
    >>> model = OneToMany(RNN(4, 8), 4, vector_size=10, start=letters["<start>"])
    >>> len(model.losses(np.eye(10)[1], letters.encode("one")))
    3
    """

    def __init__(
        self,
        rnn: RNN,
        num_classes: int,
        vector_size: int,
        *,
        start: int,
        embedding: nn.Embedding | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(rnn, num_classes, embedding, ignore_index=ignore_index)
        sizes("OneToMany", vector_size=vector_size)
        if not 0 <= start < self.num_tokens:
            raise DataError(f"OneToMany: start must be one of the tokens, 0 to {self.num_tokens - 1}, got {start}")
        self.vector_size, self.start = vector_size, start
        dtype, bound = self.W_y.dtype, 1 / sqrt(vector_size)
        self.W_v = nn.init.uniform_(new_parameter(vector_size, rnn.hidden_size, dtype=dtype), -bound, bound)
        self.b_v = nn.init.uniform_(new_parameter(rnn.hidden_size, dtype=dtype), -bound, bound)

    def initial(self, v: Any) -> Tensor:
        """h_0 of the vector: (batch, vector) → (batch, hidden)."""
        if np.shape(v)[-1:] != (self.vector_size,):
            raise ShapeError(f"OneToMany takes vectors of {self.vector_size} numbers, got shape {np.shape(v)}")
        v = v if isinstance(v, Tensor) else Tensor(v, dtype=self.W_v.dtype, name="v")
        return F.tanh(v @ self.W_v + self.b_v).named("h")

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
        return [self.step_loss(y, targets[t - 1]) for t, y, _ in self.spell(v, targets)]

    def loss(self, v: Any, targets: Any) -> Tensor:
        """L = L_1 + … + L_T."""
        return total(self.losses(v, targets))


# ---- what the shapes share -----------------------------------------------------------


def total(losses: list[Tensor]) -> Tensor:
    """L_1 + … + L_T."""
    loss = losses[0]
    for L in losses[1:]:
        loss = loss + L
    return loss.named("loss") if len(losses) > 1 else loss


def is_vectors(xs: Any) -> bool:
    """Whether inputs are vectors, not tokens."""
    return isinstance(xs, Tensor) or xs.dtype.kind == "f"


def as_sequence(head: str, xs: Any) -> Any:
    """Inputs as a tensor, or as an array of numbers, of at least one step."""
    xs = xs.data if isinstance(xs, Tensor) and xs.dtype.kind != "f" else xs
    xs = xs if isinstance(xs, Tensor) else as_array(head, xs)
    if xs.ndim == 0 or not len(xs):
        raise SequenceError(f"{head} needs a sequence of at least one step, got shape {xs.shape}")
    if not is_vectors(xs) and xs.dtype.kind not in "iu":
        raise DtypeError(f"{head} takes tokens, which are integers (see Vocabulary.encode), or vectors, got {xs.dtype}")
    return xs


def as_labels(head: str, targets: Any, kind: str = "target") -> np.ndarray:
    """Targets as integers, of at least one."""
    array = as_array(head, targets.data if isinstance(targets, Tensor) else targets)
    if not array.size:
        raise SequenceError(f"{head} needs at least one {kind}, got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise DtypeError(f"{head} needs integers as {kind}s, got {array.dtype}")
    return array


def as_array(head: str, data: Any) -> np.ndarray:
    """An array of what may be a list, but not of rows of different lengths."""
    try:
        return np.asarray(data)
    except ValueError:
        raise DataError(
            f"{head} needs rows of equal length: fill up the shorter ones, as Vocabulary.encode_all does"
        ) from None
