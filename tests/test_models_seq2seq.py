"""Seq2seq over every cell: what it computes, what padding must not change, what it learns, what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from oracles import complex_step
from strategies import examples
from tinygrad_seq import Graph, manual_seed, nn, optim
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models import GRU, LSTM, RNN, DotAttention, Seq2Seq, beam
from tinygrad_seq.rng import generator
from tinygrad_seq.viz import draw_unrolled

DATA = Path(__file__).parent / "data"
SOURCE_TOKENS, TARGET_TOKENS = 7, 6
PADDING, BEGIN, END = 0, 1, 2

LAYERS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "lecture's gru": lambda *sizes, **options: GRU(*sizes, form="lecture", **options),
}
KINDS = [None, "dot", "scaled_dot", "general", "additive"]


def made(cell="gru", attention=None, *, layers=1, bidirectional=False, encoder_size=5, seed=0, dtype=None, **options):
    manual_seed(seed)
    encoder = LAYERS[cell](3, encoder_size, layers, bidirectional=bidirectional, dtype=dtype)
    decoder = LAYERS[cell](3, 5, layers, dtype=dtype)
    return Seq2Seq(
        encoder, decoder, source_tokens=SOURCE_TOKENS, target_tokens=TARGET_TOKENS, attention=attention, **options
    )


@st.composite
def models(draw, kinds=KINDS):
    """Every cell, kind of attention, one or two layers, one or both directions."""
    attention, bidirectional = draw(st.sampled_from(kinds)), draw(st.booleans())
    if attention in ("dot", "scaled_dot"):
        bidirectional = False  # the states of two directions are of another size than the decoder's
    size = 5 if attention in ("dot", "scaled_dot") else draw(st.sampled_from([4, 5]))
    return made(
        draw(st.sampled_from([*LAYERS])),
        attention,
        layers=draw(st.integers(1, 2)),
        bidirectional=bidirectional,
        encoder_size=size,
        seed=draw(st.integers(0, 2**16)),
    )


def padded(rng, lengths, first, count):
    """Random tokens (steps, batch) of these lengths, from `first` on."""
    table = rng.integers(first, count, (max(lengths), len(lengths)))
    table[np.arange(max(lengths))[:, None] >= np.array(lengths)] = PADDING
    return table


@st.composite
def batches(draw):
    """(source, lengths, target, the lengths of the targets)."""
    rng, n = np.random.default_rng(draw(st.integers(0, 2**16))), draw(st.integers(1, 3))
    lengths, ends = (draw(st.lists(st.integers(1, 4), min_size=n, max_size=n)) for _ in range(2))
    return padded(rng, lengths, 1, SOURCE_TOKENS), np.array(lengths), padded(rng, ends, 2, TARGET_TOKENS), ends


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.copy() for name, p in model.named_parameters()}


few = examples(15)

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


# ---- teacher forcing -----------------------------------------------------------------


def tokens_read(loss):
    """What the decoder read at each step, (T, batch), and what it found most likely, (T, batch)."""
    graph = Graph(loss)
    read = [node.fixed["indices"] for node in graph.named("x") if node.scope == "target_embedding"]
    return np.array(read), np.array([y.data.argmax(axis=-1) for y in graph.named("ŷ")])


@few
@given(models(), batches(), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_decoder_reads_the_target_or_its_own(model, batch, share):
    """First the begin token, then at each step the target before it, or its own choice; of its own nothing else."""
    source, lengths, target, _ = batch
    model.teacher_forcing = share
    read, own = tokens_read(model.loss(source, lengths, target))
    given_ = np.where(target == PADDING, BEGIN, target)

    assert (read[0] == BEGIN).all()
    if share == 1:
        assert (read[1:] == given_[:-1]).all()
    elif share == 0:
        assert (read[1:] == own[:-1]).all()
    else:
        assert ((read[1:] == given_[:-1]) | (read[1:] == own[:-1])).all()


def test_a_share_of_the_tokens_is_told():
    """Of 2,000 tokens, each drawn for by itself, about the share; and the same ones again with the same seed."""
    rng = np.random.default_rng(0)
    source, target = rng.integers(1, SOURCE_TOKENS, (1, 200)), np.full((11, 200), 3)
    model = made(teacher_forcing=0.3)
    model.b_y.data = np.array([0, 0, 0, -99.0, 0, 0])  # it would never write a 3 of its own
    manual_seed(1)
    first, _ = tokens_read(model.loss(source, None, target))
    manual_seed(1)
    again, _ = tokens_read(model.loss(source, None, target))

    told = first[1:] == 3
    assert told.mean() == pytest.approx(0.3, abs=0.03)
    assert 0 < told[5].mean() < 1
    assert 0 < told[:, 7].mean() < 1
    assert (first == again).all()


def test_it_is_all_told_when_it_does_not_train():
    """A validation loss is that of teacher forcing, and draws nothing; nor does training with all told."""
    source, target = [[3], [4]], [[3], [4], [5], [2]]
    told = made().loss(source, None, target).item()
    model = made(teacher_forcing=0.0)
    before = generator().bit_generator.state
    model.eval()

    assert model.loss(source, None, target).item() == told
    model.train().teacher_forcing = 1
    assert model.loss(source, None, target).item() == told
    assert generator().bit_generator.state == before


def test_a_choice_passes_no_gradient():
    """With its own choices read, the gradient is that of the loss with those tokens told."""
    model = made("gru", "dot", teacher_forcing=0.0, seed=3)
    source, target = [[3], [4]], np.array([[3], [4], [5], [2]])
    loss = model.loss(source, None, target)
    read, _ = tokens_read(loss)
    own = gradients(model, loss)
    model.teacher_forcing = 1.0
    logits = model(source, None, np.concatenate([read[1:], [[END]]]))
    told = gradients(model, F.cross_entropy(logits[:, 0], target[:, 0]))

    for name, g in own.items():
        assert_allclose(g, told[name], atol=1e-12, err_msg=name)


def test_where_it_looks_is_asked_of_a_known_target():
    """align tells the decoder the whole target, also a model that trains on its own choices."""
    model = made("gru", "dot")
    expected = model.align([[3], [4]], None, [[3], [4], [5], [2]]).data
    model.teacher_forcing = 0.0

    assert_allclose(model.align([[3], [4]], None, [[3], [4], [5], [2]]).data, expected, rtol=0)


# ---- translating ---------------------------------------------------------------------


@few
@given(models(), batches(), st.integers(1, 4))
def test_what_is_found_is_as_likely_as_in_training(model, batch, width):
    """The log-probability of a hypothesis is -Σ L_t of it as a target: the step of search is the step of training."""
    source, lengths, _, _ = batch
    found = beam(
        model, source, lengths, width=width, n_best=width, begin=BEGIN, end=END, max_length=4, length_penalty=0.5
    )
    for i, hypotheses in enumerate(found):
        for one in hypotheses:
            tokens = [*one.tokens, END][: len(one.tokens) + one.ended]
            if PADDING not in tokens:  # which as a target would not count
                log_p = F.log_softmax(model(source[: lengths[i], [i]], None, np.array(tokens)[:, None])).data[:, 0]
                assert one.log_probability == pytest.approx(sum(log_p[t, k] for t, k in enumerate(tokens)))


@few
@given(models(), batches())
def test_translating_is_greedy_search_source_by_source(model, batch):
    """beam=1 is greedy: at each step the most likely; all at once or one by one, with padding or without."""
    source, lengths, _, _ = batch
    together = model.translate(source, lengths, max_length=5)
    wide = beam(model, source, lengths, width=1, begin=BEGIN, end=END, max_length=5)

    for i, found in enumerate(together):
        alone, = model.translate(source[: lengths[i], [i]], max_length=5)
        assert found.tokens.tolist() == alone.tokens.tolist() == wide[i][0].tokens.tolist()
        assert found.log_probability == pytest.approx(alone.log_probability)
        assert found.log_probability == wide[i][0].log_probability
        written = [*found.tokens, END][: len(found.tokens) + found.ended]
        model.teacher_forcing = 0.0
        _, own = tokens_read(model.loss(source[: lengths[i], [i]], None, np.full((len(written), 1), END)))
        model.teacher_forcing = 1.0
        assert own[:, 0].tolist() == written


@few
@given(models(), batches(), st.integers(2, 4))
def test_a_beam_does_not_mix_up_its_sources(model, batch, width):
    """The n best of each source, all at once, are those of the source alone: best first, and all different."""
    source, lengths, _, _ = batch
    options = {"width": width, "n_best": width, "begin": BEGIN, "end": END, "max_length": 4}
    for i, found in enumerate(beam(model, source, lengths, **options)):
        alone, = beam(model, source[: lengths[i], [i]], **options)
        assert_allclose([one.score for one in found], [one.score for one in alone])
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
        assert len({(tuple(one.tokens), one.ended) for one in found}) == len(found)
        assert model.translate(source, lengths, beam=width, max_length=4)[i].score == pytest.approx(found[0].score)


@pytest.mark.parametrize("index", [[1, 1], [1, 0], [1], [0, 0, 1]])
def test_a_state_is_selected_by_rows(index):
    """Some left out, some twice, in another order: each goes on as it would have alone."""
    model = made("lstm", "additive", layers=2)
    state = model.start(SOURCE, LENGTHS)
    _, state = model.step(np.array([1, 1]), model.select(state, np.array([0, 1])))
    all_rows, _ = model.step(np.array([4, 5]), state)
    some, _ = model.step(np.array([4, 5])[index], model.select(state, np.array(index)))

    assert_allclose(some.data, all_rows.data[index], atol=1e-12)


def test_a_translation_ends_by_itself_or_is_cut():
    """By default after twice the source and ten, however much padding it has."""
    model = made()
    model.b_y.data = np.array([0, 0, -99.0, 0, 0, 99.0])
    endless, = model.translate([[3], [4], [0], [0]])
    model.b_y.data = np.array([0, 0, 99.0, 0, 0, 0])
    empty, = model.translate([[3], [4]])

    assert (endless.tokens.tolist(), endless.ended) == ([5] * 14, False)
    assert (empty.tokens.tolist(), empty.ended) == ([], True)


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


# ---- bad input -----------------------------------------------------------------------

SOURCE, LENGTHS, TARGET = np.array([[3, 4], [5, 0], [6, 0]]), [3, 1], np.array([[3, 4], [2, 2]])


@pytest.mark.parametrize(
    ("source", "lengths", "target", "error", "says"),
    [
        (SOURCE, [3, 0], TARGET, SequenceError, "number 1 has length 0"),
        (SOURCE, [4, 1], TARGET, ShapeError, "number 0 has length 4, the data has 3"),
        (SOURCE, [3, 1, 1], TARGET, ShapeError, "one length for each"),
        (SOURCE, [3.0, 1.0], TARGET, DtypeError, "lengths are integers"),
        (SOURCE, [3, 2], TARGET, DataError, r"source number 1 has length 2, but padding \(0\) at t=2"),
        (SOURCE * [1, 0], None, TARGET, SequenceError, "number 1 .*all padding"),
        (SOURCE * [1, 0], LENGTHS, TARGET, DataError, "source number 1 has length 1, but padding"),
        (SOURCE[::-1], None, TARGET, DataError, "padding that does not stand at the end"),
        (SOURCE[:, :0], [], TARGET, SequenceError, "the source is empty"),
        (SOURCE[:0], [], TARGET, SequenceError, "the source is empty"),
        (SOURCE[:, 0], [3], TARGET, ShapeError, r"source\[:, None\] is a batch of one"),
        (SOURCE * 1.0, LENGTHS, TARGET, DtypeError, "the source must be tokens"),
        ([[3, 4], [5]], LENGTHS, TARGET, DataError, "rows of equal length"),
        (SOURCE + SOURCE, LENGTHS, TARGET, IndexError, r"source token 8 \(at t=1, in number 1\) is not one of 7"),
        (SOURCE, LENGTHS, TARGET[:, :1], ShapeError, "a target for each source"),
        (SOURCE, LENGTHS, TARGET[:0], SequenceError, "the target is empty"),
        (SOURCE, LENGTHS, TARGET * [1, 0], SequenceError, "target.* number 1 .*all padding"),
        (SOURCE, LENGTHS, TARGET + 3, IndexError, "target token 6"),
        (SOURCE, LENGTHS, -TARGET, IndexError, "target token -3"),
        (SOURCE, LENGTHS, TARGET * 1.0, DtypeError, "the target must be tokens"),
        (SOURCE, LENGTHS, np.array([[3, 0], [2, 2]]), DataError, "target number 1 has length 2, but padding"),
    ],
)
@pytest.mark.parametrize("attention", [None, "dot"])
def test_data_that_does_not_fit_is_refused(attention, source, lengths, target, error, says):
    """In training and, where it concerns the source, in translating: what is wrong, and in which sequence."""
    model = made("gru", attention)
    with pytest.raises(error, match=says):
        model.loss(source, lengths, target)
    if target is TARGET:
        with pytest.raises(error, match=says):
            model.translate(source, lengths)
        with pytest.raises(error, match=says):
            model.translate(source, lengths, beam=2)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"encoder": nn.Linear(3, 4)}, DataError, "encoder must be an RNN, an LSTM or a GRU, got Linear"),
        ({"decoder": GRU(3, 4, bidirectional=True)}, DataError, "the decoder writes"),
        ({"decoder": GRU(3, 4, num_layers=2)}, DataError, "num_layers=1 and 2"),
        ({"decoder": LSTM(3, 4)}, DataError, "the state of GRU cannot start LSTM"),
        ({"decoder": GRU(3, 4, dtype=np.float32)}, DataError, "one dtype, got float64 and float32"),
        ({"source_tokens": 0}, DataError, "source_tokens must be a positive integer"),
        ({"begin": 6}, DataError, "begin must be one of 6 target tokens, got 6"),
        ({"end": -1}, DataError, "end must be one of 6 target tokens"),
        ({"end": 1}, DataError, "three tokens, got 0, 1 and 1"),
        ({"teacher_forcing": 1.5}, DataError, "teacher_forcing must be a share from 0 to 1, got 1.5"),
        ({"teacher_forcing": "all"}, DataError, "teacher_forcing must be a share"),
        ({"attention": "addtive"}, DataError, "did you mean 'additive'"),
        ({"attention": "dot", "decoder": GRU(3, 5)}, DataError, "one size, got 5 and 4"),
    ],
)
def test_parts_that_do_not_fit_are_refused(options, error, says):
    """When the model is made, not when it is first used."""
    good = {"encoder": GRU(3, 4), "decoder": GRU(3, 4), "source_tokens": 7, "target_tokens": 6}
    with pytest.raises(error, match=says):
        Seq2Seq(**{**good, **options})


def test_encoder_and_decoder_are_two_layers():
    """One for both would share its weights silently."""
    layer = GRU(3, 4)
    with pytest.raises(DataError, match="make two"):
        Seq2Seq(layer, layer, source_tokens=7, target_tokens=6)


def test_what_a_model_without_attention_has_not():
    """No weights; the error says how to get some."""
    model = made()
    with pytest.raises(DataError, match="attention='dot'"):
        model.align(SOURCE, LENGTHS, TARGET)
    with pytest.raises(DataError, match="attention='dot'"):
        model(SOURCE, LENGTHS, TARGET, return_weights=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"beam": 0}, "beam must be an integer of at least 1"),
        ({"beam": -1}, "beam"),
        ({"max_length": 0}, "max_length must be"),
        ({"length_penalty": -1}, "length_penalty"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(options, says):
    """A beam of width 0 finds nothing."""
    with pytest.raises(DataError, match=says):
        made().translate(SOURCE, LENGTHS, **options)


def test_a_state_of_another_batch_is_refused():
    """Where search is done by hand."""
    model = made()
    state = model.start(SOURCE, LENGTHS)
    with pytest.raises(ShapeError, match="as many rows as there are sequences"):
        model.step(np.array([1, 1, 1]), state)


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
