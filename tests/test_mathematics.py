"""tinygrad_seq.ops.mathematics: the formulas that the debugger shows are what the ops compute."""

import re
from math import erf, pi

import numpy as np
import pytest

from tinygrad_seq import Op
from tinygrad_seq.ops import table
from tinygrad_seq.ops.mathematics import EQUATIONS, rule_of

rng = np.random.default_rng(0)
x, y = rng.uniform(0.2, 2, 5), rng.uniform(0.2, 2, 5)
A, B, b = rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=2)
NAMES = {
    "np": np, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sum": np.sum, "mean": np.mean,
    "var": np.var, "prod": np.prod, "π": pi, "n": 5, "low": 0.5, "high": 1.5, "exponent": 3, "eps": 1e-5,
    "σ": lambda x: 1 / (1 + np.exp(-x)), "Φ": np.vectorize(lambda x: (1 + erf(x / 2**0.5)) / 2),
    "φ": lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * pi), "erf": np.vectorize(erf),
    "max": lambda *a: np.maximum(*a) if len(a) > 1 else np.max(*a),
    "min": lambda *a: np.minimum(*a) if len(a) > 1 else np.min(*a),
}  # fmt: skip
FIXED = {
    "pow": {"exponent": 3}, "clip": {"low": 0.5, "high": 1.5}, "layer_norm": {"axis": (0,), "eps": 1e-5},
    "var": {"axis": None, "keepdims": False, "ddof": 0}, "std": {"axis": None, "keepdims": False, "ddof": 0},
}  # fmt: skip
FIXED |= {key: {"axis": None, "keepdims": False} for key in ("sum", "mean", "prod", "norm", "max", "min")}
FIXED |= {key: {"axis": 0} for key in ("softmax", "log_softmax")} | {"logsumexp": {"axis": 0, "keepdims": False}}
INPUTS = {"matmul": (A, B), "affine": (A, B, b), "outer": (x, y[:3])}
IN_WORDS = {"clip_gradient", "cumsum"}


def value(text, **names):
    """A formula in Python, at those inputs; "at every place", "where …" and other words are left out."""
    return eval(re.split(r" at every|, [a-z]+ ", text)[0], NAMES | names)


@pytest.mark.parametrize("name", sorted(EQUATIONS.keys() - IN_WORDS))
def test_a_formula_is_what_the_op_computes(name):
    """Forward, and for each input its gradient, where the formula says it in signs alone."""
    op, fixed = getattr(table, name), FIXED.get(name, {})
    inputs = INPUTS.get(name, (x, y) if len(EQUATIONS[name]) == 3 else (x,))
    letters = dict(zip(rule_of(op).inputs, inputs, strict=True))
    out = op.forward(*inputs, **fixed)
    forward, *vjps = EQUATIONS[name]
    shown = value(forward, **letters)
    g = rng.normal(size=np.shape(out))

    np.testing.assert_allclose(shown, out, rtol=1e-6, atol=1e-9)
    checked = 0
    for formula, given, x_i in zip(vjps, op.vjp(g, out, *inputs, **fixed), inputs, strict=True):
        if formula.startswith("g where") or "summed" in formula:
            continue
        given = given.array() if hasattr(given, "array") else given
        said = np.broadcast_to(value(formula, g=g, out=out, **letters), x_i.shape)
        np.testing.assert_allclose(said, given, rtol=1e-6, atol=1e-9)
        checked += 1
    assert checked or name in ("max", "min", "clip")


def test_every_op_of_the_table_has_a_formula_or_its_source():
    """What is no single expression is shown by its lines."""
    rules = {name: rule_of(op) for name, op in vars(table).items()}

    assert all(rule.forward or rule.source for rule in rules.values())
    assert rules["tanh"].vjp == ("g · (1 − out²)",)
    assert rules["matmul"] == (("x", "y"), "x y", ("g yᵀ", "xᵀ g"), rules["matmul"].source)
    assert rules["exp"].forward == "exp(x)"


def test_the_op_of_a_user_is_read_from_its_code():
    """A function of one expression is its formula; one with the name of ours is still the user's."""

    def tanh(x):
        return np.sinh(x) / np.cosh(x)

    def tanh_vjp(g, out, x):
        return (g / np.cosh(x) ** 2,)

    rule = rule_of(Op(tanh, tanh_vjp))
    assert (rule.forward, rule.vjp) == ("sinh(x) / cosh(x)", ("g / cosh(x)²",))
    assert rule_of(Op(np.sinh, lambda g, out, x: (g,), name="mine")).vjp in ((), ("g",))


def test_a_rule_that_was_exchanged_is_read_anew(monkeypatch):
    """Who mends a rule while the program runs sees the new one; and then the old one again."""

    def wrong(g, out, x):
        return (g / out,)

    before = rule_of(table.sqrt)
    with monkeypatch.context() as patch:
        patch.setattr(table.sqrt, "vjp", wrong)
        exchanged = rule_of(table.sqrt)

    assert exchanged.vjp == ("g / out",) != before.vjp
    assert rule_of(table.sqrt) == before


def test_a_function_that_does_not_say_what_it_takes_has_no_letters():
    """As some in C do."""
    assert rule_of(Op(max, lambda g, out, x: (g,), name="largest")).inputs == ()
