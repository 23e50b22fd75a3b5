"""An animation of training: how the gradient over time changes from one stage to the next."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from ..errors import PictureTooLargeError, UnknownFormatError
from ..pictures.labels import visible
from .chart import Chart
from .chart_file import rendered, write_file
from .fonts import ESCAPES, families
from .gradient import read, said
from .lines import FAINT_LINE, INK, LINES, MANY, finish, limits, mark_exceptions, new_axes, style, tell, typeset

__all__ = ["animate_gradient_flow"]

DOTS = 100.0  # in an inch: a small file
COLOURS = 64  # of the whole animation
MOST = 500  # frames
LAST = 3.0  # how many times as long as the others the first and the last frame stay


def animate_gradient_flow(
    frames: Sequence[tuple[object, Any]],
    path: str | os.PathLike[str],
    *,
    tokens: Sequence[object] | None = None,
    seconds: float = 0.5,
    title: str | None = None,
) -> Chart:
    """Write an animated GIF of how much gradient reaches each time step, a frame for each stage of a training.

    frames: pairs (label, what was measured): a series as `gradflow.per_step` gives, or an array of norms for t = 1 … T.
    The first frame stays behind as a faint dashed line; the axes are the same in all.  seconds: how long a frame is
    shown; the first and the last stay three times as long, and it begins again.
    tokens: as in plot_gradient_flow.  Gives a chart whose picture is the last frame.  data: frame, t, token (where
    given), norm: the numbers of all frames.
    Raises UnknownFormatError for a name that does not end in .gif, SaveError, ValueError for no frame, frames of
    different steps, or a time that is not positive, PictureTooLargeError for more than 500 frames.

    >>> from tinygrad_seq.viz import animate_gradient_flow
    >>> frames = [("update 0", [1e-6, 1e-3, 1.0]), ("update 100", [0.1, 0.3, 1.0])]
    >>> animate_gradient_flow(frames, "training.gif").data["frame"].tolist()[::3]
    ['update 0', 'update 100']
    """
    path, frames = Path(path), list(frames)
    if path.suffix.lower() != ".gif":
        raise UnknownFormatError(f"an animation is saved as .gif, got {str(path)!r}")
    if not frames or not 0.02 <= seconds < math.inf:
        raise ValueError(f"an animation needs one frame at least, for 0.02 s or more, got {len(frames)}, {seconds} s")
    if len(frames) > MOST:
        raise PictureTooLargeError(f"{len(frames):,} frames are more than {MOST}: give every n-th, frames[::n]")
    series = [(str(label), *measured(given)) for label, given in frames]
    t = series[0][1]
    if any(not np.array_equal(steps, t) for _, steps, _ in series):
        raise ValueError("the frames of an animation must have the same time steps: their axes stay in place")
    edges = limits([norms for *_, norms in series])
    ax = ground(*series[0], edges, tokens, said(frames[0][1], "h"))
    images = []
    for label, _, norms in series:
        draw(ax, t, norms, edges, " · ".join(part for part in (title, label) if part))
        images.append(Image.open(io.BytesIO(rendered(ax, ".png", DOTS))).convert("RGB"))
        ax.figure.set_layout_engine("none")  # type: ignore[union-attr] # once is enough: the axes stay in place
    write_file(path, gif(images, seconds))
    data: dict[str, Any] = {"frame": [label for label, *_ in series for _ in t], "t": np.tile(t, len(series))}
    if tokens is not None:
        data["token"] = [str(token) for _ in series for token in tokens]
    return Chart(ax, data | {"norm": np.concatenate([norms for *_, norms in series])}, title)


def measured(given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Time steps and norms of one frame."""
    if not hasattr(given, "t"):
        norms = np.asarray(given, float)
        if norms.ndim != 1 or not norms.size:
            raise ValueError(f"a frame needs a norm for each time step, at least one, got shape {norms.shape}")
        return np.arange(1, len(norms) + 1), norms
    return read(given, "h")


def ground(
    label: str, t: np.ndarray, norms: np.ndarray, edges: tuple[float, float], tokens: Sequence[object] | None, sign: str
) -> Axes:
    """What is the same in all frames: the axes, and the line of the first."""
    ax = new_axes()
    look: dict[str, Any] = {"color": FAINT_LINE, "linestyle": (0, (3, 2)), "label": visible(label).translate(ESCAPES)}
    ax.plot(t, on_axis(norms, edges), linewidth=1.8, **look)
    finish(ax, t, tokens, None, *edges)
    text, mathematics = typeset(sign)
    ax.set_ylabel(text, color=INK, parse_math=mathematics)
    return ax


def draw(ax: Axes, t: np.ndarray, norms: np.ndarray, edges: tuple[float, float], title: str) -> None:
    """One frame, in the place of the one before."""
    for line in ax.lines[1:]:
        line.remove()
    ax.plot(t, on_axis(norms, edges), linewidth=1.8, markersize=5.0 if len(t) <= MANY else 2.0, **style(0))
    mark_exceptions(ax, t, norms, *edges, LINES[0])
    tell(ax, loc="upper left")
    ax.set_title(visible(title).translate(ESCAPES), loc="left", color=INK, fontfamily=families(), parse_math=False)


def on_axis(norms: np.ndarray, edges: tuple[float, float]) -> np.ndarray:
    """Norms as heights on the axis, with gaps where one is not finite."""
    return np.where(np.isfinite(norms), norms.clip(*edges), np.nan)


def gif(images: list[Image.Image], seconds: float) -> bytes:
    """The frames as one file, all in the colours of the first and the last."""
    both = Image.new("RGB", (images[0].width, 2 * images[0].height))
    both.paste(images[0], (0, 0))
    both.paste(images[-1], (0, images[0].height))
    palette = both.quantize(COLOURS, dither=Image.Dither.NONE)
    pages = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    times = [round(1000 * seconds * (LAST if n in (0, len(pages) - 1) else 1)) for n in range(len(pages))]
    content = io.BytesIO()
    pages[0].save(content, "gif", save_all=True, append_images=pages[1:], duration=times, loop=0, optimize=False)
    return content.getvalue()
