"""Losses, with PyTorch's names and arguments.  Of a batch they give the mean, in nats where they are entropies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, DtypeError, ShapeError
from ..graph import Node, here
from ..ops import table
from ..record import record1, record2
from . import elementwise
from .products import shape_of
from .reduce import log_softmax
from .reduce import sum as sum_of

REDUCTIONS = ("mean", "sum", "none")


def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    axis: int | None = None,
) -> Any:
    """Mean of -log softmax(logits)[target], in nats.

    logits: (N, classes), (classes), or (N, classes, d1, …) as in PyTorch; `axis` says where else the classes are,
    such as -1 for (batch, time, classes).  target: integers in [0, classes) of the shape without that axis, or
    probabilities of the shape of the logits.  weight: (classes), how much each class counts.  A target equal to
    ignore_index counts for nothing.  label_smoothing: the share ε that goes to all classes alike.
    Raises ShapeError, DtypeError for a float label, and IndexError naming the first target out of range.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> loss = F.cross_entropy(Tensor([[2.0, 0.0], [0.0, 0.0]]), [0, 1])
    >>> round(loss.item(), 4)
    0.41
    """
    shape = shape_of(logits)
    axis = _class_axis("cross_entropy", shape, axis)
    _check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise DataError(f"cross_entropy: label_smoothing must be between 0 and 1, got {label_smoothing} ({here()})")
    given = target._data if isinstance(target, Node) else np.asarray(target)
    if given.dtype.kind == "f" and given.shape == shape:
        return _expected(logits, target, weight, reduction, label_smoothing, axis)
    picked, share = _targets("cross_entropy", logits, given, weight, ignore_index, reduction, axis)
    if not label_smoothing:
        return record1(table.cross_entropy, logits, picked)
    logp = log_softmax(logits, axis)
    right = record1(table.nll, logp, picked)
    weights = 1.0 if weight is None else _along(weight, axis, logits)
    smooth = -sum_of(logp * weights, axis) * share
    smooth = smooth if reduction == "none" else smooth.sum()
    return (1 - label_smoothing) * right + (label_smoothing / shape[axis]) * smooth


def nll_loss(
    log_probs: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    axis: int | None = None,
) -> Any:
    """Mean of -log_probs[target]; arguments as in `cross_entropy`."""
    axis = _class_axis("nll", shape_of(log_probs), axis)
    _check_reduction("nll", reduction)
    given = target._data if isinstance(target, Node) else np.asarray(target)
    picked, _ = _targets("nll", log_probs, given, weight, ignore_index, reduction, axis)
    return record1(table.nll, log_probs, picked)


def mse_loss(x: Any, target: Any, *, reduction: str = "mean") -> Any:
    """Mean of (x - target)².  The shapes must be equal: (N, 1) against (N,) is an error, not a table of N × N.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> F.mse_loss(Tensor([1.0, 3.0]), Tensor([1.0, 1.0])).item()
    2.0
    """
    _check_reduction("mse", reduction)
    _check_same("mse", x, target)
    return record2(table.mse, x, target, {"reduction": reduction})


def binary_cross_entropy_with_logits(
    logits: Any, target: Any, weight: Any = None, *, pos_weight: Any = None, reduction: str = "mean"
) -> Any:
    """Mean of -target log σ(logits) - (1 - target) log(1 - σ(logits)), finite for any logits.

    target: probabilities, of the shape of the logits.  weight: how much each element counts.  pos_weight: how
    much more a positive target counts.
    """
    name = "binary_cross_entropy_with_logits"
    _check_reduction(name, reduction)
    _check_same(name, logits, target)
    if weight is None and pos_weight is None:
        return record2(table.binary_cross_entropy_with_logits, logits, target, {"reduction": reduction})
    logits, target, weight, pos_weight = (
        np.asarray(x) if isinstance(x, (list, tuple)) else x for x in (logits, target, weight, pos_weight)
    )
    extra = 1.0 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * logits + extra * elementwise.softplus(-logits)
    loss = loss if weight is None else loss * weight
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()


nll = nll_loss
mse = mse_loss


def _data(x: Any) -> np.ndarray:
    return x._data if isinstance(x, Node) else np.asarray(x)


def _along(weight: Any, axis: int, logits: Any) -> Any:
    """The weights of the classes, to broadcast against the logits, in their dtype."""
    ndim = len(shape_of(logits))
    weight = np.asarray(elementwise.fixed(weight, "cross_entropy"))
    return weight.astype(_float(logits)).reshape([-1 if a == axis else 1 for a in range(ndim)])


def _check_reduction(name: str, reduction: str) -> None:
    if reduction not in REDUCTIONS:
        raise DataError(f'{name}: reduction must be "mean", "sum" or "none", got {reduction!r} ({here()})')


def _check_same(name: str, x: Any, target: Any) -> None:
    if shape_of(x) != shape_of(target):
        raise ShapeError(
            f"{name} needs a target of the shape of the input, got {shape_of(x)} and {shape_of(target)} ({here()}): "
            "reshape one of them"
        )


def _class_axis(name: str, shape: tuple[int, ...], axis: int | None) -> int:
    n = len(shape)
    if axis is None:
        axis = 0 if n == 1 else 1
    if not -n <= axis < n:
        raise ShapeError(f"{name} needs logits with classes along axis {axis}, got shape {shape} ({here()})")
    return axis % n


def _targets(
    name: str, logits: Any, target: np.ndarray, weight: Any, ignore_index: int, reduction: str, axis: int
) -> tuple[dict[str, Any], Any]:
    """The fixed arguments that pick the targets, and what each target counts in the loss apart from its weight."""
    shape = shape_of(logits)
    classes, rest = shape[axis], shape[:axis] + shape[axis + 1 :]
    if target.dtype.kind not in "iu":
        raise DtypeError(f"{name} needs integers as labels, got {target.dtype} ({here()}): {target.ravel()[:3]} …")
    if target.shape != rest:
        raise ShapeError(f"{name} of logits {shape} needs labels of shape {rest}, got {target.shape} ({here()})")
    labels, each = np.array(target), 1.0
    some_ignored = 0 <= ignore_index < classes
    if some_ignored or (target.size and not 0 <= min(numbers := target.ravel().tolist()) <= max(numbers) < classes):
        counted = target != ignore_index
        wrong = counted & ((target < 0) | (target >= classes))
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise IndexError(
                f"{name}: label {target[wrong].flat[0]} at {place} is not one of the {classes} classes, "
                f"0 to {classes - 1} ({here()})"
            )
        labels, each = np.where(counted, target, 0), counted.astype(_float(logits))
    share = each
    if weight is not None:
        weights = np.asarray(elementwise.fixed(weight, name))
        if weights.shape != (classes,):
            given = f"{weights.shape} ({here()})"
            raise ShapeError(f"{name}: weight must have one number for each of {classes} classes, got {given}")
        each = each * weights.astype(_float(logits))[labels]
    if reduction == "mean":
        total = each * labels.size if isinstance(each, float) else each.sum()
        if total == 0:
            raise DataError(f"{name}: there is no mean of no losses: every label is ignored ({here()})")
        each, share = each / total, share / total
    if labels.ndim == 1 and axis == 1:
        at: tuple[Any, ...] = (np.arange(labels.size), labels)
    else:
        mesh = np.ogrid[tuple(slice(n) for n in labels.shape)]
        at = (*mesh[:axis], labels, *mesh[axis:])
    return {"at": at, "each": each, "axis": axis, "reduction": reduction}, share


def _float(x: Any) -> Any:
    dtype = _data(x).dtype
    return dtype if dtype.kind == "f" else float


def _expected(logits: Any, target: Any, weight: Any, reduction: str, label_smoothing: float, axis: int) -> Any:
    """The cross-entropy with probabilities as targets."""
    shape = shape_of(logits)
    probabilities: Any = target if isinstance(target, Node) else np.asarray(target)
    if label_smoothing:
        probabilities = probabilities * (1 - label_smoothing) + label_smoothing / shape[axis]
    logp = log_softmax(logits, axis)
    if weight is not None:
        logp = logp * _along(weight, axis, logits)
    loss = -sum_of(logp * probabilities, axis)
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()
