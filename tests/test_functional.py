"""The functions by their values: NumPy's and PyTorch's own numbers, far from the middle, at kinks, and at random."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from strategies import examples
from tinygrad_seq import Tensor, manual_seed, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, NoDerivativeError
from tinygrad_seq.testing.strategies import ANY, FULL, LONG, POSITIVE, REAL, SOLID, booleans, of, one_axis, some_axes

AXES = {"axis": some_axes, "keepdims": booleans}


def gradients(loss, *leaves):
    found = {visit.node: visit.grad for visit in sweep(loss, np.ones(loss.shape))}
    return [found[x] for x in leaves]


# ---- NumPy's numbers -----------------------------------------------------------------

NUMPY = {  # a strategy of calls, and NumPy's function of the same arguments
    **{
        name: (of(getattr(F, name), REAL), getattr(np, name))
        for name in ("exp", "expm1", "sin", "cos", "tanh", "abs", "sign")
    },
    **{name: (of(getattr(F, name), POSITIVE), getattr(np, name)) for name in ("log", "log1p", "sqrt")},
    **{name: (of(getattr(F, name), REAL, REAL), getattr(np, name)) for name in ("maximum", "minimum")},
    **{name: (of(getattr(F, name), REAL, **AXES), getattr(np, name)) for name in ("sum", "prod")},
    **{name: (of(getattr(F, name), REAL, shape=FULL, **AXES), getattr(np, name)) for name in ("mean", "max", "min")},
    **{
        name: (of(getattr(F, name), REAL, shape=LONG, ddof=lambda _: booleans(()).map(int), **AXES), getattr(np, name))
        for name in ("var", "std")
    },
    **{
        name: (of(getattr(F, name), REAL, shape=SOLID, axis=one_axis), getattr(np, name))
        for name in ("argmax", "argmin", "cumsum", "flip")
    },
    "add": (of(F.add, REAL, REAL), np.add),
    "sub": (of(F.sub, REAL, REAL), np.subtract),
    "mul": (of(F.mul, REAL, REAL), np.multiply),
    "div": (of(F.div, REAL, POSITIVE), np.divide),
    "pow": (of(F.pow, POSITIVE, REAL), np.power),
    "neg": (of(F.neg, REAL), np.negative),
    "relu": (of(F.relu, REAL), lambda x: np.maximum(x, 0)),
    "leaky_relu": (of(F.leaky_relu, REAL), lambda x: np.where(x > 0, x, 0.01 * x)),
    "sigmoid": (of(F.sigmoid, REAL), lambda x: 1 / (1 + np.exp(-x))),
    "silu": (of(F.silu, REAL), lambda x: x / (1 + np.exp(-x))),
    "softplus": (of(F.softplus, REAL), lambda x: np.log(1 + np.exp(x))),
    "erf": (of(F.erf, REAL), np.vectorize(math.erf, otypes=[float])),
    "gelu": (of(F.gelu, REAL), lambda x: x * (1 + np.vectorize(math.erf, otypes=[float])(x / 2**0.5)) / 2),
    "transpose": (of(F.transpose, REAL), np.transpose),
    "flatten": (of(F.flatten, REAL), np.ravel),
    "norm": (
        of(F.norm, REAL, shape=FULL, **AXES),
        lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    ),
    "logsumexp": (
        of(F.logsumexp, REAL, shape=FULL, **AXES),
        lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    ),
    "softmax": (
        of(F.softmax, REAL, shape=SOLID, axis=one_axis),
        lambda x, axis: np.exp(x) / np.exp(x).sum(axis, keepdims=True),
    ),
    "log_softmax": (
        of(F.log_softmax, REAL, shape=SOLID, axis=one_axis),
        lambda x, axis: x - np.log(np.exp(x).sum(axis, keepdims=True)),
    ),
}


@pytest.mark.parametrize("name", NUMPY)
def test_values_are_numpys(name):
    """Over shapes, axes and layouts, to rounding."""
    cases, expected = NUMPY[name]

    @given(cases)
    @examples(15)
    def holds(case):
        out = case(*[Tensor(array, requires_grad=True) for array in case.arrays])
        plain = expected(*case.arrays, **case.fixed)

        assert np.shape(out) == plain.shape
        assert_allclose(getattr(out, "data", out), plain, rtol=1e-13, atol=1e-13)

    holds()


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std", "norm", "logsumexp"])
def test_dim_and_keepdim_are_axis_and_keepdims(name, axis):
    """PyTorch's spelling is understood."""
    x = Tensor([[1.0, 2.0], [3.0, 5.0]])
    function = getattr(F, name)

    assert_array_equal(function(x, dim=axis, keepdim=True).data, function(x, axis=axis, keepdims=True).data)


# ---- PyTorch's numbers ---------------------------------------------------------------

LOGITS = [[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]
TARGET = [[0.0, 1.0, 0.5], [1.0, 0.0, 1.0]]
SHARES = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
TORCH = {
    "gelu": (lambda: F.gelu([-1.0, 0.0, 2.0]), [-0.15865525393145702, 0.0, 1.9544997361036416]),
    "gelu, tanh": (lambda: F.gelu(Tensor([-1.0, 0.0, 2.0]), "tanh"), [-0.15880800939172324, 0.0, 1.954597694087775]),
    "silu": (lambda: F.silu([-1.0, 0.0, 2.0]), [-0.2689414213699951, 0.0, 1.7615941559557646]),
    "erf": (
        lambda: F.erf([-3.0, -0.3, 0.0, 0.47, 1.0, 4.5]),
        [-0.9999779095030014, -0.3286267594591274, 0.0, 0.4937450508860821, 0.8427007929497149, 0.9999999998033839],
    ),
    "var": (lambda: F.var(np.arange(6.0), correction=1), 3.5),
    "gather": (lambda: F.gather(np.arange(6.0).reshape(2, 3), 1, [[0, 2], [1, 1]]), [[0.0, 2.0], [4.0, 4.0]]),
    "gather, dim": (
        lambda: F.gather(np.arange(6.0).reshape(2, 3), dim=1, index=[[0, 2], [1, 1]]),
        [[0.0, 2.0], [4.0, 4.0]],
    ),
    "scatter_add": (
        lambda: F.scatter_add(np.zeros((2, 3)), 0, [[0, 1, 1], [0, 0, 1]], np.arange(6.0).reshape(2, 3)),
        [[3.0, 4.0, 0.0], [0.0, 1.0, 7.0]],
    ),
    "chunk": (lambda: F.concat([part.sum()[None] for part in F.chunk(Tensor(np.arange(7.0)), 3)]), [3.0, 12.0, 6.0]),
    "chunk, fewer": (lambda: F.concat([part.sum()[None] for part in F.chunk(Tensor(np.arange(4.0)), 3)]), [1.0, 5.0]),
    "linear": (lambda: F.linear(Tensor(np.arange(6.0).reshape(2, 3)), Tensor([[1.0, 0.0, 2.0]]), 0.5), [[4.5], [13.5]]),
    "cross_entropy": (lambda: F.cross_entropy(LOGITS, [2, 0]), 0.9795253391882157),
    "cross_entropy, weight": (lambda: F.cross_entropy(LOGITS, [2, 0], [1.0, 2.0, 3.0]), 0.693565651816298),
    "cross_entropy, label_smoothing": (
        lambda: F.cross_entropy(LOGITS, [2, 0], label_smoothing=0.1),
        1.0128586725215492,
    ),
    "cross_entropy, ignore_index": (lambda: F.cross_entropy(LOGITS, [2, 0], ignore_index=0), 0.4076059644443804),
    "cross_entropy, sum": (lambda: F.cross_entropy(LOGITS, [2, 0], reduction="sum"), 1.9590506783764314),
    "cross_entropy, none": (
        lambda: F.cross_entropy(LOGITS, [2, 0], reduction="none"),
        [0.4076059644443804, 1.551444713932051],
    ),
    "cross_entropy, one": (lambda: F.cross_entropy(LOGITS[0], 2), 0.4076059644443804),
    "cross_entropy, shares": (
        lambda: F.cross_entropy(LOGITS, SHARES, [1.0, 2.0, 3.0], label_smoothing=0.1),
        1.7825940289736666,
    ),
    "nll_loss": (lambda: F.nll_loss(LOGITS, [2, 0]), -1.5),
    "bce": (lambda: F.binary_cross_entropy_with_logits(LOGITS, TARGET), 0.7813888497955085),
    "bce, weights": (
        lambda: F.binary_cross_entropy_with_logits(LOGITS, TARGET, 0.5, pos_weight=2.0, reduction="sum"),
        2.922981826840531,
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_values_are_pytorchs(name):
    """With PyTorch's arguments; of tensors, lists and arrays alike."""
    compute, expected = TORCH[name]

    assert_allclose(compute().data, expected, rtol=1e-14)


def test_erf_is_exact_to_rounding():
    """In each of its three pieces, at their seams, and in float32."""
    x = np.concatenate([np.linspace(-6, 6, 2001), [0.46875, -0.46875, 4.0, np.nextafter(4, 5), 1e-300, 30.0, 1e4]])
    expected = [math.erf(v) for v in x]

    assert_allclose(F.erf(x).data, expected, rtol=1e-15)
    assert_allclose(F.erf(x.astype(np.float32)).data, [math.erf(v) for v in x.astype(np.float32)], rtol=2e-6)
    assert np.isnan(F.erf([np.nan]).data).all()


# ---- far from the middle -------------------------------------------------------------

FAR = [-1e4, -800.0, -104.0, -88.7, -20.0, 0.0, 20.0, 88.7, 104.0, 800.0, 1e4]
SAFE = {
    "sigmoid": F.sigmoid,
    "softplus": F.softplus,
    "silu": F.silu,
    "gelu": F.gelu,
    "tanh": F.tanh,
    "softmax": F.softmax,
    "log_softmax": F.log_softmax,
    "logsumexp": F.logsumexp,
    "softmax of two": lambda x: F.softmax(F.stack([x, -x]), axis=0),
    "log_softmax of two": lambda x: F.log_softmax(F.stack([x, -x]), axis=0),
    "logsumexp of two": lambda x: F.logsumexp(F.stack([x, -x]), axis=0),
    "cross_entropy": lambda x: F.cross_entropy(
        F.stack([x, -x, x * 0], axis=1), np.arange(x.size) % 3, reduction="none"
    ),
    "smoothed cross_entropy": lambda x: F.cross_entropy(
        F.stack([x, -x], axis=1), np.arange(x.size) % 2, label_smoothing=0.1
    ),
    "bce": lambda x: F.binary_cross_entropy_with_logits(x, (np.arange(x.size) % 2).astype(x.dtype), reduction="none"),
    "weighted bce": lambda x: F.binary_cross_entropy_with_logits(x, x.data * 0 + 0.5, pos_weight=3.0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SAFE)
def test_values_and_gradients_stay_finite(name, dtype):
    """At ±10⁴, in both precisions, without a warning."""
    x = Tensor(FAR, requires_grad=True, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = SAFE[name](x)
        (g,) = gradients(y, x)

    assert y.dtype == g.dtype == dtype
    assert np.isfinite(y.data).all()
    assert np.isfinite(g).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SAFE)
def test_second_derivatives_stay_finite(name, dtype):
    """The gradient, recorded, has a finite gradient there too."""
    x = Tensor(FAR, requires_grad=True, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = SAFE[name](x)
        g = next(visit.grad for visit in sweep(y, np.ones(y.shape), create_graph=True) if visit.node is x)
        (gg,) = gradients(g, x)

    assert gg.dtype == dtype
    assert np.isfinite(gg).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_values_are_the_limits(dtype):
    """Not only finite, but right."""
    x = Tensor([-1e4, 1e4], dtype=dtype)

    assert_array_equal(F.sigmoid(x).data, [0, 1])
    assert_array_equal(F.softplus(x).data, [0, 1e4])
    assert_array_equal(F.log_softmax(x).data, [-2e4, 0])
    assert_array_equal(F.logsumexp(x).data, dtype(1e4))
    assert_array_equal(F.cross_entropy(x[None], [0], reduction="none").data, [2e4])
    assert_array_equal(F.binary_cross_entropy_with_logits(x, [1.0, 0.0], reduction="none").data, [1e4, 1e4])


def test_small_numbers_are_not_lost():
    """log1p and expm1 near 0, and softplus and sigmoid far on the left."""
    assert F.log1p([1e-20]).data == 1e-20
    assert F.expm1([1e-20]).data == 1e-20
    assert_allclose(F.softplus([-50.0]).data, math.exp(-50), rtol=1e-14)
    assert_allclose(F.sigmoid([-50.0]).data, math.exp(-50), rtol=1e-14)


def test_masked_rows_weigh_nothing():
    """A softmax row of nothing but -inf is zeros with zero gradient; one of some -inf is that of the rest."""
    x = Tensor([[-np.inf, -np.inf], [-np.inf, 5.0]], requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y = F.softmax(x)
        (g,) = gradients(y * [1.0, 2.0], x)

    assert_array_equal(y.data, [[0, 0], [0, 1]])
    assert_array_equal(g, np.zeros((2, 2)))


def test_infinite_logits():
    """A class that is impossible costs nothing but when it is the target."""
    x = Tensor([[0.0, -np.inf], [0.0, -np.inf]], requires_grad=True)
    loss = F.cross_entropy(x, [0, 0])
    (g,) = gradients(loss, x)

    assert loss.item() == 0.0
    assert_array_equal(g, np.zeros((2, 2)))
    assert F.cross_entropy(x, [0, 1], reduction="none").data.tolist() == [0.0, np.inf]
    assert F.logsumexp(Tensor([-np.inf, -np.inf])).item() == -np.inf


# ---- ties and kinks, as in PyTorch ----------------------------------------------------

inf = np.inf
KINKS = {
    "relu": (F.relu, [-1, 0, 1], [0, 0, 1]),
    "abs": (F.abs, [-1, 0, 1], [-1, 0, 1]),
    "leaky_relu": (F.leaky_relu, [-1, 0, 1], [0.01, 0.01, 1]),
    "clip": (lambda x: F.clip(x, 0, 1), [-1, 0, 0.5, 1, 2], [0, 1, 1, 1, 0]),
    "clip below": (lambda x: F.clip(x, min=0), [-1, 0, 1], [0, 1, 1]),
    "max, two": (F.max, [1, 3, 3], [0, 1 / 2, 1 / 2]),
    "max, three": (F.max, [3, 3, 3], [1 / 3, 1 / 3, 1 / 3]),
    "min along an axis": (lambda x: F.min(x, axis=0), [[1, 3], [1, 2]], [[1 / 2, 0], [1 / 2, 1]]),
    "maximum": (lambda x: F.maximum(x, 2.0), [1, 2, 3], [0, 1 / 2, 1]),
    "minimum": (lambda x: F.minimum(x, 2.0), [1, 2, 3], [1, 1 / 2, 0]),
    "maximum of itself": (lambda x: F.maximum(x, x), [1, 2], [1, 1]),
    "norm": (F.norm, [0, 0], [0, 0]),
    "std": (F.std, [2, 2], [0, 0]),
    "prod, one zero": (F.prod, [0, 2, 3], [6, 0, 0]),
    "prod, two zeros": (F.prod, [0, 0, 3], [0, 0, 0]),
    "x²": (lambda x: x**2, [0], [0]),
    "x¹": (lambda x: x**1, [0], [1]),
    "x⁰": (lambda x: x**0, [0, 2], [0, 0]),
    "x to the power of a tensor": (lambda x: x ** Tensor([2.0, 0.0, 0.0]), [0, 2, 0], [0, 0, 0]),
    "a tensor to the power of x": (lambda x: Tensor([0.0, 2.0, 0.0]) ** x, [2, 0, 0], [0, math.log(2), 0]),
    "bce at 0": (lambda x: F.binary_cross_entropy_with_logits(x, [0.0, 1.0], reduction="sum"), [0, 0], [1 / 2, -1 / 2]),
    "logsumexp of -inf": (F.logsumexp, [-inf, 0], [0, 1]),
}


@pytest.mark.parametrize("name", KINKS)
def test_gradients_at_kinks_and_ties_are_pytorchs(name):
    """As written in the docstrings; without a warning."""
    function, data, expected = KINKS[name]
    x = Tensor(np.array(data, float), requires_grad=True)
    (g,) = gradients(function(x), x)

    assert_allclose(g, expected, rtol=1e-15)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("function", [F.sqrt, lambda x: x**0.5])
def test_the_root_is_infinitely_steep_at_zero(function):
    """As in PyTorch, and as it is."""
    x = Tensor([0.0, 1.0], requires_grad=True)

    assert gradients(function(x), x)[0].tolist() == [inf, 0.5]


def test_negative_bases():
    """A number as exponent works for them; of a tensor as exponent only the base has a derivative."""
    x, y = Tensor([-2.0], requires_grad=True), Tensor([3.0], requires_grad=True)

    assert gradients(x**3, x)[0].tolist() == [12.0]
    assert gradients(x**y, x)[0].tolist() == [12.0]
    assert np.isnan(gradients(x**y, y)[0]).all()


# ---- at random -----------------------------------------------------------------------


def test_dropout_scales_what_it_keeps():
    """Each element is 0 or x / (1 - p); so is its gradient; about the share p is 0."""
    manual_seed(0)
    x = Tensor(np.full((100, 100), 3.0), requires_grad=True)
    y = F.dropout(x, 0.25)
    (g,) = gradients(y, x)

    assert set(np.unique(y.data)) == {0.0, 4.0}
    assert 0.23 < np.mean(y.data == 0) < 0.27
    assert_array_equal(g, y.data / 3)


def test_dropout_repeats_from_a_seed():
    """The mask comes from the library's generator."""
    x = Tensor(np.ones(100))
    draws = []
    for _ in range(2):
        manual_seed(7)
        draws += [F.dropout(x).data, F.dropout(x).data]

    assert_array_equal(draws[0], draws[2])
    assert_array_equal(draws[1], draws[3])
    assert (draws[0] != draws[1]).any()


@pytest.mark.parametrize("options", [{"training": False}, {"p": 0}])
def test_dropout_that_drops_nothing_is_nothing(options):
    """Outside of training, and with p = 0, it gives what it got."""
    x = Tensor([1.0])

    assert F.dropout(x, **options) is x


# ---- special cases -------------------------------------------------------------------


def test_padding_gets_no_gradient():
    """Nor do rows that no index names; rows named twice get both."""
    weight = Tensor(np.ones((4, 2)), requires_grad=True)
    (g,) = gradients(F.embedding([[0, 1], [1, 3]], weight, padding_idx=3), weight)

    assert g[:, 0].tolist() == [1, 2, 0, 0]


def test_ignored_labels_get_no_gradient():
    """And do not count in the mean."""
    x = Tensor(LOGITS, requires_grad=True)
    (g,) = gradients(F.cross_entropy(x, [2, -100]), x)
    alone = Tensor(LOGITS[:1], requires_grad=True)

    assert_array_equal(g[1], [0, 0, 0])
    assert_allclose(g[:1], gradients(F.cross_entropy(alone, [2]), alone)[0], rtol=1e-15)


@pytest.mark.parametrize("axis", [1, -1, 2])
def test_the_axis_of_the_classes(axis):
    """Is that of PyTorch unless told."""
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    labels = [[0, 1, 2], [2, 2, 0]]
    moved = np.moveaxis(x, axis, -1).reshape(6, 3)

    assert_allclose(
        F.cross_entropy(x, labels, axis=axis).data, F.cross_entropy(moved, np.ravel(labels)).data, rtol=1e-14
    )
    assert_allclose(F.cross_entropy(x, labels).data, F.cross_entropy(x, labels, axis=1).data)


def test_layer_norm_normalizes():
    """Mean 0 and variance 1 over the last axes; a constant row is zeros."""
    y = F.layer_norm(Tensor([[1.0, 2.0, 6.0], [3.0, 3.0, 3.0]]), 3, eps=1e-12).data

    assert_allclose(y[0].mean(), 0, atol=1e-14)
    assert_allclose(y[0].var(), 1, rtol=1e-10)
    assert_array_equal(y[1], [0, 0, 0])


def test_one_hot():
    """A row of the identity for each index, in a new last axis."""
    assert_array_equal(F.one_hot([[0, 2], [1, 0]], 3), np.eye(3)[[[0, 2], [1, 0]]])


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_are_plain_integers(name):
    """They have no gradient."""
    found = getattr(F, name)(Tensor([[1.0, 3.0], [5.0, 2.0]], requires_grad=True), axis=1)

    assert type(found) is np.ndarray
    assert found.dtype == np.int64


def test_other_names():
    """cat, clamp, view, mse and nll are the same functions."""
    pairs = [("cat", "concat"), ("clamp", "clip"), ("view", "reshape"), ("mse", "mse_loss"), ("nll", "nll_loss")]

    assert all(getattr(F, one) is getattr(F, other) for one, other in pairs)


CONSTANTS = {
    "clip": lambda c: F.clip([1.0, 2.0], c),
    "masked_fill": lambda c: F.masked_fill([1.0, 2.0], [True, False], c.sum()),
    "cross_entropy": lambda c: F.cross_entropy(Tensor([[1.0, 2.0]]), [0], c),
    "nll_loss": lambda c: F.nll_loss(Tensor([[1.0, 2.0]]), [0], c),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_fixed_argument_that_requires_a_gradient_is_refused(name):
    """Its gradient would be dropped silently."""
    with pytest.raises(NoDerivativeError, match=r"constant \(test_functional\.py:\d+\).*detach"):
        CONSTANTS[name](Tensor([1.0, 1.0], requires_grad=True))


@given(of(F.split, REAL, shape=SOLID), of(F.flatten, REAL, shape=ANY))
@examples(15)
def test_cut_and_joined_is_whole(case, flat):
    """concat undoes split and chunk; reshape undoes flatten."""
    (array,), (other,) = case.arrays, flat.arrays

    assert_array_equal(F.concat(F.split(array, array.shape[0])).data, array)
    assert_array_equal(F.concat(F.chunk(array, 2, -1), -1).data, array)
    assert_array_equal(F.reshape(F.flatten(other), other.shape).data, other)


@pytest.mark.parametrize("reduction", ["average", None, "MEAN"])
def test_reductions_have_names(reduction):
    """mean, sum or none."""
    with pytest.raises(DataError, match='"mean", "sum" or "none"'):
        F.mse_loss([1.0], [2.0], reduction=reduction)
