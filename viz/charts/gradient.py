"""Charts of gradient over time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from tinygrad_seq import gradflow
from tinygrad_seq.graph import Node

from ..pictures.labels import number, token_text
from ..pictures.palette import LIGHT

INK, QUIET, BROKEN = LIGHT.hex("ink"), LIGHT.hex("quiet"), LIGHT.hex("broken")
LINES = ("#1f62a8", "#b4530a", "#00735c", "#a3457f", "#7a6400", "#4b5aa8")
MARKERS = "osD^vP"
EASTERN = (
    "Noto Sans CJK KR", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic", "Noto Sans CJK JP",
    "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Emoji", "Segoe UI Emoji", "Arial Unicode MS",
)  # fmt: skip
MANY = 40  # tokens under one axis
SIMPLE = re.compile(r"[A-Za-z]+(_[A-Za-z0-9])?")  # names that Matplotlib can typeset: h, W_x
ESCAPES = {0x2400 + code: repr(chr(code))[1:-1] for code in range(0x20)}  # its font has no signs for control characters


def plot_gradient_flow(
    source: Any,
    *,
    name: str = "h",
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot how much gradient reaches each time step, on a logarithmic axis.

    source: a loss, whose record is read for the nodes called `name`; or what `gradflow.per_step` gives (anything with
    `t` and norms as an array); or a mapping of labels to several of either, drawn into one chart.
    tokens: one for each step, written under the axis.  ax: where to draw; a figure of its own by default, which is
    `ax.figure`.  Exact zeros stand at the lower edge as hollow triangles, NaN and Inf at the upper as crosses.

    >>> import numpy as np
    >>> from tinygrad_seq import Tensor, steps
    >>> h = Tensor([1.0], requires_grad=True)
    >>> for t, x in steps(np.zeros((4, 1))):
    ...     h = (h * 0.1 + x).named("h")
    >>> ax = plot_gradient_flow(h.sum())
    >>> ax.get_yscale()
    'log'
    """
    many = isinstance(source, Mapping)
    series = {str(label): read(one, name) for label, one in (source.items() if many else [("", source)])}
    if not series:
        raise ValueError("plot_gradient_flow needs at least one series, got an empty mapping")
    ax = new_axes() if ax is None else ax
    floor, ceiling = limits([norms for _, norms in series.values()])
    for n, (label, (t, norms)) in enumerate(series.items()):
        good = np.isfinite(norms) & (norms > 0)
        colour, marker = LINES[n % len(LINES)], MARKERS[n % len(MARKERS)]
        line = np.where(good, norms.clip(floor, ceiling), np.where(norms == 0, floor, np.nan))
        small = 5.0 if len(t) <= MANY else 2.0
        ax.plot(t, line, color=colour, linewidth=1.8, zorder=2, label=label or None, marker=marker, markersize=small,
                markevery=list(np.flatnonzero(good)))  # fmt: skip
        mark_exceptions(ax, t, norms, floor, ceiling, colour)
    finish(ax, next(iter(series.values()))[0], tokens, title, floor, ceiling)
    simple = SIMPLE.fullmatch(name) is not None and "_" not in name
    ax.set_ylabel(f"‖∂L/∂${name}_t$‖" if simple else f"‖∂L/∂{name} at step t‖", color=INK, parse_math=simple)
    if many or ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, prop={"family": families()})
    return ax


def plot_parts(
    source: Any,
    weight: Node | None = None,
    *,
    tokens: Sequence[object] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot what each time step adds to the gradient of a shared weight: ∂L/∂W = Σ_t (the part of step t).

    source: a loss, together with the weight; or what `gradflow.parts` gives (anything with `t` and norms as an array).
    A bar is the length of one part, on a logarithmic axis.  tokens, title, ax: as in plot_gradient_flow.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter, steps
    >>> W, h = Parameter([[0.5]], name="W"), np.ones((1, 1))
    >>> for t, x in steps(np.ones((3, 1, 1))):
    ...     h = (h @ W + x).named("h")
    >>> len(plot_parts(h.sum(), W, tokens="abc").patches)
    3
    """
    if isinstance(source, Node):
        if weight is None:
            raise TypeError("plot_parts needs a weight beside the loss: plot_parts(loss, model.W_x)")
        source = gradflow.parts(source, weight)
    t, norms = read(source, "")
    ax = new_axes() if ax is None else ax
    floor, ceiling = limits([norms])
    good = np.isfinite(norms) & (norms > 0)
    ax.bar(t, np.where(good, norms.clip(floor, ceiling), floor), bottom=0, width=0.68, color=LINES[0], zorder=2)
    if len(t) <= 12:
        for step, norm in zip(t[good], norms[good], strict=True):
            ax.annotate(
                number(norm), (step, norm), (0, 3), textcoords="offset points", ha="center", color=QUIET, size=9
            )
    mark_exceptions(ax, t, norms, floor, ceiling, LINES[0])
    finish(ax, t, tokens, title, floor, ceiling)
    called = getattr(source, "name", "") or "W"
    typeset = SIMPLE.fullmatch(called) is not None
    ax.set_ylabel(f"‖part of ∂L/∂${called}$‖" if typeset else f"‖part of ∂L/∂{called}‖", color=INK, parse_math=typeset)
    return ax


def read(source: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Time steps and magnitudes of one series."""
    if isinstance(source, Node):
        source = gradflow.per_step(source, name)
    if not hasattr(source, "t"):
        raise TypeError(
            "a chart needs a loss, or time steps `t` with their norms such as gradflow.per_step gives, "
            f"got {type(source).__name__}"
        )
    t, norms = np.asarray(source.t), np.asarray(source, float)
    if t.shape != norms.shape or t.ndim != 1 or not t.size:
        raise ValueError(f"a chart needs one magnitude for each time step, got shapes {t.shape} and {norms.shape}")
    return t, norms


def new_axes() -> Axes:
    """Axes of a figure that pyplot knows nothing of."""
    figure = Figure(figsize=(7.2, 3.6), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def limits(norms: list[np.ndarray]) -> tuple[float, float]:
    """The lower and upper edge of the axis; zeros have a decade of their own below all others."""
    values = np.concatenate(norms)
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return 0.1, 10.0
    low, high = np.floor(np.log10(positive.min()) - 0.1), np.ceil(np.log10(positive.max()) + 0.1)
    if (values == 0).any():
        low -= 1
    return float(10.0 ** max(low, -150)), float(10.0 ** min(high, 150))  # further, matplotlib's ticks overflow


def mark_exceptions(ax: Axes, t: np.ndarray, norms: np.ndarray, floor: float, ceiling: float, colour: str) -> None:
    """Zeros at the lower edge, what is not finite at the upper: neither has a place on a logarithmic axis."""
    zero, broken = norms == 0, ~np.isfinite(norms)
    if zero.any():
        ax.plot(t[zero], np.full(zero.sum(), floor), "v", markerfacecolor="white", markeredgecolor=colour, markersize=7,
                clip_on=False, zorder=4, label="exactly 0")  # fmt: skip
    if broken.any():
        ax.plot(t[broken], np.full(broken.sum(), ceiling), "X", color=BROKEN, markersize=8, clip_on=False, zorder=4,
                label="NaN or Inf")  # fmt: skip


def finish(
    ax: Axes, t: np.ndarray, tokens: Sequence[object] | None, title: str | None, floor: float, ceiling: float
) -> None:
    """Scale, ticks, tokens and the quiet frame that all charts share."""
    if tokens is not None and len(tokens) != len(t):
        raise ValueError(f"tokens must have one entry for each of the {len(t)} steps, got {len(tokens)}")
    ax.set_yscale("log")
    ax.set_ylim(floor, ceiling)
    ax.set_xlim(t[0] - 0.6, t[-1] + 0.6)
    every = max(1, -(-len(t) // MANY))
    if tokens is not None:
        words = [shortened(token_text(token).translate(ESCAPES)) for token in tokens]
        long = max(map(len, words)) > 6 and len(t) > 8
        ax.set_xticks(t[::every], [f"{word}\n{k}" for word, k in zip(words, t, strict=True)][::every], parse_math=False,
                      fontfamily=families(), rotation=60 if long else 0)  # fmt: skip
    elif len(t) <= 20:
        ax.set_xticks(t)
    ax.set_xlabel("time step t", color=INK)
    quiet_frame(ax, title)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, prop={"family": families()})


def quiet_frame(ax: Axes, title: str | None) -> None:
    """The title, a grid of faint lines, and no more of a frame than two sides."""
    if title:
        ax.set_title(title, loc="left", color=INK, fontfamily=families(), parse_math=False)
    ax.grid(axis="y", color="#e3e8ed", linewidth=0.8, zorder=0)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#c3ccd4")
    ax.tick_params(colors=QUIET, labelcolor=INK)


def shortened(word: str) -> str:
    """At most twelve characters of a token, for an axis."""
    return word if len(word) <= 12 else word[:11] + "…"


def families() -> list[str]:
    """Matplotlib's own font, then those of this machine that have letters of other scripts."""
    there = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in EASTERN if name in there)]
