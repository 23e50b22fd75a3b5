"""The folded picture: the body of each loop over time once, with its states led around it to the next step."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..pictures.courses import moved, straight, swing
from ..pictures.labels import label_width, number, plain, shorten
from ..pictures.legend import legend
from ..pictures.palette import INK, LIGHT, QUIET, SOFT, Theme
from ..pictures.picture import Curve, Group, Part, Picture, Text
from ..reading.lines import Key
from ..unrolled.composition import entry
from ..unrolled.scene import STATE, Scene
from .body import Body
from .layout import MARGIN, Layout, Leaving, Zone, settle, spot_of, spread
from .reading import counted, spanned
from .rings import LINE, RISE, Ring, above, beyond, bridge, entry_point, ring_parts, rounded

BUS = 16.0  # between the lines that lead over the bodies
NOTES = 6  # kinds of differing steps that are told


def compose_folded(scene: Scene, title: str | None = None, theme: Theme = LIGHT) -> Picture:
    """The whole folded picture: bodies from left to right, what stands beside them, legend and notes below."""
    layout = Layout(scene)
    bodies, zones = layout.bodies, layout.zones
    parts: list[Part] = []
    y = MARGIN
    if title:
        parts.append(Text(MARGIN, y + 12, plain(title), 17, INK, "start", True, "title"))
        y += 38
    risers = [way for way in layout.leaving if layout.by_lane(way) is None]
    targets = list(dict.fromkeys(way.node for way in risers))
    bus = {to: y + 20 + BUS * (len(targets) - 1 - n) for n, to in enumerate(targets)}
    right = spread(layout, max(bus.values()) + 18 if bus else y)
    for zone in zones:
        settle(layout, zone, bus)
    for body in bodies:
        up = [body.way_up(way.key) for way in risers if way.body is body]
        parts += body.frame_parts(up)
        for ring in body.rings:
            parts += ring_parts(ring, body.frame, body.ids[ring.key], up)
    parts += ways(layout, risers, bus)
    parts += [Group(body.id, tuple(body.parts()), f"{len(body.times)} steps", frame=body.frame) for body in bodies]
    for zone in zones:
        parts += zone_parts(layout, zone)

    for body in bodies:  # one box stands for its node of every step
        scene.ids |= {i: body.ids[key] for key, nodes in body.nodes.items() if key in body.ids for i in nodes.values()}

    bottom = max(body.frame[1] + body.height + above(body.rings, over=False) for body in bodies)
    bottom = max([bottom, *(block.y + block.height for zone in zones for block in zone.blocks)])
    entries = [entry(scene, i) for i in scene.badges.shown]
    worst = [body.worst(nodes.values()) for body in bodies for nodes in body.nodes.values()]
    key, reach, y = legend(MARGIN, bottom + 22, scene.measured, scene.scale, worst, entries, right - MARGIN)
    notes, y, wide = note_lines(layout, y + 16, max(right, reach, 520.0) - MARGIN)
    steps = max(len(body.times) for body in bodies)
    return Picture(
        max(right, reach, wide, MARGIN + label_width(plain(title or ""), 17) * 1.1) + MARGIN,
        y + MARGIN * 0.5,
        (*parts, key, *notes),
        title or f"A record of {counted(steps, 'time step')}, folded",
        "Each loop over time is drawn once, and its states go around it to the next step; "
        f"the record has {len(scene.timeline.nodes)} nodes.",
        theme,
    )


def ways(layout: Layout, risers: list[Leaving], bus: dict[int, float]) -> list[Part]:
    """All lines between the bodies and what stands beside them."""
    parts: list[Part] = []
    for way in risers:
        parts += rise(layout, way, bus[way.node])
    parts += [bus_label(layout, risers, i, y) for i, y in bus.items()]
    for way in layout.leaving:
        ring = layout.by_lane(way)
        if ring is not None:
            parts += go_on(layout, way, ring)
    for i in layout.starts:
        parts += begin(layout, i) if i in layout.home else []
    for crossing in layout.crossing:
        parts += cross(*crossing)
    for body, ring, i in layout.numbers:
        parts += begin_with_number(layout.scene, body, ring, i)
    return parts


def said_when(way: Leaving) -> str:
    """The steps from which something is taken."""
    return "every t" if len(way.steps) == len(way.body.times) > 1 else spanned(way.steps)


def rise(layout: Layout, way: Leaving, y: float) -> list[Part]:
    """From a node up through its body, over all bodies, and to the node outside that takes it."""
    body, scene = way.body, layout.scene
    cx, cy = body.centre(way.key)
    top = cy - body.faces[way.key].height / 2
    clear = body.way_up(way.key)
    tip = spot_of(layout, way.node)
    tip = (tip[0] - scene.size(way.node)[0] / 2, tip[1])
    start = [(cx, top)] if clear == cx else [(cx, top), (cx, top - 9), (clear, top - 9)]
    corner = bus_end(layout, way.node)
    end = [(clear, y), tip] if abs(tip[1] - y) < 2 else [(clear, y), (corner, y), (corner, tip[1]), tip]
    ends = (body.ids[way.key], scene.id_of(way.node))
    looks: dict[str, Any] = {"stroke": SOFT, "width": 1.2, "kind": "bus", "ends": ends}
    runs = [body.frame[1] - RISE - LINE * ring.level for ring in body.rings if ring.over]
    bridges = [bridge((clear, run + 6), (clear, run - 6)) for run in runs]
    return [*bridges, Curve(rounded([*start, *end], 8.0), **looks)]


def bus_end(layout: Layout, i: int) -> float:
    """Where the line that leads over the bodies to a node turns down to it."""
    return layout.zones[layout.home[i]].x - 18


def bus_label(layout: Layout, risers: list[Leaving], i: int, y: float) -> Part:
    """The steps from which a node over the bodies takes, over the end of the line that leads to it."""
    said = dict.fromkeys(said_when(way) for way in risers if way.node == i)
    return Text(bus_end(layout, i) - 4, y - 5, plain(", ".join(said)), 10, QUIET, "end", kind="when")


def go_on(layout: Layout, way: Leaving, ring: Ring) -> list[Part]:
    """From the lane of a state on to the node outside that takes it."""
    body, scene = way.body, layout.scene
    x, y, width, _ = body.frame
    at = spot_of(layout, way.node)
    tip = (at[0] - scene.size(way.node)[0] / 2, at[1])
    leave = (x + width + beyond(body.rings), y + ring.y)
    course = (*rounded([(x + width, y + ring.y), leave]), *swing(leave, tip)[1:])
    looks: dict[str, Any] = {**STATE, "kind": "lane", "ends": (body.ids[way.key], scene.id_of(way.node))}
    label = Text(leave[0] + 2, leave[1] - 6, plain(said_when(way)), 10, QUIET, "start", kind="when")
    return [bridge((x + width + ring.out + 4, leave[1]), leave), Curve(course, **looks), label]


def begin(layout: Layout, i: int) -> list[Part]:
    """The dashed ways of a first value into the rings of its states."""
    x, y = spot_of(layout, i)
    half = layout.scene.size(i)[0] / 2
    looks: dict[str, Any] = {**STATE, "kind": "start", "ends": (layout.scene.id_of(i), "")}
    parts: list[Part] = []
    for body, ring in layout.starts[i]:
        start = (x - half, y) if ring.backward else (x + half, y)
        course = tuple(swing(start, entry_point(ring, body.frame)))
        parts.append(Curve(course, arrow=False, dashed=True, **looks))
    return parts


def cross(one: Body, key: Key, other: Body, ring: Ring) -> list[Part]:
    """The way of a state from one body into the ring of another's."""
    own = next((r for r in one.rings if r.key == key and not r.backward), None)
    x, y, width, _ = one.frame
    start = (x + width, y + own.y) if own else (one.centre(key)[0] + one.sizes[key][0] / 2, one.centre(key)[1])
    to = entry_point(ring, other.frame)
    leave = (x + width + beyond(one.rings), start[1])
    looks: dict[str, Any] = {**STATE, "kind": "start", "ends": (one.ids[key], "")}
    label = Text(to[0] - 14, to[1] - 6, plain(spanned((one.times[-1],))), 10, QUIET, "end", kind="when")
    course = (*rounded([start, leave]), *swing(leave, to)[1:])
    return [Curve(course, arrow=False, dashed=True, **looks), label]


def begin_with_number(scene: Scene, body: Body, ring: Ring, i: int) -> list[Part]:
    """The number that a state begins with, such as the 0 of a sum, and its dashed way into the ring."""
    to = entry_point(ring, body.frame)
    side = 1 if ring.backward else -1
    x = body.frame[0] + (body.frame[2] if ring.backward else 0.0) + side * (beyond(body.rings) + 4)
    said = plain(number(float(np.asarray(scene.timeline.nodes[i].data).reshape(()))))
    course = tuple(straight((x, to[1]), to))
    return [
        Curve(course, arrow=False, dashed=True, kind="start", **STATE),
        Text(x + side * 5, to[1] + 5, said, 13, QUIET, "start" if side > 0 else "end", kind="start"),
    ]


def zone_parts(layout: Layout, zone: Zone) -> list[Part]:
    """The nodes of a zone and the edges between them."""
    if not zone.nodes:
        return []
    scene = layout.scene
    parts: list[Part] = []
    for block in zone.blocks:
        for (a, b), course in block.courses.items():
            parts.append(scene.curve(moved(course, zone.x, block.y), a, b))
    for i in zone.nodes:
        parts.append(scene.box(i, *spot_of(layout, i)))
    return [Group(f"beside-{zone.number}", tuple(parts), kind="beside")]


def note_lines(layout: Layout, y: float, room: float) -> tuple[list[Part], float, float]:
    """Which steps differ, a line for each kind; what the strips are; and how far down and right that reaches."""
    scene = layout.scene
    notes: list[tuple[str, str]] = []
    if scene.scale:
        notes.append(("colour", "a node has that of its largest step; the strip below it has all steps, left to right"))
    for body in layout.bodies:
        kinds: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for t, said in zip(body.times, body.reading.words, strict=True):
            if said:
                kinds[tuple(said)].append(t)
        name = scene.stretch_names[body.number] + ", " if len(layout.bodies) > 1 else ""
        for words, ts in list(kinds.items())[:NOTES]:
            notes.append((name + spanned(tuple(ts)), "; ".join(words)))
        if len(kinds) > NOTES:
            more = sum(map(len, list(kinds.values())[NOTES:]))
            notes.append((name + "further", counted(more, "step") + " in other ways"))
    heads = [plain(shorten(head, 260, 11)) for head, _ in notes]
    left = MARGIN + max((label_width(head, 11) for head in heads), default=0.0) + 14
    parts: list[Part] = []
    reach = 0.0
    for head, (_, text) in zip(heads, notes, strict=True):
        parts.append(Text(MARGIN, y + 17, head, 11, INK, "start", kind="note"))
        for line in wrapped(text, max(room - left, 300.0)):
            y += 17
            parts.append(Text(left, y, plain(line), 11, QUIET, "start", kind="note", title=text[:400]))
            reach = max(reach, left + label_width(plain(line), 11))
    return parts, y, reach


def wrapped(text: str, room: float) -> list[str]:
    """A text in lines of that width, at most three."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {shorten(word, room, 11)}".strip()
        if label_width(plain(longer), 11) <= room:
            lines[-1] = longer
        else:
            lines.append(shorten(word, room, 11))
    return lines if len(lines) <= 3 else [*lines[:2], lines[2] + " …"]
