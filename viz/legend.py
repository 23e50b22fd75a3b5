"""What the colours mean, under the picture."""

from __future__ import annotations

import math

from .labels import Label, Run, label_width, plain
from .palette import BROKEN, COLUMN_EDGE, FAINT, INK, PLAIN, QUIET, ZERO, GradientScale, ramp
from .picture import Group, Panel, Part, Segment, Text

BAR, CELL = 180.0, 3.0  # length of the colour bar, and of one of its cells
HEIGHT = 34.0


def legend(
    x: float,
    y: float,
    scale: GradientScale | None,
    magnitudes: list[float | None],
    weights: list[tuple[Segment, str]],
    room: float,
) -> tuple[Group, float, float]:
    """The legend with its upper left corner at (x, y), and how far it reaches to the right and down."""
    parts: list[Part] = []
    at = x
    if scale is not None:
        parts, at = bar(x, y, scale, magnitudes)
    bottom = y + (HEIGHT if scale is not None else 0)
    if weights:
        total = sum(segment.width + label_width(plain(shape), 10) + 22 for segment, shape in weights) + 110
        if scale is not None and at + 30 + total > x + room:
            at, y = x, y + HEIGHT + 8
        elif scale is not None:
            at += 30
        start = at
        parts.append(Text(at, y + 13, plain("shared weights"), 11, QUIET, "start"))
        at += label_width(plain("shared weights"), 11) + 12
        for segment, shape in weights:
            width = segment.width + label_width(plain(shape), 10)
            if at + width > x + max(room, 400.0) and at > start + 120:
                at, y = start + label_width(plain("shared weights"), 11) + 12, y + 24
            parts.append(Panel(at, y, segment.width, 18, segment.fill or PLAIN, radius=9, kind="badge"))
            parts.append(Text(at + segment.width / 2, y + 13, segment.label, 12, segment.ink or INK))
            parts.append(Text(at + segment.width + 5, y + 13, plain(shape), 10, QUIET, "start"))
            at += width + 22
        bottom = max(bottom, y + 20)
    right = max((part.x + (part.width if isinstance(part, Panel) else 90) for part in parts), default=x)  # type: ignore[union-attr]
    return Group("legend", tuple(parts), kind="legend"), max(right, at), bottom


def bar(x: float, y: float, scale: GradientScale, magnitudes: list[float | None]) -> tuple[list[Part], float]:
    """The colour bar with a tick at whole decades, and swatches for zero, not finite, and no gradient."""
    name: Label = (*plain("‖∂"), Run("L", italic=True), *plain("/∂node‖"))
    width = label_width(name, 12) + 10
    parts: list[Part] = [Text(x, y + 13, name, 12, INK, "start")]
    left = x + width
    cells = int(BAR / CELL)
    for n in range(cells):
        parts.append(Panel(left + n * CELL, y + 2, CELL + 0.3, 12, ramp(n / (cells - 1)), kind="bar"))
    decades = scale.high - scale.low
    every = math.ceil(decades / 5)
    for power in range(scale.high, scale.low - 1, -every):
        at = left + BAR * (power - scale.low) / decades
        parts.append(Panel(at - 0.5, y + 14, 1, 4, QUIET, kind="tick"))
        sign = "≤ " if scale.clipped and power == scale.low else ""
        text = f"{sign}{10.0**power:g}" if -3 <= power <= 3 else f"{sign}1e{power}"
        parts.append(Text(at, y + 28, plain(text), 10, QUIET))
    at = left + BAR + 24
    swatches = [("exactly 0", ZERO, any(m == 0 for m in magnitudes), False)]
    swatches += [("NaN or Inf", BROKEN, any(m is not None and not math.isfinite(m) for m in magnitudes), True)]
    swatches += [("no gradient", PLAIN, any(m is None for m in magnitudes), False)]
    for text, fill, present, hatched in swatches:
        if present:
            edge = COLUMN_EDGE if fill != PLAIN else FAINT
            parts.append(Panel(at, y + 2, 18, 12, fill, edge, 3, hatched=hatched, kind="swatch"))
            parts.append(Text(at + 23, y + 12, plain(text), 10, QUIET, "start"))
            at += 23 + label_width(plain(text), 10) + 16
    return parts, at
