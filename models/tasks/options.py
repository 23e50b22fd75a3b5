"""What the options of tasks must be."""

from __future__ import annotations

from tinygrad_seq.errors import DataError

__all__ = ["at_least", "one_of"]


def at_least(task: str, **options: tuple[int, int]) -> None:
    """Raise DataError for an option, given as (value, least value), that is less."""
    for name, (value, least) in options.items():
        if value < least:
            raise DataError(f"task {task}: {name} must be at least {least}, got {value}")


def one_of(task: str, **options: tuple[str, tuple[str, ...]]) -> None:
    """Raise DataError for an option, given as (value, what there is), that is not there."""
    for name, (value, known) in options.items():
        if value not in known:
            raise DataError(f"task {task}: {name} must be {' or '.join(map(repr, known))}, got {value!r}")
