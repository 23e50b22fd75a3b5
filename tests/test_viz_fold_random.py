"""Models at random, folded: the fold has the whole record, and finds the step that differs."""

import random
from typing import NamedTuple

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinygrad_seq import Graph, Parameter, Tensor, steps
from tinygrad_seq import functional as F
from tinygrad_seq.viz import fold
from viz_records import cut


class Line(NamedTuple):
    """One line of a model: an op, on values made before it."""

    op: str
    x: int
    y: int


class Plan(NamedTuple):
    """A model at random: its lines, how many of their values are states, how many steps it runs."""

    lines: list[Line]
    states: int
    T: int


UNARY = {"tanh": F.tanh, "sigmoid": F.sigmoid, "relu": F.relu}


@st.composite
def plans(draw, min_steps=4):
    states = draw(st.integers(1, 2))
    lines = []
    for k in range(draw(st.integers(2, 7))):
        known = st.integers(0, states + k)  # the input, the states, and what the lines before made
        lines.append(Line(draw(st.sampled_from(["add", "mul", "matmul", *UNARY])), draw(known), draw(known)))
    return Plan(lines, states, draw(st.integers(min_steps, 7)))


def run(plan, change="", at=0, line=0, order=None):
    """The record of a model, in which one line of one step is changed; order: of the lines of that step."""
    W, V = Parameter(np.eye(3) / 2, name="W"), Parameter(np.eye(3) / 3, name="V")
    states = [Tensor(np.ones((1, 3)), name=f"s{n}", requires_grad=True) for n in range(plan.states)]
    losses = []
    for t, x in steps(np.ones((plan.T, 1, 3))):
        known = {0: Tensor(x, name="x", requires_grad=True), **{n + 1: state for n, state in enumerate(states)}}
        for k in order if order and t == at else range(len(plan.lines)):
            op, a, b = plan.lines[k]
            here = change if t == at and k == line else ""
            a = (a + 1) % (plan.states + 1) if here == "wiring" else a
            x, y, M = known[a], known[b], V if here == "weight" else W
            x = cut(x) if here == "cut" else x
            op = {"add": "mul", "mul": "add", "matmul": "tanh", "tanh": "relu"}.get(op, "tanh") if here == "op" else op
            made = x @ M if op == "matmul" else x * y if op == "mul" else x + y if op == "add" else UNARY[op](x)
            made = F.exp(made) if here == "more" else made
            known[plan.states + 1 + k] = made.named("other" if here == "name" else f"v{k}" if k % 2 else None)
        states = [known[len(known) - 1 - n] for n in range(plan.states)]
        losses.append(sum(known[n] for n in sorted(known) if n).sum().named("L"))
    return sum(losses).named("loss")


@settings(max_examples=40)
@given(plans(min_steps=1))
def test_unfolding_gives_the_record_back(plan):
    """The body, as often as there are steps, with what single steps lack and have more, is all that is in time."""
    loss = run(plan)
    loop = fold(loss).loop
    again = [node for t in loop.steps for node in [*loop.at(t), *loop.more(t)] if node is not None]

    assert len(again) == len({id(node) for node in again})
    assert {id(node) for node in again} == {id(node) for node in Graph(loss).nodes if node.t is not None}


@settings(max_examples=40)
@given(plans())
def test_the_wires_are_those_of_the_record(plan):
    """Where the wires say that a node comes by an input, the record has it, at every step that can have it."""
    loop = fold(run(plan)).loop
    checked = 0
    for source, target, place, distance in loop.wires:
        for t in loop.steps:
            if t - distance in loop.steps:
                assert loop.at(t)[target].inputs[place] is loop.at(t - distance)[source]
                checked += 1
    assert checked


@settings(max_examples=40)
@given(plans())
def test_equal_steps_fold_perfectly(plan):
    """Of steps that compute the same only those differ that take their states from outside."""
    loop = fold(run(plan)).loop

    assert loop.foldable
    assert all(len(nodes) == len(loop.body) for nodes in loop.nodes.values())
    assert set(loop.differing) <= {1}
    assert all("from outside" in words for words in loop.differing.get(1, ()))


CHANGES = {
    "weight": "uses V where the others use W",
    "op": "where the others have",
    "more": "exp",
    "name": "where the others have",
    "wiring": "where the others take",
    "cut": "cut",
}


@settings(max_examples=80)
@given(plans(min_steps=5), st.sampled_from(sorted(CHANGES)), st.data())
def test_a_planted_difference_is_found_and_named(plan, change, data):
    """One line of one step computes something else: that step differs, no other one does, and it is said how."""
    at = data.draw(st.integers(2, plan.T))
    fitting = [k for k, line in enumerate(plan.lines) if fits(plan, change, k, line)]
    assume(fitting)
    line = data.draw(st.sampled_from(fitting))
    with np.errstate(over="ignore"):  # of an exp that is more
        usual, loop = fold(run(plan)).loop, fold(run(plan, change, at, line)).loop
    told = {t: words for t, words in loop.differing.items() if words != usual.differing.get(t)}

    assert set(told) == {at}
    assert CHANGES[change] in "; ".join(told[at])


def fits(plan, change, k, line):
    """Whether a change to a line changes what is computed."""
    if change == "weight":
        return line.op == "matmul"
    if change == "name":
        return k % 2
    if change == "wiring":
        return (line.x + 1) % (plan.states + 1) != line.x
    return True


@settings(max_examples=40)
@given(plans(), st.data())
def test_the_order_of_what_is_independent_changes_nothing(plan, data):
    """Lines of a step that don't need each other may be computed in any order."""
    mixed = random.Random(data.draw(st.integers(0, 1000)))
    waiting, order = set(range(len(plan.lines))), []
    while waiting:
        ready = [k for k in waiting if not {plan.lines[k].x, plan.lines[k].y} & {plan.states + 1 + n for n in waiting}]
        order.append(mixed.choice(sorted(ready)))
        waiting.remove(order[-1])
    at = data.draw(st.integers(1, plan.T))
    one, other = fold(run(plan)).loop, fold(run(plan, at=at, order=order)).loop

    assert {t: set(words) for t, words in one.differing.items()} == {
        t: set(words) for t, words in other.differing.items()
    }
    assert sorted(map(called, one.body)) == sorted(map(called, other.body))
    assert sorted(wired(one)) == sorted(wired(other))


def called(node):
    return f"{node.op.name if node.op else 'leaf'} {node.name}"


def wired(loop):
    return [(called(loop.body[a]), called(loop.body[b]), place, distance) for a, b, place, distance in loop.wires]
