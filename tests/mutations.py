"""How a rule can be broken: in the numbers that it returns, in its source, or in what it promises besides.

`mutants_of` makes every mutant of the VJP of an op; see mutants.py.
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from oracles import summed_to
from sampled_ops import CASES, Vjp, samples_of
from tinygrad_seq.ops import Primitive, table

__all__ = ["NUMBERS", "PROMISES", "Mutant", "by_numbers", "by_source", "functions_of", "mutants_of", "planted"]


class Mutant(NamedTuple):
    """A wrong VJP.  kind: which mutation.  label: what exactly, to find it again.  reached: whether it was run."""

    kind: str
    label: str
    vjp: Vjp
    reached: list[bool]


@contextmanager
def planted(op: Primitive, vjp: Vjp) -> Iterator[None]:
    """Inside the block the op has a wrong rule."""
    right = op.vjp
    op.vjp = vjp
    try:
        yield
    finally:
        op.vjp = right


# ---- mutations of the numbers ----------------------------------------------------------


def scaled(c: np.ndarray, x: np.ndarray) -> Any:
    """A hundredth of a per cent too large."""
    return c * np.asarray(1.0001, c.dtype)


def negated(c: np.ndarray, x: np.ndarray) -> Any:
    """The wrong sign."""
    return -c


def transposed(c: np.ndarray, x: np.ndarray) -> Any:
    """The elements as of the transposed array, in the shape that they had."""
    return np.ascontiguousarray(c.T).reshape(c.shape)


def shortened(c: np.ndarray, x: np.ndarray) -> Any:
    """The last element forgotten."""
    c = np.array(c)
    c[(-1,) * c.ndim if c.size else ...] = 0
    return c


def unsummed(c: np.ndarray, x: np.ndarray) -> Any:
    """The first slice of the axes that the input was broadcast along, where their sum belongs."""
    extra = c.ndim - x.ndim
    first = [0] * extra + [slice(None, 1) if n == 1 else slice(None) for n in x.shape]
    return c[tuple(first)] if c.size else c


def rolled(c: np.ndarray, x: np.ndarray) -> Any:
    """Every element one place on."""
    return np.roll(c, 1, axis=-1) if c.ndim else c


NUMBERS = {
    "scaled by 1.0001": scaled,
    "sign flipped": negated,
    "transposed": transposed,
    "last element dropped": shortened,
    "broadcast sum left out": unsummed,
    "index shifted": rolled,
    "None returned": lambda c, x: None,
}


def changed_numbers(right: Vjp, i: int, change: Callable[..., Any]) -> Vjp:
    """The rule, but for what it returns for input number i."""

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        sent = list(right(g, out, *xs, **fixed))
        if i < len(sent) and sent[i] is not None:
            sent[i] = change(sent[i].array() if hasattr(sent[i], "array") else np.asarray(sent[i]), xs[i])
        return tuple(sent)

    return vjp


def by_numbers(name: str, n: int = CASES) -> Iterator[Mutant]:
    """For each input of an op, each mutation that could change a gradient of it."""
    right = getattr(table, name).vjp
    samples = samples_of(name, n)
    inputs = max(len(sample.node.inputs) for sample in samples)
    for i in range(inputs):
        parts = [
            (sample.sent(right)[i], sample.node.inputs[i].data)
            for sample in samples
            if i < len(sample.node.inputs)
        ]
        for kind, change in NUMBERS.items():
            if all(c is None or unchanged(c, change(c, x), x) for c, x in parts):
                continue  # it has no place here: no sample is broadcast, or has two axes
            yield Mutant(kind, f"input {i}", changed_numbers(right, i, change), [True])
        if all(c is None for c, _ in parts):
            yield Mutant("not flat", f"input {i}", lambda g, out, *xs, **_: (g,) * len(xs), [True])


def unchanged(c: np.ndarray, changed: Any, x: np.ndarray) -> bool:
    """Whether a mutation finds nothing to change."""
    if changed is None:
        return False
    return bool(np.array_equal(summed_to(c, x.shape), summed_to(changed, x.shape), equal_nan=True))


# ---- mutations of the source -----------------------------------------------------------

FLIPPED: dict[type, tuple[type, ...]] = {
    ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE), ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
}  # fmt: skip
TERMS = (ast.Add, ast.Sub, ast.BitAnd, ast.BitOr)
FACTORS = (ast.Mult, ast.Div, ast.Pow)
REACHED = "_reached_"


def changes(node: ast.AST, inputs: list[str]) -> Iterator[tuple[str, ast.AST | None]]:
    """What a piece of source can be changed into, with the kind of mutation; None: left out."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (*TERMS, *FACTORS)):
        kind = "term dropped" if isinstance(node.op, TERMS) else "factor dropped"
        yield kind, node.left
        if isinstance(node.op, ast.Sub):
            yield kind, ast.UnaryOp(ast.USub(), node.right)
        elif isinstance(node.op, ast.Div):
            yield kind, ast.BinOp(ast.Constant(1), ast.Div(), node.right)
        else:
            yield kind, node.right
        if isinstance(node.op, (ast.Add, ast.Sub)):
            other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "sign flipped in the source", ast.BinOp(node.left, other, node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign flipped in the source", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for other in FLIPPED.get(type(node.ops[0]), ()):
            yield "comparison flipped", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield "constant shifted", ast.Constant(node.value + 1)
        yield "constant shifted", ast.Constant(node.value - 1)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in inputs:
        for other_name in inputs:
            if other_name != node.id:
                yield "argument swapped", ast.Name(other_name, ast.Load())
    elif isinstance(node, ast.IfExp):
        yield "branch taken always", node.body
        yield "branch taken always", node.orelse
    elif isinstance(node, ast.Call):
        yield from changed_calls(node)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        if not any(isinstance(element, ast.Starred) for element in node.value.elts):
            yield "results swapped", ast.Return(ast.Tuple(node.value.elts[::-1], ast.Load()))
    elif isinstance(node, ast.AugAssign):
        yield "line dropped", None
    elif isinstance(node, ast.If):
        for value in (True, False):
            yield "branch taken always", ast.If(ast.Constant(value), node.body, node.orelse)


def changed_calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    """A call left out, so that what goes in comes out; and `where` with its two sides swapped."""
    name = ast.unparse(node.func)
    if name == "np.where" and len(node.args) == 3:
        yield "sides of where swapped", ast.Call(node.func, [node.args[0], *node.args[:0:-1]], node.keywords)
        yield "where left out", node.args[1]
        yield "where left out", node.args[2]
    elif name.startswith("np.") and node.args and not isinstance(node.args[0], (ast.Starred, ast.GeneratorExp)):
        yield "call dropped", node.args[0]
    elif isinstance(node.func, ast.Attribute) and not name.startswith("np."):
        yield "call dropped", node.func.value


def functions_of(vjp: Vjp) -> dict[str, Any]:
    """A rule and the helpers that it calls; not the functions of other ops, which have mutants of their own."""
    others = {function for op in vars(table).values() for function in (op.forward, op.vjp)}
    found: dict[str, Any] = {vjp.__name__: vjp}
    waiting = [vjp]
    while waiting:
        function = waiting.pop()
        for name in function.__code__.co_names:
            called = function.__globals__.get(name)
            ours = inspect.isfunction(called) and called.__module__.startswith("tinygrad_seq.ops.")
            if ours and called not in others and name not in found:
                found[name] = called
                waiting.append(called)
    return found


def parsed(function: Any) -> ast.Module:
    """The source of a function, as a tree."""
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def by_source(name: str) -> Iterator[Mutant]:
    """Every mutant of the source of a rule, and of the helpers that it calls."""
    right = getattr(table, name).vjp
    functions = functions_of(right)
    for function_name, function in functions.items():
        tree = parsed(function)
        arguments = [a.arg for a in tree.body[0].args.args]  # type: ignore[attr-defined]
        inputs = [a for a in arguments if a in ("out", "x", "y", "W", "b", "source", "logp", "weight")]
        seen = set()
        asking = questions(tree)
        for k, piece in enumerate(ast.walk(tree)):
            if piece in asking:
                continue
            for kind, change in changes(piece, inputs):
                before = said(piece)
                after = said(change) if change is not None else "nothing"
                line = getattr(piece, "lineno", 0)
                label = f"{function_name} line {line}: {before} → {after}"
                while label in seen:
                    label += " (again)"
                seen.add(label)
                reached: list[bool] = []
                vjp = compiled(right, functions, function_name, replaced(tree, k, change), reached)
                yield Mutant(kind, label, vjp, reached)


def questions(tree: ast.Module) -> set[ast.AST]:
    """The pieces of source that only ask whether arrays or nodes came in: the numbers are the same either way."""
    found = set()
    for piece in ast.walk(tree):
        if isinstance(piece, (ast.If, ast.IfExp)):
            if any(word in ast.unparse(piece.test) for word in ("isinstance(", "hasattr(", "type(", "__class__")):
                found |= {piece, *ast.walk(piece.test)}
    return found


def said(piece: ast.AST) -> str:
    """A piece of source, in a line."""
    if isinstance(piece, ast.If):
        return f"if {ast.unparse(piece.test)}"
    return re.sub(r"\s+", " ", ast.unparse(piece))


def replaced(tree: ast.Module, k: int, change: ast.AST | None) -> ast.Module:
    """A copy of the tree with its piece number k changed, which notes that it was run."""
    tree = copy.deepcopy(tree)
    piece = list(ast.walk(tree))[k]
    note = ast.parse(f"{REACHED}.append(True)").body[0]
    change = copy.deepcopy(change)
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list) and piece in value:
                at = value.index(piece)
                if isinstance(piece, ast.stmt):
                    value[at : at + 1] = [note, change] if change is not None else [note]
                else:
                    value[at] = noting(change)
            elif value is piece:
                setattr(parent, field, noting(change))
    return ast.fix_missing_locations(tree)


def noting(expression: Any) -> ast.expr:
    """(note that this was run, expression)[1]"""
    noted = ast.parse(f"({REACHED}.append(True), None)[1]", mode="eval").body
    noted.value.elts[1] = expression  # type: ignore[attr-defined]
    return noted


def compiled(
    right: Vjp, functions: dict[str, Any], changed: str, tree: ast.Module, reached: list[bool]
) -> Vjp:
    """The rule, made again from its source and that of its helpers, one of them changed."""
    names: dict[str, Any] = {}
    for name, function in functions.items():
        own = {**function.__globals__, REACHED: reached}
        code = compile(tree if name == changed else parsed(function), inspect.getfile(function), "exec")
        exec(code, own)
        names[name] = own[name]
    for function in names.values():  # they call each other, not the originals
        function.__globals__.update({n: f for n, f in names.items() if n in function.__globals__})
    vjp: Vjp = names[right.__name__]
    return vjp


# ---- promises broken, with the numbers right -------------------------------------------


def in_double(right: Vjp) -> Vjp:
    """float64 whatever it was given."""
    return changed_all(right, lambda c: np.asarray(c, float))


def rounded(right: Vjp) -> Vjp:
    """In float32 most digits are lost by cancellation."""
    return changed_all(right, lambda c: (c + np.float32(2**17)) - np.float32(2**17) if c.dtype == np.float32 else c)


def noisy(right: Vjp) -> Vjp:
    """A little different each time."""
    rng = np.random.default_rng(0)
    return changed_all(right, lambda c: (c * (1 + 1e-5 * rng.normal(size=c.shape))).astype(c.dtype))


def reusing(right: Vjp) -> Vjp:
    """What it returns is overwritten at its next call."""
    buffers: dict[Any, np.ndarray] = {}

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        sent = []
        for i, c in enumerate(arrays_of(right(g, out, *xs, **fixed))):
            key = (i, c.shape, c.dtype)
            buffers.setdefault(key, np.empty_like(c))
            buffers[key][...] = c
            sent.append(buffers[key])
        return tuple(sent)

    return vjp


def writing_g(right: Vjp) -> Vjp:
    """The incoming gradient, which is not its own, is used as scratch paper."""

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        sent = tuple(np.array(c) for c in arrays_of(right(g, out, *xs, **fixed)))
        g *= 2
        return sent

    return vjp


def writing_x(right: Vjp) -> Vjp:
    """An input is used as scratch paper."""

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        sent = tuple(np.array(c) for c in arrays_of(right(g, out, *xs, **fixed)))
        xs[0][...] = 0
        return sent

    return vjp


def returning_input(right: Vjp) -> Vjp:
    """Where the gradient is all 1, an input itself is returned for a product with it."""

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        return (xs[1], xs[0]) if np.all(g == 1) and np.shape(xs[0]) == np.shape(xs[1]) else right(g, out, *xs, **fixed)

    return vjp


def counted_wrong(right: Vjp) -> Vjp:
    """One gradient too many."""
    return lambda g, out, *xs, **fixed: (*right(g, out, *xs, **fixed), None)


def shaped_wrong(right: Vjp) -> Vjp:
    """One axis too many, which no broadcasting explains."""
    return changed_all(right, lambda c: np.stack([c] * 5, axis=-1) if c.shape[-1:] > (1,) else c)


def refusing_zero_size(right: Vjp) -> Vjp:
    """Looks at the first element, without asking whether there is one."""

    def vjp(g: Any, out: Any, *xs: Any, **fixed: Any) -> tuple[Any, ...]:
        g.reshape(-1)[0]
        return right(g, out, *xs, **fixed)

    return vjp


def arrays_of(sent: tuple[Any, ...]) -> list[Any]:
    """What a rule returned, as arrays."""
    return [part.array() if hasattr(part, "array") else np.asarray(part) for part in sent]


def changed_all(right: Vjp, change: Callable[[np.ndarray], Any]) -> Vjp:
    """The rule, but for what it returns for any input."""
    return lambda g, out, *xs, **fixed: tuple(change(c) for c in arrays_of(right(g, out, *xs, **fixed)))


# The promise, how it is broken, on which ops, and what the fault may be called.
PROMISES: dict[str, tuple[Callable[[Vjp], Vjp], tuple[str, ...], tuple[str, ...]]] = {
    "float64 for float32": (in_double, ("tanh", "mul", "matmul", "sum", "layer_norm"), ("dtype",)),
    "precision lost": (rounded, ("tanh", "mul", "softmax", "mean"), ("precision",)),
    "non-deterministic": (noisy, ("exp", "add", "matmul", "logsumexp"), ("non-deterministic",)),
    "buffer reused": (reusing, ("sin", "mul", "cumsum"), ("view",)),
    "writes into g": (writing_g, ("tanh", "add", "sum", "reshape"), ("mutates",)),
    "writes into an input": (writing_x, ("exp", "mul", "matmul"), ("mutates", "raises")),
    "returns an input": (returning_input, ("mul",), ("view",)),
    "one too many": (counted_wrong, ("tanh", "mul", "concat"), ("count",)),
    "an axis too many": (shaped_wrong, ("exp", "matmul", "sum"), ("shape",)),
    "fails on nothing": (refusing_zero_size, ("tanh", "add", "sum"), ("zero-size", "raises")),
}


def by_promises(name: str) -> Iterator[Mutant]:
    """The mutants of an op that keep the numbers and break a promise."""
    for kind, (broken, names, _) in PROMISES.items():
        if name in names:
            yield Mutant(kind, "", broken(getattr(table, name).vjp), [True])


def mutants_of(name: str, n: int = CASES) -> Iterator[Mutant]:
    """Every mutant of the VJP of an op.  n: how many cases tell which mutations have a place there."""
    yield from by_numbers(name, n)
    yield from by_source(name)
    yield from by_promises(name)
