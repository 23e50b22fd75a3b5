"""Kinds of bug that engines really had: each is right here, by exact numbers; `test_planted_bugs.py` plants them.

The trackers named are where we read of it.
"""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_seq import Tensor
from tinygrad_seq import functional as F

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


def test_max_of_many_ties_in_half_precision_is_right():
    """Ties are counted in integers: float16 counts to 65504, and 1 / inf was 0 in tinygrad issue 12296."""
    (x,) = leaves(np.ones(70_000), dtype=np.float16)
    F.max(x).backward()

    assert_allclose(x.grad.astype(float), 1 / 70_000, rtol=1e-2)


def test_maximum_of_equal_arguments_is_right():
    """Each gets half: both got all in Theano issue 6470, the first got all in autograd issue 212."""
    assert_gradients(F.maximum, [2.0, 1.0], [2.0, 3.0], expected=[[0.5, 0], [0.5, 1]])
    assert_gradients(F.minimum, [2.0, 1.0], [2.0, 3.0], expected=[[0.5, 1], [0.5, 0]])


def test_abs_at_zero_is_right():
    """0, as x / |x| is not: MyGrad gave NaN until pull request 379."""
    assert_gradients(F.abs, [-2.0, 0.0, 3.0], expected=[[-1, 0, 1]])


def test_clip_at_its_bounds_is_right():
    """The gradient goes through at a bound: PyTorch issue 7002."""
    assert_gradients(lambda x: F.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], expected=[[0, 1, 1, 1, 0]])


def test_norm_at_the_origin_is_right():
    """0, where x / |x| is NaN: PyTorch issue 2421, autograd issue 151, JAX issue 21723."""
    assert_gradients(F.norm, [0.0, 0.0], expected=[[0, 0]])
    assert_gradients(lambda x: F.norm(x, 1), [[0.0, 0.0], [3.0, 4.0]], weights=[1, 5], expected=[[[0, 0], [3, 4]]])
    assert_gradients(lambda x: F.norm(x) ** 2, [0.0, 0.0], expected=[[0, 0]])


def test_std_of_equal_elements_is_right():
    """0, where (x - mean) / std is NaN: PyTorch issue 4320."""
    assert_gradients(F.std, [2.0, 2.0, 2.0], expected=[[0, 0, 0]])
    assert_gradients(
        lambda x: F.std(x, 1, ddof=0), [[5.0, 5.0], [1.0, 3.0]], weights=[1, 2], expected=[[[0, 0], [-1, 1]]]
    )


# ---- places that are named twice, or from the other end ------------------------------


def test_getitem_of_repeated_indices_is_right():
    """Gradients add up: PyTorch issue 1528 kept the last, autograd issue 39 and Zygote issue 821 one of them."""
    assert_gradients(lambda x: x[[0, 0, 2]], [5.0, 6.0, 7.0], weights=[1, 2, 4], expected=[[3, 0, 4]])
    assert_gradients(
        lambda x: x[[1, 1], [0, 0]], [[1.0, 2.0], [3.0, 4.0]], weights=[1, 2], expected=[[[0, 0], [3, 0]]]
    )
    assert_gradients(lambda x: F.take(x, [2, 2, 2]), [1.0, 2.0, 3.0], expected=[[0, 0, 3]])


def test_embedding_of_a_repeated_word_is_right():
    """A word that is read twice gets both gradients."""
    assert_gradients(
        lambda w: F.embedding([1, 1], w), np.ones((2, 2)), weights=[[1, 2], [3, 4]], expected=[[[0, 0], [4, 6]]]
    )


def test_getitem_of_negative_indices_and_masks_is_right():
    """-1 is the last; a mask picks its places in order."""
    assert_gradients(lambda x: x[[-1, 0, -1]], [1.0, 2.0, 3.0], weights=[1, 2, 4], expected=[[2, 0, 5]])
    assert_gradients(lambda x: x[np.array([True, False, True])], [1.0, 2.0, 3.0], weights=[5, 7], expected=[[5, 0, 7]])
    assert_gradients(lambda x: x[::-2], [1.0, 2.0, 3.0], weights=[5, 7], expected=[[7, 0, 5]])


# ---- sums, and their order -----------------------------------------------------------


def test_cumsum_is_right():
    """g_k + … + g_n: the sums run from the end (PyTorch pull request 1122 has the algebra)."""
    assert_gradients(lambda x: F.cumsum(x, 0), [1.0, 2.0, 3.0], weights=[1, 10, 100], expected=[[111, 110, 100]])
    assert_gradients(
        lambda x: F.cumsum(x, -1), [[1.0, 2.0], [3.0, 4.0]], weights=[[1, 2], [3, 4]], expected=[[[3, 2], [7, 4]]]
    )


def test_cumsum_of_nothing_is_right():
    """Of no elements there is a gradient of no elements: PyTorch raised in issue 31515."""
    assert_gradients(lambda x: F.cumsum(x, -1), np.zeros((2, 0)), expected=[np.zeros((2, 0))])


def test_prod_with_zeros_is_right():
    """The product of the others, also where that is no quotient: PyTorch issue 773."""
    assert_gradients(F.prod, [2.0, 0.0, 5.0], expected=[[0, 10, 0]])
    assert_gradients(F.prod, [0.0, 0.0, 5.0], expected=[[0, 0, 0]])
    assert_gradients(F.prod, [0.0], expected=[[1]])


def test_einsum_of_a_diagonal_is_right():
    """A letter twice is a diagonal, a letter in no other operand is a sum: autograd issues 242 and 376."""
    assert_gradients(lambda x: F.einsum("ii->i", x), np.ones((2, 2)), weights=[3, 5], expected=[[[3, 0], [0, 5]]])
    assert_gradients(lambda x: F.einsum("ij->j", x), np.ones((2, 2)), weights=[3, 5], expected=[[[3, 5], [3, 5]]])


def test_mean_in_float32_is_right():
    """The gradient of float32 is float32, and 1/n to its last digit."""
    (x,) = leaves(np.ones(3), dtype=np.float32)
    F.mean(x).backward()

    assert (x.grad.dtype, x.grad.tolist()) == (np.float32, [float(np.float32(1 / 3))] * 3)


def test_variance_far_from_the_origin_in_float32_is_right():
    """The mean is taken off first: of x² - x·mean no digit is left where x is 10⁵ (PyTorch issue 188372)."""
    (x,) = leaves([100_000.0, 100_002.0], dtype=np.float32)
    F.var(x, ddof=0).backward()

    assert x.grad.tolist() == [-1, 1]


# ---- broadcasting --------------------------------------------------------------------


def test_broadcast_of_one_element_against_a_scalar_is_right():
    """() and (1,) are different shapes of one number: MyGrad pull request 373, rust-autograd issue 38."""
    assert_gradients(F.mul, [3.0], 2.0, expected=[[2], 3])
    assert_gradients(F.add, 1.0, [[3.0]], expected=[1, [[1]]])
    assert_gradients(F.sub, [1.0, 2.0], [4.0], weights=[1, 2], expected=[[1, 2], [-3]])


def test_broadcast_of_both_sides_is_right():
    """(2, 1) against (1, 3): PyTorch issue 1787, burn issue 181."""
    x, y, g = [[1.0], [2.0]], [[3.0, 5.0, 7.0]], [[1, 2, 3], [4, 5, 6]]

    assert_gradients(F.mul, x, y, weights=g, expected=[[[34], [79]], [[9, 12, 15]]])


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


def test_pow_at_zero_is_right():
    """x² and x⁰ are flat at 0, x has slope 1: CppAD issue 92 gave NaN."""
    for exponent, slope in [(0, 0), (1, 1), (2, 0), (3, 0)]:
        assert_gradients(lambda x, n=exponent: F.pow(x, n), [0.0], expected=[[slope]])


def test_power_of_zero_is_right():
    """0^y does not change with y > 0, though log 0 is -∞: PyTorch issue 27134, tfjs issue 346."""
    assert_gradients(F.pow, [0.0, 2.0], [2.0, 1.0], expected=[[0, 1], [0, 2 * np.log(2)]])
    assert_gradients(F.pow, [0.0], [0.0], expected=[[0], [0]])


def test_sqrt_at_zero_is_right():
    """∞, as it is: neither NaN nor a large number."""
    assert_gradients(F.sqrt, [0.0, 4.0], expected=[[INF, 0.25]])


def test_softmax_of_large_numbers_is_right():
    """One-hot, and flat: NNlib issue 68, burn issue 315."""
    x = [1e4, 0.0, -1e4]

    assert F.softmax(Tensor(x), -1).data.tolist() == [1, 0, 0]
    assert_gradients(lambda x: F.softmax(x, -1), x, weights=[1, 2, 3], expected=[[0, 0, 0]])
    assert_gradients(lambda x: F.log_softmax(x, -1), x, weights=[1, 2, 3], expected=[[-5, 2, 3]])
    assert_gradients(F.logsumexp, x, expected=[[1, 0, 0]])


def test_cross_entropy_of_large_logits_is_right():
    """softmax - one-hot, though exp overflows: Theano issue 3162."""
    assert_gradients(lambda x: F.cross_entropy(x, 1), [1e4, 0.0, -1e4], expected=[[1, -1, 0]])


def test_logsumexp_of_a_masked_row_is_right():
    """A row of -∞ gets 0, not NaN: PyTorch issue 31829, JAX issue 6811."""
    x = [[-INF, -INF], [0.0, 0.0]]

    assert_gradients(lambda x: F.logsumexp(x, 1), x, weights=[1, 2], expected=[[[0, 0], [1, 1]]])
    assert_gradients(lambda x: F.softmax(x, 1), x, weights=np.ones((2, 2)), expected=[np.zeros((2, 2))])


def test_sigmoid_and_softplus_of_large_numbers_are_right():
    """σ(1 - σ) is 0 there, e^x / (1 + e^x)² is NaN: snntorch issue 427, dynet issue 1525, burn issue 5373."""
    x = [-1e3, 0.0, 1e3]

    assert F.sigmoid(Tensor(x)).data.tolist() == [0, 0.5, 1]
    assert_gradients(F.sigmoid, x, expected=[[0, 0.25, 0]])
    assert_gradients(F.softplus, x, expected=[[0, 0.5, 1]])


def test_layer_norm_of_a_constant_row_is_right():
    """(g - mean g) / √eps, finite: burn issue 1992 and Flux issue 2096 had NaN."""
    (x,) = leaves([[7.0, 7.0], [7.0, 7.0]])
    y = F.layer_norm(x, 2, eps=1e-4)
    y.backward(np.array([[1.0, 3.0], [0.0, 0.0]]))

    assert y.data.tolist() == [[0, 0], [0, 0]]
    assert_allclose(x.grad, [[-100, 100], [0, 0]], rtol=1e-12)


def test_cross_entropy_of_ignored_labels_is_right():
    """They get 0, also where a logit is -∞ (PyTorch issue 11551), and do not count in the mean."""
    logits = [[0.0, 0.0], [5.0, -INF], [0.0, 0.0]]

    assert_gradients(
        lambda x: F.cross_entropy(x, [0, -100, 1]), logits, expected=[[[-0.25, 0.25], [0, 0], [0.25, -0.25]]]
    )


# ---- one value, used more than once --------------------------------------------------


def test_square_by_aliasing_is_right():
    """x·x has the gradient 2x, through both of the op's inputs."""
    assert_gradients(lambda x: x * x, [3.0], expected=[[6]])
    assert_gradients(lambda x: x @ x, [3.0, 4.0], expected=[[6, 8]])
    assert_gradients(lambda x: F.where([True, False], x, x), [3.0, 4.0], expected=[[1, 1]])


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
