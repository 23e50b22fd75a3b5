"""Whether a module that is called again gives the same, and if not, why; and what it keeps in itself."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy import ndarray

from ...data import plain
from ...nn import Module
from ...tensor import Parameter
from ..faults import Fault
from ..reports import Report
from .findings import place
from .nested import changed_by, first_changed
from .trials import Trial

__all__ = ["held", "repeats"]


def repeats(trial: Trial) -> Report:
    """In use a call gives what the call before gave; in training it does from the same seed."""
    checks = 0
    for training in (False, True):
        trial.module.train(training)
        before, drawn = attributes(trial.module), outside()
        first = trial.call()
        second = trial.call(seed=trial.seed + (not training))
        checks += sum(y.size for y in first)
        found = first_changed(first, second)
        if found is not None or len(first) != len(second):
            i, a, b = found or (0, first[0], second[0])
            again = "in train() from the same seed" if training else "in eval()"
            message = f"output {i} of {trial.name} {changed_by(a, b)} when it is called again {again}{place(b)}"
            same = not training and first_changed(trial.call(), trial.call()) is None
            return Report("", (Fault("non-deterministic", message, (reason(trial, before, drawn, same),), node=b),))
    return Report("", checks=checks)


def reason(trial: Trial, before: dict[str, Any], drawn: Any, same: bool) -> str:
    """Why a second call gave something else, as far as that can be seen."""
    now = attributes(trial.module)
    for path, value in now.items():
        if not same and (path not in before or differs(before[path], value)):
            return f"the call changes its attribute {path}: take state as an argument and return the new one"
    if same:
        return "it draws from the library's generator outside of training too: ask self.training, as nn.Dropout does"
    names = [name for name, a, b in zip(("np.random", "random"), drawn, outside(), strict=True) if differs(a, b)]
    if names:
        return f"it draws from {names[0]}: draw from tinygrad_seq.rng.generator(), which manual_seed starts anew"
    return "it draws random numbers of its own, or keeps something outside of itself"


def attributes(module: Module) -> dict[str, Any]:
    """What modules hold besides parameters, modules, and whether they train: by path, arrays copied."""
    found = {}
    for path, x in held(module).items():
        if path.rpartition(".")[2] not in ("training", "_name"):
            found[path] = np.copy(x) if isinstance(x, ndarray) else kept_list(x)
    return found


def held(cell: Any) -> dict[str, Any]:
    """What a cell holds, but for its parameters."""
    owners = cell.named_modules() if isinstance(cell, Module) else [("", cell)]
    return {
        f"{path}.{name}" if path else name: x
        for path, owner in owners
        for name, x in getattr(owner, "__dict__", {}).items()
        if not isinstance(x, Parameter | Module)
    }


def kept_list(x: Any) -> Any:
    """A copy of a list or a dict, which may grow; other things as they are."""
    return x.copy() if isinstance(x, list | dict | set) else x


def outside() -> tuple[str, str]:
    """Where the random generators of NumPy and of Python stand."""
    return str(np.random.get_state()), str(random.getstate())


def differs(a: Any, b: Any) -> bool:
    """Whether two things of any kind are not the same; also where one cannot tell."""
    if a is b:
        return False
    x, y = plain(a), plain(b)
    if isinstance(x, ndarray) and isinstance(y, ndarray):
        return x.dtype != y.dtype or not np.array_equal(x, y)
    try:
        return bool(x != y)
    except (TypeError, ValueError):
        return True
