"""Schedules of the learning rate, by PyTorch's names and numbers.

A schedule is made after its optimiser and sets the learning rate of step t = 0 at once; `step()` after each
`optimizer.step()` (or after each epoch) sets that of the next t.  As in PyTorch most are defined by what they do to
the rate before, so that several can work on one optimiser, one after the other; the formulas in the docstrings are
those of one alone, whose rate starts at lr₀.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, SupportsFloat

from ..errors import DataError
from .stepping import Optimizer

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


class LRScheduler:
    """A schedule; each kind says in `get_lr` what the rates of the groups at `last_epoch` are.

    last_epoch: the t to go on from, -1 to start; to go on needs an optimiser whose state was loaded.  `base_lrs` are
    the groups' rates at the start.  Raises DataError for arguments that cannot be.
    """

    own = frozenset({"optimizer"})  # attributes that a state does not hold

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = _checked_optimizer(self, optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise DataError(
                    f"{self._kind}: to go on from last_epoch={last_epoch} group {i} needs its initial_lr: load the "
                    "state of the optimiser first, or start with last_epoch=-1"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def _lrs(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _begin(self) -> None:
        """Set the rates of the first step."""
        self._step_count = 0
        self._advance(self.last_epoch + 1)

    def _advance(self, t: int) -> None:
        self.last_epoch = t
        rates = self.get_lr()
        self._step_count += 1
        self._set(rates)

    def _restart(self) -> None:
        """Set the rates of t = 0, whatever they are now: a sequence comes to this schedule."""
        self.last_epoch = 0
        self._set(self.first_lr())

    def _set(self, rates: Iterable[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = float(lr)
        self._last_lr = self._lrs()

    def get_lr(self) -> list[float]:
        """The rates of the groups at `last_epoch`, from those before; what `step` sets.  To look, `get_last_lr`."""
        raise NotImplementedError(f"{self._kind} does not define get_lr")

    def first_lr(self) -> list[float]:
        """The rates of the groups at t = 0."""
        return list(self.base_lrs)

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one for each group."""
        return self._last_lr

    def step(self) -> None:
        """Set the learning rates of the next t; call it after `optimizer.step()`."""
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn(
                f"{self._kind}.step() was called before optimizer.step(), so the first learning rate of the schedule "
                "is not used: call optimizer.step() first",
                stacklevel=2,
            )
        self._advance(self.last_epoch + 1)

    def state_dict(self) -> dict[str, Any]:
        """What to save to go on from here: plain numbers and lists."""
        return {name: x for name, x in vars(self).items() if name not in self.own}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; the optimiser's learning rates are in its own.  DataError for another kind's."""
        given, expected = set(state_dict), set(vars(self)) - self.own
        if given != expected:
            raise DataError(
                f"the state to load is not of a {self._kind}: it has {sorted(given)}, needed are {sorted(expected)}"
            )
        vars(self).update(state_dict)

    @property
    def _starting(self) -> bool:
        """Whether the rates of the first step are being set."""
        return self._step_count == 0


class LambdaLR(LRScheduler):
    """lr_t = lr₀ · lr_lambda(t); one function, or a list of one for each group.

    A function is not part of the state, so build the schedule with the same one to go on.

    >>> from tinygrad_seq import Parameter, optim
    >>> optimizer = optim.SGD([Parameter([1.0])], lr=1.0)
    >>> warmup = optim.lr_scheduler.LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 4))
    >>> for _ in range(5):
    ...     print(warmup.get_last_lr())
    ...     optimizer.step()
    ...     warmup.step()
    [0.25]
    [0.5]
    [0.75]
    [1.0]
    [1.0]
    """

    own = frozenset({"optimizer", "lr_lambdas"})

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = _for_each_group(self, optimizer, "lr_lambda", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`."""
        return [lr * f(self.last_epoch) for lr, f in zip(self.base_lrs, self.lr_lambdas)]

    first_lr = get_lr


class StepLR(LRScheduler):
    """lr_t = lr₀ · gamma^⌊t / step_size⌋

    >>> from tinygrad_seq import Parameter, optim
    >>> optimizer = optim.SGD([Parameter([1.0])], lr=1.0)
    >>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(5):
    ...     print(schedule.get_last_lr())
    ...     optimizer.step()
    ...     schedule.step()
    [1.0]
    [1.0]
    [0.5]
    [0.5]
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = _whole(self, "step_size", step_size, 1)
        self.gamma = _finite(self, "gamma", gamma, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        now = self.last_epoch and self.last_epoch % self.step_size == 0
        return [lr * self.gamma for lr in self._lrs()] if now else self._lrs()


class MultiStepLR(LRScheduler):
    """lr_t = lr₀ · gamma^(number of milestones up to t)"""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(_whole(self, "a milestone", m, 0) for m in milestones)
        self.gamma = _finite(self, "gamma", gamma, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        now = self.milestones.count(self.last_epoch)
        return [lr * self.gamma**now for lr in self._lrs()] if now else self._lrs()

    def first_lr(self) -> list[float]:
        """The rates of the groups at t = 0."""
        return [lr * self.gamma ** self.milestones.count(0) for lr in self.base_lrs]


class ConstantLR(LRScheduler):
    """lr_t = lr₀ · factor while t < total_iters, then lr₀"""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = _finite(self, "factor", factor, 0, 1)
        if factor == 0:
            raise DataError("ConstantLR: factor must be above 0, or there is no way back to the full rate, got 0")
        self.total_iters = _whole(self, "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._lrs()]
        return [lr * (1.0 / self.factor) for lr in self._lrs()] if self.last_epoch == self.total_iters else self._lrs()

    def first_lr(self) -> list[float]:
        """The rates of the groups at t = 0."""
        return [lr * (self.factor if self.total_iters else 1.0) for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """lr_t = lr₀ · (start_factor + (end_factor − start_factor) · min(t, total_iters) / total_iters)"""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = _finite(self, "start_factor", start_factor, 0, 1)
        if start_factor == 0:
            raise DataError("LinearLR: start_factor must be above 0, for the rate grows from it, got 0")
        self.end_factor = _finite(self, "end_factor", end_factor, 0, 1)
        self.total_iters = _whole(self, "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        t, rise = self.last_epoch, self.end_factor - self.start_factor
        if t == 0:
            return [lr * self.start_factor for lr in self._lrs()]
        if self._starting or t > self.total_iters:
            return self._lrs()
        growth = 1.0 + rise / (self.total_iters * self.start_factor + (t - 1) * rise)
        return [lr * max(growth, 0.0) for lr in self._lrs()]  # on the way to 0 it may round to below

    def first_lr(self) -> list[float]:
        """The rates of the groups at t = 0."""
        return [lr * self.start_factor for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """lr_t = lr₀ · gammaᵗ"""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = _finite(self, "gamma", gamma, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        return self._lrs() if self._starting else [lr * self.gamma for lr in self._lrs()]


class CosineAnnealingLR(LRScheduler):
    """lr_t = eta_min + ½·(lr₀ − eta_min)·(1 + cos(π·t / T_max))

    Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without the restarts: after
    T_max the rate goes up again as it came down.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = _whole(self, "T_max", T_max, 1)
        self.eta_min = _finite(self, "eta_min", eta_min, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, from those before."""
        t, T, low = self.last_epoch, self.T_max, self.eta_min
        if self._starting:
            return self._lrs()
        if (t - 1 - T) % (2 * T) == 0:  # the rate before was eta_min: nothing to multiply
            rise = (1 - math.cos(math.pi / T)) / 2
            return [lr + (base - low) * rise for base, lr in zip(self.base_lrs, self._lrs())]
        ratio = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return [ratio * (lr - low) + low for lr in self._lrs()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr_t = eta_min + ½·(lr₀ − eta_min)·(1 + cos(π·T_cur / T_i))

    T_cur is the number of steps since the latest restart; the first run takes T_i = T_0 steps, each further one T_mult
    times the one before.  Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = _whole(self, "T_0", T_0, 1)
        self.T_mult = _whole(self, "T_mult", T_mult, 1)
        self.eta_min = _finite(self, "eta_min", eta_min, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`."""
        since, length = self.last_epoch, self.T_0
        if self.T_mult == 1:
            since %= length
        while since >= length:
            since -= length
            length *= self.T_mult
        height = (1 + math.cos(math.pi * since / length)) / 2
        return [self.eta_min + (lr - self.eta_min) * height for lr in self.base_lrs]


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
        _checked_optimizer(self, optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise DataError("OneCycleLR needs total_steps, or epochs and steps_per_epoch")
            total_steps = _whole(self, "epochs", epochs, 1) * _whole(self, "steps_per_epoch", steps_per_epoch, 1)
        self.total_steps = _whole(self, "total_steps", total_steps, 1)
        _finite(self, "pct_start", pct_start, 0, 1)
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
        peaks = [_finite(self, "max_lr", x, 0) for x in _for_each_group(self, optimizer, "max_lr", max_lr)]
        lows, highs = [
            [_finite(self, name, x, 0, 1) for x in _for_each_group(self, optimizer, name, given)]
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
        self.optimizer = _checked_optimizer(self, optimizer)
        self.schedulers = list(schedulers)
        for i, schedule in enumerate(self.schedulers):
            if not isinstance(schedule, LRScheduler) or isinstance(schedule, SequentialLR | ReduceLROnPlateau):
                raise DataError(
                    f"SequentialLR: schedule {i} cannot be a {type(schedule).__name__}: only schedules that need "
                    "nothing but the step can follow one another"
                )
            if schedule.optimizer is not optimizer:
                raise DataError(f"SequentialLR: schedule {i}, {type(schedule).__name__}, belongs to another optimiser")
        self.milestones = [_whole(self, "a milestone", m, 1) for m in milestones]
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
        self.optimizer = _checked_optimizer(self, optimizer)
        if mode not in ("min", "max"):
            raise DataError(f'ReduceLROnPlateau: mode must be "min" or "max", got {mode!r}')
        if threshold_mode not in ("rel", "abs"):
            raise DataError(f'ReduceLROnPlateau: threshold_mode must be "rel" or "abs", got {threshold_mode!r}')
        if not 0 <= factor < 1:
            raise DataError(f"ReduceLROnPlateau: factor must be a number from 0 to below 1, got {factor!r}")
        self.mode = mode
        self.factor = factor
        self.patience = _whole(self, "patience", patience, 0)
        self.threshold = _finite(self, "threshold", threshold, 0)
        self.threshold_mode = threshold_mode
        self.cooldown = _whole(self, "cooldown", cooldown, 0)
        self.min_lrs = _for_each_group(self, optimizer, "min_lr", min_lr)
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


# ---- arguments, checked ----


def _checked_optimizer(schedule: Any, optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise DataError(f"{type(schedule).__name__} needs an optimiser, got a {type(optimizer).__name__}")
    return optimizer


def _whole(schedule: Any, name: str, x: Any, least: int) -> int:
    """A whole number of at least so much."""
    if isinstance(x, bool) or not hasattr(x, "__index__") or x < least:
        raise DataError(f"{type(schedule).__name__}: {name} must be a whole number of at least {least}, got {x!r}")
    return int(x)


def _finite(schedule: Any, name: str, x: SupportsFloat, low: float, high: float = math.inf) -> float:
    """A finite number within the limits."""
    number = float(x)
    if not math.isfinite(number) or not low <= number <= high:
        limits = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise DataError(f"{type(schedule).__name__}: {name} must be a finite number {limits}, got {x!r}")
    return number


def _for_each_group(schedule: Any, optimizer: Optimizer, name: str, x: Any) -> list[Any]:
    """One setting for each group: as given in a list, or the same for all."""
    groups = len(_checked_optimizer(schedule, optimizer).param_groups)
    if not isinstance(x, list | tuple):
        return [x] * groups
    if len(x) != groups:
        raise DataError(f"{type(schedule).__name__}: {name} needs one for each of the {groups} groups, got {len(x)}")
    return list(x)
