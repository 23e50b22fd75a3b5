"""Moving elements about: the gradient moves back the same way."""

import numpy as np

from .parts import scattered


def reshape(x, *, shape):
    return x.reshape(shape)


def reshape_vjp(g, out, x, *, shape):
    return (g.reshape(x.shape),)


def transpose(x, *, axes):
    return x.transpose(axes)


def transpose_vjp(g, out, x, *, axes):
    return (g.transpose(tuple(int(a) for a in np.argsort(axes))),)


def broadcast_to(x, *, shape):
    return np.broadcast_to(x, shape)


def broadcast_to_vjp(g, out, x, *, shape):
    return (g,)  # summed over the new axes by the sweep


def concat(*xs, axis):
    return np.concatenate(xs, axis)


def concat_vjp(g, out, *xs, axis):
    before = (slice(None),) * (axis % out.ndim)
    parts, end = [], 0
    for x in xs:
        start, end = end, end + x.shape[axis]
        parts.append(g[(*before, slice(start, end))])
    return tuple(parts)


def stack(*xs, axis):
    return np.stack(xs, axis)


def stack_vjp(g, out, *xs, axis):
    before = (slice(None),) * (axis % out.ndim)
    return tuple([g[(*before, i)] for i in range(len(xs))])


def flip(x, *, axis):
    return np.flip(x, axis)


def flip_vjp(g, out, x, *, axis):
    return (np.flip(g, axis),)


def roll(x, *, shift, axis):
    return np.roll(x, shift, axis)


def roll_vjp(g, out, x, *, shift, axis):
    back = tuple(-s for s in shift) if isinstance(shift, tuple) else -shift
    return (np.roll(g, back, axis),)


def tril(x, *, k):
    return np.tril(x, k)


def tril_vjp(g, out, x, *, k):
    return (np.tril(g, k),)


def triu(x, *, k):
    return np.triu(x, k)


def triu_vjp(g, out, x, *, k):
    return (np.triu(g, k),)


def pad(x, *, pad_width, value):
    return np.pad(x, pad_width, constant_values=value)


def pad_vjp(g, out, x, *, pad_width, value):
    return (g[tuple(slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True))],)


# ---- indexing --------------------------------------------------------------------------


def getitem(x, *, index):
    return x[index]


def getitem_vjp(g, out, x, *, index):
    return (scattered(g, index, x.shape),)


def scatter(g, *, index, shape):
    """Zeros of that shape but for g at index: the gradient of getitem, and its inverse in effect."""
    return scattered(g, index, shape).array()


def scatter_vjp(gg, out, g, *, index, shape):
    return (gg[index],)


def scatter_add(x, source, *, index):
    result = x.copy()
    np.add.at(result, index, source)
    return result


def scatter_add_vjp(g, out, x, source, *, index):
    return g, g[index]


def embedding(weight, *, indices, padding_idx):
    return weight[indices]


def embedding_vjp(g, out, weight, *, indices, padding_idx):
    if padding_idx is not None:
        g = g * (indices != padding_idx)[..., None]
    return (scattered(g, indices, weight.shape),)
