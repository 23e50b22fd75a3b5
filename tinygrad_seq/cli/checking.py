"""`tinygrad-seq check`: whether gradients are right, of one op, of a file, or of the whole package."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from .asking import Word
from .checkable import KINDS, Asked, Check, checks_of, package_checks
from .drawing import can_show
from .numbers import COUNT, SEED
from .targets import NotCheckedError

if TYPE_CHECKING:
    from ..testing import Report

__all__ = ["check_command"]

RIGHT, WRONG = ("✓", "✗"), ("ok", "WRONG")  # signs, and words where there are no signs
NARROWEST, WIDEST = 12, 44  # columns of the names
FEW = 8  # checks of which all notes are told


class Shape(click.ParamType):  # type: ignore[type-arg]  # a generic only since click 8.3
    """A shape: numbers with commas between them; () for a single number."""

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The shape.  Raises BadParameter."""
        if not isinstance(value, str):
            return value
        inner = value.strip().removeprefix("(").removesuffix(")").strip().rstrip(",")
        try:
            shape = tuple(int(part) for part in re.split("[,x×]", inner)) if inner else ()
        except ValueError:
            shape = (-1,)
        if any(n < 0 for n in shape):
            self.fail(f"{value!r} is not a shape: write numbers with commas, such as 2,3, or ().", param, ctx)
        return shape


@click.command("check")
@click.argument("targets", nargs=-1, metavar="[MODULE:OBJECT]...")
@click.option("--shape", "shapes", type=Shape(), multiple=True, metavar="2,3",
              help="Of an input of a function, once for each: random numbers go in.")  # fmt: skip
@click.option("--example", metavar="MODULE:OBJECT", help="What to call a layer or a function with: a tuple of arrays.")
@click.option("--order", type=click.IntRange(1, 2), metavar="1|2", help="2: the derivative of the derivative too.")
@click.option("--budget", type=COUNT, metavar="N", help="How many examples to make for each op.")
@click.option("--seed", type=SEED, default=0, show_default=True, metavar="N", help="Start of the random numbers.")
@click.option("--only", type=Word(KINDS), metavar="KIND", help=f"{', '.join(KINDS)}.")
@click.option("-k", "word", metavar="WORD", help="Only what has this in its name.")
@click.option("--picture", type=click.Path(file_okay=False), metavar="FOLDER",
              help="Write what is wrong there, with a picture of the graph around it.")  # fmt: skip
def check_command(
    targets: tuple[str, ...], shapes: tuple[tuple[int, ...], ...], example: str | None, order: int | None,
    budget: int | None, seed: int, only: str | None, word: str | None, picture: str | None,
) -> None:  # fmt: skip
    """Check gradients, and say which rule is wrong, where, and by how much.

    \b
    tinygrad-seq check my_ops.py                     all ops and layers in a file
    tinygrad-seq check my_ops.py:softsign            an op, or function and vjp
    tinygrad-seq check my_ops.py:loss --shape 2,3    a function, at random inputs
    tinygrad-seq check --only cells                  those of this package
    tinygrad-seq check                               all that this package has

    An op is held against how its function really moves, in shapes of all kinds, broadcast and empty ones too, in
    float32 and float64; layers and cells are held to what else they must keep.  The code is 0 where all is right, 1
    where something is wrong, 2 where it cannot be checked.
    """
    if find_spec("hypothesis") is None:
        raise NotCheckedError('check makes its examples with hypothesis: pip install "tinygrad-seq[testing]"')
    asked = Asked(example, shapes, order, budget, seed)
    with threadpool_limits(1):
        checks = [check for target in targets for check in checks_of(target, asked)]
        if not targets:
            checks = package_checks(asked)
        chosen = [check for check in checks if fits(check, only, word)]
        if not chosen:
            raise NotCheckedError(f"of {len(checks)} things to check none fits {describe(only, word)}")
        done = checked(chosen)
    if picture is not None:
        for one in done:
            if one.report is not None and one.wrong:
                paths = one.report.save(Path(picture, f"{file_name(one.check.name)}.txt"))
                click.echo(f"In {' and '.join(map(str, paths))}")
    if any(one.wrong for one in done):
        raise SystemExit(1)
    if any(one.report is None for one in done):
        raise SystemExit(2)


def fits(check: Check, only: str | None, word: str | None) -> bool:
    """Whether a check is one of those that were asked for."""
    return (only is None or check.kind == KINDS[only]) and (word is None or word.lower() in check.name.lower())


def describe(only: str | None, word: str | None) -> str:
    """The options that choose, as they were typed."""
    return " ".join(part for part in (only and f"--only {only}", word and f"-k {word}") if part)


def file_name(name: str) -> str:
    """A name for a file, without what no file may have."""
    return re.sub(r"[^\w.\- ]+", "_", name).strip().replace(" ", "_") or "report"


# ---- the table -----------------------------------------------------------------------


class Done(NamedTuple):
    """A check, and what came of it: a report, or why it was not done."""

    check: Check
    report: Report | None
    why_not: str = ""

    @property
    def wrong(self) -> bool:
        """Whether something is wrong."""
        return self.report is not None and not self.report


def checked(checks: Sequence[Check]) -> list[Done]:
    """Run the checks, a line of the table for each as it is done, and below it what is wrong.

    Interrupted it says what was found so far.
    """
    console = Console(highlight=False, soft_wrap=True)
    right, wrong = RIGHT if can_show(sys.stdout, "".join(RIGHT)) else WRONG
    room = max(NARROWEST, min(WIDEST, max(cell_len(check.name) for check in checks), console.width - 40))
    console.print(Text(f"{fitted('name', room)}  {'kind':<9} {'compared':>9} {'seconds':>8}", style="bold"))
    done: list[Done] = []
    began = time.perf_counter()
    try:
        for check in checks:
            start = time.perf_counter()
            with console.status(f"{check.name} …"):
                try:
                    one = Done(check, check.report())
                except NotCheckedError as error:
                    one = Done(check, None, error.message)
            done.append(one)
            compared = f"{one.report.checks:,}" if one.report is not None and one.report.checks else ""
            spent = time.perf_counter() - start
            line = Text(f"{fitted(check.name, room)}  {check.kind:<9} {compared:>9} {spent:>8.2f}  ")
            if one.report is None:
                line.append("not checked", style="yellow")
            else:
                line.append(wrong if one.wrong else right, style="bold red" if one.wrong else "green")
            console.print(line)
    except KeyboardInterrupt:
        said = f"Stopped with {len(done)} of {len(checks)} checked"
        tell(console, done, f"{said}: ", time.perf_counter() - began)
        raise KeyboardInterrupt(said) from None
    tell(console, done, "", time.perf_counter() - began)
    return done


def tell(console: Console, done: Sequence[Done], before: str, spent: float) -> None:
    """What is wrong in words, what was not checked, and a line that sums up."""
    for one in done:
        if one.wrong or one.report is None:
            words = str(one.report) if one.wrong else f"{one.check.name} was not checked: {one.why_not}"
            console.print()
            for n, line in enumerate(words.splitlines()):
                say(console, line, "" if n else "bold red" if one.wrong else "yellow")
    right = [one for one in done if one.report]
    notes = [f"{check.name}: {note}" for check, report, _ in right for note in (report.notes if report else ())]
    if notes and len(done) <= FEW:
        console.print()
        for note in dict.fromkeys(notes):
            say(console, f"Note on {note}")
    console.print()
    wrong = [one.check.name for one in done if one.wrong]
    if wrong:
        said = f"{len(wrong)} of {len(done)} wrong: {', '.join(wrong)}"
    else:
        said = f"{'all ' if 1 < len(right) == len(done) else ''}{len(right)} right"
    left = sum(one.report is None for one in done)
    said += f", {left} not checked" if left else ""
    compared = sum(one.report.checks for one in done if one.report is not None)
    say(console, f"{before}{said} ({compared:,} numbers compared in {spent:.1f} s)")


def say(console: Console, line: str, style: str = "") -> None:
    """A line of text: in a terminal broken between words, and as far in as it begins; elsewhere as it is."""
    if console.is_terminal:
        indent = len(line) - len(line.lstrip())
        console.print(Padding(Text(line.strip(), style=style), (0, 0, 0, indent), expand=False), soft_wrap=False)
    else:
        console.print(Text(line, style=style))


def fitted(name: str, room: int) -> str:
    """A name as wide as its column, cut where it is longer."""
    return set_cell_size(name if cell_len(name) <= room else set_cell_size(name, room - 1).rstrip() + "…", room)
