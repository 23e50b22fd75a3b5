"""Reports as files: the text, and beside it a picture of the record around the node at fault."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_seq import Op, Tensor, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.testing import pictures
from tinygrad_seq.testing.faults import Fault
from tinygrad_seq.testing.functions.gradients import gradcheck
from tinygrad_seq.testing.pictures import picture_of
from tinygrad_seq.testing.reports import Report
from tinygrad_seq.viz import UnknownFormatError
from tinygrad_seq.viz.pictures.labels import label_width
from tinygrad_seq.viz.pictures.picture import Text
from viz_parts import boxes, words


def softsign_vjp(g, out, x):
    return (g / (1 + np.abs(x)),)


softsign = Op(lambda x: x / (1 + np.abs(x)), softsign_vjp, name="softsign")


def recurrent(x):
    """Three steps of a recurrence with a wrong rule in it, in a scope."""
    h = Tensor(np.zeros(2), name="h")
    with scope("부호기"):
        for _, x_t in steps(x):
            h = softsign((x_t + h) * 2.0).named("h")
    return F.tanh(F.tanh(F.tanh(h)))


@pytest.fixture(scope="module")
def wrong():
    """The report on it."""
    return gradcheck(recurrent, [[[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]]], raise_exception=False)


def notes(drawing):
    """The texts under a picture."""
    return [part for part in drawing.picture.walk() if isinstance(part, Text) and part.kind == "note"]


# ---- the picture ---------------------------------------------------------------------


def test_the_picture_points_at_the_node_at_fault(wrong):
    """The op and its value are marked, and say what is wrong and at which line; nothing else is marked."""
    found = boxes(picture_of(wrong.faults, wrong.outputs))
    marked = {name: words(box) for name, box in found.items() if box.stroke == "mark"}

    assert wrong.faults[0].node.t == 1
    assert list(marked) == ["t1.부호기.h", "t1.부호기.h.op"]
    assert marked["t1.부호기.h"][0] == "h1"
    assert marked["t1.부호기.h"][-1] == f"wrong derivative by input 0, {wrong.faults[0].node.source}"
    assert marked["t1.부호기.h.op"] == ["softsign"]


def test_the_picture_shows_two_generations_each_way_and_names_the_rest(wrong):
    """What the node was made from and what was made of it, also past its own step; what is further off is a name."""
    found = boxes(picture_of(wrong.faults, wrong.outputs))
    ops = {name: words(box)[0] for name, box in found.items() if name.endswith(".op")}

    assert ops == {
        "t1.부호기.add.op": "+", "t1.부호기.mul.op": "×", "t1.부호기.h.op": "softsign",
        "t2.부호기.add.op": "+", "t2.부호기.mul.op": "×",
    }  # fmt: skip
    assert words(found["t2.부호기.mul.on"]) == ["h2"]


def test_under_the_picture_stands_what_the_report_says(wrong):
    """The message and its details, each on a line of its own, in a picture that is wide enough for them."""
    drawing = picture_of(wrong.faults, wrong.outputs)
    lines = [line.strip() for line in str(wrong.faults[0]).splitlines()]

    texts = notes(drawing)
    assert ["".join(run.text for run in text.label) for text in texts] == lines
    assert drawing.picture.title == lines[0]
    assert all(text.x + label_width(text.label, text.size) < drawing.picture.width for text in texts)
    assert max(text.y for text in texts) < drawing.picture.height
    assert min(text.y for text in texts) > max(box.y + box.height / 2 for box in boxes(drawing).values())


@pytest.mark.parametrize("name", ["긴이름을가진텐서", "a_name_of_many_words_" * 5, "<&>"])
def test_no_name_is_too_long(name):
    """Of long names, and of names in other scripts, boxes are as wide as what they say, and the SVG is well-formed."""
    node = softsign(Tensor([1.0, 2.0], requires_grad=True, name=name)).named(name)
    fault = Fault("value", f"derivative of {name} is wrong", (name * 9,), softsign, 0, node)
    drawing = picture_of((fault,), ())

    ElementTree.fromstring(drawing.svg)
    for box in boxes(drawing).values():
        assert all(label_width(s.label, s.size) <= s.width for s in box.segments)
        assert 0 < box.x - box.width / 2
        assert box.x + box.width / 2 < drawing.picture.width
    assert all(text.x + label_width(text.label, text.size) < drawing.picture.width for text in notes(drawing))


@pytest.mark.parametrize(
    ("kind", "by", "said"),
    [
        ("value", 1, "wrong derivative by input 1"),
        ("dtype", 0, "dtype: derivative by input 0"),
        ("in place", None, "in place"),
    ],
)
def test_the_mark_says_which_kind_of_fault(wrong, kind, by, said):
    """A wrong value by name of the input, other kinds by theirs, and where no input is at fault the kind alone."""
    fault = replace(wrong.faults[0], kind=kind, input=by)
    found = boxes(picture_of((fault,), wrong.outputs))

    assert words(found["t1.부호기.h"])[-1] == f"{said}, {fault.node.source}"


def test_what_the_record_does_not_know_is_pointed_at():
    """The constant that was computed with plain NumPy, with the line where it came in."""

    def forgets(x):
        for _, x_t in steps(x):
            y = F.tanh(x_t) * np.exp(x_t.data)
        return y

    report = gradcheck(forgets, [[[0.5], [0.25]]], raise_exception=False)
    marked = [words(box) for box in boxes(picture_of(report.faults, report.outputs)).values() if box.stroke == "mark"]

    assert report.faults[0].node.is_leaf
    assert [said[-1] for said in marked] == [f"missing dependency, {report.faults[0].node.source}"]


def test_a_node_of_no_output_is_drawn_too(wrong):
    """A node that no output was made from, as one of a recorded gradient, is drawn with what it was made from."""
    found = boxes(picture_of(wrong.faults, ()))

    assert "t1.부호기.h" in found
    assert "t2.부호기.add" not in found


def test_light_and_dark(wrong):
    """The same picture in other colours."""
    light, dark = picture_of(wrong.faults, wrong.outputs), picture_of(wrong.faults, wrong.outputs, dark=True)

    assert light.picture.parts == dark.picture.parts
    assert light.svg != dark.svg


# ---- the files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "begins"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("dot", b"digraph"), ("PDF", b"%PDF")]
)
def test_a_report_is_saved_with_its_picture(wrong, tmp_path, kind, begins):
    """Text and picture stand side by side, in a folder that is made if need be."""
    paths = wrong.save(tmp_path / "new" / "softsign.txt", picture=kind)

    assert [path.name for path in paths] == ["softsign.txt", f"softsign.{kind.lower()}"]
    assert paths[0].read_text("utf-8") == f"{wrong}\n"
    assert paths[1].read_bytes().startswith(begins)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in paths)


def test_without_a_node_there_is_no_picture(wrong, tmp_path):
    """Of a report that is right, or of faults without a node, or where none is wanted, the text alone is written."""
    nowhere = Report("f", (Fault("raises", "f raised"),))

    assert [path.name for path in nowhere.save(tmp_path / "a.txt")] == ["a.txt"]
    assert [path.name for path in Report("f").save(tmp_path / "b.txt")] == ["b.txt"]
    assert [path.name for path in wrong.save(tmp_path / "c.txt", picture=None)] == ["c.txt"]
    assert picture_of(nowhere.faults, nowhere.outputs) is None


@pytest.mark.parametrize(
    ("path", "picture", "error", "said"),
    [
        ("a.txt", "jpg", UnknownFormatError, "svg, png, pdf, dot, html, got 'jpg'"),
        ("a.svg", "svg", ValueError, "where the picture goes"),
    ],
)
def test_wrong_formats_are_explained(wrong, tmp_path, path, picture, error, said):
    """The error says what there is, and nothing is written."""
    with pytest.raises(error, match=said):
        wrong.save(tmp_path / path, picture=picture)

    assert list(tmp_path.iterdir()) == []


def test_all_files_or_none(wrong, tmp_path, monkeypatch):
    """Where the picture cannot be made, or a file not be written, what was there stays as it was."""
    (tmp_path / "r.txt").write_text("before")
    (tmp_path / "blocked.svg").mkdir()

    def fails(*_, **__):
        raise MemoryError

    with pytest.raises(OSError, match="blocked"):
        wrong.save(tmp_path / "blocked.txt")
    monkeypatch.setattr(pictures, "draw_graph", fails)
    with pytest.raises(MemoryError):
        wrong.save(tmp_path / "r.txt")

    assert (tmp_path / "r.txt").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked.svg", "r.txt"]
