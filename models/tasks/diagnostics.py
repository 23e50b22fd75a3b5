"""Tasks that need a memory, of any length: what is asked at the end stands far before it.

The batches are those of Hochreiter and Schmidhuber, "Long Short-Term Memory" (1997), in the forms in which they are
used today; the drawing of numbers from the generator is part of the definition, so that results can be compared.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_seq.errors import DataError

from ..vocabulary import Vocabulary
from .measures import Classes, Numbers, Tags
from .options import at_least
from .splits import Batch, Generated
from .task import About, Task, Training
from .written import Written, pairs_to_batch, to_read, to_write

__all__ = [
    "ADDING", "COPY", "ORDER", "RECALL", "REVERSAL", "adding", "copy_memory", "recall", "reversal", "temporal_order",
]  # fmt: skip

ADDING = About(
    "adding", "many-to-one", "the sum of the two numbers that are marked",
    "generated: Hochreiter & Schmidhuber (1997), experiment 4, as in Le, Jaitly & Hinton (2015)",
)  # fmt: skip
COPY = About(
    "copy", "aligned", "say at the end what was said at the beginning",
    "generated: Arjovsky, Shah & Bengio (2016), after Hochreiter & Schmidhuber (1997)",
)  # fmt: skip
ORDER = About(
    "order", "many-to-one", "which of two symbols came first, X or Y, and which second",
    "generated: Hochreiter & Schmidhuber (1997), experiment 6a",
)  # fmt: skip
RECALL = About(
    "recall", "many-to-one", "which symbol came first, many steps before",
    "generated: the latch problem of Bengio, Simard & Frasconi (1994), with symbols among distractors",
)  # fmt: skip
REVERSAL = About("reversal", "seq2seq", "say a word backwards", "generated")


def adding(*, length: int = 50, batch: int = 50, seed: int = 0) -> Task:
    """The adding problem: numbers from 0 to 1, two of them marked, one in each half; the label is their sum.

    xs: (length, batch, 2), the number and 1.0 where it is marked.  labels: (batch), floats.
    """
    at_least("adding", length=(length, 2), batch=(batch, 1), seed=(seed, 0))

    def make(rng: np.random.Generator, B: int) -> Batch:
        numbers = rng.random((B, length))
        first, second = rng.integers(0, length // 2, B), rng.integers(length // 2, length, B)
        each = np.arange(B)
        marks = np.zeros((B, length))
        marks[each, first] = marks[each, second] = 1.0
        xs = np.stack([numbers, marks], -1).transpose(1, 0, 2)  # (length, B, 2)
        return xs, numbers[each, first] + numbers[each, second], None

    def text(x: np.ndarray) -> str:
        return " ".join(f"[{number:.2f}]" if mark else f"{number:.2f}" for number, mark in x)

    return Task(
        ADDING, *generated(make, seed), measure=Numbers(text), training=Training(batch, 2e-3, 4000),
        options={"length": length, "batch": batch, "seed": seed}, num_classes=1, vector_size=2, regression=True,
    )  # fmt: skip


def copy_memory(*, delay: int = 10, symbols: int = 8, count: int = 5, batch: int = 50, seed: int = 0) -> Task:
    """Copy memory: `count` symbols, a delay, a sign to go, and then the symbols again.

    tokens, tags: (count + delay + count, batch), where 0 is blank, 1 … symbols are data, symbols + 1 is the sign.
    """
    at_least("copy", delay=(delay, 1), symbols=(symbols, 1), count=(count, 1), batch=(batch, 1), seed=(seed, 0))
    letters = alphabet("copy", symbols)
    source, target = Vocabulary(["·", *letters, "▸"]), Vocabulary(["·", *letters])

    def make(rng: np.random.Generator, B: int) -> Batch:
        data = rng.integers(1, symbols + 1, (B, count)).T  # (count, B)
        tokens = np.zeros((count + delay + count, B), int)
        tags = np.zeros_like(tokens)
        tokens[:count] = tags[-count:] = data
        tokens[count + delay - 1] = symbols + 1
        return tokens, tags, None

    def text(tokens: np.ndarray, tags: np.ndarray) -> tuple[str, str]:
        return source.decode(tokens), target.decode(tags)

    return Task(
        COPY, *generated(make, seed), measure=Tags(len(target), text, by_step=True, metric="recalled"),
        training=Training(batch, 3e-3, 4000, embedding=64),
        options={"delay": delay, "symbols": symbols, "count": count, "batch": batch, "seed": seed},
        num_classes=len(target), source=source, target=target,
    )  # fmt: skip


def temporal_order(*, length: int = 60, batch: int = 50, seed: int = 0) -> Task:
    """Temporal order: X or Y early, X or Y in the middle, among a, b, c, d; the class is which of the two, twice.

    tokens: (length, batch): a b c d are 0 to 3, X and Y 4 and 5, the start 6, the end 7.  labels: XX, XY, YX, YY.
    """
    at_least("order", length=(length, 10), batch=(batch, 1), seed=(seed, 0))
    source, names = Vocabulary("abcdXY⊢⊣"), Vocabulary(["XX", "XY", "YX", "YY"], unit="word")

    def make(rng: np.random.Generator, B: int) -> Batch:
        tokens = rng.integers(0, 4, (B, length))
        tokens[:, 0], tokens[:, -1] = 6, 7
        early = rng.integers(length // 10, 2 * length // 10, B)
        middle = rng.integers(5 * length // 10, 6 * length // 10, B)
        first, second = rng.integers(0, 2, B), rng.integers(0, 2, B)
        each = np.arange(B)
        tokens[each, early], tokens[each, middle] = 4 + first, 4 + second
        return tokens.T, 2 * first + second, None

    return Task(
        ORDER, *generated(make, seed), measure=Classes(names, source.decode),
        training=Training(batch, 2e-3, 3000, embedding=64),
        options={"length": length, "batch": batch, "seed": seed},
        num_classes=4, source=source, target=names,
    )  # fmt: skip


def recall(*, length: int = 50, symbols: int = 4, batch: int = 32, seed: int = 0) -> Task:
    """Recall: one of `symbols` at the first step, then nothing but distractors; the class is the symbol.

    The lag is as long as the sequence, and nothing else has to be learnt.
    tokens: (length, batch): a b c d, the distractors, are 0 to 3, the symbols A, B, C … are 4 and on.
    labels: which symbol it was, counted from 0.
    """
    at_least("recall", length=(length, 2), symbols=(symbols, 2), batch=(batch, 1), seed=(seed, 0))
    letters = alphabet("recall", symbols)
    source, names = Vocabulary([*"abcd", *letters]), Vocabulary(letters)

    def make(rng: np.random.Generator, B: int) -> Batch:
        labels, tokens = rng.integers(0, symbols, B), rng.integers(0, 4, (B, length))
        tokens[:, 0] = 4 + labels
        return tokens.T, labels, None

    return Task(
        RECALL, *generated(make, seed), measure=Classes(names, source.decode),
        training=Training(batch, 1e-2, 1000, hidden=32, embedding=32),
        options={"length": length, "symbols": symbols, "batch": batch, "seed": seed},
        num_classes=symbols, source=source, target=names,
    )  # fmt: skip


def reversal(*, length: int = 10, shortest: int = 1, symbols: int = 8, batch: int = 50, seed: int = 0) -> Task:
    """Reversal: words of `shortest` to `length` symbols, all lengths equally often, and the same backwards."""
    at_least("reversal", shortest=(shortest, 1), length=(length, shortest), symbols=(symbols, 1))
    at_least("reversal", batch=(batch, 1), seed=(seed, 0))
    letters = alphabet("reversal", symbols)
    source, target = to_read(letters, end="<eos>"), to_write(letters)

    def make(rng: np.random.Generator, B: int) -> Batch:
        lengths = rng.integers(shortest, length + 1, B)
        words = ["".join(letters[i] for i in rng.integers(0, symbols, n)) for n in lengths]
        return pairs_to_batch([(word, word[::-1]) for word in words], source, target)

    return Task(
        REVERSAL, *generated(make, seed), measure=Written(source, target, longest=length + 2),
        training=Training(batch, 3e-3, 1000, hidden=64, embedding=16),
        options={"length": length, "shortest": shortest, "symbols": symbols, "batch": batch, "seed": seed},
        num_classes=len(target), source=source, target=target,
    )  # fmt: skip


def alphabet(task: str, symbols: int) -> list[str]:
    """So many capital letters.  Raises DataError where there are not so many."""
    if symbols > 26:
        raise DataError(f"task {task}: symbols must be at most 26, the letters that name them, got {symbols}")
    return [chr(ord("A") + i) for i in range(symbols)]


def generated(make: Callable[[np.random.Generator, int], Batch], seed: int) -> tuple[Generated, Generated, Generated]:
    """The parts of a task that makes its examples anew: measured on seeds of their own."""
    return Generated(make, seed=(seed, 0)), Generated(make, seed=(seed, 1)), Generated(make, seed=(seed, 2))

