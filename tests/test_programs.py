"""Random programs: the sweep against the chain rule written down recursively, and against the complex step."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import oracles
from strategies import examples, recorded_programs
from tinygrad_seq import Tensor, no_grad, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.testing.strategies import arrays, indices, one_axis, shapes

SEEDS = st.integers(0, 2**32 - 1)


def close(actual, expected, precision=1e-10):
    assert np.shape(actual) == np.shape(expected)
    assert_allclose(actual, expected, rtol=precision, atol=precision * max(1, np.abs(expected).max(initial=0)))


def gradients(loss, *seed):
    return {visit.node: visit.grad for visit in sweep(loss, *seed)}


# ---- the gradient --------------------------------------------------------------------


@given(recorded_programs())
@examples(100)
def test_every_gradient_is_that_of_the_recursive_chain_rule(program):
    """Of all nodes, not only of the leaves."""
    expected = oracles.chain_rule(program.loss)

    for node, g in gradients(program.loss).items():
        close(g, expected(node), 1e-12)


@given(recorded_programs(smooth=True))
@examples(60)
def test_gradients_of_leaves_are_those_of_the_complex_step(program):
    """Of the program as a whole, with no rule of any op in between."""
    found = gradients(program.loss)

    for x in program.leaves:
        close(found.get(x, np.zeros(x.shape)), oracles.complex_step(program.loss, x))


@given(recorded_programs(smooth=True), SEEDS)
@examples(40)
def test_a_seed_picks_rows_of_the_dense_jacobian(program, seed):
    """sweep(y, g) is g times the Jacobian of y, whatever the shape of y."""
    y = program.outputs[len(program.outputs) // 2]
    assume(np.isfinite(y.data).all())  # the scores of masked attention are not
    g = np.random.default_rng(seed).normal(size=y.shape)
    found = gradients(y, g)

    for x in program.leaves:
        jacobian = oracles.complex_step(y, x, lambda values: values[y] * g)
        close(found.get(x, np.zeros(x.shape)), jacobian)


@given(recorded_programs(), SEEDS, st.floats(-3, 3), st.floats(-3, 3))
@examples(40)
def test_the_sweep_is_linear_in_its_seed(program, seed, a, b):
    """The gradients of a g₁ + b g₂ are a times those of g₁ and b times those of g₂."""
    y = program.outputs[-2]
    g1, g2 = np.random.default_rng(seed).normal(size=(2, *y.shape))
    found, one, two = gradients(y, a * g1 + b * g2), gradients(y, g1), gradients(y, g2)

    assert found.keys() == one.keys() == two.keys()
    for node, g in found.items():
        close(g, a * one[node] + b * two[node])


@given(recorded_programs(max_length=6, smooth=True), SEEDS)
@examples(15)
def test_the_gradient_of_a_gradient_norm(program, seed):
    """‖∂loss/∂x‖² of recorded gradients has the gradient that the complex step finds."""
    along = [np.random.default_rng(seed).normal(size=x.shape) for x in program.leaves]
    firsts = {visit.node: visit.grad for visit in sweep(program.loss, create_graph=True)}
    slope = sum((firsts[x] * v).sum() for x, v in zip(program.leaves, along, strict=True) if x in firsts)
    found = gradients(slope) if isinstance(slope, Tensor) and slope.requires_grad else {}

    for x in program.leaves:
        expected = oracles.second_derivative(program.loss, program.leaves, along, x)
        close(found.get(x, np.zeros(x.shape)), expected, 1e-9)


# ---- the walk ------------------------------------------------------------------------


@given(recorded_programs())
@examples(50)
def test_contributions_add_up_to_gradients(program):
    """What all visits send to a node is its gradient, and has its shape."""
    received = defaultdict(float)
    visits = list(sweep(program.loss))
    for visit in visits:
        for x, part in zip(visit.node.inputs, visit.sent, strict=visit.node.op is not None):
            if part is not None:
                assert part.shape == x.shape
                received[x] = received[x] + part

    for visit in visits[1:]:
        close(received[visit.node], visit.grad, 1e-12)


@given(recorded_programs(smooth=True))
@examples(50)
def test_the_sweep_goes_from_new_to_old_and_meets_each_node_once(program):
    """By birth number, and all nodes that require a gradient and are reached."""
    births = [visit.node.birth for visit in sweep(program.loss)]

    assert births == sorted(set(births), reverse=True)
    assert set(births) == {node.birth for node in Graph(program.loss) if node.requires_grad}


@given(recorded_programs())
@examples(30)
def test_the_sweep_changes_nothing(program):
    """No data, no gradient; and a second sweep finds the same numbers."""
    before = {node: node.data.copy() for node in Graph(program.loss)}
    first = [(visit.node, np.array(visit.grad)) for visit in sweep(program.loss)]
    second = [(visit.node, visit.grad) for visit in sweep(program.loss)]

    assert all(node.grad is None for node in before)
    for node, data in before.items():
        assert_array_equal(node.data, data)
    for (node, g), (other, again) in zip(first, second, strict=True):
        assert node is other
        assert_array_equal(g, again)


@given(recorded_programs())
@examples(20)
def test_gradients_seen_on_the_way_are_final(program):
    """An array that a visit showed is not added to later on."""
    visits = [
        (visit, np.array(visit.grad), [None if s is None else s.copy() for s in visit.sent])
        for visit in sweep(program.loss)
    ]

    for visit, g, sent in visits:
        assert_array_equal(visit.grad, g)
        for now, then in zip(visit.sent, sent, strict=True):
            assert (now is None) == (then is None)
            if now is not None:
                assert_array_equal(now, then)


@given(recorded_programs())
@examples(30)
def test_backward_stores_what_the_sweep_finds(program):
    """`.grad` of every node, leaves and all others; and a second backward adds in leaves only."""
    found = {node: np.array(g) for node, g in gradients(program.loss).items()}
    program.loss.backward()
    once = {node: node.grad.copy() for node in found}
    program.loss.backward()

    for node, g in found.items():
        assert_array_equal(once[node], g)
        close(node.grad, 2 * g if node.is_leaf else g, 1e-14)


@given(recorded_programs())
@examples(20)
def test_under_no_grad_a_program_is_numbers(program):
    """A part computed under no_grad is a constant: the rest gets the gradient that it has with that constant."""
    x = program.leaves[0]
    with no_grad():
        frozen = program.loss * 1.0
    loss = (x.sum() * frozen) + program.loss
    found = gradients(loss)

    assert frozen.op is None
    expected = oracles.chain_rule(program.loss)(x) + frozen.data
    close(found[x], expected, 1e-10)


@given(st.data(), shapes(min_dims=1, min_side=1, max_side=4), st.booleans())
@examples(100)
def test_pieces_of_one_array_add_up(data, shape, whole):
    """Whatever was taken of it, by slices, integers, masks or arrays, how often, and whether it was used whole too."""
    x = Tensor(data.draw(arrays(shape)), requires_grad=True)
    axis = data.draw(one_axis(shape))
    pieces = [x[index] for index in data.draw(st.lists(indices(shape), max_size=3))]
    pieces += [part for n in data.draw(st.lists(st.integers(1, 4), max_size=2)) for part in F.chunk(x, n, axis)]
    pieces += [x * 2] if whole else []
    loss = sum([F.sum(F.sin(piece)) * (i + 1) for i, piece in enumerate(pieces)], F.sum(x))

    close(gradients(loss)[x], oracles.complex_step(loss, x))
    close(gradients(loss)[x], oracles.chain_rule(loss)(x), 1e-12)


ROWS, LEFT, RIGHT = np.array([0, 1]), slice(0, 2), slice(2, 4)


@pytest.mark.parametrize(
    "cut",
    [
        [(slice(None), LEFT), (slice(None), RIGHT)],
        [(..., LEFT), (..., RIGHT)],
        [(None, LEFT), (None, slice(2, 3))],
        [(ROWS, LEFT), (ROWS, RIGHT)],
        [(ROWS, LEFT), (slice(None), RIGHT)],
        [(slice(None), LEFT), (ROWS, RIGHT)],
        [(slice(None), slice(0, -1)), (slice(None), slice(-1, None))],
        [(slice(None), LEFT), (slice(None), RIGHT), (slice(None), LEFT)],
        [LEFT, (slice(2, 3), slice(None))],
        [(0, LEFT), (1, RIGHT)],
        [(LEFT, LEFT), (LEFT, RIGHT)],
    ],
)
def test_parts_that_seem_to_make_a_whole(cut):
    """Pieces that lie side by side, or only look it, in any order."""
    x = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    expected = np.zeros((3, 4))
    for i, index in enumerate(cut):
        np.add.at(expected, index, i + 1)

    for order in (1, -1):
        loss = sum([x[index].sum() * (i + 1) for i, index in enumerate(cut)][::order])
        assert_array_equal(gradients(loss)[x], expected)


@given(st.data(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
@examples(30)
def test_products_with_one_matrix_add_up(data, rows, columns, inner):
    """A weight used by many products, of one row or of several, gets the sum of their gradients."""
    W = Tensor(data.draw(arrays((rows, columns))), requires_grad=True)
    xs = [Tensor(data.draw(arrays((inner, rows)))) for _ in range(data.draw(st.integers(1, 4)))]
    loss = sum([F.sum(F.sin(x @ W)) for x in xs], F.sum(F.sin(W)) if data.draw(st.booleans()) else 0.0)

    close(gradients(loss)[W], oracles.complex_step(loss, W))


# ---- through time --------------------------------------------------------------------


@pytest.fixture
def rnn():
    """An RNN over 6 steps with its losses, and the same by hand."""
    rng = np.random.default_rng(0)
    sizes = {"h": (4,), "W_x": (3, 4), "W_h": (4, 4), "b": (4,), "W_y": (4, 3), "b_y": (3,)}
    given = {name: rng.normal(size=shape) for name, shape in sizes.items()}
    x, target = rng.normal(size=(6, 3)), rng.integers(3, size=6)
    leaves = {name: Tensor(data, requires_grad=True, name=name) for name, data in given.items()}
    w, h, losses = leaves, leaves["h"], []
    for t, x_t in steps(x):
        h = F.tanh(x_t @ w["W_x"] + h @ w["W_h"] + w["b"])
        losses.append(F.cross_entropy(h @ w["W_y"] + w["b_y"], target[t - 1]))
    return F.stack(losses).sum(), leaves, oracles.bptt(x, target, **given)


def test_rnn_has_the_gradients_of_bptt_by_hand(rnn):
    """Loss and gradients of all weights and of the first state, to 1e-12."""
    loss, leaves, (expected, by_hand, _) = rnn
    loss.backward()

    assert loss.item() == pytest.approx(expected, rel=1e-14)
    for name, w in leaves.items():
        close(w.grad, by_hand[name], 1e-12)


def test_a_shared_weight_hears_from_every_step(rnn):
    """∂L/∂W_x by the time step of the sender is what BPTT adds up: H + E + L + L."""
    loss, leaves, (_, _, parts) = rnn
    found = np.zeros_like(parts)
    for visit in sweep(loss):
        for i, x in enumerate(visit.node.inputs):
            if x is leaves["W_x"]:
                found[visit.node.t - 1] += visit.contribution(i)

    close(found, parts, 1e-12)
