"""Scopes as frames around their nodes, where the layout of a step leaves them together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..pictures.labels import label_width, plain, shorten
from ..pictures.palette import FAINT, QUIET
from ..pictures.picture import Panel, Part, Text
from ..reading.levels import prefixes
from ..reading.lines import Key
from .belts import Plan

PAD, HEAD = 8.0, 14.0  # between a frame and its nodes; more above, for its name


@dataclass(frozen=True)
class Frame:
    """A scope in a plan: its name, and the rectangle around its nodes."""

    scope: str
    left: float
    top: float
    right: float
    bottom: float


def scope_frames(plan: Plan, scopes: dict[Key, str], closed: Collection[str] = ()) -> list[Frame]:
    """The scopes that have a rectangle to themselves in a plan, the outermost first.

    scopes: the scope of each node.  A scope of one node, or around all others, needs no frame; nor has one that is
    `closed`, drawn as a box.
    """
    inside: dict[str, list[Key]] = {}
    for key, scope in scopes.items():
        for path in prefixes(scope):
            inside.setdefault(path, []).append(key)
    frames: list[Frame] = []
    for path in sorted(inside, key=lambda p: (p.count("/"), p)):
        keys = inside[path]
        if len(keys) < 2 or path in closed or any(keys == inside.get(outer) for outer in prefixes(path)[:-1]):
            continue
        depth = max(p.count("/") for p in inside if p == path or p.startswith(path + "/")) - path.count("/")
        pad = PAD + 4.0 * depth
        boxes = [bounds(plan, key) for key in keys]
        name = label_width(plain(shorten(path.rpartition("/")[2], 120, 10)), 10) + 12
        left, top = min(b[0] for b in boxes) - pad, min(b[1] for b in boxes) - pad - HEAD * (depth + 1)
        right, bottom = max(b[2] for b in boxes) + pad, max(b[3] for b in boxes) + pad
        frame = Frame(path, left, top, max(right, left + name), bottom)
        others = [bounds(plan, key) for key in plan.centres if key not in set(keys)]
        clear = not any(overlap((left, top, frame.right, bottom), other) for other in others)
        fits = left >= 1 and frame.right <= plan.width - 1
        apart = all(path.startswith(f.scope + "/") or not crossing(f, frame) for f in frames)
        if clear and fits and apart and len(others):
            frames.append(frame)
    return frames


def bounds(plan: Plan, key: Key) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a node."""
    (x, y), (width, height) = plan.centres[key], plan.sizes[key]
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Whether two rectangles have an area in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def crossing(one: Frame, other: Frame) -> bool:
    """Whether two frames overlap."""
    return overlap((one.left, one.top, one.right, one.bottom), (other.left, other.top, other.right, other.bottom))


def frame_parts(frames: list[Frame], dx: float, dy: float) -> list[Part]:
    """The frames of a column that begins at (dx, dy)."""
    parts: list[Part] = []
    for f in frames:
        size = f.right - f.left, f.bottom - f.top
        parts.append(Panel(f.left + dx, f.top + dy, *size, "none", FAINT, 7, kind="scope", title=f.scope))
        said = shorten(f.scope.rpartition("/")[2], size[0] - 10, 10)
        parts.append(Text(f.left + dx + 7, f.top + dy + 12, plain(said), 10, QUIET, "start", kind="scope-name"))
    return parts
