"""Ask a Graphviz program where nodes go: the system's, or else the `graphviz-pure` wheel's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import graphviz

from .errors import GraphvizFailedError, GraphvizMissingError
from .picture import Point

Size = tuple[float, float]
RANK, BESIDE = 22.0, 14.0  # distances between ranks and within them
SECONDS = 120  # until a program that gives no answer is stopped


def layout_program() -> tuple[str, ...]:
    """The command that places nodes.  Raises GraphvizMissingError where there is none."""
    system = shutil.which("dot")
    if system:
        return (system,)
    pure = pure_program()
    if pure:
        return (pure, "-Kdot")
    raise GraphvizMissingError(
        "drawing needs a Graphviz program to place the nodes, and neither `dot` nor `graphviz-pure` was found: "
        "`pip install graphviz-pure` is enough (or install Graphviz from https://graphviz.org/download)"
    )


def pdf_program() -> tuple[str, ...]:
    """The command that turns DOT with positions into PDF.  Raises GraphvizMissingError where there is none."""
    system = shutil.which("neato")
    if system:
        return (system, "-n2", "-Tpdf")
    raise GraphvizMissingError(
        "PDF needs the system's Graphviz, and `neato` was not found: install it (apt install graphviz, "
        "brew install graphviz, or https://graphviz.org/download), or save as .svg or .png, which work without it"
    )


def pure_program() -> str | None:
    """The program of the `graphviz-pure` wheel: beside this Python, or on the path."""
    folder = Path(sys.executable).parent
    for name in ("graphviz-pure", "graphviz-pure.exe"):
        if (folder / name).is_file() and os.access(folder / name, os.X_OK):
            return str(folder / name)
    return shutil.which("graphviz-pure")


def run(command: tuple[str, ...], source: str) -> bytes:
    """What the program answers to `source` on its standard input; its warnings stay with us."""
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise GraphvizFailedError(
            f"{command[0]} gave no answer within {SECONDS} s to a graph of {len(source):,} characters: draw fewer nodes"
        ) from None
    except OSError as error:
        raise GraphvizFailedError(f"{command[0]} could not be started: {error}") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise GraphvizFailedError(f"{' '.join(command)} failed with exit code {done.returncode} and said: {said[-1]}")
    return done.stdout


Places = tuple[float, float, dict[str, Point], dict[str, tuple[Point, ...]]]


@lru_cache(maxsize=64)
def placed(source: str, command: tuple[str, ...]) -> Places:
    """Where the program puts what `source` describes: width, height, centres by node name, courses by edge id.

    In points, y down.  A course is 1 + 3n Bézier points from the boundary of one node to that of the other.
    """
    answer = json.loads(run((*command, "-Tjson0"), source))
    left, bottom, right, top = map(float, answer["bb"].split(","))
    centres = {}
    for item in answer.get("objects", ()):
        if "pos" in item:
            x, y = map(float, item["pos"].split(","))
            centres[item["name"]] = (x - left, top - y)
    courses = {}
    for item in answer.get("edges", ()):
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
