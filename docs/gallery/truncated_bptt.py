"""Truncated backpropagation through time

The gradient goes back two steps and no further: the way is cut, which the scissors show.  Each loss reaches the steps
of its own window alone.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import RNN, ManyToMany, Vocabulary
from tinygrad_seq.models.truncated import truncated_bptt
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
model = ManyToMany(RNN(len(letters), 8), len(letters))
loss = truncated_bptt(2, 2).backward(model, letters.encode("HELLOH"), letters.encode("ELLOHE"))

drawing = draw_unrolled(loss, style="modules", tokens="HELLOH")
drawing.save("truncated_bptt.svg")
drawing.save("truncated_bptt.png")
