"""tinygrad_seq.gradflow.windows: the truncated gradient against the full one, for every number of steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, Value, grad, manual_seed, no_grad, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, GradientError, UnknownNameError
from tinygrad_seq.gradflow import truncation_bias
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.models.recurrent.states import map_state

CELLS = st.sampled_from([RNN, LSTM, GRU])


def flat(gradients):
    return np.concatenate([np.ravel(g) for g in gradients])


def agreement(g, full):
    return g @ full / (np.linalg.norm(g) * np.linalg.norm(full)), np.linalg.norm(g) / np.linalg.norm(full)


def problem(cls, T, seed, **options):
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = ManyToMany(cls(3, 4, **options), 3)
    return model, rng.integers(0, 3, (T, 2)), rng.integers(0, 3, (T, 2))


def cut_by_hand(model, xs, targets, k):
    """The gradient in which each L_t looks back k steps: for each t anew, its state detached k steps before."""
    parameters, total = list(model.parameters()), 0.0
    for t in range(1, len(xs) + 1):
        begin = max(0, t - k)
        state = None
        if begin:
            *_, (_, _, state) = model.unroll(xs[:begin])
            state = map_state(lambda part: part.detach(), state)
        *_, (_, y, _) = model.unroll(xs[begin:t], state, start=begin + 1)
        total = total + flat(grad(F.cross_entropy(y, targets[t - 1]), parameters))
    return total


@settings(max_examples=10)
@given(CELLS, st.integers(2, 6), st.integers(0, 1000), st.booleans())
def test_it_is_what_cutting_by_hand_gives(cls, T, seed, deep):
    """For every k, cosine and norm ratio are those of T gradients computed one by one, each cut with detach."""
    model, xs, targets = problem(cls, T, seed, num_layers=1 + deep)
    losses = model.losses(xs, targets)
    found = truncation_bias(losses, model.parameters())
    full = flat(grad(sum(losses[1:], losses[0]), list(model.parameters())))

    assert found.k.tolist() == list(range(1, T + 1))
    for k, cosine, ratio in zip(found.k, found.cosine, found.ratio, strict=True):
        expected = agreement(cut_by_hand(model, xs, targets, k), full)
        assert (cosine, ratio) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=15)
@given(CELLS, st.integers(1, 12), st.integers(0, 1000))
def test_all_steps_are_the_full_gradient(cls, T, seed):
    """At k = T, and beyond, cosine and ratio are exactly 1, together and for each weight."""
    model, xs, targets = problem(cls, T, seed)
    found = truncation_bias(model.losses(xs, targets), dict(model.named_parameters()), [T, T + 7])

    assert found.k.tolist() == [T, T + 7]
    assert found.cosine.tolist() == found.ratio.tolist() == [1.0, 1.0]
    assert {*found.by_weight} == {name for name, _ in model.named_parameters()}
    assert all(of.cosine.tolist() == of.ratio.tolist() == [1.0, 1.0] for of in found.by_weight.values())


@settings(max_examples=15)
@given(CELLS, st.integers(2, 8), st.integers(0, 1000), st.integers(1, 5))
def test_one_loss_made_of_many_is_the_same(cls, T, seed, divisor):
    """The sum of the losses, or their mean, in place of the list: the L_t are found by their name."""
    model, xs, targets = problem(cls, T, seed)
    losses = model.losses(xs, targets)
    of_list = truncation_bias(losses, model.parameters())
    of_one = truncation_bias(sum(losses[1:], losses[0]) / divisor, model.parameters())

    np.testing.assert_allclose(of_one.cosine, of_list.cosine, rtol=1e-12)
    np.testing.assert_allclose(of_one.ratio, of_list.ratio, rtol=1e-12)


@settings(max_examples=15)
@given(CELLS, st.integers(2, 8), st.integers(0, 1000))
def test_each_weight_alone_is_as_if_asked_alone(cls, T, seed):
    """`by_weight` is the answer to the question about that weight; a weight of the head alone is never truncated."""
    model, xs, targets = problem(cls, T, seed)
    losses = model.losses(xs, targets)
    found = truncation_bias(losses, dict(model.named_parameters()))

    for name, weight in model.named_parameters():
        alone = truncation_bias(losses, weight, found.k)
        np.testing.assert_allclose(found.by_weight[name].cosine, alone.cosine, rtol=1e-12)
        np.testing.assert_allclose(found.by_weight[name].ratio, alone.ratio, rtol=1e-12)
    np.testing.assert_allclose(found.by_weight["W_y"].ratio, 1, rtol=1e-12)


def test_a_model_without_memory_loses_nothing():
    """With W_h = 0 an input's weight has its whole gradient from the loss's own step."""
    rng = np.random.default_rng(0)
    W_x, W_h, h, losses = Parameter(rng.normal(size=(2, 3))), Parameter(np.zeros((3, 3))), Tensor(np.zeros((1, 3))), []
    for _, x in steps(rng.normal(size=(5, 1, 2))):
        h = F.tanh(x @ W_x + h @ W_h)
        losses.append((h * h).sum())

    found = truncation_bias(losses, W_x)
    assert found.cosine.tolist() == pytest.approx([1.0] * 5)
    assert found.ratio.tolist() == pytest.approx([1.0] * 5)


def test_a_copy_that_is_asked_for_late_needs_all_steps():
    """A loss on the last step alone, of what the first wrote: until k = T the gradient is 0, of no direction."""
    w, h, losses = Parameter([2.0], name="w"), None, []
    for t, x in steps([3.0, 0.0, 0.0, 0.0]):
        h = w * x if t == 1 else h * 1.0
        losses.append(h.sum() if t == 4 else 0.0 * h.sum().detach() + 0.0 * w.sum())
    found = truncation_bias(losses, w)

    assert np.isnan(found.cosine[:3]).all()
    assert found.cosine[3] == 1
    assert found.ratio.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert found.enough() == 4


def test_numbers_of_the_geometric_series():
    """h_t = w h_{t-1} + 1 by hand: the gradients of L_3 by distance are h_2, w h_1 and w² h_0."""
    w, h, losses = Value(0.5), Value(1.0), []
    for _, x in steps([1.0, 1.0, 1.0]):
        h = h * w + x
        losses.append(h)
    found = truncation_bias(losses[-1:], w)

    h_2, h_1, h_0 = 1.75, 1.5, 1.0
    parts = np.cumsum([h_2, 0.5 * h_1, 0.25 * h_0])
    np.testing.assert_allclose(found.ratio, parts / parts[-1])
    assert found.cosine.tolist() == [1.0, 1.0, 1.0]


def test_what_is_made_of_a_weight_before_the_loop_counts_by_its_uses():
    """A transposed weight, and an embedding looked up for all steps at once, are cut where they are used."""
    rng = np.random.default_rng(0)
    values, table, tokens = rng.normal(size=(3, 3)), rng.normal(size=(4, 3)), rng.integers(0, 4, 6)

    def found(turned, at_once):
        W, E = Parameter(values.T if turned else values, name="W"), Parameter(table, name="E")
        recurrent = W.T if turned else W
        xs, h, losses = E[tokens] if at_once else tokens, Tensor(np.zeros(3)), []
        for _, x in steps(xs):
            h = F.tanh(h @ recurrent + (x if at_once else E[x]))
            losses.append((h * h).sum())
        return truncation_bias(losses, [W, E])

    plain, other = found(False, False), found(True, True)
    np.testing.assert_allclose(other.cosine, plain.cosine, rtol=1e-12)
    np.testing.assert_allclose(other.ratio, plain.ratio, rtol=1e-12)


def test_losses_made_after_the_loop_belong_to_their_last_step():
    """A head that reads all steps outside of time gives the same as one inside the loop."""
    rng = np.random.default_rng(0)
    W, V = Parameter(rng.normal(size=(3, 3))), Parameter(rng.normal(size=(3, 2)))
    h, hs, inside = Tensor(np.ones(3)), [], []
    for _, x in steps(rng.normal(size=(5, 3))):
        h = F.tanh(h @ W + x)
        hs.append(h)
        inside.append(((h @ V) ** 2).sum())
    after = [((h @ V) ** 2).sum() for h in hs]

    found, expected = truncation_bias(after, [W, V]), truncation_bias(inside, [W, V])
    np.testing.assert_allclose(found.ratio, expected.ratio, rtol=1e-12)
    np.testing.assert_allclose(found.cosine, expected.cosine, rtol=1e-12)


def test_reading_changes_nothing():
    """No `.grad` is set."""
    model, xs, targets = problem(LSTM, 4, 0)
    truncation_bias(model.losses(xs, targets), model.parameters())

    assert all(p.grad is None for p in model.parameters())


def test_enough_is_from_where_it_stays_enough():
    """The fewest steps from which on the cosine is never below what is asked."""
    model, xs, targets = problem(RNN, 8, 3)
    found = truncation_bias(model.losses(xs, targets), model.parameters())
    found.cosine = np.array([0.9, 0.995, 0.8, 0.99, 0.995, 1, 1, 1])

    assert found.enough() == 4
    assert found.enough(0.5) == 1
    found.cosine[-1] = 0
    assert found.enough() is None


def test_long_records_keep_one_array_for_each_distance():
    """More losses than products are kept unmultiplied: the same numbers as cut by hand."""
    model, xs, targets = problem(RNN, 40, 1)
    found = truncation_bias(model.losses(xs, targets), model.parameters(), [1, 4])
    full = cut_by_hand(model, xs, targets, 40)

    for k, cosine, ratio in zip(found.k, found.cosine, found.ratio, strict=True):
        assert (cosine, ratio) == pytest.approx(agreement(cut_by_hand(model, xs, targets, k), full), rel=1e-10)


@pytest.mark.parametrize("k", [0, [1, 0], 1.5, [], "two", True])
def test_k_is_a_number_of_steps(k):
    """At least one, whole."""
    model, xs, targets = problem(RNN, 3, 0)

    with pytest.raises(DataError, match="k must be whole numbers of steps"):
        truncation_bias(model.losses(xs, targets), model.parameters(), k)


def test_what_has_no_gradient_is_told_of():
    """No losses, no history, weights that are not in it, no weights, and no series of that name."""
    model, xs, targets = problem(RNN, 3, 0)
    losses = model.losses(xs, targets)

    with pytest.raises(GradientError, match="at least one loss"):
        truncation_bias([], model.parameters())
    with no_grad(), pytest.raises(GradientError, match="no_grad"):
        truncation_bias(model.losses(xs, targets), model.parameters())
    with pytest.raises(GradientError, match="made from 'V'"):
        truncation_bias(losses, Parameter([1.0], name="V"))
    with pytest.raises(DataError, match="needs the weights"):
        truncation_bias(losses, [])
    with pytest.raises(DataError, match="got ndarray"):
        truncation_bias(losses, [np.ones(3)])
    with pytest.raises(UnknownNameError, match="'cost'"):
        truncation_bias(sum(losses[1:], losses[0]), model.parameters(), name="cost")
