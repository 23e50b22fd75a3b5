"""Every op against the complex step, on tensors and on values, in both precisions, and twice.

The oracles share no code with `tinygrad_seq.testing`, which checks the same by `check_op` in test_testing_single.py.
"""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import oracles
from strategies import examples
from tinygrad_seq import Tensor, Value, manual_seed, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.ops import table
from tinygrad_seq.testing.samples import FUNCTIONS, OPS, SAMPLES

every_op = pytest.mark.parametrize("name", OPS)
every_sample = pytest.mark.parametrize("name", SAMPLES)
SEEDS = st.integers(0, 2**32 - 1)
FLAT = {"sign"}  # ops that no gradient goes through
SCALAR = [name for name, op in vars(table).items() if op.scalar is not None]
ALIASES = {"cat", "clamp", "view", "mse", "nll"}
NO_GRADIENT = {"argmax", "argmin", "one_hot"}


def leaf(array):
    """A leaf, and the same seen through a view with strides that run backwards."""
    x = Tensor(np.flip(array), requires_grad=True)
    return x, F.flip(x)


def program(case, rng):
    """A scalar made by one call: its leaves, one of which is the weight of each element of the result."""
    manual_seed(int(rng.integers(1000)))
    leaves, views = zip(*[leaf(array) for array in case.arrays], strict=True)
    out = case(*views)
    weights = Tensor(rng.normal(size=out.shape), requires_grad=True)
    return (out * weights).sum(), [*leaves, weights]


def gradients(loss, leaves, **options):
    """What the sweep brings to each leaf; zeros where it brings nothing."""
    found = {visit.node: visit.grad for visit in sweep(loss, **options)} if loss.requires_grad else {}
    return [found.get(x, np.zeros(np.shape(x.data))) for x in leaves]


def close(actual, expected, precision):
    """Equal up to a share of the largest element."""
    assert np.shape(actual) == np.shape(expected)
    assert_allclose(actual, expected, rtol=precision, atol=precision * max(1, np.abs(expected).max(initial=0)))


def derivative(case, loss, x, *of):
    """The gradient by the best of the oracles, and how exact it is."""
    if case.analytic:
        return oracles.complex_step(loss, x, *of), 1e-10
    return oracles.central_differences(loss, x, *of), 1e-8


def check(case, seed):
    """The gradient that the sweep brings to each input of a call is that of the oracle."""
    loss, leaves = program(case, np.random.default_rng(seed))

    for x, g in zip(leaves, gradients(loss, leaves), strict=True):
        expected, precision = derivative(case, loss, x)
        close(g, expected, precision)


# ---- the samples ---------------------------------------------------------------------


def test_every_op_has_a_line_of_samples():
    """A new op fails here until it has its line, and then every test below knows it."""
    assert set(OPS) == set(vars(table))


@every_op
def test_samples_are_of_their_op(name):
    """The line of an op makes nodes of that op."""
    made = set()

    @given(OPS[name], SEEDS)
    @examples(5)
    def collect(case, seed):
        loss, _ = program(case, np.random.default_rng(seed))
        made.update(node.op for node in Graph(loss) if node.op)

    collect()

    assert getattr(table, name) in made


def test_every_function_has_samples():
    """Each public function is sampled under its own name, or is the function of an op that is."""
    sampled = {word for name in SAMPLES for word in name.split()}

    assert set(F.__all__) - ALIASES - NO_GRADIENT - {"mse_loss", "nll_loss"} <= sampled


# ---- derivatives ---------------------------------------------------------------------


@every_sample
def test_gradient_is_that_of_the_complex_step(name):
    """To 1e-10, over shapes, axes and values, broadcast, empty, 0-d and strided ones among them."""

    @given(SAMPLES[name], SEEDS)
    @examples(20)
    def holds(case, seed):
        check(case, seed)

    holds()


@every_sample
def test_gradient_of_the_gradient_is_right(name):
    """A gradient recorded by create_graph is differentiated as the complex step differentiates the naive chain rule."""

    @given(SAMPLES[name], SEEDS)
    @examples(8)
    def holds(case, seed):
        rng = np.random.default_rng(seed)
        loss, leaves = program(case, rng)
        firsts = gradients(loss, leaves, create_graph=True)
        along = [rng.normal(size=x.shape) for x in leaves]
        slope = sum((g * v).sum() for g, v in zip(firsts, along, strict=True))

        for g, plain in zip(firsts, gradients(loss, leaves), strict=True):
            close(g.data if isinstance(g, Tensor) else g, plain, 1e-12)
        for x, gg in zip(leaves, gradients(slope, leaves), strict=True):
            differences = oracles.complex_step if case.analytic else oracles.central_differences
            close(gg, oracles.second_derivative(loss, leaves, along, x, differences), 1e-9 if case.analytic else 1e-7)

    holds()


def sigma(x):
    return 1 / (1 + math.exp(-x))


THIRD = {  # a function of one number, and its third derivative
    "exp": (F.exp, math.exp),
    "sin": (F.sin, lambda x: -math.cos(x)),
    "log": (F.log, lambda x: 2 / x**3),
    "tanh": (F.tanh, lambda x: (6 * math.tanh(x) ** 2 - 2) / math.cosh(x) ** 2),
    "softplus": (F.softplus, lambda x: sigma(x) * (1 - sigma(x)) * (1 - 2 * sigma(x))),
    "x⁴": (lambda x: x**4, lambda x: 24 * x),
    "1/x": (lambda x: 1 / x, lambda x: -6 / x**4),
}
THIRD_OF_ARRAYS = {
    "x·x·x by matmul": (lambda x: (F.stack([x]) @ F.stack([x])) * x, lambda x: 6.0),
    "log Σ exp(x, 0)": (lambda x: F.logsumexp(F.stack([x, x * 0])), THIRD["softplus"][1]),
    "Σ(x, x)³ by index": (lambda x: (F.stack([x, x])[[0, 1, 1]] ** 3).sum(), lambda x: 18.0),
}


@pytest.mark.parametrize(
    ("kind", "name"), [*[(Value, name) for name in THIRD], *[(Tensor, name) for name in THIRD | THIRD_OF_ARRAYS]]
)
def test_third_derivative(kind, name):
    """Recorded gradients can be differentiated again and again."""
    f, expected = (THIRD | THIRD_OF_ARRAYS)[name]
    x = kind(0.7, requires_grad=True)

    y = f(x)
    for _ in range(3):
        (y,) = [visit.grad for visit in sweep(y, create_graph=True) if visit.node is x]

    assert y.item() == pytest.approx(expected(0.7), rel=1e-10)


# ---- what every rule must keep to ----------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"cast"}))
def test_float32_stays_float32(name):
    """Of float32 come a float32 result and float32 gradients, close to those of float64."""

    @given(SAMPLES[name], SEEDS)
    @examples(6)
    def holds(case, seed):
        found = {}
        for dtype in (np.float32, np.float64):
            manual_seed(seed)
            leaves = [Tensor(array.astype(np.float32), requires_grad=True, dtype=dtype) for array in case.arrays]
            out = case(*leaves)
            weights = np.random.default_rng(seed).normal(size=out.shape).astype(dtype)
            found[dtype] = [out.data, *gradients((out * weights).sum(), leaves)]

            if out.requires_grad:
                assert {a.dtype for a in found[dtype]} <= {np.dtype(dtype), *[np.dtype(float)] * (name in FLAT)}
        for single, double in zip(found[np.float32], found[np.float64], strict=True):
            close(single, double, 2e-4)

    holds()


@pytest.mark.parametrize("name", SCALAR)
def test_value_is_a_tensor_of_one_number(name):
    """On Python floats an op gives the value and the gradients that it gives on arrays."""

    @given(OPS[name])
    @examples(10)
    def holds(case):
        assume(all(array.size for array in case.arrays))
        assume(all(np.ndim(argument) == 0 for argument in case.fixed.values() if argument is not None))
        numbers = [float(array.flat[0]) for array in case.arrays]
        values, tensors = ([kind(n, requires_grad=True) for n in numbers] for kind in (Value, Tensor))
        value, tensor = case(*values), case(*tensors)

        assert type(value.data) is float
        assert value.data == pytest.approx(tensor.item(), rel=1e-14, abs=1e-15)
        for actual, expected in zip(gradients(value, values), gradients(tensor, tensors), strict=True):
            assert float(actual) == pytest.approx(float(expected), rel=1e-13, abs=1e-15)

    holds()


@pytest.mark.parametrize("name", FLAT)
def test_flat_ops_pass_no_gradient(name):
    """Their rule says None, which is no array of zeros."""
    x = np.array([1.0, -2.0])

    assert getattr(table, name).vjp(x, x, x) == (None,)


def test_functions_and_ops_do_not_share_names():
    """No line of samples hides another."""
    assert not set(OPS) & set(FUNCTIONS)
