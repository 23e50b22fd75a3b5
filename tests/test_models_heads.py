"""The three shapes of an RNN: what they compute, what is in their record, and that each learns a task."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_seq import Graph, Tensor, gradflow, manual_seed, nn, optim
from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError
from tinygrad_seq.models import GRU, LSTM, RNN, ManyToMany, ManyToOne, OneToMany, Vocabulary, generate, train

SEEDS = st.integers(0, 2**16)
few = settings(max_examples=20)


def logits_by_hand(model, xs, h):
    """Every h_t W_y + b_y, without the engine."""
    W_x, W_h = model.rnn.weight_ih_l0.data.T, model.rnn.weight_hh_l0.data.T
    b = model.rnn.bias_ih_l0.data + model.rnn.bias_hh_l0.data
    ys = []
    for x in xs:
        h = np.tanh(x @ W_x + h @ W_h + b)
        ys.append(h @ model.W_y.data + model.b_y.data)
    return np.array(ys)


def nats(logits, target):
    """-log softmax(logits)[target], by hand."""
    return np.log(np.exp(logits).sum()) - logits[target]


# ---- many-to-many --------------------------------------------------------------------


@few
@given(seed=SEEDS, T=st.integers(1, 5))
def test_a_prediction_and_a_loss_at_each_step(seed, T):
    """ŷ_t = h_t W_y + b_y; L_1 … L_T are kept apart, and their sum is the loss."""
    rng = np.random.default_rng(seed)
    manual_seed(seed)
    model, tokens, targets = ManyToMany(RNN(4, 3), 5), rng.integers(0, 4, T), rng.integers(0, 5, T)
    expected = logits_by_hand(model, np.eye(4)[tokens], np.zeros(3))
    losses = model.losses(tokens, targets)

    np.testing.assert_allclose(model(tokens).data, expected, atol=1e-12)
    assert [L.item() for L in losses] == pytest.approx([nats(y, target) for y, target in zip(expected, targets)])
    assert model.loss(tokens, targets).item() == pytest.approx(sum(L.item() for L in losses))
    assert [(L.name, L.t) for L in losses] == [("L", t) for t in range(1, T + 1)]


def test_the_record_has_each_steps_parts_at_the_step():
    """x_t, h_t, ŷ_t and L_t carry their time; the sum of the losses stands outside of time."""
    manual_seed(0)
    loss = ManyToMany(RNN(4, 3), 4).loss([0, 1, 2], [1, 2, 3])

    for name in ("x", "ŷ", "L"):
        assert [node.t for node in Graph(loss).named(name)] == [1, 2, 3]
    assert (loss.name, loss.t) == ("loss", None)


def test_a_batch_is_the_mean_over_its_sequences():
    """The loss of a batch is the mean of the losses of its sequences, each alone."""
    manual_seed(0)
    model, rng = ManyToMany(RNN(4, 3), 4), np.random.default_rng(0)
    tokens, targets = rng.integers(0, 4, (5, 3)), rng.integers(0, 4, (5, 3))
    alone = [model.loss(tokens[:, i], targets[:, i]).item() for i in range(3)]

    assert model.loss(tokens, targets).item() == pytest.approx(np.mean(alone))


def test_padding_counts_as_no_loss():
    """A filled-up batch has the mean loss of its texts, each alone and as long as it is."""
    manual_seed(0)
    letters = Vocabulary.characters("HELLO", padding="_")
    model, texts = ManyToMany(RNN(5, 3), 5, ignore_index=letters["_"]), ["HELLO", "HELL", "LO"]
    table = letters.encode_all(texts)
    alone = [model.loss(letters.encode(text)[:-1], letters.encode(text)[1:]).item() for text in texts]

    assert model.loss(table[:-1], table[1:]).item() == pytest.approx(np.mean(alone))


def test_it_goes_on_from_a_state():
    """unroll hands out the state, with which a second unroll goes on as if there had been no break."""
    manual_seed(0)
    model = ManyToMany(RNN(4, 3), 4)
    *_, (_, _, state) = model.unroll([0, 1])
    (_, later, _), = model.unroll([2], state)

    np.testing.assert_allclose(later.data, model([0, 1, 2]).data[-1])


@few
@given(seed=SEEDS)
def test_an_embedding_of_the_identity_is_one_hot(seed):
    """One-hot input and embedded input are the same equation."""
    manual_seed(seed)
    embedding = nn.Embedding(4, 4)
    embedding.weight.data = np.eye(4)
    plain, embedded = ManyToMany(RNN(4, 3), 4), ManyToMany(RNN(4, 3), 4, embedding=embedding)
    embedded.load_state_dict(plain.state_dict() | {"embedding.weight": np.eye(4)})
    tokens = np.random.default_rng(seed).integers(0, 4, (6, 2))

    np.testing.assert_allclose(embedded(tokens).data, plain(tokens).data, atol=1e-14)


def test_the_embedding_of_each_step_is_made_at_the_step():
    """So the gradient of the table, too, has a part for each step."""
    manual_seed(0)
    model = ManyToMany(RNN(3, 4), 5, embedding=nn.Embedding(5, 3))
    parts = gradflow.parts(model.loss([0, 1, 1], [1, 1, 2]), model.embedding.weight)

    assert parts.t.tolist() == [1, 2, 3]
    assert [np.flatnonzero(part.any(axis=1)).tolist() for part in parts.by_step] == [[0], [1], [1]]


# ---- many-to-one and one-to-many -----------------------------------------------------


@few
@given(seed=SEEDS)
def test_one_prediction_from_the_last_state(seed):
    """Many-to-one gives h_T W_y + b_y, and its cross-entropy."""
    manual_seed(seed)
    model, tokens = ManyToOne(RNN(4, 3), 2), [3, 1, 0]
    last = logits_by_hand(model, np.eye(4)[tokens], np.zeros(3))[-1]

    np.testing.assert_allclose(model(tokens).data, last, atol=1e-12)
    assert model.loss(tokens, 1).item() == pytest.approx(nats(last, 1))


@few
@given(seed=SEEDS)
def test_a_vector_starts_a_sequence(seed):
    """One-to-many starts from h_0 = tanh(v W_v + b_v) and reads, at each step, the target before it."""
    manual_seed(seed)
    model, v, targets = OneToMany(RNN(4, 3), 4, vector_size=2, start=0), np.array([1.0, -1.0]), [3, 1, 2]
    h_0 = np.tanh(v @ model.W_v.data + model.b_v.data)
    expected = logits_by_hand(model, np.eye(4)[[0, 3, 1]], h_0)
    losses = model.losses(v, targets)

    np.testing.assert_allclose(model(v, targets).data, expected, atol=1e-12)
    assert [L.item() for L in losses] == pytest.approx([nats(y, target) for y, target in zip(expected, targets)])
    assert [L.t for L in losses] == [1, 2, 3]


def test_the_gradient_reaches_the_vector():
    """∂L_T/∂W_v goes back through all steps."""
    manual_seed(0)
    model = OneToMany(RNN(4, 3), 4, vector_size=2, start=0)
    model.losses([1.0, 2.0], [3, 1, 2])[-1].backward()

    assert np.abs(model.W_v.grad).min() > 0


@pytest.mark.parametrize("ignored", [-100, 3])
def test_what_is_ignored_is_not_read_either(ignored):
    """Targets filled up with -100, PyTorch's sign, or with a token: the loss of what is there."""
    manual_seed(0)
    model = OneToMany(RNN(4, 3), 4, vector_size=2, start=0, ignore_index=ignored)

    assert model.loss([1.0, 2.0], [2, 1, ignored, ignored]).item() == model.loss([1.0, 2.0], [2, 1]).item()


def test_tokens_may_be_lists_arrays_or_tensors():
    """Integers are tokens in whatever they come."""
    manual_seed(0)
    model = ManyToMany(RNN(4, 3), 4)

    for tokens in (np.array([0, 1]), np.array([0, 1], np.uint8), Tensor([0, 1])):
        np.testing.assert_array_equal(model(tokens).data, model([0, 1]).data)


# ---- ragged batches, and looking back ------------------------------------------------

LAYERS = {
    "RNN": lambda: RNN(2, 4),
    "LSTM": lambda: LSTM(2, 4, num_layers=2),
    "GRU, both ways": lambda: GRU(2, 4, bidirectional=True),
}


def a_ragged_batch(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, 3)
    xs = rng.normal(size=(5, 3, 2))
    xs[np.arange(5)[:, None] >= lengths] = np.nan
    return xs, lengths, rng


@few
@given(seed=SEEDS, layer=st.sampled_from(sorted(LAYERS)), attention=st.sampled_from([None, "dot", "additive"]))
def test_padding_changes_no_prediction_and_no_gradient(seed, layer, attention):
    """Many-to-one of a ragged batch: the logits of each sequence alone, and as a loss the mean of theirs."""
    manual_seed(seed)
    model = ManyToOne(LAYERS[layer](), 3, attention=attention)
    xs, lengths, rng = a_ragged_batch(seed)
    labels = rng.integers(0, 3, 3)
    model.loss(xs, labels, lengths).backward()
    together = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(model(xs, lengths).data[i], model(xs[:n, i]).data, atol=1e-12)
        (model.loss(xs[:n, i], labels[i]) / 3).backward()

    for name, p in model.named_parameters():
        np.testing.assert_allclose(together[name], p.grad, atol=1e-12, err_msg=name)


@few
@given(seed=SEEDS, layer=st.sampled_from(sorted(LAYERS)))
def test_tags_of_a_ragged_batch_are_those_of_each_sequence_alone(seed, layer):
    """Many-to-many with lengths; with reduction="mean" every tag weighs the same, however long its sequence is."""
    manual_seed(seed)
    model = ManyToMany(LAYERS[layer](), 3, ignore_index=-100, reduction="mean")
    xs, lengths, rng = a_ragged_batch(seed)
    tags = np.where(np.arange(5)[:, None] < lengths, rng.integers(0, 3, (5, 3)), -100)
    y = model(xs, lengths).data
    nats = 0.0
    for i, n in enumerate(lengths):
        alone = model(xs[:n, i]).data
        np.testing.assert_allclose(y[:n, i], alone, atol=1e-12)
        logp = alone - np.log(np.exp(alone).sum(axis=-1, keepdims=True))
        nats -= logp[np.arange(n), tags[:n, i]].sum()

    assert model.loss(xs, tags, lengths).item() == pytest.approx(nats / lengths.sum())
    np.testing.assert_array_equal(model.predict(xs, lengths), y.argmax(axis=-1))


@few
@given(seed=SEEDS)
def test_the_last_state_looks_back(seed):
    """ŷ = [h_T, Σ_t w_t h_t] W_y + b_y, with weights that sum to 1 over the steps there are and are 0 after them."""
    manual_seed(seed)
    model = ManyToOne(RNN(2, 4), 3, attention="dot")
    xs, lengths, _ = a_ragged_batch(seed)
    w = model.weights(xs, lengths).data
    for i, n in enumerate(lengths):
        hs = model.rnn(xs[:n, i])[0].data
        scores = np.exp(hs @ hs[-1])
        np.testing.assert_allclose(w[i, :n], scores / scores.sum(), atol=1e-12)
        assert not w[i, n:].any()
        features = np.concatenate([hs[-1], w[i, :n] @ hs])
        np.testing.assert_allclose(model(xs, lengths).data[i], features @ model.W_y.data + model.b_y.data, atol=1e-12)


def test_a_regression_predicts_numbers():
    """Its loss is the mean squared error."""
    model, xs = ManyToOne(GRU(2, 4), 1, regression=True), np.ones((5, 3, 2))
    y = model.predict(xs)

    assert y.shape == (3,)
    assert model.loss(xs, [1.0, 2.0, 3.0]).item() == pytest.approx(((y - [1, 2, 3]) ** 2).mean())
    with pytest.raises(DataError, match="a regression has one output, got num_classes=2"):
        ManyToOne(GRU(2, 4), 2, regression=True)
    with pytest.raises(DataError, match="has no attention"):
        model.weights(xs)


@pytest.mark.parametrize("rnn", [LSTM(4, 8, num_layers=2), GRU(4, 8)])
def test_a_text_is_written_as_generate_writes_it(rnn):
    """`predict` of many vectors at once: what the most likely tokens are, and after the end nothing but the end."""
    model = OneToMany(rnn, 4, 3, start=0)
    v = np.random.default_rng(0).normal(size=(6, 3))
    written = model.predict(v, 7, end=2)

    assert written.shape == (7, 6)
    for i in range(6):
        alone = list(generate(model, v[i], 7, temperature=0, end=2))
        assert written[:, i].tolist() == (alone + [2] * 7)[:7]


# ---- each learns ---------------------------------------------------------------------


def test_many_to_many_learns_hello():
    """From H, E, L, L it learns to predict E, L, L, O: the same L is followed by L and then by O."""
    letters = Vocabulary.characters("HELLO")
    tokens, targets = letters.encode("HELL"), letters.encode("ELLO")
    for seed in range(5):
        manual_seed(seed)
        model = ManyToMany(RNN(4, 16), 4)
        train(model, lambda rng: (tokens, targets), optim.Adam(model.parameters(), lr=0.01), updates=60, clip=1.0)

        assert letters.decode(model(tokens).argmax(-1)) == "ELLO"
        assert model.loss(tokens, targets).item() / 4 < 0.05


def test_many_to_many_learns_to_tag():
    """Aligned tagging: was this letter there before, one step ago?"""

    def draw(rng):
        tokens = rng.integers(0, 3, (8, 32))
        return tokens, np.concatenate([np.zeros((1, 32), int), (tokens[1:] == tokens[:-1]).astype(int)])

    manual_seed(0)
    model = ManyToMany(RNN(3, 16), 2)
    train(model, draw, optim.Adam(model.parameters(), lr=0.01), updates=150, clip=5.0)
    tokens, tags = draw(np.random.default_rng(99))

    assert (model(tokens).data.argmax(-1) == tags).mean() == 1.0


def test_many_to_one_learns_a_language():
    """English or German? From the letters of a number word, with embedded letters."""
    english = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    german = ["eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"]
    letters = Vocabulary.characters("".join(english + german))
    words = [(letters.encode(word), label) for label, words in enumerate((english, german)) for word in words]
    manual_seed(0)
    model = ManyToOne(RNN(8, 16), 2, embedding=nn.Embedding(len(letters), 8))

    def draw(rng):
        return words[rng.integers(len(words))]

    train(model, draw, optim.Adam(model.parameters(), lr=0.01), updates=500, clip=1.0)

    assert [int(model(tokens).argmax()) for tokens, _ in words] == [label for _, label in words]


ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.mark.parametrize("names", [ENGLISH, list("영일이삼사오육칠팔구")], ids=["English", "Korean"])
def test_one_to_many_learns_to_spell_digits(names):
    """From the one-hot vector of a digit to its name, letter by letter (jamo by jamo), to the end sign."""
    letters = Vocabulary.characters("".join(names) + ".", padding="<pad>", normalize="NFD")
    targets = letters.encode_all([name + "." for name in names])
    manual_seed(0)
    end, padding, size = letters["."], letters["<pad>"], len(letters)
    model = OneToMany(RNN(size, 32), size, vector_size=10, start=end, ignore_index=padding)
    train(model, lambda rng: (np.eye(10), targets), optim.Adam(model.parameters(), lr=0.02), updates=150, clip=5.0)
    spelled = [letters.decode(generate(model, v, 8, end=end, temperature=0)) for v in np.eye(10)]

    assert spelled == [letters.decode(letters.encode(name)) for name in names]


# ---- bad input -----------------------------------------------------------------------


def a_model():
    manual_seed(0)
    return ManyToMany(RNN(4, 3), 4)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: a_model()([]), SequenceError, "at least one step"),
        (lambda: a_model()(np.zeros((0, 2), int)), SequenceError, "at least one step"),
        (lambda: a_model()(3), SequenceError, "at least one step"),
        (lambda: a_model()([0, 4]), IndexError, r"token 4 \(at t=2\) is not one of the 4 .*0 to 3"),
        (lambda: a_model()([0, 1, -1]), IndexError, r"token -1 \(at t=3\)"),
        (lambda: a_model()(["H", "E"]), DtypeError, "integers"),
        (lambda: a_model()([[0, 1], [2]]), DataError, "rows of equal length"),
        (lambda: a_model()([True, False]), DtypeError, "got bool"),
        (lambda: a_model().loss([0, 1], [1, 4]), IndexError, r"label 4 .*of the 4 classes, 0 to 3.*at t=2"),
        (lambda: a_model().loss([0, 1], [1, -1]), IndexError, r"label -1 .*of the 4 classes, 0 to 3.*at t=2"),
        (lambda: a_model().loss([0, 1], [1.0, 2.0]), DtypeError, "integers as targets"),
        (lambda: a_model().loss([0, 1], [1]), ShapeError, "2 steps and 1 targets"),
        (lambda: a_model().loss([0, 1], []), SequenceError, "at least one target"),
        (lambda: a_model().loss([[0, 1]], [[1], [0]]), ShapeError, "1 steps and 2 targets"),
        (lambda: a_model().loss([[0, 1]], [1]), ShapeError, "labels of shape"),
        (lambda: ManyToOne(RNN(4, 3), 2).loss([0, 1], 2), IndexError, "label 2"),
        (lambda: ManyToOne(RNN(4, 3), 2).loss([0, 1], [0.5]), DtypeError, "integers as labels"),
        (lambda: ManyToOne(RNN(4, 3), 0), DataError, "num_classes must be a positive integer"),
        (lambda: ManyToMany(RNN(4, 3), 2, nn.Embedding(9, 5)), ShapeError, "vectors of 5 .* takes 4"),
        (lambda: OneToMany(RNN(4, 3), 4, 2, start=4), DataError, "start must be one of the tokens, 0 to 3, got 4"),
        (lambda: OneToMany(RNN(4, 3), 4, 0, start=0), DataError, "vector_size must be a positive integer"),
        (lambda: OneToMany(RNN(4, 3), 4, 2, start=0).loss([1.0, 2.0, 3.0], [0]), ShapeError, "vectors of 2 numbers"),
        (lambda: OneToMany(RNN(4, 3), 4, 2, start=0).loss(np.eye(2), [0]), ShapeError, "a sequence for each vector"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """Each with an error of its own kind that says what was expected, what was given, and where."""
    with pytest.raises(error, match=says):
        call()
