"""A template gets its geometry: recurrence runs from left to right, everything else flows upward.

What lies on a cycle through time (a state and all that makes its next value) forms a *belt*, which Graphviz lays out
from left to right; it enters and leaves the column at one height. Belts are stacked, and the nodes that feed them or
are fed by them stand below and above, placed by Graphviz from bottom to top. One small graph a belt and one for the
column, whatever the number of steps.
"""

from __future__ import annotations

import graphviz

from ..pictures.courses import Course, joined, moved, shift, swing
from ..pictures.picture import Point
from ..reading.cycles import descendants
from ..reading.lines import Key
from ..reading.templates import Template
from .belts import Belt, Plan, blocked_feeders, find_belts, lay_belt, turn_over
from .graphviz_program import Size, box_size, new_graph, node, place
from .tangles import crossings

SIDE = 14.0  # room left and right of a belt, where lanes change their height
TABLE, PORT = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">', 2


def place_template(template: Template, sizes: dict[Key, Size]) -> Plan:
    """The plan of one template, its nodes of the given sizes."""
    belts = find_belts(template)
    for belt in belts:
        others = set().union(*(b.members for b in belts if b is not belt))
        lay_belt(belt, template, sizes)
        feeders = blocked_feeders(belt, template, sizes, others)
        if feeders:
            belt.keys = [key for key in template.keys if key in belt.members or key in feeders]
            belt.members = set(belt.keys)
            lay_belt(belt, template, sizes)
    return clearest(template, belts, sizes)


def clearest(template: Template, belts: list[Belt], sizes: dict[Key, Size]) -> Plan:
    """The plan with the fewest crossings, of those with one belt or another turned upside down."""
    best = lay_column(template, belts, sizes)
    fewest = crossings(best)
    for belt in belts:
        if fewest:
            turn_over(belt)
            plan = lay_column(template, belts, sizes)
            count = crossings(plan)
            if count < fewest:
                best, fewest = plan, count
            else:
                turn_over(belt)
    return best


def place_beside(
    nodes: list[int], edges: list[tuple[int, int]], sizes: dict[int, Size]
) -> tuple[float, float, dict[int, Point], dict[tuple[int, int], Course]]:
    """Lay out what comes before or after the steps, from left to right: width, height, centres, courses."""
    if not nodes:
        return 0.0, 0.0, {}, {}
    dot = new_graph("LR")
    for i in nodes:
        node(dot, f"n{i}", sizes[i])
    for a, b in edges:
        dot.edge(f"n{a}", f"n{b}", id=f"{a} {b}")
    width, height, centres, courses = place(dot)
    return (
        width,
        height,
        {i: centres[f"n{i}"] for i in nodes},
        {(a, b): courses[f"{a} {b}"] for a, b in edges},
    )


def lay_column(template: Template, belts: list[Belt], sizes: dict[Key, Size]) -> Plan:
    """Stack the belts, with what feeds them below and what they feed above."""
    home = {key: n for n, belt in enumerate(belts) for key in belt.keys}
    names = {key: f"n{n}" for n, key in enumerate(template.keys)}
    dot = new_graph("BT")
    tops: list[set[Key]] = [set() for _ in belts]
    bottoms: list[set[Key]] = [set() for _ in belts]
    outer = [(a, b) for a, b in template.edges if home.get(a) is None or home.get(a) != home.get(b)]
    for a, b in outer:
        if a in home:
            tops[home[a]].add(a)
        if b in home:
            bottoms[home[b]].add(b)
    for n, belt in enumerate(belts):
        size = (belt.plan.width, belt.plan.height)
        dot.node(f"belt{n}", table(belt, tops[n], bottoms[n], names), **box_size(size))
    for key in template.keys:
        if key not in home:
            node(dot, names[key], sizes[key])
    for a, b in outer:
        tail = f"belt{home[a]}:t{names[a]}:n" if a in home else names[a]
        head = f"belt{home[b]}:b{names[b]}:s" if b in home else names[b]
        room = {"minlen": "3"} if b in template.spaced else {}
        dot.edge(tail, head, id=f"{names[a]} {names[b]}", **room)
    keep_clear(dot, template, belts, home, names)
    width, height, centres, courses = place(dot)

    plan = Plan(width + 2 * SIDE, height, sizes=sizes)
    for key, name in names.items():
        if key not in home:
            plan.centres[key] = shift(centres[name], SIDE, 0)
    for n, belt in enumerate(belts):
        x, y = centres[f"belt{n}"]
        dx, dy = x - belt.plan.width / 2 + SIDE, y - belt.plan.height / 2
        for key, point in belt.plan.centres.items():
            plan.centres[key] = shift(point, dx, dy)
        for pair, points in belt.plan.courses.items():
            plan.courses[pair] = moved(points, dx, dy)
        for key, lane in belt.plan.lanes.items():
            if key in belt.plan.exits or key not in plan.lanes:
                plan.lanes[key] = lane + dy
        for pair, points in belt.plan.entries.items():
            plan.entries[pair] = moved(points, dx, dy)
        for key, points in belt.plan.exits.items():
            plan.exits[key] = moved(points, dx, dy)
        plan.backward |= belt.plan.backward
    for a, b in outer:
        run: list[Point] = list(moved(courses[f"{names[a]} {names[b]}"], SIDE, 0))
        if a in home:  # from the belt's upper edge down to the node, and from its lower edge up
            x, y = plan.centres[a]
            run = joined((x, y - sizes[a][1] / 2), run)
        if b in home:
            x, y = plan.centres[b]
            run = joined((x, y + sizes[b][1] / 2), run[::-1])[::-1]
        plan.courses[a, b] = tuple(run)
    reach_edges(plan)
    return plan


def keep_clear(
    dot: graphviz.Digraph, template: Template, belts: list[Belt], home: dict[Key, int], names: dict[Key, str]
) -> None:
    """Nothing may stand beside a belt, where its lanes run: what does not feed it, or one below it, stands above it."""
    reach = descendants(list(template.keys), list(template.edges))
    for n in range(len(belts) - 1):
        dot.edge(f"belt{n}", f"belt{n + 1}", style="invis", weight="0")
    fed = {}  # the lowest belt that each node leads to
    for key in template.keys:
        fed[key] = next((n for n, belt in enumerate(belts) if reach[key] & belt.members), len(belts))
    for n in range(len(belts)):
        held = {b for a, b in template.edges if home.get(a) == n or (a not in home and fed[a] > n)}
        for key in template.keys:
            if key not in home and key not in held and fed[key] > n:
                dot.edge(f"belt{n}", names[key], style="invis", weight="0")


def reach_edges(plan: Plan) -> None:
    """Lead the lanes on to the edges of the column, entering at the height at which they leave."""
    for (a, b), points in plan.entries.items():
        x = plan.width if a in plan.backward else 0.0
        plan.entries[a, b] = (*swing((x, plan.lanes[a]), points[0]), *points[1:])
    for key, points in plan.exits.items():
        x = 0.0 if key in plan.backward else plan.width
        plan.exits[key] = (*points[:-1], *swing(points[-1], (x, plan.lanes[key])))


def table(belt: Belt, tops: set[Key], bottoms: set[Key], names: dict[Key, str]) -> str:
    """An HTML label with a port above or below each node of the belt that has edges to the outside."""
    rows = []
    for mark, keys in (("t", tops), ("b", bottoms)):
        cells, x = [], 0
        for key in sorted(keys, key=lambda k: belt.plan.centres[k][0]):
            here = max(x, round(belt.plan.centres[key][0]) - 1)
            if here > x:
                cells.append(cell(here - x))
            cells.append(cell(2, mark + names[key]))
            x = here + 2
        rest = round(belt.plan.width) - x
        rows.append("".join([*cells, cell(rest) if rest > 0 else ""]) or cell(2))
    rows.insert(1, cell(2, height=max(0, round(belt.plan.height) - 2 * PORT)))
    # The rows are tables of their own, so that the columns of one don't move those of another.
    inner = "".join(f"<TR><TD>{TABLE}<TR>{row}</TR></TABLE></TD></TR>" for row in rows)
    return f"<{TABLE}{inner}</TABLE>>"


def cell(width: int, port: str = "", height: int = PORT) -> str:
    """A cell of a table: a port of that name, or the space between ports."""
    name = f' PORT="{port}"' if port else ""
    return f'<TD{name} FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD>'
