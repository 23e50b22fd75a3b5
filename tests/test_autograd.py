"""tinygrad_seq.autograd: derivatives as values, of records and of functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Tensor, Value, grad, hessian, jacobian, jvp, value_and_grad, vjp
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError

numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
vectors = st.lists(numbers, min_size=1, max_size=4).map(np.array)


def curved(x):
    """A function of a vector with interesting derivatives of any order."""
    return (F.tanh(x) * F.exp(x * 0.5)).sum() + (x**3).mean()


def central(f, x, h=1e-5):
    """The gradient of f at x, numerically."""
    steps = np.eye(x.size).reshape(x.size, *x.shape) * h
    return np.array([(f(x + s) - f(x - s)) / (2 * h) for s in steps]).reshape(x.shape)


@given(vectors)
def test_the_gradient_of_a_function_is_the_numerical_one(x):
    """grad(f)(x) is what f does when x moves a little."""
    assert np.allclose(grad(curved)(x), central(lambda x: curved(Tensor(x)).item(), x), atol=1e-6)


@given(vectors)
def test_the_hessian_is_the_jacobian_of_the_gradient_and_symmetric(x):
    """∂²f/∂x_i∂x_j = ∂²f/∂x_j∂x_i, and each row is the numerical derivative of the gradient."""
    second = hessian(curved)(x)

    assert second.shape == (x.size, x.size)
    assert np.allclose(second, second.T)
    numeric = [central(lambda x, i=i: grad(curved)(x)[i], x) for i in range(x.size)]
    assert np.allclose(second, numeric, atol=1e-5)


def test_derivatives_of_any_order_follow_from_the_same_rules():
    """The derivatives of x⁴ at 2 are 32, 48, 48, 24, 0."""
    f, found = (lambda x: x**4), []
    for _ in range(5):
        f = grad(f)
        found.append(float(f(2.0)))

    assert found == [32, 48, 48, 24, 0]


@given(vectors, st.integers(0, 2**32 - 1))
def test_jvp_and_vjp_are_adjoint(x, seed):
    """u · (J v) = (Jᵀ u) · v for any u and v."""
    rng = np.random.default_rng(seed)
    def f(x):
        return F.concat([F.sin(x) * x.sum(), x[:1] ** 2])

    v = rng.normal(size=x.shape)
    y, moved = jvp(f, (x,), (v,))
    u = rng.normal(size=y.shape)
    same_y, pull = vjp(f, x)

    assert np.array_equal(y, same_y)
    assert np.allclose(u @ moved, pull(u)[0] @ v)


@given(vectors)
def test_jacobian_times_vector_is_jvp(x):
    """The Jacobian's columns are the derivatives along the axes."""
    def f(x):
        return F.tanh(F.outer(x, x))

    matrix = jacobian(f)(x)

    assert matrix.shape == (x.size, x.size, x.size)
    for i in range(x.size):
        assert np.allclose(matrix[..., i], jvp(f, (x,), (np.eye(x.size)[i],))[1])


def test_the_jacobian_of_a_record_needs_no_function():
    """jacobian(y, x) of recorded nodes is that of the function between them."""
    x = Tensor([1.0, 2.0], requires_grad=True)

    assert jacobian(F.exp(x), x).tolist() == np.diag(np.exp([1.0, 2.0])).tolist()


def test_grad_of_a_record_sets_no_grad():
    """grad(loss, [w]) gives the gradient and leaves every .grad as it was."""
    w = Tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()

    (g,) = grad(loss, [w])

    assert g.tolist() == [2, 4]
    assert w.grad is None
    assert loss.grad is None


def test_several_arguments_and_several_outputs():
    """argnums picks the arguments; several outputs add up, each with its own seed."""
    value, (gx, gy) = value_and_grad(lambda x, y: (x * y).sum(), argnums=(0, 1))([1.0, 2.0], [3.0, 4.0])
    assert (value, gx.tolist(), gy.tolist()) == (11, [3, 4], [1, 2])

    x = Tensor(2.0, requires_grad=True)
    assert float(grad([x * x, 3 * x], [x], [1.0, 10.0])[0]) == 4 + 30


def test_numbers_stay_numbers_and_values_values():
    """A Value in gives a float out, and Values where it is recorded."""
    assert grad(lambda x: x * x)(Value(3.0)) == 6.0
    assert grad(grad(lambda x: x * x * x))(Value(2.0)) == 12.0


def test_an_input_that_was_not_used_is_an_error_or_none():
    """What the outputs were not made from is named; allow_unused gives None for it."""
    x, y = Tensor(1.0, requires_grad=True, name="x"), Tensor(1.0, requires_grad=True, name="y")

    with pytest.raises(GradientError, match=r"'y'.*allow_unused"):
        grad(x * 2, [x, y])
    assert grad(x * 2, [x, y], allow_unused=True)[1] is None


def test_a_function_that_leaves_the_record_is_an_error():
    """A function that returns plain data gets told to compute with tensors."""
    with pytest.raises(GradientError, match=r"returns a tensor"):
        grad(lambda x: float(x.data))(1.0)
