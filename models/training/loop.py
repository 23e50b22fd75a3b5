"""One training loop for all models."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from math import inf
from typing import Any, Protocol

import numpy as np
from rich.console import Console

from tinygrad_seq import Tensor
from tinygrad_seq.errors import DataError
from tinygrad_seq.optim import Optimizer
from tinygrad_seq.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from .batches import Batches
from .guards import clipped_steps, mode, patient_interrupt
from .history import History
from .memory import keep_freed_memory
from .options import Checkpoint, Validation
from .progress import Reporter
from .run import Run

__all__ = ["Source", "Trainable", "train"]

Batch = tuple[Any, ...]


class Trainable(Protocol):
    """What the loop trains: a module that computes its loss from a batch."""

    def loss(self, *batch: Any) -> Tensor:
        """The loss of a batch, one number."""
        ...

    def parameters(self) -> Any:
        """What there is to learn."""
        ...


class Source(Protocol):
    """Where batches come from: `Batches`, or a task of your own, which may have `state_dict` and `load_state_dict`."""

    def draw(self, rng: np.random.Generator) -> Batch:
        """The next batch."""
        ...


def train(
    model: Trainable,
    source: Source | Callable[[np.random.Generator], Batch],
    optimizer: Optimizer,
    *,
    updates: int | None = None,
    epochs: int | None = None,
    clip: float = inf,
    clip_steps: float | None = None,
    scheduler: LRScheduler | None = None,
    validation: Validation | None = None,
    until: Callable[[], bool] | None = None,
    seed: int = 0,
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    resume: bool = False,
    console: Console | None = None,
    title: str = "training",
) -> History:
    """Train a model: draw a batch, compute its loss, go back through it, clip, update; the same bits for the same seed.

    source: gives a batch, the arguments of `model.loss`, from a random generator started with `seed`: a function, or
    something with `draw`, such as `Batches`.  updates: how many at most; or epochs: how often through all `Batches`.
    clip: the largest norm of the gradient of all parameters together.  clip_steps: the largest norm of the gradient of
    a recurrent layer's state, cut at each time step on its way back (the layers' `step_clip`, for this run).
    scheduler: stepped after each update; a ReduceLROnPlateau after each validation, by its metric.
    validation: what to measure now and then, when to stop early, whether to keep the best.
    until: asked after each update whether to stop.
    checkpoint: a path, or a `Checkpoint`, written at the start, now and then, and at the end.  resume: go on from it,
    to the bits of a run that was never interrupted; learning rate, seed and all else come from the file.
    Ctrl-C finishes the update, saves, says how to go on, and is raised; a second one stops at once.
    console: where to show a progress bar with loss and gradient norm, or if it is no terminal a line for each epoch and
    validation; nowhere by default.

    The model is in training mode meanwhile, and afterwards in the mode that it was in.  What is random in it (dropout)
    comes from the library's generator, see `manual_seed`; its state is in the checkpoint too.
    Raises NonFiniteError where a loss or a gradient is not finite: parameters are those of the update before, and the
    checkpoint stays.  Raises CheckpointError, with nothing changed, for a checkpoint that does not fit.

    >>> from tinygrad_seq import optim
    >>> from tinygrad_seq.models import RNN, ManyToMany, train
    >>> from tinygrad_seq.models.tasks import hello
    >>> task = hello()
    >>> model = ManyToMany(RNN(4, 16), 4)
    >>> history = train(model, task.draw, optim.Adam(model.parameters(), lr=0.01), updates=120)
    >>> task.vocabulary.decode(model(task.tokens).argmax(-1))
    'ELLO'
    """
    batches = batches_of(source)
    epoch = None if batches is None else len(batches)
    total = number_of_updates(updates, epochs, epoch)
    if isinstance(scheduler, ReduceLROnPlateau) and validation is None:
        raise DataError("train: ReduceLROnPlateau goes by a metric: give validation=Validation(…), which measures it")
    to = Checkpoint(checkpoint) if isinstance(checkpoint, str | os.PathLike) else checkpoint
    if resume and to is None:
        raise DataError("train: to resume give checkpoint=, the one to go on from")
    keep_freed_memory()
    run = Run(model, source, optimizer, scheduler, seed)
    history = run.history

    def finished() -> bool:
        """Whether no update is to follow; asked again after resuming, so the answer must be the same for the same."""
        if not history.updates:
            return False
        asked_to = until is not None and until()
        return asked_to or history.updates >= total or (validation is not None and validation.exhausted(history))

    with ExitStack() as meanwhile:
        interrupted = meanwhile.enter_context(patient_interrupt(to is not None))
        meanwhile.enter_context(mode(model, True))
        meanwhile.enter_context(clipped_steps(model, clip_steps))
        if resume and to is not None:
            run.restore(to.path)
        elif batches is not None:
            batches.reset()
        if to is not None and not resume:
            run.save(to)  # where there is something wrong with the place, it is best known now
        report = meanwhile.enter_context(Reporter(console, title, history, total, epoch))
        saved = history.updates
        while not interrupted.is_set() and not finished():
            run.update(clip)
            n = history.updates
            measured = None
            if validation is not None and (n % (validation.every or epoch or 100) == 0 or n == total):
                measured = run.validate(validation)
            report.update(measured)
            if to is not None and n % to.every == 0:
                run.save(to)
                saved = n
        if to is not None and saved < history.updates:
            run.save(to)
    if to is not None and interrupted.is_set():
        said = f"Stopped after update {history.updates:,} of {total:,}, saved in {to.path}. To go on: {to.hint}"
        (console or Console(stderr=True)).print(said, highlight=False, markup=False, soft_wrap=True)
        raise KeyboardInterrupt(said)
    if run.best is not None:
        run.put(run.best)
    return history


# ---- arguments, checked --------------------------------------------------------------


def batches_of(source: Any) -> Batches | None:
    """The `Batches` that are the source, or whose `draw` is."""
    owner = getattr(source, "__self__", source)
    if not callable(getattr(source, "draw", source)):
        raise DataError(f"train: batches come from a function or from something with draw(rng), got {source!r}")
    return owner if isinstance(owner, Batches) else None


def number_of_updates(updates: Any, epochs: Any, epoch: int | None) -> int:
    """How many updates to make, at most."""
    if (updates is None) == (epochs is None):
        given = "neither" if updates is None else "both"
        raise DataError(f"train: updates must be a positive integer, or epochs in its place; {given} given")
    for name, n in (("updates", updates), ("epochs", epochs)):
        if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
            raise DataError(f"train: {name} must be a positive integer, got {n!r}")
    if epochs is None:
        return int(updates)
    if epoch is None:
        raise DataError("train: epochs are of Batches; of data without an end say how many updates")
    return int(epochs) * epoch
