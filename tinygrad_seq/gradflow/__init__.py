"""Gradient flow: how much gradient reaches each time step, and what each step adds to a shared weight.

Readers of the record and the sweep; they know no model.
"""

from .contributions import Parts, parts
from .jacobians import StepJacobians, step_jacobians
from .powers import Power, power
from .reach import Influence, influence
from .readout import Memory, memory
from .routes import Paths, paths
from .scaling import Complexity, Law, Term, complexity
from .series import PerStep, Series, magnitude, per_step
from .squashing import Saturation, saturation
from .trend import Decay, Verdict, verdict
from .windows import TruncationBias, truncation_bias
from .work import Work

__all__ = [
    "Complexity",
    "Decay",
    "Influence",
    "Law",
    "Memory",
    "Parts",
    "Paths",
    "PerStep",
    "Power",
    "Saturation",
    "Series",
    "StepJacobians",
    "Term",
    "TruncationBias",
    "Verdict",
    "Work",
    "complexity",
    "influence",
    "magnitude",
    "memory",
    "parts",
    "paths",
    "per_step",
    "power",
    "saturation",
    "step_jacobians",
    "truncation_bias",
    "verdict",
]
