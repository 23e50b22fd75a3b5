"""PyTorch's numbers, from `data/`: outputs, losses and all gradients of ops, losses, cells and attention, to 1e-10.

The models here are made of primitives, in PyTorch's letters and weights.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinygrad_seq import Tensor, scope, steps
from tinygrad_seq import functional as F

DATA = Path(__file__).parent / "data"


def load(name):
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


# ---- models made of primitives -------------------------------------------------------


def rnn_cell(x, h, W_ih, W_hh, b_ih, b_hh):
    return F.tanh(x @ W_ih.T + b_ih + h @ W_hh.T + b_hh)


def lstm_cell(x, h, c, W_ih, W_hh, b_ih, b_hh):
    i, f, g, o = (x @ W_ih.T + b_ih + h @ W_hh.T + b_hh).split(4, axis=-1)
    c = F.sigmoid(f) * c + F.sigmoid(i) * F.tanh(g)
    return F.sigmoid(o) * F.tanh(c), c


def gru_cell(x, h, W_ih, W_hh, b_ih, b_hh):
    r_x, z_x, n_x = (x @ W_ih.T + b_ih).split(3, axis=-1)
    r_h, z_h, n_h = (h @ W_hh.T + b_hh).split(3, axis=-1)
    z = F.sigmoid(z_x + z_h)
    n = F.tanh(n_x + F.sigmoid(r_x + r_h) * n_h)
    return (1 - z) * n + z * h


def weights_of(given, suffix=""):
    return [given[f"param/{name}{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def rnn(given):
    h, hs = given["in/h0"][0], []
    for _, x_t in steps(given["in/x"].swapaxes(0, 1)):
        h = rnn_cell(x_t, h, *weights_of(given, "_l0"))
        hs.append(h)
    return {"y": F.stack(hs, axis=1), "h_n": h[None]}


def lstm(given):
    x, weights = given["in/x"], weights_of(given, "_l0")
    zeros = np.zeros((1, x.shape[1], weights[1].shape[1]))
    h, c, hs = given.get("in/h0", zeros)[0], given.get("in/c0", zeros)[0], []
    for _, x_t in steps(x):
        h, c = lstm_cell(x_t, h, c, *weights)
        hs.append(h)
    return {"y": F.stack(hs), "h_n": h[None], "c_n": c[None]}


def lstm_cells(given):
    h, c, hs = given["in/h0"], given["in/c0"], []
    for _, x_t in steps(given["in/x"]):
        h, c = lstm_cell(x_t, h, c, *weights_of(given))
        hs.append(h)
    return {"y": F.stack(hs), "c_T": c}


def gru_cells(given):
    h, hs = given["in/h0"], []
    for _, x_t in steps(given["in/x"]):
        h = gru_cell(x_t, h, *weights_of(given))
        hs.append(h)
    return {"y": F.stack(hs)}


def gru_last(given):
    h = np.zeros((2, 8))
    for _, x_t in steps(given["in/x"]):
        h = gru_cell(x_t, h, *weights_of(given, "_l0"))
    return {"last": h}


def bahdanau(given):
    s, h = given["in/s"], given["in/h"]
    e = F.tanh((s @ given["param/Wq"].T)[:, None] + h @ given["param/Wk"].T) @ given["param/v"]
    a = F.softmax(e.masked_fill(given["in/pad_mask"], -np.inf))
    return {"context": (a[..., None] * h).sum(axis=1), "weights": a}


def luong(given):
    s, h = given["in/s"], given["in/h"]
    a = F.softmax(F.einsum("bi,ij,btj->bt", s, given["param/W"], h))
    return {"context": F.einsum("bt,bti->bi", a, h), "weights": a}


def attend(q, k, v, forbidden=None):
    e = q @ k.mT / q.shape[-1] ** 0.5
    a = F.softmax(e if forbidden is None else e.masked_fill(forbidden, -np.inf))
    return a @ v, a


def sdpa(given):
    mask = given.get("in/attn_mask")
    return {"y": attend(*[given[f"in/{name}"] for name in "qkv"], None if mask is None else ~mask)[0]}


def multi_head(query, key, value, given, prefix="", forbidden=None):
    """Attention in two heads.  query: (B, T, E)."""
    W, b = given[f"param/{prefix}in_proj_weight"].chunk(3), given[f"param/{prefix}in_proj_bias"].chunk(3)
    heads = [F.linear(x, W_x, b_x) for x, W_x, b_x in zip((query, key, value), W, b, strict=True)]
    y, a = attend(*[x.reshape(*x.shape[:2], 2, -1).swapaxes(1, 2) for x in heads], forbidden)
    y = y.swapaxes(1, 2).reshape(query.shape)
    return F.linear(y, given[f"param/{prefix}out_proj.weight"], given[f"param/{prefix}out_proj.bias"]), a


def mha(given):
    query = given["in/query"]
    key, value = given.get("in/key", query), given.get("in/value", query)
    y, a = multi_head(query, key, value, given, forbidden=given.get("in/attn_mask"))
    return {"y": y, "weights": a}


def encoder_layer(norm_first):
    def layer(given):
        def norm(x, name):
            return F.layer_norm(x, 8, given[f"param/{name}.weight"], given[f"param/{name}.bias"])

        def attention(x):
            with scope("self_attn"):
                return multi_head(x, x, x, given, "self_attn.", given["in/src_mask"])[0]

        def feed_forward(x):
            h = F.relu(F.linear(x, given["param/linear1.weight"], given["param/linear1.bias"]))
            return F.linear(h, given["param/linear2.weight"], given["param/linear2.bias"])

        x = given["in/x"]
        if norm_first:
            x = x + attention(norm(x, "norm1"))
            return {"y": x + feed_forward(norm(x, "norm2"))}
        x = norm(x + attention(x), "norm1")
        return {"y": norm(x + feed_forward(x), "norm2")}

    return layer


# ---- the cases -----------------------------------------------------------------------


def of_x(function, **fixed):
    return lambda given: {"y": function(given["in/x"], **fixed)}


def entropy(**fixed):
    return lambda given: {"loss": F.cross_entropy(given["in/logits"], given["in/target"], **fixed)}


def norm(given):
    weight, bias = given["param/weight"], given["param/bias"]
    return {"y": F.layer_norm(given["in/x"], weight.shape, weight, bias)}


def pieces(given):
    a = given["in/a"]
    return {"p": a[1:, ::2], "q": a[given["in/ix"]], "s": a[[0, 0, 3], [1, 1, 2]], "t": a[None, :, 1]}


CASES = {
    "op_exp": of_x(F.exp),
    "op_sqrt": of_x(F.sqrt),
    "op_abs": of_x(F.abs),
    "op_silu": of_x(F.silu),
    "op_cos": of_x(F.cos),
    "op_getitem": pieces,
    "softmax_dim0": of_x(F.softmax, axis=0),
    "log_softmax_dim2": of_x(F.log_softmax, axis=2),
    "layernorm_tiny": norm,
    "layernorm_constant": norm,
    "loss_mse": lambda given: {"loss": F.mse_loss(given["in/x"], given["in/y"])},
    "loss_bce_logits": lambda given: {"loss": F.binary_cross_entropy_with_logits(given["in/x"], given["in/y"])},
    "ce_mean": entropy(),
    "ce_none": entropy(reduction="none"),
    "ce_extreme": entropy(reduction="none"),
    "ce_smooth_ignore": entropy(label_smoothing=0.1, ignore_index=2),
    "ce_3d_ignore": entropy(),
    "rnn_bf": rnn,
    "lstm_1l": lstm,
    "lstm_T1B1": lstm,
    "lstmcell": lstm_cells,
    "grucell": gru_cells,
    "gru_T60_last": gru_last,
    "bahdanau": bahdanau,
    "luong_general": luong,
    "sdpa_plain": sdpa,
    "sdpa_boolmask": sdpa,
    "mha_self_causal": mha,
    "mha_cross": mha,
    "enc_layer_post_relu": encoder_layer(False),
    "enc_layer_pre_relu": encoder_layer(True),
}


@pytest.mark.parametrize("name", CASES)
def test_pytorch_agrees(name):
    """Every output, the loss, and the gradient of every input and parameter are PyTorch's to 1e-10."""
    data = load(name)
    differentiable = {key.replace("grad_in/", "in/").replace("grad/", "param/"): key for key in data if "grad" in key}
    given = {
        key: Tensor(data[key], requires_grad=True, name=key) if key in differentiable else data[key] for key in data
    }

    outputs = {key: out for key, out in CASES[name](given).items() if f"out/{key}" in data}
    loss = sum((out * data[f"cot/{key}"]).sum() for key, out in outputs.items())
    loss.backward()

    assert set(outputs) == {key.removeprefix("out/") for key in data if key.startswith("out/")}
    for key, out in outputs.items():
        assert_allclose(out.data, data[f"out/{key}"], rtol=1e-10, atol=1e-10)
    assert_allclose(loss.data, data["loss"], rtol=1e-10)
    for key, gradient in differentiable.items():
        assert_allclose(given[key].grad, data[gradient], rtol=1e-10, atol=1e-10, err_msg=key)


def test_a_fully_masked_row_is_zeros_where_pytorch_has_nan():
    """Softmax of nothing but -inf weighs nothing and passes no gradient; the other rows are PyTorch's."""
    data = load("softmax_masked_rows")
    x = Tensor(data["in/x"], requires_grad=True)
    masked = np.isnan(data["out/y"]).all(axis=-1)
    y = F.softmax(x)
    (y * data["cot/y"]).sum().backward()

    assert masked.tolist() == [False, True]
    assert_allclose(y.data, np.where(masked[:, None], 0, data["out/y"]), rtol=1e-10)
    assert_allclose(x.grad[~masked], data["grad_in/x"][~masked], rtol=1e-10, atol=1e-10)
    assert x.grad[masked].tolist() == [[0.0, 0.0, 0.0]]


def test_all_data_of_the_engine_is_read():
    """No case of the kinds listed here lies in `data/` unread."""
    kinds = (
        "op_",
        "ce_",
        "loss_",
        "softmax",
        "log_softmax",
        "layernorm",
        "sdpa",
        "mha",
        "enc_layer",
        "bahdanau",
        "luong",
    )
    found = {path.stem for path in DATA.glob("*.npz") if path.stem.startswith(kinds)}

    assert found <= set(CASES) | {"softmax_masked_rows"}
