"""What a check found: what is wrong, what it could not decide, and how much it looked at; as text and as files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import TinygradSeqError
from ..graph import Node
from .faults import Fault

__all__ = ["GradientCheckError", "Report", "joined"]


class GradientCheckError(TinygradSeqError, AssertionError):
    """A check found faults; `report` has them."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Report:
    """The outcome of a check: true where nothing is wrong.

    name: what was checked.  faults: what is wrong, the first to mend first.  notes: what could not be decided, such as
    points without a derivative, and how it was looked at.  checks: how many numbers were compared.  outputs: what the
    function returned when it was recorded, for a picture.

    >>> from tinygrad_seq import functional as F
    >>> from tinygrad_seq.testing import gradcheck
    >>> report = gradcheck(F.tanh, [[0.5, -1.0]])
    >>> bool(report), report.faults
    (True, ())
    """

    name: str
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    checks: int = 0
    outputs: tuple[Node, ...] = field(default=(), compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return "\n".join([f"{self.name}: right ({self.checks:,} numbers compared)", *self.notes])
        return "\n".join([*map(str, self.faults), *self.notes])

    def raised(self) -> Report:
        """This report, if nothing is wrong.  Raises GradientCheckError, whose message is the report."""
        __tracebackhide__ = True
        if self.faults:
            raise GradientCheckError(self)
        return self

    def save(self, path: str | Path, *, picture: str | None = "svg") -> list[Path]:
        """Write the report as text, and beside it a picture of the record around the first fault that has a node.

        path: of the text, such as "out/softsign.txt".  picture: "svg", "png", "pdf", "dot", or None for none.
        Returns the paths that were written.
        """
        from .pictures import written

        return written(Path(path), f"{self}\n", self.faults, self.outputs, picture)


def joined(name: str, reports: Iterable[Report]) -> Report:
    """Several reports as one; a fault that several of them have, once."""
    faults: list[Fault] = []
    notes: list[str] = []
    outputs: tuple[Node, ...] = ()
    checks = 0
    for report in reports:
        outputs = outputs or (() if report.ok else report.outputs)
        faults += [fault for fault in report.faults if fault not in faults]
        notes += [note for note in report.notes if note not in notes]
        checks += report.checks
    return Report(name, tuple(faults), tuple(notes), checks, outputs)
