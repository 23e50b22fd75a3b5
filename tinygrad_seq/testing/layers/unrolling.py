"""A run as single steps: each gives what it gives by hand, sees no later input, and knows its time."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import numpy as np

from ...autograd import grad
from ...data import plain
from ...graph import Graph
from ...nn import Module
from ...tensor import Tensor
from ..reports import Report
from .findings import fault, node_at
from .nested import changed_by, exchanged, first_changed
from .runs import Run, at, count, near, parts, tensor, told_apart

__all__ = ["sees_no_later_input", "stepped_by_hand", "time_is_counted"]


def stepped_by_hand(run: Run) -> Report:
    """A layer is a loop of its equation; a cell gives at each step what it gives when called for that step alone."""
    outs, last = run()
    if not run.is_layer:
        own, state = [], exchanged(run.state, tensor)
        for x_t in run.x:
            called = type(run.cell).forward is not Module.forward if isinstance(run.cell, Module) else False
            out, state = told_apart((run.cell if called else run.step)(Tensor(x_t), state), state)
            state = exchanged(state, lambda part: Tensor(part.data))  # nothing but its numbers goes on
            own.append(out)
        what = "the cell is called for each step alone, with the numbers of the state before it"
    elif hasattr(run.cell, "equation") and hasattr(run.cell, "_suffixes"):
        own, state = looped(run)
        what = "the layer is stepped by hand, in a loop over its equation"
    else:
        return Report("", notes=("the layer has no `equation` to be stepped by hand",))
    found = first_changed([*outs, *parts(last)], [*own, *parts(state)], near(run))
    if found is None:
        return Report("", checks=count(outs))
    i, a, b = found
    return Report("", (fault("unrolled", f"{at(run, i)} {changed_by(a, b)} when {what}", node_at(a, i + 1)),))


def looped(run: Run) -> tuple[list[Any], Any]:
    """A layer of the package by its equation alone: a loop over time, in each layer and direction."""
    layer, xs, states = run.cell, [Tensor(x_t) for x_t in run.x], []
    several = isinstance(run.state, tuple)
    below, suffixes = xs, layer._suffixes()
    for k, suffix in enumerate(suffixes):
        equation = layer.equation(suffix)
        state = exchanged(exchanged(run.state, itemgetter(k)), Tensor)
        backwards = suffix.endswith("_reverse")
        outs = []
        for x_t in reversed(below) if backwards else below:
            out, state = equation.step(x_t, state)
            outs.append(out.data)
        states.append(state)
        if not backwards:
            forwards = outs
        if backwards or not run.both_ways:
            both = [np.concatenate(pair, -1) for pair in zip(forwards, outs[::-1])] if backwards else outs
            below = [Tensor(y) for y in both]
    stacked = [np.stack([plain(parts(state)[i]) for state in states]) for i in range(len(parts(run.state)))]
    return below, tuple(stacked) if several else stacked[0]


def sees_no_later_input(run: Run) -> Report:
    """Another x_t changes no output before t, and gets no gradient of one."""
    if run.both_ways:
        return Report("", notes=("causality: it reads in both directions, so every output may depend on every input",))
    x, state = run.leaves()
    outs, _ = run(x, state)
    generator = np.random.default_rng(run.seed)
    T, checks, notes = len(outs), 0, list[str]()
    for t in range(1, T):
        moved = run.x.copy()
        moved[t] = generator.normal(size=moved[t].shape)
        found = first_changed(outs[:t], run(moved)[0][:t])
        checks += count(outs[:t])
        if found is not None:
            s, a, b = found
            message = f"output at t={s + 1} {changed_by(a, b)} when x at t={t + 1} is changed: {LATER}"
            return Report("", (fault("causality", message, node_at(a, s + 1), PAST),))
        moved[t] = np.nan
        found = first_changed(outs[:t], run(moved)[0][:t])
        if found is not None and not notes:
            s, a, b = found
            notes.append(f"output at t={s + 1} {changed_by(a, b)} when x at t={t + 1} is NaN, which even 0 · NaN is")
    for s, out in enumerate(outs):
        if not out.requires_grad:
            continue
        (g,) = grad([out], [x], [generator.normal(size=out.shape)], allow_unused=True)
        later = np.zeros(0) if g is None else np.asarray(g)[s + 1 :]
        checks += later.size
        if np.any(later):
            t = s + 1 + int(np.flatnonzero(later.reshape(len(later), -1).any(axis=1))[0])
            message = f"output at t={s + 1} sends a gradient of {np.abs(g[t]).max():.2g} to x at t={t + 1}: {LATER}"
            return Report("", (fault("causality", message, node_at(out, s + 1), PAST),))
    return Report("", (), tuple(notes), checks)


LATER = "a step must not see later inputs"
PAST = "compute step t from x_1 … x_t and the state that step t-1 handed on, and from nothing else"


def time_is_counted(run: Run) -> Report:
    """Where a layer marks its nodes with time steps, these are 1 to T, and none is made from a later one."""
    if not run.is_layer:
        return Report("")
    x, state = run.leaves()
    outs, _ = run(x, state)
    record = Graph(*outs)
    found = sorted({node.t for node in record if node.t is not None})
    if not found:
        return Report("", notes=("the record has no time steps: in a loop over `steps` every node knows its t",))
    T = len(run.x)
    if found != list(range(1, T + 1)):
        marks = ", ".join(map(str, found))
        message = f"the record of {T} steps is marked t = {marks}: it must be 1 to {T}"
        return Report("", (fault("time", message, node_at(outs[0], found[0]), "for t, x in steps(xs): …"),))
    for node in () if run.both_ways else record:
        for before in node.inputs:
            if node.t is not None and before.t is not None and before.t > node.t:
                message = f"a node of t={node.t} is made from one of t={before.t}"
                return Report("", (fault("time", message, node, "mark what a step computes with its own t"),))
    return Report("", checks=len(found))
