"""The rule of a node for many gradients at once: a block sweep in place of one sweep for each.

A Jacobian takes one gradient for each number of the output.  They are stacked along a new first axis, (K, *shape),
and most rules, written for one gradient, broadcast over it as they stand; any other is asked K times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backprop import Visit, rule
from ..graph import Node
from ..ops import elementwise, table
from ..ops.parts import Product, Scattered

__all__ = ["ALONG", "ELEMENTWISE", "MOVING", "PICKING", "PRODUCTS", "contributions"]

ELEMENTWISE = {op for name, op in vars(table).items() if hasattr(elementwise, f"{name}_vjp")} | {table.broadcast_to}
PRODUCTS = {table.matmul, table.affine}
PICKING = {table.getitem, table.sigmoid_part, table.tanh_part}  # their rule hands over a piece with its place
MOVING = {table.concat, table.stack}
ALONG = {table.softmax, table.log_softmax, table.layer_norm}


def contributions(node: Node, G: np.ndarray, wanted: list[int]) -> list[np.ndarray | None]:
    """What a node sends to its inputs of those numbers, for each of K gradients: (K, *shape of the input) each.

    G: (K, *shape of the node).  None where nothing goes.  `clip_gradient` passes everything: as a function it is x.
    """
    sent = lifted(node, G)
    if sent is None:
        return one_by_one(node, G, wanted)
    return [whole(sent[i], node.inputs[i]) for i in wanted]


def lifted(node: Node, G: np.ndarray) -> Any:
    """The rule applied to all gradients in one go, or None for a rule that does not broadcast over them."""
    op, data = node.op, [x.data for x in node.inputs]
    if op is table.clip_gradient:
        return (G,)
    if op in ELEMENTWISE:
        return rule(node, G)
    if op in PRODUCTS:
        x, y = np.shape(data[0]), np.shape(data[1])
        if len(y) == 2:  # rows of x, however they are laid out
            rows = int(np.prod(x[:-1]))
            return by_rows(node, G.reshape(len(G), rows, y[1]), [data[0].reshape(rows, y[0]), *data[1:]])
        return by_rows(node, G, data) if len(x) > 1 and len(y) > 1 else None
    if op in PICKING:
        index = node.fixed["index"]
        keys = index if isinstance(index, tuple) else (index,)
        return None if any([key is Ellipsis for key in keys]) else rule(node, G)
    if op in MOVING:
        return [np.moveaxis(g, -1, 0) for g in rule(node, np.moveaxis(G, 0, -1))]
    if op in ALONG:
        axis, n = node.fixed["axis"], np.ndim(node.data)
        last = tuple(a % n - n for a in axis) if isinstance(axis, tuple) else axis % n - n
        return op.vjp(G, node.data, *data, **{**node.fixed, "axis": last})
    if op is table.reshape:
        return (G.reshape(len(G), *data[0].shape),)
    if op is table.transpose:
        return (G.transpose(0, *[1 + int(a) for a in np.argsort(node.fixed["axes"])]),)
    return None


def by_rows(node: Node, G: np.ndarray, data: list[Any]) -> Any:
    """The rule of a product x y for gradients (K, …, rows, columns): rows that no gradient reaches are left out.

    In attention the gradient of one output is that of one row of the weights.
    """
    live = np.flatnonzero(G.any(axis=tuple(a for a in range(G.ndim) if a != G.ndim - 2)))
    if 2 * len(live) > G.shape[-2]:
        return node.op.vjp(G, node.data, *data)
    few = G[..., live, :]
    gx, gy, *_ = node.op.vjp(few, None, data[0][..., live, :], *data[1:])
    gx = gx.left @ gx.right if isinstance(gx, Product) else gx
    spread = np.zeros((*gx.shape[:-2], G.shape[-2], gx.shape[-1]), gx.dtype)
    spread[..., live, :] = gx
    return (spread, gy, G)


def whole(g: Any, x: Node) -> np.ndarray | None:
    """A contribution to x as an array (K, *shape of x): pieces in their place, broadcasting undone."""
    shape = np.shape(x.data)
    if g is None or not x.requires_grad:
        return None
    if isinstance(g, Scattered):
        last = Scattered(np.moveaxis(g.g, 0, -1), g.index, (*shape, len(g.g)))
        return np.moveaxis(last.array(), -1, 0)
    array = g.left @ g.right if isinstance(g, Product) else g
    if array.shape[1:] == shape or array.size == len(array) * int(np.prod(shape)):
        return array.reshape(len(array), *shape)
    extra = array.ndim - 1 - len(shape)
    axes = tuple([i + 1 for i, m in enumerate(array.shape[1:]) if i < extra or shape[i - extra] == 1 != m])
    return np.add.reduce(array, axis=axes).reshape(len(array), *shape)


def one_by_one(node: Node, G: np.ndarray, wanted: list[int]) -> list[np.ndarray | None]:
    """The same by asking the rule for each gradient alone: for any op, and what `lifted` is held against."""
    rows = []
    for g in G:
        g = float(g) if node.scalar else np.asarray(g)
        visit = Visit(node, g, rule(node, g))
        rows.append([visit.contribution(i) for i in wanted])
    return [None if parts[0] is None else np.stack(parts) for parts in zip(*rows)]
