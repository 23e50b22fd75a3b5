"""Chapter 5: the decoder looks at every state of the encoder; where it looks, and what that does to far words."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq.gradflow import influence, verdict

from .chapter import Chapter, Plan, outcome
from .lag import Lag
from .reversal import Reversals, influence_of, word_of
from .seq2seq import test_word

__all__ = ["attention_chapter"]


def attention_chapter(plan: Plan, seed: int, lag: Lag, reversals: Reversals) -> Chapter:
    """The alignment map, quality by length beside the plain model, gradient of far words, and what still fades."""
    task, plain, attending = reversals.task, reversals.plain, reversals.attending
    word = test_word(reversals)
    source, lengths, target = word_of(task, word)
    weights = attending.model.align(source, lengths, target).data[0]  # (target, source)
    n = len(word)
    looked = weights[:n].argmax(axis=-1)
    wanted = np.arange(n - 1, -1, -1)
    reach = {
        f"{name}_{when}": influence_of(model, task, word)
        for name, writer in (("plain", plain), ("attending", attending))
        for when, model in (("before", writer.twin), ("after", writer.model))
    }
    shares = {name: float(found.norms[0, 0] / found.norms[0, n - 1]) for name, found in reach.items()}
    inside = influence("encoder/h", "source_embedding/x", of=attending.model.losses(source, lengths, target))
    encoder = verdict(inside.norms[n - 1, :n])
    values: dict[str, Any] = {
        "letters": plan.letters, "updates": plan.reversal, "word": word, "n": n,
        "aligned": float((looked == wanted).mean()), "near": float((np.abs(looked - wanted) <= 1).mean()),
        "sum": float(weights.sum(axis=-1).mean()), "strongest": float(weights[:n].max(axis=-1).mean()),
        "plain_long": float(plain.by_length[-1]), "long": float(attending.by_length[-1]),
        "plain_mean": float(plain.by_length.mean()), "mean": float(attending.by_length.mean()),
        "shares": shares, "gain": shares["attending_before"] / shares["plain_before"],
        "encoder": encoder, "encoder_share": float(inside.norms[n - 1, 0] / inside.norms[n - 1, n - 1]),
        "flow": lag.verdict("attention", "init"), "flow_rnn": lag.verdict("rnn", "init"),
        "trained": lag.verdict("attention", "trained"), "score": lag.score("attention"),
        "score_rnn": lag.score("rnn"), "steps": plan.steps,
        "slower": attending.seconds / plain.seconds,
    }  # fmt: skip
    outcomes = {
        "looks": outcome(values["aligned"] >= 0.8, values["near"] >= 0.5),
        "quality": outcome(values["mean"] > values["plain_mean"] + 0.05, values["mean"] > values["plain_mean"]),
        "distance": outcome(values["flow"].kind == "steady", shares["attending_before"] > shares["plain_before"]),
        "forgets": outcome(values["encoder_share"] < 0.1, values["encoder_share"] < 0.5),
    }
    rows = [{"n": i, "plain": float(p), "attending": float(a)}
            for i, (p, a) in enumerate(zip(plain.by_length, attending.by_length), 1)]  # fmt: skip
    shown = {"weights": weights, "word": word, "reach": reach, "inside": inside,
             "by_length": {"plain": plain.by_length, "attending": attending.by_length}}  # fmt: skip
    return Chapter("attention", values, {"lengths": rows}, outcomes, shown)
