"""Attention: a query s looks at states h_1 … h_S, and gets of each as much as its score says.

    e_i = score(s, h_i)      w = softmax(e)      context = Σ_i w_i h_i

The kinds differ in the score alone:

    dot          <s, h_i>                       the lecture's
    scaled_dot   <s, h_i> / √D                  Vaswani et al. 2017
    general      s W h_i                        Luong, Pham and Manning 2015
    additive     v · tanh(Wq s + Wk h_i)        Bahdanau, Cho and Bengio 2015

What depends on the states alone is computed once, by `memory`, and read at every step of a decoder.
"""

from __future__ import annotations

from difflib import get_close_matches
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Tensor, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

from .masks import as_padding_mask, check_states

__all__ = [
    "SCORES",
    "AdditiveAttention",
    "Attention",
    "DotAttention",
    "GeneralAttention",
    "Memory",
    "ScaledDotAttention",
    "attention_of_kind",
]


class Memory(NamedTuple):
    """What queries look at, made by `Attention.memory`.

    hs: (batch, source, D), zeros where there is padding.  keys: what the score is computed with, (batch, source, …).
    padding_mask: (batch, source), True is padding and BLOCKED; or None.
    """

    hs: Tensor
    keys: Tensor
    padding_mask: np.ndarray | None

    def select(self, index: Any) -> Memory:
        """Those rows of the batch, one often or not at all: for beam search."""
        mask = None if self.padding_mask is None else self.padding_mask[index]
        hs = self.hs[index]
        return Memory(hs, hs if self.keys is self.hs else self.keys[index], mask)


class Attention(nn.Module):
    """`context, w = attention(s, hs, padding_mask)`: what the kinds have in common.

    s: one query a row, (batch, D_s), or several, (batch, target, D_s); a single vector (D_s), such as a parameter
    that is learnt to pool a sequence, asks in every row.  hs: (batch, source, D_h), or the `memory` of it.
    padding_mask: (batch, source) booleans, True is padding and BLOCKED.  Returns the context, (batch, D_h) or (batch,
    target, D_h), and the weights, (batch, source) or (batch, target, source), which sum to 1; in a row that is padding
    throughout they are 0, and so are the context and all gradients.  The batch may be left out.
    In the record the nodes are called "score", "w" and "context".
    Raises ShapeError for sizes that do not fit, SequenceError where there is not one state.
    """

    def memory(self, hs: Any, padding_mask: Any = None) -> Memory:
        """What depends on the states alone, to be computed once and given to every call in place of hs."""
        hs = hs if isinstance(hs, Tensor) else Tensor(hs, dtype=self.dtype)
        check_states(type(self).__name__, hs)
        if padding_mask is None:
            return Memory(hs, self.keys(hs), None)
        mask = as_padding_mask(type(self).__name__, padding_mask, hs.shape[:-1])
        hs = hs.masked_fill(mask[..., None], 0.0)  # what stands in the padding, even NaN, reaches nothing
        return Memory(hs, self.keys(hs), mask)

    def forward(self, s: Any, hs: Any, padding_mask: Any = None) -> tuple[Tensor, Tensor]:
        """The context and the weights."""
        memory = hs if isinstance(hs, Memory) else self.memory(hs, padding_mask)
        if isinstance(hs, Memory) and padding_mask is not None:
            raise DataError(f"{type(self).__name__}: the memory has its padding_mask already ({here()})")
        hs = memory.hs
        s = s if isinstance(s, Tensor) else Tensor(s, dtype=hs.dtype)
        self.check(s, hs)
        score = self.score(s, memory.keys).named("score")  # (batch, source) or (batch, target, source)
        mask, several = memory.padding_mask, s.ndim == hs.ndim
        if mask is not None:
            score = score.masked_fill(mask[..., None, :] if several else mask, -np.inf)
        w = F.softmax(score).named("w")
        context = w @ hs if several else F.einsum("...s,...sd->...d", w, hs)
        return context.named("context"), w

    @property
    def dtype(self) -> Any:
        """That of the parameters, or None without any."""
        return next((p.dtype for p in self.parameters()), None)

    def keys(self, hs: Tensor) -> Tensor:
        """What the score needs of the states, (batch, source, …): the states themselves, unless a kind says more."""
        return hs

    def score(self, s: Tensor, keys: Tensor) -> Tensor:
        """The scores before the softmax, (batch, source) or (batch, target, source)."""
        raise NotImplementedError(f"{type(self).__name__} does not define score")

    def query_size(self, key_size: int) -> int:
        """How many numbers a query must have, for states of key_size numbers."""
        return key_size

    def check(self, s: Tensor, hs: Tensor) -> None:
        """Raise ShapeError unless the queries fit the states."""
        name, size = type(self).__name__, self.query_size(hs.shape[-1])
        if s.ndim == 0 or s.shape[-1] != size:
            raise ShapeError(
                f"{name} cannot take queries of shape {s.shape} for states of shape {hs.shape} ({here()}): "
                f"the last axis must have {size} numbers"
            )
        if s.ndim not in (1, hs.ndim, hs.ndim - 1) or (s.ndim > 1 and s.shape[: hs.ndim - 2] != hs.shape[:-2]):
            raise ShapeError(
                f"{name} cannot take queries of shape {s.shape} for states of shape {hs.shape} ({here()}): "
                "it takes (batch, D), or (batch, target, D), and (batch, source, D)"
            )


def inner_products(s: Tensor, keys: Tensor) -> Tensor:
    """<s, k_i> for every query and every key."""
    if s.ndim == keys.ndim:
        return s @ keys.mT  # (batch, target, source)
    return F.einsum("...sd,...d->...s", keys, s)  # (batch, source)


class DotAttention(Attention):
    """score = <s, h_i>, the lecture's: no parameters, so s and h must be of one size.

    >>> import numpy as np
    >>> from tinygrad_seq.models import DotAttention
    >>> context, w = DotAttention()([[9.0, 0.0]], [[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
    >>> w.data.round(2)
    array([[0.5, 0. , 0.5]])
    """

    def score(self, s: Tensor, keys: Tensor) -> Tensor:
        """<s, h_i>."""
        return inner_products(s, keys)


class ScaledDotAttention(Attention):
    """score = <s, h_i> / √D: of the same spread for vectors of any size D (Vaswani et al. 2017)."""

    def score(self, s: Tensor, keys: Tensor) -> Tensor:
        """<s, h_i> / √D."""
        return inner_products(s, keys) / sqrt(s.shape[-1])


class GeneralAttention(Attention):
    """score = s W h_i (Luong, Pham and Manning 2015).

    W: (query_size, key_size), evenly within ±1/√key_size at the start.

    >>> import numpy as np
    >>> from tinygrad_seq.models import GeneralAttention
    >>> context, w = GeneralAttention(query_size=2, key_size=3)(np.ones((5, 2)), np.ones((5, 7, 3)))
    >>> context.shape, w.shape
    ((5, 3), (5, 7))
    """

    def __init__(self, query_size: int, key_size: int, *, dtype: Any = None) -> None:
        super().__init__()
        sizes("GeneralAttention", query_size=query_size, key_size=key_size)
        bound = 1 / sqrt(key_size)
        self.W = nn.init.uniform_(new_parameter(query_size, key_size, dtype=dtype), -bound, bound)

    def keys(self, hs: Tensor) -> Tensor:
        """W h_i."""
        check_key_size(self, hs, self.W.shape[1])
        return hs @ self.W.T

    def score(self, s: Tensor, keys: Tensor) -> Tensor:
        """s W h_i."""
        return inner_products(s, keys)

    def query_size(self, key_size: int) -> int:
        """As told at the start."""
        return self.W.shape[0]

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.W.shape[0]}, {self.W.shape[1]}"


class AdditiveAttention(Attention):
    """score = v · tanh(Wq s + Wk h_i) (Bahdanau, Cho and Bengio 2015).

    Wq: (hidden_size, query_size), Wk: (hidden_size, key_size), v: (hidden_size), each evenly within ±1/√(its last
    size) at the start.

    >>> import numpy as np
    >>> from tinygrad_seq.models import AdditiveAttention
    >>> attention = AdditiveAttention(query_size=2, key_size=3, hidden_size=4)
    >>> memory = attention.memory(np.ones((5, 7, 3)))        # Wk h_i, once for all steps
    >>> context, w = attention(np.ones((5, 2)), memory)
    >>> context.shape, w.shape
    ((5, 3), (5, 7))
    """

    def __init__(self, query_size: int, key_size: int, hidden_size: int, *, dtype: Any = None) -> None:
        super().__init__()
        sizes("AdditiveAttention", query_size=query_size, key_size=key_size, hidden_size=hidden_size)
        shapes = (hidden_size, query_size), (hidden_size, key_size), (hidden_size,)
        self.Wq, self.Wk, self.v = (
            nn.init.uniform_(new_parameter(*shape, dtype=dtype), -1 / sqrt(shape[-1]), 1 / sqrt(shape[-1]))
            for shape in shapes
        )

    def keys(self, hs: Tensor) -> Tensor:
        """Wk h_i."""
        check_key_size(self, hs, self.Wk.shape[1])
        return hs @ self.Wk.T

    def score(self, s: Tensor, keys: Tensor) -> Tensor:
        """v · tanh(Wq s + Wk h_i)."""
        query = s @ self.Wq.T
        if s.ndim == keys.ndim:
            return F.tanh(query.unsqueeze(-2) + keys.unsqueeze(-3)) @ self.v  # (batch, target, source, hidden) @ …
        return F.tanh(query.unsqueeze(-2) + keys) @ self.v  # (batch, source, hidden) @ (hidden)

    def query_size(self, key_size: int) -> int:
        """As told at the start."""
        return self.Wq.shape[1]

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.Wq.shape[1]}, {self.Wk.shape[1]}, {self.Wk.shape[0]}"


def check_key_size(attention: Attention, hs: Tensor, size: int) -> None:
    """Raise ShapeError unless the states have that many numbers."""
    if hs.shape[-1] != size:
        raise ShapeError(
            f"{type(attention).__name__} with key_size={size} cannot take states of shape {hs.shape} ({here()}): "
            f"their last axis must have {size} numbers"
        )


# ---- by name -------------------------------------------------------------------------

SCORES = {
    "dot": DotAttention,
    "scaled_dot": ScaledDotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
}


def attention_of_kind(
    kind: str, query_size: int, key_size: int, *, hidden_size: int = 0, dtype: Any = None
) -> Attention:
    """The attention of that name, for queries and states of those sizes.

    kind: "dot", "scaled_dot", "general" or "additive".  hidden_size: of the additive one; the size of the query if 0.
    Raises DataError for another name, and for a dot product of vectors of two sizes.

    >>> from tinygrad_seq.models import attention_of_kind
    >>> attention_of_kind("general", 8, 16)
    GeneralAttention(8, 16)  128 parameters
    """
    if kind == "general":
        return GeneralAttention(query_size, key_size, dtype=dtype)
    if kind == "additive":
        return AdditiveAttention(query_size, key_size, hidden_size or query_size, dtype=dtype)
    if kind not in SCORES:
        near = get_close_matches(str(kind), SCORES, 1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise DataError(f"attention is one of {', '.join(SCORES)}, got {kind!r}{hint}")
    if query_size != key_size:
        raise DataError(
            f"{kind} attention needs queries and states of one size, got {query_size} and {key_size}: "
            "take general or additive"
        )
    return DotAttention() if kind == "dot" else ScaledDotAttention()
