"""micrograd's picture of a small record: a box for each value with its gradient, a circle for each op."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from tinygrad_seq.graph import Graph, Node

from .courses import moved
from .drawing import Drawing
from .errors import PictureTooLargeError
from .faces import SIGNS, sign_of
from .graphviz_program import Size
from .labels import label_width, number, plain, shorten, spoken, symbol
from .magnitudes import magnitude
from .palette import INK, QUIET, SAND, SHADE, SOFT, STRONG
from .picture import Box, Curve, Part, Picture, Segment, Text
from .placement import place_beside
from .scene import numbered

MARGIN, MOST = 24.0, 1500  # space around; nodes that a person could still look at, and dot place
ROW, CIRCLE = 30.0, 28.0
OFTEN = 6  # a leaf with more uses is drawn at each of them


def draw_graph(node: Node, *, title: str | None = None) -> Drawing:
    """Draw everything that `node` was made from, from left to right, as micrograd's `draw_dot` does.

    Each value is a box: its name, its data, and its gradient as `backward` left it; for arrays the shape and the
    Euclidean norms.  Each op is a circle in front of what it made.  A leaf with more than six uses is drawn at each.
    Raises PictureTooLargeError above 1,500 nodes: draw_unrolled is for those.

    >>> from tinygrad_seq import Value
    >>> a, b = Value(2.0).named("a"), Value(-3.0).named("b")
    >>> c = (a * b).named("c")
    >>> c.backward()
    >>> draw_graph(c).save("product.svg").name
    'product.svg'
    """
    if not isinstance(node, Node):
        raise TypeError(f"draw_graph needs a node of a record (a Tensor or a Value), got {type(node).__name__}")
    nodes = Graph(node).nodes
    if len(nodes) > MOST:
        raise PictureTooLargeError(
            f"draw_graph is for small graphs of up to {MOST:,} nodes, and this one has {len(nodes):,}: draw a node "
            "nearer to the inputs, or use draw_unrolled(…) where it goes through time steps"
        )
    place = {id(n): 2 * i for i, n in enumerate(nodes)}  # even: values; odd: the op that made the value before it
    uses = Counter(id(x) for n in nodes for x in set(n.inputs) if x.op is None)
    boxes: dict[int, tuple[Segment, ...]] = {}
    sizes: dict[int, Size] = {}
    edges: list[tuple[int, int]] = []
    copies: list[Node] = []
    for n in nodes:
        if uses[id(n)] > OFTEN:
            continue
        at = place[id(n)]
        boxes[at] = value_segments(n)
        sizes[at] = sum(s.width for s in boxes[at]), ROW
        if n.op is not None:
            sign = sign_of(n, n.op.name)
            size = 15.0 if n.op.name in SIGNS else 11.0
            label = plain(shorten(sign, 120, size))
            segment = Segment(label, max(CIRCLE, label_width(label, size) + 14), size=size)
            boxes[at + 1], sizes[at + 1] = (segment,), (segment.width, CIRCLE)
            edges.append((at + 1, at))
            for x in dict.fromkeys(n.inputs):
                if uses[id(x)] > OFTEN:  # drawn at each use, or its edges would cross the whole page
                    copies.append(x)
                    copy = 2 * (len(nodes) + len(copies) - 1)
                    boxes[copy] = value_segments(x)
                    sizes[copy] = sum(s.width for s in boxes[copy]), ROW
                    edges.append((copy, at + 1))
                else:
                    edges.append((place[id(x)], at + 1))
    width, height, centres, courses = place_beside(list(boxes), edges, sizes)
    top = MARGIN + (34 if title else 0)
    shown = [*nodes, *copies]
    ids = names(shown)
    parts: list[Part] = [Text(MARGIN, MARGIN + 12, plain(title), 17, INK, "start", True, "title")] if title else []
    for a, b in edges:
        ends = (ids[a // 2] + ".op" * (a % 2), ids[b // 2] + ".op" * (b % 2))
        parts.append(Curve(moved(courses[a, b], MARGIN, top), ends=ends))
    for at, segments in boxes.items():
        x_at, y_at = centres[at]
        n, made = shown[at // 2], bool(at % 2)
        where = "; ".join(part for part in (n.scope and f"in {n.scope}", n.t and f"t = {n.t}", n.source) if part)
        parts.append(
            Box(
                id=ids[at // 2] + ".op" * made, x=x_at + MARGIN, y=y_at + top, width=sizes[at][0], height=sizes[at][1],
                segments=segments, radius=CIRCLE / 2 if made else 5.0, stroke=SOFT if made else STRONG,
                title=n.op.name if made and n.op else ", ".join(spoken(s.label) for s in segments), desc=str(where),
                kind="op" if made else "value",
            )
        )  # fmt: skip
    wide = max(width, label_width(plain(title or ""), 17) * 1.1) + 2 * MARGIN
    return Drawing(Picture(wide, height + top + MARGIN, tuple(parts), title or f"A graph of {len(nodes)} nodes"))


draw_dot = draw_graph


def value_segments(node: Node) -> tuple[Segment, ...]:
    """What a box says: name, data, gradient."""
    shape = np.shape(node.data)
    labels = [symbol(node.name, node.t)] if node.name else []
    if math.prod(shape) == 1:
        labels.append(plain(f"data {four_places(float(np.ravel(node.data)[0]))}"))
    else:
        labels.append(plain(f"{'×'.join(map(str, shape))}  ‖data‖ {four_places(magnitude(node.data))}"))
    grad: Any = node.grad if node.requires_grad else None
    known = getattr(grad, "data", grad) if isinstance(grad, Node) else grad
    if known is None:
        labels.append(plain("grad –" if node.requires_grad else "constant"))
    elif math.prod(shape) == 1:
        labels.append(plain(f"grad {four_places(float(np.ravel(np.asarray(known))[0]))}"))
    else:
        labels.append(plain(f"‖grad‖ {four_places(magnitude(known))}"))
    segments = [Segment(label, label_width(label, 12) + 16, size=12) for label in labels]
    last = segments[-1]
    segments[-1] = Segment(last.label, last.width, SHADE, INK if known is not None else QUIET, 12)
    if node.name:
        first = segments[0]
        segments[0] = Segment(first.label, label_width(first.label, 14) + 18, SAND, INK, 14)
    return tuple(segments)


def four_places(value: float) -> str:
    """Four decimals as in micrograd's pictures; the very small and the very large in powers of ten."""
    fits = value == 0 or 5e-5 <= abs(value) < 1e7
    return f"{value + 0.0:.4f}" if fits else number(value)


def names(nodes: list[Node]) -> list[str]:
    """A telling id for each node, none twice."""
    taken: Counter[str] = Counter()
    return [numbered("_".join((node.name or (node.op.name if node.op else "leaf")).split()), taken) for node in nodes]
