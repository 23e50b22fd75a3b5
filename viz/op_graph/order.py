"""What stands before, behind or beside what in an op graph, beyond what its edges say."""

from __future__ import annotations

from collections import Counter, defaultdict

from ..reading.cycles import neighbours
from .clusters import SCOPE, STEP, Cluster, around

Edge = tuple[int, int]


def beside(home: list[int | None], edges: list[Edge]) -> dict[int, int]:
    """The boxes that stand beside the one they lead to, not before it, so that a cluster begins with its ops.

    That is what is given, for one use in the same cluster; up to two stand beside a box, one on either side.
    """
    leads = Counter(a for a, _ in edges)
    made = {b for _, b in edges}
    taken: Counter[int] = Counter()
    near = {}
    for a, b in edges:
        if leads[a] == 1 and a not in made and home[a] is not None and home[a] == home[b] and taken[b] < 2:
            taken[b] += 1
            near[a] = b
    return near


def successions(
    home: list[int | None], clusters: list[Cluster], edges: list[Edge]
) -> list[tuple[list[int], list[int]]]:
    """The last boxes of a cluster, and the first ones of a cluster beside it that stands behind it as a whole.

    So stand two scopes or steps of which one takes from the other, if that was finished before.  Boxes come in the
    order of their birth.
    """
    near = beside(home, edges)
    made = {b for _, b in edges}
    members: dict[int, list[int]] = defaultdict(list)
    for i, cluster in enumerate(home):
        for c in () if i in near else around(clusters, cluster):
            members[c].append(i)
    following, leading = neighbours(edges), neighbours((b, a) for a, b in edges)
    ops = {c: [i for i in boxes if i in made] for c, boxes in members.items()}
    taken: dict[int, dict[int, None]] = defaultdict(dict)
    for a, b in edges:
        pair = parting(around(clusters, home[a]), around(clusters, home[b]))
        if pair is not None and clusters[pair[0]].kind in (SCOPE, STEP):
            taken[pair[1]][pair[0]] = None
    pairs = [
        (a, b)
        for b, before in taken.items()
        for a in before
        if ops[a] and ops[a][-1] < ops[b][0] and not any(a in taken.get(between, ()) for between in before)
    ]
    fronts, backs = {a for a, _ in pairs}, {b for _, b in pairs}
    found = []
    for a, b in pairs:
        last = [i for i in outermost(members[a], following) if fronts.isdisjoint(inside(clusters, home[i], a))]
        first = [i for i in outermost(members[b], leading) if backs.isdisjoint(inside(clusters, home[i], b))]
        found.append((last, first))
    return found


def inside(clusters: list[Cluster], cluster: int | None, outer: int) -> list[int]:
    """A cluster and those around it, up to an outer one."""
    path = around(clusters, cluster)
    return path[: path.index(outer)]


def outermost(boxes: list[int], beside: dict[int, list[int]]) -> list[int]:
    """Those of some boxes that have no neighbour among them."""
    among = set(boxes)
    return [i for i in boxes if among.isdisjoint(beside.get(i, ()))]


def parting(one: list[int], other: list[int]) -> tuple[int, int] | None:
    """Where two paths, from the inside out, part: the clusters side by side; None where one holds the other."""
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            return a, b
    return None
