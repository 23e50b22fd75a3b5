"""Which time steps are drawn, and which are passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Show = Literal["auto", "all"] | Sequence[int]
LEGIBLE, ENDS = 12, 4  # up to 12 steps are all shown; of longer sequences four at either end


def shown_steps(steps: list[int], stretch: list[int], show: Show) -> list[int]:
    """The columns to draw, by their place in `steps`, the time step of each column.

    stretch: of each column; every stretch is shown on its own.  show: "auto", "all", or the time steps wanted; negative
    ones count from the last, as in a list.
    """
    if isinstance(show, str) and show not in ("auto", "all"):
        raise ValueError(f'show must be "auto", "all" or a list of time steps, got {show!r}')
    if not isinstance(show, str) and not len(show):
        raise ValueError('show must name at least one time step, got none: leave it out, or say "all"')
    columns: list[int] = []
    found: set[int] = set()
    for n in range(stretch[-1] + 1):
        of_stretch = [c for c, s in enumerate(stretch) if s == n]
        if show == "all" or (show == "auto" and len(of_stretch) <= LEGIBLE):
            columns += of_stretch
        elif isinstance(show, str):
            columns += [*of_stretch[:ENDS], *of_stretch[-ENDS:]]
        else:
            index = {steps[c]: c for c in of_stretch}
            chosen = {t: index.get(t, of_stretch[t] if -len(of_stretch) <= t < 0 else None) for t in show}
            found |= {t for t, c in chosen.items() if c is not None}
            columns += sorted({c for c in chosen.values() if c is not None})
    missing = [] if isinstance(show, str) else [t for t in show if t not in found]
    if missing:
        raise ValueError(f"show asks for step {missing[0]}, and the record has the steps {min(steps)} to {max(steps)}")
    return columns


def gaps(columns: list[int], stretch: list[int]) -> list[tuple[int, int]]:
    """The runs of columns passed over, each as (first, last), in one stretch."""
    shown, runs = set(columns), list[tuple[int, int]]()
    for c, s in enumerate(stretch):
        if c not in shown:
            if runs and runs[-1][1] == c - 1 and stretch[c - 1] == s:
                runs[-1] = (runs[-1][0], c)
            else:
                runs.append((c, c))
    return runs
