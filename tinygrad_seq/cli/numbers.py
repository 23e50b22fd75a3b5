"""Kinds of numbers that options are."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ["COUNT", "POSITIVE", "SEED", "Number"]


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number.  Raises BadParameter."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


COUNT, POSITIVE, SEED = click.IntRange(min=1), Number(min=0, min_open=True), click.IntRange(0, 2**32 - 1)
