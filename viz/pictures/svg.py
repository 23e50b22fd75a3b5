"""Picture → SVG, byte for byte the same for the same picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from .labels import SMALL, Label, plain, visible
from .palette import BROKEN, INK, PAPER, Theme
from .picture import Box, Curve, Group, Panel, Part, Picture, Point, Text

FONTS = "Helvetica, Arial, 'Liberation Sans', 'Noto Sans', 'DejaVu Sans', sans-serif"
EASTERN = (  # named first where a text needs them: left to themselves, renderers fall back on any face, often a serif
    "'Noto Sans CJK KR', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', NanumGothic, 'Microsoft YaHei', "
    "'PingFang SC', 'Hiragino Sans', Helvetica, Arial, sans-serif"
)
EASTERN_CODES = (0x1100, 0x1200), (0x2E80, 0xA4D0), (0xAC00, 0xD7B0), (0x20000, 0x40000)
SIGN_CODES = (0x300, 0x370), (0x1D00, 0x1DC0), (0x2001, 0x2E80)
USUAL = {0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2026, 0x2212}  # dashes, quotes: every font has them
SIGNS = "'DejaVu Sans', 'Noto Sans Math', 'Segoe UI Symbol', 'Apple Symbols', Helvetica, Arial, sans-serif"
DOTS = ' stroke-dasharray="1.5 2.5"'
Paint = Callable[[str], str]  # the name of a colour → what SVG writes


def to_svg(picture: Picture, *, prefix: str = "") -> str:
    """The picture as one self-contained SVG document.  prefix: of all ids, where several stand on one page."""
    paint = paint_of(picture.theme)
    width, height = px(picture.width), px(picture.height)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    looks = f'class="{picture.theme.name}" font-family="{FONTS}" fill="{paint(INK)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {looks}>',
        f"<title>{text(picture.title)}</title>",
    ]
    if picture.desc:
        lines.append(f"<desc>{text(picture.desc)}</desc>")
    if any(isinstance(part, Box | Panel) and part.hatched for part in picture.walk()):
        lines.append(hatch(paint, prefix))
    lines.append(f'<rect width="{width}" height="{height}" fill="{paint(PAPER)}"/>')
    waiting: list[Part | None] = list(reversed(picture.parts))
    while waiting:  # a loop, not a recursion: groups may be as deep as they like
        part = waiting.pop()
        if part is None:
            lines.append("</g>")
        elif isinstance(part, Group):
            lines.append(f"<g id={attribute(prefix + part.id)} class={attribute(part.kind)}>")
            if part.title:
                lines.append(f"<title>{text(part.title)}</title>")
            waiting.append(None)
            waiting.extend(reversed(part.parts))
        else:
            lines.append(element(part, paint, prefix))
    lines.append("</svg>\n")
    return "\n".join(lines)


@lru_cache(maxsize=8)
def paint_of(theme: Theme) -> Paint:
    """The colours of a theme, each worked out once."""
    return lru_cache(maxsize=4096)(theme.hex)


def hatch(paint: Paint, prefix: str) -> str:
    """The pattern of what is not finite."""
    return (
        f'<defs><pattern id="{prefix}hatch" width="6" height="6" '
        'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="{paint(PAPER)}"/><rect width="2.4" height="6" fill="{paint(BROKEN)}"/>'
        "</pattern></defs>"
    )


def element(part: Box | Curve | Text | Panel, paint: Paint, prefix: str = "") -> str:
    """One part that is no group."""
    match part:
        case Box():
            return box(part, paint, prefix)
        case Curve():
            return curve(part, paint)
        case Text():
            title = f"<title>{text(part.title)}</title>" if part.title else ""
            ink = paint(part.ink)
            return words(part.label, part.x, part.y, part.size, ink, part.anchor, part.bold, part.kind, title)
        case Panel():
            fill = f"url(#{prefix}hatch)" if part.hatched else paint(part.fill)
            dots = DOTS if part.dotted else ""
            radius = f' rx="{px(part.radius)}"' if part.radius else ""
            title = f"<title>{text(part.title)}</title>" if part.title else ""
            return (
                f'<rect class="{part.kind}" x="{px(part.x)}" y="{px(part.y)}" width="{px(part.width)}" '
                f'height="{px(part.height)}"{radius} fill="{fill}" stroke="{paint(part.stroke)}"{dots}>{title}</rect>'
            )


def box(part: Box, paint: Paint, prefix: str) -> str:
    """A node: its outline, the badges in it, its words."""
    left, top = part.x - part.width / 2, part.y - part.height / 2
    lines = [f"<g id={attribute(prefix + part.id)} class={attribute('node ' + part.kind)}>"]
    if part.title:
        lines.append(f"<title>{text(part.title)}</title>")
    if part.desc:
        lines.append(f"<desc>{text(part.desc)}</desc>")
    fill = f"url(#{prefix}hatch)" if part.hatched else paint(part.fill)
    dots = DOTS if part.dotted else ""
    lines.append(
        f'<rect x="{px(left)}" y="{px(top)}" width="{px(part.width)}" height="{px(part.height)}" '
        f'rx="{px(part.radius)}" fill="{fill}" stroke="{paint(part.stroke)}"{dots}/>'
    )
    x = left
    for place, segment in enumerate(part.segments):
        if segment.fill:
            lines.append(tab(part, x, segment.width, paint(segment.fill), place))
        if segment.under:
            lines.append(underline(part, x, segment.width, paint(segment.under), place))
        ink = paint(segment.ink or part.ink)
        halo = paint(PAPER) if part.hatched and not segment.fill else ""
        named = (part.caption or part.strip) and segment.fill is None
        up = 7.5 if named and part.strip else 4.5 if named else 0.0
        baseline = part.y - up + segment.size * 0.35
        lines.append(words(segment.label, x + segment.width / 2, baseline, segment.size, ink, halo=halo))
        if named and not part.strip:
            said = plain(part.caption) if isinstance(part.caption, str) else part.caption
            lines.append(words(said, x + segment.width / 2, part.y + 13, 9, ink, kind="caption", halo=halo))
        if named and part.strip:
            lines.append(cells(part, x, segment.width, paint))
        x += segment.width
    return "".join([*lines, "</g>"])


def cells(part: Box, x: float, width: float, paint: Paint) -> str:
    """The numbers of a vector as a strip of colours."""
    room = min(width - 10, 7.0 * len(part.strip))
    size, left, top = room / len(part.strip), x + (width - room) / 2, part.y + 6
    shown = [
        f'<rect x="{px(left + n * size)}" y="{px(top)}" width="{px(size + 0.15)}" height="8" fill="{paint(colour)}"/>'
        for n, colour in enumerate(part.strip)
    ]
    edge = f'<rect x="{px(left)}" y="{px(top)}" width="{px(room)}" height="8" fill="none" stroke="{paint(part.ink)}"'
    return f'<g class="strip">{"".join(shown)}{edge} stroke-width="0.5"/></g>'


def underline(part: Box, x: float, width: float, fill: str, place: int) -> str:
    """The line below a badge, as long as the box is straight there."""
    last = place == len(part.segments) - 1
    left, right = x + (part.radius * 0.7 if place == 0 else 1.5), x + width - (part.radius * 0.7 if last else 1.5)
    y = part.y + part.height / 2 - 4.2
    place_ = f'x="{px(left)}" y="{px(y)}" width="{px(right - left)}" height="3"'
    return f'<rect class="flow" {place_} rx="1.5" fill="{fill}"/>'


def tab(part: Box, x: float, width: float, fill: str, place: int) -> str:
    """The coloured end of a pill that holds a badge, its outer corners as round as the pill's."""
    first, last = place == 0, place == len(part.segments) - 1
    inset, r = 0.75, part.radius - 0.75
    top, bottom = part.y - part.height / 2 + inset, part.y + part.height / 2 - inset
    left, right = x + (inset if first else 0), x + width - (inset if last else 0)
    a, b = (r if first else 0), (r if last else 0)
    d = f"M{px(left + a)} {px(top)}H{px(right - b)}"
    if b:
        d += f"A{px(b)} {px(b)} 0 0 1 {px(right)} {px(top + b)}V{px(bottom - b)}A{px(b)} {px(b)} 0 0 1 {px(right - b)} "
        d += px(bottom)
    else:
        d += f"V{px(bottom)}"
    d += f"H{px(left + a)}"
    if a:
        d += f"A{px(a)} {px(a)} 0 0 1 {px(left)} {px(bottom - a)}V{px(top + a)}A{px(a)} {px(a)} 0 0 1 {px(left + a)} "
        d += px(top)
    return f'<path class="badge" d="{d}Z" fill="{fill}"/>'


def curve(part: Curve, paint: Paint) -> str:
    """A line, and its arrowhead as a triangle of its own: markers differ between renderers."""
    points = list(part.points)
    head = ""
    if part.arrow:
        tip, (dx, dy) = points[-1], direction(points)
        size = max(1.0, 0.55 * part.width)  # a wide line has a large head
        base = (tip[0] - dx * 5.5 * size, tip[1] - dy * 5.5 * size)
        half = 2.6 * size
        corners = ((base[0] - dy * half, base[1] + dx * half), (base[0] + dy * half, base[1] - dx * half))
        head = "M" + "L".join(pair(p) for p in (tip, *corners)) + "Z"
        points[-1] = (tip[0] - dx * 4 * size, tip[1] - dy * 4 * size)
    d = f"M{pair(points[0])}C" + " ".join(pair(p) for p in points[1:])
    pale = px(part.opacity) if part.opacity < 1 else ""
    faint, solid = (f' stroke-opacity="{pale}"', f' fill-opacity="{pale}"') if pale else ("", "")
    dashes = ' stroke-dasharray="3 3"' if part.dashed else ""
    stroke = paint(part.stroke)
    looks = f'fill="none" stroke="{stroke}" stroke-width="{px(part.width)}"{dashes}{faint}'
    end = f"><title>{text(part.title)}</title></path>" if part.title else "/>"
    line = f'<path class="{part.kind}" d="{d}" {looks}{end}'
    return line + (f'<path class="head" d="{head}" fill="{stroke}"{solid}/>' if head else "")


def direction(points: list[Point]) -> Point:
    """The unit vector in which a curve arrives."""
    tip = points[-1]
    for point in reversed(points[:-1]):
        dx, dy = tip[0] - point[0], tip[1] - point[1]
        length = (dx * dx + dy * dy) ** 0.5
        if length > 0.01:
            return dx / length, dy / length
    return 1.0, 0.0


def words(
    label: Label,
    x: float,
    y: float,
    size: float,
    ink: str,
    anchor: str = "middle",
    bold: bool = False,
    kind: str = "",
    title: str = "",
    halo: str = "",
) -> str:
    """A label as one text element, a tspan for each run of another style."""
    family = fonts("".join(run.text for run in label))
    weight = ' font-weight="600"' if bold and SIGNS not in family else ""  # the bold faces lack many signs
    name = f" class={attribute(kind)}" if kind else ""
    around = f' stroke="{halo}" stroke-width="3" paint-order="stroke"' if halo else ""
    runs, lowered = [], False
    for run in label:
        style = ' font-style="italic"' if run.italic else ""
        if run.sub:
            style += f' font-size="{px(size * SMALL)}" dy="{px(size * 0.25)}"'
        elif lowered:
            style += f' dy="{px(-size * 0.25)}"'
        lowered = run.sub
        runs.append(f"<tspan{style}>{text(run.text)}</tspan>" if style else text(run.text))
    looks = f'font-size="{px(size)}" text-anchor="{anchor}" fill="{ink}"{weight}{family}{around}'
    return f'<text{name} x="{px(x)}" y="{px(y)}" {looks}>{title}{"".join(runs)}</text>'


def fonts(content: str) -> str:
    """The attribute that names fonts for scripts and signs which the usual ones lack; mostly none."""
    codes = [ord(character) for character in content]
    if any(low <= code < high for low, high in EASTERN_CODES for code in codes):
        return f' font-family="{EASTERN}"'
    if any(low <= code < high for low, high in SIGN_CODES for code in codes if code not in USUAL):
        return f' font-family="{SIGNS}"'
    return ""


def text(content: str) -> str:
    """Text content, escaped."""
    return escape(visible(content))


def attribute(content: str) -> str:
    """An attribute value, escaped and quoted."""
    return quoteattr(visible(content))


def pair(point: Point) -> str:
    """A point of a path."""
    return f"{px(point[0])} {px(point[1])}"


def px(length: float) -> str:
    """A length with at most two decimals and no more digits than it needs."""
    return f"{length:.2f}".rstrip("0").rstrip(".") if abs(length) >= 0.005 else "0"
