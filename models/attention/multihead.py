"""Attention in several heads, each with projections of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from tinygrad_seq import Parameter, Tensor, nn, scope
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.functional.attention import attend
from tinygrad_seq.graph import here
from tinygrad_seq.nn.layers import new_parameter, sizes

from .masks import causal_mask, finite_padding

__all__ = ["KeysValues", "MultiheadAttention", "scope_of"]


class KeysValues(NamedTuple):
    """The keys and values of what was read so far: (batch, heads, source, head size) each."""

    k: Tensor
    v: Tensor

    @property
    def length(self) -> int:
        """How many were read."""
        return self.k.shape[-2]

    def followed_by(self, later: KeysValues) -> KeysValues:
        """These, and then the later ones."""
        return KeysValues(F.concat([self.k, later.k], axis=-2), F.concat([self.v, later.v], axis=-2))

    def select(self, index: Any) -> KeysValues:
        """Those rows of the batch, one often or not at all: for beam search."""
        return KeysValues(self.k[index], self.v[index])


class MultiheadAttention(nn.Module):
    """softmax(Q Kᵀ / √d) V in several heads, side by side and projected (Vaswani et al. 2017).

    `y, w = attention(query, key, value)` as in PyTorch.  query: (target, batch, embed_dim), key: (source, batch,
    kdim), value: (source, batch, vdim); with batch_first the batch stands first; it may be left out.  y: as the query.
    w: the weights, mean over the heads, (batch, target, source), or with average_attn_weights=False of each head,
    (batch, heads, target, source); None with need_weights=False.  They are those before dropout, so they sum to 1.

    Masks, in which True is BLOCKED, as in PyTorch's layer; or floats that are added to the scores:
    key_padding_mask: (batch, source).  attn_mask: (target, source), or (batch · heads, target, source).
    is_causal=True hides the future without an attn_mask.  In a row that is masked whole the weights and all
    gradients are 0, where PyTorch gives NaN.  What is not finite in the padding of a boolean mask counts as 0.

    Parameters, with PyTorch's names and start: in_proj_weight (3 embed_dim, embed_dim), evenly by Xavier and Glorot,
    the query's rows first, then the key's and the value's, or q_proj_weight, k_proj_weight and v_proj_weight where kdim
    or vdim differ; in_proj_bias, zeros; out_proj, whose bias starts as zeros too.
    In the record the nodes "score", "w" and "context" have an axis for the heads.

    >>> import numpy as np
    >>> from tinygrad_seq.models import MultiheadAttention
    >>> x = np.ones((5, 2, 8))                                        # (T, batch, E)
    >>> y, w = MultiheadAttention(embed_dim=8, num_heads=2)(x, x, x, is_causal=True)
    >>> y.shape, w.shape, w.data[0, 1].tolist()
    ((5, 2, 8), (2, 5, 5), [0.5, 0.5, 0.0, 0.0, 0.0])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads, kdim=kdim, vdim=vdim)
        if embed_dim % num_heads:
            raise DataError(
                f"MultiheadAttention: embed_dim must be a multiple of num_heads, got {embed_dim} and {num_heads}: "
                "each head takes an equal share"
            )
        if not 0 <= dropout <= 1:
            raise DataError(f"MultiheadAttention: dropout must be between 0 and 1, got {dropout}")
        self.embed_dim, self.num_heads, self.kdim, self.vdim = embed_dim, num_heads, kdim, vdim
        self.dropout, self.batch_first, self.head_dim = dropout, batch_first, embed_dim // num_heads
        one = kdim == vdim == embed_dim

        def projection(*shape: int) -> Parameter:
            return nn.init.xavier_uniform_(new_parameter(*shape, dtype=dtype))

        self.in_proj_weight = projection(3 * embed_dim, embed_dim) if one else None
        self.q_proj_weight = None if one else projection(embed_dim, embed_dim)
        self.k_proj_weight = None if one else projection(embed_dim, kdim)
        self.v_proj_weight = None if one else projection(embed_dim, vdim)
        self.in_proj_bias = new_parameter(3 * embed_dim, dtype=dtype) if bias else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias, dtype=dtype)
        if self.out_proj.bias is not None:
            nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """y and the weights."""
        itself = key is query and value is query
        query, single = self.arranged(query, "query", self.embed_dim), np.ndim(query) == 2  # (T, batch, E) from here on
        if itself:
            query = query if key_padding_mask is None else finite_padding(query, key_padding_mask)
            q, *kv = self.heads(query, 0, 3)
        else:
            same, key = key is value and self.kdim == self.vdim, self.arranged(key, "key", self.kdim)
            value = key if same else self.arranged(value, "value", self.vdim)
            if key_padding_mask is not None:
                key = finite_padding(key, key_padding_mask)
                value = key if same else finite_padding(value, key_padding_mask)
            if key.shape[:2] != value.shape[:2] or key.shape[1] != query.shape[1]:
                raise ShapeError(
                    f"MultiheadAttention cannot take query {query.shape}, key {key.shape} and value {value.shape} "
                    f"({here()}): as (T, batch, features) all must have the same batch, key and value the same T"
                )
            (q,), kv = self.heads(query, 0, 1), self.projected(key, value)
        blocked, bias = self.masks(key_padding_mask, attn_mask, is_causal, len(query), kv[0].shape[-2], query.shape[1])
        y, w = self.look(q, KeysValues(*kv), blocked, bias)
        if self.batch_first and not single:
            y = y.swapaxes(0, 1)
        weights = None if not need_weights else w.mean(axis=1) if average_attn_weights else w
        return (y[:, 0], weights if weights is None else weights[0]) if single else (y, weights)

    # ---- its parts, for decoding token by token ----

    def extend(self, x: Any, past: KeysValues | None = None) -> tuple[Tensor, Tensor, KeysValues]:
        """Go on reading: causal self-attention of new rows to those before them and to themselves.

        x: (T, batch, E), the new rows.  past: what an earlier call gave, None at the start.  Returns y, the weights of
        each head, and the keys and values of all rows so far: each row is projected once, and never again.
        """
        with scope_of(self):
            q, k, v = self.heads(x, 0, 3)
            kv = KeysValues(k, v) if past is None else past.followed_by(KeysValues(k, v))
            total, new = kv.length, len(x)
            blocked = causal_mask(total)[total - new :] if new > 1 else None
            return *self.look(q, kv, blocked), kv

    def across(self, x: Tensor, kv: KeysValues, blocked: Any = None) -> tuple[Tensor, Tensor]:
        """Look from x, (target, batch, E), at what `keys_values` gave; blocked: broadcasts to (batch, 1, 1, source)."""
        with scope_of(self):
            return self.look(self.heads(x, 0, 1)[0], kv, blocked)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """What other sequences look at, projected once: memory (source, batch, E)."""
        with scope_of(self):
            return KeysValues(*self.projected(memory, memory))

    # ---- how it is done ----

    def look(self, q: Tensor, kv: KeysValues, blocked: Any = None, bias: Any = None) -> tuple[Tensor, Tensor]:
        """(target, batch, E) and the weights of each head, from queries and keys that are projected already."""
        dropout = self.dropout if self.training else 0.0
        context, w = attend(q, kv.k, kv.v, blocked=blocked, bias=bias, dropout_p=dropout)
        batch, _, target, _ = context.shape
        return self.out_proj(context.transpose(2, 0, 1, 3).reshape(target, batch, self.embed_dim)), w

    def heads(self, x: Tensor, first: int, end: int) -> list[Tensor]:
        """Queries (0), keys (1) and values (2) of x, those from `first` to before `end`: (batch, heads, T, size)."""
        T, batch, _ = x.shape
        E, n = self.embed_dim, end - first
        part = slice(first * E, end * E)
        if self.in_proj_weight is not None:
            weight = self.in_proj_weight if n == 3 else self.in_proj_weight[part]
        elif n == 1:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[first]
        else:
            return [self.heads(x, i, i + 1)[0] for i in range(first, end)]
        bias = self.in_proj_bias if self.in_proj_bias is None or n == 3 else self.in_proj_bias[part]
        parts = F.linear(x, weight, bias).reshape(T, batch, n, self.num_heads, self.head_dim).transpose(2, 1, 3, 0, 4)
        return [parts[i] for i in range(n)]

    def projected(self, key: Tensor, value: Tensor) -> list[Tensor]:
        """Keys and values in heads; of one tensor in one product."""
        if key is value and self.in_proj_weight is not None:
            return self.heads(key, 1, 3)
        return self.heads(key, 1, 2) + self.heads(value, 2, 3)

    def arranged(self, x: Any, name: str, size: int) -> Tensor:
        """An input as (T, batch, features), checked."""
        x = x if isinstance(x, Tensor) else Tensor(x, dtype=self.out_proj.weight.dtype)
        if x.ndim not in (2, 3) or x.shape[-1] != size:
            layout = "(batch, T, " if self.batch_first else "(T, batch, "
            raise ShapeError(
                f"MultiheadAttention takes a {name} of shape {layout}{size}), or (T, {size}), got {x.shape} ({here()})"
            )
        if not x.size:
            raise SequenceError(
                f"MultiheadAttention needs a {name} of at least one step and one row, got {x.shape} ({here()})"
            )
        if x.ndim == 2:
            return x.unsqueeze(1)
        return x.swapaxes(0, 1) if self.batch_first else x

    def masks(
        self, padding: Any, mask: Any, is_causal: bool, target: int, source: int, batch: int
    ) -> tuple[np.ndarray | None, Any]:
        """What is blocked, and what is added to the scores; each to broadcast to (batch, heads, target, source)."""
        blocked: np.ndarray | None = causal_mask(max(target, source))[:target, :source] if is_causal else None
        bias: Any = None
        shapes: list[tuple[int, ...]] = [(target, source), (batch * self.num_heads, target, source)]
        if mask is not None:
            mask, is_float = mask_of("attn_mask", mask)
            if mask.shape not in shapes:
                raise ShapeError(
                    f"MultiheadAttention: attn_mask must have the shape (target, source), here {shapes[0]}, or "
                    f"(batch · heads, target, source), here {shapes[1]}, got {mask.shape} ({here()})"
                )
            mask = mask if mask.ndim == 2 else mask.reshape(batch, self.num_heads, target, source)
            if is_float:
                bias = mask
            else:
                blocked = mask if blocked is None else blocked | mask
        if padding is not None:
            padding, is_float = mask_of("key_padding_mask", padding)
            if batch == 1 and padding.shape == (source,):
                padding = padding.reshape(1, source)
            if padding.shape != (batch, source):
                raise ShapeError(
                    "MultiheadAttention: key_padding_mask must have the shape (batch, source), here "
                    f"{(batch, source)}, got {padding.shape} ({here()})"
                )
            padding = padding.reshape(batch, 1, 1, source)
            if is_float:
                bias = padding if bias is None else bias + padding
            else:
                blocked = padding if blocked is None else blocked | padding
        return blocked, bias

    def extra_repr(self) -> str:
        """Its sizes."""
        other = "" if self.in_proj_weight is not None else f", kdim={self.kdim}, vdim={self.vdim}"
        return f"{self.embed_dim}, {self.num_heads}{other}" + (", batch_first=True" if self.batch_first else "")


def scope_of(module: nn.Module) -> AbstractContextManager[None]:
    """The scope that calling the module opens, for its methods that are called by other names."""
    return scope(module._name) if module._name else nullcontext()


def mask_of(name: str, mask: Any) -> tuple[Any, bool]:
    """A mask as an array of booleans, or as floats (a tensor stays one), and whether it is of floats."""
    array = mask.data if isinstance(mask, Tensor) else np.asarray(mask)
    if array.dtype == bool:
        return array, False
    if array.dtype.kind != "f":
        raise DtypeError(
            f"MultiheadAttention: {name} must be made of booleans, True is blocked, or of floats that are added, got "
            f"{array.dtype} ({here()})"
        )
    return (mask if isinstance(mask, Tensor) else array), True
