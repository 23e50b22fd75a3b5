"""How far the training is: a bar on a terminal, elsewhere a line for each epoch and each validation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from .history import History

__all__ = ["Reporter"]

EVERY = 0.2  # seconds between two changes of the bar


class Reporter:
    """Tells the console, if there is one, of every update.  epoch: how many updates make one, if there are epochs."""

    def __init__(self, console: Console | None, title: str, history: History, updates: int, epoch: int | None) -> None:
        self.console, self.title, self.history, self.updates, self.epoch = console, title, history, updates, epoch
        self.reported = history.updates  # updates that a line was written for
        self.began, self.done_before = time.monotonic(), history.updates
        self.next = 0.0
        self.bar: Progress | None = None
        self.task = TaskID(0)
        if console is not None and console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40)),
                MofNCompleteColumn(table_column=Column(no_wrap=True)),
                TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True)),
                TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
                console=console,
                expand=True,
                transient=True,
                refresh_per_second=5,
            )

    def __enter__(self) -> Self:
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.updates, completed=self.history.updates, words="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.show()
            self.bar.stop()

    def update(self, measured: Mapping[str, float] | None) -> None:
        """An update was made; measured: the metrics of the validation after it, if there was one."""
        if self.console is None:
            return
        if self.bar is not None:
            now = time.monotonic()
            if now >= self.next:
                self.next = now + EVERY
                self.show()
            if measured is None:
                return
        if measured is not None or (self.epoch and self.history.updates % self.epoch == 0):
            self.console.print(self.line(measured), highlight=False, markup=False, soft_wrap=True)
            self.reported = self.history.updates

    def show(self) -> None:
        """Bring the bar up to date."""
        if self.bar is not None:
            words = self.words(1).rpartition("  lr")[0] if self.history.updates else ""
            self.bar.update(self.task, completed=self.history.updates, words=words)

    def line(self, measured: Mapping[str, float] | None) -> str:
        """The updates since the last line, in words."""
        n = self.history.updates
        parts = [self.title]
        if self.epoch:
            parts.append(f"epoch {-(-n // self.epoch)}/{-(-self.updates // self.epoch)}")
        parts += [f"update {n:,}/{self.updates:,}", self.words(max(n - self.reported, 1))]
        if measured is not None:
            metrics = [f"{name.replace('_', ' ')} {x:.4g}" for name, x in measured.items()]
            parts.append(f"validation: {', '.join(metrics)}")
        if n < self.updates:
            left = (time.monotonic() - self.began) / (n - self.done_before) * (self.updates - n)
            parts.append(f"{duration(left)} left")
        return "  ".join(parts)

    def words(self, last: int) -> str:
        """Mean loss and gradient norm of the last updates, and the learning rate."""
        history = self.history
        loss, norm = [sum(xs[-last:]) / len(xs[-last:]) for xs in (history.loss, history.gradient_norm)]
        return f"loss {loss:.3f}  ‖gradient‖ {norm:.2g}  lr {history.learning_rate[-1]:.2g}"


def duration(seconds: float) -> str:
    """Seconds as 8 s, 3:08, or 1:03:08.

    >>> duration(8.2), duration(188), duration(3788)
    ('8 s', '3:08', '1:03:08')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
