"""Products of vectors and matrices."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Node, here
from ..ops import table
from ..record import record, record2

_matmul = table.matmul


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a tensor or of anything that an array can be made of."""
    return x._data.shape if isinstance(x, Node) and not x.scalar else np.shape(x)


def matmul(x: Any, y: Any) -> Any:
    """x @ y: of vectors, matrices, and batches of matrices that broadcast, as in NumPy.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.matmul(Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]])).data
    array([[11.]])
    """
    return record2(_matmul, x, y)


def dot(x: Any, y: Any) -> Any:
    """The inner product of two vectors; of two matrices their product, as in NumPy."""
    shapes = shape_of(x), shape_of(y)
    if len(shapes[0]) == len(shapes[1]) == 1:
        if shapes[0] != shapes[1]:
            raise ShapeError(f"dot cannot take {shapes[0]} and {shapes[1]} ({here()}): they must be equally long")
        return record2(table.dot, x, y)
    return record2(_matmul, x, y)


def outer(x: Any, y: Any) -> Any:
    """The outer product of two vectors: (n) and (m) give (n, m)."""
    if (len(shape_of(x)), len(shape_of(y))) != (1, 1):
        given = f"{shape_of(x)} and {shape_of(y)} ({here()})"
        raise ShapeError(f"outer needs two vectors, got shapes {given}: flatten them first")
    return record2(table.outer, x, y)


def einsum(subscripts: str, *xs: Any) -> Any:
    """The sum that the subscripts name, as in `numpy.einsum`, with "..." and repeated letters.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.einsum("ij,ij->i", Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])).data
    array([11.])
    """
    inputs, output = _letters(subscripts.replace(" ", ""), [shape_of(x) for x in xs])
    return record(table.einsum, *xs, inputs=inputs, output=output)


def _letters(subscripts: str, shapes: list[tuple[int, ...]]) -> tuple[tuple[str, ...], str]:
    """The letters of every operand and of the result, with "..." spelt out and the result made explicit."""
    left, arrow, output = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes) or not re.fullmatch(r"[A-Za-z.,]*", left + output):
        raise ShapeError(f"einsum got {len(shapes)} operands for the {len(terms)} of {subscripts!r} ({here()})")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in subscripts]
    spelt, most = [], ""
    for term, shape in zip(terms, shapes, strict=True):
        n = len(shape) - len(term.replace("...", ""))
        if n < 0 or (n and "..." not in term):
            raise ShapeError(f"einsum got an operand of shape {shape} for {term!r} in {subscripts!r} ({here()})")
        ellipsis = "".join(reversed(free[:n]))
        most = max(most, ellipsis, key=len)
        spelt.append(term.replace("...", ellipsis))
    if not arrow:
        letters = left.replace("...", "").replace(",", "")
        output = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return tuple(spelt), output.replace("...", most)
