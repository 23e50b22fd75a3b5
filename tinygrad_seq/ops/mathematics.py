"""What an op computes, and what its derivative does, as formulas, read from the very functions that do it."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from . import table
from .primitive import Primitive

__all__ = ["Rule", "rule_of"]

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class Rule(NamedTuple):
    """An op in formulas.

    inputs: the names of what it takes.  forward: what it computes, such as "tanh(x)".  vjp: for each input what the
    gradient of it is, such as "g · (1 - out · out)".  Where a function is more than one expression, its formula is
    empty, and `source` has its lines.
    """

    inputs: tuple[str, ...]
    forward: str
    vjp: tuple[str, ...]
    source: str


# Of the ops whose code is written for speed rather than as an equation.  In Python, so that tests can hold each
# against what the op does.
EQUATIONS: Mapping[str, tuple[str, ...]] = {
    "div": ("x / y", "g / y", "-g * x / y**2"),
    "pow": ("x**exponent", "g * exponent * x**(exponent - 1)"),
    "power": ("x**y", "g * y * x**(y - 1)", "g * out * log(x)"),
    "clip_gradient": ("x", "g, shortened to max_norm"),
    "tanh": ("tanh(x)", "g * (1 - out**2)"),
    "sigmoid": ("σ(x)", "g * out * (1 - out)"),
    "relu": ("max(0, x)", "g * (x > 0)"),
    "silu": ("x * σ(x)", "g * σ(x) * (1 + x * (1 - σ(x)))"),
    "softplus": ("log(1 + exp(x))", "g * σ(x)"),
    "gelu": ("x * Φ(x)", "g * (Φ(x) + x * φ(x))"),
    "erf": ("erf(x)", "g * 2 / sqrt(π) * exp(-x**2)"),
    "maximum": ("max(x, y)", "g * (x > y), half where equal", "g * (y > x), half where equal"),
    "minimum": ("min(x, y)", "g * (x < y), half where equal", "g * (y < x), half where equal"),
    "clip": ("min(max(x, low), high)", "g where low <= x <= high, else 0"),
    "matmul": ("x @ y", "g @ y.T", "x.T @ g"),
    "affine": ("x @ W + b", "g @ W.T", "x.T @ g", "g, summed over its rows"),
    "outer": ("x[:, None] * y", "g @ y", "x @ g"),
    "sum": ("sum(x)", "g at every place"),
    "mean": ("sum(x) / n", "g / n at every place"),
    "var": ("sum((x - mean(x))**2) / n", "g * 2 * (x - mean(x)) / n"),
    "std": ("sqrt(var(x))", "g * (x - mean(x)) / (n * out)"),
    "max": ("max(x)", "g where x is the largest, shared among ties"),
    "min": ("min(x)", "g where x is the smallest, shared among ties"),
    "prod": ("prod(x)", "g * out / x"),
    "cumsum": ("x_1 + … + x_k", "g_k + … + g_n"),
    "norm": ("sqrt(sum(x**2))", "g * x / out"),
    "softmax": ("exp(x) / sum(exp(x))", "out * (g - sum(g * out))"),
    "log_softmax": ("x - log(sum(exp(x)))", "g - exp(out) * sum(g)"),
    "logsumexp": ("log(sum(exp(x)))", "g * exp(x - out)"),
    "layer_norm": ("(x - mean(x)) / sqrt(var(x) + eps)", "(g - mean(g) - out * mean(g * out)) / sqrt(var(x) + eps)"),
}


def rule_of(op: Primitive) -> Rule:
    """The formulas of an op, the package's or a user's own."""
    return rule(op.forward, op.vjp, EQUATIONS.get(op.name) if op in vars(table).values() else None)


@lru_cache(maxsize=1024)
def rule(forward: Callable[..., Any], vjp: Callable[..., Any], equations: tuple[str, ...] | None) -> Rule:
    """The formulas of a pair: those that are written for it, or as its functions have them."""
    try:
        parameters = list(inspect.signature(forward).parameters.values())
    except ValueError:  # a function in C that does not say
        parameters = []
    inputs = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
    source, returned = read(vjp)
    if equations is not None:
        first, *others = (written(one) for one in equations)
        return Rule(inputs, first, tuple(others), source)
    parts: tuple[str, ...] = ()
    if isinstance(returned, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in returned.elts):
        parts = tuple(formula(e) for e in returned.elts)
    return Rule(inputs, formula(read(forward)[1]), parts, source)


def read(function: Callable[..., Any]) -> tuple[str, ast.expr | None]:
    """The source of a function, and the expression that it returns if it is no more than that."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError):
        return "", None
    made = tree.body[0]
    if not isinstance(made, ast.FunctionDef):
        return source, None
    body = [line for line in made.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))]
    only = body[0] if len(body) == 1 else None
    return source, only.value if isinstance(only, ast.Return) else None


def formula(expression: ast.expr | None) -> str:
    """An expression as one writes it on a board; empty for none."""
    return "" if expression is None else written(ast.unparse(expression))


def written(text: str) -> str:
    """Python as mathematics.

    >>> written("g * (1 - out * out) + np.exp(x**2)")
    'g · (1 − out · out) + exp(x²)'
    >>> written("g @ W.T")
    'g Wᵀ'
    """
    text = re.sub(r"\b(np|F)\.", "", text)
    text = re.sub(r" ?\*\* ?(-?\d+)\b", lambda match: match[1].translate(SUPERSCRIPTS), text)
    text = text.replace(".T", "ᵀ").replace(" ** ", "^").replace("**", "^").replace(" * ", " · ").replace(" @ ", " ")
    return text.replace("<=", "≤").replace(">=", "≥").replace("-", "−")
