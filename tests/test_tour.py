"""The tour: what it measures is true and the same each time, and its page stands alone."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_seq import Graph
from tinygrad_seq.cli.tour import pictures
from tinygrad_seq.models.tour import Sample, text_tour, word_tour
from tinygrad_seq.viz.page import formula, number, tour_page

NAMES = ("unrolled", "last_loss", "parts", "gradient_flow")
VOID = {"meta", "link", "br", "hr", "img", "input"}


@pytest.fixture(scope="module")
def word():
    return word_tour()


@pytest.fixture(scope="module")
def text():
    return text_tour(updates=3, length=30)


@pytest.fixture(scope="module")
def drawn(word):
    return pictures(word)


@pytest.fixture(scope="module")
def page(word, text, drawn):
    return tour_page(word, text, drawn[0], seed=0, version="1.2.3")


class Elements(HTMLParser):
    """All elements of a page, and whether each that opens is closed."""

    def __init__(self, content):
        super().__init__()
        self.found, self.open, self.words = [], [], []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


# ---- what is measured ----------------------------------------------------------------


def test_it_learns_hello(word):
    """After training every prediction is right, and the loss is a hundredth of what it was."""
    targets = [word.task.vocabulary.token(i) for i in word.task.targets]

    assert word.after.predictions == targets == list("ELLO")
    assert word.after.loss.item() < word.before.loss.item() / 100
    assert 1 <= word.solved <= 60


@pytest.mark.parametrize("seed", range(5))
def test_it_learns_hello_from_any_seed(seed):
    """The tour does not depend on a lucky start."""
    assert word_tour(seed, far=2).after.predictions == list("ELLO")


def test_the_same_seed_measures_the_same(word):
    """To the last bit; another seed measures something else."""
    again, other = word_tour(), word_tour(1)

    for m, n in ((word.before, again.before), (word.after, again.after)):
        np.testing.assert_array_equal(m.flow.norms, n.flow.norms)
        np.testing.assert_array_equal(m.parts.by_step, n.parts.by_step)
        np.testing.assert_array_equal(m.far.norms, n.far.norms)
    assert not np.array_equal(word.before.flow.norms, other.before.flow.norms)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_parts_add_up(word, moment):
    """H + E + L + L is the whole ∂L_4/∂W_x, and the shares are 1 together."""
    m = getattr(word, moment)

    assert len(m.parts) == 4
    np.testing.assert_allclose(m.parts.by_step.sum(axis=0), m.whole, atol=1e-14)
    assert m.parts.shares.sum() == pytest.approx(1)


def test_the_flow_is_the_gradient_through_all_later_steps(word):
    """‖∂L_4/∂h_t‖ is what backward leaves at h_t, not only the direct part, which would be zero before step 4."""
    last = word.before.losses[-1]
    last.backward()
    states = [h for h in Graph(last).named("h") if h.t]

    assert word.before.flow.norms == pytest.approx([np.linalg.norm(h.grad) for h in states])
    assert word.before.flow.norms.min() > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_vanishes_over_fifty_steps(seed):
    """At initialisation less than a millionth arrives; the word was read over and over."""
    far = word_tour(seed, updates=1).before.far

    assert far.t.tolist() == list(range(1, 51))
    assert 0 < far.norms[0] < 1e-6 * far.norms[-1]


def test_the_text_is_generated_in_several_ways(text):
    """Greedy, cooler, as learnt, and from the five most likely characters."""
    assert [(s.temperature, s.top_k, len(s.text)) for s in text.samples] == [
        (0.0, None, 30), (0.5, None, 30), (1.0, None, 30), (1.0, 5, 30),
    ]  # fmt: skip
    assert 0 < text.letters_alone < 6


# ---- the page ------------------------------------------------------------------------


def test_the_page_is_whole(page):
    """Every element that opens is closed, in order, and no id comes twice."""
    elements = Elements(page)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]

    assert elements.open == []
    assert page.startswith("<!DOCTYPE html>")
    assert len(ids) == len(set(ids)) > 50


def test_the_page_stands_alone(page):
    """No script, no address of another place; what it refers to are its own parts and the files beside it."""
    elements = Elements(page)
    links = [v for _, attributes in elements.found for k, v in attributes.items() if k.endswith(("href", "src"))]

    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in elements.found}
    assert links
    assert all(re.fullmatch(r"#[\w.-]+|\w+\.(svg|png)", link) for link in links)
    assert set(re.findall(r"https?://[\w./]+", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_references_inside_a_picture_stay_inside_it(page):
    """Each #… in the page is the id of an element of the same picture."""
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        root = ElementTree.fromstring(svg)
        own = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))

        assert used <= own


def test_the_page_has_the_four_pictures_and_what_they_show(page):
    """Unrolled graph, the gradient of the last loss, the parts and the flow, each described for who cannot see it."""
    svgs = [attributes for tag, attributes in Elements(page).found if tag == "svg"]

    assert len(svgs) == 4
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in svgs)
    assert all("width" not in attributes and "viewbox" in attributes for attributes in svgs)


def test_the_page_says_the_numbers(page, word, text):
    """The table has each step's loss, gradient and part, before and after; the text its bits."""
    for m in (word.before, word.after):
        for series in ([L.item() for L in m.losses], m.flow.norms, m.parts.norms):
            for x in series:
                assert f"<td>{number(x)}</td>" in page
    assert f"{text.bits:.2f}" in page
    assert f"{text.letters_alone:.2f}" in page
    assert "tinygrad_seq 1.2.3" in page


def test_the_same_run_makes_the_same_page(page, word, text):
    """No date, no path and no address of an object is in it: the bytes are equal."""
    again = word_tour()

    assert tour_page(again, text, pictures(again)[0], seed=0, version="1.2.3") == page


@pytest.mark.parametrize("hostile", ["<b>&\"'</b>", "안녕하세요", "\x00\ud800\u202e!", "$x_t$"])
def test_any_text_is_shown_and_nothing_else(text, hostile):
    """Letters that mean something in HTML, control characters, other scripts: shown, never obeyed."""
    hostile_text = text._replace(prompt=hostile, samples=[Sample(1.0, None, hostile)])
    word = word_tour(word=hostile, updates=2, far=6)
    page = tour_page(word, hostile_text, dict.fromkeys(NAMES, "<svg/>"), seed=0, version="1")
    elements = Elements(page)

    assert elements.open == []
    assert page.encode()
    assert "b" not in {tag for tag, attributes in elements.found if attributes}
    assert sum(tag == "b" for tag, _ in elements.found) == 2 + 1  # two moments of training, one prompt
    assert not re.search("[\x00-\x08\ud800-\udfff\u202e]", page)


def test_pictures_are_files_too(drawn):
    """SVG documents and PNG for slides, of the same names."""
    svgs, pngs = drawn

    assert set(svgs) == set(pngs) == set(NAMES)
    for name in svgs:
        assert ElementTree.fromstring(svgs[name]).tag == "{http://www.w3.org/2000/svg}svg"
        assert pngs[name].startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(
    ("content", "typeset"),
    [
        ("h_t", "<var>h</var><sub>t</sub>"),
        ("tanh(x_t W_x)", "tanh(<var>x</var><sub>t</sub> <var>W</var><sub>x</sub>)"),
        ("h_{t−1} < b", "<var>h</var><sub>t−1</sub> &lt; <var>b</var>"),
        ("∂L_4/∂W_x", '<span class="one">∂<var>L</var><sub>4</sub>/∂<var>W</var><sub>x</sub></span>'),
        ("loss", "loss"),
    ],
)
def test_formulas_are_typeset(content, typeset):
    """Single letters in italics, what stands after _ below the line, words as they are."""
    assert formula(content) == typeset


@pytest.mark.parametrize(
    ("x", "written"),
    [
        (0.0, "0"), (1.0, "1"), (5.6613, "5.66"), (0.000123, "0.000123"), (12345.6, "12,300"),
        (2.66e-9, "2.7 · 10<sup>−9</sup>"), (9.96e-5, "1.0 · 10<sup>−4</sup>"), (3e12, "3.0 · 10<sup>12</sup>"),
        (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_numbers_are_short(x, written):
    """Three digits, or two with a power of ten."""
    assert number(x) == written
