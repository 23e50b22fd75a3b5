"""Chapter 4: everything goes through one context vector: what reaches the loss, and what is left in the vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq.gradflow import verdict

from .chapter import Chapter, Plan, outcome
from .reversal import Reversals, influence_of, letters_of, readout_of, word_of

__all__ = ["seq2seq_chapter", "test_word"]


def seq2seq_chapter(plan: Plan, seed: int, reversals: Reversals) -> Chapter:
    """Influence of the source on the loss, quality against length, and letters read off the context vector."""
    writer, task = reversals.plain, reversals.task
    word = test_word(reversals)
    models = {"before": writer.twin, "after": writer.model}
    reach = {when: influence_of(model, task, word) for when, model in models.items()}
    read = {when: readout_of(model, task, plan.letters, seed) for when, model in models.items()}
    sources = {when: found.norms[0, :-1] for when, found in reach.items()}  # of the first letter, without the end
    flows = {when: verdict(norms) for when, norms in sources.items()}
    totals = {when: np.linalg.norm(found.norms[:, :-1], axis=0) for when, found in reach.items()}
    half = writer.by_length >= 0.5
    longest = int(half.nonzero()[0][-1]) + 1 if half.any() else 0
    values: dict[str, Any] = {
        "letters": plan.letters, "updates": plan.reversal, "word": word, "backwards": word[::-1],
        "written": task.text(writer.model.translate(*task.read([word]), max_length=len(word) + 2)[0].tokens),
        "flow_before": flows["before"], "flow_after": flows["after"],
        "shares": {when: float(norms[0] / norms[-1]) for when, norms in sources.items()},
        "totals": {when: float(norms[0] / norms[-1]) for when, norms in totals.items()},
        "read": read, "means": {when: float(found.scores.mean()) for when, found in read.items()},
        "chance": read["before"].chance, "short": float(writer.by_length[:3].mean()),
        "long": float(writer.by_length[-1]), "longest": longest, "first": word[0], "last": word[-1],
    }  # fmt: skip
    before, after = read["before"].scores, read["after"].scores
    outcomes = {
        "far": outcome(flows["before"].kind == "vanishing", bool(values["shares"]["before"] < 0.5)),
        "blur": outcome(bool(after[0] > after[-1] + 0.1), bool(before[0] > before[-1] + 0.1)),
        "length": outcome(values["long"] < values["short"] - 0.2, values["long"] < values["short"] - 0.02),
    }
    rows = [{"n": n, "right": share} for n, share in enumerate(writer.by_length.tolist(), 1)]
    loss = writer.model.loss(*word_of(task, "".join(letters_of(task)[:3])))
    shown = {"reach": reach, "read": read, "by_length": writer.by_length, "word": word, "loss": loss}
    return Chapter("seq2seq", values, {"lengths": rows}, outcomes, shown)


def test_word(reversals: Reversals) -> str:
    """A word of the greatest length."""
    rng = np.random.default_rng([reversals.seed, 9])
    return "".join(rng.choice(letters_of(reversals.task), reversals.plan.letters))
