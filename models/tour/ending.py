"""The end of the tour: all models in one table and in one picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import no_grad
from tinygrad_seq.gradflow import memory, paths

from .chapter import Chapter, Plan
from .lag import LEARNERS, WATCHED, Lag, factor_of

__all__ = ["DISTANCES", "ending"]

DISTANCES = (10, 20, 50)  # steps after which the first symbol is looked for
SEQUENCES = 512  # to fit and score a readout on


def ending(plan: Plan, seed: int, lag: Lag) -> Chapter:
    """Model × (decay a step back, memory, longest path, sequential operations, score, time), and the central figure."""
    rows = []
    for name in LEARNERS:
        learner = lag.learners[name]
        trained = [run for run in lag.runs if run.trial.model == name and run.trial.updates]
        kept = np.mean([remembering(run.network, lag, seed) for run in trained], axis=0)
        flows = {when: lag.verdict(name, when) for when in ("init", "trained")}
        rows.append({
            "model": name, "decay_init": factor_of(flows["init"]), "decay_trained": factor_of(flows["trained"]),
            "flow_init": flows["init"], "flow_trained": flows["trained"], "score": lag.score(name),
            **{f"memory_{k}": float(score) for k, score in zip(DISTANCES, kept)},
            **longest_way(learner.untrained, lag), "milliseconds": lag.milliseconds(name),
        })  # fmt: skip
    values = {
        "steps": plan.steps, "rest": plan.steps - 1, "seeds": plan.seeds, "learners": plan.learners,
        "updates": plan.recall, "hidden": plan.hidden, "chance": 1 / lag.task.num_classes,
    }  # fmt: skip
    shown: dict[str, Any] = {when: {name: lag.norms(name, when) for name in LEARNERS} for when in ("init", "trained")}
    shown["frames"] = lag.learners[WATCHED].frames
    return Chapter("ending", values, {"models": rows}, {}, shown)


def remembering(network: Any, lag: Lag, seed: int) -> list[float]:
    """How well the first symbol can be read off what the answer is made of, after some more steps."""
    scores = []
    for k in DISTANCES:
        rng = np.random.default_rng([seed, k])
        tokens = rng.integers(0, 4, (k + 1, SEQUENCES))
        tokens[0] = 4 + rng.integers(0, lag.task.num_classes, SEQUENCES)
        with no_grad():
            features = network.read(tokens)[0].data
        states = np.zeros((k + 1, *features.shape))
        states[-1] = features
        symbols = np.zeros_like(tokens)
        symbols[0] = tokens[0] - 4
        scores.append(float(memory(states, symbols, delays=[k], at=k + 1).scores[0]))
    return scores


def longest_way(network: Any, lag: Lag) -> dict[str, int]:
    """The longest of the shortest ways from a step to the loss, and the longest chain of operations."""
    loss, x, _ = lag.one(network)
    found = paths(loss, inputs=x)
    return {"path": found.maximum_path, "sequential": found.sequential}
