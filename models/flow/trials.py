"""One trial: a model as it starts, trained to remember over a long lag, and measured before and after.

The task is `recall`: which symbol came first, T steps ago?  At full length from the start only attention learns it in
so few updates, whatever bias an LSTM has; therefore sequences grow in training, from 5 steps to all of them over the
first four fifths of the updates (a curriculum), for every model alike.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq import Tensor, optim
from tinygrad_seq.errors import DataError
from tinygrad_seq.gradflow import paths, per_step
from tinygrad_seq.rng import generator

from ..tasks import Task, task
from ..training import train
from .networks import NETWORKS, check_network, network

__all__ = ["UPDATES", "Growing", "Measured", "Run", "Trial", "check_trial", "trial"]

UPDATES = 300
SYMBOLS, BATCH, RATE, CLIP = 4, 32, 5e-3, 1.0  # of recall, and of Adam
SHORTEST, GROWING = 5, 0.8  # the first length of the curriculum, and the share of the updates in which it grows
SEQUENCES = 32  # to measure the gradient on: of the test part, the same for all models of a length

ALONE = threading.Lock()  # a trial sets the library's random generator and the number of threads: one at a time


class Trial(NamedTuple):
    """What to measure, plain data: everything that the numbers depend on.

    model: one of `NETWORKS`.  steps: T.  initialisation: one of `INITIALISATIONS`.  updates: how long to train on
    recall; 0: not at all.
    """

    model: str
    steps: int = 50
    seed: int = 0
    initialisation: str = "default"
    hidden: int = 32
    updates: int = UPDATES

    @property
    def title(self) -> str:
        """What it is, in words: "lstm, T=50, seed 3"."""
        usual = Trial._field_defaults
        rest = [f"{name} {getattr(self, name)}" for name in ("initialisation", "hidden") if self.differs(name)]
        rest += [] if self.updates == usual["updates"] else [f"{self.updates} updates" if self.updates else "untrained"]
        return ", ".join([self.model, f"T={self.steps}", f"seed {self.seed}", *rest])

    def differs(self, name: str) -> bool:
        """Whether a part is not as usual."""
        return bool(getattr(self, name) != Trial._field_defaults[name])


class Measured(NamedTuple):
    """A model at one moment.  norms: ‖∂L_T/∂x_t‖ for t = 1 … T, and of each state that it carries, by name.

    loss: L_T, cross-entropy in nats, of the sequences on which the gradient was measured.  accuracy: on the test part.
    """

    norms: dict[str, np.ndarray]
    loss: float
    accuracy: float


class Run(NamedTuple):
    """What came of a trial.  measured: by moment, "init" and, where it was trained, "trained".

    parameters: how many numbers are learnt.  sequential: the longest chain of operations from what was read to L_T that
    must follow each other.  seconds_per_update: the median; the one number that another run has otherwise, NaN for an
    untrained one.
    """

    trial: Trial
    measured: dict[str, Measured]
    parameters: int
    sequential: int
    seconds_per_update: float

    @property
    def score(self) -> float:
        """The share of the test part that is right, at the end."""
        return list(self.measured.values())[-1].accuracy

    @property
    def chance(self) -> float:
        """The share that guessing gets right."""
        return 1 / SYMBOLS

    def ratio(self, when: str = "init", quantity: str = "x") -> float:
        """‖∂L_T/∂x_1‖ / ‖∂L_T/∂x_T‖; NaN where the last is 0."""
        norms = self.measured[when].norms[quantity]
        return float(norms[0] / norms[-1]) if norms[-1] else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data and arrays, for a checkpoint."""
        return {**self._asdict(), "trial": self.trial._asdict(), "measured": {
            when: m._asdict() for when, m in self.measured.items()
        }}  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Run:
        """The run that `to_dict` told of."""
        measured = {when: Measured(**m) for when, m in data["measured"].items()}
        return cls(**{**data, "trial": Trial(**data["trial"]), "measured": measured})


class Growing:
    """Batches of recall whose length grows with each that is drawn, from 5 to all steps."""

    def __init__(self, steps: int, updates: int) -> None:
        self.steps, self.first, self.drawn = steps, min(SHORTEST, steps), 0
        self.until = max(1, round(GROWING * updates))
        self.tasks: dict[int, Task] = {}

    @property
    def length(self) -> int:
        """That of the next batch."""
        return self.first + min(self.drawn, self.until) * (self.steps - self.first) // self.until

    def draw(self, rng: np.random.Generator) -> tuple[Any, ...]:
        """The next batch."""
        length = self.length
        if length not in self.tasks:
            self.tasks[length] = recall(length)
        self.drawn += 1
        return self.tasks[length].draw(rng)


def recall(length: int) -> Task:
    """The task, at a length."""
    return task("recall", length=length, symbols=SYMBOLS, batch=BATCH)


def trial(spec: Trial) -> Run:
    """Measure a model at initialisation, train it on recall, and measure it again.

    A pure function of its specification, apart from the seconds: the same bits in whatever order, process or thread.
    The library's random generator is afterwards as it was.
    The gradient is measured on 32 sequences at once: the norm is over all of them.
    Raises DataError for a specification that cannot be, NonFiniteError where training fails.

    >>> from tinygrad_seq.models.flow import Trial, trial
    >>> run = trial(Trial("rnn", steps=20, hidden=8, updates=0))
    >>> run.measured["init"].norms["x"].shape, 0 < run.ratio() < 1e-3
    ((20,), True)
    """
    check_trial(spec)
    of, seconds = recall(spec.steps), float("nan")
    with ALONE, threadpool_limits(1), random_numbers(spec.seed):
        model = network(
            spec.model, spec.hidden, tokens=of.num_tokens or 0, num_classes=of.num_classes,
            initialisation=spec.initialisation,
        )  # fmt: skip
        measured = {"init": measure(model, of, NETWORKS[spec.model].states)}
        sequential = longest_chain(model, of)
        if spec.updates:
            history = train(
                model, Growing(spec.steps, spec.updates), optim.Adam(model.parameters(), lr=RATE),
                updates=spec.updates, clip=CLIP, seed=spec.seed,
            )  # fmt: skip
            seconds = float(np.median(history.seconds))
            measured["trained"] = measure(model, of, NETWORKS[spec.model].states)
    parameters = sum(p.size for p in model.parameters())
    return Run(spec, measured, parameters, sequential, seconds)


def check_trial(spec: Trial) -> None:
    """Raise DataError for a specification that cannot be."""
    check_network(spec.model, spec.initialisation)
    for name, least in {"steps": 2, "seed": 0, "hidden": 1, "updates": 0}.items():
        n = getattr(spec, name)
        if not isinstance(n, int) or isinstance(n, bool) or n < least:
            raise DataError(f"a trial of gradient flow needs {name}, an integer of at least {least}, got {n!r}")
    if spec.model == "self-attention" and spec.hidden % 4:
        raise DataError(f"self-attention has 4 heads: hidden must be a multiple of 4, got {spec.hidden}")


def measure(model: Any, of: Task, states: tuple[str, ...]) -> Measured:
    """The gradient of the last step's loss at each step, and how good the model is."""
    loss, x = loss_and_input(model, of, SEQUENCES)
    norms = {name: per_step(loss, name).norms for name in states}
    return Measured({"x": per_step(loss, x).norms, **norms}, loss.item(), of.evaluate(model, "test")["accuracy"])


def loss_and_input(model: Any, of: Task, count: int) -> tuple[Tensor, Tensor]:
    """L_T of some sequences of the test part, and the vectors that were read, (T, count, hidden), as a leaf."""
    tokens, labels, _ = next(iter(of.test.batches(count)))
    x = Tensor(model.embedding(tokens).data, requires_grad=True, name="x")
    return model.loss(x, labels), x


def longest_chain(model: Any, of: Task) -> int:
    """How many operations must follow each other, from the input of one sequence to its loss."""
    loss, x = loss_and_input(model, of, 1)
    return int(paths(loss, inputs=x).sequential)


@contextmanager
def random_numbers(seed: int) -> Iterator[None]:
    """The library's generator as after `manual_seed(seed)`, and afterwards as it was before."""
    rng = generator()
    before = rng.bit_generator.state
    rng.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    try:
        yield
    finally:
        rng.bit_generator.state = before
