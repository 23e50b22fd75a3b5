"""An autograd engine that shows how sequence models learn.

The record of a computation (`Tensor`, `Value`), one backward walk over it (`sweep`), and what is built on them.
"""

from . import errors, functional, gradflow, nn, optim
from .autograd import grad, hessian, jacobian, jvp, value_and_grad, vjp
from .backprop import Visit, sweep
from .graph import Graph, Node, detect_anomaly, enable_grad, no_grad, scope, steps
from .hooks import Handle, on_visit
from .record import Op
from .rng import manual_seed
from .tensor import Parameter, Tensor
from .trace import Trace
from .value import Value

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
