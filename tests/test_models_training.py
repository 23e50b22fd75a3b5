"""The training loop: the same bits for the same seed, and nothing changed by an update that cannot be made."""

import io

import numpy as np
import pytest
from rich.console import Console

from tinygrad_seq import Parameter, Tensor, manual_seed, optim
from tinygrad_seq.errors import DataError, NonFiniteError
from tinygrad_seq.models import RNN, ManyToMany, train


def draw(rng):
    tokens = rng.integers(0, 4, (5, 3))
    return tokens[:-1], tokens[1:]


def trained(seed=0, **options):
    manual_seed(7)
    model = ManyToMany(RNN(4, 8), 4)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return model, train(model, draw, optimizer, **{"updates": 20, "seed": seed} | options)


class Slope:
    """A loss with a gradient of the length that the batch says."""

    def __init__(self):
        self.w = Parameter([0.0])

    def parameters(self):
        return [self.w]

    def loss(self, length):
        return (self.w * length).sum()


def test_the_same_seed_gives_the_same_bits():
    """Parameters and history are equal to the last bit; another seed draws other batches."""
    (first, history), (second, again), (other, _) = trained(), trained(), trained(seed=1)

    assert history == again
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name])
    assert not np.array_equal(first.W_y.data, other.W_y.data)


def test_the_history_has_an_entry_for_each_update():
    """The loss before the update, and the norm of the gradient before it was clipped."""
    manual_seed(7)
    model = ManyToMany(RNN(4, 8), 4)
    first = model.loss(*draw(np.random.default_rng(0))).item()
    _, history = trained()

    assert history.updates == len(history.loss) == len(history.gradient_norm) == 20
    assert history.loss[0] == first
    assert min(history.gradient_norm) > 0


def test_clipping_bounds_the_update():
    """The gradient that the optimiser gets is never longer than `clip`."""
    model = Slope()
    history = train(model, lambda rng: (100.0,), optim.SGD([model.w], lr=1.0), updates=3, clip=0.5)

    assert history.gradient_norm == [100.0] * 3
    assert model.w.item() == pytest.approx(-1.5, rel=1e-6)


def test_it_stops_when_asked():
    """`until` is asked after each update."""
    answers = iter([False, False, True])

    assert trained(until=lambda: next(answers))[1].updates == 3


def test_a_gradient_that_is_not_finite_changes_nothing():
    """The error names the parameter; the updates before it stay."""
    model, lengths = Slope(), iter([1.0, float("nan")])

    with pytest.raises(NonFiniteError, match=r"nan|NaN"):
        train(model, lambda rng: (next(lengths),), optim.SGD([model.w], lr=1.0), updates=5)
    assert model.w.item() == -1.0


@pytest.mark.parametrize("updates", [0, -1, 2.5, None])
def test_the_number_of_updates_is_positive(updates):
    """No update is no training."""
    with pytest.raises(DataError, match="updates must be a positive integer"):
        trained(updates=updates)


def test_off_a_terminal_it_is_quiet():
    """A bar that nobody can see is not written into a file."""
    file = io.StringIO()
    trained(console=Console(file=file))

    assert file.getvalue() == ""


def test_on_a_terminal_a_bar_shows_loss_and_gradient():
    """With the number of updates done, and of all."""
    file = io.StringIO()
    trained(console=Console(file=file, force_terminal=True, width=100), title="some letters")

    assert "some letters" in file.getvalue()
    assert "20/20" in file.getvalue()
    assert "loss" in file.getvalue()
    assert "gradient" in file.getvalue()


def test_any_model_with_a_loss_can_be_trained():
    """The loop knows nothing of sequences."""
    w = Tensor([3.0], requires_grad=True)

    class Square:
        def parameters(self):
            return [w]

        def loss(self):
            return (w * w).sum()

    train(Square(), lambda rng: (), optim.SGD([w], lr=0.1), updates=50)

    assert abs(w.item()) < 1e-3
