"""Records to draw: of a small model on a text, or of a trained one on an example of its task."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click
import numpy as np
from rich.console import Console

from tinygrad_seq.models import LectureSeq2Seq, ManyToMany, Seq2Seq, Vocabulary, train
from tinygrad_seq.models.build import RECURRENT
from tinygrad_seq.models.experiment import Experiment
from tinygrad_seq.models.tasks import Task

from .. import Graph, Tensor, manual_seed, no_grad
from ..errors import DataError
from ..optim import Adam
from .generation import image_of
from .runs import Run
from .translation import LONGEST, search, vocabularies

__all__ = ["KINDS", "Asked", "Recorded", "letters", "new_record", "record_of_run"]

Words = Sequence[str | None]  # of each step, those of a decoder after those of its encoder

KINDS = (*RECURRENT, "seq2seq", "self-attention")
PAIRS = ("seq2seq", "self-attention")  # that make a text from a text
USUAL = "gru"  # in a seq2seq
JOINER = "\u200d"
SPECIAL: Any = {"padding": "no token", "begin": "<start>", "end": "<end>"}


class Asked(NamedTuple):
    """A small model, and the text that it reads.

    model: one of `KINDS`.  target: a text to write, which makes a seq2seq of a recurrent model; by default of one that
    needs a target the text from its end to its beginning.  words: tokens are words, not letters.  steps: to so many the
    text is repeated, or cut.  updates: of training, before the record is made.
    """

    model: str
    text: str
    target: str | None = None
    words: bool = False
    steps: int | None = None
    hidden: int = 16
    layers: int = 1
    bidirectional: bool = False
    attention: str | None = None
    seed: int = 0
    updates: int = 0


class Recorded(NamedTuple):
    """A record to draw.  tokens: what each step reads.  predictions: what each says; None of a model without training.

    title: what was recorded, in words.
    """

    loss: Tensor
    tokens: Words | None
    predictions: Words | None
    title: str


def new_record(asked: Asked) -> Recorded:
    """The loss of a small model on a text.  Raises UsageError for what cannot be."""
    pair = asked.model in PAIRS or asked.target is not None
    source = tokens_of(asked, asked.text, "--text")
    if len(source) + pair < 2:
        raise click.UsageError(
            f"--text {asked.text!r} is one token, and what comes next is to be predicted: give it two or more"
        )
    if asked.steps is not None:
        source = [source[i % len(source)] for i in range(asked.steps + (not pair))]
    if asked.attention and (not pair or asked.model == "self-attention"):
        raise click.UsageError("--attention is for a seq2seq: take --model seq2seq, or give a --target")
    if asked.model == "self-attention" and (asked.layers > 1 or asked.bidirectional):
        raise click.UsageError("--model self-attention has one layer, and no direction: leave out what says another")
    manual_seed(asked.seed)
    if not pair:
        return next_token(asked, source)
    target = source[::-1] if asked.target is None else tokens_of(asked, asked.target, "--target")
    return text_from_text(asked, source, target)


def tokens_of(asked: Asked, text: str, option: str) -> list[str]:
    """A text as words or letters.  Raises UsageError where there is none."""
    found = text.split() if asked.words else letters(text)
    if not found:
        raise click.UsageError(f"{option} is empty: give a text")
    return found


def next_token(asked: Asked, text: list[str]) -> Recorded:
    """A model that says after each token which comes next."""
    vocabulary = Vocabulary(dict.fromkeys(text))
    size, tokens = len(vocabulary), vocabulary.encode(text)
    model = ManyToMany(recurrent(asked, size, asked.bidirectional), size)
    loss = trained(model, (tokens[:-1], tokens[1:]), asked)
    return Recorded(loss, text[:-1], said(loss, vocabulary) if asked.updates else None, title_of(asked))


def text_from_text(asked: Asked, source: list[str], target: list[str]) -> Recorded:
    """A model that reads a text and writes another."""
    reads, writes = Vocabulary(dict.fromkeys(source), **SPECIAL), Vocabulary(dict.fromkeys(target), **SPECIAL)
    sizes: Any = {"source_tokens": len(reads), "target_tokens": len(writes)}
    sizes |= {role: writes[token] for role, token in SPECIAL.items()}
    try:
        model = pair_model(asked, sizes)
    except DataError as error:
        raise click.UsageError(str(error)) from None
    ended = [*target, SPECIAL["end"]]
    batch = reads.encode(source)[:, None], np.array([len(source)]), writes.encode(ended)[:, None]
    loss = trained(model, batch, asked)
    tokens = [*source, SPECIAL["begin"], *target]
    says = [*([None] * len(source)), *said(loss, writes)] if asked.updates else None
    return Recorded(loss, tokens, says, title_of(asked))


def pair_model(asked: Asked, sizes: Any) -> Any:
    """A model that makes a text from a text.  Raises DataError for parts that do not fit."""
    if asked.model == "self-attention":
        return LectureSeq2Seq(**sizes, d_model=asked.hidden)
    encoder, decoder = (recurrent(asked, asked.hidden, both) for both in (asked.bidirectional, False))
    return Seq2Seq(encoder, decoder, attention=asked.attention, **sizes)


def recurrent(asked: Asked, size: int, bidirectional: bool) -> Any:
    """A recurrent layer that reads vectors of that size."""
    make: Callable[..., Any] = RECURRENT.get(asked.model, RECURRENT[USUAL])
    return make(size, asked.hidden, num_layers=asked.layers, bidirectional=bidirectional)


def trained(model: Any, batch: tuple[Any, ...], asked: Asked) -> Tensor:
    """The loss of a model on a batch, with its record, after so many updates on it."""
    if asked.updates:
        train(model, lambda rng: batch, Adam(model.parameters(), lr=0.01), updates=asked.updates, clip=1.0,
              seed=asked.seed, console=Console(stderr=True), title=asked.text)  # fmt: skip
    return model.loss(*batch)


def said(loss: Tensor, vocabulary: Vocabulary) -> list[str]:
    """The most likely token of each step."""
    return named(vocabulary, [int(y.data.argmax()) for y in Graph(loss).named("ŷ") if y.t is not None])


def title_of(asked: Asked) -> str:
    """Model and texts in a few words."""
    pair = f" → {asked.target}" if asked.target is not None else ""
    return f"{asked.model} on {asked.text}{pair}"


def letters(text: str) -> list[str]:
    """What a reader takes for the letters of a text: accents, vowel signs and what an emoji is made of stay together.

    >>> from tinygrad_seq.cli.records import letters
    >>> letters("é한👩‍🎓🇰🇷!")
    ['é', '한', '👩‍🎓', '🇰🇷', '!']
    """
    found: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if found and joins(found[-1], character):
            found[-1] += character
        else:
            found.append(character)
    return found


def joins(letter: str, character: str) -> bool:
    """Whether a character belongs to the letter before it."""
    if letter.endswith(JOINER) or character == JOINER or unicodedata.category(character) in ("Mn", "Mc", "Me"):
        return True
    flag = "\U0001f1e6" <= character <= "\U0001f1ff"
    skin, tag = "\U0001f3fb" <= character <= "\U0001f3ff", "\U000e0020" <= character <= "\U000e007f"
    return skin or tag or (flag and len(letter) == 1 and "\U0001f1e6" <= letter <= "\U0001f1ff")


# ---- of a run ------------------------------------------------------------------------


def record_of_run(run: Run, text: str | None, target: str | None) -> Recorded:
    """The loss of a trained model on a text, or else on an example of the test part of its task.

    target: what a seq2seq should have written.  What a text should lead to is by default what the model says itself.
    Raises UsageError for what the model does not read, UnknownTokenError for letters that it does not know.
    """
    experiment = Experiment.load(run.checkpoint)
    of = experiment.task
    if target is not None and (text is None or of.shape != "seq2seq"):
        raise click.UsageError("--target is what a seq2seq should have made of a --text: give both, to a run of one")
    batch = of.test.draw(np.random.default_rng(0), 1) if text is None else batch_of(experiment, text, target)
    loss = experiment.model.loss(*batch)
    tokens, predictions = words_of(of, batch, loss)
    return Recorded(loss, tokens, predictions, f"{run.title}{'' if text is None else f': {text}'}")


def batch_of(experiment: Experiment, text: str, target: str | None) -> tuple[Any, ...]:
    """A text as a batch of one."""
    of, model = experiment.task, experiment.model
    if of.shape == "one-to-many":
        image = image_of(of, text, np.random.default_rng(0))[None]
        spelled = model.predict(image, LONGEST, of.end)[:, 0].tolist()
        return image, np.array([*spelled[: spelled.index(of.end) if of.end in spelled else None], of.end])[:, None]
    if of.source is None:
        raise click.UsageError(f"the model reads vectors of {of.vector_size} numbers: leave out --text for an example")
    if of.shape == "next token":
        tokens = of.source.encode(text)[:, None]
        if len(tokens) < 2:
            raise click.UsageError(f"--text {text!r} is one token, and what comes next is to be predicted")
        return tokens[:-1], tokens[1:]
    tokens, lengths = of.read([text])
    if of.shape == "seq2seq":
        return tokens, lengths, np.array(written(experiment, text, target))[:, None]
    with no_grad():
        return tokens, model.predict(tokens, lengths), lengths


def written(experiment: Experiment, text: str, target: str | None) -> list[Any]:
    """The tokens of a target, which is given, or else what the model makes of the text."""
    of, (_, names) = experiment.task, vocabularies(experiment)
    if target is not None:
        return [*names.encode(target).tolist(), of.end]
    ((best,),) = search(experiment, [text], width=1, n_best=1, length_penalty=0.0)
    tokens = [token for token in best.tokens if token != of.ignore_index]  # padding, which nobody reads
    return [*tokens, of.end] if best.ended or not tokens else tokens


def words_of(of: Task, batch: tuple[Any, ...], loss: Tensor) -> tuple[Words | None, Words | None]:
    """What each step of a model reads and says."""
    read = named(of.source, batch[0][:, 0].tolist()) if of.source is not None else None
    if of.target is None or of.shape == "many-to-one":
        return read, None
    says = said(loss, of.target)
    if of.shape in ("next token", "aligned"):
        return read, says
    before = named(of.target, [of.begin, *batch[-1][:-1, 0].tolist()])
    if of.shape == "one-to-many":
        return before, says
    reading = read or []
    return [*reading, *before], [*([None] * len(reading)), *says]


def named(vocabulary: Vocabulary, tokens: Sequence[Any]) -> list[str]:
    """Tokens by their names."""
    return [vocabulary.token(token) for token in tokens]
