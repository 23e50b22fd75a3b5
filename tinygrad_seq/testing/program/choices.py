"""What stands in a gap of an instruction that is no array: the texts to choose from, the simplest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, permutations
from typing import Any

import numpy as np

from .fitting import nonzero, positive

__all__ = [
    "FLAG",
    "NUMBER",
    "REDUCTION",
    "Choice",
    "counting",
    "exponents",
    "forms",
    "indices",
    "labels",
    "larger",
    "masks",
    "one_axis",
    "orders",
    "places",
    "rows",
    "some_axes",
    "these",
]

Choice = Callable[..., Sequence[str]]


def these(*texts: Any) -> Choice:
    """The same choice for all arrays."""
    found = [str(text) for text in texts]
    return lambda *_: found


NUMBER = these(2.0, 0.5, -1.5)
FLAG = these(False, True)
REDUCTION = these('"sum"', '"mean"', '"none"')


def one_axis(x: Any, *_: Any) -> list[str]:
    """Every axis, counted from either end."""
    return [str(a) for a in (*range(x.ndim), *range(-1, -x.ndim - 1, -1))]


def some_axes(x: Any, *_: Any) -> list[str]:
    """No axis, one, or several."""
    several = [axes for n in range(2, x.ndim + 1) for axes in combinations(range(x.ndim), n)]
    return ["None", *one_axis(x), *map(str, several)]


def exponents(x: Any) -> list[str]:
    """Whole powers; those below 0, and broken ones, where the derivative exists."""
    return ["2", "3", "1", "0", *(["-1", "-2.0"] if nonzero(x) else []), *(["0.5", "1.5"] if positive(x) else [])]


def indices(x: Any) -> list[str]:
    """All of NumPy's indexing: integers, slices, None, …, lists with repetitions, masks."""
    found = ["None", "..., None", "..."]
    if x.ndim:
        found = ["0", "-1", "1:", "::-1", "[0, 0, -1]", "[[0, -1], [0, 0]]", "..., 0", "..., ::2", "None, 0", *found]
        found += ["0:0", "[]", str((np.arange(len(x)) % 2 == 0).tolist()), str((pattern(x.shape) > 0).tolist())]
    if x.ndim > 1:
        found += [":, 0", "0, [0, -1]", "[0, -1], [0, 0]", "[[0], [-1]], [0, 0, -1]", ":, [0, -1, 0]", "[0, 0], 1:"]
        found += ["[0, -1], ..., None, [0, 0]", "-1, ..., ::-1"]
    return found


def pattern(shape: tuple[int, ...]) -> Any:
    """Integers in that shape: 0 1 2 0 1 2 ….  Along no axis are they all alike, but for short ones."""
    return (np.arange(int(np.prod(shape))) * 2 % 3).reshape(shape)


def masks(x: Any, *others: Any) -> list[str]:
    """Booleans of the whole shape, of its last axis, or one for all."""
    shape = np.broadcast_shapes(x.shape, *[other.shape for other in others])
    found = [(pattern(own) != 1).tolist() for own in (shape[-1:], shape) if 0 not in own]
    return [str(mask) for mask in [*found, False, True]]


def labels(axis: int) -> Choice:
    """Classes along an axis: a label for all others."""

    def choice(x: Any) -> list[str]:
        rest = x.shape[:axis] if axis else x.shape[1:]
        given = pattern(rest) % x.shape[axis]
        return [str(given.tolist()), str((x.shape[axis] - 1 - given).tolist())]

    return choice


def counting(x: Any) -> list[str]:
    """Options of a loss over classes along the last axis."""
    weight = (np.arange(x.shape[-1]) * 0.5 + 0.5).tolist()
    return ["", ", ignore_index=0", f", weight={weight}"]


def places(axis: int) -> Choice:
    """An index of the shape of x, into an axis of it; the second names each place of a line twice or never."""

    def choice(x: Any, source: Any = None) -> list[str]:
        shape = x.shape if source is None else tuple(map(min, x.shape, source.shape))
        index = pattern(shape) % x.shape[axis]
        return [str(index.tolist()), str((index * 0).tolist()), str((-1 - index).tolist())]

    return choice


def rows(x: Any, *_: Any) -> list[str]:
    """Lists of rows, with repetitions."""
    return ["[0]", f"[0, {len(x) - 1}, 0]", f"[[{len(x) - 1}], [0]]"]


def orders(x: Any) -> list[str]:
    """The axes in other orders."""
    return [str(axes) for axes in permutations(range(x.ndim))][::-1][:4]


def forms(x: Any) -> list[str]:
    """Shapes of as many elements."""
    return ["(-1,)", str((1, *x.shape)), str((*x.shape, 1)), str(x.shape[::-1])]


def larger(x: Any) -> list[str]:
    """Shapes to broadcast to."""
    return [str((2, *x.shape)), str((1, 2, *x.shape)), str(tuple(2 if n == 1 else n for n in x.shape))]
