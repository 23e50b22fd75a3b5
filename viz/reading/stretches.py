"""Stretches of time: an encoder's steps come before its decoder's, though both count from 1.

Nodes that a line of the model makes at every step are one *line*.  Lines that hand something on from step to step, or
at the same step, share their columns.  Where one loop only takes what another has left in the end, and counts the same
steps again, it comes after it.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from .lines import Key

MOST = 64  # loops in one record; with more of them it is not made of loops


def find_stretches(keys: list[Key], inputs: list[list[int]], times: list[int | None]) -> list[int | None]:
    """For each node in time the stretch that it belongs to, counted from 0; None outside of time.

    keys: what each node is known by at every step.  inputs: of each node.  times: its time step.
    """
    numbers: dict[Key, int] = {}
    line = [None if t is None else numbers.setdefault(key, len(numbers)) for key, t in zip(keys, times, strict=True)]
    length = Counter(line)
    leaves = {n for n, xs in zip(line, inputs, strict=True) if all(times[x] is None for x in xs)}
    place = {n: str(key[1]).partition("/")[0] for key, n in numbers.items()}  # the outermost scope
    regular: Counter[tuple[int, int, int, int]] = Counter()
    passing: set[tuple[int, int]] = set()
    for i, xs in enumerate(inputs):
        mine, t = line[i], times[i]
        for position, x in enumerate(xs if mine is not None else ()):
            theirs, then = line[x], times[x]
            if theirs is not None and then is not None and t is not None and mine is not None:
                regular[theirs, mine, position, t - then] += 1
    group = list(range(len(numbers)))
    for (one, other, _, distance), count in regular.items():
        alone = length[one] == 1 and place[one] == place[other]  # made within a step, such as a first state
        whole_line = count == length[other] or (count == length[one] and (one in leaves or alone))
        if count > 1 or (distance == 0 and whole_line):
            union(group, one, other)
    whole = [None if n is None else root(group, n) for n in line]
    at: dict[int, set[int]] = defaultdict(set)
    for n, t in zip(whole, times, strict=True):
        if n is not None and t is not None:
            at[n].add(t)
    if len(at) == 1 or len(at) > MOST:
        return [None if n is None else 0 for n in whole]
    reached: list[frozenset[int]] = []  # which groups a node was made from, through whatever lies between
    for i, xs in enumerate(inputs):
        behind = frozenset().union(*(reached[x] for x in xs)) if xs else frozenset()
        mine = whole[i]
        if mine is not None:
            passing.update((other, mine) for other in behind if other != mine and at[other] & at[mine])
            behind |= {mine}
        reached.append(behind)
    return in_order(whole, passing)


def in_order(whole: list[int | None], passing: set[tuple[int, int]]) -> list[int | None]:
    """Number the groups so that each comes after those that it takes from; those that need not wait share a number."""
    before: dict[int, set[int]] = defaultdict(set)
    for one, other in passing:
        if (other, one) not in passing:  # two that take from each other stay side by side
            before[other].add(one)
    stretch: dict[int, int] = {}
    for group in dict.fromkeys(n for n in whole if n is not None):  # in the order of their first nodes
        stretch[group] = 0
    for _ in stretch:  # the longest way to each, at most as many rounds as there are groups
        changed = False
        for group, others in before.items():
            least = max(stretch[other] for other in others) + 1
            if stretch[group] < least <= len(stretch):
                stretch[group], changed = least, True
        if not changed:
            break
    return [None if n is None else stretch[n] for n in whole]


def root(group: list[int], n: int) -> int:
    """The first of the lines that n belongs with."""
    while group[n] != n:
        group[n] = group[group[n]]
        n = group[n]
    return n


def union(group: list[int], one: int, other: int) -> None:
    """Let two lines, and those that belong with them, be one group."""
    a, b = root(group, one), root(group, other)
    group[max(a, b)] = min(a, b)
