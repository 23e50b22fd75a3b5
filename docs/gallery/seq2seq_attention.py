"""Attention writes a date anew

The encoder reads "Sat 21 Oct", the decoder writes "10-21".  The lines are the weights of attention, the wider the more:
for 10 it looks at the month, for 21 at the day, and never at the weekday.
"""

from calendar import day_abbr, month_abbr

from tinygrad_seq import manual_seed
from tinygrad_seq.models import GRU, Seq2Seq, Vocabulary, train
from tinygrad_seq.optim import Adam
from tinygrad_seq.viz import draw_unrolled

special = {"padding": "<pad>", "begin": "<start>", "end": "<end>"}
words = Vocabulary([*day_abbr, *map(str, range(1, 32)), *month_abbr[1:]], unit="word", **special)
signs = Vocabulary("0123456789-", **special)


def batch(weekdays, days, months):
    read = [f"{day_abbr[w]} {day} {month_abbr[month]}" for w, day, month in zip(weekdays, days, months)]
    write = [f"{month:02}-{day:02}" for day, month in zip(days, months)]
    return words.encode_all(read), [3] * len(read), signs.encode_all(write)


manual_seed(0)
sizes = {"source_tokens": len(words), "target_tokens": len(signs)}
model = Seq2Seq(GRU(16, 24), GRU(16, 24), **sizes, attention="additive")
dates = [(0, 7), (1, 32), (1, 13)]  # from, and to before
optimizer = Adam(model.parameters(), lr=0.02)
train(model, lambda rng: batch(*(rng.integers(*ends, 64) for ends in dates)), optimizer, updates=300, clip=1.0)

date, read, written = batch([5], [21], [10]), ["Sat", "21", "Oct"], [*"10-21"]
words = {"tokens": {"encoder": read, "decoder": ["start", *written[:-1]]}, "predictions": {"decoder": written}}
drawing = draw_unrolled(model.loss(*date), style="modules", level="steps", **words)
drawing.save("seq2seq_attention.svg")
drawing.save("seq2seq_attention.png")
