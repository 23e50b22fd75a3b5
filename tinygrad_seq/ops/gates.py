"""A part of an array through a squashing function, as one op: the gates of a recurrent network, of one product."""

from .elementwise import sigmoid, sigmoid_vjp, tanh, tanh_vjp
from .parts import scattered


def sigmoid_part(x, *, index):
    return sigmoid(x[index])


def sigmoid_part_vjp(g, out, x, *, index):
    return (scattered(sigmoid_vjp(g, out, x)[0], index, x.shape),)


def tanh_part(x, *, index):
    return tanh(x[index])


def tanh_part_vjp(g, out, x, *, index):
    return (scattered(tanh_vjp(g, out, x)[0], index, x.shape),)
