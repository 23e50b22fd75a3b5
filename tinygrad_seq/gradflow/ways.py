"""The lengths of all ways from some positions to the nodes of a record: one pass, for all of the positions at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..graph import Graph, Node
from .lanes import Flow, flows
from .quantities import Quantity

__all__ = ["Ways"]

Row = tuple[Node, int | None]  # a node, and which of its rows where it has rows


class Ways:
    """What the positions of `starts` reach, and by how many operations.

    best: np.minimum for the shortest way, np.maximum for the longest.
    """

    def __init__(self, graph: Graph, starts: Quantity) -> None:
        self.starts = starts
        self.reached: dict[Node, None] = {}  # oldest first
        self.along: dict[Node, int] = {}  # the axis of the rows of those that have any
        self.into: dict[Node, list[Flow]] = {}  # what flows into nodes where rows matter, row by row
        first, reached = set(starts.nodes), self.reached
        for node in graph.nodes:
            for x in node.inputs:
                if x in reached:
                    break
            else:
                if node in first:
                    reached[node] = None
                    self.into[node] = []
                    if starts.along:
                        self.along[node] = 0
                continue
            reached[node] = None
            flown = None if node.scalar else flows(node, self.along)
            if starts.along and node in first:  # its own rows count, not those that flow in
                flown = 0, [Flow(x) for x in node.inputs]
            if flown is not None:
                self.into[node] = [flow for flow in flown[1] if flow.x in reached]
                if flown[0] is not None:
                    self.along[node] = flown[0]

    def matrix(self, targets: Quantity, best: np.ufunc) -> np.ndarray:
        """The lengths from all positions to all targets, (targets, starts); inf where there is no way."""
        asked: dict[Node, list[tuple[int, int | None]]] = {}
        for number, (node, row) in enumerate(targets.places()):
            asked.setdefault(node, []).append((number, row))
        found = np.full((len(targets.t), len(self.starts.t)), np.inf)
        if not self.along and len(self.starts.t) == 1:
            counted = self._counted(self.starts.nodes[0], best)
            for number, node in enumerate(targets.nodes):
                found[number] = counted.get(node, np.inf)
            return found
        last = {x: node for node in self.reached for x in node.inputs}
        lengths: dict[Node, np.ndarray] = {}
        for node in self._walk(lengths, list(range(len(self.starts.t))), best):
            if node in asked:
                length, axis = lengths[node], self.along.get(node)
                for number, row in asked[node]:
                    if axis is None:
                        found[number] = length
                    else:
                        found[number] = length[row] if row is not None and axis == 0 else best.reduce(length, axis=0)
            for x in node.inputs:
                if last[x] is node and x in lengths:
                    del lengths[x]
        return np.abs(found)  # of the longest ways, none has -inf

    def route(self, start: int, target: Row, best: np.ufunc) -> list[Node]:
        """The nodes of a best way from position number `start` to a node, or to one row of it; [] for no way."""
        if not self.along:
            return self._traced(self._counted(self.starts.nodes[start], best), target[0])
        lengths: dict[Node, np.ndarray] = {}
        for _ in self._walk(lengths, [start], best):
            pass
        node, row = target
        if node not in lengths:
            return []
        length = lengths[node][..., 0]
        if node not in self.along:
            row = None
        elif row is None or self.along[node] != 0:
            row = int(length.argmin() if best is np.minimum else length.argmax())
        left = length if row is None else length[row]
        route = [node] if np.isfinite(left) else []
        while route and left > 0:
            left -= 1
            for x, r in self._sources(node, row, lengths):
                of_x = lengths[x][..., 0]
                if left == (of_x if r is None else of_x[r]):
                    node, row = x, r
                    route.append(node)
                    break
        return route[::-1]

    def _counted(self, start: Node, best: np.ufunc) -> dict[Node, int]:
        """The lengths from one position where nothing has rows: no array for each node of a million."""
        longer = best is np.maximum
        lengths = {start: 0}
        for node in self.reached:
            if node is start:
                continue
            length = None
            for x in node.inputs:
                if x in lengths and (length is None or (lengths[x] >= length) is longer):
                    length = lengths[x] + 1
            if length is not None:
                lengths[node] = length
        return lengths

    def _traced(self, lengths: dict[Node, int], node: Node) -> list[Node]:
        """Back from a node to where the length is 0."""
        route = [node] if node in lengths else []
        while route and lengths[node]:
            left = lengths[node] - 1
            node = next(x for x in node.inputs if lengths.get(x) == left)
            route.append(node)
        return route[::-1]

    def _walk(self, lengths: dict[Node, np.ndarray], wanted: list[int], best: np.ufunc) -> Iterator[Node]:
        """Write node by node its lengths from each of the wanted positions: (wanted), or (rows, wanted)."""
        none = np.inf if best is np.minimum else -np.inf
        places = list(self.starts.places())
        own: dict[Node, list[tuple[Any, ...]]] = {}
        for column, number in enumerate(wanted):
            node, row = places[number]
            own.setdefault(node, []).append((column,) if row is None else (row, column))
        for node in self.reached:
            length: Any = None
            if node not in self.into:
                for x in node.inputs:
                    if x in lengths:
                        length = lengths[x] if length is None else best(length, lengths[x])
                length = length + 1
            else:
                rows = (node._data.shape[self.along[node]],) if node in self.along else ()
                length = np.full((*rows, len(wanted)), none)
                for flow in self.into[node]:
                    of_x = lengths[flow.x]
                    if of_x.ndim == 2:
                        of_x = of_x[flow.rows]
                        if of_x.ndim == 2 and not flow.aligned:
                            of_x = best.reduce(of_x, axis=0, initial=none)
                    place = flow.onto if rows else ...
                    length[place] = best(length[place], of_x + 1)
            if node in own:
                for place in own[node]:
                    length[place] = 0
            lengths[node] = length
            yield node

    def _sources(self, node: Node, row: int | None, lengths: dict[Node, np.ndarray]) -> Iterator[Row]:
        """What a row of a node was made from."""
        into = self.into.get(node)
        for flow in [Flow(x) for x in node.inputs if x in lengths] if into is None else into:
            many = lengths[flow.x].ndim == 2
            rows = np.atleast_1d(np.arange(len(lengths[flow.x]))[flow.rows]) if many else np.array([-1])
            if row is not None:
                onto = np.atleast_1d(np.arange(len(lengths[node]))[flow.onto])
                if row not in onto:
                    continue
                rows = rows[onto == row] if flow.aligned else rows
            for r in rows:
                yield flow.x, int(r) if many else None
