"""The tasks: their data is what they say, and a model learns something from it."""

import runpy
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from house import ROOT
from tinygrad_seq import manual_seed, optim
from tinygrad_seq.errors import DataError, SequenceError
from tinygrad_seq.models import RNN, ManyToMany, generate, train
from tinygrad_seq.models.tasks import TextTask, alice, hello


@given(st.text(min_size=2, max_size=12))
def test_a_word_becomes_tokens_and_what_comes_next(word):
    """All but the last character, and all but the first, of any script."""
    task = hello(word)

    assert task.vocabulary.decode(task.tokens) == word[:-1]
    assert task.vocabulary.decode(task.targets) == word[1:]
    assert task.draw(np.random.default_rng(0)) == (task.tokens, task.targets)


@pytest.mark.parametrize("word", ["", "H"])
def test_a_word_of_less_than_two_letters_has_no_next(word):
    """There is nothing to predict."""
    with pytest.raises(SequenceError, match="at least two characters"):
        hello(word)


def test_the_text_is_the_book():
    """From its title to its end, plain lines, of the size that its source says, with author and licence beside it."""
    text, beside = alice(), files("tinygrad_seq.models.tasks").joinpath("data", "README.md").read_text("utf-8")

    assert text.startswith("ALICE'S ADVENTURES IN WONDERLAND\n\nLewis Carroll\n")
    assert text.endswith("THE END\n")
    assert f"{len(text):,} characters" in beside
    assert not set("\r\x1a\t") & set(text)
    for word in ("alice.txt", "Lewis Carroll", "1865", "public domain"):
        assert word in beside


@settings(max_examples=20)
@given(st.integers(0, 2**16), st.integers(1, 30), st.integers(1, 5))
def test_windows_are_passages_of_the_training_part(seed, length, batch):
    """Targets are the tokens one further on; no window looks into what is kept for validation and test."""
    text = "".join(chr(0xAC00 + i) for i in range(400))
    task = TextTask(text, length=length, batch=batch)
    tokens, targets = task.draw(np.random.default_rng(seed))

    assert tokens.shape == targets.shape == (length, batch)
    np.testing.assert_array_equal(tokens[1:], targets[:-1])
    for column in range(batch):
        assert task.vocabulary.decode(tokens[:, column]) in text
    assert targets.max() < 320


def test_the_parts_of_a_text_do_not_overlap():
    """80 % to train on, 10 % to choose by, 10 % for the number at the end."""
    task = TextTask(alice())
    parts = [task.vocabulary.decode(part) for part in (task.train, task.valid, task.test)]

    assert "".join(parts) == alice()
    assert [round(len(part) / len(alice()), 2) for part in parts] == [0.8, 0.1, 0.1]


@pytest.mark.parametrize(
    ("options", "error"), [({"length": 100}, SequenceError), ({"length": 0}, DataError), ({"batch": 0}, DataError)]
)
def test_windows_must_fit(options, error):
    """A window longer than the smallest part, or of no length, is refused."""
    with pytest.raises(error, match="TextTask"):
        TextTask("abc" * 100, **options)


def test_bits_are_measured_right():
    """A model that thinks all characters equally likely needs log2 of their number."""
    task = TextTask("abcd" * 100, length=5, batch=2)
    model = ManyToMany(RNN(4, 3), 4)
    for p in model.parameters():
        p.data = np.zeros(p.shape)

    assert task.bits(model) == pytest.approx(2.0)
    assert task.bits_of_letters() == pytest.approx(2.0, abs=1e-3)


def test_a_character_model_learns_from_a_real_text():
    """In 150 updates it needs clearly less than who only knows how often each letter occurs, and writes words."""
    task = TextTask(alice(), length=20, batch=16)
    size = len(task.vocabulary)
    manual_seed(0)
    model = ManyToMany(RNN(size, 48, dtype=np.float32), size)
    train(model, task.draw, optim.Adam(model.parameters(), lr=0.02), updates=150, clip=16.0)
    text = task.vocabulary.decode(generate(model, task.vocabulary.encode("Alice "), 200, temperature=0.5, top_k=10))

    assert task.bits(model) < task.bits_of_letters() - 0.75
    assert len(text) == 200
    assert "the " in text


def test_the_example_runs(capsys):
    """examples/alice.py trains and writes."""
    program = runpy.run_path(str(ROOT / "examples" / "alice.py"))
    program["main"](updates=3)
    said = capsys.readouterr().out

    assert "bits per character" in said
    assert said.count("\nAlice ") == 4
