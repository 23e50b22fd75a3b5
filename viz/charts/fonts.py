"""The fonts of charts: those of this machine that have letters of other scripts, and what to do where there is none."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import get_cachedir
from matplotlib.font_manager import fontManager

from ..errors import MissingFontWarning

OWN = "DejaVu Sans"  # which Matplotlib brings along
EASTERN = (
    "Noto Sans CJK KR", "Noto Sans KR", "Source Han Sans KR", "Source Han Sans K", "Apple SD Gothic Neo",
    "Malgun Gothic", "NanumGothic", "NanumBarunGothic", "UnDotum", "Baekmuk Dotum", "Noto Sans CJK JP",
    "Noto Sans CJK SC", "Noto Serif CJK KR", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Emoji",
    "Segoe UI Emoji", "Arial Unicode MS", "Unifont",
)  # fmt: skip
ESCAPES = {0x2400 + code: repr(chr(code))[1:-1] for code in range(0x20)}  # its font has no signs for control characters
MISSING = re.compile(r"Glyph (\d+) .*missing from font", re.DOTALL)  # what Matplotlib says of a letter it cannot draw
PACKAGES = {"HANGUL": "fonts-noto-cjk", "CJK": "fonts-noto-cjk", "HIRAGANA": "fonts-noto-cjk",
            "KATAKANA": "fonts-noto-cjk"}  # fmt: skip


def families() -> list[str]:
    """Matplotlib's own font, then those of this machine that have letters of other scripts."""
    there = {font.name for font in fontManager.ttflist}
    return [OWN, *(name for name in EASTERN if name in there)]


@contextmanager
def told_once() -> Iterator[None]:
    """Say once for each script that no font has its letters, in place of Matplotlib's warning for every letter."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for said in caught:
        letter = MISSING.search(str(said.message))
        if letter:
            warn_of_script(script_of(chr(int(letter[1]))))
        else:
            warnings.warn_explicit(said.message, said.category, said.filename, said.lineno)


@cache
def warn_of_script(script: str) -> None:
    """That no font has the letters of a script, and what to do."""
    package = PACKAGES.get(script, "fonts-noto")
    warnings.warn(
        f"no font of this machine that charts look for has letters of the script {script}: boxes stand in their place. "
        f"Install one, on Debian and Ubuntu with `apt install {package}`, elsewhere a Noto font from "
        f"fonts.google.com/noto, then delete Matplotlib's list of fonts in {get_cachedir()}",
        MissingFontWarning,
        stacklevel=6,
    )


def script_of(letter: str) -> str:
    """The script of a letter, as the first word of its name in Unicode.

    >>> from tinygrad_seq.viz.charts.fonts import script_of
    >>> script_of("한"), script_of("漢")
    ('HANGUL', 'CJK')
    """
    return unicodedata.name(letter, "unknown").split()[0]
