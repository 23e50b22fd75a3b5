"""What an array must be, to fit into a gap of an instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = [
    "NEAR",
    "Check",
    "alongside",
    "anything",
    "apart_by",
    "broadcast",
    "halved",
    "joined",
    "matrix",
    "multiplied",
    "multiplied_by_table",
    "nonzero",
    "positive",
    "row",
    "same",
    "sequence",
    "solid",
    "spelt",
    "state",
    "state_of_row",
    "table",
    "vector",
    "within",
]

Check = Callable[..., bool]

NEAR = 0.02  # closer to a kink than this without being on it, a difference quotient cannot be trusted
AWAY = 0.1  # at least so far from a pole


def anything(x: Any) -> bool:
    """Any array."""
    return True


def solid(x: Any) -> bool:
    """An array that is not empty."""
    return x.size > 0


def row(x: Any) -> bool:
    """An array with at least one axis and one element."""
    return x.ndim > 0 and x.size > 0


def vector(*xs: Any) -> bool:
    """A vector that is not empty, as the last of the arguments."""
    return xs[-1].ndim == 1 and xs[-1].size > 0


def matrix(x: Any) -> bool:
    """A matrix, or a batch of them, that is not empty."""
    return x.ndim >= 2 and x.size > 0


def table(x: Any) -> bool:
    """One matrix that is not empty."""
    return x.ndim == 2 and x.size > 0


def positive(x: Any) -> bool:
    """All elements well above 0."""
    return bool((x >= AWAY).all())


def nonzero(*xs: Any) -> bool:
    """All elements of the last argument are well away from 0, and it broadcasts with those before."""
    return broadcast(*xs) and bool((np.abs(xs[-1]) >= AWAY).all())


def broadcast(*xs: Any) -> bool:
    """Shapes that broadcast."""
    if len(xs) == 2:  # by hand: NumPy's function takes ten times as long
        return all([m == n or m == 1 or n == 1 for m, n in zip(xs[0].shape[::-1], xs[1].shape[::-1])])
    try:
        np.broadcast_shapes(*[x.shape for x in xs])
    except ValueError:
        return False
    return True


def same(*xs: Any) -> bool:
    """Equal shapes of arrays that are not empty."""
    return xs[-1].shape == xs[0].shape and xs[0].size > 0


def within(bound: float) -> Check:
    """No element of the last argument is above the bound."""
    return lambda *xs: broadcast(*xs) and bool((xs[-1] <= bound).all())


def multiplied(x: Any, y: Any) -> bool:
    """x @ y is possible."""
    if not x.ndim or not y.ndim or x.shape[-1] != (y.shape[-2] if y.ndim > 1 else y.shape[0]):
        return False
    return min(x.ndim, y.ndim) < 3 or x.shape[:-2] == y.shape[:-2]


def spelt(subscripts: str) -> list[Check]:
    """Whether arrays fit the letters of an einsum, one after the other."""
    terms = subscripts.partition("->")[0].split(",")

    def fits(*xs: Any) -> bool:
        sizes: dict[str, int] = {}
        return all(
            x.ndim == len(term) and all(sizes.setdefault(c, n) == n for c, n in zip(term, x.shape))
            for x, term in zip(xs, terms)
        )

    return [fits] * len(terms)


def sequence(x: Any) -> bool:
    """One to four steps, of something."""
    return x.ndim > 0 and len(x) <= 4 and x.size > 0


def state(*xs: Any) -> bool:
    """The last broadcasts with one step of the first, and with the others."""
    return broadcast(xs[0][0], *xs[1:])


def apart_by(smooth: bool) -> Check:
    """Whether numbers keep away from 0, by NEAR at least; on it they may be too, where kinks are wanted."""

    def apart(d: Any) -> bool:
        d = np.abs(d)
        return bool((d > NEAR).all() if smooth else ((d > NEAR) | (d == 0)).all())

    return apart


def halved(x: Any, *_: Any) -> bool:
    """The last axis can be cut in two."""
    return x.ndim > 0 and x.size > 0 and x.shape[-1] % 2 == 0


def state_of_row(*xs: Any) -> bool:
    """The last broadcasts to the last axis of the first."""
    return xs[-1].shape in ((), (1,), xs[0].shape[-1:])


def multiplied_by_table(x: Any, W: Any) -> bool:
    """x @ W is possible, and W one matrix."""
    return table(W) and x.shape[-1] == len(W)


def joined(x: Any, y: Any) -> bool:
    """As many axes, and the same sizes but for the last: along another axis they may not fit, which is then seen."""
    return y.ndim == x.ndim and x.shape[:-1] == y.shape[:-1]


def alongside(x: Any, y: Any) -> bool:
    """As many axes, and not empty."""
    return y.ndim == x.ndim and y.size > 0
