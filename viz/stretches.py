"""Which time steps are drawn, and which are passed over."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

Show = Literal["auto", "all"] | Sequence[int]
LEGIBLE, ENDS = 12, 4  # up to 12 steps are all shown; of longer sequences four at either end


def shown_steps(steps: list[int], show: Show) -> list[int]:
    """The columns to draw, by their place in `steps`.

    show: "auto", "all", or the time steps wanted; negative ones count from the last, as in a list.
    """
    if isinstance(show, str):
        if show not in ("auto", "all"):
            raise ValueError(f'show must be "auto", "all" or a list of time steps, got {show!r}')
        if show == "all" or len(steps) <= LEGIBLE:
            return list(range(len(steps)))
        return [*range(ENDS), *range(len(steps) - ENDS, len(steps))]
    index = {t: c for c, t in enumerate(steps)}
    chosen = set()
    for t in show:
        c = index.get(t, len(steps) + t if t < 0 else -1)
        if not 0 <= c < len(steps):
            raise ValueError(f"show asks for step {t}, and the record has the steps {steps[0]} to {steps[-1]}")
        chosen.add(c)
    if not chosen:
        raise ValueError('show must name at least one time step, got none: leave it out, or say "all"')
    return sorted(chosen)


def gaps(columns: list[int], length: int) -> list[tuple[int, int]]:
    """The stretches passed over, each as (first, last)."""
    edges = [-1, *columns, length]
    return [(a + 1, b - 1) for a, b in pairwise(edges) if b - a > 1]
