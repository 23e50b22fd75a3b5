"""What the steps of a loop usually compute, and what single steps compute otherwise, in words.

What counts: which ops there are, their names, scopes and source lines; what each takes, and from how many steps ago;
which weights it uses; shapes; and the fixed arguments that are written in the code, such as axes, slices, exponents.
What does not count, because it is data: values, arrays among the fixed arguments (targets, masks), and which element
is picked from something that all steps share.  Usual is what more than half of the steps do; where no more than half
agree, as with a shape that grows from step to step, nothing is usual and no step differs.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from ..reading.columns import BADGE, MEMORY, Timeline
from .alignment import Alignment, align
from .differences import compare_fixed, compare_lines, compare_presence, compare_shapes
from .reading import Reading, Take, called, counted, listed, names_of, origin, shared_name, source, thing, usual


def read_loop(timeline: Timeline, columns: list[int]) -> Reading:
    """Read the loop whose steps stand in the given columns."""
    aligned = align(timeline, columns)
    reading = Reading(timeline, aligned, names_of(timeline, aligned), words=[[] for _ in columns])
    reading.states = read_states(timeline, aligned)
    taking = {i: takes_of(reading, i) for i in aligned.row_of}
    compare_lines(reading)
    for spot in range(len(aligned.at)):
        reading.takes.append(read_inputs(reading, spot, taking))
    compare_presence(reading)
    compare_shapes(reading)
    for spot in range(aligned.body):
        compare_fixed(reading, spot)
    return reading


def read_states(timeline: Timeline, aligned: Alignment) -> dict[int, int]:
    """For each node that other steps take the spot of its state.

    A state is known by its name: where some steps hand it on from another spot, say after one more op, it is the same.
    """
    taken = {x: x for i, n in aligned.row_of.items() for x in timeline.inputs[i] if aligned.row_of.get(x, n) != n}
    steps: dict[tuple[str, str], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for x in taken:
        steps[timeline.nodes[x].scope, timeline.stems[x]][aligned.spot[x]].add(aligned.row_of[x])
    states: dict[int, int] = {}
    for (_, name), spots in steps.items():
        best = max(spots, key=lambda s: (timeline.stems[aligned.sample(s)] == name, len(spots[s]), -s))
        states.update({s: best for s, at in spots.items() if name and not at & spots[best]})
    return {x: states.get(aligned.spot[x], aligned.spot[x]) for x in taken}


def takes_of(reading: Reading, i: int) -> list[Take]:
    """Where each input of a node comes from."""
    timeline, aligned = reading.timeline, reading.aligned
    step = aligned.row_of[i]
    found = []
    for x in timeline.inputs[i]:
        if x in aligned.row_of:
            distance = aligned.times[step] - aligned.times[aligned.row_of[x]]
            if distance == 0:
                found.append(Take("here", aligned.spot[x]))
            else:
                found.append(Take("carried", reading.states[x], distance, cut=stops(timeline, x)))
        elif timeline.role[x] in (BADGE, MEMORY):
            found.append(Take("shared", node=x))
        else:
            found.append(Take("outside", node=x))
    return found


def stops(timeline: Timeline, i: int) -> bool:
    """Whether no gradient goes back from the next step to a node: a cut, or what has been detached."""
    node = timeline.nodes[i]
    if any(x in timeline.cuts for x in timeline.parts.get(i, [i])):
        return True
    return node.op.name == "cut" if node.op is not None else not node.requires_grad


def read_inputs(reading: Reading, spot: int, taking: dict[int, list[Take]]) -> list[Take]:
    """What the node on a spot usually takes; notes what single steps take otherwise."""
    nodes = reading.comparable(spot)
    if any(i in reading.timeline.parts for i in nodes.values()):
        return read_unit(reading, spot, taking)
    many = usual(len(taking[i]) for i in nodes.values())
    if many is None:
        return read_gathering(reading, spot, taking)
    for n, i in nodes.items():
        if len(taking[i]) != many and spot < reading.aligned.body:
            reading.tell(n, f"{called(reading, i)} takes {counted(len(taking[i]), 'input')}, elsewhere {many}")
    fitting = {n: taking[i] for n, i in nodes.items() if len(taking[i]) == many}
    return [read_input(reading, spot, k, {n: takes[k] for n, takes in fitting.items()}) for k in range(many)]


def read_gathering(reading: Reading, spot: int, taking: dict[int, list[Take]]) -> list[Take]:
    """What a node takes whose inputs become more from step to step: of the states of several steps it is one kind."""
    nodes = reading.comparable(spot)
    sets = {n: frozenset(summed_up(take) for take in taking[i]) for n, i in nodes.items()}
    common = usual(sets.values())
    for n, found in sets.items():
        if common is not None and found != common:
            said = [source(reading, take, -1) for take in sorted(found - common)] or ["less"]
            reading.tell(n, f"{called(reading, nodes[n])} takes {listed(said)}, unlike elsewhere")
    return sorted(common if common is not None else frozenset[Take]().union(*sets.values()))


def read_unit(reading: Reading, spot: int, taking: dict[int, list[Take]]) -> list[Take]:
    """What a node takes that stands for several: each thing once, in no order."""
    nodes, times = reading.comparable(spot), reading.aligned.times
    counts = Counter(take for i in nodes.values() for take in dict.fromkeys(taking[i]))
    known = set(times)
    could = {take: [n for n in nodes if times[n] - take.distance in known] for take in counts}
    common = [take for take, count in counts.items() if 2 * count > len(could[take])]
    for n, i in nodes.items():
        missing = [take for take in common if take.kind == "carried" and times[n] - take.distance not in known]
        for x, take in zip(reading.timeline.inputs[i], taking[i], strict=True):
            if take not in common and missing:
                note_start(reading, n, x, missing[0])
    return common


def summed_up(take: Take) -> Take:
    """Where an input comes from, without regard to the step."""
    return Take("states", take.spot) if take.kind in ("here", "carried") else take


def read_input(reading: Reading, spot: int, place: int, takes: dict[int, Take]) -> Take:
    """Where one input of a spot usually comes from; notes the first values of a state, and where steps differ."""
    aligned, times = reading.aligned, set(reading.aligned.times)
    carried = Counter(take._replace(cut=False) for take in takes.values() if take.kind == "carried")
    edges: set[int] = set()  # steps before which there is none that the state could come from
    common: Take | None = None
    if carried:
        ((state, _),) = carried.most_common(1)
        edges = {n for n in takes if aligned.times[n] - state.distance not in times}
        common = usual(take for n, take in takes.items() if n not in edges)
        if common is None or common._replace(cut=False) != state:
            edges = set()
    if not edges:
        common = usual(takes.values()) or where_there_is_one(aligned, takes)
    if common is None:
        common = usual(summed_up(take) for take in takes.values())
        edges = set(takes)
    if common is None:
        reading.series[spot, place] = {n: reading.timeline.inputs[aligned.at[spot][n]][place] for n in takes}
        return Take("given")
    for n, take in takes.items():
        if common.kind == "carried" and n in edges:
            note_start(reading, n, reading.timeline.inputs[aligned.at[spot][n]][place], common)
        elif take != common and n not in edges and spot < aligned.body:
            note_difference(reading, spot, place, n, take, common)
    return common


def where_there_is_one(aligned: Alignment, takes: dict[int, Take]) -> Take | None:
    """What is usually taken by those steps that have it at all."""
    for take, count in Counter(takes.values()).most_common():
        if take.kind == "here" and 2 * count > sum(n in aligned.at[take.spot] for n in takes):
            return take
    return None


def note_start(reading: Reading, n: int, x: int, state: Take) -> None:
    """Note node x as the first value of a state, which a step takes from outside."""
    first = reading.starts.setdefault((state.spot, state.distance), [])
    if (n, x) not in first:
        first.append((n, x))
    if x in reading.aligned.row_of:
        reading.told.add((n, reading.aligned.spot[x]))
    reading.tell(n, f"takes {thing(reading, state.spot)} from outside ({origin(reading, x)})")


def note_difference(reading: Reading, spot: int, place: int, n: int, take: Take, common: Take) -> None:
    """Note an input that comes from elsewhere than usual, unless what it comes from is itself said to differ."""
    aligned = reading.aligned
    i = aligned.at[spot][n]
    x = reading.timeline.inputs[i][place]
    if common.kind == "carried" and not common.cut:
        back = aligned.times[n] - common.distance
        if take.cut or (take.kind == "here" and stops(reading.timeline, x)):
            reading.told.add((aligned.row_of[x], aligned.spot[x]))
            reading.tell(n, f"is cut: no gradient goes back to step {back} through {thing(reading, common.spot)}")
            return
    if take.kind == common.kind == "shared":
        reading.tell(n, f"uses {shared_name(reading, x)} where the others use {shared_name(reading, common.node)}")
        return
    if take.kind in ("here", "carried") and take.spot >= aligned.body:
        if reading.timeline.nodes[x].op is not None:
            return  # something that only few steps have
        reading.told.add((aligned.row_of[x], take.spot))
    if common.kind in ("here", "carried") and n not in aligned.at[common.spot] and take.kind == "here":
        return  # what it usually takes is not there
    said, as_usual = source(reading, take, x), source(reading, common, common.node)
    into = "" if common.kind == "carried" else f" into {called(reading, i)}"
    reading.tell(n, f"takes {said}{into} where the others take {as_usual}")
