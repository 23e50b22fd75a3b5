"""The lecture's self-attention, without projections: h_i_new = Σ_j w_ij h_j with w_ij = softmax_j(<h_i, h_j>).

On the slide of self-attention the inner products themselves are the weights; the softmax is step 3 of its
"RNN+attention", whose formula is written in the same way, and so it stands here too.  `normalize=False` leaves it out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_seq import Tensor, steps
from tinygrad_seq import functional as F

from .masks import as_padding_mask, check_states

__all__ = ["look", "self_attention"]


def self_attention(
    hs: Any, padding_mask: Any = None, *, masked: bool = False, normalize: bool = True
) -> tuple[Tensor, Tensor]:
    """h_t_new = Σ_j softmax_j(<h_t, h_j>) h_j for every t, step by step: each h_new knows its t.

    hs: (T, batch, D), or (T, D).  masked: only j ≤ t, the future is hidden.  normalize=False: without the softmax.
    padding_mask: (batch, T), True is padding and BLOCKED.  Returns the new states, of the shape of hs, and the
    weights, (batch, T, T), or (T, T).

    >>> import numpy as np
    >>> from tinygrad_seq import Tensor
    >>> from tinygrad_seq.models import self_attention
    >>> new, w = self_attention(Tensor([[1.0, 0.0], [0.0, 1.0]]), masked=True, normalize=False)
    >>> w.data
    array([[1., 0.],
           [0., 1.]])
    """
    hs = hs if isinstance(hs, Tensor) else Tensor(hs)
    check_states("self_attention", hs)
    H = hs if hs.ndim == 2 else hs.swapaxes(0, 1)  # (batch, T, D)
    blocked = None
    if padding_mask is not None:
        blocked = as_padding_mask("self_attention", padding_mask, H.shape[:-1])
        H = H.masked_fill(blocked[..., None], 0.0)
    new, weights, T = [], [], len(hs)
    for t, _ in steps(range(T)):
        past = H[..., :t, :] if masked else H
        hidden = None if blocked is None else blocked[..., : past.shape[-2]]
        context, w = look(H[..., t - 1, :], past, hidden, normalize)
        new.append(context.named("h_new"))
        weights.append(F.concat([w, np.zeros((*w.shape[:-1], T - t), w.dtype)], axis=-1) if masked and t < T else w)
    return F.stack(new), F.stack(weights, axis=-2)


def look(s: Tensor, H: Tensor, blocked: Any, normalize: bool) -> tuple[Tensor, Tensor]:
    """Σ_i w_i h_i and w, of the inner products <s, h_i>.

    s: (batch, D).  H: (batch, source, D), zeros for padding.  blocked: (batch, source), True is BLOCKED, or None.
    """
    score = F.einsum("...sd,...d->...s", H, s).named("score")  # (batch, source)
    if normalize:
        w = F.softmax(score if blocked is None else score.masked_fill(blocked, -np.inf)).named("w")
    else:
        w = (score * 1.0 if blocked is None else score.masked_fill(blocked, 0.0)).named("w")
    return F.einsum("...s,...sd->...d", w, H), w
