"""Functions of NumPy, autograd and PyTorch, checked alike: what is right is left alone, what is wrong is named."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tinygrad_seq import Tensor
from tinygrad_seq.errors import VjpError
from tinygrad_seq.testing import gradcheck
from tinygrad_seq.testing.engines.adapting import adapted
from tinygrad_seq.testing.engines.foreign import Part, blamed

X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
W = np.array([[1.0, -2.0], [0.5, 0.75], [-1.5, 1.0]])


def rng():
    return np.random.default_rng(0)


def line_of(function, text):
    """Where a line of a function is, as messages name it."""
    lines = Path(function.__code__.co_filename).read_text("utf-8").splitlines()
    first = function.__code__.co_firstlineno
    return f"test_testing_engines.py:{next(n for n, line in enumerate(lines, 1) if n >= first and text in line)}"


def slopes(function, weights, h=1e-6):
    """d Σ⟨weight, output⟩ / d(input) by central differences of `values`."""
    found = []
    for i, x in enumerate(function.inputs):
        gradient = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            sides = []
            for step in (h, -h):
                moved = [array.copy() for array in function.inputs]
                moved[i][place] += step
                sides.append(sum(np.sum(w * y) for w, y in zip(weights, function.values(moved), strict=True)))
            gradient[place] = (sides[0] - sides[1]) / (2 * h)
        found.append(gradient)
    return found


def check_gradients(function):
    """The gradients that an engine gives are those of central differences."""
    weights = [rng().normal(size=y.shape) for y in function.values(function.inputs)]
    expected = slopes(function, weights)
    actual = function.gradients(function.inputs, weights)

    assert len(expected) == len(actual) > 0
    for g, slope in zip(actual, expected, strict=True):
        assert_allclose(g, slope, rtol=1e-6, atol=1e-7)


# ---- NumPy, with a gradient by hand --------------------------------------------------


def energy(x, w):
    return np.sum(np.tanh(x @ w) ** 2)


def energy_gradient(x, w):
    h = np.tanh(x @ w)
    g = 2 * h * (1 - h * h)
    return g @ w.T, x.T @ g


def energy_gradient_of_another(x, w):
    h = np.tanh(x @ w)
    g = 2 * h * (1 - h)
    return energy_gradient(x, w)[0], x.T @ g


def test_a_right_gradient_by_hand_is_that_of_its_function():
    """With several inputs, each of its own shape, and nothing is blamed."""
    function = adapted(energy, [X, W], gradient=energy_gradient)

    check_gradients(function)
    assert function.labels == ["input 0, x", "input 1, w"]
    assert function.blame(function.inputs, rng()) == []


def test_a_wrong_gradient_by_hand_is_named():
    """The function, the input, the worst element with both numbers, the line of the rule."""
    function = adapted(energy, [X, W], gradient=energy_gradient_of_another)

    (fault,) = function.blame(function.inputs, rng())

    assert (fault.kind, fault.input) == ("value", 1)
    assert fault.message == "derivative of energy is wrong for input 1"
    assert "most at element (" in fault.details[0]
    assert fault.details[1].startswith(f"rule: {line_of(energy_gradient_of_another, 'return')}  return energy_grad")


def test_a_gradient_in_double_precision_of_a_function_in_single_is_compared_in_double():
    """float32 inputs are moved as float64, so that the differences are exact enough."""
    function = adapted(energy, [X.astype(np.float32), W.astype(np.float32)], gradient=energy_gradient)

    assert function.blame(function.inputs, rng()) == []


def test_a_gradient_by_hand_that_changes_its_input_is_told_off():
    """The caller's arrays are left as they are, and the fault says which input."""
    given = X.copy()

    def gradient(x):
        x *= 2
        return x

    function = adapted(lambda x: np.sum(x * x), [given], gradient=gradient)
    faults = function.blame(function.inputs, rng())

    assert [(fault.kind, fault.input) for fault in faults] == [("mutates", 0)]
    assert np.array_equal(given, X)


def test_a_gradient_by_hand_of_too_many_parts_is_an_error():
    """One gradient for each input is expected."""
    function = adapted(energy, [X, W], gradient=lambda x, w: (x, w, w))

    with pytest.raises(VjpError, match="one gradient for each of its 2 inputs, as a tuple; got 3"):
        function.gradients(function.inputs, [np.array(1.0)])


def test_inputs_that_are_no_floats_are_passed_as_they_are():
    """An index stays one, and has no place among the inputs; its gradient, if one is given, is left out."""
    index = np.array([0, 0, 1])

    def gradient(x, index):
        g = np.zeros_like(x)
        np.add.at(g, index, 1.0)
        return g, None

    function = adapted(lambda x, index: np.sum(x[index]), [X, index], gradient=gradient)

    check_gradients(function)
    assert [x.shape for x in function.inputs] == [X.shape]


def test_a_gradient_by_hand_has_none_of_its_own():
    """There is nothing to differentiate a second time, and the check says that it did not."""
    report = gradcheck(energy, [X, W], gradient=energy_gradient, order=2)

    assert report.checks > 0
    assert "second derivative of energy was not checked" in report.notes[0]


# ---- what is expected ----------------------------------------------------------------


def test_our_own_functions_are_left_to_our_own_check():
    """Arrays and Tensors without a gradient by hand and without an engine are ours."""
    assert adapted(np.tanh, [X]) is None
    assert adapted(np.tanh, [Tensor(X, requires_grad=True)]) is None


NONSENSE = {
    "no function": (3, [X], {}, "needs a function, got int"),
    "an unknown engine": (np.sum, [X], {"engine": "jax"}, 'must be "torch" or "autograd" .*got \'jax\''),
    "a gradient that is an array": (np.sum, [X], {"gradient": X}, "must be a function of the inputs .*got ndarray"),
    "inputs not in a list": (np.sum, X, {"gradient": np.ones_like}, "must be a list .*got ndarray"),
    "two rules": (np.sum, [X], {"gradient": np.ones_like, "engine": "autograd"}, "leave out either"),
    "nothing but integers": (np.sum, [[1, 2]], {"gradient": np.ones_like}, "at least one input of floating-point"),
    "a gradient by hand of an array": (np.tanh, [X], {"gradient": np.ones_like}, r"gives shape \(2, 3\): .* check_op"),
}


@pytest.mark.parametrize(("function", "inputs", "options", "message"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_answered_with_what_is_expected(function, inputs, options, message):
    """A TypeError says what was expected and what was given."""
    with pytest.raises(TypeError, match=message):
        adapted(function, inputs, **options)


@pytest.mark.parametrize(("engine", "module"), [("torch", "torch_functions"), ("autograd", "hips_functions")])
def test_an_engine_that_is_not_installed_is_asked_for(monkeypatch, engine, module):
    """The error says what to install; who does not ask for the engine does not need it."""
    monkeypatch.setitem(sys.modules, engine, None)
    monkeypatch.delitem(sys.modules, f"tinygrad_seq.testing.{module}", raising=False)

    assert adapted(energy, [X, W], gradient=energy_gradient)
    with pytest.raises(ImportError, match=f"pip install {engine}"):
        adapted(np.sum, [X], engine=engine)


# ---- one part alone ------------------------------------------------------------------


def part(values, gradients, *inputs):
    return Part("f", "", "", list(inputs), [*range(len(inputs))], values(inputs), values, gradients)


def test_a_part_is_not_blamed_where_it_has_no_derivative():
    """At the kink of max(x, 0) every gradient is as good as any other; beside it, it is compared."""
    at = np.array([0.0, 1.0, -1.0])
    right = part(lambda xs: [np.maximum(xs[0], 0)], lambda xs, ws: [ws[0] * (xs[0] >= 0)], at)
    wrong = part(lambda xs: [np.maximum(xs[0], 0)], lambda xs, ws: [ws[0] * (xs[0] < 9)], at)

    assert blamed([right], rng()) == []
    assert "most at element 2: " in blamed([wrong], rng())[0].details[0]


def failing(xs, ws):
    raise ZeroDivisionError("by 0")


BROKEN = {
    "no gradient": (lambda xs, ws: [None], "value", "says 0|there is no gradient"),
    "NaN": (lambda xs, ws: [ws[0] * np.nan], "value", "the gradient says nan"),
    "another shape": (lambda xs, ws: [np.array([1.0])], "shape", r"shape of the input, \(2, 3\); got \(1,\)"),
    "an error": (failing, "raises", "ZeroDivisionError: by 0"),
    "a little too large": (lambda xs, ws: [ws[0] * 3.0003 * xs[0] ** 2], "value", "the gradient says"),
}


@pytest.mark.parametrize(("gradients", "kind", "text"), BROKEN.values(), ids=BROKEN)
def test_a_broken_part_is_blamed_by_kind(gradients, kind, text):
    """Each kind of mistake has its word, and says what was expected and found."""
    (fault,) = blamed([part(lambda xs: [xs[0] ** 3], gradients, X)], rng())

    assert fault.kind == kind
    assert re.search(text, str(fault))


def test_a_part_that_is_not_deterministic_is_said_to_be():
    """Its gradient cannot be compared, so only that is said."""
    noise = rng()
    (fault,) = blamed([part(lambda xs: [xs[0] + noise.normal()], lambda xs, ws: ws, X)], rng())

    assert fault.kind == "non-deterministic"


# ---- HIPS autograd -------------------------------------------------------------------


@pytest.fixture
def anp():
    return pytest.importorskip("autograd.numpy")


def hips_network(anp):
    """Many of autograd's primitives: products, broadcasting, indexing, reductions, what has no gradient."""

    def network(x, w):
        h = anp.tanh(anp.dot(x, w) + w[0])
        h = anp.concatenate([h, h[::-1] * anp.floor(h) + 1.0], axis=1)
        p = anp.exp(h) / anp.sum(anp.exp(h), axis=1, keepdims=True)
        return anp.einsum("ij,kj->ik", p, h), anp.max(h, axis=0), anp.where(h > 0.5, h, anp.sin(h))

    return network


def hips_softsign():
    """A primitive whose gradient by its first input lacks a square."""
    extend = pytest.importorskip("autograd.extend")

    @extend.primitive
    def softsign(x, k):
        return k * x / (1 + np.abs(x))

    right, wrong = (lambda g, x, k: g * x / (1 + np.abs(x))), (lambda g, x, k: g * k / (1 + np.abs(x)))
    extend.defvjp(softsign, lambda ans, x, k: lambda g: wrong(g, x, k), lambda ans, x, k: lambda g: right(g, x, k))
    return softsign


def test_a_right_function_of_autograd_is_left_alone(anp):
    """Its gradients are those of central differences, and no primitive is blamed."""
    function = adapted(hips_network(anp), [X, W], engine="autograd")

    check_gradients(function)
    assert function.blame(function.inputs, rng()) == []


def test_a_wrong_primitive_of_autograd_is_named(anp):
    """The primitive, the number of its argument, the line of the call, and the line of its rule."""
    softsign = hips_softsign()

    def network(x, w):
        h = anp.tanh(anp.dot(x, w))
        h = softsign(h, anp.ones_like(h) + anp.sum(w))
        return anp.sum(h)

    function = adapted(network, [X, W], engine="autograd")
    (fault,) = function.blame(function.inputs, rng())

    assert (fault.kind, fault.input) == ("value", 0)
    assert fault.message == f"derivative of softsign is wrong for input 0 ({line_of(network, 'softsign(')})"
    assert fault.details[-1].startswith(f"rule: {line_of(hips_softsign, 'extend.defvjp')}  extend.defvjp(softsign")


def test_the_gradient_of_autograd_is_differentiated_in_its_turn(anp):
    """By both inputs, through two levels of its traces."""
    function = adapted(hips_network(anp), [X, W], engine="autograd")

    check_gradients(function.second())


def test_a_wrong_second_derivative_of_autograd_is_named(anp):
    """A rule that is right, but not written in what autograd traces, has a gradient whose derivative is wrong."""
    extend = pytest.importorskip("autograd.extend")
    cube = extend.primitive(lambda x: x**3)
    extend.defvjp(cube, lambda ans, x: lambda g: g * 3 * np.array(getattr(x, "_value", x)) ** 2)

    report = gradcheck(lambda x: anp.sin(cube(x)), [X], engine="autograd", order=2, raise_exception=False)

    assert [(fault.kind, fault.input) for fault in report.faults] == [("second order", 0)]
    assert report.faults[0].message.startswith("derivative of the gradient of <lambda> is wrong for input 0")


def test_an_input_that_autograd_does_not_use_has_no_gradient(anp):
    """None, instead of the zeros that hide a way that was lost."""
    function = adapted(lambda x, w: anp.sum(anp.zeros_like(x) * w[0, 0]), [X, W], engine="autograd")

    assert [g is None for g in function.gradients(function.inputs, [np.array(1.0)])] == [True, False]


# ---- PyTorch -------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def torch_inputs(torch, *arrays, **options):
    return [torch.tensor(x, **options) for x in arrays]


def custom(torch, backward, forward=lambda x: x / (1 + x.abs())):
    """A custom function of torch, whose gradient by x is g * backward(x)."""

    class Softsign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, n):
            ctx.save_for_backward(x)
            return n * forward(x)

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * backward(x), None

    return Softsign.apply


def test_a_right_function_of_torch_is_left_alone(torch):
    """Layers, a custom function, what is done in place, indexing, joining, reductions: no call is blamed."""
    softsign = custom(torch, lambda x: 1 / (1 + x.abs()) ** 2)
    torch.manual_seed(0)
    layer, cell = torch.nn.Linear(3, 2).double(), torch.nn.GRUCell(2, 3).double()

    def network(x, w):
        h = torch.cat([torch.tanh(x @ w), torch.relu(x @ w)], 1)[:, 1:4]
        h = torch.nn.functional.layer_norm(softsign(h, 2), (3,))
        h[0] = h[1] * 2
        h += 1
        largest, _ = torch.split(layer(h), [1, 1], 1)[0].max(0)
        return cell(layer(h)), largest, torch.nn.functional.cross_entropy(h, torch.tensor([0, 2]))

    function = adapted(network, torch_inputs(torch, X, W))

    check_gradients(function)
    assert function.labels == ["input 0, x", "input 1, w"]
    assert function.blame(function.inputs, rng()) == []


def test_a_wrong_custom_function_of_torch_is_named(torch):
    """Although `apply` was taken off the class before: its name, the input, the line of the call, that of the rule."""
    softsign = custom(torch, lambda x: 1 / (1 + x.abs()))

    def network(x, w):
        h = torch.tanh(x @ w)
        h = softsign(h, 2)
        return torch.sin(h).sum()

    function = adapted(network, torch_inputs(torch, X, W))
    (fault,) = function.blame(function.inputs, rng())

    assert (fault.kind, fault.input) == ("value", 0)
    assert fault.message == f"derivative of Softsign is wrong for input 0 ({line_of(network, 'softsign(')})"
    assert fault.details[-1] == f"rule: {line_of(custom, 'return 2 * g')}  return 2 * g * backward(x), None"


def test_blame_leaves_torch_as_it_was(torch):
    """The class that custom functions inherit from has no `apply` of ours, also where the function fails."""
    softsign = custom(torch, lambda x: 1 / (1 + x.abs()) ** 2)
    above = torch.autograd.Function.__mro__[1]
    before = dict(vars(above))
    calls = []

    def network(x):
        calls.append(softsign(x, 2))
        if len(calls) > 1:
            raise KeyError("no")
        return calls[0]

    function = adapted(network, torch_inputs(torch, X))
    function.values(function.inputs)
    with pytest.raises(KeyError):
        function.blame(function.inputs, rng())

    assert dict(vars(above)) == before


def test_what_torch_overwrites_is_recorded_as_it_was(torch):
    """A call that changes its input in place is checked at what the input was before."""

    def overwriting(x):
        h = x.clone().mul_(3).exp_()
        h[0] = x[1]
        return h

    function = adapted(overwriting, torch_inputs(torch, X))
    record = function.recorded(function.inputs)

    assert [part.name for part in record.parts] == ["clone", "mul_", "exp_", "__getitem__", "__setitem__"]
    assert [part.inputs[0].tolist() for part in record.parts[:3]] == [X.tolist(), X.tolist(), (3 * X).tolist()]
    assert blamed(record.parts, rng()) == []


CUTS = {
    "detach": (lambda torch, x: (x.detach() * x).sum(), "missing dependency", "detach cuts the gradient off"),
    "item": (lambda torch, x: x.sum() * x.mean().item(), "missing dependency", "item cuts the gradient off"),
    "no_grad": (lambda torch, x: torch.no_grad()(torch.exp)(x).sum() + x.sum(), "missing dependency", "exp cuts"),
    "hook": (lambda torch, x: [y := x * x, y.register_hook(lambda g: 2 * g)][0], "hook", "a hook changes the gradient"),
    "dropout": (lambda torch, x: torch.nn.functional.dropout(x), "non-deterministic", "dropout is not deterministic"),
}


@pytest.mark.parametrize(("function", "kind", "text"), CUTS.values(), ids=CUTS)
def test_what_loses_the_gradient_in_torch_is_named(torch, function, kind, text):
    """Where each rule is right but the whole is wrong: what cuts the gradient off, changes it, or draws at random."""
    torch.manual_seed(0)
    seen = adapted(lambda x: function(torch, x), torch_inputs(torch, X))

    (fault,) = seen.blame(seen.inputs, rng())

    assert fault.kind == kind
    assert fault.message.startswith(text)
    assert "test_testing_engines.py:" in fault.message


def test_the_gradient_of_torch_is_differentiated_in_its_turn(torch):
    """By both inputs, with `create_graph`."""
    function = adapted(lambda x, w: torch.tanh(x @ w) ** 3, torch_inputs(torch, X, W))

    check_gradients(function.second())


def test_a_wrong_second_derivative_of_torch_is_named(torch):
    """A rule that is right, but detached, has a gradient whose derivative is wrong."""
    softsign = custom(torch, lambda x: 1 / (1 + x.detach().abs()) ** 2)
    function = lambda x: torch.sin(softsign(x, 2))  # noqa: E731

    report = gradcheck(function, torch_inputs(torch, X), order=2, raise_exception=False)

    assert gradcheck(function, torch_inputs(torch, X))
    assert [(fault.kind, fault.input) for fault in report.faults] == [("second order", 0)]
    assert report.faults[0].message.startswith("derivative of the gradient of Softsign is wrong for input 0")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_torch_is_checked_in_both_precisions(torch, dtype):
    """What single precision rounds off is no fault, and what is a thousandth too large is one."""
    inputs = torch_inputs(torch, X, W, dtype=getattr(torch, dtype))
    softsign = custom(torch, lambda x: 1.001 / (1 + x.abs()) ** 2)

    assert gradcheck(lambda x, w: torch.tanh(x @ w), inputs)
    assert not gradcheck(lambda x, w: softsign(x @ w, 2), inputs, raise_exception=False)


def test_torch_differentiates_by_what_requires_a_gradient(torch):
    """Where some inputs require one, the others stay fixed; integers always do; arrays become tensors."""
    x, w = torch_inputs(torch, X, W)
    index = torch.tensor([0, 1, 1])

    def function(x, w, index):
        return (x @ w)[index]

    assert adapted(function, [x, w.requires_grad_(), index]).labels == ["input 1, w"]
    assert adapted(function, [x, w.detach(), index]).labels == ["input 0, x", "input 1, w"]
    assert adapted(function, [X, W, index.numpy()], engine="torch").labels == ["input 0, x", "input 1, w"]


def test_torch_in_half_precision_is_refused(torch):
    """Three digits do not tell a wrong gradient from a right one."""
    with pytest.raises(TypeError, match=r"float64 or float32, got torch.bfloat16 for input 0: give .double\(\)"):
        adapted(torch.tanh, torch_inputs(torch, X, dtype=torch.bfloat16))


def test_what_is_no_tensor_is_refused(torch):
    """A function of torch gives a tensor, or several."""
    function = adapted(lambda x: math.pi, torch_inputs(torch, X))

    with pytest.raises(TypeError, match="must give a tensor, or a tuple of tensors; got float"):
        function.values(function.inputs)
