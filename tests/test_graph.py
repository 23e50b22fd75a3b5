"""The record: what a node knows of itself, where it was made, and how the ambient state is kept and restored."""

import _thread
import asyncio
import inspect
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from tinygrad_seq import Op, Tensor, Value, detect_anomaly, enable_grad, no_grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import SequenceError
from tinygrad_seq.graph import Graph, current_place


@pytest.fixture
def x():
    return Tensor([1.0, 2.0], requires_grad=True, name="x")


@pytest.fixture(autouse=True)
def everything_is_put_back():
    """Whatever a test does, the ambient state is afterwards what it was before."""
    before = current_place()
    yield
    assert current_place() is before


def line():
    """The number of the line that calls."""
    return inspect.currentframe().f_back.f_lineno


# ---- a node knows what it is ---------------------------------------------------------


def test_a_node_says_all_in_one_line(x):
    """Name, op, inputs, scope, time step and source line: enough to know it in a debugger."""
    with scope("encoder"), scope("cell"):
        for _, _ in steps([0]):
            h = F.tanh(x * 2).named("h")
    source = f"test_graph.py:{line() - 1}"

    assert repr(h) == f"Tensor([0.964 , 0.9993], h = tanh(mul), in encoder/cell at t=1, {source})"
    assert "\n" not in repr(Tensor(np.eye(2), requires_grad=True) * 2)


def test_a_large_node_shows_its_shape(x):
    """Not its elements."""
    assert repr(F.expand(x, 10, 2)).startswith("Tensor(shape (10, 2), float64, broadcast_to(x), test_graph.py:")


def test_a_node_knows_its_parts(x):
    """op, inputs, fixed arguments, data, name, scope, t, source."""
    y = Tensor([[1.0], [2.0]], requires_grad=True)
    with scope("s"):
        z = F.concat([x[None], y.T], axis=0)
    first, second = z.inputs

    assert (z.op.name, z.fixed, z.name, z.scope, z.t, z.is_leaf) == ("concat", {"axis": 0}, None, "s", None, False)
    assert (first.op.name, second.op.name) == ("getitem", "transpose")
    assert second.inputs == (y,)
    assert y.is_leaf
    assert y.inputs == ()


def test_inputs_are_older(x):
    """So the birth number is an order of every graph."""
    z = F.tanh(x * 2 + x) @ x

    assert all(i.birth < node.birth for node in Graph(z) for i in node.inputs)


# ---- the source line -----------------------------------------------------------------


def by_operator(x):
    return x + 1, line()


def by_reflected_operator(x):
    return 1 - x, line()


def by_method(x):
    return x.tanh(), line()


def by_function(x):
    return F.softmax(x), line()


def by_function_of_several_ops(x):
    return F.gelu(x, "tanh"), line()


def by_numpy_ufunc(x):
    return np.tanh(x), line()


def by_numpy_function(x):
    return np.concatenate([x, x]), line()


def by_numpy_where(x):
    return np.where(x.data > 0, x, 0.0), line()


def by_array_times_tensor(x):
    return np.ones(2) * x, line()


def by_numpy_scalar(x):
    return np.float64(2) * x, line()


def by_index(x):
    return x[0], line()


def by_iteration(x):
    (first, _), n = x, line()
    return first, n


def by_sum(x):
    return sum([x, x]), line()


def by_map(x):
    return next(map(F.exp, [x])), line()


def by_comprehension(x):
    return [x * 2 for _ in range(2)][1], line()


def by_an_expression_over_lines(x):
    n = line()
    return (
        x
        + F.tanh(
            x,
        )
    ), n + 2


def by_a_leaf(x):
    return Tensor([1.0]), line()


@pytest.mark.parametrize("make", [thing for name, thing in globals().items() if name.startswith("by_")])
def test_source_is_the_line_of_the_call(make, x):
    """Of the user's call, however it reaches the engine."""
    node, expected = make(x)

    assert node.lineno == expected
    assert node.filename == __file__
    assert node.source == f"test_graph.py:{expected}"


def test_inputs_made_on_another_line_have_their_own(x):
    """Each op of an expression over several lines has the line that it stands on."""
    n = line()
    node = F.concat(
        [
            x * 2,
            x.tanh(),
        ]
    )

    assert [i.lineno for i in node.inputs] == [n + 3, n + 4]


def test_values_have_lines_too():
    """The scalar engine writes the same record."""
    a = Value(2.0)
    b = (a * a).relu()

    assert a.lineno == line() - 3
    assert b.source == f"test_graph.py:{line() - 3}"


# ---- graphs --------------------------------------------------------------------------


def test_a_graph_is_ordered_and_complete(x):
    """All that the outputs were made from, each once, oldest first."""
    h = x * 2
    y, z = F.tanh(h), F.exp(h)

    assert Graph(y, z).nodes == sorted(Graph(z, y).nodes, key=lambda node: node.birth)
    assert [node.op.name if node.op else node.name for node in Graph(y, z).nodes if node.requires_grad] == [
        "x",
        "mul",
        "tanh",
        "exp",
    ]
    assert len(Graph(y)) == 4  # with the constant 2
    assert list(Graph(x)) == [x]


def test_a_graph_finds_nodes_by_name_and_time(x):
    """`named("h")` is h_1 … h_T; `at(t)` is what was made in that step."""
    h = x
    for _, _ in steps(range(3)):
        h = F.tanh(h).named("h")
    graph = Graph(h.sum())

    assert [node.t for node in graph.named("h")] == [1, 2, 3]
    assert graph.at(2) == [graph.named("h")[1]]
    assert graph.named("nothing") == []
    assert graph.named("x") == graph.at(None)[:1]
    assert repr(graph) == "Graph(5 nodes, 3 time steps)"


def test_a_deep_graph_needs_no_recursion(x):
    """A chain of 20,000 nodes is collected like any other."""
    for _ in range(20_000):
        x = x + 1

    assert len(Graph(x)) == 40_001


# ---- scope and time ------------------------------------------------------------------


def test_scopes_nest(x):
    """Paths are joined by a slash."""
    with scope("a"):
        with scope("b"):
            inner = x * 2
        outer = x * 2

    assert (inner.scope, outer.scope, (x * 2).scope) == ("a/b", "a", "")


def test_one_scope_can_be_entered_twice(x):
    """Also inside itself."""
    a = scope("a")
    with a, a:
        y = x * 2

    assert y.scope == "a/a"
    assert (x * 2).scope == ""


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", [Tensor, np.array, list, tuple, iter])
def test_steps_counts_from_one(kind, reverse):
    """Over tensors, arrays, and anything else that can be iterated over."""
    found = [(t, float(x)) for t, x in steps(kind([10.0, 20.0, 30.0]), reverse=reverse)]

    assert found == [(1, 10.0), (2, 20.0), (3, 30.0)][:: -1 if reverse else 1]


def test_x_t_is_made_at_t():
    """What picks the part of a recorded sequence belongs to its step."""
    xs = Tensor(np.ones((3, 2)), requires_grad=True)

    assert [x.t for _, x in steps(xs)] == [1, 2, 3]
    assert [x.t for _, x in steps(xs, reverse=True)] == [3, 2, 1]
    assert [x.t for _, x in steps(xs, start=0)] == [0, 1, 2]


def test_steps_and_scopes_mix(x):
    """Time stays through scopes, scopes through time."""
    with scope("rnn"):
        for t, _ in steps(range(2)):
            with scope("cell"):
                h = x * t

    assert (h.scope, h.t) == ("rnn/cell", 2)
    assert (x * 2).t is None


def test_an_inner_time_hides_the_outer(x):
    """And the outer one is back after it."""
    for _, _ in steps(range(5)):
        for _, _ in steps(range(2)):
            inner = x * 1
        outer = x * 1
        break

    assert (inner.t, outer.t) == (2, 1)


@pytest.mark.parametrize("xs", [[], (), np.zeros((0, 3)), Tensor(np.zeros((0, 3))), iter([])])
def test_an_empty_sequence_is_refused(xs):
    """Saying what was expected, and where."""
    with (
        scope("encoder"),
        pytest.raises(SequenceError, match=r"at least one step, got an empty.*encoder.*test_graph.py"),
    ):
        list(steps(xs))


# ---- the ambient state is put back ---------------------------------------------------


class OopsError(Exception):
    pass


def raise_in(block):
    with block:
        raise OopsError


def raise_in_steps():
    for _, _ in steps(range(3)):
        raise OopsError


def break_in_steps():
    for _, _ in steps(range(3)):
        break


def return_in_steps():
    for t, _ in steps(range(3)):
        return t


def raise_in_a_decorated_function():
    @no_grad()
    def function():
        raise OopsError

    function()


def raise_in_all():
    for _, _ in steps(range(3)):
        with scope("a"), no_grad(), detect_anomaly(), scope("b"):
            raise OopsError


LEAVING = {
    "scope": lambda: raise_in(scope("a")),
    "no_grad": lambda: raise_in(no_grad()),
    "enable_grad": lambda: raise_in(enable_grad()),
    "detect_anomaly": lambda: raise_in(detect_anomaly()),
    "steps": raise_in_steps,
    "break": break_in_steps,
    "return": return_in_steps,
    "decorator": raise_in_a_decorated_function,
    "all": raise_in_all,
}


@pytest.mark.parametrize("how", LEAVING)
def test_leaving_a_block_puts_everything_back(how):
    """By an exception, by `break`, or by `return`."""
    with scope("before"):
        before = current_place()
        with suppress(OopsError):
            LEAVING[how]()

        assert current_place() is before


def test_no_grad_is_a_decorator_that_can_recurse(x):
    """Each call enters anew."""

    @no_grad()
    def double(n):
        return x * 2 if n == 0 else double(n - 1)

    assert not double(3).requires_grad
    assert (x * 2).requires_grad


def test_enable_grad_inside_no_grad(x):
    """The inner block decides."""
    with no_grad():
        with enable_grad():
            inner = x * 2
        outer = x * 2

    assert (inner.requires_grad, outer.requires_grad) == (True, False)


def test_no_grad_keeps_scope_and_time(x):
    """It changes what is recorded, not where."""
    with scope("a"):
        for _, _ in steps([0]):
            with no_grad():
                y = x * 2

    assert (y.scope, y.t) == ("a", 1)


def test_threads_have_places_of_their_own(x):
    """A scope, a step or a no_grad in one thread is not seen in another."""
    inside, done = threading.Event(), threading.Event()

    def other():
        with no_grad(), scope("other"):
            for _, _ in steps([0]):
                inside.set()
                done.wait()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    y = x * 2
    done.set()
    thread.join()

    assert (y.scope, y.t, y.requires_grad) == ("", None, True)


def test_tasks_have_places_of_their_own(x):
    """Tasks that take turns do not see each other's scopes, steps and modes."""

    async def task(name, block):
        found = []
        with scope(name), block:
            for t, _ in steps(range(3)):
                await asyncio.sleep(0)
                y = x * t
                found.append((y.scope, y.t, y.requires_grad))
        return found

    async def both():
        return await asyncio.gather(task("a", no_grad()), task("b", enable_grad()))

    a, b = asyncio.run(both())

    assert a == [("a", t, False) for t in (1, 2, 3)]
    assert b == [("b", t, True) for t in (1, 2, 3)]


def test_one_block_shared_by_two_threads_restores_each(x):
    """A scope or a mode kept in a variable may be entered by several threads at once."""
    shared = [scope("shared"), no_grad()]
    barrier, after = threading.Barrier(2), []

    def run(name):
        with scope(name):
            before = current_place()
            for block in shared:
                with block:
                    barrier.wait()
                barrier.wait()
            after.append(current_place() is before)

    threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert after == [True, True]


def test_a_function_of_ours_may_be_all_that_a_thread_runs(monkeypatch):
    """An op is recorded also where nothing of the user's is on the stack, as in a bare thread."""
    failed, running = [], []
    monkeypatch.setattr(sys, "unraisablehook", failed.append)
    x = Tensor([0.5], requires_grad=True)
    lasting = Op(lambda a: running.append(True) or a.copy(), lambda g, out, a: (g,), name="lasting")

    _thread.start_new_thread(lasting, (x,))
    deadline = time.monotonic() + 5
    while not running and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)

    assert running
    assert failed == []
