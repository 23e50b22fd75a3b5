"""Data that is there, in batches: every example once an epoch, in an order that can be saved and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_seq.errors import DataError, SequenceError, ShapeError

__all__ = ["Batches"]


class Batches:
    """Batches of examples, each example once an epoch, shuffled anew each time.

    data: arrays, of which a batch takes the same places of each; or, with `collate`, one list of examples, and
    collate(list of some) gives the batch.  axis: where the examples are, one for all arrays or one for each (1 in
    tokens of shape (T, examples)).  drop_last: leave out the last batch of an epoch where it is smaller than others.

    A batch is a tuple, the arguments of `model.loss`.  len() is the number of batches in an epoch; `for` goes through
    every example once, in the order of the data, to validate with.
    Raises SequenceError for no example, ShapeError for arrays of different lengths.

    >>> import numpy as np
    >>> from tinygrad_seq.models.training import Batches
    >>> xs, labels = np.arange(20).reshape(2, 10), np.arange(10)          # (T, examples), (examples)
    >>> batches = Batches(xs, labels, batch_size=4, axis=(1, 0))
    >>> len(batches), [len(batch_labels) for _, batch_labels in batches]
    (3, [4, 4, 2])
    >>> x, y = batches.draw(np.random.default_rng(0))
    >>> x.shape, bool((x[0] == y).all())
    ((2, 4), True)
    """

    def __init__(
        self,
        *data: Any,
        batch_size: int,
        axis: int | Sequence[int] = 0,
        collate: Callable[[list[Any]], tuple[Any, ...]] | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
    ) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size < 1:
            raise DataError(f"Batches: batch_size must be a positive integer, got {batch_size!r}")
        if not data or (collate is not None and len(data) != 1):
            raise DataError(f"Batches needs arrays, or one list of examples with collate=; got {len(data)} of them")
        self.batch_size, self.collate, self.shuffle, self.drop_last = batch_size, collate, shuffle, drop_last
        self.data: tuple[Any, ...] = data if collate is not None else tuple([np.asarray(x) for x in data])
        self.axes = [axis] * len(data) if isinstance(axis, int) else list(axis)
        if len(self.axes) != len(data):
            raise DataError(f"Batches: axis must be one number or one for each of {len(data)} arrays, got {axis!r}")
        sizes = [len(data[0])] if collate is not None else self._sizes()
        if len(set(sizes)) != 1:
            raise ShapeError(
                f"Batches needs as many examples in each array, got {sizes} along axes {self.axes}: say with axis= "
                "where the examples are"
            )
        self.size = sizes[0]
        if not self.size or not len(self):
            few = f"{self.size} examples, less than one batch of {batch_size} with drop_last=True"
            raise SequenceError(f"Batches needs at least one example, got {few if self.size else 'none'}")
        self.epoch: int  # of the batch drawn last; the first is 1
        self._order: np.ndarray
        self._place: int
        self.reset()

    def _sizes(self) -> list[int]:
        for i, (x, axis) in enumerate(zip(self.data, self.axes)):
            if not -x.ndim <= axis < x.ndim:
                raise ShapeError(f"Batches: array {i} of shape {x.shape} has no axis {axis}")
        return [x.shape[axis] for x, axis in zip(self.data, self.axes)]

    def __len__(self) -> int:
        return self.size // self.batch_size if self.drop_last else -(-self.size // self.batch_size)

    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """The next batch; at the beginning of an epoch a new order is drawn from `rng`."""
        stop = len(self) * self.batch_size  # what is left over of the order with drop_last is not used
        if self._place >= min(stop, len(self._order)):
            self._order = rng.permutation(self.size) if self.shuffle else np.arange(self.size)
            self._place = 0
            self.epoch += 1
        places = self._order[self._place : self._place + self.batch_size]
        self._place += len(places)
        return self.take(places)

    def reset(self) -> None:
        """Back to the start: the next batch begins an epoch."""
        self.epoch, self._place, self._order = 0, 0, np.arange(0)

    def take(self, places: Any) -> tuple[Any, ...]:
        """The batch of the examples at these places."""
        if self.collate is not None:
            return self.collate([self.data[0][i] for i in places])
        return tuple([x.take(places, axis) for x, axis in zip(self.data, self.axes)])

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for start in range(0, self.size, self.batch_size):
            yield self.take(np.arange(start, min(start + self.batch_size, self.size)))

    # ---- saved and loaded ----

    def state_dict(self) -> dict[str, Any]:
        """Where it is: what to save to draw the same batches from here on."""
        return {
            "size": self.size,
            "batch_size": self.batch_size,
            "epoch": self.epoch,
            "place": self._place,
            "order": self._order,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`.  Raises DataError for one of other data or batches, and changes nothing then."""
        given, own = (state["size"], state["batch_size"]), (self.size, self.batch_size)
        if given != own:
            raise DataError(
                f"the state to load is of {given[0]} examples in batches of {given[1]}, these are {own[0]} in batches "
                f"of {own[1]}"
            )
        self.epoch, self._place, self._order = state["epoch"], state["place"], np.array(state["order"])

    def __repr__(self) -> str:
        return f"Batches({self.size:,} examples, {len(self):,} batches of {self.batch_size})"
