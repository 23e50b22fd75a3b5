"""The tour as one HTML page: it needs no other file, no network and no script."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from .pictures.labels import token_text, visible

__all__ = ["chart_svg", "tour_page"]

SYMBOL = re.compile(r"(?<!\w)([hxbWLŷ])(?:_(?:\{([^}]*)\}|(\w+)))?(?!\w)")  # h, h_t, h_{t−1}
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def tour_page(word: Any, text: Any, figures: Mapping[str, str], *, seed: int, version: str) -> str:
    """The page of the tour, an HTML document.

    word, text: what the tour measured, `models.tour.WordTour` and `TextTour`.  figures: SVG documents, "unrolled",
    "last_loss", "parts" and "gradient_flow", which also lie beside the page as files, .svg and .png.
    """
    title = f"An RNN learns {spelled(word)}, and its gradient fades"
    sections = (
        network(word, figures), learning(word), fading(word, figures), parts(word, figures), far(word, figures),
        real_text(text),
    )  # fmt: skip
    beside = ", ".join(f'<a href="{name}.svg">{name}.svg</a> (<a href="{name}.png">png</a>)' for name in figures)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html(title)}</title>
<style>
{files(__package__).joinpath("page.css").read_text("utf-8")}</style>
</head>
<body>
<main>
<header>
<h1>{html(title)}</h1>
<p class="lead">A recurrent network reads {html(", ".join(tokens(word)))} and at each step says which letter comes next.
Here is what it computes, how a mistake travels back through time, and how little of it arrives.
Every number and picture comes from the record of one training run.</p>
</header>
{"".join(sections)}<footer>
<p>Made by <code>tinygrad-seq tour --seed {seed}</code> (tinygrad_seq {html(version)}).
The pictures lie beside this page, for slides: {beside}.</p>
</footer>
</main>
</body>
</html>
"""


# ---- the sections --------------------------------------------------------------------


def network(word: Any, figures: Mapping[str, str]) -> str:
    """What is computed."""
    T = len(word.task.tokens)
    one_hot = ", ".join(str(int(i == word.task.tokens[0])) for i in range(len(word.task.vocabulary)))
    return f"""<section>
<h2>What is computed</h2>
{equations("h_t = tanh(x_t W_x + h_{t−1} W_h + b)", "ŷ_t = h_t W_y + b_y", f"L = {sum_of('L', T)}")}
<p>Each letter comes in as a vector {formula("x")} with a single one: {html(tokens(word)[0])} is [{one_hot}].
The state {formula("h")} carries what came before. Each step has a loss {formula("L_t")}, the cross-entropy of its
prediction {formula("ŷ_t")} and the letter that comes next. The weights are the same at every step; in the picture they
are small labels at each place where they are used.</p>
{figure("unrolled", figures["unrolled"], "The unrolled graph of the network, after training", f'''
One pass of the trained network, a column for each step, time from left to right. Below the columns the letters that go
in, above them the predictions. The colour is the length of {formula("∂L/∂node")}, on a logarithmic scale: how much the
loss would change with that node. Point at a node to see what it is, and the source line that made it.''')}
</section>
"""


def learning(word: Any) -> str:
    """The table, before and after."""
    before, after = word.before, word.after
    T, size = len(word.task.tokens), len(word.task.vocabulary)
    targets = [word.task.vocabulary.token(i) for i in word.task.targets.tolist()]
    rows = []
    for i, (token, target) in enumerate(zip(tokens(word), targets)):
        cells = [f"<td>{i + 1}</td>", letter(token), letter(target)]
        for m in (before, after):
            numbers = (m.losses[i].item(), m.flow.norms[i], m.parts.norms[i])
            cells += [letter(m.predictions[i], m.predictions[i] == target), *(f"<td>{number(x)}</td>" for x in numbers)]
        rows.append(f"<tr>{''.join(cells)}</tr>\n")
    heads = "".join(
        f"<th{kind}>{said}</th>"
        for kind, said in (
            (' class="token"', "says"), ("", formula("L_t")), ("", formula(f"‖∂L_{T}/∂h_t‖")), ("", "part t"),
        )
    )  # fmt: skip
    solved = f" (all right for the first time after update {word.solved})" if word.solved else ""
    memory = ""
    if spelled(word) == "HELLO":
        memory = "<p>After the first L comes L, after the second O. The input is the same: only the state differs.</p>"
    return f"""<section>
<h2>It learns</h2>
<p>Before training the network says {html("".join(map(token_text, before.predictions)))}, and its loss is
{number(before.loss.item())}; to find all {size} letters equally likely would cost {T} · ln {size} =
{number(T * np.log(size))}. After {word.updates} updates it says
{html("".join(map(token_text, after.predictions)))}{solved}, and the loss is {number(after.loss.item())}.</p>
{memory}
<div class="wide" tabindex="0"><table>
<thead>
<tr><th colspan="3"></th><th colspan="4">before training</th><th colspan="4">after {word.updates} updates</th></tr>
<tr><th>t</th><th class="token">in</th><th class="token">next</th>{heads * 2}</tr>
</thead>
<tbody>
{"".join(rows)}</tbody>
</table></div>
<p>The last two columns of each half are what the rest of this page is about: the gradient of the last loss
{formula(f"L_{T}")} at each state, and the length of the part that step t adds to {formula(f"∂L_{T}/∂W_x")}. A loss that
is nearly zero has little gradient everywhere: compare within a column, not across.</p>
</section>
"""


def fading(word: Any, figures: Mapping[str, str]) -> str:
    """The gradient of the last loss alone."""
    norms, T = word.before.flow.norms, len(word.task.tokens)
    back = ", ".join(f"{number(norm)} at {formula(f'h_{t}')}" for t, norm in reversed(list(enumerate(norms, 1))))
    return f"""<section>
<h2>Who hears of a mistake at the end?</h2>
<p>Take the last loss alone, {formula(f"L_{T}")}, before training, and follow its gradient from right to left. Each step
back multiplies it by {formula("W_h")} (transposed) and by the slope of tanh, <span class="one">1 −
{formula("h")}²</span>, at most 1. Its length is {back}: the first step gets {share(norms[0], norms[-1])}
of what the last gets.</p>
{figure("unrolled", figures["last_loss"], "The unrolled graph of the last loss, before training", f'''
Where the gradient of {formula(f"L_{T}")} arrives, before training. Dark is much, pale is little.''')}
</section>
"""


def parts(word: Any, figures: Mapping[str, str]) -> str:
    """The lecture's ∂L_4/∂W_x = H + E + L + L."""
    m, T = word.before, len(word.task.tokens)
    difference = float(np.abs(m.parts.total - m.whole).max())
    agree = "exactly" if difference == 0 else f"up to {number(difference)}, which is rounding,"
    shares = ", ".join(f"{share:.0%} from {html(token)}" for share, token in zip(m.parts.shares, tokens(word)))
    return f"""<section>
<h2>The gradient of a shared weight is a sum</h2>
<p>{formula("W_x")} is used at each of the {T} steps, so its gradient has {T} parts, one for each letter:</p>
<div class="equations"><div>{formula(f"∂L_{T}/∂W_x")} = {html(" + ".join(tokens(word)))}</div></div>
{figure("chart", figures["parts"], "The length of the part of each step", f'''
The length of each part, before training; the axis is logarithmic. Added up the parts are {agree} the
{formula(f"∂L_{T}/∂W_x")} that backpropagation gives. Their shares of that sum, measured in its direction:
{shares}.''')}
</section>
"""


def far(word: Any, figures: Mapping[str, str]) -> str:
    """Many steps: the gradient vanishes."""
    before, after = word.before.far.norms, word.after.far.norms
    T = len(before)

    def compared(norms: np.ndarray) -> str:
        return f"it is {number(norms[-1])} there and {number(norms[0])} at step 1, {share(norms[0], norms[-1])} of it"

    return f"""<section>
<h2>{T} steps back</h2>
<p>Now let it read the word over and over, {T} letters, and look at the gradient of the loss at step {T}.
<b>At initialisation</b>, all weights evenly within ±1/√hidden as in PyTorch, {compared(before)}.
<b>After training</b> on the {len(tokens(word))} letters {compared(after)}.</p>
<p>With so small a share at the start a mistake at step {T} says next to nothing about step 1: trained on such long
texts, the network hardly learns what the far letters have to do with it. Nothing in the short word asks for a long
memory. What its training does to this curve it does by the way, and from another seed otherwise.</p>
{figure("chart", figures["gradient_flow"], f"Gradient magnitude at each of {T} steps", f'''
{formula(f"‖∂L_{T}/∂h_t‖")}, the whole gradient, through all later steps. A straight line on a logarithmic axis means:
every step back costs the same factor.''')}
</section>
"""


def real_text(text: Any) -> str:
    """The character model and what it writes."""
    samples = []
    for sample in text.samples:
        how = f"temperature {sample.temperature:g}"
        how += ", always the most likely character" if sample.temperature == 0 else ""
        how += f", among the {sample.top_k} most likely characters" if sample.top_k else ""
        said = f"<b>{html(text.prompt)}</b>" + "\n".join(map(html, sample.text.split("\n")))
        samples.append(f'<blockquote><div class="how">{how}</div><pre>{said}</pre></blockquote>\n')
    return f"""<section>
<h2>The same network on a real text</h2>
<p>With {text.hidden} hidden units, {text.parameters:,} parameters, it reads <i>Alice’s Adventures in Wonderland</i>
(Lewis Carroll, 1865), {text.task.batch} passages of {text.task.length} characters at a time, {text.updates} times. On
the last tenth of the book, which it has not seen, it then needs {text.bits:.2f} bits for a character; who only knows
how often each character occurs needs {text.letters_alone:.2f}. What it predicts becomes its next input, and so it
writes:</p>
{"".join(samples)}</section>
"""


# ---- what sections are made of -------------------------------------------------------


def equations(*lines: str) -> str:
    return f'<div class="equations">{"".join(f"<div>{formula(line)}</div>" for line in lines)}</div>'


def figure(kind: str, svg: str, said: str, caption: str) -> str:
    picture = f'<div class="sheet" tabindex="0">{inline(svg, said)}</div>'
    return f'<figure class="{kind}">{picture}<figcaption>{caption.strip()}</figcaption></figure>'


def letter(token: str, right: bool = True) -> str:
    return f'<td class="token{"" if right else " wrong"}">{html(token_text(token))}</td>'


def tokens(word: Any) -> list[str]:
    """The letters that go in."""
    return [token_text(word.task.vocabulary.token(i)) for i in word.task.tokens.tolist()]


def spelled(word: Any) -> str:
    """The whole word."""
    return "".join([*tokens(word), token_text(word.task.vocabulary.token(int(word.task.targets[-1])))])


def sum_of(symbol: str, T: int) -> str:
    return " + ".join(f"{symbol}_{t}" for t in range(1, T + 1)) if T <= 6 else f"{symbol}_1 + … + {symbol}_{T}"


def share(x: float, y: float) -> str:
    """How much of y is x."""
    return number(x / y) if y and np.isfinite([x, y]).all() else "no share"


def html(content: str) -> str:
    """Text made safe: what would break the page or hide in it becomes visible."""
    return escape(visible(content))


def formula(content: str) -> str:
    """The letters of an equation in italics, what stands after `_` as a subscript.

    >>> formula("h_{t−1} W_h")
    '<var>h</var><sub>t−1</sub> <var>W</var><sub>h</sub>'
    """

    def set_in_type(match: re.Match[str]) -> str:
        below = match[2] or match[3]
        return f"<var>{match[1]}</var>" + (f"<sub>{below}</sub>" if below else "")

    typeset = SYMBOL.sub(set_in_type, html(content))
    return f'<span class="one">{typeset}</span>' if "/" in content else typeset


def number(x: float) -> str:
    """A number to three digits, a very small or large one with its power of ten.

    >>> number(0.0123456), number(2.5e-9)
    ('0.0123', '2.5 · 10<sup>−9</sup>')
    """
    if x == 0 or not np.isfinite(x):
        return f"{x:g}"
    if 1e-4 <= abs(x) < 1e5:
        return f"{float(f'{x:.3g}'):,.10g}"
    digits, power = f"{x:.1e}".split("e")
    return f"{digits} · 10<sup>{int(power)}</sup>".replace("-", "−")


# ---- pictures ------------------------------------------------------------------------


def chart_svg(ax: Axes) -> str:
    """A chart as an SVG document, letters as shapes; the same bytes for the same chart."""
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "tinygrad_seq", "svg.fonttype": "path"}):
        ax.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})  # type: ignore[union-attr]
    return buffer.getvalue().decode()


def inline(svg: str, said: str) -> str:
    """An SVG document as part of a page: as wide as there is room, with ids of its own, and described."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.fromstring(svg)
    own = "-".join(re.findall(r"\w+", said.lower()))
    for element in list(root.iter()):
        for child in list(element):
            if child.tag == f"{{{SVG}}}metadata":
                element.remove(child)
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, f"{own}-{value}")
            elif name.endswith("href") and value.startswith("#"):
                element.set(name, f"#{own}-{value[1:]}")
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{own}-"))
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", said)
    return ElementTree.tostring(root, encoding="unicode")
