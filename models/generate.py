"""Generating: the model's prediction becomes its next input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from tinygrad_seq import no_grad
from tinygrad_seq.errors import DataError, NonFiniteError, ShapeError
from tinygrad_seq.rng import generator

__all__ = ["generate", "sample"]


def sample(
    logits: Any, *, temperature: float = 1.0, top_k: int | None = None, rng: np.random.Generator | None = None
) -> Any:
    """Draw from softmax(logits / temperature), after all but the `top_k` most likely are ruled out.

    logits: (…, classes).  Gives integers of shape (…).  temperature: 1 as learnt, more is bolder, less is safer, and 0
    always takes the most likely (the first of equals).  rng: by default the library's generator, see `manual_seed`.
    Raises DataError for a temperature below 0 and a top_k below 1, NonFiniteError for logits that are NaN or +inf.

    >>> import numpy as np
    >>> from tinygrad_seq.models import sample
    >>> int(sample([1.0, 3.0, 2.0], temperature=0))
    1
    >>> draws = sample(np.tile([1.0, 3.0, 2.0], (100, 1)), top_k=2, rng=np.random.default_rng(0))
    >>> np.unique(draws).tolist()
    [1, 2]
    """
    check_sampling(temperature, top_k)
    z = np.asarray(getattr(logits, "data", logits), float)
    if not z.ndim or not z.shape[-1]:
        raise ShapeError(f"sample needs logits of shape (…, classes), got {z.shape}")
    best = z.max(axis=-1, keepdims=True)
    if not np.isfinite(best).all():
        raise NonFiniteError("sample needs logits that are numbers (-inf rules one out), got NaN, +inf, or only -inf")
    if top_k is not None and top_k < z.shape[-1]:
        order = np.argsort(-z, axis=-1, kind="stable")  # of equals the first stay
        z = z.copy()
        np.put_along_axis(z, order[..., top_k:], -np.inf, axis=-1)
    if temperature == 0:
        return z.argmax(axis=-1)
    with np.errstate(over="ignore"):  # far below the best: -inf, which has no chance
        z = (z - best) / temperature
    below = np.exp(z).cumsum(axis=-1)
    drawn = (rng or generator()).random(best.shape) * below[..., -1:]
    return (below <= np.minimum(drawn, np.nextafter(below[..., -1:], 0))).sum(axis=-1)


class Generating(Protocol):
    """What generates: `ManyToMany`, `OneToMany`, `TransformerLM`, or a model of your own."""

    def begin(self, prompt: Any) -> tuple[np.ndarray, Any]:
        """The tokens to read first, and the state before them."""
        ...

    def unroll(self, tokens: Any, state: Any) -> Iterator[tuple[int, Any, Any]]:
        """(t, the logits of the token after t, the state after t) for each of the tokens."""
        ...


def generate(
    model: Generating,
    prompt: Any,
    length: int,
    *,
    end: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    rng: np.random.Generator | None = None,
) -> Iterator[int]:
    """Up to `length` tokens, one after the other, each drawn from what the model expects after those before it.

    model: was trained to predict the next token.  prompt: (T) tokens to go on from, at least one; for `OneToMany` the
    vector.  end: the token to stop at, which is not given out.  temperature, top_k, rng: as in `sample`.
    Nothing is recorded.

    >>> from tinygrad_seq.models import RNN, ManyToMany, Vocabulary, generate
    >>> letters = Vocabulary.characters("HELLO")
    >>> model = ManyToMany(RNN(4, 8), 4)
    >>> len(letters.decode(generate(model, letters.encode("HE"), 10)))
    10
    """
    check_sampling(temperature, top_k)
    if not isinstance(length, int | np.integer) or length < 0:
        raise DataError(f"generate: length must be an integer of at least 0, got {length!r}")
    with no_grad():
        tokens, state = model.begin(prompt)

    def draw() -> Iterator[int]:
        read, after = tokens, state
        for _ in range(length):
            with no_grad():
                *_, (_, y, after) = model.unroll(read, after)
            token = int(sample(y, temperature=temperature, top_k=top_k, rng=rng))
            if token == end:
                return
            yield token
            read = np.array([token])

    return draw()


def check_sampling(temperature: float, top_k: int | None) -> None:
    """Raise DataError for a temperature or a top_k that means nothing."""
    if not isinstance(temperature, int | float | np.number) or not 0 <= temperature < np.inf:
        raise DataError(f"temperature must be a number of at least 0 (0: always the most likely), got {temperature!r}")
    if top_k is not None and (not isinstance(top_k, int | np.integer) or isinstance(top_k, bool) or top_k < 1):
        raise DataError(f"top_k must be an integer of at least 1, or None for all, got {top_k!r}")
