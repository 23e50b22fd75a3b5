"""What stands over what in a column: its cells, and rows of nodes below, between and above them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..layout.graphviz_program import Size
from ..pictures.picture import Point
from ..reading.lines import Key
from ..reading.templates import Template
from .block import TRACK, Block
from .cell import FROM_BELOW, FROM_LEFT, TO_ABOVE, TO_RIGHT, End, Part, along

SIDE, BETWEEN = 22.0, 25.0  # room beside the cells, and between what stands in a row


@dataclass
class Placed:
    """A cell of the column."""

    keys: list[Key]
    output: Key | None  # what has a circle above
    carried: list[tuple[Key, Key]]
    leaving: list[Key]
    reverse: bool  # its states run back in time
    block: Block
    left: float = 0.0
    top: float = 0.0

    @property
    def width(self) -> float:
        return self.block.width

    @property
    def height(self) -> float:
        return self.block.height

    def inner(self, a: Part, b: Part) -> list[Point]:
        """The way from one part or end to another, through the place where it merges with others, if it does."""
        ways = self.block.ways
        found = ways.get((a, b))
        if found is None:
            merge = next(m for x, m in ways if x == a and (m, b) in ways)
            found = ways[a, merge] + ways[merge, b]
        return [(x + self.left, y + self.top) for x, y in found]

    def ends(self, *kinds: str) -> list[End]:
        """Where wires enter or leave the cell, of some kinds."""
        found = (end for pair in self.block.ways for end in pair if isinstance(end, End) and end.kind in kinds)
        return list(dict.fromkeys(found))

    def terminal(self, end: End) -> Point:
        """Where a wire enters or leaves, from the upper left corner of the cell."""
        return next(
            points[0] if a == end else points[-1] for (a, b), points in self.block.ways.items() if end in (a, b)
        )

    def lines(self) -> list[float]:
        """The heights of its upper edge, its states and its lower edge."""
        lanes = {self.terminal(end)[1] for end in self.ends(FROM_LEFT, TO_RIGHT)}
        return sorted({0.0, self.height, *lanes})


@dataclass
class Level:
    """A cell, or a row of nodes side by side, or the circle above a cell."""

    parts: list[Part]
    cell: Placed | None = None
    lines: list[int] = field(default_factory=list)  # of the grid


def find_levels(template: Template, cells: Sequence[Placed]) -> list[Level]:
    """From the top: the rows over the last cell, its circle, the cell, the rows below it, …"""
    home = {key: n for n, cell in enumerate(cells) for key in cell.keys}
    bands = find_bands(template, home, len(cells))
    levels = [Level(list(row)) for row in rows_of(template, bands, len(cells), len(cells))]
    for n in reversed(range(len(cells))):
        output = cells[n].output
        if output is not None:
            levels.append(Level([End(TO_ABOVE, output)]))
        levels.append(Level([], cells[n]))
        levels += [Level(list(row)) for row in rows_of(template, bands, n, len(cells))]
    return levels


def find_bands(template: Template, home: Mapping[Key, int], count: int) -> dict[Key, int]:
    """For each node outside of the cells how many cells are below it: what leads to no cell stands over all."""
    rest = along([key for key in template.keys if key not in home], template.edges)
    sources, users = defaultdict[Key, list[Key]](list), defaultdict[Key, list[Key]](list)
    for a, b in template.edges:
        sources[b].append(a)
        users[a].append(b)
    latest, bands = dict[Key, int](), dict[Key, int]()
    for key in reversed(rest):
        latest[key] = min((home[b] if b in home else latest.get(b, count) for b in users[key]), default=count)
    for key in rest:
        earliest = max((home[a] + 1 if a in home else bands.get(a, 0) for a in sources[key]), default=count)
        bands[key] = min(latest[key], earliest) if latest[key] < count else count
    return bands


def rows_of(template: Template, bands: Mapping[Key, int], band: int, count: int) -> list[list[Key]]:
    """The nodes of a band in rows, the highest first; what a state runs through has a row to itself."""
    keys = [key for key in bands if bands[key] == band]
    inside = set(keys)
    edges = [(a, b) for a, b in template.edges if a in inside and b in inside]
    laned = {*template.leaving, *template.going_back}
    row: dict[Key, int] = {}
    alone: set[int] = set()
    for key in keys:
        at = max((row[a] + 1 for a, b in edges if b == key and a in row), default=0)
        while at in alone or (key in laned and at in row.values()):
            at += 1
        row[key] = at
        if key in laned:
            alone.add(at)
    made = {b for _, b in template.edges}
    for key in reversed(keys):  # what is given stands right below what takes it
        if key not in made and key not in laned:
            above = [row[b] for a, b in edges if a == key]
            at = min(above) - 1 if above else max(row.values()) if band < count else row[key]
            row[key] = row[key] if at in alone else at
    rows: dict[int, list[Key]] = defaultdict(list)
    for key in keys:
        rows[row[key]].append(key)
    return [rows[n] for n in sorted(rows, reverse=True)]


def place_across(
    template: Template, cells: Sequence[Placed], levels: Sequence[Level], sizes: Mapping[Part, Size], tracks: int
) -> tuple[float, dict[Part, float]]:
    """Give the cells, and the nodes of each row, their places from left to right; returns the column's width too."""
    margin = SIDE + TRACK * tracks
    inner = max(cell.width for cell in cells)
    for cell in cells:
        cell.left = round(margin + (inner - cell.width) / 2, 2)
    at: dict[Part, float] = {}
    for cell in cells:
        if cell.output is not None:
            circle = End(TO_ABOVE, cell.output)
            at[circle] = cell.left + cell.terminal(circle)[0]
    rows = [level.parts for level in levels if level.parts and level.parts[0] not in at]
    wishes, somewhere = Wishes(template, cells, at), margin + inner / 2
    for row in rows:  # from the top, under what takes them
        spread({part: wishes.below(part) or somewhere for part in row}, sizes, at)
    for row in reversed(rows):  # from the bottom, over what they take
        spread({part: wishes.above(part) or somewhere for part in row}, sizes, at)
    laned = {*template.leaving, *template.going_back}
    reach = {part: sizes[part][0] / 2 + (margin if part in laned or tracks > 1 else BETWEEN / 3) for part in at}
    left = min([0.0, *(x - reach[part] for part, x in at.items())])
    right = max([inner + 2 * margin, *(x + reach[part] for part, x in at.items())])
    for cell in cells:
        cell.left = round(cell.left - left, 2)
    return round(right - left, 2), {part: round(x - left, 2) for part, x in at.items()}


class Wishes:
    """Where the nodes of the rows would stand if each were alone."""

    def __init__(self, template: Template, cells: Sequence[Placed], at: dict[Part, float]) -> None:
        self.home = {key: cell for cell in cells for key in cell.keys}
        self.order = {id(cell): n for n, cell in enumerate(cells)}
        self.at = at
        self.sources, self.users = defaultdict[Part, list[Key]](list), defaultdict[Part, list[Key]](list)
        for a, b in template.edges:
            self.sources[b].append(a)
            self.users[a].append(b)

    def below(self, part: Part) -> float | None:
        """Under what takes it: straight under its place in the lowest cell that it leads to."""
        cells = [self.home[b] for b in self.users[part] if b in self.home]
        if cells and not isinstance(part, End):
            first = min(cells, key=lambda cell: self.order[id(cell)])
            return first.left + first.terminal(End(FROM_BELOW, part))[0]
        return middle([self.at[b] for b in self.users[part] if b in self.at])

    def above(self, part: Part) -> float | None:
        """Over what it takes; where that is nothing, where it is."""
        found = []
        for a in self.sources[part]:
            if a in self.home:
                found.append(self.home[a].left + self.home[a].terminal(End(TO_ABOVE, a))[0])
            elif a in self.at:
                found.append(self.at[a])
        return middle(found) if found else self.at.get(part)


def middle(places: Sequence[float]) -> float | None:
    """The mean of some places."""
    return sum(places) / len(places) if places else None


def spread(wishes: Mapping[Part, float], sizes: Mapping[Part, Size], at: dict[Part, float]) -> None:
    """Place the nodes of a row side by side: the first where it wishes to be, the others as near to that as can be."""
    first, order = next(iter(wishes)), sorted(wishes, key=wishes.__getitem__)
    start = order.index(first)
    at[first] = wishes[first]
    for n in range(start + 1, len(order)):
        apart = (sizes[order[n - 1]][0] + sizes[order[n]][0]) / 2 + BETWEEN
        at[order[n]] = max(wishes[order[n]], at[order[n - 1]] + apart)
    for n in reversed(range(start)):
        apart = (sizes[order[n + 1]][0] + sizes[order[n]][0]) / 2 + BETWEEN
        at[order[n]] = min(wishes[order[n]], at[order[n + 1]] - apart)
