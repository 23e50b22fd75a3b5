"""The history of a training: as a table, as CSV, and back from a checkpoint."""

import csv
import io
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tinygrad_seq import checkpoint
from tinygrad_seq.errors import DataError
from tinygrad_seq.models.training import History

METRICS = st.dictionaries(st.sampled_from(["loss", "accuracy", "exact_match"]), st.floats(), min_size=1)


@st.composite
def histories(draw):
    """Any numbers, with validations after some of the updates."""
    n = draw(st.integers(0, 6))
    series = [draw(st.lists(st.floats(), min_size=n, max_size=n)) for _ in range(4)]
    after = draw(st.lists(st.integers(1, n), unique=True).map(sorted)) if n else []
    return History(*series, validation=[{"update": update, **draw(METRICS)} for update in after])


def printed(table, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(history=histories())
def test_it_comes_back_from_a_checkpoint(tmp_path, history):
    """Every number to the bit, NaN and infinities too."""
    checkpoint.save(history.state_dict(), tmp_path / "a")
    again = History()
    again.load_state_dict(checkpoint.load(tmp_path / "a"))

    assert repr(again) == repr(history)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(history=histories())
def test_its_csv_holds_every_number(tmp_path, history):
    """Read back by Python's csv they are the same to the bit; what was not measured is empty."""
    history.to_csv(tmp_path / "a.csv")
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert [int(row["update"]) for row in rows] == list(range(1, history.updates + 1))
    for name in ("loss", "gradient_norm", "learning_rate", "seconds"):
        assert repr([float(row[name]) for row in rows]) == repr(getattr(history, name))
    for measured in history.validation:
        row = rows[measured["update"] - 1]
        for name in {name for row in history.validation for name in row} - {"update"}:
            assert row[f"validation_{name}"] == (repr(measured[name]) if name in measured else "")


def test_its_csv_is_written_whole(tmp_path):
    """Where it cannot be written the old file stays."""
    History([1.0], [1.0], [1.0], [1.0]).to_csv(tmp_path / "a.csv")

    assert (tmp_path / "a.csv").read_text() == "update,loss,gradient_norm,learning_rate,seconds\n1,1.0,1.0,1.0,1.0\n"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_the_table_shows_the_validations():
    """With the loss of their update; units of the metrics as they are."""
    rows = [{"update": 2, "exact_match": 0.25}, {"update": 4, "exact_match": 1.0, "loss": 0.5}]
    text = printed(History([3.0, 2.0, 1.5, 1.25], [1.0] * 4, [0.01] * 4, [0.1] * 4, rows).table())
    lines = [line.split() for line in text.splitlines() if line.strip()]

    assert "valid exact match" in text
    assert "‖grad‖" in text
    assert [line[0] for line in lines[-2:]] == ["2", "4"]
    assert lines[-1][1:] == ["1.25", "1", "0.01", "1", "0.5"]


def test_the_table_of_many_updates_is_short():
    """The first, the last, and some between."""
    text = printed(History([1.0] * 1_000, [1.0] * 1_000, [1.0] * 1_000, [1.0] * 1_000).table(lines=5))
    lines = [line.split()[0] for line in text.splitlines() if line.strip()]

    assert lines[-5:] == ["1", "251", "501", "750", "1,000"]
    assert "update" in printed(History().table())
    with pytest.raises(DataError, match="lines must be an integer of at least 2"):
        History().table(lines=1)


def test_equal_histories_may_differ_in_time():
    """How long an update took is no part of what happened."""
    assert History([1.0], [1.0], [1.0], [0.1]) == History([1.0], [1.0], [1.0], [0.2])
    assert History([1.0], [1.0], [1.0], [0.1]) != History([1.0], [1.0], [2.0], [0.1])
