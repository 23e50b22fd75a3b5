"""Truncated backpropagation through time: the gradient goes back so many steps, and no further.

Over a long sequence the full gradient costs memory and time for all of its steps.  Truncated, every k1 steps the losses
of the last k1 steps are sent back through the last k2 steps, which gives another gradient: how far it is from the full
one can be measured, and where it was cut is to be seen in the record.

Williams and Peng 1990, "An efficient gradient-based algorithm for on-line training of recurrent network trajectories",
whose BPTT(h; h') this is with h = k2, h' = k1; the names k1 and k2 are those of Sutskever's thesis, 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Op, Tensor, grad
from tinygrad_seq.errors import DataError, GradientError, SequenceError, ShapeError, StaleGraphError

from .recurrent.states import map_state
from .sequences import as_labels, total

__all__ = ["Agreement", "Bias", "Window", "truncated_bptt"]

StepLoss = Callable[[Any, Any], Tensor] | None  # of (ŷ_t, target)


# ---- the edges to cut ------------------------------------------------------------------


def carry(x: Any) -> Any:
    """x itself."""
    return x


def carry_vjp(g: Any, out: Any, x: Any) -> tuple[Any]:
    """The gradient goes on."""
    return (g,)


def cut_vjp(g: Any, out: Any, x: Any) -> tuple[Any]:
    """The gradient stops."""
    return (None,)


class Boundary(Op):
    """What the state of one step passes on its way to the next: the identity, called "carry" and, once closed, "cut".

    A window needs a boundary closed that the windows before it need open: each of them sends its own losses through
    the same record.  So what is closed is the op, of which each boundary has one of its own, and no node of the
    record is changed.  Unlike with `detach`, the edge is still there to be seen.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(carry, carry_vjp)

    def close(self) -> None:
        """Let no gradient go back."""
        self.name, self.vjp = "cut", cut_vjp


# ---- what comes of it ------------------------------------------------------------------


class Window:
    """One backward pass of truncated backpropagation, at the end of its k1 steps.

    t: the steps whose losses it sends back.  reach: the steps that their gradient goes through.  losses: L_t of each.
    loss: their sum.  state: what the last step handed on, without its history: to go on from in another call.
    """

    def __init__(self, t: range, reach: range, losses: list[Tensor], state: Any) -> None:
        self.t, self.reach, self.losses = t, reach, losses
        self.state = map_state(without_history, state)
        self.loss = total(losses)
        self.over = False  # whether a later window has cut into the steps that this one reaches

    def backward(self) -> None:
        """Send the losses back, as far as they may go; adds to the `.grad` of the parameters.

        Raises GradientError where a later window has been begun that overlaps with this one, and StaleGraphError where
        the parameters were changed between two windows that overlap.
        """
        if self.over:
            raise GradientError(f"{self!r} overlaps with a later window that was asked for: call backward before that")
        try:
            self.loss.backward()
        except StaleGraphError as error:
            raise StaleGraphError(
                f"{self!r} goes through steps that were computed before the parameters were changed: update them "
                f"after the whole sequence, or take k1 = k2, where windows do not overlap ({error})"
            ) from error

    def __repr__(self) -> str:
        return (
            f"<window: losses of t = {self.t[0]} … {self.t[-1]} through t = {self.reach[0]} … {self.reach[-1]}, "
            f"loss {self.loss.item():.4g}>"
        )


class Agreement(NamedTuple):
    """How one gradient stands to another: the cosine of the angle between them, and the quotient of their lengths.

    Equal ones have 1 and 1.  The cosine is NaN where just one of them is zero, which has no direction.
    """

    cosine: float
    norm_ratio: float


class Bias(NamedTuple):
    """How a truncated gradient stands to the full one: of all parameters as one vector, and of each by its name.

    cosine: of the angle between them, 1 where the truncated one points the right way.  norm_ratio: its length by that
    of the full one.
    """

    cosine: float
    norm_ratio: float
    parameters: dict[str, Agreement]


def agreement(g: np.ndarray, full: np.ndarray) -> Agreement:
    """Cosine and norm ratio of two flat gradients."""
    if np.array_equal(g, full):
        return Agreement(1.0, 1.0)
    a, b = length(g), length(full)
    if a == 0 or b == 0:
        return Agreement(np.nan, np.inf if a else 0.0)
    return Agreement(float(np.clip((g / a) @ (full / b), -1, 1)), a / b)


def length(g: np.ndarray) -> float:
    """‖g‖₂, also of what is so small that its square would be 0."""
    largest = float(np.abs(g).max(initial=0))
    return largest * float(np.linalg.norm(g / largest)) if largest else 0.0


# ---- the loop --------------------------------------------------------------------------


@dataclass(frozen=True)
class truncated_bptt:
    """Every k1 steps, send the losses of the last k1 steps back through the last k2 steps.

    k1: how many losses a backward pass takes, k1 ≥ 1.  k2: how many steps it goes back through, k2 ≥ k1.  With k1 = k2
    the windows do not overlap, and parameters may be updated after each.  With k2 > k1 they do: each loss is still sent
    back once, through at least k2 - k1 steps before its own, nothing is computed twice, and the parameters must stay
    the same until the sequence ends.  What is left at the end is one shorter window.  With k2 of the whole length it is
    the full gradient.  Raises DataError for other k1 and k2.

    It works on models with `unroll(xs, state, start=…)`, which goes through time and yields (t, ŷ_t, the state after
    it), such as `ManyToMany`.  In all of its methods: xs, the inputs, time first.  targets: one for each step.  state:
    where to begin, by default the model's own beginning.  step_loss(ŷ_t, target): the loss of a step, by default what
    the model has as `step_losses`.  They raise SequenceError for a sequence without a step, ShapeError unless there is
    one target for each, and DataError for a model that reads from the end as well.

    >>> from tinygrad_seq import manual_seed, optim
    >>> from tinygrad_seq.models import RNN, ManyToMany, Vocabulary
    >>> from tinygrad_seq.models.truncated import truncated_bptt
    >>> rng = manual_seed(0)
    >>> text = Vocabulary.characters("HELLO").encode("HELLOHELLO")
    >>> model = ManyToMany(RNN(4, 8), 4)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> for window in truncated_bptt(3, 3).windows(model, text[:-1], text[1:]):
    ...     optimizer.zero_grad()
    ...     window.backward()
    ...     optimizer.step()
    ...     window.t, window.reach
    (range(1, 4), range(1, 4))
    (range(4, 7), range(4, 7))
    (range(7, 10), range(7, 10))
    >>> bias = truncated_bptt(1, 2).bias(model, text[:-1], text[1:])
    >>> bias.cosine < 1
    True
    """

    k1: int
    k2: int

    def __post_init__(self) -> None:
        for name, k in (("k1", self.k1), ("k2", self.k2)):
            if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
                raise DataError(f"truncated_bptt: {name} must be an integer, at least 1 step, got {k!r}")
        if self.k2 < self.k1:
            raise DataError(
                f"truncated_bptt: k2 must be at least k1, or some steps would not reach their own loss, got "
                f"k1={self.k1}, k2={self.k2}"
            )

    def windows(
        self, model: Any, xs: Any, targets: Any, state: Any = None, *, step_loss: StepLoss = None, keep: bool = False
    ) -> Iterator[Window]:
        """Go through the sequence and stop at the end of every window, for its `backward()`.

        keep: keep the record of all steps, for a picture of it; else what no later window reaches is let go, and
        memory does not grow with the sequence.  Of a model whose loss is a mean, a window's is the mean of its own.
        """
        passage = Passage(model, xs, targets, state, step_loss, self)

        def each() -> Iterator[Window]:
            for begin, end, cut in passage.windows:
                passage.close(cut, keep)
                losses = passage.losses(begin, end)
                window = Window(range(begin + 1, end + 1), range(cut + 1, end + 1), losses, passage.state)
                yield window
                window.over = self.k2 > self.k1 and end < len(xs)

        return each()

    def backward(
        self, model: Any, xs: Any, targets: Any, state: Any = None, *, step_loss: StepLoss = None
    ) -> Tensor:
        """The truncated gradient of a whole sequence, added to the `.grad` of the parameters.  Gives the loss, Σ L_t.

        The record of the loss has its boundaries cut.  With k1 = k2 another sweep over it would give the same gradient;
        where windows overlap, it would stop at the first cut that it comes to.
        """
        passage = Passage(model, xs, targets, state, step_loss, self)
        losses = passage.losses(0, len(xs))
        for begin, end, cut in passage.windows:
            passage.close(cut)
            total(losses[begin:end]).backward()
        return total(losses)

    def bias(self, model: Any, xs: Any, targets: Any, state: Any = None, *, step_loss: StepLoss = None) -> Bias:
        """How the truncated gradient of a sequence stands to the full one, from one record; no `.grad` is changed."""
        passage = Passage(model, xs, targets, state, step_loss, self)
        losses = passage.losses(0, len(xs))
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        full = gradients(losses, named)
        truncated = np.zeros(())
        for begin, end, cut in passage.windows:
            passage.close(cut)
            truncated = truncated + gradients(losses[begin:end], named)
        ends = np.cumsum([p.data.size for p in named.values()])[:-1]
        of_each = map(agreement, np.split(truncated, ends), np.split(full, ends))
        return Bias(*agreement(truncated, full), dict(zip(named, of_each, strict=True)))


class Passage:
    """A model on its way through a sequence; at each cut its state passes a boundary."""

    def __init__(
        self, model: Any, xs: Any, targets: Any, state: Any, step_loss: StepLoss, bptt: truncated_bptt
    ) -> None:
        if np.ndim(xs) == 0 or not len(xs):
            raise SequenceError(f"truncated_bptt needs a sequence of at least one step, got shape {np.shape(xs)}")
        if len(targets) != len(xs):
            raise ShapeError(
                f"truncated_bptt needs a target for each step, got {len(xs)} steps and {len(targets)} targets"
            )
        if step_loss is None and not hasattr(model, "step_losses"):
            raise DataError(f"truncated_bptt: {type(model).__name__} has no step_losses: give step_loss=…")
        if getattr(getattr(model, "rnn", model), "bidirectional", False):
            raise DataError("truncated_bptt needs a layer of one direction: what reads from the end hands on no state")
        self.model, self.xs, self.state, self.step_loss = model, xs, state, step_loss
        self.targets = targets if step_loss else as_labels(type(model).__name__, targets)
        borders = [*range(0, len(xs), bptt.k1), len(xs)]
        self.windows = [  # the steps before the first loss, until the last, and before the first that it reaches
            (begin, end, max(0, end - bptt.k2) if bptt.k2 > bptt.k1 else begin) for begin, end in pairwise(borders)
        ]
        self.cuts = sorted({cut for _, _, cut in self.windows} - {0})
        self.boundaries: dict[int, tuple[Boundary, list[Tensor]]] = {}

    def losses(self, begin: int, end: int) -> list[Tensor]:
        """Go on from one step to another: the losses of the steps between."""
        outputs, targets = self.outputs(begin, end), self.targets[begin:end]
        if self.step_loss is None:
            return list(self.model.step_losses(outputs, targets))
        losses = []
        for (_, y, _), target in zip(outputs, targets, strict=True):
            L = self.step_loss(y, target)
            losses.append(L if L.name else L.named("L"))
        return losses

    def outputs(self, begin: int, end: int) -> Iterator[tuple[int, Any, Any]]:
        """What the model puts out at each step, and the state after it."""
        for a, b in pairwise([begin, *(cut for cut in self.cuts if begin < cut < end), end]):
            for t, y, after in self.model.unroll(self.xs[a:b], self.state, start=a + 1):
                if t in self.cuts:
                    boundary, nodes = self.boundaries[t] = Boundary(), []
                    after = map_state(partial(through, boundary, nodes), after)
                self.state = after
                yield t, y, after

    def close(self, cut: int, keep: bool = True) -> None:
        """Close the boundary there is at a cut; unless it is kept, let the record before it go."""
        if cut in self.boundaries:
            boundary, nodes = self.boundaries.pop(cut)
            boundary.close()
            for node in nodes if not keep else ():
                node.detach_()


def through(boundary: Boundary, nodes: list[Tensor], x: Any) -> Any:
    """A part of a state as it comes out of a boundary; notes the node in the list."""
    if isinstance(x, Tensor):
        x = boundary(x)
        nodes.append(x)
    elif x is not None and not isinstance(x, np.ndarray | np.generic | int | float):
        raise DataError(
            f"truncated_bptt takes a state of tensors, in tuples where there are several, got {type(x).__name__}: the "
            "gradient through it could not be cut"
        )
    return x


def without_history(x: Any) -> Any:
    """A part of a state as a constant."""
    return x.detach() if isinstance(x, Tensor) else x


def gradients(losses: list[Tensor], named: dict[str, Any]) -> np.ndarray:
    """d(Σ losses)/d(parameters) as one vector; zeros where nothing comes."""
    found = grad(losses, list(named.values()), allow_unused=True)
    return np.concatenate([np.zeros(p.data.size) if g is None else g.ravel() for g, p in zip(found, named.values())])
