"""tinygrad_seq.trace: what a record has under a name, as series over time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, Value, gradflow, no_grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import GradientError, ShapeError, UnknownNameError
from tinygrad_seq.trace import Trace

SEEDS = st.integers(0, 2**16)


def run(h, T, *, name="h", start=1, reverse=False):
    """h doubled at each step, and named there; gives all of them."""
    hs = []
    for _, x in steps([2.0] * T, start=start, reverse=reverse):
        h = (h * x).named(name)
        hs.append(h)
    return hs


@pytest.fixture
def one():
    return Tensor([1.0], requires_grad=True)


# ---- values and gradients --------------------------------------------------------------


@settings(max_examples=30)
@given(st.integers(1, 6), SEEDS)
def test_a_series_has_every_step_in_order(T, seed):
    """trace["h"] is h_1 … h_T along the first axis; the gradient likewise, as gradflow measures it."""
    rng = np.random.default_rng(seed)
    W, h, hs = Parameter(rng.normal(size=(3, 3))), Tensor(np.zeros((2, 3))), []
    for _, x in steps(rng.normal(size=(T, 2, 3))):
        h = F.tanh(h @ W + x).named("h")
        hs.append(h)
    loss = (h * h).sum()
    loss.backward()
    trace = Trace(loss)

    np.testing.assert_array_equal(trace["h"], [h.data for h in hs])
    np.testing.assert_array_equal(trace.grad("h"), [h.grad for h in hs])
    np.testing.assert_allclose(trace.grad("h"), gradflow.per_step(loss, "h").gradients)
    assert trace.t("h").tolist() == list(range(1, T + 1))
    assert trace.nodes("h") == hs


def test_time_that_runs_backward_comes_in_the_order_of_t(one):
    """A layer that reads from the end is listed from t = 1 too."""
    *_, h = run(one, 3, reverse=True)

    assert Trace(h).t("h").tolist() == [1, 2, 3]
    assert Trace(h)["h"].ravel().tolist() == [8.0, 4.0, 2.0]


def test_a_step_that_no_gradient_reached_has_zeros(one):
    """A loss at t = 2 leaves h_3 with the gradient 0, in the shape of the others."""
    h = run(one, 3)
    h[1].sum().backward()

    assert Trace(*h).grad("h").tolist() == [[2.0], [1.0], [0.0]]


def test_gradients_need_a_backward(one):
    """Before it there are none, which is said, also where a parameter has one from an earlier record."""
    run(one, 2)[-1].sum().backward()
    h = run(one, 3)

    assert one.grad is not None
    with pytest.raises(GradientError, match=r"call loss\.backward\(\) before trace\.grad\('h'\)"):
        Trace(h[-1]).grad("h")


def test_recorded_gradients_are_given_as_arrays(one):
    """After backward(create_graph=True) the series is of plain numbers as well."""
    loss = run(one, 2)[-1].sum()
    loss.backward(create_graph=True)

    assert type(Trace(loss).grad("h")) is np.ndarray
    assert Trace(loss).grad("h").tolist() == [[2.0], [1.0]]


def test_values_are_a_series_of_numbers():
    """A Value's series has the shape (T)."""
    h = run(Value(1.0), 3)[-1]
    h.backward()

    assert Trace(h)["h"].tolist() == [2.0, 4.0, 8.0]
    assert Trace(h).grad("h").tolist() == [4.0, 2.0, 1.0]


def test_several_outputs_are_one_record(one):
    """Nodes that any of the outputs was made from are there, each once."""
    h = run(one, 3)

    assert Trace(h[0], h[2])["h"].shape == (3, 1)


def test_reading_changes_nothing(one):
    """Names and gradients stay as they were."""
    h = run(one, 2)
    Trace(h[-1]), repr(Trace(h[-1])), Trace(h[-1])["h"]

    assert [(node.name, node.grad) for node in h] == [("h", None)] * 2


# ---- names, paths and runs -------------------------------------------------------------


def layers(one):
    """h in two layers of an encoder, and in a decoder."""
    with scope("encoder"):
        with scope("l0"):
            low = run(one, 2)
        with scope("l1"):
            high = run(low[-1], 3)
    with scope("decoder"):
        return run(high[-1], 4)[-1]


@pytest.mark.parametrize(("name", "T"), [("l0/h", 2), ("encoder/l1/h", 3), ("l1/h", 3), ("decoder/h", 4)])
def test_a_path_tells_scopes_apart(one, name, T):
    """As much of the path as it takes, from the end."""
    trace = Trace(layers(one))

    assert len(trace[name]) == T
    assert name in trace


@pytest.mark.parametrize("name", ["h", "0/h", "l0", "coder/h", "", "decoder/h/"])
def test_part_of_a_word_is_no_path(one, name):
    """A name that several scopes have, or half a word, is not there."""
    trace = Trace(layers(one))

    assert name not in trace
    with pytest.raises(UnknownNameError):
        trace[name]


def test_a_name_in_several_scopes_is_refused_with_its_paths(one):
    """What "h" may mean is listed; the error is a KeyError, whose text is not in quotes."""
    with pytest.raises(KeyError) as caught:
        Trace(layers(one))["h"]

    assert str(caught.value) == "'h' may be any of encoder/l0/h, encoder/l1/h, decoder/h: say more of its path"


def test_a_whole_path_means_itself(one):
    """A name outside of all scopes is found, though others have it within theirs."""
    with scope("cell"):
        inner = run(one, 2)[-1]
    outer = run(inner, 3)[-1]

    assert len(Trace(outer)["h"]) == 3
    assert len(Trace(outer)["cell/h"]) == 2


@pytest.mark.parametrize("T", [1, 3])
def test_two_runs_are_two_series(one, T):
    """A model that ran twice in one record, over any lengths, has "h#1" and "h#2"; "h" alone is refused."""
    trace = Trace(run(run(one, 3)[-1], T)[-1])

    assert trace.names == ["h#1", "h#2"]
    assert trace["h#1"].ravel().tolist() == [2.0, 4.0, 8.0]
    assert trace["h#2"].ravel().tolist() == [16.0, 32.0, 64.0][:T]
    with pytest.raises(UnknownNameError, match=r"'h' may be any of h#1, h#2"):
        trace["h"]


def test_a_longer_second_run_stays_whole(one):
    """Steps that the first run did not have belong to the second all the same."""
    trace = Trace(run(run(one, 2)[-1], 4)[-1])

    assert [len(trace[name]) for name in trace] == [2, 4]


def test_a_name_twice_within_a_step_is_two_series(one):
    """The first of each step, and the second of each step."""
    h = one
    for _, x in steps([1.0, 1.0, 1.0]):
        h = (h * x).named("a")
        h = (h + x).named("a")

    assert Trace(h)["a#1"].ravel().tolist() == [1.0, 2.0, 3.0]
    assert Trace(h)["a#2"].ravel().tolist() == [2.0, 3.0, 4.0]


def test_one_run_in_two_halves_is_one_series(one):
    """A state passed on, with time going on, makes one series of both."""
    h = run(run(one, 2)[-1], 2, start=3)[-1]

    assert Trace(h).t("h").tolist() == [1, 2, 3, 4]


def test_letters_are_found_however_they_are_typed(one):
    """ŷ is one letter or two, y and a hat: the same name."""
    h = run(one, 2, name="y\u0302")[-1]

    assert Trace(h)["\u0177"].shape == (2, 1)
    assert "y\u0302" in Trace(h)


def test_what_has_no_time_step_is_no_series(one):
    """Initial states and sums outside of the loop are not among the h_t."""
    h0 = (one * 1.0).named("h")

    assert Trace(run(h0, 3)[-1].sum().named("h"))["h"].shape == (3, 1)


# ---- what there is ---------------------------------------------------------------------


def test_it_is_read_like_a_dictionary(one):
    """Length, membership and iteration are over the whole paths."""
    trace = Trace(layers(one))

    assert len(trace) == 3
    assert list(trace) == trace.names == ["encoder/l0/h", "encoder/l1/h", "decoder/h"]
    assert 3 not in trace


def test_it_is_shown_as_a_table():
    """Name, scope, steps and shape of each series, in columns that letters with marks do not shift."""
    h = Tensor(np.ones((2, 3)), requires_grad=True)
    for t, x in steps([1.0, 2.0]):
        with scope("cell"):
            h = (h * x).named("C̃")
        h = (h[:t] * 1.0).named("은닉")
        if t == 2:
            h = h.sum().named("L")

    assert repr(Trace(h)).splitlines() == [
        f"Trace of {len(Trace(h).graph)} nodes, 3 series",
        "name  scope  t      shape",
        "C̃     cell   1 … 2  2 of different shapes",
        "은닉         1 … 2  (2, 1, 3)",
        "L            2      (1,)",
    ]


def test_missing_steps_are_counted(one):
    """A name given at every other step says how many it has."""
    h = one
    for t, x in steps([1.0] * 5):
        h = h * x
        h = h.named("h") if t % 2 else h

    assert "1 … 5 (3 steps)" in repr(Trace(h))
    assert Trace(h).t("h").tolist() == [1, 3, 5]


def test_values_of_different_shapes_make_no_array(one):
    """That is said with the shapes, and how to take them one by one."""
    h = one
    for _, x in steps([1.0, 2.0]):
        h = F.concat([h, h * x]).named("w")
    h.sum().backward()

    with pytest.raises(ShapeError, match=r"'w' has values of different shapes, \(2,\), \(4,\).*trace\.nodes\('w'\)"):
        Trace(h)["w"]
    with pytest.raises(ShapeError, match="different shapes"):
        Trace(h).grad("w")
    assert [node.shape for node in Trace(h).nodes("w")] == [(2,), (4,)]


def test_an_unknown_name_gets_the_nearest_one(one):
    """Spelled nearly right it is suggested; the rest is listed."""
    with scope("cell"):
        h = run(run(one, 2, name="forget")[-1], 2, name="h")[-1]

    with pytest.raises(UnknownNameError, match=r"no series 'forgt'; did you mean 'forget'\? There is cell/forget, c"):
        Trace(h)["forgt"]
    with pytest.raises(UnknownNameError, match=r"no series 'Q'; there is cell/forget, cell/h"):
        Trace(h).t("Q")


def test_a_record_without_time_says_how_to_name(one):
    """No loop over steps, or no_grad: nothing is there, and the reader learns why."""
    with no_grad():
        loss = run(one, 3)[-1].sum()

    for trace in Trace(loss), Trace(one * 2.0):
        assert len(trace) == 0
        assert repr(trace).endswith("nodes, 0 series")
        with pytest.raises(UnknownNameError, match=r"name nodes with \.named\('h'\) in a loop over steps\(…\)"):
            trace["h"]


def test_only_nodes_have_a_record(one):
    """A list of losses, or an array, is refused with what to write instead."""
    with pytest.raises(TypeError, match=r"got list: Trace\(loss\), or Trace\(\*losses\)"):
        Trace(run(one, 2))
    with pytest.raises(TypeError, match="got ndarray"):
        Trace(np.ones(3))
