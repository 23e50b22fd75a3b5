"""Lines through Bézier points: 1 + 3n of them, each a pair of pixels."""

from __future__ import annotations

from collections.abc import Sequence

from .picture import Point

Course = tuple[Point, ...]


def shift(point: Point, dx: float, dy: float) -> Point:
    """A point moved by (dx, dy)."""
    return point[0] + dx, point[1] + dy


def moved(points: Sequence[Point], dx: float, dy: float) -> Course:
    """A course shifted as a whole."""
    return tuple((x + dx, y + dy) for x, y in points)


def straight(a: Point, b: Point) -> list[Point]:
    """A straight line as a Bézier curve."""
    (x1, y1), (x2, y2) = a, b
    return [a, (x1 + (x2 - x1) / 3, y1 + (y2 - y1) / 3), (x1 + (x2 - x1) * 2 / 3, y1 + (y2 - y1) * 2 / 3), b]


def joined(start: Point, points: Sequence[Point]) -> list[Point]:
    """A course that begins at `start` before it goes on with `points`: straight down or up to their height."""
    y = points[0][1]
    if abs(y - start[1]) < 8:
        return [start, *points[1:]]
    return [*straight(start, (start[0], y)), *points[1:]]


def swing(a: Point, b: Point) -> list[Point]:
    """A curve from a to b that leaves and arrives horizontally."""
    middle = (a[0] + b[0]) / 2
    return [a, (middle, a[1]), (middle, b[1]), b]
