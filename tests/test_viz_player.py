"""The page with the player: what it tells of a record, and that nothing in it can act."""

import base64
import hashlib
import html as entities
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Tensor, Value, manual_seed, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.models import LSTM, ManyToMany
from tinygrad_seq.viz import draw_graph, draw_unrolled
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT
from tinygrad_seq.viz.player.arrays import LEVELS as HEAT
from tinygrad_seq.viz.player.arrays import said_of
from tinygrad_seq.viz.player.theme import PageTheme
from tinygrad_seq.viz.reading.levels import LEVELS
from viz_records import MODELS, lstm, rnn

EVIL = '</script><script>hacked=1</script><img src=x onerror=hacked=2>"\'&\u2028\u2029{@@script@@}'


class Page(HTMLParser):
    """A page as a browser reads it: ids, what is loaded from elsewhere, and what stands in its scripts."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.outside, self.levels, self.scripts, self.styles, self.policy = [], [], [], [], [], ""
        self.handlers, self.inside = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        self.outside += [value for name, value in attrs if name in ("src", "href") and value]
        self.handlers += [name for name in given if name.startswith("on")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag == "section":
            self.levels.append(given["data-level"])
        self.inside = tag
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside in ("script", "style"):
            (self.scripts if self.inside == "script" else self.styles)[-1] += data


def record_of(drawing):
    """What a drawing's page tells of its record."""
    return json.loads(Page(drawing.html()).scripts[0])


def long_lstm(T, **options):
    manual_seed(0)
    letters = np.arange(T) % 4
    model = ManyToMany(LSTM(4, 8), 4)
    return draw_unrolled(model.loss(np.eye(4)[letters][:, None], (letters[:, None] + 1) % 4), **options)


# ---- arrays --------------------------------------------------------------------------


@given(st.lists(st.floats(width=64), min_size=17, max_size=90))
def test_a_large_array_is_told_by_its_measures(numbers):
    """Shape, norm, range and a letter for each piece; the strip is as signed as the numbers; all of it is JSON."""
    array = np.array(numbers)
    finite = array[np.isfinite(array)]
    told = said_of(array)
    json.dumps(told, allow_nan=False)

    assert told["shape"] == [len(numbers)]
    assert told.get("broken", 0) == len(numbers) - len(finite)
    assert len(told["heat"]) == min(32, len(numbers))
    if len(finite) == len(numbers) and np.abs(finite).max() > 0:
        largest = finite[np.abs(finite).argmax()]
        assert (HEAT[18] if largest > 0 else HEAT[0]) in told["heat"] or np.sum(np.abs(finite) == np.abs(largest)) > 1
        assert told["low"] == pytest.approx(finite.min(), rel=1e-3)
        assert told["high"] == pytest.approx(finite.max(), rel=1e-3)


@given(st.lists(st.floats(width=64), max_size=16))
def test_a_small_array_is_told_whole(numbers):
    """Each number, with four digits; what is not finite by its name."""
    names = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    (told,) = said_of(np.array(numbers, dtype=float)).values()
    json.dumps(told, allow_nan=False)

    assert [x if isinstance(x, str) else None for x in told] == [names.get(str(x)) for x in numbers]
    finite = [(x, given) for x, given in zip(told, numbers) if np.isfinite(given)]
    np.testing.assert_allclose([x for x, _ in finite], [given for _, given in finite], rtol=1e-3)


# ---- the record ----------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_the_page_tells_what_the_sweep_does(model):
    """Every visit once and in order; each gradient is `.grad`, and the sum of what came."""
    loss = MODELS[model]()
    record = record_of(draw_unrolled(loss))
    nodes, visits = record["nodes"], list(sweep(loss))
    loss.backward()

    assert len(nodes) == len(Graph(loss).nodes) == len(record["events"]["forward"])
    assert len(record["events"]["backward"]) == len(visits)
    came = [[] for _ in nodes]
    for k, visit in zip(record["events"]["backward"], visits):
        assert nodes[k]["grad"] == said_of(visit.node.grad)
        for to, sent in zip(nodes[k].get("inputs", ()), nodes[k].get("sends", ())):
            if sent:
                came[to].append(sent)
        parts = [sent["part"] for sent in came[k]]
        if parts and "all" in parts[0]:
            total = np.sum([part["all"] for part in parts], axis=0)
            near = {"rtol": 2e-3, "atol": 2e-3 * np.abs(total).max() + 1e-12}
            np.testing.assert_allclose(total, nodes[k]["grad"]["all"], **near)
        if len(parts) > 1:
            assert came[k][-1]["total"] == pytest.approx(np.linalg.norm(visit.node.grad), rel=1e-3)


def test_what_is_passed_over_is_summed_up():
    """Of a long record the drawn steps are told whole, the rest by some events; nothing is left out of a sum."""
    loss = lstm(40)
    record = record_of(draw_unrolled(loss))
    events = record["events"]["backward"]
    passed = [event for event in events if isinstance(event, dict)]
    (W,) = [node for node in record["nodes"] if node["name"] == "W_y"]
    h_4 = next(node for node in record["nodes"] if node["name"] == "h_4")

    assert 1 < len(passed) < 60
    visits = sum(event["visits"] if isinstance(event, dict) else 1 for event in events)
    assert visits == len(list(sweep(loss)))
    assert W["unseen"]["count"] == 32
    assert "unseen" in h_4  # from step 5, which is not drawn
    assert len(record["nodes"]) < 300


@pytest.mark.slow
def test_a_thousand_steps_are_a_small_page():
    """The page grows with what is drawn; of each passed step it has the size of each quantity."""
    assert len(long_lstm(1000).html()) < 1_000_000


def test_sizes_over_time():
    """The series that bars show: each named quantity by step, its norms, and when the walk comes to them."""
    loss = rnn(4)
    record = record_of(draw_unrolled(loss))
    h = record["series"][0]
    expected = [float(f"{np.linalg.norm(visit.grad):.4g}") for visit in sweep(loss) if visit.node.name == "h"][3::-1]

    assert h["name"] == "h"
    assert [record["steps"][c] for c in h["columns"]] == [1, 2, 3, 4]
    assert [size for _, size in h["backward"]] == expected
    assert [turn for turn, _ in h["backward"]] == sorted((turn for turn, _ in h["backward"]), reverse=True)


def test_without_a_gradient_there_is_a_way_forward():
    """A record that asks for no gradient can be stepped through as it was computed."""
    h = Tensor([[0.0]])
    for _, x in steps(np.ones((3, 1, 1))):
        h = F.tanh(h + x).named("h")
    record = record_of(draw_unrolled(h, colour=None))

    assert record["events"].keys() == {"forward"}
    assert all("grad" not in node for node in record["nodes"])


def test_the_page_changes_nothing():
    """No `.grad` is set by drawing a page, and the same record gives the same bytes."""
    loss = lstm(2)
    drawing = draw_unrolled(loss)

    assert drawing.html() == drawing.html()
    assert all(node.grad is None for node in Graph(loss).nodes)


def test_every_kind_of_drawing_has_a_player():
    """Levels of detail, the folded picture, the textbook's, text, and graphs: each node stands somewhere."""
    loss = lstm(3)
    x = Value(2.0, name="x")
    drawings = [
        draw_unrolled(loss), draw_unrolled(loss, folded=True), draw_unrolled(loss, style="textbook"),
        draw_unrolled(loss, style="text"), draw_graph(loss), draw_graph([x * x, x + 1]),
    ]  # fmt: skip
    for drawing in drawings:
        record = record_of(drawing)
        for stage in record["stages"].values():
            assert len(stage["nodes"]) == len(record["nodes"])
            assert sum(map(bool, stage["nodes"])) > 0.7 * len(stage["nodes"])
            assert max(at for places in stage["nodes"] for at in places) < len(stage["boxes"])
    assert "backward" not in record_of(drawings[-1])["events"]


@pytest.mark.parametrize("model", MODELS)
def test_lines_join_what_takes_to_what_it_takes(model):
    """Each line, also each piece of a state's way, is known by the boxes that it joins: one is made from the other."""
    record = record_of(draw_unrolled(MODELS[model](), level="ops"))
    stage = record["stages"]["ops"]
    inside = [set() for _ in stage["boxes"]]
    for k, places in enumerate(stage["nodes"]):
        for at in places:
            if at >= 0:
                inside[at].add(k)
    joined = [(a, b) for a, b in stage["ends"] if a >= 0 and b >= 0]
    lone = [(a, b) for a, b in stage["ends"] if a < 0 or b < 0]

    assert len(joined) > 10 * len(lone)
    for a, b in joined:
        taken = {x for k in inside[b] for x in record["nodes"][k].get("inputs", ())}
        if not taken & inside[a]:  # attention is read through the rows of what it weighs
            assert model in ("attention", "seq2seq")


# ---- the page ------------------------------------------------------------------------


def test_the_page_has_all_levels_and_loads_nothing():
    """One file: three pictures with ids of their own, no address, no token that acts."""
    page = Page(draw_unrolled(rnn(2), tokens=[EVIL, "&"], title=EVIL).html())

    assert page.levels == list(LEVELS)
    assert len(page.ids) == len(set(page.ids))
    assert page.outside == page.handlers == []
    assert {"steps-t1", "modules-t1", "ops-t1"} <= set(page.ids)


def test_a_step_has_the_same_place_in_all_levels():
    """The columns of the levels are called alike, so that a click finds its step again."""
    ids = Page(draw_unrolled(lstm(3)).html()).ids

    for level in LEVELS:
        columns = [f"{level}-t{t}" for t in (1, 2, 3)]
        assert [name for name in ids if name in columns] == columns


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=30) | st.just(EVIL))
def test_no_name_can_act(name):
    """Whatever a node is called, the page has its own two scripts, and those are what its policy allows."""
    page = Page(draw_graph((Value(2.0, name=name) * 3).named(name), title=name).html())
    data, script = page.scripts

    assert not set("<>&\u2028\u2029") & set(data)
    assert json.loads(data)["nodes"]
    assert page.outside == page.handlers == []
    for content in (script, *page.styles):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; script-src 'sha256-")


def test_the_script_makes_no_markup_of_text():
    """The script of the page has none of the ways in which a text becomes an element, or code."""
    script = Page(draw_unrolled(rnn(2)).html()).scripts[1]

    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert way not in script


def test_colours_have_a_light_and_a_dark_side():
    """Every variable that a picture uses is defined, by the colours of both themes."""
    theme = PageTheme()
    names = ["ink", "paper", "ramp 0.5", "on ramp 0.5", "weight 2", "tint 2", "signed -0.5"]
    variables = [theme.hex(name) for name in names]
    text = draw_unrolled(rnn(2)).html()

    assert theme.hex("none") == "none"
    for name, variable in zip(names, variables):
        assert f"{variable[4:-1]}: light-dark({LIGHT.hex(name)}, {DARK.hex(name)});" in theme.css
    assert set(re.findall(r"var\((--c\d+)\)", text)) == set(re.findall(r"(--c\d+): light-dark", text))


def test_a_notebook_gets_the_page_in_a_frame():
    """The frame has the very page, may run its script, and nothing else."""
    drawing = draw_unrolled(rnn(2))
    shown = drawing.player(height=500)._repr_html_()

    assert entities.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1]) == drawing.html()
    assert 'sandbox="allow-scripts"' in shown
    assert "height: 500px" in shown
