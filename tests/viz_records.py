"""Records to draw: sequence models written from primitives, as a user would, one with a step that differs, and x³."""

import numpy as np

from tinygrad_seq import Op, Parameter, Tensor, grad, scope, steps
from tinygrad_seq import functional as F

cut = Op(lambda x: x, lambda g, out, x: (None,), name="cut")


def weights(**shapes):
    rng = np.random.default_rng(0)
    return [Parameter(rng.normal(0, 0.4, shape), name=name) for name, shape in shapes.items()]


def rnn(T=4, each=True):
    """L_1 + … + L_T of an RNN, or the loss of its last step alone."""
    W_x, W_h, b, W_y = weights(W_x=(3, 5), W_h=(5, 5), b=(5,), W_y=(5, 3))
    h = Tensor(np.zeros((1, 5)), name="h")
    losses = []
    for t, x in steps(np.eye(3)[np.arange(T) % 3][:, None]):
        h = F.tanh(Tensor(x, name="x") @ W_x + h @ W_h + b).named("h")
        if each:
            losses.append(F.cross_entropy((h @ W_y).named("ŷ"), [t % 3]).named("L"))
    return sum(losses).named("loss") if each else F.cross_entropy((h @ W_y).named("ŷ"), [1]).named("loss")


def deep_rnn(T=4):
    """Two layers, the second fed by the first."""
    W_x, W_h, U_x, U_h = weights(W_x=(3, 5), W_h=(5, 5), U_x=(5, 5), U_h=(5, 5))
    h = k = Tensor(np.zeros((1, 5)))
    for _, x in steps(np.eye(3)[np.arange(T) % 3][:, None]):
        h = F.tanh(Tensor(x, name="x") @ W_x + h @ W_h).named("h")
        k = F.tanh(h @ U_x + k @ U_h).named("k")
    return k.sum().named("loss")


def lstm(T=4):
    n = 3
    W, b, W_y = weights(W=(n + 3, 4 * n), b=(4 * n,), W_y=(n, 3))
    h, C = Tensor(np.zeros((1, n)), name="h"), Tensor(np.zeros((1, n)), name="C")
    losses = []
    for _, x in steps(np.eye(3)[np.arange(T) % 3][:, None]):
        gates = F.concat([h, Tensor(x, name="x")], axis=-1) @ W + b
        f, i, o = (F.sigmoid(gates[:, k * n : k * n + n]).named(name) for k, name in enumerate("fio"))
        C = (f * C + i * F.tanh(gates[:, 3 * n :]).named("C̃")).named("C")
        h = (o * F.tanh(C)).named("h")
        losses.append(F.cross_entropy((h @ W_y).named("ŷ"), [1]).named("L"))
    return sum(losses).named("loss")


def gru(T=4):
    n = 3
    W_z, W_r, W = weights(W_z=(n + 3, n), W_r=(n + 3, n), W=(n + 3, n))
    h = Tensor(np.zeros((1, n)), name="h")
    for _, x in steps(np.eye(3)[np.arange(T) % 3][:, None]):
        hx = F.concat([h, x], axis=-1)
        z, r = F.sigmoid(hx @ W_z).named("z"), F.sigmoid(hx @ W_r).named("r")
        new = F.tanh(F.concat([r * h, x], axis=-1) @ W).named("h̃")
        h = ((1 - z) * h + z * new).named("h")
    return h.sum().named("loss")


def attention(T=4):
    """Every step looks at all states so far: its edges pass over other columns, and each step has more of them."""
    W_x, W_h, W_y = weights(W_x=(3, 5), W_h=(5, 5), W_y=(5, 3))
    h = Tensor(np.zeros((1, 5)), name="h")
    states, losses = [], []
    for _, x in steps(np.eye(3)[np.arange(T) % 3][:, None]):
        h = F.tanh(Tensor(x, name="x") @ W_x + h @ W_h).named("h")
        states.append(h)
        H = F.concat(states, axis=0).named("H")
        a = F.softmax(h @ H.T, axis=-1).named("a")
        losses.append(F.cross_entropy((a @ H @ W_y).named("ŷ"), [1]).named("L"))
    return sum(losses).named("loss")


def bidirectional(T=4):
    """One state goes forward in time, one backward, and both are read at each step."""
    W_f, U_f, W_b, U_b, W_y = weights(W_f=(3, 5), U_f=(5, 5), W_b=(3, 5), U_b=(5, 5), W_y=(10, 3))
    f, b = Tensor(np.zeros((1, 5)), name="f"), Tensor(np.zeros((1, 5)), name="b")
    xs = [Tensor(x, name="x") for x in np.eye(3)[np.arange(T) % 3][:, None]]
    forward, backward, losses = [], [], []
    for _, x in steps(xs):
        f = F.tanh(x @ W_f + f @ U_f).named("f")
        forward.append(f)
    for _, x in steps(xs, reverse=True):
        b = F.tanh(x @ W_b + b @ U_b).named("b")
        backward.insert(0, b)
    for _, both in steps(list(zip(forward, backward))):
        losses.append(F.cross_entropy((F.concat(both, axis=-1) @ W_y).named("ŷ"), [1]).named("L"))
    return sum(losses).named("loss")


def seq2seq(T=4):
    """A decoder that looks at all states of an encoder through a node outside of time."""
    E_x, E_h, D_x, D_h, W_y = weights(E_x=(3, 5), E_h=(5, 5), D_x=(3, 5), D_h=(5, 5), W_y=(5, 3))
    h, states, losses = Tensor(np.zeros((1, 5)), name="h"), [], []
    letters = np.eye(3)[np.arange(T) % 3][:, None]
    with scope("encoder"):
        for _, x in steps(letters):
            h = F.tanh(Tensor(x, name="x") @ E_x + h @ E_h).named("h")
            states.append(h)
    s, H = h, F.concat(states, axis=0).named("H")
    with scope("decoder"):
        for _, y in steps(letters):
            s = F.tanh(Tensor(y, name="y") @ D_x + s @ D_h).named("s")
            C = (F.softmax(s @ H.T, axis=-1).named("w") @ H).named("C")
            losses.append(F.cross_entropy(((s + C) @ W_y).named("ŷ"), [1]).named("L"))
    return sum(losses).named("loss")


def changed(what, T=6, at=4):
    """A model with two states, of which one step is otherwise."""
    W, U, V, b = weights(W=(3, 4), U=(4, 4), V=(4, 4), b=(4,))
    h = older = Tensor(np.zeros((1, 4)), name="h")
    k, losses = Tensor(np.zeros((1, 4)), name="k"), []
    for t, x in steps(np.ones((T, 1, 3))):
        now = what if t == at else ""
        before = h
        h = {"detach": h.detach, "cut": lambda h=h: cut(h), "skip": lambda older=older: older}.get(now, lambda h=h: h)()
        h = Tensor(np.zeros((1, 4)), name="h") if now == "reset" else h
        a = Tensor(x, name="x") @ W + h @ (V if now == "weight" else U)
        a = a * 2.0 if now == "more" else a
        a = a if now == "less" else a + b
        if now == "line":
            h = F.tanh(a).named("h")
        else:
            h = (F.relu if now == "op" else F.tanh)(a).named("q" if now == "name" else "h")
        with scope("odd" if now == "scope" else "even"):
            k = F.tanh(k + (before if now == "wiring" else h)).named("k")
        y = F.softmax(k, axis=0 if now == "fixed" else -1)
        losses += [(y * y).sum().named("extra")] if now == "loss" else []
        y = (y.reshape(2, 2) if now == "shape" else y.reshape(1, 4)) * 3.0
        losses.append((y * y).sum().named("L"))
        older = before
    return sum(losses).named("loss")


def cubic():
    """x³ with its first and second derivative."""
    x = Tensor(2.0, requires_grad=True, name="x")
    y = (x**3).named("y")
    (first,) = grad(y, [x], create_graph=True)
    (second,) = grad(first, [x], create_graph=True)
    return [y, first.named("dy/dx"), second.named("d²y/dx²")]


MODELS = {model.__name__: model for model in (rnn, deep_rnn, lstm, gru, attention, bidirectional, seq2seq)}
