"""From sequence to sequence by attention alone: the Transformer, and the lecture's last model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_seq import Graph, manual_seed, no_grad, optim
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.models import GRU
from tinygrad_seq.models.transformer import LectureSeq2Seq, TransformerSeq2Seq

SEEDS = st.integers(0, 2**16)
few = settings(max_examples=6)

BEGIN, END, PAD = 0, 1, 2


def transformer(**config):
    return TransformerSeq2Seq(9, 7, 8, 2, 2, max_length=8, begin=BEGIN, end=END, padding=PAD, **config)


def lecture(**config):
    return LectureSeq2Seq(9, 7, 8, max_length=8, begin=BEGIN, end=END, padding=PAD, **config)


TRANSLATORS = {
    "norm first": lambda: transformer(),
    "norm last": lambda: transformer(norm_first=False, positions="sinusoidal", num_decoder_layers=1),
    "lecture": lambda: lecture(),
    "lecture, positions": lambda: lecture(positions="learned"),
    "lecture, as written": lambda: lecture(normalize=False),
    "lecture, recurrent": lambda: lecture(encoder=GRU(8, 8), decoder=GRU(8, 8)),
}
every_translator = pytest.mark.parametrize("build", TRANSLATORS.values(), ids=TRANSLATORS)


def pairs(seed):
    """Sources of lengths 6, 2, 4 and targets of 5, 3, 2, filled up."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    source, target = rng.integers(0, 9, (6, 3)), rng.integers(3, 7, (5, 3))
    for b, n in enumerate((5, 3, 2)):
        target[n - 1, b] = END
        target[n:, b] = PAD
    return source, np.array([6, 2, 4]), target


@every_translator
@few
@given(seed=SEEDS)
def test_the_steps_of_search_are_those_of_training(build, seed):
    """start, step and select give, token by token, the log-probabilities of the forward pass, to 1e-12."""
    source, lengths, target = pairs(seed)
    model, rows = build(), np.array([2, 0, 2])
    expected = F.log_softmax(model(source, lengths, target)).data
    before = np.concatenate([np.full((1, 3), BEGIN), target[:-1]])
    with no_grad():
        state = model.start(source, lengths)
        first, state = model.step(before[0], state)
        state = model.select(state, rows)
        later = []
        for tokens in before[1:]:
            log_p, state = model.step(tokens[rows], state)
            later.append(log_p)

    assert_allclose(first, expected[0], rtol=0, atol=1e-11)
    assert_allclose(np.stack(later), expected[1:, rows], rtol=0, atol=1e-11)


@every_translator
@few
@given(seed=SEEDS)
def test_a_pair_does_not_know_its_batch_nor_its_padding(build, seed):
    """Each pair alone, without any padding, gives the logits that it gives among others."""
    source, lengths, target = pairs(seed)
    model = build()
    together = model(source, lengths, target).data
    for b, n in enumerate((5, 3, 2)):
        alone = model(source[: lengths[b], b : b + 1], None, target[:n, b : b + 1]).data

        assert_allclose(alone[:, 0], together[:n, b], rtol=1e-10, atol=1e-11)


@every_translator
def test_source_padding_reaches_no_gradient(build):
    """Bit for bit, whatever tokens stand there."""
    source, lengths, target = pairs(0)
    model = build()
    results = []
    for filling in (0, 5, -3):
        model.zero_grad()
        loss = model.loss(np.where(np.arange(6)[:, None] >= lengths, filling, source), lengths, target)
        loss.backward()
        results.append([loss.data, *(p.grad for p in model.parameters())])

    for found in results[1:]:
        for expected, array in zip(results[0], found, strict=True):
            assert_array_equal(array, expected)


@every_translator
def test_a_target_does_not_see_its_future(build):
    """Other targets from t on change no logits up to t."""
    source, lengths, target = pairs(0)
    model, other = build(), target.copy()
    other[2:] = 3

    assert_allclose(model(source, lengths, other).data[:3], model(source, lengths, target).data[:3], atol=1e-12)


@every_translator
def test_the_loss_is_the_mean_over_targets_that_are_no_padding(build):
    """In nats."""
    source, lengths, target = pairs(0)
    model = build()
    logp = F.log_softmax(model(source, lengths, target)).data
    each = -np.take_along_axis(logp, target[..., None], -1)[..., 0]

    assert model.loss(source, lengths, target).item() == pytest.approx(each[target != PAD].mean())


@every_translator
def test_translating(build):
    """Greedy search, and a beam that finds what is at least as good, for every source, alone or among others."""
    source, lengths, _ = pairs(0)
    model = build()
    found, best = model.translate(source, lengths), model.translate(source, lengths, beam=5)

    assert len(found) == len(best) == 3
    for b in range(3):
        alone = model.translate(source[: lengths[b], b : b + 1], max_length=8)[0]
        assert alone.tokens.tolist() == found[b].tokens.tolist()
        assert best[b].log_probability >= found[b].log_probability - 1e-12
        assert len(found[b].tokens) <= 8


def test_a_step_of_search_is_recorded_where_it_is_in_training():
    """The attentions of a step stand in the scopes of the forward pass."""
    source, lengths, target = pairs(0)
    model = transformer()
    state = model.start(source, lengths)
    h, _ = model.decoder.extend(model.target(target[:1]), state.past, state.memories, state.blocked)
    step, whole = Graph(h), Graph(model(source, lengths, target))

    for name in ("score", "w", "context"):
        assert {node.scope for node in step.named(name)} == {node.scope for node in whole.named(name)}


def test_where_a_transformer_looks():
    """The alignment of the last layer sums to 1 over the words that there are."""
    source, lengths, target = pairs(0)
    with no_grad():
        weights = transformer().align(source, lengths, target)

    assert weights.shape == (3, 5, 6)
    assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)
    assert (weights[1, :, 2:] == 0).all()


def reverse(rng, batch=16):
    """Four letters, and the same backwards."""
    source = rng.integers(3, 7, (4, batch))
    return source, None, np.concatenate([source[::-1], np.full((1, batch), END)])


@pytest.mark.parametrize(
    "build", [lambda: transformer(), lambda: lecture(positions="learned")], ids=["Transformer", "lecture"]
)
def test_it_learns_to_reverse(build):
    """Words of four letters, backwards: after 200 updates nearly all are right."""
    manual_seed(0)
    model, rng = build(), np.random.default_rng(0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        model.loss(*reverse(rng)).backward()
        optimizer.step()
    source, _, target = reverse(rng, 100)
    found = model.translate(source, max_length=5)

    assert np.mean([one.tokens.tolist() == target[:-1, b].tolist() for b, one in enumerate(found)]) > 0.9


def test_the_lectures_last_model_in_the_record():
    """h, h_new in the encoder, s, s_new and C_new in the decoder, each at its step; a loss for each step."""
    source, lengths, target = pairs(0)
    model = lecture()
    losses = model.losses(source, lengths, target)
    record = Graph(*losses)

    assert [(L.name, L.t) for L in losses] == [("L", t) for t in range(1, 6)]
    for names, place, T in [(("h", "h_new"), "encoder", 6), (("s", "s_new", "C_new"), "decoder", 5)]:
        for name in names:
            assert [node.t for node in record.named(name)] == list(range(1, T + 1))
            assert {node.scope.split("/")[0] for node in record.named(name)} == {place}


@pytest.mark.parametrize("positions", [None, "learned", "sinusoidal"])
def test_the_lectures_last_model_knows_order_by_positions_alone(positions):
    """Without positions the source's words in another order give the same; with them they do not."""
    source, _, target = pairs(0)
    model = lecture(positions=positions)
    same = np.allclose(model(source[::-1], None, target).data, model(source, None, target).data, rtol=0, atol=1e-10)

    assert same == (positions is None)


def test_recurrent_states_are_in_the_record_too():
    """With recurrent layers h and s are theirs, in their scopes, at their steps."""
    source, lengths, target = pairs(0)
    record = Graph(TRANSLATORS["lecture, recurrent"]().loss(source, lengths, target))
    hs = [(node.scope, node.t) for node in record.named("h") if node.t is not None]

    for place, T in (("encoder", 6), ("decoder", 5)):
        assert {t for where, t in hs if where == place} == set(range(1, T + 1))


@few
@given(seed=SEEDS)
def test_the_lectures_last_model_by_hand(seed):
    """C_t_new = Σ_i softmax_i(<s_t_new, h_i_new>) h_i_new of one pair, by loops over plain numbers."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model, source, target = lecture(), rng.integers(0, 9, 4), rng.integers(3, 7, 3)

    def mixed(s, hs):
        e = np.array([s @ h for h in hs])
        return np.exp(e) / np.exp(e).sum() @ hs

    h, s = model.source.weight.data[source], model.target.weight.data[[BEGIN, *target[:-1]]]
    h_new = np.array([mixed(h_i, h) for h_i in h])
    for t in range(3):
        s_new = mixed(s[t], s[: t + 1])
        y = np.concatenate([s_new, mixed(s_new, h_new)]) @ model.W_y.data + model.b_y.data

        assert_allclose(model(source[:, None], None, target[:, None]).data[t, 0], y, rtol=1e-10, atol=1e-12)


# ---- bad input -----------------------------------------------------------------------

TOKENS = np.zeros((6, 4), int)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: transformer().loss(TOKENS, None, TOKENS[:, :2]), ShapeError, r"\(T, batch\) for a source of batch 4"),
        (lambda: transformer().loss(TOKENS, None, np.full((3, 4), PAD)), DataError, "no mean of no losses"),
        (lambda: lecture().loss(TOKENS, None, np.full((3, 4), PAD)), DataError, "no mean of no losses"),
        (lambda: lecture().loss(TOKENS, None, TOKENS[:, :2]), ShapeError, r"\(T, batch\) for a source of shape"),
        (lambda: lecture().start(np.zeros((3, 0), int)), ShapeError, "at least one sequence"),
        (lambda: lecture(encoder=GRU(8, 4)), ShapeError, "encoder must go from 8 to 8 numbers"),
        (lambda: LectureSeq2Seq(9, 7, 8, begin=7, end=1, padding=2), DataError, "begin must be one of .*0 to 6, got 7"),
        (lambda: TransformerSeq2Seq(9, 7, 8, 2, 1, begin=0, end=-1, padding=2), DataError, "end must be one of"),
        (lambda: transformer().step([0, 0], transformer().start(TOKENS)), ShapeError, "state is of 4 rows, .* for 2"),
        (lambda: lecture().step([0, 0], lecture().start(TOKENS)), ShapeError, "state is of 4 rows, got 2"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """Each with an error of its own kind that says what was expected, and what was given."""
    with pytest.raises(error, match=says):
        call()
