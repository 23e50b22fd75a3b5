"""Masked self-attention over a Korean sentence

Each word looks at itself and at the words before it, never at those to come: no line leads to the left.  A line is as
wide as its weight.
"""

import numpy as np

from tinygrad_seq import Parameter, manual_seed, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import self_attention
from tinygrad_seq.viz import draw_unrolled

rng = manual_seed(0)
words = ["나는", "어제", "새로", "산", "책을", "읽었다"]
E = Parameter(rng.normal(size=(len(words), 4)) / 2, name="E")
hs = [E[x].named("h") for t, x in steps(np.arange(len(words)))]
new, weights = self_attention(F.stack(hs), masked=True)

drawing = draw_unrolled((new * new).sum().named("L"), style="modules", tokens=words)
drawing.save("self_attention_korean.svg")
drawing.save("self_attention_korean.png")
