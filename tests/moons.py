"""micrograd's demo: a network of 337 scalars learns to tell two moons apart.

`MLP` is micrograd's `nn` and `moons` its data, number for number: `sklearn.datasets.make_moons(100, noise=0.1)` from
NumPy's global generator seeded with 1337, written with NumPy alone.  Works with any class that has micrograd's `Value`.
"""

import random
from itertools import pairwise

import numpy as np

__all__ = ["MLP", "loss_of", "losses", "moons"]


class Neuron:
    def __init__(self, value, uniform, nin, nonlin):
        self.w = [value(uniform(-1, 1)) for _ in range(nin)]
        self.b = value(0)
        self.nonlin = nonlin

    def __call__(self, x):
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        return act.relu() if self.nonlin else act

    def parameters(self):
        return [*self.w, self.b]


class MLP:
    """Layers of ReLU neurons and a linear last one; weights uniform in (-1, 1), drawn as micrograd draws them."""

    def __init__(self, value, sizes=(2, 16, 16, 1), seed=1337):
        uniform = random.Random(seed).uniform
        self.layers = [
            [Neuron(value, uniform, nin, nonlin=i + 2 < len(sizes)) for _ in range(nout)]
            for i, (nin, nout) in enumerate(pairwise(sizes))
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = [neuron(x) for neuron in layer]
        return x[0] if len(x) == 1 else x

    def parameters(self):
        return [p for layer in self.layers for neuron in layer for p in neuron.parameters()]


def moons(n=100, noise=0.1, seed=1337):
    """Points (n, 2) on two half circles that interlock, and which of them each is on: -1 or 1."""
    rng = np.random.RandomState(seed)
    outer, inner = np.linspace(0, np.pi, n // 2), np.linspace(0, np.pi, n - n // 2)
    X = np.vstack([
        np.stack([np.cos(outer), np.sin(outer)], axis=1),
        np.stack([1 - np.cos(inner), 1 - np.sin(inner) - 0.5], axis=1),
    ])  # fmt: skip
    y = np.repeat([-1, 1], [n // 2, n - n // 2])
    order = np.arange(n)
    rng.shuffle(order)
    return X[order] + rng.normal(scale=noise, size=X.shape), y[order]


def loss_of(value, model, X, y):
    """The max-margin loss with L2 regularization, and the accuracy."""
    scores = [model([value(float(a)) for a in row]) for row in X]
    margins = [(1 + -yi * score).relu() for yi, score in zip(y.tolist(), scores, strict=True)]
    data_loss = sum(margins) * (1.0 / len(margins))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    accuracy = np.mean([(yi > 0) == (score.data > 0) for yi, score in zip(y, scores, strict=True)])
    return data_loss + reg_loss, accuracy


def losses(value, steps):
    """Train for some steps as the notebook does; the loss and the accuracy before each."""
    X, y = moons()
    model = MLP(value)
    for k in range(steps):
        loss, accuracy = loss_of(value, model, X, y)
        for p in model.parameters():
            p.grad = 0
        loss.backward()
        rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= rate * p.grad
        yield loss.data, accuracy
