"""Coloured by a measure

Any measure of `gradflow` colours a drawing: here, of an LSTM, the gradient of the last loss along the cell state alone.
What has no number stays plain, and the legend says what the colours are.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.gradflow import per_step
from tinygrad_seq.models import LSTM, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
model = ManyToMany(LSTM(len(letters), 8), len(letters))
loss = model.losses(letters.encode("HELL"), letters.encode("ELLO"))[-1]

drawing = draw_unrolled(loss, style="textbook", colour=per_step(loss, "C"), tokens="HELL")
drawing.save("cell_state.svg")
drawing.save("cell_state.png")
