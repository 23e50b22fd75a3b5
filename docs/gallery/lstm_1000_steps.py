"""An LSTM over 1,000 steps

The first and the last step are drawn, and one that was asked for.  A strip stands for the others and keeps their
colours: with forget gates that start open, the gradient of the loss at the end comes back all the way, along h and C.
"""

import numpy as np

from tinygrad_seq import manual_seed
from tinygrad_seq.models import LSTM, ManyToOne
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
model = ManyToOne(LSTM(1, 8, forget_bias=5.0), 2)
xs = np.sin(np.arange(1000) / 10)[:, None]

drawing = draw_unrolled(model.loss(xs, 1), style="modules", show=[1, 500, 1000])
drawing.save("lstm_1000_steps.svg")
drawing.save("lstm_1000_steps.png")
