"""`tinygrad-seq generate`: text from a trained model, one token after the other."""

from __future__ import annotations

import unicodedata
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.models import generate
from tinygrad_seq.models.experiment import Experiment
from tinygrad_seq.models.tasks import Examples, Task, Windows
from tinygrad_seq.models.tasks.digits import picture

from .numbers import COUNT, SEED, Number
from .runs import MINUTES, OUT, Run, command_line, newest_run, run_in

__all__ = ["generate_command"]

WRITE = ("next token", "one-to-many")  # shapes of tasks whose models write by themselves


@click.command("generate")
@click.argument("prompt", required=False)
@click.option("--from", "folder", type=click.Path(), metavar="FOLDER", help="The run.  [default: the newest that fits]")
@click.option("--length", type=COUNT, metavar="N", default=300, show_default=True, help="How many tokens.")
@click.option("--temperature", type=Number(min=0), metavar="X", default=0.8, show_default=True,
              help="Less is safer, more is bolder; 0 always takes the most likely.")  # fmt: skip
@click.option("--top-k", type=COUNT, metavar="N", help="Draw from the N most likely only.")
@click.option("--seed", type=SEED, metavar="N", default=0, show_default=True, help="Start of the random numbers.")
def generate_command(
    prompt: str | None, folder: str | None, length: int, temperature: float, top_k: int | None, seed: int
) -> None:
    """Let a trained model write.

    It goes on from the PROMPT, which may be left out.

    \b
    tinygrad-seq train english
    tinygrad-seq generate "Alice was"
    tinygrad-seq generate "대한민국은 " --from out/korean-gru

    A model that was trained to spell digits takes a digit for its prompt: it is shown the image of one.
    """
    run = chosen(prompt, folder)
    experiment, rng = Experiment.load(run.checkpoint), np.random.default_rng(seed)
    of, target = experiment.task, experiment.task.target
    sampling: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "rng": rng}
    if target is None:
        raise click.ClickException(f"{run.title} has no vocabulary to write with")
    with threadpool_limits(1):
        if run.shape == "one-to-many":
            start, begun = image_of(of, prompt, rng), ""
            Console(highlight=False).print(Text(picture(start)))
        else:
            begun = first_of(of) if prompt is None else prompt
            start = encoded(run, of, begun)
        written = list(generate(experiment.model, start, length, end=of.end, **sampling))
    click.echo(unicodedata.normalize("NFC", begun + target.decode(np.array(written, int))))


def chosen(prompt: str | None, folder: str | None) -> Run:
    """The run that is meant.  Raises ClickException where there is none that writes."""
    if prompt == "":
        raise click.UsageError("the prompt is empty: leave it out, or give a text to go on from")
    if folder is not None:
        run = run_in(folder)
        if run.shape not in WRITE:
            instead = ": take `tinygrad-seq translate`" if run.shape == "seq2seq" else ""
            raise click.ClickException(
                f"the model in {run.title} does not write by itself, its task has the shape {run.shape}{instead}"
            )
        return run
    found = newest_run(lambda run: run.shape == "next token" and not run.unknown(prompt or ""))
    found = found or newest_run(lambda run: run.shape == "next token")
    if found is None:
        raise click.ClickException(
            f"there is no model that writes in {OUT}/: train one with `{command_line('train', 'english')}` "
            f"({MINUTES}), or say with --from where one is"
        )
    click.echo(f"By {found.title}", err=True)
    return found


# ---- what it goes on from ------------------------------------------------------------


def encoded(run: Run, of: Task, prompt: str) -> np.ndarray:
    """The tokens of a prompt.  Raises ClickException, naming the characters that the model does not know."""
    unknown, source = run.unknown(prompt), of.source
    if unknown or source is None:
        raise click.ClickException(
            f"the model in {run.title} does not know {', '.join(map(repr, unknown))}: the text that it learnt from has "
            f"{len(source or ())} kinds of tokens, and not this"
        )
    return source.encode(prompt)


def first_of(of: Task) -> str:
    """What to begin with where nothing is given: a new line, or the first token there was in training."""
    source = of.source
    if source is None:
        return ""
    return "\n" if "\n" in source else source.token(int(of.train.xs[0])) if isinstance(of.train, Windows) else ""


def image_of(of: Task, prompt: str | None, rng: np.random.Generator) -> np.ndarray:
    """An image, from the test part, of the digit that the prompt is; of any where there is none."""
    digits = [str(digit) for digit in range(10)]
    if prompt is not None and prompt not in digits:
        raise click.UsageError(f"this model spells the image of a digit: the prompt is one of 0 to 9, not {prompt!r}")
    examples = of.test.examples if isinstance(of.test, Examples) else []
    fitting = [image for image, digit in examples if prompt is None or str(digit) == prompt]
    return np.reshape(fitting[rng.integers(len(fitting))], -1)
