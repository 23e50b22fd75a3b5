"""PyTorch's numbers for attention and the Transformer: outputs and all gradients of the modules, to 1e-10.

Weights come in by `load_state_dict`, so PyTorch's names and shapes are held too.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinygrad_seq import Parameter, Tensor, manual_seed, nn, optim
from tinygrad_seq import functional as F
from tinygrad_seq.models import attention, transformer
from tinygrad_seq.models.attention import AdditiveAttention, GeneralAttention, MultiheadAttention, sinusoidal_positions
from tinygrad_seq.models.transformer import TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer

DATA = Path(__file__).parent / "data"


def load(name):
    with np.load(DATA / f"{name}.npz") as file:
        return dict(file)


def weights_of(data):
    return {key.removeprefix("param/"): array for key, array in data.items() if key.startswith("param/")}


def inputs_of(data):
    """The inputs: tensors where there is a gradient to compare."""
    return {
        key.removeprefix("in/"): Tensor(array, requires_grad=True) if f"grad_{key}" in data else array
        for key, array in data.items()
        if key.startswith("in/")
    }


# ---- the files of the shared kind ----------------------------------------------------


def encoder_layer(norm_first):
    return TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=norm_first, batch_first=True)


def multihead(model, x):
    query = x["query"]
    return dict(zip(("y", "weights"), model(
        query, x.get("key", query), x.get("value", query), attn_mask=x.get("attn_mask"), average_attn_weights=False
    )))  # fmt: skip


def pooled(model, x):
    return dict(zip(("context", "weights"), model(x["s"], x["h"], x.get("pad_mask"))))


CASES = {
    "bahdanau": (lambda: AdditiveAttention(4, 6, 5), pooled),
    "luong_general": (lambda: GeneralAttention(6, 6), pooled),
    "mha_self_causal": (lambda: MultiheadAttention(8, 2, batch_first=True), multihead),
    "mha_cross": (lambda: MultiheadAttention(8, 2, batch_first=True), multihead),
    "enc_layer_post_relu": (lambda: encoder_layer(False), lambda model, x: {"y": model(x["x"], x["src_mask"])}),
    "enc_layer_pre_relu": (lambda: encoder_layer(True), lambda model, x: {"y": model(x["x"], x["src_mask"])}),
    "enc_stack2_pre": (
        lambda: TransformerEncoder(encoder_layer(True), 2, nn.LayerNorm(8)),
        lambda model, x: {"y": model(x["x"])},
    ),
    "dec_layer_post": (
        lambda: TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True),
        lambda model, x: {"y": model(
            x["tgt"], x["memory"], x["tgt_mask"], memory_key_padding_mask=x["memory_key_padding_mask"]
        )},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_module_agrees_with_pytorch(name):
    """Every output, the loss, and the gradient of every input and parameter, to 1e-10."""
    data, (build, call) = load(name), CASES[name]
    model, given = build(), inputs_of(data)
    model.load_state_dict(weights_of(data))
    outputs = call(model, given)
    loss = sum((out * data[f"cot/{key}"]).sum() for key, out in outputs.items())
    loss.backward()

    assert set(outputs) == {key.removeprefix("out/") for key in data if key.startswith("out/")}
    for key, out in outputs.items():
        assert_allclose(out.data, data[f"out/{key}"], rtol=1e-10, atol=1e-10)
    assert_allclose(loss.data, data["loss"], rtol=1e-10)
    for path, p in model.named_parameters():
        assert_allclose(p.grad, data[f"grad/{path}"], rtol=1e-10, atol=1e-10, err_msg=path)
    for key in (key for key in data if key.startswith("grad_in/")):
        assert_allclose(given[key.removeprefix("grad_in/")].grad, data[key], rtol=1e-10, atol=1e-10, err_msg=key)


# ---- those made by make_attention_references.py --------------------------------------

MORE = load("attention_more")
SPECS = json.loads(str(MORE["cases"]))


@pytest.mark.parametrize("number", range(len(SPECS)), ids=[spec[0] for spec in SPECS])
def test_the_other_settings_agree_with_pytorch(number):
    """kdim and vdim, no bias, float masks, masks for each head, gelu, every norm order, padding: all to 1e-10."""
    name, config, shapes, masks = SPECS[number]
    data = {key.removeprefix(f"{number}/"): array for key, array in MORE.items() if key.startswith(f"{number}/")}
    model = getattr(attention, name, None) or getattr(transformer, name)
    model = model(**config)
    model.load_state_dict(weights_of(data))
    given = [Tensor(data[f"in/{i}"], requires_grad=True) for i in range(len(shapes))]
    outputs = model(*given, **{mask: data[f"in/{mask}"] for mask in masks})
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    sum((out * data[f"cot/{i}"]).sum() for i, out in enumerate(outputs)).backward()

    for i, out in enumerate(outputs):
        assert_allclose(out.data, data[f"out/{i}"], rtol=1e-10, atol=1e-10)
    for i, x in enumerate(given):
        assert_allclose(x.grad, data[f"grad/in/{i}"], rtol=1e-10, atol=1e-10)
    for path, p in model.named_parameters():
        assert_allclose(p.grad, data[f"grad/param/{path}"], rtol=1e-10, atol=1e-10, err_msg=path)


# ---- positions, and thirty updates ---------------------------------------------------


def test_positions_are_those_of_the_paper():
    """sin and cos of pos / 10000^(2i/d), also from a later start and for an odd d."""
    expected = load("posenc_sinusoidal")["out/pe"]

    assert_allclose(sinusoidal_positions(50, 16), expected, rtol=0, atol=1e-12)
    assert_allclose(sinusoidal_positions(7, 16, start=30), expected[30:37], rtol=0, atol=1e-12)
    assert sinusoidal_positions(3, 5).shape == (3, 5)
    assert_allclose(sinusoidal_positions(3, 5)[:, 4], np.sin(np.arange(3) / 10000 ** (4 / 5)), rtol=0, atol=1e-12)


class Hello(nn.Module):
    """A causal Transformer of one layer, with the names of the reference."""

    def __init__(self):
        super().__init__()
        self.pos = Parameter(np.zeros((10, 8)))
        self.emb = nn.Embedding(8, 8)
        self.l = TransformerEncoderLayer(8, 2, 16, dropout=0.0, norm_first=True)
        self.o = nn.Linear(8, 8)

    def loss(self, ids):
        x = self.emb(ids[:-1]) + self.pos
        return F.cross_entropy(self.o(self.l(x[:, None], is_causal=True)[:, 0]), ids[1:])


def test_thirty_updates_follow_pytorch():
    """Loss and gradient norm before each of 30 AdamW updates, and the weights after them."""
    data = load("e2e_transformer_hello")
    manual_seed(0)
    model = Hello()
    model.load_state_dict(weights_of(data))
    optimizer = optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)
    losses, norms = [], []
    for _ in range(30):
        loss = model.loss(data["in/ids"])
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        norms.append(np.sqrt(sum((p.grad**2).sum() for p in model.parameters())))
        optimizer.step()

    assert_allclose(losses, data["out/loss"], rtol=1e-10)
    assert_allclose(norms, data["out/gradnorm"], rtol=1e-9)
    for path, p in model.named_parameters():
        assert_allclose(p.data, data[f"out/final/{path}"], rtol=1e-8, atol=1e-10, err_msg=path)


# ---- the function --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sdpa_plain", "sdpa_boolmask"])
def test_scaled_dot_product_attention_agrees_with_pytorch(name):
    """The function, whose mask is True where looking is allowed: output and gradients to 1e-10."""
    data = load(name)
    given = inputs_of(data)
    y = F.scaled_dot_product_attention(given["q"], given["k"], given["v"], given.get("attn_mask"))
    (y * data["cot/y"]).sum().backward()

    assert_allclose(y.data, data["out/y"], rtol=1e-10, atol=1e-10)
    for letter in "qkv":
        assert_allclose(given[letter].grad, data[f"grad_in/{letter}"], rtol=1e-10, atol=1e-10)
