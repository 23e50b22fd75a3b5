"""The derivative of an op's rule: what gradients of gradients rest on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...autograd import grad
from ...ops import table
from ...ops.parts import Part
from ...record import record
from ...tensor import Tensor
from ..numeric.agreement import Tolerance, compare
from .calls import Call, Findings, as_given, called, fault, signs_like

__all__ = ["check_second"]


def check_second(call: Call, rng: np.random.Generator) -> Findings:
    """Whether the rule, recorded, has the derivative that the rule has: what gradients of gradients rest on."""
    found = Findings()
    op, by = call.op, call.by
    out = np.asarray(call.forward(call.xs))
    g = signs_like(out, rng).astype(float)
    xs = [x.astype(float) if x.dtype.kind == "f" else x for x in call.xs]

    answering = [i for i in by if call.vjp(g, out, xs)[i] is not None]

    def sent_of(w: Any, y: Any, given: Sequence[Any]) -> list[Any]:
        sent = call.vjp(w, y, given)
        return [sent[i] for i in answering]

    def values(moved: Sequence[ndarray]) -> list[ndarray]:
        given = as_given(call, moved[1:])
        sent = sent_of(moved[0], np.asarray(call.forward(given)), given)
        return [np.asarray(c.array() if isinstance(c, Part) else c) for c in sent]

    def pull(weights: Sequence[ndarray]) -> list[ndarray | None]:
        w = Tensor(g, requires_grad=True)
        given = [Tensor(x, requires_grad=i in by) if x.dtype.kind == "f" else Tensor(x) for i, x in enumerate(xs)]
        y = record(op, *given, **call.fixed)
        sent = sent_of(w, y, given)
        recorded = [(c, v) for c, v in zip(sent, weights) if isinstance(c, Tensor) and c.requires_grad]
        leaves = [w, *(x for x in given if x.requires_grad)]
        if not recorded:
            return [None] * (1 + len(given))
        gradients = iter(grad([c for c, _ in recorded], leaves, [v for _, v in recorded], allow_unused=True))
        return [next(gradients), *(next(gradients) if x.requires_grad else None for x in given)]

    if not answering:
        return found
    try:
        agreed = compare(
            values, pull, [g, *xs], rng, tolerance=Tolerance(1e-7, 1e-10), by=[0, *(i + 1 for i in by)], small=64,
            analytic=op is not table.abs,
        )  # fmt: skip
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        todo = "write it with operators and NumPy functions that are recorded, or check with order=1"
        what = f"the rule of {op.name} cannot be differentiated again"
        found.faults.append(fault(call, "second order", what, why, todo))
        return found
    found.checks = agreed.checks
    for m in agreed.mismatches:
        by_what = "g" if m.input == 0 else f"input {m.input - 1}{called(call, m.input - 1)}"
        what = f"the derivative of the rule of {op.name} by {by_what} is wrong: gradients of gradients would be"
        i = answering[m.output]
        said = f"what it returns for input {i} moves by {m.moves:.8g}, and is recorded to move by {m.says:.8g}"
        why = "a part of it was computed without being recorded: by .data, float() or np.asarray"
        found.faults.append(fault(call, "second order", what, said, why, by=i))
    return found
