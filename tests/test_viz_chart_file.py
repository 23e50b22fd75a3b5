"""Charts as files: whole or not at all, and the same bytes for the same chart."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from tinygrad_seq.viz import PictureTooLargeError, SaveError, UnknownFormatError, plot_attention, save_chart

STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


def chart(tokens=("日", "\x00")):
    return plot_attention([[0.9, 0.0], [0.2, 0.8]], tokens, ["<S>", "$M$"], title="<&>")


@pytest.mark.parametrize("ending", STARTS)
def test_the_same_chart_gives_the_same_bytes(tmp_path, ending):
    """Made anew, or written a second time: no date, no random name."""
    one, other = chart("AB"), chart("AB")
    files = [save_chart(c, tmp_path / f"{n}{ending}") for n, c in enumerate([one, one, other])]

    contents = {file.read_bytes() for file in files}
    assert len(contents) == 1
    assert contents.pop().startswith(STARTS[ending])


def test_an_svg_is_well_formed(tmp_path):
    """Whatever stands in its tokens."""
    path = save_chart(chart(), tmp_path / "한글 'map'.SVG")

    assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_a_part_of_a_figure_is_saved_with_the_whole(tmp_path):
    """Axes, a subfigure, axes in a subfigure, and the figure itself: one file."""
    figure = Figure()
    part = figure.subfigures(1, 2)[0]
    ax = part.subplots()

    assert len({save_chart(x, tmp_path / "a.svg").read_bytes() for x in (figure, part, ax)}) == 1


def test_dpi_is_the_size_of_a_png(tmp_path):
    """Twice the dots, twice the pixels; by default the figure's own."""
    figure = Figure(figsize=(2, 1), dpi=50)
    sizes = [
        np.frombuffer(save_chart(figure, tmp_path / "a.png", dpi=dpi).read_bytes()[16:24], ">u4").tolist()
        for dpi in (None, 100)
    ]

    assert sizes == [[100, 50], [200, 100]]


def test_what_cannot_be_saved_leaves_nothing(tmp_path):
    """An ending that nobody knows, a folder that is not there, a size that no program draws: the old file stays."""
    (tmp_path / "a.png").write_bytes(b"old")

    with pytest.raises(UnknownFormatError, match=r"\.svg, \.png, \.pdf, got the ending '\.jpg'"):
        save_chart(chart(), tmp_path / "a.jpg")
    with pytest.raises(UnknownFormatError, match="got no ending"):
        save_chart(chart(), tmp_path / "a")
    with pytest.raises(SaveError, match="cannot save"):
        save_chart(chart(), tmp_path / "none" / "a.svg")
    with pytest.raises(SaveError, match="null"):
        save_chart(chart(), "a\0.svg")
    with pytest.raises(PictureTooLargeError, match="ask for dpi=6553 or less"):
        save_chart(Figure(figsize=(10, 1)), tmp_path / "a.png", dpi=1e6)
    with pytest.raises(ValueError, match="positive number, got 0"):
        save_chart(chart(), tmp_path / "a.png", dpi=0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.png": b"old"}
