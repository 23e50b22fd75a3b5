"""The textbook style: whatever a cell computes, nothing overlaps, and wires run at right angles."""

from collections import defaultdict
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, steps
from tinygrad_seq import functional as F
from viz_records import MODELS
from viz_textbook_plans import LAYERS, N, bends, read, trained, wires


def rectangle(centre, size):
    (x, y), (width, height) = centre, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def boxes_of(scene, template, plan, c):
    """The rectangles of the nodes in column c."""
    keys = [scene.keys[i] for i in scene.timeline.members[c]]
    return {key: rectangle(plan.centres[key], plan.sizes[key]) for key in keys}


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
