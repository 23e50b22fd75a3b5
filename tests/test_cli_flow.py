"""`tinygrad-seq flow`: what it prints, what it writes, and that no run is lost."""

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import run, start
from tinygrad_seq.cli import flow
from tinygrad_seq.cli.files import chart_files
from tinygrad_seq.models.flow import finished_runs, plan

TINY = ("flow", "--models", "rnn,self-attention", "--steps", "6", "--seeds", "2", "--hidden", "4", "--jobs", "1")
TABLES = {"flow.csv", "runs.csv", "flow.parquet", "runs.parquet"}


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    """Runs go where they bother nobody, and tables are as wide as on a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(flow, "chart_files", lambda name, ax: {f"{name}.svg": b"", f"{name}.png": b""})  # slow
    return tmp_path


def names(folder):
    return {path.name for path in Path(folder).iterdir()}


def test_models_are_compared(monkeypatch, capsys):
    """A table of 80 columns, a sentence for each model and moment, pictures with a panel for each, and all numbers."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(flow, "chart_files", chart_files)
    assert run(*TINY, "--updates", 2) == 0
    said = capsys.readouterr()

    assert names("out/flow") == TABLES | {"flow.svg", "flow.png", "runs"}
    for moment in ("init", "trained"):
        assert len(re.findall(rf" {moment} .*×", said.out)) == 2
    assert re.search("^RNN, at initialisation: [a-z ]+: the gradient ", said.out, re.MULTILINE)
    assert re.search("^self-attention, after training on recall: ", said.out, re.MULTILINE)
    assert "\n self-attention " in said.out
    assert max(len(line) for line in said.out.split("\nRNN, at")[0].splitlines()) <= 80
    assert said.out.splitlines()[-1].startswith("In out/flow: flow.csv, runs.csv, ")
    assert [line.split("  ")[0] for line in said.err.splitlines()] == [
        "4 runs: 1 process", "run 1/4", "run 2/4", "run 3/4", "run 4/4",
    ]  # fmt: skip
    with open("out/flow/flow.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["when"] for row in rows} == {"init", "trained"}
    assert len(rows) == 2 * 2 * 6 * 3  # the RNN has x and h, self-attention x


def test_the_same_command_writes_the_same_bytes():
    """Tables and pictures of the numbers; only runs.csv has times."""
    for out in ("a", "b"):
        assert run(*TINY, "--untrained", "--out", out, "--quiet") == 0

    assert Path("a/flow.csv").read_bytes() == Path("b/flow.csv").read_bytes()


def test_quiet_prints_nothing(capsys):
    """Nothing at all where all is well."""
    assert run(*TINY, "--untrained", "-q") == 0
    said = capsys.readouterr()

    assert (said.out, said.err) == ("", "")


def test_several_lengths_have_a_picture_each():
    """And rows of their own in the table."""
    assert run("flow", "--models", "gru", "--steps", "6,9", "--seeds", 1, "--hidden", 4, "--untrained",
               "--initialisations", "default,identity", "--jobs", 1) == 0  # fmt: skip

    assert {"flow-6.svg", "flow-9.svg", "flow-6.png", "flow-9.png"} <= names("out/flow")
    assert len(finished_runs("out/flow")) == 4


def test_runs_that_are_there_are_not_lost(capsys):
    """A second time it says what can be done; --resume goes on, also with more seeds; --overwrite begins anew."""
    untrained = (*TINY, "--untrained")
    assert run(*untrained) == 0
    assert run(*untrained) == 2
    assert "out/flow/runs has 4 of the 4 runs already: resume to go on with them" in capsys.readouterr().err
    assert run(*untrained, "--seeds", 3, "--resume") == 0
    assert "6 runs, 4 are there: 1 process" in capsys.readouterr().err
    assert run(*untrained, "--resume") == 2
    assert "has runs of another plan" in capsys.readouterr().err
    assert run(*untrained, "--overwrite") == 0
    assert len(finished_runs("out/flow")) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(an_empty_folder, capfd):
    """Also with several processes, which the terminal interrupts too: the command that it names finishes the rest."""
    options = ("--models", "rnn,self-attention", "--steps", 30, "--seeds", 20, "--hidden", 8, "--updates", 40)
    running = start("flow", *options, "--jobs", 2, cwd=an_empty_folder, start_new_session=True)
    until = time.monotonic() + 60
    while len(list(Path("out/flow/runs").glob("[!.]*"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    done, line = len(finished_runs("out/flow")), [line for line in said.splitlines() if line.startswith("Stopped")]

    assert running.returncode == 130
    assert 3 <= done < 40
    assert "Traceback" not in said
    assert line == [f"Stopped with {done} of 40 runs done, kept in out/flow. To go on: {line[0].split('go on: ')[1]}"]
    command = shlex.split(line[0].split("go on: ")[1])
    assert command[:2] == ["tinygrad-seq", "flow"]
    assert command[2:] == [
        "--models", "rnn,self-attention", "--steps", "30", "--seeds", "20", "--hidden", "8", "--updates", "40",
        "--out", "out/flow", "--resume",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_killed_sweep_is_resumed(an_empty_folder, capsys):
    """After SIGKILL of all processes --resume runs the rest, and writes what an undisturbed sweep writes."""
    options = ("--models", "rnn", "--steps", 20, "--seeds", 8, "--hidden", 8, "--updates", 20)
    running = start("flow", *options, "--jobs", 2, cwd=an_empty_folder, start_new_session=True)
    until = time.monotonic() + 60
    while not list(Path("out/flow/runs").glob("[!.]*")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    there = len(finished_runs("out/flow"))
    assert run("flow", *options, "--jobs", 1, "--resume") == 0
    assert run("flow", *options, "--jobs", 1, "--out", "other", "-q") == 0

    assert f"8 runs, {there} are there" in capsys.readouterr().err or there == 8
    assert Path("out/flow/flow.csv").read_bytes() == Path("other/flow.csv").read_bytes()


@pytest.mark.slow
def test_a_cluster_by_its_address():
    """The workers of a Dask scheduler do the work, and the table is the same."""
    pytest.importorskip("distributed")
    program = (
        "import sys, distributed\n"
        "from commands import run\n"
        "if __name__ == '__main__':\n"
        "    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:\n"
        f"        options = [*{TINY[:-2]!r}, '--untrained', '--out', 'there', '-q']\n"
        "        sys.exit(run(*options, '--dask', cluster.scheduler_address))\n"
    )  # in a process of its own: its threads draw random numbers, and Hypothesis watches who does
    Path("cluster.py").write_text(program)
    tests = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "cluster.py"], check=True, timeout=120, env=tests)
    assert run(*TINY, "--untrained", "-q") == 0

    assert Path("there/flow.csv").read_bytes() == Path("out/flow/flow.csv").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--models", "lstn"], "there is no model 'lstn': did you mean 'lstm'?"),
        (["--models", " , "], "is empty: write one or more"),
        (["--steps", "1"], "needs steps, an integer of at least 2, got 1"),
        (["--steps", "5,x"], "'x' is not a valid integer"),
        (["--seeds", "0"], "0 is not in the range x>=1"),
        (["--initialisations", "zeros"], "there is no initialisation 'zeros'"),
        (["--models", "self-attention", "--initialisations", "identity"], "has no W_h to start as identity"),
        (["--untrained", "--updates", "3"], "take one of them"),
        (["--resume", "--overwrite"], "take one of them"),
        (["--out", ""], "a folder needs a name"),
        (["--dask", "nowhere"], "an address like tcp://host:8786, got 'nowhere'"),
        (["--jobs", "2", "--dask", "tcp://127.0.0.1:9"], "give jobs or dask, not both"),
    ],
)
def test_what_cannot_be_asked_for(arguments, says, capsys, monkeypatch):
    """One line says what is wrong, and nothing is written."""
    monkeypatch.setattr("tinygrad_seq.models.flow.sweeping.find_spec", lambda name: True)
    assert run("flow", *arguments) == 2

    assert says in " ".join(capsys.readouterr().err.split())
    assert names(".") == set()


def test_a_cluster_that_does_not_answer(capsys, monkeypatch):
    """It is said at once, where, and what to start; no folder is left."""
    monkeypatch.setattr("tinygrad_seq.models.flow.sweeping.find_spec", lambda name: True)
    assert run("flow", "--dask", "tcp://127.0.0.1:9") == 1

    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    assert names(".") == set()


def test_the_way_to_go_on_is_short(monkeypatch):
    """What is as usual is left out."""
    words = flow.again(plan(["rnn"], seeds=2), Path("x"))

    assert words == "tinygrad-seq flow --models rnn --steps 50 --seeds 2 --out x --resume"
    assert flow.again(plan(["gru"], [5, 6], 1, initialisations=["identity"], updates=0), Path("y z")).endswith(
        "--steps 5,6 --seeds 1 --initialisations identity --untrained --out 'y z' --resume"
    )


def test_the_help_runs():
    """In a process of its own, with the models that there are."""
    command = [sys.executable, "-m", "tinygrad_seq", "flow", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")

    assert done.returncode == 0
    assert "lstm-pytorch" in done.stdout
