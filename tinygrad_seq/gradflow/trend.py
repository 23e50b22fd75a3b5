"""The verdict on a series over time, in words and with its evidence: vanishing, exploding, steady, or what else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError, ShapeError

__all__ = ["Decay", "Verdict", "verdict"]

# A line that changes less than twofold over all of its steps is steady, and so is one that changes less than tenfold
# at less than a tenth a step. What is not, and follows its line (r² of a half at least), vanishes or explodes.
TWOFOLD, TENFOLD, TENTH = math.log10(2), 1.0, 0.1
FOLLOWS = 0.5
STANDS_OUT = 0.5  # decades off the line, threefold: the gradient that the head gives the last steps is no decay
UNDERFLOW = 1e-30  # zeros after a norm below this have run out of digits; after a larger one something cut them off
NAN = math.nan


@dataclass(frozen=True)
class Decay:
    """A line through the logarithm of the norms against the step: what one step backward multiplies them by.

    factor: norm_{t-1} / norm_t on the line.  low, high: its 95 % interval over runs (Student's t on the logarithms),
    NaN for one run.  r2: the share of the logarithm's variance that is on the line, the mean over runs.  first, last:
    the steps that were fitted.  ratio: the norm at the first step over that at the last, as measured.
    """

    factor: float
    low: float
    high: float
    r2: float
    first: int
    last: int
    ratio: float

    @property
    def half_life(self) -> float:
        """In how many steps back the norm halves; infinite where it does not fall."""
        return _steps(-math.log2(self.factor)) if 0 < self.factor < 1 else math.inf if self.factor else 0.0

    @property
    def doubling(self) -> float:
        """In how many steps back the norm doubles; infinite where it does not grow."""
        return _steps(math.log2(self.factor)) if self.factor > 1 else math.inf


@dataclass(frozen=True)
class Verdict:
    """What a series over time does, going back from its last step: `str` gives the sentence.

    kind: "vanishing", "exploding", "steady", "uneven" (no such line, or the runs disagree), "cut" (exactly 0 from a
    step on), "zero" (at every step), "not finite" or "too short".  decay: the fitted line; None where there is none.
    evidence: the numbers of the sentence, for sentences in other languages.
    """

    kind: str
    decay: Decay | None
    evidence: dict[str, float] = field(compare=False)
    sentence: str = field(compare=False)

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"Verdict({self.sentence})"


class _Line(NamedTuple):
    """One run: its kind, the line that was fitted (log10 of a step back, r², first and last step, log10 ratio)."""

    kind: str
    evidence: dict[str, float]
    slope: float = NAN
    r2: float = NAN
    first: int = 0
    last: int = 0
    ratio: float = NAN


def verdict(series: Any, *, what: str = "the gradient") -> Verdict:
    """Whether a series vanishes, explodes or stays, going back in time, with the fitted decay and its evidence.

    series: a Series such as `per_step` gives, or the norms (T) of steps 1 … T; for several runs a list of these, or
    (runs, T).  what: to call it by.
    The decay is a least-squares line through log10 of the norms.  Out of it stay norms of 0, those too small for all
    their digits, and up to a tenth of the steps at the end where they stand out from the line of the rest: there the
    head's own gradient shows.  It is steady where the line changes less than twofold over all its steps, or less than
    tenfold at less than 10 % a step; else it vanishes or explodes if the line explains half of the variance of the
    logarithm, or is uneven.  Of several runs, more than half must agree, and the factor is the mean of the logarithms.
    Any numbers have a verdict, also zeros, NaN and infinities.  Raises ShapeError and DataError for what is no series.

    >>> from tinygrad_seq.gradflow import verdict
    >>> norms = 0.63 ** np.arange(49, -1, -1)
    >>> print(verdict(norms))
    vanishing: the gradient falls 0.63× a step from t=50 to t=1 (half-life 1.5 steps)
    >>> print(verdict([norms, norms[::-1], 0 * norms]))
    uneven: of 3 runs, 1 is vanishing, 1 is exploding, 1 is zero
    """
    runs = [_line(*run) for run in _runs(series)]
    kinds = Counter(run.kind for run in runs)
    kind, agreeing = kinds.most_common(1)[0] if runs else ("too short", 0)
    disagree = bool(runs) and 2 * agreeing <= len(runs)
    if disagree:
        kind = "uneven"
    fitted = disagree or any(run.last for run in runs if run.kind == kind)
    decay = _decay([run for run in runs if run.last]) if fitted else None
    evidence: dict[str, float] = {"runs": len(runs), "agreeing": kinds[kind]}
    for run in runs:
        if run.kind == kind:
            evidence |= run.evidence
            break
    if decay:
        names = ("factor", "half_life", "doubling", "low", "high", "r2", "first", "last", "ratio")
        evidence |= {name: getattr(decay, name) for name in names}
    if disagree:
        counted = [f"{n} {'is' if n == 1 else 'are'} {k}" for k, n in kinds.most_common()]
        return Verdict(kind, decay, evidence, f"uneven: of {len(runs)} runs, {', '.join(counted)}")
    return Verdict(kind, decay, evidence, _sentence(kind, decay, evidence, what))


def _runs(series: Any) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Steps, norms and the least norm that has all its digits, of each run."""
    if hasattr(series, "norms") and hasattr(series, "t"):
        norms = np.asarray(series.norms)
        of = [np.asarray(g).dtype for g in getattr(series, "gradients", ())[:1]]
        return [(np.asarray(series.t), *_norms(norms, of[0] if of else norms.dtype))]
    if isinstance(series, Iterable) and not isinstance(series, (str, bytes, np.ndarray)):
        series = list(series)
        if any(hasattr(run, "norms") or isinstance(run, (list, tuple)) or getattr(run, "shape", ()) for run in series):
            return [run for each in series for run in _runs(each)]
    try:
        array = np.asarray(series)
        values, tiny = _norms(array, array.dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"a verdict needs numbers, one for each step: {error}") from None
    if array.ndim not in (1, 2):
        raise ShapeError(f"a verdict needs a Series, norms of shape (T,), or (runs, T); got shape {array.shape}")
    t = np.arange(1, array.shape[-1] + 1)
    return [(t, run, tiny) for run in np.atleast_2d(values)]


def _norms(values: np.ndarray, dtype: np.dtype[Any]) -> tuple[np.ndarray, float]:
    if values.dtype.kind not in "biufc":
        raise DataError(f"a verdict needs numbers, one for each step, got {values.dtype}")
    with np.errstate(over="ignore"):
        size = np.abs(values if values.dtype.kind == "c" else values.astype(float)).astype(float)
    return size, float(np.finfo(dtype if dtype.kind in "fc" else float).tiny)


def _line(t: np.ndarray, norms: np.ndarray, tiny: float) -> _Line:
    """The verdict on one run."""
    finite = np.isfinite(norms)
    if not finite.all():
        return _Line("not finite", {"born": int(t[~finite].max()), "steps": len(t), "wrong": int((~finite).sum())})
    if len(t) < 3:
        return _Line("too short", {"steps": len(t)})
    if not norms.any():
        return _Line("zero", {"steps": len(t)})
    order = np.argsort(t, kind="stable")
    t, norms = t[order], norms[order]
    good = norms >= tiny
    usable, log = t[good].astype(float), np.log10(norms[good])
    reached = t[np.nonzero(norms)[0]]
    evidence: dict[str, float] = {"reaches": int(reached[0])}
    lost = t[0] < reached[0]
    cut = lost and norms[norms > 0][0] > UNDERFLOW
    if cut:
        evidence["cut"] = int(reached[0])
    elif lost:
        evidence["underflow"] = int(reached[0])
    if len(log) < 3:
        return _Line("cut" if cut else "vanishing" if lost else "too short", evidence | {"steps": len(log)})
    out = _standing_out(usable, log)
    if out:
        evidence["left_out"] = out
        usable, log = usable[:-out], log[:-out]
    rise, level = _least_squares(usable, log)
    spread = float(np.ptp(log))
    varies = float(np.sum((log - log.mean()) ** 2))
    r2 = 1 - float(np.sum((log - level - rise * usable) ** 2)) / varies if varies > 1e-18 else 1.0
    change = abs(rise) * float(usable[-1] - usable[0])
    peak = int(np.argmax(log))
    evidence |= {"at": int(usable[peak]), "peak": _power(float(log[peak] - np.median(log))), "spread": _power(spread)}
    steady = change < TWOFOLD or (change < TENFOLD and 1 - TENTH < _power(-rise) < 1 + TENTH)
    if steady:
        kind = "steady" if spread < max(TENFOLD, 2 * change) else "uneven"
    else:
        kind = "uneven" if r2 < FOLLOWS else "vanishing" if rise > 0 else "exploding"
    if cut:
        kind = "cut"
    ratio = float(log[0] - log[-1])
    return _Line(kind, evidence, -rise, max(0.0, r2), int(usable[0]), int(usable[-1]), ratio)


def _standing_out(t: np.ndarray, log: np.ndarray) -> int:
    """How many steps at the end stand out from the line through the rest: at most a tenth, of five or more."""
    most = max(1, len(t) // 10)
    if len(t) < 5:
        return 0
    rise, level = _least_squares(t[:-most], log[:-most])
    off = np.abs(log - level - rise * t)
    usual = 4 * float(np.median(off[:-most]))
    for out in range(most, 0, -1):
        if (off[-out:] > max(STANDS_OUT, usual)).all():
            return out
    return 0


def _least_squares(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the line through y."""
    from_mean = t - t.mean()
    square = float(from_mean @ from_mean)
    slope = float(from_mean @ (y - y.mean())) / square if square else 0.0
    return slope, float(y.mean() - slope * t.mean())


def _decay(lines: list[_Line]) -> Decay | None:
    if not lines:
        return None
    slopes = np.array([line.slope for line in lines])
    mean, low, high = float(slopes.mean()), NAN, NAN
    if len(lines) > 1:
        width = student(len(lines) - 1) * float(slopes.std(ddof=1)) / math.sqrt(len(lines))
        low, high = _power(mean - width), _power(mean + width)
    r2 = float(np.mean([line.r2 for line in lines]))
    ratio = _power(float(np.mean([line.ratio for line in lines])))
    first, last = min(line.first for line in lines), max(line.last for line in lines)
    return Decay(_power(mean), low, high, r2, first, last, ratio)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: tabled, and from 5 degrees of freedom on Fisher's expansion, to 0.1 %."""
    if freedom < 5:
        return (12.7062, 4.3027, 3.1824, 2.7764)[freedom - 1]
    z, n = 1.959964, freedom
    of_n = (z**3 + z) / (4 * n) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
    return z + of_n + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)


def _power(exponent: float) -> float:
    """10 to a power, infinite where it is too large."""
    return 10.0**exponent if exponent < 308 else math.inf


def _steps(rate: float) -> float:
    return 1 / rate if rate else math.inf


def _sentence(kind: str, decay: Decay | None, evidence: dict[str, float], what: str) -> str:
    e = evidence
    if kind == "not finite":
        back = f"going back it is first infinite or NaN at t={e['born']}"
        text = f"{back}, and at {e['wrong']} of {e['steps']} steps in all"
    elif kind == "zero":
        text = f"{what} is exactly 0 at every step: no path that is not cut, and no weight that is not 0, leads there"
    elif kind == "too short":
        text = f"a trend takes 3 steps whose norm is not 0 and has all its digits, got {e.get('steps', 0)}"
    elif decay is None or kind == "cut":
        after = "too small for floating point" if "underflow" in e else "exactly 0"
        text = f"{what} reaches back to t={e['reaches']}, and is {after} before it"
        if decay:
            text += f"; from t={decay.last} to t={decay.first} it changes {_short(decay.factor)}× a step"
    elif kind == "uneven":
        text = (
            f"{what} follows no exponential from t={decay.last} to t={decay.first}: it is largest at t={e['at']}, "
            f"{_short(e['peak'])} times the median, and varies {_short(e['spread'])}-fold"
        )
    else:
        if kind == "steady":
            text = f"{what} at t={decay.first} is {_short(decay.ratio)} of that at t={decay.last}"
            details = [f"{_short(decay.factor)}× a step"]
        else:
            falls = kind == "vanishing"
            verb = "falls" if falls else "grows"
            text = f"{what} {verb} {_short(decay.factor)}× a step from t={decay.last} to t={decay.first}"
            every = decay.half_life if falls else decay.doubling
            details = [f"half-life {every:.2g} steps" if falls else f"it doubles every {every:.2g} steps"]
        if decay.low == decay.low:
            details.append(f"95 % interval {decay.low:.3g} to {decay.high:.3g}")
        text += f" ({'; '.join(details)})"
    if kind in ("vanishing", "exploding", "steady", "uneven"):
        if decay and "underflow" in e:
            text += f", and is too small for floating point before t={e['reaches']}"
        if e.get("left_out"):
            last = "step, which stands" if e["left_out"] == 1 else f"{e['left_out']} steps, which stand"
            text += f"; without the last {last} out"
    if e["runs"] > 1:
        text += f", in {'all ' if e['agreeing'] == e['runs'] else str(e['agreeing']) + ' of '}{e['runs']} runs"
    return f"{kind}: {text}"


def _short(x: float) -> str:
    """Two digits, and more where they tell it from 1."""
    return f"{x:.3f}".rstrip("0").rstrip(".") if 0.9 < x < 1.1 else f"{x:.2g}"
