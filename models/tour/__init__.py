"""The tour through the lecture's six chapters: what it claims, measured on recorded graphs."""

from .chapter import FAST, FULL, Chapter, Plan
from .course import CHAPTERS, tour
from .text import Sample, TextTour, text_tour
from .word import Measured, WordTour, word_tour

__all__ = [
    "CHAPTERS",
    "FAST",
    "FULL",
    "Chapter",
    "Measured",
    "Plan",
    "Sample",
    "TextTour",
    "WordTour",
    "text_tour",
    "tour",
    "word_tour",
]
