"""`gradcheck`: is the gradient of a function how the function moves, and if not, whose fault is it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Node
from ..engines.adapting import adapted
from ..engines.others import of_others
from ..numeric.agreement import SMALL, Tolerance, compare
from ..reports import Report
from ..rules.derivative import NOT_ANALYTIC
from .blaming import blame, check_own
from .diagnosis import causes, told_by_record
from .recorded import Recorded, as_inputs, gradients
from .twofold import second_order
from .unrecorded import changes_by_itself

__all__ = ["gradcheck"]

AT_KINKS = 500  # nodes whose rules are looked at where nothing can be told of the function as a whole


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
    vanishing = agreed.vanishing(tolerance)
    if agreed.mismatches or agreed.kinks or agreed.undecided or vanishing:
        arrived = gradients(function.outs, [np.ones_like(y) for y in function.numbers])
        if agreed.mismatches:
            found.add(blame(graph, arrived, rng, doubtful=lambda: not told_by_record(function, agreed.mismatches[0])))
        else:
            found.add(blame(graph, arrived, rng, AT_KINKS))
    if agreed.mismatches and not found.faults:
        found.add(causes(function, agreed, rng, found.pointless))
    if agreed.undecided - agreed.kinks:
        rough = f"{function.name} moves too roughly to tell its slope by "
        found.notes += [rough + function.labels[k] for k in sorted(agreed.undecided)]
    if vanishing and not agreed.mismatches:
        by = ", ".join(function.labels[k] for k in sorted(vanishing))
        found.notes.append(f"no gradient by {by} is over {tolerance.atol:g}, too small to tell: ops were checked alone")
    if order == 2 and not found.faults:
        found.add(second_order(function, rng, tolerance, small))
    return Report(function.name, tuple(found.faults), tuple(found.notes), found.checks, outs)
