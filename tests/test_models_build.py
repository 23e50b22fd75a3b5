"""Models by their names: each trains on each task that it is said to do, and what cannot be is said."""

import numpy as np
import pytest

from tinygrad_seq import manual_seed
from tinygrad_seq.errors import DataError
from tinygrad_seq.models.build import ATTENTIONS, MODELS, Build, attention_for, build, models_for
from tinygrad_seq.models.tasks import task

SMALL = {  # one task of each shape
    "next token": task("hello"),
    "many-to-one": task("order", length=10, batch=3),
    "one-to-many": task("spelling-korean", batch=3),
    "aligned": task("copy", delay=1, count=2, batch=3),
    "seq2seq": task("reversal", length=4, batch=3),
}
PAIRS = [(shape, model) for shape in SMALL for model in models_for(shape)]


def gradients(of, how):
    """The loss of a first batch, and whether each parameter gets a gradient."""
    manual_seed(0)
    model = build(of, how)
    loss = model.loss(*of.draw(np.random.default_rng(0)))
    loss.backward()
    return loss.item(), [p.grad is not None for p in model.parameters()], model


@pytest.mark.parametrize(("shape", "model"), PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_model_learns_each_task_that_it_is_named_for(shape, model, dtype):
    """A finite loss, a gradient for every parameter, all of the dtype that was asked for."""
    loss, reached, built = gradients(SMALL[shape], Build(model, hidden=8, dtype=dtype))

    assert np.isfinite(loss)
    assert all(reached)
    assert reached
    assert {p.dtype.name for p in built.parameters()} == {dtype}


@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_attention_is_taken_where_it_is_said_to_be(shape, kind):
    """With more parameters, and with a gradient for each; elsewhere it is refused, with what is possible."""
    if attention_for(shape):
        _, reached, with_attention = gradients(SMALL[shape], Build("gru", attention=kind, hidden=8))

        assert all(reached)
        assert with_attention.attention is not None
    else:
        with pytest.raises(DataError, match="has nothing to look at with attention: leave it out"):
            build(SMALL[shape], Build("gru", attention=kind))


def test_sizes_are_those_that_were_asked_for():
    """Layers, width, directions and dropout reach the recurrent layer."""
    model = build(SMALL["aligned"], Build("lstm", hidden=6, layers=2, bidirectional=True, dropout=0.5))

    assert (model.rnn.hidden_size, model.rnn.num_layers, model.rnn.bidirectional) == (6, 2, True)
    assert model.rnn.dropout == 0.5


@pytest.mark.parametrize(
    ("shape", "how", "says"),
    [
        ("seq2seq", Build("lsmt"), "did you mean 'lstm'"),
        ("seq2seq", Build("x"), "The models are rnn, lstm"),
        ("seq2seq", Build(attention="aditive"), "did you mean 'additive'"),
        ("one-to-many", Build("transformer"), "take one of rnn, lstm, gru, gru-lecture$"),
        ("aligned", Build("self-attention"), "take one of rnn, lstm, gru, gru-lecture, transformer$"),
        ("seq2seq", Build("transformer", attention="dot"), "model transformer takes no attention"),
        ("aligned", Build("transformer", bidirectional=True), "takes no bidirectional: that is for rnn"),
        ("seq2seq", Build("self-attention", layers=2), "model self-attention takes no layers"),
        ("seq2seq", Build("self-attention", dropout=0.1), "model self-attention takes no dropout"),
        ("aligned", Build("gru", heads=2), "model gru takes no heads: that is for transformer"),
        ("aligned", Build("transformer", hidden=10), "width 10 cannot have 4 heads"),
        ("next token", Build("gru", bidirectional=True), "from left to right"),
        ("one-to-many", Build("gru", bidirectional=True), "from left to right"),
        ("aligned", Build("gru", dropout=0.5), "between layers, and there is one"),
        ("aligned", Build("gru", dtype="float16"), "float32 or float64, got dtype 'float16'"),
        ("aligned", Build("gru", hidden=-1), "-1"),
    ],
)
def test_what_cannot_be_built_is_said(shape, how, says):
    """An error that names what is possible; no option is left out silently."""
    with pytest.raises(DataError, match=says):
        build(SMALL[shape], how)


def test_every_model_can_do_something():
    """None is listed in vain, and seq2seq takes all of them."""
    assert {model for _, model in PAIRS} == set(MODELS) == set(models_for("seq2seq"))
