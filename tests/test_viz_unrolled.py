"""The unrolled picture, looked at part by part."""

import shutil
from collections import defaultdict
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Graph, Parameter, Tensor, Value, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.viz import NoTimeStepsWarning, PictureTooLargeError, draw_graph, draw_unrolled
from tinygrad_seq.viz.pictures.dot import to_dot
from tinygrad_seq.viz.pictures.labels import spoken
from tinygrad_seq.viz.pictures.palette import LIGHT, ZERO
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group, Panel, Text
from viz_records import MODELS, cut, deep_rnn, lstm, rnn

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def parts(drawing, kind, name=None):
    found = [part for part in drawing.picture.walk() if isinstance(part, kind)]
    return [part for part in found if part.kind == name] if name else found


def columns(drawing):
    """The boxes of each time step: {t: {name within the step: box}}."""
    found = {}
    for group in parts(drawing, Group, "column"):
        boxes = [part for part in group.parts if isinstance(part, Box)]
        found[step(group)] = {box.id.removeprefix(group.id + "."): box for box in boxes}
    return found


def step(group):
    """The time step of a column, and where a picture has several stretches, its whole id."""
    return int(group.id[1:]) if group.id.startswith("t") else group.id


def edges_of(box):
    return box.x - box.width / 2, box.x + box.width / 2, box.y - box.height / 2, box.y + box.height / 2


@pytest.fixture(params=MODELS)
def drawing(request):
    return draw_unrolled(MODELS[request.param]())


def test_every_step_is_a_column(drawing):
    """Four steps are four columns, numbered from left to right, that do not overlap."""
    frames = parts(drawing, Panel, "frame")

    ids = [group.id for group in parts(drawing, Group, "column")]
    assert [name.rpartition(".")[2] for name in ids] == ["t1", "t2", "t3", "t4"] * (len(ids) // 4)
    assert len(frames) == len(ids) == len(set(ids))
    assert all(one.x + one.width < other.x for one, other in pairwise(frames))


def test_nodes_stay_in_their_column_and_never_overlap(drawing):
    """Every box lies inside the picture and, in a step, inside its frame; no two boxes touch."""
    boxes = parts(drawing, Box)
    for group in parts(drawing, Group, "column"):
        x, y, width, height = group.frame
        for box in (part for part in group.parts if isinstance(part, Box)):
            left, right, top, bottom = edges_of(box)
            assert x <= left
            assert right <= x + width
            assert y <= top
            assert bottom <= y + height

    for one, other in combinations(map(edges_of, boxes), 2):
        assert one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
    for left, right, top, bottom in map(edges_of, boxes):
        assert 0 <= left <= right <= drawing.picture.width
        assert 0 <= top <= bottom <= drawing.picture.height


def test_steps_are_laid_out_alike(drawing):
    """A node that two steps have stands at the same place of both columns, and is of the same size."""
    frames = {step(group): group.frame for group in parts(drawing, Group, "column")}
    placed = defaultdict(set)
    for t, boxes in columns(drawing).items():
        for name, box in boxes.items():
            where = box.x - frames[t][0], box.y, box.width, box.height
            placed[str(t).partition(".")[0] * isinstance(t, str), name].add(tuple(round(length, 6) for length in where))

    assert placed
    assert {name: places for name, places in placed.items() if len(places) > 1} == {}


def test_states_cross_the_columns_at_one_height(drawing):
    """Between neighbouring columns every lane is a level line."""
    frames = parts(drawing, Panel, "frame")
    for one, other in pairwise(frames):
        between = [
            lane
            for lane in parts(drawing, Curve, "lane")
            if lane.points[0][0] == one.x + one.width and lane.points[-1][0] == other.x
        ]
        assert between
        assert all(len({round(y, 6) for _, y in lane.points}) == 1 for lane in between)


def test_time_runs_to_the_right():
    """No edge within the belt of a state or between columns leads back to the left."""
    drawing = draw_unrolled(lstm())

    assert all(lane.points[0][0] <= lane.points[-1][0] for lane in parts(drawing, Curve, "lane"))


def test_inputs_below_losses_above():
    """In every step the input is the lowest node and the loss the highest."""
    for boxes in columns(draw_unrolled(rnn())).values():
        assert boxes["x"].y == max(box.y for box in boxes.values())
        assert boxes["L"].y == min(box.y for box in boxes.values())
        assert boxes["L"].y < boxes["ŷ"].y < boxes["h"].y < boxes["x"].y


def test_a_weight_is_a_badge_at_each_use():
    """W_x is never a box of its own, and stands at each of the four products that use it."""
    drawing = draw_unrolled(rnn())
    badges = [
        segment.ink
        for box in parts(drawing, Box)
        for segment in box.segments
        if "".join(run.text for run in segment.label) == "Wx"
    ]

    assert len(badges) == 4
    assert len(set(badges)) == 1
    assert not [box for box in parts(drawing, Box) if "W" in box.id]


def test_what_is_made_of_weights_alone_is_a_badge_too():
    """A weight transposed before the loop is drawn as Wᵀ at each use."""
    W, h = Parameter(np.eye(2), name="W"), Tensor([[1.0, 2.0]], name="h")
    turned = W.T
    for _, x in steps(np.ones((3, 1, 2))):
        h = F.tanh(h @ turned + x).named("h")

    assert draw_unrolled(h.sum()).svg.count("ᵀ") >= 3


def test_what_is_made_of_a_weight_in_the_same_way_is_one_badge():
    """Wᵀ made anew at every call of a layer looks the same at all steps, which are laid out alike."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for call in (1, 3, 5):
        double, square, turned = W.T + W.T, W.T * W.T, W.T
        first, second = W[:, :1], W[:, 1:]
        for _, x in steps(np.ones((2, 1, 2)), start=call):
            h = F.tanh(h @ turned + x @ double + x @ square + h @ first - h @ second).named("h")
    drawing = draw_unrolled(h.sum())
    segments = [s for box in parts(drawing, Box) for s in box.segments if s.fill]
    used = {(s.fill, "".join(run.text for run in s.label)) for s in segments}

    assert sorted(text for _, text in used) == ["Wᵀ", "add(Wᵀ, Wᵀ)", "getitem(W)", "getitem(W)", "mul(Wᵀ, Wᵀ)"]
    assert len({tuple(column) for column in columns(drawing).values()}) == 1


def test_rows_picked_from_a_weight_are_no_others():
    """What an array has picked is not taken for what another array has: two badges."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for rows in ([0, 1], [1, 0]):
        picked = W[rows]
        for _, x in steps(np.ones((1, 1, 2)), start=rows[1]):
            h = F.tanh(h @ picked + x).named("h")
    drawing = draw_unrolled(h.sum())

    assert len({s.fill for box in parts(drawing, Box) for s in box.segments if s.fill and "W" in str(s.label)}) == 2


def test_a_cut_edge_is_dashed():
    """The way on from an op called "cut", through which no gradient comes back, is dashed, with scissors on it."""
    W, h, losses = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h"), []
    for t, x in steps(np.ones((4, 1, 2))):
        h = F.tanh(h @ W + x).named("h")
        losses.append(h.sum().named("L"))
        h = cut(h) if t == 2 else h
    drawing = draw_unrolled(sum(losses))
    dashed = [curve for curve in parts(drawing, Curve) if curve.dashed]
    (scissors,) = [text for text in parts(drawing, Text) if text.kind == "cut"]

    assert [curve.ends for curve in dashed] == [("", ""), ("t2.h", "")]
    assert dashed[0].points[0][0] <= scissors.x <= dashed[0].points[-1][0]
    assert drawing.svg.count('stroke-dasharray="3 3"') == 2
    assert to_dot(drawing.picture).count("style=dashed") == 2


def test_losses_after_the_steps_are_one_sum():
    """L_1 + L_2 + … + L_T is drawn as a single node, however long the chain of additions."""
    after = [group for group in parts(draw_unrolled(rnn(T=9)), Group) if group.id == "after"]

    assert [part.id for part in after[0].parts if isinstance(part, Box)] == ["loss"]


def test_a_loss_at_the_end_stands_after_the_last_step():
    """Many-to-one: what follows the last state is on its right, at its height."""
    drawing = draw_unrolled(rnn(each=False))
    boxes = {box.id: box for box in parts(drawing, Box)}

    assert boxes["t4.h"].x < boxes["ŷ"].x < boxes["loss"].x
    assert boxes["t4.h"].y == pytest.approx(boxes["ŷ"].y)


def test_the_first_state_stands_before_the_first_step():
    """h_0 is on the left of column 1, at the height of its lane, with its subscript."""
    drawing = draw_unrolled(rnn())
    boxes = {box.id: box for box in parts(drawing, Box)}

    assert boxes["h"].x < parts(drawing, Panel, "frame")[0].x
    assert boxes["h"].y == pytest.approx(boxes["t1.h"].y)
    assert [run.text for run in boxes["h"].segments[0].label] == ["h", "0"]


def test_a_state_may_run_back_in_time():
    """Of a bidirectional network one state's lanes run to the right and the other's to the left, inputs below both."""
    drawing = draw_unrolled(MODELS["bidirectional"]())
    boxes = columns(drawing)[2]
    ways = {
        lane.ends[0].split(".")[1]: lane.points[-1][0] > lane.points[0][0]
        for lane in parts(drawing, Curve, "lane")
        if all(lane.ends) and lane.ends[0].startswith("t2.")
    }

    assert ways == {"f": True, "b": False}
    assert boxes["x"].y == max(box.y for box in boxes.values())


def test_layers_are_rows():
    """Of two layers the second stands above the first, each straight."""
    boxes = columns(draw_unrolled(deep_rnn()))[3]

    assert boxes["k"].y < boxes["h"].y < boxes["x"].y


def test_drawing_changes_nothing():
    """The record has the same gradients, names and arrays before and after."""
    loss = rnn()
    before = [(node, node.name, node.grad, node.data.tobytes()) for node in Graph(loss).nodes]

    assert draw_unrolled(loss).svg

    assert [(node, node.name, node.grad, node.data.tobytes()) for node in Graph(loss).nodes] == before


@pytest.mark.parametrize("model", MODELS)
def test_the_same_record_gives_the_same_bytes(model):
    """A picture of a second record made alike is equal to the last byte, and so is its DOT."""
    one, other = draw_unrolled(MODELS[model]()), draw_unrolled(MODELS[model]())

    assert one.svg == other.svg
    assert one.source == other.source


@pytest.mark.parametrize("model", MODELS)
def test_without_a_system_graphviz_the_picture_is_the_same_but_for_rounding(model, monkeypatch):
    """The graphviz-pure wheel places the columns as the system's `dot` does: the same parts in the same order."""
    here = [box.id for box in parts(draw_unrolled(MODELS[model]()), Box)]
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert [box.id for box in parts(draw_unrolled(MODELS[model]()), Box)] == here


@settings(max_examples=40)
@given(st.lists(st.text(max_size=60), min_size=2, max_size=2))
def test_any_token_is_safe(tokens):
    """Whatever the tokens are, the SVG is well-formed, and they are text in it, not markup."""
    root = ElementTree.fromstring(draw_unrolled(RECORD, tokens=tokens, predictions=tokens, title=tokens[0]).svg)

    assert len(root.findall(f"{SVG}text[@class='token']")) == 2


@settings(max_examples=25)
@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_any_name_is_safe(name, module):
    """Names of nodes and scopes may hold anything; ids stay unique."""
    h = Tensor([[0.5]], requires_grad=True)
    for _, x in steps(np.ones((2, 1, 1))):
        with scope(module):
            h = (h * x).tanh().named(name)
    root = ElementTree.fromstring(draw_unrolled(h.sum()).svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]

    assert len(ids) == len(set(ids))


RECORD = rnn(T=2)


def test_ids_and_titles_tell():
    """Every node has an id of step, scope and name, a title and where it was made."""
    root = ElementTree.fromstring(draw_unrolled(rnn()).svg)
    nodes = {e.get("id"): e for e in root.iter(f"{SVG}g") if (e.get("class") or "").startswith("node")}

    assert {"t1.x", "t3.h", "t4.L", "loss"} <= set(nodes)
    assert nodes["t3.h"].findtext(f"{SVG}title").startswith("h_3: tanh, 1×5, gradient ")
    assert "viz_records.py" in nodes["t3.h"].findtext(f"{SVG}desc")
    assert all(node.findtext(f"{SVG}title") for node in nodes.values())


def test_names_with_the_number_of_their_step():
    """A state named h_1, h_2, … by hand is the same node at each step, and is not numbered twice."""
    h = Tensor([[0.5]], requires_grad=True)
    for t, x in steps(np.ones((3, 1, 1))):
        h = (h * x).tanh().named(f"h_{t}")
    boxes = columns(draw_unrolled(h.sum()))

    assert [[run.text for run in boxes[t]["h"].segments[0].label] for t in (1, 2, 3)] == [
        ["h", "1"],
        ["h", "2"],
        ["h", "3"],
    ]


def test_gradient_is_colour():
    """A larger gradient is a darker box; exactly zero is grey; NaN is hatched; no gradient is plain."""
    x = Tensor([1.0], name="x", requires_grad=True)
    h = x
    for t, scale in steps([1.0, 0.0, 1e-6, 1.0]):
        h = (h * scale).named("h")
        if t == 4:
            h = (h * np.nan).named("k")
    boxes = columns(draw_unrolled(h.sum()))
    zero = columns(draw_unrolled((h0() * 1.0).sum()))

    assert boxes[4]["h"].hatched
    assert zero[1]["h"].fill == ZERO
    assert brightness(zero[3]["h"].fill) > brightness(zero[4]["h"].fill)


def h0():
    h = Tensor([1.0], requires_grad=True)
    for _, scale in steps([1.0, 0.0, 1.0, 1e-6]):
        h = (h * scale).named("h")
    return h


def brightness(colour):
    colour = LIGHT.hex(colour)
    return sum(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def test_colour_none_asks_for_no_gradient():
    """Without colour any node can be drawn, also one that is no scalar, and there is no colour bar."""
    h = Tensor([1.0, 2.0], requires_grad=True)
    for _, x in steps([1.0, 2.0]):
        h = (h * x).named("h")

    assert not parts(draw_unrolled(h, colour=None), Panel, "bar")


def test_a_long_sequence_passes_over_its_middle():
    """Of 50 steps the first and last four are drawn, and one column says how many are not."""
    drawing = draw_unrolled(rnn(T=50), tokens="ab" * 25)

    assert [group.id for group in parts(drawing, Group) if group.kind in ("column", "gap")] == [
        "t1", "t2", "t3", "t4", "t5-46", "t47", "t48", "t49", "t50",
    ]  # fmt: skip
    assert "42 steps" in drawing.svg
    assert len(parts(drawing, Panel, "cell")) == 42
    assert len(parts(drawing, Text, "token")) == 8


def test_show_chooses_the_steps():
    """A list of steps draws just those, counted from the end where negative."""
    drawing = draw_unrolled(rnn(T=30), show=[1, 2, -1])

    assert [group.id for group in parts(drawing, Group, "column")] == ["t1", "t2", "t30"]
    assert len(parts(draw_unrolled(rnn(T=30), show="all"), Group, "column")) == 30


@pytest.mark.parametrize("show", ["middle", [31], [0], [-31], []])
def test_show_must_name_steps(show):
    """A step that the record has not is refused."""
    with pytest.raises(ValueError, match="show"):
        draw_unrolled(rnn(T=30), show=show)


def test_a_record_outside_time_is_drawn_as_ops():
    """Without time steps there is nothing to unroll: a warning says so and what to do, and draws the ops."""
    loss = Tensor([1.0], requires_grad=True).tanh().sum()
    with pytest.warns(NoTimeStepsWarning, match=r"steps\(xs\).*drawn as a graph of ops"):
        drawing = draw_unrolled(loss, title="외부")

    assert drawing.svg == draw_graph(loss, title="외부").svg


def test_a_record_of_one_node():
    """A lone leaf is a graph of one box."""
    with pytest.warns(NoTimeStepsWarning):
        drawing = draw_unrolled(Tensor([1.0], name="x", requires_grad=True), colour=None)

    assert len(parts(drawing, Box)) == 1


def test_too_much_to_draw_is_refused(monkeypatch):
    """The size is said and the ways to go on, for a record too long to be read and a page too large to be held."""
    with pytest.raises(PictureTooLargeError, match=r"has 42 nodes.*max_nodes=42"):
        draw_unrolled(rnn(), max_nodes=30)
    monkeypatch.setattr("tinygrad_seq.viz.unrolled.draw.MOST", 20)
    with pytest.raises(PictureTooLargeError, match=r"4 steps are .* boxes.*show='all'.*level=\"steps\""):
        draw_unrolled(rnn(), show="all")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"tokens": "abc"}, ValueError),
        ({"predictions": "abcde"}, ValueError),
        ({"colour": "blue"}, ValueError),
        ({"style": "textbok"}, ValueError),
        ({"level": "module"}, ValueError),
        ({"level": 3}, ValueError),
        ({"folded": True, "style": "text"}, ValueError),
        ({"folded": True, "tokens": "abcd"}, ValueError),
    ],
)
def test_wrong_arguments_are_refused(wrong, error):
    """Tokens for each step, no more and no fewer, and a colour that there is."""
    with pytest.raises(error, match=next(iter(wrong))):
        draw_unrolled(rnn(), **wrong)


def test_only_nodes_are_drawn():
    """An array is no record."""
    with pytest.raises(TypeError, match="ndarray"):
        draw_unrolled(np.ones(3))


def test_scalars_too():
    """A record of Values draws as one of Tensors does."""
    h, w = Value(0.5), Value(0.9).named("w")
    for _, x in steps([1.0, -1.0, 0.5]):
        h = (w * h + x).tanh().named("h")

    assert sorted(columns(draw_unrolled(h))) == [1, 2, 3]


@pytest.mark.slow
def test_a_thousand_steps_are_drawn():
    """A record of 1,000 steps is drawn, by default in part and on request whole, every column in its place."""
    loss = rnn(T=1000)

    few, all_of_them = draw_unrolled(loss).svg, draw_unrolled(loss, show="all").svg

    assert 'id="t1000"' in few
    assert len(few) < 200_000
    assert all(f'id="t{t}"' in all_of_them for t in range(1, 1001))


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_the_picture_is_the_golden_one(model):
    """What a picture says, part by part, is what was looked at and kept; positions are for the other tests.

    To renew it: delete the file, run the test, and look at the picture.
    """
    drawing = draw_unrolled(MODELS[model](T=2), tokens="HE", predictions="EL", title=f"{model} on HE")
    lines = []
    for part in drawing.picture.walk():
        match part:
            case Group():
                lines.append(f"{part.kind} {part.id}")
            case Box():
                words = " | ".join("".join(run.text for run in segment.label) for segment in part.segments)
                lines.append(f"  {part.id}: {words}" + (f" ({spoken(part.caption)})" if part.caption else ""))
            case Curve():
                lines.append(f"  {part.kind} {' → '.join(end or '·' for end in part.ends)}")
            case Text():
                lines.append(f"  {part.kind} {''.join(run.text for run in part.label)}")
    text = "\n".join(lines) + "\n"
    path = GOLDEN / f"unrolled_{model}.txt"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    assert path.read_text("utf-8") == text
