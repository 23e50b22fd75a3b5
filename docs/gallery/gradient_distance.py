"""Gradient against distance

How much of the gradient of the last loss reaches what was read so many steps ago, before any training: the median of
five random starts, and the band of all.  As PyTorch starts them, LSTM and GRU lose it step by step, only not as fast as
an RNN.  An LSTM whose forget gates start more open keeps far more, and self-attention has no distance.
"""

from tinygrad_seq import Tensor, manual_seed
from tinygrad_seq.gradflow import per_step
from tinygrad_seq.models.flow import NETWORKS, network
from tinygrad_seq.viz import plot_distance


def gradients(name, seed, T=50, hidden=32):
    rng = manual_seed(seed)
    model = network(name, hidden, tokens=4, num_classes=4)
    x = Tensor(rng.normal(size=(T, 1, hidden)), requires_grad=True, name="x")
    return per_step(model.loss(x, [1]), x)


names = ["rnn", "lstm-pytorch", "lstm", "gru", "self-attention"]
series = {NETWORKS[name].title: [gradients(name, seed) for seed in range(5)] for name in names}
chart = plot_distance(series, title="At initialisation")

chart.save("gradient_distance.svg")
chart.save("gradient_distance.png")
