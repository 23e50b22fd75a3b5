"""A neuron, op by op

micrograd's first picture: what is computed from what, with value and gradient in each box.
"""

from tinygrad_seq import Value
from tinygrad_seq.viz import draw_graph

x1, x2, w1, w2, b = (Value(x) for x in (2.0, 0.0, -3.0, 1.0, 6.8813735870195432))
for node, name in zip((x1, x2, w1, w2, b), ("x_1", "x_2", "w_1", "w_2", "b")):
    node.named(name)
n = (x1 * w1 + x2 * w2 + b).named("n")
o = n.tanh().named("o")
o.backward()

drawing = draw_graph(o)
drawing.save("neuron.svg")
drawing.save("neuron.png")
