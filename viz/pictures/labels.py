"""Text that goes into a picture: made safe, measured, shortened, and given its subscripts."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Widths of Arial, Helvetica and Liberation Sans for the characters 32 … 126, in hundredths of the font size.
WIDTHS = (
    28, 28, 35, 56, 56, 89, 67, 19, 33, 33, 39, 58, 28, 33, 28, 28, 56, 56, 56, 56, 56, 56, 56, 56, 56, 56, 28, 28, 58,
    58, 58, 56, 102, 67, 67, 72, 72, 67, 61, 78, 72, 28, 50, 67, 56, 83, 72, 78, 67, 78, 72, 67, 61, 72, 67, 94, 67,
    67, 61, 28, 28, 28, 47, 56, 33, 56, 56, 50, 56, 56, 28, 56, 56, 22, 22, 50, 22, 83, 56, 56, 56, 56, 33, 50, 28,
    56, 50, 72, 50, 50, 50, 33, 26, 33, 58,
)  # fmt: skip
SLACK = 1.06  # other sans-serif fonts run a little wider
SMALL = 0.72  # size of a subscript
BIDI_CONTROLS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
VISIBLE = {"\n": "⏎", "\r": "␍", "\t": "⇥", "\u2028": "⏎", "\u2029": "⏎", "\x7f": "␡"}


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text in one style."""

    text: str
    sub: bool = False
    italic: bool = False


Label = tuple[Run, ...]


def visible(text: str) -> str:
    """`text` with everything that would break a picture or hide in it turned into a sign one can see.

    >>> visible("a\\tb\\x00")
    'a⇥b␀'
    """
    return "".join(map(visible_character, text))


def visible_character(character: str) -> str:
    """One character, or the sign that stands for it."""
    code = ord(character)
    if character in VISIBLE:
        return VISIBLE[character]
    if code < 0x20:
        return chr(0x2400 + code)
    broken = 0x80 <= code < 0xA0 or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE
    return "\ufffd" if broken or code in BIDI_CONTROLS else character


def token_text(token: object) -> str:
    """A token as it stands under its column: spaces at its ends are shown, the empty token too."""
    text = visible(str(token))
    if not text:
        return "∅"
    body = text.strip(" ")
    start = text.index(body) if body else len(text)
    return "␣" * start + body + "␣" * (len(text) - start - len(body))


def text_width(text: str, size: float) -> float:
    """Width of `text` in pixels at `size`: an upper estimate that no font and no program is asked for."""
    return SLACK * size * sum(map(character_width, text))


def character_width(character: str) -> float:
    """Width of a character at size 1."""
    code = ord(character)
    if 32 <= code < 127:
        return WIDTHS[code - 32] / 100
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF" or code > 0x1F000:
        return 1.02
    return 0.85 if unicodedata.east_asian_width(character) == "A" and code > 0x2000 else 0.66


def label_width(label: Label, size: float) -> float:
    """Width of a label in pixels, its subscripts smaller."""
    return sum(text_width(run.text, size * (SMALL if run.sub else 1.0)) for run in label)


def shorten(text: str, width: float, size: float) -> str:
    """`text`, or as much of it as fits into `width` followed by an ellipsis; accents and joined emoji stay whole."""
    if len(text) <= 40 and text_width(text, size) <= width:
        return text
    room = width - text_width("…", size)
    kept = 0
    for character in text[:40]:
        room -= text_width(character, size)
        if room < 0:
            break
        kept += 1
    if kept == len(text):
        return text
    while kept and (text[kept - 1] == "\u200d" or not character_width(text[kept])):
        kept -= 1
    return text[:kept] + "…"


def plain(text: str, *, italic: bool = False) -> Label:
    """A label of one run."""
    return (Run(visible(text), italic=italic),)


def subscripted(text: str) -> Label:
    """A sign with its one-letter subscripts set low, such as ‖∂L/∂h_t‖.

    >>> [run.text for run in subscripted("‖∂L/∂h_t‖") if run.sub], spoken(subscripted("my_measure"))
    (['t'], 'my_measure')
    """
    pieces = re.split(r"(?<=\w)_(\w)(?!\w)", text)
    return tuple(Run(piece, sub=bool(n % 2)) for n, piece in enumerate(pieces) if piece)


def symbol(name: str, t: int | str | None = None) -> Label:
    """A name as mathematics sets it: `W_x` with a real subscript, `h` at step 3 as h₃.

    >>> [(run.text, run.sub) for run in symbol("h", 3)]
    [('h', False), ('3', True)]
    """
    stem, _, below = visible(name).partition("_")
    if below and (len(stem) > 3 or len(below) > 8):  # a word with underscores, not a letter with a subscript
        stem, below = visible(name), ""
    numbered = re.fullmatch(r"(\D{1,2})(\d+)", stem)
    if numbered and not below:
        stem, below = numbered.groups()
    if not stem:
        stem, below = visible(name), ""
    below = ",".join(part for part in (below.replace("_", " "), "" if t is None else str(t)) if part)
    letters = [c for c in stem if not unicodedata.combining(c)]
    italic = len(letters) == 1 and letters[0].isalpha() and unicodedata.east_asian_width(letters[0]) not in "WF"
    stem_run = Run(shorten(stem, 120, 14), italic=italic)
    return (stem_run, Run(shorten(below, 90, 10), sub=True)) if below else (stem_run,)


def spoken(label: Label) -> str:
    """A label as plain text, its subscripts behind an underscore."""
    return "".join("_" + run.text if run.sub else run.text for run in label)


def number(value: float) -> str:
    """A number in at most seven characters or so."""
    return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
