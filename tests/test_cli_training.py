"""`tinygrad-seq tasks` and `train`: what they print, what they write, and that no run is lost."""

import csv
import os
import re
import signal
import sys
import time

import pytest

from commands import run, start
from tinygrad_seq import checkpoint
from tinygrad_seq.cli import training
from tinygrad_seq.cli.examples import is_right
from tinygrad_seq.cli.files import chart_files
from tinygrad_seq.cli.runs import CHECKPOINT
from tinygrad_seq.models.tasks import Shown, task, tasks
from tinygrad_seq.models.training import read_meta

TINY = ("reversal", "--length", "4", "--batch", "4", "--hidden", "8")
FILES = {CHECKPOINT, "history.csv", "history.svg", "history.png"}


@pytest.fixture(autouse=True)
def an_empty_folder(tmp_path, monkeypatch):
    """Runs go where they bother nobody, and tables are as wide as on a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(training, "chart_files", lambda name, ax: {f"{name}.svg": b"", f"{name}.png": b""})  # slow
    return tmp_path


def numbers(path):
    """All of a checkpoint that is the same for the same run: not the seconds, nor the plan."""
    state = checkpoint.load(path)
    state["history"].pop("seconds")
    return {**state, "meta": None}


def same(a, b):
    """Whether two states are equal to the bit."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a.tobytes() == b.tobytes() if hasattr(a, "tobytes") else a == b


# ---- tasks ---------------------------------------------------------------------------


def test_the_table_has_every_task(capsys):
    """Each with what guessing gets, and the source of its data below; in 80 columns."""
    assert run("tasks") == 0
    out = capsys.readouterr().out
    for about in tasks():
        assert re.search(rf"│ {about.name} +│.*\[\d+\] │ .*\d │$", out, re.MULTILINE), about.name
        assert about.data in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("about", tasks(), ids=lambda about: about.name)
def test_a_task_in_detail(about, capsys):
    """Examples, sizes, options and the models that can do it, in 80 columns."""
    assert run("tasks", about.name) == 0
    out = capsys.readouterr().out
    for word in (about.shape, "to train on", "options", "gru", f"tinygrad-seq train {about.name}"):
        assert word in out
    assert len(out[out.index("┏") :].splitlines()) >= 6  # examples
    assert "None" not in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [
        ("dates", "made anew for each batch", "1,000 examples, made the same each time"),
        ("digits-rows", "1,293 examples", "360 examples"),
        ("hello", "4 steps, in windows of 4", "4 steps, in windows of 4"),
    ],
)
def test_how_much_data_there_is(name, train, test, capsys):
    """In words, of each of the three kinds of data."""
    assert run("tasks", name) == 0
    out = capsys.readouterr().out

    assert re.search(rf"│ to train on +│ {train} +│", out)
    assert re.search(rf"│ to test with +│ {test} +│", out)


@pytest.mark.parametrize(
    ("name", "expected", "predicted", "right"),
    [
        ("adding", "1.000", "1.039", True),
        ("adding", "1.000", "0.950", False),
        ("hello", "LO", "LO", True),
        ("hello", "LO", "LL", False),
    ],
)
def test_a_number_is_right_where_it_is_near(name, expected, predicted, right):
    """Nearer than 0.04; a text is right where it is the same."""
    assert is_right(task(name), Shown("", expected, predicted)) is right


# ---- a run ---------------------------------------------------------------------------


def test_a_run_is_kept_and_told_of(an_empty_folder, monkeypatch, capsys):
    """Metrics beside guessing, examples with marks and what to do next; a line for each validation; four files."""
    monkeypatch.setattr(training, "chart_files", chart_files)
    assert run("train", "hello", "--model", "rnn") == 0
    said, folder = capsys.readouterr(), an_empty_folder / "out" / "hello-rnn"

    assert {path.name for path in folder.iterdir()} == FILES
    assert re.search(r"hello: rnn, 100 updates in \d+ s \([\d.]+ per second\)", said.out)
    assert re.search(r"│ accuracy +│ +1 │ +1 │ +0\.5 │", said.out)
    assert re.search(r"│ HEL +│ LO +│ LO +│ ✓ │", said.out)
    assert said.out.splitlines()[-1] == "Use it: tinygrad-seq generate --from out/hello-rnn"
    assert len(re.findall("^hello: rnn  update", said.err, re.MULTILINE)) == 10
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert float(rows[-1]["validation_loss"]) < 0.05
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_asked_for_is_what_is_trained(capsys):
    """Every option reaches the experiment, and quiet says nothing."""
    options = ["--attention", "general", "--model", "lstm", "--layers", "2", "--dropout", "0.5", "--bidirectional",
               "--lr", "0.01", "--clip", "2", "--clip-steps", "0.5", "--patience", "9", "--seed", "5", "--steps", "2",
               "--option", "symbols=3", "--dtype", "float64", "-q"]  # fmt: skip
    assert run("train", *TINY, *options) == 0
    assert capsys.readouterr() == ("", "")
    meta = read_meta("out/reversal-lstm-general/checkpoint.safetensors")

    assert meta["options"] | {"shortest": 1} == {"length": 4, "shortest": 1, "symbols": 3, "batch": 4, "seed": 0}
    assert meta["build"] == {"model": "lstm", "attention": "general", "hidden": 8, "layers": 2, "bidirectional": True,
                             "dropout": 0.5, "heads": None, "dtype": "float64"}  # fmt: skip
    assert meta["seed"] == 5
    assert meta["plan"] == {"updates": 2, "lr": 0.01, "clip": 2, "clip_steps": 0.5, "validate_every": 1, "patience": 9}


def test_no_run_is_overwritten_silently(capsys):
    """What is there is kept, unless told otherwise."""
    assert run("train", *TINY, "--steps", "2", "-q") == 0
    before = numbers("out/reversal-gru/checkpoint.safetensors")
    assert run("train", *TINY, "--steps", "2", "--seed", "1", "-q") == 1
    err = capsys.readouterr().err

    assert err.startswith("Error: out/reversal-gru has a run already: --resume goes on")
    assert same(numbers("out/reversal-gru/checkpoint.safetensors"), before)
    assert run("train", *TINY, "--steps", "2", "--seed", "1", "-q", "--overwrite") == 0
    assert not same(numbers("out/reversal-gru/checkpoint.safetensors"), before)


# ---- going on ------------------------------------------------------------------------


def test_going_on_for_longer_is_as_one_run(capsys):
    """The task alone is enough to say which run; all else comes from the checkpoint."""
    assert run("train", *TINY, "--steps", "4", "--seed", "3", "-q") == 0
    assert run("train", "reversal", "--resume", "--steps", "8", "-q") == 0
    assert run("train", *TINY, "--steps", "8", "--seed", "3", "-q", "--out", "whole") == 0
    a, b = (numbers(f"{folder}/{CHECKPOINT}") for folder in ("out/reversal-gru", "whole"))
    a["history"].pop("validation"), b["history"].pop("validation")  # at other updates, since the first plan was shorter

    assert same(a, b)


def test_of_several_runs_that_is_meant_which_fits():
    """The newest with those options."""
    for model in ("rnn", "lstm"):
        assert run("train", *TINY, "--model", model, "--steps", "1", "-q") == 0
    assert run("train", "reversal", "--model", "rnn", "--resume", "--steps", "2", "-q") == 0
    assert run("train", "reversal", "--resume", "--steps", "3", "-q") == 0
    updates = {model: checkpoint.load(f"out/reversal-{model}/{CHECKPOINT}")["update"] for model in ("rnn", "lstm")}

    assert updates == {"rnn": 3, "lstm": 1}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["reversal", "--lr", "0.5"], "--lr 0.5 (not 0.003)"),
        (["reversal", "--model", "lstm", "--seed", "7"], "--model lstm (not gru), --seed 7 (not 0)"),
        (["reversal", "--length", "9"], "--option length 9 (not 4)"),
        (["reversal", "--attention", "dot"], "--attention dot (not given then)"),
        (["hello", "--out", "out/reversal-gru"], "task hello (not reversal)"),
        (["hello"], "there is no run of hello in out/ to go on with"),
        (["hello", "--out", "nowhere"], "there is no run in 'nowhere'"),
    ],
)
def test_a_run_goes_on_as_it_was_begun(args, says, an_empty_folder, capsys):
    """Other options are refused, by name, and nothing is changed."""
    assert run("train", *TINY, "--steps", "1", "-q") == 0
    file = an_empty_folder / "out" / "reversal-gru" / CHECKPOINT
    before = file.read_bytes()

    assert run("train", *args, "--resume") == 1
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert file.read_bytes() == before


def test_a_corrupt_checkpoint_stays_as_it_is(an_empty_folder, capsys):
    """With the reason, and exit code 1."""
    assert run("train", *TINY, "--steps", "1", "-q") == 0
    file = an_empty_folder / "out" / "reversal-gru" / CHECKPOINT
    cut = file.read_bytes()[:3000]
    file.write_bytes(cut)

    assert run("train", "reversal", "--resume", "--out", "out/reversal-gru") == 1
    assert "is cut short" in capsys.readouterr().err
    assert file.read_bytes() == cut


def wait_for(condition, process):
    """Until it holds, or the process has ended."""
    until = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_killed_and_resumed_is_as_never_killed(an_empty_folder):
    """SIGKILL at any moment: who resumes gets the same bits as who was never killed."""
    args = ("train", *TINY, "--steps", "60", "--option", "symbols=5", "-q")
    folder = an_empty_folder / "killed"
    process = start(*args, "--out", folder)
    wait_for((folder / CHECKPOINT).exists, process)
    written = (folder / CHECKPOINT).stat().st_mtime_ns
    wait_for(lambda: (folder / CHECKPOINT).stat().st_mtime_ns != written, process)  # one more checkpoint
    process.kill()
    process.communicate()
    done = checkpoint.load(folder / CHECKPOINT)["update"]
    assert run("train", "reversal", "--resume", "--out", "killed", "-q") == 0
    assert run(*args, "--out", "whole") == 0

    assert process.returncode == -signal.SIGKILL
    assert 0 < done < 60
    assert same(numbers(f"killed/{CHECKPOINT}"), numbers(f"whole/{CHECKPOINT}"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_ctrl_c_saves_and_says_how_to_go_on(an_empty_folder):
    """Exit code 130, and a command that can be copied into the shell."""
    process = start("train", *TINY, "--steps", "100000", "--out", "my run")
    wait_for((an_empty_folder / "my run" / CHECKPOINT).exists, process)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130
    done = checkpoint.load(f"my run/{CHECKPOINT}")["update"]
    assert err.strip().splitlines()[-1] == (
        f"Stopped after update {done:,} of 100,000, saved in my run/{CHECKPOINT}. "
        "To go on: tinygrad-seq train reversal --resume --out 'my run'"
    )
    assert out == ""


# ---- wrong usage, and failures -------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["tasks", "dats"], "did you mean 'dates'?"),
        (["train"], "say which TASK"),
        (["train", "datse"], "did you mean 'dates'?"),
        (["train", "dates", "--model", "lsmt"], "did you mean 'lstm'?"),
        (["train", "dates", "--attention", "aditive"], "did you mean 'additive'?"),
        (["train", "dates", "--atention", "dot"], "--attention"),
        (["train", "hello", "--attention", "dot"], "or take the model transformer"),
        (["train", "spelling-english", "--model", "transformer"], "take one of rnn, lstm, gru, gru-lecture"),
        (["train", "spelling-english", "--attention", "dot"], "leave it out\n"),
        (["train", "dates", "--length", "5"], "task dates has no option 'length': dates has batch=64, seed=0"),
        (["train", "order", "--option", "lenght=20"], "did you mean 'length'?"),
        (["train", "order", "--option", "length=long"], "length is an integer, such as 60"),
        (["train", "order", "--option", "length"], "NAME=VALUE"),
        (["train", "order", "--length", "3"], "length must be at least 10, got 3"),
        (["train", "korean", "--option", "units=word"], "'jamo' or 'syllable'"),
        (["train", "hello", "--option", "word=A"], "at least two characters"),
        (["train", "hello", "--steps", "0"], "--steps"),
        (["train", "hello", "--lr", "nan"], "--lr"),
        (["train", "hello", "--dropout", "1"], "--dropout"),
        (["train", "hello", "--out", ""], "--out"),
        (["train", "hello", "--resume", "--overwrite"], "take one of them"),
    ],
)
def test_wrong_usage_is_exit_code_2(args, says, an_empty_folder, capsys):
    """It says what was meant, or what is possible; nothing is made."""
    assert run(*args) == 2
    assert says in capsys.readouterr().err
    assert list(an_empty_folder.iterdir()) == []


def test_fewer_updates_than_before_are_refused(capsys):
    """A run cannot be made shorter."""
    assert run("train", *TINY, "--steps", "2", "-q") == 0
    assert run("train", "reversal", "--resume", "--steps", "1") == 2
    assert "--steps 1 is less than the 2" in capsys.readouterr().err


def test_a_folder_that_is_a_file(an_empty_folder, capsys):
    """Exit code 1, one line, before the work."""
    (an_empty_folder / "taken").write_text("mine")

    assert run("train", "hello", "--out", "taken") == 1
    assert "cannot write into the folder 'taken'" in capsys.readouterr().err
    assert (an_empty_folder / "taken").read_text() == "mine"


def test_what_goes_wrong_in_training_is_said(monkeypatch, an_empty_folder, capsys):
    """Exit code 1 and one line; the folder that was made for it is gone where nothing is in it."""
    assert run("train", "copy", "--model", "transformer", "--clip-steps", "1") == 1
    err = capsys.readouterr().err
    assert err.startswith("Error: train: clip_steps cuts the gradient of recurrent states")
    assert err.count("\n") == 1
    assert list(an_empty_folder.iterdir()) == []

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training, "write_all", full)
    assert run("train", *TINY, "--steps", "1", "-q") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert os.listdir("out/reversal-gru")  # the checkpoint is there


@pytest.mark.slow
@pytest.mark.parametrize("about", tasks(), ids=lambda about: about.name)
def test_every_task_is_trained_from_the_command_line(about, capsys):
    """Two updates of each with the usual model: a table, examples, four files."""
    assert run("train", about.name, "--steps", "2") == 0
    assert "test, by guessing" in capsys.readouterr().out
    assert set(os.listdir(f"out/{about.name}-gru")) == FILES
