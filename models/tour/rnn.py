"""Chapter 1: an RNN learns a word; its gradient vanishes with distance, and what it read fades."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

from tinygrad_seq import no_grad
from tinygrad_seq.gradflow import memory, step_jacobians, verdict

from ..heads import ManyToMany
from .chapter import Chapter, Plan, outcome
from .lag import Lag
from .text import Sample, TextTour, text_tour
from .word import Measured, WordTour, word_tour

__all__ = ["rnn_chapter"]

SEQUENCES = 256  # on which the readout is fitted and scored, half each


def rnn_chapter(plan: Plan, seed: int, lag: Lag, console: Console | None = None) -> Chapter:
    """HELLO, the parts of ∂L/∂W_x, 50 steps back, what makes the gradient vanish, what fades forward, a real text."""
    word = word_tour(seed, updates=plan.word, far=plan.steps, console=console)
    text = text_tour(seed, updates=plan.text, length=plan.passage, console=console)
    values = about_word(word) | about_text(text)
    jacobians = {"before": step_jacobians(word.before.far_loss, "h"), "after": step_jacobians(word.after.far_loss, "h")}
    fading = fading_of(word, plan.steps, seed)
    causes = about_cause(word, jacobians["before"], lag)
    flows = {"before": verdict(word.before.far), "after": verdict(word.after.far), "seeds": lag.verdict("rnn", "init")}
    values |= causes | {f"flow_{when}": said for when, said in flows.items()}
    values |= {"fading": fading, "delay": int(fading["after"].delays[-1]), "chance": fading["after"].chance}
    values |= {f"faded_{when}": faded(found) for when, found in fading.items()}
    before = word.before
    increasing = bool((np.diff(before.parts.norms) > 0).all())
    outcomes = {
        "sum": outcome(values["difference"] < 1e-12 and increasing, before.parts.norms[0] < before.parts.norms[-1]),
        "backward": outcome(flows["seeds"].kind == "vanishing", flows["before"].kind == "vanishing"),
        "cause": outcome(causes["tanh_part"] > 0.5, 0 < causes["tanh_part"]),
        "forward": outcome(
            bool(fading["before"].scores[-1] < fading["before"].chance + 0.1 < fading["before"].scores[0]),
            bool(fading["before"].scores[-1] < fading["before"].scores[0]),
        ),
    }
    shown = {"word": word, "fading": fading, "jacobians": jacobians}
    samples = [{"prompt": text.prompt, "kind": kind_of(sample), **sample._asdict()} for sample in text.samples]
    return Chapter("rnn", values, {"word": rows_of(word), "samples": samples}, outcomes, shown)


# ---- the word ------------------------------------------------------------------------


def about_word(word: WordTour) -> dict[str, Any]:
    """Numbers of the word tour."""
    tokens, T = letters_of(word), len(word.task.tokens)
    before, after = word.before, word.after
    spelled = "".join([*tokens, word.task.vocabulary.token(int(word.task.targets[-1]))])
    return {
        "T": T, "letters": ", ".join(tokens), "plus": " + ".join(tokens), "first": tokens[0], "spelled": spelled,
        "hello": spelled == "HELLO", "one_hot": ", ".join(
            str(int(i == word.task.tokens[0])) for i in range(len(word.task.vocabulary))
        ),
        "size": len(word.task.vocabulary), "uniform": T * np.log(len(word.task.vocabulary)), "updates": word.updates,
        "solved": word.solved, "said_before": "".join(before.predictions), "said_after": "".join(after.predictions),
        "loss_before": before.loss.item(), "loss_after": after.loss.item(), "before": before, "after": after,
        "steps": len(before.far), "first_share": ratio(before.flow.norms), "far_share": ratio(before.far.norms),
        "far_share_after": ratio(after.far.norms),
        "back": list(before.flow.norms), "difference": float(np.abs(before.parts.total - before.whole).max()),
        "shares": ", ".join(f"{token} {100 * share:.0f}%" for token, share in zip(tokens, before.parts.shares)),
    }  # fmt: skip


def rows_of(word: WordTour) -> list[dict[str, Any]]:
    """Per step: what went in, what should come out; what did, the loss, and the gradient, before and after."""
    rows = []
    for i, (token, target) in enumerate(zip(letters_of(word), word.task.targets.tolist())):
        wanted = word.task.vocabulary.token(target)
        row: dict[str, Any] = {"t": i + 1, "token": token, "target": wanted}
        for when in ("before", "after"):
            m: Measured = getattr(word, when)
            row |= {f"says_{when}": m.predictions[i], f"right_{when}": m.predictions[i] == wanted}
            row |= {f"L_{when}": m.losses[i].item(), f"flow_{when}": m.flow.norms[i], f"part_{when}": m.parts.norms[i]}
        rows.append(row)
    return rows


def letters_of(word: WordTour) -> list[str]:
    """The letters that go in."""
    return [word.task.vocabulary.token(i) for i in word.task.tokens.tolist()]


def ratio(norms: np.ndarray) -> float:
    """What of the last step's gradient is left at the first."""
    return float(norms[0] / norms[-1]) if norms[-1] else float("nan")


# ---- why it vanishes -----------------------------------------------------------------


def about_cause(word: WordTour, jacobians: Any, lag: Lag) -> dict[str, Any]:
    """What one step back multiplies by: the slope of tanh, and W_h."""
    h = np.stack([node.data for node in word.before.far.nodes])
    W_h = word.twin.rnn.weights("_l0").weight_hh.data
    return {
        "slope": float((1 - h * h).mean()), "radius": float(np.abs(np.linalg.eigvals(W_h)).max()),
        "stretch": float(np.linalg.norm(W_h, 2)), "gamma": float(jacobians.gamma),
        "largest": float(np.median(jacobians.singular_values[..., 0])),
        "exponent": (exponent := float(np.exp(jacobians.lyapunov(skip=min(5, len(jacobians) - 1))[0]))),
        "tanh_part": float(np.log((1 - h * h).mean()) / np.log(exponent)),
        "flow_orthogonal": lag.verdict("rnn-orthogonal", "init"),
    }  # fmt: skip


# ---- forward -------------------------------------------------------------------------


def fading_of(word: WordTour, steps: int, seed: int) -> dict[str, Any]:
    """How well the letter of k steps ago can be read off h_t, before and after training, on random letters."""
    rng = np.random.default_rng([seed, 1])
    tokens = rng.integers(0, len(word.task.vocabulary), (steps, SEQUENCES))
    delays = range(min(21, steps))
    return {when: memory(read(model, tokens), tokens, delays=delays)
            for when, model in (("before", word.twin), ("after", word.model))}  # fmt: skip


def read(model: ManyToMany, tokens: np.ndarray) -> np.ndarray:
    """Every state of the recurrent layer, (T, batch, hidden)."""
    with no_grad():
        return np.stack([h.data for _, h, _ in model.states(tokens)])


def faded(found: Any) -> int:
    """The first delay at which the readout is within a tenth of chance; the last one measured, where none is."""
    below = np.flatnonzero(np.asarray(found) < found.chance + 0.1)
    return int(found.delays[below[0] if below.size else -1])


# ---- a real text ---------------------------------------------------------------------


def kind_of(sample: Sample) -> str:
    """How a text was made."""
    return "top" if sample.top_k else "drawn" if sample.temperature else "greedy"


def about_text(text: TextTour) -> dict[str, Any]:
    """Numbers of the text tour."""
    return {
        "hidden": text.hidden, "parameters": text.parameters, "passages": text.task.batch, "length": text.task.length,
        "text_updates": text.updates, "bits": text.bits, "letters_alone": text.letters_alone,
    }  # fmt: skip
