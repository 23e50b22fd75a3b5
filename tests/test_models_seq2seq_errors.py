"""Seq2seq refuses what does not fit, and says what and where."""

import numpy as np
import pytest

from seq2seq_models import LENGTHS, SOURCE, TARGET, made
from tinygrad_seq import nn
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models import GRU, LSTM, Seq2Seq


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
