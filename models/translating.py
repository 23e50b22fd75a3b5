"""What every seq2seq model can do once it can be searched: translate."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .search import Hypothesis, beam, check_count, greedy

__all__ = ["Translating"]


class Translating:
    """`translate`, for models with what `SequenceModel` asks for.

    begin, end: the tokens that stand before a target and end it.  max_length: of what it can read and write, or None.
    """

    begin: int
    end: int
    max_length: int | None = None

    def translate(
        self: Any,
        source: Any,
        lengths: Any = None,
        *,
        beam: int = 1,
        length_penalty: float = 0.0,
        max_length: int | None = None,
    ) -> list[Hypothesis]:
        """The best target that search finds for each source, (S, batch).

        beam: the width; 1 is greedy search.  length_penalty: as in `search.beam`, which also gives the n best.
        max_length: the most tokens, the end counted; by default twice as many as the longest source has, and 10, or as
        many as the model has positions for.
        """
        check_count("translate", beam=beam)
        source, lengths = self.as_source(source, lengths)
        if max_length is None:
            longest = len(source) if lengths is None else int(np.max(lengths))
            max_length = min(2 * longest + 10, self.max_length or sys.maxsize)
        return best_of_search(self, source, lengths, beam, max_length, length_penalty)

    def as_source(self, source: Any, lengths: Any) -> tuple[Any, Any]:
        """The source and its lengths, checked as far as the model does that before it starts."""
        return source, lengths


def best_of_search(
    model: Any, source: Any, lengths: Any, width: int, max_length: int, length_penalty: float
) -> list[Hypothesis]:
    """The best target of each source, found greedily or by a beam."""
    fixed: Any = {
        "begin": model.begin, "end": model.end, "max_length": max_length, "length_penalty": length_penalty,
    }  # fmt: skip
    if width == 1:
        return greedy(model, source, lengths, **fixed)
    return [best for best, in beam(model, source, lengths, width=width, **fixed)]
