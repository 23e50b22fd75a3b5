"""Lyapunov exponents: the rates at which directions grow or shrink along a trajectory, of its Jacobians."""

from __future__ import annotations

import numpy as np

from ..errors import SequenceError

__all__ = ["lyapunov_exponents"]


def lyapunov_exponents(matrices: np.ndarray, skip: int = 0) -> np.ndarray:
    """Mean log |R_ii| of the QR factors, re-orthonormalised at every step, the largest first: (…, n), per step.

    matrices: (S, …, n, n), one Jacobian for each step.  skip: steps at the beginning that turn the axes, and do not
    count.  -inf where a direction is lost.  Benettin, Galgani, Giorgilli and Strelcyn, Meccanica 15 (1980).
    Raises SequenceError where no step is left.

    >>> import numpy as np
    >>> from tinygrad_seq.gradflow.exponents import lyapunov_exponents
    >>> lyapunov_exponents(np.array([np.diag([2.0, 0.5])] * 10)).round(4)
    array([ 0.6931, -0.6931])
    """
    if not 0 <= skip < len(matrices):
        raise SequenceError(f"Lyapunov exponents need a step that counts: skip={skip} of {len(matrices)}")
    Q = np.broadcast_to(np.eye(matrices.shape[-1]), matrices.shape[1:])
    total = np.zeros(matrices.shape[1:-1])
    for step, matrix in enumerate(matrices.astype(float)):
        Q, R = np.linalg.qr(matrix @ Q)
        if step >= skip:
            with np.errstate(divide="ignore"):
                total += np.log(np.abs(np.diagonal(R, axis1=-2, axis2=-1)))
    return -np.sort(-total / (len(matrices) - skip), axis=-1)
