"""The colours of every picture, by name, in light and in dark; and the scale from a gradient's magnitude to a colour.

The parts of a picture carry names: "ink", "weight 3", "ramp 0.62". What they look like the writer asks of a theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

INK, QUIET, FAINT = "ink", "quiet", "faint"  # text, captions, lines
PAPER, COLUMN, COLUMN_EDGE, GAP, PLAIN = "paper", "column", "column-edge", "gap", "plain"
EDGE, STRONG, SOFT, FAR = "edge", "strong", "soft", "far"  # edges, states and named nodes, other nodes, long ways
ZERO, BROKEN, NUMBER, SHADE, SAND = "zero", "broken", "number", "shade", "sand"
ATTENTION = "attention"
MARK = "mark"  # what somebody pointed at

# From pale to deep, ordered for the colour-blind and in grey print alike (after ColorBrewer's YlGnBu).
RAMP = ("#fbfbd8", "#e4f3b9", "#bfe3b4", "#86cdb9", "#4ab2c1", "#2a8fbd", "#2767a9", "#253f8e", "#1c2460")
# In the dark what is much shines: from near the ground to pale yellow.
GLOW = ("#26334d", "#27436b", "#275a85", "#2a7797", "#3a969f", "#5fb59e", "#98d09a", "#d3e7a4", "#fbf9c4")
# A colour for each shared weight (after Okabe and Ito, darkened to be read as text).
WEIGHTS = ("#b4530a", "#00735c", "#a3457f", "#1f62a8", "#7a6400", "#8a3324", "#4b5aa8", "#3d7a1e")
LIT_WEIGHTS = ("#f0a060", "#4fd0ae", "#eb9bcb", "#7db8f2", "#dcc455", "#f09a86", "#a9b4f5", "#9ad473")
# Below and above zero, with the ground's own colour between (after ColorBrewer's PuOr).
SIGNED = ("#7f3b08", "#d98825", "#fbdcb4", "#f7f7f7", "#d0cbe4", "#8073ac", "#3a1766")
LIT_SIGNED = ("#ffc27a", "#c77a2a", "#6b4626", "#2b333d", "#494372", "#8d80c9", "#cfc5ff")
DECADES = 12  # what is smaller than the largest gradient by more than this shares one colour


@dataclass(frozen=True, eq=False)
class Theme:
    """What the names of colours look like."""

    name: str
    colours: Mapping[str, str]
    ramp: tuple[str, ...]
    signed: tuple[str, ...]
    weights: tuple[str, ...]

    def hex(self, name: str) -> str:
        """A colour as #rrggbb; what is no name, such as "none", stays as it is."""
        if name in self.colours:
            return self.colours[name]
        kind, _, at = name.rpartition(" ")
        if kind == "on":
            return self.ink_on(self.hex(at))
        if kind.startswith("on "):
            return self.ink_on(self.hex(name[3:]))
        if kind == "ramp":
            return blend(self.ramp, float(at))
        if kind == "signed":
            return blend(self.signed, (float(at) + 1) / 2)
        if kind == "weight":
            return self.weights[int(at) % len(self.weights)]
        if kind == "tint":
            return mixed(self.colours["plain"], self.weights[int(at) % len(self.weights)], 0.14)
        return name

    def ink_on(self, fill: str) -> str:
        """Dark or white text, whichever reads better on `fill`."""
        red, green, blue = ((c / 255) ** 2.2 for c in channels(fill))
        return "#ffffff" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.3 else "#1f2933"


LIGHT = Theme(
    "light",
    {
        INK: "#1f2933", QUIET: "#66727f", FAINT: "#a9b3bd",
        PAPER: "#ffffff", COLUMN: "#f6f8fa", COLUMN_EDGE: "#e3e8ed", GAP: "#fcfdfe", PLAIN: "#ffffff",
        EDGE: "#7b8794", STRONG: "#52606d", SOFT: "#8795a1", FAR: "#6b7c93", ATTENTION: "#c05a0c", MARK: "#b3261e",
        ZERO: "#d5d9dd", BROKEN: "#c2410c", NUMBER: "#eceff2", SHADE: "#dfe5ea", SAND: "#f7f2e4",
        "cell": "#e9f3e6", "cell-edge": "#9fc195", "gate": "#fdf0b5", "gate-edge": "#c9a832",
        "backward": "#fdf5ea", "backward-edge": "#ecd5b4",
        "pointwise": "#f9d5dc", "pointwise-edge": "#c98494", "conveyor": "#1f2933",
        "input": "#dcebf7", "input-edge": "#7fa8cb", "output": "#e8def3", "output-edge": "#a58cc4",
    },
    RAMP, SIGNED, WEIGHTS,
)  # fmt: skip
DARK = Theme(
    "dark",
    {
        INK: "#e6eaef", QUIET: "#9aa7b4", FAINT: "#5b6875",
        PAPER: "#12171e", COLUMN: "#1a212a", COLUMN_EDGE: "#2c3642", GAP: "#151b22", PLAIN: "#222b36",
        EDGE: "#8a97a5", STRONG: "#b4c0cc", SOFT: "#6b7986", FAR: "#8496ab", ATTENTION: "#f0a060", MARK: "#ff8a80",
        ZERO: "#434b54", BROKEN: "#ff7a45", NUMBER: "#303a46", SHADE: "#2b3540", SAND: "#3a3524",
        "cell": "#1d2b22", "cell-edge": "#4d7353", "gate": "#4d4215", "gate-edge": "#b3963a",
        "backward": "#261f17", "backward-edge": "#57452c",
        "pointwise": "#4d2630", "pointwise-edge": "#b0687a", "conveyor": "#e6eaef",
        "input": "#1f3447", "input-edge": "#5d8db5", "output": "#33284a", "output-edge": "#8a70ad",
    },
    GLOW, LIT_SIGNED, LIT_WEIGHTS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GradientScale:
    """Colours for magnitudes between 10**low and 10**high."""

    low: int
    high: int
    clipped: bool = False

    def position(self, magnitude: float) -> float:
        """Where a positive magnitude lies, 0 at the low end and 1 at the high one."""
        return (math.log10(magnitude) - self.low) / (self.high - self.low)

    def fill(self, magnitude: float | None) -> str:
        """The colour of a node; without a gradient it stays plain, at exactly zero it is grey."""
        return fill(self, magnitude)

    def ticks(self) -> list[tuple[float, str]]:
        """Where whole decades lie, and what is written there, from the high end."""
        every = math.ceil((self.high - self.low) / 5)
        marks = []
        for power in range(self.high, self.low - 1, -every):
            sign = "≤ " if self.clipped and power == self.low else ""
            text = f"{10.0**power:g}" if -3 <= power <= 3 else f"1e{power}"
            marks.append(((power - self.low) / (self.high - self.low), sign + text))
        return marks


@dataclass(frozen=True, slots=True)
class EvenScale:
    """Colours for numbers between low and high, evenly; with a middle colour for zero where they lie on both sides."""

    low: float
    high: float

    def position(self, value: float) -> float:
        """Where a value lies, 0 at the low end and 1 at the high one."""
        return (value - self.low) / (self.high - self.low)

    def fill(self, value: float | None) -> str:
        """The colour of a node; without a number it stays plain, at exactly zero it is grey."""
        if self.low < 0 and value is not None and value != 0 and math.isfinite(value):
            return signed(value / self.high)
        return fill(self, value)

    def ticks(self) -> list[tuple[float, str]]:
        """The ends and what lies between."""
        marks = [self.high, (self.low + self.high) / 2, self.low]
        return [(self.position(x), f"{x:.3g}".replace("e-0", "e-")) for x in marks]


Scale = GradientScale | EvenScale


def fill(scale: Scale, magnitude: float | None) -> str:
    """The colour of a node on a scale."""
    if magnitude is None:
        return PLAIN
    if not math.isfinite(magnitude):
        return BROKEN
    return ZERO if magnitude == 0 else ramp(scale.position(magnitude))


def scale_for(magnitudes: Iterable[float | None]) -> GradientScale:
    """The scale that holds all positive finite magnitudes, in whole decades."""
    logs = [math.log10(m) for m in magnitudes if m is not None and 0 < m < math.inf]
    if not logs:
        return GradientScale(-1, 0)
    high = math.ceil(max(logs))
    low = min(math.floor(min(logs)), high - 1)
    return GradientScale(max(low, high - DECADES), high, low < high - DECADES)


def scale_of_measure(values: Iterable[float | None]) -> Scale:
    """The scale for a measure of any kind: logarithmic where it goes over several decades, else even."""
    known = [v for v in values if v is not None and math.isfinite(v) and v != 0]
    if known and min(known) < 0:
        most = max(map(abs, known))
        return EvenScale(-most, most)
    if known and max(known) > 100 * min(known):
        return scale_for(known)
    high = max(known, default=1.0)
    return EvenScale(0.0, high)


def ramp(position: float) -> str:
    """The colour at `position` of the ramp, from 0, little, to 1, much."""
    return f"ramp {min(max(position, 0.0), 1.0):.3f}"


def signed(position: float) -> str:
    """The colour of a value from -1 to 1: one hue below zero, another above."""
    return f"signed {min(max(position, -1.0), 1.0):.3f}"


def ink_on(fill: str) -> str:
    """The colour of text that stands on `fill`."""
    return f"on {fill}"


def weight(n: int) -> str:
    """The colour of the n-th shared weight."""
    return f"weight {n % len(WEIGHTS)}"


def tint(colour: str) -> str:
    """A pale version of a weight's colour, for the ground of its badge."""
    return colour.replace("weight", "tint") if colour.startswith("weight") else NUMBER


def blend(stops: tuple[str, ...], position: float) -> str:
    """The colour at `position`, from 0 to 1, between evenly spaced stops."""
    place = position * (len(stops) - 1)
    lower = min(int(place), len(stops) - 2)
    return mixed(stops[lower], stops[lower + 1], place - lower)


def mixed(one: str, other: str, share: float) -> str:
    """A colour between two, `share` of the way to the other."""
    pairs = zip(channels(one), channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
