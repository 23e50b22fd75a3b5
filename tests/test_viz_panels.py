"""Figures of several charts: every one has its place."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq.viz.charts.panels import Margins, fitted, length, new_figure, panels, size_of, write_title
from tinygrad_seq.viz.pictures.palette import LIGHT

INCHES = st.floats(0.0, 0.3)
MARGINS = st.builds(Margins, INCHES, INCHES, INCHES, INCHES)


@given(st.lists(st.floats(0.2, 2.0), min_size=1, max_size=4), st.integers(1, 4), MARGINS, MARGINS)
@settings(max_examples=8)
def test_panels_keep_their_margins(heights, columns, around, each):
    """In inches, from each other and from the edges; columns are of one width, rows of the heights asked for."""
    figure = new_figure(7.0, 6.0, LIGHT)
    grid = panels(figure, heights, columns, around, each)
    places = [[ax.get_position() for ax in row] for row in grid]

    assert grid.shape == (len(heights), columns)
    assert places[0][0].x0 * 7 == pytest.approx(around.left + each.left)
    assert (1 - places[0][0].y1) * 6 == pytest.approx(around.top + each.top)
    assert (1 - places[-1][-1].x1) * 7 == pytest.approx(around.right + each.right)
    assert places[-1][-1].y0 * 6 == pytest.approx(around.bottom + each.bottom)
    assert all((b.x0 - a.x1) * 7 == pytest.approx(each.left + each.right) for row in places for a, b in pairwise(row))
    ratios = [row[0].height / height for row, height in zip(places, heights, strict=True)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))


def test_a_figure_too_small_has_panels_all_the_same():
    """Margins wider than the figure leave a sliver, not an error."""
    grid = panels(new_figure(0.5, 0.5, LIGHT), [1.0, 1.0], 2, Margins(1, 1, 1, 1), Margins(1, 1, 1, 1))

    assert all(ax.get_position().width > 0 and ax.get_position().height > 0 for ax in grid.flat)


def test_titles_fit():
    """What is longer than its room is shortened, and what would break a line is a sign."""
    figure = new_figure(3.0, 2.0, LIGHT)
    write_title(figure, "한\n글 " * 60, LIGHT)
    figure.draw_without_rendering()
    (title,) = figure.texts

    assert title.get_window_extent().x1 <= figure.bbox.width
    assert title.get_text().startswith("한⏎글")
    assert fitted("\x00", 100) == "\\x00"
    assert length("word") > length("wor") > 0
    assert size_of(figure) == (3.0, 2.0)


@given(st.text(max_size=300), st.floats(20, 500))
def test_what_is_shortened_fits(text, room):
    """It begins as it did, ends in an ellipsis, and is no longer than its room; what fits is left as it is."""
    whole, short = fitted(text, 1e9), fitted(text, room)

    assert length(short) <= room + 1e-6
    assert short == whole or (short.endswith("…") and whole.startswith(short[:-1]))
    assert short == whole or length(whole) > room or len(whole) > 200
