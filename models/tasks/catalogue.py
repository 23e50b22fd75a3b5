"""All tasks by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from tinygrad_seq.errors import DataError

from .dates import DATES, dates
from .diagnostics import (
    ADDING,
    COPY,
    ORDER,
    RECALL,
    REVERSAL,
    adding,
    copy_memory,
    recall,
    reversal,
    temporal_order,
)
from .digits import (
    DIGITS_PIXELS,
    DIGITS_ROWS,
    SPELLING_ENGLISH,
    SPELLING_KOREAN,
    digits_pixels,
    digits_rows,
    spelling_english,
    spelling_korean,
)
from .hello import HELLO, hello_task
from .names import LANGUAGE, NAMES_TO_ENGLISH, NAMES_TO_KOREAN, language, names_to_english, names_to_korean
from .spacing import SPACING_ENGLISH, SPACING_KOREAN, spacing_english, spacing_korean
from .task import About, Task
from .text import ENGLISH, KOREAN, english, korean

__all__ = ["task", "task_from_dict", "task_options", "tasks"]

CATALOGUE: dict[About, Callable[..., Task]] = {
    HELLO: hello_task,
    ENGLISH: english,
    KOREAN: korean,
    DIGITS_ROWS: digits_rows,
    DIGITS_PIXELS: digits_pixels,
    LANGUAGE: language,
    SPELLING_ENGLISH: spelling_english,
    SPELLING_KOREAN: spelling_korean,
    SPACING_ENGLISH: spacing_english,
    SPACING_KOREAN: spacing_korean,
    DATES: dates,
    NAMES_TO_KOREAN: names_to_korean,
    NAMES_TO_ENGLISH: names_to_english,
    REVERSAL: reversal,
    ADDING: adding,
    COPY: copy_memory,
    ORDER: temporal_order,
    RECALL: recall,
}


def tasks() -> list[About]:
    """What there is to learn: name, shape, title and data of every task, in the order of their shapes.

    >>> from tinygrad_seq.models.tasks import tasks
    >>> [about.name for about in tasks() if about.shape == "aligned"]
    ['spacing-english', 'spacing-korean', 'copy']
    """
    return list(CATALOGUE)


def task(name: str, **options: Any) -> Task:
    """The task of that name, with options of its own: `task_options(name)`.

    Raises DataError, with the nearest name there is, for an unknown task or option, or an option of another kind.

    >>> from tinygrad_seq.models.tasks import task
    >>> task("adding", length=20)
    <task adding (many-to-one): length=20, batch=50, seed=0>
    """
    defaults = task_options(name)
    for option, value in options.items():
        if option not in defaults:
            known = f"{name} has the options {', '.join(f'{o}={d!r}' for o, d in defaults.items())}"
            raise DataError(f"task {name} has no option {option!r}{nearest(option, defaults)} {known}")
        kind = type(defaults[option])
        if type(value) is not kind:
            expected = {int: "an integer", str: "a text", bool: "True or False"}[kind]
            raise DataError(f"task {name}: {option} must be {expected}, got {value!r}")
    return maker(name)(**options)


def task_options(name: str) -> dict[str, Any]:
    """The options of a task and their defaults.

    >>> from tinygrad_seq.models.tasks import task_options
    >>> task_options("order")
    {'length': 60, 'batch': 50, 'seed': 0}
    """
    return {option: parameter.default for option, parameter in inspect.signature(maker(name)).parameters.items()}


def task_from_dict(data: Mapping[str, Any]) -> Task:
    """The task that `Task.to_dict` told of.  Raises DataError for what it did not tell."""
    if not isinstance(data, Mapping) or set(data) != {"task", "options"} or not isinstance(data["options"], Mapping):
        raise DataError(f"a task is saved as a dict with task and options, got {data!r}")
    return task(data["task"], **data["options"])


def maker(name: str) -> Callable[..., Task]:
    """The function that makes the task of that name."""
    by_name = {about.name: make for about, make in CATALOGUE.items()}
    if name not in by_name:
        raise DataError(f"there is no task {name!r}{nearest(name, by_name)} The tasks are {', '.join(by_name)}")
    return by_name[name]


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that says what was probably meant."""
    found = get_close_matches(str(name), list(known), n=1)
    return f": did you mean {found[0]!r}?" if found else ":"
