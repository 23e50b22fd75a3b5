"""What a chapter of the tour is: numbers under names, rows of tables, whether claims hold, and what can be drawn."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["FAST", "FULL", "Chapter", "Outcome", "Plan", "outcome"]

Outcome = Literal["holds", "partly", "fails"]


class Chapter(NamedTuple):
    """A chapter of the lecture, measured.

    name: such as "rnn".  values: numbers and words, by the names that the texts of the report use.  tables: rows, each
    a mapping of values.  outcomes: of each claim.  shown: records and measures, of which pictures are made.
    """

    name: str
    values: dict[str, Any]
    tables: dict[str, list[dict[str, Any]]]
    outcomes: dict[str, Outcome]
    shown: dict[str, Any]


class Plan(NamedTuple):
    """How much a tour measures.

    steps: of the long sequences.  seeds: how many runs of each model, untrained; learners: trained on recall.
    recall: updates of each of them.  word, text: updates on the word and on the book.  passage: characters that it
    writes.  reversal: updates on words of up to `letters` letters.  sizes: the lengths and widths from which
    exponents are fitted.
    """

    steps: int = 50
    seeds: int = 5
    learners: int = 3
    recall: int = 300
    word: int = 100
    text: int = 800
    passage: int = 240
    reversal: int = 800
    letters: int = 10
    sizes: tuple[int, ...] = (8, 16, 32, 64)
    hidden: int = 32


FULL = Plan()
FAST = Plan(seeds=3, learners=1, recall=300, text=200, passage=120, reversal=200, letters=8, sizes=(8, 16, 32))


def outcome(holds: bool, partly: bool = False) -> Outcome:
    """Of a claim."""
    return "holds" if holds else "partly" if partly else "fails"
