"""Vocabularies: there and back, for any script, and errors that say which token and what to do."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_seq.errors import DataError, DtypeError, SequenceError, ShapeError, UnknownTokenError
from tinygrad_seq.models import Vocabulary

TEXTS = st.text(min_size=1, max_size=30)
SCRIPTS = [
    "HELLO", "안녕하세요", "مرحبا بالعالم", "नमस्ते", "こんにちは", "👩\u200d👩\u200d👧🇰🇷👍🏽", "e\u0301le\u0300ve",
    "\t\n ", "\x00\ud800",
]  # fmt: skip
WORDS = st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5), min_size=1, max_size=8)


@given(TEXTS)
def test_characters_there_and_back(text):
    """decode(encode(text)) is the text, whatever the script."""
    vocabulary = Vocabulary.characters(text)

    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert len(vocabulary) == len(set(text))


@pytest.mark.parametrize("text", SCRIPTS)
def test_scripts_there_and_back(text):
    """Hangul, Arabic, Devanagari, joined emoji, combining accents, control characters."""
    vocabulary = Vocabulary.characters(text)

    assert vocabulary.decode(vocabulary.encode(text)) == text


@given(WORDS)
def test_words_there_and_back(words):
    """Words come back with a space between them."""
    text = " ".join(words)
    vocabulary = Vocabulary.words(text)

    assert vocabulary.decode(vocabulary.encode(text)) == " ".join(text.split())
    assert set(vocabulary) == set(text.split())


@given(TEXTS, st.sampled_from([None, "NFC", "NFD"]))
def test_saved_and_loaded_it_is_the_same(text, normalize):
    """Through JSON and back: equal, and each token keeps its number."""
    vocabulary = Vocabulary.characters(text, unknown="<unk>", padding="<pad>", normalize=normalize)
    loaded = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))

    assert loaded == vocabulary
    assert hash(loaded) == hash(vocabulary)
    assert list(loaded) == list(vocabulary)
    assert loaded.encode(text).tolist() == vocabulary.encode(text).tolist()


def test_the_lectures_words():
    """저는 [1,0,0]  강사 [0,1,0]  입니다 [0,0,1]."""
    vocabulary = Vocabulary.words("저는 강사 입니다")

    np.testing.assert_array_equal(vocabulary.one_hot("저는 강사 입니다"), np.eye(3))


def test_tokens_are_numbered_in_the_order_in_which_they_first_come():
    """So the numbers are the same in every process, whatever the hash seed; padding and unknown come first."""
    assert Vocabulary.characters("HELLO").tokens == ("H", "E", "L", "O")
    assert Vocabulary.characters("HELLO", unknown="?", padding="_").tokens == ("_", "?", "H", "E", "L", "O")
    assert Vocabulary(["a", "_", "b"], padding="_").tokens == ("a", "_", "b")


@given(TEXTS)
def test_unicode_forms_that_look_alike_are_alike(text):
    """With normalize, composed and decomposed spellings encode to the same."""
    for form in ("NFC", "NFD"):
        vocabulary = Vocabulary.characters(text, normalize=form)
        other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", text)

        assert vocabulary.encode(other).tolist() == vocabulary.encode(text).tolist()


def test_hangul_can_be_taken_apart():
    """NFD gives jamo: 강 is three, 사 is two."""
    vocabulary = Vocabulary.characters("강사", normalize="NFD")

    assert len(vocabulary.encode("강사")) == 5
    assert unicodedata.normalize("NFC", vocabulary.decode(vocabulary.encode("강사"))) == "강사"


def test_a_batch_of_texts_is_filled_up_at_the_end():
    """Time first; decoding leaves the padding out."""
    vocabulary = Vocabulary.characters("ab", padding="_")
    table = vocabulary.encode_all(["ab", "b", "abb"])

    np.testing.assert_array_equal(table, [[1, 2, 1], [2, 0, 2], [0, 0, 2]])
    assert [vocabulary.decode(column) for column in table.T] == ["ab", "b", "abb"]


def test_an_unknown_token_can_stand_for_others():
    """With `unknown` nothing is refused."""
    vocabulary = Vocabulary.words("the cat", unknown="<unk>")

    assert vocabulary.decode(vocabulary.encode("the dog")) == "the <unk>"


def test_it_is_a_container():
    """len, in, iteration and look-up are about tokens."""
    vocabulary = Vocabulary.characters("HELLO")

    assert (len(vocabulary), "L" in vocabulary, "X" in vocabulary, vocabulary["L"]) == (4, True, False, 2)
    assert repr(vocabulary) == "Vocabulary(4 characters: H E L O)"
    assert vocabulary != Vocabulary.characters("OLEH")


def test_texts_to_be_written_have_a_beginning_and_an_end():
    """Special tokens come first; encode_all puts the end; decode stops there and leaves the others out."""
    vocabulary = Vocabulary("ab", padding="<pad>", begin="<bos>", end="<eos>", unknown="<unk>")
    table = vocabulary.encode_all(["ab", "", "b"], ended=True)

    assert vocabulary.tokens == ("<pad>", "<bos>", "<eos>", "<unk>", "a", "b")
    np.testing.assert_array_equal(table, [[4, 2, 5], [5, 0, 2], [2, 0, 0]])
    assert [vocabulary.decode(column) for column in table.T] == ["ab", "", "b"]
    assert vocabulary.decode([1, 4, 0, 5, 2, 4]) == "ab"
    assert vocabulary.encode_all(["ab"]).tolist() == [[4], [5]]


@given(TEXTS, st.sampled_from([None, "NFC", "NFD"]))
def test_no_difference_is_the_same_numbers(text, normalize):
    """None for an equal vocabulary, words for any other, from both sides."""
    one = Vocabulary.characters(text, normalize=normalize, end="<eos>")
    others = [
        Vocabulary.from_dict(one.to_dict() | {"tokens": [*one.tokens, "<new>"]}),
        Vocabulary.from_dict(one.to_dict() | {"tokens": [*one.tokens[1:], one.tokens[0]]}),
        Vocabulary.from_dict(one.to_dict() | {"padding": "<pad>"}),
        Vocabulary.from_dict(one.to_dict() | {"normalize": "NFKD"}),
        Vocabulary.from_dict(one.to_dict() | {"unit": "word"}),
    ]

    assert one.difference(Vocabulary.from_dict(one.to_dict())) is None
    for other in others:
        assert one != other
        assert one.difference(other)
        assert other.difference(one)


def test_a_difference_is_told_in_words():
    """What is not alike, and which tokens only one has, at most eight of them."""
    here = Vocabulary("HELO", unknown="?")
    there = Vocabulary("HELP!", unknown="!", normalize="NFC")

    assert here.difference(there) == (
        "normalize is None here and 'NFC' there; unknown is '?' here and '!' there; token 0 is '?' here and 'H' there; "
        "only here: '?' 'O'; only there: 'P' '!'"
    )
    assert Vocabulary("a").difference(Vocabulary("abcdefghijk")) == (
        "1 tokens here and 11 there; only there: 'b' 'c' 'd' 'e' 'f' 'g' 'h' 'i' …"
    )


# ---- bad input -----------------------------------------------------------------------


def test_an_unknown_token_is_named_with_its_place():
    """Which token, where, in what, what there is, and what to do."""
    with pytest.raises(UnknownTokenError) as caught:
        Vocabulary.characters("HELLO").encode("HOLE!")

    assert isinstance(caught.value, KeyError)
    assert str(caught.value) == (
        "token '!' at position 4, in 'HOLE!', is not in the vocabulary of 4 characters (H E L O): build it from a text "
        "that has it, or give it unknown='<unk>', a token that stands for all others"
    )


@pytest.mark.parametrize(
    ("known", "given", "form"), [("강사", "NFD", "NFC"), ("é", "NFD", "NFC"), ("강사", "NFC", "NFD")]
)
def test_another_unicode_form_is_recognised(known, given, form):
    """Texts from some systems come decomposed and look the same: the error says so."""
    vocabulary = Vocabulary.characters(unicodedata.normalize(form, known))

    with pytest.raises(UnknownTokenError, match=f"form {form} all of this text is known: .* normalize='{form}'"):
        vocabulary.encode(unicodedata.normalize(given, known))


@pytest.mark.parametrize(
    "empty", [lambda: Vocabulary.characters(""), lambda: Vocabulary.words(" \n"), lambda: Vocabulary([])]
)
def test_an_empty_text_makes_no_vocabulary(empty):
    """No token at all is an error when the vocabulary is made."""
    with pytest.raises(SequenceError, match="at least one token"):
        empty()


@pytest.mark.parametrize("index", [-1, 4, 10**9])
def test_an_index_out_of_range(index):
    """-1 is no token: it does not wrap around."""
    with pytest.raises(IndexError, match=f"token {index} is not one of the 4 of the vocabulary, 0 to 3"):
        Vocabulary.characters("HELLO").decode([0, index])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda v: v.decode([0.0, 1.0]), DtypeError, "integers"),
        (lambda v: v.decode([[0], [1]]), ShapeError, "one text"),
        (lambda v: v.encode(b"HELLO"), UnknownTokenError, "a token is a text"),
        (lambda v: v.encode([0, 1]), UnknownTokenError, "decode takes numbers"),
        (lambda v: v.tokenize(b"HELLO"), DataError, "decode bytes first"),
        (lambda v: v["X"], UnknownTokenError, "'X'"),
        (lambda v: v.encode_all(["HE", "HEL"]), DataError, "2 to 3 tokens.*padding="),
        (lambda v: v.encode_all([]), SequenceError, "at least one text"),
        (lambda v: v.encode_all(["HE", ""]), SequenceError, "number 1 is empty"),
        (lambda v: Vocabulary("HELLO"), DataError, "'L' is number 2 and 3"),
        (lambda v: Vocabulary(["a", 1]), DataError, "got 1 as number 1"),
        (lambda v: Vocabulary("ab", unit="letter"), DataError, "unit must be"),
        (lambda v: Vocabulary("ab", normalize="nfc"), DataError, "normalize must be"),
        (lambda v: Vocabulary("ab", unknown="?", padding="?"), DataError, "padding and unknown must be two different"),
        (lambda v: Vocabulary("ab", begin="|", end="|"), DataError, "begin and end must be two different tokens"),
        (lambda v: v.encode_all(["HE"], ended=True), DataError, "no end token .* end='<eos>'"),
        (lambda v: Vocabulary.characters(["ab"]), DataError, "a text is a str"),
        (lambda v: Vocabulary.from_dict({"tokens": ["a"]}), DataError, "saved as a dict with"),
        (lambda v: Vocabulary.from_dict(["a"]), DataError, "saved as a dict with"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, says):
    """Each with an error of its own kind that says what was expected."""
    with pytest.raises(error, match=says):
        call(Vocabulary.characters("HELLO"))
