"""micrograd's picture."""

from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_seq import Tensor, Value
from tinygrad_seq.viz import PictureTooLargeError, draw_dot, draw_graph
from tinygrad_seq.viz.picture import Box


def words(box):
    return ["".join(run.text for run in segment.label) for segment in box.segments]


def boxes(drawing):
    return {part.id: part for part in drawing.picture.walk() if isinstance(part, Box)}


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


def test_an_array_shows_shape_and_norms():
    """Of a tensor the box tells the shape, and the lengths of data and gradient."""
    x = Tensor([[3.0, 4.0]], requires_grad=True, name="x")
    (x * x).sum().backward()
    found = boxes(draw_graph(x))

    assert words(found["x"]) == ["x", "1×2  ‖data‖ 5.0000", "‖grad‖ 10.0000"]


@pytest.mark.parametrize(("value", "said"), [(0.0, "0.0000"), (1e-9, "1e-9"), (3e12, "3e12"), (float("nan"), "nan")])
def test_numbers_of_any_size_are_told(value, said):
    """What four decimals cannot show is written in powers of ten; a small number never looks like zero."""
    assert f"data {said}" in words(boxes(draw_graph(Value(value).named("v")))["v"])


def test_before_backward_there_is_no_gradient_to_tell():
    """A tensor without a gradient says so, and a constant that it will have none."""
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    found = boxes(draw_graph((x * Tensor([1.0, 1.0], name="c")).named("y")))

    assert words(found["x"])[-1] == "grad –"
    assert words(found["c"])[-1] == "constant"


def test_no_two_boxes_overlap():
    """Also where a value is used many times."""
    x = Value(1.1).named("x")
    y = x
    for _ in range(20):
        y = (y * x + 0.1).tanh()
    placed = list(boxes(draw_graph(y)).values())

    for n, one in enumerate(placed):
        for other in placed[:n]:
            apart = abs(one.x - other.x) >= (one.width + other.width) / 2 - 0.01
            assert apart or abs(one.y - other.y) >= (one.height + other.height) / 2 - 0.01


def test_drawing_leaves_gradients_alone():
    """`draw_graph` shows what `backward` left, and makes none itself."""
    x = Tensor([1.0], requires_grad=True)
    y = (x * 2).sum()

    draw_graph(y)

    assert x.grad is None


def test_a_graph_too_large_is_refused():
    """A chain of 2,000 ops is not for looking at; the error says what is."""
    y = Value(1.0)
    for _ in range(2000):
        y = y + y

    with pytest.raises(PictureTooLargeError, match=r"1,500.*draw_unrolled"):
        draw_graph(y)


def test_micrograds_name_is_kept():
    """`draw_dot` is `draw_graph`; its DOT is there to look at."""
    assert draw_dot is draw_graph
    assert draw_dot(Value(1.0)).source.startswith("digraph {")


def test_names_are_safe():
    """A name with markup, quotes and control characters is text."""
    ElementTree.fromstring(draw_graph(Value(1.0).named('<x>&"\x00\u202e')).svg)


def test_only_nodes_are_drawn():
    """An array is no graph."""
    with pytest.raises(TypeError, match="ndarray"):
        draw_graph(np.ones(2))


def test_a_power_shows_its_exponent_and_a_constant_no_gradient():
    """The circle says ^3, not only that there is a power; a number in the graph is called a constant."""
    y = Value(2.0).named("x") ** 3 / 8
    y.backward()
    shown = [text for box in boxes(draw_graph(y)).values() for text in words(box)]

    assert "^3" in shown
    assert shown.count("constant") == 1
