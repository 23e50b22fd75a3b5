"""Memory: how well the input of k steps ago can still be read off a state, by a linear readout on held-out sequences.

What fades going forward: a gradient tells what learning could reach, a readout what the state still holds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, ShapeError
from ..graph import Node, enable_grad
from ..trace import Trace

__all__ = ["Memory", "memory"]

RIDGES = np.logspace(-10, 2, 25)  # beside a feature's variance, which is 1
NODES_AT_ONCE = 2**14  # steps × sequences that a model reads in one record


@dataclass(frozen=True)
class Memory:
    """How well the input of k steps ago can be read off, for every delay k; `np.asarray` gives the scores.

    delays: (K).  scores: (K), of held-out sequences: of tokens the accuracy, of numbers the squared correlation.
    chance: the score without memory: of tokens the share of the commonest one, of numbers 0.  tokens: which of both.
    """

    delays: np.ndarray
    scores: np.ndarray
    chance: float
    tokens: bool

    @property
    def accuracy(self) -> np.ndarray | None:
        """The share of tokens that are read off right, (K); None for numbers."""
        return self.scores if self.tokens else None

    @property
    def capacity(self) -> np.ndarray | None:
        """Jaeger's memory capacity MC_k, the squared correlation, (K); None for tokens."""
        return None if self.tokens else self.scores

    @property
    def total(self) -> float:
        """Of numbers Jaeger's Σ MC_k, over the delays asked for; of tokens likewise, with 0 for chance and 1 for all.

        Jaeger proves that no state of n numbers has more than n, for inputs that are independent of each other.
        """
        if self.chance >= 1:
            return 0.0
        return float(np.clip((self.scores - self.chance) / (1 - self.chance), 0, None).sum())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.scores, dtype)

    def __len__(self) -> int:
        return len(self.delays)

    def __repr__(self) -> str:
        shown = [f"{k}: {score:.2f}" for k, score in zip(self.delays, self.scores, strict=True)]
        if len(shown) > 12:
            shown[6:-6] = ["…"]
        kind = f"accuracy, chance {self.chance:.2f}" if self.tokens else "capacity"
        return f"Memory({kind}, total {self.total:.2f}, {', '.join(shown)})"


def memory(
    model: Any,
    inputs: Any,
    *,
    delays: Iterable[int] = range(21),
    name: str = "h",
    at: int | Iterable[int] | None = None,
    held_out: float = 0.5,
    ridge: float | None = None,
    seed: int = 0,
) -> Memory:
    """How well the input of k steps ago can still be read off h_t, for every delay k.

    model: anything that is called with the inputs and leaves a series of that name in its record (of several layers
    "l1/h"); or the states themselves, (T, N, …).  inputs: N sequences of T steps, tokens (T, N) or numbers (T, N) or
    (T, N, d).  at: the steps t at which the state is read, by default all; of them those count that have an input k
    steps ago, t > k.
    The readout is a ridge regression, of tokens on their one-hot vectors, of which the largest wins.  It is fitted on
    some sequences and scored on the others.  held_out: the share of these others, drawn with `seed`.  ridge: the
    penalty beside a feature's variance of 1; by default, for each delay, what generalised cross-validation chooses on
    the sequences that are fitted.
    Numbers are scored by the squared correlation, the mean over d (Jaeger 2001, "Short term memory in echo state
    networks"); n unrelated ones leave about 1/n, and one that is opposed has 0.  Where inputs are not independent of
    each other, what is read off may have been inferred from the others.
    A model is read as in use, without dropout, some sequences at a time; the record of these is let go.
    Raises DataError, ShapeError for inputs or states that do not fit, UnknownNameError for a name that is not there.

    >>> rng = np.random.default_rng(0)
    >>> tokens = rng.integers(0, 4, (30, 50))
    >>> before = np.concatenate([tokens[:1], tokens[:-1]])
    >>> states = np.concatenate([np.eye(4)[tokens], 0.1 * np.eye(4)[before]], axis=-1)      # now, and a step ago
    >>> memory(states, tokens, delays=range(4)).accuracy.round(1)
    array([1. , 1. , 0.2, 0.2])
    """
    x = np.asarray(inputs.data if isinstance(inputs, Node) else inputs)
    ks, share = _delays(delays), float(held_out)
    if x.dtype.kind not in "biuf" or x.ndim not in (2, 3) or (x.dtype.kind in "biu" and x.ndim != 2):
        raise ShapeError(
            "memory reads tokens of shape (T, N) or numbers of shape (T, N) or (T, N, d), for N sequences of T steps; "
            f"got {x.dtype} of shape {x.shape}"
        )
    T, N = x.shape[:2]
    if N < 2:
        raise DataError(f"memory fits its readout on some sequences and scores it on others, got {N}: give 2 or more")
    if not 0 < share < 1:
        raise DataError(f"memory: held_out is the share of the sequences to score on, between 0 and 1, got {held_out}")
    if ridge is not None and not 0 <= ridge < np.inf:
        raise DataError(f"memory: ridge is a penalty of 0 or more, got {ridge!r}")
    times = np.arange(1, T + 1) if at is None else np.unique(np.atleast_1d(np.asarray(at, int)))
    if not len(times) or times[0] < 1 or times[-1] > T:
        raise DataError(f"memory: at must be steps from 1 to {T}, got {at!r}")
    if ks[-1] >= times[-1]:
        raise DataError(f"memory: no step up to t={times[-1]} has an input {ks[-1]} steps ago: ask for shorter delays")
    states = _states(model, x, inputs, name)
    if not np.isfinite(states).all() or not np.isfinite(x).all():
        what = "inputs" if np.isfinite(states).all() else "states"
        raise DataError(f"memory: the {what} have NaN or infinite numbers: nothing can be fitted to them")
    order = np.random.default_rng(seed).permutation(N)
    count = min(max(1, round(N * share)), N - 1)
    scored, fitted = np.sort(order[:count]), np.sort(order[count:])
    tokens = x.dtype.kind != "f"
    score = _accuracy if tokens else _capacity
    scores = []
    for k in ks:
        late = times[times > k]
        h, target = states[late - 1], x[late - 1 - k]
        pairs = [(h[:, which].reshape(-1, h.shape[-1]), target[:, which]) for which in (fitted, scored)]
        scores.append(score(*pairs[0], *pairs[1], ridge))
    chance = float(np.unique(x[:, scored], return_counts=True)[1].max() / x[:, scored].size) if tokens else 0.0
    return Memory(np.array(ks), np.array(scores), chance, tokens)


def _delays(delays: Iterable[int]) -> list[int]:
    try:
        ks = sorted({operator.index(k) for k in delays})
    except TypeError:
        raise DataError(f"memory: delays must be whole numbers of steps, got {delays!r}") from None
    if not ks or ks[0] < 0:
        raise DataError(f"memory: delays must be 0 or more steps, at least one of them, got {ks}")
    return ks


# ---- the states ------------------------------------------------------------------------


def _states(model: Any, x: np.ndarray, inputs: Any, name: str) -> np.ndarray:
    """(T, N, H), given or from the records of a model."""
    T, N = x.shape[:2]
    if callable(model):
        size = max(1, NODES_AT_ONCE // T)
        given: Any = inputs if isinstance(inputs, Node) else x
        with _in_use(model), enable_grad():
            read = [_read(model, given[:, i : i + size], name) for i in range(0, N, size)]
        if any(part.ndim < 2 for part in read):
            raise ShapeError(f"memory: the series {name!r} has no axis of sequences, its values are numbers")
        states = np.concatenate(read, axis=1)
    else:
        states = np.asarray(model.data if isinstance(model, Node) else model)
        if states.dtype.kind not in "biuf":
            raise DataError(f"memory needs a model to call, or its states, (T, N, …); got {type(model).__name__}")
    if states.shape[:2] != (T, N):
        raise ShapeError(
            f"memory needs a state for each of the inputs' {T} steps × {N} sequences, (T, N, …), got {states.shape}"
        )
    return states.reshape(T, N, -1).astype(float)


def _read(model: Callable[[Any], Any], inputs: Any, name: str) -> np.ndarray:
    return Trace(*_nodes(model(inputs)))[name]


def _nodes(outputs: Any) -> Iterator[Node]:
    """All nodes of what a model gives, whatever they are packed in."""
    if isinstance(outputs, Node):
        yield outputs
    elif isinstance(outputs, Mapping):
        yield from _nodes(list(outputs.values()))
    elif isinstance(outputs, (list, tuple)):
        for each in outputs:
            yield from _nodes(each)


@contextmanager
def _in_use(model: Any) -> Iterator[None]:
    """Without dropout, in all modules of the model; then each as it was."""
    modules = list(model.modules()) if hasattr(model, "modules") else []
    before = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training


# ---- the readout -----------------------------------------------------------------------


def _accuracy(h: np.ndarray, target: np.ndarray, new: np.ndarray, true: np.ndarray, ridge: float | None) -> float:
    """The share of held-out tokens whose one-hot vector is the largest of what is read off."""
    kinds, which = np.unique(target, return_inverse=True)
    read = _regression(h, np.eye(len(kinds))[which.ravel()], new, ridge)
    return float(np.mean(kinds[read.argmax(axis=1)] == true.ravel()))


def _capacity(h: np.ndarray, target: np.ndarray, new: np.ndarray, true: np.ndarray, ridge: float | None) -> float:
    """The squared correlation of what is read off with the held-out numbers."""
    d = target.shape[2] if target.ndim > 2 else 1
    y, read = true.reshape(-1, d), _regression(h, target.reshape(-1, d).astype(float), new, ridge)
    y, read = y - y.mean(axis=0), read - read.mean(axis=0)
    lengths = np.linalg.norm(y, axis=0) * np.linalg.norm(read, axis=0)
    flat = lengths <= 1e-12 * (1 + np.abs(true).max(initial=0)) * len(y)
    correlation = np.divide((y * read).sum(axis=0), lengths, out=np.zeros(d), where=~flat)
    return float(np.mean(np.clip(correlation, 0, 1) ** 2))


def _regression(h: np.ndarray, y: np.ndarray, new: np.ndarray, ridge: float | None) -> np.ndarray:
    """What a ridge regression of y (n, d) on h (n, H) reads off `new`; the penalty by generalised cross-validation.

    Golub, Heath and Wahba 1979: the least  (‖y − ŷ‖² / n) / (1 − df / n)²,  df = 1 + Σ s / (s + λ).
    """
    n, mean, level = len(h), h.mean(axis=0), y.mean(axis=0)
    h, y = h - mean, y - level
    spread = h.std(axis=0)
    alive = spread > 1e-12 * (1 + np.abs(mean))
    if not alive.any():
        return np.broadcast_to(level, (len(new), len(level)))
    h = h[:, alive] / spread[alive]
    s, V = np.linalg.eigh(h.T @ h / n)  # (H), the features' variances along V
    s = np.clip(s, 0, None)
    B = V.T @ (h.T @ y / n)  # (H, d)
    if ridge is None:
        kept = s / (s + RIDGES[:, None])  # (penalties, H)
        explained = ((2 - kept) / (s + RIDGES[:, None])) @ (B**2).sum(axis=1)
        error = np.clip(np.mean(y**2, axis=0).sum() - explained, 1e-15 * np.mean(y**2), None)
        free = np.clip(1 - (1 + kept.sum(axis=1)) / n, 1e-9, None)
        ridge = float(RIDGES[np.argmin(error / free**2)])
    weights = V @ (B / np.where(s + ridge > 1e-14, s + ridge, np.inf)[:, None])
    return (new[:, alive] - mean[alive]) / spread[alive] @ weights + level
