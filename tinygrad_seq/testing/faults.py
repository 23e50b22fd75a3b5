"""One thing that is wrong: the op, the input, the place, and the numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..graph import Node
from ..ops import Primitive

__all__ = ["Fault"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    kind: which check found it, in a word or two: "value", "shape", "dtype", "second order", "missing dependency", ….
    message: what is wrong, in a line.  details: further lines: numbers, the rule's source line, what to do.
    op, input: whose derivative, and by which of its inputs, as a number; None where it is no single one's fault.
    node: the node of the record whose rule it is, or which is not what it should be; None where that is none.
    """

    kind: str
    message: str
    details: tuple[str, ...] = ()
    op: Primitive | None = None
    input: int | None = None
    node: Node | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "\n    ".join([self.message, *self.details])
