"""A record read as the textbook draws a recurrent cell: gates, pointwise operations, and lines that join.

    gate        an activation of something linear in weights, σ(W·[h, x] + b): the linear part is drawn as part of it
    product     a product with weights that several gates share, which stands on the line to them
    linear      what is linear in weights and meets no activation, such as U_n h of a GRU
    pointwise   × + − 1− tanh without weights
    joint       where lines merge: [h, x]
    other       what else lies on a state's way through a step

A *cell* is what a state passes on its way through a step, with the gates that lead to nothing else.  What lies outside
of the cells is contracted to modules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..reading.columns import BADGE, BEFORE, HIDDEN, NUMBER, STEP, Timeline
from ..reading.contraction import contract, dissolve, users_of
from ..reading.cycles import strong_components
from ..reading.levels import (
    forget_memories,
    head_units,
    hide_memories,
    merge_units,
    named_homes,
    same_stretch,
    scope_units,
)
from ..reading.lines import Key
from ..reading.memories import MOVING

GATE, PRODUCT, LINEAR, POINTWISE, JOINT, OTHER = "gate", "product", "linear", "pointwise", "joint", "other"
ACTIVATIONS = {"sigmoid", "tanh", "relu", "leaky_relu", "silu", "softplus", "gelu", "softmax", "log_softmax"}
ELEMENTWISE = {
    "add", "sub", "mul", "div", "neg", "pow", "power", "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "abs",
    "sign", "maximum", "minimum", "clip", "where", "masked_fill", "clip_gradient", "cut", "dropout", *ACTIVATIONS,
} - {"softmax", "log_softmax"}  # fmt: skip
PRODUCTS = {"matmul", "affine", "einsum"}
PASSING = (MOVING - {"concat", "stack"}) | {"cast", "dropout", "layer_norm", "clip_gradient"}  # before an activation
MOST_JOINED = 3  # lines that meet in one point


@dataclass
class Parts:
    """What the nodes of a record are to the textbook."""

    kinds: dict[int, str] = field(default_factory=dict)  # of the nodes in cells, and of joints outside of them
    cells: dict[int, int] = field(default_factory=dict)  # node → its cell
    joined: dict[int, list[int]] = field(default_factory=dict)  # gate → what joins before it, to meet its weights
    renewed: dict[int, int] = field(default_factory=dict)  # in a lone step: old value of a state → new value


def textbook_parts(timeline: Timeline) -> Parts:
    """Read the cells of a record, and draw the rest as modules.  To be called before the columns list their members."""
    renewed = lone_states(timeline)
    cells = read_cells(timeline, renewed)
    parts = read_gates(timeline, cells)
    parts.renewed = renewed
    dissolve_moving(timeline, parts)
    contract_rest(timeline, parts)
    add_joints(timeline, parts)
    return parts


def op_of(timeline: Timeline, i: int) -> str:
    """The name of a node's op; none of a leaf."""
    op = timeline.nodes[i].op
    return op.name if op else ""


def drawn_inputs(timeline: Timeline, i: int) -> list[int]:
    """The inputs of a node that are no badges and no numbers, each once."""
    return [x for x in dict.fromkeys(timeline.inputs[i]) if timeline.role[x] not in (BADGE, NUMBER, HIDDEN)]


# ---- cells ----


def lone_states(timeline: Timeline) -> dict[int, int]:
    """States where there is a single step, known by their names: h is given, and h is made.  Old value → new value."""
    lone = {columns[0] for columns in timeline.stretches if len(columns) == 1}
    made: dict[tuple[int | None, str], int] = {}
    for i, stem in enumerate(timeline.stems):
        if stem and timeline.column[i] in lone and timeline.role[i] == STEP and timeline.nodes[i].op is not None:
            made[timeline.column[i], stem] = i
    found = {}
    for i, xs in enumerate(timeline.inputs if made else []):
        for x in xs:
            new = made.get((timeline.column[i], timeline.stems[x]))
            if new is not None and new > i and timeline.nodes[x].op is None:
                found[x] = new
                timeline.role[x], timeline.column[x] = BEFORE, None
    return found


def read_cells(timeline: Timeline, renewed: Mapping[int, int]) -> dict[int, int]:
    """The number of its cell for each node that a state passes in a step, and for what leads only to such."""
    lines = timeline.lines
    edges: dict[tuple[Key, Key], None] = {}
    for i, xs in enumerate(timeline.inputs):
        for x in xs:
            if x in renewed and timeline.role[i] == STEP:
                edges[lines[renewed[x]], lines[i]] = None
            elif timeline.role[i] == timeline.role[x] == STEP and same_stretch(timeline, i, x):
                edges[lines[x], lines[i]] = None
    found: dict[Key, int] = {}
    nodes = list(dict.fromkeys(key for pair in edges for key in pair))
    for n, component in enumerate(strong_components(nodes, list(edges))):
        summing = all(key[0] == "add" for key in component)  # a running sum is no cell
        if not summing and (len(component) > 1 or (component[0], component[0]) in edges):
            found.update(dict.fromkeys(component, n))
    cells = {i: found[key] for i, key in enumerate(lines) if timeline.role[i] == STEP and key in found}
    add_feeders(timeline, cells)
    add_outputs(timeline, cells)
    return cells


def add_feeders(timeline: Timeline, cells: dict[int, int]) -> None:
    """What leads to nothing but a cell, in its scope, belongs to it: a gate that looks at the input alone."""
    users = users_of(timeline)
    for i in reversed(range(len(timeline.nodes))):
        if i not in cells and timeline.role[i] == STEP and timeline.nodes[i].op is not None and users[i]:
            add_to_cell(timeline, cells, i, users[i])


def add_outputs(timeline: Timeline, cells: dict[int, int]) -> None:
    """What is made pointwise of nothing but a cell, in its scope, belongs to it: o * tanh(C), not fed back."""
    for i in range(len(timeline.nodes)):
        drawn = drawn_inputs(timeline, i)
        scoped = timeline.role[i] == STEP and timeline.nodes[i].scope
        if i not in cells and scoped and drawn and op_of(timeline, i) in ELEMENTWISE:
            add_to_cell(timeline, cells, i, drawn)


def add_to_cell(timeline: Timeline, cells: dict[int, int], i: int, others: list[int]) -> None:
    """Let a node belong to a cell if all of the others do, at its step and in its scope."""
    column, nodes = timeline.column, timeline.nodes
    homes = {cells.get(other) for other in others}
    alike = all(column[other] == column[i] and nodes[other].scope == nodes[i].scope for other in others)
    if alike and len(homes) == 1 and (home := homes.pop()) is not None:
        cells[i] = home


# ---- gates ----


def read_gates(timeline: Timeline, cells: dict[int, int]) -> Parts:
    """Find the gates, and draw the linear parts of each as part of it."""
    linear, roots, absorbed = is_linear(timeline), set[int](), set[int]()
    users = users_of(timeline)
    for i in sorted(cells, reverse=True):
        made = [x for x in drawn_inputs(timeline, i) if timeline.column[x] == timeline.column[i]]
        if op_of(timeline, i) in ACTIVATIONS and any(linear[x] for x in made):
            roots.add(i)
        elif linear[i]:
            taken = all(u in roots | absorbed and timeline.column[u] == timeline.column[i] for u in users[i])
            (absorbed if users[i] and taken else roots).add(i)
    shared = {i for i in absorbed if len(users[i]) > 1 and multiplies(timeline, i, absorbed)}
    absorbed -= shared
    roots |= shared
    parts = Parts()
    for i in sorted(cells):
        if i in roots:
            parts.joined[i] = joined_before(timeline, i, absorbed)
        if i not in absorbed:
            parts.kinds[i] = PRODUCT if i in shared else kind_of(timeline, i, roots)
            parts.cells[i] = cells[i]
    dissolve(timeline, absorbed)
    gated = {home for i, home in parts.cells.items() if parts.kinds[i] in (GATE, LINEAR)}
    for i in list(parts.kinds):  # an embedding is no part of the cell that it feeds
        if parts.cells[i] not in gated or not drawn_inputs(timeline, i):
            del parts.kinds[i], parts.cells[i]
    return parts


def is_linear(timeline: Timeline) -> list[bool]:
    """For each node whether it is linear in weights: a product with one, and sums and slices of such."""
    linear = [False] * len(timeline.nodes)
    for i, xs in enumerate(timeline.inputs):
        if timeline.role[i] != STEP:
            continue
        op, drawn = op_of(timeline, i), drawn_inputs(timeline, i)
        inner = any(linear[x] and timeline.column[x] == timeline.column[i] for x in drawn)
        if op in PRODUCTS or op == "mul":
            weights = any(timeline.role[x] == BADGE for x in xs)
            linear[i] = len(drawn) == 1 and (weights or (op == "mul" and inner))
        elif op in ("add", "sub") or op in PASSING:
            linear[i] = inner
    return linear


def multiplies(timeline: Timeline, i: int, absorbed: Collection[int]) -> bool:
    """Whether a node is, or takes up, a product with weights."""
    waiting = [i]
    while waiting:
        at = waiting.pop()
        if op_of(timeline, at) in PRODUCTS:
            return True
        waiting += [x for x in drawn_inputs(timeline, at) if x in absorbed]
    return False


def joined_before(timeline: Timeline, root: int, absorbed: Collection[int]) -> list[int]:
    """What a gate takes through products with weights: drawn as lines that merge before it."""
    found: dict[int, None] = {}
    waiting = [(root, False)]
    while waiting:
        i, weighted = waiting.pop()
        weighted |= op_of(timeline, i) in PRODUCTS
        for x in drawn_inputs(timeline, i):
            if x in absorbed:
                waiting.append((x, weighted))
            elif weighted:
                found[x] = None
    return sorted(found)


def kind_of(timeline: Timeline, i: int, roots: Collection[int]) -> str:
    """What a node of a cell is."""
    op, drawn = op_of(timeline, i), drawn_inputs(timeline, i)
    if i in roots:
        return GATE if op in ACTIVATIONS else LINEAR
    if op in ("concat", "stack") and 1 < len(drawn) <= MOST_JOINED:
        return JOINT
    return POINTWISE if op in ELEMENTWISE and len(drawn) <= 2 else OTHER


# ---- the rest ----


def dissolve_moving(timeline: Timeline, parts: Parts) -> None:
    """Leave out of the cells what only moves elements about and has no name."""
    users, gone = users_of(timeline), set[int]()
    for i, kind in parts.kinds.items():
        moving = op_of(timeline, i) in MOVING and kind == OTHER and len(timeline.inputs[i]) == 1
        if moving and not timeline.stems[i] and all(timeline.column[u] == timeline.column[i] for u in users[i]):
            gone.add(i)
    dissolve(timeline, gone)
    for i in gone:
        del parts.kinds[i], parts.cells[i]
    for i, sources in parts.joined.items():
        kept = [y for x in sources for y in (timeline.inputs[x] if x in gone else [x])]
        parts.joined[i] = [x for x in dict.fromkeys(kept) if x in timeline.inputs[i]]


def contract_rest(timeline: Timeline, parts: Parts) -> None:
    """Draw what lies outside of the cells as modules."""
    hide_memories(timeline, parts.kinds)
    home = named_homes(timeline, parts.kinds)
    home.update({i: i for i, to in home.items() if to in parts.kinds})
    units = head_units(timeline, parts.kinds)
    units.update(scope_units(timeline, parts.kinds, "modules", ()))
    merge_units(timeline, home, units)
    contract(timeline, home)
    forget_memories(timeline, parts.kinds)


def add_joints(timeline: Timeline, parts: Parts) -> None:
    """Lines merge outside of the cells too."""
    for i, role in enumerate(timeline.role):
        if role == STEP and i not in parts.kinds and i not in timeline.parts and not timeline.stems[i]:
            if kind_of(timeline, i, ()) == JOINT and drawn_inputs(timeline, i) == timeline.inputs[i]:
                parts.kinds[i] = JOINT
