"""Which element of an array belongs to which step: found by following the ops, held against what the models say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Graph, Tensor, manual_seed, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToOne, Seq2Seq, self_attention
from tinygrad_seq.viz.reading.columns import read_columns
from tinygrad_seq.viz.reading.looks import read_looks


def states(T, width=2, batch=1):
    """h_1 … h_T, each a node of its own step."""
    rng, found = np.random.default_rng(0), []
    h = Tensor(np.zeros((batch, width)), requires_grad=True, name="h")
    for _, x in steps(rng.normal(size=(T, batch, width))):
        h = F.tanh(h + x).named("h")
        found.append(h)
    return found


def looks(loss):
    """{(name, t) of what looks: {t of what is looked at: weight}}."""
    timeline = read_columns(loss)
    nodes = timeline.nodes
    return {
        (nodes[look.target].name, nodes[look.target].t): {nodes[x].t: w for x, w in look.sources.items()}
        for look in read_looks(timeline)
    }


# ---- arrangements --------------------------------------------------------------------

ARRANGEMENTS = {
    "stacked first": lambda hs: F.stack(hs, axis=0).transpose(1, 0, 2),
    "stacked behind the batch": lambda hs: F.stack(hs, axis=1),
    "joined": lambda hs: F.concat([h.reshape(h.shape[0], 1, -1) for h in hs], axis=1),
    "turned twice": lambda hs: F.stack(hs, axis=1).swapaxes(1, 2).swapaxes(1, 2),
    "flipped and back": lambda hs: F.flip(F.flip(F.stack(hs, axis=1), axis=1), axis=1),
}
SCORES = {
    "einsum": lambda s, H: F.einsum("bd,bsd->bs", s, H),
    "matmul": lambda s, H: (H @ s.reshape(s.shape[0], -1, 1)).reshape(s.shape[0], -1),
    "additive": lambda s, H: F.tanh(H + s.reshape(s.shape[0], 1, -1)).sum(axis=-1),
    "general": lambda s, H: F.einsum("bd,bsd->bs", s, H @ Tensor(np.eye(H.shape[-1]) * 2, requires_grad=True)),
}


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@settings(max_examples=5)
@given(S=st.integers(2, 5), T=st.integers(1, 3), batch=st.integers(1, 3))
def test_each_weight_is_that_of_its_step(arrangement, score, S, T, batch):
    """However states are put together and however they are scored, w_i is the weight of h_i."""
    hs = states(S, batch=batch)
    H, s, expected, total = ARRANGEMENTS[arrangement](hs), hs[-1], {}, 0
    with scope("decoder"):
        for t, _ in steps(range(T)):
            s = F.tanh(s * 0.7).named("s")
            w = F.softmax(SCORES[score](s, H), axis=-1)
            C = F.einsum("bs,bsd->bd", w, H).named("C")
            total = total + (C * C).sum()
            expected["C", t] = {i + 1: w.data[:, i].mean() for i in range(S)}

    found = looks(total)
    assert found.keys() == (expected.keys() if score != "additive" else found.keys())
    if score != "additive" or found:  # a sum over the width leaves the steps apart, as every joining does
        for key, weights in expected.items():
            assert found[key] == pytest.approx(weights)


@pytest.mark.parametrize("attention", ["dot", "scaled_dot", "general", "additive"])
def test_the_models_attention_is_found(attention):
    """In every kind of attention of Seq2Seq the weights that are drawn are those that the model returns."""
    manual_seed(0)
    model = Seq2Seq(GRU(4, 6), GRU(4, 6), source_tokens=9, target_tokens=7, attention=attention)
    source, target = [[5], [7], [6], [2]], [[4], [6], [2]]
    _, w = model(source, [4], target, return_weights=True)
    found = looks(model.loss(source, [4], target))

    assert [t for _, t in found] == [1, 2, 3]
    for t, weights in enumerate(found.values()):
        assert weights == pytest.approx({i + 1: w.data[0, t, i] for i in range(4)})


@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_of_rows(masked):
    """Where the states are one array, its rows stand for the steps; a causal mask leaves the past."""
    hs = Tensor(np.random.default_rng(0).normal(size=(4, 1, 3)), requires_grad=True, name="h")
    new, w = self_attention(hs, masked=masked)
    found = looks((new * new).sum())

    for t in range(1, 5):
        seen = range(1, t + 1) if masked else range(1, 5)
        assert found["h_new", t] == pytest.approx({i: w.data[0, t - 1, i - 1] for i in seen})


def test_attention_at_the_end():
    """Of a many-to-one head, which looks back once, after the steps: nothing in time looks, and nothing is drawn."""
    manual_seed(0)
    head = ManyToOne(LSTM(3, 4), 2, attention="dot")

    assert looks(head.loss(np.eye(3)[:, None], [1])) == {}


def test_a_softmax_of_classes_is_no_attention():
    """Weights that go over something else than steps are not taken for it."""
    hs = states(3)
    total = 0
    for _, h in steps(hs):
        total = total + (F.softmax(h, axis=-1) * h).sum()

    assert looks(total) == {}


# ---- rows picked out again -----------------------------------------------------------


def test_a_stack_that_is_taken_apart_again_is_seen_through():
    """The second layer of a network that is called layer by layer stands over the first, in the same columns."""
    manual_seed(0)
    lower, upper = RNN(3, 4), RNN(4, 4)
    hs, _ = lower(np.eye(3)[[0, 1, 2, 0]][:, None])
    ks, _ = upper(hs)
    timeline = read_columns((ks * ks).sum())

    assert timeline.steps == [1, 2, 3, 4]
    for c in range(4):
        names = [timeline.stems[i] for i, column in enumerate(timeline.column) if column == c]
        assert names.count("h") >= 2


@given(st.integers(1, 4), st.integers(2, 5))
def test_reading_changes_nothing(T, S):
    """The record is as it was: the same nodes, with the same inputs."""
    hs = states(S)
    H = F.stack(hs, axis=1)
    total = 0
    for _ in steps(range(T)):
        total = total + F.einsum("bs,bsd->bd", F.softmax(F.einsum("bd,bsd->bs", hs[-1], H)), H).sum()
    before = [(node, node.inputs, node.name) for node in Graph(total)]
    looks(total)

    assert [(node, node.inputs, node.name) for node in Graph(total)] == before
