"""What the text drawing writes: names with their time step, formulas, and how large things are."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from ..pictures.labels import number, spoken, symbol
from ..reading.columns import BADGE, HIDDEN, MEMORY, NUMBER, is_sum
from ..reading.formulas import formula
from ..reading.looks import drawn
from ..unrolled.faces import shape_text
from ..unrolled.scene import Scene
from .canvas import Signs, cut, width_of
from .rows import BACK, Name, Row, Rows, Stretch

MOST = 5  # names in brackets
CELL, SHORT = 10, 12  # columns that the name of a cell takes before the name of a row; letters of a short name


class Names:
    """The words of a text drawing."""

    def __init__(self, scene: Scene, rows: Rows, signs: Signs) -> None:
        self.scene, self.rows, self.signs = scene, rows, signs
        self.timeline = scene.timeline
        self.said: dict[tuple[int, bool], str] = {}  # formulas, with the numbers in them or without
        self.looks = self.read_looks()
        self.first_values = {
            x: (name, direction)
            for stretch in rows.stretches
            for (name, direction), begun in stretch.entering.items()
            for x in begun
        }
        self.spare: dict[Name | int, str] = {}  # names of rows, and of nodes outside of time, that have none
        self.scopes: dict[tuple[int, str], set[str]] = defaultdict(set)  # stretch and name → where they stand
        spare = signs.spare_names({*self.timeline.stems, *map(spoken, scene.badges.labels.values())})
        for stretch in rows.stretches:
            ordered = [name for group in stretch.groups for name in group.rows]
            for thing, i in [(name, stretch.rows[name].node) for name in ordered] + [(i, i) for i in stretch.above]:
                if not self.stem(i):
                    self.spare[thing] = next(spare)
                self.scopes[stretch.number, self.name(i)].add(self.timeline.nodes[i].scope)
        stems = list(self.timeline.stems)
        for i, label in scene.badges.labels.items():
            if self.timeline.role[i] in (BADGE, MEMORY):
                stems[i] = stems[i] or spoken(label)
        self.written = replace(self.timeline, inputs=self.timeline.taken, stems=stems)

    def read_looks(self) -> dict[int, dict[int, float]]:
        """For each node that looks at others the weight of each, the mean where it looks several times."""
        found: dict[int, dict[int, float]] = {}
        times = Counter(look.target for look in self.scene.looks)
        for look in self.scene.looks:
            weights = found.setdefault(look.target, {})
            for x, weight in look.sources.items():
                weights[x] = weights.get(x, 0.0) + weight / times[look.target]
        return found

    def stem(self, i: int) -> str:
        """The name that a node has of itself."""
        if self.timeline.role[i] == MEMORY and i in self.scene.badges.labels:
            return spoken(self.scene.badges.labels[i])
        return self.timeline.stems[i] or self.timeline.units.get(i, "").rpartition("/")[2]

    def name(self, i: int) -> str:
        """What a node is called, without its time; the first value of a state is called as the state."""
        row = self.rows.row.get(i)
        called = self.stem(i) or self.spare.get(row or i, "")
        if row is not None and row[-1] and self.stem(i):  # the second of that name in its step
            called = f"{called}-{row[-1] + 1}"
        if not called and i in self.first_values:
            state, _ = self.first_values[i]
            called = self.name(self.rows.stretch_of(state).rows[state].node)
        return called or "·"

    def time(self, i: int) -> int | None:
        """The time step of a node; of the first value of a state, where it has its name, the step before."""
        c = self.timeline.column[i]
        if c is None and i in self.first_values:
            state, direction = self.first_values[i]
            stretch = self.rows.stretch_of(state)
            if self.name(i) == self.name(stretch.rows[state].node):
                place = stretch.places[-1].last if direction == BACK else stretch.places[0].first
                return self.timeline.steps[place] - direction
        return None if c is None else self.timeline.steps[c]

    def label(self, name: str) -> str:
        """A name with what is below it: h_t as hₜ."""
        return self.signs.label(symbol(name))

    def timed(self, name: str, mark: str, room: int) -> str:
        """A name with its time below it, which is kept where the name has to be cut."""
        whole = self.label(f"{name}_{mark}" if mark else name)
        if len(name) <= SHORT and width_of(whole) <= room:
            return whole
        below = self.signs.below(mark) if mark else ""
        return cut(cut(self.signs.text(name), room - width_of(below), self.signs.ellipsis) + below, room)

    def cell(self, i: int, room: int) -> str:
        """A node where it stands: h₃."""
        t = self.time(i)
        return self.timed(self.name(i), "" if t is None else str(t), room)

    def heading(self, row: Row, room: int) -> str:
        """The name of a row at any step: hₜ."""
        return self.timed(self.name(row.node), "t", room)

    def level(self, i: int) -> str:
        """How large a node's number is."""
        return self.sign(self.scene.magnitudes[i] if self.scene.magnitudes else None)

    def sign(self, value: float | None) -> str:
        """A number as one sign, by its place on the scale; zero and what is not finite are written out."""
        if value is None or self.scene.scale is None:
            return self.signs.none
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Inf" if value > 0 else "-Inf"
        return "0" if value == 0 else self.signs.level(self.scene.scale.position(value))

    def formulas(self, stretch: Stretch, name: Name) -> list[tuple[str, list[int]]]:
        """What a row computes, and at which of the columns shown; the most common formula first."""
        row = stretch.rows[name]
        shown = [place.first for place in stretch.places if not place.passed and place.first in row.cells]
        told: list[dict[str, list[int]]] = []
        for numbers in (True, False):  # a number that is another at each step is left out
            said: dict[str, list[int]] = {}
            for c in shown:
                said.setdefault(self.formula(row.cells[c], numbers), []).append(c)
            told.append(said)
            if len(said) == 1:
                break
        return sorted(min(told, key=len).items(), key=lambda pair: (-len(pair[1]), -pair[1][-1]))

    def formula(self, i: int, numbers: bool = True) -> str:
        """What a node computes, in the names of what it takes; the shape of what is given."""
        if (i, numbers) not in self.said:
            node, timed = self.timeline.nodes[i], self.timeline.column[i] is not None
            if node.op is None:
                said = f"   {self.signs.text(shape_text(node))}" if np.ndim(node.data) else ""
            elif not timed and (is_sum(self.timeline, i) or node.op.name in ("stack", "concat")):
                said = f" = {self.gathered(i)}"
            elif self.timeline.units.get(i):
                said = f" = {self.signs.text(self.timeline.units[i].rpartition('/')[2])}({self.taken(i)})"
            else:
                said = self.computed(i, numbers)
            self.said[i, numbers] = said
        return self.said[i, numbers]

    def computed(self, i: int, numbers: bool) -> str:
        """The formula of a node, with what it takes named as it is from there."""
        timeline, stems = self.timeline, self.written.stems
        inside = set(timeline.parts.get(i, [i]))
        taken = dict.fromkeys(x for member in inside for x in timeline.taken[member] if x not in inside)
        own = {x: stems[x] for x in taken}
        for x in taken:
            unsaid = "" if numbers or timeline.role[x] != NUMBER else "…"
            stems[x] = self.from_there(x, i) or stems[x] or unsaid
        label = formula(self.written, i, inside)
        for x, stem in own.items():
            stems[x] = stem
        op = timeline.nodes[i].op
        if op is not None and spoken(label) == op.name.replace("_", " "):  # the formula was too long
            return f" {self.signs.source} {self.taken(i)}"
        return f" = {self.signs.label(label)}"

    def gathered(self, i: int) -> str:
        """A sum or a stack over time: L₁ + … + L₄."""
        inputs = self.timeline.inputs[i]
        alike = len({self.rows.row.get(x) for x in inputs}) == 1
        said = [self.label(self.from_there(x, i)) for x in inputs[:MOST]]
        if len(inputs) > 3 and alike:
            said = [said[0], self.signs.ellipsis, self.label(self.from_there(inputs[-1], i))]
        elif len(inputs) > MOST:
            said.append(self.signs.ellipsis)
        return " + ".join(said) if is_sum(self.timeline, i) else f"[{', '.join(said)}]"

    def taken(self, i: int) -> str:
        """The names of what a node takes and looks at."""
        inputs, looked_at = self.timeline.inputs[i], self.looks.get(i, {})
        names = [self.from_there(x, i) for x in inputs if self.timeline.role[x] != NUMBER and x not in looked_at]
        said = [self.label(name) for name in names[:MOST]] + [self.signs.ellipsis] * (len(names) > MOST)
        return ", ".join([*said, self.looked_at(i)] if looked_at else said)

    def looked_at(self, i: int) -> str:
        """What a node looks at, from the first to the last: h₁…h₄; x₁…xₜ where it ends with its own step."""
        column = self.timeline.column
        sources = sorted(self.looks[i], key=lambda x: column[x] or 0)
        others = [
            max(column[x] or 0 for x in self.looks[node])
            for node in self.rows.stretch_of(self.rows.row[i]).rows[self.rows.row[i]].cells.values()
            if node in self.looks
        ]
        first, last = sources[0], sources[-1]
        if len(set(others)) == 1 or not self.rows.distance(first, i):
            here = self.label(f"{self.name(last)}_{self.time(last)}")
        else:
            here = self.label(self.from_there(last, i))
        return self.label(f"{self.name(first)}_{self.time(first)}") + self.signs.ellipsis + here

    def from_there(self, x: int, i: int) -> str:
        """What node x is called at node i: h_t, h_t-1, h_4 outside of time or from another stretch."""
        timeline = self.timeline
        x = self.shown(x)
        if timeline.role[x] == NUMBER:
            return ""
        if timeline.role[x] in (BADGE, MEMORY):
            labels = self.scene.badges.labels
            return spoken(labels[x]) if x in labels else shape_text(timeline.nodes[x])
        state = self.rows.taken_up(x, i) if x in timeline.inputs[i] else None
        row = self.rows.stretch_of(state).rows.get(state) if state is not None else None
        if row is not None:
            return f"{self.name(row.node)}_t{'+' if state in self.rows.backward else '-'}1"
        name, t = self.name(x), self.time(x)
        there, here = timeline.column[x], timeline.column[i]
        scopes = self.scopes[timeline.stretch[there] if there is not None else len(self.rows.stretches) - 1, name]
        scope = timeline.nodes[x].scope.rpartition("/")[2]
        if len(scopes) > 1 and scope and timeline.nodes[x].scope != timeline.nodes[i].scope:
            name = f"{cut(scope, CELL)}/{name}"
        name = name if len(name) <= SHORT + 2 else cut(name, SHORT)
        if t is None or x not in self.rows.row:
            return name if t is None else f"{name}_{t}"
        if there is None or here is None or timeline.stretch[there] != timeline.stretch[here]:
            return f"{name}_{t}"
        distance = t - timeline.steps[here]
        return f"{name}_t{distance:+d}" if distance else f"{name}_t"

    def shown(self, x: int) -> int:
        """The node that is drawn for node x, or that it is only a part or another shape of."""
        timeline = self.timeline
        x = drawn(timeline, x)
        while timeline.role[x] == HIDDEN and not timeline.stems[x] and len(timeline.taken[x]) == 1:
            x = drawn(timeline, timeline.taken[x][0])
        return x

    def weight(self, i: int) -> str:
        """A shared weight: its name, its shape, how large its gradient is."""
        labels, node = self.scene.badges.labels, self.timeline.nodes[i]
        name = self.signs.label(labels[i]) if i in labels else ""
        if node.scope and sum(labels.get(other) == labels.get(i) for other in self.scene.badges.shown) > 1:
            name = f"{self.signs.text(node.scope)}/{name}"
        value = self.scene.magnitudes[i] if self.scene.magnitudes else None
        said = [name, self.signs.text(shape_text(node)), "" if value is None else self.sign(value)]
        if value and math.isfinite(value):
            said.append(number(float(f"{value:.2g}")))
        return " ".join(part for part in said if part)
