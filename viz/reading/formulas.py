"""What several nodes compute together, as one formula: tanh(x W_x + h W_h + b)."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from ..pictures.labels import Label, Run, number, plain, symbol
from .columns import Timeline

SUM, PRODUCT, ATOM = 1, 2, 3  # how tightly the parts of a formula hold together
LONGEST = 90  # characters; what is longer says only its outermost op
FUNCTIONS = {"sigmoid": "σ", "neg": "−", "masked_fill": "mask"}


def formula(timeline: Timeline, i: int, inside: Set[int]) -> Label:
    """The formula of node i, written out as far as the nodes inside go."""
    made: dict[int, tuple[Label, int]] = {}
    waiting = [i]
    while waiting:  # inputs before what is made of them, without recursion
        at = waiting[-1]
        if at in made:
            waiting.pop()
            continue
        open_inputs = [x for x in timeline.taken[at] if x in inside and x != i and x not in made]
        if open_inputs and timeline.nodes[at].op is not None:
            waiting.extend(open_inputs)
            continue
        made[at] = written(timeline, at, [term(timeline, x, made, inside) for x in timeline.taken[at]])
        waiting.pop()
    label = made[i][0]
    if sum(len(run.text) for run in label) > LONGEST:
        op = timeline.nodes[i].op
        return plain(op.name.replace("_", " ") if op else "")
    return label


def term(timeline: Timeline, x: int, made: dict[int, tuple[Label, int]], inside: Set[int]) -> tuple[Label, int]:
    """An input of an op: its own formula, its name, its number."""
    if x in made and x in inside and not timeline.stems[x]:
        return made[x]
    return named(timeline, x), ATOM


def named(timeline: Timeline, x: int) -> Label:
    """What to call a node in a formula."""
    node = timeline.nodes[x]
    if timeline.stems[x]:
        return symbol(timeline.stems[x])
    if node.op is None:
        return plain(number(float(np.ravel(node.data)[0]))) if np.size(node.data) == 1 else plain("·")
    inner = timeline.taken[x]
    if node.op.name in ("stack", "concat") and all(timeline.stems[y] == timeline.stems[inner[0]] for y in inner):
        return (Run("["), *(symbol(timeline.stems[inner[0]]) if timeline.stems[inner[0]] else plain("·")), Run(", …]"))
    turned = False
    while not timeline.stems[x] and timeline.nodes[x].op is not None and len(timeline.taken[x]) == 1:
        turned ^= timeline.nodes[x].op.name == "transpose"
        x = timeline.taken[x][0]
    if timeline.stems[x]:
        return (*symbol(timeline.stems[x]), Run("ᵀ")) if turned else symbol(timeline.stems[x])
    return plain("·")


def written(timeline: Timeline, i: int, terms: list[tuple[Label, int]]) -> tuple[Label, int]:
    """An op with its inputs, as mathematics writes it."""
    node = timeline.nodes[i]
    op = node.op.name if node.op else ""
    match op:
        case "add" | "sub":
            sign = " + " if op == "add" else " − "
            left, right = terms[0][0], bound(terms[1], SUM + (op == "sub"))
            return (*left, Run(sign), *right), SUM
        case "mul":
            return (*bound(terms[0], PRODUCT), Run("·"), *bound(terms[1], PRODUCT)), PRODUCT
        case "div":
            return (*bound(terms[0], PRODUCT), Run(" / "), *bound(terms[1], ATOM)), PRODUCT
        case "matmul":
            return (*bound(terms[0], PRODUCT), Run(" "), *bound(terms[1], PRODUCT)), PRODUCT
        case "affine":
            return (*bound(terms[0], PRODUCT), Run(" "), *bound(terms[1], PRODUCT), Run(" + "), *terms[2][0]), SUM
        case "concat" | "stack":
            return (Run("["), *joined([label for label, _ in terms[:4]]), Run(", …]" if len(terms) > 4 else "]")), ATOM
        case "pow":
            return (*bound(terms[0], ATOM), Run(f"^{node.fixed.get('exponent', '')}")), ATOM
        case "transpose" | "swapaxes":
            return (*bound(terms[0], ATOM), Run("ᵀ")), ATOM
        case "reshape" | "cast" | "broadcast_to" | "getitem" | "clip_gradient" | "carry":
            return terms[0]
    called = FUNCTIONS.get(op, op.replace("_", " "))
    return (Run(called), Run("("), *joined([label for label, _ in terms]), Run(")")), ATOM


def bound(term_: tuple[Label, int], needed: int) -> Label:
    """A term in brackets, where it does not hold together tightly enough."""
    label, holds = term_
    return label if holds >= needed else (Run("("), *label, Run(")"))


def joined(labels: list[Label]) -> Label:
    """Labels with commas between them."""
    said: list[Run] = []
    for label in labels:
        said += [Run(", "), *label] if said else label
    return tuple(said)
