"""Records folded: the body of each loop, what it carries, and which steps differ."""

import time

import numpy as np
import pytest

from tinygrad_seq import Graph, Parameter, Tensor, Value, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, RNN
from tinygrad_seq.viz import NoTimeStepsError, fold
from tinygrad_seq.viz.folding.alignment import align
from tinygrad_seq.viz.reading.columns import read_columns
from viz_records import MODELS, changed, lstm, rnn, weights


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
