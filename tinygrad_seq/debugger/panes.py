"""What the panes of the full-screen view show of a moment: text that fits a width, without a terminal."""

from __future__ import annotations

import linecache
import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple
from unicodedata import category

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ..gradflow import magnitude
from ..ops.mathematics import rule_of
from .session import Session
from .tape import Moment, Tape
from .view import BLOCKS, WHOLE, array_text, formula_of, inputs_of, leading, local_derivative, name_of, strip, thinned

__all__ = ["Drawn", "arrays", "breakpoints", "fit", "magnitudes", "neighbours", "plain", "source"]

MOST = 40  # senders, and inputs, that are listed one by one
DECADES = 16  # of magnitude, at most, that bars tell apart
HERE, HEAD = "reverse", "bold"


class Drawn(NamedTuple):
    """What a pane shows.  title: of its frame.  text: its lines, none wider than the pane."""

    title: str
    text: Text


def source(moment: Moment, width: int, height: int) -> Drawn:
    """The source around the line that made the node, as many lines as there is room for, that line marked."""
    node = moment.node
    if not node.source:
        return Drawn("source", Text("no source line made it"))
    first = max(1, node.lineno - (height - 1) // 2)
    lines = [linecache.getline(node.filename, number) for number in range(first, first + height)]
    if not any(lines):
        return Drawn(f"source · {node.source}", Text("its source is not there"))
    text = Text()
    for number, line in enumerate(textwrap.dedent("".join(line or "\n" for line in lines)).splitlines(), first):
        marked = number == node.lineno
        said = f"{'→' if marked else ' '}{number:4} {line.expandtabs(4)}"
        text.append(fit(said, width) + "\n", HERE if marked else "")
    return Drawn(f"source · {node.source}", ended(text))


def neighbours(tape: Tape, moment: Moment, width: int) -> Drawn:
    """Who sent to the node, the node, and its inputs: by which rule, how much each gets, and what it has by now."""
    node, loss = moment.node, tape.loss.name or "loss"
    if moment.visit is None:
        rows = [("takes" if k == 0 else "", f"{letter} = {name_of(x)}", "", amount(x.data), "")
                for k, (letter, x) in enumerate(inputs_of(node)[:MOST])] if node.op else []  # fmt: skip
        rows.append(("here", name_of(node), formula_of(node) if node.op else "a leaf", amount(node.data), ""))
        return Drawn("graph", table(("", "", "", "‖value‖", ""), rows, width, len(rows) - 1))
    arrived = tape.arrivals(node, moment)
    rows = [("from" if k == 0 else "", name_of(a.moment.node), f"through {a.moment.node.op.name}",
             amount(a.contribution), "") for k, a in enumerate(arrived[:MOST])]  # fmt: skip
    if len(arrived) > MOST:
        rows.append(("", f"and {len(arrived) - MOST} more", "", "", ""))
    made = f"= {formula_of(node)}" if node.op else "a leaf"
    here = len(rows)
    rows.append(("here", name_of(node), made, amount(moment.grad), f"{'complete':>8}"))
    given = inputs_of(node) if node.op else []
    rule = rule_of(node.op).vjp if node.op else ()
    for i, (letter, x) in enumerate(given[:MOST]):
        part = moment.visit.contribution(i)
        by = f"{letter}: {rule[i]}" if i < len(rule) else letter
        if part is None:
            rows.append(("to" if i == 0 else "", name_of(x), by, "nothing", ""))
            continue
        count = len(tape.arrivals(x, moment))
        so_far = f"{amount(part if count == 1 else tape.total(x, moment)):>8} from {count}"
        rows.append(("to" if i == 0 else "", name_of(x), by, amount(part), so_far))
    if len(given) > MOST:
        rows.append(("", f"and {len(given) - MOST} more", "", "", ""))
    return Drawn("graph", table(("", "", "", f"‖∂{loss}‖", "  so far"), rows, width, here))


def arrays(session: Session, watched: Sequence[tuple[str, str]], width: int) -> Drawn:
    """The value, the gradient, what was sent on and what came, and the inputs; each with a strip of its sizes.

    watched: expressions with their values, which come first.
    """
    moment, loss = session.now, session.tape.loss.name or "loss"
    node = moment.node
    rows: list[tuple[str, str, Any]] = [("value", name_of(node), node.data)]
    given = inputs_of(node)[:MOST] if node.op else []
    if moment.visit is not None:
        rows.append(("gradient", f"∂{loss}/∂{name_of(node)}", moment.grad))
        rows += [(f"to {letter}", name_of(x), part) for i, (letter, x) in enumerate(given)
                 if (part := moment.visit.contribution(i)) is not None]  # fmt: skip
        rows += [(f"local {letter}", f"∂out/∂{letter}", d) for i, (letter, x) in enumerate(given)
                 if x.requires_grad and (d := local_derivative(node, i)) is not None]  # fmt: skip
        rows += [("from", f"{name_of(a.moment.node)} by {a.moment.node.op.name}", a.contribution)
                 for a in session.tape.arrivals(node, moment)[:MOST]]  # fmt: skip
    rows += [(f"input {letter}", name_of(x), x.data) for letter, x in given]
    first = min(12, max(cell_len(label) for label, _, _ in rows))
    second = min(20, width // 4, max(cell_len(name) for _, name, _ in rows))
    left = width - first - second - 3
    facts = [facts_of(array, left) for _, _, array in rows]
    third = max((cell_len(fact) for fact, whole in facts if not whole), default=0)
    room = max(left - third - 2, min(8, left // 3))  # the strip says more than the range
    text = Text()
    for expression, value in watched:
        text.append(fit(f"{expression} = {value}", width) + "\n", HEAD)
    for (label, name, array), (fact, whole) in zip(rows, facts):
        said = f"{fit(label, first)} {fit(name, second)}  "
        shown = fact if whole else f"{fit(fact, min(third, left - room - 2))}  {strip(np.asarray(array), room)}"
        text.append(said + fit(shown, left) + "\n", HEAD if label in ("value", "gradient") else "")
    return Drawn("arrays", ended(text))


def facts_of(array: Any, width: int) -> tuple[str, bool]:
    """A small array whole, or the shape, length and range of one that has no room; and which of the two it is."""
    array = np.asarray(array)
    whole = array_text(array, WHOLE)
    if array.dtype.kind not in "fiub" or (array.size <= WHOLE and cell_len(whole) <= width):
        return whole, True
    return array_text(array, 0).rpartition("  ")[0], False


def magnitudes(tape: Tape, moment: Moment, width: int, height: int, series: str | None = None) -> Drawn:
    """How large the gradient of the node's quantity is at each time step that the walk has come to, as bars.

    The scale is logarithmic, and of the whole walk, so that no bar changes once it stands.  A quantity is a name at
    several steps; of a node without a name it is the state.  series: the path and name of another.
    """
    path = series or leading(tape, moment.node)
    if path is None:
        return Drawn("magnitude over time", Text("nothing in the record has a name and a time step"))
    len(tape)  # to the end of the walk, whose norms are the scale
    found = [None if (x := tape.series[path].get(t)) is None else tape.moment_of(x) for t in tape.times]
    whole = [None if m is None else tape.norm(m) for m in found]
    there = [norm if m is not None and m.number <= moment.number else None for m, norm in zip(found, whole)]
    known = [norm for norm in whole if norm is not None and math.isfinite(norm) and norm > 0]
    high = math.ceil(math.log10(max(known))) if known else 0
    low = max(min(math.floor(math.log10(min(known))), high - 1), high - DECADES) if known else -1

    side = 7
    room, rows = max(1, width - side), max(1, height - 1)
    norms = thinned(there, room)
    each = max(1, min(8, room // len(norms)))
    gap = 1 if each > 2 else 0
    columns = [bar(norm, low, high, rows) for norm in norms]
    lines = []
    for row in range(rows):
        label = f"1e{high}" if row == 0 else f"1e{low}" if row == rows - 1 else ""
        lines.append(f"{label:>{side - 1}} " + "".join(column[row] * (each - gap) + " " * gap for column in columns))
    text = Text("\n".join(fit(line, width) for line in lines) + "\n")
    text.append(fit(" " * side + below(tape.times, moment.node.t, len(norms), each), width))
    name, last = path.rpartition("/")[2], moment.node if moment.node.t is not None else None
    what = f"‖{name}_t‖" if tape.forward else f"‖∂{tape.loss.name or 'loss'}/∂{name}_t‖"
    now = None if last is None or last.t not in tape.times else there[tape.times.index(last.t)]
    return Drawn(f"{what}, t={tape.times[0]} … {tape.times[-1]}" + ("" if now is None else f" · {now:.3g}"), text)


def bar(norm: float | None, low: int, high: int, rows: int) -> list[str]:
    """The signs of one bar from top to bottom: · where the walk has not come yet, 0 and × for what has no logarithm."""
    empty = [" "] * (rows - 1)
    if norm is None:
        return [*empty, "·"]
    if not math.isfinite(norm):
        return [*empty, "×"]
    if norm == 0:
        return [*empty, "0"]
    eighths = max(1, min(8 * rows, round(8 * rows * (math.log10(norm) - low) / (high - low))))
    full, rest = divmod(eighths, 8)
    signs = [BLOCKS[7]] * full + ([BLOCKS[rest - 1]] if rest else [])
    return [*[" "] * (rows - len(signs)), *reversed(signs)]


def below(times: Sequence[int], t: int | None, count: int, each: int) -> str:
    """The line under the bars: the first and the last time step, the present one pointed at, and others with room."""
    line = [" "] * (count * each)
    place = {step: k * count // len(times) * each for k, step in enumerate(times)}
    marks = {step: f"▲{step}" if step == t else str(step) for step in times}
    taken = 0  # the present step is written first, then all from left to right that do not run into another
    spots: list[tuple[int, str]] = []
    if t in place:
        spots.append((max(0, min(place[t], len(line) - len(marks[t]))), marks[t]))
    for step in times if each >= len(str(times[-1])) + 1 else (times[0], times[-1]):
        start = min(place[step], count * each - len(marks[step]))
        end = start + len(marks[step])
        if step != t and start >= taken and all(end < left or start > left + len(mark) for left, mark in spots[:1]):
            spots.append((start, marks[step]))
            taken = end + 1
    for start, mark in spots:
        line[start : start + len(mark)] = mark
    return "".join(line)


def breakpoints(session: Session, width: int) -> Drawn:
    """All breakpoints, a line each."""
    lines = [fit(f"{'●' if point.enabled else '○'} {point}", width) for point in session.breakpoints]
    return Drawn("breakpoints", Text("\n".join(lines or ["none yet: type one, such as", ":break h norm<0.1"])))


# ---- letters and columns ----


def amount(array: Any) -> str:
    """A number, or the length of an array."""
    return f"{magnitude(array):.4g}" if np.size(array) != 1 else f"{float(np.asarray(array).item()):.4g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int, marked: int) -> Text:
    """Rows of five columns in a width: the third gives way first, then the second.  marked: the row to stand out."""
    widths = [max(cell_len(row[k]) for row in [head, *rows]) for k in range(5)]
    for k, least in ((2, 6), (1, 6), (4, 0)):
        over = sum(widths) + 8 - width
        widths[k] = max(min(least, widths[k]), widths[k] - max(0, over))
    text = Text()
    for number, row in enumerate([head, *rows], -1):
        cells = [fit(cell, size) for cell, size in zip(row, widths)]
        cells[3] = f"{row[3]:>{widths[3]}}"  # numbers
        line = "  ".join(cells)
        text.append(fit(line, width) + "\n", HERE if number == marked else HEAD if number < 0 else "")
    return ended(text)


def ended(text: Text) -> Text:
    """Lines without the empty one after the last."""
    text.right_crop(1)
    return text


def fit(text: str, width: int) -> str:
    """A text in exactly so many cells of a terminal, where wide letters take two; … where it was longer.

    >>> fit("한국어", 8), fit("한국어", 5), fit("tanh", 6)
    ('한국어  ', '한국…', 'tanh  ')
    """
    text = plain(text.replace("\n", "�"))
    if cell_len(text) > width > 0:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, max(0, width))


def plain(text: str) -> str:
    """A text without letters that would steer a terminal."""
    return "".join("�" if category(letter) == "Cc" and letter != "\n" else letter for letter in text)
