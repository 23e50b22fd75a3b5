"""Weights of attention as a table, for other programs to read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_seq.data import plain

from .attention_map import checked
from .attention_maps import numbered
from .chart_file import write_file

__all__ = ["save_attention_csv"]


def save_attention_csv(
    path: str | os.PathLike[str],
    weights: Any,
    source_tokens: Sequence[object],
    target_tokens: Sequence[object],
    *,
    names: Sequence[object] | None = None,
) -> Path:
    """Write weights of attention as a table: a row for each token that is written, a column for each that is read.

    weights: (target, source); or several maps, (maps, target, source), whose rows begin with a name each: "1", "2", …
    or those in `names`.  Numbers are written so that they read back the same, tokens as they are, also those that begin
    with = + - @, which a spreadsheet takes for formulas: it is data, so import it as text.  CSV as Python's csv module
    and RFC 4180 have it, in UTF-8.  The file appears whole or not at all.
    Raises ValueError as `plot_attention` does and for a token that UTF-8 cannot write, SaveError for such a file.

    >>> print(save_attention_csv("map.csv", [[0.9, 0.1], [0.2, 0.8]], ["일", "월"], "SM").read_text("utf-8"))
    ,일,월
    S,0.9,0.1
    M,0.2,0.8
    <BLANKLINE>
    """
    several = names is not None or np.ndim(plain(weights)) == 3
    w = checked("save_attention_csv", weights, source_tokens, target_tokens, maps=several)
    w, names = (w, numbered(names, len(w), "{}")) if several else (w[None], [None])
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([""] * (1 + several) + [str(token) for token in source_tokens])
    for name, one in zip(names, w, strict=True):
        for token, row in zip(target_tokens, one.tolist(), strict=True):
            table.writerow([str(name)] * several + [str(token), *row])
    path = Path(path)
    write_file(path, text.getvalue().encode())
    return path
