"""How much of the gradient reaches the first of 50 steps, in models that have learnt nothing yet.

‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖, where L_T = Σ over the last output, of random inputs; median of five seeds, 32 hidden units.
"""

from collections.abc import Callable

import numpy as np

from tinygrad_seq import Tensor, manual_seed, nn
from tinygrad_seq.models import GRU, LSTM, RNN, MultiheadAttention, SinusoidalPositions

T, H = 50, 32


def orthogonal() -> RNN:
    """An RNN whose W_h keeps lengths."""
    rnn = RNN(H, H)
    nn.init.orthogonal_(rnn.weight_hh_l0)
    return rnn


class SelfAttention(nn.Module):
    """One layer of it, where each step sees itself and the past."""

    def __init__(self) -> None:
        super().__init__()
        self.positions, self.attention = SinusoidalPositions(H), MultiheadAttention(H, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """(T, batch, H)."""
        x = self.positions(x)
        return self.attention(x, x, x, is_causal=True)[0], None


MODELS: dict[str, Callable[[], nn.Module]] = {
    "RNN": lambda: RNN(H, H),
    "RNN, orthogonal W_h": orthogonal,
    "LSTM, bias as PyTorch's": lambda: LSTM(H, H, forget_bias=None),
    "LSTM, forget-gate bias 1": lambda: LSTM(H, H),
    "GRU": lambda: GRU(H, H),
    "GRU, the lecture's": lambda: GRU(H, H, form="lecture"),
    "self-attention": SelfAttention,
}


def share(make: Callable[[], nn.Module], seed: int) -> float:
    """‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖."""
    rng = manual_seed(seed)
    model, x = make(), Tensor(rng.normal(size=(T, 1, H)), requires_grad=True)
    output, _ = model(x)
    output[-1].sum().backward()
    norms = np.linalg.norm(x.grad, axis=-1)[:, 0]
    return float(norms[0] / norms[-1])


for name, make in MODELS.items():
    print(f"{name:26}{np.median([share(make, seed) for seed in range(5)]):.0e}")
