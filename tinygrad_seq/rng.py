"""The one random generator that initialisers, dropout and sampling draw from."""

from __future__ import annotations

import numpy as np

__all__ = ["generator", "manual_seed"]

_generator: np.random.Generator | None = None  # made when first asked for: loading numpy.random takes a while


def generator() -> np.random.Generator:
    """The generator that everything random in this library draws from."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def manual_seed(seed: int) -> np.random.Generator:
    """Start the library's random numbers anew from a seed, and return their generator.

    >>> from tinygrad_seq import manual_seed
    >>> int(manual_seed(0).integers(100)) == int(manual_seed(0).integers(100))
    True
    """
    global _generator
    _generator = np.random.default_rng(seed)
    return _generator
