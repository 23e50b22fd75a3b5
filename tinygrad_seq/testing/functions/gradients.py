"""`gradcheck`: is the gradient of a function how the function moves, and if not, whose fault is it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..engines.adapting import adapted
from ..engines.others import of_others
from ..numeric.agreement import SMALL, Agreement, Compared, Mismatch, Tolerance, compare
from ..reports import Fault, Report
from ..rules.calls import Call, Findings, called, fault, gradients_of
from ..rules.derivative import NOT_ANALYTIC
from .blaming import blame, check_own
from .diagnosis import changes_by_itself, chosen, diagnosed, too_rough
from .recorded import Recorded, as_inputs, gradients
from .twofold import second_order

__all__ = ["gradcheck"]

AT_KINKS = 500  # nodes whose rules are looked at where the function as a whole has a kink


def gradcheck(
    fn: Callable[..., Any],
    inputs: Any,
    *,
    order: int = 1,
    gradient: Callable[..., Any] | None = None,
    engine: str | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    fast_mode: bool | None = None,
    raise_exception: bool = True,
    seed: int = 0,
) -> Report:
    """Hold the gradient of a function against how the function moves, and name what is wrong.

    fn(*inputs) returns a tensor or value, or several.  inputs: a list of arrays, tensors or values (a single one need
    be no list); those of floating-point numbers are differentiated by, the others are handed on.  The slope is found
    by the complex step where the function allows it, else by extrapolated differences, always by running fn anew; see
    `slopes`.  Up to 256 elements the whole Jacobian is compared, above that, or with fast_mode, random directions in
    all elements at once; fast_mode=False compares the whole one always.

    Where they disagree, the rule of every node of the record is checked at its values, and the report names the op, its
    input, the place, and the rule's source line.  Points without a derivative (kinks, ties) are said in the report's
    notes; there each op is checked alone, and must give a gradient between the slopes to both sides.

    order=2: the gradient of the gradient too.  gradient: a hand-written gradient of fn, a function of plain arrays;
    engine: "torch" or "autograd" for functions of theirs (tensors of PyTorch are known by themselves).  rtol, atol:
    relative to the sum of the absolute values of all terms; 1e-8 and 1e-10 for float64, 1e-4 and 1e-6 for float32.
    Returns a Report, which is true.  Raises GradientCheckError, whose `report` says what is wrong; with
    raise_exception=False returns that report instead, which is false.  Raises GradientError where there is nothing to
    differentiate.

    >>> import numpy as np
    >>> from tinygrad_seq import functional as F
    >>> from tinygrad_seq.testing import gradcheck
    >>> gradcheck(lambda x, y: F.tanh(x @ y), [np.ones((2, 3)), np.eye(3)], order=2).ok
    True
    """
    __tracebackhide__ = True
    if order not in (1, 2):
        raise ValueError(f"order must be 1, or 2 for the gradient of the gradient as well, got {order!r}")
    arguments = as_inputs(inputs)
    function = adapted(fn, arguments, gradient=gradient, engine=engine)
    rng = np.random.default_rng(seed)
    small = SMALL if fast_mode is None else 0 if fast_mode else 10**9
    with np.errstate(all="ignore"):
        if function is not None:
            report = of_others(function, rng, order, small, rtol, atol)
        else:
            report = of_ours(Recorded(fn, arguments), rng, order, small, rtol, atol)
    return report.raised() if raise_exception else report


def of_ours(
    function: Recorded, rng: np.random.Generator, order: int, small: int, rtol: float | None, atol: float | None
) -> Report:
    """Check a function that leaves a record."""
    outs = tuple(y for y in function.outs if isinstance(y, Node))
    changing = changes_by_itself(function)
    if changing is not None:
        return Report(function.name, (changing,), outputs=outs)
    graph = function.graph()
    analytic = function.complex_ok and not any(node.op in NOT_ANALYTIC for node in graph)
    dtypes = [x.data.dtype for x in graph if not x.scalar and x.data.dtype.kind == "f"]
    coarsest = min(dtypes, key=lambda dtype: dtype.itemsize, default=np.dtype(float))
    tolerance = Tolerance.of(coarsest, rtol, atol)
    try:
        agreed = compare(
            function.values, function.pull, function.inputs, rng, tolerance=tolerance, analytic=analytic, small=small
        )
    except Exception as error:
        found = blame(graph, {}, rng)  # a rule that raises, or returns what no sweep can take
        if not found.faults:
            raise
        notes = (f"the sweep ended with {type(error).__name__}: {str(error).splitlines()[0]}",)
        return Report(function.name, tuple(found.faults), notes, found.checks, outs)
    found = check_own(graph, rng)
    found.checks = agreed.checks
    if agreed.mismatches or agreed.kinks:
        arrived = gradients(function.outs, [np.ones_like(y) for y in function.numbers])
        found.add(blame(graph, arrived, rng, None if agreed.mismatches else AT_KINKS))
    if agreed.mismatches and not found.faults:
        found.faults += causes(function, agreed, found, rng)
    if agreed.undecided - agreed.kinks:
        rough = f"{function.name} moves too roughly to tell its slope by "
        found.notes += [rough + function.labels[k] for k in sorted(agreed.undecided)]
    if order == 2 and not found.faults:
        found.add(second_order(function, rng, tolerance, small))
    return Report(function.name, tuple(found.faults), tuple(found.notes), found.checks, outs)


def causes(function: Recorded, agreed: Agreement, found: Findings, rng: np.random.Generator) -> list[Fault]:
    """What is wrong where no rule is: nothing if an op on the way has no derivative, or by rounding; else one fault."""
    broken = nowhere_finite(function, agreed, rng)
    if broken is not None:
        return [broken]
    if found.pointless:
        return []
    m = agreed.mismatches[0]
    if rounding(function, m, rng):
        found.notes.append(
            f"{function.name} is badly conditioned here: its slope by {function.labels[m.input]} changes by as much as "
            "it is off when the inputs change in their last digit"
        )  # fmt: skip
        return []
    choice = chosen(function, m)
    if choice:
        found.notes.append(f"{function.name} has no derivative here: {choice} changes as soon as the input moves")
        return []
    if too_rough(function, m):
        found.notes.append(f"{function.name} moves too roughly to tell its slope by {function.labels[m.input]}")
        return []
    return [diagnosed(function, m, rng)]


def nowhere_finite(function: Recorded, agreed: Agreement, rng: np.random.Generator) -> Fault | None:
    """The fault of a gradient that is NaN or infinite where the function has a slope: of the op that made it so."""
    m = next((m for m in agreed.mismatches if np.isfinite(m.moves) and not np.isfinite(m.says)), None)
    if m is None:
        return None
    weights = [np.zeros_like(y) for y in function.numbers]
    weights[m.output][m.at] = 1
    arrived = gradients(function.outs, weights)
    for node in reversed(function.graph().nodes):
        g = arrived.get(node)
        if node.op is None or g is None or not np.isfinite(g).all():
            continue
        call = Call.of(node)
        with np.errstate(all="ignore"):
            sent = gradients_of(call, g, node.data, call.xs)
        for i in call.by:
            if sent[i] is not None and not np.isfinite(sent[i]).all():
                what = f"derivative of {node.op.name} is not finite for input {i}{called(call, i)}"
                said = f"of a finite g it makes NaN or an infinity, where {function.name} moves {m.moves:.6g}"
                todo = "0 · ∞ is NaN: let no such number come in, or let the rule send 0 where nothing arrives"
                return fault(call, "value", what, said, todo, by=i)
    return None


def rounding(function: Recorded, m: Mismatch, rng: np.random.Generator) -> bool:
    """Whether gradient or slope move by as much as they are apart when the inputs move by their last digits."""
    if not np.isfinite(m.says - m.moves):
        return False
    says, moves = [m.says], [m.moves]
    for _ in range(4):
        moved = [x * (1 + 8 * np.finfo(x.dtype).eps * rng.choice([-1, 1], x.shape)) for x in function.inputs]
        again = Recorded(function.fn, function.arguments_at(moved))
        compared = Compared(again.values, again.pull, again.inputs, Tolerance.of(float), again.complex_ok)
        moves_now, says_now = compared.derivative(m)
        moves.append(moves_now)
        says.append(says_now)
    return float(max(np.ptp(says), np.ptp(moves))) * 10 > abs(m.says - m.moves)
