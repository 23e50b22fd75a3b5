"""An array as a page tells of it: a small one whole, a large one by its shape, length, range and a strip of heat."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_seq.gradflow import magnitude

__all__ = ["said_of"]

WHOLE = 16  # numbers that are told one by one
CELLS = 32  # of a strip
LEVELS = "abcdefghijklmnopqrs"  # of heat, from the most negative to the most positive; "j" is zero
BROKEN = "!"


def said_of(array: Any) -> dict[str, Any]:
    """What is told of an array, as something that JSON can hold; numbers have four digits.

    >>> import numpy as np
    >>> said_of(np.array([[0.123456, -2.0]]))
    {'all': [[0.1235, -2.0]]}
    >>> said_of(np.linspace(-1, 1, 100))
    {'shape': [100], 'norm': 5.832, 'low': -1.0, 'high': 1.0, 'heat': 'abbccddeffgghhiijkllmmnnoppqqrrs'}
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        return {"shape": list(array.shape), "kind": str(array.dtype)}
    if array.size <= WHOLE:
        return {"all": whole(array)}
    flat = array.ravel().astype(float)
    finite = flat[np.isfinite(flat)]
    said: dict[str, Any] = {"shape": list(array.shape), "norm": digits(magnitude(array))}
    if finite.size:
        said |= {"low": digits(finite.min()), "high": digits(finite.max())}
    if finite.size < flat.size:
        said["broken"] = int(flat.size - finite.size)
    return said | {"heat": heat(flat)}


def whole(array: np.ndarray) -> Any:
    """All the numbers, in lists as deep as the array."""
    if array.dtype.kind != "f":
        return array.astype(int).tolist()
    return digits(array.item()) if array.ndim == 0 else [whole(row) for row in array]


def digits(number: float) -> float | str:
    """A number with four digits; by name what JSON has no number for."""
    if not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    short = float(f"{number:.4g}")
    return short if math.isfinite(short) else float(number)  # the largest of all would be rounded up to infinity


def heat(flat: np.ndarray) -> str:
    """A letter for each stretch of an array: its number of largest size, against the largest of all."""
    starts = np.linspace(0, flat.size, min(CELLS, flat.size), endpoint=False).astype(int)
    with np.errstate(invalid="ignore"):
        low, high = np.minimum.reduceat(flat, starts), np.maximum.reduceat(flat, starts)
    peaks = np.where(-low > high, low, high)
    broken = ~(np.isfinite(low) & np.isfinite(high))
    most = np.abs(peaks[~broken]).max(initial=0.0) or 1.0
    steps = np.where(broken, 0, np.rint(np.where(broken, 0, peaks) / most * 9)).astype(int) + 9
    return "".join(BROKEN if wrong else LEVELS[step] for wrong, step in zip(broken, steps))
