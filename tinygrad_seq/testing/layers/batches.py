"""Whether the rows of a batch do not see each other, by their outputs, alone and together, and by their gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...autograd import grad
from ...data import plain
from ...errors import DataError
from ...tensor import Tensor
from ..faults import Fault
from ..reports import Report
from .findings import place
from .nested import arrays_in, changed, changed_by, exchanged, is_floating
from .trials import Trial

__all__ = ["rows_are_independent"]


def rows_are_independent(trial: Trial) -> Report:
    """Each row of a batch alone gives what it gives among the others, and no gradient goes from one to another."""
    trial.module.eval()
    counts = {size(x, axis) for x, axis in zip(trial.arguments, trial.axes, strict=True) if axis is not None} - {0}
    if not counts:
        return Report("")
    if len(counts) > 1 or counts == {1}:
        raise DataError(f"batch_axis: the arguments must have one batch, of at least 2 rows, got {sorted(counts)}")
    (count,) = counts
    leaves = trial.leaves()
    together = trial.call(trial.given(leaves))
    faults: list[Fault] = []
    notes, checks = [], 0
    for row in range(count):
        alone = replace(trial, arguments=row_of(trial, row)).call()
        for i, (whole, own) in enumerate(zip(together, alone, strict=True)):
            axis = batch_axis_of(whole.shape, own.shape, count)
            if axis is None:
                notes.append(f"output {i}, of shape {whole.shape}, has no batch: its rows cannot be compared")
                continue
            checks += own.size
            part = np.take(whole.data, [row], axis)
            if changed(part, own, tolerance_of(own)):
                message = f"row {row} of output {i} of {trial.name} {changed_by(part, own)} when it is computed alone"
                faults.append(Fault("batch", message + place(whole), (APART,), node=whole))
            else:
                faults += leaks(trial, leaves, whole, i, axis, row)
    first = {fault.kind: fault for fault in reversed(faults)}
    return Report("", tuple(first.values()), tuple(dict.fromkeys(notes)), checks)


APART = "the rows of a batch must not see each other: look for a sum, mean, max or softmax over the wrong axis"


def leaks(trial: Trial, leaves: list[Tensor], y: Tensor, i: int, axis: int, row: int) -> Iterator[Fault]:
    """Where a gradient goes from a row of an output into another row of an input."""
    if not y.requires_grad:
        return
    weights = np.zeros(y.shape, y.dtype)
    where = [slice(None)] * y.ndim
    where[axis] = slice(row, row + 1)
    weights[tuple(where)] = np.random.default_rng(trial.seed).normal(size=weights[tuple(where)].shape)
    found = iter(zip(leaves, grad([y], leaves, [weights], allow_unused=True), strict=True))
    for argument, own in zip(trial.arguments, trial.axes, strict=True):
        for x in arrays_in(argument):
            if not is_floating(x):
                continue
            leaf, g = next(found)
            if own is None or g is None:
                continue
            others = np.delete(np.asarray(g), row, own)
            if np.any(others) and np.isfinite(others).all():
                other = int(np.argwhere(np.moveaxis(np.asarray(g), own, 0).any(axis=tuple(range(1, g.ndim))))[0][0])
                message = (
                    f"row {row} of output {i} of {trial.name} sends a gradient of {np.abs(others).max():.2g} to "
                    f"another row of {leaf.name}, such as {other}{place(y)}"
                )
                yield Fault("batch", message, (APART,), node=y)


def row_of(trial: Trial, row: int) -> tuple[Any, ...]:
    """The arguments of one row alone, still with an axis for the batch."""

    def only(argument: Any, axis: int | None) -> Any:
        if axis is None:
            return argument
        if isinstance(argument, list | tuple) and not arrays_in(argument):
            return type(argument)(np.take(np.asarray(argument), [row], axis).tolist())
        return exchanged(argument, lambda x: np.take(plain(x), [row], axis))

    return tuple([only(x, axis) for x, axis in zip(trial.arguments, trial.axes, strict=True)])


def size(argument: Any, axis: int) -> int:
    """How many rows an argument has; 0 where it has none, as None."""
    arrays = arrays_in(argument) or ([np.asarray(argument)] if isinstance(argument, list | tuple) else [])
    return int(np.shape(plain(arrays[0]))[axis]) if arrays else 0


def batch_axis_of(whole: tuple[int, ...], own: tuple[int, ...], count: int) -> int | None:
    """Where the batch stands in an output: the axis that is 1 for one row and `count` for all."""
    if len(whole) != len(own):
        return None
    axes = [a for a, (n, m) in enumerate(zip(whole, own)) if n == count and m == 1]
    return axes[0] if axes else None


def tolerance_of(x: Any) -> float:
    """What the order of a sum may change, as a share."""
    return 1e-4 if x.dtype == np.float32 else 1e-9
