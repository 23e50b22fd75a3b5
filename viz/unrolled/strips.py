"""The column that stands for the steps passed over: how many they are, and the colours of their states."""

from __future__ import annotations

import math
from itertools import pairwise

from ..pictures.labels import plain
from ..pictures.palette import FAINT, QUIET, SHADE
from ..pictures.picture import Curve, Group, Panel, Part, Text
from ..reading.lines import Key
from .scene import STATE, Item, Scene

WIDTH, STRIP, HEIGHT, CELLS = 132.0, 96.0, 12.0, 48


def gap_column(scene: Scene, item: Item, y: float, height: float, lanes: dict[Key, float]) -> Group:
    """A column that begins at height y; lanes: the heights at which states pass through."""
    steps, first, last, x = scene.timeline.steps, item.first, item.last, item.x
    parts: list[Part] = []
    middle = x + WIDTH / 2
    for key, at in lanes.items():
        for a, b in ((x, x + (WIDTH - STRIP) / 2), (x + (WIDTH + STRIP) / 2, x + WIDTH)):
            line = ((a, at), (a + (b - a) / 3, at), (b - (b - a) / 3, at), (b, at))
            parts.append(Curve(line, arrow=False, kind="lane", **STATE))
        parts += strip(scene, key, first, last, middle - STRIP / 2, at)
    count = last - first + 1
    free = [y + 4, *sorted(lanes.values()), y + height - 24]
    below, above = max(pairwise(free), key=lambda pair: pair[1] - pair[0])
    centre = (below + above) / 2
    parts.append(Text(middle, centre - 4, plain("· · ·"), 16, QUIET, bold=True))
    parts.append(Text(middle, centre + 14, plain(f"{count:,} step" + ("s" if count > 1 else "")), 12, QUIET))
    span = f"t = {steps[first]}" + (f" … {steps[last]}" if count > 1 else "")
    parts.append(Text(middle, y + height - 10, plain(span), 11, QUIET, kind="step"))
    return Group(
        f"{scene.column_id(first)}-{steps[last]}",
        tuple(parts),
        f"steps {steps[first]} to {steps[last]}",
        kind="gap",
        frame=(x, y, WIDTH, height),
    )


def strip(scene: Scene, key: Key, first: int, last: int, x: float, y: float) -> list[Part]:
    """The colours of one state over the steps passed over, each cell the largest of the steps it holds."""
    nodes = scene.carried_at.get(key, {})
    cells = min(CELLS, last - first + 1)
    width = STRIP / cells
    parts: list[Part] = []
    for n in range(cells):
        a, b = first + (last - first + 1) * n // cells, first + (last - first + 1) * (n + 1) // cells
        found = [scene.magnitudes[nodes[c]] for c in range(a, b) if c in nodes] if scene.magnitudes else []
        known = [m for m in found if m is not None]
        worst = next((m for m in known if not math.isfinite(m)), max(known, default=None))
        fill = scene.scale.fill(worst) if scene.scale else SHADE
        broken = worst is not None and not math.isfinite(worst)
        parts.append(Panel(x + n * width, y - HEIGHT / 2, width + 0.2, HEIGHT, fill, hatched=broken, kind="cell"))
    parts.append(Panel(x, y - HEIGHT / 2, STRIP, HEIGHT, "none", FAINT, 2, kind="strip"))
    return parts
