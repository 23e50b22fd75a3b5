"""SVG → PDF: the same picture, its text as text that can be searched and copied.

It reads what svg.py writes, not any SVG: rectangles, paths, text and one pattern.  Matplotlib writes the PDF.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from io import BytesIO
from math import prod
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib
import numpy as np
from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from matplotlib.artist import Artist
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, TransformedPath

from .picture import Point
from .svg import EASTERN, SIGNS

SVG = "{http://www.w3.org/2000/svg}"
POINT = 0.75  # pixels are 1/96 inch, points 1/72
LARGEST = 14_400.0  # points of a page's side; what is larger, readers of PDF do not show
QUARTER = 0.5523  # of the radius, how far a Bézier curve pulls to be a quarter of a circle
OTHERS = (  # for letters that the named fonts lack
    "'DejaVu Sans', 'Noto Sans CJK JP', 'Noto Sans CJK SC', 'Noto Sans', 'Noto Sans Arabic', 'Noto Sans Hebrew', "
    "'Noto Sans Devanagari', 'Noto Sans Thai', 'Noto Emoji', 'Segoe UI Emoji', 'Arial Unicode MS'"
)
SETTINGS: Any = {"text.usetex": False, "savefig.bbox": None, "pdf.compression": 6, "pdf.use14corefonts": False}
CODES = {
    "moveTo": Path.MOVETO, "lineTo": Path.LINETO, "curveTo": Path.CURVE4, "qCurveTo": Path.CURVE3,
    "closePath": Path.CLOSEPOLY,
}  # fmt: skip
OPACITIES = "opacity", "stroke-opacity", "fill-opacity"  # no shape has both a line and a ground that are pale
Span = tuple[str, float, bool, float]  # text, size, whether it is italic, how far below the line


def to_pdf(svg: str) -> bytes:
    """The picture as a PDF of one page, byte for byte the same for the same picture.

    96 pixels are an inch, fewer where the page would be larger than 200 inches.
    """
    root = ElementTree.fromstring(svg)
    width, height = (float(root.get(side, "1")) * POINT for side in ("width", "height"))
    shrink = min(1.0, LARGEST / max(width, height))
    figure = Figure((width * shrink / 72, height * shrink / 72), frameon=False)
    figure.add_artist(Sheet(root, POINT * shrink, height * shrink))
    file = BytesIO()
    about = {"Title": root.findtext(f"{SVG}title"), "Creator": "tinygrad_seq", "Producer": None, "CreationDate": None}
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that no font here has is an empty box, as in the PNG
        figure.savefig(file, format="pdf", metadata=about)
    return file.getvalue()


class Sheet(Artist):
    """An SVG as something that Matplotlib draws."""

    def __init__(self, root: Element, zoom: float, height: float) -> None:
        super().__init__()
        self.root, self.zoom, self.height = root, zoom, height
        self.widths: dict[tuple[str, str, bool, bool], float] = {}
        self.pattern = root.find(f"{SVG}defs/{SVG}pattern")
        for definitions in root.findall(f"{SVG}defs"):
            root.remove(definitions)
        self.place = Affine2D().scale(zoom, -zoom).translate(0, height)

    def draw(self, renderer: RendererBase) -> None:
        """Draw every part, in the order of the SVG."""
        for element in self.root.iter():
            if element.tag in (f"{SVG}rect", f"{SVG}path"):
                self.draw_shape(renderer, element)
            elif element.tag == f"{SVG}text":
                self.draw_words(renderer, element)

    def draw_shape(self, renderer: RendererBase, element: Element) -> None:
        """Draw a rectangle or a path: its ground, then its line."""
        path = outline(element)
        fill, stroke = element.get("fill", "none"), element.get("stroke", "none")
        pen = renderer.new_gc()
        pen.set_alpha(prod(float(element.get(name, 1)) for name in OPACITIES))
        if fill == "url(#hatch)":
            self.draw_hatch(renderer, path)
            fill = "none"
        width = 0.0 if stroke == "none" else float(element.get("stroke-width", 1))
        pen.set_linewidth(width * self.zoom)
        pen.set_foreground("black" if stroke == "none" else stroke)
        pen.set_capstyle("butt")
        pen.set_joinstyle("miter")
        dashes = element.get("stroke-dasharray")
        if dashes:
            pen.set_dashes(0, [float(length) * self.zoom for length in dashes.split()])
        renderer.draw_path(pen, path, self.place, rgb(fill))
        pen.restore()

    def draw_hatch(self, renderer: RendererBase, path: Path) -> None:
        """Fill a shape with the SVG's pattern: a ground, and stripes that lean."""
        assert self.pattern is not None, "svg.py defines what it uses"
        ground, stripe = self.pattern
        step, wide = float(self.pattern.get("width", 1)), float(stripe.get("width", 1))
        lean = Affine2D().rotate_deg(float(self.pattern.get("patternTransform", "rotate(0)")[7:-1]))
        (left, top), (right, bottom) = lean.inverted().transform_path(path).get_extents().get_points()
        stripes = [
            Path([(x, top), (x + wide, top), (x + wide, bottom), (x, bottom), (x, top)], closed=True)
            for x in np.arange(left // step * step, right, step)
        ]
        pen = renderer.new_gc()
        pen.set_linewidth(0)
        renderer.draw_path(pen, path, self.place, rgb(ground.get("fill", "none")))
        pen.set_clip_path(TransformedPath(path, self.place))
        leaning = Path.make_compound_path(*map(lean.transform_path, stripes))
        renderer.draw_path(pen, leaning, self.place, rgb(stripe.get("fill", "none")))
        pen.restore()

    def draw_words(self, renderer: RendererBase, element: Element) -> None:
        """Draw a line of text, one stretch after the other."""
        families = str(element.get("font-family") or self.root.get("font-family"))
        bold, size = element.get("font-weight") is not None, float(element.get("font-size", 16))
        spans = spans_of(element, size)
        widths = [self.advance(renderer, text, families, bold, italic) * tall for text, tall, italic, _ in spans]
        x, y = float(element.get("x", 0)), float(element.get("y", 0))
        x -= sum(widths) * {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor", "start")]
        pen = renderer.new_gc()
        for (text, tall, italic, drop), width in zip(spans, widths, strict=True):
            font = face(families, bold, italic, tall * self.zoom, text.isascii())
            at = self.place.transform((x, y + drop))
            if element.get("stroke"):
                self.draw_halo(renderer, element, TextPath((0, 0), text, prop=font), Affine2D().translate(*at))
            pen.set_foreground(str(element.get("fill") or self.root.get("fill")))
            renderer.draw_text(pen, at[0], self.height - at[1] if renderer.flipy() else at[1], text, font, 0)
            x += width
        pen.restore()

    def advance(self, renderer: RendererBase, text: str, families: str, bold: bool, italic: bool) -> float:
        """How far a stretch of text of size 1 leads to the right."""
        key = text, families, bold, italic
        if key not in self.widths:
            font = face(families, bold, italic, 100.0, text.isascii())
            self.widths[key] = renderer.get_text_width_height_descent(text, font, False)[0] / 100
        return self.widths[key]

    def draw_halo(self, renderer: RendererBase, element: Element, letters: Path, at: Affine2D) -> None:
        """Draw the line around letters that stand on a hatched ground."""
        pen = renderer.new_gc()
        pen.set_foreground(element.get("stroke", "white"))
        pen.set_linewidth(float(element.get("stroke-width", 1)) * self.zoom)
        pen.set_joinstyle("round")
        renderer.draw_path(pen, letters, at)
        pen.restore()


def spans_of(element: Element, size: float) -> list[Span]:
    """The stretches of a text element, each in one style; as SVG shows it, with spaces in a row as one."""
    spans, drop = [(element.text or "", size, False, 0.0)], 0.0
    for part in element:
        if part.tag == f"{SVG}tspan":
            drop += float(part.get("dy", 0))
            tall, italic = float(part.get("font-size", size)), part.get("font-style") == "italic"
            spans.append((part.text or "", tall, italic, drop))
        spans.append((part.tail or "", size, False, drop))
    shown: list[Span] = []
    for text, tall, italic, drop in spans:
        text = re.sub(" +", " ", text)
        if not shown or shown[-1][0].endswith(" "):
            text = text.removeprefix(" ")
        if text:
            shown.append((text, tall, italic, drop))
    return shown


def outline(element: Element) -> Path:
    """The shape of a rectangle or a path, in pixels."""
    course = element.get("d")
    if course is None:
        x, y, width, height, r = (float(element.get(name, 0)) for name in ("x", "y", "width", "height", "rx"))
        return rectangle(x, y, width, height, min(r, width / 2, height / 2))
    pen = RecordingPen()
    parse_path(course, pen)
    points: list[Point] = []
    codes: list[Any] = []
    for name, at in pen.value:
        if name != "endPath":
            at = at or ((0.0, 0.0),)  # where a path is closed
            points.extend(at)
            codes.extend([CODES[name]] * len(at))
    return Path(points, codes)


def rectangle(x: float, y: float, width: float, height: float, r: float) -> Path:
    """A rectangle with round corners of radius r."""
    if not r:
        return Path([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)], closed=True)
    right, bottom, k = x + width, y + height, r * (1 - QUARTER)  # k: from a corner to where its curve is pulled
    points = [
        (x + r, y), (right - r, y), (right - k, y), (right, y + k), (right, y + r),
        (right, bottom - r), (right, bottom - k), (right - k, bottom), (right - r, bottom),
        (x + r, bottom), (x + k, bottom), (x, bottom - k), (x, bottom - r),
        (x, y + r), (x, y + k), (x + k, y), (x + r, y), (x + r, y),
    ]  # fmt: skip
    return Path(points, [Path.MOVETO, *([Path.LINETO, *[Path.CURVE4] * 3] * 4), Path.CLOSEPOLY])


@lru_cache(maxsize=4096)
def face(families: str, bold: bool, italic: bool, size: float, usual: bool) -> FontProperties:
    """The fonts of a stretch of text: those named that this machine has, then others for letters that they lack.

    usual: every font has the letters.
    """
    there = {font.name for font in fontManager.ttflist}
    wanted = dict.fromkeys(name.strip(" '") for name in f"{families}, {SIGNS}, {EASTERN}, {OTHERS}".split(","))
    family = [name for name in wanted if name in there][: 1 if usual else None]
    weight = "bold" if bold else "normal"
    return FontProperties(family=family, style="italic" if italic else "normal", weight=weight, size=size)


@lru_cache(maxsize=4096)
def rgb(colour: str) -> tuple[float, float, float] | None:
    """A colour of the SVG as Matplotlib's."""
    return None if colour == "none" else to_rgb(colour)
