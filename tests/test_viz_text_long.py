"""The text drawing of many steps: which are passed over, and how the others go on below."""

import re
import time

import pytest

from tinygrad_seq import Tensor, steps
from tinygrad_seq.viz.text.canvas import UNICODE
from tinygrad_seq.viz.text.draw import draw_text
from viz_records import MODELS, bidirectional, rnn
from viz_text_lines import frames, scene, step_of, text

BOTH_WAYS = scene(bidirectional(T=12))


def test_steps_passed_over_are_counted_and_keep_their_levels():
    """Steps shown and steps passed over are all of them; a strip has the levels of those passed over."""
    lines = text(rnn(T=50)).split("\n")
    (gap,) = re.findall(r"(\d+) steps", "\n".join(lines))

    assert int(gap) + len(frames(lines)) == 50
    (row,) = [line for line in lines if " h₁ " in line]
    assert re.search("├──▶[▁▂▃▄▅▆▇█]{8}──▶│", row)
    assert re.search(r"t=\d+…\d+", lines[frames(lines)[0][1]])


def test_levels_of_steps_passed_over_are_in_the_order_of_time():
    """Where gradients grow backward in time the strip falls, down to the level of the step after it."""
    h, two = Tensor([1.0], name="h", requires_grad=True), Tensor([2.0], name="two")
    for _ in steps(range(60)):
        h = (h * two).named("h")
    (row,) = [line for line in text(h.sum(), width=120).split("\n") if " h₁ " in line]
    (signs,) = re.findall("──▶([▁▂▃▄▅▆▇█]{8})──▶│ h[₀-₉]+ ([▁▂▃▄▅▆▇█])", row)
    strip, after = [UNICODE.levels.index(sign) for sign in signs[0]], UNICODE.levels.index(signs[1])

    assert strip == sorted(strip, reverse=True)
    assert strip[0] > strip[-1]
    assert strip[-1] - after <= 1


@pytest.mark.parametrize("width", range(60, 140, 4))
def test_steps_are_passed_over_before_the_drawing_goes_on_below(width):
    """Where steps may be passed over, all that are shown stand side by side, and what is made of them too."""
    lines = draw_text(BOTH_WAYS, width=width).split("\n")

    (top,) = {frame[0] for frame in frames(lines)}
    assert "▶ loss" in lines[top - 1]


def test_without_elision_the_drawing_goes_on_below():
    """Every step once, in the order of time, in as many blocks as it takes; states leave a block and enter the next."""
    lines = text(rnn(T=30), show="all", elide=False).split("\n")

    assert [step_of(lines, frame) for frame in frames(lines)] == list(range(1, 31))
    tops = [frame[0] for frame in frames(lines)]
    assert len(set(tops)) > 2
    rows = [line for line in lines if re.search("│ h[₀-₉]+ ", line)]
    assert all(line.endswith("──▶") for line in rows[:-1])
    assert all(line.strip().startswith("──▶│") for line in rows[1:])
    assert sum("▶ loss" in line for line in lines) == 1


def test_steps_asked_for_are_shown():
    """Between them the others are counted."""
    lines = text(rnn(T=50), show=[1, 25, -1], width=120).split("\n")

    assert [step_of(lines, frame) for frame in frames(lines)] == [1, 25, 50]
    assert re.findall(r"\d+ steps", "\n".join(lines)) == ["23 steps", "24 steps"]


@pytest.mark.parametrize("model", MODELS)
def test_one_step_in_the_middle_can_be_shown(model):
    """One step alone, between others that are counted."""
    lines = text(MODELS[model](T=4), show=[2]).split("\n")

    assert len(frames(lines)) == sum("2 steps" in line for line in lines)
    assert {step_of(lines, frame) for frame in frames(lines)} == {2}


def test_a_thousand_steps_are_quick():
    """A text of the ends takes no longer than reading the record; all steps take the same time each."""
    drawn = scene(rnn(T=1000))

    start = time.process_time()
    assert "T=" not in draw_text(drawn)
    assert time.process_time() - start < 3
