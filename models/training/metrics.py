"""How good predictions are, as one number.

    loss                  nats                          less is better
    accuracy              share, 0 to 1                 more is better
    perplexity            tokens                        less is better
    bits_per_character    bits                          less is better
    exact_match           share, 0 to 1                 more is better
    edit_distance         edits                         less is better
    character_error_rate  edits for each character      less is better
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from tinygrad_seq.errors import DataError, SequenceError, ShapeError

__all__ = [
    "BETTER",
    "accuracy",
    "bits_per_character",
    "character_error_rate",
    "edit_distance",
    "exact_match",
    "mean_loss",
    "perplexity",
]

BETTER: dict[str, Literal["min", "max"]] = {
    "loss": "min",
    "accuracy": "max",
    "perplexity": "min",
    "bits_per_character": "min",
    "exact_match": "max",
    "edit_distance": "min",
    "character_error_rate": "min",
}


def mean_loss(losses: Iterable[float], sizes: Iterable[float] | None = None) -> float:
    """The mean of the losses of batches, in the losses' unit; each counts by its size, where sizes are given.

    >>> mean_loss([1.0, 4.0], sizes=[20, 10])
    2.0
    """
    values = np.array([float(x) for x in losses])
    weights = np.ones(len(values)) if sizes is None else np.array([float(n) for n in sizes])
    if values.shape != weights.shape:
        raise ShapeError(f"mean_loss needs a size for each loss, got {len(values)} losses and {len(weights)} sizes")
    if not weights.sum() > 0:
        raise SequenceError("mean_loss needs at least one loss of a batch that is not empty, got none")
    return float(values @ weights / weights.sum())


def accuracy(predictions: Any, targets: Any, *, ignore_index: int | None = None) -> float:
    """The share of the labels that are right, from 0 to 1.

    predictions, targets: integers of one shape.  ignore_index: the target that does not count, such as padding.

    >>> accuracy([[1, 2], [3, 0]], [[1, 2], [4, 9]], ignore_index=9)
    0.6666666666666666
    """
    p, y = np.asarray(predictions), np.asarray(targets)
    if p.shape != y.shape:
        raise ShapeError(
            f"accuracy needs a prediction for each target, got shapes {p.shape} and {y.shape}: of logits take "
            ".argmax(-1) first"
        )
    counted = np.ones(y.shape, bool) if ignore_index is None else y != ignore_index
    if not counted.any():
        raise SequenceError(f"accuracy needs at least one target that counts, got {y.size} and all are ignored")
    return float((p == y)[counted].mean())


def perplexity(nats: float) -> float:
    """e to the mean loss: among how many equally likely tokens the model hesitates.

    nats: the mean cross-entropy of a token.

    >>> round(perplexity(np.log(10)), 9)
    10.0
    """
    nats = not_negative("perplexity", nats)
    return math.exp(nats) if nats < 709 else math.inf


def bits_per_character(nats: float, tokens_per_character: float = 1.0) -> float:
    """The mean loss in bits, for each character.

    nats: the mean cross-entropy of a token.  tokens_per_character: where a token is not a character, such as 2.5 for
    Hangul taken apart into jamo; so models of different tokens can be compared.

    >>> bits_per_character(np.log(2))
    1.0
    """
    return not_negative("bits_per_character", nats) / math.log(2) * tokens_per_character


def exact_match(predictions: Sequence[Any], references: Sequence[Any]) -> float:
    """The share of the sequences, such as texts, that are right from the first token to the last, from 0 to 1.

    >>> exact_match(["2045-10-21", "2034-02-07"], ["2045-10-21", "2034-02-17"])
    0.5
    """
    check_pairs("exact_match", predictions, references)
    return sum(list(p) == list(r) for p, r in zip(predictions, references)) / len(references)


def edit_distance(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many insertions, deletions and substitutions make b of a (Levenshtein 1966).

    A text is a sequence of code points: bring both into one Unicode form first.

    >>> edit_distance("kitten", "sitting")
    3
    """
    before = list(range(len(b) + 1))  # row i: the distances of a[:i] and b[:0], b[:1], …
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
        before = row
    return before[-1]


def character_error_rate(predictions: Sequence[Any], references: Sequence[Any]) -> float:
    """All edits that the predictions need, for each character of the references; 0 is perfect, 1 may be exceeded.

    >>> character_error_rate(["서울", "부산시"], ["서울", "부산"])
    0.25
    """
    check_pairs("character_error_rate", predictions, references)
    length = sum(len(r) for r in references)
    if not length:
        raise SequenceError("character_error_rate needs references with at least one character, all are empty")
    return sum(edit_distance(p, r) for p, r in zip(predictions, references)) / length


# ---- input, checked ------------------------------------------------------------------


def not_negative(metric: str, nats: float) -> float:
    """A cross-entropy."""
    x = float(nats)
    if not x >= 0:
        raise DataError(f"{metric} needs a cross-entropy in nats, a number of at least 0, got {nats!r}")
    return x


def check_pairs(metric: str, predictions: Sequence[Any], references: Sequence[Any]) -> None:
    """As many predictions as references, and at least one; a single text is not a list of texts."""
    if isinstance(predictions, str) or isinstance(references, str):
        raise DataError(f"{metric} needs lists of texts, got a single text: put it in brackets")
    if len(predictions) != len(references):
        raise ShapeError(
            f"{metric} needs a prediction for each reference, got {len(predictions)} and {len(references)}"
        )
    if not len(references):
        raise SequenceError(f"{metric} needs at least one reference, got none")
