"""What a tensor or a value can be made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from .errors import DataError, DtypeError
from .graph import Node, here

__all__ = ["as_array", "as_float", "plain"]


def plain(x: Any) -> Any:
    """The data of a node; anything else as it is."""
    return x._data if isinstance(x, Node) else x


def as_array(data: Any, dtype: Any, requires_grad: bool) -> ndarray:
    """A private, read-only array of numbers."""
    if isinstance(data, Node):
        data = data._data
    if isinstance(data, (list, tuple)) and any(isinstance(x, Node) and x.requires_grad for x in data):
        raise DataError(f"a list of tensors would lose their gradients ({here()}): join them with stack or concat")
    try:
        array = np.array(data)
    except (ValueError, TypeError) as error:
        raise DataError(f"a tensor is made of numbers, of equal length in every row ({here()}): {error}") from None
    kind = array.dtype.kind
    if kind not in "fiubc":
        raise DataError(f"a tensor is made of numbers, got {array.dtype} ({here()}): {_excerpt(data)}")
    if dtype is not None:
        array = array.astype(dtype, copy=False)
        kind = array.dtype.kind
    if requires_grad and kind != "f":
        if kind == "c" or dtype is not None:
            raise DtypeError(f"only floating-point data can require a gradient, not {array.dtype} ({here()})")
        array = array.astype(float)
    array.setflags(write=False)
    return array


def as_float(data: Any) -> float:
    """One number as a Python float."""
    if isinstance(data, Node):
        data = data._data
    if isinstance(data, (str, bytes)) or np.ndim(data):
        raise DataError(f"a Value is one number, got {_excerpt(data)} ({here()})")
    try:
        return float(data)
    except (TypeError, ValueError):
        raise DataError(f"a Value is one number, got {_excerpt(data)} ({here()})") from None


def _excerpt(data: Any) -> str:
    text = repr(data)
    return text if len(text) < 60 else text[:57] + "…"


