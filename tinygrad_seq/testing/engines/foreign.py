"""Functions that the engine did not record: how they are seen, and which part of one is wrong."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from sys import _getframe
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

from ..faults import Fault
from ..numeric.slopes import Slope, slope

__all__ = ["Function", "Part", "blamed", "caller", "labelled", "rule_line"]

SMALL = 64  # inputs with no more elements than this are gone through one by one, to name the worst

Arrays = Sequence[ndarray]


class Function(Protocol):
    """A function of arrays whose gradient something else computes: what a check needs of it.

    name: of the function.  inputs: where to differentiate.  labels: what to call each of them.  complex_ok: `values`
    may be tried with complex numbers.  A method `blame(arrays, rng)`, where there is one, says which part is wrong; a
    method `second()` gives the gradient along a random direction as a Function, to be differentiated again.
    """

    name: str
    inputs: list[ndarray]
    labels: list[str]
    complex_ok: bool

    def values(self, arrays: Arrays) -> list[ndarray]:
        """Run the function anew; one array for each output."""
        ...

    def gradients(self, arrays: Arrays, weights: Arrays) -> list[ndarray | None]:
        """d Σ⟨weight, output⟩ / d(input) for each input; None where the function says that there is none."""
        ...


@dataclass(frozen=True)
class Part:
    """One call inside a function, which can be run alone: at the recorded inputs or at others.

    where: the source line of the call.  rule: the source line of its gradient.  out: what it gave before, one array
    for each output.  numbers: which arguments of the call the inputs are.  analytic: it takes
    complex numbers.  again: makes its gradient along a random direction, as a function; None where that cannot be.
    """

    name: str
    where: str
    rule: str
    inputs: list[ndarray]
    numbers: list[int]
    out: list[ndarray]
    values: Callable[[Arrays], list[ndarray]]
    gradients: Callable[[Arrays, Arrays], Sequence[Any]]
    analytic: bool = False
    again: Callable[[], Function | None] = lambda: None
    order: int = 1

    def twofold(self) -> Part | None:
        """Its gradient as a part: what is wrong with this one is wrong with the second derivative."""
        try:
            function = self.again()
            out = [] if function is None else function.values(self.inputs)
        except Exception:  # the gradient itself fails: that is said of the part
            return None
        if function is None:
            return None
        name = f"the gradient of {self.name}"
        return replace(self, name=name, out=out, values=function.values, gradients=function.gradients,
                       analytic=False, order=2)  # fmt: skip

    @property
    def place(self) -> str:
        """The source line of the call, for messages."""
        return f" ({self.where})" if self.where else ""


def blamed(parts: Iterable[Part], rng: np.random.Generator) -> list[Fault]:
    """The parts whose gradient is not that of their values, in the order given; the same fault of one line once."""
    faults: list[Fault] = []
    seen = set()
    for part in parts:
        for fault in wrong(part, rng):
            key = fault.kind, part.name, part.where, fault.input
            if key not in seen:
                seen.add(key)
                faults.append(fault)
    return faults


def wrong(part: Part, rng: np.random.Generator) -> list[Fault]:
    """What is wrong with one part: first what makes a comparison impossible, then each input."""
    with np.errstate(all="ignore"):
        again = part.values(copies(part.inputs))
    if any(not same(a, b) for a, b in zip(again, part.out, strict=True)):
        message = f"{part.name} is not deterministic{part.place}"
        return [Fault("non-deterministic", message, ("called again with the same inputs it gives other numbers",))]
    try:
        found = gradients_of(part, [np.ones_like(y) for y in part.out])
    except Exception as error:
        message = f"the gradient of {part.name} fails{part.place}: {type(error).__name__}: {error}"
        return [Fault("raises", message, part_details(part))]
    faults = []
    for i, (x, g) in enumerate(zip(part.inputs, found)):
        fault = mis_shaped(part, i, x, g) or mistaken(part, i, rng)
        faults += [fault] if fault else []
    return faults


def mis_shaped(part: Part, i: int, x: ndarray, g: ndarray | None) -> Fault | None:
    """A gradient that has not the shape of its input."""
    if g is None or g.shape == x.shape:
        return None
    message = f"gradient of {part.name} for input {part.numbers[i]} has a wrong shape{part.place}"
    details = (f"it must have the shape of the input, {x.shape}; got {g.shape}", *part_details(part))
    return Fault("shape", message, details, input=part.numbers[i])


def mistaken(part: Part, i: int, rng: np.random.Generator) -> Fault | None:
    """The fault of input number i, if the function moves otherwise than its gradient says."""
    x = part.inputs[i]
    if not x.size:
        return None
    moved, said, weights = along(part, i, rng.normal(size=x.shape), rng)
    if agree(moved, said):
        return None
    says = "there is no gradient (None)" if gradients_of(part, weights)[i] is None else f"the gradient says {said:.6g}"
    numbers = f"along v the function moves {moved[0]:.6g}, {says}"
    worst = worst_element(part, i, weights) if 1 < x.size <= SMALL else ""
    message = f"derivative of {part.name} is wrong for input {part.numbers[i]}{part.place}"
    kind = "value" if part.order == 1 else "second order"
    return Fault(kind, message, (numbers + worst, *part_details(part)), input=part.numbers[i])


def along(
    part: Part, i: int, v: ndarray, rng: np.random.Generator | None = None, weights: Arrays | None = None
) -> tuple[tuple[float, float], float, list[ndarray]]:
    """How Σ⟨weight, output⟩ moves when input i does along v, how sure that is, what the gradient says, the weights."""
    vs = [np.zeros(x.shape) for x in part.inputs]
    vs[i] = v
    sizes = [y.size for y in part.out]

    def together(xs: Arrays) -> ndarray:
        return np.concatenate([np.ravel(y) for y in part.values(copies(xs))])

    true: Slope = slope(together, part.inputs, vs, analytic=part.analytic)
    flat = rng.normal(size=sum(sizes)) if rng else np.concatenate([np.ravel(w) for w in weights or []])
    flat = np.where(true.kink | ~np.isfinite(true.value), 0.0, flat)
    pieces = np.split(flat, np.cumsum(sizes)[:-1])
    chosen = [piece.reshape(y.shape).astype(y.dtype) for piece, y in zip(pieces, part.out)]
    used = flat != 0
    moved = float(flat[used] @ true.value[used])
    unsure = float(np.abs(flat[used]) @ true.error[used])
    g = gradients_of(part, chosen)[i]
    if g is not None and chosen and not np.isfinite(g).all():
        return (moved, unsure), float("nan") if used.any() else moved, chosen
    return (moved, unsure), 0.0 if g is None else float(np.sum(g * v)), chosen


def agree(moved: tuple[float, float], said: float) -> bool:
    """Whether two numbers are the same, as far as the differences can tell."""
    return bool(abs(moved[0] - said) <= 10 * moved[1] + 1e-6 * (abs(moved[0]) + abs(said)) + 1e-9)


def worst_element(part: Part, i: int, weights: Arrays) -> str:
    """Which element of the input has the gradient that is furthest off, in words."""
    furthest, text = 0.0, ""
    for place in np.ndindex(part.inputs[i].shape):
        v = np.zeros(part.inputs[i].shape)
        v[place] = 1
        moved, said, _ = along(part, i, v, weights=weights)
        off = np.inf if np.isnan(said) else abs(said - moved[0])
        if off > furthest and not agree(moved, said):
            where = place if len(place) > 1 else place[0]
            furthest, text = off, f"; most at element {where}: {said:.6g} instead of {moved[0]:.6g}"
    return text


def gradients_of(part: Part, weights: Arrays) -> list[ndarray | None]:
    """The gradients of a part as arrays, without the warnings of NumPy."""
    with np.errstate(all="ignore"):
        found = part.gradients(copies(part.inputs), weights)
    return [None if g is None else np.asarray(g) for g in found]


def part_details(part: Part) -> tuple[str, ...]:
    """The line of the rule, where it is known."""
    return (f"rule: {part.rule}",) if part.rule else ()


def same(x: Any, y: Any) -> bool:
    """Whether two results are equal to rounding; NaN equals NaN."""
    return np.shape(x) == np.shape(y) and np.allclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=True)


def copies(xs: Arrays) -> list[ndarray]:
    """The arrays again: what runs next may write into them."""
    return [np.array(x) for x in xs]


# ---- names and lines -----------------------------------------------------------------


def labelled(fn: Callable[..., Any], numbers: Sequence[int]) -> list[str]:
    """What to call the arguments of these numbers: "input 0, x", if the function has names for them.

    >>> labelled(lambda x, w: x @ w, [0, 1])
    ['input 0, x', 'input 1, w']
    """
    try:
        found = [p.name for p in inspect.signature(fn).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        found = []
    return [f"input {n}, {found[n]}" if n < len(found) else f"input {n}" for n in numbers]


def caller(*packages: str) -> str:
    """The line that is run outside of these packages and of this one, as "model.py:42"."""
    frame = _getframe(1)
    apart = {"tinygrad_seq", *packages}
    while str(frame.f_globals.get("__name__", "")).split(".")[0] in apart and frame.f_back:
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def rule_line(rule: Any) -> str:
    """Where a function returns its result, and the text of that line: "ops.py:21  return g * y"; "" where unknown."""
    try:
        rule = inspect.unwrap(rule)
        lines, first = inspect.getsourcelines(rule)
        file = os.path.basename(inspect.getsourcefile(rule) or "")
    except (OSError, TypeError, ValueError):
        return ""
    numbered = list(enumerate(lines, max(first, 1)))
    number, text = next((line for line in reversed(numbered) if line[1].strip().startswith("return ")), numbered[0])
    return f"{file}:{number}  {text.strip()}"
