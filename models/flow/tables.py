"""Runs as tables: tidy columns, and files of them, whose bytes are the same for the same numbers."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from tinygrad_seq import checkpoint
from tinygrad_seq.errors import DataError

from .trials import Run

__all__ = ["norms_table", "runs_table", "write_csv", "write_parquet"]

Columns = Mapping[str, np.ndarray]


def norms_table(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """A row for every run, moment, quantity and step; the same for the same trials, whoever ran them.

    model, initialisation, steps, hidden, updates, seed: the trial.  when: "init" or "trained".  quantity: "x", what is
    read, or a state such as "h".  t: the step.  distance: how many steps before the last.  norm: ‖∂L_T/∂x_t‖.
    """
    rows = [
        (*trial_row(run), when, quantity, t, run.trial.steps - t, norm)
        for run in runs
        for when, measured in run.measured.items()
        for quantity, norms in measured.norms.items()
        for t, norm in enumerate(norms.tolist(), start=1)
    ]
    return columns([*TRIAL, "when", "quantity", "t", "distance", "norm"], rows)


def runs_table(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """A row for every run and moment.

    Besides the trial: loss and accuracy (chance: of guessing); ratio: ‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖; parameters;
    sequential: the longest chain of operations; seconds_per_update: the one column that another time has otherwise.
    """
    rows = [
        (
            *trial_row(run), when, measured.loss, measured.accuracy, run.chance, run.ratio(when), run.parameters,
            run.sequential, run.seconds_per_update,
        )
        for run in runs
        for when, measured in run.measured.items()
    ]  # fmt: skip
    names = ["when", "loss", "accuracy", "chance", "ratio", "parameters", "sequential", "seconds_per_update"]
    return columns([*TRIAL, *names], rows)


TRIAL = ("model", "initialisation", "steps", "hidden", "updates", "seed")


def trial_row(run: Run) -> tuple[Any, ...]:
    return tuple([getattr(run.trial, name) for name in TRIAL])


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    """Rows as one array for each column."""
    return {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}


def write_csv(path: str | os.PathLike[str], table: Columns) -> None:
    """Write columns as comma-separated values, whole or not at all; numbers read back to the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*[column.tolist() for column in table.values()], strict=True))
    checkpoint.write_whole(path, text.getvalue().encode())


def write_parquet(path: str | os.PathLike[str], table: Columns) -> None:
    """Write columns as a Parquet file, whole or not at all.  Raises DataError where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise DataError("Parquet takes the package pyarrow: pip install 'tinygrad-seq[parquet]', or write CSV")
    import pyarrow  # here, since loading it takes longer than all the rest, and few need it
    from pyarrow import parquet

    content = io.BytesIO()
    parquet.write_table(pyarrow.table({name: pyarrow.array(x) for name, x in table.items()}), content)
    checkpoint.write_whole(path, content.getvalue())
