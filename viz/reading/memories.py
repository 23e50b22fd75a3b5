"""Memories: nodes outside of time that hold a row for every step, such as the states that attention looks at.

Which element of an array belongs to which step is found by following the ops: every element of a memory is labelled
with its step, and the labels go through the same reshaping, slicing and products as the values did.  So it is known,
without a word from the model, that the third weight of a softmax is that of step 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_seq.graph import Node

from .lines import Key

# Ops that only move elements about: labels go through them as values do.
MOVING = {"reshape", "transpose", "broadcast_to", "flip", "getitem", "stack", "concat"}
# Ops that add up products along an axis: an element's label is the one that all its summands have.
JOINING = {"matmul", "affine", "einsum"}
GATHERS = {"stack": 1, "concat": 2}  # ops that put steps together, and of how many one can tell
NONE = -1.0  # the label of what belongs to no step
Labels = np.ndarray


@dataclass(frozen=True)
class Attending:
    """A softmax over steps: the weights of one step for all that it looks at."""

    weights: int  # the softmax, by its place in the record
    sources: tuple[tuple[int, float], ...]  # what is looked at, and with what weight


class Memories:
    """The labels of a record: `sources` are the nodes that the labels stand for.

    inputs: of each node, by place.  times: its time step, None outside of time.  lines: what it is at every step.
    """

    def __init__(self, nodes: list[Node], inputs: list[list[int]], times: list[int | None], lines: list[Key]) -> None:
        self.nodes, self.inputs, self.times, self.lines = nodes, inputs, times, lines
        self.sources: list[int] = []  # label → node
        self.labels: dict[int, Labels] = {}
        self.picks: dict[int, int | None] = {}  # what takes one row at each step → that row's node, if it is another
        self.label_gathers()
        for i in range(len(nodes)):  # what is done to a memory as a whole
            if times[i] is None and i not in self.labels:
                self.follow(i)
        self.label_rows()
        for i in range(len(nodes)) if self.labels else ():
            if i not in self.labels and i not in self.picks:
                self.follow(i)

    def label_gathers(self) -> None:
        """Label what is stacked or joined from what is the same at several steps."""
        for i, node in enumerate(self.nodes):
            if node.op is not None and len(self.inputs[i]) >= GATHERS.get(node.op.name, len(self.nodes)):
                rows = [self.unmoved(x) for x in self.inputs[i]]
                times = [self.times[x] for x in rows]
                alike = len({(self.lines[x][0], self.lines[x][2]) for x in rows}) == 1
                if alike and len(set(times)) == len(times) and None not in times:
                    first = len(self.sources)
                    self.sources += rows
                    labels = [np.full(np.shape(x.data), float(first + k)) for k, x in enumerate(node.inputs)]
                    self.labels[i] = np.asarray(node.op.forward(*labels, **node.fixed))
                    for x, of_x in zip(self.inputs[i], labels):
                        if self.times[x] is None:
                            self.labels[x] = of_x

    def unmoved(self, x: int) -> int:
        """The node of a step that node x, outside of time, is only another view of; else x itself."""
        at = x
        while self.times[at] is None and is_moving(self.nodes[at]) and len(self.inputs[at]) == 1:
            (at,) = self.inputs[at]
        return x if self.times[at] is None else at

    def label_rows(self) -> None:
        """Find what takes one row of a memory at each step; of an unlabelled one these are the nodes of its labels."""
        taking: dict[tuple[int, Key], list[int]] = {}
        for i, node in enumerate(self.nodes):
            if self.times[i] is not None and node.op is not None and node.op.name == "getitem":
                (x,) = self.inputs[i]
                if self.times[x] is None:
                    taking.setdefault((x, self.lines[i]), []).append(i)
        for (x, _), takers in taking.items():
            if len(takers) < 2 and x not in self.labels:
                continue
            if x in self.labels:
                rows = [self.single(self.taken(i, self.labels[x])) for i in takers]
                if None not in rows:
                    self.picks.update((i, self.sources[row]) for i, row in zip(takers, rows) if row is not None)
                continue
            shape = np.shape(self.nodes[x].data)
            for axis, size in enumerate(shape):
                positions = np.arange(size, dtype=float).reshape(*[-1 if a == axis else 1 for a in range(len(shape))])
                spread = np.broadcast_to(positions, shape)
                rows = [self.single(self.taken(i, spread)) if size > 1 else None for i in takers]
                if None not in rows and len(set(rows)) == len(rows):
                    self.picks.update(dict.fromkeys(takers))
                    if any(user not in self.picks for user in self.users_in_time(x)):
                        of_position = np.full(size, NONE)
                        for row, i in zip(rows, takers):
                            of_position[row] = len(self.sources)
                            self.sources.append(i)
                        self.labels[x] = np.broadcast_to(of_position[positions.astype(int)], shape)
                    break

    def users_in_time(self, x: int) -> list[int]:
        """What takes from a node at some step."""
        return [i for i, xs in enumerate(self.inputs) if x in xs and self.times[i] is not None]

    def taken(self, i: int, values: Labels) -> Labels:
        """What the slice of node i takes of such values."""
        node = self.nodes[i]
        return np.asarray(node.op.forward(values, **node.fixed))

    def single(self, labels: Labels) -> int | None:
        """The one label that all elements have."""
        if not labels.size:
            return None
        first = labels.flat[0]
        return int(first) if first != NONE and np.all(labels == first) else None

    def follow(self, i: int) -> None:
        """Label a node from what it is made of, where that can be told."""
        node, op = self.nodes[i], self.nodes[i].op
        behind = [x for x in self.inputs[i] if x in self.labels]
        if op is None or not behind or any(is_softmax(self.nodes[x]) for x in behind):
            return
        found = None
        if op.name in MOVING:
            data = [self.labels.get(x) for x in self.inputs[i]]
            moved = [np.full(np.shape(x.data), NONE) if d is None else d for x, d in zip(node.inputs, data)]
            found = np.asarray(op.forward(*moved, **node.fixed))
        elif op.name in JOINING:
            found = most_telling(self.joined(i, k) for k, x in enumerate(self.inputs[i]) if x in behind)
        else:
            shape = np.shape(node.data)
            found = most_telling(
                np.broadcast_to(self.labels[x], shape)
                for x in behind
                if broadcasts(self.labels[x].shape, shape)
            )
        if found is not None and np.any(found != NONE):
            self.labels[i] = found

    def joined(self, i: int, k: int) -> Labels | None:
        """The labels of a sum of products whose k-th factor is labelled, where all summands agree."""
        node = self.nodes[i]
        forward: Callable[..., Any] = node.op.forward
        others = [np.ones(np.shape(x.data)) for x in node.inputs]
        if node.op is not None and node.op.name == "affine":
            others[2] = np.zeros_like(others[2])  # x W + b
        labels = self.labels[self.inputs[i][k]]

        def total(of: Labels) -> Any:
            return np.asarray(forward(*others[:k], of, *others[k + 1 :], **node.fixed))

        count = total(np.ones_like(labels))
        if not np.size(count) or not np.all(count):
            return None
        mean = total(labels) / count
        spread = total(labels**2) / count - mean**2
        return np.round(mean) if np.all(np.abs(spread) < 1e-6 * (1 + mean**2)) else None

    def attending(self) -> list[Attending]:
        """Every softmax whose weights belong to different steps."""
        found = []
        for i, labels in self.labels.items():
            if self.times[i] is None or not is_softmax(self.nodes[i]) or not self.is_first(i):
                continue
            known = labels != NONE
            names, where = np.unique(labels[known].astype(int), return_inverse=True)
            if not len(names):
                continue
            shares = np.asarray(self.nodes[i].data, dtype=float)[known]
            weights = np.bincount(where.ravel(), shares) * len(names) / max(1, known.sum())
            found.append(Attending(i, tuple((self.sources[n], float(w)) for n, w in zip(names, weights))))
        return found

    def is_first(self, i: int) -> bool:
        """Whether the labels of a softmax go along the axis that it sums over, or it looks back at one step alone."""
        labels, axis = self.labels[i], self.nodes[i].fixed.get("axis", -1)
        along = np.diff(labels, axis=axis if isinstance(axis, int) else -1)
        return not along.size or bool(np.any(along != 0))


def is_moving(node: Node) -> bool:
    """Whether a node only moves elements about."""
    return node.op is not None and node.op.name in MOVING


def is_softmax(node: Node) -> bool:
    """Whether a node has weights that add up to 1."""
    return node.op is not None and node.op.name == "softmax"


def most_telling(candidates: Iterable[Labels | None]) -> Labels | None:
    """Of several labellings the one that tells the most steps apart."""
    known = [c for c in candidates if c is not None]
    return max(known, key=lambda c: len(np.unique(c)), default=None)


def broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether an array of one shape can be spread over another."""
    if len(shape) > len(other):
        return False
    return all(a in (1, b) for a, b in zip(shape[::-1], other[::-1]))
