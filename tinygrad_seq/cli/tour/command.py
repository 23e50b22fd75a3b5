"""`tinygrad-seq tour`: walk through the lecture's six chapters, and write a report of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.models.tour import CHAPTERS, FAST, FULL, Chapter, tour
from tinygrad_seq.viz.layout.graphviz_program import layout_program
from tinygrad_seq.viz.report import LANGUAGES, Texts, report_page

from ... import __version__
from ..files import output_folder, write_all
from ..numbers import SEED
from .pictures import files_of, pictures_of
from .tables import chapter_lines

__all__ = ["tour_command"]

PLANS = {"full": FULL, "fast": FAST}


class Reader(Console):
    """A terminal whose reader may leave, as `| head` does: nothing more is printed then, and the report is made."""

    left = False

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = self.left = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.command("tour")
@click.option("--chapter", type=click.IntRange(1, len(CHAPTERS)), metavar="N", help="Only this one, from 1 to 6.")
@click.option("--fast", is_flag=True, help="A version of a minute: fewer updates, fewer seeds.")
@click.option("--lang", type=click.Choice(list(LANGUAGES)), default="en", show_default=True, help="Of the report.")
@click.option("--out", type=click.Path(), default="out/tour", show_default=True, help="Folder for the report.")
@click.option("--seed", type=SEED, default=0, metavar="N", show_default=True, help="Start of all random numbers.")
@click.option("--jobs", type=click.INT, default=-1, metavar="N", help="Models trained at a time.  [default: all cores]")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def tour_command(chapter: int | None, fast: bool, lang: str, out: str, seed: int, jobs: int, quiet: bool) -> None:
    """Walk through the lecture: RNN, LSTM, GRU, seq2seq, attention.

    \b
    tinygrad-seq tour
    tinygrad-seq tour --chapter 3
    tinygrad-seq tour --fast --lang ko

    For each chapter: what the lecture claims, what was measured, and whether the claim holds. In the end all models
    in one table. Writes a report with pictures, index.html, for a browser.
    """
    if not out:
        raise click.BadParameter("a folder needs a name", param_hint="--out")
    if not jobs:
        raise click.BadParameter("0 at a time is none: 1 or more, or -1 for all cores", param_hint="--jobs")
    folder, texts = Path(out), Texts(lang)
    progress, answer = Console(stderr=True, quiet=quiet), Reader(quiet=quiet, highlight=False, soft_wrap=False)
    layout_program()  # raises where there is no Graphviz program: before the work, not after it
    wanted = CHAPTERS if chapter is None else CHAPTERS[chapter - 1 : chapter]
    told: list[Chapter] = []
    inside: dict[str, str] = {}
    beside: dict[str, bytes] = {}
    # More threads gain nothing on such small matrices, and where other programs run they wait for each other.
    with output_folder(folder), threadpool_limits(1):
        for one in tour(PLANS["fast" if fast else "full"], seed, wanted, jobs=jobs, console=progress):
            svgs, files = files_of(pictures_of(one, texts))
            told.append(one)
            inside |= svgs
            beside |= files
            answer.print(chapter_lines(one, texts))
        page = report_page(
            told, inside, texts, command=as_typed(chapter, fast, lang, seed), version=__version__, short=fast
        )
        write_all(folder, beside | {"index.html": page.encode()})
    answer.print(Text(texts.plain(texts["words.report"], {"path": str(folder / "index.html")})), soft_wrap=True)
    if answer.left:
        sys.exit(1)


def as_typed(chapter: int | None, fast: bool, lang: str, seed: int) -> str:
    """The command that makes the same report again."""
    options = [f"--chapter {chapter}"] * (chapter is not None) + ["--fast"] * fast + [f"--lang {lang}"] * (lang != "en")
    return " ".join(["tinygrad-seq tour", *options, f"--seed {seed}"])
