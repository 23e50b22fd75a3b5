"""Maps of influence and saturation, and the gradient of a shared weight as the sum of its parts."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from tinygrad_seq import Graph, Tensor, gradflow, steps
from tinygrad_seq.viz import plot_influence, plot_parts, plot_saturation
from viz_records import lstm, rnn

MAGNITUDES = st.floats(0, 1e300) | st.sampled_from([0.0, 1e-310, np.inf, np.nan])
MATRICES = npst.arrays(float, npst.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=MAGNITUDES)


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def hatched(ax):
    """The cells (row, column) that are grey and hatched."""
    boxes = [path.get_extents() for c in ax.collections if isinstance(c, PolyCollection) for path in c.get_paths()]
    return {(round(b.y0 + 0.5), n) for b in boxes for n in range(round(b.x0 + 0.5), round(b.x1 + 0.5))}


def signs(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def weight_of(loss, name):
    return next(node for node in Graph(loss) if node.name == name)


# ---- influence ------------------------------------------------------------------------


@given(MATRICES)
@settings(max_examples=20)
def test_any_matrix_is_a_map(norms):
    """Exactly 0 is hatched, NaN and Inf are counted, the rest has its colour; every cell is a row of the data."""
    chart = plot_influence(norms)
    shown = np.ma.getmaskarray(chart.images[0].get_array())

    assert hatched(chart.ax) == {(i, j) for i, j in np.argwhere(norms == 0).tolist()}
    assert np.array_equal(shown, ~np.isfinite(norms))
    assert ("exactly 0" in signs(chart.ax)) == (norms == 0).any()
    assert (f"NaN or Inf ({(~np.isfinite(norms)).sum()})" in signs(chart.ax)) == (~np.isfinite(norms)).any()
    assert np.array_equal(chart.data["norm"], norms.ravel(), equal_nan=True)
    assert chart.data["t"].reshape(norms.shape)[:, 0].tolist() == list(range(1, len(norms) + 1))


def test_influence_as_it_was_measured():
    """Of losses on states: names, steps and tokens of the record; the triangle that no future reaches is hatched."""
    loss = rnn(T=4)
    measured = gradflow.influence("L", "h", of=loss)
    chart = plot_influence(measured, tokens=["한", " ", "$l$", "\n"], title="t")

    assert (chart.get_xlabel(), chart.get_ylabel()) == ("$h_s$", "$L_t$")
    assert labels(chart.xaxis) == labels(chart.yaxis) == ["한", "␣", "$l$", "⏎"]
    assert hatched(chart.ax) == {(i, j) for i in range(4) for j in range(4) if j > i}
    assert chart.data["norm"].tolist() == measured.norms.ravel().tolist()
    assert chart.data["token"].tolist() == ["한", " ", "$l$", "\n"] * 4
    assert chart.data["output"][:5].tolist() == ["한"] * 4 + [" "]


@pytest.mark.parametrize("shape", [(1, 1), (200, 200), (3, 150)])
def test_a_map_of_any_size_fits_a_page(shape):
    """Without tokens every second, fifth or tenth step has its number; a title has room."""
    chart = plot_influence(np.ones(shape), title="a long title over a small map", dark=True)
    figure = chart.figure
    figure.draw_without_rendering()

    assert max(figure.get_size_inches()) <= 12
    assert chart.ax.title.get_text() == ""
    assert chart.ax._left_title.get_window_extent().x1 <= figure.bbox.width
    assert all(label.isdigit() for label in labels(chart.xaxis))


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones((0, 3)), [[-1.0]], 3])
def test_what_is_no_influence_is_refused(wrong):
    """Never an empty picture."""
    with pytest.raises(ValueError, match="plot_influence needs magnitudes"):
        plot_influence(wrong)


def test_tokens_must_be_as_many_as_steps():
    """Of inputs, of outputs, and of a map of saturation."""
    with pytest.raises(ValueError, match="tokens must have one entry for each of the 3 steps, got 2"):
        plot_influence(np.ones((2, 3)), tokens="ab")
    with pytest.raises(ValueError, match="outputs must have one entry for each of the 2 steps, got 3"):
        plot_influence(np.ones((2, 3)), outputs="abc")
    with pytest.raises(ValueError, match="2 steps, got 1"):
        plot_saturation(SimpleNamespace(names=["f"], t=[1, 2], share=[[0, 1]]), tokens="a")


# ---- saturation -----------------------------------------------------------------------


def test_saturation_as_it_was_measured():
    """A row for each gate, a column for each step, all on the scale from 0 to 1."""
    measured = gradflow.saturation(lstm(), threshold=0.6)
    chart = plot_saturation(measured, tokens=["한", "E", "L", "L"])
    drawn = np.asarray(chart.images[0].get_array())

    assert labels(chart.yaxis) == measured.names
    assert np.array_equal(drawn, measured.share, equal_nan=True)
    assert chart.images[0].get_clim() == (0, 1)
    assert np.array_equal(chart.data["share"], measured.share.ravel(), equal_nan=True)
    assert np.array_equal(chart.data["low"] + chart.data["high"], chart.data["share"], equal_nan=True)
    assert chart.data["gate"][:4].tolist() == [measured.names[0]] * 4


def test_where_there_is_no_such_unit_it_is_hatched():
    """And the legend says so; in axes of one's own too."""
    source = SimpleNamespace(names=["f", "한"], t=[1, 2, 3], share=[[np.nan, 0, 1], [0.5, 0.5, np.nan]])

    for ax in (None, Figure().subplots()):
        chart = plot_saturation(source, ax=ax)
        assert hatched(chart.ax) == {(0, 0), (1, 2)}
        assert signs(chart.ax) == ["no such unit at this step, or NaN"]


@pytest.mark.parametrize("wrong", [np.ones((2, 2)), SimpleNamespace(names=[], t=[], share=np.zeros((0, 0)))])
def test_what_is_no_saturation_is_refused(wrong):
    """Never an empty picture."""
    with pytest.raises((TypeError, ValueError), match="plot_saturation needs"):
        plot_saturation(wrong)


# ---- parts of a gradient --------------------------------------------------------------


def test_shares_add_up_to_the_whole():
    """By step, by gate on top of each other, by use: 1 in all; a bar is as long as its share, from 0 on or further."""
    loss = lstm()
    parts = gradflow.parts(loss, weight_of(loss, "W"))
    for by in ("step", "gate", "use"):
        chart = plot_parts(parts, by=by, of="share")
        bars = [bar for bar in chart.patches if bar.get_height()]
        assert chart.data["share"].sum() == pytest.approx(1)
        assert sorted(bar.get_height() for bar in bars) == pytest.approx(sorted(filter(None, chart.data["share"])))
    by_step = dict(zip(parts.t.tolist(), parts.shares.tolist()))
    data = plot_parts(parts, by="gate", of="share").data
    assert {t: data["share"][data["t"] == t].sum() for t in by_step} == pytest.approx(by_step)


def test_stacked_bars_touch_and_do_not_overlap():
    """At each step those above 0 stand on each other, and those below hang from each other."""
    shares = {"f": [0.5, -0.25], "i": [-0.125, -0.5], "o": [0.25, 1.125]}
    parts = type("Parts", (), {"t": np.array([1, 2]), "gate_shares": shares, "__array__": lambda *a, **k: np.ones(2)})()
    chart = plot_parts(parts, by="gate", of="share")
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in chart.patches]

    assert ends == [(0, 0.5), (0, -0.25), (0, -0.125), (-0.25, -0.75), (0.5, 0.75), (0, 1.125)]
    low, high = chart.get_ylim()
    assert low < -0.75
    assert high > 1.125
    assert chart.data["gate"].tolist() == ["f", "f", "i", "i", "o", "o"]


def test_gates_are_lines_of_lengths():
    """Lengths are not stacked: a line for each gate, as parts has them; its token and gate in the data."""
    loss = lstm()
    parts = gradflow.parts(loss, weight_of(loss, "W"))
    chart = plot_parts(parts, by="gate", tokens="HELL")
    lines = {one.get_label(): one.get_ydata() for one in chart.lines}

    for gate, norms in parts.gate_norms.items():
        assert lines[gate][norms > 0] == pytest.approx(norms[norms > 0])
        assert chart.data["norm"][chart.data["gate"] == gate] == pytest.approx(norms)
    assert list(chart.data) == ["t", "token", "gate", "norm"]
    assert chart.data["token"].tolist() == list("HELL") * len(parts.gate_norms)


def test_each_use_is_a_bar():
    """Of a weight that each step uses twice: twice as many, two kinds told apart by lines through them."""
    w, h = Tensor([0.5], requires_grad=True, name="w"), Tensor([1.0])
    for _, x in steps([1.0, 2.0, 3.0]):
        h = ((h * w).tanh() + w / x).named("h")
    parts = gradflow.parts(h.sum(), w)
    chart = plot_parts(parts, by="use", tokens=["한", "b", "c"])
    bars = [bar for bar in chart.patches if bar.get_height() > 0]

    assert [bar.get_height() for bar in bars] == pytest.approx(parts.use_norms)
    assert chart.data["norm"] == pytest.approx(parts.use_norms)
    assert len(bars) == 6
    assert len({bar.get_hatch() for bar in bars}) == len({*chart.data["use"]}) == 2
    assert chart.data["token"].tolist() == ["한", "한", "b", "b", "c", "c"]


def test_what_is_outside_of_time_is_said():
    """A penalty on the weight: the shares of the steps do not add up to 1, and the chart says what is left."""
    w, h = Tensor([0.5], requires_grad=True, name="w"), Tensor([1.0])
    for _, x in steps([1.0, 2.0]):
        h = (h * w + x).named("h")
    chart = plot_parts((h + w * w).sum(), w, of="share")

    assert 1 - chart.data["share"].sum() == pytest.approx(1 / 3)
    assert [text.get_text() for text in chart.texts] == ["outside of time: 0.333"]


def test_what_has_no_parts_is_refused():
    """A gradient of 0 has no shares, an array no gates and uses, and other words are no choice."""
    h, w = Tensor([0.0]), Tensor([0.5], requires_grad=True)
    for _, _x in steps([1.0, 2.0]):
        h = h * w
    series = gradflow.Series("h", [1, 2], [1.0, 2.0])
    with pytest.raises(ValueError, match=r'exactly 0, .* use of="norm"'):
        plot_parts(h.sum(), w, of="share")
    for by, of in (("gate", "norm"), ("gate", "share"), ("use", "norm"), ("step", "share")):
        with pytest.raises(TypeError, match=r"gradflow\.parts gives"):
            plot_parts(series, by=by, of=of)
    with pytest.raises(ValueError, match="'step', 'gate', 'use', got 'layer'"):
        plot_parts(series, by="layer")
    with pytest.raises(ValueError, match="'norm', 'share', got 'sum'"):
        plot_parts(series, of="sum")
