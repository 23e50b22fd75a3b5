"""One line of samples for each op of the table, and for each function made from ops: every test of ops reads this.

`OPS` has a line for each primitive of `tinygrad_seq.ops.table`, `FUNCTIONS` one for each other function of
`tinygrad_seq.functional` that a gradient goes through.  A line says how to call it, of what numbers, in which shapes,
and with which fixed arguments; see `strategies.of`, by which you write your own:

>>> from tinygrad_seq import Op, Tensor
>>> from tinygrad_seq.testing.strategies import POSITIVE, REAL, of
>>> hypot = Op(np.hypot, lambda g, out, x, y: (g * x / out, g * y / out), name="hypot")
>>> samples = of(hypot, REAL, POSITIVE)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.strategies import DrawFn, SearchStrategy

from .. import functional as F
from .strategies import (
    ANY,
    AWAY,
    DISTINCT,
    FULL,
    LEFT,
    LONG,
    POSITIVE,
    REAL,
    RIGHT,
    SOLID,
    UNIT,
    VECTOR,
    Case,
    Elements,
    Shape,
    arrays,
    booleans,
    indices,
    masks,
    of,
    one_axis,
    shapes,
    some_axes,
)

__all__ = ["FUNCTIONS", "OPS", "SAMPLES"]

PRODUCTS: list[tuple[Shape, Shape]] = [
    ((3,), (3,)),
    ((0,), (0,)),
    ((2, 0), (0,)),
    ((2, 3, 0), (0, 2)),
    ((2, 3, 0), (0,)),
    ((0, 2, 3), (3,)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((3,), (2, 3, 2)),
]
EINSUMS: dict[str, list[Shape]] = {
    "ij,jk->ik": [(2, 3), (3, 2)],
    "ij,ij": [(2, 3), (2, 3)],
    "bij,bjk->bik": [(2, 2, 3), (2, 3, 1)],
    "i,j->ij": [(2,), (3,)],
    "ii->i": [(3, 3)],
    "ii": [(2, 2)],
    "iij->j": [(2, 2, 3)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "...i,ij->...j": [(2, 3), (3, 2)],
    "...i,...i": [(2, 3), (3,)],
    "ij,jk,kl->il": [(2, 3), (3, 1), (1, 2)],
    "ij,ij,ij->i": [(2, 2)] * 3,
    "i->": [(0,)],
    "bi,bj": [(2, 3), (2, 2)],
}


def shape_and(*choices: Callable[[Shape], SearchStrategy[Any]]) -> Callable[[Shape], SearchStrategy[Any]]:
    """A shape, drawn with arguments that fit it: each of `choices` is a function of the shape."""
    return lambda shape: st.tuples(*[choice(shape) for choice in choices])


@st.composite
def fitting(
    draw: DrawFn,
    function: Callable[..., Any],
    choices: Callable[[Shape], SearchStrategy[Any]],
    elements: Elements = REAL,
    shape: SearchStrategy[Shape] = SOLID,
) -> Case:
    """A call function(x, *arguments), with arguments that depend on the shape of x.

    choices: of the shape, a strategy of tuples of arguments.

    >>> from hypothesis import find
    >>> find(fitting(F.squeeze, shape_and(one_axis), shape=st.just((1,))), lambda case: True).arrays
    (array([0.]),)
    """
    given = draw(shape)
    arguments = draw(choices(given))
    return Case(lambda x: function(x, *arguments), (draw(arrays(given, elements)),), {})


@st.composite
def joined(draw: DrawFn, function: Callable[..., Any], *, ragged: bool) -> Case:
    """A call on one to three arrays, of equal shapes but, where ragged, for the axis that they are joined along."""
    shape = draw(SOLID)
    axis = draw(one_axis(shape))
    sizes = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    whole = [tuple(n if ragged and a == axis % len(shape) else m for a, m in enumerate(shape)) for n in sizes]
    return Case(lambda *xs: function(xs, axis), tuple([draw(arrays(s)) for s in whole]), {})


@st.composite
def products(draw: DrawFn, function: Callable[..., Any]) -> Case:
    """Two arrays that can be multiplied: vectors, matrices, and batches that broadcast."""
    found = npst.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3)
    x, y = draw(st.sampled_from(PRODUCTS) | found.map(lambda found: found.input_shapes))
    return Case(function, (draw(arrays(x)), draw(arrays(y))), {})


@st.composite
def attentions(draw: DrawFn) -> Case:
    """Queries, keys and values, alone or in batches, causal or not."""
    q, k, v = draw(st.sampled_from([((2, 3), (4, 3), (4, 2)), ((2, 1, 3), (2, 2, 3), (2, 2, 1))]))
    fixed = {"is_causal": draw(st.booleans())}
    return Case(F.scaled_dot_product_attention, (draw(arrays(q)), draw(arrays(k)), draw(arrays(v))), fixed)


@st.composite
def einsums(draw: DrawFn) -> Case:
    """A product of one to three arrays, as some subscripts say."""
    subscripts, given = draw(st.sampled_from(sorted(EINSUMS.items())))
    return Case(lambda *xs: F.einsum(subscripts, *xs), tuple([draw(arrays(s)) for s in given]), {})


@st.composite
def scattered(draw: DrawFn, function: Callable[..., Any]) -> Case:
    """A call function(x, axis, index, source) of `scatter_add`."""
    shape = draw(shapes(min_dims=1, min_side=1, max_dims=2))
    axis, index = draw(picks(shape))
    larger = tuple(n + draw(st.integers(0, 1)) for n in index.shape)
    return Case(lambda x, source: function(x, axis, index, source), (draw(arrays(shape)), draw(arrays(larger))), {})


def picks(shape: Shape) -> SearchStrategy[tuple[int, np.ndarray]]:
    """An axis, and an index as `gather` needs it: as many axes, none but that one larger than those of x."""

    def indexing(axis: int) -> SearchStrategy[tuple[int, np.ndarray]]:
        sizes = [st.integers(0, 4 if a == axis % len(shape) else n) for a, n in enumerate(shape)]
        rows = st.integers(-shape[axis], shape[axis] - 1)
        return st.tuples(
            st.just(axis), st.tuples(*sizes).flatmap(lambda own: npst.arrays(np.int64, own, elements=rows))
        )

    return one_axis(shape).flatmap(indexing)


@st.composite
def classified(draw: DrawFn, function: Callable[..., Any], /, **options: SearchStrategy[Any]) -> Case:
    """A call of a loss on logits and labels, the classes along any axis, with some labels ignored."""
    rest = draw(shapes(max_dims=2, min_side=1))
    axis = draw(st.integers(0, len(rest)))
    classes = draw(st.integers(2, 4))
    labels = np.array(draw(npst.arrays(np.int64, rest, elements=st.integers(0, classes - 1))))
    ignored = draw(st.sampled_from([-100, 0]))
    labels[draw(npst.arrays(bool, rest)) & (labels != ignored)] = ignored
    fixed: dict[str, Any] = {
        "reduction": draw(st.sampled_from(["sum", "none", "mean"] if (labels != ignored).any() else ["sum", "none"]))
    }
    if draw(st.booleans()):
        fixed["weight"] = draw(arrays((classes,), POSITIVE))
    fixed |= {name: draw(strategy) for name, strategy in options.items()}
    logits = draw(arrays((*rest[:axis], classes, *rest[axis:])))
    return Case(lambda x, **fixed: function(x, labels, ignore_index=ignored, axis=axis, **fixed), (logits,), fixed)


def pair(function: Callable[..., Any], x: Elements, y: Elements, **fixed: Any) -> SearchStrategy[Case]:
    """Two arrays of the same shape."""
    return of(function, x, y, shape=FULL.map(lambda shape: (shape, shape)), **fixed)


def cut(shape: Shape) -> SearchStrategy[tuple[list[int], int]]:
    """Places to cut an axis at, and the axis."""
    return one_axis(shape).flatmap(
        lambda a: st.tuples(st.lists(st.integers(0, shape[a]), max_size=2).map(sorted), st.just(a))
    )


def joined_again(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that gives several tensors, as one that gives one."""
    return lambda *xs: F.stack([F.sum(part * (i + 1)) for i, part in enumerate(function(*xs))])


REDUCTION = st.sampled_from(["mean", "sum", "none"])
AXES: dict[str, Any] = {"axis": some_axes, "keepdims": booleans}
ROWS = shapes(min_dims=2, max_dims=2, min_side=1)
HALVES = shapes(max_dims=2).map(lambda shape: (*shape, 4))
FLAT = VECTOR.map(lambda shape: (shape, shape))

OPS: dict[str, SearchStrategy[Case]] = {
    "add": of(F.add, REAL, REAL),
    "sub": of(F.sub, REAL, REAL),
    "mul": of(F.mul, REAL, REAL),
    "div": of(F.div, REAL, AWAY),
    "neg": of(F.neg, REAL),
    "pow": of(lambda x, y: F.pow(x, y), AWAY, y=lambda _: st.sampled_from([2, 3, -1, -2.0, 0, 1]))
    | of(lambda x, y: F.pow(x, y), POSITIVE, y=lambda _: st.sampled_from([0.5, 1.5, -0.5])),
    "power": of(F.pow, POSITIVE, REAL),
    "exp": of(F.exp, REAL),
    "log": of(F.log, POSITIVE),
    "log1p": of(F.log1p, POSITIVE),
    "expm1": of(F.expm1, REAL),
    "sqrt": of(F.sqrt, POSITIVE),
    "sin": of(F.sin, REAL),
    "cos": of(F.cos, REAL),
    "tanh": of(F.tanh, REAL),
    "sigmoid": of(F.sigmoid, REAL),
    "relu": of(F.relu, AWAY),
    "leaky_relu": of(F.leaky_relu, AWAY, negative_slope=lambda _: st.sampled_from([0.01, 0.2])),
    "silu": of(F.silu, REAL),
    "softplus": of(F.softplus, REAL),
    "gelu": of(F.gelu, REAL),
    "erf": of(F.erf, REAL),
    "abs": of(F.abs, AWAY, analytic=False),
    "sign": of(F.sign, AWAY, analytic=False),
    "maximum": of(F.maximum, LEFT, RIGHT),
    "minimum": of(F.minimum, LEFT, RIGHT),
    "clip": of(F.clip, LEFT, min=lambda _: st.none() | st.just(-1.9), max=lambda _: st.sampled_from([-0.1, 1.1])),
    "where": of(lambda x, y, condition: F.where(condition, x, y), REAL, REAL, condition=masks),
    "masked_fill": of(F.masked_fill, REAL, mask=masks, value=lambda _: st.sampled_from([0.0, -1e9])),
    "dropout": of(lambda x, p: F.dropout(x, p), REAL, p=lambda _: st.sampled_from([0.25, 0.5, 1])),
    "cast": of(F.cast, REAL, dtype=lambda _: st.just(np.float64)),
    "matmul": products(F.matmul),
    "affine": of(
        F.affine,
        REAL,
        REAL,
        REAL,
        shape=st.sampled_from([((3,), (3, 2), (2,)), ((2, 3), (3, 2), (2,)), ((2, 1, 3), (3, 4), (4,))]),
    ),
    "clip_gradient": of(F.clip_gradient, REAL, max_norm=lambda _: st.just(np.inf)),
    "outer": of(F.outer, REAL, REAL, shape=st.tuples(VECTOR, VECTOR)),
    "dot": of(F.dot, REAL, REAL, shape=FLAT),
    "einsum": einsums(),
    "sum": of(F.sum, REAL, **AXES),
    "mean": of(F.mean, REAL, shape=FULL, **AXES),
    "var": of(F.var, REAL, shape=LONG, ddof=lambda _: st.integers(0, 1), **AXES),
    "std": of(F.std, DISTINCT, shape=LONG, ddof=lambda _: st.integers(0, 1), **AXES),
    "max": of(F.max, DISTINCT, shape=FULL, **AXES),
    "min": of(F.min, DISTINCT, shape=FULL, **AXES),
    "prod": of(F.prod, AWAY | st.just(0.0), **AXES),
    "cumsum": of(F.cumsum, REAL, shape=SOLID, axis=lambda shape: st.none() | one_axis(shape)),
    "norm": of(F.norm, AWAY, shape=FULL, **AXES),
    "softmax": of(F.softmax, REAL, shape=SOLID, axis=one_axis),
    "log_softmax": of(F.log_softmax, REAL, shape=SOLID, axis=one_axis),
    "logsumexp": of(F.logsumexp, REAL, shape=FULL, **AXES),
    "layer_norm": fitting(
        F.layer_norm, lambda shape: st.integers(1, len(shape)).map(lambda n: (shape[-n:],)), DISTINCT, LONG
    ),
    "reshape": fitting(F.reshape, lambda shape: st.permutations([*shape, 1]).map(tuple), shape=ANY)
    | fitting(F.reshape, lambda _: st.just((-1,)), shape=FULL),
    "transpose": fitting(
        F.transpose, lambda shape: st.permutations(range(-len(shape), 0)).map(lambda axes: tuple(axes))
    ),
    "broadcast_to": fitting(F.broadcast_to, lambda shape: st.integers(0, 2).map(lambda n: ((n, *shape),)), shape=ANY)
    | fitting(
        F.broadcast_to,
        lambda shape: st.integers(0, 3).map(lambda n: ((2, *shape[:-1], n),)),
        shape=SOLID.map(lambda s: (*s[:2], 1)),
    ),
    "concat": joined(F.concat, ragged=True),
    "stack": joined(F.stack, ragged=False),
    "flip": of(F.flip, REAL, axis=some_axes),
    "roll": of(
        F.roll, REAL, shape=SOLID, shift=lambda _: st.integers(-4, 4), axis=lambda shape: st.none() | one_axis(shape)
    )
    | of(
        F.roll,
        REAL,
        shape=ROWS,
        shift=lambda _: st.tuples(st.integers(-2, 2), st.just(1)),
        axis=lambda _: st.just((0, -1)),
    ),
    "tril": of(F.tril, REAL, shape=shapes(min_dims=2), k=lambda _: st.integers(-2, 2)),
    "triu": of(F.triu, REAL, shape=shapes(min_dims=2), k=lambda _: st.integers(-2, 2)),
    "pad": fitting(
        F.pad,
        lambda shape: st.lists(
            st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=len(shape), max_size=len(shape)
        ).map(lambda w: (w, 1.5)),
    ),
    "getitem": fitting(F.getitem, shape_and(indices), shape=shapes(max_dims=2) | FULL),
    "scatter": of(
        lambda g, index: F.scatter(g, index, (4, 2)),
        REAL,
        shape=st.just((3, 2)),
        index=lambda _: npst.arrays(np.int64, 3, elements=st.integers(0, 3)),
    ),
    "scatter_add": scattered(F.scatter_add),
    "embedding": of(
        lambda weight, index, padding_idx: F.embedding(index, weight, padding_idx),
        REAL,
        shape=st.tuples(st.just(4), st.integers(0, 3)),
        index=lambda _: npst.arrays(np.int64, shapes(max_dims=2), elements=st.integers(0, 2)),
        padding_idx=lambda _: st.sampled_from([None, 3]),
    ),
    "sigmoid_part": of(joined_again(lambda x: F.gates(x, F.sigmoid, F.exp)), REAL, shape=HALVES),
    "tanh_part": of(joined_again(lambda x: F.gates(x, F.tanh, F.exp)), REAL, shape=HALVES),
    "nll": classified(F.nll_loss),
    "cross_entropy": classified(F.cross_entropy),
    "mse": pair(F.mse_loss, REAL, REAL, reduction=lambda _: REDUCTION),
    "binary_cross_entropy_with_logits": pair(
        F.binary_cross_entropy_with_logits, REAL, UNIT, reduction=lambda _: REDUCTION
    ),
}

FUNCTIONS: dict[str, SearchStrategy[Case]] = {
    "smoothed cross_entropy": classified(F.cross_entropy, label_smoothing=UNIT),
    "expected cross_entropy": pair(lambda x, p: F.cross_entropy(x, F.softmax(p, -1), axis=-1), REAL, REAL).filter(
        lambda case: case.arrays[0].ndim
    ),
    "weighted bce": pair(lambda x, y: F.binary_cross_entropy_with_logits(x, y, weight=0.5, pos_weight=3.0), REAL, UNIT),
    "tanh gelu": of(lambda x: F.gelu(x, "tanh"), REAL),
    "linear": of(
        F.linear,
        REAL,
        REAL,
        REAL,
        shape=st.sampled_from([((3,), (2, 3), (2,)), ((2, 3), (2, 3), (2,)), ((2, 1, 3), (4, 3), (4,))]),
    ),
    "layer_norm with weight and bias": of(
        lambda x, weight, bias: F.layer_norm(x, 3, weight, bias),
        DISTINCT,
        REAL,
        REAL,
        shape=st.just(((2, 3), (3,), (3,))),
    ),
    "scaled_dot_product_attention": attentions(),
    "gates": of(joined_again(lambda x: F.gates(x, F.sigmoid, F.tanh, F.exp, F.sin)), REAL, shape=HALVES),
    "chunk": fitting(joined_again(F.chunk), shape_and(lambda _: st.integers(1, 4), one_axis)),
    "split": fitting(joined_again(F.split), cut),
    "gather": fitting(F.gather, picks, shape=shapes(min_dims=1, min_side=1)),
    "take": fitting(
        F.take,
        lambda shape: one_axis(shape).flatmap(
            lambda a: st.tuples(
                npst.arrays(np.int64, shapes(max_dims=2), elements=st.integers(-shape[a], shape[a] - 1)), st.just(a)
            )
        ),
    ),
    "flat take": fitting(
        F.take, lambda shape: st.lists(st.integers(0, int(np.prod(shape)) - 1)).map(lambda index: (index,))
    ),
    "repeat": fitting(F.repeat, shape_and(lambda _: st.integers(0, 2), lambda shape: st.none() | one_axis(shape))),
    "flatten": fitting(F.flatten, shape_and(lambda shape: st.integers(0, max(len(shape) - 1, 0))), shape=ANY),
    "squeeze": fitting(
        F.squeeze,
        shape_and(lambda shape: st.sampled_from([None, 0, (0, -1)])),
        shape=SOLID.map(lambda s: (1, *s[1:], 1)),
    ),
    "unsqueeze": fitting(F.unsqueeze, shape_and(lambda shape: st.integers(-len(shape) - 1, len(shape))), shape=ANY),
    "swapaxes": fitting(F.swapaxes, shape_and(one_axis, one_axis)),
    "permute": fitting(F.permute, lambda shape: st.permutations(range(len(shape))).map(tuple)),
    "expand": fitting(
        F.expand, shape_and(lambda shape: st.integers(1, 2).map(lambda n: (n, *[-1] * len(shape)))), shape=ANY
    ),
}

SAMPLES = OPS | FUNCTIONS
