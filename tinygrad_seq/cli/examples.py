"""Examples of a task for a terminal: what comes in, what should come out, and what a model says."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from tinygrad_seq.models.tasks import Shown, Task
from tinygrad_seq.viz.charts.attention_map import standing_alone
from tinygrad_seq.viz.pictures.labels import visible

__all__ = ["table_of_examples"]

NEAR = 0.04  # how far a number may be off: Hochreiter & Schmidhuber (1997), experiment 4
LONGEST = 320  # characters that are shown of one


def table_of_examples(of: Task, model: Any, count: int, *, answers: bool = True) -> Table:
    """A few examples of the test part.  answers: what the model says too, and whether it is right."""
    writes_on = of.shape == "next token"
    heads = ["begins", "goes on", "the model goes on"] if writes_on else ["input", "expected", "predicted"]
    table = Table(*heads[: 3 if answers else 2], show_lines=True)
    if answers:
        table.add_column("")
    for shown in dict.fromkeys(of.show(model, np.random.default_rng(0), count, "test")):
        given, expected, predicted = (Text(readable(of, text)) for text in shown)
        right = is_right(of, shown)
        mark = Text("✓", style="green") if right else Text("" if writes_on else "✗", style="red")
        table.add_row(given, expected, *([predicted, mark] if answers else []))
    return table


def is_right(of: Task, shown: Shown) -> bool:
    """Whether the model said what it should: of numbers, whether it is near enough."""
    if of.regression:
        return abs(float(shown.expected) - float(shown.predicted)) < NEAR
    return shown.expected == shown.predicted


def readable(of: Task, text: str) -> str:
    """A text in one line, where line ends are signs, and cut where it is long; a picture as it is."""
    if of.vector_size is not None and "\n" in text:
        return text
    return visible(standing_alone(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"))
