"""Cells of colour and the tokens beside them."""

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tinygrad_seq.viz.charts.attention_map import plot_attention
from tinygrad_seq.viz.charts.heat_map import colours, hatch_cells, label_cells, standing_alone, stretches, words
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT


def test_letters_of_hangul_stand_alone():
    """Taken apart (NFD) each letter is drawn as itself; put together again they are a syllable."""
    apart = unicodedata.normalize("NFD", "한글")
    ax = plot_attention(np.ones((1, 6)) / 6, apart, "x")

    assert [standing_alone(part) for part in apart] == ["ㅎ", "ㅏ", "ㄴ", "ㄱ", "ㅡ", "ㄹ"]
    assert standing_alone(apart) == "한글"
    assert standing_alone("aß\u1140") == "aß\u317f"
    assert ax.get_xticklabels()[0].get_text() == "ㅎ"


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_begin_at_the_ground(theme):
    """Nothing is the colour of the paper, much is the far end of the ramp, and NaN has a colour of its own."""
    ramp, signed = colours(theme), colours(theme, signed=True)

    assert [to_hex(ramp(0.0)), to_hex(ramp(1.0))] == [theme.hex("paper"), theme.ramp[-1]]
    assert [to_hex(signed(x)) for x in (0.0, 1.0)] == [theme.signed[0], theme.signed[-1]]
    assert to_hex(ramp(np.nan)) == theme.hex("broken")


@given(npst.arrays(bool, st.integers(0, 20)))
def test_stretches_hold_what_is_marked(marked):
    """Each marked place lies in one stretch, no other does, and no two stretches touch."""
    found = list(stretches(marked))

    assert [n for first, end in found for n in range(first, end)] == np.flatnonzero(marked).tolist()
    assert all(end < after for (_, end), (after, _) in pairwise(found))


def test_where_nothing_is_marked_nothing_is_hatched():
    """Not even an empty collection."""
    ax = Figure().subplots()
    hatch_cells(ax, np.zeros((2, 3), bool), LIGHT)

    assert len(ax.collections) == 0


@given(st.lists(st.text() | st.integers() | st.none(), max_size=5))
def test_every_token_can_be_seen(tokens):
    """None is empty, none has a character that breaks a line or hides, none is long; there are as many as before."""
    shown = words(tokens)

    assert len(shown) == len(tokens)
    assert all(word and word == word.strip(" ") and len(word) <= 160 for word in shown)
    assert not any(unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") for word in shown for c in word)


@pytest.mark.parametrize(("cell", "written"), [(40.0, 10), (6.0, 10), (2.0, 5)])
def test_small_cells_have_small_letters_then_fewer(cell, written):
    """Letters shrink with the cells until they could not be read; then every n-th token is left."""
    ax = Figure().subplots()
    label_cells(ax.xaxis, ["a"] * 10, cell, LIGHT)
    sizes = {label.get_fontsize() for label in ax.get_xticklabels()}

    assert len(ax.get_xticks()) == written
    assert min(sizes) >= 5
    assert max(sizes) <= 10
