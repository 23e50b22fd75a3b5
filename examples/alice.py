"""Train a character RNN on Alice's Adventures in Wonderland, and let it write.

    python examples/alice.py            # some seconds, 800 updates
    python examples/alice.py 5000       # a better one
"""

import sys

import numpy as np
from rich.console import Console

from tinygrad_seq import manual_seed, optim
from tinygrad_seq.models import RNN, ManyToMany, generate, train
from tinygrad_seq.models.tasks import TextTask, alice


def main(updates: int = 800) -> None:
    """Train, and print what it needs per character and what it writes."""
    manual_seed(0)
    task = TextTask(alice(), length=24, batch=32)
    letters, size = task.vocabulary, len(task.vocabulary)
    model = ManyToMany(RNN(size, 96, dtype=np.float32), size)  # one-hot characters in, a guess at the next one out
    print(model)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    train(model, task.draw, optimizer, updates=updates, clip=16.0, console=Console(stderr=True), title="Alice")

    print(f"{task.bits(model):.2f} bits per character; from how often each occurs {task.bits_of_letters():.2f}")
    for temperature, top_k in ((0.0, None), (0.5, None), (1.0, 5), (1.0, None)):
        text = generate(model, letters.encode("Alice "), 200, temperature=temperature, top_k=top_k)
        print(f"\ntemperature {temperature}" + (f", top {top_k}" if top_k else ""), "\nAlice " + letters.decode(text))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
