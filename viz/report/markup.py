"""Text as HTML: made safe, formulas in italics with subscripts, numbers short."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np

from ..pictures.labels import visible

__all__ = ["formula", "html", "marked", "number", "plain_number", "unmarked"]

SYMBOL = re.compile(r"(?<!\w)([A-Zbdfhinorswxyzŷ]\u0303?)(?:_(?:\{([^}]*)\}|(\w+)))?(?![\w\u0303])")
ABOVE = re.compile(r"\^([\w.−]+|[\ue000-\uf8ff])")  # n^2
MARKS = re.compile(r"\$([^$]+)\$|\*\*(.+?)\*\*|`([^`]+)`", re.DOTALL)


def html(content: object) -> str:
    """Text made safe: what would break the page or hide in it becomes visible."""
    return escape(visible(str(content)))


def formula(content: str) -> str:
    """The letters of an equation in italics, what stands after `_` as a subscript.

    >>> from tinygrad_seq.viz.report.markup import formula
    >>> formula("h_{t−1} W_h")
    '<var>h</var><sub>t−1</sub> <var>W</var><sub>h</sub>'
    """

    def set_in_type(match: re.Match[str]) -> str:
        below = match[2] or match[3]
        return f"<var>{match[1]}</var>" + (f"<sub>{below}</sub>" if below else "")

    typeset = ABOVE.sub(r"<sup>\1</sup>", SYMBOL.sub(set_in_type, html(content)))
    return f'<span class="one">{typeset}</span>' if "/" in content or "‖" in content else typeset


def marked(text: str) -> str:
    """A text of the page as HTML: $a formula$, **strong**, `code`, and nothing else that means anything.

    >>> from tinygrad_seq.viz.report.markup import marked
    >>> marked("**1 < 2** and $h_t$ by `tour`")
    '<b>1 &lt; 2</b> and <var>h</var><sub>t</sub> by <code>tour</code>'
    """
    found, end = [], 0
    for match in MARKS.finditer(text):
        found.append(html(text[end : match.start()]))
        if match[1] is not None:
            found.append(formula(match[1]))
        elif match[2] is not None:
            found.append(f"<b>{marked(match[2])}</b>")
        else:
            found.append(f"<code>{html(match[3])}</code>")
        end = match.end()
    return "".join([*found, html(text[end:])])


def unmarked(text: str) -> str:
    """The same text for a terminal.

    >>> from tinygrad_seq.viz.report.markup import unmarked
    >>> unmarked("**1 < 2** and $h_{t−1}$ by `tour`")
    '1 < 2 and h_{t−1} by tour'
    """
    return MARKS.sub(lambda match: unmarked(match[2]) if match[2] else match[1] or match[3], text)


def number(x: float) -> str:
    """A number to three digits, a very small or large one with its power of ten, as HTML.

    >>> from tinygrad_seq.viz.report.markup import number
    >>> number(0.0123456), number(2.5e-9)
    ('0.0123', '2.5 · 10<sup>−9</sup>')
    """
    if x == 0 or not np.isfinite(x):
        return {np.inf: "∞", -np.inf: "−∞"}.get(x, f"{x:g}")
    if 1e-4 <= abs(x) < 1e5:
        return f"{float(f'{x:.3g}'):,.10g}".replace("-", "−")
    digits, power = f"{x:.1e}".split("e")
    return f"{digits} · 10<sup>{int(power)}</sup>".replace("-", "−")


def plain_number(x: Any) -> str:
    """A number to three digits for a terminal.

    >>> from tinygrad_seq.viz.report.markup import plain_number
    >>> plain_number(0.0123456), plain_number(2.5e-9), plain_number(float("inf"))
    ('0.0123', '2.5e-09', '∞')
    """
    if isinstance(x, int | np.integer):
        return f"{int(x):,}"
    if np.isinf(x):
        return "∞" if x > 0 else "−∞"
    return f"{x:.2g}" if x and not 1e-4 <= abs(x) < 1e5 else f"{float(f'{x:.3g}'):,.10g}"
