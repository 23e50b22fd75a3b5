"""How much an operation of the record computes, by the shapes of what it took and made."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from math import prod
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..graph import Node
from ..ops import losses, reduce, shape, table

__all__ = ["Work", "elementwise", "multiply_adds", "work_by"]

MOVING, REDUCING = shape.__name__, (reduce.__name__, losses.__name__)
Key = TypeVar("Key", bound=Hashable)


class Work(NamedTuple):
    """What some nodes compute, forward.

    operations: how many nodes an op made.  multiply_adds: the multiply-adds of their products.  elementwise: the
    elements that their other functions go through, which are counted apart.
    """

    operations: int
    multiply_adds: int
    elementwise: int


def multiply_adds(node: Node) -> int:
    """The multiply-adds of a product: m·k·n of (m, k) @ (k, n), times the batch; 0 of what is no product.

    An einsum of several operands counts the product of the sizes of all its letters once for each operand after the
    first, as it is computed without optimisation.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter
    >>> from tinygrad_seq.gradflow.work import multiply_adds
    >>> multiply_adds(np.ones((5, 2, 3)) @ Parameter(np.ones((3, 4))))
    120
    """
    op = node.op
    if op is None or node.scalar:
        return 0
    if op is table.matmul or op is table.affine:
        x, y = (each._data.shape for each in node.inputs[:2])
        m, n = x[-2] if len(x) > 1 else 1, y[-1] if len(y) > 1 else 1
        return prod(np.broadcast_shapes(x[:-2], y[:-2])) * m * x[-1] * n
    if op is table.dot:
        return int(node.inputs[0]._data.size)
    if op is table.outer:
        return int(node._data.size)
    if op is table.einsum:
        return prod(_letters(node).values()) * (len(node.inputs) - 1)
    return 0


def elementwise(node: Node) -> int:
    """The elements that a node goes through outside of products.

    Of an elementwise function, and of an `Op` of your own, those of the result; of a reduction, a normalisation or a
    loss those that it reads; of what only moves elements, such as a transposition, none.
    """
    op = node.op
    if op is None:
        return 0
    if node.scalar:
        return 1
    module = op.forward.__module__
    if module in REDUCING:
        return prod(np.broadcast_shapes(*[x._data.shape for x in node.inputs]))
    if op is table.scatter_add:
        return int(node.inputs[1]._data.size)
    if op is table.einsum:
        return 0 if len(node.inputs) > 1 else prod(_letters(node).values())
    if module == MOVING or op is table.matmul or op is table.dot or op is table.outer:
        return 0
    return int(node._data.size)  # also affine: its bias


def work_by(nodes: Iterable[Node], key: Callable[[Node], Key]) -> dict[Key, Work]:
    """The work of nodes in groups; leaves are no work."""
    found: dict[Key, list[int]] = {}
    for node in nodes:
        if node.op is None:
            continue
        counts = found.setdefault(key(node), [0, 0, 0])
        counts[0] += 1
        if node.scalar:  # of numbers there may be millions
            counts[2] += 1
        else:
            counts[1] += multiply_adds(node)
            counts[2] += elementwise(node)
    return {group: Work(*counts) for group, counts in found.items()}


def _letters(node: Node) -> dict[str, int]:
    """The size that each letter of an einsum stands for; an axis of 1 broadcasts."""
    sizes: dict[str, Any] = {}
    for letters, x in zip(node.fixed["inputs"], node.inputs, strict=True):
        for letter, size in zip(letters, x._data.shape, strict=True):
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
    return sizes
