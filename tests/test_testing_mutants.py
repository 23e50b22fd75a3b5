"""The checks of gradients against rules that are broken on purpose: every mutant is found, and the right op named.

Here a part of them; all of them in `make mutants`, or with `pytest -m slow`.
"""

import pytest

import mutants
from mutants import judged, verdicts
from mutations import NUMBERS, PROMISES, Mutant, by_numbers, by_source, planted
from tinygrad_seq.ops import table
from tinygrad_seq.testing import Fault, Report

NO_MISTAKES = {"killed", *mutants.APART}

SOURCE = {
    "term dropped",
    "factor dropped",
    "sign flipped in the source",
    "comparison flipped",
    "constant shifted",
    "argument swapped",
    "results swapped",
    "branch taken always",
    "where left out",
    "sides of where swapped",
    "call dropped",
    "line dropped",
}

PART = [  # an op, and the kinds of mutation of it that are tried here
    ("add", {"broadcast sum left out", "None returned"}),
    ("div", {"scaled by 1.0001", "sign flipped", "transposed", "results swapped", "argument swapped"}),
    ("cumsum", {"index shifted", "last element dropped", "call dropped"}),
    ("softmax", {"line dropped", "factor dropped"}),
    ("max", {"factor dropped"}),
    ("clip", {"comparison flipped"}),
    ("where", {"sides of where swapped", "where left out"}),
    ("sqrt", {"constant shifted"}),
    ("pow", {"branch taken always"}),
    ("log_softmax", {"term dropped"}),
]


@pytest.mark.parametrize(("name", "kinds"), PART, ids=[name for name, _ in PART])
def test_mutants_are_killed_and_blamed(name, kinds):
    """`check_op` finds a fault, and `gradcheck` of a program names the op and the input."""
    found = verdicts(name, kinds=kinds, fast=True)

    assert {verdict.kind for verdict in found} == kinds
    assert [verdict for verdict in found if verdict.outcome not in NO_MISTAKES] == []
    assert any(verdict.outcome == "killed" for verdict in found)


@pytest.mark.parametrize("kind", PROMISES)
def test_broken_promises_are_called_by_their_name(kind):
    """A rule with the right numbers that breaks a promise is found, and the fault is of the kind that it is."""
    (found,) = verdicts(PROMISES[kind][1][0], kinds={kind}, fast=True)

    assert found.outcome == "killed", found.said


@pytest.mark.slow
@pytest.mark.parametrize("name", vars(table))
def test_all_mutants_are_killed_and_blamed(name):
    """Of every op, all of them."""
    found = verdicts(name)

    assert [verdict for verdict in found if verdict.outcome not in NO_MISTAKES] == []


# ---- the mutants themselves ----------------------------------------------------------


def test_every_kind_of_mutation_is_made():
    """No kind is there in name only."""
    names = ["div", "where", "softmax", "pow", "cumsum", "log_softmax"]
    of_source = {mutant.kind for name in names for mutant in by_source(name)}

    assert of_source >= SOURCE
    assert {mutant.kind for mutant in by_numbers("add", mutants.FEW)} == {*NUMBERS}


def test_a_mutant_is_one_change_of_the_rule():
    """Its label says which."""
    labels = [mutant.label for mutant in by_source("mul") if mutant.kind == "factor dropped"]

    assert [label.split(": ")[1] for label in labels] == ["g * y → g", "g * y → y", "g * x → g", "g * x → x"]


def test_a_planted_rule_is_taken_out_again():
    """Also where the block ends in an error."""
    right = table.mul.vjp

    with pytest.raises(ZeroDivisionError), planted(table.mul, lambda *_: None):
        raise ZeroDivisionError

    assert table.mul.vjp is right


# ---- the tests of the tests ----------------------------------------------------------


def broken():
    """A mutant that everybody should see."""
    return next(mutant for mutant in by_numbers("tanh", mutants.FEW) if mutant.kind == "sign flipped")


def test_the_rule_itself_is_equivalent():
    """What changes no gradient is no mutant."""
    same = Mutant("sign flipped", "twice", lambda g, out, x: (g - g * out * out,), [True])

    assert judged("tanh", same, fast=True).outcome == "equivalent"


def test_source_that_no_sample_reaches_is_not_called_equivalent():
    """It would hide a branch that nothing checks."""
    unreached = Mutant("term dropped", "in a branch", table.tanh.vjp, [])

    assert judged("tanh", unreached, fast=True).outcome == "unreached"


def test_a_blind_check_lets_mutants_survive(monkeypatch):
    """If `check_op` found nothing, the mutant is a survivor."""
    monkeypatch.setattr(mutants, "check_op", lambda op, **_: Report(op.name))

    assert judged("tanh", broken(), fast=True).outcome == "survived"


def test_blaming_another_op_or_input_is_wrong_blame(monkeypatch):
    """If `gradcheck` named another op, another input, or nothing, that is no better than a survivor."""
    outcomes = []
    for faults in [(Fault("value", "…", op=table.sin, input=0),), (Fault("value", "…", op=table.tanh, input=1),), ()]:
        monkeypatch.setattr(mutants, "gradcheck", lambda *_, faults=faults, **__: Report("program", faults))
        outcomes.append(judged("tanh", broken(), fast=True).outcome)

    assert outcomes == ["wrong blame"] * 3


def test_the_run_prints_its_score_and_fails_with_survivors(monkeypatch, capsys):
    """Exit code 0 with all killed; 1 with survivors, which are named."""
    line = ["--op", "tanh", "--mutant", "sign flipped: input 0", "--fast", "--jobs", "1"]
    well = mutants.main(line), capsys.readouterr().out
    monkeypatch.setattr(mutants, "check_op", lambda op, **_: Report(op.name))
    badly = mutants.main(line), capsys.readouterr().out

    assert (well[0], badly[0]) == (0, 1)
    assert "1 of 1 mutants killed and blamed rightly" in well[1]
    assert "tanh, sign flipped: input 0" in badly[1]
    assert "0 of 1 mutants killed" in badly[1]
