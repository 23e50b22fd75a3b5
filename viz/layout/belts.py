"""Belts: the parts of a step that run along the time axis, from a state's old value to its new one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from ..pictures.courses import Course
from ..pictures.picture import Point
from ..reading.cycles import descendants, neighbours, strong_components
from ..reading.lines import Key
from ..reading.templates import Template
from .graphviz_program import Size, new_graph, node, place


@dataclass
class Plan:
    """Where a template's nodes stand, in pixels from the upper left corner of a column, and how its edges run."""

    width: float = 0.0
    height: float = 0.0
    centres: dict[Key, Point] = field(default_factory=dict)
    courses: dict[tuple[Key, Key], Course] = field(default_factory=dict)
    entries: dict[tuple[Key, Key], Course] = field(default_factory=dict)  # from the column's edge to a node
    exits: dict[Key, Course] = field(default_factory=dict)  # from a node to the column's edge
    backward: set[Key] = field(default_factory=set)  # lanes that run from right to left
    lanes: dict[Key, float] = field(default_factory=dict)  # height of each lane
    sizes: dict[Key, Size] = field(default_factory=dict)
    heads: dict[Key, Point] = field(default_factory=dict)  # where ways up begin, if not at the node's upper edge


@dataclass
class Belt:
    """A part of the template that runs along the time axis."""

    keys: list[Key]
    reverse: bool = False
    plan: Plan = field(default_factory=Plan)
    members: set[Key] = field(default_factory=set)


def find_belts(template: Template) -> list[Belt]:
    """The cycles through time, and lone nodes with a lane, from the one computed first to the last."""
    order = {key: n for n, key in enumerate(template.keys)}
    carried = [*template.arriving, *template.returning]
    edges = [(a, b) for a, b in [*template.edges, *carried] if a in order and b in order]
    belts = []
    laned = {a for a, _ in carried} | {b for _, b in carried} | set(template.leaving) | set(template.going_back)
    for component in strong_components(list(template.keys), edges):
        if len(component) > 1 or component[0] in laned:
            keys = sorted(component, key=order.__getitem__)
            members = set(keys)
            back = sum(b in members for _, b in template.returning)
            forth = sum(b in members for _, b in template.arriving)
            belts.append(Belt(keys, back > forth, members=members))
    reach = descendants(list(template.keys), list(template.edges))
    ordered: list[Belt] = []
    waiting = sorted(belts, key=lambda belt: order[belt.keys[0]])
    while waiting:  # a belt before those that it feeds
        free = next(
            (b for b in waiting if not any(o is not b and any(reach[k] & b.members for k in o.keys) for o in waiting)),
            waiting[0],
        )
        waiting.remove(free)
        ordered.append(free)
    return ordered


def find_tracks(belt: Belt, template: Template, states: list[Key]) -> dict[Key, list[Key]]:
    """For each state the shortest way through the step from its old value to its new one, to be drawn straight."""
    following = neighbours((a, b) for a, b in template.edges if a in belt.members and b in belt.members)
    found = {}
    for state in states:
        came: dict[Key, Key | None] = {b: None for a, b in [*template.arriving, *template.returning] if a == state}
        waiting = deque(came)
        while waiting and state not in came:
            key = waiting.popleft()
            for other in following[key]:
                if other not in came:
                    came[other] = key
                    waiting.append(other)
        track: list[Key] = []
        at: Key | None = state if state in came else None
        while at is not None:
            track.append(at)
            at = came[at]
        found[state] = track[::-1]
    tracks: dict[Key, list[Key]] = {}
    taken: set[Key] = set()
    for state in sorted(found, key=lambda s: len(found[s])):  # the shortest first: the conveyor belt of an LSTM
        if found[state] and not taken & set(found[state]):
            tracks[state] = found[state]
            taken.update(found[state])
    return tracks


def blocked_feeders(belt: Belt, template: Template, sizes: dict[Key, Size], others: set[Key]) -> set[Key]:
    """Nodes that feed the belt from below where other nodes are in the way: these join the belt."""
    blocked = set()
    for a, b in template.edges:
        if b in belt.members and a not in belt.members and a not in others:
            x, y = belt.plan.centres[b]
            for key in belt.keys:
                other = belt.plan.centres[key]
                if key != b and other[1] > y and abs(other[0] - x) < sizes[key][0] / 2 + 6:
                    blocked.add(a)
    below: dict[Key, list[Key]] = {}
    for a, b in template.edges:
        below.setdefault(b, []).append(a)
    waiting, found = list(blocked), set()
    while waiting:
        key = waiting.pop()
        if key not in found and key not in others and key not in belt.members:
            found.add(key)
            waiting.extend(below.get(key, ()))
    return found


def turn_over(belt: Belt) -> None:
    """Turn a belt upside down: what was its upper edge is its lower one."""
    plan, height = belt.plan, belt.plan.height

    def turned(points: Course) -> Course:
        return tuple((x, height - y) for x, y in points)

    plan.centres = {key: (x, height - y) for key, (x, y) in plan.centres.items()}
    plan.courses = {pair: turned(points) for pair, points in plan.courses.items()}
    plan.entries = {pair: turned(points) for pair, points in plan.entries.items()}
    plan.exits = {key: turned(points) for key, points in plan.exits.items()}
    plan.lanes = {key: height - lane for key, lane in plan.lanes.items()}


def lay_belt(belt: Belt, template: Template, sizes: dict[Key, Size]) -> None:
    """Lay a belt out along the time axis, from its own upper left corner."""
    names = {key: f"n{n}" for n, key in enumerate(belt.keys)}
    carried = [(a, b) for a, b in [*template.arriving, *template.returning] if b in names]
    sources = dict.fromkeys(a for a, _ in carried)
    leaving = [key for key in belt.keys if key in template.leaving or key in template.going_back]
    lanes = {key: f"in{n}" for n, key in enumerate(sources)}
    outs = {key: f"out{n}" for n, key in enumerate(leaving)}
    dot = new_graph("RL" if belt.reverse else "LR")
    tracks = find_tracks(belt, template, [key for key in sources if key in outs])
    groups = {key: f"g{n}" for n, track in enumerate(tracks.values()) for key in track}
    for key in belt.keys:
        node(dot, names[key], sizes[key], group=groups.get(key, ""))
    for rank, stubs in (("min", lanes), ("max", outs)):
        with dot.subgraph() as same:
            same.attr(rank=rank)
            for key, name in stubs.items():
                node(same, name, (1.0, 1.0), group=groups.get(key, ""))
    tracked = {pair for track in tracks.values() for pair in pairwise(track)}
    for a, b in template.edges:
        if a in names and b in names:
            dot.edge(names[a], names[b], id=f"{names[a]} {names[b]}", weight="30" if (a, b) in tracked else "2")
    for a, b in carried:
        first = a in tracks and tracks[a][0] == b
        dot.edge(lanes[a], names[b], id=f"{lanes[a]} {names[b]}", weight="30" if first else "2")
    for key in leaving:
        dot.edge(names[key], outs[key], id=f"{names[key]} {outs[key]}", weight="30")
    width, height, centres, courses = place(dot)
    plan = belt.plan = Plan(width, height)
    plan.centres = {key: centres[name] for key, name in names.items()}
    for a, b in template.edges:
        if a in names and b in names:
            plan.courses[a, b] = courses[f"{names[a]} {names[b]}"]
    for a, b in carried:
        plan.entries[a, b] = courses[f"{lanes[a]} {names[b]}"]
        plan.lanes[a] = centres[lanes[a]][1]
    for key in leaving:
        plan.exits[key] = courses[f"{names[key]} {outs[key]}"]
        plan.lanes[key] = centres[outs[key]][1]
    plan.backward = {*sources, *leaving} if belt.reverse else set()
