"""A gradient that is wrong though every rule is right: what else it can be, and the check that tells which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...graph import Graph, Node
from ...hooks import EVERY, OF_NODE
from ..faults import Fault
from ..numeric.agreement import Agreement, Compared, Mismatch, Tolerance
from ..rules.calls import Call, Findings, called, fault, gradients_of, same
from .recorded import Recorded, gradients
from .unrecorded import chosen, not_recorded

__all__ = ["causes", "told_by_record"]


def causes(function: Recorded, agreed: Agreement, rng: np.random.Generator, pointless: bool) -> Findings:
    """What is wrong where no rule is: one fault; or a note, where it is rounding, or there is no derivative.

    pointless: an op on the way has no derivative here.
    """
    name, m = function.name, agreed.mismatches[0]
    label = function.labels[m.input]
    broken = nowhere_finite(function, agreed)
    if broken is not None:
        return Findings([broken])
    if pointless:
        return Findings()
    if rounding(function, m, rng):
        why = f"its slope by {label} changes by as much as it is off when the inputs change in their last digit"
        return Findings(notes=[f"{name} is badly conditioned here: {why}"])
    choice = chosen(function, m)
    if choice:
        return Findings(notes=[f"{name} has no derivative here: {choice} changes as soon as the input moves"])
    if too_rough(function, m):
        return Findings(notes=[f"{name} moves too roughly to tell its slope by {label}"])
    return Findings([diagnosed(function, m)])


def nowhere_finite(function: Recorded, agreed: Agreement) -> Fault | None:
    """The fault of a gradient that is NaN or infinite where the function has a slope: of the op that made it so."""
    m = next((m for m in agreed.mismatches if np.isfinite(m.moves) and not np.isfinite(m.says)), None)
    if m is None:
        return None
    weights = [np.zeros_like(y) for y in function.numbers]
    weights[m.output][m.at] = 1
    arrived = gradients(function.outs, weights)
    for node in reversed(function.graph().nodes):
        g = arrived.get(node)
        if node.op is None or g is None or not np.isfinite(g).all():
            continue
        call = Call.of(node)
        sent = gradients_of(call, g, node.data, call.xs)
        for i in call.by:
            if sent[i] is not None and not np.isfinite(sent[i]).all():
                what = f"derivative of {node.op.name} is not finite for input {i}{called(call, i)}"
                said = f"of a finite g it makes NaN or an infinity, where {function.name} moves {m.moves:.6g}"
                todo = "0 · ∞ is NaN: let no such number come in, or let the rule send 0 where nothing arrives"
                return fault(call, "value", what, said, todo, by=i)
    return None


def rounding(function: Recorded, m: Mismatch, rng: np.random.Generator) -> bool:
    """Whether gradient or slope move by as much as they are apart when the inputs move by their last digits."""
    if not np.isfinite(m.says - m.moves):
        return False
    says, moves = [m.says], [m.moves]
    for _ in range(4):
        moved = [x * (1 + 8 * np.finfo(x.dtype).eps * rng.choice([-1, 1], x.shape)) for x in function.inputs]
        again = Recorded(function.fn, function.arguments_at(moved))
        compared = Compared(again.values, again.pull, again.inputs, Tolerance.of(float), again.complex_ok)
        moves_now, says_now = compared.derivative(m)
        moves.append(moves_now)
        says.append(says_now)
    return float(max(np.ptp(says), np.ptp(moves))) * 10 > abs(m.says - m.moves)


def too_rough(function: Recorded, m: Mismatch) -> bool:
    """Whether the slope must have been told wrongly: where the rules, added up by hand, say what the gradient says.

    To be asked where every rule is right, and no constant moves: then the gradient is right too.
    """
    arrived: dict[Node, Any] = {}
    y = function.outs[m.output]
    if not isinstance(y, Node) or not y.requires_grad:
        return False
    arrived[y] = np.zeros(np.shape(y.data))
    arrived[y][m.at] = 1
    for node in reversed(Graph(y).nodes):
        if node.op is None or node not in arrived:
            continue
        call = Call.of(node)
        for x, c in zip(node.inputs, gradients_of(call, arrived[node], np.asarray(node.data), call.xs)):
            if c is not None and x.requires_grad:
                arrived[x] = arrived[x] + c if x in arrived else c
    by_hand = arrived.get(function.leaves[m.input])
    if by_hand is None or not close(float(by_hand[m.element]), m.says):
        return False
    return close(record_moves(function, m), m.moves)


def diagnosed(function: Recorded, m: Mismatch) -> Fault:
    """What is wrong with a gradient for which no rule is to blame."""
    label = function.labels[m.input]
    head = f"gradient of {function.name} is wrong for {label}, though the rule of every op is right"
    numbers = f"by element {m.element} the function moves {m.moves:.8g}; the gradient says {m.says:.8g}"
    overwritten = not_as_made(function.graph())
    if overwritten is not None:
        details = (head, numbers, *overwritten.details)
        return Fault(overwritten.kind, overwritten.message, details, overwritten.op, None, overwritten.node)
    recorded = record_moves(function, m)
    if close(recorded, m.moves) and not close(recorded, m.says):
        hooked = [node for node in function.graph() if id(node) in OF_NODE]
        if hooked or EVERY:
            who = f"{hooked[0]!r}" if hooked else "every node (on_visit)"
            said = f"hooks are registered on {who}: what a hook returns takes the gradient's place"
            return Fault("hook", head, (numbers, said, "check without the hook"), node=hooked[0] if hooked else None)
        said = f"the record itself moves {recorded:.8g}, as the function does: the sweep over it is wrong"
        return Fault("sweep", head, (numbers, said, "please report this, with the program"))
    what = f"{head}: a part of how it depends on it is not in the record"
    said = f"the record, run again with that element moved, moves {recorded:.8g}"
    cause, node = not_recorded(function, m)
    return Fault("missing dependency", what, (numbers, said, cause), node=node)


def not_as_made(graph: Graph) -> Fault | None:
    """A node whose value is not what its op makes of its inputs."""
    for node in graph:
        if node.op is None:
            continue
        call = Call.of(node)
        with np.errstate(all="ignore"):
            made, again = (np.asarray(node.op.forward(*call.xs, **call.fixed)) for _ in range(2))
        if not same(made, again):
            what = f"{node.op.name} does not give the same twice for the same inputs ({node.where})"
            return Fault("non-deterministic", what, (), node.op, None, node)
        data = np.asarray(node.data)
        if not np.allclose(made, data, rtol=1e-6, atol=1e-300, equal_nan=True) and data.dtype.itemsize >= 8:
            said = f"{node.op.name} of its inputs gives something else than the value that stands in the record"
            todo = "an array of the record was written into after it was made: work on a copy"
            return Fault("in place", f"the data of {node!r} was changed in place", (said, todo), node.op, None, node)
    return None


def told_by_record(function: Recorded, m: Mismatch) -> bool:
    """Whether the record moves as the gradient says, so that no rule is wrong: what is wrong is not in the record."""
    return abs(record_moves(function, m) - m.says) <= 1e-3 * abs(m.moves - m.says)


def record_moves(function: Recorded, m: Mismatch) -> float:
    """How the result moves with one element when the record is run again, with all its constants as they were."""
    graph = function.graph()

    def values(xs: Sequence[ndarray]) -> list[ndarray]:
        made: dict[Node, Any] = dict(zip(function.leaves, xs))
        for node in graph:
            if node not in made:
                call = Call.of(node) if node.op is not None else None
                made[node] = np.asarray(node.data) if call is None else call.forward([made[x] for x in node.inputs])
        return [np.asarray(made[y] if isinstance(y, Node) else y) for y in function.outs]

    return Compared(values, function.pull, function.inputs, Tolerance.of(float), function.complex_ok).derivative(m)[0]


def close(a: float, b: float) -> bool:
    """Equal but for rounding."""
    return abs(a - b) <= 1e-6 * (abs(a) + abs(b)) + 1e-9
