"""The training loop: the same bits for the same seed, and nothing changed by an update that cannot be made."""

import io
import re
from math import inf, nan

import numpy as np
import pytest
from rich.console import Console

from tinygrad_seq import Parameter, Tensor, checkpoint, manual_seed, nn, optim
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, NonFiniteError
from tinygrad_seq.models import RNN, ManyToMany, train
from tinygrad_seq.models.training import Batches, Validation
from tinygrad_seq.optim import lr_scheduler


def draw(rng):
    tokens = rng.integers(0, 4, (5, 3))
    return tokens[:-1], tokens[1:]


def trained(seed=0, **options):
    manual_seed(7)
    model = ManyToMany(RNN(4, 8), 4)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return model, train(model, draw, optimizer, **{"updates": 20, "seed": seed} | options)


class Slope:
    """A loss with a gradient of the length that the batch says."""

    def __init__(self):
        self.w = Parameter([0.0])

    def parameters(self):
        return [self.w]

    def loss(self, length):
        return (self.w * length).sum()


def test_the_same_seed_gives_the_same_bits():
    """Parameters and history are equal to the last bit; another seed draws other batches."""
    (first, history), (second, again), (other, _) = trained(), trained(), trained(seed=1)

    assert history == again
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name])
    assert not np.array_equal(first.W_y.data, other.W_y.data)


def test_the_history_has_an_entry_for_each_update():
    """The loss before the update, and the norm of the gradient before it was clipped."""
    manual_seed(7)
    model = ManyToMany(RNN(4, 8), 4)
    first = model.loss(*draw(np.random.default_rng(0))).item()
    _, history = trained()

    assert history.updates == len(history.loss) == len(history.gradient_norm) == 20
    assert history.loss[0] == first
    assert min(history.gradient_norm) > 0


def test_clipping_bounds_the_update():
    """The gradient that the optimiser gets is never longer than `clip`."""
    model = Slope()
    history = train(model, lambda rng: (100.0,), optim.SGD([model.w], lr=1.0), updates=3, clip=0.5)

    assert history.gradient_norm == [100.0] * 3
    assert model.w.item() == pytest.approx(-1.5, rel=1e-6)


def test_it_stops_when_asked():
    """`until` is asked after each update."""
    answers = iter([False, False, True])

    assert trained(until=lambda: next(answers))[1].updates == 3


def test_it_is_asked_after_the_last_update_too():
    """Who counts by it misses none."""
    asked = []
    trained(until=lambda: asked.append(1), updates=4)

    assert len(asked) == 4


def test_an_optimiser_of_another_model_is_refused():
    """It would move parameters that nobody looks at, and no checkpoint would hold."""
    other = Slope()
    with pytest.raises(DataError, match="train: 1 parameters of the optimiser are not of this Slope"):
        train(Slope(), lambda rng: (1.0,), optim.SGD([other.w]), updates=1)


@pytest.mark.parametrize("bad", [nan, inf])
def test_a_loss_that_is_not_finite_changes_nothing(tmp_path, bad):
    """The error says which update it was, what the batch was, and what to try; the checkpoint stays."""
    model, lengths, path = Slope(), iter([1.0, 1.0, bad]), tmp_path / "a"
    optimizer = optim.SGD([model.w], lr=1.0)

    said = rf"the loss of update 3 is .*{bad} \(-1 in the update before\), of a batch of float.*Try a smaller learning"
    with pytest.raises(NonFiniteError, match=said):
        train(model, lambda rng: (next(lengths),), optimizer, updates=5, checkpoint=path)
    assert model.w.item() == -2.0
    assert checkpoint.load(path)["update"] == 0


def test_a_gradient_that_is_not_finite_changes_nothing():
    """The error names the parameter and the update; the updates before it stay."""
    w = Parameter([4.0], name="w")

    class Root:
        def parameters(self):
            return [w]

        def loss(self, x):
            return (w * x).relu().sqrt().sum()

    xs = iter([1.0, 0.0])
    with pytest.raises(NonFiniteError, match="the gradient of w") as caught, np.errstate(all="ignore"):
        train(Root(), lambda rng: (np.full((2, 3), next(xs)),), optim.SGD([w], lr=1.0), updates=5)
    assert caught.value.__notes__ == ["in update 2 of the training, of a batch of float64 (2, 3)"]
    assert np.isfinite(w.data).all()


def test_updates_that_are_not_finite_can_be_left_out():
    """If the optimiser says so: the history shows them, the parameters do not."""
    model, lengths = Slope(), iter([1.0, nan, 1.0])
    optimizer = optim.SGD([model.w], lr=1.0, error_if_nonfinite=False)
    with pytest.warns(UserWarning, match="Such steps are left out"):
        history = train(model, lambda rng: (next(lengths),), optimizer, updates=3)

    assert (model.w.item(), optimizer.skipped) == (-2.0, 1)
    assert str(history.loss) == "[0.0, nan, -1.0]"


@pytest.mark.parametrize("updates", [0, -1, 2.5, None])
def test_the_number_of_updates_is_positive(updates):
    """No update is no training."""
    with pytest.raises(DataError, match="updates must be a positive integer"):
        trained(updates=updates)


def test_off_a_terminal_it_is_quiet():
    """A bar that nobody can see is not written into a file."""
    file = io.StringIO()
    trained(console=Console(file=file))

    assert file.getvalue() == ""


def test_on_a_terminal_a_bar_shows_loss_and_gradient():
    """With the number of updates done, and of all."""
    file = io.StringIO()
    trained(console=Console(file=file, force_terminal=True, width=100), title="some letters")

    assert "some letters" in file.getvalue()
    assert "20/20" in file.getvalue()
    assert "loss" in file.getvalue()
    assert "gradient" in file.getvalue()


def test_any_model_with_a_loss_can_be_trained():
    """The loop knows nothing of sequences."""
    w = Tensor([3.0], requires_grad=True)

    class Square:
        def parameters(self):
            return [w]

        def loss(self):
            return (w * w).sum()

    train(Square(), lambda rng: (), optim.SGD([w], lr=0.1), updates=50)

    assert abs(w.item()) < 1e-3


# ---- data with an end -------------------------------------------------------------------


def examples(n=6):
    return np.random.default_rng(0).normal(size=(n, 3))


class Line(nn.Module):
    """y = w·x, for y = Σx, with dropout."""

    def __init__(self, p=0.0):
        super().__init__()
        manual_seed(1)
        self.linear, self.drop = nn.Linear(3, 1), nn.Dropout(p)
        self.seen = []

    def loss(self, x):
        self.seen.append(self.training)
        return F.mse_loss(self.drop(self.linear(x)), x.sum(axis=1, keepdims=True))


def fitted(model=None, **options):
    model = model or Line()
    optimizer = options.pop("optimizer", None) or optim.SGD(model.parameters(), lr=0.1)
    source = options.pop("source", None) or Batches(examples(), batch_size=4)
    return model, train(model, source, optimizer, **options)


def test_epochs_go_through_all_the_data():
    """So many times; a method of the batches does as well; and each run begins with a new epoch."""
    batches = Batches(examples(), batch_size=4)
    history, again = [fitted(source=x, epochs=3)[1] for x in (batches, batches.draw)]

    assert history.updates == 6
    assert batches.epoch == 3
    assert again == history
    fitted(source=batches, updates=1)
    assert fitted(source=batches, epochs=3)[1] == history


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "or epochs in its place; neither given"),
        ({"updates": 1, "epochs": 1}, "both given"),
        ({"epochs": 0}, "epochs must be a positive integer, got 0"),
        ({"epochs": 1, "source": lambda rng: (examples(),)}, "epochs are of Batches"),
        ({"updates": 1, "source": [1, 2]}, r"from a function or from something with draw\(rng\), got \[1, 2\]"),
    ],
)
def test_how_long_to_train_must_be_clear(options, message):
    """Updates or epochs, of data that has them."""
    with pytest.raises(DataError, match=message):
        fitted(**options)


# ---- validation ---------------------------------------------------------------------------


def scores(*values):
    """A measure that gives these accuracies, one after the other, then zeros."""
    left = iter(values)
    return lambda: {"loss": 1.0, "accuracy": next(left, 0.0)}


@pytest.mark.parametrize(
    ("every", "source", "updates", "expected"),
    [
        (3, None, 7, [3, 6, 7]),
        (None, None, 5, [2, 4, 5]),  # two batches an epoch
        (None, lambda rng: (examples(),), 101, [100, 101]),
    ],
)
def test_when_it_validates(every, source, updates, expected):
    """Every so many updates, else once an epoch, else every 100; and after the last."""
    _, history = fitted(validation=Validation(scores(), every=every), source=source, updates=updates)

    assert history.series("accuracy") == (expected, [0.0] * len(expected))


def test_validation_is_in_eval_mode_and_leaves_no_record():
    """Training is in training mode; then every module is in its own mode again."""
    model = Line(p=0.5).eval()
    model.drop.train()
    losses = []

    def measure():
        losses.append(model.loss(examples()))
        return {"loss": losses[-1].item()}

    fitted(model, validation=Validation(measure, every=2), updates=4)

    assert model.seen == [True, True, False, True, True, False]
    assert (model.training, model.drop.training) == (False, True)
    assert not losses[0].requires_grad


def test_modes_are_restored_after_an_error():
    """However the run ends."""
    model = Line().eval()

    def measure():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fitted(model, validation=Validation(measure, every=1), updates=4)
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize(
    ("patience", "values", "updates"),
    [
        (1, [0.5, 0.6, 0.6], 3),
        (2, [0.5, 0.4, 0.5, 0.9], 3),
        (2, [0.5, 0.4, 0.6, 0.1, 0.2, 0.9], 5),
        (2, [nan, nan], 2),
        (2, [nan, 0.1, nan, 0.2, 0.1, 0.1], 6),
        (None, [0.5], 10),
    ],
)
def test_patience_counts_validations_that_were_not_better(patience, values, updates):
    """Than the best before them; equal is not better, and NaN never is."""
    validation = Validation(scores(*values), every=1, metric="accuracy", patience=patience)

    assert fitted(validation=validation, updates=10)[1].updates == updates


def test_the_best_parameters_are_kept_on_request():
    """Those of the first best validation; without it the last stay."""
    kept = []
    for keep_best in (True, False):
        model, values = Line(), iter([3.0, 1.0, 1.0, 2.0])
        seen = []

        def measure(model=model, values=values, seen=seen):
            seen.append(model.state_dict())
            return {"loss": next(values)}

        fitted(model, validation=Validation(measure, every=1, keep_best=keep_best), updates=4)
        kept.append([all((model.state_dict()[k] == x).all() for k, x in state.items()) for state in seen])

    assert kept == [[False, True, False, False], [False, False, False, True]]


def test_a_metric_that_is_not_measured_is_refused():
    """And one of which nobody knows what is better."""
    with pytest.raises(DataError, match="goes by 'perplexity', but measures loss, accuracy"):
        fitted(validation=Validation(scores(), metric="perplexity"), updates=2)
    with pytest.raises(DataError, match="\"min\" or \"max\" of 'kindness' is better, got None; it is known of loss"):
        Validation(scores(), metric="kindness")
    with pytest.raises(DataError, match="patience must be a positive integer or None, got 0"):
        Validation(scores(), patience=0)
    assert Validation(scores(), metric="kindness", better="max").better == "max"


# ---- schedules and clipping at each step ------------------------------------------------------


def test_the_schedule_is_stepped_after_each_update():
    """The history has the rate that the update was made with."""
    model = Line()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    _, history = fitted(model, optimizer=optimizer, scheduler=schedule, updates=3)

    assert history.learning_rate == [1.0, 0.5, 0.25]


def test_a_plateau_is_found_by_the_metric_of_the_validation():
    """It is stepped after each validation, and needs one."""
    model = Line()
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=0)
    validation = Validation(scores(0.5, 0.6, 0.6, 0.6), every=2, metric="accuracy")
    _, history = fitted(model, optimizer=optimizer, scheduler=schedule, validation=validation, updates=8)

    assert history.learning_rate == [1.0] * 6 + [0.5] * 2
    with pytest.raises(DataError, match="ReduceLROnPlateau goes by a metric: give validation"):
        fitted(model, optimizer=optimizer, scheduler=schedule, updates=8)


class Recurrent(Line):
    """A layer with what recurrent layers have."""

    def __init__(self):
        super().__init__()
        self.linear.step_clip = None
        self.limits = []

    def loss(self, x):
        self.limits.append(self.linear.step_clip)
        return super().loss(x)


def test_clipping_at_each_step_is_set_for_the_run():
    """On every layer that has it, and as before afterwards."""
    model, _ = fitted(Recurrent(), clip_steps=2, updates=2)

    assert model.limits == [2.0, 2.0]
    assert model.linear.step_clip is None
    with pytest.raises(DataError, match="Line has no recurrent layer: leave it out, or give clip="):
        fitted(clip_steps=1.0, updates=1)
    with pytest.raises(DataError, match="clip_steps must be a number above 0, got 0"):
        fitted(Recurrent(), clip_steps=0, updates=1)


def test_clipping_at_each_step_reaches_recurrent_layers():
    """A tight limit leaves less gradient of early steps; one that is never met changes no bit."""
    free, tight, loose = [trained(updates=1, clip_steps=limit)[1] for limit in (None, 1e-3, 1e9)]

    assert tight.loss == free.loss
    assert tight.gradient_norm[0] < free.gradient_norm[0]
    assert loose == free


# ---- what it says --------------------------------------------------------------------------


def said(terminal=False, **options):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=60)
    fitted(console=console, **options)
    return console.file.getvalue()


def test_off_a_terminal_there_is_a_line_for_each_epoch():
    """With the mean loss since the last line, the gradient's norm, the rate, and the time that is left."""
    lines = said(epochs=3, title="lines").splitlines()
    _, history = fitted(epochs=3)

    assert len(lines) == 3
    for n, line in enumerate(lines, start=1):
        loss, norm = [np.mean(xs[2 * n - 2 : 2 * n]) for xs in (history.loss, history.gradient_norm)]
        assert line.startswith(
            f"lines  epoch {n}/3  update {2 * n}/6  loss {loss:.3f}  ‖gradient‖ {norm:.2g}  lr 0.1"
        )
        assert ("left" in line) == (n < 3)


def test_off_a_terminal_there_is_a_line_for_each_validation():
    """With its metrics; and none for what is neither."""
    lines = said(validation=Validation(scores(0.25), every=2), source=lambda rng: (examples(),), updates=5).splitlines()

    assert [line.split("  ")[1] for line in lines] == ["update 2/5", "update 4/5", "update 5/5"]
    assert "  validation: loss 1, accuracy 0.25  " in lines[0]


def test_on_a_terminal_validations_stand_above_the_bar():
    """The bar shows the last update in the end."""
    text = said(terminal=True, validation=Validation(scores(0.25), every=2), updates=5)

    assert "accuracy 0.25" in text
    assert "5/5" in text


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_bar_fits_a_narrow_terminal(width):
    """The count, the loss and the gradient are whole, also beside a long title."""
    file = io.StringIO()
    fitted(console=Console(file=file, force_terminal=True, width=width), updates=5, title="dates, GRU, additive")

    assert "5/5" in file.getvalue()
    assert re.search(r"loss \d+\.\d{3}  ‖gradient‖ \d", file.getvalue())


@pytest.mark.parametrize(("resumed_at", "first"), [(0, "update 1/4"), (2, "update 3/4")])
def test_a_resumed_run_goes_on_counting(tmp_path, resumed_at, first):
    """Lines and bar begin where the run was."""
    options = {"checkpoint": tmp_path / "a", "source": Batches(examples(), batch_size=6)}
    if resumed_at:
        fitted(updates=resumed_at, **options)
    lines = said(updates=4, resume=bool(resumed_at), **options).splitlines()

    assert first in lines[0]
    assert len(lines) == 4 - resumed_at


def test_dropout_is_the_same_for_the_same_seed():
    """`manual_seed` is what starts it; another seed of the run draws other batches."""
    histories = [fitted(Line(p=0.5), updates=5, seed=seed)[1] for seed in (0, 0, 1)]

    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


def test_a_source_with_a_place_of_its_own_is_asked_for_it(tmp_path):
    """Whatever has `state_dict` and `load_state_dict`."""

    class Counting:
        def __init__(self):
            self.at = 0

        def draw(self, rng):
            self.at += 1
            return (np.full((1, 3), float(self.at)),)

        def state_dict(self):
            return {"at": self.at}

        def load_state_dict(self, state):
            self.at = state["at"]

    expected = fitted(source=Counting(), updates=6)[1]
    fitted(source=Counting(), updates=3, checkpoint=tmp_path / "a")

    assert fitted(source=Counting(), updates=6, checkpoint=tmp_path / "a", resume=True)[1] == expected
