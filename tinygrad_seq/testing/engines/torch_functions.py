"""Functions of PyTorch, seen as functions of arrays; and every call inside them, to be checked alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch.autograd.function import Function as Custom
from torch.overrides import TorchFunctionMode

from ..faults import Fault
from .foreign import Part, blamed, caller, labelled, rule_line

__all__ = ["TorchFunction"]

Arrays = Sequence[ndarray]


class TorchFunction:
    """A function of torch tensors, as a check sees it.

    Differentiated are the floating-point tensors; where some of them require a gradient and others do not, those that
    do.  The rest is passed as it is.
    """

    complex_ok = False

    def __init__(self, fn: Callable[..., Any], given: Sequence[Any], first: TorchFunction | None = None) -> None:
        self.fn = fn
        self.first = first  # the function whose gradient this one is
        self.name: str = first.name if first else getattr(fn, "__name__", None) or type(fn).__name__
        self.given = [torch.from_numpy(np.array(x)) if isinstance(x, ndarray) else x for x in given]
        floating = [n for n, x in enumerate(self.given) if isinstance(x, torch.Tensor) and x.is_floating_point()]
        self.numbers = [n for n in floating if self.given[n].requires_grad] or floating
        for n in self.numbers:
            if self.given[n].dtype not in (torch.float32, torch.float64):
                raise TypeError(
                    f"gradcheck needs tensors of float64 or float32, got {self.given[n].dtype} for input {n}: "
                    "give .double(), few digits cannot be told from a wrong gradient"
                )
        if not self.numbers:
            raise TypeError("gradcheck needs at least one floating-point tensor to differentiate by: give .double()")
        self.labels: list[str] = first.labels if first else labelled(fn, self.numbers)
        self.inputs = [self.given[n].detach().cpu().numpy().copy() for n in self.numbers]

    def values(self, arrays: Arrays) -> list[ndarray]:
        """Run the function anew; one array for each output."""
        return [plain(y) for y in self.outputs(self.leaves(arrays))]

    def gradients(self, arrays: Arrays, weights: Arrays) -> list[ndarray | None]:
        """d Σ⟨weight, output⟩ / d(input), by `torch.autograd.grad`."""
        leaves = self.leaves(arrays)
        return pulled(self.outputs(leaves), leaves, weights)

    def second(self) -> TorchFunction:
        """The gradient of a random sum of the outputs, along a random direction, as a function of its own."""
        rng = np.random.default_rng(0)
        vs = [rng.normal(size=x.shape) for x in self.inputs]
        weights = [rng.normal(size=y.shape) for y in self.values(self.inputs)]

        def along(*xs: Any) -> Any:
            outputs = self.outputs(list(xs))
            used = [(y, w) for y, w in zip(outputs, weights) if y.requires_grad]
            total = sum((y * torch.as_tensor(w).to(y)).sum() for y, w in used)
            found = torch.autograd.grad(total, xs, create_graph=True, allow_unused=True) if used else [None] * len(xs)
            along_v = [(g * torch.as_tensor(v).to(g)).sum() for g, v in zip(found, vs) if g is not None]
            return sum(along_v, torch.zeros((), dtype=xs[0].dtype))

        return TorchFunction(along, [self.placed(n, x) for n, x in zip(self.numbers, self.inputs)], self)

    def blame(self, arrays: Arrays, rng: np.random.Generator) -> list[Fault]:
        """The calls inside whose gradient is wrong; if each is right, those that cut it off, and hooks.

        Of the gradient of a function: the calls in the function, whose gradient has a wrong derivative.
        """
        if self.first:
            record = self.first.recorded(arrays)
            return blamed(filter(None, [part.twofold() for part in record.parts]), rng)
        record = self.recorded(arrays)
        return blamed(record.parts, rng) or record.cuts

    def recorded(self, arrays: Arrays) -> Record:
        """The calls inside, at these inputs."""
        record = Record()
        with record, custom_calls(record):
            self.outputs(self.leaves(arrays))
        return record

    def outputs(self, leaves: list[Any]) -> list[Any]:
        """What the function gives for these tensors: a list of tensors."""
        args = list(self.given)
        for n, x in zip(self.numbers, leaves):
            args[n] = x
        with torch.enable_grad():
            found = self.fn(*args)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        for y in found:
            if not isinstance(y, torch.Tensor):
                raise TypeError(f"{self.name} must give a tensor, or a tuple of tensors; got {type(y).__name__}")
        return found

    def leaves(self, arrays: Arrays) -> list[Any]:
        """New leaves that require a gradient, on the devices of those given."""
        return [self.placed(n, x).requires_grad_() for n, x in zip(self.numbers, arrays, strict=True)]

    def placed(self, n: int, array: ndarray) -> Any:
        """An array as a tensor of its own, on the device of argument number n."""
        return torch.from_numpy(np.array(array)).to(self.given[n].device)


def pulled(outputs: Sequence[Any], leaves: Sequence[Any], weights: Arrays) -> list[ndarray | None]:
    """The gradients of Σ⟨weight, output⟩ by the leaves; None where no gradient comes."""
    used = [(y, torch.as_tensor(np.asarray(w)).to(y)) for y, w in zip(outputs, weights) if y.requires_grad]
    if not used:
        return [None] * len(leaves)
    roots, gs = zip(*used)
    found = torch.autograd.grad(roots, leaves, gs, allow_unused=True)
    return [None if g is None else plain(g) for g in found]


def plain(x: Any) -> ndarray:
    """A tensor as an array of its own."""
    return np.array(x.detach().cpu().numpy())


# ---- the calls inside a function -----------------------------------------------------


class Record(TorchFunctionMode):
    """Every call of a torch function in the block on something that requires a gradient.

    parts: the calls, to be run alone.  cuts: a fault for each that gave numbers on which no gradient goes back,
    and for each hook.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []
        self.cuts: list[Fault] = []
        self.paused = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.called(func, name_of(func), "", func, args, kwargs or {})

    def called(self, func: Any, name: str, rule: str, run: Any, args: Any, kwargs: Any) -> Any:
        """run(*args, **kwargs), written down as a call of func."""
        if self.paused:
            return run(*args, **kwargs)
        self.paused = True
        try:
            asked = [x.requires_grad and x.is_floating_point() for x in tensors((args, kwargs))]
            before = replaced((args, kwargs), iter([x.detach().clone() for x in tensors((args, kwargs))]))
            out = run(*args, **kwargs)
            if any(asked) and name != "requires_grad_":
                self.write(func, name, rule, before, asked, args[0] if out is None and args else out)
        finally:
            self.paused = False
        return out

    def write(self, func: Any, name: str, rule: str, before: Any, asked: list[bool], out: Any) -> None:
        """Note one call: what it was given, which of it was asked for a gradient, and what it gave."""
        where = caller("torch", "contextlib", "functools")
        if name == "register_hook":
            question = "what it gives back takes the place of the gradient: is that meant?"
            self.cuts.append(Fault("hook", f"a hook changes the gradient ({where})", (question,)))
        if any(y.requires_grad for y in tensors(out)):
            try:
                part = part_of(func, name, where, rule, before, asked)
            except (RuntimeError, TypeError):  # cannot be called alone, such as what needs a tensor of its kind
                return
            if part.out and all(x.dtype.kind == "f" for x in [*part.inputs, *part.out]):
                self.parts.append(part)
        elif isinstance(out, (float, ndarray)) or any(y.is_floating_point() for y in tensors(out)):
            advice = "no gradient goes back through its result: leave it out, if one should"
            self.cuts.append(Fault("missing dependency", f"{name} cuts the gradient off ({where})", (advice,)))


@contextmanager
def custom_calls(record: Record) -> Iterator[None]:
    """Inside the block the calls of `torch.autograd.Function`s are recorded too, which no mode of torch is told of.

    `MyFunction.apply`, taken before or inside the block, asks the class above `Function` for its `apply`.
    """
    base: Any = Custom.__mro__[1]
    inherited = base.__dict__.get("apply")

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return super(base, cls).apply(*args, **kwargs)

        return record.called(cls.apply, cls.__name__, rule_line(cls.backward), run, args, kwargs)

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        if inherited is None:
            del base.apply
        else:
            base.apply = inherited


def part_of(func: Any, name: str, where: str, rule: str, before: Any, asked: list[bool]) -> Part:
    """A recorded call, as a function of the floating-point tensors that required a gradient; all in double."""
    constants = [x.double() if x.dtype == torch.float32 else x for x in tensors(before)]
    chosen = [n for n, wanted in enumerate(asked) if wanted]

    def outputs(leaves: list[Any]) -> list[Any]:
        xs = list(constants)
        for n, x in zip(chosen, leaves):
            xs[n] = x.clone() if x.requires_grad else x  # what is changed in place must be no leaf
        args, kwargs = replaced(before, iter(xs))
        out = func(*args, **kwargs)
        return [y for y in tensors(args[0] if out is None else out) if y.is_floating_point()]

    def values(arrays: Arrays) -> list[ndarray]:
        with torch.no_grad():
            return [plain(y) for y in outputs([torch.from_numpy(np.array(x)) for x in arrays])]

    def gradients(arrays: Arrays, weights: Arrays) -> list[ndarray | None]:
        leaves = [torch.from_numpy(np.array(x)).requires_grad_() for x in arrays]
        with torch.enable_grad():
            return pulled(outputs(leaves), leaves, weights)

    inputs = [plain(constants[n]) for n in chosen]

    def again() -> TorchFunction:
        return TorchFunction(lambda *xs: outputs(list(xs)), [constants[n] for n in chosen]).second()

    return Part(name, where, rule, inputs, chosen, values(inputs), values, gradients, again=again)


def tensors(tree: Any) -> list[Any]:
    """The tensors in nested tuples, lists and dictionaries."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    branches = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else ()
    return [x for branch in branches for x in tensors(branch)]


def replaced(tree: Any, xs: Iterator[Any]) -> Any:
    """The same nested tuples, lists and dictionaries, with other tensors in the places of the tensors."""
    if isinstance(tree, torch.Tensor):
        return next(xs)
    if isinstance(tree, dict):
        return {key: replaced(branch, xs) for key, branch in tree.items()}
    if type(tree) in (tuple, list):
        return type(tree)([replaced(branch, xs) for branch in tree])
    return tree


def name_of(func: Any) -> str:
    """What a torch function is called; of an attribute such as `x.T`, the attribute."""
    name = getattr(func, "__name__", "") or repr(func)
    return getattr(func.__self__, "__name__", name) if name == "__get__" else name
