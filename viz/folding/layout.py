"""Where the bodies of a folded picture stand, and what is beside them: first values, bridges, sums of losses.

A *zone* is a place before the first body, between two, or after the last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

from ..layout.placement import place_beside
from ..pictures.courses import Course
from ..pictures.labels import label_width, plain
from ..pictures.picture import Point
from ..reading.columns import AFTER, BEFORE, BETWEEN, MEMORY, NUMBER, is_sum
from ..reading.lines import Key
from ..unrolled.scene import Scene
from .body import Body, widened
from .rings import Ring, above, beyond

MARGIN, ASIDE, LABELLED = 28.0, 26.0, 66.0  # around the picture; beside a zone; where lines with labels arrive
OUTSIDE = (BEFORE, BETWEEN, MEMORY, AFTER)


@dataclass
class Zone:
    """What stands beside time: before the first body, between two, or after the last."""

    number: int
    nodes: list[int] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> float:
        """The width of the widest of its blocks."""
        return max((block.width for block in self.blocks), default=0.0)


@dataclass
class Block:
    """Nodes of a zone that hang together, laid out from left to right."""

    nodes: list[int]
    width: float
    height: float
    centres: dict[int, Point]
    courses: dict[tuple[int, int], Course]
    y: float = 0.0


@dataclass(frozen=True)
class Leaving:
    """A way from a body to a node outside."""

    body: Body
    key: Key
    node: int
    steps: tuple[int, ...]  # those whose nodes are taken


class Layout:
    """The bodies of a record, and what stands where beside them."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.bodies = [Body(scene, n, columns) for n, columns in enumerate(scene.timeline.stretches)]
        self.same = self.gather()
        self.many = Counter(self.same.values())
        self.starts: dict[int, list[tuple[Body, Ring]]] = {}  # node outside → the rings that it begins
        self.crossing: list[tuple[Body, Key, Body, Ring]] = []  # a state that begins another body's
        self.numbers: list[tuple[Body, Ring, int]] = []  # rings that begin with a number
        for body in self.bodies:
            for ring in body.rings:
                self.note_starts(body, ring)
        self.zones = [Zone(n) for n in range(len(self.bodies) + 1)]
        self.home: dict[int, int] = {}  # node outside → its zone
        self.find_homes()
        self.leaving = self.read_leaving()
        self.caption()
        self.fill_zones()

    def body_of(self, i: int) -> tuple[Body, Key] | None:
        """The body that a node of a step belongs to, and its key there."""
        for body in self.bodies:
            if i in body.reading.aligned.spot:
                return body, body.key_of(i)
        return None

    def gather(self) -> dict[int, int]:
        """For each node outside the one that is drawn for it: what is done alike to each step is drawn once."""
        timeline = self.scene.timeline
        same: dict[int, int] = {}
        first: dict[Key, int] = {}
        for i, xs in enumerate(timeline.inputs):
            if timeline.role[i] not in OUTSIDE:
                continue
            taken: dict[object, None] = {}
            for x in xs:
                at = self.body_of(x)
                taken[(at[0].number, at[1]) if at else same.get(x, x)] = None
            node = timeline.nodes[i]
            alone = node.op is None or timeline.role[i] == BEFORE
            key: Key = (i,) if alone else (node.op.name, node.scope, timeline.stems[i], node.source, *taken)
            same[i] = first.setdefault(key, i)
        return same

    def note_starts(self, body: Body, ring: Ring) -> None:
        """Note what a state begins with."""
        timeline, aligned = self.scene.timeline, body.reading.aligned
        spot = ring.key[1]
        for (state, distance), nodes in body.reading.starts.items():
            if state != spot or (distance < 0) != ring.backward:
                continue
            for n, i in nodes:
                there = self.body_of(i) if timeline.nodes[i].op is not None else None
                if timeline.role[i] == NUMBER:
                    self.numbers.append((body, ring, i))
                elif there is None:
                    i = self.same.get(i, i)
                    rings = self.starts.setdefault(i, [])
                    if (body, ring) not in rings:
                        rings.append((body, ring))
                    if timeline.stems[i] and timeline.stems[i] == timeline.stems[aligned.sample(state)]:
                        self.scene.initial.setdefault(i, aligned.times[n] - distance)
                elif there[0] is not body:
                    self.crossing.append((*there, body, ring))

    def find_homes(self) -> None:
        """Find the zone of each node outside: as near to what it leads to as can be."""
        timeline, last = self.scene.timeline, len(self.bodies)
        shown = {i for i, s in self.same.items() if i == s and self.scene.stands(i)} | self.starts.keys()
        inner = {i for body in self.bodies for nodes in body.nodes.values() for i in nodes.values()}
        users: dict[int, list[int]] = defaultdict(list)
        for i, xs in enumerate(timeline.inputs):
            if i in shown:
                for x in xs:
                    users[self.same.get(x, x)].append(i)
        for i in sorted(shown, reverse=True):
            role = timeline.role[i]
            if role == AFTER:
                self.home[i] = last
            elif role in (BETWEEN, MEMORY):
                self.home[i] = timeline.stands[i] + 1 if i in timeline.stands else last
            elif i in self.starts:
                body, ring = self.starts[i][0]
                self.home[i] = body.number + ring.backward
                inner.discard(i)
            elif i not in inner and any(user in self.home for user in users[i]):
                self.home[i] = min(self.home[user] for user in users[i] if user in self.home)

    def caption(self) -> None:
        """Say of a node outside that it is a sum over steps, or how many it stands for."""
        for i in self.home:
            looks = self.scene.face(i)
            said = plain("Σ over t") if self.over_steps(i) else (*looks.caption, *plain(f" × {self.many[i]:,}"))
            if looks.caption and (self.over_steps(i) or self.many[i] > 1):
                self.scene.faces[i] = widened(replace(looks, caption=said), label_width(said, 9) + 14)

    def fill_zones(self) -> None:
        """Lay out the nodes of each zone."""
        timeline = self.scene.timeline
        for i in sorted(self.home):
            self.zones[self.home[i]].nodes.append(i)
        for zone in self.zones:
            inside = set(zone.nodes)
            taken = {i: dict.fromkeys(self.same.get(x, x) for x in timeline.inputs[i]) for i in zone.nodes}
            zone.edges = [(x, i) for i in zone.nodes for x in taken[i] if x in inside and x != i]
            zone.blocks = [self.block(nodes, zone.edges) for nodes in connected(zone.nodes, zone.edges)]

    def block(self, nodes: list[int], edges: list[tuple[int, int]]) -> Block:
        """Lay out nodes that hang together."""
        inside = set(nodes)
        sizes = {i: (self.scene.size(i)[0], self.scene.size(i)[1]) for i in nodes}
        return Block(nodes, *place_beside(nodes, [(a, b) for a, b in edges if b in inside], sizes))

    def read_leaving(self) -> list[Leaving]:
        """What is taken from the bodies by nodes outside."""
        timeline = self.scene.timeline
        found: dict[tuple[int, Key, int], set[int]] = defaultdict(set)
        for i, to in self.same.items():
            if to in self.home:
                for x in timeline.inputs[i]:
                    there = self.body_of(x)
                    if there is not None and there[1] in there[0].nodes:
                        t = there[0].times[there[0].reading.aligned.row_of[x]]
                        found[there[0].number, there[1], to].add(t)
        return [Leaving(self.bodies[n], key, to, tuple(sorted(ts))) for (n, key, to), ts in found.items()]

    def over_steps(self, i: int) -> bool:
        """Whether a node is the sum of one thing over steps."""
        stepwise = any(way.node == i and len(way.steps) > 1 for way in self.leaving)
        stepwise |= any(self.many[self.same.get(x, x)] > 1 for x in self.scene.timeline.inputs[i])
        return is_sum(self.scene.timeline, i) and stepwise

    def by_lane(self, way: Leaving) -> Ring | None:
        """The ring whose lane a way goes along, to the next zone on the right."""
        if self.home[way.node] != way.body.number + 1:
            return None
        return next((ring for ring in way.body.rings if ring.key == way.key and not ring.backward), None)


def connected(nodes: list[int], edges: list[tuple[int, int]]) -> list[list[int]]:
    """The nodes in groups that hang together."""
    group = {i: i for i in nodes}

    def first(i: int) -> int:
        while group[i] != i:
            i = group[i]
        return i

    for a, b in edges:
        one, other = sorted((first(a), first(b)))
        group[other] = one
    found: dict[int, list[int]] = defaultdict(list)
    for i in nodes:
        found[first(i)].append(i)
    return list(found.values())


def spread(layout: Layout, y: float) -> float:
    """Give bodies and zones their places, from left to right, the first states of all bodies at one height."""
    anchors = [body.rings[0].y if body.rings else body.height / 2 for body in layout.bodies]
    base = max(anchor + above(body.rings) for anchor, body in zip(anchors, layout.bodies, strict=True)) + y
    x = MARGIN
    for zone in layout.zones:
        if zone.nodes:
            lines = any(layout.home[way.node] == zone.number for way in layout.leaving)
            zone.x = x + (LABELLED if lines else ASIDE if zone.number else 0.0)
            x = zone.x + zone.width + ASIDE
        elif 0 < zone.number < len(layout.bodies):
            x += ASIDE * 2
        if zone.number < len(layout.bodies):
            body = layout.bodies[zone.number]
            x += beyond(body.rings)
            body.frame = (x, base - anchors[zone.number], body.plan.width, body.height)
            x += body.plan.width + beyond(body.rings)
    return x


def settle(layout: Layout, zone: Zone, bus: dict[int, float]) -> None:
    """Give the blocks of a zone their heights: each as near as it can be to the line that leads to it, or from it."""
    wanted: list[tuple[float, Block]] = []
    for block in zone.blocks:
        heights = {i: h for i in block.nodes if (h := natural_height(layout, i, bus)) is not None}
        lead = next(iter(heights), block.nodes[-1])
        first = layout.bodies[min(zone.number, len(layout.bodies) - 1)]
        height = heights.get(lead, first.frame[1] + first.height / 2)
        wanted.append((height - block.centres[lead][1], block))
    crossing = [(one, other, ring) for one, _, other, ring in layout.crossing]
    lines = [other.frame[1] + ring.y for one, other, ring in crossing if one.number < zone.number <= other.number]
    below = 0.0
    for y, block in sorted(wanted, key=lambda pair: pair[0]):
        block.y = max(y, below)
        for line in sorted(lines):
            if block.y - 8 < line < block.y + block.height + 8:
                block.y = line + 14
        below = block.y + block.height + 12


def natural_height(layout: Layout, i: int, bus: dict[int, float]) -> float | None:
    """The height of the line that leads to a node from a body, or from it to one."""
    if i in layout.starts:
        body, ring = layout.starts[i][0]
        return body.frame[1] + ring.y
    for way in layout.leaving:
        if way.node == i:
            found = layout.by_lane(way)
            return bus[i] if found is None else way.body.frame[1] + found.y
    return None


def spot_of(layout: Layout, i: int) -> Point:
    """Where a node of a zone stands."""
    zone = layout.zones[layout.home[i]]
    block = next(block for block in zone.blocks if i in block.centres)
    x, y = block.centres[i]
    if len(block.nodes) == 1:
        return zone.x + zone.width / 2, y + block.y
    return x + zone.x, y + block.y
