"""Bad input: every refusal says what was expected, what was given, where, and what to do, and changes nothing."""

import inspect

import numpy as np
import pytest

from tinygrad_seq import Parameter, Tensor, Value, errors, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, NoDerivativeError, ReadOnlyError, ShapeError


@pytest.fixture
def x():
    return Tensor(np.ones((2, 3)), requires_grad=True, name="x")


def told(do, *arguments):
    """The error of a call made in encoder at t=2, and that place with this file's line in words."""
    with scope("encoder"):
        for t, _ in steps(range(2)):
            if t == 2:
                with pytest.raises(Exception) as caught:
                    do(*arguments)
    return caught.value, f"in encoder at t=2, test_errors.py:{inspect.getsourcelines(do)[1]}"


LOGITS = np.zeros((2, 3))

# ---- a bad call, the kind of error, and the parts of the message that matter -----------

SHAPES = {
    "matmul": (lambda x: x @ np.ones((4, 2)), "matmul cannot take (2, 3) and (4, 2)", "the 3 and the 4 must be equal"),
    "matmul, batch": (
        lambda x: np.ones((5, 2, 3)) @ Tensor(np.ones((4, 3, 2)), True),
        "(5, 2, 3) and (4, 3, 2)",
        "the 5 and the 4",
    ),
    "matmul, vector": (lambda x: x @ np.ones(2), "(2, 3) and (2,)", "the 3 and the 2 must be equal"),
    "matmul, number": (lambda x: x @ 2.0, "(2, 3) and ()", "use * for a number"),
    "add": (
        lambda x: x + np.ones(2),
        "add cannot take (2, 3) and (2,)",
        "the 3 and the 2 must be equal, or one of them 1",
    ),
    "mul, methods": (lambda x: x.mul(np.ones((3, 3))), "mul cannot take (2, 3) and (3, 3)", "the 2 and the 3"),
    "maximum by NumPy": (lambda x: np.maximum(x, np.ones(4)), "maximum cannot take", "the 3 and the 4"),
    "where": (lambda x: F.where(np.ones(4, bool), x, x), "where cannot take (2, 3) and (2, 3)"),
    "concat": (lambda x: F.concat([x, np.ones((2, 2))], axis=0), "concat cannot take (2, 3) and (2, 2)"),
    "stack": (lambda x: F.stack([x, np.ones((2, 2))]), "stack cannot take (2, 3) and (2, 2)"),
    "reshape": (lambda x: x.reshape(4, 2), "reshape cannot take (2, 3)", "(4,2)"),
    "broadcast_to": (lambda x: F.broadcast_to(x, (3, 3)), "broadcast_to cannot take (2, 3)"),
    "axis": (lambda x: x.sum(axis=2), "sum along axis 2 cannot take (2, 3)", "2 axes"),
    "softmax": (lambda x: F.softmax(x, axis=-3), "softmax along axis -3 cannot take (2, 3)"),
    "transpose": (lambda x: x.transpose(1, 1), "each of the 2 axes of (2, 3) once, got (1, 1)", "swapaxes"),
    "squeeze": (lambda x: x.squeeze(0), "squeeze along axis 0 cannot take (2, 3)"),
    "split": (lambda x: x.split(2, axis=1), "split into 2 equal parts cannot take (2, 3)", "chunk"),
    "einsum": (lambda x: F.einsum("ij,jk", x, np.ones((2, 2))), "einsum cannot take (2, 3) and (2, 2)"),
    "einsum, axes": (lambda x: F.einsum("ijk->i", x), "einsum got an operand of shape (2, 3) for 'ijk'"),
    "einsum, operands": (lambda x: F.einsum("ij,jk", x), "einsum got 1 operands for the 2 of 'ij,jk'"),
    "outer": (lambda x: F.outer(x, x), "two vectors", "(2, 3) and (2, 3)", "flatten"),
    "dot": (lambda x: F.dot(x[0], np.ones(2)), "dot cannot take (3,) and (2,)"),
    "tril": (lambda x: F.tril(x[0]), "tril needs a matrix, got shape (3,)"),
    "pad": (lambda x: F.pad(x, [1, 2, 3]), "pad of (2, 3)", "one pair (before, after) for each axis", "[1, 2, 3]"),
    "repeat": (lambda x: F.repeat(x, [1, 2, 3], axis=0), "repeat of (2, 3) along axis 0 cannot take [1, 2, 3]"),
    "gather": (lambda x: F.gather(x, 0, [1]), "gather of (2, 3) needs an index of 2 axes", "(1,)"),
    "masked_fill": (
        lambda x: F.masked_fill(x, np.ones(2, bool), 0),
        "a mask that broadcasts to the shape (2, 3), got (2,)",
    ),
    "layer_norm": (lambda x: F.layer_norm(x, 2), "layer_norm over (2,) cannot take (2, 3)"),
    "mse": (lambda x: F.mse_loss(Tensor(np.ones((3, 1)), True), np.ones(3)), "mse", "(3, 1) and (3,)", "reshape"),
    "bce": (lambda x: F.binary_cross_entropy_with_logits(x, np.ones((2, 1))), "(2, 3) and (2, 1)", "reshape"),
    "cross_entropy": (lambda x: F.cross_entropy(x, [0, 1, 2]), "logits (2, 3) needs labels of shape (2,), got (3,)"),
    "cross_entropy, weight": (
        lambda x: F.cross_entropy(x, [0, 1], weight=[1.0, 2.0]),
        "one number for each of 3 classes, got (2,)",
    ),
    "cross_entropy, number": (lambda x: F.cross_entropy(x.sum(), 0), "classes", "()"),
}
LABELS = {
    "label -1": (
        lambda x: F.cross_entropy(x, [0, -1]),
        IndexError,
        "label -1 at (1,) is not one of the 3 classes, 0 to 2",
    ),
    "label too large": (
        lambda x: F.cross_entropy(x, [3, 0]),
        IndexError,
        "label 3 at (0,) is not one of the 3 classes",
    ),
    "label of nll": (lambda x: F.nll_loss(x, [0, -1]), IndexError, "nll: label -1 at (1,)"),
    "label deep inside": (
        lambda x: F.cross_entropy(x[None], [[0, 1, 5]], axis=1),
        IndexError,
        "label 5 at (0, 2)",
        "2 classes",
    ),
    "float labels": (lambda x: F.cross_entropy(x, [0.0, 1.0]), DtypeError, "integers as labels, got float64"),
    "boolean labels": (lambda x: F.cross_entropy(x, [True, False]), DtypeError, "integers as labels, got bool"),
    "all ignored": (lambda x: F.cross_entropy(x, [-100, -100]), DataError, "no mean of no losses", "ignored"),
    "label_smoothing": (
        lambda x: F.cross_entropy(x, [0, 1], label_smoothing=1.5),
        DataError,
        "between 0 and 1, got 1.5",
    ),
    "embedding -1": (lambda x: F.embedding([0, -1], x), IndexError, "index -1 is not one of the 2 rows, 0 to 1"),
    "embedding too large": (lambda x: F.embedding([2], x), IndexError, "index 2", "2"),
    "embedding float": (lambda x: F.embedding([0.5], x), DtypeError, "integers as indices, got float64"),
    "one_hot": (lambda x: F.one_hot([-1], 3), IndexError, "index -1 is not one of the 3 classes"),
    "gather": (lambda x: F.gather(x, 0, [[2]]), IndexError, "index 2 is out of range for size 2"),
    "take": (lambda x: F.take(x, [-3], 0), IndexError, "index -3 is out of range for size 2"),
    "index": (lambda x: x[2], IndexError, "getitem cannot take (2, 3)", "index 2 is out of bounds"),
    "float index": (lambda x: x[1.0], IndexError, "getitem cannot take (2, 3)"),
    "mask of the wrong length": (lambda x: x[np.ones(3, bool)], IndexError, "getitem cannot take (2, 3)"),
    "mask of numbers": (lambda x: F.masked_fill(x, [[1, 0, 1]], 0), DataError, "booleans, got int64", "compare first"),
    "dropout 1.5": (lambda x: F.dropout(x, 1.5), DataError, "between 0 and 1, got 1.5"),
    "dropout -0.1": (lambda x: F.dropout(x, -0.1), DataError, "between 0 and 1, got -0.1"),
    "dropout nan": (lambda x: F.dropout(x, float("nan")), DataError, "between 0 and 1, got nan"),
    "clip": (lambda x: F.clip(x), DataError, "a lower bound, an upper bound, or both"),
    "power": (lambda x: F.pow(x, "2"), DataError, "a number or a tensor as exponent, got '2'"),
    "no tensors": (lambda x: F.concat([]), DataError, "at least one tensor, got none"),
    "gelu": (lambda x: F.gelu(x, "fast"), DataError, '"none" or "tanh"', "'fast'"),
    "astype": (lambda x: x.astype(int), DtypeError, "no gradient comes back from int64"),
}
DATA = {
    "strings": (lambda x: Tensor(["1.0", "2.0"]), DataError, "made of numbers, got <U3", "['1.0', '2.0']"),
    "a string": (lambda x: x + "1", DataError, "made of numbers", "'1'"),
    "ragged lists": (lambda x: Tensor([[1.0, 2.0], [3.0]]), DataError, "of equal length in every row"),
    "an object": (lambda x: Tensor([object()]), DataError, "made of numbers, got object"),
    "an object dtype": (lambda x: Tensor(np.array([1.0, 2.0], dtype=object)), DataError, "made of numbers, got object"),
    "None": (lambda x: Tensor(None), DataError, "made of numbers", "None"),
    "None among numbers": (lambda x: x * [1.0, None, 2.0], DataError, "made of numbers", "None"),
    "adding None": (lambda x: x + None, DataError, "made of numbers", "None"),
    "strings with a dtype": (lambda x: Tensor("1.0", dtype=float), DataError, "made of numbers"),
    "a dictionary": (lambda x: Tensor({"a": 1}), DataError, "made of numbers"),
    "a date": (lambda x: Tensor(np.datetime64("2020-01-01")), DataError, "made of numbers, got datetime64"),
    "tensors in a list": (lambda x: Tensor([x, x]), DataError, "lose their gradients", "stack or concat"),
    "tensors in a deep list": (lambda x: Tensor([[x[0, 0]], [x[0, 1]]]), (DataError, NoDerivativeError), "gradient"),
    "integers that require a gradient": (
        lambda x: Tensor([1, 2], requires_grad=True, dtype=int),
        DtypeError,
        "floating-point",
        "int64",
    ),
    "complex numbers that require a gradient": (
        lambda x: Tensor([1j], requires_grad=True),
        DtypeError,
        "floating-point",
        "complex128",
    ),
    "a Value of an array": (lambda x: Value([1.0, 2.0]), DataError, "one number, got [1.0, 2.0]"),
    "if tensor": (lambda x: bool(x), DataError, "6 elements is ambiguous", ".any() or .data.all()"),
    "writing": (lambda x: x.__setitem__(0, 1.0), ReadOnlyError, "cannot be written into", "where, masked_fill"),
    "out=": (lambda x: np.exp(x, out=np.zeros((2, 3))), ReadOnlyError, "np.exp cannot write"),
    "asarray": (lambda x: np.asarray(x), NoDerivativeError, "drop the gradient", ".data, .detach(), or no_grad()"),
    "no derivative": (
        lambda x: np.arctan(x),
        NoDerivativeError,
        "np.arctan has no derivative here",
        "Op(forward, vjp)",
    ),
    "iteration": (lambda x: iter(x.sum()), ShapeError, "without axes"),
    "item": (lambda x: x.item(), ShapeError, "one element, got shape (2, 3)"),
}
BAD = {
    **{f"shape: {name}": (do, ShapeError, *parts) for name, (do, *parts) in SHAPES.items()},
    **{f"label: {name}": case for name, case in LABELS.items()},
    **{f"data: {name}": case for name, case in DATA.items()},
}
NO_PLACE = {"data: iteration", "data: item"}


@pytest.mark.parametrize("name", BAD)
def test_the_message_says_what_was_expected_and_what_was_given(name, x):
    """With an error of the kind that NumPy's users catch; and x is as it was."""
    do, kind, *parts = BAD[name]
    error, _ = told(do, x)

    assert isinstance(error, kind)
    for part in parts:
        assert part in str(error)
    assert x.grad is None
    assert np.array_equal(x.data, np.ones((2, 3)))


@pytest.mark.parametrize("name", sorted(set(BAD) - NO_PLACE))
def test_the_message_says_where(name, x):
    """Scope, time step, and the source line of the call."""
    error, place = told(BAD[name][0], x)

    assert place in str(error)


def test_an_error_is_also_the_built_in_kind():
    """Each derives from TinygradSeqError and from what a NumPy user would catch."""
    kinds = {name: getattr(errors, name) for name in errors.__all__}

    assert all(issubclass(kind, errors.TinygradSeqError) for kind in kinds.values())
    assert issubclass(errors.ShapeError, ValueError)
    assert issubclass(errors.DataError, ValueError)
    assert issubclass(errors.DtypeError, TypeError)
    assert issubclass(errors.NoDerivativeError, TypeError)
    assert issubclass(errors.ReadOnlyError, TypeError)
    assert issubclass(errors.GradientError, RuntimeError)
    assert issubclass(errors.StaleGraphError, errors.GradientError)
    assert issubclass(errors.AnomalyError, ArithmeticError)
    assert issubclass(errors.UnknownTokenError, KeyError)


def test_a_key_error_shows_its_message_plainly():
    """Without the quotes that KeyError puts around it."""
    assert str(errors.UnknownTokenError("no 'x' here")) == "no 'x' here"


def test_a_parameter_refuses_new_data_that_does_not_fit():
    """Saying the shapes, and keeping the old."""
    w = Parameter(np.ones((2, 3)), name="W")

    for data, kind in [(np.ones(3), ShapeError), ("abc", DataError), ([[1.0], [2.0, 3.0]], DataError)]:
        with pytest.raises(kind):
            w.data = data
    assert np.array_equal(w.data, np.ones((2, 3)))


def test_numpys_error_is_the_cause(x):
    """Nothing of what NumPy found is lost."""
    error, _ = told(lambda x: x @ np.ones((4, 2)), x)

    assert isinstance(error.__cause__, ValueError)
    assert "(2,3) and (4,2)" in str(error.__cause__)
