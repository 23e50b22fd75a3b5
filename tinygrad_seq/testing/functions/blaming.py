"""Which op is wrong: the rule of every node of a record, held against how the op moves at the recorded values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...graph import Graph, Node
from ...ops import table
from ..faults import Fault
from ..rules.calls import Call, Findings
from ..rules.derivative import check_rule
from ..rules.manners import check_manners
from ..rules.second import check_second

__all__ = ["blame", "blame_second", "check_own"]

OURS = frozenset(vars(table).values())
# Ops that on purpose pass on another gradient than their derivative, and the argument with which they pass it whole.
WHOLE: Mapping[Any, dict[str, Any]] = {
    table.embedding: {"padding_idx": None},
    table.clip_gradient: {"max_norm": np.inf},
}
FIRST = 3  # nodes of each kind that are looked at before all others

Check = Callable[[Call, np.random.Generator, Any], Findings]


def blame(
    graph: Graph,
    gradients: Mapping[Node, Any],
    rng: np.random.Generator,
    most: int | None = None,
    doubtful: Callable[[], bool] = lambda: True,
) -> Findings:
    """The ops of a record whose rules are wrong, the oldest node first.

    gradients: what arrived at the nodes, to try besides gradients of chance.  most: how many nodes to look at.
    doubtful: asked where a few nodes of each kind are right, whether another can be wrong.
    """

    def check(call: Call, rng: np.random.Generator, g: Any) -> Findings:
        g = getattr(g, "data", g)
        return check_rule(call, rng, g=None if g is None else np.asarray(g))

    return searched(graph, gradients, rng, check, most, doubtful)


def blame_second(graph: Graph, rng: np.random.Generator) -> Findings:
    """The ops of a record whose rules, recorded, have another derivative than they should."""
    return searched(graph, {}, rng, lambda call, rng, _: check_second(call, rng))


def check_own(graph: Graph, rng: np.random.Generator) -> Findings:
    """The manners of ops that are not the package's own, at the first node of each."""
    found, seen = Findings(), set()
    for node in graph:
        if node.op is not None and node.op not in OURS and node.op not in seen:
            seen.add(node.op)
            found.add(examined(node, None, rng, lambda call, rng, _: check_manners(call, rng)))
    return found


def searched(
    graph: Graph,
    gradients: Mapping[Node, Any],
    rng: np.random.Generator,
    check: Check,
    most: int | None = None,
    doubtful: Callable[[], bool] = lambda: True,
) -> Findings:
    """What a check finds at a few nodes of each kind in a record; if these are right, at the first where it is not."""
    found = Findings()
    nodes = [node for node in graph if node.op is not None and node.requires_grad]
    first, rest = shared_out(nodes)
    for node in first[:most]:
        found.add(examined(node, gradients.get(node), rng, check))
    if rest and not found.faults and doubtful():
        for node in rest[:most]:
            found.add(examined(node, gradients.get(node), rng, check))
            if found.faults:
                break
    found.faults.sort(key=lambda fault: fault.node.birth if fault.node is not None else 0)
    found.faults = once(found.faults)
    return found


def examined(node: Node, g: Any, rng: np.random.Generator, check: Check) -> Findings:
    """What a check finds at one node; nothing where the op itself cannot be run again at its values."""
    call = Call.of(node)
    whole = {**call.fixed, **WHOLE.get(call.op, {})}
    try:
        with np.errstate(all="ignore"):
            found = check(call, rng, g)
            if found.faults and whole != call.fixed and bent(call):
                found = check(call._replace(fixed=whole), rng, g)
                found.notes.append(f"{call.op.name} stops or shortens a gradient here, on purpose ({node.where})")
                found.pointless = True
            return found
    except Exception as error:
        why = f"{node.op.name} could not be looked at alone ({node.where}): {type(error).__name__}: {error}"
        return Findings(notes=[why])


def bent(call: Call) -> bool:
    """Whether there is anything here that the op passes on otherwise: for an embedding, a word that is padding."""
    return call.op is not table.embedding or bool(np.any(call.fixed["indices"] == call.fixed["padding_idx"]))


def shared_out(nodes: Iterable[Node]) -> tuple[list[Node], list[Node]]:
    """The first few nodes that each op made at each place in the code, and all the others."""
    met: dict[Any, int] = defaultdict(int)
    first: list[Node] = []
    rest: list[Node] = []
    for node in nodes:
        key = node.op, node.origin
        met[key] += 1
        (first if met[key] <= FIRST else rest).append(node)
    return first, rest


def once(faults: list[Fault]) -> list[Fault]:
    """Of the faults of the same op by the same input, the first."""
    first: dict[Any, Fault] = {}
    for fault in faults:
        first.setdefault((fault.kind, fault.op, fault.input), fault)
    return list(first.values())
