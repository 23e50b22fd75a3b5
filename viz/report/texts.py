"""The words of the report, in a file for each language: templates with named numbers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

import numpy as np

from tinygrad_seq.errors import DataError, UnknownNameError

from .markup import html, marked, number, plain_number, unmarked

__all__ = ["LANGUAGES", "Texts"]

Writer = Callable[[Any, str, str | None], str]  # of a value, with its format and conversion
LANGUAGES = {"en": "English", "ko": "한국어"}
HELD = 0xE000  # where private letters begin, which stand for values while a text is typeset


class Texts:
    """All texts of one language.

    A text is a template: `{name}` stands for a value, `{far.norms[0]}` for a part of one; `{x:%}` is a percentage,
    `{x:.2f}` as Python has it, and without a format a number has three digits.  `{model!n}` is the name of something in
    the language, `{flow!v}` the sentence of a verdict, `{x!t}` a time, which is another in every run.  `$h_t$` is a
    formula, `**…**` strong, `` `…` `` code.
    Where there are several texts, {by = "kind", greedy = "…", else = "…"}, the value named by `by` chooses, or without
    one whether a claim "holds", holds "partly" or "fails".

    >>> from tinygrad_seq.viz import report
    >>> texts = report.Texts("en")
    >>> texts.plain("$h_t$ of {model!n}: {factor}×, {share:%}", {"factor": 0.6312, "share": 0.5, "model": "gru"})
    'h_t of GRU: 0.631×, 50%'
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise DataError(f"the report is written in {', '.join(LANGUAGES)}, not in {language!r}")
        self.language = language
        self._all = _read(language)

    def __getitem__(self, path: str) -> Any:
        """What stands in the file, such as texts["chapters.rnn.title"].  Raises UnknownNameError, a KeyError."""
        found: Any = self._all
        for key in path.split("."):
            if not isinstance(found, Mapping) or key not in found:
                raise UnknownNameError(f"the texts in {LANGUAGES[self.language]} have no {path!r} (at {key!r})")
            found = found[key]
        return found

    def get(self, path: str, default: Any = None) -> Any:
        """What stands in the file, or `default`."""
        try:
            return self[path]
        except UnknownNameError:
            return default

    def figures(self, chapter: str) -> dict[str, dict[str, Any]]:
        """The blocks of a chapter that show a picture, by its name."""
        return {block["figure"]: block for block in self[f"chapters.{chapter}.blocks"] if "figure" in block}

    def name(self, key: object) -> str:
        """The name of something, such as a model; itself where it has none."""
        return str(self._all["names"].get(str(key), key))

    def chosen(self, text: Any, values: Mapping[str, Any]) -> str:
        """The text, or the one of several that a value chooses."""
        if isinstance(text, str):
            return text
        by = text.get("by", "outcome")
        key = str(_value(by, values, str(text)))
        if key not in text and "else" not in text:
            raise UnknownNameError(f"no text for {by} = {key!r}; there is {', '.join(text)}")
        return str(text.get(key, text.get("else")))

    def html(self, text: Any, values: Mapping[str, Any]) -> str:
        """A text with its values, as HTML."""
        words, held = self.filled(self.chosen(text, values), values, self._value_as_html)
        return _put_back(marked(words), held)

    def plain(self, text: Any, values: Mapping[str, Any]) -> str:
        """A text with its values, for a terminal or the title of a picture."""
        words, held = self.filled(self.chosen(text, values), values, self._value_as_text)
        return _put_back(unmarked(words), held)

    def filled(self, template: str, values: Mapping[str, Any], write: Writer) -> tuple[str, list[str]]:
        """The template, letters that stand for values in it, and those values as they are to be written.

        What a value says cannot be taken for a sign of the template.  Short integers stand in the text themselves, so
        that they can be subscripts.
        """
        words: list[str] = []
        held: list[str] = []
        for literal, field, spec, conversion in Formatter().parse(template):
            words.append(literal)
            if field is None:
                continue
            value = _value(field, values, template)
            if isinstance(value, int | np.integer) and not isinstance(value, bool) and not spec and not conversion:
                whole = int(value)
                words.append(f"{whole:,}" if abs(whole) > 9999 else str(whole))
                continue
            words.append(chr(HELD + len(held)))
            held.append(write(value, spec or "", conversion))
        return "".join(words), held

    def _value_as_html(self, value: Any, spec: str, conversion: str | None) -> str:
        if conversion == "v":
            return self.html(*self._sentence(value))
        if conversion == "n":
            return html(self.name(value))
        if conversion == "t":
            return f'<span class="time">{_formatted(value, ".2g" if value < 10 else ".0f", self)}</span>'
        if _is_number(value):
            return number(float(value)) if not spec else html(_formatted(value, spec, self))
        return html(value)

    def _value_as_text(self, value: Any, spec: str, conversion: str | None) -> str:
        if conversion == "v":
            return self.plain(*self._sentence(value))
        if conversion == "n":
            return self.name(value)
        if conversion == "t":
            return _formatted(value, ".2g" if value < 10 else ".0f", self)
        if _is_number(value):
            return plain_number(value) if not spec else _formatted(value, spec, self)
        return str(value)

    def _sentence(self, verdict: Any) -> tuple[Any, dict[str, Any]]:
        """The text of a verdict, and its values."""
        if verdict is None:
            return self["verdicts.none"], {}
        e: dict[str, Any] = dict(verdict.evidence)
        several = e["runs"] > 1 and np.isfinite(e.get("low", np.nan))
        e |= {"several": "yes" if several else "no", "agree": "yes" if "at" in e else "no"}
        return self._all["verdicts"].get(verdict.kind, self["verdicts.none"]), e


@cache
def _read(language: str) -> dict[str, Any]:
    """The texts of a language: those that all share, and of each chapter those in the file of its name."""
    found = {
        path.name.removesuffix(".toml"): tomllib.loads(path.read_text("utf-8"))
        for path in files(__package__).joinpath("languages", language).iterdir()
        if path.name.endswith(".toml")
    }
    return {**found.pop("common"), "chapters": found}


def _value(field: str, values: Mapping[str, Any], template: str) -> Any:
    """What `name`, `name.part` or `name[0]` means.  Raises UnknownNameError."""
    first, *parts = re.findall(r"[^.\[\]]+", field)
    try:
        value = values[first]
        for part in parts:
            if re.fullmatch(r"-?\d+", part):
                value = value[int(part)]
            else:
                value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    except (KeyError, AttributeError, IndexError) as error:
        near = ", ".join(map(str, values))
        raise UnknownNameError(f"no value {{{field}}} for the text {template!r}; there is {near}") from error
    return value


def _put_back(words: str, held: list[str]) -> str:
    return re.sub(r"[\ue000-\uf8ff]", lambda found: held[ord(found[0]) - HELD], words) if held else words


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _formatted(value: Any, spec: str, texts: Texts) -> str:
    """A number in a format of its own; "%" without more leaves digits where they say something."""
    if spec != "%":
        return format(value, spec)
    if not np.isfinite(value):
        return str(texts["words.nothing"])
    share = 100 * float(value)
    digits = 0 if abs(share) >= 10 or share == 0 else 1 if abs(share) >= 0.1 else None
    said = plain_number(share) if digits is None else f"{share:.{digits}f}"
    return f"{said}{texts['words.percent']}"
