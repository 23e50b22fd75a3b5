"""`check_op`: all that one op and its rule promise, at examples that are searched for, and shrunk where one fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from ...graph import Graph, Node
from ...ops import Primitive, table
from ...record import Op, record
from ...rng import generator, manual_seed
from ..pasting import code
from ..reports import Report
from ..samples import OPS
from ..strategies import POSITIVE, REAL, Case, arrays, broadcastable_shapes, leaf
from .calls import Call, Findings, letter
from .derivative import check_rule
from .manners import check_elsewhere, check_manners
from .second import check_second

__all__ = ["check_op"]

Check = Callable[[Call, np.random.Generator], Findings]

EXAMPLES = 25
SPECIAL = st.sampled_from([0.0, 1.0, -1.0, -0.0, 1e-4, -1e-4, 100.0, -100.0, 1e4, -1e4])


def check_op(
    op: Any,
    *,
    samples: st.SearchStrategy[Case] | None = None,
    fixed: Mapping[str, st.SearchStrategy[Any]] | None = None,
    order: int = 2,
    max_examples: int | None = None,
    raise_exception: bool = True,
    seed: int = 0,
) -> Report:
    """Check an op and its rule, alone, at many examples, and report the smallest at which something is wrong.

    The derivative by every input, broadcast or not; number, shape and dtype of what the rule returns, and that it keeps
    its precision in float32; arrays without elements, and views that run backwards; that the rule writes into nothing,
    lends out nothing, says the same twice and keeps the rows of a batch apart; with order=2 that its own derivative is
    right when it is recorded.

    op: an Op, or a pair (forward, vjp).  samples: a strategy of `Case`s to call it at, such as `of(op, REAL, REAL)`; by
    default arrays of shapes that broadcast, of ordinary and special numbers and ties, and for the package's ops their
    line of samples.  fixed: a strategy for each keyword-only argument.  max_examples: 25 by default.
    Returns a Report.  Raises GradientCheckError, or with raise_exception=False returns the report.  Raises TypeError
    where it cannot be told how to call the op.

    >>> import numpy as np
    >>> from tinygrad_seq import Op
    >>> from tinygrad_seq.testing import check_op
    >>> softsign = Op(lambda x: x / (1 + np.abs(x)), lambda g, out, x: (g / (1 + np.abs(x)) ** 2,), name="softsign")
    >>> check_op(softsign).ok
    True
    """
    __tracebackhide__ = True
    op = as_op(op)
    samples = samples_of(op, fixed or {}) if samples is None else samples
    total = Findings()
    for checks in ((check_rule, check_manners), (check_elsewhere, check_second)[:order]):  # a wrong number comes first
        report = searched(op, samples, checks, max_examples or EXAMPLES, seed, total)
        if report is not None:
            return report.raised() if raise_exception else report
    return Report(op.name, checks=total.checks)


def searched(
    op: Primitive, samples: st.SearchStrategy[Case], checks: Sequence[Check], most: int, seed: int, total: Findings
) -> Report | None:
    """What is wrong at the smallest example at which checks find a fault, if they find one.  Adds to `total`."""
    worst: list[Report] = []

    @settings(
        max_examples=most, deadline=None, database=None, derandomize=True, print_blob=False,
        phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(samples)
    def holds(case: Case) -> None:
        found = at_example(op, case, checks, np.random.default_rng(seed))
        total.checks += found.checks
        if found.faults:
            first = found.faults[0]
            shown = replace(first, details=(*first.details, f"smallest example: {called_with(op, case)}"))
            outputs = () if shown.node is None else (shown.node,)
            worst[:] = [Report(op.name, (shown,), tuple(found.notes), total.checks, outputs)]
            raise Wrong

    dice = generator().bit_generator.state
    try:
        holds()
    except Wrong:
        return worst[0]
    except Unsatisfiable:
        raise TypeError(
            f"{op.name} could be computed at no example that was drawn: give samples=, a strategy of `Case`s"
        ) from None
    finally:
        generator().bit_generator.state = dice
    return None


class Wrong(Exception):  # noqa: N818 - never seen outside
    """An example at which something is wrong was found."""


def at_example(op: Primitive, case: Case, checks: Sequence[Check], rng: np.random.Generator) -> Findings:
    """What is wrong with an op at one example: at every node of its record that the op made."""
    manual_seed(0)  # what the library draws at random, as dropout does, is the same whenever the example is run
    leaves = [leaf(array) if array.dtype.kind == "f" else array for array in case.arrays]
    with np.errstate(all="ignore"):
        try:
            made = case(*leaves)
        except Exception:
            if case.call.__class__ is not Drawn:
                raise
            assume(False)
        nodes = [node for node in Graph(*nodes_of(made)) if node.op is op and node.requires_grad]
        found = Findings()
        for node in nodes:
            assume(case.call.__class__ is not Drawn or np.isfinite(node.data).all())
            call = Call.of(node)._replace(node=None)  # the line that made the example says nothing
            for check in checks:
                found.add(check(call, rng))
                if found.faults:
                    for i, x in enumerate(node.inputs):
                        x.name = letter(call, i)
                    found.faults = [replace(fault, node=node) for fault in found.faults]
                    return found
    return found


def nodes_of(made: Any) -> list[Node]:
    """The nodes of a result, or of several."""
    return [y for y in (made if isinstance(made, tuple | list) else [made]) if isinstance(y, Node)]


class Drawn:
    """An op called at inputs that nobody said it is made for: what it refuses is no fault."""

    def __init__(self, op: Primitive) -> None:
        self.op = op

    def __call__(self, *xs: Any, **fixed: Any) -> Any:
        return record(self.op, *xs, **fixed)


def as_op(op: Any) -> Primitive:
    """An op, of a pair too.  Raises TypeError."""
    if isinstance(op, Primitive):
        return op
    if isinstance(op, tuple) and len(op) == 2 and all(map(callable, op)):
        return Op(*op)
    raise TypeError(f"check_op needs an Op, or a pair (forward, vjp) of functions of plain arrays, got {op!r}")


def samples_of(op: Primitive, fixed: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Case]:
    """What to call an op with: the package's own by their samples, others as their signature says."""
    for name, known in vars(table).items():
        if known is op and not fixed:
            return OPS[name]
    needed, n = required(op.forward)
    missing = [name for name in needed if name not in fixed]
    if missing:
        said = ", ".join(f'"{name}": …' for name in missing)
        raise TypeError(f"{op.name} needs {', '.join(missing)}: give fixed={{{said}}}, a strategy for each")

    kinds = [arrays_of_kind(REAL), arrays_of_kind(POSITIVE), arrays_of_kind(REAL, ties=True), arrays_of_kind(SPECIAL)]
    shapes = broadcastable_shapes(n, min_dims=1 if "axis" in fixed else 0)

    @st.composite
    def cases(draw: Callable[[Any], Any]) -> Case:
        kind = draw(st.sampled_from(kinds))
        xs = tuple(draw(kind(shape)) for shape in draw(shapes))
        return Case(Drawn(op), xs, {name: draw(strategy) for name, strategy in fixed.items()})

    return cases()


def arrays_of_kind(elements: Any, **options: Any) -> Callable[[Any], st.SearchStrategy[Any]]:
    """Arrays of such numbers, of a shape to be given."""
    return lambda shape: arrays(shape, elements, **options)


def required(forward: Callable[..., Any]) -> tuple[list[str], int]:
    """The keyword-only arguments without a default of a function, and how many inputs it takes (2 for *xs)."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):  # a function in C that does not say
        return [], int(getattr(forward, "nin", 1))
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    inputs = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return names, len(inputs) or (2 if several else 1)


def called_with(op: Primitive, case: Case) -> str:
    """The call of an example, as one would write it."""
    arguments = [*map(code, case.arrays), *(f"{name}={code(x)}" for name, x in case.fixed.items())]
    return f"{op.name}({', '.join(arguments)})"
