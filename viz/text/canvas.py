"""Text on a grid of terminal columns: letters that take none, one or two, and lines that join where they meet."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from unicodedata import bidirectional, combining, east_asian_width, normalize

from ..pictures.labels import Label, character_width, visible

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8  # where a line leads from a place on the grid
LEFT_TO_RIGHT_MARK, RIGHT_TO_LEFT = "\u200e", ("R", "AL", "AN")
SUBSCRIPTS = dict(zip("0123456789+-−()t,", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎ₜ,", strict=True))
STEP_MARK = re.compile(r"_(\d+|t(?:[+-]\d+)?)$")  # at the end of a name too long to have a real subscript
# What letters outside of ASCII are called inside of it; accents are looked for in the letter taken apart.
SPELT = {
    "σ": "sigma", "Σ": "sum", "×": "x", "·": "*", "−": "-", "…": "...", "ᵀ": "^T", "‖": "||", "∂": "d", "√": "sqrt",
    "÷": "/", "≤": "<=", "∅": "''", "␣": "_", "∇": "grad", "✂": "cut", "\u0302": "^", "\u0303": "~",
}  # fmt: skip


@dataclass(frozen=True)
class Signs:
    """The signs that a drawing is made of."""

    joints: str  # of lines, by the sum of where they lead
    left: str
    right: str
    up: str
    broken: str  # a line through which no gradient comes back
    levels: str  # from small to large
    none: str
    ellipsis: str
    rule: str
    source: str  # between a thing and what it is made of
    spare: str  # letters for what has no name
    subscripts: Mapping[str, str]

    @property
    def ascii(self) -> bool:
        return self.ellipsis.isascii()

    def text(self, words: str) -> str:
        """Words as the drawing may show them: without control characters, and ASCII where it is kept to that."""
        words = visible(words)
        if self.ascii:
            return "".join(map(spelt, words))
        return "◌" + words if words and not letter_width(words[0]) else words

    def label(self, label: Label) -> str:
        """A label as text, with subscripts where there are signs for them."""
        said = ""
        for run in label:
            mark = None if run.sub else STEP_MARK.search(run.text)
            if run.sub:
                said += self.below(run.text)
            elif mark:
                said += self.text(run.text[: mark.start()]) + self.below(mark.group(1))
            else:
                said += self.text(run.text)
        return said

    def below(self, text: str) -> str:
        """A subscript."""
        text = text.replace(" ", ",")
        if text and all(letter in self.subscripts for letter in text):
            return "".join(self.subscripts[letter] for letter in text)
        return f"_{{{self.text(text)}}}" if re.search("[+-]", text) else "_" + self.text(text)

    def spare_names(self, taken: Collection[str]) -> Iterator[str]:
        """Names for what has none: α, β, γ, apart from those taken; then numbers."""
        yield from (letter for letter in self.spare if letter not in taken)
        yield from (f"#{n}" for n in count(1))

    def level(self, position: float) -> str:
        """How large something is, from 0 to 1, as a single sign."""
        return self.levels[min(len(self.levels) - 1, max(0, int(position * len(self.levels))))]


UNICODE = Signs(
    " ───│╯╰┴│╮╭┬│┤├┼", "◀", "▶", "↑", "╌", "▁▂▃▄▅▆▇█", "·", "…", "─", "←", "αβγδεζηθικλνξρτυφχψω", SUBSCRIPTS
)
ASCII = Signs(" ---|+++|+++|+++", "<", ">", "^", ".", "12345678", ".", "...", "-", "<-", "", {})


def spelt(letter: str) -> str:
    """One letter in ASCII."""
    if letter.isascii():
        return letter
    parts = normalize("NFD", letter)
    if len(parts) > 1 and parts[0].isascii():
        return parts[0] + "".join(SPELT.get(part, "") for part in parts[1:])
    return SPELT.get(letter, "" if combining(letter) else letter.encode("ascii", "backslashreplace").decode())


def letter_width(letter: str) -> int:
    """How many columns of a terminal a letter takes: none where it stands over another, two in 한."""
    if not character_width(letter) or 0x1160 <= ord(letter) < 0x1200:
        return 0
    return 1 + (east_asian_width(letter) in "WF")


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(map(letter_width, text))


def cut(text: str, room: int, ellipsis: str = "…") -> str:
    """`text`, or as much of it as fits into so many columns with an ellipsis behind it."""
    if len(text) <= room * 8 and width_of(text) <= room:
        return text
    room, kept = room - width_of(ellipsis), ""
    for letter in text:
        room -= letter_width(letter)
        if room < 0:
            break
        kept += letter
    return kept.rstrip("\u200d") + ellipsis


class Canvas:
    """A drawing in the making: row 0 is the uppermost, column 0 the leftmost."""

    def __init__(self, signs: Signs) -> None:
        self.signs = signs
        self.letters: dict[int, dict[int, str]] = defaultdict(dict)
        self.lines: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))

    def write(self, x: int, y: int, text: str) -> int:
        """Put text from column x on; returns the column behind it."""
        row, last = self.letters[y], x
        for letter in text:
            width = letter_width(letter)
            if width:
                last = x
                row[x] = letter
                row.update(dict.fromkeys(range(x + 1, x + width), ""))
                x += width
            else:  # an accent stands over the letter before it
                row[last] = row.get(last, "") + letter
        if any(bidirectional(letter) in RIGHT_TO_LEFT for letter in text):  # what comes next stays on its right
            row[last] += LEFT_TO_RIGHT_MARK
        return x

    def across(self, left: int, right: int, y: int) -> None:
        """A level line from the middle of one place to the middle of another."""
        for x in range(left, right + 1):
            self.lines[y][x] |= LEFT * (x > left) | RIGHT * (x < right)

    def down(self, x: int, top: int, bottom: int) -> None:
        """An upright line from the middle of one place to the middle of another."""
        for y in range(top, bottom + 1):
            self.lines[y][x] |= UP * (y > top) | DOWN * (y < bottom)

    def frame(self, left: int, top: int, right: int, bottom: int) -> None:
        """A rectangle."""
        for y in (top, bottom):
            self.across(left, right, y)
        for x in (left, right):
            self.down(x, top, bottom)

    def rows(self) -> list[str]:
        """The drawing line by line, without spaces at the ends of lines."""
        height = max([-1, *self.letters, *self.lines]) + 1
        return [self.row(y) for y in range(height)]

    def row(self, y: int) -> str:
        """One line of the drawing."""
        letters, lines = self.letters.get(y, {}), self.lines.get(y, {})
        width = max([-1, *letters, *lines]) + 1
        said = [letters[x] if x in letters else self.signs.joints[lines.get(x, 0)] for x in range(width)]
        return "".join(said).rstrip()
