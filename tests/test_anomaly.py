"""What detect_anomaly says: the first node, its formula, its inputs and its source line, forward or backward."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Op, Parameter, Value, detect_anomaly, grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.anomaly import anomalies, numbers
from tinygrad_seq.errors import AnomalyError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def told(make, **options):
    """The lines of the message that `make()` gives rise to."""
    with detect_anomaly(**options), pytest.raises(AnomalyError) as caught:
        make()
    return [line.strip() for line in str(caught.value).splitlines()]


def test_forward_it_tells_the_formula_the_inputs_and_the_line():
    """Each input by the op's own letter: its name and step, where it was made, its shape and range."""
    w = Parameter([[1.0, -2.0]], name="w")

    def make():
        with scope("cell"):
            for _, x in steps([1.0, 0.0]):
                h = (w * x).named("h")
                (w / h).named("ratio")

    lines = told(make)
    assert lines[0].startswith("div made 2 infinite of 2 values (in cell at t=2, test_anomaly.py:")
    assert lines[1:3] == ["out = x / y", "x = w: (1, 2) from -2 to 1"]
    assert lines[3].startswith("y = h_2 (in cell at t=2, test_anomaly.py:")
    assert lines[3].endswith("): (1, 2) from 0 to 0")
    assert lines[4].endswith(': (w / h).named("ratio")')


def test_backward_it_tells_the_rule_the_gradient_and_the_line():
    """The derivative by which input, its formula, and the numbers that went in."""
    x = Parameter([0.0, 4.0], name="x")

    def make():
        for _, _ in steps([0]):
            loss = (F.sqrt(x) * 3).sum()
        loss.backward()

    lines = told(make)
    assert lines[0].startswith("the derivative of sqrt by its input 0 made 1 infinite of 2 values (at t=1, test_")
    assert lines[1:5] == [
        "∂/∂x = g / (2 · out)",
        "g = (2,) from 3 to 3",
        "out = (2,) from 0 to 2",
        "x = x: (2,) from 0 to 4",
    ]
    assert lines[5].endswith(": loss = (F.sqrt(x) * 3).sum()")
    assert x.grad is None


def test_what_was_already_wrong_is_told_as_such():
    """A NaN in the input is counted there."""
    x = Parameter([1.0, np.nan, 3.0], name="x")

    assert told(lambda: x * 2)[2] == "x = x: (3,) from 1 to 3, 1 NaN of 3 values"


def test_of_several_it_is_the_first():
    """What comes later, of the first one's fault, is not reached."""
    x = Parameter([-1.0], name="x")

    assert told(lambda: (x * 2).log().exp().sum().backward())[0].startswith("log made 1 NaN of 1 values")


def test_an_infinity_born_in_a_sum_of_gradients():
    """Each part is finite: no rule is to blame, and the node is named where they meet."""
    x = Parameter([1e-300, 1.0], name="x")
    scale = [1.5e308, 1.0]

    lines = told(lambda: ((x * scale).sum() + (x * scale).sum()).backward())
    assert lines[0].startswith("the gradient of x has 1 infinite of 2 values")
    assert lines[1] == "g = (2,) from 2 to 2, 1 infinite of 2 values"
    assert "adding up" in lines[2]


def test_a_gradient_that_began_as_nan():
    """What was given to backward is looked at too."""
    y = (Parameter([1.0]) * 2).named("y")

    lines = told(lambda: y.backward([np.nan]))
    assert lines[0].startswith("the gradient of y has 1 NaN of 1 values")


def test_of_values_it_tells_the_numbers():
    """Single numbers have no shape and no range."""
    x = Value(1e200, name="x")

    lines = told(lambda: x * x)
    assert lines[0].startswith("mul made 1 infinite of 1 values")
    assert lines[1:4] == ["out = x · y", "x = x: 1e+200", "y = x: 1e+200"]


def test_of_an_op_of_ones_own_it_reads_the_formula():
    """The formula is that of the function's own source; of one with several lines there is none."""

    def inverse(x):
        return 1 / x

    def inverse_vjp(g, out, x):
        squared = out * out
        return (-g * squared,)

    op = Op(inverse, inverse_vjp)
    x = Parameter([0.0], name="x")

    assert told(lambda: op(x))[1:3] == ["out = 1 / x", "x = x: (1,) from 0 to 0"]
    small = Parameter([1e-200], name="x")
    backward = told(lambda: op(small).sum().backward())
    assert backward[0].startswith("the derivative of inverse by its input 0 made 1 infinite of 1 values")
    assert backward[1] == "g = (1,) from 1 to 1"


def test_under_create_graph_and_in_grad():
    """The gradient of a gradient is looked at like any other."""
    x = Parameter([0.0], name="x")

    def make():
        (g,) = grad((x * x * x.abs()).sum(), [x], create_graph=True)
        (g / x).sum()

    assert told(make)[0].startswith("div made 1 NaN of 1 values")
    root = F.sqrt(Parameter([0.0], name="y"))
    assert told(lambda: root.sum().backward(create_graph=True))[0].startswith("div made 1 infinite of 1 values")


def test_infinities_can_pass():
    """check_inf=False looks for NaN alone, backward as well."""
    x = Parameter([0.0, 1.0], name="x")
    with detect_anomaly(check_inf=False):
        F.sqrt(x).sum().backward()

    assert np.isinf(x.grad[0])
    assert told(lambda: (F.sqrt(Parameter([0.0])) * 0.0).sum().backward(), check_inf=False)[0].startswith(
        "the derivative of sqrt by its input 0 made 1 NaN"
    )


@given(st.lists(st.sampled_from([0.5, -1.0, np.nan, np.inf, -np.inf]), min_size=1, max_size=6))
def test_what_is_wrong_is_counted(values):
    """NaN and infinities each, of all; the range is that of the rest."""
    nan, infinite = sum(np.isnan(values)), sum(np.isinf(values))
    said, shown = anomalies(np.array(values), "nan and inf"), numbers(np.array(values))

    assert (f"{nan} NaN" in said, f"{infinite} infinite" in said) == (nan > 0, infinite > 0)
    assert (said == "") == (nan + infinite == 0)
    assert anomalies(np.array(values), "nan").startswith(f"{nan} NaN of" if nan else "")
    assert shown == f"({len(values)},)" + (
        f" from {min(f):.4g} to {max(f):.4g}" if (f := [v for v in values if np.isfinite(v)]) else ""
    ) + (f", {said}" if said else "")


def test_without_it_nothing_is_looked_at():
    """NaN and infinities flow as they do in NumPy."""
    x = Parameter([-1.0])
    x.log().sum().backward()

    assert x.grad == -1.0
