"""Gradient against distance, measured over many runs: models × lengths × seeds × initialisations."""

from .comparing import Comparison, compare
from .networks import INITIALISATIONS, NETWORKS, SelfAttention, network
from .sweeping import finished_runs, plan, sweep
from .trials import Measured, Run, Trial, trial

__all__ = [
    "INITIALISATIONS",
    "NETWORKS",
    "Comparison",
    "Measured",
    "Run",
    "SelfAttention",
    "Trial",
    "compare",
    "finished_runs",
    "network",
    "plan",
    "sweep",
    "trial",
]
