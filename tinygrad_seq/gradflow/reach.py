"""How far things reach: the whole matrix ‖∂y_t/∂x_s‖, of every output against every input.

Exact, and cheap where steps follow each other: the record is cut where it goes from one step to another, each piece
gives its Jacobian once, and what arrives of all outputs at a cut goes on as one product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..errors import GradientError, ShapeError
from ..graph import Graph, Node
from ..ops import table
from .quantities import Quantity, quantity
from .segments import Segment
from .series import Series, magnitude

__all__ = ["Influence", "influence"]

AT_ONCE = 2**22  # numbers of one array in a block sweep: more gradients go in several blocks


class Influence:
    """The matrix ‖∂y_t/∂x_s‖, also given by `np.asarray`: a row for every output, a column for every input.

    norms: (T, S).  t: the steps of the outputs.  s: those of the inputs.  names: of both.  ord: "fro" or 2.  jacobians:
    (T, S, numbers of y_t, numbers of x_s), where they were to be kept, else None.
    """

    def __init__(
        self,
        names: tuple[str, str],
        t: np.ndarray,
        s: np.ndarray,
        norms: np.ndarray,
        ord: Any,
        jacobians: Any = None,
        nodes: Sequence[Node] = (),
    ) -> None:
        self.names = names
        self.t = t
        self.s = s
        self.norms = norms
        self.ord = ord
        self.jacobians = jacobians
        self._inputs = list(nodes)

    def row(self, t: int) -> Series:
        """What output y_t takes from every input, ‖∂y_t/∂x_s‖ over s; a drawing can be coloured by it."""
        places = np.flatnonzero(self.t == t)
        if not len(places):
            raise GradientError(f"there is no output of step {t}: they are of {self.t[0]} … {self.t[-1]}")
        name = f"‖∂{self.names[0]}_{t}/∂{self.names[1]}_s‖"
        return Series(name, self.s.tolist(), self.norms[places[0]], self._inputs)

    def by_distance(self) -> Series:
        """The mean norm of all pairs that lie t - s steps apart, from 0 on; of each distance that there is."""
        distances = self.t[:, None] - self.s
        there = np.unique(distances[distances >= 0])
        means = [self.norms[distances == distance].mean() for distance in there]
        return Series(f"‖∂{self.names[0]}_t/∂{self.names[1]}_s‖ at distance t - s", there.tolist(), means)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.norms, dtype)

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        y, x = self.names
        shown = f"{self.norms.min():.3g} to {self.norms.max():.3g}" if self.norms.size else "nothing"
        return f"Influence(‖∂{y}_t/∂{x}_s‖, {len(self.t)} × {len(self.s)}, {shown})"


def influence(
    outputs: Any, inputs: Any, *, of: Node | Sequence[Node] | None = None, ord: Any = "fro", keep: bool = False
) -> Influence:
    """‖∂y_t/∂x_s‖ of every output against every input, through everything between them.

    outputs, inputs: each a name as in `Trace`, a list of nodes, or one node whose first axis is time.  Losses
    L_1 … L_T are a list of scalars.  of: the record that names are looked up in, such as a loss; a name of inputs is
    looked up in the record of the outputs where that is not given.  ord: "fro", the root of the sum of all squares, or
    2, the largest singular value.  keep: the Jacobians as well, which takes T · S of them.

    A batch counts as one large vector; the cost grows with its square, so take one sequence.  Where x_s does not reach
    y_t the norm is exactly 0.  For scalar outputs the cost is that of at most T sweeps; for vectors each step's
    Jacobian is worked out once, and the rest is products of matrices.

    Raises GradientError for inputs that require no gradient, for outputs under `no_grad`, and for a name without
    record; UnknownNameError for names that are not there.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import influence
    >>> x, h, hs = Tensor([[1.0], [2.0], [3.0]], requires_grad=True, name="x"), Tensor([0.0]), []
    >>> for t, x_t in steps(x):
    ...     h = (0.5 * h + x_t).named("h")
    ...     hs.append(h)
    >>> influence(hs, x).norms
    array([[1.  , 0.  , 0.  ],
           [0.5 , 1.  , 0.  ],
           [0.25, 0.5 , 1.  ]])
    >>> influence("h", "h", of=h.sum()).by_distance()
    Series(‖∂h_t/∂h_s‖ at distance t - s, 0: 1, 1: 0.5, 2: 0.25)
    """
    if ord not in ("fro", 2):
        raise GradientError(f'the norm of a Jacobian is ord="fro" or ord=2, got {ord!r}')
    if of is None:
        if isinstance(outputs, str):
            raise GradientError(
                f"influence({outputs!r}, …) needs the record that has {outputs!r}: influence({outputs!r}, …, of=loss)"
            )
        of = outputs if isinstance(outputs, Node) else list(outputs)
    ys, xs = taken_apart(quantity(of, outputs)), quantity(of, inputs)
    ys = ys._replace(name=ys.name if isinstance(outputs, str) else ys.nodes[0].name or "y")
    for node in ys.nodes:
        if not node.requires_grad:
            raise GradientError(
                f"the output {node!r} requires no gradient: nothing that it was made from has requires_grad=True (or "
                "it was made under no_grad)"
            )
    if not any(node.requires_grad for node in xs.nodes):
        raise GradientError(
            f"the inputs {xs.name!r} require no gradient, such as {xs.nodes[0]!r}: make them "
            "Tensor(…, requires_grad=True), or give the first nodes made from them"
        )
    pieces = piece_size(ys), piece_size(xs)
    jacobians = np.zeros((len(ys.t), len(xs.t), *pieces)) if keep else None
    norms = np.zeros((len(ys.t), len(xs.t)))
    for i, j, J in blocks(ys, xs):
        norms[i, j] = magnitude(J) if ord == "fro" or 1 in J.shape or not np.isfinite(J).all() else np.linalg.norm(J, 2)
        if jacobians is not None:
            if J.shape != pieces:
                raise ShapeError(f"Jacobians are kept where all are of one shape, got {pieces} and {J.shape}")
            jacobians[i, j] = J
    nodes = () if xs.along else xs.nodes
    return Influence((ys.name, xs.name), ys.t, xs.t, norms, ord, jacobians, nodes)


def taken_apart(over: Quantity) -> Quantity:
    """A node that stacks what each step gave, as those nodes: nothing lies between."""
    node = over.nodes[0]
    if over.along and node.op is table.stack and node.fixed["axis"] % np.ndim(node.data) == 0:
        return over._replace(nodes=list(node.inputs), along=False)
    return over


def piece_size(over: Quantity) -> int:
    """How many numbers one step of a quantity has."""
    return size_of(over.nodes[0]) // (len(over.t) if over.along else 1)


def size_of(node: Node) -> int:
    """How many numbers a node has."""
    return int(np.size(node.data))


def blocks(ys: Quantity, xs: Quantity) -> Iterator[tuple[int, int, np.ndarray]]:
    """(number of the output, number of the input, ∂y/∂x) of every pair of which one reaches the other."""
    graph = Graph(*ys.nodes)
    columns = sources(graph, xs)
    reaching = set(columns)
    for node in graph.nodes:
        if node not in reaching and node.requires_grad and any([x in reaching for x in node.inputs]):
            reaching.add(node)
    cuts = {*columns, *reaching.intersection(ys.nodes)}
    for node in reaching:
        if node.t is not None:
            cuts |= {x for x in node.inputs if x in reaching and x.t is not None and x.t != node.t}
    several = {j for j, n in Counter(j for places in columns.values() for j, _ in places).items() if n > 1}
    partial: dict[tuple[int, int], np.ndarray] = {}
    arrived: dict[Node, dict[int, np.ndarray]] = {node: {} for node in cuts}
    for node in sorted(cuts, key=attrgetter("birth"), reverse=True):
        segment = Segment([node], cuts, reaching.__contains__)
        for rows in starting(node, ys, arrived.pop(node)):
            for i, block in rows.items():
                for j, place in columns.get(node, ()):
                    J = block[:, place]
                    if j in several:
                        partial[i, j] = partial[i, j] + J if (i, j) in partial else J
                    else:
                        yield i, j, J
            for end, i, block in onward(segment, node, rows):
                if i in arrived[end]:
                    arrived[end][i] += block
                else:
                    arrived[end][i] = block
    for (i, j), J in partial.items():
        yield i, j, J


def sources(graph: Graph, xs: Quantity) -> dict[Node, list[tuple[int, slice]]]:
    """The nodes to look at, and which of their numbers belong to which of the inputs.

    Where one node holds them all, and the record takes x_1, x_2, … out of it one by one, they are what was taken.
    """
    found: dict[Node, list[tuple[int, slice]]] = {}
    if not xs.along:
        for j, node in enumerate(xs.nodes):
            found.setdefault(node, []).append((j, slice(None)))
        return found
    (whole,) = xs.nodes
    users = [node for node in graph.nodes if any([x is whole for x in node.inputs])]
    taken = all(user.op is table.getitem and isinstance(user.fixed["index"], int) for user in users)
    if taken and whole not in set(graph.outputs):
        return {user: [(user.fixed["index"] % len(xs.t), slice(None))] for user in users}
    each = piece_size(xs)
    return {whole: [(j, slice(j * each, (j + 1) * each)) for j in range(len(xs.t))]}


def starting(node: Node, ys: Quantity, rows: dict[int, np.ndarray]) -> Iterator[dict[int, np.ndarray]]:
    """By output, the gradients of a node: what arrived, and where it is an output its own; in groups."""
    dtype = np.result_type(node.data)
    if ys.along and node is ys.nodes[0]:
        each = piece_size(ys)
        for i in range(len(ys.t)):  # one by one: all of them would be a matrix of T² blocks
            unit = np.zeros((each, size_of(node)), dtype)
            unit[:, i * each : (i + 1) * each] = np.eye(each)
            yield {i: unit}
        return
    for i, y in enumerate(ys.nodes):
        if y is node:
            rows[i] = np.eye(size_of(node), dtype=dtype)
    if rows:
        yield rows


def onward(segment: Segment, node: Node, rows: dict[int, np.ndarray]) -> Iterator[tuple[Node, int, np.ndarray]]:
    """What the gradients of a node, by output, make at the ends of its segment: (end, output, block); zeros left out.

    Few gradients go through themselves; of many, the Jacobian of the segment does, once, and multiplies them.
    """
    if not segment.nodes:
        return
    largest = max(1, *(size_of(one) for one in [*segment.nodes, *segment.ends]))
    gradients = np.concatenate(list(rows.values())) if len(rows) > 1 else next(iter(rows.values()))
    many = len(gradients) > size_of(node)
    through = np.eye(size_of(node), dtype=gradients.dtype) if many else gradients
    group = max(1, AT_ONCE // largest)
    columns = np.cumsum([0, *[size_of(end) for end in segment.ends]]).tolist()
    result = np.zeros((len(through), columns[-1]), gradients.dtype)
    for start in range(0, len(through), group):
        G = through[start : start + group]
        reached = segment.pull({node: G.reshape(len(G), *np.shape(node.data))})
        for end, left, right in zip(segment.ends, columns, columns[1:]):
            if end in reached:
                result[start : start + group, left:right] = reached[end].reshape(len(G), -1)
    bounds = np.cumsum([0, *[len(block) for block in rows.values()]]).tolist()
    for end, left, right in zip(segment.ends, columns, columns[1:]):
        J = times(gradients, result[:, left:right]) if many else result[:, left:right]
        for i, first, last in zip(rows, bounds, bounds[1:]):
            block = J[first:last]
            if block[:1].any() or block.any():  # most show it in their first row
                yield end, i, block


def times(G: np.ndarray, J: np.ndarray) -> np.ndarray:
    """G J, with less work where J is diagonal, as from C_t to C_{t-1}."""
    d = np.diagonal(J)
    return G * d if J.shape[0] == J.shape[1] and np.count_nonzero(J) == np.count_nonzero(d) else G @ J
