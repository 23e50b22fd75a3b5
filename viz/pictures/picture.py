"""A picture as placed parts. A reader of a record makes one; a writer (SVG, DOT) turns it into a file.

Lengths are in pixels (1/96 inch on screen), x to the right and y down; colours are names of the palette, which the
theme turns into looks. Nothing here knows what a node is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .labels import Label
from .palette import EDGE, FAINT, INK, LIGHT, PLAIN, Theme

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a box from left to right: an op's sign, a weight's badge, a number."""

    label: Label
    width: float
    fill: str | None = None  # None: the box's own
    ink: str | None = None
    size: float = 13.0
    of: int | None = None  # which shared weight a badge is of
    under: str | None = None  # the colour of a line below: the gradient that goes to a badge


@dataclass(frozen=True, slots=True)
class Box:
    """A node: a rounded box, a pill or a circle around its centre (x, y)."""

    id: str
    x: float
    y: float
    width: float
    height: float
    segments: tuple[Segment, ...]
    radius: float
    caption: Label | str = ""
    fill: str = PLAIN
    ink: str = INK
    stroke: str = FAINT
    hatched: bool = False
    dotted: bool = False  # its outline
    title: str = ""
    desc: str = ""
    kind: str = "op"
    strip: tuple[str, ...] = ()  # colours of cells below the name, one for each number of a vector


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through cubic Bézier points: 1 + 3n of them."""

    points: tuple[Point, ...]
    arrow: bool = True
    stroke: str = EDGE
    width: float = 1.2
    opacity: float = 1.0
    dashed: bool = False
    kind: str = "edge"
    ends: tuple[str, str] = ("", "")
    title: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text, its middle (or start, or end) at x and its baseline at y."""

    x: float
    y: float
    label: Label
    size: float = 12.0
    ink: str = INK
    anchor: str = "middle"
    bold: bool = False
    kind: str = "note"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A plain rectangle: the ground of a column, a cell of a strip."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = "none"
    radius: float = 0.0
    hatched: bool = False
    kind: str = "panel"
    title: str = ""
    dotted: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that belong together, such as the column of a time step."""

    id: str
    parts: tuple[Part, ...]
    title: str = ""
    kind: str = "column"
    frame: tuple[float, float, float, float] | None = None  # x, y, width, height of what holds them


Part = Box | Curve | Text | Panel | Group


@dataclass(frozen=True, slots=True)
class Picture:
    """All there is to see, and a sentence or two for those who cannot see it."""

    width: float
    height: float
    parts: tuple[Part, ...]
    title: str
    desc: str = ""
    theme: Theme = LIGHT

    def walk(self) -> Iterator[Part]:
        """Every part in drawing order, groups before what they hold."""
        waiting = list(reversed(self.parts))
        while waiting:
            part = waiting.pop()
            yield part
            if isinstance(part, Group):
                waiting.extend(reversed(part.parts))
