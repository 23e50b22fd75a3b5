"""Attention in the form of the Transformer: queries, keys and values."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..errors import DataError, DtypeError, ShapeError
from ..graph import Node, here
from .elementwise import masked_fill
from .layers import dropout
from .products import matmul, shape_of
from .reduce import softmax
from .shape import swapaxes

__all__ = ["attend", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> Any:
    """softmax(query keyᵀ / √E) value (Vaswani et al. 2017), with PyTorch's arguments.

    query: (…, target, E).  key: (…, source, E).  value: (…, source, E_v).  Returns (…, target, E_v).
    attn_mask: broadcasts to (…, target, source); of booleans, True TAKES PART, as in PyTorch's function of this name
    (in its MultiheadAttention, and in all modules here, True is blocked); of floats, it is added to the scores.
    is_causal: target t looks at the sources up to t.  scale: in place of 1/√E.  dropout_p: the share of weights that
    is dropped, always: pass 0 outside of training.  In a row that is masked whole weights and gradients are 0.

    >>> from tinygrad_seq import Tensor, functional as F
    >>> x = Tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> F.scaled_dot_product_attention(x, x, x, is_causal=True, scale=100.0).data.round(2)
    array([[1., 0.],
           [0., 1.]])
    """
    name = "scaled_dot_product_attention"
    q, k, v = shape_of(query), shape_of(key), shape_of(value)
    if min(len(q), len(k), len(v)) < 2 or q[-1] != k[-1] or k[-2] != v[-2]:
        raise ShapeError(
            f"{name} cannot take query {q}, key {k} and value {v} ({here()}): it needs (…, target, E), (…, source, E) "
            "and (…, source, E_v)"
        )
    blocked = bias = None
    if is_causal:
        if attn_mask is not None:
            raise DataError(f"{name} takes an attn_mask or is_causal=True, not both ({here()})")
        blocked = ~np.tri(q[-2], k[-2], dtype=bool)
    elif attn_mask is not None:
        data = attn_mask._data if isinstance(attn_mask, Node) else np.asarray(attn_mask)
        if data.dtype == bool:
            blocked = ~data
        elif data.dtype.kind == "f":
            bias = attn_mask
        else:
            raise DtypeError(f"{name} needs an attn_mask of booleans or floats, got {data.dtype} ({here()})")
    return attend(query, key, value, blocked=blocked, bias=bias, scale=scale, dropout_p=dropout_p)[0]


def attend(
    query: Any,
    key: Any,
    value: Any,
    *,
    blocked: Any = None,
    bias: Any = None,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> tuple[Any, Any]:
    """softmax(query keyᵀ / √E + bias) value, and the weights, (…, target, source), before any are dropped.

    blocked: booleans that broadcast to the scores, True is BLOCKED.  In the record the nodes are called "score", "w"
    and "context".
    """
    query = query * (1 / sqrt(shape_of(query)[-1]) if scale is None else scale)
    score = matmul(query, swapaxes(key, -1, -2))
    score = (score if bias is None else score + bias).named("score")
    w = softmax(score if blocked is None else masked_fill(score, blocked, -np.inf)).named("w")
    context = matmul(dropout(w, dropout_p), value).named("context")
    return context, w
