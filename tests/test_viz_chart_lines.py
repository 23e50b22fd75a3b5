"""Charts of lines: gradient against distance, memory against delay, singular values, complexity, training as a GIF."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.figure import Figure
from PIL import Image

from tinygrad_seq import Tensor, gradflow, steps
from tinygrad_seq.viz import (
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
    animate_gradient_flow,
    plot_complexity,
    plot_distance,
    plot_memory,
    plot_singular_values,
)
from tinygrad_seq.viz.charts.runs import spread
from viz_records import deep_rnn, lstm, rnn

MAGNITUDES = st.floats(0, 1e300) | st.sampled_from([0.0, 1e-310, np.inf, np.nan])
RUNS = npst.arrays(float, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=MAGNITUDES)


def line(chart, label):
    return next(one for one in chart.lines if one.get_label() == label)


def of(chart, label, name):
    return chart.data[name][chart.data["label"] == label]


def texts(ax):
    return [text.get_text() for text in ax.texts]


# ---- gradient against distance --------------------------------------------------------


@given(RUNS, st.sampled_from(["range", "quartiles"]))
@example(np.full((1, 1), 1e300), "range")
@settings(max_examples=15)
def test_any_runs_are_drawn(runs, band):
    """Zeros, NaN, infinity and what no axis holds: median and band of what is finite, in the order of the numbers."""
    chart = plot_distance({"a": runs}, band=band)
    low, median, high = (chart.data[name] for name in ("low", "median", "high"))
    drawn = line(chart, "a").get_ydata()
    floor, ceiling = chart.get_ylim()

    assert chart.data["distance"].tolist() == list(range(runs.shape[1]))
    assert chart.data["finite"].tolist() == np.isfinite(runs[:, ::-1]).sum(axis=0).tolist()
    assert ((low <= median) & (median <= high) | (chart.data["finite"] == 0)).all()
    assert np.array_equal(np.isnan(median), chart.data["finite"] == 0)
    assert 0 < floor < ceiling < np.inf
    assert np.array_equal(drawn, median.clip(floor, ceiling), equal_nan=True)


@pytest.mark.parametrize("runs", [[1e300], [0.0, 1e300], [1e-310], [0.0], [np.nan], [1e-310, 1e300]])
def test_extreme_runs_are_drawn(runs):
    """Beyond what an axis holds, all zero, all broken: a picture all the same, without a warning."""
    assert len(plot_distance({"a": [runs]}).png(dpi=20)) > 1000


def test_distance_counts_from_the_last_step():
    """The same from arrays and from series, also of a direction that reads from the end; the line ends at the first."""
    series = gradflow.per_step(rnn(T=6, each=False), "h")
    backward = type("Series", (), {"t": series.t[::-1], "__array__": lambda self, *a, **k: series.norms[::-1]})()

    for given_ in (series, [series], series.norms, [series.norms], backward):
        chart = plot_distance({"RNN": given_})
        assert line(chart, "RNN").get_xdata().tolist() == [0, 1, 2, 3, 4, 5]
        assert line(chart, "RNN").get_ydata().tolist() == series.norms[::-1].tolist()
    assert plot_distance({"RNN": series}).get_ylabel() == "‖∂L/∂$h_t$‖"


def test_the_band_is_over_seeds():
    """All of them, or the middle half; the line is the median."""
    runs = np.array([[1.0, 1], [2, 1], [3, 1], [4, 1], [50, 1]])
    whole, half = (plot_distance({"a": runs}, band=band).data for band in ("range", "quartiles"))

    assert [whole[name][1] for name in ("low", "median", "high")] == [1, 3, 50]
    assert [half[name][1] for name in ("low", "median", "high")] == [2, 3, 4]
    with pytest.raises(ValueError, match="'range', 'quartiles', got 'std'"):
        plot_distance({"a": runs}, band="std")


def test_relative_to_the_last_step():
    """Each run by its own value there; where that is 0 there is nothing to be a multiple of."""
    data = plot_distance({"a": [[1.0, 2.0], [30.0, 20.0]]}, relative=True, band="range").data

    assert data["median"].tolist() == [1.0, 1.0]
    assert (data["low"][1], data["high"][1]) == (0.5, 1.5)
    with pytest.raises(ValueError, match="at distance 0"):
        plot_distance({"a": [1.0, 0.0]}, relative=True)


def test_panels_side_by_side_share_their_axis():
    """One for each mapping, named, with the same limits; the rows of the table say of which they are."""
    a, b = {"RNN": [1e-9, 1.0], "LSTM": [0.5, 1.0]}, {"RNN": [1e-3, 1.0]}
    chart = plot_distance({"at initialisation": a, "after 훈련": b}, title="t")

    assert [ax.get_title("left") for ax in chart.axes] == ["at initialisation", "after 훈련"]
    assert len({ax.get_ylim() for ax in chart.axes}) == 1
    assert chart.data["panel"].tolist() == ["at initialisation"] * 4 + ["after 훈련"] * 2
    with pytest.raises(ValueError, match="one panel, got 2"):
        plot_distance({"x": a, "y": b}, ax=Figure().subplots())
    with pytest.raises(TypeError, match="here are both"):
        plot_distance({"x": a, "y": [1.0]})


def test_labels_stand_at_the_ends_and_apart():
    """Each line has its label in the order of their ends; too many lines have a legend."""
    few = plot_distance({name: [10.0**-n, 1.0] for n, name in enumerate(["LSTM", "한글 $x$", "RNN"])})
    heights = {text.get_text(): text.xyann[1] for text in few.texts}
    many = plot_distance({str(n): [1.0, 1.0] for n in range(40)})

    assert sorted(heights, key=heights.get) == ["◆ RNN", "■ 한글 $x$", "● LSTM"]
    assert few.get_legend() is None
    assert len(many.get_legend().get_texts()) == 40
    assert texts(plot_distance({"a": [1.0]}, ax=Figure().subplots())) == []


@given(st.lists(st.floats(-5, 105), min_size=1, max_size=8).map(sorted))
def test_labels_are_spread(wanted):
    """In their order, no two nearer than a gap, none outside; and where all have room, where they want to be."""
    places = spread(wanted, 10.0, 100.0)

    assert (np.diff(places) >= 10 - 1e-9).all()
    assert -1e-9 <= min(places) <= max(places) <= 100 + 1e-9
    if (np.diff(wanted) >= 10).all() and 0 <= wanted[0] and wanted[-1] <= 100:
        assert places == pytest.approx(wanted)


def test_zeros_and_what_is_broken_have_their_signs():
    """A median of 0 at the lower edge; a place where any run is not finite at the upper; the legend says both."""
    chart = plot_distance({"a": [[0.0, 1e-3, 1.0], [0.0, np.nan, 1.0]]})
    signs = {one.get_marker(): one for one in chart.lines}

    assert [text.get_text() for text in chart.get_legend().get_texts()] == ["exactly 0", "NaN or Inf"]
    assert (signs["v"].get_xdata().tolist(), signs["v"].get_ydata()[0]) == ([2], chart.get_ylim()[0])
    assert (signs["X"].get_xdata().tolist(), signs["X"].get_ydata()[0]) == ([1], chart.get_ylim()[1])
    assert chart.data["median"].tolist() == [1.0, 1e-3, 0.0]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"a": []}, {"a": np.ones((2, 0))}, {"a": [[1.0], [1.0, 2.0]]}, {"a": [-1.0]}, {"p": {}}, {"a": "x"}, 3],
)
def test_what_is_no_run_is_refused(wrong):
    """Nothing, runs of different lengths, what is no magnitude: never an empty picture."""
    with pytest.raises((TypeError, ValueError), match=r"plot_distance needs|runs of 'a' must"):
        plot_distance(wrong)


def test_every_line_is_told_apart_in_grey():
    """By its dashes and its sign: the first six have no pair alike."""
    chart = plot_distance({str(n): [10.0**-n, 1.0] for n in range(6)})
    looks = {(str(one.get_linestyle()), str(one._unscaled_dash_pattern), one.get_marker()) for one in chart.lines}

    assert len(looks) == 6


# ---- memory ---------------------------------------------------------------------------


def memory(scores, chance=0.1, delays=None):
    return SimpleNamespace(delays=range(len(scores)) if delays is None else delays, scores=scores, chance=chance)


def test_memory_against_delay():
    """The scores as they are, of seeds the median; and what chance reaches, once where it is the same for all."""
    seeds = [memory([1.0, 0.5]), memory([0.8, 0.3]), memory([0.9, 0.1])]
    chart = plot_memory({"RNN": seeds, "LSTM": memory([1.0, 0.9])})

    assert line(chart, "RNN").get_ydata().tolist() == [0.9, 0.3] == of(chart, "RNN", "median").tolist()
    assert of(chart, "LSTM", "delay").tolist() == [0, 1]
    assert line(chart, "chance, 0.1").get_ydata() == [0.1, 0.1]
    assert chart.data["chance"].tolist() == [0.1] * 4
    assert texts(chart) == ["● RNN", "■ LSTM"]
    two = plot_memory({"a": memory([1.0], 0.5), "b": memory([1.0], 0.25)})
    assert {one.get_label() for one in two.lines} >= {"chance of a, 0.5", "chance of b, 0.25"}


def test_memory_of_one_model_as_it_was_measured():
    """Of what gradflow.memory gives, and in axes of one's own."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 3, (12, 40))
    states = np.eye(3)[inputs]
    chart = plot_memory(gradflow.memory(states, inputs, delays=range(3)), ax=Figure().subplots())

    assert chart.get_ylabel() == "share of inputs that are read off right"
    assert chart.data["median"][0] == 1.0
    assert chart.data["median"][1] < 0.7


@pytest.mark.parametrize("wrong", [{}, {"a": []}, {"a": [1.0]}, memory([]), {"a": [memory([1.0]), memory([1.0, 1.0])]}])
def test_what_is_no_memory_is_refused(wrong):
    """Nothing, no delays, seeds with different ones."""
    with pytest.raises((TypeError, ValueError), match=r"plot_memory needs|runs of 'a' must"):
        plot_memory(wrong)


# ---- singular values ------------------------------------------------------------------


@pytest.mark.parametrize(("units", "bands"), [(3, 0), (12, 2)])
def test_singular_values_by_step(units, bands):
    """The largest as the thick line, others as lines or bands; radius and bound as they were measured."""
    rng = np.random.default_rng(0)
    W, h = Tensor(rng.normal(0, 0.3, (units, units)), requires_grad=True), Tensor(np.zeros(units))
    for _, x in steps(rng.normal(size=(5, units))):
        h = (h @ W + x).tanh().named("h")
    J = gradflow.step_jacobians(h.sum(), "h")
    chart = plot_singular_values(J, tokens="abcd")
    data = chart.data
    values = data["value"][data["kind"] == "singular value"]

    assert values.reshape(4, units) == pytest.approx(J.singular_values)
    assert line(chart, "the largest").get_ydata() == pytest.approx(J.norms)
    assert line(chart, "spectral radius").get_ydata() == pytest.approx(J.spectral_radius)
    assert line(chart, f"upper bound, at most γ = {J.gamma:.3g}").get_ydata() == pytest.approx(J.bounds)
    assert len(chart.collections) == bands
    assert data["token"][: 2 * units].tolist() == ["a"] * units + ["b"] * units


def test_singular_values_of_one_sequence():
    """Of a batch the one that was asked for; 0 and NaN have their signs; t is in order."""
    values = np.array([[[1.0, 0.5], [0.0, 0.0]], [[1.0, 0.5], [np.nan, np.nan]]])
    J = SimpleNamespace(t=[3, 2], singular_values=values, name="한")

    data = plot_singular_values(J, batch=-1).data
    assert (data["t"].tolist(), data["order"].tolist()) == ([2, 2, 3, 3], [1, 2, 1, 2])
    assert np.array_equal(data["value"], [np.nan, np.nan, 0.0, 0.0], equal_nan=True)
    assert plot_singular_values(J, batch=0).data["value"].tolist() == [1.0, 0.5, 1.0, 0.5]
    assert {"exactly 0", "NaN or Inf"} <= {one.get_label() for one in plot_singular_values(J, batch=-1).lines}
    with pytest.raises(IndexError, match="2 sequences, which have no sequence 2"):
        plot_singular_values(J, batch=2)
    with pytest.raises(ValueError, match="2 steps, got 1"):
        plot_singular_values(J, tokens="a")
    with pytest.raises(TypeError, match="step_jacobians"):
        plot_singular_values(values)
    with pytest.raises(ValueError, match="got shape"):
        plot_singular_values(SimpleNamespace(t=[], singular_values=np.zeros((0, 2))))


# ---- complexity -----------------------------------------------------------------------


def recurrent(n, d):
    h, W = Tensor(np.zeros(d)), Tensor(np.eye(d), requires_grad=True)
    for _, x in steps(np.ones((n, d))):
        h = (h @ W + Tensor(x).named("x")).named("h")
    return h


def test_the_complexity_table():
    """What was fitted, in words; what was counted, against n at the largest d; and both in the numbers."""
    law = gradflow.complexity(recurrent, (4, 8), (2, 4), targets="h")
    chart = plot_complexity({"순환 $x$": law, "other": law}, title="t")
    table, *counts = chart.axes
    rows = chart.data["label"] == "other"

    assert "순환 $x$" in texts(table)
    assert texts(table).count(r"$n^{\,1.00}\;d^{\,2.00}$") == 2
    assert [ax.lines[0].get_xdata().tolist() for ax in counts] == [[4, 8]] * 3
    assert counts[0].lines[0].get_ydata().tolist() == [4 * 16, 8 * 16]
    assert chart.data["count"][rows & (chart.data["measure"] == "sequential operations")].tolist() == [8, 16, 16]
    assert set(chart.data["d_exponent"][chart.data["measure"] == "multiply-adds of a layer"].round(6)) == {2.0}


def test_what_is_no_complexity_is_refused():
    """Nothing, something else, more than fits."""
    law = gradflow.complexity(recurrent, (2, 4), (2, 4), targets="h")
    with pytest.raises(ValueError, match="at least one layer"):
        plot_complexity({})
    with pytest.raises(TypeError, match=r"gradflow\.complexity gives, got int"):
        plot_complexity({"a": 3})
    with pytest.raises(PictureTooLargeError, match="31 layers"):
        plot_complexity({str(n): law for n in range(31)})


# ---- an animation ---------------------------------------------------------------------


def test_an_animation_has_a_frame_for_each_stage(tmp_path):
    """All of one size and with the same axes, the first and the last for longer; the chart has the numbers of all."""
    frames = [(f"업데이트 {n}", np.array([10.0 ** (n - 6), 0.1, 1.0])) for n in range(3)]
    chart = animate_gradient_flow(frames, tmp_path / "a.gif", tokens=["한", ",", "\n"], seconds=0.1)
    times = []
    with Image.open(tmp_path / "a.gif") as image:
        for n in range(image.n_frames):
            image.seek(n)
            times.append(image.info["duration"])

    assert times == [300, 100, 300]
    assert image.info["loop"] == 0
    assert (tmp_path / "a.gif").stat().st_size < 30_000
    assert chart.data["norm"].tolist() == np.concatenate([norms for _, norms in frames]).tolist()
    assert chart.data["frame"].tolist()[::3] == ["업데이트 0", "업데이트 1", "업데이트 2"]
    assert line(chart, "업데이트 0").get_ydata().tolist() == [1e-6, 0.1, 1.0]
    assert chart.lines[1].get_ydata().tolist() == [1e-4, 0.1, 1.0]
    low, high = chart.get_ylim()
    assert low < 1e-6 < 1.0 < high


def test_an_animation_of_series_with_what_is_broken(tmp_path):
    """As per_step gives them; a frame of zeros or NaN has their signs, and no sign stays for the next frame."""
    series = gradflow.per_step(rnn(T=3), "h")
    zero, nan = gradflow.Series("h", [1, 2, 3], [0, 0, 1]), gradflow.Series("h", [1, 2, 3], [np.nan, 1, 1])
    charts = [
        animate_gradient_flow([("a", series), ("b", zero), ("c", nan), *last], tmp_path / "a.gif")
        for last in ([], [("d", series)])
    ]

    assert ["NaN or Inf" in {one.get_label() for one in chart.lines} for chart in charts] == [True, False]
    assert charts[0].get_ylabel() == "‖∂L/∂$h_t$‖"


def test_what_is_no_animation_is_refused(tmp_path):
    """No frame, other steps, another ending, a folder that is not there: nothing is left."""
    good = [("a", [1.0, 2.0])]
    for frames, path, error in (
        ([], "a.gif", ValueError), (good, "a.mp4", UnknownFormatError), (good, "none/a.gif", SaveError),
        ([*good, ("b", [1.0])], "a.gif", ValueError), ([("a", [])], "a.gif", ValueError),
        (good * 501, "a.gif", PictureTooLargeError),
    ):  # fmt: skip
        with pytest.raises(error):
            animate_gradient_flow(frames, tmp_path / path)
    with pytest.raises(ValueError, match=r"0\.02 s"):
        animate_gradient_flow(good, tmp_path / "a.gif", seconds=0)
    assert list(tmp_path.iterdir()) == []


def test_models_on_one_chart():
    """What per_step gives of several records, with different lengths."""
    chart = plot_distance({
        "RNN": [gradflow.per_step(rnn(T=4), "h")] * 2, "LSTM": gradflow.per_step(lstm(T=6), "h"),
        "deep": gradflow.per_step(deep_rnn(T=3), "k"),
    })  # fmt: skip

    assert [len(of(chart, label, "distance")) for label in ("RNN", "LSTM", "deep")] == [4, 6, 3]
