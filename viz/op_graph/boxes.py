"""What the boxes of an op graph say: micrograd's name | data | grad for a value, a sign for an op."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_seq.gradflow import magnitude
from tinygrad_seq.graph import Node

from ..pictures.labels import Label, label_width, number, plain, shorten, spoken, symbol, visible
from ..pictures.palette import FAINT, INK, MARK, NUMBER, PLAIN, QUIET, SAND, SHADE, SOFT, STRONG, ZERO, ink_on
from ..pictures.picture import Box, Segment
from ..unrolled.faces import NAMED, ROUND, SIGNS, Face, shape_text, sign_of
from .measures import Gradients
from .wiring import COPY, FAR, ON, OP, Item

ROW = 30.0  # height of a value's box
FEW = 4  # numbers of an array that are written out
LONGEST = 72  # letters of what is said of a marked node


def face_of(item: Item, gradients: Gradients, *, values: bool, coloured: bool, mark: str | None = None) -> Face:
    """The looks of a box before it has a place.  values: with numbers, as micrograd.  mark: what to say of it."""
    if item.kind == OP:
        return op_face(item.node)
    if item.kind in (FAR, ON):
        return far_face(item.sources)
    face = value_face(item.node, gradients, coloured=coloured) if values else bare_face(item.node)
    return face if mark is None else marked(face, mark)


def marked(face: Face, mark: str) -> Face:
    """A face with a field behind it that says why it is marked."""
    said = field(plain(mark if len(mark) <= LONGEST else mark[: LONGEST - 1] + "…"), 12.0, MARK, ink_on(MARK))
    name = f"{face.name}: {spoken(said.label)}"
    return replace(face, segments=(*face.segments, said), width=face.width + said.width, name=name)


def op_face(node: Node) -> Face:
    """The circle of an op: its sign."""
    sign = sign_of(node, node.op.name)
    size = 15.0 if node.op.name in SIGNS else 11.0
    label = plain(shorten(visible(sign), 120, size))
    width = max(ROUND + 2, label_width(label, size) + 14)
    return Face((Segment(label, width, size=size),), width, ROUND + 2, ROUND / 2 + 1, (), node.op.name, "op")


def far_face(sources: tuple[Node, ...]) -> Face:
    """The names of values that are drawn elsewhere."""
    some = sources if len(sources) <= 3 else (sources[0], sources[1], sources[-1])
    named = [symbol(x.name, x.t) if x.name else plain(sign_of(x, x.op.name) if x.op else shape_text(x)) for x in some]
    label: Label = ()
    for n, part in enumerate(named):
        label += (plain(", … " if n == 2 and len(sources) > 3 else ", ") if n else ()) + part
    width = label_width(label, 12) + 18
    name = ", ".join(spoken(part) for part in named)
    return Face((Segment(label, width, ink=QUIET, size=12),), width, 22.0, 11.0, (), name, "far")


def bare_face(node: Node) -> Face:
    """A node without numbers: its name over its op, or the op's sign alone; of an unnamed leaf the shape."""
    op = node.op.name.replace("_", " ") if node.op else ""
    if node.name:
        label = symbol(node.name, node.t)
        caption = plain(op or size_text(node))
        width = max(label_width(label, 15) + 20, label_width(caption, 9) + 12, 40.0)
        kind = "value" if op else "leaf"
        return Face((Segment(label, width, size=15),), width, NAMED, 8.0, caption, spoken(label), kind)
    if node.op:
        return op_face(node)
    label = plain(size_text(node))
    width = label_width(label, 11) + 14
    return Face((Segment(label, width, ink=QUIET, size=11),), width, 22.0, 5.0, (), spoken(label), "value")


def size_text(node: Node) -> str:
    """A single number itself, of an array the shape."""
    array = np.asarray(node.data)
    return number_text(array.item()) if array.size == 1 else shape_text(node)


def value_face(node: Node, gradients: Gradients, *, coloured: bool) -> Face:
    """The box of a value: name, data, gradient."""
    segments = value_segments(node, gradients, coloured=coloured)
    name = ", ".join(spoken(segment.label) for segment in segments)
    return Face(segments, sum(segment.width for segment in segments), ROW, 5.0, (), name, "value")


def value_segments(node: Node, gradients: Gradients, *, coloured: bool) -> tuple[Segment, ...]:
    """The fields of a value's box; without grounds of their own where the box has a colour that tells something."""
    grad = gradients.of(node)
    grounds = not coloured and not broken(node, grad)
    fields = [field(symbol(node.name, node.t), 14.0, SAND if grounds else None, INK)] if node.name else []
    fields.append(field(plain(numbers(node.data, "data")), 12.0))
    if gradients.found:
        said = "constant" if not node.requires_grad else "grad –" if grad is None else numbers(grad, "grad")
        zero = gradients.left and grad is not None and magnitude(grad) == 0
        ground = (ZERO if zero else SHADE) if grounds else None
        fields.append(field(plain(said), 12.0, ground, QUIET if grad is None else INK))
    return tuple(fields)


def field(label: Label, size: float, ground: str | None = None, ink: str | None = None) -> Segment:
    """A part of a box as wide as what it says; ink: only on a ground of its own."""
    return Segment(label, label_width(label, size) + 16, ground, ink if ground else None, size)


def numbers(data: Any, what: str) -> str:
    """A number as it is, a few one by one, and of many the Euclidean norm; of data the shape too."""
    array = np.asarray(data)
    if array.size == 1:
        return f"{what} {four_places(array.item())}"
    shape = "×".join(map(str, array.shape)) + "  " if what == "data" else ""
    if array.size == 0:
        return f"{shape}empty"
    if array.size <= FEW:
        return (shape or f"{what} ") + ", ".join(number_text(x, 3) for x in array.ravel().tolist())
    return f"{shape}‖{what}‖ {four_places(magnitude(array))}"


def four_places(value: Any) -> str:
    """Four decimals as in micrograd's pictures; whole numbers whole; the very small and large in powers of ten."""
    if not isinstance(value, float):
        return number_text(value)
    fits = value == 0 or 5e-5 <= abs(value) < 1e7
    return f"{value + 0.0:.4f}" if fits else number(value)


def number_text(value: Any, digits: int = 4) -> str:
    """One number of any kind in a few characters."""
    return number(float(f"{value:.{digits}g}") + 0.0) if isinstance(value, float) else str(value)


def broken(node: Node, grad: Any) -> bool:
    """Whether a value or its gradient has a NaN or an infinity."""
    return not (np.isfinite(node.data).all() and (grad is None or np.isfinite(grad).all()))


def box(
    item: Item, face: Face, name: str, x: float, y: float, fill: str | None, gradients: Gradients, mark: str | None
) -> Box:
    """A box around (x, y), with that id; fill: its colour where the colours tell something; mark: what to say of it."""
    node = item.node
    stub = item.kind in (FAR, ON)
    value = item.kind != OP and not stub
    if item.kind == OP and mark is not None:
        fill = MARK
    grad = gradients.of(node)
    hatched = value and broken(node, grad)
    title = face.name
    made = ""
    others = ", ".join(map(called, item.sources[:40])) + (", …" if len(item.sources) > 40 else "")
    if value:
        title = ", ".join(spoken(s.label) for s in value_segments(node, gradients, coloured=True))
        title += f": {visible(mark)}" if mark else ""
        made = f"{node.op.name} of " + ", ".join(map(called, node.inputs[:8])) if node.op else "given"
        made += ", …" if len(node.inputs) > 8 else ""
        made += ", drawn at each of its uses" if item.kind == COPY else ""
    elif stub:
        title = f"{'from' if item.kind == FAR else 'goes on to'} {others}"
    plain_fill = SAND if face.kind == "leaf" else NUMBER if stub else PLAIN
    stroke = FAINT if stub else MARK if mark is not None else STRONG if value else SOFT
    time = "" if node.t is None else f"t = {node.t}"
    where = "; ".join(part for part in (made, node.scope and f"in {node.scope}", time, node.source) if part)
    return Box(
        id=name, x=x, y=y, width=face.width, height=face.height, segments=face.segments, radius=face.radius,
        caption=face.caption, fill=fill or plain_fill,
        ink=ink_on(fill if fill and not hatched else PLAIN),
        stroke=stroke, hatched=hatched,
        dotted=value and not node.requires_grad, title=title, desc=where, kind=face.kind,
    )  # fmt: skip


def called(node: Node) -> str:
    """What to call a node in a sentence."""
    if node.name:
        return spoken(symbol(node.name, node.t))
    return node.op.name if node.op else "a constant" if not node.requires_grad else "a leaf"
