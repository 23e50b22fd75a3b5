"""check_module passes what is right, and says of each way to be wrong what it is."""

from copy import deepcopy

import numpy as np
import pytest

from tinygrad_seq import Op, Parameter, Tensor, manual_seed, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError
from tinygrad_seq.models import LSTM, MultiheadAttention
from tinygrad_seq.rng import generator
from tinygrad_seq.testing import GradientCheckError, check_module

X = np.random.default_rng(0).normal(size=(4, 3))


# ---- what is right -------------------------------------------------------------------

RIGHT = {
    "linear": (lambda: nn.Linear(3, 2), X, 0),
    "dropout in training": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 2)), X, 0),
    "tokens": (lambda: nn.Embedding(5, 3), np.array([[1, 2, 1], [0, 4, 2]]), 0),
    "several arguments": (lambda: LSTM(3, 2), (np.stack([X, -X]), None, np.array([2, 1, 1, 2])), (1, None, 0)),
    "a list": (lambda: LSTM(3, 2), (np.stack([X, -X]), None, [2, 1, 1, 2]), (1, None, 0)),
    "several outputs": (lambda: MultiheadAttention(4, 2), (np.ones((3, 2, 4)) * X[:3, :2, None],) * 3, 1),
    "float32": (lambda: nn.LayerNorm(3, dtype=np.float32), X.astype(np.float32), 0),
}


@pytest.mark.parametrize(("make", "example", "batch_axis"), RIGHT.values(), ids=RIGHT)
def test_a_right_module_passes(make, example, batch_axis):
    """Nothing is found, after many numbers were compared."""
    manual_seed(0)
    report = check_module(make(), example, batch_axis=batch_axis)

    assert report.checks > 40


class Returns(nn.Module):
    """Its results lie deep in a dict, and some are no floats."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, x, options):
        y = self.inner(x) * options["scale"]
        return {"y": (y, [F.tanh(y)]), "index": y.data.argmax(axis=-1), "name": "y"}


def test_tensors_are_found_wherever_they_stand():
    """In tuples, lists and dicts, of the arguments too; the rest is passed on."""
    found = check_module(Returns(), (X, {"scale": np.array([1.0, 2.0]), "other": None}))

    assert found.checks > 60


def test_the_module_is_left_as_it_was():
    """In its mode, its parameters and gradients the same; and the library's random numbers go on."""
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    module[0].eval()
    before = module.state_dict()
    drawn = manual_seed(3).normal()
    manual_seed(3)
    check_module(module, X)

    assert generator().normal() == drawn
    assert [inside.training for inside in module.modules()] == [True, False, True]
    assert all(p.grad is None and p.name in ("weight", "bias") for p in module.parameters())
    assert {type(p) for p in module.parameters()} == {Parameter}
    for path, p in module.named_parameters():
        np.testing.assert_array_equal(p.data, before[path])


def test_what_a_module_counts_is_left_as_it_was():
    """Running means and caches, in arrays and lists, do not remember the calls of a check."""

    class Averages(Layer):
        def __init__(self):
            super().__init__()
            self.mean, self.seen, self.calls = np.zeros(2), [], 0

        def forward(self, x):
            y = x @ self.W
            if self.training:
                self.mean += y.data.mean(axis=0).real
                self.seen.append(len(x))
                self.calls += 1
            return y - y.mean(axis=0) if self.training else y - self.mean.astype(y.dtype)

    module = Averages()
    mean = module.mean
    check_module(module, X, batch_axis=0)

    assert (module.mean is mean, mean.tolist(), module.seen, module.calls) == (True, [0, 0], [], 0)


def test_a_shared_parameter_is_one():
    """A table that embeds and predicts is moved in both places at once."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.output = nn.Embedding(5, 3), nn.Linear(3, 5)
            self.output.weight = self.embedding.weight

        def forward(self, tokens):
            return self.output(self.embedding(tokens))

    assert check_module(Tied(), np.array([1, 2, 4]), batch_axis=0)


# ---- what is wrong -------------------------------------------------------------------


class Layer(nn.Module):
    """y = x W, to break."""

    def __init__(self):
        super().__init__()
        self.W = Parameter(np.arange(6.0).reshape(3, 2) / 4)

    def forward(self, x):
        return x @ self.W


class Peeks(Layer):
    def forward(self, x):
        return (x - x.mean(axis=0)) @ self.W


class Sends(Layer):
    """Rows are apart, but a rule brings their gradients together."""

    def forward(self, x):
        return Op(same, same_vjp)(x) @ self.W


def same(x):
    return x + 0


def same_vjp(g, out, x):
    return (np.broadcast_to(g.sum(axis=0), g.shape),)


class Unused(Layer):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2, bias=False)])

    def forward(self, x):
        return self.inner[0](x) @ self.W[:2]


class ByData(Layer):
    def forward(self, x):
        return x @ self.W.data


class InAList(Layer):
    def __init__(self):
        super().__init__()
        self.more = [nn.Linear(2, 2)]

    def forward(self, x):
        return self.more[0](x @ self.W)


class WritesInto(Layer):
    def forward(self, x):
        array = x.data if isinstance(x, Tensor) else x
        array *= 2
        return x @ self.W


class WritesIntoTokens(nn.Embedding):
    def forward(self, tokens):
        tokens[tokens > 3] = 0
        return super().forward(tokens)


class Decays(Layer):
    """It shrinks its weights at each call."""

    def forward(self, x):
        y = x @ self.W
        self.W.data = self.W.data * 0.99
        return y


class Draws(Layer):
    def forward(self, x):
        return x @ self.W + np.random.normal(size=2)


class DrawsInUse(Layer):
    def forward(self, x):
        return F.dropout(x @ self.W, 0.5)


class Remembers(Layer):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x @ self.W * self.calls


class Wide(Layer):
    def forward(self, x):
        return x @ self.W + np.ones(2)


class Rough(Layer):
    """A variance as the difference of two large numbers."""

    def forward(self, x):
        y = x @ self.W + 1000
        return (y * y).mean(axis=-1) - y.mean(axis=-1) ** 2


class Caches(Layer):
    def __init__(self):
        super().__init__()
        self.scale = {}

    def forward(self, x):
        self.scale.setdefault("W", self.W.data.std())
        return x @ self.W * self.scale["W"]

    def load_state_dict(self, state, strict=True):
        super().load_state_dict({"W": state["W"] * 1.5}, strict)


class Roots(Layer):
    def forward(self, x):
        return F.sqrt((x @ (self.W * 0.0)) ** 2)


class WrongRule(Layer):
    def forward(self, x):
        return Op(same, lambda g, out, x: (1.01 * g,), name="shift")(x @ self.W)


class Numbers(Layer):
    def forward(self, x):
        return (x @ self.W).data


BROKEN = {
    "mixes rows": (Peeks, X, "batch", r"row 0 of output 0 of Peeks changes by [\d.]+ when it is computed alone"),
    "sends across": (Sends, X, "batch", r"row 0 of output 0 of Sends sends a gradient of .* row of x, such as \d"),
    "unused": (Unused, X, "unused parameter", r"unused parameter: inner\.1\.weight of Unused changes no output"),
    "by .data": (ByData, X, "missing dependency", r"W of ByData gets no gradient, but output 0 changes by 0\.\d+ when"),
    "in a list": (InAList, X, "hidden parameter", r"InAList uses a parameter weight of shape \(2, 2\) that .*1 more"),
    "writes": (WritesInto, X, "mutates", r"writes into what it is given: .*\n.*\nWritesInto changes its input x by"),
    "writes tokens": (
        lambda: WritesIntoTokens(5, 2), np.array([1, 4]), "mutates", r"WritesIntoTokens changes its input tokens by 4"
    ),
    "shrinks": (Decays, X, "mutates", r"Decays changes its parameter W by 0\.0\d+"),
    "np.random": (Draws, X, "non-deterministic", r"again in eval\(\)[\s\S]*draws from np\.random: draw from"),
    "library's": (DrawsInUse, X, "non-deterministic", r"in eval\(\)[\s\S]*generator outside of training too: ask self"),
    "remembers": (Remembers, X, "non-deterministic", r"called again in eval\(\)[\s\S]*changes its attribute calls"),
    "wide": (Wide, X, "dtype", r"output 0 of Wide is float64 where .* float32 [\s\S]*cast is the first to make"),
    "rough": (Rough, X, "precision", r"output 0 of Rough is off by 0\.\d+ in float32, of numbers up to"),
    "caches": (Caches, X, "state_dict", r"output 0 of Caches changes by [\d.]+ in a copy that loaded its state dict"),
    "roots": (Roots, X, "not finite", r"the outputs of Roots are finite, but the gradient of x has 12 of 12 numbers"),
    "wrong rule": (WrongRule, X, "value", r"derivative of shift is wrong"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "example", "kind", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_named(make, example, kind, says):
    """A fault of the right kind, with what changes, by how much, and what to do."""
    report = check_module(make(), example, batch_axis=0, raise_exception=False)

    assert kind in {fault.kind for fault in report.faults}
    with pytest.raises(GradientCheckError, match=says):
        report.raised()


def test_a_broken_module_says_little():
    """What is wrong with one thing is told once, not by every check that meets it."""
    for make in (Unused, ByData, InAList, Wide, Remembers):
        assert len(check_module(make(), X, batch_axis=0, raise_exception=False).faults) == 1


def test_a_message_leads_to_the_line():
    """The node that first was float64 knows its source line."""
    with pytest.raises(GradientCheckError) as caught:
        check_module(Wide(), X)
    (fault,) = caught.value.report.faults

    assert fault.node.dtype == np.float64
    assert "(test_testing_modules.py:" in fault.message


def test_a_gradient_of_a_gradient_is_looked_at_when_asked_for():
    """A rule that computes with plain numbers is right once, and wrong twice."""

    def half_vjp(g, out, x):
        return (g * (1 - np.tanh(x.data if isinstance(x, Tensor) else x) ** 2),)

    class Half(Layer):
        def forward(self, x):
            return Op(np.tanh, half_vjp, name="half")(x @ self.W)

    once, twice = (check_module(Half(), X, order=order, raise_exception=False) for order in (1, 2))

    assert once
    assert twice.faults[0].op.name == "half"


def test_what_is_no_derivative_on_purpose_is_noted():
    """A row for padding gets no gradient, and a gradient may be shortened on its way: these rules are meant so."""

    class Shortened(Layer):
        def forward(self, x):
            return F.clip_gradient(x @ self.W, 0.1)

    padded = check_module(nn.Embedding(5, 3, padding_idx=0), np.array([0, 2, 1, 0]))
    shortened = check_module(Shortened(), X)

    assert padded.ok
    assert shortened.ok
    assert padded.notes[0].startswith("embedding stops or shortens a gradient here, on purpose (")
    assert shortened.notes[0].startswith("clip_gradient stops or shortens a gradient here, on purpose (")


def test_a_gradient_that_is_zero_is_no_fault():
    """It is noted: on another example there may be one."""

    class Off(Layer):
        def forward(self, x):
            return x + F.relu(x @ self.W - 1e3).sum(axis=-1, keepdims=True)

    assert check_module(Off(), X).notes == ("the gradient of W is zero throughout, on this example",)


def test_an_output_without_a_batch_cannot_be_compared():
    """A loss is a mean over the batch: that is noted, not blamed."""

    class Loss(Layer):
        def forward(self, x):
            return (x @ self.W).mean()

    report = check_module(Loss(), X, batch_axis=0)

    assert report.notes == ("output 0, of shape (), has no batch: its rows cannot be compared",)


@pytest.mark.parametrize(
    ("module", "options", "says"),
    [
        (F.tanh, {}, r"needs an nn\.Module, got function: for a function take gradcheck"),
        (Numbers(), {}, "returns tensors, got ndarray from Numbers"),
        (Layer(), {"batch_axis": (0, 1)}, "one axis, or None, for each of 1 arguments"),
    ],
)
def test_what_cannot_be_checked_is_said(module, options, says):
    """What is needed, and what was given."""
    with pytest.raises(DataError, match=says):
        check_module(module, X, **options)


def test_what_a_module_raises_comes_through():
    """A wrong example is not a fault of the module."""
    with pytest.raises(ValueError, match="the 3 and the 4 must be equal"):
        check_module(deepcopy(nn.Linear(4, 2)), X)
