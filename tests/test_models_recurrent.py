"""The RNN: PyTorch's numbers, backpropagation through time by hand, and what holds for any RNN."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import bptt
from tinygrad_seq import Graph, Tensor, gradflow, manual_seed, steps
from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.models import RNN, ManyToMany, RNNCell

SMALL = st.integers(1, 4)
SEEDS = st.integers(0, 2**16)
few = settings(max_examples=25)


@pytest.fixture(scope="module")
def torch_numbers():
    """What torch.nn.RNN(5, 4, batch_first=True) of PyTorch 2.13 gives, float64."""
    with np.load(Path(__file__).parent / "data" / "rnn_bf.npz") as file:
        return dict(file)


def test_it_agrees_with_pytorch(torch_numbers):
    """Outputs, last state, loss and every gradient are PyTorch's to 1e-10, from PyTorch's state dict."""
    z = torch_numbers
    rnn = RNN(5, 4, batch_first=True)
    rnn.load_state_dict({name.removeprefix("param/"): z[name] for name in z if name.startswith("param/")})
    x, h_0 = Tensor(z["in/x"], requires_grad=True), Tensor(z["in/h0"], requires_grad=True)
    output, h_n = rnn(x, h_0)
    loss = (output * z["cot/y"]).sum() + (h_n * z["cot/h_n"]).sum()
    loss.backward()
    ours = {"out/y": output.data, "out/h_n": h_n.data, "loss": loss.data, "grad_in/x": x.grad, "grad_in/h0": h_0.grad}
    ours |= {f"grad/{name}": p.grad for name, p in rnn.named_parameters()}

    assert ours.keys() == {name for name in z if not name.startswith(("param/", "in/", "cot/"))}
    for name, array in ours.items():
        np.testing.assert_allclose(array, z[name], rtol=0, atol=1e-10, err_msg=name)


@few
@given(T=st.integers(1, 7), I=SMALL, H=SMALL, seed=SEEDS)
def test_it_agrees_with_bptt_by_hand(T, I, H, seed):
    """Loss, gradients, and what each step adds to ∂L/∂W_x equal those of a loop written by hand."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model = ManyToMany(RNN(I, H), 3)
    x, target, h_0 = rng.normal(size=(T, I)), rng.integers(0, 3, T), Tensor(rng.normal(size=H), requires_grad=True)
    rnn = model.rnn
    loss = model.loss(x, target, h_0)
    loss.backward()
    b = rnn.bias_ih_l0.data + rnn.bias_hh_l0.data
    letters = (rnn.weight_ih_l0.data.T, rnn.weight_hh_l0.data.T, b, model.W_y.data, model.b_y.data)
    expected, gradients, parts = bptt(x, target, h_0.data, *letters)

    assert loss.item() == pytest.approx(expected, abs=1e-10)
    for name in ("W_x", "W_h", "b"):
        (letter,) = Graph(loss).named(name)
        np.testing.assert_allclose(letter.grad, gradients[name], atol=1e-10)
    np.testing.assert_allclose(rnn.weight_ih_l0.grad, gradients["W_x"].T, atol=1e-10)
    np.testing.assert_allclose(rnn.bias_hh_l0.grad, gradients["b"], atol=1e-10)
    np.testing.assert_allclose(model.W_y.grad, gradients["W_y"], atol=1e-10)
    np.testing.assert_allclose(model.b_y.grad, gradients["b_y"], atol=1e-10)
    np.testing.assert_allclose(h_0.grad, gradients["h"], atol=1e-10)
    np.testing.assert_allclose(gradflow.parts(loss, Graph(loss).named("W_x")[0]).by_step, parts, atol=1e-10)


@few
@given(T=st.integers(1, 6), seed=SEEDS)
def test_the_parts_of_a_shared_weight_add_up_to_its_gradient(T, seed):
    """∂L_T/∂W_x is the sum of one part for each step, whether asked by the letter or by PyTorch's parameter."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model = ManyToMany(RNN(3, 4), 2)
    last = model.losses(rng.normal(size=(T, 2, 3)), rng.integers(0, 2, (T, 2)))[-1]
    last.backward()
    letter, parameter = Graph(last).named("W_x")[0], model.rnn.weight_ih_l0
    by_letter, by_parameter = gradflow.parts(last, letter), gradflow.parts(last, parameter)

    assert by_letter.t.tolist() == list(range(1, T + 1))
    np.testing.assert_allclose(by_letter.total, letter.grad, atol=1e-12)
    np.testing.assert_allclose(by_parameter.total, parameter.grad, atol=1e-12)


def test_the_record_bears_the_lectures_letters():
    """h_1 … h_T know their t; W_x, W_h and b stand outside of time and are made once."""
    output, _ = RNN(3, 4)(np.ones((5, 2, 3)))
    graph = Graph(output)

    assert [h.t for h in graph.named("h") if h.requires_grad] == [1, 2, 3, 4, 5]
    assert [x.t for x in graph.named("x")] == [1, 2, 3, 4, 5]
    assert [(node.name, node.t, node.shape) for name in ("W_x", "W_h", "b") for node in graph.named(name)] == [
        ("W_x", None, (3, 4)), ("W_h", None, (4, 4)), ("b", None, (4,)),
    ]  # fmt: skip


def test_a_gradient_of_the_input_reaches_its_own_step():
    """Where x itself requires a gradient, x_t belongs to step t."""
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    output, _ = RNN(2, 4)(x)

    assert [node.t for node in Graph(output).named("x")] == [1, 2, 3]


# ---- what holds for any RNN ----------------------------------------------------------


def an_rnn(seed, T=5, B=3, I=2, H=4):
    manual_seed(seed)
    return RNN(I, H), np.random.default_rng(seed).normal(size=(T, B, I))


@few
@given(seed=SEEDS)
def test_the_layout_does_not_matter(seed):
    """Time first, batch first, and each sequence alone: the same states."""
    rnn, x = an_rnn(seed)
    turned = RNN(2, 4, batch_first=True)
    turned.load_state_dict(rnn.state_dict())
    output, h_n = rnn(x)
    output_b, h_n_b = turned(x.swapaxes(0, 1))

    np.testing.assert_allclose(output_b.data.swapaxes(0, 1), output.data, atol=1e-14)
    np.testing.assert_allclose(h_n_b.data, h_n.data, atol=1e-14)
    for i in range(3):
        alone, last = rnn(x[:, i])
        np.testing.assert_allclose(alone.data, output.data[:, i], atol=1e-14)
        np.testing.assert_allclose(last.data, h_n.data[:, i], atol=1e-14)


@few
@given(seed=SEEDS, cut=st.integers(1, 4))
def test_one_long_run_equals_two_with_the_state_passed_on(seed, cut):
    """The state is all that a run needs to know of what came before it."""
    rnn, x = an_rnn(seed)
    whole, h_n = rnn(x)
    first, between = rnn(x[:cut])
    second, last = rnn(x[cut:], between)

    np.testing.assert_allclose(np.concatenate([first.data, second.data]), whole.data, atol=1e-14)
    np.testing.assert_allclose(last.data, h_n.data, atol=1e-14)


@few
@given(seed=SEEDS, t=st.integers(0, 4))
def test_the_future_changes_nothing(seed, t):
    """Another x_t changes h_t and what comes after it, and no state before."""
    rnn, x = an_rnn(seed)
    other = x.copy()
    other[t] += 1
    before, after = rnn(x)[0].data, rnn(other)[0].data

    assert np.array_equal(before[:t], after[:t])
    assert not np.array_equal(before[t], after[t])


@few
@given(seed=SEEDS)
def test_a_loop_over_a_cell_is_the_layer(seed):
    """`RNNCell`, step by step, gives the layer's outputs: by its equation, and called as in PyTorch."""
    rnn, x = an_rnn(seed)
    cell = RNNCell(2, 4)
    cell.load_state_dict({name.removesuffix("_l0"): array for name, array in rnn.state_dict().items()})
    equation, h, called = cell.equation(), np.zeros((3, 4)), None
    for t, x_t in steps(x):
        _, h = equation.step(x_t, h)
        called = cell(x_t, called)

        np.testing.assert_array_equal(h.data, rnn(x)[0].data[t - 1])
        np.testing.assert_array_equal(called.data, h.data)


def test_unroll_hands_out_each_step_while_it_is_made():
    """What the body of the loop computes belongs to the step, and the RNN's own nodes to its scope."""
    manual_seed(0)
    model = ManyToMany(RNN(2, 3), 2)
    seen = [(t, h.t, h.scope, (h * 2.0).t, (h * 2.0).scope) for t, h, _ in model.rnn.unroll(np.ones((3, 2)))]

    assert seen == [(t, t, "rnn", t, "") for t in (1, 2, 3)]


# ---- parameters ----------------------------------------------------------------------


def test_parameters_are_named_and_shaped_as_pytorchs():
    """A state dict of torch.nn.RNN, or RNNCell, fits."""
    assert {name: array.shape for name, array in RNN(5, 4).state_dict().items()} == {
        "weight_ih_l0": (4, 5), "weight_hh_l0": (4, 4), "bias_ih_l0": (4,), "bias_hh_l0": (4,),
    }  # fmt: skip
    assert {name: array.shape for name, array in RNNCell(5, 4).state_dict().items()} == {
        "weight_ih": (4, 5), "weight_hh": (4, 4), "bias_ih": (4,), "bias_hh": (4,),
    }  # fmt: skip


def test_weights_start_evenly_within_one_over_root_hidden():
    """U(-1/√H, 1/√H), as in PyTorch, and the same for the same seed."""
    manual_seed(3)
    first = RNN(50, 64).state_dict()
    manual_seed(3)
    second = RNN(50, 64).state_dict()

    for name, array in first.items():
        assert np.abs(array).max() <= 1 / 8
        assert array.std() == pytest.approx(1 / 8 / np.sqrt(3), rel=0.2)
        np.testing.assert_array_equal(array, second[name])


def test_without_bias():
    """bias=False leaves h_t = tanh(x_t W_x + h_{t-1} W_h)."""
    rnn, x = RNN(2, 3, bias=False), np.ones((1, 2))

    assert list(rnn.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    np.testing.assert_allclose(rnn(x)[1].data[0], np.tanh(x[0] @ rnn.weight_ih_l0.data.T))
    assert "bias=False" in repr(rnn)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_weights_is_kept(dtype):
    """Arrays and lists become what the weights are: nothing of a float32 model is computed in float64."""
    rnn = RNN(2, 3, dtype=dtype)
    output, _ = rnn(np.ones((4, 2)))
    output.sum().backward()

    assert {node.dtype for node in Graph(output)} == {np.dtype(dtype)}
    assert rnn.weight_hh_l0.grad.dtype == dtype


# ---- bad input -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RNN, RNNCell])
@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (-1, 4), (4, 2.5), (4, True)])
def test_sizes_are_positive_integers(kind, sizes):
    """A hidden size of 0 is refused when the layer is made, not when it is used."""
    with pytest.raises(DataError, match=f"{kind.__name__}: (input|hidden)_size must be a positive integer"):
        kind(*sizes)


def test_an_input_of_another_size_is_named_with_its_place():
    """Expected, given, scope and time step: also when only a later step is wrong."""
    model = ManyToMany(RNN(3, 4), 2)

    with pytest.raises(ShapeError, match=r"input_size=3 .* x of shape \(2, 5\) \(in rnn at t=1, \w+\.py:\d+\)"):
        model(np.ones((4, 2, 5)))
    with pytest.raises(ShapeError, match=r"x of shape \(5,\) \(at t=2, \w+\.py:\d+\)"):
        list(RNN(3, 4).unroll([np.ones(3), np.ones(5)]))
    with pytest.raises(ShapeError, match=r"input_size=3 cannot take x of shape \(2,\)"):
        RNNCell(3, 4)(np.ones(2))


@pytest.mark.parametrize("x", [np.ones(3), np.ones((1, 2, 3, 3)), 1.0])
def test_an_input_without_time_or_with_too_many_axes(x):
    """The error says which layouts there are."""
    with pytest.raises(ShapeError, match=r"\(T, batch, input\) or \(T, input\), got"):
        RNN(3, 4)(x)


@pytest.mark.parametrize("x", [np.ones((0, 2, 3)), np.ones((0, 3))])
def test_an_empty_sequence(x):
    """There is no state after no step."""
    with pytest.raises(SequenceError, match="at least one step"):
        RNN(3, 4)(x)


@pytest.mark.parametrize("shape", [(2, 4), (1, 3, 4), (1, 2, 5), (4,)])
def test_an_initial_state_of_another_shape(shape):
    """The shape that is needed is said."""
    with pytest.raises(ShapeError, match=r"h_0 of shape \(1, 2, 4\), got"):
        RNN(3, 4)(np.ones((5, 2, 3)), np.zeros(shape))


def test_a_wrong_size_is_located_at_the_users_line():
    """What a model notices is said of the line that called it, not of a line inside the model."""
    with pytest.raises(ShapeError, match=r"at t=1, test_models_recurrent\.py:\d+\)"):
        RNN(4, 3)(np.ones((5, 2, 7)))
    with pytest.raises(SequenceError, match=r"\(test_models_recurrent\.py:\d+\)"):
        RNN(4, 3)(np.ones((0, 2, 4)))
