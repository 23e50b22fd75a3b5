"""A map of attention: what is given is what is drawn, and every letter shows."""

import io
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import example, given, settings
from matplotlib.figure import Figure

from tinygrad_seq import Tensor
from tinygrad_seq.viz import plot_attention
from viz_attention import WEIGHTS, hatched, labels, maps


@pytest.mark.parametrize("weights", [WEIGHTS, WEIGHTS.tolist(), Tensor(WEIGHTS)])
def test_a_row_for_what_is_written_and_a_column_for_what_is_read(weights):
    """The cells are the weights, from 0 to 1 in every map, with the tokens beside them."""
    ax = plot_attention(weights, "abc", ["x", " "], title="$a → x$")
    (image,) = ax.images

    assert np.array_equal(image.get_array(), WEIGHTS)
    assert image.get_clim() == (0, 1)
    assert labels(ax.xaxis) == ["a", "b", "c"]
    assert labels(ax.yaxis) == ["x", "␣"]
    assert ax.get_title("left") == "$a → x$"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("read", "written")


@given(maps())
@example((np.array([[0.3]]), ["\u200b"], [""]))
@settings(max_examples=15)
def test_cells_numbers_and_hatching_tell_the_weights(case):
    """A number in each cell whose weight is told by two places, hatching exactly where it is 0, a label each token."""
    w, source, target = case
    ax = plot_attention(w, source, target)

    numbers = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in ax.texts}
    assert numbers == {(i, j): f"{x:.2f}" for (i, j), x in np.ndenumerate(w) if x >= 0.005}
    assert hatched(ax) == {place for place, x in np.ndenumerate(w) if x == 0}
    assert (ax.get_legend() is not None) == (w == 0).any()
    assert (len(labels(ax.xaxis)), len(labels(ax.yaxis))) == (len(source), len(target))


def test_numbers_or_a_bar_of_colours():
    """Numbers where cells have room for them, a bar where there are none; True writes the small ones too."""
    small = [[0.001, 0.999]]
    texts = [
        [text.get_text() for text in plot_attention(small, "ab", "x", numbers=numbers).texts]
        for numbers in ("auto", True, False)
    ]
    bars = [
        len(plot_attention(np.full((n, n), 0.5), "a" * n, "x" * n, numbers=numbers).child_axes)
        for n, numbers in [(3, "auto"), (3, False), (90, "auto")]
    ]

    assert texts == [["1.00"], ["0.00", "1.00"], []]
    assert bars == [0, 1, 1]


def test_numbers_can_be_read_on_their_cells():
    """White on deep colours, dark on pale ones."""
    inks = {text.get_text(): text.get_color() for text in plot_attention([[0.05, 0.95]], "ab", "x").texts}
    lit = {text.get_text(): text.get_color() for text in plot_attention([[0.05, 0.95]], "ab", "x", dark=True).texts}

    assert inks == {"0.05": "#1f2933", "0.95": "#ffffff"}
    assert lit == {"0.05": "#ffffff", "0.95": "#1f2933"}


def test_a_sequence_that_looks_at_itself_says_so():
    """Where both sides are the same tokens nothing is written or read."""
    ax = plot_attention(np.eye(2), ["나는", "간다"], ["나는", "간다"])

    assert (ax.get_xlabel(), ax.get_ylabel()) == ("looked at", "looking")


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (90, 2), (110, 110)])
def test_every_size_is_drawn(size):
    """From one cell to many, in a figure that a screen can show, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_attention(np.full(size, 0.5), "a" * size[1], "x" * size[0]).figure
        figure.savefig(io.BytesIO(), dpi=20)

    assert max(figure.get_size_inches()) <= 24


@pytest.mark.parametrize(
    "tokens", [["한"] * 30, ["three"] * 20, [f"word{n}" for n in range(80)], ["x" * 400, "y"], ["a"]]
)
def test_tokens_stand_apart_and_inside(tokens):
    """No token is written over its neighbour or over the edge of the figure; of 80 none is left out."""
    ax = plot_attention(np.full((len(tokens), len(tokens)), 0.5), tokens, tokens, title="title")
    ax.figure.draw_without_rendering()
    sides = [[text.get_window_extent() for text in axis.get_ticklabels()] for axis in (ax.xaxis, ax.yaxis)]

    assert all(one.x1 <= other.x0 + 1 for one, other in zip(sides[0], sides[0][1:]))
    assert all(one.y0 >= other.y1 - 1 for one, other in zip(sides[1], sides[1][1:]))
    edge, texts = ax.figure.bbox, (ax.xaxis.label, ax.yaxis.label, ax._left_title)
    inside = [*sides[0], *sides[1], *(text.get_window_extent() for text in texts)]
    assert all(box.x0 >= 0 and box.x1 <= edge.x1 and box.y0 >= 0 and box.y1 <= edge.y1 for box in inside)
    assert [len(side) for side in sides] == [len(tokens)] * 2


def test_of_too_many_tokens_every_nth_is_written():
    """A thousand labels would be a black bar."""
    ax = plot_attention(np.full((1, 1000), 0.5), ["a"] * 1000, "x")

    assert 50 < len(labels(ax.xaxis)) < 500


def test_axes_of_ones_own_are_drawn_into():
    """Nothing else is made, and nothing global is touched."""
    before = dict(mpl.rcParams)
    figure = Figure(figsize=(9, 4))
    own = figure.subplots(1, 2)

    assert plot_attention(WEIGHTS, "abc", "xy", numbers=False, ax=own[1]).ax is own[1]
    assert [len(ax.images) for ax in own] == [0, 1]
    assert len(figure.axes) == 3  # with the bar of colours
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("weights", "source", "target", "says"),
    [
        (WEIGHTS, "ab", "xy", r"got shape \(2, 3\) for 2 target and 2 source tokens"),
        (WEIGHTS[None], "abc", "xy", r"weights\[0\]"),
        (np.zeros((0, 3)), "abc", "", "at least one"),
        (WEIGHTS * np.nan, "abc", "xy", "NaN or Inf"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, source, target, says):
    """With the shape that was given and what to do."""
    with pytest.raises(ValueError, match=says):
        plot_attention(weights, source, target)


def test_a_choice_that_is_none_is_refused():
    """The error lists those that there are."""
    with pytest.raises(ValueError, match="\"auto\", True or False, got 'some'"):
        plot_attention(WEIGHTS, "abc", "xy", numbers="some")


def test_a_title_too_long_for_the_map_is_shortened():
    """What was read and written may be longer than the picture is wide; what is in it is seen."""
    ax = plot_attention([[1.0]], ["a"], ["b"], title="한\n" + "한 " * 100)
    ax.figure.savefig(io.BytesIO(), format="png")

    assert ax.get_title(loc="left").endswith("…")
    assert ax.get_title(loc="left").startswith("한⏎")
