"""Templates, copied along the time axis, become one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..layout.belts import Plan
from ..layout.frames import frame_parts
from ..pictures.labels import label_width, plain, shorten, token_text
from ..pictures.legend import Entry, legend
from ..pictures.palette import COLUMN, COLUMN_EDGE, FAINT, GAP, INK, LIGHT, PLAIN, QUIET, Theme
from ..pictures.picture import Group, Panel, Part, Picture, Text
from ..reading.elision import gaps
from .attention_edges import arcs_height, attention_edges
from .beside import ASIDE, Aside, side_parts, sides_of
from .edges import crossings, far_edges, gutters, passing_lanes, scissors, step_edges
from .scene import GUTTER, PAD_BOTTOM, PAD_TOP, Item, Scene
from .strips import WIDTH as GAP_WIDTH
from .strips import gap_column

MARGIN = 28.0
LINE = 14.0  # between the ways that lead over the columns
Words = Sequence[object]


def compose(
    scene: Scene, title: str | None, tokens: Words | None, predictions: Words | None, theme: Theme = LIGHT
) -> Picture:
    """The whole picture, from the top: title, predictions, ways to what gathers the losses, columns, tokens, legend."""
    several = len(scene.timeline.stretches) > 1
    sides = sides_of(scene)
    head: list[Part] = []
    y = MARGIN
    if title:
        head.append(Text(MARGIN, y + 12, plain(title), 17, INK, "start", True, "title"))
        y += 38
    words_y = y + 12
    if predictions is not None:
        y += 28
    buses = max(len(side.buses) for side in sides)
    bus_y = max(y + 4, MARGIN + 12) + LINE * max(0, buses - 1)
    y = bus_y + 16 if buses else y
    aside = sides[0].width + ASIDE if sides[0].nodes else 0
    aside = max(aside, 24.0 if tokens is not None or predictions is not None else 0.0)
    spread(scene, sides, MARGIN + aside)
    settle(scene, y)
    y += arcs_height(scene)
    height = settle(scene, y)

    frames: list[Part] = []
    groups: list[Part] = []
    for item in scene.items:
        frame = (item.x, y, item.width, height)
        frames.append(Panel(*frame, GAP if item.passed else COLUMN, COLUMN_EDGE, 10, kind="frame"))
        if item.passed:
            groups.append(gap_column(scene, item, y, height, passing_lanes(scene, item)))
        else:
            ground, group = step_column(scene, item, frame)
            frames += ground
            groups.append(group)
            head += caption(predictions, item, words_y, "prediction")
            head += caption(tokens, item, y + height + 24, "token")
    for words, what, at in ((predictions, "prediction", words_y), (tokens, "token", y + height + 24)):
        if words is not None:
            head.append(Text(MARGIN, at, plain(what), 11, QUIET, "start"))
    top = y
    beside: list[Part] = []
    right = scene.edge(len(sides))
    for side in sides:
        x = scene.edge(side.number - 1) + ASIDE if side.number else MARGIN
        beside += side_parts(scene, side, x, [bus_y - n * LINE for n in range(len(side.buses))], MARGIN - 8)
        right = max(right, x + side.width if side.nodes else 0.0)
    y += height + (38 if tokens is not None else 8)
    if several:
        head += brackets(scene, y)
        y += 26
    weights = [entry(scene, i) for i in scene.badges.shown]
    colours = scene.measured, scene.scale, scene.magnitudes or []
    key, reach, y = legend(MARGIN, y + 14, *colours, weights, right - MARGIN)
    ways: list[Part] = [*gutters(scene), *crossings(scene), *far_edges(scene)]
    ways += [*attention_edges(scene, top), *scissors(scene)]
    wide = max(right, reach, MARGIN + label_width(plain(title or ""), 17) * 1.1) + MARGIN
    steps = scene.timeline.steps
    return Picture(
        wide,
        y + MARGIN * 0.7,
        (*head, *frames, *ways, *beside, *groups, key),
        title or f"A record unrolled over {len(steps)} time step{'s' * (len(steps) > 1)}",
        f"Time runs from left to right, from step {steps[0]} to step {steps[-1]}; "
        f"the record has {len(scene.timeline.nodes)} nodes.",
        theme,
    )


def spread(scene: Scene, sides: list[Aside], x: float) -> None:
    """Give each column its place along the time axis, from x on."""
    passed = gaps(scene.columns, scene.timeline.stretch)
    for begin, end in sorted([(c, c) for c in scene.columns] + passed):
        stretch = scene.timeline.stretch[begin]
        if scene.items and scene.timeline.stretch[scene.items[-1].last] != stretch:
            x += max(sides[stretch].room - GUTTER, 0.0)
        over = (begin, end) in passed
        width = GAP_WIDTH if over else scene.plans[begin].width
        scene.items.append(Item(begin, end, x, width, over))
        if not over:
            scene.left[begin] = x
        x += width + GUTTER


def settle(scene: Scene, y: float) -> float:
    """Give each column its height, with the tops of the frames at y; returns the frames' height."""
    first = scene.plans[scene.columns[0]]
    plans = list({id(plan): plan for plan in scene.plans.values()}.values())
    down = {id(plan): drop(first, plan) for plan in plans}
    highest = min(down.values())
    for c in scene.columns:
        scene.top[c] = y + PAD_TOP + down[id(scene.plans[c])] - highest
    return PAD_TOP + PAD_BOTTOM + max(down[id(plan)] - highest + plan.height for plan in plans)


def drop(first: Plan, plan: Plan) -> float:
    """How much lower than the first plan another begins: a state that both have keeps its height."""
    shared = next((key for key in plan.lanes if key in first.lanes), None)
    return first.height - plan.height if shared is None else first.lanes[shared] - plan.lanes[shared]


def step_column(
    scene: Scene, item: Item, frame: tuple[float, float, float, float]
) -> tuple[Sequence[Part], Group]:
    """What lies under all ways, and the column of one step: its edges, then its nodes, then its number."""
    c = item.first
    plan, t = scene.plans[c], scene.timeline.steps[c]
    boxes = []
    for i in scene.timeline.members[c]:
        x, y = plan.centres[scene.keys[i]]
        boxes.append(scene.box(i, x + scene.left[c], y + scene.top[c], plan.sizes[scene.keys[i]][0]))
    x, y, width, height = frame
    number = Text(x + width / 2, y + height - 10, plain(f"t = {t}"), 11, QUIET, kind="step")
    frames = frame_parts(scene.frames.get(c, []), scene.left[c], scene.top[c])
    ground: list[Part] = []
    parts: list[Part] = [*frames, *step_edges(scene, c), *boxes]
    if scene.dress is not None:
        ground, parts = scene.dress(scene, c, parts)
    return ground, Group(scene.column_id(c), (*parts, number), f"step {t}", frame=frame)


def brackets(scene: Scene, y: float) -> list[Part]:
    """The names of the stretches, each under a line as long as it is."""
    parts: list[Part] = []
    for name, columns in zip(scene.stretch_names, scene.timeline.stretches, strict=True):
        first, last = scene.item(columns[0]), scene.item(columns[-1])
        left, right = first.x + 6, last.x + last.width - 6
        parts.append(Panel(left, y + 2, right - left, 1.2, FAINT, kind="bracket"))
        said = plain(shorten(name, right - left, 13))
        parts.append(Text((left + right) / 2, y + 19, said, 13, QUIET, bold=True, kind="stretch"))
    return parts


def caption(words: Words | None, item: Item, y: float, kind: str) -> list[Part]:
    """A token or prediction over or under its column."""
    if words is None or words[item.first] is None:
        return []
    whole = token_text(words[item.first])
    said = shorten(whole, item.width - 8, 16)
    return [Text(item.x + item.width / 2, y, plain(said), 16, INK, bold=True, kind=kind, title=whole[:400])]


def entry(scene: Scene, i: int) -> Entry:
    """A shared weight, for the legend."""
    shape = "×".join(map(str, np.shape(scene.timeline.nodes[i].data)))
    total = scene.magnitudes[i] if scene.magnitudes and scene.flow and scene.flow.edges else None
    return Entry(scene.badges.segment(i), shape, total, scene.scale.fill(total) if scene.scale else PLAIN)
