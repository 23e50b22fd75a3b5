"""How often the edges of a plan cross: of several ways to lay out a step the clearest is taken."""

from __future__ import annotations

import numpy as np

from ..pictures.courses import Course
from ..reading.lines import Key
from .belts import Plan

PIECES = 8  # straight lines that stand for a Bézier curve
POWERS = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
BLEND = [(1 - POWERS) ** 3, 3 * POWERS * (1 - POWERS) ** 2, 3 * POWERS**2 * (1 - POWERS), POWERS**3]


def crossings(plan: Plan) -> int:
    """How many pairs of edges cross in a plan; those that share an end do so by right."""
    edges: list[tuple[tuple[object, object], Course]] = list(plan.courses.items())
    edges += [((("in", a), b), course) for (a, b), course in plan.entries.items()]
    edges += [((key, ("out", key)), course) for key, course in plan.exits.items()]
    return count_crossings(edges)


def count_crossings(edges: list[tuple[tuple[Key | object, Key | object], Course]]) -> int:
    """How many pairs of courses cross whose ends are four different things."""
    starts, ends, owner = [], [], []
    for n, (_, points) in enumerate(edges):
        line = flattened(points)
        starts.append(line[:-1])
        ends.append(line[1:])
        owner += [n] * (len(line) - 1)
    if not owner:
        return 0
    p, q, who = np.concatenate(starts), np.concatenate(ends), np.array(owner)
    meeting = straddles(p, q, p, q) & straddles(p, q, p, q).T
    found = {(min(a, b), max(a, b)) for a, b in zip(*(who[side] for side in np.nonzero(meeting)))}
    return sum(not set(edges[a][0]) & set(edges[b][0]) for a, b in found if a != b)


def flattened(points: Course) -> np.ndarray:
    """A course as a chain of points, (n, 2)."""
    corners = np.array(points)
    pieces = [corners[:1]]
    for n in range(0, len(corners) - 1, 3):
        a, b, c, d = corners[n : n + 4]
        pieces.append((BLEND[0] * a + BLEND[1] * b + BLEND[2] * c + BLEND[3] * d)[1:])
    return np.concatenate(pieces)


def straddles(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """For each line p–q and each line r–s whether r and s lie on different sides of the first, (n, m)."""
    along = q - p

    def side(of: np.ndarray) -> np.ndarray:
        away = of[None, :, :] - p[:, None, :]
        return along[:, None, 0] * away[..., 1] - along[:, None, 1] * away[..., 0]

    return side(r) * side(s) < 0
