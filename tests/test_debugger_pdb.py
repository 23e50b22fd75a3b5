"""Python's own debugger on backprop, in sessions with the real `python -m pdb`."""

import json
import re
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from house import ROOT
from scripts import HALTING, HELLO, OWN, environment, hello, written
from tinygrad_seq import Graph, Parameter, Tensor, on_visit, steps, sweep
from tinygrad_seq.debugger import node as visited
from tinygrad_seq.ops import elementwise

STEPS = 24  # at most, from `loss.backward()` into the first rule, calls and returns counted
PROMPT = "(Pdb) "


class Place(NamedTuple):
    """Where pdb stands: a file, a line, a function."""

    file: str
    line: int
    function: str


def pdb(program, commands, folder):
    """What pdb answers to each command, given one after the other at its prompt."""
    path, here = written(program, folder)
    ended = subprocess.run(
        [sys.executable, "-m", "pdb", path],
        input="".join(f"{command.format(here=here)}\n" for command in commands),
        capture_output=True, text=True, encoding="utf-8", timeout=60, cwd=folder, env=environment(folder),
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.split(PROMPT)[1:]  # before the first prompt pdb says where the program begins


def place(answer):
    """Where an answer says that pdb stands now."""
    found = re.search(r"^> (.*)\((\d+)\)(\S+?)\(\)", answer, re.MULTILINE)
    assert found, answer
    return Place(found[1].replace("\\", "/"), int(found[2]), found[3])


# ---- step into -----------------------------------------------------------------------


def test_step_into_reaches_the_first_rule_in_a_few_steps_that_read(tmp_path):
    """From `loss.backward()`: only the engine's own named functions on the way, and each line of them once."""
    answers = pdb(HELLO, ["b {here}", "c", *["s"] * STEPS, "q"], tmp_path)
    places = [place(answer) for answer in answers[2 : 2 + STEPS]]
    arrived = next(i for i, at in enumerate(places) if at.function.endswith("_vjp"))

    way = places[:arrived]
    assert places[arrived].function == "add_vjp"
    assert [*dict.fromkeys(at.function for at in way)] == ["backward", "seed", "descend"]
    assert {at.file.rpartition("/tinygrad_seq/")[2] for at in way} == {"backprop.py"}


def test_next_rule_is_a_step_away_from_the_last(tmp_path):
    """Between two rules there is only the sweep: stepping on, every rule of the record comes, newest first."""
    answers = pdb(HELLO, ["b {here}", "c", *["s"] * 150, "q"], tmp_path)
    functions = [place(answer).function for answer in answers[2:152] if "--Call--" in answer]
    rules = [visit.node.op.vjp.__name__ for visit in sweep(hello()) if visit.node.op]

    entered = [name for name in functions if name.endswith("_vjp")]
    assert len(entered) > 2
    assert entered == rules[: len(entered)]
    assert "<lambda>" not in functions


# ---- conditions ----------------------------------------------------------------------


def test_a_condition_can_ask_for_the_node(tmp_path):
    """A breakpoint in tanh_vjp stops at the node asked for, and nowhere else; g, out and x are its numbers."""
    commands = [
        "from tinygrad_seq.ops.elementwise import tanh_vjp",
        'b tanh_vjp, node.t == 3 and node.inputs[0].name == "C"',
        "c",
        "p __import__('json').dumps([node.t, node.op.name, node.scope, g.tolist(), out.tolist(), x.tolist()])",
        "p node",
        "c",
        "q",
    ]
    answers = pdb(HELLO, commands, tmp_path)
    t, op, scope, g, out, x = json.loads(answers[3].strip().strip("'"))
    (visit,) = [v for v in sweep(hello()) if v.node.t == 3 and v.node.op and v.node.op.name == "tanh"
                and v.node.inputs[0].name == "C"]  # fmt: skip

    assert place(answers[2]).function == "tanh_vjp"
    assert (t, op, scope) == (3, "tanh", "rnn")
    np.testing.assert_array_equal(g, visit.grad)
    np.testing.assert_array_equal(out, visit.node.data)
    np.testing.assert_array_equal(x, visit.node.inputs[0].data)
    assert answers[4].strip() == repr(visit.node)
    assert "the end" in answers[5]


def test_a_rule_of_ones_own_is_asked_in_the_same_way(tmp_path):
    """`from tinygrad_seq.debugger import node` brings the node into the conditions of any module."""
    commands = ["b {here}, node.t == 2 and node.name == 'h'", "c", "p node.t, g, x", "c", "q"]
    answers = pdb(OWN, commands, tmp_path)

    assert place(answers[1]).function == "cube_vjp"
    assert answers[2].strip().startswith("(2, array(")
    assert "the end" in answers[3]


# ---- breakpoint_on -------------------------------------------------------------------


def test_breakpoint_on_stops_a_step_before_the_rule(tmp_path):
    """One step, or two where Python is 3.13 or newer, lead into the VJP of the node that matches."""
    answers = pdb(HALTING, ["c", "p node.t, node.op.name", "s", "s", "c", "c", "q"], tmp_path)

    assert place(answers[0]).function == "applied"
    assert answers[1].strip() == "(3, 'tanh')"
    assert "tanh_vjp" in {place(answer).function for answer in answers[2:4]}
    assert place(answers[4]).function == "applied"  # C̃_3 is a tanh too
    assert "the end" in answers[5]


# ---- the page in docs/ -----------------------------------------------------------------


def test_the_page_shows_what_pdb_says(tmp_path):
    """The session in docs/debugging.md is what its commands give, but for folders and the numbers of lines."""
    section = (ROOT / "docs" / "debugging.md").read_text("utf-8").partition("\n## pdb\n")[2]
    program = re.search(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
    shown = re.search(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
    commands = re.findall(r"^\(Pdb\) (.*)$", shown, re.MULTILINE)
    answers = pdb(f"{program}# HERE\n", commands, tmp_path)

    said = "".join(f"{PROMPT}{command}\n{answer}" for command, answer in zip(commands, answers, strict=False))
    assert len(commands) > 5
    assert settled(shown.partition("\n")[2], tmp_path) == settled(said, tmp_path)


def settled(transcript, folder):
    """A session without what differs from one machine and one version to the next."""
    transcript = re.sub(r"^(> |Breakpoint 1 at ).*/(?=tinygrad_seq/)", r"\1", transcript, flags=re.MULTILINE)
    return re.sub(r"(\.py)([:(])\d+", r"\1\2…", transcript.replace("\r", "").strip())


# ---- the node that backprop is at ----------------------------------------------------


def test_node_is_that_of_the_innermost_sweep(monkeypatch):
    """In every rule it is the node whose rule it is, also where a hook begins another sweep, and under create_graph."""
    inner = (Parameter([2.0]) * 3.0).named("inner").sum()
    seen, expected = [], []

    def look(g, out, x):
        seen.append((visited.name, visited.t, visited.itself))
        return elementwise.exp_vjp(g, out, x)

    h = Parameter([0.5])
    for _, x in steps([1.0, 2.0]):
        h = (h * x).exp().named("h")
        expected.insert(0, ("h", h.t, h))
    monkeypatch.setattr(h.op, "vjp", look)
    within = {*Graph(inner)}
    with on_visit(lambda node, g: None if node in within else [*sweep(inner)] and None):
        h.sum().backward()
    h.sum().backward(create_graph=True)

    assert seen == 2 * expected


def test_the_files_of_the_ops_have_it():
    """A breakpoint in any rule of the package can ask for it, by the name `node`."""
    tanh = Tensor([1.0], requires_grad=True).tanh().op

    assert tanh.vjp.__globals__["node"] is visited


def test_without_a_sweep_there_is_no_node():
    """It says so, and what to do."""
    with pytest.raises(AttributeError, match="break in a VJP"):
        _ = visited.t
    assert repr(visited) == "<no node: backprop applies no rule>"
    assert "itself" in dir(visited)
