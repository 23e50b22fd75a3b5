"""Is the rule of an op its derivative, at given values?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...ops import table
from ..faults import Fault
from ..numeric.agreement import Agreement, Mismatch, Tolerance, compare
from .calls import Call, Findings, as_given, at, called, element, fault, gradients_of, letter, read_only, signs_like
from .manners import chance, returned_badly, reuse

__all__ = ["check_rule"]

NOT_ANALYTIC = (table.abs, table.sign)  # known to be, so that no complex step need be tried


def check_rule(call: Call, rng: np.random.Generator, *, g: Any = None) -> Findings:
    """Hold the rule of an op against how the op moves; before that, number, shape and dtype of what it returns.

    g: a gradient that really arrived there, to try besides those of chance.
    """
    found = Findings()
    call = call._replace(xs=tuple(map(read_only, call.xs)))
    out = read_only(call.forward(call.xs))
    made = read_only(call.op.forward(*call.xs, **call.fixed))  # of a cast, in its dtype
    weights = signs_like(made, rng)
    wrong = returned_badly(call, made, weights) or nonlinear(call, made, weights)
    if wrong is not None:
        found.faults.append(wrong)
        return found
    dtype = out.dtype if call.dtype.itemsize < 8 else float

    def pull(weights: Sequence[ndarray]) -> list[Any]:
        return gradients_of(call, np.asarray(weights[0], dtype), out, call.xs)

    def values(xs: Sequence[ndarray]) -> list[ndarray]:
        return [np.asarray(call.forward(as_given(call, xs)))]

    def agreement(**options: Any) -> Agreement:
        return compare(
            values, pull, call.xs, rng, by=call.by, tolerance=Tolerance.of(call.dtype),
            analytic=call.op not in NOT_ANALYTIC, **options,
        )  # fmt: skip

    agreed = [agreement(at_kinks=True)]
    if g is not None and not agreed[0].mismatches and np.isfinite(g).all():
        agreed.append(agreement(weights=[np.asarray(g, float).reshape(-1)]))
    if any(one.mismatches for one in agreed):
        w = signs_like(out, rng)
        deeper = chance(call, out, w) or reuse(call, out, w)
        if deeper is not None:
            found.faults.append(deeper)
            return found
    mismatches = [m for one in agreed for m in one.mismatches]
    if mismatches and call.dtype.itemsize < 8 and all(map(slight, mismatches)):
        double = call._replace(xs=tuple(x.astype(float) if x.dtype.kind == "f" else x for x in call.xs))
        found = check_rule(double, rng, g=g)
        if not found.faults:  # right in float64, and what is left of it in float32 is rounding
            found.notes.append(f"{call.op.name} is badly conditioned here: float32 keeps few digits of it{at(call)}")
            found.pointless = True
        return found
    found.checks = sum(one.checks for one in agreed)
    found.faults += [wrong_value(call, m, out) for m in mismatches]
    found.notes += undecided(call, agreed[0])
    found.pointless = bool(agreed[0].kinks)
    return found


def slight(m: Mismatch) -> bool:
    """Whether a number is off by little, as by rounding."""
    return not m.kink and abs(m.moves - m.says) <= 0.05 * max(abs(m.moves), abs(m.says))


def nonlinear(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that is not linear in g: right for 1, say, and not for 2."""
    with np.errstate(all="ignore"):
        once = [None if a is None else a.copy() for a in gradients_of(call, g.copy(), out, call.xs)]
        more = gradients_of(call, np.asarray(-2 * g, g.dtype), out, call.xs)
    for i in call.by:
        a, b = once[i], more[i]
        if a is None or b is None or not (np.isfinite(a).all() and np.isfinite(b).all()):
            continue
        if not (np.abs(b + 2 * a) <= 1e-5 * np.abs(a).max(initial=0) + 1e-12).all():
            what = f"derivative of {call.op.name} is wrong for input {i}{called(call, i)}"
            said = "for -2 g the rule does not say -2 times what it says for g: a gradient is a sum over g"
            return chance(call, out, g) or fault(call, "value", what, said, by=i)
    return None


# ---- in words ------------------------------------------------------------------------


def wrong_value(call: Call, m: Mismatch, out: ndarray) -> Fault:
    """The fault of a rule whose number is not the slope."""
    sent = call.vjp(np.ones_like(out), out, call.xs)[m.input]
    here = f"where {letter(call, m.input) or 'it'} is {call.xs[m.input][m.element]:.6g}"
    of = f" of {element(m.at)}" if m.at else ""
    by = f" by {element(m.element)}" if m.element else ""
    if m.kink:
        far = "most" if m.says > m.moves else "least"
        said = f"at a kink or a tie ({here}) the slope is at {far} {m.moves:.6g}; the rule says {m.says:.6g}"
    else:
        said = f"the derivative{of}{by}, {here}, is {m.moves:.8g}; the rule says {m.says:.8g}{compared(m)}"
    if sent is None:
        said += ", since it returns None"
    what = f"derivative of {call.op.name} is wrong for input {m.input}{called(call, m.input)}"
    return fault(call, "value" if sent is not None else "none", what, said, by=m.input)


def compared(m: Mismatch) -> str:
    """How far off, in words."""
    if not np.isfinite(m.says) or not m.moves or not m.says:
        return ""
    if abs(m.says + m.moves) <= 1e-6 * abs(m.moves):
        return ", which has the wrong sign"
    share = (m.says - m.moves) / m.moves
    if abs(share) < 1:
        return f": {abs(100 * share):.2g} % too {'large' if share > 0 else 'small'}"
    return f": {m.says / m.moves:.3g} times as much"


def undecided(call: Call, agreed: Agreement) -> list[str]:
    """Where there was no slope, or none that could be told exactly."""
    name, where = call.op.name, at(call)
    kinks, rough = sorted(agreed.kinks), sorted(agreed.undecided)
    said = [f"{name} has no derivative by input {k} here, at a kink, a tie or a pole{where}" for k in kinks]
    return said + [f"{name} moves too roughly by input {k} to tell its slope{where}" for k in rough]
