"""Memory that is freed and asked for again at every update."""

from __future__ import annotations

import ctypes
from functools import cache

__all__ = ["keep_freed_memory"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, where its C library can be asked to; says whether it can.

    A record is as large as all that a training step computes, and all of it is freed before the next.  glibc gives
    tens of MB back to the system, which hands them out anew page by page, at a quarter to nearly half of a step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # no glibc
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, 1 << 25)) and bool(mallopt(M_TRIM_THRESHOLD, 1 << 30))
