"""`tinygrad-seq tasks`: what there is to learn, as a table, and one task in detail."""

from __future__ import annotations

import click
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tinygrad_seq.models.build import ATTENTIONS, Build, attention_for, build, models_for
from tinygrad_seq.models.tasks import Examples, Generated, Split, Task, Windows, task, tasks

from ..errors import DataError
from .examples import table_of_examples
from .runs import command_line

__all__ = ["tasks_command"]

EXAMPLES = 3
SHAPES = {  # in words, and the metric that says most
    "next token": ("what comes next, at each step", "bits_per_character"),
    "many-to-one": ("a sequence → a class or a number", "accuracy"),
    "one-to-many": ("a vector → a sequence", "exact_match"),
    "aligned": ("a sequence → a tag at each step", "accuracy"),
    "seq2seq": ("a sequence → another, of another length", "exact_match"),
}


@click.command("tasks")
@click.argument("name", metavar="[TASK]", required=False)
def tasks_command(name: str | None) -> None:
    """List what there is to learn, or show one task.

    \b
    tinygrad-seq tasks dates
    """
    console = Console(highlight=False)
    if name is None:
        console.print(table_of_all())
        console.print(Text("\nOne in detail: tinygrad-seq tasks dates\nTo train on it: tinygrad-seq train dates"))
        return
    try:
        one = task(name)
    except DataError as error:
        raise click.UsageError(str(error)) from None
    console.print(detail(one))


# ---- all -----------------------------------------------------------------------------


def table_of_all() -> Group:
    """All tasks, and below where their data comes from."""
    by_shape = {shape: [about for about in tasks() if about.shape == shape] for shape in SHAPES}
    every_source = dict.fromkeys(about.data for abouts in by_shape.values() for about in abouts)
    sources = {data: n for n, data in enumerate(every_source, start=1)}
    table = Table(title="Tasks", title_justify="left", title_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("what it is")
    table.add_column("data", justify="right")
    table.add_column("guessing gets", justify="right")
    for shape, abouts in by_shape.items():
        table.add_section()
        table.add_row(Text(shape, style="bold"), Text(SHAPES[shape][0], style="italic"))
        for about in abouts:
            table.add_row(about.name, about.title, Text(f"[{sources[about.data]}]"), guessing(task(about.name)))
    return Group(table, *(Text(f"[{n}] {data}") for data, n in sources.items()))


def guessing(of: Task) -> str:
    """What one gets who knows only how often each answer occurs: the metric that says most."""
    metrics = of.baseline("test")
    metric = "mse" if of.regression else SHAPES[of.shape][1]
    return f"{metric.replace('_', ' ')} {metrics[metric]:.3g}"


# ---- one -----------------------------------------------------------------------------


def detail(of: Task) -> Group:
    """A task: what it is, its examples, its sizes, its options, its models."""
    training = of.training
    facts = {
        "shape": f"{of.shape}: {SHAPES[of.shape][0]}",
        "data": of.data,
        "to train on": "made anew for each batch" if isinstance(of.train, Generated) else size(of.train),
        "to choose by": size(of.valid),
        "to test with": size(of.test),
        "guessing gets": ", ".join(f"{name.replace('_', ' ')} {x:.3g}" for name, x in of.baseline("test").items()),
        "options": " ".join(f"{name}={x}" for name, x in of.options.items()),
        "training": f"steps={training.updates} lr={training.lr:g} clip={training.clip:g} hidden={training.hidden}",
        "models": ", ".join(models_for(of.shape)),
    }
    if attention_for(of.shape):
        facts["attention"] = ", ".join(ATTENTIONS)
    table = Table(title=f"{of.name}: {of.title}", title_justify="left", title_style="bold", show_header=False)
    for name, words in facts.items():
        table.add_row(Text(name), Text(words))
    untrained = build(of, Build("gru", hidden=4))  # its answers are not shown
    examples = table_of_examples(of, untrained, EXAMPLES, answers=False)
    return Group(table, examples, Text(f"To train: {command_line('train', of.name)}"))


def size(part: Split) -> str:
    """How much data there is, in words."""
    if isinstance(part, Examples):
        return f"{len(part):,} examples"
    if isinstance(part, Windows):
        return f"{len(part.xs):,} steps, in windows of {part.length}"
    return f"{part.size:,} examples, made the same each time" if isinstance(part, Generated) else "so much as there is"
