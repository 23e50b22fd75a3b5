"""Anything recurrent, run through time: a cell or a layer, ours or somebody's, on x from a state; and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from ...data import plain
from ...errors import DataError
from ...graph import steps
from ...nn import Module
from ...tensor import Parameter, Tensor
from .nested import arrays_in, exchanged
from .trials import gradients

__all__ = ["Run", "alike", "at", "count", "near", "parts", "prepared", "said", "slopes", "tensor", "told_apart"]


@dataclass(frozen=True)
class Run:
    """Something recurrent, and what to run it on: x, (T, batch, features), from a state."""

    cell: Any
    x: ndarray
    state: Any  # arrays, built as the cell's
    seed: int
    order: int = 1

    @property
    def name(self) -> str:
        """What it is called."""
        if isinstance(self.cell, Module):
            return f"{type(self.cell).__name__}({self.cell.extra_repr()})"
        return getattr(self.cell, "__name__", type(self.cell).__name__)

    @property
    def is_layer(self) -> bool:
        """Whether it goes through time itself."""
        return is_layer(self.cell)

    @property
    def both_ways(self) -> bool:
        """Whether it reads from the end too."""
        return bool(getattr(self.cell, "bidirectional", False))

    @property
    def batch_axis(self) -> int:
        """Where the batch stands in a state."""
        return 1 if self.is_layer else 0

    @property
    def parameters(self) -> list[Parameter]:
        """All parameters, where it is a module."""
        return list(self.cell.parameters()) if isinstance(self.cell, Module) else []

    @property
    def names(self) -> list[str]:
        """What the parameters are called."""
        return [path for path, _ in self.cell.named_parameters()] if isinstance(self.cell, Module) else []

    def leaves(self) -> tuple[Tensor, Any]:
        """New leaves for x and the state."""
        x = Tensor(self.x, requires_grad=True, name="x")
        return x, exchanged(self.state, lambda part: Tensor(part, requires_grad=True, name="h_0"))

    def __call__(self, x: Any = None, state: Any = None, lengths: Any = None) -> tuple[list[Tensor], Any]:
        """(y_1 … y_T, the last state), y_t of shape (batch, features)."""
        x = self.x if x is None else x
        state = self.state if state is None else state
        x, state = tensor(x), exchanged(state, tensor)
        with np.errstate(all="ignore"):
            return self.through(x, state, lengths) if self.is_layer else self.steps(x, state)

    def through(self, x: Any, state: Any, lengths: Any) -> tuple[list[Tensor], Any]:
        """A layer, called once."""
        crosswise = getattr(self.cell, "batch_first", False)
        x = x.swapaxes(0, 1) if crosswise else x
        output, last = self.cell(x, state) if lengths is None else self.cell(x, state, lengths)
        output = output.swapaxes(0, 1) if crosswise else output
        return [output[t] for t in range(len(output))], last

    def steps(self, x: Any, state: Any) -> tuple[list[Tensor], Any]:
        """A cell, called once for each step."""
        outs = []
        for _, x_t in steps(x):
            out, state = self.step(x_t, state)
            outs.append(out)
        return outs, state

    def step(self, x: Any, state: Any) -> tuple[Any, Any]:
        """One step of a cell: (output, state)."""
        if hasattr(self.cell, "step"):
            return self.cell.step(x, state)
        return told_apart(self.cell(x, state), state)


def is_layer(cell: Any) -> bool:
    """Whether it has one of the attributes by which a layer through time is known."""
    return any(hasattr(cell, name) for name in ("num_layers", "bidirectional", "batch_first"))


def tensor(x: Any) -> Tensor:
    """x as a node."""
    return x if isinstance(x, Tensor) else Tensor(x)


def told_apart(returned: Any, state: Any) -> tuple[Any, Any]:
    """(output, state) of what a cell returned: these two, or a state like the one that it got."""
    if alike(returned, state):
        return arrays_in(returned)[0], returned
    if isinstance(returned, tuple) and len(returned) == 2 and alike(returned[1], state):
        return returned
    raise DataError(
        f"a cell must return its new state, built as the old one, or (output, new state): it got {said(state)} and "
        f"returned {said(returned)}"
    )


def alike(one: Any, other: Any) -> bool:
    """Whether two states are built alike."""
    if isinstance(one, tuple) or isinstance(other, tuple):
        both = isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other)
        return both and all(map(alike, one, other))
    return np.shape(plain(one)) == np.shape(plain(other))


def said(state: Any) -> str:
    """A state in words."""
    if isinstance(state, tuple | list):
        return f"({', '.join(map(said, state))})"
    return f"{type(state).__name__} {np.shape(plain(state))}"


def prepared(cell: Any, example: Any, initial: Any, T: int, batch: int, seed: int) -> Run:
    """What to run: x and a state of the right shapes, random where they are not given."""
    generator = np.random.default_rng(seed)
    dtype = next((p.dtype for p in cell.parameters()), np.dtype(float)) if isinstance(cell, Module) else np.dtype(float)
    if example is None:
        features = getattr(cell, "input_size", None)
        if features is None:
            raise DataError(
                "check_recurrent needs an example, x of shape (T, batch, features): the cell has no input_size"
            )
        example = generator.normal(size=(T, batch, features))
    x = np.array(plain(example), dtype)
    if x.ndim != 3 or x.shape[0] < 3 or x.shape[1] < 2:
        raise DataError(
            f"check_recurrent needs x of shape (T, batch, features), at least 3 steps of 2 sequences, got {x.shape}"
        )
    if initial is not None:
        state = exchanged(initial, lambda part: np.array(plain(part), dtype))
    else:
        shapes = state_of(cell, x)
        state = exchanged(shapes, lambda part: generator.uniform(-0.9, 0.9, part.shape).astype(dtype))
    return Run(cell, x, state, seed)


def state_of(cell: Any, x: ndarray) -> Any:
    """Zeros, of the shape of the cell's state."""
    try:
        if is_layer(cell):
            _, state = cell(Tensor(x.swapaxes(0, 1) if getattr(cell, "batch_first", False) else x), None)
            return exchanged(state, lambda part: np.zeros(part.shape))
        if hasattr(cell, "hidden_size"):
            zeros = np.zeros((x.shape[1], cell.hidden_size))
            parts = getattr(cell, "parts", 1)
            return zeros if parts == 1 else (zeros,) * parts
        state = cell(Tensor(x[0]), None)
        state = state[1] if comes_with_output(cell, x, state) else state
        return exchanged(state, lambda part: np.zeros(part.shape))
    except Exception as error:
        raise DataError(
            f"check_recurrent needs the state before the first step, initial=, for {x.shape[1]} sequences: the cell "
            f"has no hidden_size, and called with a state of None raises {type(error).__name__}: {error}"
        ) from error


def comes_with_output(cell: Any, x: ndarray, returned: Any) -> bool:
    """Whether what a cell returned is (output, state), and not a state of two parts: it goes on from the second."""
    if not isinstance(returned, tuple) or len(returned) != 2:
        return False
    try:
        return alike(cell(Tensor(x[0]), returned[1]), returned)
    except Exception:
        return False


# ---- what comes out of a run -----------------------------------------------------------


def at(run: Run, i: int) -> str:
    """Which output number i is, of all outputs and then the last state."""
    return f"output at t={i + 1}" if i < len(run.x) else "the last state"


def parts(state: Any) -> list[Any]:
    """All tensors of a state."""
    return arrays_in(state)


def count(arrays: Sequence[Any]) -> int:
    """How many numbers there are in all."""
    return sum(np.size(plain(x)) for x in arrays)


def near(run: Run) -> float:
    """What the order of a sum may change, as a share."""
    return 1e-5 if run.x.dtype == np.float32 else 1e-11


def slopes(run: Run, outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[ndarray]:
    """The gradients of Σ w y, with random weights w of about 1, by the leaves; zeros where none comes."""
    found = gradients(outputs, leaves, run.seed)
    return [np.zeros(x.shape) if g is None else np.asarray(g) for x, g in zip(leaves, found, strict=True)]
