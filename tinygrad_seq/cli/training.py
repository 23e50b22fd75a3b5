"""`tinygrad-seq train`: train a model on a task, keep it, and say how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.models.build import ATTENTIONS, DTYPES, MODELS, Build, models_for
from tinygrad_seq.models.experiment import Experiment
from tinygrad_seq.models.tasks import task, task_options, tasks
from tinygrad_seq.models.tasks.catalogue import nearest
from tinygrad_seq.models.training import History
from tinygrad_seq.models.training.progress import duration
from tinygrad_seq.viz import plot_history

from ..errors import DataError, TinygradSeqError
from .examples import table_of_examples
from .files import chart_files, output_folder, write_all
from .numbers import COUNT, POSITIVE, SEED, Number
from .runs import CHECKPOINT, OUT, Run, command_line, newest_run, run_in, told

__all__ = ["train_command"]

EXAMPLES = 5
USUAL_MODEL = "gru"


@click.command("train")
@click.argument("name", metavar="TASK", required=False)
@click.option("--model", help=f"{', '.join(MODELS)}.  [default: {USUAL_MODEL}]")
@click.option("--attention", help=f"{', '.join(ATTENTIONS)}; for recurrent models.")
@click.option("--steps", type=COUNT, metavar="N", help="How many updates.  [default: the task's]")
@click.option("--seed", type=SEED, metavar="N", help="Start of the random numbers.  [default: 0]")
@click.option("--out", type=click.Path(), metavar="FOLDER", help="Where to keep it.  [default: out/TASK-MODEL…]")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint there; --steps may be more than before.")
@click.option("--overwrite", is_flag=True, help="Begin anew where there is a checkpoint already.")
@click.option("--hidden", type=COUNT, metavar="N", help="Width of the state.")
@click.option("--layers", type=COUNT, metavar="N", help="How many layers.")
@click.option("--heads", type=COUNT, metavar="N", help="Heads of a transformer.")
@click.option("--bidirectional", is_flag=True, help="Read from both ends.")
@click.option("--dropout", type=Number(0, 1, max_open=True), metavar="P", help="Between layers.")
@click.option("--dtype", type=click.Choice(DTYPES), help="Of the parameters.  [default: float32]")
@click.option("--lr", type=POSITIVE, metavar="X", help="Learning rate of Adam.")
@click.option("--clip", type=POSITIVE, metavar="X", help="Largest norm of the gradient.")
@click.option("--clip-steps", type=POSITIVE, metavar="X", help="Largest norm of it at each time step.")
@click.option("--patience", type=COUNT, metavar="N", help="Stop after N validations that are no better.")
@click.option("--batch", type=int, metavar="N", help="Examples in a batch.")
@click.option("--length", type=int, metavar="N", help="Length of the sequences, where the task has one.")
@click.option("--option", "others", multiple=True, metavar="NAME=VALUE", help="Another option of the task.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def train_command(
    name: str | None, out: str | None, seed: int | None, steps: int | None, resume: bool, overwrite: bool,
    others: tuple[str, ...], batch: int | None, length: int | None, quiet: bool, **given: Any,
) -> None:  # fmt: skip
    """Train a model on a task, and keep it.

    \b
    tinygrad-seq train hello --model rnn
    tinygrad-seq train dates --attention additive
    tinygrad-seq train order --length 100 --model transformer

    The tasks are those of `tinygrad-seq tasks`.  The folder gets a checkpoint while it trains, and at the end
    history.csv and a chart of it.  Ctrl-C saves, and --resume goes on, to the bits of a run that was not interrupted.
    """
    if name is None:
        raise click.UsageError(f"say which TASK to train on: {', '.join(about.name for about in tasks())}")
    if out is not None and not out:
        raise click.BadParameter("a folder needs a name", param_hint="--out")
    if resume and overwrite:
        raise click.UsageError("--resume goes on and --overwrite begins anew: take one of them")
    progress, answer = None if quiet else Console(stderr=True), Console(highlight=False)
    plan = {part: given.pop(part) for part in ("lr", "clip", "clip_steps", "patience")}
    options = options_of(name, others, batch=batch, length=length)
    if resume:
        asked = {"task": name, "options": options, "build": {part: x for part, x in given.items() if x}, "plan": plan}
        run = run_to_resume(asked if seed is None else asked | {"seed": seed}, out, steps)
        experiment, folder, plan = Experiment.from_dict(run.meta, str(run.checkpoint)), run.folder, {}
    else:
        experiment = new_experiment(name, options, given, seed or 0)
        folder = new_folder(experiment, out, overwrite)
    go_on = command_line("train", name, "--resume", "--out", folder)
    with output_folder(folder), threadpool_limits(1):
        history = experiment.train(
            updates=steps, **plan, path=folder / CHECKPOINT, resume=resume, hint=go_on, console=progress
        )
        history.to_csv(folder / "history.csv")
        write_all(folder, chart_files("history", plot_history(history, title=experiment.title)))
        if quiet:
            return
        answer.print(outcome(experiment, history))
        answer.print(table_of_examples(experiment.task, experiment.model, EXAMPLES))
        answer.print(Text(f"In {folder}: {CHECKPOINT}, history.csv, history.svg, history.png"), soft_wrap=True)
        answer.print(Text(what_next(experiment, folder)), soft_wrap=True)


# ---- what is asked for ---------------------------------------------------------------


def options_of(name: str, others: tuple[str, ...], **given: int | None) -> dict[str, Any]:
    """The options of a task that were given, by name, each of the kind that it is of.  Raises UsageError."""
    try:
        defaults = task_options(name)
    except DataError as error:
        raise click.UsageError(str(error)) from None
    options: dict[str, Any] = {option: x for option, x in given.items() if x is not None}
    for other in others:
        option, equals, text = other.partition("=")
        if not equals:
            raise click.UsageError(f"--option {other}: write it as NAME=VALUE, such as --option seed=1")
        number = isinstance(defaults.get(option), int)
        try:
            options[option] = int(text) if number else text
        except ValueError:
            raise click.UsageError(f"--option {other}: {option} is an integer, such as {defaults[option]}") from None
    for option in options:
        if option not in defaults:
            known = f"{name} has {', '.join(f'{o}={x}' for o, x in defaults.items())}"
            raise click.UsageError(f"task {name} has no option {option!r}{nearest(option, defaults)} {known}")
    return options


def new_experiment(name: str, options: dict[str, Any], given: dict[str, Any], seed: int) -> Experiment:
    """The experiment that was asked for.  Raises UsageError for what cannot be."""
    asked = {part: x for part, x in given.items() if x is not None}
    try:
        return Experiment(task(name, **options), Build(**{"model": USUAL_MODEL, **asked}), seed=seed)
    except TinygradSeqError as error:
        raise click.UsageError(str(error)) from None


def new_folder(experiment: Experiment, out: str | None, overwrite: bool) -> Path:
    """Where to keep a run: in `out`, or in out/TASK-MODEL-ATTENTION.  Raises ClickException where there is one."""
    how = experiment.how
    usual = OUT / "-".join([experiment.task.name, how.model, *([how.attention] if how.attention else [])])
    folder = usual if out is None else Path(out)
    if (folder / CHECKPOINT).exists() and not overwrite:
        raise click.ClickException(
            f"{folder} has a run already: --resume goes on with it, --out takes another folder, --overwrite begins anew"
        )
    return folder


def run_to_resume(asked: Mapping[str, Any], out: str | None, steps: int | None) -> Run:
    """The run to go on with: the one in `out`, or the newest that is what was asked for.

    Raises ClickException where it is something else, saying in what, or where there is none.
    """
    wanted = {option: x for option, x in told(asked).items() if x is not None and option != "--steps"}

    def differences(run: Run) -> list[str]:
        had = told(run.meta)
        return [
            f"{option} {x} (not {'given then' if had.get(option) is None else had[option]})"
            for option, x in wanted.items()
            if had.get(option) != x
        ]

    if out is not None:
        run: Run | None = run_in(out)
    else:
        run = newest_run(lambda one: not differences(one))
        run = run or newest_run(lambda one: one.meta.get("task") == asked["task"])
    if run is None:
        raise click.ClickException(
            f"there is no run of {asked['task']} in {OUT}/ to go on with: leave out --resume, or say where with --out"
        )
    if differences(run):
        raise click.ClickException(
            f"the run in {run.folder} was begun with other options: {', '.join(differences(run))}. "
            "To go on leave them out, to begin another give another --out"
        )
    before = told(run.meta)["--steps"] or 0
    if steps is not None and steps < before:
        raise click.UsageError(f"--steps {steps} is less than the {before} that the run in {run.folder} is to make")
    return run


# ---- what came of it -----------------------------------------------------------------


def outcome(experiment: Experiment, history: History) -> Group:
    """The metrics on what was not trained on, beside what guessing gets, and how long it took."""
    seconds, updates = sum(history.seconds), history.updates  # without measuring and saving
    said = f"{experiment.title}, {updates:,} updates in {duration(seconds)} ({updates / seconds:.3g} per second)"
    table = Table()
    columns = {
        "valid": experiment.task.evaluate(experiment.model, "valid"),
        "test": experiment.task.evaluate(experiment.model, "test"),
        "test, by guessing": experiment.task.baseline("test"),
    }
    table.add_column("metric")
    for head in columns:
        table.add_column(head, justify="right")
    for metric in columns["test"]:
        table.add_row(metric.replace("_", " "), *(f"{column[metric]:.4g}" for column in columns.values()))
    return Group(Text(said, style="bold"), table)


def what_next(experiment: Experiment, folder: Path) -> str:
    """What can be done now."""
    of = experiment.task
    if of.shape == "seq2seq":
        given = of.show(experiment.model, np.random.default_rng(1), 1, "test")[0].input
        return f"Use it: {command_line('translate', given, '--from', folder)}"
    if of.shape in ("next token", "one-to-many"):
        prompt = ["7"] if of.shape == "one-to-many" else []
        return f"Use it: {command_line('generate', *prompt, '--from', folder)}"
    others = [model for model in models_for(of.shape) if model != experiment.how.model]
    return f"To compare: {command_line('train', of.name, '--model', others[-1])}"
