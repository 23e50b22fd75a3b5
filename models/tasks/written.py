"""How well a model writes: from a text (seq2seq) or from a vector (one-to-many), a text of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_seq.errors import DataError, SequenceError

from ..search import greedy
from ..training.metrics import character_error_rate, exact_match
from ..vocabulary import Form, Vocabulary
from .measures import AT_ONCE, array, log_frequencies, summed_loss
from .splits import Batch, Split
from .task import Better, Shown, readable

__all__ = ["Spelled", "Written", "pairs_to_batch", "to_read", "to_write"]


def to_read(tokens: Iterable[str], *, end: str | None = None, normalize: Form | None = None) -> Vocabulary:
    """A vocabulary of texts that come in: with padding, and a token for what a user may write and no example has."""
    return Vocabulary(tokens, padding="<pad>", end=end, unknown="<unk>", normalize=normalize)


def to_write(tokens: Iterable[str], *, normalize: Form | None = None) -> Vocabulary:
    """A vocabulary of texts that go out: with padding, and a token before the first and after the last."""
    return Vocabulary(tokens, padding="<pad>", begin="<bos>", end="<eos>", normalize=normalize)


def pairs_to_batch(pairs: Sequence[tuple[str, str]], source: Vocabulary, target: Vocabulary) -> Batch:
    """(source (S, B), lengths (B), target (T, B)) of pairs of texts, both with their ends."""
    if not pairs:
        raise SequenceError("a batch needs at least one example, got none")
    tokens, lengths = source.encode_batch([given for given, _ in pairs])
    return tokens, lengths, target.encode_all([wanted for _, wanted in pairs], ended=True)


class Writing:
    """What the two have in common.

    Metrics when the model is told the right tokens before each (teacher forcing): loss, in nats per token, the end
    counted; accuracy, the share of right tokens.  Of what it writes by itself, always the most likely token:
    exact_match, the share of right texts; character_error_rate, the characters to insert, delete or replace for each
    character of the right texts, in the Unicode form NFC, where a Korean character is a syllable.
    target: the vocabulary.  longest: how many tokens the model may write, the end counted.
    """

    metric: str = "exact_match"
    better: Better = "max"

    def __init__(self, target: Vocabulary, longest: int) -> None:
        if target.padding is None or target.begin is None or target.end is None:
            raise DataError(f"what a model writes needs padding, begin and end tokens, {target} has not all of them")
        self.target, self.longest = target, longest
        self.padding, self.begin, self.end = (target[token] for token in (target.padding, target.begin, target.end))

    def logits(self, model: Any, batch: Batch) -> np.ndarray:
        """(T, B, classes), told the target."""
        raise NotImplementedError

    def write(self, model: Any, batch: Batch) -> list[str]:
        """What the model writes, at most `longest` tokens."""
        raise NotImplementedError

    def given(self, batch: Batch) -> list[str]:
        """What comes in, as text."""
        raise NotImplementedError

    def wanted(self, batch: Batch) -> list[str]:
        """What should come out."""
        return [readable(self.target, column) for column in batch[-1].T]

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """All metrics."""
        nats, right, count = 0.0, 0, 0
        written, wanted = [], []
        for batch in split.batches(AT_ONCE):
            logits, target = self.logits(model, batch), batch[-1]
            nats += summed_loss(logits, target, self.padding)
            real = target != self.padding
            right += int(((logits.argmax(-1) == target) & real).sum())
            count += int(real.sum())
            written += self.write(model, batch)
            wanted += self.wanted(batch)
        return {"loss": nats / count, "accuracy": right / count} | of_texts(written, wanted)

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """Always the token, and the text, that is most frequent in `train`."""
        seen = list(train.batches(AT_ONCE))
        flat = [batch[-1][batch[-1] != self.padding] for batch in seen]
        logs = log_frequencies(flat, len(self.target))
        (text, _), = Counter(text for batch in seen for text in self.wanted(batch)).most_common(1)
        batches = list(split.batches(AT_ONCE))
        targets = np.concatenate([batch[-1][batch[-1] != self.padding] for batch in batches])
        wanted = [text for batch in batches for text in self.wanted(batch)]
        return {
            "loss": -float(logs[targets].mean()), "accuracy": float((targets == logs.argmax()).mean()),
        } | of_texts([text] * len(wanted), wanted)  # fmt: skip

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """What comes in, what should come out, and what the model writes."""
        return [Shown(*row) for row in zip(self.given(batch), self.wanted(batch), self.write(model, batch))]


class Written(Writing):
    """Seq2seq: a text from a text."""

    def __init__(self, source: Vocabulary, target: Vocabulary, longest: int) -> None:
        super().__init__(target, longest)
        self.source = source

    def logits(self, model: Any, batch: Batch) -> np.ndarray:
        """model(source, lengths, target)."""
        return array(model(*batch))

    def write(self, model: Any, batch: Batch) -> list[str]:
        """By greedy search."""
        source, lengths, _ = batch
        found = greedy(model, source, lengths, begin=self.begin, end=self.end, max_length=self.longest)
        return [readable(self.target, one.tokens) for one in found]

    def given(self, batch: Batch) -> list[str]:
        """The source."""
        return [readable(self.source, column) for column in batch[0].T]


class Spelled(Writing):
    """One-to-many: a text from a vector.  text: of a vector, to show it."""

    def __init__(self, target: Vocabulary, longest: int, text: Callable[[np.ndarray], str]) -> None:
        super().__init__(target, longest)
        self.text = text

    def logits(self, model: Any, batch: Batch) -> np.ndarray:
        """model(v, targets)."""
        return array(model(*batch))

    def write(self, model: Any, batch: Batch) -> list[str]:
        """model.predict(v, length, end), (length, B)."""
        return [readable(self.target, column) for column in model.predict(batch[0], self.longest, self.end).T]

    def given(self, batch: Batch) -> list[str]:
        """The vectors."""
        return [self.text(v) for v in batch[0]]


def of_texts(written: list[str], wanted: list[str]) -> dict[str, float]:
    """exact_match and character_error_rate."""
    return {
        "exact_match": exact_match(written, wanted),
        "character_error_rate": character_error_rate(written, wanted),
    }
