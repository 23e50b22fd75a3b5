"""Text in pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.viz.pictures.labels import number, shorten, symbol, text_width, token_text, visible
from tinygrad_seq.viz.pictures.palette import LIGHT, RAMP, GradientScale, ink_on, scale_for


@given(st.text())
def test_visible_text_has_nothing_hidden(text):
    """No control character, surrogate or direction mark is left, and it can be encoded."""
    safe = visible(text)
    safe.encode()

    assert len(safe) == len(text)
    assert all(c.isprintable() or c.isspace() or ord(c) > 0x7F for c in safe)
    assert not set(safe) & set("\n\t\r\x00\u202e\u2066")


@given(st.text(max_size=200), st.floats(20, 200))
def test_shortened_text_fits(text, width):
    """What is shortened is no wider than asked for, and starts as the whole does."""
    short = shorten(text, width, 12)

    assert text_width(short, 12) <= width
    assert text.startswith(short.removesuffix("…"))


@pytest.mark.parametrize(
    ("name", "t", "runs"),
    [
        ("h", 3, ["h", "3"]),
        ("W_x", None, ["W", "x"]),
        ("h1", 3, ["h", "1,3"]),
        ("h_enc", 12, ["h", "enc,12"]),
        ("loss", None, ["loss"]),
        ("weight_ih_l0", None, ["weight_ih_l0"]),
        ("_", None, ["_"]),
        ("_x", 2, ["_x", "2"]),
        ("C̃", 1, ["C̃", "1"]),
        ("은닉", 2, ["은닉", "2"]),
    ],
)
def test_names_get_their_subscripts(name, t, runs):
    """A name is set as mathematics sets it."""
    assert [run.text for run in symbol(name, t)] == runs


@pytest.mark.parametrize(
    ("token", "said"), [(" ", "␣"), ("", "∅"), (" the", "␣the"), ("a b ", "a b␣"), ("\n", "⏎"), (7, "7"), ("<&", "<&")]
)
def test_tokens_can_be_seen(token, said):
    """Blank tokens leave a mark."""
    assert token_text(token) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.5, "0.5"), (1.23456e-5, "1.235e-5"), (1e20, "1e20"), (12345.6, "1.235e4")]
)
def test_numbers_are_short(value, said):
    """Four figures, and exponents without padding."""
    assert number(value) == said


@given(st.lists(st.none() | st.just(float("nan")) | st.floats(min_value=0), max_size=8))
def test_a_scale_holds_its_magnitudes(magnitudes):
    """Whatever the gradients, every one has a colour, and larger ones are no paler."""
    scale = scale_for(magnitudes)
    positive = sorted(m for m in magnitudes if m is not None and 0 < m < float("inf"))
    places = [LIGHT.hex(ink_on(scale.fill(m))) for m in positive]

    assert scale.low < scale.high
    assert scale.high - scale.low <= 12
    assert places == sorted(places)
    assert all(len(LIGHT.hex(scale.fill(m))) == 7 for m in magnitudes)


def test_the_ends_of_the_scale():
    """The smallest magnitude is the palest colour and the largest the deepest."""
    scale = GradientScale(-3, 1)

    assert [LIGHT.hex(scale.fill(1e-3)), LIGHT.hex(scale.fill(10.0))] == [RAMP[0], RAMP[-1]]
