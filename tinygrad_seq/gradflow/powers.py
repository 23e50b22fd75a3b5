"""Power laws: the exponent with which a count grows with a size, fitted and not asserted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .trend import student

__all__ = ["Power", "power"]


class Power(NamedTuple):
    """count ∝ size^exponent.

    low, high: the 95 % interval of the exponent (Student's t on the residuals; NaN for two sizes, which leave none).
    r2: the share of the variance of log count that the law explains, 1 where the count does not change.  local: the
    exponent between the two largest sizes, closer to the leading term where the count has terms of lower order.
    """

    exponent: float
    low: float
    high: float
    r2: float
    local: float

    def __str__(self) -> str:
        return f"{self.exponent:.2f}".replace("-0.00", "0.00")


def power(sizes: Any, counts: Any) -> Power:
    """The law count ∝ size^exponent, by least squares of log count on log size.

    sizes, counts: positive numbers, one count for each size; a size may come several times.
    A count with terms of lower order, such as 3 n² + 100 n, is no power law: its fitted exponent lies between those
    of its terms, and the interval says nothing of that; see `local`.
    Raises DataError for numbers that are not positive and for less than two sizes.

    >>> from tinygrad_seq.gradflow import power
    >>> law = power([10, 20, 40, 80], [200, 800, 3200, 12800])
    >>> print(law)
    2.00
    >>> print(round(power([10, 20, 40, 80], [300, 1000, 3600, 13600]).local, 2))
    1.92
    """
    x, y = np.asarray(sizes, float).ravel(), np.asarray(counts, float).ravel()
    if x.shape != y.shape:
        raise DataError(f"power needs one count for each size, got {x.size} sizes and {y.size} counts")
    if not (np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)).all():
        raise DataError(f"power needs sizes and counts above 0, got sizes {x.tolist()} and counts {y.tolist()}")
    if len(np.unique(x)) < 2:
        raise DataError(f"power needs at least two sizes, got {np.unique(x).tolist()}")
    x, y = np.log(x / x[0]), np.log(y / y[0])  # of equal counts exactly 0
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    rest = dy - slope * dx
    error, whole, freedom = float(rest @ rest), float(dy @ dy), len(x) - 2
    width = student(freedom) * np.sqrt(error / freedom / (dx @ dx)) if freedom else np.nan
    large, second = np.unique(x)[[-1, -2]]
    local = (y[x == large].mean() - y[x == second].mean()) / (large - second)
    r2 = 1 - error / whole if whole else 1.0
    return Power(slope, slope - float(width), slope + float(width), r2, float(local))
