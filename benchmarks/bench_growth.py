"""Time and memory of a training step as the sequence grows: T from 10² to 10⁴, per step of time.

Each length runs in a process of its own; memory is the most that it held, less what it held before the step.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from time import perf_counter

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq.models import GRU, LSTM, RNN
from tinygrad_seq.models.training.memory import keep_freed_memory

LAYERS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
LENGTHS = (100, 1_000, 10_000)


def measure(kind: str, T: int) -> tuple[float, float]:
    """Seconds of a step (the best of several), and MB."""
    keep_freed_memory()
    layer = LAYERS[kind](16, 32, dtype=np.float32)
    xs = Tensor(np.random.default_rng(0).standard_normal((T, 8, 16)).astype(np.float32))
    before, times = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    for _ in range(max(3, 2_000 // T)):
        start = perf_counter()
        output, _ = layer(xs)
        (output * output).sum().backward()
        layer.zero_grad()
        del output
        times.append(perf_counter() - start)
    return min(times), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    if sys.argv[1:]:
        print(*measure(sys.argv[1], int(sys.argv[2])))
        return
    for kind in LAYERS:
        per_step = []
        for T in LENGTHS:
            command = [sys.executable, __file__, kind, str(T)]
            seconds, mb = map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
            per_step.append((seconds / T, mb / T))
            each = f"{seconds / T * 1e6:7.1f} µs and {mb / T * 1024:6.1f} kB per step"
            print(f"{kind:5} T={T:<6} {each}", flush=True)
        print(f"{kind:5} from {LENGTHS[0]} to {LENGTHS[-1]}: time per step × {per_step[-1][0] / per_step[0][0]:.2f}")


if __name__ == "__main__":
    main()
