"""The report of a tour: a page that stands alone, in two languages that say the same."""

import re
from functools import cache
from html.parser import HTMLParser
from string import Formatter
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygrad_seq.cli.tour.pictures import pictures_of
from tinygrad_seq.errors import DataError, UnknownNameError
from tinygrad_seq.gradflow import verdict
from tinygrad_seq.viz.pictures.labels import visible
from tinygrad_seq.viz.report import LANGUAGES, Texts, report_page
from tinygrad_seq.viz.report.inline import inline
from tinygrad_seq.viz.report.markup import formula, marked, number, plain_number, unmarked
from tours import drawn, page, told

pytestmark = pytest.mark.xdist_group("tour")
VOID = {"meta", "link", "br", "hr", "img", "input"}


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


@cache
def elements_of(language):
    """Those of the report of the tour."""
    return Elements(page(language))


# ---- the page ------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole(language):
    """Every element that opens is closed, in order, no id comes twice, and it says its language."""
    elements = elements_of(language)
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]

    assert elements.open == []
    assert page(language).startswith(f'<!DOCTYPE html>\n<html lang="{language}">')
    assert [name for name in ids if ids.count(name) > 1] == []
    assert len(ids) > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_stands_alone(language):
    """No script, no address of another place; what it refers to are its own parts and the files beside it."""
    elements = elements_of(language)
    links = [v for _, attributes in elements.found for k, v in attributes.items() if k.endswith(("href", "src"))]
    names = {chapter.name for chapter in told()}
    beside = {link for link in links if not link.startswith(("#", "data:image/png;base64,"))}

    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in elements.found}
    assert {f"#{name}" for name in names} <= set(links)
    assert beside == set(drawn()[1])
    assert set(re.findall(r"https?://[\w./]+", page(language))) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


def test_references_inside_a_picture_stay_inside_it():
    """Each #… in a picture is the id of an element of the same picture."""
    svgs = re.findall(r"<svg.*?</svg>", page(), re.DOTALL)
    for svg in svgs:
        root = ElementTree.fromstring(svg)
        own = {e.attrib["id"] for e in root.iter() if "id" in e.attrib}
        assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg)) <= own

    assert len(svgs) > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_of_the_texts_is_there_and_described(language):
    """What a chapter of the texts shows was drawn, and the reverse; for who cannot see it there are words."""
    asked = {name for chapter in told() for name in Texts(language).figures(chapter.name)}
    described = [
        attributes.get("aria-label") or attributes.get("alt")
        for tag, attributes in elements_of(language).found
        if tag in ("svg", "img")
    ]

    assert asked == set(drawn()[0])
    assert len(described) == len(asked)
    assert all(described)


def test_pictures_are_drawn_in_the_language_of_the_page():
    """Titles, labels and axes have its letters; a missing one would be a warning, which is an error here."""
    gru = told()[2]
    english, korean = (pictures_of(gru, Texts(language)) for language in ("en", "ko"))

    assert korean["gru_flow"].svg != english["gru_flow"].svg
    assert set(korean["gru_flow"].data["label"]) > {"GRU(강의의 식)"}


def test_pictures_are_files_too():
    """SVG and PNG of each for slides, the numbers of each chart as CSV, and the animation as GIF."""
    inside, beside = drawn()
    for name, picture in inside.items():
        if name == "training":
            assert beside["training.gif"].startswith(b"GIF89a")
            continue
        assert beside[f"{name}.svg"].decode() == picture
        assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        assert beside[f"{name}.png"].startswith(b"\x89PNG\r\n")
        if f"{name}.csv" in beside:
            assert beside[f"{name}.csv"].decode().count("\n") > 1

    assert sum(name.endswith(".csv") for name in beside) > 15


def test_the_page_says_the_numbers():
    """The table of the word has each step's loss, gradient and part, before and after; the text its bits."""
    rnn = told()[0]
    for row in rnn.tables["word"]:
        for key in ("L_before", "flow_before", "part_before", "L_after", "flow_after", "part_after"):
            assert f"<td>{number(float(row[key]))}</td>" in page()
    assert f"{rnn.values['bits']:.2f}" in page()
    assert "tinygrad_seq 1.2.3" in page()


def test_every_claim_is_answered():
    """A card for each claim, marked by its outcome, in the page."""
    cards = re.findall(r'class="claim (\w+)"', page())

    assert cards == [outcome for chapter in told() for outcome in chapter.outcomes.values()]


HOSTILE = ["<b>&\"'</b>", "안녕하세요", "\x00\ud800\u202e!", "$x_t$ {T}", "**\ue000**", "`x`"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_any_text_is_shown_and_nothing_else(hostile):
    """Letters that mean something in HTML or in our templates, control characters: shown, never obeyed."""
    rnn = told()[0]
    rows = [{**row, "token": hostile, "target": hostile, "says_before": hostile} for row in rnn.tables["word"]]
    sample = {**rnn.tables["samples"][0], "prompt": hostile, "text": hostile}
    values = {**rnn.values, "letters": hostile, "said_before": hostile, "first": hostile}
    chapter = rnn._replace(values=values, tables={"word": rows, "samples": [sample]})
    made = report_page([chapter], {}, Texts("en"), command=hostile, version=hostile)
    elements = Elements(made)

    assert elements.open == []
    assert made.encode()
    assert "b" not in {tag for tag, attributes in elements.found if attributes}
    assert not re.search("[\x00-\x08\ud800-\udfff\u202e]", made)
    assert hostile.isprintable() <= ("".join(elements.words).count(visible(hostile)) >= 8)


def test_a_picture_that_was_not_made_is_left_out():
    """And a page of one chapter has no link to another."""
    made = report_page([told()[2]], {}, Texts("en"), command="x", version="1")

    assert "<figure" not in made
    assert re.findall(r'<a href="#([\w-]+)"', made) == ["gru"]


def test_the_short_version_says_that_it_is_one():
    """--fast is written on the page."""
    said = Texts("en").html(Texts("en")["page.short"], {})

    assert said not in page()
    assert said in report_page(told(), {}, Texts("en"), command="x", version="1", short=True)


def test_inlined_pictures_keep_to_themselves():
    """Ids get the picture's name, references follow them, and metadata goes."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="10pt" height="5pt"><metadata>when</metadata>'
        '<defs><path id="p"/><path id="p"/></defs><use href="#p"/><rect fill="url(#p)"/></svg>'
    )
    made = inline(svg, 'a "picture"', "mine")

    assert made.count('id="mine-p"') == 1
    assert 'href="#mine-p"' in made
    assert "url(#mine-p)" in made
    assert "when" not in made
    assert "&quot;picture&quot;" in made


# ---- the texts -----------------------------------------------------------------------


def leaves(content, path=""):
    """Every text, by where it stands."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(content, list):
        for n, value in enumerate(content):
            yield from leaves(value, f"{path}[{n}]")
    else:
        yield path, content


def fields(text):
    """The values that a text names."""
    return sorted({field for _, field, _, _ in Formatter().parse(text) if field}) if isinstance(text, str) else text


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_all_languages_say_the_same(language):
    """The same texts in the same places, and in each the same values."""
    english, other = (dict(leaves(Texts(name)._all)) for name in ("en", language))

    assert {*other} == {*english}
    for path, text in english.items():
        assert fields(other[path]) == fields(text), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_written_whatever_comes_out(language):
    """Each variant of each claim, also those that this run did not need, finds its values."""
    texts = Texts(language)
    for chapter in told():
        for block in texts[f"chapters.{chapter.name}.blocks"]:
            if "claim" in block:
                assert block["claim"] in chapter.outcomes
                for outcome in ("holds", "partly", "fails"):
                    said = texts.html(block["found"], {**chapter.values, "outcome": outcome})
                    assert said
                    assert not re.search(r"[{}\ue000-\uf8ff]", re.sub("<[^>]*>", "", said))
        claims = [block["claim"] for block in texts[f"chapters.{chapter.name}.blocks"] if "claim" in block]
        assert claims == list(chapter.outcomes)


SERIES = {
    "vanishing": [0.5**n for n in range(20, 0, -1)], "exploding": [2.0**n for n in range(20, 0, -1)],
    "steady": [1.0] * 20, "uneven": [10.0 ** -((n / 3) ** 2) for n in range(-9, 10)], "zero": [0.0] * 9,
    "too short": [1.0], "not finite": [float("nan")] * 9, "cut": [0.0] * 9 + [1.0] * 5,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", SERIES)
def test_every_verdict_has_a_sentence(language, kind):
    """Of one run and of several, in all languages."""
    texts = Texts(language)
    for series in (SERIES[kind], [SERIES[kind]] * 3):
        found = verdict(series)
        assert found.kind == kind
        assert texts.plain("{x!v}", {"x": found}) not in ("", texts["verdicts.none"])
        assert texts.html("{x!v}", {"x": found})


def test_a_language_that_there_is_not():
    """The error says which there are."""
    with pytest.raises(DataError, match=r"en, ko, not in 'fr'"):
        Texts("fr")


def test_a_value_or_a_text_that_there_is_not():
    """The error names it, and what there is."""
    texts = Texts("en")

    with pytest.raises(UnknownNameError, match=r"no value \{wrong\} for the text 'a \{wrong\}'; there is right"):
        texts.plain("a {wrong}", {"right": 1})
    with pytest.raises(UnknownNameError, match=r"have no 'page\.headline'"):
        texts["page.headline"]
    with pytest.raises(UnknownNameError, match="no text for outcome = 'fails'; there is holds"):
        texts.plain({"holds": "yes"}, {"outcome": "fails"})


@given(st.text(), st.text())
@example("\ue001", "a letter that stands for the other value")
def test_a_value_is_never_taken_for_a_sign(value, other):
    """What stands between the texts of a template is exactly the value, in the terminal's version."""
    assert Texts("en").plain("$x_t$ = {a}, **{b}**.", {"a": value, "b": other}) == f"x_t = {value}, {other}."


@pytest.mark.parametrize(
    ("template", "value", "html", "plain"),
    [
        ("{x}", 0.123456, "0.123", "0.123"), ("{x:%}", 0.256, "26%", "26%"), ("{x:%}", 0.0123, "1.2%", "1.2%"),
        ("{x}", 3, "3", "3"), ("{x:,}", 12345, "12,345", "12,345"), ("{x!n}", "gru", "GRU", "GRU"),
        ("{x!t}", 12.3, '<span class="time">12</span>', "12"), ("{x.a[1]}", SimpleNamespace(a=[1, 2]), "2", "2"),
        ("$∂L_{x}$", 4, "∂<var>L</var><sub>4</sub>", "∂L_4"), ("{x}", "<", "&lt;", "<"),
        ("{x:%}", float("nan"), "no share", "no share"),
    ],
)  # fmt: skip
def test_values_are_written_as_asked(template, value, html, plain):
    """Three digits, percent, names, times, and parts of values."""
    assert Texts("en").html(template, {"x": value}) == html
    assert Texts("en").plain(template, {"x": value}) == plain


# ---- formulas and numbers ------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "typeset"),
    [
        ("h_t", "<var>h</var><sub>t</sub>"),
        ("tanh(x_t W_x)", "tanh(<var>x</var><sub>t</sub> <var>W</var><sub>x</sub>)"),
        ("h_{t−1} < b", "<var>h</var><sub>t−1</sub> &lt; <var>b</var>"),
        ("∂L_4/∂W_x", '<span class="one">∂<var>L</var><sub>4</sub>/∂<var>W</var><sub>x</sub></span>'),
        ("n^2.00", "<var>n</var><sup>2.00</sup>"),
        ("loss", "loss"),
    ],
)
def test_formulas_are_typeset(content, typeset):
    """Single letters in italics, what stands after _ below the line and after ^ above, words as they are."""
    assert formula(content) == typeset


def test_marks():
    """Formulas, strong words and code, also one in the other."""
    assert marked("**a $x_t$** `<b>`") == "<b>a <var>x</var><sub>t</sub></b> <code>&lt;b&gt;</code>"
    assert unmarked("**a $x_t$** `<b>`") == "a x_t <b>"


@pytest.mark.parametrize(
    ("x", "written"),
    [
        (0.0, "0"), (1.0, "1"), (5.6613, "5.66"), (0.000123, "0.000123"), (12345.6, "12,300"), (-0.5, "−0.5"),
        (2.66e-9, "2.7 · 10<sup>−9</sup>"), (9.96e-5, "1.0 · 10<sup>−4</sup>"), (3e12, "3.0 · 10<sup>12</sup>"),
        (float("nan"), "nan"), (float("inf"), "∞"),
    ],
)  # fmt: skip
def test_numbers_are_short(x, written):
    """Three digits, or two with a power of ten."""
    assert number(x) == written


@given(st.floats())
def test_a_terminal_can_show_any_number(x):
    """Without HTML, and short."""
    assert len(plain_number(x)) <= 9
    assert "<" not in plain_number(x)
