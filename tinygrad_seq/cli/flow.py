"""`tinygrad-seq flow`: gradient against distance for several models, at initialisation and after training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tinygrad_seq.models.flow import Comparison, finished_runs, plan, sweep
from tinygrad_seq.models.flow.comparing import MODELS, MOMENTS
from tinygrad_seq.models.flow.networks import INITIALISATIONS, NETWORKS
from tinygrad_seq.models.flow.sweeping import forget_runs
from tinygrad_seq.models.flow.trials import UPDATES, Trial
from tinygrad_seq.viz import Chart, plot_distance

from ..errors import CheckpointError, DataError
from .files import chart_files, output_folder, write_all
from .numbers import COUNT
from .runs import command_line

__all__ = ["flow_command"]


class Several(click.ParamType):  # type: ignore[type-arg]  # a generic only since click 8.3
    """Names, or numbers of at least 1, with commas between them."""

    def __init__(self, kind: type) -> None:
        self.kind, self.name = kind, "list"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The list.  Raises BadParameter."""
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts:
            self.fail("is empty: write one or more, with commas between them", param, ctx)
        if self.kind is int:
            return [COUNT(part, param, ctx) for part in parts]
        return parts


@click.command("flow")
@click.option(
    "--models", type=Several(str), default=",".join(MODELS), show_default=True, metavar="A,B,…",
    help=f"Of {', '.join(NETWORKS)}.",
)  # fmt: skip
@click.option("--steps", type=Several(int), default="50", show_default=True, metavar="N", help="Length T, or several.")
@click.option("--seeds", type=COUNT, default=5, show_default=True, metavar="N", help="Runs of each model.")
@click.option(
    "--initialisations", type=Several(str), default="default", show_default=True, metavar="A,B,…",
    help=f"How W_h starts, of {', '.join(INITIALISATIONS)}.",
)  # fmt: skip
@click.option("--hidden", type=COUNT, default=32, show_default=True, metavar="N", help="Width of the state.")
@click.option("--updates", type=COUNT, metavar="N", help=f"How long to train on recall.  [default: {UPDATES}]")
@click.option("--untrained", is_flag=True, help="Measure at initialisation alone, which takes seconds.")
@click.option("--jobs", type=COUNT, metavar="N", help="Processes.  [default: one for each core]")
@click.option("--dask", metavar="ADDRESS", help="Run on a Dask cluster: tcp://host:port of its scheduler.")
@click.option("--out", type=click.Path(), default="out/flow", show_default=True, metavar="FOLDER", help="Where to.")
@click.option("--resume", is_flag=True, help="Go on with the runs that are there; --seeds may be more than before.")
@click.option("--overwrite", is_flag=True, help="Begin anew where there are runs already.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def flow_command(
    models: list[str], steps: list[int], seeds: int, initialisations: list[str], hidden: int, updates: int | None,
    untrained: bool, jobs: int | None, dask: str | None, out: str, resume: bool, overwrite: bool, quiet: bool,
) -> None:  # fmt: skip
    """Measure how much gradient comes back over many steps, in several models.

    \b
    tinygrad-seq flow --untrained
    tinygrad-seq flow --models rnn,lstm,lstm-pytorch --seeds 10
    tinygrad-seq flow --models rnn,gru --steps 20,50 --initialisations default,orthogonal

    Each model is measured as it starts, and after training on recall: which symbol came first?  Prints a table, and
    writes pictures, flow.csv (a row for every step), runs.csv (a row for every run), and the same as Parquet where
    pyarrow is installed.  Ctrl-C keeps the runs that are done, and --resume goes on with them.
    """
    if not out:
        raise click.BadParameter("a folder needs a name", param_hint="--out")
    if resume and overwrite:
        raise click.UsageError("--resume goes on and --overwrite begins anew: take one of them")
    if untrained and updates is not None:
        raise click.UsageError("--updates is how long to train, and --untrained says not to: take one of them")
    folder = Path(out)
    progress, answer = None if quiet else Console(stderr=True), Console(highlight=False)
    try:
        trials = plan(
            models, steps, seeds, initialisations=initialisations, hidden=hidden,
            updates=0 if untrained else updates or UPDATES,
        )  # fmt: skip
        if overwrite:
            forget_runs(folder)
        with output_folder(folder):
            comparison = compared(trials, folder, progress, jobs=jobs, dask=dask, resume=resume)
    except (DataError, CheckpointError) as error:
        raise click.UsageError(str(error)) from None
    written = write_tables(comparison, folder)
    files: dict[str, bytes] = {}
    for name, chart in pictures(comparison).items():
        files |= chart_files(name, chart)
    write_all(folder, files)
    if quiet:
        return
    answer.print(comparison.summary())
    for line in verdicts(comparison):
        answer.print(Text(line), soft_wrap=True)
    answer.print(Text(f"In {folder}: {', '.join([*written, *files])}"), soft_wrap=True)


def compared(trials: list[Trial], folder: Path, progress: Console | None, **options: Any) -> Comparison:
    """All runs, kept in the folder; interrupted it says how to go on."""
    try:
        return Comparison(sweep(trials, folder=folder, console=progress, **options), trials)
    except KeyboardInterrupt:
        done = len(finished_runs(folder))
        said = f"Stopped with {done} of {len(trials)} runs done, kept in {folder}. To go on: {again(trials, folder)}"
        click.echo(said, err=True)
        raise KeyboardInterrupt(said) from None


def again(trials: list[Trial], folder: Path) -> str:
    """The command that goes on with these trials."""
    first = trials[0]
    seen = {name: list(dict.fromkeys(getattr(each, name) for each in trials)) for name in Trial._fields}
    parts = ["--models", ",".join(seen["model"]), "--steps", ",".join(map(str, seen["steps"]))]
    parts += ["--seeds", str(len(seen["seed"]))]
    if seen["initialisation"] != ["default"]:
        parts += ["--initialisations", ",".join(seen["initialisation"])]
    if first.differs("hidden"):
        parts += ["--hidden", str(first.hidden)]
    if first.differs("updates"):
        parts += ["--updates", str(first.updates)] if first.updates else ["--untrained"]
    return command_line("flow", *parts, "--out", folder, "--resume")


# ---- what comes out --------------------------------------------------------------------


def pictures(comparison: Comparison) -> dict[str, Chart]:
    """Magnitude against distance, a panel for each moment; of several lengths one picture for each."""
    lengths = list(dict.fromkeys(run.trial.steps for run in comparison.runs))
    charts = {}
    for T in lengths:
        panels = comparison.panels(T)
        name = "flow" if len(lengths) == 1 else f"flow-{T}"
        alone = f", {next(iter(panels))}" if len(panels) == 1 else ""
        title = f"The gradient of the loss at step T = {T}{alone}"
        charts[name] = plot_distance(panels, ylabel="‖∂L_T/∂xₜ‖", title=title)
    return charts


def write_tables(comparison: Comparison, folder: Path) -> list[str]:
    """Write all numbers; the names of the files."""
    comparison.to_csv(folder / "flow.csv")
    comparison.runs_to_csv(folder / "runs.csv")
    if find_spec("pyarrow") is None:
        return ["flow.csv", "runs.csv"]
    comparison.to_parquet(folder / "flow.parquet")
    comparison.runs_to_parquet(folder / "runs.parquet")
    return ["flow.csv", "runs.csv", "flow.parquet", "runs.parquet"]


def verdicts(comparison: Comparison) -> list[str]:
    """A sentence for each model and moment."""
    return [
        f"{comparison.label(**group)}, {MOMENTS[when]}: {comparison.verdict(when=when, **group)}"
        for group in comparison.groups()
        for when in comparison.moments
    ]
