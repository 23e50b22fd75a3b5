"""tinygrad_seq.gradflow.readout: how well the input of k steps ago can still be read off a state."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, manual_seed, nn, no_grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError, UnknownNameError
from tinygrad_seq.gradflow import memory
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany

SEEDS = st.integers(0, 10_000)


def linear(W, w, u):
    """The states of h_t = h_{t-1} W + u_t w, (T, N, n)."""
    h, states = np.zeros((u.shape[1], len(w))), []
    for now in u:
        h = h @ W + now[:, None] * w
        states.append(h)
    return np.array(states)


def register(n):
    """A delay line of n places: W and w."""
    return np.eye(n, k=1), np.eye(n)[0]


# ---- known answers ---------------------------------------------------------------------


@settings(max_examples=10)
@given(st.integers(1, 8), SEEDS)
def test_a_delay_line_has_its_length_as_capacity(n, seed):
    """A shift register of n places has MC_k = 1 for k < n, about 0 after, and n in all."""
    u = np.random.default_rng(seed).normal(size=(60, 40))
    found = memory(linear(*register(n), u), u, delays=range(12))

    np.testing.assert_allclose(found.capacity[:n], 1, atol=1e-6)
    assert (found.capacity[n:] < 0.02).all()
    assert found.total == pytest.approx(n, abs=0.05)
    assert found.accuracy is None


@settings(max_examples=15)
@given(st.integers(1, 10), st.floats(0.1, 0.99), SEEDS)
def test_no_linear_state_of_n_numbers_holds_more_than_n(n, radius, seed):
    """Jaeger's bound: Σ MC_k is at most n for independent inputs, up to what a sample scatters."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    u = rng.normal(size=(40, 400))
    found = memory(linear(radius * Q, rng.normal(size=n), u), u, delays=range(20), at=range(21, 41))

    assert found.total <= 1.1 * n + 0.2
    assert ((found.capacity >= 0) & (found.capacity <= 1)).all()


@settings(max_examples=15)
@given(st.floats(0.2, 0.95), SEEDS)
def test_a_leaky_sum_has_the_capacity_of_the_formula(a, seed):
    """h_t = a h_{t-1} + u_t of one number: the squared correlation with u_{t-k} is a^2k (1 - a²)."""
    u = np.random.default_rng(seed).normal(size=(150, 60))
    found = memory(linear(np.array([[a]]), np.ones(1), u), u, delays=range(4), at=range(100, 151))

    np.testing.assert_allclose(found.capacity, a ** (2 * np.arange(4)) * (1 - a * a), atol=0.08)


@settings(max_examples=10)
@given(st.integers(2, 6), st.integers(0, 4), SEEDS)
def test_a_state_that_holds_one_token_reads_off_that_one(kinds, kept, seed):
    """The one-hot token of `kept` steps ago: accuracy 1 at that delay, and about chance at every other."""
    tokens = np.random.default_rng(seed).integers(0, kinds, (40, 60))
    states = np.eye(kinds)[np.concatenate([np.zeros((kept, 60), int), tokens])[:40]]
    found = memory(states, tokens, delays=range(6))

    assert found.accuracy[kept] == 1
    assert np.abs(np.delete(found.accuracy, kept) - 1 / kinds).max() < 0.08
    assert found.chance == pytest.approx(1 / kinds, abs=0.05)
    assert found.total == pytest.approx(1, abs=0.3)
    assert found.capacity is None


@settings(max_examples=10)
@given(SEEDS)
def test_turning_and_scaling_the_state_changes_nothing(seed):
    """A readout is linear: an invertible map of the states, and an offset, leave every score, up to the penalty."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(40, 30))
    states = linear(*register(4), u)
    A = rng.normal(size=(4, 4)) + 4 * np.eye(4)

    plain, turned = (memory(h, u, delays=range(6)) for h in (states, states @ A + 7))
    np.testing.assert_allclose(turned, plain, atol=0.02)


def test_several_inputs_are_averaged():
    """Of two numbers a step, of which the state holds one, the capacity is a half; a last axis of 1 says nothing."""
    u = np.random.default_rng(0).normal(size=(50, 40, 2))

    assert memory(u[..., :1], u, delays=[0]).capacity == pytest.approx(0.5, abs=0.01)
    assert memory(u[..., :1], u[..., :1], delays=[0]).capacity == pytest.approx(1)
    assert memory(u[..., :1], u[..., 0], delays=[0]).capacity == pytest.approx(1)


def test_one_step_can_be_asked_for():
    """States that forget all but at t = 30 hold the past there alone."""
    u = np.random.default_rng(0).normal(size=(30, 200))
    states = linear(*register(5), u)
    states[:-1] = np.random.default_rng(1).normal(size=states[:-1].shape)

    assert memory(states, u, delays=[4], at=30).capacity == pytest.approx(1)
    assert memory(states, u, delays=[4], at=[10, 29]).capacity < 0.05
    assert memory(states, u, delays=[4]).capacity < 0.2


# ---- it is measured on what was not fitted ------------------------------------------------


@settings(max_examples=10)
@given(SEEDS)
def test_what_can_be_learnt_by_heart_is_not_memory(seed):
    """Random states, more numbers than examples to fit: perfect on what is fitted, and worth nothing on the rest."""
    rng = np.random.default_rng(seed)
    u, tokens = rng.normal(size=(5, 40)), rng.integers(0, 4, (5, 40))
    states = rng.normal(size=(5, 40, 300))

    assert memory(states, u, delays=[0]).capacity < 0.15
    assert memory(states, tokens, delays=[0]).accuracy < 0.5


def test_held_out_sequences_take_no_part_in_the_fit():
    """What the held-out half is has no influence on what is read off: shuffled, its score is that of the shuffle."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(30, 20))
    states = linear(*register(3), u)
    scored = np.sort(np.random.default_rng(5).permutation(20)[:10])
    spoilt = u.copy()
    spoilt[:, scored] = rng.normal(size=(30, 10))

    assert memory(states, u, delays=[1], seed=5).capacity == pytest.approx(1)
    assert memory(states, spoilt, delays=[1], seed=5).capacity < 0.05


def test_the_share_held_out_and_the_seed_decide_who_is_scored():
    """The same seed gives the same numbers; other seeds others; one sequence may be all that is scored, or fitted."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 3, (20, 10))
    states = np.eye(3)[tokens] + rng.normal(size=(20, 10, 3))

    assert memory(states, tokens, delays=[0]).scores == memory(states, tokens, delays=[0]).scores
    assert len({memory(states, tokens, delays=[0], seed=seed).scores.item() for seed in range(8)}) > 1
    for share in (0.001, 0.999):
        assert 0.3 < memory(states, tokens, delays=[0], held_out=share).scores.item() <= 1


def test_a_penalty_can_be_given():
    """A huge one leaves the commonest token; none at all fits as well as cross-validation where there is enough."""
    tokens = np.random.default_rng(0).integers(0, 3, (20, 30))
    states = np.eye(3)[tokens]

    assert memory(states, tokens, delays=[0], ridge=0).accuracy == 1
    assert memory(np.concatenate([states, states], -1), tokens, delays=[0], ridge=0).accuracy == 1
    with pytest.raises(DataError, match="ridge"):
        memory(states, tokens, ridge=-1, delays=[0])


def test_the_penalty_that_is_chosen_is_worth_it():
    """Of ten numbers that hold the input faintly among 80 that hold nothing, more is read off than without one."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=(10, 40))
    states = rng.normal(size=(10, 40, 90))
    states[..., :10] += 0.5 * u[..., None]
    chosen, without = (memory(states, u, delays=[0], held_out=0.7, ridge=ridge).capacity for ridge in (None, 1e-10))

    assert chosen > without + 0.1


# ---- degenerate states and inputs ---------------------------------------------------------


@settings(max_examples=15)
@given(st.floats(-1e6, 1e6), SEEDS)
def test_a_state_that_never_changes_is_at_chance(value, seed):
    """Constant states leave the commonest token of those fitted; numbers have no capacity."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 3, (20, 20))
    states = np.full((20, 20, 4), value)
    found = memory(states, tokens, delays=range(4))

    assert (found.accuracy <= found.chance + 0.05).all()
    assert memory(states, tokens.astype(float), delays=range(4)).capacity.tolist() == [0.0] * 4


def test_inputs_that_never_change_are_no_memory():
    """One token only: chance is 1 and the total 0.  A constant number: capacity 0."""
    states = np.random.default_rng(0).normal(size=(9, 6, 3))
    found = memory(states, np.zeros((9, 6), int), delays=range(3))

    assert found.accuracy.tolist() == [1.0] * 3
    assert (found.chance, found.total) == (1.0, 0.0)
    assert memory(states, np.full((9, 6), 0.1), delays=range(3)).capacity.tolist() == [0.0] * 3


def test_what_is_read_off_turned_round_is_no_memory():
    """A readout that is opposed on the held-out sequences has 0, not the square of -1."""
    u = np.random.default_rng(0).normal(size=(30, 20))
    scored = np.random.default_rng(0).permutation(20)[:10]
    states = u[..., None].copy()
    states[:, scored] *= -1

    assert memory(states, u, delays=[0]).capacity.tolist() == [0.0]


# ---- models -------------------------------------------------------------------------------


class Held(nn.Module):
    """A network that keeps the last n inputs, as an RNN without a squashing function; with dropout."""

    def __init__(self, n):
        super().__init__()
        self.W, self.w = (Parameter(a) for a in register(n))
        self.dropout = nn.Dropout(0.9)
        self.batches = []

    def forward(self, u):
        self.batches.append(u.shape[1])
        h, hs = Tensor(np.zeros((u.shape[1], len(self.w.data)))), []
        for _, x in steps(u):
            h = h @ self.W + x.reshape(-1, 1) * self.w
            hs.append(self.dropout(h).named("h"))
        return {"states": (hs, None)}


def test_a_model_is_read_by_the_name_of_its_states():
    """From the record, whatever the outputs are packed in, in use, under no_grad too, and left as it was."""
    model, u = Held(4).train(), np.random.default_rng(0).normal(size=(30, 20))
    with no_grad():
        found = memory(model, u, delays=range(6))

    np.testing.assert_allclose(found, memory(linear(*register(4), u), u, delays=range(6)))
    assert all(module.training for module in model.modules())
    assert model.W.grad is None


def test_a_long_batch_is_read_a_part_at_a_time():
    """The numbers are those of one piece, and no more sequences are run at once than fit."""
    model, u = Held(3), np.random.default_rng(0).normal(size=(1500, 20))
    found = memory(model, u, delays=range(5))

    assert max(model.batches) * 1500 <= 2**14
    assert sum(model.batches) == 20
    np.testing.assert_allclose(found, memory(linear(*register(3), u), u, delays=range(5)))


@pytest.mark.parametrize("cls", [RNN, LSTM, GRU])
def test_untrained_networks_fade(cls):
    """What is now is read off right; what was 20 steps ago is near chance for all but an LSTM that is told to keep."""
    manual_seed(0)
    tokens = np.random.default_rng(0).integers(0, 4, (40, 60))
    options = {"forget_bias": 0.0} if cls is LSTM else {}
    found = memory(ManyToMany(cls(4, 12, **options), 4), tokens)

    assert found.accuracy[0] > 0.95
    assert found.accuracy[20] < 0.35
    assert found.accuracy[:4].mean() > found.accuracy[10:].mean() + 0.1


def test_an_open_forget_gate_keeps_more():
    """An LSTM whose forget gate starts open reads off the token of 15 steps ago better than one with PyTorch's bias."""
    tokens = np.random.default_rng(0).integers(0, 4, (40, 80))

    def of(bias):
        manual_seed(0)
        return memory(ManyToMany(LSTM(4, 24, forget_bias=bias), 4), tokens, name="C", delays=[15]).accuracy

    assert of(3.0) > of(None) + 0.1


def test_one_layer_of_several_is_named():
    """Two layers have two series h: the error lists them, and the path chooses one."""
    tokens = np.random.default_rng(0).integers(0, 4, (12, 10))
    model = ManyToMany(RNN(4, 6, num_layers=2), 4)

    with pytest.raises(UnknownNameError, match="l1/h"):
        memory(model, tokens, delays=[0])
    assert memory(model, tokens, delays=[0], name="l1/h").accuracy > 0.4


# ---- what is refused, and what is said -----------------------------------------------------


def test_bad_input_is_told_of():
    """Shapes that do not fit, delays that are too long, too few sequences, numbers that are none."""
    tokens, states = np.zeros((6, 4), int), np.ones((6, 4, 2))

    def refused(error, words, states=states, inputs=tokens, **options):
        with pytest.raises(error, match=words):
            memory(states, inputs, **{"delays": [0], **options})

    refused(ShapeError, "6 steps × 4 sequences", states=np.ones((5, 4, 2)))
    refused(ShapeError, "tokens of shape", inputs=np.zeros(6, int))
    refused(ShapeError, "tokens of shape", inputs=np.zeros((6, 4, 2), int))
    refused(ShapeError, "tokens of shape", inputs=[["a", "b"]])
    refused(DataError, "6 steps ago", delays=range(7))
    refused(DataError, "3 steps ago", delays=[3], at=3)
    refused(DataError, "0 or more", delays=[-1])
    refused(DataError, "0 or more", delays=[])
    refused(DataError, "whole numbers", delays=[0.5])
    refused(DataError, "whole numbers", delays=3)
    refused(DataError, "from 1 to 6", at=0)
    refused(DataError, "from 1 to 6", at=[7])
    refused(DataError, "got 1: give 2", states=np.ones((6, 1, 2)), inputs=np.zeros((6, 1), int))
    refused(DataError, "held_out", held_out=1)
    refused(DataError, "states have NaN", states=np.full((6, 4, 2), np.nan))
    refused(DataError, "inputs have NaN", inputs=np.full((6, 4), np.inf))
    refused(DataError, "model to call, or its states", states="h")
    refused(UnknownNameError, "no series 'h'", states=lambda tokens: F.tanh(Tensor(np.ones(3), requires_grad=True)))
    refused(UnknownNameError, "no series 'h'", states=lambda tokens: None)


def test_it_says_its_numbers():
    """As an array, by its length, and in short."""
    u = np.random.default_rng(0).normal(size=(40, 30))
    found = memory(linear(*register(2), u), u)

    assert np.asarray(found).shape == (21,) == found.delays.shape
    assert len(found) == 21
    assert repr(found).startswith("Memory(capacity, total 2.0")
    assert "…" in repr(found)


def test_delays_come_in_order_and_once():
    """Whatever order they are asked for in."""
    u = np.random.default_rng(0).normal(size=(20, 10))

    assert memory(u[..., None], u, delays=[3, 0, 3]).delays.tolist() == [0, 3]


def test_a_scope_around_does_not_hide_the_states():
    """Inside of a scope of the caller the series is found as well."""
    u = np.random.default_rng(0).normal(size=(12, 10))
    with scope("measuring"):
        assert memory(Held(2), u, delays=[1]).capacity == pytest.approx(1)
