"""Transformers that read: one prediction for a sequence, or one at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn, no_grad
from tinygrad_seq import functional as F
from tinygrad_seq.errors import ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from ..sequences import as_array, as_labels
from .inputs import SequenceInput
from .layers import TransformerEncoderLayer
from .stacks import TransformerEncoder, start_as_transformer

__all__ = ["TransformerClassifier", "TransformerReader", "TransformerTagger"]


class TransformerReader(nn.Module):
    """What Transformers that read have in common: the way in, an encoder, and the output ŷ = W h + b.

    num_classes: how many numbers to predict.  d_model, nhead, num_layers, dim_feedforward (4 d_model by default),
    activation, norm_first, dropout: of the encoder, see `TransformerEncoderLayer`; with norm_first there is a norm at
    its end.  num_tokens or input_size, positions and max_length: of the way in, see `SequenceInput`.  causal: whether
    the future is hidden.  Lengths, (batch), say where each sequence ends; what stands after changes nothing.
    """

    def __init__(
        self,
        num_classes: int,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int | None = None,
        max_length: int | None = None,
        *,
        num_tokens: int | None = None,
        input_size: int | None = None,
        positions: str = "learned",
        causal: bool = False,
        norm_first: bool = True,
        dropout: float = 0.0,
        activation: str | Callable[[Any], Any] = "relu",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes(type(self).__name__, num_classes=num_classes)
        self.num_classes, self.num_tokens, self.causal = num_classes, num_tokens, causal
        self.input = SequenceInput(
            d_model, num_tokens=num_tokens, input_size=input_size, positions=positions, max_length=max_length,
            dropout=dropout, dtype=dtype,
        )  # fmt: skip
        layer = TransformerEncoderLayer(
            d_model, nhead, dim_feedforward or 4 * d_model, dropout, activation, norm_first=norm_first, dtype=dtype
        )
        norm = nn.LayerNorm(d_model, dtype=dtype) if norm_first else None
        self.encoder = TransformerEncoder(layer, num_layers, norm)
        start_as_transformer(self.encoder)
        self.output = nn.Linear(d_model, num_classes, dtype=dtype)

    def states(self, xs: Any, lengths: Any = None) -> tuple[Tensor, np.ndarray | None]:
        """What the encoder makes of every step, (T, batch, d_model), and what is padding, (batch, T)."""
        xs, padding = self.input.check(xs, lengths)
        return self.encoder(self.input(xs), src_key_padding_mask=padding, is_causal=self.causal), padding


class TransformerClassifier(TransformerReader):
    """One prediction for a whole sequence, from the mean of what the encoder makes of its steps.

    Calling it gives the logits, (batch, classes).  regression=True: labels are numbers, (batch) or (batch, classes),
    and the loss is the mean squared error.  The other arguments are those of `TransformerReader`.

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerClassifier
    >>> model = TransformerClassifier(3, d_model=8, nhead=2, num_layers=1, max_length=6, num_tokens=10)
    >>> model(np.zeros((6, 4), int), lengths=[6, 1, 2, 3]).shape
    (4, 3)
    """

    def __init__(self, *args: Any, regression: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.regression = regression

    def forward(self, xs: Any, lengths: Any = None) -> Tensor:
        """The logits, (batch, classes); the numbers themselves for a regression."""
        h, padding = self.states(xs, lengths)
        if padding is None:
            pooled = h.mean(axis=0)
        else:
            share = ~padding / (~padding).sum(axis=1, keepdims=True)  # (batch, T), each row sums to 1
            pooled = (h * share.T[..., None].astype(h.dtype)).sum(axis=0)
        return self.output(pooled).named("ŷ")

    def loss(self, xs: Any, labels: Any, lengths: Any = None) -> Tensor:
        """The cross-entropy in nats, or the squared error, mean over the batch.  labels: (batch)."""
        if not self.regression:
            labels = as_labels(type(self).__name__, labels, "label")
            return F.cross_entropy(self(xs, lengths), labels).named("loss")
        labels = as_array(type(self).__name__, labels.data if isinstance(labels, Tensor) else labels)
        y = self(xs, lengths)
        y = y[:, 0] if labels.ndim == 1 and self.num_classes == 1 else y
        return F.mse_loss(y, Tensor(labels, dtype=y.dtype)).named("loss")

    def predict(self, xs: Any, lengths: Any = None) -> np.ndarray:
        """The most likely class of each sequence, (batch); for a regression the numbers, (batch, classes)."""
        with no_grad():
            y = self(xs, lengths).data
        return y if self.regression else y.argmax(axis=-1)


class TransformerTagger(TransformerReader):
    """A prediction at each step.  Calling it gives the logits, (T, batch, classes).

    ignore_index: the target that counts as no loss.  The other arguments are those of `TransformerReader`.

    >>> import numpy as np
    >>> from tinygrad_seq.models import TransformerTagger
    >>> model = TransformerTagger(3, d_model=8, nhead=2, num_layers=1, max_length=6, num_tokens=10, causal=True)
    >>> model(np.zeros((6, 4), int)).shape
    (6, 4, 3)
    """

    def __init__(self, *args: Any, ignore_index: int = -100, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ignore_index = ignore_index

    def forward(self, xs: Any, lengths: Any = None) -> Tensor:
        """The logits of every step, (T, batch, classes)."""
        h, _ = self.states(xs, lengths)
        return self.output(h).named("ŷ")

    def loss(self, xs: Any, targets: Any, lengths: Any = None) -> Tensor:
        """The cross-entropy, in nats, mean over all steps but padding.  targets: (T, batch)."""
        targets = as_labels(type(self).__name__, targets)
        y = self(xs, lengths)
        if targets.shape != y.shape[:2]:
            raise ShapeError(
                f"{type(self).__name__} needs a target for each step, shape {y.shape[:2]}, got {targets.shape} "
                f"({here()})"
            )
        if lengths is not None:
            padding = np.arange(len(targets))[:, None] >= np.asarray(lengths)
            targets = np.where(padding, self.ignore_index, targets)
        return F.cross_entropy(y, targets, ignore_index=self.ignore_index, axis=-1).named("loss")

    def predict(self, xs: Any, lengths: Any = None) -> np.ndarray:
        """The most likely class at each step, (T, batch)."""
        with no_grad():
            return self(xs, lengths).data.argmax(axis=-1)
