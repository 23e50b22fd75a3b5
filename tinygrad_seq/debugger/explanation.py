"""How a gradient came about, in words and numbers: who sent what, by which rule, from which source line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import GradientError
from ..gradflow import magnitude
from ..graph import Node
from ..ops.mathematics import rule_of
from .tape import Arrival, Tape
from .view import array_text, name_of, of_loss, sender_text

__all__ = ["Explanation", "explain", "explained"]


@dataclass(frozen=True)
class Explanation:
    """The gradient of a node as the sum of what others sent.

    node: whose gradient.  grad: the gradient, complete.  arrivals: what came, in the order of backprop.  loss: the
    name of what backprop began with.
    """

    node: Node
    grad: Any
    arrivals: tuple[Arrival, ...]
    loss: str

    def __str__(self) -> str:
        head = f"∂{self.loss}/∂{name_of(self.node)} = "
        if not self.arrivals:
            return f"{head}{array_text(self.grad)}: it is the loss itself, where backprop begins"
        terms = [f"from {sender_text(a.moment.node)} ({size(a.contribution)})" for a in self.arrivals]
        lines = [head + " + ".join(terms[:4]) + (f" + {len(terms) - 4} more" if len(terms) > 4 else "")]
        lines.append(f"{'':{len(head) - 2}}= {array_text(self.grad)}")
        for arrival in self.arrivals:
            lines.append(f"  {how(arrival)}")
        return "\n".join(lines)

    __repr__ = __str__


def explain(node: Node, loss: Node, *, gradient: Any = None) -> Explanation:
    """How ∂loss/∂node came about.  Raises GradientError where no gradient reaches the node.

    >>> from tinygrad_seq import Value
    >>> from tinygrad_seq.debugger import explain
    >>> x = Value(3.0, name="x")
    >>> print(explain(x, (x * x + x).named("L")))      # doctest: +ELLIPSIS
    ∂L/∂x = from L through add (1) + from mul (3) + from mul (3)
          = 7
      1 from L = x + y: g ...
      3 from mul = x · y: g · y ...
      3 from mul = x · y: g · x ...
    """
    return explained(node, Tape(loss, gradient=gradient))


def explained(node: Node, tape: Tape) -> Explanation:
    """The same of a walk that has been made, or begun."""
    number = tape.seen
    while (moment := tape.moment_of(node)) is None and tape.at(number) is not None:
        number += 1
    if moment is None:
        known = node in set(tape.graph.nodes)
        raise GradientError(
            f"no gradient of {tape.loss!r} reaches {node!r}: "
            + ("every way there is cut, or requires no gradient" if known else "the loss was not made from it")
        )
    return Explanation(node, moment.grad, tuple(tape.arrivals(node, moment)), of_loss(tape))


def how(arrival: Arrival) -> str:
    """One part of a sum: its size, who sent it, by which rule, and the line that made the sender."""
    sender, i = arrival.moment.node, arrival.i
    rule = rule_of(sender.op)
    by = f": {rule.vjp[i]}" if i < len(rule.vjp) else ""
    made = f" = {rule.forward}" if rule.forward else ""
    where = f"   ({sender.where})" if sender.where else ""
    return f"{size(arrival.contribution)} from {name_of(sender)}{made}{by}{where}"


def size(contribution: Any) -> str:
    """A number, or the length of an array."""
    return f"{magnitude(contribution):.4g}" if getattr(contribution, "ndim", 0) else f"{float(contribution):.4g}"
