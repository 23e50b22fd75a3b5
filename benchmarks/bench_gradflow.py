"""Gradient flow side by side with PyTorch: the same weights, the same numbers, and how long each takes.

`per_step` against one backward, `step_jacobians` against `torch.autograd.functional.jacobian` of the cell, `influence`
against that of the whole layer; float64, batch 1.  The largest difference is relative to the largest number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

import tinygrad_seq as ts
from rivals import race, ratio
from tinygrad_seq import functional as F
from tinygrad_seq.gradflow import influence, per_step, step_jacobians
from tinygrad_seq.models import GRU, LSTM, RNN

LAYERS = {"RNN": (RNN, "h"), "LSTM": (LSTM, ("h", "C")), "GRU": (GRU, "h")}


def layers(name: str, I: int, H: int, T: int) -> tuple[Any, Any, np.ndarray]:
    """Ours and PyTorch's with the same weights, and an input (T, 1, I)."""
    import torch

    torch.set_default_dtype(torch.float64)
    theirs = getattr(torch.nn, name)(I, H)
    ours = LAYERS[name][0](I, H)
    for path, p in ours.named_parameters():
        p.data = dict(theirs.named_parameters())[path].detach().numpy()
    return ours, theirs, np.random.default_rng(0).normal(size=(T, 1, I))


def step_of(theirs: Any) -> Callable[[Any, Any], Any]:
    """One step of PyTorch's layer as a function of x_t and the whole state."""
    import torch

    cell = getattr(torch.nn, type(theirs).__name__ + "Cell")(theirs.input_size, theirs.hidden_size)
    cell.load_state_dict({path.removesuffix("_l0"): p for path, p in theirs.state_dict().items()})
    if isinstance(cell, torch.nn.LSTMCell):
        return lambda x, state: torch.cat(cell(x, tuple(state.split(theirs.hidden_size, -1))), -1)
    return lambda x, state: cell(x, state)


def differing(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the seconds that it took."""
    start = perf_counter()
    return function(), perf_counter() - start


def line(what: str, ours: float, theirs: float, difference: float) -> None:
    print(f"  {what:32} ours {ours:8.3f} s   torch {theirs:8.3f} s   difference {difference:.1e}")


def side_by_side(name: str, T: int, I: int, H: int) -> None:
    """The three measures of one kind of network."""
    import torch
    from torch.autograd.functional import jacobian

    ours, theirs, x = layers(name, I, H, T)
    step, X, states = step_of(theirs), torch.tensor(x), []
    state = torch.zeros(1, H * (1 + (name == "LSTM")), requires_grad=True)
    for x_t in X:
        state = step(x_t, state)
        states.append(state)
    read = ts.Tensor(x, requires_grad=True)
    output, _ = ours(read)
    loss = (output**2).sum()

    print(f"{name}, T={T}, I={I}, H={H}")
    flow, seconds = timed(lambda: per_step((output[-1] ** 2).sum(), "h"))
    reference, others = timed(lambda: torch.autograd.grad((states[-1][:, :H] ** 2).sum(), states, retain_graph=True))
    line("per_step", seconds, others, differing(np.array(flow.gradients), torch.stack(reference)[..., :H].numpy()))
    J, seconds = timed(lambda: step_jacobians(loss, LAYERS[name][1]))
    cells, others = timed(
        lambda: [jacobian(lambda s, x_t=x_t: step(x_t, s), before.detach()) for x_t, before in zip(X[1:], states)]
    )
    line("step_jacobians", seconds, others, differing(J.matrices[:, 0], torch.stack(cells)[:, 0, :, 0].numpy()))
    found, seconds = timed(lambda: influence(output, read))
    whole, others = timed(lambda: jacobian(lambda x: theirs(x)[0], X))
    line("influence", seconds, others, differing(found.norms, whole.square().sum((1, 2, 4, 5)).sqrt().numpy()))


def attention(T: int, D: int) -> None:
    """Causal self-attention, in which nothing marks the steps."""
    import torch
    from torch.autograd.functional import jacobian
    from torch.nn.functional import scaled_dot_product_attention

    rng = np.random.default_rng(0)
    x, Ws = rng.normal(size=(T, D)), [rng.normal(size=(D, D)) / np.sqrt(D) for _ in range(3)]
    read = ts.Tensor(x, requires_grad=True)
    y = F.scaled_dot_product_attention(*[read @ W for W in Ws], is_causal=True)
    found, seconds = timed(lambda: influence(y, read))
    W_q, W_k, W_v = map(torch.tensor, Ws)
    whole, others = timed(
        lambda: jacobian(
            lambda x: scaled_dot_product_attention(x @ W_q, x @ W_k, x @ W_v, is_causal=True), torch.tensor(x)
        )
    )
    print(f"self-attention, T={T}, D={D}")
    line("influence", seconds, others, differing(found.norms, whole.square().sum((1, 3)).sqrt().numpy()))


def overhead(T: int, rounds: int) -> None:
    """per_step against one backward of the same record."""
    output, _ = LSTM(32, 64)(np.random.default_rng(0).normal(size=(T, 1, 32)))
    loss = (output[-1] ** 2).sum()
    times = race({"per_step": lambda: per_step(loss, "h"), "backward": loss.backward}, rounds)
    print(f"per_step of an LSTM, T={T}: {ratio(times, 'per_step', 'backward'):.2f} of one backward  (target 1.2)")


def main() -> None:
    T = int(sys.argv[1]) if sys.argv[1:] else 60
    for name in LAYERS:
        side_by_side(name, T, 8, 16)
    attention(T, 16)
    overhead(1000, 11)
    output, _ = LSTM(64, 64)(x := ts.Tensor(np.random.default_rng(0).normal(size=(200, 1, 64)), requires_grad=True))
    found, seconds = timed(lambda: influence(output, x))
    print(f"influence of an LSTM, T=200, 64 → 64: {seconds:.1f} s  (target 10)   {found!r}")


if __name__ == "__main__":
    main()
