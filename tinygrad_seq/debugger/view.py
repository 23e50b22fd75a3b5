"""What the debugger shows of a moment, as lines of text."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backprop import rule as applied_rule
from ..gradflow import magnitude
from ..gradflow.lifting import ELEMENTWISE
from ..graph import Node
from ..ops.mathematics import rule_of
from .tape import Moment, Tape

__all__ = [
    "array_text",
    "bars",
    "formula_of",
    "local_derivative",
    "look",
    "name_of",
    "of_loss",
    "sender_text",
    "source_lines",
]

BLOCKS = "▁▂▃▄▅▆▇█"
WHOLE = 8  # numbers that are shown one by one
STRIP = 24  # characters of a strip of heat
DECADES = 8  # of magnitude that bars tell apart


def look(tape: Tape, moment: Moment, *, context: int = 2, series: str | None = None) -> list[str]:
    """All there is to say of a moment, in lines: where, source, formula, arrays, what goes where, bars over time."""
    lines = [heading(tape, moment), *source_lines(moment.node, context)]
    if moment.node.op is not None:
        lines.append(f"  {'forward':9} {name_of(moment.node)} = {formula_of(moment.node)}")
        lines += [f"  {'':9} {letter} = {described(x)}" for letter, x in inputs_of(moment.node)]
    lines.append(f"  {'value':9} {array_text(moment.node.data)}")
    if moment.visit is not None:
        lines.append(f"  {'gradient':9} ∂{of_loss(tape)}/∂{name_of(moment.node)} = {array_text(moment.grad)}")
        lines += came(tape, moment) + local_lines(moment.node) + goes(tape, moment)
    drawn = bars(tape, moment, series)
    return lines + ([f"  {drawn}"] if drawn else [])


def heading(tape: Tape, moment: Moment) -> str:
    """Where the walk is: how far, at which step, and at which node."""
    node = moment.node
    whole = len(tape)
    way = "forward" if tape.forward else "backward"
    parts = [f"{way} {moment.number + 1} of {whole}"]
    if node.t is not None and tape.times:
        parts.append(f"t={node.t} of {tape.times[-1]}")
    parts.append(f"{name_of(node)}, " + (node.op.name if node.op else "a leaf"))
    if node.scope:
        parts.append(f"in {node.scope}")
    return " · ".join(parts)


def source_lines(node: Node, context: int = 2) -> list[str]:
    """The user's source around the line that made a node, with that line marked; empty where there is none."""
    if not node.source:
        return []
    lines = []
    for number in range(max(1, node.lineno - context), node.lineno + context + 1):
        line = linecache.getline(node.filename, number)
        if line:
            mark = "→" if number == node.lineno else " "
            lines.append(f"{mark} {number:5} {line.rstrip()}")
    return [f"  {node.source}", *lines] if lines else [f"  {node.source} (its source is not there)"]


def name_of(node: Node) -> str:
    """What to call a node: h_3, W_x, or after what made it."""
    if node.name:
        return f"{node.name}_{node.t}" if node.t is not None else node.name
    return node.op.name if node.op else "x"


def of_loss(tape: Tape) -> str:
    """What backprop is of."""
    return name_of(tape.loss) if tape.loss.name else "loss"


def sender_text(node: Node) -> str:
    """Who sends a gradient, and through which op: "ŷ_4 through affine", "mul at t=3"."""
    if node.name:
        return f"{name_of(node)} through {node.op.name}"
    return node.op.name + (f" at t={node.t}" if node.t is not None else "")


def formula_of(node: Node) -> str:
    """What a node computes, in the letters of its op."""
    rule = rule_of(node.op)
    fixed = ", ".join(f"{key}={short(value)}" for key, value in node.fixed.items())
    said = rule.forward or f"{node.op.name}({', '.join(letter for letter, _ in inputs_of(node))})"
    return said + (f"    ({fixed})" if fixed else "")


def inputs_of(node: Node) -> list[tuple[str, Node]]:
    """The inputs with the letters that the op has for them."""
    letters = rule_of(node.op).inputs
    several = len(letters) != len(node.inputs)
    return [(f"x{i + 1}" if several else letters[i], x) for i, x in enumerate(node.inputs)]


def described(x: Node) -> str:
    """An input: its name, where it is from, and its value."""
    return f"{name_of(x)}  {array_text(x.data)}"


def came(tape: Tape, moment: Moment) -> list[str]:
    """Who sent the gradient."""
    arrivals = tape.arrivals(moment.node, moment)
    lines = []
    for k, arrival in enumerate(arrivals):
        first = "came from" if k == 0 else ""
        lines.append(f"  {first:9} {sender_text(arrival.moment.node)}: {array_text(arrival.contribution)}")
    return lines[:8] + ([f"  {'':9} and {len(lines) - 8} more"] if len(lines) > 8 else [])


def local_lines(node: Node) -> list[str]:
    """The local derivatives of an op that works number by number."""
    lines: list[str] = []
    for i, (letter, x) in enumerate(inputs_of(node) if node.op is not None else []):
        d = local_derivative(node, i)
        if d is not None and x.requires_grad:
            lines.append(f"  {'' if lines else 'local':9} ∂{name_of(node)}/∂{letter} = {array_text(d)}")
    return lines


def local_derivative(node: Node, i: int) -> Any:
    """∂node/∂(its input i) where the op works number by number, one for each; a number where all are equal.

    None for other ops, whose local derivative is a matrix; and where there is none.
    """
    if node.op not in ELEMENTWISE or not np.size(node.data):
        return None
    d = applied_rule(node, 1.0 if node.scalar else np.ones_like(node.data))[i]
    return d if d is None or np.ptp(d) else np.ravel(d)[0]


def goes(tape: Tape, moment: Moment) -> list[str]:
    """What is sent to which input, by which rule, and what the input has by now."""
    visit, node = moment.visit, moment.node
    if visit is None or node.op is None:
        return []
    rule = rule_of(node.op)
    lines = []
    for i, (letter, x) in enumerate(inputs_of(node)):
        part = visit.contribution(i)
        by = f" = {rule.vjp[i]}" if i < len(rule.vjp) else ""
        if part is None:
            lines.append(f"  {'':9} {letter}: nothing, {name_of(x)} requires no gradient")
            continue
        total = tape.total(x, moment)
        count = len(tape.arrivals(x, moment))
        so_far = f"; so far {magnitude(total):.4g} from {count}" if count > 1 else ""
        lines.append(f"  {'':9} {letter}: ∂/∂{name_of(x)}{by} = {array_text(part)}{so_far}")
    if lines:
        lines[0] = f"  {'sends':9}" + lines[0][11:]
    return lines


def array_text(array: Any, most: int = WHOLE) -> str:
    """An array of at most so many numbers whole; of a larger one its shape, length, range, and a strip of heat.

    >>> import numpy as np
    >>> array_text(np.array([0.5, -2.0]))
    '[0.5, -2]'
    >>> array_text(np.linspace(0, 1, 100))
    '(100)  ‖·‖ 5.788  0 … 1  ▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▇▇▇████'
    """
    array = np.asarray(getattr(array, "data", array))
    if array.size <= most:
        return nested(array)
    shape = "(" + ", ".join(map(str, array.shape)) + ")"
    if array.dtype.kind not in "fiub":
        return f"{shape} of {array.dtype}"
    finite = array[np.isfinite(array)]
    wrong = array.size - finite.size
    said = f"{shape}  ‖·‖ {magnitude(array):.4g}"
    if finite.size:
        said += f"  {finite.min():.3g} … {finite.max():.3g}"
    return said + (f"  {wrong} not finite" if wrong else "") + f"  {strip(array)}"


def nested(array: np.ndarray) -> str:
    """All numbers of an array, four digits each."""
    if array.ndim == 0:
        return f"{array.item():.4g}" if array.dtype.kind in "fiub" else str(array.item())
    return "[" + ", ".join(nested(row) for row in array) + "]"


def strip(array: np.ndarray, most: int = STRIP) -> str:
    """The sizes of the numbers along an array, as blocks of eight heights; × where one is not finite."""
    flat = np.abs(array.ravel().astype(float))
    pieces = np.array_split(flat, min(most, flat.size))
    peaks = np.array([piece.max() for piece in pieces])
    top = peaks[np.isfinite(peaks)].max(initial=0.0)
    if not top:
        return "".join("·" if np.isfinite(peak) else "×" for peak in peaks)
    return "".join("×" if not np.isfinite(p) else BLOCKS[min(7, int(8 * p / top))] for p in peaks)


def bars(tape: Tape, moment: Moment, series: str | None = None) -> str:
    """How large a quantity's gradient is at each time step that the walk has come to, on a logarithmic scale."""
    path = series or leading(tape, moment.node)
    if path is None or path not in tape.series:
        return ""
    norms: list[float | None] = []
    for t in tape.times:
        node = tape.series[path].get(t)
        found = None if node is None else tape.moment_of(node)
        norms.append(tape.norm(found) if found is not None and found.number <= moment.number else None)
    known = [norm for norm in norms if norm is not None and np.isfinite(norm) and norm > 0]
    top = max(known, default=1.0)
    drawn = "".join(height(norm, top) for norm in thinned(norms))
    last = next((norm for norm in (norms if not tape.forward else norms[::-1]) if norm is not None), None)
    name = path.rpartition("/")[2]
    said = f"‖{name}_t‖" if tape.forward else f"‖∂{of_loss(tape)}/∂{name}_t‖"
    return f"{said}  t={tape.times[0]} {drawn} {tape.times[-1]}" + (f"  now {last:.3g}" if last is not None else "")


def thinned(norms: Sequence[float | None], most: int = 60) -> list[float | None]:
    """At most so many of them: of several under one sign the largest."""
    if len(norms) <= most:
        return list(norms)
    pieces = np.array_split(np.arange(len(norms)), most)
    return [max([n for k in piece if (n := norms[k]) is not None], default=None) for piece in pieces]


def height(norm: float | None, top: float) -> str:
    """One bar: · where the walk has not come yet, 0 and × for what has no logarithm."""
    if norm is None:
        return "·"
    if not np.isfinite(norm):
        return "×"
    if norm == 0:
        return "0"
    return BLOCKS[max(0, min(7, 7 + int(np.floor(8 / DECADES * np.log10(norm / top) + 1e-9))))]


def leading(tape: Tape, node: Node) -> str | None:
    """The series to show: the node's own, or else the state, which is carried from step to step."""
    if node.name and node.t is not None:
        return f"{node.scope}/{node.name}" if node.scope else node.name
    long = [path for path, nodes in tape.series.items() if len(nodes) == max(map(len, tape.series.values()))]
    for letter in ("h", "s", "C"):
        for path in long:
            if path.rpartition("/")[2] == letter:
                return path
    return long[0] if long else None


def short(value: Any) -> str:
    """A fixed argument in few letters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:39] + "…"
