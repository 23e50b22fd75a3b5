"""An LSTM as in the textbook

The state C runs along the top of the cell, past what is forgotten (×) and what is new (+).  The yellow boxes are the
gates, layers with weights of their own; the circles are taken number by number.  It is the figure of Christopher Olah,
"Understanding LSTM Networks" (2015), read from the record of a run.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import LSTM, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
model = ManyToMany(LSTM(len(letters), 16), len(letters))
loss = model.loss(letters.encode("HEL"), letters.encode("ELL"))

drawing = draw_unrolled(loss, style="textbook", colour=None, tokens="HEL")
drawing.save("lstm_textbook.svg")
drawing.save("lstm_textbook.png")
