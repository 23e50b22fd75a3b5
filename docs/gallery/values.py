"""Values in place of gradients

What the network of the first picture computes: numbers as numbers, vectors as strips of colour, one hue above zero and
another below.  Nothing but the state differs between the two L.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import RNN, ManyToMany, Vocabulary, train
from tinygrad_seq.optim import Adam
from tinygrad_seq.viz import draw_unrolled

manual_seed(0)
letters = Vocabulary.characters("HELLO")
xs, targets = letters.encode("HELL"), letters.encode("ELLO")
model = ManyToMany(RNN(len(letters), 16), len(letters))
train(model, lambda rng: (xs, targets), Adam(model.parameters(), lr=0.01), updates=100)

loss, says = model.loss(xs, targets), letters.decode(model.predict(xs))
drawing = draw_unrolled(loss, style="modules", colour="value", values=True, tokens="HELL", predictions=says)
drawing.save("values.svg")
drawing.save("values.png")
