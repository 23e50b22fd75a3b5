"""Search: which sequence does a model that gives a probability to each next token find best?

`greedy` always takes the most likely token; `beam` keeps the best few beginnings.  Both ask a model for three methods,
those of `SequenceModel`, and record nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from tinygrad_seq import no_grad
from tinygrad_seq.data import plain
from tinygrad_seq.errors import DataError, DtypeError, NonFiniteError, SequenceError, ShapeError
from tinygrad_seq.graph import here

__all__ = ["Hypothesis", "SequenceModel", "beam", "greedy"]

ROUNDING = 1e-4  # by which float32 may put a log-probability above 0


class SequenceModel(Protocol):
    """What a model must be able to do to be searched.  Its state is its own affair; it has a row for each beginning."""

    def start(self, source: Any, lengths: Any) -> Any:
        """The state before the first token: a row for each source of source (S, batch, …), lengths (batch) or None."""

    def step(self, tokens: np.ndarray, state: Any) -> tuple[Any, Any]:
        """Read a token for each row: the log-probabilities of the next, (rows, classes) in nats, and the new state."""

    def select(self, state: Any, index: np.ndarray) -> Any:
        """The state whose rows are those at the index: some left out, some several times, in another order."""


class Hypothesis(NamedTuple):
    """A sequence that search has found."""

    tokens: np.ndarray  # (n), without the tokens that begin and end it
    log_probability: float  # of the tokens and of the end after them, in nats
    score: float  # by which hypotheses are ordered: the log-probability over the length penalty
    ended: bool  # whether the model ended it; else it was cut off


def greedy(
    model: SequenceModel,
    source: Any,
    lengths: Any = None,
    *,
    begin: Any,
    end: int | None,
    max_length: int,
    length_penalty: float = 0.0,
) -> list[Hypothesis]:
    """The sequence of tokens that are each the most likely after those before (the first of equals): one a source.

    All arguments are as in `beam`, of which this is the quick case of width 1.
    """
    n_sources = check_search("greedy", source, end, max_length, length_penalty)
    stop = -1 if end is None else end
    found = np.zeros((n_sources, max_length), int)
    count, total, ended = np.zeros(n_sources, int), np.zeros(n_sources), np.zeros(n_sources, bool)
    with no_grad():
        rows, tokens = np.arange(n_sources), first_tokens("greedy", begin, n_sources)
        state = model.start(source, lengths)
        for i in range(max_length):
            log_p, state = next_log_probabilities("greedy", model, tokens, state, end)
            tokens = log_p.argmax(axis=1)
            best = log_p[np.arange(len(rows)), tokens]
            possible = best > -np.inf
            found[rows, i] = tokens
            count[rows] += possible
            total[rows] += np.where(possible, best, 0)
            ended[rows] = possible & (tokens == stop)
            going_on = np.flatnonzero(possible & (tokens != stop))
            if not len(going_on):
                break
            if len(going_on) < len(rows):
                rows, tokens, state = rows[going_on], tokens[going_on], model.select(state, going_on)
    return [
        hypothesis(found[b, : count[b] - ended[b]], total[b], bool(ended[b]), count[b], length_penalty)
        for b in range(n_sources)
    ]


def beam(
    model: SequenceModel,
    source: Any,
    lengths: Any = None,
    *,
    width: int,
    begin: Any,
    end: int | None,
    max_length: int,
    length_penalty: float = 0.0,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The best sequences that beam search finds, for each source the `n_best`, best first.

    At each step every beginning goes on with every token, and the `width` most likely stay.  Those that end with the
    `end` token are kept aside, and as many others take their places.  The search is over when `width` have ended, when
    no beginning can become better than the `n_best` kept, or after `max_length` tokens, the end counted: what goes on
    then is cut off there, and so is what no token can follow.  Ties go to the first.

    source, lengths: for the model's `start`, all sources at once; the second axis of the source is the batch.
    begin: the token that stands before the first, one for all or (batch).  end: None for a model that never ends.
    length_penalty: α of ((5 + n) / 6)^α, by which the log-probability of n tokens, the end counted, is divided to give
    the score (Wu et al. 2016, equation 14): 0 for none; the more, the longer the sequences.
    A width of 1 is greedy search; one as large as there are sequences finds the best of all.
    Raises DataError for numbers out of range, ShapeError and NonFiniteError for what are no log-probabilities.

    >>> import numpy as np
    >>> from tinygrad_seq.models import beam, greedy
    >>> class Pairs:                                             # each token depends on the one before it
    ...     log_p = np.log([[0.4, 0.6, 1e-9], [0.5, 0.1, 0.4], [0.1, 0.0001, 0.9]])
    ...     def start(self, source, lengths): return None
    ...     def step(self, tokens, state): return self.log_p[tokens], None
    ...     def select(self, state, index): return None
    >>> best, = greedy(Pairs(), np.zeros((1, 1)), begin=0, end=2, max_length=3)
    >>> best.tokens, round(best.log_probability, 2), best.ended
    (array([1, 0, 1]), -1.71, False)
    >>> (best, second), = beam(Pairs(), np.zeros((1, 1)), width=4, n_best=2, begin=0, end=2, max_length=3)
    >>> best.tokens, round(best.log_probability, 2), best.ended
    (array([1]), -1.43, True)
    """
    n_sources = check_search("beam", source, end, max_length, length_penalty)
    check_count("beam", width=width, n_best=n_best)
    if n_best > width:
        raise DataError(f"beam: width {width} does not hold the {n_best} best: n_best must be at most the width")
    stop = -1 if end is None else end
    kept: list[list[Hypothesis]] = [[] for _ in range(n_sources)]

    def settled(found: list[Hypothesis], best: float) -> bool:
        """Whether no beginning of a source, the best of log-probability `best`, changes what will be given out."""
        if sum(one.ended for one in found) >= width:
            return True
        within_reach = penalised(best, max_length, length_penalty)
        return sum(one.score >= within_reach for one in found) >= n_best

    with no_grad():
        tokens = first_tokens("beam", begin, n_sources)
        state = model.start(source, lengths)
        sources, total, paths = np.arange(n_sources), np.zeros(n_sources), np.zeros((n_sources, 0), int)
        for n in range(1, max_length + 1):  # n tokens will have been chosen after this step
            log_p, state = next_log_probabilities("beam", model, tokens, state, end)
            sums, parts = total[:, None] + log_p, []
            for dead in np.flatnonzero((log_p == -np.inf).all(axis=1)):
                kept[sources[dead]].append(hypothesis(paths[dead], total[dead], False, n - 1, length_penalty))
            for b in np.unique(sources):
                first, last = np.searchsorted(sources, [b, b + 1])  # the rows of a source stand together
                row, token = best_first(sums[first:last], log_p[first:last], 2 * width)  # at most `width` of them end
                row = row + first
                for i in np.flatnonzero(token[:width] == stop):
                    kept[b].append(hypothesis(paths[row[i]], sums[row[i], stop], True, n, length_penalty))
                on = np.flatnonzero(token != stop)[:width]
                if len(on) and not settled(kept[b], sums[row[on[0]], token[on[0]]]):
                    parts.append((row[on], token[on]))
            if not parts:
                return [best_of(found, n_best) for found in kept]
            parent, tokens = (np.concatenate(part) for part in zip(*parts))
            sources, total = sources[parent], sums[parent, tokens]
            paths = np.concatenate([paths[parent], tokens[:, None]], axis=1)
            if n < max_length and not np.array_equal(parent, np.arange(len(log_p))):
                state = model.select(state, parent)
    for b, path, log_probability in zip(sources, paths, total):
        kept[b].append(hypothesis(path, log_probability, False, max_length, length_penalty))
    return [best_of(found, n_best) for found in kept]


# ---- what the two share --------------------------------------------------------------


def penalised(log_probability: float, n: int, length_penalty: float) -> float:
    """The score of n tokens, the end counted."""
    with np.errstate(over="ignore"):
        return float(log_probability / np.power((5 + max(n, 1)) / 6, length_penalty))


def hypothesis(tokens: np.ndarray, log_probability: float, ended: bool, n: int, length_penalty: float) -> Hypothesis:
    """A sequence of n tokens, of which the end is not among those given out, with its score."""
    return Hypothesis(tokens, float(log_probability), penalised(log_probability, n, length_penalty), ended)


def best_of(found: list[Hypothesis], n_best: int) -> list[Hypothesis]:
    """The best few, best first, of equals the one found first."""
    return sorted(found, key=lambda one: -one.score)[:n_best]


def best_first(sums: np.ndarray, log_p: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, tokens) of the largest sums, (rows, classes), best first; what is impossible is left out.

    Of equal sums the larger last step comes first, which rounding may have hidden, then the first row and token.
    """
    flat = sums.ravel()
    least = np.partition(flat, -most)[-most] if most < flat.size else -np.inf
    candidates = np.flatnonzero((flat >= least) & (flat > -np.inf))
    order = np.lexsort((-log_p.ravel()[candidates], -flat[candidates]))[:most]
    row, token = np.divmod(candidates[order], sums.shape[1])
    return row, token


def next_log_probabilities(
    search: str, model: SequenceModel, tokens: np.ndarray, state: Any, end: int | None
) -> tuple[np.ndarray, Any]:
    """What the model's step gives, checked: (rows, classes) numbers of at most 0, as float64."""
    given, state = model.step(tokens, state)
    log_p = np.asarray(plain(given), float)
    if log_p.ndim != 2 or len(log_p) != len(tokens) or not log_p.shape[1]:
        raise ShapeError(
            f"{search}: the model's step must give log-probabilities of shape ({len(tokens)}, classes) for "
            f"{len(tokens)} tokens, got {log_p.shape}"
        )
    if not (log_p <= ROUNDING).all():
        raise NonFiniteError(
            f"{search}: the model's step must give log-probabilities, which are at most 0, got {log_p.max()}: if these "
            "are logits, take their log_softmax; NaN comes from a model that has diverged"
        )
    if end is not None and end >= log_p.shape[1]:
        raise DataError(f"{search}: end must be one of the {log_p.shape[1]} tokens that the model knows, got {end}")
    return np.minimum(log_p, 0), state


def first_tokens(search: str, begin: Any, n_sources: int) -> np.ndarray:
    """The token that stands before the first, for each source."""
    tokens = np.asarray(begin)
    if tokens.dtype.kind not in "iu":
        raise DtypeError(f"{search}: begin must be an integer, or one for each source, got {begin!r}")
    if tokens.shape not in ((), (n_sources,)):
        raise ShapeError(f"{search}: begin must be one token, or one for each of {n_sources}, got shape {tokens.shape}")
    return np.broadcast_to(tokens, n_sources).copy()


def check_search(search: str, source: Any, end: int | None, max_length: int, length_penalty: float) -> int:
    """How many sources there are; errors for arguments that mean nothing."""
    check_count(search, max_length=max_length)
    if end is not None and (not is_integer(end) or end < 0):
        raise DataError(f"{search}: end must be a token, an integer of at least 0, or None, got {end!r}")
    if not isinstance(length_penalty, int | float | np.number) or not 0 <= length_penalty < np.inf:
        raise DataError(f"{search}: length_penalty must be a number of at least 0, got {length_penalty!r}")
    shape = np.shape(source)
    if len(shape) < 2:
        raise ShapeError(
            f"{search} needs sources of shape (S, batch), got {shape} ({here()}): source[:, None] is a batch of one"
        )
    if not shape[1]:
        raise SequenceError(f"{search} needs at least one source, got an empty batch of shape {shape} ({here()})")
    return shape[1]


def check_count(search: str, **given: Any) -> None:
    """Raise DataError for what is no positive integer."""
    for name, n in given.items():
        if not is_integer(n) or n < 1:
            raise DataError(f"{search}: {name} must be an integer of at least 1, got {n!r}")


def is_integer(n: Any) -> bool:
    """Whether it is a whole number, and not True or False."""
    return isinstance(n, int | np.integer) and not isinstance(n, bool)
