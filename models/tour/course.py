"""The whole tour: its chapters in order, each measured when it is its turn."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rich.console import Console

from .attention import attention_chapter
from .chapter import Chapter, Plan
from .ending import ending
from .gru import gru_chapter
from .lag import LEARNERS, lag_of
from .lstm import lstm_chapter
from .reversal import Reversals
from .rnn import rnn_chapter
from .self_attention import self_attention_chapter
from .seq2seq import seq2seq_chapter

__all__ = ["CHAPTERS", "tour"]

CHAPTERS = ("rnn", "lstm", "gru", "seq2seq", "attention", "self-attention")
UNTRAINED = {  # the models whose gradient a chapter looks at before training
    "rnn": ("rnn", "rnn-orthogonal"),
    "lstm": ("rnn", "lstm", "lstm-pytorch"),
    "gru": ("rnn", "lstm", "lstm-pytorch", "gru", "gru-lecture"),
    "seq2seq": (),
    "attention": ("rnn", "attention"),
    "self-attention": ("rnn", "lstm", "gru", "self-attention"),
}
TRAINED = {  # and those that learn recall
    "rnn": (), "lstm": ("rnn", "lstm"), "gru": ("rnn", "lstm", "gru"), "seq2seq": (), "attention": ("rnn", "attention"),
    "self-attention": ("rnn", "lstm", "gru", "self-attention"),
}  # fmt: skip


def tour(
    plan: Plan, seed: int = 0, chapters: Collection[str] = CHAPTERS, *, jobs: int = -1, console: Console | None = None
) -> Iterator[Chapter]:
    """Each of the chapters, in the lecture's order, and after all of them the ending.

    jobs: how many models are trained at a time, each in a process of its own; -1: as many as there are cores.
    console: where to show progress.
    """
    wanted = [name for name in CHAPTERS if name in chapters]
    whole = len(wanted) == len(CHAPTERS)
    untrained = dict.fromkeys([name for chapter in wanted for name in UNTRAINED[chapter]])
    trained = LEARNERS if whole else dict.fromkeys([name for chapter in wanted for name in TRAINED[chapter]])
    lag = lag_of(plan, seed, list(untrained), list(trained), jobs=jobs, console=console)
    reversals = Reversals(plan, seed, console)
    for name in wanted:
        if name == "rnn":
            yield rnn_chapter(plan, seed, lag, console)
        elif name == "lstm":
            yield lstm_chapter(plan, seed, lag)
        elif name == "gru":
            yield gru_chapter(plan, seed, lag)
        elif name == "seq2seq":
            yield seq2seq_chapter(plan, seed, reversals)
        elif name == "attention":
            yield attention_chapter(plan, seed, lag, reversals)
        else:
            yield self_attention_chapter(plan, seed, lag)
    if whole:
        yield ending(plan, seed, lag)
