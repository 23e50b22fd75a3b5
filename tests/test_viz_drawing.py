"""Saving a drawing: formats, failures, and nothing half-written."""

import io
import json
import os
import subprocess
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tinygrad_seq.viz import (
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
    draw_unrolled,
)
from tinygrad_seq.viz.layout import graphviz_program
from tinygrad_seq.viz.pictures.dot import to_dot
from tinygrad_seq.viz.pictures.drawing import FORMATS
from tinygrad_seq.viz.pictures.labels import plain
from tinygrad_seq.viz.pictures.palette import DARK, LIGHT
from tinygrad_seq.viz.pictures.picture import Box, Group, Picture, Segment
from viz_records import rnn

STARTS = {".svg": b"<svg ", ".png": b"\x89PNG", ".pdf": b"%PDF", ".dot": b"digraph {", ".html": b"<!DOCTYPE html>"}
posix = pytest.mark.skipif(os.name != "posix", reason="links, modes and masks of POSIX")


@pytest.fixture(scope="module")
def picture():
    return draw_unrolled(rnn(T=2), tokens=["저는", "<b>"])


@pytest.mark.parametrize("ending", FORMATS)
def test_each_format_is_written(picture, tmp_path, monkeypatch, ending):
    """Each is written without any other program, also under names with spaces and any letters."""
    monkeypatch.setenv("PATH", "")
    path = tmp_path / f'한글 it\'s a "name"{ending}'

    assert picture.save(path) == picture.save(str(path)) == path
    assert path.read_bytes().startswith(STARTS[ending])
    assert [path.name] == os.listdir(tmp_path)


@pytest.mark.parametrize("ending", FORMATS)
def test_the_same_picture_gives_the_same_bytes(picture, tmp_path, ending):
    """A drawing of a record made anew is the same file in every format, under capital letters too."""
    one = picture.save(tmp_path / f"one{ending}")
    other = draw_unrolled(rnn(T=2), tokens=["저는", "<b>"]).save(tmp_path / f"OTHER{ending.upper()}")

    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.svgz", ".svg"])
def test_unknown_endings_are_refused(picture, tmp_path, name):
    """The error lists the endings that there are."""
    with pytest.raises(UnknownFormatError, match=r"\.svg, \.png, \.pdf, \.dot"):
        picture.save(tmp_path / name)


def test_a_folder_that_is_not_there(picture, tmp_path):
    """The error is an OSError that names the path."""
    with pytest.raises(SaveError, match=r"cannot save.*no folder.*missing"):
        picture.save(tmp_path / "missing" / "a.svg")
    with pytest.raises(OSError, match="cannot save"):
        picture.save(tmp_path / "missing" / "a.svg")


def test_nothing_half_written(picture, tmp_path, monkeypatch):
    """When writing fails the old file is still whole and no other file lies beside it."""
    path = tmp_path / "a.svg"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SaveError, match="No space left"):
        picture.save(path)

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.svg"]


@posix
def test_a_link_is_followed_and_a_file_keeps_its_mode(picture, tmp_path):
    """As `open` does: what a link leads to is written, a private file stays private, a new one has the usual mode."""
    (tmp_path / "far").mkdir()
    private, link, usual = tmp_path / "far" / "a.svg", tmp_path / "link.svg", tmp_path / "usual"
    private.write_text("old")
    private.chmod(0o600)
    link.symlink_to(private)
    usual.write_text("")
    picture.save(link)
    picture.save(tmp_path / "new.svg")

    assert link.is_symlink()
    assert private.read_text("utf-8") == picture.svg
    assert private.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new.svg").stat().st_mode == usual.stat().st_mode


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write")
@pytest.mark.parametrize("locked", ["a.svg", "."])
def test_what_must_not_be_written_is_left(picture, tmp_path, locked):
    """A file that is read-only, or a folder: an error, and the old file is there."""
    (tmp_path / "a.svg").write_text("old")
    (tmp_path / locked).chmod(0o500)

    with pytest.raises(SaveError, match="Permission denied"):
        picture.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == "old"


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_leaves_nothing(picture, tmp_path, monkeypatch, call, stop):
    """Ctrl-C at the last moment is passed on; the old file is whole and no other lies beside it."""
    path = tmp_path / "a.png"
    path.write_text("old")

    def stopped(*_):
        raise stop

    monkeypatch.setattr(os, call, stopped)
    with pytest.raises(stop):
        picture.save(path)

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_nothing_is_written_elsewhere(picture, tmp_path, monkeypatch):
    """A path is taken as `open` takes it: from where we are, through folders and out of them again."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in")
    picture.save("a.svg")
    picture.save("deep/../../b c.svg")
    picture.save("-Tpng;rm *.svg")

    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.svg")) == [
        "b c.svg", "in/-Tpng;rm *.svg", "in/a.svg",
    ]  # fmt: skip
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 3


@pytest.mark.parametrize("name", ["x" * 251, "한" * 83, "😀" * 62])
def test_a_name_as_long_as_a_file_can_have(picture, tmp_path, name):
    """255 bytes with its ending."""
    path = picture.save(tmp_path / f"{name}.svg")

    assert path.read_bytes().startswith(STARTS[".svg"])
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("name", ["null\0.svg", "x" * 300 + ".svg", "folder.svg"])
def test_a_name_that_no_file_can_have(picture, tmp_path, name):
    """A null character, a name too long, the name of a folder: an error, and nothing is left."""
    (tmp_path / "folder.svg").mkdir()

    with pytest.raises(SaveError, match="cannot save"):
        picture.save(tmp_path / name)
    assert os.listdir(tmp_path) == ["folder.svg"]


def test_dpi_is_the_size_of_the_png(picture):
    """Twice the dpi is twice the width."""
    widths = [int.from_bytes(picture.png(dpi=dpi)[16:20], "big") for dpi in (96, 192)]

    assert widths[0] == pytest.approx(picture.picture.width, abs=1)
    assert widths[1] == pytest.approx(2 * picture.picture.width, abs=2)


@pytest.mark.parametrize("dpi", [72, 96, 300])
def test_a_png_says_its_dpi(picture, dpi):
    """So that a document shows it in its true size, 96 pixels of the SVG an inch; and it can be read."""
    image = Image.open(io.BytesIO(picture.png(dpi=dpi)))
    image.load()

    assert image.info["dpi"] == pytest.approx((dpi, dpi), rel=1e-3)
    assert image.width / dpi == pytest.approx(picture.picture.width / 96, abs=1 / dpi)


def test_a_png_too_large_is_refused(picture):
    """The error says what would fit, and it does."""
    with pytest.raises(PictureTooLargeError, match=r"dpi=\d+") as caught:
        picture.png(dpi=100_000)
    fitting = int(str(caught.value).rpartition("dpi=")[2].split()[0])

    assert 0.99 < picture.picture.width * picture.picture.height * (fitting / 96) ** 2 / 100_000_000 <= 1


@pytest.mark.parametrize("dpi", [0, -96, float("nan"), float("inf"), 0.01])
def test_a_dpi_must_leave_pixels(picture, tmp_path, dpi):
    """It is a positive number, and not so small that nothing is left."""
    with pytest.raises(ValueError, match="dpi"):
        picture.save(tmp_path / "a.png", dpi=dpi)
    assert os.listdir(tmp_path) == []


@settings(max_examples=40)
@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
@example("\\", "]")
def test_any_text_is_safe_in_dot(title, label):
    """Whatever names and labels hold, a Graphviz program reads the DOT, and finds one node."""
    box = Box("n" + label, 50, 50, 40, 30, (Segment(plain(label), 38), Segment((), 2)), 4, title=title)
    source = to_dot(Picture(100, 100, (box,), title))
    answer = subprocess.run(
        [*graphviz_program.layout_program(), "-Tplain"], input=source.encode(), capture_output=True, check=True
    )

    assert answer.stdout.decode().count("\nnode ") == 1


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_the_dot_keeps_the_places(picture, theme):
    """`neato -n2` puts every node of a saved DOT where the picture has it, the columns around them, in its colours."""
    shown = replace(picture.picture, theme=theme)
    command = (graphviz_program.pure_program(), "-Kneato", "-n2", "-Tjson0")
    answer = json.loads(graphviz_program.run(command, to_dot(shown)))
    boxes = {part.id: part for part in shown.walk() if isinstance(part, Box)}
    columns = {f"cluster_{part.id}": part.frame for part in shown.walk() if isinstance(part, Group) and part.frame}
    nodes = {each["name"]: each for each in answer["objects"] if each["name"] in boxes}
    clusters = {each["name"]: each for each in answer["objects"] if each["name"] in columns}
    moved = set()
    for name, each in nodes.items():
        x, y = map(float, each["pos"].split(","))
        moved.add((round(x - boxes[name].x), round(y + boxes[name].y)))
        assert each["fillcolor"] == theme.hex(boxes[name].fill)
    for name, each in clusters.items():
        (x, y, width, height), (left, low, right, top) = columns[name], map(float, each["bb"].split(","))
        moved |= {(round(left - x), round(top + y)), (round(right - x - width), round(low + y + height))}
        assert each["fillcolor"] == theme.hex("column")

    assert nodes.keys() == boxes.keys()
    assert clusters.keys() == columns.keys()
    assert max(x for x, _ in moved) - min(x for x, _ in moved) <= 1
    assert max(y for _, y in moved) - min(y for _, y in moved) <= 1


def test_notebooks_show_the_svg(picture):
    """`_repr_svg_` is the SVG, and it is an accessible image with a title."""
    root = ElementTree.fromstring(picture._repr_svg_())

    assert root.get("role") == "img"
    assert root.findtext("{http://www.w3.org/2000/svg}title")
    assert picture._repr_svg_() == picture.svg
