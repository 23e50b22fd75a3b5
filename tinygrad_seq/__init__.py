"""An autograd engine that shows how sequence models learn.

The record of a computation (`Tensor`, `Value`), one backward walk over it (`sweep`), and what is built on them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import errors, functional, nn, optim
from .autograd import grad, hessian, jacobian, jvp, value_and_grad, vjp
from .backprop import Visit, sweep
from .graph import Graph, Node, detect_anomaly, enable_grad, no_grad, scope, steps
from .hooks import Handle, on_visit
from .record import Op
from .rng import manual_seed
from .tensor import Parameter, Tensor
from .trace import Trace
from .value import Value

if TYPE_CHECKING:
    from . import gradflow
    from .debugger.halting import breakpoint_on

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Handle",
    "Node",
    "Op",
    "Parameter",
    "Tensor",
    "Trace",
    "Value",
    "Visit",
    "breakpoint_on",
    "detect_anomaly",
    "enable_grad",
    "errors",
    "functional",
    "grad",
    "gradflow",
    "hessian",
    "jacobian",
    "jvp",
    "manual_seed",
    "nn",
    "no_grad",
    "on_visit",
    "optim",
    "scope",
    "steps",
    "sweep",
    "value_and_grad",
    "vjp",
]


def __getattr__(name: str) -> Any:
    """What is loaded when it is first asked for, so that who only computes need not wait for it."""
    if name == "gradflow":
        from .gradflow import __name__ as loaded

        return sys.modules[loaded]
    if name == "breakpoint_on":
        from .debugger.halting import breakpoint_on

        return breakpoint_on
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
