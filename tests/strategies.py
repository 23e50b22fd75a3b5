"""What hypothesis draws the tests' examples from: numbers, shapes, arrays, fixed arguments, whole programs."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq import Tensor, scope, steps
from tinygrad_seq import functional as F

# ---- numbers -------------------------------------------------------------------------

REAL = st.floats(-3, 3, width=32, allow_subnormal=False)
UNIT = st.floats(0, 1, width=32, allow_subnormal=False)
POSITIVE = st.floats(0.25, 3, width=32)
AWAY = POSITIVE | POSITIVE.map(lambda x: -x)  # from 0, where a kink or a pole may be
LEFT = st.integers(-12, 12).map(lambda n: n / 4)  # never equal to one of RIGHT
RIGHT = st.integers(-12, 12).map(lambda n: n / 4 + 0.125)


class Distinct(NamedTuple):
    """All elements of an array differ, by 1/16 at least."""

    step: float = 1 / 16


DISTINCT = Distinct()

# ---- shapes --------------------------------------------------------------------------


def shapes(min_dims=0, max_dims=3, min_side=0, max_side=3):
    return npst.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


ANY = shapes()
FULL = shapes(min_side=1)
SOLID = shapes(min_dims=1, min_side=1)
LONG = shapes(min_dims=1, min_side=2)
VECTOR = shapes(min_dims=1, max_dims=1)


def broadcastable(n, min_side=0):
    """n shapes that broadcast together."""
    found = npst.mutually_broadcastable_shapes(num_shapes=n, max_dims=3, min_side=min_side, max_side=3)
    return found.map(lambda found: found.input_shapes)


@st.composite
def arrays(draw, shape, elements=REAL, dtype=np.float64):
    """An array of that shape, of numbers from `elements` (or all distinct), in C or in Fortran order."""
    size = int(np.prod(shape))
    if isinstance(elements, Distinct):
        order = draw(st.permutations(range(size)))
        numbers = (np.array(order, float) - (size - 1) / 2) * elements.step * 2
    else:
        numbers = np.array(draw(st.lists(elements, min_size=size, max_size=size)))
    array = numbers.astype(dtype).reshape(shape)
    return np.asfortranarray(array) if array.ndim > 1 and draw(st.booleans()) else array


# ---- arguments that depend on a shape ------------------------------------------------


def one_axis(shape):
    return st.integers(-len(shape), len(shape) - 1)


def some_axes(shape):
    """None, an axis, or a tuple of several; counted from either end."""
    several = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, min_size=1, max_size=len(shape)).flatmap(
        lambda axes: st.tuples(*[st.sampled_from((a, a - len(shape))) for a in axes])
    )
    return st.none() | one_axis(shape) | several if shape else st.none()


def booleans(shape):
    return st.booleans()


def masks(shape):
    """Booleans that broadcast to the shape."""
    return npst.broadcastable_shapes(shape, max_dims=len(shape), min_side=0, max_side=3).flatmap(
        lambda own: npst.arrays(bool, own if np.broadcast_shapes(own, shape) == tuple(shape) else shape)
    )


def indices(shape):
    """All of NumPy's indexing: slices, None, …, integers (repeated too), masks."""
    rows = st.integers(-shape[0], shape[0] - 1) if shape and shape[0] else None
    found = [npst.basic_indices(shape, allow_newaxis=True), npst.arrays(bool, shape)]
    if rows is not None:
        found.append(npst.arrays(np.int64, shapes(max_dims=2), elements=rows))
        found.append(st.lists(rows, max_size=4))
        found.append(st.tuples(st.lists(rows, min_size=1, max_size=3), st.just(Ellipsis)))
        if len(shape) > 1 and shape[1]:
            columns = st.integers(-shape[1], shape[1] - 1)
            found.append(st.tuples(rows, npst.arrays(np.int64, 2, elements=columns)))
            found.append(
                st.tuples(npst.arrays(np.int64, (2, 1), elements=rows), npst.arrays(np.int64, 2, elements=columns))
            )
            found.append(st.tuples(st.slices(shape[0]), npst.arrays(np.int64, 3, elements=columns)))
            found.append(st.tuples(npst.arrays(np.int64, 3, elements=rows), st.slices(shape[1])))
    return st.one_of(found)


# ---- one call of a function ----------------------------------------------------------


class Case(NamedTuple):
    """`call(*inputs)` with its fixed arguments already in it.  analytic: it takes complex numbers."""

    call: Any
    arrays: tuple[np.ndarray, ...]
    fixed: dict[str, Any]
    analytic: bool = True

    def __call__(self, *xs):
        return self.call(*xs, **self.fixed)


@st.composite
def of(draw, function, *elements, shape=None, analytic=True, **fixed):
    """A call of `function` on one array for each of `elements`, of shapes that broadcast (or of those of `shape`).

    fixed: keyword arguments, each a function of the broadcast shape that gives a strategy.
    """
    one = len(elements) == 1
    if shape is None:
        shape = ANY if one else broadcastable(len(elements))
    given = draw(shape)
    given = [given] if one else given
    whole = np.broadcast_shapes(*given) if fixed else ()
    xs = tuple([draw(arrays(s, e)) for s, e in zip(given, elements, strict=True)])
    return Case(function, xs, {name: draw(argument(whole)) for name, argument in fixed.items()}, analytic)


# ---- whole programs ------------------------------------------------------------------

UNARY = [F.tanh, F.sin, F.sigmoid, F.softplus, F.gelu, F.neg, lambda x: x * 0.5, lambda x: 1 - x, lambda x: x**2 / 4]
BINARY = [F.add, F.sub, F.mul, lambda x, y: x / (2 + F.cos(y)), lambda x, y: F.where(x > y, x, F.tanh(y))]
REDUCING = [F.sum, F.mean, F.logsumexp]
MOVING = [F.flatten, F.transpose, F.flip, lambda x: x[..., None], lambda x: x[None], lambda x: F.pad(x[None], 1)]


class Program(NamedTuple):
    """leaves: what it starts from.  outputs: all that it made, of which the last is a scalar made from the rest."""

    leaves: list[Tensor]
    outputs: list[Tensor]

    @property
    def loss(self):
        return self.outputs[-1]


@st.composite
def programs(draw, max_length=12):
    """A random program: shared nodes, broadcasting, indexing, products, reductions, scopes and time steps.

    The one before the last of its outputs is no scalar in general.
    """
    leaves = [
        Tensor(draw(arrays(shape, st.floats(-1, 1, width=16))), requires_grad=True, name=f"x{i}")
        for i, shape in enumerate(
            draw(st.lists(st.sampled_from([(), (3,), (2, 3), (2, 1), (3, 3)]), min_size=1, max_size=3))
        )
    ]
    made = list(leaves)
    kinds = st.sampled_from(
        ["unary", "binary", "binary", "reduce", "move", "index", "product", "join", "softmax", "steps"]
    )
    for kind in draw(st.lists(kinds, min_size=2, max_size=max_length)):
        x = draw(st.sampled_from(made))
        y = draw(st.sampled_from(made))
        with scope(f"{kind}{len(made)}"):
            made.append(instruction(draw, kind, x, y))
    outputs = draw(st.lists(st.sampled_from(made[-3:]), min_size=1, max_size=3)) + made[-1:]
    made.append(F.stack([F.tanh(x).sum() for x in outputs]).sum())
    return Program(leaves, made[len(leaves) :])


def instruction(draw, kind, x, y):
    """One more node (or a few), made from x and perhaps y."""
    if kind == "binary":
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            y = y.mean()
        return draw(st.sampled_from(BINARY))(x, y)
    if kind == "reduce":
        return draw(st.sampled_from(REDUCING))(x, axis=draw(some_axes(x.shape)), keepdims=draw(st.booleans()))
    if kind == "move":
        return draw(st.sampled_from(MOVING))(x) if x.ndim < 3 and x.size < 10 else F.flatten(x)[:6]
    if kind == "index" and x.ndim:
        rows = st.integers(-len(x), len(x) - 1)
        return (
            x[
                draw(
                    rows
                    | st.lists(rows, min_size=1, max_size=4)
                    | st.sampled_from([slice(len(x) // 2, None), slice(None, None, -1)])
                )
            ]
            if len(x)
            else x
        )
    if kind == "product" and x.ndim:
        y = y if y.ndim and (y.shape[-2] if y.ndim > 1 else y.shape[0]) == x.shape[-1] else x.mT if x.ndim > 1 else x
        return x @ y / 2
    if kind == "join":
        return (
            F.concat([F.flatten(x), F.flatten(y), F.flatten(x)])[:8] if draw(st.booleans()) else F.stack([x, x * 2])[-1]
        )
    if kind == "softmax" and x.ndim:
        return draw(st.sampled_from([F.softmax, F.log_softmax]))(x, axis=draw(one_axis(x.shape)))
    if kind == "steps":
        h = y
        for _, x_t in steps(F.flatten(x)[:3]):
            h = F.tanh(h + x_t).named("h")
        return h
    return draw(st.sampled_from(UNARY))(x)


# ---- how many ------------------------------------------------------------------------


def examples(n):
    """n examples where the profile has 100, and in proportion where it has more."""
    return settings(max_examples=max(1, settings().max_examples * n // 100))
