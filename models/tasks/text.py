"""The characters of a real text, from each of which to predict the next."""

from __future__ import annotations

from importlib.resources import files
from math import log
from typing import Any

import numpy as np

from tinygrad_seq import functional as F
from tinygrad_seq import no_grad
from tinygrad_seq.errors import DataError, SequenceError

from ..heads import ManyToMany
from ..vocabulary import Vocabulary

__all__ = ["TextTask", "alice"]


def alice() -> str:
    """"Alice's Adventures in Wonderland" by Lewis Carroll (1865), whole, 148 kB; see data/README.md for its source.

    >>> from tinygrad_seq.models.tasks import alice
    >>> alice()[136:198]
    'Alice was beginning to get very tired of sitting by her sister'
    """
    return files(__package__).joinpath("data", "alice.txt").read_text("utf-8")


class TextTask:
    """A text as windows of `length` characters, drawn at random places of its first 80 %.

    The next 10 % are `valid`, for choices made while training, the last `test`, for a number at the end.  The
    vocabulary has all characters of the text, in the order of their code points.
    Raises SequenceError for a text too short for a window in each part.

    >>> import numpy as np
    >>> from tinygrad_seq.models.tasks import TextTask, alice
    >>> task = TextTask(alice(), length=20, batch=8)
    >>> tokens, targets = task.draw(np.random.default_rng(0))
    >>> tokens.shape, targets.shape
    ((20, 8), (20, 8))
    >>> task
    TextTask(148,381 characters, 70 kinds, 8 windows of 20)
    """

    def __init__(self, text: str, *, length: int = 64, batch: int = 32) -> None:
        if min(length, batch) < 1:
            raise DataError(f"TextTask: length and batch must be positive integers, got {length} and {batch}")
        self.vocabulary = Vocabulary(sorted(set(text)))
        self.length, self.batch = length, batch
        indices = self.vocabulary.encode(text)
        first, second = len(text) * 8 // 10, len(text) * 9 // 10
        self.train, self.valid, self.test = indices[:first], indices[first:second], indices[second:]
        if min(len(self.train), len(self.valid), len(self.test)) <= length:
            raise SequenceError(
                f"TextTask needs more than {10 * (length + 1)} characters for windows of {length}, got {len(text)}: "
                "a window must fit into the last tenth of the text"
            )

    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """Windows of the training part, and the same moved on by one: (length, batch) each."""
        places = rng.integers(0, len(self.train) - self.length, self.batch)
        windows = self.train[np.arange(self.length + 1)[:, None] + places]  # (length + 1, batch)
        return windows[:-1], windows[1:]

    def bits(self, model: ManyToMany) -> float:
        """Bits per character that the model needs for `test`, read in 20 stretches side by side: less is better."""
        stretch = (len(self.test) - 1) // 20 or 1
        places = np.arange(0, len(self.test) - stretch, stretch)
        windows = self.test[np.arange(stretch + 1)[:, None] + places]  # (stretch + 1, stretches)
        with no_grad():
            nats = [F.cross_entropy(y, windows[t]).item() for t, y, _ in model.unroll(windows[:-1])]
        return float(np.mean(nats)) / log(2)

    def bits_of_letters(self) -> float:
        """Bits per character of `test` for who knows only how often each occurs in `train`."""
        counts = np.bincount(self.train, minlength=len(self.vocabulary)) + 1.0  # none is impossible
        return float(-np.log2(counts / counts.sum())[self.test[1:]].mean())

    def __repr__(self) -> str:
        total = len(self.train) + len(self.valid) + len(self.test)
        return f"TextTask({total:,} characters, {len(self.vocabulary)} kinds, {self.batch} windows of {self.length})"
