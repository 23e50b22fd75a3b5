"""`LRScheduler`: what all schedules have in common, and the checks of their arguments."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, SupportsFloat

from ...errors import DataError
from ..stepping import Optimizer

__all__ = ["LRScheduler", "checked_optimizer", "finite", "for_each_group", "whole"]


class LRScheduler:
    """A schedule; each kind says in `get_lr` what the rates of the groups at `last_epoch` are.

    last_epoch: the t to go on from, -1 to start; to go on needs an optimiser whose state was loaded.  `base_lrs` are
    the groups' rates at the start.  Raises DataError for arguments that cannot be.
    """

    own = frozenset({"optimizer"})  # attributes that a state does not hold

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
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


# ---- arguments, checked ----


def checked_optimizer(schedule: Any, optimizer: Any) -> Optimizer:
    """The optimiser, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise DataError(f"{type(schedule).__name__} needs an optimiser, got a {type(optimizer).__name__}")
    return optimizer


def whole(schedule: Any, name: str, x: Any, least: int) -> int:
    """A whole number of at least so much."""
    if isinstance(x, bool) or not hasattr(x, "__index__") or x < least:
        raise DataError(f"{type(schedule).__name__}: {name} must be a whole number of at least {least}, got {x!r}")
    return int(x)


def finite(schedule: Any, name: str, x: SupportsFloat, low: float, high: float = math.inf) -> float:
    """A finite number within the limits."""
    number = float(x)
    if not math.isfinite(number) or not low <= number <= high:
        limits = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise DataError(f"{type(schedule).__name__}: {name} must be a finite number {limits}, got {x!r}")
    return number


def for_each_group(schedule: Any, optimizer: Optimizer, name: str, x: Any) -> list[Any]:
    """One setting for each group: as given in a list, or the same for all."""
    groups = len(checked_optimizer(schedule, optimizer).param_groups)
    if not isinstance(x, list | tuple):
        return [x] * groups
    if len(x) != groups:
        raise DataError(f"{type(schedule).__name__}: {name} needs one for each of the {groups} groups, got {len(x)}")
    return list(x)
