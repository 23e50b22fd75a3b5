"""An RNN that has learnt HELLO

A column is a time step.  At the foot is the letter that goes in, at the head the one that comes out: after the first L
another L, after the second O, with the same input; only the state h, which runs from column to column, tells them
apart.  The colour is the gradient of the loss, and the weights, the same at every step, are badges where they are used.
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

says = letters.decode(model.predict(xs))
drawing = draw_unrolled(model.loss(xs, targets), style="modules", tokens="HELL", predictions=says)
drawing.save("rnn_hello.svg")
drawing.save("rnn_hello.png")
