"""What random programs are made of: every function of the library, as a line of Python with gaps.

A `Template` is text.  `{0}`, `{1}`, … are gaps for values made earlier, `{y}` is the name of the result, and every
other gap is a choice among texts that fit the values.  What is printed is what is run: there is no second definition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .choices import (
    FLAG,
    NUMBER,
    REDUCTION,
    Choice,
    counting,
    exponents,
    forms,
    indices,
    labels,
    larger,
    masks,
    one_axis,
    orders,
    places,
    rows,
    some_axes,
    these,
)
from .fitting import (
    NEAR,
    Check,
    alongside,
    anything,
    apart_by,
    broadcast,
    halved,
    joined,
    matrix,
    multiplied,
    multiplied_by_table,
    nonzero,
    positive,
    row,
    same,
    sequence,
    solid,
    spelt,
    state,
    state_of_row,
    table,
    vector,
    within,
)

__all__ = ["Template", "template", "templates"]


@dataclass(frozen=True)
class Template:
    """One instruction with gaps.

    fits: for each argument, whether an array can be it: called with the arguments before it, and with itself.
    choices: for every other gap, the texts to choose from, the simplest first: called with all arguments; or a strategy
    of hypothesis for the value.  result: whether the value is one to go on with.  name: the function that it calls.
    """

    text: str
    fits: tuple[Check, ...]
    choices: dict[str, Any] = field(default_factory=dict)
    result: Check | None = None
    name: str = ""

    @property
    def recurrent(self) -> bool:
        """Whether it has time steps."""
        return "steps(" in self.text


def template(text: str, *fits: Check, result: Check | None = None, name: str = "", **choices: Any) -> Template:
    """A template; where it is not said what fits, the first argument is any, and the others broadcast with it."""
    called = re.match(r"F\.(\w+)", text)
    text = text if "{y}" in text else f"{{y}} = {text}"
    n = len(set(re.findall(r"{(\d)}", text)))
    defaults = (anything, *[broadcast] * (n - 1))
    return Template(
        text, (*fits, *defaults[len(fits) :]), choices, result, name or (called.group(1) if called else "")
    )


# ---- the table -----------------------------------------------------------------------


def elementwise(apart: Check) -> list[Template]:
    """Functions of one element at a time."""
    return [
        template("-{0}", name="neg"),
        template("{0} * {number}", number=NUMBER),
        template("{0} + {1}", name="add"),
        template("{0} * {1}", name="mul"),
        template("{0} - {1}", name="sub"),
        template("F.tanh({0})"),
        template("F.sigmoid({0})"),
        template("F.sin({0})"),
        template("F.cos({0})"),
        template("F.exp({0})", within(4)),
        template("F.expm1({0})", within(4)),
        template("F.log({0})", positive),
        template("F.log({0} * {0} + 1)"),
        template("F.log1p({0})", lambda x: positive(x + 1)),
        template("F.sqrt({0})", positive),
        template("F.sqrt({0} * {0} + 0.5)"),
        template("F.softplus({0})"),
        template("F.silu({0})"),
        template("F.gelu({0}{approximate})", approximate=these("", ', "tanh"')),
        template("F.erf({0})"),
        template("F.relu({0})", apart),
        template("F.leaky_relu({0}, {slope})", apart, slope=these(0.01, 0.2)),
        template("{0} / {1}", anything, nonzero, name="div"),
        template("{0} / (2 + F.cos({1}))"),
        template("{number} / {0}", nonzero, number=NUMBER),
        template("{number} - {0}", number=these(1, 0.5)),
        template("{0} ** {exponent}", exponent=exponents, name="pow"),
        template("{0} ** {1}", positive, name="power"),
        template("2.0 ** {0}", within(4)),
        template("F.maximum({0}, {1})", anything, lambda x, y: broadcast(x, y) and apart(x - y)),
        template("F.minimum({0}, {1})", anything, lambda x, y: broadcast(x, y) and apart(x - y)),
        template("F.maximum({0}, {number})", lambda x: apart(x) and apart(x - 0.5), number=these(0.0, 0.5)),
        template("F.clip({0}, {low}, 0.5)", lambda x: apart(x * x - 0.25), low=these(-0.5, None)),
        template("F.where({0} > {1}, {0}, {1})", anything, lambda x, y: broadcast(x, y) and apart(x - y)),
        template("F.where({0} > 0, {0}, F.sin({0}))", apart),
        template("F.where({mask}, {0}, {1})", mask=masks),
        template("F.masked_fill({0}, {mask}, {value})", mask=masks, value=these(0.0, -1.0)),
    ]


def unanalytic(apart: Check) -> list[Template]:
    """Functions that are none of complex numbers."""
    return [template("F.abs({0})", apart), template("F.sign({0})", lambda x: bool((np.abs(x) > NEAR).all()))]


def reductions(apart: Check) -> list[Template]:
    """Functions along an axis."""

    def untied(x: Any) -> bool:
        return x.size > 0 and apart(np.diff(np.sort(x, axis=None)))

    def spread(x: Any) -> bool:
        return x.ndim > 0 and x.shape[-1] > 1 and x.size > 0 and bool((x.var(axis=-1) > 0.01).all())

    def reduction(text: str, *fits: Check, result: Check | None = None, **choices: Any) -> Template:
        options = {"axis": some_axes, "keepdims": FLAG, **choices}
        return template(f"{text}, axis={{axis}}, keepdims={{keepdims}})", *fits, result=result, **options)

    return [
        reduction("F.sum({0}"),
        reduction("F.mean({0}", solid),
        reduction("F.max({0}", untied),
        reduction("F.min({0}", untied),
        reduction("F.prod({0}"),
        reduction("F.var({0}, ddof={ddof}", lambda x: row(x) and min(x.shape) > 1, ddof=these(0, 1)),
        reduction("F.std({0}, ddof={ddof}", lambda x: row(x) and min(x.shape) > 1, ddof=these(0, 1), result=apart),
        reduction("F.norm({0}", solid, result=apart),
        reduction("F.logsumexp({0}", solid),
        template("F.cumsum({0}, axis={axis})", row, axis=one_axis),
        template("F.softmax({0}, axis={axis})", row, axis=one_axis),
        template("F.log_softmax({0}, axis={axis})", row, axis=one_axis),
        template("F.layer_norm({0}, {sizes})", spread, sizes=lambda x: [str(x.shape[-1:]), str(x.shape)]),
        template(
            "F.layer_norm({0}, {size}, {1}, {2})", spread, state_of_row, state_of_row, size=lambda x, *_: [x.shape[-1]]
        ),
    ]


def products() -> list[Template]:
    """Products of vectors and matrices."""
    einsums = ["ij->ji", "i,i->", "i,j->ij", "ij,jk->ik", "ij,ij->i", "ii->i", "ij,j", "ij,ij,i->j"]
    return [
        template("{0} @ {1}", row, multiplied, name="matmul"),
        template("{0} @ {0}.mT", matrix),
        template("F.dot({0}, {1})", vector, same),
        template("F.outer({0}, {1})", vector, vector),
        *[
            template(
                f'F.einsum("{letters}", {", ".join(f"{{{i}}}" for i in range(letters.count(",") + 1))})',
                *spelt(letters),
            )
            for letters in einsums
        ],
        template(
            "F.affine({0}, {1}, {2})", row, multiplied_by_table, lambda x, W, b: b.ndim == 1 and len(b) == len(W[0])
        ),
        template("F.affine({0}, F.outer({0}, {0}), {0})", vector),
        template("F.affine({0}, {0}.T, {0}[:, 0])", table),
        template("F.linear({0}, {1})", row, lambda x, W: W.ndim == 2 and W.size > 0 and W.shape[1] == x.shape[-1]),
        template("F.linear({0}, {0}, {0}[:, 0])", table),
        template(
            "F.scaled_dot_product_attention({0}, {1}, {2}{options})",
            matrix,
            lambda q, k: matrix(k) and (*k.shape[:-2], k.shape[-1]) == (*q.shape[:-2], q.shape[-1]),
            lambda q, k, v: matrix(v) and v.shape[:-1] == k.shape[:-1],
            options=these("", ", is_causal=True"),
        ),
    ]


def movements() -> list[Template]:
    """Taking, joining, reshaping."""
    return [
        template("{0}[{index}]", index=indices, name="getitem"),
        template("{0}.T"),
        template("F.concat([{0}, {1}], axis={axis})", row, joined, axis=one_axis),
        template("F.concat([{0}, {1}, {0}], axis=-1)", row, joined),
        template("F.stack([{0}, {1}], axis={axis})", anything, same, axis=lambda x, _: [0, -1, x.ndim]),
        template("F.reshape({0}, {shape})", shape=forms),
        template("F.flatten({0})"),
        template("F.transpose({0}, {axes})", row, axes=orders),
        template("F.permute({0}, {axes})", row, axes=orders),
        template("F.swapaxes({0}, 0, -1)", row),
        template("F.unsqueeze({0}, {axis})", axis=lambda x: [0, -1, x.ndim]),
        template("F.squeeze({0})"),
        template("F.broadcast_to({0}, {shape})", shape=larger),
        template("F.expand({0}, {shape})", shape=lambda x: [(2, *[-1] * x.ndim)]),
        template("F.flip({0}, axis={axis})", axis=some_axes),
        template("F.roll({0}, {shift}, axis={axis})", row, shift=these(1, -2), axis=lambda x: ["None", *one_axis(x)]),
        template("F.tril({0}, {k})", matrix, k=these(0, 1, -1)),
        template("F.triu({0}, {k})", matrix, k=these(0, 1, -1)),
        template("F.pad({0}, {width})", row, width=these(1, "(0, 2)", "(1, 0), 1.5")),
        template("F.repeat({0}, 2, axis={axis})", row, axis=lambda x: ["None", *one_axis(x)]),
        template("F.chunk({0}, 2, axis={axis})[{k}]", row, axis=one_axis, k=these(0, -1)),
        template("F.split({0}, [1], axis={axis})[{k}]", row, axis=one_axis, k=these(0, 1)),
        template("F.take({0}, {rows}, axis=0)", row, rows=rows),
        template("F.take({0}, [0, -1, 0])", solid),
        template("F.gather({0}, 0, {places})", row, places=places(0)),
        template("F.gather({0}, -1, {places})", row, places=places(-1)),
        template("F.embedding({rows}, {0})", table, rows=rows),
        template(
            "F.scatter({0}, {index}, {shape})",
            row,
            index=lambda x: [(np.arange(len(x)) // 2).tolist(), np.arange(len(x), 0, -1).tolist()],
            shape=lambda x: [(len(x) + 1, *x.shape[1:])],
        ),
        template("F.scatter_add({0}, 0, {places}, {1})", row, alongside, places=places(0)),
        template("F.scatter_add({0}, -1, {places}, {1})", row, alongside, places=places(-1)),
        template("F.gates({0}, F.sigmoid, F.tanh)[{k}]", halved, k=these(0, 1)),
        template("F.gates(F.concat([{0}, {1}], axis=-1), F.sigmoid, F.tanh)[{k}]", row, same, k=these(0, 1)),
        template("f, z = F.gates({0}, F.sigmoid, F.tanh)\n{y} = f * z", halved),
    ]


def losses() -> list[Template]:
    """Losses, reduced and not."""
    labelled: dict[str, Any] = {"labels": labels(-1), "reduction": REDUCTION, "options": counting}
    return [
        template("F.mse_loss({0}, {1}, reduction={reduction})", solid, same, reduction=REDUCTION),
        template(
            "F.binary_cross_entropy_with_logits({0}, F.sigmoid({1}), reduction={reduction}{options})",
            solid,
            same,
            reduction=REDUCTION,
            options=these("", ", pos_weight=3.0"),
        ),
        template("F.cross_entropy({0}, {labels}, axis=-1, reduction={reduction}{options})", row, **labelled),
        template("F.cross_entropy({0}, {labels}, axis=0, label_smoothing=0.25)", row, labels=labels(0)),
        template("F.cross_entropy({0}, F.softmax({1}), axis=-1)", row, same),
        template("F.nll_loss({0}, {labels}, axis=-1, reduction={reduction}{options})", row, **labelled),
        template("F.nll_loss(F.log_softmax({0}, 0), {labels}, axis=0)", row, labels=labels(0)),
    ]


def recurrences(functions: Sequence[str]) -> list[Template]:
    """Unrolled loops over the first axis.  functions: what a new state is squashed by."""
    f = these(*functions)
    loop = "for t, x_t in steps({0}{time}):\n    "
    time = these("", ", reverse=True", ", start=0")

    def recurrence(before: str, body: str, *fits: Check, time: Choice = time) -> Template:
        return template(before + loop + body, sequence, *fits, f=f, time=time)

    def square(x: Any, W: Any) -> bool:
        return x.ndim == 2 and W.shape == (x.shape[1], x.shape[1])

    return [
        recurrence("{y} = {1}\n", "{y} = {f}(x_t + {y})", state),
        recurrence("{y} = {1}\n", '{y} = {f}(x_t * {2} + {y}).named("h")', state, state),
        recurrence("{y} = {0}[0]\n", "{y} = {f}(x_t @ {1} + {y} @ {1})", square),
        template(
            f"W = {{0}}.T @ {{0}}\n{{y}} = {{0}}[0]\n{loop}{{y}} = {{f}}(x_t @ W + {{y}} @ W)",
            lambda x: sequence(x) and x.ndim == 2,
            f=f,
            time=time,
        ),
        recurrence(
            "{y} = {1}\n",
            "z = F.sigmoid(x_t + {y})\n    {y} = (1 - z) * {y} + z * {f}(x_t * {2})",
            state,
            state,
        ),
        recurrence("{y}, C = {1}, {2}\n", "C = F.sigmoid({y}) * C + x_t\n    {y} = {f}(C)", state, state),
        recurrence(
            "hs = [{0}[0] + {1}]\n",
            "past = F.stack(hs)\n    weights = F.softmax(past * x_t, axis=0)\n"
            "    hs.append({f}((weights * past).sum(axis=0) + x_t))\n{y} = hs[-1]",
            state,
        ),
        recurrence(
            "hs = [{1}]\n",
            "hs.append({f}(hs[-1] / t + x_t))\n{y} = F.stack(hs[1:])",
            state,
            time=these("", ", reverse=True"),
        ),
    ]


def templates(*, recurrent: bool = True, smooth: bool = False, functions: Sequence[str] = ()) -> list[Template]:
    """All templates, the simplest first.

    recurrent: with unrolled recurrences.  smooth: only where a function of complex numbers has a derivative.
    functions: names of functions of one argument, for new states to go through, beside the library's.
    """
    apart = apart_by(smooth)
    found = [
        *elementwise(apart),
        *([] if smooth else unanalytic(apart)),
        *reductions(apart),
        *products(),
        *movements(),
        *losses(),
    ]
    loops = recurrences(["F.tanh", *functions, "F.sin", "F.sigmoid"]) if recurrent else []
    return [*found, *loops, *loops]  # twice: they are few among the many
