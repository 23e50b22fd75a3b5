"""Attention in an unrolled picture: a line from each step that is looked at, as wide as its weight.

Between stretches, and where ops stand in the way, the lines go over the columns in arcs; within a stretch they go
straight up, from what is looked at to what is made of it, so that a causal mask is seen as the triangle that it is.
"""

from __future__ import annotations

from collections import defaultdict

from ..pictures.courses import straight
from ..pictures.labels import number
from ..pictures.palette import ATTENTION
from ..pictures.picture import Curve, Point
from .beside import free_way
from .scene import Scene

LOWEST, HIGHEST, LEVEL = 18.0, 110.0, 0.1  # of arcs: the least, the most, and how much of their length


def attention_edges(scene: Scene, band: float) -> list[Curve]:
    """The lines of all attention.  band: the height of the upper edge of the columns."""
    curves = []
    for look in scene.looks:
        if look.target not in scene.centres:
            continue
        shown: dict[int | tuple[int, int], float] = defaultdict(float)
        for x, weight in look.sources.items():
            c = scene.timeline.column[x]
            item = scene.item(c) if c is not None else None
            if x in scene.centres:
                shown[x] += weight
            elif item is not None and item.passed:
                shown[item.first, item.last] += weight
        for source, weight in sorted(shown.items(), key=lambda pair: pair[1]):  # the strongest last, on top
            curves.append(line(scene, source, look.target, weight, band))
    return curves


def line(scene: Scene, source: int | tuple[int, int], target: int, weight: float, band: float) -> Curve:
    """One line of attention."""
    if isinstance(source, tuple):
        item = scene.item(source[0])
        start, straight_up = (item.x + item.width / 2, band + 30), False
        said = f"steps {scene.timeline.steps[source[0]]} to {scene.timeline.steps[source[1]]}"
    else:
        start, straight_up = scene.head(source), direct(scene, source, target)
        said = scene.name(source)
    if straight_up:
        (x1, y1), (x2, y2) = start, scene.centres[target]
        y2 += scene.size(target)[1] / 2
        bend = (y1 - y2) * 0.45
        points: list[Point] = [(x1, y1), (x1, y1 - bend), (x2, y2 + bend), (x2, y2)]
    else:
        points = arc(scene, source, start, target, band)
    looks = {"opacity": 1.0, "dashed": True} if weight == 0 else {"opacity": round(0.15 + 0.8 * min(1.0, weight), 3)}
    return Curve(
        tuple(points),
        arrow=False,
        stroke=ATTENTION,
        width=0.5 if weight == 0 else round(0.5 + 4.5 * min(1.0, weight), 2),
        kind="attention",
        ends=("" if isinstance(source, tuple) else scene.id_of(source), scene.id_of(target)),
        title=f"{said} → {scene.name(target)}: {number(weight)}",
        **looks,  # type: ignore[arg-type]
    )


def direct(scene: Scene, source: int, target: int) -> bool:
    """Whether a line may go straight: the two are in one stretch, and nothing is drawn between their heights."""
    timeline = scene.timeline
    c, d = timeline.column[source], timeline.column[target]
    if c is None or d is None or timeline.stretch[c] != timeline.stretch[d]:
        return False
    upper, lower = scene.spot(target)[1], scene.spot(source)[1]
    between = [i for i in timeline.members[d] if upper < scene.spot(i)[1] < lower]
    return lower > upper and not between


def arc(scene: Scene, source: int | tuple[int, int], start: Point, target: int, band: float) -> list[Point]:
    """Up from the source, over the columns, down to the target."""
    rise = free_way(scene, source) if isinstance(source, int) else start[0]
    fall, end = free_way(scene, target), scene.head(target)
    points = [*rising(*start, rise, band)]
    height = min(HIGHEST, LOWEST + LEVEL * abs(fall - rise))
    reach = (fall - rise) * 0.25
    points += [(rise, band - height), (rise + reach, band - height * 1.15)]
    middle = ((rise + fall) / 2, band - height * 1.15)
    points += [middle, (fall - reach, band - height * 1.15), (fall, band - height), (fall, band)]
    points += rising(*end, fall, band)[::-1][1:]
    return points


def rising(x: float, top: float, way: float, band: float) -> list[Point]:
    """From the upper edge of a box straight up to the band, stepping aside where something stands above."""
    if way == x:
        return straight((x, top), (x, band))
    return [(x, top), (x, top - 14), (way, top - 4), (way, top - 18), *straight((way, top - 18), (way, band))[1:]]


def arcs_height(scene: Scene) -> float:
    """The room that arcs need over the columns; 0 where there are none."""
    longest = 0.0
    for look in scene.looks:
        if look.target in scene.keys and scene.timeline.column[look.target] in scene.plans:
            for x in look.sources:
                if scene.timeline.column[x] in scene.plans and not direct(scene, x, look.target):
                    longest = max(longest, abs(scene.spot(x)[0] - scene.spot(look.target)[0]))
    return min(HIGHEST, LOWEST + LEVEL * longest) * 1.15 + 6 if longest else 0.0
