"""The pictures of a tour: each chapter's measures as drawings and charts, by the names that the texts give them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_seq.models.tour import Chapter
from tinygrad_seq.viz import (
    Chart,
    Drawing,
    animate_gradient_flow,
    draw_unrolled,
    plot_attention,
    plot_complexity,
    plot_distance,
    plot_gates,
    plot_gradient_flow,
    plot_influence,
    plot_memory,
    plot_parts,
    plot_saturation,
    plot_singular_values,
)
from tinygrad_seq.viz.charts.fonts import families
from tinygrad_seq.viz.report import Texts

from ...gradflow import PerStep, Series
from ..files import chart_files

__all__ = ["Words", "files_of", "pictures_of"]

BEGIN, END = "⊢", "⊣"  # of a word
Picture = Drawing | Chart | bytes  # bytes: an animation


class Words:
    """What the texts say of the pictures of one chapter: their titles, and the labels of their lines."""

    def __init__(self, chapter: Chapter, texts: Texts) -> None:
        self.chapter, self.texts = chapter, texts
        self.figures = texts.figures(chapter.name)

    def title(self, name: str) -> str | None:
        """The title of a picture."""
        title = self.figures[name].get("title")
        return None if title is None else self.texts.plain(title, self.chapter.values)

    def labels(self, name: str) -> list[str]:
        """What its lines are called."""
        return [self.texts.plain(label, self.chapter.values) for label in self.figures[name]["labels"]]

    def axes(self, name: str, chart: Chart) -> Chart:
        """The chart with what the texts call its axes."""
        across, up = (self.texts.plain(label, self.chapter.values) for label in self.figures[name]["axes"])
        for n, ax in enumerate(chart.axes):
            ax.set_xlabel(across, fontfamily=families(), parse_math=False)
            ax.set_ylabel("" if n else up, fontfamily=families(), parse_math=False)
        return chart

    def distance(self, name: str, measured: Mapping[str, Mapping[str, np.ndarray]]) -> Chart:
        """Gradient against distance, a panel for each moment."""
        return self.axes(name, plot_distance(self.panels(measured), title=self.title(name)))

    def panels(self, measured: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
        """Measures by moment and by model, under the names of both."""
        name = self.texts.name
        return {name(when): {name(model): runs for model, runs in of.items()} for when, of in measured.items()}


def pictures_of(chapter: Chapter, texts: Texts) -> dict[str, Picture]:
    """The pictures of a chapter."""
    return DRAWN[chapter.name](chapter.shown, Words(chapter, texts))


def files_of(pictures: Mapping[str, Picture]) -> tuple[dict[str, str], dict[str, bytes]]:
    """What stands in the page, an SVG or the name of a file, and the files that lie beside it."""
    inside: dict[str, str] = {}
    beside: dict[str, bytes] = {}
    for name, picture in pictures.items():
        if isinstance(picture, bytes):
            inside[name] = f"{name}.gif"
            beside[f"{name}.gif"] = picture
        elif isinstance(picture, Drawing):
            inside[name] = picture.svg
            beside |= {f"{name}.svg": picture.svg.encode(), f"{name}.png": picture.png()}
            beside[f"{name}.html"] = picture.html().encode()  # with the player
        else:
            files = chart_files(name, picture)
            inside[name] = files[f"{name}.svg"].decode()
            beside |= files | {f"{name}.csv": picture.to_csv().encode()}
    return inside, beside


# ---- chapter by chapter --------------------------------------------------------------


def of_rnn(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """The word, its unrolled graph, what its gradient is made of, and what fades."""
    word, fading = shown["word"], shown["fading"]
    letters = [word.task.vocabulary.token(i) for i in word.task.tokens.tolist()]
    far = dict(zip(words.labels("gradient_flow"), (word.before.far, word.after.far)))
    faded = dict(zip(words.labels("rnn_memory"), (fading["before"], fading["after"])))
    return {
        "unrolled": draw_unrolled(word.after.loss, tokens=letters, predictions=word.after.predictions),
        "last_loss": draw_unrolled(word.before.losses[-1], tokens=letters),
        "parts": plot_parts(word.before.parts, tokens=letters, title=words.title("parts")),
        "gradient_flow": plot_gradient_flow(far, title=words.title("gradient_flow")),
        "rnn_singular_values": plot_singular_values(
            shown["jacobians"]["before"], title=words.title("rnn_singular_values")
        ),
        "rnn_memory": words.axes("rnn_memory", plot_memory(faded, title=words.title("rnn_memory"))),
    }


def of_lstm(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """The textbook's cell, gradient against distance, along C and along h, gates, saturation."""
    along = zip(words.labels("lstm_along"), map(over_time, shown["along"]["after"].values()))
    flows = {"init": shown["flows"], "trained": shown["trained"]}
    tokens = shown["tokens"]
    return {
        "lstm_cell": draw_unrolled(shown["figure"], style="textbook", tokens=list("HEL")),
        "lstm_flow": words.distance("lstm_flow", flows),
        "lstm_along": words.axes("lstm_along", plot_gradient_flow(dict(along), title=words.title("lstm_along"))),
        "lstm_gates": plot_gates(
            shown["traces"]["after"], ["f", "i", "o", "C"], tokens=tokens, title=words.title("lstm_gates")
        ),
        "lstm_saturation": plot_saturation(
            shown["saturation"]["after"], tokens=tokens, title=words.title("lstm_saturation")
        ),
    }


def of_gru(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """Gradient against distance, and the singular values of a step."""
    flows = {"init": shown["flows"], "trained": shown["trained"]}
    return {
        "gru_flow": words.distance("gru_flow", flows),
        "gru_singular_values": plot_singular_values(
            shown["jacobians"]["after"], title=words.title("gru_singular_values")
        ),
    }


def of_seq2seq(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """The graph, influence before and after training, letters read off the context vector."""
    read = dict(zip(words.labels("seq2seq_memory"), shown["read"].values()))
    read_written = {"encoder": [*"ABC", END], "decoder": [BEGIN, *"CBA"]}
    across, down = around(shown["word"])
    return {
        "seq2seq_unrolled": draw_unrolled(shown["loss"], level="steps", tokens=read_written),
        "seq2seq_influence": plot_influence(
            shown["reach"]["before"], tokens=across, outputs=down, title=words.title("seq2seq_influence")
        ),
        "seq2seq_influence_after": plot_influence(
            shown["reach"]["after"], tokens=across, outputs=down, title=words.title("seq2seq_influence_after")
        ),
        "seq2seq_memory": words.axes("seq2seq_memory", plot_memory(read, title=words.title("seq2seq_memory"))),
    }


def of_attention(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """The alignment map, quality by length, influence with attention, and inside the encoder."""
    across, down = around(shown["word"])
    lengths = [
        SimpleNamespace(delays=np.arange(1, len(shares) + 1), scores=shares, chance=np.nan)
        for shares in shown["by_length"].values()
    ]
    by_length = plot_memory(dict(zip(words.labels("attention_length"), lengths)), title=words.title("attention_length"))
    return {
        "attention_map": plot_attention(shown["weights"], across, down, title=words.title("attention_map")),
        "attention_length": words.axes("attention_length", by_length),
        "attention_influence": plot_influence(
            shown["reach"]["attending_before"], tokens=across, outputs=down, title=words.title("attention_influence")
        ),
        "attention_inside": plot_influence(shown["inside"], tokens=across, title=words.title("attention_inside")),
    }


def of_self_attention(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """Gradient against distance, what a mask hides, and the complexity table."""
    flows = {"init": shown["flows"], "trained": shown["trained"]}
    fits = {words.texts.name(name): fit for name, fit in shown["fits"].items()}
    return {
        "self_attention_flow": words.distance("self_attention_flow", flows),
        "self_attention_mask": plot_influence(shown["reach"], title=words.title("self_attention_mask")),
        "complexity": plot_complexity(fits, title=words.title("complexity")),
    }


def of_ending(shown: Mapping[str, Any], words: Words) -> dict[str, Picture]:
    """The central figure, and how it came about for one model."""
    flows = {when: shown[when] for when in ("init", "trained")}
    return {
        "gradient_distance": words.distance("gradient_distance", flows),
        "training": animation(shown["frames"], words),
    }


DRAWN: Mapping[str, Callable[[Mapping[str, Any], Words], dict[str, Picture]]] = {
    "rnn": of_rnn, "lstm": of_lstm, "gru": of_gru, "seq2seq": of_seq2seq, "attention": of_attention,
    "self-attention": of_self_attention, "ending": of_ending,
}  # fmt: skip


def over_time(norms: np.ndarray, name: str = "h") -> Series:
    """Norms of the gradient of something as a series of steps 1 … T."""
    series = Series(name, range(1, len(norms) + 1), norms)
    series.sign = PerStep.sign
    return series


def around(word: str) -> tuple[list[str], list[str]]:
    """What is read, and what is written: the word, and the word backwards, each with its end."""
    return [*word, END], [*word[::-1], END]


def animation(frames: list[tuple[int, np.ndarray]], words: Words) -> bytes:
    """The gradient after so many updates, frame by frame, as a GIF."""
    (label,) = words.figures["training"]["labels"]
    labelled = [(words.texts.plain(label, {"update": update}), over_time(norms, "x")) for update, norms in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "training.gif")
        animate_gradient_flow(labelled, path, title=words.title("training"))
        return path.read_bytes()
