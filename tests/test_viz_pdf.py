"""SVG → PDF: what the one shows, the other shows."""

import io
import re
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tinygrad_seq.viz import Drawing, draw_unrolled
from tinygrad_seq.viz.pictures.labels import plain, symbol
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT
from tinygrad_seq.viz.pictures.pdf import Sheet, to_pdf
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel, Picture, Segment, Text
from tinygrad_seq.viz.pictures.svg import to_svg
from viz_records import rnn

SHAPES = (
    Panel(10, 10, 80, 60, "sand", "faint", 8),
    Panel(100, 10, 70, 40, "column", "column-edge"),
    Panel(180, 10, 60, 40, "sand", "none", hatched=True),
    Group("t1", (Box("a", 60, 130, 80, 40, (Segment((), 50), Segment((), 30, "tint 1")), 12),)),
    Box("b", 140, 130, 40, 40, (Segment((), 40),), 20, fill="ramp 0.6", dotted=True),
    Box("c", 210, 130, 60, 40, (Segment((), 60),), 6, hatched=True),
    Curve(((20, 90), (90, 60), (150, 120), (240, 80)), opacity=0.4, width=3),
    Curve(((20, 170), (90, 160), (150, 180), (240, 165)), dashed=True, stroke="weight 2"),
)
LINES = (
    Text(20, 30, symbol("W_x", 3), 16, anchor="start"),
    Text(130, 30, plain("cross entropy"), 14, bold=True),
    Text(240, 30, plain("tanh"), 16, "weight 1", "end", title="a title"),
    Text(20, 70, plain("  저는   ") + plain("한 ", italic=True) + plain("글  ") + symbol("h_t"), 16, anchor="start"),
    Text(240, 70, plain("العربية"), 16, anchor="end"),
    Box("n", 130, 100, 90, 30, (Segment(plain("NaN"), 50), Segment(symbol("W_h"), 40, "tint 0")), 8, hatched=True),
)


def as_png(picture):
    """What Drawing.png shows, at one pixel for each of the SVG."""
    return np.asarray(Image.open(io.BytesIO(Drawing(picture).png(dpi=96))).convert("RGB"), float)


def as_pdf(svg):
    """What the PDF shows, drawn by the same code on a canvas of pixels."""
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    figure = Figure((width / 72, height / 72), dpi=72, frameon=False)
    canvas = FigureCanvasAgg(figure)
    figure.add_artist(Sheet(root, 1.0, height))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), float)[..., :3]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_every_kind_of_shape_is_where_the_png_has_it(shape, theme):
    """Round corners, badges, hatches, dots, dashes, arrows and opacity differ from the PNG by no more than edges do."""
    picture = Picture(250, 190, SHAPES[shape : shape + 1], "shape", theme=theme)
    png, pdf = as_png(picture), as_pdf(to_svg(picture))
    apart = np.abs(png - pdf).max(axis=2)
    drawn = (np.abs(png - png[0, 0]).max(axis=2) > 4).sum()

    assert drawn > 200
    assert apart.max() < 90
    assert apart.sum() < 20 * drawn


@pytest.mark.parametrize("line", range(len(LINES)))
def test_every_line_of_text_is_where_the_png_has_it(line):
    """The ink of a label begins and ends at the same place, in any script, with subscripts, bold or slanted."""
    picture = Picture(250, 130, LINES[line : line + 1], "text")
    edges = []
    for pixels in (as_png(picture), as_pdf(to_svg(picture))):
        rows, columns = np.nonzero(np.abs(pixels - 255).max(axis=2) > 60)
        edges.append([columns.min(), columns.max(), rows.min(), rows.max()])

    assert np.abs(np.subtract(*edges)).max() <= 4


@pytest.mark.parametrize(
    ("line", "mark"), [(0, " font-style="), (0, " dy="), (1, " font-weight="), (3, " dy="), (5, ' stroke="#ffffff"')]
)
def test_each_mark_of_a_text_brings_it_nearer_to_the_png(line, mark):
    """Slant, weight, the drop of a subscript and the halo on a hatch are seen in the PDF, and are like the PNG's."""
    picture = Picture(250, 130, LINES[line : line + 1], "text")
    svg, png = to_svg(picture), blurred(as_png(picture))
    assert mark in svg
    without = svg.replace(mark, f" no-{mark[1:]}")
    apart, further = (np.abs(blurred(as_pdf(each)) - png).sum() for each in (svg, without))

    assert apart < 0.9 * further


def blurred(pixels):
    """A grey picture in which a pixel is the mean of 5 × 5, so that the edges of letters count for less."""
    sums = np.pad(pixels.mean(axis=2), 5, constant_values=255).cumsum(axis=0).cumsum(axis=1)
    return (sums[5:, 5:] - sums[:-5, 5:] - sums[5:, :-5] + sums[:-5, :-5]) / 25


def streams(pdf):
    """What stands compressed in a PDF."""
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:
            yield found[1]


def test_text_stays_text():
    """Latin and Hangul letters can be searched and copied: the fonts say which letter each shape is."""
    pdf = to_pdf(to_svg(Picture(250, 130, LINES, "text")))
    letters = {chr(int(code, 16)) for stream in streams(pdf) for code in re.findall(rb"<([0-9A-Fa-f]{4})>", stream)}

    assert set("Wxcrossentropytanh저는한글") <= letters


def test_the_same_picture_gives_the_same_bytes():
    """No dates, no numbers made up on the way."""
    svg = to_svg(Picture(250, 190, SHAPES + LINES, "RNN"))

    assert to_pdf(svg) == to_pdf(svg)
    assert b"CreationDate" not in to_pdf(svg)
    assert b"/Title (RNN)" in to_pdf(svg)


@pytest.mark.parametrize(
    ("size", "page"), [((400, 100), (300, 75)), ((100_000, 400), (14_400, 57.6)), ((96, 300_000), (4.608, 14_400))]
)
def test_the_page_is_as_large_as_the_picture(size, page):
    """96 pixels are an inch; what is larger than a reader of PDF shows is made smaller as a whole."""
    pdf = to_pdf(to_svg(Picture(*size, (), "large")))
    box = re.search(rb"/MediaBox \[ ?([\d. ]+?) ?\]", pdf)[1].split()

    assert pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page\n") <= 1
    assert [float(side) for side in box[2:]] == pytest.approx(page, abs=0.01)


# What the writer of PDF reads: an element of another name, or with another attribute, it would not show.
READ = {
    "svg": {"width", "height", "viewBox", "role", "class", "font-family", "fill"},
    "rect": {"x", "y", "width", "height", "rx", "fill", "stroke", "stroke-width", "stroke-dasharray"},
    "path": {"d", "fill", "stroke", "stroke-width", "stroke-dasharray"}
    | {"opacity", "stroke-opacity", "fill-opacity"},
    "text": {"x", "y", "font-size", "text-anchor", "fill", "font-weight", "font-family"}
    | {"stroke", "stroke-width", "paint-order"},
    "tspan": {"font-size", "font-style", "dy"},
    "pattern": {"width", "height", "patternUnits", "patternTransform"},
    "g": set(), "title": set(), "desc": set(), "defs": set(),
}  # fmt: skip


def test_all_that_the_svg_says_is_read():
    """A picture holds no element, and an element no attribute, that the PDF would be without."""
    pictures = [Picture(250, 190, SHAPES + LINES, "all"), draw_unrolled(rnn(T=3), tokens="abc").picture]
    for element in (each for picture in pictures for each in ElementTree.fromstring(to_svg(picture)).iter()):
        name = element.tag.rpartition("}")[2]
        assert name in READ
        assert set(element.keys()) - {"id", "class"} <= READ[name]


@settings(max_examples=20)
@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_safe(name, title):
    """Whatever labels and titles hold, there is a PDF of them."""
    picture = Picture(300, 60, (Text(10, 20, symbol(name)), Text(10, 40, plain(name), bold=True)), title)

    assert to_pdf(to_svg(picture)).startswith(b"%PDF")
