"""Lines of a model: what makes a node of one step and a node of the next the same thing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from tinygrad_seq.graph import Node

Key = tuple[object, ...]


def stems_of(nodes: list[Node]) -> list[str]:
    """Names without the number of their own step, where all nodes of that name carry their step's number."""
    split: list[tuple[str, bool]] = []
    agreeing: dict[str, set[int]] = defaultdict(set)
    disagreeing: set[str] = set()
    for node in nodes:
        name = node.name or ""
        stem = name.rstrip("0123456789")
        digits = name[len(stem) :]
        stem = stem.rstrip("_") or stem
        numbered = bool(digits and stem and node.t is not None and int(digits) == node.t)
        split.append((stem, numbered))
        if numbered:
            agreeing[stem].add(node.t)  # type: ignore[arg-type]
        elif digits and node.t is not None:
            disagreeing.add(stem)
    taken = {stem for stem, ts in agreeing.items() if len(ts) > 1 and stem not in disagreeing}
    return [
        stem if numbered and stem in taken else node.name or ""
        for node, (stem, numbered) in zip(nodes, split, strict=True)
    ]


def line_keys(nodes: list[Node], stems: list[str], times: Sequence[int | None]) -> list[Key]:
    """What a node is, without regard to what it is made from: equal for the same line of the model at each step."""
    seen: Counter[tuple[object, ...]] = Counter()
    keys: list[Key] = []
    for i, node in enumerate(nodes):
        kind = (node.op.name if node.op else "", node.scope, stems[i], node.origin)
        keys.append((*kind, seen[times[i], kind]))
        seen[times[i], kind] += 1
    return keys
