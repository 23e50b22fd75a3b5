"""A record folded, as its reader sees it: loops, and what each carries on, takes in, puts out and shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tinygrad_seq.graph import Node

from ..pictures.labels import shorten, visible
from ..unrolled.faces import shape_text
from .reading import counted, listed, spanned


class Wire(NamedTuple):
    """How a node of a body comes by its input number `place`: from body[source], to body[target].

    distance: how many steps before; 0 in the same step, negative for steps later, None for several steps at once.
    """

    source: int
    target: int
    place: int
    distance: int | None


class State(NamedTuple):
    """What goes from step to step: h_t, made from h_{t-1}.

    nodes: one for each step, None where a step has none.  distance: how many steps on it is taken up; negative where
    it runs back in time.  first: what the steps at the edge take in its place, such as h_0.
    """

    name: str
    nodes: tuple[Node | None, ...]
    distance: int
    first: tuple[Node, ...]


class Input(NamedTuple):
    """What comes in anew at each step.  nodes: one for each step, None where a step has none."""

    name: str
    nodes: tuple[Node | None, ...]


class Output(NamedTuple):
    """What is taken from the loop by what is outside.  nodes: those taken, in order of t.  into: what takes them."""

    name: str
    nodes: tuple[Node, ...]
    into: tuple[Node, ...]


class Use(NamedTuple):
    """A parameter that the steps share.  users: the nodes of the body that take it, or what is made of it.

    There are none where only steps that differ use it.
    """

    parameter: Node
    users: tuple[int, ...]


class Kind(NamedTuple):
    """Steps that are alike.  differences: what they compute otherwise than usual, in words; none for the usual ones."""

    steps: tuple[int, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Loop:
    """One loop over time, folded.

    name: the scope of most of its nodes.  steps: every t.  usual: the step that the body is taken from.  body: its
    nodes, oldest first.  wires: how these hang together; nodes of a body are named by their place in it.  nodes: all
    nodes of each step, by t.  The other fields are described with their types.
    """

    name: str
    steps: tuple[int, ...]
    usual: int
    body: tuple[Node, ...]
    wires: tuple[Wire, ...]
    carried: tuple[State, ...]
    inputs: tuple[Input, ...]
    context: tuple[Node, ...]  # what all steps take from outside: the states of an encoder
    outputs: tuple[Output, ...]
    parameters: tuple[Use, ...]
    kinds: tuple[Kind, ...]
    nodes: dict[int, tuple[Node, ...]]
    aligned: dict[int, tuple[Node | None, ...]] = field(default_factory=dict)

    def at(self, t: int) -> tuple[Node | None, ...]:
        """The nodes of step t that correspond to those of the body; None where it lacks one."""
        if t not in self.aligned:
            raise ValueError(f"the loop has the steps {spanned(self.steps)}, and not t = {t}")
        return self.aligned[t]

    def more(self, t: int) -> tuple[Node, ...]:
        """The nodes of step t that correspond to none of the body."""
        known = {id(node) for node in self.at(t)}
        return tuple([node for node in self.nodes[t] if id(node) not in known])

    @property
    def differing(self) -> dict[int, tuple[str, ...]]:
        """The steps that compute something else than usual: t → what, in words."""
        found = {t: kind.differences for kind in self.kinds for t in kind.steps if kind.differences}
        return dict(sorted(found.items()))

    @property
    def looks(self) -> list[tuple[int, int]]:
        """What is looked at over several steps, as in attention, and what looks: places in the body."""
        return list(dict.fromkeys((w.source, w.target) for w in self.wires if w.distance is None))

    @property
    def foldable(self) -> bool:
        """Whether there are several steps, and most of what they compute is in the body."""
        others = [t for t in self.steps if t != self.usual]
        common = sum(node is not None for t in others for node in self.aligned[t])
        return 2 * common > sum(len(self.nodes[t]) for t in others)

    def __repr__(self) -> str:
        rows = [("body", f"{counted(len(self.body), 'node')}: {listed([short(node) for node in self.body], 12)}")]
        rows += [("carried", said_state(state)) for state in self.carried]
        rows += [("inputs", listed([called_input(x) for x in self.inputs], 12))]
        rows += [("context", listed(list(dict.fromkeys(map(short, self.context)))))]
        looks = [(short(self.body[a]), short(self.body[b])) for a, b in self.looks]
        rows += [("looks at", f"{seen} of several steps, by {eye}") for seen, eye in looks]
        for output in self.outputs:
            when = spanned(tuple([node.t if node.t is not None else 0 for node in output.nodes]))
            into = listed(list(dict.fromkeys(map(short, output.into))), 4) or "the end"
            rows.append(("outputs", f"{shorten(visible(output.name), 200, 12)} of {when} → {into}"))
        rows += [("parameters", listed([short(use.parameter) for use in self.parameters], 12))]
        rows += [(spanned(kind.steps), "; ".join(kind.differences)) for kind in self.kinds if kind.differences][:12]
        width = max(10, *(len(row[0]) for row in rows))
        title = f"loop {visible(self.name)}".rstrip() + f" × {len(self.steps)}, {spanned(self.steps)}"
        title += "" if self.foldable or len(self.steps) == 1 else ", most of whose steps are not alike"
        return "\n".join([title, *(f"  {name:{width}}  {text}" for name, text in rows if text)])


@dataclass(frozen=True, eq=False, repr=False)
class Folded:
    """A record with each of its loops over time folded.

    loops: from the first to the last; an encoder and its decoder are two.  shared: the parameters and what is made of
    them alone.  outside: all else beside time: initial states, what lies between loops, sums of losses.  Every node
    of the record is in one of these.
    """

    loops: tuple[Loop, ...]
    shared: tuple[Node, ...]
    outside: tuple[Node, ...]

    @property
    def loop(self) -> Loop:
        """The only loop.  Raises ValueError where there are several."""
        if len(self.loops) != 1:
            names = ", ".join(f"{loop.name or 'one'} of {spanned(loop.steps)}" for loop in self.loops)
            raise ValueError(f"the record has {len(self.loops)} loops ({names}): take one of .loops")
        return self.loops[0]

    def __repr__(self) -> str:
        many = sum(len(nodes) for loop in self.loops for nodes in loop.nodes.values())
        title = f"Folded record of {counted(many + len(self.shared) + len(self.outside), 'node')}"
        return "\n".join([title + f", {counted(len(self.loops), 'loop')}", *map(repr, self.loops)])


def short(node: Node) -> str:
    """A node in a word: its name, its op or its shape."""
    name = shorten(visible(node.name or ""), 200, 12)
    return name or (node.op.name if node.op is not None else shape_text(node))


def called_input(x: Input) -> str:
    """An input by its name, or where it has none by its shape."""
    first = next(node for node in x.nodes if node is not None)
    return shorten(visible(x.name), 200, 12) or (short(first) if np.shape(first.data) else "a number")


def said_state(state: State) -> str:
    """A state in a line."""
    sign = "-" if state.distance > 0 else "+"
    first = f", at first {listed([short(node) for node in state.first], 4)}" if state.first else ""
    return f"{shorten(visible(state.name), 200, 12)} of t {sign} {abs(state.distance)}{first}"
