"""How much two short texts say in the same words: a sentence, and the labels or quotes of a claim.

Each text is the set of its words, each with its inverse document frequency as in Okapi BM25. The
likeness of two texts is the cosine of the angle between them: 1 of the same words, 0 of none in
common. On SciFact it puts the claims of a sentence before others more often than BM25 itself does
(mean average precision 0.68 against 0.67), and does not depend on which of the two is the longer.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from math import sqrt

from models.database.full_text import Phrase
from models.search.synonyms import Synonyms
from models.search.tokenizer import BREAK, STOP_TOKENS

# A shorter text that stands in another one says too little to be its quote.
SHORTEST_QUOTE = 4
_BETWEEN = f" {BREAK} "


class Wordings:
    """Reads texts as words, in which wordings that mean the same are one word."""

    def __init__(self, synonyms: Synonyms) -> None:
        self._synonyms = synonyms
        self._first_words = {wording[0] for wording in synonyms}
        self._longest = max(map(len, synonyms), default=1)

    def words(self, tokens: Sequence[str]) -> set[str]:
        """Return the words of a text that tell something.

        A wording that has others is the one of them that comes first, with blanks.
        """
        words: set[str] = set()
        start = 0
        while start < len(tokens):
            wording = self._wording(tokens, start)
            words.add(" ".join(self._synonyms[wording][0]) if wording else tokens[start])
            start += len(wording) or 1
        return words - STOP_TOKENS

    def _wording(self, tokens: Sequence[str], start: int) -> Phrase:
        """Return the longest wording with others of its meaning that begins here, or no word."""
        if tokens[start] in self._first_words:
            for length in range(min(self._longest, len(tokens) - start), 0, -1):
                wording = tuple(tokens[start : start + length])
                if wording in self._synonyms:
                    return wording
        return ()

    def tokens(self, word: str) -> set[str]:
        """Return the tokens by which texts with a word, or one that means the same, are found."""
        phrases = self._synonyms.get(tuple(word.split(" ")))
        return set(chain.from_iterable(phrases)) if phrases else {word}

    def records(self, word: str, counts: Mapping[str, int]) -> int:
        """Return in how many records a word stands, from the numbers of its tokens."""
        phrases = self._synonyms.get(tuple(word.split(" ")))
        if phrases is None:
            return counts[word]
        return max(min(counts[token] for token in phrase) for phrase in phrases)


def split_texts(indexed: str) -> list[list[str]]:
    """Return the tokens of each text in a row of words of the index."""
    return [text.split() for text in indexed.split(_BETWEEN)] if indexed else []


def compare(words: set[str], others: set[str], weights: Mapping[str, float]) -> tuple[float, float]:
    """Return the likeness of two texts, and the share of the second that stands in the first.

    Both are from 0 to 1.
    """
    shared = sum(weights[word] ** 2 for word in words & others)
    if not shared:
        return 0.0, 0.0
    first, second = (sum(weights[word] ** 2 for word in each) for each in (words, others))
    return min(1.0, shared / sqrt(first * second)), min(1.0, shared / second)


def is_quote(tokens: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether two texts are the same but for marks, or one of them stands in the other."""
    if list(tokens) == list(others):
        return bool(tokens)
    short, long = sorted((tokens, others), key=len)
    if len(short) < SHORTEST_QUOTE:
        return False
    return f" {' '.join(short)} " in f" {' '.join(long)} "
