"""Property tests of gradients: hypothesis draws the inputs, the gradient is checked, the smallest failure is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import wraps
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis.strategies import SearchStrategy
from numpy import ndarray

from ..errors import GradientError
from ..graph import Node
from ..tensor import Tensor
from .functions.gradients import gradcheck
from .pasting import is_program, pasted
from .reports import GradientCheckError

__all__ = ["gradient_property", "with_budget"]

PHASES = [phase for phase in Phase if phase is not Phase.explain]  # the report explains, and it is not cheap

Strategy = SearchStrategy[Any]


def gradient_property(
    *strategies: Strategy,
    order: int = 1,
    max_examples: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    **named: Strategy,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a test of a function that computes something from what is drawn: its gradient is right, wherever drawn.

    strategies: what to draw for the arguments, as for hypothesis' `given`; fixtures and parameters of pytest fill the
    others.  Differentiated are the floating-point arrays, the Tensors and the Values that require a gradient, alone, in
    tuples, lists and dictionaries, and the leaves of a program; all else is passed as it was drawn.  order, atol, rtol:
    as for `gradcheck`.  max_examples: how many to draw, instead of what hypothesis' settings say.

    The test raises GradientCheckError, with what is wrong and the smallest inputs, as code to paste; GradientError
    where there is nothing to differentiate by.  It is a test of hypothesis: settings, examples and seeds can be put on
    top of it, and called without pytest it runs.

    >>> from tinygrad_seq.testing import gradient_property, tensors
    >>> @gradient_property(tensors(), max_examples=5)
    ... def test_the_gradient_of_a_cube(x):
    ...     return x * x * x
    >>> test_the_gradient_of_a_cube()
    """

    def test_of(function: Callable[..., Any]) -> Callable[..., None]:
        signature = inspect.signature(function)
        drawn = strategy_of_each(function.__name__, signature, strategies, named)

        def check(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            run(function, signature.bind(*args, **kwargs), [*drawn], order=order, atol=atol, rtol=rtol)

        test = like(function, signature, check)
        test = given(**drawn)(test)
        chosen: Any = {} if max_examples is None else {"max_examples": max_examples}
        preset(test, settings(deadline=None, report_multiple_bugs=False, phases=PHASES, **chosen))
        test.gradient_property = True  # type: ignore[attr-defined] # for the plugin of pytest
        return test

    return test_of


def run(function: Callable[..., Any], bound: inspect.BoundArguments, drawn: Sequence[str], **options: Any) -> None:
    """Check the gradient of a function at what was drawn for its arguments of these names."""
    __tracebackhide__ = True
    arguments = dict(bound.arguments)
    inputs = [as_named(x, name) for name in drawn for x in differentiable(arguments[name])]

    @wraps(function)
    def compute(*xs: Any) -> Any:
        left = iter(xs)
        bound.arguments.update({name: refilled(arguments[name], left) for name in drawn})
        return function(*bound.args, **bound.kwargs)

    if not inputs:
        what = ", ".join(f"{name}: {type(arguments[name]).__name__}" for name in drawn)
        raise GradientError(
            f"{function.__name__} was given nothing to differentiate by ({what}): draw an array of floats, a Tensor or "
            "a program, alone or in a tuple, list or dictionary"
        )
    report = gradcheck(compute, inputs, raise_exception=False, **options)
    if not report:
        smallest = [line for name in drawn for line in pasted(name, arguments[name])]
        raise GradientCheckError(replace(report, notes=(*report.notes, "the smallest inputs found:", *smallest)))


def strategy_of_each(
    name: str, signature: inspect.Signature, strategies: Sequence[Strategy], named: dict[str, Strategy]
) -> dict[str, Strategy]:
    """The strategies by the names of the arguments that they fill: the last ones, and those that are named."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in signature.parameters.values() if p.kind in kinds and p.name not in named]
    if len(strategies) > len(names):
        raise TypeError(
            f"gradient_property got {len(strategies)} strategies for {name}, which has {len(names)} arguments to fill: "
            "give one strategy for each argument that is to be drawn"
        )
    return {**dict(zip(names[len(names) - len(strategies) :], strategies)), **named}


def like(function: Callable[..., Any], signature: inspect.Signature, check: Callable[..., None]) -> Any:
    """A check that looks like the function it checks: name, docstring, arguments, and the source line of its own.

    Hypothesis takes the line from the code; what it makes and pytest collects shall lead to the user's function.
    """
    test: Any = wraps(function)(check)
    del test.__wrapped__  # its arguments are those of `given`
    test.__signature__ = signature
    code = getattr(function, "__code__", None)
    if code is not None:
        test.__code__ = test.__code__.replace(co_filename=code.co_filename, co_firstlineno=code.co_firstlineno)
    return test


def with_budget(test: Any, examples: int) -> None:
    """Let a property draw so many examples, whatever its settings said."""
    test = getattr(test, "__func__", test)
    now = getattr(test, "_hypothesis_internal_use_settings", None) or settings()
    preset(test, settings(now, max_examples=examples))


def preset(test: Any, chosen: settings) -> None:
    """Settings of a property over which its user's `@settings` still may go; hypothesis has no public way to it."""
    test._hypothesis_internal_use_settings = chosen


# ---- what is differentiated ----------------------------------------------------------


def is_differentiable(x: Any) -> bool:
    """Whether something drawn is differentiated: a node that requires a gradient, or an array of floats."""
    return x.requires_grad if isinstance(x, Node) else isinstance(x, ndarray) and x.dtype.kind == "f"


def as_named(x: Any, name: str) -> Any:
    """What is differentiated as a node with a name: that of the argument, if it has none of its own."""
    if isinstance(x, Node) and x.name is not None:
        return x
    return x.named(name) if isinstance(x, Node) else Tensor(x, requires_grad=True, name=name)


def differentiable(drawn: Any) -> Iterator[Any]:
    """What is differentiated of something drawn, in order."""
    if is_differentiable(drawn):
        yield drawn
    elif is_program(drawn):
        yield from differentiable(list(drawn.leaves))
    elif isinstance(drawn, (tuple, list, dict)):
        for part in drawn.values() if isinstance(drawn, dict) else drawn:
            yield from differentiable(part)


def refilled(drawn: Any, xs: Iterator[Any]) -> Any:
    """The same, with the next of xs in each place that is differentiated."""
    if is_differentiable(drawn):
        return next(xs)
    if is_program(drawn):
        leaves = refilled(list(drawn.leaves), xs)
        return with_leaves(drawn, leaves)
    if isinstance(drawn, dict):
        return {key: refilled(part, xs) for key, part in drawn.items()}
    if isinstance(drawn, (tuple, list)):
        parts = [refilled(part, xs) for part in drawn]
        return type(drawn)(*parts) if hasattr(drawn, "_fields") else type(drawn)(parts)
    return drawn


def with_leaves(program: Any, leaves: list[Any]) -> Any:
    """A program that starts from other leaves."""
    if hasattr(program, "_replace"):
        return program._replace(leaves=leaves)
    other = copy(program)
    object.__setattr__(other, "leaves", leaves)
    return other
