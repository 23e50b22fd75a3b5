"""Metrics: each agrees with its definition, written out the slow way, and refuses what has no answer."""

from functools import cache
from math import e, inf, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.models.training import metrics

WORDS = st.text("ab글", max_size=6)
PAIRS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5)


def slow_distance(a, b):
    """The definition: the best of deleting, inserting, or replacing the first."""

    @cache
    def distance(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        return min(distance(i + 1, j) + 1, distance(i, j + 1) + 1, distance(i + 1, j + 1) + (a[i] != b[j]))

    return distance(0, 0)


@given(a=WORDS, b=WORDS)
def test_the_edit_distance_is_the_least_number_of_edits(a, b):
    """As by its definition; also of lists and of arrays of tokens."""
    expected = slow_distance(a, b)

    assert metrics.edit_distance(a, b) == expected
    assert metrics.edit_distance(list(a), list(b)) == expected
    assert metrics.edit_distance(np.array([ord(c) for c in a], int), np.array([ord(c) for c in b], int)) == expected


@given(a=WORDS, b=WORDS, c=WORDS)
def test_the_edit_distance_is_a_distance(a, b, c):
    """0 only between equals, the same both ways, never longer than by way of a third."""
    d = metrics.edit_distance

    assert (d(a, b) == 0) == (a == b)
    assert d(a, b) == d(b, a)
    assert d(a, c) <= d(a, b) + d(b, c)


@given(pairs=PAIRS)
def test_the_error_rate_adds_up_edits_and_characters(pairs):
    """Of all texts together, not the mean of their rates."""
    predictions, references = zip(*pairs)
    length = sum(map(len, references))
    if length:
        edits = sum(slow_distance(p, r) for p, r in pairs)
        assert metrics.character_error_rate(predictions, references) == edits / length
    else:
        with pytest.raises(SequenceError, match="all are empty"):
            metrics.character_error_rate(predictions, references)


@given(pairs=PAIRS)
def test_exact_match_counts_equals(pairs):
    """Texts, lists of tokens, and arrays."""
    predictions, references = zip(*pairs)
    expected = np.mean([p == r for p, r in pairs])
    arrays = [[np.array([ord(c) for c in text], int) for text in texts] for texts in (predictions, references)]

    assert metrics.exact_match(predictions, references) == expected
    assert metrics.exact_match(*arrays) == expected


def test_accuracy_leaves_out_what_is_ignored():
    """A share of the labels that count, of any shape."""
    assert metrics.accuracy([1, 2, 3], [1, 2, 0]) == 2 / 3
    assert metrics.accuracy([[1, 2], [3, 4]], [[1, -100], [0, -100]], ignore_index=-100) == 0.5
    assert metrics.accuracy(3, 3) == 1.0


def test_units():
    """Nats into tokens and bits."""
    assert metrics.perplexity(1.0) == e
    assert metrics.perplexity(10_000.0) == inf
    assert metrics.bits_per_character(log(2), 2.5) == 2.5
    assert metrics.mean_loss([1.0, 2.0]) == 1.5
    assert metrics.mean_loss((x for x in [1.0, 2.0]), sizes=(n for n in [3, 1])) == 1.25


REFUSALS = {
    "accuracy of nothing": (lambda: metrics.accuracy([], []), SequenceError, "at least one target"),
    "accuracy, all ignored": (lambda: metrics.accuracy([1], [0], ignore_index=0), SequenceError, "got 1 and all are"),
    "accuracy of logits": (lambda: metrics.accuracy(np.ones((2, 3)), [1, 2]), ShapeError, r"\(2, 3\) and .*argmax"),
    "mean of no loss": (lambda: metrics.mean_loss([]), SequenceError, "at least one loss"),
    "mean of empty batches": (lambda: metrics.mean_loss([1.0], [0]), SequenceError, "not empty"),
    "mean, sizes missing": (lambda: metrics.mean_loss([1.0, 2.0], [1]), ShapeError, "got 2 losses and 1 sizes"),
    "perplexity of NaN": (lambda: metrics.perplexity(nan), DataError, "perplexity needs a cross-entropy"),
    "bits below 0": (lambda: metrics.bits_per_character(-1.0), DataError, "at least 0, got -1.0"),
    "match of nothing": (lambda: metrics.exact_match([], []), SequenceError, "at least one reference"),
    "match, one missing": (lambda: metrics.exact_match(["a"], []), ShapeError, "got 1 and 0"),
    "rate of one text": (lambda: metrics.character_error_rate("ab", ["ab"]), DataError, "put it in brackets"),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_has_no_answer_is_refused(call, kind, message):
    """An empty mean is no number; the error says what was given."""
    with pytest.raises(kind, match=message):
        call()


def test_it_is_known_which_way_is_better():
    """Every metric of the table at the top of the module."""
    named = {"loss" if name == "mean_loss" else name for name in metrics.__all__ if name != "BETTER"}

    assert set(metrics.BETTER) == named
    lines = [line.strip() for line in metrics.__doc__.splitlines()]  # Python 3.13 takes the indentation away
    for name, better in metrics.BETTER.items():
        line = next(line for line in lines if line.startswith(f"{name} "))
        assert line.endswith("more is better" if better == "max" else "less is better")
