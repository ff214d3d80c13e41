"""How well the words of a record answer a query: computed here, so that every database ranks alike.

The weight of a word is that of Okapi BM25 (Robertson and Zaragoza, The Probabilistic Relevance
Framework, 2009), with its usual constants.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import log

from models.database.full_text import Branch, Phrase, Query, Term
from models.search.tokenizer import BREAK, STOP_TOKENS

# How fast a repeated word stops to count for more, and how much the length of a label counts.
K1 = 1.2
B = 0.75
# The length of a usual label, in words. That of the labels stored would change with each of them.
USUAL_LENGTH = 10
# A word in a label counts as much as so many in other texts.
LABEL_WEIGHT = 5
# What a label that says nothing but the query is worth: more than all words together.
EXACT = 1000.0
# What stands in labels and is left out of queries.
_SAYING_NOTHING = STOP_TOKENS | {"et", "al"}
# Scores are stored in cursors as whole numbers; the lowest is the best, as in a database.
SCALE = 1000


def inverse_frequency(records: int, among: int) -> float:
    """Return the weight of a word that occurs in the labels of so many records among all."""
    return log(1 + (max(among, records) - records + 0.5) / (records + 0.5))


def saturated(count: int, length: int) -> float:
    """Return what a word counts for that occurs so often in a label of so many words."""
    if not count:
        return 0.0
    return count * (K1 + 1) / (count + K1 * (1 - B + B * length / USUAL_LENGTH))


def split_labels(title: str) -> list[str]:
    """Return the tokens of each label in a text of the index, with a blank at both ends."""
    return [f" {label} " for label in title.split(f" {BREAK} ")]


class RankedQuery:
    """A query with the weight of each of its terms, ready to score records."""

    def __init__(self, query: Query, weights: Mapping[Term, float]) -> None:
        self.branches = [
            [(_patterns(term), weights[term]) for term in branch.wanted] for branch in query
        ]

    def score(self, title: str, words: str) -> int:
        """Return the score of a record with these words; the lower, the better, always below 0."""
        padded = f" {words} "
        labels = split_labels(title)
        value = sum(self._score_branch(branch, labels, padded) for branch in self.branches)
        return -1 - round(SCALE * value)

    def _score_branch(
        self,
        branch: "WeightedBranch",
        labels: Sequence[str],
        words: str,
    ) -> float:
        best = max(self._score_label(branch, label) for label in labels)
        others = sum(
            weight * saturated(_count(term, words), USUAL_LENGTH) for term, weight in branch
        )
        return LABEL_WEIGHT * best + others

    def _score_label(self, branch: "WeightedBranch", label: str) -> float:
        length = label.count(" ") - 1
        counts = [_count(term, label) for term, _ in branch]
        value = sum(
            weight * saturated(count, length)
            for count, (_, weight) in zip(counts, branch, strict=True)
        )
        if len(self.branches) == 1 and all(counts) and _says_nothing_else(branch, label):
            value += EXACT
        return value


Patterns = Sequence[Sequence[str]]
WeightedBranch = Sequence[tuple[Patterns, float]]


def _says_nothing_else(branch: "WeightedBranch", label: str) -> bool:
    """Return whether a label consists of words of the query and of words that say nothing."""
    for term, _ in branch:
        for phrase in chain.from_iterable(term):
            label = label.replace(phrase, " ")
    return _SAYING_NOTHING.issuperset(label.split())


def _patterns(term: Term) -> Patterns:
    """Return the texts to look for in padded words, for each phrase of each alternative."""
    return [[_pattern(phrase) for phrase in alternative] for alternative in term]


def _pattern(phrase: Phrase) -> str:
    text = f" {' '.join(phrase)} "
    return text.replace("* ", "")


def _count(term: Patterns, words: str) -> int:
    """Return how often a term occurs: as its commonest alternative, by its rarest phrase."""
    return max(min(words.count(phrase) for phrase in alternative) for alternative in term)


def weights(query: Query, records_with: Mapping[str, int], among: int) -> dict[Term, float]:
    """Return the weight of each wanted term: that of its rarest word in its first wording."""
    return {
        term: max(
            inverse_frequency(records_with.get(token, 0), among)
            for phrase in term[0]
            for token in phrase
        )
        for term in wanted_terms(query)
    }


def wanted_terms(query: Iterable[Branch]) -> list[Term]:
    """Return all terms that a query wants, each once."""
    return list(dict.fromkeys(term for branch in query for term in branch.wanted))
