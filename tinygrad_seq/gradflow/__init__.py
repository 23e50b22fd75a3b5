"""Gradient flow: how much gradient reaches each time step, and what each step adds to a shared weight.

Readers of the record and the sweep; they know no model.
"""

from .contributions import Parts, parts
from .series import PerStep, Series, magnitude, per_step

__all__ = ["Parts", "PerStep", "Series", "magnitude", "parts", "per_step"]
