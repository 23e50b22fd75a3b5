"""The frames of an op graph: around each scope, time step and pass, inner ones in outer ones."""

from __future__ import annotations

from collections import Counter

from ..pictures.labels import label_width, plain, shorten, visible
from ..pictures.palette import COLUMN, COLUMN_EDGE, PAPER, QUIET
from ..pictures.picture import Group, Panel, Part, Text
from ..unrolled.scene import numbered
from .clusters import BACKWARD, STEP, Cluster

SIZE = 11.0  # of the names
WIDEST = 200.0  # and how long they may get


def corner(cluster: Cluster) -> tuple[float, float]:
    """The room that the name of a cluster needs in the corner of its frame."""
    return label_width(plain(short(cluster)), SIZE) + 2, SIZE + 3


def short(cluster: Cluster) -> str:
    """The name of a cluster as it stands there."""
    return shorten(visible(cluster.label), WIDEST, SIZE)


def grounds(clusters: list[Cluster], frames: list[tuple[float, float, float, float]]) -> list[Panel]:
    """The frames as they lie under everything in them: backward passes warm, every other depth white."""
    panels: list[Panel] = []
    looks: list[tuple[str, str, str]] = []  # fill, the fill of what is inside, edge
    for cluster, frame in zip(clusters, frames, strict=True):
        if cluster.outer is not None:
            outer, fill, edge = looks[cluster.outer]
            looks.append((fill, outer, edge))
        elif cluster.kind == BACKWARD:
            looks.append(("backward", PAPER, "backward-edge"))
        else:
            looks.append((COLUMN, PAPER, COLUMN_EDGE))
        fill, _, edge = looks[-1]
        panels.append(Panel(*frame, fill, edge, 8, kind="frame"))
    return panels


def grouped(
    clusters: list[Cluster], panels: list[Panel], boxes: dict[int | None, list[Part]], taken: Counter[str]
) -> list[Part]:
    """The boxes in groups, one for each cluster that has a frame; boxes: by their innermost cluster."""
    ids: list[str] = []
    for cluster in clusters:
        name = cluster.label.replace("t = ", "t") if cluster.kind == STEP else "_".join(visible(cluster.label).split())
        ids.append(numbered(name if cluster.outer is None else f"{ids[cluster.outer]}/{name}", taken))
    inner: dict[int | None, list[Part]] = {}
    for n in range(len(clusters) - 1, -1, -1):
        cluster, panel = clusters[n], panels[n]
        if panel.width:
            parts = (*label(cluster, panel), *boxes.get(n, []), *reversed(inner.get(n, [])))
            frame = (panel.x, panel.y, panel.width, panel.height)
            inner.setdefault(cluster.outer, []).append(Group(ids[n], parts, cluster.label, cluster.kind, frame))
    return [*boxes.get(None, []), *reversed(inner.get(None, []))]


def label(cluster: Cluster, panel: Panel) -> tuple[Panel, Text]:
    """The name in the corner, on a ground of its own, so that an edge that comes by does not strike it out."""
    width, height = corner(cluster)
    name = Text(panel.x + 9, panel.y + SIZE + 4, plain(short(cluster)), SIZE, QUIET, "start", kind="label")
    return Panel(panel.x + 8, panel.y + 4, width, height, panel.fill, radius=3, kind="ground"), name
