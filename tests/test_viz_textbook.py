"""The textbook style, looked at through its plans: what stands where, and how the wires run."""

from collections import defaultdict
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, manual_seed, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany, Seq2Seq
from tinygrad_seq.viz import draw_unrolled
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel
from tinygrad_seq.viz.reading.columns import read_columns, sort_members
from tinygrad_seq.viz.reading.elision import shown_steps
from tinygrad_seq.viz.reading.templates import exits, read_templates
from tinygrad_seq.viz.textbook.parts import GATE, JOINT, LINEAR, POINTWISE, PRODUCT
from tinygrad_seq.viz.textbook.style import TextbookPlan, textbook_face, textbook_parts, textbook_plan
from tinygrad_seq.viz.textbook.wires import DOWN, LEFT, RIGHT, ROUND, UP, Grid, Port, rounded
from tinygrad_seq.viz.unrolled.draw import largest
from tinygrad_seq.viz.unrolled.faces import Badges
from tinygrad_seq.viz.unrolled.scene import Scene
from viz_records import MODELS, weights


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


def rectangle(centre, size):
    (x, y), (width, height) = centre, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def boxes_of(scene, template, plan, c):
    """The rectangles of the nodes in column c."""
    keys = [scene.keys[i] for i in scene.timeline.members[c]]
    return {key: rectangle(plan.centres[key], plan.sizes[key]) for key in keys}


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


def check(scene, parts, plans):
    """All that must hold of any plan in textbook style."""
    for template, plan in plans:
        for c in template.columns:
            check_places(scene, template, plan, c)
        check_wires(scene, template, plan)
        check_lanes(template, plan)


def check_places(scene, template, plan, c):
    """No two boxes overlap; every node of a cell is inside of it, all others and the circles outside of every cell."""
    boxes = boxes_of(scene, template, plan, c)
    cells = [(cell, (cell.left, cell.top, cell.left + cell.width, cell.top + cell.height)) for cell in plan.cells]
    circles = [rectangle(at, (32, 32)) for key, at in plan.outputs.items()]
    for one, other in combinations([*boxes.values(), *circles], 2):
        assert apart(one, other)
    for _, frame in cells:
        assert frame[0] >= 0
        assert frame[2] <= plan.width
        assert all(apart(frame, circle) for circle in circles)
    for key, box in boxes.items():
        assert box[0] >= 0
        assert box[2] <= plan.width
        assert box[1] >= 0
        assert box[3] <= plan.height
        for cell, frame in cells:
            inside = frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]
            assert inside if key in cell.keys else apart(frame, box)


def check_wires(scene, template, plan):
    """Wires run at right angles, through no box that they do not touch, and not upon each other."""
    members = [{scene.keys[i] for i in scene.timeline.members[c]} for c in template.columns]
    segments = defaultdict(list)
    for (a, b), course in wires(plan).items():
        assert len(course) % 3 == 1
        points = bends(course)
        for p, q in pairwise(points):
            segments[a].append((p, q))
            box = min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])
            for key, centre in plan.centres.items():
                together = any({key, a, b} & template.keys.keys() <= keys for keys in members)
                if key not in (a, b) and together:
                    assert apart(shrunk(rectangle(centre, plan.sizes[key])), box), (a, b, key)
    for (a, some), (b, others) in combinations(segments.items(), 2):
        if not joining(a, b, plan, template, members):
            for one in some:
                for other in others:
                    assert not upon(one, other), (a, b, one, other)


def shrunk(box):
    return box[0] + 0.5, box[1] + 0.5, box[2] - 0.5, box[3] - 0.5


def joining(a, b, plan, template, members):
    """Whether two sources lead to one end, where their wires may merge, or are never there together."""
    real = [x[1] if x[0] == "from before" else x for x in (a, b)]
    ends = [{y for x, y in wires(plan) if x == source} for source in (a, b)]
    never = not any(all(x in keys for x in real) for keys in members)
    return bool(ends[0] & ends[1]) or never or real[0] == real[1]


def upon(one, other):
    """Whether two level or upright segments share more than a point."""
    for k in (0, 1):
        level = all(abs(s[0][k] - s[1][k]) < 0.02 for s in (one, other)) and abs(one[0][k] - other[0][k]) < 3
        if level:
            (a, b), (c, d) = (sorted((s[0][1 - k], s[1][1 - k])) for s in (one, other))
            if min(b, d) - max(a, c) > 0.1:
                return True
    return False


def check_lanes(template, plan):
    """A state enters and leaves at the same height, at the column's edges."""
    for (a, _), course in plan.entries.items():
        assert course[0] == (plan.width if a in plan.backward else 0, plan.lanes[a])
    for a, course in plan.exits.items():
        assert course[-1] == (0 if a in plan.backward else plan.width, plan.lanes[a])
    assert set(plan.entries) == {*template.arriving, *template.returning}
    assert set(plan.exits) == {*template.leaving, *template.going_back}
    assert set(plan.courses) == set(template.edges)


LAYERS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "lecture GRU": lambda *a, **k: GRU(*a, form="lecture", **k)}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("model", LAYERS)
def test_layers(model, layers):
    """One and three layers of each of our networks come out with everything in its place."""
    check(*read(trained(LAYERS[model](4, 5, num_layers=layers))))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("model", LAYERS)
def test_both_directions(model, layers):
    """So do networks in both directions; the cells whose states run back are mirrored."""
    scene, parts, plans = read(trained(LAYERS[model](4, 5, num_layers=layers, bidirectional=True)))

    check(scene, parts, plans)
    ((_, plan),) = plans
    assert sorted(cell.reverse for cell in plan.cells) == [False] * layers + [True] * layers


@pytest.mark.parametrize("model", MODELS)
def test_records_of_a_user(model):
    """So do models that a user wrote from primitives, with attention and decoders."""
    check(*read(MODELS[model]()))


N = 3
CARRIED = ("gate", "mul", "add", "blend", "keep or take")


@st.composite
def cells(draw):
    """A cell as somebody might write it: gates of anything so far, pointwise arithmetic, new values of its states."""
    states, ops = draw(st.integers(1, 3)), []

    def known():
        return draw(st.integers(0, states + len(ops)))

    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["joined", "summed", "peephole"]))
        ops.append((kind, tuple(dict.fromkeys(known() for _ in range(draw(st.integers(1, 3)))))))
    for _ in range(draw(st.integers(0, 5))):
        ops.append((draw(st.sampled_from(["mul", "add", "tanh", "one minus", "linear"])), (known(), known())))
    return tuple(ops), tuple((draw(st.sampled_from(CARRIED)), known()) for _ in range(states))


class Written:
    """A random cell, run: every op of the program, then the new values of its states."""

    def __init__(self, cell, *, reverse=False):
        self.ops, self.carried = cell
        self.rng, self.weights = np.random.default_rng(0), {}
        self.run(enumerate(np.ones((1, 1, N))))  # the weights are made outside of time
        self.loss = self.run(steps(np.ones((3, 1, N)), reverse=reverse))

    def weight(self, name, *shape):
        if name not in self.weights:
            self.weights[name] = Parameter(self.rng.normal(0, 0.3, shape), name=name)
        return self.weights[name]

    def run(self, xs):
        old = [Parameter(np.zeros((1, N)), name=f"s{k}") for k in range(len(self.carried))]
        total = 0.0
        for _, x in xs:
            values = [Tensor(x, name="x"), *old]
            for n, (kind, taken) in enumerate(self.ops):
                values.append(self.made(kind, n, [values[k] for k in taken]))
            old = [self.renewed(n, kind, values[k], old[n]) for n, (kind, k) in enumerate(self.carried)]
            total = total + sum(s.sum() for s in old)
        return total

    def made(self, kind, n, taken):
        one, other = taken[0], taken[-1]
        match kind:
            case "joined":
                joined = F.concat(taken, axis=-1) if len(taken) > 1 else one
                return F.sigmoid(joined @ self.weight(f"W_{n}", N * len(taken), N)).named(f"g{n}")
            case "summed":
                terms = [value @ self.weight(f"W_{n}{k}", N, N) for k, value in enumerate(taken)]
                return F.tanh(sum(terms[1:], terms[0]) + self.weight(f"b_{n}", N)).named(f"g{n}")
            case "peephole":
                return F.sigmoid(one @ self.weight(f"V_{n}", N, N) + other * self.weight(f"p_{n}", N)).named(f"g{n}")
            case "linear":
                return one @ self.weight(f"U_{n}", N, N)
            case "one minus":
                return 1 - one
            case "tanh":
                return F.tanh(one)
        return one * other if kind == "mul" else one + other

    def renewed(self, n, kind, value, old):
        match kind:
            case "gate":
                new = F.tanh(value @ self.weight(f"A_{n}", N, N) + old @ self.weight(f"B_{n}", N, N))
            case "mul":
                new = value * old
            case "add":
                new = old + value
            case "blend":
                new = 0.9 * old + value
            case _:
                g = F.sigmoid(value @ self.weight(f"A_{n}", N, N))
                new = g * old + (1 - g) * value
        return new.named(f"s{n}")


@settings(max_examples=60, deadline=None)
@given(cells(), st.booleans())
def test_any_cell(cell, reverse):
    """Whatever a cell computes: nothing overlaps, wires have right angles and are never on each other, states level."""
    scene, parts, plans = read(Written(cell, reverse=reverse).loss, random=True)

    check(scene, parts, plans)
    assert plans or not {"gate", "keep or take"} & {kind for kind, _ in cell[1]}
    assert all(inner.reverse == reverse for _, plan in plans for inner in plan.cells)


CROWDED = [
    ((("joined", (0,)), ("joined", (4, 0)), ("joined", (0,))), (("gate", 0), ("gate", 4), ("gate", 5))),
    ((("joined", (0,)),) * 3 + (("joined", (3, 0, 1)),), (("gate", 0), ("gate", 7), ("gate", 0))),
    (
        (("peephole", (1,)), ("peephole", (1, 4)), ("joined", (0,)), ("mul", (4, 0))),
        (("blend", 7), ("mul", 5), ("gate", 0)),
    ),
]


@pytest.mark.parametrize("cell", CROWDED)
def test_where_a_wire_is_to_begin_or_end_no_other_is_in_its_way(cell):
    """Cells whose wires come close to each other's ends are drawn too."""
    scene, parts, plans = read(Written(cell).loss)

    assert plans
    check(scene, parts, plans)


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


# ---- the picture ----


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


# ---- wires ----


def open_grid(size=7):
    return Grid([10.0 * n for n in range(size)], [10.0 * n for n in range(size)])


def test_a_wire_goes_around_what_is_in_its_way():
    """The shortest way that touches nothing."""
    grid = open_grid()
    grid.taken.update((3, y) for y in range(2, 7))
    way = grid.connect("w", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])

    assert way[0] == (0, 3)
    assert way[-1] == (6, 3)
    assert (3, 1) in way
    assert not set(way[1:-1]) & grid.taken


def test_wires_cross_straight_and_never_share_a_line():
    """A second wire crosses the first once, at a right angle, and has no corner on it."""
    grid = open_grid()
    first = grid.connect("a", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])
    second = grid.connect("b", [Port((3, 6), UP)], [Port((3, 0), UP)])

    assert set(first) & set(second) == {(3, 3)}
    assert grid.used[3, 3].keys() == {"a", "b"}


def test_a_wire_rather_goes_around_than_across():
    """A small detour is better than a crossing."""
    grid = open_grid(9)
    grid.connect("a", [Port((0, 4), RIGHT)], [Port((5, 4), RIGHT)])
    way = grid.connect("b", [Port((5, 0), DOWN)], [Port((5, 8), DOWN)])

    assert way
    assert all(len(wires) == 1 for wires in grid.used.values())


def test_no_wire_passes_over_the_corner_of_another():
    """Where a wire turns, another would seem to lead on: it goes by another line."""
    grid = open_grid()
    grid.connect("a", [Port((0, 3), RIGHT)], [Port((3, 0), UP)])
    way = grid.connect("b", [Port((6, 3), LEFT)], [Port((3, 6), DOWN)])

    assert way
    assert (3, 3) not in way


def test_a_wire_forks():
    """To a second end a wire leads on from where it already is."""
    grid = open_grid()
    first = grid.connect("a", [Port((0, 3), RIGHT)], [Port((6, 3), RIGHT)])
    second = grid.connect("a", [Port((0, 3), RIGHT)], [Port((4, 0), UP)])

    assert second[0] == (0, 3)
    assert second[: len(set(first) & set(second))] == [v for v in first if v in second]


def test_a_port_is_taken_once():
    """Where one wire ends no other may; without a way there is none."""
    grid = open_grid()
    goal = [Port((6, 3), RIGHT)]
    assert grid.connect("a", [Port((0, 3), RIGHT)], goal)

    assert grid.connect("b", [Port((0, 2), RIGHT)], goal) is None
    assert grid.connect("b", [Port((0, 2), RIGHT)], [Port((6, 3), LEFT)]) is None


@given(st.lists(st.tuples(st.booleans(), st.integers(-60, 60)), min_size=1, max_size=8))
def test_rounded_corners(moves):
    """A way with right angles keeps its ends, and runs straight but for its corners, however short its pieces."""
    points = [(0.0, 0.0)]
    for level, far in moves:
        x, y = points[-1]
        points.append((x + far, y) if level else (x, y + far))
    course = rounded(points)

    if course:
        assert course[0] == points[0]
        assert course[-1] == points[-1]
        bends(course)
