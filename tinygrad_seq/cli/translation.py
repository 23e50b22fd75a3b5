"""`tinygrad-seq translate`: a text from a text, by a trained seq2seq model."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.models import Hypothesis, Vocabulary, beam
from tinygrad_seq.models.experiment import Experiment
from tinygrad_seq.viz.charts.attention_map import plot_attention

from .. import no_grad
from ..errors import DataError
from .files import chart_files
from .numbers import COUNT, Number
from .runs import MINUTES, OUT, Run, command_line, newest_run, run_in

__all__ = ["translate_command"]

SHOWN = 30  # characters of a text in a message
AT_ONCE = 64  # texts that are translated side by side
LONGEST = 100  # tokens of a translation, whatever stands beside it, unless the model itself has a limit


@click.command("translate")
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@click.option("--from", "folder", type=click.Path(), metavar="FOLDER", help="The run.  [default: the newest that fits]")
@click.option("--beam", "width", type=COUNT, metavar="N", help="Width of beam search.  [default: 1, greedy; or N best]")
@click.option("--n-best", type=COUNT, metavar="N", default=1, show_default=True, help="How many translations of each.")
@click.option("--length-penalty", type=Number(min=0), metavar="A", default=0.0, show_default=True,
              help="The more, the longer.")  # fmt: skip
@click.option("--attention-map", type=click.Path(dir_okay=False), metavar="FILE",
              help="Draw where the model looked, as .svg or .png.")  # fmt: skip
def translate_command(
    texts: tuple[str, ...], folder: str | None, width: int | None, n_best: int, length_penalty: float,
    attention_map: str | None,
) -> None:  # fmt: skip
    """Translate texts by a trained seq2seq model.

    TEXT may be several, or - for the lines of standard input.

    \b
    tinygrad-seq train dates --attention additive
    tinygrad-seq translate "21 octobre 2045" "2045년 10월 21일"
    tinygrad-seq translate "7. Februar 2034" --beam 5 --n-best 3
    """
    given = lines_of(texts)
    width = n_best if width is None else width
    if n_best > width:
        raise click.UsageError(f"--n-best {n_best} is more than --beam {width} keeps: give --beam {n_best} or more")
    if attention_map is not None and (len(given) != 1 or Path(attention_map).suffix not in (".svg", ".png")):
        raise click.UsageError("--attention-map draws one text, into a file that ends in .svg or .png")
    run = chosen(given, folder)
    for text in given:
        if unknown := run.unknown(text):
            said = ", ".join(map(repr, unknown))
            click.echo(f"In {text!r} the model has never seen {said}", err=True)
    experiment = Experiment.load(run.checkpoint)
    if attention_map is not None and not gives_weights(experiment.model):
        raise click.ClickException(
            f"the model in {run.title} has no attention whose weights could be drawn: train one with --attention "
            "additive, or with --model transformer"
        )
    with threadpool_limits(1):
        for start in range(0, len(given), AT_ONCE):
            some = given[start : start + AT_ONCE]
            found = search(experiment, some, width=width, n_best=n_best, length_penalty=length_penalty)
            for text, best in zip(some, found):
                show(experiment, text, best)
        if attention_map is not None:
            draw(experiment, given[0], found[0][0], Path(attention_map))


def gives_weights(model: Any) -> bool:
    """Whether it can say where it looks."""
    return hasattr(model, "align") and getattr(model, "attention", True) is not None


def lines_of(texts: tuple[str, ...]) -> list[str]:
    """The texts, with the lines of standard input in the place of -.  Raises UsageError for none, or an empty one."""
    given = [line for text in texts for line in (sys.stdin.read().splitlines() if text == "-" else [text])]
    given = [" ".join(text.split()) for text in given]
    if not given:
        raise click.UsageError("there is nothing to translate: standard input is empty")
    if "" in given:
        raise click.UsageError(f"text number {given.index('') + 1} is empty")
    return given


def chosen(texts: list[str], folder: str | None) -> Run:
    """The run that is meant.  Raises ClickException where there is none that translates."""
    if folder is not None:
        run = run_in(folder)
        if run.shape != "seq2seq":
            raise click.ClickException(
                f"the model in {run.title} does not translate, its task has the shape {run.shape}, not seq2seq"
            )
        return run
    found = newest_run(lambda run: run.shape == "seq2seq" and not any(map(run.unknown, texts)))
    found = found or newest_run(lambda run: run.shape == "seq2seq")
    if found is None:
        raise click.ClickException(
            f"there is no model that translates in {OUT}/: train one on dates with "
            f"`{command_line('train', 'dates', '--attention', 'additive')}` ({MINUTES}), or say --from where one is"
        )
    click.echo(f"By {found.title}", err=True)
    return found


def vocabularies(experiment: Experiment) -> tuple[Vocabulary, Vocabulary]:
    """Of what is read and of what is written."""
    source, target = experiment.task.source, experiment.task.target
    if source is None or target is None:
        raise DataError(f"{experiment.task.name} has no vocabularies to translate with")
    return source, target


def encoded(experiment: Experiment, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of the texts, (S, batch), and their lengths."""
    return vocabularies(experiment)[0].encode_batch(texts)


def search(experiment: Experiment, texts: list[str], **options: Any) -> list[list[Hypothesis]]:
    """The best translations of each text, best first."""
    begin, end = experiment.task.begin, experiment.task.end
    limit = getattr(experiment.model, "max_length", None)  # of learnt positions
    tokens, lengths = encoded(experiment, texts)
    if limit is not None and len(tokens) > limit:
        text = texts[lengths.argmax()]
        shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        raise click.ClickException(f"the model reads up to {limit} tokens, and {shown!r} has {len(tokens)}")
    return beam(experiment.model, tokens, lengths, begin=begin, end=end, max_length=limit or LONGEST, **options)


def written(experiment: Experiment, one: Hypothesis) -> str:
    """The text of a translation; … after one that the model did not end."""
    text = vocabularies(experiment)[1].decode(one.tokens)
    return unicodedata.normalize("NFC", text) + ("" if one.ended else "…")


def show(experiment: Experiment, text: str, best: list[Hypothesis]) -> None:
    """One translation as a line; several as a table, with their probabilities."""
    if len(best) == 1:
        click.echo(written(experiment, best[0]))
        return
    table = Table()
    table.add_column("", justify="right")
    table.add_column(Text(text))
    table.add_column("probability", justify="right")
    for n, one in enumerate(best, start=1):
        table.add_row(str(n), Text(written(experiment, one)), f"{np.exp(one.log_probability):.3g}")
    Console(highlight=False).print(table)


def draw(experiment: Experiment, text: str, one: Hypothesis, file: Path) -> None:
    """The map of the attention with which the model wrote this."""
    source, target = vocabularies(experiment)
    tokens, lengths = encoded(experiment, [text])
    steps = [*one.tokens, experiment.task.end] if one.ended else list(one.tokens)
    with no_grad():
        weights = experiment.model.align(tokens, lengths, np.array(steps)[:, None])[0]
    names = [*(target.token(int(i)) for i in one.tokens), "end"][: len(steps)]
    read = [*source.tokenize(text), *["end"] * (source.end is not None)]
    ax = plot_attention(weights, read, names, title=f"{text} → {written(experiment, one)}")
    file.write_bytes(chart_files("map", ax)[f"map{file.suffix}"])
    click.echo(f"The map: {file}", err=True)
