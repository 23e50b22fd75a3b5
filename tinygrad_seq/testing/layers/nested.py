"""Arguments and results that hold tensors somewhere in tuples, lists, dicts and dataclasses; and how far two differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from ...data import plain
from ...tensor import Tensor

__all__ = [
    "arrays_in",
    "changed",
    "changed_by",
    "exchanged",
    "first_changed",
    "is_floating",
    "named_in",
    "offset",
    "tensors_in",
]


def is_floating(x: Any) -> bool:
    """Whether x is an array or a tensor of floating-point numbers, so that it has a derivative."""
    return isinstance(x, ndarray | Tensor) and x.dtype.kind in "fc"


def named_in(thing: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """(where it stands, array or tensor) of all that a thing holds, such as ("state.0", …)."""
    parts: Any = ()
    if isinstance(thing, ndarray | Tensor):
        yield name, thing
    elif isinstance(thing, dict):
        parts = thing.items()
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        parts = zip(thing._fields, thing)
    elif isinstance(thing, tuple | list):
        parts = enumerate(thing)
    elif is_dataclass(thing) and not isinstance(thing, type):
        parts = [(field.name, getattr(thing, field.name)) for field in fields(thing)]
    for key, part in parts:
        yield from named_in(part, f"{name}.{key}" if name else str(key))


def arrays_in(thing: Any) -> list[Any]:
    """All arrays and tensors that a thing holds."""
    return [x for _, x in named_in(thing)]


def tensors_in(thing: Any) -> list[Tensor]:
    """All tensors of floating-point numbers that a thing holds."""
    return [x for x in arrays_in(thing) if isinstance(x, Tensor) and is_floating(x)]


def exchanged(thing: Any, change: Callable[[Any], Any]) -> Any:
    """The same thing again, with change(x) in place of every array and tensor x.

    >>> exchanged((np.array([1.0]), [2, {"a": np.array(3)}]), lambda x: x + 1)
    (array([2.]), [2, {'a': np.int64(4)}])
    """
    if isinstance(thing, ndarray | Tensor):
        return change(thing)
    if isinstance(thing, dict):
        return {key: exchanged(part, change) for key, part in thing.items()}
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return type(thing)(*[exchanged(part, change) for part in thing])
    if isinstance(thing, tuple | list):
        return type(thing)([exchanged(part, change) for part in thing])
    if is_dataclass(thing) and not isinstance(thing, type):
        return replace(thing, **{f.name: exchanged(getattr(thing, f.name), change) for f in fields(thing) if f.init})
    return thing


# ---- how far two differ ----------------------------------------------------------------


def offset(a: Any, b: Any) -> float:
    """The largest difference of two arrays; NaN is equal to NaN, and infinitely far from anything else.

    >>> offset([1.0, float("nan")], [1.5, float("nan")])
    0.5
    """
    a, b = np.asarray(plain(a)), np.asarray(plain(b))
    if a.shape != b.shape:
        return np.inf
    with np.errstate(all="ignore"):
        off = np.abs(np.subtract(a, b, dtype=float))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return float(np.where(same, 0, np.where(np.isnan(off), np.inf, off)).max(initial=0))


def changed(a: Any, b: Any, tolerance: float = 0.0) -> bool:
    """Whether two arrays differ by more than a share of the largest number in the first, or of 1."""
    a = np.asarray(plain(a))
    largest = np.abs(a[np.isfinite(a)]).max(initial=1)
    return offset(a, b) > tolerance * float(largest)


def changed_by(a: Any, b: Any) -> str:
    """How an array changes, in words: "changes by 0.31", "becomes NaN", "changes its shape from (3,) to ()"."""
    a, b = np.asarray(plain(a)), np.asarray(plain(b))
    if a.shape != b.shape:
        return f"changes its shape from {a.shape} to {b.shape}"
    if np.isnan(b).any() and not np.isnan(a).any():
        return "becomes NaN"
    return f"changes by {offset(a, b):.2g}"


def first_changed(
    before: Sequence[Any], after: Sequence[Any], tolerance: float = 0.0
) -> tuple[int, Any, Any] | None:
    """(number, before, after) of the first of several arrays that differs, or None."""
    for i, (a, b) in enumerate(zip(before, after, strict=False)):
        if changed(a, b, tolerance):
            return i, a, b
    return None
