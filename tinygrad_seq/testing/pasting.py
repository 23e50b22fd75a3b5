"""Values as Python that makes them again, exactly: to paste into a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..graph import Node

__all__ = ["code", "is_program", "pasted"]


def pasted(name: str, value: Any) -> list[str]:
    """Lines of Python that make a drawn argument again, exactly; of a program, its source.

    >>> pasted("x", np.array([[0.1, np.inf]], np.float32))
    ['x = np.array([[0.10000000149011612, np.inf]], dtype=np.float32)']
    >>> pasted("parts", (np.zeros((0, 2)), [1, 2]))
    ['parts = (np.zeros((0, 2)), [1, 2])']
    """
    source = getattr(value, "source", None)
    if is_program(value) and isinstance(source, str):
        return source.splitlines()
    return [f"{name} = {code(value)}"]


def code(value: Any) -> str:
    """An expression that is equal to a value."""
    if isinstance(value, Node):
        called = "" if value.name is None else f", name={value.name!r}"
        number = code(value.data)
        return f"{type(value).__name__}({number}, requires_grad={value.requires_grad}{called})"
    if isinstance(value, ndarray):
        return array_code(value)
    if isinstance(value, float) and not np.isfinite(value):
        return f"{'-' if value < 0 else ''}np.{'nan' if np.isnan(value) else 'inf'}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {code(part)}" for key, part in value.items()) + "}"
    if hasattr(value, "_fields"):
        return f"{type(value).__name__}({', '.join(map(code, value))})"
    if isinstance(value, (tuple, list)):
        inside = ", ".join(map(code, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def array_code(array: ndarray) -> str:
    """An array as an expression: its numbers, dtype, and order."""
    usual = array.dtype in (np.float64, np.int64, np.bool_)
    dtype = "" if usual and (array.size or array.dtype == np.float64) else f", dtype=np.{array.dtype.name}"
    if not array.size:
        return f"np.zeros({array.shape}{dtype})"
    text = f"np.array({code(array.tolist())}{dtype})"
    if array.flags.c_contiguous:
        return text
    if array.flags.f_contiguous:
        return f"np.asfortranarray({text})"
    backward = [stride < 0 for stride in array.strides]
    if any(backward):
        forward = array[tuple(slice(None, None, -1 if b else 1) for b in backward)]
        return f"{array_code(np.ascontiguousarray(forward))}[{', '.join('::-1' if b else ':' for b in backward)}]"
    return f"{text}  # with strides {array.strides}"


def is_program(x: Any) -> bool:
    """Whether it is a program: a function, with the leaves that it starts from."""
    return callable(x) and isinstance(getattr(x, "leaves", None), Sequence)
