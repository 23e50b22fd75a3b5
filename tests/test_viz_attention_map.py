"""Maps of attention: what is given is what is drawn, and every letter shows."""

import io
import unicodedata
import warnings

import numpy as np
import pytest

from tinygrad_seq import Tensor
from tinygrad_seq.viz.attention_map import plot_attention, standing_alone

WEIGHTS = np.array([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


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


def test_long_tokens_stand_upright():
    """Words over the columns do not run into each other."""
    angles = [plot_attention(WEIGHTS, x, "xy").get_xticklabels()[0].get_rotation() for x in ("abc", ["three"] * 3)]

    assert angles == [0, 90]


def test_letters_of_hangul_stand_alone():
    """Taken apart (NFD) each letter is drawn as itself; put together again they are a syllable."""
    apart = unicodedata.normalize("NFD", "한글")

    assert [standing_alone(part) for part in apart] == ["ㅎ", "ㅏ", "ㄴ", "ㄱ", "ㅡ", "ㄹ"]
    assert standing_alone(apart) == "한글"
    assert standing_alone("aß\u1140") == "aß\u317f"
    assert labels(plot_attention(np.ones((1, 6)) / 6, apart, "x").xaxis)[0] == "ㅎ"


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (90, 2)])
def test_every_size_is_drawn(size, tmp_path):
    """From one cell to many, in a figure that a screen can show, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_attention(np.full(size, 0.5), "a" * size[1], "x" * size[0]).figure
        figure.savefig(tmp_path / "map.png", dpi=20)

    assert max(figure.get_size_inches()) <= 24


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


def test_a_title_too_long_for_the_map_is_shortened():
    """What was read and written may be longer than the picture is wide."""
    ax = plot_attention([[1.0]], ["a"], ["b"], title="한 " * 100)
    ax.figure.savefig(io.BytesIO(), format="png")

    assert ax.get_title(loc="left").endswith("…")
