"""An RNN learns a word: what it computes, and its gradient before and after."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from rich.console import Console

from tinygrad_seq import Graph, Tensor, gradflow, manual_seed
from tinygrad_seq.gradflow import Parts, PerStep
from tinygrad_seq.optim import Adam

from ..heads import ManyToMany
from ..recurrent import RNN
from ..sequences import total
from ..tasks import hello
from ..tasks.hello import NextToken
from ..training import train

__all__ = ["Measured", "WordTour", "word_tour"]


class Measured(NamedTuple):
    """A model on a word, at one moment of its training.

    loss: L_1 + … + L_T, with its record.  losses: L_1 … L_T.  predictions: a token for each step.
    flow: ‖∂L_T/∂h_t‖ for each step t.  parts: ∂L_T/∂W_x, split into what each step adds.
    whole: ∂L_T/∂W_x as `backward` gives it.  far: ‖∂L_T/∂h_t‖ on a text of many steps, whose last loss is far_loss.
    """

    loss: Tensor
    losses: list[Tensor]
    predictions: list[str]
    flow: PerStep
    parts: Parts
    whole: np.ndarray
    far: PerStep
    far_loss: Tensor


class WordTour(NamedTuple):
    """HELLO, before and after.  solved: the update after which all predictions were right, None if never.

    model: after training.  twin: as it was before.
    """

    task: NextToken
    model: ManyToMany
    twin: ManyToMany
    updates: int
    solved: int | None
    before: Measured
    after: Measured


def word_tour(
    seed: int = 0, *, word: str = "HELLO", updates: int = 100, far: int = 50, console: Console | None = None
) -> WordTour:
    """Train an RNN (16 hidden units, Adam, lr 0.01) on a word, and measure it before and after.

    far: the steps of the long text, which is the word over and over.
    """
    task = hello(word)
    size = len(task.vocabulary)
    manual_seed(seed)
    model, untrained = ManyToMany(RNN(size, 16), size), ManyToMany(RNN(size, 16), size)
    untrained.load_state_dict(model.state_dict())  # a twin that stays as it is, and with it the record made from it
    before = measure(untrained, task, far)
    solved: list[int] = []
    done = 0

    def watch() -> bool:
        nonlocal done
        done += 1
        if not solved and (model(task.tokens).data.argmax(axis=-1) == task.targets).all():
            solved.append(done)
        return False

    train(model, task.draw, Adam(model.parameters(), lr=0.01), updates=updates, clip=1.0, seed=seed, until=watch,
          console=console, title=word)  # fmt: skip
    return WordTour(task, model, untrained, updates, solved[0] if solved else None, before, measure(model, task, far))


def measure(model: ManyToMany, task: NextToken, far: int) -> Measured:
    """The model on the task, now."""
    losses = model.losses(task.tokens, task.targets)
    last = losses[-1]
    logits = [node.data for node in Graph(*losses).named("ŷ")]
    W_x = Graph(last).named("W_x")[0]
    model.zero_grad()
    last.backward()
    whole = W_x.grad
    model.zero_grad()
    again = np.resize(np.append(task.tokens, task.targets[-1]), far + 1)
    far_loss = model.losses(again[:-1], again[1:])[-1]
    return Measured(
        total(losses), losses, [task.vocabulary.token(int(y.argmax())) for y in logits], gradflow.per_step(last, "h"),
        gradflow.parts(last, W_x), whole, gradflow.per_step(far_loss, "h"), far_loss,
    )  # fmt: skip
