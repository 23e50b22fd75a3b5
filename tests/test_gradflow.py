"""tinygrad_seq.gradflow: what reaches each time step, and what each adds to a shared weight."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, Value, gradflow, manual_seed, no_grad, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError, ShapeError, StaleGraphError, UnknownNameError
from tinygrad_seq.models import LSTM


def unrolled(T, seed, turned=False):
    """A small RNN over T steps: its weights, its states and its loss; turned: with W_hᵀ made before the loop."""
    rng = np.random.default_rng(seed)
    W_x, W_h = Parameter(rng.normal(size=(2, 3)), name="W_x"), Parameter(rng.normal(size=(3, 3)), name="W_h")
    b = Parameter(rng.normal(size=3), name="b")
    recurrent = W_h.T.T if turned else W_h
    h, states = Tensor(np.zeros((1, 3))), []
    for _, x in steps(rng.normal(size=(T, 1, 2))):
        h = F.tanh(x @ W_x + h @ recurrent + b).named("h")
        states.append(h)
    return (W_x, W_h, b), states, (h * h).sum()


@given(st.integers(1, 8), st.integers(0, 1000), st.booleans())
def test_the_parts_add_up_to_the_gradient(T, seed, turned):
    """Σ_t (what step t adds) = ∂L/∂W, for matrices, biases, and through nodes made before the loop."""
    weights, _, loss = unrolled(T, seed, turned)
    loss.backward()

    for w in weights:
        parts = gradflow.parts(loss, w)
        assert parts.by_step.shape == (len(parts.t), *w.shape)
        assert np.allclose(parts.total, w.grad, rtol=1e-12, atol=1e-14)
        assert np.isclose(parts.shares.sum(), 1) or not w.grad.any()


@given(st.integers(2, 6), st.integers(0, 1000))
def test_a_part_is_the_gradient_of_that_use_alone(T, seed):
    """What step t adds is the gradient of a weight that only step t uses."""
    (W_x, W_h, b), _, loss = unrolled(T, seed)
    rng = np.random.default_rng(seed)
    W, U, c = (Tensor(w.data) for w in (W_x, W_h, b))
    rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=3)
    xs = rng.normal(size=(T, 1, 2))

    for alone in range(1, T + 1):
        own = Parameter(W_x.data)
        h = Tensor(np.zeros((1, 3)))
        for t, x in steps(xs):
            h = F.tanh(x @ (own if t == alone else W) + h @ U + c)
        (h * h).sum().backward()
        assert np.allclose(gradflow.parts(loss, W_x).by_step[alone - 1], own.grad, rtol=1e-12, atol=1e-14)


@given(st.integers(1, 8), st.integers(0, 1000))
def test_per_step_goes_through_all_later_steps(T, seed):
    """‖∂L/∂h_t‖ is what backward leaves on h_t: the whole gradient, not the direct part alone."""
    _, states, loss = unrolled(T, seed)

    flow = gradflow.per_step(loss, "h")
    loss.backward()

    assert flow.t.tolist() == list(range(1, T + 1))
    assert np.allclose(np.asarray(flow), [np.linalg.norm(h.grad) for h in states])


def test_a_step_after_the_loss_has_gradient_zero():
    """A loss at t=2 does not reach h_3: its gradient is 0, and is listed."""
    h, losses = Tensor([1.0], requires_grad=True), []
    for _, x in steps([0.5, 0.5, 0.5]):
        h = (h * x).named("h")
        losses.append(h.sum())

    assert gradflow.per_step(losses[2] + losses[1], "h").norms.tolist() == [0.75, 1.5, 1.0]
    assert gradflow.per_step(losses[1] + 0.0 * losses[2], "h").norms.tolist() == [0.5, 1.0, 0.0]


def test_reading_changes_nothing():
    """Measures leave every gradient and name as it was."""
    (W_x, _, _), _, loss = unrolled(3, 0)

    gradflow.per_step(loss, "h")
    gradflow.parts(loss, W_x)

    assert all(visit.node._grad is None for visit in sweep(loss))


@given(st.integers(1, 5), st.integers(0, 1000))
def test_a_gate_is_where_a_weight_meets_its_first_name(T, seed):
    """What comes through a gate, and through a use, is the gradient of a copy of the weight that serves there alone."""
    rng = np.random.default_rng(seed)
    xs, start = rng.normal(size=(T, 1, 3)), rng.normal(size=(3, 3))

    def run(W_a, W_b, W_y):
        h, losses = Tensor(np.zeros((1, 3))), []
        for _, x in steps(xs):
            a, b = F.tanh(x @ W_a).named("a"), F.sigmoid(h @ W_b + x).named("b")
            h = a * b
            losses.append((F.relu(h @ W_y) * 2).sum())
        return sum(losses)

    shared, copies = Parameter(start), [Parameter(start) for _ in range(3)]
    parts = gradflow.parts(run(shared, shared, shared), shared)
    run(*copies).backward()

    by_gate = parts.by_gate
    assert list(by_gate)[:2] == ["a", "b"]
    assert len(by_gate) == 3
    for copy, gate in zip(copies, by_gate.values(), strict=True):
        assert np.allclose(gate, copy.grad, rtol=1e-12, atol=1e-14)
    assert len(parts.uses) == 3 * T
    assert [use.t for use in parts.uses] == [t for t in range(1, T + 1) for _ in range(3)]
    for i, copy in enumerate(copies):
        assert np.allclose(parts.by_use[i::3].sum(axis=0), copy.grad, rtol=1e-12, atol=1e-14)
    assert np.allclose(parts.use_norms, [np.linalg.norm(g) for g in parts.by_use])
    assert np.allclose(sum(parts.gate_shares.values()), parts.shares)


def test_the_gates_of_an_lstm_have_their_own_rows():
    """PyTorch's weight holds the rows of i, f, C̃ and o: what comes through a gate is in its rows, and all of them."""
    manual_seed(0)
    lstm = LSTM(4, 3)
    output, _ = lstm(np.eye(4))
    loss = output.sum()
    loss.backward()

    for weight in lstm.parameters():
        parts = gradflow.parts(loss, weight)
        assert list(parts.by_gate) == ["i", "f", "C̃", "o"]
        for k, gate in enumerate(parts.by_gate.values()):
            own = np.zeros(weight.shape)
            own[3 * k : 3 * k + 3] = weight.grad[3 * k : 3 * k + 3]
            assert np.allclose(gate, own, rtol=1e-12, atol=1e-15)
        assert np.allclose(np.square(list(parts.gate_norms.values())).sum(axis=0), np.square(parts.norms))


def test_a_gate_is_of_its_own_step():
    """Where a state has no name, what comes from the next step came through its op, and not through a name there."""
    W, h = Parameter([[0.5]]), Tensor([[1.0]])
    for t, x in steps(np.ones((3, 1, 1))):
        h = (h @ W + x).tanh()
        if t != 2:
            y = (h * 2).named("y")

    parts = gradflow.parts(y.sum(), W)
    assert list(parts.by_gate) == ["tanh", "y"]
    assert (parts.gate_norms["tanh"] > 0).tolist() == [True, True, False]
    assert (parts.gate_norms["y"] > 0).tolist() == [False, False, True]
    assert np.allclose(sum(parts.gate_norms.values()), parts.norms)
    assert (parts.gate_shares["y"] != 0).tolist() == [False, False, True]


def test_a_penalty_is_outside_of_time():
    """What reaches a weight past all time steps belongs to no step, and to the total."""
    (W_x, W_h, _), _, loss = unrolled(4, 1, turned=True)
    whole = loss + 0.5 * (W_h * W_h).sum() + W_h.T.sum()
    whole.backward()

    parts = gradflow.parts(whole, W_h)
    assert np.allclose(parts.outside, W_h.data + 1)
    assert np.allclose(parts.by_step.sum(axis=0) + parts.outside, parts.total)
    assert np.allclose(parts.total, W_h.grad)
    assert gradflow.parts(whole, W_x).outside is None


def test_cosines_and_shares_are_along_the_total():
    """A share is the part's length times its cosine, over the total's length."""
    (_, W_h, _), _, loss = unrolled(5, 3)
    parts = gradflow.parts(loss, W_h)

    assert np.allclose(parts.shares, parts.norms * parts.cosine / np.linalg.norm(parts.total))
    assert (np.abs(parts.cosine) <= 1 + 1e-12).all()


def test_parts_keep_factors_until_they_are_asked_for():
    """A thousand parts of a large weight take the memory of their factors, not of a thousand weights."""
    W, h = Parameter(np.full((200, 200), 1e-3), name="W"), Tensor(np.ones((1, 200)))
    for _, _x in steps(range(300)):
        h = (h @ W).tanh().named("h")
    loss = h.sum()
    gradflow.parts(loss, W)  # what is made once

    tracemalloc.start()
    parts = gradflow.parts(loss, W)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(parts) == 300
    assert peak < 12 * W.data.nbytes


def test_parts_of_a_weight_that_has_changed_are_refused():
    """A weight that was updated after the run gives an error, not parts of something else."""
    W = Parameter(np.eye(2), name="W")
    h = Tensor(np.ones((1, 2)))
    squared = W * W
    for _, x in steps(np.ones((3, 1, 2))):
        h = (h @ squared + x).tanh().named("h")
    parts = gradflow.parts(h.sum(), W)
    W.data = 2 * W.data

    with pytest.raises(StaleGraphError, match="Compute the loss again"):
        _ = parts.by_step


def test_a_scalar_has_parts_too():
    """The parts of a Value are numbers."""
    w, h = Value(0.5, name="w"), Value(1.0)
    for _, x in steps([1.0, 2.0]):
        h = (h * w + x).named("h")

    parts = gradflow.parts(h, w)
    assert parts.by_step.tolist() == [0.5, 1.5]
    assert gradflow.per_step(h, "h").norms.tolist() == [0.5, 1.0]


def test_an_axis_can_be_time():
    """A node whose first axis is time has a gradient for each step; nodes may be given one by one."""
    x = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
    loss = (x * x).sum()

    assert np.allclose(gradflow.per_step(loss, x).norms, np.linalg.norm(2 * x.data, axis=1))
    _, states, loss = unrolled(4, 0)
    assert gradflow.per_step(loss, states[1:]).t.tolist() == [2, 3, 4]
    assert gradflow.per_step(loss, "h").by_node[states[2]] == gradflow.per_step(loss, "h").norms[2]
    with pytest.raises(ShapeError, match="no axis that could be time"):
        gradflow.per_step(loss, loss)


def test_nothing_is_measured_where_nothing_is_recorded():
    """Under no_grad there is no gradient: the error says so."""
    with no_grad():
        _, _, loss = unrolled(3, 0)

    with pytest.raises(GradientError, match="no_grad"):
        gradflow.per_step(loss, "h")
    with pytest.raises(GradientError, match="no_grad"):
        gradflow.parts(loss, Parameter([1.0]))


def test_what_is_not_there_is_named():
    """An unknown name lists those there are; a weight that no step uses is said so."""
    _, _, loss = unrolled(2, 0)

    with pytest.raises(UnknownNameError, match=r"no series 'C'.* there is h"):
        gradflow.per_step(loss, "C")
    with pytest.raises(GradientError, match=r"no time step .* uses"):
        gradflow.parts(loss, Parameter([1.0]))
