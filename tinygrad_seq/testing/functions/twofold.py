"""The gradient of a function as a function in its turn, and whether its own gradient is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ...autograd import grad
from ...graph import Node
from ..faults import Fault
from ..numeric.agreement import Mismatch, Tolerance, compare
from ..rules.calls import Findings
from .blaming import blame, blame_second
from .recorded import Recorded, gradients

__all__ = ["second_order"]


class Slopes(Recorded):
    """The gradient of a function as a function in its turn: its values by the plain sweep, its pull-back recorded."""

    def __init__(self, function: Recorded, rng: np.random.Generator) -> None:
        vars(self).update(vars(function))
        self.weights = [rng.uniform(0.5, 1.5, y.shape) * rng.choice([-1.0, 1.0], y.shape) for y in function.numbers]

    def values(self, arrays: Sequence[ndarray]) -> list[ndarray]:
        """The gradient by every input, at other inputs."""
        leaves = self.at(arrays)
        found = gradients(self.run(leaves), self.weights)
        return [np.asarray(found.get(x, np.zeros(np.shape(x.data)))) for x in leaves]

    def pull(self, weights: Sequence[ndarray]) -> list[Any]:
        """d Σ⟨weights, gradients⟩ / d(leaf), by the sweep over the recorded sweep."""
        found = gradients(self.outs, self.weights, create_graph=True)
        firsts = [(found[x], w) for x, w in zip(self.leaves, weights) if x in found]
        kept = [(g, w) for g, w in firsts if isinstance(g, Node) and g.requires_grad]
        if not kept:
            return [None] * len(self.leaves)
        ws = [float(w) if g.scalar else w for g, w in kept]
        return list(grad([g for g, _ in kept], self.leaves, ws, allow_unused=True))


def second_order(function: Recorded, rng: np.random.Generator, tolerance: Tolerance, small: int) -> Findings:
    """Check the gradient of the gradient, and blame the rule that is not recorded as it should be."""
    twice = Slopes(function, rng)
    looser = Tolerance(10 * tolerance.rtol, 10 * tolerance.atol)
    try:
        agreed = compare(
            twice.values, twice.pull, twice.inputs, rng, tolerance=looser, analytic=False, small=min(small, 64)
        )
    except Exception as error:
        found = blame_second(function.graph(), rng)
        if not found.faults:
            what = f"the gradient of {function.name} cannot be differentiated again"
            found.faults.append(Fault("second order", what, (f"{type(error).__name__}: {error}",)))
        return found
    if not agreed.mismatches:
        return Findings(checks=agreed.checks)
    found = blame_second(function.graph(), rng)
    found.checks += agreed.checks
    kinks = bool(agreed.kinks) or blame(function.graph(), {}, rng).pointless
    m = agreed.mismatches[0]
    if not found.faults and not kinks and not rounding_twice(twice, m, rng):
        what = f"the gradient of the gradient of {function.name} by {function.labels[m.input]} is wrong"
        said = f"the gradient by {function.labels[m.output]} moves {m.moves:.8g}; its own gradient says {m.says:.8g}"
        though = "though every op's rule has the derivative that it should have"
        found.faults.append(Fault("second order", what, (said, though)))
    return found


def rounding_twice(twice: Slopes, m: Mismatch, rng: np.random.Generator) -> bool:
    """Whether a second derivative is only off by what differences of rounded gradients are."""
    found = twice.values(twice.inputs)[m.output]
    size = float(np.abs(found).max(initial=0))
    return abs(m.says - m.moves) <= 1e-9 * size
