"""tinygrad_seq.gradflow: the Jacobian of one step, its bound, and the exponents of many."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import Op, Tensor, Value, no_grad, steps
from tinygrad_seq import functional as F
from tinygrad_seq.backprop import walk
from tinygrad_seq.errors import GradientError, SequenceError, ShapeError, StaleGraphError, UnknownNameError
from tinygrad_seq.gradflow import step_jacobians
from tinygrad_seq.gradflow.lifting import contributions, one_by_one
from tinygrad_seq.models import GRU, LSTM, RNN, LSTMCell
from tinygrad_seq.testing.samples import SAMPLES
from tinygrad_seq.trace import Trace

TORCH = dict(np.load(Path(__file__).parent / "data" / "gradflow.npz"))
LAYERS = {"RNN": (RNN, "h"), "LSTM": (LSTM, ("h", "C")), "GRU": (GRU, "h")}


def as_in_torch(name):
    """The layer with PyTorch's weights, and its input."""
    layer = LAYERS[name][0](3, 4)
    for path, p in layer.named_parameters():
        p.data = TORCH[f"{name}/param/{path}"]
    return layer, Tensor(TORCH[f"{name}/x"], requires_grad=True)


def linear(A, T=6, h=None):
    """The loss of the recurrence h_t = A h_{t-1}."""
    W, h = Tensor(A.T, requires_grad=True), Tensor(np.ones(len(A)) if h is None else h)
    for _ in steps(range(T)):
        h = (h @ W).named("h")
    return h.sum()


def tanh_network(rng, n, T, scale, batch=(), x_scale=1.0):
    """The loss of h_t = tanh(x_t + h_{t-1} W), and W."""
    W, h = Tensor(rng.normal(size=(n, n)) * scale, requires_grad=True), Tensor(rng.normal(size=(*batch, n)))
    for _, x in steps(rng.normal(size=(T, *batch, n)) * x_scale):
        h = F.tanh(x + h @ W).named("h")
    return h.sum(), W


def orthogonal(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


# ---- against others ------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_step_jacobians_are_pytorchs(name):
    """∂state_t/∂state_{t-1} of every sequence of a batch equals torch.autograd.functional.jacobian of the cell."""
    layer, x = as_in_torch(name)
    output, _ = layer(x)

    J = step_jacobians(output.sum(), LAYERS[name][1])
    reference = TORCH[f"{name}/steps"]
    assert J.t.tolist() == [2, 3, 4, 5, 6, 7]
    assert J.matrices.shape == reference.shape
    assert np.abs(J.matrices - reference).max() <= 1e-10 * np.abs(reference).max()
    assert np.allclose(J.singular_values, np.linalg.svd(reference, compute_uv=False), rtol=1e-10)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_rules_for_many_gradients_are_the_rules(name):
    """What a node sends for K gradients at once is what its rule says to each alone, for every op."""

    @examples(20)
    @given(SAMPLES[name], st.integers(0, 1000), st.booleans())
    def check(case, seed, thin):
        rng = np.random.default_rng(seed)
        out = case(*[Tensor(array, requires_grad=True) for array in case.arrays])
        node = out if isinstance(out, Tensor) else out[0]
        while node.op is not None:
            G = rng.normal(size=(3, *node.shape)).astype(node.dtype)
            if thin and node.ndim > 1:  # as of one output: most rows are 0
                G[..., 1:, :] = 0
            wanted = [i for i, x in enumerate(node.inputs) if x.requires_grad]
            many = contributions(node, G, wanted)
            alone = one_by_one(node, G, wanted)
            for i, a, b in zip(wanted, many, alone, strict=True):
                assert (a is None) == (b is None)
                if a is not None and node.op.name != "clip_gradient":
                    assert a.shape == (3, *node.inputs[i].shape)
                    assert np.allclose(a, b, rtol=1e-5 if a.dtype == np.float32 else 1e-10, atol=1e-6, equal_nan=True)
            node = node.inputs[0]

    check()


@examples(30)
@given(st.sampled_from(sorted(LAYERS)), st.integers(1, 2), st.booleans(), st.integers(0, 1000))
def test_the_product_of_the_steps_is_the_gradient_through_all_of_them(name, layers, both_ways, seed):
    """∂h_T/∂h_1 is what the sweep finds, in every layer and direction."""
    rng = np.random.default_rng(seed)
    kind, names = LAYERS[name]
    layer = kind(3, 4, num_layers=layers, bidirectional=both_ways)
    output, _ = layer(rng.normal(size=(5, 3)))
    scopes = [path.rpartition("/")[0] for path in Trace(output).names if path.rpartition("/")[2] == "h"]

    assert len(scopes) == layers * (1 + both_ways)
    for scope in scopes:
        path = f"{scope}/" if scope else ""
        letters = names if isinstance(names, tuple) else (names,)
        J = step_jacobians(output.sum(), [path + letter for letter in letters])
        first, last = J.before[0], J.t[-1]
        assert (first, last) == ((5, 1) if scope.endswith("_reverse") else (1, 5))
        series = [dict(zip(range(1, 6), Trace(output).nodes(path + letter), strict=True)) for letter in letters]
        g, h = rng.normal(size=4), series[0][last]
        found = {node: grad for node, grad, _ in walk([(h, g)])}
        assert np.allclose(g @ J.product()[:4, :4], found[series[0][first]], rtol=1e-9, atol=1e-13)


# ---- known answers -------------------------------------------------------------------


@examples(20)
@given(st.integers(1, 6), st.floats(0.1, 2), st.integers(0, 1000))
def test_a_scaled_orthogonal_map_decays_by_its_factor(n, rho, seed):
    """Of h_t = ρ Q h_{t-1} every singular value is ρ, every exponent log ρ, the bound ρ, and k steps give ρ^k."""
    J = step_jacobians(linear(rho * orthogonal(n, seed)), "h")

    assert np.allclose(J.singular_values, rho, rtol=1e-12)
    assert np.allclose(J.spectral_radius, rho, rtol=1e-12)
    assert np.allclose(J.bounds, rho, rtol=1e-12)
    assert np.allclose(J.lyapunov(), np.log(rho), atol=1e-12)
    assert np.allclose(np.linalg.svd(J.product(1, 4))[1], rho**3, rtol=1e-12)


def test_the_identity_does_not_decay():
    """Of h_t = h_{t-1} every number is exactly 1, and every exponent 0."""
    J = step_jacobians(linear(np.eye(3)), "h")

    assert (J.matrices == np.eye(3)).all()
    assert (J.singular_values == 1).all()
    assert J.gamma == 1
    assert J.lyapunov().tolist() == [0, 0, 0]


def test_exponents_of_a_linear_map_are_those_of_its_eigenvalues():
    """log|λ| in the limit, for any A; for a symmetric one they are the logarithms of its singular values."""
    rng = np.random.default_rng(1)
    A = rng.normal(size=(4, 4))
    symmetric = A + A.T
    skewed = np.linalg.inv(A) @ np.diag([2.0, 1.1, 0.6, 0.2]) @ A

    exponents = step_jacobians(linear(symmetric, 120), "h").lyapunov(skip=60)
    assert np.allclose(exponents, np.log(np.linalg.svd(symmetric, compute_uv=False)), atol=1e-6)
    exponents = step_jacobians(linear(skewed, 400), "h").lyapunov(skip=200)
    assert np.allclose(exponents, np.log([2.0, 1.1, 0.6, 0.2]), atol=1e-6)
    assert not np.allclose(exponents, np.log(np.linalg.svd(skewed, compute_uv=False)), atol=0.1)


def test_a_direction_that_is_lost_has_exponent_minus_infinity():
    """A projection keeps one direction, and loses the other."""
    assert step_jacobians(linear(np.diag([1.0, 0.0])), "h").lyapunov().tolist() == [0, -np.inf]


def test_a_chaotic_network_parts_as_fast_as_its_exponent_says():
    """At three times the critical weights the largest exponent is positive, and the rate at which two runs part."""
    rng = np.random.default_rng(0)
    n, T, skip = 100, 300, 100
    loss, W = tanh_network(rng, n, T, 3 / np.sqrt(n), x_scale=0.0)
    h = Trace(loss)["h"]

    rates, apart = [], rng.normal(size=n) * 1e-8
    apart *= 1e-8 / np.linalg.norm(apart)
    for t in range(T - 1):
        after = np.tanh((h[t] + apart) @ W.data) - np.tanh(h[t] @ W.data)
        rates.append(np.log(np.linalg.norm(after) / 1e-8))
        apart = after * 1e-8 / np.linalg.norm(after)
    largest = step_jacobians(loss, "h").lyapunov(skip)[0]
    assert largest > 0.1
    assert np.isclose(largest, np.mean(rates[skip:]), rtol=0.02)
    calm = tanh_network(np.random.default_rng(0), n, T, 0.5 / np.sqrt(n), x_scale=0.0)[0]
    assert step_jacobians(calm, "h").lyapunov(skip)[0] < 0


@examples(40)
@given(st.integers(1, 5), st.floats(0.1, 3), st.sampled_from([(), (1,), (3,)]), st.integers(0, 1000))
def test_a_tanh_network_keeps_to_the_bound_of_pascanu(n, scale, batch, seed):
    """The bound is max(1 - h_t²) · ‖W_h‖₂ of every sequence, and no step stretches more; γ is the largest."""
    loss, W = tanh_network(np.random.default_rng(seed), n, 5, scale, batch)

    J = step_jacobians(loss, "h")
    slopes = (1 - Trace(loss)["h"][1:] ** 2).max(-1)
    assert np.allclose(J.bounds, slopes * np.linalg.norm(W.data, 2), rtol=1e-12)
    assert (J.norms <= J.bounds * (1 + 1e-12)).all()
    assert J.gamma == J.bounds.max() <= np.linalg.norm(W.data, 2) * (1 + 1e-12)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_no_step_stretches_more_than_its_bound(name, batch):
    """Also where gates multiply, and h and C go on together."""
    rng = np.random.default_rng(0)
    output, _ = LAYERS[name][0](3, 4)(rng.normal(size=(8, *batch, 3)) * 3)

    J = step_jacobians(output.sum(), LAYERS[name][1])
    assert J.bounds.shape == (7, *batch)
    assert (J.norms <= J.bounds * (1 + 1e-12)).all()
    assert np.isfinite(J.bounds).all()


@pytest.mark.parametrize(
    "step",
    [
        lambda h, W: F.softmax(h @ W),
        lambda h, W: F.layer_norm(h @ W, h.shape[-1]),
        lambda h, W: (h @ W)[..., [2, 0, 0]],
        lambda h, W: h * (h @ W).sum(-1, keepdims=True),
        lambda h, W: F.concat([h[..., 1:], h[..., :1] * 2], -1) + h.reshape(h.shape) / 3,
        lambda h, W: F.relu(h) @ W + F.maximum(h, 0.1),
        lambda h, W: F.einsum("...i,ij->...j", h, W),
        lambda h, W: F.clip_gradient(h @ W, 1e-3),
    ],
)
def test_any_step_has_a_jacobian_and_a_bound(step):
    """Whatever ops it is of: the matrix is that of central differences, and within the bound."""
    rng = np.random.default_rng(3)
    W, h = [Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((3, 3), (2, 3))]
    states = []
    for _ in steps(range(3)):
        h = step(h, W).named("h")
        states.append(h)

    J = step_jacobians(h.sum(), "h")
    for k, before in enumerate(states[:-1]):
        for b, j in np.ndindex(2, 3):
            e = np.zeros((2, 3))
            e[b, j] = 1e-6
            moved = (step(Tensor(before.data + e), W).data - step(Tensor(before.data - e), W).data)[b] / 2e-6
            assert np.allclose(J.matrices[k, b, :, j], moved, rtol=1e-5, atol=1e-7)
    assert (J.norms <= J.bounds * (1 + 1e-12)).all()


# ---- what is held --------------------------------------------------------------------


def test_along_C_with_h_held_it_is_the_forget_gate():
    """∂C_t/∂C_{t-1} of an LSTM is exactly diag(f_t); jointly it is one block of four."""
    output, _ = LSTM(3, 4)(np.random.default_rng(0).normal(size=(6, 2, 3)))

    f = Trace(output)["f"][1:]
    along = step_jacobians(output, "C").matrices
    jointly = step_jacobians(output, ("h", "C")).matrices
    assert np.array_equal(along, f[..., None] * np.eye(4))
    assert np.array_equal(jointly[..., 4:, 4:], along)
    assert np.allclose(jointly[..., :4, :4], step_jacobians(output, "h").matrices)


def test_a_forget_gate_held_at_1_keeps_the_gradient_along_C():
    """With f = 1 and no input nothing is lost along C: exactly 1, over any number of steps."""
    cell = LSTMCell(2, 3, forget_bias=1000.0)
    equation, state = cell.equation(), (np.zeros(3), np.ones(3))
    for _, x in steps(np.zeros((20, 2))):
        h, state = equation.step(x, state)

    J = step_jacobians(h.sum(), "C")
    assert np.array_equal(J.product(), np.eye(3))
    assert np.array_equal(J.lyapunov(), np.zeros(3))


def test_what_is_no_state_is_followed_through_the_step_before():
    """∂a_t/∂a_{t-1} of what is squashed to h goes through h_{t-1}: diag(1 - h²) W."""
    rng = np.random.default_rng(0)
    W, h = Tensor(rng.normal(size=(3, 3)), requires_grad=True), Tensor(rng.normal(size=3))
    for _, x in steps(rng.normal(size=(4, 3))):
        a = (x + h @ W).named("a")
        h = F.tanh(a).named("h")

    slopes = 1 - Trace(h)["h"][:-1] ** 2
    assert np.allclose(step_jacobians(h, "a").matrices, W.data.T * slopes[:, None], rtol=1e-12)


def test_numbers_and_nodes_without_time_will_do():
    """Values are 1 × 1, and a list of nodes needs no names, no steps, and no scope."""
    h, states = Value(0.5), []
    for _ in range(4):
        h = 0.5 * h * h
        states.append(h)

    J = step_jacobians(h, states)
    assert np.allclose(J.matrices[:, 0, 0], [s.data for s in states[:-1]])
    assert J.t.tolist() == [2, 3, 4]
    assert np.allclose(J.lyapunov(), np.log(np.abs(J.matrices)).mean())


def test_what_follows_a_loss_that_is_not_finite_is_said_so():
    """Where a state is infinite its measures are NaN, and those of other steps are as they are."""
    h = Tensor([1.0, 2.0], requires_grad=True)
    with np.errstate(all="ignore"):
        for _, x in steps([1.0, 1.0, np.inf, 1.0]):
            h = (h * x).named("h")
        J = step_jacobians(h, "h")

    assert J.norms[0] == 1
    assert np.isnan(J.norms[1])
    assert np.isnan(J.spectral_radius[1])


# ---- what is refused -----------------------------------------------------------------


def test_rows_that_mix_are_no_batch():
    """Sequences that look at each other, in one direction only too, have no Jacobian of their own."""
    for mix in (lambda h: h - h.mean(0), lambda h: F.concat([h[:1], h[1:] + h[:1]]), lambda h: F.flip(h, 0)):
        W, h = Tensor(orthogonal(3, 0), requires_grad=True), Tensor(np.eye(4, 3))
        for _ in steps(range(3)):
            h = F.tanh(mix(h) @ W).named("h")
        with pytest.raises(GradientError, match=r"rows of the state \(4, 3\) at t=2 depend on each other"):
            step_jacobians(h, "h")


def test_what_cannot_be_answered_is_named():
    """A single step, an unknown name, nothing between, no record, shapes that change, new data, unknown steps."""
    loss = linear(np.eye(2))
    with pytest.raises(UnknownNameError, match=r"no series 'C'"):
        step_jacobians(loss, "C")
    with pytest.raises(SequenceError, match="two steps at least, got 1 with h"):
        step_jacobians(linear(np.eye(2), 1), "h")
    with pytest.raises(SequenceError, match="needs a name or nodes"):
        step_jacobians(loss, [])
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    with pytest.raises(ShapeError, match="all steps in one node"):
        step_jacobians(x.sum(), x)
    with pytest.raises(GradientError, match=r"nothing leads from y at one step to y at the next"):
        step_jacobians(F.stack([(x_t * 2).named("y") for _, x_t in steps(x)]).sum(), "y")
    with no_grad(), pytest.raises(UnknownNameError, match="outside of no_grad"):
        step_jacobians(linear(np.eye(2)), "h")
    J = step_jacobians(loss, "h")
    with pytest.raises(SequenceError, match=r"cannot begin with step 9: it may be any of 1 … 5"):
        J.product(9)
    with pytest.raises(SequenceError, match="made after"):
        J.product(3, 3)
    with pytest.raises(SequenceError, match="skip=5 of 5"):
        J.lyapunov(5)
    h = Tensor([1.0], requires_grad=True)
    for _ in steps(range(3)):
        h = F.concat([h, h]).named("h")
    with pytest.raises(ShapeError, match=r"must have one shape, \(2,\), got \(4,\) at t=2"):
        step_jacobians(h, "h")
    loss, W = tanh_network(np.random.default_rng(0), 2, 3, 1.0)
    W.data = np.eye(2)
    with pytest.raises(StaleGraphError):
        step_jacobians(loss, "h")


def test_an_op_of_ones_own_is_followed():
    """A rule that nobody told about many gradients is asked for each, and its norm is worked out."""

    def turn(x):
        return x[::-1] * 2

    def turn_vjp(g, out, x):
        assert g.shape == x.shape
        return (g[::-1] * 2,)

    op, h = Op(turn, turn_vjp), Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for _ in steps(range(3)):
        h = op(h).named("h")
    J = step_jacobians(h, "h")

    assert np.array_equal(J.matrices[0], 2 * np.eye(3)[::-1])
    assert J.gamma == 2
