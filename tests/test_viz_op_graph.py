"""micrograd's picture: what its boxes say, what stands in which frame, and what it refuses."""

from collections import Counter
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples, recorded_programs
from tinygrad_seq import Parameter, Tensor, Value, grad, nn, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.viz import PictureTooLargeError, draw_graph
from tinygrad_seq.viz.layout.graphviz_program import layout_program, run
from tinygrad_seq.viz.pictures.labels import label_width
from tinygrad_seq.viz.pictures.palette import PLAIN, scale_for
from tinygrad_seq.viz.pictures.picture import Box, Curve, Group
from tinygrad_seq.viz.reading.magnitudes import gradient_magnitudes
from viz_records import attention, lstm, seq2seq

ONE = Value(1.0)


def words(box):
    return ["".join(run.text for run in segment.label) for segment in box.segments]


def boxes(drawing):
    return {part.id: part for part in drawing.picture.walk() if isinstance(part, Box)}


def groups(drawing):
    return {part.id: part for part in drawing.picture.walk() if isinstance(part, Group)}


def joined(drawing):
    return {part.ends for part in drawing.picture.walk() if isinstance(part, Curve)}


def held(group):
    """The ids of the boxes in a frame, in frames inside it too."""
    found, waiting = set(), [group]
    while waiting:
        for part in waiting.pop().parts:
            if isinstance(part, Group):
                waiting.append(part)
            elif isinstance(part, Box):
                found.add(part.id)
    return found


def rectangle(part):
    """Left, top, right, bottom of a box or a frame."""
    if isinstance(part, Group):
        x, y, width, height = part.frame
        return x, y, x + width, y + height
    return part.x - part.width / 2, part.y - part.height / 2, part.x + part.width / 2, part.y + part.height / 2


def apart(one, other, slack=0.05):
    """Whether two rectangles do not overlap."""
    a, b, c, d = one
    e, f, g, h = other
    return c <= e + slack or g <= a + slack or d <= f + slack or h <= b + slack


def within(inner, outer, slack=0.05):
    """Whether one rectangle lies in another."""
    return all(a >= b - slack for a, b in zip(inner[:2], outer[:2])) and all(
        a <= b + slack for a, b in zip(inner[2:], outer[2:])
    )


def cubic():
    """x³ with its first and second derivative."""
    x = Tensor(2.0, requires_grad=True, name="x")
    y = (x**3).named("y")
    (first,) = grad(y, [x], create_graph=True)
    (second,) = grad(first, [x], create_graph=True)
    return [y, first.named("dy/dx"), second.named("d²y/dx²")]


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


# ---- large graphs --------------------------------------------------------------------


def test_a_leaf_with_many_uses_is_drawn_at_each():
    """Seven uses, seven copies, each with an edge to where it is used."""
    x = Value(1.1).named("x")
    y = Value(0.0)
    for n in range(7):
        y = y + x * n
    found = boxes(draw_graph(y))

    assert sum(box.segments[0].label[0].text == "x" for box in found.values()) == 7


def test_a_weight_that_steps_share_is_drawn_at_each():
    """Each of three steps shows W, and no edge of a weight leaves its frame."""
    drawing = draw_graph(seq2seq(T=3), values=False)
    weights = [name for name, box in boxes(drawing).items() if words(box) == ["Eh"]]

    assert len(weights) == 3
    assert all(any(name in held(group) for group in groups(drawing).values()) for name in weights)


def test_what_comes_from_far_is_named_where_it_is_used():
    """Attention over twenty steps: old states are named beside the op that takes them, with no edge across the page."""
    drawing = draw_graph(attention(T=20), values=False)
    found = boxes(drawing)
    far = found["t20.H.from"]

    assert words(far)[0].startswith("h1, h2, … h")
    assert ("t20.H.from", "t20.H") in joined(drawing)
    assert ("t1.h", "t20.H") not in joined(drawing)
    assert ("t19.h", "t20.H") in joined(drawing)
    assert len(joined(drawing)) < 3 * len(found)


def test_a_graph_too_large_is_refused():
    """A chain of 2,000 ops is not for looking at; the error says how large it is, and how to go on."""
    y = Value(1.0)
    for _ in range(2000):
        y = y + y

    with pytest.raises(PictureTooLargeError, match=r"1,500 nodes.*2,001.*nearer.*draw_unrolled.*max_nodes"):
        draw_graph(y)


def test_the_limit_can_be_moved():
    """`max_nodes` is how many are drawn, no more."""
    y = Value(1.0) * 2 + 3

    assert boxes(draw_graph(y, max_nodes=5))
    with pytest.raises(PictureTooLargeError, match="up to 4 nodes"):
        draw_graph(y, max_nodes=4)


def test_a_large_graph_is_drawn():
    """Of 600 nodes in 30 steps, every one."""
    loss = lstm(T=30)
    drawing = draw_graph(loss, values=False)

    assert len(groups(drawing)) == 30
    assert len(boxes(drawing)) >= len(Graph(loss).nodes)


def test_states_lead_on_however_long_a_step_is():
    """Past thirty ops of the next step, in a graph of 600 nodes, a state still has its edge."""
    h = Value(0.5).named("h")
    for _, x in steps([0.1] * 20):
        z = h * x
        for _ in range(28):
            z = z.tanh()
        h = (h + z).named("h")

    assert ("t19.h", "t20.h") in joined(draw_graph(h, values=False))


# ---- a part of a graph ---------------------------------------------------------------


def chain():
    """x → a → b → c → d → e, each the tanh of the one before; b is also in a product with y."""
    node = Tensor([0.5, -1.0], requires_grad=True, name="x")
    made = {"x": node, "y": Tensor([1.0, 2.0], name="y")}
    for name in "abcde":
        node = made[name] = F.tanh(node).named(name)
    made["p"] = (made["b"] * made["y"]).named("p")
    return made


def test_around_a_node_is_drawn_what_is_near():
    """Within one op of c: b and d. What b is made of, and what else b and d go on to, is named at dashed edges."""
    nodes = chain()
    drawing = draw_graph([nodes["e"], nodes["p"]], around=nodes["c"], distance=1, values=False)
    found = boxes(drawing)

    assert {name: words(box) for name, box in found.items()} == {
        "b": ["b"], "b.from": ["a"], "b.on": ["p"], "c": ["c"], "d": ["d"], "d.on": ["e"],
    }  # fmt: skip
    assert joined(drawing) == {("b.from", "b"), ("b", "b.on"), ("b", "c"), ("c", "d"), ("d", "d.on")}
    assert {curve.ends for curve in drawing.picture.walk() if isinstance(curve, Curve) and curve.dashed} == {
        ("b.from", "b"), ("b", "b.on"), ("d", "d.on"),
    }  # fmt: skip
    assert (found["b.on"].title, found["b.from"].title) == ("goes on to p", "from a")


def test_a_part_says_that_it_is_one():
    """Title and description count what is drawn; with everything near they are those of the whole."""
    nodes = chain()
    part = draw_graph(nodes["e"], around=nodes["c"], distance=1).picture
    whole = draw_graph(nodes["e"]).picture

    assert (part.title, part.desc) == ("3 nodes of a graph of 6 nodes", "Of what e was made from, from left to right.")
    assert draw_graph(nodes["e"], around=nodes["c"], distance=9).picture == whole


@examples(20)
@given(st.integers(0, 10**6), st.integers(0, 3), st.booleans())
def test_every_edge_of_a_part_leads_somewhere(number, distance, values):
    """Around any node of a large record: each input of what is drawn is drawn or named, and no boxes overlap."""
    loss = seq2seq(T=3)
    nodes = Graph(loss).nodes
    drawing = draw_graph(loss, around=nodes[number % len(nodes)], distance=distance, values=values)
    found = boxes(drawing)
    drawn = {nodes[i]: ids for i, ids in drawing.boxes.items()}

    assert nodes[number % len(nodes)] in drawn
    for node, (first, *_) in drawn.items():
        if node.op:
            entry = next((name for name in drawn[node] if name.endswith(".op")), first)
            arriving = [a for a, b in joined(drawing) if b == entry]
            stub = f"{first}.from" in arriving
            assert len(arriving) - stub == len({x for x in node.inputs if x in drawn})
            assert stub == any(x not in drawn for x in node.inputs)
    for one, other in combinations(found.values(), 2):
        assert apart(rectangle(one), rectangle(other))


def test_only_what_is_drawn_counts_for_the_limit():
    """A part of a record of 2,001 nodes is drawn, and played as a page."""
    nodes = [Value(1.0)]
    for _ in range(2000):
        nodes.append(nodes[-1] + nodes[-1])
    drawing = draw_graph(nodes[-1], around=nodes[1000])

    assert len(boxes(drawing)) < 20
    assert "<!DOCTYPE html>" in drawing.html()[:100]


@pytest.mark.parametrize("said", ["wrong derivative by input 0", "부호기의 미분이 틀렸습니다", "x" * 200])
def test_a_mark_is_said_in_the_box(said):
    """What is said of a node stands whole behind its value, up to 72 letters, in a box that is wide enough."""
    nodes = chain()
    found = boxes(draw_graph(nodes["e"], mark={nodes["c"]: said}))
    whole = said if len(said) <= 72 else said[:71] + "…"

    assert words(found["c"])[-1] == whole
    assert found["c"].segments[-1].fill == found["c"].stroke == found["c.op"].fill == "mark"
    assert found["c"].segments[-1].width > label_width(found["c"].segments[-1].label, 12)
    assert found["c"].width == sum(segment.width for segment in found["c"].segments)
    assert said in found["c"].title
    assert [name for name, box in found.items() if box.stroke == "mark"] == ["c", "c.op"]


def test_a_mark_without_values():
    """A node that is one box has the field too, and its op stays its caption."""
    nodes = chain()
    box = boxes(draw_graph(nodes["e"], mark={nodes["c"]: "here"}, values=False))["c"]

    assert words(box) == ["c", "here"]
    assert box.caption[0].text == "tanh"


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
