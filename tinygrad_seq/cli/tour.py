"""`tinygrad-seq tour`: train an RNN on HELLO, and write a report with pictures of its gradients."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tinygrad_seq.models.tour import Measured, WordTour, text_tour, word_tour
from tinygrad_seq.viz import draw_unrolled, plot_gradient_flow, plot_parts
from tinygrad_seq.viz.layout.graphviz_program import layout_program
from tinygrad_seq.viz.page import tour_page
from tinygrad_seq.viz.pictures.labels import token_text

from .. import __version__
from .files import chart_files, output_folder, write_all

__all__ = ["tour_command"]


@click.command("tour")
@click.option("--out", type=click.Path(), default="out/tour", show_default=True, help="Folder for the report.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Start of all random numbers."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def tour_command(out: str, seed: int, quiet: bool) -> None:
    """Train an RNN on HELLO and look at its gradients.

    Prints a table and writes a report with pictures, index.html, for a browser.
    """
    if not out:
        raise click.BadParameter("a folder needs a name", param_hint="--out")
    folder = Path(out)
    progress, answer = Console(stderr=True, quiet=quiet), Console(quiet=quiet, highlight=False, soft_wrap=False)
    layout_program()  # raises where there is no Graphviz program: before the work, not after it
    # More threads gain nothing on such small matrices, and where other programs run they wait for each other.
    with output_folder(folder), threadpool_limits(1):
        word = word_tour(seed, console=progress)
        text = text_tour(seed, console=progress)
        svgs, pngs = pictures(word)
        page = tour_page(word, text, svgs, seed=seed, version=__version__)
        files = {f"{name}.svg": svg.encode() for name, svg in svgs.items()}
        files |= {f"{name}.png": png for name, png in pngs.items()}
        write_all(folder, files | {"index.html": page.encode()})
    answer.print(table(word, word.before, "before training"))
    answer.print(table(word, word.after, f"after {word.updates} updates"))
    answer.print(Text(far(word)))
    answer.print(Text(f"The report: {folder / 'index.html'}"), soft_wrap=True)


def pictures(word: WordTour) -> tuple[dict[str, str], dict[str, bytes]]:
    """The pictures of the report, as SVG and as PNG."""
    letters = [word.task.vocabulary.token(i) for i in word.task.tokens.tolist()]
    steps, far = len(letters), len(word.before.far)
    last = word.before.losses[-1]
    drawings = {
        "unrolled": draw_unrolled(word.after.loss, tokens=letters, predictions=word.after.predictions),
        "last_loss": draw_unrolled(last, tokens=letters),
    }
    charts = {
        "parts": plot_parts(
            word.before.parts, tokens=letters, title=f"The part of each step in ∂L{below(steps)}/∂Wₓ, before training"
        ),
        "gradient_flow": plot_gradient_flow(
            {"at initialisation": word.before.far, f"after {word.updates} updates": word.after.far},
            title=f"‖∂L{below(far)}/∂hₜ‖, the gradient of the loss at step {far}",
        ),
    }
    svgs = {name: drawing.svg for name, drawing in drawings.items()}
    pngs = {name: drawing.png() for name, drawing in drawings.items()}
    for name, ax in charts.items():
        files = chart_files(name, ax)
        svgs[name], pngs[name] = files[f"{name}.svg"].decode(), files[f"{name}.png"]
    return svgs, pngs


def far(word: WordTour) -> str:
    """What is left of the gradient after many steps back, in words."""
    shares = [f"{m.far.norms[0]:.2g} of {m.far.norms[-1]:.2g}" for m in (word.before, word.after)]
    T = len(word.before.far)
    return f"{T} steps back, ‖∂L_{T}/∂h_1‖ of ‖∂L_{T}/∂h_{T}‖:\nbefore training {shares[0]}, after {shares[1]}"


def below(n: int) -> str:
    """A number as a subscript."""
    return str(n).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def table(word: WordTour, m: Measured, title: str) -> Table:
    """Per step: what went in, what should come out and what did, the loss, and the gradient of the last loss."""
    T = len(word.task.tokens)
    shown = Table(title=title, title_justify="left", title_style="bold")
    for head in ("t", "token", "target", "prediction", "L_t", f"‖∂L_{T}/∂h_t‖", f"‖∂L_{T}/∂W_x‖ at t"):
        shown.add_column(head, justify="center" if head in ("token", "target", "prediction") else "right")
    for i, (token, target) in enumerate(zip(word.task.tokens.tolist(), word.task.targets.tolist())):
        wanted, said = word.task.vocabulary.token(target), m.predictions[i]
        shown.add_row(
            str(i + 1), Text(token_text(word.task.vocabulary.token(token))), Text(token_text(wanted)),
            Text(token_text(said), style="green" if said == wanted else "red"), f"{m.losses[i].item():.3f}",
            f"{m.flow.norms[i]:.3g}", f"{m.parts.norms[i]:.3g}",
        )  # fmt: skip
    return shown
