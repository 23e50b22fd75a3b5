"""The prompt of the debugger, and `tinygrad-seq debug`: pdb's commands, answers as text, mistakes that end nothing."""

import io
import subprocess
import sys

import numpy as np
import pytest

from commands import run
from tinygrad_seq import Parameter, steps
from tinygrad_seq.debugger import Prompt, Session, debug


def session():
    """A state that each of four steps multiplies by a factor."""
    h = Parameter([1.0, -2.0], name="start")
    for _, x in steps([0.5, 0.1, 0.5, 0.9]):
        h = (h * x).named("h")
    return Session(h.sum().named("L"))


def answers(*commands, of=None):
    """What the prompt says to each command, by the command."""
    out = io.StringIO()
    prompt = Prompt(of or session(), out=out)
    said = []
    for command in commands:
        out.seek(0)
        out.truncate()
        prompt.onecmd(command)
        said.append(out.getvalue())
    return said


@pytest.mark.parametrize(
    ("short", "long"),
    [("s", "step"), ("n", "next"), ("c", "run"), ("continue", "run"), ("w", "where"), ("b h", "break h"), ("l", "list"),
     ("p g", "print g"), ("s 2", "step 2"), ("j 2", "goto 2"), ("unt h t=2", "until h t=2"), ("h step", "help step")],
)  # fmt: skip
def test_a_short_form_is_the_command(short, long):
    """pdb's abbreviations, and what they stand for, answer the same."""
    assert answers("s", short) == answers("s", long)


def test_commands_move_and_show():
    """Each movement shows where it came to; back shows again what was there."""
    first, second, again, breakpoint_, stopped, end = answers("s", "s", "u", "b h norm<0.3", "c", "c")

    assert "backward 2 of 6 · t=4 of 4 · h_4, mul" in first
    assert "backward 3 of 6 · t=3 of 4 · h_3, mul" in second
    assert again == first
    assert breakpoint_ == "Breakpoint 1  h norm<0.3\n"
    assert stopped.startswith("Breakpoint 1  h norm<0.3  (held once)\n")
    assert "h_1, mul" in stopped
    assert end.startswith("This is the end.\n")


def test_an_empty_line_does_the_last_command_again():
    """Enter repeats, as in pdb; a comment does nothing."""
    assert answers("s", "", "# a note", "")[1::2] == [answers("s 2")[0], answers("s 3")[0]]
    assert answers("# a note") == [""]


def test_breakpoints_are_listed_passed_and_deleted():
    """break without an argument lists; ignore, disable, enable, tbreak and delete say what they did."""
    said = answers("b", "b h", "tbreak t=1", "ignore 1 2", "disable 1", "enable 1", "b", "delete 1", "b", "delete", "b")

    assert said[0] == "no breakpoints\n"
    assert said[3] == "Breakpoint 1  h  (ignored 2 more times)\n"
    assert "disabled" in said[4]
    assert "disabled" not in said[5]
    assert said[6] == "1  h  (ignored 2 more times)\n2  t=1  (temporary)\n"
    assert said[8] == "2  t=1  (temporary)\n"
    assert said[10] == "no breakpoints\n"


def test_expressions_are_of_the_record_and_of_the_moment():
    """print takes names of nodes with their step, and g, out, inputs, t; what is no command is an expression."""
    said = answers("s 2", "p g", "p h_2.data", "t", "p norm", "p np.abs(out).max()", "p inputs[0].name", "nonsense")

    assert said[1] == "[0.9, 0.9]\n"
    assert said[2] == "[0.05, -0.1]\n"
    assert said[3] == "3\n"
    assert float(said[4]) == pytest.approx(np.sqrt(2) * 0.9, abs=1e-3)
    assert said[5] == "0.05\n"
    assert said[6] == "'h'\n"
    assert said[7] == "*** NameError: name 'nonsense' is not defined\n"


def test_what_is_watched_is_shown_at_every_stop():
    """watch adds a line to each stop, until unwatch."""
    shown, moved, gone = (answers("watch norm", "s", "unwatch norm", "s")[i] for i in (0, 1, 3))

    assert shown == "  norm = 1\n"
    assert "  watch     norm = 1.414\n" in moved
    assert "watch" not in gone


@pytest.mark.parametrize(
    ("command", "says"),
    [("step x", "*** 'x' is no whole number"), ("step 0", "*** step takes a number from 1 on, got 0"),
     ("goto 9", "*** goto"), ("goto", "*** '' is no whole number"), ("b tahn", "*** no name or op 'tahn'"),
     ("delete 7", "*** there is no breakpoint 7"), ("p", "***"), ("explain t", "*** explain takes a node"),
     ("bars x", "*** there is no series 'x'"), ("ignore", "*** there is no")],
)  # fmt: skip
def test_a_mistake_is_told_and_the_session_goes_on(command, says):
    """An error is one line, and the session stands where it stood."""
    mistake, after = answers(command, "w")

    assert mistake.startswith(says)
    assert after == answers("w")[0]


def test_explain_and_bars_answer_in_words():
    """explain of this node, or of a named one; bars of a series."""
    this, other, drawn = answers("explain", "explain h_2", "bars h")

    assert this.startswith("∂L/∂L = 1: it is the loss itself")
    assert other.startswith("∂L/∂h_2 = from h_3 through mul")
    assert drawn.startswith("‖∂L/∂h_t‖  t=1 ")


def test_debug_does_commands_and_gives_the_session_back(capsys):
    """debug(loss, commands=…) answers on standard output; the session is as it was left."""
    left = debug(session().tape.loss, commands=["s", "q", "s"])

    assert left.now.node.t == 4
    said = capsys.readouterr().out
    assert said.count("(backprop) ") == 2


def test_commands_come_through_a_pipe():
    """A script pipes its commands, and the end of the pipe ends the session."""
    program = "from tinygrad_seq import Value\nfrom tinygrad_seq.debugger import debug\nx = Value(2.0)\ndebug(x * x)"
    done = subprocess.run([sys.executable, "-c", program], input="s\np g\n", capture_output=True, text=True, check=True)

    assert done.stdout.rstrip().endswith("(backprop) 4\n(backprop)")


def test_names_are_completed():
    """Tab knows the names and the ops of the record."""
    prompt = Prompt(session(), out=io.StringIO())

    assert prompt.completedefault("h") == ["h", "h_1", "h_2", "h_3", "h_4"]
    assert prompt.completedefault("mu") == ["mul"]
    assert prompt.completenames("contin") == [] or "goto" in prompt.completenames("go")


# ---- the command line ----


def test_the_command_does_a_file_of_commands(tmp_path, capsys):
    """tinygrad-seq debug --commands FILE answers each, and ends."""
    (tmp_path / "commands.txt").write_text("# what comes to h\nb h norm<0.05\nc\nq\ns\n")

    asked = ["--model", "lstm", "--of", "L_4", "--commands", tmp_path / "commands.txt"]
    assert run("debug", *asked) == 0
    said = capsys.readouterr().out
    assert "Breakpoint 1  h norm<0.05  (held once)" in said
    assert "t=2 of 4 · h_2, mul" in said
    assert said.count("(backprop) ") == 4


def test_forward_goes_the_other_way(tmp_path, capsys):
    """--forward begins with the oldest node."""
    (tmp_path / "commands.txt").write_text("until h t=1\n")

    assert run("debug", "--forward", "--commands", tmp_path / "commands.txt") == 0
    said = capsys.readouterr().out
    assert "forward 1 of " in said
    assert "t=1 of 4 · h_1, tanh" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--of", "L_9"], "--of 'L_9' is not in the record: did you mean 'L_4'?"),
        (["--model", "lstn"], "Did you mean 'lstm'?"),
        (["--commands", "nowhere.txt"], "nowhere.txt"),
        (["--text", ""], "is empty"),
    ],
)
def test_what_cannot_be_asked_is_told(arguments, says, capsys):
    """One sentence on standard error, exit code 2."""
    assert run("debug", *arguments) == 2
    assert says in capsys.readouterr().err
