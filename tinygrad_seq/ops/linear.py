"""Products of vectors and matrices."""

from math import prod

import numpy as np

from .parts import product


def matmul(x, y):
    if y.ndim == 2 and x.ndim != 2 and x.ndim > 1:  # one matrix for a batch of many: one product
        return x.reshape(prod(x.shape[:-1]), x.shape[-1]).dot(y).reshape(*x.shape[:-1], y.shape[-1])
    return x.dot(y) if x.ndim == y.ndim == 2 else x @ y  # the same, and faster for small matrices


def matmul_vjp(g, out, x, y):
    if x.ndim == 2 and y.ndim == 2:
        return product(g, y.T), product(x.T, g)
    if x.ndim == 1 and y.ndim == 1:
        return g * y, g * x
    if x.ndim == 1:  # a row: (k) @ (…, k, n) → (…, n)
        if y.ndim == 2:
            return y @ g, product(x.reshape(-1, 1), g.reshape(1, -1))
        return (y @ g[..., None])[..., 0], x[:, None] * g[..., None, :]
    if y.ndim == 1:  # a column: (…, m, k) @ (k) → (…, m)
        return g[..., None] * y, x.reshape(g.size, len(y)).T @ g.reshape(-1)
    if y.ndim == 2:  # one matrix for a batch of many
        rows = prod(x.shape[:-1])  # not -1, which no array without elements can tell
        return product(g, y.T), product(x.reshape(rows, x.shape[-1]).T, g.reshape(rows, g.shape[-1]))
    return g @ np.swapaxes(y, -1, -2), np.swapaxes(x, -1, -2) @ g


def affine(x, W, b):
    """x W + b, as one op: no array for the product alone."""
    y = matmul(x, W)
    return np.add(y, b, y) if y.dtype is b.dtype else y + b


def affine_vjp(g, out, x, W, b):
    return *matmul_vjp(g, out, x, W), g  # the sweep sums the last over the rows that b was added to


def outer(x, y):
    return x[:, None] * y


def outer_vjp(g, out, x, y):
    return g @ y, x @ g


def dot(x, y):
    return x @ y


def dot_vjp(g, out, x, y):
    return g * y, g * x


def einsum(*xs, inputs, output):
    """inputs: the letters of each operand; output: the letters of the result."""
    return np.einsum(",".join(inputs) + "->" + output, *xs)


def einsum_vjp(g, out, *xs, inputs, output):
    """The gradient of one operand is g times all the others, summed over the letters that it does not have."""
    gradients = []
    for i, letters in enumerate(inputs):
        others = [(inputs[j], x) for j, x in enumerate(xs) if j != i]
        factors = [(output, g), *others]
        known = set("".join(terms for terms, _ in factors))
        unused = iter(sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - known - set(letters)))
        wanted = ""
        for letter, size in zip(letters, xs[i].shape, strict=True):
            if letter in wanted:  # a diagonal: the gradient lies on it
                twin = next(unused)
                factors.append((letter + twin, np.eye(size, dtype=xs[i].dtype)))
                wanted += twin
                continue
            if letter not in known:  # summed over, alone: the same gradient all along
                factors.append((letter, np.ones(size, dtype=xs[i].dtype)))
            wanted += letter
        subscripts = ",".join(terms for terms, _ in factors) + "->" + wanted
        gradients.append(np.einsum(subscripts, *[x for _, x in factors]))
    return tuple(gradients)
