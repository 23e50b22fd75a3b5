"""Truncated against full backpropagation through time: what a gradient loses that looks back so many steps only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..backprop import Visit, rule, seed, walk
from ..errors import DataError, GradientError
from ..graph import Graph, Node
from ..ops.parts import Sum
from .quantities import quantity
from .series import magnitude

__all__ = ["TruncationBias", "truncation_bias"]

KEPT = 32  # products that are kept as their factors before they are multiplied and added up

Arrived = dict[Node, Sum]


class TruncationBias:
    """How the truncated gradient stands to the full one, by how many steps back each loss looks.

    k: the numbers of steps, (K).  cosine: of the angle between both gradients, 1 where the truncated one points the
    right way; NaN where just one of them is 0.  ratio: its length by that of the full one.
    by_weight: the same for each weight alone, by name.
    """

    def __init__(
        self, k: np.ndarray, cosine: np.ndarray, ratio: np.ndarray, by_weight: Mapping[str, TruncationBias]
    ) -> None:
        self.k, self.cosine, self.ratio, self.by_weight = k, cosine, ratio, dict(by_weight)

    def enough(self, cosine: float = 0.99) -> int | None:
        """The fewest steps from which on the cosine is at least that; None where it never is."""
        good = np.append(self.cosine >= cosine, True)
        first = len(good) - int(np.argmin(good[::-1])) if not good.all() else 0
        return int(self.k[first]) if first < len(self.k) else None

    def __len__(self) -> int:
        return len(self.k)

    def __repr__(self) -> str:
        rows = zip(self.k, self.cosine, self.ratio, strict=True)
        shown = [f"{k}: {cosine:.3g}, {ratio:.3g}" for k, cosine, ratio in rows]
        if len(shown) > 12:
            shown[6:-6] = ["…"]
        return f"TruncationBias(k: cosine, norm ratio; {'; '.join(shown)})"


def truncation_bias(
    losses: Node | Iterable[Node], weights: Any, k: int | Iterable[int] | None = None, *, name: str = "L"
) -> TruncationBias:
    """The gradient of Σ L_t in which each L_t looks back k steps, its own among them, against the full gradient.

    losses: L_t of each step; or one loss that was made from a series of that name, of which each then counts as much
    as the loss's gradient says.  weights: a parameter, several, or a dictionary of them; all together are one vector.
    k: by default every number of steps from 1 to all of them; from there on cosine and norm ratio are 1.
    It is the gradient that L_t sends to a weight at the steps t - k + 1 … t (Williams and Peng 1990: every loss goes
    back by itself, h' = 1; to update in blocks of more steps is another truncation, with a gradient of its own).  What
    lies outside of time counts as at the loss's own step, and a step after the loss, as a layer from the end has it, as
    far as it is away.  It is exact, from the record of one run.
    Cost: one sweep for each loss; one array of the weights' shape for each distance.
    Raises GradientError where no loss reaches the weights, DataError for a k that is no number of steps.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import truncation_bias
    >>> w, h, losses = Tensor([0.5], requires_grad=True, name="w"), Tensor([1.0]), []
    >>> for t, x in steps([1.0, 1.0, 1.0]):
    ...     h = h * w + x
    ...     losses.append(h.sum())
    >>> truncation_bias(losses, w).ratio.round(2)       # of 1 + 2 + 2.75: without what came through w, w²
    array([0.74, 0.96, 1.  ])
    """
    named = _named(weights)
    starts = _starts(losses, name)
    outputs = [loss for loss, _ in starts]
    graph = Graph(*outputs)
    wanted = {*named.values()}
    made = _made(graph, wanted)
    latest = _latest(graph)
    oldest = min((node.birth for node in graph if node.t is not None and node.requires_grad), default=0)
    totals: dict[int, Arrived] = {}
    for loss, g in starts:
        here = latest[loss]
        if loss in wanted or loss in made:
            _add(totals, 0, loss, g)
        for node, gradient, sent in walk([(loss, g)]):
            if node.birth < oldest:
                break  # what is left was made of the weights before all steps
            if node.t is None and node in made:
                continue
            visit = Visit(node, gradient, sent)
            for i, x in enumerate(node.inputs):
                if (x in wanted or x in made) and (part := visit.part(i)) is not None:
                    _add(totals, abs(here - node.t) if node.t is not None else 0, x, part)
    if not totals:
        raise GradientError(f"no loss was made from {' or '.join(map(repr, named))}: there is no gradient to truncate")
    ks = _steps(k, max(totals) + 1)
    order = sorted(made, key=lambda node: -node.birth)
    of_distance = {d: _carried(totals.pop(d), order, wanted, made) for d in sorted(totals)}
    full = {node: sum(of[node] for of in of_distance.values() if node in of) for node in wanted}
    found = {node: np.ones((2, len(ks))) for node in wanted}
    joint = np.ones((2, len(ks)))
    so_far = {node: np.zeros_like(node.data) for node in wanted}
    waiting = list(of_distance)
    for i, steps in enumerate(ks):
        while waiting and waiting[0] < steps:
            for node, g in of_distance.pop(waiting.pop(0)).items():
                so_far[node] = so_far[node] + g
        if waiting:  # else nothing is cut: the gradient is the full one
            each = {node: _products(so_far[node], full[node]) for node in wanted}
            for node, products in each.items():
                found[node][:, i] = _agreement(*products)
            joint[:, i] = _agreement(*_together(list(each.values())))
    by_weight = {key: TruncationBias(ks, found[node][0], found[node][1], {}) for key, node in named.items()}
    return TruncationBias(ks, joint[0], joint[1], by_weight)


# ---- what is asked for -----------------------------------------------------------------


def _named(weights: Any) -> dict[str, Node]:
    if isinstance(weights, Mapping):
        named = {str(key): node for key, node in weights.items()}
    else:
        named = {}
        for i, node in enumerate([weights] if isinstance(weights, Node) else list(weights), 1):
            key = getattr(node, "name", None) or f"W{i}"
            named[key if key not in named else f"{key}#{i}"] = node
    if not named or not all(isinstance(node, Node) for node in named.values()):
        kinds = ", ".join(sorted({type(node).__name__ for node in named.values()})) or "none"
        raise DataError(f"truncation_bias needs the weights whose gradient is measured, as nodes; got {kinds}")
    return named


def _starts(losses: Any, name: str) -> list[tuple[Node, Any]]:
    """Each loss, and the gradient that it starts from."""
    if not isinstance(losses, Node):
        starts = [(loss, seed(loss, None, False)) for loss in losses]
        if not starts:
            raise GradientError("truncation_bias needs at least one loss, got an empty list")
        return starts
    start = seed(losses, None, False)
    nodes = {*quantity(losses, name).nodes}
    of_node: dict[Node, Any] = {}
    for node, g, _ in walk([(losses, start)]):
        if node in nodes:
            of_node[node] = g
    return list(of_node.items())


def _steps(k: Any, longest: int) -> np.ndarray:
    if k is None:
        return np.arange(1, longest + 1)
    ks = np.atleast_1d(np.asarray(list(k) if isinstance(k, Iterable) and not isinstance(k, np.ndarray) else k))
    if ks.ndim != 1 or not ks.size or ks.dtype.kind not in "iu" or ks.min() < 1:
        raise DataError(f"truncation_bias: k must be whole numbers of steps, at least 1, got {k!r}")
    return np.unique(ks)


# ---- where the gradient goes -----------------------------------------------------------


def _made(graph: Graph, wanted: set[Node]) -> set[Node]:
    """What was made of the weights outside of time, such as a transposition before the loop."""
    made: set[Node] = set()
    for node in graph:
        if node.t is None and node.requires_grad and any(x in wanted or x in made for x in node.inputs):
            made.add(node)
    return made


def _latest(graph: Graph) -> dict[Node, int]:
    """The step of each node, or of those outside of time the last step that they were made from."""
    latest: dict[Node, int] = {}
    for node in graph:
        latest[node] = node.t if node.t is not None else max((latest[x] for x in node.inputs), default=0)
    return latest


def _add(totals: dict[int, Arrived], distance: int, x: Node, part: Any) -> None:
    arrived = totals.setdefault(distance, {})
    have = arrived.setdefault(x, Sum())
    have.add(part)
    if len(have.products) + len(have.pieces) >= KEPT:
        arrived[x] = Sum()
        arrived[x].add(have.array())


def _carried(arrived: Arrived, made: list[Node], wanted: set[Node], between: set[Node]) -> dict[Node, Any]:
    """What has come to nodes made of the weights, carried on to the weights themselves.  made: newest first."""
    for node in made:
        if node in arrived:
            g = arrived[node].array() if node in wanted else arrived.pop(node).array()
            visit = Visit(node, g, rule(node, g))
            for i, x in enumerate(node.inputs):
                if (x in wanted or x in between) and (part := visit.part(i)) is not None:
                    arrived.setdefault(x, Sum()).add(part)
    return {node: sum_.array() for node, sum_ in arrived.items()}


# ---- two gradients ---------------------------------------------------------------------


def _products(g: Any, full: Any) -> tuple[float, float, float]:
    """‖g‖, ‖full‖, and the product of the directions; the latter 0 where there is none."""
    a, b = magnitude(g), magnitude(full)
    if not (0 < a < np.inf and 0 < b < np.inf):
        return a, b, 0.0 if a == a and b == b else np.nan
    return a, b, float(np.vdot(g / a, full / b))


def _together(each: Iterable[tuple[float, float, float]]) -> Iterator[float]:
    """The same of several weights as one vector."""
    a, b, along = np.array(list(each)).T
    whole, all_of_full = magnitude(a), magnitude(b)
    yield from (whole, all_of_full)
    with np.errstate(invalid="ignore"):  # infinite lengths have no direction
        yield float(np.sum(a / whole * (b / all_of_full) * along)) if whole and all_of_full else 0.0


def _agreement(a: float, b: float, along: float) -> tuple[float, float]:
    """Cosine and norm ratio; of two gradients of 0 both 1."""
    if a == 0 or b == 0:
        return (1.0, 1.0) if a == b else (np.nan, np.inf if a else 0.0)
    return float(np.clip(along, -1, 1)), a / b
