"""gradcheck: what is right passes, what is wrong is named, and what has no derivative is neither."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import Op, Parameter, Tensor, Value, grad, manual_seed, no_grad, on_visit, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError
from tinygrad_seq.testing import GradientCheckError, gradcheck


def softsign(x):
    return x / (1 + np.abs(x))


def softsign_vjp(g, out, x):
    return (g / (1 + np.abs(x)),)  # the square is missing


wrong = Op(softsign, softsign_vjp)
X = np.array([[0.3, -1.0, 2.0], [0.7, 0.1, -0.4]])
W = np.array([[0.5, -0.2], [0.1, 0.9], [-0.7, 0.3]])


def fault_of(fn, *inputs, **options):
    """The one fault that is found."""
    report = gradcheck(fn, list(inputs), raise_exception=False, **options)
    assert len(report.faults) == 1, str(report)
    return report.faults[0]


# ---- what is right -------------------------------------------------------------------

RIGHT = {
    "one array": (F.tanh, [X]),
    "several": (lambda x, w: F.tanh(x @ w), [X, W]),
    "several results": (lambda x: (F.sin(x), {"sum": F.sum(x), "rest": [x[0] * x[1]]}), [X]),
    "a number": (lambda x: x**3, [2.0]),
    "used twice": (lambda x: x * x, [X]),
    "unused": (lambda x, y: x * 2, [X, W]),
    "integers and masks": (lambda x, i, mask: F.where(mask, x[i], 0.0), [X, [1, 1], np.array([True, False, True])]),
    "nothing in it": (lambda x: F.sum(x, axis=0), [np.zeros((0, 3))]),
    "no result elements": (lambda x: x[:0], [X]),
    "flat": (lambda x: F.sign(x) + 0 * x, [X]),
    "a loss": (lambda x: F.cross_entropy(x, [2, 0]), [X]),
    "large": (lambda x: F.softmax(x), [np.random.default_rng(0).normal(size=(20, 30))]),
    "values": (lambda x, y: (x * y + x.tanh()).relu(), [Value(2.0), Value(3.0)]),
    "time": (lambda xs, W: [F.tanh(x @ W) for _, x in steps(xs)][-1], [X, np.eye(3)]),
    "float32 inside": (lambda x: F.tanh(F.cast(F.sin(x), np.float32)).astype(float), [X]),
    "large numbers": (lambda x: F.softmax(1e4 * x), [X]),
    "a huge offset": (lambda x: 1e6 + F.sin(x), [X]),
    "a gradient inside": (lambda x: grad(F.sum(x**3), [x], create_graph=True)[0] if x.requires_grad else x, [X]),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("order", [1, 2])
def test_right_functions_pass(name, order):
    """And the report, which is true, says how many numbers were compared."""
    fn, inputs = RIGHT[name]
    report = gradcheck(fn, inputs, order=order)

    assert report
    assert report.faults == ()
    assert f"right ({report.checks:,} numbers compared)" in str(report)
    assert report.checks or "nothing" in name or "no result" in name


def test_float32_is_held_to_what_float32_can():
    """Right in single precision passes; wrong by a tenth of a percent does not."""
    off = Op(np.sin, lambda g, out, x: (g * np.cos(x) * g.dtype.type(1.001),), name="sine")
    x, w = X.astype(np.float32), W.astype(np.float32)

    assert gradcheck(lambda x, w: F.layer_norm(F.tanh(x @ w), 2), [x, w])
    assert fault_of(lambda x: off(x), x).op is off


def test_chance_of_the_library_is_the_same_at_every_run():
    """Dropout can be checked: each call starts from the same state of the generator."""
    manual_seed(3)

    assert gradcheck(lambda x: F.dropout(F.tanh(x), 0.5), [np.ones(20)])


def test_leaves_that_are_given_are_used():
    """A Parameter keeps its name in the messages, and its data and gradient are left alone."""
    w = Parameter(W, name="W_x")
    report = gradcheck(lambda x, w: wrong(x @ w), [Tensor(X), w], raise_exception=False)

    assert "W_x" not in str(report)  # the wrong op's own input is no leaf
    assert "W_x" in str(gradcheck(lambda w: wrong(w), [w], raise_exception=False))
    np.testing.assert_array_equal(w.data, W)
    assert w.grad is None


# ---- what is wrong is named ----------------------------------------------------------


def rnn(xs, W):
    h = np.zeros(3)
    with scope("encoder"):
        for t, x in steps(xs):
            h = wrong(x @ W + h) if t == 2 else F.tanh(x @ W + h)
    return h


def test_the_op_its_input_place_and_rule_are_named():
    """With the numbers, and the line of the rule."""
    fault = fault_of(rnn, X, np.eye(3))

    assert (fault.kind, fault.op, fault.input) == ("value", wrong, 0)
    assert fault.node.t == 2
    first, numbers, line = str(fault).splitlines()
    assert first.startswith("derivative of softsign is wrong for input 0, x (in encoder at t=2, test_testing_gradcheck")
    assert "the rule says" in numbers
    assert "% too large" in numbers
    assert line.strip().startswith("rule: test_testing_gradcheck.py:")
    assert line.endswith("return (g / (1 + np.abs(x)),)  # the square is missing")


def test_the_error_is_an_assertion_that_carries_the_report():
    """So that every test runner shows it as a failed test."""
    with pytest.raises(AssertionError, match="derivative of softsign is wrong for input 0") as caught:
        gradcheck(wrong, [X])

    assert isinstance(caught.value, GradientCheckError)
    assert caught.value.report.faults[0].op is wrong


@given(st.integers(0, 999), st.sampled_from([1.0001, -1, 0]))
@examples(6)
def test_one_wrong_element_in_a_thousand_is_found_and_named(i, factor):
    """Whichever it is, and however little it is off."""
    change = np.ones(1000)
    change[i] = factor
    bad = Op(np.sin, lambda g, out, x: (g * np.cos(x) * change,), name="sine")
    fault = fault_of(lambda x: F.tanh(bad(x)), np.linspace(-1, 1, 1000))

    assert (fault.op, fault.input) == (bad, 0)
    assert f"of element {i} by element {i}," in str(fault)


def test_the_second_input_and_none_are_named():
    """A rule that says None where there is a gradient."""
    bad = Op(lambda x, y: x * y, lambda g, out, x, y: (g * y, None), name="times")
    fault = fault_of(lambda x, y: F.sum(bad(x, y)), X, X + 1)

    assert (fault.kind, fault.op, fault.input) == ("none", bad, 1)
    assert "since it returns None" in str(fault)


@pytest.mark.parametrize(
    ("kind", "vjp"),
    [
        ("shape", lambda g, out, x, y: (g * y, np.ones((7, 7)))),
        ("count", lambda g, out, x, y: (g * y,)),
        ("count", lambda g, out, x, y: [g * y, g * x]),
        ("raises", lambda g, out, x, y: (g * y, g @ x[:, None, None, 0] @ x)),
        ("mutates", lambda g, out, x, y: (g * y, np.multiply(g, x, out=g))),
    ],
)
def test_rules_without_manners_are_blamed_too(kind, vjp):
    """Also those that end the sweep before there is a number to compare."""
    bad = Op(lambda x, y: x * y, vjp, name="times")
    fault = fault_of(lambda x, y: F.tanh(bad(x, y)), X, X + 1)

    assert (fault.kind, fault.op) == (kind, bad)


def test_of_an_op_in_many_places_the_first_is_named_once():
    """One fault for the op, not one for each of its nodes."""
    fault = fault_of(lambda x: wrong(wrong(wrong(x))), X)

    assert fault.node.inputs[0].is_leaf


def test_two_wrong_ops_are_both_named():
    """Oldest first."""
    bad = Op(np.sin, lambda g, out, x: (-g * np.cos(x),), name="sine")
    report = gradcheck(lambda x: wrong(bad(x)), [X], raise_exception=False)

    assert [fault.op for fault in report.faults] == [bad, wrong]
    assert "which has the wrong sign" in str(report.faults[0])


def test_a_wrong_rule_is_found_where_the_whole_moves_too_roughly_to_tell():
    """Beside a number so large that the slope drowns in its rounding."""
    report = gradcheck(lambda x: F.sum(wrong(x)) + 1e13, [X], raise_exception=False)

    assert [fault.op for fault in report.faults] == [wrong]
    assert any("moves too roughly" in note for note in report.notes)


def test_a_rule_that_is_wrong_at_some_nodes_alone_is_found_among_many():
    """Those that are looked at first, a few of each line, are right."""
    late = Op(np.sin, lambda g, out, x: (g * np.cos(x) * np.where(x < 0.5, 1.01, 1),), name="sine")

    def function(x):
        for _ in range(30):
            x = late(x)
        return x

    fault = fault_of(function, np.array([1.0]))

    assert fault.op is late
    assert 0.45 < fault.node.inputs[0].data[0] < 0.5


def test_rules_that_cannot_be_to_blame_are_not_looked_at():
    """Where the record moves as the gradient says, a few nodes of each line are enough."""

    def function(x, scale):
        y = x
        for _ in range(100):
            y = F.sin(y)
        return y * scale(x)

    missing = gradcheck(lambda x: function(x, lambda x: np.cos(x.data)), [X], raise_exception=False)

    assert [fault.kind for fault in missing.faults] == ["missing dependency"]
    assert missing.checks < 2 * gradcheck(lambda x: function(x, F.cos), [X]).checks + 1_000


def vanishing(x):
    """A recurrence whose gradient does not come through."""
    for t in range(60):
        x = wrong(x) if t == 30 else F.tanh(x * 0.3 + 0.5)
    return x


def test_a_wrong_rule_is_found_where_the_gradient_vanishes():
    """What comes through is too small to tell anything by; the ops are looked at all the same."""
    report = gradcheck(vanishing, [X], raise_exception=False)

    assert [fault.op for fault in report.faults] == [wrong]
    assert "no gradient by input 0 is over 1e-10, too small to tell: ops were checked alone" in report.notes
    assert gradcheck(lambda x: x * 1e-3, [X]).notes == ()


# ---- no rule is wrong, and yet -------------------------------------------------------


def constants(x):
    with no_grad():
        total = F.sum(x)
    return x * total


def overwritten(x):
    y = F.tanh(x)
    y.data.setflags(write=True)
    np.multiply(y.data, 2, out=y.data)
    y.data.setflags(write=False)
    return y * x


def hooked(x):
    y = F.tanh(x)
    y.register_hook(lambda g: 2 * g)
    return y * x


ELSEWHERE = {
    "detach": ("missing dependency", lambda x: F.tanh(x) * x.detach(), "that entered at test_testing_gradcheck.py:"),
    "data": ("missing dependency", lambda x: x * np.exp(x.data), "moves with the input"),
    "no_grad": ("missing dependency", constants, "the constant of shape ()"),
    "plain result": ("missing dependency", lambda x: np.exp(x.data), "result 0 is a plain array"),
    "fixed argument": (
        "missing dependency",
        lambda x: F.masked_fill(x, np.zeros(x.shape, bool), 0.0) + F.leaky_relu(-F.abs(x), float(x.data[0, 0])),
        "the fixed argument negative_slope of leaky_relu",
    ),
    "in place": ("in place", overwritten, "was changed in place"),
    "hook": ("hook", hooked, "hooks are registered on Tensor"),
    "random": ("non-deterministic", lambda x: x * np.random.normal(size=3), "another one each time"),
    "random op": (
        "non-deterministic",
        Op(lambda x: x * np.random.normal(), lambda g, out, x: (g,), name="noisy"),
        "does not give the same",
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_when_every_rule_is_right_the_cause_is_told(name):
    """Which kind it is, and where."""
    kind, fn, words = ELSEWHERE[name]
    fault = fault_of(fn, X)

    assert fault.kind == kind
    assert words in str(fault)


def test_a_hook_on_all_nodes_is_told():
    """As one on a single node is."""
    with on_visit(lambda node, g: 2 * g if node.op is None else None):
        fault = fault_of(F.tanh, X)

    assert fault.kind == "hook"


# ---- where there is no derivative ----------------------------------------------------

KINKS = {
    "relu": (lambda x: F.relu(x) * 3, [0.0, 1.0, -2.0]),
    "abs": (F.abs, [0.0, 1.0]),
    "ties of max": (F.max, [1.0, 1.0, 0.0]),
    "sqrt at 0": (F.sqrt, [0.0, 4.0]),
    "norm at 0": (F.norm, [0.0, 0.0]),
    "clip at its bound": (lambda x: F.clip(x, 0.0, 1.0), [0.0, 0.5, 1.0]),
    "relu less relu": (lambda x: F.relu(x) - F.relu(-x), [0.0, 1.0]),  # x itself; the choices at 0 make 0 of it
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_ties_and_poles_are_said_and_are_no_faults(name):
    """With PyTorch's choices at each of them."""
    fn, x = KINKS[name]
    report = gradcheck(fn, [np.array(x)])

    assert report
    assert "has no derivative by input 0 here" in str(report)


def test_at_a_kink_the_gradient_must_lie_between_the_slopes():
    """Each of two that tie gets the whole gradient: more than the maximum moves in any direction."""
    greedy = Op(np.max, lambda g, out, x: (g * (x == out),), name="largest")
    steep = Op(np.abs, lambda g, out, x: (g * np.where(x == 0, 2, np.sign(x)),), name="size")

    assert "at a kink or a tie" in str(fault_of(greedy, np.array([1.0, 1.0])))
    assert "at a kink or a tie" in str(fault_of(steep, np.array([0.0, 1.0])))


def test_nan_in_the_gradient_of_a_smooth_function_is_a_fault():
    """`where` with a NaN in the branch that is not taken, by a rule that multiplies by a mask."""
    masked = Op(
        lambda x, y: np.where(x > 0, y, 0.0),
        lambda g, out, x, y: (0 * x, g * (x > 0) * np.sqrt(x) / np.sqrt(x)),
        name="pick",
    )
    with np.errstate(all="ignore"):
        fault = fault_of(lambda x: masked(x.data, x), np.array([-1.0, 2.0]))

    assert fault.op is masked
    assert "says nan" in str(fault)


# ---- the gradient of the gradient ----------------------------------------------------


def test_a_rule_that_is_right_once_and_not_twice():
    """It computes with .data: the gradient is right, the gradient of the gradient is not."""
    once = Op(np.tanh, lambda g, out, x: (g * (1 - np.asarray(getattr(out, "data", out)) ** 2),), name="once")

    assert gradcheck(lambda x: once(x) * x, [X])
    fault = fault_of(lambda x: once(x) * x, X, order=2)
    assert (fault.kind, fault.op, fault.input) == ("second order", once, 0)


def test_a_rule_that_cannot_be_differentiated_again():
    """It uses what has no derivative here."""
    angle = Op(np.arctan, lambda g, out, x: (g * np.cos(np.arctan(x)) ** 2,), name="angle")

    assert gradcheck(angle, [X])
    fault = fault_of(angle, X, order=2)
    assert (fault.kind, fault.op) == ("second order", angle)
    assert "np.arctan has no derivative here" in str(fault)


# ---- how it is asked -----------------------------------------------------------------


def test_what_cannot_be_checked_is_refused():
    """With what is expected, and what came."""
    with pytest.raises(GradientError, match="needs an input of floating-point numbers"):
        gradcheck(lambda x: x, [[1, 2]])
    with pytest.raises(GradientError, match="returned nothing of floating-point numbers"):
        gradcheck(lambda x: None, [X])
    with pytest.raises(ValueError, match="order must be 1, or 2"):
        gradcheck(F.tanh, [X], order=3)


def test_errors_of_the_function_itself_come_through():
    """They are not taken for wrong gradients."""
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda x: x * (1 / 0), [X])


def test_tolerance_can_be_loosened():
    """rtol is relative to what is added up."""
    bad = Op(np.sin, lambda g, out, x: (g * np.cos(x) * 1.0001,), name="sine")

    assert not gradcheck(bad, [X], raise_exception=False)
    assert gradcheck(bad, [X], rtol=1e-3)


@pytest.mark.parametrize("fast_mode", [True, False])
def test_whole_jacobians_and_directions_find_the_same(fast_mode):
    """Whichever is asked for."""
    assert gradcheck(lambda x, w: F.tanh(x @ w), [X, W], fast_mode=fast_mode)
    assert fault_of(lambda x: F.sum(wrong(x)), X, fast_mode=fast_mode).op is wrong


def test_the_same_seed_gives_the_same_report():
    """Directions and weights are drawn from it."""
    reports = [str(gradcheck(lambda x: wrong(x), [np.ones(500)], seed=4, raise_exception=False)) for _ in range(2)]

    assert reports[0] == reports[1]
