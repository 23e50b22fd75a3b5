"""Texts of any script, vocabularies, ragged batches, and weights of recurrent networks."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from .data import arrays
from .elements import REAL, numbers, within

if TYPE_CHECKING:
    from tinygrad_seq.models import Vocabulary

# Latin, accents alone and composed, letters that change their number in upper case, Hangul whole and in its letters,
# Hebrew, Arabic, Devanagari, Thai, Chinese, emoji with what joins and colours them, direction marks, spaces, controls.
SCRIPTS = (
    "abzA0.é\u0301\u0308ßıﬁĳ강사입니다ㅎㅏ\u1112\u1161\u11abשלםاعﺔकि\u0947ไทย漢字𠮷😀👩👍🏽🇰"
    "\u200d\ufe0f\u200e\u202e\ufeff \n\t\u3000\u2028\x00\x7f\U0010ffff"
)
ROLES = {"padding": "<pad>", "begin": "<bos>", "end": "<eos>", "unknown": "<unk>"}

CHARACTERS: SearchStrategy[str] = st.sampled_from(SCRIPTS).map(str) | st.characters(exclude_categories=["Cs"])
WORDS: SearchStrategy[str] = st.text(CHARACTERS.filter(lambda c: not c.isspace()), min_size=1, max_size=4)


def texts(min_size: int = 0, max_size: int = 8) -> SearchStrategy[str]:
    """Any Unicode text that can be written as UTF-8, with many scripts, emoji and marks.

    min_size, max_size: in code points.

    >>> from hypothesis import find
    >>> find(texts(), lambda text: len(text) == 2)
    'aa'
    """
    return st.text(CHARACTERS, min_size=min_size, max_size=max_size)


@st.composite
def vocabularies(
    draw: DrawFn,
    *,
    min_size: int = 1,
    max_size: int = 6,
    unit: str | None = None,
    roles: Collection[str] = (),
) -> Vocabulary:
    """A `tinygrad_seq.models.Vocabulary` of characters or words of any script.

    min_size, max_size: how many tokens it has besides those of the roles.  unit: "character" or "word"; None for
    either.  roles: which of "padding", "begin", "end" and "unknown" it has.

    >>> from hypothesis import find
    >>> find(vocabularies(roles=["padding"], unit="word"), lambda vocabulary: len(vocabulary) == 3)
    Vocabulary(3 words: <pad> a b)
    """
    from tinygrad_seq.models import Vocabulary

    given_roles: dict[str, Any] = {role: ROLES[role] for role in roles}
    given_unit: Any = unit or draw(st.sampled_from(["character", "word"]))
    one = CHARACTERS if given_unit == "character" else WORDS.filter(lambda word: word not in ROLES.values())
    tokens = draw(st.lists(one, min_size=min_size, max_size=max_size, unique=True))
    return Vocabulary(tokens, unit=given_unit, **given_roles)


@st.composite
def token_sequences(
    draw: DrawFn,
    vocabulary: Vocabulary | SearchStrategy[Vocabulary] | None = None,
    *,
    min_size: int = 0,
    max_size: int = 8,
) -> list[str]:
    """Tokens of a vocabulary, but those of its roles; without a vocabulary any characters of Unicode.

    min_size, max_size: how many.

    >>> from hypothesis import find
    >>> from tinygrad_seq.models import Vocabulary
    >>> find(token_sequences(Vocabulary.words("저는 강사 입니다", padding="<pad>"), min_size=2), lambda tokens: True)
    ['저는', '저는']
    """
    one = CHARACTERS
    if vocabulary is not None:
        known = draw(vocabulary) if isinstance(vocabulary, SearchStrategy) else vocabulary
        roles = (known.padding, known.begin, known.end, known.unknown)
        one = st.sampled_from([token for token in known.tokens if token not in roles] or list(known.tokens))
    return draw(st.lists(one, min_size=min_size, max_size=max_size))


# ---- batches and weights of recurrent networks ---------------------------------------


class RaggedBatch(NamedTuple):
    """Sequences of different lengths, filled up with padding at their end.

    x: (T, batch, features) numbers, or (T, batch) integers, the numbers of tokens.  lengths: (batch) integers from 1
    to T.  mask: (batch, T) booleans, True where there is padding.
    """

    x: np.ndarray
    lengths: np.ndarray
    mask: np.ndarray

    @property
    def sequences(self) -> list[np.ndarray]:
        """Each sequence alone, without padding."""
        return [self.x[:length, i] for i, length in enumerate(self.lengths.tolist())]


@st.composite
def ragged_batches(
    draw: DrawFn,
    features: int | SearchStrategy[int] = 2,
    *,
    vocabulary: Vocabulary | SearchStrategy[Vocabulary] | None = None,
    max_batch: int = 3,
    min_length: int = 1,
    max_length: int = 4,
    elements: SearchStrategy[float] = REAL,
    padding: SearchStrategy[float] | None = None,
    dtype: Any = np.float64,
) -> RaggedBatch:
    """A batch of sequences of different lengths, of vectors, or of the tokens of a vocabulary, with its mask.

    features: of each vector.  elements: its numbers.  padding: what the padding is made of, any of `elements` unless
    told otherwise: `st.just(np.nan)` shows where it is looked at.  Tokens are padded with the vocabulary's padding, or
    with any of its tokens where it has none.  Some batches are longer than their longest sequence.

    >>> from hypothesis import find
    >>> batch = find(ragged_batches(1, padding=st.just(np.nan)), lambda batch: batch.mask.any())
    >>> batch.x[..., 0], batch.lengths, batch.mask
    (array([[ 0.],
           [nan]]), array([1]), array([[False,  True]]))
    """
    lengths = np.array(draw(st.lists(st.integers(min_length, max_length), min_size=1, max_size=max_batch)))
    T = int(lengths.max()) + draw(st.integers(0, 1))
    mask = np.arange(T) >= lengths[:, None]
    if vocabulary is None:
        features = draw(features) if isinstance(features, SearchStrategy) else features
        dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
        x = draw(arrays((T, len(lengths), features), elements, dtype, contiguous=True))
        if padding is not None:
            x[mask.T] = draw(arrays((int(mask.sum()), features), padding, dtype, contiguous=True))
    else:
        known = draw(vocabulary) if isinstance(vocabulary, SearchStrategy) else vocabulary
        ordinary = [i for i, token in enumerate(known.tokens) if token not in (known.padding, known.begin, known.end)]
        one = st.sampled_from(ordinary or range(len(known)))
        x = np.array(draw(st.lists(one, min_size=mask.size, max_size=mask.size))).reshape(T, len(lengths))
        if known.padding is not None:
            x[mask.T] = known[known.padding]
    return RaggedBatch(x, lengths, mask)


SIZES = st.integers(1, 3)


@st.composite
def recurrent_params(
    draw: DrawFn,
    input_size: int | SearchStrategy[int] = SIZES,
    hidden_size: int | SearchStrategy[int] = SIZES,
    *,
    gates: int = 1,
    bias: bool | SearchStrategy[bool] = True,
    radius: tuple[float, float] | None = (0.0, 1.0),
    min_value: float = -1.0,
    max_value: float = 1.0,
    dtype: Any = np.float64,
) -> dict[str, np.ndarray]:
    """The weights of one recurrent layer, under PyTorch's names and in its shapes.

    weight_ih: (gates · hidden, input).  weight_hh: (gates · hidden, hidden).  bias_ih, bias_hh: (gates · hidden), not
    there without bias.  gates: 1 for an RNN, 3 for a GRU, 4 for an LSTM.
    radius: between which two numbers the spectral radius (the largest |eigenvalue|) of each gate's block of weight_hh
    lies, so that products over many steps neither blow up nor die; None for whatever numbers are drawn.

    >>> from hypothesis import find
    >>> find(recurrent_params(1, 2, bias=False, radius=(1.0, 1.0)), lambda params: True)
    {'weight_ih': array([[0.],
           [0.]]), 'weight_hh': array([[1., 0.],
           [0., 1.]])}
    """
    inputs = draw(input_size) if isinstance(input_size, SearchStrategy) else input_size
    hidden = draw(hidden_size) if isinstance(hidden_size, SearchStrategy) else hidden_size
    dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
    elements = numbers(min_value, max_value)

    def plain(*shape: int) -> np.ndarray:
        return draw(arrays(shape, elements, dtype, contiguous=True))

    params = {"weight_ih": plain(gates * hidden, inputs), "weight_hh": plain(gates * hidden, hidden)}
    if radius is not None:
        blocks = [
            with_radius(block, draw(within(*radius, single=False)))
            for block in np.split(params["weight_hh"].astype(float), gates)
        ]
        params["weight_hh"] = np.concatenate(blocks).astype(dtype)
    if draw(bias) if isinstance(bias, SearchStrategy) else bias:
        params |= {"bias_ih": plain(gates * hidden), "bias_hh": plain(gates * hidden)}
    return params


def with_radius(A: np.ndarray, radius: float) -> np.ndarray:
    """A square matrix scaled to that spectral radius; where its own is near 0, the identity is mixed in first.

    >>> with_radius(np.diag([4.0, 1.0]), 0.5)
    array([[0.5  , 0.   ],
           [0.   , 0.125]])
    """
    size = np.linalg.norm(A, 2)
    if np.abs(np.linalg.eigvals(A)).max() <= size / 10:
        A = A + (size or 1.0) * np.eye(len(A))
    return A * (radius / np.abs(np.linalg.eigvals(A)).max())
