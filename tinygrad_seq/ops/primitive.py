"""What an op is: a function of plain arrays and its vector-Jacobian product, side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Primitive"]


class Primitive:
    """A pair `forward(*inputs, **fixed)` and `vjp(g, out, *inputs, **fixed)`.

    Positional arguments are differentiable, keyword-only ones are fixed.  The VJP returns a tuple with
    one gradient per input, None for "no gradient".  scalar: the same function on Python floats.
    broadcasts: the inputs are broadcast against each other as NumPy does; the sweep undoes it.
    """

    __slots__ = ("broadcasts", "forward", "name", "scalar", "vjp")

    def __init__(
        self,
        forward: Callable[..., Any],
        vjp: Callable[..., tuple[Any, ...]],
        *,
        name: str | None = None,
        scalar: Callable[..., Any] | None = None,
        broadcasts: bool = False,
    ) -> None:
        self.name = name or forward.__name__
        self.forward = forward
        self.vjp = vjp
        self.scalar = scalar
        self.broadcasts = broadcasts

    def __repr__(self) -> str:
        return f"<op {self.name}>"
