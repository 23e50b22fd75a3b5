"""Numbers to fill arrays with, drawn many at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ...errors import DataError

NEAR = 0.25  # how near to 0 numbers come that are to stay away from it


class Bulk(NamedTuple):
    """How the numbers of a strategy are made from two bytes each: an array then is drawn at once, as one string.

    simple: simplest first; they are a share of all.  low, high: between which the others lie, evenly; None where there
    are no others.  gap: how far these stay from 0.  single: they are numbers that float32 has.
    """

    simple: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    gap: float = 0.0
    single: bool = True
    share: int = 32  # of 256

    def numbers(self, data: bytes) -> np.ndarray:
        """len(data) / 2 numbers.  Of zero bytes the simplest, so that it is what hypothesis shrinks them to."""
        k = np.frombuffer(data, ">u2").astype(np.int64)
        if self.low is None or self.high is None:
            return np.array(self.simple)[k % len(self.simple)]
        first = self.share << 8
        u = np.maximum(k - first, 0) / (65535 - first)
        x = (1 - u) * self.low + u * (self.high - 2 * self.gap)
        if self.gap:
            x = np.where(x > -self.gap, x + 2 * self.gap, x)
        if self.single:
            rounded = np.copysign(np.ceil(np.abs(x) * 4) / 4, x)  # where the second byte is 0, as after shrinking
            x = np.clip(np.where(k & 255, x.astype(np.float32), rounded), self.low, self.high)
        return np.where(k < first, np.array(self.simple)[(k >> 8) % len(self.simple)], x)


# A union, as hypothesis hands it on as the object that it is; another strategy might be unwrapped, and not found here.
IN_BULK: WeakKeyDictionary[SearchStrategy[float], Bulk] = WeakKeyDictionary()


@lru_cache(maxsize=256)
def numbers(
    min_value: float = -3.0,
    max_value: float = 3.0,
    *,
    dtype: Any = np.float64,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
) -> SearchStrategy[float]:
    """Numbers from min_value to max_value, such that float32 has them too, unless the range is too narrow for that.

    nonzero: none is 0 or nearer to it than 1/4.  positive: above 0, and from 1/4 on where min_value is not above 0.
    special: also, in the range or not, 0, -0.0, the smallest numbers of the dtype, ±1e4, and those beside ±1; but what
    nonzero and positive exclude.  nan, infinity: those as well.
    Raises DataError where the range is empty.

    >>> from hypothesis import find
    >>> find(numbers(0, 1), lambda x: True), find(numbers(positive=True), lambda x: x < 1)
    (0.0, 0.5)
    """
    low, high = float(min_value), float(max_value)
    low = NEAR if positive and low <= 0 else low
    gap = min(NEAR, max(-low, high) / 2) if nonzero else 0.0
    if gap and low > -gap:
        low, gap = max(low, gap), 0.0
    elif gap and high < gap:
        high, gap = min(high, -gap), 0.0
    empty = nonzero and low == high == 0
    if empty or not (low <= high and np.isfinite([low, high]).all()):
        raise DataError(
            f"numbers: from min_value={min_value!r} to max_value={max_value!r} there are no "
            f"{'positive ' * positive}{'nonzero ' * nonzero}finite numbers: widen the range"
        )
    large = max(-low, high) > float(np.finfo(np.float32).max)
    inner = [] if large else [float(np.float32(low)), float(np.float32(high))]
    if inner and inner[0] < low:
        inner[0] = float(np.nextafter(np.float32(low), np.float32(np.inf)))
    if inner and inner[1] > high:
        inner[1] = float(np.nextafter(np.float32(high), np.float32(-np.inf)))
    single = bool(inner) and inner[0] <= inner[1]
    low, high = inner if single else (low, high)

    parts = [(low, -gap), (gap, high)] if gap else [(low, high)]
    simple = [x for x in (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, low, high) if any(a <= x <= b for a, b in parts)]
    extra = list(special_values(dtype)) if special else []
    extra += [np.nan] * nan + [np.inf, -np.inf] * infinity
    extra = [x for x in extra if not (nonzero and x == 0) and not (positive and x <= 0)]
    simple = [*dict.fromkeys(simple), *extra]
    found = st.one_of([*[within(a, b, single) for a, b in reversed(parts)], st.sampled_from(simple)])
    IN_BULK[found] = Bulk(tuple(simple), low, high, gap, single, 64 if extra else 32)
    return found


def within(low: float, high: float, single: bool) -> SearchStrategy[float]:
    """The floating-point numbers from low to high, none that is subnormal unless a bound is."""
    normal = all(x == 0 or abs(x) >= float(np.finfo(np.float32).tiny) for x in (low, high))
    return st.floats(low, high, width=32 if single else 64, allow_subnormal=False if normal else None)


def special_values(dtype: Any = np.float64) -> tuple[float, ...]:
    """Finite numbers that rules go wrong at: zeros, the smallest of the dtype, large ones, those beside ±1.

    >>> special_values()[:3]
    (0.0, -0.0, 5e-324)
    """
    f = np.finfo(dtype)
    magnitudes = [0.0, f.smallest_subnormal, f.tiny, f.eps, 1e4, 1 + f.eps, 1 - f.epsneg]
    return tuple([sign * float(x) for x in magnitudes for sign in (1, -1)])


def quarters(offset: float = 0.0) -> SearchStrategy[float]:
    """Multiples of 1/4 from -3 to 3, all moved by the offset.

    >>> from hypothesis import find
    >>> find(quarters(0.125), lambda x: x > 1)
    1.125
    """
    found = st.just(offset) | st.integers(-12, 12).map(lambda n: n / 4 + offset)
    IN_BULK[found] = Bulk(tuple([n / 4 + offset for n in sorted(range(-12, 13), key=abs)]))
    return found


REAL = numbers()
UNIT = numbers(0, 1)
POSITIVE = numbers(positive=True)
AWAY = numbers(nonzero=True)  # from 0, where a kink or a pole may be
LEFT = quarters()  # never equal to one of RIGHT
RIGHT = quarters(0.125)
DTYPES: SearchStrategy[Any] = st.sampled_from([np.float64, np.float32])


class Distinct(NamedTuple):
    """In place of a strategy of numbers: all elements of an array differ, by 1/16 at least.

    >>> from hypothesis import find
    >>> from tinygrad_seq.testing.strategies import Distinct, arrays
    >>> find(arrays((3,), Distinct()), lambda x: True)
    array([-0.125,  0.   ,  0.125])
    """

    step: float = 1 / 16


DISTINCT = Distinct()
Elements = SearchStrategy[float] | Distinct
