"""The options that say which record to look at, for all commands that show one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import click
from click.types import StringParamType

from tinygrad_seq.models.build import ATTENTIONS

from .numbers import COUNT, SEED
from .records import KINDS, Asked, Recorded, new_record, record_of_run
from .runs import Run, run_in

__all__ = ["USUAL_MODEL", "Word", "chosen_run", "record_asked_for", "record_options"]

OPTIONS = {"updates": "--train"}  # of which the parameter has another name
USUAL_MODEL, USUAL_TEXT = "rnn", "HELLO"


class Word(StringParamType):
    """One of a few words; where it is none of them, the one that was probably meant."""

    name = "name"

    def __init__(self, words: Iterable[str]) -> None:
        self.words = list(words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word.  Raises BadParameter."""
        if value in self.words:
            return str(value)
        near = get_close_matches(str(value), self.words, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        self.fail(f"{value!r} is not one of {', '.join(self.words)}.{hint}", param, ctx)


ABOUT_RECORDS = (
    click.option("--model", type=Word(KINDS), metavar="NAME", help=f"{', '.join(KINDS)}.  [default: rnn]"),
    click.option("--text", metavar="TEXT", help="What the model reads, in any script.  [default: HELLO]"),
    click.option("--target", metavar="TEXT", help="What it should write: makes a seq2seq of a recurrent model."),
    click.option("--words", is_flag=True, help="Read words, not letters."),
    click.option("--steps", type=COUNT, metavar="N", help="Repeat or cut the text to N time steps."),
    click.option("--hidden", type=COUNT, metavar="N", help="Width of the state.  [default: 16]"),
    click.option("--layers", type=COUNT, metavar="N", help="How many layers.  [default: 1]"),
    click.option("--bidirectional", is_flag=True, help="Read from both ends."),
    click.option("--attention", type=Word(ATTENTIONS), metavar="NAME", help=f"{', '.join(ATTENTIONS)}; for a seq2seq."),
    click.option("--train", "updates", type=COUNT, metavar="N", help="Learn the text in N updates first."),
    click.option("--seed", type=SEED, metavar="N", help="Start of the random numbers.  [default: 0]"),
    click.option("--from", "folder", type=click.Path(), metavar="FOLDER",
                 help="A model that `tinygrad-seq train` has left there."),
)  # fmt: skip


def record_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which record it shows."""
    for option in reversed(ABOUT_RECORDS):
        command = option(command)
    return command


def chosen_run(folder: str | None, asked: dict[str, Any]) -> Run | None:
    """The run in a folder, if one was named.  Raises UsageError where the model is to be another than that."""
    if folder is None:
        return None
    other = [OPTIONS.get(name, f"--{name}") for name in asked if name not in ("text", "target")]
    if other:
        raise click.UsageError(f"--from takes the model that was trained: leave out {', '.join(other)}")
    return run_in(folder)


def record_asked_for(asked: dict[str, Any], run: Run | None) -> Recorded:
    """The record: of a run, or else of a new model, where nothing else is given an RNN on HELLO."""
    if run is not None:
        return record_of_run(run, asked.get("text"), asked.get("target"))
    return new_record(Asked(**{"model": USUAL_MODEL, "text": USUAL_TEXT, **asked}))
