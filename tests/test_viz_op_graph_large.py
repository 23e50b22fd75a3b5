"""Large graphs in micrograd's picture: edges that stay short, a limit, and a part drawn alone."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import Tensor, Value, steps
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.viz import PictureTooLargeError, draw_graph
from tinygrad_seq.viz.pictures.labels import label_width
from tinygrad_seq.viz.pictures.picture import Curve
from viz_parts import apart, boxes, groups, held, joined, rectangle, words
from viz_records import attention, lstm, seq2seq

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
