"""`draw_dot` as micrograd's notebooks call it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tinygrad_seq.graph import Node

from ..errors import UnknownFormatError
from ..pictures.drawing import FORMATS, Drawing
from .draw import draw_graph


class Dot(Drawing):
    """A drawing with the method of `graphviz.Digraph` that notebooks use, `render`, and its `format`."""

    def __init__(self, drawing: Drawing, format: str) -> None:
        super().__init__(drawing.picture, drawing.subject, drawing.boxes)
        self.format = format

    def render(
        self, filename: str | os.PathLike[str], directory: str | os.PathLike[str] = "", *, format: str | None = None
    ) -> str:
        """Write the picture beside nothing else: to `filename` with the format as its ending; returns the path.

        Raises UnknownFormatError, SaveError.
        """
        path = os.path.join(directory, f"{os.fspath(filename)}.{checked(format or self.format)}")
        return str(self.save(path))


def draw_dot(root: Node | Sequence[Node], format: str = "svg", rankdir: str = "LR", **options: Any) -> Dot:
    """`draw_graph` under micrograd's name, with its arguments; also those of `draw_graph`.

    format: what `render` writes, "svg", "png", "pdf" or "dot".  rankdir: "LR" or "TB".

    >>> from tinygrad_seq import Value
    >>> dot = draw_dot(Value(2.0) * Value(3.0))
    >>> dot.render("product")
    'product.svg'
    """
    checked(format)
    return Dot(draw_graph(root, **{"direction": rankdir, **options}), format)


def checked(format: str) -> str:
    """The format, in small letters.  Raises UnknownFormatError."""
    known = [ending.removeprefix(".") for ending in FORMATS]
    if not isinstance(format, str) or format.lower() not in known:
        raise UnknownFormatError(f"format must be one of {', '.join(known)}, got {format!r}")
    return format.lower()
