"""The Transformer's layers, stacks, positions, and the models that are made of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles import complex_step
from tinygrad_seq import Graph, Tensor, manual_seed, nn, optim
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models import Vocabulary, generate
from tinygrad_seq.models.attention import LearnedPositions, SinusoidalPositions, causal_mask
from tinygrad_seq.models.search import beam, greedy
from tinygrad_seq.models.transformer import (
    Transformer,
    TransformerClassifier,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
    TransformerLM,
    TransformerTagger,
)

SEEDS = st.integers(0, 2**16)
few = settings(max_examples=10)
either_norm = pytest.mark.parametrize("norm_first", [False, True])


def encoder(seed=0, norm_first=False, **config):
    manual_seed(seed)
    layer = TransformerEncoderLayer(4, 2, 6, dropout=0.0, norm_first=norm_first, **config)
    return TransformerEncoder(layer, 2, enable_nested_tensor=False), np.random.default_rng(seed).normal(size=(5, 3, 4))


# ---- layers and stacks ---------------------------------------------------------------


@either_norm
@few
@given(seed=SEEDS, t=st.integers(1, 4))
def test_an_encoder_that_may_not_see_the_future_does_not(norm_first, seed, t):
    """What comes in from t on changes nothing before it, and gets no gradient from there."""
    model, x = encoder(seed, norm_first)
    other = np.concatenate([x[:t], np.random.default_rng(seed + 1).normal(size=x[t:].shape)])
    x = Tensor(x, requires_grad=True)
    y = model(x, is_causal=True)
    (y[:t] * y[:t]).sum().backward()

    assert_allclose(model(other, is_causal=True).data[:t], y.data[:t], rtol=0, atol=1e-12)
    assert (x.grad[t:] == 0).all()
    assert_allclose(model(x, mask=causal_mask(5)).data, y.data, rtol=0, atol=1e-13)


@either_norm
@few
@given(seed=SEEDS)
def test_without_positions_an_encoder_is_equivariant(norm_first, seed):
    """Rows in another order come out in that order."""
    model, x = encoder(seed, norm_first)
    order = np.random.default_rng(seed).permutation(5)

    assert_allclose(model(x[order]).data, model(x).data[order], rtol=0, atol=1e-11)


@either_norm
@few
@given(seed=SEEDS)
def test_masked_padding_is_cut_off(norm_first, seed):
    """A sequence that ends early gives what it gives alone: values and gradients of the weights."""
    model, x = encoder(seed, norm_first)
    padding = np.zeros((3, 5), bool)
    padding[:, 3:] = True
    y = model(x, src_key_padding_mask=padding)[:3]
    (y * y).sum().backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    short = model(x[:3])
    (short * short).sum().backward()

    assert_allclose(y.data, short.data, rtol=0, atol=1e-12)
    for p, expected in zip(model.parameters(), gradients, strict=True):
        assert_allclose(p.grad, expected, rtol=0, atol=1e-10)


@either_norm
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("filling", [np.nan, np.inf])
def test_padding_that_is_not_finite_is_read_as_zeros(norm_first, batch_first, filling):
    """Encoder and decoder: no result outside of the padding, and no gradient, is touched; finite padding is kept."""
    manual_seed(0)
    model = Transformer(4, 2, 2, 2, 6, dropout=0.0, norm_first=norm_first, batch_first=batch_first)
    numbers = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    padding = np.arange(5) >= np.array([[5], [2], [3]])
    masks = {f"{name}_key_padding_mask": padding for name in ("src", "tgt", "memory")}
    results = []
    for number in (0.0, filling):
        src, tgt = np.where(padding[..., None], number, numbers)
        model.zero_grad()
        y = model(src, tgt, **masks) if batch_first else model(src.swapaxes(0, 1), tgt.swapaxes(0, 1), **masks)
        y = (y if batch_first else y.swapaxes(0, 1))[~padding]
        (y * y).sum().backward()
        results.append([y.data, *(p.grad for p in model.parameters())])

    for expected, found in zip(*results, strict=True):
        assert_array_equal(found, expected)


@either_norm
@pytest.mark.parametrize("activation", ["relu", "gelu", F.tanh])
def test_gradients_are_the_complex_step(norm_first, activation):
    """Of a decoder layer with masks, by its input, its memory and every parameter, to 1e-10."""
    manual_seed(0)
    rng = np.random.default_rng(0)
    layer = TransformerDecoderLayer(2, 1, 3, dropout=0.0, activation=activation, norm_first=norm_first)
    for p in layer.parameters():
        p.data = p.data + rng.normal(size=p.shape) / 4
    tgt, memory = (Tensor(rng.normal(size=(n, 2, 2)), requires_grad=True) for n in (3, 2))
    padding = np.array([[False, False], [False, True]])
    y = layer(tgt, memory, tgt_is_causal=True, memory_key_padding_mask=padding)
    loss = (y * rng.normal(size=y.shape)).sum()
    loss.backward()

    for leaf in (tgt, memory, *layer.parameters()):
        assert_allclose(leaf.grad, complex_step(loss, leaf), rtol=1e-9, atol=1e-10)


@either_norm
@few
@given(seed=SEEDS, first=st.integers(1, 4))
def test_reading_in_parts_is_reading_at_once(norm_first, seed, first):
    """extend gives for later rows what the whole gives: the keys and values of the earlier ones are kept."""
    model, x = encoder(seed, norm_first)
    x = Tensor(x)
    whole = model(x, is_causal=True)
    start, past = model.extend(x[:first])
    end, _ = model.extend(x[first:], past)

    assert_allclose(np.concatenate([start.data, end.data]), whole.data, rtol=0, atol=1e-12)


@either_norm
@few
@given(seed=SEEDS, first=st.integers(1, 4))
def test_writing_in_parts_is_writing_at_once(norm_first, seed, first):
    """The decoder's extend, too, with padding in the source."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = TransformerDecoder(TransformerDecoderLayer(4, 2, 6, dropout=0.0, norm_first=norm_first), 2, nn.LayerNorm(4))
    tgt, memory = Tensor(rng.normal(size=(5, 3, 4))), Tensor(rng.normal(size=(6, 3, 4)))
    blocked = np.arange(6) >= np.array([[6], [2], [4]])
    whole = model(tgt, memory, tgt_is_causal=True, memory_key_padding_mask=blocked)
    memories = model.memories(memory)
    start, past = model.extend(tgt[:first], None, memories, blocked[:, None, None])
    end, _ = model.extend(tgt[first:], past, memories, blocked[:, None, None])

    assert_allclose(np.concatenate([start.data, end.data]), whole.data, rtol=0, atol=1e-12)


def test_the_record_of_a_transformer():
    """Scores, weights and contexts of every attention, in the scope of its layer."""
    manual_seed(0)
    model = Transformer(4, 2, 1, 2, 6, dropout=0.0)
    record = Graph(model(np.ones((3, 2, 4)), np.ones((2, 2, 4)), tgt_is_causal=True))
    places = [
        "encoder/layers/0/self_attn",
        "decoder/layers/0/self_attn",
        "decoder/layers/0/multihead_attn",
        "decoder/layers/1/self_attn",
        "decoder/layers/1/multihead_attn",
    ]

    for name in ("score", "w", "context"):
        assert [node.scope for node in record.named(name)] == places
    assert record.named("w")[2].shape == (2, 2, 2, 3)


def test_copies_start_alike_and_learn_apart():
    """The layers of a stack are copies; Transformer starts all of its matrices anew, by Xavier."""
    manual_seed(0)
    layer = TransformerEncoderLayer(4, 2, 6)
    stack = TransformerEncoder(layer, 2)
    first, second = stack.layers
    model = Transformer(4, 2, 2, 1, 6)

    assert_array_equal(first.linear1.weight.data, second.linear1.weight.data)
    assert first.linear1.weight is not second.linear1.weight
    assert not np.array_equal(model.encoder.layers[0].linear1.weight.data, model.encoder.layers[1].linear1.weight.data)
    assert np.abs(model.encoder.layers[0].linear1.weight.data).max() < np.sqrt(6 / 10)


def test_dropout_is_for_training_alone():
    """PyTorch's default of 0.1 makes noise in training, none after eval()."""
    manual_seed(0)
    model, x = Transformer(4, 2, 1, 1, 6, dropout=0.5), np.ones((3, 2, 4))
    noisy = [model(x, x).data for _ in range(2)]
    model.eval()
    quiet = [model(x, x).data for _ in range(2)]

    assert np.abs(noisy[0] - noisy[1]).max() > 1e-3
    assert_array_equal(quiet[0], quiet[1])


def test_custom_encoder_and_decoder():
    """Modules of one's own take their places."""
    manual_seed(0)

    class Same(nn.Module):
        def forward(self, x, *rest):
            return x

    x = Tensor(np.ones((3, 2, 4)))

    assert Transformer(4, 2, custom_encoder=Same(), custom_decoder=Same())(x, x) is x


def test_the_mask_is_of_booleans():
    """True is blocked; PyTorch's own floats mean the same here."""
    model, x = encoder()
    mask = Transformer.generate_square_subsequent_mask(5)

    assert_array_equal(mask, causal_mask(5))
    assert_allclose(model(x, np.where(mask, -np.inf, 0.0)).data, model(x, mask).data, rtol=0, atol=1e-13)


# ---- positions -----------------------------------------------------------------------


@pytest.mark.parametrize("positions", [LearnedPositions(9, 4), SinusoidalPositions(4)])
def test_positions_go_on_from_a_start(positions):
    """Added in parts they are what they are at once."""
    x = Tensor(np.ones((7, 2, 4)))
    whole = positions(x).data

    assert_array_equal(np.concatenate([positions(x[:3]).data, positions(x[3:], 3).data]), whole)
    assert np.abs(whole[0] - whole[1]).max() > 0


# ---- the language model --------------------------------------------------------------


def language_model(seed=0, **config):
    manual_seed(seed)
    model = TransformerLM(7, 8, 2, 2, 12, 10, **config)
    return model, np.random.default_rng(seed).integers(0, 7, (10, 3))


@pytest.mark.parametrize("config", [{}, {"positions": "sinusoidal"}, {"norm_first": False}])
@few
@given(seed=SEEDS)
def test_token_by_token_is_all_at_once(config, seed):
    """With the cache of keys and values each step gives the logits of the parallel form to 1e-12, and gradients."""
    model, tokens = language_model(seed, **config)
    whole = model(tokens)
    (whole * whole).sum().backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    found = list(model.unroll(tokens))
    stepped = F.stack([y for _, y, _ in found])
    (stepped * stepped).sum().backward()

    assert [t for t, _, _ in found] == list(range(1, 11))
    assert_allclose(stepped.data, whole.data, rtol=0, atol=1e-12)
    for p, expected in zip(model.parameters(), gradients, strict=True):
        assert_allclose(p.grad, expected, rtol=1e-9, atol=1e-10)


def test_a_step_computes_one_row():
    """A new token is one row in every product: what was read is not computed again."""
    model, tokens = language_model()
    *_, (_, _, state) = model.unroll(tokens[:6])
    ((t, y, after),) = model.unroll(tokens[6:7], state)
    new = [node for node in Graph(y) if node.t == 7 and node.op and node.op.name == "affine"]

    assert t == y.t == after.length == 7
    assert {node.shape[0] for node in new} == {1, 3}  # time in the layers, the batch in the output
    assert state.past[0].length == 6
    assert after.past[0].length == 7


def test_a_state_goes_with_its_batch():
    """A state of three rows is refused for two; its rows can be chosen."""
    model, tokens = language_model()
    *_, (_, _, state) = model.unroll(tokens[:3])
    rows = np.array([2, 0])
    ((_, y, _),) = model.unroll(tokens[3:4, rows], state.select(rows))

    assert_allclose(y.data, model(tokens[:4]).data[3, rows], rtol=0, atol=1e-12)
    with pytest.raises(ShapeError, match="the state is of 3 rows, got tokens for 2"):
        list(model.unroll(tokens[3:4, rows], state))
    with pytest.raises(DataError, match="prompts of one length"):
        model.start(tokens, [10, 3, 2])


def test_each_token_of_an_unroll_knows_its_time():
    """x, w and ŷ of step t stand at t."""
    model, tokens = language_model()
    *_, (_, y, _) = model.unroll(tokens[:3])

    assert [node.t for node in Graph(y).named("x")] == [1, 2, 3]
    assert {node.scope for node in Graph(y).named("w")} == {f"encoder/layers/{i}/self_attn" for i in range(2)}


@few
@given(seed=SEEDS, t=st.integers(1, 9))
def test_a_language_model_does_not_see_the_future(seed, t):
    """Other tokens from t on change no logits before t."""
    model, tokens = language_model(seed)
    other = tokens.copy()
    other[t:] = (other[t:] + 1) % 7

    assert_allclose(model(other).data[:t], model(tokens).data[:t], rtol=0, atol=1e-12)


def test_a_sequence_without_a_batch():
    """(T) tokens give (T, classes), in both forms, and one loss."""
    model, tokens = language_model()
    alone = model(tokens[:, 1])

    assert_allclose(alone.data, model(tokens).data[:, 1], rtol=0, atol=1e-12)
    assert_allclose(np.stack([y.data for _, y, _ in model.unroll(tokens[:, 1])]), alone.data, rtol=0, atol=1e-12)
    assert model.loss(tokens[:, 1], tokens[:, 2]).shape == ()


def test_the_loss_is_the_mean_over_what_counts():
    """In nats; the target to ignore counts for nothing."""
    model, tokens = language_model(ignore_index=6)
    targets = np.where(tokens == 0, 6, tokens)
    logp = F.log_softmax(model(tokens)).data
    each = -np.take_along_axis(logp, targets[..., None], -1)[..., 0]

    assert model.loss(tokens, targets).item() == pytest.approx(each[targets != 6].mean())


def test_it_learns_hello_and_spells_it():
    """The table's row: a causal Transformer of D=16, 4 heads, 2 layers learns HELLO in a few updates."""
    letters = Vocabulary.characters("HELLO")
    tokens, targets = letters.encode("HELL"), letters.encode("ELLO")
    manual_seed(0)
    model = TransformerLM(4, 16, 4, 2, max_length=5)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(tokens, targets).backward()
        optimizer.step()

    assert letters.decode(model(tokens).argmax(-1)) == "ELLO"
    assert model.loss(tokens, targets).item() < 0.05
    assert letters.decode(generate(model, letters.encode("H"), 4, temperature=0)) == "ELLO"


def test_search_goes_on_from_a_prompt():
    """Greedy search is generating with temperature 0; a beam finds what is at least as likely."""
    model, tokens = language_model()
    prompt = tokens[:4]
    found = greedy(model, prompt, begin=prompt[-1], end=None, max_length=5)
    best = beam(model, prompt, begin=prompt[-1], end=None, max_length=5, width=4)
    for b in range(3):
        read = np.concatenate([prompt[:, b], found[b].tokens])[:-1]
        logp = F.log_softmax(model(read)).data[3:]
        assert found[b].tokens.tolist() == list(generate(model, prompt[:, b], 5, temperature=0))
        assert found[b].log_probability == pytest.approx(logp.max(axis=-1).sum(), abs=1e-10)
        assert best[b][0].log_probability >= found[b].log_probability - 1e-12


# ---- classifier, tagger --------------------------------------------------------------


READERS = {
    "tokens": lambda kind, **config: kind(3, 8, 2, 1, max_length=6, num_tokens=5, **config),
    "vectors": lambda kind, **config: kind(3, 8, 2, 1, positions="sinusoidal", input_size=2, **config),
}


def reading(seed, inputs):
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    return rng.integers(0, 5, (6, 4)) if inputs == "tokens" else rng.normal(size=(6, 4, 2)), [6, 1, 3, 5]


@pytest.mark.parametrize("inputs", READERS)
@pytest.mark.parametrize("kind", [TransformerClassifier, TransformerTagger])
@few
@given(seed=SEEDS)
def test_padding_changes_no_loss_and_no_gradient(kind, inputs, seed):
    """Bit for bit, whatever stands there: tokens that there are not, NaN, infinity; also targets out of range."""
    xs, lengths = reading(seed, inputs)
    model = READERS[inputs](kind)
    padded = np.arange(6)[:, None] >= np.array(lengths)
    targets = np.ones(4, int) if kind is TransformerClassifier else np.where(padded, 99, 1)
    results = []
    for filling in (0, 77) if inputs == "tokens" else (0.0, np.nan, np.inf):
        model.zero_grad()
        loss = model.loss(np.where(padded if inputs == "tokens" else padded[..., None], filling, xs), targets, lengths)
        loss.backward()
        results.append([loss.data, *(p.grad for p in model.parameters())])

    assert np.isfinite(results[0][0])
    for found in results[1:]:
        for expected, array in zip(results[0], found, strict=True):
            assert_array_equal(array, expected)


@pytest.mark.parametrize("inputs", READERS)
@few
@given(seed=SEEDS)
def test_a_row_does_not_know_its_batch_nor_its_padding(inputs, seed):
    """Each sequence alone, as long as it is, gives what it gives among others."""
    xs, lengths = reading(seed, inputs)
    classifier, tagger = READERS[inputs](TransformerClassifier), READERS[inputs](TransformerTagger)
    classes, tags = classifier(xs, lengths).data, tagger(xs, lengths).data
    for b, length in enumerate(lengths):
        assert_allclose(classifier(xs[:length, b : b + 1]).data[0], classes[b], rtol=0, atol=1e-11)
        assert_allclose(tagger(xs[:length, b : b + 1]).data[:, 0], tags[:length, b], rtol=0, atol=1e-11)


def test_what_it_predicts():
    """The most likely class of a sequence, or of each step; the numbers of a regression."""
    xs, lengths = reading(0, "vectors")
    classifier, tagger = READERS["vectors"](TransformerClassifier), READERS["vectors"](TransformerTagger)
    regression = TransformerClassifier(1, 8, 2, 1, positions="sinusoidal", input_size=2, regression=True)
    y = regression(xs, lengths).data

    assert_array_equal(classifier.predict(xs, lengths), classifier(xs, lengths).data.argmax(-1))
    assert_array_equal(tagger.predict(xs, lengths), tagger(xs, lengths).data.argmax(-1))
    assert_array_equal(regression.predict(xs, lengths), y)
    assert regression.loss(xs, np.zeros(4), lengths).item() == pytest.approx((y**2).mean())
    assert regression.loss(xs, np.zeros((4, 1)), lengths).item() == pytest.approx((y**2).mean())


def test_a_causal_tagger_does_not_see_the_future():
    """Where it may not look ahead, later tokens change nothing before them; where it may, they do."""
    xs, _ = reading(0, "tokens")
    other = xs.copy()
    other[4:] = (other[4:] + 1) % 5
    for causal in (True, False):
        model = READERS["tokens"](TransformerTagger, causal=causal)
        same = np.allclose(model(other).data[:4], model(xs).data[:4], rtol=0, atol=1e-12)

        assert same == causal


# ---- bad input -----------------------------------------------------------------------

TOKENS = np.zeros((6, 4), int)


def tagger(xs, lengths=None):
    return READERS["tokens"](TransformerTagger)(xs, lengths)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: TransformerEncoderLayer(6, 4), DataError, "multiple of num_heads"),
        (lambda: TransformerEncoderLayer(4, 2, activation="relo"), DataError, '"relu", "gelu" or a function'),
        (lambda: TransformerEncoderLayer(4, 2)(np.ones((5, 3, 6))), ShapeError, r"\(T, batch, 4\), or \(T, 4\), got"),
        (lambda: Transformer(4, 2)(np.ones((5, 3, 4)), np.ones((5, 2, 4))), ShapeError, "same batch, along axis 1"),
        (lambda: LearnedPositions(4, 2)(np.ones((5, 1, 2))), SequenceError, "max_length=4 steps, got a sequence of 5"),
        (lambda: language_model()[0](np.zeros((11, 1), int)), SequenceError, "max_length=10 .* sequence of 11"),
        (lambda: list(generate(language_model()[0], np.zeros(9, int), 5)), SequenceError, "sequence of 11"),
        (lambda: language_model()[0]([[7]]), IndexError, "7 is out of range|index 7 is not one of the 7"),
        (lambda: language_model()[0]([[-1]]), IndexError, "index -1 is not one of the 7"),
        (lambda: language_model()[0]([]), SequenceError, "at least one step"),
        (lambda: language_model()[0](np.zeros((3, 0), int)), SequenceError, "at least one"),
        (lambda: language_model()[0]([[0.5]]), ShapeError, r"tokens \(T, batch\), integers, got float64"),
        (lambda: language_model()[0].loss(TOKENS, TOKENS[:5]), ShapeError, r"target for each token, shape \(6, 4\)"),
        (lambda: language_model()[0].begin(TOKENS), ShapeError, r"one prompt of shape \(T\)"),
        (lambda: TransformerLM(7, 8, 2, 1, positions="rotary"), DataError, '"learned" or "sinusoidal", got .rotary'),
        (lambda: TransformerLM(7, 8, 2, 1), DataError, "need a max_length"),
        (lambda: TransformerTagger(3, 8, 2, 1, max_length=6), DataError, "one of num_tokens and input_size"),
        (lambda: tagger(np.zeros((6, 4, 2))), ShapeError, r"reads tokens \(T, batch\)"),
        (lambda: READERS["vectors"](TransformerTagger)(TOKENS), ShapeError, r"reads vectors \(T, batch, 2\)"),
        (lambda: READERS["vectors"](TransformerTagger)(np.ones((6, 4, 3))), ShapeError, r"\(6, 4, 3\)"),
        (lambda: tagger(TOKENS, [6, 6]), ShapeError, "one length for each sequence"),
        (lambda: tagger(TOKENS, [6, 6, 7, 1]), ShapeError, "has length 7, the data has 6"),
        (lambda: tagger(TOKENS, [6, 6, 0, 1]), SequenceError, "all padding"),
        (lambda: READERS["tokens"](TransformerTagger).loss(TOKENS, TOKENS[:3]), ShapeError, "a target for each step"),
        (lambda: READERS["tokens"](TransformerClassifier).loss(TOKENS, [0.5] * 4), DtypeError, "integers as labels"),
        (lambda: READERS["tokens"](TransformerClassifier).loss(TOKENS, [0] * 3), ShapeError, "labels of shape"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """Each with an error of its own kind that says what was expected, and what was given."""
    with pytest.raises(error, match=says):
        call()
