"""Attention: the kinds of scores, several heads, the lecture's self-attention; what holds of any of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles import complex_step
from tinygrad_seq import Graph, Parameter, Tensor, manual_seed, steps
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models.attention import (
    AdditiveAttention,
    DotAttention,
    MultiheadAttention,
    attention_of_kind,
    causal_mask,
    padding_mask_of,
    self_attention,
)

KINDS = ["dot", "scaled_dot", "general", "additive"]
SEEDS = st.integers(0, 2**16)
few = settings(max_examples=20)
every_kind = pytest.mark.parametrize("kind", KINDS)


def drawn(seed, kind, batch=3, source=5, target=None, size=4):
    """An attention, a query and states; the sizes of the two differ where they may."""
    manual_seed(seed)
    rng = np.random.default_rng(seed)
    query_size = size if "dot" in kind else size - 1
    shape = (batch, query_size) if target is None else (batch, target, query_size)
    s = Tensor(rng.normal(size=shape), requires_grad=True)
    hs = Tensor(rng.normal(size=(batch, source, size)), requires_grad=True)
    return attention_of_kind(kind, query_size, size, hidden_size=6), s, hs


def score_by_hand(attention, kind, s, h):
    """The score of one query and one state."""
    match kind:
        case "dot":
            return s @ h
        case "scaled_dot":
            return s @ h / np.sqrt(len(s))
        case "general":
            return s @ attention.W.data @ h
    return attention.v.data @ np.tanh(attention.Wq.data @ s + attention.Wk.data @ h)


# ---- the kinds of scores -------------------------------------------------------------


@every_kind
@few
@given(seed=SEEDS)
def test_the_context_is_what_the_formula_says(kind, seed):
    """e_i = score(s, h_i), w = softmax(e), context = Σ w_i h_i, by loops over plain numbers."""
    attention, s, hs = drawn(seed, kind)
    context, w = attention(s, hs)
    for b in range(3):
        e = np.array([score_by_hand(attention, kind, s.data[b], h) for h in hs.data[b]])
        expected = np.exp(e) / np.exp(e).sum()

        assert_allclose(w.data[b], expected, rtol=1e-12)
        assert_allclose(context.data[b], expected @ hs.data[b], rtol=1e-12, atol=1e-14)


@every_kind
@few
@given(seed=SEEDS)
def test_several_queries_are_each_of_them_alone(kind, seed):
    """(batch, target, D) gives what (batch, D) gives for each, values and gradients."""
    attention, s, hs = drawn(seed, kind, target=2)
    context, w = attention(s, hs)
    (context * context).sum().backward()
    together = s.grad, hs.grad
    s.zero_grad(), hs.zero_grad()
    alone = [attention(s[:, t], hs) for t in range(2)]
    sum((c * c).sum() for c, _ in alone).backward()

    assert (context.shape, w.shape) == ((3, 2, 4), (3, 2, 5))
    for t in range(2):
        assert_allclose(context.data[:, t], alone[t][0].data, rtol=1e-12, atol=1e-14)
        assert_allclose(w.data[:, t], alone[t][1].data, rtol=1e-12)
    assert_allclose(s.grad, together[0], rtol=1e-10, atol=1e-12)
    assert_allclose(hs.grad, together[1], rtol=1e-10, atol=1e-12)


@every_kind
@few
@given(seed=SEEDS, lengths=st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_weights_sum_to_one_or_to_nothing(kind, seed, lengths):
    """Over what is no padding the weights sum to 1; in a row of nothing but padding all is 0, gradients too."""
    attention, s, hs = drawn(seed, kind)
    mask = np.arange(5) >= np.array(lengths)[:, None]
    context, w = attention(s, hs, mask)
    (context.sum() + (w * w).sum()).backward()
    empty = mask.all(axis=1)

    assert_allclose(w.data.sum(axis=1), ~empty, rtol=1e-12)
    assert (w.data[mask] == 0).all()
    assert (context.data[empty] == 0).all()
    assert (s.grad[empty] == 0).all()
    assert (hs.grad[mask] == 0).all()


@every_kind
@few
@given(seed=SEEDS, padding=st.sampled_from([0.0, 1e9, np.nan, np.inf]))
def test_what_stands_in_the_padding_changes_nothing(kind, seed, padding):
    """A padded row gives bit for bit what it gives with zeros there, and no gradient is touched, even by NaN."""
    attention, s, hs = drawn(seed, kind)
    mask = padding_mask_of([5, 2, 3], 5)
    results = []
    for filling in (0.0, padding):
        states = Tensor(np.where(mask[..., None], filling, hs.data), requires_grad=True)
        s.zero_grad(), attention.zero_grad()
        context, w = attention(s, states, mask)
        (context * context).sum().backward()
        results.append([context.data, w.data, s.grad, states.grad, *(p.grad for p in attention.parameters())])

    for expected, found in zip(*results, strict=True):
        assert_array_equal(found, expected)


@every_kind
@few
@given(seed=SEEDS)
def test_a_padded_row_is_the_row_without_padding(kind, seed):
    """To mask the end of a row is to cut it off."""
    attention, s, hs = drawn(seed, kind)
    context, w = attention(s, hs, padding_mask_of([2, 2, 2], 5))
    cut, short = attention(s, hs[:, :2])

    assert_allclose(context.data, cut.data, rtol=1e-12)
    assert_allclose(w.data[:, :2], short.data, rtol=1e-12)


@every_kind
@few
@given(seed=SEEDS)
def test_the_order_of_the_states_does_not_matter(kind, seed):
    """States in another order give the same context, and the weights in that order."""
    attention, s, hs = drawn(seed, kind)
    order = np.random.default_rng(seed).permutation(5)
    context, w = attention(s, hs)
    moved, w_moved = attention(s, hs[:, order])

    assert_allclose(moved.data, context.data, rtol=1e-10, atol=1e-12)
    assert_allclose(w_moved.data, w.data[:, order], rtol=1e-12)


@every_kind
@few
@given(seed=SEEDS)
def test_a_row_does_not_know_its_batch(kind, seed):
    """Each row alone, without a batch even, gives what it gives among others."""
    attention, s, hs = drawn(seed, kind)
    context, w = attention(s, hs)
    for b in range(3):
        alone, w_alone = attention(s[b], hs[b])

        assert_allclose(alone.data, context.data[b], rtol=1e-10, atol=1e-12)
        assert_allclose(w_alone.data, w.data[b], rtol=1e-12)


@every_kind
def test_gradients_are_the_complex_step(kind):
    """Of the query, the states and every parameter, with padding, to 1e-10."""
    attention, s, hs = drawn(1, kind, batch=2, source=3, target=2, size=3)
    context, w = attention(s, hs, padding_mask_of([3, 2], 3))
    loss = (context * context).sum() + (w * w * w).sum()
    loss.backward()

    for leaf in (s, hs, *attention.parameters()):
        assert_allclose(leaf.grad, complex_step(loss, leaf), rtol=1e-10, atol=1e-12)


@every_kind
def test_the_memory_is_computed_once(kind):
    """attention(s, memory) is attention(s, hs, mask), and adds nothing that depends on the states alone."""
    attention, s, hs = drawn(0, kind)
    mask = padding_mask_of([5, 2, 3], 5)
    memory = attention.memory(hs, mask)
    expected, found = attention(s, hs, mask), attention(s, memory)
    records = [set(Graph(attention(s, memory)[0]).nodes) for _ in range(2)]
    rows = np.array([2, 0, 2])
    chosen = attention(s[rows], memory.select(rows))

    assert_array_equal(found[0].data, expected[0].data)
    assert all(memory.keys in nodes for nodes in records)
    assert_allclose(chosen[0].data, expected[0].data[rows], rtol=1e-12)
    with pytest.raises(DataError, match="has its padding_mask already"):
        attention(s, memory, mask)


@every_kind
def test_a_learnt_query_pools_every_row(kind):
    """One vector asks in all rows; its gradient is the sum over them."""
    attention, _, hs = drawn(0, kind)
    query = Parameter(np.ones(attention.query_size(4)))
    context, w = attention(query, hs)
    context.sum().backward()
    each = [np.ones(query.shape) for _ in range(3)]

    assert (context.shape, w.shape) == ((3, 4), (3, 5))
    assert_allclose(context.data, attention(np.array(each), hs)[0].data, rtol=1e-12)
    assert query.grad.shape == query.shape
    assert np.abs(query.grad).max() > 0


@every_kind
def test_the_record_has_the_names(kind):
    """score, w and context are in the record, once each, with the t of the step that made them."""
    attention, s, hs = drawn(0, kind)
    memory = attention.memory(hs)
    for _, s_t in steps([s, s * 2]):
        context, _ = attention(s_t, memory)
    record = Graph(context)

    for name in ("score", "w", "context"):
        assert [node.t for node in record.named(name)] == [2]
    assert memory.hs.t is None


def test_kinds_by_name():
    """The table of the command line; a name that is nearly right is told."""
    assert [type(attention_of_kind(kind, 3, 3)).__name__ for kind in KINDS] == [
        "DotAttention", "ScaledDotAttention", "GeneralAttention", "AdditiveAttention",
    ]  # fmt: skip
    with pytest.raises(DataError, match="dot, scaled_dot, general, additive, got 'addtive': did you mean 'additive'"):
        attention_of_kind("addtive", 3, 3)
    with pytest.raises(DataError, match="queries and states of one size, got 3 and 4"):
        attention_of_kind("dot", 3, 4)


def test_float32_stays_float32():
    """A module of float32 takes arrays of float64 and gives float32."""
    for kind in KINDS:
        context, w = attention_of_kind(kind, 3, 3, dtype=np.float32)(
            Tensor(np.ones((2, 3)), dtype=np.float32), Tensor(np.ones((2, 4, 3)), dtype=np.float32)
        )
        assert context.dtype == w.dtype == np.float32
    y, w = MultiheadAttention(4, 2, dtype=np.float32)(*[np.ones((3, 2, 4))] * 3, is_causal=True)
    assert y.dtype == w.dtype == np.float32


# ---- several heads -------------------------------------------------------------------


def heads(seed, **config):
    manual_seed(seed)
    return MultiheadAttention(6, 2, **config), np.random.default_rng(seed).normal(size=(5, 3, 6))


@few
@given(seed=SEEDS, blocked=st.integers(0, 2**30 - 1))
def test_weights_of_heads_sum_to_one_or_to_nothing(seed, blocked):
    """Whatever the mask, each row of each head sums to 1, or to 0 where all is blocked; nothing is NaN."""
    model, x = heads(seed)
    mask = (np.random.default_rng(blocked).random((6, 5, 5)) < 0.6).reshape(6, 5, 5)
    x = Tensor(x, requires_grad=True)
    y, w = model(x, x, x, attn_mask=mask, average_attn_weights=False)
    (y * y).sum().backward()
    whole = mask.reshape(3, 2, 5, 5).all(axis=-1)

    assert_allclose(w.data.sum(axis=-1), ~whole, rtol=1e-12)
    assert np.isfinite(x.grad).all()
    assert all(np.isfinite(p.grad).all() for p in model.parameters())


def test_a_row_that_is_masked_whole_is_the_bias_alone():
    """Where PyTorch gives NaN: weights 0, no gradient to what was asked, and the output is the output's bias."""
    model, x = heads(0)
    model.out_proj.bias.data = np.arange(6.0)
    x = Tensor(x, requires_grad=True)
    padding = np.array([[True] * 5, [False] * 5, [False] * 4 + [True]])
    y, w = model(x, x, x, key_padding_mask=padding)
    y.sum().backward()

    assert (w.data[0] == 0).all()
    assert_array_equal(y.data[:, 0], np.tile(np.arange(6.0), (5, 1)))
    assert (x.grad[:, 0] == 0).all()


@few
@given(seed=SEEDS)
def test_heads_are_equivariant(seed):
    """Unmasked self-attention without positions: rows in another order come out in that order."""
    model, x = heads(seed)
    order = np.random.default_rng(seed).permutation(5)

    assert_allclose(model(x[order], x[order], x[order])[0].data, model(x, x, x)[0].data[order], rtol=1e-9, atol=1e-12)


@few
@given(seed=SEEDS, t=st.integers(1, 4))
def test_the_future_is_hidden(seed, t):
    """With is_causal what comes out before t does not change, whatever comes in from t on; nor does its gradient."""
    model, x = heads(seed)
    other = x.copy()
    other[t:] = np.random.default_rng(seed + 1).normal(size=other[t:].shape)
    x, other = Tensor(x, requires_grad=True), Tensor(other)
    y, _ = model(x, x, x, is_causal=True)
    changed, _ = model(other, other, other, is_causal=True)
    y[:t].sum().backward()

    assert_allclose(changed.data[:t], y.data[:t], rtol=0, atol=1e-13)
    assert (x.grad[t:] == 0).all()
    assert_allclose(y.data, model(x, x, x, attn_mask=causal_mask(5))[0].data, rtol=0, atol=1e-13)


def test_masks_add_up():
    """What one of is_causal, attn_mask and key_padding_mask blocks is blocked; biases of floats are added."""
    model, x = heads(0)
    mask, padding = np.eye(5, k=-1, dtype=bool), np.arange(5) >= np.array([[5], [4], [3]])
    _, w = model(x, x, x, key_padding_mask=padding, attn_mask=mask, is_causal=True)
    floats = [np.where(blocked, -np.inf, 0.0) for blocked in (mask | causal_mask(5), padding)]
    _, same = model(x, x, x, key_padding_mask=floats[1], attn_mask=floats[0])

    assert_array_equal(w.data == 0, np.broadcast_to(mask | causal_mask(5), w.shape) | padding[:, None])
    assert_allclose(same.data, w.data, rtol=1e-12)


def test_padding_of_its_own_that_is_not_finite_is_read_as_zeros():
    """In self-attention too: gradients are those of zeros there; what is finite in the padding is left as it is."""
    model, x = heads(0)
    padding = np.arange(5) >= np.array([[5], [2], [3]])
    results = []
    for number in (0.0, np.nan, np.inf):
        model.zero_grad()
        given = x.copy()
        given[4, 1] = number
        y, _ = model(given, given, given, key_padding_mask=padding)
        (y * y).sum().backward()
        results.append([y.data, *(p.grad for p in model.parameters())])

    for found in results[1:]:
        for expected, array in zip(results[0], found, strict=True):
            assert_array_equal(array, expected)


@pytest.mark.parametrize("filling", [1.0, np.nan, -np.inf])
def test_padding_of_keys_reaches_nothing(filling):
    """What stands in the padding of keys and values, even NaN, changes no result and no gradient."""
    model, x = heads(0)
    padding = np.arange(5) >= np.array([[5], [2], [3]])
    results = []
    for number in (0.0, filling):
        model.zero_grad()
        memory = Tensor(np.where(padding.T[..., None], number, x), requires_grad=True)
        y, w = model(x, memory, memory, key_padding_mask=padding)
        (y * y).sum().backward()
        results.append([y.data, w.data, memory.grad, *(p.grad for p in model.parameters())])

    for expected, found in zip(*results, strict=True):
        assert_array_equal(found, expected)


def test_layouts_are_the_same_numbers():
    """Time first, batch first and no batch; one tensor for keys and values or two."""
    model, x = heads(0)
    other, _ = heads(0, batch_first=True)
    memory = np.random.default_rng(1).normal(size=(4, 3, 6))
    y, w = model(x, memory, memory)

    assert_allclose(other(x.swapaxes(0, 1), *[memory.swapaxes(0, 1)] * 2)[0].data.swapaxes(0, 1), y.data, atol=1e-14)
    assert_allclose(model(x, memory, memory.copy())[0].data, y.data, atol=1e-14)
    for b in range(3):
        alone, w_alone = model(x[:, b], memory[:, b], memory[:, b])
        assert_allclose(alone.data, y.data[:, b], atol=1e-14)
        assert_allclose(w_alone.data, w.data[b], atol=1e-14)


def test_weights_on_request():
    """The mean over the heads, each head, or none."""
    model, x = heads(0)
    _, mean = model(x, x, x)
    _, each = model(x, x, x, average_attn_weights=False)

    assert each.shape == (3, 2, 5, 5)
    assert_allclose(mean.data, each.data.mean(axis=1), rtol=1e-12)
    assert model(x, x, x, need_weights=False)[1] is None


def test_a_bias_of_floats_can_be_learnt():
    """A float mask that requires a gradient gets one: relative positions, for example."""
    model, x = heads(0)
    bias = Parameter(np.zeros((5, 5)))
    y, _ = model(x, x, x, attn_mask=bias)
    (y * y).sum().backward()

    assert np.abs(bias.grad).max() > 0


def test_dropout_is_for_training_alone():
    """In training weights are dropped on the way to the output; those handed out still sum to 1."""
    model, x = heads(0, dropout=0.5)
    manual_seed(1)
    first, w = model(x, x, x)
    second, _ = model(x, x, x)
    model.eval()

    assert np.abs(first.data - second.data).max() > 0.01
    assert_allclose(w.data.sum(axis=-1), 1, rtol=1e-12)
    assert_array_equal(model(x, x, x)[0].data, model(x, x, x)[0].data)


def test_weights_start_as_in_pytorch():
    """Xavier's bounds for the projections, zeros for the biases, and PyTorch's names."""
    manual_seed(0)
    model, other = MultiheadAttention(64, 4), MultiheadAttention(64, 4, kdim=8, vdim=16)
    bound = np.sqrt(6 / (64 + 3 * 64))

    assert list(model.state_dict()) == ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    assert list(other.state_dict())[:4] == ["q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias"]
    assert 0.99 * bound < np.abs(model.in_proj_weight.data).max() < bound
    assert np.abs(other.k_proj_weight.data).max() < np.sqrt(6 / (64 + 8))
    assert not model.in_proj_bias.data.any()
    assert not model.out_proj.bias.data.any()
    assert 0.99 / 8 < np.abs(model.out_proj.weight.data).max() < 1 / 8


# ---- the function --------------------------------------------------------------------


def test_the_function_and_the_module_have_opposite_masks():
    """True takes part in the function, as in PyTorch, and is blocked in the module."""
    x = np.random.default_rng(0).normal(size=(5, 4))
    allowed = np.tri(5, dtype=bool)
    y = F.scaled_dot_product_attention(x, x, x, allowed)

    assert_array_equal(F.scaled_dot_product_attention(x, x, x, is_causal=True).data, y.data)
    assert_array_equal(F.scaled_dot_product_attention(x, x, x, np.where(allowed, 0.0, -np.inf)).data, y.data)
    assert_array_equal(y.data[0], x[0])
    assert (F.scaled_dot_product_attention(x, x, x, np.zeros((5, 5), bool)).data == 0).all()


def test_the_function_takes_batches_scale_and_dropout():
    """Leading axes broadcast; scale stands in place of 1/√E; dropped weights make holes."""
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(3, 6, 4)), rng.normal(size=(3, 6, 2))
    expected = F.softmax(2.0 * q @ k.swapaxes(-1, -2)) @ v
    manual_seed(0)

    assert_allclose(F.scaled_dot_product_attention(q, k, v, scale=2.0).data, expected.data, rtol=1e-10)
    assert (F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).data == 0).all()


# ---- the lecture's -------------------------------------------------------------------


@few
@given(seed=SEEDS, masked=st.booleans(), normalize=st.booleans())
def test_the_lectures_self_attention(seed, masked, normalize):
    """h_t_new = Σ_j softmax_j(<h_t, h_j>) h_j, over all j or those up to t, by loops; and without the softmax."""
    hs = np.random.default_rng(seed).normal(size=(4, 2, 3))
    new, w = self_attention(hs, masked=masked, normalize=normalize)
    for b in range(2):
        for t in range(4):
            last = t + 1 if masked else 4
            weights = np.array([hs[t, b] @ hs[j, b] for j in range(last)])
            weights = np.exp(weights) / np.exp(weights).sum() if normalize else weights

            assert_allclose(new.data[t, b], weights @ hs[:last, b], rtol=1e-10, atol=1e-12)
            assert_allclose(w.data[b, t], np.append(weights, np.zeros(4 - last)), rtol=1e-10, atol=1e-12)


@few
@given(seed=SEEDS)
def test_the_lectures_form_is_equivariant_unless_masked(seed):
    """Without a mask, states in another order come out in that order."""
    hs = np.random.default_rng(seed).normal(size=(5, 2, 3))
    order = np.random.default_rng(seed).permutation(5)

    assert_allclose(self_attention(hs[order])[0].data, self_attention(hs)[0].data[order], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_the_lectures_form_in_the_record(masked):
    """Each h_new knows its t; its gradients are the complex step; padding changes nothing, even NaN."""
    hs = Tensor(np.random.default_rng(0).normal(size=(3, 2, 2)), requires_grad=True)
    mask = padding_mask_of([3, 2], 3)
    new, w = self_attention(hs, mask, masked=masked)
    loss = (new[:2] * new[:2]).sum()
    loss.backward()
    spoilt = np.where(mask.T[..., None], np.nan, hs.data)

    assert [node.t for node in Graph(new).named("h_new")] == [1, 2, 3]
    assert_allclose(hs.grad, complex_step(loss, hs), rtol=1e-10, atol=1e-12)
    assert_array_equal(self_attention(spoilt, mask, masked=masked)[0].data[:2], new.data[:2])
    assert_allclose(w.data[:, :2].sum(axis=-1), 1, rtol=1e-12)


def test_self_attention_without_a_batch():
    """(T, D) is a batch of one."""
    hs = np.random.default_rng(0).normal(size=(4, 1, 3))

    assert_allclose(self_attention(hs[:, 0])[0].data, self_attention(hs)[0].data[:, 0], rtol=1e-12)


# ---- bad input -----------------------------------------------------------------------

ONES = np.ones((2, 3, 4))  # also as (T, batch, E)


def dot(*args):
    return DotAttention()(*args)


def multi(*args, **kwargs):
    return MultiheadAttention(4, 2)(*args, **kwargs)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: dot(np.ones((2, 5)), ONES), ShapeError, r"queries of shape \(2, 5\) .*must have 4 numbers"),
        (lambda: dot(np.ones((3, 4)), ONES), ShapeError, r"queries of shape \(3, 4\) for states of shape \(2, 3, 4\)"),
        (lambda: dot(np.ones((2, 4)), np.ones((2, 0, 4))), SequenceError, "at least one state"),
        (lambda: dot(np.ones((0, 4)), np.ones((0, 3, 4))), SequenceError, "at least one state"),
        (lambda: dot(np.ones(4), np.ones(4)), ShapeError, r"states of shape \(batch, source, D\)"),
        (lambda: dot(np.ones((2, 4)), ONES, np.zeros((3, 2), bool)), ShapeError, r"shape \(2, 3\), got \(3, 2\)"),
        (lambda: dot(np.ones((2, 4)), ONES, np.zeros((2, 3))), DtypeError, "True where there is padding, got float64"),
        (lambda: AdditiveAttention(4, 5, 3)(np.ones((2, 4)), ONES), ShapeError, "key_size=5 cannot take states"),
        (lambda: AdditiveAttention(4, 0, 3), DataError, "key_size must be a positive integer"),
        (lambda: MultiheadAttention(6, 4), DataError, "multiple of num_heads, got 6 and 4"),
        (lambda: MultiheadAttention(6, 0), DataError, "num_heads must be a positive integer"),
        (lambda: MultiheadAttention(6, 2, dropout=2), DataError, "dropout must be between 0 and 1, got 2"),
        (lambda: multi(np.ones((2, 3, 5)), ONES, ONES), ShapeError, r"a query of shape \(T, batch, 4\)"),
        (lambda: multi(np.ones((2, 0, 4)), *[np.ones((2, 0, 4))] * 2), SequenceError, "at least one step and one row"),
        (lambda: multi(ONES, np.ones((2, 2, 4)), ONES), ShapeError, "all must have the same batch"),
        (lambda: multi(ONES, np.ones((3, 3, 4)), ONES), ShapeError, "key and value the same T"),
        (lambda: multi(ONES, ONES, ONES, attn_mask=np.zeros((3, 2), bool)), ShapeError, r"here \(2, 2\).*got \(3, 2\)"),
        (lambda: multi(ONES, ONES, ONES, attn_mask=np.zeros((2, 2), int)), DtypeError, "True is blocked.*got int"),
        (lambda: multi(ONES, ONES, ONES, np.zeros((2, 3), bool)), ShapeError, r"here \(3, 2\), got \(2, 3\)"),
        (lambda: F.scaled_dot_product_attention(ONES, ONES, np.ones((2, 2, 4))), ShapeError, "cannot take query"),
        (lambda: F.scaled_dot_product_attention(ONES, ONES, ONES, np.ones((3, 3), int)), DtypeError, "booleans or flo"),
        (lambda: F.scaled_dot_product_attention(ONES, ONES, ONES, np.ones((2, 2), bool)), ShapeError, "broadcasts to"),
        (lambda: F.scaled_dot_product_attention(ONES, ONES, ONES, np.eye(3), is_causal=True), DataError, "not both"),
        (lambda: self_attention(np.ones((0, 2, 3))), SequenceError, "at least one state"),
        (lambda: self_attention(ONES, np.zeros((2, 3), bool)), ShapeError, r"shape \(3, 2\), got \(2, 3\)"),
        (lambda: padding_mask_of([3, 0], 3), SequenceError, "sequence number 1 has length 0"),
        (lambda: padding_mask_of([4], 3), ShapeError, "length 4, the data has 3 steps"),
        (lambda: padding_mask_of([1.5], 3), DtypeError, "integers"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """Each with an error of its own kind that says what was expected, and what was given."""
    with pytest.raises(error, match=says):
        call()
