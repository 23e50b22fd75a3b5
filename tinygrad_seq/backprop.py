"""The sweep: one walk over the record from the newest node to the oldest, and the only place of the chain rule.

    ḡ_x = Σ over the nodes y made from x of  vjp_y(ḡ_y)

A node's gradient is complete when all nodes made from it have been visited.  They are all newer than it, so it is
enough to visit by birth number, newest first.  Everything that looks at gradients reads this sweep: `backward`,
`grad`, the debugger, the measures of gradient flow, the drawings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from threading import Lock
from typing import Any

import numpy as np

from .errors import AnomalyError, DataError, GradientError, ShapeError, StaleGraphError, VjpError
from .graph import WATCH, Node, Place, _place
from .hooks import EVERY, OF_NODE
from .ops.parts import Part, Product, Scattered, Sum

__all__ = ["Visit", "backward", "sweep"]

PARTS: frozenset[Any] = frozenset((Product, Scattered, Sum))
_storing = Lock()  # two threads may reach the same leaf


class Visit:
    """One step of the sweep: a node, its complete gradient, and what it sends to each of its inputs."""

    __slots__ = ("_sent", "grad", "node")

    def __init__(self, node: Node, grad: Any, sent: tuple[Any, ...]) -> None:
        self.node = node
        self.grad = grad
        self._sent = sent

    @property
    def sent(self) -> tuple[Any, ...]:
        """The contribution to the gradient of each input; None where nothing goes."""
        return tuple(self.contribution(i) for i in range(len(self._sent)))

    def contribution(self, i: int) -> Any:
        """What the node adds to the gradient of its input number i; None where nothing goes."""
        part = self.part(i)
        return part.array() if isinstance(part, Part) else part

    def part(self, i: int) -> Any:
        """The contribution to input number i as the rule left it: a product, say, still as its two factors."""
        x, part = self.node.inputs[i], self._sent[i]
        if part is None or not x.requires_grad:
            return None
        if isinstance(part, Part) or x.scalar or part.shape == x._data.shape:
            return part
        return unbroadcast(part, x, self.node)

    def __repr__(self) -> str:
        to = ", ".join(x.name or (x.op.name if x.op else "leaf") for x in self.node.inputs if x.requires_grad)
        return f"<visit of {self.node!r}, gradient {_short(self.grad)}" + (f", sends to {to}>" if to else ">")


def sweep(loss: Node, gradient: Any = None, *, create_graph: bool = False) -> Iterator[Visit]:
    """Walk back from a loss, newest node first, one Visit for each node that a gradient reaches.

    gradient: d(something)/d(loss), by default 1 for a scalar.  Changes nothing: no `.grad` is set.
    Raises GradientError for a loss that is no scalar (without `gradient`) or that requires no gradient.

    >>> from tinygrad_seq import Value, sweep
    >>> x = Value(3.0)
    >>> for visit in sweep(x * x + x):
    ...     print(visit.node.op and visit.node.op.name, visit.grad, visit.sent)
    add 1.0 (1.0, 1.0)
    mul 1.0 (3.0, 3.0)
    None 7.0 ()
    """
    for node, g, sent in walk([(loss, seed(loss, gradient, create_graph))], create_graph):
        yield Visit(node, g, sent)


def backward(roots: list[tuple[Node, Any]], create_graph: bool = False) -> None:
    """Set `.grad` of every node that the gradient reaches; leaves add to what they have, as in PyTorch.

    All or nothing: if a rule fails on the way no gradient has been set.
    """
    nodes, gradients = [], []  # two lists: pairs would be a million more objects for the garbage collector to walk
    for node, g, _ in walk(roots, create_graph):
        nodes.append(node)
        gradients.append(g)
    with _storing:
        for node, g in zip(nodes, gradients):
            node._grad = g if node.op is not None or node._grad is None else node._grad + g


def seed(loss: Node, gradient: Any, create_graph: bool) -> Any:
    """The gradient to start from, checked: 1 for a scalar, or what was given, in the shape of the loss."""
    if not loss.requires_grad:
        raise GradientError(
            f"backward needs something that requires a gradient, got {loss!r}: nothing that it was made from has "
            "requires_grad=True (or it was made under no_grad)"
        )
    g: Any
    if loss.scalar:
        g = 1.0 if gradient is None else float(gradient)
    else:
        data = loss._data
        if gradient is None:
            if data.size != 1:
                raise GradientError(
                    f"backward needs a scalar, got shape {data.shape}{_in(loss)}: reduce it first, for example with "
                    ".sum(), or give backward(gradient) of that shape"
                )
            g = np.ones(data.shape, data.dtype)
        else:
            try:
                g = np.array(gradient._data if isinstance(gradient, Node) else gradient, data.dtype)
            except (TypeError, ValueError) as error:
                raise DataError(f"the gradient of {loss!r} must be numbers of shape {data.shape}: {error}") from None
            if g.shape != data.shape:
                raise ShapeError(f"the gradient of {loss!r} must have its shape {data.shape}, got {g.shape}")
            if create_graph and isinstance(gradient, Node):
                return gradient
    return loss.constant(g) if create_graph else g


def walk(roots: Iterable[tuple[Node, Any]], create_graph: bool = False) -> Iterator[tuple[Node, Any, Any]]:
    """Yield (node, its complete gradient, what its rule returned), newest node first."""
    heap: list[int] = []  # births, negated: the newest comes first
    nodes: dict[int, Node] = {}
    pending: dict[int, Any] = {}  # by birth, the gradient so far
    owned: set[int] = set()  # whose gradient so far is an array of our own, to add to in place
    for node, g in roots:
        birth = node.birth
        if birth in pending:
            pending[birth] = pending[birth] + g
        else:
            pending[birth] = g
            nodes[birth] = node
            heappush(heap, -birth)
    place = _place.get()
    watch = place.mode == WATCH
    of_node, every = OF_NODE, EVERY
    while heap:
        birth = -heappop(heap)
        node = nodes.pop(birth)
        g = pending.pop(birth)
        if g.__class__ in PARTS:
            g = g.array()
        if every or (of_node and birth in of_node):
            g = hooked(node, g)
        op = node.op
        if op is None:
            yield node, g, ()
            continue
        x = node._x
        y = node._y
        try:
            if create_graph or x is None:
                inputs = node.inputs
                sent = recorded_rule(node, g, place) if create_graph else rule(node, g)
            elif y is None:
                inputs = (x,)
                fixed = node.fixed
                sent = op.vjp(g, node._data, x._data, **fixed) if fixed else op.vjp(g, node._data, x._data)
            elif node.fixed:
                inputs = (x, y)
                sent = rule(node, g)
            else:
                inputs = (x, y)
                sent = op.vjp(g, node._data, x._data, y._data)
        except Exception as error:
            error.add_note(f"in the derivative of {op.name}{_in(node)}")
            raise
        if sent.__class__ is not tuple or len(sent) != len(inputs):
            raise _miscounted(node, sent)
        if watch:
            _look_at(node, sent, place.anomaly)
        yield node, g, sent
        broadcasts = op.broadcasts and not node.scalar
        for x, c in zip(inputs, sent):
            if c is None or not x.requires_grad:
                continue
            if broadcasts and c.__class__ not in PARTS and c.shape != x._data.shape:
                c = unbroadcast(c, x, node)
            to = x.birth
            have = pending.get(to)
            if have is None:
                if to > birth:
                    raise stale(node, x)
                pending[to] = c
                nodes[to] = x
                heappush(heap, -to)
            elif c.__class__ in PARTS or have.__class__ in PARTS:
                if have.__class__ is not Sum:
                    total = pending[to] = Sum()
                    total.add(have)
                    have = total
                have.add(c)
            elif to in owned:
                have += c
                pending[to] = have
            else:
                pending[to] = have + c
                owned.add(to)


def hooked(node: Node, g: Any) -> Any:
    """The gradient after the hooks of a node, and those of every node, had their say."""
    for hook in [*OF_NODE.get(node.birth, ())]:
        g = replaced(node, g, hook(g))
    for hook in [*EVERY]:
        g = replaced(node, g, hook(node, g))
    return g


def replaced(node: Node, g: Any, given: Any) -> Any:
    """What a hook gave back in place of a gradient, checked."""
    if given is None:
        return g
    if isinstance(g, Node):
        given = given if isinstance(given, Node) else g.constant(given)
    elif node.scalar:
        return float(given)
    else:
        given = np.asarray(given, g.dtype)
    if np.shape(given.data) != np.shape(node.data):
        raise ShapeError(
            f"a hook gave a gradient of shape {np.shape(given.data)} for {node!r}: it must have the shape of the node, "
            "or be None to leave the gradient as it is"
        )
    return given


def rule(node: Node, g: Any) -> tuple[Any, ...]:
    """What the node's VJP returns for a gradient g."""
    return node.op.vjp(g, node._data, *[x._data for x in node.inputs], **node.fixed)


def recorded_rule(node: Node, g: Any, place: Place) -> tuple[Any, ...]:
    """The rule applied to nodes instead of arrays, so that the gradient is recorded in its turn."""
    _place.set(Place(node.place.scope, node.place.t, True, place.anomaly, place))
    try:
        return node.op.vjp(g, node, *node.inputs, **node.fixed)
    finally:
        _place.set(place)


def unbroadcast(g: Any, x: Node, node: Node) -> Any:
    """Sum a gradient over the axes along which x was broadcast."""
    shape = x._data.shape
    whole = g.shape
    if whole[1:] == shape:
        return np.add.reduce(g, axis=0) if whole[0] != 1 else g.reshape(shape)
    extra = len(whole) - len(shape)
    if extra >= 0 and not any(m != n and n != 1 for m, n in zip(g.shape[extra:], shape)):
        axes = tuple([i for i, m in enumerate(g.shape) if m != 1 and (i < extra or shape[i - extra] == 1)])
        return (np.add.reduce(g, axis=axes) if axes else g).reshape(shape)
    raise VjpError(
        f"the VJP of {node.op.name}{_in(node)} returned a gradient of shape {g.shape} for an input of shape {shape}: "
        "it must have the shape of the input, or of what the input was broadcast to"
    )


def _miscounted(node: Node, sent: Any) -> VjpError:
    return VjpError(
        f"the VJP of {node.op.name}{_in(node)} must return a tuple of {len(node.inputs)} gradients, one per input; "
        f"got {len(sent) if isinstance(sent, (tuple, list)) else type(sent).__name__}"
    )


def _look_at(node: Node, sent: Iterable[Any], anomaly: str) -> None:
    """Raise AnomalyError where a contribution is NaN, or infinite."""
    for i, (x, c) in enumerate(zip(node.inputs, sent)):
        if c is None or not x.requires_grad:
            continue
        data = c.array() if isinstance(c, Part) else c._data if isinstance(c, Node) else c
        what = anomalies(data, anomaly)
        if what:
            raise AnomalyError(
                f"the derivative of {node.op.name} by its input {i} made {what}{_in(node)}; its input is {x!r}"
            )


def anomalies(data: Any, anomaly: str) -> str:
    """What is wrong with the numbers, in words: "2 NaN of 6 values"; "" if nothing is."""
    nans = int(np.count_nonzero(np.isnan(data)))
    infs = int(np.count_nonzero(np.isinf(data))) if "inf" in anomaly else 0
    wrong = " and ".join(f"{n} {word}" for n, word in ((nans, "NaN"), (infs, "infinite")) if n)
    return f"{wrong} of {np.size(data)} values" if wrong else ""


def stale(node: Node, x: Node) -> StaleGraphError:
    return StaleGraphError(
        f"{x!r} was given new data after {node.op.name} used the old{_in(node)}, by an optimiser's step or by "
        "`.data =`: the record no longer holds what it was made from. Compute the loss again before backward"
    )


def _in(node: Node) -> str:
    return f" ({node.where})" if node.where else ""


def _short(g: Any) -> str:
    return f"{g:.4g}" if np.ndim(g) == 0 else f"of shape {np.shape(g)}, norm {np.linalg.norm(g):.4g}"
