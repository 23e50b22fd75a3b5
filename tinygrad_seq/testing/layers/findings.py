"""What the checks of one thing find, in one report; and where in the record a fault is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ...graph import Graph, Node
from ..faults import Fault
from ..reports import Report, joined

__all__ = ["checked", "fault", "node_at", "place"]

Subject = TypeVar("Subject")


def checked(
    subject: Subject, checks: Sequence[Callable[[Subject], Report]], first: Sequence[Callable[[Subject], Report]]
) -> Report:
    """All checks of a subject as one report without a name; where one of `first` finds a fault, it is the last."""
    reports = []
    for check in checks:
        reports.append(check(subject))
        if reports[-1].faults and check in first:
            reports.append(Report("", notes=("nothing else is looked at before this is mended",)))
            break
    return joined("", reports)


def fault(kind: str, message: str, node: Any, *details: str) -> Fault:
    """A fault, with the place of a node, if there is one."""
    made = node if isinstance(node, Node) else None
    where = place(made) if made is not None else ""
    return Fault(kind, message + where, details, node=made)


def place(node: Node) -> str:
    """Where a node was made, in brackets."""
    return f" ({node.where})" if node.where else ""


def node_at(out: Any, t: int) -> Any:
    """The newest node of that time step that an output was made from, or of the last step; or the output itself."""
    marked = [node for node in Graph(out) if node.op and node.t is not None] if isinstance(out, Node) else []
    return next((node for node in reversed(marked) if node.t == t), marked[-1] if marked else out)
