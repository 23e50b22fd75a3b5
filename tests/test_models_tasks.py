"""The tasks: their data is what they say, and a model learns something from it."""

import json
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
from tinygrad_seq.models.tasks import (
    Examples,
    TextTask,
    Windows,
    alice,
    hello,
    task,
    task_from_dict,
    task_options,
    tasks,
)
from tinygrad_seq.models.tasks.digits import digit_images

NAMES = [about.name for about in tasks()]
FINITE = ["digits-rows", "digits-pixels", "language", "spelling-english", "spelling-korean"]
FINITE += ["names-to-korean", "names-to-english"]


# ---- all tasks -----------------------------------------------------------------------


def same(a, b):
    return all((x is None and y is None) or np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_a_pure_function_of_the_generator(name):
    """The same seed gives the same batch, also of a task made anew; another seed another."""
    made = task(name)
    first, again, anew = (made.draw(np.random.default_rng(7)) for made in (made, made, task(name)))

    assert same(first, again)
    assert same(first, anew)
    if name != "hello":
        assert not same(first, made.draw(np.random.default_rng(8)))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_has_the_form_that_its_shape_says(name):
    """Time first, integers where tokens are, in range; lengths within the padding; ends where texts are written."""
    made = task(name, **({} if name == "hello" else {"batch": 4}))
    for split in ("train", "valid", "test"):
        batch = made.split(split).draw(np.random.default_rng(1), 4)
        if made.source is not None:
            assert batch[0].dtype.kind == "i"
            assert batch[0].shape[1:] == (4,)
            assert 0 <= batch[0].min() <= batch[0].max() < made.num_tokens == len(made.source)
        elif made.shape == "many-to-one":
            assert batch[0].shape[1:] == (4, made.vector_size)
        if made.shape in ("next token", "aligned"):
            assert batch[1].shape == batch[0].shape
        if made.shape == "many-to-one":
            assert batch[1].shape == (4,)
            assert batch[1].dtype.kind == ("f" if made.regression else "i")
        if not made.regression:
            answers = batch[1] if made.shape != "seq2seq" else batch[2]
            assert answers.max() < made.num_classes
            assert answers.min() >= 0
        if made.shape in ("one-to-many", "seq2seq"):
            for column in batch[-1].T.tolist():
                assert column.count(made.end) == 1
                assert set(column[column.index(made.end) + 1 :]) <= {made.ignore_index}
                assert not {made.begin, made.ignore_index} & set(column[: column.index(made.end)])
        lengths = batch[1] if made.shape == "seq2seq" else batch[2] if len(batch) > 2 else None
        if lengths is not None:
            assert lengths.max() == len(batch[0])
            for column, length in zip(batch[0].T, lengths):
                assert ((column == made.source["<pad>"]) == (np.arange(len(column)) >= length)).all()


@pytest.mark.parametrize("name", NAMES)
def test_measuring_goes_through_the_same_each_time(name):
    """In batches of any size, and the examples are the same: for it is a number to compare by."""
    made = task(name)
    for split in ("valid", "test"):
        part = made.split(split)
        for one, other in zip(part.batches(100), part.batches(100), strict=True):
            assert same(one, other)
        few, many = (sum(batch[1].shape[-1] for batch in part.batches(n)) for n in (7, 1000))
        assert few == many > 0


@pytest.mark.parametrize("name", ["adding", "copy", "order", "reversal", "dates"])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_measured_on_is_drawn_apart(name, seed):
    """Examples made anew come from seeds of their own, so that a run of the same seed does not train on them."""
    made = task(name, seed=seed, batch=100)
    first = [next(made.split(split).batches(100)) for split in ("train", "valid", "test")]
    trained_on = made.draw(np.random.default_rng(seed))

    for i, one in enumerate(first):
        for other in [*first[:i], *[trained_on] * (i > 0)]:
            assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_task_is_made_again_from_plain_data(name):
    """Through JSON and back: the same options, vocabularies and batches."""
    options = {} if name == "hello" else {"batch": 3}
    made = task(name, **options)
    again = task_from_dict(json.loads(json.dumps(made.to_dict())))

    assert again.to_dict() == made.to_dict()
    assert again.options == task_options(name) | options
    assert repr(again) == repr(made)
    assert (again.source, again.target) == (made.source, made.target)
    assert same(again.draw(np.random.default_rng(0)), made.draw(np.random.default_rng(0)))


@pytest.mark.parametrize("name", NAMES)
def test_a_task_says_what_it_is(name):
    """Title and data on one line each; how to train; for every option a default."""
    about = next(about for about in tasks() if about.name == name)
    made = task(name)

    assert (made.name, made.shape, made.title, made.data) == about
    assert len(about.title) < 60
    assert len(about.data) < 100
    assert min(made.training.batch, made.training.updates, made.training.lr, made.training.clip) > 0
    assert made.options == task_options(name)
    assert name in repr(made)


@pytest.mark.parametrize("name", FINITE)
def test_finite_tasks_count_their_examples(name):
    """A loader can shuffle them: each example by its number is what it is in a batch of others."""
    made = task(name)
    some = made.batch([5, 2, 9])

    assert made.finite
    assert len(made.train) > 900
    assert same(made.batch(np.array([5, 2, 9])), some)
    assert same(made.train.collate([made.train.examples[i] for i in (5, 2, 9)]), some)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(FINITE)))
def test_others_make_new_examples(name):
    """They have no list, and say so."""
    made = task(name)

    assert not made.finite
    with pytest.raises(DataError, match=f"{name} has no list of examples"):
        made.batch([0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: task("revesal"), "there is no task 'revesal': did you mean 'reversal'? The tasks are hello, english"),
        (lambda: task("digits"), "did you mean 'digits-rows'?"),
        (lambda: task("Dates"), "did you mean 'dates'?"),
        (lambda: task("zzz"), "there is no task 'zzz': The tasks are"),
        (lambda: task_options("addin"), "did you mean 'adding'?"),
        (lambda: task("adding", lenght=9), "task adding has no option 'lenght': did you mean 'length'? adding has"),
        (lambda: task("adding", length="9"), "task adding: length must be an integer, got '9'"),
        (lambda: task("adding", length=True), "task adding: length must be an integer, got True"),
        (lambda: task("adding", length=9.0), "task adding: length must be an integer, got 9.0"),
        (lambda: task("korean", units=1), "task korean: units must be a text, got 1"),
        (lambda: task_from_dict({"task": "adding"}), "a task is saved as a dict with task and options"),
        (lambda: task_from_dict(["adding"]), "a task is saved as a dict with task and options"),
        (lambda: task_from_dict({"task": "gone", "options": {}}), "there is no task 'gone'"),
        (lambda: task("order").split("validation"), "a task has the parts train, valid, test, got 'validation'"),
        (lambda: task("digits-rows", valid=1437), "valid must leave some of the 1437 images to train on, got 1437"),
        (lambda: task("digits-rows", valid=-1), "task digits-rows: valid must be at least 0, got -1"),
    ],
)
def test_what_there_is_not(call, says):
    """What was given, what is nearest, what there is."""
    with pytest.raises(DataError) as caught:
        call()

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("indices", "error", "says"),
    [
        ([], SequenceError, "at least one example, got no index"),
        ([3], IndexError, "example 3 is not one of the 3, 0 to 2"),
        ([0, -1], IndexError, "example -1 is not one of the 3"),
        ([0.0], DataError, "a list of integers, got float64"),
        ([[0], [1]], DataError, r"of shape \(2, 1\)"),
    ],
)
def test_batches_of_no_examples_are_refused(indices, error, says):
    """An empty batch, and numbers that no example has."""
    with pytest.raises(error, match=says):
        Examples([1, 2, 3], lambda some: (np.array(some),)).batch(indices)


@given(st.integers(1, 20), st.integers(1, 25))
def test_measuring_takes_every_example_once(count, batch):
    """In their order; only the last batch is smaller."""
    batches = [some.tolist() for (some,) in Examples(range(count), lambda some: (np.array(some),)).batches(batch)]

    assert [one for some in batches for one in some] == list(range(count))
    assert all(len(some) == batch for some in batches[:-1])


def test_a_part_without_examples_is_refused():
    """There is nothing to train on."""
    with pytest.raises(SequenceError, match="at least one example in each"):
        Examples([], lambda some: tuple(some))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**16))
def test_windows_follow_each_other_without_a_gap(steps, length, seed):
    """To measure: all windows that fit, each step once; to train: any that fits."""
    xs = np.arange(steps)
    if steps < length:
        with pytest.raises(SequenceError, match=f"a window of {length} does not fit into {steps} steps"):
            Windows(xs, xs, length)
        return
    windows = Windows(xs, 10 * xs, length)
    read = np.concatenate([tokens.T.reshape(-1) for tokens, _ in windows.batches(2)])
    tokens, targets = windows.draw(np.random.default_rng(seed), 50)

    assert read.tolist() == list(range(steps // length * length))
    assert (np.diff(tokens, axis=0) == 1).all()
    assert (targets == 10 * tokens).all()
    assert tokens.max() < steps


# ---- digits --------------------------------------------------------------------------


def test_the_digits_are_those_of_their_source():
    """1797 images of 17 grey levels, of each digit about as many, in the order of seed 0; the licence beside them."""
    images, digits = digit_images()
    beside = files("tinygrad_seq.models.tasks").joinpath("data", "README.md").read_text("utf-8")
    order = np.random.default_rng(0).permutation(1797)

    assert np.bincount(digits).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert set(np.unique(images * 16)) == set(range(17))
    first = images[order.argmin()] * 16  # the first of the file, a 0
    assert first[:2].tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]
    assert digits[order.argmin()] == 0
    for word in ("digits.npz", "Alpaydin", "CC BY 4.0", "Optical Recognition of Handwritten Digits"):
        assert word in beside


def test_the_digits_are_split_as_the_baselines_were():
    """The last 360 to test on; of the first 1437 some to choose by, or none."""
    _, digits = digit_images()
    made, all_ = task("digits-rows"), task("digits-rows", valid=0)
    labels = [np.array([digit for _, digit in part.examples]) for part in (made.train, made.valid, made.test)]

    np.testing.assert_array_equal(np.concatenate(labels), digits)
    assert [len(part) for part in labels] == [1293, 144, 360]
    assert (len(all_.train), len(all_.test)) == (1437, 360)
    assert all_.valid.examples == all_.test.examples


def test_rows_and_pixels_are_the_image():
    """Row by row from the top, and pixel by pixel as one reads."""
    images, digits = digit_images()
    rows, labels, _ = task("digits-rows").batch([4, 0])
    pixels, _, _ = task("digits-pixels").batch([4, 0])
    vectors, spelled = task("spelling-korean").batch([4, 0])

    np.testing.assert_array_equal(rows[:, 0], images[4])
    np.testing.assert_array_equal(pixels[:, 1, 0], images[0].reshape(-1))
    np.testing.assert_array_equal(vectors[0], images[4].reshape(-1))
    assert labels.tolist() == digits[[4, 0]].tolist()
    assert spelled.shape[1] == 2


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("spelling-english", "zero one two three four five six seven eight nine"),
        ("spelling-korean", "영 일 이 삼 사 오 육 칠 팔 구"),
    ],
)
def test_each_digit_has_its_name(name, names):
    """All ten, as they are read."""
    made, reading = task(name), task("digits-rows")
    indices = np.arange(60)
    wanted = made.measure.wanted(made.batch(indices))

    assert wanted == [names.split()[digit] for digit in reading.batch(indices)[1]]
    assert set(wanted) == set(names.split())


# ---- texts ---------------------------------------------------------------------------


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
