"""The gradient of a shared weight as the sum that it is: what each time step, each gate and each use adds to it.

    ∂L/∂W = Σ_t (what step t adds) = Σ_gates (what came through the gate) = Σ_uses (what was sent from the place of use)

The lecture's ∂L_4/∂W_x = H + E + L + L.  A product's contribution stays the pair of its factors, x_tᵀ and g_t, until
somebody asks for the matrix: a thousand steps keep two thousand vectors, not a thousand matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..backprop import Visit, rule, seed, stale, walk
from ..errors import GradientError
from ..graph import Graph, Node
from ..ops.parts import Sum
from .series import Series, magnitude

__all__ = ["Parts", "Use", "parts"]


class Use(NamedTuple):
    """A place in time where a weight is used.

    node: what was made with it.  t, scope, op, source: of that node.
    """

    node: Node
    t: int
    scope: str
    op: str
    source: str


class Piece(NamedTuple):
    """What a node sends to the weight, or to a node that was made of the weight outside of time.

    gate: the first name that the gradient met on its way to `user`, seen from the weight.
    """

    user: Node | None  # None: the loss, where the path to the weight meets no time step
    gate: str
    to: Node
    part: Any


class Parts(Series):
    """The gradient of a shared weight as a sum: ∂L/∂W = Σ_t (what step t adds) + (what is outside of time).

    t: the steps that use the weight.  norms: the length of what each adds.  total: all of it, which is ∂L/∂W.
    outside: what reaches the weight past all time steps, such as a penalty on its length, or None.
    The arrays below are put together when they are asked for.
    """

    sign = "‖∂L/∂{name} at step t‖"

    def __init__(self, weight: Node, made: list[Node], pieces: list[Piece]) -> None:
        self._weight, self._made, self._pieces = weight, made, pieces
        times = sorted({piece.user.t for piece in pieces if piece.user is not None})  # type: ignore[type-var]
        self.outside = self._sum(piece for piece in pieces if piece.user is None)
        total = np.zeros_like(weight.data) if self.outside is None else self.outside
        norms = []
        for part in self._each(lambda user, gate: user.t, times):
            norms.append(magnitude(part))
            total = total + part
        self.total = total
        super().__init__(weight.name or "W", times, norms)  # type: ignore[arg-type]

    # ---- by step ----

    @property
    def by_step(self) -> np.ndarray:
        """What each step adds, (T, *W.shape)."""
        return np.stack(list(self._each(lambda user, gate: user.t, self.t.tolist())))

    @cached_property
    def shares(self) -> np.ndarray:
        """How much of the total's length each step brings, along the total: with the outside's they add up to 1."""
        return self._along / square if (square := magnitude(self.total) ** 2) else np.zeros(len(self))

    @cached_property
    def cosine(self) -> np.ndarray:
        """How far what each step adds points where the total points: from 1 to -1; 0 where either is 0."""
        lengths = self.norms * magnitude(self.total)
        return np.divide(self._along, lengths, out=np.zeros(len(self)), where=lengths > 0)

    @cached_property
    def _along(self) -> np.ndarray:
        return np.array([np.vdot(part, self.total) for part in self._each(lambda user, gate: user.t, self.t.tolist())])

    # ---- by gate ----

    @cached_property
    def gates(self) -> Mapping[str, Parts]:
        """The parts that came through each gate, which is the first named node on the way from the weight to the loss.

        Of an LSTM "i", "f", "C̃" and "o", of an RNN "h" alone.
        """
        names = dict.fromkeys(piece.gate for piece in reversed(self._pieces) if piece.user is not None)
        return {name: Parts(self._weight, self._made, [p for p in self._pieces if p.gate == name]) for name in names}

    @property
    def by_gate(self) -> dict[str, np.ndarray]:
        """What comes through each gate, over all steps: by name, each of W.shape."""
        return {name: parts.total for name, parts in self.gates.items()}

    @property
    def gate_norms(self) -> dict[str, np.ndarray]:
        """The length of what comes through each gate at each step: by name, each (T)."""
        return {name: self._over_time(parts.t, parts.norms) for name, parts in self.gates.items()}

    @property
    def gate_shares(self) -> dict[str, np.ndarray]:
        """The shares of the steps, split by gate: by name, each (T)."""
        square, found = magnitude(self.total) ** 2, {}
        for name, parts in self.gates.items():
            along = [np.vdot(part, self.total) for part in parts._each(lambda user, gate: user.t, parts.t.tolist())]
            found[name] = self._over_time(parts.t, np.array(along) / square if square else np.zeros(len(parts)))
        return found

    # ---- by use ----

    @cached_property
    def uses(self) -> list[Use]:
        """The places where the weight is used, in the order of their making."""
        users = {piece.user for piece in self._pieces if piece.user is not None}
        ordered = sorted(users, key=lambda node: node.birth)
        return [Use(node, node.t or 0, node.scope, node.op.name, node.source) for node in ordered]

    @property
    def by_use(self) -> np.ndarray:
        """What each use adds, (uses, *W.shape)."""
        return np.stack(list(self._each(lambda user, gate: user, [use.node for use in self.uses])))

    @property
    def use_norms(self) -> np.ndarray:
        """The length of what each use adds, (uses)."""
        return np.array([magnitude(g) for g in self._each(lambda user, gate: user, [use.node for use in self.uses])])

    @property
    def by_node(self) -> dict[Node, float]:
        """The length of what each use adds, by the node that it made: to colour a drawing."""
        return {use.node: float(norm) for use, norm in zip(self.uses, self.use_norms, strict=True)}

    # ---- put together ----

    def _each(self, key: Callable[[Node, str], Hashable], keys: Iterable[Any]) -> Iterator[Any]:
        """The sum of the pieces of each key, one at a time."""
        of_key: dict[Hashable, list[Piece]] = {}
        for piece in self._pieces:
            if piece.user is not None:
                of_key.setdefault(key(piece.user, piece.gate), []).append(piece)
        for one in keys:
            yield self._sum(of_key[one])

    def _sum(self, pieces: Iterable[Piece]) -> Any:
        """What pieces bring to the weight itself, on their way through what was made of it; None for no piece."""
        arrived: dict[Node, Sum] = {}
        for piece in pieces:
            arrived.setdefault(piece.to, Sum()).add(piece.part)
        for node in self._made:  # newest first
            if node not in arrived:
                continue
            g = arrived.pop(node).array()
            sent = Visit(node, g, rule(node, g))
            for i, x in enumerate(node.inputs):
                if x.birth > node.birth:
                    raise stale(node, x)
                if (x is self._weight or x in self._belongs) and (c := sent.contribution(i)) is not None:
                    arrived.setdefault(x, Sum()).add(c)
        return arrived[self._weight].array() if self._weight in arrived else None

    @cached_property
    def _belongs(self) -> set[Node]:
        return set(self._made)

    def _over_time(self, t: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Values of some of the steps, with zeros for the others."""
        whole = np.zeros(len(self))
        whole[np.searchsorted(self.t, t)] = values
        return whole


def parts(loss: Node, weight: Node, *, gradient: Any = None) -> Parts:
    """∂L/∂W of a shared weight, split into what each time step, each gate and each use adds, from one sweep.

    weight: a parameter, or a node that was made of one before the loop.  A use is where a path from the weight to the
    loss first meets a node with a time step, also where it passes nodes outside of time before, such as a
    transposition.  gradient: to start from where the loss is no scalar.
    Memory: what was sent, unmultiplied; one array of the weight's shape for the total, and T of them only while
    `by_step` is asked for.
    Raises GradientError where no time step uses the weight.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import parts
    >>> w, h = Tensor([0.5], requires_grad=True, name="w"), Tensor([1.0])
    >>> for t, x in steps([1.0, 2.0]):
    ...     h = (h * w + x).named("h")
    >>> of_w = parts(h.sum(), w)
    >>> of_w.by_step.tolist(), of_w.total.tolist()
    ([[0.5], [1.5]], [2.0])
    >>> [use.source for use in of_w.uses] == [of_w.uses[0].source] * 2       # the same line, twice
    True
    """
    start = seed(loss, gradient, False)
    made, unnamed = descent(loss, weight)
    pieces = [Piece(None, "", loss, start)] if loss is weight or loss in made else []
    arrived: dict[Node, dict[str, Sum]] = {}  # what each gate sends to an unnamed node of its step
    for node, g, sent in walk([(loss, start)]):
        if node.birth <= weight.birth:
            break
        for gate, visit in split(node, g, sent, arrived.pop(node, {}) if node in unnamed else None):
            for i, x in enumerate(node.inputs):
                of_weight = x is weight or x in made
                if (node.t is None and of_weight) or (not of_weight and x not in unnamed):
                    continue
                part = visit.part(i)
                if part is None:
                    continue
                if of_weight:
                    pieces.append(Piece(node, gate, x, part))
                else:
                    way = gate if node.t == x.t else x.op.name
                    arrived.setdefault(x, {}).setdefault(way, Sum()).add(part)
    if all(piece.user is None for piece in pieces):
        raise GradientError(f"no time step of the record of {loss!r} uses {weight!r}: loop over steps(…)")
    return Parts(weight, sorted(made, key=lambda node: -node.birth), pieces)


def split(node: Node, g: Any, sent: Any, gates: Mapping[str, Sum] | None) -> list[tuple[str, Visit]]:
    """What a node sends on, apart for each gate that brought it: a named node is a gate itself."""
    if gates is None or not gates:
        return [(node.name or (node.op.name if node.op else ""), Visit(node, g, sent))]
    if len(gates) == 1:
        return [(gate, Visit(node, g, sent)) for gate in gates]
    arrived = [(gate, brought.array()) for gate, brought in gates.items()]
    return [(gate, Visit(node, part, rule(node, part))) for gate, part in arrived]


def descent(loss: Node, weight: Node) -> tuple[set[Node], set[Node]]:
    """What was made of a weight: outside of time, and from there on in time as far as nodes have no name."""
    made: set[Node] = set()
    unnamed: set[Node] = set()
    for node in Graph(loss).nodes:
        if node.birth <= weight.birth or not node.requires_grad:
            continue
        of_weight = any(x is weight or x in made for x in node.inputs)
        if node.t is None:
            if of_weight:
                made.add(node)
        elif node.name is None and (of_weight or any(x in unnamed and x.t == node.t for x in node.inputs)):
            unnamed.add(node)
    return made, unnamed
