"""Gates over time: the colours are the values that the record has, unit by unit and step by step."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from tinygrad_seq import Tensor, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError, UnknownNameError
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.trace import Trace
from tinygrad_seq.value import Value
from tinygrad_seq.viz import PictureTooLargeError, plot_gates
from viz_records import gru, lstm


def record(layer, T=5, seed=0):
    model = ManyToMany(layer, 4)
    tokens = np.arange(T) % 4
    loss = model.loss(tokens, tokens)
    loss.backward()
    return loss


def maps_of(figure):
    return {ax.get_title("left"): ax for ax in figure.axes}


def shown(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def gate(values, name="z", op=None, batch=False):
    """A record whose gate has these values, (T, units)."""
    loss, inputs = [], np.array(values, float)
    for _, x in steps(inputs[:, None] if batch else inputs):
        z = (op or (lambda x: x * 1.0))(Tensor(x, requires_grad=True)).named(name)
        loss.append(z.sum())
    return sum(loss)


# ---- what is drawn --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "names"), [(LSTM(4, 6), ["i", "f", "C̃", "o"]), (GRU(4, 6), ["r", "z", "n"]), (RNN(4, 6), ["h"])]
)
def test_all_gates_are_found(layer, names):
    """What sigmoid or tanh has made, in the order of its making; rows are units, columns are steps."""
    loss = record(layer)
    trace, maps = Trace(loss), maps_of(plot_gates(loss))

    assert list(maps) == names
    assert all(np.array_equal(shown(ax), trace[name][:, :].T) for name, ax in maps.items())


@given(T=st.integers(1, 6), n=st.integers(1, 5), of=st.sampled_from(["value", "grad"]), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_colours_are_what_the_record_has(T, n, of, seed):
    """Values as they are; of gradients the size, whose zeros are hatched."""
    x = np.random.default_rng(seed).normal(size=(T, n)) * np.random.default_rng(seed).integers(0, 2, (T, n))
    h, C = Tensor(np.zeros(n), requires_grad=True), 0.0
    for _, row in steps(x):
        f = F.sigmoid(h + row).named("f")
        C = f * row + C
        h = F.tanh(C).named("h")
    loss = h.sum()
    loss.backward()
    trace, maps = Trace(loss), maps_of(plot_gates(loss, of=of))

    assert list(maps) == ["f", "h"]
    for name, ax in maps.items():
        expected = trace[name].T if of == "value" else np.abs(trace.grad(name)).T
        assert np.array_equal(shown(ax), expected)
        if of == "grad":
            assert sum(round(p.get_extents().width) for p in hatching(ax)) == (expected == 0).sum()


def hatching(ax):
    return [path for c in ax.collections if c.get_hatch() for path in c.get_paths()]


@pytest.mark.parametrize(
    ("values", "op", "limits"),
    [
        ([[0.2, 0.7]], F.sigmoid, (0, 1)),
        ([[2.0, 0.7]], F.tanh, (-1, 1)),
        ([[0.2, 0.7]], None, (0, 1)),
        ([[-0.2, 0.7]], None, (-1, 1)),
        ([[-5.0, 0.7]], None, (-5, 5)),
        ([[3.0, 0.0]], None, (0, 3)),
        ([[np.nan, np.inf]], None, (0, 1)),
    ],
)
def test_the_scale_is_that_of_the_gate(values, op, limits):
    """A sigmoid is between 0 and 1, a tanh between -1 and 1; what goes further has a longer scale."""
    (ax,) = plot_gates(gate(values, op=op), ["z"]).axes

    assert ax.images[0].get_clim() == limits


def test_gradients_have_one_logarithmic_scale():
    """In whole decades around all that is not zero, also where there is nothing."""
    loss = record(LSTM(4, 6))
    grads = np.concatenate([np.abs(Trace(loss).grad(name)).ravel() for name in "ifo"])
    scales = [ax.images[0].norm for ax in plot_gates(loss, list("ifo"), of="grad").axes]
    low, high = scales[0].vmin, scales[0].vmax

    assert all(isinstance(scale, LogNorm) and (scale.vmin, scale.vmax) == (low, high) for scale in scales)
    assert low <= grads[grads > 0].min() < 10 * low
    assert high / 10 < grads.max() <= high
    zero = gate([[1.0]], op=lambda x: x.sigmoid() * 0.0)
    zero.backward()
    plot_gates(zero, ["z"], of="grad").savefig(io.BytesIO())


def test_what_is_not_finite_is_counted():
    """It has a colour of its own, and stands in the name of the map."""
    (ax,) = plot_gates(gate([[0.5, np.nan], [np.inf, np.inf]]), ["z"], title="t").axes

    assert ax.get_title("left") == "z   3 NaN or Inf"
    assert np.isnan(shown(ax)).tolist() == [[False, True], [True, True]]


def test_one_sequence_of_the_batch_is_drawn():
    """The first, or the one that is asked for, also counted from the end."""
    loss = record_of_batch()
    values = Trace(loss)["z"]
    drawn = {batch: shown(plot_gates(loss, batch=batch).axes[0]) for batch in (0, 2, -1)}

    assert values.shape == (4, 3, 2)
    assert np.array_equal(drawn[0], values[:, 0].T)
    assert np.array_equal(drawn[2], values[:, 2].T)
    assert np.array_equal(drawn[-1], values[:, 2].T)
    with pytest.raises(IndexError, match="'z' has a batch of 3, which has no sequence 3"):
        plot_gates(loss, batch=3)


def record_of_batch():
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    return sum(F.sigmoid(Tensor(row, requires_grad=True)).named("z").sum() for _, row in steps(x))


def test_values_are_a_map_of_one_row():
    """The gates of a model of single numbers."""
    h = Value(0.5)
    for _, x in steps([1.0, -2.0]):
        h = (h * x).tanh().named("h")
    (ax,) = plot_gates(h).axes

    assert shown(ax).shape == (1, 2)
    assert labels(ax.yaxis) == ["1"]


# ---- which gates ----------------------------------------------------------------------


def test_gates_are_named_as_a_trace_names_them():
    """By name or path, in the order given, one alone too; a Trace does as well as a loss."""
    loss = record(LSTM(4, 6, num_layers=2))

    assert list(maps_of(plot_gates(loss, ["l1/f", "l0/f", "l1/C"]))) == ["l1/f", "l0/f", "l1/C"]
    assert list(maps_of(plot_gates(Trace(loss), ("o", "f"), scope="l1"))) == ["o", "f"]
    assert list(maps_of(plot_gates(lstm(), "f"))) == ["f"]
    assert list(maps_of(plot_gates(gru()))) == ["z", "r", "h̃"]


def test_layers_stand_side_by_side():
    """A column for each layer and direction where there is room for its steps, else one under the other."""
    few, many = (record(GRU(4, 2, num_layers=2, bidirectional=True), T) for T in (3, 30))
    places = [{ax.get_position().x0 for ax in plot_gates(loss).axes} for loss in (few, many)]

    assert list(map(len, places)) == [4, 1]
    assert list(maps_of(plot_gates(few)))[:4] == ["l0/r", "l0_reverse/r", "l1/r", "l1_reverse/r"]
    assert list(maps_of(plot_gates(few, scope="l1_reverse"))) == ["r", "z", "n"]


def test_what_is_not_there_is_said():
    """The error is the Trace's own, or says what the record has."""
    loss = record(LSTM(4, 6, num_layers=2))

    with pytest.raises(UnknownNameError, match="no series 'forget'"):
        plot_gates(loss, ["forget"])
    with pytest.raises(UnknownNameError, match="'f' may be any of rnn/l0/f, rnn/l1/f"):
        plot_gates(loss, ["f"])
    with pytest.raises(UnknownNameError, match=r"no gate in the scope 'l7'.*rnn/l0/i"):
        plot_gates(loss, scope="l7")
    with pytest.raises(UnknownNameError, match=r"no gate, .* it has x; say which with names"):
        plot_gates(gate([[1.0]], name="x"))
    with pytest.raises(ValueError, match='"value" or "grad", got \'norm\''):
        plot_gates(loss, of="norm")
    with pytest.raises(ValueError, match="at least one"):
        plot_gates(loss, [])
    with pytest.raises(GradientError, match=r"call loss\.backward"):
        plot_gates(lstm(), of="grad")
    with pytest.raises(PictureTooLargeError, match="50 gates are more than the 40"):
        plot_gates(lstm(), ["f"] * 50)


# ---- time -----------------------------------------------------------------------------


def test_tokens_stand_under_the_lowest_map():
    """And the steps over the first; without tokens the steps stand below."""
    loss = record(LSTM(4, 6))
    with_tokens, without = plot_gates(loss, tokens=["H", " ", "안녕", "\n", "O"]).axes, plot_gates(loss).axes

    assert [labels(ax.xaxis) for ax in with_tokens] == [[], [], [], ["H", "␣", "안녕", "⏎", "O"]]
    assert [labels(ax.xaxis) for ax in without] == [[], [], [], ["1", "2", "3", "4", "5"]]
    above = with_tokens[0].child_axes[0]
    assert labels(above.xaxis) == ["1", "2", "3", "4", "5"]


def test_parts_of_different_length_have_their_own_time():
    """An encoder of 2 steps beside a decoder of 3: each map has its steps, and tokens need one part."""
    loss = gate([[0.1], [0.2]], "f", F.sigmoid) + 0.0
    with scope("decoder"):
        loss = loss + gate([[0.1], [0.2], [0.3]], "z", F.sigmoid)
    figure = plot_gates(loss)

    assert [labels(ax.xaxis) for ax in figure.axes] == [["1", "2"], ["1", "2", "3"]]
    with pytest.raises(ValueError, match=r"got 2 for 2 \(f\) and 3 \(decoder/z\) steps"):
        plot_gates(loss, tokens="ab")
    assert len(plot_gates(loss, scope="decoder", tokens="abc").axes) == 1


@pytest.mark.parametrize(
    ("T", "units", "tokens"),
    [(1, 1, True), (1, 1, False), (200, 8, True), (1000, 512, False), (1000, 2, True), (3, 2000, True)],
)
def test_every_size_is_drawn(T, units, tokens):
    """From one step of one unit to a thousand of hundreds, in a figure that a screen can show."""
    loss = gate(np.random.default_rng(0).random((T, units)), op=F.sigmoid)
    figure = plot_gates(loss, tokens=["가"] * T if tokens else None, title="t")
    figure.savefig(io.BytesIO(), dpi=30)
    (ax,) = figure.axes
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]

    assert max(figure.get_size_inches()) <= 24
    assert all(one.x1 <= other.x0 + 1 for one, other in pairwise(boxes))
    assert len(boxes) == T or T > 200 or not tokens


@pytest.mark.parametrize("dark", [False, True])
def test_a_part_of_a_figure_is_drawn_into(dark):
    """A SubFigure of one's own."""
    parts = Figure(figsize=(12, 5)).subfigures(1, 2)
    loss = record(LSTM(4, 6))

    assert plot_gates(loss, figure=parts[0], tokens="HELLO", dark=dark).figure is parts[0]
    assert plot_gates(loss, figure=parts[1], of="grad", dark=dark).figure is parts[1]
    parts[0].figure.savefig(io.BytesIO(), dpi=20)


def test_tokens_must_be_as_many_as_steps():
    """One token a step."""
    with pytest.raises(ValueError, match=r"one entry for each step, got 3 for 5 \(o\) steps"):
        plot_gates(record(LSTM(4, 6)), tokens="HEL")
