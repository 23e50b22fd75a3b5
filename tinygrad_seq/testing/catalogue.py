"""All that the package has to be checked, a line each: `tinygrad-seq check` without an argument goes over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tinygrad_seq.models import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    GRUCell,
    LearnedPositions,
    LectureSeq2Seq,
    LSTMCell,
    ManyToMany,
    ManyToOne,
    MultiheadAttention,
    OneToMany,
    RNNCell,
    ScaledDotAttention,
    Seq2Seq,
    SinusoidalPositions,
    Transformer,
    TransformerClassifier,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
    TransformerLM,
    TransformerSeq2Seq,
    TransformerTagger,
    causal_mask,
    padding_mask_of,
)

from .. import nn
from ..ops import table
from ..tensor import Tensor
from .functions.gradients import gradcheck
from .layers.modules import check_module
from .layers.recurrence import check_recurrent
from .layers.trials import seeded
from .reports import Report, joined
from .rules.single import check_op
from .samples import FUNCTIONS, OPS
from .strategies import Case

__all__ = ["Entry", "entries"]

EXAMPLES = 15  # of a function


@dataclass(frozen=True)
class Entry:
    """One thing to check.  kind: "op", "function", "layer", "cell" or "model".  check: gives its report."""

    name: str
    kind: str
    check: Callable[[], Report]


def entries(*, order: int = 2, max_examples: int | None = None, seed: int = 0) -> list[Entry]:
    """Every op, function, layer, cell and model of the package, in this order, each with what checks it.

    order: of the derivatives.  max_examples: how many to draw for each op and function; by default 25 and 15.

    >>> from tinygrad_seq.testing.catalogue import entries
    >>> tanh = next(entry for entry in entries() if entry.name == "tanh")
    >>> tanh.kind, tanh.check().ok
    ('op', True)
    """
    asked = Asked(order, max_examples, seed)
    found = [Entry(name, "op", asked.op(name)) for name in OPS]
    found += [Entry(name, "function", asked.function(name, samples)) for name, samples in FUNCTIONS.items()]
    found += [Entry(name, "layer", asked.module(*line)) for name, line in LAYERS.items()]
    found += [Entry(name, "cell", asked.cell(*line)) for name, line in CELLS.items()]
    found += [Entry(name, "model", asked.module(*line)) for name, line in models()]
    return found


@dataclass(frozen=True)
class Asked:
    """How to check: what makes the check of one entry."""

    order: int
    max_examples: int | None
    seed: int

    def op(self, name: str) -> Callable[[], Report]:
        """Of an op of the table, at its line of samples."""

        def check() -> Report:
            options: Any = {"order": self.order, "max_examples": self.max_examples, "seed": self.seed}
            with seeded(self.seed):
                return check_op(getattr(table, name), samples=OPS[name], raise_exception=False, **options)

        return check

    def function(self, name: str, samples: st.SearchStrategy[Case]) -> Callable[[], Report]:
        """Of a function made of ops, at its line of samples: gradcheck at each example."""

        def check() -> Report:
            reports: list[Report] = []

            @settings(
                max_examples=self.max_examples or EXAMPLES, deadline=None, database=None, derandomize=True,
                phases=[Phase.generate], suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(samples)
            def collect(case: Case) -> None:
                reports.append(at_example(name, case, self.order, self.seed))

            with seeded(self.seed):
                collect()
            return replace(joined(name, reports), outputs=next((r.outputs for r in reports if r.faults), ()))

        return check

    def module(self, make: Callable[[], nn.Module], example: Any, batch_axis: Any) -> Callable[[], Report]:
        """Of a layer or a model, made anew, on its example."""

        def check() -> Report:
            with seeded(self.seed):
                module = make()
            options: Any = {"order": self.order, "seed": self.seed}
            return check_module(module, example, batch_axis=batch_axis, raise_exception=False, **options)

        return check

    def cell(self, make: Callable[[], nn.Module], example: Any, batch_axis: Any) -> Callable[[], Report]:
        """Of a recurrent cell or layer: through time, and as a module."""

        def check() -> Report:
            with seeded(self.seed):
                cell = make()
            in_time = check_recurrent(cell, order=self.order, raise_exception=False, seed=self.seed)
            alone = check_module(cell, example, order=1, batch_axis=batch_axis, raise_exception=False, seed=self.seed)
            return replace(joined(in_time.name, [in_time, alone]), outputs=in_time.outputs or alone.outputs)

        return check


def at_example(name: str, case: Case, order: int, seed: int) -> Report:
    """What gradcheck says of a function at one example."""

    def function(*xs: Any) -> Any:
        return case(*xs)

    function.__name__ = name
    leaves = [Tensor(array, requires_grad=True) for array in case.arrays]
    return gradcheck(function, leaves, order=order, raise_exception=False, seed=seed)


# ---- what there is -------------------------------------------------------------------------
# A line: how to make it, what to call it with, and where in each argument the batch stands (None: nowhere).

Line = tuple[Callable[[], nn.Module], Any, Any]


def numbers(*shape: int) -> np.ndarray:
    """Random numbers, the same ones every time."""
    return np.random.default_rng(shape).normal(size=shape)


def tokens(*shape: int, low: int = 0, high: int = 5) -> np.ndarray:
    """Random tokens, the same ones every time."""
    return np.random.default_rng(shape).integers(low, high, shape)


MASK = padding_mask_of([3, 1], 3)
X = numbers(4, 2, 4)  # (T, batch, features)

LAYERS: Mapping[str, Line] = {
    "Linear": (lambda: nn.Linear(3, 2), numbers(4, 3), 0),
    "Linear without bias": (lambda: nn.Linear(3, 2, bias=False), numbers(2, 4, 3), 1),
    "Embedding": (lambda: nn.Embedding(5, 3), tokens(3, 2), 1),
    "Embedding with padding": (lambda: nn.Embedding(5, 3, padding_idx=0), tokens(3, 2), 1),
    "LayerNorm": (lambda: nn.LayerNorm(3), numbers(4, 3), 0),
    "LayerNorm over two axes": (lambda: nn.LayerNorm((2, 3), bias=False), numbers(4, 2, 3), 0),
    "LayerNorm without weights": (lambda: nn.LayerNorm(3, elementwise_affine=False), numbers(4, 3), 0),
    "Dropout": (lambda: nn.Dropout(0.3), numbers(4, 3), 0),
    "Sequential": (lambda: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Dropout(), nn.Linear(4, 2)),
                   numbers(4, 3), 0),
    "DotAttention": (DotAttention, (numbers(2, 3), numbers(2, 3, 3), MASK), 0),
    "ScaledDotAttention": (ScaledDotAttention, (numbers(2, 4, 3), numbers(2, 3, 3)), 0),
    "GeneralAttention": (lambda: GeneralAttention(2, 4), (numbers(2, 2), numbers(2, 3, 4), MASK), 0),
    "AdditiveAttention": (lambda: AdditiveAttention(2, 4, 3), (numbers(2, 2), numbers(2, 3, 4), MASK), 0),
    "AdditiveAttention of several queries": (
        lambda: AdditiveAttention(2, 4, 3), (numbers(2, 3, 2), numbers(2, 3, 4), MASK), 0
    ),
    "MultiheadAttention": (
        lambda: MultiheadAttention(4, 2), (X, numbers(3, 2, 4), numbers(3, 2, 4), MASK), (1, 1, 1, 0)
    ),
    "MultiheadAttention, causal, with dropout": (
        lambda: MultiheadAttention(4, 2, dropout=0.2), (X, X, X, None, True, causal_mask(4), False),
        (1, 1, 1, None, None, None, None),
    ),
    "MultiheadAttention of other sizes": (
        lambda: MultiheadAttention(4, 2, bias=False, kdim=3, vdim=2, batch_first=True),
        (numbers(2, 3, 4), numbers(2, 4, 3), numbers(2, 4, 2)), 0,
    ),
    "LearnedPositions": (lambda: LearnedPositions(5, 4), X[:, :, :4], 1),
    "SinusoidalPositions": (lambda: SinusoidalPositions(4), X, 1),
    "TransformerEncoderLayer": (lambda: TransformerEncoderLayer(4, 2, 6), (X[:3], None, MASK), (1, None, 0)),
    "TransformerEncoderLayer, norm first, gelu": (
        lambda: TransformerEncoderLayer(4, 2, 6, activation="gelu", norm_first=True), (X, None, None, True),
        (1, None, None, None),
    ),
    "TransformerDecoderLayer": (
        lambda: TransformerDecoderLayer(4, 2, 6), (X, numbers(3, 2, 4), causal_mask(4), None, None, MASK),
        (1, 1, None, None, None, 0),
    ),
    "TransformerEncoder": (
        lambda: TransformerEncoder(TransformerEncoderLayer(4, 2, 6, 0.0), 2, nn.LayerNorm(4)), (X,), 1
    ),
    "TransformerDecoder": (
        lambda: TransformerDecoder(TransformerDecoderLayer(4, 2, 6, 0.0), 2, nn.LayerNorm(4)),
        (X, numbers(3, 2, 4)), 1,
    ),
}  # fmt: skip

H, RAGGED = numbers(2, 3), np.array([2, 4])
STEP = (numbers(2, 2), H)
SERIES = (numbers(4, 2, 2), None, RAGGED), (1, None, 0)
PAIR = (H, -H)

CELLS: Mapping[str, Line] = {
    "RNNCell": (lambda: RNNCell(2, 3), STEP, 0),
    "RNNCell with relu": (lambda: RNNCell(2, 3, nonlinearity="relu"), STEP, 0),
    "LSTMCell": (lambda: LSTMCell(2, 3), (numbers(2, 2), PAIR), 0),
    "LSTMCell without bias": (lambda: LSTMCell(2, 3, bias=False), (numbers(2, 2), PAIR), 0),
    "GRUCell": (lambda: GRUCell(2, 3), STEP, 0),
    "GRUCell of the lecture": (lambda: GRUCell(2, 3, form="lecture"), STEP, 0),
    "RNN": (lambda: RNN(2, 3), *SERIES),
    "RNN with relu, without bias": (lambda: RNN(2, 3, nonlinearity="relu", bias=False), *SERIES),
    "RNN, batch first": (lambda: RNN(2, 3, batch_first=True), (numbers(2, 4, 2), None, RAGGED), (0, None, 0)),
    "RNN, both directions": (lambda: RNN(2, 3, bidirectional=True), *SERIES),
    "LSTM": (lambda: LSTM(2, 3), *SERIES),
    "LSTM, PyTorch's forget gate": (lambda: LSTM(2, 3, forget_bias=None), *SERIES),
    "LSTM, 2 layers with dropout": (lambda: LSTM(2, 3, num_layers=2, dropout=0.3), *SERIES),
    "LSTM, both directions": (lambda: LSTM(2, 3, bidirectional=True), *SERIES),
    "GRU": (lambda: GRU(2, 3), *SERIES),
    "GRU of the lecture": (lambda: GRU(2, 3, form="lecture"), *SERIES),
    "GRU, 2 layers, both directions": (lambda: GRU(2, 2, num_layers=2, bidirectional=True), *SERIES),
}

RECURRENT: Mapping[str, Callable[..., Any]] = {
    "RNN": RNN,
    "LSTM": LSTM,
    "GRU": GRU,
    "lecture GRU": lambda *sizes, **options: GRU(*sizes, form="lecture", **options),
}
ATTENTIONS: tuple[str | None, ...] = (None, "dot", "scaled_dot", "general", "additive")
LENGTHS = np.array([4, 2])
SPECIAL: dict[str, Any] = {"padding": 0, "begin": 1, "end": 2}
SOURCE = np.where(np.arange(4)[:, None] < LENGTHS, tokens(4, 2, low=3), 0)
TARGET = np.array([[3, 4], [4, 2], [2, 0]])  # (T, batch)
TRANSLATION = (SOURCE, LENGTHS, TARGET), (1, 0, 1)
READING = (tokens(4, 2), LENGTHS), (1, 0)
SMALL: dict[str, Any] = {"d_model": 4, "nhead": 2, "num_layers": 1, "dim_feedforward": 5, "max_length": 5}


def models() -> Iterator[tuple[str, Line]]:
    """(name, line) of every model: heads over all recurrent layers, seq2seq with all attentions, Transformers."""
    for kind, rnn in RECURRENT.items():
        yield f"ManyToMany, {kind}", (partial(over, ManyToMany, rnn, num_classes=2), *READING)
    yield "ManyToMany, embedded, both directions", (
        lambda: ManyToMany(GRU(2, 3, bidirectional=True), 2, nn.Embedding(5, 2)), *READING
    )  # fmt: skip
    for attention in ATTENTIONS:
        name = "ManyToOne, RNN" + (f", {attention} attention" if attention else "")
        yield name, (partial(over, ManyToOne, RNN, num_classes=2, attention=attention), *READING)
    yield "ManyToOne, LSTM, both directions, of vectors", (
        lambda: ManyToOne(LSTM(2, 2, bidirectional=True), 1, regression=True), (numbers(3, 2, 2),), 1
    )  # fmt: skip
    for kind, rnn in RECURRENT.items():
        spelling = (numbers(2, 2), tokens(3, 2)), (0, 1)
        yield f"OneToMany, {kind}", (partial(over, OneToMany, rnn, num_classes=5, vector_size=2, start=0), *spelling)
    for kind, rnn in RECURRENT.items():
        for attention in ATTENTIONS:
            name = f"Seq2Seq, {kind}" + (f", {attention} attention" if attention else "")
            yield name, (partial(seq2seq, rnn, attention), *TRANSLATION)
        yield f"Seq2Seq, {kind}, read both ways", (partial(seq2seq, rnn, "additive", both_ways=True), *TRANSLATION)
    yield "Seq2Seq, GRU, 2 layers", (partial(seq2seq, GRU, "dot", num_layers=2), *TRANSLATION)
    yield from transformers()


def over(head: Callable[..., nn.Module], rnn: Callable[..., Any], **options: Any) -> nn.Module:
    """A head over a small recurrent layer that reads tokens."""
    return head(rnn(5, 3), **options)


def seq2seq(rnn: Callable[..., Any], attention: str | None, *, both_ways: bool = False, num_layers: int = 1) -> Seq2Seq:
    """A small Seq2Seq."""
    encoder, decoder = rnn(2, 3, num_layers, bidirectional=both_ways), rnn(2, 3, num_layers)
    return Seq2Seq(encoder, decoder, source_tokens=5, target_tokens=5, attention=attention, **SPECIAL)


def transformers() -> Iterator[tuple[str, Line]]:
    """(name, line) of every model of attention alone."""
    yield "Transformer", (
        lambda: Transformer(4, 2, 1, 1, 5, dropout=0.1), (X, numbers(3, 2, 4), None, causal_mask(3)), (1, 1, None, None)
    )  # fmt: skip
    yield "Transformer, norm first, batch first", (
        lambda: Transformer(4, 2, 1, 1, 5, norm_first=True, batch_first=True), (numbers(2, 4, 4), numbers(2, 3, 4)), 0
    )  # fmt: skip
    yield "TransformerLM", (lambda: TransformerLM(5, **SMALL), tokens(4, 2), 1)
    yield "TransformerLM, norm last, gelu", (
        lambda: TransformerLM(5, **SMALL, norm_first=False, activation="gelu", positions="sinusoidal"), tokens(4, 2), 1
    )  # fmt: skip
    yield "TransformerClassifier", (lambda: TransformerClassifier(2, **SMALL, num_tokens=5), *READING)
    yield "TransformerTagger", (
        lambda: TransformerTagger(2, **SMALL, input_size=3, causal=True), (numbers(4, 2, 3), LENGTHS), (1, 0)
    )  # fmt: skip
    yield "TransformerSeq2Seq", (lambda: TransformerSeq2Seq(5, 5, **SMALL, **SPECIAL), *TRANSLATION)
    yield "LectureSeq2Seq", (
        lambda: LectureSeq2Seq(5, 5, 3, **SPECIAL, positions="learned", max_length=5), *TRANSLATION
    )  # fmt: skip
    yield "LectureSeq2Seq, without softmax", (lambda: LectureSeq2Seq(5, 5, 3, **SPECIAL, normalize=False), *TRANSLATION)
    yield "LectureSeq2Seq, recurrent", (
        lambda: LectureSeq2Seq(5, 5, 3, **SPECIAL, encoder=RNN(3, 3), decoder=GRU(3, 3)), *TRANSLATION
    )  # fmt: skip
