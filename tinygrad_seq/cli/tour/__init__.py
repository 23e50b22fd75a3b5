"""`tinygrad-seq tour`: the lecture's six chapters, measured, with a report to look at."""

from .command import tour_command

__all__ = ["tour_command"]
