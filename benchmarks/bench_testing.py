"""What a check costs: `check_op` of every op (the target is 2 s), and `gradcheck` beside PyTorch's, both in float64.

The functions beside PyTorch are written for both, the whole Jacobian is compared; then with one wrong rule among many.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from tinygrad_seq import Op, Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.ops import table
from tinygrad_seq.testing import check_op, gradcheck

ROUNDS, TARGET = 5, 2.0


def chain(lib: Any, cat: Callable[..., Any], x: Any, W: Any) -> Any:
    """An RNN of five steps without a bias."""
    h = x[0] @ W[:2]
    for t in range(5):
        h = lib.tanh(cat([x[t], h]) @ W)
    return h


def seconds(function: Callable[[], Any]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def ops() -> None:
    """The slowest ops, and the sum of all."""
    took = {name: seconds(lambda op=op: check_op(op)) for name, op in vars(table).items()}
    slowest = sorted(took, key=lambda name: took[name], reverse=True)[:5]
    print(f"check_op of {len(took)} ops, second order too: {sum(took.values()):.1f} s")
    print("the slowest: " + ", ".join(f"{name} {took[name]:.2f} s" for name in slowest))
    over = [name for name in took if took[name] > TARGET]
    print(f"over {TARGET:.0f} s: {', '.join(over) or 'none'}")


def beside_torch() -> None:
    """The same function through both."""
    rng = np.random.default_rng(0)
    x, W = rng.normal(size=(5, 2)), rng.normal(size=(2 + 3, 3))

    def ours() -> None:
        gradcheck(lambda x, W: chain(F, F.concat, x, W), [x, W], fast_mode=False)

    def theirs() -> None:
        leaves = [torch.tensor(a, requires_grad=True) for a in (x, W)]
        assert torch.autograd.gradcheck(lambda x, W: chain(torch, torch.cat, x, W), leaves)

    both = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    a, b = (median(times) for times in zip(*both))
    print(f"gradcheck of an RNN of 5 steps: {1e3 * a:.1f} ms, PyTorch's {1e3 * b:.1f} ms: {a / b:.2f} times as long")


def blamed() -> None:
    """One op wrong at one of many steps: until it is named."""
    wrong = Op(np.sin, lambda g, out, x: (g * np.cos(x) * 1.001,), name="sine")
    for steps in (20, 2000):

        def function(x: Any, steps: int = steps) -> Any:
            for t in range(steps):
                x = wrong(x) if t == steps // 2 else F.sin(x)
            return x

        start = perf_counter()
        report = gradcheck(function, [Tensor(np.ones(8), requires_grad=True)], raise_exception=False)
        took = perf_counter() - start
        assert [fault.op for fault in report.faults] == [wrong]
        print(f"a wrong op among {steps:,} nodes is named after {took:.2f} s")


if __name__ == "__main__":
    ops()
    blamed()
    beside_torch()
