"""The writer of the record: compute, and leave a node that says how.

`record1`, `record2`, `record3` and `record` differ only in the number of inputs: what is fast must not pack and unpack.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import _getframe
from typing import Any, NoReturn

import numpy as np
from numpy import ndarray

from .anomaly import check_made
from .errors import DtypeError, ShapeError, TinygradSeqError
from .graph import WATCH, Node, _place, here, next_birth
from .ops import Primitive, table
from .source import inside

__all__ = ["Op", "record", "record1", "record2", "record3"]

NOTHING: dict[str, Any] = {}
place_now = _place.get
new = object.__new__
make: Any = Node  # the class of the nodes that ops on arrays write: Tensor, which sets it


class Op(Primitive):
    """A primitive of your own: a function of plain arrays and its vector-Jacobian product.

    forward(*inputs, **fixed) -> array.  vjp(g, out, *inputs, **fixed) -> a tuple with one gradient per input, None
    for no gradient.  The result is called like a function, and is recorded, drawn, stepped through and checked like
    the ops of the package.  Inputs may broadcast: the sweep undoes it.  Written with NumPy functions that are
    recorded themselves, the rule serves second derivatives too.

    >>> from tinygrad_seq import Op, Tensor
    >>> def cube(x):
    ...     return x**3
    >>> def cube_vjp(g, out, x):
    ...     return (g * 3 * x**2,)
    >>> cube = Op(cube, cube_vjp)
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> cube(x).sum().backward()
    >>> x.grad
    array([ 3., 12.])
    """

    __slots__ = ()

    def __init__(
        self,
        forward: Callable[..., Any],
        vjp: Callable[..., tuple[Any, ...]],
        *,
        name: str | None = None,
        scalar: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(forward, vjp, name=name, scalar=scalar or forward, broadcasts=True)

    def __call__(self, *inputs: Any, **fixed: Any) -> Any:
        return record(self, *inputs, **fixed)


# ---- arrays --------------------------------------------------------------------------


def record1(op: Primitive, x: Any, fixed: dict[str, Any] = NOTHING) -> Any:
    """op(x), recorded."""
    try:
        data = x._data
    except AttributeError:
        return record1(op, make.constant(x), fixed)
    if data.__class__ is not ndarray:
        return record_value(op, (x,), fixed)
    try:
        out = op.forward(data, **fixed) if fixed else op.forward(data)
    except Exception as error:
        explain(op, (x,), error)
    if out.__class__ is not ndarray:
        out = np.asarray(out)
    out.setflags(False)  # by position: naming it would double the time
    return write(make, op, x, None, fixed, out, x.requires_grad)


def record2(op: Primitive, x: Any, y: Any, fixed: dict[str, Any] = NOTHING) -> Any:
    """op(x, y), recorded."""
    try:
        a = x._data
        b = y._data
        alike = a.dtype is b.dtype
    except AttributeError:
        return record(op, x, y, **fixed)
    if not alike:
        return record(op, x, y, **fixed)
    try:
        out = op.forward(a, b, **fixed) if fixed else op.forward(a, b)
    except Exception as error:
        explain(op, (x, y), error)
    if out.__class__ is not ndarray:
        out = np.asarray(out)
    out.setflags(False)  # by position: naming it would double the time
    return write(make, op, x, y, fixed, out, x.requires_grad or y.requires_grad)


def record3(op: Primitive, x: Any, y: Any, z: Any) -> Any:
    """op(x, y, z), recorded."""
    try:
        a = x._data
        b = y._data
        c = z._data
        alike = a.dtype is b.dtype is c.dtype
    except AttributeError:
        return record(op, x, y, z)
    if not alike:
        return record(op, x, y, z)
    try:
        out = op.forward(a, b, c)
    except Exception as error:
        explain(op, (x, y, z), error)
    if out.__class__ is not ndarray:
        out = np.asarray(out)
    out.setflags(False)  # by position: naming it would double the time
    return write(make, op, None, (x, y, z), NOTHING, out, x.requires_grad or y.requires_grad or z.requires_grad)


def record(op: Primitive, *xs: Any, **fixed: Any) -> Any:
    """op(*xs, **fixed), recorded; numbers and arrays among xs enter as constants, of one dtype with the rest."""
    try:
        dtype = xs[0]._data.dtype
        inputs = xs if all([x._data.dtype is dtype for x in xs]) else of_one_dtype(xs)
    except AttributeError:  # a number, an array, or a Value
        if any([isinstance(x, Node) and x.scalar for x in xs]):
            return record_value(op, xs, fixed)
        inputs = of_one_dtype(xs)
    try:
        out = op.forward(*[x._data for x in inputs], **fixed)
    except Exception as error:
        explain(op, inputs, error)
    if out.__class__ is not ndarray:
        out = np.asarray(out)
    out.setflags(False)  # by position: naming it would double the time
    return write(make, op, None, inputs, fixed, out, any([x.requires_grad for x in inputs]))


def write(
    kind: type, op: Primitive, x: Any, y: Any, fixed: dict[str, Any], out: Any, requires_grad: bool
) -> Any:
    """The new node, stamped with its place and source line.  x, y: one input and None, two, or None and a tuple."""
    node: Any = new(kind)
    node._data = out
    node._grad = None
    node.name = None
    place = node.place = place_now()
    if requires_grad and place.mode:
        node.op = op
        node._x = x
        node._y = y
        node.fixed = fixed
        node.requires_grad = True
    else:
        node.op = node._x = node._y = None
        node.fixed = NOTHING
        node.requires_grad = False
    try:
        frame = _getframe(3)  # who called the function that called record1, record2 or value2
    except ValueError:  # nobody did: the function itself is what a thread runs
        frame = _getframe(2)
    code = frame.f_code
    while inside[code.co_filename] and frame.f_back:
        frame = frame.f_back
        code = frame.f_code
    node._code = code
    node._instruction = frame.f_lasti
    node.birth = next_birth()
    if place.mode == WATCH:
        check_made(op, node, y if x is None else (x,) if y is None else (x, y))
    return node


def of_one_dtype(xs: tuple[Any, ...]) -> tuple[Any, ...]:
    """All as nodes of NumPy's common dtype.  What must change its dtype does so by a `cast` in the record.

    A scalar constant is weak, as Python's numbers are: it never turns float32 into float64.
    """
    firm, weak = [], []
    for x in xs:
        data = x._data if isinstance(x, Node) else x
        if isinstance(x, Node) and (x.requires_grad or data.ndim):
            firm.append(data.dtype)
        elif isinstance(data, ndarray) and data.ndim:
            firm.append(data.dtype)
        elif isinstance(data, (ndarray, np.generic)):
            weak.append(data.item())
        elif isinstance(data, (bool, int, float, complex)):
            weak.append(data)
    dtype = np.result_type(*firm, *weak) if firm else None
    nodes = []
    for x in xs:
        if not isinstance(x, Node):
            x = make.constant(x, dtype)
        elif dtype is not None and x._data.dtype != dtype:
            x = record1(table.cast, x, {"dtype": dtype})
        nodes.append(x)
    return tuple(nodes)


# ---- Python floats -------------------------------------------------------------------


def value2(op: Primitive, x: Any, y: Any) -> Any:
    """op(x, y) of a Value and another or a number, recorded."""
    kind: Any = x.__class__
    if y.__class__ is not kind:
        if not isinstance(y, (float, int)):
            return record_value(op, (x, y))
        y = kind.constant(y)
    try:
        out = op.scalar(x._data, y._data)  # type: ignore[misc]
    except (ArithmeticError, ValueError) as error:
        explain(op, (x, y), error)
    return write(kind, op, x, y, NOTHING, out, x.requires_grad or y.requires_grad)


def value1(op: Primitive, x: Any) -> Any:
    """op(x) of a Value, recorded."""
    try:
        out = op.scalar(x._data)  # type: ignore[misc]
    except (ArithmeticError, ValueError) as error:
        explain(op, (x,), error)
    return write(x.__class__, op, x, None, NOTHING, out, x.requires_grad)


def record_value(op: Primitive, xs: tuple[Any, ...], fixed: dict[str, Any] = NOTHING) -> Any:
    """op(*xs), recorded, on Python floats."""
    kind = next(type(x) for x in xs if isinstance(x, Node) and x.scalar)
    inputs = tuple([x if x.__class__ is kind else kind.constant(x) for x in xs])
    if op.scalar is None:
        raise DtypeError(f"{op.name} works on tensors, not on a Value ({here()}): use Tensor")
    try:
        out = op.scalar(*[x._data for x in inputs], **fixed)
    except (ArithmeticError, ValueError) as error:
        explain(op, inputs, error)
    return write(kind, op, None, inputs, fixed, out, any([x.requires_grad for x in inputs]))


# ---- when it goes wrong --------------------------------------------------------------


def explain(op: Primitive, inputs: tuple[Any, ...], error: Exception) -> NoReturn:
    """Raise what NumPy found again, saying what was expected, what was given, and where."""
    if isinstance(error, TinygradSeqError):
        raise error
    if inputs[0].scalar:
        given = " and ".join(f"{x._data:.6g}" for x in inputs)
        raise type(error)(f"{op.name} of {given} has no finite value ({here()}): {error}") from error
    shapes = [x._data.shape for x in inputs]
    given = " and ".join(map(str, shapes))
    text = f"{op.name} cannot take {given} ({here()}): {_mismatch(op, shapes) or error}"
    kind = ShapeError if isinstance(error, ValueError) else DtypeError if isinstance(error, TypeError) else type(error)
    raise kind(text) from error


def _mismatch(op: Primitive, shapes: list[tuple[int, ...]]) -> str:
    """Which sizes do not fit, in words."""
    if op.name in ("matmul", "affine"):
        x, y = shapes[:2]
        if not x or not y:
            return "a product of matrices needs at least one axis on both sides; use * for a number"
        inner = y[-2] if len(y) > 1 else y[0]
        if x[-1] != inner:
            return f"the {x[-1]} and the {inner} must be equal"
        shapes = [x[:-2], y[:-2]]
    if not op.broadcasts or len(shapes) < 2:
        return ""
    x, y = shapes[0], shapes[1]
    for m, n in zip(reversed(x), reversed(y)):
        if m != n and 1 not in (m, n):
            return f"the {m} and the {n} must be equal, or one of them 1"
    return ""
