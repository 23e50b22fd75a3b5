"""How a function moves: exact where it is analytic, honest about its error elsewhere, and silent at kinks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq.testing.numeric.slopes import slope

SMOOTH = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "exp": (np.exp, np.exp),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "log": (lambda x: np.log(x + 4), lambda x: 1 / (x + 4)),
    "wave": (lambda x: np.sin(5 * x) / (2 + x * x), None),
}
numbers = st.floats(-3, 3, allow_subnormal=False)


def along(f, x, v=1.0, **options):
    """The slope of a function of one array, with v in every element."""
    x = np.asarray(x, float)
    return slope(lambda xs: f(xs[0]), [x], [np.full(x.shape, v)], **options)


@pytest.mark.parametrize("name", [name for name, (_, derivative) in SMOOTH.items() if derivative])
@given(x=numbers, v=st.floats(0.1, 10))
@examples(20)
def test_of_smooth_functions_it_is_exact(name, x, v):
    """By the complex step to rounding; by differences within the error that is told."""
    f, derivative = SMOOTH[name]
    exact, close = along(f, x, v), along(f, x, v, analytic=False)

    assert float(exact.value) == pytest.approx(derivative(x) * v, rel=1e-12)
    assert abs(close.value - derivative(x) * v) <= 10 * close.error + 1e-12
    assert close.error <= 1e-5 * (1 + abs(derivative(x) * v))
    assert not exact.kink
    assert not close.kink


def test_a_function_that_drops_imaginary_parts_is_not_believed():
    """np.abs of a complex number is real, and np.sign has an imaginary part that is no slope."""
    for f, expected in ((np.abs, [1, -1]), (lambda x: np.sign(x) * x, [1, -1]), (lambda x: x.real**2, [4, -6])):
        found = along(f, [2.0, -3.0])

        np.testing.assert_allclose(found.value, expected, rtol=1e-9)


KINKS = {
    "abs": (np.abs, 0.0, (-1, 1)),
    "relu": (lambda x: np.maximum(x, 0), 0.0, (0, 1)),
    "bent later": (lambda x: np.where(x < 1, x, 3 * x - 2), 1.0, (1, 3)),
    "near": (np.abs, 1e-9, (-1, 1)),
}


@pytest.mark.parametrize("name", KINKS)
def test_at_a_kink_both_sides_are_told(name):
    """There is no slope where the sides differ; those beside it have theirs."""
    f, x, (left, right) = KINKS[name]
    found = along(f, [x, x + 1])

    assert found.kink.tolist() == [True, False]
    assert found.left[0] == pytest.approx(left, abs=1e-5)
    assert found.right[0] == pytest.approx(right, abs=1e-5)


@pytest.mark.parametrize("f", [np.sqrt, np.log, np.sign, np.floor, lambda x: 1 / x, lambda x: x ** (1 / 3)])
def test_poles_jumps_and_edges_have_no_slope(f):
    """At 0, where each of these ends, jumps or grows without bound."""
    with np.errstate(all="ignore"):
        assert along(f, [0.0, 2.5]).kink.tolist() == [True, False]


@given(st.data(), st.lists(numbers, min_size=2, max_size=5))
@examples(30)
def test_a_tie_is_a_kink_but_along_the_tie(data, xs):
    """max of equal numbers: bent if one of them moves alone, smooth if all move together."""
    xs = np.array([max(xs), *xs, max(xs)])
    alone, together = np.eye(1, len(xs))[0], np.ones(len(xs))

    assert slope(lambda z: np.max(z[0]), [xs], [alone]).kink
    found = slope(lambda z: np.max(z[0]), [xs], [together])
    assert not found.kink
    assert found.value == pytest.approx(1, rel=1e-9)


def test_rounding_on_the_way_to_a_small_number_is_no_kink():
    """log_softmax of a class that is almost sure is almost 0, made of numbers that are not."""

    def last_of_log_softmax(xs):
        shifted = xs[0] - xs[0].max()
        return (shifted - np.log(np.exp(shifted).sum()))[-1:]

    for i in range(3):
        x = np.array([0.0, 2.33333206, 31.27917358])
        found = slope(last_of_log_softmax, [x], [np.eye(3)[i]], analytic=False)

        assert not found.kink.any()
        assert abs(found.value[0]) < 1e-11


def test_where_the_function_is_not_finite_there_is_no_slope():
    """Infinities and NaN in a result; and a function that fails beside the point."""

    def fails_beside(x):
        if x != 0.5:
            raise ValueError("only at 0.5")
        return x

    with np.errstate(all="ignore"):
        assert along(np.log, [-1.0, 0.0, 1.0]).kink.tolist() == [True, True, False]
        assert along(lambda x: x * np.inf, 1.0).kink
    assert along(fails_beside, 0.5).kink
