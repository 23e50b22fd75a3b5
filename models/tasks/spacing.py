"""Where do the spaces go?  wheredothespacesgo, 모든국민은법앞에평등하다: a tag for each letter, 1 where one follows."""

from __future__ import annotations

import numpy as np

from ..vocabulary import Vocabulary
from .measures import Tags
from .options import at_least
from .splits import Windows
from .task import About, Task, Training
from .text import BOOK, LAW, alice, constitution

__all__ = ["SPACING_ENGLISH", "SPACING_KOREAN", "spacing_english", "spacing_korean"]

SPACING_ENGLISH = About("spacing-english", "aligned", "where the spaces go in an English book", BOOK)
SPACING_KOREAN = About("spacing-korean", "aligned", "where the spaces go in a Korean law", LAW)


def spacing_english(*, length: int = 64, batch: int = 32) -> Task:
    """Letters of "Alice's Adventures in Wonderland", a line end being a space like others."""
    return spacing(SPACING_ENGLISH, alice(), length, batch, updates=600)


def spacing_korean(*, length: int = 64, batch: int = 32) -> Task:
    """Syllables of the Korean constitution; Korean puts spaces between phrases (띄어쓰기), which writers get wrong."""
    return spacing(SPACING_KOREAN, constitution(), length, batch, updates=300)


def spacing(about: About, text: str, length: int, batch: int, updates: int) -> Task:
    """The task of a text: 80 % of its letters to train on, 10 % to choose by, 10 % for the number at the end."""
    at_least(about.name, length=(length, 1), batch=(batch, 1))
    letters, tags = without_spaces(text)
    vocabulary = Vocabulary(sorted(set(letters)), unknown="<unk>", normalize="NFC")
    tokens = vocabulary.encode(letters)
    first, second = len(tokens) * 8 // 10, len(tokens) * 9 // 10
    shares = slice(0, first), slice(first, second), slice(second, None)
    parts = [Windows(tokens[share], tags[share], length, after=(None,)) for share in shares]

    def shown(x: np.ndarray, y: np.ndarray) -> tuple[str, str]:
        return vocabulary.decode(x), with_spaces([vocabulary.token(i) for i in x.tolist()], y)

    return Task(
        about, *parts, measure=Tags(2, shown), training=Training(batch, 3e-3, updates, hidden=64, embedding=32),
        options={"length": length, "batch": batch}, source=vocabulary, num_classes=2,
    )  # fmt: skip


def without_spaces(text: str) -> tuple[str, np.ndarray]:
    """The letters of a text, and for each 1 where a space or line end follows it.

    >>> from tinygrad_seq.models.tasks.spacing import without_spaces
    >>> without_spaces("to be")
    ('tobe', array([0, 1, 0, 0]))
    """
    words = text.split()
    ends = np.cumsum([len(word) for word in words])
    tags = np.zeros(ends[-1], int)
    tags[ends[:-1] - 1] = 1
    return "".join(words), tags


def with_spaces(letters: list[str], tags: np.ndarray) -> str:
    """The text of letters and their tags."""
    return "".join(letter + " " * int(tag) for letter, tag in zip(letters, tags))
