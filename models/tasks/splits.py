"""Where batches come from: examples made anew, a list of them, or windows of a long sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from tinygrad_seq.errors import DataError, SequenceError

__all__ = ["Batch", "Examples", "Generated", "Split", "Windows"]

Batch = tuple[Any, ...]  # the arguments of `model.loss`, in their order


class Split(Protocol):
    """One part of a task's data: to train on, to choose by (valid), or for the number at the end (test)."""

    def draw(self, rng: np.random.Generator, batch: int) -> Batch:
        """A batch for training: a pure function of the generator."""

    def batches(self, batch: int) -> Iterator[Batch]:
        """All of it, or a fixed sample of it, the same each time, for measuring."""


class Generated:
    """Examples made anew, as many as one likes.

    make: a generator and a number of examples → a batch.  size, seed: how many to measure on, and from which seed.
    """

    def __init__(
        self, make: Callable[[np.random.Generator, int], Batch], *, size: int = 1000, seed: Sequence[int] = (0,)
    ) -> None:
        self.make, self.size, self.seed = make, size, list(seed)

    def draw(self, rng: np.random.Generator, batch: int) -> Batch:
        """So many new examples."""
        return self.make(rng, batch)

    def batches(self, batch: int) -> Iterator[Batch]:
        """`size` examples, the same each time."""
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.size, batch):
            yield self.make(rng, min(batch, self.size - start))


class Examples:
    """A list of examples, and how some of them become a batch.

    collate: a list of examples → a batch, the arguments of `model.loss`.

    >>> import numpy as np
    >>> from tinygrad_seq.models.tasks import Examples
    >>> squares = Examples([(x, x * x) for x in range(10)], lambda some: tuple(np.array(some).T))
    >>> len(squares), squares.batch([2, 3])
    (10, (array([2, 3]), array([4, 9])))
    """

    def __init__(self, examples: Sequence[Any], collate: Callable[[list[Any]], Batch]) -> None:
        if not len(examples):
            raise SequenceError("a task needs at least one example in each of its parts, got none")
        self.examples, self.collate = examples, collate

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Any:
        return self.examples[index]

    def batch(self, indices: Any) -> Batch:
        """The batch of the examples of those numbers.  Raises SequenceError for none, IndexError for one too large."""
        indices = np.asarray(indices)
        if not indices.size:
            raise SequenceError("a batch needs at least one example, got no index")
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise DataError(f"a batch is made from a list of integers, got {indices.dtype} of shape {indices.shape}")
        wrong = (indices < 0) | (indices >= len(self))
        if wrong.any():
            raise IndexError(f"example {indices[wrong][0]} is not one of the {len(self)}, 0 to {len(self) - 1}")
        return self.collate([self.examples[i] for i in indices.tolist()])

    def draw(self, rng: np.random.Generator, batch: int) -> Batch:
        """So many examples, drawn one by one: the same may come twice."""
        return self.batch(rng.integers(0, len(self), batch))

    def batches(self, batch: int) -> Iterator[Batch]:
        """All examples in their order; the last batch may be smaller."""
        for start in range(0, len(self), batch):
            yield self.batch(np.arange(start, min(start + batch, len(self))))


class Windows:
    """Windows of a long sequence: drawn at random places to train on, side by side without a gap to measure.

    xs, targets: one for each step, (N).  length: of a window.  after: what a batch has besides, such as (None,) for no
    lengths.  What is left over at the end is not measured.
    Raises SequenceError for a sequence shorter than a window.
    """

    def __init__(self, xs: np.ndarray, targets: np.ndarray, length: int, *, after: tuple[Any, ...] = ()) -> None:
        if len(xs) < length:
            raise SequenceError(f"a window of {length} does not fit into {len(xs)} steps: the text is too short for it")
        self.xs, self.targets, self.length, self.after = xs, targets, length, after

    def at(self, places: np.ndarray) -> Batch:
        """The windows that begin at those places: (length, batch), and the same of the targets."""
        index = np.arange(self.length)[:, None] + places
        return self.xs[index], self.targets[index], *self.after

    def draw(self, rng: np.random.Generator, batch: int) -> Batch:
        """Windows at random places."""
        return self.at(rng.integers(0, len(self.xs) - self.length + 1, batch))

    def batches(self, batch: int) -> Iterator[Batch]:
        """Windows that follow each other."""
        places = np.arange(0, len(self.xs) - self.length + 1, self.length)
        for start in range(0, len(places), batch):
            yield self.at(places[start : start + batch])
