"""Charts as files: whole or not at all, and the same bytes for the same chart."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Protocol

from matplotlib import rc_context
from matplotlib.figure import Figure

from tinygrad_seq.checkpoint import write_whole

from ..errors import PictureTooLargeError, SaveError, UnknownFormatError
from .fonts import told_once

__all__ = ["save_chart"]

# What a file would say of the day it was made and of the program that made it.
DATED: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
SIDE = 2**16  # pixels of a side of a PNG


class Drawn(Protocol):
    """A figure, or what stands in one: axes, a part of it, a chart."""

    @property
    def figure(self) -> Any:
        """What it stands in; of a figure itself."""


def save_chart(chart: Drawn, path: str | os.PathLike[str], *, dpi: float | None = None) -> Path:
    """Write a chart to `path`, in the format of its ending: .svg, .png or .pdf.

    chart: what a function named plot_… gave, or axes or a figure of Matplotlib; the whole figure is written.  dpi is
    for PNG; None is the figure's own.  The same chart gives the same bytes, which Matplotlib's own `savefig` dates and
    numbers.  The file appears whole or not at all.
    Raises UnknownFormatError, SaveError, PictureTooLargeError (PNG).

    >>> from tinygrad_seq.viz import plot_attention
    >>> save_chart(plot_attention([[0.9, 0.1], [0.2, 0.8]], "AB", "XY"), "map.svg").name
    'map.svg'
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in DATED:
        given = f"the ending {path.suffix!r}" if path.suffix else "no ending"
        raise UnknownFormatError(f"a chart is saved as {', '.join(DATED)}, got {given} in {str(path)!r}")
    write_file(path, rendered(chart, ending, dpi))
    return path


def rendered(chart: Drawn, ending: str, dpi: float | None = None) -> bytes:
    """The file of a chart in the format of an ending, letters of an SVG as shapes; the same bytes for the same chart.

    Raises PictureTooLargeError for a PNG of too many pixels.
    """
    figure: Any = chart
    while not isinstance(figure, Figure):  # axes stand in a figure, or in a part of one
        figure = figure.figure
    dpi = figure.dpi if dpi is None else dpi
    if not 0 < dpi < float("inf"):
        raise ValueError(f"dpi must be a positive number, got {dpi}")
    inches = max(figure.get_size_inches())
    if ending == ".png" and inches * dpi >= SIDE:
        raise PictureTooLargeError(
            f"a PNG of {inches * dpi:,.0f} pixels on one side is more than the {SIDE - 1:,} that fit: save as .svg, or "
            f"ask for dpi={int((SIDE - 1) / inches)} or less"
        )
    content = io.BytesIO()
    settings: Any = {"svg.hashsalt": "tinygrad_seq", "svg.fonttype": "path", "pdf.fonttype": 42}
    with rc_context(settings), told_once():
        figure.savefig(content, format=ending[1:], dpi=dpi, metadata=DATED[ending])
    return content.getvalue()


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.  Raises SaveError."""
    try:
        write_whole(path, content)
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        number, why = getattr(error, "errno", None), getattr(error, "strerror", None) or error
        said = f"cannot save ({why}): give a folder that is there, and a file that may be written"
        raise SaveError(number, said, str(path)) from error
