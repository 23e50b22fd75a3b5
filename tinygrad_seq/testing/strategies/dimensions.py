"""Shapes, and what depends on a shape: axes, masks, indices."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.strategies import DrawFn, SearchStrategy

Shape = tuple[int, ...]


@lru_cache(maxsize=256)
def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> SearchStrategy[Shape]:
    """Shapes of arrays; where min_side is 0 one side in ten or so is 0, and its array has no element.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: len(shape) == 2), find(shapes(), lambda shape: 0 in shape)
    ((1, 1), (0,))
    """
    sides: SearchStrategy[int] = st.integers(min_side, max_side)
    if min_side == 0 and max_side:
        sides = st.sampled_from([*range(1, max_side + 1)] * 3 + [0])
    return st.one_of([st.tuples(*[sides] * dims) for dims in range(min_dims, max_dims + 1)])


ANY = shapes()
FULL = shapes(min_side=1)
SOLID = shapes(min_dims=1, min_side=1)
LONG = shapes(min_dims=1, min_side=2)
VECTOR = shapes(min_dims=1, max_dims=1)


@st.composite
def broadcastable_shapes(
    draw: DrawFn, n: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> tuple[Shape, ...]:
    """n shapes that broadcast together: half the time all alike, else each with axes left out, and sides of 1.

    >>> from hypothesis import find
    >>> find(broadcastable_shapes(3), lambda shapes: len(set(shapes)) == 3)
    ((2,), (1,), ())
    """
    whole = draw(shapes(min_dims, max_dims, min_side, max_side))
    dims = len(whole)
    found = []
    if n == 1 or not draw(st.booleans()):
        return (whole,) * n
    for _ in range(n):
        left_out, stretched = divmod(draw(st.integers(0, (dims - min_dims + 1) * 2**dims - 1)), 2**dims)
        ones = [min_side <= 1 <= max_side and stretched >> axis & 1 for axis in range(dims)]
        found.append(tuple([1 if one else side for one, side in zip(ones, whole, strict=True)])[left_out:])
    return tuple(found)


# ---- arguments that depend on a shape ------------------------------------------------


def one_axis(shape: Shape) -> SearchStrategy[int]:
    """An axis of the shape, counted from either end."""
    return st.integers(-len(shape), len(shape) - 1)


def some_axes(shape: Shape) -> SearchStrategy[int | tuple[int, ...] | None]:
    """None, an axis, or a tuple of several; counted from either end."""
    several = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, min_size=1, max_size=len(shape)).flatmap(
        lambda axes: st.tuples(*[st.sampled_from((a, a - len(shape))) for a in axes])
    )
    return st.none() | one_axis(shape) | several if shape else st.none()


def booleans(shape: Shape) -> SearchStrategy[bool]:
    """True or False, whatever the shape."""
    return st.booleans()


def masks(shape: Shape) -> SearchStrategy[np.ndarray]:
    """Booleans that broadcast to the shape."""
    return npst.broadcastable_shapes(shape, max_dims=len(shape), min_side=0, max_side=3).flatmap(
        lambda own: npst.arrays(bool, own if np.broadcast_shapes(own, shape) == tuple(shape) else shape)
    )


def indices(shape: Shape) -> SearchStrategy[Any]:
    """All of NumPy's indexing: slices, None, …, integers (repeated too), masks."""
    rows = st.integers(-shape[0], shape[0] - 1) if shape and shape[0] else None
    found: list[SearchStrategy[Any]] = [npst.basic_indices(shape, allow_newaxis=True), npst.arrays(bool, shape)]
    if rows is not None:
        found.append(npst.arrays(np.int64, shapes(max_dims=2), elements=rows))
        found.append(st.lists(rows, max_size=4))
        found.append(st.tuples(st.lists(rows, min_size=1, max_size=3), st.just(Ellipsis)))
        if len(shape) > 1 and shape[1]:
            columns = st.integers(-shape[1], shape[1] - 1)
            found.append(st.tuples(rows, npst.arrays(np.int64, 2, elements=columns)))
            found.append(
                st.tuples(npst.arrays(np.int64, (2, 1), elements=rows), npst.arrays(np.int64, 2, elements=columns))
            )
            found.append(st.tuples(st.slices(shape[0]), npst.arrays(np.int64, 3, elements=columns)))
            found.append(st.tuples(npst.arrays(np.int64, 3, elements=rows), st.slices(shape[1])))
    return st.one_of(found)
