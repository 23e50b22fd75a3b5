"""Whole random computations: drawn from a genome, shrunk gene by gene, printed as Python that runs as it is.

A genome is a list of genes, a few bytes each.  A gene says which template (see `instructions`), on which of the values
made so far, and with which fixed arguments; each byte is counted modulo what is possible, so that any genes make a
program, and any genes taken away leave one.  A gene for which nothing is possible is passed over.  Bytes of 0 mean the
simplest: so hypothesis, which shortens lists and lowers bytes, comes down to the smallest program that still fails.
"""

from __future__ import annotations

import inspect
import linecache
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
from hypothesis import strategies as st

from ... import functional as F
from ...errors import DataError
from ...graph import Graph, enable_grad, no_grad, scope, steps
from ...ops import table
from ...tensor import Tensor
from .fitting import anything
from .instructions import Template, template, templates

__all__ = ["Program", "programs"]

LARGEST = 1e3  # of the values: what is much larger leaves no digits for differences
ELEMENTS, AXES = 48, 4  # the most that a value may have
SHAPES = [(), (1,), (2,), (3,), (2, 1), (2, 3), (3, 3), (2, 3)] * 8
SHAPES[-2:] = [(2, 0), (0,)]
GENE = 16  # bytes: the template, three arguments, three choices, the scope, and eight that take it to pieces
LEAF = 10  # bytes: the shape, and its numbers
ALIASES = {"sigmoid_part": "gates", "tanh_part": "gates", "mse": "mse_loss", "nll": "nll_loss"}
NAMESPACE = {"F": F, "np": np, "Tensor": Tensor, "scope": scope, "steps": steps}
RESERVED = re.compile(r"[xyh]\d+|[fztCW]|x_t|hs|past|weights|program|gradcheck|" + "|".join(NAMESPACE))


@dataclass(frozen=True, repr=False, eq=False)
class Program:
    """A function that was drawn, with what it starts from.

    leaves: tensors that require a gradient, named x0, x1, ….  source: all of it as Python, to paste into a file.
    Called with leaves, or with others of their shapes, it runs the function in that source, and gives its result, an
    array in general.  The lines that a node's `source` names are those of the text.

    >>> from tinygrad_seq import Tensor
    >>> print(Program([Tensor([0.5], name="x0")], "def program(x0):\\n    return x0 * 2\\n\\n\\ngradcheck(…)"))
    def program(x0):
        return x0 * 2
    <BLANKLINE>
    <BLANKLINE>
    gradcheck(…)
    """

    leaves: list[Tensor]
    source: str
    namespace: Mapping[str, Any] = field(default_factory=lambda: NAMESPACE)

    def __call__(self, *leaves: Any) -> Any:
        """The result, recorded, of the leaves given."""
        if self.filename not in linecache.cache:
            remember(self.filename, self.source)
        return self.function(*leaves)

    @cached_property
    def filename(self) -> str:
        """What the source lines of its nodes are said to be in, such as "<program 3f2a>"."""
        return f"<program {crc32(self.source.encode()) % 0x10000:04x}>"

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function in the source, compiled."""
        before, after = self.source.index("def program("), self.source.rindex("gradcheck(")
        text = "\n" * self.source.count("\n", 0, before) + self.source[before:after]  # so that lines keep their numbers
        made = dict(self.namespace)
        exec(compile(text, self.filename, "exec"), made)  # noqa: S102 - what is printed is what is run
        function: Callable[..., Any] = made["program"]
        return function

    @property
    def ops(self) -> int:
        """How many ops are in the record of the result."""
        return sum(node.op is not None for node in Graph(self(*self.leaves)))

    def __repr__(self) -> str:
        return self.source

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis shows of a counterexample: the source, from a line of its own on."""
        printer.text("\n" + self.source)


def remember(filename: str, source: str) -> None:
    """Let tracebacks and debuggers show the source of a program; the latest thousand are kept."""
    REMEMBERED[filename] = None
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    if len(REMEMBERED) > 1000:
        oldest = next(iter(REMEMBERED))
        del REMEMBERED[oldest]
        linecache.cache.pop(oldest, None)


REMEMBERED: dict[str, None] = {}


# ---- what there is to draw from ------------------------------------------------------


class Vocabulary:
    """The templates to choose from, in what they run, and what a file needs at its top for them to run there."""

    def __init__(self, ops: Sequence[Any], recurrent: bool, smooth: bool) -> None:
        self.namespace: dict[str, Any] = dict(NAMESPACE)
        self.imports: dict[str, str] = {}
        own: list[Template] = []
        squashing = []
        for op, fixed in map(with_fixed, ops):
            name = self.enter(op)
            own += calls(op, name, fixed)
            if not fixed and len(own[-1].fits) == 1:
                squashing.append(name)
        rest = templates(recurrent=recurrent, smooth=smooth, functions=squashing)
        self.templates = [*own * (len(rest) // (2 * len(own)) if own else 0), *rest]
        named = {plan.name: plan for plan in reversed(self.templates)}
        self.simplest = {op: named.get(ALIASES.get(name, name)) for name, op in vars(table).items()}
        self.compiled = lru_cache(4096)(self.compile)

    def enter(self, op: Any) -> str:
        """Give a user's op a name, and say how a file gets it."""
        module, name = home(op)
        own = name if name.isidentifier() else "op"
        while own in self.namespace or RESERVED.fullmatch(own):
            own += "_"
        self.namespace[own] = op
        self.imports[own] = (
            f"from {module} import {name}" + (f" as {own}" if own != name else "")
            if module
            else f"# put the definition of {own} here: {whereabouts(op)}"
        )
        return own

    def compile(self, text: str, arguments: int) -> Callable[..., Any]:
        """The function that runs an instruction on so many arguments."""
        names = [f"x{i}" for i in range(arguments)]
        lines = "\n".join(f"    {line}" for line in text.format(*names, y="y").splitlines())
        made: dict[str, Any] = dict(self.namespace)
        exec(f"def run({', '.join(names)}):\n{lines}\n    return y", made)  # noqa: S102 - the text that is printed
        run: Callable[..., Any] = made["run"]
        return run

    def run(self, text: str, *xs: Tensor) -> Any:
        """What an instruction makes of some tensors."""
        return self.compiled(text, len(xs))(*xs)

    def part(self, one: Made, xs: Sequence[Tensor], switches: bytes) -> Template | None:
        """The template of one of the several ops that an instruction consists of: that whose switch is 0.

        Bytes are seldom 0, but when an example is shrunk each is tried: so a long instruction gives way to the op in it
        that is wrong.
        """
        with enable_grad():
            y = self.run(one.text, *[Tensor(x.data, requires_grad=True) for x in xs])
        ops = list(dict.fromkeys(node.op for node in Graph(y) if node.op))
        found = [self.simplest.get(op) for op, switch in zip(ops, switches) if not switch]
        return found[0] if found and len(ops) > 1 else None


def with_fixed(op: Any) -> tuple[Any, dict[str, Any]]:
    """An op, or an op and its fixed arguments, as a pair; checked."""
    op, fixed = op if isinstance(op, tuple) else (op, {})
    if not callable(op):
        raise DataError(
            f"programs needs ops that can be called with tensors, got {op!r}: give the function that records it, or "
            "make it a tinygrad_seq.Op"
        )
    missing = [
        p.name for p in parameters(op) if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in fixed
    ]
    if missing:
        raise DataError(
            f"programs needs values for the keyword-only arguments {', '.join(missing)} of {op!r}: give the pair "
            f'(op, {{"{missing[0]}": [a list of values, or a strategy]}})'
        )
    return op, dict(fixed)


def parameters(op: Any) -> list[inspect.Parameter]:
    """The parameters of an op, or of the function that it is."""
    if isinstance(op, np.ufunc):
        return [inspect.Parameter(f"x{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(op.nin)]
    return list(inspect.signature(getattr(op, "forward", op)).parameters.values())


def calls(op: Any, name: str, fixed: dict[str, Any]) -> list[Template]:
    """Templates that call a user's op: on arguments that broadcast, and on any."""
    inputs = parameters(op)
    n = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in inputs)
    n += 2 * any(p.kind is p.VAR_POSITIONAL for p in inputs)
    if not n:
        raise DataError(f"programs needs ops with at least one argument that is differentiable, got {op!r}")
    given = [f"{{{i}}}" for i in range(n)] + [f"{argument}={{fixed_{argument}}}" for argument in fixed]
    text = f"{name}({', '.join(given)})"
    choices = {f"fixed_{argument}": choice(values) for argument, values in fixed.items()}
    same_or_any = [template(text, **choices), template(text, *[lambda *_: True] * n, **choices)]
    return same_or_any[: min(n, 2)]


def choice(values: Any) -> Any:
    """Values to choose from, as a template has them."""
    if isinstance(values, st.SearchStrategy):
        return values
    texts = [literal(value) for value in values]
    return lambda *_: texts


def literal(value: Any) -> str:
    """A value as Python."""
    if isinstance(value, np.ndarray):
        return f"np.array({value.tolist()}, dtype={value.dtype.name!r})"
    return repr(value.item() if isinstance(value, np.generic) else value)


def home(op: Any) -> tuple[str, str]:
    """The module that a file can import an op from, "" where there is none, and what it is called."""
    function = getattr(op, "forward", op)
    module = getattr(function, "__module__", "") or ""
    if module != "__main__":
        for name, value in vars(sys.modules.get(module, SimpleNamespace())).items():
            if value is op and name.isidentifier():
                return module, name
    return "", str(getattr(op, "name", getattr(op, "__name__", "op")))


def whereabouts(op: Any) -> str:
    """Where a function that cannot be imported was written."""
    function = getattr(op, "forward", op)
    code = getattr(function, "__code__", None)
    if code is None:
        return repr(op)
    return f"{function.__qualname__}, {os.path.basename(code.co_filename)}:{code.co_firstlineno}"


# ---- from genes to a program ---------------------------------------------------------


@dataclass
class Made:
    """A value, and the instruction that made it, with gaps for the names; of a leaf there is none."""

    tensor: Tensor
    text: str = ""
    inputs: tuple[int, ...] = ()
    scope: str = ""
    recurrent: bool = False


def numbers(gene: bytes, dtype: Any, smooth: bool) -> Any:
    """The data of a leaf: quarters from -2 to 2, which are equal at times, or 0; where smooth, never."""
    shape = SHAPES[gene[0] % len(SHAPES)]
    size = int(np.prod(shape))
    codes = np.frombuffer(gene[1:], np.uint8)[:size].astype(int) % 17
    data = (codes + 1) // 2 * np.where(codes % 2, 1, -1) / 4
    if smooth:
        data = data + (2 * np.arange(size) + 1) / 128
    return data.astype(dtype).reshape(shape)


def instruction(vocabulary: Vocabulary, gene: bytes, made: list[Made], draw: Any) -> Made | None:
    """What a gene makes of the values there are; None where nothing is possible."""
    plan = vocabulary.templates[gene[0] % len(vocabulary.templates)]
    one = filled(vocabulary, plan, gene, made, draw)
    if one is not None and 0 in gene[8:]:
        part = vocabulary.part(one, [made[i].tensor for i in one.inputs], gene[8:])
        return filled(vocabulary, part, gene, made, draw) if part else one
    return one


def filled(vocabulary: Vocabulary, plan: Template, gene: bytes, made: list[Made], draw: Any) -> Made | None:
    """A template with its gaps filled and its value computed, where that is possible."""
    used = {i for one in made for i in one.inputs}
    inputs: list[int] = []
    xs: list[Any] = []
    for fits, byte in zip(plan.fits, gene[1:]):
        found = [i for i in range(len(made) - 1, -1, -1) if fits is anything or fits(*xs, made[i].tensor.data)]
        if not found:
            return None
        # What is new, or what nothing was made of yet, goes on more often: programs grow deep and use what they made.
        if byte < 216:
            found = [i for i in found if i not in used and i not in inputs] or found if inputs else found[:1]
        inputs.append(found[byte % len(found)])
        xs.append(made[inputs[-1]].tensor.data)
    gaps = {}
    for (name, texts), byte in zip(plan.choices.items(), gene[4:7] * len(plan.choices)):
        if isinstance(texts, st.SearchStrategy):
            gaps[name] = literal(draw(texts))
        else:
            options = texts(*xs)
            gaps[name] = options[byte % len(options)]
    try:
        text = plan.text.format(*[f"{{{i}}}" for i in range(len(xs))], y="{y}", **gaps)
        y = vocabulary.run(text, *[made[i].tensor for i in inputs])
    except (ValueError, IndexError, ArithmeticError):  # it does not fit after all
        return None
    if not isinstance(y, Tensor) or y.size > ELEMENTS or y.ndim > AXES or y.dtype.kind != "f":
        return None
    if not np.abs(y.data).max(initial=0) <= LARGEST or (plan.result and not plan.result(y.data)):
        return None
    around = ["encoder", "decoder", "cell"][gene[7] % 3] if gene[7] >= 224 else ""
    return Made(y, text, tuple(inputs), around, plan.recurrent)


def written(made: list[Made], vocabulary: Vocabulary) -> Program:
    """The program that makes the last of the values, with all that it needs and nothing else."""
    live = {len(made) - 1}
    for i in range(len(made) - 1, -1, -1):
        if i in live:
            live.update(made[i].inputs)
    names: dict[int, str] = {}
    leaves: list[Tensor] = []
    body: list[str] = []
    for i in sorted(live):
        one = made[i]
        if not one.text:
            names[i] = f"x{len(leaves)}"
            leaves.append(one.tensor.named(names[i]))
            continue
        names[i] = f"{'h' if one.recurrent else 'y'}{len(names) - len(leaves) + 1}"
        lines = one.text.format(*[names[k] for k in one.inputs], y=names[i]).splitlines()
        if one.scope:
            lines = [f'with scope("{one.scope}"):', *[f"    {line}" for line in lines]]
        body += [f"    {line}" for line in lines]
    body.append(f"    return {names[len(made) - 1]}")
    used = "\n".join(body)
    words = set(re.findall(r"\w+", used))
    given = [f"{x.name} = Tensor({data_text(x)}, requires_grad=True, name={x.name!r})" for x in leaves]
    given = [line.replace("'", '"') for line in given]
    called = ", ".join([str(x.name) for x in leaves])
    engine = ", ".join(["Tensor", *[name for name in ("scope", "steps") if name in words]])
    source = "\n".join(
        [
            *(["import numpy as np", ""] if "np." in used + str(given) else []),
            f"from tinygrad_seq import {engine}",
            *(["from tinygrad_seq import functional as F"] if "F" in words else []),
            "from tinygrad_seq.testing import gradcheck",
            *[line for name, line in vocabulary.imports.items() if name in words],
            "",
            *given,
            "",
            "",
            f"def program({called}):",
            *body,
            "",
            "",
            f"gradcheck(program, [{called}])",
            "",
        ]
    )
    return Program(leaves, source, vocabulary.namespace)


def data_text(x: Tensor) -> str:
    """The numbers of a leaf as Python, exactly."""
    numbers = str(x.tolist()) if x.size else f"np.zeros({x.shape})"
    return numbers if x.dtype == float else f"{numbers}, dtype={x.dtype.name!r}"


default_vocabulary = lru_cache(None)(lambda recurrent, smooth: Vocabulary((), recurrent, smooth))


def programs(
    ops: Sequence[Any] | None = None,
    *,
    max_length: int = 12,
    leaves: tuple[int, int] = (1, 3),
    recurrent: bool = True,
    smooth: bool = False,
    dtype: Any = np.float64,
) -> st.SearchStrategy[Program]:
    """Whole random computations, over all functions of the library and the ops given.

    They share nodes, broadcast, index, multiply, join and reduce, and, where recurrent, go through time.  ops:
    functions of tensors, such as an `Op`, to be used often; (op, {name: values}) gives values for keyword-only
    arguments, a list or a strategy.  max_length: the most instructions.  leaves: the fewest and the most leaves.
    smooth: only where the complex step gives the derivative; else there are kinks and ties, too.  Raises DataError for
    an op that cannot be called.

    >>> from hypothesis import given
    >>> from tinygrad_seq.testing import programs
    >>> @given(programs(max_length=3))
    ... def every_program_has_a_result(program):
    ...     assert program(*program.leaves).requires_grad
    >>> every_program_has_a_result()
    """
    if max_length < 1 or not 1 <= leaves[0] <= leaves[1]:
        raise DataError(f"programs needs max_length and leaves of at least 1, got {max_length} and {leaves}")
    vocabulary = Vocabulary(ops, recurrent, smooth) if ops else default_vocabulary(recurrent, smooth)
    starts = st.lists(st.binary(min_size=LEAF, max_size=LEAF), min_size=leaves[0], max_size=leaves[1])
    gene = st.binary(min_size=GENE, max_size=GENE)
    genes = [st.lists(gene, min_size=n, max_size=max_length) for n in range(1, max(2, max_length))]
    return drawn(vocabulary, starts, genes, np.dtype(dtype), smooth)


@st.composite
def drawn(draw: Any, vocabulary: Vocabulary, starts: Any, genes: Any, dtype: Any, smooth: bool) -> Program:
    """A program of the leaves and instructions that the genes say."""
    at_least = st.integers(0, len(genes) - 1)
    made = [Made(Tensor(numbers(gene, dtype, smooth), requires_grad=True)) for gene in draw(starts)]
    with no_grad(), np.errstate(all="ignore"):
        for gene in draw(genes[draw(at_least)]):  # lists that may be short are short: so some may not
            one = instruction(vocabulary, gene, made, draw)
            if one is not None:
                made.append(one)
    return written(made, vocabulary)
