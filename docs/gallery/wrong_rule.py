"""A wrong rule, found

The derivative of softsign is 1 / (1 + |x|)², and this rule forgets the square.  `gradcheck` sees that the gradient of a
recurrence is wrong, checks the rule of each node at the values that were recorded, and names the first that is wrong;
`save` writes what it says, and draws the record around that node.
"""

import numpy as np

from tinygrad_seq import Op, Parameter, scope, steps
from tinygrad_seq.testing import gradcheck


def softsign(x):
    return x / (1 + np.abs(x))


def softsign_vjp(g, out, x):
    return (g / (1 + np.abs(x)),)


softsign = Op(softsign, softsign_vjp)
rng = np.random.default_rng(0)
W_x, W_h = Parameter(rng.normal(size=(2, 3)), name="W_x"), Parameter(rng.normal(size=(3, 3)) / 2, name="W_h")


def encode(x, W_x, W_h):
    h = np.zeros((1, 3))
    with scope("encoder"):
        for _, x_t in steps(x):
            h = softsign(x_t @ W_x + h @ W_h).named("h")
    return h


report = gradcheck(encode, [rng.normal(size=(4, 1, 2)), W_x, W_h], raise_exception=False)
report.save("wrong_rule.txt", picture="svg")
report.save("wrong_rule.txt", picture="png")
