"""Levels of detail, and stretches of time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, manual_seed, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany, Seq2Seq
from tinygrad_seq.viz import draw_unrolled
from tinygrad_seq.viz.pictures.labels import spoken
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group
from tinygrad_seq.viz.reading.columns import HIDDEN, STEP, read_columns
from tinygrad_seq.viz.reading.levels import LEVELS, apply_level
from viz_records import MODELS, seq2seq


def boxes(drawing, column):
    """The boxes of a column: {name: box}."""
    group = next(part for part in drawing.picture.walk() if isinstance(part, Group) and part.id == column)
    return {part.id.removeprefix(column + "."): part for part in group.parts if isinstance(part, Box)}


def package_model(cell, **options):
    manual_seed(0)
    return ManyToMany(cell(3, 4, **options), 3).loss(np.eye(3)[[0, 1, 2, 0]][:, None], [[1], [2], [0], [1]])


# ---- levels --------------------------------------------------------------------------


def test_modules_are_what_has_a_name():
    """An LSTM in modules is its equations: one box for each letter, with its formula."""
    drawing = draw_unrolled(package_model(LSTM), level="modules")
    found = {name: spoken(box.caption) for name, box in boxes(drawing, "t3").items()}

    assert found["rnn.C"] == "f·C + i·C̃"
    assert found["rnn.h"] == "o·tanh(C)"
    assert found.keys() == {"rnn.x", "rnn.affine", "rnn.i", "rnn.f", "rnn.C̃", "rnn.o", "rnn.C", "rnn.h", "ŷ", "L"}


def test_the_formula_of_an_rnn_is_the_lectures():
    """h = tanh(x W_x + b + h W_h), with its weights as badges."""
    box = boxes(draw_unrolled(package_model(RNN), level="modules"), "t3")["rnn.h"]

    assert spoken(box.caption) == "tanh(x W_x + b + h W_h)"
    assert [spoken(segment.label) for segment in box.segments] == ["h_3", "W_x", "b", "W_h"]


@pytest.mark.parametrize("cell", [RNN, LSTM, GRU])
def test_a_step_is_a_cell(cell):
    """One box for the cell, whatever it computes; inputs, predictions and losses stay."""
    found = boxes(draw_unrolled(package_model(cell), level="steps"), "t3")

    assert found.keys() == {"rnn.x", "rnn.h", "ŷ", "L"}
    assert spoken(found["rnn.h"].caption) == "rnn 1×4"


def test_layers_and_directions_are_cells_of_their_own():
    """Two layers in two directions are four boxes in each step."""
    found = boxes(draw_unrolled(package_model(GRU, num_layers=2, bidirectional=True), level="steps"), "t2")

    assert {name for name in found if name.endswith(".h")} == {
        "rnn.l0.h", "rnn.l0_reverse.h", "rnn.l1.h", "rnn.l1_reverse.h",
    }  # fmt: skip


def test_scopes_open_and_close():
    """Attention, closed in modules, shows all its ops where it is opened; a cell can be closed in ops."""
    manual_seed(0)
    model = Seq2Seq(GRU(4, 6), GRU(4, 6), source_tokens=9, target_tokens=7, attention="additive")
    loss = model.loss([[5], [7], [2]], [3], [[4], [2]])
    shut, opened = (draw_unrolled(loss, level="modules", opened=names) for names in ((), "attention"))
    closed = draw_unrolled(loss, level="ops", closed=["decoder"])

    assert sum("attention" in name for name in boxes(shut, "decoder.t2")) == 1
    assert sum("attention" in name for name in boxes(opened, "decoder.t2")) > 4
    assert sum(name.startswith("decoder.") for name in boxes(closed, "decoder.t2")) == 1
    assert sum(name.startswith("encoder.") for name in boxes(closed, "encoder.t2")) > 8


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("model", MODELS)
def test_every_level_of_every_model(model, level):
    """Boxes do not overlap, stay in their columns, and no node of the record is lost or drawn twice."""
    loss = MODELS[model]()
    drawing = draw_unrolled(loss, level=level)
    for group in (part for part in drawing.picture.walk() if isinstance(part, Group) and part.kind == "column"):
        x, y, width, height = group.frame
        inside = [part for part in group.parts if isinstance(part, Box)]
        for n, box in enumerate(inside):
            assert x <= box.x - box.width / 2
            assert box.x + box.width / 2 <= x + width
            assert y <= box.y - box.height / 2
            assert box.y + box.height / 2 <= y + height
            for other in inside[:n]:
                apart = abs(box.x - other.x) >= (box.width + other.width) / 2 - 1e-6
                assert apart or abs(box.y - other.y) >= (box.height + other.height) / 2 - 1e-6


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_contraction_keeps_the_way_of_every_edge(data):
    """In a random cell: whoever took from a node takes, at any level, from what stands for it; and no circle arises."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h", requires_grad=True)
    names, places = st.sampled_from("abc") | st.none(), st.sampled_from(["", "gate", "gate/inner"])
    op = st.tuples(st.integers(0, 9), st.integers(0, 9), names, places)
    plan = data.draw(st.lists(op, min_size=2, max_size=8))
    for _, x in steps(np.ones((3, 1, 2))):
        made = [h @ W, Tensor(x, name="x")]
        for one, other, name, where in plan:
            with scope(where) if where else scope("cell"):
                node = made[one % len(made)] * made[other % len(made)]
            made.append(node.named(name) if name else node)
        h = F.tanh(made[-1] + h).named("h")
    loss = h.sum()
    for level in LEVELS:
        timeline = read_columns(loss)
        apply_level(timeline, level)
        shown = {i for i, role in enumerate(timeline.role) if role == STEP}
        for i in shown:
            for x in timeline.inputs[i]:
                assert timeline.role[x] != HIDDEN or timeline.column[x] is None
                if timeline.column[x] == timeline.column[i] and x in shown:
                    assert x < i or level != "ops"
        assert acyclic(timeline, shown)
        for i, xs in enumerate(timeline.taken):
            home = timeline.home.get(i, i)
            for x in xs:
                source = timeline.home.get(timeline.same[x], timeline.same[x])
                if home in shown and source in shown and source != home:
                    assert source in timeline.inputs[home]


def acyclic(timeline, shown):
    """Whether what is drawn of each step has an order."""
    column = timeline.column
    waiting = {i: {x for x in timeline.inputs[i] if x in shown and column[x] == column[i]} for i in shown}
    while waiting:
        free = [i for i, xs in waiting.items() if not xs & waiting.keys()]
        if not free:
            return False
        for i in free:
            del waiting[i]
    return True


# ---- stretches -----------------------------------------------------------------------


def test_an_encoder_comes_before_its_decoder():
    """Two stretches, each with its own first step, named after their scopes; the state passes at one height."""
    drawing = draw_unrolled(seq2seq(3))
    groups = [part for part in drawing.picture.walk() if isinstance(part, Group) and part.kind == "column"]
    frames = {part.id: part.frame for part in groups}

    assert list(frames) == ["encoder.t1", "encoder.t2", "encoder.t3", "decoder.t1", "decoder.t2", "decoder.t3"]
    lefts = [x for x, *_ in frames.values()]
    assert lefts == sorted(lefts)


@pytest.mark.parametrize(("S", "T"), [(1, 1), (1, 3), (3, 1), (2, 2), (2, 5)])
def test_stretches_of_every_length(S, T):
    """Short ones too; a source of one token and a target of one cannot be told from one step, and may share it."""
    manual_seed(0)
    model = Seq2Seq(LSTM(4, 6), LSTM(4, 6), source_tokens=9, target_tokens=7)
    source = [[5]] * (S - 1) + [[2]]
    timeline = read_columns(model.loss(source, [S], [[4]] * (T - 1) + [[2]]))

    if (S, T) != (1, 1):
        assert timeline.stretch == [0] * S + [1] * T
        assert timeline.steps == [*range(1, S + 1), *range(1, T + 1)]


def test_layers_and_directions_share_their_columns():
    """What hands something on at the same step belongs side by side, also where it runs backwards."""
    timeline = read_columns(package_model(GRU, num_layers=2, bidirectional=True))

    assert timeline.steps == [1, 2, 3, 4]


def test_a_state_made_in_the_first_step_belongs_to_it():
    """What only one step computes, from nothing in time, is no loop of its own."""
    z, V, W = (Parameter(np.eye(3)[:1] if name == "z" else np.eye(3), name=name) for name in "zVW")
    h = None
    for t, x in steps(np.ones((4, 1, 3))):
        before = F.tanh(z @ V) if t == 1 else h
        h = F.tanh(before @ W + x).named("h")

    assert read_columns(h.sum()).steps == [1, 2, 3, 4]


def test_a_loop_that_goes_on_counting_is_the_same_stretch():
    """Another loop, with lines of its own, from the step after the last of the first."""
    W, h = Parameter(np.eye(3), name="W"), Tensor(np.zeros((1, 3)), name="h")
    for _, x in steps(np.ones((3, 1, 3))):
        h = F.tanh(h @ W + x).named("h")
    for _, x in steps(np.ones((2, 1, 3)), start=4):
        h = F.relu(x - h @ W).named("h")
    timeline = read_columns(h.sum())

    assert timeline.steps == [1, 2, 3, 4, 5]
    assert set(timeline.stretch) == {0}


def test_tokens_by_stretch():
    """Tokens of two stretches, one after the other or by name; too few say how many of each."""
    one = draw_unrolled(seq2seq(2), tokens=["가", "나", "a", "b"]).svg
    other = draw_unrolled(seq2seq(2), tokens={"encoder": "가나", "decoder": "ab"}).svg

    assert one == other
    with pytest.raises(ValueError, match="2 of encoder, 2 of decoder"):
        draw_unrolled(seq2seq(2), tokens="abc")
    with pytest.raises(ValueError, match="encoder, decoder"):
        draw_unrolled(seq2seq(2), tokens={"coder": "ab"})
    with pytest.raises(ValueError, match="2 steps of 'decoder'"):
        draw_unrolled(seq2seq(2), tokens={"decoder": "abc"})


# ---- attention -----------------------------------------------------------------------


def test_attention_is_as_wide_as_its_weight():
    """A line from each state of the encoder to each step of the decoder; a larger weight is wider and stronger."""
    drawing = draw_unrolled(seq2seq(3), level="modules")
    lines = [part for part in drawing.picture.walk() if isinstance(part, Curve) and part.kind == "attention"]

    assert {line.ends for line in lines} == {(f"encoder.t{i}.encoder.h", f"decoder.t{t}.decoder.C")
                                             for i in (1, 2, 3) for t in (1, 2, 3)}  # fmt: skip
    by_weight = sorted(lines, key=lambda line: float(line.title.rpartition(" ")[2]))
    assert len({line.width for line in lines}) > 1
    assert [line.width for line in by_weight] == sorted(line.width for line in lines)
    assert [line.opacity for line in by_weight] == sorted(line.opacity for line in lines)
