"""What a page shows: a record with its axis of time, and the pictures of it, each with what stands where."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinygrad_seq.graph import Node

from ..pictures.picture import Box, Curve, Picture, Point
from ..reading.columns import BADGE, MEMORY
from ..reading.elision import gaps as passed_over
from ..unrolled.scene import Scene

__all__ = ["Gap", "Stage", "Subject", "stage_of", "subject_of"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Columns that a picture passes over, from the first to the last; `id` is that of their group in it."""

    id: str
    first: int
    last: int


@dataclass(frozen=True)
class Subject:
    """A record as a page tells of it.

    roots: what was asked for, a loss mostly.  nodes: all of the record, oldest first.  names: of each, as h_3.
    stems: of each, as h; empty for those without.  column: of each its place in time, or None.  steps: of each column
    its time step.  stretches: of each column the name of the stretch of time that it belongs to; empty where there is
    but one.  ids: of each column that of its group in the pictures.  gaps: the columns that are not drawn, by column.
    merged: nodes outside of time that are drawn as part of another.
    """

    roots: tuple[Node, ...]
    nodes: list[Node]
    names: list[str]
    stems: list[str]
    column: list[int | None]
    steps: list[int]
    stretches: list[str]
    ids: list[str] = field(default_factory=list)
    gaps: dict[int, Gap] = field(default_factory=dict)
    merged: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Stage:
    """A picture, and which nodes of the record stand in it where.

    boxes: by node the ids of its boxes.  shown: by node the one that is drawn for it, where that is another.
    """

    picture: Picture
    boxes: dict[int, list[str]]
    shown: dict[int, int] = field(default_factory=dict)

    @property
    def badges(self) -> list[int | None]:
        """Of each badge, in the order in which they are drawn, its node."""
        boxes = [part for part in self.picture.walk() if isinstance(part, Box)]
        return [segment.of for box in boxes for segment in box.segments if segment.fill]

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Of each line, in the order in which they are drawn, the ids of the boxes that it joins.

        A state's way from step to step is drawn as three lines, to the edge of a column, between columns, and on from
        the edge of the next: where one ends at which another begins they belong together.
        """
        lines = [part for part in self.picture.walk() if isinstance(part, Curve)]
        ends = [line.ends for line in lines]
        for _ in range(2):
            begun = {at(line.points[-1]): source for line, (source, _) in zip(lines, ends) if source}
            done = {at(line.points[0]): target for line, (_, target) in zip(lines, ends) if target}
            for n, line in enumerate(lines):
                one, other = at(line.points[0]), at(line.points[-1])
                source, target = ends[n]
                if line.kind == "lane" and not source:
                    source = begun.get(one) or begun.get(other) or ""
                if line.kind == "lane" and not target:
                    target = done.get(other) or done.get(one) or ""
                ends[n] = source, target
        return ends


def at(point: Point) -> tuple[int, int]:
    """A place in a picture, to a quarter of a pixel."""
    return round(4 * point[0]), round(4 * point[1])


def subject_of(loss: Node, scene: Scene) -> Subject:
    """The record of an unrolled picture."""
    timeline = scene.timeline
    names = scene.stretch_names
    gaps: dict[int, Gap] = {}
    for first, last in passed_over(scene.columns, timeline.stretch):
        gap = Gap(f"{scene.column_id(first)}-{timeline.steps[last]}", first, last)
        gaps |= dict.fromkeys(range(first, last + 1), gap)
    return Subject(
        roots=(loss,),
        nodes=timeline.nodes,
        names=[name_of(scene, i) for i in range(len(timeline.nodes))],
        stems=timeline.stems,
        column=timeline.column,
        steps=timeline.steps,
        stretches=[names[s] if len(names) > 1 else "" for s in timeline.stretch],
        ids=[scene.column_id(c) for c in range(len(timeline.steps))],
        gaps=gaps,
        merged=frozenset(i for i in timeline.home if timeline.column[i] is None and shown_as(scene, i) != i),
    )


def stage_of(scene: Scene, picture: Picture) -> Stage:
    """The nodes of an unrolled picture, or of a folded one, by where they are drawn."""
    drawn = {part.id for part in picture.walk() if isinstance(part, Box)}
    nodes = range(len(scene.timeline.nodes))
    shown = {i: at for i in nodes if (at := shown_as(scene, i)) != i}
    ids = {i: scene.ids.get(shown.get(i, i), "") for i in nodes}
    return Stage(picture, {i: [at] for i, at in ids.items() if at in drawn}, shown)


def name_of(scene: Scene, i: int) -> str:
    """What to call a node: its name with its step, what its badge says, or its op."""
    timeline, op = scene.timeline, scene.timeline.nodes[i].op
    if timeline.stems[i]:
        t = scene.time_of(i)
        return timeline.stems[i] if t is None else f"{timeline.stems[i]}_{t}"
    return scene.name(i) if op is None or timeline.role[i] in (BADGE, MEMORY) else op.name


def shown_as(scene: Scene, i: int) -> int:
    """The node that is drawn for node i: itself, its like, or what it is part of."""
    i = scene.timeline.same[i]
    seen = set[int]()
    while i in scene.timeline.home and i not in seen:
        seen.add(i)
        i = scene.timeline.home[i]
    return i
