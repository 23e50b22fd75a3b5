"""`check_recurrent`: what must hold for anything that goes through time step by step, a cell or a layer, whoever's.

    h_t = f(x_t, h_{t-1})        y_s depends on x_1 … x_s and h_0, and on nothing else

From these two lines all the properties here follow: where one fails, the gradient of some step goes to a wrong place,
though every single derivative may be right.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy import ndarray

from ...autograd import grad
from ...data import plain
from ...errors import DataError
from ...graph import Graph, Node
from ...nn import Module
from ...tensor import Parameter, Tensor
from ..reports import Fault, Report, joined
from .nested import arrays_in, changed_by, exchanged, first_changed, tensors_in
from .runs import Run, alike, prepared, said, tensor, told_apart
from .trials import gradient_check, kept, put, seeded

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
    if not callable(cell):
        raise DataError(f"check_recurrent needs a cell or a layer, got {type(cell).__name__}: see its docstring")
    with kept(cell) if isinstance(cell, Module) else nullcontext(), seeded(seed):
        if isinstance(cell, Module):
            cell.eval()
        run = replace(prepared(cell, example, initial, T, batch, seed), order=order)
        reports = []
        for check in PROPERTIES:
            reports.append(check(run))
            if reports[-1].faults and check is comes_out_the_same_again:
                reports.append(Report("", notes=("nothing else is looked at before this is mended",)))
                break
    shown = next((report.outputs for report in reports if report.faults), ())
    report = replace(joined(run.name, reports), outputs=shown)
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


# ---- what the properties need ------------------------------------------------------------


def fault(kind: str, message: str, node: Any, *details: str) -> Fault:
    """A fault, with the place of a node, if there is one."""
    made = node if isinstance(node, Node) else None
    where = f" ({made.where})" if made is not None and made.where else ""
    return Fault(kind, message + where, details, node=made)


def at(run: Run, i: int) -> str:
    """Which output number i is, of all outputs and then the last state."""
    return f"output at t={i + 1}" if i < len(run.x) else "the last state"


def node_at(out: Any, t: int) -> Any:
    """The newest node of that time step that an output was made from, or of the last step; or the output itself."""
    marked = [node for node in Graph(out) if node.op and node.t is not None] if isinstance(out, Node) else []
    return next((node for node in reversed(marked) if node.t == t), marked[-1] if marked else out)


def parts(state: Any) -> list[Any]:
    """All tensors of a state."""
    return arrays_in(state)


def count(arrays: Sequence[Any]) -> int:
    """How many numbers there are in all."""
    return sum(np.size(plain(x)) for x in arrays)


def near(run: Run) -> float:
    """What the order of a sum may change, as a share."""
    return 1e-5 if run.x.dtype == np.float32 else 1e-11


def slopes(run: Run, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[ndarray]:
    """The gradients of Σ w y, with random weights w of about 1, by the leaves; zeros where none comes."""
    generator = np.random.default_rng(run.seed)
    weights = [generator.normal(size=y.shape).astype(y.dtype) for y in outputs]
    ways = [(y, w) for y, w in zip(outputs, weights, strict=True) if isinstance(y, Tensor) and y.requires_grad]
    if not ways:
        return [np.zeros(x.shape) for x in leaves]
    found = grad([y for y, _ in ways], list(leaves), [w for _, w in ways], allow_unused=True)
    return [np.zeros(x.shape) if g is None else np.asarray(g) for x, g in zip(leaves, found, strict=True)]


def row_of(run: Run, row: int) -> Any:
    """The initial state of one sequence."""
    return exchanged(run.state, lambda part: np.take(part, [row], run.batch_axis))


def forward_of(cell: Any) -> Any:
    """What says which arguments a layer takes."""
    return cell.forward if isinstance(cell, Module) else cell


def held(cell: Any) -> dict[str, Any]:
    """What a cell holds, but for its parameters."""
    owners = cell.named_modules() if isinstance(cell, Module) else [("", cell)]
    return {
        f"{path}.{name}" if path else name: x
        for path, owner in owners
        for name, x in getattr(owner, "__dict__", {}).items()
        if not isinstance(x, Parameter | Module)
    }
