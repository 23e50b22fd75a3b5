"""Functions along an axis.  `axis` is an integer, a tuple of integers, or None for all of them.

Where several elements tie for `max` or `min` they share the gradient evenly, as in `torch.amax`.
"""

import numpy as np
from numpy import ndarray


def spread(g, x, axis, keepdims):
    """The gradient of a reduced array, at every element that it was reduced from."""
    if axis is not None and not keepdims:
        axes = [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
        g = g.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])
    if isinstance(g, (ndarray, np.generic)):
        result = np.empty(x.shape, g.dtype)
        result[...] = g
        return result
    return np.broadcast_to(g, x.shape)


def count_of(x, axis):
    """How many elements are reduced into one."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    n = 1
    for a in axes:
        n *= x.shape[a]
    return n


def sum(x, *, axis, keepdims):
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


def sum_vjp(g, out, x, *, axis, keepdims):
    return (spread(g, x, axis, keepdims),)


def mean(x, *, axis, keepdims):
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count_of(x, axis)


def mean_vjp(g, out, x, *, axis, keepdims):
    return (spread(g / count_of(x, axis), x, axis, keepdims),)


def var(x, *, axis, keepdims, ddof):
    d = x - mean(x, axis=axis, keepdims=True)
    return np.add.reduce(d * d, axis=axis, keepdims=keepdims) / (count_of(x, axis) - ddof)


def var_vjp(g, out, x, *, axis, keepdims, ddof):
    d = x - mean(x, axis=axis, keepdims=True)
    return (spread(g, x, axis, keepdims) * d * (2 / (count_of(x, axis) - ddof)),)


def std(x, *, axis, keepdims, ddof):
    return np.sqrt(var(x, axis=axis, keepdims=keepdims, ddof=ddof))


def std_vjp(g, out, x, *, axis, keepdims, ddof):
    flat = out == 0  # all equal: a kink, where PyTorch gives 0
    g = np.where(flat, 0, g / (2 * np.where(flat, 1, out)))
    return var_vjp(g, out, x, axis=axis, keepdims=keepdims, ddof=ddof)


def max(x, *, axis, keepdims):
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


def max_vjp(g, out, x, *, axis, keepdims):
    ties = x == spread(out, x, axis, keepdims)
    shares = ties / np.add.reduce(ties, axis=axis, keepdims=True)
    return (spread(g, x, axis, keepdims) * shares.astype(x.dtype),)


def min(x, *, axis, keepdims):
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


def min_vjp(g, out, x, *, axis, keepdims):
    return max_vjp(g, out, x, axis=axis, keepdims=keepdims)


def prod(x, *, axis, keepdims):
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


def prod_vjp(g, out, x, *, axis, keepdims):
    if np.all(x != 0):
        return (spread(g * out, x, axis, keepdims) / x,)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [a % x.ndim for a in axes]
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = np.transpose(x, kept + axes).reshape(*[x.shape[a] for a in kept], -1)
    n = rows.shape[-1]
    without = np.where(np.eye(n, dtype=bool), 1, rows[..., None, :])  # for each element, all others
    others = np.multiply.reduce(without, axis=-1)
    others = np.transpose(others.reshape([x.shape[a] for a in kept + axes]), [*map(int, np.argsort(kept + axes))])
    return (spread(g, x, axis, keepdims) * others,)


def cumsum(x, *, axis):
    return np.cumsum(x, axis=axis)


def cumsum_vjp(g, out, x, *, axis):
    return (np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis),)


def norm(x, *, axis, keepdims):
    return np.sqrt(np.add.reduce(x * x, axis=axis, keepdims=keepdims))


def norm_vjp(g, out, x, *, axis, keepdims):
    length = np.where(out == 0, 1, out)  # at the origin, a kink, PyTorch gives 0
    return (spread(g / length, x, axis, keepdims) * x,)


# ---- softmax and its relatives: shifted by the maximum, so that exp never overflows -------------------


FLOATS = {code: np.finfo(code) for code in "efdD"}
LOWEST = {code: np.array(info.min) for code, info in FLOATS.items()}  # arrays, since they enter faster than numbers
TINY = {code: np.array(info.tiny) for code, info in FLOATS.items()}


def shift(x, axis):
    """The maximum along the axis, or the lowest number where all is -inf (a row that is masked whole)."""
    return np.maximum(np.maximum.reduce(x, axis=axis, keepdims=True), LOWEST[x.dtype.char])


def softmax(x, *, axis):
    e = np.asarray(x - shift(x, axis))
    np.exp(e, e)
    total = np.add.reduce(e, axis=axis, keepdims=True)  # at least 1, but for rows that are masked whole
    return np.divide(e, np.maximum(total, TINY[x.dtype.char]), e)


def softmax_vjp(g, out, x, *, axis):
    d = g * out
    d -= out * np.add.reduce(d, axis=axis, keepdims=True)
    return (d,)


def log_softmax(x, *, axis):
    d = x - shift(x, axis)
    total = np.add.reduce(np.exp(d), axis=axis, keepdims=True)
    return d - np.log(np.maximum(total, TINY[x.dtype.char]))


def log_softmax_vjp(g, out, x, *, axis):
    return (g - np.exp(out) * np.add.reduce(g, axis=axis, keepdims=True),)


def logsumexp(x, *, axis, keepdims):
    m = shift(x, axis)
    total = np.add.reduce(np.exp(x - m), axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):  # a row of -inf: log 0 = -inf is the answer
        result = m + np.log(total)
    return result if keepdims else np.add.reduce(result, axis=axis)


def logsumexp_vjp(g, out, x, *, axis, keepdims):
    p = x.softmax(axis) if hasattr(x, "softmax") else softmax(x, axis=axis)  # one op where the rule is recorded
    return (spread(g, x, axis, keepdims) * p,)


def layer_norm(x, *, axis, eps):
    d = x - mean(x, axis=axis, keepdims=True)
    d /= np.sqrt(mean(d * d, axis=axis, keepdims=True) + eps)
    return d


def layer_norm_vjp(g, out, x, *, axis, eps):
    sigma = np.sqrt(var(x, axis=axis, keepdims=True, ddof=0) + eps)
    gx = g - mean(g, axis=axis, keepdims=True)
    gx -= out * mean(g * out, axis=axis, keepdims=True)
    gx /= sigma
    return (gx,)
