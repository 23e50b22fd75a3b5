"""Seq2seq writes: what its decoder reads while it trains, and what it translates to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from seq2seq_models import BEGIN, END, LENGTHS, PADDING, SOURCE, SOURCE_TOKENS, batches, few, gradients, made, models
from tinygrad_seq import Graph, manual_seed
from tinygrad_seq import functional as F
from tinygrad_seq.models import beam
from tinygrad_seq.rng import generator

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
