"""Hooks: see a gradient as it flows, or put another in its place; PyTorch's hooks are the oracle."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hook_cases import CASES, hang_on_leaves, hang_on_state
from strategies import recorded_programs
from tinygrad_seq import (
    Graph,
    Parameter,
    Tensor,
    Value,
    breakpoint_on,
    detect_anomaly,
    grad,
    hooks,
    on_visit,
    steps,
    sweep,
)
from tinygrad_seq.errors import AnomalyError, DataError, GradientError, ShapeError

REFERENCES = np.load(Path(__file__).parent / "data" / "hooks.npz")


@pytest.fixture(autouse=True)
def _no_hook_is_left():
    """A test takes its hooks away; those of a node go with it."""
    yield
    gc.collect()
    assert (hooks.EVERY, hooks.HALTS) == ([], [])


def gradients(loss):
    """The gradients of all nodes, by birth, after a backward."""
    loss.backward()
    return {node.birth: node.grad for node in Graph(loss) if node.grad is not None}


# ---- PyTorch -------------------------------------------------------------------------


def hooked_rnn(case):
    """The net of make_hooks_references.py with the hooks of a case: what they saw, of which t, and the leaves."""
    W, h0 = Parameter(REFERENCES["W"]), Parameter(REFERENCES["h0"])
    seen, order = [], []

    def hook(t, change):
        def see(g):
            seen.append(np.array(g.data))
            order.append(t)
            return change(g)

        return see

    h = h0
    for t, x in steps(REFERENCES["x"]):
        h = (h @ W + x).tanh()
        hang_on_state(case, t, h, hook)
    hang_on_leaves(case, W, h0)
    loss = (h * h).sum()
    if case == "second derivative":
        (g,) = grad(loss, [W], create_graph=True)
        loss = (g * g).sum()
        seen.clear()
        order.clear()
    loss.backward()
    return seen, order, W, h0


@pytest.mark.parametrize("case", CASES)
def test_hooks_do_what_pytorchs_do(case):
    """The same hooks on the same net see the same numbers in the same order, and leave the same gradients."""
    seen, order, W, h0 = hooked_rnn(case)

    assert order == REFERENCES[f"{case}/t"].tolist()
    np.testing.assert_allclose(np.reshape(seen, (-1, 3)), REFERENCES[f"{case}/seen"], rtol=1e-12)
    np.testing.assert_allclose(W.grad, REFERENCES[f"{case}/W"], rtol=1e-12)
    np.testing.assert_allclose(h0.grad, REFERENCES[f"{case}/h0"], rtol=1e-12)


# ---- see -----------------------------------------------------------------------------


@given(recorded_programs())
def test_a_hook_sees_every_node_once_with_its_complete_gradient(program):
    """In the order of the sweep, what is seen is what `.grad` says afterwards; and looking changes nothing."""
    plain = gradients(program.loss)
    again = {node.birth: node.grad for node in Graph(program.loss) if node.op is None and node.grad is not None}
    seen = []
    with on_visit(lambda node, g: seen.append((node.birth, np.array(g)))):
        program.loss.backward()

    assert [birth for birth, _ in seen] == sorted(plain, reverse=True)
    for birth, g in seen:
        np.testing.assert_array_equal(g, plain[birth])
    for node in Graph(program.loss):
        if node.birth in again:  # leaves add up: twice the same
            np.testing.assert_array_equal(node.grad, 2 * again[node.birth])


@given(recorded_programs(), st.data())
def test_a_factor_at_one_node_is_a_factor_on_all_that_it_sends(program, data):
    """Replacing g by 3 g at a node adds twice what that node alone contributes: the sweep is linear."""
    nodes = [visit.node for visit in sweep(program.loss)]
    node = data.draw(st.sampled_from(nodes))
    visits = {visit.node: visit.grad for visit in sweep(program.loss)}
    below = {visit.node: visit.grad for visit in sweep(node, visits[node])}
    with node.register_hook(lambda g: 3 * g):
        hooked = {visit.node: visit.grad for visit in sweep(program.loss)}

    assert list(hooked) == nodes
    for x in nodes:
        expected = visits[x] + 2 * below[x] if x in below else visits[x]
        np.testing.assert_allclose(hooked[x], expected, rtol=1e-9, atol=1e-9)


def test_hooks_come_in_the_order_they_were_registered_in():
    """Those of the node first, then those of every node; each gets what the one before left."""
    x = Parameter([1.0])
    y = x * 1.0
    calls = []
    with on_visit(lambda node, g: calls.append(("every", g.item())) if node is y else None):
        y.register_hook(lambda g: calls.append(("first", g.item())) or g + 1)
        y.register_hook(lambda g: calls.append(("second", g.item())) or g * 10)
        y.sum().backward()

    assert calls == [("first", 1.0), ("second", 2.0), ("every", 20.0)]
    assert x.grad == y.grad == 20.0


@pytest.mark.parametrize("walk", [lambda y, x: y.backward(), lambda y, x: list(sweep(y)), lambda y, x: grad(y, [x])])
def test_every_sweep_calls_hooks(walk):
    """backward, sweep and grad alike."""
    x = Parameter([2.0])
    y = (x * x).sum()
    seen = []
    with x.register_hook(seen.append):
        walk(y, x)

    assert [g.tolist() for g in seen] == [[4.0]]


def test_a_hook_cannot_write_into_a_gradient():
    """The array may be shared with other nodes: what is to change is returned."""
    x = Parameter([1.0, 2.0])
    y = x + 0.0

    def spoil(g):
        g[0] = 9.0

    y.register_hook(spoil)
    with pytest.raises(ValueError, match="read-only"):
        y.sum().backward()


def test_what_a_hook_gave_is_copied():
    """A buffer that the hook goes on using does not change the gradient."""
    x = Parameter([1.0, 2.0])
    buffer = np.array([5.0, 6.0])
    x.register_hook(lambda g: buffer)
    x.sum().backward()
    buffer[:] = 0

    assert x.grad.tolist() == [5.0, 6.0]


# ---- kinds of nodes and gradients ----------------------------------------------------


def test_a_hook_on_a_leaf_is_called_once_with_the_sum():
    """Not once for each use; and what it returns is what `.grad` adds."""
    w = Parameter([1.0, 2.0])
    seen = []
    w.register_hook(lambda g: seen.append(g.tolist()) or g / 2)
    loss = (w * w).sum() + (3 * w).sum()
    loss.backward()
    loss.backward()

    assert seen == [[5.0, 7.0], [5.0, 7.0]]
    assert w.grad.tolist() == [5.0, 7.0]


def test_a_hook_on_a_parameter_stays_when_an_optimiser_gives_it_new_data():
    """It belongs to the node, not to one graph."""
    w = Parameter([1.0])
    seen = []
    w.register_hook(lambda g: seen.append(g.item()))
    for _ in range(2):
        (w * w).sum().backward()
        w.data = w.data + 1.0

    assert seen == [2.0, 4.0]


def test_a_value_has_hooks_too():
    """g is a float, and so is what comes back."""
    x = Value(3.0)
    y = x * x
    seen = []
    y.register_hook(lambda g: seen.append(g) or 10)
    (y + y).backward()

    assert (seen, x.grad) == ([2.0], 60.0)
    assert [type(g) for g in seen] == [float]


@pytest.mark.parametrize("x", [Value(3.0), Parameter(3.0)])
def test_under_create_graph_a_hook_is_part_of_the_record(x):
    """g is a node; d/dx of (2·2x)², hooked to be squared, is 32 x."""
    seen = []
    y = x * x
    with y.register_hook(lambda g: seen.append(g) or g * x):
        (g,) = grad(y, [x], create_graph=True)
    (second,) = grad(g, [x])

    assert isinstance(seen[0], type(y))
    assert g.data == 2 * 3.0 * 3.0  # x · 2x
    assert second == 4 * 3.0


def test_under_create_graph_plain_numbers_become_constants():
    """A hook that gives an array cuts the record there, and says nothing."""
    x = Parameter([3.0])
    y = x * x
    with y.register_hook(lambda g: np.array([5.0])):
        (g,) = grad(y.sum(), [x], create_graph=True)

    assert g.data.tolist() == [30.0]


def test_a_tensor_given_in_place_of_an_array_counts_as_its_numbers():
    """Also one that requires a gradient."""
    x = Parameter([3.0])
    x.register_hook(lambda g: x * 2)
    x.sum().backward()

    assert x.grad.tolist() == [6.0]


def test_float32_stays_float32():
    """A hook that computes in float64 does not change the dtype."""
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    (x * x).register_hook(lambda g: None)
    y = x * x
    y.register_hook(lambda g: g.astype(float) / 3)
    y.sum().backward()

    assert x.grad.dtype == y.grad.dtype == np.float32


def test_a_scalar_array_keeps_its_shape():
    """A 0-d gradient is an array, whatever number the hook gives."""
    x = Parameter(2.0)
    y = x * x
    y.register_hook(lambda g: 2)
    y.backward()

    assert x.grad.shape == y.grad.shape == ()
    assert x.grad == 8.0


# ---- errors --------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("given", "error"), [(np.ones(3), ShapeError), ("much", DataError), ([[1], [1, 2]], DataError)]
)
def test_a_gradient_of_another_shape_is_refused(given, error, create_graph):
    """With the node, the shape, and what would be right."""
    x = Parameter([1.0, 2.0], name="w")
    x.register_hook(lambda g: given)
    with pytest.raises(error, match=r"hook .*name='w'"):
        (x * x).sum().backward(create_graph=create_graph)


def test_a_value_takes_one_number():
    """Not an array of them."""
    x = Value(1.0)
    x.register_hook(lambda g: [1.0, 2.0])
    with pytest.raises(DataError, match="hook must give numbers"):
        (x * x).backward()


def test_an_exception_in_a_hook_leaves_nothing_half_done():
    """No gradient is set, the error says at which node, and the next backward is as if nothing had been."""
    x, z = Parameter([1.0], name="x"), Parameter([1.0])
    z.grad = np.array([7.0])
    loss = (x * z).tanh().sum()

    def fail(g):
        raise RuntimeError("mine")

    with x.register_hook(fail), pytest.raises(RuntimeError, match="mine") as caught:
        loss.backward()
    after = [node.grad for node in Graph(loss) if node is not z]
    loss.backward()

    assert caught.value.__notes__ == ["in a hook on Parameter([1.], name='x', requires_grad=True)"]
    assert after == [None] * 4
    np.testing.assert_allclose(z.grad, 7.0 + 1 - np.tanh(1) ** 2)


def test_what_needs_no_gradient_takes_no_hook():
    """As in PyTorch: it would never be called."""
    with pytest.raises(GradientError, match="requires no gradient"):
        Tensor([1.0]).register_hook(print)


def test_a_nan_from_a_hook_is_an_anomaly():
    """detect_anomaly looks at what hooks give as well."""
    x = Parameter([1.0], name="w")
    with detect_anomaly():
        loss = (x * x).sum()
        x.register_hook(lambda g: g * np.nan)
        with pytest.raises(AnomalyError, match=r"gradient of w has 1 NaN of 1 values"):
            loss.backward()


# ---- removal -------------------------------------------------------------------------


def test_a_hook_is_removed_by_its_handle_alone():
    """Once is enough, the others stay, and the same function may hang there twice."""
    x = Parameter([1.0])
    calls = []
    first, second = x.register_hook(calls.append), x.register_hook(calls.append)
    loss = x.sum()
    loss.backward()
    first.remove()
    first.remove()
    loss.backward()
    second.remove()
    loss.backward()

    assert len(calls) == 3
    assert id(x) not in hooks.OF_NODE
    assert "removed" in repr(first)


def test_the_end_of_a_block_removes_a_hook_also_after_an_error():
    """with is a try … finally."""
    x = Parameter([1.0])
    calls = []
    with pytest.raises(KeyError), on_visit(lambda node, g: calls.append(node)), x.register_hook(calls.append):
        raise KeyError
    x.sum().backward()

    assert calls == []


def test_a_hook_may_remove_itself():
    """While the sweep is under way: the other hooks of the node are called all the same."""
    x = Parameter([1.0])
    calls = []

    def once(g):
        calls.append("once")
        handle.remove()

    handle = x.register_hook(once)
    x.register_hook(lambda g: calls.append("always"))
    loss = x.sum()
    loss.backward()
    loss.backward()

    assert calls == ["once", "always", "always"]


def test_hooks_of_dead_nodes_vanish():
    """With the graph; and the handle of a dead node does no harm to a new one in its place."""
    before = len(hooks.OF_NODE)
    x = Parameter([1.0])
    handles = []
    for _ in range(50):
        y = x * x
        handles.append(y.register_hook(lambda g: 0 * g))
        handles[0].remove()
    seen = []
    y.register_hook(lambda g: seen.append(g))
    for handle in handles[:-1]:
        handle.remove()
    y.sum().backward()

    assert len(seen) == 1
    del y
    gc.collect()
    assert len(hooks.OF_NODE) == before


def test_without_hooks_the_sweep_does_not_ask():
    """It calls the function for hooks only where there are some."""
    x = Parameter([1.0])
    loss = (x * x).tanh().sum()
    other = Parameter([1.0])
    called = calls_of("hooked", loss)
    with other.register_hook(print):
        elsewhere = calls_of("hooked", loss)
    with x.register_hook(lambda g: None):
        here = calls_of("hooked", loss)

    assert (called, elsewhere, here) == (0, 0, 1)


def calls_of(name, loss):
    """How often backward calls a function of that name."""
    calls = []
    sys.setprofile(lambda frame, event, arg: calls.append(frame) if event == "call" else None)
    try:
        loss.backward()
    finally:
        sys.setprofile(None)
    return sum(frame.f_code.co_name == name for frame in calls)


# ---- breakpoint_on -------------------------------------------------------------------


@pytest.fixture
def stops(monkeypatch):
    """The nodes at whose rules `breakpoint()` was called."""
    nodes = []
    monkeypatch.setattr("sys.breakpointhook", lambda: nodes.append(frame_above().f_locals["node"]))
    return nodes


def frame_above():
    return sys._getframe(2)


def turning(factors=(0.5, -0.1, 0.5, 0.9)):
    """A state that each step multiplies by a factor, h, and what it has of tanh."""
    h = Parameter([1.0, -2.0], name="start")
    for _, x in steps(factors):
        h = (h * x).named("h")
        h = h.tanh()
    return h.sum().named("loss")


WHERE = {
    "h": lambda n: n.name == "h",
    "h t=2": lambda n: n.name == "h" and n.t == 2,
    "tanh t>2": lambda n: n.op.name == "tanh" and n.t > 2,
    "name loss": lambda n: n.name == "loss",
    "op mul t=2..3": lambda n: n.op.name == "mul" and n.t in (2, 3),
    "h norm<0.3": lambda n: n.name == "h" and np.linalg.norm(n.grad) < 0.3,
    "h flip": lambda n: n.name == "h" and n.t == 1,
    "h ratio<0.3": lambda n: n.name == "h" and n.t == 1,
    "start": lambda n: False,  # a leaf has no rule
    "nobody": lambda n: False,
    "nan": lambda n: False,
}


@pytest.mark.parametrize("where", WHERE)
def test_breakpoint_on_calls_breakpoint_at_the_rules_that_match(where, stops):
    """In every sweep, and no more when the block is over."""
    loss = turning()
    loss.backward()
    expected = [n for n in reversed(Graph(loss).nodes) if n.op and n.grad is not None and WHERE[where](n)]
    with breakpoint_on(where):
        loss.backward()
        first = [*stops]
        loss.backward(create_graph=True)
    loss.backward()

    assert first == expected
    assert stops == 2 * expected


def test_breakpoint_on_compares_within_one_sweep(stops):
    """What another sweep ended with is not the step before: read backwards in time, nothing flips here."""
    h = Parameter([1.0])
    for _, x in steps([-1.0, 1.0], reverse=True):
        h = (h * x).named("h")
    with breakpoint_on("h flip"):
        h.sum().backward()
        h.sum().backward()

    assert stops == []


def test_breakpoint_on_takes_a_function_of_node_and_gradient(stops):
    """Whatever the words cannot say."""
    loss = turning()
    handle = breakpoint_on(lambda node, g: node.t == 3 and g[0] > 0 and node.op.name == "mul")
    loss.backward()
    handle.remove()
    loss.backward()

    assert [(node.name, node.t) for node in stops] == [("h", 3)]


def test_breakpoint_on_changes_no_gradient(stops):
    """Stopping everywhere leaves the same numbers."""
    plain, stopped = turning(), turning()
    plain.backward()
    with breakpoint_on(lambda node, g: True):
        stopped.backward()

    assert len(stops) == sum(node.op is not None for node in Graph(stopped))
    for a, b in zip(Graph(plain), Graph(stopped)):
        np.testing.assert_array_equal(a.grad, b.grad)


@pytest.mark.parametrize("where", ["", "norm<small", "op", "line model.py"])
def test_breakpoint_on_refuses_words_without_sense(where):
    """At once, not in the middle of a sweep."""
    with pytest.raises(DataError, match="break"):
        breakpoint_on(where)
