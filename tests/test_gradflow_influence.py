"""tinygrad_seq.gradflow: the influence of every input on every output."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples, recorded_programs
from tinygrad_seq import Tensor, Value, no_grad, steps
from tinygrad_seq import functional as F
from tinygrad_seq.backprop import walk
from tinygrad_seq.errors import GradientError, ShapeError, UnknownNameError
from tinygrad_seq.gradflow import influence, per_step
from tinygrad_seq.models import GRU, LSTM, RNN, TransformerEncoderLayer
from tinygrad_seq.trace import Trace

TORCH = dict(np.load(Path(__file__).parent / "data" / "gradflow.npz"))
LAYERS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def as_in_torch(name):
    """The layer with PyTorch's weights, and its input."""
    layer = LAYERS[name](3, 4)
    for path, p in layer.named_parameters():
        p.data = TORCH[f"{name}/param/{path}"]
    return layer, Tensor(TORCH[f"{name}/x"], requires_grad=True)


def by_plain_sweeps(y, xs):
    """∂y/∂x of every x, one sweep for each number of y."""
    rows = []
    for place in np.ndindex(np.shape(y.data)):
        g = np.zeros(np.shape(y.data))
        g[place] = 1
        found = {node: grad for node, grad, _ in walk([(y, float(g) if y.scalar else g)])}
        rows.append([np.ravel(found.get(x, np.zeros(np.shape(x.data)))) for x in xs])
    return [np.array([row[j] for row in rows]) for j in range(len(xs))]


def attention(x, W_q, W_k, W_v):
    return F.scaled_dot_product_attention(x @ W_q, x @ W_k, x @ W_v, is_causal=True)


# ---- against others ------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_influence_is_pytorchs(name):
    """Every ∂h_t/∂x_s equals torch.autograd.functional.jacobian of the whole layer, to 1e-10."""
    layer, x = as_in_torch(name)
    T, B, H, _, _, I = TORCH[f"{name}/influence"].shape
    reference = TORCH[f"{name}/influence"].reshape(T, B * H, T, B * I).swapaxes(1, 2)
    output, _ = layer(x)

    for found in (influence(output, x, keep=True), influence("h", x, of=output.sum(), keep=True)):
        assert found.jacobians.shape == reference.shape
        assert np.abs(found.jacobians - reference).max() <= 1e-10 * np.abs(reference).max()
        lower = np.tri(T, dtype=bool)
        assert np.allclose(found.norms[lower], np.linalg.norm(reference, axis=(2, 3))[lower], rtol=1e-10)
        assert not found.norms[~lower].any()
    assert np.allclose(influence(output, x, ord=2).norms, np.linalg.norm(reference, 2, axis=(2, 3)), rtol=1e-10)


def test_influence_through_attention_is_pytorchs():
    """Through causal self-attention, which knows no steps: to 1e-10, and exactly 0 above the diagonal."""
    x = Tensor(TORCH["attention/x"], requires_grad=True)
    y = attention(x, *[Tensor(TORCH[f"attention/{name}"]) for name in ("W_q", "W_k", "W_v")])

    found = influence(y, x, keep=True)
    reference = TORCH["attention/influence"].swapaxes(1, 2)
    assert np.abs(found.jacobians - reference).max() <= 1e-10 * np.abs(reference).max()
    assert (found.norms[np.triu_indices(len(x), 1)] == 0).all()
    assert (found.norms[np.tril_indices(len(x))] > 0).all()


@pytest.mark.parametrize("name", LAYERS)
def test_per_step_is_pytorchs(name):
    """∂(Σ h_T²)/∂h_t through all later steps equals torch.autograd.grad through the unrolled cell, to 1e-10."""
    layer, x = as_in_torch(name)
    output, _ = layer(x)

    flow = per_step((output[-1] ** 2).sum(), "h")
    reference = TORCH[f"{name}/per_step"]
    assert np.abs(np.array(flow.gradients) - reference).max() <= 1e-10 * np.abs(reference).max()
    assert np.allclose(flow.norms, np.linalg.norm(reference, axis=(1, 2)), rtol=1e-10)


@examples(40)
@given(recorded_programs(), st.booleans())
def test_influence_is_what_plain_sweeps_find(program, keep):
    """Of any program: shared nodes, several time loops, nodes outside of time, outputs that other outputs read."""
    ys = [node for node in dict.fromkeys(program.outputs) if node.requires_grad][-4:]
    xs = [*program.leaves, *[node for node in dict.fromkeys(program.outputs) if node.requires_grad][:2]]
    if not ys:
        return

    norms = influence(ys, xs).norms
    for i, y in enumerate(ys):
        expected = [np.linalg.norm(J) for J in by_plain_sweeps(y, xs)]
        assert np.allclose(norms[i], expected, rtol=1e-10, atol=1e-12)


@examples(20)
@given(st.sampled_from(sorted(LAYERS)), st.integers(1, 2), st.booleans(), st.integers(0, 2), st.integers(0, 1000))
def test_every_recurrent_network_is_followed(name, layers, both_ways, batch, seed):
    """Several layers, both directions, batches, inputs taken from one tensor, and states as inputs."""
    rng = np.random.default_rng(seed)
    x = Tensor(rng.normal(size=(4, *[2] * (batch > 0), 3)), requires_grad=True)
    output, _ = LAYERS[name](3, 2, num_layers=layers, bidirectional=both_ways)(x)
    path = next(path for path in Trace(output).names if path.rpartition("/")[2] == "h")
    hs = Trace(output).nodes(path)

    of_x, of_h = influence(output, x, keep=True), influence(output, path)
    for t in range(4):
        y = output[t]
        expected = by_plain_sweeps(y, [x])[0].reshape(y.size, 4, -1).swapaxes(0, 1)
        assert np.allclose(of_x.jacobians[t], expected, rtol=1e-9, atol=1e-13)
        assert np.allclose(of_h.norms[t], [np.linalg.norm(J) for J in by_plain_sweeps(y, hs)], rtol=1e-9)


def test_a_transformer_layer_is_followed():
    """Several heads, residual sums, norms and a feed-forward network: as plain sweeps find, exactly 0 where masked."""
    x = Tensor(np.random.default_rng(0).normal(size=(5, 1, 4)), requires_grad=True)
    y = TransformerEncoderLayer(4, 2, 6, dropout=0.0)(x, src_mask=np.triu(np.ones((5, 5), bool), 1))

    found = influence(y, x, keep=True)
    expected = by_plain_sweeps(y, [x])[0].reshape(5, 4, 5, 4).swapaxes(1, 2)
    assert np.allclose(found.jacobians, expected, rtol=1e-10, atol=1e-13)
    assert (found.norms[np.triu_indices(5, 1)] == 0).all()


# ---- known answers -------------------------------------------------------------------


@examples(20)
@given(st.integers(1, 5), st.floats(0.1, 2), st.integers(0, 1000))
def test_a_scaled_orthogonal_map_decays_by_its_factor(n, rho, seed):
    """Of h_t = ρ Q h_{t-1} + x_t the influence is exactly ρ^(t-s), and 0 where s is after t."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    x, h, hs = Tensor(np.ones((6, n)), requires_grad=True), Tensor(np.zeros(n)), []
    for _, x_t in steps(x):
        h = rho * (h @ Q) + x_t
        hs.append(h)

    distance = np.subtract.outer(range(6), range(6))
    expected = np.where(distance < 0, 0, rho ** np.maximum(distance, 0.0))
    found = influence(hs, x, ord=2)
    assert np.allclose(found.norms, expected, rtol=1e-12)
    assert (found.norms[distance < 0] == 0).all()
    assert np.allclose(found.by_distance().norms, rho ** np.arange(6.0), rtol=1e-12)
    assert found.by_distance().t.tolist() == [0, 1, 2, 3, 4, 5]


def test_uniform_attention_gives_every_position_the_same_influence():
    """Scores that are all equal weigh every input alike: 1/T each, however far."""
    x = Tensor(np.random.default_rng(0).normal(size=(6, 3)), requires_grad=True)
    y = F.scaled_dot_product_attention(np.zeros((6, 3)), np.zeros((6, 3)), x)

    assert np.allclose(influence(y, x, ord=2).norms, 1 / 6, rtol=1e-12)
    assert np.ptp(influence(y, x).norms) == 0


def test_losses_against_states():
    """L_t reads h_1 … h_t, and its gradient by each is what per_step finds."""
    x = np.random.default_rng(0).normal(size=(5, 3))
    output, _ = LSTM(3, 4)(x)
    losses = [(output[t] ** 2).sum() for t in range(5)]

    found = influence(losses, "h")
    assert found.names == ("y", "h")
    assert np.allclose(found.norms[-1], per_step(losses[-1], "h").norms, rtol=1e-12)
    assert (found.norms[np.triu_indices(5, 1)] == 0).all()
    along = influence(F.stack(losses) * 1.0, "h")
    assert np.allclose(along.norms, found.norms, rtol=1e-12)


def test_an_input_that_is_taken_out_twice_counts_with_both():
    """The parts of ∂y_t/∂x_s add up before their norm is taken, also where x_s is named from the end."""
    x = Tensor([[1.0], [2.0]], requires_grad=True)
    y = F.stack([x[0] * 2, x[1] * 5 - x[1] + x[0] - x[-2]])

    assert influence(y, x).norms.tolist() == [[2, 0], [0, 4]]


def test_time_is_the_first_axis_however_it_was_made():
    """What is stacked along the first axis are the outputs; along another one it is what they consist of."""
    a, b = (Tensor(row, requires_grad=True) for row in ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))

    assert influence(F.stack([a * 3, b * 4]), [a, b], ord=2).norms.tolist() == [[3, 0], [0, 4]]
    assert influence(F.stack([a * 3, b * 4], axis=1), [a, b], ord=2).norms.tolist() == [[3, 4]] * 3


def test_scalars_and_rows():
    """Values count as one number each; a row is what one output takes from all inputs."""
    xs = [Value(1.0), Value(2.0)]
    found = influence([xs[0] * 3, xs[0] * xs[1] * xs[1]], xs)

    assert found.norms.tolist() == [[3, 0], [4, 4]]
    assert found.row(2).norms.tolist() == [4, 4]
    assert np.asarray(found).shape == (2, 2)
    with pytest.raises(GradientError, match="no output of step 7: they are of 1 … 2"):
        found.row(7)


# ---- what is refused -----------------------------------------------------------------


def test_what_cannot_be_answered_is_named():
    """Plain data, no record, a name without record, an unknown name, another norm, Jacobians of different shapes."""
    data, weight = Tensor(np.ones((3, 2))), Tensor(np.ones(2), requires_grad=True)
    y = data * weight
    with pytest.raises(GradientError, match=r"require no gradient.*Tensor\(…, requires_grad=True\), or give the first"):
        influence(y, data)
    with no_grad():
        silent = data * weight
    with pytest.raises(GradientError, match="made under no_grad"):
        influence(silent, weight)
    with pytest.raises(GradientError, match=r'influence\("?\'?h.*of=loss'):
        influence("h", y)
    with pytest.raises(UnknownNameError, match="no series 'h'"):
        influence("h", y, of=y.sum())
    with pytest.raises(GradientError, match='ord="fro" or ord=2'):
        influence(y, weight, ord=1)
    with pytest.raises(ShapeError, match="kept where all are of one shape"):
        influence([y, y.sum()], [weight], keep=True)
