"""Chapter 6: every word looks at every other; distance is gone, and what that costs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_seq import Tensor, manual_seed
from tinygrad_seq import functional as F
from tinygrad_seq.gradflow import Complexity, Paths, complexity, influence, paths

from ..attention.lecture import self_attention
from ..recurrent import RNN
from .chapter import Chapter, Plan, outcome
from .lag import Lag, factor_of, share_of

__all__ = ["self_attention_chapter"]

MASKED = 12  # steps of the example


def self_attention_chapter(plan: Plan, seed: int, lag: Lag) -> Chapter:
    """Gradient against distance, the complexity table from recorded graphs, the future that a mask hides."""
    rng = np.random.default_rng([seed, 6])
    x = Tensor(rng.normal(size=(MASKED, plan.hidden)) / np.sqrt(plan.hidden) * 1.5, requires_grad=True, name="x")
    new, weights = self_attention(x, masked=True)
    reach = influence(new, x)
    above = np.triu_indices(MASKED, 1)
    fits = layers_of(plan, seed)
    flow = lag.verdict("self-attention", "init")
    n, d = plan.steps, plan.hidden
    made = {"rnn": rnn_layer(n, d, seed), "self-attention": attention_layer(n, d, seed)}
    grows, flat = (fits[name].sequential.n.exponent for name in ("rnn", "self-attention"))
    work = {name: found.total.multiply_adds for name, found in made.items()}
    waits = {name: found.sequential for name, found in made.items()}
    values: dict[str, Any] = {
        "steps": n, "hidden": d, "flow": flow, "flow_rnn": lag.verdict("rnn", "init"),
        "trained": lag.verdict("self-attention", "trained"), "masked": MASKED,
        "share": share_of(lag.norms("self-attention", "init")), "share_rnn": share_of(lag.norms("rnn", "init")),
        "share_trained": share_of(lag.norms("self-attention", "trained")),
        "above": float(np.abs(reach.norms[above]).max()), "below": float(reach.norms[np.tril_indices(MASKED)].min()),
        "fits": fits, "work": work, "cheaper": work["rnn"] / work["self-attention"],
        "milliseconds": {name: lag.milliseconds(name) for name in ("rnn", "lstm", "self-attention")},
        "score": lag.score("self-attention"), "factor": factor_of(flow),
    }  # fmt: skip
    outcomes = {
        "distance": outcome(flow.kind == "steady", values["share"] > 1e-3),
        "masked": outcome(values["above"] == 0 and values["below"] > 0),
        "parallel": outcome(flat < 0.05 < 0.9 < grows, flat < grows),
        "fast": outcome(values["cheaper"] > 1, waits["self-attention"] < waits["rnn"]),
    }
    rows = [{"model": name, "fit": fit} for name, fit in fits.items()]
    shown = {"flows": {name: lag.norms(name, "init") for name in ("rnn", "lstm", "gru", "self-attention")},
             "trained": {name: lag.norms(name, "trained") for name in ("rnn", "lstm", "gru", "self-attention")},
             "weights": weights.data, "reach": reach, "fits": fits}  # fmt: skip
    return Chapter("self-attention", values, {"complexity": rows}, outcomes, shown)


def layers_of(plan: Plan, seed: int) -> dict[str, Complexity]:
    """How work, the longest chain and the longest way of a layer grow with its length n and its width d."""
    made = {"rnn": rnn_layer, "self-attention": attention_layer, "lecture": lecture_layer}
    return {name: complexity(partial(layer, seed=seed), plan.sizes, plan.sizes) for name, layer in made.items()}


def sequence(n: int, d: int, seed: int) -> Tensor:
    """Random vectors, (n, d)."""
    manual_seed(seed)
    return Tensor(np.random.default_rng(seed).normal(size=(n, d)), requires_grad=True, name="x")


def rnn_layer(n: int, d: int, seed: int) -> Paths:
    """An RNN, d wide, over n steps."""
    x = sequence(n, d, seed)
    return paths(*[h for _, h, _ in RNN(d, d).unroll(x)], inputs=x)


def attention_layer(n: int, d: int, seed: int) -> Paths:
    """Scaled dot-product attention of the sequence to itself, without its projections."""
    x = sequence(n, d, seed)
    return paths(F.scaled_dot_product_attention(x, x, x), inputs=x)


def lecture_layer(n: int, d: int, seed: int) -> Paths:
    """The lecture's self-attention, step by step."""
    x = sequence(n, d, seed)
    return paths(self_attention(x)[0], inputs=x)
