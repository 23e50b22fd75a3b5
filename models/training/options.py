"""What can be asked of a training beside its updates: to validate, and to leave checkpoints."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tinygrad_seq.errors import DataError

from .history import History
from .metrics import BETTER

__all__ = ["Checkpoint", "Validation"]


@dataclass(frozen=True)
class Validation:
    """Measure the model now and then while it learns, stop when it no longer gets better, keep the best.

    measure: gives the metrics by name; it is called with the model in eval mode, and nothing is recorded.
    every: after how many updates; by default once an epoch, or every 100 updates of data without epochs.  The
    last of the updates is always followed by one.
    metric: the one that counts.  better: "min" or "max" of it; known for the names in `metrics.BETTER`.
    patience: stop after so many validations in a row that were not better than the best before; None never stops.
    keep_best: end with the parameters of the best validation, in place of the last.

    >>> from tinygrad_seq.models.training import Validation
    >>> Validation(lambda: {"accuracy": 0.5}, metric="accuracy").better
    'max'
    """

    measure: Callable[[], Mapping[str, float]]
    every: int | None = None
    metric: str = "loss"
    better: Literal["min", "max"] | None = None
    patience: int | None = None
    keep_best: bool = False

    def __post_init__(self) -> None:
        for name, x in (("every", self.every), ("patience", self.patience)):
            if x is not None and (not isinstance(x, int) or isinstance(x, bool) or x < 1):
                raise DataError(f"Validation: {name} must be a positive integer or None, got {x!r}")
        better = self.better or BETTER.get(self.metric)
        if better not in ("min", "max"):
            raise DataError(
                f'Validation: say with better= whether "min" or "max" of {self.metric!r} is better, got '
                f"{self.better!r}; it is known of {', '.join(BETTER)}"
            )
        object.__setattr__(self, "better", better)

    def best(self, history: History) -> int | None:
        """The number of the best validation so far, the first of equals; NaN is never best.  None: there is none."""
        sign = 1 if self.better == "min" else -1
        scores = [sign * row.get(self.metric, math.nan) for row in history.validation]
        good = [i for i, score in enumerate(scores) if not math.isnan(score)]
        return min(good, key=scores.__getitem__) if good else None

    def exhausted(self, history: History) -> bool:
        """Whether the patience is at its end."""
        if self.patience is None or not history.validation:
            return False
        best = self.best(history)
        return len(history.validation) - 1 - (-1 if best is None else best) >= self.patience


@dataclass(frozen=True)
class Checkpoint:
    """Leave checkpoints in a file, each in the place of the one before.

    path: where.  every: after how many updates; the end of the run and Ctrl-C leave one too.
    meta: what else to keep, as dicts, lists, texts and numbers, such as how to build the model; `read_meta` gives it
    back.  hint: how to go on, said after Ctrl-C.
    """

    path: str | os.PathLike[str]
    every: int = 100
    meta: Mapping[str, Any] = field(default_factory=dict)
    hint: str = "call train again with the same arguments and resume=True"

    def __post_init__(self) -> None:
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            raise DataError(f"Checkpoint: every must be a positive integer, got {self.every!r}")
