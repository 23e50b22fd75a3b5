"""Where the parts of one cell stand: the conveyor on top, gates in a row, lines that merge below them.

Parts that stand one above the other are a *stack*: a gate, the × over it, the place where that meets the conveyor.
Every stack has a column of the grid to itself, from left to right in the order of the computation, so that a way
upward is always free.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from ..layout.graphviz_program import Size
from ..reading.cycles import descendants, neighbours
from ..reading.lines import Key
from .parts import JOINT, POINTWISE, PRODUCT


def along(keys: Iterable[Key], edges: Iterable[tuple[Key, Key]]) -> list[Key]:
    """The nodes in an order in which each comes after those that it takes from, else as they were."""
    waiting = list(keys)
    before: dict[Key, set[Key]] = {key: set() for key in waiting}
    for a, b in edges:
        if a in before and b in before and a != b:
            before[b].add(a)
    ordered: dict[Key, None] = {}
    while waiting:
        key = next((k for k in waiting if not before[k] - ordered.keys()), waiting[0])
        waiting.remove(key)
        ordered[key] = None
    return list(ordered)


@dataclass(frozen=True)
class End:
    """Where a wire enters or leaves a cell: a state at its sides, inputs below, outputs above.

    "merge" is where lines join before they meet weights; "state below" a state of another cell, from the step before.
    """

    kind: str
    key: tuple[object, ...]


Part = Key | End
FROM_LEFT, TO_RIGHT, FROM_BELOW, TO_ABOVE = "from left", "to right", "from below", "to above"
STATE_BELOW, MERGE = "state below", "merge"


FLAT = (JOINT, PRODUCT)  # these lie on a line that leads to gates


@dataclass
class Cell:
    """The parts of a cell and what leads from part to part."""

    kinds: dict[Part, str]  # in the order of their birth
    sizes: dict[Part, Size]
    edges: list[tuple[Part, Part]]
    carried: list[tuple[Key, Key]]  # (state, part that takes up its old value)
    leaving: list[Key]  # parts that are the new value of a state
    conveyors: list[list[Part]] = field(default_factory=list)  # the parts on each, from left to right
    states: list[Key] = field(default_factory=list)  # the state of each conveyor
    rows: dict[Part, int] = field(default_factory=dict)  # counted from the bottom
    stacks: list[list[Part]] = field(default_factory=list)  # from left to right, each from the bottom
    lanes: dict[Key, int] = field(default_factory=dict)  # the row of each state

    @property
    def parts(self) -> list[Part]:
        return list(self.kinds)

    def inputs(self) -> dict[Part, list[Part]]:
        """What each part takes from within the cell."""
        return neighbours((b, a) for a, b in self.edges if a in self.kinds)


def arrange(cell: Cell) -> None:
    """Give every part its row and its stack, and every state its lane."""
    find_conveyors(cell)
    stack_up(cell)
    give_rows(cell)
    give_lanes(cell)


def find_conveyors(cell: Cell) -> None:
    """The states whose way through the step passes pointwise operations only, the shortest way first."""
    following = neighbours((a, b) for a, b in cell.edges if cell.kinds.get(a) == cell.kinds.get(b) == POINTWISE)
    ways: dict[Key, list[Part]] = {}
    for state in dict.fromkeys(a for a, _ in cell.carried if a in cell.leaving):
        came: dict[Part, Part | None] = {b: None for a, b in cell.carried if a == state and cell.kinds[b] == POINTWISE}
        waiting = deque(came)
        while waiting and state not in came:
            part = waiting.popleft()
            for other in following[part]:
                if other not in came:
                    came[other] = part
                    waiting.append(other)
        way: list[Part] = []
        at: Part | None = state if state in came else None
        while at is not None:
            way.append(at)
            at = came[at]
        if way:
            ways[state] = way[::-1]
    taken: set[Part] = set()
    for state in sorted(ways, key=lambda s: len(ways[s])):
        if not taken & set(ways[state]):
            cell.conveyors.append(ways[state])
            cell.states.append(state)
            taken.update(ways[state])


def hanging(cell: Cell) -> set[Part]:
    """Pointwise parts that depend on a conveyor's parts: they hang below it."""
    on = {part for way in cell.conveyors for part in way}
    found: set[Part] = set()
    inputs = cell.inputs()
    for part in cell.parts:
        if part not in on and cell.kinds[part] == POINTWISE and any(x in on or x in found for x in inputs[part]):
            found.add(part)
    return found


def stack_up(cell: Cell) -> None:
    """Put parts one above the other where one takes from the other, and the stacks in order from left to right."""
    inputs, following = cell.inputs(), neighbours(cell.edges)
    on = [part for way in cell.conveyors for part in way]
    below, order = hanging(cell), {part: n for n, part in enumerate(cell.parts)}
    under: dict[Part, Part] = {}  # what stands under each part; of what hangs, over it

    def choose(part: Part, allowed: Iterable[Part]) -> None:
        free = [x for x in allowed if x not in under.values()]
        best = max(free, key=lambda x: (len(following[x]) == 1, cell.kinds[x] != POINTWISE, order[x]), default=None)
        if best is not None:
            under[part] = best

    for part in on:
        choose(part, [x for x in inputs[part] if x not in on and x not in below and cell.kinds[x] not in FLAT])
    for part in cell.parts:
        if part in below:
            choose(part, [x for x in inputs[part] if x in below])
        elif part not in on and cell.kinds[part] not in FLAT:
            free = [x for x in inputs[part] if x not in on and x not in below]
            if cell.kinds[part] != POINTWISE:  # a gate does not stand on what stands over gates
                free = [x for x in free if cell.kinds[x] != POINTWISE]
            choose(part, [x for x in free if cell.kinds[x] not in FLAT or following[x] == [part]])
    over = {b: a for a, b in under.items()}
    stacks = []
    for part in cell.parts:
        if part not in under:
            stack = [part]
            while stack[-1] in over:
                stack.append(over[stack[-1]])
            stacks.append(stack)
    cell.stacks = in_order(cell, stacks)


def in_order(cell: Cell, stacks: list[list[Part]]) -> list[list[Part]]:
    """Stacks from left to right: each after those that it takes from, those with the longest way ahead first."""
    on = {part: n for n, part in enumerate(part for way in cell.conveyors for part in way)}
    inner = [(a, b) for a, b in cell.edges if a in cell.kinds and b in cell.kinds]
    inner += [pair for way in cell.conveyors for pair in pairwise(way)]
    following, reach = neighbours(inner), descendants(cell.parts, inner)
    ahead: dict[Part, int] = {}
    for part in reversed(cell.parts):
        ahead[part] = max((ahead.get(b, 0) + 1 for b in following[part]), default=0)
    order = {part: n for n, part in enumerate(cell.parts)}
    at = {part: n for n, stack in enumerate(stacks) for part in stack}
    before: dict[int, set[int]] = defaultdict(set)
    for a, b in inner:
        if at[a] != at[b]:
            before[at[b]].add(at[a])

    def rank(n: int) -> tuple[int, int, int]:
        first = stacks[n][0]
        return -ahead[first], min((on[p] for p in reach[first] if p in on), default=len(on)), order[first]

    ordered: list[int] = []
    waiting = sorted(range(len(stacks)), key=rank)
    while waiting:
        n = next((n for n in waiting if not before[n] - set(ordered)), waiting[0])
        waiting.remove(n)
        ordered.append(n)
    return [stacks[n] for n in ordered]


def give_rows(cell: Cell) -> None:
    """Rows from the bottom: where lines merge, gates, above them the gates that these feed, pointwise, conveyors."""
    inputs, following = cell.inputs(), neighbours(cell.edges)
    on = {part: n for n, way in enumerate(cell.conveyors) for part in way}
    below = hanging(cell)
    floor: dict[Part, int] = {}  # of gates, and of the joints that lead to them
    for part in cell.parts:
        if cell.kinds[part] in FLAT:
            floor[part] = max((floor[x] for x in inputs[part] if x in floor), default=0)
        elif cell.kinds[part] != POINTWISE:
            floor[part] = 1 + max((floor[x] for x in inputs[part] if x in floor), default=0)
    floors = max(floor.values(), default=0)
    rows: dict[Part, int] = {}
    for part in cell.parts:
        if cell.kinds[part] in FLAT:
            above = [floor[b] - (cell.kinds[b] not in FLAT) for b in following[part] if b in floor]
            rows[part] = 2 * min(above, default=floor[part])
        elif part in floor:
            rows[part] = 2 * floor[part] - 1
    base = max(1, 2 * floors)
    high = max([1, *(len(stack) for stack in cell.stacks if stack[0] in below)])
    for stack in cell.stacks:
        high = max(high, sum(p not in floor and p not in on and p not in below for p in stack))
    for stack in reversed(cell.stacks):  # what stands on the right first: those on its left go to its height
        if stack[0] in below:
            rows.update({part: base + high - 1 - n for n, part in enumerate(stack)})
            continue
        free = [p for p in stack if p not in floor and p not in on]
        wanted = 0
        if free and free[0] == stack[0]:
            after = [rows[b] - base for b in following[free[-1]] if b in rows and b not in on and b not in floor]
            wanted = max(0, min([*after, high - 1]) - len(free) + 1) if after else 0
        rows.update({part: base + wanted + n for n, part in enumerate(free)})
    top = base + high + len(cell.conveyors) - 1
    rows.update({part: top - n for part, n in on.items()})
    cell.rows = rows


def give_lanes(cell: Cell) -> None:
    """A row for each state: that of its conveyor, or at the bottom."""
    lowest = 0
    cell.lanes = {state: cell.rows[way[0]] for state, way in zip(cell.states, cell.conveyors, strict=True)}
    for state in dict.fromkeys([*(a for a, _ in cell.carried), *cell.leaving]):
        if state not in cell.lanes:
            cell.lanes[state] = lowest
            lowest -= 1
