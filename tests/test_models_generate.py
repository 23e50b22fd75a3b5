"""Sampling and generating: the chances are the model's, and nothing that was ruled out is ever drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinygrad_seq import Tensor, manual_seed, optim
from tinygrad_seq.errors import DataError, NonFiniteError, SequenceError, ShapeError
from tinygrad_seq.models import RNN, ManyToMany, OneToMany, generate, sample, train
from tinygrad_seq.models.tasks import hello

LOGITS = npst.arrays(float, npst.array_shapes(max_dims=2, max_side=6), elements=st.floats(-50, 50))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_softmax(temperature):
    """Over 20,000 draws each token comes as often as softmax(logits / temperature) says."""
    logits = np.array([1.0, 0.0, -1.0, 2.0])
    chances = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    counts = np.bincount(sample(np.tile(logits, (20_000, 1)), temperature=temperature, rng=rng()), minlength=4)

    assert counts / 20_000 == pytest.approx(chances, abs=0.012)


@given(LOGITS, st.integers(1, 8))
def test_top_k_rules_out_all_others(logits, k):
    """What is drawn is never below the k-th best."""
    drawn = sample(logits, top_k=k, rng=rng())
    picked = np.take_along_axis(logits, np.asarray(drawn)[..., None], axis=-1)[..., 0]
    kth = np.sort(logits, axis=-1)[..., -min(k, logits.shape[-1])]

    assert (picked >= kth).all()


def test_of_equals_exactly_k_stay():
    """Ties do not let a (k+1)-th in: the first of the equals stay."""
    assert set(sample(np.zeros((500, 5)), top_k=2, rng=rng()).tolist()) == {0, 1}


@given(LOGITS)
def test_temperature_zero_takes_the_most_likely(logits):
    """The first of equals; so does top_k=1; and a temperature near zero does not overflow."""
    expected = logits.argmax(axis=-1).tolist()
    best = np.sort(logits, axis=-1)
    clear = best[..., -1:] - best[..., -2:-1] > 1e-3

    assert sample(logits, temperature=0).tolist() == expected
    assert sample(logits, top_k=1, rng=rng()).tolist() == expected
    if clear.size and clear.all():
        assert sample(logits, temperature=1e-300, rng=rng()).tolist() == expected


@given(st.lists(st.sampled_from([0.0, -np.inf]), min_size=1, max_size=8).filter(lambda z: 0.0 in z), st.integers(0, 99))
def test_minus_infinity_is_never_drawn(logits, seed):
    """Also where it stands first or last."""
    assert logits[int(sample(logits, rng=rng(seed)))] == 0.0


def test_the_library_generator_is_the_default():
    """manual_seed makes sampling the same again."""
    manual_seed(5)
    first = sample(np.zeros((20, 9)))
    manual_seed(5)

    assert sample(Tensor(np.zeros((20, 9)))).tolist() == first.tolist()


def test_a_trained_model_goes_on():
    """Trained on HELLO, it spells what comes after H, and after HE the rest."""
    manual_seed(0)
    task = hello()
    model = ManyToMany(RNN(4, 16), 4)
    train(model, task.draw, optim.Adam(model.parameters(), lr=0.01), updates=60)
    letters = task.vocabulary

    assert letters.decode(generate(model, letters.encode("H"), 4, temperature=0)) == "ELLO"
    assert letters.decode(generate(model, letters.encode("HE"), 3, temperature=0)) == "LLO"
    assert letters.decode(generate(model, letters.encode("H"), 9, temperature=0, end=letters["O"])) == "ELL"


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_the_same_seed_makes_the_same_text(seed):
    """And reading the prompt at once or token by token makes no difference."""
    manual_seed(seed)
    model = ManyToMany(RNN(4, 8), 4)
    text = list(generate(model, [0, 1, 2], 20, rng=rng(seed)))

    assert list(generate(model, [0, 1, 2], 20, rng=rng(seed))) == text
    assert len(text) == 20


def test_nothing_is_recorded_and_the_caller_still_records():
    """Between two tokens the caller's own computations are recorded as ever."""
    manual_seed(0)
    model, w = ManyToMany(RNN(4, 8), 4), Tensor([1.0], requires_grad=True)
    for _ in generate(model, [0], 3):
        assert (w * 2).requires_grad


def test_length_zero_makes_nothing():
    """An empty text, no error."""
    assert list(generate(ManyToMany(RNN(4, 8), 4), [0], 0)) == []


@pytest.mark.parametrize("temperature", [-1, -1e-9, float("nan"), float("inf"), "hot", None])
def test_a_temperature_is_a_number_of_at_least_zero(temperature):
    """It is refused before anything is computed."""
    with pytest.raises(DataError, match="temperature must be a number of at least 0"):
        sample([0.0, 1.0], temperature=temperature)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "all"])
def test_top_k_is_an_integer_of_at_least_one(k):
    """Of none one cannot draw."""
    with pytest.raises(DataError, match="top_k must be an integer of at least 1"):
        sample([0.0, 1.0], top_k=k)


@pytest.mark.parametrize("logits", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
def test_logits_that_say_nothing(logits):
    """A model that has diverged is not sampled from as if nothing were."""
    with pytest.raises(NonFiniteError, match="logits that are numbers"):
        sample(logits)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda m: generate(m, [], 5), SequenceError, "a prompt of at least one token"),
        (lambda m: generate(m, [[0, 1]], 5), ShapeError, r"one prompt of shape \(T\)"),
        (lambda m: generate(m, [0], -1), DataError, "length must be"),
        (lambda m: generate(m, [0], 2.5), DataError, "length must be"),
        (lambda m: generate(m, [0], 5, temperature=-1), DataError, "temperature"),
        (lambda m: generate(m, [0], 5, top_k=0), DataError, "top_k"),
        (lambda m: next(generate(m, [7], 5)), IndexError, "token 7"),
        (lambda m: generate(OneToMany(RNN(4, 3), 4, 2, start=0), np.eye(2), 5), ShapeError, "one vector"),
        (lambda m: sample(1.0), ShapeError, "logits of shape"),
        (lambda m: sample([]), ShapeError, "logits of shape"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """At once, when generate is called, not at the first token."""
    with pytest.raises(error, match=says):
        call(ManyToMany(RNN(4, 8), 4))
