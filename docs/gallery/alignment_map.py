"""How attention comes about

Dates again, now letter by letter, after more and more training.  A row is a sign that is written, a column a letter
that is read: at first the model looks everywhere, at the end at the month for 10 and at the day for 21.  Not every seed
leads to as clean a map.
"""

from calendar import month_abbr

import numpy as np

from tinygrad_seq import manual_seed
from tinygrad_seq.models import GRU, Seq2Seq, Vocabulary, train
from tinygrad_seq.optim import Adam
from tinygrad_seq.viz import plot_attention_over_training, save_chart

special = {"padding": "<pad>", "begin": "<start>", "end": "<end>"}
letters = Vocabulary.characters("0123456789- " + "".join(month_abbr), **special)


def batch(days, months):
    read = [f"{day} {month_abbr[month]}" for day, month in zip(days, months)]
    write = [f"{month:02}-{day:02}" for day, month in zip(days, months)]
    return letters.encode_all(read), np.array([len(text) for text in read]), letters.encode_all(write)


manual_seed(3)
model = Seq2Seq(GRU(16, 24), GRU(16, 24), source_tokens=len(letters), target_tokens=len(letters), attention="additive")
optimizer, maps, done = Adam(model.parameters(), lr=0.02), {}, 0
for updates in (20, 60, 100, 300):
    new = updates - done
    train(model, lambda rng: batch(rng.integers(1, 32, 64), rng.integers(1, 13, 64)), optimizer, updates=new, clip=1.0)
    maps[updates], done = model.align(*batch([21], [10])).data[0], updates

chart = plot_attention_over_training(maps, "21 Oct", "10-21")
save_chart(chart, "alignment_map.svg")
save_chart(chart, "alignment_map.png")
