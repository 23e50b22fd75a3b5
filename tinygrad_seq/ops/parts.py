"""Gradients that are not worked out yet: products and scattered pieces that the sweep adds up first.

The gradient of a weight shared by T steps is a sum of T products, W.grad = Σ_t x_tᵀ g_t, and a sum of products
is one product of longer matrices: [x_1 … x_T]ᵀ [g_1 … g_T].  The gradient of a sequence cut into T steps is T
pieces of one array.  So a VJP may hand over the factors, or the piece with its place; nothing is multiplied where
nobody needs it, and who asks for the contribution of a single step still gets it (`array()`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy import ndarray

__all__ = ["Part", "product", "scattered"]


class Part:
    """A gradient still to be worked out."""

    __slots__ = ()

    def array(self) -> Any:
        raise NotImplementedError


class Product(Part):
    """left @ right, not multiplied yet."""

    __slots__ = ("left", "right")

    def __init__(self, left: ndarray, right: ndarray) -> None:
        self.left = left
        self.right = right

    def array(self) -> Any:
        return self.left.dot(self.right) if self.left.ndim == 2 else self.left @ self.right

    def __repr__(self) -> str:
        return f"product of {self.left.shape} and {self.right.shape}"


class Scattered(Part):
    """Zeros of the given shape, but for `g` at `index` (added where an integer array names a place twice)."""

    __slots__ = ("g", "index", "shape")

    def __init__(self, g: Any, index: Any, shape: tuple[int, ...]) -> None:
        self.g = g
        self.index = index
        self.shape = shape

    def array(self) -> Any:
        buffer = np.zeros(self.shape, self.g.dtype)
        self.into(buffer)
        return buffer

    def into(self, buffer: ndarray) -> None:
        kind = kind_of(self.index)
        if kind is VIEW:
            place = buffer[self.index]
            place += self.g
        elif kind is ONCE:
            buffer[self.index] += self.g
        elif names_rows(self.index):
            add_rows(buffer, self.index.reshape(-1), self.g)
        else:
            np.add.at(buffer, self.index, self.g)

    def __repr__(self) -> str:
        return f"{self.g.shape} at {self.index} of {self.shape}"


WHOLE = slice(None)
VIEW, ONCE, OFTEN = "a view", "each place once", "places more than once"


def kind_of(index: Any) -> str:
    """What an index names: slices give a view, integers and masks a place once, integer arrays perhaps more often."""
    kind = ONCE
    for key in index if index.__class__ is tuple else (index,):
        if key.__class__ is slice:
            kind = VIEW
        elif isinstance(key, ndarray):
            return ONCE if key.dtype == bool else OFTEN
    return kind


def names_rows(index: Any) -> bool:
    """Whether an index is an array of integers, each of which names a row."""
    return index.__class__ is ndarray and index.dtype != bool


def joined_rows(pieces: list[Scattered]) -> ndarray:
    """What the pieces add to the rows that they name, one row after the other."""
    shape = pieces[0].shape[1:]
    return np.concatenate([p.g.reshape(p.index.size, *shape) for p in pieces])


def add_rows(buffer: ndarray, rows: ndarray, g: Any) -> None:
    """buffer[rows] += g, where a row may be named often: sorted and summed, as `np.add.at` is slow at it."""
    if not rows.size:
        return
    rows = np.where(rows < 0, rows + len(buffer), rows)
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    first = np.flatnonzero(np.concatenate([[True], rows[1:] != rows[:-1]]))
    buffer[rows[first]] += np.add.reduceat(g.reshape(len(rows), *buffer.shape[1:])[order], first, axis=0)


def product(left: Any, right: Any) -> Any:
    """left @ right: factors for the sweep to multiply, or the product itself where the gradient is recorded."""
    if type(left) is ndarray and type(right) is ndarray:
        return Product(left, right)
    return left @ right


def scattered(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros but for g at index: a piece for the sweep to place, or an array where the gradient is recorded."""
    if isinstance(g, (ndarray, np.generic)):
        return Scattered(g, index, shape)
    return g.scatter(index, shape)


class Sum(Part):
    """Contributions to one input, added up: arrays at once, products and pieces together at the end."""

    __slots__ = ("arrays", "owned", "pieces", "products")

    def __init__(self) -> None:
        self.arrays: Any = None
        self.owned = False
        self.products: list[Product] = []
        self.pieces: list[Scattered] = []

    def add(self, g: Any) -> None:
        kind = type(g)
        if kind is Product:
            self.products.append(g)
        elif kind is Scattered:
            self.pieces.append(g)
        elif self.arrays is None:
            self.arrays = g
        elif self.owned:
            self.arrays += g
        else:
            self.arrays, self.owned = self.arrays + g, True

    def array(self) -> Any:
        result, owned = self.arrays, self.owned
        if self.products:
            product = multiply_out(self.products)
            result, owned = product if result is None else result + product, True
        if self.pieces:
            if result is None:
                result = side_by_side(self.pieces)
                if result is not None:
                    return result
                result = np.zeros(self.pieces[0].shape, self.pieces[0].g.dtype)
            elif not owned or result.__class__ is not ndarray:  # a sum of 0-d arrays is no array
                result = np.array(result)
            rows = [p for p in self.pieces if names_rows(p.index)]
            if len(rows) > 1:  # an embedding, read at every step
                add_rows(result, np.concatenate([p.index.reshape(-1) for p in rows]), joined_rows(rows))
            for p in self.pieces:
                if len(rows) < 2 or not names_rows(p.index):
                    p.into(result)
        return result


def side_by_side(pieces: list[Scattered]) -> Any:
    """The pieces joined, if they are the parts that an array was split into, such as four gates; else None."""
    shape, count = pieces[0].shape, len(pieces)
    starting: dict[Any, Scattered] = {}
    for p in pieces:
        index = p.index
        if index.__class__ is not tuple or len(index) > len(shape):
            return None
        for key in index:
            if key.__class__ is not slice or key.step is not None:
                return None
        if index[:-1] != (WHOLE,) * (len(index) - 1):
            return None
        starting[len(index), key.start or 0] = p
    axis = len(index) - 1
    joined: list[Any] = []
    end = 0
    while len(joined) < count and (axis + 1, end) in starting:
        p = starting[axis + 1, end]
        joined.append(p.g)
        end = p.index[axis].stop
    return np.concatenate(joined, axis) if end == shape[axis] and len(joined) == count else None


BLOCK = 192  # rows that are multiplied at once: few enough to stay in the cache, enough for a fast product


def multiply_out(products: list[Product]) -> Any:
    """Σ left @ right, in blocks of factors laid end to end where that is less work."""
    first = products[0]
    if first.left.ndim != 2 or not worth_joining(products):
        result = first.array()
        for p in products[1:]:
            result += p.array()
        return result
    result = None
    for block in blocks(products):
        lefts = np.concatenate([p.left.T for p in block])  # the rows as they were: nothing is copied crosswise
        part = lefts.T.dot(np.concatenate([p.right for p in block]))
        result = part if result is None else np.add(result, part, out=result)
    return result


def worth_joining(products: list[Product]) -> bool:
    """Whether to copy the factors costs less than to add up the products."""
    if len(products) < 3:
        return False
    (rows, inner), columns = products[0].left.shape, products[0].right.shape[-1]
    return inner * (rows + columns) < rows * columns


def blocks(products: list[Product]) -> Iterator[list[Product]]:
    """The products in groups of about BLOCK rows."""
    block, height = [], 0
    for p in products:
        block.append(p)
        height += len(p.right)
        if height >= BLOCK:
            yield block
            block, height = [], 0
    if block:
        yield block
