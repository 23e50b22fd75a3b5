"""HELLO: from H, E, L, L predict E, L, L, O, the smallest task that needs a memory: after L comes L, and then O."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq.errors import SequenceError

from ..vocabulary import Vocabulary
from .measures import NextTokens
from .splits import Windows
from .task import About, Task, Training

__all__ = ["HELLO", "NextToken", "hello", "hello_task"]

HELLO = About("hello", "next token", "from H E L L predict E L L O", "the lecture's")


class NextToken(NamedTuple):
    """A text as a task: from each token predict the next.

    tokens: (T), all but the last.  targets: (T), all but the first.
    """

    vocabulary: Vocabulary
    tokens: np.ndarray
    targets: np.ndarray

    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """The one batch there is: the whole text."""
        return self.tokens, self.targets


def hello(word: str = "HELLO") -> NextToken:
    """The characters of a word, of any script, from each of which to predict the next.

    Raises SequenceError for a word of less than two characters.

    >>> from tinygrad_seq.models.tasks import hello
    >>> task = hello()
    >>> task.vocabulary.decode(task.tokens), task.vocabulary.decode(task.targets)
    ('HELL', 'ELLO')
    """
    if len(word) < 2:
        raise SequenceError(f"a word to learn has at least two characters, a first and a next; got {word!r}")
    vocabulary = Vocabulary.characters(word)
    indices = vocabulary.encode(word)
    return NextToken(vocabulary, indices[:-1], indices[1:])


def hello_task(*, word: str = "HELLO") -> Task:
    """A word to learn by heart, the whole of which is every batch: what is measured on is what was trained on."""
    vocabulary, tokens, targets = hello(word)
    whole = Windows(tokens, targets, len(tokens))
    return Task(
        HELLO, whole, whole, whole, measure=NextTokens(vocabulary), training=Training(1, 1e-2, 100, hidden=16),
        options={"word": word}, source=vocabulary, target=vocabulary, num_classes=len(vocabulary),
    )  # fmt: skip
