"""Many trials: on all cores or on a Dask cluster, results as they come, kept on disk so that a kill loses none."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from joblib import Parallel, cpu_count, delayed, parallel_config
from rich.console import Console

from tinygrad_seq import __version__, checkpoint
from tinygrad_seq.errors import CheckpointError, DataError, SweepError

from .reporting import Reporter
from .trials import UPDATES, Run, Trial, check_trial, trial

__all__ = ["finished_runs", "forget_runs", "plan", "sweep"]

KEPT = "runs"  # where in the folder finished runs are


class Failure(NamedTuple):
    """A trial that raised, and what."""

    trial: Trial
    error: str


def plan(
    models: Iterable[str],
    steps: int | Iterable[int] = 50,
    seeds: int | Iterable[int] = 5,
    *,
    initialisations: Iterable[str] = ("default",),
    hidden: int = 32,
    updates: int = UPDATES,
) -> list[Trial]:
    """Every model with every length, initialisation and seed, each once.

    steps: one length T, or several.  seeds: how many, 0, 1, …, or which.  updates: how long to train; 0: not at all.
    Raises DataError for what there is not, before anything is run.

    >>> from tinygrad_seq.models.flow import plan
    >>> [each.title for each in plan(["rnn", "lstm"], steps=20, seeds=2)]
    ['rnn, T=20, seed 0', 'rnn, T=20, seed 1', 'lstm, T=20, seed 0', 'lstm, T=20, seed 1']
    """
    for name, given in {"models": models, "initialisations": initialisations}.items():
        if isinstance(given, str):
            raise DataError(f"{name} must be a list of names, got {given!r}: write [{given!r}]")
    if isinstance(seeds, int) and (isinstance(seeds, bool) or seeds < 1):
        raise DataError(f"seeds must be how many, at least 1, or a list of them, got {seeds!r}")
    lengths = [steps] if isinstance(steps, int) else list(steps)
    some = range(seeds) if isinstance(seeds, int) else list(seeds)
    trials = [
        Trial(model, length, seed, initialisation, hidden, updates)
        for model, length, initialisation, seed in product(models, lengths, initialisations, some)
    ]
    trials = list(dict.fromkeys(trials))
    if not trials:
        raise DataError("a comparison needs at least one model, one length, one initialisation and one seed")
    for each in trials:
        check_trial(each)
    return trials


def sweep(
    trials: Sequence[Trial],
    *,
    jobs: int | None = None,
    dask: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Iterator[Run]:
    """Run all trials, and hand out each result when it is there, in any order: the same numbers whatever the backend.

    jobs: how many processes; all cores by default; 1: this one.  dask: the address of a scheduler, "tcp://host:8786",
    whose workers have this library installed; takes the extra `dask`.
    folder: where each finished run is kept, a file of its own, written whole: Ctrl-C or a kill loses only those under
    way.  resume: go on with the runs that are there; all of them must be of these trials.
    console: where to show progress; nowhere by default.
    A trial that fails does not stop the others: at the end SweepError names those that failed, and why.
    Raises DataError, before anything is run, for trials that cannot be, and for a folder that has other runs.

    >>> from tinygrad_seq.models.flow import plan, sweep
    >>> trials = plan(["rnn", "gru"], steps=10, seeds=1, hidden=4, updates=0)
    >>> sorted(run.trial.model for run in sweep(trials, jobs=1, folder="runs-of-mine"))
    ['gru', 'rnn']
    >>> len(list(sweep(trials, folder="runs-of-mine", resume=True)))                  # nothing is left to do
    2
    """
    trials = list(dict.fromkeys(trials))
    for each in trials:
        check_trial(each)
    check_workers(jobs, dask)
    if resume and folder is None:
        raise DataError("sweep: to resume give folder=, the one with the runs to go on with")
    kept = None if folder is None else Path(folder) / KEPT
    there = {} if kept is None else runs_to_go_on_with(kept, trials, resume)
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
    return results(trials, there, jobs, dask, kept, console)


def results(
    trials: list[Trial], there: dict[Trial, Run], jobs: int | None, dask: str | None, kept: Path | None,
    console: Console | None,
) -> Iterator[Run]:  # fmt: skip
    """Those that are there, and the others when they are done."""
    yield from there.values()
    left, failed = [each for each in trials if each not in there], []
    if not left:
        return
    where = f"Dask, {dask}" if dask else "1 process" if workers(jobs, left) == 1 else f"{workers(jobs, left)} processes"
    with Reporter(console, where, len(trials), len(there)) as report, closing(outcomes(left, jobs, dask)) as arriving:
        for outcome in arriving:
            report.arrived(outcome.trial.title, outcome.error if isinstance(outcome, Failure) else None)
            if isinstance(outcome, Failure):
                failed.append(outcome)
                continue
            if kept is not None:
                checkpoint.save({"version": __version__, **outcome.to_dict()}, kept / file_name(outcome.trial))
            yield outcome
    if failed:
        said = "".join(f"\n  {each.trial.title}: {each.error}" for each in failed)
        more = "; the others are kept, resume goes on with them" if kept is not None and len(failed) < len(left) else ""
        raise SweepError(f"{len(failed)} of {len(trials)} runs failed{more}:{said}")


# ---- who does it -----------------------------------------------------------------------


def outcomes(trials: list[Trial], jobs: int | None, dask: str | None) -> Generator[Run | Failure]:
    """What came of each trial, as it comes."""
    try:
        with nullcontext() if dask is None else cluster(dask):
            options = {} if dask is not None else {"n_jobs": workers(jobs, trials)}
            parallel = Parallel(return_as="generator_unordered", batch_size=1, **options)
            with deaf_to_interrupts():
                arriving = parallel(map(delayed(attempt), trials))
            yield from arriving
    except (DataError, GeneratorExit):
        raise
    except Exception as error:  # of the backend: what a trial raises comes as a Failure
        if dask is not None:
            raise SweepError(f"the Dask cluster at {dask} could not do it: {in_words(error)}") from error
        raise SweepError(f"the processes that run the trials ended: {in_words(error)}") from error


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """Let joblib send its work to the workers of a scheduler; afterwards nothing is left of the connection."""
    from distributed import Client  # an extra, and a second to import

    with Client(address), parallel_config(backend="dask"):  # joblib would leave a client of its own open
        yield


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let processes that start in the block inherit that Ctrl-C is not for them: who started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def attempt(spec: Trial) -> Run | Failure:
    """What comes of a trial, in whatever process."""
    try:
        return trial(spec)
    except Exception as error:
        return Failure(spec, in_words(error))


def in_words(error: Exception) -> str:
    """What went wrong, in a line."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def workers(jobs: int | None, trials: Sequence[Trial]) -> int:
    """How many processes to start."""
    return min(cpu_count() if jobs is None else jobs, len(trials))


def check_workers(jobs: int | None, dask: str | None) -> None:
    """Raise DataError for a number of processes that cannot be, or for Dask where it is not installed."""
    if jobs is not None and (not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1):
        raise DataError(f"jobs must be how many processes to use, at least 1, got {jobs!r}")
    if dask is None:
        return
    if jobs is not None:
        raise DataError("the cluster decides how many run at once: give jobs or dask, not both")
    if find_spec("distributed") is None:
        raise DataError("a Dask cluster takes the package distributed: pip install 'tinygrad-seq[dask]'")
    check_scheduler(dask)


def check_scheduler(address: str) -> None:
    """Raise DataError for what is no address, SweepError where nobody answers: Dask itself would try for 30 seconds."""
    try:
        place = urlsplit(address if "://" in address else f"tcp://{address}")
        port, host = place.port, place.hostname
    except ValueError:
        port = host = None
    if not host or not port:
        raise DataError(f"a Dask scheduler has an address like tcp://host:8786, got {address!r}")
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:
        why = error.strerror or error
        raise SweepError(f"no Dask scheduler answers at {address} ({why}): start one with `dask scheduler`") from None


# ---- on disk ---------------------------------------------------------------------------


def file_name(spec: Trial) -> str:
    """That of a run."""
    return (
        f"{spec.model}-{spec.initialisation}-T{spec.steps}-H{spec.hidden}-u{spec.updates}-seed{spec.seed}.safetensors"
    )


def finished_runs(folder: str | os.PathLike[str]) -> list[Run]:
    """The runs that are kept in a folder, in the order of their names; none where there is no such folder.

    Raises CheckpointError for a file that is damaged.
    """
    return [run_in(path) for path in kept_files(Path(folder) / KEPT)]


def forget_runs(folder: str | os.PathLike[str]) -> None:
    """Delete the runs that are kept in a folder."""
    for path in kept_files(Path(folder) / KEPT):
        path.unlink()


def kept_files(kept: Path) -> list[Path]:
    return sorted(path for path in kept.glob("*.safetensors") if not path.name.startswith("."))


def run_in(path: Path) -> Run:
    """The run in a file."""
    state = checkpoint.load(path)
    version = state.pop("version", None)
    if version != __version__:
        raise CheckpointError(f"{path} is of version {version}, this is {__version__}: take another folder")
    return Run.from_dict(state)


def runs_to_go_on_with(kept: Path, trials: list[Trial], resume: bool) -> dict[Trial, Run]:
    """The finished runs in the folder.  Raises DataError where they are not of these trials, or not to be gone on with.

    A file that is damaged is left out: its trial is run again.
    """
    files, names = kept_files(kept), {file_name(each): each for each in trials}
    others = [path.stem for path in files if path.name not in names]
    if others:
        raise DataError(
            f"{kept} has runs of another plan, such as {others[0]} ({len(others)} of {len(files)}): take another folder"
        )
    if files and not resume:
        raise DataError(
            f"{kept} has {len(files)} of the {len(trials)} runs already: resume to go on with them, overwrite them, or "
            "take another folder"
        )
    found = {}
    for path in files:
        try:
            found[names[path.name]] = run_in(path)
        except CheckpointError as error:
            if "of version" in str(error):
                raise
    return found
