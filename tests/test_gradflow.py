"""tinygrad_seq.gradflow: what reaches each time step, and what each adds to a shared weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, gradflow, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError, UnknownNameError


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


def test_what_is_not_there_is_named():
    """An unknown name lists those there are; a weight that no step uses is said so."""
    _, _, loss = unrolled(2, 0)

    with pytest.raises(UnknownNameError, match=r"no series 'C'.* there is h"):
        gradflow.per_step(loss, "C")
    with pytest.raises(GradientError, match=r"no time step .* uses"):
        gradflow.parts(loss, Parameter([1.0]))
