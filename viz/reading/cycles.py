"""Cycles and reach in a small directed graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def neighbours(edges: Iterable[tuple[K, K]]) -> dict[K, list[K]]:
    """What each node leads to."""
    following: dict[K, list[K]] = defaultdict(list)
    for a, b in edges:
        following[a].append(b)
    return following


def strong_components(nodes: list[K], edges: list[tuple[K, K]]) -> list[list[K]]:
    """The sets of nodes that reach each other (Tarjan 1972, without recursion)."""
    following = neighbours(edges)
    index: dict[K, int] = {}
    low: dict[K, int] = {}
    stack: list[K] = []
    on_stack: set[K] = set()
    components = []
    for start in nodes:
        if start in index:
            continue
        work = [(start, iter(following[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, successors = work[-1]
            for following_node in successors:
                if following_node not in index:
                    index[following_node] = low[following_node] = len(index)
                    stack.append(following_node)
                    on_stack.add(following_node)
                    work.append((following_node, iter(following[following_node])))
                    break
                if following_node in on_stack:
                    low[node] = min(low[node], index[following_node])
            else:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    components.append(stack[cut:])
                    on_stack.difference_update(stack[cut:])
                    del stack[cut:]
    return components


def descendants(nodes: list[K], edges: list[tuple[K, K]]) -> dict[K, set[K]]:
    """For each node all that it leads to, itself too."""
    following = neighbours(edges)
    reach: dict[K, set[K]] = {}
    for start in reversed(nodes):  # mostly the last is known first
        found: set[K] = {start}
        waiting = list(following[start])
        while waiting:
            node = waiting.pop()
            if node in found:
                continue
            if node in reach:
                found |= reach[node]
            else:
                found.add(node)
                waiting.extend(following[node])
        reach[start] = found
    return reach
