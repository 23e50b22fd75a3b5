"""Calls of a function, with arguments that fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .data import arrays
from .dimensions import ANY, Shape, broadcastable_shapes
from .elements import Elements


class Case(NamedTuple):
    """One call of a function: `case(*tensors)` is `call(*tensors, **fixed)`, `arrays` are what to call it with.

    analytic: it takes complex numbers, so that its derivative can be had by the complex step.
    """

    call: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    fixed: dict[str, Any]
    analytic: bool = True

    def __call__(self, *xs: Any) -> Any:
        return self.call(*xs, **self.fixed)


@st.composite
def of(
    draw: DrawFn,
    /,
    function: Callable[..., Any],
    *elements: Elements,
    shape: SearchStrategy[Any] | None = None,
    analytic: bool = True,
    **fixed: Callable[[Shape], SearchStrategy[Any]],
) -> Case:
    """A call of `function` on one array for each of `elements`, of shapes that broadcast (or of those of `shape`).

    elements: REAL, UNIT, POSITIVE, AWAY from 0, DISTINCT, or any other strategy of numbers that the function is smooth
    at.  shape: a strategy of a shape, or of as many shapes as there are `elements`.  fixed: keyword arguments, each a
    function of the broadcast shape that gives a strategy.  analytic: as in `Case`.

    >>> from hypothesis import find
    >>> from tinygrad_seq import functional as F
    >>> from tinygrad_seq.testing.strategies import REAL, SOLID, of, one_axis
    >>> case = find(of(F.sum, REAL, shape=SOLID, axis=one_axis), lambda case: True)
    >>> case.arrays, case.fixed
    ((array([0.]),), {'axis': 0})
    """
    one = len(elements) == 1
    given = draw(shape if shape is not None else ANY if one else broadcastable_shapes(len(elements)))
    given = [given] if one else given
    whole = np.broadcast_shapes(*given) if fixed else ()
    xs = tuple([draw(arrays(s, e)) for s, e in zip(given, elements, strict=True)])
    return Case(function, xs, {name: draw(argument(whole)) for name, argument in fixed.items()}, analytic)
