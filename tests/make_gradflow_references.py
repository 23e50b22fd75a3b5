"""Writes tests/data/gradflow.npz: PyTorch's gradients and Jacobians through time, of its own layers.

Run by hand, where torch 2.13 is installed: python tests/make_gradflow_references.py

For RNN, LSTM and GRU: "name/param/…", "name/x" (T, B, I), "name/per_step" the gradients of Σ h_T² by every h_t
(T, B, H), "name/steps" ∂state_t/∂state_{t-1} (T - 1, B, n, n), "name/influence" ∂h_t/∂x_s (T, B, H, T, B, I).  For the
causal self-attention "attention": its W_q, W_k and W_v, "x" (T, D), and "influence" (T, D, T, D).
"""

from pathlib import Path

import numpy as np
import torch
from torch.autograd import grad
from torch.autograd.functional import jacobian

T, B, I, H = 7, 2, 3, 4


def recurrent(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    layer = getattr(torch.nn, name)(I, H)
    cell = getattr(torch.nn, f"{name}Cell")(I, H)
    for path, p in layer.named_parameters():
        p.data = torch.tensor(rng.normal(size=p.shape) * 0.6)
        getattr(cell, path.removesuffix("_l0")).data = p.data
    x = torch.tensor(rng.normal(size=(T, B, I)))

    def step(x_t: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        return torch.cat(cell(x_t, tuple(state.split(H, -1))), -1) if name == "LSTM" else cell(x_t, state)

    state = torch.zeros(B, 2 * H if name == "LSTM" else H)
    steps = []
    for t in range(T):
        if t:
            J = jacobian(lambda s, x_t=x[t]: step(x_t, s), state.detach())
            steps.append(torch.stack([J[b, :, b] for b in range(B)]))
        state = step(x[t], state)
    found = {
        "x": x,
        "per_step": torch.stack(through_time(cell, x)),
        "steps": torch.stack(steps),
        "influence": jacobian(lambda x: layer(x)[0], x),
    }
    found |= {f"param/{path}": p.detach() for path, p in layer.named_parameters()}
    return {f"{name}/{key}": value.numpy() for key, value in found.items()}


def through_time(cell: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """∂(Σ h_T²)/∂h_t: of the h_t that the next step reads, through all later steps."""
    state, hs = None, []
    for x_t in x:
        state = cell(x_t, state)
        hs.append(state[0] if isinstance(state, tuple) else state)
    return grad(hs[-1].square().sum(), hs)


def attention(rng: np.random.Generator) -> dict[str, np.ndarray]:
    x = torch.tensor(rng.normal(size=(T, H)))
    W_q, W_k, W_v = (torch.tensor(rng.normal(size=(H, H))) for _ in range(3))

    def y(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(x @ W_q, x @ W_k, x @ W_v, is_causal=True)

    found = {"x": x, "W_q": W_q, "W_k": W_k, "W_v": W_v, "influence": jacobian(y, x)}
    return {f"attention/{key}": value.numpy() for key, value in found.items()}


def main() -> None:
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(0)
    found = {key: array for name in ("RNN", "LSTM", "GRU") for key, array in recurrent(name, rng).items()}
    np.savez_compressed(Path(__file__).parent / "data" / "gradflow.npz", **found, **attention(rng))


if __name__ == "__main__":
    main()
