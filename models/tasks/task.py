"""What a model can be trained on: one small interface for the command line, the training loop and the tests.

    shape         a batch, the arguments of model.loss                            besides, the model is asked for
    next token    tokens (T, B), targets (T, B)                                   model(tokens) → (T, B, classes)
    many-to-one   xs (T, B) or (T, B, features), labels (B), lengths (B) or None  model(xs[, lengths=]) → (B, classes)
    one-to-many   v (B, features), targets (T, B)                                 model(v, targets) → (T, B, classes)
    aligned       tokens (T, B), tags (T, B), lengths (B) or None                 model(tokens[, lengths=])
    seq2seq       source (S, B), lengths (B), target (T, B)                       model(source, lengths, target)

Time is the first axis, B the batch.  Shorter sequences are filled up at their end: tokens with the vocabulary's
padding, tags with -100.  The targets of one-to-many and seq2seq end in the vocabulary's end token, and the model is
asked for its logits, and to write by itself: through `models.search.greedy` (seq2seq), or by model.predict(v, length,
end) → (length, B) (one-to-many).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from tinygrad_seq import no_grad
from tinygrad_seq.errors import DataError

from ..vocabulary import Vocabulary
from .splits import Batch, Examples, Split

__all__ = ["IGNORED", "About", "Better", "Measure", "Shape", "Shown", "Task", "Training"]

Shape = Literal["next token", "many-to-one", "one-to-many", "aligned", "seq2seq"]
Better = Literal["min", "max"]
SPLITS = ("train", "valid", "test")
IGNORED = -100  # the tag of padding


class About(NamedTuple):
    """What is known of a task before its data is loaded.  data: where it comes from, and its licence."""

    name: str
    shape: Shape
    title: str
    data: str


class Training(NamedTuple):
    """How to train unless told otherwise: Adam, and a gradient norm of at most `clip`.

    hidden: the width of the state.  embedding: of a token's vector; None: one-hot.
    """

    batch: int
    lr: float
    updates: int
    hidden: int = 64
    embedding: int | None = None
    clip: float = 1.0


class Shown(NamedTuple):
    """One example to read: what came in, what should come out, and what did."""

    input: str
    expected: str
    predicted: str


class Measure(Protocol):
    """How well a model does a task: one for each shape.  metric: the one that counts, and what of it is better."""

    metric: str
    better: Better

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """The metrics of a model on a split, by name."""

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """The same metrics of who knows only how often each answer occurs in `train`."""

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """Each example of a batch as text."""


class Task:
    """Something to learn: batches to train on, and how well a model does it.

    name, shape, title, data: see `About`.  options: with which the task was made, plain data.  training: see
    `Training`.  source: the vocabulary of what comes in, None for vectors of `vector_size` numbers.  target: the
    vocabulary of what goes out, None where that is a class without a name, or a number.  num_classes: how many there
    are; 1 for a `regression`, where the label is a number.  train, valid, test: the parts of the data, see `Split`.

    >>> import numpy as np
    >>> from tinygrad_seq.models.tasks import task
    >>> order = task("order", length=20, batch=3)
    >>> xs, labels, lengths = order.draw(np.random.default_rng(0))
    >>> order.shape, xs.shape, labels.shape, lengths
    ('many-to-one', (20, 3), (3,), None)
    >>> order.baseline()["accuracy"] < 0.35
    True
    """

    def __init__(
        self,
        about: About,
        train: Split,
        valid: Split,
        test: Split,
        *,
        measure: Measure,
        training: Training,
        options: dict[str, Any],
        num_classes: int,
        source: Vocabulary | None = None,
        target: Vocabulary | None = None,
        vector_size: int | None = None,
        regression: bool = False,
    ) -> None:
        self.name, self.shape, self.title, self.data = about
        self.train, self.valid, self.test = train, valid, test
        self.measure, self.training, self.options = measure, training, options
        self.source, self.target = source, target
        self.vector_size, self.num_classes, self.regression = vector_size, num_classes, regression

    @property
    def num_tokens(self) -> int | None:
        """How many tokens come in; None for vectors."""
        return None if self.source is None else len(self.source)

    @property
    def metric(self) -> str:
        """The metric that counts, by its name in `evaluate`."""
        return self.measure.metric

    @property
    def better(self) -> Better:
        """Whether "min" or "max" of that metric is better."""
        return self.measure.better

    @property
    def ignore_index(self) -> int | None:
        """The target that counts for nothing, padding; None where there is none."""
        if self.shape == "aligned":
            return IGNORED
        return self._target_token("padding") if self.shape in ("one-to-many", "seq2seq") else None

    @property
    def begin(self) -> int | None:
        """The token before the first of a target; None where nothing is written."""
        return self._target_token("begin")

    @property
    def end(self) -> int | None:
        """The token after the last of a target; None where nothing is written."""
        return self._target_token("end")

    def _target_token(self, role: str) -> int | None:
        token = getattr(self.target, role, None)
        return None if self.target is None or token is None else self.target[token]

    def draw(self, rng: np.random.Generator) -> Batch:
        """A batch to train on, the arguments of `model.loss`: a pure function of the generator."""
        return self.train.draw(rng, self.training.batch)

    @property
    def finite(self) -> bool:
        """Whether the training data is a list of examples, that can be shuffled and counted in epochs."""
        return isinstance(self.train, Examples)

    def batch(self, indices: Any) -> Batch:
        """The batch of those examples of `train`, whose number is `len(task.train)`.

        Raises DataError for a task whose examples are made anew, IndexError for a number out of range.
        """
        if not isinstance(self.train, Examples):
            raise DataError(f"{self.name} has no list of examples to take from: it makes new ones, see `draw`")
        return self.train.batch(indices)

    def split(self, name: str) -> Split:
        """train, valid or test, by its name."""
        if name not in SPLITS:
            raise DataError(f"a task has the parts {', '.join(SPLITS)}, got {name!r}")
        return {"train": self.train, "valid": self.valid, "test": self.test}[name]

    def evaluate(self, model: Any, split: str = "valid") -> dict[str, float]:
        """How well a model does, in eval mode and without a record: metrics by name.

        loss: nats per token or label.  accuracy, exact_match, f1, recalled: shares from 0 to 1.  perplexity: e to the
        loss.  bits_per_character: loss / ln 2.  character_error_rate: edits per character.  mse: squared error.
        """
        part, was = self.split(split), model.training
        model.eval()
        try:
            with no_grad():
                return self.measure.evaluate(model, part)
        finally:
            model.train(was)

    def baseline(self, split: str = "valid") -> dict[str, float]:
        """The metrics of guessing: of who knows only how often each answer occurs in the training data."""
        return self.measure.guess(self.train, self.split(split))

    def show(self, model: Any, rng: np.random.Generator, count: int = 5, split: str = "valid") -> list[Shown]:
        """A few examples as text: what comes in, what should come out, and what the model says."""
        part, was = self.split(split), model.training
        model.eval()
        try:
            with no_grad():
                return self.measure.show(model, part.draw(rng, count))
        finally:
            model.train(was)

    def read(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Texts of one's own as a model reads them: tokens (T, B), with the end where the task has one, lengths (B).

        Raises DataError for a task that reads vectors, SequenceError for no text or an empty one.

        >>> from tinygrad_seq.models.tasks import task
        >>> tokens, lengths = task("dates").read(["21 octobre 2045", "2045년 10월 21일 토요일"])
        >>> tokens.shape, lengths
        ((18, 2), array([16, 18]))
        """
        if self.source is None:
            raise DataError(f"{self.name} reads vectors of {self.vector_size} numbers, not texts")
        return self.source.encode_batch(texts)

    def text(self, tokens: Any) -> str:
        """What a model wrote, tokens (T), as text: up to the end token, letters put together (NFC)."""
        if self.target is None:
            raise DataError(f"{self.name} gives numbers from 0 to {self.num_classes - 1}, which have no text")
        return readable(self.target, tokens)

    def to_dict(self) -> dict[str, Any]:
        """The task as plain data, for a checkpoint: `task_from_dict` makes it again."""
        return {"task": self.name, "options": dict(self.options)}

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"<task {self.name} ({self.shape}){': ' if options else ''}{options}>"


def readable(vocabulary: Vocabulary, tokens: Any) -> str:
    """The text of tokens, where letters that were taken apart are put together again (NFC)."""
    return unicodedata.normalize("NFC", vocabulary.decode(np.asarray(tokens)))
