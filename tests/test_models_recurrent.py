"""RNN, LSTM and GRU: PyTorch's numbers, backpropagation through time by hand, and what holds for all of them."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import bptt
from tinygrad_seq import Graph, Tensor, Trace, gradflow, manual_seed, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models import GRU, LSTM, RNN, GRUCell, LSTMCell, ManyToMany, RNNCell

SMALL = st.integers(1, 4)
SEEDS = st.integers(0, 2**16)
few = settings(max_examples=25)


# ---- PyTorch's numbers ---------------------------------------------------------------

SIZES = (5, 4)
LAYERS = {
    "rnn_bf": RNN(*SIZES, batch_first=True),
    "rnn_bi": RNN(*SIZES, bidirectional=True),
    "rnn_bi2l": RNN(*SIZES, num_layers=2, bidirectional=True),
    "rnn_packed": RNN(*SIZES),
    "lstm_1l": LSTM(*SIZES),
    "lstm_2l": LSTM(*SIZES, num_layers=2),
    "lstm_nobias": LSTM(*SIZES, bias=False),
    "lstm_T1B1": LSTM(*SIZES),
    "gru_2l": GRU(*SIZES, num_layers=2),
    "gru_nobias": GRU(*SIZES, bias=False),
    "gru_T60_last": GRU(3, 8),
}
CELLS = {"lstmcell": LSTMCell(*SIZES), "grucell": GRUCell(*SIZES)}


def through_time(layer, given):
    """What a layer puts out, by PyTorch's names."""
    first = [given[name] for name in ("in/h0", "in/c0") if name in given]
    state = tuple(first) if len(first) > 1 else first[0] if first else None
    output, last = layer(given["in/x"], state, given.get("in/lengths"))
    h_n, c_n = last if isinstance(last, tuple) else (last, None)
    return {"y": output, "h_n": h_n, "c_n": c_n, "last": output[-1]}


def step_by_step(cell, given):
    """The same of a cell, called once for each step."""
    state, hs = (given["in/h0"], given["in/c0"]) if "in/c0" in given else given["in/h0"], []
    for _, x in steps(given["in/x"]):
        state = cell(x, state)
        hs.append(state[0] if isinstance(state, tuple) else state)
    return {"y": F.stack(hs), "c_T": state[1]}


@pytest.mark.parametrize("name", LAYERS | CELLS)
def test_it_agrees_with_pytorch(name):
    """Outputs, last states, loss and every gradient are PyTorch's to 1e-10, from PyTorch's state dict."""
    with np.load(Path(__file__).parent / "data" / f"{name}.npz") as file:
        z = dict(file)
    module = (LAYERS | CELLS)[name]
    module.load_state_dict({key.removeprefix("param/"): z[key] for key in z if key.startswith("param/")})
    module.zero_grad()
    given = {key: z[key] for key in z if key.startswith("in/")}
    given |= {key: Tensor(given[key], requires_grad=True) for key in given if key.replace("in/", "grad_in/") in z}
    made = (through_time if name in LAYERS else step_by_step)(module, given)
    outputs = {key.removeprefix("out/"): made[key.removeprefix("out/")] for key in z if key.startswith("out/")}
    loss = sum((out * z[f"cot/{key}"]).sum() for key, out in outputs.items())
    loss.backward()
    ours = {f"out/{key}": out.data for key, out in outputs.items()} | {"loss": loss.data}
    ours |= {f"grad/{path}": p.grad for path, p in module.named_parameters()}
    ours |= {key.replace("in/", "grad_in/"): x.grad for key, x in given.items() if isinstance(x, Tensor)}

    assert ours.keys() == {key for key in z if not key.startswith(("param/", "in/", "cot/"))}
    for key, array in ours.items():
        np.testing.assert_allclose(array, z[key], rtol=0, atol=1e-10, err_msg=key)


def test_no_numbers_of_pytorch_lie_unread():
    """Every case of these kinds in `data/` is among those above."""
    found = {path.stem for path in (Path(__file__).parent / "data").glob("*.npz")}

    assert {name for name in found if name.startswith(("rnn", "lstm", "gru"))} == {*LAYERS, *CELLS}


# ---- by hand -------------------------------------------------------------------------


@few
@given(seed=SEEDS)
def test_the_lectures_gru_is_its_equations(seed):
    """z, r, h̃ and h of every step, by the lecture's formulas with the weights taken apart."""
    gru, x = a_layer("GRU", seed, form="lecture"), inputs(seed)
    output, _ = gru(x)
    trace, h = Trace(output), np.zeros((3, 4))
    W_ih, W_hh = (np.split(getattr(gru, name).data, 3) for name in ("weight_ih_l0", "weight_hh_l0"))
    W_r, W_z, W = (np.concatenate([a, b], axis=1).T for a, b in zip(W_hh, W_ih, strict=True))
    for t, x_t in enumerate(x):
        z = 1 / (1 + np.exp(-np.concatenate([h, x_t], axis=1) @ W_z))
        r = 1 / (1 + np.exp(-np.concatenate([h, x_t], axis=1) @ W_r))
        h̃ = np.tanh(np.concatenate([r * h, x_t], axis=1) @ W)
        h = (1 - z) * h + z * h̃

        for name, expected in {"z": z, "r": r, "h̃": h̃, "h": h}.items():
            np.testing.assert_allclose(trace[name][t], expected, atol=1e-14, err_msg=name)


def test_the_lectures_gru_has_no_bias():
    """Nor can it be given one."""
    assert list(GRU(2, 3, form="lecture").state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    with pytest.raises(DataError, match="has no bias"):
        GRU(2, 3, bias=True, form="lecture")


@few
@given(T=st.integers(1, 7), I=SMALL, H=SMALL, seed=SEEDS)
def test_it_agrees_with_bptt_by_hand(T, I, H, seed):
    """Loss, gradients, and what each step adds to ∂L/∂W_x equal those of a loop written by hand."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model = ManyToMany(RNN(I, H), 3)
    x, target, h_0 = rng.normal(size=(T, I)), rng.integers(0, 3, T), Tensor(rng.normal(size=H), requires_grad=True)
    rnn = model.rnn
    loss = model.loss(x, target, state=h_0)
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

    assert [h.t for h in graph.named("h") if h.t] == [1, 2, 3, 4, 5]
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


KINDS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
OPTIONS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["RNN", "LSTM", "GRU", "lecture"]),
        "num_layers": st.integers(1, 2),
        "bidirectional": st.booleans(),
        "seed": SEEDS,
    }
)
ONE_WAY = OPTIONS.map(lambda options: options | {"bidirectional": False})


def a_layer(kind, seed, **options):
    manual_seed(seed)
    if kind == "lecture":
        kind, options = "GRU", options | {"form": "lecture"}
    return KINDS[kind](2, 4, **options)


def inputs(seed, T=5, B=3):
    return np.random.default_rng(seed).normal(size=(T, B, 2))


def arrays(state):
    """h_n, or h_n and c_n, as arrays."""
    return [part.data for part in (state if isinstance(state, tuple) else (state,))]


@few
@given(OPTIONS)
def test_the_layout_does_not_matter(options):
    """Time first, batch first, and each sequence alone: the same states."""
    layer, x = a_layer(**options), inputs(options["seed"])
    turned = a_layer(**options, batch_first=True)
    turned.load_state_dict(layer.state_dict())
    output, last = layer(x)
    output_b, last_b = turned(x.swapaxes(0, 1))

    np.testing.assert_allclose(output_b.data.swapaxes(0, 1), output.data, atol=1e-14)
    for whole, own in zip(arrays(last), arrays(last_b), strict=True):
        np.testing.assert_allclose(own, whole, atol=1e-14)
    for i in range(3):
        alone, own = layer(x[:, i])
        np.testing.assert_allclose(alone.data, output.data[:, i], atol=1e-14)
        for whole, one in zip(arrays(last), arrays(own), strict=True):
            np.testing.assert_allclose(one, whole[:, i], atol=1e-14)


@few
@given(ONE_WAY, st.integers(1, 4))
def test_one_long_run_equals_two_with_the_state_passed_on(options, cut):
    """The state is all that a run needs to know of what came before it."""
    layer, x = a_layer(**options), inputs(options["seed"])
    whole, last = layer(x)
    first, between = layer(x[:cut])
    second, end = layer(x[cut:], between)

    np.testing.assert_allclose(np.concatenate([first.data, second.data]), whole.data, atol=1e-14)
    for one, two in zip(arrays(last), arrays(end), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-14)


@few
@given(ONE_WAY, st.integers(0, 4))
def test_the_future_changes_nothing(options, t):
    """Another x_t changes h_t and what comes after it, and no state before."""
    layer, x = a_layer(**options), inputs(options["seed"])
    other = x.copy()
    other[t] += 1
    before, after = layer(x)[0].data, layer(other)[0].data

    assert np.array_equal(before[:t], after[:t])
    assert not np.array_equal(before[t], after[t])


@few
@given(OPTIONS, st.lists(st.integers(1, 5), min_size=3, max_size=3), st.sampled_from([0.0, 1e6, np.nan, np.inf]))
def test_padding_changes_nothing(options, lengths, padding):
    """Each sequence of a ragged batch: the outputs, last states and gradients that it has alone; 0 after its end."""
    layer, x = a_layer(**options), inputs(options["seed"])
    x[np.arange(5)[:, None] >= lengths] = padding
    xs = Tensor(x, requires_grad=True)
    output, last = layer(xs, None, lengths)
    (output.sum() + sum(np.arange(3.0) @ part.sum(axis=-1).sum(axis=0) for part in listed(last))).backward()
    together, gx = {name: p.grad for name, p in layer.named_parameters()}, xs.grad
    layer.zero_grad()
    for i, n in enumerate(lengths):
        alone = Tensor(x[:n, i], requires_grad=True)
        own_output, own_last = layer(alone)
        (own_output.sum() + sum(float(i) * part.sum() for part in listed(own_last))).backward()

        np.testing.assert_allclose(output.data[:n, i], own_output.data, atol=1e-13)
        assert not output.data[n:, i].any()
        assert not gx[n:, i].any()
        np.testing.assert_allclose(gx[:n, i], alone.grad, atol=1e-12)
        for part, own in zip(arrays(last), arrays(own_last), strict=True):
            np.testing.assert_allclose(part[:, i], own, atol=1e-13)
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(together[name], p.grad, atol=1e-12, err_msg=name)


def listed(state):
    return list(state) if isinstance(state, tuple) else [state]


@few
@given(kind=st.sampled_from(["RNN", "LSTM", "GRU", "lecture"]), seed=SEEDS)
def test_a_loop_over_a_cell_is_the_layer(kind, seed):
    """A cell, step by step, gives the layer's outputs: by its equation, and called as in PyTorch."""
    layer, x = a_layer(kind, seed), inputs(seed)
    cells = {"RNN": RNNCell, "LSTM": LSTMCell, "GRU": GRUCell, "lecture": partial(GRUCell, form="lecture")}
    cell = cells[kind](2, 4)
    cell.load_state_dict({name.removesuffix("_l0"): array for name, array in layer.state_dict().items()})
    equation, state, called, output = cell.equation(), layer.initial((3,)), None, layer(x)[0].data
    for t, x_t in steps(x):
        h, state = equation.step(x_t, state)
        called = cell(x_t, called)

        np.testing.assert_array_equal(h.data, output[t - 1])
        np.testing.assert_array_equal(listed(called)[0].data, h.data)


# ---- what the record holds -----------------------------------------------------------

GATES = {"RNN": "h", "LSTM": "i f C̃ o C h", "GRU": "r z n h", "lecture": "r z h̃ h"}


@pytest.mark.parametrize("kind", GATES)
def test_every_gate_comes_back_as_a_series(kind):
    """`trace["f"]` is (T, batch, hidden), and its gradient likewise; each step has each name once."""
    output, _ = a_layer(kind, 0)(inputs(0))
    (output[-1] ** 2).sum().backward()
    trace = Trace(output)

    assert set(trace.names) >= set(GATES[kind].split())
    for name in GATES[kind].split():
        assert trace.t(name).tolist() == [1, 2, 3, 4, 5]
        assert trace[name].shape == trace.grad(name).shape == (5, 3, 4)
        assert np.abs(trace.grad(name)[:-1]).max() > 0


def test_a_ragged_batch_has_each_state_once_a_step():
    """Where sequences have ended the state that is kept bears the name, and no other node."""
    output, _ = LSTM(2, 4, num_layers=2)(inputs(0), None, [2, 5, 3])
    trace = Trace(output)

    assert {"l0/h", "l0/C", "l1/h", "l1/C"} <= set(trace.names)
    np.testing.assert_array_equal(trace["l0/h"][1, 0], trace["l0/h"][4, 0])


def test_layers_and_directions_are_scopes():
    """Their states can be told apart, and know their step whichever way they are read."""
    output, _ = GRU(2, 4, num_layers=2, bidirectional=True)(inputs(0))
    trace = Trace(output)

    for scope in ("l0", "l0_reverse", "l1", "l1_reverse"):
        assert trace.t(f"{scope}/h").tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_gradient_can_be_clipped_at_every_step(kind):
    """With `step_clip` no state sends back more than that; the values stay as they are."""
    layer, x = a_layer(kind, 1), inputs(1)
    free = layer(x)[0]
    layer.step_clip = 0.5
    output, _ = layer(x)
    (1e3 * output.sum()).backward()
    clipped = [node for node in Graph(output) if node.op and node.op.name == "clip_gradient"]

    np.testing.assert_array_equal(output.data, free.data)
    assert [node.t for node in clipped if node.name == "h"] == [1, 2, 3, 4, 5]
    assert [node.t for node in clipped if node.name == "C"] == ([1, 2, 3, 4] if kind == "LSTM" else [])
    lengths = [np.linalg.norm(visit.sent[0]) for visit in sweep(1e3 * output.sum()) if visit.node in set(clipped)]
    assert max(np.linalg.norm(node.grad) for node in clipped) > 0.5
    assert len(lengths) == len(clipped)
    assert max(lengths) == pytest.approx(0.5)


@pytest.mark.parametrize("direction", [{}, {"bidirectional": True}])
def test_dropout_is_between_layers_only(direction):
    """In training the upper layer reads less, one layer alone nothing less, and in use nothing is dropped."""
    manual_seed(0)
    deep, x = RNN(2, 4, num_layers=2, dropout=0.5, **direction), inputs(0)
    single = RNN(2, 4, dropout=0.5, **direction)

    assert not np.array_equal(deep(x)[0].data, deep(x)[0].data)
    np.testing.assert_array_equal(single(x)[0].data, single(x)[0].data)
    deep.eval()
    np.testing.assert_array_equal(deep(x)[0].data, deep(x)[0].data)


def test_the_forget_gate_starts_open():
    """b_f is 1 in all layers and directions unless told otherwise; None leaves PyTorch's small numbers."""
    lstm = LSTM(2, 4, num_layers=2, bidirectional=True)
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        b = getattr(lstm, f"bias_ih{suffix}").data + getattr(lstm, f"bias_hh{suffix}").data
        assert b[4:8].tolist() == [1.0] * 4
        assert np.abs(np.delete(b, slice(4, 8))).max() <= 1
    assert np.abs(LSTM(2, 4, forget_bias=None).bias_ih_l0.data).max() <= 0.5
    assert LSTMCell(2, 4, forget_bias=-2.0).bias_ih.data[4:8].tolist() == [-2.0] * 4


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


LENGTHS = {
    "too few": ([5, 5], ShapeError, r"one length for each sequence, shape \(3,\), got \(2,\)"),
    "no batch": (5, ShapeError, "one length for each sequence"),
    "all padding": ([5, 0, 1], SequenceError, "sequence number 1 has length 0 .* all padding"),
    "longer than the data": ([5, 6, 1], ShapeError, "sequence number 1 has length 6, the data has 5 steps"),
    "no integers": ([5.0, 5.0, 1.0], DtypeError, "lengths are integers"),
}


@pytest.mark.parametrize(("lengths", "kind", "message"), LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("layer", [RNN(2, 3), LSTM(2, 3, bidirectional=True), GRU(2, 3, num_layers=2)])
def test_lengths_that_disagree_with_the_data(layer, lengths, kind, message):
    """The sequence at fault is named."""
    with pytest.raises(kind, match=message):
        layer(inputs(0), None, lengths)


STATES = {
    "one of a pair": (LSTM(2, 3), np.zeros((1, 3, 3)), DataError, r"a pair \(h_0, c_0\)"),
    "another batch in c_0": (LSTM(2, 3), (np.zeros((1, 3, 3)), np.zeros((1, 2, 3))), ShapeError, r"c_0 of shape"),
    "one layer of two": (GRU(2, 3, 2), np.zeros((1, 3, 3)), ShapeError, r"h_0 of shape \(2, 3, 3\)"),
}


@pytest.mark.parametrize(("layer", "state", "kind", "message"), STATES.values(), ids=STATES)
def test_states_that_do_not_fit(layer, state, kind, message):
    """What is needed is said."""
    with pytest.raises(kind, match=message):
        layer(inputs(0), state)


def test_a_state_of_another_batch_is_refused_step_by_step_too():
    """`unroll` and cells check what they are given."""
    gru = GRU(2, 3)
    with pytest.raises(ShapeError, match=r"GRU needs a state of shape \(3, 3\) here, got \(2, 3\)"):
        list(gru.unroll(inputs(0), gru.initial((2,))))
    with pytest.raises(ShapeError, match=r"LSTMCell needs a state of shape \(3, 3\) here, got \(2, 3\)"):
        LSTMCell(2, 3)(np.ones((3, 2)), (np.zeros((3, 3)), np.zeros((2, 3))))


def test_an_empty_batch():
    """There is nothing to learn from no sequence."""
    with pytest.raises(ShapeError, match="at least one sequence"):
        RNN(2, 3)(np.ones((5, 0, 2)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RNN(2, 3, nonlinearity="gelu"), 'nonlinearity must be "tanh" or "relu"'),
        (lambda: GRUCell(2, 3, form="lectur"), 'form must be "torch" or "lecture"'),
        (lambda: LSTM(2, 3, num_layers=0), "num_layers must be a positive integer"),
        (lambda: LSTM(2, 3, dropout=1.5), "dropout must be a probability"),
    ],
)
def test_arguments_that_make_no_sense(make, message):
    """Refused when the layer is made."""
    with pytest.raises(DataError, match=message):
        make()
