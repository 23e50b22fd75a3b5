"""One training step of recurrent nets written from primitives, against PyTorch eager on the same equations.

    h_t = tanh(x_t W_x + h_{t-1} W_h + b), with a loss on the last h_t W_y + b_y or on every one;
    and an LSTM with its four gates in one product

Forward, backward and a plain gradient step; float32; medians of interleaved runs, one thread each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_seq as ts
from rivals import race, ratio
from tinygrad_seq import functional as F

LR = 1e-3


def weights(rng: np.random.Generator, I: int, H: int, O: int, gates: int = 1) -> dict[str, np.ndarray]:
    shapes = {"W_x": (I, gates * H), "W_h": (H, gates * H), "b": (gates * H,), "W_y": (H, O), "b_y": (O,)}
    return {name: (rng.standard_normal(shape) * 0.1).astype(np.float32) for name, shape in shapes.items()}


def rnn(lib: Any, xs: Any, targets: Any, p: dict[str, Any], h: Any) -> Any:
    W_x, W_h, b, W_y, b_y = p.values()
    for x in xs:
        h = lib.tanh(x @ W_x + h @ W_h + b)
    return lib.cross_entropy(h @ W_y + b_y, targets[-1])


def tagger(lib: Any, xs: Any, targets: Any, p: dict[str, Any], h: Any) -> Any:
    W_x, W_h, b, W_y, b_y = p.values()
    loss = 0.0
    for x, target in zip(xs, targets):
        h = lib.tanh(x @ W_x + h @ W_h + b)
        loss = loss + lib.cross_entropy(h @ W_y + b_y, target)
    return loss


def lstm(lib: Any, xs: Any, targets: Any, p: dict[str, Any], h: Any) -> Any:
    W_x, W_h, b, W_y, b_y = p.values()
    C = h
    for x in xs:
        f, i, o, g = lib.chunk(x @ W_x + h @ W_h + b, 4, 1)
        C = lib.sigmoid(f) * C + lib.sigmoid(i) * lib.tanh(g)
        h = lib.sigmoid(o) * lib.tanh(C)
    return lib.cross_entropy(h @ W_y + b_y, targets[-1])


def ours(net: Callable[..., Any], xs: np.ndarray, targets: np.ndarray, p: dict[str, np.ndarray], H: int) -> Any:
    params = {name: ts.Parameter(value) for name, value in p.items()}
    h0 = ts.Tensor(np.zeros((xs.shape[1], H), np.float32))

    def step() -> None:
        loss = net(F, [x for _, x in ts.steps(ts.Tensor(xs))], targets, params, h0)
        loss.backward()
        for param in params.values():
            param.data = param.data - LR * param.grad
            param.grad = None

    return step


def torchs(net: Callable[..., Any], xs: np.ndarray, targets: np.ndarray, p: dict[str, np.ndarray], H: int) -> Any:
    import torch

    torch.set_num_threads(1)

    class lib:
        tanh, sigmoid, chunk = torch.tanh, torch.sigmoid, torch.chunk
        cross_entropy = torch.nn.functional.cross_entropy

    params = {name: torch.tensor(value, requires_grad=True) for name, value in p.items()}
    X, Y, h0 = torch.tensor(xs), torch.tensor(targets), torch.zeros(xs.shape[1], H)

    def step() -> None:
        loss = net(lib, X, Y, params, h0)
        loss.backward()
        with torch.no_grad():
            for param in params.values():
                param -= LR * param.grad
                param.grad = None

    return step


CASES = {
    "RNN  T=25  B=1  H=64, one loss": (rnn, 25, 1, 64, 1, 0.8),
    "RNN  T=500 B=1  H=64, one loss": (rnn, 500, 1, 64, 1, 0.8),
    "RNN  T=25  B=1  H=64, 25 losses": (tagger, 25, 1, 64, 1, 0.8),
    "RNN  T=500 B=1  H=64, 500 losses": (tagger, 500, 1, 64, 1, 0.8),
    "LSTM T=100 B=32 H=128, one loss": (lstm, 100, 32, 128, 4, 1.0),
}


def main() -> None:
    for name, (net, T, B, H, gates, target) in CASES.items():
        rng = np.random.default_rng(0)
        I = O = 32 if gates == 1 else 64
        xs = rng.standard_normal((T, B, I)).astype(np.float32)
        ys = rng.integers(0, O, (T, B))
        p = weights(rng, I, H, O, gates)
        work = (net, xs, ys, p, H)
        times = race({"ours": ours(*work), "torch": torchs(*work)}, rounds=int(sys.argv[1]) if sys.argv[1:] else 21)
        print(
            f"{name:33} ours {times['ours'] * 1e3:8.2f} ms   torch {times['torch'] * 1e3:8.2f} ms   "
            f"ratio {ratio(times, 'ours', 'torch'):.2f}  (target {target})"
        )


if __name__ == "__main__":
    main()
