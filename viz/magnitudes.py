"""The size of the gradient at every node: one walk over the sweep."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_seq.backprop import sweep
from tinygrad_seq.graph import Node


def gradient_magnitudes(loss: Node, nodes: list[Node]) -> list[float | None]:
    """‖∂loss/∂node‖₂ for each node in the order given; None for what the gradient never asks for.

    The record is only read: no node's `grad` changes.
    """
    place = {id(node): i for i, node in enumerate(nodes)}
    norms: list[float | None] = [0.0 if node.requires_grad else None for node in nodes]
    for visit in sweep(loss):
        i = place.get(id(visit.node))
        if i is not None and norms[i] is not None:
            norms[i] = magnitude(visit.grad)
    return norms


def magnitude(values: object) -> float:
    """The Euclidean norm, without overflow on the way to it."""
    flat = np.ravel(np.asarray(getattr(values, "data", values) if not isinstance(values, np.ndarray) else values))
    size = np.abs(flat).astype(float)
    largest = float(size.max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.sum((size / largest) ** 2)))
