"""Saturation: how many tanh and sigmoid units lie where their function is flat, by step and by gate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError, GradientError
from ..graph import Graph, Node
from ..ops import table
from ..trace import apart, columns_of

__all__ = ["Saturation", "saturation"]

TANH, SIGMOID = {table.tanh, table.tanh_part}, {table.sigmoid, table.sigmoid_part}


class Saturation:
    """The share of units past a threshold, by name and by step; `np.asarray` gives `share`.

    names: of the gates and activations, with their scope, in the order of their making.  t: the steps.
    low, high: the shares at the lower and the upper end, (names, T); NaN where there is none at a step, or where one
    is NaN.  share: both together.  outside: the share of those that are in no time step, by name.
    of: the share of each node, to colour a drawing by.
    """

    def __init__(
        self, threshold: float, names: list[str], t: list[int], ends: np.ndarray, outside: dict[str, float]
    ) -> None:
        self.threshold = threshold
        self.names = names
        self.t = np.array(t, int)
        self.low, self.high = ends
        self.share = self.low + self.high
        self.outside = outside
        self.of: dict[Node, float] = {}

    @property
    def nodes(self) -> list[Node]:
        """The nodes that were looked at."""
        return list(self.of)

    def table(self) -> str:
        """What each has on average over time, and at which step the most, as text."""
        rows: list[tuple[str, ...]] = [("name", "share", "low", "high", "most")]
        for i, name in enumerate(self.names):
            known = np.flatnonzero(~np.isnan(self.share[i]))
            if not len(known):
                rows.append((name, "NaN", "NaN", "NaN", ""))
                continue
            most = known[np.argmax(self.share[i, known])]
            means = [f"{part[i, known].mean():.1%}" for part in (self.share, self.low, self.high)]
            rows.append((name, *means, f"{self.share[i, most]:.1%} at t={self.t[most]}"))
        rows += [(name, f"{share:.1%}", "", "", "outside of time") for name, share in self.outside.items()]
        widths = [max(map(columns_of, column)) for column in zip(*rows, strict=True)]
        lines = [[word + " " * (n - columns_of(word)) for word, n in zip(row, widths, strict=True)] for row in rows]
        return "\n".join("  ".join(line).rstrip() for line in lines)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.share, dtype)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Saturation past {self.threshold:g} of the range\n{self.table()}"


def saturation(outputs: Node | Iterable[Node], *, threshold: float = 0.9, lengths: Any = None) -> Saturation:
    """The share of tanh and sigmoid units past a threshold, by step and by gate.

    outputs: a loss, or several outputs; looked at is all that they were made from with a recorded history.
    threshold: a sigmoid is low below 1 - threshold and high above it, as in Karpathy, Johnson and Fei-Fei 2015,
    "Visualizing and understanding recurrent networks" (.1 and .9); a tanh is low below -threshold and high above it.
    At .9 a sigmoid keeps .09 of a gradient, of .25 at most, and a tanh .19, of 1.
    lengths: (batch), where the sequences of a ragged batch end, by the count of steps; what comes after is left out.
    A node goes by its name; without one by its function and what that is of, as far as it has a name: "tanh(C)".
    Raises DataError for a threshold that is no share of the range above its middle, GradientError where the record has
    no tanh and no sigmoid.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import saturation
    >>> h = Tensor([0.0, 1.0], requires_grad=True)
    >>> for t, x in steps([1.0, 5.0]):
    ...     h = (h * x).tanh().named("h")
    >>> saturation(h.sum())
    Saturation past 0.9 of the range
    name  share  low   high   most
    h     25.0%  0.0%  25.0%  50.0% at t=2
    """
    if not 0.5 <= threshold < 1:
        raise DataError(f"saturation: threshold must be at least .5, the middle of a sigmoid, and below 1: {threshold}")
    outputs = [outputs] if isinstance(outputs, Node) else list(outputs)
    named: dict[str, list[Node]] = {}
    for node in Graph(*outputs):
        if node.op in TANH or node.op in SIGMOID:
            named.setdefault(_path(node), []).append(node)
    if not named:
        raise GradientError(
            "the record has no tanh and no sigmoid to measure saturation of: give the loss of a model that has them, "
            "made outside of no_grad"
        )
    timed: dict[str, list[Node]] = {}
    outside: dict[str, list[Node]] = {}
    for path, nodes in named.items():
        runs = apart([node for node in nodes if node.t is not None])
        timed |= {f"{path}#{i}" if len(runs) > 1 else path: run for i, run in enumerate(runs, 1) if run}
        outside[path] = [node for node in nodes if node.t is None]
    t = sorted({node.t for run in timed.values() for node in run if node.t is not None})
    column: dict[int | None, int] = {step: j for j, step in enumerate(t)}
    ends = np.full((2, len(timed), len(t)), np.nan)
    of: dict[Node, float] = {}
    for i, run in enumerate(timed.values()):
        for node in run:
            low, high = ends[:, i, column[node.t]] = _ends(node, threshold, lengths, column[node.t] + 1)
            of[node] = float(low + high)
    past: dict[str, float] = {}
    for path, nodes in outside.items():
        shares = [of.setdefault(node, float(sum(_ends(node, threshold, None, 0)))) for node in nodes]
        if shares:
            past[path] = float(np.average(shares, weights=[np.size(node.data) for node in nodes]))
    found = Saturation(threshold, list(timed), t, ends, past)
    found.of = of
    return found


def _path(node: Node) -> str:
    name = node.name
    if name is None:
        (x,) = node.inputs
        name = f"{node.op.name}({x.name})" if x.name else node.op.name
    return f"{node.scope}/{name}" if node.scope else name


def _ends(node: Node, threshold: float, lengths: Any, step: int) -> tuple[float, float]:
    """The shares of the units at the lower and at the upper end."""
    out = np.asarray(node.data)
    if lengths is not None and out.ndim > 1:
        going = np.asarray(lengths) >= step
        if going.shape != out.shape[:1]:
            raise DataError(f"saturation: {node!r} has {len(out)} sequences, and lengths are of shape {going.shape}")
        out = out[going]
    if not out.size or np.isnan(out).any():
        return np.nan, np.nan
    least = -threshold if node.op in TANH else 1 - threshold
    return float(np.mean(out < least)), float(np.mean(out > threshold))
