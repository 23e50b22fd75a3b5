"""What hypothesis draws examples from: numbers, shapes, arrays, tensors, texts, batches, and calls of a function.

Everything shrinks to what is simple: few axes, zeros, the C order, one token.  `find` shows to what:

>>> from hypothesis import find
>>> from tinygrad_seq.testing.strategies import arrays, broadcastable_shapes, tensors
>>> find(broadcastable_shapes(2), lambda shapes: shapes[0] != shapes[1])
((1, 1), (1,))
>>> find(arrays((2, 2)), lambda x: x[0, 1] != 0)
array([[0., 1.],
       [0., 0.]])
>>> find(tensors(name="x"), lambda x: x.ndim == 1 and x.size > 0)
Tensor([0.], name='x', requires_grad=True)
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from hypothesis.strategies import DrawFn, SearchStrategy

from .. import Tensor, Value
from ..errors import DataError

if TYPE_CHECKING:
    from tinygrad_seq.models import Vocabulary

Shape = tuple[int, ...]

# ---- numbers -------------------------------------------------------------------------

NEAR = 0.25  # how near to 0 numbers come that are to stay away from it


class Bulk(NamedTuple):
    """How the numbers of a strategy are made from two bytes each: an array then is drawn at once, as one string.

    simple: simplest first; they are a share of all.  low, high: between which the others lie, evenly; None where there
    are no others.  gap: how far these stay from 0.  single: they are numbers that float32 has.
    """

    simple: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    gap: float = 0.0
    single: bool = True
    share: int = 32  # of 256

    def numbers(self, data: bytes) -> np.ndarray:
        """len(data) / 2 numbers.  Of zero bytes the simplest, so that it is what hypothesis shrinks them to."""
        k = np.frombuffer(data, ">u2").astype(np.int64)
        if self.low is None or self.high is None:
            return np.array(self.simple)[k % len(self.simple)]
        first = self.share << 8
        u = np.maximum(k - first, 0) / (65535 - first)
        x = (1 - u) * self.low + u * (self.high - 2 * self.gap)
        if self.gap:
            x = np.where(x > -self.gap, x + 2 * self.gap, x)
        if self.single:
            rounded = np.copysign(np.ceil(np.abs(x) * 4) / 4, x)  # where the second byte is 0, as after shrinking
            x = np.clip(np.where(k & 255, x.astype(np.float32), rounded), self.low, self.high)
        return np.where(k < first, np.array(self.simple)[(k >> 8) % len(self.simple)], x)


# A union, as hypothesis hands it on as the object that it is; another strategy might be unwrapped, and not found here.
IN_BULK: WeakKeyDictionary[SearchStrategy[float], Bulk] = WeakKeyDictionary()


@lru_cache(maxsize=256)
def numbers(
    min_value: float = -3.0,
    max_value: float = 3.0,
    *,
    dtype: Any = np.float64,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
) -> SearchStrategy[float]:
    """Numbers from min_value to max_value, such that float32 has them too, unless the range is too narrow for that.

    nonzero: none is 0 or nearer to it than 1/4.  positive: above 0, and from 1/4 on where min_value is not above 0.
    special: also, in the range or not, 0, -0.0, the smallest numbers of the dtype, ±1e4, and those beside ±1; but what
    nonzero and positive exclude.  nan, infinity: those as well.
    Raises DataError where the range is empty.

    >>> from hypothesis import find
    >>> find(numbers(0, 1), lambda x: True), find(numbers(positive=True), lambda x: x < 1)
    (0.0, 0.5)
    """
    low, high = float(min_value), float(max_value)
    low = NEAR if positive and low <= 0 else low
    gap = min(NEAR, max(-low, high) / 2) if nonzero else 0.0
    if gap and low > -gap:
        low, gap = max(low, gap), 0.0
    elif gap and high < gap:
        high, gap = min(high, -gap), 0.0
    empty = nonzero and low == high == 0
    if empty or not (low <= high and np.isfinite([low, high]).all()):
        raise DataError(
            f"numbers: from min_value={min_value!r} to max_value={max_value!r} there are no "
            f"{'positive ' * positive}{'nonzero ' * nonzero}finite numbers: widen the range"
        )
    large = max(-low, high) > float(np.finfo(np.float32).max)
    inner = [] if large else [float(np.float32(low)), float(np.float32(high))]
    if inner and inner[0] < low:
        inner[0] = float(np.nextafter(np.float32(low), np.float32(np.inf)))
    if inner and inner[1] > high:
        inner[1] = float(np.nextafter(np.float32(high), np.float32(-np.inf)))
    single = bool(inner) and inner[0] <= inner[1]
    low, high = inner if single else (low, high)

    parts = [(low, -gap), (gap, high)] if gap else [(low, high)]
    simple = [x for x in (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, low, high) if any(a <= x <= b for a, b in parts)]
    extra = list(special_values(dtype)) if special else []
    extra += [np.nan] * nan + [np.inf, -np.inf] * infinity
    extra = [x for x in extra if not (nonzero and x == 0) and not (positive and x <= 0)]
    simple = [*dict.fromkeys(simple), *extra]
    found = st.one_of([*[within(a, b, single) for a, b in reversed(parts)], st.sampled_from(simple)])
    IN_BULK[found] = Bulk(tuple(simple), low, high, gap, single, 64 if extra else 32)
    return found


def within(low: float, high: float, single: bool) -> SearchStrategy[float]:
    """The floating-point numbers from low to high, none that is subnormal unless a bound is."""
    normal = all(x == 0 or abs(x) >= float(np.finfo(np.float32).tiny) for x in (low, high))
    return st.floats(low, high, width=32 if single else 64, allow_subnormal=False if normal else None)


def special_values(dtype: Any = np.float64) -> tuple[float, ...]:
    """Finite numbers that rules go wrong at: zeros, the smallest of the dtype, large ones, those beside ±1.

    >>> special_values()[:3]
    (0.0, -0.0, 5e-324)
    """
    f = np.finfo(dtype)
    magnitudes = [0.0, f.smallest_subnormal, f.tiny, f.eps, 1e4, 1 + f.eps, 1 - f.epsneg]
    return tuple([sign * float(x) for x in magnitudes for sign in (1, -1)])


def quarters(offset: float = 0.0) -> SearchStrategy[float]:
    """Multiples of 1/4 from -3 to 3, all moved by the offset.

    >>> from hypothesis import find
    >>> find(quarters(0.125), lambda x: x > 1)
    1.125
    """
    found = st.just(offset) | st.integers(-12, 12).map(lambda n: n / 4 + offset)
    IN_BULK[found] = Bulk(tuple([n / 4 + offset for n in sorted(range(-12, 13), key=abs)]))
    return found


REAL = numbers()
UNIT = numbers(0, 1)
POSITIVE = numbers(positive=True)
AWAY = numbers(nonzero=True)  # from 0, where a kink or a pole may be
LEFT = quarters()  # never equal to one of RIGHT
RIGHT = quarters(0.125)
DTYPES: SearchStrategy[Any] = st.sampled_from([np.float64, np.float32])


class Distinct(NamedTuple):
    """In place of a strategy of numbers: all elements of an array differ, by 1/16 at least.

    >>> from hypothesis import find
    >>> find(arrays((3,), Distinct()), lambda x: True)
    array([-0.125,  0.   ,  0.125])
    """

    step: float = 1 / 16


DISTINCT = Distinct()
Elements = SearchStrategy[float] | Distinct

# ---- shapes --------------------------------------------------------------------------


@lru_cache(maxsize=256)
def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3) -> SearchStrategy[Shape]:
    """Shapes of arrays; where min_side is 0 one side in ten or so is 0, and its array has no element.

    >>> from hypothesis import find
    >>> find(shapes(), lambda shape: len(shape) == 2), find(shapes(), lambda shape: 0 in shape)
    ((1, 1), (0,))
    """
    sides: SearchStrategy[int] = st.integers(min_side, max_side)
    if min_side == 0 and max_side:
        sides = st.sampled_from([*range(1, max_side + 1)] * 3 + [0])
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


ANY = shapes()
FULL = shapes(min_side=1)
SOLID = shapes(min_dims=1, min_side=1)
LONG = shapes(min_dims=1, min_side=2)
VECTOR = shapes(min_dims=1, max_dims=1)


@st.composite
def broadcastable_shapes(
    draw: DrawFn, n: int, *, min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 3
) -> tuple[Shape, ...]:
    """n shapes that broadcast together: each with axes left out at the front, and with sides of 1 instead of others.

    >>> from hypothesis import find
    >>> find(broadcastable_shapes(3), lambda shapes: len(set(shapes)) == 3)
    ((1, 1, 1), (1, 1), (1,))
    """
    whole = draw(shapes(min_dims, max_dims, min_side, max_side))
    dims = len(whole)
    found = []
    for _ in range(n):
        left_out, stretched = divmod(draw(st.integers(0, (dims - min_dims + 1) * 2**dims - 1)), 2**dims)
        ones = [min_side <= 1 <= max_side and stretched >> axis & 1 for axis in range(dims)]
        found.append(tuple([1 if one else side for one, side in zip(ones, whole, strict=True)])[left_out:])
    return tuple(found)


# ---- arrays --------------------------------------------------------------------------

LAYOUTS = ("C", "Fortran", "swapped", "reversed", "stepped", "repeated")


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """The floating-point numbers of an array in another layout in memory, one of LAYOUTS.

    Fortran: the first axis is the dense one.  swapped: the first two axes in turn.  reversed: all strides are
    negative.  stepped: every second element of the last axis of a larger array, in whose gaps there is NaN.
    repeated: with a stride of 0, so that these are not the numbers given but the first row of them, again and again.

    >>> laid_out(np.arange(4.0), "reversed")
    array([0., 1., 2., 3.])
    >>> laid_out(np.arange(4.0), "reversed").strides
    (-8,)
    """
    if layout == "Fortran":
        return np.asfortranarray(array)
    if layout == "swapped":
        return np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1) if array.ndim > 1 else array
    if layout == "reversed":
        return np.flip(np.ascontiguousarray(np.flip(array)))
    if layout == "stepped" and array.ndim:
        larger = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
        larger[..., ::2] = array
        return larger[..., ::2]
    axis = next((axis for axis, side in enumerate(array.shape) if side > 1), None)
    if layout == "repeated" and axis is not None:
        return np.broadcast_to(array.take([0], axis), array.shape)
    return array


@lru_cache(maxsize=1024)
def layouts(shape: Shape, contiguous: bool | None, repeated: bool) -> SearchStrategy[str]:
    """The layouts that differ for an array of that shape: C first, unless it is not to be contiguous."""
    sides = sum(side > 1 for side in shape)
    if contiguous or 0 in shape or not sides:
        return st.just("C")
    found = ["reversed", "stepped"] + ["repeated"] * repeated
    found = ["Fortran"] * (sides > 1) + ["swapped"] * (min(shape[:2]) > 1 and len(shape) > 2) + found
    return st.sampled_from(found if contiguous is False else ["C", *found])


@lru_cache(maxsize=256)
def strings(size: int) -> SearchStrategy[bytes]:
    """Strings of that many bytes."""
    return st.binary(min_size=size, max_size=size)


@st.composite
def arrays(
    draw: DrawFn,
    shape: Shape | SearchStrategy[Shape] = ANY,
    elements: Elements = REAL,
    dtype: Any = np.float64,
    *,
    contiguous: bool | None = None,
    ties: bool = False,
) -> np.ndarray:
    """An array of that shape, of numbers from `elements` (or all distinct), in any layout in memory.

    dtype: one, or a strategy of them, such as DTYPES.  contiguous: only the C order, or none that is contiguous (as far
    as two elements can be); None for both, and all LAYOUTS.  ties: some elements are equal, or one unit in the last
    place apart.  An array whose elements share memory, as by broadcasting, is read-only.

    >>> from hypothesis import find
    >>> find(arrays((3,), POSITIVE, ties=True), lambda x: True)
    array([1., 1., 1.])
    """
    shape = draw(shape) if isinstance(shape, SearchStrategy) else tuple(shape)
    dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
    size = prod(shape)
    if isinstance(elements, Distinct):
        order = np.argsort(np.frombuffer(draw(strings(2 * size)), ">u2"), kind="stable")
        drawn = (order - (size - 1) / 2) * elements.step * 2
    elif elements in IN_BULK:
        drawn = IN_BULK[elements].numbers(draw(strings(2 * size)))
    else:
        drawn = np.array(draw(st.lists(elements, min_size=size, max_size=size)))
    flat = drawn.astype(dtype)
    if ties and size > 1:
        pairs = st.tuples(st.integers(0, size - 1), st.integers(1, size - 1), st.booleans())
        for i, further, apart in draw(st.lists(pairs, min_size=1, max_size=size)):
            x = flat[i]
            flat[(i + further) % size] = np.nextafter(x, np.copysign(np.inf, x), dtype=flat.dtype) if apart else x
    layout = draw(layouts(shape, contiguous, not isinstance(elements, Distinct) and not ties))
    return laid_out(flat.reshape(shape), layout)


# ---- tensors and values --------------------------------------------------------------


def leaf(array: np.ndarray, *, requires_grad: bool = True, name: str | None = None) -> Tensor:
    """A leaf on that very array of floating-point numbers, with its strides.

    `Tensor(array)` copies, which keeps the order of the axes, but neither negative strides, nor steps, nor repetition.
    The array must not be written into afterwards.

    >>> leaf(np.arange(6.0)[::2]).data.strides, Tensor(np.arange(6.0)[::2]).data.strides
    ((16,), (8,))
    """
    x = Tensor(array, requires_grad, name=name)
    view = array.view()
    view.setflags(write=False)
    x._data = view
    return x


@st.composite
def tensors(
    draw: DrawFn,
    shape: Shape | SearchStrategy[Shape] = ANY,
    *,
    min_value: float = -3.0,
    max_value: float = 3.0,
    dtype: Any = np.float64,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
    distinct: bool = False,
    ties: bool = False,
    contiguous: bool | None = None,
    requires_grad: bool = True,
    name: str | None = None,
) -> Tensor:
    """A leaf of that shape, in any layout in memory, of numbers as `numbers` draws them.

    dtype: float64, float32, or a strategy of them, such as DTYPES.  distinct: all elements differ by 1/16 at least,
    around 0 and whatever the range.  ties, contiguous: as for `arrays`.

    >>> from hypothesis import find
    >>> find(tensors((2,), positive=True, contiguous=False), lambda x: True).data.strides
    (-8,)
    """
    dtype = draw(dtype) if isinstance(dtype, SearchStrategy) else dtype
    elements: Elements = DISTINCT
    if not distinct:
        chosen = {"nonzero": nonzero, "positive": positive, "special": special, "nan": nan, "infinity": infinity}
        elements = numbers(min_value, max_value, dtype=dtype, **chosen)
    array = draw(arrays(shape, elements, dtype, contiguous=contiguous, ties=ties))
    return leaf(array, requires_grad=requires_grad, name=name)


def values(
    min_value: float = -3.0,
    max_value: float = 3.0,
    *,
    nonzero: bool = False,
    positive: bool = False,
    special: bool = False,
    nan: bool = False,
    infinity: bool = False,
    requires_grad: bool = True,
    name: str | None = None,
) -> SearchStrategy[Value]:
    """A `Value`, of numbers as `numbers` draws them.

    >>> from hypothesis import find
    >>> find(values(), lambda x: x.data > 1)
    Value(data=2, grad=0)
    """
    chosen = {"nonzero": nonzero, "positive": positive, "special": special, "nan": nan, "infinity": infinity}
    return numbers(min_value, max_value, **chosen).map(lambda x: Value(x, requires_grad, name))


# ---- texts ---------------------------------------------------------------------------

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


# ---- arguments that depend on a shape ------------------------------------------------


def one_axis(shape: Shape) -> SearchStrategy[int]:
    """An axis of the shape, counted from either end."""
    return st.integers(-len(shape), len(shape) - 1)


def some_axes(shape: Shape) -> SearchStrategy[int | tuple[int, ...] | None]:
    """None, an axis, or a tuple of several; counted from either end."""
    several = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, min_size=1, max_size=len(shape)).flatmap(
        lambda axes: st.tuples(*[st.sampled_from((a, a - len(shape))) for a in axes])
    )
    return st.none() | one_axis(shape) | several if shape else st.none()


def booleans(shape: Shape) -> SearchStrategy[bool]:
    """True or False, whatever the shape."""
    return st.booleans()


def masks(shape: Shape) -> SearchStrategy[np.ndarray]:
    """Booleans that broadcast to the shape."""
    return npst.broadcastable_shapes(shape, max_dims=len(shape), min_side=0, max_side=3).flatmap(
        lambda own: npst.arrays(bool, own if np.broadcast_shapes(own, shape) == tuple(shape) else shape)
    )


def indices(shape: Shape) -> SearchStrategy[Any]:
    """All of NumPy's indexing: slices, None, …, integers (repeated too), masks."""
    rows = st.integers(-shape[0], shape[0] - 1) if shape and shape[0] else None
    found: list[SearchStrategy[Any]] = [npst.basic_indices(shape, allow_newaxis=True), npst.arrays(bool, shape)]
    if rows is not None:
        found.append(npst.arrays(np.int64, shapes(max_dims=2), elements=rows))
        found.append(st.lists(rows, max_size=4))
        found.append(st.tuples(st.lists(rows, min_size=1, max_size=3), st.just(Ellipsis)))
        if len(shape) > 1 and shape[1]:
            columns = st.integers(-shape[1], shape[1] - 1)
            found.append(st.tuples(rows, npst.arrays(np.int64, 2, elements=columns)))
            found.append(
                st.tuples(npst.arrays(np.int64, (2, 1), elements=rows), npst.arrays(np.int64, 2, elements=columns))
            )
            found.append(st.tuples(st.slices(shape[0]), npst.arrays(np.int64, 3, elements=columns)))
            found.append(st.tuples(npst.arrays(np.int64, 3, elements=rows), st.slices(shape[1])))
    return st.one_of(found)


# ---- one call of a function ----------------------------------------------------------


class Case(NamedTuple):
    """One call of a function: `case(*tensors)` is `call(*tensors, **fixed)`, `arrays` are what to call it with.

    analytic: it takes complex numbers, so that its derivative can be had by the complex step.
    """

    call: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    fixed: dict[str, Any]
    analytic: bool = True

    def __call__(self, *xs: Any) -> Any:
        return self.call(*xs, **self.fixed)


@st.composite
def of(
    draw: DrawFn,
    /,
    function: Callable[..., Any],
    *elements: Elements,
    shape: SearchStrategy[Any] | None = None,
    analytic: bool = True,
    **fixed: Callable[[Shape], SearchStrategy[Any]],
) -> Case:
    """A call of `function` on one array for each of `elements`, of shapes that broadcast (or of those of `shape`).

    elements: REAL, UNIT, POSITIVE, AWAY from 0, DISTINCT, or any other strategy of numbers that the function is smooth
    at.  shape: a strategy of a shape, or of as many shapes as there are `elements`.  fixed: keyword arguments, each a
    function of the broadcast shape that gives a strategy.  analytic: as in `Case`.

    >>> from hypothesis import find
    >>> from tinygrad_seq import functional as F
    >>> case = find(of(F.sum, REAL, shape=SOLID, axis=one_axis), lambda case: True)
    >>> case.arrays, case.fixed
    ((array([0.]),), {'axis': 0})
    """
    one = len(elements) == 1
    given = draw(shape if shape is not None else ANY if one else broadcastable_shapes(len(elements)))
    given = [given] if one else given
    whole = np.broadcast_shapes(*given) if fixed else ()
    xs = tuple([draw(arrays(s, e)) for s, e in zip(given, elements, strict=True)])
    return Case(function, xs, {name: draw(argument(whole)) for name, argument in fixed.items()}, analytic)
