"""For dark pages

The same pictures for slides and pages with a dark ground: what is much shines.  Here an LSTM, gate by gate, and the
gradient of its last loss alone, which fades as it goes back.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import LSTM, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
model = ManyToMany(LSTM(len(letters), 8), len(letters))
losses = model.losses(letters.encode("HEL"), letters.encode("ELL"))

drawing = draw_unrolled(losses[-1], style="modules", tokens="HEL", dark=True)
drawing.save("dark.svg")
drawing.save("dark.png")
