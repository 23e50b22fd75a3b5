"""Steps compared: what single ones lack, have more, or have in the place of something else; shapes, and arguments."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable

import numpy as np

from ..pictures.labels import shorten, visible
from .reading import Reading, called, listed, thing, usual


def compare_presence(reading: Reading) -> None:
    """Note what steps lack, and what they have more."""
    aligned = reading.aligned
    lacking: dict[int, list[str]] = defaultdict(list)
    more: dict[int, list[str]] = defaultdict(list)
    alone: dict[int, list[str]] = defaultdict(list)
    for spot, nodes in enumerate(aligned.at):
        if spot < aligned.body:
            if len(nodes) < len(aligned.rows):
                said = thing(reading, spot, full=True)
                for n in range(len(aligned.rows)):
                    if n not in nodes:
                        lacking[n].append(said)
        else:
            for n, i in nodes.items():
                if (n, spot) not in reading.told:
                    (alone if len(nodes) == 1 else more)[n].append(called(reading, i))
    for n in range(len(aligned.rows)):
        if n in lacking:
            reading.tell(n, f"lacks {listed(lacking[n])}")
        if n in more:
            reading.tell(n, f"has {listed(more[n])} more")
        if n in alone:
            reading.tell(n, f"alone has {listed(alone[n])}")


def compare_lines(reading: Reading) -> None:
    """Note what steps have in the place of something else, and what comes from another line."""
    timeline, aligned = reading.timeline, reading.aligned
    moved: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for spot in range(aligned.body):
        nodes = aligned.at[spot]
        own = Counter(aligned.own[i] for i in nodes.values())
        if len(own) == 1:
            continue
        ((most, _),) = own.most_common(1)
        common = aligned.keys[most]
        sample = next(i for i in nodes.values() if aligned.own[i] == most)
        for n, i in nodes.items():
            key = aligned.keys[aligned.own[i]]
            if key[0] != common[0]:
                reading.other.add(i)
            elif key[2] != common[2] and name_went_on(reading, n, timeline.stems[i], timeline.stems[sample]):
                continue
            if key[0] != common[0] or key[2] != common[2]:
                reading.tell(n, f"has {called(reading, i)} where the others have {called(reading, sample)}")
            elif key[1] != common[1]:
                moved[n, in_scope(str(key[1])), in_scope(str(common[1]))].append(called(reading, i))
            elif key != common:
                line, other = timeline.nodes[i].source, timeline.nodes[sample].source
                if line != other:
                    moved[n, f"from line {line}", f"from line {other}"].append(called(reading, i))
    for (n, where, elsewhere), things in moved.items():
        reading.tell(n, f"has {listed(things)} {visible(where)}, the others {visible(elsewhere)}")


def name_went_on(reading: Reading, n: int, name: str, common: str) -> bool:
    """Whether a node has lost its name, maybe to one more node, or has it because the usual bearer is lacking."""
    bearers = [nodes for nodes, known in zip(reading.aligned.at, reading.names, strict=True) if known.endswith(name)]
    return not name or (not common and any(n not in nodes for nodes in bearers[: reading.aligned.body]))


def in_scope(scope: str) -> str:
    """Where in the model something is."""
    return f"in {scope}" if scope else "outside of scopes"


def compare_shapes(reading: Reading) -> None:
    """Note shapes that are not as usual, where that does not come from the shape of what a node takes."""
    timeline, odd = reading.timeline, dict[int, tuple[int, str]]()  # node → its step, what to say
    for spot in range(reading.aligned.body):
        nodes = reading.comparable(spot)
        shapes = {n: np.shape(timeline.nodes[i].data) for n, i in nodes.items()}
        common = usual(shapes.values())
        for n, shape in shapes.items():
            if common is not None and shape != common:
                odd[nodes[n]] = n, f"has {called(reading, nodes[n])} of shape {shape}, the others of {common}"
    for i, (n, words) in odd.items():
        if not any(x in odd for x in timeline.inputs[i]):
            reading.tell(n, words)


def compare_fixed(reading: Reading, spot: int) -> None:
    """Note fixed arguments that are not as usual."""
    timeline, nodes = reading.timeline, reading.comparable(spot)
    if all(not timeline.nodes[i].fixed for i in nodes.values()):
        return
    written: dict[str, dict[int, Hashable]] = defaultdict(dict)
    for n, i in nodes.items():
        picking = all(x not in reading.aligned.row_of for x in timeline.inputs[i])
        for name, value in timeline.nodes[i].fixed.items():
            written[name][n] = code_of(value, picking)
    for name, values in written.items():
        common = usual(values.values())
        for n, value in values.items():
            if common is not None and value != common:
                said = f"{visible(name)} = {as_written(value)}"
                reading.tell(n, f"has {said} in {called(reading, nodes[n])}, the others {as_written(common)}")


def code_of(value: object, picking: bool) -> Hashable:
    """A fixed argument without what is data in it: arrays, and the numbers that pick from something shared."""
    if isinstance(value, tuple | list):
        return tuple([code_of(part, picking) for part in value])
    if isinstance(value, slice):
        return "slice" if picking else (slice, value.start, value.stop, value.step)
    if isinstance(value, float | np.floating):
        return f"{value:g}"
    if isinstance(value, bool | str | type(None)):
        return value
    if isinstance(value, int | np.integer):
        return "number" if picking else int(value)
    return type(value).__name__


def as_written(code: Hashable) -> str:
    """A fixed argument in Python's notation."""
    if isinstance(code, str):
        return shorten(visible(code), 200, 12)
    if isinstance(code, tuple) and code and code[0] is slice:
        return ":".join("" if part is None else str(part) for part in code[1:3])
    if isinstance(code, tuple):
        return f"({', '.join(map(as_written, code))})"
    return shorten(visible(repr(code)), 200, 12)
