"""What only the tests draw: the records of whole programs; and how many examples."""

from dataclasses import dataclass

from hypothesis import settings

from tinygrad_seq import Tensor
from tinygrad_seq import functional as F
from tinygrad_seq.graph import Graph
from tinygrad_seq.testing import Program, programs


@dataclass(frozen=True, eq=False, repr=False)
class Recorded:
    """What a program did.  outputs: all that it made, oldest first, then a scalar made from its result, the loss."""

    program: Program
    outputs: list[Tensor]

    @property
    def leaves(self):
        return self.program.leaves

    @property
    def loss(self):
        return self.outputs[-1]

    def __repr__(self):
        return repr(self.program)


def recorded(program):
    """A program run once."""
    loss = F.tanh(program(*program.leaves)).sum()
    return Recorded(program, [node for node in Graph(loss) if node.op and node.requires_grad])


def recorded_programs(**options):
    """Random programs of `tinygrad_seq.testing`, run."""
    return programs(**options).map(recorded)


def examples(n):
    """n examples where the profile has 100, and in proportion where it has more."""
    return settings(max_examples=max(1, settings().max_examples * n // 100))
