"""Functions that leave no record of ours: differentiated by another engine, or by somebody's hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..faults import Fault
from ..numeric.agreement import Mismatch, Tolerance, compare
from ..reports import Report
from ..rules.calls import element
from .adapting import Function

__all__ = ["of_others"]

RULES = {"value", "none", "shape", "count", "raises", "second order"}  # kinds that say numbers of their own


def of_others(
    function: Function, rng: np.random.Generator, order: int, small: int, rtol: float | None, atol: float | None
) -> Report:
    """Check a function that another engine differentiates, or somebody by hand."""
    inputs = [np.asarray(x) for x in function.inputs]
    faults: list[Fault] = []
    notes: list[str] = []
    checks = 0
    stages: list[tuple[Any, str]] = [(function, "")]
    if order == 2:
        again = getattr(function, "second", lambda: None)()
        if again is None:
            notes.append(f"the second derivative of {function.name} was not checked: its gradient is no function")
        else:
            stages.append((again, "gradient of the "))
    for one, which in stages:

        def values(xs: Sequence[ndarray], one: Any = one) -> list[ndarray]:
            y = one.values(xs)
            return list(y) if isinstance(y, list | tuple) else [y]

        def pull(weights: Sequence[ndarray], one: Any = one) -> list[Any]:
            return list(one.gradients(inputs, list(weights)))

        tolerance = Tolerance.of(np.result_type(*inputs), rtol, atol)
        blamed = getattr(one, "blame", None)
        try:
            agreed = compare(values, pull, inputs, rng, tolerance=tolerance, analytic=one.complex_ok, small=small)
        except Exception as error:
            faults += blamed(inputs, rng) if blamed is not None else []
            if not faults:
                raise
            notes.append(f"the gradient ended with {type(error).__name__}: {error}")
            break
        checks += agreed.checks
        kink = f"{function.name} has no derivative here, at a kink, a tie or a pole, by "
        notes += [kink + function.labels[k] for k in sorted(agreed.kinks)]
        if agreed.mismatches and blamed is not None:
            faults += blamed(inputs, rng)
        if not any(fault.kind in RULES for fault in faults):  # what cuts a gradient is named by line, this by numbers
            faults[:0] = [of_whole(function, which, m) for m in agreed.mismatches]
        if faults:
            break
    return Report(function.name, tuple(faults), tuple(notes), checks)


def of_whole(function: Function, which: str, m: Mismatch) -> Fault:
    """The fault of a gradient that is wrong as a whole: which input, which element, and the numbers."""
    of = f" of {element(m.at)}" if m.at else ""
    by = f" by {element(m.element)}" if m.element else ""
    what = f"{which}gradient of {function.name} is wrong for {function.labels[m.input]}"
    said = f"the derivative{of}{by} is {m.moves:.8g}; the gradient says {m.says:.8g}"
    return Fault("second order" if which else "value", what, (said,), None, m.input)
