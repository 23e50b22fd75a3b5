"""micrograd's picture of a record: a box for each value with its gradient, a circle for each op, a frame a scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tinygrad_seq.graph import Graph, Node

from ..errors import PictureTooLargeError
from ..pictures.courses import moved
from ..pictures.drawing import Drawing
from ..pictures.labels import label_width, plain, visible
from ..pictures.legend import legend
from ..pictures.palette import DARK, INK, LIGHT, scale_for, scale_of_measure
from ..pictures.picture import Curve, Part, Picture, Text
from ..player.stages import Subject
from ..reading.magnitudes import Measure, Measured, as_measure
from ..unrolled.scene import numbered, path_name
from .boxes import box, called, face_of
from .clusters import Clusters
from .frames import corner, grounds, grouped
from .layout import lay_out
from .measures import Gradients, meaning, measured
from .nearby import nearby, takers_elsewhere
from .wiring import COPY, FAR, ON, OP, VALUE, Item, wire

MARGIN, MOST = 24.0, 1500  # space around; nodes that a person could still look at
BEHIND = {OP: ".op", FAR: ".from", ON: ".on"}  # the id of the value
DIRECTIONS = {"LR": "left to right", "TB": "top to bottom"}


def draw_graph(
    node: Node | Sequence[Node],
    *,
    title: str | None = None,
    dark: bool = False,
    direction: str = "LR",
    colour: str | Measure | Mapping[Node, float] | Measured | None = None,
    values: bool = True,
    around: Node | Sequence[Node] | None = None,
    distance: int = 2,
    mark: Mapping[Node, str] | None = None,
    max_nodes: int = MOST,
) -> Drawing:
    """Draw everything that `node`, or each of several nodes, was made from, as micrograd's `draw_dot` does.

    Each value is a box: its name, its data, and its gradient as `backward` left it; of more than four numbers the
    shape and the Euclidean norms.  Each op is a circle in front of what it made.  Scopes and time steps are frames
    around what was computed in them, and so are the forward and the backward passes where a gradient was recorded
    itself (`create_graph=True`).  What has no gradient has a dotted outline, what is not finite is hatched.  A weight
    that several steps share, and a leaf with more than six uses, is drawn at each of them; what comes from far off is
    named where it is used.

    direction: "LR" from left to right, "TB" from top to bottom.  colour: "grad" colours each value by the norm of its
    gradient (where `backward` left none, by that of ∂node/∂value), "value" by the norm of its data, any other measure
    as in draw_unrolled; None by nothing.  values: False draws each node as one box without numbers.
    around: draws what is within `distance` ops of that node, or of several: what they were made from and what was made
    of them; the rest is named at the ends.  mark: nodes to point at, each with what to say of it.
    Raises PictureTooLargeError above `max_nodes`, GraphvizMissingError where no program can place the nodes.

    >>> from tinygrad_seq import Value
    >>> a, b = Value(2.0).named("a"), Value(-3.0).named("b")
    >>> c = (a * b).named("c")
    >>> c.backward()
    >>> draw_graph(c).save("product.svg").name
    'product.svg'
    """
    roots = checked_nodes(node)
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(map(repr, DIRECTIONS))}, got {direction!r}")
    if isinstance(colour, str) and colour not in ("grad", "value"):
        raise ValueError(f'colour must be "grad", "value", a measure, a function of a node or None, got {colour!r}')
    measure = None
    if colour is not None and not isinstance(colour, str):
        colour, measure = as_measure(colour)
    record = Graph(*roots).nodes
    nodes = record if around is None else nearby(record, checked_around(around, distance, record), distance)
    marks = {id(node): said for node, said in (mark or {}).items()}
    if marks.keys() - {id(node) for node in nodes}:
        raise ValueError("mark has a node that is not drawn: give nodes that the picture is made from, or around them")
    if len(nodes) > max_nodes:
        raise PictureTooLargeError(
            f"draw_graph is for small graphs of up to {max_nodes:,} nodes, and this one has {len(nodes):,}: draw a "
            "node nearer to the inputs, or what is around=one of its nodes, use draw_unrolled(…) where it goes through "
            "time steps, or raise max_nodes (the time it takes grows faster than the graph)"
        )
    gradients = Gradients(roots, record, sought=colour == "grad")
    measures = measured(nodes, gradients, colour)
    clusters = Clusters(nodes)
    items, edges = wire(nodes, clusters, ops=values, takers=takers_elsewhere(record, nodes))
    faces = [
        face_of(item, gradients, values=values, coloured=measures is not None, mark=marks.get(id(item.node)))
        for item in items
    ]
    home = [clusters.home[item.at] for item in items]
    rooms = [corner(cluster) for cluster in clusters.list]
    layout = lay_out([(face.width, face.height) for face in faces], home, clusters.list, rooms, edges, direction)

    top = MARGIN + (34 if title else 0)
    scale = None
    if measures is not None:
        scale = scale_for(measures) if colour == "grad" else scale_of_measure(measures)
    measure_of = {id(x): measure for x, measure in zip(nodes, measures or (), strict=False)}
    taken: Counter[str] = Counter()
    ids = item_ids(items, taken)
    boxes: dict[int | None, list[Part]] = {}
    for i, (item, face) in enumerate(zip(items, faces, strict=True)):
        x, y = layout.centres[i]
        fill = scale.fill(measure_of[id(item.node)]) if scale and item.kind in (VALUE, COPY) else None
        said = marks.get(id(item.node))
        boxes.setdefault(home[i], []).append(box(item, face, ids[i], x + MARGIN, y + top, fill, gradients, said))
    curves = [
        Curve(
            moved(layout.courses[a, b], MARGIN, top),
            ends=(ids[a], ids[b]),
            dashed=items[a].kind == FAR or items[b].kind == ON,
        )
        for a, b in edges
    ]
    frames = grounds(clusters.list, [(x + MARGIN, y + top, w, h) for x, y, w, h in layout.frames])
    parts: list[Part] = [Text(MARGIN, MARGIN + 12, plain(title), 17, INK, "start", True, "title")] if title else []
    parts += [frame for frame in frames if frame.width]
    parts += [*curves, *grouped(clusters.list, frames, boxes, taken)]
    width = max(layout.width, label_width(plain(title or ""), 17) * 1.1) + 2 * MARGIN
    height = layout.height + top + MARGIN
    if scale is not None and measures is not None:
        means = meaning(colour, measure, gradients)
        key, right, bottom = legend(MARGIN, height, means, scale, measures, [], layout.width)
        parts.append(key)
        width, height = max(width, right + MARGIN), bottom + MARGIN / 2
    whole = f"A graph of {len(record):,} node{'s' * (len(record) > 1)}"
    told = f"What {', '.join(map(called, roots[:8]))} was made from, from {DIRECTIONS[direction]}."
    if len(nodes) < len(record):
        whole, told = f"{len(nodes):,} nodes of {whole[:1].lower()}{whole[1:]}", f"Of what{told[4:]}"
    picture = Picture(width, height, tuple(parts), visible(title or whole), visible(told), DARK if dark else LIGHT)
    place = {id(one): i for i, one in enumerate(record)}
    stands: dict[int, list[str]] = {}
    for item, own in zip(items, ids, strict=True):
        if item.kind not in (FAR, ON):
            stands.setdefault(place[id(item.node)], []).append(own)
    return Drawing(picture, graph_subject(roots, record), stands)


def graph_subject(roots: tuple[Node, ...], nodes: list[Node]) -> Subject:
    """The record of a graph: its time steps as they are marked."""
    steps = sorted({node.t for node in nodes if node.t is not None})
    column = {t: c for c, t in enumerate(steps)}
    return Subject(
        roots=roots,
        nodes=nodes,
        names=[called(node) for node in nodes],
        stems=[node.name or "" for node in nodes],
        column=[None if node.t is None else column[node.t] for node in nodes],
        steps=steps,
        stretches=[""] * len(steps),
    )


def checked_nodes(node: Node | Sequence[Node]) -> tuple[Node, ...]:
    """The nodes to draw, at least one.  Raises TypeError and ValueError."""
    roots = tuple(node) if isinstance(node, list | tuple) else (node,)
    for root in roots:
        if not isinstance(root, Node):
            raise TypeError(f"draw_graph needs a node of a record (a Tensor or a Value), got {type(root).__name__}")
    if not roots:
        raise ValueError("draw_graph needs at least one node, got an empty list")
    return roots


def checked_around(around: Node | Sequence[Node], distance: int, record: list[Node]) -> tuple[Node, ...]:
    """The nodes to draw the surroundings of, which are in the record.  Raises TypeError and ValueError."""
    middle = checked_nodes(around)
    if distance < 0:
        raise ValueError(f"distance is a number of ops, 0 or more, got {distance}")
    ids = {id(node) for node in record}
    for node in middle:
        if id(node) not in ids:
            raise ValueError(f"around={called(node)} is no part of the graph: draw what was made of it, too")
    return middle


def item_ids(items: list[Item], taken: Counter[str]) -> list[str]:
    """A telling id for each box, none twice: its step, its scope, its name; and what it is where it is no value."""
    ids: list[str] = []
    named: dict[int, str] = {}
    for item in items:
        if item.kind in BEHIND:
            name = named[id(item.node)] + BEHIND[item.kind]
        else:
            step = "" if item.node.t is None else f"t{item.node.t}."
            name = step + path_name(item.node, item.node.name or "")
        ids.append(numbered(name, taken))
        named.setdefault(id(item.node), ids[-1])
    return ids
