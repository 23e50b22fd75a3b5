"""Whether the sequences of a batch do not see each other, nor what stands after their end."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np

from ...autograd import grad
from ...nn import Module
from ..reports import Report
from .findings import fault, node_at
from .nested import changed_by, exchanged, first_changed
from .runs import Run, at, count, near, parts, slopes

__all__ = ["padding_changes_nothing", "sequences_are_apart"]


def padding_changes_nothing(run: Run) -> Report:
    """With lengths: what stands after the end of a sequence, even NaN, reaches no output, state or gradient."""
    if not run.is_layer or "lengths" not in inspect.signature(forward_of(run.cell)).parameters:
        return Report("")
    T, batch = run.x.shape[:2]
    lengths = np.random.default_rng(run.seed).permutation([T - i * (T - 1) // (batch - 1) for i in range(batch)])
    padding = np.arange(T)[:, None] >= lengths
    leaves, state = run.leaves()
    outs, last = run(leaves, state, lengths)
    expected = slopes(run, [*outs, *parts(last)], [leaves, *parts(state), *run.parameters])
    names = ["x", *["the initial state"] * len(parts(state)), *run.names]
    checks = count(outs)
    for filler in (0.0, 1e6, np.nan, np.inf):
        x = run.x.copy()
        x[padding] = filler
        filled, begin = replace(run, x=x).leaves()
        others, end = run(filled, begin, lengths)
        found = first_changed([*outs, *parts(last)], [*others, *parts(end)], near(run))
        if found is not None:
            i, a, b = found
            message = f"{at(run, i)} {changed_by(a, b)} when the padding is {filler:g} (lengths {lengths.tolist()})"
            return Report("", (fault("padding", message, node_at(b, i + 1), ENDED),))
        gradients = slopes(run, [*others, *parts(end)], [filled, *parts(begin), *run.parameters])
        found = first_changed(expected, gradients, near(run))
        if found is not None:
            i, g, other = found
            message = f"the gradient of {names[i]} {changed_by(g, other)} when the padding is {filler:g}"
            return Report("", (fault("padding", message, None, NOT_FINITE_ZERO),))
        checks += count(others) + sum(g.size for g in gradients)
    for t, out in enumerate(outs):
        if np.any(out.data[padding[t]]):
            row = int(np.argmax(padding[t] & out.data.any(axis=-1)))
            message = (
                f"output at t={t + 1} of sequence {row}, which has ended at t={lengths[row]}, is "
                f"{np.abs(out.data[row]).max():.2g}: after the end it must be 0"
            )
            return Report("", (fault("padding", message, node_at(out, t + 1), ENDED),))
    if np.any(expected[0][padding]):
        message = f"x in the padding gets a gradient of {np.abs(expected[0][padding]).max():.2g}: it must be 0"
        return Report("", (fault("padding", message, None, ENDED),))
    for row, n in enumerate(lengths):
        own, end = run(run.x[:n, row : row + 1], row_of(run, row))
        pairs = [[out.data[row : row + 1] for out in outs[:n]], [part.data[:, row : row + 1] for part in parts(last)]]
        found = first_changed([*pairs[0], *pairs[1]], [*own, *parts(end)], near(run))
        if found is not None:
            i, a, b = found
            what = f"output at t={i + 1}" if i < n else "the last state"
            message = f"{what} of sequence {row}, of length {n}, {changed_by(a, b)} when it is computed without padding"
            return Report("", (fault("padding", message, node_at(outs[min(i, n - 1)], i + 1), ENDED),))
    return Report("", checks=checks)


ENDED = "after its end a sequence keeps its state, and its output is 0: F.where(active, new, old)"
NOT_FINITE_ZERO = "0 · NaN is NaN: put zeros in place of the padding before it meets anything, by F.where"


def forward_of(cell: Any) -> Any:
    """What says which arguments a layer takes."""
    return cell.forward if isinstance(cell, Module) else cell


def sequences_are_apart(run: Run) -> Report:
    """Each sequence alone is as it is in the batch, in any order, and gets no gradient of another."""
    x, state = run.leaves()
    outs, last = run(x, state)
    generator = np.random.default_rng(run.seed)
    batch, axis, checks = run.x.shape[1], run.batch_axis, 0
    for row in range(batch):
        own, end = run(run.x[:, row : row + 1], row_of(run, row))
        whole = [out.data[row : row + 1] for out in outs] + [np.take(part.data, [row], axis) for part in parts(last)]
        found = first_changed(whole, [*own, *parts(end)], near(run))
        checks += count(own)
        if found is not None:
            i, a, b = found
            message = f"{at(run, i)} of sequence {row} {changed_by(a, b)} when it is computed alone"
            return Report("", (fault("batch", message, node_at(outs[min(i, len(outs) - 1)], i + 1), APART),))
    order = generator.permutation(batch)
    while (order == np.arange(batch)).all():
        order = generator.permutation(batch)
    others, end = run(run.x[:, order], exchanged(run.state, lambda part: np.take(part, order, axis)))
    whole = [out.data[order] for out in outs] + [np.take(part.data, order, axis) for part in parts(last)]
    found = first_changed(whole, [*others, *parts(end)], near(run))
    if found is not None:
        i, a, b = found
        message = f"{at(run, i)} {changed_by(a, b)} when the sequences of the batch stand in another order"
        return Report("", (fault("batch", message, node_at(outs[min(i, len(outs) - 1)], i + 1), APART),))
    ending = outs[-1] if not run.both_ways else outs[len(outs) // 2]
    for row in range(batch if ending.requires_grad else 0):
        weights = np.zeros(ending.shape)
        weights[row] = generator.normal(size=ending.shape[1:])
        (g,) = grad([ending], [x], [weights], allow_unused=True)
        others_g = np.zeros(0) if g is None else np.delete(np.asarray(g), row, 1)
        checks += others_g.size
        if np.any(others_g):
            size = np.abs(others_g).max()
            message = f"an output of sequence {row} sends a gradient of {size:.2g} to another sequence"
            return Report("", (fault("batch", message, node_at(ending, len(outs)), APART),))
    return Report("", checks=checks)


APART = "the sequences of a batch must not see each other: look for a sum, mean, max or norm over the wrong axis"


def row_of(run: Run, row: int) -> Any:
    """The initial state of one sequence."""
    return exchanged(run.state, lambda part: np.take(part, [row], run.batch_axis))
