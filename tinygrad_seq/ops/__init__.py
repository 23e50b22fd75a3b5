"""The primitives: pairs of plain NumPy functions, `name` and `name_vjp`.

`table` holds each by its name.  A new op is a pair in one of these files (and a line in testing/samples.py).  In each
of these files a debugger finds `node`, the node whose rule is being applied: break in `tanh_vjp` where `node.t == 3`.
"""

from types import ModuleType, SimpleNamespace

from . import elementwise, gates, linear, losses, reduce, scalars, shape
from .primitive import Primitive
from .visited import node

__all__ = ["Primitive", "table"]

BROADCASTING = {"affine", "matmul", "einsum", "broadcast_to"}


def primitives(module: ModuleType) -> dict[str, Primitive]:
    """The pairs of a module."""
    pairs = {}
    for name, forward in vars(module).items():
        vjp = vars(module).get(f"{name}_vjp")
        if vjp is not None and forward.__module__ == module.__name__:
            pairs[name] = Primitive(
                forward,
                vjp,
                name=name.removesuffix("_part"),  # of a part of an array it is the same function
                scalar=getattr(scalars, name, None) if module is elementwise else None,
                broadcasts=module is elementwise or name in BROADCASTING,
            )
    return pairs


table = SimpleNamespace()
for _module in (elementwise, gates, linear, reduce, shape, losses):
    vars(table).update(primitives(_module))
    vars(_module)["node"] = node
