"""The central question, asked of several models at once: how much gradient comes back over how many steps?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tinygrad_seq.errors import DataError
from tinygrad_seq.gradflow import Verdict, verdict

from ..tasks.catalogue import nearest
from .networks import NETWORKS
from .sweeping import plan, sweep
from .tables import norms_table, runs_table, write_csv, write_parquet
from .trials import UPDATES, Run, Trial

__all__ = ["MODELS", "Comparison", "compare"]

MODELS = ("rnn", "lstm", "gru", "attention", "self-attention")
MOMENTS = {"init": "at initialisation", "trained": "after training on recall"}


def compare(
    models: Iterable[str] = MODELS,
    steps: int | Iterable[int] = 50,
    seeds: int | Iterable[int] = 5,
    *,
    initialisations: Iterable[str] = ("default",),
    hidden: int = 32,
    updates: int = UPDATES,
    trained: bool = True,
    jobs: int | None = None,
    dask: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Comparison:
    """Gradient against distance for several models, over several seeds, at initialisation and after training.

    models: of `NETWORKS`.  steps: T, or several.  seeds: how many, or which.  trained: whether to train them on recall,
    for so many updates, and to measure again; without it a model takes a third of a second, with it some seconds.
    jobs, dask, folder, resume, console: see `sweep`.
    Raises DataError for a model that there is not, naming the nearest; SweepError where runs failed.

    >>> from tinygrad_seq.models.flow import compare
    >>> flow = compare(["rnn", "self-attention"], steps=30, seeds=2, trained=False, jobs=1)
    >>> flow.norms("rnn").shape
    (2, 30)
    >>> flow.verdict("rnn").kind, flow.verdict("self-attention").kind
    ('vanishing', 'steady')
    """
    trials = plan(
        models, steps, seeds, initialisations=initialisations, hidden=hidden, updates=updates if trained else 0
    )
    return Comparison(sweep(trials, jobs=jobs, dask=dask, folder=folder, resume=resume, console=console), trials)


class Comparison:
    """Runs of several models, side by side.

    runs: all of them, in the order of `trials`, or by default of their coming.  models: their names, each once.
    moments: "init", and where there was training "trained".
    Where there are several lengths or initialisations, say which by steps= or initialisation=.
    """

    def __init__(self, runs: Iterable[Run], trials: Sequence[Trial] = ()) -> None:
        place = {trial: i for i, trial in enumerate(trials)}
        self.runs = sorted(runs, key=lambda run: place.get(run.trial, len(place)))
        if not self.runs:
            raise DataError("a comparison needs at least one run")
        self.models = list(dict.fromkeys(run.trial.model for run in self.runs))
        self.moments = [when for when in MOMENTS if any(when in run.measured for run in self.runs)]

    # ---- the numbers of one model ----

    def of(self, model: str, *, steps: int | None = None, initialisation: str | None = None) -> list[Run]:
        """The runs of a model, one for each seed.  Raises DataError where there are none, or more than asked about."""
        if model not in self.models:
            known = ", ".join(self.models)
            raise DataError(f"there is no model {model!r} here{nearest(model, self.models)} there are {known}")
        found = [run for run in self.runs if run.trial.model == model]
        for name, wanted in {"steps": steps, "initialisation": initialisation}.items():
            there = list(dict.fromkeys(getattr(run.trial, name) for run in found))
            if wanted is None and len(there) > 1:
                raise DataError(f"{model} was run with several: say {name}=, one of {', '.join(map(str, there))}")
            if wanted is not None and wanted not in there:
                raise DataError(f"{model} was not run with {name}={wanted!r}: there is {', '.join(map(str, there))}")
            found = [run for run in found if wanted is None or getattr(run.trial, name) == wanted]
        return found

    def norms(self, model: str, when: str = "init", *, quantity: str = "x", **which: Any) -> np.ndarray:
        """‖∂L_T/∂x_t‖, (seeds, T), at a moment; or of a state, such as quantity="h"."""
        runs = self.of(model, **which)
        for run in runs:
            if when not in run.measured:
                raise DataError(f"{model} was not measured {when!r}: there is {' and '.join(run.measured)}")
            there = run.measured[when].norms
            if quantity not in there:
                raise DataError(f"{model} has no {quantity!r} to measure: there is {', '.join(there)}")
        return np.stack([run.measured[when].norms[quantity] for run in runs])

    @property
    def t(self) -> np.ndarray:
        """The steps, 1 … T.  Raises DataError where there are several lengths: count the columns of `norms` then."""
        lengths = list(dict.fromkeys(run.trial.steps for run in self.runs))
        if len(lengths) > 1:
            raise DataError(f"there are runs of several lengths, {', '.join(map(str, lengths))}")
        return np.arange(1, lengths[0] + 1)

    def verdict(self, model: str, when: str = "init", *, quantity: str = "x", **which: Any) -> Verdict:
        """Whether the gradient vanishes, over all seeds, with the decay for each step."""
        return verdict(self.norms(model, when, quantity=quantity, **which))

    def ratio(self, model: str, when: str = "init", **which: Any) -> float:
        """‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖, the median over seeds; NaN where nothing arrives at the last step."""
        norms = self.norms(model, when, **which)
        first, last = norms[:, 0], norms[:, -1]
        return float(np.median(np.divide(first, last, out=np.full(len(last), np.nan), where=last != 0)))

    def scores(self, model: str, **which: Any) -> np.ndarray:
        """The share of right answers of each seed, (seeds): of what training was for, or of a model that is new."""
        return np.array([run.score for run in self.of(model, **which)])

    def score(self, model: str, **which: Any) -> float:
        """The mean of `scores`."""
        return float(self.scores(model, **which).mean())

    @property
    def chance(self) -> float:
        """What guessing gets."""
        return self.runs[0].chance

    # ---- all of it ----

    def groups(self) -> list[dict[str, Any]]:
        """What there is a `verdict` about: model, steps and initialisation, each once, as arguments of the above."""
        seen = dict.fromkeys((run.trial.model, run.trial.steps, run.trial.initialisation) for run in self.runs)
        return [dict(zip(("model", "steps", "initialisation"), key)) for key in seen]

    def label(self, model: str, *, steps: int, initialisation: str) -> str:
        """What to call a group in a picture: by what differs."""
        return ", ".join([NETWORKS[model].title, *self.differing(steps=steps, initialisation=initialisation)])

    def panels(self, steps: int | None = None) -> dict[str, dict[str, np.ndarray]]:
        """‖∂L_T/∂x_t‖ of every group by its label, (seeds, T), at each moment: what `viz.plot_distance` draws.

        steps: T, where there are several lengths.
        """
        T = len(self.t) if steps is None else steps
        shown = [group for group in self.groups() if group["steps"] == T]
        return {
            MOMENTS[when]: {self.label(**group): self.norms(when=when, **group) for group in shown}
            for when in self.moments
        }

    def differing(self, *, steps: int, initialisation: str, **_: Any) -> list[str]:
        """What of a group is not the same in all of them, in words."""
        said = {"steps": f"T={steps}", "initialisation": initialisation}
        return [word for name, word in said.items() if len({getattr(run.trial, name) for run in self.runs}) > 1]

    def table(self) -> dict[str, np.ndarray]:
        """One tidy table, column by column: a row for every run, moment, quantity and step; see `norms_table`."""
        return norms_table(self.runs)

    def runs_table(self) -> dict[str, np.ndarray]:
        """A row for every run and moment: loss, accuracy, ratio, size and time; see `tables.runs_table`."""
        return runs_table(self.runs)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `table()` as comma-separated values: the same bytes whatever ran the trials."""
        write_csv(path, self.table())

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `table()` as Parquet.  Raises DataError where pyarrow is not installed."""
        write_parquet(path, self.table())

    def runs_to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `runs_table()` as comma-separated values."""
        write_csv(path, self.runs_table())

    def runs_to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write `runs_table()` as Parquet.  Raises DataError where pyarrow is not installed."""
        write_parquet(path, self.runs_table())

    def summary(self) -> Table:
        """A table for the terminal: each model and moment, with its decay for each step, score and verdict."""
        shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
        for head in ("model", "when", "per step", "95 %", "first/last", "score", "verdict"):
            numeric = head not in ("model", "when", "verdict")
            shown.add_column(head, justify="right" if numeric else "left", no_wrap=head != "model")
        for group in self.groups():
            name = ", ".join([group["model"], *self.differing(**group)])
            for when in self.moments:
                told = self.verdict(when=when, **group)
                decay = told.decay
                shown.add_row(
                    name if when == self.moments[0] else "",
                    when,
                    f"{decay.factor:.3f}×" if decay else "",
                    f"{decay.low:.3f}–{decay.high:.3f}" if decay and decay.low == decay.low else "",
                    f"{self.ratio(when=when, **group):.1e}",
                    f"{np.mean([run.measured[when].accuracy for run in self.of(**group)]):.3f}",
                    told.kind,
                )
        return shown

    def __repr__(self) -> str:
        return f"<comparison of {', '.join(self.models)}: {len(self.runs)} runs, {' and '.join(self.moments)}>"
