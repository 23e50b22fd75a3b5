"""Time per op of a chain of 10³ to 10⁶ additions, forward and backward: it must not grow with the length."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from tinygrad_seq import Tensor, Value

LENGTHS = (1_000, 10_000, 100_000, 1_000_000)


def once(start: Tensor | Value, one: Tensor | Value, n: int) -> tuple[float, float]:
    """Seconds per op, forward and backward."""
    begin = perf_counter()
    y = start
    for _ in range(n):
        y = y + one
    middle = perf_counter()
    y.backward()
    return (middle - begin) / n, (perf_counter() - middle) / n


def main() -> None:
    pairs = {
        "Tensor": (Tensor(0.0, requires_grad=True), Tensor(1.0)),
        "Value": (Value(0.0), Value(1.0)),
    }
    for name, (start, one) in pairs.items():
        runs: dict[int, list[tuple[float, float]]] = {n: [] for n in LENGTHS}
        for _ in range(5):  # in turn, so that a busy machine disturbs all alike
            for n in LENGTHS:
                runs[n] += [once(start, one, n) for _ in range(max(1, 100_000 // n))]
        base = 0.0
        for n in LENGTHS:
            forward, backward = (median(times) * 1e6 for times in zip(*runs[n], strict=True))
            base = base or forward + backward
            growth = (forward + backward) / base
            print(
                f"{name:6} {n:>9,} ops   forward {forward:5.2f} µs   backward {backward:5.2f} µs   "
                f"{growth:.2f} × that of 10³ (target 1.5)"
            )


if __name__ == "__main__":
    main()
