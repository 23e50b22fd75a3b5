"""The record of a sequence model as one picture: a column per time step, time from left to right."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_seq.graph import Node

from .columns import Key, read_columns
from .composition import compose
from .drawing import Drawing
from .faces import Badges
from .graphviz_program import Size
from .magnitudes import gradient_magnitudes
from .palette import scale_for
from .placement import place_template
from .scene import Scene
from .stretches import Show, shown_steps
from .templates import Template, exits, read_templates

Words = Sequence[object]


def draw_unrolled(
    loss: Node,
    *,
    tokens: Words | None = None,
    predictions: Words | None = None,
    colour: str | None = "grad",
    title: str | None = None,
    show: Show = "auto",
) -> Drawing:
    """Draw the record of a sequence model unrolled in time.

    Every time step is a column, and steps that compute the same are laid out alike.  States go from column to column
    at one height; what comes from the inputs rises from below, outputs and losses stand above.  A weight is a badge at
    each of its uses, never an edge across the page.

    loss: the node whose record is drawn.  tokens, predictions: one for each time step, written under and over the
    columns.  colour: "grad" colours every node by ‖∂loss/∂node‖ on a logarithmic scale (loss must be a scalar), None
    by nothing.  show: "auto" passes over the middle of long sequences, "all" draws each step, a list names the steps.
    Raises NoTimeStepsError for a record outside of time, GraphvizMissingError where no program can place the nodes.

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
    if colour not in ("grad", None):
        raise ValueError(f'colour must be "grad" or None, got {colour!r}')
    timeline = read_columns(loss)
    for name, words in (("tokens", tokens), ("predictions", predictions)):
        if words is not None and len(words) != len(timeline.steps):
            count = len(timeline.steps)
            raise ValueError(f"{name} must have one entry for each of the {count} steps, got {len(words)}")
    columns = shown_steps(timeline.steps, show)
    further = exits(timeline)
    templates, keys = read_templates(timeline, columns, further)
    scene = Scene(timeline, columns, keys, Badges(timeline), further)
    if colour == "grad":
        scene.magnitudes = gradient_magnitudes(loss, timeline.nodes)
        scene.scale = scale_for(scene.magnitudes)
    for template in templates:
        scene.name_keys(template)
        plan = place_template(template, largest(scene, template))
        for c in template.columns:
            scene.plans[c] = plan
    return Drawing(compose(scene, title, tokens, predictions))


def largest(scene: Scene, template: Template) -> dict[Key, Size]:
    """The room that each node of a template needs at any of its steps."""
    sizes: dict[Key, Size] = {}
    for c in template.columns:
        for i in scene.timeline.members[c]:
            width, height = scene.size(i)
            most = sizes.get(scene.keys[i], (0.0, 0.0))
            sizes[scene.keys[i]] = (max(width, most[0]), max(height, most[1]))
    return sizes
