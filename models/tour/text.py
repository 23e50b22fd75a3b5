"""A character RNN learns a book, and goes on from a prompt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from tinygrad_seq import manual_seed
from tinygrad_seq.optim import Adam

from ..generate import generate
from ..heads import ManyToMany
from ..recurrent import RNN
from ..tasks import TextTask, alice
from ..training import train

__all__ = ["Sample", "TextTour", "text_tour"]


class Sample(NamedTuple):
    """A text that the model made, and how."""

    temperature: float
    top_k: int | None
    text: str


class TextTour(NamedTuple):
    """A character model of a real text.  bits: per character of the part of the text that was not trained on.

    letters_alone: the bits without any model of what came before, from how often each character occurs.
    """

    task: TextTask
    hidden: int
    parameters: int
    updates: int
    bits: float
    letters_alone: float
    prompt: str
    samples: list[Sample]


def text_tour(
    seed: int = 0,
    *,
    updates: int = 800,
    hidden: int = 96,
    prompt: str = "Alice ",
    length: int = 240,
    console: Console | None = None,
) -> TextTour:
    """Train a character RNN on Alice's Adventures in Wonderland for some seconds, and let it go on from a prompt."""
    task = TextTask(alice(), length=24, batch=32)
    size = len(task.vocabulary)
    manual_seed(seed)
    model = ManyToMany(RNN(size, hidden, dtype=np.float32), size)
    train(model, task.draw, Adam(model.parameters(), lr=0.01), updates=updates, clip=16.0, seed=seed, console=console,
          title="Alice")  # fmt: skip
    samples = []
    for temperature, top_k in ((0.0, None), (0.5, None), (1.0, None), (1.0, 5)):
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "rng": np.random.default_rng(seed)}
        made = generate(model, task.vocabulary.encode(prompt), length, **options)
        samples.append(Sample(temperature, top_k, task.vocabulary.decode(made)))
    parameters = sum(p.size for p in model.parameters())
    return TextTour(task, hidden, parameters, updates, task.bits(model), task.bits_of_letters(), prompt, samples)
