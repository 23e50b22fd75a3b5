"""The page with the player inside of a notebook."""

from __future__ import annotations

from html import escape

__all__ = ["Player"]


class Player:
    """A page in a frame of its own, where a notebook shows it.

    html: the page, a whole document.  height: of the frame, in pixels.
    """

    def __init__(self, html: str, height: int = 760) -> None:
        self.html = html
        self.height = height

    def __repr__(self) -> str:
        return f"<Player, {len(self.html.encode()) / 1e6:.1f} MB: shown by notebooks>"

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="Player of a record" '
            f'style="width: 100%; height: {int(self.height)}px; border: 1px solid #8888; border-radius: 8px"></iframe>'
        )
