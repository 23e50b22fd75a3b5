"""What the samples make of an op: its nodes, a gradient for each, and by how much a wrong rule differs there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from oracles import summed_to
from tinygrad_seq import Tensor, manual_seed
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph, Node
from tinygrad_seq.ops import table
from tinygrad_seq.testing.samples import OPS
from tinygrad_seq.testing.strategies import Case

__all__ = ["CASES", "EDGES", "NO_DERIVATIVES", "Sample", "Vjp", "cases_of", "differences", "edges_of", "samples_of"]

Vjp = Callable[..., tuple[Any, ...]]
CASES = 200  # of each op's samples


class Sample(NamedTuple):
    """A node that a case of the samples made of an op, and a gradient to send back through it."""

    case: Any
    dtype: Any
    node: Node
    g: np.ndarray

    def sent(self, vjp: Vjp) -> tuple[Any, ...]:
        """What a rule makes of the gradient here, as arrays."""
        sent = vjp(self.g.copy(), self.node.data, *[x.data for x in self.node.inputs], **self.node.fixed)
        return tuple(part.array() if hasattr(part, "array") else part for part in sent)


@lru_cache(maxsize=4)
def cases_of(name: str, n: int = CASES) -> list[Case]:
    """The first n cases of the samples of an op."""
    cases: list[Case] = []

    @given(OPS[name])
    @settings(
        max_examples=n, phases=[Phase.generate], database=None, derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def collect(case: Case) -> None:
        cases.append(case)

    collect()
    return cases


@lru_cache(maxsize=4)
def samples_of(name: str, n: int = CASES) -> list[Sample]:
    """Every application of the op in these cases, in float64, and in some of them in float32."""
    cases = cases_of(name, n)
    found = [*applications(name, cases, np.float64), *applications(name, cases[::4], np.float32)]
    assert found, f"the samples of {name} make no node of it"
    return found


@lru_cache(maxsize=4)
def edges_of(name: str) -> list[Sample]:
    """The same at ties, at kinks, at 0 and at large numbers, where the op has any."""
    return list(applications(name, EDGES.get(name, []), np.float64))


def applications(name: str, cases: list[Any], dtype: Any) -> Iterator[Sample]:
    """The nodes of the op that the cases make, and for each a gradient."""
    rng = np.random.default_rng(0)
    for case in cases:
        manual_seed(0)
        with np.errstate(all="ignore"):
            out = case(*[Tensor(array.astype(dtype), requires_grad=True, dtype=dtype) for array in case.arrays])
        for node in Graph(out):
            if node.op is getattr(table, name):
                yield Sample(case, dtype, node, np.asarray(rng.normal(size=node.shape), node.data.dtype))


NO_DERIVATIVES = {"clip_gradient"}  # it bends gradients on purpose: what its rule does then is no derivative


def at(call: Callable[..., Any], *arrays: Any) -> Case:
    """A case of those numbers."""
    return Case(call, tuple([np.array(array, float) for array in arrays]), {}, False)


EDGES: dict[str, list[Case]] = {
    "maximum": [at(F.maximum, [1.0, 2.0, 3.0], [1.0, 2.0, 0.0]), at(F.maximum, 2.0, [2.0, 1.0])],
    "minimum": [at(F.minimum, [1.0, 2.0, 3.0], [1.0, 2.0, 0.0]), at(F.minimum, 2.0, [2.0, 3.0])],
    "max": [at(F.max, [1.0, 3.0, 3.0]), at(lambda x: F.max(x, 1), [[2.0, 2.0, 2.0], [0.0, 1.0, 1.0]])],
    "min": [at(F.min, [1.0, 1.0, 3.0]), at(lambda x: F.min(x, 0), [[2.0, 0.0], [2.0, 1.0]])],
    "relu": [at(F.relu, [0.0, 1.0])],
    "leaky_relu": [at(F.leaky_relu, [0.0, 1.0])],
    "abs": [at(F.abs, [0.0, 1.0])],
    "clip": [at(lambda x: F.clip(x, -1.0, 1.0), [-1.0, 0.0, 1.0])],
    "pow": [at(lambda x, n=n: F.pow(x, n), [0.0, 2.0]) for n in (0, 1, 2, 3)],
    "power": [at(F.pow, [0.0, 0.0, 2.0], [2.0, 1.0, 3.0]), at(F.pow, [0.0, 2.0], [0.0, 0.0])],
    "std": [at(F.std, [2.0, 2.0, 2.0]), at(lambda x: F.std(x, 1), [[2.0, 2.0], [1.0, 2.0]])],
    "norm": [at(F.norm, [0.0, 0.0]), at(lambda x: F.norm(x, 1), [[0.0, 0.0], [3.0, 4.0]])],
    "cross_entropy": [at(lambda x: F.cross_entropy(x, [0, 1]), [[1e4, 0.0, -1e4], [1e4, 9999.0, 0.0]])],
    "logsumexp": [at(F.logsumexp, [1e4, 0.0, 9999.0])],
    "softmax": [at(F.softmax, [1e4, 0.0, 9999.0])],
    "log_softmax": [at(F.log_softmax, [1e4, 0.0, 9999.0])],
}


def differences(sample: Sample, right: Vjp, wrong: Vjp) -> dict[int, float]:
    """By how much each gradient of a wrong rule differs from the right one, if by more than rounding.

    Infinite where it is not even of the same kind: another shape, dtype or count, None, or an error.
    """
    expected = sample.sent(right)
    try:
        with np.errstate(all="ignore"):
            actual = sample.sent(wrong)
    except Exception:
        return dict.fromkeys(range(len(expected)), np.inf)
    if len(actual) != len(expected):
        return dict.fromkeys(range(len(expected)), np.inf)
    found = {}
    for i, (a, b, x) in enumerate(zip(actual, expected, sample.node.inputs, strict=True)):
        by = difference(a, b, x.data.shape if sample.node.op.broadcasts else None)
        if by > (1e-9 if sample.dtype == np.float64 else 1e-3):
            found[i] = by
    return found


def difference(actual: Any, expected: Any, shape: tuple[int, ...] | None) -> float:
    """The largest difference of two gradients, in proportion to the largest element.  None is as good as zeros.

    shape: what the sweep adds them up to, where the op broadcasts.
    """
    if actual is None or expected is None:
        other = expected if actual is None else actual
        return 0.0 if other is None or not np.any(other) else np.inf
    if np.asarray(actual).dtype != expected.dtype:
        return np.inf
    try:
        a, b = (np.asarray(part) if shape is None else summed_to(part, shape) for part in (actual, expected))
    except (ValueError, IndexError):
        return np.inf
    if a.shape != b.shape:
        return np.inf
    with np.errstate(all="ignore"):
        scale = max(1.0, float(np.max(np.abs(b), initial=0)))
        by = np.abs(a - b) / scale
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.max(np.where(same, 0, np.where(np.isnan(by), np.inf, by)), initial=0))
