"""A gradient that is wrong though every rule is right: what else it can be, and the check that tells which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...graph import Graph, Node
from ...hooks import EVERY, OF_NODE
from ..numeric.agreement import Compared, Mismatch, Tolerance
from ..reports import Fault
from ..rules.calls import Call, gradients_of, same
from .recorded import Recorded, plain

__all__ = ["changes_by_itself", "chosen", "diagnosed", "too_rough"]

TINY = 1e-7  # how far an input is moved to see what moves with it


def changes_by_itself(function: Recorded) -> Fault | None:
    """The fault of a function that does not give the same twice, with the first thing in its record that differs."""
    again = function.run(function.at(function.inputs))
    if len(again) == len(function.outs) and all(same(np.asarray(plain(a)), b) for a, b in zip(again, function.numbers)):
        return None
    what = f"{function.name} does not give the same for the same inputs"
    found = differing(function, Graph(*[y for y in again if isinstance(y, Node)]))
    where = [f"{what} is another one each time" for what, _ in found[:1]]
    todo = "nothing can be told of what changes by itself: draw at random once, outside, or after manual_seed inside"
    return Fault("non-deterministic", what, (*where, todo))


def diagnosed(function: Recorded, m: Mismatch, rng: np.random.Generator) -> Fault:
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
    return Fault("missing dependency", what, (numbers, said, *not_recorded(function, m)))


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


def not_recorded(function: Recorded, m: Mismatch) -> list[str]:
    """The first constant of the record that moves with the input: what was computed without being recorded."""
    outside = "plain NumPy, .data, .detach() or no_grad()"
    y = function.outs[m.output]
    if not isinstance(y, Node):
        return [f"result {m.output} is a plain array, computed with {outside}: nothing of it is recorded"]
    if not y.requires_grad:
        return [f"result {m.output} requires no gradient: it was computed with {outside}"]
    found = [what for what, choice in moving(function, m) if not choice]
    said = [f"{what} moves with the input, and the record cannot know" for what in found[:1]]
    return said or [f"something was computed with {outside}, or outside of the function"]


def chosen(function: Recorded, m: Mismatch) -> str:
    """What the function chooses otherwise as soon as the input moves, such as a branch or a mask; "" for nothing.

    Where it does so, and nothing else moves without being recorded, there is no derivative.
    """
    found = moving(function, m)
    return found[0][0] if found and all(choice for _, choice in found) else ""


def moving(function: Recorded, m: Mismatch) -> list[tuple[str, bool]]:
    """What in the record becomes another by itself when the input moves a little, to either side."""
    found = []
    for step in (TINY, -TINY):
        arrays = [x.astype(float) for x in function.inputs]
        arrays[m.input] = arrays[m.input] + step * unit(arrays[m.input].shape, m.element)
        try:
            moved = Graph(*[y for y in function.run(function.at(arrays)) if isinstance(y, Node)])
        except Exception:
            continue
        found += differing(function, moved)
    return found


def differing(function: Recorded, other: Graph) -> list[tuple[str, bool]]:
    """What is not the same in the record of another run, but for what was computed; and whether it is a choice.

    A choice is what has no slope: which ops there are, a mask, an index.
    """
    mine = function.graph().nodes
    if [node.op for node in mine] != [node.op for node in other.nodes]:
        return [("the path of the function, which computes with other ops,", True)]
    found = []
    for a, b in zip(mine, other.nodes):
        given = any(a is x for x in function.leaves)
        if a.op is None and not given and not same(np.asarray(a.data), np.asarray(b.data)):
            constant = f"the constant {a.name or ''}".rstrip() + f" of shape {np.shape(a.data)}"
            where = f" that entered at {a.source}" if a.source else ""
            found.append((constant + where, np.asarray(a.data).dtype.kind not in "fc"))
        for name in a.fixed:
            if not equal(a.fixed[name], b.fixed.get(name)):
                what = f"the fixed argument {name} of {a.op.name} ({a.where})"
                found.append((what, not isinstance(a.fixed[name], float)))
    return found


def equal(a: Any, b: Any) -> bool:
    """Whether two fixed arguments are the same."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | np.generic):
        return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b))
    return bool(a == b)


def close(a: float, b: float) -> bool:
    """Equal but for rounding."""
    return abs(a - b) <= 1e-6 * (abs(a) + abs(b)) + 1e-9


def unit(shape: tuple[int, ...], place: tuple[int, ...]) -> ndarray:
    """Zeros, and a one."""
    e = np.zeros(shape)
    e[place] = 1
    return e
