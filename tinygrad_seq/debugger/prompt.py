"""The debugger at a prompt, with pdb's commands."""

from __future__ import annotations

import cmd
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import numpy as np

from ..errors import DataError, TinygradSeqError
from ..graph import Node
from .breakpoints import GRAMMAR
from .explanation import explain, explained
from .session import Session, Stop
from .view import array_text, bars, look, name_of, source_lines

__all__ = ["Prompt"]

SHORT = {
    "s": "step", "n": "next", "c": "run", "cont": "run", "continue": "run", "r": "run", "b": "break", "p": "print",
    "pp": "print", "l": "list", "ll": "list", "w": "where", "bt": "where", "unt": "until", "cl": "delete",
    "clear": "delete", "u": "back", "q": "quit", "exit": "quit", "h": "help", "restart": "begin", "j": "goto",
}  # fmt: skip


class Prompt(cmd.Cmd):
    """A session behind a prompt.  out: where answers go."""

    prompt = "(backprop) "

    def __init__(self, session: Session, stdin: TextIO | None = None, out: TextIO | None = None) -> None:
        super().__init__(stdin=stdin, stdout=out or sys.stdout)
        self.use_rawinput = stdin is None  # input(): with history, and in notebooks too
        self.session = session
        self.over = False

    def go(self, commands: Any = None) -> None:
        """Do commands, or read them until the end."""
        len(self.session.tape)  # all of the walk at once: each command is an answer from what was seen
        self.show()
        if commands is None:
            self.cmdloop()
            return
        for line in commands:
            self.stdout.write(f"{self.prompt}{line.rstrip()}\n")
            if self.onecmd(line):
                break

    # ---- cmd's own ----

    def onecmd(self, line: str) -> bool:
        """One command; an error is told, and the session goes on."""
        command, arg, line = self.parseline(line)
        if line == "EOF":
            self.write("")
            return True
        if not line:
            return self.emptyline()
        if line.startswith("#"):
            return False
        if command in SHORT:
            line = f"{SHORT[command]} {arg}"
        try:
            return bool(super().onecmd(line.strip()))
        except (TinygradSeqError, ValueError, KeyError, TypeError, AttributeError, NameError, IndexError) as error:
            self.write(f"*** {error}")
            return False

    def default(self, line: str) -> None:
        """What is no command is an expression, as in pdb."""
        self.do_print(line)

    def write(self, *lines: str) -> None:
        """Lines of an answer."""
        for line in lines:
            self.stdout.write(f"{line}\n")

    def show(self, stop: Stop | None = None) -> None:
        """Where the session stands."""
        if stop is not None and stop.reason == "breakpoint":
            self.write(f"Breakpoint {stop.breakpoint}")
        elif stop is not None and stop.reason in ("end", "start"):
            self.write(f"This is the {stop.reason}.")
        session = self.session
        self.write(*look(session.tape, session.now))
        for expression in session.watched:
            self.write(f"  {'watch':9} {expression} = {self.value_text(expression)}")

    # ---- moving ----

    def do_step(self, arg: str) -> None:
        """step [N] (s): to the next node, or the N-th from here."""
        self.show(self.session.step(whole(arg or "1")))

    def do_next(self, arg: str) -> None:
        """next [N] (n): to the next time step, or the N-th from here."""
        self.show(self.session.next(whole(arg or "1")))

    def do_back(self, arg: str) -> None:
        """back [N] (u): to the node before, or N before this one; nothing is computed again."""
        self.show(self.session.back(whole(arg or "1")))

    def do_run(self, arg: str) -> None:
        """run (c, continue): to the next breakpoint, or to the end."""
        self.show(self.session.run())

    def do_until(self, arg: str) -> None:
        """until WHERE (unt): to the next node of which this holds; see `help break`."""
        self.show(self.session.until(arg) if arg else self.session.step())

    def do_goto(self, arg: str) -> None:
        """goto T (j): to the first node of time step T, before or after here."""
        self.show(self.session.goto(whole(arg.removeprefix("t="))))

    def do_begin(self, arg: str) -> None:
        """begin (restart): to the first node."""
        self.show(self.session.restart())

    # ---- breakpoints ----

    def do_break(self, arg: str) -> None:
        self.set(arg, temporary=False)

    do_break.__doc__ = f"break WHERE (b): stop there; without WHERE, list the breakpoints.\n{GRAMMAR}"

    def do_tbreak(self, arg: str) -> None:
        """tbreak WHERE: stop there once."""
        self.set(arg, temporary=True)

    def set(self, arg: str, temporary: bool) -> None:
        """Set a breakpoint, or list them."""
        if arg:
            self.write(f"Breakpoint {self.session.break_(arg, temporary=temporary)}")
        else:
            self.write(*[str(point) for point in self.session.breakpoints] or ["no breakpoints"])

    def do_delete(self, arg: str) -> None:
        """delete [N …] (cl): remove breakpoints; without numbers all."""
        for number in [whole(n) for n in arg.split()] or [point.number for point in self.session.breakpoints]:
            self.write(f"Deleted breakpoint {self.session.delete(number)}")

    def do_ignore(self, arg: str) -> None:
        """ignore N [TIMES]: let breakpoint N pass so many times."""
        number, *times = [whole(word) for word in arg.split()] or [0]
        self.write(f"Breakpoint {self.session.ignore(number, *times)}")

    def do_enable(self, arg: str) -> None:
        """enable N …: let breakpoints stop again."""
        self.able(arg, True)

    def do_disable(self, arg: str) -> None:
        """disable N …: let breakpoints pass."""
        self.able(arg, False)

    def able(self, arg: str, enabled: bool) -> None:
        """Enable or disable."""
        for number in arg.split():
            point = self.session.breakpoint(whole(number))
            point.enabled = enabled
            self.write(f"Breakpoint {point}")

    # ---- looking ----

    def do_where(self, arg: str) -> None:
        """where (w): all about this node again."""
        self.show()

    def do_list(self, arg: str) -> None:
        """list [N] (l): the source around the line that made the node, N lines to each side."""
        self.write(*source_lines(self.session.now.node, whole(arg or "8")) or ["its source is not known"])

    def do_print(self, arg: str) -> None:
        """print EXPRESSION (p): in names of the record (h_3, W_x) and node, g, out, inputs, sent, t, norm, loss, np."""
        self.write(f"{self.value_text(arg)}" if arg else "*** print what?")

    def do_watch(self, arg: str) -> None:
        """watch [EXPRESSION]: show it at every stop; without one, list what is watched."""
        if arg:
            self.session.watched.append(arg)
        for expression in self.session.watched:
            self.write(f"  {expression} = {self.value_text(expression)}")

    def do_unwatch(self, arg: str) -> None:
        """unwatch [EXPRESSION]: show it no longer; without one, nothing any more."""
        self.session.watched = [one for one in self.session.watched if arg and one != arg]

    def do_bars(self, arg: str) -> None:
        """bars [NAME]: how large the gradient of a quantity is at each time step."""
        tape, paths = self.session.tape, self.session.tape.series
        path = next((p for p in paths if f"/{p}".endswith(f"/{arg}")), arg) if arg else None
        drawn = bars(tape, self.session.now, path)
        self.write(drawn or f"*** there is no series {arg!r}, only {', '.join(paths) or 'none at all'}")

    def do_explain(self, arg: str) -> None:
        """explain [NAME]: how the gradient of this node, or of another, came about."""
        node = self.value(arg) if arg else self.session.now.node
        if not isinstance(node, Node):
            raise TypeError(f"explain takes a node of the record, such as h_3; {arg} is {type(node).__name__}")
        tape = self.session.tape
        self.write(str(explain(node, tape.loss) if tape.forward else explained(node, tape)))

    def do_quit(self, arg: str) -> bool:
        """quit (q): leave the debugger."""
        return True

    # ---- values ----

    def value(self, expression: str) -> Any:
        """An expression over the record and the present moment."""
        return eval(expression, {"__builtins__": __builtins__}, Names(self.session))

    def value_text(self, expression: str) -> str:
        """The value of an expression in a line, or why there is none."""
        try:
            value = self.value(expression)
        except Exception as error:
            return f"*** {type(error).__name__}: {error}"
        if isinstance(value, Node):
            return f"{value!r}  {array_text(value.data)}"
        return array_text(value) if isinstance(value, np.ndarray | np.number | float) else repr(value)

    def completenames(self, text: str, *ignored: Any) -> list[str]:
        """Commands that begin so."""
        return super().completenames(text, *ignored)

    def completedefault(self, text: str, *ignored: Any) -> list[str]:
        """Names of the record and ops that begin so."""
        nodes = self.session.tape.graph.nodes
        words = {name_of(node) for node in nodes if node.name} | {node.name for node in nodes if node.name}
        return sorted(word for word in words | {node.op.name for node in nodes if node.op} if word.startswith(text))


def whole(word: str) -> int:
    """A whole number that was typed.  Raises DataError for what is none."""
    try:
        return int(word)
    except ValueError:
        raise DataError(f"{word!r} is no whole number") from None


class Names(Mapping[str, Any]):
    """The names that an expression may use: those of the present moment, and of every named node, with its step."""

    def __init__(self, session: Session) -> None:
        moment = session.now
        self._own: dict[str, Any] = {
            "node": moment.node, "g": moment.grad, "out": moment.node.data, "inputs": moment.node.inputs, "np": np,
            "t": moment.node.t, "sent": moment.visit.sent if moment.visit else (), "norm": session.tape.norm(moment),
            "loss": session.tape.loss, "graph": session.tape.graph,
        }  # fmt: skip
        self._tape = session.tape

    def __getitem__(self, name: str) -> Any:
        if name in self._own:
            return self._own[name]
        for node in reversed(self._tape.graph.nodes):
            if node.name and name in (name_of(node), node.name):
                return node
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)
