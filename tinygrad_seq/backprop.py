"""The sweep: one walk over the record from the newest node to the oldest, and the only place of the chain rule.

    ḡ_x = Σ over the nodes y made from x of  vjp_y(ḡ_y)

A node's gradient is complete when all nodes made from it have been visited.  They are all newer than it, so it is
enough to visit by birth number, newest first.  Everything that looks at gradients reads this sweep: `backward`,
`grad`, the debugger, the measures of gradient flow, the drawings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from operator import neg
from threading import Lock
from typing import Any

import numpy as np

from .anomaly import check_gradient, check_sent
from .errors import DataError, GradientError, ShapeError, StaleGraphError, VjpError
from .graph import WATCH, Node, Place, _place
from .hooks import EVERY, HALTS, OF_NODE
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


def backward(
    loss: Node, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False
) -> None:
    """Set `.grad` of every node that this one was made from: d(this)/d(node).

    Leaves add to the gradient they have, as in PyTorch; all others hold that of the latest call.  All or nothing: if a
    rule or a hook fails on the way, no gradient has been set.  gradient: d(something)/d(this), needed where this is no
    scalar.  create_graph: record the gradients in their turn, so that they can be differentiated; `.grad` is then a
    Tensor, else an array.  retain_graph: PyTorch's word, without effect: a graph is there as long as somebody holds it.
    Raises GradientError.

    >>> from tinygrad_seq import Tensor
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> w.grad
    array([2., 4.])
    """
    nodes, gradients = [], []  # two lists: pairs would be a million more objects for the garbage collector to walk
    for node, g, _ in descend({loss.birth: loss}, {loss.birth: seed(loss, gradient, create_graph)}, create_graph):
        nodes.append(node)
        gradients.append(g)
    with _storing:
        for node, g in zip(nodes, gradients):
            node._grad = g if node.op is not None or node._grad is None else node._grad + g


def seed(loss: Node, gradient: Any, create_graph: bool) -> Any:
    """The gradient to start from: 1 for a scalar, or what was given, checked, in the shape of the loss."""
    if gradient is None and loss.requires_grad and getattr(loss._data, "size", 1) == 1 and not create_graph:
        return 1.0 if loss.scalar else np.array(1, loss._data.dtype, ndmin=loss._data.ndim)
    g = checked_seed(loss, gradient)
    if not create_graph:
        return g
    return gradient if isinstance(gradient, Node) and not loss.scalar else loss.constant(g)


def checked_seed(loss: Node, gradient: Any) -> Any:
    """The gradient that somebody gave, or 1, as numbers of the shape of the loss."""
    if not loss.requires_grad:
        raise GradientError(
            f"backward needs something that requires a gradient, got {loss!r}: nothing that it was made from has "
            "requires_grad=True (or it was made under no_grad)"
        )
    data: Any = loss._data
    if loss.scalar:
        return 1.0 if gradient is None else float(gradient)
    if gradient is None and data.size != 1:
        raise GradientError(
            f"backward needs a scalar, got shape {data.shape}{_in(loss)}: reduce it first, for example with "
            ".sum(), or give backward(gradient) of that shape"
        )
    if gradient is None:
        return np.ones(data.shape, data.dtype)
    try:
        g = np.array(gradient._data if isinstance(gradient, Node) else gradient, data.dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"the gradient of {loss!r} must be numbers of shape {data.shape}: {error}") from None
    if g.shape != data.shape:
        raise ShapeError(f"the gradient of {loss!r} must have its shape {data.shape}, got {g.shape}")
    return g


def walk(roots: Iterable[tuple[Node, Any]], create_graph: bool = False) -> Iterator[tuple[Node, Any, Any]]:
    """Yield (node, its complete gradient, what its rule returned), newest node first, from one root or several."""
    nodes: dict[int, Node] = {}
    pending: dict[int, Any] = {}
    for node, g in roots:
        birth = node.birth
        nodes[birth] = node
        pending[birth] = pending[birth] + g if birth in pending else g
    return descend(nodes, pending, create_graph)


def descend(
    nodes: dict[int, Node], pending: dict[int, Any], create_graph: bool
) -> Iterator[tuple[Node, Any, Any]]:
    """The walk itself: nodes to visit, and the gradient of each so far, by birth; both fill and empty on the way.

    Few lines lie between the beginning and the first rule: who steps through backprop in a debugger meets them all.
    """
    # heap: births, negated, so that the newest comes first.  owned: those whose gradient so far is an array of our own.
    heap, owned, watch = sorted(map(neg, nodes)), set[int](), _place.get().mode == WATCH
    every, of_node, halts = EVERY, OF_NODE, HALTS
    while heap:
        node, g = nodes.pop(birth := -heappop(heap)), pending.pop(birth)
        if g.__class__ in PARTS:
            g = g.array()
        if watch or every or (of_node and id(node) in of_node):
            g = hooked(node, g, watch)
        op, x, y = node.op, node._x, node._y
        try:
            if x is None or create_graph or halts:
                if op is None:
                    yield node, g, ()
                    continue
                inputs = node.inputs
                sent = recorded_rule(node, g) if create_graph else applied(node, g, node._data, data_of(inputs))
            elif y is None:
                sent = op.vjp(g, node._data, x._data, **node.fixed) if node.fixed else op.vjp(g, node._data, x._data)
                inputs = (x,)
            elif node.fixed:
                sent = rule(node, g)
                inputs = (x, y)
            else:
                sent = op.vjp(g, node._data, x._data, y._data)
                inputs = (x, y)
        except Exception as error:
            error.add_note(f"in the derivative of {op.name}{_in(node)}")
            raise
        if sent.__class__ is not tuple or len(sent) != len(inputs):
            raise _miscounted(node, sent)
        if watch:
            check_sent(node, g, sent, _place.get().anomaly)
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


def hooked(node: Node, g: Any, watch: bool) -> Any:
    """The gradient after the hooks of a node, and those of every node, had their say, and an anomaly was looked for."""
    try:
        for hook in [*OF_NODE.get(id(node), ())]:
            g = replaced(node, g, hook.call(shown(g)))
        for hook in [*EVERY]:
            g = replaced(node, g, hook.call(node, shown(g)))
    except Exception as error:
        error.add_note(f"in a hook on {node!r}")
        raise
    if watch:
        check_gradient(node, g, _place.get().anomaly)
    return g


def shown(g: Any) -> Any:
    """A gradient for a hook to see: other nodes may share the array, so it cannot be written into."""
    if g.__class__ is np.ndarray:
        g.setflags(write=False)
    return g


def replaced(node: Node, g: Any, given: Any) -> Any:
    """What a hook gave back in place of a gradient, checked."""
    if given is None or given is g:
        return g
    recorded = isinstance(g, Node)
    if not (recorded and isinstance(given, Node)):
        given = given._data if isinstance(given, Node) else given
        try:
            given = float(given) if node.scalar else np.array(given, node._data.dtype)
        except (TypeError, ValueError) as error:
            raise DataError(f"a hook must give numbers, or None, for the gradient of {node!r}: {error}") from None
        given = g.constant(given) if recorded else given
    shape = np.shape(given._data if recorded else given)
    if shape != np.shape(node._data):
        raise ShapeError(
            f"a hook gave a gradient of shape {shape} for {node!r}: it must have the shape of the node, or be None to "
            "leave the gradient as it is"
        )
    return given


def applied(node: Node, g: Any, out: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The rule of a node, of arrays or of nodes; where `breakpoint_on` asks for it, under the debugger."""
    if HALTS and any([halt.call(node, g) for halt in [*HALTS]]):
        breakpoint()  # noqa: T100 - tinygrad_seq.breakpoint_on asked for it: step into the rule
    return node.op.vjp(g, out, *inputs, **node.fixed)


def data_of(nodes: tuple[Node, ...]) -> tuple[Any, ...]:
    """The values of nodes."""
    return tuple([x._data for x in nodes])


def rule(node: Node, g: Any) -> tuple[Any, ...]:
    """What the node's VJP returns for a gradient g."""
    return node.op.vjp(g, node._data, *[x._data for x in node.inputs], **node.fixed)


def recorded_rule(node: Node, g: Any) -> tuple[Any, ...]:
    """The rule applied to nodes instead of arrays, so that the gradient is recorded in its turn."""
    place = _place.get()
    _place.set(Place(node.place.scope, node.place.t, True, place.anomaly, place))
    try:
        return applied(node, g, node, node.inputs)
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


def stale(node: Node, x: Node) -> StaleGraphError:
    return StaleGraphError(
        f"{x!r} was given new data after {node.op.name} used the old{_in(node)}, by an optimiser's step or by "
        "`.data =`: the record no longer holds what it was made from. Compute the loss again before backward"
    )


def _in(node: Node) -> str:
    return f" ({node.where})" if node.where else ""


def _short(g: Any) -> str:
    return f"{g:.4g}" if np.ndim(g) == 0 else f"of shape {np.shape(g)}, norm {np.linalg.norm(g):.4g}"
