"""The plugin of pytest: options for checks of gradients, their reports beside the failures, and a fixture.

It is loaded in every run of pytest on a machine that has the package: nothing is imported before it is used.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

__all__ = ["gradcheck"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--gradcheck-budget`, `--gradcheck-pictures`."""
    group = parser.getgroup("gradients", "checks of gradients (tinygrad_seq)")
    group.addoption(
        "--gradcheck-budget",
        type=natural,
        metavar="N",
        help="draw N examples for each gradient_property, whatever its settings say",
    )
    group.addoption(
        "--gradcheck-pictures",
        type=Path,
        metavar="DIR",
        help="write the report of each wrong gradient into this folder, with a picture of the graph around it",
    )


def natural(text: str) -> int:
    """A number of examples, 1 or more."""
    if text.isdecimal() and int(text):
        return int(text)
    raise ArgumentTypeError(f"expected a number of examples, 1 or more, got {text!r}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each gradient property the budget."""
    budget = config.getoption("gradcheck_budget")
    tests = [getattr(item, "obj", None) for item in items]
    properties = [test for test in tests if getattr(test, "gradient_property", False)]
    if budget is not None and properties:
        from .testing.properties import with_budget

        for test in properties:
            with_budget(test, budget)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what a check of gradients found beside the failure, and write it down where that is asked for."""
    report = yield
    if call.excinfo is not None:
        for number, found in enumerate(reports(call.excinfo.value)):
            text = str(found)
            folder = item.config.getoption("gradcheck_pictures")
            if folder is not None:
                text += "\n" + saved(found, item.config.invocation_params.dir / folder / file_name(item, number))
            report.sections.append(("gradient check", text))
    return report


def reports(error: BaseException) -> Iterator[Any]:
    """The reports of an exception: its own, those of a group's, and those of what it came from."""
    module: Any = sys.modules.get(f"{__package__}.testing.reports")
    seen: list[Any] = [None]
    left: list[Any] = [error] if module is not None else []
    while left:
        now = left.pop(0)
        if now in seen:
            continue
        seen.append(now)
        if isinstance(now, module.GradientCheckError):
            yield now.report
        else:
            left += [*getattr(now, "exceptions", ()), now.__cause__ or now.__context__]


def saved(report: Any, path: Path) -> str:
    """Write a report and its picture; where they are, or why there is none, in a line."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return "\n".join(f"written: {found}" for found in report.save(path))
    except Exception as error:  # the failure of the test must be told, whatever happens to its picture
        return f"not written: {path}: {type(error).__name__}: {error}"


def file_name(item: pytest.Item, number: int) -> str:
    """A name that every file system takes, from the name of a test."""
    words = re.sub(r"[^A-Za-z0-9.-]+", "_", item.nodeid).strip("_")
    unique = f"-{crc32(item.nodeid.encode()):08x}" if "[" in item.nodeid or len(words) > 100 else ""
    return f"{words[-100:]}{unique}{f'-{number + 1}' if number else ''}.txt"


@pytest.fixture(name="gradcheck")
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`tinygrad_seq.testing.gradcheck`, with random directions of the test's own: the same ones in every run."""
    from .testing import gradcheck

    return partial(gradcheck, seed=crc32(request.node.nodeid.encode()))
