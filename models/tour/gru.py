"""Chapter 3: a GRU has one state and two gates; what that changes, and through how many activations gradient passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq.gradflow import paths, step_jacobians

from .chapter import Chapter, Plan, outcome
from .lag import Lag, factor_of

__all__ = ["gru_chapter"]

COMPARED = ("rnn", "lstm", "gru", "gru-lecture")
ACTIVATIONS = {"tanh", "sigmoid"}


def gru_chapter(plan: Plan, seed: int, lag: Lag) -> Chapter:
    """Its gradient beside the others', the singular values of a step back, its size, the activations on the way."""
    learner = lag.learners["gru"]
    jacobians = {
        when: step_jacobians(lag.one(network)[0], "h")
        for when, network in (("before", learner.untrained), ("after", learner.network))
    }
    rows = [way_through(name, lag) for name in COMPARED]
    flows = {name: lag.verdict(name, "init") for name in (*COMPARED, "lstm-pytorch")}
    factors = {name: factor_of(said) for name, said in flows.items()}
    by_name = {row["model"]: row for row in rows}
    values: dict[str, Any] = {
        "steps": plan.steps, "hidden": plan.hidden, "gru": flows["gru"], "lecture": flows["gru-lecture"],
        "trained": lag.verdict("gru", "trained"),
        "factors": factors, "score": lag.score("gru"), "ways": by_name, "way": by_name["gru-lecture"],
        "smaller": by_name["gru-lecture"]["parameters"] / by_name["lstm"]["parameters"],
        "largest": {when: float(np.median(J.singular_values[..., 0])) for when, J in jacobians.items()},
        "middle": {when: float(np.median(J.singular_values)) for when, J in jacobians.items()},
    }  # fmt: skip
    table = [{**row, "flow": flows[row["model"]], "factor": factors[row["model"]]} for row in rows]
    outcomes = {
        "simpler": outcome(values["smaller"] < 0.8, values["smaller"] < 1),
        "distance": outcome(factors["gru-lecture"] > 0.9, factors["gru-lecture"] > 1.1 * factors["rnn"]),
        "activations": outcome(values["way"]["fewest"] > plan.steps / 2, values["way"]["most"] > plan.steps),
    }
    flows_shown = {name: lag.norms(name, "init") for name in ("rnn", "lstm", "lstm-pytorch", "gru", "gru-lecture")}
    trained = {name: lag.norms(name, "trained") for name in ("rnn", "lstm", "gru")}
    shown = {"flows": flows_shown, "trained": trained, "jacobians": jacobians}
    return Chapter("gru", values, {"ways": table}, outcomes, shown)


def way_through(name: str, lag: Lag) -> dict[str, Any]:
    """The size of a model, and the activations on the shortest and on the longest way from x_1 to the loss."""
    network = lag.learners[name].untrained
    loss, xs, tokens = lag.one(network)
    found, T = paths(loss, inputs=xs), len(tokens)
    last = int(found.t[-1])
    few, many = found.shortest_route(1, last), found.longest_route(1, last)
    return {
        "model": name, "fewest": activations(few), "most": activations(many),
        "parameters": sum(p.size for p in network.rnn.parameters()), "per_step": found.total.multiply_adds // T,
        "sequential": found.sequential, "shortest": found.shortest(1, last), "longest": found.longest(1, last),
    }  # fmt: skip


def activations(route: list[Any]) -> int:
    """How many nodes of a way are a tanh or a sigmoid."""
    return sum(node.op is not None and node.op.name in ACTIVATIONS for node in route)
