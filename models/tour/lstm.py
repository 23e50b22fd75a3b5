"""Chapter 2: an LSTM's cell state is a sum; how far gradient travels along it, and what its gates do."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor, Trace, manual_seed
from tinygrad_seq.gradflow import per_step, saturation, step_jacobians

from ..heads import ManyToMany
from ..recurrent import LSTM
from ..tasks import hello
from .chapter import Chapter, Plan, outcome
from .lag import Lag, factor_of, share_of

__all__ = ["lstm_chapter"]


def lstm_chapter(plan: Plan, seed: int, lag: Lag) -> Chapter:
    """The cell as a figure, its gradient beside the RNN's, along C and along h, its gates on a task with memory."""
    learner = lag.learners["lstm"]
    moments = {"before": learner.untrained, "after": learner.network}
    losses = {when: lag.one(network)[0] for when, network in moments.items()}
    traces = {when: Trace(loss) for when, loss in losses.items()}
    along = {when: along_states(loss) for when, loss in losses.items()}
    squashed = {when: saturation(loss) for when, loss in losses.items()}
    flows = {name: lag.verdict(name, "init") for name in ("rnn", "lstm-pytorch", "lstm")}
    shares = {name: share_of(lag.norms(name, "init")) for name in flows}
    forget = {when: trace["f"] for when, trace in traces.items()}
    longest = float(forget["after"].mean(axis=0).max())  # of the unit that keeps most
    values: dict[str, Any] = {
        "steps": plan.steps, "hidden": plan.hidden, "rnn": flows["rnn"], "pytorch": flows["lstm-pytorch"],
        "lstm": flows["lstm"], "shares": shares, "score": lag.score("lstm"),
        "forget_before": float(forget["before"].mean()), "forget_after": float(forget["after"].mean()),
        "forget_max": longest, "kept": longest**plan.steps,
        "factors": {when: factors(a) for when, a in along.items()},
        "saturated": {when: float(np.mean(np.asarray(s))) for when, s in squashed.items()},
    }  # fmt: skip
    rows = []
    for when, names in (("init", list(flows)), ("trained", ["rnn", "lstm"])):
        for name in names:
            factor, left = factor_of(lag.verdict(name, when)), share_of(lag.norms(name, when))
            rows.append({"model": name, "when": when, "factor": factor, "share": left})
    faster, slower = factor_of(flows["lstm-pytorch"]), factor_of(flows["lstm"])
    outcomes = {
        "addition": outcome(faster > 0.9 and slower > 0.9, slower > factor_of(flows["rnn"])),
        "gates": outcome(values["score"] > 0.9 and values["forget_max"] > 0.9, values["score"] > 0.5),
    }
    shown = {
        "figure": small_lstm(seed), "along": along, "traces": traces, "tokens": lag.one(learner.network)[2],
        "saturation": squashed, "flows": {name: lag.norms(name, "init") for name in flows},
        "trained": {name: lag.norms(name, "trained") for name in ("rnn", "lstm")},
    }  # fmt: skip
    return Chapter("lstm", values, {"flows": rows}, outcomes, shown)


def along_states(loss: Tensor) -> dict[str, np.ndarray]:
    """The length of the gradient at every step: of C and of h through everything, and along C, or along h, alone.

    Alone means that nothing but C_{t-1} → C_t, or h_{t-1} → h_t, passes it on: ∂L/∂C_T ∏ diag(f).
    """
    whole = {name: per_step(loss, name) for name in ("C", "h")}
    found = {name: series.norms for name, series in whole.items()}
    for name, series in whole.items():
        jacobians = step_jacobians(loss, name).matrices
        g = np.asarray(series.gradients[-1])
        norms = [np.linalg.norm(g)]
        for J in jacobians[::-1]:
            g = np.einsum("...i,...ij->...j", g, J)
            norms.append(np.linalg.norm(g))
        found[f"{name}_alone"] = np.array(norms[::-1])
    return found


def factors(along: dict[str, np.ndarray]) -> dict[str, float]:
    """What a step back multiplies each by, over the whole span."""
    return {name: float((norms[0] / norms[-1]) ** (1 / (len(norms) - 1))) for name, norms in along.items()}


def small_lstm(seed: int) -> Tensor:
    """The loss of a small LSTM on three letters, for the figure."""
    word = hello("HELL")
    manual_seed(seed)
    model = ManyToMany(LSTM(len(word.vocabulary), 4), len(word.vocabulary))
    return model.loss(word.tokens, word.targets)
