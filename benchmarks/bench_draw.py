"""Drawing an unrolled LSTM beside torchviz and TorchLens, which draw the same equations from PyTorch's records.

Both peers hand the whole graph to the system's `dot`: without one only this library draws. Every contestant runs in a
process of its own, with a limit of time; the time is that from the record to the finished SVG.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

LIMIT = 120  # seconds for one picture
H = 8


def ours(T: int, show: str) -> dict[str, float]:
    """This library."""
    import resource

    import numpy as np

    from tinygrad_seq.models import LSTM, ManyToMany
    from tinygrad_seq.viz import draw_unrolled

    model = ManyToMany(LSTM(4, H), 4)

    def record(steps: int):
        return model.loss(np.eye(4)[np.arange(steps) % 4][:, None], (np.arange(1, steps + 1) % 4)[:, None])

    draw_unrolled(record(3)).svg  # noqa: B018  the first picture loads fonts and asks for the layout program's version
    loss = record(T)
    start = perf_counter()
    svg = draw_unrolled(loss, show=show).svg  # type: ignore[arg-type]
    return {
        "seconds": perf_counter() - start,
        "kB": len(svg) / 1000,
        "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def torch_lstm(T: int):
    """The equations written out, as PyTorch's fused LSTM has no steps to see."""
    import torch

    class Cells(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = torch.nn.Linear(4 + H, 4 * H), torch.nn.Linear(H, 4)

        def forward(self, xs):
            h, C, losses = torch.zeros(1, H), torch.zeros(1, H), []
            for t in range(T):
                i, f, c, o = self.cell(torch.cat([h, xs[t : t + 1]], -1)).split(H, -1)
                C = f.sigmoid() * C + i.sigmoid() * c.tanh()
                h = o.sigmoid() * C.tanh()
                losses.append(torch.nn.functional.cross_entropy(self.out(h), torch.tensor([t % 4])))
            return sum(losses)

    return Cells(), torch.eye(4)[torch.arange(T) % 4]


def torchviz(T: int, _: str) -> dict[str, float]:
    from torchviz import make_dot

    model, xs = torch_lstm(T)
    loss = model(xs)
    with TemporaryDirectory() as folder:
        start = perf_counter()
        path = make_dot(loss, dict(model.named_parameters())).render(Path(folder) / "g", format="svg")
        return {"seconds": perf_counter() - start, "kB": Path(path).stat().st_size / 1000}


def torchlens(T: int, _: str) -> dict[str, float]:
    import torchlens as tl

    model, xs = torch_lstm(T)
    record = tl.trace(model, xs)
    with TemporaryDirectory() as folder:
        start = perf_counter()
        record.draw(view="unrolled", vis_outpath=str(Path(folder) / "g"), vis_save_only=True, vis_fileformat="svg")
        seconds = perf_counter() - start
        return {"seconds": seconds, "kB": sum(path.stat().st_size for path in Path(folder).iterdir()) / 1000}


def measured(name: str, T: int, show: str, rounds: int) -> str:
    """The median of some runs, in words."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, __file__, name, str(T), show]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, **pipes, text=True, start_new_session=True)
        try:
            said, failed = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the layout program that it waits for too
            return f"not done after {LIMIT} s"
        if process.returncode:
            return f"failed: {(failed.strip().splitlines() or ['no word'])[-1][:70]}"
        runs.append(json.loads(said.splitlines()[-1]))
    middle = {key: median(run[key] for run in runs) for key in runs[0]}
    more = f"  {middle['MB']:,.0f} MB" if "MB" in middle else ""
    return f"{middle['seconds']:7.2f} s  {middle['kB']:9,.0f} kB{more}"


CONTESTANTS = {"ours": ours, "torchviz": torchviz, "torchlens": torchlens}
TARGETS = {(50, "all"): 0.5, (100, "all"): 1.0, (1000, "all"): 10.0, (1000, "auto"): 1.0}


def main() -> None:
    print(f"LSTM, hidden {H}, from the record to the SVG; system dot: {shutil.which('dot') or 'none'}")
    for (T, show), target in TARGETS.items():
        said = measured("ours", T, show, 3)
        print(f"T={T:<5} {'all steps' if show == 'all' else 'elided':9}  ours       {said}   (target {target:g} s)")
    for T in (5, 20, 50):
        for name in ("torchviz", "torchlens"):
            print(f"T={T:<5} all steps  {name:10} {measured(name, T, 'all', 1)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(CONTESTANTS[sys.argv[1]](int(sys.argv[2]), sys.argv[3])))
    else:
        main()
