"""All that the package has is in the catalogue, and all of it is right."""

import pytest

from tinygrad_seq import manual_seed, models, nn
from tinygrad_seq.ops import table
from tinygrad_seq.rng import generator
from tinygrad_seq.testing import catalogue
from tinygrad_seq.testing.catalogue import CELLS, LAYERS, entries
from tinygrad_seq.testing.samples import FUNCTIONS

ENTRIES = {f"{entry.kind}: {entry.name}": entry for entry in entries()}
LINES = {**LAYERS, **CELLS, **dict(catalogue.models())}
BASES = {nn.Module, nn.ModuleList, models.Attention}  # what others are made of


def of_kind(*kinds):
    return [name for name, entry in ENTRIES.items() if entry.kind in kinds]


def test_nothing_is_missing():
    """Every op, and every layer, cell and model that the package shows, under the name of its class."""
    shown = {x for package in (nn, models) for name in package.__all__ if isinstance(x := getattr(package, name), type)}
    modules = {x for x in shown if issubclass(x, nn.Module)} - BASES

    assert {ENTRIES[name].name for name in of_kind("op")} == set(vars(table))
    assert {ENTRIES[name].name for name in of_kind("function")} == set(FUNCTIONS)
    assert {ENTRIES[name].name for name in of_kind("layer", "cell", "model")} == set(LINES)
    assert {type(make()) for make, _, _ in LINES.values()} == modules


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_named_after_its_class(name):
    """So that it is found by it."""
    make, _, _ = LINES[name]

    assert type(make()).__name__ == name.split(",")[0].split()[0]


def test_the_order_is_from_small_to_large():
    """Ops first: where one is wrong, all that is made of it is."""
    kinds = [entry.kind for entry in ENTRIES.values()]

    assert list(dict.fromkeys(kinds)) == ["op", "function", "layer", "cell", "model"]
    assert kinds == sorted(kinds, key=list(dict.fromkeys(kinds)).index)
    assert len(ENTRIES) == len(entries())


DEEP = {name for name in ENTRIES if "2 layers" in name or "directions" in name}  # slow ones
QUICK = {f"{entry.kind}: {entry.name}": entry for entry in entries(order=1)}


@pytest.mark.parametrize("name", [name for name in of_kind("layer", "cell") if name not in DEEP])
def test_every_layer_and_cell_is_right(name):
    """Its gradients, and what else it must keep to."""
    report = QUICK[name].check()

    assert report.raised()
    assert report.checks > 50


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_everything_is_right_twice(name):
    """The gradient of the gradient too, of every op, function, layer, cell and model."""
    assert ENTRIES[name].check().raised()


@pytest.mark.parametrize(
    "name",
    ["op: tanh", "function: tanh gelu", "cell: RNNCell"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("cell: LSTMCell", "model: Seq2Seq, RNN")],
)
def test_a_wrong_rule_is_found_in_all_that_is_made_of_it(name, monkeypatch):
    """Were the derivative of tanh wrong by a percent, every entry with a tanh in it would say so, and name tanh."""
    right = table.tanh.vjp
    monkeypatch.setattr(table.tanh, "vjp", lambda g, out, x: (1.01 * right(g, out, x)[0],))
    report = QUICK[name].check()

    assert report.faults[0].message.startswith("derivative of tanh is wrong for input 0")
    assert report.faults[0].op is table.tanh


def test_the_random_numbers_of_the_library_go_on():
    """A check draws from a seed of its own."""
    drawn = manual_seed(5).normal()
    manual_seed(5)
    for name in ("op: dropout", "layer: Dropout", "cell: RNN"):
        assert QUICK[name].check()

    assert generator().normal() == drawn
