"""The textbook style: which parts a cell has, where each stands as in the figure, and its colours."""

from collections import defaultdict
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, manual_seed, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, Seq2Seq
from tinygrad_seq.viz import draw_unrolled
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel
from tinygrad_seq.viz.reading.columns import read_columns
from tinygrad_seq.viz.textbook.parts import GATE, JOINT, LINEAR, POINTWISE, PRODUCT
from tinygrad_seq.viz.textbook.style import textbook_parts
from viz_records import MODELS, weights
from viz_textbook_plans import LAYERS, N, bends, read, trained, wires


def named(scene, parts):
    """The kinds of the second step's named nodes."""
    timeline = scene.timeline
    return {timeline.stems[i]: parts.kinds.get(i) for i in timeline.members[1] if timeline.stems[i]}


def kinds(scene, parts):
    """How many there are of each kind in the second step."""
    found = defaultdict(int)
    for i in scene.timeline.members[1]:
        found[parts.kinds.get(i)] += 1
    return dict(found)


def test_the_gates_of_an_lstm():
    """Four gates stand on the line of one product of [h, x] with W; all else in the cell is pointwise."""
    scene, parts, _ = read(trained(LSTM(4, 5)))

    assert named(scene, parts) == {
        "x": None, "i": GATE, "f": GATE, "C̃": GATE, "o": GATE, "C": POINTWISE, "h": POINTWISE, "ŷ": None, "L": None,
    }  # fmt: skip
    assert kinds(scene, parts) == {GATE: 4, PRODUCT: 1, JOINT: 1, POINTWISE: 5, None: 3}


def test_the_gates_of_both_grus():
    """PyTorch's form has U_n h as a box of its own; in the lecture's, lines merge in two places."""
    assert kinds(*read(trained(GRU(4, 5)))[:2]) == {GATE: 3, PRODUCT: 1, LINEAR: 1, JOINT: 1, POINTWISE: 5, None: 3}
    lecture = kinds(*read(trained(GRU(4, 5, form="lecture")))[:2])
    assert lecture == {GATE: 3, PRODUCT: 1, JOINT: 2, POINTWISE: 5, None: 3}


def test_gates_with_weights_of_their_own_have_them_as_badges():
    """W_z stands on z, W_r on r; where lines merge before them there is no weight."""
    scene, parts, _ = read(MODELS["gru"]())
    shown = {}
    for i in scene.timeline.members[1]:
        if parts.kinds.get(i) == GATE:
            badges = [s for s in scene.face(i).segments if s.fill]
            shown[scene.timeline.stems[i]] = ["".join(run.text for run in s.label) for s in badges]

    assert shown == {"z": ["Wz"], "r": ["Wr"], "h̃": ["W"]}
    assert PRODUCT not in kinds(scene, parts)


def test_layer_norm_and_peepholes_belong_to_their_gate():
    """σ(LN(x W) γ + β + C p) is one gate with four weights, and C leads into it."""
    W, γ, β, p = weights(W=(N, N), γ=(N,), β=(N,), p=(N,))
    C = Parameter(np.zeros((1, N)), name="C")
    for _, x in steps(np.ones((3, 1, N))):
        f = F.sigmoid(F.layer_norm(Tensor(x, name="x") @ W, (N,), γ, β) + C * p).named("f")
        C = (f * C).named("C")
    scene, parts, _ = read(C.sum())

    (gate,) = [i for i in scene.timeline.members[1] if parts.kinds.get(i) == GATE]
    assert len([s for s in scene.face(gate).segments if s.fill]) == 4
    assert {scene.timeline.stems[i] for i in scene.drawn_inputs(gate)} == {"x", "C"}


def test_a_state_that_is_linear_in_weights_still_merges_with_x():
    """Of h = [h, x] W, which meets no activation, the lines of h and x merge before W."""
    (W,) = weights(W=(2 * N, N))
    h = Parameter(np.zeros((1, N)), name="h")
    for _, x in steps(np.ones((3, 1, N))):
        h = (F.concat([h, Tensor(x, name="x")], axis=-1) @ W).named("h")

    assert kinds(*read(h.sum())[:2]) == {JOINT: 1, LINEAR: 1, None: 1}


@pytest.mark.parametrize(("model", "state"), [("LSTM", "C"), ("GRU", "h"), ("lecture GRU", "h")])
def test_the_conveyor_is_straight(model, state):
    """A state that meets pointwise operations alone runs on one height through × and +, above all gates."""
    scene, _, ((_, plan),) = read(trained(LAYERS[model](4, 5)))
    timeline, keys = scene.timeline, scene.keys
    (new,) = [i for i in timeline.members[1] if timeline.stems[i] == state]
    (times,) = [x for x in timeline.inputs[new] if any(timeline.stems[y] == state for y in timeline.inputs[x])]
    height = plan.lanes[keys[new]]

    assert plan.centres[keys[new]][1] == plan.centres[keys[times]][1] == height
    assert plan.centres[keys[times]][0] < plan.centres[keys[new]][0]
    gates = [plan.centres[keys[i]] for i in timeline.members[1] if timeline.stems[i] in ("f", "i", "o", "C̃", "z", "r")]
    assert len({y for _, y in gates}) == 1
    assert all(height < y for _, y in gates)


def test_inputs_stand_below_outputs_above():
    """From the top: the loss, the prediction, the circle of h, the cell, x."""
    scene, _, ((_, plan),) = read(trained(LSTM(4, 5)))
    at = {scene.timeline.stems[i]: plan.centres[scene.keys[i]][1] for i in scene.timeline.members[1]}
    (circle,), (cell,) = plan.outputs.values(), plan.cells

    assert at["L"] < at["ŷ"] < circle[1] < cell.top < cell.top + cell.height < at["x"]
    assert plan.centres[next(k for k in plan.centres if k[1] == "ŷ")][0] == circle[0]


def crossings(plan):
    """How often wires of different sources cross."""
    ways = [(a, pair) for (a, _), course in wires(plan).items() for pair in pairwise(bends(course))]
    found = set()
    for (a, one), (b, other) in combinations(ways, 2):
        for (p, q), (r, s) in ((one, other), (other, one)):
            upright, level = abs(p[0] - q[0]) < 0.02, abs(r[1] - s[1]) < 0.02
            inside = min(r[0], s[0]) < p[0] < max(r[0], s[0]) and min(p[1], q[1]) < r[1] < max(p[1], q[1])
            if a != b and upright and level and inside:
                found.add((round(p[0], 1), round(r[1], 1)))
    return len(found)


@pytest.mark.parametrize(("model", "most"), [("RNN", 0), ("LSTM", 1), ("GRU", 2), ("lecture GRU", 2)])
def test_wires_cross_as_seldom_as_in_the_figure(model, most):
    """In the LSTM only the way of h upward crosses anything: C."""
    (_, plan), *_ = read(trained(LAYERS[model](4, 5)))[2]

    assert crossings(plan) <= most


def test_layers_look_alike():
    """Three layers of an LSTM are three cells of the same inner layout."""
    (_, plan), *_ = read(trained(LSTM(5, 5, num_layers=3)))[2]
    inner = [sorted(cell.block.centres.values()) for cell in plan.cells]

    assert inner[0] == inner[1] == inner[2]


@pytest.mark.parametrize("model", LAYERS)
def test_a_single_step_is_drawn_as_many_are(model):
    """The cell of a record of one step, and of one step shown of many, is that of a long sequence."""
    (_, long), *_ = read(trained(LAYERS[model](4, 5)))[2]
    (_, one), *_ = read(trained(LAYERS[model](4, 5), T=1))[2]
    (_, shown), *_ = read(trained(LAYERS[model](4, 5)), show=[1])[2]

    inner = [sorted(plan.cells[0].block.centres.values()) for plan in (long, one, shown)]
    assert inner[0] == inner[1] == inner[2]
    assert set(one.entries.values()) == set(shown.entries.values()) == set(long.entries.values())


def test_what_is_made_of_constants_in_the_first_step_stands_where_x_does():
    """The first [h, x] of a user's cell is no node, but given: its box takes the place that x has later."""
    scene, _, ((_, plan),) = read(MODELS["lstm"]())
    first, second = ({scene.keys[i] for i in scene.timeline.members[c]} for c in (0, 1))
    (given,), (x,) = (
        [key for key in keys if not key[0] and key in plan.centres] for keys in (first - second, second - first)
    )

    assert plan.centres[given] == plan.centres[x]


def test_there_is_room_below_what_looks_at_other_steps():
    """Lines of attention need a place to arrive at: below what they lead to is more room."""
    drawing = draw_unrolled(MODELS["attention"](), style="textbook")
    boxes = {part.id: part for part in drawing.picture.walk() if isinstance(part, Box)}
    circles = parts_of(drawing, Panel, "output")
    (looking,) = [box for name, box in boxes.items() if name.startswith("t3.") and box.kind == "module"]

    assert circles[2].y - (looking.y + looking.height / 2) > 40


def test_without_a_cell_there_is_no_plan():
    """What no state runs through has no cell, and is left to the other styles."""
    W = Parameter(np.eye(N), name="W")
    total = 0.0
    for _, x in steps(np.ones((3, 1, N))):
        total = total + F.tanh(Tensor(x, name="x") @ W).named("h").sum()  # carried on, but by no gate

    assert textbook_parts(read_columns(total)).cells == {}
    assert draw_unrolled(total, style="textbook").svg


def parts_of(drawing, kind, name):
    return [part for part in drawing.picture.walk() if isinstance(part, kind) and part.kind == name]


def test_the_figure_has_its_colours():
    """Cells, gates, circles, inputs and outputs have the figure's colours, which both themes know."""
    drawing = draw_unrolled(trained(LSTM(4, 5)), style="textbook", colour=None)

    assert {box.fill for box in parts_of(drawing, Box, "gate")} == {"gate"}
    assert {box.fill for box in parts_of(drawing, Box, "pointwise")} == {"pointwise"}
    assert {box.fill for box in parts_of(drawing, Box, "input")} == {"input"}
    assert {panel.fill for panel in parts_of(drawing, Panel, "output")} == {"output"}
    assert [panel.fill for panel in parts_of(drawing, Panel, "cell-box")] == ["cell"] * 3
    for name in ("cell", "gate", "pointwise", "input", "output"):
        assert {name, f"{name}-edge"} <= LIGHT.colours.keys() & DARK.colours.keys()


def test_the_gradient_colours_gates_and_circles():
    """Asked for the gradient, gates and circles have the colours of its scale; the circle above that of its node."""
    drawing = draw_unrolled(trained(LSTM(4, 5)), style="textbook", colour="grad")
    boxes = {box.id: box for box in drawing.picture.walk() if isinstance(box, Box)}
    outputs = parts_of(drawing, Panel, "output")

    assert all(box.fill.startswith(("ramp", "zero")) for box in parts_of(drawing, Box, "gate"))
    assert [panel.fill for panel in outputs] == [boxes[f"t{t}.rnn.h"].fill for t in (1, 2, 3)]


def test_ways_up_begin_at_the_circle_of_the_output():
    """Lines of attention leave a cell where its value leaves it, and pass over the cells, which lie under all else."""
    manual_seed(0)
    model = Seq2Seq(
        LSTM(5, 4), LSTM(5, 4), source_tokens=5, target_tokens=5, attention="dot", padding=0, begin=1, end=2
    )
    loss = model.loss(np.array([[3], [4], [3]]), np.array([3]), np.array([[4], [2]]))
    drawing = draw_unrolled(loss, style="textbook")
    circles = {(round(p.x + p.width / 2, 3), round(p.y, 3)) for p in parts_of(drawing, Panel, "output")}
    lines = parts_of(drawing, Curve, "attention")
    order = [p.kind for p in drawing.picture.walk() if getattr(p, "kind", "") in ("cell-box", "attention")]

    assert len(lines) == 3 * 2
    assert {(round(x, 3), round(y, 3)) for x, y in (line.points[0] for line in lines)} <= circles
    assert order == ["cell-box"] * 5 + ["attention"] * 6


def test_every_step_is_drawn_alike():
    """What the second and the third step draw is the same, moved."""
    drawing = draw_unrolled(trained(LSTM(4, 5), T=4), style="textbook", colour=None)
    drawn = []
    for group in [g for g in drawing.picture.walk() if isinstance(g, Group) and g.id in ("t2", "t3")]:
        x, y, *_ = group.frame
        places = [(p.x - x, p.y - y) for p in group.parts if isinstance(p, Box | Panel)]
        lines = [[(a - x, b - y) for a, b in p.points] for p in group.parts if isinstance(p, Curve)]
        drawn.append((np.round(places, 6).tolist(), [np.round(line, 6).tolist() for line in lines]))

    assert drawn[0] == drawn[1]


def test_where_lines_merge_there_is_no_arrow():
    """An arrow says where something is taken up: at gates and circles, not where lines join."""
    drawing = draw_unrolled(trained(LSTM(4, 5)), style="textbook")
    joints = {box.id for kind in (JOINT, PRODUCT) for box in parts_of(drawing, Box, kind)}
    into = [curve for curve in drawing.picture.walk() if isinstance(curve, Curve) and curve.ends[1] in joints]

    assert len(into) == 3 * 3
    assert not any(curve.arrow for curve in into)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_name_is_safe(state, weight, given_name):
    """Whatever states, weights and inputs are called, the SVG is well-formed and its ids are unique."""
    h, W = Parameter(np.zeros((1, 2)), name=state), Parameter(np.eye(2), name=weight)
    for _, x in steps(np.ones((2, 1, 2))):
        h = F.tanh(h @ W + Tensor(x, name=given_name) @ W).named(state)
    root = ElementTree.fromstring(draw_unrolled(h.sum(), style="textbook").svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]

    assert len(ids) == len(set(ids))


def test_the_same_record_gives_the_same_bytes():
    """Two records made alike are drawn alike, to the byte."""
    one, other = (draw_unrolled(MODELS["lstm"](), style="textbook").svg for _ in range(2))

    assert one == other
