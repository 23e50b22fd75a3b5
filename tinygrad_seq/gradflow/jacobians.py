"""The Jacobian of one step of a recurrence, ∂h_t/∂h_{t-1}: what the gradient is multiplied with on its way back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..errors import GradientError, SequenceError, ShapeError
from ..graph import Node
from .bounds import upper_bounds
from .exponents import lyapunov_exponents
from .quantities import quantity
from .segments import Segment

__all__ = ["StepJacobians", "step_jacobians"]


class StepJacobians:
    """∂h_t/∂h_{t-1} for every step but the first, in the order in which the steps were made.

    name: of the state, "h" or "h, C".  t: the later step of each pair, (S), and `before` the earlier one.
    matrices: (S, *batch, n, n), rows for what comes out and columns for what goes in; of several quantities, such as h
    and C of an LSTM, side by side.  bounds: (S, *batch), no less than ‖∂h_t/∂h_{t-1}‖₂, see `step_jacobians`.
    """

    def __init__(
        self, names: tuple[str, ...], t: np.ndarray, before: np.ndarray, matrices: np.ndarray, bounds: np.ndarray
    ) -> None:
        self.names = names
        self.name = ", ".join(names)
        self.t = t
        self.before = before
        self.matrices = matrices
        self.bounds = bounds

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Of every matrix, the largest first, (S, *batch, n): how much a step stretches the gradient; NaN where the
        matrix is not finite."""
        return where_finite(self.matrices, lambda m: np.linalg.svd(m, compute_uv=False), 1)

    @cached_property
    def spectral_radius(self) -> np.ndarray:
        """The largest absolute value of an eigenvalue of each, (S, *batch); NaN where the matrix is not finite."""
        return where_finite(self.matrices, lambda m: np.abs(np.linalg.eigvals(m)).max(-1), 2)

    @property
    def norms(self) -> np.ndarray:
        """‖∂h_t/∂h_{t-1}‖₂ of each, (S, *batch): the first of the singular values."""
        return self.singular_values[..., 0]

    @property
    def gamma(self) -> float:
        """The γ of Pascanu, Mikolov and Bengio 2013, the largest of the bounds: where it is below 1 for the whole state
        the gradient must vanish."""
        return float(self.bounds.max())

    def product(self, first: int | None = None, last: int | None = None) -> np.ndarray:
        """∂h_last/∂h_first, (*batch, n, n): the product of the steps after `first`, up to `last`; of all by default.

        It is the derivative through all steps between only if the matrices are of the whole state: of an LSTM h and C
        jointly.  Raises SequenceError for steps that are not there, or in another order than they were made.
        """
        start = 0 if first is None else position(self.before, first, "begin with")
        end = len(self.t) if last is None else position(self.t, last, "end with") + 1
        if start >= end:
            raise SequenceError(
                f"step {first} was made after step {last}: a product goes from an earlier to a later one"
            )
        result = self.matrices[start]
        for matrix in self.matrices[start + 1 : end]:
            result = matrix @ result
        return result

    def lyapunov(self, skip: int = 0) -> np.ndarray:
        """The Lyapunov exponents, the largest first, per step, (*batch, n): log of how two states near each other part.

        By QR re-orthonormalisation at every step (Benettin et al. 1980), never by the long product: mean log |R_ii|.
        -inf where a direction is lost altogether.  skip: steps at the beginning that turn the axes but do not count.
        Above 0 the network is chaotic, and the gradient explodes; in the limit, of a linear map x → A x, they are the
        logarithms of the absolute eigenvalues, which for a symmetric or orthogonal A are its singular values.
        """
        return lyapunov_exponents(self.matrices, skip)

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        S, *batch, n, _ = self.matrices.shape
        of = f" of {' × '.join(map(str, batch))} sequences" if batch else ""
        norms = self.norms
        return (
            f"StepJacobians(∂({self.name})_t/∂({self.name})_t-1, {S} of {n} × {n}{of}, ‖·‖₂ from {norms.min():.3g} to "
            f"{norms.max():.3g}, γ = {self.gamma:.3g})"
        )


class Step(NamedTuple):
    """Two states that follow each other, each the nodes of all its quantities."""

    before: list[Node]
    after: list[Node]
    t_before: int
    t: int


def step_jacobians(outputs: Node | Sequence[Node], names: Any) -> StepJacobians:
    """∂h_t/∂h_{t-1} of a quantity, or of several that make up the state jointly, for every two consecutive steps.

    outputs: what the record is read from, such as a loss.  names: "h", as in `Trace`; ("h", "C") for several; or nodes
    instead of a name.  Steps follow each other as they were made: a direction that reads from the end goes down in t.

    What other steps made is held fixed.  So for an LSTM "C" alone gives ∂C_t/∂C_{t-1} with h_{t-1} held, which is
    diag(f_t), and "h" alone holds C_{t-1}; the true state is ("h", "C"), whose matrices are (2n, 2n), and only their
    products mean anything over more than one step.  Where no way leads directly from one step into the next, as from
    what is squashed to h, it may go through the rest of the step before.

    The last axis of the nodes is that of the state, the others are sequences that know nothing of each other: all
    are done at once, and checked.  `.bounds` generalises γ = max|tanh'| · ‖W_h‖₂ (Pascanu, Mikolov and Bengio 2013,
    section 2.2) to any step: the norm of each op's derivative, multiplied along every way and added over them.

    Raises GradientError where a step does not reach the one before, or rows of a batch mix; SequenceError for fewer
    than two steps; ShapeError for states of different shapes.

    >>> import numpy as np
    >>> from tinygrad_seq import Tensor, steps
    >>> from tinygrad_seq.gradflow import step_jacobians
    >>> W, h = Tensor([[0.0, 0.5], [-0.5, 0.0]], requires_grad=True), Tensor([0.5, 0.5])
    >>> for t, x in steps(np.zeros((5, 2))):
    ...     h = (h @ W + x).tanh().named("h")
    >>> J = step_jacobians(h.sum(), "h")
    >>> J
    StepJacobians(∂(h)_t/∂(h)_t-1, 4 of 2 × 2, ‖·‖₂ from 0.493 to 0.5, γ = 0.5)
    >>> J.product(1, 3).shape, J.lyapunov().round(2)
    ((2, 2), array([-0.7, -0.7]))
    """
    series = [quantity(outputs, name) for name in each_of(names)]
    for over in series:
        if over.along:
            raise ShapeError(f"{over.nodes[0]!r} holds all steps in one node, which nothing leads through: name h_t")
    steps = steps_of(series)
    parts = [int(np.prod(np.shape(node.data)[-1:])) for node in steps[0].before]
    batch = np.shape(steps[0].before[0].data)[:-1]
    for step in steps:
        for node, n in zip(step.before + step.after, parts * 2):
            if np.shape(node.data) not in ((*batch, n), ()):
                raise ShapeError(
                    f"the states must have one shape, {(*batch, n)}, got {np.shape(node.data)} at t={node.t}: "
                    "(batch, n), the same batch for all quantities and n at every step"
                )
    segments = [segment(step, narrow=True) for step in steps]
    if not any(found.nodes for found in segments):
        segments = [segment(step, narrow=False) for step in steps]
    if not any(found.nodes for found in segments):
        what = ", ".join(over.name for over in series)
        raise GradientError(
            f"nothing leads from {what} at one step to {what} at the next: give all that the state consists of, such "
            'as ("h", "C"), or use `influence`'
        )
    matrices = [jacobian(step, found, parts, batch) for step, found in zip(steps, segments)]
    norms: dict[Any, Any] = {}
    bounds = [upper_bounds(found, step.after, step.before, batch, norms) for step, found in zip(steps, segments)]
    return StepJacobians(
        tuple(over.name for over in series),
        np.array([step.t for step in steps]),
        np.array([step.t_before for step in steps]),
        np.stack(matrices),
        np.stack(bounds),
    )


def each_of(names: Any) -> list[Any]:
    """The quantities meant: one name or sequence of nodes, or several of them."""
    if isinstance(names, str | Node):
        return [names]
    names = list(names)
    return [names] if names and isinstance(names[0], Node) else names


def steps_of(series: list[Any]) -> list[Step]:
    """Each step with the one before, in the order of their making: those at which every quantity is there."""
    if not series:
        raise SequenceError('step_jacobians needs a name or nodes, such as "h" or ("h", "C"), got none')
    at = [dict(zip(over.t.tolist(), over.nodes)) for over in series]
    times = [t for t in at[0] if all(t in nodes for nodes in at)]
    times.sort(key=lambda t: at[0][t].birth)
    if len(times) < 2:
        raise SequenceError(
            f"step_jacobians needs two steps at least, got {len(times)} with {', '.join(over.name for over in series)}"
        )
    states = {t: [nodes[t] for nodes in at] for t in times}
    return [Step(states[t_before], states[t], t_before, t) for t_before, t in pairwise(times)]


def segment(step: Step, narrow: bool) -> Segment:
    """What lies between two states: nodes of the later step (and if not narrow of the earlier), or outside of time."""
    now = {node.t for node in step.after}
    allowed = {None} | now | (set() if narrow else {node.t for node in step.before})
    return Segment(step.after, set(step.before), lambda node: node.place.t in allowed)


def jacobian(step: Step, found: Segment, parts: list[int], batch: tuple[int, ...]) -> np.ndarray:
    """(*batch, n, n): unit j of all sequences at once is the j-th row of all matrices, if the sequences are apart."""
    n, rows = sum(parts), int(np.prod(batch))
    ends = np.cumsum([0, *parts])
    eye = np.broadcast_to(np.eye(n)[:, None], (n, rows, n))
    if rows > 1:  # one more, in which every sequence has a factor of its own
        rng = np.random.default_rng(0)
        mixed, factors = rng.normal(size=n), rng.normal(size=(rows, 1))
        eye = np.concatenate([eye, (factors * mixed)[None]])
    seeds = {
        node: eye[..., i:j].astype(np.result_type(node.data)).reshape(len(eye), *np.shape(node.data))
        for node, i, j in zip(step.after, ends, ends[1:])
    }
    reached = found.pull(seeds)
    G = np.zeros((len(eye), rows, n), np.result_type(*[np.result_type(node.data) for node in step.after]))
    for node, i, j in zip(step.before, ends, ends[1:]):
        if node in reached:
            G[..., i:j] = reached[node].reshape(len(eye), rows, j - i)
    if rows > 1:
        expected = factors * np.einsum("j,jbi->bi", mixed, G[:n])
        rounding = np.sqrt(np.finfo(G.dtype).eps) * np.abs(expected).max()
        if np.isfinite(G).all() and np.abs(expected - G[n]).max() > rounding:
            raise GradientError(
                f"the rows of the state {np.shape(step.after[0].data)} at t={step.t} depend on each other, so they are "
                "no batch of sequences: run one sequence, or flatten the state to one axis"
            )
    return np.moveaxis(G[:n], 0, 1).reshape(*batch, n, n)


def where_finite(matrices: np.ndarray, measure: Any, fewer: int) -> np.ndarray:
    """A measure of every matrix, with that many axes fewer than matrices; NaN for those that are not finite."""
    finite = np.isfinite(matrices).all((-1, -2))
    if finite.all():
        return measure(matrices)
    result = np.full(matrices.shape[: matrices.ndim - fewer], np.nan)
    if finite.any():
        result[finite] = measure(matrices[finite])
    return result


def position(times: np.ndarray, t: int, role: str) -> int:
    """Where a step is in a list of steps."""
    found = np.flatnonzero(times == t)
    if not len(found):
        raise SequenceError(f"the product cannot {role} step {t}: it may be any of {times[0]} … {times[-1]}")
    return int(found[0])
