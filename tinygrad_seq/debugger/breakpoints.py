"""Where to stop: breakpoints on ops, names, scopes, time steps, source lines, and on what the gradient is like."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Protocol
from unicodedata import normalize

import numpy as np

from ..errors import DataError
from ..graph import Graph, Node
from .tape import Moment

__all__ = ["GRAMMAR", "Breakpoint", "Walked", "parse", "path_of"]

GRAMMAR = """\
tanh            the op          h, l0/h         the name, with as much of its scope as it takes
op tanh         only the op     name h          only the name          in encoder      the scope
t=3, t<3, t=2..5                the time step
model.py:42, :42                the source line that made the node
norm<1e-3, norm>10              ‖gradient‖, or going forward ‖value‖
ratio<0.5, ratio>2              to that of the same name one step earlier on the way
nan, inf, flip                  not a number; infinite; against the one before
Several together must all hold: break h t<4 norm<1e-3"""

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq,
}  # fmt: skip
COMPARED = re.compile(r"(t|norm|ratio)(<=|>=|==|=|<|>)(.+)")
LINE = re.compile(r"(.*):(\d+)")


class Walked(Protocol):
    """What breakpoints ask of a walk: of a tape, or of a sweep that is going on."""

    @property
    def graph(self) -> Graph | None:
        """The record, to find names in; None where it is not known yet, and a breakpoint may name anything."""

    def norm(self, moment: Moment) -> float:
        """‖gradient‖₂, or going forward ‖value‖₂."""

    def before(self, moment: Moment) -> Moment | None:
        """The moment of the same quantity one step earlier on the walk."""

    def flipped(self, moment: Moment) -> bool:
        """Whether it points against that of the same quantity one step earlier on the walk."""


Test = Callable[[Moment, Walked], bool]


@dataclass
class Breakpoint:
    """A place to stop.

    number: from 1, never used again.  text: as it was asked for.  temporary: deleted when it stops.  ignore: how often
    it still passes.  hits: how often it held.
    """

    number: int
    text: str
    tests: list[Test] = field(repr=False)
    temporary: bool = False
    enabled: bool = True
    ignore: int = 0
    hits: int = 0

    def holds(self, moment: Moment, tape: Walked) -> bool:
        """Whether all that it asks for is so."""
        return all(test(moment, tape) for test in self.tests)

    def stops(self, moment: Moment, tape: Walked) -> bool:
        """Whether to stop here; counts."""
        if not self.enabled or not self.holds(moment, tape):
            return False
        self.hits += 1
        if self.ignore:
            self.ignore -= 1
            return False
        return True

    def __str__(self) -> str:
        more = ["temporary"] * self.temporary + ["disabled"] * (not self.enabled)
        more += [f"ignored {self.ignore} more times"] if self.ignore else []
        more += [f"held {self.hits} times" if self.hits > 1 else "held once"] if self.hits else []
        return f"{self.number}  {self.text}" + (f"  ({', '.join(more)})" if more else "")


def parse(text: str, tape: Walked) -> list[Test]:
    """What a breakpoint asks for, in the words of `GRAMMAR`.  Raises DataError for what no node could be."""
    words = normalize("NFC", text).split()
    if not words:
        raise DataError(f"break needs to know where:\n{GRAMMAR}")
    tests: list[Test] = []
    of_numbers: list[Test] = []  # which come last, as they take longest
    while words:
        word = words.pop(0)
        if word in ("op", "name", "in", "line"):
            if not words:
                raise DataError(f"break {text}: what comes after {word!r} is missing")
            tests.append(KINDS[word](words.pop(0), tape))
        elif word in ("nan", "inf", "flip"):
            of_numbers.append({"nan": is_nan, "inf": is_inf, "flip": flips}[word])
        elif match := COMPARED.fullmatch(word):
            (tests if match[1] == "t" else of_numbers).append(compared(*match.groups()))
        elif LINE.fullmatch(word):
            tests.append(at_line(word, tape))
        else:
            tests.append(called(word, tape))
    return tests + of_numbers


def compared(what: str, sign: str, number: str) -> Test:
    """t, norm or ratio against a number."""
    try:
        if what == "t" and ".." in number and sign in ("=", "=="):
            first, last = (int(end) for end in number.split(".."))
            return lambda moment, tape: moment.node.t is not None and first <= moment.node.t <= last
        limit = float(number)
    except ValueError:
        raise DataError(f"break {what}{sign}{number}: {number!r} is no number") from None
    holds = COMPARE[sign]
    if what == "t":
        return lambda moment, tape: moment.node.t is not None and holds(moment.node.t, limit)
    if what == "norm":
        return lambda moment, tape: holds(tape.norm(moment), limit)

    def ratio(moment: Moment, tape: Walked) -> bool:
        other = tape.before(moment)
        return other is not None and tape.norm(other) > 0 and holds(tape.norm(moment) / tape.norm(other), limit)

    return ratio


def is_nan(moment: Moment, tape: Walked) -> bool:
    """There is a NaN in it."""
    return bool(np.isnan(moment.value).any())


def is_inf(moment: Moment, tape: Walked) -> bool:
    """There is an infinity in it."""
    return bool(np.isinf(moment.value).any())


def flips(moment: Moment, tape: Walked) -> bool:
    """It points against the one before."""
    return tape.flipped(moment)


def named(word: str, tape: Walked) -> Test:
    """A name, or the end of a path with it."""
    if tape.graph is None:
        return lambda moment, tape: bool(moment.node.name) and ends(normalize("NFC", path_of(moment.node)), word)
    called = {node for node in nodes_of(tape) if node.name and ends(normalize("NFC", path_of(node)), word)}
    if not called:
        raise DataError(missing("name", word, {node.name for node in nodes_of(tape) if node.name}))
    return lambda moment, tape: moment.node in called


def of_op(word: str, tape: Walked) -> Test:
    """An op."""
    known = {node.op.name for node in nodes_of(tape) if node.op}
    if tape.graph and word not in known:
        raise DataError(missing("op", word, known))
    return lambda moment, tape: moment.node.op is not None and moment.node.op.name == word


def called(word: str, tape: Walked) -> Test:
    """A name, or else an op."""
    names = {node.name for node in nodes_of(tape) if node.name}
    ops = {node.op.name for node in nodes_of(tape) if node.op}
    if tape.graph is None:
        by_name, by_op = named(word, tape), of_op(word, tape)
        return lambda moment, tape: by_name(moment, tape) or by_op(moment, tape)
    if word in ops and word not in names:
        return of_op(word, tape)
    if "/" in word or word in names:
        return named(word, tape)
    raise DataError(missing("name or op", word, names | ops))


def in_scope(word: str, tape: Walked) -> Test:
    """A scope, or one inside it."""
    known = {node.scope for node in nodes_of(tape) if node.scope}
    if tape.graph and not any(f"/{scope}/".find(f"/{word}/") >= 0 for scope in known):
        raise DataError(missing("scope", word, known))
    return lambda moment, tape: f"/{word}/" in f"/{moment.node.scope}/"


def at_line(word: str, tape: Walked) -> Test:
    """A source line, "model.py:42", or ":42" in whichever file."""
    match = LINE.fullmatch(word if ":" in word else f":{word}")
    known = {node.source for node in nodes_of(tape) if node.source}
    if match is None:
        raise DataError(f"break line {word}: a source line is a file and a number, such as model.py:42 or :42")
    if tape.graph and not any(line == word or (line.endswith(f":{match[2]}") and not match[1]) for line in known):
        raise DataError(missing("source line", word, known))
    return lambda moment, tape: moment.node.source == word or (
        not match[1] and moment.node.lineno == int(match[2])
    )


KINDS: dict[str, Callable[[str, Walked], Test]] = {"op": of_op, "name": named, "in": in_scope, "line": at_line}


def nodes_of(tape: Walked) -> list[Node]:
    """The nodes of the record; none where it is not known."""
    return tape.graph.nodes if tape.graph else []


def path_of(node: Node) -> str:
    """The name of a node after the path of its scopes."""
    return f"{node.scope}/{node.name}" if node.scope else str(node.name)


def ends(path: str, name: str) -> bool:
    """Whether a path ends in that name, or that part of a path."""
    return f"/{path}".endswith(f"/{name}")


def missing(what: str, word: str, known: set[str]) -> str:
    """The message for what is not in the record."""
    near = get_close_matches(word, sorted(known), 1, 0.5)
    shown = sorted(known)
    there = ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")
    hint = f"did you mean {near[0]!r}? There is" if near else "there is"
    return f"no {what} {word!r} is in the record; {hint} {there or 'none at all'}"
