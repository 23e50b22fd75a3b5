"""Training: one loop for all models, what it can be asked for, and how good the outcome is."""

from . import metrics
from .batches import Batches
from .history import History
from .loop import Source, Trainable, train
from .options import Checkpoint, Validation
from .run import load_parameters, read_meta

__all__ = [
    "Batches",
    "Checkpoint",
    "History",
    "Source",
    "Trainable",
    "Validation",
    "load_parameters",
    "metrics",
    "read_meta",
    "train",
]
