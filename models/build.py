"""A model for a task, by its name: what fits the shape of the task, in the sizes that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import nn
from tinygrad_seq.errors import DataError

from .attention.scores import SCORES
from .heads import ManyToMany, ManyToOne, OneToMany
from .recurrent import GRU, LSTM, RNN, Recurrent
from .seq2seq import Seq2Seq
from .tasks import Shape, Task
from .tasks.catalogue import nearest
from .transformer import LectureSeq2Seq, TransformerClassifier, TransformerLM, TransformerSeq2Seq, TransformerTagger

__all__ = ["ATTENTIONS", "MODELS", "Build", "attention_for", "build", "models_for"]


class Build(NamedTuple):
    """How a model is built, plain data for a checkpoint.

    model: one of `MODELS`.  attention: one of `ATTENTIONS`, for recurrent models that read a whole sequence.  hidden:
    the width of the state; by default the task's.  layers: how many, by default 1, of a Transformer 2.  bidirectional:
    for recurrent models that read.  dropout: between layers.  heads: of a Transformer, by default 4.  dtype: of the
    parameters.
    """

    model: str = "gru"
    attention: str | None = None
    hidden: int | None = None
    layers: int | None = None
    bidirectional: bool = False
    dropout: float = 0.0
    heads: int | None = None
    dtype: str = "float32"


RECURRENT: Mapping[str, Callable[..., Recurrent]] = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru-lecture": lambda *sizes, **options: GRU(*sizes, form="lecture", **options),
}
MODELS: Mapping[str, str] = {
    "rnn": "h = tanh(x W_x + h W_h + b)",
    "lstm": "long short-term memory, forget-gate bias 1",
    "gru": "gated recurrent unit, as in PyTorch",
    "gru-lecture": "gated recurrent unit, as in the lecture",
    "transformer": "attention alone, with positions and several heads",
    "self-attention": "the lecture's last model, attention without projections",
}
ATTENTIONS = tuple(SCORES)
DTYPES = ("float32", "float64")


def models_for(shape: Shape) -> list[str]:
    """The names of the models that can do tasks of that shape.

    >>> from tinygrad_seq.models.build import models_for
    >>> models_for("one-to-many")
    ['rnn', 'lstm', 'gru', 'gru-lecture']
    """
    others = {"transformer": shape in TRANSFORMERS, "self-attention": shape == "seq2seq"}
    return [model for model in MODELS if others.get(model, True)]


def attention_for(shape: Shape) -> bool:
    """Whether recurrent models for tasks of that shape can look at a sequence with attention."""
    return shape in ("many-to-one", "seq2seq")


def build(task: Task, how: Build) -> Any:
    """A new model for a task, with parameters from the library's generator (see `manual_seed`).

    Raises DataError for a model that there is not, naming the nearest, or one that cannot do a task of that shape.

    >>> from tinygrad_seq.models.build import Build, build
    >>> from tinygrad_seq.models.tasks import task
    >>> model = build(task("order"), Build("lstm", attention="additive", hidden=16))
    >>> type(model).__name__, type(model.rnn).__name__
    ('ManyToOne', 'LSTM')
    """
    if how.model not in MODELS:
        near = nearest(how.model, MODELS)
        raise DataError(f"there is no model {how.model!r}{near} The models are {', '.join(MODELS)}")
    if how.attention is not None and how.attention not in ATTENTIONS:
        near = nearest(how.attention, ATTENTIONS)
        raise DataError(f"there is no attention {how.attention!r}{near} The kinds are {', '.join(ATTENTIONS)}")
    if how.dtype not in DTYPES:
        raise DataError(f"parameters are {' or '.join(DTYPES)}, got dtype {how.dtype!r}")
    if how.model not in models_for(task.shape):
        raise DataError(
            f"model {how.model} cannot do {task.name}, a task of the shape {task.shape}: take one of "
            f"{', '.join(models_for(task.shape))}"
        )
    if how.model in RECURRENT:
        only_for(how, heads="transformer")
        if how.dropout and (how.layers or 1) == 1:
            raise DataError(f"dropout {how.dropout} is between layers, and there is one: take 2 layers or more")
        return BUILDERS[task.shape](task, how)
    only_for(how, attention=", ".join(RECURRENT), bidirectional=", ".join(RECURRENT))
    if how.model == "transformer":
        return TRANSFORMERS[task.shape](task, how)
    rest = f"transformer, {', '.join(RECURRENT)}"
    only_for(how, layers=rest, dropout=rest, heads="transformer")
    return LectureSeq2Seq(
        task.num_tokens or 0, task.num_classes, how.hidden or task.training.hidden, dtype=np.dtype(how.dtype),
        **learnt_positions(task), **special_tokens(task),
    )  # fmt: skip


def only_for(how: Build, **options: str) -> None:
    """Raise DataError for an option that was given, and that the model does not have; say which models have it."""
    for option, models in options.items():
        if getattr(how, option):
            raise DataError(f"model {how.model} takes no {option}: that is for {models}")


# ---- recurrent models ----------------------------------------------------------------


def next_token(task: Task, how: Build) -> ManyToMany:
    """A prediction at each step, from left to right."""
    one_way(task, how)
    without_attention(task, how)
    rnn, embedding = reader(task, how)
    return ManyToMany(rnn, task.num_classes, embedding, reduction="mean")


def many_to_one(task: Task, how: Build) -> ManyToOne:
    """One prediction from the last state, or from what attention pools of all."""
    rnn, embedding = reader(task, how)
    return ManyToOne(rnn, task.num_classes, embedding, attention=how.attention, regression=task.regression)


def one_to_many(task: Task, how: Build) -> OneToMany:
    """A text from a vector."""
    one_way(task, how)
    without_attention(task, how)
    tokens = special_tokens(task)
    rnn = recurrent(task.num_classes, how, task)
    return OneToMany(
        rnn, task.num_classes, task.vector_size or 0, start=tokens["begin"], ignore_index=tokens["padding"],
        reduction="mean",
    )  # fmt: skip


def aligned(task: Task, how: Build) -> ManyToMany:
    """A tag at each step."""
    without_attention(task, how)
    rnn, embedding = reader(task, how)
    return ManyToMany(rnn, task.num_classes, embedding, ignore_index=-100, reduction="mean")


def seq2seq(task: Task, how: Build) -> Seq2Seq:
    """An encoder and a decoder."""
    size = task.training.embedding or task.training.hidden
    encoder = recurrent(size, how, task)
    decoder = recurrent(size, how._replace(bidirectional=False), task)
    return Seq2Seq(
        encoder, decoder, source_tokens=task.num_tokens or 0, target_tokens=task.num_classes, attention=how.attention,
        **special_tokens(task),
    )  # fmt: skip


BUILDERS: Mapping[str, Callable[[Task, Build], Any]] = {
    "next token": next_token,
    "many-to-one": many_to_one,
    "one-to-many": one_to_many,
    "aligned": aligned,
    "seq2seq": seq2seq,
}


def recurrent(input_size: int, how: Build, task: Task) -> Recurrent:
    """The recurrent layer."""
    return RECURRENT[how.model](
        input_size, how.hidden or task.training.hidden, num_layers=how.layers or 1, dropout=how.dropout,
        bidirectional=how.bidirectional, dtype=np.dtype(how.dtype),
    )  # fmt: skip


def reader(task: Task, how: Build) -> tuple[Recurrent, nn.Embedding | None]:
    """The recurrent layer for what comes in, and the embedding of its tokens."""
    if task.vector_size is not None:
        return recurrent(task.vector_size, how, task), None
    size, tokens = task.training.embedding, task.num_tokens or 0
    embedding = None if size is None else nn.Embedding(tokens, size, dtype=np.dtype(how.dtype))
    return recurrent(size or tokens, how, task), embedding


def one_way(task: Task, how: Build) -> None:
    """Raise DataError for a model that would read what it is to predict."""
    if how.bidirectional:
        raise DataError(f"{task.name} is predicted from left to right: leave out bidirectional")


def without_attention(task: Task, how: Build) -> None:
    """Raise DataError for attention where a recurrent model has no use for it."""
    if how.attention is not None:
        instead = ", or take the model transformer" if "transformer" in models_for(task.shape) else ""
        raise DataError(
            f"a recurrent model for {task.name} ({task.shape}) has nothing to look at with attention: leave it out"
            f"{instead}"
        )


# ---- Transformers --------------------------------------------------------------------


def width(how: Build, usual: int) -> dict[str, Any]:
    """The sizes of a Transformer, for sequences of any length."""
    d_model, heads = how.hidden or usual, how.heads or 4
    if d_model % heads:
        raise DataError(f"a Transformer of width {d_model} cannot have {heads} heads: one must divide the other")
    return {
        "d_model": d_model, "nhead": heads, "num_layers": how.layers or 2, "dropout": how.dropout,
        "positions": "sinusoidal", "dtype": np.dtype(how.dtype),
    }  # fmt: skip


def reading(task: Task, how: Build) -> dict[str, Any]:
    """The sizes of a Transformer that reads, and what comes in; positions are learnt where all are of one length."""
    xs, _, lengths = task.draw(np.random.default_rng(0))
    learnt = {} if lengths is not None else {"positions": "learned", "max_length": len(xs)}
    entry = {"input_size": task.vector_size} if task.vector_size is not None else {"num_tokens": task.num_tokens}
    return width(how, 32) | learnt | entry


TRANSFORMERS: Mapping[str, Callable[[Task, Build], Any]] = {
    "next token": lambda task, how: TransformerLM(task.num_classes, **width(how, task.training.hidden)),
    "many-to-one": lambda task, how: TransformerClassifier(
        task.num_classes, regression=task.regression, **reading(task, how)
    ),
    "aligned": lambda task, how: TransformerTagger(task.num_classes, **reading(task, how)),
    "seq2seq": lambda task, how: TransformerSeq2Seq(
        task.num_tokens or 0, task.num_classes, **special_tokens(task), **(width(how, 64) | learnt_positions(task))
    ),
}


def learnt_positions(task: Task) -> dict[str, Any]:
    """Positions for the longest of a thousand sources and targets, and half as many again."""
    source, _, target = task.train.draw(np.random.default_rng(0), 1000)
    return {"positions": "learned", "max_length": 3 * max(len(source), len(target)) // 2}


def special_tokens(task: Task) -> dict[str, Any]:
    """The tokens that are no letters, by their roles."""
    target = task.target
    if target is None or target.padding is None or target.begin is None or target.end is None:
        raise DataError(f"{task.name} is not a task of writing: its vocabulary lacks padding, begin or end")
    return {"padding": target[target.padding], "begin": target[target.begin], "end": target[target.end]}
