"""The debugger on the whole screen: source, graph, arrays, and magnitudes over time, moved through by keys.

Takes the package textual, the extra `tui`.  `debug(loss, tui=True)` opens it; nothing else imports this module.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.suggester import Suggester
from textual.widgets import Input, Static

from .panes import Drawn, arrays, breakpoints, fit, magnitudes, neighbours, plain, source
from .prompt import Prompt
from .session import Session, Stop
from .view import heading

__all__ = ["FullScreen"]

KEYS = "→ step  ← back  n next t  c continue  u until  g goto t  : type  ? help  q quit"
HELP = """\
→ s space    to the next node           c   on to a breakpoint, or the end
← b          to the node before         u   until: type where, such as h t<3
n            to the next time step      g   to a time step: type its number
PgDn PgUp    ten nodes on, or back      B   the breakpoints: show, hide
Home         to the first node          ↓ ↑ scroll what is too long
: /          type a command: Tab completes it, ↑ brings those before
Enter        the last command again     Esc close this       q   quit

All commands of the prompt are there: break WHERE, tbreak, delete, ignore,
enable, disable, print EXPRESSION, watch, explain, list, bars.
`help` lists them, `help break` says what one can stop at.
"""


class Commands(Prompt):
    """The prompt's commands; what it would say of a moment the panes show, and what else it answers is kept."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, StringIO(), StringIO())
        self.stop: Stop | None = None
        self.series: str | None = None

    def show(self, stop: Stop | None = None) -> None:
        """Keep why the session stopped."""
        self.stop = stop

    def do_bars(self, arg: str) -> None:
        """bars [NAME]: show the magnitudes of that quantity at every node; without a name, of the node's own."""
        paths = self.session.tape.series
        self.series = next((path for path in paths if f"/{path}".endswith(f"/{arg}")), None) if arg else None
        if arg and self.series is None:
            self.write(f"*** there is no series {arg!r}, only {', '.join(paths) or 'none at all'}")

    def completed(self, line: str) -> str | None:
        """A line with its last word completed; None where no word begins so."""
        before, space, word = line.rpartition(" ")
        offered = (self.completedefault(word) if space else self.completenames(word)) if word else []
        return f"{before}{space}{offered[0]}" if offered else None

    def answer(self, line: str) -> tuple[str, bool]:
        """Do a command: what it answers, and whether it ends the session."""
        self.stdout, self.stop = StringIO(), None
        over = self.onecmd(line)
        return self.stdout.getvalue(), over


class Pane(VerticalScroll, can_focus=False):
    """A frame with a title, and lines that scroll.  draw: what it shows, in so many columns and lines."""

    def __init__(self, draw: Callable[[int, int], Drawn], name: str) -> None:
        super().__init__(id=name)
        self.draw = draw

    def compose(self) -> ComposeResult:
        """Its lines are one widget."""
        yield Static()

    def redraw(self) -> None:
        """Show what there is now, in the size there is now."""
        width, height = self.scrollable_content_region.size
        if width and height:
            drawn = self.draw(width, height)
            self.border_title = Content(fit(drawn.title, min(width, cell_len(drawn.title))))
            self.query_one(Static).update(drawn.text)

    on_resize = redraw


class Status(Static):
    """The line at the top: where the walk is."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def redraw(self) -> None:
        """Say where the session is now."""
        self.update(Text(fit(heading(self.session.tape, self.session.now), self.size.width)))

    on_resize = redraw


class Completions(Suggester):
    """What a command line could go on with."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.commands = commands

    async def get_suggestion(self, value: str) -> str | None:
        """The line with its last word completed, if one begins so."""
        return self.commands.completed(value)


class CommandLine(Input):
    """A line to type commands in, which remembers them."""

    def __init__(self, commands: Commands, entered: Callable[[str], None]) -> None:
        super().__init__(suggester=Completions(commands), select_on_focus=False)
        self.commands = commands
        self.entered = entered
        self.lines: list[str] = []
        self.place = 0

    def open(self, begun: str) -> None:
        """Ask for a command that begins so."""
        self.place = len(self.lines)
        self.display = True
        self.value = begun
        self.cursor_position = len(begun)
        self.screen.set_focus(self)

    def on_key(self, event: events.Key) -> None:
        """The keys that are no letters; and those that were typed before the line was seen to be closed."""
        done = {"enter": self.enter, "escape": self.leave, "tab": self.complete, "up": self.recall_older,
                "down": self.recall_newer}.get(event.key)  # fmt: skip
        if not self.display:
            self.app.post_message(events.Key(event.key, event.character))
        elif done is not None:
            done()
        else:
            return
        event.stop()
        event.prevent_default()

    def enter(self) -> None:
        """Do what was typed."""
        line = self.value.strip()
        self.lines += [line] if line else []
        self.leave()
        self.entered(line)

    def leave(self) -> None:
        """Close the line."""
        self.display = False
        self.screen.set_focus(None)

    def complete(self) -> None:
        """Take what is suggested."""
        self.value = self.commands.completed(self.value) or self.value
        self.cursor_position = len(self.value)

    def on_blur(self) -> None:
        """Who clicks elsewhere has left it, too."""
        self.display = self.screen.focused is self

    def recall_older(self) -> None:
        """The command before."""
        self.recall(self.place - 1)

    def recall_newer(self) -> None:
        """The command after."""
        self.recall(self.place + 1)

    def recall(self, place: int) -> None:
        """One of the commands so far, or after the last an empty line."""
        self.place = max(0, min(len(self.lines), place))
        self.value = [*self.lines, ""][self.place]
        self.cursor_position = len(self.value)


class FullScreen(App[None]):
    """A session on the whole screen.  `run()` shows it until its user quits; the session is left where it then is."""

    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = ""  # keys are the screen's until a command line is asked for
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012 (textual declares its type)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, priority=True)  # else a key typed fast would go where the one before has led away from
        for keys, action in {
            "s,right,space": "command('step')",
            "b,left": "command('back')",
            "n": "command('next')",
            "c": "command('run')",
            "pagedown": "command('step 10')",
            "pageup": "command('back 10')",
            "home": "command('begin')",
            "enter": "command('')",
            "u": "ask('until ')",
            "g": "ask('goto ')",
            "colon,slash": "ask('')",
            "question_mark": "help",
            "B": "breakpoints",
            "down": "scroll(1)",
            "up": "scroll(-1)",
            "escape": "close",
            "q,ctrl+c": "quit",
        }.items()
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.theme = "ansi-dark"  # the terminal's own colours, be they light or dark
        self.session = session
        self.commands = Commands(session)
        self.said = ""  # the last answer
        len(session.tape)  # all of the walk at once: each key is an answer from what was seen

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Status(self.session)
        with Container(id="panes"):
            yield Pane(lambda width, height: source(self.session.now, width, height), "source")
            yield Pane(lambda width, height: neighbours(self.session.tape, self.session.now, width), "graph")
            yield Pane(lambda width, height: arrays(self.session, self.watched(), width), "arrays")
            yield Pane(self.bars, "bars")
        yield Static(id="message")
        with Container(id="foot"):
            yield CommandLine(self.commands, self.action_command)
            yield Static(KEYS, markup=False)
        yield Pane(lambda width, height: breakpoints(self.session, width), "breakpoints")
        yield Pane(lambda width, height: Drawn("answer", Text(self.said)), "answer")

    def on_mount(self) -> None:
        """At first neither a command line nor a list nor an answer is open."""
        for widget in self.query("CommandLine, #breakpoints, #answer"):
            widget.display = False

    def show(self) -> None:
        """Draw everything anew."""
        for pane in self.query(Pane):
            pane.redraw()
        self.query_one(Status).redraw()

    def bars(self, width: int, height: int) -> Drawn:
        """The magnitudes over time, of the quantity that was asked for."""
        return magnitudes(self.session.tape, self.session.now, width, height, self.commands.series)

    def watched(self) -> list[tuple[str, str]]:
        """The watched expressions, with their values."""
        return [(one, self.commands.value_text(one)) for one in self.session.watched]

    # ---- what keys do ----

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys are letters while a command is typed."""
        return not isinstance(self.focused, CommandLine) and super().check_action(action, parameters)

    def action_command(self, line: str) -> None:
        """Do a command of the prompt, and show where the session then is."""
        said, over = self.commands.answer(line)
        if over:
            self.exit()
            return
        stop = self.commands.stop
        if stop is not None:
            for pane in ("graph", "arrays"):
                self.query_one(f"#{pane}", Pane).scroll_home(animate=False)
            reasons = {"breakpoint": f"Breakpoint {stop.breakpoint}", "end": "This is the end.",
                       "start": "This is the start."}  # fmt: skip
            self.say(reasons.get(stop.reason, ""))
        else:
            self.say(said)
        self.show()

    def say(self, text: str) -> None:
        """An answer of one line goes under the panes, a longer one over them."""
        self.said = plain(text.expandtabs()).strip("\n")
        short = "\n" not in self.said and cell_len(self.said) <= self.size.width
        self.query_one("#message", Static).update(Text(self.said.strip() if short else "Esc closes the answer"))
        answer = self.query_one("#answer", Pane)
        answer.display = not short
        answer.redraw()
        answer.scroll_home(animate=False)

    def action_ask(self, begun: str) -> None:
        """Open the command line."""
        self.query_one(CommandLine).open(begun)

    def action_help(self) -> None:
        """Say what the keys do."""
        self.say(HELP)

    def action_breakpoints(self) -> None:
        """Show the list of breakpoints, or hide it."""
        pane = self.query_one("#breakpoints", Pane)
        pane.display = not pane.display

    def action_scroll(self, by: int) -> None:
        """Scroll the answer, or else what is too long for its pane."""
        answer = self.query_one("#answer", Pane)
        for pane in [answer] if answer.display else self.query("#graph, #arrays").results(Pane):
            pane.scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        """Close the answer, or else the list of breakpoints."""
        for pane in self.query("#answer, #breakpoints").results(Pane):
            if pane.display:
                pane.display = False
                self.query_one("#message", Static).update("")
                return
