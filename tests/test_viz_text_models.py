"""The text drawing of what models do: layers, decoders, attention, states that are cut off."""

import re

import numpy as np

from tinygrad_seq import Op, Parameter, Tensor, scope, steps
from tinygrad_seq import functional as F
from tinygrad_seq.models import GRU
from tinygrad_seq.rng import manual_seed
from tinygrad_seq.viz.text.canvas import UNICODE
from viz_records import MODELS, deep_rnn, rnn, seq2seq
from viz_text_lines import frames, inside, scene, text


def test_one_loss_at_the_end_rises_from_the_last_step():
    """Many-to-one: a line leads from the last state to what is made of it, which stands one over the other."""
    lines = text(rnn(each=False)).split("\n")

    (row,) = [line for line in lines if "│ h₄ " in line]
    assert re.search("│ h₄ . ├─╯$", row)
    assert re.search("╭▶ ŷ .$", lines[2])
    assert "ŷ = h₄ W_y" in lines[2]
    assert lines[1].strip() == "↑"
    assert re.search("loss .$", lines[0])


def test_an_encoder_stands_over_its_decoder():
    """Each with its name; the state that is handed on leaves the one and enters the other."""
    lines = text(seq2seq(T=3)).split("\n")
    first, second = (n for n, line in enumerate(lines) if line.startswith("── "))

    assert lines[first].startswith("── encoder ──")
    assert lines[second].startswith("── decoder ──")
    assert [line for line in lines[first:second] if re.search("│ h₃ . ├──▶ decoder$", line)]
    assert [line for line in lines[second:] if re.search(" h₃ . ──▶│ s₁ ", line)]


def test_attention_is_a_strip_under_its_step():
    """One sign for each step that is looked at, as high as its weight; the formula says which they are."""
    lines = text(seq2seq(T=5)).split("\n")
    row = next(n for n, line in enumerate(lines) if " C₁ " in line)
    found = [frame for frame in frames(lines) if frame[0] < row < frame[1]]

    strips = [inside(lines, frame)[row - frame[0]].strip() for frame in found]
    weights = [list(look.sources.values()) for look in scene(seq2seq(T=5)).looks]
    assert strips == ["".join(UNICODE.level(w) for w in row) for row in weights]
    assert "  Cₜ = attention(sₜ, h₁…h₅)" in "\n".join(lines)


def test_attention_to_all_steps_so_far_says_so():
    """The steps looked at end with a step's own; what takes more at each step differs from step to step."""
    assert "attentionₜ = attention(h₁…hₜ)" in text(MODELS["attention"]())
    assert "Hₜ differs from step to step" in text(MODELS["attention"](), level="ops")


def two_heads(name):
    """Every step looks at the first step with one head, at the last with the other, in a scope of that name."""
    W = Parameter(np.eye(3), name="W")
    states, losses = [], []
    for _, x in steps(np.eye(3)[:, None]):
        states.append(F.tanh(Tensor(x, name="x") @ W).named("h"))
    H = F.concat(states, axis=0)
    for _, h in steps(states):
        with scope(name):
            first, last = (F.softmax(h @ H.T + np.where(np.arange(3) == n, 0.0, -1e9), axis=-1) for n in (0, 2))
            y = first @ H + last @ H
        losses.append(y.sum().named("L"))
    return sum(losses).named("loss")


def test_each_head_has_a_strip():
    """One looks at the first step, one at the last; those of the same name are numbered."""
    lines = text(two_heads("")).split("\n")

    cells = inside(lines, frames(lines)[1])
    for name, strip in (("attention₂", "█··"), ("attention-2₂", "··█")):
        (row,) = [n for n, cell in enumerate(cells) if cell.split()[:1] == [name]]
        assert cells[row + 1].strip() == strip
    assert "sum(attentionₜ + attention-2ₜ)" in "\n".join(lines)


def test_heads_in_one_box_share_a_strip():
    """What looks twice is shown with the mean of its weights."""
    lines = text(two_heads("both")).split("\n")

    cells = inside(lines, frames(lines)[1])
    (row,) = [n for n, cell in enumerate(cells) if cell.split()[:1] == ["both₂"]]
    assert cells[row + 1].strip() == "▅·▅"


def test_a_causal_mask_is_seen():
    """Steps that may not be looked at are points: a triangle; what is looked at are all steps."""
    rng = np.random.default_rng(0)
    W_q, W_k, W_v = (Parameter(rng.normal(0, 0.4, (3, 3)), name=name) for name in ("W_q", "W_k", "W_v"))
    queries, keys, values, losses = [], [], [], []
    for _, x in steps([Tensor(x, name="x") for x in rng.normal(size=(4, 1, 3))]):
        queries.append((x @ W_q).named("q"))
        keys.append((x @ W_k).named("k"))
        values.append((x @ W_v).named("v"))
    K, V = F.concat(keys, axis=0), F.concat(values, axis=0)
    for t, q in steps(queries):
        a = F.softmax(q @ K.T + np.where(np.arange(4)[None] < t, 0.0, -1e9), axis=-1)
        losses.append((a @ V).named("y").sum().named("L"))
    lines = text(sum(losses).named("loss")).split("\n")

    row = next(n for n, line in enumerate(lines) if " y₁ " in line)
    found = [frame for frame in frames(lines) if frame[0] < row < frame[1]]
    strips = [inside(lines, frame)[row - frame[0]].strip() for frame in found]
    assert [strip.count("·") for strip in strips] == [3, 2, 1, 0]
    assert [strip.rstrip("·").count("·") for strip in strips] == [0, 0, 0, 0]
    assert "k₁…k₄)" in "\n".join(lines)


def test_layers_have_rows_of_their_own():
    """The second layer lies over the first, which feeds it."""
    lines = text(deep_rnn()).split("\n")

    cells = [line.split()[0] for line in inside(lines, frames(lines)[1])]
    assert cells == ["k₂", "↑", "h₂", "↑", "x₂"]


def test_cells_of_a_model_are_kept_apart():
    """Where states run through several scopes, each is a part of the frame with its name; names in two say whose."""
    manual_seed(0)
    outputs, _ = GRU(2, 3, 2, bidirectional=True)(Tensor(np.ones((3, 1, 2)), name="x"))
    lines = text(outputs.sum().named("loss"), width=120).split("\n")

    for cell in ("l0", "l0_reverse", "l1", "l1_reverse"):
        (line,) = [line for line in lines if re.match(rf"{cell}\b *├", line)]
        assert line.count("├") == 3
    assert [line for line in lines if "[l0/hₜ, l0_reverse/hₜ]" in line]


def test_a_cut_state_is_a_broken_arrow():
    """Where no gradient comes back the line is broken."""
    cut_off = Op(lambda x: x, lambda g, out, x: (None,), name="cut")
    W, h, losses = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h"), []
    for t, x in steps(np.ones((4, 1, 2))):
        h = F.tanh((cut_off(h).named("c") if t == 3 else h) @ W + x).named("h")
        losses.append(h.sum().named("L"))
    (row,) = [line for line in text(sum(losses)).split("\n") if " h₁ " in line]

    assert re.search("h₁ . ├──▶│ h₂ . ├╌╌▶│ h₃ . ├──▶│ h₄", row)


def test_what_has_no_name_gets_a_letter_that_is_free():
    """α, β, γ: not one that the model uses."""
    W, h = Parameter(np.eye(2), name="W"), Tensor(np.ones((1, 2)), name="h")
    for _, x in steps(np.ones((3, 1, 2))):
        mixed = x + h @ W
        h = (F.tanh(mixed).named("α") * F.sigmoid(mixed).named("s")).named("h")

    drawn = text(h.sum().named("loss"))
    assert "βₜ   1×2" in drawn
    assert "γₜ = βₜ + hₜ₋₁ W" in drawn
    assert "αₜ = tanh(γₜ)" in drawn
    assert "#2_t = #1_t + h_{t-1} W" in text(h.sum(), ascii=True)
