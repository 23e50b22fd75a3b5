"""The models of the lecture on one task with a long lag: their gradient before and after training, and themselves."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tinygrad_seq import Tensor, optim
from tinygrad_seq.gradflow import Verdict, per_step, verdict

from ..flow.networks import network
from ..flow.trials import CLIP, RATE, Growing, Trial, loss_and_input, measure, random_numbers, recall
from ..tasks import Task
from ..training import train
from .chapter import Plan

__all__ = ["LEARNERS", "Lag", "Learner", "factor_of", "lag_of", "share_of"]

WATCHED, FRAMES, WATCHING = "lstm", 15, 32  # which model, at how many moments, on how many sequences
TIMED = 7  # runs, of which the median counts
LEARNERS = ("rnn", "lstm", "gru", "attention", "self-attention")


class Learner(NamedTuple):
    """One model that has learnt recall: as it was before, as it is after, and its score.

    norms: ‖∂L_T/∂x_t‖, (T), by moment: "init", and "trained" where it was trained.  frames: the same after so many
    updates, where it was watched.
    """

    trial: Trial
    untrained: Any
    network: Any
    norms: dict[str, np.ndarray]
    score: float
    frames: list[tuple[int, np.ndarray]]


class Lag:
    """The models on recall: say at the end which symbol came first.

    task: with the length of the tour.  learners: the first of each model, by name.
    """

    def __init__(self, runs: Iterable[Learner]) -> None:
        self.runs = list(runs)
        self.learners: dict[str, Learner] = {}
        for run in self.runs:
            self.learners.setdefault(run.trial.model, run)
        self.task: Task = recall(self.runs[0].trial.steps)

    def norms(self, model: str, when: str) -> np.ndarray:
        """‖∂L_T/∂x_t‖ of each run of a model at a moment, (runs, T)."""
        return np.array([run.norms[when] for run in self.runs if run.trial.model == model and when in run.norms])

    def verdict(self, model: str, when: str) -> Verdict:
        """What its gradient does, over its runs."""
        return verdict(self.norms(model, when))

    def score(self, model: str) -> float:
        """The share that it gets right: the mean of those runs that were trained."""
        return float(np.mean([run.score for run in self.runs if run.trial.model == model and run.trial.updates]))

    def milliseconds(self, model: str) -> float:
        """What the way forward and back through 32 sequences takes: the median of some runs, one at a time."""
        network, taken = self.learners[model].network, []
        for _ in range(TIMED):
            started = time.perf_counter()
            loss_and_input(network, self.task, WATCHING)[0].backward()
            taken.append(time.perf_counter() - started)
        network.zero_grad()
        return 1000 * float(np.median(taken))

    def one(self, model: Any) -> tuple[Tensor, Tensor, list[str]]:
        """The loss of one sequence that no model was trained on, the vectors that were read, and the tokens."""
        loss, x = loss_and_input(model, self.task, 1)
        tokens, *_ = next(iter(self.task.test.batches(1)))
        return loss, x, [self.task.source.token(i) for i in tokens[:, 0].tolist()]  # type: ignore[union-attr]


def lag_of(
    plan: Plan, seed: int, models: Collection[str], trained: Collection[str], *, jobs: int = -1,
    console: Console | None = None,
) -> Lag:  # fmt: skip
    """Measure the models at the start from several seeds, and train some of them, each in a process of its own.

    jobs: how many at a time; -1: as many as there are cores.
    """
    trials = []
    for n in range(plan.seeds):
        for model in models:
            updates = plan.recall if model in trained and n < plan.learners else 0
            trials.append(Trial(model, plan.steps, seed + n, hidden=plan.hidden, updates=updates))
    trials.sort(key=lambda one: -one.updates)  # the long ones first
    work = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(studied)(one, one.model == WATCHED and one.seed == seed) for one in trials
    )
    return Lag(shown(work, len(trials), console))


def shown(runs: Iterator[Learner], total: int, console: Console | None) -> Iterator[Learner]:
    """The runs as they come, counted on a terminal."""
    if console is None or not console.is_terminal:
        yield from runs
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield from progress.track(runs, total, description="models on recall")


def studied(trial: Trial, watched: bool = False) -> Learner:
    """What `flow.trial` measures, to the same bits, and the model itself.  watched: also while it learns."""
    of = recall(trial.steps)
    sizes: dict[str, Any] = {"tokens": of.num_tokens, "num_classes": of.num_classes}
    with random_numbers(trial.seed):
        model = network(trial.model, trial.hidden, **sizes)
        untrained = network(trial.model, trial.hidden, **sizes)
        untrained.load_state_dict(model.state_dict())
        found = {"init": measure(model, of, ())}
        frames = [(0, found["init"].norms["x"])]

        def watch() -> bool:
            seen.append(len(seen) + 1)
            if watched and len(seen) % max(1, trial.updates // FRAMES) == 0:
                loss, x = loss_and_input(model, of, WATCHING)
                frames.append((len(seen), per_step(loss, x).norms))
            return False

        seen: list[int] = []
        if trial.updates:
            train(model, Growing(trial.steps, trial.updates), optim.Adam(model.parameters(), lr=RATE),
                            updates=trial.updates, clip=CLIP, seed=trial.seed, until=watch)  # fmt: skip
            found["trained"] = measure(model, of, ())
    norms = {when: one.norms["x"] for when, one in found.items()}
    return Learner(trial, untrained, model, norms, list(found.values())[-1].accuracy, frames)


def share_of(norms: np.ndarray) -> float:
    """What of the last step's gradient is left at the first: the median of the runs."""
    return float(np.median(norms[:, 0] / norms[:, -1]))


def factor_of(said: Verdict) -> float:
    """What a step back multiplies by; NaN where no line was fitted."""
    return said.decay.factor if said.decay else float("nan")
