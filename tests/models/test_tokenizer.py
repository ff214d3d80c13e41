"""Words: what text becomes before it is compared."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.search import tokenizer
from models.search.sentences import denying_words, split_sentences
from models.search.tokenizer import BREAK, folded_words, index_text, token_spans, tokenize
from tests.growth import MOST_GROWTH, growth


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Multiple scleroses", ["multipl", "scleros"]),
        ("Sundström, SUNDSTROM", ["sundstrom", "sundstrom"]),
        ("Østergaard Łukasz ßẞ", ["ostergaard", "lukasz", "ssss"]),
        ("IL-6", ["il", "n6"]),
        ("IL6", ["il6"]),
        ("6 n6 nn6", ["n6", "nn6", "nnn6"]),
        ("Parkinson's Parkinson’s parkinson", ["parkinson"] * 3),
        ("TNF-α TNFβ TGF-beta", ["tnf", "alpha", "tnf", "beta", "tgf", "beta"]),
        ("καρδιά", ["".join(f"u{ord(letter):x}" for letter in "καρδια")]),
        ("ﬁbrosis H₂O m²", ["fibrosi", "h2o", "m2"]),
        ("co\u00adop e\u0301tude", ["coop", "etud"]),
        ("多発性硬化症 MS", [*(f"u{ord(sign):x}" for sign in "多発性硬化症"), "ms"]),
        ("a:b 50% x_y 😀 () \" ' -", ["a", "b", "n50", "x", "y"]),
        ("x" * 100, ["x" * 60]),
        ("", []),
    ],
)
def test_text_becomes_tokens(text: str, found: list[str]) -> None:
    assert tokenize(text) == found


def test_folded_words_are_not_stemmed() -> None:
    assert folded_words("Multiple Scleroses, 2009") == ["multiple", "scleroses", "2009"]


@given(st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_every_index_takes_tokens_alike(text: str) -> None:
    found = tokenize(text)
    assert all(re.fullmatch(r"[a-z][a-z0-9]{0,59}", token) for token in found)
    assert [token for token, _, _ in token_spans(text)] == found
    places = [place for _, start, end in token_spans(text) for place in (start, end)]
    assert all(0 <= place <= len(text) for place in places)
    # No word ends before it begins, and none begins before the one before it.
    assert all(start < end for _, start, end in token_spans(text))
    assert [start for _, start, _ in token_spans(text)] == sorted(
        start for _, start, _ in token_spans(text)
    )


def test_tokens_have_the_spans_of_their_words() -> None:
    text = "Über «naïve» cafe\u0301s: 多発"
    assert [text[start:end] for _, start, end in token_spans(text)] == [
        "Über",
        "naïve",
        "cafe\u0301s",
        "多",
        "発",
    ]


def test_no_phrase_runs_from_one_text_into_the_next() -> None:
    assert index_text(["A title"], ["one two", "three"]) == (
        "a titl",
        f"{BREAK} one two {BREAK} three",
    )


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("IL-6 follow‐up", ["il6", "followup"]),
        ("TGF-β TGFβ TGF-beta", ["tgfbeta"] * 3),
        ("TGF-β-mediated", ["tgfbeta", "betamedi", "tgfbetamedi"]),
        ("O’Brien's", ["obrien"]),
        ("Parkinson's 2010-12-31, pages 3–5", []),
        ("one-of-too-many-words", []),
    ],
)
def test_joined_words_are_also_one_word(text: str, joined: list[str]) -> None:
    assert tokenizer.joined_tokens(text) == joined


def test_joined_spellings_come_last_and_labels_are_kept_apart() -> None:
    assert index_text(["IL-6", "second"], ["a follow-up"]) == (
        f"il n6 {BREAK} second",
        f"{BREAK} a follow up {BREAK} il6 {BREAK} followup",
    )


def test_text_beyond_the_limits_of_an_index_is_left_out_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokenizer, "MAX_TOKENS", 6)
    monkeypatch.setattr(tokenizer, "MAX_POSITIONS", 2)
    assert index_text(["vein"], ["vein vein vein", "iron", "lost"]) == (
        "vein",
        f"{BREAK} vein {BREAK} {BREAK} {BREAK}",
    )
    assert index_text(["one two three four five six seven"], ["lost"]) == (
        "one two three four five six",
        "",
    )


def test_the_cache_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer, "MAX_CACHED", 50)
    monkeypatch.setattr(tokenizer, "_TOKENS", tokenizer._Tokens())
    for number in range(200):
        assert tokenize(f"veins w{number}") == ["vein", f"w{number}"]
    assert len(tokenizer._TOKENS) <= 50


@pytest.mark.parametrize(
    "motif", ["a", "-", "a-", "'", " ", "\n", ".", ". ", "[1]", "a.", '"', "β", "aβ", "["]
)
def test_texts_are_read_in_time_that_grows_as_they_do(motif: str) -> None:
    def read(text: str) -> None:
        tokenize(text)
        tokenizer.joined_tokens(text)
        list(token_spans(text))
        list(split_sentences(text))
        denying_words(text)

    assert growth(lambda size: motif * (size // len(motif)), read, 6_000) < MOST_GROWTH
