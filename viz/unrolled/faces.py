"""How a node looks: its sign, its name, the badges and numbers it takes in, and the room it needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_seq.graph import Node

from ..pictures.labels import Label, Run, label_width, number, plain, shorten, spoken, symbol, visible
from ..pictures.palette import NUMBER as NUMBER_GROUND
from ..pictures.palette import QUIET, tint, weight
from ..pictures.picture import Segment
from ..reading.columns import BADGE, HIDDEN, MEMORY, NUMBER, STEP, Timeline, is_sum

SIGNS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "matmul": "@", "sigmoid": "σ", "sum": "Σ",
    "sqrt": "√", "pow": "^", "transpose": "ᵀ", "cut": "✂",
}  # fmt: skip
ROUND, NAMED = 26.0, 36.0  # heights of an op's circle or pill, and of a named node's box


@dataclass(frozen=True)
class Face:
    """The looks of a node before it has a place."""

    segments: tuple[Segment, ...]
    width: float
    height: float
    radius: float
    caption: Label
    name: str  # the same in plain words
    kind: str


class Badges:
    """The names and colours of what the steps share, one colour for each weight."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.labels: dict[int, Label] = {}
        self.colours: dict[int, str] = {}
        self.shown: list[int] = []  # those with a colour of their own, in order of use
        for i, node in enumerate(timeline.nodes):
            if timeline.role[i] in (BADGE, MEMORY, HIDDEN):
                parents = self.parents(i)
                if node.name:
                    self.labels[i] = symbol(node.name)
                elif node.op is None:
                    self.labels[i] = plain(shape_text(node))
                elif timeline.role[i] != BADGE and parents and all(timeline.role[x] == STEP for x in parents):
                    self.labels[i] = rows_of(timeline, parents)
                elif all(x in self.labels for x in parents):  # else an inner addition of a folded sum
                    self.labels[i] = made_of(node, [self.labels[x] for x in parents])
        taken = [x for i in range(len(timeline.nodes)) if is_drawn(timeline, i) for x in timeline.inputs[i]]
        for i in dict.fromkeys(x for x in taken if timeline.role[x] in (BADGE, MEMORY)):
            if timeline.nodes[i].requires_grad:
                roots = self.parents(i)
                while roots and timeline.nodes[roots[0]].op is not None and len(roots) == 1:
                    roots = self.parents(roots[0])
                if len(roots) == 1 and roots[0] in self.colours and not timeline.nodes[i].name:
                    self.colours[i] = self.colours[roots[0]]  # Wᵀ looks like W
                else:
                    self.colours[i] = weight(len(self.shown))
                    self.shown.append(i)

    def parents(self, i: int) -> list[int]:
        """What a shared node is made of, apart from numbers."""
        return [x for x in self.timeline.inputs[i] if self.timeline.role[x] != NUMBER]

    def segment(self, i: int) -> Segment:
        colour = self.colours.get(i, QUIET)
        label = self.labels.get(i) or plain(shape_text(self.timeline.nodes[i]))
        return Segment(label, label_width(label, 12) + 13, tint(colour), colour, 12, of=i)


def is_drawn(timeline: Timeline, i: int) -> bool:
    """Whether a node has a box of its own: a memory inside of a stretch has none."""
    return timeline.role[i] not in (BADGE, NUMBER, HIDDEN, MEMORY) or i in timeline.stands


def rows_of(timeline: Timeline, rows: list[int]) -> Label:
    """What to call an unnamed node that holds one thing of every step: h with the subscript 1…T."""
    name = symbol(timeline.stems[rows[0]] or "rows")
    times = [timeline.nodes[x].t for x in rows]
    return (*name, Run(f"{times[0]}…{times[-1]}", sub=True))


def made_of(node: Node, labels: list[Label]) -> Label:
    """What to call an unnamed node made of weights alone: Wᵀ, exp(W)."""
    op = node.op.name if node.op else ""
    if not labels:
        return plain(op)
    if op in ("transpose", "permute", "swapaxes"):
        return (*labels[0], Run("ᵀ"))
    inner = ", ".join(spoken(label) for label in labels)
    return plain(f"{op}({shorten(inner, 80, 12)})")


def face(timeline: Timeline, i: int, badges: Badges, t: int | str | None) -> Face:
    """The looks of node i where it is drawn as a node of its own, t its subscript."""
    node = timeline.nodes[i]
    op = "sum" if is_sum(timeline, i) else node.op.name if node.op else ""
    before: list[Segment] = []
    after: list[Segment] = []
    drawn = False
    for x in timeline.inputs[i]:
        role = timeline.role[x]
        if role in (BADGE, MEMORY):
            (after if drawn or len(timeline.inputs[i]) == 1 or after else before).append(badges.segment(x))
        elif role == NUMBER:
            label = plain(number(float(np.asarray(timeline.nodes[x].data).reshape(()))))
            segment = Segment(label, label_width(label, 12) + 12, NUMBER_GROUND, QUIET, 12)
            (after if drawn else before).append(segment)
        else:
            drawn = True
    if i in timeline.parts:
        before, after = [], before + after
        if i in timeline.units and len(after) > 2:
            said = plain(f"{len(after)} shared")
            after = [Segment(said, label_width(said, 10) + 12, NUMBER_GROUND, QUIET, 10)]
    if before and not drawn and len(before) > 1:  # f(W, b) of weights alone reads left to right
        before, after = [], before + after
    caption: Label = ()
    if timeline.stems[i] or i in timeline.units:
        label = symbol(timeline.stems[i] or timeline.units[i].rpartition("/")[2], t)
        caption = caption_of(timeline, i, op)
        width = max(label_width(label, 15) + 20, label_width(caption, 9) + 14, 40.0)
        core = Segment(label, width, size=15)
        height, radius, kind = NAMED, 8.0, "module" if i in timeline.units else "named"
    elif op:
        sign = visible(sign_of(node, op))
        size = 15.0 if op in SIGNS else 12.0
        label = timeline.formulas.get(i) or plain(shorten(sign, 110, size))
        size = 12.0 if i in timeline.formulas else size
        width = max(label_width(label, size) + 16, ROUND)
        core = Segment(label, width, size=size)
        height, radius, kind = ROUND, ROUND / 2, "op"
    else:
        label = plain(shape_text(node))
        core = Segment(label, label_width(label, 11) + 14, ink=QUIET, size=11)
        height, radius, kind = 22.0, 5.0, "leaf"
    segments = (*before, core, *after)
    return Face(
        segments, sum(s.width for s in segments), height, radius, caption, spoken(label), kind if op else "leaf"
    )


def caption_of(timeline: Timeline, i: int, op: str) -> Label:
    """What stands small below a name: its formula, its op, its shape."""
    node = timeline.nodes[i]
    if i in timeline.units:
        scope = timeline.units[i].rpartition("/")[2]
        called = [shorten(scope, 90, 9)] if timeline.stems[i] and scope else []
        return plain(" ".join([*called, shape_text(node)]))
    said = shape_text(node) if not op or i in timeline.memories.picks else op.replace("_", " ")
    return timeline.formulas.get(i) or plain(said)


def sign_of(node: Node, op: str) -> str:
    """The sign of an op as mathematics writes it: +, ×, σ, ^3, [0:4]; its name where there is none."""
    if op == "pow":
        return f"^{node.fixed['exponent']:g}"
    if op == "getitem":
        return "[" + shorten(index_text(node.fixed), 50, 12) + "]"
    return SIGNS.get(op, op.replace("_", " "))


def index_text(fixed: dict[str, object]) -> str:
    """The index of a getitem in Python's notation, where it is short enough to say something."""
    index = next(iter(fixed.values()), "")
    parts = index if isinstance(index, tuple) else (index,)
    said = []
    for part in parts:
        if isinstance(part, slice):
            said.append(":".join("" if x is None else str(x) for x in (part.start, part.stop)))
        elif part is Ellipsis or part is None or isinstance(part, int | np.integer):
            said.append("…" if part is Ellipsis else str(part))
        else:
            return " "
    return ", ".join(said)


def shape_text(node: Node) -> str:
    """The shape of a node's value, as in 1×8."""
    shape = np.shape(node.data)
    return "×".join(map(str, shape)) if shape else number(float(np.asarray(node.data).reshape(())))
