"""What can be checked, and how: an object of a module as one or more checks that each give a report."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import numpy as np

from ..nn import Module
from ..ops import Primitive, table
from .targets import NotCheckedError, place_of, resolved

if TYPE_CHECKING:
    from ..testing import Report

__all__ = ["KINDS", "Asked", "Check", "checks_of", "package_checks"]

KINDS = {"ops": "op", "functions": "function", "layers": "layer", "cells": "cell", "models": "model"}  # for --only
VJP, EXAMPLE, SAMPLES, FIXED = "_vjp", "_example", "_samples", "_fixed"  # beside a name: what belongs to it
STATES = ("state", "h", "hx", "hidden")  # what a recurrent layer calls what it carries
RUNS = 5  # random inputs of a function, where no budget is given
SIZES = {  # what a layer is made with, where its class is given and it needs these
    "input_size": 3, "hidden_size": 4, "output_size": 2, "in_features": 3, "out_features": 4, "size": 4,
}  # fmt: skip


class Asked(NamedTuple):
    """What the options say: example and shapes of inputs, order of derivatives, how many examples, the seed."""

    example: str | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    order: int | None = None
    budget: int | None = None
    seed: int = 0

    @property
    def options(self) -> dict[str, Any]:
        """The order, where one is asked for."""
        return {} if self.order is None else {"order": self.order}


class Check(NamedTuple):
    """One thing to check: what it is called, what kind of thing it is, and what gives its report."""

    name: str
    kind: str
    run: Callable[[], Any]

    def report(self) -> Report:
        """The report.  What the thing itself raises is a fault of it."""
        from ..testing import Fault, GradientCheckError, Report

        try:
            with warnings.catch_warnings():  # at zeros, infinities and complex numbers NumPy warns of what is meant
                for category in (RuntimeWarning, np.exceptions.ComplexWarning):
                    warnings.simplefilter("ignore", category)
                report = self.run()
        except GradientCheckError as error:
            report = error.report
        except NotCheckedError:
            raise
        except Exception as error:
            where = place_of(error)
            said = f"{self.name} cannot be checked: it raised {type(error).__name__}: {error}".rstrip(": ")
            return Report(self.name, (Fault("raises", said + (f" ({where})" if where else "")),))
        return report if isinstance(report, Report) else Report(self.name)


def package_checks(asked: Asked) -> list[Check]:
    """All ops, functions, layers, cells and models of the package."""
    from ..testing.catalogue import entries

    found = entries(order=asked.order or 2, max_examples=asked.budget, seed=asked.seed)
    return [Check(entry.name, entry.kind, entry.check) for entry in found]


def checks_of(target: str, asked: Asked) -> list[Check]:
    """What there is to check: an object, or all that a module defines and that says how to call it.

    Raises NotCheckedError.
    """
    module, found, name = resolved(target)
    if found is None:
        checks, passed = [], []
        for own, x in defined_in(module):
            try:
                some = checks_for(own, x, module, asked, alone=False)
            except NotCheckedError as error:  # the others can be
                some = [Check(own, "", partial(not_checked, error))]
            checks += some
            passed += [own] if not some and is_layer(x) else []
        if passed:
            names = ", ".join(passed)
            click.echo(f"Passed over in {name}: {names} (name one to see what it needs: {name}:{passed[0]})", err=True)
        if not checks:
            raise NotCheckedError(
                f"there is nothing to check in {name}: no Op, no function with its vjp (softsign and softsign_vjp), "
                "no nn.Module, no gradient_property; name a function: "
                f"tinygrad-seq check {name}:function --shape 2,3"
            )
        return checks
    return checks_for(name, found, module, asked, alone=True)


def not_checked(why: NotCheckedError) -> None:
    """In place of a check: why there is none."""
    raise why


def defined_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module defines, and does not only import, that may be checked."""
    ops = {id(x.forward) for x in vars(module).values() if isinstance(x, Primitive)}
    seen: set[int] = set()
    for name, x in list(vars(module).items()):
        if name.startswith("_") or id(x) in seen:
            continue
        home = getattr(x.forward if isinstance(x, Primitive) else x, "__module__", None)
        if isinstance(x, Primitive):
            imported = home != module.__name__ and x in vars(sys.modules.get(home or "", object)).values()
        elif isinstance(x, Module):
            imported = False
        else:
            imported = home != module.__name__
        if not imported and id(x) not in ops:
            seen.add(id(x))
            yield name, x


def checks_for(name: str, x: Any, module: ModuleType, asked: Asked, *, alone: bool) -> list[Check]:
    """The checks of one object.  alone: it was asked for by name, so say so where it cannot be checked.

    Raises NotCheckedError.
    """
    if is_property(x):
        return [property_check(name, x, asked)]
    vjp = getattr(module, name.rpartition(".")[2] + VJP, None)
    if is_pair(x):
        return [op_check(name, x, module, asked)]
    if isinstance(x, FunctionType) and callable(vjp):
        return [op_check(name, (x, vjp), module, asked)]
    if is_layer(x):
        return module_checks(name, x, module, asked, alone=alone)
    if callable(x) and not isinstance(x, type):
        if not alone and not example_of(name, x, module, Asked()):
            return []
        return [function_check(name, x, module, asked)]
    if alone:
        raise NotCheckedError(
            f"{name} is {with_article(type(x).__name__)}: give an Op, a pair (forward, vjp), an nn.Module or a function"
        )
    return []


def is_pair(x: Any) -> bool:
    """Whether something is an op: a primitive, or forward and vjp."""
    return isinstance(x, Primitive) or (isinstance(x, tuple) and len(x) == 2 and all(map(callable, x)))


def is_layer(x: Any) -> bool:
    """Whether something is an nn.Module, or a class of them."""
    return isinstance(x, Module) or (isinstance(x, type) and issubclass(x, Module))


def is_property(x: Any) -> bool:
    """Whether a function is a property made by `gradient_property`."""
    return getattr(x, "gradient_property", False) is True


# ---- how each kind is checked --------------------------------------------------------


def op_check(name: str, op: Any, module: ModuleType, asked: Asked) -> Check:
    """Of an op: all that check_op looks at.  Beside it may stand NAME_samples, and NAME_fixed for its keywords."""
    given = {
        key: getattr(module, own + ending)
        for key, ending in (("samples", SAMPLES), ("fixed", FIXED))
        for own in (getattr(op, "name", name), name)
        if hasattr(module, own + ending)
    }

    missing = [] if given else keywords(op)
    if missing:
        strategies = ", ".join(f'"{each}": st.…' for each in missing)
        raise NotCheckedError(
            f"{name} needs {', '.join(missing)}: write `{name}{FIXED} = {{{strategies}}}` beside it, a strategy of "
            f"hypothesis for each, or `{name}{SAMPLES}`, a strategy of `Case`s"
        )

    def run() -> Any:
        from ..testing import check_op

        return check_op(op, max_examples=asked.budget, raise_exception=False, **given, **asked.options)

    return Check(name, "op", run)


def property_check(name: str, test: Any, asked: Asked) -> Check:
    """Of a function under `gradient_property`: hypothesis draws its inputs, the same ones each time."""

    def run() -> None:
        from hypothesis import settings

        own = getattr(test, "_hypothesis_internal_use_settings", None) or settings()
        test._hypothesis_internal_use_settings = settings(
            own, max_examples=asked.budget or own.max_examples, deadline=None, database=None, derandomize=True,
            report_multiple_bugs=False,
        )  # fmt: skip
        test()

    return Check(name, "property", run)


def function_check(name: str, function: Callable[..., Any], module: ModuleType, asked: Asked) -> Check:
    """Of a function: its gradient, at its example, or at random inputs of the shapes that were asked for."""
    example = None if asked.shapes else example_of(name, function, module, asked)
    if example is None and not asked.shapes:
        names = required(function)
        shapes = " ".join(["--shape 2,3"] * max(1, len(names)))
        raise NotCheckedError(
            f"{name} is a function: say the shapes of its inputs{' ' if names else ''}{', '.join(names)}: {shapes}; or "
            "give inputs by --example module:object; or, if it is half of an op, put its derivative beside it, "
            f"{name.rpartition('.')[2]}{VJP}"
        )
    if not takes_so_many(function, len(asked.shapes if example is None else example)):
        raise NotCheckedError(
            f"{name} takes {', '.join(required(function)) or 'no input'}, and "
            + (f"--shape was given {len(asked.shapes)} times" if example is None else f"the example has {len(example)}")
        )

    def run() -> Any:
        from ..testing import gradcheck
        from ..testing.reports import joined

        if example is not None:
            return gradcheck(function, list(example), raise_exception=False, seed=asked.seed, **asked.options)
        reports = []
        for n in range(asked.budget or RUNS):
            rng = np.random.default_rng([asked.seed, n])
            xs = [rng.normal(size=shape) for shape in asked.shapes]
            reports.append(gradcheck(function, xs, raise_exception=False, seed=asked.seed + n, **asked.options))
            if not reports[-1]:
                break
        return replace(joined(name, reports), outputs=reports[-1].outputs)

    return Check(name, "function", run)


def module_checks(name: str, x: Any, module: ModuleType, asked: Asked, *, alone: bool) -> list[Check]:
    """Of a layer, or of a class of layers: its gradients on an example; of what is recurrent what time asks for."""
    example = example_of(name, x, module, asked)
    layer, why_not = made(name, x)
    if layer is None:
        if alone or example is not None:
            raise NotCheckedError(why_not)
        return []
    recurrent = is_recurrent(layer)
    sequence = next((x for x in example or () if np.ndim(getattr(x, "data", x)) == 3), None)
    through_time = recurrent and (sequence is not None or hasattr(layer, "input_size"))
    if example is None and not through_time:
        example = guessed(layer)
        if example is None and not alone:
            return []
        if example is None:
            takes = ", ".join(required(layer.forward)) or "its arguments"
            raise NotCheckedError(
                f"{name} needs an example to run on, with {takes}: write `example = (x,)` into its class, "
                f"or `{name}{EXAMPLE} = (x,)` beside it, or give --example module:object"
            )

    def run() -> Any:
        from ..testing import check_module

        return check_module(layer, example, raise_exception=False, seed=asked.seed, **asked.options)

    def steps() -> Any:
        from ..testing import check_recurrent

        return check_recurrent(layer, sequence, raise_exception=False, seed=asked.seed, **asked.options)

    checks = [Check(name, "cell" if recurrent else "layer", run)] if example is not None else []
    return [*checks, Check(f"{name} in time" if checks else name, "cell", steps)] if through_time else checks


def made(name: str, x: Any) -> tuple[Any, str]:
    """A layer, of a class a small one; or None, and why it cannot be made."""
    if not isinstance(x, type):
        return x, ""
    needs = required(x)
    missing = [each for each in needs if each not in SIZES]
    if missing:
        return None, (
            f"{name} needs {', '.join(needs)} to be made: make one in the same file, such as `layer = {name}(…)`, and "
            "check that"
        )
    return x(**{each: SIZES[each] for each in needs}), ""


def is_recurrent(layer: Any) -> bool:
    """Whether it goes through time: as a layer does, or a step of input and state after the other."""
    if any(hasattr(layer, name) for name in ("num_layers", "bidirectional", "batch_first")):
        return True
    if callable(getattr(layer, "step", None)):
        return len(required(layer.step)) == 2
    second = list(inspect.signature(layer.forward).parameters)[1:2]
    return second in [[name] for name in STATES]


def guessed(layer: Any) -> Any:
    """An example for a layer that says how wide its input is; None for others."""
    width = next((getattr(layer, key) for key in ("in_features", "input_size") if hasattr(layer, key)), None)
    if not isinstance(width, int) or len(required(layer.forward)) != 1:
        return None
    return (np.random.default_rng(0).normal(size=(2, width)),)


def example_of(name: str, x: Any, module: ModuleType, asked: Asked) -> Any:
    """What to call something with, as a tuple: as asked for, as it says itself, or as stands beside it; else None."""
    example = None
    if asked.example is not None:
        _, example, _ = resolved(asked.example)
        if example is None:
            raise NotCheckedError(f"--example {asked.example} is a module: name what in it, module:object")
    for owner, key in ((x, "example"), (x, "example_inputs"), (module, name + EXAMPLE)):
        example = getattr(owner, key, None) if example is None else example
    if callable(example) and not isinstance(example, np.ndarray):
        example = example()
    if example is None or isinstance(example, tuple):
        return example
    several = isinstance(example, list) and any(hasattr(one, "shape") for one in example)
    return tuple(example) if several else (example,)


def keywords(op: Any) -> list[str]:
    """The arguments of an op that must be given by keyword."""
    forward = op.forward if isinstance(op, Primitive) else op[0]
    if isinstance(op, Primitive) and op in vars(table).values():
        return []  # the package's own have their samples
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]


def takes_so_many(function: Any, count: int) -> bool:
    """Whether a function can be called with so many inputs, as far as Python can tell."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def required(function: Any) -> list[str]:
    """The names of what must be given by position; none where Python cannot tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind in by_position]


def with_article(noun: str) -> str:
    """A noun as one of its kind."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
