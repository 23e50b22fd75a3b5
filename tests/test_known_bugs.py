"""Kinds of bug that engines really had: each is right here, and each, planted, is found and blamed on its op.

Every kind stands in two tests: `test_…_is_right` has the exact numbers, and `BUGS` the wrong rule, which
`test_a_planted_bug_is_found` puts in its place inside of a small program.  The trackers named are where we read of it.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from mutations import planted
from tinygrad_seq import Tensor, backprop
from tinygrad_seq import functional as F
from tinygrad_seq.ops import reduce, table
from tinygrad_seq.ops.linear import einsum_vjp
from tinygrad_seq.testing import check_op, gradcheck
from tinygrad_seq.testing.strategies import Case

INF, NAN = np.inf, np.nan


def leaves(*arrays, dtype=float):
    return [Tensor(np.array(array, dtype), requires_grad=True) for array in arrays]


def gradients(function, *arrays, weights=None):
    """The gradients of the inputs of a function, its results weighed."""
    xs = leaves(*arrays)
    with np.errstate(all="ignore"):
        y = function(*xs)
        y.backward(np.ones(y.shape) if weights is None else np.array(weights, float))
    return [x.grad for x in xs]


def assert_gradients(function, *arrays, expected, weights=None):
    """The gradients are these numbers, to the last digit, in these shapes."""
    actual = gradients(function, *arrays, weights=weights)
    expected = [np.array(g, float) for g in expected]

    assert [g.shape for g in actual] == [g.shape for g in expected]
    for g, e in zip(actual, expected, strict=True):
        assert_array_equal(g, e)


# ---- ties and kinks ------------------------------------------------------------------


def test_max_of_ties_is_right():
    """Ties share the gradient: tinygrad pull request 229; PyTorch issue 146667 tells amax from max."""
    assert_gradients(F.max, [1.0, 3.0, 3.0], expected=[[0, 0.5, 0.5]])
    assert_gradients(lambda x: F.max(x, 1), [[2.0, 2.0], [0.0, 1.0]], weights=[4, 8], expected=[[[2, 2], [0, 8]]])
    assert_gradients(F.min, [1.0, 1.0, 3.0, 1.0], weights=3, expected=[[1, 1, 0, 1]])


def max_for_each_tie(g, out, x, *, axis, keepdims):
    return (reduce.spread(g, x, axis, keepdims) * (x == reduce.spread(out, x, axis, keepdims)),)


def test_max_of_many_ties_in_half_precision_is_right():
    """Ties are counted in integers: float16 counts to 65504, and 1 / inf was 0 in tinygrad issue 12296."""
    (x,) = leaves(np.ones(70_000), dtype=np.float16)
    F.max(x).backward()

    assert_allclose(x.grad.astype(float), 1 / 70_000, rtol=1e-2)


def test_maximum_of_equal_arguments_is_right():
    """Each gets half: both got all in Theano issue 6470, the first got all in autograd issue 212."""
    assert_gradients(F.maximum, [2.0, 1.0], [2.0, 3.0], expected=[[0.5, 0], [0.5, 1]])
    assert_gradients(F.minimum, [2.0, 1.0], [2.0, 3.0], expected=[[0.5, 1], [0.5, 0]])


def maximum_for_both(g, out, x, y):
    return g * (x >= y), g * (y >= x)


def test_abs_at_zero_is_right():
    """0, as x / |x| is not: MyGrad gave NaN until pull request 379."""
    assert_gradients(F.abs, [-2.0, 0.0, 3.0], expected=[[-1, 0, 1]])


def abs_by_division(g, out, x):
    return (g * x / out,)


def test_clip_at_its_bounds_is_right():
    """The gradient goes through at a bound: PyTorch issue 7002."""
    assert_gradients(lambda x: F.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], expected=[[0, 1, 1, 1, 0]])


def clip_below_alone(g, out, x, *, low, high):
    return (g * (x >= low),)


def test_norm_at_the_origin_is_right():
    """0, where x / |x| is NaN: PyTorch issue 2421, autograd issue 151, JAX issue 21723."""
    assert_gradients(F.norm, [0.0, 0.0], expected=[[0, 0]])
    assert_gradients(lambda x: F.norm(x, 1), [[0.0, 0.0], [3.0, 4.0]], weights=[1, 5], expected=[[[0, 0], [3, 4]]])
    assert_gradients(lambda x: F.norm(x) ** 2, [0.0, 0.0], expected=[[0, 0]])


def norm_by_division(g, out, x, *, axis, keepdims):
    return (reduce.spread(g / out, x, axis, keepdims) * x,)


def test_std_of_equal_elements_is_right():
    """0, where (x - mean) / std is NaN: PyTorch issue 4320."""
    assert_gradients(F.std, [2.0, 2.0, 2.0], expected=[[0, 0, 0]])
    assert_gradients(
        lambda x: F.std(x, 1, ddof=0), [[5.0, 5.0], [1.0, 3.0]], weights=[1, 2], expected=[[[0, 0], [-1, 1]]]
    )


def std_by_division(g, out, x, *, axis, keepdims, ddof):
    return reduce.var_vjp(g / (2 * out), out, x, axis=axis, keepdims=keepdims, ddof=ddof)


# ---- places that are named twice, or from the other end ------------------------------


def test_getitem_of_repeated_indices_is_right():
    """Gradients add up: PyTorch issue 1528 kept the last, autograd issue 39 and Zygote issue 821 one of them."""
    assert_gradients(lambda x: x[[0, 0, 2]], [5.0, 6.0, 7.0], weights=[1, 2, 4], expected=[[3, 0, 4]])
    assert_gradients(
        lambda x: x[[1, 1], [0, 0]], [[1.0, 2.0], [3.0, 4.0]], weights=[1, 2], expected=[[[0, 0], [3, 0]]]
    )
    assert_gradients(lambda x: F.take(x, [2, 2, 2]), [1.0, 2.0, 3.0], expected=[[0, 0, 3]])


def getitem_by_assignment(g, out, x, *, index):
    gx = np.zeros(x.shape, g.dtype)
    gx[index] = g
    return (gx,)


def test_embedding_of_a_repeated_word_is_right():
    """A word that is read twice gets both gradients."""
    assert_gradients(
        lambda w: F.embedding([1, 1], w), np.ones((2, 2)), weights=[[1, 2], [3, 4]], expected=[[[0, 0], [4, 6]]]
    )


def embedding_by_assignment(g, out, weight, *, indices, padding_idx):
    gw = np.zeros(weight.shape, g.dtype)
    gw[indices] = g
    return (gw,)


def test_getitem_of_negative_indices_and_masks_is_right():
    """-1 is the last; a mask picks its places in order."""
    assert_gradients(lambda x: x[[-1, 0, -1]], [1.0, 2.0, 3.0], weights=[1, 2, 4], expected=[[2, 0, 5]])
    assert_gradients(lambda x: x[np.array([True, False, True])], [1.0, 2.0, 3.0], weights=[5, 7], expected=[[5, 0, 7]])
    assert_gradients(lambda x: x[::-2], [1.0, 2.0, 3.0], weights=[5, 7], expected=[[7, 0, 5]])


def getitem_from_the_front(g, out, x, *, index):
    gx = np.zeros(x.shape, g.dtype)
    np.add.at(gx, np.maximum(index, 0), g)
    return (gx,)


# ---- sums, and their order -----------------------------------------------------------


def test_cumsum_is_right():
    """g_k + … + g_n: the sums run from the end (PyTorch pull request 1122 has the algebra)."""
    assert_gradients(lambda x: F.cumsum(x, 0), [1.0, 2.0, 3.0], weights=[1, 10, 100], expected=[[111, 110, 100]])
    assert_gradients(
        lambda x: F.cumsum(x, -1), [[1.0, 2.0], [3.0, 4.0]], weights=[[1, 2], [3, 4]], expected=[[[3, 2], [7, 4]]]
    )


def cumsum_forwards(g, out, x, *, axis):
    return (np.cumsum(g, axis=axis),)


def test_cumsum_of_nothing_is_right():
    """Of no elements there is a gradient of no elements: PyTorch raised in issue 31515."""
    assert_gradients(lambda x: F.cumsum(x, -1), np.zeros((2, 0)), expected=[np.zeros((2, 0))])


def cumsum_by_the_last(g, out, x, *, axis):
    sums = np.cumsum(g, axis=axis)
    return (g + np.take(sums, [-1], axis=axis or 0) - sums,)


def test_prod_with_zeros_is_right():
    """The product of the others, also where that is no quotient: PyTorch issue 773."""
    assert_gradients(F.prod, [2.0, 0.0, 5.0], expected=[[0, 10, 0]])
    assert_gradients(F.prod, [0.0, 0.0, 5.0], expected=[[0, 0, 0]])
    assert_gradients(F.prod, [0.0], expected=[[1]])


def prod_by_division(g, out, x, *, axis, keepdims):
    return (reduce.spread(g * out, x, axis, keepdims) / x,)


def test_einsum_of_a_diagonal_is_right():
    """A letter twice is a diagonal, a letter in no other operand is a sum: autograd issues 242 and 376."""
    assert_gradients(lambda x: F.einsum("ii->i", x), np.ones((2, 2)), weights=[3, 5], expected=[[[3, 0], [0, 5]]])
    assert_gradients(lambda x: F.einsum("ij->j", x), np.ones((2, 2)), weights=[3, 5], expected=[[[3, 5], [3, 5]]])


def einsum_everywhere(g, out, *xs, inputs, output):
    if inputs == ("ii",):
        return (np.broadcast_to(g, xs[0].shape).copy(),)
    return einsum_vjp(g, out, *xs, inputs=inputs, output=output)


def test_mean_in_float32_is_right():
    """The gradient of float32 is float32, and 1/n to its last digit."""
    (x,) = leaves(np.ones(3), dtype=np.float32)
    F.mean(x).backward()

    assert (x.grad.dtype, x.grad.tolist()) == (np.float32, [float(np.float32(1 / 3))] * 3)


def mean_in_double(g, out, x, *, axis, keepdims):
    return (reduce.spread(g / float(reduce.count_of(x, axis)), x, axis, keepdims).astype(float),)


def test_variance_far_from_the_origin_in_float32_is_right():
    """The mean is taken off first: of x² - x·mean no digit is left where x is 10⁵ (PyTorch issue 188372)."""
    (x,) = leaves([100_000.0, 100_002.0], dtype=np.float32)
    F.var(x, ddof=0).backward()

    assert x.grad.tolist() == [-1, 1]


def var_by_cancellation(g, out, x, *, axis, keepdims, ddof):
    n = reduce.count_of(x, axis)
    d = (x * x - x * reduce.mean(x, axis=axis, keepdims=True)) / x
    return (reduce.spread(g, x, axis, keepdims) * d * (2 / (n - ddof)),)


# ---- broadcasting --------------------------------------------------------------------


def test_broadcast_of_one_element_against_a_scalar_is_right():
    """() and (1,) are different shapes of one number: MyGrad pull request 373, rust-autograd issue 38."""
    assert_gradients(F.mul, [3.0], 2.0, expected=[[2], 3])
    assert_gradients(F.add, 1.0, [[3.0]], expected=[1, [[1]]])
    assert_gradients(F.sub, [1.0, 2.0], [4.0], weights=[1, 2], expected=[[1, 2], [-3]])


def add_without_sum(g, out, x, y):
    return g, g.reshape(-1)[:1].reshape(y.shape) if y.size == 1 else g


def test_broadcast_of_both_sides_is_right():
    """(2, 1) against (1, 3): PyTorch issue 1787, burn issue 181."""
    x, y, g = [[1.0], [2.0]], [[3.0, 5.0, 7.0]], [[1, 2, 3], [4, 5, 6]]

    assert_gradients(F.mul, x, y, weights=g, expected=[[[34], [79]], [[9, 12, 15]]])


def mul_of_the_first(g, out, x, y):
    return g * y, (g * x)[:1] if y.shape[:1] == (1,) else g * x


# ---- numbers at the edge -------------------------------------------------------------


def test_where_of_nan_is_right():
    """What is not selected gets 0, not NaN · 0: PyTorch issue 18287, JAX issue 2630, TensorFlow issue 2540."""
    condition = np.array([True, False])

    assert_gradients(lambda x, y: F.where(condition, x, y), [1.0, NAN], [INF, 2.0], expected=[[1, 0], [0, 1]])
    assert_gradients(lambda x: F.masked_fill(x, [True, False], 0.0), [NAN, 2.0], expected=[[0, 1]])


def test_where_around_a_pole_is_right():
    """A pole behind `where` needs a harmless input too: the pole's own rule says ∞ · 0 (tinygrad issue 12409)."""

    def safe(x):
        positive = x.data > 0
        return F.where(positive, F.sqrt(F.where(positive, x, 1.0)), 0.0)

    assert_gradients(safe, [4.0, 0.0, -1.0], expected=[[0.25, 0, 0]])


def where_by_factors(g, out, x, y, *, condition):
    return g * condition * (1 + 0 * x), g * (1 - condition) * (1 + 0 * y)


def test_pow_at_zero_is_right():
    """x² and x⁰ are flat at 0, x has slope 1: CppAD issue 92 gave NaN."""
    for exponent, slope in [(0, 0), (1, 1), (2, 0), (3, 0)]:
        assert_gradients(lambda x, n=exponent: F.pow(x, n), [0.0], expected=[[slope]])


def pow_by_division(g, out, x, *, exponent):
    return (g * exponent * out / x,)


def test_power_of_zero_is_right():
    """0^y does not change with y > 0, though log 0 is -∞: PyTorch issue 27134, tfjs issue 346."""
    assert_gradients(F.pow, [0.0, 2.0], [2.0, 1.0], expected=[[0, 1], [0, 2 * np.log(2)]])
    assert_gradients(F.pow, [0.0], [0.0], expected=[[0], [0]])


def power_by_logarithm(g, out, x, y):
    return g * y * x ** (y - 1), g * out * np.log(x)


def test_sqrt_at_zero_is_right():
    """∞, as it is: neither NaN nor a large number."""
    assert_gradients(F.sqrt, [0.0, 4.0], expected=[[INF, 0.25]])


def sqrt_with_epsilon(g, out, x):
    return (g / (2 * out + 1e-4),)


def test_softmax_of_large_numbers_is_right():
    """One-hot, and flat: NNlib issue 68, burn issue 315."""
    x = [1e4, 0.0, -1e4]

    assert F.softmax(Tensor(x), -1).data.tolist() == [1, 0, 0]
    assert_gradients(lambda x: F.softmax(x, -1), x, weights=[1, 2, 3], expected=[[0, 0, 0]])
    assert_gradients(lambda x: F.log_softmax(x, -1), x, weights=[1, 2, 3], expected=[[-5, 2, 3]])
    assert_gradients(F.logsumexp, x, expected=[[1, 0, 0]])


def softmax_without_shift(g, out, x, *, axis):
    e = np.exp(x)
    p = e / e.sum(axis=axis, keepdims=True)
    return (p * (g - (g * p).sum(axis=axis, keepdims=True)),)


def test_cross_entropy_of_large_logits_is_right():
    """softmax - one-hot, though exp overflows: Theano issue 3162."""
    assert_gradients(lambda x: F.cross_entropy(x, 1), [1e4, 0.0, -1e4], expected=[[1, -1, 0]])


def cross_entropy_without_shift(g, out, x, *, at, each, axis, reduction):
    p = np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)
    p[at] -= 1
    return (p * each * g,)


def test_logsumexp_of_a_masked_row_is_right():
    """A row of -∞ gets 0, not NaN: PyTorch issue 31829, JAX issue 6811."""
    x = [[-INF, -INF], [0.0, 0.0]]

    assert_gradients(lambda x: F.logsumexp(x, 1), x, weights=[1, 2], expected=[[[0, 0], [1, 1]]])
    assert_gradients(lambda x: F.softmax(x, 1), x, weights=np.ones((2, 2)), expected=[np.zeros((2, 2))])


def logsumexp_by_difference(g, out, x, *, axis, keepdims):
    spread = reduce.spread
    return (spread(g, x, axis, keepdims) * np.exp(x - spread(out, x, axis, keepdims)),)


def test_sigmoid_and_softplus_of_large_numbers_are_right():
    """σ(1 - σ) is 0 there, e^x / (1 + e^x)² is NaN: snntorch issue 427, dynet issue 1525, burn issue 5373."""
    x = [-1e3, 0.0, 1e3]

    assert F.sigmoid(Tensor(x)).data.tolist() == [0, 0.5, 1]
    assert_gradients(F.sigmoid, x, expected=[[0, 0.25, 0]])
    assert_gradients(F.softplus, x, expected=[[0, 0.5, 1]])


def sigmoid_by_exponentials(g, out, x):
    return (g * np.exp(-x) / (1 + np.exp(-x)) ** 2,)


def softplus_by_exponentials(g, out, x):
    return (g * np.exp(x) / (1 + np.exp(x)),)


def test_layer_norm_of_a_constant_row_is_right():
    """(g - mean g) / √eps, finite: burn issue 1992 and Flux issue 2096 had NaN."""
    (x,) = leaves([[7.0, 7.0], [7.0, 7.0]])
    y = F.layer_norm(x, 2, eps=1e-4)
    y.backward(np.array([[1.0, 3.0], [0.0, 0.0]]))

    assert y.data.tolist() == [[0, 0], [0, 0]]
    assert_allclose(x.grad, [[-100, 100], [0, 0]], rtol=1e-12)


def layer_norm_without_eps(g, out, x, *, axis, eps):
    sigma = np.sqrt(reduce.var(x, axis=axis, keepdims=True, ddof=0))
    mean = reduce.mean
    return ((g - mean(g, axis=axis, keepdims=True) - out * mean(g * out, axis=axis, keepdims=True)) / sigma,)


def test_cross_entropy_of_ignored_labels_is_right():
    """They get 0, also where a logit is -∞ (PyTorch issue 11551), and do not count in the mean."""
    logits = [[0.0, 0.0], [5.0, -INF], [0.0, 0.0]]

    assert_gradients(
        lambda x: F.cross_entropy(x, [0, -100, 1]), logits, expected=[[[-0.25, 0.25], [0, 0], [0.25, -0.25]]]
    )


def cross_entropy_of_ignored_too(g, out, x, *, at, each, axis, reduction):
    p = reduce.softmax(x, axis=axis)
    p /= np.count_nonzero(each)
    p[at] -= each
    return (p * g,)


# ---- one value, used more than once --------------------------------------------------


def test_square_by_aliasing_is_right():
    """x·x has the gradient 2x, through both of the op's inputs."""
    assert_gradients(lambda x: x * x, [3.0], expected=[[6]])
    assert_gradients(lambda x: x @ x, [3.0, 4.0], expected=[[6, 8]])
    assert_gradients(lambda x: F.where([True, False], x, x), [3.0, 4.0], expected=[[1, 1]])


def mul_once(g, out, x, y):
    return g * y, None if x is y or np.array_equal(x, y) else g * x


def test_reuse_of_an_inner_node_is_right():
    """Every path counts once: micrograd issue 2 and cTensor issue 5 counted some twice, or lost one."""

    def reused(x):
        y = x * x
        z = y * y + y
        return z * y

    assert_gradients(reused, [2.0], expected=[[6 * 2.0**5 + 4 * 2.0**3]])


def test_gradients_that_are_shared_are_right():
    """`add` hands one array to both inputs; adding to it in place would change the other's (OneFlow issue 8248)."""

    def shared(x, y):
        z = x + y
        return x / z + 0 * y

    x, y = 1.0, 3.0

    assert_gradients(shared, [x], [y], expected=[[1 / 4 - x / 16], [-x / 16]])
    assert_gradients(lambda x, y: (x + y) * 2 + x, [x], [y], expected=[[3], [2]])


def test_two_views_of_one_array_are_right():
    """A reshaped and a transposed view of the same leaf both count, each in its own order."""
    order, crosswise = np.arange(1.0, 7.0), np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])

    def views(x):
        return (x.reshape(6) * order).sum() + (x.T * crosswise).sum()

    assert_gradients(views, np.ones((2, 3)), expected=[[[2, 4, 6], [8, 10, 12]]])


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
        lambda x, y: weighed(F.where([True, False], F.sin(x), y)), [[0.5, 1], [NAN, 0.5]],
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
        lambda x: weighed(F.logsumexp(x * 2, 1)[1:]), [[[-INF, -INF], [1, 0.5]]],
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
