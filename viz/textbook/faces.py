"""How the nodes of a textbook figure look: yellow gates, pink circles, the weights on the line to the gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..pictures.labels import Label, label_width, number, plain, shorten, spoken, symbol, visible
from ..pictures.palette import INK, STRONG
from ..pictures.picture import Box, Segment
from ..reading.columns import BADGE, MEMORY, NUMBER, Timeline
from ..unrolled.faces import SIGNS, Badges, Face, face, sign_of
from ..unrolled.scene import Scene
from .parts import GATE, JOINT, LINEAR, POINTWISE, PRODUCT, Parts

GATE_HEIGHT, ROUND, PILL, DOT, CIRCLE = 40.0, 26.0, 20.0, 7.0, 32.0
INPUT = "input"
MOST_BADGES = 4  # in one gate


def textbook_face(scene: Scene, i: int, parts: Parts) -> Face:
    """The looks of a node in textbook style."""
    timeline, t = scene.timeline, scene.time_of(i)
    kind = parts.kinds.get(i)
    if kind in (GATE, LINEAR):
        return gate_face(timeline, i, scene.badges, t, kind)
    if kind == PRODUCT:
        return product_face(timeline, i, scene.badges)
    if kind == POINTWISE:
        return pointwise_face(timeline, i, scene.badges)
    if kind == JOINT:
        return Face((), DOT, DOT, DOT / 2, (), "joined", JOINT)
    if timeline.nodes[i].op is None and timeline.stems[i]:
        label = symbol(timeline.stems[i], t)
        width = pill_width(label)
        return Face((Segment(label, width, size=14),), width, CIRCLE, CIRCLE / 2, (), spoken(label), INPUT)
    return face(timeline, i, scene.badges, t)


def pill_width(label: Label) -> float:
    """The breadth of a circle, or where its label needs more, of a pill."""
    return max(CIRCLE, label_width(label, 14) + 14)


def gate_face(timeline: Timeline, i: int, badges: Badges, t: int | None, kind: str) -> Face:
    """A gate: its activation, its name, its weights."""
    node = timeline.nodes[i]
    name: Label = symbol(timeline.stems[i], t) if timeline.stems[i] else ()
    weights = small_badges(timeline, i, badges)
    caption = name
    sign = plain(shorten(visible(sign_of(node, node.op.name if node.op else "")), 80, 15))
    core = Segment(sign, max(label_width(sign, 15) + 14, label_width(name, 9) + 10, 34.0), size=15)
    if kind == LINEAR and name:
        core, caption = Segment(name, label_width(name, 15) + 16, size=15), ()
    elif kind == LINEAR and weights:  # U_n h is shown as U_n
        core, weights = replace(weights[0], width=weights[0].width + 16, fill=None, size=14), weights[1:]
    segments = (core, *weights)
    width = sum(segment.width for segment in segments)
    return Face(segments, width, GATE_HEIGHT, 6.0, caption, spoken(name or sign), kind)


def product_face(timeline: Timeline, i: int, badges: Badges) -> Face:
    """The weights of a product, as a label on its line."""
    segments = tuple(small_badges(timeline, i, badges)) or (Segment(plain("·"), PILL),)
    said = spoken(symbol(timeline.stems[i])) if timeline.stems[i] else "product"
    return Face(segments, sum(s.width for s in segments), PILL, PILL / 2, (), said, PRODUCT)


def small_badges(timeline: Timeline, i: int, badges: Badges) -> list[Segment]:
    """The weights of a node, in small."""
    found = [badges.segment(x) for x in timeline.inputs[i] if timeline.role[x] in (BADGE, MEMORY)]
    found = [replace(s, width=label_width(s.label, 10) + 9, size=10.0) for s in found]
    if len(found) <= MOST_BADGES:
        return found
    more = plain(f"+{len(found) - MOST_BADGES + 1}")
    return [*found[: MOST_BADGES - 1], replace(found[-1], label=more, width=label_width(more, 10) + 9, of=None)]


def pointwise_face(timeline: Timeline, i: int, badges: Badges) -> Face:
    """A circle with its sign, or an ellipse; a number is part of the sign, as in 1−."""
    node, xs = timeline.nodes[i], timeline.inputs[i]
    op = node.op.name if node.op else ""
    sign = visible(sign_of(node, op))
    numbers = [x for x in xs if timeline.role[x] == NUMBER]
    for x in numbers:
        said = number(float(np.asarray(timeline.nodes[x].data).reshape(())))
        sign = f"{said}{sign}" if xs[0] == x else f"{sign}{said}"
    size = 16.0 if op in SIGNS and not numbers else 13.0
    label = plain(shorten(sign, 90, size))
    core = Segment(label, max(ROUND, label_width(label, size) + 12), size=size)
    segments = (core, *small_badges(timeline, i, badges))
    width = sum(segment.width for segment in segments)
    return Face(segments, width, ROUND, ROUND / 2, (), spoken(label), POINTWISE)


def in_colours(box: Box) -> Box:
    """A box in the colours of the figure, where no measure colours it."""
    if box.kind in (GATE, LINEAR):
        return replace(box, fill="gate", stroke="gate-edge", ink=INK, dotted=False)
    if box.kind in (POINTWISE, INPUT):
        return replace(box, fill=box.kind, stroke=f"{box.kind}-edge", ink=INK, dotted=False)
    return replace(box, fill=STRONG, stroke=STRONG, dotted=False) if box.kind == JOINT else box
