"""The command line, run as a user would, for the tests of its commands."""

import os
import subprocess
import sys
from pathlib import Path

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


def forget(folder):
    """Modules that were imported from a folder are as if they had never been."""
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or os.sep).is_relative_to(folder):
            del sys.modules[name]
