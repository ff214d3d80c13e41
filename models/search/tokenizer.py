"""Text as the tokens that a search compares: folded, stemmed, and the same for every database.

Each database's own tokenizer splits and stems in its own way, so each would match other texts.
Here text becomes tokens of [a-z0-9] before it is stored or searched for, and a database only has to
split them at blanks.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from threading import Lock
from typing import Any

from models.core.types import UNDECOMPOSED

# Stands between two texts, so that no phrase runs from one into the next. No token begins with a
# digit.
BREAK = "0"
# An index may hold 16,383 positions of a text, 255 of one word, and a megabyte of words. What
# exceeds this is left out here, so that it is left out in every database.
MAX_TOKENS = 15_000
MAX_POSITIONS = 250
MAX_TOKEN_LENGTH = 60
MAX_CACHED = 2**16
# So many texts of at most so many characters are remembered with their tokens.
REMEMBERED_TEXTS = 2**13
LONGEST_REMEMBERED = 400

# Words that carry a sentence or a question and say nothing of its subject. A search for other words
# leaves them out, unless they are in quotes.
_STOP_WORDS = """
a about also am an and any are as at be been being between but by can could did do does doing for
from had has have having he her his how i if in into is it its let may me might more most my no not
of on or our shall she should so some such than that the their them then there these they this those
to us was we were what when where whether which while who whom whose why will with without would you
your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
# Letters that are folded one by one, the apostrophes, and the hyphens and dashes that join words.
_LETTERS = {
    **UNDECOMPOSED,
    **dict.fromkeys("’ʼ‘", "'"),
    **dict.fromkeys("‐‑‒–−", "-"),
}
# A Greek letter by itself is a symbol that people also write out: TGF-β is TGF-beta. Several are a
# Greek word. The micro sign is a letter, too.
_GREEK = re.compile(r"[µͰ-Ͽἀ-῿]+")
# Scripts without blanks between words: each sign is a token, and a run of them is a phrase.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]"
)
# The possessive carries no meaning: Parkinson's is Parkinson.
_WORD = re.compile(r"([a-z0-9]+)(?:'s(?![a-z0-9]))?")
# Words that hyphens or apostrophes join: follow-up, IL-6, O'Brien. It never goes back, which would
# take the square of the length of a word.
_COMPOUND = re.compile(r"(?<![a-z0-9])[a-z0-9]++(?:[-']++[a-z0-9]++)++")
_JOINS = re.compile(r"[-']+")
# A longer chain of words is no spelling of one word.
LONGEST_COMPOUND = 4
_NUMBERED = re.compile(r"n*[0-9]")
_stemming = Lock()


class _Folds(dict[int, str]):
    """The folded form of each character, computed at its first use."""

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
    """Return text in lower-case ASCII, without accents, and with Greek symbols written out.

    Other letters become `u` and their code.
    """
    if text.isascii():
        return text.lower()
    return _GREEK.sub(_written_out, text).translate(_FOLDS)


def _written_out(letters: re.Match[str]) -> str:
    """Return a single Greek letter as its name between hyphens; more of them as they are."""
    return letters[0] if len(letters[0]) > 1 else f"-{_greek_name(letters[0])}-"


@cache
def _greek_name(letter: str) -> str:
    # Such as GREEK SMALL LETTER FINAL SIGMA, GREEK CAPITAL LETTER ALPHA WITH TONOS, MICRO SIGN.
    base = unicodedata.normalize("NFKD", letter)[0]
    name = unicodedata.name(base, "").partition(" LETTER ")[2].removeprefix("FINAL ")
    return name.replace("LAMDA", "LAMBDA").replace(" ", "-").lower()


def folded_words(text: str) -> list[str]:
    """Return the words of a text, folded but not stemmed."""
    return _WORD.findall(fold(text))


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text, as in the index, in their order."""
    return [_TOKENS[word] for word in folded_words(text)]


@lru_cache(maxsize=REMEMBERED_TEXTS)
def _tokens_and_joined(text: str) -> tuple[Sequence[str], Sequence[str]]:
    return tokenize(text), joined_tokens(text)


def _read(text: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return what `tokenize` and `joined_tokens` return.

    The title of a source stands in the index of each claim that rests on it, and a claim's
    statement in several tables, so short texts are remembered.
    """
    if len(text) <= LONGEST_REMEMBERED:
        return _tokens_and_joined(text)
    return tokenize(text), joined_tokens(text)


def joined_tokens(text: str) -> list[str]:
    """Return the tokens of words that are joined in a text, as if written without the hyphens.

    IL-6 gives `il6`; so a search for IL6 finds it. A longer chain also gives each pair of its
    words. Numbers alone, such as dates and pages, are not joined.
    """
    folded = fold(text)
    joined: list[str] = []
    if "-" not in folded and "'" not in folded:
        return joined
    for compound in _COMPOUND.findall(folded):
        words = _JOINS.split(compound.removesuffix("'s"))
        if 1 < len(words) <= LONGEST_COMPOUND:
            pairs = [words[start : start + 2] for start in range(len(words) - 1)]
            runs = dict.fromkeys(map("".join, [*pairs, words]))
            joined += [_TOKENS[run] for run in runs if not run.isdecimal()]
    return joined


def token_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each token of a text with the start and end (exclusive) of its word in the text."""
    folded = list(text.lower()) if text.isascii() else [_FOLDS[ord(letter)] for letter in text]
    for symbol in _GREEK.finditer(text):
        if len(symbol[0]) == 1:
            folded[symbol.start()] = _written_out(symbol)
    # The position in the text of each letter of the folded text.
    origins: list[int] = []
    for position, letters in enumerate(folded):
        origins += [position] * len(letters)
    for word in _WORD.finditer("".join(folded)):
        end = origins[word.end(1) - 1] + 1
        # Combining marks and the like, which fold to nothing, belong to the letter before them.
        while end < len(text) and not folded[end]:
            end += 1
        yield _TOKENS[word[1]], origins[word.start(1)], end


class _Tokens(dict[str, str]):
    """The token of each word, computed at its first use. A full cache starts over."""

    def __missing__(self, word: str) -> str:
        if len(self) >= MAX_CACHED:
            self.clear()
        self[word] = token = _token(word)
        return token


_TOKENS = _Tokens()


def _token(word: str) -> str:
    # A database may split what begins with a digit, so 6 becomes n6. And n6 becomes nn6, so that
    # the two stay different.
    if _NUMBERED.match(word):
        word = f"n{word}"
    elif word.isalpha() and 2 < len(word) <= MAX_TOKEN_LENGTH:
        # The stemmer keeps the word in itself, so it takes one word at a time.
        with _stemming:
            word = _stemmer().stemWord(word)
    return word[:MAX_TOKEN_LENGTH]


@cache
def _stemmer() -> Any:
    # Imported at the first use, because the package loads all its languages. Imported from its
    # module, because the package would prefer a stemmer in C of another version if installed, and
    # two machines would stem differently.
    from snowballstemmer.english_stemmer import EnglishStemmer  # type: ignore[import-untyped]

    return EnglishStemmer()


def index_text(labels: Sequence[str], texts: Iterable[str]) -> tuple[str, str]:
    """Return what the index holds of a record: the tokens of its labels and of its other texts.

    A break stands between two labels and before each other text, and before each joined spelling,
    all of which come last.
    """
    title_tokens = _tokens_of(labels, MAX_TOKENS + 1)[1:]
    limit = MAX_TOKENS - len(title_tokens)
    texts = list(texts)
    joined = [_read(text)[1] for text in chain(labels, texts)]
    tokens = _tokens_of(texts, limit)
    for spelling in dict.fromkeys(chain.from_iterable(joined)):
        tokens += [BREAK, spelling]
    del tokens[limit:]
    # To count each token takes several times as long as to see that there are too few of them.
    repeats = len(title_tokens) + len(tokens) - len({*title_tokens, *tokens})
    if repeats >= MAX_POSITIONS:
        counts: Counter[str] = Counter()
        title_tokens = _limit_repeats(title_tokens, counts)
        tokens = _limit_repeats(tokens, counts)
    return " ".join(title_tokens), " ".join(tokens)


def label_tokens(labels: Iterable[str]) -> str:
    """Return the tokens of labels, with a break between two of them."""
    return " ".join(_tokens_of(labels, MAX_TOKENS)[1:])


def label_words(labels: Iterable[str]) -> set[str]:
    """Return the tokens of labels, each once, and those of words that are joined in them.

    Stop words are left out.
    """
    words: set[str] = set()
    for label in labels:
        words.update(*_read(label))
    return words - STOP_TOKENS


def _tokens_of(texts: Iterable[str], limit: int) -> list[str]:
    """Return the tokens of texts, at most so many, with a break before each text."""
    tokens: list[str] = []
    for text in texts:
        if len(tokens) >= limit:
            break
        tokens.append(BREAK)
        tokens += _read(text)[0]
    return tokens[:limit]


def _limit_repeats(tokens: list[str], counts: Counter[str]) -> list[str]:
    """Replace a token by a break once it has occurred too often for the index.

    It is still found by its first occurrences.
    """
    kept = []
    for token in tokens:
        counts[token] += 1
        kept.append(token if counts[token] <= MAX_POSITIONS else BREAK)
    return kept


STOP_TOKENS = frozenset(_TOKENS[word] for word in STOP_WORDS)
