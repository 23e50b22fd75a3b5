"""tinygrad_seq.gradflow.squashing: the share of units past a threshold, by step and by gate."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Op, Tensor, Value, manual_seed, no_grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, GradientError
from tinygrad_seq.gradflow import saturation
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.trace import Trace, columns_of

LETTERS = np.eye(4)[np.random.default_rng(0).integers(0, 4, (6, 5))] * 20  # (T, batch, 4), far out


def record(layer, T=6, lengths=None):
    """The outputs of a layer, as one record."""
    output, _ = layer(Tensor(LETTERS[:T]), lengths=lengths)
    return output.sum()


@settings(max_examples=25)
@given(st.sampled_from([RNN, LSTM, GRU]), st.integers(0, 50), st.floats(0.5, 0.999))
def test_the_shares_are_those_of_the_trace(cls, seed, threshold):
    """Each gate's share is counted by hand from its values; both ends add up; the array is names × steps."""
    manual_seed(seed)
    loss = record(cls(4, 3))
    trace, found = Trace(loss), saturation(loss, threshold=threshold)

    for name in {*found.names} - {"tanh(C)"}:
        values, i = trace[name], found.names.index(name)
        tanh = name in ("h", "C̃", "n")
        low, high = values < (-threshold if tanh else 1 - threshold), values > threshold
        np.testing.assert_allclose(found.low[i], low.mean(axis=(1, 2)))
        np.testing.assert_allclose(found.high[i], high.mean(axis=(1, 2)))
    np.testing.assert_array_equal(np.asarray(found), found.low + found.high)
    assert found.share.shape == (len(found.names), len(found.t)) == (len(found), 6)


@settings(max_examples=25)
@given(st.integers(0, 50), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_a_higher_threshold_finds_fewer(seed, a, b):
    """The share never grows with the threshold, and is a share."""
    manual_seed(seed)
    loss = record(LSTM(4, 3))
    less, more = (saturation(loss, threshold=x).share for x in sorted((a, b)))

    assert (less >= more).all()
    assert (more >= 0).all()
    assert (less <= 1).all()


def test_gates_go_by_their_letters():
    """An LSTM's are i, f, C̃, o and the tanh of C; a GRU's r, z and n; in two layers with the layer's name."""
    assert saturation(record(LSTM(4, 3))).names == ["i", "f", "C̃", "o", "tanh(C)"]
    assert saturation(record(GRU(4, 3))).names == ["r", "z", "n"]
    assert saturation(record(RNN(4, 3, num_layers=2))).names == ["l0/h", "l1/h"]


def test_a_gate_that_is_held_open_is_all_high():
    """A forget gate with a bias of 500 is saturated at its upper end at every step, and at no lower one."""
    layer = LSTM(4, 3, forget_bias=500.0)
    found = saturation(record(layer, 4))

    assert found.high[found.names.index("f")].tolist() == [1.0] * 4
    assert found.low[found.names.index("f")].tolist() == [0.0] * 4


def test_weights_of_zero_saturate_nothing():
    """At 0 a tanh is 0 and a sigmoid a half: the middle of both."""
    found = saturation([F.tanh(Tensor([0.0], requires_grad=True)), F.sigmoid(Tensor([0.0], requires_grad=True))])

    assert found.outside == {"tanh": 0.0, "sigmoid": 0.0}
    assert found.share.shape == (0, 0)


def test_what_is_at_the_threshold_is_not_past_it():
    """Of -.9, .9 and what lies beyond, only the latter counts."""
    x = Tensor(np.arctanh([-0.95, -0.9, 0.0, 0.9, 0.95]), requires_grad=True)
    for _, one in steps([1.0]):
        h = F.tanh(x * one).named("h")
    threshold = float(np.abs(h.data[[1, 3]]).max())

    found = saturation(h.sum(), threshold=threshold)
    assert (found.low.item(), found.high.item()) == (0.2, 0.2)


def test_a_ragged_batch_counts_what_is_in_it():
    """With lengths only sequences that still go on count; without, all rows do."""
    lengths = np.array([6, 4, 4, 2, 1])
    manual_seed(1)
    loss = record(LSTM(4, 3), lengths=lengths)
    found, trace = saturation(loss, threshold=0.8, lengths=lengths), Trace(loss)

    for t in range(6):
        f = trace["f"][t][lengths > t]
        assert found.share[found.names.index("f"), t] == pytest.approx(np.mean((f < 0.2) | (f > 0.8)))
    with pytest.raises(DataError, match="has 5 sequences"):
        saturation(loss, lengths=[1, 2])


def test_after_every_sequence_has_ended_there_is_no_share():
    """NaN, not 0: nothing was measured."""
    found = saturation(record(RNN(4, 3)), lengths=np.full(5, 4))

    assert np.isnan(found.share[0]).tolist() == [False] * 4 + [True] * 2
    assert "NaN" not in found.table()


def test_what_is_not_a_number_is_no_share():
    """A NaN among the units makes the share NaN."""
    h = Tensor([np.nan, 1.0], requires_grad=True)
    for _, x in steps([5.0, 5.0]):
        h = F.tanh(h * x).named("h")
    found = saturation(h.sum())

    assert np.isnan(found.share).all()
    assert "NaN" in found.table()


def test_values_are_units_too():
    """Scalars of Python have shares of 0 or 1."""
    h = Value(0.1)
    for _, x in steps([1.0, 50.0]):
        h = (h * x).tanh().named("h")

    assert saturation(h).share.tolist() == [[0.0, 1.0]]


def test_unnamed_ones_go_by_their_function_and_scope():
    """Two unnamed tanh of a step are told apart by number, and a scope is part of the name."""
    h = Tensor([0.1], requires_grad=True)
    with scope("cell"):
        for _, x in steps([1.0, 1.0]):
            h = F.tanh(F.tanh(h * x) * 3.0)

    found = saturation(h.sum())
    assert found.names == ["cell/tanh#1", "cell/tanh#2"]
    assert found.share.shape == (2, 2)


def test_every_node_has_its_share():
    """For a drawing: each node looked at, with the share of its step."""
    loss = record(LSTM(4, 3))
    found = saturation(loss)

    for i, name in enumerate(("i", "f", "C̃", "o")):
        assert [found.of[node] for node in Trace(loss).nodes(name)] == found.share[i].tolist()
    assert len(found.nodes) == 5 * 6


def test_other_functions_are_not_looked_at():
    """hard_tanh, relu and an op of one's own that is called tanh are none of them."""
    own = Op(lambda x: 2.0 * x, lambda g, out, x: (2.0 * g,), name="tanh")
    x = Tensor([5.0], requires_grad=True)
    for _, one in steps([1.0]):
        y = F.relu(own(x * one))

    with pytest.raises(GradientError, match="no tanh and no sigmoid"):
        saturation(y.sum())


def test_a_record_without_history_is_told_of():
    """Under no_grad there is nothing to look at, and the message says so."""
    with no_grad():
        loss = record(RNN(4, 3))

    with pytest.raises(GradientError, match="no_grad"):
        saturation(loss)


@pytest.mark.parametrize("threshold", [0.4, 1.0, -1, float("nan")])
def test_a_threshold_is_a_place_in_the_upper_half(threshold):
    """Below .5 both ends of a sigmoid would overlap; at 1 there is nothing beyond."""
    with pytest.raises(DataError, match="threshold must be"):
        saturation(Tensor([1.0], requires_grad=True).tanh(), threshold=threshold)


def test_the_table_lines_up():
    """Letters with marks above and Hangul take the columns that they take."""
    manual_seed(0)
    model = ManyToMany(LSTM(4, 3), 4)
    h = Tensor([2.0], requires_grad=True)
    for _, x in steps([1.0, 2.0]):
        h = F.tanh(h * x).named("은닉")
    loss = model.loss(LETTERS, np.zeros((6, 5), int)) + h.sum()

    lines = saturation(loss, threshold=0.95).table().splitlines()
    assert lines[0].split() == ["name", "share", "low", "high", "most"]
    assert [line.split()[0] for line in lines[1:]] == ["은닉", "rnn/i", "rnn/f", "rnn/C̃", "rnn/o", "rnn/tanh(C)"]
    assert {columns_of(line[: re.search(r"  \d", line).end()]) for line in lines[1:]} == {len("rnn/tanh(C)  1")}
