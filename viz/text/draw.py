"""An unrolled record as text, for terminals and docstrings."""

from __future__ import annotations

import math

from ..pictures.palette import GradientScale
from ..unrolled.scene import Scene
from .block import draw_block
from .canvas import ASCII, UNICODE, Signs, cut, width_of
from .names import Names
from .rows import Rows
from .sheet import Sheet, Words

NARROWEST = 48
MOST = 5  # steps named one by one


def draw_text(
    scene: Scene,
    title: str | None = None,
    tokens: Words = None,
    predictions: Words = None,
    *,
    width: int = 100,
    ascii: bool = False,
    elide: bool = True,
) -> str:
    """The scene as text of at most `width` columns.

    Each step is a frame, time runs from left to right, states are arrows from frame to frame.  Each row is the same
    thing at every step, with its formula on the left, or below where there is no room for it; behind each name stands
    how large its gradient is.  tokens, predictions: one for each column of time, None where there is none.
    ascii: keeps to ASCII.  elide: passes over steps that there is no room for; else the drawing goes on below.
    Raises ValueError for a width under 48.
    """
    if width < NARROWEST:
        raise ValueError(f"width must be at least {NARROWEST} columns, got {width}")
    signs = ASCII if ascii else UNICODE
    sheets = new_sheets(scene, scene.columns, tokens, predictions, width, signs)
    if elide and not all(sheet.fits for sheet in sheets):
        columns = [c for sheet in sheets for c in sheet.fewer()]
        sheets = new_sheets(scene, columns, tokens, predictions, width, signs)
    lines = [cut(signs.text(title), width, signs.ellipsis), ""] if title else []
    for sheet in sheets:
        if len(sheets) > 1:
            called = signs.text(scene.stretch_names[sheet.stretch.number])
            lines += [cut(f"{signs.rule * 2} {called} {signs.rule * width}", width, signs.rule), ""]
        for block in sheet.blocks():
            lines += [*draw_block(sheet, block), ""]
        lines += below(sheet)
    lines += legend(sheets, width)
    return "\n".join(lines).rstrip("\n")


def new_sheets(
    scene: Scene, columns: list[int], tokens: Words, predictions: Words, width: int, signs: Signs
) -> list[Sheet]:
    """A sheet for each stretch of time."""
    rows = Rows(scene, columns)
    names = Names(scene, rows, signs)
    return [Sheet(names, stretch, tokens, predictions, width) for stretch in rows.stretches]


def below(sheet: Sheet) -> list[str]:
    """The formulas, where there is no room for them beside the drawing, and the steps that have others."""
    names, stretch, signs = sheet.names, sheet.stretch, sheet.signs
    lines = []
    cells = {sheet.line[name]: group.cell for group in stretch.groups for name in group.rows}
    cell = ""
    for y, (heading, said) in sheet.formulas.items():
        if y in sheet.beside:
            continue
        if cells.get(y, "") != cell:
            cell = cells.get(y, "")
            lines.append(f"in {sheet.cell_name(cell)}:" if cell else "")
        lines.append(" " * (sheet.heading - width_of(heading)) + heading + said)
    for name in sheet.line:
        (_, others), *rest = names.formulas(stretch, name)
        heading = names.heading(stretch.rows[name], sheet.room)
        if len(rest) == 1 and len(rest[0][1]) <= len(others):
            steps = ", ".join(str(sheet.scene.timeline.steps[c]) for c in rest[0][1][:MOST])
            lines.append(f"at t = {steps}: {heading}{rest[0][0]}")
        elif rest:
            lines.append(f"{heading} differs from step to step")
    return [*(cut(line, sheet.width, signs.ellipsis) for line in lines), ""] if lines else []


def legend(sheets: list[Sheet], width: int) -> list[str]:
    """What the signs behind the names mean, and the weights that the steps share."""
    names, signs, scene = sheets[0].names, sheets[0].signs, sheets[0].scene
    said: list[tuple[str, list[str]]] = []
    numbers = scene.magnitudes
    if numbers is not None and scene.scale is not None:
        ticks = scene.scale.ticks()
        even = ", log scale" if isinstance(scene.scale, GradientScale) else ""
        meant = [f"{signs.levels} {signs.text(ticks[-1][1])} {signs.ellipsis} {signs.text(ticks[0][1])}{even}"]
        meant += ["0 exactly zero"] if 0 in numbers else []
        meant += ["NaN, Inf not finite"] if any(x is not None and not math.isfinite(x) for x in numbers) else []
        meant += [f"{signs.none} none"] if None in numbers else []
        said.append((signs.label(scene.measured), meant))
    if names.looks:
        said.append(("looks at", [f"{signs.levels} 0 {signs.ellipsis} 1 of its attention"]))
    if scene.badges.shown:
        said.append(("weights", [names.weight(i) for i in scene.badges.shown]))
    indent = max([width_of(heading) for heading, _ in said], default=0) + 2
    return [line for heading, things in said for line in listed(heading, things, indent, width, signs)]


def listed(heading: str, things: list[str], indent: int, width: int, signs: Signs) -> list[str]:
    """Things one after the other, on as many lines as it takes."""
    lines, line = list[str](), cut(heading, indent - 2, signs.ellipsis)
    line += " " * (indent - width_of(line))
    for thing in things:
        thing = cut(thing, width - indent, signs.ellipsis)
        if width_of(line) > indent and width_of(line) + 3 + width_of(thing) > width:
            lines.append(line)
            line = " " * indent
        line += "   " * (width_of(line) > indent) + thing
    return [line.rstrip() for line in [*lines, line]]
