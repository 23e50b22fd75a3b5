"""Greedy and beam search: against search by hand over all sequences, and over a beam without any cleverness."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import examples
from tinygrad_seq import Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, NonFiniteError, SequenceError, ShapeError
from tinygrad_seq.models import RNN, Hypothesis, ManyToMany, beam, generate, greedy

END = 0


class Tree:
    """A model whose next token depends on the source and on all tokens so far; its state is those.

    Some tokens are impossible, some equally likely.  holes: what share is impossible.
    """

    def __init__(self, seed, classes, holes=0.0, ties=False):
        self.seed, self.classes, self.holes, self.ties = seed, classes, holes, ties

    def log_p(self, beginning):
        rng = np.random.default_rng([self.seed, *beginning])
        logits = rng.integers(0, 3, self.classes) * 1.0 if self.ties else rng.normal(size=self.classes) * 2
        logits[rng.random(self.classes) < self.holes] = -np.inf
        return np.full(self.classes, -np.inf) if (logits == -np.inf).all() else F.log_softmax(logits)

    def start(self, source, lengths):
        return [(int(first),) for first in source[0]]

    def step(self, tokens, state):
        state = [(*beginning, int(token)) for beginning, token in zip(state, tokens, strict=True)]
        return np.array([self.log_p(beginning) for beginning in state]), state

    def select(self, state, index):
        return [state[i] for i in index]


class Search(NamedTuple):
    """A model, two or three sources, and the arguments of a search."""

    model: Tree
    source: np.ndarray
    options: dict


@st.composite
def searches(draw, most_classes=4, most_length=4):
    """Small ones, with ties, with what is impossible, with and without an end."""
    model = Tree(
        draw(st.integers(0, 2**16)),
        draw(st.integers(2, most_classes)),
        draw(st.sampled_from([0.0, 0.0, 0.3, 0.7])),
        draw(st.booleans()),
    )
    source = np.array([draw(st.lists(st.integers(0, 9), min_size=1, max_size=3))])
    return Search(
        model,
        source,
        {
            "begin": 1,
            "end": draw(st.sampled_from([END, END, END, None])),
            "max_length": draw(st.integers(1, most_length)),
            "length_penalty": draw(st.sampled_from([0.0, 0.6, 1.0, 3.0])),
        },
    )


def score_of(log_probability, n, length_penalty):
    """Wu et al. 2016, equation 14, without coverage."""
    return log_probability / ((5 + n) / 6) ** length_penalty


def beam_by_hand(model, first, *, width, begin, end, max_length, length_penalty):
    """All that a beam of that width comes upon, best first, of equals the first found; no early stop."""
    live, kept = [((first, begin), 0.0)], []
    for n in range(1, max_length + 1):
        candidates = []
        for beginning, total in live:
            log_p = model.log_p(beginning)
            possible = [k for k in range(model.classes) if log_p[k] > -np.inf]
            candidates += [((*beginning, k), total + log_p[k], log_p[k]) for k in possible]
            if not possible:
                kept.append((beginning[2:], total, False, n - 1))
        candidates.sort(key=lambda one: (-one[1], -one[2]))
        kept += [(path[2:-1], total, True, n) for path, total, _ in candidates[:width] if path[-1] == end]
        live = [(path, total) for path, total, _ in candidates if path[-1] != end][:width]
        if sum(ended for _, _, ended, _ in kept) >= width:
            live = []
    kept += [(path[2:], total, False, max_length) for path, total in live]
    found = [Hypothesis(path, total, score_of(total, max(n, 1), length_penalty), e) for path, total, e, n in kept]
    return sorted(found, key=lambda one: -one.score)


def every_sequence(model, first, *, begin, end, max_length, length_penalty):
    """The scores of all sequences, best first."""
    scores = []
    for n in range(1, max_length + 1):
        for tokens in product(range(model.classes), repeat=n):
            ended = tokens[-1] == end
            if (ended or n == max_length) and end not in tokens[:-1]:
                steps = [model.log_p((first, begin, *tokens[:i]))[tokens[i]] for i in range(n)]
                scores.append(score_of(sum(steps), n, length_penalty))
    return sorted((score for score in scores if score > -np.inf), reverse=True)


def told(found):
    """Hypotheses as plain tuples, to be compared exactly."""
    return [(tuple(map(int, one.tokens)), one.log_probability, one.score, one.ended) for one in found]


# ---- properties ----------------------------------------------------------------------


@given(searches())
def test_a_beam_of_width_one_is_greedy_search(search):
    """To the last bit, ties and dead ends included."""
    model, source, options = search

    assert told(found for found, in beam(model, source, width=1, **options)) == told(greedy(model, source, **options))


@given(searches(), st.integers(1, 5))
def test_a_beam_keeps_the_best_beginnings(search, width):
    """The n best are those of a beam without an early stop, in the same order, for each source alone."""
    model, source, options = search
    expected = [told(beam_by_hand(model, int(first), width=width, **options)[:width]) for first in source[0]]
    actual = [told(found) for found in beam(model, source, width=width, n_best=width, **options)]

    assert [[one[0] for one in found] for found in actual] == [[one[0] for one in found] for found in expected]
    for found, by_hand in zip(actual, expected):
        np.testing.assert_allclose([one[1:] for one in found], [one[1:] for one in by_hand], rtol=1e-12)


@given(searches(), st.integers(1, 5), st.data())
def test_fewer_of_the_best_are_the_first_of_more(search, width, data):
    """Asking for fewer stops earlier, and changes nothing but how many there are."""
    model, source, options = search
    n = data.draw(st.integers(1, width))
    fewer = beam(model, source, width=width, n_best=n, **options)
    more = beam(model, source, width=width, n_best=width, **options)

    assert [told(found) for found in fewer] == [told(found[:n]) for found in more]


@examples(40)
@given(searches(most_classes=3, most_length=3))
def test_a_wide_beam_searches_all_there_is(search):
    """As wide as there are sequences, it finds the best of all, the second best of all, and so on."""
    model, source, options = search
    model.holes = min(model.holes, 0.3) if options["end"] is None else 0.0
    width = sum(model.classes**n for n in range(1, options["max_length"] + 1))
    found = beam(model, source, width=width, n_best=width, **options)

    for first, hypotheses in zip(source[0], found):
        expected = every_sequence(model, int(first), **options)
        whole = [one for one in hypotheses if one.ended or len(one.tokens) == options["max_length"]]
        np.testing.assert_allclose([one.score for one in whole], expected, rtol=1e-12)


@given(searches(), st.integers(1, 5))
def test_a_batch_is_its_sources_one_by_one(search, width):
    """No source knows of the others."""
    model, source, options = search
    together = beam(model, source, width=width, n_best=width, **options)
    alone = [beam(model, source[:, [i]], width=width, n_best=width, **options)[0] for i in range(source.shape[1])]

    assert [told(found) for found in together] == [told(found) for found in alone]
    one_by_one = [greedy(model, source[:, [i]], **options)[0] for i in range(source.shape[1])]
    assert told(greedy(model, source, **options)) == told(one_by_one)


@given(searches(), st.integers(1, 5))
def test_what_is_found_is_what_the_model_says(search, width):
    """Best first, all different; each with the log-probability of its tokens and its end, and never NaN."""
    model, source, options = search
    for first, found in zip(source[0], beam(model, source, width=width, n_best=width, **options)):
        scores = [one.score for one in found]
        for tokens, log_probability, score, ended in told(found):
            read = (*tokens, options["end"]) if ended else tokens
            said = sum(model.log_p((int(first), options["begin"], *read[:i]))[k] for i, k in enumerate(read))
            assert log_probability == pytest.approx(said)
            assert score == pytest.approx(score_of(said, max(1, len(read)), options["length_penalty"]))
            assert len(read) <= options["max_length"]
            assert options["end"] not in tokens

        assert found
        assert np.isfinite(scores).all()
        assert scores == sorted(scores, reverse=True)
        assert len({(tokens, ended) for tokens, _, _, ended in told(found)}) == len(found)


# ---- examples ------------------------------------------------------------------------


class Script:
    """The next token depends on the one before it: rows of probabilities."""

    def __init__(self, *rows):
        with np.errstate(divide="ignore"):
            self.log_p = np.log(np.array(rows))
        self.steps = 0

    def start(self, source, lengths):
        return None

    def step(self, tokens, state):
        self.steps += 1
        return self.log_p[tokens], state

    def select(self, state, index):
        return state


def one_source(model, **options):
    return beam(model, np.zeros((1, 1)), **{"begin": 1, "end": END, "max_length": 5, **options})[0]


def test_what_has_ended_is_kept():
    """The first to end is given out though two beginnings have been more likely than it for a while."""
    model = Script([1, 0, 0, 0], [0.2, 0.0, 0.4, 0.4], [0.1, 0.5, 0.2, 0.2], [0.1, 0.5, 0.2, 0.2])
    best = one_source(model, width=3, max_length=9)[0]

    assert (best.tokens.tolist(), best.ended) == ([], True)
    assert best.log_probability == pytest.approx(np.log(0.2))


def test_a_beam_finds_what_greedy_search_misses():
    """The likely first token leads astray; the beam comes back."""
    model = Script([1, 0, 0, 0], [0.0, 0.0, 0.6, 0.4], [0.3, 0.3, 0.2, 0.2], [0.9, 0.1, 0.0, 0.0])

    assert greedy(model, np.zeros((1, 1)), begin=1, end=END, max_length=5)[0].tokens.tolist() == [2]
    assert one_source(model, width=2)[0].tokens.tolist() == [3]


def test_the_length_penalty_favours_the_longer():
    """Without, the shorter of two is the better, as it has fewer factors; with a large one, the longer."""
    model = Script([1, 0, 0], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0])

    assert [one_source(model, width=3, length_penalty=α)[0].tokens.tolist() for α in (0, 3)] == [[], [2]]


def test_the_length_penalty_is_that_of_wu_et_al():
    """lp = (5 + n)^α / (5 + 1)^α, of n = 7 tokens with the end, and α = 0.6: 2^0.6."""
    chain = np.roll(np.eye(8), 1, axis=1) * 0.5  # 1 → 2 → … → 7 → 0, the end, each with a probability of ½
    found, = greedy(Script(*chain), np.zeros((1, 1)), begin=1, end=END, max_length=9, length_penalty=0.6)

    assert (found.tokens.tolist(), found.ended) == ([2, 3, 4, 5, 6, 7], True)
    assert found.log_probability == pytest.approx(7 * np.log(0.5))
    assert found.score == pytest.approx(7 * np.log(0.5) / 2**0.6)


def test_the_search_stops_when_nothing_can_become_better():
    """As soon as the best has ended and log-probabilities can only fall, no step more is asked of the model."""
    model = Script([1, 0, 0], [0.9, 0.05, 0.05], [0.9, 0.05, 0.05])
    one_source(model, width=3, max_length=1000)

    assert model.steps == 1


def test_what_nothing_can_follow_is_cut_off_there():
    """A model that rules everything out makes no NaN and no endless search."""
    nothing = Script([0, 0, 0], [0, 0, 1], [0, 0, 0])
    found = one_source(nothing, width=2, n_best=2)

    assert told(found) == told(greedy(nothing, np.zeros((1, 1)), begin=1, end=END, max_length=5))
    assert told(found) == [((2,), 0.0, 0.0, False)]


def test_an_enormous_length_penalty_makes_no_nan():
    """Numbers beyond a float's range are no error."""
    nothing, something = Script([0, 0, 0], [0, 0, 0]), Script([1, 0, 0], [0.5, 0.0, 0.5], [0.9, 0.1, 0.0])
    with np.errstate(all="raise"):
        assert [one.score for one in one_source(nothing, width=3, n_best=3, length_penalty=1e6)] == [0]
        assert [one.score for one in one_source(something, width=3, n_best=2, length_penalty=1e6)] == [0, 0]


def test_the_unlikely_is_not_impossible():
    """A log-probability of -1e300 is a number like any other: an end that unlikely is an end."""
    model = Script([1, 0], [1, 0])
    model.log_p = np.array([[-1e300, -np.inf], [-1e300, -np.inf]])

    assert told(one_source(model, width=2)) == [((), -1e300, -1e300, True)]
    assert told(greedy(model, np.zeros((1, 1)), begin=1, end=END, max_length=5)) == told(one_source(model, width=1))


def test_nothing_is_recorded():
    """Tensors that a model works with leave no history; the caller records as before."""
    seen = []

    class Recording(Script):
        def step(self, tokens, state):
            weight = Tensor(self.log_p, requires_grad=True)
            seen.append((weight * 1.0)[tokens])
            return seen[-1], state

    model = Recording([1, 0], [0.5, 0.5])
    one_source(model, width=2)
    greedy(model, np.zeros((1, 1)), begin=1, end=END, max_length=2)

    assert not any(node.requires_grad for node in seen)
    assert len(seen) > 1
    assert (Tensor(1.0, requires_grad=True) * 2).requires_grad


def test_float32_that_rounds_above_zero_is_taken_as_certain():
    """log_softmax in float32 may give 1e-7 for a probability of 1."""
    model = Script([1, 0], [1, 0])
    model.log_p = np.array([[1e-7, -np.inf], [1e-7, -np.inf]], np.float32)

    assert one_source(model, width=1)[0].log_probability == 0.0


class GoingOn:
    """A model that was trained to predict the next token, to be searched: the prompt is the source."""

    def __init__(self, model):
        self.model = model

    def start(self, prompt, lengths):
        *_, (_, _, state) = self.model.unroll(prompt[:-1])
        return state

    def step(self, tokens, state):
        (_, y, state), = self.model.unroll(tokens[None], state)
        return F.log_softmax(y), state

    def select(self, state, index):
        return self.model.rnn.select(state, index)


@settings(max_examples=10)
@given(st.integers(0, 2**16))
def test_a_prompt_can_be_the_source(seed):
    """Search over a next-token model goes on from prompts, from the last token of each: what generate finds."""
    rng = np.random.default_rng(seed)
    model = ManyToMany(RNN(4, 8), 4)
    prompts = rng.integers(0, 4, (3, 2))
    found = greedy(GoingOn(model), prompts, begin=prompts[-1], end=END, max_length=6)

    for i in range(2):
        expected = list(generate(model, prompts[:, i], 6, temperature=0, end=END))
        assert found[i].tokens.tolist() == expected


# ---- bad input -----------------------------------------------------------------------

SOURCE = np.zeros((3, 2), int)
GOOD = {"begin": 1, "end": END, "max_length": 3}


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"width": 0}, DataError, "width must be an integer of at least 1, got 0"),
        ({"width": -1}, DataError, "width must be"),
        ({"width": 2.0}, DataError, "width must be"),
        ({"width": True}, DataError, "width must be"),
        ({"width": 2, "n_best": 3}, DataError, "n_best must be at most the width"),
        ({"width": 2, "n_best": 0}, DataError, "n_best must be"),
        ({"width": 2, "max_length": 0}, DataError, "max_length must be an integer of at least 1"),
        ({"width": 2, "end": 4}, DataError, "end must be one of the 4 tokens"),
        ({"width": 2, "end": -1}, DataError, "end must be a token"),
        ({"width": 2, "end": "</s>"}, DataError, "end must be a token"),
        ({"width": 2, "length_penalty": -0.1}, DataError, "length_penalty"),
        ({"width": 2, "length_penalty": float("nan")}, DataError, "length_penalty"),
        ({"width": 2, "length_penalty": "long"}, DataError, "length_penalty"),
        ({"width": 2, "begin": "<s>"}, DtypeError, "begin must be an integer"),
        ({"width": 2, "begin": [1, 1, 1]}, ShapeError, "one for each of 2"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(options, error, says):
    """Each by its name, with what was given; greedy search refuses what it has in common with a beam."""
    common = {name: value for name, value in options.items() if name in GOOD or name == "length_penalty"}
    with pytest.raises(error, match=says):
        beam(Tree(0, 4), SOURCE, **{**GOOD, **options})
    if common:
        with pytest.raises(error, match=says):
            greedy(Tree(0, 4), SOURCE, **{**GOOD, **common})


@pytest.mark.parametrize("source", [0, np.zeros(3)])
def test_a_source_has_a_batch(source):
    """The error says how to make a batch of one."""
    with pytest.raises(ShapeError, match=r"source\[:, None\]"):
        greedy(Tree(0, 4), source, **GOOD)


def test_an_empty_batch_is_refused():
    """Of no source there is nothing to find."""
    with pytest.raises(SequenceError, match="at least one source"):
        beam(Tree(0, 4), np.zeros((3, 0)), width=2, **GOOD)


@pytest.mark.parametrize(
    ("log_p", "error", "says"),
    [
        (np.zeros(4), ShapeError, r"\(2, classes\)"),
        (np.zeros((3, 4)), ShapeError, r"\(2, classes\)"),
        (np.zeros((2, 0)), ShapeError, r"\(2, classes\)"),
        (np.full((2, 4), np.nan), NonFiniteError, "diverged"),
        (np.full((2, 4), 0.1), NonFiniteError, "take their log_softmax"),
        (np.full((2, 4), np.inf), NonFiniteError, "at most 0, got inf"),
    ],
)
def test_a_step_gives_log_probabilities(log_p, error, says):
    """Logits, NaN and other shapes are told apart from them."""

    class Wrong(Script):
        def step(self, tokens, state):
            return log_p, state

    for search in (greedy, lambda *args, **options: beam(*args, width=2, **options)):
        with pytest.raises(error, match=says):
            search(Wrong([1.0]), SOURCE, **GOOD)
