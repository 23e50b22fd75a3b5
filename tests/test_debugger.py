"""tinygrad_seq.debugger: a session over the sweep, which goes forth and back and stops where it is told to."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import recorded_programs
from tinygrad_seq import Graph, Parameter, Tensor, Value, manual_seed, scope, steps
from tinygrad_seq.debugger import Session, Tape, explain
from tinygrad_seq.debugger.view import local_derivative, look
from tinygrad_seq.errors import DataError, GradientError, SequenceError
from tinygrad_seq.models import LSTM, ManyToMany


def fading(factors=(0.5, 0.1, 0.5, 0.9)):
    """A state that each step multiplies by a factor."""
    h = Parameter([1.0, -2.0], name="start")
    for _, x in steps(factors):
        h = (h * x).named("h")
    return h.sum().named("loss")


def hello():
    """An LSTM on HELLO, as the lecture has it."""
    manual_seed(0)
    model = ManyToMany(LSTM(4, 8), 4)
    return model.loss(np.array([0, 1, 2, 2]), np.array([1, 2, 2, 3]))


@given(recorded_programs())
def test_a_session_shows_what_backward_does(program):
    """Step by step it comes to every node that the gradient reaches, newest first, with the gradient of backward."""
    loss = program.loss
    session = Session(loss)
    seen = [session.now]
    while session.step().reason == "step":
        seen.append(session.now)
    loss.backward()

    assert [m.node.birth for m in seen] == sorted({m.node.birth for m in seen}, reverse=True)
    reached = [node for node in Graph(loss) if node.grad is not None]
    assert {m.node for m in seen} == set(reached)
    for m in seen:
        np.testing.assert_allclose(m.grad, m.node.grad, rtol=1e-12, atol=1e-300)
        total = session.tape.total(m.node, seen[-1])
        if m.node is not loss:
            np.testing.assert_allclose(total, m.grad, rtol=1e-9, atol=1e-12)


@given(st.lists(st.tuples(st.sampled_from(["step", "back", "next", "run", "begin", "goto"]), st.integers(1, 9))))
def test_going_back_finds_what_was_there(moves):
    """However one moves, a moment is the same each time: the walk is made once."""
    session = Session(fading())
    of = {}
    for move, n in moves:
        if move in ("step", "back", "next"):
            getattr(session, move)(n)
        elif move == "goto":
            session.goto(1 + n % 4)
        else:
            session.restart() if move == "begin" else session.run()
        assert of.setdefault(session.now.number, session.now) is session.now
    assert len(session.tape) == 6


def test_back_is_before_and_ends_at_the_start():
    """back(n) undoes step(n); before the beginning there is nothing."""
    session = Session(fading())
    there = session.step(3).moment

    assert session.step(2).moment.number == there.number + 2
    assert session.back(2).moment is there
    assert session.back(100) == (session.tape.at(0), "start", None)


def test_next_goes_from_time_step_to_time_step():
    """next stops at the first node of the next step on the way."""
    session = Session(hello())
    times = []
    while session.next().reason != "end":
        times.append(session.now.node.t)

    assert times == [4, 3, 4, 3, 2, 1] or all(a != b for a, b in pairwise(times))


def test_forward_goes_through_the_computation():
    """Going forward the oldest node comes first, and what is looked at is the value."""
    loss = fading()
    session = Session(loss, forward=True)
    session.break_("h norm<0.2")
    stop = session.run()

    assert (stop.reason, stop.moment.node.t) == ("breakpoint", 2)
    assert stop.moment.value is stop.moment.node.data
    assert session.run().moment.node.t == 3
    while session.step().reason != "end":
        pass
    assert session.now.node is loss


WHERE = {
    "mul": lambda n: n.op and n.op.name == "mul",
    "op sum": lambda n: n.op and n.op.name == "sum",
    "h": lambda n: n.name == "h",
    "name start": lambda n: n.name == "start",
    "t=2": lambda n: n.t == 2,
    "h t<3": lambda n: n.name == "h" and n.t < 3,
    "t=2..3": lambda n: n.t in (2, 3),
    "h norm<0.3": lambda n: n.name == "h" and np.linalg.norm(n.grad) < 0.3,
    "norm>=0.9": lambda n: np.linalg.norm(n.grad) >= 0.9,
    "ratio<0.2": lambda n: n.name == "h" and n.t == 1,
}


@pytest.mark.parametrize("where", WHERE)
def test_it_stops_where_all_holds_and_nowhere_else(where):
    """A breakpoint stops at each node of which what it says is so."""
    loss = fading((0.5, 0.1, 0.5, 0.9))
    session = Session(loss)
    session.break_(where)
    loss.backward()
    stops = [session.now.node] * bool(session.breakpoints[0].holds(session.now, session.tape))
    while session.run().reason == "breakpoint":
        stops.append(session.now.node)

    expected = [node for node in reversed(Graph(loss).nodes) if node.grad is not None and WHERE[where](node)]
    assert stops == expected
    assert stops


def test_it_stops_at_a_source_line_and_in_a_scope():
    """The line that made a node, and the part of the model that it is in."""
    x = Parameter([1.0])
    with scope("encoder"), scope("cell"):
        y = x.tanh()
    z = y.exp()
    session = Session(z.sum())

    assert session.until(f"{y.source}").moment.node is y
    session.restart()
    assert session.until(f":{z.lineno}").moment.node is z
    assert session.until("in encoder").moment.node is y
    session.restart()
    assert session.until("in encoder/cell").moment.node is y


def test_it_stops_at_nan_infinity_and_a_change_of_sign():
    """What goes wrong in numbers is where a session stops."""
    x = Parameter([-1.0, 2.0])
    with np.errstate(all="ignore"):
        session = Session((x.log() * 1.0).sum())
        assert Session((x * np.inf).sum()).until("inf").moment.node is x
    session = Session((Parameter([0.0]) ** 0.5).sum())
    with np.errstate(all="ignore"):
        stop = session.until("inf")
    assert stop.moment.node.op is None
    turned = Session(fading((0.5, -1.0, 2.0)))
    assert turned.until("flip").moment.node.t == 1


def test_breakpoints_pass_are_ignored_and_stop_once():
    """tbreak stops once, ignore lets some pass, disabled ones never stop, deleted ones are gone."""
    session = Session(fading())
    once = session.break_("h t=4", temporary=True)
    later = session.break_("h")
    session.ignore(later.number, 2)

    assert session.run().breakpoint is once
    assert session.breakpoints == [later]
    assert session.run().moment.node.t == 2
    later.enabled = False
    assert session.run().reason == "end"
    assert session.delete(2) is later
    with pytest.raises(DataError, match="there is no breakpoint 2; there is none at all"):
        session.breakpoint(2)
    assert session.break_("mul").number == 3


MISTAKES = {
    "tahn": r"no name or op 'tahn' .*there is h, loss, mul, start, sum",
    "op tanh": "no op 'tanh' .*mul, sum",
    "name H": "no name 'H'",
    "in decoder": "no scope 'decoder' .*none at all",
    "nowhere.py:1": r"no source line 'nowhere.py:1'",
    "norm<small": "'small' is no number",
    "t=a..b": r"'a..b' is no number",
    "op": "what comes after 'op' is missing",
    "": "break needs to know where",
}


@pytest.mark.parametrize("where", MISTAKES)
def test_a_breakpoint_that_could_never_hold_is_refused(where):
    """What is not in the record is told, with what is."""
    with pytest.raises(DataError, match=MISTAKES[where]):
        Session(fading()).break_(where)


def test_goto_finds_a_step_before_or_after():
    """goto t is the first node of that step; a step that is not there is an error that says which are."""
    session = Session(fading())

    assert session.goto(1).moment.node.t == 1
    assert session.goto(3).moment.node.t == 3
    with pytest.raises(SequenceError, match=r"which has 1 … 4; got 9"):
        session.goto(9)


def test_without_a_gradient_there_is_no_session():
    """The error is that of backward."""
    with pytest.raises(GradientError, match="requires a gradient"):
        Session(Tensor([1.0]))


def test_what_explains_a_gradient_adds_up():
    """explain says who sent what, and the parts add up to the gradient."""
    loss = hello()
    loss.backward()
    (h,) = [node for node in Graph(loss).named("h") if node.t == 3]

    told = explain(h, loss)
    assert np.allclose(sum(a.contribution for a in told.arrivals), h.grad)
    assert [a.moment.node.op.name for a in told.arrivals] == ["concat", "affine"]
    assert "from concat" in str(told)
    assert "from ŷ_3 through affine" in str(told)
    x = Parameter([1.0])
    with pytest.raises(GradientError, match="was not made from it"):
        explain(x, loss)
    cut = x.detach()
    with pytest.raises(GradientError, match="every way there is cut"):
        explain(cut, (x * cut).sum())


def test_a_value_can_be_stepped_through():
    """A session of numbers, as micrograd has them."""
    x = Value(3.0, name="x")
    session = Session((x * x + x).named("L"))

    assert [session.now.grad, session.step().moment.grad, session.step().moment.grad] == [1.0, 1.0, 7.0]
    assert session.step().reason == "end"


def test_a_long_record_is_walked_once():
    """Twenty thousand nodes: the walk is made when it is asked for, and kept."""
    h = Tensor([1.0], requires_grad=True)
    for _, x in steps(np.full(10_000, 0.999)):
        h = (h * x).named("h")
    tape = Tape(h.sum())

    assert tape.seen == 1
    assert tape.at(5000).node.t == 5001
    assert tape.seen == 5001
    assert len(tape) == 10_002


def test_the_local_derivative_is_what_the_gradient_is_multiplied_with():
    """Of an op that works number by number g times it is what is sent; other ops have none to show."""
    x, y = Parameter([0.5, -2.0], name="x"), Parameter([3.0, 4.0], name="y")
    product = (x * y).tanh()
    session = Session((product @ Parameter([1.0, 2.0])).named("L"))

    assert local_derivative(session.now.node, 0) is None
    assert session.until("op tanh").moment.node is product
    for op in ("tanh", "mul"):
        session.restart()
        moment = session.until(f"op {op}").moment
        for i, _ in enumerate(moment.node.inputs):
            np.testing.assert_allclose(moment.grad * local_derivative(moment.node, i), moment.visit.contribution(i))
    assert "∂mul/∂x = [3, 4]" in "\n".join(look(session.tape, moment))
    assert local_derivative((x + y), 0) == 1.0
