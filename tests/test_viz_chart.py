"""A chart: the picture, its numbers as columns, as CSV and in a terminal; and fonts for what stands in it."""

import copy
import csv
import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from rich.console import Console

from tinygrad_seq import Graph
from tinygrad_seq.models import LSTM, ManyToMany
from tinygrad_seq.trace import Trace
from tinygrad_seq.viz import (
    Chart,
    MissingFontWarning,
    SaveError,
    UnknownFormatError,
    plot_attention,
    plot_attention_heads,
    plot_attention_over_training,
    plot_gates,
    plot_gradient_flow,
    plot_histograms,
    plot_history,
    plot_parts,
    save_chart,
)
from tinygrad_seq.viz.charts import fonts
from viz_records import lstm, rnn

MAP = np.array([[0.9, 0.1], [0.0, 1.0]])
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=6) | st.sampled_from(["한글", "a,b", 'a"b', "a\n"])
NUMBERS = st.floats() | st.sampled_from([0.0, -0.0, 1e-320, np.inf, np.nan])


class History:
    loss = (2.0, 1.0, np.nan)
    validation = ({"update": 2, "loss": 1.5},)


def weight_of(loss, name):
    return next(node for node in Graph(loss) if node.name == name)


def charts():
    loss, trained = lstm(), ManyToMany(LSTM(3, 4), 3)
    trained.loss([0, 1], [1, 2]).backward()
    return {
        "gradient flow": lambda: plot_gradient_flow({"LSTM": loss, "RNN": rnn()}, tokens="HELL"),
        "parts": lambda: plot_parts(loss, weight_of(loss, "W"), tokens=["한", ",", "\n", "$x$"]),
        "gates": lambda: plot_gates(loss, tokens="HELL"),
        "attention": lambda: plot_attention(MAP, "한글", "xy"),
        "heads": lambda: plot_attention_heads([MAP] * 3, "ab", "xy"),
        "over training": lambda: plot_attention_over_training({0: MAP, 10: MAP}, "ab", "xy"),
        "histograms": lambda: plot_histograms(trained),
        "history": lambda: plot_history({"a": History(), "b": History()}),
    }


CHARTS = charts()
figure = Figure()


def columns(**data):
    return Chart(figure.subplots(), data)


# ---- every chart ----------------------------------------------------------------------


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_says_its_numbers(name):
    """As columns of one axis and of one length, which are as many as the chart's rows, and are written as CSV."""
    chart = CHARTS[name]()

    assert isinstance(chart, Chart)
    assert {len(values) for values in chart.data.values()} == {len(chart)}
    assert {values.ndim for values in chart.data.values()} == {1}
    assert next(csv.reader(io.StringIO(chart.to_csv(), newline=""))) == list(chart.data)
    assert len(chart) > 1


def test_the_numbers_are_those_that_are_drawn():
    """Heights of lines and bars, colours of cells, counts of histograms."""
    flow, parts, gates, attention = (CHARTS[name]() for name in ("gradient flow", "parts", "gates", "attention"))
    lines = {line.get_label(): line.get_ydata() for line in flow.lines}
    of = {label: flow.data["norm"][flow.data["label"] == label] for label in ("LSTM", "RNN")}
    cells = np.concatenate([np.asarray(ax.images[0].get_array()).ravel() for ax in gates.axes])

    assert {label: lines[label].tolist() for label in of} == {label: norms.tolist() for label, norms in of.items()}
    assert [bar.get_height() for bar in parts.patches] == parts.data["norm"].tolist()
    assert cells.tolist() == gates.data["value"].tolist()
    assert np.asarray(attention.images[0].get_array()).ravel().tolist() == attention.data["weight"].tolist()
    assert parts.data["token"].tolist() == ["한", ",", "\n", "$x$"]
    assert attention.data["read"].tolist() == ["한", "글"] * 2


def test_each_row_says_where_its_number_stands():
    """Of gates the unit and the step, of a map the row and the column."""
    loss = lstm()
    gates, heads = plot_gates(loss).data, CHARTS["heads"]().data
    at = (gates["gate"] == "f") & (gates["unit"] == 2) & (gates["t"] == 3)
    cell = (heads["head"] == "head 2") & (heads["row"] == 2) & (heads["column"] == 1)

    assert gates["value"][at].tolist() == [Trace(loss)["f"][2, 0, 1]]
    assert heads["weight"][cell].tolist() == [MAP[1, 0]]
    assert heads["read"][cell].tolist() == ["a"]


def test_bars_of_a_histogram_count_every_number():
    """Of each parameter the counts add up to its size, and so do those of its gradient."""
    trained = ManyToMany(LSTM(3, 4), 3)
    trained.loss([0, 1], [1, 2]).backward()
    data = plot_histograms(trained).data

    for name, parameter in trained.named_parameters():
        of = data["parameter"] == name
        assert data["count"][of & (data["of"] == "value")].sum() == parameter.size
        assert data["zeros"][of & (data["of"] == "gradient")].sum() == (np.asarray(parameter.grad) == 0).sum()


def test_a_history_has_what_is_broken_too():
    """NaN is a row like any other."""
    data = CHARTS["history"]().data

    assert data["update"].tolist() == [1, 2, 3, 2] * 2
    assert np.array_equal(data["loss"], [2.0, 1.0, np.nan, 1.5] * 2, equal_nan=True)


# ---- the picture ----------------------------------------------------------------------


def test_a_chart_is_its_axes():
    """What it does not have itself its axes have, or else its figure; what none has is no attribute."""
    chart = plot_gradient_flow(rnn())
    chart.set_ylim(1e-9, 1)

    assert chart.get_ylim() == (1e-9, 1)
    assert chart.ax.get_yscale() == chart.get_yscale() == "log"
    assert chart.get_size_inches().tolist() == chart.figure.get_size_inches().tolist()
    with pytest.raises(AttributeError, match="no 'colour'"):
        chart.colour  # noqa: B018
    with pytest.raises(AttributeError):
        Chart.__new__(Chart).lines  # noqa: B018  # as while it is copied


def test_a_chart_in_axes_of_ones_own():
    """The axes that were given, and the whole figure around them when it is saved."""
    own = Figure().subplots(1, 2)
    charts = [plot_gradient_flow(rnn(), ax=own[0]), plot_attention(MAP, "ab", "xy", ax=own[1])]

    assert [chart.ax for chart in charts] == list(own)
    assert [chart.axes for chart in charts] == [[ax] for ax in own]
    assert charts[0].svg == charts[1].svg


def test_the_picture_in_three_forms(tmp_path):
    """svg, png and save are what save_chart writes; a notebook shows the PNG."""
    chart = plot_attention(MAP, "ab", "xy")

    assert chart.svg.encode() == chart.save(tmp_path / "a.svg").read_bytes()
    assert chart.png() == chart._repr_png_() == save_chart(chart, tmp_path / "a.png").read_bytes()
    assert len(chart.png(dpi=20)) < len(chart.png())
    with pytest.raises(UnknownFormatError, match=r"\.svg, \.png, \.pdf"):
        chart.save(tmp_path / "a.gif")


def test_a_chart_is_shown_by_what_it_holds():
    """Title, rows and columns; and it can be copied."""
    chart = plot_gradient_flow(rnn(T=4), title="RNN")

    assert repr(chart) == "Chart('RNN', 4 rows of t, norm)"
    assert copy.copy(chart).data["norm"].tolist() == chart.data["norm"].tolist()


# ---- the numbers ----------------------------------------------------------------------


@given(st.lists(st.tuples(TEXTS, NUMBERS, st.integers(-(2**60), 2**60)), max_size=5))
@settings(max_examples=60)
def test_csv_reads_back_the_same(rows):
    """Whatever stands in it: commas, quotes, line ends of any kind, Hangul, NaN, the last bit of a number."""
    tokens, values, steps = ([row[n] for row in rows] for n in range(3))
    chart = columns(token=tokens, value=np.array(values, float), t=np.array(steps, int))
    head, *read = csv.reader(io.StringIO(chart.to_csv(), newline=""))

    assert head == ["token", "value", "t"]
    assert [row[0] for row in read] == tokens
    assert np.array_equal([float(row[1]) for row in read], values, equal_nan=True)
    assert [int(row[2]) for row in read] == steps


def test_csv_is_a_file_too(tmp_path):
    """In UTF-8, whole or not at all: a folder that is not there is said so, and the old file stays."""
    chart = columns(token=["한,글\n", "\r"], t=[1, 2])
    path = tmp_path / "a.csv"

    assert chart.to_csv(path) == chart.to_csv()
    assert path.read_bytes() == 'token,t\r\n"한,글\n",1\r\n"\r",2\r\n'.encode()
    with pytest.raises(SaveError, match="there is no folder"):
        chart.to_csv(tmp_path / "none" / "a.csv")
    with pytest.raises(UnicodeEncodeError):
        columns(token=["\ud800"]).to_csv(path)
    assert path.read_bytes().startswith(b"token")


def printed(chart, **options):
    console = Console(file=io.StringIO(), width=80)
    chart.print(console, **options)
    return console.file.getvalue()


def test_a_table_in_the_terminal_is_short():
    """The first and the last rows, a line for those between and how many they are; every row where they are few."""
    text = printed(columns(t=range(1000), norm=np.linspace(0, 1, 1000)), rows=6)

    steps = [line.split()[1] for line in text.splitlines() if line.startswith("│")]
    assert steps == ["0", "1", "2", "…", "997", "998", "999"]
    assert "994 more of 1,000 rows" in text
    assert "more of" not in printed(columns(t=range(24)))
    with pytest.raises(ValueError, match="at least 2"):
        printed(columns(t=[1, 2, 3]), rows=1)


def test_a_table_shows_tokens_as_they_are():
    """Nothing in a token is taken for markup, and what is invisible can be seen."""
    text = printed(columns(**{"[bold]": ["[red]x[/red]", "\n", "한글", ""], "norm": [0.123456789, 1e-30, np.nan, 0.0]}))

    assert "[red]x[/red]" in text
    assert "[bold]" in text
    assert all(sign in text for sign in ("⏎", "한글", "∅", "0.1235", "1e-30", "nan"))


def test_columns_are_of_one_length():
    """And of one axis: else it is no table."""
    with pytest.raises(ValueError, match=r"equally long, got .'t': 2, 'norm': 3."):
        columns(t=[1, 2], norm=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="one axis"):
        columns(t=np.ones((2, 2)))


# ---- fonts ----------------------------------------------------------------------------


@pytest.fixture
def without_fonts(monkeypatch):
    """A machine with Matplotlib's own font alone."""
    own = [font for font in fonts.fontManager.ttflist if font.name == fonts.OWN]
    monkeypatch.setattr(fonts.fontManager, "ttflist", own)
    fonts.warn_of_script.cache_clear()
    yield
    fonts.warn_of_script.cache_clear()


def test_without_a_font_it_is_said_once(without_fonts):
    """One warning for a script, which says what to install, in place of Matplotlib's for every letter."""
    with pytest.warns(MissingFontWarning, match="HANGUL.*apt install fonts-noto-cjk.*list of fonts in") as told:
        [plot_attention(MAP, tokens, "xy", title="제목").png() for tokens in (["가나다", "라마"], ["한", "글"])]

    assert len(told) == 1
    with pytest.warns(MissingFontWarning, match="CJK"):
        plot_attention(MAP, ["漢", "字"], "xy").png()


def test_with_a_font_nothing_is_said():
    """Hangul is drawn with what this machine has, and without any warning."""
    if len(fonts.families()) == 1:
        pytest.skip("this machine has no font with Hangul")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_attention(MAP, ["가나다", "라마"], "xy", title="한글").png()


def test_other_warnings_are_passed_on():
    """Only what Matplotlib says of letters is kept back."""
    with pytest.warns(UserWarning, match="something else"), fonts.told_once():
        warnings.warn("something else", stacklevel=1)
