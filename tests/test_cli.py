"""The command line: exit codes, where output goes, and that a failure leaves nothing behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len
from threadpoolctl import threadpool_info

from commands import run
from tinygrad_seq import __version__
from tinygrad_seq.cli.tour import command as tour
from tinygrad_seq.models.tour import CHAPTERS, lag, rnn
from tinygrad_seq.viz import GraphvizMissingError
from tours import TINY, one_after_the_other

PICTURES = ("unrolled", "last_loss", "parts", "gradient_flow")
COMMANDS = ("tour", "tasks", "train", "generate", "translate", "draw", "check")
PLAN = TINY._replace(word=100)
FILES = {f"{name}.{ending}" for name in PICTURES for ending in ("svg", "png")}


@pytest.fixture(scope="module")
def drawn():
    """Pictures that take no time."""
    return dict.fromkeys(PICTURES, "<svg/>"), dict.fromkeys(FILES, b"a picture")


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path, drawn):
    """A tour that takes no time, in an empty folder: of its first chapter, unless another is asked for."""
    monkeypatch.setattr(tour, "PLANS", {"full": PLAN, "fast": PLAN})
    monkeypatch.setattr(tour, "CHAPTERS", tour.CHAPTERS[:1])
    monkeypatch.setattr(tour, "pictures_of", lambda chapter, texts: {})
    monkeypatch.setattr(tour, "files_of", lambda pictures: drawn)
    monkeypatch.setattr(lag, "Parallel", one_after_the_other)
    monkeypatch.chdir(tmp_path)
    return tmp_path


QUICKLY = """
from tinygrad_seq.cli import main
from tinygrad_seq.cli.tour import command
from tinygrad_seq.models.tour import Plan
command.PLANS = {"full": Plan(steps=5, seeds=1, word=1, text=1, passage=2, hidden=4)}
command.CHAPTERS = command.CHAPTERS[:1]
command.pictures_of = lambda chapter, texts: {}
main(["tour", "--jobs", "1"])
"""  # the tour in a process of its own


# ---- a tour --------------------------------------------------------------------------


def test_a_tour_prints_a_table_and_writes_a_report(short, capsys):
    """Two tables of four steps on standard output, the report where it says, nothing on standard error."""
    code, said = run("tour"), capsys.readouterr()

    assert code == 0
    assert {path.name for path in (short / "out" / "tour").iterdir()} == FILES | {"index.html"}
    assert re.findall(r"│ (\d) │ +(\w) +│ +(\w) +│ +(\w) +│", said.out)[4:] == [
        ("1", "H", "E", "E"), ("2", "E", "L", "L"), ("3", "L", "L", "L"), ("4", "L", "O", "O"),
    ]  # fmt: skip
    for head in ("token", "target", "prediction", "L_t", "‖∂L_4/∂h_t‖", "‖∂L_4/∂W_x‖"):
        assert head in said.out
    assert said.out.splitlines()[-1] == f"The report: {os.path.join('out', 'tour', 'index.html')}"
    assert max(map(len, said.out.splitlines())) <= 80
    assert said.err == ""


def test_the_report_is_the_same_for_the_same_seed(short):
    """Byte for byte, page and pictures; another seed gives another report."""
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert run("tour", "--out", name, "--seed", seed, "-q") == 0
    a, b, c = ({path.name: path.read_bytes() for path in (short / name).iterdir()} for name in "abc")

    assert a == b
    assert a["index.html"] != c["index.html"]


def test_a_second_tour_takes_the_place_of_the_first(short):
    """What else lies in the folder stays, and no temporary file is left."""
    (short / "notes.txt").write_text("mine")
    assert run("tour", "--out", ".", "--seed", "1", "-q") == run("tour", "--out", ".", "-q") == 0

    assert {path.name for path in short.iterdir()} == FILES | {"index.html", "notes.txt"}
    assert "--seed 0" in (short / "index.html").read_text("utf-8")


@pytest.mark.parametrize("options", [[], ["--fast"], ["--lang", "ko"], ["--fast", "--lang", "ko"]])
def test_the_report_says_how_to_make_it_again(short, options):
    """The command stands at its end, as it was typed, and the page is in the language that was asked for."""
    assert run("tour", "-q", *options) == 0
    page = (short / "out" / "tour" / "index.html").read_text("utf-8")

    assert f"<code>{' '.join(['tinygrad-seq tour', *options])} --seed 0</code>" in page
    assert f'<html lang="{"ko" if "ko" in options else "en"}">' in page


def test_a_tour_in_korean(capsys):
    """Titles, claims and what was found are Korean in the terminal too, and fit into 80 columns."""
    assert run("tour", "--lang", "ko") == 0
    out = capsys.readouterr().out

    assert "멀수록 잊혀집니다" in out
    assert out.splitlines()[-1].startswith("보고서: ")
    assert all(cell_len(line) <= 80 for line in out.splitlines())


def test_one_chapter(monkeypatch, short, capsys):
    """--chapter 3 is the GRU alone."""
    monkeypatch.setattr(tour, "CHAPTERS", CHAPTERS)
    assert run("tour", "--chapter", "3") == 0
    out = capsys.readouterr().out

    assert out.startswith("3. GRU\n")
    assert "LSTM\n" not in out
    page = (short / "out" / "tour" / "index.html").read_text("utf-8")
    assert re.findall('<section id="([^"]+)"', page) == ["gru"]
    assert "tinygrad-seq tour --chapter 3 --seed 0" in page


def test_the_whole_tour_ends_with_one_table(monkeypatch, capsys):
    """All six chapters, each with its claims, and a line for each model, in 80 columns."""
    monkeypatch.setattr(tour, "CHAPTERS", CHAPTERS)
    assert run("tour") == 0
    out = capsys.readouterr().out
    table = out[out.index("All of them") :]

    assert re.findall(r"^(\d)\. ", out, re.MULTILINE) == list("123456")
    assert len(re.findall("^[✓◐✗] ", out, re.MULTILINE)) > 15
    for name in ("RNN", "LSTM, forget bias 1", "GRU", "RNN + attention", "self-attention"):
        assert re.search(rf"^ *{re.escape(name)} .*\d→\d\.\d\d +\d+/\d+/\d+ ", table, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80


def test_quiet_prints_nothing(capsys):
    """--quiet is for scripts: only errors are said."""
    assert run("tour", "--quiet", "--out", "안녕 report") == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_and_not_where_no_color_is_set(monkeypatch, capsys, variables, colours):
    """NO_COLOR takes the colours away, also on a terminal."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"FORCE_COLOR": "1", "TERM": "xterm-256color"} | variables).items():
        monkeypatch.setenv(name, value)
    run("tour")

    assert ("\x1b[32m" in capsys.readouterr().out) == colours


def test_one_thread_is_enough(monkeypatch):
    """Matrices of this size gain nothing from more, and lose much on a busy machine; afterwards it is as before."""

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before, seen, real = threads(), [], rnn.word_tour
    monkeypatch.setattr(rnn, "word_tour", lambda *args, **options: seen.extend(threads()) or real(*args, **options))
    run("tour", "-q")

    assert seen == [1] * len(before)
    assert threads() == before


@pytest.mark.slow
def test_the_whole_tour_runs_from_a_shell(short):
    """By `python -m tinygrad_seq` too, with the central figure; the text, trained in full, needs less than 3 bits."""
    command = [sys.executable, "-m", "tinygrad_seq", "tour"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")

    assert (done.returncode, done.stderr) == (0, "")
    bits = re.search(r"needs (\d\.\d\d) bits", " ".join((short / "out/tour/index.html").read_text("utf-8").split()))[1]
    assert float(bits) < 3
    assert {"gradient_distance.svg", "gradient_distance.csv", "training.gif"} <= {
        path.name for path in (short / "out/tour").iterdir()
    }


# ---- help and usage ------------------------------------------------------------------


@pytest.mark.parametrize("args", [["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)])
def test_help(args, capsys):
    """It names the options, gives an example, and fits a terminal of 80 columns."""
    assert run(*args) == 0
    out = capsys.readouterr().out
    assert "Usage: tinygrad-seq" in out
    assert "\n  tinygrad-seq " in out
    assert max(map(len, out.splitlines())) <= 80


def test_version(capsys):
    """The version of the package."""
    assert run("--version") == 0
    assert capsys.readouterr().out == f"tinygrad-seq, version {__version__}\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "Usage"),
        (["tuor"], "Did you mean 'tour'?"),
        (["trane"], "Did you mean 'train'?"),
        (["tour", "--seed", "x"], "--seed"),
        (["tour", "--seed", "-1"], "--seed"),
        (["tour", "--seed", "1.5"], "--seed"),
        (["tour", "--out", ""], "--out"),
        (["tour", "--chapter", "0"], "--chapter"),
        (["tour", "--chapter", "7"], "--chapter"),
        (["tour", "--chapter", "RNN"], "--chapter"),
        (["tour", "--lang", "fr"], "--lang"),
        (["tour", "--jobs", "0"], "--jobs"),
        (["tour", "--loud"], "--loud"),
        (["tour", "extra"], "extra"),
    ],
)
def test_wrong_usage_is_exit_code_2(args, says, short, capsys):
    """With a word on standard error about what was wrong; nothing is made."""
    assert run(*args) == 2
    assert says in capsys.readouterr().err
    assert list(short.iterdir()) == []


# ---- failures ------------------------------------------------------------------------


def a_line(err):
    """Whether it is one line, not a traceback."""
    return err.startswith("Error: ") and err.count("\n") == 1


@pytest.fixture
def no_training(monkeypatch):
    """Training would fail the test: the complaint must come before it."""
    monkeypatch.setattr(tour, "tour", lambda *_, **__: pytest.fail("it trained first"))


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize("out", ["taken", "taken/below", "taken/far/below"])
def test_a_folder_that_is_a_file(out, short, capsys):
    """Also where a folder above it is a file: exit code 1, one line, before the work."""
    (short / "taken").write_text("mine")

    assert run("tour", "--out", out) == 1
    err = capsys.readouterr().err
    assert a_line(err)
    assert f"cannot write into the folder '{os.path.normpath(out)}'" in err
    assert "--out" in err
    assert (short / "taken").read_text() == "mine"


@pytest.mark.usefixtures("no_training")
@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_must_not_be_written(short, capsys):
    """A folder without write permission: exit code 1, before the work."""
    (short / "locked").mkdir(mode=0o500)

    assert run("tour", "--out", "locked/tour") == 1
    assert a_line(capsys.readouterr().err)


@pytest.mark.usefixtures("no_training")
def test_no_graphviz_program(monkeypatch, short, capsys):
    """It says what to install, before the work, and makes no folder."""

    def missing():
        raise GraphvizMissingError("drawing needs a Graphviz program: `pip install graphviz-pure` is enough")

    monkeypatch.setattr(tour, "layout_program", missing)

    assert run("tour") == 1
    err = capsys.readouterr().err
    assert a_line(err)
    assert "pip install graphviz-pure" in err
    assert list(short.iterdir()) == []


@pytest.mark.parametrize(
    ("stop", "code", "says"),
    [(KeyboardInterrupt, 130, "Interrupted"), (OSError(28, "No space left on device"), 1, "Error: ")],
)
@pytest.mark.parametrize("where", ["word_tour", "text_tour", "pictures_of", "report_page", "write_all"])
def test_what_stops_it_leaves_nothing(monkeypatch, short, capsys, where, stop, code, says):
    """Ctrl-C is exit code 130, a full disk 1; the folders that were made are gone, those that were there are not."""

    def stopped(*_, **__):
        raise stop

    (short / "out").mkdir()
    monkeypatch.setattr(rnn if where in ("word_tour", "text_tour") else tour, where, stopped)

    assert run("tour") == code
    err = capsys.readouterr().err.strip()
    assert err.startswith(says)
    assert "\n" not in err
    assert list(short.iterdir()) == [short / "out"]
    assert list((short / "out").iterdir()) == []


@pytest.mark.parametrize("left", [0, 1, 5])
def test_a_disk_that_fills_up_while_writing(monkeypatch, short, capsys, left):
    """After one file or five: none of them is there, what was there before is as it was."""
    assert run("tour", "-q", "--seed", "1") == 0
    before = {path: path.read_bytes() for path in (short / "out" / "tour").iterdir()}
    write, room = Path.write_bytes, iter(range(left))

    def write_bytes(path, content):
        if next(room, None) is None:
            write(path, content[:10])
            raise OSError(28, "No space left on device", str(path))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert run("tour", "--seed", "2") == 1
    assert a_line(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in (short / "out" / "tour").iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that break are of Unix")
def test_a_reader_who_has_seen_enough(short):
    """Standard output closed early, as by `| head -1`: no traceback, and the report is there."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", QUICKLY], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)

    assert (done.stderr, done.returncode) == ("", 1)
    assert (short / "out" / "tour" / "index.html").is_file()


def test_a_terminal_that_has_no_letters_for_it():
    """Where the output's encoding lacks ‖ or ∂, a ? stands for it; nothing fails."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", QUICKLY], capture_output=True, env=environment)

    assert done.returncode == 0, done.stderr
    assert b"The report: " in done.stdout
