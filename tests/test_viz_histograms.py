"""Histograms of parameters and gradients: every number is counted once, and what is broken is said."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.figure import Figure

from tinygrad_seq import Parameter, Tensor, nn
from tinygrad_seq.models import GRU, ManyToMany
from tinygrad_seq.viz import PictureTooLargeError, plot_histograms
from tinygrad_seq.viz.charts.histograms import edges_for, told

NUMBERS = npst.arrays(float, npst.array_shapes(max_dims=2, max_side=20, min_side=0), elements=st.floats(-1e6, 1e6))
WILD = npst.arrays(float, st.integers(1, 30), elements=st.floats() | st.sampled_from([0.0, 1.0, 1 + 2**-52, 1e308]))


def model():
    made = ManyToMany(GRU(4, 6, num_layers=2), 4)
    made.loss([0, 1, 2], [1, 2, 3]).backward()
    return made


def counts(ax):
    """How many numbers the bars stand for."""
    tops = [patch.get_data() for patch in ax.patches]
    return sum((np.asarray(top.values) - np.asarray(top.baseline)).sum() for top in tops)


def words(ax):
    return ax.get_xlabel() or ax.texts[0].get_text()


# ---- what is drawn --------------------------------------------------------------------


def test_a_model_has_a_row_for_each_parameter():
    """Its numbers and those of its gradient, each counted once, in the order of named_parameters."""
    made = model()
    named = dict(made.named_parameters())
    axes = plot_histograms(made, title="GRU").axes

    titles = [f"{name} ({', '.join(map(str, p.shape))})" for name, p in named.items()]
    assert [ax.get_title("left") for ax in axes[::2]] == titles
    assert [ax.get_title("left") for ax in axes[1::2]] == ["gradient"] * len(named)
    assert [counts(ax) for ax in axes] == [p.size for p in named.values() for _ in range(2)]
    arrays = [x for p in named.values() for x in (p.data, p.grad)]
    heights = [np.max([patch.get_data().values for patch in ax.patches], axis=0).tolist() for ax in axes]
    assert heights == [np.histogram(x, edges_for(x.ravel()))[0].tolist() for x in arrays]


@given(WILD)
@example(np.array([5e-324, 0.0]))
@example(np.array([-1.7e308, 1.7e308]))
@example(np.array([1.0, 1.0 + 2**-52]))
@settings(max_examples=30)
def test_every_finite_number_is_counted_once(values):
    """Over the whole range of doubles, without a warning; what has no bar is said in words."""
    (ax, _) = plot_histograms({"x": values}).axes
    finite = np.isfinite(values)

    assert counts(ax) == finite.sum()
    assert (f"{np.isnan(values).sum()} NaN" in words(ax)) == np.isnan(values).any()
    assert (f"{np.isinf(values).sum()} Inf" in words(ax)) == np.isinf(values).any()
    grey = [patch.get_data() for patch in ax.patches[1:]]
    assert sum((top.values - top.baseline).sum() for top in grey) == (values == 0).sum()


@given(NUMBERS.filter(lambda x: x.size > 1 and np.ptp(x) > 0))
def test_the_numbers_below_are_those_of_numpy(values):
    """Mean and standard deviation to three digits, the share of exact zeros."""
    said = told(values.ravel()).split(", ")
    mean, std = (float(part.split()[1]) for part in said[:2])
    zeros = [float(part.split()[0]) for part in said if part.endswith("% zero")]

    assert mean == pytest.approx(values.mean(), rel=6e-3, abs=1e-9 * np.abs(values).max())
    assert std == pytest.approx(values.std(), rel=6e-3)
    assert zeros == pytest.approx([100 * (values == 0).mean()] if (values == 0).any() else [], rel=6e-3)


@given(NUMBERS.map(np.ravel).filter(len))
def test_edges_hold_all_and_rise(values):
    """From the least to the greatest, in steps of one width."""
    edges = edges_for(values)

    assert edges[0] <= values.min()
    assert values.max() <= edges[-1]
    assert (np.diff(edges) > 0).all()
    assert 7 <= len(edges) - 1 <= 60


@pytest.mark.parametrize(
    ("values", "gradient", "says"),
    [
        (np.zeros((3, 2)), np.full((3, 2), 1e-9), ["all 6 are 0", "all 6 are 1e-9"]),
        (np.zeros((0, 3)), None, ["empty", "none: no backward has reached it"]),
        (np.full(4, np.nan), [1.0, np.inf, 0.0, 0.0], ["no finite number, 4 NaN", "50 % zero, 1 Inf"]),
        (0.5, 3e5, ["0.5", "3e5"]),
    ],
)
def test_special_cases_are_told(values, gradient, says):
    """All equal, empty, broken, a single number, no gradient."""
    p = Parameter(values)
    p._grad = None if gradient is None else np.array(gradient)

    assert all(said in words(ax) for said, ax in zip(says, plot_histograms({"p": p}).axes, strict=True))


def test_what_asks_for_no_gradient_says_so():
    """A tensor that is fixed, an array."""
    axes = plot_histograms({"fixed": Tensor([1.0, 2.0]), "array": np.arange(3), "flags": [True, False]}).axes

    assert [words(ax) for ax in axes[1::2]] == ["none: it asks for no gradient"] * 3


@pytest.mark.parametrize(("values", "log"), [(np.arange(100.0), False), ([0.0] * 1000 + [1.0, 2.0, 3.0], True)])
def test_counts_are_logarithmic_where_one_is_far_above_the_others(values, log):
    """And say so; or as they are asked to be."""
    scales = [plot_histograms({"x": values}, log=asked).axes[0] for asked in (None, True, False)]

    assert [ax.get_yscale() for ax in scales] == ["log" if log else "linear", "log", "linear"]
    assert [ax.get_ylabel() for ax in scales] == ["log" if log else "", "log", ""]


# ---- names, themes, sizes -------------------------------------------------------------


def test_names_are_shown_and_stay_in_their_place():
    """Hangul, control characters, and names longer than a panel."""
    axes = plot_histograms({"한글": [1.0], "a\n\x00$b$": [1.0], "layer." * 50: np.ones((2, 3))}).axes[::2]
    names = [ax.get_title("left") for ax in axes]
    axes[0].figure.draw_without_rendering()

    assert names[:2] == ["한글 (1)", "a⏎\\x00$b$ (1)"]
    assert names[2].endswith("… (2, 3)")
    assert axes[2]._left_title.get_window_extent().x1 < axes[0].figure.bbox.width / 2 + 50


@pytest.mark.parametrize("dark", [False, True])
def test_a_part_of_a_figure_is_drawn_into(dark):
    """A SubFigure of one's own."""
    parts = Figure(figsize=(14, 12)).subfigures(1, 2)

    assert plot_histograms(model(), figure=parts[0], dark=dark, title="t").figure is parts[0]
    assert plot_histograms({"x": [1.0]}, figure=parts[1], dark=dark).figure is parts[1]
    parts[0].figure.savefig(io.BytesIO(), dpi=20)


@pytest.mark.parametrize(("count", "columns"), [(1, 2), (8, 2), (9, 4)])
def test_many_parameters_stand_in_two_columns(count, columns):
    """Each beside its gradient; no panel is left empty."""
    axes = plot_histograms({f"p{n}": np.arange(4.0) for n in range(count)}).axes

    assert len({ax.get_position().x0 for ax in axes}) == columns
    assert len(axes) == 2 * count


def test_what_has_no_parameters_is_refused():
    """None at all, too many, or something else."""
    with pytest.raises(ValueError, match="at least one parameter"):
        plot_histograms({})
    with pytest.raises(ValueError, match="at least one parameter"):
        plot_histograms(nn.Sequential())
    with pytest.raises(PictureTooLargeError, match="101 parameters are more than the 100"):
        plot_histograms({str(n): [1.0] for n in range(101)})
    with pytest.raises(TypeError, match="got list"):
        plot_histograms([1.0, 2.0])
    with pytest.raises(TypeError, match="real numbers, 'x' is list"):
        plot_histograms({"x": ["a"]})


def test_pairs_are_a_mapping_too():
    """What named_parameters gives."""
    made = nn.Linear(2, 3)

    assert len(plot_histograms(made.named_parameters()).axes) == 4
