"""`Module`: something with parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from ..data import as_array
from ..errors import DataError, ShapeError
from ..graph import scope
from ..tensor import Parameter

__all__ = ["Module", "ModuleList", "Sequential"]


class Module:
    """Something with parameters: a layer, or a model made of layers.

    Set parameters and other modules as attributes in `__init__` and say in `forward` what is computed.  Calling the
    module calls `forward`, in a scope named like the attribute that holds the module.  Parameters take the name of
    their attribute.

    >>> from tinygrad_seq import Tensor, nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = nn.Linear(2, 3)
    ...         self.outer = nn.Linear(3, 1)
    ...
    ...     def forward(self, x):
    ...         return self.outer(self.inner(x).tanh())
    >>> print(Net())
    Net(                   13 parameters
      inner: Linear(2, 3)   9
      outer: Linear(3, 1)   4
    )
    >>> Net()(Tensor([[1.0, 2.0]])).scope
    'outer'
    """

    training = True
    _name = ""

    def __init__(self) -> None:
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            value._called(name)
        elif isinstance(value, Parameter) and value.name is None:
            value.name = name
        object.__setattr__(self, name, value)

    def _called(self, name: str) -> None:
        """Take the name of the attribute that holds this module; its scope bears it."""
        object.__setattr__(self, "_name", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._name:
            return self.forward(*args, **kwargs)
        with scope(self._name):
            return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each kind of module says it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    # ---- what it is made of ----

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside."""
        return ((name, x) for name, x in vars(self).items() if isinstance(x, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) of this module, whose path is "", and of all inside it."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of all parameters, such as ("cell.weight_hh", …); a shared one once."""
        seen = set()
        for path, module in self.named_modules():
            for name, x in vars(module).items():
                if isinstance(x, Parameter) and x not in seen:
                    seen.add(x)
                    yield (f"{path}.{name}" if path else name), x

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, a shared one once."""
        return (p for _, p in self.named_parameters())

    # ---- modes ----

    def train(self, mode: bool = True) -> Self:
        """Behave as in training: dropout drops.  Returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Behave as in use: dropout passes all.  Returns the module."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def to(self, dtype: Any) -> Self:
        """With all parameters in another dtype: float32, as in PyTorch, or float64, the default here."""
        for p in self.parameters():
            p._replace(as_array(p.data, np.dtype(dtype), True))
            p.grad = None
        return self

    # ---- saved and loaded ----

    def state_dict(self) -> dict[str, np.ndarray]:
        """The data of every parameter by its path: copies."""
        return {path: p.data.copy() for path, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Take over the data of parameters by their paths, from arrays or tensors (of PyTorch too).

        All or nothing: raises DataError for names that are missing or too many (not so with strict=False, which takes
        those that fit) and ShapeError for a shape that differs, before anything is changed.
        """
        own = dict(self.named_parameters())
        missing, unexpected = [n for n in own if n not in state], [n for n in state if n not in own]
        if strict and (missing or unexpected):
            wrong = {"missing": missing, "not expected": unexpected}
            said = "; ".join(f"{word}: {', '.join(names)}" for word, names in wrong.items() if names)
            raise DataError(f"the state does not fit {type(self).__name__}; {said}")
        new = {}
        for name in own.keys() & state.keys():
            given: Any = state[name]
            given = given.detach() if hasattr(given, "detach") else given
            array = as_array(getattr(given, "_data", given), own[name].dtype, True)
            if array.shape != own[name].shape:
                raise ShapeError(f"{name} has shape {own[name].shape}, the state has {array.shape} for it")
            new[name] = array
        for name, array in new.items():
            own[name]._replace(array)

    # ---- shown ----

    def extra_repr(self) -> str:
        """The arguments to show in the repr."""
        return ""

    def __repr__(self) -> str:
        rows = list(self._rows("", 0))
        width = max(len(left) for left, _ in rows) + 2
        digits = max((len(right) for _, right in rows), default=0)
        lines = [f"{left:{width}}{right:>{digits}}".rstrip() for left, right in rows]
        lines[0] += " parameters"
        return "\n".join(lines)

    def _rows(self, name: str, depth: int) -> Iterator[tuple[str, str]]:
        head = "  " * depth + (f"{name}: " if name else "") + type(self).__name__
        count = f"{sum(p.size for p in self.parameters()):,}"
        children = list(self.named_children())
        if not children:
            yield f"{head}({self.extra_repr()})", count
            return
        yield f"{head}({self.extra_repr()}", count
        for child_name, child in children:
            yield from child._rows(child_name, depth + 1)
        yield "  " * depth + ")", ""


class ModuleList(Module):
    """A list of modules, whose parameters count as the model's: `self.layers = ModuleList([...])`."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> None:
        """Add a module at the end."""
        setattr(self, str(len(self)), module)
        self._called(self._name)

    def _called(self, name: str) -> None:
        super()._called(name)
        if name and type(self).forward is Module.forward:  # a list is not called itself: its modules bear its name
            for i, child in self.named_children():
                child._called(f"{name}/{i}")

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def __getitem__(self, i: int) -> Module:
        return list(self)[i]


class Sequential(ModuleList):
    """Modules, or functions, one after the other.

    >>> from tinygrad_seq import nn
    >>> nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1))
    Sequential(        17 parameters
      0: Linear(2, 4)  12
      1: Linear(4, 1)   5
    )
    """

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """x through every module in turn."""
        for module in self:
            x = module(x)
        return x
