"""tinygrad_seq.models.truncated: the gradient that goes back k2 steps, by hand, in the record, beside the full one."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles
from tinygrad_seq import Graph, Parameter, Tensor, grad, gradflow, manual_seed, nn, no_grad, optim
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, GradientError, SequenceError, ShapeError, StaleGraphError
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany
from tinygrad_seq.models.truncated import agreement, truncated_bptt
from tinygrad_seq.trace import Trace

SEEDS = st.integers(0, 2**16)
few = settings(max_examples=25, deadline=None)
RECURRENT = {
    "RNN": lambda: RNN(4, 3),
    "LSTM": lambda: LSTM(4, 3),
    "GRU": lambda: GRU(4, 3, form="lecture"),
    "two layers": lambda: LSTM(4, 3, num_layers=2),
}


def made(seed, T, kind="RNN", batch=()):
    """A model, its inputs and its targets."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model = ManyToMany(RECURRENT[kind](), 5)
    return model, rng.integers(0, 4, (T, *batch)), rng.integers(0, 5, (T, *batch))


def gradients(model):
    """The `.grad` of every parameter, zeros where there is none."""
    return {name: np.zeros_like(p.data) if p.grad is None else p.grad for name, p in model.named_parameters()}


def windows_by_hand(T, k1, k2):
    """(the step before the first loss, the last step, the step after which it is cut) of each window."""
    for begin in range(0, T, k1):
        end = min(begin + k1, T)
        yield begin, end, begin if k1 == k2 else max(0, end - k2)


@st.composite
def lengths(draw):
    """T, k1, k2."""
    k1 = draw(st.integers(1, 5))
    return draw(st.integers(1, 9)), k1, k1 + draw(st.sampled_from([0, 0, 1, 2, 5]))


# ---- the gradient ----------------------------------------------------------------------


@few
@given(SEEDS, lengths())
def test_the_gradient_is_that_of_the_windows_by_hand(seed, given_lengths):
    """Backpropagation through time written by hand over the steps cut+1 … end, from the state at the cut.

    The losses of the window alone are those of all these steps without those that earlier windows have sent.
    """
    T, k1, k2 = given_lengths
    model, xs, targets = made(seed, T)
    p = {name: p.data for name, p in model.named_parameters()}
    W_x, W_h, b = p["rnn.weight_ih_l0"].T, p["rnn.weight_hh_l0"].T, p["rnn.bias_ih_l0"] + p["rnn.bias_hh_l0"]
    hs, x = [np.zeros(3)], np.eye(4)[xs]
    for x_t in x:
        hs.append(np.tanh(x_t @ W_x + hs[-1] @ W_h + b))
    expected = dict.fromkeys(("W_x", "W_h", "b", "W_y", "b_y"), 0.0)
    for begin, end, cut in windows_by_hand(T, k1, k2):
        for sign, last in ((1, end), (-1, begin)):
            _, g, _ = oracles.bptt(x[cut:last], targets[cut:last], hs[cut], W_x, W_h, b, p["W_y"], p["b_y"])
            expected = {name: expected[name] + sign * g[name] for name in expected}

    truncated_bptt(k1, k2).backward(model, xs, targets)
    found = gradients(model)

    np.testing.assert_allclose(found["rnn.weight_ih_l0"].T, expected["W_x"], atol=1e-13)
    np.testing.assert_allclose(found["rnn.weight_hh_l0"].T, expected["W_h"], atol=1e-13)
    for name in ("rnn.bias_ih_l0", "rnn.bias_hh_l0"):
        np.testing.assert_allclose(found[name], expected["b"], atol=1e-13)
    for name in ("W_y", "b_y"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-13)


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("keep", [True, False])
def test_the_gradient_is_that_of_detached_windows(kind, keep):
    """Over any state, and with the record let go as well: each window run again from a state without history."""

    @few
    @given(SEEDS, lengths())
    def holds(seed, given_lengths):
        T, k1, k2 = given_lengths
        model, xs, targets = made(seed, T, kind, (2,))
        with no_grad():
            states = [None, *(state for _, _, state in model.unroll(xs))]
        for begin, end, cut in windows_by_hand(T, k1, k2):
            losses = model.losses(xs[cut:end], targets[cut:end], state=states[cut])
            sum(losses[begin - cut :]).backward()
        expected = gradients(model)
        model.zero_grad()

        for window in truncated_bptt(k1, k2).windows(model, xs, targets, keep=keep):
            window.backward()

        for name, g in gradients(model).items():
            np.testing.assert_allclose(g, expected[name], atol=1e-13, err_msg=name)

    holds()


@few
@given(SEEDS, st.integers(1, 7), st.integers(1, 9), st.integers(0, 3), st.sampled_from(sorted(RECURRENT)))
def test_what_reaches_all_the_steps_is_the_full_gradient(seed, T, k1, more, kind):
    """k2 ≥ T: the loss and every gradient are those of the model's own loss, and so is the bias."""
    model, xs, targets = made(seed, T, kind)
    loss = model.loss(xs, targets)
    loss.backward()
    expected = gradients(model)
    model.zero_grad()
    bptt = truncated_bptt(T, T) if k1 >= T else truncated_bptt(k1, T + more)

    assert bptt.backward(model, xs, targets).item() == pytest.approx(loss.item())
    for name, g in gradients(model).items():
        np.testing.assert_allclose(g, expected[name], rtol=1e-12, atol=1e-14)
    assert bptt.bias(model, xs, targets)[:2] == pytest.approx((1, 1))


@few
@given(SEEDS, lengths())
def test_each_loss_is_sent_once(seed, given_lengths):
    """The windows' losses are L_1 … L_T, and their steps are 1 … T; no window reaches further than k2 steps."""
    T, k1, k2 = given_lengths
    model, xs, targets = made(seed, T)
    windows = list(truncated_bptt(k1, k2).windows(model, xs, targets))

    assert [t for window in windows for t in window.t] == list(range(1, T + 1))
    assert [(L.name, L.t) for window in windows for L in window.losses] == [("L", t) for t in range(1, T + 1)]
    assert all(len(window.t) <= len(window.reach) <= k2 and window.t[-1] == window.reach[-1] for window in windows)
    assert all(len(window.reach) >= min(k2 - k1, window.t[0] - 1) + len(window.t) for window in windows)
    assert sum(window.loss.item() for window in windows) == pytest.approx(model.loss(xs, targets).item())


def test_a_learnt_initial_state_gets_the_first_windows_gradient():
    """No boundary is before the first step: h_0 is reached by the windows that reach step 1, and by no other."""
    model, xs, targets = made(0, 6)
    h_0 = Parameter(np.full(3, 0.1))
    (expected,) = grad(model.losses(xs, targets, state=h_0)[:3], [h_0])
    truncated_bptt(3, 3).backward(model, xs, targets, h_0)

    np.testing.assert_allclose(h_0.grad, expected)


def test_a_loss_that_is_a_mean_stays_one():
    """Of all targets that count for a whole sequence, of its own for a window."""
    manual_seed(0)
    model = ManyToMany(RNN(4, 3), 5, ignore_index=0, reduction="mean")
    xs, targets = [1, 2, 3, 1, 2], [1, 0, 2, 3, 0]
    first, second = truncated_bptt(3, 3).windows(model, xs, targets)

    assert truncated_bptt(3, 3).backward(model, xs, targets).item() == pytest.approx(model.loss(xs, targets).item())
    assert first.loss.item() == pytest.approx(model.loss(xs[:3], targets[:3]).item())
    assert second.loss.item() == pytest.approx(model.loss(xs[3:], targets[3:], state=first.state).item())


def test_a_loss_of_ones_own():
    """A layer without a head, with targets that are numbers, and step_loss=…"""
    manual_seed(0)
    layer, xs, targets = RNN(2, 3), np.ones((5, 2, 2)), np.zeros((5, 2, 3))
    bptt = truncated_bptt(2, 3)
    loss = bptt.backward(layer, xs, targets, step_loss=F.mse_loss)

    assert loss.item() == pytest.approx((layer(xs)[0].data ** 2).mean(axis=(1, 2)).sum())
    assert Trace(loss).t("L").tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(DataError, match=r"RNN has no step_losses: give step_loss="):
        bptt.windows(layer, xs, targets)


# ---- training by windows ---------------------------------------------------------------


def test_parameters_may_change_between_windows_that_do_not_overlap():
    """Each window is the full gradient of its steps at the parameters of the time, from the state it was handed."""
    model, xs, targets = made(0, 7)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    state = None
    for window in truncated_bptt(3, 3).windows(model, xs, targets):
        steps = slice(window.t[0] - 1, window.t[-1])
        losses = model.losses(xs[steps], targets[steps], state=state)
        expected = grad(losses, list(model.parameters()))
        state = window.state
        optimizer.zero_grad()
        window.backward()
        for p, g in zip(model.parameters(), expected, strict=True):
            np.testing.assert_allclose(p.grad, g, atol=1e-13)
        optimizer.step()


def test_parameters_may_not_change_between_windows_that_overlap():
    """The error says which window, and what to do."""
    model, xs, targets = made(0, 6)
    windows = truncated_bptt(2, 3).windows(model, xs, targets)
    next(windows).backward()
    optim.SGD(model.parameters(), lr=0.1).step()

    with pytest.raises(StaleGraphError, match=r"t = 3 … 4 through t = 2 … 4.* the whole sequence, or take k1 = k2"):
        next(windows).backward()


def test_a_window_that_others_overlap_is_sent_in_its_turn():
    """Asked for later it would be cut by theirs, and is refused; without overlap it may wait."""
    model, xs, targets = made(0, 6)
    late = list(truncated_bptt(2, 3).windows(model, xs, targets))
    apart = list(truncated_bptt(2, 2).windows(model, xs, targets))

    with pytest.raises(GradientError, match=r"t = 1 … 2 .* overlaps with a later window"):
        late[0].backward()
    late[-1].backward()
    model.zero_grad()
    for window in reversed(apart):
        window.backward()
    found = gradients(model)
    model.zero_grad()
    truncated_bptt(2, 2).backward(model, xs, targets)
    for name, g in gradients(model).items():
        np.testing.assert_allclose(g, found[name], atol=1e-14)


def test_a_sequence_may_come_in_parts():
    """The state that a window hands out goes on, without its history."""
    model, xs, targets = made(0, 8, "LSTM")
    *_, first = truncated_bptt(2, 2).windows(model, xs[:4], targets[:4])
    parts = [*truncated_bptt(2, 2).windows(model, xs[4:], targets[4:], first.state)]
    whole = [*truncated_bptt(2, 2).windows(model, xs, targets)]

    assert [w.loss.item() for w in parts] == pytest.approx([w.loss.item() for w in whole[2:]])
    assert [x.op for x in first.state] == [None, None]


@pytest.mark.parametrize("k2", [4, 7])
def test_memory_does_not_grow_with_the_sequence(k2):
    """Of all the steps computed so far only those that are still to be reached are alive; with keep=True all are."""

    def most_alive(T, keep):
        model, xs, targets = made(0, T, "LSTM")
        nodes, most = {}, 0
        for window in truncated_bptt(4, k2).windows(model, xs, targets, keep=keep):
            window.backward()
            nodes |= {node.birth: weakref.ref(node) for node in Graph(window.loss) if node.name == "h" and node.t}
            most = max(most, sum(ref() is not None for ref in nodes.values()))
        return most

    gc.disable()  # reference counting alone must do it
    try:
        assert most_alive(40, False) == most_alive(80, False) <= k2 + 8
        assert most_alive(40, True) == 40
    finally:
        gc.enable()


# ---- the record ------------------------------------------------------------------------


def test_the_cut_edges_are_in_the_record():
    """A node "cut" stands between h_3 and step 4, at t = 3, and the record goes on behind it."""
    model, xs, targets = made(0, 7)
    loss = truncated_bptt(3, 3).backward(model, xs, targets)
    cuts = [node for node in Graph(loss) if node.op and node.op.name == "cut"]

    assert [(node.t, node.inputs[0].name, node.inputs[0].t) for node in cuts] == [(3, "h", 3), (6, "h", 6)]
    assert Trace(loss)["h"].shape == (7, 3)


def test_a_sweep_over_the_record_stops_at_the_cuts():
    """With k1 = k2 every reader of the loss sees the truncated gradient."""
    model, xs, targets = made(0, 6)
    loss = truncated_bptt(3, 3).backward(model, xs, targets)
    expected = gradients(model)
    again = grad(loss, list(model.parameters()))

    for g, (name, _) in zip(again, model.named_parameters(), strict=True):
        np.testing.assert_allclose(g, expected[name], atol=1e-14)
    np.testing.assert_allclose(gradflow.per_step(loss, "h").gradients, Trace(loss).grad("h"))


def boundaries(loss):
    """The nodes in the record of a loss that are carried over a boundary, or cut there: (op, t, what it carries)."""
    ops = [node for node in Graph(loss) if node.op is not None and node.op.name in ("carry", "cut")]
    return sorted((node.op.name, node.t, node.inputs[0].name) for node in ops)


def test_only_the_states_of_the_cuts_are_carried_over():
    """Every h and C of every layer at the end of a window's reach, and nothing else, passes a boundary."""
    model, xs, targets = made(0, 6, "two layers")
    windows = truncated_bptt(2, 3).windows(model, xs, targets, keep=True)
    one, two, three = [boundaries(window.loss) for window in windows]
    states = ["C", "C", "h", "h"]

    assert one == [("carry", 1, name) for name in states]
    assert two == [("carry", 3, name) for name in states] + [("cut", 1, name) for name in states]
    assert three == [("cut", t, name) for t in (1, 3) for name in states]


def test_a_boundary_is_open_until_its_window_comes():
    """The first window passes the state that the third will have cut."""
    model, xs, targets = made(0, 6)
    windows = truncated_bptt(2, 5).windows(model, xs, targets, keep=True)

    found = [boundaries(window.loss) for window in windows]
    assert found == [[("carry", 1, "h")], [("carry", 1, "h")], [("cut", 1, "h")]]


def test_a_window_says_what_it_is():
    """Its losses, how far it goes, and its loss."""
    model, xs, targets = made(0, 5)
    window = next(truncated_bptt(2, 3).windows(model, xs, targets))

    assert repr(window) == f"<window: losses of t = 1 … 2 through t = 1 … 2, loss {window.loss.item():.4g}>"
    assert repr(truncated_bptt(2, 3)) == "truncated_bptt(k1=2, k2=3)"


# ---- the bias --------------------------------------------------------------------------


@few
@given(SEEDS, lengths(), st.sampled_from(sorted(RECURRENT)))
def test_the_bias_is_that_of_the_two_gradients(seed, given_lengths, kind):
    """Cosine and norm ratio of what backward gives and the full gradient, of all parameters and of each."""
    T, k1, k2 = given_lengths
    model, xs, targets = made(seed, T, kind)
    names = [name for name, _ in model.named_parameters()]
    full = dict(zip(names, grad(model.loss(xs, targets), list(model.parameters()))))
    truncated_bptt(k1, k2).backward(model, xs, targets)
    truncated = gradients(model)
    bias = truncated_bptt(k1, k2).bias(model, xs, targets)

    for name, (cosine, norm_ratio) in bias.parameters.items():
        g, g_full = truncated[name].ravel(), full[name].ravel()
        lengths_ = np.linalg.norm(g), np.linalg.norm(g_full)
        if all(lengths_):
            assert cosine == pytest.approx(g @ g_full / np.prod(lengths_))
            assert norm_ratio == pytest.approx(lengths_[0] / lengths_[1])
        else:
            assert (cosine, norm_ratio) == (1.0, 1.0) or (np.isnan(cosine) and norm_ratio == 0)
    g, g_full = (np.concatenate([each[name].ravel() for name in full]) for each in (truncated, full))
    assert bias.cosine == pytest.approx(g @ g_full / np.linalg.norm(g) / np.linalg.norm(g_full))
    assert bias.norm_ratio == pytest.approx(np.linalg.norm(g) / np.linalg.norm(g_full))


def test_measuring_changes_no_gradient():
    """`.grad` is what it was, None or not."""
    model, xs, targets = made(0, 6)
    W_y = model.W_y
    W_y._grad = before = np.ones_like(W_y.data)
    truncated_bptt(1, 2).bias(model, xs, targets)

    assert W_y.grad is before
    assert all(p.grad is None for p in model.parameters() if p is not W_y)


def test_dropout_is_the_same_in_both():
    """The two gradients are of one record: what is dropped at random is no difference between them."""
    manual_seed(0)
    model = ManyToMany(LSTM(4, 3, num_layers=2, dropout=0.5), 5)
    _, xs, targets = made(0, 6)

    assert truncated_bptt(2, 6).bias(model, xs, targets)[:2] == pytest.approx((1, 1))


def test_parameters_that_learn_nothing_are_left_out():
    """What requires no gradient has no bias."""
    model, xs, targets = made(0, 4)
    model.W_y.requires_grad_(False)

    assert "W_y" not in truncated_bptt(1, 1).bias(model, xs, targets).parameters


@pytest.mark.parametrize(
    ("g", "full", "expected"),
    [
        ([0.0, 0.0], [0.0, 0.0], (1, 1)),
        ([0.0, 0.0], [3.0, 4.0], (np.nan, 0)),
        ([3.0, 4.0], [0.0, 0.0], (np.nan, np.inf)),
        ([-3.0, 0.0], [1.0, 0.0], (-1, 3)),
        ([1e-200, 1e-200], [1e-200, -1e-200], (0, 1)),
        ([np.nan, 1.0], [1.0, 1.0], (np.nan, np.nan)),
    ],
)
def test_a_gradient_of_zero_has_no_direction(g, full, expected):
    """Two such agree; beside one that has a direction the cosine is NaN, and the ratio tells which of the two is 0."""
    assert agreement(np.array(g), np.array(full)) == pytest.approx(expected, nan_ok=True)


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k1", "k2", "said"),
    [
        (0, 3, "k1 must be an integer, at least 1 step, got 0"),
        (-1, 3, "k1 must be an integer, at least 1 step, got -1"),
        (2.0, 3, "k1 must be an integer, at least 1 step, got 2.0"),
        (1, "3", "k2 must be an integer, at least 1 step, got '3'"),
        (True, 3, "k1 must be an integer, at least 1 step, got True"),
        (3, 2, "k2 must be at least k1.* got k1=3, k2=2"),
    ],
)
def test_other_lengths_are_refused(k1, k2, said):
    """Before anything is computed."""
    with pytest.raises(DataError, match=said):
        truncated_bptt(k1, k2)


def test_numpys_integers_are_integers():
    """They come from arrays of settings."""
    assert truncated_bptt(np.int64(2), np.int64(2)) == truncated_bptt(2, 2)


@pytest.mark.parametrize("xs", [[], np.zeros((0, 2), int), np.array(3)])
def test_an_empty_sequence_is_refused(xs):
    """At the call, not at the first window."""
    with pytest.raises(SequenceError, match="at least one step"):
        truncated_bptt(2, 2).windows(made(0, 1)[0], xs, [])


def test_there_is_a_target_for_each_step():
    """Else both lengths are said."""
    model, xs, targets = made(0, 4)
    with pytest.raises(ShapeError, match="4 steps and 3 targets"):
        truncated_bptt(2, 2).backward(model, xs, targets[:3])


def test_a_state_of_another_batch_is_refused():
    """By the layer, which knows its shape; no gradient has been set."""
    model, xs, targets = made(0, 4, batch=(2,))
    with pytest.raises(ShapeError):
        truncated_bptt(2, 2).backward(model, xs, targets, Tensor(np.zeros((3, 3))))
    assert all(p.grad is None for p in model.parameters())


def test_a_state_that_cannot_be_seen_into_is_refused():
    """It would let the gradient through."""

    class Hidden(nn.Module):
        def unroll(self, xs, state=None, *, start=1):
            for t, _ in enumerate(xs, start):
                yield t, Tensor([1.0], requires_grad=True), {"h": Tensor([1.0])}

    with pytest.raises(DataError, match=r"takes a state of tensors.* got dict"):
        truncated_bptt(1, 1).backward(Hidden(), [1, 2], [0, 0], step_loss=lambda y, _: y.sum())


def test_both_directions_cannot_be_truncated():
    """What reads from the end has no state to hand on."""
    model = ManyToMany(RNN(4, 3, bidirectional=True), 5)
    _, xs, targets = made(0, 4)

    with pytest.raises(DataError, match="one direction"):
        truncated_bptt(2, 2).windows(model, xs, targets)
