"""The wires of a column outside of its cells: which there are, how they run, and the whole way from node to node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..pictures.picture import Point
from ..reading.lines import Key
from ..reading.templates import Template
from .block import edge_of
from .cell import FROM_BELOW, FROM_LEFT, STATE_BELOW, TO_ABOVE, TO_RIGHT, End, Part
from .ground import Ground
from .wires import LEFT, RIGHT, UP, Port, Vertex

CELL, STEM = "cell", "stem"  # ends of wires that go on inside of a cell, or from a cell to its circle


class Job(NamedTuple):
    """A wire to be laid: its name, where it may begin, its end, and where that is."""

    name: Part
    sources: list[Port]
    end: Part
    goals: list[Port]


class Column:
    """A column whose wires are laid, from the edges of nodes and cells on."""

    def __init__(self, template: Template, ground: Ground) -> None:
        self.template, self.ground = template, ground
        self.home = {key: cell for cell in ground.cells for key in cell.keys}
        self.backward = {*template.going_back, *(a for a, _ in template.returning)}
        self.height = 0.0
        self.lanes: dict[Key, float] = {}
        self.centres: dict[Part, Point] = {}
        self.ways: dict[tuple[Part, Part], list[Point]] = {}

    # ---- which wires there are ----

    def jobs(self) -> list[Job]:
        """All wires, in the order in which they are laid: states, then the short ones first."""
        outer = [*self.between(), *self.foreign_states(), *self.states_of_nodes()]
        jobs = {(job.name, job.end): job for job in outer}
        return [*self.states_of_cells(), *sorted(jobs.values(), key=self.distance)]

    def states_of_cells(self) -> Iterator[Job]:
        """From the edge of the column to a cell, from a cell to the edge, and to its circle."""
        ground = self.ground
        for cell in ground.cells:
            back, way = cell.reverse, LEFT if cell.reverse else RIGHT
            for a in dict.fromkeys(a for a, _ in cell.carried):
                lane, rim = End(FROM_LEFT, a), ground.rim_port(a, right=back, way=way)
                if rim is not None:
                    yield Job(lane, [rim], self.end_at(lane, cell.keys[0]), [ground.side_port(cell, lane, right=back)])
            for a in cell.leaving:
                lane, rim = End(TO_RIGHT, a), ground.rim_port(a, right=not back, way=way)
                if rim is not None:
                    yield Job(lane, [ground.side_port(cell, lane, right=not back)], lane, [rim])
            if cell.output is not None:
                circle = End(TO_ABOVE, cell.output)
                port = Port(ground.at[circle], UP)
                yield Job(End(STEM, cell.output), [ground.upper_port(cell, circle)], circle, [port])

    def between(self) -> Iterator[Job]:
        """From node to node, where not both are in one cell."""
        for a, b in self.template.edges:
            if a not in self.home or self.home[a] is not self.home.get(b):
                yield Job(a, self.sources(a), *self.goal(End(FROM_BELOW, a), b))

    def foreign_states(self) -> Iterator[Job]:
        """From the edge of the column to what takes up a state that is not of its own cell."""
        for back, pairs in ((False, self.template.arriving), (True, self.template.returning)):
            for a, b in pairs:
                rim = self.ground.rim_port(a, right=back, way=LEFT if back else RIGHT)
                if rim is not None and not self.at_home(a, b):
                    yield Job(End(FROM_LEFT, a), [rim], *self.goal(End(STATE_BELOW, a), b))

    def states_of_nodes(self) -> Iterator[Job]:
        """From nodes outside of the cells to the edge of the column."""
        for back, keys in ((False, self.template.leaving), (True, self.template.going_back)):
            for a in keys:
                rim = self.ground.rim_port(a, right=not back, way=LEFT if back else RIGHT)
                if rim is not None and a not in self.home:
                    yield Job(a, self.sources(a), End(TO_RIGHT, a), [rim])

    def at_home(self, a: Key, b: Key) -> bool:
        """Whether state a enters the cell of b at its side."""
        return b in self.home and (a, b) in self.home[b].carried

    def sources(self, a: Key) -> list[Port]:
        """Where a wire from a node may begin, outside of the cells."""
        if a not in self.home:
            return self.ground.ports_out(a)
        cell, above = self.home[a], End(TO_ABOVE, a)
        return self.ground.ports_out(above) if a == cell.output else [self.ground.upper_port(cell, above)]

    def goal(self, end: End, b: Key) -> tuple[Part, list[Port]]:
        """Where a wire to a node ends, outside of the cells; all wires from one node to one cell end at one place."""
        goals = [self.ground.lower_port(self.home[b], end)] if b in self.home else self.ground.ports_in(b)
        return self.end_at(end, b), goals

    def end_at(self, end: End, b: Key) -> Part:
        """What a wire to node b is called at its end: where it goes on inside of a cell, or the node."""
        return End(CELL, (self.ground.cells.index(self.home[b]), end.kind, end.key)) if b in self.home else b

    def distance(self, job: Job) -> float:
        """How far it is at least from one of the beginnings to one of the goals."""
        xs, ys = self.ground.xs, self.ground.ys
        starts, ends = [port.at for port in job.sources], [port.at for port in job.goals]
        return min(abs(xs[a] - xs[c]) + abs(ys[b] - ys[d]) for a, b in starts for c, d in ends)

    # ---- how they run ----

    def wire(self) -> bool:
        """Lay the wires outside of the cells, and settle where everything is; False where a wire finds no way."""
        paths: dict[tuple[Part, Part], list[Vertex]] = {}
        for job in self.jobs():
            path = self.ground.grid.connect(job.name, job.sources, job.goals)
            if path is None:
                return False
            paths[job.name, job.end] = path
        xs, ys = self.ground.xs, self.ground.settled_lines()
        self.height = ys[-1]
        for level in self.ground.levels:
            if level.cell is not None:
                level.cell.top = ys[level.lines[0]]
            for part in level.parts:
                self.centres[part] = self.ground.across[part], ys[level.lines[0]]
        template = self.template
        states = [*(a for a, _ in [*template.arriving, *template.returning]), *template.leaving, *template.going_back]
        for key in states:
            line = self.ground.lane_line(key)
            if line is not None:
                self.lanes[key] = ys[line]
        self.ways = {pair: [(xs[x], ys[y]) for x, y in path] for pair, path in paths.items()}
        return True

    def whole(self, a: Key, b: Key) -> list[Point]:
        """The way from a node to another of its step."""
        cell, below = self.home.get(a), End(FROM_BELOW, a)
        if cell is not None and cell is self.home.get(b):
            return cell.inner(a, b)
        return self.inside(below, b, self.outside(a, self.ways[a, self.end_at(below, b)]))

    def entry(self, a: Key, b: Key) -> list[Point]:
        """The way from the edge of the column, where state a enters, to the node that takes it up."""
        lane, below = End(FROM_LEFT, a), End(STATE_BELOW, a)
        if self.at_home(a, b):
            return self.ways[lane, self.end_at(lane, b)] + self.home[b].inner(lane, b)
        return self.inside(below, b, self.ways[lane, self.end_at(below, b)])

    def exit(self, a: Key) -> list[Point]:
        """The way from a node to the edge of the column, where it leaves as a state."""
        lane = End(TO_RIGHT, a)
        if a in self.home:
            return self.home[a].inner(a, lane) + self.ways[lane, lane]
        return self.outside(a, self.ways[a, lane])

    def outside(self, a: Key, way: list[Point]) -> list[Point]:
        """A way from a node, or from the circle above its cell, begun at its edge."""
        cell, above = self.home.get(a), End(TO_ABOVE, a)
        if cell is not None and a != cell.output:
            return cell.inner(a, above) + way
        part: Part = a if cell is None else above
        return [edge_of(self.centres[part], self.ground.sizes[part], way[0], way[1]), *way[1:]]

    def inside(self, end: End, b: Key, way: list[Point]) -> list[Point]:
        """A way to a node or a cell, led on to the edge of the node."""
        if b in self.home:
            return way + self.home[b].inner(end, b)
        return [*way[:-1], edge_of(self.centres[b], self.ground.sizes[b], way[-1], way[-2])]
