"""The numbers that an op graph shows besides the values: the gradients, and what its colours tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq.backprop import sweep
from tinygrad_seq.gradflow import magnitude
from tinygrad_seq.graph import Node

from ..pictures.labels import Label, Run, plain, shorten, visible
from ..reading.magnitudes import Measure, size_of_value


class Gradients:
    """The gradients to show: as `backward` left them.

    sought: where it left none anywhere, those of a single root, if it is a number, from a sweep of its own.
    """

    def __init__(self, roots: tuple[Node, ...], nodes: list[Node], *, sought: bool) -> None:
        self.found: dict[int, Any] = {}
        for node in nodes:
            grad = node.grad if node.requires_grad else None
            if grad is not None:
                self.found[id(node)] = grad.data if isinstance(grad, Node) else grad
        self.left = any(not node.scalar or self.found[id(node)] != 0 for node in nodes if id(node) in self.found)
        root = roots[0]
        if sought and not self.left and len(roots) == 1 and root.requires_grad and np.size(root.data) == 1:
            self.found = {id(visit.node): visit.grad for visit in sweep(root) if visit.node.requires_grad}

    def of(self, node: Node) -> Any:
        """The gradient of a node; None where there is none."""
        return self.found.get(id(node))


def measured(nodes: list[Node], gradients: Gradients, colour: str | Measure | None) -> list[float | None] | None:
    """For each node the number that its colour tells; None for no colours at all."""
    if colour is None:
        return None
    if isinstance(colour, str) and colour == "grad":
        return [None if (grad := gradients.of(node)) is None else magnitude(grad) for node in nodes]
    measure = size_of_value if isinstance(colour, str) else colour
    return [None if (value := measure(node)) is None else float(value) for node in nodes]


def meaning(colour: str | Measure | None, measure: str | None, gradients: Gradients) -> Label:
    """What the colours tell, for the legend; measure: the name of one that is no part of the record."""
    if isinstance(colour, str):
        grad = plain("‖grad‖") if gradients.left else (*plain("‖∂"), Run("L", italic=True), *plain("/∂node‖"))
        return grad if colour == "grad" else plain("‖value‖")
    return plain(shorten(visible(measure or "measure"), 160, 12))
