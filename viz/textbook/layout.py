"""A step as the textbook draws it: cells with their conveyors, inputs below, outputs above, all ways at right angles.

Cells are laid out on their own, each in a band of the column across its whole width, so that states run level through
it.  What lies between, below and above them stands in rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..layout.belts import Plan
from ..layout.graphviz_program import Size
from ..pictures.courses import Course
from ..pictures.picture import Point
from ..reading.cycles import descendants
from ..reading.lines import Key
from ..reading.templates import Template
from .block import Block, lay_block
from .cell import FROM_BELOW, FROM_LEFT, MERGE, STATE_BELOW, TO_ABOVE, TO_RIGHT, Cell, End, Part, along
from .column import Column
from .faces import CIRCLE, DOT
from .ground import Ground
from .parts import JOINT
from .rows import Placed
from .wires import rounded


@dataclass(frozen=True)
class Sketch:
    """What the nodes of a template are to the textbook."""

    kinds: Mapping[Key, str]
    cells: Mapping[Key, int]
    joined: Mapping[Key, frozenset[frozenset[Key]]]  # what joins before each gate, at any of its steps
    outputs: Mapping[Key, float]  # how wide the name is of what may be an output
    columns: Mapping[Key, frozenset[int]]  # where each node is


@dataclass
class TextbookPlan(Plan):
    """A plan with cells, circles of outputs and places where lines merge."""

    cells: list[Placed] = field(default_factory=list)
    outputs: dict[Key, Point] = field(default_factory=dict)  # node → the circle of its value above the cell
    stems: dict[Key, Course] = field(default_factory=dict)  # from the node to that circle
    merges: list[Point] = field(default_factory=list)


def place_textbook(template: Template, sizes: Mapping[Key, Size], sketch: Sketch) -> TextbookPlan | None:
    """The plan of one template in textbook style; None where it has no cell, or one with too many wires to draw."""
    twins = stand_ins(template, sketch)
    whole, template, sizes = template, without(template, twins), merged_sizes(sizes, twins)
    placed = []
    for members in cells_in_order(template, sketch):
        made = place_cell(template, sizes, sketch, members)
        if made is None:
            return None
        placed.append(made)
    breadths: dict[Part, Size] = {}
    for key, size in sizes.items():
        breadths[key] = size
    for p in placed:
        if p.output is not None:
            breadths[End(TO_ABOVE, p.output)] = max(CIRCLE, sketch.outputs[p.output]), CIRCLE
    joints = {key for key, kind in sketch.kinds.items() if kind == JOINT}
    for tracks in (1, 2, 4, 8) if placed else ():
        column = Column(template, Ground(template, breadths, joints, placed, tracks))
        if column.wire():
            return finished(whole, sizes, column, twins)
    return None


def stand_ins(template: Template, sketch: Sketch) -> dict[Key, tuple[Key, Key]]:
    """What is given at some steps in place of lines that merge at the others: the first [h, x], made of constants.

    For each its like among what merges, which stands at the same place, and the place where that merges.
    """
    found: dict[Key, tuple[Key, Key]] = {}
    for key in template.keys:
        users = [b for a, b in template.edges if a == key]
        if any(b == key for _, b in template.edges) or not users or key in sketch.cells:
            continue
        joints = [j for j in template.keys if sketch.kinds.get(j) == JOINT and j in sketch.cells]
        for joint in joints:
            if all((joint, b) in template.edges for b in users) and not here(sketch, key) & here(sketch, joint):
                inputs = [a for a, b in template.edges if b == joint and a not in sketch.cells]
                like = [a for a in inputs if not here(sketch, a) & here(sketch, key)]
                if like:
                    found[key] = like[0], joint
    return found


def here(sketch: Sketch, key: Key) -> frozenset[int]:
    """The columns where a node is."""
    return sketch.columns.get(key, frozenset())


def without(template: Template, twins: Mapping[Key, object]) -> Template:
    """A template without some of its nodes."""
    if not twins:
        return template
    kept = dict(vars(template))
    kept["keys"] = dict.fromkeys(key for key in template.keys if key not in twins)
    kept["edges"] = dict.fromkeys((a, b) for a, b in template.edges if a not in twins)
    return Template(**kept)


def merged_sizes(sizes: Mapping[Key, Size], twins: Mapping[Key, tuple[Key, Key]]) -> dict[Key, Size]:
    """Sizes with room for what stands at a place at other steps."""
    room = dict(sizes)
    for key, (like, _) in twins.items():
        room[like] = max(room[like][0], sizes[key][0]), max(room[like][1], sizes[key][1])
    return room


def cells_in_order(template: Template, sketch: Sketch) -> list[set[Key]]:
    """The nodes of each cell, a cell before those that it feeds."""
    members: dict[int, set[Key]] = defaultdict(set)
    for key in template.keys:
        if key in sketch.cells:
            members[sketch.cells[key]].add(key)
    reach = descendants(list(template.keys), list(template.edges))
    waiting, ordered = list(members.values()), list[set[Key]]()
    while waiting:
        free = next(
            (m for m in waiting if not any(o is not m and any(reach[k] & m for k in o) for o in waiting)), waiting[0]
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered


def place_cell(template: Template, sizes: dict[Key, Size], sketch: Sketch, members: set[Key]) -> Placed | None:
    """One cell of a template, laid out; None where it has too many wires."""
    keys = along([key for key in template.keys if key in members], template.edges)
    forth = [(a, b) for a, b in template.arriving if a in members and b in members]
    back = [(a, b) for a, b in template.returning if a in members and b in members]
    reverse = len(back) > len(forth)
    carried = back if reverse else forth
    leaving = [key for key in keys if key in (template.going_back if reverse else template.leaving)]
    taken: dict[Key, list[Part]] = defaultdict(list)
    for a, b in template.edges:
        taken[b].append(a if a in members else End(FROM_BELOW, a))
    for a, b in [*template.arriving, *template.returning]:
        taken[b].append(End(FROM_LEFT if (a, b) in carried else STATE_BELOW, a))
    kinds: dict[Part, str] = {}
    edges: list[tuple[Part, Part]] = []
    merges: dict[frozenset[Part], End] = {}
    for key in keys:
        left = dict.fromkeys(taken[key])
        for together in sorted(sketch.joined.get(key, ()), key=len, reverse=True):
            joined = frozenset(s for s in left if key_of(s) in together)
            if len(joined) > 1:
                if joined not in merges:
                    merges[joined] = End(MERGE, (len(merges),))
                    kinds[merges[joined]] = JOINT
                    edges += [(s, merges[joined]) for s in left if s in joined]
                edges.append((merges[joined], key))
                left = dict.fromkeys(s for s in left if s not in joined)
        kinds[key] = sketch.kinds[key]
        edges += [(s, key) for s in left]
    rising = [a for a in keys if any(a == x and b not in members for x, b in template.edges)]
    output = output_of(rising, leaving, sketch)
    edges += [(key, End(TO_RIGHT, key)) for key in leaving]
    edges += [(key, End(TO_ABOVE, key)) for key in dict.fromkeys([output, *rising]) if key is not None]
    own: dict[Part, Size] = {**dict.fromkeys(merges.values(), (DOT, DOT)), **{key: sizes[key] for key in keys}}
    block = lay_block(Cell(kinds, own, list(dict.fromkeys(edges)), carried, leaving))
    if block is None:
        return None
    return Placed(keys, output, carried, leaving, reverse, mirrored(block) if reverse else block)


def output_of(rising: list[Key], leaving: list[Key], sketch: Sketch) -> Key | None:
    """What is shown as a circle above a cell: the last that is named of what is used above, of states first."""
    for candidates in ([key for key in rising if key in leaving], rising or leaving):
        named = [key for key in candidates if key in sketch.outputs]
        if named:
            return named[-1]
    return None


def key_of(part: Part) -> Key:
    """The node that a wire comes from."""
    return part.key if isinstance(part, End) else part


def mirrored(block: Block) -> Block:
    """The same with left and right exchanged, for states that run back in time."""
    flipped = Block(block.width, block.height)
    flipped.centres = {part: (block.width - x, y) for part, (x, y) in block.centres.items()}
    for pair, points in block.ways.items():
        flipped.ways[pair] = [(block.width - x, y) for x, y in points]
    return flipped


def finished(
    template: Template, sizes: dict[Key, Size], column: Column, twins: Mapping[Key, tuple[Key, Key]]
) -> TextbookPlan:
    """The plan of a column whose wires are laid."""
    plan = TextbookPlan(column.ground.width, column.height, sizes=sizes, lanes=column.lanes, backward=column.backward)
    plan.centres = {key: at for key, at in column.centres.items() if not isinstance(key, End)}
    plan.cells = list(column.ground.cells)
    for cell in plan.cells:
        centres = {part: (cell.left + x, cell.top + y) for part, (x, y) in cell.block.centres.items()}
        plan.centres.update({key: centres[key] for key in cell.keys})
        plan.merges += [at for part, at in centres.items() if isinstance(part, End)]
        if cell.output is not None:
            circle = End(TO_ABOVE, cell.output)
            x, y = plan.outputs[cell.output] = column.centres[circle]
            plan.heads[cell.output] = x, y - CIRCLE / 2
            plan.stems[cell.output] = rounded([*cell.inner(cell.output, circle), (x, y + CIRCLE / 2)])
    plan.centres.update({key: plan.centres[like] for key, (like, _) in twins.items()})
    for a, b in template.edges:
        if a in twins:
            like, joint = twins[a]
            way = [*column.whole(like, joint)[:-1], plan.centres[joint], *column.whole(joint, b)[1:]]
        else:
            way = column.whole(a, b)
        plan.courses[a, b] = rounded(way, plan.merges)
    for a, b in [*template.arriving, *template.returning]:
        if a in column.lanes:
            plan.entries[a, b] = rounded(column.entry(a, b), plan.merges)
    for key in [*template.leaving, *template.going_back]:
        plan.exits[key] = rounded(column.exit(key))
    return plan
