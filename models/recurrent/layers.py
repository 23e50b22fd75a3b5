"""Recurrent networks through time: several layers, one or both directions, ragged batches.

`output, h_n = rnn(x, h_0)` as in PyTorch, whose parameters the layers have.  What `nn.LSTM` hides in one fused op
lies open in the record: every gate and every state by its name and its time step (see `Trace`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, nn, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, SequenceError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import sizes

from .cells import ACTIVATIONS, GRU_FORMS, checked_nonlinearity, gru_bias, open_forget_gate
from .equations import Equation, GRUEquation, LectureGRUEquation, LSTMEquation, RNNEquation, Weights
from .lengths import as_lengths, without_padding
from .parameters import as_input, new_weights
from .states import check_batch, hold, map_state, take_name, tensors_of, zero_state

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]


class Recurrent(nn.Module):
    """What the recurrent layers have in common.

    num_layers: each reads what the one below puts out.  batch_first: x is (batch, T, input).  dropout: between layers,
    in training.  bidirectional: a second network reads from the last step to the first, and the outputs of both are
    joined.  dtype: float64 by default.

    Parameters are PyTorch's, weight_ih_l0 (gates · hidden, input), weight_hh_l0, bias_ih_l0, bias_hh_l0, with _l1, …
    for further layers and _reverse for the other direction, evenly within ±1/√hidden at the start.  In the record the
    layers, where there are several, are the scopes "l0", "l0_reverse", "l1", ….

    step_clip: set it to a number, and the gradient of the state of every step is shortened to that length on its way
    back (`clip_gradient`).
    """

    gates = 1
    parts = 1  # of a layer's state: h, or h and C
    step_clip: float | None = None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        sizes(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
            raise DataError(f"{name}: dropout must be a probability, from 0 to 1, got {dropout!r}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        for suffix in self._suffixes():
            size = input_size if suffix.startswith("_l0") else self.output_size
            made = new_weights(size, hidden_size, self.gates, bias=bias, dtype=dtype)
            for kind, parameter in made._asdict().items():
                setattr(self, kind + suffix, parameter)

    @property
    def output_size(self) -> int:
        """How many numbers it puts out at each step: those of one direction, or of both."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    @property
    def dtype(self) -> Any:
        """Of its parameters."""
        return next(self.parameters()).dtype

    def weights(self, suffix: str) -> Weights:
        """The parameters of a layer in a direction, such as "_l0" or "_l1_reverse"."""
        return Weights(*[getattr(self, kind + suffix) for kind in Weights._fields])

    def equation(self, suffix: str = "_l0") -> Equation:
        """The equation of a layer in its letters, made once before the first step."""
        raise NotImplementedError

    # ---- through time ----

    def unroll(
        self,
        xs: Any,
        state: Any = None,
        *,
        embed: Callable[[Any], Any] | None = None,
        lengths: Any = None,
        start: int = 1,
    ) -> Iterator[tuple[int, Any, Any]]:
        """Go through time, and hand out each step as it is made: (t, the top layer's output, the state after it).

        xs: (T, …, input), time first.  What the body of the loop computes belongs to step t, so that a head can put
        its prediction there.  state: as handed out by an earlier unroll; zeros by default.  embed: makes x_t of an
        element of xs, such as an embedding of tokens.  lengths: (batch), where the sequences end; after its end a
        sequence keeps its state.  start: the t of the first step.
        With both directions nothing is handed out before all is read, and the state is the last one at every step.

        >>> import numpy as np
        >>> from tinygrad_seq.models import RNN
        >>> for t, h, state in RNN(3, 4).unroll(np.eye(3)):
        ...     print(t, h.t, h.shape)
        1 1 (4,)
        2 2 (4,)
        3 3 (4,)
        """
        return self._unroll(xs, state, embed, lengths, start, self._name)

    def initial(self, batch: tuple[int, ...]) -> Any:
        """The state before the first step, of zeros.  batch: (batch,), or () without one."""
        made = [zero_state((*batch, self.hidden_size), self.parts, self.dtype) for _ in self._suffixes()]
        return self._joined(made)

    def starting(self, h: Any) -> Any:
        """The state in which every layer has that h, (batch, hidden), and a C of zeros."""
        made = []
        for _ in self._suffixes():
            state = zero_state(np.shape(h), self.parts, self.dtype)
            made.append((h, *state[1:]) if self.parts > 1 else h)
        return self._joined(made)

    def select(self, state: Any, index: Any) -> Any:
        """The state of some of the sequences.  index: integers, also several times the same, as a beam needs it."""
        index = np.asarray(index)
        return map_state(lambda part: take_name(part[index], part), state)

    def last(self, state: Any) -> Any:
        """The top layer's h of a state, (batch, output_size); with both directions those of both."""
        states = self._separate(state)[-2 if self.bidirectional else -1 :]
        hs = [next(tensors_of(one)) for one in states]
        return F.concat(hs, -1) if self.bidirectional else hs[0]

    def _unroll(
        self, xs: Any, state: Any, embed: Callable[[Any], Any] | None, lengths: Any, start: int, name: str
    ) -> Iterator[tuple[int, Any, Any]]:
        place = scope(name) if name else nullcontext()
        xs = xs if hasattr(xs, "__len__") else list(xs)
        if not len(xs):
            raise SequenceError(f"{type(self).__name__} needs at least one step, got an empty sequence ({here()})")
        batch = np.shape(xs[0]) if embed else np.shape(xs[0])[:-1]
        if 0 in batch:
            raise ShapeError(f"{type(self).__name__} needs at least one sequence, got a batch of {batch} ({here()})")
        if lengths is not None:
            lengths = as_lengths(type(self).__name__, lengths, len(xs), batch)
            xs = without_padding(xs, lengths) if embed is None else xs
        with place:
            state = self.initial(batch) if state is None else state
            check_batch(type(self).__name__, state, (*batch, self.hidden_size))
        states = self._separate(state)
        ended = None if lengths is None or lengths.min() == len(xs) else lengths
        if self.bidirectional:
            yield from self._both_ways(xs, states, embed, ended, start, place)
            return
        with place:
            layers = [self._layer(suffix) for suffix in self._suffixes()]
            equations = self._equations(layers)
        name, dtype, dropping = type(self).__name__, self.dtype, self.dropout and self.training
        for t, x in steps(xs, start=start):
            x = embed(x) if embed else x
            with place:
                out = as_input(name, x, self.input_size, dtype)
                active = None if ended is None else ended > t - start
                for k, (layer, equation) in enumerate(zip(layers, equations)):
                    with layer:
                        out = F.dropout(out, self.dropout) if k and dropping else out
                        out, states[k] = self._step(equation, out, states[k], active)
            yield t, out, self._joined(states)

    def _both_ways(
        self, xs: Any, states: list[Any], embed: Any, ended: Any, start: int, place: AbstractContextManager[None]
    ) -> Iterator[tuple[int, Any, Any]]:
        """Layer by layer, each from the first step to the last and back."""
        name, dtype, below = type(self).__name__, self.dtype, []
        for _, x in steps(xs, start=start):
            x = embed(x) if embed else x
            with place:
                below.append(as_input(name, x, self.input_size, dtype))
        for k, suffix in enumerate(self._suffixes()):
            backwards = k % 2 == 1
            outs: list[Any] = [None] * len(below)
            layer = self._layer(suffix)
            with place:
                (equation,) = self._equations([layer], first=k)
            for t, x in steps(below, start=start, reverse=backwards):
                with place, layer:
                    x = F.dropout(x, self.dropout, self.training) if k > 1 and self.dropout else x
                    active = None if ended is None else ended > t - start
                    outs[t - start], states[k] = self._step(equation, x, states[k], active)
            if not backwards:
                forwards = outs
                continue
            below = []
            for _, pair in steps(list(zip(forwards, outs, strict=True)), start=start):
                with place:
                    below.append(F.concat(pair, -1))
        for t, out in steps(below, start=start):
            yield t, out, self._joined(states)

    def _step(self, equation: Equation, x: Any, before: Any, active: Any) -> tuple[Any, Any]:
        """One step of one layer, in which sequences that have ended keep their state."""
        out, state = equation.step(x, before)
        if active is None and self.step_clip is None:
            return out, state
        if active is not None and not active.all():
            state = hold(active, state, before)
        longest = self.step_clip
        if longest is not None:
            state = map_state(lambda part: take_name(F.clip_gradient(part, longest), part), state)
        return next(tensors_of(state)), state  # what a layer puts out is its h

    def _layer(self, suffix: str) -> AbstractContextManager[None]:
        """The scope of a layer in a direction; none where there is but one."""
        return scope(suffix[1:]) if self.num_layers > 1 or self.bidirectional else nullcontext()

    def _equations(self, layers: list[AbstractContextManager[None]], first: int = 0) -> list[Equation]:
        made = []
        for layer, suffix in zip(layers, self._suffixes()[first:]):
            with layer:
                made.append(self.equation(suffix))
        return made

    def _suffixes(self) -> list[str]:
        """Of the parameters of all layers and directions, in PyTorch's order."""
        directions = ("", "_reverse") if self.bidirectional else ("",)
        return [f"_l{k}{direction}" for k in range(self.num_layers) for direction in directions]

    def _separate(self, state: Any) -> list[Any]:
        """A state as a list, one for each layer and direction."""
        count = len(self._suffixes())
        if count == 1:
            return [state]
        if not isinstance(state, tuple) or len(state) != count:
            raise ShapeError(f"{type(self).__name__} needs a state of {count} layers ({here()}): pass on what it gave")
        return list(state)

    def _joined(self, states: list[Any]) -> Any:
        return states[0] if len(states) == 1 else tuple(states)

    # ---- as in PyTorch ----

    def forward(self, x: Any, h_0: Any = None, lengths: Any = None) -> tuple[Any, Any]:
        """Every output, and the last state of every layer."""
        x = x if isinstance(x, Tensor) else np.asarray(x)
        if x.ndim not in (2, 3):
            layout = "(batch, T, input)" if self.batch_first else "(T, batch, input)"
            raise ShapeError(
                f"{type(self).__name__} takes x of shape {layout} or (T, input), got {x.shape}: "
                "make tokens vectors first"
            )
        crosswise = self.batch_first and x.ndim == 3
        x = x.swapaxes(0, 1) if crosswise else x
        batch = x.shape[1:-1]
        state = None if h_0 is None else self._given(h_0, batch)
        if lengths is not None:
            lengths = as_lengths(type(self).__name__, lengths, len(x), batch)
        read = list(self._unroll(x, state, None, lengths, 1, ""))
        output = F.stack([out for _, out, _ in read], axis=1 if crosswise else 0)
        if lengths is not None and lengths.min() < len(x):
            real = np.arange(len(x))[:, None] < lengths  # (T, batch)
            output = F.where((real.T if crosswise else real)[..., None], output, 0.0)
        return output, self._stacked(read[-1][2])

    def _given(self, h_0: Any, batch: tuple[int, ...]) -> Any:
        """The state of PyTorch's h_0, or (h_0, c_0), each (layers · directions, batch, hidden)."""
        name, shape = type(self).__name__, (len(self._suffixes()), *batch, self.hidden_size)
        given = h_0 if self.parts > 1 else (h_0,)
        if not isinstance(given, tuple | list) or len(given) != self.parts:
            raise DataError(f"{name} starts from a pair (h_0, c_0), got {type(h_0).__name__}")
        tensors = []
        for part, letter in zip(given, ("h_0", "c_0")):
            if np.shape(part) != shape:
                raise ShapeError(f"{name} needs {letter} of shape {shape}, got {np.shape(part)}")
            tensors.append(part if isinstance(part, Tensor) else Tensor(part, dtype=self.dtype))
        states = []
        for k in range(shape[0]):
            one = tuple([tensor[k].named(letter) for tensor, letter in zip(tensors, ("h", "C"))])
            states.append(one if self.parts > 1 else one[0])
        return self._joined(states)

    def _stacked(self, state: Any) -> Any:
        """PyTorch's h_n, or (h_n, c_n), of a state."""
        states = self._separate(state)
        if self.parts == 1:
            return F.stack(states)
        return tuple([F.stack([one[i] for one in states]) for i in range(self.parts)])

    def extra_repr(self) -> str:
        """Its sizes, and what is not as usual."""
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        differing = [f"{key}={getattr(self, key)}" for key, usual in options.items() if getattr(self, key) != usual]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *differing])


class RNN(Recurrent):
    """An RNN through time: h_t = tanh(x_t W_x + h_{t-1} W_h + b), or relu for tanh (Elman 1990).

    `output, h_n = rnn(x, h_0, lengths)`.  x: (T, batch, input), with batch_first (batch, T, input), or (T, input).
    h_0: (layers · directions, batch, hidden), zeros by default.  lengths: (batch), where the sequences of a ragged
    batch end: what comes after changes nothing, and there output is 0.  output: every h_t of the top layer,
    (T, batch, directions · hidden).  h_n: the last h of every layer.  In the record every h_t is called "h".
    For the other arguments and the parameters see `Recurrent`.
    Raises ShapeError for inputs, states or lengths that do not fit, SequenceError where there is not one step.

    >>> import numpy as np
    >>> from tinygrad_seq.models import RNN
    >>> output, h_n = RNN(input_size=3, hidden_size=4, bidirectional=True)(np.zeros((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 8), (2, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        self.nonlinearity = checked_nonlinearity(type(self).__name__, nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def equation(self, suffix: str = "_l0") -> RNNEquation:
        """The equation of a layer in its letters, made once before the first step."""
        return RNNEquation.of(self.weights(suffix), ACTIVATIONS[self.nonlinearity])


class LSTM(Recurrent):
    """An LSTM through time; the equations are those of `LSTMEquation`.

    `output, (h_n, c_n) = lstm(x, (h_0, c_0), lengths)`; shapes as in `RNN`.  In the record every step has "f", "i",
    "C̃", "o", "C" and "h".

    forget_bias: what b_f starts with.  PyTorch starts near 0, where the forget gate is half shut and halves the
    gradient along C at every step: ∂C_T/∂C_1 is about 2^-T before there is anything to learn from.  With 1 the gate is
    σ(1) = 0.73 open (Gers, Schmidhuber and Cummins 2000; Jozefowicz, Zaremba and Sutskever 2015).  None: as PyTorch.

    >>> import numpy as np
    >>> from tinygrad_seq import Trace
    >>> from tinygrad_seq.models import LSTM
    >>> output, (h_n, c_n) = LSTM(3, 4)(np.zeros((7, 2, 3)))
    >>> trace = Trace(output)
    >>> trace["f"].shape, trace["C"].shape
    ((7, 2, 4), (7, 2, 4))
    """

    gates, parts = 4, 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        forget_bias: float | None = 1.0,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        for suffix in self._suffixes():
            open_forget_gate(self.weights(suffix), forget_bias)

    def equation(self, suffix: str = "_l0") -> LSTMEquation:
        """The equation of a layer in its letters, made once before the first step."""
        return LSTMEquation.of(self.weights(suffix))


class GRU(Recurrent):
    """A GRU through time, in PyTorch's form, see `GRUEquation`, or with form="lecture" in that of `LectureGRUEquation`.

    `output, h_n = gru(x, h_0, lengths)`; shapes as in `RNN`.  The lecture's form has no bias; the rows of its
    parameters are those of r, z and h̃, where PyTorch has r, z and n.  In the record every step has "r", "z", "n" (or
    "h̃") and "h".

    >>> import numpy as np
    >>> from tinygrad_seq.models import GRU
    >>> output, h_n = GRU(3, 4, num_layers=2, form="lecture")(np.zeros((7, 2, 3)))
    >>> output.shape, h_n.shape
    ((7, 2, 4), (2, 2, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool | None = None,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        form: str = "torch",
        dtype: Any = None,
    ) -> None:
        self.form, bias = form, gru_bias("GRU", form, bias)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def equation(self, suffix: str = "_l0") -> GRUEquation | LectureGRUEquation:
        """The equation of a layer in its letters, made once before the first step."""
        return GRU_FORMS[self.form].of(self.weights(suffix))

    def extra_repr(self) -> str:
        """Its sizes, and what is not as usual."""
        return super().extra_repr() + (', form="lecture"' if self.form == "lecture" else "")
