"""The models that are compared: each reads a sequence, and says at its last step which class it was.

All read vectors of the same size (embedded tokens, or your own), so that the gradient with respect to what they read
at a step, ∂L_T/∂x_t, means the same in all of them.  Only how the past reaches the last step differs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tinygrad_seq import Tensor, nn, no_grad
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError
from tinygrad_seq.nn.layers import new_parameter

from ..attention import MultiheadAttention, SinusoidalPositions
from ..heads import ManyToOne
from ..recurrent import GRU, LSTM, RNN, Recurrent
from ..sequences import as_labels, as_sequence, is_vectors
from ..tasks.catalogue import nearest

__all__ = ["INITIALISATIONS", "NETWORKS", "About", "SelfAttention", "check_network", "network"]


class SelfAttention(nn.Module):
    """One layer of causal self-attention with positions, without recurrence: ŷ from what the last step looks at.

    Each step sees itself and the past; every x_t is one look away from the last.
    xs: tokens (T, batch), or vectors (T, batch, hidden).  hidden: a multiple of heads.
    """

    def __init__(self, tokens: int, hidden: int, num_classes: int, heads: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, hidden)
        self.positions = SinusoidalPositions(hidden)
        self.attention = MultiheadAttention(hidden, heads)
        self.head = nn.Linear(hidden, num_classes)

    def read(self, xs: Any, lengths: Any = None) -> tuple[Tensor, Any]:
        """What ŷ is made of, (batch, hidden), and the weights with which the last step looks, (batch, T)."""
        if lengths is not None:
            raise DataError("SelfAttention reads sequences of one length: leave out lengths")
        xs = as_sequence("SelfAttention", xs)
        x = self.positions(xs if is_vectors(xs) else self.embedding(xs))
        y, w = self.attention(x, x, x, is_causal=True)
        return y[-1], w[..., -1, :]

    def forward(self, xs: Any, lengths: Any = None) -> Tensor:
        """The logits, (batch, classes)."""
        return self.head(self.read(xs, lengths)[0]).named("ŷ")

    def loss(self, xs: Any, labels: Any, lengths: Any = None) -> Tensor:
        """The cross-entropy, in nats; mean over the batch.  labels: classes, (batch)."""
        return F.cross_entropy(self(xs, lengths), as_labels("SelfAttention", labels, "label")).named("L")

    def predict(self, xs: Any, lengths: Any = None) -> Any:
        """The most likely class of each sequence, (batch)."""
        with no_grad():
            return self(xs, lengths).data.argmax(axis=-1)


class About(NamedTuple):
    """A model of the comparison.  states: what it carries from step to step, by the names in the record."""

    title: str
    make: Callable[[int, int, int], Any]  # tokens, hidden, classes
    states: tuple[str, ...] = ("h",)


def recurrent(
    layer: Callable[..., Recurrent], attention: str | None = None, **options: Any
) -> Callable[[int, int, int], ManyToOne]:
    """How to make a model with that layer, whose last state says what it read."""

    def make(tokens: int, hidden: int, num_classes: int) -> ManyToOne:
        embedding = nn.Embedding(tokens, hidden)
        return ManyToOne(layer(hidden, hidden, **options), num_classes, embedding, attention=attention)

    return make


def orthogonal(tokens: int, hidden: int, num_classes: int) -> ManyToOne:
    """An RNN whose W_h keeps lengths."""
    return started(recurrent(RNN)(tokens, hidden, num_classes), "orthogonal")


# "attention" has an RNN below it, not an LSTM, and additive scores: what it does better than "rnn" is due to attention.
NETWORKS: Mapping[str, About] = {
    "rnn": About("RNN", recurrent(RNN)),
    "rnn-orthogonal": About("RNN, orthogonal W_h", orthogonal),
    "lstm": About("LSTM, forget bias 1", recurrent(LSTM), ("h", "C")),
    "lstm-pytorch": About("LSTM, PyTorch's bias", recurrent(LSTM, forget_bias=None), ("h", "C")),
    "gru": About("GRU", recurrent(GRU)),
    "gru-lecture": About("GRU, the lecture's", recurrent(GRU, form="lecture")),
    "attention": About("RNN + attention", recurrent(RNN, attention="additive")),
    "self-attention": About("self-attention", SelfAttention, ()),
}

# How W_h starts, for each gate: as PyTorch's layers do, evenly within ±1/√hidden, or as one of these matrices.
INITIALISATIONS: Mapping[str, Callable[[Any], Any] | None] = {
    "default": None,
    "orthogonal": nn.init.orthogonal_,
    "identity": nn.init.eye_,
    "xavier": nn.init.xavier_uniform_,
}


def network(
    name: str, hidden: int, *, tokens: int, num_classes: int, initialisation: str = "default"
) -> ManyToOne | SelfAttention:
    """A new model for the comparison, in float64, with parameters from the library's generator (see `manual_seed`).

    name: one of `NETWORKS`.  hidden: the size of the vectors that are read, and of the state.  initialisation: one of
    `INITIALISATIONS`, for the W_h of recurrent models.
    `model.loss(xs, labels)` takes tokens or vectors; `model.read(xs)[0]` is what the last step knows, (batch, …).
    Raises DataError for a name that there is not, with the nearest.

    >>> import numpy as np
    >>> from tinygrad_seq import Tensor
    >>> from tinygrad_seq.gradflow import per_step
    >>> from tinygrad_seq.models.flow import network
    >>> x = Tensor(np.ones((9, 1, 16)), requires_grad=True)                     # (T, batch, hidden)
    >>> loss = network("attention", 16, tokens=8, num_classes=4).loss(x, [2])
    >>> len(per_step(loss, x))
    9
    """
    check_network(name, initialisation)
    model = NETWORKS[name].make(tokens, hidden, num_classes)
    return model if initialisation == "default" else started(model, initialisation)


def check_network(name: str, initialisation: str = "default") -> None:
    """Raise DataError for a model or an initialisation that there is not, or that do not go together."""
    if name not in NETWORKS:
        raise DataError(f"there is no model {name!r}{nearest(name, NETWORKS)} The models are {', '.join(NETWORKS)}")
    if initialisation not in INITIALISATIONS:
        near = nearest(initialisation, INITIALISATIONS)
        known = ", ".join(INITIALISATIONS)
        raise DataError(f"there is no initialisation {initialisation!r}{near} They are {known}")
    if initialisation != "default" and not NETWORKS[name].states:
        raise DataError(f"model {name} has no W_h to start as {initialisation}: it carries no state")
    if initialisation != "default" and name == "rnn-orthogonal":
        raise DataError(f"rnn-orthogonal says how its W_h starts: take rnn to start it as {initialisation}")


def started(model: ManyToOne, initialisation: str) -> ManyToOne:
    """The model, with the W_h of each gate started so."""
    start, W = INITIALISATIONS[initialisation], model.rnn.weights("_l0").weight_hh
    assert start is not None, "what is not the default is a function"
    hidden, rows = model.rnn.hidden_size, W.data.copy()
    for gate in range(0, len(rows), hidden):
        rows[gate : gate + hidden] = start(new_parameter(hidden, hidden, dtype=W.dtype)).data
    W.data = rows
    return model
