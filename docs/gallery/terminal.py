"""In a terminal

The same as text, for terminals, notes and docstrings; the blocks say how large the gradient is.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import RNN, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
model = ManyToMany(RNN(len(letters), 16), len(letters))
loss = model.loss(letters.encode("HELL"), letters.encode("ELLO"))

drawing = draw_unrolled(loss, style="text", tokens="HELL")
drawing.save("terminal.txt")
