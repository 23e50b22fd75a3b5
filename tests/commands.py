"""The command line, run as a user would, for the tests of its commands."""

import os
import subprocess
import sys

import pytest

from tinygrad_seq.cli import main


def run(*args):
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return ended.value.code or 0


def start(*args, **options):
    """A command in a process of its own."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tinygrad_seq", *map(str, args)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment, **options
    )
