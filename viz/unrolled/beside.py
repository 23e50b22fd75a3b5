"""What stands beside time: initial states before the steps, bridges between stretches, the sum of the losses after.

A *side* is a place between stretches: the one before all, those between, the one after all.
"""

from __future__ import annotations

from typing import Any

from ..layout.placement import place_beside
from ..pictures.courses import moved, straight, swing
from ..pictures.palette import SOFT
from ..pictures.picture import Group, Part, Point
from ..reading.columns import AFTER, BEFORE, BETWEEN, MEMORY, STEP
from .scene import FAR, STATE, Scene

ASIDE = 26.0  # between the steps and what stands beside them


class Aside:
    """The nodes of one side, laid out from left to right."""

    def __init__(self, scene: Scene, number: int, nodes: list[int]) -> None:
        self.number, self.nodes = number, nodes
        inside = set(self.nodes)
        self.edges = [(x, i) for i in self.nodes for x in dict.fromkeys(scene.inputs_beside(i)) if x in inside]
        sizes = {i: scene.size(i) for i in self.nodes}
        self.width, self.height, self.centres, self.courses = place_beside(self.nodes, self.edges, sizes)
        self.buses = gathered(scene, self)

    @property
    def room(self) -> float:
        """The width that it needs between two stretches."""
        return self.width + 2 * ASIDE if self.nodes else 40.0


def sides_of(scene: Scene) -> list[Aside]:
    """All sides, from the left."""
    nodes: list[list[int]] = [[] for _ in range(len(scene.timeline.stretches) + 1)]
    for i, role in enumerate(scene.timeline.role):
        if role in (BEFORE, BETWEEN, MEMORY, AFTER) and (side := side_of(scene, i)) is not None:
            nodes[side].append(i)
    return [Aside(scene, number, of_side) for number, of_side in enumerate(nodes)]


def side_of(scene: Scene, i: int) -> int | None:
    """The side where a node stands, counted from the left."""
    timeline, role = scene.timeline, scene.timeline.role[i]
    if role == AFTER:
        return len(timeline.stretches)
    if role in (BETWEEN, MEMORY):
        return timeline.stands[i] + 1 if i in timeline.stands else None
    if role != BEFORE:
        return None
    column, key = scene.starts[i][0] if i in scene.starts else (scene.columns[0], None)
    return timeline.stretch[column] + (key in scene.plans[column].backward)


def side_parts(scene: Scene, side: Aside, x: float, bus_ys: list[float], top: float) -> list[Part]:
    """The nodes of a side from x on, and the ways to them and on from them."""
    if not side.nodes:
        return []
    heights = {i: height for i in side.nodes if (height := natural_height(scene, side, i)) is not None}
    shifts: dict[int, float] = {}
    if side.edges:
        lead = next((i for i in side.nodes if i in heights), side.nodes[-1])
        shift = heights.get(lead, bus_ys[0] if bus_ys else top + side.height) - side.centres[lead][1]
        highest = min(y - scene.size(i)[1] / 2 for i, (_, y) in side.centres.items())
        shifts = dict.fromkeys(side.nodes, max(shift, top - highest))
    else:
        shifts = {i: y - side.centres[i][1] for i, y in lone_heights(scene, side, heights, bus_ys, top).items()}
    parts: list[Part] = []
    at = {i: (cx + x, cy + shifts[i]) for i, (cx, cy) in side.centres.items()}
    if not side.edges:
        at = {i: (x + side.width / 2, y) for i, (_, y) in at.items()}
    edge = scene.edge(side.number - 1)
    for n, (i, taken) in enumerate(side.buses):
        parts += bus(scene, i, taken, (edge + 8 + 4 * n, bus_ys[n]), at[i])
    on_bus = {taken for _, sources in side.buses for taken in sources}
    for i in side.nodes:
        for source in dict.fromkeys(scene.inputs_beside(i)):
            if scene.timeline.role[source] != STEP or source in on_bus:
                continue
            tip = (at[i][0] - scene.size(i)[0] / 2, at[i][1])
            height = exit_height(scene, source)
            if height is not None:
                parts.append(scene.curve(swing((edge, height), tip), source, i, kind="lane", **STATE))
            elif source in scene.centres:
                start = (scene.centres[source][0] + scene.size(source)[0] / 2, scene.centres[source][1])
                parts.append(scene.curve(swing(start, tip), source, i, kind="far", **FAR))
    for a, b in side.edges:
        points = moved(side.courses[a, b], x, shifts[a])
        parts.append(scene.curve(points, a, b))
    parts += [scene.box(i, *at[i]) for i in side.nodes]
    for i in side.nodes:
        for c, key in scene.starts.get(i, ()):
            lane, backward = scene.lane(c, key), key in scene.plans[c].backward
            if lane is not None:
                item = scene.item(c)
                half = scene.size(i)[0] / 2
                start = (at[i][0] - half, at[i][1]) if backward else (at[i][0] + half, at[i][1])
                way = swing(start, (item.x + item.width if backward else item.x, lane))
                parts.append(scene.curve(way, i, None, arrow=False, kind="lane", **STATE))
    called = "before" if side.number == 0 else "after" if side.number == len(scene.timeline.stretches) else "between"
    return [Group(called + (f"-{side.number}" if called == "between" else ""), tuple(parts), kind="beside")]


def natural_height(scene: Scene, side: Aside, i: int) -> float | None:
    """The height of the state that a node continues, or begins."""
    for source in scene.inputs_beside(i):
        if scene.timeline.role[source] == STEP:
            height = exit_height(scene, source)
            if height is not None:
                return height
    if i in scene.starts:
        return scene.lane(*scene.starts[i][0])
    return None


def lone_heights(
    scene: Scene, side: Aside, heights: dict[int, float], bus_ys: list[float], top: float
) -> dict[int, float]:
    """Where nodes without edges between them stand, one below the other: each as near as it can to its own height."""
    on_bus = {i: bus_ys[n] for n, (i, _) in enumerate(side.buses)}
    lowest = scene.top[scene.columns[0]] + scene.plans[scene.columns[0]].height
    wanted = {i: heights.get(i, on_bus.get(i, lowest)) for i in side.nodes}
    placed: dict[int, float] = {}
    below = top
    for i in sorted(side.nodes, key=lambda n: wanted[n]):
        half = scene.size(i)[1] / 2
        placed[i] = max(wanted[i], below + half)
        below = placed[i] + half + 8
    return placed


def gathered(scene: Scene, side: Aside) -> list[tuple[int, list[int]]]:
    """The nodes after the steps that take from several columns, each with what it takes."""
    found = []
    for i in side.nodes:
        taken = [x for x in dict.fromkeys(scene.inputs_beside(i)) if scene.timeline.role[x] == STEP]
        if len({scene.timeline.column[x] for x in taken}) > 1:
            found.append((i, taken))
    return found


def exit_height(scene: Scene, x: int) -> float | None:
    """The height at which node x leaves the last column of its stretch to the right."""
    c = scene.timeline.column[x]
    if c is None or c not in scene.plans or c != scene.timeline.stretches[scene.timeline.stretch[c]][-1]:
        return None
    plan, key = scene.plans[c], scene.keys[x]
    return scene.lane(c, key) if key in plan.exits and key not in plan.backward else None


def bus(scene: Scene, i: int, taken: list[int], corner: Point, at: Point) -> list[Part]:
    """From each source up to one line over the columns, along it to the corner, and from there to node i at `at`."""
    looks: dict[str, Any] = {"stroke": SOFT, "width": 1.2}
    parts: list[Part] = []
    end, y = corner
    starts = []
    for x in taken:
        if x not in scene.centres:
            continue  # at one of the steps passed over
        cx, top = scene.head(x)
        r = min(8.0, top - y)
        clear = free_way(scene, x)
        rise = straight((cx, top), (cx, y + r))
        if clear != cx:  # step aside between two ranks
            rise = [(cx, top), (cx, top - 14), (clear, top - 4), (clear, top - 18)]
            rise += straight(rise[-1], (clear, y + r))[1:]
            cx = clear
        starts.append(cx)
        bend = [(cx, y + r * 0.45), (cx + r * 0.55, y), (cx + r, y)]
        parts.append(scene.curve([*rise, *bend], x, i, arrow=False, kind="bus", **looks))
    begin = (min(starts) + 8 if starts else scene.items[0].x, y)
    tip = (at[0] - scene.size(i)[0] / 2, at[1])
    if abs(at[1] - y) < 2:
        way = straight(begin, tip)
    else:  # round two corners
        r = min(8.0, abs(at[1] - y) / 2)
        turn = r if at[1] > y else -r
        way = straight(begin, (end - r, y))
        way += [(end - r * 0.45, y), (end, y + turn * 0.45), (end, y + turn)]
        way += straight((end, y + turn), (end, at[1] - turn))[1:]
        way += [(end, at[1] - turn * 0.45), (end + r * 0.45, at[1]), (end + r, at[1])]
        way += straight((end + r, at[1]), tip)[1:]
    parts.append(scene.curve(way, None, i, kind="bus", **looks))
    return parts


def free_way(scene: Scene, x: int) -> float:
    """Where a line may go straight up from node x through its column: over its middle, or as near as nothing is."""
    c = scene.timeline.column[x]
    if c is None:
        return scene.centres[x][0]
    middle, y = scene.head(x)
    left, right = scene.left[c] + 4, scene.left[c] + scene.plans[c].width - 4
    above = [i for i in scene.timeline.members[c] if scene.centres[i][1] < y and i != x]
    taken = [(scene.centres[i][0], scene.size(i)[0] / 2 + 5) for i in above]
    for step in range(int(scene.plans[c].width // 6)):
        for way in (middle + 6 * step, middle - 6 * step):
            if left <= way <= right and all(abs(way - at) >= half for at, half in taken):
                return way
    return middle
