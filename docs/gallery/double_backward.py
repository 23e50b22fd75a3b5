"""A gradient as a computation

The gradient of y = x³ at 2, made with `create_graph=True`: on the way back 3x² = 12 is computed from x, in ops like any
others.  So it can be drawn, and have a gradient itself, 6x = 12.
"""

from tinygrad_seq import Tensor, grad
from tinygrad_seq.viz import draw_graph

x = Tensor(2.0, requires_grad=True, name="x")
y = (x**3).named("y")
(first,) = grad(y, [x], create_graph=True)
(second,) = grad(first, [x], create_graph=True)

drawing = draw_graph([y, first.named("∂y/∂x"), second.named("∂²y/∂x²")])
drawing.save("double_backward.svg")
drawing.save("double_backward.png")
