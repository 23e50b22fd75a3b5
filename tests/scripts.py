"""Small programs that a debugger steps through, for the tests of debuggers."""

import os
from pathlib import Path
from typing import Any

from tinygrad_seq import Node

HELLO = """\
import numpy as np
from tinygrad_seq import breakpoint_on, manual_seed
from tinygrad_seq.models import LSTM, ManyToMany

manual_seed(0)
model = ManyToMany(LSTM(4, 8), 4)
loss = model.loss(np.array([0, 1, 2, 2]), np.array([1, 2, 2, 3]))
loss.backward()  # HERE
print("the end")
"""

HALTING = HELLO.replace("loss.backward()", 'breakpoint_on("tanh t=3")\nloss.backward()')

OWN = """\
import numpy as np
from tinygrad_seq import Op, Tensor, steps
from tinygrad_seq.debugger import node

def cube(x):
    return x**3

def cube_vjp(g, out, x):
    return (3 * g * x**2,)  # HERE

cube = Op(cube, cube_vjp)
h = Tensor([0.5], requires_grad=True)
for t, x in steps([1.0, 2.0, 3.0]):
    h = cube(h * x).named("h")
h.sum().backward()
print("the end")
"""


def written(program: str, folder: Path) -> tuple[Path, int]:
    """A program as a file, and the number of its line that says HERE."""
    path = folder / "script.py"
    path.write_text(program, "utf-8")
    return path, next(i for i, line in enumerate(program.splitlines(), 1) if line.endswith("# HERE"))


def environment(home: Path) -> dict[str, str]:
    """Of a process that debugs: no settings of the user's, one thread for the matrices."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONBREAKPOINT", "PYTEST"))}
    return {**kept, "HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


def hello() -> Node:
    """The record of the script HELLO, made here: its loss."""
    names: dict[str, Any] = {}
    exec(HELLO.partition("loss.backward")[0], names)
    return names["loss"]
