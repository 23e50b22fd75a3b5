"""Schedules that follow a curve: steps, ramps, cosines, or a function of your own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from ...errors import DataError
from ..stepping import Optimizer
from .schedule import LRScheduler, finite, for_each_group, whole

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "StepLR",
]


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
        self.lr_lambdas = for_each_group(self, optimizer, "lr_lambda", lr_lambda)
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
        self.step_size = whole(self, "step_size", step_size, 1)
        self.gamma = finite(self, "gamma", gamma, 0)
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
        self.milestones = sorted(whole(self, "a milestone", m, 0) for m in milestones)
        self.gamma = finite(self, "gamma", gamma, 0)
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
        self.factor = finite(self, "factor", factor, 0, 1)
        if factor == 0:
            raise DataError("ConstantLR: factor must be above 0, or there is no way back to the full rate, got 0")
        self.total_iters = whole(self, "total_iters", total_iters, 0)
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
        self.start_factor = finite(self, "start_factor", start_factor, 0, 1)
        if start_factor == 0:
            raise DataError("LinearLR: start_factor must be above 0, for the rate grows from it, got 0")
        self.end_factor = finite(self, "end_factor", end_factor, 0, 1)
        self.total_iters = whole(self, "total_iters", total_iters, 1)
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
        self.gamma = finite(self, "gamma", gamma, 0)
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
        self.T_max = whole(self, "T_max", T_max, 1)
        self.eta_min = finite(self, "eta_min", eta_min, 0)
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
        self.T_0 = whole(self, "T_0", T_0, 1)
        self.T_mult = whole(self, "T_mult", T_mult, 1)
        self.eta_min = finite(self, "eta_min", eta_min, 0)
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
