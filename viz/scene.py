"""What the parts of an unrolled picture share while they are placed: looks, colours, ids, and where each column is."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygrad_seq.graph import Node

from .belts import Plan
from .columns import BADGE, HIDDEN, NUMBER, Key, Timeline
from .courses import Course
from .faces import Badges, Face, face
from .graphviz_program import Size
from .labels import number, spoken, symbol, visible
from .palette import FAR as FAR_AWAY
from .palette import PLAIN, SOFT, STRONG, GradientScale, ink_on
from .picture import Box, Curve, Point
from .templates import Template

PAD_TOP, PAD_BOTTOM, GUTTER = 16.0, 30.0, 12.0  # inside a column above and below its nodes; between columns
STATE: dict[str, Any] = {"stroke": STRONG, "width": 1.6}  # how an edge along time looks
FAR: dict[str, Any] = {"stroke": FAR_AWAY, "width": 1.0, "opacity": 0.4}  # one that passes over other columns


@dataclass(frozen=True)
class Item:
    """A place along the time axis: the column of a step, or one for all the steps passed over."""

    first: int
    last: int
    x: float
    width: float
    passed: bool


@dataclass
class Scene:
    """An unrolled picture in the making."""

    timeline: Timeline
    columns: list[int]  # those drawn
    keys: dict[int, Key]
    badges: Badges
    further: dict[int, set[int]]  # node → how many columns further it goes
    magnitudes: list[float | None] | None = None
    scale: GradientScale | None = None
    plans: dict[int, Plan] = field(default_factory=dict)  # by column
    items: list[Item] = field(default_factory=list)  # from left to right
    left: dict[int, float] = field(default_factory=dict)  # where each column begins
    top: dict[int, float] = field(default_factory=dict)  # where its plan begins
    centres: dict[int, Point] = field(default_factory=dict)  # of the nodes placed so far
    carried_at: dict[Key, dict[int, int]] = field(default_factory=dict)  # state → column → its node
    slots: dict[tuple[Key, int], Key] = field(default_factory=dict)  # node and input → the state it takes up
    initial: set[int] = field(default_factory=set)  # first values of the states of the same name
    faces: dict[int, Face] = field(default_factory=dict)
    called: dict[Key, str] = field(default_factory=dict)  # names of the templates' nodes
    ids: dict[int, str] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)

    def face(self, i: int) -> Face:
        if i not in self.faces:
            self.faces[i] = face(self.timeline, i, self.badges, self.time_of(i))
        return self.faces[i]

    def time_of(self, i: int) -> int | None:
        """The subscript of a node: its step, also of a leaf that is used at that step alone; 0 of an initial state."""
        if i in self.initial:
            return self.timeline.steps[0] - 1
        c = self.timeline.column[i]
        return None if c is None else self.timeline.steps[c]

    def size(self, i: int) -> Size:
        return self.face(i).width, self.face(i).height

    def drawn_inputs(self, i: int) -> list[int]:
        """The inputs of a node that are drawn as nodes."""
        return [x for x in self.timeline.inputs[i] if self.timeline.role[x] not in (BADGE, NUMBER, HIDDEN)]

    def lane(self, c: int, key: Key) -> float | None:
        """The height at which column c takes or gives the state of that key."""
        lane = self.plans[c].lanes.get(key)
        return None if lane is None else self.top[c] + lane

    def id_of(self, i: int) -> str:
        """A telling id: step, scope, name; the same for the same record."""
        if i not in self.ids:
            node, c = self.timeline.nodes[i], self.timeline.column[i]
            name = self.called.get(self.keys[i]) if i in self.keys else None
            name = name or path_name(node, self.timeline.stems[i])
            if c is not None:
                name = f"t{self.timeline.steps[c]}.{name}"
            self.ids[i] = numbered(name, self.taken)
        return self.ids[i]

    def name_keys(self, template: Template) -> None:
        """Name the nodes of a template for their ids: the same node has the same name at every step."""
        taken: Counter[str] = Counter()
        sample = {self.keys[i]: i for c in template.columns for i in self.timeline.members[c]}
        for key in template.keys:
            i = sample[key]
            self.called[key] = numbered(path_name(self.timeline.nodes[i], self.timeline.stems[i]), taken)

    def box(self, i: int, x: float, y: float, width: float = 0.0) -> Box:
        """Node i as a box around (x, y), at least as wide as `width`."""
        node, looks = self.timeline.nodes[i], self.face(i)
        magnitude = self.magnitudes[i] if self.magnitudes else None
        fill = self.scale.fill(magnitude) if self.scale else PLAIN
        self.centres[i] = (x, y)
        said = spoken(symbol(self.timeline.stems[i], self.time_of(i))) if self.timeline.stems[i] else looks.name
        shape = "×".join(map(str, np.shape(node.data))) or "a number"
        title = f"{said}: {node.op.name if node.op else 'given'}, {shape}"
        if magnitude is not None:
            title += f", gradient {number(magnitude)}"
        made = [self.name(x) for x in self.timeline.inputs[i][:8]]
        desc = "from " + ", ".join(made) + (", …" if len(self.timeline.inputs[i]) > 8 else "") if made else ""
        desc = "; ".join(part for part in (desc, node.scope and f"in {node.scope}", node.source) if part)
        more = max(0.0, width - looks.width)  # as wide as at any other step: its own part takes up the rest
        segments = tuple(replace(s, width=s.width + more) if s.fill is None else s for s in looks.segments)
        hatched = magnitude is not None and not math.isfinite(magnitude)
        return Box(
            id=self.id_of(i), x=x, y=y, width=looks.width + more, height=looks.height, segments=segments,
            radius=looks.radius, caption=looks.caption, fill=fill, ink=ink_on(PLAIN if hatched else fill),
            stroke=SOFT if looks.kind != "named" else STRONG, hatched=hatched, title=title,
            desc=desc, kind=looks.kind,
        )  # fmt: skip

    def name(self, i: int) -> str:
        """What to call a node in a sentence."""
        node = self.timeline.nodes[i]
        if self.timeline.stems[i]:
            return spoken(symbol(self.timeline.stems[i], self.time_of(i)))
        if i in self.badges.labels:
            return spoken(self.badges.labels[i])
        return node.op.name if node.op else "a constant"

    def curve(
        self, points: Course | list[Point], a: int | None, b: int | None, *, arrow: bool = True, **looks: Any
    ) -> Curve:
        """An edge from node a to node b; None where it begins or ends at the edge of a column."""
        ends = ("" if a is None else self.id_of(a), "" if b is None else self.id_of(b))
        op = None if b is None else self.timeline.nodes[b].op
        dashed = op is not None and op.name == "cut"  # no gradient comes back here
        return Curve(tuple(points), arrow=arrow, dashed=dashed, ends=ends, **looks)


def path_name(node: Node, stem: str) -> str:
    """Scope and name, or scope and op, as the words of an id."""
    what = stem or (node.op.name if node.op else "leaf")
    path = [*node.scope.split("/"), what] if node.scope else [what]
    return "_".join(visible(".".join(path)).split())


def numbered(name: str, taken: Counter[str]) -> str:
    """The name, and a number behind it where it is taken: h, h-2, h-3."""
    free = name
    while taken[free]:
        taken[name] += 1
        free = f"{name}-{taken[name]}"
    taken[free] += 1
    return free
