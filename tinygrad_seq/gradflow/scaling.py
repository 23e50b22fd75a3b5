"""How a layer's work, its sequential operations and its paths grow with length and width: Table 1, fitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..graph import Node
from .powers import Power, power
from .routes import Paths, paths
from .work import Work, work_by

__all__ = ["Complexity", "Law", "Term", "complexity"]


class Law(NamedTuple):
    """count ∝ n^… · d^…: how a count grows with the length n, and with the width d, at the largest of the other."""

    n: Power
    d: Power

    def __str__(self) -> str:
        return f"n^{self.n} d^{self.d}"


class Term(NamedTuple):
    """One term of a layer's multiply-adds: the products that grow alike.

    layer: the outermost scope.  share: its part of all multiply-adds in the largest record.
    """

    layer: str
    law: Law
    share: float


class Complexity:
    """How the counts of a layer grow, fitted to records of growing length n and width d: `str` is its row of a table.

    counts: the raw counts, a column each: n, d, operations, multiply_adds, elementwise, sequential, maximum_path.
    multiply_adds, operations, sequential, maximum_path: a `Law` each; multiply_adds is None where there are none.
    layers: the law of the multiply-adds of each outermost scope that has any at all sizes.  terms: the multiply-adds
    apart by how they grow, as in n² d + n d², the largest first: a sum of two laws is no law, and its fitted exponents
    lie in between.
    """

    def __init__(self, runs: Sequence[tuple[int, int, Paths]]) -> None:
        rows = [(n, d, *found.total, found.sequential, found.maximum_path) for n, d, found in runs]
        columns = ("n", "d", *Work._fields, "sequential", "maximum_path")
        self.counts = {name: np.array(column) for name, column in zip(columns, zip(*rows), strict=True)}
        self.operations = self._law(self.counts["operations"])
        self.sequential = self._law(self.counts["sequential"])
        self.maximum_path = self._law(self.counts["maximum_path"])
        products = [_products(found) for _, _, found in runs]
        every = dict.fromkeys(key for groups in products for key in groups)
        of = {key: np.array([groups.get(key, 0) for groups in products]) for key in every}
        by_layer: dict[str, np.ndarray] = {}
        for key, counts in of.items():
            by_layer[key[0]] = by_layer.get(key[0], 0) + counts
        whole = self.counts["multiply_adds"]
        self.multiply_adds = self._law(whole) if whole.all() else None
        self.layers = {scope: self._law(counts) for scope, counts in by_layer.items() if counts.all()}
        self.terms = self._terms(of)

    def _law(self, counts: np.ndarray) -> Law:
        n, d = self.counts["n"], self.counts["d"]
        long, wide = d == d.max(), n == n.max()
        return Law(power(n[long], counts[long]), power(d[wide], counts[wide]))

    def _terms(self, of: dict[tuple[Any, ...], np.ndarray]) -> list[Term]:
        """Products of one layer that grow alike, to a tenth in the exponents, are one term."""
        alike: dict[tuple[Any, ...], np.ndarray] = {}
        for key, counts in of.items():
            if counts.all():  # what only some of the records have grows by no law
                law = self._law(counts)
                kind = (key[0], round(law.n.exponent, 1), round(law.d.exponent, 1))
                alike[kind] = alike.get(kind, 0) + counts
        largest = int(np.argmax(self.counts["n"] * self.counts["d"]))
        whole = self.counts["multiply_adds"][largest]
        terms = [Term(kind[0], self._law(counts), float(counts[largest] / whole)) for kind, counts in alike.items()]
        return sorted(terms, key=lambda term: -term.share)

    def __str__(self) -> str:
        terms = " + ".join(dict.fromkeys(str(term.law) for term in self.terms)) or "none"
        return (
            f"multiply-adds {terms}, sequential operations n^{self.sequential.n}, maximum path n^{self.maximum_path.n}"
        )

    def __repr__(self) -> str:
        return f"Complexity({self})"


def complexity(
    make: Callable[[int, int], Paths | Node | Sequence[Node]],
    lengths: Sequence[int] = (8, 16, 32, 64),
    widths: Sequence[int] = (8, 16, 32, 64),
    *,
    inputs: Any = "x",
    targets: Any = None,
) -> Complexity:
    """Records a layer at growing length and growing width, and fits how its counts grow.

    make: given a length n and a width d, runs the layer and returns its outputs, one for each position or a list, or
    the `Paths` of its record.  inputs, targets: where paths start and end, as in `paths`; of Paths their own count.
    lengths are run at the largest width, and widths at the largest length.
    Raises DataError for less than two lengths or widths; else what `paths` raises.

    In "Attention Is All You Need" (Vaswani et al. 2017), Table 1, a recurrent layer has O(n d²), O(n) and O(n), and
    self-attention O(n² d), O(1) and O(1).  Here is the shortest recurrent layer there is:

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import complexity
    >>> def make(n, d):
    ...     h, W = Tensor(np.zeros(d)), Tensor(np.eye(d), requires_grad=True)
    ...     for t, x in steps(np.ones((n, d))):
    ...         h = (h @ W + Tensor(x).named("x")).named("h")
    ...     return h
    >>> print(complexity(make, targets="h"))
    multiply-adds n^1.00 d^2.00, sequential operations n^1.00, maximum path n^1.03
    """
    if min(len({*lengths}), len({*widths})) < 2:
        raise DataError(f"complexity needs at least two lengths and two widths, got {lengths} and {widths}")
    n, d = max(lengths), max(widths)
    sizes = dict.fromkeys([(length, d) for length in lengths] + [(n, width) for width in widths])
    runs = []
    for length, width in sizes:
        made = make(length, width)
        if not isinstance(made, Paths):
            made = paths(*([made] if isinstance(made, Node) else made), inputs=inputs, targets=targets)
        runs.append((length, width, made))
    return Complexity(runs)


def _products(found: Paths) -> dict[tuple[Any, ...], int]:
    """The multiply-adds of each place in the code that multiplies, by layer, scope, op and source line."""
    groups = work_by(
        (node for node in found.graph.nodes if node.op is not None and not node.scalar),
        lambda node: (node.scope.split("/")[0], node.scope, node.op.name, node.origin),
    )
    return {key: work.multiply_adds for key, work in groups.items() if work.multiply_adds}
