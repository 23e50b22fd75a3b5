"""How well a model does a task: who knows the answers gets the best marks, who guesses those of guessing."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Tensor, manual_seed, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, SequenceError
from tinygrad_seq.models import GRU, RNN, ManyToMany, ManyToOne, OneToMany, Vocabulary
from tinygrad_seq.models.seq2seq import Seq2Seq
from tinygrad_seq.models.tasks import Examples, Shown, alice, task, tasks
from tinygrad_seq.models.tasks.measures import Classes, Numbers, Tags
from tinygrad_seq.models.tasks.written import Written, to_read, to_write

NAMES = [about.name for about in tasks()]
SURE = 50.0  # a logit that is as good as certain


class Knows(nn.Module):
    """Knows the answers to some batches, by what comes in, and is certain of them, or of wrong ones on purpose."""

    def __init__(self, made, split, wrong=0):
        super().__init__()
        self.made, self.wrong = made, wrong
        self.answers, self.state = {}, None
        for batch in made.split(split).batches(250):
            answers = batch[1] if made.shape in ("next token", "many-to-one", "aligned", "one-to-many") else batch[2]
            self.answers[batch[0].tobytes()] = (answers + wrong * (answers >= 0)) % (made.num_classes or 1)
            if made.regression:
                self.answers[batch[0].tobytes()] = answers + wrong

    def forward(self, xs, *others, lengths=None):
        assert not self.training
        answers = self.answers[xs.tobytes()]
        if self.made.regression:
            return Tensor(answers[:, None])
        return Tensor(SURE * F.one_hot(np.where(answers < 0, 0, answers), self.made.num_classes))

    def predict(self, v, length, end=None):
        answers = self.answers[v.tobytes()]
        return np.concatenate([answers, np.zeros((length - len(answers), len(v)), int)])

    def start(self, source, lengths):
        return self.answers[source.tobytes()].T  # a row for each

    def step(self, tokens, state):
        return F.log_softmax(SURE * F.one_hot(state[:, 0], self.made.num_classes)), np.roll(state, -1, axis=1)

    def select(self, state, index):
        return state[index]


BEST = {"loss": 0, "mse": 0, "accuracy": 1, "perplexity": 1, "bits_per_character": 0, "exact_match": 1, "f1": 1,
        "recalled": 1, "character_error_rate": 0}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_who_knows_the_answers_gets_the_best_marks(name):
    """Every metric of every task, on both parts that are for measuring; and the model is as it was before."""
    made = task(name)
    for split in ("valid", "test"):
        model = Knows(made, split)
        metrics = made.evaluate(model, split)

        assert metrics == pytest.approx({metric: BEST[metric] for metric in metrics}, abs=1e-9)
        assert metrics[made.metric] == pytest.approx(float(made.better == "max"), abs=1e-9)
        assert model.training


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hello"])
def test_who_is_wrong_gets_bad_ones(name):
    """The answer beside the right one, everywhere."""
    made = task(name)
    metrics = made.evaluate(Knows(made, "valid", wrong=1), "valid")

    assert metrics["loss"] > 0.9
    assert metrics.get("accuracy", 0) == 0
    assert metrics.get("exact_match", 0) == 0
    assert metrics.get("character_error_rate", 1) > 0.5


@pytest.mark.parametrize("name", [name for name in NAMES if name != "adding"])
def test_who_knows_nothing_hesitates_among_all(name):
    """To a model to which all classes are alike each costs ln(classes), and padding nothing."""
    made = task(name)

    class KnowsNothing(Knows):
        def forward(self, *batch, lengths=None):
            return 0 * super().forward(*batch, lengths=lengths)

    assert made.evaluate(KnowsNothing(made, "valid"))["loss"] == pytest.approx(np.log(made.num_classes))


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_has_the_metrics_of_an_evaluation(name):
    """By the same names; worse than knowing; and it is the same each time."""
    made = task(name)
    guessed, known = made.baseline(), made.evaluate(Knows(made, "valid"))

    assert list(guessed) == list(known)
    assert guessed["loss"] > known["loss"] + 0.1
    assert guessed == task(name).baseline("valid")


def model_for(made):
    """A small model that fits the task, untrained."""
    manual_seed(0)
    tokens, size = made.num_tokens, made.vector_size
    embedding = None if tokens is None else nn.Embedding(tokens, 4)
    rnn = GRU(size if tokens is None else 4, 5)
    match made.shape:
        case "next token" | "aligned":
            return ManyToMany(rnn, made.num_classes, embedding, ignore_index=made.ignore_index)
        case "many-to-one":
            return ManyToOne(rnn, made.num_classes, embedding, regression=made.regression)
        case "one-to-many":
            own = nn.Embedding(made.num_classes, 4)
            return OneToMany(
                GRU(4, 5), made.num_classes, size, start=made.begin, embedding=own, ignore_index=made.ignore_index
            )
    return Seq2Seq(
        rnn, GRU(4, 5), source_tokens=tokens, target_tokens=made.num_classes, padding=made.ignore_index,
        begin=made.begin, end=made.end,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_task_trains_measures_and_shows_a_real_model(name):
    """A batch gives a loss with a gradient for every parameter; metrics are numbers; examples are texts."""
    made = task(name, **({} if name == "hello" else {"batch": 3}))
    model = model_for(made)
    loss = model.loss(*made.draw(np.random.default_rng(0)))
    loss.backward()
    shown = made.show(model, np.random.default_rng(0), 2)

    assert loss.shape == ()
    assert all(p.grad is not None and np.isfinite(p.grad).all() for p in model.parameters())
    assert len(shown) == 2
    assert all(isinstance(text, str) for row in shown for text in row)
    assert all(row.input and row.expected for row in shown)
    assert model.training


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [("names-to-english", "아이슬란드", "NFD"), ("korean", "대한민국", "NFD"), ("dates", "2045년 10월", "NFC")],
)
def test_a_text_of_ones_own(name, text, form):
    """Read in either Unicode form as the task reads its own, with its length; written in the form that people use."""
    made = task(name)
    for given_ in (text, unicodedata.normalize("NFD", text)):
        tokens, lengths = made.read([given_])

        ended = made.source.end is not None
        assert lengths.tolist() == [len(unicodedata.normalize(form, text)) + ended] == [len(tokens)]
        assert unicodedata.normalize("NFC", made.source.decode(tokens[:, 0])) == text
    assert task("names-to-korean").text(task("names-to-korean").target.encode("서울")) == "서울"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: task("adding").read(["1 2"]), DataError, "adding reads vectors of 2 numbers, not texts"),
        (lambda: task("spacing-korean").text([0, 1]), DataError, "spacing-korean gives numbers from 0 to 1"),
        (lambda: task("dates").read([]), SequenceError, "at least one text"),
        (lambda: task("dates").read(["2045", ""]), SequenceError, "text number 1 is empty"),
        (lambda: task("dates").evaluate(nn.Linear(1, 1), "all"), DataError, "the parts train, valid, test, got 'all'"),
        (lambda: Written(to_read("a"), to_read("a"), 3), DataError, "needs padding, begin and end tokens"),
    ],
)
def test_what_has_no_text(call, error, says):
    """Vectors are not read from texts, tags are none, and nothing is no text."""
    with pytest.raises(error, match=says):
        call()


def test_a_real_models_metrics_are_numbers():
    """Of one task of each shape."""
    for name in ("hello", "digits-rows", "adding", "spelling-korean", "copy", "reversal"):
        made = task(name)
        metrics = made.evaluate(model_for(made))

        assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values()), name


# ---- each metric by hand -------------------------------------------------------------


class Says(nn.Module):
    """Gives out what it was told to."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = outputs

    def forward(self, *batch, lengths=None):
        return self.outputs


def one_batch(*batch):
    return Examples([None], lambda _: batch)


def test_classes_by_hand():
    """Two of three right; the loss is the mean of -log p."""
    p = np.array([[0.7, 0.3], [0.4, 0.6], [0.9, 0.1]])
    split = one_batch(np.zeros((1, 3), int), np.array([0, 1, 1]), None)
    metrics = Classes(Vocabulary("ab"), str).evaluate(Says(Tensor(np.log(p))), split)

    assert metrics == pytest.approx({"loss": -np.log([0.7, 0.6, 0.1]).mean(), "accuracy": 2 / 3})


def test_numbers_by_hand():
    """(1² + 2²) / 2, of outputs (2, 1) as of (2); guessing says the mean."""
    split = one_batch(np.zeros((1, 2)), np.array([1.0, 3.0]), None)

    for outputs in (np.array([2.0, 5.0]), np.array([[2.0], [5.0]])):
        assert Numbers(str).evaluate(Says(Tensor(outputs)), split) == {"loss": 2.5, "mse": 2.5}
    assert Numbers(str).guess(split, split) == {"loss": 1.0, "mse": 1.0}


def test_tags_by_hand():
    """Padding counts for nothing, also for a whole sequence; 3 of the 4 that are not empty recalled, and 4 claimed."""
    tags = np.array([[0, 1], [1, 1], [0, 1], [-100, 0]])  # (T, B): the first sequence ends after 3
    said = np.array([[0, 1], [1, 1], [0, 0], [1, 1]])
    split = one_batch(tags, tags, np.array([3, 4]))
    metrics = Tags(2, str).evaluate(Says(Tensor(SURE * F.one_hot(said, 2))), split)
    true, claimed, hits = 4, 4, 3

    assert metrics["accuracy"] == 5 / 7
    assert metrics["exact_match"] == 1 / 2
    assert metrics["recalled"] == hits / true
    assert metrics["f1"] == 2 * hits / (true + claimed)
    assert metrics["loss"] == pytest.approx(2 * SURE / 7)


def test_recall_is_of_what_there_was():
    """Who says "a space" everywhere recalls all of them, with little precision: f1 is between."""
    tags = np.array([[1, 0, 0, 0]]).T
    everywhere = Says(Tensor(F.one_hot(np.ones_like(tags), 2)))
    metrics = Tags(2, str).evaluate(everywhere, one_batch(tags, tags, None))

    assert metrics["recalled"] == 1
    assert metrics["f1"] == 2 * 1 / (1 + 4)


def test_guessing_leaves_padding_out():
    """Of the tags that are there half are 1, once more each than they are."""
    tags = np.array([[0, 1], [1, 0], [-100, 1]])
    split = one_batch(tags, tags, np.array([2, 3]))
    for by_step in (False, True):
        guessed = Tags(2, str, by_step=by_step).guess(split, split)
        likely = [[1 / 2] * 4 + [2 / 3]] if by_step else [[3 / 7] * 2 + [4 / 7] * 3]

        assert guessed["loss"] == pytest.approx(-np.log(likely).mean())


def test_never_a_space_recalls_nothing():
    """The baseline of the spacing tasks: all letters without a space right, no space found."""
    for name in ("spacing-english", "spacing-korean"):
        made = task(name)
        tags = np.concatenate([tags.reshape(-1) for _, tags, _ in made.test.batches(100)])
        guessed = made.baseline("test")

        assert guessed["accuracy"] == pytest.approx(1 - tags.mean())
        assert guessed["f1"] == guessed["recalled"] == guessed["exact_match"] == 0


def test_guessed_losses_are_those_of_frequencies():
    """A model that gives out the logarithms of the frequencies in the training data is the baseline."""
    made = task("language")
    labels = np.concatenate([labels for _, labels, _ in made.train.batches(100)])
    logs = np.log((np.bincount(labels, minlength=14) + 1) / (len(labels) + 14))

    class Guesses(nn.Module):
        def forward(self, xs, lengths=None):
            return Tensor(np.tile(logs, (xs.shape[1], 1)))

    assert made.evaluate(Guesses(), "test") == pytest.approx(made.baseline("test"))


def test_a_text_is_guessed_by_how_often_it_comes():
    """The name of the digit that the training images show most often."""
    made = task("spelling-english")
    digits = {split: np.array([digit for _, digit in made.split(split).examples]) for split in ("train", "test")}
    most = np.bincount(digits["train"]).argmax()

    assert made.baseline("test")["exact_match"] == pytest.approx((digits["test"] == most).mean())


PAIRS = st.lists(st.tuples(st.text("ab", min_size=1, max_size=5), st.text("가나a", max_size=4)), min_size=1, max_size=5)


@given(PAIRS)
def test_texts_are_compared_as_readers_see_them(pairs):
    """Hangul taken apart for the model counts as syllables: one wrong letter is one wrong syllable."""
    source, target = to_read("ab"), to_write(sorted({*"ᄀ나a"}), normalize="NFD")

    class Wrong(nn.Module):
        """Says 나 for 가."""

        def forward(self, source, lengths, wanted):
            return Tensor(F.one_hot(wanted, len(target)))

        def start(self, source, lengths):
            wanted = target.encode_all([b for _, b in pairs], ended=True).T
            return np.where(wanted == target["ᄀ"], target["ᄂ"], wanted)

        step, select = Knows.step, Knows.select
        made = type("made", (), {"num_classes": len(target)})

    tokens = source.encode_all([a for a, _ in pairs])
    wanted = target.encode_all([b for _, b in pairs], ended=True)
    lengths = np.array([len(a) for a, _ in pairs])
    if not any(b for _, b in pairs):
        return
    metrics = Written(source, target, 20).evaluate(Wrong(), one_batch(tokens, lengths, wanted))
    text = "".join(b for _, b in pairs)

    assert metrics["character_error_rate"] == pytest.approx(text.count("가") / len(text))
    assert metrics["exact_match"] == sum("가" not in b for _, b in pairs) / len(pairs)


def test_a_text_goes_on_as_the_model_expects():
    """The first half is given; what the model writes is as long as what should come."""
    made = task("english", length=20)
    (shown,) = made.show(model_for(made), np.random.default_rng(0), 1)
    prompt, rest, said = shown

    assert prompt + rest in alice()
    assert (len(prompt), len(rest), len(said)) == (11, 10, 10)


def test_examples_are_shown_to_be_read():
    """What came in, what should come out, what did, as text."""
    made = task("spacing-korean", length=12)
    batch = made.valid.at(np.array([0]))
    shown, = made.measure.show(ManyToMany(RNN(379, 3), 2), batch)
    letters = made.source.decode(batch[0][:, 0])

    assert isinstance(shown, Shown)
    assert shown.input == letters
    assert shown.expected.replace(" ", "") == shown.predicted.replace(" ", "") == letters
    assert " " in shown.expected
