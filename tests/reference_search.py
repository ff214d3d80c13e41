"""Search by its definition alone, to compare the index with."""

from collections.abc import Sequence

from models.database.full_text import Alternative, Phrase, Query, Term
from models.search import tokenizer


class ReferenceSearch:
    """What a query means: read off its definition, over all words of a record, without any
    index.
    """

    def __init__(self, labels: Sequence[str], texts: Sequence[str]) -> None:
        every = (*labels, *texts)
        self.texts = [tokenizer.tokenize(each) for each in every]
        self.texts += [[joined] for each in every for joined in tokenizer.joined_tokens(each)]

    def phrase(self, phrase: Phrase) -> bool:
        size = len(phrase)
        return any(
            all(map(_is_meant, tokens[place : place + size], phrase))
            for tokens in self.texts
            for place in range(len(tokens) - size + 1)
        )

    def alternative(self, alternative: Alternative) -> bool:
        return all(self.phrase(phrase) for phrase in alternative)

    def term(self, term: Term) -> bool:
        return any(self.alternative(alternative) for alternative in term)

    def query(self, query: Query) -> bool:
        return any(
            all(self.term(term) for term in branch.wanted)
            and not any(self.term(term) for term in branch.unwanted)
            for branch in query
        )


def _is_meant(token: str, wanted: str) -> bool:
    beginning, star, _ = wanted.partition("*")
    return token.startswith(beginning) if star else token == wanted
