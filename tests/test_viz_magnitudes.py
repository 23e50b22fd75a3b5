"""The numbers behind the colours: gradients of nodes, of edges, of weights at each use; values; any measure."""

import numpy as np
import pytest

from tinygrad_seq import Graph, Tensor, manual_seed, steps, sweep
from tinygrad_seq.gradflow import Series, magnitude, parts, per_step, saturation
from tinygrad_seq.models import GRU, LSTM, ManyToMany
from tinygrad_seq.viz import draw_graph, draw_unrolled
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT, EvenScale, GradientScale, scale_of_measure
from tinygrad_seq.viz.pictures.picture import Box, Curve, Panel, Text
from tinygrad_seq.viz.reading.columns import read_columns, sort_members
from tinygrad_seq.viz.reading.levels import apply_level
from tinygrad_seq.viz.reading.magnitudes import LANE, as_measure, gradient_flow
from viz_records import MODELS, lstm, rnn


def flow_of(loss, level="ops"):
    timeline = read_columns(loss)
    apply_level(timeline, level)
    sort_members(timeline)
    return timeline, gradient_flow(loss, timeline, range(len(timeline.steps)))


def found(drawing, kind, name):
    return [part for part in drawing.picture.walk() if isinstance(part, kind) and part.kind == name]


# ---- gradients -----------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_each_node_has_the_length_of_its_gradient(model):
    """What backward leaves in .grad, and None where nothing is asked for."""
    loss = MODELS[model]()
    timeline, flow = flow_of(loss)
    loss.backward()

    for node, number in zip(timeline.nodes, flow.nodes, strict=True):
        if node.requires_grad:
            assert number == pytest.approx(0.0 if node.grad is None else np.linalg.norm(node.grad), rel=1e-9)
        else:
            assert number is None


@pytest.mark.parametrize("model", MODELS)
def test_each_edge_has_what_it_carries(model):
    """The contribution of the one to the other's gradient, as the sweep sends it."""
    loss = MODELS[model]()
    timeline, flow = flow_of(loss)
    sent = {}
    for visit in sweep(loss):
        for x, g in zip(visit.node.inputs, visit.sent, strict=True):
            if g is not None:
                pair = id(x), id(visit.node)
                sent[pair] = sent[pair] + g if pair in sent else g
    place = {id(node): i for i, node in enumerate(timeline.nodes)}
    expected = {(place[x], place[y]): np.linalg.norm(g) for (x, y), g in sent.items()}
    checked = [pair for pair in flow.edges if pair in expected and LANE not in pair]

    assert len(checked) > 20
    for pair in checked:
        assert flow.edges[pair] == pytest.approx(expected[pair], rel=1e-9, abs=1e-300)


def test_a_badge_has_the_part_of_its_step():
    """What a step adds to the gradient of a weight is what gradflow.parts says, also where nodes are drawn as one."""
    loss = rnn()
    weight = next(node for node in Graph(loss) if node.name == "W_h")
    by_step = dict(zip(parts(loss, weight).t, parts(loss, weight).norms))
    for level in ("ops", "modules", "steps"):
        timeline, flow = flow_of(loss, level)
        at = next(i for i, node in enumerate(timeline.nodes) if node is weight)
        told = {timeline.nodes[i].t: share for (x, i), share in flow.edges.items() if x == at}
        assert told == pytest.approx(by_step)


def test_what_goes_two_ways_into_one_box_is_added_up():
    """2 x + 3 x, drawn as one box, sends 5 g back to x along its one edge."""
    h = Tensor([1.0, -2.0], requires_grad=True, name="h")
    for _, x in steps(np.ones((3, 2))):
        x = Tensor(x, requires_grad=True, name="x")
        h = (x * 2 + x * 3 + h).named("h")
    timeline, flow = flow_of((h * h).sum(), "modules")
    into_h = {(timeline.stems[x], timeline.nodes[i].t): s for (x, i), s in flow.edges.items() if i != LANE}

    assert into_h["x", 1] == pytest.approx(5 * np.linalg.norm(2 * h.data))


def test_the_legend_has_the_gradient_of_the_whole_weight():
    """Its length beside its shape."""
    loss = rnn()
    drawing = draw_unrolled(loss)
    loss.backward()
    W_x = next(node for node in Graph(loss) if node.name == "W_x")
    words = [part.label[0].text for part in drawing.picture.walk() if isinstance(part, Text)]

    assert f"{np.linalg.norm(W_x.grad):.4g}" in words


def test_a_wider_edge_carries_more():
    """Along the state of an RNN that hears only of its last loss, edges get thinner from right to left."""
    drawing = draw_unrolled(rnn(T=6, each=False), show="all")
    lanes = [curve for curve in found(drawing, Curve, "lane") if curve.title and curve.ends[1]]
    by_place = sorted(lanes, key=lambda curve: curve.points[0][0])
    widths = [curve.width for curve in by_place]
    numbers = [float(curve.title) for curve in by_place]

    assert len(set(widths)) == len(numbers) == 6
    assert sorted(widths) == [width for _, width in sorted(zip(numbers, widths, strict=True))]


def test_the_length_of_a_gradient_neither_overflows_nor_vanishes():
    """At both ends of what a float can hold."""
    assert magnitude(np.array([3e200, 4e200])) == pytest.approx(5e200)
    assert magnitude(np.array([3e-200, 4e-200])) == pytest.approx(5e-200)
    assert magnitude(np.array([])) == 0
    assert np.isinf(magnitude(np.array([1.0, np.inf])))
    assert np.isnan(magnitude(np.array([1.0, np.nan])))


# ---- other colours -------------------------------------------------------------------


def test_colour_by_value():
    """The length of each node's value, named so in the legend and in the titles; edges have no colour of their own."""
    drawing = draw_unrolled(rnn(), colour="value")
    (box,) = [part for part in drawing.picture.walk() if isinstance(part, Box) and part.id == "t2.h"]
    h = next(node for node in Graph(rnn()) if node.name == "h" and node.t == 2)

    assert box.title.endswith(f"value {np.linalg.norm(h.data):.4g}")
    assert "‖value‖" in [part.label[0].text for part in drawing.picture.walk() if isinstance(part, Text)]
    assert not any(curve.title for curve in found(drawing, Curve, "edge"))


def test_colour_by_any_measure():
    """A function of a node; what it has no number for stays plain, and zero lies in the middle where signs differ."""

    def mean(node):
        return float(np.mean(node.data)) if node.name == "h" else None

    drawing = draw_unrolled(rnn(), colour=mean)
    boxes = {part.id: part for part in drawing.picture.walk() if isinstance(part, Box)}

    assert boxes["t2.h"].fill.startswith(("signed", "ramp"))
    assert boxes["t2.ŷ"].fill == "plain"
    assert "mean" in [part.label[0].text for part in drawing.picture.walk() if isinstance(part, Text)]


@pytest.mark.parametrize("options", [{}, {"style": "modules"}, {"style": "textbook"}, {"folded": True}])
def test_colour_by_what_gradflow_measures(options):
    """A series colours its nodes and no others, and the legend has its name; a mapping of nodes does the same."""
    loss = lstm()
    measured = per_step(loss, "C")
    drawing = draw_unrolled(loss, colour=measured, **options)
    coloured = [part for part in drawing.picture.walk() if isinstance(part, Box) and part.fill.startswith("ramp")]
    words = ["".join(run.text for run in part.label) for part in drawing.picture.walk() if isinstance(part, Text)]

    assert len(coloured) == (1 if options.get("folded") else 4)
    assert "‖∂L/∂Ct‖" in words
    by_node = dict(zip(measured.nodes, measured.norms))
    again = [part for part in draw_unrolled(loss, colour=by_node, **options).picture.walk() if isinstance(part, Box)]
    assert [part.fill for part in again if part.fill.startswith("ramp")] == [part.fill for part in coloured]


def test_colour_by_parts_by_saturation_and_as_text():
    """What has a number for some nodes colours those, in the graph of ops and in a terminal too."""
    loss = lstm()
    W = next(node for node in Graph(loss) if node.name == "W")
    of_weight, squashed = parts(loss, W), saturation(loss, threshold=0.6)
    for measured, names in ((of_weight, {None}), (squashed, {"f", "i", "o", "C̃", None})):
        drawing = draw_unrolled(loss, colour=measured)
        assert len(fills(drawing, "ramp") + fills(drawing, "zero")) >= 4
        assert {node.name for node in (measured.by_node if measured is of_weight else measured.of)} <= names
    assert fills(draw_graph(loss, colour=of_weight), "ramp")
    assert "‖∂L/∂Cₜ‖" in str(draw_unrolled(loss, style="text", colour=per_step(loss, "C")))


def fills(drawing, kind):
    boxes = [part for part in drawing.picture.walk() if isinstance(part, Box)]
    return [box.fill for box in boxes if box.fill.startswith(kind)]


class Several:
    """One number for each of several nodes, as a measure of one's own may have."""

    def __init__(self, nodes, values):
        self.name, self.nodes, self.values = "한글", nodes, values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (5, "must be a function of a node, a mapping"),
        ([1.0], "must be a function of a node, a mapping"),
        ({}, "at least one node"),
        ({"h": 1.0}, "for nothing else"),
        (Series("h", [1, 2], [1.0, 2.0]), "measure the states by name"),
        (Several([Tensor([1.0])], [1.0, 2.0]), "one number for each node, got 2 for 1"),
        ({Tensor([1.0]): 1.0}, "of another record"),
    ],
)
def test_what_colours_no_node_is_refused(wrong, says):
    """Never a picture without colours that was asked for some."""
    with pytest.raises((TypeError, ValueError), match=says):
        draw_unrolled(rnn(), colour=wrong)


def test_a_node_that_is_there_twice_has_its_largest_number():
    """And NaN is not lost behind a number."""
    a, b = Tensor([1.0]), Tensor([2.0])
    measure, name = as_measure(Several([a, [a, b], b], [1.0, -3.0, np.nan, 2.0]))

    assert (measure(a), name) == (-3.0, "한글")
    assert np.isnan(measure(b))
    assert measure(Tensor([1.0])) is None


def test_the_scale_fits_the_measure():
    """Several decades are logarithmic, a few are even, and of both signs the middle is zero."""
    assert isinstance(scale_of_measure([1e-5, 1.0]), GradientScale)
    assert scale_of_measure([0.2, 0.9, None, float("nan")]) == EvenScale(0.0, 0.9)
    assert scale_of_measure([-0.5, 0.25]) == EvenScale(-0.5, 0.5)
    assert scale_of_measure([-0.5, 0.25]).fill(-0.5) == "signed -1.000"
    assert scale_of_measure([]).fill(1.0) == "ramp 1.000"


# ---- values --------------------------------------------------------------------------


def test_values_are_numbers_and_strips():
    """A loss tells its number; a state has a cell for each of its elements, one colour for one value at all steps."""
    loss = lstm()
    boxes = {part.id: part for part in draw_unrolled(loss, values=True).picture.walk() if isinstance(part, Box)}
    named = {(node.name, node.t): node for node in Graph(loss) if node.t}

    assert boxes["t2.L"].caption[0].text == f"{named['L', 2].item():.4g}"
    for t in (1, 2, 3):
        values = named["h", t].data.ravel()
        largest = max(np.abs(named["h", s].data).max() for s in (1, 2, 3, 4))
        shares = [float(colour.removeprefix("signed ")) for colour in boxes[f"t{t}.h"].strip]
        assert shares == pytest.approx(values / largest, abs=6e-4)


# ---- themes --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"style": "textbook"}, {"folded": True}, {"values": True}, {"level": "steps"}])
def test_every_colour_has_a_look_in_both_themes(options):
    """Each name that a part carries is a colour in light and in dark, and dark is not light."""
    manual_seed(0)
    loss = ManyToMany(GRU(3, 4, bidirectional=True), 3).loss(np.eye(3)[:, None], [[1], [2], [0]])
    light, dark = (draw_unrolled(loss, dark=dark, **options) for dark in (False, True))
    names = set()
    for part in light.picture.walk():
        for field in ("fill", "ink", "stroke"):
            names.add(getattr(part, field, "none"))
    for theme in (LIGHT, DARK):
        assert [name for name in names - {"none"} if not theme.hex(name).startswith("#")] == []

    assert light.svg != dark.svg
    assert DARK.hex("paper") in dark.svg
    assert len(found(light, Panel, "frame")) == len(found(dark, Panel, "frame"))


# ---- text, page ----------------------------------------------------------------------


def test_a_text_is_printed_and_saved(tmp_path):
    """str, repr and a .txt file are the same text; another ending saves the picture."""
    manual_seed(0)
    drawing = draw_unrolled(ManyToMany(LSTM(3, 4), 3).loss(np.eye(3)[:, None], [[1], [2], [0]]), style="text")
    path = drawing.save(tmp_path / "lstm.txt")

    assert path.read_text("utf-8") == f"{drawing}\n" == f"{drawing!r}\n"
    assert "Cₜ = fₜ·Cₜ₋₁ + iₜ·C̃ₜ" in str(drawing)
    assert max(map(len, drawing.text(width=60).split("\n"))) <= 60
    assert drawing.text(ascii=True).isascii()
    assert drawing.save(tmp_path / "lstm.svg").read_text("utf-8").startswith("<svg")


def test_a_page_is_saved(tmp_path):
    """Under .html, with all levels; of a graph of ops, with its one picture."""
    page = draw_unrolled(rnn()).save(tmp_path / "rnn.html").read_text("utf-8")

    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<section") == 3
