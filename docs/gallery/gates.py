"""The gates of an LSTM over a sentence

An LSTM has learnt a sentence by heart.  A row is one of its units, a column a letter: a dark f keeps what the unit
remembers, a pale one lets it go.  Below, how the numbers of each weight, and of its gradient, are distributed.
"""

from tinygrad_seq import manual_seed
from tinygrad_seq.models import LSTM, ManyToMany, Vocabulary, train
from tinygrad_seq.optim import Adam
from tinygrad_seq.viz import plot_gates, plot_histograms, save_chart

manual_seed(0)
text = "to be, or not to be: that is the question"
letters = Vocabulary.characters(text)
xs, targets = letters.encode(text[:-1]), letters.encode(text[1:])
model = ManyToMany(LSTM(len(letters), 8), len(letters))
train(model, lambda rng: (xs, targets), Adam(model.parameters(), lr=0.02), updates=200, clip=1.0)

loss = model.loss(xs, targets)
loss.backward()
gates, histograms = plot_gates(loss, tokens=text[:-1]), plot_histograms(model)
for kind in ("svg", "png"):
    save_chart(gates, f"gates.{kind}")
    save_chart(histograms, f"histograms.{kind}")
