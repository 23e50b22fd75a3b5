"""A gradient as a computation

The gradient of y = x³ at 2, made with `create_graph=True`: on the way back 3x² = 12 is computed from x, in ops like any
others.  So it can be drawn, and have a gradient itself.
"""

from tinygrad_seq import Tensor, grad
from tinygrad_seq.viz import draw_graph

x = Tensor(2.0, requires_grad=True, name="x")
y = (x**3).named("y")
(gradient,) = grad(y, [x], create_graph=True)

drawing = draw_graph(gradient.named("∂y/∂x"))
drawing.save("double_backward.svg")
drawing.save("double_backward.png")
