"""Schedules of the learning rate, by PyTorch's names and numbers.

A schedule is made after its optimiser and sets the learning rate of step t = 0 at once; `step()` after each
`optimizer.step()` (or after each epoch) sets that of the next t.  As in PyTorch most are defined by what they do to
the rate before, so that several can work on one optimiser, one after the other; the formulas in the docstrings are
those of one alone, whose rate starts at lr₀.
"""

from .composed import OneCycleLR, ReduceLROnPlateau, SequentialLR
from .curves import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from .schedule import LRScheduler

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
