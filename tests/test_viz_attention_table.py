"""Weights of attention as a table: it reads back as it was, or is not there."""

import csv

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tinygrad_seq.viz import SaveError, save_attention_csv
from viz_attention import WEIGHTS, maps


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@given(maps(weight=st.floats(allow_nan=False, allow_infinity=False)))
@example((np.array([[0.1 + 0.2]]), ["=HYPERLINK(1)"], [" \r"]))
@settings(max_examples=60)
def test_a_table_reads_back(tmp_path_factory, case):
    """Numbers to the last bit, tokens as they are: commas, quotes, lines, Hangul and formulas."""
    w, source, target = case
    path = tmp_path_factory.getbasetemp() / "map.csv"
    head, *rows = table(save_attention_csv(path, w, source, target))

    assert head == ["", *map(str, source)]
    assert [row[0] for row in rows] == [str(token) for token in target]
    assert np.array_equal([[float(x) for x in row[1:]] for row in rows], w)


def test_several_maps_share_a_table(tmp_path):
    """Each row begins with the name of its map, or with its number."""
    path = save_attention_csv(tmp_path / "h.csv", [WEIGHTS, 1 - WEIGHTS], "abc", "xy")
    named = save_attention_csv(tmp_path / "n.csv", [WEIGHTS, 1 - WEIGHTS], "abc", "xy", names=[0, 1000])

    assert table(path)[0] == ["", "", "a", "b", "c"]
    assert [row[:2] for row in table(path)[1:]] == [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]
    assert np.array_equal([[float(x) for x in row[2:]] for row in table(path)[3:]], 1 - WEIGHTS)
    assert [row[0] for row in table(named)[1:]] == ["0", "0", "1000", "1000"]


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path):
    """No folder, weights that do not fit, letters that no file can hold: what stood there stays."""
    (tmp_path / "map.csv").write_text("old")

    with pytest.raises(SaveError, match="cannot save"):
        save_attention_csv(tmp_path / "none" / "map.csv", WEIGHTS, "abc", "xy")
    with pytest.raises(ValueError, match="save_attention_csv needs weights"):
        save_attention_csv(tmp_path / "map.csv", WEIGHTS, "ab", "xy")
    with pytest.raises(ValueError, match="surrogates"):
        save_attention_csv(tmp_path / "map.csv", WEIGHTS, ["\ud800", "b", "c"], "xy")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"map.csv": "old"}
