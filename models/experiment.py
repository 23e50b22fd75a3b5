"""An experiment: a task and a model for it, trained under one seed, kept in one file, and made again from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from tinygrad_seq import manual_seed
from tinygrad_seq.errors import CheckpointError, DataError, SequenceError
from tinygrad_seq.optim import Adam

from .build import Build, build
from .tasks import Task, task_from_dict
from .training import Batches, Checkpoint, History, Validation, load_parameters, read_meta, train
from .vocabulary import Vocabulary

__all__ = ["Experiment", "Plan"]


class Plan(NamedTuple):
    """How a model is trained, plain data for a checkpoint.

    updates: how many.  lr: Adam's learning rate.  clip, clip_steps: see `train`.  validate_every: after how many
    updates to measure.  patience: stop after so many validations that were not better, and keep the best.
    """

    updates: int
    lr: float
    clip: float
    clip_steps: float | None
    validate_every: int
    patience: int | None


class Experiment:
    """A task, and a new model for it whose parameters follow from the seed.

    >>> from tinygrad_seq.models import Build, Experiment
    >>> from tinygrad_seq.models.tasks import task
    >>> experiment = Experiment(task("hello"), Build("rnn"))
    >>> history = experiment.train(updates=60)
    >>> experiment.task.evaluate(experiment.model)["accuracy"]
    1.0
    """

    def __init__(self, task: Task, how: Build, *, seed: int = 0) -> None:
        self.task, self.how, self.seed = task, how, seed
        manual_seed(seed)
        self.model = build(task, how)

    def plan(self) -> Plan:
        """The task's usual training, measured ten times on the way."""
        usual = self.task.training
        return Plan(usual.updates, usual.lr, usual.clip, None, max(1, usual.updates // 10), None)

    def train(
        self,
        *,
        updates: int | None = None,
        lr: float | None = None,
        clip: float | None = None,
        clip_steps: float | None = None,
        validate_every: int | None = None,
        patience: int | None = None,
        path: str | os.PathLike[str] | None = None,
        resume: bool = False,
        hint: str | None = None,
        console: Console | None = None,
    ) -> History:
        """Train with Adam by a `Plan`; what is not given of it is the task's, `plan()`.

        path: where to leave checkpoints.  resume: go on from there by the plan that it was begun with, of which only
        `updates` may be given anew, to train for longer.  For the others, and what can go wrong, see `train`.
        """
        parts = {
            "updates": updates, "lr": lr, "clip": clip, "clip_steps": clip_steps, "validate_every": validate_every,
            "patience": patience,
        }  # fmt: skip
        given: dict[str, Any] = {name: x for name, x in parts.items() if x is not None}
        if resume and path is not None:
            plan = begun_with(path)
            other = [name for name, x in given.items() if name != "updates" and x != getattr(plan, name)]
            if other:
                begun = ", ".join(f"{name}={getattr(plan, name)} (got {given[name]})" for name in other)
                raise CheckpointError(f"{path} was begun with {begun}: to go on leave that out")
        else:
            plan = self.plan()
            given.setdefault("validate_every", max(1, given.get("updates", plan.updates) // 10))
            manual_seed(self.seed)  # dropout, whatever was drawn since the model was made
        plan = plan._replace(**given)
        to = None
        if path is not None:
            keep: dict[str, Any] = {} if hint is None else {"hint": hint}
            meta = {**self.to_dict(), "plan": plan._asdict()}
            to = Checkpoint(path, every=max(1, min(100, plan.updates // 10)), meta=meta, **keep)
        source: Any = self.task
        if self.task.finite:
            whole = list(range(len(self.task.train)))  # type: ignore[arg-type]
            source = Batches(whole, batch_size=self.task.training.batch, collate=self.task.batch)
        validation = Validation(
            lambda: self.task.evaluate(self.model), every=plan.validate_every, patience=plan.patience,
            keep_best=plan.patience is not None,
        )  # fmt: skip
        return train(
            self.model, source, Adam(self.model.parameters(), lr=plan.lr), updates=plan.updates, clip=plan.clip,
            clip_steps=plan.clip_steps, validation=validation, seed=self.seed, checkpoint=to, resume=resume,
            console=console, title=self.title,
        )  # fmt: skip

    @property
    def title(self) -> str:
        """Task and model in a word each."""
        return f"{self.task.name}: {self.how.model}{f'+{self.how.attention}' if self.how.attention else ''}"

    # ---- saved and loaded ----

    def to_dict(self) -> dict[str, Any]:
        """All that is needed to make it again, as plain data."""
        vocabularies = {"source": self.task.source, "target": self.task.target}
        return {
            **self.task.to_dict(),
            "build": self.how._asdict(),
            "seed": self.seed,
            "vocabularies": {role: v and v.to_dict() for role, v in vocabularies.items()},
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Experiment:
        """The experiment that a checkpoint holds, with the parameters that it has come to.

        Raises CheckpointError where the file cannot be read, is none of an experiment, or is of another vocabulary.
        """
        if not Path(path).is_file():
            raise CheckpointError(f"there is no checkpoint {str(path)!r}: train first")
        experiment = cls.from_dict(read_meta(path), str(path))
        load_parameters(experiment.model, path)
        experiment.model.eval()
        return experiment

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], path: str = "the checkpoint") -> Experiment:
        """A new experiment of the kind that `to_dict` told of."""
        try:
            task = task_from_dict({"task": data["task"], "options": data["options"]})
            how, saved = Build(**data["build"]), data["vocabularies"]
            for role in ("source", "target"):
                own, given = getattr(task, role), saved[role] and Vocabulary.from_dict(saved[role])
                different = None if own is None or given is None else own.difference(given)
                if different or (own is None) != (given is None):
                    raise CheckpointError(
                        f"{path} was written with another {role} vocabulary: {different or 'one of the two has none'}"
                    )
            return cls(task, how, seed=data["seed"])
        except (KeyError, TypeError, DataError, SequenceError) as error:
            raise no_experiment(path, error) from error


def begun_with(path: str | os.PathLike[str]) -> Plan:
    """The plan that the run in a checkpoint was begun with.  Raises CheckpointError."""
    try:
        return Plan(**read_meta(path)["plan"])
    except (KeyError, TypeError) as error:
        raise no_experiment(path, error) from error


def no_experiment(path: str | os.PathLike[str], error: Exception) -> CheckpointError:
    """The error for a checkpoint of something else."""
    reason = f"it lacks {error}" if isinstance(error, KeyError) else error
    return CheckpointError(f"{path} holds no experiment that can be made again: {reason}")
