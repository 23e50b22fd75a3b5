"""A loop as it is read: what its steps usually take from where, what single steps do otherwise, and words for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from ..pictures.labels import number, shorten, visible
from ..reading.columns import NUMBER, Timeline
from ..unrolled.faces import shape_text
from .alignment import Alignment

K = TypeVar("K", bound=Hashable)
MOST = 4  # things of one kind that are named, before only their number is said


class Take(NamedTuple):
    """Where an input comes from.

    here      from the same step                    spot
    carried   from another step                     spot, distance in steps
    states    from several or varying steps         spot
    shared    a weight, or what is made of weights  node
    outside   from outside the loop                 node
    given     something else at each step
    """

    kind: str
    spot: int = -1
    distance: int = 0
    node: int = -1
    cut: bool = False  # no gradient goes back this way


@dataclass
class Reading:
    """A loop, read. Steps are counted from 0, nodes are places in the record."""

    timeline: Timeline
    aligned: Alignment
    names: list[str] = field(default_factory=list)  # of each spot, after its scope where several have that name
    states: dict[int, int] = field(default_factory=dict)  # node that other steps take → the spot of its state
    takes: list[list[Take]] = field(default_factory=list)  # of each spot, as usual
    starts: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)  # spot, distance → (step, node)s
    series: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)  # input of a spot → step → its node
    words: list[list[str]] = field(default_factory=list)  # of each step: what it does otherwise
    told: set[tuple[int, int]] = field(default_factory=set)  # nodes of which enough is said, as (step, spot)
    other: set[int] = field(default_factory=set)  # nodes that stand in the place of another op

    def comparable(self, spot: int) -> dict[int, int]:
        """The nodes on a spot that are of the usual op: step → node."""
        return {n: i for n, i in self.aligned.at[spot].items() if i not in self.other}

    def tell(self, step: int, words: str) -> None:
        """Note what a step does otherwise, once."""
        if words not in self.words[step]:
            self.words[step].append(words)

    @property
    def usual_step(self) -> int:
        """The first of the steps that differ least, among those of the most common kind."""
        return min(self.aligned.kinds[0], key=lambda n: (len(self.words[n]), n))


def usual(values: Iterable[K]) -> K | None:
    """What more than half of the values are, else None."""
    counts = Counter(values)
    return next((value for value, count in counts.most_common(1) if 2 * count > counts.total()), None)


def names_of(timeline: Timeline, aligned: Alignment) -> list[str]:
    """The name of what is on each spot, after its scope where several of the body have that name."""
    samples = [aligned.sample(spot) for spot in range(len(aligned.at))]
    stems = [timeline.stems[i] for i in samples]
    scopes: dict[str, set[str]] = defaultdict(set)
    for stem, i in zip(stems[: aligned.body], samples, strict=False):
        scopes[stem].add(timeline.nodes[i].scope)
    many = {stem for stem, found in scopes.items() if stem and len(found) > 1}
    return [
        f"{timeline.nodes[i].scope}/{stem}" if stem in many and timeline.nodes[i].scope else stem
        for stem, i in zip(stems, samples, strict=True)
    ]


# ---- words ---------------------------------------------------------------------------


def called(reading: Reading, i: int) -> str:
    """A node by its op and its name."""
    node, stem = reading.timeline.nodes[i], shorten(visible(reading.timeline.stems[i]), 200, 12)
    if node.op is not None:
        return f"{node.op.name} {stem!r}" if stem else str(node.op.name)
    if reading.timeline.role[i] == NUMBER:
        return f"the number {number(float(np.asarray(node.data).reshape(())))}"
    return f"the given {stem!r}" if stem else f"a given {shape_text(node)}"


def thing(reading: Reading, spot: int, *, full: bool = False) -> str:
    """What is on a spot: its name, or where it has none its op."""
    name = reading.names[spot]
    return called(reading, reading.aligned.sample(spot)) if full or not name else visible(name)


def source(reading: Reading, take: Take, x: int) -> str:
    """Where an input comes from."""
    if take.kind in ("here", "states", "carried"):
        said = thing(reading, take.spot)
        ago = abs(take.distance)
        when = f" of {counted(ago, 'step')} {'before' if take.distance > 0 else 'later'}" if take.distance else ""
        return said + when + (" of several steps" if take.kind == "states" else "")
    if take.kind == "shared":
        return shared_name(reading, take.node)
    return "something of its own" if x < 0 else f"{origin(reading, x)} from outside"


def origin(reading: Reading, x: int) -> str:
    """What comes from outside of a loop."""
    timeline = reading.timeline
    node, stem, c = timeline.nodes[x], visible(timeline.stems[x]), timeline.column[x]
    if timeline.role[x] == NUMBER:
        return number(float(np.asarray(node.data).reshape(())))
    if c is not None and x not in reading.aligned.row_of:
        return f"{called(reading, x)} of t = {timeline.steps[c]}"
    if node.op is not None:
        return called(reading, x)
    return f"initial state {stem!r}" if stem else f"initial state, {shape_text(node)}"


def shared_name(reading: Reading, x: int) -> str:
    """The name of a weight, or of what a thing made of weights is made of."""
    timeline = reading.timeline
    if timeline.stems[x]:
        return visible(timeline.stems[x])
    node = timeline.nodes[x]
    if node.op is None:
        return f"a given {shape_text(node)}"
    inner = [shared_name(reading, y) for y in timeline.inputs[x][:MOST]]
    return f"{node.op.name}({', '.join(inner)})"


def listed(things: list[str], most: int = MOST) -> str:
    """The first of several things, and how many there are more."""
    shown = things[:most]
    more = len(things) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def counted(many: int, what: str) -> str:
    """A number of things."""
    return f"{many} {what}" + ("s" if many != 1 else "")


def spanned(steps: tuple[int, ...]) -> str:
    """Several time steps in short."""
    if len(steps) == 1:
        return f"t = {steps[0]}"
    if steps[-1] - steps[0] + 1 == len(steps) > 2:
        return f"t = {steps[0]} … {steps[-1]}"
    return f"t = {', '.join(map(str, steps[:6]))}" + (f" and {len(steps) - 6} more" if len(steps) > 6 else "")
