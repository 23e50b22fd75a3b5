"""`check_recurrent`: what must hold for anything that goes through time step by step, a cell or a layer, whoever's.

    h_t = f(x_t, h_{t-1})        y_s depends on x_1 … x_s and h_0, and on nothing else

From these two lines all the properties here follow: where one fails, the gradient of some step goes to a wrong place,
though every single derivative may be right.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError
from ...graph import Graph
from ...nn import Module
from ...tensor import Tensor
from ..reports import Report
from .determinism import held
from .findings import checked, fault, node_at
from .nested import changed_by, exchanged, first_changed, tensors_in
from .runs import Run, alike, at, count, near, parts, prepared, said, slopes
from .sequences import padding_changes_nothing, sequences_are_apart
from .trials import gradient_check, kept, put, seeded
from .unrolling import sees_no_later_input, stepped_by_hand, time_is_counted

__all__ = ["check_recurrent"]


def check_recurrent(
    cell: Any,
    example: Any = None,
    *,
    initial: Any = None,
    order: int = 1,
    T: int = 5,
    batch: int = 3,
    raise_exception: bool = True,
    seed: int = 0,
) -> Report:
    """Check a recurrent cell or layer: that it computes step by step, and that its gradients go where they belong.

    cell: one of
      a function, or a module, `cell(x_t, state)` that returns the new state, or (output, new state);
      a module with `step(x_t, state)` that returns (output, new state);
      a layer through time, `layer(x, state)` or `layer(x, state, lengths)`, that returns (output, last state); it is
      known by one of PyTorch's attributes num_layers, bidirectional and batch_first, the last of which is its layout.
    The state is a tensor, or a tuple of tensors.  example: x, (T, batch, features); by default random numbers, for
    cells with an `input_size`, of T steps and that batch.  initial: the state before the first step, (batch, hidden),
    of layers (layers · directions, batch, hidden); by default random, of the shape that is returned for a state of
    None, or of `hidden_size`.  order: of the gradients, as in `gradcheck`.  A module is checked in eval() and left as
    it was.

    What is checked, each with its own kind of fault: a second run gives the same ("hidden state"); hand-stepped is as
    unrolled ("unrolled"); a later input changes no earlier output, and gets no gradient of it ("causality"; not with
    both directions); two halves with the state passed on are one long run ("state passing"); what stands after the end
    of a sequence changes nothing ("padding", for layers that take lengths); sequences do not see each other ("batch");
    finite losses have finite gradients ("not finite"); time steps in the record count from 1 to T ("time"); and the
    gradients of a short run, see `gradcheck`.

    Raises GradientCheckError with all that is wrong, or gives a Report that is false (raise_exception=False).

    >>> from tinygrad_seq.models import GRU, LSTMCell
    >>> from tinygrad_seq.testing import check_recurrent
    >>> bool(check_recurrent(LSTMCell(2, 3))), bool(check_recurrent(GRU(2, 3, num_layers=2)))
    (True, True)
    """
    __tracebackhide__ = True
    if not callable(cell):
        raise DataError(f"check_recurrent needs a cell or a layer, got {type(cell).__name__}: see its docstring")
    with kept(cell) if isinstance(cell, Module) else nullcontext(), seeded(seed):
        if isinstance(cell, Module):
            cell.eval()
        run = replace(prepared(cell, example, initial, T, batch, seed), order=order)
        report = checked(run, PROPERTIES, FIRST)
    report = replace(report, name=run.name)
    return report.raised() if raise_exception else report


# ---- the properties ----------------------------------------------------------------------


def comes_out_the_same_again(run: Run) -> Report:
    """A run is a function of x and the state: made again it gives the same."""
    before = held(run.cell)
    (first, last), (second, end) = run(), run()
    found = first_changed([*first, *parts(last)], [*second, *parts(end)])
    if found is None and not alike(last, run.state):
        message = f"the last state {said(last)} is not built as the first, {said(run.state)}: it cannot be passed on"
        return Report("", (fault("state passing", message, None, "hand out the state as it is taken"),))
    if found is None:
        return Report("", checks=count(first))
    i, a, b = found
    message = f"{at(run, i)} {changed_by(a, b)} when the same run is made again: the cell keeps something in itself"
    now = held(run.cell)
    names = [name for name in now if now[name] is not before.get(name)]
    where = [f"its attribute {name} changes from run to run"] if names and (name := names[0]) else []
    details = [*where, "hand it in as the state, and hand out the new one"]
    return Report("", (fault("hidden state", message, node_at(b, i + 1), *details),))


def state_is_all_that_goes_on(run: Run) -> Report:
    """Two halves with the state passed on are one long run: outputs, last state, and all gradients."""
    if run.both_ways:
        return Report("", notes=("state passing: with both directions a half does not know the other's end",))
    cut = len(run.x) // 2
    x, state = run.leaves()
    whole, last = run(x, state)
    y, begin = run.leaves()
    first, between = run(y[:cut], begin)
    second, end = run(y[cut:], between)
    found = first_changed([*whole, *parts(last)], [*first, *second, *parts(end)], near(run))
    passed = f"when the run is cut after t={cut} and the state passed on"
    what = "all that a step needs to know of those before it must be in the state"
    if found is not None:
        i, a, b = found
        message = f"{at(run, i)} {changed_by(a, b)} {passed}"
        return Report("", (fault("state passing", message, node_at(a, i + 1), what),))
    names = ["x", *["the initial state"] * len(parts(state)), *run.names]
    one = slopes(run, [*whole, *parts(last)], [x, *parts(state), *run.parameters])
    two = slopes(run, [*first, *second, *parts(end)], [y, *parts(begin), *run.parameters])
    found = first_changed(one, two, 100 * near(run))
    if found is not None:
        i, g, other = found
        message = f"the gradient of {names[i]} {changed_by(g, other)} {passed}: it does not go back through the state"
        what = "hand on the state itself, not its .data: detach() between halves only where the gradient is to end"
        return Report("", (fault("state passing", message, None, what),))
    return Report("", checks=count(whole) + sum(g.size for g in one))


def gradients_are_finite(run: Run) -> Report:
    """Where the outputs are finite so are the gradients, of small, large and vanishing inputs."""
    checks = 0
    for scale in (1.0, 1e3, 0.0):
        begin = run.state if scale else exchanged(run.state, np.zeros_like)
        x, state = replace(run, x=run.x * scale, state=begin).leaves()
        outs, last = run(x, state)
        if not all(np.isfinite(y.data).all() for y in [*outs, *parts(last)]):
            continue
        with np.errstate(all="ignore"):
            found = slopes(run, [*outs, *parts(last)], [x, *parts(state), *run.parameters])
        checks += sum(g.size for g in found)
        for name, g in zip(["x", *["the initial state"] * len(parts(state)), *run.names], found, strict=True):
            if not np.isfinite(g).all():
                bad = int((~np.isfinite(g)).sum())
                message = f"all outputs are finite, but {bad} of {g.size} numbers in the gradient of {name} are not"
                return Report("", (fault("not finite", f"{message}, for inputs times {scale:g}", outs[-1], FINITE),))
    return Report("", checks=checks)


FINITE = "look for sqrt, log or a division whose argument becomes 0, also in the branch of a where that is not taken"


def gradients_are_right(run: Run) -> Report:
    """Of all outputs and the last state of a short run, by x, the initial state and every parameter."""
    two = exchanged(run.state, lambda h: np.take(h, [0, 1], run.batch_axis).astype(float))
    short = replace(run, x=run.x[:3, :2].astype(float), state=two)
    x, state = short.leaves()
    outs, last = short(x, state)
    notes: tuple[str, ...] = ()
    if not isinstance(run.cell, Module):
        given = {x, *parts(state)}
        leaves = [node for node in Graph(*outs, *parts(last)) if node.op is None and node not in given]
        closed = [node for node in leaves if node.requires_grad]
        if closed:
            notes = (f"{len(closed)} weights are no parameters of an nn.Module: their gradients are not compared",)
    named = zip(run.names, run.parameters, strict=True)
    doubles = [Tensor(p.data, requires_grad=True, dtype=float, name=name) for name, p in named]

    def unrolled(*given: Any) -> tuple[Tensor, ...]:
        rest = iter(given[1:])
        began = exchanged(short.state, lambda _: next(rest))
        stand_ins = dict(zip(run.parameters, rest, strict=True))
        with kept(run.cell) if run.names else nullcontext(), put(run.cell, stand_ins) if run.names else nullcontext():
            outs, last = short(given[0], began)
        return (*outs, *tensors_in(last))

    unrolled.__name__ = run.name
    report = gradient_check(unrolled, [x, *parts(state), *doubles], run.order, run.seed)
    return replace(report, notes=(*report.notes, *notes))


PROPERTIES: list[Callable[[Run], Report]] = [
    comes_out_the_same_again,
    stepped_by_hand,
    sees_no_later_input,
    state_is_all_that_goes_on,
    padding_changes_nothing,
    sequences_are_apart,
    gradients_are_finite,
    time_is_counted,
    gradients_are_right,
]
FIRST = PROPERTIES[:1]  # without it nothing else means anything
