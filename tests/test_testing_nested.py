"""What holds tensors is searched, and built again with others in their places; and how far two arrays differ."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from tinygrad_seq import Tensor
from tinygrad_seq.testing.layers.nested import changed, changed_by, exchanged, named_in, offset, tensors_in


class Pair(NamedTuple):
    h: Any
    C: Any


@dataclass
class Box:
    inside: Any
    name: str = "box"


A, B, INDEX = Tensor([1.0, 2.0]), Tensor([[3.0]]), Tensor([1, 2])
THING = {"state": Pair(A, [B, None]), "box": Box((INDEX, 3)), 7: np.array([True])}


def test_all_are_found_with_where_they_stand():
    """In the order they stand in; tokens and masks are found, and are no tensors of floats."""
    assert [name for name, _ in named_in(THING, "x")] == ["x.state.h", "x.state.C.0", "x.box.inside.0", "x.7"]
    assert tensors_in(THING) == [A, B]


def test_what_is_built_again_is_built_alike():
    """Each container is of its kind; what is no array is the same."""
    again = exchanged(THING, lambda x: np.shape(x))

    assert again == {"state": Pair((2,), [(1, 1), None]), "box": Box(((2,), 3)), 7: (1,)}
    assert type(again["state"]) is Pair


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("a", "b", "off", "words"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5, "changes by 0.5"),
        (3, 5, 2.0, "changes by 2"),
        ([NAN, 1.0], [NAN, 1.0], 0.0, "changes by 0"),
        ([INF, 1.0], [INF, 1.0], 0.0, "changes by 0"),
        ([1.0], [NAN], INF, "becomes NaN"),
        ([1.0], [INF], INF, "changes by inf"),
        ([1.0], [[1.0]], INF, "changes its shape from (1,) to (1, 1)"),
        ([], [], 0.0, "changes by 0"),
        ([True, False], [True, True], 1.0, "changes by 1"),
    ],
)
def test_a_difference_in_numbers_and_in_words(a, b, off, words):
    """NaN is equal to NaN, infinity to itself, and shapes differ infinitely."""
    assert offset(a, b) == off
    assert changed(a, b) == (off > 0)
    assert changed_by(a, b) == words


def test_a_difference_may_be_a_share_of_the_largest_number():
    """And of 1 where all are small, or not finite."""
    assert not changed([1e6, 1.0], [1e6, 1.5], 1e-6)
    assert changed([1e3, 1.0], [1e3, 1.5], 1e-6)
    assert not changed([0.0, INF], [1e-7, INF], 1e-6)
