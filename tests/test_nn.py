"""tinygrad_seq.nn: modules, layers, initialisers."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq import Parameter, Tensor, manual_seed, nn
from tinygrad_seq import functional as F
from tinygrad_seq.errors import DataError, ShapeError


class Net(nn.Module):
    """Two layers, one of them twice in a list."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Dropout(0.5)])
        self.tied = self.first.weight

    def forward(self, x):
        x = self.first(x)
        for layer in self.layers:
            x = layer(x)
        return x


def test_parameters_are_found_by_their_paths_and_shared_ones_once():
    """named_parameters walks modules and lists of modules; a parameter held twice appears once."""
    net = Net()

    paths = [path for path, _ in net.named_parameters()]

    assert sorted(paths) == ["first.bias", "layers.0.bias", "layers.0.weight", "tied"]
    assert len(set(net.parameters())) == len(list(net.parameters())) == 4


def test_scopes_follow_the_attributes():
    """What a module computes lies in the scope named like the attribute that holds it."""
    net = Net().eval()

    y = net(Tensor(np.ones((2, 3))))

    assert y.scope == "layers/0"
    assert net.first(Tensor(np.ones((2, 3)))).scope == "first"
    assert net.first.weight.name == "weight"


def test_the_state_goes_round():
    """load_state_dict(state_dict()) of another model of the kind makes both compute the same."""
    manual_seed(0)
    a, b = Net().eval(), Net().eval()
    x = Tensor(np.ones((2, 3)))
    assert not np.array_equal(a(x).data, b(x).data)

    b.load_state_dict(a.state_dict())

    assert np.array_equal(a(x).data, b(x).data)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("bias"), DataError, "missing: bias"),
        (lambda s: s.update(more=np.ones(1)), DataError, "not expected: more"),
        (lambda s: s.update(bias=np.ones(3)), ShapeError, r"bias has shape \(2,\), the state has \(3,\)"),
        (lambda s: s.update(bias=np.array(["a", "b"])), DataError, "made of numbers"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, error, message):
    """Whatever is wrong with a state is named, and no parameter has changed."""
    layer = nn.Linear(3, 2)
    before = layer.state_dict()
    state = {name: array + 1 for name, array in before.items()}
    change(state)

    with pytest.raises(error, match=message):
        layer.load_state_dict(state)
    assert all(np.array_equal(before[name], array) for name, array in layer.state_dict().items())


def test_what_fits_loads_where_strict_is_off():
    """strict=False takes what has the right name and leaves the rest."""
    layer = nn.Linear(3, 2)

    layer.load_state_dict({"bias": [1.0, 2.0], "other": [0.0]}, strict=False)

    assert layer.bias.data.tolist() == [1, 2]


def test_dropout_drops_in_training_only():
    """In training about p of the elements are 0 and the mean stays; in use nothing happens."""
    manual_seed(0)
    drop, x = nn.Dropout(0.25), Tensor(np.ones(10_000))

    dropped = drop.train()(x).data

    assert 0.23 < (dropped == 0).mean() < 0.27
    assert abs(dropped.mean() - 1) < 0.02
    assert np.array_equal(drop.eval()(x).data, x.data)


def test_the_padding_row_stays():
    """padding_idx: a row of zeros that gets no gradient."""
    table = nn.Embedding(4, 3, padding_idx=1)

    table([[0, 1], [1, 3]]).sum().backward()

    assert not table.weight.data[1].any()
    assert table.weight.grad.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1]]


def test_layers_keep_the_dtype_asked_for():
    """float32 layers give float32 results and gradients; to() changes the whole module."""
    layer = nn.Linear(3, 2, dtype=np.float32)
    y = layer(Tensor(np.ones((1, 3), np.float32)))
    y.sum().backward()

    assert (y.dtype, layer.weight.grad.dtype) == (np.float32, np.float32)
    assert all(p.dtype == np.float64 for p in layer.to(np.float64).parameters())


@given(st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 3))
def test_orthogonal_weights_are_orthogonal(rows, columns, gain):
    """The shorter side's vectors have length gain and stand at right angles."""
    w = nn.init.orthogonal_(Parameter(np.zeros((rows, columns))), gain).data
    small = w @ w.T if rows <= columns else w.T @ w

    assert np.allclose(small, gain**2 * np.eye(min(rows, columns)))


@pytest.mark.parametrize(
    ("initialise", "deviation"),
    [
        (nn.init.xavier_uniform_, np.sqrt(2 / (100 + 200))),
        (nn.init.xavier_normal_, np.sqrt(2 / (100 + 200))),
        (nn.init.kaiming_uniform_, np.sqrt(2 / 200)),
        (nn.init.kaiming_normal_, np.sqrt(2 / 200)),
        (nn.init.normal_, 1.0),
        (nn.init.uniform_, np.sqrt(1 / 12)),
    ],
)
def test_initialisers_have_the_deviation_of_their_formula(initialise, deviation):
    """20,000 numbers have the standard deviation that the paper says, within 5 %."""
    manual_seed(0)

    assert abs(initialise(Parameter(np.zeros((100, 200)))).data.std() / deviation - 1) < 0.05


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(0, 3),
        lambda: nn.Linear(3, -1),
        lambda: nn.Embedding(3, 0),
        lambda: nn.Embedding(3, 2.5),
        lambda: nn.LayerNorm(0),
        lambda: nn.Dropout(1.5),
        lambda: nn.Dropout(float("nan")),
        lambda: nn.Embedding(3, 2, padding_idx=3),
    ],
)
def test_impossible_layers_are_refused(make):
    """A size that is not a positive integer, or a probability outside [0, 1], is named when the layer is made."""
    with pytest.raises(DataError, match=r"(positive integer|between 0 and 1|row of 3), got"):
        make()


def test_a_wrong_input_is_located():
    """A shape that does not fit names the layer's scope and the line."""
    with pytest.raises(ShapeError, match=r"in first, test_nn\.py:\d+\): the 5 and the 3 must be equal"):
        Net()(Tensor(np.ones((2, 5))))


def test_the_repr_counts_parameters():
    """print(model) shows each layer with its size and its number of parameters."""
    text = repr(Net())

    assert "first: Linear(3, 4)" in text
    assert text.splitlines()[0].endswith("36 parameters")


def test_layer_norm_normalises():
    """Each row comes out with mean 0 and variance 1, before weight and bias."""
    x = np.random.default_rng(0).normal(3, 5, (4, 10))

    y = F.layer_norm(Tensor(x), 10).data

    assert np.allclose(y.mean(axis=1), 0)
    assert np.allclose(y.var(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])  # noqa: S301
def test_a_module_is_copied_with_its_parameters(again):
    """A deep copy and a pickle compute the same, and training one leaves the other as it was."""
    net = Net().eval()
    x = Tensor(np.ones((1, 3)))

    other = again(net)
    assert np.array_equal(other(x).data, net(x).data)
    other.first.bias.data = other.first.bias.data + 1

    assert not np.array_equal(other(x).data, net(x).data)
    kept = [(path, p.name, p.requires_grad) for path, p in net.named_parameters()]
    assert [(path, p.name, p.requires_grad) for path, p in other.named_parameters()] == kept
