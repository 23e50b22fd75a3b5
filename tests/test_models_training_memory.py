"""Memory that is freed and asked for again at every update: it is kept, where the C library can be asked to."""

import ctypes
import platform
import subprocess
import sys

import pytest

from tinygrad_seq.models.training.memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from tinygrad_seq.models.training.memory import keep_freed_memory
if "keep" in sys.argv:
    assert keep_freed_memory()
def step():
    return [np.ones(100_000) for _ in range(20)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments):
    command = [sys.executable, "-c", FAULTS, *arguments]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_a_step_gets_the_memory_of_the_step_before():
    """The system hands out a tenth of the pages, or fewer."""
    assert 10 * faults("keep") < faults()


def test_without_such_a_library_nothing_happens(monkeypatch):
    """And it says so."""

    def missing(name):
        raise OSError("no C library here")

    monkeypatch.setattr(ctypes, "CDLL", missing)

    assert keep_freed_memory.__wrapped__() is False
