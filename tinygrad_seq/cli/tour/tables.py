"""What a tour prints: of each chapter its claims and whether they hold, of HELLO every step, in the end all models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tinygrad_seq.models.tour import Chapter
from tinygrad_seq.viz.pictures.labels import token_text, visible
from tinygrad_seq.viz.report import SIGNS, Texts

__all__ = ["chapter_lines"]

COLOURS = {"holds": "green", "partly": "yellow", "fails": "red"}


def chapter_lines(chapter: Chapter, texts: Texts) -> RenderableType:
    """A chapter for the terminal."""
    about = texts[f"chapters.{chapter.name}"]
    lines: list[RenderableType] = [Text(texts.plain(about["title"], chapter.values), style="bold")]
    if chapter.name == "rnn":
        after = texts.plain(texts["words.after_updates"], chapter.values)
        lines += [word_table(chapter, texts, *how) for how in (("before", texts.name("before")), ("after", after))]
    if chapter.name == "ending":
        lines += [models_table(chapter, texts), Text(texts.plain(about["legend"], chapter.values), style="dim")]
    lines += claims(chapter, texts)
    return Group(*lines, "")


def claims(chapter: Chapter, texts: Texts) -> Iterator[RenderableType]:
    """What the lecture says, and what was found."""
    for block in texts[f"chapters.{chapter.name}.blocks"]:
        if block.get("claim") not in chapter.outcomes:
            continue
        outcome = chapter.outcomes[block["claim"]]
        values = {**chapter.values, "outcome": outcome}
        said = Text(f"{SIGNS[outcome]} ", style=COLOURS[outcome])
        said.append(visible(texts.plain(block["says"], values)), style="default")
        yield said
        yield Padding(Text(visible(texts.plain(block["found"], values)), style="dim"), (0, 0, 0, 2))


def word_table(chapter: Chapter, texts: Texts, when: str, title: str) -> Table:
    """Per step: what went in, what should come out and what did, the loss, and the gradient of the last loss."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for n, head in enumerate(texts["chapters.rnn.terminal"]):
        shown.add_column(texts.plain(head, chapter.values), justify="center" if n in (1, 2, 3) else "right")
    for row in chapter.tables["word"]:
        right = "green" if row[f"right_{when}"] else "red"
        shown.add_row(
            str(row["t"]), Text(token_text(row["token"])), Text(token_text(row["target"])),
            Text(token_text(row[f"says_{when}"]), style=right), f"{row[f'L_{when}']:.3f}",
            f"{row[f'flow_{when}']:.3g}", f"{row[f'part_{when}']:.3g}",
        )  # fmt: skip
    return shown


def models_table(chapter: Chapter, texts: Texts) -> Table:
    """All models: the table that the report ends with, narrow enough for 80 columns."""
    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for n, head in enumerate(texts["chapters.ending.terminal"]):
        shown.add_column(head, justify="right" if n else "left", overflow="fold")
    for row in chapter.tables["models"]:
        shown.add_row(*map(Text, models_row(row, texts)))
    return shown


def models_row(row: dict[str, Any], texts: Texts) -> list[str]:
    """One model of it."""
    memory = "/".join(f"{100 * row[f'memory_{k}']:.0f}" for k in (10, 20, 50))
    decay = f"{row['decay_init']:.2f}→{row['decay_trained']:.2f}"
    return [texts.name(row["model"]), decay, memory, str(row["path"]), str(row["sequential"]),
            f"{100 * row['score']:.0f}", f"{row['milliseconds']:.1f}"]  # fmt: skip
