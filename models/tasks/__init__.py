"""Data to train on: each task gives its vocabulary, and batches drawn from a random generator."""

from .hello import hello
from .text import TextTask, alice

__all__ = ["TextTask", "alice", "hello"]
