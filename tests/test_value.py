"""`Value`: micrograd's own tests and demo, and what micrograd lacks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moons
from strategies import examples
from tinygrad_seq import Tensor, Value, no_grad, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ReadOnlyError, ShapeError

# ---- micrograd's tests, with PyTorch's numbers written down ---------------------------


def test_sanity_check():
    """micrograd's test_sanity_check."""
    x = Value(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()

    assert y.data == -20.0
    assert x.grad == 46.0


def test_more_ops():
    """micrograd's test_more_ops."""
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()

    assert g.data == pytest.approx(24.70408163265306, abs=1e-12)
    assert a.grad == pytest.approx(138.83381924198252, abs=1e-12)
    assert b.grad == pytest.approx(645.5772594752186, abs=1e-12)


NOTEBOOK = [
    (0.8958441028683222, 0.50), (1.7235905336972022, 0.81), (0.7429006313851131, 0.77), (0.7705641260584198, 0.82),
    (0.3692793385976538, 0.84), (0.313545481918522, 0.86), (0.2814234349772435, 0.89), (0.26888733313983904, 0.91),
]  # fmt: skip


def test_moons_demo():
    """The two-moons demo gives the losses and accuracies that micrograd's notebook prints."""
    found = list(moons.losses(Value, len(NOTEBOOK)))

    assert len(moons.MLP(Value).parameters()) == 337
    for (loss, accuracy), (expected, correct) in zip(found, NOTEBOOK, strict=True):
        assert loss == pytest.approx(expected, rel=1e-9)
        assert accuracy == correct


def test_prev_and_op():
    """micrograd's names for what a value was made from, and by what."""
    a, b = Value(2.0), Value(-3.0)

    assert (a + b)._prev == {a, b}
    assert (a * a)._prev == {a}
    assert a._prev == set()
    assert [x._op for x in (a, a + b, a * b, a**3, a**-0.5, a.relu(), a**b, a / b)] == [
        "",
        "+",
        "*",
        "**3",
        "**-0.5",
        "ReLU",
        "**",
        "/",
    ]


def test_grad_is_zero_before_backward():
    """As in micrograd, so that `p.data -= rate * p.grad` always runs."""
    a = Value(1.0)
    a.data -= 0.5 * a.grad

    assert a.grad == 0.0
    assert a.data == 1.0


# ---- what micrograd lacks ------------------------------------------------------------

numbers = st.floats(0.25, 3)
BINARY = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
}


@pytest.mark.parametrize("symbol", BINARY)
def test_operators_take_numbers_on_either_side(symbol):
    """x ∘ 2, 2 ∘ x and x ∘ y give Python's own result, and the derivative of the side that is a Value."""
    operate = BINARY[symbol]

    @given(numbers, numbers)
    @examples(25)
    def holds(a, b):
        x, y = Value(a), Value(b)
        both, right, left = operate(x, y), operate(a, y), operate(x, b)
        gradients = [{visit.node: visit.grad for visit in sweep(out)} for out in (both, right, left)]

        assert both.data == right.data == left.data == operate(a, b)
        assert gradients[0][x] == pytest.approx(gradients[2][x], rel=1e-13)
        assert gradients[0][y] == pytest.approx(gradients[1][y], rel=1e-13)
        assert gradients[0][x] == pytest.approx((operate(a + 1e-20j, b)).imag / 1e-20, rel=1e-12)
        assert gradients[0][y] == pytest.approx((operate(a, b + 1e-20j)).imag / 1e-20, rel=1e-12)

    holds()


@pytest.mark.parametrize("other", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.array(2.0)])
def test_any_number_will_do(other):
    """Python's and NumPy's, from either side; the result is a Value with a Python float."""
    x = Value(3.0)

    for y in (x * other, other * x, x**other, other + x, x - other, other / x):
        assert type(y) is Value
        assert type(y.data) is float


def test_values_of_values():
    """A Value made of a Value, a tensor's item or a subclass of float is that number."""

    class Metres(float):
        pass

    assert Value(Value(2.0)).data == 2.0
    assert Value(Tensor(2.0)).data == 2.0
    assert type(Value(Metres(2.0)).data) is float
    assert type((Value(1.0) * Metres(2.0)).data) is float
    assert type(Value(np.float64(2.0)).data) is float


FUNCTIONS = ["exp", "log", "sqrt", "tanh", "sin", "cos", "log1p", "expm1"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_math(name):
    """As a method, as a function, and through NumPy: the same node, bit for bit math's number."""
    x = Value(0.7)

    for y in (getattr(x, name)(), getattr(F, name)(x), getattr(np, name)(x)):
        assert y.data == getattr(math, name)(0.7)
        assert y.op.name == name


@pytest.mark.parametrize("x", [-1e4, -745.2, -1.0, 0.0, 1.0, 709.8, 1e4])
def test_sigmoid_and_softplus_are_finite(x):
    """Where the textbook's exp would overflow."""
    values = [Value(x), Value(x)]
    y, z = F.sigmoid(values[0]), F.softplus(values[1])
    y.backward()
    z.backward()

    assert 0 <= y.data <= 1
    assert z.data >= max(x, 0)
    assert all(math.isfinite(v.grad) for v in values)


def test_a_second_backward_is_right():
    """Leaves add up; what lies between does not, as it does in micrograd (96 instead of 64)."""
    a = Value(2.0)
    b = a * a
    c = b * b
    c.backward()
    first = a.grad
    c.backward()

    assert (first, a.grad) == (32.0, 64.0)


def test_gradients_are_floats():
    """Of every node, also of those that passed through rules written for arrays."""
    a, b = Value(2.0), Value(3.0)
    nodes = [a**b, F.maximum(a, b), F.clip(a, 0, 1), F.gelu(a), F.erf(b), F.leaky_relu(a), abs(a)]
    loss = sum(nodes)
    loss.backward()

    assert all(type(node.grad) is float for node in [a, b, loss, *nodes])


def test_second_derivatives():
    """create_graph gives a Value that can be differentiated."""
    x = Value(2.0)
    (x**4 / x).backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.backward()

    assert first.data == pytest.approx(12.0)
    assert x.grad == pytest.approx(12.0)


def test_constants_need_no_gradient():
    """Value(…, requires_grad=False), and everything under no_grad."""
    a, c = Value(2.0), Value(3.0, requires_grad=False)
    (a * c).backward()
    with no_grad():
        frozen = a * a

    assert (a.grad, c.grad) == (3.0, 0.0)
    assert frozen.is_leaf


def test_a_value_is_a_number():
    """bool, float, comparisons, format, abs, +x, sum, max, hash."""
    a, b = Value(2.0), Value(-3.0)

    assert (bool(a), bool(Value(0.0)), float(a), f"{b:.1f}", a.item()) == (True, False, 2.0, "-3.0", 2.0)
    assert (a > b, a < 1, a >= 2.0, b <= a, a == 2.0, a != b, a == Value(2.0)) == (
        True,
        False,
        True,
        True,
        True,
        True,
        True,
    )
    assert (abs(b).data, (+a).data, sum([a, b]).data, max([a, b], key=float)) == (3.0, 2.0, -1.0, a)
    assert len({a, b, a}) == 2


def test_its_repr_says_value_and_gradient():
    """As micrograd's does, and how it was made."""
    a = Value(2.0, name="a")
    (a * a).named("b").backward()

    assert repr(a) == "Value(data=2, grad=4, name='a')"
    assert repr((a * 3).relu()).startswith("Value(data=6, grad=0, relu(mul), test_value.py:")


# ---- refusals ------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["2", b"2", None, [1.0], [1.0, 2.0], np.ones(2), {}, object(), 2j])
def test_a_value_is_made_of_one_number(data):
    """Anything else is refused, saying what was given and where."""
    with pytest.raises(DataError, match=r"one number, got .*test_value\.py"):
        Value(data)


@pytest.mark.parametrize(
    ("compute", "kind"),
    [
        (lambda x: x / 0, ZeroDivisionError),
        (lambda x: x**1e9, OverflowError),
        (lambda x: (x * 1000).exp(), OverflowError),
        (lambda x: (-x).log(), ValueError),
        (lambda x: (-x).sqrt(), ValueError),
        (lambda x: (-x) ** 0.5, ValueError),
        (lambda x: (-x) ** Value(0.5), ValueError),
    ],
)
def test_what_math_cannot_do_says_where(compute, kind):
    """Python's own kind of error, with the op, its argument and the line; never a complex number."""
    with pytest.raises(kind, match=r"(div|pow|power|exp|log|sqrt) of .* no finite value \(test_value\.py:\d+\)"):
        compute(Value(2.0))


def test_arrays_are_for_tensors():
    """A Value with an array, a tensor or an op on arrays is refused."""
    x = Value(2.0)

    with pytest.raises(ShapeError, match=r"one number.*use Tensor"):
        np.ones(2) * x
    with pytest.raises(ValueError, match="one number"):
        x * np.ones(2)
    with pytest.raises(TypeError):
        np.stack([x, x])
    with pytest.raises(TypeError, match="floor"):
        np.floor(x)


def test_only_leaves_get_new_data():
    """What an op made stays what it is."""
    y = Value(2.0) * 3

    with pytest.raises(ReadOnlyError, match="made by mul"):
        y.data = 1.0
