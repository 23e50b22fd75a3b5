"""A run of training as one thing: all that it is made of and has come to, which is what a checkpoint holds."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_seq import checkpoint, no_grad, rng
from tinygrad_seq.errors import CheckpointError, DataError, NonFiniteError, ShapeError
from tinygrad_seq.optim import Optimizer, clip_grad_norm_
from tinygrad_seq.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from .guards import mode
from .history import History
from .options import Checkpoint, Validation

__all__ = ["Run", "load_parameters", "read_meta"]

KIND = "a run of training"


class Run:
    """What changes while a model learns: parameters, optimiser, schedule, place in the data, random numbers, history.

    source: `draw(rng)` of it gives a batch, or it is that function; its place is kept where it has `state_dict` and
    `load_state_dict`.  rng: the run's own random numbers, which batches are drawn from.  best: parameters to keep.
    """

    def __init__(
        self, model: Any, source: Any, optimizer: Optimizer, scheduler: LRScheduler | None, seed: int
    ) -> None:
        self.model = model
        self.parameters = named_parameters(model)
        own = {id(p) for p in self.parameters.values()}
        strange = sum(id(p) not in own for group in optimizer.param_groups for p in group["params"])
        if strange:
            raise DataError(
                f"train: {strange} parameters of the optimiser are not of this {type(model).__name__}: make it with "
                "model.parameters() of the model to train"
            )
        self.optimizer, self.scheduler = optimizer, scheduler
        self.draw = getattr(source, "draw", source)
        owner = getattr(source, "__self__", source)  # of batches.draw: the batches
        self.source = owner if hasattr(owner, "state_dict") and hasattr(owner, "load_state_dict") else None
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.history = History()
        self.best: dict[str, Any] | None = None

    def update(self, clip: float) -> None:
        """Draw a batch, compute its loss, go back through it, clip, and move the parameters: all of it or nothing.

        Raises NonFiniteError for a loss or a gradient that is not finite, if the optimiser does not leave those out.
        """
        began, history, optimizer = time.perf_counter(), self.history, self.optimizer
        batch = self.draw(self.rng)
        loss = self.model.loss(*batch)
        value = loss.item()
        if not math.isfinite(value) and optimizer.error_if_nonfinite:
            raise NonFiniteError(not_finite(value, history, batch))
        optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.parameters.values(), clip)
        rate = optimizer.param_groups[0]["lr"]
        try:
            optimizer.step()
        except NonFiniteError as error:
            error.add_note(f"in update {history.updates + 1} of the training, {described(batch)}")
            raise
        if self.scheduler is not None and not isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step()
        history.loss.append(value)
        history.gradient_norm.append(norm)
        history.learning_rate.append(rate)
        history.seconds.append(time.perf_counter() - began)

    def validate(self, validation: Validation) -> dict[str, float]:
        """Measure the model, in eval mode, and note what was measured; keep the parameters if it is the best so far."""
        with mode(self.model, False), no_grad():
            measured = {name: float(x) for name, x in validation.measure().items()}
        if validation.metric not in measured:
            raise DataError(
                f"Validation goes by {validation.metric!r}, but measures {', '.join(measured) or 'nothing'}: say with "
                "metric= what counts"
            )
        self.history.validation.append({"update": self.history.updates, **measured})
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(measured[validation.metric])
        if validation.keep_best and validation.best(self.history) == len(self.history.validation) - 1:
            self.best = self.current()
        return measured

    def current(self) -> dict[str, Any]:
        """The data of the parameters now, by name.  No copies: a step replaces arrays, and never writes into them."""
        return {name: p.data for name, p in self.parameters.items()}

    def put(self, data: Mapping[str, Any]) -> None:
        """Give the parameters this data."""
        for name, p in self.parameters.items():
            p._replace(data[name])

    # ---- saved and loaded ----

    def save(self, to: Checkpoint) -> None:
        """Write all of it, whole or not at all."""
        checkpoint.save({**self.state(), "meta": dict(to.meta)}, to.path)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Become the run that the file holds, all or nothing.

        Raises CheckpointError for one of another model, optimiser, schedule or data, or that cannot be read.
        """
        state, before = read(path), self.state()
        check_fit(path, self.parameters, state["parameters"])
        for part, own in (("optimizer", self.optimizer), ("scheduler", self.scheduler)):
            written, given = (state[part] or {}).get("kind"), None if own is None else type(own).__name__
            if written != given:
                raise CheckpointError(
                    f"{path} was written with {part} {written}, this run has {given}: to go on give it the same"
                )
        if (state["source"] is None) != (self.source is None):
            raise CheckpointError(f"{path} was written with data of another kind: to go on give the run the same")
        try:
            self._become(state)
        except (DataError, ShapeError, KeyError, TypeError, ValueError, AttributeError) as error:
            self._become(before)
            reason = f"it lacks {error}" if isinstance(error, KeyError) else error
            raise CheckpointError(f"{path} does not fit this run: {reason}") from error

    def state(self) -> dict[str, Any]:
        """All of it, as dicts and arrays."""
        optimizer, scheduler = self.optimizer, self.scheduler
        return {
            "kind": KIND,
            "update": self.history.updates,
            "seed": self.seed,
            "parameters": self.current(),
            "best": self.best,
            "optimizer": {
                "kind": type(optimizer).__name__,
                "skipped": optimizer.skipped,
                "state": optimizer.state_dict(),
            },
            "scheduler": scheduler and {"kind": type(scheduler).__name__, "state": scheduler.state_dict()},
            "source": self.source and self.source.state_dict(),
            "random": {"run": self.rng.bit_generator.state, "library": rng.generator().bit_generator.state},
            "history": self.history.state_dict(),
        }

    def _become(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"]["state"])
        self.optimizer.skipped = state["optimizer"]["skipped"]
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"]["state"])
        if self.source is not None:
            self.source.load_state_dict(state["source"])
        self.history.load_state_dict(state["history"])
        self.rng.bit_generator.state = state["random"]["run"]
        rng.generator().bit_generator.state = state["random"]["library"]
        self.seed, self.best = state["seed"], state["best"]
        self.put(state["parameters"])


# ---- what a command line needs of a checkpoint ---------------------------------------


def read_meta(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What was given as `meta` to the `Checkpoint` that wrote the file.  Raises CheckpointError."""
    meta: dict[str, Any] = read(path)["meta"]
    return meta


def load_parameters(model: Any, path: str | os.PathLike[str]) -> None:
    """Give a model the parameters that a run's checkpoint holds: the best where those were kept, else the last.

    All or nothing: raises CheckpointError for a checkpoint of another model, saying what differs.
    """
    state, parameters = read(path), named_parameters(model)
    data = state["best"] or state["parameters"]
    check_fit(path, parameters, data)
    for name, p in parameters.items():
        p._replace(data[name])


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state in a run's checkpoint."""
    state = checkpoint.load(path)
    if state.get("kind") != KIND:
        raise CheckpointError(f"{path} is a checkpoint, but not of a run of training: give one that `train` wrote")
    return state


def named_parameters(model: Any) -> dict[str, Any]:
    """The parameters of a model by their paths, or by their numbers if it has no paths."""
    if hasattr(model, "named_parameters"):
        return dict(model.named_parameters())
    return {str(i): p for i, p in enumerate(model.parameters())}


def check_fit(path: Any, parameters: Mapping[str, Any], saved: Mapping[str, Any]) -> None:
    """Raise CheckpointError unless the saved arrays are those of the parameters, by name, shape and dtype."""
    own = {name: np.asarray(p.data) for name, p in parameters.items()}
    given = {name: np.asarray(x) for name, x in saved.items()}
    wrong = [f"it has no {name}" for name in own if name not in given]
    wrong += [f"it has {name}, the model has not" for name in given if name not in own]
    wrong += [
        f"its {name} is {given[name].dtype} of shape {given[name].shape}, the model's {x.dtype} of shape {x.shape}"
        for name, x in own.items()
        if name in given and (given[name].shape, given[name].dtype) != (x.shape, x.dtype)
    ]
    if wrong:
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(f"{path} is of another model: {'; '.join(wrong[:3])}{more}")


# ---- what is not finite, in words ----------------------------------------------------


def not_finite(value: float, history: History, batch: tuple[Any, ...]) -> str:
    """What to say of a loss that is NaN or infinite."""
    before = f" ({history.loss[-1]:.4g} in the update before)" if history.loss else ""
    return (
        f"the loss of update {history.updates + 1} is {value}{before}, {described(batch)}. The parameters are those of "
        "the update before. Try a smaller learning rate or clip=1.0; to see where it comes from compute the loss of "
        "that batch inside detect_anomaly()"
    )


def described(batch: tuple[Any, ...]) -> str:
    """A batch by the shapes of its arrays."""
    shapes = [f"{x.dtype} {x.shape}" if hasattr(x, "shape") else type(x).__name__ for x in batch]
    return f"of a batch of {', '.join(shapes) or 'nothing'}"
