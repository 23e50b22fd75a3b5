"""`backward` and the sweep as a user meets them: twice, from several losses, in threads, after mistakes, at length."""

import gc
import threading
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_seq import Op, Parameter, Tensor, Value, detect_anomaly, grad, no_grad, scope, steps, sweep
from tinygrad_seq import functional as F
from tinygrad_seq.errors import AnomalyError, GradientError, ShapeError, StaleGraphError, VjpError
from tinygrad_seq.graph import Graph, Node


@pytest.fixture
def x():
    return Tensor([1.0, -2.0, 3.0], requires_grad=True, name="x")


# ---- what is stored ------------------------------------------------------------------


def test_backward_sets_the_gradient_of_every_node(x):
    """Also of those in between, so that one can look anywhere in the graph afterwards."""
    y = x * x
    loss = y.sum()
    loss.backward()

    assert_array_equal(loss.grad, 1.0)
    assert_array_equal(y.grad, np.ones(3))
    assert_array_equal(x.grad, 2 * x.data)


def test_leaves_accumulate_and_others_do_not(x):
    """A second backward adds in leaves, as in PyTorch; micrograd's error of adding everywhere is not made."""
    a = Value(2.0)
    b = a * a
    c = b * b
    c.backward()
    c.backward()

    assert (a.grad, b.grad, c.grad) == (64.0, 8.0, 1.0)


def test_several_losses_add_in_leaves(x):
    """Losses that share a part of the graph give, one after the other, the gradient of their sum."""
    shared = F.tanh(x)
    (shared * 2).sum().backward()
    (shared**2).sum().backward()
    found = x.grad.copy()
    x.grad = None
    (shared * 2 + shared**2).sum().backward()

    assert_allclose(found, x.grad, rtol=1e-14)


def test_gradients_are_arrays_of_their_own(x):
    """Read-only, of the shape and dtype of the tensor, and not changed by the next backward."""
    x.sum().backward()
    first = x.grad
    x.sum().backward()

    assert type(first) is np.ndarray
    assert not first.flags.writeable
    assert_array_equal(first, np.ones(3))
    assert_array_equal(x.grad, 2 * np.ones(3))


@pytest.mark.parametrize("given", [[1.0, 2.0, 3.0], np.array([1, 2, 3]), Tensor([1.0, 2.0, 3.0])])
def test_backward_takes_a_seed(x, given):
    """A list, an array or a tensor: the gradient of what comes after."""
    (x * x).backward(given)

    assert_array_equal(x.grad, 2 * x.data * [1, 2, 3])


def test_a_seed_is_not_kept(x):
    """The caller may change his array afterwards."""
    seed = np.ones(3)
    y = x * 1.0
    y.backward(seed)
    seed[:] = 5.0

    assert_array_equal(x.grad, np.ones(3))
    assert_array_equal(y.grad, np.ones(3))


def test_backward_of_a_leaf_is_one():
    """d(x)/d(x)."""
    x = Tensor(3.0, requires_grad=True)
    x.backward()

    assert_array_equal(x.grad, 1.0)


def test_one_element_is_a_scalar(x):
    """A loss of shape (1, 1) needs no seed, and its gradient has its shape."""
    loss = (x * 2).sum(keepdims=True)[None]
    loss.backward()

    assert loss.grad.shape == (1, 1)
    assert_array_equal(x.grad, 2 * np.ones(3))


def test_the_same_input_twice(x):
    """x * x gets both contributions; so does x in concat([x, x])."""
    (x * x + F.concat([x, x])[3:]).sum().backward()

    assert_array_equal(x.grad, 2 * x.data + 1)


def test_create_graph_gives_gradients_that_can_be_differentiated(x):
    """`.grad` is then a Tensor with a history of its own."""
    (x**3).sum().backward(create_graph=True)
    first, x.grad = x.grad, None
    (first**2).sum().backward()

    assert isinstance(first, Tensor)
    assert_allclose(first.data, 3 * x.data**2)
    assert_allclose(x.grad, 36 * x.data**3)


# ---- where no gradient goes ----------------------------------------------------------


def test_constants_keep_no_history():
    """With no gradient asked for an op gives a leaf."""
    y = F.tanh(Tensor([1.0]) * 2)

    assert y.is_leaf
    assert y.inputs == ()
    assert not y.requires_grad


def test_no_gradient_goes_through_detach(x):
    """What is detached is a constant to everything made from it."""
    (x * x.detach()).sum().backward()

    assert_array_equal(x.grad, x.data)


def test_no_contribution_is_made_for_constants(x):
    """A visit sends None to an input that requires no gradient."""
    loss = (x * np.ones(3)).sum()
    _, product, _ = list(sweep(loss))

    assert product.sent[1] is None
    assert product.contribution(1) is None
    assert_array_equal(product.contribution(0), np.ones(3))


def test_a_graph_partly_under_no_grad(x):
    """The part computed without recording counts as a constant."""
    h = x * 2
    with no_grad():
        k = h * 10
    (h * k).sum().backward()

    assert k.is_leaf
    assert_array_equal(x.grad, 2 * k.data)


def test_backward_inside_no_grad(x):
    """The sweep needs no recording, and changes none of the ambient state."""
    loss = (x * x).sum()
    with no_grad():
        loss.backward()

    assert_array_equal(x.grad, 2 * x.data)


# ---- refusals ------------------------------------------------------------------------

REFUSED = {
    "no scalar": (lambda x: (x * 2).backward(), GradientError, "backward needs a scalar, got shape (3,)", ".sum()"),
    "no scalar to sweep": (lambda x: list(sweep(x * 2)), GradientError, "needs a scalar, got shape (3,)", ".sum()"),
    "nothing requires a gradient": (
        lambda x: x.detach().sum().backward(),
        GradientError,
        "requires a gradient",
        "requires_grad=True",
    ),
    "a seed too short": (lambda x: (x * 2).backward([1.0, 2.0]), ShapeError, "shape (3,)", "got (2,)"),
    "a seed that would broadcast": (lambda x: (x * 2).backward(1.0), ShapeError, "shape (3,)", "got ()"),
    "a column for a row": (lambda x: (x * 2).backward(np.ones((3, 1))), ShapeError, "shape (3,)", "got (3, 1)"),
    "a seed for a scalar": (lambda x: x.sum().backward(np.ones(1)), ShapeError, "shape ()", "got (1,)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_backward_refuses(case, x):
    """What has no meaning, saying what was expected, what was given, and what to do; no gradient is set."""
    do, kind, *parts = REFUSED[case]

    with pytest.raises(kind) as caught:
        do(x)
    assert all(part in str(caught.value) for part in parts)
    assert x.grad is None


# ---- nothing half-written ------------------------------------------------------------


def failing(x):
    return np.array(x)


def failing_vjp(g, out, x):
    raise ValueError("no derivative today")


def test_a_rule_that_raises_leaves_no_gradient_behind(x):
    """All or nothing; and the error names the op, its scope, its step and its line."""
    h = x * 2
    with scope("encoder"):
        for _, _ in steps([0]):
            broken = Op(failing, failing_vjp)(h)
    loss = (broken * broken).sum()

    with pytest.raises(ValueError, match="no derivative today") as caught:
        loss.backward()
    assert [node.grad for node in Graph(loss)] == [None] * len(Graph(loss))
    (note,) = caught.value.__notes__
    assert "failing" in note
    assert "in encoder at t=1, test_backprop.py:" in note


WRONG_RULES = {
    "too few": (lambda g, out, x, y: (g,), "a tuple of 2 gradients"),
    "no tuple": (lambda g, out, x, y: g, "a tuple of 2 gradients"),
    "a list": (lambda g, out, x, y: [g, g], "a tuple of 2 gradients"),
    "a wrong shape": (lambda g, out, x, y: (g[:2], g), "shape (2,) for an input of shape (3,)"),
    "a transposed shape": (lambda g, out, x, y: (g[:, None], g), "shape (3, 1) for an input of shape (3,)"),
}


@pytest.mark.parametrize("case", WRONG_RULES)
def test_a_rule_that_returns_no_gradient_is_told_off(case, x):
    """Number and shape are checked, naming op and line; no gradient is set."""
    vjp, message = WRONG_RULES[case]
    op = Op(lambda x, y: x + y, vjp, name="plus")
    loss = op(x, x * 2).sum()

    with pytest.raises(VjpError) as caught:
        loss.backward()
    assert message in str(caught.value)
    assert "plus (test_backprop.py:" in str(caught.value)
    assert x.grad is None


def step(w):
    """A step of gradient descent, by hand."""
    w.data = w.data - 0.1 * w.grad


@pytest.mark.parametrize("uses", [lambda w: (w * w).sum(), lambda w: (w + 1).tanh().sum(), lambda w: w[0] * w[1]])
def test_data_replaced_between_forward_and_backward(uses):
    """The graph no longer holds what it was made from: an error, not a wrong gradient."""
    w = Parameter([1.0, 2.0], name="w")
    loss = uses(w)
    loss.backward()
    before = w.grad.copy()
    step(w)

    with pytest.raises(StaleGraphError, match=r"w.*new data.*again before backward"):
        loss.backward()
    assert_array_equal(w.grad, before)


def test_a_stale_value_is_noticed_too():
    """`p.data -= …` is a replacement as well."""
    a = Value(2.0)
    b = a * a
    a.data -= 0.1

    with pytest.raises(StaleGraphError):
        b.backward()


def test_only_leaves_get_new_data(x):
    """What an op made stays what it is."""
    y = x * 2

    with pytest.raises(TypeError, match="made by mul"):
        y.data = np.zeros(3)


def test_new_data_keeps_shape_and_dtype():
    """A parameter stays what an optimiser knows."""
    w = Parameter(np.ones((2, 3), np.float32))

    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3,\)"):
        w.data = np.zeros(3)
    w.data = np.zeros((2, 3))
    assert w.dtype == np.float32


# ---- anomalies -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what"), [(lambda x: (x - x) / (x - x), "NaN"), (lambda x: (x * 1e3).exp(), "infinite")]
)
def test_detect_anomaly_names_the_first_node(make, what, x):
    """That made a NaN or an infinity, with its op, scope, step and line."""

    def run():
        with scope("decoder"):
            for _, _ in steps([0]):
                make(x).sum()

    with np.errstate(all="ignore"), detect_anomaly(), pytest.raises(AnomalyError) as caught:
        run()

    assert what in str(caught.value)
    assert "in decoder at t=1, test_backprop.py:" in str(caught.value)


def test_detect_anomaly_in_the_gradient():
    """A derivative that is infinite is named where the rule made it; no gradient is set."""
    x = Tensor([0.0, 1.0], requires_grad=True, name="x")
    with np.errstate(all="ignore"), detect_anomaly():
        loss = F.sqrt(x).sum()
        with pytest.raises(AnomalyError, match=r"derivative of sqrt by its input 0 made 1 infinite.*test_backprop.py:"):
            loss.backward()

    assert x.grad is None


def test_detect_anomaly_can_let_infinities_pass():
    """check_inf=False looks for NaN alone."""
    x = Tensor([1e4], requires_grad=True)
    with np.errstate(all="ignore"), detect_anomaly(check_inf=False):
        y = x.exp()

    assert np.isinf(y.data).all()


# ---- threads -------------------------------------------------------------------------


def in_threads(*functions):
    """Run all at once; raise what one of them raised."""
    barrier, errors = threading.Barrier(len(functions)), []

    def run(function):
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_two_threads_sweep_one_graph():
    """Both add the whole gradient to the leaves."""
    w = Parameter(np.ones((4, 4)))
    h = Tensor(np.ones(4))
    for _ in range(30):
        h = F.tanh(h @ w)
    loss = h.sum()
    loss.backward()
    once, w.grad = w.grad.copy(), None

    in_threads(*[lambda: [loss.backward() for _ in range(20)]] * 4)

    assert_allclose(w.grad, 80 * once, rtol=1e-12)


def test_threads_with_graphs_of_their_own_share_leaves():
    """Every backward counts, whoever called it."""
    w = Parameter(np.ones(100_000))  # large enough that NumPy lets other threads run while it adds

    def train(k):
        for _ in range(60):
            (w * k).sum().backward()

    in_threads(*[lambda k=k: train(k) for k in (1.0, 2.0, 3.0, 4.0)])

    assert_array_equal(w.grad, np.full(100_000, 600.0))


# ---- scale ---------------------------------------------------------------------------


@pytest.fixture
def no_collector():
    """Only reference counting frees."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


CHAINS = [(Value, 200_000), (Tensor, 200_000), pytest.param(Value, 1_000_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("kind", "length"), CHAINS)
def test_a_chain_of_very_many_ops(kind, length, no_collector):
    """Runs forward and backward without recursion, and is freed at once by reference counting alone."""
    x = kind(1.0, requires_grad=True)
    y = x
    for _ in range(length):
        y = y + x
    seen = weakref.ref(y.inputs[0])
    y.backward()

    assert y.data == length + 1
    assert x.grad == length + 1
    del y
    assert seen() is None


def test_a_graph_dies_with_its_loss(no_collector):
    """After `del loss` no node is alive but the leaves, with the garbage collector off."""
    w = Parameter(np.ones((3, 3)))
    h, alive = Tensor(np.ones(3)), []
    for _, x in steps(np.ones((5, 3))):
        h = F.softmax(F.concat([h @ w, x])[:3])
        alive += [weakref.ref(node) for node in Graph(h) if node.op]
    loss = F.cross_entropy(h, 0)
    loss.backward()
    list(sweep(loss))

    assert alive
    del h, loss, x
    assert [ref() for ref in alive if ref() is not None] == []


def test_no_growth_over_ten_thousand_training_steps():
    """As many nodes are alive after the last step as after the first."""

    def nodes():
        gc.collect()
        return sum(isinstance(thing, Node) for thing in gc.get_objects())

    w = Parameter(np.ones(2))
    for k in range(10_000):
        loss = (w * w - 1).sum()
        loss.backward()
        step(w)
        w.grad = None
        if k == 10:
            early = nodes()

    assert nodes() == early


# ---- ops of one's own ----------------------------------------------------------------


def cube(x):
    return x**3


def cube_vjp(g, out, x):
    return (g * 3 * x**2,)


def test_an_op_of_ones_own_is_an_op_like_any_other(x):
    """It is recorded, named, located, differentiated, and differentiated again."""
    y = Op(cube, cube_vjp)(x)
    y.sum().backward(create_graph=True)
    first = x.grad
    x.grad = None
    first.sum().backward()

    assert y.op.name == "cube"
    assert y.source.startswith("test_backprop.py:")
    assert_allclose(first.data, 3 * x.data**2)
    assert_allclose(x.grad, 6 * x.data)


def scaled_vjp(g, out, x, y, *, by):
    return g * by, None


def test_an_op_of_ones_own_broadcasts_and_takes_fixed_arguments(x):
    """The sweep undoes broadcasting; keyword arguments are fixed; None is no gradient."""
    scaled = Op(lambda x, y, *, by: (x + y) * by, scaled_vjp, name="scaled")
    y = Tensor(np.ones((2, 3)), requires_grad=True)
    scaled(x, y, by=10.0).sum().backward()

    assert_array_equal(x.grad, np.full(3, 20.0))
    assert y.grad is None


def test_pytorchs_words_are_understood():
    """retain_graph and retain_grad are accepted: the graph is kept anyway, and so is every gradient."""
    x = Tensor([2.0], requires_grad=True)
    y = x * x
    y.retain_grad()

    y.sum().backward(retain_graph=True)
    assert grad(y.sum(), [x], retain_graph=True)[0].tolist() == [4]

    assert (y.grad.tolist(), x.grad.tolist()) == ([1], [4])
