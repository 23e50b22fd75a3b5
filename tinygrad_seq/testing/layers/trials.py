"""A module and what to call it with; and what is put in place around a call, and taken away after it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy import ndarray

from ... import rng as library
from ...autograd import grad
from ...data import plain
from ...errors import DataError
from ...nn import Module
from ...tensor import Parameter, Tensor
from ..functions.gradients import gradcheck
from ..reports import Report
from .nested import exchanged, is_floating, named_in, tensors_in

__all__ = ["Trial", "argument_names", "axes_of", "gradient_check", "gradients", "kept", "put", "seeded"]


@dataclass(frozen=True)
class Trial:
    """A module, and what to call it with."""

    module: Module
    arguments: tuple[Any, ...]
    seed: int
    axes: tuple[int | None, ...]
    order: int
    tolerance: dict[str, Any]

    @property
    def name(self) -> str:
        """What the module is called."""
        return type(self.module).__name__

    def call(self, arguments: Any = None, *, seed: int | None = None) -> list[Tensor]:
        """All tensors of floats that the module returns, with the library's random numbers started from a seed."""
        arguments = self.given(self.leaves()) if arguments is None else arguments
        with seeded(self.seed if seed is None else seed):
            returned = self.module(*arguments)
        found = tensors_in(returned)
        if not found:
            raise DataError(
                f"check_module needs a module that returns tensors, got {type(returned).__name__} from {self.name}: "
                "compute with tensors, not with their .data"
            )
        return found

    def leaves(self) -> list[Tensor]:
        """New leaves for all arguments that can be differentiated, called as the module calls them."""
        names = argument_names(self.module, len(self.arguments))
        found = [named_in(argument, name) for name, argument in zip(names, self.arguments)]
        return [
            Tensor(plain(x), requires_grad=True, name=name) for each in found for name, x in each if is_floating(x)
        ]

    def given(self, leaves: Sequence[Any]) -> Any:
        """The arguments with these in place of what can be differentiated, and copies of the rest."""
        rest = iter(leaves)
        return exchanged(
            self.arguments, lambda x: next(rest) if is_floating(x) else x if isinstance(x, Tensor) else x.copy()
        )

    def differentiated(self, leaves: Sequence[Tensor]) -> tuple[list[Tensor], list[Any]]:
        """The outputs, and the gradients of their sum, with random weights, by the leaves and all parameters."""
        outputs = self.call(self.given(leaves))
        return outputs, gradients(outputs, [*leaves, *self.module.parameters()], self.seed)


def axes_of(batch_axis: Any, arguments: tuple[Any, ...]) -> tuple[int | None, ...]:
    """Where the batch stands in each argument."""
    if batch_axis is None or isinstance(batch_axis, int):
        return tuple([batch_axis] * len(arguments))
    if len(batch_axis) != len(arguments):
        raise DataError(f"batch_axis needs one axis, or None, for each of {len(arguments)} arguments, got {batch_axis}")
    return tuple(batch_axis)


def argument_names(module: Module, count: int) -> list[str]:
    """What the module calls its arguments."""
    names = [
        p.name for p in inspect.signature(module.forward).parameters.values() if p.kind is not p.VAR_POSITIONAL
    ]
    return [names[i] if i < len(names) else f"argument {i}" for i in range(count)]


def gradients(outputs: Sequence[Tensor], leaves: Sequence[Tensor], seed: int) -> list[Any]:
    """The gradients of Σ w y over all outputs y, with weights w from a seed; None where none comes."""
    generator = np.random.default_rng(seed)
    weights = [generator.normal(size=y.shape).astype(y.dtype) for y in outputs]
    ways = [(y, w) for y, w in zip(outputs, weights, strict=True) if isinstance(y, Tensor) and y.requires_grad]
    if not ways or not leaves:
        return [None] * len(leaves)
    return list(grad([y for y, _ in ways], leaves, [w for _, w in ways], allow_unused=True))


def gradient_check(
    function: Callable[..., Any], leaves: Sequence[Tensor], order: int, seed: int, **tolerance: Any
) -> Report:
    """gradcheck of a function of many leaves: by each of them, and in second order along all of them at once.

    What is wrong only in second order is then looked for by each, so that its name can be told.
    """
    options: Any = {"raise_exception": False, "seed": seed, **tolerance}
    report = gradcheck(function, list(leaves), **options)
    if order == 1 or report.faults:
        return report

    def of_one(whole: Any) -> Any:
        parts, start = [], 0
        for x in leaves:
            parts.append(whole[start : start + x.size].reshape(x.shape).named(x.name or "x"))
            start += x.size
        return function(*parts)

    of_one.__name__ = report.name
    whole = Tensor(np.concatenate([x.data.reshape(-1) for x in leaves]), requires_grad=True)
    twice = gradcheck(of_one, [whole], order=2, fast_mode=True, **options)
    if twice.faults:
        by_each = gradcheck(function, list(leaves), order=2, **options)
        return by_each if by_each.faults else twice
    return replace(report, checks=report.checks + twice.checks)


# ---- around a call ---------------------------------------------------------------------


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside the block the library's generator starts from a seed; afterwards it goes on as if nothing had been."""
    before = library._generator
    library.manual_seed(seed)
    try:
        yield
    finally:
        library._generator = before


@contextmanager
def kept(module: Module) -> Iterator[None]:
    """After the block every module inside holds what it held: its mode, and what it counts or averages over calls."""
    before = [(vars(owner), dict(vars(owner)), contents(vars(owner))) for owner in module.modules()]
    try:
        yield
    finally:
        for held, names, inside in before:
            held.clear()
            held.update(names)
            for x, copy in inside:
                if isinstance(x, ndarray):
                    if not np.array_equal(x, copy, equal_nan=copy.dtype.kind == "f"):
                        x[...] = copy
                elif isinstance(x, list):
                    x[:] = copy
                else:
                    x.clear()
                    x.update(copy)


def contents(held: dict[str, Any]) -> list[tuple[Any, Any]]:
    """(x, copy) of all that can be written into: arrays, lists, dicts and sets."""
    return [(x, x.copy()) for x in held.values() if isinstance(x, ndarray | list | dict | set)]


class Moved(Parameter):
    """A parameter moved by a complex step: it says that it is real, since zeros made in its dtype are to be so."""

    __slots__ = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the parameter it stands for."""
        return np.dtype(float)


@contextmanager
def put(module: Module, stand_ins: dict[Parameter, Tensor]) -> Iterator[None]:
    """Inside the block tensors stand in for parameters, wherever a module has them."""
    places = [
        (vars(owner), name, x)
        for owner in module.modules()
        for name, x in vars(owner).items()
        if isinstance(x, Parameter) and x in stand_ins
    ]
    try:
        for held, name, p in places:
            stand_in = stand_ins[p]
            if not isinstance(stand_in, Parameter):  # so that parameters() goes on finding it
                stand_in.__class__ = Moved if stand_in.dtype.kind == "c" else Parameter
            held[name] = stand_in
        yield
    finally:
        for held, name, p in places:
            held[name] = p
