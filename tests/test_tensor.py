"""`Tensor`: what it takes and refuses, dtypes, read-only data, NumPy's protocols, and being a Python container."""

import copy
from weakref import ref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from strategies import examples
from tinygrad_seq import Parameter, Tensor, no_grad, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DtypeError, NoDerivativeError, ReadOnlyError, ShapeError
from tinygrad_seq.testing.strategies import ANY, arrays, broadcastable_shapes


@pytest.fixture
def x():
    return Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


@pytest.fixture
def single():
    return Tensor(np.ones(2, np.float32), requires_grad=True)


# ---- dtypes --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_kept_as_given(dtype):
    """float32 stays float32, float64 stays float64; so do what comes of them, and their gradients."""
    x = Tensor(np.ones((2, 2), dtype), requires_grad=True)
    loss = (F.softmax(x @ x + x.T) * 2).mean()
    loss.backward()

    assert x.dtype == loss.dtype == loss.grad.dtype == x.grad.dtype == dtype


@pytest.mark.parametrize("data", [1, [1, 2], np.array([1, 2]), np.int32(3), True, [True, False], 1.5, [1, 2.5]])
def test_numbers_that_require_a_gradient_become_float64(data):
    """Python's numbers, integers and booleans."""
    x = Tensor(data, requires_grad=True)
    (x * 2).sum().backward()

    assert x.dtype == x.grad.dtype == np.float64


def test_integers_without_gradient_stay_integers():
    """They are indices and labels."""
    assert Tensor([1, 2]).dtype == np.int64
    assert (Tensor([1, 2]) + Tensor([3, 4])).dtype == np.int64


@pytest.mark.parametrize(
    "make",
    [
        lambda: Tensor([1, 2], requires_grad=True, dtype=int),
        lambda: Tensor([1, 2]).requires_grad_(),
        lambda: Tensor([1j], requires_grad=True),
        lambda: Tensor([1.0], requires_grad=True).astype(int),
    ],
)
def test_what_is_no_float_can_require_no_gradient(make):
    """Asked for by name, it is refused."""
    with pytest.raises(DtypeError, match=r"int64|complex128"):
        make()


SCALARS = [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), Tensor(2.0), Tensor(2)]
OPERATIONS = {
    "x + s": lambda x, s: x + s,
    "s + x": lambda x, s: s + x,
    "x - s": lambda x, s: x - s,
    "s - x": lambda x, s: s - x,
    "x * s": lambda x, s: x * s,
    "s * x": lambda x, s: s * x,
    "x / s": lambda x, s: x / s,
    "s / x": lambda x, s: s / x,
    "maximum": F.maximum,
    "where": lambda x, s: F.where([True, False], x, s),
    "x ** s": lambda x, s: x**s,
    "s ** x": lambda x, s: s**x,
    "clip": lambda x, s: F.clip(x, 0, s),
    "masked_fill": lambda x, s: F.masked_fill(x, [True, False], s),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("s", SCALARS, ids=lambda s: f"{type(s).__name__}-{getattr(s, 'dtype', '')}")
def test_a_scalar_constant_never_makes_float64_of_float32(operation, s, single):
    """Neither Python's, nor NumPy's, nor a 0-d array or tensor; from either side; nor in the gradient."""
    y = OPERATIONS[operation](single, s)
    y.sum().backward()

    assert y.dtype == single.grad.dtype == np.float32


@given(
    broadcastable_shapes(2, min_side=1),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([np.float32, np.float64, np.int64]),
)
@examples(30)
def test_mixing_is_numpys(shapes, one, other):
    """Arrays of two dtypes give NumPy's common one; each gets its gradient in its own."""
    a, b = np.ones((*shapes[0], 1), one), np.ones((*shapes[1], 1), other)
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=b.dtype.kind == "f")
    z = x * y
    z.sum().backward()

    assert z.dtype == (a * b).dtype
    assert (x.grad.dtype, x.grad.shape) == (one, a.shape)
    assert y.grad is None or (y.grad.dtype, y.grad.shape) == (other, b.shape)


def test_concat_and_einsum_find_a_common_dtype(single):
    """Also where there are more than two."""
    y = F.concat([single, np.zeros(1), single])

    assert y.dtype == np.float64
    assert F.einsum("i,i,i", single, single, np.ones(2)).dtype == np.float64
    assert F.stack([single, single]).dtype == np.float32


# ---- data ----------------------------------------------------------------------------


def test_data_is_copied_and_read_only(x):
    """What the caller does with his array afterwards changes nothing, and nobody writes into the record."""
    array = np.ones(3)
    y = Tensor(array, requires_grad=True)
    array[:] = 5.0

    assert_array_equal(y.data, np.ones(3))
    for node in (y, y * 2, y[1:], y.reshape(3, 1), F.expand(y, 2, 3), y.sum(), y[0]):
        with pytest.raises(ValueError, match="read-only"):
            node.data[...] = 0


def test_plain_arrays_in_an_expression_are_copied():
    """A constant is the array as it was."""
    array, x = np.ones(3), Tensor(np.ones(3), requires_grad=True)
    y = (x * array).sum()
    array[:] = 100.0
    y.backward()

    assert_array_equal(x.grad, np.ones(3))


CALLER_KEEPS = {
    "index": (np.array([0, 1]), lambda x, a: x[a]),
    "index in a tuple": (np.array([0, 1]), lambda x, a: x[None][:, a]),
    "mask as index": (np.array([True, True, False]), lambda x, a: x[a]),
    "list as index": ([0, 1], lambda x, a: x[a]),
    "mask": (np.array([True, True, False]), lambda x, a: F.masked_fill(x, a, 0.0)),
    "condition": (np.array([True, True, False]), lambda x, a: F.where(a, x, x * 2)),
    "take": (np.array([0, 1]), lambda x, a: F.take(x, a, 0)),
    "gather": (np.array([0, 1]), lambda x, a: F.gather(x, 0, a)),
    "scatter_add": (np.array([0, 1]), lambda x, a: F.scatter_add(np.zeros(3), 0, a, x)),
    "embedding": (np.array([0, 1]), lambda x, a: F.embedding(a, x[:, None])),
    "bounds": (np.array([0.0, 1.5, 1.5]), lambda x, a: F.clip(x, a)),
    "target": (np.array([0, 1]), lambda x, a: F.cross_entropy(F.stack([x, x * 2]), a)),
    "target and ignored": (np.array([0, -100]), lambda x, a: F.cross_entropy(F.stack([x, x * 2]), a)),
    "weight": (np.array([1.0, 2.0, 3.0]), lambda x, a: F.cross_entropy(F.stack([x, x * 2]), [0, 2], a)),
    "probabilities": (np.array([0.5, 0.2, 0.3]), lambda x, a: F.cross_entropy(x, a)),
    "mse target": (np.array([0.5, 0.2, 0.3]), lambda x, a: F.mse_loss(x, a)),
    "bce target": (np.array([0.5, 0.2, 0.3]), lambda x, a: F.binary_cross_entropy_with_logits(x, a)),
    "exponents": (np.array([0.5, 0.2, 0.3]), lambda x, a: x**a),
    "repeats": (np.array([0, 1, 2]), lambda x, a: F.repeat(x, a)),
}


@pytest.mark.parametrize("argument", CALLER_KEEPS)
def test_arguments_may_change_after_the_call(argument, x):
    """Indices, masks, targets and weights are taken as they were: backward does not see what became of them."""
    given, call = CALLER_KEEPS[argument]
    expected, loss = [], None
    for change in (False, True):
        array = copy.copy(given)
        loss = call(x, array).sum()
        if change:
            array[0] = not array[0] if isinstance(array[0], np.bool_) else 1 if array[0] != 1 else 2
        expected.append(next(visit.grad for visit in sweep(loss) if visit.node is x))

    assert_array_equal(*expected)


def test_a_leaf_can_be_given_new_data():
    """As an optimiser does: of the same shape, copied, in the dtype that it has."""
    w, array = Parameter(np.ones(2, np.float32)), np.zeros(2)
    w.data = array
    array[:] = 7.0

    assert_array_equal(w.data, np.zeros(2))
    assert w.dtype == np.float32


def test_a_gradient_can_be_set_and_must_fit(x):
    """zero_grad, or a gradient of one's own, of the same shape."""
    x.grad = [1, 2, 3]
    kept = x.grad
    x.zero_grad()

    assert_array_equal(kept, [1.0, 2.0, 3.0])
    assert x.grad is None
    with pytest.raises(ShapeError, match=r"\(3,\), got \(2,\)"):
        x.grad = np.zeros(2)


def test_writing_into_a_tensor_says_what_to_do_instead(x):
    """The record must keep what gradients are computed from."""
    with pytest.raises(ReadOnlyError, match=r"test_tensor\.py.*where, masked_fill, scatter_add or concat"):
        x[0] = 1.0


def test_parameters_require_a_gradient():
    """And are tensors."""
    w = Parameter([[1, 2]], name="W")

    assert isinstance(w, Tensor)
    assert w.requires_grad
    assert repr(w) == "Parameter([[1., 2.]], name='W', requires_grad=True)"


# ---- NumPy's protocols ---------------------------------------------------------------


NUMPY = {
    "tanh": lambda x: np.tanh(x),
    "where": lambda x: np.where([True, False, True], x, 0.0),
    "where, three tensors": lambda x: np.where(x > 1.5, x, x * 2),
    "array * t": lambda x: np.array([1.0, 2.0, 3.0]) * x,
    "array - t": lambda x: np.array([1.0, 2.0, 3.0]) - x,
    "array @ t": lambda x: np.eye(3) @ x,
    "np.float64 * t": lambda x: np.float64(2) * x,
    "np.float64 / t": lambda x: np.float64(2) / x,
    "np.float64 ** t": lambda x: np.float64(2) ** x,
    "list + t": lambda x: [1.0, 2.0, 3.0] + x,
    "concatenate": lambda x: np.concatenate([x, np.ones(2), x]),
    "stack": lambda x: np.stack([x, x], axis=1),
    "sum": lambda x: np.sum(x, keepdims=True),
    "mean": lambda x: np.mean(x),
    "std": lambda x: np.std(x, ddof=1),
    "max": lambda x: np.max(x) + np.amax(x),
    "add.reduce": lambda x: np.add.reduce(x, axis=0),
    "einsum": lambda x: np.einsum("i,j->ij", x, x),
    "dot": lambda x: np.dot(x, x),
    "outer": lambda x: np.outer(x, x),
    "clip": lambda x: np.clip(x, 1.5, 2.5),
    "square": lambda x: np.square(x),
    "reshape": lambda x: np.reshape(x, (3, 1)),
    "transpose": lambda x: np.transpose(x[None], axes=(1, 0)),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "flip": lambda x: np.flip(x),
    "pad": lambda x: np.pad(x, (1, 2)),
    "roll": lambda x: np.roll(x, 1),
    "repeat": lambda x: np.repeat(x, 2),
    "take": lambda x: np.take(x, [0, 0, 2]),
    "split": lambda x: np.split(x, 3)[1],
    "cumsum": lambda x: np.cumsum(x),
    "prod": lambda x: np.prod(x),
    "norm": lambda x: np.linalg.norm(x),
    "maximum": lambda x: np.maximum(x, 2.5),
    "power": lambda x: np.power(x, 3),
    "abs": lambda x: np.abs(x),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_functions_record(name, x):
    """With NumPy's own result, and the gradient of the record."""
    y, plain = NUMPY[name](x), NUMPY[name](x.data)
    y.sum().backward()

    assert isinstance(y, Tensor)
    assert y.op is not None
    assert_array_equal(y.data, plain)
    assert np.any(x.grad != 0)


REFUSED = {
    "floor": np.floor,
    "arctan": np.arctan,
    "sort": np.sort,
    "round": np.round,
    "add.outer": lambda x: np.add.outer(x, x),
    "add.accumulate": np.add.accumulate,
    "fft": np.fft.fft,
    "median": np.median,
    "asarray": np.asarray,
    "array of tensors": lambda x: np.array([x, x]),
    "out": lambda x: np.exp(x, out=np.zeros(3)),
    "norm 1": lambda x: np.linalg.norm(x, ord=1),
    "pad edge": lambda x: np.pad(x, 1, mode="edge"),
    "where": lambda x: np.exp(x, where=np.array([True, False, True])),
    "sum where": lambda x: np.sum(x, where=np.array([True, False, True])),
    "float array": lambda x: np.zeros(3).__iadd__(x),
    "mod": lambda x: x % 2,
    "floor division": lambda x: x // 2,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_derivative_is_a_type_error(name, x):
    """A gradient is never dropped silently, and no argument is ignored."""
    with pytest.raises(TypeError):
        REFUSED[name](x)


def test_the_refusal_says_what_to_do(x):
    """With the line, and the ways out."""
    with pytest.raises(
        NoDerivativeError, match=r"np\.floor .*test_tensor\.py:\d+.*\.data or \.detach\(\).*Op\(forward, vjp\)"
    ):
        np.floor(x)
    with pytest.raises(
        NoDerivativeError, match=r"drop the gradient .*test_tensor\.py:\d+.*\.data, \.detach\(\), or no_grad"
    ):
        np.asarray(x)


def test_numpy_answers_about_values(x):
    """Comparisons and questions need no derivative."""
    assert np.allclose(x, [1, 2, 3])
    assert np.array_equal(x, x.data)
    assert np.isfinite(x).all()
    assert np.shape(x) == (3,)
    assert np.argmax(x) == 2
    assert (np.greater(x, 1.5) == [False, True, True]).all()
    assert np.zeros_like(x).dtype == x.dtype


def test_arrays_of_tensors_without_gradient(x):
    """Where there is none to drop, NumPy may have the values."""
    assert_array_equal(np.asarray(x.detach()), x.data)
    assert np.asarray(x.detach(), np.float32).dtype == np.float32
    with no_grad():
        assert_array_equal(np.asarray(x), x.data)


# ---- a Python number and container ----------------------------------------------------


def test_comparisons_are_plain_booleans(x):
    """Of the values, element by element; with numbers, arrays and tensors."""
    assert (x > 1.5).tolist() == [False, True, True]
    assert (x <= x).all()
    assert (x == np.array([1.0, 0.0, 3.0])).tolist() == [True, False, True]
    assert (x != 2).tolist() == [True, False, True]
    assert type(x < 2) is np.ndarray


def test_one_element_is_a_number():
    """item, float, int, bool, format."""
    x = Tensor([[2.5]], requires_grad=True)

    assert (x.item(), float(x), int(x), bool(x), f"{x:.2f}") == (2.5, 2.5, 2, True, "2.50")


def test_several_elements_have_no_truth(x):
    """`if tensor:` is refused, with the way out."""
    with pytest.raises(ValueError, match=r"3 elements is ambiguous .*test_tensor\.py:\d+.*\.any\(\)"):
        bool(x)


def test_a_tensor_is_a_sequence(x):
    """len, iteration, unpacking; each part recorded."""
    a, b, c = x
    (a * b * c).backward()

    assert len(x) == 3
    assert_array_equal(x.grad, [6.0, 3.0, 2.0])
    with pytest.raises(ValueError, match="without axes"):
        iter(Tensor(1.0))


def test_a_tensor_is_hashed_by_identity(x):
    """So that it can be a key, and a set of nodes is one."""
    y = Tensor(x.data, requires_grad=True)

    assert len({x, y, x}) == 2
    assert {x: 1, y: 2}[x] == 1


@given(ANY.flatmap(arrays))
@examples(30)
def test_shape_and_friends_are_those_of_the_array(array):
    """shape, ndim, size, numel, dtype, T, tolist."""
    x = Tensor(array)

    assert (x.shape, x.ndim, x.size, x.numel(), x.dtype) == (
        array.shape,
        array.ndim,
        array.size,
        array.size,
        array.dtype,
    )
    assert x.tolist() == array.tolist()
    assert_array_equal(x.T.data, array.T)
    assert x.numpy() is x.data


def test_detached_and_cloned(x):
    """detach is a leaf of the same data; clone is a node that gradients go through."""
    leaf, clone = x.detach(), x.clone()
    clone.sum().backward()

    assert leaf.is_leaf
    assert not leaf.requires_grad
    assert_array_equal(leaf.data, x.data)
    assert not clone.is_leaf
    assert_array_equal(x.grad, np.ones(3))


def test_requires_grad_is_for_leaves(x):
    """It can be turned on and off for what was given, not for what was made."""
    frozen = Parameter([1.0]).requires_grad_(False)

    assert (frozen * 2).is_leaf
    with pytest.raises(RuntimeError, match="only a leaf"):
        (x * 2).requires_grad_(False)


METHODS = [name for name in dir(Tensor) if name in F.__all__ and name != "where"]  # t.where is a place
ARGUMENTS = {
    "add": (2.0,),
    "sub": (2.0,),
    "mul": (2.0,),
    "div": (2.0,),
    "pow": (2,),
    "maximum": (2.0,),
    "minimum": (2.0,),
    "clip": (0.5, 1.5),
    "clamp": (0.5, 1.5),
    "matmul": (np.ones((2, 2)),),
    "dot": (np.ones((2, 2)),),
    "swapaxes": (0, 1),
    "reshape": (4,),
    "view": (4, 1),
    "permute": (1, 0),
    "unsqueeze": (0,),
    "broadcast_to": ((3, 2, 2),),
    "expand": (3, 2, 2),
    "split": (2,),
    "chunk": (2,),
    "take": ([0, 3],),
    "gather": (0, [[1, 0]]),
    "scatter_add": (0, [[1, 0]], np.ones((1, 2))),
    "scatter": ([0, 1], (3, 2)),
    "roll": (1,),
    "repeat": (2,),
    "masked_fill": ([True, False], 0.0),
    "cumsum": (0,),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_functions(name):
    """t.f(…) is F.f(t, …)."""
    x = Tensor([[0.5, 1.0], [1.5, 2.0]], requires_grad=True)
    x = x[0] if name == "outer" else x
    arguments = (np.ones(2),) if name == "outer" else ARGUMENTS.get(name, ())
    method, function = getattr(x, name)(*arguments), getattr(F, name)(x, *arguments)
    pairs = zip(method, function, strict=True) if isinstance(method, list) else [(method, function)]

    for one, other in pairs:
        assert_array_equal(getattr(one, "data", one), getattr(other, "data", other))


def test_detach_in_place_lets_go_of_the_record_before():
    """The node becomes a leaf of the same data; what was computed from it stays, and no gradient comes back."""
    x = Tensor([2.0], requires_grad=True)
    h = (x * 3).named("h")
    y = h * h
    before = ref(h.inputs[0])
    del x
    assert h.detach_() is h

    assert (h.is_leaf, h.requires_grad, h.name, h.data.tolist()) == (True, False, "h", [6.0])
    assert before() is None
    y.sum().backward()
    assert (y.data.tolist(), h.grad) == ([36.0], None)
