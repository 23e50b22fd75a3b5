"""Losses.  `reduction` is "none", "sum" or "mean"."""

import numpy as np

from .elementwise import sigma


def reduced(loss, reduction):
    if reduction == "none":
        return loss
    return np.add.reduce(loss, axis=None) / (loss.size if reduction == "mean" else 1)


def unreduced(g, x, reduction):
    """The gradient of a reduced loss, at every element of the loss."""
    return g / x.size if reduction == "mean" else g


def nll(logp, *, at, each, axis, reduction):
    """-log p of the targets.  at: the index of their elements.  each: how much each counts, 0 where it is ignored."""
    return weighed(-logp[at], each, reduction)


def nll_vjp(g, out, logp, *, at, each, axis, reduction):
    return (-counted(logp, at, each) * along(g, axis),)


def cross_entropy(x, *, at, each, axis, reduction):
    """log Σ exp(x) - x of the target."""
    d = x - np.maximum.reduce(x, axis=axis, keepdims=True)
    return weighed(np.log(np.add.reduce(np.exp(d), axis=axis)) - d[at], each, reduction)


def cross_entropy_vjp(g, out, x, *, at, each, axis, reduction):
    """softmax(x) - one-hot(target), times how much each target counts."""
    gx = np.exp(x - np.maximum.reduce(x, axis=axis, keepdims=True))
    gx /= np.add.reduce(gx, axis=axis, keepdims=True)
    if each.__class__ is not float or each != 1:
        gx *= along(each, axis)
    gx -= counted(x, at, each)
    if g.ndim or g != 1:
        gx *= along(g, axis)
    return (gx,)


def weighed(losses, each, reduction):
    if each.__class__ is not float:
        losses = np.where(each == 0, 0, losses) * each  # ignored also where it is infinite
    elif each != 1:
        losses = losses * each
    if reduction == "none":
        return losses
    return losses.reshape(()) if losses.size == 1 else np.add.reduce(losses, axis=None)


def counted(x, at, each):
    """Zeros in the shape of x, and at each target how much it counts."""
    one_hot = np.zeros(x.shape, x.dtype)
    one_hot[at] = each
    return one_hot


def along(a, axis):
    """With an axis for the classes, to broadcast against logits."""
    return a if a.__class__ is float or not a.ndim else np.expand_dims(a, axis)


def mse(x, y, *, reduction):
    d = x - y
    return reduced(d * d, reduction)


def mse_vjp(g, out, x, y, *, reduction):
    gx = unreduced(g, x, reduction) * 2 * (x - y)
    return gx, -gx


def binary_cross_entropy_with_logits(x, y, *, reduction):
    """-y log σ(x) - (1 - y) log(1 - σ(x)), without ever taking the logarithm of 0."""
    m = np.maximum(x, 0)
    return reduced(m - x * y + np.log1p(np.exp(x - 2 * m)), reduction)


def binary_cross_entropy_with_logits_vjp(g, out, x, y, *, reduction):
    g = unreduced(g, x, reduction)
    return g * (sigma(x) - y), -g * x
