"""What the strategies draw is what they promise, all of it does occur, and it shrinks to what is simple."""

import unicodedata
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from strategies import examples
from tinygrad_seq import Tensor, Value
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError
from tinygrad_seq.models import Vocabulary, padding_mask_of
from tinygrad_seq.testing import strategies as S
from tinygrad_seq.testing.samples import OPS

FLOATS = [np.float64, np.float32]


QUIET = settings(database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def simplest(strategy, condition=lambda drawn: True):
    """The smallest example with a property."""
    return find(strategy, condition, settings=settings(QUIET, max_examples=3_000))


def some(strategy, condition):
    """An example with a property, of which there must be one among a few thousand."""
    return find(strategy, condition, settings=settings(QUIET, max_examples=3_000, phases=[Phase.generate]))


# ---- numbers -------------------------------------------------------------------------

RANGES = [(-3, 3), (0, 1), (-1, 2.5), (0.1, 0.3), (-7, -0.1), (1e-3, 1e300), (5, 5), (1, 1 + 1e-12)]
POSITIVE = {"positive": True}
WORDS = [{}, {"nonzero": True}, POSITIVE]


def lies(x, low, high, nonzero=False, positive=False):
    """Each element is in the range, and is what the words say."""
    away = min(0.25, max(-low, high) / 2) if nonzero else 0
    return ((x >= low) & (x <= high) & (np.abs(x) >= away - 1e-7) & ((x > 0) | (not positive))).all()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(*bounds, words) for bounds in RANGES for words in WORDS if bounds[1] > 0 or words != POSITIVE],
)
def test_numbers_keep_to_their_range(low, high, words):
    """One by one as in an array, whatever the range; where float32 can, they are its numbers."""
    elements = S.numbers(low, high, **words)

    @given(elements, S.arrays((5,), elements))
    @examples(20)
    def holds(one, several):
        assert isinstance(one, float)
        assert lies(np.array([one, *several]), low, high, **words)
        if high - low > 1e-6 and high < 1e38:
            assert_array_equal(several, several.astype(np.float32))

    holds()


@pytest.mark.parametrize(("low", "high"), [(-3, 3), (0, 1), (2, 9), (-8, -4)])
def test_numbers_reach_both_ends_and_all_between(low, high):
    """A bound is drawn, and numbers in each tenth of the range."""
    seen = []

    @given(S.arrays((40,), S.numbers(low, high), contiguous=True))
    @settings(max_examples=40, database=None, derandomize=True)
    def collect(x):
        seen.extend(x)

    collect()
    counts, _ = np.histogram(seen, np.linspace(low, high, 11))

    assert {low, high} <= set(seen)
    assert (counts > 30).all()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"min_value": 2, "max_value": 1}, "min_value=2 to max_value=1"),
        ({"max_value": 0, "positive": True}, "no positive"),
        ({"max_value": np.inf}, "max_value=inf"),
        ({"min_value": np.nan}, "min_value=nan"),
        ({"min_value": 0, "max_value": 0, "nonzero": True}, "no nonzero"),
    ],
)
def test_an_empty_range_is_told(options, named):
    """With the bounds given, and what to do."""
    with pytest.raises(DataError, match=named) as error:
        S.numbers(**options)

    assert "widen" in str(error.value)


def specials(dtype):
    f = np.finfo(dtype)
    return [0.0, -0.0, f.smallest_subnormal, -f.tiny, f.eps, 1e4, -1e4, 1 + f.eps, 1 - f.epsneg, -1 - f.eps]


@pytest.mark.parametrize("dtype", FLOATS)
def test_special_numbers_occur_in_both_precisions(dtype):
    """Zeros of both signs, the smallest, large ones, and the neighbours of 1; each survives the cast to its dtype."""
    seen = set()

    @given(S.tensors((30,), dtype=dtype, special=True, contiguous=True))
    @settings(max_examples=60, database=None, derandomize=True)
    def collect(x):
        assert np.isfinite(x.data).all()
        seen.update(map(repr, x.data.tolist()))

    collect()

    assert {repr(float(dtype(x))) for x in specials(dtype)} <= seen
    assert all(np.isfinite(dtype(x)) for x in specials(dtype))


@pytest.mark.parametrize(("word", "allowed"), [("nonzero", lambda x: x != 0), ("positive", lambda x: x > 0)])
def test_special_numbers_obey_the_words(word, allowed):
    """What is to be nonzero or positive is, though it may be tiny."""

    @given(S.arrays((20,), S.numbers(special=True, infinity=True, **{word: True})))
    @examples(40)
    def holds(x):
        assert allowed(x).all()

    holds()

    assert simplest(S.numbers(special=True, **{word: True}), lambda x: abs(x) < 1e-300) != 0


@pytest.mark.parametrize(("word", "test"), [("nan", np.isnan), ("infinity", np.isposinf), ("infinity", np.isneginf)])
def test_nan_and_infinity_come_when_asked(word, test):
    """In arrays and alone."""
    assert simplest(S.tensors((4,), **{word: True}), lambda x: bool(test(x.data).any())) is not None
    assert simplest(S.values(**{word: True}), lambda x: bool(test(x.data))) is not None


@given(S.tensors(special=True))
@examples(50)
def test_nan_and_infinity_come_only_when_asked(x):
    """Not even in the gaps of a stepped array can an op see one."""
    assert np.isfinite(x.data).all()


@given(S.arrays(elements=S.LEFT), S.arrays(elements=S.RIGHT))
@examples(50)
def test_left_and_right_never_meet(x, y):
    """They are an eighth apart at least, so that a maximum of them has no kink."""
    assert (np.abs(np.subtract.outer(x, y)) >= 0.125).all()


@given(S.arrays(elements=S.DISTINCT, dtype=S.DTYPES))
@examples(50)
def test_distinct_elements_differ(x):
    """By 1/16 at least, in any layout."""
    assert (np.diff(np.sort(x, axis=None)) >= 1 / 16).all()


# ---- shapes --------------------------------------------------------------------------


@given(st.integers(1, 4), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3), st.data())
@examples(100)
def test_broadcastable_shapes_broadcast(n, dims, more_dims, side, more_sides, data):
    """And keep to the bounds; a side of 1 stands for another only where the bounds have it."""
    bounds = {"min_dims": dims, "max_dims": dims + more_dims, "min_side": side, "max_side": side + more_sides}

    found = data.draw(S.broadcastable_shapes(n, **bounds))

    assert len(found) == n
    np.broadcast_shapes(*found)
    assert all(dims <= len(shape) <= dims + more_dims for shape in found)
    assert all(side <= length <= side + more_sides for shape in found for length in shape)


WAYS = {
    "a number and more": lambda x, y: x == () and len(y) > 1,
    "an axis left out": lambda x, y: x[1:] == y and len(y) == 1 and y > (1,),
    "each stretched": lambda x, y: len(x) == len(y) == 2 and x[0] == y[1] == 1 and x[1] > 1 and y[0] > 1,
    "left out and stretched": lambda x, y: len(x) == 1 and len(y) == 2 and x[0] > y[1] == 1,
    "nothing, stretched from 1": lambda x, y: 0 in x and 1 in y and len(x) == len(y) == 1,
    "one element, 1-d and 0-d": lambda x, y: (x, y) == ((1,), ()),
    "equal": lambda x, y: x == y and len(x) == 2,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_broadcasting_occurs(way):
    """Axes left out, stretched, both at once, of length 0."""
    assert some(S.broadcastable_shapes(2), lambda shapes: WAYS[way](*shapes))


def test_one_number_is_no_more_likely_than_a_matrix():
    """What is wrong for matrices alone is found in a few draws."""
    drawn = []

    @settings(max_examples=200, database=None, derandomize=True)
    @given(S.broadcastable_shapes(2))
    def collect(shapes):
        drawn.append(shapes)

    collect()
    matrices = [x for x, y in drawn if x == y and len(x) > 1 and min(x) > 1]

    assert len(matrices) > 20
    assert sum(x == y == () for x, y in drawn) < 100


# ---- arrays --------------------------------------------------------------------------


def layout(x):
    """Which of LAYOUTS a two-dimensional array of more than one row and column has."""
    first, second = x.strides
    if 0 in x.strides:
        return "repeated"
    if first < 0 and second < 0:
        return "reversed"
    if x.flags.c_contiguous:
        return "C"
    return "Fortran" if x.flags.f_contiguous else "stepped"


@pytest.mark.parametrize("expected", sorted(set(S.LAYOUTS) - {"swapped"}))
@pytest.mark.parametrize("drawn", [S.arrays((3, 2)), S.tensors((3, 2)).map(lambda x: x.data)], ids=["array", "tensor"])
def test_every_layout_occurs(drawn, expected):
    """A tensor keeps it: its data has the strides of the array that was drawn."""
    assert layout(some(drawn, lambda x: layout(x) == expected)) == expected


def test_inner_axes_are_swapped_too():
    """Three axes can be in an order that is neither C nor Fortran, and dense."""
    x = some(S.arrays((2, 3, 2)), lambda x: x.strides == (16, 32, 8))

    assert not x.flags.c_contiguous
    assert not x.flags.f_contiguous


@given(S.shapes(), S.DTYPES, st.data())
@examples(60)
def test_contiguous_is_as_asked(shape, dtype, data):
    """True is the C order; False is not, as soon as there are two elements."""
    dense = data.draw(S.arrays(shape, dtype=dtype, contiguous=True))
    other = data.draw(S.arrays(shape, dtype=dtype, contiguous=False))

    assert dense.flags.c_contiguous
    assert dense.size < 2 or not other.flags.c_contiguous
    assert dense.shape == other.shape == shape
    assert dense.dtype == other.dtype == dtype


@given(S.shapes().flatmap(lambda shape: st.tuples(S.arrays(shape, contiguous=True), st.sampled_from(S.LAYOUTS))))
@examples(60)
def test_a_layout_changes_no_number(drawn):
    """But for a repeated one, whose rows are all its first."""
    array, name = drawn
    expected = array
    if name == "repeated" and array.size:
        axis = next((axis for axis, side in enumerate(array.shape) if side > 1), None)
        expected = array if axis is None else np.broadcast_to(array.take([0], axis), array.shape)

    assert_array_equal(S.laid_out(array, name), expected)


@given(S.shapes(min_dims=1), st.data())
@examples(60)
def test_ties_are_near(shape, data):
    """Two elements are equal or neighbours, and not all of them need be."""
    x = np.sort(data.draw(S.arrays(shape, S.numbers(-3, 3), S.DTYPES, ties=True)), axis=None)
    assert x.size < 2 or (np.diff(x) <= np.spacing(np.abs(x[1:]))).any()


@pytest.mark.parametrize("dtype", FLOATS)
def test_ties_are_equal_or_one_unit_apart(dtype):
    """Both occur, in both precisions."""
    drawn = S.arrays((2,), S.POSITIVE, dtype, ties=True)

    assert simplest(drawn, lambda x: x[0] == x[1]).tolist() == [1, 1]
    assert np.diff(simplest(drawn, lambda x: x[1] > x[0])) == np.spacing(dtype(1))


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (S.arrays((2, 3)), np.zeros((2, 3))),
        (S.arrays((2,), S.POSITIVE), np.ones(2)),
        (S.arrays((2,), S.AWAY), np.ones(2)),
        (S.arrays((2,), S.numbers(special=True, nan=True, infinity=True)), np.zeros(2)),
        (S.arrays((2,), S.numbers(-9, -5)), np.array([-9.0, -9.0])),
        (S.arrays((2,), st.just(7.0)), np.array([7.0, 7.0])),
        (S.arrays(), np.zeros(())),
    ],
)
def test_arrays_shrink_to_what_is_simple(strategy, expected):
    """Zeros or ones, in the C order."""
    x = simplest(strategy)

    assert_array_equal(x, expected)
    assert x.flags.c_contiguous


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda x: x[0, 1] > 0.6, [[0, 1], [0, 0]]),
        (lambda x: x[0, 0] < 0 < x[1, 1], [[-1, 0], [0, 1]]),
        (lambda x: x[0, 0] != x[1, 1], [[0, 0], [0, 1]]),
    ],
)
def test_arrays_shrink_element_by_element(condition, expected):
    """What the property does not hang on becomes 0, and the rest a small whole number."""
    assert simplest(S.arrays((2, 2)), condition).tolist() == expected


@pytest.mark.parametrize(("seed", "bound"), [(1, -2.7), (2, -0.3), (3, 0.8), (4, 1.6), (5, 2.7)])
def test_arrays_shrink_to_round_numbers(seed, bound):
    """What is to be beyond a bound becomes a multiple of 1/4, the other elements 0."""
    found = settings(QUIET, max_examples=3_000)
    x, y = find(S.arrays((2,)), lambda x: x[0] > bound, settings=found, random=Random(seed))

    assert (x * 4 % 1, y) == (0, 0)


@given(S.arrays((30, 40)))
@settings(max_examples=5, phases=[Phase.generate])
def test_large_arrays_can_be_drawn(x):
    """All numbers of an array are one choice: many fit into an example."""
    assert x.shape == (30, 40)


# ---- tensors and values --------------------------------------------------------------


@given(S.tensors((2,), min_value=-1, max_value=1, dtype=S.DTYPES, requires_grad=False, name="x"))
@examples(30)
def test_tensors_are_as_asked(x):
    """A leaf of that shape and name, within the range, whose data nobody can write into."""
    assert (x.shape, x.op, x.name, x.requires_grad) == ((2,), None, "x", False)
    assert x.dtype in FLOATS
    assert (np.abs(x.data) <= 1).all()
    assert not x.data.flags.writeable


@given(S.tensors())
@examples(40)
def test_tensors_of_any_layout_have_gradients(x):
    """They are leaves as others are, and can be given new data."""
    F.sum(x * x).backward()

    assert_array_equal(x.grad, 2 * x.data)
    x.data = np.zeros(x.shape)


def test_distinct_tensors_are_distinct():
    """For max, sort, and whatever has a kink where two elements are equal."""
    x = some(S.tensors((4,), distinct=True), lambda x: True)

    assert len(set(x.data.tolist())) == 4


@given(S.values(0.5, 2, name="x"))
@examples(20)
def test_values_are_as_asked(x):
    """A leaf with one Python float of the range."""
    assert (type(x), type(x.data), x.name, x.requires_grad, x.op) == (Value, float, "x", True, None)
    assert 0.5 <= x.data <= 2


# ---- texts ---------------------------------------------------------------------------

KINDS = {
    "Hangul": lambda c: "HANGUL SYLLABLE" in unicodedata.name(c, ""),
    "a letter of Hangul": lambda c: "HANGUL CHOSEONG" in unicodedata.name(c, ""),
    "emoji": lambda c: "😀" <= c <= "🙏",
    "a combining mark": lambda c: unicodedata.combining(c) > 0,
    "right to left": lambda c: unicodedata.bidirectional(c) in ("R", "AL"),
    "beyond 16 bits": lambda c: c > "\uffff",
    "a joiner": lambda c: c == "\u200d",
    "a control": lambda c: unicodedata.category(c) == "Cc",
    "a line separator": lambda c: c == "\u2028",
}


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_of_any_script(kind):
    """Whatever a tokenizer may stumble over does come."""
    assert some(S.texts(4), lambda text: any(map(KINDS[kind], text)))


@given(S.WORDS)
@examples(50)
def test_words_have_no_space_in_them(word):
    """Not one of the many spaces of Unicode: split, they are one word still."""
    assert word.split() == [word]


@given(S.texts(1, 5))
@examples(60)
def test_texts_can_be_written_as_utf_8(text):
    """No half of a surrogate pair is among them, and their length is as asked."""
    assert text.encode().decode() == text
    assert 1 <= len(text) <= 5


@given(S.vocabularies(min_size=2, max_size=5, roles=["padding", "unknown"]), st.data())
@examples(80)
def test_vocabularies_take_their_own_texts_and_give_them_back(vocabulary, data):
    """Every text of its tokens is decoded as it was, and the roles are there."""
    tokens = data.draw(S.token_sequences(vocabulary))
    text = ("" if vocabulary.unit == "character" else " ").join(tokens)

    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert 4 <= len(vocabulary) <= 7
    assert (vocabulary.padding, vocabulary.unknown) == ("<pad>", "<unk>")
    assert vocabulary.end is None


@pytest.mark.parametrize("unit", ["character", "word"])
def test_vocabularies_are_of_the_unit_asked_for(unit):
    """Both occur where none is asked for."""
    assert some(S.vocabularies(unit=unit), lambda vocabulary: True).unit == unit
    assert some(S.vocabularies(), lambda vocabulary: vocabulary.unit == unit).unit == unit


@given(S.token_sequences(S.vocabularies(roles=S.ROLES), min_size=1, max_size=3))
@examples(40)
def test_token_sequences_leave_roles_out(tokens):
    """A text is not made of padding."""
    assert not set(tokens) & set(S.ROLES.values())
    assert 1 <= len(tokens) <= 3


def test_token_sequences_of_nothing_but_roles():
    """Then there is nothing else to take."""
    assert simplest(S.token_sequences(Vocabulary(["-"], padding="-"), min_size=1)) == ["-"]


@given(S.token_sequences())
@examples(40)
def test_token_sequences_without_a_vocabulary_are_characters(tokens):
    """Any of Unicode: a vocabulary can be made of them."""
    assert all(len(token) == 1 for token in tokens)
    assert not tokens or Vocabulary.characters("".join(tokens)).encode("".join(tokens)).shape == (len(tokens),)


# ---- batches and weights -------------------------------------------------------------


@given(S.ragged_batches(st.integers(0, 3), padding=st.just(np.nan), dtype=S.DTYPES))
@examples(60)
def test_masks_agree_with_lengths_and_padding(batch):
    """The mask is True just where the padding is, as the project's own mask of the lengths says."""
    T, n, features = batch.x.shape

    assert_array_equal(batch.mask, padding_mask_of(batch.lengths, T))
    assert_array_equal(np.isnan(batch.x), np.broadcast_to(batch.mask.T[..., None], (T, n, features)))
    assert [len(xs) for xs in batch.sequences] == batch.lengths.tolist()
    assert all(np.isfinite(xs).all() for xs in batch.sequences)


@pytest.mark.parametrize(
    "condition",
    [
        lambda batch: len(batch.lengths) == 3,
        lambda batch: batch.lengths.min() < batch.lengths.max(),
        lambda batch: batch.lengths.max() < len(batch.x),
        lambda batch: (batch.x[batch.mask.T] != 0).any(),
        lambda batch: not batch.mask.any(),
    ],
    ids=["several", "ragged", "longer than the longest", "padding of numbers", "no padding"],
)
def test_every_kind_of_batch_occurs(condition):
    """And is shown by a small one."""
    assert simplest(S.ragged_batches(1), condition).x.size <= 6


def test_batches_shrink_to_one_step_of_zeros():
    """One sequence, one step."""
    batch = simplest(S.ragged_batches(2))

    assert (batch.x.tolist(), batch.lengths.tolist(), batch.mask.tolist()) == ([[[0, 0]]], [1], [[False]])


@given(S.vocabularies(roles=["padding", "begin"]), st.data())
@examples(30)
def test_batches_of_tokens_are_padded_with_padding(vocabulary, data):
    """Integers (T, batch): padding where the mask is, and nowhere else."""
    batch = data.draw(S.ragged_batches(vocabulary=vocabulary, min_length=2))

    assert batch.x.dtype.kind == "i"
    assert (batch.lengths >= 2).all()
    assert_array_equal(batch.x.T == vocabulary["<pad>"], batch.mask)
    assert (batch.x < len(vocabulary)).all()


@pytest.mark.parametrize("gates", [1, 3, 4])
def test_recurrent_params_are_named_and_shaped_as_in_pytorch(gates):
    """And each gate's block of weight_hh has a spectral radius in the range."""

    @given(S.recurrent_params(gates=gates, radius=(0.5, 0.9), bias=st.booleans(), dtype=S.DTYPES))
    @examples(40)
    def holds(params):
        rows, hidden = params["weight_hh"].shape
        inputs = params["weight_ih"].shape[1]
        radii = [np.abs(np.linalg.eigvals(block)).max() for block in np.split(params["weight_hh"], gates)]

        assert rows == gates * hidden
        assert params["weight_ih"].shape == (rows, inputs)
        assert {name: b.shape for name, b in params.items() if "bias" in name} in (
            {}, {"bias_ih": (rows,), "bias_hh": (rows,)}
        )  # fmt: skip
        assert all(0.4999 <= radius <= 0.9001 for radius in radii)
        assert all(np.isfinite(w).all() for w in params.values())
        assert np.abs(params["weight_hh"]).max() < 25

    holds()


@given(S.recurrent_params(2, 3, radius=None, min_value=-0.5, max_value=0.5))
@examples(20)
def test_recurrent_params_without_a_radius_are_the_numbers_drawn(params):
    """Within their range."""
    assert all((np.abs(w) <= 0.5).all() for w in params.values())
    assert params["weight_ih"].shape == (3, 2)


def test_long_products_of_recurrent_weights_stay_sane():
    """A hundred steps of a radius of 1 neither blow up nor die; by their own size the numbers drawn would."""

    @given(S.recurrent_params(1, 3, radius=(1.0, 1.0)))
    @examples(40)
    def holds(params):
        product = np.linalg.matrix_power(params["weight_hh"], 100)
        assert 1e-3 < np.abs(np.linalg.eigvals(product)).max() < 1e3

    holds()


# ---- calls ---------------------------------------------------------------------------


def test_a_line_of_samples_is_a_call():
    """`case(*tensors)` has the fixed arguments in it."""
    case = simplest(S.of(F.sum, S.REAL, shape=st.just((2, 3)), axis=lambda shape: st.just(1), keepdims=S.booleans))
    out = case(*map(Tensor, case.arrays))

    assert case.fixed == {"axis": 1, "keepdims": False}
    assert out.shape == (2,)


def test_a_sample_has_numbers_of_its_kind():
    """Each input of the kind given for it, in shapes that broadcast."""

    @given(S.of(F.div, S.REAL, S.AWAY))
    @examples(40)
    def holds(case):
        assert (np.abs(case.arrays[1]) >= 0.25).all()
        assert case(*case.arrays).shape == np.broadcast_shapes(*[x.shape for x in case.arrays])

    holds()

    assert simplest(S.of(F.div, S.REAL, S.AWAY)).arrays == (0.0, 1.0)
    assert some(OPS["add"], lambda case: case.arrays[0].shape != case.arrays[1].shape)
