"""A rule's manners: what it returns fits, it leaves alone what it is given, says the same twice, and keeps float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy import ndarray

from ...errors import ShapeError
from ...ops import table
from ...ops.parts import Part
from ..faults import Fault
from .calls import Call, Findings, arrays_of, fault, gradients_of, same, shaped, signs_like

__all__ = ["chance", "check_elsewhere", "check_manners", "returned_badly", "reuse"]

Check = Callable[[Call, ndarray, ndarray], Fault | None]


def check_manners(call: Call, rng: np.random.Generator) -> Findings:
    """Whether a rule leaves alone what it is given, and says the same twice, however the numbers lie in memory."""
    return first_of((mutation, lending, reuse, chance, layout), call, rng)


def check_elsewhere(call: Call, rng: np.random.Generator) -> Findings:
    """At numbers like those given: whether a rule keeps the rows of a batch apart, and its precision in float32."""
    return first_of((mixing, imprecision), call, rng)


def first_of(checks: Sequence[Check], call: Call, rng: np.random.Generator) -> Findings:
    """The first fault that one of several checks finds."""
    found = Findings()
    out = np.asarray(call.forward(call.xs))
    g = signs_like(out, rng)
    for check in checks:
        wrong = check(call, out, g)
        if wrong is not None:
            found.faults.append(wrong)
            break
        found.checks += 1
    return found


def mutation(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A function, or a rule, that writes into what it was given."""
    xs = [x.copy() for x in call.xs]
    call.forward(xs)
    for i, (x, before) in enumerate(zip(xs, call.xs)):
        if not same(x, before):
            what = f"{call.op.name} writes into its input {i}"
            return fault(call, "mutates", what, "the record would not hold what it was made from: work on a copy", by=i)
    given = [g.copy(), out.copy(), *(x.copy() for x in call.xs)]
    call.vjp(given[0], given[1], given[2:])
    for i, (after, before) in enumerate(zip(given, [g, out, *call.xs])):
        if not same(after, before):
            into = ("g, which others get too", "out, the value of the node")[i] if i < 2 else f"its input {i - 2}"
            what = f"the rule of {call.op.name} writes into {into}"
            return fault(call, "mutates", what, "work on a copy, or make a new array", by=i - 2 if i > 1 else None)
    return None


def lending(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that gives out memory that is not its own to give: of an input, or of `out`."""
    for w in (np.ones_like(g), g):  # for 1 a rule may spare itself the product
        for i, a in enumerate(arrays_of(call.vjp(w, out, call.xs))):
            for name, other in [("out", out), *((f"input {k}", x) for k, x in enumerate(call.xs))]:
                if a is not None and a.size and np.shares_memory(a, other):
                    what = f"the rule of {call.op.name} returns a view of {name} as the gradient of input {i}"
                    return fault(call, "view", what, "gradients are added to: return an array of its own", by=i)
    return None


def reuse(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that writes its answer over the one before."""
    first = arrays_of(call.vjp(g, out, call.xs))
    kept = [None if a is None else a.copy() for a in first]
    call.vjp(2 * g, out, call.xs)
    for i, (a, before) in enumerate(zip(first, kept)):
        if a is not None and before is not None and not same(a, before):
            what = f"the rule of {call.op.name} overwrites what it returned before for input {i}"
            return fault(call, "view", what, "it returns the same array at each call: return a new one", by=i)
    return None


def chance(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A function, or a rule, that does not say the same twice."""
    if not same(np.asarray(call.forward(call.xs)), np.asarray(call.forward(call.xs))):
        what = f"{call.op.name} gives another result each time it is called"
        return fault(call, "non-deterministic", what, "what is drawn by chance belongs into a fixed argument")
    first, again = (arrays_of(call.vjp(g, out, call.xs)) for _ in range(2))
    for i, (a, b) in enumerate(zip(first, again)):
        if (a is None) != (b is None) or (a is not None and b is not None and not same(a, b)):
            what = f"the rule of {call.op.name} says something else each time for input {i}"
            return fault(call, "non-deterministic", what, by=i)
    return None


def layout(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that says something else of the same numbers when they lie otherwise in memory."""
    turned = call._replace(xs=tuple(np.flip(np.flip(x).copy()) for x in call.xs))
    with np.errstate(all="ignore"):
        first = gradients_of(call, g, out, call.xs)
        again = gradients_of(turned, np.flip(np.flip(g).copy()), np.flip(np.flip(out).copy()), turned.xs)
    for i in call.by:
        a, b = first[i], again[i]
        if a is not None and b is not None and not near(a, b):
            what = f"the rule of {call.op.name} says something else for input {i} of views that run backwards"
            return fault(call, "layout", what, "the numbers are the same: do not rely on how they lie in memory", by=i)
    return None


def mixing(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that lets the rows of a batch into each other's gradients, where the function itself does not."""
    n = len(out) if out.ndim else 0
    rows = [n > 1 and x.ndim == out.ndim and len(x) == n for x in call.xs]
    by = [i for i in call.by if rows[i]]
    if not by:
        return None
    rng = np.random.default_rng(0)  # other numbers than those given: rows that are equal by chance tell nothing
    others = [x * rng.uniform(0.9, 1, x.shape) + rng.uniform(0, 0.1, x.shape) for x in call.xs]
    call = call._replace(xs=tuple(other if i in by else x for i, (x, other) in enumerate(zip(call.xs, others))))
    some = sorted({0, 1, n // 2, n - 1})
    alone = {i: call._replace(xs=tuple(x[i : i + 1] if row else x for x, row in zip(call.xs, rows))) for i in some}
    with np.errstate(all="ignore"):
        try:
            whole = np.asarray(call.forward(call.xs))
            outs = {i: np.asarray(one.forward(one.xs)) for i, one in alone.items()}
            if any(y.shape != (1, *whole.shape[1:]) or not near(y[0], whole[i]) for i, y in outs.items()):
                return None  # the function mixes them itself
            expected = {i: gradients_of(one, g[i : i + 1], outs[i], one.xs) for i, one in alone.items()}
        except Exception:
            return None  # made for this very shape
        found = gradients_of(call, g, whole, call.xs)
    for k in by:
        for i in some:
            a, b = expected[i][k], found[k]
            if a is not None and b is not None and not near(a[0], b[i]):
                what = f"the rule of {call.op.name} mixes the rows of a batch in the gradient of input {k}"
                return fault(call, "batch", what, f"row {i} alone has another gradient than in a batch of {n}", by=k)
    return None


def near(a: ndarray, b: ndarray) -> bool:
    """Equal but for rounding."""
    return np.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True)


def imprecision(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """A rule that in float32 is much further off than float32 is, or that leaves it."""
    if any(call.xs[i].dtype != float for i in call.by) or not call.by or call.op is table.cast:
        return None
    single = call._replace(xs=tuple(x.astype(np.float32) if x.dtype == float else x for x in call.xs))
    double = call._replace(xs=tuple(x.astype(float) if x.dtype == np.float32 else x for x in single.xs))
    g32 = g.astype(np.float32)
    with np.errstate(all="ignore"):
        small, large = (np.asarray(c.forward(c.xs)) for c in (single, double))
        wrong = returned_badly(single, small, g32) if small.dtype == np.float32 else None
        if wrong is not None:
            return wrong
        found = gradients_of(single, g32, small, single.xs)
        right = gradients_of(double, g32.astype(float), large, double.xs)
    for i in call.by:
        a, b = found[i], right[i]
        if a is None or b is None or not a.size or not np.isfinite(b).all():
            continue
        largest, off = np.abs(b).max(), np.abs(a - b).max()
        if largest < 1e30 and not off <= 1e-3 * largest + 1e-6:
            much = f"it is {off / max(largest, 1e-30):.2g} of the largest gradient off what it says in float64"
            why = f"{much}: look for a difference of numbers that are almost equal, or an exp that overflows"
            what = f"the rule of {call.op.name} loses its precision in float32 for input {i}"
            return fault(call, "precision", what, why, by=i)
    return None


# ---- what comes back, before a look at its numbers -----------------------------------


def returned_badly(call: Call, out: ndarray, g: ndarray) -> Fault | None:
    """What is wrong with what a rule returns for g: that it raises, how many, of which shape and dtype."""
    name, n = call.op.name, len(call.xs)
    try:
        with np.errstate(all="ignore"):
            sent = call.vjp(g, out, call.xs)
            if sent.__class__ is tuple:
                sent = tuple([c.array() if isinstance(c, Part) else c for c in sent])  # which may raise as well
    except Exception as error:
        if isinstance(error, ValueError) and "read-only" in str(error):
            what = f"the rule of {name} writes into what it was given"
            return fault(call, "mutates", what, f"{error}: work on a copy")
        return raised(call, error)
    if sent.__class__ is not tuple or len(sent) != n:
        got = f"{len(sent)}" if isinstance(sent, tuple) else f"no tuple but {type(sent).__name__}"
        gradients = "a tuple of one gradient" if n == 1 else f"a tuple of {n} gradients, one for each input"
        return fault(call, "count", f"the rule of {name} must return {gradients}; got {got}")
    for i in call.by:
        c = sent[i]
        if c is None:
            continue
        array = c.array() if isinstance(c, Part) else np.asarray(c)
        try:
            shape = shaped(call, c, call.xs[i].shape).shape
        except ShapeError:
            shape = array.shape
        if shape != call.xs[i].shape:
            or_out = f", or {out.shape}, of what it was broadcast to" if call.op.broadcasts else ""
            wanted = f"expected {call.xs[i].shape}, that of the input{or_out}; got {array.shape}"
            what = f"the rule of {name} returns a gradient of a wrong shape for input {i}"
            return fault(call, "shape", what, wanted, by=i)
        if array.dtype not in (call.xs[i].dtype, call.xs[i].dtype if call.op is table.cast else out.dtype):
            what = f"the rule of {name} returns {array.dtype} for input {i}, which is {call.xs[i].dtype}"
            return fault(call, "dtype", what, "a number or an array of another dtype came in: keep to that of g", by=i)
    return None


def raised(call: Call, error: Exception) -> Fault:
    """The fault of a rule that does not come to its end."""
    shapes = " and ".join(str(x.shape) for x in call.xs)
    kind = "zero-size" if any(not x.size for x in call.xs) else "raises"
    what = f"the rule of {call.op.name} raises {type(error).__name__} for inputs of shape {shapes}"
    return fault(call, kind, what, str(error))
