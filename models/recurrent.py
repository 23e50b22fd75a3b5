"""Recurrent networks: the same equation at every step, and a state that carries what came before.

The equations stand in `…Equation.step`, in the lecture's letters.  A cell is one step with parameters of its own; a
layer goes through time.  Both bear PyTorch's names and hold its parameters, of which the letters are made once,
before the first step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Parameter, Tensor, nn, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import SequenceError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

__all__ = ["RNN", "RNNCell", "RNNEquation"]


class RNNEquation(NamedTuple):
    """h_t = tanh(x_t W_x + h_{t-1} W_h + b), with the same W_x, W_h and b at every step (Elman 1990).

    W_x: (input, hidden).  W_h: (hidden, hidden).  b: (hidden), or 0.
    """

    W_x: Tensor
    W_h: Tensor
    b: Any

    @classmethod
    def of(
        cls, weight_ih: Parameter, weight_hh: Parameter, bias_ih: Parameter | None, bias_hh: Parameter | None
    ) -> RNNEquation:
        """The lecture's letters, made of PyTorch's parameters: transposed, and with one bias for two."""
        b = 0.0 if bias_ih is None or bias_hh is None else (bias_ih + bias_hh).named("b")
        return cls(weight_ih.T.named("W_x"), weight_hh.T.named("W_h"), b)

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step: what the cell puts out, and the state that it hands on; here they are the same.

        x: (batch, input), h: (batch, hidden), both also without the batch.
        """
        h = F.tanh(x @ self.W_x + h @ self.W_h + self.b).named("h")  # (batch, hidden)
        return h, h


class RNNCell(nn.Module):
    """One step of an RNN: h_t = tanh(x_t W_x + h_{t-1} W_h + b).

    The parameters are PyTorch's: weight_ih (hidden, input), weight_hh (hidden, hidden), bias_ih and bias_hh (hidden),
    evenly within ±1/√hidden at the start.  Time is elsewhere: in a loop of your own over `equation()`, or in `RNN`.

    >>> import numpy as np
    >>> from tinygrad_seq import steps
    >>> from tinygrad_seq.models import RNNCell
    >>> cell = RNNCell(3, 4)
    >>> equation, h = cell.equation(), np.zeros(4)
    >>> for t, x in steps(np.eye(3)):       # 저는 [1,0,0]  강사 [0,1,0]  입니다 [0,0,1]
    ...     y, h = equation.step(x, h)
    >>> h.name, h.t, h.shape
    ('h', 3, (4,))
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None) -> None:
        super().__init__()
        sizes("RNNCell", input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights(input_size, hidden_size, bias, dtype)

    def equation(self) -> RNNEquation:
        """The equation in its letters, to be made once before a loop over time."""
        return RNNEquation.of(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def step(self, x: Any, h: Any) -> tuple[Any, Any]:
        """One step: (output, state)."""
        return self.equation().step(as_input("RNNCell", x, self.input_size, self.weight_ih), h)

    def forward(self, x: Any, h: Any = None) -> Any:
        """The next state, as in PyTorch.  x: (batch, input) or (input).  h: (batch, hidden) or (hidden), or zeros."""
        if h is None:
            h = zero_state(np.shape(x)[:-1], self.hidden_size, self.weight_hh)
        return self.step(x, h)[1]

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class RNN(nn.Module):
    """An RNN through time: h_t = tanh(x_t W_x + h_{t-1} W_h + b), one layer, from the first step to the last.

    `output, h_n = rnn(x, h_0)` as in PyTorch.  x: (T, batch, input), with batch_first (batch, T, input), or (T, input).
    h_0: (1, batch, hidden), or (1, hidden); zeros by default.  output: every h_t, (T, batch, hidden) or as x is laid
    out.  h_n: the last, of the shape of h_0.  In the record every h_t is called "h" and knows its t.

    The parameters are PyTorch's: weight_ih_l0 (hidden, input), weight_hh_l0 (hidden, hidden), bias_ih_l0 and
    bias_hh_l0 (hidden), evenly within ±1/√hidden at the start.
    Raises ShapeError for inputs or states of another size, and SequenceError where there is not one step.

    >>> import numpy as np
    >>> from tinygrad_seq.models import RNN
    >>> output, h_n = RNN(input_size=3, hidden_size=4)(np.zeros((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 4), (1, 2, 4))
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, bias: bool = True, batch_first: bool = False, dtype: Any = None
    ) -> None:
        super().__init__()
        sizes("RNN", input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.batch_first = input_size, hidden_size, batch_first
        made = weights(input_size, hidden_size, bias, dtype)
        self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0 = made

    def equation(self) -> RNNEquation:
        """The equation in its letters, to be made once before a loop over time."""
        return RNNEquation.of(self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0)

    def unroll(
        self, xs: Any, state: Any = None, *, embed: Callable[[Any], Any] | None = None
    ) -> Iterator[tuple[int, Any, Any]]:
        """Go through time, and hand out each step as it is made: (t, h_t, the state after it).

        xs: (T, …, input), time first.  What the body of the loop computes belongs to step t, so that a head can put
        its prediction there.  state: (batch, hidden), as handed out by an earlier unroll; zeros by default.  embed:
        makes x_t of an element of xs, such as an embedding of tokens.

        >>> import numpy as np
        >>> from tinygrad_seq.models import RNN
        >>> for t, h, state in RNN(3, 4).unroll(np.eye(3)):
        ...     print(t, h.t, h.shape)
        1 1 (4,)
        2 2 (4,)
        3 3 (4,)
        """
        return self._unroll(xs, state, embed, self._name)

    def _unroll(self, xs: Any, h: Any, embed: Callable[[Any], Any] | None, name: str) -> Iterator[tuple[int, Any, Any]]:
        place = scope(name) if name else nullcontext()
        xs = xs if hasattr(xs, "__len__") else list(xs)
        if not len(xs):
            raise SequenceError(f"RNN needs a sequence of at least one step, got an empty one ({here()})")
        batch = np.shape(xs[0]) if embed else np.shape(xs[0])[:-1]
        with place:
            equation = self.equation()
            h = zero_state(batch, self.hidden_size, self.weight_hh_l0) if h is None else h
        for t, x in steps(xs):
            x = embed(x) if embed else x
            with place:
                x = as_input("RNN", x, self.input_size, self.weight_ih_l0)
                h, state = equation.step(x, h)
            yield t, h, state

    def forward(self, x: Any, h_0: Any = None) -> tuple[Any, Any]:
        """Every h_t, and the last."""
        x = x if isinstance(x, Tensor) else np.asarray(x)
        if x.ndim not in (2, 3):
            layout = "(batch, T, input)" if self.batch_first else "(T, batch, input)"
            raise ShapeError(f"RNN takes x of shape {layout} or (T, input), got {x.shape}: make tokens vectors first")
        batch_axis = 0 if self.batch_first else 1
        batch = x.shape[batch_axis : batch_axis + 1] if x.ndim == 3 else ()
        x = x.swapaxes(0, 1) if self.batch_first and batch else x
        if h_0 is not None:
            if np.shape(h_0) != (1, *batch, self.hidden_size):
                raise ShapeError(f"RNN needs h_0 of shape {(1, *batch, self.hidden_size)}, got {np.shape(h_0)}")
            h_0 = (h_0 if isinstance(h_0, Tensor) else Tensor(h_0))[0].named("h")
        hs = [h for _, h, _ in self._unroll(x, h_0, None, "")]
        return F.stack(hs, axis=1 if self.batch_first and batch else 0), F.stack(hs[-1:])

    def extra_repr(self) -> str:
        """Its sizes."""
        bias = "" if self.bias_ih_l0 is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}" + (", batch_first=True" if self.batch_first else "")


# ---- what cells and layers share -----------------------------------------------------


def weights(
    input_size: int, hidden_size: int, bias: bool, dtype: Any
) -> tuple[Parameter, Parameter, Parameter | None, Parameter | None]:
    """weight_ih, weight_hh, bias_ih, bias_hh: evenly within ±1/√hidden, as in PyTorch."""
    bound = 1 / sqrt(hidden_size)
    shapes = [(hidden_size, input_size), (hidden_size, hidden_size)] + [(hidden_size,)] * 2 * bias
    made = [nn.init.uniform_(new_parameter(*shape, dtype=dtype), -bound, bound) for shape in shapes]
    return (made[0], made[1], made[2], made[3]) if bias else (made[0], made[1], None, None)


def zero_state(batch: tuple[int, ...], hidden_size: int, weight: Parameter) -> Tensor:
    """h_0 where none is given."""
    return Tensor(np.zeros((*batch, hidden_size), weight.dtype), name="h")


def as_input(layer: str, x: Any, input_size: int, weight: Parameter) -> Tensor:
    """x_t as a node called "x", checked; a plain array takes the dtype of the weights."""
    x = x if isinstance(x, Tensor) else Tensor(x, dtype=weight.dtype)
    if x.ndim == 0 or x.shape[-1] != input_size:
        raise ShapeError(
            f"{layer} with input_size={input_size} cannot take x of shape {x.shape} ({here()}): "
            f"its last axis must have {input_size} numbers"
        )
    return x if x.name else x.named("x")
