"""The colours of every picture, and the scale from a gradient's magnitude to a colour."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

INK, QUIET, FAINT = "#1f2933", "#66727f", "#a9b3bd"  # text, captions, lines
PAPER, COLUMN, COLUMN_EDGE, PLAIN = "#ffffff", "#f6f8fa", "#e3e8ed", "#ffffff"
ZERO, BROKEN = "#d5d9dd", "#c2410c"

# From pale to deep, ordered for the colour-blind and in grey print alike (after ColorBrewer's YlGnBu).
RAMP = ("#fbfbd8", "#e4f3b9", "#bfe3b4", "#86cdb9", "#4ab2c1", "#2a8fbd", "#2767a9", "#253f8e", "#1c2460")
# A colour for each shared weight (after Okabe and Ito, darkened to be read as text).
WEIGHTS = ("#b4530a", "#00735c", "#a3457f", "#1f62a8", "#7a6400", "#8a3324", "#4b5aa8", "#3d7a1e")
DECADES = 12  # what is smaller than the largest gradient by more than this shares one colour


@dataclass(frozen=True, slots=True)
class GradientScale:
    """Colours for magnitudes between 10**low and 10**high."""

    low: int
    high: int
    clipped: bool = False

    def fill(self, magnitude: float | None) -> str:
        """The colour of a node; without a gradient it stays plain, at exactly zero it is grey."""
        if magnitude is None:
            return PLAIN
        if not math.isfinite(magnitude):
            return BROKEN
        if magnitude == 0:
            return ZERO
        return ramp((math.log10(magnitude) - self.low) / (self.high - self.low))


def scale_for(magnitudes: Iterable[float | None]) -> GradientScale:
    """The scale that holds all positive finite magnitudes, in whole decades."""
    logs = [math.log10(m) for m in magnitudes if m is not None and 0 < m < math.inf]
    if not logs:
        return GradientScale(-1, 0)
    high = math.ceil(max(logs))
    low = min(math.floor(min(logs)), high - 1)
    return GradientScale(max(low, high - DECADES), high, low < high - DECADES)


def ramp(position: float) -> str:
    """The colour at `position` of the ramp, 0 pale and 1 deep."""
    place = min(max(position, 0.0), 1.0) * (len(RAMP) - 1)
    lower = min(int(place), len(RAMP) - 2)
    pairs = zip(channels(RAMP[lower]), channels(RAMP[lower + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - lower)):02x}" for a, b in pairs)


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def ink_on(fill: str) -> str:
    """Dark or white text, whichever reads better on `fill`."""
    red, green, blue = ((c / 255) ** 2.2 for c in channels(fill))
    return PAPER if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.3 else INK


def tint(colour: str, strength: float = 0.14) -> str:
    """A pale version of `colour`, for the ground of a badge."""
    return "#" + "".join(f"{round(255 - (255 - c) * strength):02x}" for c in channels(colour))
