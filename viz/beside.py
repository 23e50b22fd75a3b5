"""What stands beside time: initial states to the left of the steps, the sum of the losses to the right."""

from __future__ import annotations

from typing import Any

from .columns import BEFORE, STEP
from .courses import moved, straight, swing
from .edges import initial_lane
from .palette import SOFT
from .picture import Group, Part, Point
from .placement import place_beside
from .scene import FAR, STATE, Scene

ASIDE = 26.0  # between the steps and what stands beside them


class Aside:
    """The nodes of one side, laid out from left to right."""

    def __init__(self, scene: Scene, role: str) -> None:
        self.nodes = [i for i, r in enumerate(scene.timeline.role) if r == role]
        inside = set(self.nodes)
        self.edges = [(x, i) for i in self.nodes for x in dict.fromkeys(scene.drawn_inputs(i)) if x in inside]
        sizes = {i: scene.size(i) for i in self.nodes}
        self.width, self.height, self.centres, self.courses = place_beside(self.nodes, self.edges, sizes)

    def parts(self, scene: Scene, dx: float, dy: float) -> list[Part]:
        boxes = [scene.box(i, x + dx, y + dy) for i, (x, y) in self.centres.items()]
        edges = [scene.curve(moved(self.courses[a, b], dx, dy), a, b) for a, b in self.edges]
        return [*edges, *boxes]


def before_parts(scene: Scene, side: Aside, x: float) -> list[Part]:
    """The initial states at the heights of their lanes, or the graph that leads to them as a whole."""
    if not side.nodes:
        return []
    first = scene.items[0]
    lanes: dict[int, float] = {}
    for c in scene.columns[:1]:
        for i in scene.timeline.members[c]:
            for node in scene.drawn_inputs(i):
                key = initial_lane(scene, i, node) if scene.timeline.role[node] == BEFORE else None
                height = scene.lane(c, key) if key is not None else None
                if height is not None:
                    lanes.setdefault(node, height)
    parts: list[Part] = []
    if not side.edges:  # lone states: each in front of its lane
        free = max((scene.size(i)[1] for i in side.nodes), default=0.0)
        at = scene.top[first.first] + scene.plans[first.first].height if not first.passed else 0.0
        for i in side.nodes:
            if i not in lanes:
                parts.append(scene.box(i, x + side.width / 2, at))
                at += free + 10
            else:
                parts.append(scene.box(i, x + side.width / 2, lanes[i]))
    else:
        anchor = next(iter(lanes), side.nodes[-1])
        target = lanes.get(anchor, scene.top.get(first.first, 0.0) + side.centres[anchor][1])
        parts += side.parts(scene, x, target - side.centres[anchor][1])
    for i, height in lanes.items():
        start = scene.centres[i][0] + scene.size(i)[0] / 2, scene.centres[i][1]
        points = swing(start, (first.x, height))
        parts.append(scene.curve(points, i, None, arrow=False, kind="lane", **STATE))
    return [Group("before", tuple(parts), kind="beside")]


def gathered(scene: Scene, side: Aside) -> list[tuple[int, list[int]]]:
    """The nodes after the steps that take from several columns, each with what it takes."""
    found = []
    for i in side.nodes:
        taken = [x for x in dict.fromkeys(scene.drawn_inputs(i)) if scene.timeline.role[x] == STEP]
        if len({scene.timeline.column[x] for x in taken}) > 1:
            found.append((i, taken))
    return found


def after_parts(scene: Scene, side: Aside, bus_y: float, line: float, top: float) -> tuple[list[Part], float]:
    """What comes after the steps, with the ways of the losses to their sum; and how far it reaches to the right."""
    edge = scene.items[-1].x + scene.items[-1].width
    if not side.nodes:
        return [], edge
    buses = gathered(scene, side)
    on_bus = {x for _, taken in buses for x in taken}
    direct = [
        (x, i)
        for i in side.nodes
        for x in dict.fromkeys(scene.drawn_inputs(i))
        if scene.timeline.role[x] == STEP and x not in on_bus
    ]
    left = edge + ASIDE
    target = None
    for x, i in direct:  # the last state goes on at its height
        height = exit_height(scene, x)
        target = (i, height if height is not None else scene.centres.get(x, (0, bus_y))[1])
        break
    if target is None and buses:
        target = (buses[0][0], bus_y)
    dy = target[1] - side.centres[target[0]][1] if target else bus_y
    highest = min(y - scene.size(i)[1] / 2 for i, (_, y) in side.centres.items())
    dy = max(dy, top - highest)
    parts: list[Part] = []
    for n, (i, taken) in enumerate(buses):
        at = (side.centres[i][0] + left, side.centres[i][1] + dy)
        parts += bus(scene, i, taken, (edge + 8 + 4 * n, bus_y - n * line), at)
    for x, i in direct:
        height = exit_height(scene, x)
        tip = (side.centres[i][0] + left - scene.size(i)[0] / 2, side.centres[i][1] + dy)
        if height is not None:
            parts.append(scene.curve(swing((edge, height), tip), x, i, kind="lane", **STATE))
        elif x in scene.centres:
            start = (scene.centres[x][0] + scene.size(x)[0] / 2, scene.centres[x][1])
            parts.append(scene.curve(swing(start, tip), x, i, kind="far", **FAR))
    parts += side.parts(scene, left, dy)
    return [Group("after", tuple(parts), kind="beside")], left + side.width


def exit_height(scene: Scene, x: int) -> float | None:
    """The height at which node x leaves the last column to the right."""
    c = scene.timeline.column[x]
    if c != scene.columns[-1] or c is None or scene.keys[x] not in scene.plans[c].exits or scene.items[-1].last != c:
        return None
    return None if scene.keys[x] in scene.plans[c].backward else scene.lane(c, scene.keys[x])


def bus(scene: Scene, i: int, taken: list[int], corner: Point, at: Point) -> list[Part]:
    """From each source up to one line over the columns, along it to the corner, and from there to node i at `at`."""
    looks: dict[str, Any] = {"stroke": SOFT, "width": 1.2}
    parts: list[Part] = []
    end, y = corner
    starts = []
    for x in taken:
        if x not in scene.centres:
            continue  # at one of the steps passed over
        cx, cy = scene.centres[x]
        top = cy - scene.size(x)[1] / 2
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
    middle, y = scene.centres[x]
    left, right = scene.left[c] + 4, scene.left[c] + scene.plans[c].width - 4
    above = [i for i in scene.timeline.members[c] if scene.centres[i][1] < y and i != x]
    taken = [(scene.centres[i][0], scene.size(i)[0] / 2 + 5) for i in above]
    for step in range(int(scene.plans[c].width // 6)):
        for way in (middle + 6 * step, middle - 6 * step):
            if left <= way <= right and all(abs(way - at) >= half for at, half in taken):
                return way
    return middle
