"""Whether the gradients that a rule gives are how the function moves; and if not, for which element.

A function of several arrays that gives several arrays, and its pull-back: weights on the results in, gradients of the
inputs out.  Small ones are compared element by element (the whole Jacobian), large ones along random directions in all
elements of an input at once: exact slopes see one wrong element among thousands.  Where a direction disagrees, halving
it again and again finds the element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .slopes import Slope, slope

__all__ = ["Agreement", "Compared", "Mismatch", "Tolerance", "compare"]

SMALL = 256  # elements of a Jacobian that is compared whole
DIRECTIONS = 2

Arrays = Sequence[ndarray]


class Tolerance(NamedTuple):
    """How far apart two numbers may be: atol + rtol · (the sum of the absolute values that they were added up from)."""

    rtol: float
    atol: float

    @classmethod
    def of(cls, dtype: Any, rtol: float | None = None, atol: float | None = None) -> Tolerance:
        """What the rounding of a dtype allows: 1e-8 for float64, 1e-4 for float32."""
        default = cls(1e-8, 1e-10) if np.dtype(dtype).itemsize >= 8 else cls(1e-4, 1e-6)
        return cls(default.rtol if rtol is None else rtol, default.atol if atol is None else atol)


class Mismatch(NamedTuple):
    """A derivative that is wrong: of element `at` of result `output` by `element` of input `input`.

    moves: what the function does.  says: what its gradient says.  kink: at a point where the slopes to both sides
    differ, and the gradient lies outside of them.
    """

    input: int
    element: tuple[int, ...]
    output: int
    at: tuple[int, ...]
    moves: float
    says: float
    kink: bool = False


@dataclass
class Agreement:
    """What came out: the mismatches, at most one for each input; kinks and what was undecided, by input; how many.

    sizes: of the largest number that was compared by each input.
    """

    mismatches: list[Mismatch] = field(default_factory=list)
    kinks: set[int] = field(default_factory=set)
    undecided: set[int] = field(default_factory=set)
    sizes: dict[int, float] = field(default_factory=dict)
    checks: int = 0

    def compared(self, k: int, size: float) -> None:
        """Note that a number of that size was compared by input k."""
        self.checks += 1
        self.sizes[k] = max(self.sizes.get(k, 0.0), size)

    def vanishing(self, tolerance: Tolerance) -> set[int]:
        """The inputs by which all numbers are so small that none could be off by more than is allowed."""
        return {k for k, size in self.sizes.items() if 0 < size <= tolerance.atol}


class Compared:
    """A function and its pull-back at a point, with all results laid end to end."""

    def __init__(
        self,
        values: Callable[[Arrays], Sequence[Any]],
        pull: Callable[[Arrays], Sequence[Any]],
        xs: Arrays,
        tolerance: Tolerance,
        analytic: bool,
    ) -> None:
        self.values, self.pull, self.tolerance, self.analytic = values, pull, tolerance, analytic
        self.xs = [np.asarray(x, float) for x in xs]
        self.outs = [np.asarray(y, float) for y in values(self.xs)]
        self.flat = joined(self.outs)

    def moves(self, k: int, v: ndarray) -> Slope:
        """How all results move when input k does along v."""
        return self.together([k], [v])

    def together(self, ks: Sequence[int], vs: Arrays) -> Slope:
        """How all results move when several inputs do, each along its own direction."""

        def run(z: Arrays) -> ndarray:
            xs = list(self.xs)
            for k, x in zip(ks, z):
                xs[k] = x
            return joined([np.asarray(y) for y in self.values(xs)])

        return slope(run, [self.xs[k] for k in ks], vs, analytic=self.analytic, at=self.flat)

    def pulled(self, w: ndarray) -> list[ndarray]:
        """The gradient of every input for weights on all results; zeros for None."""
        weights, start = [], 0
        for y in self.outs:
            weights.append(w[start : start + y.size].reshape(y.shape))
            start += y.size
        found = self.pull(weights)
        return [np.zeros(x.shape) if g is None else np.asarray(g, float) for x, g in zip(self.xs, found)]

    def off(self, moves: float, says: float, size: float, error: float) -> bool:
        """Whether two numbers are further apart than rounding explains."""
        allowed = self.tolerance.atol + self.tolerance.rtol * size + 10 * error
        return not np.isfinite(says) or not abs(moves - says) <= allowed

    def derivative(self, m: Mismatch) -> tuple[float, float]:
        """Of one element of a result by one of an input: how it moves, and what the gradient says."""
        e = np.zeros(self.xs[m.input].shape)
        e[m.element] = 1
        w = [np.zeros(y.shape) for y in self.outs]
        w[m.output][m.at] = 1
        flat = joined(w)
        moved = self.moves(m.input, e)
        return float(moved.value[np.argmax(flat)]), float(self.pulled(flat)[m.input][m.element])

    def place(self, o: int) -> tuple[int, tuple[int, ...]]:
        """Which result, and which of its elements, element number o of all of them is."""
        for n, y in enumerate(self.outs):
            if o < y.size:
                return n, position(o, y.shape)
            o -= y.size
        raise IndexError(o)


def compare(
    values: Callable[[Arrays], Sequence[Any]],
    pull: Callable[[Arrays], Sequence[Any]],
    xs: Arrays,
    rng: np.random.Generator,
    *,
    tolerance: Tolerance,
    by: Iterable[int] | None = None,
    analytic: bool = True,
    at_kinks: bool = False,
    small: int = SMALL,
    weights: Sequence[ndarray] = (),
) -> Agreement:
    """Hold the gradients that `pull` gives against how `values` moves.

    by: the inputs to look at, all by default.  at_kinks: where there is no slope, want the gradient between those to
    both sides; right for one op, and not for many, whose choices at kinks need not fit together.  small: up to how
    many elements the Jacobian is compared whole.  weights: on all results laid end to end, to try besides random ones.
    Raises whatever `values` and `pull` raise at the point itself.
    """
    with np.errstate(all="ignore"):
        return compared(Compared(values, pull, xs, tolerance, analytic), rng, by, at_kinks, small, weights)


def compared(
    c: Compared,
    rng: np.random.Generator,
    by: Iterable[int] | None,
    at_kinks: bool,
    small: int,
    weights: Sequence[ndarray],
) -> Agreement:
    """The comparison itself."""
    found = Agreement()
    inputs = [k for k in (range(len(c.xs)) if by is None else by) if c.xs[k].size]
    if not c.flat.size:
        c.pulled(c.flat)
        return found
    rows = {}
    if c.flat.size * max((c.xs[k].size for k in inputs), default=1) <= small and not weights:
        rows = {o: c.pulled(np.eye(1, c.flat.size, o)[0]) for o in range(c.flat.size)}
    tried = [(np.array(w, float), c.pulled(np.array(w, float))) for w in weights]
    if not rows:
        tried += [(w, c.pulled(w)) for w in (signs(rng, c.flat.shape) for _ in range(DIRECTIONS))]
    for k in inputs:
        wrong = by_elements(c, k, rows, found) if rows else by_directions(c, k, tried, rng, found)
        if wrong is None and k in found.kinks and at_kinks:
            wrong = beside_kinks(c, [k], rng, found)
        if wrong is not None:
            found.mismatches.append(wrong)
    together = [k for k in inputs if k in found.kinks]
    if at_kinks and not found.mismatches and len(together) > 1:  # max(x, y), where they tie
        wrong = beside_kinks(c, together, rng, found)
        found.mismatches += [] if wrong is None else [wrong]
    return found


def by_elements(c: Compared, k: int, rows: dict[int, list[ndarray]], found: Agreement) -> Mismatch | None:
    """The wrongest element of the Jacobian by input k, if one is wrong."""
    worst, wrong = 0.0, None
    for i in range(c.xs[k].size):
        e = np.eye(1, c.xs[k].size, i).reshape(c.xs[k].shape)
        column = c.moves(k, e)
        if not np.isfinite(column.left + column.right).all():  # a pole: no derivative of anything by this element
            found.kinks.add(k)
            continue
        size = np.abs(column.value)
        for o in map(int, np.flatnonzero(~column.kink)):
            moves, says = float(column.value[o]), float(rows[o][k].flat[i])
            found.compared(k, size[o] + abs(says))
            if np.isfinite(says) and undecided(c, column.error[o], size[o] + abs(says)):
                found.undecided.add(k)
            elif c.off(moves, says, size[o] + abs(says), column.error[o]):
                share = abs(moves - says) / (abs(moves) + abs(says)) if np.isfinite(says) else 2.0
                if share > worst:
                    worst, wrong = share, Mismatch(k, position(i, c.xs[k].shape), *c.place(o), moves, says)
        if column.kink.any():
            found.kinks.add(k)
    return wrong


def by_directions(
    c: Compared, k: int, tried: list[tuple[ndarray, list[ndarray]]], rng: np.random.Generator, found: Agreement
) -> Mismatch | None:
    """A wrong element of the gradient by input k, if directions in all of its elements tell of one."""
    for _ in range(DIRECTIONS):
        v = signs(rng, c.xs[k].shape)
        moved = c.moves(k, v)
        for w, gradients in tried:
            if moved.kink.any():
                found.kinks.add(k)
                if moved.kink.all():
                    continue
                w = np.where(moved.kink, 0, w)
                gradients = c.pulled(w)
                if not np.isfinite(gradients[k]).all():  # a pole
                    continue
            if told(c, k, v, w, gradients, moved, found):
                wrong = located(c, k, v, w)
                if c.off(wrong.moves, wrong.says, abs(wrong.moves) + abs(wrong.says), 0.0):
                    return wrong
                found.undecided.add(k)  # no single element is wrong: it was rounding
    return None


def told(
    c: Compared, k: int, v: ndarray, w: ndarray, gradients: list[ndarray], moved: Slope, found: Agreement | None = None
) -> bool:
    """Whether, along v and weighed by w, the function moves otherwise than the gradient says."""
    usable = ~moved.kink & (w != 0)
    parts, products = (w * np.where(usable, moved.value, 0))[usable], gradients[k] * v
    size = float(np.abs(parts).sum() + np.abs(products).sum())
    if found is not None:
        found.compared(k, size)
    if not np.isfinite(products).all():
        return True
    error = float((np.abs(w) * np.where(usable, moved.error, 0)).sum())
    if undecided(c, error, size):
        if found is not None:
            found.undecided.add(k)
        return False
    return c.off(float(parts.sum()), float(products.sum()), size, error)


def undecided(c: Compared, error: float, size: float) -> bool:
    """Whether the slope is known too badly to hold anything against it."""
    return not 10 * error <= max(1e-5, c.tolerance.rtol) * size + 1e3 * c.tolerance.atol


def located(c: Compared, k: int, v: ndarray, w: ndarray) -> Mismatch:
    """The element of input k, and of the results, where they differ: by halving, first one and then the other."""
    chosen = np.arange(v.size)

    def differs(part: ndarray, w: ndarray) -> float:
        only = np.where(np.isin(np.arange(v.size), part), v.reshape(-1), 0).reshape(v.shape)
        moved = c.moves(k, only)
        kept = np.where(moved.kink, 0, w)
        gradients = c.pulled(kept)
        if not told(c, k, only, kept, gradients, moved):
            return 0.0
        moves, says = float((kept * np.where(moved.kink, 0, moved.value)).sum()), float((gradients[k] * only).sum())
        return abs(moves - says) if np.isfinite(moves - says) else np.inf

    while len(chosen) > 1:
        halves = np.array_split(chosen, 2)
        chosen = max(halves, key=lambda half: differs(half, w))
    outs = np.flatnonzero(w)
    while len(outs) > 1:
        halves = np.array_split(outs, 2)
        outs = max(halves, key=lambda half: differs(chosen, np.where(np.isin(np.arange(w.size), half), w, 0)))
    i, o = int(chosen[0]), int(outs[0])
    moved = c.moves(k, np.eye(1, v.size, i).reshape(v.shape))
    row = c.pulled(np.eye(1, w.size, o)[0])[k]
    return Mismatch(k, position(i, v.shape), *c.place(o), float(moved.value[o]), float(row.flat[i]))


def beside_kinks(c: Compared, ks: Sequence[int], rng: np.random.Generator, found: Agreement) -> Mismatch | None:
    """A gradient at a kink that lies outside of the slopes to both sides, if there is one.

    ks: the inputs that are moved, all at once.  Asked only of results that bend one way in every direction that is
    tried, as max, abs and relu do: there every gradient that makes sense lies between (Rockafellar, Convex Analysis,
    1970, §23).
    """
    shapes = [c.xs[k].shape for k in ks]
    directions = [[np.ones(shape) for shape in shapes]]
    directions += [[rng.uniform(0.5, 1.5, shape) * s for shape in shapes] for s in (1, -1)]
    directions += [[signs(rng, shape) for shape in shapes] for _ in range(6)]
    if len(ks) == 1:
        size = c.xs[ks[0]].size
        directions += [[np.eye(1, size, i).reshape(shapes[0])] for i in range(min(size, 8))]
    moved = [c.together(ks, vs) for vs in directions]
    kinks = np.any([m.kink & np.isfinite(m.left + m.right) for m in moved], axis=0)
    for o in np.flatnonzero(kinks)[:4]:
        bends = [float(m.right[o] - m.left[o]) for m in moved]
        noise = 1e-6 * max(abs(b) for b in bends)
        if not (min(bends) >= -noise or max(bends) <= noise):
            continue
        gradients = c.pulled(np.eye(1, c.flat.size, o)[0])
        for vs, m in zip(directions, moved):
            parts = [gradients[k] * v for k, v in zip(ks, vs)]
            says = float(np.sum([p.sum() for p in parts]))
            terms = float(np.sum([np.abs(p).sum() for p in parts]))
            low, high = sorted((float(m.left[o]), float(m.right[o])))
            found.checks += 1
            slack = 1e-9 + 1e-5 * (abs(low) + abs(high) + terms) + (0.0 if m.kink[o] else 10 * float(m.error[o]))
            if not low - slack <= says <= high + slack:
                n = int(np.argmax([np.abs(p).max(initial=0) for p in parts]))
                near = low if says < low else high
                place = position(int(np.argmax(np.abs(parts[n]))), shapes[n])
                return Mismatch(ks[n], place, *c.place(int(o)), near, says, kink=True)
    return None


def signs(rng: np.random.Generator, shape: tuple[int, ...]) -> ndarray:
    """Numbers of about 1, of either sign: no element is too small to be seen among the others."""
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


def joined(arrays: Sequence[ndarray]) -> ndarray:
    """All elements of all arrays, in one line."""
    if len(arrays) == 1:
        return arrays[0].reshape(-1)
    return np.concatenate([a.reshape(-1) for a in arrays]) if arrays else np.zeros(0)


def position(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of element number i."""
    return tuple(int(n) for n in np.unravel_index(i, shape)) if shape else ()
