"""Dates as people write them in twelve languages, to be written as ISO 8601: 2045年10月21日 → 2045-10-21."""

from __future__ import annotations

from datetime import date, timedelta
from string import digits

import numpy as np
from babel import Locale
from babel.dates import format_date

from ..vocabulary import Vocabulary
from .options import at_least
from .splits import Batch, Generated
from .task import About, Task, Training
from .written import Written, pairs_to_batch, to_read, to_write

__all__ = ["FORMATS", "LOCALES", "dates", "write_date"]

DATES = About(
    "dates", "seq2seq", "dates as written in 12 languages → ISO 8601",
    "Unicode CLDR, by Babel when the task is made; Unicode licence",
)  # fmt: skip
LOCALES = {
    name: Locale.parse(name)
    for name in ("en_US", "en_GB", "de", "fr", "es", "it", "pt_BR", "nl", "sv", "pl", "ja", "ko")
}
NAMES = tuple(LOCALES)
FORMATS = ("medium", "long", "full")
FIRST, DAYS = date(1950, 1, 1), 36525  # to 2049-12-31


def write_date(day: date, locale: str, form: str) -> str:
    """A date as it is written there.  locale: one of LOCALES.  form: medium, long or full.

    >>> from datetime import date
    >>> from tinygrad_seq.models.tasks.dates import write_date
    >>> [write_date(date(2045, 10, 21), *how) for how in (("ja", "long"), ("es", "long"), ("ko", "full"))]
    ['2045年10月21日', '21 de octubre de 2045', '2045년 10월 21일 토요일']
    """
    return format_date(day, form, LOCALES[locale])


def dates(*, batch: int = 64, seed: int = 0) -> Task:
    """Dates from 1950-01-01 to 2049-12-31 in the medium, long and full form of 12 locales → 2045-10-21.

    Split by date: what is measured on is never seen in training, in any language.  90 % of the dates are to train on,
    5 % to choose by, 5 % for the number at the end, of both of which 1,000 are taken, each in one form.

    >>> import numpy as np
    >>> from tinygrad_seq.models.tasks import task
    >>> dates = task("dates", batch=2)
    >>> source, lengths, target = dates.draw(np.random.default_rng(1))
    >>> [(dates.source.decode(x), dates.target.decode(y)) for x, y in zip(source.T, target.T)]
    [('6 cze 2020', '2020-06-06'), ('2038. 5. 4.', '2038-05-04')]
    """
    at_least("dates", batch=(batch, 1), seed=(seed, 0))
    days = np.random.default_rng(seed).permutation(DAYS)
    first, second = DAYS * 90 // 100, DAYS * 95 // 100
    source, target = date_vocabulary(), to_write(digits + "-")

    def of(days: np.ndarray, part: int) -> Generated:
        def make(rng: np.random.Generator, B: int) -> Batch:
            drawn = days[rng.integers(0, len(days), B)]
            ways = zip(rng.integers(0, len(LOCALES), B), rng.integers(0, len(FORMATS), B))
            pairs = [both(int(day), *way) for day, way in zip(drawn, ways)]
            return pairs_to_batch(pairs, source, target)

        return Generated(make, seed=(seed, part))

    return Task(
        DATES, of(days[:first], 0), of(days[first:second], 1), of(days[second:], 2),
        measure=Written(source, target, longest=16), training=Training(batch, 3e-3, 1200, hidden=96, embedding=32),
        options={"batch": batch, "seed": seed}, source=source, target=target, num_classes=len(target),
    )  # fmt: skip


def both(day: int, locale: int, form: int) -> tuple[str, str]:
    """(as written there, ISO 8601) of a day, a locale and a form by their numbers."""
    when = FIRST + timedelta(day)
    return write_date(when, NAMES[locale], FORMATS[form]), when.isoformat()


def date_vocabulary() -> Vocabulary:
    """All characters that dates are written with, in the order of their code points."""
    a_week_of_each_month = [date(2000, month, day) for month in range(1, 13) for day in range(1, 8)]
    texts = [write_date(day, name, form) for day in a_week_of_each_month for name in LOCALES for form in FORMATS]
    return to_read(sorted({*digits, *"".join(texts)}), end="<eos>", normalize="NFC")
