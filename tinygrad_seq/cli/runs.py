"""Runs on disk: the folder of each training, and which of them is meant."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from tinygrad_seq.models import Vocabulary
from tinygrad_seq.models.tasks import Shape, tasks
from tinygrad_seq.models.training import read_meta

from ..errors import CheckpointError

__all__ = ["CHECKPOINT", "MINUTES", "OUT", "Run", "command_line", "newest_run", "run_in", "told"]

OUT = Path("out")  # where runs are, unless told otherwise
CHECKPOINT = "checkpoint.safetensors"
MINUTES = "which takes about two minutes"  # to train on dates, or on english, with one core of a laptop


class Run(NamedTuple):
    """A training on disk.  meta: what its checkpoint tells of the experiment, see `Experiment.to_dict`."""

    folder: Path
    meta: Mapping[str, Any]

    @property
    def checkpoint(self) -> Path:
        """The file."""
        return self.folder / CHECKPOINT

    @property
    def shape(self) -> Shape | None:
        """The shape of its task."""
        return {about.name: about.shape for about in tasks()}.get(str(self.meta.get("task")))

    @property
    def title(self) -> str:
        """Where it is, and of which task."""
        return f"{self.folder} ({self.meta.get('task')})"

    def unknown(self, text: str) -> list[str]:
        """The tokens of a text that the model has never seen, each once."""
        vocabulary = Vocabulary.from_dict(self.meta["vocabularies"]["source"])
        return [token for token in dict.fromkeys(vocabulary.tokenize(text)) if token not in vocabulary]


def run_in(folder: str | Path) -> Run:
    """The run in a folder.  Raises ClickException where there is none, CheckpointError where it cannot be read."""
    path = Path(folder) / CHECKPOINT
    if not path.is_file():
        raise click.ClickException(f"there is no run in {str(folder)!r}, which has no {CHECKPOINT}: train one first")
    return Run(Path(folder), read_meta(path))


def newest_run(fits: Callable[[Run], bool]) -> Run | None:
    """The newest run under `OUT` that fits; those that cannot be read are passed over, with a word."""
    paths = sorted(OUT.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in paths:
        try:
            run = run_in(path.parent)
        except (CheckpointError, OSError) as error:
            click.echo(f"Passed over: {error}", err=True)
            continue
        if fits(run):
            return run
    return None


def told(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was begun with, by the names of the options of the command line.

    >>> from tinygrad_seq.cli.runs import told
    >>> told({"task": "hello", "options": {"word": "OXO"}, "build": {"model": "rnn"}, "seed": 7, "plan": {"lr": 0.1}})
    {'task': 'hello', '--option word': 'OXO', '--model': 'rnn', '--seed': 7, '--steps': None, '--lr': 0.1}
    """
    plan = dict(meta.get("plan", {}))
    return {
        "task": meta.get("task"),
        **{f"--option {name}": x for name, x in meta.get("options", {}).items()},
        **{f"--{name}": x for name, x in meta.get("build", {}).items()},
        "--seed": meta.get("seed"),
        "--steps": plan.pop("updates", None),
        **{f"--{name.replace('_', '-')}": x for name, x in plan.items()},
    }


def command_line(*words: object) -> str:
    """A command to copy into a shell.

    >>> from tinygrad_seq.cli.runs import command_line
    >>> command_line("translate", "21 octobre 2045")
    "tinygrad-seq translate '21 octobre 2045'"
    """
    return " ".join(["tinygrad-seq", *(shlex.quote(str(word)) for word in words)])
