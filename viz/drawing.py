"""The picture as an object to show and to save."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path

import matplotlib
import resvg_py

from .dot import to_dot
from .errors import PictureTooLargeError, SaveError, UnknownFormatError
from .graphviz_program import pdf_program, run
from .picture import Picture
from .svg import to_svg

FORMATS = (".svg", ".png", ".pdf", ".dot")
PIXELS = 100_000_000  # of a PNG: 400 MB while it is made


class Drawing:
    """A finished picture: shown by notebooks, saved as SVG, PNG, PDF or DOT."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

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

        Raises PictureTooLargeError above 100 million pixels.
        """
        if not 0 < dpi < float("inf"):
            raise ValueError(f"dpi must be a positive number, got {dpi}")
        zoom = dpi / 96
        width, height = self.picture.width * zoom, self.picture.height * zoom
        if width * height > PIXELS:
            fitting = 96 * (PIXELS / (self.picture.width * self.picture.height)) ** 0.5
            raise PictureTooLargeError(
                f"a PNG of {width:,.0f} × {height:,.0f} pixels is more than the {PIXELS:,} that fit: save as .svg, "
                f"show fewer steps, or ask for dpi={fitting:.0f} or less"
            )
        # Matplotlib brings a font, so that a machine without any shows letters too.
        paper = self.picture.theme.hex("paper")
        fonts = os.path.join(matplotlib.get_data_path(), "fonts", "ttf")
        return bytes(resvg_py.svg_to_bytes(svg_string=self.svg, zoom=zoom, font_dirs=[fonts], background=paper))

    def pdf(self) -> bytes:
        """The picture as PDF.  Raises GraphvizMissingError where the system has no Graphviz."""
        return run(pdf_program(), self.source)

    def save(self, path: str | os.PathLike[str], *, dpi: float = 192) -> Path:
        """Write the picture to `path`, in the format of its ending: .svg, .png, .pdf or .dot.

        dpi is for PNG: 96 is the size of the SVG on screen.  The file appears whole or not at all.
        Raises UnknownFormatError, SaveError, GraphvizMissingError (PDF), PictureTooLargeError (PNG).
        """
        path = Path(path)
        ending = path.suffix.lower()
        if ending not in FORMATS:
            given = f"the ending {path.suffix!r}" if path.suffix else "no ending"
            raise UnknownFormatError(f"a drawing is saved as {', '.join(FORMATS)}, got {given} in {str(path)!r}")
        if ending == ".png":
            content = self.png(dpi=dpi)
        elif ending == ".pdf":
            content = self.pdf()
        else:
            content = (self.svg if ending == ".svg" else self.source).encode()
        write_whole(path, content)
        return path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside `path` and rename it, so that nobody ever sees half of it.  Raises SaveError."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        why = error.strerror if isinstance(error, OSError) else str(error)
        said = f"cannot save the drawing ({why}): give a folder that is there and writable"
        raise SaveError(getattr(error, "errno", None), said, str(path)) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def umask() -> int:
    """The rights that new files of this process do without."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
