"""Ask a Graphviz program where nodes go.

The system's `dot` is asked where it places nodes just as the `graphviz-pure` wheel does; an older one breaks ties
another way, and is asked only where there is no wheel.  So a record has one picture, on whatever machine.
The environment variable TINYGRAD_SEQ_DOT chooses: `system`, `pure`, or the name or path of a program.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache, lru_cache
from importlib import metadata
from pathlib import PurePosixPath
from typing import Any

import graphviz

from ..errors import GraphvizFailedError, GraphvizMissingError
from ..pictures.picture import Point

if sys.platform == "linux":
    import resource

Size = tuple[float, float]
RANK, BESIDE = 22.0, 14.0  # distances between ranks and within them
CHOICE = "TINYGRAD_SEQ_DOT"
OLDEST = (2, 40)  # the first Graphviz that answers in JSON
ALIKE = (14, 1)  # from here on it answers as graphviz-pure 0.2 does, to the last digit
PURE = f"`pip install graphviz-pure` and set {CHOICE}=pure"
SECONDS = 120  # until a program that gives no answer is stopped
MEMORY = 4 << 30  # bytes that it may take, where the system can hold it to that


def layout_program() -> tuple[str, ...]:
    """The command that places nodes: what TINYGRAD_SEQ_DOT chooses, or the system's `dot`, or `graphviz-pure`.

    Raises GraphvizMissingError where there is none, GraphvizFailedError for one that is too old or does not work.
    """
    choice = os.environ.get(CHOICE, "")
    program = chosen_program(choice) if choice else usual_program()
    if version(program) < OLDEST:
        said, oldest = (".".join(map(str, numbers)) for numbers in (version(program), OLDEST))
        raise GraphvizFailedError(
            f"{program} ({origin()}) is Graphviz {said}, and drawing needs {oldest} or newer: update it, or {PURE}"
        )
    return (program, "-Kdot")


def usual_program() -> str:
    """The system's `dot` if it is a recent one, else `graphviz-pure`, else an older `dot`."""
    system, pure = shutil.which("dot"), pure_program()
    if system and pure:
        with suppress(GraphvizFailedError):
            return system if version(system) >= ALIKE else pure
    program = pure or system
    if not program:
        raise GraphvizMissingError(
            "drawing needs a Graphviz program to place the nodes, and neither `dot` nor `graphviz-pure` was found: "
            "`pip install graphviz-pure` is enough (or install Graphviz from https://graphviz.org/download)"
        )
    return program


def chosen_program(choice: str) -> str:
    """The program that a value of TINYGRAD_SEQ_DOT asks for.  Raises GraphvizMissingError where it is not there."""
    if choice == "pure":
        program, advice = pure_program(), "`pip install graphviz-pure`"
    elif choice == "system":
        program, advice = shutil.which("dot"), "install Graphviz from https://graphviz.org/download"
    else:
        program, advice = shutil.which(choice), "give `system`, `pure`, or the name or path of a program"
    if not program:
        raise GraphvizMissingError(
            f"the environment variable {CHOICE} is {choice!r}, and no such program was found: {advice}, or unset it"
        )
    return program


@cache
def pure_program() -> str | None:
    """The program of the `graphviz-pure` wheel: where pip put it, which the path need not name, or on the path."""
    with suppress(metadata.PackageNotFoundError):
        installed = metadata.distribution("graphviz-pure")
        for file, *_ in csv.reader((installed.read_text("RECORD") or "").splitlines()):  # `files` may leave some out
            name = PurePosixPath(file).name
            if PurePosixPath(file).stem == "graphviz-pure":
                for path in (file, f"bin/{name}"):  # the second after `pip install --target`, which notes another
                    program = os.path.realpath(str(installed.locate_file(path)))
                    if os.access(program, os.X_OK):
                        return program
    return shutil.which("graphviz-pure")


@cache
def version(program: str) -> tuple[int, int]:
    """The version of Graphviz that a program is, or is made after.  Raises GraphvizFailedError if it says none."""
    done = finished((program, "-V"), "")
    said = (done.stdout + done.stderr).decode(errors="replace").strip() or "nothing"
    found = re.search(r"graphviz (?:version )?(\d+)\.(\d+)", said, re.IGNORECASE)
    if not found:
        raise GraphvizFailedError(
            f"{program} ({origin()}) is no Graphviz program that works: asked for its version with -V it said "
            f"{said.splitlines()[-1]!r} with exit code {done.returncode}: mend it, or {PURE}"
        )
    return int(found[1]), int(found[2])


def origin() -> str:
    """Why it is this program that is asked."""
    choice = os.environ.get(CHOICE)
    return f"chosen by {CHOICE}={choice}" if choice else f"found here, {CHOICE} is not set"


def run(command: tuple[str, ...], source: str) -> bytes:
    """What the program answers to `source` on its standard input; its warnings stay with us.

    Raises GraphvizFailedError where it does not start, fails, answers nothing, or takes too much time or memory.
    """
    done = finished(command, source)
    said = (done.stderr.decode(errors="replace").strip() or "nothing").splitlines()
    if done.returncode < 0:
        raise GraphvizFailedError(
            f"{command[0]} was ended ({signal.strsignal(-done.returncode)}) at a graph of {len(source):,} characters, "
            f"perhaps for want of memory (it may take {MEMORY / 2**30:.3g} GB), and said: {said[0]}: draw fewer nodes"
        )
    if done.returncode or not done.stdout:
        raise GraphvizFailedError(f"{' '.join(command)} failed with exit code {done.returncode} and said: {said[-1]}")
    return done.stdout


def finished(command: tuple[str, ...], source: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, within limits of time and memory; whatever interrupts us ends it too.

    Raises GraphvizFailedError where it does not start or takes too long.
    """
    pipe, quiet = subprocess.PIPE, getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        program = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, creationflags=quiet
        )
    except OSError as error:
        raise GraphvizFailedError(f"{command[0]} could not be started: {error}") from error
    with program:
        try:
            hold(program)
            out, err = program.communicate(source.encode(), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            stop(program)
            raise GraphvizFailedError(
                f"{command[0]} gave no answer within {SECONDS} s to a graph of {len(source):,} characters: draw fewer "
                "nodes"
            ) from None
        except BaseException:
            stop(program)
            raise
    return subprocess.CompletedProcess(command, program.returncode, out, err)


def hold(program: subprocess.Popen[bytes]) -> None:
    """Limit the memory of a program that waits for its input, and keep it from leaving a core file."""
    if sys.platform == "linux":
        with suppress(OSError, ValueError):  # it has ended, or is held tighter already
            resource.prlimit(program.pid, resource.RLIMIT_CORE, (0, 0))
            resource.prlimit(program.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))


def stop(program: subprocess.Popen[bytes]) -> None:
    """End a program, and what it started."""
    if os.name == "posix":
        with suppress(OSError):  # it has just ended
            os.killpg(program.pid, signal.SIGKILL)
    else:
        program.kill()


def answered(command: tuple[str, ...], source: str) -> dict[str, Any]:
    """The layout of what `source` describes, as Graphviz writes it in JSON.  Raises GraphvizFailedError."""
    command = (*command, "-Tjson0")
    said = run(command, source)
    try:
        layout = json.loads(said)
        if "bb" in layout:
            return dict(layout)
    except (ValueError, TypeError):
        pass
    raise GraphvizFailedError(f"{' '.join(command)} answered no layout but {said[:60].decode(errors='replace')!r}")


Places = tuple[float, float, dict[str, Point], dict[str, tuple[Point, ...]]]


@lru_cache(maxsize=64)
def placed(source: str, command: tuple[str, ...]) -> Places:
    """Where the program puts what `source` describes: width, height, centres by node name, courses by edge id.

    In points, y down.  A course is 1 + 3n Bézier points from the boundary of one node to that of the other.
    """
    layout = answered(command, source)
    left, bottom, right, top = map(float, layout["bb"].split(","))
    centres = {}
    for item in layout.get("objects", ()):
        if "pos" in item:
            x, y = map(float, item["pos"].split(","))
            centres[item["name"]] = (x - left, top - y)
    courses = {}
    for item in layout.get("edges", ()):
        if "pos" in item and "id" in item:
            courses[item["id"]] = tuple((x - left, top - y) for x, y in course(item["pos"]))
    return right - left, top - bottom, centres, courses


def course(pos: str) -> list[Point]:
    """Graphviz's spline notation as a list of points, the tip of the arrow last."""
    points: list[Point] = []
    tip = start = None
    for word in pos.split(";")[0].split():
        *mark, x, y = word.split(",")
        point = float(x), float(y)
        if mark == ["e"]:
            tip = point
        elif mark == ["s"]:
            start = point
        else:
            points.append(point)
    if start:
        points[0] = start
    if tip:
        points[-1] = tip
    return points


def new_graph(direction: str) -> graphviz.Digraph:
    """An empty graph for the layout program; its nodes have no labels, only sizes."""
    dot = graphviz.Digraph()
    dot.attr(rankdir=direction, nodesep=str(BESIDE / 72), ranksep=str(RANK / 72))
    dot.attr("node", shape="box", fixedsize="true", label="", margin="0")
    dot.attr("edge", arrowhead="none")
    return dot


def node(dot: graphviz.Digraph, name: str, size: Size, group: str = "") -> None:
    """Add a node of a size in pixels; Graphviz keeps those of one group on one line."""
    dot.node(name, **box_size(size), **({"group": group} if group else {}))


def box_size(size: Size) -> dict[str, str]:
    """A size in pixels as Graphviz's attributes."""
    return {"width": f"{size[0] / 72:.4f}", "height": f"{size[1] / 72:.4f}"}


def place(dot: graphviz.Digraph) -> Places:
    """Where the layout program puts the nodes of a graph; see `placed`."""
    return placed(dot.source, layout_program())
