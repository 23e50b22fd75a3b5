"""Charts of gradient over time."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from tinygrad_seq import Graph, Tensor, gradflow
from tinygrad_seq.viz import plot_gradient_flow, plot_parts
from viz_records import lstm, rnn


class Series:
    def __init__(self, norms):
        self.t = np.arange(1, len(norms) + 1)
        self.norms = np.array(norms, float)

    def __array__(self, dtype=None, copy=None):
        return self.norms


def test_the_chart_shows_the_norms():
    """Each point is ‖∂L/∂h_t‖ as gradflow reads it, on a logarithmic axis."""
    loss = rnn(T=6)
    ax = plot_gradient_flow(loss)
    (line,) = ax.lines
    expected = gradflow.per_step(loss, "h")

    assert line.get_ydata() == pytest.approx(expected.norms)
    assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert ax.get_yscale() == "log"


def test_several_series_share_an_axis():
    """A mapping draws each record as a line, with its label in the legend."""
    ax = plot_gradient_flow({"RNN": rnn(), "LSTM": gradflow.per_step(lstm(), "h")})

    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["RNN", "LSTM"]


def test_zeros_are_shown_and_not_dropped():
    """An exact zero stands at the lower edge, NaN at the upper, and the legend says what they are."""
    ax = plot_gradient_flow(Series([0.0, 1e-5, np.nan, 1.0]))
    floor, ceiling = ax.get_ylim()
    marks = {line.get_label(): line for line in ax.lines}

    assert list(marks["exactly 0"].get_xdata()) == [1]
    assert list(marks["exactly 0"].get_ydata()) == [floor]
    assert list(marks["NaN or Inf"].get_xdata()) == [3]
    assert list(marks["NaN or Inf"].get_ydata()) == [ceiling]
    assert floor < 1e-5
    assert ax.get_legend() is not None


@pytest.mark.parametrize("norms", [[0.0, 0.0], [np.inf], [1e-310, 1e300], [5.0]])
def test_extreme_series_are_drawn(norms, tmp_path):
    """All zero, all infinite, or over the whole range of doubles: a chart all the same, without a warning."""
    plot_gradient_flow(Series(norms)).figure.savefig(tmp_path / "a.png")

    assert (tmp_path / "a.png").stat().st_size > 1000


def test_parts_are_one_bar_for_each_step():
    """The bars are the lengths of what each step adds to the weight's gradient."""
    loss = rnn()
    (W_x,) = Graph(loss).named("W_x")
    ax = plot_parts(loss, W_x, tokens="HELL")

    assert [bar.get_height() for bar in ax.patches] == pytest.approx(gradflow.parts(loss, W_x).norms)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["H\n1", "E\n2", "L\n3", "L\n4"]


def test_tokens_are_text():
    """Dollars are not mathematics, spaces and control characters are visible, Hangul needs no setting."""
    ax = plot_gradient_flow(Series([1.0, 2.0, 3.0]), tokens=["$x$", " ", "\t"])

    assert [label.get_text() for label in ax.get_xticklabels()] == ["$x$\n1", "␣\n2", "⇥\n3"]
    assert not any(label.get_parse_math() for label in ax.get_xticklabels())


def test_nothing_global_is_touched():
    """No figure of pyplot and no setting: a chart leaves matplotlib as it was."""
    before = dict(mpl.rcParams)
    given = Figure().subplots()

    assert plot_gradient_flow(Series([1.0, 2.0]), ax=given).ax is given
    assert isinstance(plot_parts(Series([1.0, 2.0])).figure, Figure)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("wrong", [Series([]), np.ones(3), {}, 3])
def test_what_is_no_series_is_refused(wrong):
    """An empty series, and an array without its time steps."""
    with pytest.raises((TypeError, ValueError), match=r"chart needs|at least one"):
        plot_gradient_flow(wrong)


def test_tokens_must_be_as_many_as_steps():
    """One token a step."""
    with pytest.raises(ValueError, match="4 steps, got 3"):
        plot_gradient_flow(rnn(), tokens="HEL")


def test_a_loss_needs_its_weight():
    """The parts of what gradient? The error shows the call."""
    with pytest.raises(TypeError, match=r"plot_parts\(loss, "):
        plot_parts(Tensor([1.0], requires_grad=True).sum())


def test_the_parts_are_labelled_by_their_weight():
    """The axis names the weight, typeset with its subscript; a name that is no letter is written as it is."""
    named = Series([1.0, 2.0])
    named.name = "W_x"
    assert plot_parts(named).get_ylabel() == "‖part of ∂L/∂$W_x$‖"

    named.name = "weight_ih_l0"
    assert plot_parts(named).get_ylabel() == "‖part of ∂L/∂weight_ih_l0‖"


def test_control_characters_under_the_axis_are_spelt_out():
    """A token that no font can draw is written as in Python, and Matplotlib has no glyph to miss."""
    ax = plot_parts(Series([1.0, 2.0, 3.0]), tokens=["\x00", "\x1b", "a"])
    ax.figure.canvas.draw()  # a missing glyph would warn, and a warning is an error here

    assert [label.get_text().split("\n")[0] for label in ax.get_xticklabels()] == ["\\x00", "\\x1b", "a"]
