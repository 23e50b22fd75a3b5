"""Where a NaN or an infinity was born: what `detect_anomaly` looks at, and what it says when it finds one."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import AnomalyError
from .graph import Node
from .ops import Primitive
from .ops.mathematics import rule_of
from .ops.parts import Part

__all__ = ["anomalies", "check_gradient", "check_made", "check_sent"]


def anomalies(data: Any, anomaly: str) -> str:
    """What is wrong with the numbers, in words: "2 NaN of 6 values"; "" if nothing is."""
    nans = int(np.count_nonzero(np.isnan(data)))
    infs = int(np.count_nonzero(np.isinf(data))) if "inf" in anomaly else 0
    wrong = " and ".join(f"{n} {word}" for n, word in ((nans, "NaN"), (infs, "infinite")) if n)
    return f"{wrong} of {np.size(data)} values" if wrong else ""


def check_made(op: Primitive, node: Node, inputs: tuple[Node, ...]) -> None:
    """Raise AnomalyError where a new node holds a NaN, or an infinity."""
    what = anomalies(node._data, node.place.anomaly)
    if what:
        formula = rule_of(op).forward
        said = [f"out = {formula}"] if formula else []
        said += [f"{letter} = {described(x)}" for letter, x in zip(letters(op, inputs), inputs)]
        raise AnomalyError(told(f"{op.name} made {what}", node, said))


def check_sent(node: Node, g: Any, sent: Iterable[Any], anomaly: str) -> None:
    """Raise AnomalyError where what a rule made of a gradient g holds a NaN, or an infinity."""
    op = node.op
    for i, (x, c) in enumerate(zip(node.inputs, sent)):
        if c is None or not x.requires_grad:
            continue
        what = anomalies(c.array() if isinstance(c, Part) else plain(c), anomaly)
        if what:
            rule, names = rule_of(op), letters(op, node.inputs)
            said = [f"∂/∂{names[i]} = {rule.vjp[i]}"] if i < len(rule.vjp) else []
            said += [f"g = {numbers(plain(g))}", f"out = {numbers(node._data)}"]
            said += [f"{letter} = {described(x)}" for letter, x in zip(names, node.inputs)]
            raise AnomalyError(told(f"the derivative of {op.name} by its input {i} made {what}", node, said))


def check_gradient(node: Node, g: Any, anomaly: str) -> None:
    """Raise AnomalyError where a complete gradient holds a NaN, or an infinity, though no part of it did."""
    what = anomalies(plain(g), anomaly)
    if what:
        said = [
            f"g = {numbers(plain(g))}",
            "no rule made it: backprop began with it, a hook gave it, or it came of adding up what others sent",
        ]
        raise AnomalyError(told(f"the gradient of {called(node)} has {what}", node, said))


# ---- in words --------------------------------------------------------------------------


def told(what: str, node: Node, said: list[str]) -> str:
    """The message: what, where, the lines that say more, and the line of source."""
    line = linecache.getline(node.filename, node.lineno).strip() if node.source else ""
    said = said + ([f"{node.source}: {line}"] if line else [])
    return "\n    ".join([what + (f" ({node.where})" if node.where else ""), *said])


def letters(op: Primitive, inputs: tuple[Node, ...]) -> list[str]:
    """What the op calls its inputs."""
    names = rule_of(op).inputs
    return list(names) if len(names) == len(inputs) else [f"x{i + 1}" for i in range(len(inputs))]


def called(x: Node) -> str:
    """A node in a word: its name and step, or what made it."""
    if x.name:
        return x.name if x.t is None else f"{x.name}_{x.t}"
    return f"what {x.op.name} made" if x.op else "a leaf"


def described(x: Node) -> str:
    """An input: what it is called, its shape and range, and the line that made it."""
    where = f" ({x.where})" if x.op and x.where else ""
    return f"{called(x)}{where}: {numbers(x._data)}"


def numbers(data: Any) -> str:
    """A number; or of an array its shape, its range, and what is wrong with it.

    >>> numbers(np.array([1.0, -2.0, np.inf]))
    '(3,) from -2 to 1, 1 infinite of 3 values'
    """
    data = np.asarray(data)
    if not data.ndim:
        return f"{data.item():.4g}"
    finite = data[np.isfinite(data)]
    spread = f" from {finite.min() + 0:.4g} to {finite.max() + 0:.4g}" if finite.size else ""
    wrong = anomalies(data, "nan and inf")
    return f"{data.shape}{spread}" + (f", {wrong}" if wrong else "")


def plain(g: Any) -> Any:
    """The numbers of a gradient, recorded or not."""
    return g._data if isinstance(g, Node) else g
