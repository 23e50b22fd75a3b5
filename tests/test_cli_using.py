"""`tinygrad-seq generate` and `translate`: which model is taken, what is printed, and what is said where none fits."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
import unicodedata

import numpy as np
import pytest

from commands import run
from tinygrad_seq.cli.runs import CHECKPOINT
from tinygrad_seq.models import Build, Experiment, beam
from tinygrad_seq.models.tasks import task


def trained(folder, name, how, updates, **options):
    """A run in a folder, as `train` would leave it."""
    (folder / "out" / name).mkdir(parents=True)
    experiment = Experiment(task(name, **options), how)
    experiment.train(updates=updates, path=folder / "out" / name / CHECKPOINT)
    return experiment


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Four runs, the oldest first; reversal is learnt well, hello by heart."""
    folder = tmp_path_factory.mktemp("runs")
    experiments = {
        "hello": trained(folder, "hello", Build("rnn"), 80),
        "reversal": trained(folder, "reversal", Build("gru", "additive", hidden=24), 150, length=3, symbols=3),
        "spelling-korean": trained(folder, "spelling-korean", Build("gru", hidden=8), 1),
        "names-to-english": trained(folder, "names-to-english", Build("gru", hidden=4), 1),
        "korean": trained(folder, "korean", Build("gru", hidden=4), 1, length=4),
    }
    for age, name in enumerate(reversed(experiments)):
        os.utime(folder / "out" / name / CHECKPOINT, (time.time() - 60 * age,) * 2)
    return folder, experiments


@pytest.fixture(autouse=True)
def here(models, tmp_path, monkeypatch):
    """A folder with copies of the runs."""
    shutil.copytree(models[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


# ---- generate ------------------------------------------------------------------------


def test_it_goes_on_from_the_prompt(capsys):
    """The text alone on standard output; by which model on standard error."""
    assert run("generate", "HE", "--from", "out/hello", "--length", "3", "--temperature", "0") == 0
    assert capsys.readouterr() == ("HELLO\n", "")
    assert run("generate", "HE", "--length", "3", "--temperature", "0") == 0
    assert capsys.readouterr() == ("HELLO\n", "By out/hello (hello)\n")


def test_the_newest_that_knows_the_prompt_is_taken(capsys):
    """Hangul is not for the model of HELLO, nor Latin for that of the Korean text."""
    for prompt, by in (("HE", "hello"), ("대한민국", "korean")):
        assert run("generate", prompt, "--length", "1") == 0
        assert capsys.readouterr().err == f"By out/{by} ({by})\n"
    assert run("generate", "--length", "1") == 0
    assert capsys.readouterr().err == "By out/korean (korean)\n"


@pytest.mark.parametrize("prompt", ["대한민국은", unicodedata.normalize("NFD", "대한민국은")])
def test_korean_is_put_together_again(prompt, capsys):
    """What is typed in either form comes out in NFC, which terminals and editors show."""
    assert run("generate", prompt, "--length", "40") == 0
    out = capsys.readouterr().out

    assert out.startswith("대한민국은")
    assert unicodedata.is_normalized("NFC", out)


def test_the_seed_decides_what_is_drawn(capsys):
    """The same text for the same seed, another for another; top-k 1 is as temperature 0."""
    texts = []
    for options in (["--seed", 1], ["--seed", 1], ["--seed", 2], ["--top-k", 1], ["--temperature", 0]):
        assert run("generate", "제", "--length", "30", *options) == 0
        texts.append(capsys.readouterr().out)

    assert texts[0] == texts[1] != texts[2]
    assert texts[3] == texts[4]


def test_a_digit_is_shown_and_spelled(capsys):
    """A model of one-to-many goes on from the image of a digit."""
    assert run("generate", "7", "--from", "out/spelling-korean") == 0
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) == 9
    assert set("".join(lines[:8])) <= set(" ░▒▓█")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["Hé", "--from", "out/hello"], 1, "does not know 'é'"),
        (["x", "--from", "out/spelling-korean"], 2, "one of 0 to 9, not 'x'"),
        (["x", "--from", "out/reversal"], 1, "take `tinygrad-seq translate`"),
        (["x", "--from", "nowhere"], 1, "there is no run in 'nowhere'"),
        ([""], 2, "the prompt is empty"),
        (["x", "--temperature", "-1"], 2, "--temperature"),
        (["x", "--temperature", "inf"], 2, "--temperature"),
        (["x", "--top-k", "0"], 2, "--top-k"),
    ],
)
def test_what_cannot_be_generated_is_said(args, code, says, capsys):
    """One sentence, nothing on standard output."""
    assert run("generate", *args) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


# ---- translate -----------------------------------------------------------------------


def test_each_text_is_a_line(capsys, monkeypatch):
    """Arguments and lines of standard input, in their order, by the newest model that knows their letters."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("CAB\nA\n"))
    assert run("translate", "ABC", "-", "BB") == 0
    assert capsys.readouterr() == ("CBA\nBAC\nA\nBB\n", "By out/reversal (reversal)\n")


def test_together_is_as_alone(capsys):
    """What stands beside a text never changes its translation."""
    names = ["아이슬란드", "콩고", "라 리오하", "독일어"]
    alone = []
    for name in names:
        assert run("translate", name, "--from", "out/names-to-english") == 0
        alone.append(capsys.readouterr().out)
    assert run("translate", *names, "--from", "out/names-to-english") == 0

    assert capsys.readouterr().out == "".join(alone)


def test_the_n_best_have_probabilities(models, capsys):
    """As beam search gives them, best first."""
    assert run("translate", "AB", "--from", "out/reversal", "--n-best", "3", "--beam", "4") == 0
    out = capsys.readouterr().out
    experiment = models[1]["reversal"]
    of = experiment.task
    (wanted,) = beam(
        experiment.model, *of.source.encode_batch(["AB"]), begin=of.begin, end=of.end, max_length=100, width=4,
        n_best=3,
    )  # fmt: skip
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]

    assert rows == [
        [str(n), of.target.decode(one.tokens), f"{np.exp(one.log_probability):.3g}"]
        for n, one in enumerate(wanted, start=1)
    ]
    assert rows[0][1] == "BA"


@pytest.mark.parametrize(("name", "begins"), [("map.svg", b"<?xml"), ("map.png", b"\x89PNG")])
def test_a_map_of_attention_is_drawn(name, begins, here, capsys):
    """Where it was asked to be; the translation is printed as always."""
    assert run("translate", "ABC", "--attention-map", name) == 0
    assert capsys.readouterr().out == "CBA\n"
    assert (here / name).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    "how",
    [Build("transformer", hidden=8), Build("lstm", "dot", hidden=4), Build("self-attention")],
    ids=lambda how: how.model,
)
def test_every_model_that_translates_is_taken(how, here, capsys):
    """Greedily and by beam search, of any length that it can read, with a map where it has weights to show."""
    Experiment(task("reversal", length=4), how).train(updates=1, path=here / CHECKPOINT)
    for options in ([], ["--beam", "3", "--n-best", "2"], ["--attention-map", "map.svg"]):
        code = run("translate", "ABCD", "--from", ".", *options)
        assert code == (how.model == "self-attention" and "map.svg" in options)
    capsys.readouterr()
    code, err = run("translate", "ABCD" * 20, "--from", "."), capsys.readouterr().err
    assert code == (how.model != "lstm")  # the others have learnt so many positions
    assert not code or re.search(r"reads up to \d+ tokens, and 'ABCD.*…' has 81\n", err)


def test_letters_never_seen_are_said(capsys):
    """It translates all the same."""
    assert run("translate", "AßB", "--from", "out/reversal") == 0
    said = capsys.readouterr()
    assert said.out.count("\n") == 1
    assert said.err == "In 'AßB' the model has never seen 'ß'\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        ([], 2, "TEXT"),
        ([""], 2, "text number 1 is empty"),
        (["A", " "], 2, "text number 2 is empty"),
        (["A", "--beam", "0"], 2, "--beam"),
        (["A", "--beam", "2", "--n-best", "5"], 2, "give --beam 5 or more"),
        (["A", "--length-penalty", "-1"], 2, "--length-penalty"),
        (["A", "B", "--attention-map", "x.png"], 2, "draws one text"),
        (["A", "--attention-map", "x.pdf"], 2, "ends in .svg or .png"),
        (["A", "--attention-map", "x.png", "--from", "out/names-to-english"], 1, "no attention whose weights"),
        (["A", "--from", "out/hello"], 1, "does not translate"),
        (["A", "--from", "nowhere"], 1, "there is no run in 'nowhere'"),
    ],
)
def test_what_cannot_be_translated_is_said(args, code, says, here, capsys):
    """One sentence, no picture."""
    assert run("translate", *args) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert not list(here.glob("x.*"))


# ---- both ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "to_train"), [("generate", "english"), ("translate", "dates --attention additive")]
)
def test_where_there_is_no_model_it_says_how_to_train_one(command, to_train, here, capsys):
    """The very command, in one line."""
    shutil.rmtree(here / "out")
    assert run(command, "21 octobre 2045") == 1
    err = capsys.readouterr().err

    assert f"`tinygrad-seq train {to_train}`" in err
    assert err.count("\n") == 1


def test_a_corrupt_run_is_passed_over(here, capsys):
    """With a word; where it was asked for, it is an error."""
    file = here / "out" / "korean" / CHECKPOINT
    file.write_bytes(file.read_bytes()[:-1])
    assert run("generate", "HE", "--length", "3") == 0
    assert capsys.readouterr().err.startswith(f"Passed over: {file.relative_to(here)} is cut short")
    assert run("generate", "--from", "out/korean") == 1
    assert capsys.readouterr().err.startswith("Error: out/korean/checkpoint.safetensors is cut short")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that break are of Unix")
def test_a_reader_who_has_seen_enough(here):
    """Standard output closed early: no traceback."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "tinygrad_seq", "translate", "AB", "--from", "out/reversal"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)

    assert (done.stderr, done.returncode) == ("", 1)
