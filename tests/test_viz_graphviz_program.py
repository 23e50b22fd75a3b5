"""The program that places nodes: which one it is, what holds it, how it fails, and what it answers."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Value
from tinygrad_seq.viz import GraphvizFailedError, GraphvizMissingError, draw_graph
from tinygrad_seq.viz.layout import graphviz_program
from tinygrad_seq.viz.layout.graphviz_program import (
    ALIKE,
    CHOICE,
    course,
    layout_program,
    placed,
    pure_program,
    run,
    version,
)

LAYOUTS = json.loads((Path(__file__).parent / "data" / "graphviz_14_layouts.json").read_text())
SYSTEM, PURE = shutil.which("dot"), pure_program()
posix = pytest.mark.skipif(os.name != "posix", reason="its programs are shell scripts")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A folder that is all of the path, and no choice made outside."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(CHOICE, raising=False)
    return folder


def write(path, script="", says="dot - graphviz version 2.43.0 (0)"):
    """A program that answers -V with what it says, and else runs the script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\nif [ \"$1\" = -V ]; then echo '{says}' >&2; exit; fi\n{script}\n")
    path.chmod(0o755)
    return str(path)


# ---- which one ----------------------------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("system", "wheel", "chosen"),
    [
        (None, True, "wheel"),
        ("dot - graphviz version 16.1.0 (0)", True, "system"),
        ("dot - graphviz version 2.43.0 (0)", True, "wheel"),
        ("dot - graphviz version 2.43.0 (0)", False, "system"),
        ("dot: libgvc.so.6: cannot open shared object file", True, "wheel"),
    ],
)
def test_a_recent_system_graphviz_is_asked_else_the_wheel_else_an_older_one(path, monkeypatch, system, wheel, chosen):
    """What breaks ties as the wheel does is asked first, so that a record has one picture; what is broken is not."""
    if system:
        write(path / "dot", says=system)
    if not wheel:
        monkeypatch.setattr(graphviz_program, "pure_program", lambda: None)

    assert layout_program() == ({"wheel": PURE, "system": str(path / "dot")}[chosen], "-Kdot")


@posix
@pytest.mark.parametrize("name", ["dot", "my dot", 'it\'s "mine"; exit 1', "닷 $(dot)", "-dot"])
def test_the_environment_chooses(path, monkeypatch, name):
    """By a name on the path or by a whole path, with whatever characters; `system` and `pure` by kind."""
    program = write(path / name)
    write(path / "dot")

    choices = {name: program, program: program, "system": str(path / "dot"), "pure": PURE, "": PURE}
    for choice, chosen in choices.items():
        monkeypatch.setenv(CHOICE, choice)
        assert layout_program() == (chosen, "-Kdot")


@posix
@pytest.mark.parametrize(
    ("choice", "error", "says"),
    [
        ("nowhere", GraphvizMissingError, r"TINYGRAD_SEQ_DOT is 'nowhere'.*`system`, `pure`, or the name"),
        ("system", GraphvizMissingError, r"TINYGRAD_SEQ_DOT is 'system'.*graphviz\.org"),
        ("pure", GraphvizMissingError, r"TINYGRAD_SEQ_DOT is 'pure'.*pip install graphviz-pure"),
        ("old", GraphvizFailedError, r"chosen by TINYGRAD_SEQ_DOT=old\) is Graphviz 2\.38, and drawing needs 2\.40"),
        ("other", GraphvizFailedError, r"chosen by TINYGRAD_SEQ_DOT=other\).*said 'ls \(GNU coreutils\) 9\.1'"),
        ("text", GraphvizFailedError, r"text could not be started"),
    ],
)
def test_a_wrong_choice_is_an_error_that_says_where_it_came_from(path, monkeypatch, choice, error, says):
    """What is not there, too old, no Graphviz, or no program, is never passed over for another."""
    write(path / "old", says="dot - graphviz version 2.38.0 (20140413.2041)")
    write(path / "other", says="ls (GNU coreutils) 9.1")
    (path / "text").write_text("text")
    (path / "text").chmod(0o755)
    monkeypatch.setattr(graphviz_program, "pure_program", lambda: None)
    monkeypatch.setenv(CHOICE, choice)

    with pytest.raises(error, match=says):
        layout_program()


def test_no_program_at_all(path, monkeypatch):
    """Without any Graphviz program the error says what to install."""
    monkeypatch.setattr(graphviz_program, "pure_program", lambda: None)

    with pytest.raises(GraphvizMissingError, match="pip install graphviz-pure"):
        draw_graph(Value(1.0) + Value(2.0))


@posix
def test_the_version_is_read_once(path):
    """However many pictures are drawn, a program is asked for its version one time."""
    program = path / "dot"
    program.write_text(f"#!/bin/sh\necho \"$@\" >> '{path}/asked'\necho 'graphviz version 16.1.0'\n")
    program.chmod(0o755)
    for _ in range(3):
        layout_program()

    assert version(str(program)) == (16, 1)
    assert (path / "asked").read_text() == "-V\n"


def test_the_wheel_is_found_beside_the_interpreter(path):
    """Also where the path names nothing, and where the interpreter does not know its own place."""
    pure_program.cache_clear()

    assert Path(pure_program()).parent == Path(sys.executable).parent
    assert version(pure_program()) >= ALIKE


@posix
@pytest.mark.parametrize(("noted", "put"), [("../scripts", "scripts"), ("../../bin", "site/bin")])
def test_the_wheel_is_found_wherever_pip_put_it(path, tmp_path, monkeypatch, noted, put):
    """Where its record says, or in the `bin` of a folder that `pip install --target` filled; else on the path."""
    note = tmp_path / "site" / "graphviz_pure-0.2.2.dist-info"
    note.mkdir(parents=True)
    (note / "METADATA").write_text("Name: graphviz-pure\nVersion: 0.2.2\n")
    (note / "RECORD").write_text(f"{note.name}/METADATA,,\n{noted}/graphviz-pure,,\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    on_the_path = write(path / "graphviz-pure")
    pure_program.cache_clear()
    before = pure_program()
    installed = write(tmp_path / put / "graphviz-pure")
    pure_program.cache_clear()
    after = pure_program()
    pure_program.cache_clear()

    assert (before, after) == (on_the_path, installed)


# ---- what holds it, and how it fails ------------------------------------------------------


@posix
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'Warning: x' >&2; echo 'Error: something' >&2; exit 3", "exit code 3 and said: Error: something"),
        ("exit", "exit code 0 and said: nothing"),
        ("kill -9 $$", r"was ended \(Killed\) at a graph of 10 characters, perhaps for want of memory"),
        ("echo '[1, 2]'", r"answered no layout but '\[1, 2\]"),
        ("echo '<html>'", r"answered no layout but '<html>"),
        ('echo \'{"name": "G"}\'', "answered no layout"),
    ],
)
def test_a_program_that_fails_is_an_error(path, script, says):
    """What the program said last is in the message, or what it answered in place of a layout."""
    with pytest.raises(GraphvizFailedError, match=says):
        placed("digraph {}", (write(path / "dot", script),))


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().split() if sys.platform == "linux" else True


@posix
def test_a_program_that_hangs_is_ended_with_what_it_started(path, monkeypatch):
    """After the time limit neither the program runs on nor its child, and the error says how long it had."""
    program = write(path / "dot", f"/bin/sleep 90 & echo $! > '{path}/child'; wait")
    monkeypatch.setattr(graphviz_program, "SECONDS", 0.3)
    begin = time.monotonic()

    with pytest.raises(GraphvizFailedError, match=r"no answer within 0.3 s to a graph of 10 characters: draw fewer"):
        run((program,), "digraph {}")
    child = int((path / "child").read_text())
    while is_there(child) and time.monotonic() < begin + 20:
        time.sleep(0.01)

    assert time.monotonic() < begin + 20


@posix
@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_an_interrupt_ends_the_program(path, monkeypatch, stop):
    """Ctrl-C leaves no program behind, and is passed on."""
    started = []

    def interrupt(program):
        started.append(program)
        raise stop

    monkeypatch.setattr(graphviz_program, "hold", interrupt)
    with pytest.raises(stop):
        run((write(path / "dot", "/bin/sleep 90"),), "digraph {}")

    assert [program.returncode for program in started] == [-signal.SIGKILL]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us limit another process")
def test_a_program_that_takes_too_much_memory_is_ended(tmp_path, monkeypatch):
    """It cannot take the machine's memory; the error says how much it may, and no core file is left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(graphviz_program, "MEMORY", 100 << 20)
    many = "digraph {" + "".join(f"{i // 2} -> {i};" for i in range(20_000)) + "}"

    with pytest.raises(GraphvizFailedError, match=r"was ended.*memory.* may take 0\.0977 GB.*: memory alloc"):
        run((PURE, "-Kdot", "-Tjson0"), many)
    assert os.listdir() == []


# ---- what it answers ----------------------------------------------------------------------

NAMES = "abcdefgh"
SIZES = st.sampled_from([34, 47.3, 60, 80])


@st.composite
def graphs(draw):
    """Small graphs as the layout program gets them, some nodes in one line."""
    dot = graphviz_program.new_graph(draw(st.sampled_from(["BT", "LR"])))
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    for name in names:
        graphviz_program.node(dot, name, (draw(SIZES), draw(SIZES)), draw(st.sampled_from(["", "line"])))
    for at, name in enumerate(names[1:], 1):
        for other in sorted(draw(st.sets(st.sampled_from(names[:at]), max_size=2))):
            dot.edge(other, name, id=f"{other} {name}")
    return dot.source


@settings(max_examples=40)
@given(graphs())
def test_what_is_placed_lies_in_the_picture(source):
    """All nodes within the width and height, each edge a course of Bézier curves that ends at its nodes."""
    width, height, centres, courses = placed(source, layout_program())

    assert all(0 < x < width and 0 < y < height for x, y in centres.values())
    for edge, points in courses.items():
        one, other = edge.split()
        assert len(points) % 3 == 1
        for (x, y), (at_x, at_y) in zip((points[0], points[-1]), (centres[one], centres[other]), strict=True):
            assert abs(x - at_x) <= 41
            assert abs(y - at_y) <= 41


def alike(one, other):
    """Two layouts are the same but for rounding."""
    (*size, centres, courses), (*other_size, other_centres, other_courses) = one, other
    assert size == pytest.approx(other_size, abs=0.02)
    for places, others in ((centres, other_centres), (courses, other_courses)):
        assert places.keys() == others.keys()
        for name, place in places.items():
            assert np.array(place) == pytest.approx(np.array(others[name]), abs=0.02)


@pytest.mark.skipif(
    not SYSTEM or not PURE or version(SYSTEM) < ALIKE, reason=f"no system Graphviz {ALIKE[0]}.{ALIKE[1]} or newer here"
)
@settings(max_examples=40)
@given(graphs())
def test_the_system_and_the_wheel_place_alike(source):
    """A recent system Graphviz and graphviz-pure put each node and each point of an edge at one place."""
    alike(placed(source, (SYSTEM, "-Kdot")), placed(source, (PURE, "-Kdot")))


@pytest.mark.parametrize("kept", LAYOUTS, ids=range(len(LAYOUTS)))
def test_the_wheel_places_as_graphviz_14_did(kept):
    """Layouts that Graphviz 14.1.5 gave for random graphs are those of graphviz-pure."""
    alike(kept["layout"], placed(kept["source"], (PURE, "-Kdot")))


@pytest.mark.parametrize(
    ("pos", "points"),
    [
        ("0,1 2,3 4,5 6,7", [(0, 1), (2, 3), (4, 5), (6, 7)]),
        ("e,9,9 0,1 2,3 4,5 6,7", [(0, 1), (2, 3), (4, 5), (9, 9)]),
        ("s,8,8 e,9,9 0,1 2,3 4,5 6,7", [(8, 8), (2, 3), (4, 5), (9, 9)]),
        ("0,1 2,3 4,5 6,7;8,9 1,2 3,4 5,6", [(0, 1), (2, 3), (4, 5), (6, 7)]),
    ],
)
def test_a_course_is_read(pos, points):
    """With its first and last point where the arrows end."""
    assert course(pos) == points
