"""Recurrent networks: RNN, LSTM and GRU, as equations, as cells, and as layers over time."""

from .cells import GRUCell, LSTMCell, RNNCell
from .equations import GRUEquation, LectureGRUEquation, LSTMEquation, RNNEquation
from .layers import GRU, LSTM, RNN, Recurrent

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "GRUEquation",
    "LSTMCell",
    "LSTMEquation",
    "LectureGRUEquation",
    "RNNCell",
    "RNNEquation",
    "Recurrent",
]
