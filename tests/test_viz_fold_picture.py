"""The picture of a folded record: bodies, the rings of their states, and what is said of single steps."""

from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import LSTM
from tinygrad_seq.viz import draw_unrolled, fold
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel, Text
from tinygrad_seq.viz.reading.levels import LEVELS
from viz_records import MODELS, changed, lstm, rnn

GOLDEN = Path(__file__).parent / "golden"


def picture(loss, **how):
    return draw_unrolled(loss, folded=True, **how).picture


def parts(drawn, kind, name=None):
    found = [part for part in drawn.walk() if isinstance(part, kind)]
    return [part for part in found if part.kind == name] if name else found


def text_of(label):
    return "".join(run.text for run in label)


def outline(box):
    return box.x - box.width / 2, box.x + box.width / 2, box.y - box.height / 2, box.y + box.height / 2


def along(curve, each=12):
    """Points along a Bézier curve."""
    points = np.array(curve.points)
    found = []
    for k in range(0, len(points) - 1, 3):
        a, b, c, d = points[k : k + 4]
        for s in np.linspace(0, 1, each):
            found.append((1 - s) ** 3 * a + 3 * (1 - s) ** 2 * s * b + 3 * (1 - s) * s**2 * c + s**3 * d)
    return found


@pytest.fixture(params=[*((m, "ops") for m in MODELS), ("lstm", "modules"), ("seq2seq", "steps")], ids="-".join)
def drawn(request):
    model, level = request.param
    return picture(MODELS[model](6), level=level)


def test_boxes_do_not_overlap(drawn):
    """No two boxes touch, all lie inside the picture, and the nodes of a body inside its frame."""
    boxes = parts(drawn, Box)

    for one, other in combinations(map(outline, boxes), 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
    for left, right, top, bottom in map(outline, boxes):
        assert 0 <= left < right <= drawn.width
        assert 0 <= top < bottom <= drawn.height


def test_rings_meet_no_box(drawn):
    """The way of a state around a body passes through no node, and stays inside the picture."""
    boxes = [box for box in parts(drawn, Box) if box.kind != "delay"]
    rings = parts(drawn, Curve, "ring")

    assert rings
    for x, y in (point for ring in rings for point in along(ring)):
        assert 0 <= x <= drawn.width
        assert 0 <= y <= drawn.height
        assert not any(left < x < right and top < y < bottom for left, right, top, bottom in map(outline, boxes))


def test_rings_do_not_cross():
    """The ways of several states lie inside of each other."""
    loss = LSTM(3, 4, num_layers=2)(np.ones((5, 1, 3)))[0].sum()
    drawn = picture(loss)
    rings = [np.array(along(ring, 200)) for ring in parts(drawn, Curve, "ring")]

    assert len(rings) == 8
    for one, other in combinations(rings, 2):
        assert np.min(np.linalg.norm(one[:, None] - other[None], axis=-1)) > 8


def test_every_state_has_a_ring():
    """Of an LSTM two states go around, C over the top and h below, both from right to left, one step later."""
    drawn = picture(lstm(6))
    frame = parts(drawn, Panel, "frame")[0]
    delays = {box.id: box for box in parts(drawn, Box, "delay")}

    assert set(delays) == {"t.h.delay", "t.C.delay"}
    assert [text_of(box.segments[0].label) for box in delays.values()] == ["t − 1", "t − 1"]
    assert delays["t.C.delay"].y < frame.y
    assert delays["t.h.delay"].y > frame.y + frame.height
    assert sorted(text_of(text.label) for text in parts(drawn, Text, "state")) == ["C", "h"]


def test_a_state_may_run_the_other_way():
    """Of a bidirectional network one ring goes to the left and the other to the right."""
    drawn = picture(MODELS["bidirectional"](5))
    into = {ring.ends[1]: ring.points[-1][0] - ring.points[-2][0] for ring in parts(drawn, Curve, "ring") if ring.arrow}

    assert into["t.f.delay"] < 0 < into["t.b.delay"]
    assert {"t − 1", "t + 1"} == {text_of(box.segments[0].label) for box in parts(drawn, Box, "delay")}


def test_time_is_a_letter():
    """The nodes of the body have t for a subscript, the first state its number, and the frame says how many steps."""
    drawn = picture(rnn(T=50))
    said = {box.id: text_of(box.segments[0].label) for box in parts(drawn, Box)}

    assert said["t.x"] == "xt"
    assert said["t.h"] == "ht"
    assert said["h"] == "h0"
    assert "× 50" in [text_of(text.label) for text in parts(drawn, Text, "times")]
    assert "Σ over t" in [text_of(box.caption) for box in parts(drawn, Box) if box.id == "loss"]


@pytest.mark.parametrize("T", [6, 200])
def test_strips_show_all_steps(T):
    """Under a node are the colours of all its steps from the first to the last, and it has that of its largest."""
    loss = rnn(T=T, each=False)  # a loss at the end: what is far back has less
    drawn = picture(loss)
    box = next(box for box in parts(drawn, Box) if box.id == "t.h")
    cells = [cell for cell in parts(drawn, Panel, "cell") if abs(cell.x - box.x) < box.width / 2 and cell.y > box.y]
    under = [cell for cell in cells if cell.y < box.y + box.height / 2 + 12]
    shades = [float(cell.fill.split()[1]) for cell in sorted(under, key=lambda cell: cell.x)]

    assert len(shades) == min(T, int(box.width - 6) // 2)
    assert box.fill == f"ramp {max(shades):.3f}"
    assert shades == sorted(shades)


def test_no_colour_no_strip():
    """Without colours there are no strips, and no colour bar."""
    drawn = picture(rnn(), colour=None)

    assert not parts(drawn, Panel, "cell")
    assert not parts(drawn, Panel, "bar")


def test_what_is_not_finite_is_hatched():
    """One step with a NaN makes the node hatched, and its own cell."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for t, x in steps(np.ones((6, 1, 2))):
        h = (F.tanh(h @ W + x) * (np.nan if t == 4 else 1.0)).named("h")
    drawn = picture(h.sum())

    assert any(box.hatched for box in parts(drawn, Box))
    assert any(cell.hatched for cell in parts(drawn, Panel, "cell"))


def test_differing_steps_are_noted():
    """What the fold says of single steps stands below the picture."""
    notes = [text_of(text.label) for text in parts(picture(changed("weight")), Text, "note")]

    assert "t = 4" in notes
    assert "uses V where the others use U" in notes


def test_what_one_step_has_alone_is_dotted():
    """A loss at the last step alone is drawn in the body, dotted, and says when."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for t, x in steps(np.ones((5, 1, 2))):
        h = F.tanh(h @ W + x).named("h")
        if t == 5:
            loss = F.cross_entropy(h, [1]).named("L")
    box = next(box for box in parts(picture(loss), Box) if box.id == "t.L")

    assert box.dotted
    assert text_of(box.caption) == "only t = 5"


def test_two_bodies_stand_side_by_side():
    """An encoder stands left of its decoder, and its last state goes over, dashed."""
    drawn = picture(MODELS["seq2seq"](5))
    one, other = parts(drawn, Panel, "frame")
    over = [curve for curve in parts(drawn, Curve, "start") if curve.ends[0] == "encoder.t.h"]

    assert one.x + one.width < other.x
    assert [curve.dashed for curve in over] == [True]
    assert over[0].points[0][0] >= one.x + one.width
    assert over[0].points[-1][0] <= other.x
    for x, y in along(over[0], 60):
        assert not any(
            left < x < right and top < y < bottom for left, right, top, bottom in map(outline, parts(drawn, Box))
        )


def test_first_values_stand_one_below_the_other():
    """Where a cell is one box, the first h and the first C lead to the same place, and don't overlap."""
    drawn = picture(LSTM(3, 4)(np.ones((5, 1, 3)))[0].sum(), level="steps")
    one, other = (box for box in parts(drawn, Box) if box.id in ("h", "C"))

    assert abs(one.y - other.y) >= one.height
    assert len(parts(drawn, Curve, "start")) == 2


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_any_name_can_be_drawn(name, other):
    """Hangul, control characters, quotes and very long names make a picture that a reader of XML reads."""
    W, h = Parameter(np.eye(2), name=other), Tensor(np.ones((1, 2)), name=name)
    for _, x in steps(np.ones((3, 1, 2))):
        with scope(other):
            h = F.tanh(h @ W + Tensor(x, name=other)).named(name)
    loss = h.sum().named(other)
    root = ElementTree.fromstring(draw_unrolled(loss, folded=True, title=name).svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]

    assert len(ids) == len(set(ids))
    assert repr(fold(loss)).isprintable() or "\n" in repr(fold(loss))


@pytest.mark.parametrize("model", MODELS)
def test_the_same_record_gives_the_same_bytes(model):
    """The picture of a second record made alike is equal to the last byte, light and dark."""
    for dark in (False, True):
        one, other = (draw_unrolled(MODELS[model](), folded=True, dark=dark) for _ in range(2))

        assert one.svg == other.svg
        assert one.source == other.source


@pytest.mark.parametrize("level", LEVELS)
def test_few_steps_are_drawn_at_every_level(level):
    """Records of one step and of two make a picture, whatever the level of detail."""
    for model in ("lstm", "attention", "bidirectional", "seq2seq"):
        for T in (1, 2):
            assert parts(picture(MODELS[model](T), level=level), Panel, "frame")


def test_many_steps_make_no_larger_picture():
    """The picture of 300 steps has as many boxes as that of 30, and no strip has more cells than can be seen."""
    few, many = picture(rnn(T=30)), picture(rnn(T=300))

    assert len(parts(few, Box)) == len(parts(many, Box))
    assert len(parts(many, Panel, "cell")) <= 48 * len(parts(many, Box))


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_the_picture_is_the_golden_one(model):
    """What a folded picture says, part by part, is what was looked at and kept; places are for the other tests.

    To renew it: delete the file, run the test, and look at the picture.
    """
    lines = []
    for part in picture(MODELS[model](5), title=model).walk():
        match part:
            case Group():
                lines.append(f"{part.kind} {part.id}")
            case Box():
                words = " | ".join(text_of(segment.label) for segment in part.segments)
                lines.append(f"  {part.id}: {words}" + (f" ({text_of(part.caption)})" if part.caption else ""))
            case Curve() if part.kind != "bridge":
                lines.append(f"  {part.kind} {' → '.join(end or '·' for end in part.ends)}")
            case Text():
                lines.append(f"  {part.kind} {text_of(part.label)}")
    text = "\n".join(lines) + "\n"
    path = GOLDEN / f"folded_{model}.txt"
    if not path.exists():
        path.write_text(text, "utf-8")

    assert path.read_text("utf-8") == text
