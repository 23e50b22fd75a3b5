"""`Tensor`: an array that remembers how it was made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from sys import _getframe
from typing import Any, Self

import numpy as np
from numpy import ndarray

from . import functional as F
from . import record as writer
from .backprop import backward
from .data import as_array, plain
from .errors import DataError, DtypeError, GradientError, NoDerivativeError, ReadOnlyError, ShapeError
from .graph import Node, _place, here, next_birth
from .numpy_functions import WITHOUT_GRADIENT, no_derivative, numpy_functions, numpy_reductions
from .record import NOTHING
from .source import inside

__all__ = ["Parameter", "Recorded", "Tensor"]


class Recorded(Node):
    """What tensors and values have in common."""

    __slots__ = ()

    scalar = False
    __hash__ = object.__hash__

    def _born(self, data: Any, requires_grad: bool, name: str | None) -> None:
        """Fill in the slots of a leaf."""
        self.op = self._x = self._y = None
        self.fixed = NOTHING
        self._data = data
        self._grad = None
        self.name = name
        self.requires_grad = requires_grad
        self.place = _place.get()
        frame = _getframe(2)
        while inside[frame.f_code.co_filename] and frame.f_back:
            frame = frame.f_back
        self._code = frame.f_code
        self._instruction = frame.f_lasti
        self.birth = next_birth()

    def _replace(self, data: Any) -> None:
        """New data for a leaf.  It is born anew: a graph made from the old data notices, and says so."""
        if self.op is not None:
            raise ReadOnlyError(
                f"{self!r} was made by {self.op.name}: its data is part of the record and stays. Only a leaf, such as "
                "a parameter, can be given new data"
            )
        self._data = data
        self.birth = next_birth()

    backward = backward  # the function itself: who steps into `loss.backward()` is there at once

    def retain_grad(self) -> None:
        """PyTorch's word, without effect: every node of a graph holds its gradient after `backward`."""

    def detach(self) -> Self:
        """The same data as a new leaf, through which no gradient goes."""
        leaf = type(self).constant(self._data)
        leaf.name = self.name
        return leaf

    def detach_(self) -> Self:
        """Make this node itself a leaf that requires no gradient; the record before it is let go.

        As in PyTorch.  What was computed from it stays as it is, and no gradient comes back to it any more.
        """
        self.op = self._x = self._y = None
        self.fixed = {}
        self.requires_grad = False
        return self

    def __reduce__(self) -> Any:
        if self.op is not None:
            raise GradientError(f"only a leaf can be copied or pickled, not {self!r}: detach() it first")
        return _leaf, (type(self), self._data, self.requires_grad, self.name)

    # ---- operators ----

    __add__ = F.add
    __sub__ = F.sub
    __mul__ = F.mul
    __truediv__ = F.div
    __pow__ = F.pow
    __neg__ = F.neg
    __abs__ = F.abs

    def __radd__(self, x: Any) -> Self:
        return F.add(x, self)

    def __rsub__(self, x: Any) -> Self:
        return F.sub(x, self)

    def __rmul__(self, x: Any) -> Self:
        return F.mul(x, self)

    def __rtruediv__(self, x: Any) -> Self:
        return F.div(x, self)

    def __rpow__(self, x: Any) -> Self:
        return F.pow(x, self)

    def __pos__(self) -> Self:
        return self

    def __lt__(self, y: Any) -> Any:
        return self._data < plain(y)

    def __le__(self, y: Any) -> Any:
        return self._data <= plain(y)

    def __gt__(self, y: Any) -> Any:
        return self._data > plain(y)

    def __ge__(self, y: Any) -> Any:
        return self._data >= plain(y)

    exp = F.exp
    log = F.log
    log1p = F.log1p
    expm1 = F.expm1
    sqrt = F.sqrt
    abs = F.abs
    sign = F.sign
    sin = F.sin
    cos = F.cos
    tanh = F.tanh
    sigmoid = F.sigmoid
    relu = F.relu
    leaky_relu = F.leaky_relu
    gelu = F.gelu
    silu = F.silu
    softplus = F.softplus
    erf = F.erf
    pow = F.pow
    clip = F.clip
    clamp = F.clamp
    maximum = F.maximum
    minimum = F.minimum
    add = F.add
    sub = F.sub
    mul = F.mul
    div = F.div
    neg = F.neg

    def __repr__(self) -> str:
        made = [f"{self.name} = {self.op.name}" if self.name else self.op.name] if self.op else []
        if self.op:
            made[0] += f"({', '.join(_called(x) for x in self.inputs)})"
        elif self.name:
            made.append(f"name={self.name!r}")
        if not self.op and self.requires_grad and not self.scalar:
            made.append("requires_grad=True")
        where = [self.where] if self.op and self.where else []
        return f"{type(self).__name__}({', '.join([self._shown(), *made, *where])})"

    def _shown(self) -> str:
        raise NotImplementedError


def _leaf(kind: Any, data: Any, requires_grad: bool, name: str | None) -> Any:
    """A leaf made anew, from a copy or a pickle."""
    leaf = kind(data, requires_grad=requires_grad)
    leaf.name = name
    return leaf


def _called(x: Node) -> str:
    """A node in a word, as an input of another."""
    if x.name:
        return x.name if x.t is None else f"{x.name}_{x.t}"
    return x.op.name if x.op else "…" if np.ndim(x._data) else f"{x._data:.4g}"


class Tensor(Recorded):
    """An array that remembers how it was made, so that gradients can be computed back through it.

    data: numbers, (nested) lists of them, an array, or a tensor; copied.  requires_grad: compute gradients for it.
    dtype: float32 and float64 are kept as given; integers become float64 where they require a gradient.
    name: what to call it in pictures and messages.  Its `data` is a read-only array and its `grad`, once `backward`
    was called, an array of the same shape.  Raises DataError and DtypeError for what no array of numbers can be.

    >>> from tinygrad_seq import Tensor
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x @ x).sum().backward()
    >>> x.grad
    array([[ 7., 11.],
           [ 9., 13.]])
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None
    ) -> None:
        self._born(as_array(data, dtype, requires_grad), requires_grad, name)

    @classmethod
    def constant(cls, data: Any, dtype: Any = None) -> Tensor:
        """A leaf that requires no gradient."""
        leaf = writer.new(Tensor)
        leaf._born(as_array(data, dtype, False), False, None)
        return leaf

    # ---- what it holds ----

    @property
    def data(self) -> ndarray:
        """The values, as a read-only array.  A leaf can be given new data: `w.data = w.data - 0.1 * w.grad`."""
        return self._data

    @data.setter
    def data(self, new: Any) -> None:
        array = as_array(new, self._data.dtype, self.requires_grad)
        if array.shape != self._data.shape:
            raise ShapeError(f"{self!r} has shape {self._data.shape}; its new data has {array.shape}")
        self._replace(array)

    @property
    def grad(self) -> Any:
        """d(loss)/d(this) after `backward`: a read-only array (a Tensor after create_graph=True), or None."""
        g = self._grad
        if isinstance(g, np.generic):
            g = self._grad = np.asarray(g)
        if g.__class__ is ndarray:
            g.setflags(write=False)
        return g

    @grad.setter
    def grad(self, g: Any) -> None:
        if g is not None:
            g = g if isinstance(g, Tensor) else np.array(g, self._data.dtype)
            if g.shape != self.shape:
                raise ShapeError(f"the gradient of {self!r} must have its shape {self.shape}, got {g.shape}")
        self._grad = g

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of every axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._data.dtype

    @property
    def T(self) -> Tensor:
        """Transposed: the axes in reverse order."""
        return F.transpose(self)

    @property
    def mT(self) -> Tensor:
        """With the last two axes exchanged."""
        return F.swapaxes(self, -1, -2)

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    def item(self) -> float:
        """The only element, as a Python number."""
        if self._data.size != 1:
            raise ShapeError(f"item needs a tensor of one element, got shape {self.shape}")
        return self._data.item()

    def numpy(self) -> ndarray:
        """The values, as a read-only array: the same as `data`."""
        return self._data

    def tolist(self) -> Any:
        """The values, as (nested) lists."""
        return self._data.tolist()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make a leaf require a gradient, or not; returns it."""
        if self.op is not None:
            raise GradientError(f"only a leaf can change requires_grad (see detach), not {self!r}")
        if requires_grad and self._data.dtype.kind != "f":
            raise DtypeError(f"only floating-point data can require a gradient, not {self._data.dtype}: {self!r}")
        self.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def clone(self) -> Tensor:
        """A new node of the same data, through which gradients go."""
        return F.mul(self, 1.0)

    def astype(self, dtype: Any) -> Tensor:
        """In another floating dtype; the gradient comes back in this one."""
        return F.cast(self, dtype)

    # ---- the functions that are methods too ----

    __matmul__ = F.matmul
    __getitem__ = F.getitem

    def __rmatmul__(self, x: Any) -> Tensor:
        return F.matmul(x, self)

    matmul = F.matmul
    dot = F.dot
    outer = F.outer
    sum = F.sum
    mean = F.mean
    var = F.var
    std = F.std
    max = F.max
    min = F.min
    prod = F.prod
    cumsum = F.cumsum
    norm = F.norm
    logsumexp = F.logsumexp
    softmax = F.softmax
    log_softmax = F.log_softmax
    argmax = F.argmax
    argmin = F.argmin
    reshape = F.reshape
    view = F.view
    transpose = F.transpose
    permute = F.permute
    swapaxes = F.swapaxes
    squeeze = F.squeeze
    unsqueeze = F.unsqueeze
    flatten = F.flatten
    broadcast_to = F.broadcast_to
    expand = F.expand
    split = F.split
    chunk = F.chunk
    take = F.take
    gather = F.gather
    scatter = F.scatter
    scatter_add = F.scatter_add
    masked_fill = F.masked_fill
    flip = F.flip
    roll = F.roll
    tril = F.tril
    triu = F.triu
    repeat = F.repeat

    # ---- comparisons give plain booleans ----

    def __eq__(self, y: object) -> Any:
        return self._data == plain(y)

    def __ne__(self, y: object) -> Any:
        return self._data != plain(y)

    __hash__ = object.__hash__

    # ---- a Python container and number ----

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._data.ndim:
            raise ShapeError("a tensor without axes cannot be iterated over")
        return (self[i] for i in range(len(self._data)))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise DataError(
                f"the truth of a tensor of {self._data.size} elements is ambiguous ({here()}): use .data.any() or "
                ".data.all()"
            )
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._data.__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self._data.size == 1 else str(self), spec)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise ReadOnlyError(
            f"a tensor cannot be written into ({here()}): the record must keep what gradients are computed from. "
            "Make a new one with where, masked_fill, scatter_add or concat"
        )

    def __str__(self) -> str:
        return str(self._data)

    def _shown(self) -> str:
        data = self._data
        if data.size > 6:
            return f"shape {data.shape}, {data.dtype}"
        text = np.array2string(data, precision=4, separator=", ", suppress_small=True).replace("\n", "")
        return " ".join(text.split()) + ("" if data.dtype == float else f", {data.dtype}")

    # ---- NumPy's protocols ----

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        if self.requires_grad and _place.get().mode:
            raise NoDerivativeError(
                f"making an array of a tensor that requires a gradient would drop the gradient ({here()}): "
                "use .data, .detach(), or no_grad()"
            )
        return np.array(self._data, dtype) if copy or dtype not in (None, self._data.dtype) else self._data

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        function = numpy_functions.get(ufunc) if method == "__call__" else numpy_reductions.get((ufunc, method))
        if kwargs.get("out") is not None:
            raise ReadOnlyError(f"np.{ufunc.__name__} cannot write a recorded result into an array ({here()})")
        if function is not None:
            return function(*inputs, **kwargs)
        if ufunc in WITHOUT_GRADIENT:
            return getattr(ufunc, method)(*[plain(x) for x in inputs], **kwargs)
        raise no_derivative(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"))

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        recorded = numpy_functions.get(function)
        if recorded is not None:
            return recorded(*args, **kwargs)
        if function in WITHOUT_GRADIENT:
            return function(*[plain(x) for x in args], **{k: plain(x) for k, x in kwargs.items()})
        raise no_derivative(f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1))


writer.make = Tensor


class Parameter(Tensor):
    """A tensor that a module learns: it always requires a gradient.

    >>> from tinygrad_seq import Parameter
    >>> Parameter([[0.5]], name="W_x")
    Parameter([[0.5]], name='W_x', requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None, name: str | None = None) -> None:
        super().__init__(data, requires_grad, dtype, name)
