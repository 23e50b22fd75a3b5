"""Batches: every example once an epoch, in an order that can be saved and gone on with."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import checkpoint
from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.models.training import Batches

SIZES = st.integers(1, 12)


@given(size=SIZES, batch_size=SIZES, shuffle=st.booleans(), epochs=st.integers(1, 3))
def test_every_example_comes_once_an_epoch(size, batch_size, shuffle, epochs):
    """In batches of the size asked for, but the last; in another order each time, or always the same."""
    batches, rng = Batches(np.arange(size), batch_size=batch_size, shuffle=shuffle), np.random.default_rng(0)
    for epoch in range(1, epochs + 1):
        drawn = [batches.draw(rng)[0] for _ in range(len(batches))]

        assert batches.epoch == epoch
        assert [len(batch) for batch in drawn[:-1]] == [batch_size] * (len(batches) - 1)
        assert sorted(np.concatenate(drawn)) == list(range(size))
        assert shuffle or list(np.concatenate(drawn)) == list(range(size))


@given(size=SIZES, batch_size=SIZES)
def test_a_small_last_batch_can_be_left_out(size, batch_size):
    """Then all batches are of one size, and other examples are left out each time."""
    if size < batch_size:
        with pytest.raises(SequenceError, match=f"got {size} examples, less than one batch of {batch_size}"):
            Batches(np.arange(size), batch_size=batch_size, drop_last=True)
        return
    batches, rng = Batches(np.arange(size), batch_size=batch_size, drop_last=True), np.random.default_rng(0)
    for _ in range(2):
        drawn = [batches.draw(rng)[0] for _ in range(len(batches))]

        assert {len(batch) for batch in drawn} == {batch_size}
        assert len(set(np.concatenate(drawn))) == len(batches) * batch_size


@given(size=SIZES, batch_size=SIZES, before=st.integers(0, 9), drop_last=st.booleans())
def test_its_place_can_be_saved_and_gone_on_from(size, batch_size, before, drop_last):
    """Also in the middle of an epoch, and through a file: the batches that follow are the same."""
    batch_size = min(size, batch_size)
    first, rng = Batches(np.arange(size), batch_size=batch_size, drop_last=drop_last), np.random.default_rng(0)
    for _ in range(before):
        first.draw(rng)
    second, again = Batches(np.arange(size), batch_size=batch_size, drop_last=drop_last), np.random.default_rng(1)
    arrays = {}
    told = json.dumps(checkpoint.packed(first.state_dict(), "", arrays))
    second.load_state_dict(checkpoint.unpacked(json.loads(told), arrays))
    again.bit_generator.state = rng.bit_generator.state

    for _ in range(7):
        np.testing.assert_array_equal(second.draw(again)[0], first.draw(rng)[0])
    assert second.epoch == first.epoch


def test_arrays_are_cut_along_their_axes():
    """One axis for all of them, or one for each; the places are the same."""
    tokens, labels = np.arange(24).reshape(3, 8), np.arange(8)
    x, y = Batches(tokens, labels, batch_size=5, axis=(1, -1)).draw(np.random.default_rng(0))
    (z,) = Batches(tokens, batch_size=5, axis=1).draw(np.random.default_rng(0))

    assert x.shape == (3, 5)
    np.testing.assert_array_equal(x, tokens[:, y])
    np.testing.assert_array_equal(z, x)


def test_a_list_of_examples_is_collated():
    """Each batch is what `collate` makes of some of them."""
    words = ["a", "bb", "ccc"]
    batches = Batches(words, batch_size=2, collate=lambda some: (some, [len(word) for word in some]))

    drawn = [batches.draw(np.random.default_rng(0))[0] for _ in range(2)]

    assert sorted(word for some in drawn for word in some) == words
    assert list(batches) == [(["a", "bb"], [1, 2]), (["ccc"], [3])]


def test_going_through_it_leaves_its_place():
    """To validate in the middle of an epoch; all examples, also with drop_last, in the order of the data."""
    batches, rng = Batches(np.arange(5), batch_size=2, drop_last=True), np.random.default_rng(0)
    batches.draw(rng)
    before = batches.state_dict()

    assert np.concatenate([x for (x,) in batches]).tolist() == [0, 1, 2, 3, 4]
    assert batches.state_dict() == before


def test_another_state_is_refused():
    """Of other data or other batches; nothing is changed then."""
    batches = Batches(np.arange(5), batch_size=2)
    before = batches.state_dict()
    for other in (Batches(np.arange(6), batch_size=2), Batches(np.arange(5), batch_size=3)):
        with pytest.raises(DataError, match="the state to load is of"):
            batches.load_state_dict(other.state_dict())
    assert batches.state_dict() == before


REFUSALS = {
    "no data": (lambda: Batches(batch_size=2), DataError, "needs arrays, or one list"),
    "no example": (lambda: Batches(np.ones((0, 3)), batch_size=2), SequenceError, "at least one example, got none"),
    "an empty list": (lambda: Batches([], batch_size=2, collate=tuple), SequenceError, "one example, got none"),
    "two lists": (lambda: Batches([1], [2], batch_size=2, collate=tuple), DataError, "got 2 of them"),
    "sizes": (lambda: Batches(np.ones(3), np.ones(4), batch_size=2), ShapeError, r"got \[3, 4\] along axes \[0, 0\]"),
    "axes": (lambda: Batches(np.ones(3), batch_size=2, axis=(0, 1)), DataError, "one for each of 1 arrays"),
    "axis": (lambda: Batches(np.ones(3), batch_size=2, axis=1), ShapeError, r"array 0 of shape \(3,\) has no axis 1"),
    "batch of 0": (lambda: Batches(np.ones(3), batch_size=0), DataError, "batch_size must be a positive integer"),
    "batch of a half": (lambda: Batches(np.ones(3), batch_size=0.5), DataError, "positive integer, got 0.5"),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_makes_no_batches_is_refused(call, kind, message):
    """The error says what was given."""
    with pytest.raises(kind, match=message):
        call()
