"""Saving a drawing: formats, failures, and nothing half-written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinygrad_seq import Value
from tinygrad_seq.viz import (
    GraphvizFailedError,
    GraphvizMissingError,
    PictureTooLargeError,
    SaveError,
    UnknownFormatError,
    draw_graph,
    draw_unrolled,
    drawing,
    graphviz_program,
)
from tinygrad_seq.viz.dot import to_dot
from tinygrad_seq.viz.labels import plain
from tinygrad_seq.viz.picture import Box, Picture, Segment
from viz_records import rnn

SYSTEM = shutil.which("neato")


@pytest.fixture(scope="module")
def picture():
    return draw_unrolled(rnn(T=2), tokens=["저는", "<b>"])


@pytest.mark.parametrize(("ending", "start"), [(".svg", b"<svg "), (".png", b"\x89PNG"), (".dot", b"digraph {")])
def test_each_format_is_written(picture, tmp_path, ending, start):
    """SVG, PNG and DOT are written without a system Graphviz, also under names with spaces and any letters."""
    path = tmp_path / f'한글 it\'s a "name"{ending}'

    assert picture.save(path) == path
    assert path.read_bytes().startswith(start)
    assert [path.name] == os.listdir(tmp_path)


@pytest.mark.skipif(not SYSTEM, reason="no system Graphviz here")
def test_pdf_with_a_system_graphviz(picture, tmp_path):
    """Where there is a system Graphviz a drawing is saved as PDF."""
    assert picture.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_pdf_without_a_system_graphviz(picture, tmp_path, monkeypatch):
    """Where there is none the error says what to install and what works without; no file is left."""
    monkeypatch.setattr(shutil, "which", lambda name: None)

    with pytest.raises(GraphvizMissingError, match=r"apt install graphviz.*\.svg or \.png"):
        picture.save(tmp_path / "a.pdf")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.svgz", ".svg"])
def test_unknown_endings_are_refused(picture, tmp_path, name):
    """The error lists the endings that there are."""
    with pytest.raises(UnknownFormatError, match=r"\.svg, \.png, \.pdf, \.dot"):
        picture.save(tmp_path / name)


def test_a_folder_that_is_not_there(picture, tmp_path):
    """The error is an OSError that names the path."""
    with pytest.raises(SaveError, match=r"cannot save the drawing.*missing"):
        picture.save(tmp_path / "missing" / "a.svg")
    with pytest.raises(OSError, match="cannot save"):
        picture.save(tmp_path / "missing" / "a.svg")


def test_nothing_half_written(picture, tmp_path, monkeypatch):
    """When writing fails the old file is still whole and no other file lies beside it."""
    path = tmp_path / "a.svg"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawing.os, "replace", full)
    with pytest.raises(SaveError, match="No space left"):
        picture.save(path)

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.svg"]


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


def test_a_png_too_large_is_refused(picture):
    """The error says what would fit."""
    with pytest.raises(PictureTooLargeError, match=r"dpi=\d+"):
        picture.png(dpi=100_000)
    with pytest.raises(ValueError, match="dpi"):
        picture.png(dpi=0)


def test_no_program_at_all(monkeypatch):
    """Without any Graphviz program the error says what to install."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(graphviz_program, "pure_program", lambda: None)

    with pytest.raises(GraphvizMissingError, match="pip install graphviz-pure"):
        draw_graph(Value(1.0) + Value(2.0))


def test_the_wheel_serves_where_the_system_has_none(monkeypatch):
    """graphviz-pure is found beside the interpreter, also where the path names nothing."""
    monkeypatch.setattr(shutil, "which", lambda name: None)

    program, engine = graphviz_program.layout_program()

    assert Path(program).parent == Path(sys.executable).parent
    assert engine == "-Kdot"
    ElementTree.fromstring(draw_unrolled(rnn(T=3)).svg)


def test_a_program_that_fails_is_an_error(tmp_path):
    """What the program said last is in the message."""
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho 'Error: something' >&2\nexit 3\n")
    program.chmod(0o755)

    with pytest.raises(GraphvizFailedError, match="exit code 3 and said: Error: something"):
        graphviz_program.run((str(program),), "digraph {}")


@settings(max_examples=40)
@given(st.text(max_size=30), st.text(min_size=1, max_size=30))
@example("\\", "]")
def test_any_text_is_safe_in_dot(title, label):
    """Whatever names and labels hold, a Graphviz program reads the DOT, and finds one node."""
    box = Box("n" + label, 50, 50, 40, 30, (Segment(plain(label), 40),), 4, title=title)
    source = to_dot(Picture(100, 100, (box,), title))
    answer = subprocess.run(
        [*graphviz_program.layout_program(), "-Tplain"], input=source.encode(), capture_output=True, check=True
    )

    assert answer.stdout.decode().count("\nnode ") == 1


def test_notebooks_show_the_svg(picture):
    """`_repr_svg_` is the SVG, and it is an accessible image with a title."""
    root = ElementTree.fromstring(picture._repr_svg_())

    assert root.get("role") == "img"
    assert root.findtext("{http://www.w3.org/2000/svg}title")
    assert picture._repr_svg_() == picture.svg
