"""The text drawing of a record, and where in its lines the frames of the steps are."""

import re
from functools import cache

from rich.cells import cell_len

from tinygrad_seq.viz.pictures.palette import scale_for
from tinygrad_seq.viz.reading.columns import read_columns, sort_members
from tinygrad_seq.viz.reading.elision import shown_steps
from tinygrad_seq.viz.reading.levels import apply_level
from tinygrad_seq.viz.reading.looks import read_looks
from tinygrad_seq.viz.reading.templates import exits, member_keys
from tinygrad_seq.viz.text.draw import draw_text
from tinygrad_seq.viz.unrolled.draw import measure
from tinygrad_seq.viz.unrolled.faces import Badges
from tinygrad_seq.viz.unrolled.scene import Scene


def scene(loss, level="modules", show="auto", colour="grad"):
    timeline = read_columns(loss)
    apply_level(timeline, level)
    sort_members(timeline)
    columns = shown_steps(timeline.steps, timeline.stretch, show)
    looks = read_looks(timeline)
    found = Scene(timeline, columns, member_keys(timeline), Badges(timeline), exits(timeline), looks=looks)
    found.flow, found.measured = measure(loss, timeline, columns, colour)
    found.scale = scale_for(found.flow.nodes) if found.flow else None
    return found


def text(loss, level="modules", show="auto", colour="grad", **options):
    return draw_text(scene(loss, level, show, colour), **options)


@cache
def letter_cells(letter):
    return cell_len(letter)


def grid(line):
    """A line by the columns of a terminal: wide letters leave the next one empty, accents stand with their letter."""
    cells = []
    for letter in line:
        if letter_cells(letter):
            cells += [letter, *[""] * (letter_cells(letter) - 1)]
        else:
            cells[-1] += letter
    return cells


def frames(lines):
    """Every frame: top and bottom line, first and last column."""
    cells = list(map(grid, lines))
    found = []
    for top, line in enumerate(cells):
        for left in [x for x, letter in enumerate(line) if letter == "╭"]:
            right = next((x for x in range(left + 1, len(line)) if line[x] not in "─┴"), None)
            below = (y for y in range(top + 1, len(lines)) if cells[y][left : left + 1] not in (["│"], ["├"], ["┤"]))
            bottom = next(below, top)
            if right is not None and line[right] == "╮" and cells[bottom][left] == "╰":
                found.append((top, bottom, left, right))
    return found


def inside(lines, frame):
    """What stands in a frame, line by line; that its sides stand upright is checked."""
    top, bottom, left, right = frame
    rows = [grid(line) for line in lines[top + 1 : bottom]]
    assert {row[left] for row in rows} | {row[right] for row in rows} <= set("│├┤┼")
    return ["".join(row[left + 1 : right]) for row in rows]


def step_of(lines, frame):
    return int(re.search(r"t=(\d+)", lines[frame[1]][frame[2] :]).group(1))
