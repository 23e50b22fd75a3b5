"""The characters of a real text, from each of which to predict the next."""

from __future__ import annotations

import unicodedata
from importlib.resources import files
from math import log
from typing import Any

import numpy as np

from tinygrad_seq import functional as F
from tinygrad_seq import no_grad
from tinygrad_seq.errors import DataError, SequenceError

from ..heads import ManyToMany
from ..vocabulary import Form, Vocabulary
from .measures import NextTokens
from .options import at_least, one_of
from .splits import Windows
from .task import About, Task, Training

__all__ = ["BOOK", "ENGLISH", "KOREAN", "LAW", "TextTask", "alice", "constitution", "english", "korean"]

BOOK = "Alice's Adventures in Wonderland, Lewis Carroll (1865), public domain"
LAW = "Constitution of the Republic of Korea (1987), no copyright on laws"
ENGLISH = About("english", "next token", "the next character of an English book", BOOK)
KOREAN = About("korean", "next token", "the next letter of a Korean law", LAW)


def alice() -> str:
    """"Alice's Adventures in Wonderland" by Lewis Carroll (1865), whole, 148 kB; see data/README.md for its source.

    >>> from tinygrad_seq.models.tasks import alice
    >>> alice()[136:198]
    'Alice was beginning to get very tired of sitting by her sister'
    """
    return files(__package__).joinpath("data", "alice.txt").read_text("utf-8")


def constitution() -> str:
    """The Constitution of the Republic of Korea (대한민국헌법, 1987), whole, 46 kB; see data/README.md for its source.

    >>> from tinygrad_seq.models.tasks.text import constitution
    >>> constitution().splitlines()[5]
    '제1조 ① 대한민국은 민주공화국이다.'
    """
    return files(__package__).joinpath("data", "constitution_ko.txt").read_text("utf-8")


class TextTask:
    """A text as windows of `length` characters, drawn at random places of its first 80 %.

    The next 10 % are `valid`, for choices made while training, the last `test`, for a number at the end.  The
    vocabulary has all characters of the text, in the order of their code points.  normalize: as in `Vocabulary`.
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

    def __init__(self, text: str, *, length: int = 64, batch: int = 32, normalize: Form | None = None) -> None:
        if min(length, batch) < 1:
            raise DataError(f"TextTask: length and batch must be positive integers, got {length} and {batch}")
        text = unicodedata.normalize(normalize, text) if normalize else text
        self.vocabulary = Vocabulary(sorted(set(text)), normalize=normalize)
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
        return self.windows(self.train).draw(rng, self.batch)

    def windows(self, part: np.ndarray) -> Windows:
        """Windows of a part, and the same moved on by one."""
        return Windows(part[:-1], part[1:], self.length)

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


def english(*, length: int = 64, batch: int = 32) -> Task:
    """Characters of "Alice's Adventures in Wonderland": from each predict the next, in windows of `length`."""
    at_least("english", length=(length, 1), batch=(batch, 1))
    text = TextTask(alice(), length=length, batch=batch)
    return next_character(ENGLISH, text, 1500, {"length": length, "batch": batch})


def korean(*, units: str = "jamo", length: int = 64, batch: int = 32) -> Task:
    """The Korean constitution: from each of its letters (jamo; NFD), or syllables, predict the next.

    It is a short text of 19,000 syllables, 42,000 jamo: training for long learns it by heart.
    """
    at_least("korean", length=(length, 1), batch=(batch, 1))
    one_of("korean", units=(units, ("jamo", "syllable")))
    text = TextTask(constitution(), length=length, batch=batch, normalize="NFD" if units == "jamo" else "NFC")
    return next_character(KOREAN, text, 600, {"units": units, "length": length, "batch": batch})


def next_character(about: About, text: TextTask, updates: int, options: dict[str, Any]) -> Task:
    """The task of a text."""
    return Task(
        about, text.windows(text.train), text.windows(text.valid), text.windows(text.test),
        measure=NextTokens(text.vocabulary),
        training=Training(text.batch, 3e-3, updates, hidden=128, embedding=64),
        options=options, source=text.vocabulary, target=text.vocabulary, num_classes=len(text.vocabulary),
    )  # fmt: skip
