"""Formulas of boxes: what several ops compute, as mathematics writes it."""

import numpy as np
import pytest

from tinygrad_seq import Parameter, Tensor, steps
from tinygrad_seq import functional as F
from tinygrad_seq.viz.pictures.labels import spoken
from tinygrad_seq.viz.reading.columns import read_columns
from tinygrad_seq.viz.reading.levels import apply_level

FORMULAS = {
    "a − (b + c)": lambda a, b, c: a - (b + c),
    "a − b + c": lambda a, b, c: (a - b) + c,
    "(a + b)·c": lambda a, b, c: (a + b) * c,
    "a·b + c": lambda a, b, c: a * b + c,
    "a / (b·c)": lambda a, b, c: a / (b * c),
    "a·b / c": lambda a, b, c: a * b / c,
    "σ(a) + tanh(b·c)": lambda a, b, c: F.sigmoid(a) + F.tanh(b * c),
    "(a + b)^2 + c": lambda a, b, c: (a + b) ** 2 + c,
    "(1 − a)·b + a·c": lambda a, b, c: (1 - a) * b + a * c,
    "a W + b·c": lambda a, b, c, W: a @ W + b * c,
    "(a + b) W": lambda a, b, c, W: (a + b) @ W,
    "tanh([a, b, c])": lambda a, b, c: F.tanh(F.concat([a, b, c], -1)),
    "0.5·exp(a)": lambda a, b, c: 0.5 * F.exp(a),
}


@pytest.mark.parametrize("said", FORMULAS)
def test_a_formula_is_written_as_it_is_computed(said):
    """Brackets stand where they are needed, and nowhere else."""
    compute, W = FORMULAS[said], Parameter(np.eye(2), name="W")
    given = (W,) if "W" in said else ()
    total = 0
    for _ in steps(range(2)):
        a, b, c = (Tensor([[1.0, 2.0]], name=name, requires_grad=True) for name in "abc")
        total = total + compute(a, b, c, *given).named("y").sum().named("L")
    timeline = read_columns(total)
    apply_level(timeline, "modules")
    y = next(i for i, node in enumerate(timeline.nodes) if node.name == "y")

    assert spoken(timeline.formulas[y]) == said


def test_a_formula_too_long_says_its_last_op():
    """Nobody reads a formula of a hundred letters under a box."""
    total = 0
    for _ in steps(range(2)):
        a = Tensor([[1.0]], name="a", requires_grad=True)
        y = a
        for _ in range(30):
            y = F.tanh(y + a)
        total = total + y.named("y").sum()
    timeline = read_columns(total)
    apply_level(timeline, "modules")

    said = {spoken(label) for i, label in timeline.formulas.items() if timeline.nodes[i].name == "y"}

    assert said == {"tanh"}
