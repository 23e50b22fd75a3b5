"""A chart: the picture, and the numbers that it shows as a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..pictures.labels import token_text
from .chart_file import rendered, save_chart, write_file

__all__ = ["Chart"]

ROWS = 24  # of a table that is printed, at most; of more the first and the last
Columns = Mapping[str, Sequence[Any] | np.ndarray]


class Chart:
    """A picture of Matplotlib's, which also says its numbers: what every function named plot_… gives.

    data: the numbers that are shown, as columns of equal length, one row for each (a tidy table).
    figure: the figure, or the part of one that was given.  axes: all axes in it, or those that were given.  ax: the
    first of them.  Any other attribute is that of `ax`, or of the figure where it has none: `chart.set_ylim(…)`.
    """

    ax: Axes
    figure: Figure | SubFigure
    axes: list[Axes]
    data: dict[str, np.ndarray]

    def __init__(self, drawn: Axes | Figure | SubFigure, data: Columns, title: str | None = None) -> None:
        self.axes = [drawn] if isinstance(drawn, Axes) else list(drawn.axes)
        self.ax, self.figure = self.axes[0], drawn.figure if isinstance(drawn, Axes) else drawn
        self.data = {name: column(values) for name, values in data.items()}
        self.title = title
        lengths = {name: len(values) for name, values in self.data.items()}
        if len({*lengths.values()}) > 1:
            raise ValueError(f"columns of a chart's data must be equally long, got {lengths}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "figure" not in self.__dict__:
            raise AttributeError(name)
        for drawn in (self.ax, self.figure):
            if hasattr(drawn, name):
                return getattr(drawn, name)
        raise AttributeError(f"a chart has no {name!r}, and neither have its axes and its figure")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.ax)})

    def __len__(self) -> int:
        return max(map(len, self.data.values()), default=0)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        named = f"{self.title!r}, " if self.title else ""
        return f"Chart({named}{len(self):,} row{'s' * (len(self) != 1)} of {', '.join(self.data)})"

    # ---- the picture ------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, dpi: float | None = None) -> Path:
        """Write the picture to `path`, as .svg, .png or .pdf: see `save_chart`."""
        return save_chart(self, path, dpi=dpi)

    @property
    def svg(self) -> str:
        """The picture as an SVG document, letters as shapes; the same for the same chart."""
        return rendered(self, ".svg").decode()

    def png(self, *, dpi: float | None = None) -> bytes:
        """The picture as a PNG; dpi: dots in an inch, None for the figure's own."""
        return rendered(self, ".png", dpi)

    def _repr_png_(self) -> bytes:
        return self.png()

    # ---- the numbers ------------------------------------------------------------------

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The numbers as a table, a line each under the names of the columns; also written to `path`, in UTF-8.

        Numbers are written so that they read back the same, texts as they are; CSV as Python's csv module and RFC 4180
        have it.  The file appears whole or not at all.
        Raises SaveError for a file that cannot be written, ValueError for a text that UTF-8 cannot write.

        >>> from tinygrad_seq.viz import plot_attention
        >>> chart = plot_attention([[0.9, 0.1]], ["일", "월"], "S")
        >>> chart.to_csv().splitlines()
        ['row,column,token,read,weight', '1,1,S,일,0.9', '1,2,S,월,0.1']
        """
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(self.data)
        table.writerows(zip(*(values.tolist() for values in self.data.values()), strict=True))
        if path is not None:
            write_file(Path(path), text.getvalue().encode())
        return text.getvalue()

    def table(self, rows: int = ROWS) -> Table:
        """The numbers for a terminal, to four digits; of more than so many rows the first and the last."""
        if rows < 2:
            raise ValueError(f"a table needs at least 2 rows, the first and the last, got rows={rows}")
        shown = Table()
        for name, values in self.data.items():
            numeric = values.dtype.kind in "iuf"
            shown.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
        hidden = len(self) - rows if len(self) > rows else 0
        head = (rows + 1) // 2 if hidden else rows
        lines = [[written(value) for value in values.tolist()] for values in self.data.values()]
        for n in range(len(self)):
            if head <= n < head + hidden:
                if n == head:
                    shown.add_row(*["…"] * len(lines))
                continue
            shown.add_row(*(line[n] for line in lines))
        return shown

    def print(self, console: Console | None = None, rows: int = ROWS) -> None:
        """Print the numbers as a table under the title: see `table`."""
        console = Console() if console is None else console
        if self.title:
            console.print(Text(self.title, style="bold"))
        console.print(self.table(rows))
        if len(self) > rows:
            console.print(Text(f"{len(self) - rows:,} more of {len(self):,} rows: to_csv() has all"))


def column(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Values as one column, texts as they are: NumPy's own texts would lose what is null at their end."""
    array = values if isinstance(values, np.ndarray) else np.asarray(list(values), object)
    if array.dtype == object:
        kinds = {type(value) for value in array.tolist()}
        if kinds and all(issubclass(kind, int | float | np.number) for kind in kinds):
            array = array.astype(int if all(issubclass(kind, int | np.integer) for kind in kinds) else float)
    if array.ndim != 1:
        raise ValueError(f"a column of a chart's data has one axis, got shape {array.shape}")
    return array


def written(value: object) -> Text:
    """A value in a table: four digits of a number; of a text all that can be seen."""
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    return Text(str(value)) if isinstance(value, int) else Text(token_text(value))
