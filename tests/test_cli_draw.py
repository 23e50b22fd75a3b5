"""`tinygrad-seq draw`: which record is drawn, where the picture goes, and what is said where it cannot be drawn."""

import shutil
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from commands import run, start
from tinygrad_seq import Graph
from tinygrad_seq.cli import asking, drawing, records
from tinygrad_seq.cli.records import KINDS, Asked, letters, new_record
from tinygrad_seq.cli.runs import CHECKPOINT
from tinygrad_seq.models import Build, Experiment
from tinygrad_seq.models.tasks import task
from tinygrad_seq.viz import GraphvizMissingError

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to draw into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def svg(path):
    """The root of a picture."""
    return ElementTree.parse(path).getroot()


def ids(root, kind):
    """Of all parts of a kind, in their order."""
    return [element.get("id") for element in root.iter() if kind in (element.get("class") or "").split()]


def said(root, kind):
    """What is written as tokens, or predictions, or titles."""
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text") if element.get("class") == kind]


def words(root, kind):
    """The words under or over the columns, without their titles."""
    texts = [e for e in root.iter(f"{SVG}text") if e.get("class") == kind]
    return [text.findtext(f"{SVG}title") for text in texts]


def x_of(root, kind):
    """Where the words stand, from left to right."""
    return [float(text.get("x")) for text in root.iter(f"{SVG}text") if text.get("class") == kind]


# ---- what is drawn -------------------------------------------------------------------


@pytest.mark.parametrize("model", KINDS)
def test_every_model_is_drawn(model, here, capsys):
    """A column for each letter that is read, the letters below, and a word on where the picture is."""
    assert run("draw", "--model", model, "--hidden", 4) == 0
    out, err = capsys.readouterr()
    root = svg(here / "out" / f"{model}.svg")
    reads = "HELL" if model in records.RECURRENT else ["H", "E", "L", "L", "O", "<start>", "O", "L", "L", "E", "H"]

    assert words(root, "token") == list(reads)
    assert words(root, "prediction") == []
    assert len(ids(root, "column")) == len(reads)
    assert out == f"{model} on HELLO\nThe picture: out/{model}.svg (for a browser)\n"
    assert err == ""


def test_an_rnn_on_hello_is_drawn_where_nothing_is_asked_for(here):
    """The plainest call is a picture already."""
    assert run("draw") == 0
    assert [path.name for path in (here / "out").iterdir()] == ["rnn.svg"]


def test_the_same_command_gives_the_same_picture(here):
    """The same bytes for the same seed, others for another."""
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert run("draw", "--seed", seed, "--out", f"{name}.svg") == 0
    a, b, c = ((here / f"{name}.svg").read_bytes() for name in "abc")

    assert a == b != c


def test_sizes_are_as_asked_for():
    """Layers and directions have weights of their own, the state is as wide as --hidden says."""
    recorded = new_record(Asked("gru", "HELLO", hidden=3, layers=2, bidirectional=True))
    scopes = {node.scope.rpartition("/")[2] for node in Graph(recorded.loss).nodes if node.name == "h" and node.t}

    pair = new_record(Asked("gru", "HELLO", "hi", hidden=3, bidirectional=True))
    encoder = {node.scope for node in Graph(pair.loss).named("h") if node.t and "encoder" in node.scope}

    assert len(scopes) == 4
    assert len(encoder) == 2
    assert {node.shape for node in Graph(recorded.loss).named("h") if node.t} == {(3,)}


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 50])
@pytest.mark.parametrize("model", ["rnn", "seq2seq"])
def test_the_text_is_repeated_or_cut_to_so_many_steps(model, steps):
    """As many steps as --steps says read the text, over and over."""
    recorded = new_record(Asked(model, "HELLO", steps=steps))

    assert "".join(recorded.tokens[:steps]) == ("HELLO" * 10)[:steps]
    assert len(recorded.tokens) == (steps if model == "rnn" else 2 * steps + 1)


def test_a_thousand_steps_are_drawn_in_part(here):
    """Of 1,000 steps the ends are drawn, and a list of steps draws these."""
    assert run("draw", "--steps", 1000, "--hidden", 2, "--out", "long.svg") == 0
    assert run("draw", "--steps", 1000, "--hidden", 2, "--show", "1,2,50,-1", "--out", "some.svg") == 0

    assert ids(svg(here / "long.svg"), "gap") == ["t5-996"]
    assert ids(svg(here / "some.svg"), "column") == ["t1", "t2", "t50", "t1000"]


def test_it_learns_the_text_first(here):
    """After --train it says above each step what it has learnt to say."""
    assert run("draw", "--train", 100, "--out", "trained.svg") == 0
    assert words(svg(here / "trained.svg"), "prediction") == list("ELLO")


def test_a_target_makes_a_seq2seq_of_it(here):
    """The text is read in its own stretch of time, the target written in another, with lines of attention between."""
    args = ["--model", "rnn", "--text", "안녕", "--target", "hey", "--attention", "dot", "--train", 150, "--hidden", 8]
    assert run("draw", *args, "--out", "pair.svg") == 0
    root = svg(here / "pair.svg")

    assert words(root, "token") == ["안", "녕", "<start>", "h", "e", "y"]
    assert words(root, "prediction") == ["h", "e", "y", "<end>"]
    assert x_of(root, "prediction") == x_of(root, "token")[2:]
    assert len([e for e in root.iter() if "attention" in (e.get("class") or "")]) >= 8


def test_words_may_be_tokens(here):
    """With --words a sentence is read word by word."""
    assert run("draw", "--words", "--text", " 저는  강사 입니다 ", "--out", "words.svg") == 0
    assert words(svg(here / "words.svg"), "token") == ["저는", "강사"]


def test_words_that_look_like_signs(here):
    """Words that other texts use for padding, start and end are words like any other."""
    args = ["--words", "--text", "<pad> <end> b", "--target", "<start> <pad>"]
    assert run("draw", *args, "--out", "signs.svg") == 0
    assert words(svg(here / "signs.svg"), "token") == ["<pad>", "<end>", "b", "<start>", "<start>", "<pad>"]


@settings(max_examples=60)
@given(st.text())
def test_letters_are_all_of_the_text(text):
    """Taking a text apart loses nothing, and no accent stands alone unless it stands first."""
    found = letters(text)

    assert "".join(found) == unicodedata.normalize("NFC", text)
    assert all(found)
    assert not any(unicodedata.combining(letter[0]) for letter in found[1:])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (unicodedata.normalize("NFD", "é한글"), ["é", "한", "글"]),
        ("👩‍🎓a👍🏽🇰🇷🇫🇷", ["👩‍🎓", "a", "👍🏽", "🇰🇷", "🇫🇷"]),
        ("हिन्दी", ["हि", "न्", "दी"]),
        ("q̃́x", ["q̃́", "x"]),
    ],
)
def test_letters_are_what_a_reader_sees(text, expected):
    """Hangul in either form, letters with accents or vowel signs, joined emoji and flags are one letter each."""
    assert letters(text) == expected


def test_any_text_can_be_drawn(here, capsys):
    """Control characters, right-to-left letters and brackets of XML come out safe."""
    text = "\x00<&>\u202eא\n 👩‍🎓"
    assert run("draw", "--text", text, "--out", "odd.svg") == 0
    said = capsys.readouterr().out

    assert len(words(svg(here / "odd.svg"), "token")) == len(letters(text)) - 1
    assert said.splitlines()[1:] == ["The picture: odd.svg (for a browser)"]
    assert "\x00" not in said


def test_a_long_text_is_not_said_again(capsys):
    """Of a long text the first letters are said, in one line."""
    assert run("draw", "--text", "안녕 " * 100, "--out", "long.svg") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


# ---- how it looks --------------------------------------------------------------------


def test_looks(here):
    """Styles, levels, colours, values, titles and dark pages are as in `draw_unrolled`."""
    pictures = {
        "plain": [],
        "ops": ["--style", "ops"],
        "steps": ["--level", "steps"],
        "none": ["--colour", "none"],
        "value": ["--color", "value"],
        "values": ["--values"],
        "title": ["--title", "Ein <Bild>"],
        "dark": ["--dark"],
        "textbook": ["--style", "textbook"],
        "folded": ["--folded"],
    }
    for name, options in pictures.items():
        assert run("draw", "--model", "lstm", *options, "--out", f"{name}.svg") == 0
    roots = {name: svg(here / f"{name}.svg") for name in pictures}
    nodes = {name: len(ids(root, "node")) for name, root in roots.items()}

    assert nodes["ops"] > nodes["plain"] > nodes["steps"]
    assert nodes["folded"] < nodes["plain"] / 2
    assert not ids(roots["none"], "bar")
    assert len({(here / f"{name}.svg").read_bytes() for name in pictures}) == len(pictures)
    assert roots["dark"].get("class") == "dark"
    assert said(roots["title"], "title") == ["Ein <Bild>"]


# ---- where it goes -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.svg", b"<svg"),
        ("a.png", b"\x89PNG"),
        ("a.pdf", b"%PDF"),
        ("a.dot", b"digraph"),
        ("a.html", b"<!DOCTYPE html>"),
        ("a.txt", "loss = L₁".encode()),
        ("한글 'b' .SVG", b"<svg"),
    ],
)
def test_the_ending_says_what_is_written(name, begins, here, capsys):
    """One file in a folder that is made for it, and nothing beside it."""
    assert run("draw", "--out", f"new/folder/{name}") == 0
    assert [path.name for path in (here / "new" / "folder").iterdir()] == [name]
    assert (here / "new" / "folder" / name).read_bytes().startswith(begins)
    assert f"The picture: new/folder/{name}" in capsys.readouterr().out


def test_a_png_is_as_large_as_its_dpi(here):
    """Twice the dots are twice the width."""
    for dpi in (48, 96):
        assert run("draw", "--out", f"{dpi}.png", "--dpi", dpi) == 0
    widths = [int.from_bytes((here / f"{dpi}.png").read_bytes()[16:20]) for dpi in (48, 96)]

    assert widths[1] == pytest.approx(2 * widths[0], abs=2)


def test_standard_output(here, capsys):
    """- is the SVG alone, and no file."""
    assert run("draw", "--out", "-") == 0
    out, err = capsys.readouterr()

    assert ElementTree.fromstring(out).tag == f"{SVG}svg"
    assert err == ""
    assert list(here.iterdir()) == []


def test_text_is_printed(capsys, monkeypatch):
    """In text style the drawing is printed, as wide as the terminal, or saved in a file that ends in .txt."""
    heights = []
    for columns in (60, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert run("draw", "--style", "text", "--steps", 30) == 0
        lines = capsys.readouterr().out.splitlines()
        heights.append(len(lines))
        assert max(map(len, lines)) <= columns
        assert any("h₁ " in line for line in lines)

    assert heights[0] > heights[1]


def test_a_terminal_without_such_letters(monkeypatch):
    """Where the output is ASCII, so is the drawing, with nothing replaced by question marks."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = start("draw", "--style", "text")
    out, _ = process.communicate()

    assert process.returncode == 0
    assert out.isascii()
    assert "h_1" in out
    assert "?" not in out


# ---- what was trained ----------------------------------------------------------------

RUNS = {
    "hello": ("hello", Build("rnn", hidden=4), {}, None, ["H", "E", "L", "L"]),
    "order": ("order", Build("lstm", hidden=4), {"length": 10}, "aXbYcd", list("aXbYcd")),
    "copy": ("copy", Build("gru", hidden=4), {"delay": 1, "count": 1}, "AB", ["A", "B"]),
    "spelling-english": ("spelling-english", Build("gru", hidden=4), {}, "7", None),
    "reversal": ("reversal", Build("gru", "dot", hidden=4), {"length": 3}, "ABC", None),
    "reversal-lecture": ("reversal", Build("self-attention", hidden=4), {"length": 3}, None, None),
    "rows": ("digits-rows", Build("rnn", hidden=4), {}, None, []),
    "writer": ("hello", Build("transformer", hidden=4, heads=1, layers=1), {}, "HELLO", []),
    "transformer": ("order", Build("transformer", hidden=4, heads=1, layers=1), {"length": 10}, "aXbY", []),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each shape of task, hardly trained."""
    folder = tmp_path_factory.mktemp("runs")
    for name, (of, how, options, _, _) in RUNS.items():
        (folder / name).mkdir()
        Experiment(task(of, **options), how).train(updates=1, path=folder / name / CHECKPOINT)
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_a_trained_model_is_drawn(name, runs, here, capsys):
    """A run of any shape of task is drawn, on a text or on an example of its task, beside its checkpoint."""
    shutil.copytree(runs / name, here / name)
    of, _, _, text, reads = RUNS[name]
    for options in [[], ["--text", text]] if text else [[]]:
        assert run("draw", "--from", name, *options) == 0
        assert f"{name} ({of})" in capsys.readouterr().out
    root = svg(here / name / "drawing.svg")

    assert reads is None or words(root, "token") == reads
    assert bool(ids(root, "column")) == (name not in ("writer", "transformer"))


def test_what_has_no_time_steps_is_drawn_op_by_op(runs, capsys):
    """With a word about it on standard error."""
    assert run("draw", "--from", runs / "transformer", "--out", "ops.svg") == 0
    assert "op by op" in capsys.readouterr().err


def test_a_target_for_a_trained_model(runs, here):
    """What it should have written is drawn as it is given."""
    assert run("draw", "--from", runs / "reversal", "--text", "ABC", "--target", "CBA", "--out", "pair.svg") == 0
    assert words(svg(here / "pair.svg"), "token")[-3:] == list("CBA")


# ---- what goes wrong -----------------------------------------------------------------


@pytest.mark.parametrize("args", [["--help"], ["-h"]])
def test_help(args, capsys):
    """It says what the picture shows, with three examples, in lines of a terminal."""
    assert run("draw", *args) == 0
    out = capsys.readouterr().out

    assert out.count("  tinygrad-seq draw ") == 3
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--model", "lstn"], 2, "Did you mean 'lstm'?"),
        (["--attention", "addditive", "--model", "seq2seq"], 2, "Did you mean 'additive'?"),
        (["--style", "modul"], 2, "Did you mean 'modules'?"),
        (["--level", "atoms"], 2, "not one of steps, modules, ops"),
        (["--colour", "gradient"], 2, "Did you mean 'grad'?"),
        (["--text", ""], 2, "--text is empty"),
        (["--text", "a"], 2, "two or more"),
        (["--target", ""], 2, "--target is empty"),
        (["--attention", "dot"], 2, "--model seq2seq"),
        (["--model", "self-attention", "--layers", "2"], 2, "one layer"),
        (["--steps", "0"], 2, "--steps"),
        (["--show", "1,x"], 2, "1,2,50,-1"),
        (["--show", "9"], 2, "step 9"),
        (["--out", "a.jpg"], 2, ".svg, .png"),
        (["--out", "a"], 2, ".svg, .png"),
        (["--out", "a.png", "--dpi", "0.01"], 2, "no pixel"),
        (["--out", "a.png", "--dpi", "99999"], 1, "dpi="),
        (["--style", "text", "--out", "a.svg"], 2, "go together"),
        (["--style", "ops", "--out", "a.txt"], 2, "go together"),
        (["--style", "textbook", "--folded"], 2, "folded"),
        (["--from", "nowhere"], 1, "there is no run in 'nowhere'"),
        (["--from", "nowhere", "--train", "3"], 2, "leave out --train"),
        (["extra"], 2, "extra"),
    ],
)
def test_what_cannot_be_drawn_is_said(args, code, says, here, capsys):
    """One sentence on standard error, and nothing is made."""
    assert run("draw", *args) == code
    out, err = capsys.readouterr()

    assert says in err
    assert out == ""
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["hello", "--text", "Hé"], "'é'"),
        (["hello", "--text", "H"], "one token"),
        (["hello", "--text", "HE", "--target", "x"], "--target"),
        (["spelling-english", "--text", "x"], "0 to 9"),
        (["rows", "--text", "x"], "leave out --text"),
        (["writer", "--style", "text"], "no text of it"),
    ],
)
def test_what_a_trained_model_cannot_read_is_said(args, says, runs, capsys):
    """One sentence on standard error."""
    assert run("draw", "--from", runs / args[0], *args[1:]) in (1, 2)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("where", ["record_asked_for", "draw_unrolled"])
@pytest.mark.parametrize(
    ("stop", "code", "says"),
    [(GraphvizMissingError("no program"), 1, "no program"), (KeyboardInterrupt(), 130, "Interrupted")],
)
def test_what_stops_it_leaves_nothing(where, stop, code, says, monkeypatch, here, capsys):
    """No file, no folder, no traceback."""

    def stopped(*args, **options):
        raise stop

    monkeypatch.setattr(drawing, where, stopped)

    assert run("draw") == code
    assert says in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_folder_that_is_a_file(here, capsys):
    """It is said before the work, and the file stays."""
    (here / "taken").write_text("mine")

    assert run("draw", "--out", "taken/a.svg") == 1
    assert "cannot write into the folder" in capsys.readouterr().err
    assert (here / "taken").read_text() == "mine"


def test_the_picture_of_before_stays_where_the_new_one_fails(here, monkeypatch):
    """A file is replaced whole, or not at all."""
    assert run("draw", "--out", "a.svg") == 0
    before = (here / "a.svg").read_bytes()

    assert run("draw", "--out", "a.svg", "--show", "99") == 2
    assert (here / "a.svg").read_bytes() == before


def test_one_thread_is_enough(monkeypatch):
    """The command leaves the other cores alone, and all is as before when it is done."""
    threads = []
    monkeypatch.setattr(asking, "new_record", lambda asked: threads.append(threads_of_blas()) or new_record(asked))
    with threadpool_limits(2):
        assert run("draw") == 0
        after = threads_of_blas()

    assert (threads, after) == ([{1}], {2})


def threads_of_blas():
    """How many threads the libraries of linear algebra may take."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
