"""`check_module`: the gradients of a module by all its inputs and parameters, and what else a module must keep to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy import ndarray
from numpy.exceptions import ComplexWarning

from ...data import plain
from ...errors import DataError
from ...graph import Graph
from ...nn import Module
from ...tensor import Parameter, Tensor
from ..faults import Fault
from ..reports import Report
from .batches import rows_are_independent
from .determinism import repeats
from .findings import checked, place
from .nested import arrays_in, changed, changed_by, exchanged, first_changed, is_floating, named_in
from .trials import Trial, argument_names, axes_of, gradient_check, gradients, kept, put

__all__ = ["check_module"]


def check_module(
    module: Module,
    example: Any,
    *,
    order: int = 1,
    batch_axis: int | Sequence[int | None] | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    raise_exception: bool = True,
    seed: int = 0,
) -> Report:
    """Check a module on an example: its gradients, and that it behaves as a module must.

    example: the arguments to call it with, a tuple, or one array.  Arrays of floats are differentiated; tokens, masks,
    lengths and None are passed on.  order, atol, rtol: as in `gradcheck`.  batch_axis: where the batch stands in the
    arguments, one number for all arrays or one (or None) for each argument; then it is also checked that the rows of
    the batch do not see each other.  The module is left as it was.

    What is checked, each with its own kind of fault: a second call gives the same ("non-deterministic"); inputs and
    parameters stay as they are ("mutates"); every parameter gets a gradient ("unused parameter", "missing dependency",
    "hidden parameter"); the gradients of all outputs by all inputs and parameters, see `gradcheck`; they are finite
    ("not finite"); a state dict brings back the same outputs ("state_dict"); in float32 nothing is float64 ("dtype")
    and the numbers are near ("precision"); rows of a batch are independent ("batch").

    Raises GradientCheckError with all that is wrong, or gives a Report that is false (raise_exception=False), and
    whatever the module raises on the example.

    >>> import numpy as np
    >>> from tinygrad_seq import nn
    >>> from tinygrad_seq.testing import check_module
    >>> bool(check_module(nn.Linear(3, 2), np.ones((4, 3)), batch_axis=0))
    True
    """
    __tracebackhide__ = True
    if not isinstance(module, Module):
        raise DataError(f"check_module needs an nn.Module, got {type(module).__name__}: for a function take gradcheck")
    arguments = example if isinstance(example, tuple) else (example,)
    with kept(module), np.errstate(all="ignore"):
        trial = Trial(module, arguments, seed, axes_of(batch_axis, arguments), order, {"atol": atol, "rtol": rtol})
        report = checked(trial, CHECKS, FIRST)
    report = replace(report, name=type(module).__name__)
    return report.raised() if raise_exception else report


# ---- the checks: each gives a report -----------------------------------------------------


def inputs_and_parameters_stay(trial: Trial) -> Report:
    """A call, and the way back, write into no argument and no parameter."""
    faults: list[Fault] = []
    before, leaves = trial.module.state_dict(), trial.leaves()
    trial.module.train()
    try:
        outputs = trial.call(trial.given(leaves))
        faults += changed_parameters(trial, before)
        if not faults:
            gradients(outputs, leaves, trial.seed)
            faults += changed_parameters(trial, before)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        faults.append(Fault("mutates", f"{trial.name} writes into what it is given: {error}", (ANEW,)))
    names = argument_names(trial.module, len(trial.arguments))
    arguments = exchanged(trial.arguments, lambda x: np.array(plain(x)))
    try:
        trial.call(arguments)
    except Exception:  # it takes tensors only: those cannot be written into
        arguments = trial.arguments
    for name, was, now in zip(names, trial.arguments, arguments, strict=True):
        for (path, a), (_, b) in zip(named_in(was, name), named_in(now, name), strict=True):
            if changed(a, b):
                faults.append(Fault("mutates", f"{trial.name} changes its input {path} {by(a, b)}", (ANEW,)))
    checks = sum(np.size(plain(x)) for x in [*arrays_in(trial.arguments), *before.values()])
    return Report("", tuple(faults), checks=checks)


def changed_parameters(trial: Trial, before: dict[str, ndarray]) -> Iterator[Fault]:
    """The parameters that are not what they were, each of which is set back."""
    for path, p in trial.module.named_parameters():
        if changed(before[path], p.data):
            yield Fault("mutates", f"{trial.name} changes its parameter {path} {by(before[path], p)}", (ANEW,))
            p.data = before[path]


def by(a: Any, b: Any) -> str:
    """How much an array was changed, as in "by 0.31"."""
    return changed_by(a, b).removeprefix("changes ")


ANEW = "compute a new array: what the record holds, and what the caller holds, must stay"


def parameters_are_known(trial: Trial) -> Report:
    """No parameter is used that the module does not know as its own."""
    known = set(trial.module.parameters())
    hidden = [node for node in Graph(*trial.call()) if isinstance(node, Parameter) and node not in known]
    if not hidden:
        return Report("", checks=len(known))
    first, more = hidden[0], f" (and {len(hidden) - 1} more)" if len(hidden) > 1 else ""
    message = f"{trial.name} uses a parameter {first.name} of shape {first.shape} that parameters() does not give{more}"
    what = "set it as an attribute of the module, or its module in a ModuleList: no optimiser finds it in a list"
    return Report("", (Fault("hidden parameter", message, (what,), node=first),))


def every_parameter_counts(trial: Trial) -> Report:
    """Each parameter gets a gradient."""
    faults, notes = [], []
    outputs = trial.call()
    found = gradients(outputs, list(trial.module.parameters()), trial.seed)
    for (path, p), g in zip(trial.module.named_parameters(), found, strict=True):
        if g is None:
            faults.append(without_gradient(trial, path, p, outputs))
        elif not np.any(g):
            notes.append(f"the gradient of {path} is zero throughout, on this example")
    return Report("", tuple(faults), tuple(notes), len(found))


def without_gradient(trial: Trial, path: str, p: Parameter, outputs: list[Tensor]) -> Fault:
    """What to say of a parameter that no gradient comes to."""
    moved = Tensor(p.data + 0.1 * np.random.default_rng(trial.seed).normal(size=p.shape))
    with put(trial.module, {p: moved}):
        found = first_changed(outputs, trial.call())
    if found is None:
        message = f"unused parameter: {path} of {trial.name} changes no output, and gets no gradient"
        return Fault("unused parameter", message, ("use it in forward, or leave it out",))
    i, a, b = found
    message = f"{path} of {trial.name} gets no gradient, but output {i} {changed_by(a, b)} when it is moved{place(a)}"
    what = "somewhere it is used as plain numbers, by .data, .numpy() or under no_grad(): use the parameter itself"
    return Fault("missing dependency", message, (what,), node=a)


def gradients_are_right(trial: Trial) -> Report:
    """Of all outputs by all inputs and all parameters that get one; in train() and from one seed, so that each call
    computes the same function."""
    module = trial.module
    double = {p: Tensor(p.data, requires_grad=True, dtype=float, name=path) for path, p in module.named_parameters()}
    leaves = [Tensor(x.data, requires_grad=True, dtype=float, name=x.name) for x in trial.leaves()]
    reached = gradients(trial.call(trial.given(trial.leaves())), list(double), trial.seed)
    owned = [(p, x) for (p, x), g in zip(double.items(), reached, strict=True) if g is not None]

    def function(*xs: Any) -> tuple[Tensor, ...]:
        given = dict(zip([p for p, _ in owned], xs[len(leaves) :], strict=True))
        with kept(module), put(module, double | given), catch_warnings():
            simplefilter("error", ComplexWarning)  # what drops an imaginary part takes no complex step
            return tuple(trial.call(trial.given(xs[: len(leaves)])))

    function.__name__ = trial.name
    inputs = [*leaves, *[x for _, x in owned]]
    return gradient_check(function, inputs, trial.order, trial.seed, **trial.tolerance)


def gradients_are_finite(trial: Trial) -> Report:
    """Finite outputs have finite gradients."""
    leaves = trial.leaves()
    outputs, found = trial.differentiated(leaves)
    names = [*[x.name for x in leaves], *[path for path, _ in trial.module.named_parameters()]]
    if not all(np.isfinite(y.data).all() for y in outputs):
        return Report("", notes=("an output is not finite on this example",))
    faults = tuple(
        Fault("not finite", f"the outputs of {trial.name} are finite, but the gradient of {name} has {not_finite(g)}")
        for name, g in zip(names, found, strict=True)
        if g is not None and not np.isfinite(g).all()
    )
    return Report("", faults, checks=len(found))


def not_finite(g: Any) -> str:
    """How many numbers are not finite, in words."""
    return f"{int((~np.isfinite(g)).sum())} of {np.size(g)} numbers that are NaN or infinite"


def state_dict_brings_it_back(trial: Trial) -> Report:
    """A copy with other parameters, given the state dict, computes what the module computes."""
    trial.module.eval()
    before = trial.call()
    generator = np.random.default_rng(trial.seed)
    try:
        copy = deepcopy(trial.module)
        for p in copy.parameters():
            p.data = p.data + generator.normal(size=p.shape)
        copy.load_state_dict(trial.module.state_dict())
        after = replace(trial, module=copy).call()
    except Exception as error:
        message = f"a copy of {trial.name} cannot take over its state dict: {type(error).__name__}: {error}"
        return Report("", (Fault("state_dict", message),))
    found = first_changed(before, after)
    checks = sum(y.size for y in before)
    if found is None:
        return Report("", checks=checks)
    i, a, b = found
    message = f"output {i} of {trial.name} {changed_by(a, b)} in a copy that loaded its state dict{place(b)}"
    what = "all that is learnt must be in parameters: state_dict and load_state_dict take nothing else"
    return Report("", (Fault("state_dict", message, (what,), node=b),), checks=checks)


def float32_stays_float32(trial: Trial) -> Report:
    """With parameters and inputs in float32 so are outputs and gradients, and near to those of float64."""
    trial.module.eval()
    found: dict[Any, Any] = {}
    for dtype in (np.float32, np.float64):
        module = deepcopy(trial.module).to(np.float32).to(dtype)
        same = replace(trial, module=module, arguments=exchanged(trial.arguments, rounded_to(dtype)))
        leaves = same.leaves()
        names = [*[x.name for x in leaves], *[path for path, _ in module.named_parameters()]]
        try:
            found[dtype] = same.differentiated(leaves)
        except Exception as error:
            message = f"{trial.name} cannot compute in {np.dtype(dtype)}: {type(error).__name__}: {error}"
            return Report("", (Fault("dtype", message),))
    (single, its), (double, theirs) = found[np.float32], found[np.float64]
    for i, y in enumerate(single):
        if y.dtype != np.float32:
            return Report("", (widened(trial, i, y),))
    outputs = enumerate(zip(single, double, strict=True))
    pairs: list[Any] = [(f"output {i} of", a.data, b.data, a) for i, (a, b) in outputs]
    for name, a, b in zip(names, its, theirs, strict=True):
        if a is not None and np.asarray(a).dtype != np.float32:
            message = f"the gradient of {name} in {trial.name} is {np.asarray(a).dtype} where all is float32"
            return Report("", (Fault("dtype", message, ("a VJP gives back what it is not given",)),))
        if a is not None and b is not None:
            pairs.append((f"the gradient of {name} in", a, b, None))
    largest = max([float(np.abs(b).max(initial=0)) for _, _, b, _ in pairs], default=0.0)
    faults = []
    for what, a, b, node in pairs:
        off, size = np.abs(a - b).max(initial=0), max(float(np.abs(b).max(initial=0)), 1e-2 * largest)
        if not off <= NEAR * size and np.isfinite(b).all():
            message = f"{what} {trial.name} is off by {off:.2g} in float32, of numbers up to {size:.2g}"
            how = "subtract before exp, and take log1p and expm1 near 0"
            faults.append(Fault("precision", message, (how,), node=node))
    return Report("", tuple(faults), checks=sum(np.size(a) for _, a, _, _ in pairs))


def rounded_to(dtype: Any) -> Callable[[Any], Any]:
    """What makes numbers of float32 precision, in a dtype, of those of arrays and tensors."""
    return lambda x: plain(x).astype(np.float32).astype(dtype) if is_floating(x) else x


NEAR = 2e-3  # of the largest number: rounding of float32, and what long sums make of it


def widened(trial: Trial, i: int, y: Tensor) -> Fault:
    """What to say of an output that is float64, and the first node that was."""
    first = next((node for node in Graph(y) if node.op is not None and node.data.dtype == float), y)
    wide = next((x for x in first.inputs if x.data.dtype == float), None)
    constant = f", from {wide!r}" if wide is not None and wide.op is None else ""
    message = f"output {i} of {trial.name} is {y.dtype} where parameters and inputs are float32{place(first)}"
    by_op = first.op.name if first.op is not None else "a leaf"
    what = f"{by_op} is the first to make float64{constant}: give constants the dtype of what they meet"
    return Fault("dtype", message, (what,), node=first)


CHECKS: list[Callable[[Trial], Report]] = [
    inputs_and_parameters_stay,
    repeats,
    parameters_are_known,
    every_parameter_counts,
    gradients_are_right,
    gradients_are_finite,
    state_dict_brings_it_back,
    float32_stays_float32,
    rows_are_independent,
]
FIRST = CHECKS[:3]  # without these nothing else means anything
