"""Slow and sure: what the engine's answers are held against.  Nothing here shares code with the sweep.

A *program* is the record below a node.  `replay` runs it again on other data, through the plain forward functions, and
so gives its derivative by the complex step (Im f(x + ih) / h: no cancellation, so h may be 1e-20) or by central
differences; `chain_rule` is the definition of the gradient, written down recursively.
"""

from collections import defaultdict
from functools import cache

import numpy as np

__all__ = ["bptt", "central_differences", "chain_rule", "complex_step", "history", "replay", "second_derivative"]

H = 1e-20


def history(node, seen=None):
    """All that a node was made from, and itself: every node after its inputs."""
    seen = {} if seen is None else seen
    if node not in seen:
        for x in node.inputs:
            history(x, seen)
        seen[node] = None
    return list(seen)


def forward(op):
    """The plain function of an op; a cast is no mathematics, and would drop an imaginary part."""
    return (lambda x, dtype: x) if op.name == "cast" else op.forward


def replay(output, given):
    """The value of every node of a program, were its leaves what is given: {leaf: array}."""
    values = dict(given)
    for node in history(output):
        if node not in values:
            made = node.op is not None
            values[node] = forward(node.op)(*[values[x] for x in node.inputs], **node.fixed) if made else node.data
    return values


def moved(loss, leaf, place, by):
    """The data of all leaves, with one element of one of them moved."""
    given = {x: np.asarray(x.data) for x in [leaf, *history(loss)] if x.op is None}
    given = {x: data.astype(np.result_type(data, by)) if data.dtype.kind == "f" else data for x, data in given.items()}
    given[leaf] = given[leaf].copy()
    given[leaf][place] += by
    return given


def complex_step(loss, leaf, of=None):
    """d(loss)/d(leaf), element by element.  of: another number to differentiate, from the values of a replay."""
    of = of or (lambda values: values[loss])
    gradient = np.zeros(np.shape(leaf.data))
    for place in np.ndindex(gradient.shape):
        gradient[place] = np.imag(of(replay(loss, moved(loss, leaf, place, H * 1j)))).sum() / H
    return gradient


def central_differences(loss, leaf, of=None, h=1e-5):
    """The same for functions that know no complex numbers, to about 1e-9."""
    of = of or (lambda values: values[loss])
    gradient = np.zeros(np.shape(leaf.data))
    for place in np.ndindex(gradient.shape):
        ahead, behind = (np.sum(of(replay(loss, moved(loss, leaf, place, by)))) for by in (h, -h))
        gradient[place] = (ahead - behind) / (2 * h)
    return gradient


def chain_rule(loss, values=None, seed=None):
    """node -> d(loss)/d(node): the sum over all that was made from it, of the rule applied to their gradients."""
    values = replay(loss, {}) if values is None else values
    made_from = defaultdict(list)
    for node in history(loss):
        for i, x in enumerate(node.inputs):
            made_from[x].append((node, i))

    @cache
    def gradient(node):
        if node is loss:
            return np.ones_like(values[loss]) if seed is None else seed
        total = np.zeros_like(values.get(node, node.data))  # a node that nothing was made from has no value here
        for made, i in made_from[node]:
            inputs = [values[x] for x in made.inputs]
            sent = made.op.vjp(gradient(made), values[made], *inputs, **made.fixed)[i]
            if sent is not None:
                total = total + summed_to(sent.array() if hasattr(sent, "array") else sent, np.shape(total))
        return total

    return gradient


def summed_to(g, shape):
    """Broadcasting undone: summed over the axes that were added, and over those that were stretched."""
    g = np.asarray(g)
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, n in enumerate(shape):
        if n == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def second_derivative(loss, leaves, along, leaf, differences=complex_step):
    """d/d(leaf) of Σ ⟨d(loss)/d(other), along⟩ over the leaves, differentiating the naive chain rule numerically."""

    def slope(values):
        gradient = chain_rule(loss, values)
        return sum(np.sum(gradient(x) * v) for x, v in zip(leaves, along, strict=True))

    return differences(loss, leaf, slope)


def bptt(x, target, h, W_x, W_h, b, W_y, b_y):
    """Backpropagation through time by hand, for h_t = tanh(x_t W_x + h_{t-1} W_h + b), ŷ_t = h_t W_y + b_y.

    x: (T, I).  target: (T) integers.  Returns the summed cross-entropy, the gradients by name, and the contributions
    of every step to that of W_x: (T, I, H).
    """
    hs, losses, gs = [h], [], []
    for x_t, y_t in zip(x, target, strict=True):
        hs.append(np.tanh(x_t @ W_x + hs[-1] @ W_h + b))
        e = np.exp(hs[-1] @ W_y + b_y)
        p = e / e.sum()
        losses.append(-np.log(p[y_t]))
        gs.append(p - np.eye(len(p))[y_t])
    gradients = {name: np.zeros_like(w) for name, w in zip(("W_x", "W_h", "b", "W_y", "b_y"), (W_x, W_h, b, W_y, b_y))}
    parts = np.zeros((len(x), *W_x.shape))
    gh = np.zeros_like(h)
    for t in reversed(range(len(x))):
        gradients["W_y"] += np.outer(hs[t + 1], gs[t])
        gradients["b_y"] += gs[t]
        ga = (gh + gs[t] @ W_y.T) * (1 - hs[t + 1] ** 2)
        parts[t] = np.outer(x[t], ga)
        gradients["W_h"] += np.outer(hs[t], ga)
        gradients["b"] += ga
        gh = ga @ W_h.T
    gradients["W_x"] = parts.sum(axis=0)
    gradients["h"] = gh
    return sum(losses), gradients, parts
