"""Break every rule of the op table, one way at a time, and see that the checks of gradients notice and name it.

`make mutants`, or `python tests/mutants.py --op mul`, prints a table: of each op how many mutants of its VJP there are,
how many were killed (`check_op` found a fault), how many were blamed rightly (`gradcheck` of a small program around the
op named this op and this input), and which change nothing.  Its exit code is 1 if one survives or is blamed wrongly.

A mutant is made from the numbers that a rule returns (scaled, shifted, transposed, …), from the rule's source (a term,
a factor, a line, a call left out, a comparison flipped, an argument swapped, …), or it keeps the numbers and breaks a
promise (dtype, purity, count, …).  One that changes no gradient of any of the samples is *equivalent*, and is listed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy comes: the matrices are small

import numpy as np
from hypothesis import strategies as st
from joblib import Parallel, delayed
from rich import box
from rich.console import Console
from rich.table import Table

from mutations import PROMISES, Mutant, functions_of, mutants_of, planted
from sampled_ops import CASES, EDGES, NO_DERIVATIVES, Sample, Vjp, cases_of, differences, edges_of, samples_of
from tinygrad_seq import Tensor, manual_seed
from tinygrad_seq import functional as F
from tinygrad_seq.ops import Primitive, table
from tinygrad_seq.testing import Fault, Report, check_op, gradcheck
from tinygrad_seq.testing.strategies import Case

__all__ = ["APART", "FEW", "Verdict", "judged", "main", "verdicts"]

FEW = 80  # cases of each op in a fast run, instead of CASES
ENOUGH = 6  # of them, on which a mutant differs from the rule
COLUMNS = ("mutants", "killed", "blamed", "no mistake")
OUTCOMES = ("killed", "survived", "wrong blame", "unreached", "by design", "other choice", "equivalent")
APART = OUTCOMES[4:]  # they are no mistakes


class Verdict(NamedTuple):
    """What the checks said of a mutant, one of OUTCOMES, and why."""

    op: str
    kind: str
    label: str
    outcome: str
    said: str = ""


# ---- what the checks say ---------------------------------------------------------------


def witnesses(mutant: Mutant, right: Vjp, samples: list[Sample]) -> list[tuple[Sample, dict[int, float]]]:
    """Where a mutant differs from the rule, and in which gradients, a few times; where it is worst first."""
    found: list[tuple[Sample, dict[int, float]]] = []
    for sample in samples:
        by = differences(sample, right, mutant.vjp)
        if by and sample.node.data.size:
            found.append((sample, by))
        if len(found) == ENOUGH:
            break
    return sorted(found, key=lambda witness: -max(witness[1].values()))


def embedded(sample: Sample, op: Primitive) -> tuple[Callable[..., Any], list[Tensor]]:
    """A small program in which a case of the samples is one of several ops, and its leaves.

    What goes in is a quotient or a product; what comes out is weighed by a cosine, and added up.
    """
    case, dtype = sample.case, sample.dtype
    enter = F.mul if op is table.div else F.div
    weigh = F.sin if op is table.cos else F.cos
    manual_seed(0)
    shape = case(*[Tensor(array.astype(dtype), requires_grad=True, dtype=dtype) for array in case.arrays]).shape
    rng = np.random.default_rng(1)
    arrays = [*case.arrays, np.ones(()), rng.uniform(0.2, 1.2, size=shape)]
    names = [*[f"x{i}" for i in range(len(case.arrays))], "one", "w"]
    leaves = [
        Tensor(array.astype(dtype), requires_grad=True, dtype=dtype, name=name)
        for array, name in zip(arrays, names, strict=True)
    ]

    def program(*given: Any) -> Any:
        *xs, one, w = given
        manual_seed(0)
        out = case(*[enter(x, one) for x in xs])
        weighed = out * weigh(w) if op is not table.mul else out / (2 + weigh(w))
        return F.mean(weighed * 4.0) if op is table.sum else F.sum(weighed)

    return program, leaves


def judged(name: str, mutant: Mutant, *, fast: bool = False) -> Verdict:
    """Whether the checks find a mutant, and blame the op and the input that are wrong.

    fast: on few cases.
    """
    op, n = getattr(table, name), FEW if fast else CASES
    if mutant.kind in PROMISES:
        return kept(name, mutant, n)
    found = witnesses(mutant, op.vjp, samples_of(name, n))
    if not found:
        return at_edges(name, mutant, n)

    def verdict(outcome: str, said: str = "") -> Verdict:
        return Verdict(name, mutant.kind, mutant.label, outcome, said)

    differing = st.sampled_from([of_dtype(sample) for sample, _ in found])
    tries: list[dict[str, Any]] = [{"max_examples": 20}, {"max_examples": n}, {"samples": differing}]
    reports = (checked(name, mutant, n, **options) for options in tries)
    alone = next((report.faults[0] for report in reports if report.faults), None)
    if alone is None:
        return verdict("survived", f"differs by {max(found[0][1].values()):.1e}")
    for sample, wrong in found[:3]:
        program, leaves = embedded(sample, op)
        with planted(op, mutant.vjp), np.errstate(all="ignore"):
            report = gradcheck(program, leaves, raise_exception=False)
        for fault in report.faults[:1]:
            return verdict("killed" if names(fault, op, wrong) else "wrong blame", said_by(fault))
    right_numbers = alone.kind in ("dtype", "precision", "shape")  # so that the program has nothing to complain of
    if right_numbers and names(alone, op, {*range(9)}):
        return verdict("killed", said_by(alone))
    return verdict("wrong blame", f"gradcheck of a program around it finds nothing, check_op {said_by(alone)}")


def of_dtype(sample: Sample) -> Case:
    """The case of a sample, in its dtype."""
    return sample.case._replace(arrays=tuple(array.astype(sample.dtype) for array in sample.case.arrays))


def names(fault: Fault, op: Primitive, inputs: Collection[int]) -> bool:
    """Whether a fault names the op, and one of the inputs whose gradients are wrong, or a thing that is of no input."""
    whole = fault.input is None and fault.kind in ("raises", "count", "zero-size", "mutates")
    return fault.op is op and (whole or fault.input in inputs)


def said_by(fault: Fault) -> str:
    """A fault in a line."""
    return f"[{fault.kind}] {fault.op}, input {fault.input}: {fault.message}"


def checked(name: str, mutant: Mutant, n: int, **options: Any) -> Report:
    """What `check_op` says of an op with a mutant for its rule.

    It gets cases that are drawn already, where options have no others: to shrink each of a thousand mutants takes long.
    """
    op = getattr(table, name)
    options = {"samples": st.sampled_from(cases_of(name, n)), "order": 1, **options}
    with planted(op, mutant.vjp), np.errstate(all="ignore"):
        return check_op(op, raise_exception=False, **options)


def kept(name: str, mutant: Mutant, n: int) -> Verdict:
    """What is said of a mutant that breaks a promise."""
    said = {fault.kind for fault in checked(name, mutant, n, max_examples=n).faults}
    expected = PROMISES[mutant.kind][2]
    outcome = "killed" if said & {*expected} else "wrong blame" if said else "survived"
    return Verdict(name, mutant.kind, mutant.label, outcome, f"should be {expected}, is {said or 'nothing'}")


def at_edges(name: str, mutant: Mutant, n: int) -> Verdict:
    """What is said of a mutant that the samples do not tell from the rule.

    It may differ at the edges; there, where there is no derivative, it may be another choice of one.  Or it is wrong
    only for recorded gradients, which have branches of their own in some rules.
    """
    op = getattr(table, name)
    found = witnesses(mutant, op.vjp, edges_of(name))
    report = None
    if found:
        report = checked(name, mutant, n, samples=st.sampled_from(EDGES[name]), max_examples=20)
    elif not mutant.reached:
        report = checked(name, mutant, n, order=2, max_examples=n)
    if report is not None and report.faults:
        right = report.faults[0].op is op
        return Verdict(name, mutant.kind, mutant.label, "killed" if right else "wrong blame", str(report.faults[0]))
    if found:
        finite = all(np.isfinite(by).all() for _, wrong in found for by in wrong.values())
        return Verdict(name, mutant.kind, mutant.label, "other choice" if finite else "survived")
    missed = "by design" if name in NO_DERIVATIVES else "unreached"
    return Verdict(name, mutant.kind, mutant.label, "equivalent" if mutant.reached else missed)


def verdicts(name: str, *, kinds: Collection[str] = (), only: str = "", fast: bool = False) -> list[Verdict]:
    """What the checks say of every mutant of an op; of those kinds alone, or with `only` in their label."""
    found = []
    for mutant in mutants_of(name, FEW if fast else CASES):
        if (not kinds or mutant.kind in kinds) and only in f"{mutant.kind}: {mutant.label}":
            try:
                found.append(judged(name, mutant, fast=fast))
            except Exception as error:  # none of a mutant's may come out of a check
                said = f"the check raises {type(error).__name__}: {error}".splitlines()[0]
                found.append(Verdict(name, mutant.kind, mutant.label, "wrong blame", said))
    return found


# ---- the run ---------------------------------------------------------------------------


def timed(name: str, only: str, fast: bool) -> tuple[str, list[Verdict], float]:
    """The verdicts on an op, and how many seconds they took."""
    start = time.perf_counter()
    return name, verdicts(name, only=only, fast=fast), time.perf_counter() - start


def main(arguments: list[str] | None = None) -> int:
    """Run the mutants that the command line asks for, print the table, and say whether all were killed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--op", action="append", help="this op alone; may be given again")
    parser.add_argument("--mutant", default="", help="only mutants whose kind and label have this text in them")
    parser.add_argument("--fast", action="store_true", help=f"on {FEW} cases of each op instead of {CASES}")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    names = options.op or sorted(vars(table), key=lambda name: -len(functions_of(getattr(table, name).vjp)))
    console = Console()
    start = time.perf_counter()
    runs = Parallel(n_jobs=min(options.jobs, len(names)))(
        delayed(timed)(name, options.mutant, options.fast) for name in names
    )
    found = [verdict for _, verdicts, _ in runs for verdict in verdicts]
    console.print(by_op(runs))
    console.print(by_kind(found))
    for outcome in reversed(OUTCOMES[1:]):
        said = [verdict for verdict in found if verdict.outcome == outcome]
        if said:
            console.print(f"\n{outcome}: {len(said)}", style="bold")
        for verdict in said:
            said_of = f"  {verdict.op}, {verdict.kind}: {verdict.label}  {verdict.said if outcome not in APART else ''}"
            console.print(said_of, markup=False, highlight=False)
    counted = Counter(verdict.outcome for verdict in found)
    apart = sum(counted[outcome] for outcome in APART)
    bad = len(found) - apart - counted["killed"]
    of = len(found) - apart
    score = f"{counted['killed']} of {of} mutants killed and blamed rightly ({apart} more are no mistakes)"
    console.print(f"\n{score}, in {time.perf_counter() - start:.0f} s", style="bold red" if bad else "bold green")
    if bad:
        console.print("again, one of them: python tests/mutants.py --op NAME --mutant 'its label'", markup=False)
    return 1 if bad else 0


def by_op(runs: list[tuple[str, list[Verdict], float]]) -> Table:
    """A line an op."""
    result = Table("op", *COLUMNS, "s", box=box.SIMPLE)
    for name, said, seconds in sorted(runs):
        result.add_row(name, *counts(said), f"{seconds:.1f}")
    return result


def by_kind(found: list[Verdict]) -> Table:
    """A line a kind of mutation, and one for all."""
    result = Table("mutation", *COLUMNS, box=box.SIMPLE)
    for kind in sorted({verdict.kind for verdict in found}):
        result.add_row(kind, *counts([verdict for verdict in found if verdict.kind == kind]))
    result.add_section()
    result.add_row("all", *counts(found))
    return result


def counts(found: list[Verdict]) -> list[str]:
    """How many mutants there are; how many of them were found, and blamed rightly; how many more are no mistakes."""
    counted = Counter(verdict.outcome for verdict in found)
    apart = sum(counted[outcome] for outcome in APART)
    numbers = (len(found) - apart, counted["killed"] + counted["wrong blame"], counted["killed"], apart)
    return [str(number or "") for number in numbers]


if __name__ == "__main__":
    from mutants import main as by_name  # so that the processes that do the work find its functions

    sys.exit(by_name())
