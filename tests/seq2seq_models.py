"""Seq2seq models over every cell and kind of attention, batches for them, and their gradients."""

import numpy as np
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import manual_seed
from tinygrad_seq.models import GRU, LSTM, RNN, Seq2Seq

SOURCE_TOKENS, TARGET_TOKENS = 7, 6
PADDING, BEGIN, END = 0, 1, 2
SOURCE, LENGTHS, TARGET = np.array([[3, 4], [5, 0], [6, 0]]), [3, 1], np.array([[3, 4], [2, 2]])

LAYERS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "lecture's gru": lambda *sizes, **options: GRU(*sizes, form="lecture", **options),
}
KINDS = [None, "dot", "scaled_dot", "general", "additive"]

few = examples(15)


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
