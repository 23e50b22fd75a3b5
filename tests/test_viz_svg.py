"""What an unrolled picture promises, read off the finished SVG: order, likeness, distance, crossings."""

import re
from collections import defaultdict
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_seq import manual_seed
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.viz import draw_unrolled
from tinygrad_seq.viz.layout.graphviz_program import new_graph, node, place

SVG = "{http://www.w3.org/2000/svg}"
CELLS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def record(cell, T, **options):
    """The loss of a model of the package that says at each step what comes next."""
    manual_seed(0)
    layer = CELLS[cell](3, 4, **options)
    return ManyToMany(layer, 3).loss(np.eye(3)[np.arange(T) % 3][:, None], np.arange(1, T + 1)[:, None] % 3)


class Read:
    """An SVG, read by someone who knows nothing but the file: boxes, columns and paths."""

    def __init__(self, svg):
        root = ElementTree.fromstring(svg)
        self.columns, self.boxes, self.edges = [], {}, defaultdict(list)
        self.collect(root, None)
        self.frames = [rect(r) for r in root.iter(f"{SVG}rect") if r.get("class") == "frame"]

    def collect(self, element, column):
        kind = element.get("class") or ""
        if kind == "column":
            column = element.get("id")
            self.columns.append(column)
        elif kind.startswith("node"):
            self.boxes[element.get("id")] = (column, rect(element.find(f"{SVG}rect")))
        elif element.tag == f"{SVG}path" and kind in ("edge", "lane", "far", "attention", "bus"):
            numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", element.get("d"))]
            self.edges[kind].append((column, list(zip(numbers[::2], numbers[1::2]))))
        for child in element:
            self.collect(child, column)

    def inside(self, column):
        """The boxes of a column, from its own corner, by what they are called in it."""
        x = min(b[0] for c, b in self.boxes.values() if c == column)
        found = {}
        for name, (where, (left, top, right, bottom)) in self.boxes.items():
            if where == column:
                short = name.removeprefix(column + ".")
                found[short] = (left - x, top, right - x, bottom)
        return found


def rect(element):
    x, y, width, height = (float(element.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def overlap(one, other):
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.fixture(scope="module", params=[(c, T) for c in CELLS for T in (3, 20, 100)], ids=str)
def read(request):
    cell, T = request.param
    return T, Read(draw_unrolled(record(cell, T), show="all").svg)


def test_columns_stand_in_the_order_of_time(read):
    """Every step has a column, and each begins to the right of where the one before ends."""
    T, svg = read

    assert svg.columns == [f"t{t}" for t in range(1, T + 1)]
    assert len(svg.frames) == T
    assert all(one[2] < other[0] for one, other in pairwise(svg.frames))


def test_no_two_boxes_overlap(read):
    """Neither within a step nor beside the steps."""
    _, svg = read
    by_column = defaultdict(list)
    for column, box in svg.boxes.values():
        by_column[column].append(box)
    for boxes in by_column.values():
        assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    for frame, column in zip(svg.frames, svg.columns):
        assert all(frame[0] <= b[0] and b[2] <= frame[2] and frame[1] <= b[1] and b[3] <= frame[3]
                   for b in by_column[column])  # fmt: skip


def test_every_step_is_laid_out_alike(read):
    """What two steps have in common stands at the same places in both."""
    _, svg = read
    first = svg.inside("t2")
    for column in svg.columns[1:]:
        there = svg.inside(column)
        assert len(there.keys() & first.keys()) >= len(there) - 1
        for name in there.keys() & first.keys():
            assert there[name] == pytest.approx(first[name], abs=0.03)


def test_edges_reach_no_further_than_the_next_column(read):
    """What is neither attention nor a skip stays in its column, or between two that are neighbours."""
    _, svg = read
    width = svg.frames[0][2] - svg.frames[0][0]
    for kind in ("edge", "lane"):
        for column, points in svg.edges[kind]:
            if column is not None:
                left, _, right, _ = svg.frames[svg.columns.index(column)]
                assert all(left - 0.1 <= x <= right + 0.1 for x, _ in points)
            else:
                assert max(x for x, _ in points) - min(x for x, _ in points) < width
    assert not svg.edges["far"]
    assert not svg.edges["attention"]


# ---- crossings -----------------------------------------------------------------------


def crossings(lines):
    """How many pairs of lines cross; lines that share an end do so by right."""
    sampled = [(ends, sample(points)) for ends, points in lines]
    return sum(
        not set(a) & set(b) and any(meet(p, q, r, s) for p, q in pairwise(one) for r, s in pairwise(other))
        for (a, one), (b, other) in combinations(sampled, 2)
    )


def sample(points, pieces=10):
    """A course of Bézier curves as a chain of short straight lines."""
    chain = [points[0]]
    for n in range(0, len(points) - 1, 3):
        p, q, r, s = (np.array(point) for point in points[n : n + 4])
        for k in range(1, pieces + 1):
            u = k / pieces
            chain.append(tuple((1 - u) ** 3 * p + 3 * u * (1 - u) ** 2 * q + 3 * u * u * (1 - u) * r + u**3 * s))
    return chain


def meet(p, q, r, s):
    """Whether two straight lines cross."""

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0


def inner_edges(drawing, column):
    """The edges of a column, each with its two ends; a lane begins or ends at the edge of the column."""
    group = next(part for part in drawing.picture.walk() if getattr(part, "id", None) == column)
    found = []
    for n, part in enumerate(part for part in group.parts if hasattr(part, "points")):
        start, end = part.ends
        inside = f"{column}."
        start = start if start.startswith(inside) else f"in {start} {round(part.points[0][1])}"
        end = end if end.startswith(inside) else f"out {n} {round(part.points[-1][1])}"
        found.append(((start, end), part.points))
    boxes = {part.id: (part.width, part.height) for part in group.parts if hasattr(part, "segments")}
    return found, boxes


def crossings_of_dot(edges, boxes):
    """How many pairs of edges cross where Graphviz lays out the same step alone."""
    dot = new_graph("LR")
    names = {name: f"n{n}" for n, name in enumerate(dict.fromkeys(end for ends, _ in edges for end in ends))}
    for name, short in names.items():
        node(dot, short, boxes.get(name, (1.0, 1.0)))
    for n, ((a, b), _) in enumerate(edges):
        dot.edge(names[a], names[b], id=f"e{n}")
    *_, courses = place(dot)[:4]
    return crossings([(ends, courses[f"e{n}"]) for n, (ends, _) in enumerate(edges)])


@pytest.mark.parametrize("level", ["ops", "modules", "steps"])
@pytest.mark.parametrize("cell", CELLS)
def test_no_more_crossings_than_dot_alone(cell, level):
    """Within a step no more edges cross than where Graphviz may lay the step out as it likes.

    But for one: inputs come from below and outputs leave above, so a step with two lanes has to be crossed once on the
    way; Graphviz alone may put both at the sides.
    """
    drawing = draw_unrolled(record(cell, 4), level=level)
    edges, boxes = inner_edges(drawing, "t3")

    assert len(edges) > 2
    lanes = {end for ends, _ in edges for end in ends if end.startswith("in ")}
    ours = crossings([(ends, points) for ends, points in edges])
    assert ours <= max(crossings_of_dot(edges, boxes), len(lanes) - 1)
