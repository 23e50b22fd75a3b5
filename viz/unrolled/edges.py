"""The edges of an unrolled picture: within a step, from step to step, and over other steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ..pictures.courses import moved, swing
from ..pictures.labels import plain
from ..pictures.palette import INK, STRONG
from ..pictures.picture import Curve, Point, Text
from ..reading.columns import BEFORE, BETWEEN, STEP
from ..reading.lines import Key
from .scene import FAR, STATE, Item, Scene


def step_edges(scene: Scene, c: int) -> list[Curve]:
    """What runs inside column c, and the ends of the lanes that enter and leave it."""
    plan, dx, dy = scene.plans[c], scene.left[c], scene.top[c]
    timeline, keys = scene.timeline, scene.keys
    curves = []
    for i in timeline.members[c]:
        for x in dict.fromkeys(timeline.inputs[i]):
            if timeline.column[x] == c and timeline.role[x] == STEP:
                curves.append(scene.curve(moved(plan.courses[keys[x], keys[i]], dx, dy), x, i))
            elif timeline.role[x] == STEP and (keys[x], keys[i]) in plan.entries and neighbour(scene, x, c):
                points = moved(plan.entries[keys[x], keys[i]], dx, dy)
                curves.append(scene.curve(points, x, i, kind="lane", **STATE))
            elif (source := initial_lane(scene, i, x)) is not None:
                points = moved(plan.entries[source, keys[i]], dx, dy)
                curves.append(scene.curve(points, x, i, kind="lane", **STATE))
    for i in timeline.members[c]:
        if keys[i] in plan.exits and goes_on(scene, i):
            points = moved(plan.exits[keys[i]], dx, dy)
            curve = scene.curve(points, i, None, arrow=False, kind="lane", **STATE)
            curves.append(cut(curve) if scene.is_cut(i) else curve)
    return curves


def neighbour(scene: Scene, x: int, c: int) -> bool:
    """Whether node x stands in a column next to column c."""
    there, stretch = scene.timeline.column[x], scene.timeline.stretch
    return there is not None and abs(there - c) == 1 and stretch[there] == stretch[c]


def goes_on(scene: Scene, i: int) -> bool:
    """Whether node i is taken up by the column next to its own."""
    return bool(scene.further.get(i, set()) & {1, -1})


def initial_lane(scene: Scene, i: int, x: int) -> Key | None:
    """The state whose first value x is, if node i takes it up in that state's place."""
    there, here = scene.timeline.column[x], scene.timeline.column[i]
    if there is not None and here is not None and scene.timeline.stretch[there] == scene.timeline.stretch[here]:
        return None
    if scene.timeline.role[x] not in (BEFORE, BETWEEN, STEP):
        return None
    position = scene.timeline.inputs[i].index(x)
    state = scene.slots.get((scene.keys[i], position))
    c = scene.timeline.column[i]
    entered = state is not None and c is not None and (state, scene.keys[i]) in scene.plans[c].entries
    return state if entered else None


def read_slots(scene: Scene) -> None:
    """Note which state each node takes up, and at which columns each state is."""
    timeline = scene.timeline
    for c in scene.columns:
        for i in timeline.members[c]:
            for position, x in enumerate(timeline.inputs[i]):
                if timeline.role[x] == STEP and neighbour(scene, x, c):
                    scene.slots.setdefault((scene.keys[i], position), scene.keys[x])
    for columns in timeline.stretches:
        for c in dict.fromkeys((columns[0], columns[-1])):
            for i in timeline.members[c] if c in scene.plans else ():
                for x in scene.drawn_inputs(i):
                    key = initial_lane(scene, i, x)
                    if key is not None and timeline.column[x] is None:
                        backward = key in scene.plans[c].backward
                        if (c, key) not in scene.starts.setdefault(x, []):
                            scene.starts[x].append((c, key))
                        if timeline.stems[x] and key[1] == timeline.stems[x]:
                            scene.initial[x] = timeline.steps[c] + (1 if backward else -1)
    for i in scene.further:
        home = timeline.column[i]
        if home is not None and i in scene.keys and goes_on(scene, i):
            scene.carried_at.setdefault(scene.keys[i], {})[home] = i


def gutters(scene: Scene) -> list[Curve]:
    """The short ways between columns, where each state keeps its height or changes over to the next plan's."""
    curves = []
    for one, other in pairwise(scene.items):
        if scene.timeline.stretch[one.last] != scene.timeline.stretch[other.first]:
            continue
        backward = {key for item in (one, other) if not item.passed for key in scene.plans[item.first].backward}
        for key in dict.fromkeys([*lanes_of(scene, one), *lanes_of(scene, other)]):
            a, b = lane_at(scene, one, other, key), lane_at(scene, other, one, key)
            if a is not None and b is not None:
                points = swing((one.x + one.width, a), (other.x, b))
                node = scene.carried_at[key].get(other.first if key in backward else one.last)
                looks = {**STATE, **({} if node is None else scene.flowing(node, None))}
                curve = scene.curve(points, None, None, arrow=False, kind="lane", **looks)
                severed = node is not None and scene.is_cut(node)
                curves.append(cut(curve) if severed else curve)
    return curves


def cut(curve: Curve) -> Curve:
    """The same edge where no gradient comes back along it."""
    return replace(curve, dashed=True, stroke=STRONG, width=1.4, title="cut: no gradient comes back")


def scissors(scene: Scene) -> list[Text]:
    """The marks of cut edges, between their columns."""
    marks = []
    for one, other in pairwise(scene.items):
        for key in lanes_of(scene, one):
            a, b = lane_at(scene, one, other, key), lane_at(scene, other, one, key)
            node = scene.carried_at.get(key, {}).get(one.last)
            if a is not None and b is not None and node is not None and scene.is_cut(node):
                middle = (one.x + one.width + other.x) / 2
                marks.append(Text(middle, (a + b) / 2 - 5, plain("✂"), 15, INK, kind="cut"))
    return marks


def lanes_of(scene: Scene, item: Item) -> list[Key]:
    """The states that cross the borders of an item."""
    return [] if item.passed else list(scene.plans[item.first].lanes)


def lane_at(scene: Scene, item: Item, beside: Item, key: Key) -> float | None:
    """The height at which a state crosses the border between an item and the one beside it."""
    if key not in scene.carried_at:
        return None
    left = item if item.x < beside.x else beside
    carried = scene.carried_at[key]
    node = carried.get(left.last)
    crossing = node is not None and 1 in scene.further[node]
    if not crossing:
        right = beside if left is item else item
        node = carried.get(right.first)
        crossing = node is not None and -1 in scene.further[node]
    if not crossing:
        return None
    if item.passed:
        return passing_lanes(scene, item).get(key)
    return scene.lane(item.first, key)


def passing_lanes(scene: Scene, item: Item) -> dict[Key, float]:
    """The heights at which states run through the column of the steps passed over."""
    at = scene.items.index(item)
    lanes: dict[Key, float] = {}
    for other in scene.items[max(0, at - 1) : at + 2]:
        for key in lanes_of(scene, other):
            lane = scene.lane(other.first, key)
            if key in scene.carried_at and lane is not None:
                lanes.setdefault(key, lane)
    return lanes


def crosses(scene: Scene, x: int, i: int) -> bool:
    """Whether node i takes up the state that node x leaves at the end of the stretch before."""
    there, here = scene.timeline.column[x], scene.timeline.column[i]
    if there is None or here is None or here - there != 1 or x not in scene.keys:
        return False
    return scene.timeline.stretch[there] != scene.timeline.stretch[here] and there in scene.plans


def crossings(scene: Scene) -> list[Curve]:
    """The states that go from the end of one stretch to the beginning of the next."""
    curves = []
    for one, other in pairwise(scene.items):
        if scene.timeline.stretch[one.last] == scene.timeline.stretch[other.first] or one.passed or other.passed:
            continue
        for i in scene.timeline.members[other.first]:
            for x in scene.drawn_inputs(i):
                key = initial_lane(scene, i, x)
                if key is not None and crosses(scene, x, i):
                    a, b = scene.lane(one.last, scene.keys[x]), scene.lane(other.first, key)
                    if a is not None and b is not None:
                        points = swing((one.x + one.width, a), (other.x, b))
                        curves.append(scene.curve(points, x, i, arrow=False, kind="lane", **STATE))
    return curves


def far_edges(scene: Scene) -> list[Curve]:
    """Edges over more than one column, such as those of attention, and those from what stands beside time."""
    timeline = scene.timeline
    curves = []
    seen: set[tuple[object, int]] = set()
    for c in scene.columns:
        for i in timeline.members[c]:
            for x in dict.fromkeys(scene.drawn_inputs(i)):
                there = timeline.column[x]
                lane = scene.keys.get(x), scene.keys[i]
                if there == c or (lane in scene.plans[c].entries and neighbour(scene, x, c)):
                    continue
                if initial_lane(scene, i, x) is not None and (there is None or crosses(scene, x, i)):
                    continue
                start = scene.centres.get(x)
                origin: object = x
                if start is None and there is not None:  # it is one of the steps passed over
                    item = next(item for item in scene.items if item.first <= there <= item.last)
                    height = passing_lanes(scene, item).get(scene.keys[x], scene.centres[i][1])
                    start, origin = (item.x + item.width / 2, height), (item, scene.keys[x])
                if start is not None and (origin, i) not in seen:
                    seen.add((origin, i))
                    curves.append(scene.curve(over(scene, start, x, i), x, i, kind="far", **FAR))
    return curves


def over(scene: Scene, start: Point, x: int, i: int) -> list[Point]:
    """A wide curve from one node to another in another column."""
    (x1, y1), (x2, y2) = start, scene.centres[i]
    width, height = scene.size(i)
    direction = 1 if x2 >= x1 else -1
    half = scene.size(x)[0] / 2 if x in scene.centres else 0.0
    a = (x1 + direction * half, y1)
    b = (x2 - direction * width / 2, y2)
    reach = max(30.0, abs(b[0] - a[0]) * 0.4)
    lift = -min(60.0, 0.12 * abs(b[0] - a[0])) if abs(y2 - y1) < height * 2 else 0.0
    return [a, (a[0] + direction * reach, a[1] + lift), (b[0] - direction * reach, b[1] + lift), b]
