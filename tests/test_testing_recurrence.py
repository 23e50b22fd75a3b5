"""check_recurrent passes what is right, ours and others', and says of each way to be wrong what it is and where."""

import numpy as np
import pytest

from tinygrad_seq import Op, Parameter, Tensor, manual_seed, nn, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError
from tinygrad_seq.models import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from tinygrad_seq.rng import generator
from tinygrad_seq.testing import GradientCheckError, check_recurrent

X = np.random.default_rng(0).normal(size=(5, 3, 2))
W_x = np.random.default_rng(1).normal(size=(2, 4)) / 2
W_h = np.random.default_rng(2).normal(size=(4, 4)) / 2


# ---- what is right -------------------------------------------------------------------

OURS = {
    "RNNCell": lambda: RNNCell(2, 3),
    "LSTMCell": lambda: LSTMCell(2, 3),
    "GRUCell": lambda: GRUCell(2, 3),
    "lecture GRU, batch first": lambda: GRU(2, 3, form="lecture", batch_first=True),
    "two layers": lambda: GRU(2, 3, num_layers=2, dropout=0.5),
    "both directions": lambda: LSTM(2, 3, bidirectional=True),
    "float32": lambda: RNN(2, 3, nonlinearity="relu", dtype=np.float32),
}


@pytest.mark.parametrize("make", OURS.values(), ids=OURS)
def test_our_cells_and_layers_are_right(make):
    """Every property holds, and many numbers were compared to find that."""
    manual_seed(0)
    report = check_recurrent(make())

    assert report.checks > 500


class Elman(nn.Module):
    """Somebody's cell: called, it gives the new state."""

    def __init__(self):
        super().__init__()
        self.W_x, self.W_h = Parameter(W_x), Parameter(W_h)

    def forward(self, x, h):
        h = np.zeros((len(x), 4)) if h is None else h
        return F.tanh(x @ self.W_x + h @ self.W_h)


class WithOutput(Elman):
    """Another's: it gives an output and the new state, which has two parts."""

    def forward(self, x, state):
        h, C = (np.zeros((len(x), 4)), np.zeros((len(x), 4))) if state is None else state
        C = 0.5 * C + super().forward(x, h)
        return F.sin(C)[:, :2], (F.tanh(C), C)


def plain(x, h):
    """A function, with its weights around it."""
    return F.tanh(x @ Tensor(W_x) + h @ Tensor(W_h))


THEIRS = {
    "a module": (Elman(), None),
    "with an output": (WithOutput(), None),
    "a function": (plain, np.zeros((3, 4))),
    "a function of a pair": (lambda x, s: (s[0] + s[1], (plain(x, s[0]), s[1] * 0.5)), (X[0] @ W_x, X[1] @ W_x)),
}


@pytest.mark.parametrize(("cell", "initial"), THEIRS.values(), ids=THEIRS)
def test_cells_of_others_are_right(cell, initial):
    """Whatever they return: the state, or an output and the state; functions and modules, states of one part or two."""
    assert check_recurrent(cell, X, initial=initial).checks > 500


def test_the_cell_is_left_as_it_was():
    """In training or not, with its gradients, its parameters, and the library's random numbers going on."""
    lstm = LSTM(2, 3, num_layers=2, dropout=0.5)
    lstm.train()
    before = lstm.state_dict()
    drawn = manual_seed(3).normal()
    manual_seed(3)
    check_recurrent(lstm)

    assert generator().normal() == drawn
    assert lstm.training
    assert {path: p.grad for path, p in lstm.named_parameters()} == dict.fromkeys(before)
    for path, p in lstm.named_parameters():
        np.testing.assert_array_equal(p.data, before[path])


# ---- what is wrong -------------------------------------------------------------------


class Layer(Elman):
    """A layer to break: h_t = tanh(x_t W_x + h_{t-1} W_h), in one loop."""

    batch_first = False

    def forward(self, x, h=None, lengths=None):
        h = Tensor(np.zeros((x.shape[1], 4))) if h is None else h[0]
        active = None if lengths is None else np.arange(len(x))[:, None] < lengths
        outs = []
        for t, x_t in steps(self.seen(x) if lengths is None else self.without(x, active)):
            h = self.go_on(self.step_of(x_t, h, t), h, None if active is None else active[t - 1][:, None])
            outs.append(h if active is None else self.ended(h, active[t - 1][:, None]))
        return F.stack(outs), self.handed_out(h)

    def step_of(self, x, h, t):
        return F.tanh(x @ self.W_x + h @ self.W_h)

    def seen(self, x):
        return x

    def without(self, x, active):
        return F.where(active[..., None], x, 0.0)

    def go_on(self, new, old, active):
        return new if active is None else F.where(active, new, old)

    def ended(self, h, active):
        return F.where(active, h, 0.0)

    def handed_out(self, h):
        return F.stack([h])


class Peeks(Layer):
    def seen(self, x):
        return x + 0.1 * F.concat([x[1:], x[:1] * 0])


class PeeksAtNothing(Layer):
    def seen(self, x):
        return x + 0.0 * F.concat([x[1:], x[:1]])


def nothing(x):
    return np.zeros_like(x)


def nothing_vjp(g, out, x):
    return (np.roll(g, 1, axis=0),)


class SendsBack(Layer):
    """Its values are right; a gradient goes to the step after."""

    def seen(self, x):
        return x + Op(nothing, nothing_vjp)(x)


class Hides(Elman):
    h = 0.0

    def forward(self, x, h):
        h = np.zeros((len(x), 4)) if h is None else h
        self.h = F.tanh(x @ self.W_x + h @ self.W_h + self.h).data
        return Tensor(self.h) + 0.0 * (x @ self.W_x)


class Mixes(Elman):
    def forward(self, x, h):
        h = np.zeros((len(x), 4)) if h is None else h
        made = x @ self.W_x + h @ self.W_h
        return F.tanh(made - made.mean(axis=0))


class SendsAcross(Elman):
    """Its values are right; a gradient goes to the next sequence."""

    def forward(self, x, h):
        return super().forward(x + Op(nothing, nothing_vjp)(x), h)


class Counts(Layer):
    def step_of(self, x, h, t):
        return F.tanh(x @ self.W_x + h @ self.W_h + 0.1 * t)


class Lets(Layer):
    """It lets the state go on after the end."""

    def go_on(self, new, old, active):
        return new


class Speaks(Layer):
    """It puts out its state after the end."""

    def ended(self, h, active):
        return h


class Multiplies(Layer):
    """It takes the padding away by a product, which NaN survives."""

    def without(self, x, active):
        return x * active[..., None]


def ones_vjp(g, out, x):
    return (np.ones(x.shape),)


class Touches(Layer):
    """Its values are right; the padding gets a gradient."""

    def without(self, x, active):
        return super().without(x, active) + Op(nothing, ones_vjp)(x)


class Cuts(Layer):
    def handed_out(self, h):
        return F.stack([h.detach()])


class StartsAtZero(Layer):
    def forward(self, x, h=None):
        h = Tensor(np.zeros((x.shape[1], 4))) if h is None else h[0]
        outs = []
        for t, x_t in steps(x, start=0):
            h = self.step_of(x_t, h, t)
            outs.append(h)
        return F.stack(outs), F.stack([h])


class MarksBackwards(Layer):
    """What it computes of x is marked with the time steps in reverse."""

    def seen(self, x):
        return [x_t * 1.0 for (_, _), x_t in zip(steps(x, reverse=True), x)]


class FlatState(Layer):
    def handed_out(self, h):
        return h


class Roots(Elman):
    def forward(self, x, h):
        h = np.zeros((len(x), 4)) if h is None else h
        length = F.sqrt((x * x).sum(axis=-1, keepdims=True))
        return F.tanh(length + x @ self.W_x + h @ self.W_h)


class TwoWays(Elman):
    """Stepped it is not what it is when called."""

    def step(self, x, h):
        h = F.tanh(x @ self.W_x + h @ self.W_h) * 1.01
        return h, h


class Forgets(Elman):
    """The state goes on as plain numbers."""

    def forward(self, x, h):
        h = np.zeros((len(x), 4)) if h is None else h
        return F.tanh(x @ self.W_x + (h.data if isinstance(h, Tensor) else h) @ self.W_h)


class Doubled(RNN):
    """A layer that is not its equation."""

    def forward(self, x, h_0=None, lengths=None):
        output, last = super().forward(x, h_0, lengths)
        return 2 * output, last


BROKEN = {
    "peeks": (Peeks, "causality", r"output at t=1 changes by 0\.\d+ when x at t=2 is changed: a step must not see"),
    "sends back": (SendsBack, "causality", r"output at t=1 sends a gradient of [\d.]+ to x at t=2: a step must not"),
    "hides": (Hides, "hidden state", r"output at t=1 changes by [\d.]+ when the same run is made again"),
    "mixes": (Mixes, "batch", r"output at t=1 of sequence 0 changes by [\d.]+ when it is computed alone"),
    "sends across": (SendsAcross, "batch", r"an output of sequence 0 sends a gradient of [\d.]+ to another sequence"),
    "touches": (Touches, "padding", r"x in the padding gets a gradient of [\d.]+: it must be 0"),
    "marks backwards": (MarksBackwards, "time", r"a node of t=\d is made from one of t=\d"),
    "flat state": (FlatState, "state passing", r"last state Tensor \(3, 4\) is not built as the first, .*\(1, 3, 4\)"),
    "counts": (Counts, "state passing", r"output at t=3 changes by 0\.\d+ when the run is cut after t=2"),
    "cuts": (Cuts, "state passing", r"the gradient of x changes by .* does not go back through the state"),
    "goes on": (Lets, "padding", r"the last state of sequence \d, of length \d, changes by .* without padding"),
    "speaks": (Speaks, "padding", r"output at t=2 of sequence \d, which has ended at t=1, is 0\.\d+: after the end it"),
    "multiplies": (Multiplies, "padding", r"the gradient of x becomes NaN when the padding is nan"),
    "starts at zero": (StartsAtZero, "time", r"marked t = 0, 1, 2, 3, 4: it must be 1 to 5"),
    "roots": (Roots, "not finite", r"30 of 30 numbers in the gradient of x are not, for inputs times 0"),
    "two ways": (TwoWays, "unrolled", r"output at t=1 changes by 0\.0\d+ when the cell is called for each step alone"),
    "forgets": (Forgets, "missing dependency", r"gradient of Forgets\(\) is wrong for input 0, x, though the rule of"),
    "doubled": (lambda: Doubled(2, 4), "unrolled", r"output at t=1 changes by .* in a loop over its equation"),
}


@pytest.mark.parametrize(("make", "kind", "says"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_named(make, kind, says):
    """One plain message of the right kind, first of all; the numbers, and what to do."""
    initial = np.ones((1, 3, 4)) if make is FlatState else None
    report = check_recurrent(make(), X, initial=initial, raise_exception=False)

    assert report.faults[0].kind == kind
    with pytest.raises(GradientCheckError, match=says):
        report.raised()


def test_the_unbroken_layer_is_right():
    """What the broken ones are made of keeps every property."""
    assert check_recurrent(Layer(), X)


def test_a_message_leads_to_the_line():
    """Scope, time step and source line of the node that saw the future."""
    layer = Peeks()
    layer._called("encoder")
    with pytest.raises(GradientCheckError) as caught:
        check_recurrent(layer, X)
    fault = caught.value.report.faults[0]

    assert fault.node.t == 1
    assert "(in encoder at t=1, test_testing_recurrence.py:" in fault.message
    assert "compute step t from x_1 … x_t" in fault.details[0]


def test_a_wrong_rule_is_blamed_on_its_op_and_step():
    """Of an op inside a cell, with the time step and the line that it was called in."""
    softsign = Op(lambda x: x / (1 + np.abs(x)), lambda g, out, x: (g / (1 + np.abs(x)),), name="softsign")
    begin = np.zeros((3, 4))
    report = check_recurrent(lambda x, h: softsign(x @ W_x + h @ W_h), X, initial=begin, raise_exception=False)

    assert report.faults[0].op is softsign
    assert "derivative of softsign is wrong for input 0" in report.faults[0].message
    assert "at t=1, test_testing_recurrence.py:" in report.faults[0].message


def test_hidden_state_is_named():
    """The attribute that a cell keeps its state in, and that nothing else was looked at."""
    report = check_recurrent(Hides(), X, initial=np.zeros((3, 4)), raise_exception=False)

    assert [fault.kind for fault in report.faults] == ["hidden state"]
    assert "attribute h changes" in report.faults[0].details[0]
    assert "nothing else is looked at before this is mended" in report.notes


def test_what_does_not_apply_is_noted():
    """Both directions know the future, and a half does not know the other's end."""
    notes = check_recurrent(GRU(2, 3, bidirectional=True)).notes

    assert any(note.startswith("causality: it reads in both directions") for note in notes)
    assert any(note.startswith("state passing: with both directions") for note in notes)


def test_nothing_times_a_later_input_is_noted():
    """The future changes nothing, unless it is NaN: no fault, but worth to know."""
    report = check_recurrent(PeeksAtNothing(), X)

    assert "output at t=1 becomes NaN when x at t=2 is NaN, which even 0 · NaN is" in report.notes


@pytest.mark.parametrize(
    ("cell", "options", "says"),
    [
        (3, {}, "needs a cell or a layer, got int"),
        (plain, {}, r"needs an example, x of shape \(T, batch, features\)"),
        (plain, {"example": X[0]}, r"at least 3 steps of 2 sequences, got \(3, 2\)"),
        (plain, {"example": X}, "needs the state before the first step, initial=, for 3 sequences"),
        (lambda x, h: [h, h], {"example": X, "initial": np.zeros((3, 4))}, "must return its new state, built as the"),
    ],
)
def test_what_cannot_be_checked_is_said(cell, options, says):
    """What is missing, and what to give."""
    with pytest.raises(DataError, match=says):
        check_recurrent(cell, **options)
