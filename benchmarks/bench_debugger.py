"""How long each command of the debugger takes on 1,000 steps of an LSTM, 14,000 nodes; the target is 100 ms."""

from __future__ import annotations

import io
from statistics import median
from time import perf_counter

import numpy as np

from tinygrad_seq import manual_seed
from tinygrad_seq.debugger import Prompt, Session
from tinygrad_seq.models import LSTM, ManyToMany

STEPS, ROUNDS, TARGET = 1000, 7, 0.1
COMMANDS = {  # each after what brings the session to where it is asked
    "step": ["begin"], "next": ["begin"], "continue": ["begin"], "goto 1": ["begin"], "goto 1000": ["goto 1"],
    "back 500": ["goto 1"], "until t=1": ["begin"], "until C norm<1e-12": ["begin"], "until h ratio<1e-6": ["begin"],
    "until flip t=1": ["begin"], "explain h_3": ["begin"], "bars C": ["goto 1"], "print h_300": ["begin"],
    "where": ["goto 500"], "list": ["goto 500"],
}  # fmt: skip


def main() -> None:
    manual_seed(0)
    model = ManyToMany(LSTM(4, 16), 4)
    x = np.arange(STEPS) % 4
    loss = model.loss(x, (x + 1) % 4)
    start = perf_counter()
    prompt = Prompt(Session(loss), out=io.StringIO())
    prompt.go([])
    opened = perf_counter() - start
    print(f"{len(prompt.session.tape):,} nodes; to open it, one sweep and all magnitudes: {opened:.2f} s")
    for command, before in COMMANDS.items():
        times = []
        for _ in range(ROUNDS):
            for line in before:
                prompt.onecmd(line)
            start = perf_counter()
            prompt.onecmd(command)
            times.append(perf_counter() - start)
        over = f"   over {1e3 * TARGET:.0f} ms" if median(times) > TARGET else ""
        print(f"{command:20} {1e3 * median(times):6.1f} ms{over}")


if __name__ == "__main__":
    main()
