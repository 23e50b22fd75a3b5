"""The frames in micrograd's picture: scopes, time steps, and the passes of gradients that were recorded."""

from itertools import pairwise

import numpy as np
import pytest

from tinygrad_seq import Parameter, Tensor, Value, grad, nn, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.viz import draw_graph
from viz_parts import boxes, groups, held, joined, rectangle, words
from viz_records import cubic, lstm

# ---- frames --------------------------------------------------------------------------


def test_scopes_are_frames_in_frames():
    """A frame for each scope, in that of the scope around it, with the nodes that were made in it."""
    x = Value(1.0).named("x")
    with scope("부호기"):
        h = (x * x).named("h")
        with scope("l0"):
            y = h.tanh().named("y")
    found = groups(draw_graph(y + 1))

    assert list(found) == ["부호기", "부호기/l0"]
    assert held(found["부호기/l0"]) == {"부호기.l0.y", "부호기.l0.y.op"}
    assert held(found["부호기"]) == {"부호기.h", "부호기.h.op", *held(found["부호기/l0"])}
    assert found["부호기"].title == "부호기"


def test_each_call_of_a_module_has_its_frame():
    """A module called twice is two frames, and each call shows its weights."""
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.Linear(2, 2))
    with scope("net"):
        x = net(net(Tensor([[1.0, 2.0]], name="x")))
    found = groups(draw_graph(x.sum()))

    assert [name for name in found if name.endswith(("/0", "/0-2"))] == ["net/0", "net/0-2"]
    assert {"net/1", "net/1-2"} <= set(found)


def test_steps_are_frames_and_states_lead_from_one_to_the_next():
    """Each time step is a frame; those that carry a state stand in the order of time, wholly behind each other."""
    drawing = draw_graph(lstm(T=4), values=False)
    found = groups(drawing)
    sides = [(rectangle(found[f"t{t}"])[0], rectangle(found[f"t{t}"])[2]) for t in range(1, 5)]

    assert list(found) == ["t1", "t2", "t3", "t4"]
    assert all(right < left for (_, right), (left, _) in pairwise(sides))
    assert ("t1.h", "t2.concat") in joined(drawing)


def test_steps_in_scopes_and_scopes_in_steps():
    """Frames nest as the program's blocks did."""
    h = Value(0.5).named("h")
    with scope("encoder"):
        for _, x in steps([1.0, 2.0]):
            with scope("cell"):
                h = (h * x).named("h")

    assert list(groups(draw_graph(h))) == ["encoder", "encoder/t1", "encoder/t1/cell", "encoder/t2", "encoder/t2/cell"]


def test_parts_that_need_nothing_from_each_other_stand_side_by_side():
    """Two neurons of one layer begin at the same height; the layer behind begins where both have ended."""
    x = Value(1.0).named("x")
    outs = []
    for name in ("one", "two"):
        with scope(name):
            outs.append((x * Value(2.0)).tanh().relu())
    with scope("three"):
        y = outs[0] * outs[1]
    found = {name: rectangle(group) for name, group in groups(draw_graph(y)).items()}

    assert found["one"][0] == pytest.approx(found["two"][0], abs=12)
    assert max(found["one"][2], found["two"][2]) < found["three"][0]


def test_a_weight_stands_where_it_is_used():
    """A parameter is in the frame of the module that uses it; an input stays outside."""
    layer, x = nn.Linear(2, 2), Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    with scope("layer"):
        y = layer(x).sum()
    drawing = draw_graph(y)

    assert {"weight", "bias", "layer.affine"} <= held(groups(drawing)["layer"])
    assert {"x"} == set(boxes(drawing)) - held(groups(drawing)["layer"])


def test_a_frame_begins_with_its_ops():
    """In a frame what is given for one use stands over or under the op that takes it, not before it."""
    with scope("cell"):
        y = Value(2.0).named("a") * Value(3.0).named("b") + Value(4.0).named("c")
    found = boxes(draw_graph(y, values=False))
    a, b, c, mul, add = (found["cell." + name] for name in ("a", "b", "c", "mul", "add"))

    assert a.x == b.x == mul.x < add.x == c.x
    assert min(a.y, b.y) < mul.y < max(a.y, b.y)


def test_scopes_of_any_depth():
    """A hundred scopes in each other are a hundred frames."""
    x = Value(1.0)
    blocks = [scope(f"s{n}") for n in range(100)]
    for block in blocks:
        block.__enter__()
    try:
        y = x * 2
    finally:
        for block in reversed(blocks):
            block.__exit__()

    assert len(groups(draw_graph(y))) == 100


# ---- gradients that were recorded ----------------------------------------------------


def test_forward_and_backward_are_told_apart():
    """Of x³ with two derivatives there is a frame for what was computed forward, and one for each backward pass."""
    drawing = draw_graph(cubic(), values=False)
    found = groups(drawing)

    assert [(name, group.kind) for name, group in found.items()] == [
        ("forward", "forward"),
        ("backward_1", "backward"),
        ("backward_2", "backward"),
    ]
    assert held(found["forward"]) == {"x", "y"}
    assert "dy/dx" in held(found["backward_1"])
    assert "d²y/dx²" in held(found["backward_2"])


def test_passes_of_one_line_are_told_apart():
    """Derivatives taken in a loop, by one line of code, are passes of their own."""
    x = Value(0.5).named("x")
    y = (x.tanh() * x).named("y")
    for _ in range(2):
        (y,) = grad(y, [x], create_graph=True)

    assert list(groups(draw_graph(y))) == ["forward", "backward_1", "backward_2"]


def test_what_follows_from_a_gradient_is_forward_again():
    """A gradient penalty: forward, backward in the same scope, and forward with the gradient."""
    x, w = Tensor([0.5, -1.0], requires_grad=True, name="x"), Parameter(np.ones(2), name="w")
    with scope("critic"):
        d = F.tanh(x * w).sum().named("D")
    (g,) = grad(d, [x], create_graph=True)
    found = groups(draw_graph((d + (g.named("g") ** 2).sum()).named("loss")))

    assert list(found) == ["forward_1", "forward_1/critic", "backward", "backward/critic", "forward_2"]
    assert "loss" in held(found["forward_2"])
    assert "w" in held(found["forward_1/critic"])


def test_backward_of_the_whole_graph_can_be_drawn():
    """After `backward(create_graph=True)` a node's own gradient is a graph to draw, and is told in the boxes."""
    x = Value(3.0).named("x")
    y = (x * x).named("y")
    y.backward(create_graph=True)
    drawing = draw_graph([y, x.grad])

    assert list(groups(drawing)) == ["forward", "backward"]
    assert words(boxes(drawing)["x"])[2] == "grad 6.0000"


def test_a_plain_record_has_no_passes():
    """Where nothing was recorded backward there are no frames around it all."""
    y = Value(2.0) ** 3
    y.backward()

    assert groups(draw_graph(y)) == {}
