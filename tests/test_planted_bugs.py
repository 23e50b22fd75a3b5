"""The bugs of `test_known_bugs.py`, planted inside of small programs: each is found, and blamed on its op."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from mutations import planted
from tinygrad_seq import backprop
from tinygrad_seq import functional as F
from tinygrad_seq.ops import reduce, table
from tinygrad_seq.ops.linear import einsum_vjp
from tinygrad_seq.testing import check_op, gradcheck
from tinygrad_seq.testing.strategies import Case

# ---- ties and kinks ------------------------------------------------------------------


def max_for_each_tie(g, out, x, *, axis, keepdims):
    return (reduce.spread(g, x, axis, keepdims) * (x == reduce.spread(out, x, axis, keepdims)),)


def maximum_for_both(g, out, x, y):
    return g * (x >= y), g * (y >= x)


def abs_by_division(g, out, x):
    return (g * x / out,)


def clip_below_alone(g, out, x, *, low, high):
    return (g * (x >= low),)


def norm_by_division(g, out, x, *, axis, keepdims):
    return (reduce.spread(g / out, x, axis, keepdims) * x,)


def std_by_division(g, out, x, *, axis, keepdims, ddof):
    return reduce.var_vjp(g / (2 * out), out, x, axis=axis, keepdims=keepdims, ddof=ddof)


# ---- places that are named twice, or from the other end ------------------------------


def getitem_by_assignment(g, out, x, *, index):
    gx = np.zeros(x.shape, g.dtype)
    gx[index] = g
    return (gx,)


def embedding_by_assignment(g, out, weight, *, indices, padding_idx):
    gw = np.zeros(weight.shape, g.dtype)
    gw[indices] = g
    return (gw,)


def getitem_from_the_front(g, out, x, *, index):
    gx = np.zeros(x.shape, g.dtype)
    np.add.at(gx, np.maximum(index, 0), g)
    return (gx,)


# ---- sums, and their order -----------------------------------------------------------


def cumsum_forwards(g, out, x, *, axis):
    return (np.cumsum(g, axis=axis),)


def cumsum_by_the_last(g, out, x, *, axis):
    sums = np.cumsum(g, axis=axis)
    return (g + np.take(sums, [-1], axis=axis or 0) - sums,)


def prod_by_division(g, out, x, *, axis, keepdims):
    return (reduce.spread(g * out, x, axis, keepdims) / x,)


def einsum_everywhere(g, out, *xs, inputs, output):
    if inputs == ("ii",):
        return (np.broadcast_to(g, xs[0].shape).copy(),)
    return einsum_vjp(g, out, *xs, inputs=inputs, output=output)


def mean_in_double(g, out, x, *, axis, keepdims):
    return (reduce.spread(g / float(reduce.count_of(x, axis)), x, axis, keepdims).astype(float),)


def var_by_cancellation(g, out, x, *, axis, keepdims, ddof):
    n = reduce.count_of(x, axis)
    d = (x * x - x * reduce.mean(x, axis=axis, keepdims=True)) / x
    return (reduce.spread(g, x, axis, keepdims) * d * (2 / (n - ddof)),)


# ---- broadcasting --------------------------------------------------------------------


def add_without_sum(g, out, x, y):
    return g, g.reshape(-1)[:1].reshape(y.shape) if y.size == 1 else g


def mul_of_the_first(g, out, x, y):
    return g * y, (g * x)[:1] if y.shape[:1] == (1,) else g * x


# ---- numbers at the edge -------------------------------------------------------------


def where_by_factors(g, out, x, y, *, condition):
    return g * condition * (1 + 0 * x), g * (1 - condition) * (1 + 0 * y)


def pow_by_division(g, out, x, *, exponent):
    return (g * exponent * out / x,)


def power_by_logarithm(g, out, x, y):
    return g * y * x ** (y - 1), g * out * np.log(x)


def sqrt_with_epsilon(g, out, x):
    return (g / (2 * out + 1e-4),)


def softmax_without_shift(g, out, x, *, axis):
    e = np.exp(x)
    p = e / e.sum(axis=axis, keepdims=True)
    return (p * (g - (g * p).sum(axis=axis, keepdims=True)),)


def cross_entropy_without_shift(g, out, x, *, at, each, axis, reduction):
    p = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    p[at] -= 1
    return (p * each * g,)


def logsumexp_by_difference(g, out, x, *, axis, keepdims):
    spread = reduce.spread
    return (spread(g, x, axis, keepdims) * np.exp(x - spread(out, x, axis, keepdims)),)


def sigmoid_by_exponentials(g, out, x):
    return (g * np.exp(-x) / (1 + np.exp(-x)) ** 2,)


def softplus_by_exponentials(g, out, x):
    return (g * np.exp(x) / (1 + np.exp(x)),)


def layer_norm_without_eps(g, out, x, *, axis, eps):
    sigma = np.sqrt(reduce.var(x, axis=axis, keepdims=True, ddof=0))
    mean = reduce.mean
    return ((g - mean(g, axis=axis, keepdims=True) - out * mean(g * out, axis=axis, keepdims=True)) / sigma,)


def cross_entropy_of_ignored_too(g, out, x, *, at, each, axis, reduction):
    p = reduce.softmax(x, axis=axis)
    p /= np.count_nonzero(each)
    p[at] -= each
    return (p * g,)


# ---- one value, used more than once --------------------------------------------------


def mul_once(g, out, x, y):
    return g * y, None if x is y or np.array_equal(x, y) else g * x


def reshape_by_columns(g, out, x, *, shape):
    return (g.reshape(x.shape, order="F"),)


# ---- planted -------------------------------------------------------------------------


class Bug(NamedTuple):
    """A wrong rule of an op, the input whose gradient is wrong, and a program of several ops that has the op in it."""

    op: Any
    rule: Callable[..., Any]
    input: int
    program: Callable[..., Any]
    arrays: list[Any]


def fitted(x):
    """Something smooth, before the op that is wrong; equal elements stay equal, and 0 stays 0."""
    return F.sin(x) + x


def weighed(y):
    """Something smooth after it."""
    return (F.tanh(y) * np.linspace(0.5, 1.5, max(y.size, 1)).reshape(y.shape)).sum()


MATRIX = [[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]]
SQUARE = [[0.5, 1.0], [2.0, -1.0]]
ROW = [0.5, -1.0, 0.25]
TIES = [0.25, 0.5, 0.5]

BUGS = {
    "max gives each tie all": Bug(table.max, max_for_each_tie, 0, lambda x: weighed(F.max(fitted(x))), [TIES]),
    "maximum gives both all": Bug(
        table.maximum, maximum_for_both, 0,
        lambda x, y: weighed(F.maximum(fitted(x), fitted(y))), [ROW, [0.5, 0.0, -1.0]],
    ),
    "abs by division": Bug(table.abs, abs_by_division, 0, lambda x: weighed(F.abs(fitted(x))), [[0.0, 0.5]]),
    "clip forgets a bound": Bug(
        table.clip, clip_below_alone, 0, lambda x: weighed(F.clip(fitted(x), -0.6, 0.6)), [[-1.0, 0.1, 1.0]]
    ),
    "norm by division": Bug(table.norm, norm_by_division, 0, lambda x: weighed(F.norm(fitted(x))), [[0.0, 0.0]]),
    "std by division": Bug(table.std, std_by_division, 0, lambda x: weighed(F.std(fitted(x))), [[0.5, 0.5, 0.5]]),
    "getitem assigns": Bug(table.getitem, getitem_by_assignment, 0, lambda x: weighed(fitted(x)[[0, 0, 2]]), [ROW]),
    "getitem from the front": Bug(
        table.getitem, getitem_from_the_front, 0, lambda x: weighed(fitted(x)[[-1, 0]]), [ROW]
    ),
    "embedding assigns": Bug(
        table.embedding, embedding_by_assignment, 0, lambda w: weighed(F.embedding([1, 1, 0], fitted(w))), [MATRIX]
    ),
    "cumsum forwards": Bug(table.cumsum, cumsum_forwards, 0, lambda x: weighed(F.cumsum(fitted(x), 1)), [MATRIX]),
    "prod by division": Bug(table.prod, prod_by_division, 0, lambda x: weighed(F.prod(fitted(x))), [[0.5, 0.0, -1.0]]),
    "einsum forgets the diagonal": Bug(
        table.einsum, einsum_everywhere, 0, lambda x: weighed(F.einsum("ii->i", fitted(x))), [SQUARE]
    ),
    "add without the sum": Bug(table.add, add_without_sum, 1, lambda x, y: weighed(F.sin(x) + F.sin(y)), [ROW, 0.5]),
    "mul of the first alone": Bug(
        table.mul, mul_of_the_first, 1, lambda x, y: F.tanh(F.sin(x) * F.sin(y)).sum(), [[[1.0], [2.0]], [ROW]]
    ),
    "where by factors": Bug(
        table.where, where_by_factors, 1,
        lambda x, y: weighed(F.where([True, False], F.sin(x), y)), [[0.5, 1], [np.nan, 0.5]],
    ),
    "pow by division": Bug(table.pow, pow_by_division, 0, lambda x: weighed(fitted(x) ** 2), [[0.0, 0.5]]),
    "power by the logarithm": Bug(
        table.power, power_by_logarithm, 1, lambda x, y: weighed(F.pow(fitted(x), fitted(y))), [[0.0, 0.5], [1.0, 1.5]]
    ),
    "sqrt with an epsilon": Bug(table.sqrt, sqrt_with_epsilon, 0, lambda x: weighed(F.sqrt(F.exp(x))), [ROW]),
    "softmax without the shift": Bug(
        table.softmax, softmax_without_shift, 0, lambda x: weighed(F.softmax(x * 1e4, -1)), [[1.0, 0.0, -1.0]]
    ),
    "cross_entropy without the shift": Bug(
        table.cross_entropy, cross_entropy_without_shift, 0,
        lambda x: weighed(F.cross_entropy(x * 1e4, 1)), [[0.999, 1]],
    ),
    "logsumexp of a masked row": Bug(
        table.logsumexp, logsumexp_by_difference, 0,
        lambda x: weighed(F.logsumexp(x * 2, 1)[1:]), [[[-np.inf, -np.inf], [1, 0.5]]],
    ),
    "sigmoid by exponentials": Bug(
        table.sigmoid, sigmoid_by_exponentials, 0, lambda x: weighed(F.sigmoid(x * 1e3)), [[-1.0, 1e-3, 1.0]]
    ),
    "softplus by exponentials": Bug(
        table.softplus, softplus_by_exponentials, 0, lambda x: weighed(F.softplus(x * 1e3) / 1e3), [[-1.0, 1e-3, 1.0]]
    ),
    "layer_norm without eps": Bug(
        table.layer_norm, layer_norm_without_eps, 0,
        lambda x: weighed(F.layer_norm(fitted(x), 2)), [[[0.5, 0.5], [0.5, 1]]],
    ),
    "cross_entropy of ignored labels": Bug(
        table.cross_entropy, cross_entropy_of_ignored_too, 0,
        lambda x: F.sin(F.cross_entropy(fitted(x), [0, -100])), [SQUARE],
    ),
    "mul of x by itself counts once": Bug(table.mul, mul_once, 1, lambda x: F.tanh(F.mul(x, x)).sum(), [ROW]),
    "reshape by columns": Bug(
        table.reshape, reshape_by_columns, 0, lambda x: weighed(F.reshape(F.sin(x), (3, 2)) * 2 + x.T), [MATRIX]
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    """`gradcheck` of a program around it names the op and the input whose gradient is wrong."""
    bug = BUGS[name]
    right = gradcheck(bug.program, [np.array(x, float) for x in bug.arrays], raise_exception=False)

    with planted(bug.op, bug.rule), np.errstate(all="ignore"):
        report = gradcheck(bug.program, [np.array(x, float) for x in bug.arrays], raise_exception=False)

    assert right.faults == ()
    assert [(fault.op, fault.input) for fault in report.faults[:1]] == [(bug.op, bug.input)]


SWEEPS = {  # a line of the sweep, and what it may not be
    "the last path counts alone": ("pending[to] = have + c", "pending[to] = c"),
    "adding in place to a shared array": ("elif to in owned:", "elif True:"),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_planted_bug_of_the_sweep_is_found(name, monkeypatch):
    """Where no rule is wrong, the sweep is named, and no op."""
    line, other = SWEEPS[name]
    source = inspect.getsource(backprop.descend)
    names = dict(vars(backprop))
    exec(compile(source.replace(line, other), "descend", "exec"), names)

    def program(x, y):
        z = F.sin(x) + F.sin(y)
        return weighed(F.tanh(z) + F.sin(x) * z + z)

    right = gradcheck(program, [np.array(ROW), np.array(ROW) * 2], raise_exception=False)
    monkeypatch.setattr(backprop, "descend", names["descend"])
    report = gradcheck(program, [np.array(ROW), np.array(ROW) * 2], raise_exception=False)

    assert line in source
    assert right.faults == ()
    assert [(fault.kind, fault.op) for fault in report.faults] == [("sweep", None)]


MANNERS = {  # what is only wrong in float32, or with no elements: for check_op
    "float64 for float32": (table.mean, mean_in_double, "dtype", lambda x: F.mean(x), [1.0, 2.0]),
    "cancellation in float32": (table.var, var_by_cancellation, "precision", lambda x: F.var(x), [1e5, 1e5 + 2]),
    "no elements": (table.cumsum, cumsum_by_the_last, "zero-size", lambda x: F.cumsum(x, -1), np.zeros((2, 0))),
}


@pytest.mark.parametrize("name", MANNERS)
def test_a_planted_breach_of_manners_is_found(name):
    """`check_op` says what is wrong with a rule whose numbers in float64 are right."""
    op, rule, kind, call, array = MANNERS[name]
    samples = st.just(Case(call, (np.array(array, float),), {}))
    right = check_op(op, samples=samples, order=1)

    with planted(op, rule):
        report = check_op(op, samples=samples, order=1, raise_exception=False)

    assert right.ok
    assert [(fault.kind, fault.op) for fault in report.faults] == [(kind, op)]
