"""One training loop for all models."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, NamedTuple, Protocol

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tinygrad_seq import Tensor
from tinygrad_seq.errors import DataError
from tinygrad_seq.optim import Optimizer, clip_grad_norm_

__all__ = ["History", "Trainable", "train"]

Batch = tuple[Any, ...]


class Trainable(Protocol):
    """What the loop trains: a module that computes its loss from a batch."""

    def loss(self, *batch: Any) -> Tensor:
        """The loss of a batch, one number."""
        ...

    def parameters(self) -> Any:
        """What there is to learn."""
        ...


class History(NamedTuple):
    """What happened in training, one entry for each update.

    loss: before the update.  gradient_norm: of all parameters together, before clipping.
    """

    loss: list[float]
    gradient_norm: list[float]

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return len(self.loss)


def train(
    model: Trainable,
    draw: Callable[[np.random.Generator], Batch],
    optimizer: Optimizer,
    *,
    updates: int,
    clip: float = inf,
    seed: int = 0,
    until: Callable[[], bool] | None = None,
    console: Console | None = None,
    title: str = "training",
) -> History:
    """Train a model: draw a batch, compute its loss, go back through it, clip, update; the same bits for the same seed.

    draw: gives a batch, the arguments of `model.loss`, from a random generator started with `seed`.  updates: how many
    at most.  clip: the largest norm of the gradient of all parameters together.  until: asked after each update
    whether to stop.  console: where to show a progress bar with loss and gradient norm, if it is a terminal; none by
    default.  Raises NonFiniteError, from the optimiser, where a gradient is not finite: no parameter is changed then.

    >>> from tinygrad_seq import optim
    >>> from tinygrad_seq.models import RNN, ManyToMany, train
    >>> from tinygrad_seq.models.tasks import hello
    >>> task = hello()
    >>> model = ManyToMany(RNN(4, 16), 4)
    >>> history = train(model, task.draw, optim.Adam(model.parameters(), lr=0.01), updates=120)
    >>> task.vocabulary.decode(model(task.tokens).argmax(-1))
    'ELLO'
    """
    if not isinstance(updates, int) or updates < 1:
        raise DataError(f"train: updates must be a positive integer, got {updates!r}")
    rng = np.random.default_rng(seed)
    parameters = list(model.parameters())
    history = History([], [])
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  ‖gradient‖ {task.fields[norm]:.2g}"),
        TimeRemainingColumn(),
    )
    shown = console is not None and console.is_terminal
    with Progress(*columns, console=console, disable=not shown, transient=True) as progress:
        bar = progress.add_task(title, total=updates, loss=float("nan"), norm=float("nan"))
        for _ in range(updates):
            loss = model.loss(*draw(rng))
            optimizer.zero_grad()
            loss.backward()
            norm = clip_grad_norm_(parameters, clip)
            optimizer.step()
            history.loss.append(loss.item())
            history.gradient_norm.append(norm)
            progress.update(bar, advance=1, loss=history.loss[-1], norm=norm)
            if until is not None and until():
                break
    return history
