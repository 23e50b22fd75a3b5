"""Picture → DOT with positions: what `neato -n2` renders as it stands, and what people edit further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from .labels import Label, label_width, visible
from .palette import COLUMN_EDGE, PAPER
from .picture import Box, Curve, Group, Panel, Part, Picture, Segment, Text

FONTS = "Helvetica,Arial,Liberation Sans,sans-serif"
LOWERED = 0.85  # size of a subscript, which Graphviz makes smaller once more
Paint = Callable[[str], str]  # the name of a colour → what DOT writes


def to_dot(picture: Picture) -> str:
    """The picture as a DOT graph; columns are clusters, every node and edge keeps its place."""
    height, paint = picture.height, picture.theme.hex
    lines = [
        "digraph {",
        f'\tgraph [tooltip={quote(picture.title)} bgcolor="{paint(PAPER)}"',
        f'\t\tfontname="{FONTS}" outputorder=nodesfirst splines=true]',
        f'\tnode [fixedsize=true fontname="{FONTS}" margin=0 penwidth=0.8]',
        "\tedge [arrowsize=0.5 penwidth=0.9]",
    ]
    ends: Counter[str] = Counter()
    names = {part.id for part in picture.walk() if isinstance(part, Box)}
    framed = {part.frame for part in picture.walk() if isinstance(part, Group) and part.frame}
    grounds = {frame_of(part): part for part in picture.walk() if isinstance(part, Panel) and part.kind == "frame"}
    waiting: list[Part | None] = list(reversed(picture.parts))
    while waiting:
        part = waiting.pop()
        match part:
            case None:
                lines.append("\t}")
            case Group():
                lines.append(f"\tsubgraph {quote('cluster_' + part.id)} {{")
                if part.frame is not None:
                    lines.append(cluster(part.frame, grounds.get(part.frame), height, paint))
                waiting.append(None)
                waiting.extend(reversed(part.parts))
            case Box():
                lines.append(node(part, height, paint))
            case Text():
                lines.append(note(part, height, f"text {len(lines)}", paint))
            case Panel() if frame_of(part) not in framed or part.kind != "frame":
                lines.append(panel(part, height, f"panel {len(lines)}", paint))
            case Curve():
                lines.append(edge(part, height, names, ends, paint))
    lines.append("}\n")
    return "\n".join(line for line in lines if line)


def frame_of(part: Panel) -> tuple[float, float, float, float]:
    """Where a panel is."""
    return part.x, part.y, part.width, part.height


def cluster(frame: tuple[float, float, float, float], ground: Panel | None, height: float, paint: Paint) -> str:
    """The box of a cluster, on the ground that the picture gives it."""
    x, y, width, tall = frame
    bb = f"{place(x, y + tall, height)},{place(x + width, y, height)}"
    fill, stroke = (ground.fill, ground.stroke) if ground else (PAPER, COLUMN_EDGE)
    looks = f'style="filled,rounded" fillcolor="{paint(fill)}" color="{paint(stroke)}"'
    return f'\t\tgraph [bb="{bb}" label="" {looks}]'


def node(part: Box, height: float, paint: Paint) -> str:
    """A box as a DOT node: its segments become one label."""
    shape = "circle" if part.width == part.height and part.radius * 2 >= part.height else "box"
    style = "filled" if shape == "circle" else "filled,rounded"
    style += ",dashed" if part.hatched else ",dotted" if part.dotted else ""
    words = "&#160;".join(inked(segment, paint) for segment in part.segments)
    caption = escaped(part.caption) if isinstance(part.caption, str) else markup(part.caption, 7)
    caption = f'<BR/><FONT POINT-SIZE="7">{caption}</FONT>' if part.caption else ""
    return (
        f"\t\t{quote(part.id)} [shape={shape} style={quote(style)} label=<{words}{caption}> "
        f"tooltip={quote(part.title)} fontsize={points(part.segments[0].size)} "
        f'fillcolor="{paint(part.fill)}" fontcolor="{paint(part.ink)}" color="{paint(part.stroke)}" '
        f'pos="{place(part.x, part.y, height)}" width={inches(part.width)} height={inches(part.height)}]'
    )


def note(part: Text, height: float, name: str, paint: Paint) -> str:
    """A line of text as a node without a shape."""
    width = label_width(part.label, part.size)
    middle = part.x + {"start": 0.5, "middle": 0.0, "end": -0.5}[part.anchor] * width
    words = markup(part.label, part.size)
    words = f"<B>{words}</B>" if part.bold else words
    return (
        f"\t\t{quote(name)} [shape=plaintext label=<{words}> fontsize={points(part.size)} "
        f'fontcolor="{paint(part.ink)}" pos="{place(middle, part.y - part.size * 0.35, height)}" '
        f"width={inches(width * 1.3 + 12)} height={inches(part.size * 2)}]"
    )


def panel(part: Panel, height: float, name: str, paint: Paint) -> str:
    """A rectangle as a node without a label."""
    middle = place(part.x + part.width / 2, part.y + part.height / 2, height)
    style = "filled" + (",rounded" if part.radius else "") + (",dotted" if part.dotted else "")
    fill, stroke = ("transparent" if colour == "none" else paint(colour) for colour in (part.fill, part.stroke))
    return (
        f'\t\t{quote(name)} [shape=box style="{style}" label="" fillcolor="{fill}" color="{stroke}" '
        f'pos="{middle}" width={inches(part.width)} height={inches(part.height)}]'
    )


def edge(part: Curve, height: float, names: set[str], ends: Counter[str], paint: Paint) -> str:
    """An edge along its course; where an end is no node (the edge of a column), a point stands for it."""
    lines, tips = [], []
    for end, point in zip(part.ends, (part.points[0], part.points[-1]), strict=True):
        if end not in names:
            ends["stub"] += 1
            end = f"stub {ends['stub']}"
            lines.append(f'\t\t{quote(end)} [shape=point style=invis width=0.01 pos="{place(*point, height)}"]')
        tips.append(end)
    course = list(part.points)
    arrow = f"e,{place(*course[-1], height)} " if part.arrow else ""
    if part.arrow:
        (x1, y1), (x2, y2) = course[-2], course[-1]
        length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 0.01)
        course[-1] = (x2 - (x2 - x1) / length * 5, y2 - (y2 - y1) / length * 5)
    pos = arrow + " ".join(place(x, y, height) for x, y in course)
    head = "normal" if part.arrow else "none"
    colour = paint(part.stroke) + (f"{round(part.opacity * 255):02x}" if part.opacity < 1 else "")
    lines.append(
        f'\t\t{quote(tips[0])} -> {quote(tips[1])} [pos="{pos}" arrowhead={head} color="{colour}" '
        f"penwidth={points(part.width)}{' style=dashed' if part.dashed else ''}]"
    )
    return "\n".join(lines)


def inked(segment: Segment, paint: Paint) -> str:
    """A segment in its own size and colour."""
    colour = f' COLOR="{paint(segment.ink)}"' if segment.ink else ""
    return f'<FONT POINT-SIZE="{points(segment.size)}"{colour}>{markup(segment.label, segment.size)}</FONT>'


def markup(label: Label, size: float) -> str:
    """A label in Graphviz's HTML, its subscripts smaller than the rest."""
    said = []
    for run in label:
        words = escaped(run.text)
        if run.sub:
            words = f'<FONT POINT-SIZE="{points(size * LOWERED)}"><SUB>{words}</SUB></FONT>'
        said.append(f"<I>{words}</I>" if run.italic else words)
    return "".join(said) or escaped("")


MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "]": "&#93;"})  # ]> ends a label early


def escaped(text: str) -> str:
    """Text inside an HTML label: never empty, or the parser gives up."""
    return visible(text).translate(MARKUP) or "&#160;"


def quote(text: str) -> str:
    """A DOT string: always in quotes, so that no name is read as a keyword, a port or HTML."""
    safe = visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'


def place(x: float, y: float, height: float) -> str:
    """A point in Graphviz's `pos`: y grows upward."""
    return f"{points(x)},{points(height - y)}"


def points(length: float) -> str:
    """A length or coordinate, to a tenth."""
    return f"{length:.1f}".rstrip("0").rstrip(".")


def inches(length: float) -> str:
    """A width or height, which Graphviz wants in inches."""
    return f"{length / 72:.3f}"
