"""`tinygrad-seq draw`: what a model computes, step by step, as a picture."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from click.types import StringParamType
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.viz import draw_graph, draw_unrolled
from tinygrad_seq.viz.errors import NoTimeStepsWarning
from tinygrad_seq.viz.pictures.drawing import FORMATS
from tinygrad_seq.viz.pictures.labels import visible
from tinygrad_seq.viz.reading.levels import LEVELS
from tinygrad_seq.viz.text.draw import NARROWEST
from tinygrad_seq.viz.unrolled.draw import STYLES

from ..errors import TinygradSeqError
from .asking import USUAL_MODEL, Word, chosen_run, record_asked_for, record_options
from .files import output_folder
from .numbers import POSITIVE
from .records import Recorded
from .runs import OUT, Run

__all__ = ["draw_command"]

STREAM = "-"  # for --out: standard output
TEXT, TEXT_FILE = "text", ".txt"
SIGNS, WIDTH = "╭▁ₜ", 100  # of a drawing as text; its columns where there is no terminal
USUAL_STYLE = "modules"
LONGEST = 60  # letters of a title that are said
COLOURS = ("grad", "value", "none")
TIMELESS = "the model takes all steps at once, in no order of time"


class Steps(StringParamType):
    """Which steps to show: "auto", "all", or their numbers."""

    name = "steps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A word, or the numbers.  Raises BadParameter."""
        if value in ("auto", "all"):
            return str(value)
        try:
            return [int(number) for number in value.split(",")]
        except ValueError:
            self.fail(f"{value!r} is neither auto nor all nor a list of steps such as 1,2,50,-1.", param, ctx)


@click.command("draw")
@record_options
@click.option("--style", type=Word(STYLES), metavar="NAME", help=f"{', '.join(STYLES)}.  [default: {USUAL_STYLE}]")
@click.option("--level", type=Word(LEVELS), metavar="NAME", help=f"Of detail: {', '.join(LEVELS)}.")
@click.option("--folded", is_flag=True, help="One step, with a loop in place of time.")
@click.option("--show", type=Steps(), metavar="STEPS", default="auto", show_default=True,
              help="all, or numbers: 1,2,50,-1.")  # fmt: skip
@click.option("--colour", "--color", type=Word(COLOURS), metavar="NAME",
              help=f"{', '.join(COLOURS)}.  [default: grad; in textbook style none]")  # fmt: skip
@click.option("--values", is_flag=True, help="Write values into the boxes.")
@click.option("--title", metavar="TEXT", help="What stands over the picture.")
@click.option("--dark", is_flag=True, help="For dark pages.")
@click.option("--out", type=click.Path(dir_okay=False, allow_dash=True), metavar="FILE",
              help=f"{', '.join(FORMATS)}, {TEXT_FILE}; - is standard output.  [default: out/MODEL.svg]")  # fmt: skip
@click.option("--dpi", type=POSITIVE, metavar="X", help="Of a .png: 96 is the size on screen.  [default: 192]")
def draw_command(
    folder: str | None, style: str | None, level: str | None, folded: bool, show: str | Sequence[int],
    colour: str | None, values: bool, title: str | None, dark: bool, out: str | None, dpi: float | None, **given: Any,
) -> None:  # fmt: skip
    """Draw what a model computes, step by step.

    Time runs from left to right, a column for each step, with the text below.  The colour of a box is its gradient: how
    much the loss would change with it.  Of a long text the first and last steps are drawn; --show says which.

    \b
    tinygrad-seq draw --model rnn --text HELLO
    tinygrad-seq draw --model lstm --text HELLO --style textbook --out lstm.svg
    tinygrad-seq draw --text 안녕 --target hello --attention dot --train 100

    A recurrent model says which letter comes next; with a --target it reads the text and writes that one.  seq2seq, a
    GRU that does so, and self-attention write the text backwards where there is no --target.
    """
    asked = {name: x for name, x in given.items() if x not in (None, False)}
    run = chosen_run(folder, asked)
    path, style = file_and_style(out, style, asked, run)
    options: dict[str, Any] = {"style": style, "level": level, "folded": folded, "show": show, "values": values}
    options |= {"title": title, "dark": dark}
    if colour is not None:
        options["colour"] = None if colour == "none" else colour
    with threadpool_limits(1), nullcontext() if path is None else output_folder(path.parent):
        recorded = record_asked_for(asked, run)
        try:
            drawing = draw(recorded, options)
            if path is not None:
                drawing.save(path, **({} if dpi is None else {"dpi": dpi}))
        except ValueError as error:  # for what does not fit this record, or this picture
            raise error if isinstance(error, TinygradSeqError) else click.UsageError(str(error)) from None
    if path is None:
        click.echo(printed(drawing) if style == TEXT else drawing.svg)
    else:
        title = recorded.title if len(recorded.title) <= LONGEST else recorded.title[: LONGEST - 1] + "…"
        click.echo(f"{visible(title)}\nThe picture: {path}{how_to_open(path)}")


def file_and_style(
    out: str | None, style: str | None, asked: dict[str, Any], run: Run | None
) -> tuple[Path | None, str]:
    """Where the picture goes, None for standard output, and its style.  Raises UsageError where they do not fit."""
    if out == STREAM or (out is None and style == TEXT):
        return None, style or USUAL_STYLE
    usual = OUT / f"{asked.get('model', USUAL_MODEL)}.svg" if run is None else run.folder / "drawing.svg"
    path = usual if out is None else Path(out)
    ending = path.suffix.lower()
    if ending not in (*FORMATS, TEXT_FILE):
        raise click.BadParameter(
            f"{str(path)!r} ends in none of {', '.join((*FORMATS, TEXT_FILE))}, which say what to write.",
            param_hint="--out",
        )
    style = style or (TEXT if ending == TEXT_FILE else USUAL_STYLE)
    if (style == TEXT) != (ending == TEXT_FILE):
        raise click.UsageError(f"--style {TEXT} and files that end in {TEXT_FILE} go together, got {style} and {path}")
    return path, style


def draw(recorded: Recorded, options: dict[str, Any]) -> Any:
    """The picture.  Says so where the record has no time steps, and is drawn op by op."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", NoTimeStepsWarning)
            said: dict[str, Any] = {"tokens": recorded.tokens, "predictions": recorded.predictions}
            return draw_unrolled(recorded.loss, **({} if options["folded"] else said), **options)
    except NoTimeStepsWarning:
        if options["style"] == TEXT:
            raise click.ClickException(f"{TIMELESS}: there is no text of it, take another --style") from None
        click.echo(f"{TIMELESS}: drawn op by op".capitalize(), err=True)
        return draw_graph(recorded.loss, title=options["title"], dark=options["dark"])


def printed(drawing: Any) -> str:
    """A drawing as text, as wide as the terminal, in letters that it has."""
    width = max(NARROWEST, shutil.get_terminal_size((WIDTH, 0)).columns)
    return str(drawing.text(width=width, ascii=not can_show(sys.stdout, SIGNS)))


def can_show(stream: Any, text: str) -> bool:
    """Whether a stream has signs for a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def how_to_open(path: Path) -> str:
    """What shows a file of that kind."""
    kinds = {".svg": "a browser", ".html": "a browser", ".dot": "a Graphviz viewer, or neato -n2 -Tsvg"}
    return f" (for {kinds[path.suffix.lower()]})" if path.suffix.lower() in kinds else ""
