"""The equations of the recurrent networks, one step each, in the lecture's letters.

An equation is made of PyTorch's parameters once, before the first step, and holds the letters that are the same at
every step.  `step` takes x_t and the state and gives what the network puts out, and the state that it hands on.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_seq import Parameter, Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.functional import gates, sigmoid, tanh

__all__ = ["Equation", "GRUEquation", "LSTMEquation", "LectureGRUEquation", "RNNEquation", "Weights"]


class Weights(NamedTuple):
    """PyTorch's parameters of one layer, in one direction; of several gates one below the other.

    weight_ih: (gates · hidden, input).  weight_hh: (gates · hidden, hidden).  The biases: (gates · hidden), or None.
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None = None
    bias_hh: Parameter | None = None

    @property
    def bias(self) -> Any:
        """The sum of the two biases, or None."""
        return None if self.bias_ih is None else (self.bias_ih + self.bias_hh).named("b")

    @property
    def joint(self) -> Tensor:
        """One matrix for [h, x]: (hidden + input, gates · hidden)."""
        return F.concat([self.weight_hh.T, self.weight_ih.T])


class RNNEquation(NamedTuple):
    """h_t = tanh(x_t W_x + h_{t-1} W_h + b), with the same W_x, W_h and b at every step (Elman 1990).

    W_x: (input, hidden).  W_h: (hidden, hidden).  b: (hidden), or None.  activation: tanh, or relu.
    """

    W_x: Tensor
    W_h: Tensor
    b: Tensor | None
    activation: Any = tanh

    @classmethod
    def of(cls, p: Weights, activation: Any = tanh) -> RNNEquation:
        """The lecture's letters, made of PyTorch's parameters: transposed, and with one bias for two."""
        return cls(p.weight_ih.T.named("W_x"), p.weight_hh.T.named("W_h"), p.bias, activation)

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step: what the cell puts out, and the state that it hands on; here they are the same.

        x: (batch, input), h: (batch, hidden), both also without the batch.
        """
        h = self.activation(product(x, self.W_x, self.b) + h @ self.W_h).named("h")  # (batch, hidden)
        return h, h


class LSTMEquation(NamedTuple):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers, Schmidhuber and Cummins 2000).

        f_t = σ(W_f·[h_{t-1}, x_t] + b_f)      i_t = σ(W_i·[h_{t-1}, x_t] + b_i)      o_t = σ(W_o·[h_{t-1}, x_t] + b_o)
        C̃_t = tanh(W_C·[h_{t-1}, x_t] + b_C)
        C_t = f_t * C_{t-1} + i_t * C̃_t        h_t = o_t * tanh(C_t)

    W: (hidden + input, 4 hidden), the columns of i, f, C̃ and o side by side, in PyTorch's order.  b: (4 hidden).
    """

    W: Tensor
    b: Tensor | None

    @classmethod
    def of(cls, p: Weights) -> LSTMEquation:
        """The lecture's letters, made of PyTorch's parameters."""
        return cls(p.joint.named("W"), p.bias)

    def step(self, x: Any, state: tuple[Any, Any]) -> tuple[Any, tuple[Any, Any]]:
        """One step: h_t, and the state (h_t, C_t).  x: (batch, input).  The state: (batch, hidden) each."""
        h, C = state
        i, f, C̃, o = gates(product(F.concat([h, x], -1), self.W, self.b), sigmoid, sigmoid, tanh, sigmoid)
        i.name, f.name, C̃.name, o.name = "i", "f", "C̃", "o"  # each (batch, hidden)
        C = (f * C + i * C̃).named("C")  # a sum: the gradient along C meets nothing but f
        h = (o * tanh(C)).named("h")
        return h, (h, C)


class GRUEquation(NamedTuple):
    """The gated recurrent unit as PyTorch computes it (Cho et al. 2014, with the reset after the product).

        r_t = σ(W_r·[h_{t-1}, x_t] + b_r)      z_t = σ(W_z·[h_{t-1}, x_t] + b_z)
        n_t = tanh(x_t W_n + b_n + r_t * (h_{t-1} U_n + c_n))
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    W: (hidden + input, 2 hidden), the columns of r and z.  b: (2 hidden).  W_n: (input, hidden).  U_n: (hidden,
    hidden).  The lecture's form is `LectureGRUEquation`; there z_t and 1 - z_t change places.
    """

    W: Tensor
    b: Tensor | None
    W_n: Tensor
    b_n: Tensor | None
    U_n: Tensor
    c_n: Tensor | None

    @classmethod
    def of(cls, p: Weights) -> GRUEquation:
        """The letters, made of PyTorch's parameters, whose rows are those of r, z and n."""
        H = p.weight_hh.shape[1]
        W = F.concat([p.weight_hh[: 2 * H].T, p.weight_ih[: 2 * H].T]).named("W")
        b = b_n = c_n = None
        if p.bias_ih is not None and p.bias_hh is not None:
            b = (p.bias_ih[: 2 * H] + p.bias_hh[: 2 * H]).named("b")
            b_n, c_n = p.bias_ih[2 * H :].named("b_n"), p.bias_hh[2 * H :].named("c_n")
        return cls(W, b, p.weight_ih[2 * H :].T.named("W_n"), b_n, p.weight_hh[2 * H :].T.named("U_n"), c_n)

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step: h_t twice.  x: (batch, input), h: (batch, hidden)."""
        r, z = gates(product(F.concat([h, x], -1), self.W, self.b), sigmoid, sigmoid)
        r.name, z.name = "r", "z"  # each (batch, hidden)
        n = tanh(product(x, self.W_n, self.b_n) + r * product(h, self.U_n, self.c_n)).named("n")
        h = ((1 - z) * n + z * h).named("h")
        return h, h


class LectureGRUEquation(NamedTuple):
    """The gated recurrent unit in the lecture's form (Cho et al. 2014): no bias, reset before the product.

        z_t = σ(W_z·[h_{t-1}, x_t])      r_t = σ(W_r·[h_{t-1}, x_t])      h̃_t = tanh(W·[r_t * h_{t-1}, x_t])
        h_t = (1 - z_t) * h_{t-1} + z_t * h̃_t

    W_g: (hidden + input, 2 hidden), the columns of r and z.  W: (hidden + input, hidden).
    """

    W_g: Tensor
    W: Tensor

    @classmethod
    def of(cls, p: Weights) -> LectureGRUEquation:
        """The letters, made of parameters that are laid out as PyTorch's: the rows of r, z and h̃."""
        H = p.weight_hh.shape[1]
        W_g = F.concat([p.weight_hh[: 2 * H].T, p.weight_ih[: 2 * H].T]).named("W_g")
        return cls(W_g, F.concat([p.weight_hh[2 * H :].T, p.weight_ih[2 * H :].T]).named("W"))

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step: h_t twice.  x: (batch, input), h: (batch, hidden)."""
        r, z = gates(F.concat([h, x], -1) @ self.W_g, sigmoid, sigmoid)
        r.name, z.name = "r", "z"  # each (batch, hidden)
        h̃ = tanh(F.concat([r * h, x], -1) @ self.W).named("h̃")
        h = ((1 - z) * h + z * h̃).named("h")
        return h, h


Equation = RNNEquation | LSTMEquation | GRUEquation | LectureGRUEquation


def product(x: Any, W: Any, b: Any) -> Any:
    """x W + b, or x W where there is no bias."""
    return x @ W if b is None else F.affine(x, W, b)
