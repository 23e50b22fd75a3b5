"""The record of a sequence model as one picture: a column per time step, time from left to right."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np

from tinygrad_seq.graph import Node

from ..charts.chart_file import write_file
from ..errors import NoTimeStepsError, NoTimeStepsWarning, PictureTooLargeError
from ..folding.draw import compose_folded
from ..layout.frames import scope_frames
from ..layout.graphviz_program import Size
from ..layout.placement import place_template
from ..op_graph.draw import draw_graph
from ..pictures.drawing import Drawing
from ..pictures.labels import Label, Run, plain, spoken, subscripted
from ..pictures.palette import DARK, LIGHT, scale_for, scale_of_measure
from ..pictures.picture import Picture
from ..player.stages import Stage, stage_of, subject_of
from ..reading.columns import Timeline, read_columns, sort_members
from ..reading.elision import Show, shown_steps
from ..reading.levels import LEVELS, apply_level
from ..reading.lines import Key
from ..reading.looks import read_looks
from ..reading.magnitudes import Flow, Measure, Measured, as_measure, gradient_flow, measured, size_of_value
from ..reading.templates import Template, exits, read_templates
from ..text.draw import draw_text
from ..textbook.style import Parts, textbook_dress, textbook_face, textbook_parts, textbook_plan
from .composition import Words, compose
from .edges import read_slots
from .faces import Badges
from .scene import Scene

MOST = 100_000  # boxes: an SVG of some 80 MB
# And the level of detail that each has where none is asked for.
STYLES = {"ops": "ops", "modules": "modules", "textbook": "ops", "text": "modules"}

Style = Literal["ops", "modules", "textbook", "text"]
Level = Literal["steps", "modules", "ops"]
Colour = Literal["grad", "value"] | Measure | Mapping[Node, float] | Measured | None


def draw_unrolled(
    loss: Node,
    *,
    style: str = "ops",
    level: str | None = None,
    show: Show = "auto",
    colour: Colour | Literal["auto"] = "auto",
    values: bool = False,
    tokens: Words | Mapping[str, Words] | None = None,
    predictions: Words | Mapping[str, Words] | None = None,
    opened: Collection[str] = (),
    closed: Collection[str] = (),
    title: str | None = None,
    folded: bool = False,
    dark: bool = False,
    max_nodes: int = 500_000,
) -> Drawing:
    """Draw the record of a sequence model unrolled in time.

    Every time step is a column, and steps that compute the same are laid out alike.  States go from column to column
    at one height; what comes from the inputs rises from below, outputs and losses stand above.  A weight is a badge at
    each of its uses, never an edge across the page.  An encoder's steps come before its decoder's, layers are rows, and
    attention is a line from each step that is looked at, as wide as its weight.

    loss: the node whose record is drawn.
    style: "ops"; "modules", the same at another level of detail; "textbook", the figure with gates, circles and a
    conveyor belt; "text", which is printed.  folded: each loop over time once, with arrows from a step to the next.
    level: "ops" shows every node, "modules" a box for each thing that has a name, with the formula of what leads to it,
    "steps" a box for each cell.  opened, closed: scopes shown with all their ops, or as one box, whatever the level.
    show: "auto" passes over the middle of long sequences, "all" draws each step, a list names the steps, negative ones
    from the end.
    colour: "grad" colours nodes and edges by the gradient of loss that arrives there, on a logarithmic scale (loss must
    be a scalar), "value" by the length of the values, a function of a node by any measure, None by nothing; "auto" is
    "grad", and in textbook style the figure's own colours.
    values: writes values into the named nodes, numbers as numbers, vectors as a strip of colours.
    tokens, predictions: one for each time step, written under and over the columns; for a record with several stretches
    of time, such as those of an encoder and a decoder, one after the other, or by name: {"encoder": …, "decoder": …}.
    max_nodes: of the record; larger ones are refused with the ways to go on.
    A record in which nothing carries a time step is drawn as a graph of ops, with a NoTimeStepsWarning.
    Raises ValueError for arguments that are not among those allowed, PictureTooLargeError for more nodes than
    max_nodes or than a page can hold, GraphvizMissingError where no program can place the nodes.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter, Tensor, steps
    >>> W, h = Parameter(np.eye(2) / 2, name="W_h"), Tensor([[0.0, 0.0]], name="h")
    >>> for t, x in steps(np.ones((3, 1, 2))):
    ...     h = np.tanh(h @ W + x).named("h")
    >>> drawing = draw_unrolled(h.sum().named("loss"), tokens=["H", "E", "L"])
    >>> 'id="t3.h"' in drawing.svg
    True
    """
    if not isinstance(loss, Node):
        raise TypeError(f"draw_unrolled needs a node of a record (a Tensor or a Value), got {type(loss).__name__}")
    one_of("style", style, STYLES)
    level = STYLES[style] if level is None else one_of("level", level, LEVELS)
    if isinstance(colour, str):
        one_of("colour", colour, ("grad", "value", "auto"), "a measure, a function of a node, or None")
    elif colour is not None:
        as_measure(colour)
    if colour == "auto":
        colour = None if style == "textbook" else "grad"
    if folded and style in ("textbook", "text"):
        raise ValueError(f'folded=True draws boxes: style must be "ops" or "modules", got {style!r}')
    if folded and (tokens is not None or predictions is not None):
        raise ValueError("folded=True draws one step for all: leave out tokens and predictions, which differ by step")
    theme = DARK if dark else LIGHT

    def read(at: str) -> Timeline:
        timeline = read_columns(loss, max_nodes)
        apply_level(timeline, at, names_of(opened), names_of(closed))
        return timeline

    def words(scene: Scene) -> tuple[list[object] | None, list[object] | None]:
        return by_column(scene, "tokens", tokens), by_column(scene, "predictions", predictions)

    def drawn(at: str) -> tuple[Scene, Picture]:
        if style == "textbook" and at == "ops":
            timeline = read_columns(loss, max_nodes)
            parts = textbook_parts(timeline)
            scene = new_scene(loss, timeline, show, colour, values, parts)
        else:
            scene = new_scene(loss, read(at), show, colour, values)
        if folded:
            return scene, compose_folded(scene, title, theme)
        return scene, compose(scene, title, *words(scene), theme=theme)

    try:
        if style == "text":
            scene, _ = read_scene(loss, read(level), show, colour)
            text = partial(draw_text, scene, title, *words(scene), elide=show == "auto")
            return TextDrawing(partial(UnrolledDrawing, loss, drawn, level), text)
        return UnrolledDrawing(loss, drawn, level)
    except NoTimeStepsError as error:
        warnings.warn(f"{error}; drawn as a graph of ops", NoTimeStepsWarning, stacklevel=2)
        return draw_graph(loss, title=title, dark=dark)


class UnrolledDrawing(Drawing):
    """An unrolled picture, which can also be saved as a page that has all levels of detail and a player."""

    def __init__(self, loss: Node, drawn: Callable[[str], tuple[Scene, Picture]], level: str) -> None:
        self.level = level
        self._drawn = drawn
        scene, picture = drawn(level)
        self._stage = stage_of(scene, picture)
        super().__init__(picture, subject_of(loss, scene))

    def _stages(self) -> tuple[dict[str, Callable[[], Stage]], str]:
        stages: dict[str, Callable[[], Stage]] = {name: partial(self._at, name) for name in LEVELS}
        return stages, self.level

    def _at(self, level: str) -> Stage:
        return self._stage if level == self.level else stage_of(*self._drawn(level))


class TextDrawing(Drawing):
    """A drawing that is printed as text, and saved as such under a name that ends in .txt.

    `text(width=100, ascii=False)` is the text in another width, or without any letter that is not ASCII.
    """

    def __init__(self, drawing: Callable[[], UnrolledDrawing], text: Callable[..., str]) -> None:
        self._drawing, self.text = drawing, text

    @cached_property
    def drawing(self) -> UnrolledDrawing:
        """The same as a picture, for the other formats."""
        return self._drawing()

    @property
    def picture(self) -> Picture:  # type: ignore[override]
        """The picture of `drawing`."""
        return self.drawing.picture

    def html(self) -> str:
        """The page of the picture."""
        return self.drawing.html()

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def save(self, path: str | os.PathLike[str], *, dpi: float = 192) -> Path:
        """Write the text to `path`, if it ends in .txt, and else the picture as `Drawing.save` does."""
        if Path(path).suffix.lower() != ".txt":
            return super().save(path, dpi=dpi)
        write_file(Path(path), (self.text() + "\n").encode())
        return Path(path)


def one_of(name: str, given: object, allowed: Collection[str], more: str = "") -> str:
    """The argument, where it is one of those allowed.  Raises ValueError, which names the nearest."""
    if isinstance(given, str) and given in allowed:
        return given
    near = get_close_matches(given, allowed, 1) if isinstance(given, str) else []
    hint = f": did you mean {near[0]!r}?" if near else ""
    others = f", {more}" if more else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}{others}, got {given!r}{hint}")


def names_of(scopes: str | Collection[str]) -> tuple[str, ...]:
    """Names of scopes; one alone may be a string."""
    return (scopes,) if isinstance(scopes, str) else tuple(scopes)


def read_scene(loss: Node, timeline: Timeline, show: Show, colour: Colour) -> tuple[Scene, list[Template]]:
    """What is shown of a timeline, and its colours; nothing has a place yet."""
    sort_members(timeline)
    columns = shown_steps(timeline.steps, timeline.stretch, show)
    drawn = sum(len(timeline.members[c]) for c in columns)
    if drawn > MOST:
        raise PictureTooLargeError(
            f"{len(columns):,} steps are {drawn:,} boxes, and a page holds {MOST:,}: leave out show={show!r} to draw "
            'the first and the last steps, name the steps, show=[1, 2, -1], or draw less of each, level="steps"'
        )
    further = exits(timeline)
    templates, keys = read_templates(timeline, columns, further)
    scene = Scene(timeline, columns, keys, Badges(timeline), further, looks=read_looks(timeline))
    scene.flow, scene.measured = measure(loss, timeline, columns, colour)
    if scene.flow is not None:
        numbers = scene.flow.nodes
        scene.scale = scale_for(numbers) if colour == "grad" else scale_of_measure(numbers)
        scene.measure = "gradient" if colour == "grad" else spoken(scene.measured).strip("‖")
    return scene, templates


def new_scene(
    loss: Node, timeline: Timeline, show: Show, colour: Colour, values: bool, parts: Parts | None = None
) -> Scene:
    """A timeline with its columns laid out, not yet placed along the time axis.  parts: for the textbook's figure."""
    scene, templates = read_scene(loss, timeline, show, colour)
    if values:
        scene.values, scene.largest = True, largest_values(timeline, scene.columns)
    space_out(scene, templates)
    if parts is not None:
        scene.dress = textbook_dress
        for i in (i for c in scene.columns for i in timeline.members[c]):
            scene.faces[i] = textbook_face(scene, i, parts)
    for template in templates:
        scene.name_keys(template)
        sizes = largest(scene, template)
        figure = None if parts is None else textbook_plan(scene, template, sizes, parts)
        plan = place_template(template, sizes) if figure is None else figure
        scopes = {scene.keys[i]: timeline.nodes[i].scope for c in template.columns for i in timeline.members[c]}
        frames = [] if parts is not None else scope_frames(plan, scopes, set(timeline.units.values()))
        for c in template.columns:
            scene.plans[c], scene.frames[c] = plan, frames
    read_slots(scene)
    return scene


def space_out(scene: Scene, templates: list[Template]) -> None:
    """Ask for room below what looks at other steps of its own stretch."""
    column, stretch = scene.timeline.column, scene.timeline.stretch
    for look in scene.looks:
        c = column[look.target]
        if c in scene.columns and any(stretch[column[x] or 0] == stretch[c or 0] for x in look.sources):
            for template in templates:
                if c in template.columns:
                    template.spaced.add(scene.keys[look.target])


def measure(loss: Node, timeline: Timeline, columns: list[int], colour: Colour) -> tuple[Flow | None, Label]:
    """The numbers that are shown as colours, and what they are called."""
    if colour is None:
        return None, ()
    if colour == "grad":
        return gradient_flow(loss, timeline, columns), (*plain("‖∂"), Run("L", italic=True), *plain("/∂node‖"))
    if colour == "value":
        return measured(timeline, size_of_value), plain("‖value‖")
    function, name = as_measure(colour)
    flow = measured(timeline, function)
    if not callable(colour) and all(number is None for number in flow.nodes):
        raise ValueError(f"colour={name!r} has a number for none of the nodes of this record: it is of another record")
    return flow, subscripted(name)


def largest_values(timeline: Timeline, columns: list[int]) -> dict[str, float]:
    """For each name the largest finite value at the steps that are shown: the strips of a name share their colours."""
    found: dict[str, float] = {}
    for c in columns:
        for i in timeline.members[c]:
            size = np.abs(np.asarray(timeline.nodes[i].data, dtype=float))
            size = size[np.isfinite(size)]
            found[timeline.stems[i]] = max(found.get(timeline.stems[i], 0.0), float(size.max(initial=0.0)))
    return found


def by_column(scene: Scene, name: str, words: Words | Mapping[str, Words] | None) -> list[object] | None:
    """Tokens or predictions as one for each column; None where a stretch has none."""
    if words is None:
        return None
    steps, stretches, names = scene.timeline.steps, scene.timeline.stretches, scene.stretch_names
    if isinstance(words, Mapping):
        unknown = [key for key in words if key not in names]
        if unknown:
            raise ValueError(f"{name} are given for {unknown[0]!r}, and the stretches of time are {', '.join(names)}")
        found: list[object] = [None] * len(steps)
        for called, columns in zip(names, stretches, strict=True):
            if called in words:
                if len(words[called]) != len(columns):
                    raise ValueError(
                        f"{name} must have one entry for each of the {len(columns)} steps of {called!r}, got "
                        f"{len(words[called])}"
                    )
                for c, word in zip(columns, words[called], strict=True):
                    found[c] = word
        return found
    if len(words) != len(steps):
        several = " (" + ", ".join(f"{len(cs)} of {n}" for n, cs in zip(names, stretches, strict=True)) + ")"
        raise ValueError(
            f"{name} must have one entry for each of the {len(steps)} steps{several if len(stretches) > 1 else ''}, "
            f"got {len(words)}"
        )
    return list(words)


def largest(scene: Scene, template: Template) -> dict[Key, Size]:
    """The room that each node of a template needs at any of its steps."""
    sizes: dict[Key, Size] = {}
    for c in template.columns:
        for i in scene.timeline.members[c]:
            width, height = scene.size(i)
            most = sizes.get(scene.keys[i], (0.0, 0.0))
            sizes[scene.keys[i]] = (max(width, most[0]), max(height, most[1]))
    return sizes
