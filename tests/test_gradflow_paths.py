"""tinygrad_seq.gradflow: the ways through a record, the work on them, and how both grow."""

from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Graph, Op, Parameter, Tensor, Value, no_grad, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, GradientError, UnknownNameError
from tinygrad_seq.gradflow import complexity, paths, power
from tinygrad_seq.gradflow.work import Work, elementwise, multiply_adds
from tinygrad_seq.models import GRU, LSTM, RNN, MultiheadAttention, self_attention
from tinygrad_seq.testing.strategies import broadcastable_shapes

# ---- lengths of ways ------------------------------------------------------------------


@st.composite
def webs(draw):
    """Some leaves, and Values each made from one or two of those before."""
    leaves = [Value(1.0) for _ in range(draw(st.integers(1, 3)))]
    nodes = list(leaves)
    for _ in range(draw(st.integers(1, 8))):
        x = draw(st.sampled_from(nodes))
        nodes.append(x.tanh() if draw(st.booleans()) else x + draw(st.sampled_from(nodes)))
    return leaves, nodes


def all_ways(start, end):
    """The length of every way from a node to a node, by trying them all."""
    if start is end:
        return [0]
    return [1 + length for x in end.inputs for length in all_ways(start, x)]


@given(webs())
def test_lengths_are_those_of_all_ways_tried(web):
    """Shortest, longest and the longest chain agree with an enumeration of every way; routes are such ways."""
    leaves, nodes = web
    found = paths(*nodes, inputs=leaves)
    shortest, longest = found.shortest_matrix(), found.longest_matrix()

    for j, end in enumerate(nodes, 1):
        for i, start in enumerate(leaves, 1):
            lengths = all_ways(start, end)
            assert found.shortest(i, j) == min(lengths, default=None)
            assert found.longest(i, j) == max(lengths, default=None)
            assert shortest[j - 1, i - 1] == min(lengths, default=np.inf)
            assert longest[j - 1, i - 1] == max(lengths, default=np.inf)
            for route, length in ((found.shortest_route(i, j), min), (found.longest_route(i, j), max)):
                assert len(route) == (length(lengths) + 1 if lengths else 0)
                assert all(x in y.inputs for x, y in pairwise(route))
                assert not route or (route[0] is start and route[-1] is end)
    assert found.sequential == max(max(all_ways(leaf, node), default=0) for leaf in leaves for node in nodes)


def rows_apart(X):
    return F.stack([X[i] * 2.0 for i in range(4)])


def cut_and_joined(X):
    return F.concat([X[2:], X[:2]], axis=0)


def rolled_by_one(X):
    return F.concat([X[i][None] for i in (1, 2, 3, 0)], axis=0)


def attention(X):
    X = F.tanh(X * 0.1)  # no weight is so small that it rounds to 0
    return F.scaled_dot_product_attention(X, X, X)


W = np.random.default_rng(0).normal(size=(3, 3))
KEEPING = {  # (4, 3) → (4, 3)
    "tanh": lambda X: F.tanh(X * 0.1),
    "product": lambda X: X @ W,
    "product from the left": lambda X: (W @ X.T).T,
    "affine": lambda X: F.affine(X, W, W[0]),
    "batch": lambda X: (X[:, None] @ W)[:, 0],
    "einsum": lambda X: F.einsum("td,de->te", X, W),
    "softmax": lambda X: F.softmax(X * 0.1, -1),
    "layer norm": lambda X: F.layer_norm(X, 3) + X,
    "mean": lambda X: X * 2 - X.mean(1, keepdims=True),
    "sum": lambda X: X + X.sum(1)[:, None],
    "reshape": lambda X: X.reshape(4, 1, 3).reshape(4, 3),
    "new axis": lambda X: (X[None] * 2.0)[0],
    "row to all": lambda X: X + X[:1],
    "sum from the left": lambda X: X + X.T.sum(0)[:, None],
    "stack inside": lambda X: F.stack([X.T, X.T * 2.0], axis=1)[:, 1].T,
    "flip": lambda X: F.flip(X, 0),
    "reversed": lambda X: X[::-1] + X,
    "pick": lambda X: X + X[1],
    "gate": lambda X: F.gates(F.concat([X, X], -1) * 0.1, F.sigmoid, F.tanh)[1] * X,
    "unstack and stack": rows_apart,
    "cut and join": cut_and_joined,
    "roll by one": rolled_by_one,
    "attention": attention,
    "softmax over time": lambda X: F.softmax(X * 0.1, 0),
}
MIXING = {  # too many ways are better than too few
    "reshape": lambda X: X.reshape(2, 6).tanh().reshape(4, 3),
    "turned": lambda X: X.reshape(3, 4).T,
    "cumsum": lambda X: F.cumsum(X, 0),
    "mask": lambda X: X.masked_fill(np.eye(4, 3, dtype=bool), 0.0),
    "shuffled": lambda X: X[np.array([2, 0, 1, 3])],
    "tril": lambda X: F.tril(X @ X.T, 0) @ X,
    "pad": lambda X: F.pad(X, ((1, 0), (0, 0)))[:-1] + 0.1 * X,
    "own op": lambda X: Op(np.sin, lambda g, out, x: (g * np.cos(x),))(X),
}


def dependence(X, Y):
    """Which row of Y changes with which row of X, by the gradient of a random sum of each."""
    rng, found = np.random.default_rng(1), []
    for y in Y:
        X.grad = None
        (y * rng.normal(size=y.shape)).sum().backward()
        found.append((X.grad != 0).any(axis=1))
    return np.array(found)


@given(st.lists(st.sampled_from(sorted(KEEPING)), min_size=1, max_size=4), st.integers(0, 100))
def test_rows_of_a_tensor_have_ways_of_their_own(names, seed):
    """Of a sequence in one tensor a way leads from row i to row j exactly where row j depends on row i."""
    X = Tensor(np.random.default_rng(seed).normal(size=(4, 3)), requires_grad=True)
    Y = X
    for name in names:
        Y = KEEPING[name](Y)
    found = paths(Y, inputs=X, targets=Y)

    assert np.isfinite(found.shortest_matrix()).tolist() == dependence(X, Y).tolist()
    for i, j in ((1, 1), (1, 4), (4, 2)):
        assert len(found.shortest_route(i, j)) == (found.shortest(i, j) or -1) + 1
        assert len(found.longest_route(i, j)) == (found.longest(i, j) or -1) + 1


@given(st.lists(st.sampled_from(sorted(KEEPING)) | st.sampled_from(sorted(MIXING)), min_size=1, max_size=4))
def test_no_dependence_is_missed(names):
    """Where row j depends on row i there is a way, whatever the operations do with the rows."""
    X = Tensor(np.random.default_rng(3).normal(size=(4, 3)), requires_grad=True)
    Y = X
    for name in names:
        Y = (MIXING.get(name) or KEEPING[name])(Y)
    ways = np.isfinite(paths(Y, inputs=X, targets=Y).shortest_matrix())

    assert not (dependence(X, Y) & ~ways).any()


def test_a_target_is_read_along_its_first_axis():
    """Where rows of the inputs lie along another axis each target has the best of all; a stack's parts are its own."""
    X = Tensor(np.ones((4, 3)), requires_grad=True)
    turned, stacked = F.tanh(X).T, F.stack([F.tanh(X), F.sin(F.tanh(X))])

    assert paths(turned, inputs=X, targets=turned).shortest_matrix().tolist() == [[2.0] * 4] * 3
    assert paths(stacked, inputs=X, targets=stacked).shortest_matrix().tolist() == [[2.0] * 4, [3.0] * 4]


def test_a_route_keeps_to_its_row():
    """Of rows made in different ways, equally long, the route to each goes the way of that row."""
    X = Tensor(np.ones((2, 3)), requires_grad=True)
    y = F.tanh(F.stack([F.cos(X[0]), F.sin(X[0])]))
    found = paths(y, inputs=X, targets=y)

    for j, name in ((1, "cos"), (2, "sin")):
        for route in (found.shortest_route(1, j), found.longest_route(1, j)):
            assert [node.op.name for node in route[1:]] == ["getitem", name, "stack", "tanh"]
    assert found.shortest_route(2, 1) == []


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_sequence_in_one_tensor_is_as_far_as_one_in_pieces(batch_first):
    """An RNN that reads a tensor and stacks its states has the ways of one that reads x_1 … x_T."""
    T, rnn = 5, RNN(3, 3, batch_first=batch_first)
    shape = (2, T, 3) if batch_first else (T, 2, 3)
    X = Tensor(np.ones(shape), requires_grad=True)
    time_first = X.swapaxes(0, 1) if batch_first else X
    out = rnn(X)[0].swapaxes(0, 1) if batch_first else rnn(X)[0]
    pieces, whole = paths(out, targets="h"), paths(out, inputs=X if not batch_first else "x", targets=out)

    extra = whole.shortest(1, 1) - pieces.shortest(1, 1)  # to pick x_t, to stack h_t, and to turn the axes
    assert time_first.shape == (T, 2, 3)
    assert (whole.shortest_matrix() == pieces.shortest_matrix() + extra).all()
    assert np.isinf(pieces.shortest_matrix()[np.triu_indices(T, 1)]).all()


def test_attention_is_as_near_to_all():
    """Self-attention leads from every position to every position at one length; the lecture's mask cuts the future."""
    X = Tensor(np.ones((5, 2)), requires_grad=True)
    y, masked = self_attention(X)[0], self_attention(X, masked=True)[0]

    assert len(np.unique(paths(y, inputs=X, targets=y).shortest_matrix())) == 1
    reach = np.isfinite(paths(masked, inputs=X, targets=masked).shortest_matrix())
    assert (reach == np.tri(5, dtype=bool)).all()


@pytest.mark.parametrize("n", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_long_chain_needs_no_recursion(n):
    """Lengths, routes and work of a chain of a million additions."""
    x = h = Value(1.0)
    for _ in range(n):
        h = h + 1.0
    found = paths(h, inputs=[x])

    assert found.sequential == found.shortest(1, 1) == found.longest(1, 1) == found.maximum_path == n
    assert len(found.shortest_route(1, 1)) == n + 1
    assert found.total == Work(n, 0, n)


# ---- work -----------------------------------------------------------------------------


@st.composite
def factors(draw):
    """Shapes of two factors of a product: vectors, matrices, and batches that broadcast."""
    m, k, n = (draw(st.integers(1, 4)) for _ in range(3))
    before = draw(broadcastable_shapes(2, min_side=1))
    x = (*before[0], m, k) if draw(st.booleans()) else (k,)
    y = (*before[1], k, n) if draw(st.booleans()) else (k,)
    return x, y


@given(factors())
def test_multiply_adds_of_a_product_are_those_of_its_definition(shapes):
    """Each number of the result is a sum of products: as many as a loop over all of them multiplies."""
    x, y = shapes
    node = Tensor(np.ones(x), requires_grad=True) @ Tensor(np.ones(y))
    rows = x if len(x) > 1 else (1, *x)
    columns = y if len(y) > 1 else (*y, 1)

    loop = np.broadcast_shapes((*rows, 1), (*columns[:-2], 1, *columns[-2:]))
    assert multiply_adds(node) == prod(loop)
    assert elementwise(node) == 0
    if len(y) == 2:
        with_bias = F.affine(Tensor(np.ones(x), requires_grad=True), Tensor(np.ones(y)), Tensor(np.ones(y[1])))
        assert (multiply_adds(with_bias), elementwise(with_bias)) == (prod(loop), with_bias.data.size)


SUBSCRIPTS = ["ij,jk->ik", "bij,bjk->bik", "...sd,...d->...s", "i,j->ij", "ij,ij->", "ij,jk,kl->il", "ij->j"]


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_multiply_adds_of_an_einsum_are_numpys(subscripts, size):
    """NumPy's own estimate counts a multiplication for each operand after the first, and an addition where it sums."""
    terms = subscripts.split("->")[0].replace("...", "").split(",")
    xs = [np.ones((size,) * len(term)) for term in terms]
    node = F.einsum(subscripts, Tensor(xs[0], requires_grad=True), *xs[1:])

    report = np.einsum_path(subscripts, *xs, optimize=False)[1]
    naive = float(report.split("Naive FLOP count:")[1].split()[0])
    letters = size ** len({*"".join(terms)})
    sums = bool({*"".join(terms)} - {*subscripts.split("->")[1]})
    assert multiply_adds(node) == naive - sums * letters
    assert elementwise(node) == (letters if len(xs) == 1 else 0)


x23 = Tensor(np.ones((2, 3)), requires_grad=True)


@pytest.mark.parametrize(
    ("node", "products", "elements"),
    [
        (x23 + np.ones((4, 1, 1)), 0, 24),
        (F.tanh(x23), 0, 6),
        (x23.sum(), 0, 6),
        (F.softmax(x23), 0, 6),
        (F.cross_entropy(x23, np.array([0, 1])), 0, 6),
        (F.mse_loss(x23, np.zeros((2, 3))), 0, 6),
        (x23.T, 0, 0),
        (x23[0], 0, 0),
        (F.stack([x23, x23]), 0, 0),
        (F.outer(x23[0], x23[:, 0]), 6, 0),
        (F.einsum("ii,i->i", x23[:, :2], np.ones(2)), 2, 0),
        (F.einsum("ij,ij->ij", x23[:, :1], np.ones((2, 3))), 6, 0),
        (F.einsum("ij,ij->ij", np.ones((2, 3)), x23[:, :1]), 6, 0),
        (F.dot(x23[0], x23[1]), 3, 0),
        (F.gates(x23[:, :2], F.sigmoid, F.tanh)[0], 0, 2),
        (Op(np.sin, lambda g, out, x: (g,))(x23), 0, 6),
        (x23, 0, 0),
    ],
    ids=lambda case: getattr(getattr(case, "op", None), "name", "") or str(case)[:9],
)
def test_work_of_one_operation(node, products, elements):
    """Products count multiply-adds; other functions the elements that they go through; moving is no work."""
    assert (multiply_adds(node), elementwise(node)) == (products, elements)


def test_work_is_told_by_scope():
    """Each scope has its own; an outer one with those inside has their sum, and all together is the total."""
    x = Parameter(np.ones((2, 3)))
    with scope("encoder"):
        h = F.tanh(x)
        with scope("l0"):
            h = h @ np.ones((3, 4))
    with scope("encoder2"):
        y = (h @ np.ones((4, 5))).sum()
    found = paths(y)

    assert found.operations == {"encoder": 1, "encoder/l0": 1, "encoder2": 2}
    assert found.multiply_adds == {"encoder": 0, "encoder/l0": 24, "encoder2": 40}
    assert found.elementwise == {"encoder": 6, "encoder/l0": 0, "encoder2": 10}
    assert found.layers == {"encoder": Work(2, 24, 6), "encoder2": Work(2, 40, 10)}
    assert found.within("encoder/l0") == found.work["encoder/l0"]
    assert found.within("decoder") == Work(0, 0, 0)
    assert found.total == Work(4, 64, 16)
    assert "encoder2             2             40           10" in repr(found)


# ---- growth ---------------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(0.5, 100), st.lists(st.integers(1, 1000), min_size=2, max_size=6, unique=True))
def test_a_power_law_is_found_again(exponent, factor, sizes):
    """Of counts that follow a law its exponent comes back, inside its interval, also between the largest sizes."""
    law = power(sizes, factor * np.array(sizes, float) ** exponent)

    assert np.isclose(law.exponent, exponent, atol=1e-8)
    assert np.isclose(law.local, exponent, atol=1e-6)
    assert np.isclose(law.r2, 1, atol=1e-6) or abs(exponent) < 1e-6
    assert len(sizes) == 2 or law.low - 1e-6 <= exponent <= law.high + 1e-6


def test_the_interval_is_the_textbooks():
    """Slope ± t · s / √Σ(x - x̄)² with n - 2 degrees of freedom, of logarithms, by hand."""
    law = power(np.exp([0.0, 1.0, 2.0]), np.exp([0.0, 1.0, 3.0]))  # slope 3/2, residuals 1/6, -1/3, 1/6

    assert np.isclose(law.exponent, 1.5)
    assert np.isclose(law.high - law.exponent, 12.7062 * np.sqrt(1 / 6 / 2), rtol=1e-4)
    assert np.isclose(law.r2, 1 - (1 / 6) / (42 / 9))


def test_lower_terms_fade_from_the_local_exponent():
    """Of 3 n² + 100 n the exponent at the largest sizes is nearer to 2 than the fitted one."""
    n = 2.0 ** np.arange(3, 12)
    law = power(n, 3 * n**2 + 100 * n)

    assert law.exponent < law.local < 2
    assert law.local > 1.95


def recurrent(layer):
    """A record of one recurrent layer, n steps, d wide."""

    def make(n, d):
        return paths(layer(d, d)(np.ones((n, 1, d)))[0], targets="h")

    return make


def attending(layer):
    """A record of one layer from a sequence in a tensor to another."""

    def make(n, d):
        X = Tensor(np.random.default_rng(n).normal(size=(n, d)), requires_grad=True)
        y = layer(X)
        return paths(y, inputs=X, targets=y)

    return make


TABLE_1 = {  # Vaswani et al. 2017: multiply-adds in n and in d, sequential operations, maximum path
    "RNN": (recurrent(RNN), 1, 2, 1, 1),
    "LSTM": (recurrent(LSTM), 1, 2, 1, 1),
    "GRU": (recurrent(GRU), 1, 2, 1, 1),
    "the lecture's self-attention": (attending(lambda X: self_attention(X)[0]), 2, 1, 0, 0),
    "scaled dot product": (attending(attention), 2, 1, 0, 0),
}


@pytest.mark.parametrize(("make", "n", "d", "sequential", "path"), TABLE_1.values(), ids=TABLE_1)
def test_table_1_comes_out_of_records(make, n, d, sequential, path):
    """Recurrent layers take n d² and n steps, on paths up to n; self-attention n² d and a constant number."""
    found = complexity(make, (16, 32, 64, 128), (4, 8, 16))

    assert np.isclose(found.multiply_adds.n.exponent, n, atol=0.01)
    assert np.isclose(found.multiply_adds.d.exponent, d, atol=0.01)
    assert np.isclose(found.sequential.n.exponent, sequential, atol=0.05)
    assert np.isclose(found.maximum_path.n.local, path, atol=0.05)
    assert found.sequential.d.exponent == found.maximum_path.d.exponent == 0
    assert len(found.terms) == 1
    assert f"multiply-adds n^{n}.00 d^{d}.00, " in str(found)


def test_projections_add_a_term():
    """Attention with projections takes n² d for the weights and n d² for the projections, told apart."""

    def make(n, d):
        X = Tensor(np.ones((n, d)), requires_grad=True)
        with scope("attention"):
            y = MultiheadAttention(d, 2)(X, X, X)[0]
        return paths(y, inputs=X, targets=y)

    found = complexity(make, (8, 16, 32), (8, 16, 32))
    terms = {(term.layer, round(term.law.n.exponent, 3), round(term.law.d.exponent, 3)) for term in found.terms}

    assert terms == {("attention", 2, 1), ("attention", 1, 2)}
    assert np.isclose(sum(term.share for term in found.terms), 1)
    assert np.isclose(found.terms[0].share, 4 / 6)  # 4 n d² of 4 n d² + 2 n² d, where n = d
    assert 1 < found.layers["attention"].n.exponent < 2
    assert found.maximum_path.n.exponent == found.sequential.n.exponent == 0
    assert make(8, 16).total.multiply_adds == 4 * 8 * 16**2 + 2 * 8**2 * 16


def test_terms_that_differ_in_width_alone_are_apart():
    """A layer of d by d and a head of d by 3 grow alike with n, not with d."""

    def make(n, d):
        X = Tensor(np.ones((n, d)), requires_grad=True, name="X")
        y = X @ np.ones((d, d)) @ np.ones((d, 3))
        return paths(y, inputs=X, targets=y)

    terms = complexity(make, (8, 16), (8, 16)).terms

    assert [(round(t.law.n.exponent, 6), round(t.law.d.exponent, 6)) for t in terms] == [(1, 2), (1, 1)]


# ---- what cannot be told ----------------------------------------------------------------


def chain():
    """x_1 … x_3 into h_1 … h_3, and one node that stands apart."""
    h = Tensor([1.0], requires_grad=True)
    for _, x in steps([1.0, 2.0, 3.0]):
        h = (h * Tensor([x]).named("x")).named("h")
    return h


def test_what_is_not_there_is_said():
    """No operation, no such name, nodes of another record, no such step: each has its message."""
    with no_grad():
        forgotten = chain()
    h = chain()

    with pytest.raises(GradientError, match=r"no operation on record.* no_grad"):
        paths(forgotten)
    with pytest.raises(TypeError, match=r"got list: .*paths\(\*outputs\)"):
        paths([h])
    with pytest.raises(UnknownNameError, match="no series 'y'"):
        paths(h, targets="y").shortest(1, 1)
    with pytest.raises(GradientError, match="of the inputs is not in the record"):
        paths(h, inputs=[Tensor([1.0])]).shortest(1, 1)
    with pytest.raises(DataError, match=r"no input at step 4: the steps of 'x' are 1 … 3"):
        paths(h, targets="h").shortest(4, 1)
    with pytest.raises(DataError, match=r"no output at step 9"):
        paths(h, targets="h").longest_route(1, 9)


def test_no_way_is_none():
    """The past is not reached from the future: None, inf, no route; and no maximum where nothing is reached."""
    found = paths(chain(), targets="h")
    x, y = Parameter([1.0], name="x"), Parameter([2.0])
    apart = paths(x * 2, y * 2, inputs=[x], targets=[y])

    assert (found.shortest(3, 1), found.longest(3, 1), found.shortest_route(3, 1)) == (None, None, [])
    assert np.isinf(found.longest_matrix()[0, 2])
    assert (found.s.tolist(), found.t.tolist()) == ([1, 2, 3], [1, 2, 3])
    with pytest.raises(GradientError, match="no way leads"):
        _ = apart.maximum_path


def test_bad_sizes_are_refused():
    """A law needs two sizes and positive numbers; a table two lengths and two widths."""
    for sizes, counts in (([1, 2], [1, 2, 3]), ([1, 2], [0, 1]), ([2, 2], [1, 1]), ([1, np.nan], [1, 2])):
        with pytest.raises(DataError, match="power needs"):
            power(sizes, counts)
    with pytest.raises(DataError, match="two lengths and two widths"):
        complexity(lambda n, d: chain(), (5, 5), (1, 2))


def test_a_graph_is_a_record_too():
    """paths reads the graph of outputs as it reads the outputs."""
    y = (Value(2.0) * 3.0).tanh()

    assert repr(paths(Graph(y))) == repr(paths(y))
    assert paths(Graph(y)).sequential == 2
