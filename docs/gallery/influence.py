"""What each letter changes

A GRU has learnt a sentence by heart.  Above, how much the state at each letter moves each later loss: dark is much, and
what is hatched lies in the future.  Below, the gradient of its recurrent weight as the sum that it is: what each letter
and each gate adds, along the whole; what points the other way hangs below.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.gradflow import influence, parts
from tinygrad_seq.models import GRU, ManyToMany, Vocabulary, train
from tinygrad_seq.optim import Adam
from tinygrad_seq.viz import plot_influence, plot_parts

manual_seed(0)
text = "나는 어제 새로 산 책을 읽었다"
letters = Vocabulary.characters(text)
xs, targets = letters.encode(text[:-1]), letters.encode(text[1:])
model = ManyToMany(GRU(len(letters), 16), len(letters))
train(model, lambda rng: (xs, targets), Adam(model.parameters(), lr=0.02), updates=40)

loss = model.loss(xs, targets)
weight = dict(model.named_parameters())["rnn.weight_hh_l0"]
moves = plot_influence(influence("L", "h", of=loss), tokens=text[:-1])
sums = plot_parts(parts(loss, weight), by="gate", of="share", tokens=text[:-1])
for kind in ("svg", "png"):
    moves.save(f"influence.{kind}")
    sums.save(f"influence_parts.{kind}")
