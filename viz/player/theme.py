"""Colours that follow the looks of the page: each is a variable of its style sheet, with a light and a dark side."""

from __future__ import annotations

from ..pictures.palette import DARK, LIGHT, Theme

__all__ = ["PageTheme"]

SHADES = 50  # of the ramp: the eye tells no more apart


class PageTheme(Theme):
    """A theme that writes `var(--c7)` for a colour, and knows what that is in light and in dark."""

    def __init__(self) -> None:
        super().__init__("page", LIGHT.colours, LIGHT.ramp, LIGHT.signed, LIGHT.weights)
        object.__setattr__(self, "pairs", {})

    pairs: dict[tuple[str, str], str]

    def hex(self, name: str) -> str:
        """The variable of a colour; what is no name, such as "none", stays as it is."""
        kind, _, at = name.rpartition(" ")
        if kind.endswith(("ramp", "signed")):
            name = f"{kind} {round(float(at) * SHADES) / SHADES}"
        pair = LIGHT.hex(name), DARK.hex(name)
        if pair[0] == pair[1]:
            return pair[0]
        return f"var({self.pairs.setdefault(pair, f'--c{len(self.pairs)}')})"

    @property
    def css(self) -> str:
        """The variables used so far."""
        lines = [f"{variable}: light-dark({light}, {dark});" for (light, dark), variable in self.pairs.items()]
        return ":root {\n" + "\n".join(lines) + "\n}\n"
