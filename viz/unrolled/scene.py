"""What the parts of an unrolled picture share while they are placed: looks, colours, ids, and where each column is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_seq.graph import Node

from ..layout.belts import Plan
from ..layout.frames import Frame
from ..layout.graphviz_program import Size
from ..pictures.courses import Course
from ..pictures.labels import Label, number, plain, spoken, symbol, visible
from ..pictures.palette import BROKEN, PLAIN, SOFT, STRONG, Scale, ink_on, ramp, signed
from ..pictures.palette import FAR as FAR_AWAY
from ..pictures.picture import Box, Curve, Part, Point, Segment
from ..reading.columns import BADGE, HIDDEN, MEMORY, NUMBER, Timeline
from ..reading.lines import Key
from ..reading.looks import Look
from ..reading.magnitudes import LANE, Flow
from ..reading.templates import Template
from .faces import Badges, Face, face

PAD_TOP, PAD_BOTTOM, GUTTER = 16.0, 30.0, 12.0  # inside a column above and below its nodes; between columns
CELLS, STRIP, PALEST = 16, 6.0, 0.3  # of a strip the most, and its room; the palest that an edge gets
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
    flow: Flow | None = None
    scale: Scale | None = None
    measure: str = "gradient"  # what the colours are, in words ...
    measured: Label = ()  # ... and in the legend
    looks: list[Look] = field(default_factory=list)
    dress: Callable[[Scene, int, list[Part]], tuple[list[Part], list[Part]]] | None = None  # other looks: ground, parts
    values: bool = False  # whether numbers and strips of values are shown
    largest: dict[str, float] = field(default_factory=dict)  # value by name, for the strips
    plans: dict[int, Plan] = field(default_factory=dict)  # by column
    frames: dict[int, list[Frame]] = field(default_factory=dict)  # of scopes, by column
    items: list[Item] = field(default_factory=list)  # from left to right
    left: dict[int, float] = field(default_factory=dict)  # where each column begins
    top: dict[int, float] = field(default_factory=dict)  # where its plan begins
    centres: dict[int, Point] = field(default_factory=dict)  # of the nodes placed so far
    carried_at: dict[Key, dict[int, int]] = field(default_factory=dict)  # state → column → its node
    slots: dict[tuple[Key, int], Key] = field(default_factory=dict)  # node and input → the state it takes up
    starts: dict[int, list[tuple[int, Key]]] = field(default_factory=dict)  # first value → columns and states it enters
    initial: dict[int, int] = field(default_factory=dict)  # those with the name of their state → their time step
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
            return self.initial[i]
        c = self.timeline.column[i]
        return None if c is None else self.timeline.steps[c]

    def size(self, i: int) -> Size:
        looks = self.face(i)
        return looks.width, looks.height + (STRIP if self.values and looks.caption else 0.0)

    def drawn_inputs(self, i: int) -> list[int]:
        """The inputs of a node that are drawn as nodes."""
        return [x for x in self.timeline.inputs[i] if self.timeline.role[x] not in (BADGE, MEMORY, NUMBER, HIDDEN)]

    def inputs_beside(self, i: int) -> list[int]:
        """The inputs of a node outside of time that are drawn as nodes, memories too."""
        drawn = (BADGE, NUMBER, HIDDEN)
        return [x for x in self.timeline.inputs[i] if self.timeline.role[x] not in drawn and self.stands(x)]

    def stands(self, i: int) -> bool:
        """Whether a node has a place: a memory inside of a stretch has none."""
        return self.timeline.role[i] != MEMORY or i in self.timeline.stands

    def item(self, c: int) -> Item:
        """The place along the time axis where column c is."""
        return next(item for item in self.items if item.first <= c <= item.last)

    def edge(self, stretch: int) -> float:
        """Where a stretch ends on the right; before the first one, where the steps begin."""
        if stretch < 0:
            return self.items[0].x
        item = [item for item in self.items if self.timeline.stretch[item.first] <= stretch][-1]
        return item.x + item.width

    @property
    def magnitudes(self) -> list[float | None] | None:
        """The number of each node, where they are coloured."""
        return self.flow.nodes if self.flow else None

    def is_cut(self, i: int) -> bool:
        """Whether no gradient comes back to node i from the next step."""
        timeline = self.timeline
        return bool(timeline.cuts) and any(x in timeline.cuts for x in timeline.parts.get(i, [i]))

    def spot(self, i: int) -> Point:
        """Where a node of a column stands."""
        c = self.timeline.column[i]
        assert c is not None
        x, y = self.plans[c].centres[self.keys[i]]
        return x + self.left[c], y + self.top[c]

    def head(self, i: int) -> Point:
        """The upper edge of a node, or of the sign that its value has above it: where what leads upwards begins."""
        x, y = self.centres[i]
        c = self.timeline.column[i]
        head = self.plans[c].heads.get(self.keys[i]) if c is not None else None
        if c is None or head is None:
            return x, y - self.size(i)[1] / 2
        return head[0] + self.left[c], head[1] + self.top[c]

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
                name = f"{self.column_id(c)}.{name}"
            self.ids[i] = numbered(name, self.taken)
        return self.ids[i]

    def column_id(self, c: int) -> str:
        """The id of a column: t3, and where there are several stretches encoder.t3."""
        mark = f"t{self.timeline.steps[c]}"
        return f"{self.stretch_names[self.timeline.stretch[c]]}.{mark}" if len(self.stretch_names) > 1 else mark

    @cached_property
    def stretch_names(self) -> list[str]:
        """What each stretch is called: after the scope that all its nodes share, else by its number."""
        timeline, taken = self.timeline, Counter[str]()
        called = []
        for n, columns in enumerate(timeline.stretches):
            nodes = [i for c in columns[:3] for i in timeline.members[c]]
            carrying = [i for i in nodes if any(timeline.column[x] in columns for x in timeline.inputs[i] if
                        timeline.column[x] != timeline.column[i])]
            scopes = Counter(timeline.nodes[i].scope.split("/")[0] for i in carrying or nodes)
            often = scopes.most_common(1)[0][0] if scopes else ""
            called.append(numbered(path_words(often) or f"loop{n + 1}", taken))
        return called

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
            title += f", {self.measure} {number(magnitude)}"
        made = [self.name(x) for x in self.timeline.inputs[i][:8]]
        desc = "from " + ", ".join(made) + (", …" if len(self.timeline.inputs[i]) > 8 else "") if made else ""
        desc = "; ".join(part for part in (desc, node.scope and f"in {node.scope}", node.source) if part)
        more = max(0.0, width - looks.width)  # as wide as at any other step: its own part takes up the rest
        segments = tuple(replace(s, width=s.width + more) if s.fill is None else s for s in looks.segments)
        if self.flow and self.scale:
            segments = tuple(self.underlined(s, i) for s in segments)
        hatched = magnitude is not None and not math.isfinite(magnitude)
        strip, caption = self.shown_value(i) if self.values and looks.caption else ((), looks.caption)
        return Box(
            id=self.id_of(i), x=x, y=y, width=looks.width + more, height=self.size(i)[1], segments=segments,
            radius=looks.radius, caption=caption, fill=fill, ink=ink_on(PLAIN if hatched else fill),
            stroke=SOFT if looks.kind in ("op", "leaf") else STRONG, hatched=hatched, dotted=not node.requires_grad,
            title=title, desc=desc, kind=looks.kind, strip=strip,
        )  # fmt: skip

    def underlined(self, segment: Segment, i: int) -> Segment:
        """A badge with the gradient that goes from node i to its weight."""
        if segment.of is None or self.flow is None or self.scale is None:
            return segment
        share = self.flow.edges.get((segment.of, i))
        return segment if share is None else replace(segment, under=self.scale.fill(share))

    def shown_value(self, i: int) -> tuple[tuple[str, ...], Label]:
        """The value of a node: colours for the numbers of a vector, or the one number."""
        data = np.asarray(self.timeline.nodes[i].data)
        flat = np.ravel(data[0] if data.ndim > 1 else data).astype(float)
        if data.size <= 1 or not flat.size:
            return (), plain(number(float(data.reshape(-1)[0])) if data.size else "empty")
        most = self.largest.get(self.timeline.stems[i] or self.id_of(i)) or 1.0
        cells = [float(part.mean()) for part in np.array_split(flat, min(CELLS, flat.size))]
        return tuple(signed(v / most) if math.isfinite(v) else BROKEN for v in cells), ()

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
        if a is not None:
            looks = {**looks, **self.flowing(a, b)}
        return Curve(tuple(points), arrow=arrow, dashed=dashed, ends=ends, **looks)

    def flowing(self, a: int, b: int | None) -> dict[str, Any]:
        """How an edge looks that carries gradient from b back to a; from all other steps where b is None."""
        if self.flow is None or not self.flow.edges or self.scale is None:
            return {}
        share = self.flow.edges.get((a, LANE if b is None else b))
        if share is None or not math.isfinite(share) or share <= 0:
            return {} if share is None else {"stroke": self.scale.fill(share)}
        place = min(max(self.scale.position(share), 0.0), 1.0)
        return {"stroke": ramp(max(place, PALEST)), "width": round(0.9 + 2.1 * place, 2), "title": number(share)}


def path_name(node: Node, stem: str) -> str:
    """Scope and name, or scope and op, as the words of an id."""
    what = stem or (node.op.name if node.op else "leaf")
    path = [*node.scope.split("/"), what] if node.scope else [what]
    return path_words(".".join(path))


def path_words(path: str) -> str:
    """A path as an id: without spaces."""
    return "_".join(visible(path).split())


def numbered(name: str, taken: Counter[str]) -> str:
    """The name, and a number behind it where it is taken: h, h-2, h-3."""
    free = name
    while taken[free]:
        taken[name] += 1
        free = f"{name}-{taken[name]}"
    taken[free] += 1
    return free
