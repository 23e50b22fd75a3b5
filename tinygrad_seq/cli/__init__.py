"""The command line, `tinygrad-seq`.  The roof of the house: it alone knows the models and the pictures."""

from .program import main

__all__ = ["main"]
