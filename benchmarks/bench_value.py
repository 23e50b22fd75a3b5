"""`Value` against micrograd on micrograd's own demo: its MLP, its moons, its loss; forward, backward and update.

micrograd's network (micrograd.nn) runs unchanged on both: only the class of the numbers is exchanged.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import micrograd.engine
import micrograd.nn
import numpy as np

import tinygrad_seq
from rivals import race, ratio


def moons(n: int = 100, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles, and which of them each point is on: -1 or 1."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, np.pi, n // 2)
    outer = np.stack([np.cos(angle), np.sin(angle)], 1)
    inner = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    X = np.concatenate([outer, inner]) + rng.normal(0, noise, (n, 2))
    return X, np.repeat([-1, 1], n // 2)


def demo(module: ModuleType | Any) -> Callable[[], None]:
    """One step of the demo's training, with the module's Value."""
    Value = module.Value
    X, y = moons()
    micrograd.nn.Value = Value
    random.seed(1337)
    model = micrograd.nn.MLP(2, [16, 16, 1])

    def step() -> None:
        micrograd.nn.Value = Value
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y.tolist(), scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total = data_loss + reg_loss
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad

    return step


def main() -> None:
    sys.setrecursionlimit(10_000)  # micrograd walks its graph by recursion
    contestants = {"ours": demo(tinygrad_seq), "micrograd": demo(micrograd.engine)}
    times = race(contestants, rounds=7)
    print(
        f"two moons, one step   ours {times['ours'] * 1e3:6.1f} ms   micrograd {times['micrograd'] * 1e3:6.1f} ms   "
        f"ratio {ratio(times, 'ours', 'micrograd'):.2f}  (target 0.5)"
    )


if __name__ == "__main__":
    main()
