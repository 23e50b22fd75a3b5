"""One step of a recurrent network, with parameters of its own; time is elsewhere: in your loop, or in a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import functional as F
from tinygrad_seq import nn
from tinygrad_seq.errors import DataError
from tinygrad_seq.nn.layers import sizes

from .equations import Equation, GRUEquation, LectureGRUEquation, LSTMEquation, RNNEquation, Weights
from .parameters import as_input, new_weights
from .states import check_batch, zero_state

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class Cell(nn.Module):
    """What the cells have in common.

    The parameters are PyTorch's: weight_ih (gates · hidden, input), weight_hh (gates · hidden, hidden), bias_ih and
    bias_hh (gates · hidden), evenly within ±1/√hidden at the start.
    """

    gates = 1
    parts = 1  # of the state: h, or h and C

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        made = new_weights(input_size, hidden_size, self.gates, bias=bias, dtype=dtype)
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = made

    @property
    def weights(self) -> Weights:
        """The parameters, for an equation."""
        return Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def equation(self) -> Equation:
        """The equation in its letters, to be made once before a loop over time."""
        raise NotImplementedError

    def step(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step: (output, state).  x: (batch, input) or (input).  Raises ShapeError for sizes that do not fit."""
        x = as_input(type(self).__name__, x, self.input_size, self.weight_ih.dtype)
        check_batch(type(self).__name__, state, (*x.shape[:-1], self.hidden_size))
        return self.equation().step(x, state)

    def forward(self, x: Any, state: Any = None) -> Any:
        """The next state, as in PyTorch; it starts from zeros where none is given."""
        if state is None:
            state = zero_state((*np.shape(x)[:-1], self.hidden_size), self.parts, self.weight_hh.dtype)
        return self.step(x, state)[1]

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class RNNCell(Cell):
    """One step of an RNN: h_t = tanh(x_t W_x + h_{t-1} W_h + b), or with nonlinearity="relu" relu for tanh.

    `h = cell(x, h)` as in PyTorch, whose parameters it has.

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

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = checked_nonlinearity(type(self).__name__, nonlinearity)

    def equation(self) -> RNNEquation:
        """The equation in its letters, to be made once before a loop over time."""
        return RNNEquation.of(self.weights, ACTIVATIONS[self.nonlinearity])


class LSTMCell(Cell):
    """One step of an LSTM; see `LSTMEquation`.  `h, C = cell(x, (h, C))` as in PyTorch, whose parameters it has.

    forget_bias: what b_f starts with, see `LSTM`.

    >>> import numpy as np
    >>> from tinygrad_seq.models import LSTMCell
    >>> h, C = LSTMCell(3, 4)(np.ones((2, 3)))
    >>> h.shape, C.name
    ((2, 4), 'C')
    """

    gates, parts = 4, 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: float | None = 1.0,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        open_forget_gate(self.weights, forget_bias)

    def equation(self) -> LSTMEquation:
        """The equation in its letters, to be made once before a loop over time."""
        return LSTMEquation.of(self.weights)


class GRUCell(Cell):
    """One step of a GRU.  `h = cell(x, h)` as in PyTorch, whose parameters it has.

    form: "torch", see `GRUEquation`, or "lecture", see `LectureGRUEquation`; the latter has no bias.

    >>> import numpy as np
    >>> from tinygrad_seq.models import GRUCell
    >>> GRUCell(3, 4, form="lecture")(np.ones((2, 3))).shape
    (2, 4)
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool | None = None,
        *,
        form: str = "torch",
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, gru_bias("GRUCell", form, bias), dtype)
        self.form = form

    def equation(self) -> GRUEquation | LectureGRUEquation:
        """The equation in its letters, to be made once before a loop over time."""
        return GRU_FORMS[self.form].of(self.weights)


# ---- arguments that cells and layers share -------------------------------------------

ACTIVATIONS = {"tanh": F.tanh, "relu": F.relu}
GRU_FORMS: dict[str, Any] = {"torch": GRUEquation, "lecture": LectureGRUEquation}


def checked_nonlinearity(name: str, nonlinearity: str) -> str:
    """Raise DataError for what is neither "tanh" nor "relu"."""
    if nonlinearity not in ACTIVATIONS:
        raise DataError(f'{name}: nonlinearity must be "tanh" or "relu", got {nonlinearity!r}')
    return nonlinearity


def gru_bias(name: str, form: str, bias: bool | None) -> bool:
    """Whether there is one: in PyTorch's form by default, in the lecture's never."""
    if form not in GRU_FORMS:
        raise DataError(f'{name}: form must be "torch" or "lecture", got {form!r}')
    if form == "lecture" and bias:
        raise DataError(f'{name}: the form "lecture" has no bias: leave it out, or take form="torch"')
    return form == "torch" if bias is None else bias


def open_forget_gate(weights: Weights, forget_bias: float | None) -> None:
    """Let b_f, the sum of PyTorch's two biases, start with that number; None leaves it as PyTorch has it."""
    if forget_bias is None or weights.bias_ih is None or weights.bias_hh is None:
        return
    forget = slice(weights.weight_hh.shape[1], 2 * weights.weight_hh.shape[1])  # the second of i, f, C̃, o
    for bias, start in ((weights.bias_ih, forget_bias), (weights.bias_hh, 0.0)):
        data = bias.data.copy()
        data[forget] = start
        bias.data = data
