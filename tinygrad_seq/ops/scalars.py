"""The elementwise functions on Python floats, for `Value`: `math`, no arrays."""

import math


def add(x, y):
    return x + y


def sub(x, y):
    return x - y


def mul(x, y):
    return x * y


def div(x, y):
    return x / y


def neg(x):
    return -x


def pow(x, *, exponent):
    return math.pow(x, exponent)  # x**exponent of a negative x can be complex


def power(x, y):
    return math.pow(x, y)


def sigmoid(x):
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    e = math.exp(x)
    return e / (1 + e)


def relu(x):
    return x if x > 0 or x != x else 0.0


def leaky_relu(x, *, negative_slope):
    return x if x > 0 else negative_slope * x


def silu(x):
    return x * sigmoid(x)


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def gelu(x):
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


def sign(x):
    return math.copysign(1.0, x) if x else x


def maximum(x, y):
    return x if x >= y or x != x else y


def minimum(x, y):
    return x if x <= y or x != x else y


def clip(x, *, low, high):
    x = x if low is None or x >= low or x != x else float(low)
    return x if high is None or x <= high or x != x else float(high)


exp = math.exp
log = math.log
log1p = math.log1p
expm1 = math.expm1
sqrt = math.sqrt
sin = math.sin
cos = math.cos
tanh = math.tanh
erf = math.erf
abs = math.fabs
