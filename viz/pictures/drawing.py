"""The picture as an object to show and to save."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import resvg_py

from ..charts.chart_file import write_file
from ..errors import PictureTooLargeError, UnknownFormatError
from ..player.notebook import Player
from ..player.page import player_page
from ..player.stages import Stage, Subject
from .dot import to_dot
from .pdf import to_pdf
from .picture import Picture
from .svg import to_svg

PIXELS = 100_000_000  # of a PNG: 400 MB while it is made
FORMATS: Mapping[str, Callable[[Any, float], bytes]] = {  # ending → content, at a dpi
    ".svg": lambda drawing, dpi: drawing.svg.encode(),
    ".png": lambda drawing, dpi: drawing.png(dpi=dpi),
    ".pdf": lambda drawing, dpi: drawing.pdf(),
    ".dot": lambda drawing, dpi: drawing.source.encode(),
    ".html": lambda drawing, dpi: drawing.html().encode(),
}


class Drawing:
    """A finished picture: shown by notebooks, saved as SVG, PNG, PDF or DOT, and as a page with a player.

    >>> from tinygrad_seq import Value
    >>> from tinygrad_seq.viz import draw_graph
    >>> drawing = draw_graph(Value(2.0).named("x") * Value(3.0).named("y"))
    >>> drawing.save("product.png", dpi=300).name
    'product.png'
    >>> drawing.svg[:37]
    '<svg xmlns="http://www.w3.org/2000/sv'
    """

    formats = FORMATS

    def __init__(
        self, picture: Picture, subject: Subject | None = None, boxes: Mapping[int, list[str]] | None = None
    ) -> None:
        self.picture = picture
        self.subject = subject
        self.boxes = dict(boxes or {})

    def __repr__(self) -> str:
        return f"<Drawing {self.picture.title!r}, {self.picture.width:.0f} × {self.picture.height:.0f}>"

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document."""
        return to_svg(self.picture)

    @cached_property
    def source(self) -> str:
        """The picture in Graphviz's DOT language, with positions: for `neato -n2`."""
        return to_dot(self.picture)

    def _repr_svg_(self) -> str:
        return self.svg

    def png(self, *, dpi: float = 192) -> bytes:
        """The picture as PNG; 96 dpi is the size of the SVG on screen, 192 twice that.

        The file says its dpi, so that a document shows it in its true size.
        Raises ValueError for a dpi that is no positive number, or leaves no pixel; PictureTooLargeError above 100
        million pixels.
        """
        if not 0 < dpi < float("inf"):
            raise ValueError(f"dpi must be a positive number, got {dpi}")
        zoom = dpi / 96
        width, height = self.picture.width * zoom, self.picture.height * zoom
        if min(width, height) < 1:
            raise ValueError(f"dpi={dpi} leaves no pixel of {self!r}: 96 is the size on screen")
        if width * height > PIXELS:
            fitting = 96 * (PIXELS / (self.picture.width * self.picture.height)) ** 0.5
            raise PictureTooLargeError(
                f"a PNG of {width:,.0f} × {height:,.0f} pixels is more than the {PIXELS:,} that fit: save as .svg, "
                f"show fewer steps, or ask for dpi={int(fitting)} or less"
            )
        # Matplotlib brings a font, so that a machine without any shows letters too.
        paper = self.picture.theme.hex("paper")
        fonts = os.path.join(matplotlib.get_data_path(), "fonts", "ttf")
        png = bytes(resvg_py.svg_to_bytes(svg_string=self.svg, zoom=zoom, font_dirs=[fonts], background=paper))
        return with_resolution(png, dpi)

    def pdf(self) -> bytes:
        """The picture as PDF: what the SVG shows, in vectors, with text that can be searched and copied."""
        return to_pdf(self.svg)

    def html(self) -> str:
        """The picture as one self-contained HTML page with a player: backprop, and the computation, step by step.

        The numbers are those of a sweep over the record as it is now; no `.grad` is looked at or set.
        Raises UnknownFormatError for a picture that was not drawn from a record.
        """
        if self.subject is None:
            raise UnknownFormatError("a page plays a record, and this picture is of none: save it as .svg or .png")
        stages, level = self._stages()
        return player_page(self.subject, stages, level, self.picture.title)

    def _stages(self) -> tuple[dict[str, Callable[[], Stage]], str]:
        """The levels of detail that the page has, and the one it opens at."""
        return {"picture": lambda: Stage(self.picture, self.boxes)}, "picture"

    def player(self, *, height: int = 760) -> Player:
        """The page of `html()` for a notebook, which shows it in a frame of that many pixels.

        >>> from tinygrad_seq import Value
        >>> from tinygrad_seq.viz import draw_graph
        >>> draw_graph(Value(2.0) * 3).player()._repr_html_()[:15]
        '<iframe srcdoc='
        """
        return Player(self.html(), height)

    def save(self, path: str | os.PathLike[str], *, dpi: float = 192) -> Path:
        """Write the picture to `path`, in the format of its ending: .svg, .png, .pdf, .dot or .html.

        dpi is for PNG: 96 is the size of the SVG on screen.  The file appears whole or not at all; a link is followed,
        and a file that is there keeps its mode, as with `open`.
        Raises UnknownFormatError, SaveError, PictureTooLargeError (PNG).
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in self.formats:
            given = f"the ending {path.suffix!r}" if path.suffix else "no ending"
            raise UnknownFormatError(f"a drawing is saved as {', '.join(self.formats)}, got {given} in {str(path)!r}")
        write_file(path, self.formats[ending](self, dpi))
        return path


def with_resolution(png: bytes, dpi: float) -> bytes:
    """The PNG with a note of how many dots are an inch."""
    dots = round(dpi / 0.0254)  # in a metre
    note = b"pHYs" + struct.pack(">IIB", dots, dots, 1)
    header = 33  # bytes: the signature, and the size
    return png[:header] + struct.pack(">I", 9) + note + struct.pack(">I", zlib.crc32(note)) + png[header:]
