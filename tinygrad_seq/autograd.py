"""Derivatives as values: of a recorded result, or of a function.

`grad` and `jacobian` take either a record (results and what they were made from, as `torch.autograd.grad`) or a
function (as JAX and HIPS autograd).  Arrays in, arrays out; given tensors that require a gradient, what comes back is
recorded too, so that `grad(grad(f))` is the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from .backprop import seed, walk
from .errors import GradientError
from .graph import Node, _place, enable_grad
from .tensor import Tensor
from .value import Value

__all__ = ["grad", "hessian", "jacobian", "jvp", "value_and_grad", "vjp"]


def grad(
    outputs: Any,
    inputs: Any = None,
    grad_outputs: Any = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    argnums: int | Sequence[int] = 0,
) -> Any:
    """d(outputs)/d(inputs), without setting any `.grad`.

    grad(loss, [x, y]) gives a tuple with one array per input, as `torch.autograd.grad`.  outputs: one result or a
    list, whose gradients are added.  grad_outputs: d(something)/d(outputs), needed where they are no scalars.
    create_graph: give Tensors, recorded in their turn.  retain_graph: PyTorch's word, without effect.  Raises
    GradientError for an input that the outputs were not made from; with allow_unused its gradient is None.

    grad(function) gives the function that computes the gradient of a scalar function by its argument number
    `argnums` (several: a tuple).

    >>> from tinygrad_seq import Tensor, grad
    >>> x = Tensor(3.0, requires_grad=True)
    >>> grad(x**2, [x])
    (array(6.),)
    >>> grad(grad(lambda x: x**3))(2.0)
    array(12.)
    """
    if callable(outputs) and not isinstance(outputs, Node):
        return _gradient_of(outputs, argnums)
    if inputs is None:
        raise GradientError("grad of a result needs the inputs to differentiate by: grad(loss, [w, b])")
    wanted = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    roots = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    seeds = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs] * len(roots)
    if len(seeds) != len(roots):
        raise GradientError(f"grad got {len(roots)} outputs and {len(seeds)} grad_outputs: one for each is needed")
    found: dict[Node, Any] = {}
    missing = set(wanted)
    for node, g, _ in walk([(y, seed(y, s, create_graph)) for y, s in zip(roots, seeds)], create_graph):
        if node in missing:
            found[node] = g
            missing.discard(node)
            if not missing:
                break
    if missing and not allow_unused:
        unused = next(x for x in wanted if x in missing)
        raise GradientError(
            f"{unused!r} was not used in what is differentiated, or requires no gradient: leave it out, or pass "
            "allow_unused=True to get None for it"
        )
    return tuple(_given_back(found.get(x), create_graph) for x in wanted)


def value_and_grad(function: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """The function that computes a scalar function and its gradient at once, as in JAX.

    >>> from tinygrad_seq import value_and_grad
    >>> value_and_grad(lambda x: (x * x).sum())([1.0, 2.0])
    (array(5.), array([2., 4.]))
    """
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @wraps(function)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        args_, chosen, nested = _differentiable(args, numbers)
        with enable_grad():
            y = function(*args_, **kwargs)
        _check_result(y, "value_and_grad")
        gradients = grad(y, chosen, create_graph=nested, allow_unused=True)
        given = tuple(_zeros_if_none(g, x) for g, x in zip(gradients, chosen))
        return (y if nested else y.data), given[0] if isinstance(argnums, int) else given

    return value_and_gradient


def _gradient_of(function: Callable[..., Any], argnums: int | Sequence[int]) -> Callable[..., Any]:
    both = value_and_grad(function, argnums)

    @wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def vjp(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The result of a function, and the function that pulls a gradient of the result back to the arguments.

    >>> from tinygrad_seq import vjp
    >>> y, pull = vjp(lambda x: x * x, [1.0, 2.0])
    >>> pull([1.0, 10.0])
    (array([ 2., 40.]),)
    """
    args, chosen, nested = _differentiable(primals, tuple(range(len(primals))))
    with enable_grad():
        y = function(*args)
    _check_result(y, "vjp")

    def pull(g: Any) -> tuple[Any, ...]:
        gradients = grad([y], chosen, [g], create_graph=nested, allow_unused=True)
        return tuple(_zeros_if_none(g, x) for g, x in zip(gradients, chosen))

    return (y if nested else y.data), pull


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The result of a function and its derivative along the tangents: how it moves when the arguments do.

    By two backward passes: the gradient vᵀJ is linear in v, and its derivative by v along t is J t (Townsend 2017).

    >>> from tinygrad_seq import jvp
    >>> jvp(lambda x: x * x, ([1.0, 2.0],), ([1.0, 0.0],))
    (array([1., 4.]), array([2., 0.]))
    """
    if len(primals) != len(tangents):
        raise GradientError(f"jvp got {len(primals)} primals and {len(tangents)} tangents: one for each is needed")
    args, chosen, nested = _differentiable(primals, tuple(range(len(primals))))
    with enable_grad():
        y = function(*args)
        _check_result(y, "jvp")
        v = Tensor(np.zeros_like(y.data), requires_grad=True)
        pulled = grad([y], chosen, [v], create_graph=True, allow_unused=True)
    used = [(g, t) for g, t in zip(pulled, tangents) if isinstance(g, Tensor) and g.requires_grad]
    moved = np.zeros_like(y.data)
    if used:
        along = [t if isinstance(t, Node) else np.asarray(t, g.dtype) for g, t in used]
        (moved,) = grad([g for g, _ in used], [v], along, create_graph=nested)
    return (y if nested else y.data), moved


def jacobian(outputs: Any, inputs: Any = None) -> Any:
    """All the derivatives d(output element)/d(input element): an array of shape (*output.shape, *input.shape).

    jacobian(y, x): of a recorded result by one of the nodes it was made from.  jacobian(function, x): of a function
    at x.  jacobian(function): the function that computes it.

    >>> from tinygrad_seq import jacobian
    >>> jacobian(lambda x: x * x, [1.0, 2.0])
    array([[2., 0.],
           [0., 4.]])
    """
    if isinstance(outputs, Node):
        if not isinstance(inputs, Node):
            raise GradientError("jacobian of a result needs the node to differentiate by: jacobian(y, x)")
        return _rows(outputs, inputs, False)
    if inputs is None:
        return wraps(outputs)(lambda x: jacobian(outputs, x))
    args, (x,), nested = _differentiable((inputs,), (0,))
    with enable_grad():
        y = outputs(*args)
    _check_result(y, "jacobian")
    return _rows(y, x, nested)


def hessian(function: Callable[..., Any], inputs: Any = None) -> Any:
    """The second derivatives of a scalar function: an array of shape (*x.shape, *x.shape).

    >>> from tinygrad_seq import hessian
    >>> hessian(lambda x: (x**3).sum(), [1.0, 2.0])
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(_gradient_of(function, 0), inputs)


def _rows(y: Any, x: Any, create_graph: bool) -> Any:
    """The Jacobian, one backward pass for each element of y."""
    from_each = []
    for i in np.ndindex(y.data.shape):
        g = np.zeros(y.data.shape, y.data.dtype)
        g[i] = 1
        (row,) = grad([y], [x], [g], create_graph=create_graph, allow_unused=True) if y.requires_grad else (None,)
        from_each.append(_zeros_if_none(row, x))
    shape = (*y.shape, *x.shape)
    if not create_graph:
        return np.array(from_each).reshape(shape)
    return np.stack([row if isinstance(row, Tensor) else Tensor(row) for row in from_each]).reshape(shape)


def _differentiable(args: Sequence[Any], numbers: tuple[int, ...]) -> tuple[list[Any], list[Any], bool]:
    """The arguments, with nodes of our own in place of those to differentiate by; whether we are being recorded."""
    args = list(args)
    nested = any(isinstance(x, Node) and x.requires_grad and _place.get().mode for x in args)
    chosen = []
    for n in numbers:
        x = args[n]
        if isinstance(x, Value):
            node: Any = x * 1.0 if nested else Value(x.data)
        elif isinstance(x, Tensor) and x.requires_grad and nested:
            node = x.clone()
        else:
            node = Tensor(x.data if isinstance(x, Tensor) else np.asarray(x), requires_grad=True)
        args[n] = node
        chosen.append(node)
    return args, chosen, nested


def _check_result(y: Any, name: str) -> None:
    if not isinstance(y, (Tensor, Value)):
        raise GradientError(
            f"{name} needs a function that returns a tensor made from its arguments, got {type(y).__name__}: compute "
            "it with tensors, not with their .data"
        )


def _given_back(g: Any, create_graph: bool) -> Any:
    if g is None or create_graph or type(g) is float or isinstance(g, Node):
        return g
    return np.asarray(g)


def _zeros_if_none(g: Any, x: Any) -> Any:
    return g if g is not None else 0.0 if x.scalar else np.zeros_like(x.data)

