"""Several maps of attention: each head and each update has its own, all on one scale."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tinygrad_seq import Graph, Tensor
from tinygrad_seq.models import LSTM, MultiheadAttention, Seq2Seq
from tinygrad_seq.viz import PictureTooLargeError, plot_attention_heads, plot_attention_over_training
from viz_attention import WEIGHTS, hatched, labels, maps, maps_of


@given(maps(count=st.integers(1, 5)))
@settings(max_examples=6)
def test_each_head_has_its_map(case):
    """In their order, each over its own weights, all on one scale, and the outer ones bear the tokens."""
    w, source, target = case
    grid = maps_of(plot_attention_heads(w, source, target))

    assert [ax.get_title("left") for ax in grid] == [f"head {n}" for n in range(1, len(w) + 1)]
    assert all(np.array_equal(ax.images[0].get_array(), one) for ax, one in zip(grid, w, strict=True))
    assert {ax.images[0].get_clim() for ax in grid} == {(0, 1)}
    upper, left = {ax.get_position().y1 for ax in grid}, {ax.get_position().x0 for ax in grid}
    assert [len(labels(ax.xaxis)) for ax in grid] == [len(source) * (ax.get_position().y1 == max(upper)) for ax in grid]
    assert [len(labels(ax.yaxis)) for ax in grid] == [len(target) * (ax.get_position().x0 == min(left)) for ax in grid]


def test_heads_of_a_record_are_drawn():
    """What multi-head attention left in the record, behind a causal mask."""
    attention = MultiheadAttention(8, 4)
    x = np.random.default_rng(0).normal(size=(5, 1, 8))
    y, _ = attention(x, x, x, is_causal=True, attn_mask=np.triu(np.ones((5, 5), bool), 1))
    (w,) = Graph(y).named("w")
    grid = maps_of(plot_attention_heads(w.data[0], "나는간다.", "나는간다."))

    assert len(grid) == 4
    assert all(hatched(ax) == {(i, j) for i in range(5) for j in range(i + 1, 5)} for ax in grid)


def test_maps_can_be_named():
    """A name over each, shortened to the width of its map."""
    figure = plot_attention_heads([WEIGHTS, WEIGHTS], "abc", "xy", names=["layer 1", "층 " * 50], title="layers")
    names = [ax.get_title("left") for ax in maps_of(figure)]

    assert names[0] == "layer 1"
    assert names[1].endswith("…")
    assert figure.get_suptitle() == "layers"
    with pytest.raises(ValueError, match="2 maps need as many names, got 1"):
        plot_attention_heads([WEIGHTS, WEIGHTS], "abc", "xy", names=["one"])


@pytest.mark.parametrize(
    ("maps", "over"),
    [
        ({0: WEIGHTS, 2000: Tensor(WEIGHTS)}, None),
        ([(0, WEIGHTS), (2000, WEIGHTS)], None),
        (np.stack([WEIGHTS, WEIGHTS]), [0, 2000]),
    ],
)
def test_over_training_every_map_says_its_update(maps, over):
    """As a mapping, as pairs, or as an array beside its updates."""
    grid = maps_of(plot_attention_over_training(maps, "abc", "xy", over=over))

    assert [ax.get_title("left") for ax in grid] == ["update 0", "update 2,000"]
    assert all(np.array_equal(ax.images[0].get_array(), WEIGHTS) for ax in grid)


@pytest.mark.parametrize("dark", [False, True])
def test_several_maps_go_into_a_part_of_a_figure(dark):
    """As subfigures of one's own."""
    parts = Figure(figsize=(12, 4), layout="constrained").subfigures(1, 2)

    assert plot_attention_heads([WEIGHTS] * 2, "abc", "xy", figure=parts[0], dark=dark).figure is parts[0]
    assert plot_attention_over_training({1: WEIGHTS}, "abc", "xy", figure=parts[1], dark=dark).figure is parts[1]
    parts[0].figure.savefig(io.BytesIO(), dpi=20)


@pytest.mark.parametrize(("count", "length"), [(1, 1), (8, 6), (3, 40), (25, 2)])
def test_any_number_of_maps_is_drawn(count, length):
    """Wider than high, in a figure that a screen can show, without a warning."""
    tokens = [f"t{n}" for n in range(length)]
    figure = plot_attention_heads(np.full((count, length, length), 0.5), tokens, tokens, title="t")
    figure.draw_without_rendering()

    assert max(figure.get_size_inches()) <= 24
    assert len(maps_of(figure)) == count


def test_what_is_no_stack_of_maps_is_refused():
    """Too many, none, or one without its heads."""
    with pytest.raises(PictureTooLargeError, match=r"250 maps are more than the 100 .* \[::3\]"):
        plot_attention_heads(np.ones((250, 1, 1)), "a", "x")
    with pytest.raises(ValueError, match=r"of each map, at least one, got shape \(3,\) for 2 target"):
        plot_attention_heads(WEIGHTS, "abc", "xy")
    with pytest.raises(ValueError, match="at least one"):
        plot_attention_over_training([], "abc", "xy")


def test_a_model_is_followed_through_its_training():
    """What `align` gives goes in as it is."""
    model = Seq2Seq(LSTM(4, 6), LSTM(4, 6), source_tokens=8, target_tokens=8, attention="additive")
    source, target = np.array([[3], [4], [5]]), np.array([[6], [2]])
    grid = maps_of(plot_attention_over_training({0: model.align(source, [3], target)[0]}, "가나다", ["x", "end"]))

    assert grid[0].images[0].get_array().sum() == pytest.approx(2)
