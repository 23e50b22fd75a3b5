"""micrograd's picture: what its boxes say, that every record is drawn, and what it refuses."""

from collections import Counter
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples, recorded_programs
from tinygrad_seq import Parameter, Tensor, Value, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.viz import draw_graph
from tinygrad_seq.viz.layout.graphviz_program import layout_program, run
from tinygrad_seq.viz.pictures.palette import PLAIN, scale_for
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group
from tinygrad_seq.viz.reading.magnitudes import gradient_magnitudes
from viz_parts import apart, boxes, groups, held, joined, rectangle, words
from viz_records import cubic, seq2seq

ONE = Value(1.0)


def within(inner, outer, slack=0.05):
    """Whether one rectangle lies in another."""
    return all(a >= b - slack for a, b in zip(inner[:2], outer[:2])) and all(
        a <= b + slack for a, b in zip(inner[2:], outer[2:])
    )


# ---- what the boxes say --------------------------------------------------------------


def test_a_value_shows_name_data_and_gradient():
    """As in micrograd: name | data | grad, and a circle for the op in front of its result."""
    a, b = Value(2.0).named("a"), Value(-3.0).named("b")
    c = (a * b).named("c")
    c.backward()
    found = boxes(draw_graph(c))

    assert words(found["a"]) == ["a", "data 2.0000", "grad -3.0000"]
    assert words(found["c"]) == ["c", "data -6.0000", "grad 1.0000"]
    assert words(found["c.op"]) == ["×"]
    assert found["a"].x < found["c.op"].x < found["c"].x


def test_arrays_show_a_few_numbers_or_norms():
    """Up to four numbers are written out; of more the box tells the shape, and the lengths of data and gradient."""
    x = Tensor([[3.0, -0.0]], requires_grad=True, name="x")
    y = Tensor(np.full((5, 5), 2.0), requires_grad=True, name="y")
    (x.sum() * y).sum().backward()
    found = boxes(draw_graph([x, y]))

    assert words(found["x"]) == ["x", "1×2  3, 0", "grad 50, 50"]
    assert words(found["y"]) == ["y", "5×5  ‖data‖ 10.0000", "‖grad‖ 15.0000"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "data 0.0000"),
        (1e-9, "data 1e-9"),
        (3e12, "data 3e12"),
        (float("nan"), "data nan"),
        (np.arange(3), "3  0, 1, 2"),
        (np.array(True), "data True"),
        (np.array([1 + 2j, 0]), "2  (1+2j), 0j"),
        (np.zeros((0, 3)), "0×3  empty"),
        (np.float32(0.1), "data 0.1000"),
    ],
)
def test_numbers_of_any_kind_are_told(value, said):
    """What four decimals cannot show is written in powers of ten; integers are whole; an empty array is empty."""
    leaf = Value(value) if isinstance(value, float) and not isinstance(value, np.generic) else Tensor(value)

    assert words(boxes(draw_graph(leaf.named("v")))["v"])[1] == said


def test_before_backward_tensors_show_no_gradient():
    """Where no gradient is known boxes have no field for it; after `backward` a constant says that it has none."""
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * Tensor([1.0, 1.0], name="c")).sum().named("y")
    before = boxes(draw_graph(y))
    y.backward()
    after = boxes(draw_graph(y))

    assert [len(words(before[name])) for name in "xcy"] == [2, 2, 2]
    assert [words(after[name])[2] for name in "xcy"] == ["grad 1, 1", "constant", "grad 1.0000"]


def test_a_power_shows_its_exponent():
    """The circle says ^3, not only that there is a power."""
    shown = [text for box in boxes(draw_graph(Value(2.0).named("x") ** 3)).values() for text in words(box)]

    assert "^3" in shown


def test_what_is_wrong_or_missing_is_seen():
    """Not finite: hatched. No gradient: a dotted outline. A gradient of exactly zero: grey."""
    x, w = Tensor([0.0, 1.0], requires_grad=True, name="x"), Tensor([3.0, 4.0], requires_grad=True, name="w")
    with np.errstate(all="ignore"):
        y = (F.log(x) * 0 + w * Tensor([0.0, 0.0], name="mask")).sum().named("y")
        y.backward()
    found = boxes(draw_graph(y))

    assert [name for name in ("x", "w", "mask", "y") if found[name].hatched] == ["x", "y"]
    assert [name for name in ("x", "w", "mask", "y") if found[name].dotted] == ["mask"]
    assert found["w"].segments[-1].fill == "zero"


def test_without_values_each_node_is_one_box():
    """`values=False`: a name over its op, a sign for what has no name, the givens on their own ground."""
    with scope("cell"):
        h = F.tanh(Tensor([1.0, 2.0], name="x") * Tensor(2.0, requires_grad=True)).named("h")
    found = boxes(draw_graph(h, values=False))

    assert {name: words(box) for name, box in found.items()} == {
        "cell.x": ["x"],
        "cell.leaf": ["2"],
        "cell.mul": ["×"],
        "cell.h": ["h"],
    }
    assert found["cell.h"].caption[0].text == "tanh"
    assert found["cell.x"].fill == "sand"


def test_words_for_those_who_do_not_see():
    """Every box has a title and says what it was made of, in which scope, step and line."""
    for _, x in steps(np.ones((1, 2))):
        with scope("cell"):
            h = F.tanh(Tensor(x, requires_grad=True, name="x")).named("h")
    box = boxes(draw_graph(h))["t1.cell.h"]

    assert box.title == "h_1, 2  0.762, 0.762"
    assert box.desc.startswith("tanh of x_1; in cell; t = 1; test_viz_op_graph.py:")


# ---- every record --------------------------------------------------------------------


@examples(20)
@given(recorded_programs(), st.booleans(), st.sampled_from(["LR", "TB"]))
def test_every_record_is_drawn_whole(program, values, direction):
    """Every op has its box, and as many edges that arrive as it has inputs; no id is there twice."""
    ops = [node for node in Graph(program.loss).nodes if node.op]
    drawing = draw_graph(program.loss, values=values, direction=direction)
    arriving = Counter(b for _, b in joined(drawing) if not values or b.endswith(".op"))
    ids = [part.id for part in drawing.picture.walk() if isinstance(part, Box | Group)]

    assert sorted(arriving.values()) == sorted(len(set(node.inputs)) for node in ops)
    assert {name for ends in joined(drawing) for name in ends} == set(boxes(drawing))
    assert len(ids) == len(set(ids))


@examples(20)
@given(recorded_programs(), st.booleans(), st.sampled_from(["LR", "TB"]))
def test_nothing_overlaps(program, values, direction):
    """No two boxes; no frame and a box that is not in it; a box lies in its frame, and an edge goes from box to box."""
    drawing = draw_graph(program.loss, values=values, direction=direction)
    places = {name: rectangle(box) for name, box in boxes(drawing).items()}

    for one, other in combinations(places, 2):
        assert apart(places[one], places[other]), (one, other)
    for group in groups(drawing).values():
        for name, place in places.items():
            assert within(place, rectangle(group)) if name in held(group) else apart(place, rectangle(group)), name
    for curve in [part for part in drawing.picture.walk() if isinstance(part, Curve)]:
        for point, end in zip((curve.points[0], curve.points[-1]), curve.ends):
            assert within((*point, *point), places[end], slack=2), curve.ends
            assert not within((*point, *point), places[end], slack=-3), curve.ends


@examples(10)
@given(recorded_programs())
def test_the_same_record_gives_the_same_bytes(program):
    """Drawn twice, the SVG and the DOT are the same; and the record is as it was."""
    before = [(node.name, node.grad) for node in Graph(program.loss).nodes]
    one, other = draw_graph(program.loss, colour="grad"), draw_graph(program.loss, colour="grad")

    assert (one.svg, one.source) == (other.svg, other.source)
    assert before == [(node.name, node.grad) for node in Graph(program.loss).nodes]


@examples(15)
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_any_name_is_safe(name, around, title):
    """Whatever names, scopes and titles hold, the SVG is well-formed and a Graphviz program reads the DOT."""
    with scope(around), scope("b"):
        y = Value(1.0).named(name) * 2
    drawing = draw_graph(y, title=title)

    ElementTree.fromstring(drawing.svg)
    assert run((*layout_program(), "-Tplain"), drawing.source).startswith(b"graph")


def test_a_record_of_one_node():
    """A leaf alone is one box, in every style."""
    for values in (True, False):
        drawing = draw_graph(Parameter(np.zeros((2, 3)), name="W"), values=values, colour="grad")

        assert list(boxes(drawing)) == ["W"]
        assert joined(drawing) == set()


# ---- colours -------------------------------------------------------------------------


def test_colours_of_gradients_are_those_of_the_sweep():
    """Where `backward` left nothing `colour="grad"` tells ‖∂loss/∂node‖; and no gradient is left behind."""
    loss = seq2seq(T=2)
    nodes = Graph(loss).nodes
    norms = gradient_magnitudes(loss, nodes)
    scale = scale_for(norms)
    found = boxes(draw_graph(loss, colour="grad", values=False))

    assert found["loss"].fill == scale.fill(1.0)
    assert found["decoder.W_y" if "decoder.W_y" in found else "W_y"].fill == scale.fill(
        next(norm for node, norm in zip(nodes, norms) if node.name == "W_y")
    )
    assert all(node.grad is None for node in nodes)


def test_numbers_without_backward_are_coloured_too():
    """A Value has the gradient 0.0 before `backward`, as in micrograd: that is none that was left."""
    x = Value(2.0).named("x")
    found = boxes(draw_graph((x * 5.0).named("y"), colour="grad"))

    assert [found[name].fill for name in "xy"] == [scale_for([5.0, 1.0]).fill(g) for g in (5.0, 1.0)]


def test_colours_of_gradients_are_those_in_the_boxes():
    """After `backward` colours and numbers tell the same: two calls add up at a leaf."""
    x = Value(2.0).named("x")
    (x * 3.0).backward()
    y = (x * 3.0).named("y")
    y.backward()
    drawing = draw_graph(y, colour="grad")

    assert words(boxes(drawing)["x"])[2] == "grad 6.0000"
    assert boxes(drawing)["x"].fill == scale_for([6.0, 1.0]).fill(6.0)
    assert "‖grad‖" in drawing.svg


@pytest.mark.parametrize("colour", ["value", len, lambda node: -1.0 if node.name == "x" else None])
def test_colours_of_anything(colour):
    """By the size of the data, or by any number that a function gives; without a number a box stays plain."""
    x = Tensor([1.0, 2.0], name="x", requires_grad=True)
    found = boxes(draw_graph(x * x, colour=colour))

    assert found["x"].fill != PLAIN
    assert (found["mul"].fill == PLAIN) == (getattr(colour, "__name__", "") == "<lambda>")


def test_light_and_dark():
    """The theme changes the colours, and nothing else."""
    light, dark = draw_graph(cubic()), draw_graph(cubic(), dark=True)

    assert light.picture.parts == dark.picture.parts
    assert (light.picture.theme.name, dark.picture.theme.name) == ("light", "dark")
    assert light.svg != dark.svg


# ---- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"node": np.ones(2)}, TypeError, "ndarray"),
        ({"node": []}, ValueError, "at least one node"),
        ({"node": [Value(1.0), 2.0]}, TypeError, "float"),
        ({"direction": "RL"}, ValueError, "'LR', 'TB', got 'RL'"),
        ({"colour": "red"}, ValueError, '"grad", "value".*got \'red\''),
        ({"around": 3.0}, TypeError, "float"),
        ({"around": Value(2.0).named("q")}, ValueError, "around=q is no part of the graph"),
        ({"around": ONE, "node": ONE, "distance": -1}, ValueError, "0 or more, got -1"),
        ({"mark": {Value(2.0): "here"}}, ValueError, "mark has a node that is not drawn"),
    ],
)
def test_wrong_arguments_are_explained(wrong, error, said):
    """The error says what is allowed, and what was given."""
    with pytest.raises(error, match=said):
        draw_graph(**{"node": Value(1.0), **wrong})
