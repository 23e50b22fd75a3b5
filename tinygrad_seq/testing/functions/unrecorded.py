"""What of a function its record does not know: constants that move with the input, branches, dice."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...graph import Graph, Node
from ..faults import Fault
from ..numeric.agreement import Mismatch
from ..rules.calls import same
from .recorded import Recorded, plain

__all__ = ["changes_by_itself", "chosen", "not_recorded"]

TINY = 1e-7  # how far an input is moved to see what moves with it


def changes_by_itself(function: Recorded) -> Fault | None:
    """The fault of a function that does not give the same twice, with the first thing in its record that differs."""
    again = function.run(function.at(function.inputs))
    if len(again) == len(function.outs) and all(same(np.asarray(plain(a)), b) for a, b in zip(again, function.numbers)):
        return None
    what = f"{function.name} does not give the same for the same inputs"
    found = differing(function, Graph(*[y for y in again if isinstance(y, Node)]))
    where = [f"{one.what} is another one each time" for one in found[:1]]
    todo = "nothing can be told of what changes by itself: draw at random once, outside, or after manual_seed inside"
    return Fault("non-deterministic", what, (*where, todo))


def not_recorded(function: Recorded, m: Mismatch) -> tuple[str, Node | None]:
    """What was computed without being recorded, as the first constant of the record that moves with the input."""
    outside = "plain NumPy, .data, .detach() or no_grad()"
    y = function.outs[m.output]
    if not isinstance(y, Node):
        return f"result {m.output} is a plain array, computed with {outside}: nothing of it is recorded", None
    if not y.requires_grad:
        return f"result {m.output} requires no gradient: it was computed with {outside}", y
    for one in moving(function, m):
        if not one.choice:
            return f"{one.what} moves with the input, and the record cannot know", one.node
    return f"something was computed with {outside}, or outside of the function", None


def chosen(function: Recorded, m: Mismatch) -> str:
    """What the function chooses otherwise as soon as the input moves, such as a branch or a mask; "" for nothing.

    Where it does so, and nothing else moves without being recorded, there is no derivative.
    """
    found = moving(function, m)
    return found[0].what if found and all(one.choice for one in found) else ""


class Moving(NamedTuple):
    """What in a record is not computed from its leaves, and yet another in another run, in words.

    choice: it has no slope: which ops there are, a mask, an index.  node: the constant, or whose argument it is.
    """

    what: str
    choice: bool
    node: Node | None = None


def moving(function: Recorded, m: Mismatch) -> list[Moving]:
    """What in the record becomes another by itself when the input moves a little, to either side."""
    found = []
    for step in (TINY, -TINY):
        arrays = [x.astype(float) for x in function.inputs]
        arrays[m.input][m.element] += step
        try:
            moved = Graph(*[y for y in function.run(function.at(arrays)) if isinstance(y, Node)])
        except Exception:
            continue
        found += differing(function, moved)
    return found


def differing(function: Recorded, other: Graph) -> list[Moving]:
    """What is not the same in the record of another run, but for what was computed."""
    mine = function.graph().nodes
    if [node.op for node in mine] != [node.op for node in other.nodes]:
        return [Moving("the path of the function, which computes with other ops,", True)]
    found = []
    for a, b in zip(mine, other.nodes):
        given = any(a is x for x in function.leaves)
        if a.op is None and not given and not same(np.asarray(a.data), np.asarray(b.data)):
            constant = f"the constant {a.name or ''}".rstrip() + f" of shape {np.shape(a.data)}"
            where = f" that entered at {a.source}" if a.source else ""
            found.append(Moving(constant + where, np.asarray(a.data).dtype.kind not in "fc", a))
        for name in a.fixed:
            if not equal(a.fixed[name], b.fixed.get(name)):
                what = f"the fixed argument {name} of {a.op.name} ({a.where})"
                found.append(Moving(what, not isinstance(a.fixed[name], float), a))
    return found


def equal(a: Any, b: Any) -> bool:
    """Whether two fixed arguments are the same."""
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | np.generic):
        return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b))
    return bool(a == b)
