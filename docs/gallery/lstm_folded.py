"""An LSTM, folded

One step with its loops in place of all of them, as found in the record by comparing the steps: h and C go around to the
next step.  The strip under a node has a cell for each step, the first on the left, with its gradient there.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import LSTM, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
text = "to be, or not to be: that is the question"
letters = Vocabulary.characters(text)
model = ManyToMany(LSTM(len(letters), 16), len(letters))
losses = model.losses(letters.encode(text[:-1]), letters.encode(text[1:]))

drawing = draw_unrolled(losses[-1], style="modules", folded=True)
drawing.save("lstm_folded.svg")
drawing.save("lstm_folded.png")
