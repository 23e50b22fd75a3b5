"""Schedules of several phases: one cycle, one after the other, or as a measure says."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, SupportsFloat

from ...errors import DataError
from ..stepping import Optimizer
from .schedule import LRScheduler, checked_optimizer, finite, for_each_group, whole

__all__ = ["OneCycleLR", "ReduceLROnPlateau", "SequentialLR"]


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr in the first pct_start of the steps, then down to 1 / final_div_factor of
    where it began; the momentum (β₁ of Adam) goes the other way.

    total_steps, or epochs and steps_per_epoch.  anneal_strategy: "cos" or "linear".  three_phase: come down to the
    first rate as fast as it went up, then on to the lowest.  Smith & Topin 2018, "Super-Convergence".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self, optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise DataError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            total_steps = whole(self, "epochs", epochs, 1) * whole(self, "steps_per_epoch", steps_per_epoch, 1)
        self.total_steps = whole(self, "total_steps", total_steps, 1)
        finite(self, "pct_start", pct_start, 0, 1)
        if anneal_strategy not in ("cos", "linear"):
            raise DataError(f'OneCycleLR: anneal_strategy must be "cos" or "linear", got {anneal_strategy!r}')
        self.anneal_strategy = anneal_strategy
        up, end = pct_start * self.total_steps - 1, self.total_steps - 1
        first, low, high = "initial_lr", "base_momentum", "max_momentum"
        self.phases = [(up, first, "max_lr", high, low)]  # until when; rate from, to; momentum from, to
        if three_phase:
            self.phases += [(2 * up, "max_lr", first, low, high), (end, first, "min_lr", high, high)]
        else:
            self.phases += [(end, "max_lr", "min_lr", low, high)]
        self.cycle_momentum = cycle_momentum
        self.use_beta1 = "betas" in optimizer.defaults
        if cycle_momentum and not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise DataError(
                f"OneCycleLR: {type(optimizer).__name__} has no momentum to cycle: give cycle_momentum=False"
            )
        for name, x in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            if not 0 < x < math.inf:
                raise DataError(f"OneCycleLR: {name} must be a finite number above 0, got {x!r}")
        peaks = [finite(self, "max_lr", x, 0) for x in for_each_group(self, optimizer, "max_lr", max_lr)]
        lows, highs = [
            [finite(self, name, x, 0, 1) for x in for_each_group(self, optimizer, name, given)]
            for name, given in ((low, base_momentum), (high, max_momentum))
        ]
        if last_epoch == -1:
            for i, group in enumerate(optimizer.param_groups):
                start = peaks[i] / div_factor
                group.update(initial_lr=start, max_lr=peaks[i], min_lr=start / final_div_factor)
                if cycle_momentum:
                    group.update(base_momentum=lows[i], max_momentum=highs[i])
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`; sets the momentum too."""
        t, groups = self.last_epoch, self.optimizer.param_groups
        if t > self.total_steps:
            raise DataError(
                f"OneCycleLR was made for {self.total_steps} steps, and this is step {t}: give it more total_steps"
            )
        i = next((i for i, phase in enumerate(self.phases) if t <= phase[0]), len(self.phases) - 1)
        end, first, last, first_momentum, last_momentum = self.phases[i]
        begin = self.phases[i - 1][0] if i else 0.0
        part = (t - begin) / (end - begin) if end != begin else 1.0
        if self.cycle_momentum:
            for group in groups:
                m = self._between(group[first_momentum], group[last_momentum], part)
                group.update({"betas": (m, group["betas"][1])} if self.use_beta1 else {"momentum": m})
        return [self._between(group[first], group[last], part) for group in groups]

    def _between(self, first: float, last: float, part: float) -> float:
        if self.anneal_strategy == "linear":
            return (last - first) * part + first
        return last + (first - last) / 2.0 * (math.cos(math.pi * part) + 1)


class SequentialLR(LRScheduler):
    """One schedule after the other: at milestones[i] schedulers[i + 1] begins, from its own t = 0.

    >>> from tinygrad_seq import Parameter, optim
    >>> from tinygrad_seq.optim.lr_scheduler import ExponentialLR, LinearLR, SequentialLR
    >>> optimizer = optim.SGD([Parameter([1.0])], lr=1.0)
    >>> warmup = LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = SequentialLR(optimizer, [warmup, decay], milestones=[3])
    >>> for _ in range(6):
    ...     print(schedule.get_last_lr())
    ...     optimizer.step()
    ...     schedule.step()
    [0.25]
    [0.5]
    [0.75]
    [1.0]
    [0.5]
    [0.25]
    """

    own = frozenset({"optimizer", "schedulers"})

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
        self.schedulers = list(schedulers)
        for i, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, SequentialLR | ReduceLROnPlateau):
                raise DataError(
                    f"SequentialLR: schedule {i} cannot be a {type(schedule).__name__}: only schedules that need "
                    "nothing but the step can follow one another"
                )
            if schedule.optimizer is not optimizer:
                raise DataError(f"SequentialLR: schedule {i}, {type(schedule).__name__}, belongs to another optimiser")
        self.milestones = [whole(self, "a milestone", m, 1) for m in milestones]
        if len(self.milestones) != len(self.schedulers) - 1 or any(a >= b for a, b in pairwise(self.milestones)):
            raise DataError(
                f"SequentialLR needs growing milestones, one less than schedules; got {list(milestones)} for "
                f"{len(self.schedulers)}"
            )
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self.last_epoch = last_epoch + 1
        for schedule in self.schedulers:
            schedule.last_epoch -= 1
        self.schedulers[0]._begin()
        self._last_lr = self.schedulers[0].get_last_lr()

    def step(self) -> None:
        """Set the learning rates of the next t; call it after `optimizer.step()`."""
        self.last_epoch += 1
        schedule = self.schedulers[bisect_right(self.milestones, self.last_epoch)]
        if self.last_epoch in self.milestones:
            schedule._restart()
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """What to save to go on from here, with the states of the schedules under "schedulers"."""
        return {**super().state_dict(), "schedulers": [schedule.state_dict() for schedule in self.schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`."""
        states = state_dict.get("schedulers", [])
        if len(states) != len(self.schedulers):
            raise DataError(f"SequentialLR has {len(self.schedulers)} schedules, the state to load has {len(states)}")
        super().load_state_dict({name: x for name, x in state_dict.items() if name != "schedulers"})
        for schedule, state in zip(self.schedulers, states):
            schedule.load_state_dict(state)


class ReduceLROnPlateau(LRScheduler):
    """Multiplies the rates by `factor` when a measure has not improved for more than `patience` calls of `step`.

    mode: "min" or "max" of the measure is better.  threshold: by how much it must improve to count, relative to the
    best ("rel") or absolute ("abs").  cooldown: calls to wait after a reduction.  min_lr: the lowest rate, one or one
    for each group.  eps: smaller reductions are not made.  Raises DataError for arguments that cannot be.

    >>> from tinygrad_seq import Parameter, optim
    >>> optimizer = optim.SGD([Parameter([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
        if mode not in ("min", "max"):
            raise DataError(f'ReduceLROnPlateau: mode must be "min" or "max", got {mode!r}')
        if threshold_mode not in ("rel", "abs"):
            raise DataError(f'ReduceLROnPlateau: threshold_mode must be "rel" or "abs", got {threshold_mode!r}')
        if not 0 <= factor < 1:
            raise DataError(f"ReduceLROnPlateau: factor must be a number from 0 to below 1, got {factor!r}")
        self.mode = mode
        self.factor = factor
        self.patience = whole(self, "patience", patience, 0)
        self.threshold = finite(self, "threshold", threshold, 0)
        self.threshold_mode = threshold_mode
        self.cooldown = whole(self, "cooldown", cooldown, 0)
        self.min_lrs = for_each_group(self, optimizer, "min_lr", min_lr)
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = self._lrs()

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]
        """Take note of the measure, and reduce the rates where it is time to."""
        now = float(metrics)
        self.last_epoch += 1
        if self._better(now):
            self.best = now
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, low in zip(self.optimizer.param_groups, self.min_lrs):
                new = max(group["lr"] * self.factor, low)
                if group["lr"] - new > self.eps:
                    group["lr"] = new
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._lrs()

    def _better(self, now: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * now < sign * self.best - self.threshold
        return sign * now < sign * self.best * (1 - sign * self.threshold)
