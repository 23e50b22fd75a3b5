"""Words written backwards by a seq2seq model, with attention or without: what chapters 4 and 5 measure."""

from __future__ import annotations

import time
from functools import cached_property
from typing import NamedTuple

import numpy as np
from rich.console import Console

from tinygrad_seq import manual_seed, no_grad, optim
from tinygrad_seq.gradflow import Influence, Memory, influence, memory

from ..recurrent import GRU
from ..seq2seq import Seq2Seq
from ..tasks import Task, task
from ..training import train
from ..vocabulary import Vocabulary
from .chapter import Plan

__all__ = ["Reversals", "Writer", "influence_of", "readout_of", "word_of"]

HIDDEN, EMBEDDING, SYMBOLS = 32, 16, 6
WORDS, READ = 64, 512  # of each length, to be written; and to fit and score a readout on


class Writer(NamedTuple):
    """A model, as it was before training too; the share of words it writes right, by their length from 1 on."""

    model: Seq2Seq
    twin: Seq2Seq
    by_length: np.ndarray
    seconds: float


class Reversals:
    """The task, and the two models on it, each trained when it is asked for."""

    def __init__(self, plan: Plan, seed: int, console: Console | None = None) -> None:
        self.plan, self.seed, self.console = plan, seed, console
        self.task = task("reversal", length=plan.letters, symbols=SYMBOLS, batch=32)

    @cached_property
    def plain(self) -> Writer:
        """Without attention."""
        return self._trained(None)

    @cached_property
    def attending(self) -> Writer:
        """With attention by the dot product, as in the lecture."""
        return self._trained("dot")

    def _trained(self, attention: str | None) -> Writer:
        twin, model = (self._made(attention) for _ in range(2))
        title = "seq2seq" if attention is None else "seq2seq + attention"
        started = time.perf_counter()
        train(model, self.task.draw, optim.Adam(model.parameters(), lr=5e-3), updates=self.plan.reversal, clip=1.0,
              seed=self.seed, console=self.console, title=title)  # fmt: skip
        seconds = (time.perf_counter() - started) / self.plan.reversal
        return Writer(model, twin, self._right(model), seconds)

    def _made(self, attention: str | None) -> Seq2Seq:
        """The same weights for the same seed."""
        manual_seed(self.seed)
        source, target, sizes = vocabulary(self.task.source), vocabulary(self.task.target), (EMBEDDING, HIDDEN)
        return Seq2Seq(
            GRU(*sizes), GRU(*sizes), source_tokens=len(source), target_tokens=len(target), attention=attention,
            begin=target["<bos>"], end=target["<eos>"],
        )  # fmt: skip

    def _right(self, model: Seq2Seq) -> np.ndarray:
        """The share of new words of each length that are written backwards without a mistake."""
        rng, shares = np.random.default_rng([self.seed, 7]), []
        for n in range(1, self.plan.letters + 1):
            words = ["".join(letters) for letters in rng.choice(letters_of(self.task), (WORDS, n))]
            found = model.translate(*self.task.read(words), max_length=n + 2)
            written = [self.task.text(one.tokens) for one in found]
            shares.append(np.mean([word[::-1] == said for word, said in zip(words, written)]))
        return np.array(shares)


def word_of(task: Task, word: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A word as a batch of one: source, lengths, target."""
    source, lengths = task.read([word])
    target = np.array([[vocabulary(task.target)[token]] for token in [*word[::-1], "<eos>"]])
    return source, lengths, target


def influence_of(model: Seq2Seq, task: Task, word: str) -> Influence:
    """‖∂L_t/∂x_i‖ of the loss of every letter written against every letter read."""
    losses = model.losses(*word_of(task, word))
    return influence(losses, "source_embedding/x")


def readout_of(model: Seq2Seq, task: Task, n: int, seed: int) -> Memory:
    """How well each letter of random words of n letters can be read off the context vector."""
    rng = np.random.default_rng([seed, 8])
    source, _ = task.read(["".join(letters) for letters in rng.choice(letters_of(task), (READ, n))])
    with no_grad():
        unrolled = model.encoder.unroll(source, embed=model.source_embedding)
        states = np.stack([h.data for _, h, _ in unrolled])
    return memory(states, source, delays=range(1, n + 1), at=len(source))


def vocabulary(one: Vocabulary | None) -> Vocabulary:
    """Which the task has on both sides."""
    assert one is not None, "words are written in letters"
    return one


def letters_of(task: Task) -> list[str]:
    """The letters of the words."""
    return [chr(ord("A") + i) for i in range(task.options["symbols"])]
