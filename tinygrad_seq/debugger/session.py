"""A session of the backprop debugger: where it stands, where it stops, and how it moves, without a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..errors import DataError, SequenceError
from ..graph import Node
from .breakpoints import Breakpoint, parse
from .tape import Moment, Tape

__all__ = ["Session", "Stop"]


class Stop(NamedTuple):
    """Where a movement ended.

    moment: where the session stands.  reason: "step", "breakpoint", "end" (there is nothing after it), "start" (nothing
    before) or "arrived".  breakpoint: the one that held, or None.
    """

    moment: Moment
    reason: str
    breakpoint: Breakpoint | None = None


class Session:
    """Backprop of a loss, or the computation of it, one node at a time, forwards and back again.

    Begins at the first moment, which of backprop is the loss itself.  Nothing is computed twice: `back` looks again at
    what was seen.  forward: go through the computation.  gradient: to begin with where the loss is no scalar.
    Raises GradientError for a loss that requires no gradient.

    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.debugger import Session
    >>> h = Tensor([1.0], requires_grad=True)
    >>> for t, x in steps([0.5, 0.1, 0.5]):
    ...     h = (h * x).named("h")
    >>> session = Session(h.sum())
    >>> print(session.break_("h norm<0.3"))
    1  h norm<0.3
    >>> stop = session.run()
    >>> stop.reason, stop.moment.node.t, stop.moment.grad
    ('breakpoint', 1, array([0.05]))
    >>> session.back(2).moment.node.t
    3
    """

    def __init__(self, loss: Node, *, forward: bool = False, gradient: Any = None) -> None:
        self.tape = Tape(loss, forward=forward, gradient=gradient)
        self.breakpoints: list[Breakpoint] = []
        self.watched: list[str] = []
        self._made = 0
        first = self.tape.at(0)
        assert first is not None
        self.now: Moment = first

    # ---- moving ----

    def step(self, n: int = 1) -> Stop:
        """To the next node, or the n-th from here; stops at breakpoints on the way."""
        return self._go(self.now.number + positive("step", n), "step")

    def next(self, n: int = 1) -> Stop:
        """To the first node of the next time step on the way, or of the n-th."""
        stop = Stop(self.now, "step")
        for _ in range(positive("next", n)):
            here = {None, self.now.node.t}
            stop = self._until(lambda moment, here=here: moment.node.t not in here)  # type: ignore[misc]
            if stop.reason in ("breakpoint", "end"):
                break
        return stop

    def back(self, n: int = 1) -> Stop:
        """To an earlier moment, the n-th before this one."""
        number = self.now.number - positive("back", n)
        self.now = self._moment(max(0, number))
        return Stop(self.now, "start" if number < 0 else "step")

    def run(self) -> Stop:
        """To the next breakpoint, or to the end."""
        if not self.breakpoints:
            self.now = self._moment(len(self.tape) - 1)
            return Stop(self.now, "end")
        return self._until(lambda moment: False)

    def until(self, where: str) -> Stop:
        """To the next moment of which all this holds, in the words of a breakpoint; stops at breakpoints on the way."""
        tests = parse(where, self.tape)
        return self._until(lambda moment: all(test(moment, self.tape) for test in tests))

    def goto(self, t: int) -> Stop:
        """To the first moment of a time step, before or after here; passes breakpoints.

        Raises SequenceError for a step that the record does not have, or no gradient reaches.
        """
        if t not in self.tape.times:
            have = f"{self.tape.times[0]} … {self.tape.times[-1]}" if self.tape.times else "no time step at all"
            raise SequenceError(f"goto needs a time step of the record, which has {have}; got {t}")
        number = 0
        while (moment := self.tape.at(number)) is not None:
            if moment.node.t == t:
                self.now = moment
                return Stop(moment, "arrived")
            number += 1
        raise SequenceError(f"no gradient reaches time step {t}: backprop of this loss never comes there")

    def restart(self) -> Stop:
        """To the beginning."""
        self.now = self._moment(0)
        return Stop(self.now, "start")

    def _go(self, number: int, reason: str) -> Stop:
        return self._until(lambda moment: moment.number >= number, reason)

    def _until(self, arrived: Callable[[Moment], bool], reason: str = "arrived") -> Stop:
        while (moment := self.tape.at(self.now.number + 1)) is not None:
            self.now = moment
            held = [point for point in self.breakpoints if point.stops(moment, self.tape)]
            if held:
                for point in held:
                    if point.temporary:
                        self.breakpoints.remove(point)
                return Stop(moment, "breakpoint", held[0])
            if arrived(moment):
                return Stop(moment, reason)
        return Stop(self.now, "end")

    def _moment(self, number: int) -> Moment:
        moment = self.tape.at(number)
        assert moment is not None
        return moment

    # ---- breakpoints ----

    def break_(self, where: str, *, temporary: bool = False) -> Breakpoint:
        """Stop where all this holds, such as "h t<4 norm<1e-3".  Raises DataError for what is not in the record."""
        tests = parse(where, self.tape)
        self._made += 1
        self.breakpoints.append(Breakpoint(self._made, where, tests, temporary))
        return self.breakpoints[-1]

    def breakpoint(self, number: int) -> Breakpoint:
        """The breakpoint of that number.  Raises DataError where there is none."""
        for point in self.breakpoints:
            if point.number == number:
                return point
        there = ", ".join(str(point.number) for point in self.breakpoints) or "none at all"
        raise DataError(f"there is no breakpoint {number}; there is {there}")

    def ignore(self, number: int, times: int = 0) -> Breakpoint:
        """Let a breakpoint pass so many times."""
        point = self.breakpoint(number)
        point.ignore = max(0, times)
        return point

    def delete(self, number: int) -> Breakpoint:
        """Remove a breakpoint."""
        point = self.breakpoint(number)
        self.breakpoints.remove(point)
        return point

    def __repr__(self) -> str:
        way = "forward" if self.tape.forward else "backward"
        return f"<session going {way}, at {self.now.node!r}, {len(self.breakpoints)} breakpoints>"


def positive(command: str, n: int) -> int:
    """A count of at least 1.  Raises DataError for another."""
    if n < 1:
        raise DataError(f"{command} takes a number from 1 on, got {n}")
    return n
