"""Charts of a training: what was measured is what is drawn."""

from types import SimpleNamespace

import numpy as np
import pytest

from tinygrad_seq import optim
from tinygrad_seq.models import RNN, ManyToMany
from tinygrad_seq.models.tasks import hello
from tinygrad_seq.models.training import Validation, train
from tinygrad_seq.viz import plot_history


def history(loss=(3.0, 2.0, 1.0), validation=(), **series):
    return SimpleNamespace(loss=list(loss), validation=list(validation), **series)


def drawn(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_loss_and_validation_are_drawn_over_the_updates():
    """The history of a real training, as it is."""
    task = hello()
    model = ManyToMany(RNN(4, 8), 4)
    validation = Validation(lambda: {"loss": model.loss(task.tokens, task.targets).item()}, every=4)
    done = train(model, task, optim.Adam(model.parameters()), updates=8, validation=validation)
    ax = plot_history(done, title="HELLO")

    assert drawn(ax) == {
        "training": (list(range(1, 9)), done.loss),
        "validation": ([4, 8], [row["loss"] for row in done.validation]),
    }
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title("left")) == ("update", "loss", "HELLO")


def test_of_many_updates_the_line_is_smooth():
    """It goes through the means of stretches; every single one is there behind it."""
    values = np.random.default_rng(0).normal(size=1_000) + 5
    pale, line = plot_history(history(values)).lines

    assert list(pale.get_ydata()) == list(values)
    assert pale.get_alpha() < 0.5
    assert line.get_ydata() == pytest.approx(values.reshape(40, 25).mean(axis=1))
    assert line.get_xdata()[0] == 13


def test_several_histories_share_a_chart():
    """A mapping gives each its colour and label; one kind of line needs no second word."""
    rows = [{"update": 2, "loss": 1.5, "accuracy": 0.5}]
    ax = plot_history({"RNN": history(validation=rows), "LSTM": history()})

    assert list(drawn(ax)) == ["RNN, training", "RNN, validation", "LSTM"]
    assert list(drawn(plot_history({"RNN": history(validation=rows)}, "accuracy"))) == ["RNN"]


@pytest.mark.parametrize(
    ("metric", "scale", "label"),
    [("gradient_norm", "log", "‖gradient‖"), ("loss", "linear", "loss"), ("exact_match", "linear", "exact match")],
)
def test_an_axis_is_logarithmic_where_values_differ_by_orders(metric, scale, label):
    """From a ratio of 100 on; and it says in words what it shows."""
    ax = plot_history(history(gradient_norm=[1e-3, 1.0], validation=[{"update": 1, "exact_match": 1.0}]), metric)

    assert ax.get_yscale() == scale
    assert ax.get_ylabel() == label


def test_what_is_not_finite_is_shown():
    """A cross at the upper edge, where the update was; the rest is drawn."""
    ax = plot_history(history([1.0, np.nan, np.inf, 0.5]))
    lines = drawn(ax)

    assert lines["NaN or Inf"] == ([2, 3], [1, 1])
    assert lines["training"][1][::3] == [1.0, 0.5]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "loss", [[0.0], [np.nan] * 3, [1e-300, 1e300], [0.0] * 500, [np.inf] * 500, [-1.7e308, 1.7e308]]
)
def test_extreme_histories_are_drawn(loss, tmp_path):
    """One update, none finite, the whole range of doubles: a chart all the same, without a warning."""
    plot_history(history(loss)).figure.savefig(tmp_path / "a.png")

    assert (tmp_path / "a.png").stat().st_size > 1000


def test_what_is_not_there_is_said():
    """The error names what the history has."""
    rows = [{"update": 1, "accuracy": 0.5}]
    with pytest.raises(ValueError, match="no 'perplexity': it has loss, accuracy"):
        plot_history(history(validation=rows), "perplexity")
    with pytest.raises(ValueError, match="it has no update at all"):
        plot_history(history(()))
    with pytest.raises(ValueError, match="at least one history"):
        plot_history({})
    with pytest.raises(TypeError, match="got a list"):
        plot_history([1.0, 2.0])
