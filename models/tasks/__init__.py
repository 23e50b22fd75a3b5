"""Data to train on: each task gives its vocabulary, and batches drawn from a random generator."""

from .catalogue import task, task_from_dict, task_options, tasks
from .hello import hello
from .splits import Batch, Examples, Generated, Split, Windows
from .task import About, Shape, Shown, Task, Training
from .text import TextTask, alice, constitution

__all__ = [
    "About",
    "Batch",
    "Examples",
    "Generated",
    "Shape",
    "Shown",
    "Split",
    "Task",
    "TextTask",
    "Training",
    "Windows",
    "alice",
    "constitution",
    "hello",
    "task",
    "task_from_dict",
    "task_options",
    "tasks",
]
