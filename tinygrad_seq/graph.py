"""The record: nodes made from older nodes, and the place each was made at.

A node is made only from nodes that were there before it, so its birth number is a
topological order of every graph it is part of: no reader of the record ever needs
recursion or a sort by visiting.  Nodes point backward only and hold data, never
closures: reference counting frees a graph the moment nobody looks at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from contextvars import ContextVar
from functools import lru_cache, wraps
from itertools import count, islice
from operator import attrgetter
from types import CodeType
from typing import Any, ClassVar, Self
from weakref import finalize

from .errors import GradientError, SequenceError
from .hooks import OF_NODE, Handle
from .source import user_line

__all__ = [
    "Graph",
    "Node",
    "Place",
    "current_place",
    "detect_anomaly",
    "enable_grad",
    "here",
    "no_grad",
    "scope",
    "steps",
]

next_birth = count(1).__next__


# ---- where in the model the computation is ------------------------------------------

FORGET, RECORD, WATCH = 0, 1, 2  # keep no history | keep it | keep it and look for NaN and Inf


class Place:
    """The ambient state that a new node is stamped with: scope, time step, and what to record.

    Each place knows the one around it, and the block that opened it, so that leaving a block restores what was around
    that very block: in every thread and task for itself, and whatever happened inside.
    """

    __slots__ = ("anomaly", "block", "mode", "outer", "recording", "scope", "t")

    def __init__(
        self,
        scope: str = "",
        t: int | None = None,
        recording: bool = True,
        anomaly: str = "",
        outer: Place | None = None,
        block: object = None,
    ) -> None:
        self.scope = scope
        self.t = t
        self.recording = recording
        self.anomaly = anomaly  # what to look for: "", "nan", or "nan and inf"
        self.outer = outer
        self.block = block
        self.mode = (WATCH if anomaly else RECORD) if recording else FORGET

    def __repr__(self) -> str:
        parts = [f"in {self.scope}"] if self.scope else []
        parts += [f"at t={self.t}"] if self.t is not None else []
        return " ".join(parts)


_place: ContextVar[Place] = ContextVar("place", default=Place())
current_place = _place.get


def here() -> str:
    """Scope, time step and the user's source line in words, for messages: "in encoder at t=1, model.py:42"."""
    return ", ".join(part for part in (repr(_place.get()), user_line()) if part)


class scope:
    """Name the part of the model that is computed inside the block; scopes nest.

    >>> from tinygrad_seq import Tensor, scope
    >>> with scope("encoder"), scope("cell"):
    ...     h = Tensor([1.0], requires_grad=True).tanh()
    >>> h.scope
    'encoder/cell'
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        outer = _place.get()
        path = f"{outer.scope}/{self._name}" if outer.scope else self._name
        _place.set(Place(path, outer.t, outer.recording, outer.anomaly, outer, self))

    def __exit__(self, *_: object) -> None:
        leave(self)


def leave(block: object) -> None:
    """Go back to what was around a block."""
    place: Place | None = _place.get()
    while place is not None and place.block is not block:
        place = place.outer
    if place is not None and place.outer is not None:
        _place.set(place.outer)


def steps(xs: Iterable[Any], *, start: int = 1, reverse: bool = False) -> Iterator[tuple[int, Any]]:
    """Go through a sequence in time: yields (t, x_t), and what is computed meanwhile is marked with t.

    xs: a tensor or an array (its first axis is time), or any iterable.  t counts from `start`, 1 as in
    h_1 … h_T.  `reverse` goes from T down to 1.  Raises SequenceError when there is not one step.

    >>> from tinygrad_seq import Tensor, steps
    >>> h = Tensor([0.0], requires_grad=True)
    >>> for t, x in steps(Tensor([[1.0], [2.0]])):
    ...     h = (h + x).tanh()
    >>> h.t
    2
    """
    outer = _place.get()
    n = len(xs) if isinstance(xs, Sized) and hasattr(xs, "__getitem__") else None
    items: Any = xs
    if n is None:
        items = list(xs)
        n = len(items)
    if n == 0:
        raise SequenceError(f"steps needs a sequence of at least one step, got an empty one ({here()})")
    loop = object()
    try:
        for i in reversed(range(n)) if reverse else range(n):
            _place.set(Place(outer.scope, start + i, outer.recording, outer.anomaly, outer, loop))
            yield start + i, items[i]  # what picks x_t from a recorded sequence is itself of step t
    finally:
        leave(loop)


class _Mode:
    """A block, or a decorated function, in which the engine records differently."""

    _recording: bool | None = None  # None: as it is outside
    _anomaly = ""

    def __enter__(self) -> None:
        outer = _place.get()
        recording = outer.recording if self._recording is None else self._recording
        _place.set(Place(outer.scope, outer.t, recording, self._anomaly or outer.anomaly, outer, self))

    def __exit__(self, *_: object) -> None:
        leave(self)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside


class no_grad(_Mode):
    """Inside the block nothing is recorded and no result requires a gradient.  Also a decorator.

    >>> from tinygrad_seq import Tensor, no_grad
    >>> w = Tensor([2.0], requires_grad=True)
    >>> with no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """

    _recording = False


class enable_grad(_Mode):
    """Inside the block recording is on, also within a `no_grad` block."""

    _recording = True


class detect_anomaly(_Mode):
    """Inside the block the first node whose value or gradient is NaN or infinite raises AnomalyError.

    The error names the op, its scope, its time step and the source line that made it.
    check_inf: look for infinities as well as for NaN.

    >>> from tinygrad_seq import Tensor, detect_anomaly
    >>> with detect_anomaly():
    ...     y = Tensor([1.0, float("nan")], requires_grad=True) + 1    # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_seq.errors.AnomalyError: add made 1 NaN of 2 values ...
    """

    def __init__(self, *, check_inf: bool = True) -> None:
        self._anomaly = "nan and inf" if check_inf else "nan"


# ---- the nodes -----------------------------------------------------------------------


class Node:
    """One value of the computation, and how it came about.

    op        the primitive that made it; None for a leaf, which was given
    inputs    the nodes it was made from, all of them older
    fixed     the arguments of the op that are not differentiable
    data      the value: a read-only array, or a float
    grad      d(loss)/d(this), set by `backward`; None before
    name      what to call it, as in `h.named("h")`; the time step is kept apart
    scope, t  the part of the model and the time step (None: outside of time) it was made at
    source    the user's line that made it, as "file.py:42"
    birth     a number that grows: every node is older than those made from it
    """

    __slots__ = (
        "__weakref__",
        "_code",
        "_data",
        "_grad",
        "_instruction",
        "_x",
        "_y",
        "birth",
        "fixed",
        "name",
        "op",
        "place",
        "requires_grad",
    )

    scalar: ClassVar[bool]  # whether its data is a Python float

    op: Any
    fixed: dict[str, Any]
    name: str | None
    place: Place
    birth: int
    requires_grad: bool
    _data: Any
    _grad: Any
    _x: Node | None  # the first input
    _y: Any  # the second; or all of them, where there are neither one nor two
    _code: CodeType | None
    _instruction: int

    @classmethod
    def constant(cls, data: Any, dtype: Any = None) -> Any:
        """A leaf of this kind that requires no gradient."""
        raise NotImplementedError

    @property
    def data(self) -> Any:
        """The value: a read-only array, or a float."""
        return self._data

    @property
    def grad(self) -> Any:
        """d(loss)/d(this) after `backward`, or None."""
        return self._grad

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes it was made from."""
        # One and two inputs lie in slots of their own: a tuple for each node would double what Python's garbage
        # collector has to walk through, and with it the time per op of a graph of a million nodes.
        if self._y is None:
            return () if self._x is None else (self._x,)
        return self._y if self._y.__class__ is tuple else (self._x, self._y)

    @property
    def scope(self) -> str:
        """The path of the scopes that the node was made in, such as "encoder/cell"; "" outside."""
        return self.place.scope

    @property
    def t(self) -> int | None:
        """The time step that the node was made in; None outside of time."""
        return self.place.t

    @property
    def is_leaf(self) -> bool:
        """Whether the node was given, not made by an op."""
        return self.op is None

    def named(self, name: str) -> Self:
        """Give the node a name for pictures, messages and look-ups, and return it.

        >>> from tinygrad_seq import Tensor
        >>> Tensor([0.5], requires_grad=True).tanh().named("h").name
        'h'
        """
        self.name = name
        return self

    def register_hook(self, hook: Callable[[Any], Any]) -> Handle:
        """Call hook(g) in every sweep when the gradient g of this node is complete, as in PyTorch.

        What it returns, if not None, is the gradient from there on, so that it can be shortened, say, or noted down.
        g is a read-only array, a float of a Value, or a recorded node under create_graph.  Returns a handle with
        `remove()`, which is also the end of a `with` block.  Raises GradientError where no gradient comes.

        >>> from tinygrad_seq import Tensor
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda g: 2 * g)
        >>> (x * x).sum().backward()
        >>> x.grad
        array([4., 8.])
        >>> handle.remove()
        """
        if not self.requires_grad:
            raise GradientError(f"{self!r} requires no gradient: a hook on it would never be called")
        key = id(self)
        if key not in OF_NODE:
            OF_NODE[key] = []
            finalize(self, OF_NODE.pop, key, None).atexit = False
        return Handle(OF_NODE[key], hook, lambda hooks: OF_NODE.get(key) is hooks and OF_NODE.pop(key))

    @property
    def filename(self) -> str:
        """The file of the source line that made the node; "" where unknown."""
        return self._code.co_filename if self._code else ""

    @property
    def origin(self) -> tuple[object, ...]:
        """What made the node, as something to compare: equal for nodes that the same place in the code made.

        The file, and the expression's first and last line and column.  The instruction itself would not do: Python
        moves it a little when it makes code faster that has run a few times.
        """
        return (self._code.co_filename, *position(self._code, self._instruction)) if self._code else ("",)

    @property
    def lineno(self) -> int:
        """The number of the source line that made the node; 0 where unknown."""
        return position(self._code, self._instruction)[0] or self._code.co_firstlineno if self._code else 0

    @property
    def source(self) -> str:
        """The source line that made the node, as "file.py:42"; "" where unknown."""
        return f"{os.path.basename(self.filename)}:{self.lineno}" if self._code else ""

    @property
    def where(self) -> str:
        """Scope, time step and source line in words, for messages: "in encoder at t=1, model.py:42"."""
        return ", ".join(part for part in (repr(self.place), self.source) if part)


@lru_cache(maxsize=65536)
def position(code: CodeType, instruction: int) -> tuple[int | None, ...]:
    """First line, last line, first column, last column of an instruction in the source."""
    return next(islice(code.co_positions(), instruction // 2, None), (None,) * 4)


class Graph:
    """All the nodes that some outputs were made from, oldest first.

    >>> from tinygrad_seq import Tensor
    >>> from tinygrad_seq.graph import Graph
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = x * x + x
    >>> [node.op.name if node.op else node.name for node in Graph(y).nodes]
    ['x', 'mul', 'add']
    """

    def __init__(self, *outputs: Node) -> None:
        self.outputs = outputs
        seen = set(outputs)
        stack = list(seen)
        while stack:
            for node in stack.pop().inputs:
                if node not in seen:
                    seen.add(node)
                    stack.append(node)
        self.nodes: list[Node] = sorted(seen, key=attrgetter("birth"))

    def named(self, name: str) -> list[Node]:
        """The nodes of that name, oldest first: `Graph(loss).named("h")` is h_1 … h_T."""
        return [node for node in self.nodes if node.name == name]

    def at(self, t: int | None) -> list[Node]:
        """The nodes made at time step t."""
        return [node for node in self.nodes if node.place.t == t]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __repr__(self) -> str:
        times = {node.place.t for node in self.nodes} - {None}
        return f"Graph({len(self.nodes)} nodes" + (f", {len(times)} time steps)" if times else ")")
