"""Rings: the ways by which states leave a folded body on one side, and come back to it on the other, a step later."""

from __future__ import annotations

from dataclasses import dataclass

from ..pictures.courses import Course, straight
from ..pictures.labels import Label, Run, label_width, plain, shorten
from ..pictures.palette import COLUMN, PAPER, QUIET, STRONG
from ..pictures.picture import Box, Curve, Part, Point, Segment, Text
from ..reading.lines import Key
from ..unrolled.scene import STATE

REACH, RISE, LINE = 46.0, 26.0, 26.0  # beside a frame at least, over or under it, and from ring to ring
CORNER, DELAY = 12.0, 18.0  # radius of a corner; height of the mark that says how many steps go by


@dataclass
class Ring:
    """The way of one state around a body."""

    key: Key
    name: Label
    scope: str  # "" where the name says enough
    delay: str  # what the mark says: t − 1
    backward: bool  # through the body from right to left
    y: float  # the height of the state's lane, from the upper edge of the frame
    over: bool = False
    level: int = 0  # 0 next to the frame
    reach: float = REACH  # how far from the frame the ways up and down are, for all rings of a frame

    @property
    def out(self) -> float:
        """How far from the frame it goes up and down."""
        return self.reach + LINE * self.level

    @property
    def taken_up(self) -> Label:
        """The state as the next step takes it up."""
        return (*self.name, Run(self.delay.replace(" ", ""), sub=True))

    @property
    def width(self) -> float:
        """The width of the mark of its delay."""
        return label_width(plain(self.delay), 11) + 14


Frame = tuple[float, float, float, float]  # x, y, width, height


def arrange(rings: list[Ring], height: float) -> None:
    """Lead the states of the upper half over the frame, those of the lower half under it, none crossing another."""
    middle = height / 2
    reach = max([REACH, *(label_width(ring.taken_up, 12) + CORNER + 10 for ring in rings)])
    for over in (True, False):
        side = [ring for ring in rings if (ring.y < middle) == over]
        for level, ring in enumerate(sorted(side, key=lambda r: r.y if over else -r.y)):
            ring.over, ring.level, ring.reach = over, level, reach


def beyond(rings: list[Ring]) -> float:
    """The room that rings take on either side of the frame."""
    return max((ring.out for ring in rings), default=0.0) + 6


def above(rings: list[Ring], *, over: bool = True) -> float:
    """The room that rings take over the frame, or under it."""
    levels = [ring.level for ring in rings if ring.over == over]
    return RISE + LINE * max(levels) + DELAY / 2 + 10 if levels else 0.0


def entry_point(ring: Ring, frame: Frame) -> Point:
    """Where the first value of a state joins its ring."""
    x, y, width, _ = frame
    out = ring.out - CORNER
    return (x + width + out if ring.backward else x - out, y + ring.y)


def free_place(frame: Frame, ways: list[float], left: float, right: float, at: float) -> float:
    """A place near `at` along the edge of a frame, for what reaches so far left and right of it: clear of the ways."""
    x, _, width, _ = frame
    for step in range(int(width // 6)):
        for place in (at + 6 * step, at - 6 * step):
            if x + left <= place <= x + width - right and all(not -left < way - place < right for way in ways):
                return place
    return at


def ring_parts(ring: Ring, frame: Frame, state: str, ways: list[float]) -> list[Part]:
    """The way around the frame, with the mark of the delay.

    state: the id of the node that it begins at.  ways: where lines lead up from the body, x of each.
    """
    marks = f"{state}.delay"
    x, y, width, height = frame
    out, lane = ring.out, y + ring.y
    run = y - RISE - LINE * ring.level if ring.over else y + height + RISE + LINE * ring.level
    side = -1 if ring.backward else 1  # where the state leaves: 1 on the right
    begin, end = (x, x + width) if ring.backward else (x + width, x)
    far, near = begin + side * out, end - side * out
    said, wide = plain(ring.delay), ring.width
    scope = plain(shorten(ring.scope, 110, 11))
    named = label_width(ring.name, 14) + label_width(scope, 11) + 20
    middle = free_place(frame, ways if ring.over else [], wide / 2 + named, wide / 2 + 12, x + width / 2)
    half = wide / 2 if begin > end else -wide / 2
    here = [(begin, lane), (far, lane), (far, run), (middle + half, run)]
    back = [(middle - half, run), (near, run), (near, lane), (end, lane)]
    box = Box(
        marks, middle, run, wide, DELAY, (Segment(said, wide, ink=QUIET, size=11),), 4.0, fill=COLUMN, stroke=STRONG,
        title=f"taken up as that of {ring.delay}", kind="delay",
    )  # fmt: skip
    above_line = middle - wide / 2 - 10
    parts: list[Part] = [
        Curve(rounded(here), kind="ring", ends=(state, marks), **STATE),
        Curve(rounded(back), arrow=False, kind="ring", ends=(marks, ""), **STATE),
        box,
        Text(above_line, run - 6, ring.name, 14, kind="state", anchor="end"),
        Text(begin + side * 15, lane - 6, (*ring.name, Run("t", sub=True)), 12, QUIET, "start" if side > 0 else "end"),
        Text(end - side * 6, lane - 6, ring.taken_up, 12, QUIET, "end" if side > 0 else "start"),
    ]
    if ring.scope:
        parts.append(Text(above_line - label_width(ring.name, 14) - 5, run - 6, scope, 11, QUIET, "end"))
    return parts


def rounded(corners: list[Point], radius: float = CORNER) -> Course:
    """A line through the given points as a Bézier course, its corners round."""
    points = list(corners)
    course: list[Point] = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        r = min(radius, distance(before, corner) / 2, distance(corner, after) / 2)
        a, b = toward(corner, before, r), toward(corner, after, r)
        course += straight(course[-1], a)[1:]
        course += [toward(corner, before, r * 0.45), toward(corner, after, r * 0.45), b]
    course += straight(course[-1], points[-1])[1:]
    return tuple(course)


def distance(a: Point, b: Point) -> float:
    """How far two points are from each other."""
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5


def toward(a: Point, b: Point, length: float) -> Point:
    """The point that far from a, on the way to b."""
    whole = distance(a, b)
    share = length / whole if whole else 0.0
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def bridge(a: Point, b: Point) -> Curve:
    """The ground under a line where it passes over others, a little wider than the line."""
    return Curve(tuple(straight(a, b)), arrow=False, stroke=PAPER, width=7.0, kind="bridge")
