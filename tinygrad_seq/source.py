"""Which source line is the user's: the first frame outside the engine.

The models and drawings of the package count as outside: their equations are what a reader wants to be led to.
"""

from __future__ import annotations

import os
from sys import _getframe

__all__ = ["inside", "user_line"]

PACKAGE = os.path.dirname(__file__) + os.sep
LESSONS = tuple(PACKAGE + part + os.sep for part in ("models", "viz"))


class _Inside(dict[str, bool]):
    """Whether a source file is the engine's own, by its name; looked at once for each file."""

    def __missing__(self, filename: str) -> bool:
        inside = self[filename] = filename.startswith(PACKAGE) and not filename.startswith(LESSONS)
        return inside


inside = _Inside()


def user_line() -> str:
    """The line that is run outside of this package and its models, as "file.py:42": where to mend what is wrong."""
    frame = _getframe(1)
    while frame.f_globals.get("__name__", "").split(".")[0] == "tinygrad_seq" and frame.f_back:
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
