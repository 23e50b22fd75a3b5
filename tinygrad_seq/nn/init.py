"""Initialisers, with PyTorch's names: each gives a parameter new data and returns it."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ..errors import DataError, ShapeError
from ..rng import generator
from ..tensor import Parameter

__all__ = [
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def uniform_(p: Parameter, a: float = 0.0, b: float = 1.0) -> Parameter:
    """Evenly between a and b."""
    p.data = generator().uniform(a, b, p.shape)
    return p


def normal_(p: Parameter, mean: float = 0.0, std: float = 1.0) -> Parameter:
    """Normally distributed."""
    p.data = generator().normal(mean, std, p.shape)
    return p


def constant_(p: Parameter, value: float) -> Parameter:
    """The same number everywhere."""
    p.data = np.full(p.shape, value)
    return p


def zeros_(p: Parameter) -> Parameter:
    """Zeros."""
    return constant_(p, 0.0)


def ones_(p: Parameter) -> Parameter:
    """Ones."""
    return constant_(p, 1.0)


def eye_(p: Parameter) -> Parameter:
    """The identity matrix (Le, Jaitly and Hinton 2015 start recurrent weights so)."""
    _check_matrix(p, "eye_")
    p.data = np.eye(p.shape[0], p.shape[1])
    return p


def xavier_uniform_(p: Parameter, gain: float = 1.0) -> Parameter:
    """Evenly within ±gain √(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    fan_in, fan_out = _fans(p)
    bound = gain * sqrt(6 / (fan_in + fan_out))
    return uniform_(p, -bound, bound)


def xavier_normal_(p: Parameter, gain: float = 1.0) -> Parameter:
    """Normally, with deviation gain √(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    fan_in, fan_out = _fans(p)
    return normal_(p, 0.0, gain * sqrt(2 / (fan_in + fan_out)))


def kaiming_uniform_(p: Parameter, a: float = 0.0) -> Parameter:
    """Evenly within ±√(6 / ((1 + a²) fan_in)) (He et al. 2015); a: the slope of the leaky ReLU that follows."""
    bound = sqrt(6 / ((1 + a * a) * _fans(p)[0]))
    return uniform_(p, -bound, bound)


def kaiming_normal_(p: Parameter, a: float = 0.0) -> Parameter:
    """Normally, with deviation √(2 / ((1 + a²) fan_in)) (He et al. 2015)."""
    return normal_(p, 0.0, sqrt(2 / ((1 + a * a) * _fans(p)[0])))


def orthogonal_(p: Parameter, gain: float = 1.0) -> Parameter:
    """A random matrix with orthogonal rows or columns, times gain (Saxe, McClelland and Ganguli 2014).

    Recurrent weights that start so neither shrink nor stretch what is carried from step to step.
    """
    _check_matrix(p, "orthogonal_")
    rows, columns = p.shape
    q, r = np.linalg.qr(generator().normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    p.data = gain * (q if rows >= columns else q.T)
    return p


def _check_matrix(p: Parameter, name: str) -> None:
    if p.ndim != 2:
        raise ShapeError(f"{name} needs a matrix, got {p!r}")


def _fans(p: Parameter) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of shape (out_features, in_features)."""
    if p.ndim < 2:
        raise ShapeError(f"fan in and fan out need a weight of at least 2 axes, got {p!r}")
    fan_out, fan_in = p.shape[:2]
    field = int(np.prod(p.shape[2:]))
    if fan_in == 0 or fan_out == 0:
        raise DataError(f"fan in and fan out of an empty weight {p!r}")
    return fan_in * field, fan_out * field
