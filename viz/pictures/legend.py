"""What the colours mean, under the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .labels import Label, label_width, number, plain
from .palette import BROKEN, COLUMN_EDGE, FAINT, INK, PLAIN, QUIET, ZERO, EvenScale, Scale, ramp, signed
from .picture import Group, Panel, Part, Segment, Text

BAR, CELL = 180.0, 3.0  # length of the colour bar, and of one of its cells
HEIGHT = 34.0


@dataclass(frozen=True)
class Entry:
    """A shared weight: its badge, its shape, its whole gradient and the colour of that."""

    badge: Segment
    shape: str
    total: float | None = None
    fill: str = PLAIN


def legend(
    x: float,
    y: float,
    name: Label,
    scale: Scale | None,
    magnitudes: list[float | None],
    weights: list[Entry],
    room: float,
) -> tuple[Group, float, float]:
    """The legend with its upper left corner at (x, y), and how far it reaches to the right and down."""
    parts: list[Part] = []
    at = x
    if scale is not None:
        parts, at = bar(x, y, name, scale, magnitudes)
    bottom = y + (HEIGHT if scale is not None else 0)
    if weights:
        told = any(weight.total is not None for weight in weights)
        said = plain("shared weights" + (", each with its whole gradient" if told else ""))
        total = sum(map(entry_width, weights)) + label_width(said, 11) + 12
        if scale is not None and at + 30 + total > x + room:
            at, y = x, y + HEIGHT + 8
        elif scale is not None:
            at += 30
        start = at
        parts.append(Text(at, y + 13, said, 11, QUIET, "start"))
        at += label_width(said, 11) + 12
        for weight in weights:
            width = entry_width(weight)
            if at + width > x + max(room, 400.0) and at > start + 120:
                at, y = start + 16, y + 24
            parts += entry(weight, at, y)
            at += width
        bottom = max(bottom, y + 20)
    right = max((part.x + (part.width if isinstance(part, Panel) else 90) for part in parts), default=x)  # type: ignore[union-attr]
    return Group("legend", tuple(parts), kind="legend"), max(right, at), bottom


def entry_width(weight: Entry) -> float:
    """The room that a weight takes in the legend."""
    return weight.badge.width + label_width(plain(words_of(weight)), 10) + (40 if weight.total is not None else 22)


def words_of(weight: Entry) -> str:
    """The shape of a weight, and how long its gradient is."""
    return weight.shape + ("" if weight.total is None else f"  {number(weight.total)}")


def entry(weight: Entry, x: float, y: float) -> list[Part]:
    """A weight in the legend: its badge, its shape, a swatch of its gradient's colour with the number."""
    badge = weight.badge
    parts: list[Part] = [
        Panel(x, y, badge.width, 18, badge.fill or PLAIN, radius=9, kind="badge"),
        Text(x + badge.width / 2, y + 13, badge.label, 12, badge.ink or INK),
    ]
    at = x + badge.width + 5
    parts.append(Text(at, y + 13, plain(weight.shape), 10, QUIET, "start"))
    if weight.total is not None:
        at += label_width(plain(weight.shape), 10) + 5
        broken = not math.isfinite(weight.total)
        parts.append(Panel(at, y + 4, 10, 10, weight.fill, FAINT, 2, hatched=broken, kind="swatch"))
        parts.append(Text(at + 14, y + 13, plain(number(weight.total)), 10, QUIET, "start"))
    return parts


def bar(
    x: float, y: float, name: Label, scale: Scale, magnitudes: list[float | None]
) -> tuple[list[Part], float]:
    """The colour bar with its ticks, and swatches for zero, not finite, and no number."""
    width = label_width(name, 12) + 10
    parts: list[Part] = [Text(x, y + 13, name, 12, INK, "start")]
    left = x + width
    cells = int(BAR / CELL)
    both = isinstance(scale, EvenScale) and scale.low < 0
    for n in range(cells):
        share = n / (cells - 1)
        colour = signed(2 * share - 1) if both else ramp(share)
        parts.append(Panel(left + n * CELL, y + 2, CELL + 0.3, 12, colour, kind="bar"))
    for share, text in scale.ticks():
        at = left + BAR * share
        parts.append(Panel(at - 0.5, y + 14, 1, 4, QUIET, kind="tick"))
        parts.append(Text(at, y + 28, plain(text), 10, QUIET))
    at = left + BAR + 24
    swatches = [("exactly 0", ZERO, any(m == 0 for m in magnitudes), False)]
    swatches += [("NaN or Inf", BROKEN, any(m is not None and not math.isfinite(m) for m in magnitudes), True)]
    swatches += [("no gradient", PLAIN, any(m is None for m in magnitudes), False)]
    for text, fill, present, hatched in swatches:
        if present:
            edge = COLUMN_EDGE if fill != PLAIN else FAINT
            dotted = fill == PLAIN
            parts.append(Panel(at, y + 2, 18, 12, fill, edge, 3, hatched=hatched, kind="swatch", dotted=dotted))
            parts.append(Text(at + 23, y + 12, plain(text), 10, QUIET, "start"))
            at += 23 + label_width(plain(text), 10) + 16
    return parts, at
