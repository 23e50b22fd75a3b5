"""Tokens become numbers: characters or words of any script, each with its index."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

import numpy as np

from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError, UnknownTokenError

__all__ = ["Vocabulary"]

Unit = Literal["character", "word"]
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


class Vocabulary:
    """The tokens that a model knows, in an order that stays: token number i is `vocabulary.tokens[i]`.

    tokens: all different.  unit: "character", of which texts are made without anything between, or "word", with a
    space between.  unknown: the token that stands for any other; without it another token is an error.  padding: the
    token that fills up the shorter texts of a batch.  begin, end: the tokens before the first and after the last of a
    text that is to be written.  These come first where they are not among the tokens: padding, begin, end, unknown.
    normalize: the Unicode form that texts are brought into first: "NFC" makes one character of a letter and its
    accent, "NFD" takes Hangul apart into its letters (jamo).
    Raises SequenceError for no token at all, DataError for one that comes twice.

    >>> from tinygrad_seq.models import Vocabulary
    >>> words = Vocabulary.words("저는 강사 입니다")
    >>> words.one_hot("저는 강사 입니다")
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    >>> letters = Vocabulary.characters("HELLO", unknown="?")
    >>> letters.tokens
    ('?', 'H', 'E', 'L', 'O')
    >>> letters.decode(letters.encode("HOLE!"))
    'HOLE?'
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        unit: Unit = "character",
        unknown: str | None = None,
        padding: str | None = None,
        begin: str | None = None,
        end: str | None = None,
        normalize: Form | None = None,
    ) -> None:
        if unit not in ("character", "word"):
            raise DataError(f'Vocabulary: unit must be "character" or "word", got {unit!r}')
        if normalize is not None and normalize not in FORMS:
            raise DataError(f"Vocabulary: normalize must be None or one of {', '.join(FORMS)}, got {normalize!r}")
        special = {"padding": padding, "begin": begin, "end": end, "unknown": unknown}
        of_role: dict[str, str] = {}
        for role, token in special.items():
            if token is not None and token in of_role:
                raise DataError(
                    f"Vocabulary: {of_role[token]} and {role} must be two different tokens, both are {token!r}"
                )
            of_role |= {} if token is None else {token: role}
        given = list(tokens)
        self.tokens = tuple([token for token in of_role if token not in given] + given)
        self.unit: Unit = unit
        self.unknown, self.padding, self.begin, self.end, self.normalize = unknown, padding, begin, end, normalize
        if not given:
            raise SequenceError("a vocabulary needs at least one token, got none: was the text empty?")
        self._index: dict[str, int] = {}
        for i, token in enumerate(self.tokens):
            if not isinstance(token, str) or not token:
                raise DataError(f"Vocabulary: a token is a text of at least one character, got {token!r} as number {i}")
            if token in self._index:
                raise DataError(f"Vocabulary: tokens must differ, but {token!r} is number {self._index[token]} and {i}")
            self._index[token] = i

    @classmethod
    def characters(
        cls,
        text: str,
        *,
        unknown: str | None = None,
        padding: str | None = None,
        begin: str | None = None,
        end: str | None = None,
        normalize: Form | None = None,
    ) -> Self:
        """All characters (Unicode code points) of a text, in the order in which they first come."""
        found = dict.fromkeys(tokens_of(text, "character", normalize))
        return cls(found, unknown=unknown, padding=padding, begin=begin, end=end, normalize=normalize)

    @classmethod
    def words(
        cls,
        text: str,
        *,
        unknown: str | None = None,
        padding: str | None = None,
        begin: str | None = None,
        end: str | None = None,
        normalize: Form | None = None,
    ) -> Self:
        """All words of a text, in the order in which they first come: what stands between spaces or line ends."""
        found = dict.fromkeys(tokens_of(text, "word", normalize))
        return cls(found, unit="word", unknown=unknown, padding=padding, begin=begin, end=end, normalize=normalize)

    # ---- texts to numbers ----

    def tokenize(self, text: str) -> list[str]:
        """The text taken apart."""
        return tokens_of(text, self.unit, self.normalize)

    def encode(self, text: str | Iterable[str]) -> np.ndarray:
        """The indices of a text's tokens, (T); also of a list of tokens, taken apart in a way of your own.

        Raises UnknownTokenError for a token that is not there, unless the vocabulary has an `unknown`.
        """
        found = self.tokenize(text) if isinstance(text, str) else list(text)
        instead = None if self.unknown is None else self._index[self.unknown]
        indices = [self._index.get(token, instead) for token in found]
        if None in indices:
            raise self._unknown_token(found, indices.index(None))
        return np.array(indices, int)

    def encode_all(self, texts: Iterable[str], *, ended: bool = False) -> np.ndarray:
        """The indices of several texts, (T, batch): time first, the shorter ones filled up with padding at their end.

        ended: with the end token after each.
        Raises SequenceError for no texts or an empty one, DataError where lengths differ and there is no padding token.
        """
        if ended and self.end is None:
            raise DataError("encode_all: the vocabulary has no end token to put after each text: give it end='<eos>'")
        after = [self._index[self.end]] if ended and self.end is not None else []
        rows = [[*self.encode(text).tolist(), *after] for text in texts]
        lengths = [len(row) for row in rows]
        if not rows or not min(lengths):
            what = f"text number {lengths.index(0)} is empty" if rows else "got no text"
            raise SequenceError(f"encode_all needs at least one text, of at least one token each; {what}")
        if min(lengths) != max(lengths) and self.padding is None:
            raise DataError(
                f"encode_all: the texts have {min(lengths)} to {max(lengths)} tokens, and the vocabulary has no token "
                "to fill up the shorter ones: give it one, such as padding='<pad>'"
            )
        table = np.full((max(lengths), len(rows)), 0 if self.padding is None else self._index[self.padding])
        for i, row in enumerate(rows):
            table[: len(row), i] = row
        return table

    def encode_batch(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Several texts as a model reads them: tokens (T, batch) and lengths (batch), the end token counted.

        The end token stands after each text where the vocabulary has one.  Errors as those of `encode_all`.
        """
        ended, texts = self.end is not None, list(texts)
        lengths = [len(self.tokenize(text)) for text in texts]
        if not all(lengths):
            raise SequenceError(f"a model reads texts of at least one token; text number {lengths.index(0)} is empty")
        return self.encode_all(texts, ended=ended), np.array(lengths) + ended

    def one_hot(self, text: str | Iterable[str]) -> np.ndarray:
        """A vector for every token, (T, size): 1 at its index and 0 elsewhere."""
        return F.one_hot(self.encode(text), len(self))

    # ---- and back ----

    def decode(self, indices: Any) -> str:
        """The text of indices (T) up to the end token, without padding and begin.

        Raises IndexError for an index out of range, also for -1.
        """
        array = np.asarray(indices if hasattr(indices, "__array__") or isinstance(indices, str) else list(indices))
        if array.ndim != 1:
            raise ShapeError(f"decode takes the indices of one text, (T), got shape {array.shape}")
        if array.size and array.dtype.kind not in "iu":
            raise DtypeError(f"decode takes integers, got {array.dtype}")
        found = [self.token(i) for i in array.tolist()]
        found = found[: found.index(self.end)] if self.end in found else found
        silent = (self.padding, self.begin)
        return (" " if self.unit == "word" else "").join(token for token in found if token not in silent)

    def token(self, index: int) -> str:
        """The token of that index.  Raises IndexError, also for -1."""
        if not 0 <= index < len(self.tokens):
            raise IndexError(f"token {index} is not one of the {len(self)} of the vocabulary, 0 to {len(self) - 1}")
        return self.tokens[index]

    # ---- as a container ----

    def __getitem__(self, token: str) -> int:
        if token not in self._index:
            raise self._unknown_token([token], 0)
        return self._index[token]

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.tokens, self.unit, self.unknown, self.padding, self.begin, self.end, self.normalize))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} {self.unit}s: {self._shown()})"

    # ---- saved and loaded ----

    def to_dict(self) -> dict[str, Any]:
        """All there is to it as plain data, for JSON."""
        return {
            "tokens": list(self.tokens), "unit": self.unit, "unknown": self.unknown, "padding": self.padding,
            "begin": self.begin, "end": self.end, "normalize": self.normalize,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The vocabulary that `to_dict` told of.  Raises DataError for what it did not tell."""
        expected = {"tokens", "unit", "unknown", "padding", "begin", "end", "normalize"}
        if not isinstance(data, Mapping) or set(data) != expected or not isinstance(data["tokens"], list | tuple):
            raise DataError(f"a vocabulary is saved as a dict with {', '.join(sorted(expected))}; got {_excerpt(data)}")
        options = {name: data[name] for name in expected - {"tokens"}}
        return cls(data["tokens"], **options)

    # ---- in words ----

    def difference(self, other: Vocabulary) -> str | None:
        """In what another vocabulary differs from this one, in words; None if it gives every token the same number.

        >>> from tinygrad_seq.models import Vocabulary
        >>> print(Vocabulary("HELO").difference(Vocabulary("HELP")))
        token 3 is 'O' here and 'P' there; only here: 'O'; only there: 'P'
        """
        found = []
        for name in ("unit", "normalize", "padding", "begin", "end", "unknown"):
            here, there = getattr(self, name), getattr(other, name)
            if here != there:
                found.append(f"{name} is {here!r} here and {there!r} there")
        if len(self) != len(other):
            found.append(f"{len(self)} tokens here and {len(other)} there")
        first = next((i for i, pair in enumerate(zip(self.tokens, other.tokens)) if pair[0] != pair[1]), None)
        if first is not None:
            found.append(f"token {first} is {self.tokens[first]!r} here and {other.tokens[first]!r} there")
        for where, these, those in (("here", self, other), ("there", other, self)):
            only = [repr(token) for token in these if token not in those]
            if only:
                found.append(f"only {where}: {' '.join(only[:8])}{' …' if len(only) > 8 else ''}")
        return "; ".join(found) or None

    def _shown(self, most: int = 12) -> str:
        first = self.tokens[:most]
        shown = " ".join(token if token.isprintable() and token.strip() else repr(token) for token in first)
        return shown + (" …" if len(self) > most else "")

    def _unknown_token(self, found: list[Any], i: int) -> UnknownTokenError:
        """The error for token i of those found in a text, in words."""
        token = found[i]
        if not isinstance(token, str):
            return UnknownTokenError(f"a token is a text, got {token!r} at position {i}; decode takes numbers")
        between = " " if self.unit == "word" else ""
        codes = "" if token.isascii() or len(token) > 4 else " (" + " ".join(f"U+{ord(c):04X}" for c in token) + ")"
        around = between.join(map(str, found[max(0, i - 8) : i + 9]))
        todo = "build it from a text that has it, or give it unknown='<unk>', a token that stands for all others"
        for form in ("NFC", "NFD"):
            if all(part in self for part in tokens_of(between.join(map(str, found)), self.unit, form)):
                todo = f"in the Unicode form {form} all of this text is known: give the vocabulary normalize={form!r}"
        return UnknownTokenError(
            f"token {token!r}{codes} at position {i}, in {around!r}, is not in the vocabulary of {len(self)} "
            f"{self.unit}s ({self._shown()}): {todo}"
        )


def tokens_of(text: Any, unit: Unit, normalize: Form | None) -> list[str]:
    """A text taken apart into characters or words."""
    if not isinstance(text, str):
        raise DataError(f"a text is a str, got {_excerpt(text)}: decode bytes first, with bytes.decode('utf-8')")
    text = unicodedata.normalize(normalize, text) if normalize else text
    return text.split() if unit == "word" else list(text)


def _excerpt(data: Any) -> str:
    text = repr(data)
    return text if len(text) < 60 else text[:57] + "…"
