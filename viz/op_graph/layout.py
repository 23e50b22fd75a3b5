"""Where the boxes of an op graph go: Graphviz places them, clusters and all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import graphviz

from ..layout.graphviz_program import Size, answered, course, layout_program, new_graph, node
from ..pictures.courses import Course
from ..pictures.picture import Point
from .clusters import Cluster
from .order import Edge, beside, successions

Frame = tuple[float, float, float, float]  # x, y, width, height
PAD = 9.0  # inside a cluster's frame
END = -1  # of a cluster
MANY = 500  # boxes from which on good places will do, where the best would take too long


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of everything, x to the right and y down."""

    width: float
    height: float
    centres: list[Point]
    courses: dict[Edge, Course]
    frames: list[Frame]


def lay_out(
    sizes: list[Size],
    home: list[int | None],
    clusters: list[Cluster],
    labels: list[Size],
    edges: list[Edge],
    direction: str,
) -> Layout:
    """Place boxes of the given sizes, each in its cluster, and lead the edges from one to the other.

    sizes: of the boxes in the order of their birth.  home: for each box its innermost cluster.  labels: the room that
    each cluster's name needs in its corner.  direction: "LR" or "TB", which way the edges run.
    """
    dot = new_graph(direction)
    dot.attr(newrank="true")
    if len(sizes) > MANY:
        share = f"{MANY / len(sizes):.3f}"
        dot.attr(nslimit=share, nslimit1=share, mclimit=share)
    near = beside(home, edges)
    declare(dot, sizes, home, clusters, labels, near)
    made = {b for _, b in edges}
    first = {b: a for a, b in reversed(near.items())}  # the other one of two stands on the other side
    side = "e" if direction == "LR" else "s"
    for a, b in edges:
        if a in near:
            tail, head = (a, b) if first[b] == a else (b, a)
            dot.edge(f"n{tail}", f"n{head}", id=f"{tail} {head}", minlen="0")
        else:  # what is computed goes on straight, what is given comes in from the side
            pull = "1" if a not in made else "4" if home[a] == home[b] else "2"
            dot.edge(f"n{a}:{side}", f"n{b}", id=f"{a} {b}", weight=pull)
    for n, (ends, starts) in enumerate(successions(home, clusters, edges)):
        node(dot, f"gate{n}", (1.0, 1.0))
        for i in ends:
            dot.edge(f"n{i}", f"gate{n}", weight="0")
        for i in starts:
            dot.edge(f"gate{n}", f"n{i}", weight="0")
    return placed(dot.source, len(sizes), len(clusters))


def declare(
    dot: graphviz.Digraph,
    sizes: list[Size],
    home: list[int | None],
    clusters: list[Cluster],
    labels: list[Size],
    near: dict[int, int],
) -> None:
    """Write down all boxes and clusters; near: boxes that stand beside another."""
    inside: dict[int | None, list[int]] = defaultdict(list)
    for i, at in enumerate(home):
        if i not in near:
            inside[at].append(i)
    held: dict[int | None, list[int]] = defaultdict(list)
    for c, cluster in enumerate(clusters):
        held[cluster.outer].append(c)
    flanks: dict[int, list[int]] = defaultdict(list)
    for a, b in near.items():
        flanks[b].append(a)
    waiting: list[int | None] = [None]
    while waiting:
        n = waiting.pop()
        if n == END:
            dot.body.append("}\n")
            continue
        if n is not None:
            dot.body.append(f"subgraph cluster_{n} {{ margin={PAD:g} labeljust=l label={room(labels[n])}\n")
            waiting.append(END)
        for i in inside[n]:
            beside_it = flanks.get(i, [])
            if beside_it:
                dot.body.append(f'subgraph cluster_near{i} {{ margin=0 label=""\n')
            for x in (*beside_it, i):
                node(dot, f"n{x}", sizes[x])
            if beside_it:
                dot.body.append("}\n")
        waiting.extend(reversed(held[n]))


def room(size: Size) -> str:
    """An empty HTML label of a size in pixels, the same for every program and font."""
    width, height = (max(1, round(length)) for length in size)
    cell = f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD>'
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{cell}</TR></TABLE>>'


def placed(source: str, boxes: int, clusters: int) -> Layout:
    """What the layout program answers, for that many boxes and clusters."""
    answer = answered(layout_program(), source)
    left, bottom, right, top = map(float, answer["bb"].split(","))
    centres: list[Point] = [(0.0, 0.0)] * boxes
    frames: list[Frame] = [(0.0, 0.0, 0.0, 0.0)] * clusters
    for item in answer.get("objects", ()):
        name = item["name"]
        if name.startswith("n") and "pos" in item:
            x, y = map(float, item["pos"].split(","))
            centres[int(name[1:])] = (x - left, top - y)
        elif name.removeprefix("cluster_").isdigit() and "bb" in item:
            x1, y1, x2, y2 = map(float, item["bb"].split(","))
            frames[int(name.removeprefix("cluster_"))] = (x1 - left, top - y2, x2 - x1, y2 - y1)
    courses = {}
    for item in answer.get("edges", ()):
        if "id" in item:
            a, b = map(int, item["id"].split())
            points = tuple((x - left, top - y) for x, y in course(item["pos"]))
            courses[a, b], courses[b, a] = points, points[::-1]
    return Layout(right - left, top - bottom, centres, courses, frames)
