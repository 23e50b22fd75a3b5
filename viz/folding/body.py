"""The body of a loop as a picture: each of its nodes once, with the colours of all steps in a strip below it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..layout.belts import Plan
from ..layout.graphviz_program import Size
from ..layout.placement import place_template
from ..pictures.courses import Course, moved
from ..pictures.labels import Label, Run, label_width, number, plain, shorten, spoken, symbol
from ..pictures.palette import ATTENTION, COLUMN, COLUMN_EDGE, FAINT, PLAIN, QUIET, SHADE, SOFT, STRONG, ink_on
from ..pictures.picture import Box, Curve, Panel, Part, Point, Segment, Text
from ..reading.columns import HIDDEN, STEP
from ..reading.lines import Key
from ..reading.templates import Template
from ..unrolled.faces import Face, face
from ..unrolled.scene import PAD_BOTTOM, PAD_TOP, STATE, Scene, numbered, path_name, path_words
from .fold import comes_in
from .reading import Take, spanned
from .rings import Frame, Ring, arrange, free_place
from .usual import read_loop

STRIP, GAP = 5.0, 3.0  # height of the strip under a node, and its distance
CELL, CELLS = 2.0, 48  # least width of its cells, and how many there are at most
CARD = 5.0  # how far the frames of further steps look out behind the first


class Body:
    """One loop's body: its nodes with their places, and the rings around it.

    Its nodes are known by keys: ("spot", n) stands for what the steps have there, ("given", n, k) for what comes to
    input k of it from outside at each step, ("outside", i) for a node outside; ("before", n, …), ("states", n, …) and
    ("other", s, …) for what another step has, or several steps have, in its own loop and in another.
    """

    def __init__(self, scene: Scene, number: int, columns: list[int]) -> None:
        self.scene, self.number = scene, number
        self.reading = read_loop(scene.timeline, columns)
        self.faces: dict[Key, Face] = {}
        self.nodes: dict[Key, dict[int, int]] = {}  # key → step → its node
        self.delays: dict[Key, dict[str, None]] = {}  # state → how much later it is taken up
        self.states: dict[tuple[str, str], int] = {}  # scope and name of a state → its spot
        self.template = Template()
        self.fill_template()
        room = STRIP + GAP if scene.scale else 0.0
        self.sizes: dict[Key, Size] = {key: (f.width, f.height + room) for key, f in self.faces.items()}
        self.plan: Plan = place_template(self.template, self.sizes)
        self.height = self.plan.height + PAD_TOP + PAD_BOTTOM
        self.rings = self.read_rings()
        arrange(self.rings, self.height)
        self.frame: Frame = (0.0, 0.0, self.plan.width, self.height)
        name = scene.stretch_names[number] if len(scene.stretch_names) > 1 else ""
        self.id = f"{name}.t" if name else "t"
        self.ids = {key: numbered(f"{self.id}.{self.path(key)}", scene.taken) for key in self.template.keys}

    @property
    def times(self) -> list[int]:
        """The t of each step."""
        return self.reading.aligned.times

    # ---- what it consists of ----

    def fill_template(self) -> None:
        """Gather nodes and edges."""
        aligned, template = self.reading.aligned, self.template
        spots = self.drawn_spots()
        shown = set(spots)
        for spot in spots:
            key: Key = ("spot", spot)
            coming: list[Key] = []
            for place, take in enumerate(self.reading.takes[spot]):
                if take.kind == "carried" and spot >= aligned.body:
                    coming.append(self.add_before(take))
                elif take.kind in ("here", "carried"):
                    if take.spot in shown:
                        self.connect(("spot", take.spot), key, take)
                elif take.kind in ("given", "outside"):
                    coming.append(self.add_input(spot, place, take))
                elif take.kind == "states":
                    coming.append(self.add_states(spot, take))
                    if self.looks_at(spot, take.spot) == (True, False) and take.spot in shown:
                        template.edges[("spot", take.spot), key] = None
            for other in coming:
                template.edges[other, key] = None
            self.nodes[key] = aligned.at[spot]
            self.faces[key] = self.face_of(spot)
            template.keys[key] = None

    def drawn_spots(self) -> list[int]:
        """The spots of the body, and those of single steps that lead to what is taken from outside."""
        aligned, timeline, takes = self.reading.aligned, self.scene.timeline, self.reading.takes
        body = [spot for spot in range(aligned.body) if timeline.role[aligned.sample(spot)] == STEP]
        for take in (take for spot in body for take in takes[spot] if take.kind == "carried"):
            i = aligned.sample(take.spot)
            if timeline.stems[i]:
                self.states[timeline.nodes[i].scope, timeline.stems[i]] = take.spot
        further = range(aligned.body, len(aligned.at))
        if len(further) > max(12, len(body)):
            return body
        taken = {timeline.root}
        for i, xs in enumerate(timeline.inputs):
            if i not in aligned.row_of and timeline.role[i] != HIDDEN:
                taken.update(xs)
        leading: set[int] = set()
        for spot in reversed(further):
            if spot in leading or any(i in taken and self.key_of(i)[1] == spot for i in aligned.at[spot].values()):
                leading.add(spot)
                leading.update(take.spot for take in takes[spot] if take.kind == "here")
        return body + [spot for spot in further if spot in leading and timeline.role[aligned.sample(spot)] == STEP]

    def key_of(self, i: int) -> Key:
        """The key of a node of a step; what bears the name of a state at single steps is that state."""
        timeline, spot = self.scene.timeline, self.reading.aligned.spot[i]
        if spot < self.reading.aligned.body:
            return ("spot", spot)
        return ("spot", self.states.get((timeline.nodes[i].scope, timeline.stems[i]), spot))

    def connect(self, source: Key, key: Key, take: Take) -> None:
        """Add an edge within the step, or one that a state takes from step to step."""
        template = self.template
        if take.kind == "here":
            template.edges[source, key] = None
            return
        back = take.distance < 0
        (template.returning if back else template.arriving)[source, key] = None
        (template.going_back if back else template.leaving)[source] = None
        self.delays.setdefault(source, {})[f"t {'+' if back else '−'} {abs(take.distance)}"] = None

    def looks_at(self, spot: int, other: int) -> tuple[bool, bool]:
        """Whether the nodes on a spot take those on another of their own step, and of later steps."""
        timeline, aligned = self.scene.timeline, self.reading.aligned
        found = aligned.at[spot].items()
        distances = [
            aligned.row_of[x] - n for n, i in found for x in timeline.inputs[i] if aligned.spot.get(x) == other
        ]
        return any(d == 0 for d in distances), any(d > 0 for d in distances)

    def add_states(self, spot: int, take: Take) -> Key:
        """Add what stands for the states of several steps, which a node of the body takes."""
        _, ahead = self.looks_at(spot, take.spot)
        return self.add_many(("states", take.spot, ahead), self.reading.names[take.spot], "1…T" if ahead else "1…t−1")

    def add_before(self, take: Take) -> Key:
        """Add what stands for a state of another step, where only few steps take it up so."""
        steps = f"t{'+' if take.distance < 0 else '−'}{abs(take.distance)}"
        return self.add_many(("before", take.spot, take.distance), self.reading.names[take.spot], steps)

    def add_many(self, key: Key, name: str, steps: str) -> Key:
        """Add what stands for the same thing of another step, or of several."""
        label = (*symbol(name.rpartition("/")[2] or "rows"), Run(steps, sub=True))
        width = label_width(label, 14) + 20
        self.nodes[key] = {}
        self.faces[key] = Face((Segment(label, width, size=14),), width, 28.0, 14.0, (), spoken(label), "memory")
        self.template.keys[key] = None
        return key

    def add_input(self, spot: int, place: int, take: Take) -> Key:
        """Add what comes from outside, drawn as a node of the body."""
        scene, timeline = self.scene, self.scene.timeline
        if take.kind == "given":
            nodes = self.reading.series[spot, place]
            key: Key = ("given", spot, place)
            self.nodes[key] = nodes
            self.faces[key] = face(timeline, next(iter(nodes.values())), scene.badges, "t")
        elif (c := timeline.column[take.node]) is not None:
            name = timeline.stems[take.node]
            return self.add_many(("other", timeline.stretch[c], name), name, "1…T")
        else:
            key = ("outside", take.node)
            self.nodes[key] = {0: take.node}
            self.faces[key] = scene.face(take.node)
        self.template.keys[key] = None
        return key

    def face_of(self, spot: int) -> Face:
        """The looks of what is on a spot, at any step."""
        aligned, timeline = self.reading.aligned, self.scene.timeline
        i = aligned.at[spot].get(self.reading.usual_step, aligned.sample(spot))
        looks = face(timeline, i, self.scene.badges, "t")
        if spot < aligned.body and comes_in(self.reading, spot) and not timeline.stems[i] and timeline.inputs[i]:
            label = plain("[t]")
            core = tuple(replace(s, label=label) if s.fill is None else s for s in looks.segments)
            return replace(looks, segments=core)
        if spot >= aligned.body and looks.caption:
            said = plain("only " + spanned(tuple(self.times[n] for n in sorted(aligned.at[spot]))))
            return widened(replace(looks, caption=said), label_width(said, 9) + 14)
        return looks

    def path(self, key: Key) -> str:
        """Scope and name of a node, for its id."""
        nodes = self.nodes[key]
        if not nodes:
            return path_words(self.faces[key].name)
        i = next(iter(nodes.values()))
        path = path_name(self.scene.timeline.nodes[i], self.scene.timeline.stems[i])
        return path.removeprefix(f"{self.scene.stretch_names[self.number]}.")

    def read_rings(self) -> list[Ring]:
        """The ring of each state."""
        rings = []
        for key, delays in self.delays.items():
            if key in self.plan.exits:
                y, back = PAD_TOP + self.plan.lanes[key], key in self.plan.backward
                rings.append(Ring(key, self.name(key), self.scope(key), ", ".join(delays), back, y))
        return rings

    def name(self, key: Key) -> Label:
        """The name of a state."""
        timeline = self.scene.timeline
        i = next(iter(self.nodes[key].values()))
        node = timeline.nodes[i]
        unit = timeline.units.get(i, "").rpartition("/")[2]
        said = timeline.stems[i] or unit or (node.op.name if node.op is not None else "x")
        return symbol(shorten(said, 90, 14))

    def scope(self, key: Key) -> str:
        """The scope of a state, where another state has the same name."""
        names = [self.name(other) for other in self.delays]
        i = next(iter(self.nodes[key].values()))
        return self.scene.timeline.nodes[i].scope if names.count(self.name(key)) > 1 else ""

    # ---- what it looks like ----

    def centre(self, key: Key) -> Point:
        """Where a node stands in the picture."""
        x, y = self.plan.centres[key]
        return x + self.frame[0], y + self.frame[1] + PAD_TOP - (STRIP + GAP) / 2 * bool(self.scene.scale)

    def worst(self, nodes: Iterable[int]) -> float | None:
        """The largest number of several nodes; what is not finite is the largest of all."""
        magnitudes = self.scene.magnitudes or []
        known = [m for m in (magnitudes[i] for i in nodes if magnitudes) if m is not None]
        return next((m for m in known if not math.isfinite(m)), max(known, key=abs, default=None))

    def frame_parts(self, ways: list[float]) -> list[Part]:
        """The frame, the edges of further steps behind it, and how many steps it stands for.

        ways: where lines lead up from the body, x of each.
        """
        x, y, width, height = self.frame
        many = len(self.times)
        cards = [CARD * 2, CARD] if many > 2 else [CARD] if many == 2 else []
        parts: list[Part] = [Panel(x + d, y - d, width, height, COLUMN, COLUMN_EDGE, 10, kind="card") for d in cards]
        parts.append(Panel(x, y, width, height, COLUMN, COLUMN_EDGE, 10, kind="frame"))
        said = plain(f"× {many:,}")
        wide = label_width(said, 14) + 18
        at = free_place(self.frame, ways, wide / 2 + 6, wide / 2 + 6, x + width - wide / 2 - 8)
        parts.append(Panel(at - wide / 2, y - 13, wide, 24, STRONG, radius=12, kind="times"))
        parts.append(Text(at, y + 4, said, 14, ink_on(STRONG), bold=True, kind="times"))
        parts.append(Text(x + width / 2, y + height - 10, plain(spanned(tuple(self.times))), 11, QUIET, kind="step"))
        if len(self.scene.stretch_names) > 1:
            name = plain(self.scene.stretch_names[self.number])
            parts.append(Text(x + 10, y + height - 10, name, 12, QUIET, "start", True, "stretch"))
        return parts

    def parts(self) -> list[Part]:
        """Its edges, then its nodes with their strips."""
        x, y = self.frame[0], self.frame[1] + PAD_TOP
        plan, parts = self.plan, []
        for (a, b), course in plan.courses.items():
            parts.append(self.curve(moved(course, x, y), a, b))
        for (a, b), course in plan.entries.items():
            parts.append(self.curve(moved(course, x, y), a, b, kind="lane", **STATE))
        for a, course in plan.exits.items():
            parts.append(self.curve(moved(course, x, y), a, None, arrow=False, kind="lane", **STATE))
        for key in self.template.keys:
            parts += self.node_parts(key)
        return parts

    def curve(self, course: Course, a: Key, b: Key | None, **looks: object) -> Part:
        """An edge of the body."""
        return Curve(course, ends=(self.ids[a], self.ids[b] if b is not None else ""), **looks)  # type: ignore[arg-type]

    def node_parts(self, key: Key) -> list[Part]:
        """A node as a box, and the strip below it: a cell for each step, or for several."""
        looks, nodes, scene = self.faces[key], self.nodes[key], self.scene
        x, y = self.centre(key)
        worst = self.worst(nodes.values())
        fill = scene.scale.fill(worst) if scene.scale else PLAIN
        hatched = worst is not None and not math.isfinite(worst)
        few = key[0] == "spot" and int(str(key[1])) >= self.reading.aligned.body
        parts: list[Part] = [
            Box(
                self.ids[key], x, y, looks.width, looks.height, looks.segments, looks.radius, looks.caption, fill=fill,
                ink=ink_on(PLAIN if hatched else fill), stroke=self.stroke(looks), hatched=hatched,
                dotted=few or key[0] == "outside", title=self.title(key),
                desc=self.desc(key), kind=looks.kind,
            )
        ]  # fmt: skip
        if worst is not None and key[0] != "outside":
            parts += self.strip(nodes, x, y + looks.height / 2 + GAP, looks.width - 6)
        return parts

    def stroke(self, looks: Face) -> str:
        """The colour of an outline."""
        return ATTENTION if looks.kind == "memory" else SOFT if looks.kind in ("op", "leaf") else STRONG

    def strip(self, nodes: dict[int, int], x: float, y: float, width: float) -> list[Part]:
        """The colours of a node over time, from left to right; each cell the largest of the steps it holds."""
        many = len(self.times)
        count = int(min(CELLS, many, max(4.0, width // CELL)))
        cell, left = width / count, x - width / 2
        parts: list[Part] = []
        for k in range(count):
            steps = range(many * k // count, many * (k + 1) // count)
            worst = self.worst(nodes[n] for n in steps if n in nodes)
            fill = self.scene.scale.fill(worst) if self.scene.scale else SHADE
            broken = worst is not None and not math.isfinite(worst)
            wide = cell * min(2, count - k)  # the next one lies over its end: no seam between the two
            parts.append(Panel(left + k * cell, y, wide, STRIP, fill, hatched=broken, kind="cell"))
        parts.append(Panel(left, y, width, STRIP, "none", FAINT, 1, kind="strip"))
        return parts

    def title(self, key: Key) -> str:
        """A node in a line: its name, its op, its shape, and its numbers over time."""
        nodes, timeline = self.nodes[key], self.scene.timeline
        if not nodes:
            return self.faces[key].name
        node = timeline.nodes[next(iter(nodes.values()))]
        shape = "×".join(map(str, np.shape(node.data))) or "a number"
        op, when = node.op.name if node.op is not None else "given", spanned(self.steps_of(nodes))
        said = f"{self.faces[key].name}: {op}, {shape}, at {when}"
        known = [m for i in nodes.values() if self.scene.magnitudes and (m := self.scene.magnitudes[i]) is not None]
        if known:
            said += f", {spoken(self.scene.measured)} from {number(min(known))} to {number(max(known))}"
        return said

    def desc(self, key: Key) -> str:
        """Where a node was made."""
        said = []
        for i in list(self.nodes[key].values())[:1]:
            node = self.scene.timeline.nodes[i]
            said = [node.scope and f"in {node.scope}", node.source]
        return "; ".join(part for part in said if part)

    def steps_of(self, nodes: dict[int, int]) -> tuple[int, ...]:
        """The t of the steps which have a node."""
        return tuple(self.times[n] for n in sorted(nodes) if n < len(self.times))

    def way_up(self, key: Key) -> float:
        """Where a line may go straight up from a node through the body: over its middle, or as near as nothing is."""
        middle, y = self.centre(key)
        left, right = self.frame[0] + 4, self.frame[0] + self.frame[2] - 4
        higher = [other for other in self.template.keys if self.centre(other)[1] < y and other != key]
        taken = [(self.centre(other)[0], self.sizes[other][0] / 2 + 5) for other in higher]
        for step in range(int(self.frame[2] // 6)):
            for way in (middle + 6 * step, middle - 6 * step):
                if left <= way <= right and all(abs(way - at) >= half for at, half in taken):
                    return way
        return middle


def widened(looks: Face, width: float) -> Face:
    """A face that is wide enough for its caption."""
    more = max(0.0, width - looks.width)
    segments = tuple(replace(s, width=s.width + more) if s.fill is None else s for s in looks.segments)
    return replace(looks, segments=segments, width=looks.width + more)
