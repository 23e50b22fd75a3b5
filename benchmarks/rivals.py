"""Interleaved timing: each round runs every contestant in turn, so that a busy machine disturbs all alike."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import perf_counter

SHORTEST = 0.05  # seconds that one measurement lasts at least, by repeating what is shorter


def race(contestants: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Median seconds of one run of each contestant."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    repeats = {}
    for name, run in contestants.items():  # warm up, and find out how long a run takes
        run()
        start = perf_counter()
        run()
        repeats[name] = max(1, round(SHORTEST / (perf_counter() - start)))
    for _ in range(rounds):
        for name, run in contestants.items():
            gc.collect()  # each sweeps up its own garbage: micrograd's graphs are cycles, and would slow down the next
            start = perf_counter()
            for _ in range(repeats[name]):
                run()
            times[name].append((perf_counter() - start) / repeats[name])
    return {name: median(t) for name, t in times.items()}


def ratio(times: dict[str, float], ours: str, peer: str) -> float:
    """Our time over the peer's: below 1 we are faster."""
    return times[ours] / times[peer]
