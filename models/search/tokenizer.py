"""Text as the words that a search compares: folded, stemmed, and written so that every database takes them alike.

A database's own tokenizer splits and stems in its own way, so that each would find another set. Here text becomes tokens of
[a-z0-9] before it is stored or looked for; a database only has to split them at blanks.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from threading import Lock
from typing import Any

# Stands between two texts, so that no phrase goes from one into the next. No token begins with a digit.
BREAK = "0"
# An index may know 16,383 places in a text, 255 of one word, and a megabyte of words. What is beyond is left out
# here, so that it is left out everywhere.
MOST_TOKENS = 15_000
MOST_PLACES = 250
LONGEST = 60
MOST_KNOWN = 2**16

# Letters that Unicode does not decompose into an ASCII letter and a mark, and the apostrophes.
_LETTERS = {
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "æ": "ae",
    "œ": "oe",
    "ı": "i",
    "ħ": "h",
    "’": "'",
    "ʼ": "'",
}
# Scripts without blanks between words: each sign is a token, so that a run of them is looked for as a phrase.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# The possessive says nothing: Parkinson's is Parkinson.
_WORD = re.compile(r"([a-z0-9]+)(?:'s(?![a-z0-9]))?")
_NUMBERED = re.compile(r"n*[0-9]")
_stemming = Lock()


class _Folds(dict[int, str]):
    """What each character becomes, found out at its first need."""

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize(
            "NFKD", unicodedata.normalize("NFKD", chr(code)).casefold()
        )
        self[code] = folded = "".join(map(_folded, decomposed))
        return folded


_FOLDS = _Folds()


def _folded(letter: str) -> str:
    if letter.isascii():
        return letter
    category = unicodedata.category(letter)
    if unicodedata.combining(letter) or category == "Cf":
        return ""
    if letter in _LETTERS:
        return _LETTERS[letter]
    if _UNSPACED.match(letter):
        return f" u{ord(letter):x} "
    return f"u{ord(letter):x}" if letter.isalnum() or category[0] == "M" else " "


def fold(text: str) -> str:
    """Return text in lower-case ASCII: without accents, other letters as `u` and their number."""
    return text.lower() if text.isascii() else text.translate(_FOLDS)


def folded_words(text: str) -> list[str]:
    """Return the words of a text, folded, as they were written."""
    return _WORD.findall(fold(text))


def tokenize(text: str) -> list[str]:
    """Return the words of a text as they stand in the index, in their order."""
    return list(map(_TOKENS.__getitem__, _WORD.findall(fold(text))))


def token_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each token of a text with where its word begins and ends in it."""
    folds = list(text.lower()) if text.isascii() else [_FOLDS[ord(letter)] for letter in text]
    places = [place for place, letters in enumerate(folds) for _ in letters]
    for word in _WORD.finditer("".join(folds)):
        end = places[word.end(1) - 1] + 1
        while end < len(text) and not folds[end]:
            end += 1
        yield _TOKENS[word[1]], places[word.start(1)], end


class _Tokens(dict[str, str]):
    """The token of each word, found out at its first need; begun anew where there are too many."""

    def __missing__(self, word: str) -> str:
        if len(self) >= MOST_KNOWN:
            self.clear()
        self[word] = token = _token(word)
        return token


_TOKENS = _Tokens()


def _token(word: str) -> str:
    # A database may take apart what begins with a digit; 6 becomes n6, and n6 becomes nn6, so that they stay two words.
    if _NUMBERED.match(word):
        word = f"n{word}"
    elif word.isalpha() and 2 < len(word) <= LONGEST:
        # It keeps the word that it is at in itself, so one at a time.
        with _stemming:
            word = _stemmer().stemWord(word)
    return word[:LONGEST]


@cache
def _stemmer() -> Any:
    # At the first word, not at a start: the package loads all its languages. By its own name, since the package would take
    # a stemmer in C of another version where there is one, and two machines would stem differently.
    from snowballstemmer.english_stemmer import EnglishStemmer  # type: ignore[import-untyped]

    return EnglishStemmer()


def index_text(title: str, texts: Iterable[str]) -> tuple[str, str]:
    """Return what the index holds of a record: the tokens of its title, and those of its other texts with breaks."""
    head = tokenize(title)[:MOST_TOKENS]
    body: list[str] = []
    most = MOST_TOKENS - len(head)
    for text in texts:
        if len(body) >= most:
            break
        body.append(BREAK)
        body += tokenize(text)
    del body[most:]
    if len(head) + len(body) > MOST_PLACES:
        seen: Counter[str] = Counter()
        head, body = _thinned(head, seen), _thinned(body, seen)
    return " ".join(head), " ".join(body)


def _thinned(found: list[str], seen: Counter[str]) -> list[str]:
    """Return tokens with a break for each that was seen often enough: it is in the index, and phrases see the first ones."""
    kept = []
    for token in found:
        seen[token] += 1
        kept.append(token if seen[token] <= MOST_PLACES else BREAK)
    return kept
