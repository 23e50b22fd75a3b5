"""Records folded: the body of each loop, what it carries, which steps differ; and the picture of it."""

import random
import time
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Graph, Op, Parameter, Tensor, Value, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, RNN
from tinygrad_seq.viz import NoTimeStepsError, draw_unrolled, fold
from tinygrad_seq.viz.folding.alignment import align
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel, Text
from tinygrad_seq.viz.reading.columns import read_columns
from tinygrad_seq.viz.reading.levels import LEVELS
from viz_records import MODELS, lstm, rnn, weights

GOLDEN = Path(__file__).parent / "golden"
cut = Op(lambda x: x, lambda g, out, x: (None,), name="cut")


# ---- models at random, with a step that differs ----------------------------------------


class Line(NamedTuple):
    """One line of a model: an op, on values made before it."""

    op: str
    x: int
    y: int


class Plan(NamedTuple):
    """A model at random: its lines, how many of their values are states, how many steps it runs."""

    lines: list[Line]
    states: int
    T: int


UNARY = {"tanh": F.tanh, "sigmoid": F.sigmoid, "relu": F.relu}


@st.composite
def plans(draw, min_steps=4):
    states = draw(st.integers(1, 2))
    lines = []
    for k in range(draw(st.integers(2, 7))):
        known = st.integers(0, states + k)  # the input, the states, and what the lines before made
        lines.append(Line(draw(st.sampled_from(["add", "mul", "matmul", *UNARY])), draw(known), draw(known)))
    return Plan(lines, states, draw(st.integers(min_steps, 7)))


def run(plan, change="", at=0, line=0, order=None):
    """The record of a model, in which one line of one step is changed; order: of the lines of that step."""
    W, V = Parameter(np.eye(3) / 2, name="W"), Parameter(np.eye(3) / 3, name="V")
    states = [Tensor(np.ones((1, 3)), name=f"s{n}", requires_grad=True) for n in range(plan.states)]
    losses = []
    for t, x in steps(np.ones((plan.T, 1, 3))):
        known = {0: Tensor(x, name="x", requires_grad=True), **{n + 1: state for n, state in enumerate(states)}}
        for k in order if order and t == at else range(len(plan.lines)):
            op, a, b = plan.lines[k]
            here = change if t == at and k == line else ""
            a = (a + 1) % (plan.states + 1) if here == "wiring" else a
            x, y, M = known[a], known[b], V if here == "weight" else W
            x = cut(x) if here == "cut" else x
            op = {"add": "mul", "mul": "add", "matmul": "tanh", "tanh": "relu"}.get(op, "tanh") if here == "op" else op
            made = x @ M if op == "matmul" else x * y if op == "mul" else x + y if op == "add" else UNARY[op](x)
            made = F.exp(made) if here == "more" else made
            known[plan.states + 1 + k] = made.named("other" if here == "name" else f"v{k}" if k % 2 else None)
        states = [known[len(known) - 1 - n] for n in range(plan.states)]
        losses.append(sum(known[n] for n in sorted(known) if n).sum().named("L"))
    return sum(losses).named("loss")


@settings(max_examples=40)
@given(plans(min_steps=1))
def test_unfolding_gives_the_record_back(plan):
    """The body, as often as there are steps, with what single steps lack and have more, is all that is in time."""
    loss = run(plan)
    loop = fold(loss).loop
    again = [node for t in loop.steps for node in [*loop.at(t), *loop.more(t)] if node is not None]

    assert len(again) == len({id(node) for node in again})
    assert {id(node) for node in again} == {id(node) for node in Graph(loss).nodes if node.t is not None}


@settings(max_examples=40)
@given(plans())
def test_the_wires_are_those_of_the_record(plan):
    """Where the wires say that a node comes by an input, the record has it, at every step that can have it."""
    loop = fold(run(plan)).loop
    checked = 0
    for source, target, place, distance in loop.wires:
        for t in loop.steps:
            if t - distance in loop.steps:
                assert loop.at(t)[target].inputs[place] is loop.at(t - distance)[source]
                checked += 1
    assert checked


@settings(max_examples=40)
@given(plans())
def test_equal_steps_fold_perfectly(plan):
    """Of steps that compute the same only those differ that take their states from outside."""
    loop = fold(run(plan)).loop

    assert loop.foldable
    assert all(len(nodes) == len(loop.body) for nodes in loop.nodes.values())
    assert set(loop.differing) <= {1}
    assert all("from outside" in words for words in loop.differing.get(1, ()))


CHANGES = {
    "weight": "uses V where the others use W",
    "op": "where the others have",
    "more": "exp",
    "name": "where the others have",
    "wiring": "where the others take",
    "cut": "cut",
}


@settings(max_examples=80)
@given(plans(min_steps=5), st.sampled_from(sorted(CHANGES)), st.data())
def test_a_planted_difference_is_found_and_named(plan, change, data):
    """One line of one step computes something else: that step differs, no other one does, and it is said how."""
    at = data.draw(st.integers(2, plan.T))
    fitting = [k for k, line in enumerate(plan.lines) if fits(plan, change, k, line)]
    if not fitting:
        return
    line = data.draw(st.sampled_from(fitting))
    with np.errstate(over="ignore"):  # of an exp that is more
        usual, loop = fold(run(plan)).loop, fold(run(plan, change, at, line)).loop
    told = {t: words for t, words in loop.differing.items() if words != usual.differing.get(t)}

    assert set(told) == {at}
    assert CHANGES[change] in "; ".join(told[at])


def fits(plan, change, k, line):
    """Whether a change to a line changes what is computed."""
    if change == "weight":
        return line.op == "matmul"
    if change == "name":
        return k % 2
    if change == "wiring":
        return (line.x + 1) % (plan.states + 1) != line.x
    return True


@settings(max_examples=40)
@given(plans(), st.data())
def test_the_order_of_what_is_independent_changes_nothing(plan, data):
    """Lines of a step that don't need each other may be computed in any order."""
    mixed = random.Random(data.draw(st.integers(0, 1000)))
    waiting, order = set(range(len(plan.lines))), []
    while waiting:
        ready = [k for k in waiting if not {plan.lines[k].x, plan.lines[k].y} & {plan.states + 1 + n for n in waiting}]
        order.append(mixed.choice(sorted(ready)))
        waiting.remove(order[-1])
    at = data.draw(st.integers(1, plan.T))
    one, other = fold(run(plan)).loop, fold(run(plan, at=at, order=order)).loop

    assert {t: set(words) for t, words in one.differing.items()} == {
        t: set(words) for t, words in other.differing.items()
    }
    assert sorted(map(called, one.body)) == sorted(map(called, other.body))
    assert sorted(wired(one)) == sorted(wired(other))


def called(node):
    return f"{node.op.name if node.op else 'leaf'} {node.name}"


def wired(loop):
    return [(called(loop.body[a]), called(loop.body[b]), place, distance) for a, b, place, distance in loop.wires]


# ---- models one knows ----------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_node_is_in_one_place(model):
    """The steps of the loops, what they share, and what is outside make up the record, each node once."""
    loss = MODELS[model]()
    folded = fold(loss)
    inside = [node for loop in folded.loops for nodes in loop.nodes.values() for node in nodes]
    places = [id(node) for node in [*inside, *folded.shared, *folded.outside]]

    assert len(places) == len(set(places))
    assert set(places) == {id(node) for node in Graph(loss).nodes}


def test_an_rnn_is_what_the_textbook_says():
    """h comes from the step before, x comes in, L goes out to the sum, and the weights are shared."""
    loss = rnn(T=6)
    loop = fold(loss).loop
    names = [node.name or node.op.name for node in loop.body]

    assert names == ["x", "matmul", "matmul", "add", "add", "h", "ŷ", "L"]
    assert [(s.name, s.distance, [node.name for node in s.first]) for s in loop.carried] == [("h", 1, ["h"])]
    assert [node.t for node in loop.carried[0].nodes] == [1, 2, 3, 4, 5, 6]
    assert [(x.name, len(x.nodes)) for x in loop.inputs] == [("x", 6)]
    assert [(out.name, len(out.nodes), out.into) for out in loop.outputs] == [("L", 6, (loss,))]
    assert {use.parameter.name: [names[k] for k in use.users] for use in loop.parameters} == {
        "W_x": ["matmul"],
        "W_h": ["matmul"],
        "b": ["add"],
        "W_y": ["ŷ"],
    }
    assert loop.differing == {1: ("takes h from outside (initial state 'h')",)}
    assert [kind.steps for kind in loop.kinds] == [(2, 3, 4, 5, 6), (1,)]


@pytest.mark.parametrize(
    ("layer", "states"),
    [
        (RNN(3, 4), [("h", 1)]),
        (LSTM(3, 4), [("h", 1), ("C", 1)]),
        (GRU(3, 4, bidirectional=True), [("l0/h", 1), ("l0_reverse/h", -1)]),
        (RNN(3, 4, num_layers=2), [("l0/h", 1), ("l1/h", 1)]),
    ],
)
def test_states_of_layers(layer, states):
    """Layers fold into one loop, with a state for each; those of the other direction come from the step after."""
    output, _ = layer(np.ones((5, 1, 3)))
    loop = fold(output.sum()).loop

    assert [(state.name, state.distance) for state in loop.carried] == states
    assert all(len(state.first) == 1 for state in loop.carried)
    assert set(loop.differing) <= {1, 5}


def test_a_bidirectional_body_of_two_steps():
    """No step has both states from its neighbours, and the body has."""
    loop = fold(MODELS["bidirectional"](2)).loop

    assert [(state.name, state.distance) for state in loop.carried] == [("f", 1), ("b", -1)]
    assert sorted(loop.differing) == [1, 2]


def test_an_encoder_and_its_decoder_are_two_loops():
    """Each has its own body; the decoder begins with the encoder's last state, and its steps look at all of them."""
    folded = fold(MODELS["seq2seq"](5))
    encoder, decoder = folded.loops

    assert (encoder.name, decoder.name) == ("encoder", "decoder")
    assert decoder.carried[0].first == (encoder.carried[0].nodes[-1],)
    assert [node.name for node in decoder.context] == ["H"]
    assert decoder.differing == {1: ("takes s from outside (tanh 'h' of t = 5)",)}
    with pytest.raises(ValueError, match=r"2 loops \(encoder of t = 1 … 5, decoder of t = 1 … 5\)"):
        _ = folded.loop


def test_a_decoder_of_another_length():
    """The steps of an encoder and of a decoder need not be as many."""
    E, D = weights(E=(5, 5), D=(5, 5))
    h = Tensor(np.ones((1, 5)), name="h")
    for _, x in steps(np.ones((3, 1, 5))):
        h = F.tanh(h @ E + x).named("h")
    for _, y in steps(np.ones((6, 1, 5))):
        h = F.tanh(h @ D + y).named("s")

    assert [len(loop.steps) for loop in fold(h.sum()).loops] == [3, 6]


def test_looking_at_all_states_is_no_difference():
    """Attention takes more states from step to step, and folds: it looks at h of several steps."""
    loop = fold(MODELS["attention"](8)).loop

    assert set(loop.differing) == {1}
    assert [(loop.body[a].name, loop.body[b].name) for a, b in loop.looks] == [("h", "H")]


def test_steps_that_look_at_more_are_of_one_kind():
    """However many states a step looks at, it is compared as a whole with the others, and not node by node."""
    timeline = read_columns(MODELS["attention"](30))

    assert len(align(timeline, timeline.stretches[0]).kinds) == 2


@pytest.mark.parametrize("T", [6, 7])
def test_a_state_is_known_by_its_name(T):
    """In a ragged batch it passes one more op once a sequence has ended: it is the same state, and that is told."""
    output, _ = GRU(3, 4)(np.ones((T, 2, 3)), lengths=[T, 3])
    loop = fold(output.sum()).loop

    assert [(state.name, state.distance, len(state.nodes)) for state in loop.carried] == [("h", 1, T)]
    assert [x.name for x in loop.inputs] == ["x"]
    assert loop.differing[2] == loop.differing[3] == ("lacks where 'h'",)
    assert sorted(loop.differing) == [1, 2, 3]


def test_a_skip_connection():
    """What is taken two steps later is carried over two, and begins twice from outside."""
    W, V = weights(W=(2, 2), V=(2, 2))
    h = before = Tensor(np.ones((1, 2)), name="h")
    for _, x in steps(np.ones((6, 1, 2))):
        h, before = F.tanh(h @ W + before @ V + x).named("h"), h
    loop = fold(h.sum()).loop

    assert [(state.name, state.distance) for state in loop.carried] == [("h", 1), ("h", 2)]
    assert set(loop.differing) == {1, 2}


def test_a_sum_made_in_the_loop_is_a_state():
    """total = total + L goes from step to step, and begins with 0."""
    h, total = Tensor([1.0], requires_grad=True), 0
    for _, x in steps([1.0, 2.0, 3.0]):
        h = (h * x).named("h")
        total = (total + h).named("total")
    loop = fold(total.sum()).loop

    assert [
        (state.name, [float(node.data) for node in state.first]) for state in loop.carried if state.name == "total"
    ] == [("total", [0.0])]


def test_what_is_picked_from_a_sequence_comes_in():
    """x_t, taken from a recorded sequence at each step, is an input; which one is taken is data."""
    X, W = Tensor(np.ones((5, 1, 2)), requires_grad=True, name="X"), Parameter(np.eye(2), name="W")
    h = Tensor(np.ones((1, 2)), name="h")
    for _, x in steps(X):
        h = F.tanh(h @ W + x).named("h")
    loop = fold(h.sum()).loop

    assert len(loop.inputs) == 1
    assert set(loop.differing) == {1}


def test_numbers_come_in_where_they_vary():
    """The x_t of a record of Values are inputs, the 2 in its code is none."""
    h = Value(0.5)
    for _, x in steps([1.0, -1.0, 0.5]):
        h = (h * 2 + x).tanh().named("h")

    assert [[float(node.data) for node in x.nodes] for x in fold(h).loop.inputs] == [[1.0, -1.0, 0.5]]


def test_values_and_targets_are_data():
    """Other inputs, other weights, other targets: the same fold."""
    texts = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        W, h, losses = Parameter(rng.normal(size=(3, 3)), name="W"), Tensor(np.zeros((1, 3)), name="h"), []
        for _, x in steps(rng.normal(size=(5, 1, 3))):
            h = F.tanh(h @ W + F.dropout(Tensor(x, requires_grad=True), 0.5)).named("h")
            losses.append(F.cross_entropy(h, [int(rng.integers(3))]))
        texts.append(repr(fold(sum(losses))))

    assert texts[0] == texts[1]


def changed(what, T=6, at=4):
    """A model with two states, of which one step is otherwise."""
    W, U, V, b = weights(W=(3, 4), U=(4, 4), V=(4, 4), b=(4,))
    h = older = Tensor(np.zeros((1, 4)), name="h")
    k, losses = Tensor(np.zeros((1, 4)), name="k"), []
    for t, x in steps(np.ones((T, 1, 3))):
        now = what if t == at else ""
        before = h
        h = {"detach": h.detach, "cut": lambda h=h: cut(h), "skip": lambda older=older: older}.get(now, lambda h=h: h)()
        h = Tensor(np.zeros((1, 4)), name="h") if now == "reset" else h
        a = Tensor(x, name="x") @ W + h @ (V if now == "weight" else U)
        a = a * 2.0 if now == "more" else a
        a = a if now == "less" else a + b
        if now == "line":
            h = F.tanh(a).named("h")
        else:
            h = (F.relu if now == "op" else F.tanh)(a).named("q" if now == "name" else "h")
        with scope("odd" if now == "scope" else "even"):
            k = F.tanh(k + (before if now == "wiring" else h)).named("k")
        y = F.softmax(k, axis=0 if now == "fixed" else -1)
        losses += [(y * y).sum().named("extra")] if now == "loss" else []
        y = (y.reshape(2, 2) if now == "shape" else y.reshape(1, 4)) * 3.0
        losses.append((y * y).sum().named("L"))
        older = before
    return sum(losses).named("loss")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("detach", "is cut: no gradient goes back to step 3 through h"),
        ("cut", "is cut: no gradient goes back to step 3 through h"),
        ("reset", "is cut: no gradient goes back to step 3 through h"),
        ("skip", "takes h of 2 steps before where the others take h of 1 step before"),
        ("weight", "uses V where the others use U"),
        ("more", "alone has the number 2, mul"),
        ("less", "lacks add"),
        ("op", "has relu 'h' where the others have tanh 'h'"),
        ("name", "has tanh 'q' where the others have tanh 'h'"),
        ("scope", "has add, tanh 'k' in odd, the others in even"),
        ("wiring", "takes h of 1 step before into add where the others take h"),
        ("fixed", "has axis = 0 in softmax, the others -1"),
        ("loss", "alone has mul, sum 'extra'"),
        ("line", "has tanh 'h' from line "),
        ("shape", "has reshape of shape (2, 2), the others of (1, 4)"),
    ],
)
def test_differences_in_words(what, said):
    """Each kind of difference is told in a sentence, at the step that has it, and at no other."""
    loop = fold(changed(what)).loop

    assert sorted(loop.differing) == [1, 4]
    assert any(words.startswith(said) for words in loop.differing[4])
    assert len(loop.differing[4]) <= 2


def test_what_asks_for_no_gradient_is_not_recorded():
    """[h_0, x_1] of constants is a constant: the first step has something given where the others have an op."""
    loop = fold(lstm(5)).loop

    assert loop.differing[1] == (
        "has a given 1×6 where the others have concat",
        "takes C from outside (initial state 'C')",
        "lacks the given 'x'",
    )


def test_the_last_step_alone_has_a_loss():
    """A loss computed inside of the last step is something that it has alone."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for t, x in steps(np.ones((5, 1, 2))):
        h = F.tanh(h @ W + x).named("h")
        if t == 5:
            loss = F.cross_entropy(h, [1]).named("L")
    loop = fold(loss).loop

    assert loop.differing[5] == ("alone has cross_entropy 'L'",)
    assert loop.more(5) == (loss,)


def test_steps_that_have_nothing_in_common():
    """A record whose steps compute each something else does not fold, and says so."""
    h = Tensor([1.0, 2.0], requires_grad=True)
    for t, x in steps(np.ones((4, 2))):
        h = (h * x).named("h")
        for k in range(t * 3):
            h = [F.tanh, F.sin, F.sigmoid, F.relu][t - 1](h).named(f"{k}a{t}")
    folded = fold(h.sum())

    assert not any(loop.foldable for loop in folded.loops)
    assert "not alike" in repr(folded)


def test_one_step_is_no_loop_to_fold():
    """Of a single step the body is all there is."""
    loop = fold(rnn(T=1)).loop

    assert len(loop.body) == len(loop.nodes[1])
    assert not loop.foldable
    assert loop.differing == {}


def test_folding_changes_nothing():
    """The record has the same gradients, names and arrays before and after."""
    loss = rnn()
    before = [(node, node.name, node.grad, node.data.tobytes()) for node in Graph(loss).nodes]

    assert fold(loss).loops

    assert [(node, node.name, node.grad, node.data.tobytes()) for node in Graph(loss).nodes] == before


def test_what_cannot_be_folded_is_refused():
    """A record outside of time, what is no node, a step that there is not."""
    with pytest.raises(NoTimeStepsError, match="fold needs time steps"):
        fold(Tensor([1.0], requires_grad=True).sum())
    with pytest.raises(TypeError, match="ndarray"):
        fold(np.ones(3))
    with pytest.raises(ValueError, match=r"t = 1 … 4, and not t = 9"):
        fold(rnn()).loop.at(9)


@pytest.mark.slow
def test_a_thousand_steps_fold_quickly():
    """20,000 nodes are folded in a second or so, and twice as many in twice the time."""
    took = []
    for T in (500, 1000):
        loss = lstm(T)
        start = time.process_time()
        assert len(fold(loss).loop.kinds) == 2
        took.append(time.process_time() - start)

    assert took[1] < 3
    assert took[1] < 4 * took[0]


# ---- the picture -----------------------------------------------------------------------


def picture(loss, **how):
    return draw_unrolled(loss, folded=True, **how).picture


def parts(drawn, kind, name=None):
    found = [part for part in drawn.walk() if isinstance(part, kind)]
    return [part for part in found if part.kind == name] if name else found


def text_of(label):
    return "".join(run.text for run in label)


def outline(box):
    return box.x - box.width / 2, box.x + box.width / 2, box.y - box.height / 2, box.y + box.height / 2


def along(curve, each=12):
    """Points along a Bézier curve."""
    points = np.array(curve.points)
    found = []
    for k in range(0, len(points) - 1, 3):
        a, b, c, d = points[k : k + 4]
        for s in np.linspace(0, 1, each):
            found.append((1 - s) ** 3 * a + 3 * (1 - s) ** 2 * s * b + 3 * (1 - s) * s**2 * c + s**3 * d)
    return found


@pytest.fixture(params=[*((m, "ops") for m in MODELS), ("lstm", "modules"), ("seq2seq", "steps")], ids="-".join)
def drawn(request):
    model, level = request.param
    return picture(MODELS[model](6), level=level)


def test_boxes_do_not_overlap(drawn):
    """No two boxes touch, all lie inside the picture, and the nodes of a body inside its frame."""
    boxes = parts(drawn, Box)

    for one, other in combinations(map(outline, boxes), 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
    for left, right, top, bottom in map(outline, boxes):
        assert 0 <= left < right <= drawn.width
        assert 0 <= top < bottom <= drawn.height


def test_rings_meet_no_box(drawn):
    """The way of a state around a body passes through no node, and stays inside the picture."""
    boxes = [box for box in parts(drawn, Box) if box.kind != "delay"]
    rings = parts(drawn, Curve, "ring")

    assert rings
    for x, y in (point for ring in rings for point in along(ring)):
        assert 0 <= x <= drawn.width
        assert 0 <= y <= drawn.height
        assert not any(left < x < right and top < y < bottom for left, right, top, bottom in map(outline, boxes))


def test_rings_do_not_cross():
    """The ways of several states lie inside of each other."""
    loss = LSTM(3, 4, num_layers=2)(np.ones((5, 1, 3)))[0].sum()
    drawn = picture(loss)
    rings = [np.array(along(ring, 200)) for ring in parts(drawn, Curve, "ring")]

    assert len(rings) == 8
    for one, other in combinations(rings, 2):
        assert np.min(np.linalg.norm(one[:, None] - other[None], axis=-1)) > 8


def test_every_state_has_a_ring():
    """Of an LSTM two states go around, C over the top and h below, both from right to left, one step later."""
    drawn = picture(lstm(6))
    frame = parts(drawn, Panel, "frame")[0]
    delays = {box.id: box for box in parts(drawn, Box, "delay")}

    assert set(delays) == {"t.h.delay", "t.C.delay"}
    assert [text_of(box.segments[0].label) for box in delays.values()] == ["t − 1", "t − 1"]
    assert delays["t.C.delay"].y < frame.y
    assert delays["t.h.delay"].y > frame.y + frame.height
    assert sorted(text_of(text.label) for text in parts(drawn, Text, "state")) == ["C", "h"]


def test_a_state_may_run_the_other_way():
    """Of a bidirectional network one ring goes to the left and the other to the right."""
    drawn = picture(MODELS["bidirectional"](5))
    into = {ring.ends[1]: ring.points[-1][0] - ring.points[-2][0] for ring in parts(drawn, Curve, "ring") if ring.arrow}

    assert into["t.f.delay"] < 0 < into["t.b.delay"]
    assert {"t − 1", "t + 1"} == {text_of(box.segments[0].label) for box in parts(drawn, Box, "delay")}


def test_time_is_a_letter():
    """The nodes of the body have t for a subscript, the first state its number, and the frame says how many steps."""
    drawn = picture(rnn(T=50))
    said = {box.id: text_of(box.segments[0].label) for box in parts(drawn, Box)}

    assert said["t.x"] == "xt"
    assert said["t.h"] == "ht"
    assert said["h"] == "h0"
    assert "× 50" in [text_of(text.label) for text in parts(drawn, Text, "times")]
    assert "Σ over t" in [text_of(box.caption) for box in parts(drawn, Box) if box.id == "loss"]


@pytest.mark.parametrize("T", [6, 200])
def test_strips_show_all_steps(T):
    """Under a node are the colours of all its steps from the first to the last, and it has that of its largest."""
    loss = rnn(T=T, each=False)  # a loss at the end: what is far back has less
    drawn = picture(loss)
    box = next(box for box in parts(drawn, Box) if box.id == "t.h")
    cells = [cell for cell in parts(drawn, Panel, "cell") if abs(cell.x - box.x) < box.width / 2 and cell.y > box.y]
    under = [cell for cell in cells if cell.y < box.y + box.height / 2 + 12]
    shades = [float(cell.fill.split()[1]) for cell in sorted(under, key=lambda cell: cell.x)]

    assert len(shades) == min(T, int(box.width - 6) // 2)
    assert box.fill == f"ramp {max(shades):.3f}"
    assert shades == sorted(shades)


def test_no_colour_no_strip():
    """Without colours there are no strips, and no colour bar."""
    drawn = picture(rnn(), colour=None)

    assert not parts(drawn, Panel, "cell")
    assert not parts(drawn, Panel, "bar")


def test_what_is_not_finite_is_hatched():
    """One step with a NaN makes the node hatched, and its own cell."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for t, x in steps(np.ones((6, 1, 2))):
        h = (F.tanh(h @ W + x) * (np.nan if t == 4 else 1.0)).named("h")
    drawn = picture(h.sum())

    assert any(box.hatched for box in parts(drawn, Box))
    assert any(cell.hatched for cell in parts(drawn, Panel, "cell"))


def test_differing_steps_are_noted():
    """What the fold says of single steps stands below the picture."""
    notes = [text_of(text.label) for text in parts(picture(changed("weight")), Text, "note")]

    assert "t = 4" in notes
    assert "uses V where the others use U" in notes


def test_what_one_step_has_alone_is_dotted():
    """A loss at the last step alone is drawn in the body, dotted, and says when."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for t, x in steps(np.ones((5, 1, 2))):
        h = F.tanh(h @ W + x).named("h")
        if t == 5:
            loss = F.cross_entropy(h, [1]).named("L")
    box = next(box for box in parts(picture(loss), Box) if box.id == "t.L")

    assert box.dotted
    assert text_of(box.caption) == "only t = 5"


def test_two_bodies_stand_side_by_side():
    """An encoder stands left of its decoder, and its last state goes over, dashed."""
    drawn = picture(MODELS["seq2seq"](5))
    one, other = parts(drawn, Panel, "frame")
    over = [curve for curve in parts(drawn, Curve, "start") if curve.ends[0] == "encoder.t.h"]

    assert one.x + one.width < other.x
    assert [curve.dashed for curve in over] == [True]
    assert over[0].points[0][0] >= one.x + one.width
    assert over[0].points[-1][0] <= other.x
    for x, y in along(over[0], 60):
        assert not any(
            left < x < right and top < y < bottom for left, right, top, bottom in map(outline, parts(drawn, Box))
        )


def test_first_values_stand_one_below_the_other():
    """Where a cell is one box, the first h and the first C lead to the same place, and don't overlap."""
    drawn = picture(LSTM(3, 4)(np.ones((5, 1, 3)))[0].sum(), level="steps")
    one, other = (box for box in parts(drawn, Box) if box.id in ("h", "C"))

    assert abs(one.y - other.y) >= one.height
    assert len(parts(drawn, Curve, "start")) == 2


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_any_name_can_be_drawn(name, other):
    """Hangul, control characters, quotes and very long names make a picture that a reader of XML reads."""
    W, h = Parameter(np.eye(2), name=other), Tensor(np.ones((1, 2)), name=name)
    for _, x in steps(np.ones((3, 1, 2))):
        with scope(other):
            h = F.tanh(h @ W + Tensor(x, name=other)).named(name)
    loss = h.sum().named(other)
    root = ElementTree.fromstring(draw_unrolled(loss, folded=True, title=name).svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]

    assert len(ids) == len(set(ids))
    assert repr(fold(loss)).isprintable() or "\n" in repr(fold(loss))


@pytest.mark.parametrize("model", MODELS)
def test_the_same_record_gives_the_same_bytes(model):
    """The picture of a second record made alike is equal to the last byte, light and dark."""
    for dark in (False, True):
        one, other = (draw_unrolled(MODELS[model](), folded=True, dark=dark) for _ in range(2))

        assert one.svg == other.svg
        assert one.source == other.source


@pytest.mark.parametrize("level", LEVELS)
def test_few_steps_are_drawn_at_every_level(level):
    """Records of one step and of two make a picture, whatever the level of detail."""
    for model in ("lstm", "attention", "bidirectional", "seq2seq"):
        for T in (1, 2):
            assert parts(picture(MODELS[model](T), level=level), Panel, "frame")


def test_many_steps_make_no_larger_picture():
    """The picture of 300 steps has as many boxes as that of 30, and no strip has more cells than can be seen."""
    few, many = picture(rnn(T=30)), picture(rnn(T=300))

    assert len(parts(few, Box)) == len(parts(many, Box))
    assert len(parts(many, Panel, "cell")) <= 48 * len(parts(many, Box))


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_the_picture_is_the_golden_one(model):
    """What a folded picture says, part by part, is what was looked at and kept; places are for the other tests.

    To renew it: delete the file, run the test, and look at the picture.
    """
    lines = []
    for part in picture(MODELS[model](5), title=model).walk():
        match part:
            case Group():
                lines.append(f"{part.kind} {part.id}")
            case Box():
                words = " | ".join(text_of(segment.label) for segment in part.segments)
                lines.append(f"  {part.id}: {words}" + (f" ({text_of(part.caption)})" if part.caption else ""))
            case Curve() if part.kind != "bridge":
                lines.append(f"  {part.kind} {' → '.join(end or '·' for end in part.ends)}")
            case Text():
                lines.append(f"  {part.kind} {text_of(part.label)}")
    text = "\n".join(lines) + "\n"
    path = GOLDEN / f"folded_{model}.txt"
    if not path.exists():
        path.write_text(text, "utf-8")

    assert path.read_text("utf-8") == text
