"""`tinygrad-seq check`: what it finds to check, what it prints, its exit codes, and what it says to beginners."""

import importlib
import io
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from rich.cells import cell_len

from commands import forget, run
from house import ROOT
from test_examples import BLOCK, FILE
from tinygrad_seq.cli import checking
from tinygrad_seq.cli.checkable import Check
from tinygrad_seq.testing import Fault, Report

WRONG_OP = """\
import numpy as np
from tinygrad_seq import Op

def softsign(x):
    return x / (1 + np.abs(x))

def softsign_vjp(g, out, x):
    return (g / (1 + np.abs(x)),)

"""
RIGHT_OP = WRONG_OP.replace("np.abs(x)),)", "np.abs(x)) ** 2,)")
MADE = "softsign = Op(softsign, softsign_vjp)\n"
LAYERS = """\
import numpy as np
from tinygrad_seq import Parameter, Tensor, functional as F, nn

class Scale(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = Parameter(np.full(n, 2.0))

    def forward(self, x):
        return x * self.w

class Half(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.in_features = in_features
        self.w = Parameter(np.ones((in_features, out_features)))

    def forward(self, x):
        return (x + Tensor(x.data)) @ self.w / 2

class Distance(nn.Module):
    example = (np.ones((2, 3)), np.zeros((2, 3)))

    def forward(self, x, y):
        return ((x - y) ** 2).sum()

scale = Scale(3)
other = Scale(2)
other_example = np.ones((2, 2))
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to write modules into, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    forget(tmp_path)


def rows(out):
    """The table: name, kind and verdict of each line."""
    row = r"^(\S.*?) {2,}(op|function|layer|cell|model|property|) .* (✓|✗|not checked)$"
    return re.findall(row, out, re.MULTILINE)


def stub(name, kind="op", *faults, checks=10, raises=None):
    """A check that takes no time."""

    def result():
        if raises is not None:
            raise raises
        return Report(name, tuple(Fault("value", f"derivative of {each} is wrong") for each in faults), (), checks)

    return Check(name, kind, result)


# ---- one op --------------------------------------------------------------------------


def test_a_wrong_op_is_named_with_the_line_of_its_rule(here, capsys):
    """Code 1; the table says ✗, and below it stand op, input, numbers, rule, and the smallest example."""
    (here / "my_ops.py").write_text(WRONG_OP + MADE)
    code, said = run("check", "my_ops.py:softsign"), capsys.readouterr()

    assert code == 1
    assert rows(said.out) == [("softsign", "op", "✗")]
    assert "derivative of softsign is wrong for input 0, x\n" in said.out
    assert "    rule: my_ops.py:8  return (g / (1 + np.abs(x)),)\n" in said.out
    assert "smallest example: softsign(np.array(" in said.out
    assert re.search(r"^1 of 1 wrong: softsign \(\d+ numbers compared in \d+\.\d s\)\n\Z", said.out, re.MULTILINE)
    assert said.err == ""


@pytest.mark.parametrize("target", ["my_ops.py:softsign", "my_ops:softsign", "my_ops.py", "my_ops", "./my_ops.py"])
@pytest.mark.parametrize("made", [MADE, "", "pair = softsign, softsign_vjp\n"], ids=["Op", "functions", "pair"])
def test_an_op_that_is_right(here, capsys, target, made):
    """Code 0 and ✓, of an Op, of two functions of which one is called …_vjp; by module or by file, alone or all."""
    (here / "my_ops.py").write_text(RIGHT_OP + made)
    code, said = run("check", target, "--budget", 2), capsys.readouterr()

    assert code == 0
    assert ("softsign", "op", "✓") in rows(said.out)
    assert re.search(r"right \([\d,]+ numbers compared in", said.out)
    assert said.err == ""


def test_the_same_seed_finds_the_same(here, capsys):
    """Run twice it prints the same but for the time that it took."""
    (here / "my_ops.py").write_text(WRONG_OP + MADE)
    said = []
    for _ in range(2):
        run("check", "my_ops.py", "--seed", 3)
        said.append(re.sub(r"\d+\.\d+", "", capsys.readouterr().out))

    assert said[0] == said[1]


def test_keywords_of_an_op_stand_beside_it(here, capsys):
    """An op that needs an axis is told what to write; with NAME_fixed beside it it is checked."""
    op = "def total(x, *, keepdims): return x.sum(keepdims=keepdims)\n"
    op += "def total_vjp(g, out, x, *, keepdims): return (g + 0 * x,)\n"
    (here / "axes.py").write_text(op)
    assert run("check", "axes.py:total") == 2
    assert 'total needs keepdims: write `total_fixed = {"keepdims": st.…}` beside it' in capsys.readouterr().err
    op += "from hypothesis import strategies as st\ntotal_fixed = {'keepdims': st.booleans()}\n"
    (here / "more.py").write_text(op)

    assert run("check", "more.py:total", "--budget", 5, "--order", 1) == 0


# ---- functions, layers, cells --------------------------------------------------------


def test_a_function_at_random_inputs(here, capsys):
    """--shape once for each input; () is a single number."""
    (here / "f.py").write_text("def f(x, y): return (x * y).sum()\n")

    assert run("check", "f.py:f", "--shape", "2,3", "--shape", "()", "--order", 2) == 0
    assert rows(capsys.readouterr().out) == [("f", "function", "✓")]


def test_a_function_at_its_example(here, capsys):
    """NAME_example beside it, or --example, is what it is called with; integers are handed on."""
    (here / "f.py").write_text(
        "import numpy as np\ndef f(x, i): return (x * x)[i]\nf_example = (np.ones(3), 1)\nother = (np.ones(2), 0)\n"
    )

    assert run("check", "f.py:f") == run("check", "f.py:f", "--example", "f.py:other") == run("check", "f.py") == 0
    assert rows(capsys.readouterr().out) == [("f", "function", "✓")] * 3


def test_all_that_a_file_defines(here, capsys):
    """Ops and layers of the file, not those that it imports; a class that needs no more than sizes is made."""
    (here / "my_ops.py").write_text(RIGHT_OP + MADE)
    (here / "layers.py").write_text("from my_ops import softsign\n" + LAYERS)
    code, said = run("check", "layers.py"), capsys.readouterr()

    assert code == 1
    assert rows(said.out) == [("Half", "layer", "✗"), ("Distance", "layer", "✓"), ("other", "layer", "✓")]
    assert "is wrong for input 0" in said.out
    assert "at layers.py:" in said.out
    assert said.err == "Passed over in layers.py: Scale, scale (name one to see what it needs: layers.py:Scale)\n"


def test_examples_of_layers(here, capsys):
    """A layer is checked on what stands in its class, beside it, or after --example."""
    (here / "layers.py").write_text(LAYERS)

    assert run("check", "layers.py:other", "layers.py:Distance") == 0
    assert run("check", "layers.py:scale", "--example", "layers.py:Distance.example") == 1
    assert "--example" not in (said := capsys.readouterr()).err
    assert "scale cannot be checked: it raised TypeError" in said.out


def test_a_cell_goes_through_time(here, capsys):
    """Of a recurrent cell with an input_size nothing more need be said; what is wrong is named with its time step."""
    (here / "my_ops.py").write_text(WRONG_OP + MADE)
    (here / "cell.py").write_text(
        "import numpy as np\nfrom my_ops import softsign\nfrom tinygrad_seq import Parameter, nn\n"
        "class Cell(nn.Module):\n"
        "    def __init__(self, input_size, hidden_size):\n"
        "        super().__init__()\n"
        "        self.input_size, self.hidden_size = input_size, hidden_size\n"
        "        self.W, self.U = Parameter(np.ones((input_size, hidden_size))), Parameter(np.eye(hidden_size))\n"
        "    def step(self, x, h):\n"
        "        h = softsign(x @ self.W + h @ self.U)\n"
        "        return h, h\n"
    )
    code, said = run("check", "cell.py"), capsys.readouterr()

    assert code == 1
    assert rows(said.out) == [("Cell", "cell", "✗")]
    assert "derivative of softsign is wrong for input 0, x (at t=1, cell.py:10)" in said.out


def test_gradient_properties_are_run(here, capsys):
    """A function under gradient_property is a check; the smallest inputs stand below what is wrong."""
    (here / "props.py").write_text(
        "from tinygrad_seq import Tensor\nfrom tinygrad_seq.testing import gradient_property, tensors\n"
        "@gradient_property(tensors())\ndef test_right(x): return x * x\n"
        "@gradient_property(tensors())\ndef test_wrong(x): return x * Tensor(x.data)\n"
    )
    code, said = run("check", "props.py", "--budget", 4), capsys.readouterr()

    assert code == 1
    assert rows(said.out) == [("test_right", "property", "✓"), ("test_wrong", "property", "✗")]
    assert "the smallest inputs found:" in said.out


def test_gradient_properties_draw_the_same_each_time(here):
    """As many inputs as --budget says, and in another run the same ones."""
    (here / "props.py").write_text(
        "from tinygrad_seq.testing import gradient_property, tensors\nseen = []\n"
        "@gradient_property(tensors((3,)))\ndef test_sum(x):\n    seen.append(x.data.tolist())\n    return x.sum()\n"
    )
    seen = []
    for _ in range(2):
        assert run("check", "props.py", "--budget", 4) == 0
        seen.append(importlib.import_module("props").seen)
        forget(here)

    assert seen[0] == seen[1]
    assert len({tuple(x) for x in seen[0] if any(x)}) > 1


def test_what_raises_is_wrong(here, capsys):
    """A function that raises at its inputs does not end the program: it says what was raised, and where."""
    (here / "f.py").write_text("def f(x):\n    return x.nothing\n")

    assert run("check", "f.py:f", "--shape", "2") == 1
    said = capsys.readouterr().out
    assert "f cannot be checked: it raised AttributeError: 'Tensor' object has no attribute 'nothing' (f.py:2)" in said


# ---- the package ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], ["tanh", "exp", "Linear", "LSTMCell"]),
        (["--only", "ops"], ["tanh", "exp"]),
        (["--only", "cells"], ["LSTMCell"]),
        (["-k", "ST"], ["LSTMCell"]),
        (["-k", "ex", "--only", "ops"], ["exp"]),
    ],
)
def test_which_of_the_package_are_checked(monkeypatch, capsys, options, names):
    """All of it, or a kind, or what has a word in its name, in whatever case."""
    all_of_it = [stub("tanh"), stub("exp"), stub("Linear", "layer"), stub("LSTMCell", "cell")]
    monkeypatch.setattr(checking, "package_checks", lambda asked: all_of_it)
    code, said = run("check", *options), capsys.readouterr()

    assert code == 0
    assert [name for name, _, _ in rows(said.out)] == names
    last = f"all {len(names)}" if len(names) > 1 else "1"
    assert f"\n{last} right ({10 * len(names)} numbers compared in 0.0 s)\n" in said.out


def test_an_op_of_the_package(capsys):
    """Really: tanh and its like are right."""
    assert run("check", "--only", "ops", "-k", "tanh", "--budget", 2, "--order", 1) == 0
    assert ("tanh", "op", "✓") in rows(capsys.readouterr().out)


def test_what_is_wrong_stands_below_the_table(monkeypatch, capsys):
    """Each report in words, in the order of the table, and a last line that names them all."""
    checks = [stub("a", "op", "a"), stub("b"), stub("c", "layer", "c", "c too")]
    monkeypatch.setattr(checking, "package_checks", lambda asked: checks)
    code, said = run("check"), capsys.readouterr()

    assert code == 1
    assert said.out.splitlines()[4:] == [
        "", "derivative of a is wrong",
        "", "derivative of c is wrong", "derivative of c too is wrong",
        "", "2 of 3 wrong: a, c (30 numbers compared in 0.0 s)",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_table_fits(monkeypatch, capsys, columns):
    """Names of any script and length: each row is within the terminal, if that has 60 columns, and all are in line."""
    monkeypatch.setenv("COLUMNS", str(columns))
    names = ["softsign", "긴 이름을 가진 층 하나 " * 3, "TransformerEncoderLayer, norm first, gelu " * 2]
    monkeypatch.setattr(checking, "package_checks", lambda asked: [stub(name, checks=10**6) for name in names])
    run("check")
    table = capsys.readouterr().out.splitlines()[:4]

    assert max(map(cell_len, table)) <= max(columns, 60)
    assert len({cell_len(row) for row in table[1:]}) == 1
    assert "…" in table[2]


@pytest.mark.parametrize("category", [RuntimeWarning, np.exceptions.ComplexWarning])
def test_warnings_of_numpy_stay_out_of_the_table(monkeypatch, recwarn, category):
    """That log of 0 is -inf, or that a complex step was dropped, is no news while checking."""
    warns = Check("warns", "op", lambda: warnings.warn("as expected", category, stacklevel=1))
    monkeypatch.setattr(checking, "package_checks", lambda asked: [warns])

    assert run("check") == 0
    assert len(recwarn) == 0


def test_ctrl_c_says_what_was_done(monkeypatch, capsys):
    """Code 130; the rows so far stand, what they found is told, and how many there would have been."""
    checks = [stub("a"), stub("b", "op", "b"), stub("c", raises=KeyboardInterrupt()), stub("d")]
    monkeypatch.setattr(checking, "package_checks", lambda asked: checks)
    code, said = run("check"), capsys.readouterr()

    assert code == 130
    assert [name for name, _, _ in rows(said.out)] == ["a", "b"]
    assert "derivative of b is wrong" in said.out
    assert "Stopped with 2 of 4 checked: 1 of 2 wrong: b" in said.out.splitlines()[-1]


def test_without_colour_and_without_signs(monkeypatch):
    """Into a file there goes no escape sequence; where there is no ✓ there are words."""
    monkeypatch.setattr(checking, "package_checks", lambda asked: [stub("a"), stub("b", "op", "b")])
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    code = run("check")
    out.flush()
    written = out.buffer.getvalue()

    assert code == 1
    assert b"\x1b" not in written
    assert re.findall(rb"^(\w) .* (\w+)$", written, re.MULTILINE) == [(b"a", b"ok"), (b"b", b"WRONG")]


def test_the_help_needs_no_hypothesis():
    """Neither `--help` nor another command loads what only check needs."""
    program = "import sys, tinygrad_seq.cli; print(*({'hypothesis', 'tinygrad_seq.testing'} & {*sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""


# ---- files ---------------------------------------------------------------------------


def test_reports_are_written_with_their_pictures(here, capsys):
    """--picture: what is wrong as text and as a picture, of an op at its smallest example; nothing of what is right."""
    functions = "def f(x): return softsign(x * 2).sum()\ndef g(x): return x * x\n"
    (here / "my_ops.py").write_text(WRONG_OP + MADE + functions)
    code = run("check", "my_ops.py:f", "my_ops.py:g", "my_ops.py:softsign", "--shape", "2", "--picture", "out/faults")
    said = capsys.readouterr().out

    assert code == 1
    assert sorted(path.name for path in (here / "out" / "faults").iterdir()) == [
        "f.svg", "f.txt", "softsign.svg", "softsign.txt",
    ]  # fmt: skip
    for name in ("f", "softsign"):
        assert "wrong derivative by input 0" in (here / "out" / "faults" / f"{name}.svg").read_text("utf-8")
    assert [line for line in said.splitlines() if line.startswith("In ")] == [
        "In out/faults/f.txt and out/faults/f.svg", "In out/faults/softsign.txt and out/faults/softsign.svg",
    ]  # fmt: skip


# ---- what is said to beginners -------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["my_op:softsign"], "there is no module 'my_op': did you mean 'my_ops'?"),
        (["my_op.py:softsign"], "there is no file 'my_op.py': did you mean 'my_ops.py'?"),
        (["zzz"], "give one that Python can import from here, or a file, my_ops.py"),
        (["my_ops.py:softsing"], "my_ops.py has no 'softsing': did you mean 'softsign'?"),
        (["my_ops.py:zzz"], "my_ops.py has no 'zzz': there is Op, np, softsign, softsign_vjp"),
        (["my_ops.py:"], "'my_ops.py:' is not module:object"),
        (["1+1"], "'1+1' is no module"),
        (["my_ops.py:np.pi"], "np.pi is a float: give an Op, a pair (forward, vjp), an nn.Module or a function"),
        (["json"], "there is nothing to check in json"),
        (["my_ops.py:softsign_vjp"], "say the shapes of its inputs g, out, x: --shape 2,3 --shape 2,3 --shape 2,3"),
        (["my_ops.py:softsign_vjp", "--shape", "2"], "softsign_vjp takes g, out, x, and --shape was given 1 times"),
        (["my_ops.py:softsign", "--shape", "2,a"], "'2,a' is not a shape: write numbers with commas, such as 2,3"),
        (["my_ops.py:softsign", "-k", "tanh"], "of 1 things to check none fits -k tanh"),
        (["my_ops.py:softsign", "--only", "op"], "'op' is not one of ops, functions, layers, cells, models"),
        (["layers.py:Scale"], "Scale needs n to be made: make one in the same file, such as `layer = Scale(…)`"),
        (["layers.py:scale"], "scale needs an example to run on, with x: write `example = (x,)` into its class"),
        (["layers.py:scale", "--example", "layers.py"], "--example layers.py is a module: name what in it"),
        (["layers.py:scale", "--example", "layers.py:exmple"], "layers.py has no 'exmple'"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(here, capsys, args, said):
    """Code 2, nothing on standard output, and what to do instead."""
    (here / "my_ops.py").write_text(RIGHT_OP + MADE)
    (here / "layers.py").write_text(LAYERS)

    assert run("check", *args) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("target", ["bad.py:f", "bad:f"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import numpi\n", "ModuleNotFoundError: No module named 'numpi' (bad.py:1)\n    import numpi\n"),
        ("def f():\n    return 1 / 0\nf()\n", "ZeroDivisionError: division by zero (bad.py:2)\n    return 1 / 0\n"),
        ("x = (\n", "is not Python (bad.py:1): '(' was never closed\n    x = (\n"),
        ("raise SystemExit(3)\n", "cannot be imported: SystemExit: 3 (bad.py:1)"),
        ("from tinygrad_seq import Tenser\n", "cannot import name 'Tenser' from 'tinygrad_seq'"),
        ("from tinygrad_seq import Tensor\nTensor([1.0]).reshape(3)\n", "(bad.py:2)\n    Tensor([1.0]).reshape(3)\n"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_imported(here, capsys, target, text, said):
    """Code 2, the error with the user's own line, and no traceback; asked again it says the same."""
    (here / "bad.py").write_text(text)

    for _ in range(2):
        assert run("check", target) == 2
        shown = capsys.readouterr().err
        assert said in shown
        assert "Traceback" not in shown


def test_one_that_cannot_be_checked_does_not_keep_the_others(here, capsys):
    """In a file it is said why, below the table; code 2 where all others are right."""
    needs = "def top(x, *, k): return x\ndef top_vjp(g, out, x, *, k): return (g,)\n"
    (here / "my_ops.py").write_text(RIGHT_OP + MADE + needs)
    code, said = run("check", "my_ops.py", "--budget", 2), capsys.readouterr()

    assert code == 2
    assert rows(said.out) == [("softsign", "op", "✓"), ("top", "", "not checked")]
    assert "top was not checked: top needs k: write `top_fixed" in said.out
    assert said.out.splitlines()[-1].startswith("1 right, 1 not checked (")


def test_without_hypothesis_it_says_what_to_install(monkeypatch, capsys):
    """Code 2, and the command that installs it."""
    monkeypatch.setattr(checking, "find_spec", lambda name: None)

    assert run("check") == 2
    assert 'pip install "tinygrad-seq[testing]"' in capsys.readouterr().err


# ---- the page ------------------------------------------------------------------------


def test_the_page_shows_what_is_printed(here, capsys):
    """Each `$ tinygrad-seq check …` in docs/checking-gradients.md, with the files of the page, but for its numbers."""
    page = (ROOT / "docs" / "checking-gradients.md").read_text("utf-8")
    shown = re.compile(r"^```text\n\$ tinygrad-seq (.*?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    blocks = sorted([*BLOCK.finditer(page), *shown.finditer(page)], key=lambda block: block.start())
    compared = 0
    for block in blocks:
        if block.re is shown:
            run(*block[1].split())
            assert without_counts(capsys.readouterr().out) == without_counts(block[2])
            compared += 1
            forget(here)
        elif file := FILE.match(block[1]):
            (here / file[1]).write_text(block[1], "utf-8")

    assert compared == 2


def without_counts(text):
    """A text without how many numbers were compared, and the seconds that it took."""
    return re.sub(r" +[\d,]+ +\d+\.\d\d(?=  [✓✗])|\([\d,]+ numbers compared in \d+\.\d s\)", "", text)


def test_the_default_inputs_of_a_function_are_random(here):
    """--budget says how many there are, and --seed which."""
    (here / "f.py").write_text("seen = []\ndef f(x):\n    seen.append(x.data.tolist())\n    return x * 2\n")
    firsts = []
    for seed in (0, 0, 1):
        run("check", "f.py:f", "--shape", "1", "--budget", 3, "--seed", seed)
        module = importlib.import_module("f")
        firsts.append(module.seen[0])
        forget(here)

    assert firsts[0] == firsts[1] != firsts[2]

