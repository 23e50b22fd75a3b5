"""The text drawing, read line by line: widths, rows and formulas, how large things are, and the golden ones."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tinygrad_seq import Parameter, Tensor, Value, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU
from tinygrad_seq.rng import manual_seed
from tinygrad_seq.viz.text.canvas import ASCII, UNICODE, Canvas, cut, width_of
from tinygrad_seq.viz.text.draw import draw_text
from viz_records import MODELS, bidirectional, lstm, rnn, seq2seq
from viz_text_lines import frames, grid, inside, scene, step_of, text

GOLDEN = Path(__file__).parent / "golden"
LETTERS = "aβΩ한국어漢字ñC\u0303é🙂שלוم \t\n\x00\u202e<&|│·"  # of one column, of two, of none; right to left; controls
WORDS = st.text(st.sampled_from(LETTERS), max_size=30) | st.integers()
SETTINGS = settings(max_examples=25, deadline=None)


@st.composite
def records(draw):
    """The loss of a model nobody wrote: layers of states, either way in time, without names, skipping steps."""
    T, rng = draw(st.integers(1, 6)), np.random.default_rng(0)
    below = [Tensor(x, name=draw(st.sampled_from(["x", "입력", ""])) or None) for x in rng.normal(size=(T, 1, 2))]
    for layer in range(draw(st.integers(1, 3))):
        W, U = (Parameter(rng.normal(0, 0.5, (2, 2)), name=name) for name in ("W", "U"))
        name = draw(st.sampled_from(["h", "h_f", "상태", "a name that is far too long", "C̃", None]))
        reverse, lag = draw(st.booleans()), draw(st.integers(1, 2))
        h, made = Tensor(np.zeros((1, 2)), name=name), []
        states = [h, h]
        with scope(draw(st.sampled_from(["", "cell", f"layer {layer}"]))):
            for _, x in steps(below, reverse=reverse):
                h = F.tanh(x @ W + states[-lag] @ U)
                h = h.named(name) if name else h
                states.append(h)
                made.append(h)
        below = made[::-1] if reverse else made
    if draw(st.booleans()):
        return sum([h.sum() for h in below], start=Tensor(0.0)).named("loss")
    return (below[-1] * below[-1]).sum().named("loss")


RNN = scene(rnn(T=8))


# ---- what the lines promise ----------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("level", ["ops", "modules", "steps"])
def test_no_line_is_wider_than_asked_for(model, level):
    """At every width, with steps passed over or going on below, in Unicode and in ASCII."""
    drawn = scene(MODELS[model](T=6), level)

    for width, ascii, elide in ((48, False, False), (48, True, True), (77, True, False), (100, False, True)):
        lines = draw_text(drawn, "a title", width=width, ascii=ascii, elide=elide).split("\n")
        assert max(map(cell_len, lines)) <= width
        assert [line for line in lines if line != line.rstrip()] == []


@SETTINGS
@given(records(), st.integers(48, 120), st.booleans(), st.sampled_from(["ops", "modules", "steps"]))
def test_any_record_can_be_drawn(loss, width, elide, level):
    """Whatever a model does: lines are not too wide, and every step that is shown has a whole frame."""
    drawn = scene(loss, level)
    lines = draw_text(drawn, width=width, elide=elide).split("\n")
    found = frames(lines)

    assert max(map(cell_len, lines)) <= width
    shown = [step_of(lines, frame) for frame in found]
    assert shown == sorted(shown)
    assert shown == drawn.timeline.steps or elide
    assert all(inside(lines, frame) for frame in found)


@SETTINGS
@given(st.lists(WORDS, min_size=8, max_size=8), st.lists(WORDS, min_size=8, max_size=8), st.booleans())
def test_tokens_keep_the_columns_straight(tokens, predictions, ascii):
    """Letters of any width, controls and long words leave every frame straight, and every line in its place."""
    lines = draw_text(RNN, ascii=ascii, tokens=tokens, predictions=predictions).split("\n")

    assert max(map(cell_len, lines)) <= 100
    assert not [c for line in lines for c in line if unicodedata.category(c) == "Cc" or c == "\u202e"]
    if ascii:
        assert "\n".join(lines).isascii()
    else:
        shown = [step_of(lines, frame) for frame in frames(lines)]
        assert len(shown) > 1
        assert all(len(inside(lines, frame)) == 7 for frame in frames(lines))


def test_words_stand_at_their_step():
    """A token is in the middle under its frame, a prediction over it; None writes nothing."""
    lines = text(rnn(), tokens=["안", None, "abc", ""], predictions=list("WXYZ")).split("\n")
    found = frames(lines)

    for word, (_, bottom, left, right) in zip(["안", "abc", "∅"], [found[0], found[2], found[3]], strict=True):
        middle = grid(lines[bottom + 1]).index(word[0]) + cell_len(word) / 2
        assert abs(middle - (left + right + 1) / 2) <= 0.5
    for word, (_, _, left, right) in zip("WXYZ", found, strict=True):
        assert left < lines[0].index(word) < right
    assert lines[found[0][1] + 1].split() == ["tokens", "안", "abc", "∅"]


def test_words_right_to_left_do_not_turn_time_round():
    """Between two Hebrew tokens stands a mark, so that a terminal that writes them from the right keeps their order."""
    (line,) = [line for line in text(rnn(T=2), tokens=["שלום", "עולם"]).split("\n") if "שלום" in line]

    assert re.search("שלום\u200e +עולם\u200e$", line)


def test_names_are_made_safe():
    """Control characters of names, scopes and titles are signs that one can see, and break no line."""
    W, h = Parameter(np.eye(2), name="W\n\t"), Tensor(np.ones((1, 2)), name="\x00h\u202e")
    with scope("a\nb"):
        for _, x in steps(np.ones((2, 1, 2))):
            h = F.tanh(Tensor(x, name="\u0303") + h @ W).named("\x00h\u202e")
    drawn = text(h.sum().named("lo\nss"), title="two\nlines")

    assert not [c for c in drawn.replace("\n", "") if unicodedata.category(c) == "Cc" or c == "\u202e"]
    assert len(drawn.split("\n")) == len(text(rnn(T=2, each=False), title="t").split("\n")) - 2
    for said in ("two⏎lines", "␀h\ufffd", "W⏎⇥", "lo⏎ss", "◌\u0303"):
        assert said in drawn
    assert text(h.sum().named("lo\nss"), title="two\nlines", ascii=True).replace("\n", "").isprintable()


@pytest.mark.parametrize("model", MODELS)
def test_every_named_node_of_a_step_is_in_its_frame(model):
    """Once each, with its step below its name, and how large its gradient is behind it."""
    drawn = scene(MODELS[model](T=3))
    timeline, lines = drawn.timeline, text(MODELS[model](T=3), width=160).split("\n")
    found = frames(lines)
    assert len(found) == len(timeline.steps)

    for c, frame in enumerate(found):
        below = "₀₁₂₃"[timeline.steps[c]]
        for stem in {timeline.stems[i] for i in timeline.members[c]} - {""}:
            cells = [line for line in inside(lines, frame) if line.startswith(f" {stem}{below} ")]
            assert len(cells) == 1
            assert re.search("[▁▂▃▄▅▆▇█0·] $", cells[0])


def test_inputs_are_below_and_losses_above():
    """Rows lie in the order of computation."""
    lines = text(lstm()).split("\n")
    cells = " ".join(line.split()[0] for line in inside(lines, frames(lines)[2]) if line.strip())

    assert cells == "L₃ ↑ ŷ₃ ↑ h₃ ↑ C₃ ↑ f₃ i₃ o₃ C̃₃ ↑ β₃ ↑ x₃"


def test_only_what_is_given_lies_at_the_bottom():
    """What is made of the old state alone lies over the inputs, and takes nothing from them."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for _, x in steps(np.ones((3, 1, 2))):
        u = (h @ W).named("u")
        h = F.tanh(Tensor(x, name="x") + u).named("h")
    lines = text(h.sum()).split("\n")

    rows = inside(lines, frames(lines)[1])
    assert [row.split()[0] if row.strip() else "" for row in rows] == ["h₂", "↑", "u₂", "", "x₂"]


def test_states_are_arrows_at_their_row():
    """Every state goes from frame to frame in its own row, from its first value on, and nothing else does."""
    lines = text(lstm()).split("\n")

    for name, first in (("h", ""), ("C", "C₀ · ──▶│")):
        (line,) = [line for line in lines if f" {name}₂ " in line]
        along = " ├──▶│ ".join(f"{name}{n}" for n in "₁₂₃₄")
        assert re.sub(" [▁▂▃▄▅▆▇█] ", " ", line).endswith(f"│ {along} │")
        assert first in line
    assert sum("▶" in line for line in lines) == 3  # h, C, and the loss


def test_time_runs_backward_where_it_does():
    """The state of the backward direction has arrows to the left, and begins on the right."""
    lines = text(bidirectional(T=3)).split("\n")

    (line,) = [line for line in lines if " b₂ " in line]
    assert re.search("│ b₁ . │◀──┤ b₂ . │◀──┤ b₃ . │◀── b₄ ·$", line)
    assert "bₜ = tanh(xₜ W_b + bₜ₊₁ U_b)" in line


def test_rows_have_their_formulas():
    """With the time of everything they take, beside the drawing; what is given has its shape."""
    lines = text(lstm()).split("\n")

    told = ["hₜ = oₜ·tanh(Cₜ)", "Cₜ = fₜ·Cₜ₋₁ + iₜ·C̃ₜ", "βₜ = [hₜ₋₁, xₜ] W + b", "fₜ = σ(βₜ)", "xₜ   1×3"]
    for said in [*told, "loss = L₁ + … + L₄"]:
        (line,) = [line for line in lines if said in line]
        assert "│" in line or "▶" in line
    assert "at t = 1: βₜ = αₜ W + b" in lines


def test_numbers_that_differ_are_left_out():
    """Where each step multiplies by another number, the formula is still one."""
    w, u, h = Value(0.5), Value(0.9), Value(0.0)
    w, u, h = w.named("w"), u.named("u"), h.named("h")
    for _, x in steps([1.0, -2.0, 3.0]):
        h = (h * u + w * x).tanh().named("h")
    drawn = text((h * h).named("loss"))

    assert "hₜ = tanh(hₜ₋₁·u + w·…)" in drawn
    assert "differs" not in drawn


def test_long_names_are_cut_and_keep_their_time():
    """In cells, at the head of rows and in formulas."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for _, x in steps(np.ones((2, 1, 2))):
        h = F.tanh(h @ W + x).named("the state of a cell with a name of its own")
    drawn = text(h.sum())

    assert "│ the state of a…₂ " in drawn
    assert "the state of a…ₜ = tanh(the state o…ₜ₋₁ W + αₜ)" in drawn


def test_formulas_without_room_stand_below():
    """A line beside the drawing says that there is one, or all of them stand below."""
    beside, below = (text(lstm(T=T), width=width, elide=False).split("\n") for T, width in ((4, 76), (6, 76)))

    assert [line for line in beside if line.startswith("  Lₜ = …")]
    assert "  Lₜ = cross entropy(ŷₜ)" in beside
    assert not [line for line in below if "= …" in line]
    assert "  Cₜ = fₜ·Cₜ₋₁ + iₜ·C̃ₜ" in below


def test_every_row_has_a_formula_somewhere():
    """At any width the formula of each row is there whole, once."""
    for width in range(48, 130, 3):
        drawn = text(rnn(), width=width)
        for said in ("Lₜ = cross entropy(ŷₜ)", "ŷₜ = hₜ W_y", "hₜ = tanh(xₜ W_x + hₜ₋₁ W_h + b)", "xₜ   1×3"):
            assert drawn.count(said) == 1


def test_the_same_record_gives_the_same_text():
    """Twice the same model, twice the same lines."""
    assert text(seq2seq()) == text(seq2seq())


def test_a_width_too_small_is_refused():
    """Under 48 columns not even one step has room."""
    with pytest.raises(ValueError, match="at least 48 columns, got 47"):
        text(rnn(), width=47)


# ---- how large things are ------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:invalid value")  # NaN - NaN
def test_levels_say_how_large_gradients_are():
    """Exactly zero is 0, what is not finite is written out, what has no gradient is a point, and the legend says so."""
    W, h, losses = Parameter(np.ones((1, 1)), name="W"), Tensor([[1.0]], name="h"), []
    for _, scale in steps([1.0, 0.0, np.nan, np.inf]):
        h = F.tanh(h @ W).named("h")
        losses.append((h.sum().named("s") * scale).named("L"))
    lines = text(sum(losses).named("loss")).split("\n")
    found = frames(lines)

    (row,) = [n for n, line in enumerate(lines) if " s₁ " in line]
    signs = [inside(lines, frame)[row - frame[0] - 1].split()[1] for frame in found]
    assert [signs[0] in UNICODE.levels, *signs[1:]] == [True, "0", "NaN", "Inf"]
    (legend,) = [line for line in lines if line.startswith("‖∂L/∂node‖")]
    assert "0 exactly zero   NaN, Inf not finite   · none" in legend


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_larger_has_no_lower_level(one, other):
    """The levels grow with what they say, in Unicode and in ASCII."""
    small, large = sorted((one, other))
    for signs in (UNICODE, ASCII):
        assert signs.levels.index(signs.level(small)) <= signs.levels.index(signs.level(large))


def test_any_measure_can_be_shown_or_none():
    """Values instead of gradients, and no levels and no legend at all."""
    values, none = text(rnn(), colour="value"), text(rnn(), colour=None)

    assert "‖value‖" in values
    assert not set(UNICODE.levels) & set(none)
    assert "│ h₁  ├──▶│ h₂  ├" in none
    assert none.split("\n")[-1] == "weights  W_x 3×5   W_h 5×5   b 5   W_y 5×3"


def test_weights_are_named_with_shape_and_gradient():
    """Every shared weight, with its layer where two have one name."""
    assert re.search(r"weights     W_x 3×5 . \S+   W_h 5×5 . \S+   b 5 . \S+   W_y 5×3 . \S+$", text(rnn()))
    manual_seed(0)
    outputs, _ = GRU(2, 3, bidirectional=True)(Tensor(np.ones((2, 1, 2)), name="x"))
    drawn = text(outputs.sum().named("loss"))
    assert "l0/b_n 3" in drawn
    assert "l0_reverse/b_n 3" in drawn


# ---- letters and lines ---------------------------------------------------------------


@given(st.text(st.sampled_from(LETTERS)), st.integers(1, 20))
def test_a_cut_text_fits(words, room):
    """What fits stays as it is; what does not ends in an ellipsis and takes no more than its room."""
    said = cut(words, room)

    assert width_of(said) <= room
    assert said == words if width_of(words) <= room else said.endswith("…")


@given(st.text(st.sampled_from("aβ한漢ñ C\u0303é")))
def test_letters_are_as_wide_as_others_say(words):
    """Widths agree with those that rich has from Unicode's tables."""
    assert width_of(words) == cell_len(words)
    assert width_of(unicodedata.normalize("NFD", words)) == width_of(words)


def test_lines_join_where_they_meet():
    """A frame, a line into it, and one that crosses another."""
    canvas = Canvas(UNICODE)
    canvas.frame(0, 0, 4, 2)
    canvas.across(4, 8, 1)
    canvas.down(6, 0, 2)
    canvas.write(1, 1, "한")

    assert canvas.rows() == ["╭───╮ │", "│한 ├─┼──", "╰───╯ │"]


# ---- what was looked at --------------------------------------------------------------


def gru_both_ways():
    manual_seed(0)
    outputs, _ = GRU(3, 2, bidirectional=True)(Tensor(np.eye(3)[[0, 1, 2]][:, None], name="x"))
    return outputs.sum().named("loss")


PICTURES = {
    "rnn": lambda: text(rnn(), title="An RNN reads HELL", tokens="HELL", predictions="ELLO"),
    "rnn_ascii": lambda: text(rnn(), ascii=True, tokens="HELL", predictions="ELLO"),
    "lstm": lambda: text(lstm(), tokens=["안", "녕", "하", "세"]),
    "lstm_50": lambda: text(lstm(T=50)),
    "gru_both_ways": lambda: text(gru_both_ways()),
    "seq2seq": lambda: text(seq2seq(), tokens=[*"2026", *"26년도"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_text_is_the_golden_one(name):
    """What was looked at and kept.  To renew it: delete the file, run the test, and look at the text."""
    path = GOLDEN / f"text_{name}.txt"
    drawn = PICTURES[name]() + "\n"
    if not path.exists():
        path.write_text(drawn, "utf-8")

    assert path.read_text("utf-8") == drawn
