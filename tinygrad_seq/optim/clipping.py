"""Clipping of gradients before an optimiser's step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError, NonFiniteError
from ..graph import Node

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Node | Iterable[Node], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one number, so that their norm is at most max_norm; returns the norm before.

        g ← g · min(1, max_norm / (‖g‖ + 1e-6))        where ‖g‖ is the norm of all gradients as one vector

    norm_type: p of the p-norm, 1 or more, or inf for the largest element.  A norm that is NaN or infinite raises
    NonFiniteError with error_if_nonfinite; else it is returned and the gradients stay as they are, so that the
    optimiser can name the parameter that it comes from.  Pascanu, Mikolov & Bengio 2013, "On the difficulty of
    training recurrent neural networks".

    >>> from tinygrad_seq import Parameter, optim
    >>> w = Parameter([3.0, 4.0])
    >>> (w * w / 2).sum().backward()
    >>> optim.clip_grad_norm_([w], 1.0)
    5.0
    >>> w.grad.round(4)
    array([0.6, 0.8])
    """
    if not isinstance(max_norm, int | float | np.number) or not max_norm >= 0:
        raise DataError(f"clip_grad_norm_: max_norm must be a number of at least 0, got {max_norm!r}")
    p = float(norm_type)
    if not p >= 1:
        raise DataError(f"clip_grad_norm_: norm_type must be 1 or more, or inf, got {norm_type!r}")
    clipped = _with_gradient(parameters, "clip_grad_norm_")
    total = _norm([_norm_of(_array(x), p) for x in clipped], p)
    if not math.isfinite(total):
        if error_if_nonfinite:
            bad = next((x for x in clipped if not np.isfinite(_array(x)).all()), clipped[0])
            raise NonFiniteError(
                f"clip_grad_norm_ needs finite gradients, but their norm is {total}: look at that of {bad!r}. To "
                "find where it comes from compute the loss and its backward inside detect_anomaly()"
            )
        return total
    scale = max_norm / (total + 1e-6)
    if scale < 1:
        for x in clipped:
            _set(x, _array(x) * float(scale))
    return total


def clip_grad_value_(parameters: Node | Iterable[Node], clip_value: float) -> None:
    """Limit every element of the gradients to [−clip_value, clip_value].

    >>> from tinygrad_seq import Parameter, optim
    >>> w = Parameter([3.0, -0.1])
    >>> (w * w / 2).sum().backward()
    >>> optim.clip_grad_value_([w], 1.0)
    >>> w.grad
    array([ 1. , -0.1])
    """
    if not isinstance(clip_value, int | float | np.number) or not clip_value >= 0:
        raise DataError(f"clip_grad_value_: clip_value must be a number of at least 0, got {clip_value!r}")
    for x in _with_gradient(parameters, "clip_grad_value_"):
        _set(x, np.clip(_array(x), -clip_value, clip_value))


def _with_gradient(parameters: Any, caller: str) -> list[Any]:
    """Those of the parameters that have a gradient."""
    if isinstance(parameters, Node):
        parameters = [parameters]
    if not isinstance(parameters, Iterable) or isinstance(parameters, str):
        raise DataError(
            f"{caller} needs parameters, got a {type(parameters).__name__}: for a module give module.parameters()"
        )
    listed = list(parameters)
    if not listed:
        warnings.warn(
            f"{caller} got no parameter and clips nothing: a generator that was gone through once is "
            "empty", stacklevel=3
        )
    for i, x in enumerate(listed):
        if not isinstance(x, Node):
            raise DataError(f"{caller} needs parameters, but number {i} is a {type(x).__name__}")
    return [x for x in listed if x._grad is not None]


def _array(x: Any) -> Any:
    g = x._grad
    return np.asarray(g._data if isinstance(g, Node) else g)


def _set(x: Any, g: Any) -> None:
    """A new gradient in the place of the old, which other nodes may hold too."""
    x._grad = float(g) if x.scalar else np.asarray(g, x._data.dtype)


def _norm_of(g: Any, p: float) -> float:
    """The p-norm of one array, in float64; scaled where the powers would overflow or vanish."""
    if p == 2:
        wide = g.astype(float, copy=False)
        square = float(np.vdot(wide, wide))
        if 1e-280 < square < math.inf:
            return math.sqrt(square)
    return _norm(np.abs(g.astype(float, copy=False)).ravel(), p)


def _norm(sizes: Any, p: float) -> float:
    """The p-norm of numbers that are not negative."""
    sizes = np.asarray(sizes, float)
    largest = float(sizes.max(initial=0.0))
    if p == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sum((sizes / largest) ** p)) ** (1 / p)
