"""Arrays in all layouts of memory, and tensors and values of them."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...tensor import Tensor
from ...value import Value
from .dimensions import ANY, Shape
from .elements import DISTINCT, IN_BULK, REAL, Distinct, Elements, numbers

LAYOUTS = ("C", "Fortran", "swapped", "reversed", "stepped", "repeated")


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The floating-point numbers of an array in another layout in memory, one of LAYOUTS.

    Fortran: the first axis is the dense one.  swapped: the first two axes in turn.  reversed: all strides are
    negative.  stepped: every second element of the last axis of a larger array, in whose gaps there is NaN.
    repeated: with a stride of 0, so that these are not the numbers given but the first row of them, again and again.

    >>> laid_out(np.arange(4.0), "reversed")
    array([0., 1., 2., 3.])
    >>> laid_out(np.arange(4.0), "reversed").strides
    (-8,)
    """
    if layout == "Fortran":
        return np.asfortranarray(array)
    if layout == "swapped":
        return np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1) if array.ndim > 1 else array
    if layout == "reversed":
        return np.flip(np.ascontiguousarray(np.flip(array)))
    if layout == "stepped" and array.ndim:
        larger = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        larger[..., ::2] = array
        return larger[..., ::2]
    axis = next((axis for axis, side in enumerate(array.shape) if side > 1), None)
    if layout == "repeated" and axis is not None:
        return np.broadcast_to(array.take([0], axis), array.shape)
    return array


@lru_cache(maxsize=1024)
def layouts(shape: Shape, contiguous: bool | None, repeated: bool) -> SearchStrategy[str]:
    """The layouts that differ for an array of that shape: C first, unless it is not to be contiguous."""
    sides = sum(side > 1 for side in shape)
    if contiguous or 0 in shape or not sides:
        return st.just("C")
    found = ["reversed", "stepped"] + ["repeated"] * repeated
    found = ["Fortran"] * (sides > 1) + ["swapped"] * (min(shape[:2]) > 1 and len(shape) > 2) + found
    return st.sampled_from(found if contiguous is False else ["C", *found])


@lru_cache(maxsize=256)
def strings(size: int) -> SearchStrategy[bytes]:
    """Strings of that many bytes."""
    return st.binary(min_size=size, max_size=size)


@st.composite
def arrays(
    draw: DrawFn,
    shape: Shape | SearchStrategy[Shape] = ANY,
    elements: Elements = REAL,
    dtype: Any = np.float64,
    *,
    contiguous: bool | None = None,
    ties: bool = False,
) -> np.ndarray:
    """An array of that shape, of numbers from `elements` (or all distinct), in any layout in memory.

    dtype: one, or a strategy of them, such as DTYPES.  contiguous: only the C order, or none that is contiguous (as far
    as two elements can be); None for both, and all LAYOUTS.  ties: some elements are equal, or one unit in the last
    place apart.  An array whose elements share memory, as by broadcasting, is read-only.

    >>> from hypothesis import find
    >>> from tinygrad_seq.testing.strategies import POSITIVE, arrays
    >>> find(arrays((3,), POSITIVE, ties=True), lambda x: True)
    array([1., 1., 1.])
    """
    shape = draw(shape) if isinstance(shape, SearchStrategy) else tuple(shape)
    dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
    size = prod(shape)
    if isinstance(elements, Distinct):
        order = np.argsort(np.frombuffer(draw(strings(2 * size)), ">u2"), kind="stable")
        drawn = (order - (size - 1) / 2) * elements.step * 2
    elif elements in IN_BULK:
        drawn = IN_BULK[elements].numbers(draw(strings(2 * size)))
    else:
        drawn = np.array(draw(st.lists(elements, min_size=size, max_size=size)))
    flat = drawn.astype(dtype)
    if ties and size > 1:
        pairs = st.tuples(st.integers(0, size - 1), st.integers(1, size - 1), st.booleans())
        for i, further, apart in draw(st.lists(pairs, min_size=1, max_size=size)):
            x = flat[i]
            flat[(i + further) % size] = np.nextafter(x, np.copysign(np.inf, x), dtype=flat.dtype) if apart else x
    layout = draw(layouts(shape, contiguous, not isinstance(elements, Distinct) and not ties))
    return laid_out(flat.reshape(shape), layout)


# ---- tensors and values --------------------------------------------------------------


def leaf(array: np.ndarray, *, requires_grad: bool = True, name: str | None = None) -> Tensor:
    """A leaf on that very array of floating-point numbers, with its strides.

    `Tensor(array)` copies, which keeps the order of the axes, but neither negative strides, nor steps, nor repetition.
    The array must not be written into afterwards.

    >>> leaf(np.arange(6.0)[::2]).data.strides, Tensor(np.arange(6.0)[::2]).data.strides
    ((16,), (8,))
    """
    x = Tensor(array, requires_grad, name=name)
    view = array.view()
    view.setflags(write=False)
    x._data = view
    return x


@st.composite
def tensors(
    draw: DrawFn,
    shape: Shape | SearchStrategy[Shape] = ANY,
    *,
    min_value: float = -3.0,
    max_value: float = 3.0,
    dtype: Any = np.float64,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
    distinct: bool = False,
    ties: bool = False,
    contiguous: bool | None = None,
    requires_grad: bool = True,
    name: str | None = None,
) -> Tensor:
    """A leaf of that shape, in any layout in memory, of numbers as `numbers` draws them.

    dtype: float64, float32, or a strategy of them, such as DTYPES.  distinct: all elements differ by 1/16 at least,
    around 0 and whatever the range.  ties, contiguous: as for `arrays`.

    >>> from hypothesis import find
    >>> find(tensors((2,), positive=True, contiguous=False), lambda x: True).data.strides
    (-8,)
    """
    dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
    elements: Elements = DISTINCT
    if not distinct:
        chosen = {"nonzero": nonzero, "positive": positive, "special": special, "nan": nan, "infinity": infinity}
        elements = numbers(min_value, max_value, dtype=dtype, **chosen)
    array = draw(arrays(shape, elements, dtype, contiguous=contiguous, ties=ties))
    return leaf(array, requires_grad=requires_grad, name=name)


def values(
    min_value: float = -3.0,
    max_value: float = 3.0,
    *,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
    requires_grad: bool = True,
    name: str | None = None,
) -> SearchStrategy[Value]:
    """A `Value`, of numbers as `numbers` draws them.

    >>> from hypothesis import find
    >>> find(values(), lambda x: x.data > 1)
    Value(data=2, grad=0)
    """
    chosen = {"nonzero": nonzero, "positive": positive, "special": special, "nan": nan, "infinity": infinity}
    return numbers(min_value, max_value, **chosen).map(lambda x: Value(x, requires_grad, name))
