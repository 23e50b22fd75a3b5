"""The ways through a record: what is computed on them, how long they are, and what must wait for what."""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np

from ..errors import DataError, GradientError
from ..graph import Graph, Node
from .quantities import Quantity, quantity
from .ways import Ways
from .work import Work, work_by

__all__ = ["Paths", "paths"]


class Paths:
    """The operations of a record: how many in each layer, and on the ways from inputs to outputs.

    operations, multiply_adds, elementwise: by scope, as in `Work`; `work` has the three together, `layers` those of
    each first part of a scope with all inside it, and `within("encoder/l0")` those of any.
    sequential: the longest chain of operations that each need the one before, from the leaves on.
    shortest(i, j), longest(i, j): the operations on the way from the input at step i to the output at step j, None
    where there is no way; shortest_matrix(), longest_matrix(): of all pairs, (outputs, inputs), inf for no way.
    maximum_path: the longest of the shortest ways, "maximum path length" in Table 1 of Vaswani et al. 2017.
    s, t: the steps of the inputs and of the outputs.

    Every node that an op made counts as one operation, also a transposition.  The paths are those of the record: what
    a mask hides, a weight of 0, or a saturated gate leaves them as they are; whether anything comes through is what
    `influence` measures.  Where the positions are the rows of one node, or are stacked into one, each row has its own
    ways, as long as operations keep rows apart; what mixes them, such as the product of attention, leads from
    each row to all, and all of these ways are equally long.
    """

    def __init__(self, *outputs: Node | Graph, inputs: Any = "x", targets: Any = None) -> None:
        ends: list[Node] = []
        for given in outputs:
            if not isinstance(given, Node | Graph):
                raise TypeError(
                    f"paths needs nodes of a record (Tensors or Values), got {type(given).__name__}: paths(loss), or "
                    "paths(*outputs) for a list of them"
                )
            ends += given.outputs if isinstance(given, Graph) else [given]
        self.graph = Graph(*ends)
        if all(node.op is None for node in ends):
            made = ", ".join(map(repr, ends[:3])) or "no output"
            raise GradientError(
                f"there is no operation on record, only {made}: nothing that it was made from has requires_grad=True, "
                "or it was made under no_grad"
            )
        self._asked = inputs, ends if targets is None else targets

    # ---- how much is computed ----

    @cached_property
    def work(self) -> dict[str, Work]:
        """The work done in each scope itself, by its whole path; "" is outside of any."""
        return work_by(self.graph.nodes, attrgetter("place.scope"))

    @property
    def operations(self) -> dict[str, int]:
        """How many operations each scope has."""
        return {scope: work.operations for scope, work in self.work.items()}

    @property
    def multiply_adds(self) -> dict[str, int]:
        """The multiply-adds of each scope's products."""
        return {scope: work.multiply_adds for scope, work in self.work.items()}

    @property
    def elementwise(self) -> dict[str, int]:
        """The elements that each scope's other functions go through."""
        return {scope: work.elementwise for scope, work in self.work.items()}

    @property
    def layers(self) -> dict[str, Work]:
        """The work within each outermost scope."""
        return {name: self.within(name) for name in dict.fromkeys(scope.split("/")[0] for scope in self.work) if name}

    @property
    def total(self) -> Work:
        """All the work."""
        return self.within("")

    def within(self, scope: str) -> Work:
        """The work in a scope and in those inside it."""
        inside = [work for path, work in self.work.items() if not scope or f"{path}/".startswith(f"{scope}/")]
        return Work(*map(sum, zip(*inside))) if inside else Work(0, 0, 0)

    @cached_property
    def sequential(self) -> int:
        """The longest chain of operations, each of which needs the one before."""
        depth: dict[Node, int] = {}
        deepest = 0
        for node in self.graph.nodes:  # each after those that it was made from
            if node.op is None:
                depth[node] = 0
                continue
            below = 0
            for x in node.inputs:
                if depth[x] > below:
                    below = depth[x]
            depth[node] = below + 1
            if below >= deepest:
                deepest = below + 1
        return deepest

    # ---- how far it is from position to position ----

    @property
    def s(self) -> np.ndarray:
        """The steps of the inputs, in the order of the columns of the matrices."""
        return self._inputs.t

    @property
    def t(self) -> np.ndarray:
        """The steps of the outputs, in the order of the rows of the matrices."""
        return self._targets.t

    def shortest(self, i: int, j: int) -> int | None:
        """The fewest operations on a way from the input at step i to the output at step j; None if there is none."""
        return self._between(self._shortest, i, j)

    def longest(self, i: int, j: int) -> int | None:
        """The most operations on a way from the input at step i to the output at step j; None if there is none."""
        return self._between(self._longest, i, j)

    def shortest_matrix(self) -> np.ndarray:
        """`shortest` of all pairs, (outputs, inputs), inf where there is no way.  Costs one pass over the record."""
        return self._shortest.copy()

    def longest_matrix(self) -> np.ndarray:
        """`longest` of all pairs, (outputs, inputs), inf where there is no way."""
        return self._longest.copy()

    @property
    def maximum_path(self) -> int:
        """The longest of the shortest ways between any input and any output that it reaches.

        Raises GradientError where no input reaches any output.
        """
        lengths = self._shortest[np.isfinite(self._shortest)]
        if not lengths.size:
            raise GradientError(f"no way leads from any of the inputs {self._inputs.name} to {self._targets.name}")
        return int(lengths.max())

    def shortest_route(self, i: int, j: int) -> list[Node]:
        """The nodes of a shortest way, from the input at step i to the output at step j; none if there is no way."""
        return self._route(i, j, np.minimum)

    def longest_route(self, i: int, j: int) -> list[Node]:
        """The nodes of a longest way, from the input at step i to the output at step j; none if there is no way."""
        return self._route(i, j, np.maximum)

    def __repr__(self) -> str:
        rows: list[tuple[str, ...]] = [("scope", "operations", "multiply-adds", "elementwise")]
        rows += [(scope, *map(str, work)) for scope, work in self.work.items()]
        rows += [("all", *map(str, self.total))] if len(self.work) > 1 else []
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [f"Paths of {self.total.operations} operations, the longest chain {self.sequential}"]
        for name, *counts in rows:
            lines.append("  ".join([name.ljust(widths[0]), *map(str.rjust, counts, widths[1:])]))
        return "\n".join(lines)

    # ---- how it is found ----

    @cached_property
    def _inputs(self) -> Quantity:
        return self._positions("inputs", self._asked[0])

    @cached_property
    def _targets(self) -> Quantity:
        return self._positions("targets", self._asked[1])

    @cached_property
    def _ways(self) -> Ways:
        return Ways(self.graph, self._inputs)

    @cached_property
    def _shortest(self) -> np.ndarray:
        return self._ways.matrix(self._targets, np.minimum)

    @cached_property
    def _longest(self) -> np.ndarray:
        return self._ways.matrix(self._targets, np.maximum)

    def _positions(self, role: str, what: Any) -> Quantity:
        found = quantity(self.graph, what)
        there = set(self.graph.nodes)
        for node in found.nodes:
            if node not in there:
                raise GradientError(
                    f"{node!r} of the {role} is not in the record that the outputs were made from: name or give nodes "
                    "that lead to them; a tensor without requires_grad=True is not recorded where it is indexed"
                )
        return found

    def _number(self, of: Quantity, step: int, role: str) -> int:
        """Which of the positions is at a step."""
        found = np.flatnonzero(of.t == step)
        if not len(found):
            known = f"{of.t[0]} … {of.t[-1]}" if len(of.t) > 1 else str(of.t[0])
            raise DataError(f"there is no {role} at step {step!r}: the steps of {of.name!r} are {known}")
        return int(found[0])

    def _between(self, matrix: np.ndarray, i: int, j: int) -> int | None:
        length = matrix[self._number(self._targets, j, "output"), self._number(self._inputs, i, "input")]
        return int(length) if np.isfinite(length) else None

    def _route(self, i: int, j: int, best: np.ufunc) -> list[Node]:
        target = list(self._targets.places())[self._number(self._targets, j, "output")]
        return self._ways.route(self._number(self._inputs, i, "input"), target, best)


def paths(*outputs: Node | Graph, inputs: Any = "x", targets: Any = None) -> Paths:
    """What is computed in a record, what must wait for what, and how far it is from each input to each output.

    outputs: what the record is read from, such as a loss or all predictions; or the `Graph` of them.  inputs: the
    positions that paths start from: the name of a series as in `Trace`, nodes, or one node whose first axis is time.
    targets: those that they lead to, in the same ways; by default the outputs, in their order.  Who asks for no path
    needs neither.
    Raises GradientError where nothing was recorded; asked for a path UnknownNameError for a name that is not there,
    GradientError for nodes that are not in the record, DataError for a step that is none of theirs.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import paths
    >>> h, W = Tensor([1.0, 1.0], requires_grad=True), Tensor([[0.5, 0.0], [0.0, 0.5]])
    >>> for t, x in steps([1.0, 2.0, 3.0]):
    ...     h = (h @ W + Tensor([x, x]).named("x")).named("h")
    >>> found = paths(h, targets="h")
    >>> found
    Paths of 6 operations, the longest chain 6
    scope  operations  multiply-adds  elementwise
                    6             12            6
    >>> found.shortest(1, 3), found.shortest(3, 3), found.shortest(3, 1)
    (5, 1, None)
    >>> found.shortest_matrix()
    array([[ 1., inf, inf],
           [ 3.,  1., inf],
           [ 5.,  3.,  1.]])
    >>> found.maximum_path
    5
    >>> [node.op.name for node in found.shortest_route(2, 3) if node.op]
    ['add', 'matmul', 'add']
    """
    return Paths(*outputs, inputs=inputs, targets=targets)
