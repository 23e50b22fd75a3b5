"""Tasks that need a memory: the batches are those that other libraries were measured on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.errors import DataError
from tinygrad_seq.models.tasks import task

SEEDS = st.integers(0, 2**32)


# What the baselines were trained on, batch first, as its author wrote it.


def adding(rng, B, T):
    v = rng.random((B, T))
    m = np.zeros((B, T))
    a = rng.integers(0, T // 2, B)
    b = rng.integers(T // 2, T, B)
    r = np.arange(B)
    m[r, a] = 1
    m[r, b] = 1
    return np.stack([v, m], -1), (v[r, a] + v[r, b])[:, None]


def copy_memory(rng, B, K, S, T):
    d = rng.integers(1, K + 1, (B, S))
    L = S + T + S
    x = np.zeros((B, L), int)
    y = np.zeros((B, L), int)
    x[:, :S] = d
    x[:, S + T - 1] = K + 1
    y[:, -S:] = d
    return x, y


def temporal_order(rng, B, T):
    x = rng.integers(0, 4, (B, T))
    x[:, 0] = 6
    x[:, -1] = 7
    r = np.arange(B)
    p = rng.integers(T // 10, 2 * T // 10, B)
    q = rng.integers(5 * T // 10, 6 * T // 10, B)
    s1 = rng.integers(0, 2, B)
    s2 = rng.integers(0, 2, B)
    x[r, p] = 4 + s1
    x[r, q] = 4 + s2
    return x, 2 * s1 + s2


@given(SEEDS, st.integers(2, 200), st.integers(1, 60))
def test_adding_is_the_baselines_adding(seed, length, batch):
    """The same numbers and marks from the same generator, which is left in the same state."""
    here, there = np.random.default_rng(seed), np.random.default_rng(seed)
    xs, labels, lengths = task("adding", length=length, batch=batch).draw(here)
    x, y = adding(there, batch, length)

    np.testing.assert_array_equal(xs, x.transpose(1, 0, 2))
    np.testing.assert_array_equal(labels, y[:, 0])
    assert lengths is None
    assert here.bit_generator.state == there.bit_generator.state


@given(SEEDS, st.integers(1, 100), st.integers(1, 26), st.integers(1, 8), st.integers(1, 60))
def test_copying_is_the_baselines_copying(seed, delay, symbols, count, batch):
    """The same tokens and tags."""
    here, there = np.random.default_rng(seed), np.random.default_rng(seed)
    tokens, tags, lengths = task("copy", delay=delay, symbols=symbols, count=count, batch=batch).draw(here)
    x, y = copy_memory(there, batch, symbols, count, delay)

    np.testing.assert_array_equal(tokens, x.T)
    np.testing.assert_array_equal(tags, y.T)
    assert lengths is None
    assert here.bit_generator.state == there.bit_generator.state


@given(SEEDS, st.integers(10, 200), st.integers(1, 60))
def test_order_is_the_baselines_order(seed, length, batch):
    """The same tokens and classes."""
    here, there = np.random.default_rng(seed), np.random.default_rng(seed)
    tokens, labels, lengths = task("order", length=length, batch=batch).draw(here)
    x, y = temporal_order(there, batch, length)

    np.testing.assert_array_equal(tokens, x.T)
    np.testing.assert_array_equal(labels, y)
    assert lengths is None
    assert here.bit_generator.state == there.bit_generator.state


@given(SEEDS, st.integers(2, 200), st.integers(2, 26), st.integers(1, 60))
def test_recall_asks_for_the_first_symbol(seed, length, symbols, batch):
    """The label is the first token, which is a symbol; all others are distractors, drawn after it."""
    made, there = task("recall", length=length, symbols=symbols, batch=batch), np.random.default_rng(seed)
    tokens, labels, lengths = made.draw(np.random.default_rng(seed))
    symbol, rest = there.integers(0, symbols, batch), there.integers(0, 4, (batch, length))

    np.testing.assert_array_equal(labels, symbol)
    np.testing.assert_array_equal(tokens[0], 4 + symbol)
    np.testing.assert_array_equal(tokens[1:], rest.T[1:])
    assert made.source.decode(tokens[:1, 0]) == made.target.decode(labels[:1])
    assert (tokens.shape, made.num_classes, made.num_tokens, lengths) == ((length, batch), symbols, symbols + 4, None)


GOLDEN = {
    "adding": (
        {"length": 4, "batch": 3},
        {
            0: ([0.63696169, 0.26978671, 0.04097352, 0.01652764], [0.67793521, 1.64225214, 0.93781092]),
            7: ([0.62509547, 0.89721380, 0.77568569, 0.22520719], [1.67289949, 0.30543159, 0.74636056]),
        },
    ),
    "copy": (
        {"delay": 4, "count": 3, "batch": 3},
        {
            0: ([7, 6, 5, 0, 0, 0, 9, 0, 0, 0], [5, 1, 2]),
            7: ([8, 6, 6, 0, 0, 0, 9, 0, 0, 0], [6, 7, 1]),
        },
    ),
    "recall": (
        {"length": 8, "symbols": 5, "batch": 3},
        {
            0: ([8, 1, 0, 0, 0, 0, 3, 2], [4, 3, 2]),
            7: ([8, 2, 3, 3, 0, 0, 1, 1], [4, 3, 3]),
        },
    ),
    "order": (
        {"length": 20, "batch": 3},
        {
            0: ([6, 2, 2, 5, 1, 0, 0, 0, 0, 3, 5, 3, 2, 2, 3, 2, 2, 2, 2, 7], [3, 2, 2]),
            7: ([6, 2, 4, 3, 2, 3, 3, 0, 0, 1, 5, 3, 3, 0, 1, 3, 0, 3, 0, 7], [1, 1, 2]),
        },
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_batches_stay_what_they_were(name):
    """The batches of seed 0 and 7, as numbers: neither a change here nor one of NumPy's makes results incomparable."""
    options, expected = GOLDEN[name]
    made = task(name, **options)

    for seed, (first, labels) in expected.items():
        xs, y, _ = made.draw(np.random.default_rng(seed))
        np.testing.assert_allclose(xs.reshape(len(xs), -1)[:, 0], first, atol=1e-8)
        np.testing.assert_allclose(y.reshape(-1)[-len(labels) :], labels, atol=1e-8)


@given(SEEDS, st.integers(1, 12), st.integers(1, 26), st.integers(1, 30), st.data())
def test_reversal_is_backwards(seed, length, symbols, batch, data):
    """Each target is its source from the end to the beginning, of all lengths asked for and of no other."""
    shortest = data.draw(st.integers(1, length))
    made = task("reversal", length=length, shortest=shortest, symbols=symbols, batch=batch)
    source, lengths, target = made.draw(np.random.default_rng(seed))

    for x, n, y in zip(source.T, lengths, target.T):
        word = made.source.decode(x)
        assert made.target.decode(y) == word[::-1]
        assert shortest <= len(word) == n - 1 <= length  # the end token counts


def test_what_guessing_gets_is_what_theory_says():
    """Adding: the variance of a sum of two, 1/6. Copy: K symbols at S of T + 2S steps. Order, recall: one of four."""
    adding, copy, order, recall = (task(name).baseline("test") for name in ("adding", "copy", "order", "recall"))

    assert adding["mse"] == pytest.approx(1 / 6, abs=0.015)
    assert copy["loss"] == pytest.approx(5 * np.log(8) / 20, rel=0.02)
    assert copy["recalled"] == pytest.approx(1 / 8, abs=0.02)
    assert order["accuracy"] == pytest.approx(1 / 4, abs=0.05)
    assert recall["accuracy"] == pytest.approx(1 / 4, abs=0.05)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("adding", {"length": 1}, "task adding: length must be at least 2, got 1"),
        ("adding", {"batch": 0}, "task adding: batch must be at least 1, got 0"),
        ("adding", {"seed": -1}, "task adding: seed must be at least 0, got -1"),
        ("order", {"length": 9}, "task order: length must be at least 10, got 9"),
        ("copy", {"delay": 0}, "task copy: delay must be at least 1, got 0"),
        ("copy", {"symbols": 27}, "task copy: symbols must be at most 26, the letters that name them, got 27"),
        ("recall", {"length": 1}, "task recall: length must be at least 2, got 1"),
        ("recall", {"symbols": 1}, "task recall: symbols must be at least 2, got 1"),
        ("recall", {"symbols": 27}, "task recall: symbols must be at most 26, the letters that name them, got 27"),
        ("reversal", {"length": 3, "shortest": 4}, "task reversal: length must be at least 4, got 3"),
    ],
)
def test_options_out_of_range(name, options, says):
    """Which task, which option, what is possible, what was given."""
    with pytest.raises(DataError) as caught:
        task(name, **options)

    assert str(caught.value) == says
