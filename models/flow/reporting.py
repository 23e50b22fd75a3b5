"""How far a sweep is: a bar on a terminal, elsewhere a line for each run."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ..training.progress import duration

__all__ = ["Reporter"]


class Reporter:
    """Tells the console, if there is one, of every run.  where: what runs them.  done: how many were there before."""

    def __init__(self, console: Console | None, where: str, total: int, done: int) -> None:
        self.console, self.where, self.total, self.done, self.before = console, where, total, done, done
        self.began = time.monotonic()
        self.bar: Progress | None = None
        self.task = TaskID(0)
        if console is not None and console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(),
                TextColumn("{task.fields[last]}"), TimeRemainingColumn(compact=True),
                console=console, transient=True, refresh_per_second=5,
            )  # fmt: skip

    def __enter__(self) -> Self:
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task(f"runs ({self.where})", total=self.total, completed=self.done, last="")
        elif self.console is not None:
            before = f", {self.done} are there" if self.done else ""
            self.say(f"{self.total} runs{before}: {self.where}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def arrived(self, title: str, error: str | None) -> None:
        """A run is done, or has failed."""
        self.done += 1
        if self.bar is not None:
            self.bar.update(self.task, completed=self.done, last=title)
        if error is not None:
            self.say(f"{title} failed: {error}")
        elif self.bar is None:
            left = (time.monotonic() - self.began) / (self.done - self.before) * (self.total - self.done)
            self.say(f"run {self.done}/{self.total}  {title}" + (f"  {duration(left)} left" if left else ""))

    def say(self, line: str) -> None:
        """Print a line."""
        if self.console is not None:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
