"""The gallery, docs/gallery/: its scripts run, and draw the pictures that are kept there."""

import re
import runpy
from xml.etree import ElementTree

import pytest

from house import ROOT
from tinygrad_seq.viz import Drawing
from tinygrad_seq.viz.charts import chart_file

GALLERY = ROOT / "docs" / "gallery"
SCRIPTS = sorted(path.stem for path in GALLERY.glob("*.py") if path.stem != "__main__")
SLOW = {"seq2seq_attention", "alignment_map", "gates", "influence"}  # which train for some seconds
KEPT = {path.name for path in GALLERY.iterdir() if path.suffix in (".svg", ".png", ".txt")}
NUMBER = re.compile(r"[-−]?\d+(\.\d+)?(e[-−]?\d+)?")
WORD = re.compile(r"<!-- (.*?) -->")  # of a chart, whose letters are curves
index = runpy.run_path(str(GALLERY / "__main__.py"))


@pytest.fixture(autouse=True)
def without_png(monkeypatch):
    """PNG is made from the SVG, and takes longer than all the rest."""
    monkeypatch.setattr(Drawing, "png", lambda self, *, dpi=192: b"")
    savefig = chart_file.Figure.savefig
    monkeypatch.setattr(
        chart_file.Figure, "savefig",
        lambda self, file, *, format, **options: format == "png" or savefig(self, file, format=format, **options),
    )  # fmt: skip


def content(svg):
    """What an SVG shows: its parts by id, in their order, and its words; numbers may differ in their last digits."""
    root = ElementTree.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id") and "matplotlib" not in svg]
    words = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]
    return ids, [NUMBER.sub("#", word) for word in words + WORD.findall(svg)]


def places(svg):
    """Where the nodes stand, and how large the picture is."""
    root = ElementTree.fromstring(svg)
    boxes = [
        (float(rect.get("x")), float(rect.get("y")), float(rect.get("width")), float(rect.get("height")))
        for node in root.iter()
        if (node.get("class") or "").startswith("node")
        for rect in node
        if rect.tag.endswith("}rect")
    ]
    return [tuple(float(number) for number in root.get("viewBox").split()), *boxes]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in SCRIPTS]
)
def test_a_script_draws_the_picture_that_is_kept(name, tmp_path):
    """Each script makes its files, with the same parts, words and places as in those of the gallery."""
    index["run"](GALLERY / f"{name}.py", tmp_path)
    made = {path.name for path in tmp_path.iterdir()}

    assert any(file.startswith(f"{name}.") for file in made)
    assert made <= KEPT
    for file in made:
        new, kept = tmp_path / file, GALLERY / file
        if file.endswith(".txt"):
            assert new.read_text("utf-8") == kept.read_text("utf-8")
        elif file.endswith(".svg"):
            assert content(new.read_text("utf-8")) == content(kept.read_text("utf-8"))
            assert len(places(new.read_text("utf-8"))) == len(places(kept.read_text("utf-8")))
            for one, other in zip(places(new.read_text("utf-8")), places(kept.read_text("utf-8"))):
                assert one == pytest.approx(other, abs=1)


def test_every_script_is_in_the_index():
    """And the index names nothing else."""
    assert sorted(index["ORDER"]) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_index_has_the_code_as_it_is(name):
    """Docstring and code of each script stand in README.md: after a change of either, run `make docs`."""
    page = (GALLERY / "README.md").read_text("utf-8")
    says, _, code = index["entry"](GALLERY / f"{name}.py", []).partition("<details>")

    assert says.strip() in page
    assert code in page


def test_nothing_in_the_gallery_is_left_over():
    """Every picture is in the index, beside its PNG, and none is too large for a repository."""
    page = (GALLERY / "README.md").read_text("utf-8")

    assert {file for file in KEPT if file.endswith(".svg")} == set(re.findall(r"\]\((\w+\.svg)\)", page))
    assert {file[:-4] for file in KEPT if file.endswith(".png")} == {f[:-4] for f in KEPT if f.endswith(".svg")}
    assert max((GALLERY / file).stat().st_size for file in KEPT) < 800_000


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short(name):
    """A reader sees it whole: at most 30 lines of code, after a docstring that says what is to be seen."""
    code = index["entry"](GALLERY / f"{name}.py", []).partition("~~~python\n")[2].partition("\n~~~")[0]

    assert 5 < len(code.splitlines()) <= 30
