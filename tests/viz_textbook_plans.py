"""Plans of the textbook style, of records and of models of ours; and the wires in them."""

import numpy as np
from hypothesis import assume

from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.viz.reading.columns import read_columns, sort_members
from tinygrad_seq.viz.reading.elision import shown_steps
from tinygrad_seq.viz.reading.templates import exits, read_templates
from tinygrad_seq.viz.textbook.style import TextbookPlan, textbook_face, textbook_parts, textbook_plan
from tinygrad_seq.viz.textbook.wires import ROUND
from tinygrad_seq.viz.unrolled.draw import largest
from tinygrad_seq.viz.unrolled.faces import Badges
from tinygrad_seq.viz.unrolled.scene import Scene

N = 3  # the width of states and inputs in records written by hand
LAYERS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "lecture GRU": lambda *a, **k: GRU(*a, form="lecture", **k)}


def read(loss, show="auto", random=False):
    """A record in textbook style: its scene, its parts, and the plan of every template."""
    timeline = read_columns(loss)
    parts = textbook_parts(timeline)
    sort_members(timeline)
    columns = shown_steps(timeline.steps, timeline.stretch, show)
    further = exits(timeline)
    templates, keys = read_templates(timeline, columns, further)
    scene = Scene(timeline, columns, keys, Badges(timeline), further)
    for c in columns:
        for i in timeline.members[c]:
            scene.faces[i] = textbook_face(scene, i, parts)
    plans = []
    for template in templates:
        scene.name_keys(template)
        plan = textbook_plan(scene, template, largest(scene, template), parts)
        found = isinstance(plan, TextbookPlan) or not any(keys.get(i) in template.keys for i in parts.cells)
        if random:  # a cell may have more wires than are drawn: then it is laid out as ever
            assume(found)
        assert found
        if plan is None:
            continue
        plans.append((template, plan))
        scene.plans.update(dict.fromkeys(template.columns, plan))
    return scene, parts, plans


def trained(rnn, T=3):
    """The loss of a model of ours over T steps."""
    return ManyToMany(rnn, 4).loss(np.arange(T) % 4, (np.arange(T) + 1) % 4)


def bends(course):
    """The points of a course where it changes its direction, with its ends; fails where it runs aslant."""
    pieces = [course[n : n + 4] for n in range(0, len(course) - 1, 3)]
    points = [course[0]]
    for piece in pieces:
        (x1, y1), (x2, y2) = piece[0], piece[-1]
        straight = abs(x1 - x2) < 0.02 or abs(y1 - y2) < 0.02
        corner = abs(x1 - x2) <= ROUND + 0.02 and abs(y1 - y2) <= ROUND + 0.02
        assert straight or corner, piece
        points.append((x2, y2))
    return points


def wires(plan):
    """Every course of a plan by its source and its end."""
    found = dict(plan.courses)
    found.update({(("from before", a), b): course for (a, b), course in plan.entries.items()})
    found.update({(a, ("to next", a)): course for a, course in plan.exits.items()})
    found.update({(a, ("circle", a)): course for a, course in plan.stems.items()})
    return found
