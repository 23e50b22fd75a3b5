"""Writes tests/data/hooks.npz: what PyTorch's hooks see of a net, and what becomes of its gradients.

Run by hand, where torch 2.13 is installed: python tests/make_hooks_references.py

h_t = tanh(h_{t-1} W + x_t) for t = 1 … 4, loss = Σ h_4².  "W", "h0", "x" (T, H): what it begins with.  For each case of
tests/hook_cases.py: "case/seen" (calls, H) what the hooks on h_t were given, in the order of the calls,
"case/t" (calls,) of which t, and "case/W", "case/h0" the gradients of the leaves.
"""

from pathlib import Path

import numpy as np
import torch

from hook_cases import CASES, hang_on_leaves, hang_on_state

T, H = 4, 3


def run(case: str, W: torch.Tensor, h0: torch.Tensor, x: torch.Tensor) -> dict[str, np.ndarray]:
    W, h0 = W.clone().requires_grad_(), h0.clone().requires_grad_()
    seen, order = [], []

    def hook(t, change):
        def see(g):
            seen.append(g.detach().clone())
            order.append(t)
            return change(g)

        return see

    h = h0
    for t, x_t in enumerate(x, 1):
        h = torch.tanh(h @ W + x_t)
        hang_on_state(case, t, h, hook)
    hang_on_leaves(case, W, h0)
    loss = h.square().sum()
    if case == "second derivative":
        (g,) = torch.autograd.grad(loss, [W], create_graph=True)
        loss = g.square().sum()
        seen.clear()
        order.clear()
    loss.backward()
    return {
        f"{case}/seen": torch.stack(seen).numpy() if seen else np.zeros((0, H)),
        f"{case}/t": np.array(order, int),
        f"{case}/W": W.grad.numpy(),
        f"{case}/h0": h0.grad.numpy(),
    }


def main() -> None:
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(6)
    given = {"W": rng.normal(size=(H, H)), "h0": rng.normal(size=H), "x": rng.normal(size=(T, H))}
    found = dict(given)
    for case in CASES:
        found |= run(case, *(torch.tensor(array) for array in given.values()))
    np.savez(Path(__file__).parent / "data" / "hooks.npz", **found)


if __name__ == "__main__":
    main()
