"""`draw_dot` does what micrograd's notebooks expect of it."""

import os

import pytest

from tinygrad_seq import Value
from tinygrad_seq.viz import PictureTooLargeError, UnknownFormatError, draw_dot, draw_graph


@pytest.fixture
def y():
    return (Value(2.0).named("a") * Value(-3.0).named("b")).named("y")


def test_it_is_the_same_picture(y):
    """`draw_dot(root)` is `draw_graph(root)`; notebooks show it, and its DOT is there to look at."""
    dot = draw_dot(y)

    assert dot._repr_svg_() == draw_graph(y).svg
    assert dot.source.startswith("digraph {")


def test_micrograds_arguments(y):
    """format and rankdir, by place or by name; further ones as in `draw_graph`."""
    assert draw_dot(y, "png", "TB").svg == draw_graph(y, direction="TB").svg
    assert draw_dot(y, format="png", rankdir="LR", title="product", dark=True).format == "png"


@pytest.mark.parametrize(
    ("format", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("PDF", b"%PDF"), ("dot", b"digraph")]
)
def test_render_writes_a_file(y, tmp_path, format, start):
    """`render(filename)` adds the format as the ending, writes that file alone, and returns its path."""
    path = draw_dot(y, format=format).render("gout v1.2", directory=tmp_path)

    assert path == str(tmp_path / f"gout v1.2.{format.lower()}")
    assert os.listdir(tmp_path) == [f"gout v1.2.{format.lower()}"]
    assert (tmp_path / path).read_bytes().startswith(start)


def test_render_in_another_format(y, tmp_path):
    """The format of `render` goes before that of `draw_dot`."""
    assert draw_dot(y).render(tmp_path / "gout", format="png").endswith("gout.png")


@pytest.mark.parametrize("format", ["gif", "", None, 3])
def test_unknown_formats(y, format):
    """The error lists those that there are."""
    with pytest.raises(UnknownFormatError, match=r"svg, png, pdf, dot.*got"):
        draw_dot(y, format=format)


def test_what_is_refused(y):
    """A direction that there is not, and a graph too large, as in `draw_graph`."""
    with pytest.raises(ValueError, match=r"direction.*'BT'"):
        draw_dot(y, rankdir="BT")
    with pytest.raises(PictureTooLargeError):
        draw_dot(y, max_nodes=2)
