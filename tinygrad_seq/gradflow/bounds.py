"""An upper bound for the norm of a Jacobian that never computes it: the norms of the ops, along every way.

‖∂h_t/∂h_{t-1}‖₂ ≤ Σ over ways Π over its nodes ‖∂node/∂input‖₂.  For h_t = tanh(x_t W_x + h_{t-1} W_h) there is one
way, and it is max|tanh'| · ‖W_h‖₂, the γ of Pascanu, Mikolov and Bengio 2013, section 2.2.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backprop import rule
from ..graph import Node
from ..ops import table
from ..ops.parts import Scattered
from .lifting import ELEMENTWISE, MOVING, PICKING, PRODUCTS, contributions
from .segments import Segment

__all__ = ["upper_bounds"]

LARGEST = 1024  # numbers of a node whose Jacobian is still worked out for its norm
ISOMETRIC = MOVING | {table.reshape, table.transpose, table.flip, table.roll, table.clip_gradient}


def upper_bounds(
    found: Segment, after: list[Node], before: list[Node], batch: tuple[int, ...], known: dict[Any, Any]
) -> np.ndarray:
    """(*batch): no less than ‖∂after/∂before‖₂, each the nodes of a state.

    known: norms of weights, filled and used again.
    """
    edges = {
        node: [(x, edge_norm(node, i, batch, known)) for i, x in enumerate(node.inputs) if found.leads(x)]
        for node in found.nodes
    }
    blocks = np.zeros((*batch, len(after), len(before)))
    for row, start in enumerate(after):
        pending: dict[Node, Any] = {start: 1.0}
        for node in found.nodes:
            if node in pending:
                so_far = pending.pop(node)
                for x, norm in edges[node]:
                    pending[x] = pending.get(x, 0.0) + so_far * norm
        for column, end in enumerate(before):
            blocks[..., row, column] = pending.get(end, 0.0)
    return np.linalg.norm(blocks, 2, axis=(-2, -1)) if blocks.shape[-1] > 1 else blocks[..., 0, 0]


def edge_norm(node: Node, i: int, batch: tuple[int, ...], known: dict[Any, Any]) -> Any:
    """‖∂node/∂(its input i)‖₂ or more: a number, or one for each sequence of the batch."""
    op, x = node.op, node.inputs[i]
    if op in ISOMETRIC:
        return 1.0
    if op in PRODUCTS and i == 0 and np.ndim(node.inputs[1].data) == 2:
        W = node.inputs[1]
        if W not in known:
            known[W] = float(np.linalg.norm(W.data, 2))
        return known[W]
    if op in ELEMENTWISE or (op in PICKING and all_slices(node.fixed["index"])):
        ones = 1.0 if node.scalar else np.ones_like(node.data)
        d = rule(node, ones)[i]
        d = np.abs(np.asarray(d.g if isinstance(d, Scattered) else d, float))
        if d.shape != np.shape(x.data) and op in ELEMENTWISE:  # a stretched input moves several numbers
            d = np.sqrt(stretched(d * d, np.shape(x.data)))
        own = d.shape[:-1] == batch
        return d.max(-1, initial=0.0) if own and d.ndim else d.max(initial=0.0)
    size = int(np.prod(np.shape(node.data)))
    if size > LARGEST:
        return np.inf
    (J,) = contributions(node, np.eye(size).reshape(size, *np.shape(node.data)), [i])
    return 0.0 if J is None else float(np.linalg.norm(J.reshape(size, -1), 2))


def stretched(d: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Summed over the axes that broadcasting made of a shape, in that shape."""
    extra = d.ndim - len(shape)
    axes = tuple([i for i, m in enumerate(d.shape) if i < extra or shape[i - extra] == 1 != m])
    return d.sum(axis=axes).reshape(shape)


def all_slices(index: Any) -> bool:
    """Whether an index takes every number once at most: it is of slices and integers."""
    return all(isinstance(key, slice | int | np.integer) for key in (index if isinstance(index, tuple) else (index,)))
