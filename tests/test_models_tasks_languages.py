"""Dates, names and texts in many languages: what they say is what their sources say, and nothing is lost on the way."""

import re
import unicodedata
from datetime import date
from importlib.resources import files

import numpy as np
import pytest
from babel import Locale
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.errors import DataError, SequenceError
from tinygrad_seq.models.tasks import alice, constitution, task
from tinygrad_seq.models.tasks.dates import FORMATS, LOCALES, write_date
from tinygrad_seq.models.tasks.names import LANGUAGES, place_names, translated_names
from tinygrad_seq.models.tasks.spacing import with_spaces, without_spaces

DAYS = st.dates(date(1950, 1, 1), date(2049, 12, 31))
DATES = task("dates")


# ---- dates ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "locale", "form", "text"),
    [
        (date(2045, 10, 21), "ja", "long", "2045年10月21日"),
        (date(2034, 2, 7), "pt_BR", "long", "7 de fevereiro de 2034"),
        (date(2034, 2, 7), "es", "long", "7 de febrero de 2034"),
        (date(2045, 10, 21), "ko", "full", "2045년 10월 21일 토요일"),
        (date(2045, 10, 21), "fr", "long", "21 octobre 2045"),
        (date(1971, 8, 11), "pt_BR", "long", "11 de agosto de 1971"),
        (date(1992, 1, 1), "de", "full", "Mittwoch, 1. Januar 1992"),
        (date(1973, 2, 1), "pl", "full", "czwartek, 1 lutego 1973"),
        (date(2039, 3, 30), "en_US", "full", "Wednesday, March 30, 2039"),
        (date(1983, 11, 11), "en_GB", "full", "Friday, 11 November 1983"),
        (date(1984, 3, 15), "ko", "medium", "1984. 3. 15."),
        (date(1993, 9, 10), "sv", "full", "fredag 10 september 1993"),
        (date(1952, 9, 4), "nl", "medium", "4 sep 1952"),
        (date(1961, 8, 5), "it", "medium", "5 ago 1961"),
    ],
)
def test_dates_as_they_are_written_there(day, locale, form, text):
    """Known dates in known words."""
    assert write_date(day, locale, form) == text


@given(DAYS, st.sampled_from(list(LOCALES)), st.sampled_from(FORMATS))
def test_every_date_can_be_read_and_written(day, locale, form):
    """Each is Babel's, has no character that the vocabulary does not know, and comes back as it was."""
    text = write_date(day, locale, form)

    assert text == format_date(day, form, locale)
    assert DATES.source["<unk>"] not in DATES.source.encode(text)
    assert DATES.source.decode(DATES.source.encode(text)) == text
    assert DATES.source.encode(unicodedata.normalize("NFD", text)).tolist() == DATES.source.encode(text).tolist()
    assert DATES.target.decode(DATES.target.encode(day.isoformat())) == day.isoformat()


def dates_of(dates, split, seed, batch):
    *_, target = dates.split(split).draw(np.random.default_rng(seed), batch)
    return {DATES.target.decode(column) for column in target.T}


@pytest.mark.parametrize("seed", [0, 1])
def test_no_date_is_in_two_parts(seed):
    """What is measured on was never trained on, in any language."""
    dates = task("dates", seed=seed)
    train, valid, test = (dates_of(dates, split, 0, 2500) for split in ("train", "valid", "test"))

    assert min(len(train), len(valid), len(test)) > 1200
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_dates_cover_the_century():
    """All 12 locales, all years, and about 90, 5 and 5 % of the days."""
    seen = {split: dates_of(DATES, split, 0, 8000) for split in ("valid", "test")}
    source, lengths, target = DATES.train.draw(np.random.default_rng(0), 3000)
    texts = [DATES.source.decode(x) for x in source.T]
    years = {DATES.target.decode(y)[:4] for y in target.T}

    assert [len(seen[split]) / 36525 for split in ("valid", "test")] == pytest.approx([0.05, 0.05], abs=1e-3)
    assert years == {str(year) for year in range(1950, 2050)}
    for word in ("January", "Januar", "janvier", "enero", "gennaio", "janeiro", "januari", "stycznia", "年1月", "1월"):
        assert any(word in text for text in texts), word
    assert lengths.tolist() == [len(text) + 1 for text in texts]  # the end token counts


def test_targets_are_the_dates_of_their_sources():
    """In each row both sides name the same day: written out again in the language of the source it is the source."""
    source, _, target = DATES.draw(np.random.default_rng(3))
    for x, y in zip(source.T, target.T):
        day = date.fromisoformat(DATES.target.decode(y))
        written = {write_date(day, locale, form) for locale in LOCALES for form in FORMATS}

        assert DATES.source.decode(x) in written


# ---- names ---------------------------------------------------------------------------


def test_names_are_what_unicode_says():
    """Countries, languages and cities; plain, each once on either side, of at most 24 characters."""
    pairs = translated_names()
    english, korean = zip(*pairs)

    assert len(pairs) > 1200
    assert len(set(english)) == len(set(korean)) == len(pairs)
    assert {("South Korea", "대한민국"), ("Icelandic", "아이슬란드어"), ("Seoul", "서울")} <= set(pairs)
    assert max(map(len, english + korean)) <= 24
    assert all(text == unicodedata.normalize("NFC", " ".join(text.split())) for text in english + korean)


def test_of_names_that_are_alike_the_first_is_there():
    """The country or region before the city: 페로 제도 is the Faroe Islands, not the Faroe of the time zone."""
    names = {korean: english for english, korean in translated_names()}

    assert names["페로 제도"] == "Faroe Islands"
    assert names["카나리아 제도"] == "Canary Islands"
    assert "코랄하버" not in names


@pytest.mark.parametrize("units", ["jamo", "syllable"])
@pytest.mark.parametrize("name", ["names-to-korean", "names-to-english"])
def test_names_there_and_back(name, units):
    """Each example, through both vocabularies and back, is itself; jamo are put together again to the same text."""
    made = task(name, units=units)
    parts = [set(made.split(split).examples) for split in ("train", "valid", "test")]

    for given_, wanted in set().union(*parts):
        for vocabulary, text in ((made.source, given_), (made.target, wanted)):
            back = vocabulary.decode(vocabulary.encode(text))
            assert unicodedata.normalize("NFC", back) == text
            assert "<unk>" not in back
    assert sum(len(part) for part in parts) == len(set().union(*parts)) == len(translated_names())
    assert [round(len(part) / len(translated_names()), 2) for part in parts] == [0.8, 0.1, 0.1]


def test_both_directions_are_split_alike():
    """A name that one direction was not trained on, the other was not either."""
    there, back = task("names-to-korean", seed=5), task("names-to-english", seed=5)

    for split in ("train", "valid", "test"):
        assert {pair[::-1] for pair in there.split(split).examples} == set(back.split(split).examples)


def test_longer_than_any_name_is_not_written():
    """The longest target, with its end, can be written."""
    for name in ("names-to-korean", "names-to-english", "dates", "reversal", "spelling-english", "spelling-korean"):
        made = task(name)
        longest = max(len(batch[-1]) for split in ("train", "valid") for batch in made.split(split).batches(100))

        assert longest <= made.measure.longest


def test_a_place_name_has_one_language():
    """No name twice, also not in other letters' case; all 14 languages; no codes for tests."""
    places = place_names()
    names = [name.casefold() for _, name, _ in places]

    assert len(names) == len(set(names)) > 2500
    assert {language for *_, language in places} == set(LANGUAGES)
    assert {code for code, *_ in places} & {"XA", "XB", "ZZ"} == set()
    for code, name, language in places:
        assert name == " ".join(Locale.parse(language).territories[code].split())


def test_places_are_in_one_part_each():
    """A place that is measured on is not known from another language, and no example is lost."""
    made = task("language")
    parts = [made.split(split).examples for split in ("train", "valid", "test")]
    codes = [{code for code, *_ in part} for part in parts]

    assert not codes[0] & codes[1]
    assert not codes[0] & codes[2]
    assert not codes[1] & codes[2]
    assert sorted(place for part in parts for place in part) == sorted(place_names())


def test_a_batch_of_names_is_filled_up_at_the_end():
    """Lengths are those of the names; the label is the language."""
    made = task("language")
    tokens, labels, lengths = made.batch([0, 1, 2, 500])
    for column, index in enumerate([0, 1, 2, 500]):
        _, name, language = made.train.examples[index]

        assert made.source.decode(tokens[: lengths[column], column]) == name
        assert set(tokens[lengths[column] :, column]) <= {made.source["<pad>"]}
        assert made.target.token(labels[column]) == language


# ---- Korean text ---------------------------------------------------------------------


def test_the_constitution_is_whole():
    """From its title through 130 articles to the last of its addenda, in one Unicode form, its source beside it."""
    text = constitution()
    beside = files("tinygrad_seq.models.tasks").joinpath("data", "README.md").read_text("utf-8")

    assert text.startswith("대한민국헌법\n\n유구한 역사와 전통에 빛나는 우리 대한국민은")
    assert [int(number) for number in re.findall(r"^제(\d+)조 ", text, re.MULTILINE)][:130] == list(range(1, 131))
    assert text.rstrip().splitlines()[-1].startswith("제6조 이 헌법시행 당시에")
    assert text == unicodedata.normalize("NFC", text)
    assert not set("\r\t") & set(text)
    assert "  " not in text
    for word in ("constitution_ko.txt", f"{len(text):,} characters", f"{len(text.encode()):,} bytes", "Article 7"):
        assert word in beside


@pytest.mark.parametrize("units", ["jamo", "syllable"])
def test_korean_is_read_letter_by_letter_or_by_syllable(units):
    """Both put together give the text again, to the last character, and the three parts are all of it."""
    made = task("korean", units=units)
    text = constitution()
    parts = [made.split(split) for split in ("train", "valid", "test")]
    read = [made.source.decode(np.append(part.xs, part.targets[-1])) for part in parts]

    assert unicodedata.normalize("NFC", "".join(read)) == text
    assert "".join(read) == unicodedata.normalize(made.source.normalize, text)
    assert made.source.decode(made.source.encode(text)) == unicodedata.normalize(made.source.normalize, text)
    assert len(made.source) < 100 if units == "jamo" else len(made.source) > 300


def test_the_english_text_is_all_there():
    """The three parts of it, one after the other, are the book."""
    made = task("english")
    parts = [made.split(split) for split in ("train", "valid", "test")]

    assert "".join(made.source.decode(np.append(part.xs, part.targets[-1])) for part in parts) == alice()


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=6), min_size=1, max_size=9))
def test_spaces_taken_out_can_be_put_back(words):
    """Letters and tags say all: with them the text comes back."""
    text = " ".join(words)
    letters, tags = without_spaces(text)

    assert letters == text.replace(" ", "")
    assert with_spaces(list(letters), tags) == text
    assert tags.sum() == len(words) - 1


@pytest.mark.parametrize(("name", "text"), [("spacing-korean", constitution()), ("spacing-english", None)])
def test_windows_without_spaces_come_from_the_text(name, text):
    """Each window with its tags is a passage of the text, and the three parts are all of it."""
    made = task(name)
    whole = [made.split(split) for split in ("train", "valid", "test")]
    letters = [made.source.token(i) for part in whole for i in part.xs.tolist()]
    spaced = with_spaces(letters, np.concatenate([part.targets for part in whole]))

    if text is not None:
        assert spaced == " ".join(text.split())
    tokens, tags, lengths = made.draw(np.random.default_rng(0))
    assert lengths is None
    for x, y in zip(tokens.T, tags.T):
        passage = with_spaces([made.source.token(i) for i in x.tolist()], y)
        assert passage.rstrip(" ") in spaced


@pytest.mark.parametrize(
    ("name", "options", "error", "says"),
    [
        ("korean", {"units": "words"}, DataError, "task korean: units must be 'jamo' or 'syllable', got 'words'"),
        ("names-to-korean", {"units": ""}, DataError, "units must be 'jamo' or 'syllable', got ''"),
        ("korean", {"length": 10**5}, SequenceError, "TextTask needs more than"),
        ("spacing-korean", {"length": 10**5}, SequenceError, "a window of 100000 does not fit into"),
        ("dates", {"batch": 0}, DataError, "task dates: batch must be at least 1, got 0"),
        ("language", {"seed": -1}, DataError, "task language: seed must be at least 0, got -1"),
    ],
)
def test_options_that_make_no_sense(name, options, error, says):
    """Said with the task and the option."""
    with pytest.raises(error, match=says):
        task(name, **options)
