"""Trace: what a record has under a name at every time step, as series over time."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import pairwise
from operator import attrgetter
from typing import Any
from unicodedata import combining, east_asian_width, normalize

import numpy as np

from .errors import GradientError, ShapeError, UnknownNameError
from .graph import Graph, Node

__all__ = ["Trace"]


class Trace:
    """The named values of a record over time: `trace["f"]` is the forget gate of every step, (T, batch, hidden).

    outputs: what the record is read from, such as a loss; of several, all that any of them was made from.  A series
    has every node of one name in one scope that carries a time step, in the order of t.  It is found by its name, or
    where the name stands in several scopes by as much of the path as it takes: "h", "l1/h", "encoder/l1/h".  Where a
    name comes twice at a step, as when a model ran twice, there is a series for each time, in the order of their
    making: "h#1", "h#2".

    `len`, `in` and iteration, over the whole paths, are those of a dictionary; `repr` is a table of what there is.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.trace import Trace
    >>> h = Tensor([1.0, 2.0], requires_grad=True)
    >>> for t, x in steps([0.5, 0.5, 3.0]):
    ...     h = (h * x).named("h")
    >>> loss = h.sum()
    >>> loss.backward()
    >>> trace = Trace(loss)
    >>> trace["h"]
    array([[0.5 , 1.  ],
           [0.25, 0.5 ],
           [0.75, 1.5 ]])
    >>> trace.grad("h")
    array([[1.5, 1.5],
           [3. , 3. ],
           [1. , 1. ]])
    >>> trace.t("h")
    array([1, 2, 3])
    >>> trace
    Trace of 8 nodes, 1 series
    name  scope  t      shape
    h            1 … 3  (3, 2)
    """

    def __init__(self, *outputs: Node) -> None:
        for node in outputs:
            if not isinstance(node, Node):
                raise TypeError(
                    f"Trace needs nodes of a record (Tensors or Values), got {type(node).__name__}: Trace(loss), or "
                    "Trace(*losses) for a list of them"
                )
        self.graph = Graph(*outputs)
        named: dict[tuple[str, str], list[Node]] = {}
        for node in self.graph.nodes:
            if node.name and node.place.t is not None:
                named.setdefault((node.place.scope, node.name), []).append(node)
        of_path: dict[str, list[Node]] = {}
        for (scope, name), nodes in named.items():
            of_path.setdefault(normalize("NFC", f"{scope}/{name}" if scope else name), []).extend(nodes)
        if len(of_path) < len(named):  # one name, its letters put together in two ways
            of_path = {path: sorted(nodes, key=attrgetter("birth")) for path, nodes in of_path.items()}
        self._series: dict[str, list[Node]] = {}
        for path, nodes in of_path.items():
            runs = apart(nodes)
            for number, run in enumerate(runs, 1):
                self._series[f"{path}#{number}" if len(runs) > 1 else path] = run

    @property
    def names(self) -> list[str]:
        """The whole path of every series."""
        return list(self._series)

    def nodes(self, name: str) -> list[Node]:
        """The nodes of a series, in the order of t.

        Raises UnknownNameError, a KeyError, where there is no such series, or more than one.
        """
        found = self._found(name)
        if len(found) != 1:
            several = f"{name!r} may be any of {listed(found)}: say more of its path"
            raise UnknownNameError(several if found else self._missing(name))
        return self._series[found[0]]

    def t(self, name: str) -> np.ndarray:
        """The time steps of a series, (T), in ascending order."""
        return np.array([node.t for node in self.nodes(name)])

    def __getitem__(self, name: str) -> np.ndarray:
        """The values of a series, (T, …).

        Raises UnknownNameError as `nodes` does, and ShapeError where the steps have values of different shapes: take
        them from `nodes`.
        """
        return stacked(name, [node.data for node in self.nodes(name)])

    def grad(self, name: str) -> np.ndarray:
        """The gradients of a series, (T, …), as the last `backward` left them; zeros at steps that none reached.

        Raises GradientError before `backward`; else as the values do.
        """
        nodes = self.nodes(name)
        if not any(node.grad is not None for node in self.graph.nodes if node.op is not None):
            raise GradientError(
                f"no gradient has been sent back through this record: call loss.backward() before trace.grad({name!r})"
            )
        gradients = [np.zeros_like(node.data) if node.grad is None else node.grad for node in nodes]
        return stacked(name, [g.data if isinstance(g, Node) else g for g in gradients])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._found(name)) == 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        title = f"Trace of {len(self.graph)} nodes, {len(self)} series"
        rows = [("name", "scope", "t", "shape")] if self._series else []
        for path, nodes in self._series.items():
            scope, _, name = path.rpartition("/")
            rows.append((name, scope, said(nodes), shape_of(nodes)))
        widths = [max(map(columns_of, column)) for column in zip(*rows)]
        lines = [[word + " " * (n - columns_of(word)) for word, n in zip(row, widths)] for row in rows]
        return "\n".join([title, *("  ".join(line).rstrip() for line in lines)])

    def _ipython_key_completions_(self) -> list[str]:
        return self.names

    def _found(self, name: str) -> list[str]:
        """The paths that a name may mean: itself, where it is a whole path, or those that end in it."""
        name = normalize("NFC", name)
        if name in self._series:
            return [name]
        numbered = {path: (path, path.rpartition("#")[0]) for path in self._series}
        return [path for path, both in numbered.items() if any(f"/{end}".endswith(f"/{name}") for end in both)]

    def _missing(self, name: str) -> str:
        if not self._series:
            return (
                f"the record has no series {name!r}, and no other: name nodes with .named({name!r}) in a loop over "
                "steps(…), outside of no_grad"
            )
        words = [*self._series, *(path.rpartition("/")[2] for path in self._series)]
        near = get_close_matches(normalize("NFC", name), words, 1, 0.5)
        hint = f"did you mean {near[0]!r}? There is" if near else "there is"
        return f"the record has no series {name!r}; {hint} {listed(self.names)}"


def apart(nodes: list[Node]) -> list[list[Node]]:
    """Nodes of one name, oldest first, as series that are at each step once.

    A node that comes at a step already taken begins another series: the second run over the sequence, once time goes
    back to where the first has been; or, within a step, the second of the name.
    """
    if all(x.place.t < y.place.t for x, y in pairwise(nodes)):  # type: ignore[operator]
        return [nodes]
    done: list[dict[int | None, Node]] = []
    run: list[dict[int | None, Node]] = []  # the series of the present run over the sequence
    now = None
    for node in nodes:
        if node.t != now and run and node.t in run[0]:
            done, run = done + run, []
        now = node.t
        free = next((series for series in run if now not in series), None)
        if free is None:
            run.append({now: node})
        else:
            free[now] = node
    return [[series[t] for t in sorted(series)] for series in done + run]  # type: ignore[type-var]


def stacked(name: str, values: list[Any]) -> np.ndarray:
    """Values of one shape along a new first axis, time."""
    shapes = {np.shape(value): None for value in values}
    if len(shapes) > 1:
        raise ShapeError(
            f"{name!r} has values of different shapes, {listed(shapes)}, which make no array: take them one by one, "
            f"[node.data for node in trace.nodes({name!r})]"
        )
    return np.stack(values)


def said(nodes: list[Node]) -> str:
    """The time steps in short."""
    first, last = nodes[0].t or 0, nodes[-1].t or 0
    if first == last:
        return str(first)
    return f"{first} … {last}" + ("" if last - first + 1 == len(nodes) else f" ({len(nodes)} steps)")


def shape_of(nodes: list[Node]) -> str:
    """The shape of a series."""
    shapes = {np.shape(node.data) for node in nodes}
    return str((len(nodes), *shapes.pop())) if len(shapes) == 1 else f"{len(nodes)} of different shapes"


def columns_of(word: str) -> int:
    """How many columns of a terminal a word takes: C̃ takes one, 은 takes two."""
    return sum((not combining(letter)) * (1 + (east_asian_width(letter) in "WF")) for letter in word)


def listed(words: Any, most: int = 12) -> str:
    """The first words of a list, and how many there are more."""
    shown = [str(word) for word in words]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")
