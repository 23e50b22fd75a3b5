"""Fold a record: find the body of each loop over time, by comparing its steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tinygrad_seq.graph import Node

from ..errors import NoTimeStepsError
from ..reading.columns import BADGE, HIDDEN, MEMORY, NUMBER, Timeline, read_columns
from .loops import Folded, Input, Kind, Loop, Output, State, Use, Wire, short
from .reading import Reading, usual
from .usual import read_loop

PICKING = ("getitem", "embedding")  # ops that pick from what they take


def fold(loss: Node) -> Folded:
    """Find the body of each loop over time in the record of `loss`, by comparing its steps.

    Steps are compared in what they compute: ops, names, scopes and source lines, what each node takes and from how
    many steps ago, the weights it uses, shapes, and fixed arguments such as axes and slices.  Values are data, and so
    are arrays among the fixed arguments, such as targets and masks.  Where a step does something else than more than
    half of the steps do, that is said in words.

    Raises TypeError for what is no node, NoTimeStepsError for a record outside of time.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter, Tensor, steps
    >>> W, h = Parameter(np.eye(2) / 2, name="W_h"), Tensor([[0.0, 0.0]], name="h")
    >>> for t, x in steps(np.ones((5, 1, 2))):
    ...     h = np.tanh(h @ W + Tensor(x, name="x")).named("h")
    >>> fold(h.sum().named("loss"))
    Folded record of 23 nodes, 1 loop
    loop × 5, t = 1 … 5
      body        4 nodes: matmul, x, add, h
      carried     h of t - 1, at first h
      inputs      x
      outputs     h of t = 5 → loss
      parameters  W_h
      t = 1       takes h from outside (initial state 'h')
    """
    if not isinstance(loss, Node):
        raise TypeError(f"fold needs a node of a record (a Tensor or a Value), got {type(loss).__name__}")
    try:
        timeline = read_columns(loss)
    except NoTimeStepsError as error:
        raise NoTimeStepsError(str(error).replace("draw_unrolled", "fold", 1)) from None
    takers = takers_of(timeline)
    readings = [read_loop(timeline, columns) for columns in timeline.stretches]
    shared = shared_nodes(timeline)
    column = timeline.column
    outside = [node for i, node in enumerate(timeline.nodes) if column[i] is None and i not in shared]
    return Folded(
        tuple([public(reading, takers) for reading in readings]),
        tuple([timeline.nodes[i] for i in shared]),
        tuple(outside),
    )


def takers_of(timeline: Timeline) -> dict[int, list[int]]:
    """What takes each node, and is not folded into something else."""
    takers: dict[int, list[int]] = defaultdict(list)
    for i, xs in enumerate(timeline.inputs):
        if timeline.role[i] != HIDDEN:
            for x in dict.fromkeys(xs):
                takers[x].append(i)
    return takers


def shared_nodes(timeline: Timeline) -> dict[int, None]:
    """The weights, and what is made of them alone."""
    found: dict[int, None] = {}
    for i, xs in enumerate(timeline.inputs):
        known = all(x in found or timeline.role[x] == NUMBER for x in xs)
        if timeline.role[i] == BADGE or (timeline.role[i] == HIDDEN and timeline.column[i] is None and known):
            found[i] = None
    return found


def public(reading: Reading, takers: dict[int, list[int]]) -> Loop:
    """A loop as its reader sees it, of nodes and not of numbers."""
    nodes, aligned = reading.timeline.nodes, reading.aligned
    times, best = aligned.times, reading.usual_step
    order = sorted(range(aligned.body), key=lambda spot: aligned.at[spot][best])
    place = {spot: k for k, spot in enumerate(order)}
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for n, words in enumerate(reading.words):
        alike[tuple(words)].append(times[n])
    kinds = sorted(alike.items(), key=lambda item: (bool(item[0]), -len(item[1]), item[1]))
    return Loop(
        name=loop_name(reading),
        steps=tuple(times),
        usual=times[best],
        body=tuple([nodes[aligned.at[spot][best]] for spot in order]),
        wires=wires(reading, place),
        carried=tuple([state(reading, *which) for which in carried(reading)]),
        inputs=tuple([one for spot in order for one in inputs(reading, spot)]),
        context=tuple([nodes[i] for i in context(reading)]),
        outputs=outputs(reading, takers),
        parameters=uses(reading, place),
        kinds=tuple([Kind(tuple(ts), words) for words, ts in kinds]),
        nodes={t: tuple([nodes[i] for i in row]) for t, row in zip(times, all_rows(reading), strict=True)},
        aligned={t: in_row([aligned.at[spot].get(n) for spot in order], nodes) for n, t in enumerate(times)},
    )


def all_rows(reading: Reading) -> list[list[int]]:
    """All nodes of each step, also those that a state only passes on its way to the next one."""
    index = {c: n for n, c in enumerate(reading.aligned.columns)}
    rows: list[list[int]] = [[] for _ in index]
    for i, c in enumerate(reading.timeline.column):
        if c in index:
            rows[index[c]].append(i)
    return rows


def in_row(row: Sequence[int | None], nodes: list[Node]) -> tuple[Node | None, ...]:
    """Nodes by their places in the record."""
    return tuple([None if i is None else nodes[i] for i in row])


def loop_name(reading: Reading) -> str:
    """The scope that most nodes of a loop have, as far as its first slash; "" where there is none."""
    nodes = reading.timeline.nodes
    return str(usual(nodes[i].scope.split("/")[0] for i in reading.aligned.row_of) or "")


def wires(reading: Reading, place: dict[int, int]) -> tuple[Wire, ...]:
    """How the nodes of a body hang together, as usual."""
    found = []
    for spot, target in sorted(place.items(), key=lambda item: item[1]):
        for k, take in enumerate(reading.takes[spot]):
            if take.spot in place:
                distance = None if take.kind == "states" else take.distance
                found.append(Wire(place[take.spot], target, k, distance))
    return tuple(found)


def carried(reading: Reading) -> list[tuple[int, int]]:
    """The states, each as a spot and a distance, in the order in which they are taken up."""
    body = range(reading.aligned.body)
    found = [(take.spot, take.distance) for spot in body for take in reading.takes[spot] if take.kind == "carried"]
    return list(dict.fromkeys(found))


def state(reading: Reading, spot: int, distance: int) -> State:
    """A state with its nodes: at each step what is handed on, or would be."""
    nodes, aligned = reading.timeline.nodes, reading.aligned
    at = dict(aligned.at[spot])
    at.update({aligned.row_of[x]: x for x, known in reading.states.items() if known == spot})
    first = dict.fromkeys(x for _, x in sorted(reading.starts.get((spot, distance), [])))
    row = in_row([at.get(n) for n in range(len(aligned.rows))], nodes)
    return State(name_of(reading, spot), row, distance, tuple([nodes[x] for x in first]))


def name_of(reading: Reading, spot: int) -> str:
    """The name of what is on a spot; where it has none, its op."""
    return reading.names[spot] or short(reading.timeline.nodes[reading.aligned.sample(spot)])


def inputs(reading: Reading, spot: int) -> list[Input]:
    """What comes in anew at each step, for the node on a spot: itself, or what it takes."""
    timeline, aligned = reading.timeline, reading.aligned
    nodes = aligned.at[spot]
    steps = range(len(aligned.rows))
    found = []
    if comes_in(reading, spot):
        found.append(Input(name_of(reading, spot), in_row([nodes.get(n) for n in steps], timeline.nodes)))
    for k, take in enumerate(reading.takes[spot]):
        if take.kind == "given":
            given = reading.series[spot, k]
            name = next((timeline.stems[x] for x in given.values()), "")
            found.append(Input(name, in_row([given.get(n) for n in steps], timeline.nodes)))
    return found


def comes_in(reading: Reading, spot: int) -> bool:
    """Whether the node on a spot is given, or picked from what all steps share; not a constant of the code."""
    timeline, sample = reading.timeline, reading.aligned.sample(spot)
    node = timeline.nodes[sample]
    if timeline.role[sample] == NUMBER:
        return len({np.asarray(timeline.nodes[i].data).tobytes() for i in reading.aligned.at[spot].values()}) > 1
    if node.op is None:
        return True
    return node.op.name in PICKING and all(take.kind in ("shared", "outside") for take in reading.takes[spot])


def context(reading: Reading) -> list[int]:
    """What the steps take from outside that is no weight and no first value of a state."""
    role = reading.timeline.role
    taken = [take for spot in range(reading.aligned.body) for take in reading.takes[spot]]
    return list(dict.fromkeys(t.node for t in taken if t.kind == "outside" or (t.node >= 0 and role[t.node] == MEMORY)))


def outputs(reading: Reading, takers: dict[int, list[int]]) -> tuple[Output, ...]:
    """What is taken from the loop by what is outside of it, and the end of the record if it is inside."""
    timeline, aligned = reading.timeline, reading.aligned
    leaving: dict[object, dict[int, int]] = defaultdict(dict)  # what leaves, by name or spot → step → its node
    into: dict[object, dict[int, None]] = defaultdict(dict)
    for i, n in aligned.row_of.items():
        outer = [user for user in takers.get(i, ()) if user not in aligned.row_of]
        if outer or i == timeline.root:
            key: object = (timeline.nodes[i].scope, timeline.stems[i]) if timeline.stems[i] else aligned.spot[i]
            key = aligned.spot[i] if n in leaving[key] else key
            leaving[key][n] = i
            into[key].update(dict.fromkeys(outer))
    found = []
    for key, at in leaving.items():
        if at:
            name = name_of(reading, aligned.spot[next(iter(at.values()))])
            nodes = tuple([timeline.nodes[at[n]] for n in sorted(at)])
            found.append(Output(name, nodes, tuple([timeline.nodes[i] for i in into[key]])))
    return tuple(found)


def uses(reading: Reading, place: dict[int, int]) -> tuple[Use, ...]:
    """The parameters that the steps use, themselves or through what is made of them."""
    nodes = reading.timeline.nodes
    users: dict[int, dict[int, None]] = {}
    for spot, takes in enumerate(reading.takes):
        for take in takes:
            if take.kind == "shared" and reading.timeline.role[take.node] == BADGE:
                for leaf in leaves_of(reading.timeline, take.node):
                    users.setdefault(leaf, {}).update({place[spot]: None} if spot in place else {})
    return tuple([Use(nodes[leaf], tuple(targets)) for leaf, targets in users.items()])


def leaves_of(timeline: Timeline, i: int) -> list[int]:
    """The leaves that ask for a gradient and that a node was made from, in order of birth."""
    seen = {i}
    waiting = [i]
    while waiting:
        for x in timeline.inputs[waiting.pop()]:
            if x not in seen:
                seen.add(x)
                waiting.append(x)
    return sorted(x for x in seen if timeline.nodes[x].op is None and timeline.nodes[x].requires_grad)
