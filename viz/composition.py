"""Templates, copied along the time axis, become one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .belts import Plan
from .beside import ASIDE, Aside, after_parts, before_parts, gathered
from .columns import AFTER, BEFORE
from .edges import far_edges, gutters, passing_lanes, read_slots, step_edges
from .labels import label_width, plain, shorten, token_text
from .legend import legend
from .palette import COLUMN, COLUMN_EDGE, GAP, INK, QUIET
from .picture import Group, Panel, Part, Picture, Text
from .scene import GUTTER, PAD_BOTTOM, PAD_TOP, Item, Scene
from .stretches import gaps
from .strips import WIDTH as GAP_WIDTH
from .strips import gap_column

MARGIN = 28.0
LINE = 14.0  # between the ways that lead over the columns
Words = Sequence[object]


def compose(scene: Scene, title: str | None, tokens: Words | None, predictions: Words | None) -> Picture:
    """The whole picture, from the top: title, predictions, ways to what gathers the losses, columns, tokens, legend."""
    read_slots(scene)
    before, after = Aside(scene, BEFORE), Aside(scene, AFTER)
    head: list[Part] = []
    y = MARGIN
    if title:
        head.append(Text(MARGIN, y + 12, plain(title), 17, INK, "start", True, "title"))
        y += 38
    words_y = y + 12
    if predictions is not None:
        y += 28
    ways = len(gathered(scene, after))
    bus_y = max(y + 4, MARGIN + 12) + LINE * max(0, ways - 1)
    y = bus_y + 16 if ways else y
    aside = before.width + ASIDE if before.nodes else 0
    aside = max(aside, 24.0 if tokens is not None or predictions is not None else 0.0)
    height = spread(scene, MARGIN + aside, y)

    frames: list[Part] = []
    groups: list[Part] = []
    for item in scene.items:
        frame = (item.x, y, item.width, height)
        frames.append(Panel(*frame, GAP if item.passed else COLUMN, COLUMN_EDGE, 10, kind="frame"))
        if item.passed:
            groups.append(gap_column(scene, item, y, height, passing_lanes(scene, item)))
        else:
            groups.append(step_column(scene, item, frame))
            head += caption(predictions, item, words_y, "prediction")
            head += caption(tokens, item, y + height + 24, "token")
    for words, what, at in ((predictions, "prediction", words_y), (tokens, "token", y + height + 24)):
        if words is not None:
            head.append(Text(MARGIN, at, plain(what), 11, QUIET, "start"))
    beside = before_parts(scene, before, MARGIN)
    tail, right = after_parts(scene, after, bus_y, LINE, MARGIN - 8)
    y += height + (38 if tokens is not None else 8)
    weights = [(scene.badges.segment(i), shape(scene, i)) for i in scene.badges.shown]
    key, reach, y = legend(MARGIN, y + 14, scene.scale, scene.magnitudes or [], weights, right - MARGIN)
    wide = max(right, reach, MARGIN + label_width(plain(title or ""), 17) * 1.1) + MARGIN
    steps = scene.timeline.steps
    return Picture(
        wide,
        y + MARGIN * 0.7,
        (*head, *frames, *gutters(scene), *far_edges(scene), *beside, *groups, *tail, key),
        title or f"A record unrolled over {len(steps)} time step{'s' * (len(steps) > 1)}",
        f"Time runs from left to right, from step {steps[0]} to step {steps[-1]}; "
        f"the record has {len(scene.timeline.nodes)} nodes.",
    )


def spread(scene: Scene, x: float, y: float) -> float:
    """Give each column its place from x on, with the tops of the frames at y; returns the frames' height."""
    first = scene.plans[scene.columns[0]]
    plans = list({id(plan): plan for plan in scene.plans.values()}.values())
    down = {id(plan): drop(first, plan) for plan in plans}
    highest = min(down.values())
    passed = gaps(scene.columns, len(scene.timeline.steps))
    for begin, end in sorted([(c, c) for c in scene.columns] + passed):
        over = (begin, end) in passed
        width = GAP_WIDTH if over else scene.plans[begin].width
        scene.items.append(Item(begin, end, x, width, over))
        if not over:
            scene.left[begin] = x
            scene.top[begin] = y + PAD_TOP + down[id(scene.plans[begin])] - highest
        x += width + GUTTER
    return PAD_TOP + PAD_BOTTOM + max(down[id(plan)] - highest + plan.height for plan in plans)


def drop(first: Plan, plan: Plan) -> float:
    """How much lower than the first plan another begins: a state that both have keeps its height."""
    shared = next((key for key in plan.lanes if key in first.lanes), None)
    return first.height - plan.height if shared is None else first.lanes[shared] - plan.lanes[shared]


def step_column(scene: Scene, item: Item, frame: tuple[float, float, float, float]) -> Group:
    """The column of one step: its edges, then its nodes, then its number."""
    c = item.first
    plan, t = scene.plans[c], scene.timeline.steps[c]
    boxes = []
    for i in scene.timeline.members[c]:
        x, y = plan.centres[scene.keys[i]]
        boxes.append(scene.box(i, x + scene.left[c], y + scene.top[c], plan.sizes[scene.keys[i]][0]))
    x, y, width, height = frame
    number = Text(x + width / 2, y + height - 10, plain(f"t = {t}"), 11, QUIET, kind="step")
    return Group(f"t{t}", (*step_edges(scene, c), *boxes, number), f"step {t}", frame=frame)


def caption(words: Words | None, item: Item, y: float, kind: str) -> list[Part]:
    """A token or prediction over or under its column."""
    if words is None:
        return []
    whole = token_text(words[item.first])
    said = shorten(whole, item.width - 8, 16)
    return [Text(item.x + item.width / 2, y, plain(said), 16, INK, bold=True, kind=kind, title=whole[:400])]


def shape(scene: Scene, i: int) -> str:
    """The shape of a shared weight, for the legend."""
    return "×".join(map(str, np.shape(scene.timeline.nodes[i].data)))
