"""A GRU with two layers that reads in both directions

Each layer has a state that runs with time and one that runs against it, so at every step both what was and what is to
come are known.  What the two of the lower layer say of a step is the input of the upper layer.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import GRU, ManyToMany, Vocabulary
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
words = Vocabulary.words("time flies like an arrow noun verb other")
model = ManyToMany(GRU(len(words), 8, num_layers=2, bidirectional=True), len(words))
read, tags = ["time", "flies", "like", "an", "arrow"], ["noun", "verb", "other", "other", "noun"]
loss = model.loss(words.encode(read), words.encode(tags))

drawing = draw_unrolled(loss, style="modules", level="steps", tokens=read)
drawing.save("bidirectional_gru.svg")
drawing.save("bidirectional_gru.png")
