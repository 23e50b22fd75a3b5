"""One training step of each model, beside PyTorch eager on the same equations and beside torch.nn's fused layers.

Forward and backward through T steps from a loss on all outputs; float32; medians of interleaved runs, one thread each.
`bench_tasks.py` does the same with the tasks' own batches, losses and updates.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from rivals import race, ratio
from tinygrad_seq import Tensor
from tinygrad_seq.models import GRU, LSTM, RNN, TransformerEncoderLayer
from tinygrad_seq.models.training.memory import keep_freed_memory

# ---- the same equations in PyTorch, step by step -------------------------------------


def rnn(p: Any, xs: Any, h: Any) -> Any:
    W_x, W_h, b = p["weight_ih_l0"].T, p["weight_hh_l0"].T, p["bias_ih_l0"] + p["bias_hh_l0"]
    hs = []
    for x in xs:
        h = torch.tanh(x @ W_x + b + h @ W_h)
        hs.append(h)
    return torch.stack(hs)


def lstm(p: Any, xs: Any, h: Any) -> Any:
    W, b = torch.cat([p["weight_hh_l0"].T, p["weight_ih_l0"].T]), p["bias_ih_l0"] + p["bias_hh_l0"]
    C, hs = h, []
    for x in xs:
        i, f, g, o = torch.addmm(b, torch.cat([h, x], -1), W).chunk(4, -1)
        C = torch.sigmoid(f) * C + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(C)
        hs.append(h)
    return torch.stack(hs)


def gru(p: Any, xs: Any, h: Any) -> Any:
    H = h.shape[-1]
    W_ih, W_hh, b_ih, b_hh = (p[name] for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
    W, b = torch.cat([W_hh[: 2 * H].T, W_ih[: 2 * H].T]), b_ih[: 2 * H] + b_hh[: 2 * H]
    W_n, b_n, U_n, c_n = W_ih[2 * H :].T, b_ih[2 * H :], W_hh[2 * H :].T, b_hh[2 * H :]
    hs = []
    for x in xs:
        r, z = torch.sigmoid(torch.addmm(b, torch.cat([h, x], -1), W)).chunk(2, -1)
        n = torch.tanh(torch.addmm(b_n, x, W_n) + r * torch.addmm(c_n, h, U_n))
        h = (1 - z) * n + z * h
        hs.append(h)
    return torch.stack(hs)


def lecture_gru(p: Any, xs: Any, h: Any) -> Any:
    H = h.shape[-1]
    W_ih, W_hh = p["weight_ih_l0"], p["weight_hh_l0"]
    W_g, W = torch.cat([W_hh[: 2 * H].T, W_ih[: 2 * H].T]), torch.cat([W_hh[2 * H :].T, W_ih[2 * H :].T])
    hs = []
    for x in xs:
        r, z = torch.sigmoid(torch.cat([h, x], -1) @ W_g).chunk(2, -1)
        h = (1 - z) * h + z * torch.tanh(torch.cat([r * h, x], -1) @ W)
        hs.append(h)
    return torch.stack(hs)


def encoder_layer(p: Any, xs: Any, _: Any) -> Any:
    """Norm after, four heads, ReLU."""

    def norm(x: Any, name: str) -> Any:
        return nn.functional.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"])

    T, B, E = xs.shape
    qkv = xs @ p["self_attn.in_proj_weight"].T + p["self_attn.in_proj_bias"]
    q, k, v = (x.reshape(T, B, 4, -1).permute(1, 2, 0, 3) for x in qkv.chunk(3, -1))  # (B, heads, T, E / 4)
    context = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
    y = context.permute(2, 0, 1, 3).reshape(T, B, E) @ p["self_attn.out_proj.weight"].T + p["self_attn.out_proj.bias"]
    x = norm(xs + y, "norm1")
    hidden = torch.relu(x @ p["linear1.weight"].T + p["linear1.bias"])
    return norm(x + hidden @ p["linear2.weight"].T + p["linear2.bias"], "norm2")


# ---- the contest ---------------------------------------------------------------------

SMALL, MIDDLE, LARGE = (50, 50, 2, 64), (64, 32, 80, 128), (100, 32, 64, 256)  # T, batch, input, hidden
CASES: list[tuple[str, Callable[..., Any], Callable[..., Any] | None, Callable[..., Any], tuple[int, ...]]] = [
    (name, ours, fused, eager, size)
    for name, ours, fused, eager in (
        ("RNN", RNN, nn.RNN, rnn),
        ("LSTM", LSTM, nn.LSTM, lstm),
        ("GRU", GRU, nn.GRU, gru),
        ("lecture's GRU", lambda *sizes, **kw: GRU(*sizes, form="lecture", **kw), None, lecture_gru),
    )
    for size in (SMALL, MIDDLE, LARGE)
] + [
    (
        "Transformer encoder layer",
        lambda E, heads, dtype: TransformerEncoderLayer(E, heads, 4 * E, 0.0, dtype=dtype),
        lambda E, heads: nn.TransformerEncoderLayer(E, heads, 4 * E, 0.0),
        encoder_layer,
        size,
    )
    for size in ((50, 50, 32, 4), (64, 32, 128, 4))
]


def contestants(ours: Any, fused: Any, eager: Any, size: tuple[int, ...]) -> dict[str, Callable[[], None]]:
    T, B, I, H = size
    model = ours(I, H, dtype=np.float32)
    xs = np.random.default_rng(0).standard_normal((T, B, I)).astype(np.float32)
    X, X_torch = Tensor(xs), torch.tensor(xs)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in model.state_dict().items()}
    h = torch.zeros(B, H)

    def run_ours() -> None:
        y = model(X)
        y = y[0] if isinstance(y, tuple) else y
        (y * y).sum().backward()
        model.zero_grad()

    def run_eager() -> None:
        y = eager(p, X_torch, h)
        (y * y).sum().backward()
        for parameter in p.values():
            parameter.grad = None

    running = {"ours": run_ours, "eager": run_eager}
    if fused is not None:
        layer = fused(I, H)
        layer.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})

        def run_fused() -> None:
            y = layer(X_torch)
            y = y[0] if isinstance(y, tuple) else y
            (y * y).sum().backward()
            layer.zero_grad()

        running["fused"] = run_fused
    return running


def main() -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    rounds = int(sys.argv[1]) if sys.argv[1:] else 11
    for name, ours, fused, eager, size in CASES:
        times = race(contestants(ours, fused, eager, size), rounds=rounds)
        beside = f"eager {ratio(times, 'ours', 'eager'):5.2f}"
        beside += f"   fused {ratio(times, 'ours', 'fused'):5.2f}" if "fused" in times else ""
        sizes = "T={:<4} B={:<3} in {:<4} H={:<4}".format(*size)
        print(f"{name:26} {sizes} ours {times['ours'] * 1e3:8.2f} ms   beside {beside}", flush=True)


if __name__ == "__main__":
    main()
