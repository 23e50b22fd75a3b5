"""Levels of detail: ops, modules, steps.

    ops        every node that is recorded
    modules    one box for each thing that has a name, with the formula of what leads to it; a scope that no state runs
               through is one box
    steps      one box for each cell: what a state passes on its way through a step

A level is a contraction of the record, the same at every step, found from names, scopes and carried states.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from .columns import BETWEEN, HIDDEN, STEP, Timeline
from .contraction import contract, dissolve, users_of
from .cycles import strong_components
from .lines import Key
from .looks import read_looks
from .memories import is_moving

LEVELS = ("steps", "modules", "ops")


def apply_level(
    timeline: Timeline, level: str, opened: Collection[str] = (), closed: Collection[str] = ()
) -> None:
    """Contract what a level of detail leaves out.

    opened: scopes that are shown with all their ops, whatever the level.  closed: scopes that are one box each.
    """
    if level == "ops" and not closed:
        return
    shown = {i for i in range(len(timeline.nodes)) if within(timeline.nodes[i].scope, opened)}
    if level != "ops":
        hide_memories(timeline, shown)
    home = named_homes(timeline, shown) if level != "ops" else {}
    units = head_units(timeline, shown) if level != "ops" else {}
    units.update(scope_units(timeline, shown, level, closed))
    if level == "steps":
        units.update(cell_units(timeline, home, shown))
    merge_units(timeline, home, units)
    contract(timeline, home)
    if level != "ops":
        forget_memories(timeline, shown)


def hide_memories(timeline: Timeline, shown: Collection[int]) -> None:
    """Leave out what only keeps rows for attention, which has lines of its own: stacks, slices, transpositions."""
    labels = timeline.memories.labels
    if not timeline.memories.attending():
        return
    for i in list(timeline.stands):
        if i in labels:
            del timeline.stands[i]
            if timeline.role[i] == BETWEEN:
                timeline.role[i] = HIDDEN
    sliced = {
        i
        for i in labels
        if timeline.role[i] == STEP and i not in shown and i not in timeline.memories.picks
        if is_moving(timeline.nodes[i])
    }
    for i in sliced:
        if len({timeline.column[x] for x in timeline.inputs[i]}) > 1:
            timeline.inputs[i] = []  # what is joined from many steps: the lines show these
    dissolve(timeline, sliced)


def forget_memories(timeline: Timeline, shown: Collection[int]) -> None:
    """Where lines say what is looked at, say it only once: no badge of the memory beside them."""
    labels, heads = timeline.memories.labels, {look.target for look in read_looks(timeline)}
    for i in heads | timeline.memories.picks.keys():
        if i not in shown and heads:
            timeline.inputs[i] = [x for x in timeline.inputs[i] if x not in labels or timeline.column[x] is not None]


def head_units(timeline: Timeline, shown: Collection[int]) -> dict[int, object]:
    """For each node that weighs and adds up what is looked at the attention that it is part of."""
    found: dict[int, object] = {}
    for look in read_looks(timeline):
        c = timeline.column[look.target]
        ahead = [look.target]
        while ahead:
            i = ahead.pop()
            found[i] = ("head", c, look.target, "attention")
            for x in timeline.inputs[i]:
                inside = x in timeline.memories.labels and timeline.column[x] == c and timeline.role[x] == STEP
                if inside and x not in found and x not in look.sources:
                    ahead.append(x)
    return {i: unit for i, unit in found.items() if i not in shown}


def within(scope: str, names: Collection[str]) -> bool:
    """Whether a scope is one of the named ones, or inside one; a name is a path or its last part."""
    parts = scope.split("/")
    return any(name and (name in parts or f"/{scope}/".find(f"/{name}/") >= 0) for name in names)


def named_homes(timeline: Timeline, shown: Collection[int]) -> dict[int, int]:
    """For each node of a step the named one that it only leads to, in its own scope and step; else itself."""
    users = users_of(timeline)
    home: dict[int, int] = {}
    for i in reversed(range(len(timeline.nodes))):
        if timeline.role[i] != STEP:
            continue
        node, home[i] = timeline.nodes[i], i
        if timeline.stems[i] or node.op is None or i in shown:
            continue
        homes = {home.get(user) for user in users[i]}
        if len(homes) == 1:
            (one,) = homes
            together = one is not None and timeline.column[one] == timeline.column[i]
            if one is not None and together and timeline.nodes[one].scope == node.scope:
                home[i] = one
    return home


def cell_units(timeline: Timeline, home: dict[int, int], shown: Collection[int]) -> dict[int, object]:
    """For each node on a cycle through time the cell that it belongs to."""
    lines = timeline.lines
    edges: dict[tuple[Key, Key], None] = {}
    for i, xs in enumerate(timeline.inputs):
        for x in xs:
            if timeline.role[i] == timeline.role[x] == STEP and home[x] != home[i] and same_stretch(timeline, i, x):
                edges[lines[home[x]], lines[home[i]]] = None
    nodes = list(dict.fromkeys(key for pair in edges for key in pair))
    cell: dict[Key, int] = {}
    loops = {a for a, b in edges if a == b}
    for n, component in enumerate(strong_components(nodes, list(edges))):
        if len(component) > 1 or component[0] in loops:
            cell.update(dict.fromkeys(component, n))
    found: dict[int, object] = {}
    for i, to in home.items():
        if lines[to] in cell and i not in shown:
            found[i] = ("cell", timeline.column[i], cell[lines[to]], timeline.nodes[to].scope)
    return found


def same_stretch(timeline: Timeline, i: int, x: int) -> bool:
    """Whether two nodes stand in one stretch of time."""
    c, d = timeline.column[i], timeline.column[x]
    return c is not None and d is not None and timeline.stretch[c] == timeline.stretch[d]


def scope_units(
    timeline: Timeline, shown: Collection[int], level: str, closed: Collection[str]
) -> dict[int, object]:
    """For each node inside of a scope that is one box, that box."""
    crossed = Counter[str]()  # scopes that a state runs through
    for i, xs in enumerate(timeline.inputs):
        for x in xs:
            c, d = timeline.column[i], timeline.column[x]
            if timeline.role[i] == timeline.role[x] == STEP and c != d and same_stretch(timeline, i, x):
                for node in (timeline.nodes[i], timeline.nodes[x]):
                    crossed.update(prefixes(node.scope))
    found: dict[int, object] = {}
    for i, node in enumerate(timeline.nodes):
        if timeline.role[i] != STEP or i in shown or not node.scope or node.op is None:
            continue
        boxes = [path for path in prefixes(node.scope) if path.rpartition("/")[2] in closed or path in closed]
        if level != "ops" and not boxes:
            boxes = [path for path in prefixes(node.scope) if not crossed[path]]
        if boxes:
            found[i] = ("scope", timeline.column[i], boxes[0])
    return found


def prefixes(scope: str) -> list[str]:
    """A scope and those around it, the outermost first."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def merge_units(timeline: Timeline, home: dict[int, int], units: dict[int, object]) -> None:
    """Let the last node of each unit stand for the whole, unless that would send an edge into what it came from."""
    users = users_of(timeline)
    for i in (i for i, role in enumerate(timeline.role) if role == STEP):
        home.setdefault(i, i)
    for i in sorted(home, reverse=True):  # what belongs to a unit does not belong to a name outside of it
        if i in units:
            home[i] = home[i] if units.get(home[i]) == units[i] else i
        elif home[i] != i:
            homes = {home.get(user, user) for user in users[i]}
            home[i] = homes.pop() if len(homes) == 1 else i
    group: dict[int, list[int]] = defaultdict(list)  # what each node stands for
    for i in sorted(home):
        group[home[i]].append(i)
    members: dict[object, list[int]] = defaultdict(list)
    for to, nodes in group.items():
        unit = units.get(to) or next((units[i] for i in nodes if i in units), None)
        if unit is not None:
            members[unit].append(to)
    for unit, heads in members.items():
        nodes = [i for to in heads for i in group[to]]
        if len(nodes) < 2 or not convex(timeline, set(heads), home, group, users):
            continue
        inside = set(nodes)
        ends = [i for i in nodes if any(user not in inside for user in users[i])] or nodes
        last = max(ends, key=lambda i: (bool(timeline.stems[i]), i))
        for to in heads:
            del group[to]
        group[last] = sorted(nodes)
        home.update(dict.fromkeys(nodes, last))
        timeline.units[last] = unit[-1]  # type: ignore[index]


def convex(
    timeline: Timeline, inside: set[int], home: dict[int, int], group: dict[int, list[int]], users: list[list[int]]
) -> bool:
    """Whether no way leads out of a set of boxes of one step and back into it within the step."""
    column = timeline.column[next(iter(inside))]

    def following(box: int) -> set[int]:
        return {home[u] for i in group[box] for u in users[i] if u in home and timeline.column[u] == column} - {box}

    seen = {box for one in inside for box in following(one)} - inside
    waiting = list(seen)
    while waiting:
        after = following(waiting.pop())
        if after & inside:
            return False
        waiting += after - seen
        seen |= after
    return True
