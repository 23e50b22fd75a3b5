"""The wires of the textbook style: their ways over a grid, and their corners."""

from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.viz.textbook.wires import DOWN, LEFT, RIGHT, UP, Grid, Port, rounded
from viz_textbook_plans import bends


def open_grid(size=7):
    return Grid([10.0 * n for n in range(size)], [10.0 * n for n in range(size)])


def test_a_wire_goes_around_what_is_in_its_way():
    """The shortest way that touches nothing."""
    grid = open_grid()
    grid.taken.update((3, y) for y in range(2, 7))
    way = grid.connect("w", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])

    assert way[0] == (0, 3)
    assert way[-1] == (6, 3)
    assert (3, 1) in way
    assert not set(way[1:-1]) & grid.taken


def test_wires_cross_straight_and_never_share_a_line():
    """A second wire crosses the first once, at a right angle, and has no corner on it."""
    grid = open_grid()
    first = grid.connect("a", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])
    second = grid.connect("b", [Port((3, 6), UP)], [Port((3, 0), UP)])

    assert set(first) & set(second) == {(3, 3)}
    assert grid.used[3, 3].keys() == {"a", "b"}


def test_a_wire_rather_goes_around_than_across():
    """A small detour is better than a crossing."""
    grid = open_grid(9)
    grid.connect("a", [Port((0, 4), RIGHT)], [Port((5, 4), RIGHT)])
    way = grid.connect("b", [Port((5, 0), DOWN)], [Port((5, 8), DOWN)])

    assert way
    assert all(len(wires) == 1 for wires in grid.used.values())


def test_no_wire_passes_over_the_corner_of_another():
    """Where a wire turns, another would seem to lead on: it goes by another line."""
    grid = open_grid()
    grid.connect("a", [Port((0, 3), RIGHT)], [Port((3, 0), UP)])
    way = grid.connect("b", [Port((6, 3), LEFT)], [Port((3, 6), DOWN)])

    assert way
    assert (3, 3) not in way


def test_a_wire_forks():
    """To a second end a wire leads on from where it already is."""
    grid = open_grid()
    first = grid.connect("a", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])
    second = grid.connect("a", [Port((0, 3), RIGHT)], [Port((4, 0), UP)])

    assert second[0] == (0, 3)
    assert second[: len(set(first) & set(second))] == [v for v in first if v in second]


def test_a_port_is_taken_once():
    """Where one wire ends no other may; without a way there is none."""
    grid = open_grid()
    goal = [Port((6, 3), RIGHT)]
    assert grid.connect("a", [Port((0, 3), RIGHT)], goal)

    assert grid.connect("b", [Port((0, 2), RIGHT)], goal) is None
    assert grid.connect("b", [Port((0, 2), RIGHT)], [Port((6, 3), LEFT)]) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(-60, 60)), min_size=1, max_size=8))
def test_rounded_corners(moves):
    """A way with right angles keeps its ends, and runs straight but for its corners, however short its pieces."""
    points = [(0.0, 0.0)]
    for level, far in moves:
        x, y = points[-1]
        points.append((x + far, y) if level else (x, y + far))
    course = rounded(points)

    if course:
        assert course[0] == points[0]
        assert course[-1] == points[-1]
        bends(course)
