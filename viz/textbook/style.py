"""The style of the textbook's figure: cell boxes, gates, pointwise circles, and the state on its conveyor.

After Christopher Olah, "Understanding LSTM Networks" (2015).  Everything is read from the record, nothing is known of
the model: `textbook_parts` finds the gates, `textbook_plan` lays a step out, `textbook_dress` gives a column its looks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..layout.graphviz_program import Size
from ..pictures.courses import moved
from ..pictures.labels import Label, plain, shorten, symbol
from ..pictures.palette import BROKEN, PLAIN, QUIET, STRONG, ink_on
from ..pictures.picture import Box, Curve, Panel, Part, Text
from ..reading.columns import STEP
from ..reading.lines import Key
from ..reading.templates import Template
from ..unrolled.edges import goes_on, neighbour
from ..unrolled.scene import Scene
from .faces import CIRCLE, DOT, in_colours, pill_width, textbook_face
from .layout import Sketch, TextbookPlan, place_textbook
from .parts import JOINT, PRODUCT, Parts, textbook_parts

__all__ = ["Parts", "TextbookPlan", "textbook_dress", "textbook_face", "textbook_parts", "textbook_plan"]

LINE: dict[str, Any] = {"stroke": STRONG, "width": 1.5}  # how the wires of the figure look
EDGE, NAME = 16.0, 30.0  # how far from the edge of a column the name of a state begins, and how wide it may be
Item = TypeVar("Item", bound=Hashable)


def textbook_plan(scene: Scene, template: Template, sizes: Mapping[Key, Size], parts: Parts) -> TextbookPlan | None:
    """The plan of a template in textbook style; None where there is no cell in it, or one too large to be read so."""
    add_states(scene, template, parts)
    return place_textbook(template, sizes, sketch_of(scene, template, parts))


def add_states(scene: Scene, template: Template, parts: Parts) -> None:
    """Let a template have the states that all its steps hand on, those that are not shown too."""
    timeline, keys = scene.timeline, scene.keys
    for i, b in keys.items():
        here = timeline.column[i]
        for position, x in enumerate(timeline.inputs[i]):
            old = parts.renewed.get(x, x)
            beside = timeline.role[x] == STEP and here is not None and neighbour(scene, x, here)
            a = keys.get(old)
            if a is not None and (beside or x in parts.renewed) and a in template.keys and b in template.keys:
                back = (timeline.column[old] or 0) > (here or 0)
                (template.returning if back else template.arriving)[a, b] = None
                (template.going_back if back else template.leaving)[a] = None
                scene.slots.setdefault((b, position), a)


def sketch_of(scene: Scene, template: Template, parts: Parts) -> Sketch:
    """What the nodes of a template are, by key."""
    kinds, cells, outputs = dict[Key, str](), dict[Key, int](), dict[Key, float]()
    joined: dict[Key, set[frozenset[Key]]] = defaultdict(set)
    columns: dict[Key, set[int]] = defaultdict(set)
    for c in template.columns:
        for i in scene.timeline.members[c]:
            key = scene.keys[i]
            columns[key].add(c)
            if i in parts.kinds:
                kinds[key] = parts.kinds[i]
                before = [known_as(scene, i, x) for x in parts.joined.get(i, ())]
                joined[key].add(frozenset(source for source in before if source is not None))
            if i in parts.cells:
                cells[key] = parts.cells[i]
                if scene.timeline.stems[i]:
                    outputs[key] = max(outputs.get(key, 0.0), pill_width(called(scene, i)))
    return Sketch(kinds, cells, frozen(joined), outputs, frozen(columns))


def known_as(scene: Scene, i: int, x: int) -> Key | None:
    """What the input x of node i is in a template: its key, or the state whose first value it is."""
    return scene.keys.get(x) or scene.slots.get((scene.keys[i], scene.timeline.inputs[i].index(x)))


def frozen(sets: Mapping[Key, set[Item]]) -> dict[Key, frozenset[Item]]:
    """The sets as they are now."""
    return {key: frozenset(items) for key, items in sets.items()}


def called(scene: Scene, i: int) -> Label:
    """The name of a node, with its step."""
    return symbol(scene.timeline.stems[i], scene.time_of(i))


def textbook_dress(scene: Scene, c: int, column: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """The cells of column c, which lie under all else, and its parts as the textbook has them."""
    plan = scene.plans[c]
    if not isinstance(plan, TextbookPlan):
        return [], list(column)
    bare = {scene.id_of(i) for i in scene.timeline.members[c] if scene.face(i).kind in (JOINT, PRODUCT)}
    lines, rest = list[Part](), list[Part]()
    for part in column:
        if isinstance(part, Curve):
            lines.append(drawn_line(scene, part, bare))
        else:
            rest.append(in_colours(part) if isinstance(part, Box) and scene.scale is None else part)
    nodes = {scene.keys[i]: i for i in scene.timeline.members[c]}
    dx, dy = scene.left[c], scene.top[c]
    return cell_boxes(scene, plan, nodes, dx, dy), [
        *lines, *rest, *merges(plan, dx, dy), *circles(scene, plan, nodes, dx, dy),
        *state_names(scene, plan, nodes, dx, dy),
    ]  # fmt: skip


def drawn_line(scene: Scene, line: Curve, bare: Iterable[str] = ()) -> Curve:
    """A line as strong as all others of the figure; where lines merge there is no arrow."""
    line = replace(line, arrow=line.arrow and line.ends[1] not in bare)
    return replace(line, **LINE) if scene.scale is None else line


def cell_boxes(scene: Scene, plan: TextbookPlan, nodes: Mapping[Key, int], dx: float, dy: float) -> list[Part]:
    """The cells, with the names of their scopes where there are several."""
    parts: list[Part] = []
    for cell in plan.cells:
        scope = next((scene.timeline.nodes[nodes[key]].scope for key in cell.keys if key in nodes), "")
        at = cell.left + dx, cell.top + dy
        parts.append(Panel(*at, cell.width, cell.height, "cell", "cell-edge", 14, kind="cell-box", title=scope))
        if scope and len(plan.cells) > 1:
            said = plain(shorten(scope.rpartition("/")[2], cell.width / 2, 10))
            x, anchor = (at[0] + cell.width - 10, "end") if cell.reverse else (at[0] + 10, "start")
            parts.append(Text(x, at[1] + 14, said, 10, QUIET, anchor, kind="scope-name"))
    return parts


def merges(plan: TextbookPlan, dx: float, dy: float) -> list[Part]:
    """The dots where lines merge that are no nodes."""
    looks: dict[str, Any] = {"radius": DOT / 2, "kind": "merge"}
    return [Panel(x + dx - DOT / 2, y + dy - DOT / 2, DOT, DOT, STRONG, **looks) for x, y in plan.merges]


def circles(scene: Scene, plan: TextbookPlan, nodes: Mapping[Key, int], dx: float, dy: float) -> list[Part]:
    """The outputs above their cells."""
    parts: list[Part] = []
    for key, (x, y) in plan.outputs.items():
        if key not in nodes:
            continue
        i = nodes[key]
        magnitude = scene.magnitudes[i] if scene.magnitudes else None
        fill = scene.scale.fill(magnitude) if scene.scale else "output"
        hatched, label = fill == BROKEN, called(scene, i)
        width, top = pill_width(label), y + dy - CIRCLE / 2
        looks: dict[str, Any] = {"radius": CIRCLE / 2, "hatched": hatched, "kind": "output", "title": scene.name(i)}
        parts.append(drawn_line(scene, scene.curve(moved(plan.stems[key], dx, dy), i, None)))
        parts.append(Panel(x + dx - width / 2, top, width, CIRCLE, fill, "output-edge", **looks))
        parts.append(Text(x + dx, y + dy + 5, label, 14, ink_on(PLAIN if hatched else fill)))
    return parts


def state_names(scene: Scene, plan: TextbookPlan, nodes: Mapping[Key, int], dx: float, dy: float) -> list[Part]:
    """The names of states over the lines on which they leave."""
    parts: list[Part] = []
    for key, height in plan.lanes.items():
        i = nodes.get(key)
        if i is not None and key in plan.exits and scene.timeline.stems[i] and goes_on(scene, i):
            label = symbol(shorten(scene.timeline.stems[i], NAME, 12), scene.time_of(i))
            x, anchor = (EDGE, "end") if key in plan.backward else (plan.width - EDGE, "start")
            parts.append(Text(x + dx, dy + height - 6, label, 12, anchor=anchor, kind="state"))
    return parts
