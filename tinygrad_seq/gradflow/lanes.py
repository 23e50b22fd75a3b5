"""Where in a tensor each position of a sequence is: along which axis, and how an operation leads the rows on.

A record knows nodes.  A sequence that is one node, (T, …), would join what its rows keep apart: a state stacked into
it at t = 1 and picked from it at t = 1 never met the others.  So the rows of such a node are followed one by one, as
long as operations keep them apart; where one mixes them, each row flows into all of the result, and that is where the
following ends.  So no dependence is ever missed.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..graph import Node
from ..ops import elementwise, losses, reduce, table

__all__ = ["Flow", "flows"]

ALL = slice(None)
ELEMENTWISE, REDUCING, LOSSES = elementwise.__name__, reduce.__name__, losses.__name__
PICKING = (table.getitem, table.sigmoid_part, table.tanh_part)
NORMALISING = (table.softmax, table.log_softmax, table.layer_norm, table.cumsum)


class Flow(NamedTuple):
    """What flows from an input into a node.

    rows: those of the input, where it has rows.  onto: those of the node, where it has.  aligned: row by row; else
    each into all.
    """

    x: Node
    rows: Any = ALL
    onto: Any = ALL
    aligned: bool = False


class Onward(NamedTuple):
    """Where an axis of rows goes: to which axis of the result, or to none, and which of the rows."""

    axis: int | None
    rows: Any = ALL


MIXED = Onward(None)


def flows(node: Node, along: dict[Node, int]) -> tuple[int | None, list[Flow]] | None:
    """The axis of a node along which its rows lie, and what flows into them; None where nothing has rows.

    along: the axis of the rows of older nodes that have any.
    """
    op = node.op
    joining = op is table.stack or (op is table.concat and node.fixed["axis"] % node._data.ndim < node._data.ndim - 1)
    if not joining and not any([x in along for x in node.inputs]):
        return None
    if op is table.stack or op is table.concat:
        return _joined(node, along)
    onward = [_onward(node, k, along[x]) if x in along else None for k, x in enumerate(node.inputs)]
    axis = next((o.axis for o in onward if o is not None and o.axis is not None), None)
    return axis, [
        Flow(x, o.rows if o else ALL, ALL, o is not None and o.axis is not None and o.axis == axis)
        for x, o in zip(node.inputs, onward, strict=True)
    ]


def _joined(node: Node, along: dict[Node, int]) -> tuple[int | None, list[Flow]]:
    """Of `stack` each input is a row, or it keeps its rows; of `concat` its rows follow those of the one before."""
    own = node.fixed["axis"] % node._data.ndim
    axes = {along[x] for x in node.inputs if x in along}
    if node.op is table.stack:
        if own == 0 or len(axes) != 1:
            return own, [Flow(x, ALL, k) for k, x in enumerate(node.inputs)]
        (axis,) = axes
        return axis + (own <= axis), [Flow(x, ALL, ALL, x in along) for x in node.inputs]
    axis = own if own in axes or len(axes) != 1 else axes.pop()
    if axis != own:
        return axis, [Flow(x, ALL, ALL, along.get(x) == axis) for x in node.inputs]
    found, end = [], 0
    for x in node.inputs:
        start, end = end, end + x._data.shape[own]
        found.append(Flow(x, ALL, slice(start, end), along.get(x) == own))
    return own, found


def _onward(node: Node, k: int, a: int) -> Onward:
    """Where axis a of input number k goes."""
    op, fixed, x, out = node.op, node.fixed, node.inputs[k]._data, node._data
    module = op.forward.__module__
    if op in PICKING:
        return _picked(fixed["index"], x.ndim, a)
    if module == ELEMENTWISE or op is table.broadcast_to or (op is table.affine and k == 2):
        return _kept(x, a, out, a - x.ndim + out.ndim)
    if op is table.matmul or op is table.affine:
        return _multiplied(node, k, a)
    if op is table.outer:
        return Onward(k)
    if op is table.einsum:
        letter, output = fixed["inputs"][k][a], fixed["output"]
        return _kept(x, a, out, output.index(letter)) if letter in output else MIXED
    if op is table.transpose:
        return Onward([axis % x.ndim for axis in fixed["axes"]].index(a))
    if op is table.reshape:
        return _reshaped(x.shape, a, out.shape)
    if op is table.flip:
        axes = _axes(fixed["axis"], x.ndim)
        return Onward(a, slice(None, None, -1) if a in axes else ALL)
    if op is table.tril or op is table.triu:
        return Onward(a)
    if op in NORMALISING:
        return MIXED if a in _axes(fixed["axis"], x.ndim) else Onward(a)
    if module == REDUCING or (module == LOSSES and "axis" in fixed and fixed["reduction"] == "none"):
        return _reduced(_axes(fixed["axis"], x.ndim), fixed.get("keepdims", False), a)
    if module == LOSSES and fixed["reduction"] == "none":
        return _kept(x, a, out, a - x.ndim + out.ndim)
    return MIXED


def _kept(x: Any, a: int, out: Any, axis: int) -> Onward:
    """The same rows, unless they are one row that is broadcast to many."""
    return Onward(axis) if x.shape[a] == out.shape[axis] else MIXED


def _reduced(axes: list[int], keepdims: bool, a: int) -> Onward:
    return MIXED if a in axes else Onward(a if keepdims else a - sum(axis < a for axis in axes))


def _axes(axis: Any, ndim: int) -> list[int]:
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [a % ndim for a in axes]


def _multiplied(node: Node, k: int, a: int) -> Onward:
    """(…, m, k) @ (…, k, n) → (…, m, n): the axis k is summed over."""
    x, y = (each._data for each in node.inputs[:2])
    own, other = (x, y) if k == 0 else (y, x)
    if own.ndim == 1 or a == own.ndim - (1 if k == 0 else 2):
        return MIXED
    if other.ndim > 1:
        return _kept(own, a, node._data, a - own.ndim + node._data.ndim)
    return Onward(a if k == 0 or a < own.ndim - 2 else a - 1)  # its own axis k is gone


def _reshaped(shape: tuple[int, ...], a: int, new: tuple[int, ...]) -> Onward:
    """The axis that has as many rows, with as many elements before them."""
    for axis, size in enumerate(new):
        if size == shape[a] and prod(new[:axis]) == prod(shape[:a]):
            return Onward(axis)
    return MIXED


def _picked(index: Any, ndim: int, a: int) -> Onward:
    """The axis that an index leads to, or the rows that it picks."""
    keys = list(index) if isinstance(index, tuple) else [index]
    if any(np.asarray(key).dtype == bool for key in keys if key is not None):
        return MIXED  # a mask may take several axes
    if not any(key is Ellipsis for key in keys):
        keys.append(Ellipsis)
    dots = next(i for i, key in enumerate(keys) if key is Ellipsis)
    keys[dots : dots + 1] = [ALL] * (ndim - sum(key is not None and key is not Ellipsis for key in keys))
    basic = all(key is None or isinstance(key, (slice, int, np.integer)) for key in keys)
    before, to = 0, 0
    for key in keys:
        if key is None:
            to += 1
            continue
        if before == a:
            if isinstance(key, slice):
                return Onward(to if basic else None, key)
            return Onward(None, int(key) if basic else np.unique(np.asarray(key)))
        before += 1
        to += isinstance(key, slice)
    return MIXED
