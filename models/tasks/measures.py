"""How well a model does a task, one measure for each shape: the metrics, what guessing gets, examples to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_seq import Tensor
from tinygrad_seq import functional as F

from ..generate import generate
from ..training.metrics import bits_per_character, perplexity
from ..vocabulary import Vocabulary
from .splits import Batch, Split
from .task import IGNORED, Better, Shown, readable

__all__ = ["Classes", "NextTokens", "Numbers", "Tags"]

AT_ONCE = 250  # examples measured side by side: memory, not results, depends on it

Text = Callable[[np.ndarray], str]  # of one example's input or output


class Classes:
    """Many-to-one: a class for a sequence.  Metrics: loss, accuracy.

    text: of one example's input, xs[:length, column].  names: of the classes.
    """

    metric: str = "accuracy"
    better: Better = "max"

    def __init__(self, names: Vocabulary, text: Text) -> None:
        self.names, self.text = names, text

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """Mean cross-entropy in nats, and the share of right classes."""
        nats, right, count = 0.0, 0, 0
        for xs, labels, lengths in split.batches(AT_ONCE):
            logits = array(outputs(model, xs, lengths))  # (B, classes)
            nats += summed_loss(logits, labels)
            right += int((logits.argmax(-1) == labels).sum())
            count += len(labels)
        return {"loss": nats / count, "accuracy": right / count}

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """Always the class that is most frequent in `train`."""
        logs = log_frequencies([labels for _, labels, _ in train.batches(AT_ONCE)], len(self.names))
        labels = np.concatenate([labels for _, labels, _ in split.batches(AT_ONCE)])
        return {"loss": -float(logs[labels].mean()), "accuracy": float((labels == logs.argmax()).mean())}

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """The input, its class, and the class that the model takes it for."""
        xs, labels, lengths = batch
        predicted = array(outputs(model, xs, lengths)).argmax(-1)
        names = [(self.names.token(int(y)), self.names.token(int(ŷ))) for y, ŷ in zip(labels, predicted)]
        return [Shown(self.text(x), *pair) for x, pair in zip(columns(xs, lengths), names)]


class Numbers:
    """Many-to-one: a number for a sequence.  Metrics: loss and mse, which are the same, the mean squared error."""

    metric: str = "mse"
    better: Better = "min"

    def __init__(self, text: Text) -> None:
        self.text = text

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """The mean squared error."""
        errors = [
            array(outputs(model, xs, lengths)).reshape(len(labels)) - labels
            for xs, labels, lengths in split.batches(AT_ONCE)
        ]
        mse = float(np.mean(np.concatenate(errors, dtype=float) ** 2))
        return {"loss": mse, "mse": mse}

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """Always the mean of `train`: the variance of the labels."""
        mean = np.concatenate([labels for _, labels, _ in train.batches(AT_ONCE)]).mean()
        labels = np.concatenate([labels for _, labels, _ in split.batches(AT_ONCE)])
        mse = float(np.mean((labels - mean) ** 2))
        return {"loss": mse, "mse": mse}

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """The input, its number, and the model's."""
        xs, labels, lengths = batch
        predicted = array(outputs(model, xs, lengths)).reshape(len(labels))
        return [
            Shown(self.text(x), f"{y:.3f}", f"{ŷ:.3f}") for x, y, ŷ in zip(columns(xs, lengths), labels, predicted)
        ]


class Tags:
    """Aligned many-to-many: a tag at each step.  Metrics: loss, accuracy, exact_match (of whole sequences), recalled,
    the share of the steps with a tag that is not `empty` that got it, and f1, its harmonic mean with precision.

    num_tags: how many there are.  text: of an input and its tags.  empty: the tag that says nothing, such as "no space
    follows".  by_step: guessing may know which step it is.  metric: the one that counts.
    """

    better: Better = "max"

    def __init__(
        self,
        num_tags: int,
        text: Callable[[np.ndarray, np.ndarray], tuple[str, str]],
        *,
        empty: int = 0,
        by_step: bool = False,
        metric: str = "f1",
    ) -> None:
        self.num_tags, self.text, self.empty, self.by_step, self.metric = num_tags, text, empty, by_step, metric

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """All metrics, the loss in nats per tag, the others shares from 0 to 1."""
        found = []
        for tokens, tags, lengths in split.batches(AT_ONCE):
            logits = array(outputs(model, tokens, lengths))  # (T, B, tags)
            found.append((summed_loss(logits, tags), logits.argmax(-1), tags))
        return self.metrics(found)

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """Always the tag that is most frequent in `train`, at that step or at all."""
        seen = [tags for _, tags, _ in train.batches(AT_ONCE)]
        if self.by_step:
            longest = max(len(tags) for tags in seen)
            steps = [[tags[t] for tags in seen if len(tags) > t] for t in range(longest)]
            logs = np.stack([log_frequencies(at_step, self.num_tags) for at_step in steps])  # (T, tags)
        else:
            logs = log_frequencies(seen, self.num_tags)[None]  # (1, tags)
        found = []
        for _, tags, _ in split.batches(AT_ONCE):
            logits = np.broadcast_to(logs[: len(tags), None], (*tags.shape, self.num_tags))
            found.append((summed_loss(logits, tags), logits.argmax(-1), tags))
        return self.metrics(found)

    def metrics(self, found: list[tuple[float, np.ndarray, np.ndarray]]) -> dict[str, float]:
        """From (summed loss, predicted tags, tags), each tags (T, B), for each batch."""
        count = right = whole = sequences = true = hits = claimed = 0
        for _, predicted, tags in found:
            real = tags != IGNORED
            same = (predicted == tags) & real
            count += int(real.sum())
            right += int(same.sum())
            whole += int((same | ~real).all(axis=0).sum())
            sequences += tags.shape[1]
            true += int((real & (tags != self.empty)).sum())
            hits += int((same & (tags != self.empty)).sum())
            claimed += int((real & (predicted != self.empty)).sum())
        return {
            "loss": sum(nats for nats, _, _ in found) / count,
            "accuracy": right / count,
            "exact_match": whole / sequences,
            "recalled": hits / max(1, true),
            "f1": 2 * hits / max(1, true + claimed),
        }

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """The input, and what its tags and the model's make of it."""
        tokens, tags, lengths = batch
        predicted = array(outputs(model, tokens, lengths)).argmax(-1)
        shown = []
        for x, y, ŷ in zip(columns(tokens, lengths), columns(tags, lengths), columns(predicted, lengths)):
            given, expected = self.text(x, y)
            shown.append(Shown(given, expected, self.text(x, ŷ)[1]))
        return shown


class NextTokens:
    """Next token: metrics loss, perplexity, bits_per_character (of a token, as the vocabulary cuts them), accuracy."""

    metric: str = "bits_per_character"
    better: Better = "min"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def evaluate(self, model: Any, split: Split) -> dict[str, float]:
        """Each batch is read from a state of its own."""
        nats, right, count = 0.0, 0, 0
        for tokens, targets in split.batches(AT_ONCE):
            logits = array(model(tokens))  # (T, B, classes)
            nats += summed_loss(logits, targets)
            right += int((logits.argmax(-1) == targets).sum())
            count += targets.size
        return self.metrics(nats / count, right / count)

    def guess(self, train: Split, split: Split) -> dict[str, float]:
        """Always the token that is most frequent in `train`."""
        logs = log_frequencies([targets for _, targets in train.batches(AT_ONCE)], len(self.vocabulary))
        targets = np.concatenate([targets.reshape(-1) for _, targets in split.batches(AT_ONCE)])
        return self.metrics(-float(logs[targets].mean()), float((targets == logs.argmax()).mean()))

    def metrics(self, nats: float, accuracy: float) -> dict[str, float]:
        """All that follows from the mean cross-entropy in nats, and the accuracy."""
        return {
            "loss": nats,
            "perplexity": perplexity(nats),
            "bits_per_character": bits_per_character(nats),
            "accuracy": accuracy,
        }

    def show(self, model: Any, batch: Batch) -> list[Shown]:
        """The first half of a passage, how it goes on, and how the model goes on, always with the most likely token."""
        shown = []
        for x, y in zip(*(columns(each, None) for each in batch)):
            prompt, rest = x[: len(x) // 2 + 1], y[len(x) // 2 :]
            said = list(generate(model, prompt, len(rest), temperature=0))
            shown.append(Shown(*(readable(self.vocabulary, tokens) for tokens in (prompt, rest, said))))
        return shown


# ---- what the measures share ---------------------------------------------------------


def outputs(model: Any, xs: Any, lengths: Any) -> Any:
    """model(xs), told the lengths where there are some."""
    return model(xs) if lengths is None else model(xs, lengths=lengths)


def array(result: Any) -> np.ndarray:
    """The numbers of a tensor, or of what is an array already."""
    return result.data if isinstance(result, Tensor) else np.asarray(result)


def columns(xs: np.ndarray, lengths: Any) -> Iterator[np.ndarray]:
    """Each example of a batch (T, B, …), without its padding."""
    for column in range(xs.shape[1]):
        yield xs[: None if lengths is None else int(lengths[column]), column]


def summed_loss(logits: Any, targets: np.ndarray, ignore_index: int = IGNORED) -> float:
    """Σ cross-entropy in nats.  logits: (…, classes).  targets: (…)."""
    logits = np.asarray(logits, float)
    loss = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=ignore_index, reduction="sum"
    )
    return float(loss.item())


def log_frequencies(seen: list[np.ndarray], classes: int) -> np.ndarray:
    """log of how often each class occurs, (classes); each once more than it does, as none is impossible."""
    counted = np.concatenate([labels.reshape(-1) for labels in seen])
    counts = np.bincount(counted[counted != IGNORED], minlength=classes) + 1.0
    return np.log(counts / counts.sum())
