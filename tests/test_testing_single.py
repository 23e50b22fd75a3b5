"""check_op: every op of the package keeps what it promises; one that breaks a promise is told so, at its smallest."""

import numpy as np
import pytest
from hypothesis import strategies as st

from tinygrad_seq import Op
from tinygrad_seq import functional as F
from tinygrad_seq.ops import table
from tinygrad_seq.testing import Case, GradientCheckError, check_op, of
from tinygrad_seq.testing.strategies import POSITIVE, REAL


def softsign(x):
    return x / (1 + np.abs(x))


def softsign_vjp(g, out, x):
    return (g / (1 + np.abs(x)) ** 2,)


def fault_of(op, **options):
    """The one fault of a wrong op."""
    report = check_op(op, raise_exception=False, **options)
    assert len(report.faults) == 1
    return report.faults[0]


@pytest.mark.parametrize("name", vars(table))
def test_every_op_of_the_package_keeps_its_promises(name):
    """Derivative, shape, dtype, purity, precision, rows, and its derivative in its turn, at its line of samples."""
    report = check_op(getattr(table, name), max_examples=6)

    assert report.checks or name == "sign"


def test_an_op_may_be_given_as_a_pair():
    """Of plain functions."""
    assert check_op((softsign, softsign_vjp))


def test_the_smallest_example_is_shown_as_a_call():
    """A wrong slope on one side of 0 is shown at one number there, with the rule's line."""
    bad = Op(np.abs, lambda g, out, x: (g * np.ones_like(x),), name="size")  # the wrong sign below 0
    fault = fault_of(bad)

    assert (fault.kind, fault.op, fault.input) == ("value", bad, 0)
    assert "smallest example: size(np.array(-" in str(fault)
    assert "# the wrong sign below 0" in str(fault)


def test_a_wrong_number_is_said_before_what_follows_from_it():
    """A transposed gradient is a wrong derivative; that it mixes rows, at zeros too, is no news."""
    bad = Op(lambda x, y: x * y + x, lambda g, out, x, y: (g * (1 + y), g * x.T), name="scaled")
    fault = fault_of(bad)

    assert (fault.kind, fault.op, fault.input) == ("value", bad, 1)
    assert fault.node.op is bad


# ---- promises that are broken --------------------------------------------------------

kept = {}


def reused(g, out, x):
    buffer = kept.setdefault(out.shape, np.zeros(out.shape))
    buffer = kept[out.shape] = buffer.astype(g.dtype) if buffer.dtype != g.dtype else buffer
    np.multiply(g, 2, out=buffer)
    return (buffer,)


def double(x):
    return x * 2


BROKEN = {
    "value": (double, lambda g, out, x: (g * 2.0002,)),
    "none": (double, lambda g, out, x: (None,)),
    "count": (double, lambda g, out, x: (2 * g, g)),
    "a list": (double, lambda g, out, x: [2 * g]),
    "shape": (double, lambda g, out, x: (2 * g if x.size < 2 or 1 in x.shape else np.ones((7, 7)),)),
    "raises": (double, lambda g, out, x: (2 * g if x.size < 2 else g.reshape(x.size + 1),)),
    "zero-size": (double, lambda g, out, x: (2 * g + 0 * np.max(x),)),
    "dtype": (double, lambda g, out, x: (g * np.full(x.shape, 2.0),)),
    "mutates": (double, lambda g, out, x: (np.multiply(g, 2, out=g if g.ndim else None),)),
    "mutates its input": (double, lambda g, out, x: (np.multiply(g, 2, out=x if x.ndim else None),)),
    "view": (lambda x: x * x / 2, lambda g, out, x: (x,)),
    "view of before": (double, reused),
    "non-deterministic": (double, lambda g, out, x: (2 * g + 1e-6 * np.random.normal(),)),
    "precision": (
        lambda x: 1e6 * np.log1p(np.exp(x) / 1e6),
        lambda g, out, x: (g * 1e6 * (1 + np.exp(x) / 1e6 - 1) / (1 + np.exp(x) / 1e6),),
    ),
    "second order": (np.tanh, lambda g, out, x: (g * (1 - np.asarray(getattr(out, "data", out)) ** 2),)),
}
KINDS = {"a list": "count", "mutates its input": "mutates", "view of before": "view"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_named(name):
    """By its kind, at the first example that shows it."""
    op = Op(*BROKEN[name], name="broken")
    fault = fault_of(op, order=2 if name == "second order" else 1)

    assert fault.kind == KINDS.get(name, name)
    assert fault.op is op
    assert "broken" in fault.message
    assert "smallest example: broken(" in str(fault)


def test_rows_that_reach_into_each_other_are_told():
    """A rule that is right for these numbers, but centres the gradient over the batch when others come."""
    ordinary = np.linspace(-1, 1, 6).reshape(3, 2)

    def vjp(g, out, x):
        return (2 * g if np.array_equal(x, ordinary) else 2 * g - g.mean(axis=0),)

    op = Op(double, vjp, name="double")
    fault = fault_of(op, samples=st.just(Case(op, (ordinary,), {})), order=1)

    assert (fault.kind, fault.input) == ("batch", 0)


# ---- what it is called with ----------------------------------------------------------


def test_fixed_arguments_are_drawn_from_strategies():
    """Those without a default must be given."""
    op = Op(
        lambda x, *, exponent: x**exponent,
        lambda g, out, x, *, exponent: (g * exponent * x ** (exponent - 1),),
        name="power_of",
    )

    assert check_op(op, fixed={"exponent": st.sampled_from([1, 2, 3])})
    with pytest.raises(TypeError, match=r'power_of needs exponent: give fixed=\{"exponent": …\}'):
        check_op(op)


def test_samples_say_what_an_op_is_made_for():
    """Here positive numbers, at which a rule that is wrong below 0 is right."""
    op = Op(np.abs, lambda g, out, x: (g * np.ones_like(x),), name="size")

    assert check_op(op, samples=of(op, POSITIVE))
    assert not check_op(op, samples=of(op, REAL), raise_exception=False)


def test_samples_may_call_a_function_around_the_op():
    """Every node that the op makes in it is looked at."""
    op = Op(lambda x: x * 2, lambda g, out, x: (g * 3,), name="double")
    around = of(lambda x: F.tanh(op(F.sin(x))), REAL)

    assert fault_of(op, samples=around).op is op


def test_what_is_never_computed_is_no_success():
    """An op that refuses all that is drawn asks for samples."""

    def picky(x):
        raise ValueError("not this one")

    with pytest.raises(TypeError, match="picky could be computed at no example that was drawn"):
        check_op((picky, softsign_vjp), max_examples=3)


def test_what_is_no_op_is_refused():
    """With what is expected."""
    with pytest.raises(TypeError, match=r"check_op needs an Op, or a pair \(forward, vjp\)"):
        check_op("softsign")


def test_errors_in_ones_own_samples_come_through():
    """They are not passed over as examples that do not fit."""
    op = Op(softsign, softsign_vjp)
    strategy = st.builds(Case, st.just(lambda x: op(x) @ x), st.just((np.ones((2, 3)),)), st.just({}))

    with pytest.raises(ValueError, match="the 3 and the 2 must be equal"):
        check_op(op, samples=strategy)


def test_a_wrong_op_raises():
    """By default."""
    with pytest.raises(GradientCheckError, match="derivative of softsign is wrong for input 0"):
        check_op((softsign, lambda g, out, x: (g,)))


def test_it_says_the_same_every_time():
    """The examples do not depend on what else was drawn."""
    op = Op(softsign, lambda g, out, x: (g / (1 + np.abs(x)),))
    first, again = (str(check_op(op, raise_exception=False)) for _ in range(2))

    assert first == again
