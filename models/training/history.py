"""What happened in training: an entry for each update, a row for each validation."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from tinygrad_seq import checkpoint
from tinygrad_seq.errors import DataError

__all__ = ["History"]

SERIES = ("loss", "gradient_norm", "learning_rate", "seconds")
WORDS = {
    "gradient_norm": "‖grad‖",
    "learning_rate": "lr",
    "validation_bits_per_character": "valid bits per char",
    "validation_character_error_rate": "valid char error rate",
}


@dataclass
class History:
    """What happened in training; of a resumed run, all of it.

    For each update: the loss before it; the norm of the gradient of all parameters together, before clipping; the
    learning rate (of the optimiser's first group); and how many seconds it took, which two equal runs may differ in.
    validation: for each validation a dict with the "update" after which it was made, and each metric.
    """

    loss: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    validation: list[dict[str, float]] = field(default_factory=list)

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return len(self.loss)

    def series(self, metric: str) -> tuple[list[int], list[float]]:
        """(updates, values) of a metric of the validations.

        >>> from tinygrad_seq.models.training import History
        >>> history = History(validation=[{"update": 5, "accuracy": 0.5}, {"update": 10, "accuracy": 0.75}])
        >>> history.series("accuracy")
        ([5, 10], [0.5, 0.75])
        """
        rows = [row for row in self.validation if metric in row]
        return [int(row["update"]) for row in rows], [row[metric] for row in rows]

    # ---- shown ----

    def rows(self) -> list[dict[str, float]]:
        """A dict for each update; where it was followed by a validation, each metric as "validation_…"."""
        measured = {int(row["update"]): row for row in self.validation}
        rows = []
        for n, values in enumerate(zip(*[getattr(self, name) for name in SERIES]), start=1):
            metrics = {f"validation_{name}": x for name, x in measured.get(n, {}).items() if name != "update"}
            rows.append({"update": n, **dict(zip(SERIES, values)), **metrics})
        return rows

    def table(self, lines: int = 20) -> Table:
        """A table for the terminal: the validations, or without any some of the updates; at most so many lines."""
        if not isinstance(lines, int) or lines < 2:
            raise DataError(f"table: lines must be an integer of at least 2, got {lines!r}")
        rows = self.rows()
        rows = [row for row in rows if len(row) > 1 + len(SERIES)] or rows
        if len(rows) > lines:
            rows = [rows[round(i)] for i in np.linspace(0, len(rows) - 1, lines)]
        names = [name for name in names_of(rows) if name != "seconds"]
        heads = [WORDS.get(name, name.replace("validation", "valid").replace("_", " ")) for name in names]
        table = Table(*heads, box=SIMPLE_HEAD, padding=0, pad_edge=False)
        for column in table.columns:
            column.justify = "right"
        for row in rows:
            shown = [row.get(name) for name in names]
            table.add_row(*["" if x is None else f"{x:,}" if isinstance(x, int) else f"{x:.3g}" for x in shown])
        return table

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write `rows()` as comma-separated values, whole or not at all; a metric is empty where it was not measured.

        Numbers are written so that they read back to the same bits.
        """
        rows, text = self.rows(), io.StringIO()
        writer = csv.DictWriter(text, names_of(rows), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        checkpoint.write_whole(path, text.getvalue().encode())

    # ---- saved and loaded ----

    def state_dict(self) -> dict[str, Any]:
        """All of it, for a checkpoint."""
        return {
            **{name: np.array(getattr(self, name), float) for name in SERIES},
            "validation": [dict(row) for row in self.validation],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Become what was saved."""
        loaded = {name: [float(x) for x in state[name]] for name in SERIES}
        rows = [dict(row) for row in state["validation"]]
        for name, values in loaded.items():
            setattr(self, name, values)
        self.validation = rows


def names_of(rows: list[dict[str, float]]) -> list[str]:
    """All keys of the rows, in the order in which they first come."""
    return list(dict.fromkeys(["update", *SERIES, *(name for row in rows for name in row)]))
