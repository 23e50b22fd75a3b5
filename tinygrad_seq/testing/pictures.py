"""A report as files: its text, and beside it a picture of the record around the node at fault."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinygrad_seq.viz import Drawing, UnknownFormatError, draw_graph
from tinygrad_seq.viz.pictures.labels import label_width, plain
from tinygrad_seq.viz.pictures.palette import INK, QUIET
from tinygrad_seq.viz.pictures.picture import Part, Text

from ..graph import Graph, Node
from .faults import Fault

__all__ = ["picture_of", "written"]

DISTANCE = 2  # ops up and down from the node at fault that are drawn
MARGIN, LINE, HEAD = 24.0, 17.0, 24.0  # around the words under the picture, from line to line, and over the first
MOST, LONGEST = 8, 160  # lines that are said under the picture, and their letters


def written(
    path: Path, text: str, faults: Sequence[Fault], outputs: Sequence[Node], picture: str | None = "svg"
) -> list[Path]:
    """Write the text of a report to `path`, and beside it a picture of the record around the first fault with a node.

    picture: "svg", "png", "pdf", "dot", "html", or None for none.  Folders that are not there are made.  All files
    appear, whole, or none.  Returns the paths that were written, the text's first.
    Raises UnknownFormatError, ValueError for a path that is the picture's, OSError.
    """
    files = {path: text.encode()}
    ending = f".{(picture or '').removeprefix('.').lower()}"
    if picture is not None:
        if ending not in Drawing.formats:
            known = ", ".join(kind.removeprefix(".") for kind in Drawing.formats)
            raise UnknownFormatError(f"a picture of a fault is saved as {known}, got {picture!r}")
        if path.suffix.lower() == ending:
            raise ValueError(f"{str(path)!r} is where the picture goes: give the path of the text, such as report.txt")
        drawing = picture_of(faults, outputs)
        if drawing is not None:
            files[path.with_suffix(ending)] = drawing.formats[ending](drawing, 192)
    for target in files:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder stands where a file goes: give another path", str(target))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as beside:  # first there, and then into their places
        for target, content in files.items():
            Path(beside, target.name).write_bytes(content)
        for target in files:
            Path(beside, target.name).replace(target)
    return list(files)


def picture_of(faults: Sequence[Fault], outputs: Sequence[Node], *, dark: bool = False) -> Drawing | None:
    """The record around the first fault that has a node, the node marked; None where no fault has one."""
    fault = next((fault for fault in faults if fault.node is not None), None)
    if fault is None or fault.node is None:
        return None
    roots = outputs if fault.node in set(Graph(*outputs).nodes) else (fault.node,)
    mark = {fault.node: caption(fault)}
    drawing = draw_graph(roots, around=fault.node, distance=DISTANCE, mark=mark, direction="TB", dark=dark)
    return with_words(drawing, str(fault))


def caption(fault: Fault) -> str:
    """What is wrong with the node, in the words that stand beside it; and the line that made it, where that is told."""
    if fault.input is None:
        said = fault.kind
    elif fault.kind == "value":
        said = f"wrong derivative by input {fault.input}"
    else:
        said = f"{fault.kind}: derivative by input {fault.input}"
    source = fault.node.source if fault.node is not None else ""
    return f"{said}, {source}" if source and source in str(fault) else said


def with_words(drawing: Drawing, words: str) -> Drawing:
    """A drawing with lines of text under it, the first in the colour of ink."""
    lines = [line if len(line) <= LONGEST else line[: LONGEST - 1] + "…" for line in words.splitlines()[:MOST]]
    labels = [plain(line.strip()) for line in lines]
    picture = drawing.picture
    texts: list[Part] = [
        Text(MARGIN, picture.height + HEAD - 8 + LINE * n, label, 12, QUIET if n else INK, "start", not n, "note")
        for n, label in enumerate(labels)
    ]
    width = max(picture.width, *(label_width(label, 12) * (1.1 if label is labels[0] else 1) for label in labels))
    widened = replace(
        picture,
        width=max(picture.width, width + 2 * MARGIN),
        height=picture.height + HEAD + LINE * len(labels),
        parts=(*picture.parts, *texts),
        title=lines[0],
    )
    return Drawing(widened, drawing.subject, drawing.boxes)
