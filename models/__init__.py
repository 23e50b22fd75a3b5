"""Sequence models on the engine: their equations, the vocabulary that feeds them, training and generating."""

from .generate import generate, sample
from .heads import ManyToMany, ManyToOne, OneToMany
from .recurrent import RNN, RNNCell, RNNEquation
from .training import History, train
from .vocabulary import Vocabulary

__all__ = [
    "RNN",
    "History",
    "ManyToMany",
    "ManyToOne",
    "OneToMany",
    "RNNCell",
    "RNNEquation",
    "Vocabulary",
    "generate",
    "sample",
    "train",
]
