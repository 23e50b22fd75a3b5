"""What all tests share: hypothesis' profiles, signals, which tests run in the same process, and its memory.

`ci` where CI is set, else `dev`; `pytest --hypothesis-profile=deep` before a release.
"""

import gc
import os
import signal

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True, database=None, print_blob=True)
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("deep", deadline=None, max_examples=2_000)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A shell lets what it runs in the background ignore SIGINT, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of a file, or of a group of files, run in one process: what they share is made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the six thousand tests themselves, at each of its rounds."""
    gc.collect()
    gc.freeze()
