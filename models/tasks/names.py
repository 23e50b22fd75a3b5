"""Names of places and languages: in which language is one written, and what is it in another?"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from babel import Locale

from ..vocabulary import Form, Vocabulary
from .measures import Classes
from .options import at_least, one_of
from .splits import Batch, Examples
from .task import About, Task, Training
from .written import Written, pairs_to_batch, to_read, to_write

__all__ = [
    "LANGUAGE", "NAMES_TO_ENGLISH", "NAMES_TO_KOREAN", "language", "names_to_english", "names_to_korean", "place_names",
    "translated_names",
]  # fmt: skip

CLDR = "Unicode CLDR, by Babel when the task is made; Unicode licence"
LANGUAGE = About("language", "many-to-one", "in which of 14 languages a place name is written", CLDR)
NAMES_TO_KOREAN = About("names-to-korean", "seq2seq", "English names of places and languages → Korean", CLDR)
NAMES_TO_ENGLISH = About("names-to-english", "seq2seq", "Korean names of places and languages → English", CLDR)

LANGUAGES = ("en", "ko", "ja", "el", "ru", "uk", "de", "nl", "fr", "es", "it", "pl", "fi", "tr")
NO_PLACES = ("XA", "XB", "ZZ")  # made for tests, and the unknown one
ANOTHER_CITY = "America/Coral_Harbour"  # the zone that CLDR names after one city in English, another in Korean
T = TypeVar("T")
LONGEST = 24  # characters in the longest name of the seq2seq tasks


def language(*, batch: int = 32, seed: int = 0) -> Task:
    """In which of 14 languages the name of a country or region is written.

    Names that two languages share, such as Peru, are left out.  Split by place: 80 % to train on, 10 % to choose by,
    10 % for the number at the end, so that no place is known from another language.
    """
    at_least("language", batch=(batch, 1), seed=(seed, 0))
    places = place_names()
    source = to_read(sorted({c for _, name, _ in places for c in name}), normalize="NFC")
    names = Vocabulary(LANGUAGES, unit="word")

    def collate(some: list[tuple[str, str, str]]) -> Batch:
        texts = [name for _, name, _ in some]
        lengths = np.array([len(source.tokenize(text)) for text in texts])
        return source.encode_all(texts), np.array([names[code] for _, _, code in some]), lengths

    by_place: dict[str, list[tuple[str, str, str]]] = {}
    for place in places:
        by_place.setdefault(place[0], []).append(place)
    shares = split(list(by_place), seed)
    return Task(
        LANGUAGE, *(Examples([one for code in share for one in by_place[code]], collate) for share in shares),
        measure=Classes(names, source.decode), training=Training(batch, 3e-3, 600, hidden=64, embedding=32),
        options={"batch": batch, "seed": seed}, source=source, target=names, num_classes=len(names),
    )  # fmt: skip


def names_to_korean(*, units: str = "jamo", batch: int = 32, seed: int = 0) -> Task:
    """Iceland → 아이슬란드, as jamo (NFD) or syllables.

    Split by name, 80, 10 and 10 %: Icelandic may have been trained on where Iceland is measured.
    """
    return translation(NAMES_TO_KOREAN, units, batch, seed)


def names_to_english(*, units: str = "jamo", batch: int = 32, seed: int = 0) -> Task:
    """아이슬란드 → Iceland, from jamo (NFD) or syllables; the names are split as in the other direction."""
    return translation(NAMES_TO_ENGLISH, units, batch, seed)


def translation(about: About, units: str, batch: int, seed: int) -> Task:
    """One of the two directions; both split the names alike."""
    at_least(about.name, batch=(batch, 1), seed=(seed, 0))
    one_of(about.name, units=(units, ("jamo", "syllable")))
    names = translated_names()
    form: Form = "NFD" if units == "jamo" else "NFC"
    english = sorted({c for name, _ in names for c in name})
    korean = sorted({c for _, name in names for c in unicodedata.normalize(form, name)})
    if about is NAMES_TO_KOREAN:
        source, target, order = to_read(english, end="<eos>", normalize="NFC"), to_write(korean, normalize=form), 1
    else:
        source, target, order = to_read(korean, end="<eos>", normalize=form), to_write(english, normalize="NFC"), -1
    pairs = [pair[::order] for pair in names]

    def collate(some: list[tuple[str, str]]) -> Batch:
        return pairs_to_batch(some, source, target)

    longest = max(len(target.tokenize(wanted)) for _, wanted in pairs) + 1
    return Task(
        about, *(Examples(some, collate) for some in split(pairs, seed)), measure=Written(source, target, longest),
        training=Training(batch, 3e-3, 1000, hidden=96, embedding=32),
        options={"units": units, "batch": batch, "seed": seed}, source=source, target=target, num_classes=len(target),
    )  # fmt: skip


def place_names() -> list[tuple[str, str, str]]:
    """(code, name, language) of the countries and regions of the world, without the names that two languages share.

    >>> from tinygrad_seq.models.tasks.names import place_names
    >>> [(name, language) for code, name, language in place_names() if code == "IS"][:4]
    [('Iceland', 'en'), ('아이슬란드', 'ko'), ('アイスランド', 'ja'), ('Ισλανδία', 'el')]
    """
    found = []
    for language in LANGUAGES:
        territories = Locale.parse(language).territories
        found += [(code, tidy(territories[code]), language) for code in sorted(territories) if code not in NO_PLACES]
    in_languages = Counter(name for name, _ in {(name.casefold(), language) for _, name, language in found})
    return [place for place in found if in_languages[place[1].casefold()] == 1]


def translated_names() -> list[tuple[str, str]]:
    """(English, Korean) names of countries and regions, languages and cities, each of at most 24 characters.

    Of names that are alike in one of the two languages only the first is there.

    >>> from tinygrad_seq.models.tasks.names import translated_names
    >>> names = dict(translated_names())
    >>> names["Iceland"], names["Icelandic"], names["Reykjavik"]
    ('아이슬란드', '아이슬란드어', '레이캬비크')
    """
    found: dict[str, str] = {}  # Korean → English
    seen: set[str] = set()
    for english, korean in in_both():
        english, korean = tidy(english), tidy(korean)
        hangul = any("가" <= c <= "힣" for c in korean)
        if hangul and max(len(english), len(korean)) <= LONGEST and english not in seen and korean not in found:
            found[korean] = english
            seen.add(english)
    return [(english, korean) for korean, english in found.items()]


def in_both() -> Iterator[tuple[str, str]]:
    """All names of CLDR that are there in English and in Korean, in an order that stays."""
    en, ko = Locale.parse("en"), Locale.parse("ko")
    for code in sorted(set(en.territories) & set(ko.territories) - set(NO_PLACES)):
        yield en.territories[code], ko.territories[code]
    for code in sorted(set(en.languages) & set(ko.languages)):
        yield en.languages[code], ko.languages[code]
    for zone in sorted(ko.time_zones):  # each named after a city, in English by the zone itself unless said otherwise
        area, _, city = zone.rpartition("/")
        if area not in ("", "Etc") and zone != ANOTHER_CITY and "city" in ko.time_zones[zone]:
            english = dict(en.time_zones.get(zone, {})).get("city", city.replace("_", " "))
            yield english, ko.time_zones[zone]["city"]


def tidy(name: str) -> str:
    """A name in the Unicode form NFC, with plain spaces."""
    return unicodedata.normalize("NFC", " ".join(name.split()))


def split(examples: Sequence[T], seed: int) -> list[list[T]]:
    """80, 10 and 10 % of the examples, by chance that is the same for the same seed."""
    order = np.random.default_rng(seed).permutation(len(examples)).tolist()
    first, second = len(order) * 8 // 10, len(order) * 9 // 10
    return [[examples[i] for i in part] for part in (order[:first], order[first:second], order[second:])]
