"""The full-screen debugger: what its panes say in any width, and what its keys do."""

import asyncio
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from commands import run
from strategies import recorded_programs
from tinygrad_seq import Graph, Parameter, manual_seed, scope, steps
from tinygrad_seq.debugger import Session, debug
from tinygrad_seq.debugger.panes import arrays, breakpoints, facts_of, fit, magnitudes, neighbours, source
from tinygrad_seq.errors import DataError
from tinygrad_seq.models import LSTM, ManyToMany

pytest.importorskip("textual", reason="takes the extra tui")
from textual import events
from textual.widgets import Static

from tinygrad_seq.debugger.screen import CommandLine, FullScreen, Pane

LETTERS = st.text(st.characters(codec="utf-8") | st.sampled_from("한국ᄒ\u1161C\u0303\u200d\x1b\n[/]👩"), max_size=30)


def hello(T=4):
    """An LSTM on HELLO, as the lecture has it."""
    manual_seed(0)
    model = ManyToMany(LSTM(4, 8), 4)
    return model.loss(np.array([0, 1, 2, 2])[:T], np.array([1, 2, 2, 3])[:T])


def fading(T=5, name="h"):
    """A state that each step makes smaller."""
    h = Parameter([1.0, -2.0], name="start")
    with scope("[red]방/x"):
        for _, x in steps([0.5, 0.1, 0.9, 0.7, 0.3] * (T // 5)):
            h = (h * x).named(name)
    return h.sum().named("loss")


def lines_of(drawn):
    return drawn.text.plain.split("\n")


# ---- what the panes say ----


@given(LETTERS, st.integers(1, 40))
def test_fitted_text_takes_the_cells_it_was_given(text, width):
    """Cut or filled, in any script, with letters that take two cells or none; and nothing in it steers the terminal."""
    fitted = fit(text, width)

    assert cell_len(fitted) == width
    assert "\x1b" not in fitted
    assert "\n" not in fitted


@given(recorded_programs(), st.integers(20, 150), st.integers(1, 30), st.booleans(), st.data())
def test_every_pane_fits_at_every_node(program, width, height, forward, data):
    """Whatever the record and the width, no line of a pane is wider, and no pane that fills a height is higher."""
    session = Session(program.loss, forward=forward)
    session.step(data.draw(st.integers(1, len(session.tape))))
    tape, now = session.tape, session.now
    filling = [source(now, width, height), magnitudes(tape, now, width, max(2, height))]

    for drawn in [*filling, neighbours(tape, now, width), arrays(session, [("h", "1")], width)]:
        assert max(cell_len(line) for line in lines_of(drawn)) <= max(width, 60 * (len(lines_of(drawn)) == 1))
    assert len(lines_of(filling[0])) <= height
    assert len(lines_of(filling[1])) <= max(2, height)


@pytest.mark.parametrize("width", [20, 73, 400])
@pytest.mark.parametrize("T", [5, 100])
def test_bars_stand_where_the_walk_has_been_and_change_no_more(T, width):
    """Of the time steps, those that backprop came to have a bar, and a bar stays as it was first drawn."""
    session = Session(fading(T))
    first = session.tape.series["[red]방/x/h"][1]
    len(session.tape)  # to the end: its moments are known
    stood = {}
    while session.step().reason == "step":
        text = lines_of(magnitudes(session.tape, session.now, width, 5))
        columns = zip(*[line.ljust(width)[7:] for line in text[:-1]])
        there = {k: column for k, column in enumerate(columns) if column[-1] not in " ·"}
        if T < width - 7:  # a bar for each, not one for several
            assert {k: there.get(k) for k in stood} == stood
            assert ("·" in text[-2]) == (session.tape.moment_of(first).number > session.now.number)
        stood = there
    assert text[-1].split()[-1].lstrip("▲") == str(T)


@pytest.mark.parametrize("t", [1, 2, 50, 99, 100])
def test_the_present_step_is_pointed_at(t):
    """The line under the bars has the first and the last step, and an arrow at the present one."""
    session = Session(fading(100))
    session.goto(t)
    words = lines_of(magnitudes(session.tape, session.now, 60, 5))[-1].split()

    assert f"▲{t}" in words
    assert {word.lstrip("▲") for word in words} <= {"1", str(t), "100"}


def test_the_graph_says_who_sent_and_what_each_input_has():
    """Senders come before the node and inputs after it; what an input has so far grows to its gradient."""
    loss = hello()
    session = Session(loss)
    session.until("h t=3")
    text = neighbours(session.tape, session.now, 100).text.plain
    here = next(line for line in text.split("\n") if line.startswith("here"))

    sender, *others = session.tape.arrivals(session.now.node, session.now)
    assert text.index(f"through {sender.moment.node.op.name}") < text.index("here") < text.index("to ")
    assert len(others) == 1
    assert f"{np.linalg.norm(session.now.grad):.4g}" in here


def test_what_an_input_has_so_far_is_the_sum_of_what_came():
    """At the last node that sends to it, what an input has is its whole gradient."""
    h = Parameter([1.0, -2.0], name="h")
    session = Session((h * h + h).sum())
    session.until("mul")
    line = next(line for line in lines_of(neighbours(session.tape, session.now, 90)) if "y: g" in line)

    assert line.split()[-3:] == [f"{np.linalg.norm([3.0, -3.0]):.4g}", "from", "3"]


def test_forward_panes_have_values_and_no_gradients():
    """Going forward there is no gradient to show."""
    session = Session(fading(), forward=True)
    session.until("h t=2")

    assert "∂" not in neighbours(session.tape, session.now, 90).text.plain
    assert "[0.05, -0.1]" in arrays(session, [], 90).text.plain
    assert "gradient" not in arrays(session, [], 90).text.plain


def test_the_line_that_made_the_node_is_marked():
    """The source pane has an arrow at the node's line, whatever the height."""
    session = Session(fading())
    session.until("h t=2")
    for height in (1, 2, 9):
        marked = [line for line in lines_of(source(session.now, 90, height)) if line.startswith("→")]

        assert [line.split() for line in marked] == [f"→ {session.now.node.lineno} h = (h * x).named(name)".split()]


def test_breakpoints_are_listed():
    """A line for each, those that are off with another sign; without any, how to set one."""
    session = Session(fading())
    assert "break h" in breakpoints(session, 40).text.plain
    session.break_("h t=2")
    session.break_("mul").enabled = False

    assert [line[:6] for line in lines_of(breakpoints(session, 40))] == ["● 1  h", "○ 2  m"]


# ---- what the keys do ----


def show(session, play, size=(80, 24)):
    """Play on a screen; gives back what play gives."""

    async def played():
        app = FullScreen(session)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            return await play(app, pilot)

    return asyncio.run(played())


async def tell(app, pilot, command):
    """Type a command."""
    app.query_one(CommandLine).open(command)
    await pilot.press("enter")


def text_of(app, pane):
    return str(app.query_one(f"#{pane} Static", Static).visual)


def message_of(app):
    return str(app.query_one("#message", Static).visual)


def test_stepping_to_the_end_shows_the_gradients_of_backward():
    """Key by key every node comes that backward reaches, and its pane has the gradient that backward stores."""
    loss = hello(2)
    session = Session(loss)

    async def play(app, pilot):
        seen = {}
        for _ in range(len(session.tape)):
            assert session.now.node not in seen
            seen[session.now.node] = text_of(app, "arrays")
            await pilot.press("s")
        assert message_of(app) == "This is the end."
        return seen

    seen = show(session, play, (200, 24))
    loss.backward()

    reached = {node for node in Graph(loss) if node.grad is not None}
    assert set(seen) == reached
    for node, text in seen.items():
        row = next(line for line in text.split("\n") if line.startswith("gradient"))
        assert any(facts_of(node.grad, room)[0] in row for room in (0, 90))


def test_back_shows_what_was_there():
    """← undoes →, on every pane; at the start it says so."""
    session = Session(hello())
    panes = ("source", "graph", "arrays", "bars")

    async def play(app, pilot):
        shown = []
        for _ in range(8):
            shown.append([text_of(app, pane) for pane in panes])
            await pilot.press("right")
        for expected in reversed(shown):
            await pilot.press("left")
            assert [text_of(app, pane) for pane in panes] == expected
        assert message_of(app) == ""
        await pilot.press("b")
        assert message_of(app) == "This is the start."

    show(session, play)


def test_keys_move_as_the_session_does():
    """n, c, Home, PgDn, PgUp, g, u and Enter are next, run, begin, step 10, back 10, goto, until and once more."""
    session, other = Session(hello()), Session(hello())

    async def play(app, pilot):
        for keys, move in [
            (["n"], other.next), (["enter"], other.next), (["pagedown"], lambda: other.step(10)),
            (["pageup"], lambda: other.back(10)), (["home"], other.restart), (["space"], other.step),
            (["g", "2", "enter"], lambda: other.goto(2)), (["u", *"tanh", "enter"], lambda: other.until("tanh")),
            (["c"], other.run), (["b"], other.back),
        ]:  # fmt: skip
            await pilot.press(*keys)
            move()
            assert session.now.number == other.now.number, keys

    show(session, play)


def test_a_breakpoint_is_typed_stops_and_is_listed():
    """A command line takes the prompt's commands, with completion; B shows the breakpoints, and hides them."""
    session = Session(hello())

    async def play(app, pilot):
        await pilot.press("colon", *"brea", "tab", "space", *"h t=2", "enter")
        assert message_of(app) == "Breakpoint 1  h t=2"
        await pilot.press("c")
        assert (session.now.node.name, session.now.node.t) == ("h", 2)
        assert message_of(app).startswith("Breakpoint 1")
        assert not app.query_one("#breakpoints").display
        await pilot.press("B")
        await pilot.pause()
        assert text_of(app, "breakpoints").startswith("● 1  h t=2")
        await pilot.press("B")
        assert not app.query_one("#breakpoints").display

    show(session, play)


def test_keys_typed_at_once_go_where_they_belong():
    """A burst of keys, as of a paste: letters to the command, and those after Enter are keys again."""
    session = Session(hello())

    async def play(app, pilot):
        for key in ["colon", *"break", "space", *"h", "enter", "c", "s", "s", "colon", *"back", "enter", "n", "b"]:
            app.post_message(events.Key(key, {"space": " ", "colon": ":", "enter": "\r"}.get(key, key)))
        for _ in range(5):
            await pilot.pause()

    show(session, play)
    other = Session(hello())
    other.break_("h")
    other.run(), other.step(2), other.back(), other.next(), other.back()
    assert [point.text for point in session.breakpoints] == ["h"]
    assert session.now.number == other.now.number


def test_answers_open_and_close():
    """A short answer goes under the panes; a long one over them, until Esc; an error is told, and nothing moves."""
    session = Session(hello())

    async def play(app, pilot):
        answer = app.query_one("#answer", Pane)
        await pilot.press("slash", *"p 1+1", "enter")
        assert (message_of(app), answer.display) == ("2", False)
        await pilot.press("question_mark")
        assert answer.display
        assert "to the next time step" in text_of(app, "answer")
        await pilot.press("escape")
        assert not answer.display
        await tell(app, pilot, "explain h_3")
        assert text_of(app, "answer").startswith("∂loss/∂h_3 = ")
        await tell(app, pilot, "goto 77")
        assert not answer.display
        assert message_of(app).startswith("*** goto needs a time step of the record")
        assert session.now.number == 0
        await tell(app, pilot, "watch 3*14")
        await pilot.press("s")
        assert text_of(app, "arrays").startswith("3*14 = 42")
        await tell(app, pilot, "bars C")
        assert "∂C_t" in str(app.query_one("#bars").border_title)

    show(session, play)


def test_the_command_line_remembers_and_lets_go():
    """↑ brings the commands before, ↓ those after, and Esc closes it: then keys are keys again."""
    session = Session(fading())

    async def play(app, pilot):
        line = app.query_one(CommandLine)
        await tell(app, pilot, "goto 4")
        await tell(app, pilot, "goto 3")
        await pilot.press("colon", "up", "up", "up")
        assert line.value == "goto 4"
        await pilot.press("down")
        assert line.value == "goto 3"
        await pilot.press("down", "s")
        assert line.value == "s"
        await pilot.press("escape", "s")
        assert (line.display, session.now.node.t) == (False, 2)

    show(session, play)


@pytest.mark.parametrize("keys", [["q"], ["ctrl+c"], ["ctrl+q"], ["colon", "q", "enter"]])
def test_one_can_leave(keys):
    """q, Ctrl-C and the command end it; the session stays where it was."""
    session = Session(fading())

    async def play(app, pilot):
        await pilot.press("s", *keys)
        return app

    app = show(session, play)
    assert (app._exit, session.now.number) == (True, 1)


def test_the_screen_may_change_its_size():
    """All panes are on the screen and filled at 80 by 24, and at any size that it becomes."""
    session = Session(hello())
    session.until("h t=3")

    async def play(app, pilot):
        for size in [(80, 24), (200, 60), (140, 30), (60, 16), (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            for pane in app.query("#panes Pane").results(Pane):
                assert pane.region.height >= 2
                assert pane.region.right <= size[0]
                assert pane.region.bottom <= size[1] - 2
                lines = text_of(app, pane.id).split("\n")
                assert max(map(cell_len, lines)) <= pane.size.width
                assert pane.query_one(Static).size.height == len(lines)  # none is broken in two
            assert app.screen.has_class("-wide") == (size[0] >= 140)
            status = str(app.query_one("Status", Static).visual)
            assert "t=3" in status
            assert cell_len(status) == size[0]

    show(session, play)


def test_names_are_letters_and_no_markup():
    """What looks like markup, or would steer a terminal, is shown and not obeyed."""
    session = Session(fading(name="[bold]\x1b[31m한글"))
    session.until("t=3 mul")

    async def play(app, pilot):
        assert "[bold]�[31m한글_3" in text_of(app, "arrays")
        assert "[bold]�[31m한글_t" in str(app.query_one("#bars", Pane)._border_title)
        assert "in [red]방/x" in str(app.query_one("Status", Static).visual)

    show(session, play)


def test_a_long_record_is_moved_through_by_keys():
    """1,000 steps of an LSTM, 14,000 nodes: keys go where they should (how fast is measured in benchmarks)."""
    manual_seed(0)
    model = ManyToMany(LSTM(4, 16), 4)
    session = Session(model.loss(np.arange(1000) % 4, np.arange(1, 1001) % 4))

    async def play(app, pilot):
        await pilot.press("s", "n", "pagedown", "b", "c")
        ended = session.now.number == len(session.tape) - 1
        await pilot.press("pageup", "home", "g", "5", "0", "0", "enter")
        return ended

    assert show(session, play, (160, 48))
    assert session.now.node.t == 500


# ---- where it cannot be ----


def test_who_does_not_ask_for_it_does_not_wait_for_it():
    """The debugger and the command line load without textual."""
    program = "import sys, tinygrad_seq.debugger, tinygrad_seq.cli; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_without_textual_it_says_what_to_install(monkeypatch, capsys):
    """No package, no traceback: the extra is named."""
    monkeypatch.setitem(sys.modules, "textual", None)

    assert run("debug", "--text", "HE", "--tui") == 1
    assert "pip install 'tinygrad-seq[tui]'" in capsys.readouterr().err


def test_without_a_terminal_it_says_so(monkeypatch, capsys):
    """In a pipe there is no screen; nor do commands of a file go with one."""
    with pytest.raises(DataError, match="needs a terminal"):
        debug(fading(), tui=True)
    with pytest.raises(DataError, match="leave out commands"):
        debug(fading(), tui=True, commands=["step"])
    assert run("debug", "--tui", "--commands", __file__) == 2
    assert "--commands is for the prompt" in capsys.readouterr().err


def test_it_runs_in_a_real_terminal():
    """debug(loss, tui=True) takes over a terminal, answers keys, and gives the session and the terminal back."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    program = (
        "from tinygrad_seq import Parameter\nfrom tinygrad_seq.debugger import debug\n"
        "h = Parameter([1.0, -2.0], name='h')\n"
        "session = debug((h * h + h).sum(), tui=True)\nprint('left at', session.now.number)"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as it:
        os.close(theirs)
        written = b""
        for awaited, keys in [(b"backward 1 of 4", b"ss"), (b"backward 3 of 4", b"q"), (b"left at 2", b"")]:
            while awaited not in written:
                written += os.read(ours, 65536)
            os.write(ours, keys)
        assert it.wait(20) == 0
    os.close(ours)
