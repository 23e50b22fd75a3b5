"""`Optimizer`: which parameters there are, what is remembered of each, and the step that moves all of them or none.

Nothing is written into: a step computes new data for each parameter and new arrays of what it remembers, and only
when all are there puts them in place.  So a failure or an interrupt on the way changes nothing, the records of
earlier steps keep what they were made from, and a `state_dict` stays what it was while training goes on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from ..anomaly import anomalies
from ..errors import DataError, NonFiniteError, ShapeError
from ..graph import Node, enable_grad

__all__ = ["Optimizer"]

FINITE = (math.isfinite, "a finite number")
AT_LEAST_0 = (lambda x: 0 <= x < math.inf, "a finite number of at least 0")
UP_TO_1 = (lambda x: 0 <= x <= 1, "a number from 0 to 1")
BELOW_1 = (lambda x: 0 <= x < 1, "a number from 0 to below 1")
LIMITS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lr": AT_LEAST_0,
    "momentum": AT_LEAST_0,
    "dampening": FINITE,
    "weight_decay": AT_LEAST_0,
    "alpha": UP_TO_1,
    "rho": UP_TO_1,
    "betas[0]": BELOW_1,
    "betas[1]": BELOW_1,
    "eps": AT_LEAST_0,
    "lr_decay": AT_LEAST_0,
    "initial_accumulator_value": AT_LEAST_0,
    "momentum_decay": AT_LEAST_0,
}
COUNTERS: dict[str, Callable[[Any], Any]] = {"step": int, "mu_product": float}  # remembered, and no array


class Optimizer:
    """Moves parameters down their gradients; each kind says in `update` how.

    params: parameters, or (name, parameter) pairs as from `named_parameters()`, or dicts, each with some of them under
    "params" and settings of their own, such as "lr".  defaults: the settings of those that have none.
    error_if_nonfinite: a step that meets a NaN or an infinite gradient raises NonFiniteError, naming the parameter; if
    False the whole step is left out, counted in `skipped`, and the first time reported by a warning.

    `param_groups` is the list of groups, dicts whose settings may be changed between steps; `state` is what is
    remembered of each parameter.  Raises DataError for parameters or settings that cannot be.

    An optimiser of your own is one method: the new data and the new state of one parameter, from the old.

    >>> import numpy as np
    >>> from tinygrad_seq import Parameter
    >>> from tinygrad_seq.optim import Optimizer
    >>> class SignSGD(Optimizer):
    ...     def __init__(self, params, lr=0.01):
    ...         super().__init__(params, {"lr": lr})
    ...
    ...     def update(self, w, g, state, group):
    ...         return w - group["lr"] * np.sign(g), state
    >>> w = Parameter([3.0, -4.0])
    >>> (w * w).sum().backward()
    >>> SignSGD([w]).step()
    >>> w.data
    array([ 2.99, -3.99])
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any], *, error_if_nonfinite: bool = True) -> None:
        self.defaults = self._checked(defaults)
        self.error_if_nonfinite = error_if_nonfinite
        self.skipped = 0
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Node, dict[str, Any]] = {}
        self._stepped = False  # a schedule that goes first would skip its first value
        entries = self._listed(params)
        for group in entries if entries and isinstance(entries[0], Mapping) else [{"params": entries}]:
            self.add_param_group(group)
        if not any(group["params"] for group in self.param_groups):
            raise DataError(
                f"{self._kind} needs at least one parameter, got none: give it model.parameters(), fresh each time (a "
                "generator that was gone through once is empty)"
            )

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The new data and the new state of one parameter.  The old must not be written into.

        w: its data.  g: its gradient, of the same shape and dtype.  state: {} in its first step.  group: its settings.
        """
        raise NotImplementedError(f"{self._kind} does not define update")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient, once: all or none.

        closure: computes a loss, calls its backward and returns it; called first, and what it returns is returned.
        Raises NonFiniteError (see `error_if_nonfinite`), and DataError for a learning rate that cannot be.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._stepped = True
        todo = []
        for group in self.param_groups:
            lr = group["lr"]
            if lr.__class__ is not float or not 0 <= lr < math.inf:  # set by hand, or by a schedule
                group.update(self._checked(group))
            todo += [(p, _gradient(p), group) for p in group["params"] if p._grad is not None]
        if not self._all_finite(todo):
            return loss

        done = []
        try:
            for p, g, group in todo:
                new, state = self.update(p._data, g, self.state.get(p, {}), group)
                if p.scalar:
                    new = float(new)
                else:
                    new = np.asarray(new, p._data.dtype)
                    new.setflags(write=False)
                done.append((p, new, state))
        except Exception as error:
            error.add_note(f"in the step of {self._kind} for {self._called(p)}; no parameter was changed")
            raise
        for p, new, state in done:
            p._replace(new)
            if state:
                self.state[p] = state
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; with set_to_none=False make them zero."""
        for p in self._parameters():
            p._grad = None if set_to_none or p._grad is None else 0.0 if p.scalar else np.zeros_like(p._data)

    def _all_finite(self, todo: list[tuple[Any, Any, dict[str, Any]]]) -> bool:
        """Whether the step can be made; raises or reports where it cannot."""
        wrong = [(p, g) for p, g, _ in todo if not _finite(g)]
        if not wrong:
            return True
        p, g = wrong[0]
        more = f" (and {len(wrong) - 1} more parameters have such gradients)" if len(wrong) > 1 else ""
        what = f"{self._kind} made no step: the gradient of {self._called(p)} has {anomalies(g, 'nan and inf')}{more}"
        if self.error_if_nonfinite:
            raise NonFiniteError(
                f"{what}. To find where it comes from compute the loss and its backward inside detect_anomaly(); to "
                "leave such steps out create the optimiser with error_if_nonfinite=False"
            )
        self.skipped += 1
        if self.skipped == 1:
            warnings.warn(f"{what}. Such steps are left out, and counted in `skipped`", stacklevel=3)
        return False

    # ---- which parameters ----

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Take on more parameters: a dict of them under "params" and of what is set for them alone.

        Raises DataError, and changes nothing, for what is no leaf that requires a gradient, what is listed twice, and
        settings out of range.
        """
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise DataError(f'{self._kind}: a group of parameters is a dict with "params", got {_excerpt(param_group)}')
        given = param_group["params"]
        params: list[Any] = []
        names: list[str] = []
        taken = set(self._parameters())
        for entry in [given] if isinstance(given, Node) else self._listed(given):
            name, p = entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry)
            self._check_parameter(p, name, f"number {len(params)} of group {len(self.param_groups)}", taken)
            taken.add(p)
            params.append(p)
            names += [name] if name is not None else []
        if names and len(names) != len(params):
            raise DataError(
                f"{self._kind}: all parameters of a group have names, or none; here {len(names)} of {len(params)} "
                "have: give model.parameters() or model.named_parameters()"
            )
        group = self._checked({**self.defaults, **param_group, "params": params})
        self.param_groups.append({**group, "param_names": names} if names else group)

    def _listed(self, params: Any) -> list[Any]:
        """What was given as parameters, as a list."""
        if isinstance(params, Node):
            raise DataError(
                f"{self._kind} needs a list of parameters, got a single one: put it in brackets. It is {params!r}"
            )
        if isinstance(params, Set):
            raise DataError(f"{self._kind} needs parameters in an order that stays, got a set: make it a list")
        if isinstance(params, Mapping | str | bytes) or not isinstance(params, Iterable):
            raise DataError(
                f"{self._kind} needs an iterable of parameters, got {_excerpt(params)}: for a module give "
                "module.parameters(), for a group a list with a dict in it"
            )
        return list(params)

    def _check_parameter(self, p: Any, name: Any, place: str, taken: set[Any]) -> None:
        if not isinstance(p, Node):
            raise DataError(f"{self._kind} moves parameters, but {place} is {_excerpt(p)}: make it a Parameter")
        said = f"{place}, {name or p!r}," if name or p.name is None else f"{place}, {p.name},"
        if p.op is not None:
            raise DataError(
                f"{self._kind} moves leaves, but {said} was made by {p.op.name}: give what it was computed from, or "
                "start from its values, Parameter(x.data)"
            )
        if not p.requires_grad:
            raise DataError(
                f"{self._kind} moves what requires a gradient, but {said} does not: call requires_grad_() on it or "
                "leave it out, as in [p for p in model.parameters() if p.requires_grad]"
            )
        if p in taken:
            raise DataError(
                f"{self._kind}: {said} is listed a second time and would be moved twice in a step: list every "
                "parameter once, also one that several modules share"
            )

    def _parameters(self) -> Iterator[Any]:
        return (p for group in self.param_groups for p in group["params"])

    def _called(self, parameter: Node) -> str:
        """A parameter in words, for messages."""
        for i, group in enumerate(self.param_groups):
            for j, p in enumerate(group["params"]):
                if p is parameter:
                    name = group["param_names"][j] if "param_names" in group else p.name
                    return f"{name or 'the parameter'} (number {j} of group {i}, shape {np.shape(p._data)})"
        return repr(parameter)

    # ---- settings ----

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def _checked(self, group: dict[str, Any]) -> dict[str, Any]:
        """The settings, when all are in their range, as Python's numbers (NumPy's would turn float32 into float64)."""
        checked = {name: self._number(name, x) if name in LIMITS else x for name, x in group.items()}
        if "lr" in group:
            checked["lr"] = float(checked["lr"])
        if "betas" in group:
            if np.shape(group["betas"]) != (2,):
                raise DataError(f"{self._kind}: betas must be a pair of numbers, got {group['betas']!r}")
            checked["betas"] = tuple([self._number(f"betas[{i}]", x) for i, x in enumerate(group["betas"])])
        return checked

    def _number(self, name: str, x: Any) -> Any:
        fits, words = LIMITS[name]
        number = x.item() if isinstance(x, np.generic) else x
        if not isinstance(number, int | float) or not fits(number):
            raise DataError(f"{self._kind}: {name} must be {words}, got {x!r}")
        return number

    # ---- saved and loaded ----

    def state_dict(self) -> dict[str, Any]:
        """What to save beside the parameters, to go on from here to the same bits; laid out as in PyTorch.

        "state": by the number of the parameter, its arrays (read-only) and counters.  "param_groups": the settings,
        with numbers in the place of parameters.
        """
        number = {p: i for i, p in enumerate(self._parameters())}
        return {
            ""
            "state": {
                i: {k: _frozen(x) for k, x in self.state[p].items()} for p, i in number.items() if p in self.state
            },
            "param_groups": [{**group, "params": [number[p] for p in group["params"]]} for group in self.param_groups],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`, of this library or of PyTorch: settings and what is remembered.

        The parameters must be those of then, in the same groups and order; their data is loaded apart.  All or
        nothing: raises DataError for a state of another kind of optimiser or of other groups, and ShapeError for an
        array that does not fit its parameter.
        """
        try:
            saved, states = list(state_dict["param_groups"]), {int(i): s for i, s in state_dict["state"].items()}
            given = [len(group["params"]) for group in saved]
            own = [len(group["params"]) for group in self.param_groups]
        except (KeyError, TypeError, AttributeError, ValueError):
            raise DataError(
                f'{self._kind}: a state to load is a dict with "state" and "param_groups", as state_dict() gives it; '
                f"got {_excerpt(state_dict)}"
            ) from None
        if given != own:
            raise DataError(
                f"{self._kind} has groups of {own} parameters, the state to load has {given}: give it the same"
            )

        groups = []
        params: dict[int, Any] = {}
        for group, loaded in zip(self.param_groups, saved):
            missing = [name for name in self.defaults if name not in loaded]
            if missing:
                raise DataError(
                    f"the state to load has no {', '.join(missing)}: it is of another kind of optimiser than "
                    f"{self._kind}"
                )
            names = {"param_names": group["param_names"]} if "param_names" in group else {}
            groups.append(self._checked({**names, **loaded, "params": group["params"]}))
            params |= zip(map(int, loaded["params"]), group["params"])
        strangers = sorted(states.keys() - params.keys())
        if strangers:
            raise DataError(f"the state to load remembers parameters that no group has: {strangers}")
        state = {}
        for i, remembered in states.items():
            p = params[i]
            state[p] = {k: COUNTERS[k](x) if k in COUNTERS else self._fitting(k, x, p) for k, x in remembered.items()}
        self.param_groups[:] = groups
        self.state = {p: s for p, s in state.items() if s}

    def _fitting(self, key: str, x: Any, p: Any) -> Any:
        """A remembered array as one of the shape and dtype of its parameter, copied."""
        if x is None:
            return None
        array = np.array(x, np.asarray(p._data).dtype)
        if array.shape != np.shape(p._data):
            raise ShapeError(f"{key} in the state to load has shape {array.shape}, but belongs to {self._called(p)}")
        return array

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            shown = {name: x for name, x in group.items() if name not in ("params", "param_names")}
            size = sum(np.size(p._data) for p in group["params"])
            lines.append(f"  group {i}: {len(group['params'])} parameters of {size:,} numbers")
            lines += [f"    {name}: {x}" for name, x in sorted(shown.items())]
        return "\n".join([f"{self._kind}(", *lines, ")"])


def _gradient(p: Any) -> Any:
    """The gradient of a parameter in its dtype, as an array; as a float for a Value."""
    g = p._grad
    if isinstance(g, Node):  # of create_graph=True
        g = g._data
    return float(g) if p.scalar else np.asarray(g, p._data.dtype)


def _finite(g: Any) -> bool:
    """Whether all are finite: as a rule their sum of squares says so in one pass."""
    return math.isfinite(np.vdot(g, g)) or bool(np.isfinite(g).all())


def _frozen(x: Any) -> Any:
    """An array so that whoever gets it cannot write into it; a counter as it is."""
    if isinstance(x, np.generic | np.ndarray):
        x = np.asarray(x)
        x.setflags(write=False)
    return x


def _excerpt(x: Any) -> str:
    text = f"{type(x).__name__} {x!r}".replace("\n", " ")
    return text if len(text) < 80 else text[:77] + "…"
