"""Seq2seq over every cell: what it computes, what padding must not change, what it learns."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from oracles import complex_step
from seq2seq_models import (
    END,
    KINDS,
    LAYERS,
    PADDING,
    SOURCE_TOKENS,
    TARGET_TOKENS,
    batches,
    few,
    gradients,
    made,
    models,
)
from tinygrad_seq import Graph, manual_seed, optim
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, DotAttention, Seq2Seq
from tinygrad_seq.viz import draw_unrolled

DATA = Path(__file__).parent / "data"


# ---- what a batch is -----------------------------------------------------------------


@few
@given(models(), batches())
def test_a_padded_batch_is_the_mean_over_its_tokens(model, batch):
    """The loss, and every gradient, are those of the sequences alone and unpadded, each counted by its tokens."""
    source, lengths, target, ends = batch
    loss = model.loss(source, lengths, target)
    together, value = gradients(model, loss), loss.item()
    losses, alone = [], []
    for i, (m, n) in enumerate(zip(lengths, ends)):
        one = model.loss(source[:m, [i]], None, target[:n, [i]]) * (n / sum(ends))
        alone.append(gradients(model, one))
        losses.append(one.item())

    assert value == pytest.approx(sum(losses), abs=1e-12)
    for name, g in together.items():
        assert_allclose(g, sum(one[name] for one in alone), atol=1e-12, err_msg=name)


@few
@given(models(), batches(), st.integers(0, 2), st.integers(0, 2**16))
def test_what_stands_in_the_padding_changes_nothing(model, batch, more, seed):
    """Not other tokens, not ones that there are not, and not more of it: the same loss, the same gradients."""
    source, lengths, target, _ = batch
    longer = np.concatenate([source, np.zeros((more, len(lengths)), int)])
    beyond = np.arange(len(longer))[:, None] >= lengths
    garbage = np.where(beyond, np.random.default_rng(seed).integers(-9, 99, longer.shape), longer)
    expected = gradients(model, model.loss(source, lengths, target))
    actual = gradients(model, model.loss(garbage, lengths, np.concatenate([target, np.zeros_like(target[:more])])))

    for name, g in actual.items():
        assert_allclose(g, expected[name], atol=1e-12, err_msg=name)


@few
@given(models(), batches())
def test_padding_may_be_no_token_at_all(model, batch):
    """Such as -100, which PyTorch ignores: the same loss, and the same translations."""
    source, lengths, target, _ = batch
    expected, found = model.loss(source, lengths, target).item(), model.translate(source, lengths, max_length=4)
    source, target = (np.where(table == PADDING, -100, table) for table in (source, target))
    model.padding = -100

    assert model.loss(source, None, target).item() == expected
    for one, other in zip(model.translate(source, max_length=4), found):
        assert one.tokens.tolist() == other.tokens.tolist()


@few
@given(models(), batches())
def test_lengths_are_read_from_the_padding(model, batch):
    """Without lengths a source ends before its padding."""
    source, lengths, target, _ = batch

    assert model.loss(source, None, target).item() == model.loss(source, lengths, target).item()


@few
@given(models(), batches(), st.integers(0, 2**16))
def test_the_decoder_does_not_see_the_future(model, batch, seed):
    """Other tokens from t on in the target change no logits up to t."""
    source, lengths, target, _ = batch
    cut = seed % len(target)
    later = (np.arange(len(target)) >= cut)[:, None] & (target != PADDING)
    other = np.where(later, np.random.default_rng(seed).integers(2, TARGET_TOKENS, target.shape), target)

    assert_allclose(model(source, lengths, other).data[: cut + 1], model(source, lengths, target).data[: cut + 1])


@few
@given(models(KINDS[1:]), batches())
def test_weights_sum_to_one_over_the_source(model, batch):
    """(batch, target, source), exactly 0 on padding; align gives what forward gives."""
    source, lengths, target, _ = batch
    logits, w = model(source, lengths, target, return_weights=True)

    assert w.shape == (len(lengths), len(target), len(source))
    assert_allclose(w.data.sum(axis=-1), 1)
    assert (w.data.transpose(2, 0, 1)[np.arange(len(source))[:, None] >= lengths] == 0).all()
    assert_allclose(model.align(source, lengths, target).data, w.data)
    assert_allclose(model(source, lengths, target).data, logits.data)


# ---- what is computed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "cell", "options"),
    [
        ("rnn", "rnn", {}),
        ("gru_2l_dot", "gru", {"layers": 2, "attention": "dot"}),
        ("gru_bi_additive", "gru", {"bidirectional": True, "encoder_size": 4, "attention": "additive"}),
        ("lstm_bi2l_general", "lstm", {"layers": 2, "bidirectional": True, "encoder_size": 3, "attention": "general"}),
        ("lstm_scaled_dot", "lstm", {"attention": "scaled_dot"}),
    ],
)
def test_it_computes_what_pytorch_computes(case, cell, options):
    """The same weights in PyTorch, with packed sequences: logits, weights, loss and every gradient, to 1e-10."""
    with np.load(DATA / f"seq2seq_{case}.npz") as file:
        data = dict(file)
    model = made(cell, **options)
    model.load_state_dict({name[6:]: x for name, x in data.items() if name.startswith("param/")})
    source, lengths, target = (data[f"in/{name}"] for name in ("source", "lengths", "target"))
    loss = model.loss(source, lengths, target)
    found = gradients(model, loss)
    counted = target != PADDING

    assert loss.item() == pytest.approx(data["loss"].item(), abs=1e-10)
    assert_allclose(model(source, lengths, target).data[counted], data["out/logits"][counted], atol=1e-10)
    if options.get("attention"):
        w = model.align(source, lengths, target).data.transpose(1, 0, 2)
        assert_allclose(w[counted], data["out/weights"].transpose(1, 0, 2)[counted], atol=1e-10)
    assert {name[5:] for name in data if name.startswith("grad/")} == set(found)
    for name, g in found.items():
        assert_allclose(g, data[f"grad/{name}"], atol=1e-10, err_msg=name)


@pytest.mark.parametrize("attention", [None, "additive"])
def test_gradients_by_the_complex_step(attention):
    """Over the lecture's GRU in both directions, which PyTorch does not have, with padding: every derivative."""
    model = made("lecture's gru", attention, bidirectional=True, encoder_size=2)
    loss = model.loss([[3, 4], [5, 0]], None, [[3, 4], [2, 0]])
    found = gradients(model, loss)

    for name, p in model.named_parameters():
        assert_allclose(found[name], complex_step(loss, p), atol=1e-10, err_msg=name)


@few
@given(models(), batches())
def test_the_loss_is_the_sum_of_its_steps(model, batch):
    """L_1 + … + L_T, the mean of -log softmax(ŷ)[target] over all tokens that are no padding."""
    source, lengths, target, ends = batch
    log_p = F.log_softmax(model(source, lengths, target)).data
    nats = [-log_p[t, i, target[t, i]] for i, n in enumerate(ends) for t in range(n)]
    losses = model.losses(source, lengths, target)

    assert [(L.name, L.t) for L in losses] == [("L", t) for t in range(1, len(target) + 1)]
    assert sum(L.item() for L in losses) == pytest.approx(np.mean(nats))
    assert model.loss(source, lengths, target).item() == pytest.approx(np.mean(nats))


def test_the_record_has_the_parts_by_their_names():
    """Encoder, decoder and attention are scopes; each step of either time has its nodes at its t."""
    loss = made("gru", "additive").loss([[3], [4], [5], [6]], None, [[3], [4], [2]])
    found = {(node.scope, node.name): [] for node in Graph(loss) if node.name}
    for node in Graph(loss):
        if node.name:
            found[node.scope, node.name].append(node.t)

    source, target = [1, 2, 3, 4], [1, 2, 3]
    for scope, name, times in [
        ("source_embedding", "x", source),
        ("encoder", "n", source),
        ("target_embedding", "x", target),
        ("decoder", "h", target),
        ("attention", "score", target),
        ("attention", "w", target),
        ("attention", "context", target),
        ("", "ŷ", target),
        ("", "L", target),
        ("", "loss", [None]),
    ]:
        assert found[scope, name] == times, (scope, name)
    assert [t for t in found["encoder", "h"] if t] == source


def test_the_last_state_of_the_encoder_starts_the_decoder():
    """As it is, where it fits: the very node.  In both directions, through tanh(W [→; ←] + b)."""
    state, _ = made("rnn").encode([[3, 4], [5, 0]])
    bridged, _ = made("rnn", bidirectional=True).encode([[3, 4], [5, 0]])

    assert (state.scope, state.name, state.t) == ("encoder", "h", 2)
    assert (bridged.name, bridged.op.name, bridged.t) == ("h", "tanh", None)


def test_the_output_starts_as_a_linear_layer_of_pytorch():
    """W_y and b_y evenly within ±1/√(hidden + context)."""
    model = made("gru", "dot", encoder_size=5)
    largest = max(abs(model.W_y.data).max(), abs(model.b_y.data).max())

    assert 0.9 / np.sqrt(10) < largest <= 1 / np.sqrt(10)


def test_float32_stays_float32():
    """Nothing widens it on the way."""
    model = made("lstm", "additive", bidirectional=True, dtype=np.float32)
    loss = model.loss([[3, 4], [5, 0]], None, [[3, 4], [2, 0]])

    assert {node.data.dtype for node in Graph(loss) if node.data.dtype.kind == "f" and node.ndim} == {np.dtype("f4")}
    assert {g.dtype for g in gradients(model, loss).values()} == {np.dtype("f4")}


def test_its_own_attention_can_be_given():
    """A module in place of a name."""
    ours = made("gru", DotAttention())

    assert ours.align([[3], [4]], None, [[3], [2]]).shape == (1, 2, 2)


@settings(max_examples=10)
@given(models(), batches())
def test_weights_go_from_one_model_to_another(model, batch):
    """A model made alike, with another seed, computes the same once it has the same state_dict."""
    source, lengths, target, _ = batch
    other = Seq2Seq(
        type(model.encoder)(
            3,
            model.encoder.hidden_size,
            model.encoder.num_layers,
            bidirectional=model.encoder.bidirectional,
            **({"form": model.encoder.form} if isinstance(model.encoder, GRU) else {}),
        ),
        type(model.decoder)(
            3, 5, model.decoder.num_layers, **({"form": model.decoder.form} if isinstance(model.decoder, GRU) else {})
        ),
        source_tokens=SOURCE_TOKENS,
        target_tokens=TARGET_TOKENS,
        attention=model.attention,
    )
    other.load_state_dict(model.state_dict())

    assert other.loss(source, lengths, target).item() == model.loss(source, lengths, target).item()


# ---- learning ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "attention", "bidirectional"), [("gru", "additive", False), ("lstm", "general", True)]
)
def test_it_learns_to_write_backwards(cell, attention, bidirectional):
    """Reversal of 2 to 4 symbols out of 4: after 120 updates, all but a few of the translations are right."""
    manual_seed(0)
    encoder = LAYERS[cell](8, 24, bidirectional=bidirectional)
    model = Seq2Seq(encoder, LAYERS[cell](8, 24), source_tokens=7, target_tokens=7, attention=attention)
    optimiser, rng = optim.Adam(model.parameters(), lr=0.02), np.random.default_rng(0)

    def draw(n):
        lengths = rng.integers(2, 5, n)
        source, target = np.zeros((4, n), int), np.zeros((5, n), int)
        for i, length in enumerate(lengths):
            source[:length, i] = rng.integers(3, 7, length)
            target[: length + 1, i] = [*source[:length, i][::-1], END]
        return source, lengths, target

    for _ in range(120):
        model.zero_grad()
        model.loss(*draw(32)).backward()
        optim.clip_grad_norm_(list(model.parameters()), 1.0)
        optimiser.step()
    source, lengths, target = draw(200)
    found = model.translate(source, lengths, beam=2)

    right = [one.tokens.tolist() == target[:n, i].tolist() for i, (one, n) in enumerate(zip(found, lengths))]
    assert np.mean(right) > 0.94


@pytest.mark.parametrize("attention", [None, "dot", "additive"])
def test_it_can_be_drawn(attention):
    """Encoder, decoder and losses are in the picture of a translation of four tokens to three."""
    svg = draw_unrolled(made("gru", attention).loss([[3], [4], [5], [6]], None, [[3], [4], [2]])).svg

    for part in ["t = 4", "loss", *["context"] * (attention is not None)]:
        assert part in svg
