"""How a function really moves: its slope along a direction, found by running it and by nothing else.

Complex step: f(x + i h v) = f(x) + i h f'(x) v + O(h²), so the imaginary part over h is the slope, without a
difference of two numbers that are almost equal; h may be 1e-20 and the slope is exact to rounding (Squire and Trapp,
Using Complex Variables to Estimate Derivatives of Real Functions, 1998).  It needs a function that is analytic in how
it is written: np.abs is not.  So it is believed only where differences agree with it.

Else differences to both sides, extrapolated to a step of zero (Ridders, Accurate computation of F'(x) and F'(x)F''(x),
1982), with what that says about its own error, and whether the two sides meet: where they do not there is no slope.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

__all__ = ["Slope", "slope"]

H = 1e-20
CONFIRMING = 2.0**-10  # the step of the differences that the complex step is held against
LEVELS = 9  # of Ridders' steps, each half of the one before; and some much smaller ones
STEPS = np.concatenate([2.0 ** -np.arange(7, 7 + LEVELS), 2.0 ** -np.arange(18, 22)])
EPS = np.finfo(float).eps

Arrays = Sequence[ndarray]


class Slope(NamedTuple):
    """How each element of a function moves, per unit of a direction.

    value: in the shape of the function.  error: how far off it may be.  left, right: the slopes before the point and
    after it, infinite where it jumps.  kink: where these two differ, or are not finite: there is no slope.
    """

    value: ndarray
    error: ndarray
    left: ndarray
    right: ndarray
    kink: ndarray


def slope(f: Callable[[Arrays], Any], xs: Arrays, vs: Arrays, *, analytic: bool = True, at: Any = None) -> Slope:
    """The slope of f at xs along vs, all in double precision.

    f: of arrays, gives an array.  analytic: complex numbers may be tried.  at: f(xs), where it is known.
    Raises whatever f raises at xs itself.

    >>> slope(lambda xs: np.sin(xs[0]), [np.array([0.0])], [np.array([2.0])]).value
    array([2.])
    >>> print(slope(lambda xs: np.abs(xs[0]), [np.array([0.0, 3.0])], [np.array([1.0, 1.0])]).kink)
    [ True False]
    """
    xs = [np.asarray(x, float) for x in xs]
    with np.errstate(all="ignore"):
        here = np.asarray(f(xs) if at is None else at, float)
        if not np.isfinite(here).all():
            nowhere = ~np.isfinite(here)
            return broken(here, nowhere) if nowhere.all() else masked(differences(f, xs, vs, here), nowhere)
        found = complex_step(f, xs, vs, here) if analytic else None
        if found is None:
            return differences(f, xs, vs, here)
        sure, error = confirmed(found, f, xs, vs, here)
        exact = Slope(found, error, found, found, np.zeros(here.shape, bool))
        if sure:
            return exact
        rough = differences(f, xs, vs, here)
        believed = ~rough.kink & (np.abs(found - rough.value) <= 10 * rough.error)
        return Slope(*[np.where(believed, a, b) for a, b in zip(exact, rough)])._replace(error=rough.error)


def complex_step(f: Callable[[Arrays], Any], xs: Arrays, vs: Arrays, here: ndarray) -> ndarray | None:
    """The imaginary part over h, or None where the function does not take complex numbers, or drops them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # an imaginary part was dropped on the way
            out = np.asarray(f([x + (H * 1j) * v for x, v in zip(xs, vs)]))
    except Exception:
        return None
    if out.dtype.kind != "c" or out.shape != here.shape:
        return None
    off = np.abs(out.real - here)
    if (off > 1e-9 * (1 + np.abs(here))).any() or not np.isfinite(out.imag).all():
        return None
    return out.imag / H


def confirmed(found: ndarray, f: Callable[[Arrays], Any], xs: Arrays, vs: Arrays, here: ndarray) -> tuple[bool, Any]:
    """Whether differences tell the same of every element, so that it is analytic and smooth here; and how closely."""
    h = CONFIRMING * reach(xs, vs)
    a, b, c, d = (moved(f, xs, vs, step, here) for step in (h, -h, h / 2, -h / 2))
    told = (8 * (c - d) - (a - b)) / (6 * h)
    noise = 64 * EPS * np.maximum(np.abs(here), np.maximum(np.abs(a), np.abs(b))) / h
    size = np.abs(found)
    still = (found == 0) & (a == here) & (b == here) & (c == here) & (d == here)
    error = np.where(still, 0, np.where(noise > 1e-8 * size, noise, 1e2 * EPS * size))
    sure = still | (np.abs(told - found) <= 1e-8 * size + noise) & (noise <= 1e-3 * size)
    return bool(sure.all()), error


def differences(f: Callable[[Arrays], Any], xs: Arrays, vs: Arrays, here: ndarray) -> Slope:
    """Central differences, extrapolated; and what the sides say each for itself."""
    sides = [(h, moved(f, xs, vs, h, here), moved(f, xs, vs, -h, here)) for h in reach(xs, vs) * STEPS]
    steps = np.array([h for h, _, _ in sides]).reshape(-1, *[1] * here.ndim)
    ahead, behind = np.array([a for _, a, _ in sides]), np.array([b for _, _, b in sides])
    central = (ahead - behind) / (2 * steps)
    noise = 64 * EPS * np.maximum(np.abs(ahead).max(0), np.abs(here)) / steps
    value, error = extrapolated(central[:LEVELS], 4)
    error = error + noise[0]
    for first in (LEVELS // 2, LEVELS):  # a kink may lie within the first steps, and not within the last
        finer, its_error = extrapolated(central[first : first + LEVELS // 2], 4)
        differ = np.abs(value - finer) > 10 * (error + its_error + noise[first + 2])
        value, error = np.where(differ, finer, value), np.where(differ, np.abs(value - finer), error)
    left, right = (extrapolated(side[:LEVELS] / steps[:LEVELS], 2)[0] for side in (here - behind, ahead - here))
    bend = np.abs(ahead + behind - 2 * here) / steps
    side = np.maximum(np.abs(ahead - here), np.abs(here - behind)) / steps
    end = LEVELS - 1
    least = noise[end] + 8 * EPS / STEPS[end]  # on the way to f there are numbers as large as x, and their rounding
    jumps = (side[end] > 4 * side[end - 3]) & (side[end] > least)
    largest = np.maximum(np.abs(left), np.abs(right))
    stays = (bend[end] > 0.6 * bend[end - 3]) & (bend[end] > least + 1e-6 * largest)
    left, right = (np.where(jumps, np.inf, one) for one in (left, right))
    kink = stays | jumps | ~np.isfinite(value + left + right + bend[end])
    return Slope(value, np.where(np.isfinite(error), error, np.inf), left, right, kink)


def moved(f: Callable[[Arrays], Any], xs: Arrays, vs: Arrays, h: float, here: ndarray) -> ndarray:
    """f at xs + h vs; NaN where it cannot be had."""
    try:
        found = np.asarray(f([x + h * v for x, v in zip(xs, vs)]), float)
    except Exception:
        found = np.array(np.nan)
    return found if found.shape == here.shape else np.full(here.shape, np.nan)


def extrapolated(estimates: ndarray, power: int) -> tuple[ndarray, ndarray]:
    """Ridders' table over estimates with halving steps, whose errors begin with h^log2(power); and its own error."""
    best, error = estimates[0].copy(), np.full(estimates[0].shape, np.inf)
    row = [estimates[0]]
    for estimate in estimates[1:]:
        new, factor = [estimate], float(power)
        for older in row:
            new.append((factor * new[-1] - older) / (factor - 1))
            off = np.maximum(np.abs(new[-1] - new[-2]), np.abs(new[-1] - older))
            better = off < error
            best, error = np.where(better, new[-1], best), np.where(better, off, error)
            factor *= power if power == 2 else 4
        row = new
    return best, error


def reach(xs: Arrays, vs: Arrays) -> float:
    """How far one may go along vs, so that a step is small beside the numbers themselves."""
    largest = max([float(np.abs(v).max(initial=0)) for v in vs], default=0.0)
    size = max([float(np.abs(x).max(initial=0)) for x, v in zip(xs, vs) if np.any(v)], default=1.0)
    return max(1.0, min(size, 1e3)) / (largest or 1.0)


def broken(here: ndarray, nowhere: ndarray) -> Slope:
    """Of a function that is nowhere finite."""
    none = np.full(here.shape, np.nan)
    return Slope(none, none, none, none, nowhere)


def masked(found: Slope, nowhere: ndarray) -> Slope:
    """A slope, but where the function itself is not finite."""
    return found._replace(kink=found.kink | nowhere)
